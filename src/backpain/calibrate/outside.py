"""Each control beside the null of the others: whether calibration holds where it was not fitted, and who drives it."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from backpain.calibrate.apply import calibrated_curve
from backpain.calibrate.null import LARGEST_SD, Fitting
from backpain.calibrate.profiles import curves_of

LEFT_OUT = [
    "control", "group", "estimate", "se", "p", "calibrated_p", "mean", "mean_se", "sd", "sd_se", "controls", "reason",
]  # fmt: skip


def leave_one_out(
    profiles: pd.DataFrame,
    penalty: str = "half-normal",
    largest_sd: float = LARGEST_SD,
    groups: Mapping[str, str] | None = None,
    uncertain: bool = True,
) -> pd.DataFrame:
    """Fit the null without each control in turn, and calibrate that control by it.

    Parameters
    ----------
    profiles, penalty, largest_sd
        As in `fit_null`; at least four controls.
    groups
        The kind of each control, where it has one.
    uncertain
        As in `calibrate`.

    Returns
    -------
    One row per control: its estimate and se (of the profile's top), p and calibrated_p, and mean, mean_se, sd, sd_se and
    controls of the null without it. If calibration works, calibrated_p lies below 0.05 for about one control in twenty.

    Raises
    ------
    ValueError
        As `fit_null` does.
    """
    curves = curves_of(profiles)
    fitting = Fitting(curves, penalty, largest_sd)
    rows = []
    for place, curve in enumerate(curves):
        null = fitting.null(without=place)
        found = calibrated_curve(curve, null, uncertain=uncertain)
        told = {name: found[name] for name in ("control", "estimate", "se", "p", "calibrated_p", "reason")}
        spread = {"mean": null.mean, "mean_se": null.mean_se, "sd": null.sd, "sd_se": null.sd_se}
        rows.append({**told, **spread, "controls": null.controls, "group": (groups or {}).get(curve.name)})
    return pd.DataFrame(rows, columns=LEFT_OUT)


def by_group(
    profiles: pd.DataFrame, groups: Mapping[str, str], penalty: str = "half-normal", largest_sd: float = LARGEST_SD
) -> pd.DataFrame:
    """The null without each kind of control in turn, and first with all of them.

    Returns
    -------
    Rows (without, controls, penalty, mean, mean_se, mean_low, mean_high, sd, sd_se, sd_low, sd_high).

    Raises
    ------
    ValueError
        If a control has no group, and as `fit_null` does.
    """
    names = profiles["control"].map(groups)
    if names.isna().any():
        raise ValueError(f"groups: control {profiles.loc[names.isna(), 'control'].iloc[0]!r} has none; give each one")
    rows = []
    for group in [None, *names.unique()]:
        kept = profiles if group is None else profiles[names != group]
        rows.append({"without": group, **Fitting(curves_of(kept), penalty, largest_sd).null().row()})
    return pd.DataFrame(rows)
