"""Estimators with an outcome model for each arm, so that the effect may differ with every confounder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backpain.estimate.estimators import (
    Found,
    carried,
    followed_weight,
    predicted,
    reason_of,
    unusable,
)
from backpain.nuisance import Nuisance, covariates_of
from backpain.regression import Logistic, Term, logistic

Numbers = NDArray[np.float64]


class ArmModel(NamedTuple):
    """The outcome model of one arm's followed, and its coefficients' influence function."""

    name: str
    people: Numbers
    fit: Logistic
    influence: Numbers


def standardisation_by_arm(participants: pd.DataFrame, terms: Sequence[Term], nuisance: Nuisance) -> Found:
    """Found predicted for all by the outcome model of each arm, averaged with the survey weight (g-formula)."""
    models = arm_models(participants, terms, nuisance)
    if reason := reason_of_arms(models, nuisance):
        return unusable(nuisance, reason)
    return _standardised(models, nuisance)


def doubly_robust(participants: pd.DataFrame, terms: Sequence[Term], nuisance: Nuisance) -> Found:
    """The same risks, corrected by the weighted mean of what the models leave unexplained (augmented weighting).

    Right in large samples if either the propensity or the outcome models are, and the loss model is (Bang and
    Robins 2005, Biometrics 61:962).
    """
    models = arm_models(participants, terms, nuisance)
    if reason := "; ".join(filter(None, [nuisance.reason, reason_of_arms(models, nuisance)])):
        return unusable(nuisance, reason)
    plain = _standardised(models, nuisance)
    left = np.empty(2)
    influence = plain.influence.copy()
    for place, model in enumerate(models):
        share = nuisance.analysis_weight * model.people
        share = share / share.sum()
        fitted = model.fit.probability
        left[place] = share @ (nuisance.trial.event - fitted)
        own = (share * (nuisance.trial.event - fitted - left[place]))[:, None]
        slope = -model.fit.matrix.T @ (share * fitted * (1 - fitted))
        influence[:, place] += (own + nuisance.drift(own, nuisance.treatment_slope))[:, 0] + model.influence @ slope
    return Found(plain.value + left, influence)


def arm_models(participants: pd.DataFrame, terms: Sequence[Term], nuisance: Nuisance) -> list[ArmModel]:
    """The outcome models of the treated and of the untreated who were followed."""
    covariates, columns = covariates_of(participants, terms, nuisance)
    models = []
    for name, arm in (("treated", nuisance.trial.treated), ("untreated", ~nuisance.trial.treated)):
        fit = logistic(covariates, nuisance.trial.event, followed_weight(nuisance) * arm, columns)
        models.append(ArmModel(name, arm.astype(float), fit, carried(fit, nuisance)))
    return models


def reason_of_arms(models: list[ArmModel], nuisance: Nuisance) -> str:
    """Why an arm's outcome model cannot be used; empty when both can."""
    reasons = {model.name: reason_of(model.fit, nuisance) for model in models}
    return "; ".join(f"{name}: {reason}" for name, reason in reasons.items() if reason)


def _standardised(models: list[ArmModel], nuisance: Nuisance) -> Found:
    averages = [predicted(model.fit, np.asarray(model.fit.matrix), nuisance) for model in models]
    influence = [one.influence(model.influence) for one, model in zip(averages, models, strict=True)]
    return Found(np.concatenate([one.value for one in averages]), np.hstack(influence))
