"""Bands that hold for a whole curve at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def simultaneous(covariance: Numbers, df: float, level: float = 0.95, draws: int = 10_000, seed: int = 1) -> float:
    """How many standard errors a band reaches, so that it holds the whole curve with the level's probability.

    The quantile of the largest standardised deviation over all points, drawn from a multivariate t of the curve's
    covariance and the design's degrees of freedom (sup-t: Montiel Olea and Plagborg-Moller 2019, J Appl Econom 34:1).
    A multiplier bootstrap of the PSUs' totals has the same covariance, and normal multipliers the same draws.

    Parameters
    ----------
    covariance
        (points, points); a point without variance has no say.
    df
        Degrees of freedom.

    Raises
    ------
    ValueError
        If there are no degrees of freedom or fewer than 100 draws.
    """
    if df < 1 or draws < 100:
        raise ValueError(f"bands: {df:g} degrees of freedom and {draws} draws; there must be 1 and 100 at least")
    se = np.sqrt(np.diag(covariance))
    kept = se > 0
    if not kept.any():
        return float("nan")
    correlation = covariance[np.ix_(kept, kept)] / np.outer(se[kept], se[kept])
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.clip(values, 0.0, None))
    generator = np.random.default_rng(seed)
    normal = generator.standard_normal((draws, len(values)))
    scale = np.sqrt(generator.chisquare(df, draws) / df)
    largest = np.abs(normal @ root.T).max(axis=1) / scale
    return float(np.quantile(largest, level))


__all__ = ["simultaneous"]
