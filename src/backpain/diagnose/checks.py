"""The gate: an estimate is shown as an answer only when the arms are alike, overlap and are large enough."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from backpain.diagnose.arms import ARMS, Marks, Numbers, treated_marks, usable_weight
from backpain.diagnose.describe import loss
from backpain.diagnose.weights import checked_propensity, overlap_share, weight_summary

PASSED = "passed"
# How a check's value has to stand to its declared threshold.
PASSES: dict[str, Callable[[float, float], bool]] = {
    "largest_smd": operator.le,
    "least_overlap": operator.ge,
    "smallest_arm": operator.ge,
    # Of analyses through a mediator alone, with the threshold of the arms.
    "smallest_group": operator.ge,
}
DECLARED = ("largest_smd", "least_overlap", "smallest_arm")


def largest_smd(balance: pd.DataFrame, stage: str) -> float:
    """The largest standardised difference in size at a stage; missing if nothing was compared."""
    differences = balance.loc[balance["stage"] == stage, "smd"].to_numpy(dtype=float)
    # A difference that could not be computed is not a small one.
    return float(np.abs(differences).max()) if differences.size else np.nan


def by_arm(treated: Marks, weight: Numbers, lost: pd.DataFrame) -> dict[str, float]:
    """What the reader is told of each arm's weights and losses; none of it opens or closes the gate."""
    told: dict[str, float] = {}
    for arm, mark in ARMS.items():
        weights = weight[treated == mark]
        summary = weight_summary(weights) if weights.any() else {}
        told[f"effective_people_{arm}"] = summary.get("effective_people", 0.0)
        told[f"largest_weight_over_mean_{arm}"] = summary.get("largest_over_mean", np.nan)
        told[f"percentile_99_weight_over_mean_{arm}"] = summary.get("percentile_99_over_mean", np.nan)
        told[f"lost_share_{arm}"] = 1 - float(lost.loc[lost["arm"] == arm, "weighted_share"].iloc[0])
    return told


def diagnostics(
    participants: pd.DataFrame,
    balance: pd.DataFrame,
    propensity: ArrayLike,
    analysis_weight: ArrayLike,
    thresholds: Mapping[str, float],
) -> pd.DataFrame:
    """Every check of one variation.

    Parameters
    ----------
    participants
        One row per person: `treated` and `followed` (bool), `weight` (survey weight).
    balance
        As `balance` returns it, after weighting by `analysis_weight`.
    propensity, analysis_weight
        (people,) probability of treatment; weight of the analysis, 0 for those not followed.
    thresholds
        The declared gate: `largest_smd` (at most), `least_overlap` (at least), `smallest_arm` (at least;
        followed people with weight in the smaller arm).

    Returns
    -------
    Rows (check, value, threshold, passed, people); checks without threshold inform only and have `passed` missing. A
    check whose value cannot be had has not passed. Any row of the balance table counts, squares too. `people` is the count behind a
    share that a few people could be told from; none of these.

    Raises
    ------
    ValueError
        If the gate does not name exactly these thresholds; for an empty arm, unusable weights, scores outside
        0-1.
    """
    if set(thresholds) != set(DECLARED):
        raise ValueError(f"gate: thresholds {sorted(thresholds)} are declared; declare exactly {', '.join(DECLARED)}")
    treated = treated_marks(participants)
    weight = usable_weight(analysis_weight, len(treated), "analysis_weight")
    score = checked_propensity(propensity, len(treated))
    counted = (weight > 0) & participants["followed"].to_numpy(dtype=bool)
    values = {
        "largest_smd": largest_smd(balance, "after"),
        "least_overlap": overlap_share(score, treated, participants["weight"]),
        "smallest_arm": float(min((counted & treated).sum(), (counted & ~treated).sum())),
        "largest_smd_before": largest_smd(balance, "before"),
        "lowest_propensity": float(score.min()),
        "highest_propensity": float(score.max()),
        **by_arm(treated, weight, loss(participants)),
    }
    return checks(values, thresholds)


def checks(values: Mapping[str, float], thresholds: Mapping[str, float]) -> pd.DataFrame:
    """Values set against their thresholds, in the columns of diagnostics.csv."""
    rows: list[dict[str, Any]] = [
        {
            "check": check,
            "value": value,
            "threshold": float(thresholds[check]) if check in thresholds else np.nan,
            "passed": bool(PASSES[check](value, thresholds[check])) if check in thresholds else pd.NA,
        }
        for check, value in values.items()
    ]
    columns = ["check", "value", "threshold", "passed", "people"]
    return pd.DataFrame(rows, columns=columns).astype({"passed": "boolean", "people": "Int64"})


def gate(diagnostics: pd.DataFrame) -> str:
    """Either "passed", or "failed: " with the checks that have a threshold and did not pass.

    Raises
    ------
    ValueError
        If no check has a threshold: a gate that looks at nothing may not open.
    """
    declared = diagnostics[diagnostics["threshold"].notna()]
    if declared.empty:
        raise ValueError("diagnostics: no check has a threshold; declare a gate in the protocol")
    failed = declared.loc[~declared["passed"].fillna(False).astype(bool), "check"].tolist()
    return f"failed: {', '.join(failed)}" if failed else PASSED
