"""Tidy rows of risks and of their contrasts, from risks and their variance matrix."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, stdtr, stdtrit

from backpain.design import t_quantile

Numbers = NDArray[np.float64]

COLUMNS = [
    "arm", "scale", "estimator", "population", "estimate", "se", "low", "high", "p", "people", "events", "design_df",
    "weighted_people", "converged", "reason", "imputations", "df", "missing_variance", "monte_carlo",
]  # fmt: skip


class Group(NamedTuple):
    """An arm or an exposure group: its people, their events, and whom they represent."""

    name: str
    people: int
    events: int
    weighted: float

    def beside(self, other: Group) -> Group:
        """Both groups of a contrast together."""
        return Group(
            f"{self.name} vs {other.name}",
            self.people + other.people,
            self.events + other.events,
            self.weighted + other.weighted,
        )


@dataclass(frozen=True)
class Source:
    """What all rows of one estimator share: its name, degrees of freedom, whether it can be used, whom it is about."""

    estimator: str
    df: int
    reason: str = ""
    population: str = "everyone"
    level: float = 0.95

    def row(self, group: Group, scale: str, **numbers: float) -> dict[str, Any]:
        """One row; numbers not given are missing."""
        return {
            "arm": group.name,
            "scale": scale,
            "estimator": self.estimator,
            "population": self.population,
            **dict.fromkeys(("estimate", "se", "low", "high", "p"), math.nan),
            **numbers,
            "people": group.people,
            "events": group.events,
            "design_df": self.df,
            "weighted_people": group.weighted,
            "converged": not self.reason,
            "reason": self.reason,
        }


class Scale(NamedTuple):
    """A contrast of two risks on the scale where its interval is symmetric, with its slope in each risk."""

    value: Callable[[float, float], float]
    slope: Callable[[float, float], tuple[float, float]]


CONTRASTS = {
    "risk-difference": Scale(lambda one, other: one - other, lambda one, other: (1.0, -1.0)),
    "risk-ratio": Scale(lambda one, other: math.log(one / other), lambda one, other: (1 / one, -1 / other)),
    "odds-ratio": Scale(
        lambda one, other: math.log(one / (1 - one)) - math.log(other / (1 - other)),
        lambda one, other: (1 / (one * (1 - one)), -1 / (other * (1 - other))),
    ),
}
# From the working scale, where intervals are symmetric and imputations are pooled, to the one reported.
BACK: dict[str, Callable[[float], float]] = {
    "risk": lambda value: float(expit(value)),
    "risk-difference": float,
    "risk-ratio": math.exp,
    "odds-ratio": math.exp,
}


# Why a number has no interval, or a ratio no number.
EDGE = "nobody or everybody of an arm had the event, so there is no standard error"


class Quantity(NamedTuple):
    """One risk or contrast on its working scale: the log-odds of a risk, a difference, the log of a ratio.

    `se` is missing where a risk is 0 or 1, because linearisation finds none; `value` may then be infinite or missing.
    """

    group: Group
    scale: str
    value: float
    se: float

    @property
    def estimate(self) -> float:
        """The number reported."""
        return BACK[self.scale](self.value)

    def row(self, source: Source, df: float | None = None) -> dict[str, Any]:
        """Its row, with interval and p by t on the working scale; `df` other than the source's when pooled.

        The standard error of a risk is that of the risk; that of a ratio is on the log scale.
        """
        freedom = source.df if df is None else df
        if not math.isfinite(self.value):
            known = {"estimate": self.estimate} if self.scale == "risk" and not math.isnan(self.value) else {}
            return {**source.row(self.group, self.scale, **known), "reason": source.reason or EDGE}
        estimate = self.estimate
        if not math.isfinite(self.se):
            return {**source.row(self.group, self.scale, estimate=estimate), "reason": source.reason or EDGE}
        reach = float(t_quantile(freedom, source.level)) * self.se
        low, high = (BACK[self.scale](end) for end in (self.value - reach, self.value + reach))
        if self.scale == "risk":
            return source.row(
                self.group, "risk", estimate=estimate, se=self.se * estimate * (1 - estimate), low=low, high=high
            )
        p = 2 * float(stdtr(freedom, -abs(self.value) / self.se)) if self.se > 0 else math.nan
        return source.row(self.group, self.scale, estimate=estimate, se=self.se, low=low, high=high, p=p)


def risks_of(groups: Sequence[Group], risk: Numbers, covariance: Numbers) -> list[Quantity]:
    """Each group's risk on the log-odds; without a standard error where it is 0 or 1."""
    found = []
    for place, group in enumerate(groups):
        p = float(risk[place])
        if 0 < p < 1:
            se = math.sqrt(covariance[place, place]) / (p * (1 - p))
            found.append(Quantity(group, "risk", math.log(p / (1 - p)), se))
        else:
            found.append(Quantity(group, "risk", math.inf if p == 1 else -math.inf, math.nan))
    return found


def contrasts_of(
    groups: Sequence[Group], risk: Numbers, covariance: Numbers, scales: Sequence[str] = tuple(CONTRASTS)
) -> list[Quantity]:
    """Each group against the last. Where a risk is 0 or 1 only the difference has a value, without standard error."""
    found = []
    for place, group in enumerate(groups[:-1]):
        both, pair = group.beside(groups[-1]), [place, len(groups) - 1]
        one, other = (float(number) for number in risk[pair])
        for scale in scales:
            if not (0 < one < 1 and 0 < other < 1):
                known = one - other if scale == "risk-difference" else math.nan
                found.append(Quantity(both, scale, known, math.nan))
                continue
            slope = np.array(CONTRASTS[scale].slope(one, other))
            se = math.sqrt(max(slope @ covariance[np.ix_(pair, pair)] @ slope, 0.0))
            found.append(Quantity(both, scale, CONTRASTS[scale].value(one, other), se))
    return found


def needed_to_treat(row: dict[str, Any]) -> dict[str, Any]:
    """From the row of a risk difference, how many people treated make one event fewer; negative for one more.

    Its interval is the inverted one of the difference, which falls into two where that holds zero; then there is none,
    and the row says so (Altman 1998, BMJ 317:1309).
    """
    found = {**row, "scale": "number-needed-to-treat", **dict.fromkeys(("estimate", "se", "low", "high"), math.nan)}
    if not row["converged"] or math.isnan(row["estimate"]) or row["estimate"] == 0:
        return found
    ends = (-float(row["high"]), -float(row["low"]))
    found["estimate"] = 1 / -float(row["estimate"])
    if math.isnan(ends[0]) or math.isnan(ends[1]):
        return found
    if ends[0] < 0 < ends[1] or 0 in ends:
        return {**found, "reason": "the interval of the difference holds no difference, so this one has two parts"}
    return {**found, "low": 1 / ends[1], "high": 1 / ends[0]}


def failed_rows(
    groups: Sequence[Group], source: Source, scales: Sequence[str] = tuple(CONTRASTS), risks: bool = True
) -> list[dict[str, Any]]:
    """The same rows without numbers, for an estimator one of whose models did not converge."""
    rows = [source.row(group, "risk") for group in groups] if risks else []
    return rows + [source.row(group.beside(groups[-1]), scale) for group in groups[:-1] for scale in scales]


def table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The rows as a frame with the columns of estimates in their order."""
    return pd.DataFrame(rows, columns=COLUMNS)


def minimal_detectable_difference(se: float, df: float, power: float = 0.8, level: float = 0.05) -> float:
    """The smallest true difference that a two-sided test finds with this power.

    It is (t of 1 - level / 2, plus t of power) x SE:
    Bloom 1995, Eval Rev 19:547. Missing without a standard error or a degree of freedom.

    Raises
    ------
    ValueError
        If power or level is not between 0 and 1.
    """
    if not (0 < power < 1 and 0 < level < 1):
        raise ValueError(f"power {power} and level {level} must lie between 0 and 1")
    return float(stdtrit(df, 1 - level / 2) + stdtrit(df, power)) * se if df > 0 else math.nan
