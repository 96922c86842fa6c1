"""Chooses a trial's participants and counts everyone who was left out, variation by variation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from backpain.harmonise import judge
from backpain.sampling import places, weighed
from backpain.spec import Association, Plan, Protocol, Survey, variations
from backpain.spec.variation import panels_of

FLOW = ["survey", "analysis", "variation", "step", "box", "remaining", "left_out", "kind"]


@dataclass(frozen=True)
class Trial:
    """A trial emulated in one survey.

    Attributes
    ----------
    participants : DataFrame
        One row per person and variation: variation, person, stratum, psu and the columns of further stages, weight and
        its replicates where the survey gives them, treated, followed, complete (no confounder missing), event (missing
        for the lost), seen_by (how the person was found in the follow-up wave), and every variable used, as measured
        at baseline.
    flow : DataFrame
        Who was left out, box by box: survey, analysis, variation, step, box, remaining, left_out, kind.
    skeleton : DataFrame
        Every stratum, PSU and further unit of the survey at baseline, so that no domain loses one.
    """

    participants: pd.DataFrame
    flow: pd.DataFrame
    skeleton: pd.DataFrame


class Flow:
    """Counts the boxes as people pass them."""

    def __init__(self, survey: str, analysis: str, variation: str) -> None:
        self.head = {"survey": survey, "analysis": analysis, "variation": variation}
        self.rows: list[dict[str, Any]] = []

    def add(self, box: str, remaining: int, left_out: int | None, kind: str) -> None:
        self.rows.append(
            {
                **self.head,
                "step": len(self.rows),
                "box": box,
                "remaining": remaining,
                "left_out": left_out,
                "kind": kind,
            }
        )

    def keep(self, people: pd.DataFrame, mask: pd.Series, box: str) -> pd.DataFrame:
        kept = people[mask.fillna(False).astype(bool)]
        self.add(box, len(kept), len(people) - len(kept), "excluded")
        return kept

    def frame(self) -> pd.DataFrame:
        return pd.DataFrame(self.rows, columns=FLOW).astype({"left_out": "Int64"})


def skeleton(people: pd.DataFrame, survey: Survey) -> pd.DataFrame:
    """Every stratum, PSU and further unit that the survey has at baseline, panel by panel where there are panels."""
    first = people[people["order"] == 0]
    columns = [*(["panel"] if "panel" in first else []), *places(survey)]
    return first[columns].drop_duplicates().sort_values(columns, ignore_index=True)


def skeleton_of(pairs: pd.DataFrame, plan: Plan, survey: Survey) -> pd.DataFrame:
    """The strata and PSUs of the panels that take part in a plan; panels share them, so each counts once."""
    panels = panels_of(plan, survey)
    return (pairs[pairs["panel"].isin(panels)] if panels else pairs)[places(survey)].drop_duplicates()


def emulate(people: pd.DataFrame, protocol: Protocol, survey: Survey) -> Trial:
    """Choose the participants of every variation of a trial.

    Parameters
    ----------
    people : DataFrame
        What `harmonise` returned: one row per person and wave.
    protocol, survey
        The declarations of the trial and of the survey.

    Raises
    ------
    ValueError
        If nobody is eligible for a variation, naming it and the box that left out the last.
    """
    baseline, later = waves_of(people, survey)
    planned = variations(protocol, survey)
    used = {name for _, plan in planned for name in (*plan.assignment.names, *plan.assignment.helpers)}
    columns = columns_of(baseline, survey, used | set(protocol.table_one))
    participants, flows = [], []
    for name, plan in planned:
        started = Flow(survey.name, protocol.name, name)
        chosen, flow = choose(baseline, later, plan, started, survey, columns)
        participants.append(chosen.assign(variation=name).reset_index())
        flows.append(flow)
    return Trial(
        pd.concat(participants, ignore_index=True), pd.concat(flows, ignore_index=True), skeleton(people, survey)
    )


def waves_of(people: pd.DataFrame, survey: Survey) -> tuple[pd.DataFrame, dict[int, pd.DataFrame]]:
    """The people at baseline, and those of each later wave by its distance; both by person.

    Raises
    ------
    ValueError
        If somebody stands twice at baseline.
    """
    baseline = people[people["order"] == 0].set_index("person")
    if not baseline.index.is_unique:
        raise ValueError(
            f"{survey.name}: a person stands twice at baseline; the person's key in the declaration is wrong"
        )
    orders = sorted(set(people["order"]) - {0})
    return baseline, {int(order): people[people["order"] == order].set_index("person") for order in orders}


def columns_of(baseline: pd.DataFrame, survey: Survey, used: set[str]) -> list[str]:
    """The columns of participants beside their weights: places in the sample, arms, follow-up, the variables used."""
    named = [name for name in places(survey) if name != "person"]
    named += ["treated", "followed", "complete", "event", "seen_by", *sorted(used - {"panel"})]
    return [*named, *(["panel"] if "panel" in baseline else [])]


def choose(
    baseline: pd.DataFrame,
    later: dict[int, pd.DataFrame],
    plan: Plan,
    flow: Flow,
    survey: Survey,
    columns: list[str],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The participants of one plan, by person, with these columns and their weights; and the flow that led to them."""
    chosen = _start(baseline, plan, flow, survey)
    for box, tests in plan.eligibility.items():
        for name, test in tests.items():
            known = chosen[name].notna()
            if not known.all():
                chosen = flow.keep(chosen, known, f"{box}: known")
            chosen = flow.keep(chosen, judge(chosen[name], test), box)
    component = survey.rarest_weight(plan.variables() - {"panel"})
    chosen = flow.keep(chosen, chosen[f"weight_{component}"] > 0, "survey weight above zero")
    arms = chosen[plan.treatment.variable]
    in_arm = arms.isin([*plan.treatment.treated, *plan.treatment.untreated])
    if not in_arm.all():
        chosen = flow.keep(chosen, in_arm, "in one of the two arms")
    if chosen.empty:
        last = next((row["box"] for row in reversed(flow.rows) if row["left_out"]), "the start")
        raise ValueError(f"{flow.head}: nobody is left after the box «{last}»; widen the eligibility of this variation")
    complete = chosen[[name for name in plan.assignment.names if name != "panel"]].notna().all(axis=1)
    panels = len(panels_of(plan, survey)) or 1
    # ASSUME: each panel represents the population; pooled, the panels together represent it once.
    weights = weighed(chosen, survey, component, chosen["scale"] / panels)
    chosen = chosen.assign(
        treated=chosen[plan.treatment.variable].isin(plan.treatment.treated),
        complete=complete,
        **({"panel": _panel(chosen, survey)} if "panel" in chosen else {}),
    )
    chosen = chosen.assign(**_follow(chosen, later, plan))
    flow_of_arms(chosen, plan, flow)
    return pd.concat([chosen[columns], weights], axis=1), flow.frame()


def _panel(chosen: pd.DataFrame, survey: Survey) -> pd.Series:
    """The panel as a category, with every declared panel as a level so that variations can stand in one table."""
    levels = [str(panel) for panel in sorted(survey.waves.panels or {})]
    return chosen["panel"].astype(int).astype(str).astype(pd.CategoricalDtype(levels))


def _start(baseline: pd.DataFrame, plan: Plan, flow: Flow, survey: Survey) -> pd.DataFrame:
    chosen = baseline
    panels = panels_of(plan, survey)
    if panels:
        chosen = chosen[chosen["panel"].isin(panels)]
    flow.add("people with a record in the first wave", len(chosen), None, "start")
    for column in [str(column) for column in chosen if str(column).startswith("link_")]:
        file = column.removeprefix("link_")
        chosen = flow.keep(chosen, chosen[column] != "ambiguous", f"unambiguous in the {file} file")
        chosen = flow.keep(chosen, chosen[column] != "unmatched", f"found in the {file} file")
    return chosen


def _follow(chosen: pd.DataFrame, later: dict[int, pd.DataFrame], plan: Plan) -> dict[str, pd.Series]:
    """Who was seen in the follow-up wave with a known outcome, and who had the event."""
    wave = later.get(plan.follow_up.waves)
    if wave is None:
        raise ValueError(
            f"nobody has a row {plan.follow_up.waves} wave(s) after the baseline; the follow-up files are absent"
        )
    seen = wave if plan.follow_up.seen_by is None else wave[wave["seen_by"].isin(plan.follow_up.seen_by)]
    outcome = seen[plan.outcome.variable].reindex(chosen.index)
    event = judge(outcome, plan.outcome.event)
    return {"followed": event.notna(), "event": event, "seen_by": wave["seen_by"].reindex(chosen.index)}


def flow_of_arms(chosen: pd.DataFrame, plan: Plan, flow: Flow) -> None:
    """The lower half of the flow: arms, complete confounders, followed and lost, events."""
    if not chosen["complete"].all():
        if plan.assignment.missing == "imputed":
            flow.add("a confounder to impute", int((~chosen["complete"]).sum()), None, "imputed")
        else:
            chosen = flow.keep(chosen, chosen["complete"], "every confounder known")
    for arm, words in ((True, "treated"), (False, "untreated")):
        group = chosen[chosen["treated"] == arm]
        flow.add(words, len(group), None, "arm")
        flow.add(f"{words}: followed", int(group["followed"].sum()), None, "followed")
        flow.add(f"{words}: lost", int((~group["followed"]).sum()), None, "lost")
        flow.add(f"{words}: {plan.outcome.label}", int(group["event"].sum()), None, "event")


def domain_of(people: pd.DataFrame, association: Association, survey: Survey) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The people of a cross-sectional association, marked rather than cut out, and their flow.

    Returns
    -------
    people : DataFrame
        Everyone with a weight, with `weight`, its replicates, `in_domain` and `outcome` (nullable boolean).
    flow : DataFrame
        The boxes.
    """
    flow = Flow(survey.name, association.name, "main")
    component = survey.rarest_weight(association.variables() - {"panel"})
    weight = f"weight_{component}"
    flow.add("people in the survey", len(people), None, "start")
    kept = people
    for box, tests in association.domain.items():
        for name, test in tests.items():
            kept = flow.keep(kept, judge(kept[name], test), box)
    kept = flow.keep(kept, kept[weight] > 0, "survey weight above zero")
    for name, words in (
        (association.outcome.variable, "outcome known"),
        (association.exposure, "group known"),
    ):
        kept = flow.keep(kept, kept[name].notna(), words)
    kept = flow.keep(kept, kept[association.names].notna().all(axis=1), "every adjustment variable known")
    groups = kept[association.exposure]
    event = judge(kept[association.outcome.variable], association.outcome.event).astype(bool)
    for group in groups.cat.categories[groups.cat.categories.isin(groups.unique())]:
        flow.add(str(group), int((groups == group).sum()), None, "arm")
        flow.add(f"{group}: {association.outcome.label}", int((event & (groups == group)).sum()), None, "event")
    marked = people[people[weight] > 0]
    return (
        marked.join(weighed(marked, survey, component)).assign(
            in_domain=marked.index.isin(kept.index),
            outcome=judge(marked[association.outcome.variable], association.outcome.event),
        ),
        flow.frame(),
    )
