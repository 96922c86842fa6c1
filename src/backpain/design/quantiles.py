"""Quantiles of a domain, by a named rule, with intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from backpain.design.domains import Estimate
from backpain.design.proportions import beta_interval, logit_interval, t_quantile
from backpain.design.replicates import Replicated
from backpain.design.stages import Numbers
from backpain.design.totals import inside, mean
from backpain.design.variance import Sampling

# Steps of the cumulative share below this are rounding.
ROUNDING = 1e-12


def _first(share: Numbers, weight: Numbers) -> Numbers:
    return share


def _middle(share: Numbers, weight: Numbers) -> Numbers:
    return share - weight / 2


# Where on the scale of shares each value stands, for the rules that draw straight lines between values: cumulative
# share and own share of each in, place out (Hyndman and Fan 1996, Am Stat 50:361, with weights as in R's `survey`).
LINES: dict[str, Callable[[Numbers, Numbers], Numbers]] = {
    "hf4": _first,
    "hf5": _middle,
    "hf6": lambda share, weight: share / (1 + weight[-1]),
    "hf7": lambda share, weight: (share - weight) / share[-2] if len(share) > 1 else share - weight,
    "hf8": lambda share, weight: (share - weight / 3) / (1 + weight[-1] / 3),
    "hf9": lambda share, weight: (share - weight * 3 / 8) / (1 + weight[-1] / 4),
}
RULES = ("math", "school", *LINES)
INTERVALS = ("woodruff", "woodruff-logit", "woodruff-beta", "replicates")


def quantiles(
    values: ArrayLike,
    design: Sampling,
    probabilities: Sequence[float] = (0.25, 0.5, 0.75),
    domain: ArrayLike | None = None,
    rule: str = "math",
    interval: str = "woodruff",
    level: float = 0.95,
) -> pd.DataFrame:
    """Weighted quantiles of a domain.

    Parameters
    ----------
    values
        (people,) numbers; they may be missing outside the domain only.
    rule
        `math`: the least value with a cumulative share of the probability or more (R's qrule "math" and "hf1");
        `school`: halfway to the next value where the share is exactly the probability ("school", "hf2"); `hf4` to
        `hf9`: straight lines between values, Hyndman and Fan's types. Below the smallest value's own share all
        give the smallest value, where R 4.1's "math" and "school" give the second and "hf4" one outside the data.
    interval
        `woodruff`: the quantiles at the ends of the interval of the share at or below the estimate (Woodruff
        1952, JASA 47:635), that interval by t, on the log-odds (`woodruff-logit`) or as `beta_interval`
        (`woodruff-beta`); the standard error is the interval's width over twice the t quantile.
        `replicates`: the spread of the quantile over the replicates; not with a jackknife, whose spread of
        quantiles does not settle as samples grow (Shao and Wu 1989, Ann Stat 17:1176).

    Returns
    -------
    A row for each probability: probability, estimate, se, df, low, high, people. An end is missing where the share's
    interval leaves 0 to 1.

    Raises
    ------
    ValueError
        For a probability outside 0 to 1, an unknown rule or interval, and as `mean` does.
    """
    _check(design, probabilities, rule, interval)
    members = design.members(domain)
    numbers = inside(values, members)
    curve = _Curve(numbers, np.where(members, design.weight, 0.0), rule)
    rows = []
    for probability in probabilities:
        middle = curve.at(probability)
        share = mean((numbers <= middle).astype(float), design, members, level)
        if interval == "replicates" and isinstance(design, Replicated):
            found = np.concatenate(
                [
                    [_Curve(numbers, np.where(members, weight, 0.0), rule).at(probability) for weight in block.T]
                    for _, block in design.blocks()
                ]
            )
            se = math.sqrt(design.spread(found[:, None], np.array([middle]))[0, 0])
            reach = float(t_quantile(share.df, level)) * se
            low, high = middle - reach, middle + reach
        else:
            low, high = (curve.at(end) if 0 <= end <= 1 else math.nan for end in _ends(share, interval, level))
            se = (high - low) / (2 * float(t_quantile(share.df, level)))
        rows.append((probability, middle, se, share.df, low, high, share.people))
    return pd.DataFrame(rows, columns=["probability", "estimate", "se", "df", "low", "high", "people"])


def _check(design: Sampling, probabilities: Sequence[float], rule: str, interval: str) -> None:
    if rule not in RULES or interval not in INTERVALS:
        raise ValueError(
            f"quantiles: rule {rule!r} and interval {interval!r}: choose from {', '.join(RULES)} and from "
            f"{', '.join(INTERVALS)}"
        )
    if any(not 0 < probability < 1 for probability in probabilities):
        raise ValueError("quantiles: probabilities lie between 0 and 1; the smallest and largest have no interval")
    if interval == "replicates" and (not isinstance(design, Replicated) or design.kind in ("jk1", "jkn")):
        raise ValueError(
            "quantiles: the interval `replicates` needs half-samples or a bootstrap; use `woodruff` with a "
            "linearised design or a jackknife"
        )


def _ends(share: Estimate, interval: str, level: float) -> tuple[float, float]:
    if interval == "woodruff":
        return share.low, share.high
    by = logit_interval if interval == "woodruff-logit" else beta_interval
    return by(share.estimate, share.se, share.people, share.df, level)


class _Curve:
    """The distribution of a domain, to read quantiles from."""

    def __init__(self, values: Numbers, weight: Numbers, rule: str) -> None:
        counted = weight > 0
        if not counted.any():
            raise ValueError("domain: nobody in it has a weight above zero; widen the domain")
        order = np.argsort(values[counted], kind="stable")
        self.values = values[counted][order]
        sums = np.cumsum(weight[counted][order])
        self.share = sums / sums[-1]
        self.rule = rule
        own = weight[counted][order] / sums[-1]
        self.places = LINES[rule](self.share, own) if rule in LINES else self.share

    def at(self, probability: float) -> float:
        """The quantile."""
        if self.rule in LINES:
            # A probability that is a place but for rounding gives the value that stands there, whatever the weights' scale.
            near = int(np.argmin(np.abs(self.places - probability)))
            if abs(self.places[near] - probability) <= ROUNDING:
                return float(self.values[near])
            return float(np.interp(probability, self.places, self.values))
        place = min(int(np.searchsorted(self.share, probability - ROUNDING)), len(self.values) - 1)
        here = float(self.values[place])
        exactly = abs(self.share[place] - probability) <= ROUNDING
        if self.rule == "school" and exactly and place + 1 < len(self.values):
            return (here + float(self.values[place + 1])) / 2
        return here


__all__ = ["INTERVALS", "RULES", "quantiles"]
