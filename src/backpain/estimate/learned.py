"""Doubly robust estimators whose models are learned by machine, each person's predictions from folds without them.

Chernozhukov and others 2018, Econom J 21:C1: with cross-fitting the estimate's influence function needs no word of how its
models were learned, if they are learned well enough. Folds are of whole PSUs, for people of one PSU tell of each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from backpain.estimate.estimators import Found, unusable
from backpain.estimate.targeted import fluctuation
from backpain.nuisance import Nuisance
from backpain.regression import Term

Numbers = NDArray[np.float64]
Marks = NDArray[np.bool_]

# ASSUME: five folds, drawn three times over with this seed, and their estimates averaged: one draw of folds is chance.
FOLDS, DRAWS, SEED = 5, 3, 20260101
# ASSUME: trees of a few leaves, many and slow, not tuned; averaged with a logistic model of the same columns, so that
# neither the one's jumps nor the other's straight lines have all the say.
TREES = {"max_iter": 80, "learning_rate": 0.06, "max_leaf_nodes": 6, "min_samples_leaf": 30, "l2_regularization": 1.0}
# ASSUME: nobody's probability of their arm, or of being followed, is taken to be below this.
LEAST = 0.01


class Learned(NamedTuple):
    """(people,) predictions by models that had not seen the person."""

    propensity: Numbers
    retention: Numbers
    outcome: tuple[Numbers, Numbers]


def doubly_robust_learned(participants: pd.DataFrame, terms: Sequence[Term], nuisance: Nuisance) -> Found:
    """As `doubly_robust`, with learned models."""
    return _averaged(participants, nuisance, _augmented)


def targeted_learned(participants: pd.DataFrame, terms: Sequence[Term], nuisance: Nuisance) -> Found:
    """As `targeted`, with learned models."""
    return _averaged(participants, nuisance, _fluctuated)


def _averaged(participants: pd.DataFrame, nuisance: Nuisance, contrast: object) -> Found:
    if nuisance.population != "everyone":
        return unusable(nuisance, "learned models: about everyone only; choose another estimator")
    draws = predictions(participants, nuisance)
    if isinstance(draws, str):
        return unusable(nuisance, draws)
    assert callable(contrast)
    found = [contrast(nuisance, one) for one in draws]
    for one in found:
        if one.reason:
            return Found(one.value, one.influence, one.reason)
    return Found(np.mean([one.value for one in found], axis=0), np.mean([one.influence for one in found], axis=0))


def _augmented(nuisance: Nuisance, learned: Learned) -> Found:
    trial, target = nuisance.trial, nuisance.trial.weight / nuisance.trial.weight.sum()
    risk, columns = np.empty(2), []
    for place, (arm, share) in enumerate(_arms(nuisance, learned)):
        predicted = learned.outcome[place]
        left = share @ (trial.event - predicted)
        middle = target @ predicted
        risk[place] = middle + left
        columns.append(target * (predicted - middle) + share * (trial.event - predicted - left) * arm)
    return Found(risk, np.column_stack(columns))


def _fluctuated(nuisance: Nuisance, learned: Learned) -> Found:
    trial, target = nuisance.trial, nuisance.trial.weight / nuisance.trial.weight.sum()
    risk, columns = np.empty(2), []
    for place, (arm, share) in enumerate(_arms(nuisance, learned)):
        odds = logit(learned.outcome[place])
        moved = fluctuation(odds, trial.event, share)
        if not np.isfinite(moved):
            return unusable(nuisance, "all or none of an arm's weighted people had the event")
        fitted = expit(odds + moved)
        risk[place] = target @ fitted
        columns.append(target * (fitted - risk[place]) + share * (trial.event - fitted) * arm)
    return Found(risk, np.column_stack(columns))


def _arms(nuisance: Nuisance, learned: Learned) -> list[tuple[Marks, Numbers]]:
    """Each arm, and its followed people's weights adding up to 1."""
    trial = nuisance.trial
    found = []
    for arm, chance in ((trial.treated, learned.propensity), (~trial.treated, 1 - learned.propensity)):
        weight = np.where(arm & trial.followed, trial.weight / (chance * learned.retention), 0.0)
        found.append((arm, weight / weight.sum()))
    return found


def predictions(participants: pd.DataFrame, nuisance: Nuisance) -> list[Learned] | str:
    """Predictions for every draw of folds, kept with the nuisance for the next estimator; or why there are none."""
    if "learned" not in nuisance.kept:
        nuisance.kept["learned"] = _predictions(participants, nuisance)
    kept: list[Learned] | str = nuisance.kept["learned"]
    return kept


def _predictions(participants: pd.DataFrame, nuisance: Nuisance) -> list[Learned] | str:
    unit = _units(participants)
    if unit.max() + 1 < 2 * FOLDS:
        return f"learned models: {unit.max() + 1} PSUs are too few for {FOLDS} folds of whole PSUs"
    rng = np.random.default_rng(SEED)
    draws = []
    for _ in range(DRAWS):
        fold = rng.permutation(np.arange(unit.max() + 1) % FOLDS)[unit]
        found = _learned(nuisance, fold, int(rng.integers(2**31)))
        if isinstance(found, str):
            return found
        draws.append(found)
    return draws


def _units(participants: pd.DataFrame) -> NDArray[np.intp]:
    """(people,) each person's PSU as a number; without PSUs each person is one."""
    named = [name for name in ("stratum", "psu") if name in participants]
    if "psu" not in named:
        return np.arange(len(participants))
    return np.asarray(participants.groupby(named, sort=False).ngroup().to_numpy(), dtype=np.intp)


def _learned(nuisance: Nuisance, fold: NDArray[np.intp], seed: int) -> Learned | str:
    trial, covariates = nuisance.trial, nuisance.covariates[:, 1:]
    people = len(fold)
    with_arm = np.column_stack([trial.treated.astype(float), covariates])
    propensity, retention = np.empty(people), np.ones(people)
    outcome = (np.empty(people), np.empty(people))
    for one in range(FOLDS):
        inside, outside = fold == one, fold != one
        asked = [(covariates, trial.treated, outside, propensity)]
        if nuisance.retention_model is not None:
            asked.append((with_arm, trial.followed, outside, retention))
        for place, arm in enumerate((trial.treated, ~trial.treated)):
            asked.append((covariates, trial.event > 0, outside & arm & trial.followed, outcome[place]))
        for matrix, answer, taught, told in asked:
            if answer[taught].all() or not answer[taught].any():
                return "learned models: a fold is left with people of one kind only"
            told[inside] = _predicted(matrix, answer, trial.weight, taught, inside, seed)
    propensity, retention = np.clip(propensity, LEAST, 1 - LEAST), np.clip(retention, LEAST, 1.0)
    ends = (1e-4, 1 - 1e-4)
    return Learned(propensity, retention, (np.clip(outcome[0], *ends), np.clip(outcome[1], *ends)))


def _predicted(matrix: Numbers, answer: Marks, weight: Numbers, taught: Marks, asked: Marks, seed: int) -> Numbers:
    """The mean of trees and a logistic model, taught by some and asked of others."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    share = weight[taught] / weight[taught].mean()
    trees = HistGradientBoostingClassifier(**TREES, early_stopping=False, random_state=seed)
    trees.fit(matrix[taught], answer[taught], sample_weight=share)
    lines = make_pipeline(StandardScaler(), LogisticRegression(C=10.0, max_iter=500))
    lines.fit(matrix[taught], answer[taught], logisticregression__sample_weight=share)
    both = [model.predict_proba(matrix[asked])[:, 1] for model in (trees, lines)]
    return np.asarray((both[0] + both[1]) / 2)
