"""Runs a trial on outcomes that nothing should change, each among those who are free of it at time zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from backpain.calibrate import weighted_profile
from backpain.cohort import Flow, choose, columns_of, skeleton, waves_of
from backpain.estimate import estimate
from backpain.nuisance import fit_nuisance
from backpain.sampling import linear
from backpain.spec import Controlled, Protocol, Survey, controlled
from backpain.trials.diagnosing import gate_of
from backpain.trials.missing import handle

CONTROLS = [
    "survey", "analysis", "control", "role", "label", "kind", "scale", "estimator", "estimate", "se", "low", "high", "p",
    "people", "events_treated", "events_untreated", "design_df", "gate", "reason", "because", "reference", "doubt",
]  # fmt: skip
PROFILE = ["survey", "analysis", "control", "role", "value", "log_likelihood"]
SCALES = ("risk-difference", "risk-ratio", "odds-ratio")


def run_controls(people: pd.DataFrame, protocol: Protocol, survey: Survey) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare the arms on every outcome of the trial's list of controls, by weighting.

    Parameters
    ----------
    people
        What `harmonise` returned.

    Returns
    -------
    controls : DataFrame
        A row for each outcome and scale, columns `CONTROLS`, with design-based intervals; without numbers, and with the
        reason, where nobody or only one arm had the event.
    profiles : DataFrame
        Columns `PROFILE`: of each outcome's log ratio, as `backpain.calibrate.weighted_profile` makes it. None of those
        that nobody had.

    Raises
    ------
    ValueError
        As `choose` does, naming the outcome.
    """
    # ASSUME: controls are compared among those without a missing confounder, whatever the trial declares of the others.
    baseline, later = waves_of(people, survey)
    everywhere = skeleton(people, survey).drop(columns="panel", errors="ignore").drop_duplicates()
    rows, profiles = [], []
    for one in controlled(protocol):
        columns = columns_of(baseline, survey, set(one.plan.assignment.names))
        flow = Flow(survey.name, protocol.name, f"control {one.name}")
        chosen, _ = choose(baseline, later, one.plan, flow, survey, columns)
        kept = handle(chosen.reset_index(), one.plan).sets[0]
        found, profile = _compared(kept, one, protocol, survey, everywhere)
        rows.append(found)
        profiles.append(profile.assign(role=one.role))
    head = {"survey": survey.name, "analysis": protocol.name}
    table = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=CONTROLS)
    curves = pd.concat(profiles, ignore_index=True) if profiles else pd.DataFrame(columns=PROFILE)
    return table.assign(**head)[CONTROLS], curves.assign(**head)[PROFILE]


def _compared(
    people: pd.DataFrame, one: Controlled, protocol: Protocol, survey: Survey, everywhere: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    declared = protocol.calibration
    assert declared is not None
    terms = one.plan.assignment.terms
    had = people["event"].eq(True).fillna(False).astype(bool)
    events = [int((had & arm).sum()) for arm in (people["treated"], ~people["treated"])]
    told: dict[str, Any] = {
        "control": one.name,
        "role": one.role,
        "label": one.control.label,
        "kind": one.control.kind,
        "estimator": "weighting",
        "people": len(people),
        "events_treated": events[0],
        "events_untreated": events[1],
        "because": one.control.because,
        "reference": one.control.reference,
        "doubt": one.control.doubt or "",
    }
    nothing = pd.DataFrame(columns=["control", "value", "log_likelihood"])
    nuisance = fit_nuisance(people, terms, lost=one.plan.follow_up.lost)
    reason = nuisance.reason or ("" if sum(events) else "nobody had the event")
    if reason:
        return _without(told, reason), nothing
    rows = estimate(
        people, terms, estimators=["weighting"], nuisance=nuisance, design=linear(people, survey, everywhere)
    )
    rows = rows[rows["scale"].isin(SCALES)].assign(**told, gate=gate_of(people, one.plan))
    if not min(events):
        # The variance of a risk of 0 is not 0; the profile knows what such an arm says.
        rows[["estimate", "se", "low", "high", "p"]] = np.nan
        rows["reason"] = "an arm without events"
    return rows, weighted_profile(nuisance, one.name, declared.ratio)


def _without(told: dict[str, Any], reason: str) -> pd.DataFrame:
    rows = pd.DataFrame([{**told, "scale": scale, "gate": "", "reason": reason} for scale in SCALES])
    return rows.assign(**dict.fromkeys(("estimate", "se", "low", "high", "p", "design_df"), np.nan))
