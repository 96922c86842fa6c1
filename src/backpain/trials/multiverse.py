"""Carries every specification of a trial's multiverse through its estimators, and through the same bootstrap draws."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backpain.cohort import Flow, choose, columns_of, skeleton, waves_of
from backpain.design import Design, replicated
from backpain.estimate import REFITTED, Refits, estimate
from backpain.nuisance import Nuisance, fit_nuisance
from backpain.sampling import linear
from backpain.spec import Plan, Protocol, Survey, specifications
from backpain.trials.diagnosing import gate_of
from backpain.trials.missing import handle

Numbers = NDArray[np.float64]

SPECIFICATION = [
    "survey", "analysis", "specification", "choices", "declared", "estimator", "scale", "estimate", "se", "low", "high", "p",
    "design_df", "gate", "reason", "replicates", "failed_replicates",
]  # fmt: skip
DRAWS = ["specification", "scale", "replicate", "value"]
# On which scale each contrast is drawn again, from the risks of the treated and the untreated.
SCALES = {
    "risk-difference": lambda risk: risk[:, 0] - risk[:, 1],
    "risk-ratio": lambda risk: np.log(risk[:, 0] / risk[:, 1]),
}


def explore(
    people: pd.DataFrame, protocol: Protocol, survey: Survey, part: int = 1
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One job's share of the specifications: their estimates, and what each gives under every bootstrap draw.

    Every model is fitted again in every replicate, and the draws are of the survey's PSUs, so that they are the same
    for all specifications.

    Parameters
    ----------
    people
        What `harmonise` returned.
    part
        Which job: 1 to `multiverse.jobs`. The share is every `jobs`-th combination of options, from this one on.

    Returns
    -------
    estimates : DataFrame
        A row for each specification and scale; columns `SPECIFICATION`. `declared` marks the protocol's own.
    draws : DataFrame
        Rows (specification, scale, replicate, value), of ratios the logarithm; without the replicates that gave none.

    Raises
    ------
    ValueError
        As `choose` and `estimate` do, naming the specification.
    """
    declared = protocol.multiverse
    if declared is None:
        raise ValueError(f"protocols/{protocol.name}.yaml: declares no multiverse")
    baseline, later = waves_of(people, survey)
    everywhere = skeleton(people, survey).drop(columns="panel", errors="ignore").drop_duplicates()
    rows, drawn = [], []
    for place, (options, plan) in enumerate(specifications(protocol)):
        if place % declared.jobs != part - 1:
            continue
        columns = columns_of(baseline, survey, {*plan.assignment.names, *plan.assignment.helpers})
        flow = Flow(survey.name, protocol.name, " x ".join(options.values()))
        chosen, _ = choose(baseline, later, plan, flow, survey, columns)
        kept = handle(chosen.reset_index(), plan)
        found, draws = _specified(kept.sets[0], plan, protocol, survey, everywhere)
        first = place * len(declared.estimators)
        told = "; ".join(f"{choice}: {option}" for choice, option in options.items())
        rows.append(found.assign(specification=first + found["number"], choices=told, combination=place))
        drawn.append(draws.assign(specification=first + draws["number"]))
    table = pd.concat(rows, ignore_index=True)
    own = (table["combination"] == 0) & (table["estimator"] == protocol.primary_estimator)
    table = table.assign(survey=survey.name, analysis=protocol.name, declared=own, replicates=declared.replicates)
    return table[SPECIFICATION], pd.concat(drawn, ignore_index=True)[DRAWS]


def _specified(
    people: pd.DataFrame, plan: Plan, protocol: Protocol, survey: Survey, everywhere: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Estimates and draws of one combination of options by every estimator, numbered from 0."""
    declared = protocol.multiverse
    assert declared is not None
    terms = plan.assignment.terms
    nuisance = fit_nuisance(people, terms, lost=plan.follow_up.lost)
    design = linear(people, survey, everywhere)
    rows = estimate(people, terms, estimators=declared.estimators, nuisance=nuisance, design=design)
    rows = rows[rows["scale"].isin(list(SCALES))]
    draws = _draws(people, plan, nuisance, design, protocol)
    number = {name: place for place, name in enumerate(declared.estimators)}
    rows = rows.assign(number=rows["estimator"].map(number), gate=gate_of(people, plan))
    counted = draws.groupby(["number", "scale"])["value"].count()
    keys = pd.MultiIndex.from_frame(rows[["number", "scale"]])
    failed = declared.replicates - counted.reindex(keys, fill_value=0).to_numpy()
    return rows.assign(failed_replicates=failed), draws


def _draws(people: pd.DataFrame, plan: Plan, nuisance: Nuisance, design: Design, protocol: Protocol) -> pd.DataFrame:
    declared = protocol.multiverse
    assert declared is not None
    boot = replicated(design, "bootstrap", replicates=declared.replicates, seed=declared.seed)
    refits = Refits.of(people, plan.assignment.terms, boot, nuisance)
    parts = []
    for number, name in enumerate(declared.estimators):
        with np.errstate(invalid="ignore", divide="ignore"):  # a replicate without an estimate is left out, and counted
            risk = REFITTED[name](refits)
            for scale, contrast in SCALES.items():
                value = contrast(risk)
                parts.append(
                    pd.DataFrame({"number": number, "scale": scale, "replicate": np.arange(len(value)), "value": value})
                )
    every = pd.concat(parts, ignore_index=True)
    return every[np.isfinite(every["value"])]
