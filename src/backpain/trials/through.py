"""Carries the declared analysis of a trial through its mediator: who is still at risk, effects, and the four groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from backpain.cohort import Flow, choose, columns_of, skeleton, waves_of
from backpain.diagnose import checks
from backpain.harmonise import judge
from backpain.mediate import FOUR, THROUGH, effects_of, four_groups, mediate
from backpain.spec import Protocol, Survey, Through, plan_of
from backpain.trials.diagnosing import gate_of
from backpain.trials.estimating import design_of
from backpain.trials.missing import Handled
from backpain.trials.scope import SCOPE, headed

VARIATION = "through"
EFFECTS = ["survey", "analysis", "mediator", *THROUGH, "gate"]
GROUPS = [*SCOPE, *FOUR]


def through_trial(
    people: pd.DataFrame, protocol: Protocol, survey: Survey
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Effects through what a trial declares, the four groups, and the flow that led to them.

    Who is no longer at risk when the mediator is measured is left out, after treatment: the effects are those that come
    after, in people who got so far, averaged over the confounders that these have.

    Parameters
    ----------
    people
        What `harmonise` returned.

    Returns
    -------
    effects, groups, flow : DataFrame
        Columns `EFFECTS`, `GROUPS` and those of the flow, the latter two under the variation `through`.

    Raises
    ------
    ValueError
        As `choose` and `mediate` do, and if the trial declares nothing to go through.
    """
    through = protocol.through
    if through is None:
        raise ValueError(f"protocols/{protocol.name}.yaml: declares nothing that treatment acts through")
    plan = plan_of(protocol, "main")
    plan = plan.model_copy(update={"outcome": through.outcome or plan.outcome})
    baseline, later = waves_of(people, survey)
    chosen, flow = choose(
        baseline, later, plan, _Flow(survey, protocol), survey, columns_of(baseline, survey, set(plan.assignment.names))
    )
    chosen = chosen[chosen["complete"]]
    wave, ways = later[plan.follow_up.waves], plan.follow_up.seen_by
    followed = attached(chosen, wave if ways is None else wave[wave["seen_by"].isin(ways)], through)
    told = flow_of(followed, through, plan.outcome.label, _upper(flow, survey, protocol))
    frame = followed.reset_index()
    design = design_of(Handled(frame, [frame]), skeleton(people, survey), plan, survey)
    effects = effects_of(mediate(frame, plan.assignment.terms, design, through.later))
    groups = four_groups(frame, design, through.called)
    counted = frame[_counted(frame)].assign(followed=True).reset_index(drop=True)
    smallest = checks({"smallest_group": float(groups["people"].min())}, {"smallest_group": plan.gate.smallest_arm})
    head: dict[str, Any] = {"survey": survey.name, "analysis": protocol.name, "mediator": through.variable}
    effects = effects.assign(**head, gate=gate_of(counted, plan, smallest))
    return effects[EFFECTS], headed(groups, survey, protocol, VARIATION)[GROUPS], told


def attached(chosen: pd.DataFrame, wave: pd.DataFrame, through: Through) -> pd.DataFrame:
    """The participants, by person, with what the follow-up wave tells: at_risk, mediator, event, what came between.

    Who was not seen again has none of them. The outcome of those no longer at risk, and their mediator, are not looked at.
    """
    # ASSUME: who is found in the follow-up wave without an answer about its middle is lost, as those not found are.
    seen = wave.reindex(chosen.index)
    at_risk = pd.Series(True, index=chosen.index, dtype="boolean")
    for tests in through.at_risk.values():
        for name, test in tests.items():
            at_risk &= judge(seen[name], test)
    free = at_risk.fillna(False).astype(bool)
    variable, test = next(iter(through.mediator.items()))
    mediator = judge(seen[variable], test).astype("Float64").astype(float)
    between = {term.variable: seen[term.variable].where(free) for term in through.after_treatment}
    return chosen.assign(
        at_risk=at_risk,
        mediator=mediator.where(free),
        event=chosen["event"].where(free),
        **between,
    )


def _counted(frame: pd.DataFrame) -> pd.Series:
    free = frame["at_risk"].fillna(False).astype(bool)
    return free & frame["mediator"].notna() & frame["event"].notna()


class _Flow(Flow):
    def __init__(self, survey: Survey, protocol: Protocol) -> None:
        super().__init__(survey.name, protocol.name, VARIATION)


def _upper(flow: pd.DataFrame, survey: Survey, protocol: Protocol) -> Flow:
    """The boxes down to those with every confounder known."""
    found = _Flow(survey, protocol)
    for row in flow[flow["kind"].isin(["start", "excluded"])].to_dict("records"):
        left = None if pd.isna(row["left_out"]) else int(row["left_out"])
        found.add(str(row["box"]), int(row["remaining"]), left, str(row["kind"]))
    return found


def flow_of(followed: pd.DataFrame, through: Through, label: str, flow: Flow) -> pd.DataFrame:
    """The lower half of the flow: seen, at risk, mediator and outcome known, arms, events."""
    kept = flow.keep(followed, followed["at_risk"].notna(), "followed to where the mediator was measured")
    kept = flow.keep(kept, kept["at_risk"], "; ".join(through.at_risk))
    kept = flow.keep(kept, _counted(kept), "mediator and later outcome known")
    for arm, words in ((True, "treated"), (False, "untreated")):
        group = kept[kept["treated"] == arm]
        flow.add(words, len(group), None, "arm")
        flow.add(f"{words}: {label}", int(np.sum(group["event"].astype(bool))), None, "event")
    return flow.frame()
