"""What a funnel plot of negative controls draws: their estimates, and the regions in which p lies below 0.05."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from backpain.calibrate.null import Null

Numbers = NDArray[np.float64]

CONTOURS = ["se", "low", "high", "calibrated_low", "calibrated_high"]
HALVINGS = 60


def contours(null: Null, se: ArrayLike | None = None, level: float = 0.05, uncertain: bool = True) -> pd.DataFrame:
    """Between which estimates p is not below a level, by standard error: before and after calibration.

    Parameters
    ----------
    null
        The fitted null.
    se
        Standard errors on the log scale, from 0 on; 0 to 1 in steps of 0.01 unless given.
    level
        Of p.
    uncertain
        As in `calibrate`.

    Returns
    -------
    Rows (se, low, high, calibrated_low, calibrated_high) on the log scale: p < level below low and above high.

    Raises
    ------
    ValueError
        If a standard error is negative or missing.
    """
    widths = np.linspace(0, 1, 101) if se is None else np.asarray(se, dtype=float)
    if not (widths >= 0).all():
        raise ValueError("se: a standard error is missing or negative; give numbers from 0 on")
    reach = float(ndtri(1 - level / 2)) * widths
    low, high = (_ends(null, widths, tail, uncertain) for tail in (level / 2, 1 - level / 2))
    return pd.DataFrame(dict(zip(CONTOURS, (widths, -reach, reach, low, high), strict=True)))


def _ends(null: Null, widths: Numbers, tail: float, uncertain: bool) -> Numbers:
    """Quantiles of an estimate whose truth is 0: of the null with random error of each width added."""
    means, sds, share = null.parts(uncertain)
    scale = np.maximum(np.hypot(widths[:, None], sds), 1e-12)
    ends = means + scale * ndtri(tail)
    low, high = ends.min(axis=1), ends.max(axis=1)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        below = ndtr((middle[:, None] - means) / scale) @ share < tail
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray((low + high) / 2)


def funnel(left_out: pd.DataFrame) -> pd.DataFrame:
    """The controls as points: those with a top to their profile, and whether p lies below 0.05.

    Parameters
    ----------
    left_out
        As `leave_one_out` returns it.

    Returns
    -------
    Rows (control, group, estimate, se, low, high, p, calibrated_p, significant, calibrated_significant); low and high
    are the 95 % interval that the top's bend amounts to.
    """
    kept = left_out[left_out["se"].notna()]
    reach = float(ndtri(0.975)) * kept["se"]
    points = kept[["control", "group", "estimate", "se"]].assign(
        low=kept["estimate"] - reach,
        high=kept["estimate"] + reach,
        p=kept["p"],
        calibrated_p=kept["calibrated_p"],
        significant=kept["p"] < 0.05,
        calibrated_significant=kept["calibrated_p"] < 0.05,
    )
    return points.reset_index(drop=True)
