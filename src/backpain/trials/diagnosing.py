"""Carries every variation of a trial through its diagnostics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from backpain.cohort import skeleton_of
from backpain.design import Sampling
from backpain.diagnose import (
    balance,
    checks,
    diagnostics,
    equipoise,
    gate,
    missingness,
    overlap,
    product_balance,
    table_one,
)
from backpain.nuisance import Nuisance, fit_nuisance
from backpain.regression import INTERCEPT, survey_regression
from backpain.sampling import sampled
from backpain.spec import Plan, Protocol, Survey
from backpain.trials.estimating import NOTHING
from backpain.trials.missing import handle, imputed
from backpain.trials.scope import each, headed, one_sided

# A check told for each arm; see `_seen_again`.
MATCHED = "matched_share_without_record_"


@dataclass(frozen=True)
class Diagnosis:
    """What is looked at before the estimates of a trial; each a tidy table headed by survey, analysis, variation."""

    diagnostics: pd.DataFrame
    balance: pd.DataFrame
    overlap: pd.DataFrame
    table1: pd.DataFrame
    missingness: pd.DataFrame


def diagnose_trial(
    participants: pd.DataFrame,
    skeleton: pd.DataFrame,
    protocol: Protocol,
    survey: Survey,
    values: pd.DataFrame = NOTHING,
) -> Diagnosis:
    """Diagnose every variation of a trial.

    Parameters
    ----------
    participants, skeleton
        What `emulate` returned.
    protocol, survey
        The declarations.
    values
        What `impute_trial` made, all jobs together.

    Returns
    -------
    Diagnosis
        Diagnostics, balance and overlap of every variation; Table 1 and missingness of the main analysis.
    """
    main = protocol.assignment.names
    found: dict[str, list[pd.DataFrame]] = {"diagnostics": [], "balance": [], "overlap": []}
    for name, plan, people in each(participants, protocol, survey):
        handled = handle(people, plan, imputed(values, name, people))
        # An unadjusted variation is compared on what the main analysis adjusts for, among people in whom it is known.
        compared = plan.assignment.names or main
        lacking = name != "main" and one_sided(handled.sets[0])
        looks = [None if lacking else look(one, plan, compared) for one in handled.sets]
        if any(seen is None for seen in looks):
            found["diagnostics"].append(headed(_no_weights(plan), survey, protocol, name))
            continue
        parts = averaged([seen for seen in looks if seen is not None], handled.sets, plan)
        if name == "main":
            # Of the declared analysis alone: the shares of a few people more or less would give those few away.
            told = [parts["diagnostics"], _seen_again(handled.whole)]
            if len(handled.sets) == 1 and plan.assignment.confounders and looks[0] is not None:
                sample = sampled(handled.sets[0], survey, skeleton_of(skeleton, plan, survey))
                told.append(products(handled.sets[0], plan, looks[0].nuisance, sample))
                told.append(finer(handled.sets[0], plan, looks[0].nuisance))
            parts["diagnostics"] = pd.concat(told, ignore_index=True)
        for kind, frame in parts.items():
            found[kind].append(headed(frame, survey, protocol, name))
    everyone = participants[participants["variation"] == "main"]
    design = sampled(everyone, survey, skeleton_of(skeleton, protocol, survey))
    described = table_one(everyone, protocol.table_one, design=design)
    lacking = missingness(everyone, protocol.table_one)
    return Diagnosis(
        **{kind: pd.concat(frames, ignore_index=True) for kind, frames in found.items()},
        table1=headed(described, survey, protocol, "main"),
        missingness=headed(lacking, survey, protocol, "main"),
    )


def products(people: pd.DataFrame, plan: Plan, nuisance: Nuisance, design: Sampling) -> pd.DataFrame:
    """Whether the confounders change what treatment does, in a logistic model of the outcome: one row without threshold.

    The p-value of Rao and Scott's working likelihood ratio of all products of treatment and confounders, among the
    followed, under the survey weight over the chance of being followed; that chance is taken as known. Missing where
    the model cannot be fitted or the design is too small for the test. It informs on standardisation by one model without
    the products; a large p-value does not say that there are none.
    """
    names = plan.assignment.names
    terms = [*plan.assignment.terms, *({"interaction": ["treated", name]} for name in names)]
    followed = people["followed"].to_numpy(dtype=bool)
    whole = people.assign(event=people["event"].astype("boolean").fillna(False).astype(bool))
    sample = design.times(1 / np.where(followed, nuisance.retention, 1.0))
    try:
        model = survey_regression(whole, "event", ["treated", *terms], sample, domain=followed)
        groups = [name for name in model.coding.groups if name not in (INTERCEPT, "treated", *names)]
        value = model.working_likelihood_ratio(groups).p if model.converged else np.nan
    except ValueError:
        # Too few degrees of freedom, or a level that nobody followed has: there is no test.
        value = np.nan
    return checks({"p_treatment_by_confounders": value}, {})


def finer(people: pd.DataFrame, plan: Plan, nuisance: Nuisance) -> pd.DataFrame:
    """How alike the arms are in the products of confounders, and how many might be in either arm; to inform."""
    weight = people["weight"].to_numpy(dtype=float)
    found = product_balance(people, plan.assignment.names, weight, nuisance.analysis_weight).abs()
    limit = plan.gate.largest_smd
    values = {
        "largest_smd_of_products": float(found.max()) if len(found) else np.nan,
        "share_of_products_above_limit": float((found > limit).mean()) if len(found) else np.nan,
        "equipoise": equipoise(nuisance.propensity, people["treated"], weight),
    }
    return checks(values, {})


@dataclass(frozen=True)
class Look:
    """What one completed set of participants shows."""

    nuisance: Nuisance
    balance: pd.DataFrame


def look(people: pd.DataFrame, plan: Plan, compared: list[str]) -> Look | None:
    """The models and the balance of one set; None where a model cannot be used."""
    nuisance = fit_nuisance(people, plan.assignment.terms, lost=plan.follow_up.lost)
    if not nuisance.converged:
        return None
    known = people[compared].notna().all(axis=1)
    return Look(
        nuisance, balance(people[known], compared, people.loc[known, "weight"], nuisance.analysis_weight[known])
    )


def averaged(looks: list[Look], sets: list[pd.DataFrame], plan: Plan) -> dict[str, pd.DataFrame]:
    """Diagnostics, balance and overlap; over imputations the means of differences, propensities and weights.

    ASSUME: the gate judges the mean over the imputations, as the estimate is one (Granger and others 2019, Stat Med
    38:5120).
    """
    people = sets[0]
    differences = _mean_balance([seen.balance for seen in looks])
    propensity = np.mean([seen.nuisance.propensity for seen in looks], axis=0)
    weight = np.mean([seen.nuisance.analysis_weight for seen in looks], axis=0)
    told = diagnostics(people, differences, propensity, weight, plan.gate.model_dump())
    return {
        "diagnostics": told,
        "balance": differences,
        "overlap": overlap(propensity, people["treated"], people["weight"]),
    }


def gate_of(people: pd.DataFrame, plan: Plan, further: pd.DataFrame | None = None) -> str:
    """The gate of some participants by themselves, with further checks of their own."""
    seen = look(people, plan, plan.assignment.names)
    if seen is None:
        return "failed: models"
    told = averaged([seen], [people], plan)["diagnostics"]
    return gate(told if further is None else pd.concat([told, further], ignore_index=True))


def _mean_balance(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """The mean of each number of the balance table over imputations, where any level of any of them stands."""
    if len(frames) == 1:
        return frames[0]
    keys = ["covariate", "level", "stage"]
    return pd.concat(frames).groupby(keys, sort=False, dropna=False).mean().reset_index()[frames[0].columns.to_list()]


def _no_weights(plan: Plan) -> pd.DataFrame:
    """The checks of a variation whose models of treatment or loss cannot be used: none of them is passed."""
    thresholds = plan.gate.model_dump()
    return checks(dict.fromkeys(thresholds, np.nan), thresholds)


def _seen_again(people: pd.DataFrame) -> pd.DataFrame:
    """The share of those without a record at follow-up who were found there by a match, by arm."""
    ways = people["seen_by"].dropna().unique()
    without = people[people["seen_by"].isna() | (people["seen_by"] != "record")]
    rows = [
        {
            "check": f"{MATCHED}{arm}",
            "value": group["seen_by"].notna().mean(),
            "people": int(group["seen_by"].notna().sum()),
        }
        for arm, group in (
            ("treated", without[without["treated"]]),
            ("untreated", without[~without["treated"]]),
        )
        if len(ways) > 1 and len(group)
    ]
    return pd.DataFrame(rows, columns=["check", "value", "people"]).astype({"value": float, "people": "Int64"})
