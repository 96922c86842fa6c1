"""Estimates calibrated by a null: their p, and under one more assumption their interval.

p asks how often systematic and random error together would give an estimate as far from the middle of the null
(Schuemie et al. 2014). The interval takes the systematic error off (Schuemie, Hripcsak, Ryan, Madigan and Suchard 2018,
PNAS 115:2571). Negative controls tell of the error where the truth is 0; that it is the same at other truths is assumed
unless positive controls are given (`backpain.calibrate.positive`), and every row says which.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from backpain.calibrate.integrals import FAR, MOST_NODES
from backpain.calibrate.null import Null
from backpain.calibrate.profiles import FALLEN, STEEP, Curve, curves_of

Numbers = NDArray[np.float64]

CONSTANT = "systematic error is as large at any effect as at none"
INTEGRATED, PLUGGED_IN = "integrated over what the null may be", "the fitted null taken as known"
CALIBRATED = [
    "p", "calibrated_estimate", "calibrated_se", "calibrated_low", "calibrated_high", "calibrated_p",
    "null_mean", "null_sd", "controls", "assumption", "uncertainty", "reason",
]  # fmt: skip
NO_SLOPE = "the profile does not fall off on both sides: an arm has no events"
# Cells for each standard error of a profile, and halvings of the interval in which an end is looked for.
CELLS, HALVINGS = 32, 100


def calibrate(estimates: pd.DataFrame, null: Null, level: float = 0.95, uncertain: bool = True) -> pd.DataFrame:
    """Calibrate estimates that are normal on the log scale.

    Parameters
    ----------
    estimates
        Columns estimate and se, both on the log scale of the controls' profiles; others are kept.
    null
        As fitted to negative controls of the same trial, estimator and scale.
    level
        Of the interval.
    uncertain
        Whether to integrate over what mean and sd of the null may be.

    Returns
    -------
    The rows with p (uncalibrated, normal), calibrated_estimate (median), calibrated_se, calibrated_low and
    calibrated_high on the log scale, calibrated_p (two-sided), null_mean, null_sd, controls, and in words assumption
    (of the interval), uncertainty, and reason where there is no number.

    Raises
    ------
    ValueError
        If a column is absent, a standard error is not above 0, or the level is not between 0 and 1.
    """
    check(estimates, level)
    rows = [_normal(float(row.estimate), float(row.se), null, level, uncertain) for row in estimates.itertuples()]
    return estimates.assign(**pd.DataFrame(rows, columns=CALIBRATED, index=estimates.index))


def calibrate_profile(profile: pd.DataFrame, null: Null, level: float = 0.95, uncertain: bool = True) -> pd.DataFrame:
    """Calibrate estimates whose likelihoods are given as profiles, which may lean to one side.

    The profile is taken as the density of the estimate's own value (a flat prior), so that normal profiles give what
    `calibrate` gives.

    Parameters
    ----------
    profile
        Rows (control, value, log_likelihood); `control` names what is estimated.

    Returns
    -------
    One row per name: control, estimate and se (of the profile's top) and the columns of `calibrate`. Where the profile
    does not fall off there are no numbers and the reason is told.

    Raises
    ------
    ValueError
        As `curves_of` does, and if the level is not between 0 and 1.
    """
    check(pd.DataFrame({"estimate": [0.0], "se": [1.0]}), level)
    return pd.DataFrame([calibrated_curve(curve, null, level, uncertain) for curve in curves_of(profile)])


def calibrated_curve(curve: Curve, null: Null, level: float = 0.95, uncertain: bool = True) -> dict[str, Any]:
    """One row of `calibrate_profile`."""
    head = {"control": curve.name, "estimate": curve.estimate, "se": curve.se}
    if not (curve.falls_off and np.isfinite(curve.se)):
        return {**head, **_row(null, uncertain, NO_SLOPE)}
    edges, own = _own(curve)
    step = float(edges[1] - edges[0])
    low, high = _reach(null, uncertain)
    cells = math.ceil((high - low) / step) + 2
    if cells > MOST_NODES:
        raise ValueError(f"{curve.name}: the null is {high - low:.3g} wide, too wide beside the profile's {step:.2g}")
    error_edges: Numbers = low - step + step * np.arange(cells + 1, dtype=float)
    error = np.diff(null.cdf(error_edges, uncertain))
    # The truth is the estimate less the error: cells add up, the second turned round.
    truth = np.convolve(own, error[::-1])
    middles = (edges[0] + step / 2) - (error_edges[-1] - step / 2) + step * np.arange(len(truth))
    points, reached = middles + step / 2, np.cumsum(truth) / truth.sum()

    def below(value: float) -> float:
        return float(np.interp(value, points, reached, left=0.0, right=1.0))

    ends = np.interp([0.5, (1 - level) / 2, (1 + level) / 2], reached, points)
    middle = float(truth @ middles / truth.sum())
    return {
        **head,
        **_row(null, uncertain),
        "p": _two_sided(float(np.interp(0.0, edges, np.concatenate([[0.0], np.cumsum(own)])))),
        "calibrated_estimate": float(ends[0]),
        "calibrated_se": float(np.sqrt(truth @ (middles - middle) ** 2 / truth.sum())),
        "calibrated_low": float(ends[1]),
        "calibrated_high": float(ends[2]),
        "calibrated_p": _two_sided(below(0.0)),
    }


def _own(curve: Curve) -> tuple[Numbers, Numbers]:
    """Even edges over all of a profile, and the share of it in each cell."""
    step = curve.se / CELLS
    ends = []
    for side, slope in zip((-1, 1), curve.ends, strict=True):
        end = curve.estimate + side * FAR * curve.se
        high = float(curve.at(np.array([end]))[0]) > -2 * FALLEN
        ends.append(end + side * 2 * FALLEN / max(abs(slope), STEEP) if high else end)
    edges = np.arange(ends[0], ends[1] + step, step)
    middles = (edges[1:] + edges[:-1]) / 2
    share = np.exp(curve.at(middles))
    return edges, share / share.sum()


def _reach(null: Null, uncertain: bool) -> tuple[float, float]:
    means, sds, _ = null.parts(uncertain)
    return float((means - 8 * sds).min()), float((means + 8 * sds).max())


def check(estimates: pd.DataFrame, level: float) -> None:
    absent = [name for name in ("estimate", "se") if name not in estimates]
    if absent:
        raise ValueError(f"estimates: there is no column {', '.join(absent)}; give both on the log scale")
    if not (estimates["se"] > 0).all() or not np.isfinite(estimates[["estimate", "se"]]).all(axis=None):
        raise ValueError("estimates: an estimate is missing, or a standard error missing or not above 0; leave it out")
    if not 0 < level < 1:
        raise ValueError(f"level {level} must lie between 0 and 1")


def _row(null: Null, uncertain: bool, reason: str = "") -> dict[str, Any]:
    return {
        **dict.fromkeys(CALIBRATED[:6], math.nan),
        "null_mean": null.mean,
        "null_sd": null.sd,
        "controls": null.controls,
        "assumption": CONSTANT,
        "uncertainty": INTEGRATED if uncertain else PLUGGED_IN,
        "reason": reason,
    }


def _normal(estimate: float, se: float, null: Null, level: float, uncertain: bool) -> dict[str, Any]:
    # ASSUME: an estimate with an infinite number of degrees of freedom, as the controls' systematic errors are normal.
    means, sds, share = null.parts(uncertain)
    centre, scale = estimate - means, np.sqrt(se**2 + sds**2)

    def below(value: float) -> float:
        return float(share @ ndtr((value - centre) / scale))

    middle = float(share @ centre)
    tails = ((1 - level) / 2, (1 + level) / 2)
    low, median, high = (_quantile(below, centre, scale, tail) for tail in (tails[0], 0.5, tails[1]))
    return {
        **_row(null, uncertain),
        "p": _two_sided(float(ndtr(-estimate / se))),
        "calibrated_estimate": median,
        "calibrated_se": float(np.sqrt(share @ (scale**2 + (centre - middle) ** 2))),
        "calibrated_low": low,
        "calibrated_high": high,
        "calibrated_p": _two_sided(below(0.0)),
    }


def _quantile(below: Any, centre: Numbers, scale: Numbers, tail: float) -> float:
    """Where a mixture of normals reaches a probability; it lies among the quantiles of its parts."""
    ends = centre + scale * ndtri(tail)
    low, high = float(ends.min()), float(ends.max())
    for _ in range(HALVINGS):
        if high - low < 1e-13 * (1 + abs(low)):
            break
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) < tail else (low, middle)
    return (low + high) / 2


def _two_sided(below: float) -> float:
    return min(1.0, 2 * min(below, 1 - below))
