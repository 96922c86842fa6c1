"""Rubin's rules under a design: one estimate, its variance and its degrees of freedom from m imputations.

Rubin 1987 (Multiple Imputation for Nonresponse in Surveys, chapter 3), with the degrees of freedom of Barnard and
Rubin 1999 (Biometrika 86:948), whose complete-data degrees of freedom are those of the design.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit
from scipy.stats import t

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """Where estimates are close to normal: to and from it, the slope there, and what it takes."""

    there: Callable[[Numbers], Numbers]
    back: Callable[[Numbers], Numbers]
    slope: Callable[[Numbers], Numbers]
    low: float
    high: float


SCALES = {
    "identity": Scale(lambda x: x, lambda x: x, lambda x: np.ones_like(x), -np.inf, np.inf),
    # Proportions.
    "logit": Scale(logit, expit, lambda p: 1 / (p * (1 - p)), 0.0, 1.0),
    # Ratios.
    "log": Scale(np.log, np.exp, lambda r: 1 / r, 0.0, np.inf),
}


@dataclass(frozen=True)
class Pooled:
    """Pooled estimates; everything but `estimate`, `low` and `high` is on the scale they were pooled on.

    Attributes
    ----------
    names
        Of the k estimates.
    estimate, low, high
        (k,) back on the scale given.
    pooled
        (k,) mean over the imputations.
    within, between, total
        (k, k) mean design variance W, variance B over the imputations, and W + (1 + 1/m) B.
    df
        (k,) Barnard and Rubin's, always below the design's.
    increase
        (k,) relative increase in variance (1 + 1/m) B / W.
    missing_information
        (k,) fraction of missing information, (increase + 2 / (df + 3)) / (increase + 1).
    monte_carlo
        (k,) standard error of the pooled estimate over other draws of m imputations, sqrt(B / m).
    m
        Imputations.
    """

    names: tuple[str, ...]
    estimate: Numbers
    low: Numbers
    high: Numbers
    pooled: Numbers
    within: Numbers
    between: Numbers
    total: Numbers
    df: Numbers
    df_complete: float
    increase: Numbers
    missing_information: Numbers
    monte_carlo: Numbers
    m: int
    scale: str

    @property
    def se(self) -> Numbers:
        """(k,) standard errors on the scale of pooling."""
        return np.asarray(np.sqrt(np.diag(self.total)))

    def frame(self) -> pd.DataFrame:
        """A row per estimate: term, estimate, low, high, scale, pooled, se, df, p (of 0 on the scale), and the rest."""
        with np.errstate(divide="ignore", invalid="ignore"):
            p = 2 * t.sf(np.abs(self.pooled / self.se), self.df)
        return pd.DataFrame(
            {
                "term": self.names,
                "estimate": self.estimate,
                "low": self.low,
                "high": self.high,
                "scale": self.scale,
                "pooled": self.pooled,
                "se": self.se,
                "df": self.df,
                "p": p,
                "within": np.diag(self.within),
                "between": np.diag(self.between),
                "increase": self.increase,
                "missing_information": self.missing_information,
                "monte_carlo": self.monte_carlo,
                "m": self.m,
            }
        )


def pool(
    estimates: ArrayLike,
    covariances: ArrayLike | None = None,
    df_complete: float = np.inf,
    se: ArrayLike | None = None,
    scale: str = "identity",
    level: float = 0.95,
    names: Sequence[str] | None = None,
) -> Pooled:
    """Pool estimates over imputations by Rubin's rules.

    Parameters
    ----------
    estimates
        (m, k) or (m,): a row per imputation.
    covariances, se
        (m, k, k) design covariances, or (m, k) standard errors; one of the two, both on the estimates' own scale.
    df_complete
        Degrees of freedom had nothing been missing: the design's. Infinite gives Rubin's 1987 degrees of freedom.
    scale
        `logit` pools proportions, and `log` ratios, where they are closer to normal, with delta-method variances.
    level
        Of the intervals.

    Raises
    ------
    ValueError
        If m is below 2, an estimate or variance of some imputation is not finite (none is ever dropped), a variance
        is zero or negative, shapes disagree, an estimate is outside its scale, or df_complete is not positive.
    """
    values, matrices = checked(estimates, covariances, se, df_complete)
    named = tuple(names) if names is not None else tuple(f"estimate {place}" for place in range(values.shape[1]))
    if len(named) != values.shape[1]:
        raise ValueError(f"pool: {len(named)} names for {values.shape[1]} estimates; give one each")
    values, matrices = _scaled(values, matrices, scale, named)
    pooled, within, between = moments(values, matrices)
    m = len(values)
    total = within + (1 + 1 / m) * between
    spread, mean = np.diag(between), np.diag(within)
    increase = (1 + 1 / m) * spread / mean
    df = barnard_rubin(increase, m, df_complete)
    reach = t.ppf((1 + level) / 2, df) * np.sqrt(np.diag(total))
    back = SCALES[scale].back
    return Pooled(
        names=named,
        estimate=back(pooled),
        low=back(pooled - reach),
        high=back(pooled + reach),
        pooled=pooled,
        within=within,
        between=between,
        total=total,
        df=df,
        df_complete=float(df_complete),
        increase=increase,
        missing_information=(increase + 2 / (df + 3)) / (increase + 1),
        monte_carlo=np.sqrt(spread / m),
        m=m,
        scale=scale,
    )


def barnard_rubin(increase: ArrayLike, m: int, df_complete: float) -> Numbers:
    """Degrees of freedom after imputation: below those of the design, and Rubin's as the design's grow.

    Parameters
    ----------
    increase
        (k,) relative increase in variance.
    m
        Imputations.
    df_complete
        The design's. (R's `mice` takes a share of missing information under 0.0001 as 0.0001; here it stays itself.)
    """
    share = np.asarray(increase, dtype=float) / (1 + np.asarray(increase, dtype=float))
    with np.errstate(divide="ignore"):
        rubin = (m - 1) / share**2
    if np.isinf(df_complete):
        return np.asarray(rubin)
    observed = (df_complete + 1) / (df_complete + 3) * df_complete * (1 - share)
    return np.asarray(1 / (1 / rubin + 1 / observed))


def imputations_needed(missing_information: ArrayLike, spread: float = 0.05) -> int:
    """How many imputations make another run's standard errors agree with these.

    1 + (missing information / spread)^2 / 2, rounded up, for the largest fraction given (von Hippel 2020, Sociol
    Methods Res 49:699), and 2 at least.

    Parameters
    ----------
    missing_information
        Fractions from a first pooling; themselves uncertain when m is small.
    spread
        Coefficient of variation of a standard error over repeated imputation that is acceptable.

    Raises
    ------
    ValueError
        If a fraction is outside 0 to 1, or spread is not above zero.
    """
    shares = np.atleast_1d(np.asarray(missing_information, dtype=float))
    if not ((shares >= 0) & (shares <= 1)).all() or not shares.size:
        raise ValueError("imputations needed: give fractions of missing information, from 0 to 1")
    if not spread > 0:
        raise ValueError(f"imputations needed: the spread is {spread}; it must be above zero")
    return max(2, int(np.ceil(1 + 0.5 * (shares.max() / spread) ** 2)))


def moments(values: Numbers, matrices: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Mean, mean covariance, and covariance over the imputations."""
    pooled = values.mean(axis=0)
    deviation = values - pooled
    return pooled, matrices.mean(axis=0), deviation.T @ deviation / (len(values) - 1)


def checked(
    estimates: ArrayLike, covariances: ArrayLike | None, se: ArrayLike | None, df_complete: float
) -> tuple[Numbers, Numbers]:
    values = np.asarray(estimates, dtype=float)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or values.shape[1] == 0:
        raise ValueError(f"pool: estimates of shape {values.shape}; give a row per imputation, a column per estimate")
    if len(values) < 2:
        raise ValueError(f"pool: {len(values)} imputation; the variance between them takes two at least")
    if (covariances is None) == (se is None):
        raise ValueError("pool: give either the covariances or the standard errors of the estimates")
    if se is not None:
        errors = np.asarray(se, dtype=float).reshape(-1, 1) if np.ndim(se) == 1 else np.asarray(se, dtype=float)
        if errors.shape == values.shape and (errors < 0).any():
            raise ValueError("pool: a standard error is below zero")
        matrices = errors[:, :, None] ** 2 * np.eye(values.shape[1]) if errors.ndim == 2 else errors
    else:
        matrices = np.asarray(covariances, dtype=float)
    m, k = values.shape
    if matrices.shape != (m, k, k):
        raise ValueError(f"pool: variances of shape {matrices.shape} for {m} imputations of {k} estimates")
    for what, numbers in (("an estimate", values), ("a variance", matrices.reshape(m, -1))):
        stray = np.flatnonzero(~np.isfinite(numbers).all(axis=1))
        if len(stray):
            raise ValueError(
                f"pool: {what} of imputations {[int(place) + 1 for place in stray[:10]]} is not finite; find out why "
                "the analysis fails there: leaving imputations out would bias the answer"
            )
    if (np.diagonal(matrices, axis1=1, axis2=2) <= 0).any():
        raise ValueError("pool: a variance is zero or negative; nothing was estimated there")
    if se is None:
        for number, matrix in enumerate(matrices, 1):
            if not np.allclose(matrix, matrix.T, rtol=1e-8, atol=1e-12 * np.abs(matrix).max()):
                raise ValueError(
                    f"pool: the covariances of imputation {number} are not symmetric; give variance matrices"
                )
            least = float(np.linalg.eigvalsh((matrix + matrix.T) / 2)[0])
            if least < -1e-8 * float(np.abs(matrix).max()):
                raise ValueError(
                    f"pool: the covariances of imputation {number} are those of nothing (a combination would have a variance "
                    "below zero); give variance matrices"
                )
    if not df_complete > 0:
        raise ValueError(f"pool: df_complete is {df_complete}; give the design's degrees of freedom, above zero")
    return values, matrices


def _scaled(values: Numbers, matrices: Numbers, scale: str, names: tuple[str, ...]) -> tuple[Numbers, Numbers]:
    if scale not in SCALES:
        raise ValueError(f"pool: the scale {scale!r} is not known; choose one of {', '.join(SCALES)}")
    chosen = SCALES[scale]
    outside = ((values <= chosen.low) | (values >= chosen.high)).any(axis=0)
    if outside.any():
        raise ValueError(
            f"pool: {names[int(np.argmax(outside))]} lies outside {chosen.low:g} to {chosen.high:g} in some imputation, "
            f"where the {scale} has no end; pool it on the scale `identity`"
        )
    slope = chosen.slope(values)
    return chosen.there(values), matrices * slope[:, :, None] * slope[:, None, :]
