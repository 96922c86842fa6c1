"""The negative controls of a trial together: how far its answers are off where the truth is known, and what is left of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backpain.calibrate import CALIBRATED, by_group, calibrate, contours, fit_null, leave_one_out
from backpain.spec import Protocol

NULL = ["survey", "analysis", "without", "controls", "penalty", "mean", "mean_se", "mean_low", "mean_high", "sd", "sd_se",
        "sd_low", "sd_high"]  # fmt: skip
ADJUSTED = ["survey", "analysis", "outcome", "role", "scale", "estimator", "estimate", "se", "low", "high", *CALIBRATED]
CONTOURS = ["survey", "analysis", "se", "low", "high", "calibrated_low", "calibrated_high"]
OUTSIDE = ["p_profile", "calibrated_p", "null_mean", "null_sd"]
HEAD = ["survey", "analysis"]
# Contours reach somewhat beyond the widest standard error that is drawn.
BEYOND, STEPS = 1.15, 60


def calibration(
    controls: pd.DataFrame, profiles: pd.DataFrame, estimates: pd.DataFrame, protocol: Protocol
) -> dict[str, pd.DataFrame]:
    """Fit the null to the controls, try it on each of them, and calibrate the declared analysis by it.

    Parameters
    ----------
    controls, profiles
        What `run_controls` returned.
    estimates
        Of the trial; the declared analysis by weighting is calibrated.

    Returns
    -------
    controls
        The rows given, those on the calibrated scale with `OUTSIDE`: p by the profile, p calibrated by the null of all
        the others, and that null.
    calibration
        Columns `NULL`: the null of all controls (`without` empty), and without each kind.
    calibrated
        Columns `ADJUSTED`: the declared analysis, then the outcomes to compare with; estimates as ratios, `calibrated_se`
        on the log scale.
    contours
        Columns `CONTOURS`: by standard error, between which log ratios p is above 0.05.
    """
    declared = protocol.calibration
    assert declared is not None
    own = profiles[profiles["role"] == "control"]
    null = fit_null(own, declared.penalty)
    kinds = dict(zip(controls["control"], controls["kind"], strict=True))
    outside = leave_one_out(own, declared.penalty, groups=kinds)
    told = outside.set_index("control")[["p", "calibrated_p", "mean", "sd"]].set_axis(OUTSIDE, axis=1)
    table = controls.join(told, on="control")
    table.loc[table["scale"] != declared.ratio, OUTSIDE] = np.nan
    adjusted = _adjusted(controls, estimates, declared.ratio)
    logged = adjusted.assign(estimate=np.log(adjusted["estimate"]))
    found = calibrate(logged, null)
    found[["calibrated_estimate", "calibrated_low", "calibrated_high"]] = np.exp(
        found[["calibrated_estimate", "calibrated_low", "calibrated_high"]]
    )
    reach = float(np.nanmax([outside["se"].max(), found["se"].max()]))
    head = dict(controls[HEAD].iloc[0])
    return {
        "controls": table,
        "calibration": by_group(own, kinds, declared.penalty).assign(**head)[NULL],
        "calibrated": found.assign(estimate=adjusted["estimate"])[ADJUSTED],
        "contours": contours(null, np.linspace(0, BEYOND * reach, STEPS)).assign(**head)[CONTOURS],
    }


def _adjusted(controls: pd.DataFrame, estimates: pd.DataFrame, ratio: str) -> pd.DataFrame:
    """The declared analysis by weighting, then the outcomes to compare with that have a ratio; se on the log scale."""
    main = estimates[(estimates["variation"] == "main") & (estimates["estimator"] == "weighting")]
    main = main.assign(role="answer")
    beside = controls[controls["role"] == "comparison"].assign(outcome=lambda frame: frame["label"])
    both = pd.concat([main, beside], ignore_index=True)
    kept = both[(both["scale"] == ratio) & both["se"].notna() & (both["se"] > 0)]
    return kept[[name for name in ADJUSTED if name not in CALIBRATED]].reset_index(drop=True)
