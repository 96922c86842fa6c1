"""Published studies and our own contrasts, side by side: grouped by what was contrasted, never pooled.

The studies ask different questions of different people, and an odds ratio of prevalence is no risk ratio of
onset. So there is a row for each and no overall estimate, neither of a group nor of all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

# Measures that share an axis; a mean difference is drawn as a share of its pain scale.
AXES = {
    "odds ratio": "ratio",
    "hazard ratio": "ratio",
    "risk ratio": "ratio",
    "mean difference": "share of scale",
}
OUR_MEASURES = {"risk-ratio": "risk ratio", "odds-ratio": "odds ratio"}
STUDY = [
    "study", "design", "people", "contrast", "outcome", "measure", "estimate", "low", "high", "scale",
    "caution", "group",
]  # fmt: skip
EVIDENCE = ["origin", "estimand", *STUDY, "axis", "plotted", "plotted_low", "plotted_high"]


def known(study: Mapping[str, Any]) -> Mapping[str, Any]:
    """The study, if it can be drawn.

    Raises
    ------
    ValueError
        Naming the study: for a missing key or group, an unknown measure, a mean difference without the top of
        its scale, half an interval, or an estimate outside its own interval.
    """
    name = study.get("study", "(unnamed)")
    absent = [key for key in STUDY if key not in study]
    if absent:
        raise ValueError(f"evidence: {name}: {', '.join(absent)} is not given; write null where it is not known")
    if not study["group"]:
        raise ValueError(f"evidence: {name}: no group; name the contrast it belongs to")
    if study["measure"] not in AXES:
        raise ValueError(f"evidence: {name}: measure {study['measure']!r} is not known; it is one of {', '.join(AXES)}")
    if AXES[study["measure"]] == "share of scale" and not study["scale"]:
        raise ValueError(f"evidence: {name}: a mean difference needs `scale`, the top of its pain scale")
    ends = [study["low"], study["high"]]
    if any(pd.isna(end) for end in ends) and not all(pd.isna(end) for end in ends):
        raise ValueError(f"evidence: {name}: one end of the interval only; give both or neither")
    if not pd.isna(ends[0]) and not ends[0] <= study["estimate"] <= ends[1]:
        raise ValueError(f"evidence: {name}: the estimate lies outside its interval; check the numbers")
    return study


def drawn(study: Mapping[str, Any]) -> dict[str, Any]:
    """Where on its axis a study is drawn."""
    axis = AXES[study["measure"]]
    unit = float(study["scale"]) if axis == "share of scale" else 1.0
    places = {"plotted": "estimate", "plotted_low": "low", "plotted_high": "high"}
    return {
        "axis": axis,
        **{place: np.nan if pd.isna(study[end]) else study[end] / unit for place, end in places.items()},
    }


def own(row: Mapping[str, Any], groups: Mapping[str, str]) -> dict[str, Any]:
    """One of our ratios in the columns of the published ones; its caution is what its gate said.

    Raises
    ------
    ValueError
        If its scale is not a ratio, or its analysis belongs to no group.
    """
    if row["scale"] not in OUR_MEASURES:
        raise ValueError(
            f"evidence: {row['analysis']} on {row['survey']}: scale {row['scale']!r} has no place beside "
            f"published ratios; give rows of {', '.join(OUR_MEASURES)}"
        )
    if row["analysis"] not in groups:
        raise ValueError(f"evidence: {row['analysis']} belongs to no group; name its contrast in `groups`")
    return {
        "study": row["survey"],
        "design": row["analysis"],
        "people": row["people"],
        "contrast": row["arm"],
        "outcome": row["outcome"],
        "measure": OUR_MEASURES[row["scale"]],
        "estimate": row["estimate"],
        "low": row["low"],
        "high": row["high"],
        "scale": None,
        "caution": None if row["gate"] == "passed" else row["gate"],
        "group": groups[row["analysis"]],
    }


def evidence(
    published: Sequence[Mapping[str, Any]],
    ours: pd.DataFrame | None = None,
    groups: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Published studies and our contrasts as rows for one plot, grouped by contrast in the order declared.

    Parameters
    ----------
    published
        Studies as config/evidence.yaml declares them.
    ours
        The rows of estimates.csv to set beside them: ratios only, one per contrast.
    groups
        The group each of our analyses belongs to.

    Returns
    -------
    Rows (origin "published" or "ours", estimand of ours, study, design, people, contrast, outcome, measure,
    estimate, low, high, scale, caution, group, axis, plotted, plotted_low, plotted_high): one row per study,
    no row beyond.

    Raises
    ------
    ValueError
        For a study or an estimate that cannot be placed, and for two of our rows on one contrast.
    """
    records = [] if ours is None else ours.to_dict("records")
    mine = [{str(name): value for name, value in record.items()} for record in records]
    keys = [(row["survey"], row["analysis"], row["variation"], row["arm"]) for row in mine]
    if len(set(keys)) < len(keys):
        raise ValueError(
            "evidence: our own rows repeat a contrast; keep one estimator and one scale for each "
            "(they answer one question and would look like several)"
        )
    rows = [{"origin": "published", "estimand": None, **known(study)} for study in published]
    rows += [{"origin": "ours", "estimand": row["estimand"], **known(own(row, groups or {}))} for row in mine]
    order = {group: place for place, group in enumerate(dict.fromkeys(row["group"] for row in rows))}
    rows.sort(key=lambda row: order[row["group"]])  # stable: within a group the declared order, ours last
    return pd.DataFrame([{**row, **drawn(row)} for row in rows], columns=EVIDENCE)
