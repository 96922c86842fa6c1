"""How much the answer hangs on one panel: the estimates without each, beside the one with all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

# How the variations of the analysis are named that leave out a panel.
WITHOUT = "without-panel-"
KEYS = ["survey", "analysis", "outcome", "estimand", "arm", "scale", "estimator"]
RATIOS = ("risk-ratio", "odds-ratio", "hazard-ratio")
INFLUENCE = [
    "estimate", "lowest", "highest", "panels", "failed", "panel", "without_it", "shift", "shift_in_errors",
    "share_of_people", "share_of_weight", "sides", "intervals_hold_no_effect",
]  # fmt: skip


def leave_one_panel_out(estimates: pd.DataFrame, weight: Mapping[str, float] | None = None) -> pd.DataFrame:
    """The range of the estimates without one panel, and the panel whose absence moves the estimate most.

    Parameters
    ----------
    estimates
        Rows of estimates.csv: the variation `main` and those named `without-panel-...`; others are not read. Contrasts
        only.
    weight
        Weighted people of each panel by its name, summed to all of them; without it the share of weight is missing
        (weights are scaled anew when a panel is left out, so the rows do not tell it).

    Returns
    -------
    One row for each contrast of each estimator (the columns of `KEYS` that the estimates have, then `INFLUENCE`):
    `shift` is the main estimate less that without the panel (of ratios the logs), `shift_in_errors` over the main
    standard error; `sides` counts the sides of no effect the estimates lie on; `intervals_hold_no_effect` is how many of
    the intervals do. `failed` counts panels without an estimate.

    Raises
    ------
    ValueError
        If no row leaves out a panel, a main estimate is absent or there twice, or a panel has no weight.
    """
    contrasts = estimates[estimates["scale"] != "risk"]
    keys = [key for key in KEYS if key in estimates]
    left = contrasts[contrasts["variation"].astype(str).str.startswith(WITHOUT)]
    if left.empty:
        raise ValueError(
            "leave-one-out: no variation leaves out a panel; declare `leave_one_panel_out` in the analysis"
        )
    main = contrasts[contrasts["variation"] == "main"]
    rows = []
    for key, group in left.groupby(keys, sort=False, dropna=False):
        own = main[np.logical_and.reduce([(main[name] == value) for name, value in zip(keys, key, strict=True)])]
        if len(own) != 1:
            raise ValueError(f"leave-one-out: {len(own)} main rows of {', '.join(map(str, key))}; there must be one")
        if group["variation"].duplicated().any():
            raise ValueError(f"leave-one-out: a panel is left out twice from {', '.join(map(str, key))}")
        rows.append({**dict(zip(keys, key, strict=True)), **_influence(own.iloc[0], group, weight)})
    return pd.DataFrame(rows, columns=[*keys, *INFLUENCE])


def _influence(main: pd.Series, left: pd.DataFrame, weight: Mapping[str, float] | None) -> dict[str, Any]:
    ratio = main["scale"] in RATIOS
    nothing = 1.0 if ratio else 0.0
    usable = left[left["estimate"].notna()]
    counts = {"estimate": main["estimate"], "panels": len(left), "failed": len(left) - len(usable)}
    if usable.empty or pd.isna(main["estimate"]):
        return counts
    values, own = usable["estimate"].to_numpy(float), float(main["estimate"])
    if ratio and (own <= 0 or (values <= 0).any()):
        raise ValueError(f"leave-one-out: a {main['scale']} of {main['arm']} is 0 or below; correct the estimates")
    shifts = np.log(own / values) if ratio else own - values
    place = int(np.argmax(np.abs(shifts)))
    worst = usable.iloc[place]
    panel = str(worst["variation"]).removeprefix(WITHOUT)
    return counts | {
        "lowest": values.min(),
        "highest": values.max(),
        "panel": panel,
        "without_it": values[place],
        "shift": shifts[place],
        "shift_in_errors": shifts[place] / main["se"] if main["se"] > 0 else np.nan,
        "share_of_people": 1 - worst["people"] / main["people"],
        "share_of_weight": _share(panel, weight),
        "sides": len(set(np.sign(np.append(values, own) - nothing))),
        "intervals_hold_no_effect": int(((usable["low"] <= nothing) & (usable["high"] >= nothing)).sum()),
    }


def _share(panel: str, weight: Mapping[str, float] | None) -> float:
    if weight is None:
        return float("nan")
    if panel not in weight or not all(each > 0 for each in weight.values()):
        raise ValueError(f"leave-one-out: panel {panel} needs a weight above 0, and so do all the others")
    return weight[panel] / sum(weight.values())


__all__ = ["INFLUENCE", "WITHOUT", "leave_one_panel_out"]
