"""From mean risks to effects: overall, through the mediator, and not through it, on both scales."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit, stdtr

from backpain.design import t_quantile
from backpain.mediate.estimate import Mediated

Numbers = NDArray[np.float64]

THROUGH = ["effect", "scale", "estimator", "estimate", "se", "low", "high", "p", "design_df", "converged", "reason"]
# Places of the means.
MEANS = ("treated", "treated, mediator as untreated", "untreated")
# Which mean each effect sets against which.
EFFECTS = {"overall": (0, 2), "indirect": (0, 1), "direct": (1, 2)}
LEVEL = 0.95


def effects_of(found: Sequence[Mediated]) -> pd.DataFrame:
    """Rows with the columns `THROUGH`: mean risks, effects as differences and ratios, and the share through the mediator.

    The overall effect is the direct plus the indirect one as differences, and their product as ratios. Of ratios `se` is
    on the log scale. The share (the indirect difference over the overall) has a number only where the interval of the
    overall difference leaves out no difference and both parts have its sign; elsewhere the reason says that it means
    nothing.
    """
    rows = [row for one in found for row in (_rows(one) if not one.reason else _empty(one))]
    return pd.DataFrame(rows, columns=THROUGH)


def _rows(one: Mediated) -> list[dict[str, Any]]:
    means, covariance = one.means, one.covariance
    rows = [_risk(one, place) for place in range(len(MEANS))]
    for effect, (first, second) in EFFECTS.items():
        gradient = np.zeros(3)
        gradient[[first, second]] = 1.0, -1.0
        difference = float(means[first] - means[second])
        rows.append(_symmetric(one, effect, "risk-difference", difference, _error(gradient, covariance)))
    for effect, (first, second) in EFFECTS.items():
        gradient = np.zeros(3)
        gradient[[first, second]] = 1 / means[first], -1 / means[second]
        ratio = math.log(means[first] / means[second])
        rows.append(_symmetric(one, effect, "risk-ratio", ratio, _error(gradient, covariance)))
    return [*rows, _share(one, rows)]


def _error(gradient: Numbers, covariance: Numbers) -> float:
    return math.sqrt(max(float(gradient @ covariance @ gradient), 0.0))


def _risk(one: Mediated, place: int) -> dict[str, Any]:
    """A mean risk, its interval symmetric on the log-odds."""
    mean, se = float(one.means[place]), math.sqrt(max(float(one.covariance[place, place]), 0.0))
    reach = float(t_quantile(one.df, LEVEL)) * se / (mean * (1 - mean))
    low, high = float(expit(logit(mean) - reach)), float(expit(logit(mean) + reach))
    return _row(one, MEANS[place], "risk", estimate=mean, se=se, low=low, high=high)


def _symmetric(one: Mediated, effect: str, scale: str, value: float, se: float) -> dict[str, Any]:
    back = math.exp if scale == "risk-ratio" else float
    reach = float(t_quantile(one.df, LEVEL)) * se
    p = 2 * float(stdtr(one.df, -abs(value) / se)) if se > 0 else math.nan
    return _row(one, effect, scale, estimate=back(value), se=se, low=back(value - reach), high=back(value + reach), p=p)


def _share(one: Mediated, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    told = {row["effect"]: row for row in rows if row["scale"] == "risk-difference"}
    overall, indirect = told["overall"], told["indirect"]
    reason = _meaningless(overall, indirect["estimate"], told["direct"]["estimate"])
    if reason:
        return _row(one, "share through the mediator", "share", reason=reason)
    share = indirect["estimate"] / overall["estimate"]
    # Of (treated - mixed) / (treated - untreated), in the three means.
    gradient = np.array([1 - share, -1.0, share]) / overall["estimate"]
    se = _error(gradient, one.covariance)
    reach = float(t_quantile(one.df, LEVEL)) * se
    return _row(
        one, "share through the mediator", "share", estimate=share, se=se, low=share - reach, high=share + reach
    )


def _meaningless(overall: dict[str, Any], indirect: float, direct: float) -> str:
    """Why there is no share; empty where there is one."""
    if not (overall["low"] > 0 or overall["high"] < 0):
        return "the interval of the overall difference holds no difference, and a share of nothing has no meaning"
    if indirect * direct < 0:
        return "the direct and the indirect difference have opposite signs, so that neither is a share of the overall"
    return ""


def _empty(one: Mediated) -> list[dict[str, Any]]:
    rows = [_row(one, name, "risk", reason=one.reason) for name in MEANS]
    rows += [
        _row(one, name, scale, reason=one.reason) for scale in ("risk-difference", "risk-ratio") for name in EFFECTS
    ]
    return [*rows, _row(one, "share through the mediator", "share", reason=one.reason)]


def _row(one: Mediated, effect: str, scale: str, /, *, reason: str = "", **numbers: float) -> dict[str, Any]:
    return {
        "effect": effect,
        "scale": scale,
        "estimator": one.estimator,
        **dict.fromkeys(("estimate", "se", "low", "high", "p"), math.nan),
        **numbers,
        "design_df": one.df,
        "converged": not one.reason,
        "reason": reason,
    }
