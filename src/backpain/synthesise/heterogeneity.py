"""How much an effect differs between panels: random effects over estimates that share PSUs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.stats import chi2

from backpain.design import t_quantile

Numbers = NDArray[np.float64]

HETEROGENEITY = [
    "survey", "analysis", "scale", "estimator", "panels", "estimate", "se", "low", "high", "df", "tau", "i_squared", "q",
    "p_heterogeneity", "knapp_hartung", "floored", "prediction_low", "prediction_high",
]  # fmt: skip
LEAST = 3


@dataclass(frozen=True)
class RandomEffects:
    """A mean over panels whose own effects differ.

    Attributes
    ----------
    mean, se, df, low, high
        Of Hartung and Knapp: its variance is multiplied by `knapp_hartung`, which is never less than 1.
    tau
        Standard deviation of the panels' own effects (REML).
    q, p
        Cochran's statistic and its p-value of no heterogeneity.
    i_squared
        Share of the estimates' variance that is not sampling error.
    share
        (panels,) weight of each panel in the mean; they add up to 1.
    prediction
        Interval for the effect in another panel like these.
    """

    mean: float
    se: float
    df: int
    low: float
    high: float
    tau: float
    q: float
    p: float
    i_squared: float
    knapp_hartung: float
    floored: bool
    share: Numbers
    prediction: tuple[float, float]


def random_effects(estimate: ArrayLike, covariance: ArrayLike, level: float = 0.95) -> RandomEffects:
    """Random effects over estimates with a known covariance matrix.

    tau by restricted maximum likelihood; the mean's variance by Hartung and Knapp (2001, Stat Med 20:3875) with the factor
    floored at 1 (Roever, Knapp and Friede 2015, BMC Med Res Methodol 15:99); I squared after Higgins and Thompson (2002,
    Stat Med 21:1539) with the matrix in place of variances; the prediction interval of Higgins, Thompson and
    Spiegelhalter (2009, J R Stat Soc A 172:137).

    Parameters
    ----------
    estimate, covariance
        (k,) estimates and their (k, k) matrix; off the diagonal what panels share of their PSUs.

    Raises
    ------
    ValueError
        For fewer than three estimates, a matrix of another shape, or one that is no covariance matrix.
    """
    y, s = np.asarray(estimate, dtype=float), np.asarray(covariance, dtype=float)
    k = len(y)
    if k < LEAST or s.shape != (k, k):
        raise ValueError(
            f"random effects: {k} estimates and a matrix of shape {s.shape}; give {LEAST} or more, and (k, k)"
        )
    if not (np.isfinite(y).all() and np.isfinite(s).all()) or np.linalg.eigvalsh((s + s.T) / 2).min() <= 0:
        raise ValueError(
            "random effects: estimates or their covariance are missing, or the matrix is not positive definite"
        )
    tau2 = _reml(y, s)
    w = np.linalg.inv(s + tau2 * np.eye(k))
    share = w.sum(axis=0) / w.sum()
    mean = float(share @ y)
    away = y - mean
    factor = float(away @ w @ away) / (k - 1)
    variance = max(1.0, factor) / float(w.sum())
    fixed = np.linalg.inv(s)
    left = y - float(fixed.sum(axis=0) @ y / fixed.sum())
    q = float(left @ fixed @ left)
    typical = (k - 1) / float(np.trace(fixed) - (fixed.sum(axis=0) @ fixed.sum(axis=1)) / fixed.sum())
    reach = float(t_quantile(k - 1, level)) * np.sqrt(variance)
    wide = float(t_quantile(k - 2, level)) * np.sqrt(variance + tau2)
    return RandomEffects(
        mean=mean,
        se=float(np.sqrt(variance)),
        df=k - 1,
        low=mean - reach,
        high=mean + reach,
        tau=float(np.sqrt(tau2)),
        q=q,
        p=float(chi2.sf(q, k - 1)),
        i_squared=tau2 / (tau2 + typical),
        knapp_hartung=factor,
        floored=factor < 1,
        share=share,
        prediction=(mean - wide, mean + wide),
    )


def _reml(y: Numbers, s: Numbers) -> float:
    """The variance of the panels' own effects that makes the restricted likelihood largest; 0 at least."""

    def projected(tau2: float) -> Numbers:
        w = np.linalg.inv(s + tau2 * np.eye(len(y)))
        return np.asarray(w - np.outer(w.sum(axis=1), w.sum(axis=0)) / w.sum())

    def likelihood(tau2: float) -> float:
        v = s + tau2 * np.eye(len(y))
        weight = float(np.linalg.inv(v).sum())
        return -float(np.linalg.slogdet(v)[1] + np.log(weight) + y @ projected(tau2) @ y)

    def slope(tau2: float) -> float:
        p = projected(tau2)
        return float(y @ p @ p @ y - np.trace(p))

    top = 10 * (float(np.var(y, ddof=1)) + float(np.diag(s).max()))
    # A coarse look first, because the likelihood may have a second hill; finer near zero.
    grid = np.linspace(0, 1, 200) ** 2 * top
    best = int(np.argmax([likelihood(tau2) for tau2 in grid]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    return float(brentq(slope, low, high, xtol=1e-16 * top, rtol=1e-14)) if slope(low) > 0 > slope(high) else 0.0


def heterogeneity(panels: pd.DataFrame, covariance: pd.DataFrame) -> pd.DataFrame:
    """Random effects over the panels of a trial, for each scale.

    Parameters
    ----------
    panels
        Rows (survey, analysis, scale, estimator, panel, estimate, se, reason): of ratios the estimate itself, its standard
        error on the log scale. Panels without an estimate are left out.
    covariance
        Rows (scale, panel, other, covariance) on the scale of the standard errors.

    Returns
    -------
    Rows with the columns `HETEROGENEITY`, of ratios back from the logarithm; none for fewer than three panels.
    """
    rows = []
    for scale, table in panels.groupby("scale", sort=False):
        kept = table[table["se"].notna()]
        if len(kept) < LEAST:
            continue
        ratio = scale != "risk-difference"
        value = np.log(kept["estimate"]) if ratio else kept["estimate"]
        wide = covariance[covariance["scale"] == scale].pivot(index="panel", columns="other", values="covariance")
        order = kept["panel"].tolist()
        found = random_effects(value, wide.loc[order, order])
        back = np.exp if ratio else float
        rows.append(
            {
                **kept.iloc[0][["survey", "analysis", "scale", "estimator"]].to_dict(),
                "panels": len(kept),
                "estimate": back(found.mean),
                "se": found.se,
                "low": back(found.low),
                "high": back(found.high),
                "df": found.df,
                "tau": found.tau,
                "i_squared": found.i_squared,
                "q": found.q,
                "p_heterogeneity": found.p,
                "knapp_hartung": found.knapp_hartung,
                "floored": found.floored,
                "prediction_low": back(found.prediction[0]),
                "prediction_high": back(found.prediction[1]),
            }
        )
    return pd.DataFrame(rows, columns=HETEROGENEITY)
