"""Carries every variation of a trial through its estimators."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from backpain.cohort import skeleton_of
from backpain.design import Sampling, replicated
from backpain.diagnose import gate
from backpain.estimate import estimate, minimal_detectable_difference, without_numbers
from backpain.sampling import by_replicates, linear
from backpain.spec import Plan, Protocol, Survey
from backpain.trials.missing import Handled, handle, imputed
from backpain.trials.scope import DESCRIPTION, ESTIMATES, SCOPE, each, headed, one_sided

POWER = 0.8
POOLING = [*SCOPE, "arm", "scale", "estimator", "imputations", "df", "missing_variance", "monte_carlo"]
NOTHING = pd.DataFrame({"variation": pd.Series(dtype=str)})


def estimate_trial(
    participants: pd.DataFrame,
    skeleton: pd.DataFrame,
    diagnosed: pd.DataFrame,
    protocol: Protocol,
    survey: Survey,
    values: pd.DataFrame = NOTHING,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Estimate every variation of a trial.

    Parameters
    ----------
    participants, skeleton
        What `emulate` returned.
    diagnosed
        The diagnostics of `diagnose_trial`; each estimate carries the gate that follows from them.
    protocol, survey
        The declarations.
    values
        What `impute_trial` made, all jobs together.

    Returns
    -------
    estimates, detectable, pooling : DataFrame
        Rows of estimates.csv, of detectable.csv and of pooling.csv.
    """
    estimates, detectable, pooling = [], [], []
    for name, plan, people in each(participants, protocol, survey):
        estimators = protocol.estimators_of(name) if plan.assignment.confounders else ["unadjusted"]
        handled = handle(people, plan, imputed(values, name, people))
        design = design_of(handled, skeleton, plan, survey)
        # The declared analysis has to have both arms; a variation that lacks one does not take the others with it.
        reason = one_sided(handled.sets[0]) if name != "main" else ""
        if reason:
            rows = without_numbers(handled.sets[0], estimators, design.degrees_of_freedom_in(), reason)
        else:
            rows = estimate(
                handled.sets,
                plan.assignment.terms,
                estimators=estimators,
                population=plan.estimand.population,
                lost=plan.follow_up.lost,
                response=handled.response,
                design=design,
            )
        rows = rows.assign(
            estimand=protocol.emulates,
            outcome=plan.outcome.variable,
            domain="; ".join(plan.eligibility),
            adjusted_for="; ".join(plan.assignment.names),
            gate=_opened(plan, diagnosed[diagnosed["variation"] == name]),
        )
        estimates.append(headed(rows, survey, protocol, name))
        pooling.append(estimates[-1].loc[rows["imputations"].notna(), POOLING])
        primary = protocol.primary_estimator if plan.assignment.confounders else "unadjusted"
        detectable.append(headed(_detectable(rows, primary), survey, protocol, name))
    tables = (pd.concat(frames, ignore_index=True) for frames in (estimates, detectable, pooling))
    first, second, third = tables
    return first[ESTIMATES], second, third


def design_of(handled: Handled, skeleton: pd.DataFrame, plan: Plan, survey: Survey) -> Sampling:
    """The design of everyone whom a variation estimates from, with the variance that its plan declares."""
    people = handled.sets[0] if handled.response is None else handled.whole
    if plan.variance.method == "given":
        return replace(by_replicates(people, survey), workers=plan.variance.workers)
    design = linear(people, survey, skeleton_of(skeleton, plan, survey))
    return design if plan.variance.resampling is None else replicated(design, **plan.variance.resampling)


def _opened(plan: Plan, diagnosed: pd.DataFrame) -> str:
    return DESCRIPTION if plan.description_only else gate(diagnosed)


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
