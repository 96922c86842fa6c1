"""Tests of several coefficients at once over imputations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import f as f_distribution

from backpain.impute.pool import barnard_rubin, checked, moments

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class WaldTest:
    """A pooled Wald test: an F of df and df_denominator, its p, and the average relative increase in variance.

    `df_rule` names the rule behind df_denominator: Li-Raghunathan-Rubin, Reiter or Barnard-Rubin.
    """

    statistic: float
    df: int
    df_denominator: float
    p: float
    increase: float
    df_rule: str


def pool_wald(
    estimates: ArrayLike, covariances: ArrayLike, df_complete: float = np.inf, null: ArrayLike | None = None
) -> WaldTest:
    """Test that all k estimates are as in `null` (zero): the statistic D1.

    Li, Raghunathan and Rubin 1991 (J Am Stat Assoc 86:1065), whose missing information is taken as the same for all
    k; with finite complete-data degrees of freedom the denominator is Reiter's 2007 (Biometrika 94:502). His
    expansion needs k (m - 1) above 4, and more degrees of freedom than 4 (1 + increase); otherwise the rule is
    Barnard and Rubin's at the average increase, `df_rule` says so.

    Parameters
    ----------
    estimates
        (m, k), for instance the coefficients of one categorical variable.
    covariances
        (m, k, k) design covariances.
    df_complete
        The design's degrees of freedom.
    null
        (k,) tested against.

    Raises
    ------
    ValueError
        As `pool` does; if null has another shape, or the mean covariance is singular.
    """
    values, matrices = checked(estimates, covariances, None, df_complete)
    m, k = values.shape
    tested = np.zeros(k) if null is None else np.asarray(null, dtype=float)
    if tested.shape != (k,):
        raise ValueError(f"pool_wald: null has shape {tested.shape} for {k} estimates")
    pooled, within, between = moments(values, matrices)
    if np.linalg.matrix_rank(within) < k:
        raise ValueError("pool_wald: the mean covariance is singular; test fewer coefficients (or more PSUs)")
    increase = float((1 + 1 / m) * np.trace(np.linalg.solve(within, between)) / k)
    gap = pooled - tested
    statistic = float(gap @ np.linalg.solve(within, gap)) / (k * (1 + increase))
    df, rule = _denominator(increase, k * (m - 1), k, m, df_complete)
    return WaldTest(statistic, k, df, float(f_distribution.sf(statistic, k, df)), increase, rule)


def _denominator(r: float, t: int, k: int, m: int, df_complete: float) -> tuple[float, str]:
    if np.isinf(df_complete):
        if r == 0:
            return np.inf, "Li-Raghunathan-Rubin"
        if t > 4:
            return 4 + (t - 4) * (1 + (1 - 2 / t) / r) ** 2, "Li-Raghunathan-Rubin"
        return t * (1 + 1 / k) * (1 + 1 / r) ** 2 / 2, "Li-Raghunathan-Rubin"
    a = r * t / (t - 2) if t > 2 else np.inf
    star = (df_complete + 1) / (df_complete + 3) * df_complete
    if t > 4 and star > 4 * (1 + a):
        return _reiter(a, t, star), "Reiter"
    return float(barnard_rubin(r, m, df_complete)), "Barnard-Rubin"


def _reiter(a: float, t: int, star: float) -> float:
    """Reiter 2007, equation 6: star is the complete-data degrees of freedom, shrunk as by Barnard and Rubin."""
    less2, less4 = star - 2 * (1 + a), star - 4 * (1 + a)
    terms = (
        a**2 * less2 / ((1 + a) ** 2 * less4)
        + 8 * a**2 * less2 / ((1 + a) * less4**2)
        + 4 * a**2 / ((1 + a) * less4)
        + 4 * a**2 / (less4 * less2)
        + 16 * a**2 * less2 / less4**3
        + 8 * a**2 / less4**2
    )
    return 4 + 1 / (1 / less4 + terms / (t - 4))
