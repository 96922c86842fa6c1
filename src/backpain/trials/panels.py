"""Every panel's own estimate, and what the panels' estimates share because they share PSUs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backpain.cohort import skeleton_of
from backpain.sampling import linear
from backpain.spec import Protocol, Survey, variations
from backpain.trials.beside import Part, side_by_side
from backpain.trials.missing import handle

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
    starts = dict(zip(sets, np.cumsum([0, *(len(people) for people in sets.values())]), strict=False))
    parts = {
        panel: Part.of(
            people,
            starts[panel] + np.arange(len(people)),
            named[panel].assignment.terms,
            named[panel].follow_up.lost,
            protocol.primary_estimator,
        )
        for panel, people in sets.items()
    }
    table, covariance = (frame.rename(columns={"part": "panel"}) for frame in side_by_side(parts, design))
    return table.assign(**head)[PANELS], covariance.assign(**head)[COVARIANCE]
