"""Four ways to contrast the treated with the untreated, each with the influence of every model it leans on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backpain.design import Design
from backpain.estimate.rows import (
    Group,
    Source,
    contrast_row,
    contrast_rows,
    failed_rows,
    risk_rows,
    standardised,
    table,
)
from backpain.nuisance import Nuisance, with_arm
from backpain.regression import Logistic, Term, design_matrix, logistic

Numbers = NDArray[np.float64]

# Where `with_arm` puts the arm.
ARM = 1


class Risks(NamedTuple):
    """Risks of the treated and the untreated, their (people, 2) influence, and why they cannot be used."""

    risk: Numbers
    influence: Numbers
    reason: str = ""


class OutcomeModel(NamedTuple):
    """The weighted outcome model of those followed, with the influence of the loss model carried through."""

    fit: Logistic
    influence: Numbers
    covariates: Numbers
    columns: list[str]


def unadjusted(participants: pd.DataFrame, terms: Sequence[Term], design: Design, nuisance: Nuisance) -> pd.DataFrame:
    """Risk in each arm among those followed, as they are; by 1 / retention where loss terms were declared."""
    # ASSUME: without them the lost of an arm are like its followed: a loss model of the arm alone cancels.
    trial = nuisance.trial
    if not nuisance.loss_declared or nuisance.retention_model is None:
        return arm_table("unadjusted", hajek(nuisance, trial.weight * trial.followed, None), design, nuisance)
    if not nuisance.retention_model.converged:
        reason = f"retention: {nuisance.retention_model.reason}"
        return arm_table("unadjusted", unusable(nuisance, reason), design, nuisance)
    weight = np.where(trial.followed, trial.weight / nuisance.retention, 0.0)
    return arm_table("unadjusted", hajek(nuisance, weight, False), design, nuisance)


def weighting(participants: pd.DataFrame, terms: Sequence[Term], design: Design, nuisance: Nuisance) -> pd.DataFrame:
    """Risk in each arm weighted by treatment weight and 1 / retention, each arm's weights normalised (Hajek).

    Lunceford and Davidian 2004, Stat Med 23:2937.
    """
    if not nuisance.converged:
        return arm_table("weighting", unusable(nuisance, nuisance.reason), design, nuisance)
    return arm_table("weighting", hajek(nuisance, nuisance.analysis_weight, True), design, nuisance)


def standardisation(
    participants: pd.DataFrame, terms: Sequence[Term], design: Design, nuisance: Nuisance
) -> pd.DataFrame:
    """Risks predicted for all in each arm, averaged with the survey weight (parametric g-formula)."""
    # ASSUME: treatment and terms act on the log-odds of the event without interaction.
    model = outcome_model(participants, terms, nuisance, "newton")
    reason = reason_of(model.fit, nuisance)
    if reason:
        return arm_table("standardisation", unusable(nuisance, reason), design, nuisance)
    matrices = [with_arm(model.covariates, model.columns, arm)[0] for arm in (True, False)]
    risk, influence = standardised(matrices, model.fit.coefficients, model.influence, target_of(nuisance))
    return arm_table("standardisation", Risks(risk, influence), design, nuisance)


def conditional(participants: pd.DataFrame, terms: Sequence[Term], design: Design, nuisance: Nuisance) -> pd.DataFrame:
    """The odds ratio of treatment given the terms: the outcome model of `standardisation` by statsmodels.

    It is not the odds ratio of the population's risks, because odds ratios do not average.
    """
    model = outcome_model(participants, terms, nuisance, "statsmodels")
    reason = reason_of(model.fit, nuisance)
    source = Source("logistic", design.degrees_of_freedom_in(), reason)
    arms = arms_of(nuisance)
    if reason:
        return table(failed_rows(arms, source, ["odds-ratio"], risks=False))
    se = math.sqrt(design.covariance(model.influence[:, ARM])[0, 0])
    value = float(model.fit.coefficients[ARM])
    return table([contrast_row(arms[0].beside(arms[1]), "odds-ratio", value, se, source, math.exp)])


def hajek(nuisance: Nuisance, weight: Numbers, treatment: bool | None) -> Risks:
    """Weighted risks of the arms; which models made the weights: both (True), loss alone (False), none (None)."""
    trial = nuisance.trial
    risk, columns = np.empty(2), []
    for place, arm in enumerate((trial.treated, ~trial.treated)):
        part = np.where(arm, weight, 0.0) / weight[arm].sum()
        risk[place] = part @ trial.event
        columns.append(part * (trial.event - risk[place]))
    influence = np.column_stack(columns)
    if treatment is not None:
        influence = influence + nuisance.drift(influence, treatment)
    return Risks(risk, influence)


def outcome_model(participants: pd.DataFrame, terms: Sequence[Term], nuisance: Nuisance, engine: str) -> OutcomeModel:
    """The outcome on arm and terms among those followed, weighted by survey weight / retention."""
    covariates, columns = covariates_of(participants, terms, nuisance)
    matrix, names = with_arm(covariates, columns, nuisance.trial.treated)
    fit = logistic(matrix, nuisance.trial.event, followed_weight(nuisance), names, engine)
    return OutcomeModel(fit, carried(fit, nuisance), covariates, columns)


def carried(fit: Logistic, nuisance: Nuisance) -> Numbers:
    """The influence of an outcome model's coefficients, with that of the loss model that weights it."""
    if not fit.converged or not retained(nuisance):
        return np.full(fit.score.shape, np.nan)
    return np.asarray((fit.score + nuisance.drift(fit.score, treatment=False)) @ fit.bread)


def covariates_of(participants: pd.DataFrame, terms: Sequence[Term], nuisance: Nuisance) -> tuple[Numbers, list[str]]:
    """The terms' model matrix, from the propensity model where it has the same terms."""
    if list(terms) == list(nuisance.terms):
        return nuisance.covariates, nuisance.columns
    return design_matrix(participants, terms)


def followed_weight(nuisance: Nuisance) -> Numbers:
    """Survey weight / retention of the followed, 0 for the lost; without a usable loss model, the survey weight."""
    trial = nuisance.trial
    retention = nuisance.retention if retained(nuisance) else np.ones(len(trial.weight))
    return np.where(trial.followed, trial.weight / retention, 0.0)


def target_of(nuisance: Nuisance) -> Numbers:
    """The survey weight of the people the contrast is about, 0 for the others."""
    trial = nuisance.trial
    return trial.weight if nuisance.population == "everyone" else trial.weight * trial.treated


def retained(nuisance: Nuisance) -> bool:
    """Whether the loss model, if there is one, can be used."""
    return nuisance.retention_model is None or nuisance.retention_model.converged


def reason_of(fit: Logistic, nuisance: Nuisance) -> str:
    """Why an outcome model cannot be used: itself, or the loss model that weights it."""
    if nuisance.retention_model is not None and not nuisance.retention_model.converged:
        return f"retention: {nuisance.retention_model.reason}"
    return "" if fit.converged else f"outcome: {fit.reason}"


def unusable(nuisance: Nuisance, reason: str) -> Risks:
    """No risks, and why."""
    return Risks(np.full(2, np.nan), np.zeros((len(nuisance.trial.weight), 2)), reason)


def arms_of(nuisance: Nuisance) -> list[Group]:
    """The treated, then the untreated: all of them, the lost too."""
    trial = nuisance.trial
    return [
        Group(name, int(arm.sum()), int(trial.event[arm].sum()), float(trial.weight[arm].sum()))
        for name, arm in (("treated", trial.treated), ("untreated", ~trial.treated))
    ]


def arm_table(estimator: str, risks: Risks, design: Design, nuisance: Nuisance) -> pd.DataFrame:
    """The rows of an estimator of the two risks."""
    source = Source(estimator, design.degrees_of_freedom_in(), risks.reason)
    arms = arms_of(nuisance)
    if risks.reason:
        return table(failed_rows(arms, source))
    covariance = design.covariance(risks.influence)
    return table(
        [
            *risk_rows(arms, risks.risk, covariance, source),
            *contrast_rows(arms, risks.risk, covariance, source),
        ]
    )
