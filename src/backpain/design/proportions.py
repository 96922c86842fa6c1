"""Intervals for proportions, and the NCHS rule for when a proportion may be shown. All take numbers or arrays."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, stdtrit

Numbers = NDArray[np.float64]
# A number, or an array with one for each proportion.
Many = Any
Ends = tuple[Any, Any]

# Data presentation standards for proportions (NCHS 2017, Vital Health Stat 2(175)).
LEAST_PEOPLE, LEAST_DF = 30, 8
NARROW, WIDE, WIDEST_RELATIVE = 0.05, 0.30, 1.30


def t_quantile(df: Many, level: float = 0.95) -> Any:
    """The two-sided t quantile; missing without a degree of freedom, so that no interval is made up.

    Raises
    ------
    ValueError
        If the level is no probability between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level: {level!r} is no probability between 0 and 1, such as 0.95")
    freedom = np.asarray(df, dtype=float)
    return stdtrit(np.where(freedom > 0, freedom, math.nan), (1 + level) / 2)[()]


def effective_people(p: Many, se: Many, n: Many) -> Any:
    """How many people of a simple random sample the share is worth, at most n; n where p is 0 or 1 (NCHS)."""
    return np.minimum(np.asarray(n, dtype=float), _size(p, se, n))[()]


def korn_graubard(p: Many, se: Many, n: Many, df: Many, level: float = 0.95, adjust: bool = True) -> Ends:
    """Clopper-Pearson interval on the effective sample size, at most n, as NCHS defines it (2017 standard).

    Korn and Graubard 1998, Surv Methodol 24:193.

    Parameters
    ----------
    p, se
        The proportion, 0 to 1, and its design-based standard error.
    n, df
        People and degrees of freedom in the domain.
    adjust
        Whether the effective size is scaled by the squared ratio of t quantiles, as NCHS does for surveys of few degrees
        of freedom.

    Returns
    -------
    Both ends, missing without a degree of freedom.
    """
    # Without a degree of freedom the variance is not known, adjusted for or not.
    shrink = _shrink(n, df, level) if adjust else t_quantile(df, level) * 0 + 1
    return _clopper_pearson(p, np.minimum(np.asarray(n, dtype=float), _size(p, se, n) * shrink), level)


def korn_graubard_unadjusted(p: Many, se: Many, n: Many, df: Many, level: float = 0.95) -> Ends:
    """The same without the ratio of t quantiles, as NCHS does for surveys of many degrees of freedom."""
    return korn_graubard(p, se, n, df, level, adjust=False)


def beta_interval(p: Many, se: Many, n: Many, df: Many, level: float = 0.95) -> Ends:
    """The interval of R's `svyciprop(method = "beta")`: as Korn and Graubard, but the size may exceed n."""
    size = np.where(_inside(p) & (np.asarray(se) > 0), _size(p, se, n), math.nan)
    return _clopper_pearson(p, size * _shrink(n, df, level), level)


def logit_interval(p: Many, se: Many, n: Many, df: Many, level: float = 0.95) -> Ends:
    """t-interval on the log-odds, turned back into shares; missing where p is 0 or 1."""
    share = np.where(_inside(p), p, math.nan)
    rest = 1 - share
    half, reach = np.log(share / rest) / 2, t_quantile(df, level) * se / (2 * share * rest)
    # By tanh, which cannot overflow.
    return ((1 + np.tanh(half - reach)) / 2)[()], ((1 + np.tanh(half + reach)) / 2)[()]


INTERVALS: dict[str, Callable[[Many, Many, Many, Many, float], Ends]] = {
    "korn-graubard": korn_graubard,
    "korn-graubard-unadjusted": korn_graubard_unadjusted,
    "beta": beta_interval,
    "logit": logit_interval,
}


def _inside(p: Many) -> NDArray[np.bool_]:
    share = np.asarray(p, dtype=float)
    return (share > 0) & (share < 1)


def _size(p: Many, se: Many, n: Many) -> Numbers:
    share, error = np.asarray(p, dtype=float), np.asarray(se, dtype=float)
    told = _inside(share) & (error > 0)
    return np.where(told, share * (1 - share) / np.where(told, error, 1.0) ** 2, np.asarray(n, dtype=float))


def _shrink(n: Many, df: Many, level: float) -> Numbers:
    return np.asarray((t_quantile(np.asarray(n) - 1, level) / t_quantile(df, level)) ** 2)


def _clopper_pearson(p: Many, size: Numbers, level: float) -> Ends:
    share = np.asarray(p, dtype=float)
    worth = np.where(size > 0, size, math.nan)
    tail, events = (1 - level) / 2, share * worth
    rest = worth - events
    low = np.where(share > 0, betaincinv(np.where(events > 0, events, 1.0), rest + 1, tail), 0.0)
    high = np.where(share < 1, betaincinv(events + 1, np.where(rest > 0, rest, 1.0), 1 - tail), 1.0)
    known = np.isfinite(worth) & np.isfinite(share)
    return np.where(known, low, math.nan)[()], np.where(known, high, math.nan)[()]


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
    return judged(p, effective_people(p, se, n), high - low, df)


def judged(p: float, size: float, width: float, df: float) -> Presentation:
    """The same from the effective people and the width of the Korn-Graubard interval."""
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
