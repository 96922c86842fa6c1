"""Intervals for proportions, and the NCHS rule for when a proportion may be shown."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from scipy.special import stdtrit
from scipy.stats import beta

NOWHERE = (math.nan, math.nan)

# Data presentation standards for proportions (NCHS 2017, Vital Health Stat 2(175)).
LEAST_PEOPLE, LEAST_DF = 30, 8
NARROW, WIDE, WIDEST_RELATIVE = 0.05, 0.30, 1.30


def t_quantile(df: float, level: float = 0.95) -> float:
    """The two-sided t quantile; missing without a degree of freedom, so that no interval is made up."""
    return float(stdtrit(df, (1 + level) / 2)) if df > 0 else math.nan


def effective_people(p: float, se: float, n: int) -> float:
    """How many people of a simple random sample the share is worth, at most n; n where p is 0 or 1 (NCHS)."""
    return min(float(n), _size(p, se, n))


def korn_graubard(
    p: float, se: float, n: int, df: float, level: float = 0.95, adjust: bool = True
) -> tuple[float, float]:
    """Clopper-Pearson interval on the effective sample size, at most n, as NCHS defines it (2017 standard).

    Korn and Graubard 1998, Surv Methodol 24:193.

    Parameters
    ----------
    p, se
        The proportion, 0 to 1, and its design-based standard error.
    n, df
        People and degrees of freedom in the domain.
    adjust
        Whether the effective size is scaled by the squared ratio of t quantiles (NHANES) or not (NHIS).

    Returns
    -------
    Both ends, missing without a degree of freedom.
    """
    size = _size(p, se, n) * (_shrink(n, df, level) if adjust else 1.0)
    return _clopper_pearson(p, min(float(n), size), level) if size > 0 else NOWHERE


def beta_interval(p: float, se: float, n: int, df: float, level: float = 0.95) -> tuple[float, float]:
    """The interval of R's `svyciprop(method = "beta")`: as Korn and Graubard, but the size may exceed n."""
    if not 0 < p < 1 or not se > 0:
        return NOWHERE
    return _clopper_pearson(p, _size(p, se, n) * _shrink(n, df, level), level)


def logit_interval(p: float, se: float, n: int, df: float, level: float = 0.95) -> tuple[float, float]:
    """t-interval on the log-odds, turned back into shares; missing where p is 0 or 1."""
    if not 0 < p < 1:
        return NOWHERE
    centre, reach = math.log(p / (1 - p)), t_quantile(df, level) * se / (p * (1 - p))
    # By tanh, which cannot overflow.
    return (1 + math.tanh((centre - reach) / 2)) / 2, (1 + math.tanh((centre + reach) / 2)) / 2


INTERVALS: dict[str, Callable[[float, float, int, float, float], tuple[float, float]]] = {
    "korn-graubard": korn_graubard,
    "beta": beta_interval,
    "logit": logit_interval,
}


def _size(p: float, se: float, n: int) -> float:
    return p * (1 - p) / se**2 if 0 < p < 1 and se > 0 else float(n)


def _shrink(n: int, df: float, level: float) -> float:
    return (t_quantile(n - 1, level) / t_quantile(df, level)) ** 2


def _clopper_pearson(p: float, size: float, level: float) -> tuple[float, float]:
    if not size > 0:
        return NOWHERE
    tail, events = (1 - level) / 2, p * size
    low = float(beta.ppf(tail, events, size - events + 1)) if p > 0 else 0.0
    high = float(beta.ppf(1 - tail, events + 1, size - events)) if p < 1 else 1.0
    return low, high


class Presentation(NamedTuple):
    """What the NCHS standard says of a proportion: `show`, `review` or `suppress`, and why."""

    rule: str
    reason: str


def presentation(p: float, se: float, n: int, df: float, adjust: bool = True) -> Presentation:
    """Whether a proportion may be shown by the NCHS data presentation standard of 2017.

    Suppressed when fewer than 30 people or effective people stand behind it, or the Korn-Graubard interval is
    30 points wide or more, or wider than 5 points and than 130 % of the proportion. To be reviewed by a
    statistician when p is 0 or 1, or with fewer than 8 degrees of freedom. Arguments as in `korn_graubard`.
    """
    low, high = korn_graubard(p, se, n, df, adjust=adjust)
    width, size = high - low, effective_people(p, se, n)
    if not math.isfinite(width):
        return Presentation("suppress", "no degrees of freedom, so no interval")
    if size < LEAST_PEOPLE:
        return Presentation("suppress", f"worth {size:.1f} people, fewer than {LEAST_PEOPLE}")
    if width >= WIDE:
        return Presentation("suppress", f"an interval {WIDE * 100:.0f} points wide or wider")
    if p > 0 and width > NARROW and width > WIDEST_RELATIVE * p:
        return Presentation("suppress", f"an interval wider than {WIDEST_RELATIVE * 100:.0f} % of the share")
    if p in (0.0, 1.0):
        return Presentation("review", "nobody or everybody has the event")
    if df < LEAST_DF:
        return Presentation("review", f"{df:.0f} degrees of freedom, fewer than {LEAST_DF}")
    return Presentation("show", "")
