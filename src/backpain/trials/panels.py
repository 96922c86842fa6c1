"""Every panel's own estimate, and what the panels' estimates share because they share PSUs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backpain.cohort import skeleton_of
from backpain.estimate import ESTIMATORS, Found
from backpain.nuisance import fit_nuisance
from backpain.sampling import linear
from backpain.spec import Plan, Protocol, Survey, variations
from backpain.trials.missing import handle

Numbers = NDArray[np.float64]

PANELS = ["survey", "analysis", "scale", "estimator", "panel", "estimate", "se", "reason"]
COVARIANCE = ["survey", "analysis", "scale", "panel", "other", "covariance"]
ALONE = "only-panel-"


def panel_estimates(
    participants: pd.DataFrame, skeleton: pd.DataFrame, protocol: Protocol, survey: Survey
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The declared analysis in each panel alone, by the primary estimator, with the covariance between panels.

    The influence functions of all panels stand side by side in the design of all of them, so that a PSU in two panels
    adds to what these share.

    Returns
    -------
    panels : DataFrame
        Columns `PANELS`: risk difference and risk ratio of each panel; without numbers where a model has no fit.
    covariance : DataFrame
        Columns `COVARIANCE`: of the differences, and of the logarithms of the ratios. Both are empty for a trial whose
        variations hold no single panels.
    """
    named = {name.removeprefix(ALONE): plan for name, plan in variations(protocol, survey) if name.startswith(ALONE)}
    main = next(plan for name, plan in variations(protocol, survey) if name == "main")
    head = {"survey": survey.name, "analysis": protocol.name, "estimator": protocol.primary_estimator}
    if not named or main.assignment.missing != "complete-case":
        return pd.DataFrame(columns=PANELS), pd.DataFrame(columns=COVARIANCE)
    sets = {
        panel: handle(participants[participants["variation"] == f"{ALONE}{panel}"].reset_index(drop=True), plan).sets[0]
        for panel, plan in named.items()
    }
    everyone = pd.concat(sets.values(), ignore_index=True)
    design = linear(everyone, survey, skeleton_of(skeleton, main, survey))
    found = {panel: _found(sets[panel], plan, protocol) for panel, plan in named.items()}
    rows, shared = [], []
    for scale in ("risk-difference", "risk-ratio"):
        columns, usable = [], []
        start = 0
        for panel, one in found.items():
            size = len(sets[panel])
            column = np.zeros(len(everyone))
            value, reason = np.nan, one.reason
            if not reason and scale == "risk-ratio" and not (one.value > 0).all():
                reason = "an arm without events has no ratio"
            if not reason:
                value, influence = _contrast(one, scale)
                column[start : start + size] = influence
                columns.append(column)
                usable.append(panel)
            rows.append({"scale": scale, "panel": panel, "estimate": value, "reason": reason})
            start += size
        matrix = design.covariance(np.column_stack(columns)) if columns else np.zeros((0, 0))
        shared += [
            {"scale": scale, "panel": panel, "other": other, "covariance": matrix[i, j]}
            for i, panel in enumerate(usable)
            for j, other in enumerate(usable)
        ]
    covariance = pd.DataFrame(shared, columns=["scale", "panel", "other", "covariance"])
    own = covariance[covariance["panel"] == covariance["other"]].set_index(["scale", "panel"])["covariance"]
    table = pd.DataFrame(rows)
    keys = pd.MultiIndex.from_frame(table[["scale", "panel"]])
    table = table.assign(se=np.sqrt(own.reindex(keys).to_numpy()), **head)
    return table[PANELS], covariance.assign(**head)[COVARIANCE]


def _found(people: pd.DataFrame, plan: Plan, protocol: Protocol) -> Found:
    nuisance = fit_nuisance(people, plan.assignment.terms, lost=plan.follow_up.lost)
    return ESTIMATORS[protocol.primary_estimator](people, plan.assignment.terms, nuisance)


def _contrast(found: Found, scale: str) -> tuple[float, Numbers]:
    """The contrast and its influence function, of a ratio that of the logarithm."""
    risk, influence = found.value, found.influence
    if scale == "risk-difference":
        return float(risk[0] - risk[1]), influence[:, 0] - influence[:, 1]
    return float(risk[0] / risk[1]), influence[:, 0] / risk[0] - influence[:, 1] / risk[1]
