"""What is done about participants who lack a confounder, as the plan of a variation declares it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from backpain.impute import (
    ImputationPlan,
    Imputations,
    ResponseWeights,
    completed,
    impute,
    r_hat,
    response_weights,
)
from backpain.spec import Plan, Protocol, Survey
from backpain.trials.scope import SCOPE, each, headed

CONVERGENCE = [*SCOPE, "imputation", "panel", "iteration", "variable", "level", "mean", "sd", "r_hat"]


@dataclass(frozen=True)
class Handled:
    """A variation's participants, ready to be estimated from.

    Attributes
    ----------
    whole
        Everyone chosen, those who lack a confounder too.
    sets
        The people to estimate from: complete cases, or everyone once for each imputation.
    response
        The model of who is a complete case, where they are weighted up by it; `sets` have its weights.
    """

    whole: pd.DataFrame
    sets: list[pd.DataFrame]
    response: ResponseWeights | None = None


def handle(people: pd.DataFrame, plan: Plan, imputed: Imputations | None = None) -> Handled:
    """Apply the plan's choice about missing confounders.

    Parameters
    ----------
    people
        The variation's participants with `complete`, whether no confounder is missing.
    imputed
        Their imputations; needed where the plan imputes and somebody lacks something.

    Raises
    ------
    ValueError
        As `response_weights` and `completed` do, and if the imputations are absent.
    """
    complete = people["complete"].to_numpy(dtype=bool)
    if complete.all():
        return Handled(people, [people])
    if plan.assignment.missing == "imputed":
        if imputed is None:
            raise ValueError("imputations: none were made for these participants; run the rule `impute` first")
        return Handled(people, [completed(people, imputed, number) for number in imputed.numbers])
    cases = people[complete].reset_index(drop=True)
    if plan.assignment.missing == "complete-case":
        return Handled(cases, [cases])
    confounders = [name for name in plan.assignment.names if name != "panel"]
    response = response_weights(people, confounders, ["treated", *(plan.assignment.response or [])])
    weight = people.loc[complete, "weight"].to_numpy(dtype=float) * response.factor[complete]
    return Handled(people, [cases.assign(weight=weight)], response)


def imputation_plan(people: pd.DataFrame, plan: Plan) -> ImputationPlan:
    """The chained equations that a variation declares, for the confounders and helpers that somebody lacks."""
    declared = plan.assignment.imputation
    if declared is None:
        raise ValueError("imputation: the plan declares none")
    named = [name for name in (*plan.assignment.names, *declared.helped_by) if name != "panel"]
    lacking = [name for name in dict.fromkeys(named) if people[name].isna().any()]
    panels = "panel" in people and people["panel"].nunique() > 1
    return ImputationPlan(
        impute={name: declared.by.get(name, "default") for name in lacking},
        outcome="event",
        treatment="treated",
        # ASSUME: numbers enter the imputation models as they enter the analysis, or as straight lines.
        predictors=(
            *(term.term for term in plan.assignment.confounders if term.variable != "panel"),
            *declared.helped_by,
        ),
        products=tuple(pair for pair in plan.assignment.interactions if "panel" not in pair),
        never=tuple(name for tests in plan.eligibility.values() for name in tests),
        design_effects=declared.design_effects,
        panel="panel" if panels else None,
        panels=declared.panels if panels else "effects",
        m=declared.m,
        iterations=declared.iterations,
        donors=declared.donors,
        seed=declared.seed,
    )


def impute_trial(
    participants: pd.DataFrame, protocol: Protocol, survey: Survey, part: int = 1
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One job's share of the imputations of every variation that declares them.

    Parameters
    ----------
    part
        Which job: 1 to `jobs`. The share is every `jobs`-th imputation, from this one on.

    Returns
    -------
    values, trace : DataFrame
        Those of `Imputations`, headed by survey, analysis and variation; values say whether the variable is a category.
    """
    values, traces = [], []
    for name, plan, people in each(participants, protocol, survey):
        declared = plan.assignment.imputation
        if declared is None or people["complete"].all() or part > declared.jobs:
            continue
        numbers = list(range(part, declared.m + 1, declared.jobs))
        made = impute(people, imputation_plan(people, plan), numbers)
        category = made.values["variable"].astype(str).isin(made.categories)
        found = made.values.assign(variable=made.values["variable"].astype(str), category=category)
        values.append(headed(found, survey, protocol, name))
        traces.append(headed(made.trace, survey, protocol, name))
    return joined(values), joined(traces)


def imputed(values: pd.DataFrame, variation: str, people: pd.DataFrame) -> Imputations | None:
    """The imputations of one variation from what all jobs made; None if it has none."""
    mine = values[values["variation"] == variation]
    if not len(mine):
        return None
    order = ["imputation", "variable", "row"]
    return Imputations(
        values=mine.sort_values(order, kind="stable", ignore_index=True),
        trace=pd.DataFrame(),
        notes=pd.DataFrame(),
        categories=tuple(mine.loc[mine["category"], "variable"].unique()),
        people=len(people),
        numbers=tuple(sorted(int(number) for number in mine["imputation"].unique())),
    )


def convergence(trace: pd.DataFrame) -> pd.DataFrame:
    """How the chains of every imputed variation went: the mean and spread drawn in each iteration, with R-hat."""
    if not len(trace):
        return pd.DataFrame(columns=CONVERGENCE)
    keys = ["panel", "variable", "level"]
    trace = trace.assign(**{key: trace[key].fillna("") for key in keys})
    parts = [part.merge(r_hat(part)[[*keys, "r_hat"]], on=keys) for _, part in trace.groupby(SCOPE, sort=False)]
    ordered = pd.concat(parts, ignore_index=True).sort_values(
        [*SCOPE, "variable", "level", "panel", "imputation", "iteration"], kind="stable", ignore_index=True
    )
    return ordered[CONVERGENCE]


def joined(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """The parts of a table that have rows, under one another; an empty table with a variation if none has."""
    parts = [frame for frame in frames if len(frame)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"variation": pd.Series(dtype=str)})
