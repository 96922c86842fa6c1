"""Tail probabilities of weighted sums of chi-squares, and of such a sum over an independent chi-square."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.stats import chi2, f, norm

Numbers = NDArray[np.float64]


def satterthwaite(statistic: float, weights: ArrayLike, df: float = math.inf) -> float:
    """P(sum of weights x chi-square(1) > statistic) by a scaled chi-square with the same mean and variance.

    Rao and Scott 1984, Ann Stat 12:46. With finite `df` the sum is divided by an independent chi-square over its
    degrees of freedom, and the reference is F.
    """
    a = np.asarray(weights, dtype=float)
    spread = float((a**2).mean() / a.mean() ** 2)
    numerator = len(a) / spread
    scaled = statistic / (a.mean() * spread)
    return float(chi2.sf(scaled, numerator) if math.isinf(df) else f.sf(scaled / numerator, numerator, df))


def saddlepoint(statistic: float, weights: ArrayLike, df: float = math.inf) -> float:
    """The same probability by the saddlepoint approximation (Kuonen 1999, Biometrika 86:929).

    With finite `df`, a ratio exceeds the statistic where the sum less statistic / df x chi-square(df) exceeds 0
    (Lumley and Scott 2014, Aust N Z J Stat 56:1). Near the sum's mean, where the approximation breaks down,
    `satterthwaite` answers, as in R's `survey`.
    """
    a = np.asarray(weights, dtype=float)
    if math.isinf(df):
        found = _tail(statistic, a, np.ones_like(a))
    else:
        found = _tail(0.0, np.append(a, -statistic / df), np.append(np.ones_like(a), df))
    return satterthwaite(statistic, a, df) if math.isnan(found) else found


APPROXIMATIONS: dict[str, Callable[[float, ArrayLike, float], float]] = {
    "saddlepoint": saddlepoint,
    "satterthwaite": satterthwaite,
}


def _tail(x: float, weights: Numbers, freedom: Numbers) -> float:
    """P(sum of weights x chi-square(freedom) > x); missing near the mean."""
    largest = weights.max()
    a, x = weights / largest, x / largest
    low, high = _lowest(x, a, freedom), 0.99999 / 2

    def slope(at: float) -> float:
        return float(freedom @ (a / (1 - 2 * at * a))) - x

    if not slope(low) * slope(high) < 0:
        return math.nan
    root = brentq(slope, low, high, xtol=1e-14, rtol=1e-14)
    if abs(root) < 1e-4:
        return math.nan
    cumulant = -float(freedom @ np.log1p(-2 * root * a)) / 2
    bend = 2 * float(freedom @ (a / (1 - 2 * root * a)) ** 2)
    w = math.copysign(math.sqrt(2 * (root * x - cumulant)), root)
    v = root * math.sqrt(bend)
    return float(norm.sf(w + math.log(v / w) / w))


def _lowest(x: float, a: Numbers, freedom: Numbers) -> float:
    """A point below the saddlepoint: where the cumulant ends, or where its slope cannot be as large as x."""
    if (a < 0).any():
        return float(0.99999 / (2 * a.min()))
    return -0.01 if x > a @ freedom else float(-freedom.sum() / (2 * x))
