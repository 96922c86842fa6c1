"""The one shape in which every finding of an audit is told."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtr

from backpain.design import Design, t_quantile
from backpain.regression import Regression, average

Numbers = NDArray[np.float64]
Marks = NDArray[np.bool_]

FINDINGS = [
    "item", "label", "contrast", "scale", "estimate", "se", "low", "high", "p", "people", "events", "design_df",
    "presentation", "reason",
]  # fmt: skip


def finding(
    item: str, label: str, contrast: str, scale: str, value: float, se: float, df: float, null: float = 0.0, **more: Any
) -> dict[str, Any]:
    """A finding with a t-interval on its own scale, or on the log scale where `null` is one and so it is a ratio.

    For a ratio `value` is the logarithm and `se` that of the logarithm; what is told is the ratio.
    """
    told = dict.fromkeys(FINDINGS) | {"item": item, "label": label, "contrast": contrast, "scale": scale}
    told |= {"presentation": "", "reason": "", "design_df": df, **more}
    if not np.isfinite(value):
        return told
    turn = np.exp if null == 1.0 else float
    middle = 0.0 if null == 1.0 else null
    reach = float(t_quantile(df)) * se
    p = 2 * float(stdtr(df, -abs(value - middle) / se)) if se > 0 else np.nan
    ends = {"low": turn(value - reach), "high": turn(value + reach)} if se > 0 else {"low": np.nan, "high": np.nan}
    return told | {"estimate": turn(value), "se": se, "p": p, **ends}


def failed(item: str, label: str, contrast: str, scale: str, reason: str) -> dict[str, Any]:
    """A finding that could not be made, and why."""
    return finding(item, label, contrast, scale, np.nan, np.nan, np.nan, reason=reason)


def averages(
    model: Regression, frames: Iterable[pd.DataFrame], design: Design, members: Marks
) -> tuple[Numbers, Numbers]:
    """The average outcome that a model predicts for each frame of the domain's people, and the design's covariance."""
    fitted, values, influences = model.fit, [], []
    for frame in frames:
        make = partial(np.asarray, model.coding.matrix(frame))
        found = average([(make, 1.0)], fitted.kind, fitted.coefficients, fitted.rows.weight)
        values.append(found.value)
        influences.append(found.influence(fitted.influence))
    influence = np.hstack(influences)
    whole = np.zeros((len(members), influence.shape[1]))
    whole[members] = influence
    return np.concatenate(values), np.asarray(design.covariance(whole, members))


__all__ = ["FINDINGS", "averages", "failed", "finding"]
