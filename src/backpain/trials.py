"""Carries every variation of a trial through its diagnostics and its estimators, and an association through its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from backpain.cohort import skeleton_of
from backpain.design import Design, mean
from backpain.diagnose import PASSED, balance, checks, diagnostics, gate, missingness, overlap, table_one
from backpain.estimate import associate, estimate, minimal_detectable_difference
from backpain.nuisance import fit_nuisance
from backpain.spec import Association, Plan, Protocol, Survey, variations

SCOPE = ["survey", "analysis", "variation"]
ESTIMATES = [
    *SCOPE, "estimand", "outcome", "domain", "arm", "scale", "estimator", "adjusted_for", "estimate", "se", "low", "high",
    "p", "people", "events", "design_df", "weighted_people", "converged", "gate",
]  # fmt: skip
DESCRIPTION = "description"
POWER = 0.8


@dataclass(frozen=True)
class Diagnosis:
    """What is looked at before the estimates of a trial; each a tidy table headed by survey, analysis, variation."""

    diagnostics: pd.DataFrame
    balance: pd.DataFrame
    overlap: pd.DataFrame
    table1: pd.DataFrame
    missingness: pd.DataFrame


def diagnose_trial(participants: pd.DataFrame, skeleton: pd.DataFrame, protocol: Protocol, survey: Survey) -> Diagnosis:
    """Diagnose every variation of a trial.

    Parameters
    ----------
    participants, skeleton
        What `emulate` returned.
    protocol, survey
        The declarations.

    Returns
    -------
    Diagnosis
        Diagnostics, balance and overlap of every variation; Table 1 and missingness of the main analysis.
    """
    main = protocol.assignment.names
    found: dict[str, list[pd.DataFrame]] = {"diagnostics": [], "balance": [], "overlap": []}
    for name, plan, people in _each(participants, protocol, survey):
        nuisance = fit_nuisance(people, plan.assignment.terms, lost=plan.follow_up.lost)
        if not nuisance.converged:
            found["diagnostics"].append(_headed(_no_weights(plan), survey, protocol, name))
            continue
        # An unadjusted variation is compared on what the main analysis adjusts for, among people in whom it is known.
        compared = plan.assignment.names or main
        known = people[compared].notna().all(axis=1)
        differences = balance(people[known], compared, people.loc[known, "weight"], nuisance.analysis_weight[known])
        found_checks = diagnostics(
            people, differences, nuisance.propensity, nuisance.analysis_weight, plan.gate.model_dump()
        )
        parts = {
            "diagnostics": pd.concat([found_checks, _seen_again(people)], ignore_index=True),
            "balance": differences,
            "overlap": overlap(nuisance.propensity, people["treated"], people["weight"]),
        }
        for kind, frame in parts.items():
            found[kind].append(_headed(frame, survey, protocol, name))
    everyone = participants[participants["variation"] == "main"]
    design = Design.of(everyone, skeleton=skeleton_of(skeleton, protocol, survey), lonely=survey.design.lonely)
    described = table_one(everyone, protocol.table_one, interval=_interval(design))
    lacking = missingness(everyone, protocol.table_one)
    return Diagnosis(
        **{kind: pd.concat(frames, ignore_index=True) for kind, frames in found.items()},
        table1=_headed(described, survey, protocol, "main"),
        missingness=_headed(lacking, survey, protocol, "main"),
    )


def estimate_trial(
    participants: pd.DataFrame,
    skeleton: pd.DataFrame,
    diagnosed: pd.DataFrame,
    protocol: Protocol,
    survey: Survey,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Estimate every variation of a trial.

    Parameters
    ----------
    participants, skeleton
        What `emulate` returned.
    diagnosed
        The diagnostics of `diagnose_trial`; each estimate carries the gate that follows from them.
    protocol, survey
        The declarations.

    Returns
    -------
    estimates, detectable : DataFrame
        Rows of estimates.csv and of detectable.csv.
    """
    estimates, detectable = [], []
    for name, plan, people in _each(participants, protocol, survey):
        estimators = protocol.estimators if plan.assignment.confounders else ["unadjusted"]
        rows = estimate(
            people,
            plan.assignment.terms,
            skeleton_of(skeleton, plan, survey),
            survey.design.lonely,
            estimators=estimators,
            lost=plan.follow_up.lost,
            resampling=plan.variance.resampling,
        )
        opened = DESCRIPTION if plan.description_only else gate(diagnosed[diagnosed["variation"] == name])
        rows = rows.assign(
            estimand=protocol.emulates,
            outcome=plan.outcome.variable,
            domain="; ".join(plan.eligibility),
            adjusted_for="; ".join(plan.assignment.names),
            gate=opened,
        )
        estimates.append(_headed(rows, survey, protocol, name))
        primary = protocol.primary_estimator if plan.assignment.confounders else "unadjusted"
        detectable.append(_headed(_detectable(rows, primary), survey, protocol, name))
    return pd.concat(estimates, ignore_index=True)[ESTIMATES], pd.concat(detectable, ignore_index=True)


def associate_survey(
    people: pd.DataFrame, skeleton: pd.DataFrame, association: Association, survey: Survey
) -> pd.DataFrame:
    """The rows of estimates.csv for one association: prevalence by group, crude and standardised.

    `people` is everyone with a weight, marked by `in_domain`, as `domain_of` returns them.
    """
    rows = associate(
        people,
        "outcome",
        association.exposure,
        association.reference,
        association.terms,
        people["in_domain"],
        skeleton,
        survey.design.lonely,
    )
    rows = rows.assign(
        survey=survey.name,
        analysis=association.name,
        variation="main",
        estimand="association",
        outcome=association.outcome.variable,
        domain="; ".join(association.domain),
        adjusted_for=np.where(rows["estimator"] == "unadjusted", "", "; ".join(association.names)),
        gate=DESCRIPTION,
    )
    return rows[ESTIMATES]


def _each(participants: pd.DataFrame, protocol: Protocol, survey: Survey) -> Iterator[tuple[str, Plan, pd.DataFrame]]:
    """Each variation with its plan and those of its participants who lack no confounder."""
    for name, plan in variations(protocol, survey):
        chosen = participants[(participants["variation"] == name) & participants["complete"]]
        yield name, plan, chosen.reset_index(drop=True)


def _no_weights(plan: Plan) -> pd.DataFrame:
    """The checks of a variation whose models of treatment or loss cannot be used: none of them is passed."""
    thresholds = plan.gate.model_dump()
    return checks(dict.fromkeys(thresholds, np.nan), thresholds)


def _seen_again(people: pd.DataFrame) -> pd.DataFrame:
    """The share of those without a record at follow-up who were found there by a match, by arm."""
    ways = people["seen_by"].dropna().unique()
    without = people[people["seen_by"].isna() | (people["seen_by"] != "record")]
    rows = [
        {"check": f"matched_share_without_record_{arm}", "value": group["seen_by"].notna().mean()}
        for arm, group in (
            ("treated", without[without["treated"]]),
            ("untreated", without[~without["treated"]]),
        )
        if len(ways) > 1 and len(group)
    ]
    return pd.DataFrame(rows, columns=["check", "value"]).astype({"value": float})


def _headed(frame: pd.DataFrame, survey: Survey, protocol: Protocol, variation: str) -> pd.DataFrame:
    head = pd.DataFrame({"survey": survey.name, "analysis": protocol.name, "variation": variation}, index=frame.index)
    return pd.concat([head, frame], axis=1)


def _detectable(rows: pd.DataFrame, estimator: str) -> pd.DataFrame:
    """The smallest risk difference that a study with this standard error finds with the stated power."""
    mine = rows[rows["estimator"] == estimator].set_index(["scale", "arm"])
    contrast = mine.xs("risk-difference", level="scale").iloc[0]
    return pd.DataFrame(
        [
            {
                "risk_untreated": mine.loc[("risk", "untreated"), "estimate"],
                "se": contrast["se"],
                "detectable_difference": minimal_detectable_difference(
                    contrast["se"], contrast["design_df"], power=POWER
                ),
                "power": POWER,
            }
        ]
    )


def _interval(design: Design) -> Callable[[np.ndarray, np.ndarray], tuple[float, float]]:
    def interval(values: np.ndarray, domain: np.ndarray) -> tuple[float, float]:
        found = mean(np.where(domain, values, 0).astype(float), design, domain=domain)
        return found.low, found.high

    return interval


__all__ = [
    "DESCRIPTION",
    "ESTIMATES",
    "PASSED",
    "Diagnosis",
    "associate_survey",
    "diagnose_trial",
    "estimate_trial",
]
