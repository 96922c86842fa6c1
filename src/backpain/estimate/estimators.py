"""Four ways to contrast the treated with the untreated, each with the influence of every model it leans on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backpain.estimate.rows import Group
from backpain.nuisance import Nuisance, covariates_of, with_arm
from backpain.regression import Average, Logistic, Term, average, logistic

Numbers = NDArray[np.float64]

# Where `with_arm` puts the arm.
ARM = 1


class Found(NamedTuple):
    """What an estimator found: the risks of the treated and the untreated, or a log odds ratio alone.

    With the (people, k) influence function, or why there is nothing to be used.
    """

    value: Numbers
    influence: Numbers
    reason: str = ""


class OutcomeModel(NamedTuple):
    """The weighted outcome model of those followed, with the influence of the loss model carried through."""

    fit: Logistic
    influence: Numbers
    covariates: Numbers
    columns: list[str]


def unadjusted(participants: pd.DataFrame, terms: Sequence[Term], nuisance: Nuisance) -> Found:
    """Risk in each arm among those followed, as they are; by 1 / retention where loss terms were declared."""
    # ASSUME: without them the lost of an arm are like its followed: a loss model of the arm alone cancels.
    trial = nuisance.trial
    if not nuisance.loss_declared or nuisance.retention_model is None:
        return hajek(nuisance, trial.weight * trial.followed, models=False)
    if not nuisance.retention_model.converged:
        reason = f"retention: {nuisance.retention_model.reason}"
        return unusable(nuisance, reason)
    weight = np.where(trial.followed, trial.weight / nuisance.retention, 0.0)
    return hajek(nuisance, weight)


def weighting(participants: pd.DataFrame, terms: Sequence[Term], nuisance: Nuisance) -> Found:
    """Risk in each arm weighted by treatment weight and 1 / retention, each arm's weights normalised (Hajek).

    Stabilised weights give the same, because what stabilises them is the same for everyone of an arm.
    Lunceford and Davidian 2004, Stat Med 23:2937.
    """
    if not nuisance.converged:
        return unusable(nuisance, nuisance.reason)
    return hajek(nuisance, nuisance.analysis_weight, nuisance.treatment_slope)


def standardisation(participants: pd.DataFrame, terms: Sequence[Term], nuisance: Nuisance) -> Found:
    """Risks predicted for all in each arm, averaged with the survey weight (parametric g-formula)."""
    # ASSUME: treatment and terms act on the log-odds of the event without interaction.
    model = outcome_model(participants, terms, nuisance, "newton")
    reason = reason_of(model.fit, nuisance)
    if reason:
        return unusable(nuisance, reason)
    matrices = [with_arm(model.covariates, model.columns, arm)[0] for arm in (True, False)]
    averages = [predicted(model.fit, matrix, nuisance) for matrix in matrices]
    return Found(
        np.concatenate([one.value for one in averages]), np.hstack([one.influence(model.influence) for one in averages])
    )


def predicted(fit: Logistic, matrix: Numbers, nuisance: Nuisance) -> Average:
    """What a model predicts under a matrix, averaged over the people the contrast is about."""
    return average([(lambda: matrix, 1.0)], fit.kind, fit.coefficients, target_of(nuisance))


def conditional(participants: pd.DataFrame, terms: Sequence[Term], nuisance: Nuisance) -> Found:
    """The odds ratio of treatment given the terms: the outcome model of `standardisation` by statsmodels.

    It is not the odds ratio of the population's risks, because odds ratios do not average.
    """
    model = outcome_model(participants, terms, nuisance, "statsmodels")
    reason = reason_of(model.fit, nuisance)
    if reason:
        return unusable(nuisance, reason, 1)
    return Found(model.fit.coefficients[[ARM]], model.influence[:, [ARM]])


def hajek(
    nuisance: Nuisance,
    weight: Numbers,
    slope: Numbers | None = None,
    of: NDArray[np.intp] | slice = slice(None),
    models: bool = True,
) -> Found:
    """Weighted risks of the arms. `slope` and `of` as in `Nuisance.drift`; without `models` the weights come from none."""
    trial = nuisance.trial
    risk, columns = np.empty(2), []
    for place, arm in enumerate((trial.treated, ~trial.treated)):
        part = np.where(arm, weight, 0.0) / weight[arm].sum()
        risk[place] = part @ trial.event
        columns.append(part * (trial.event - risk[place]))
    influence = np.column_stack(columns)
    if models:
        influence = influence + nuisance.drift(influence, slope, of)
    return Found(risk, influence)


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
    return np.asarray((fit.score + nuisance.drift(fit.score)) @ fit.bread)


def followed_weight(nuisance: Nuisance) -> Numbers:
    """Survey weight / retention of the followed, 0 for the lost; without a usable loss model, the survey weight."""
    trial = nuisance.trial
    retention = nuisance.retention if retained(nuisance) else np.ones(len(trial.weight))
    return np.where(trial.followed, trial.weight / retention, 0.0)


def target_of(nuisance: Nuisance) -> Numbers:
    """The survey weight of the people the contrast is about, 0 for the others."""
    trial = nuisance.trial
    if nuisance.population == "everyone":
        return trial.weight
    return trial.weight * (trial.treated if nuisance.population == "treated" else ~trial.treated)


def retained(nuisance: Nuisance) -> bool:
    """Whether the loss model, if there is one, can be used."""
    return nuisance.retention_model is None or nuisance.retention_model.converged


def reason_of(fit: Logistic, nuisance: Nuisance) -> str:
    """Why an outcome model cannot be used: itself, or the loss model that weights it."""
    if nuisance.retention_model is not None and not nuisance.retention_model.converged:
        return f"retention: {nuisance.retention_model.reason}"
    return "" if fit.converged else f"outcome: {fit.reason}"


def unusable(nuisance: Nuisance, reason: str, width: int = 2) -> Found:
    """Nothing, and why."""
    return Found(np.full(width, np.nan), np.zeros((len(nuisance.trial.weight), width)), reason)


def arms_of(nuisance: Nuisance) -> list[Group]:
    """The treated, then the untreated: all of them, the lost too."""
    trial = nuisance.trial
    return [
        Group(name, int(arm.sum()), int(trial.event[arm].sum()), float(trial.weight[arm].sum()))
        for name, arm in (("treated", trial.treated), ("untreated", ~trial.treated))
    ]
