"""Systematic error at effects other than none, from positive controls of known effect.

Schuemie, Hripcsak, Ryan, Madigan and Suchard 2018, PNAS 115:2571: the error of a control whose true log ratio is t is
normal with mean intercept + slope x t and sd spread + growth x |t|. Real positive controls are rare; synthetic ones are
negative controls to which events were added, and share only what adding keeps of their bias.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from scipy.special import ndtr, ndtri

from backpain.calibrate.apply import check
from backpain.calibrate.integrals import Integrals
from backpain.calibrate.null import LARGEST_SD
from backpain.calibrate.profiles import curves_of

Numbers = NDArray[np.float64]

LEAST_CONTROLS = 5
LINEAR = "systematic error changes evenly with the effect, as among the positive controls"
# Effects beyond this log ratio are not thought of.
FARTHEST = 20.0


@dataclass(frozen=True)
class ErrorModel:
    """Systematic error by true log ratio t: mean intercept + slope t, sd spread + growth |t|."""

    intercept: float
    slope: float
    spread: float
    growth: float
    controls: int

    def mean(self, truth: float) -> float:
        """Mean error at a true log ratio."""
        return self.intercept + self.slope * truth

    def sd(self, truth: float) -> float:
        """Its standard deviation."""
        return self.spread + self.growth * abs(truth)

    def row(self) -> dict[str, Any]:
        """The model as a tidy row."""
        return asdict(self)


def fit_error(profiles: pd.DataFrame, truth: Mapping[str, float], largest_sd: float = LARGEST_SD) -> ErrorModel:
    """Fit the error model by maximum likelihood to negative and positive controls.

    Parameters
    ----------
    profiles
        Rows (control, value, log_likelihood).
    truth
        The true log ratio of each control, 0 for a negative one; at least two different.

    Raises
    ------
    ValueError
        If a control has no truth, all have the same, there are fewer than five, or a profile cannot be read.
    """
    curves = curves_of(profiles)
    absent = [curve.name for curve in curves if curve.name not in truth]
    if absent:
        raise ValueError(f"truth: control {absent[0]!r} has none; give the true log ratio of each, 0 for negative ones")
    known = np.array([truth[curve.name] for curve in curves])
    if len(curves) < LEAST_CONTROLS or len(np.unique(known)) < 2:
        raise ValueError(
            f"{len(curves)} controls of {len(np.unique(known))} different truths; give at least {LEAST_CONTROLS}, "
            "positive ones among them"
        )
    integrals = Integrals(curves, largest_sd)

    def minus(at: Numbers) -> float:
        total = 0.0
        for level in np.unique(known):
            mean, sd = level + at[0] + at[1] * level, min(at[2] + at[3] * abs(level), largest_sd)
            total += float(integrals.marginal(np.array([mean]), sd)[known == level, 0].sum())
        return -total if np.isfinite(total) else 1e10

    top = np.array([curve.values[np.argmax(curve.heights)] for curve in curves])
    first = np.polyfit(known, top - known, 1)[::-1]
    bounds = [(None, None), (-0.99, None), (0, largest_sd), (0, largest_sd)]
    starts = [np.array([*first, spread, growth]) for spread in (0.05, 0.3) for growth in (0.01, 0.2)]
    options = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 8000, "maxfev": 8000}
    tried = [minimize(minus, start, method="Nelder-Mead", bounds=bounds, options=options) for start in starts]
    best = min(tried, key=lambda each: float(each.fun)).x
    intercept, slope, spread, growth = (float(value) for value in best)
    return ErrorModel(intercept, slope, spread, growth, len(curves))


def calibrate_by(estimates: pd.DataFrame, error: ErrorModel, level: float = 0.95) -> pd.DataFrame:
    """Calibrate normal estimates by an error model: the truths under which an estimate is not surprising.

    The model is taken as known; with few positive controls the intervals are then somewhat too short.

    Parameters
    ----------
    estimates
        Columns estimate and se on the log scale; others are kept.

    Returns
    -------
    The rows with calibrated_estimate, calibrated_low, calibrated_high (missing where no truth within plus and minus 20
    will do), calibrated_p, controls, assumption.

    Raises
    ------
    ValueError
        As `calibrate` does.
    """
    check(estimates, level)
    tails = (0.5, (1 - level) / 2, (1 + level) / 2)
    rows = []
    for row in estimates.itertuples():
        estimate, se = float(row.estimate), float(row.se)
        middle, low, high = (_truth(estimate, se, error, float(ndtri(tail))) for tail in tails)
        below = float(ndtr(-_surprise(0.0, estimate, se, error)))
        rows.append(
            {
                "calibrated_estimate": middle,
                "calibrated_low": low,
                "calibrated_high": high,
                "calibrated_p": min(1.0, 2 * min(below, 1 - below)),
                "controls": error.controls,
                "assumption": LINEAR,
            }
        )
    return estimates.assign(**pd.DataFrame(rows, index=estimates.index))


def _surprise(truth: float, estimate: float, se: float, error: ErrorModel) -> float:
    """How many standard deviations an estimate lies above what is expected at a truth."""
    return (estimate - truth - error.mean(truth)) / math.hypot(se, error.sd(truth))


def _truth(estimate: float, se: float, error: ErrorModel, quantile: float) -> float:
    """The truth under which the estimate lies `quantile` standard deviations below what is expected."""

    def beyond(truth: float) -> float:
        return _surprise(truth, estimate, se, error) + quantile

    if beyond(-FARTHEST) < 0 or beyond(FARTHEST) > 0:
        return math.nan
    return float(brentq(beyond, -FARTHEST, FARTHEST, xtol=1e-12))
