"""Tipping points for those lost: how different they would have to be for the conclusion to change.

Delta adjustment: the lost of each arm are given a risk, or odds so many times those of the followed of their arm
(Rubin 1977, J Am Stat Assoc 72:538; Liublinska and Rubin 2014, Stat Med 33:4170, for both arms at once).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from backpain.design import Sampling, t_quantile, variance
from backpain.sensitivity.priors import Numbers

BY = ("risk", "odds-ratio")
SCALES = ("risk-difference", "risk-ratio")
GRID = ["lost_treated", "lost_untreated", "risk_treated", "risk_untreated", "estimate", "low", "high", "conclusion",
        "matters"]  # fmt: skip
FRONTIER = ["change", "lost_treated", "lost_untreated"]
BELOW, ABOVE, HOLDS = "below no effect", "above no effect", "holds no effect"
# How many parts of the range are searched for a change of sign before the root is found.
STEPS = 400


@dataclass(frozen=True)
class Followed:
    """Risks of the followed and shares of the lost, in the treated and the untreated arm.

    Attributes
    ----------
    risk, lost
        (treated, untreated): weighted risk among the followed, weighted share lost.
    covariance
        (4, 4) of (risk treated, risk untreated, lost treated, lost untreated) by the design.
    df
        Degrees of freedom of intervals.
    """

    risk: tuple[float, float]
    lost: tuple[float, float]
    covariance: NDArray[np.float64]
    df: float

    def __post_init__(self) -> None:
        if not all(0 < risk < 1 for risk in self.risk):
            raise ValueError(f"followed: the risks are {self.risk}; both must lie above 0 and below 1")
        if not all(0 <= share < 1 for share in self.lost):
            raise ValueError(f"followed: the shares lost are {self.lost}; both must be at least 0 and below 1")
        if not any(self.lost):
            raise ValueError("followed: nobody is lost, so no loss can change the conclusion")
        if np.shape(self.covariance) != (4, 4) or not np.isfinite(self.covariance).all():
            raise ValueError("followed: the covariance must be four by four and finite")
        if not self.df > 0:
            raise ValueError(f"followed: {self.df} degrees of freedom; there must be more than 0")

    @classmethod
    def of(cls, treated: ArrayLike, event: ArrayLike, design: Sampling, domain: ArrayLike | None = None) -> Followed:
        """Read them from the people.

        Parameters
        ----------
        treated
            (people,) yes or no.
        event
            (people,) yes or no; missing for exactly the lost.
        design, domain
            As in `backpain.design.variance`; the domain is who takes part in the trial.

        Raises
        ------
        ValueError
            If treatment is missing in the domain, or an arm has nobody followed.
        """
        members = design.members(domain)
        arm, happened = (np.asarray(column, dtype=float) for column in (treated, event))
        if not np.isin(arm[members], (0.0, 1.0)).all():
            raise ValueError("treated: must be yes or no for everyone in the domain; leave the others out of it")
        seen = np.isfinite(happened)
        if not np.isin(happened[members & seen], (0.0, 1.0)).all():
            raise ValueError("event: must be yes, no or, for the lost, missing")
        arms = [members & (arm == 1), members & (arm == 0)]
        counts = np.column_stack([*(one & seen for one in arms), *arms]).astype(float)
        values = np.column_stack([np.where(seen, happened, 0.0)] * 2 + [(~seen).astype(float)] * 2)
        totals = design.weight @ counts
        if (totals <= 0).any():
            raise ValueError("followed: an arm has nobody followed; there is nothing to compare the lost with")
        found = (design.weight @ (counts * values)) / totals

        def influence() -> Numbers:
            return np.asarray(design.weight[:, None] * counts * (values - found) / totals)

        def at(weights: Numbers) -> Numbers:
            return np.asarray((weights.T @ (counts * values)) / (weights.T @ counts))

        matrix = variance(design, found, influence, at, domain)
        risks, lost = (float(found[0]), float(found[1])), (float(found[2]), float(found[3]))
        return cls(risks, lost, matrix, design.degrees_of_freedom_in(domain))


def contrast(
    followed: Followed,
    treated: ArrayLike,
    untreated: ArrayLike,
    by: str = "risk",
    scale: str = "risk-difference",
    level: float = 0.95,
) -> tuple[Numbers, Numbers, Numbers, Numbers, Numbers]:
    """Risks of the arms, and their contrast with its interval, when the lost are as supposed.

    What is supposed of the lost is taken as known; the risks of the followed and the shares lost are estimated, and
    the interval is by linearisation and t.

    Parameters
    ----------
    treated, untreated
        What is supposed of the lost of each arm, arrays of one shape: the risk, or the odds ratio of the lost to the
        followed, as `by` says.

    Returns
    -------
    Risk of the treated, of the untreated, estimate, low, high; ratios as ratios.
    """
    _check(by, scale)
    risks, slopes = [], np.zeros((4, *np.broadcast_shapes(np.shape(treated), np.shape(untreated))))
    for place, supposed in enumerate((treated, untreated)):
        p, share = followed.risk[place], followed.lost[place]
        risk, slope = _risk_of_lost(np.asarray(supposed, dtype=float), p, by)
        risks.append(np.broadcast_to((1 - share) * p + share * risk, slopes.shape[1:]))
        slopes[place], slopes[place + 2] = (1 - share) + share * slope, risk - p
    one, other = risks
    ratio = scale == "risk-ratio"
    slopes[0::2] *= 1 / one if ratio else 1.0
    slopes[1::2] *= -1 / other if ratio else -1.0
    spread = np.einsum("i...,ij,j...->...", slopes, followed.covariance, slopes)
    reach = float(t_quantile(followed.df, level)) * np.sqrt(np.maximum(spread, 0.0))
    middle = np.log(one / other) if ratio else one - other
    back: Callable[[Numbers], Numbers] = np.exp if ratio else np.asarray
    return one, other, back(middle), back(middle - reach), back(middle + reach)


def tipping_grid(
    followed: Followed,
    treated: Sequence[float],
    untreated: Sequence[float],
    by: str = "risk",
    scale: str = "risk-difference",
    smallest_effect: float | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """The conclusion for every pair of suppositions about the lost, one row each, for a figure.

    Parameters
    ----------
    treated, untreated
        Suppositions about the lost of each arm, as in `contrast`.
    smallest_effect
        The smallest effect that matters, signed: `matters` says whether the estimate is that or farther from none.

    Returns
    -------
    Rows with the columns `GRID`. `conclusion` says where the interval lies; `matters` is missing where no smallest
    effect is given.

    Raises
    ------
    ValueError
        For a supposition that is no risk or no ratio, and an unknown `by` or scale.
    """
    one, other = (each.ravel() for each in np.meshgrid(treated, untreated, indexing="ij"))
    return _rows(followed, one, other, by, scale, smallest_effect, level)


def extremes(
    followed: Followed,
    scale: str = "risk-difference",
    smallest_effect: float | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """The conclusion if the lost are like the followed of their arm, and if all or none of each arm's have the event.

    Returns
    -------
    Five rows with the columns `GRID`, after the column `supposed` that says in words what is supposed.
    """
    p1, p0 = followed.risk
    supposed = {
        "the lost are like the followed": (p1, p0),
        "none of the lost has the event": (0.0, 0.0),
        "all of the lost have the event": (1.0, 1.0),
        "all lost of the treated have the event, none of the untreated": (1.0, 0.0),
        "none of the lost of the treated has the event, all of the untreated": (0.0, 1.0),
    }
    one, other = np.array(list(supposed.values())).T
    rows = _rows(followed, one, other, "risk", scale, smallest_effect, level)
    alike = _rows(followed, np.ones(1), np.ones(1), "odds-ratio", scale, smallest_effect, level)
    # Like the followed means as uncertain as they are, so its interval is not that of a known risk.
    rows.loc[0, GRID[2:]] = alike.loc[0, GRID[2:]]
    rows.insert(0, "supposed", list(supposed))
    return rows


def frontier(
    followed: Followed,
    treated: Sequence[float],
    by: str = "risk",
    scale: str = "risk-difference",
    smallest_effect: float | None = None,
    level: float = 0.95,
    within: tuple[float, float] | None = None,
) -> pd.DataFrame:
    """Where the conclusion changes: for each supposition about the treated, that about the untreated, by root finding.

    Parameters
    ----------
    within
        The range searched for the untreated; 0 to 1 for risks, 0.01 to 100 for odds ratios unless given.

    Returns
    -------
    Rows (change, lost_treated, lost_untreated): `change` is `low reaches no effect`, `high reaches no effect`, `estimate
    reaches no effect` or `estimate reaches the smallest effect`. No row where nothing changes within the range.

    Raises
    ------
    ValueError
        As `tipping_grid` does, and for a range that is none.
    """
    low, high = within or ((0.0, 1.0) if by == "risk" else (0.01, 100.0))
    if not low < high:
        raise ValueError(f"frontier: the range from {low} to {high} is empty")
    _supposed(np.array([low, high]), by, "untreated")
    _supposed(np.asarray(treated, dtype=float), by, "treated")
    nothing = 1.0 if scale == "risk-ratio" else 0.0
    wanted = {
        f"{name} reaches no effect": (place, nothing) for place, name in ((3, "low"), (4, "high"), (2, "estimate"))
    }
    if smallest_effect is not None:
        wanted["estimate reaches the smallest effect"] = (2, _effect(smallest_effect, scale))
    searched = np.linspace(low, high, STEPS + 1) if by == "risk" else np.geomspace(low, high, STEPS + 1)
    rows = []
    for supposed in treated:
        told = contrast(followed, np.full(len(searched), supposed), searched, by, scale, level)
        for change, (place, value) in wanted.items():
            distance = partial(_distance, followed, float(supposed), by, scale, level, place, value)
            rows += [(change, float(supposed), root) for root in _roots(searched, told[place] - value, distance)]
    return pd.DataFrame(rows, columns=FRONTIER)


def _distance(
    followed: Followed, treated: float, by: str, scale: str, level: float, place: int, value: float, untreated: float
) -> float:
    return float(contrast(followed, treated, untreated, by, scale, level)[place]) - value


def _roots(searched: Numbers, distances: Numbers, distance: Callable[[float], float]) -> list[float]:
    """Every point of the range where the distance changes its sign."""
    found = [float(point) for point in searched[distances == 0]]
    for place in np.flatnonzero(distances[:-1] * distances[1:] < 0):
        found.append(float(brentq(distance, searched[place], searched[place + 1], xtol=1e-14, rtol=1e-12)))
    return sorted(found)


def _rows(
    followed: Followed,
    treated: Numbers,
    untreated: Numbers,
    by: str,
    scale: str,
    smallest_effect: float | None,
    level: float,
) -> pd.DataFrame:
    _check(by, scale)
    _supposed(treated, by, "treated")
    _supposed(untreated, by, "untreated")
    found = contrast(followed, treated, untreated, by, scale, level)
    nothing = 1.0 if scale == "risk-ratio" else 0.0
    conclusion = np.where(found[4] < nothing, BELOW, np.where(found[3] > nothing, ABOVE, HOLDS))
    rows = pd.DataFrame(dict(zip(GRID, (treated, untreated, *found, conclusion), strict=False)))
    if smallest_effect is None:
        return rows.assign(matters=pd.array([pd.NA] * len(rows), dtype="boolean"))
    least = _effect(smallest_effect, scale)
    reached = found[2] >= least if least > nothing else found[2] <= least
    return rows.assign(matters=pd.array(reached, dtype="boolean"))


def _risk_of_lost(supposed: Numbers, p: float, by: str) -> tuple[Numbers, Numbers]:
    """The risk of the lost, and its slope in the risk of the followed."""
    if by == "risk":
        return supposed, np.zeros(supposed.shape)
    base = 1 - p + supposed * p
    return np.asarray(supposed * p / base), np.asarray(supposed / base**2)


def _effect(smallest: float, scale: str) -> float:
    nothing = 1.0 if scale == "risk-ratio" else 0.0
    if not math.isfinite(smallest) or smallest == nothing or (scale == "risk-ratio" and smallest <= 0):
        raise ValueError(
            f"smallest effect: {smallest} is none on the scale {scale}; give it with its sign or as a ratio"
        )
    return smallest


def _supposed(values: Numbers, by: str, arm: str) -> None:
    most = 1.0 if by == "risk" else math.inf
    if not (np.isfinite(values).all() and (values >= 0).all() and (values <= most).all()):
        what = "risks within 0 and 1" if by == "risk" else "odds ratios above 0"
        raise ValueError(f"lost of the {arm}: supposed are {what}, not {values.min():g} to {values.max():g}")
    if by == "odds-ratio" and (values == 0).any():
        raise ValueError(f"lost of the {arm}: an odds ratio of 0; suppose a risk of 0 instead")


def _check(by: str, scale: str) -> None:
    if by not in BY:
        raise ValueError(f"tipping: {by!r} is not known; suppose of the lost one of {', '.join(BY)}")
    if scale not in SCALES:
        raise ValueError(f"tipping: scale {scale!r} is not known; choose from {', '.join(SCALES)}")


__all__ = [
    "ABOVE", "BELOW", "BY", "FRONTIER", "GRID", "HOLDS", "Followed", "contrast", "extremes", "frontier", "tipping_grid",
]  # fmt: skip
