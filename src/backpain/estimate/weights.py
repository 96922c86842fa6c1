"""Further ways to weight the arms until they are alike: truncated, towards the overlap, by entropy balancing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backpain.estimate.estimators import Found, hajek, target_of, unusable
from backpain.nuisance import Nuisance, covariates_of
from backpain.regression import Term

Numbers = NDArray[np.float64]
Marks = NDArray[np.bool_]
Codes = NDArray[np.intp]

# ASSUME: of each arm's weights the lowest and the highest hundredth are cut to the next.
TRUNCATED = 0.01
MOST_STEPS, MOST_HALVINGS, BALANCED = 60, 30, 1e-11


def truncated_weighting(participants: pd.DataFrame, terms: Sequence[Term], nuisance: Nuisance) -> Found:
    """Risks as by `weighting`, the weights of each arm cut at their 1st and 99th percentiles.

    It trades bias for variance where overlap is poor (Cole and Hernan 2008, Am J Epidemiol 168:656). A percentile is the
    weight of a person, whose propensity is estimated: the influence function follows it there.
    """
    if not nuisance.converged:
        return unusable(nuisance, nuisance.reason)
    of = cut_to(nuisance.treatment_weight, nuisance.trial.treated)
    weight = np.where(
        nuisance.trial.followed, nuisance.trial.weight * nuisance.treatment_weight[of] / nuisance.retention, 0.0
    )
    return hajek(nuisance, weight, nuisance.treatment_slope[of], of)


def cut_to(weight: Numbers, treated: Marks) -> Codes:
    """(people,) whose weight each person gets: the own, or that of the one at the arm's lower or upper percentile."""
    of = np.arange(len(weight))
    for arm in (treated, ~treated):
        people = np.flatnonzero(arm)
        ranked = people[np.argsort(weight[people], kind="stable")]
        cut = int(TRUNCATED * len(ranked))
        of[ranked[:cut]] = ranked[cut]
        of[ranked[len(ranked) - cut :]] = ranked[len(ranked) - 1 - cut]
    return of


def overlap_weighting(participants: pd.DataFrame, terms: Sequence[Term], nuisance: Nuisance) -> Found:
    """Risks of the people who might be in either arm: each weighted by the probability of the other arm.

    No weight is large, and with a logistic propensity model the arms' means of every term are equal (Li, Morgan and
    Zaslavsky 2018, J Am Stat Assoc 113:390). It is about another population than the other estimators.
    """
    if not nuisance.converged:
        return unusable(nuisance, nuisance.reason)
    e, arm = nuisance.propensity, nuisance.trial.treated
    weight = np.where(arm, 1 - e, e) * nuisance.trial.weight * nuisance.trial.followed / nuisance.retention
    return hajek(nuisance, weight, np.where(arm, -e, 1 - e))


class Balance(NamedTuple):
    """Entropy-balancing weights of one arm's people, with the coefficients' influence function."""

    weight: Numbers
    coefficients: Numbers
    influence: Numbers
    reason: str


def entropy_balancing(participants: pd.DataFrame, terms: Sequence[Term], nuisance: Nuisance) -> Found:
    """Risks after each arm's weights were moved, as little as can be, until its means of all terms are the population's.

    Hainmueller 2012, Polit Anal 20:25; right if either the propensity or the outcome is linear in the terms (Zhao and
    Percival 2017, J Causal Inference 5:20160010). The survey weights are the base, and who was lost is weighted by
    1 / retention as ever.
    """
    if nuisance.retention_model is not None and not nuisance.retention_model.converged:
        return unusable(nuisance, f"retention: {nuisance.retention_model.reason}")
    covariates, _ = covariates_of(participants, terms, nuisance)
    trial, target = nuisance.trial, target_of(nuisance)
    risk, columns = np.empty(2), []
    for place, (name, arm) in enumerate((("treated", trial.treated), ("untreated", ~trial.treated))):
        made = balance(covariates, trial.weight, target, arm)
        if made.reason:
            return unusable(nuisance, f"balancing of the {name}: {made.reason}")
        weight = np.where(arm & trial.followed, trial.weight * made.weight / nuisance.retention, 0.0)
        part = weight / weight.sum()
        risk[place] = part @ trial.event
        own = (part * (trial.event - risk[place]))[:, None]
        columns.append((own + nuisance.drift(own))[:, 0] + made.influence @ (covariates.T @ own)[:, 0])
    return Found(risk, np.column_stack(columns))


def balance(covariates: Numbers, weight: Numbers, target: Numbers, arm: Marks, start: Numbers | None = None) -> Balance:
    """Weights exp(x b) of one arm with which its weighted totals of all columns are those of the target.

    Parameters
    ----------
    covariates
        (people, k) with an intercept, which makes the arm as large as the target.
    weight, target
        (people,) base weights, and weights of the target population.
    start
        (k,) coefficients to begin at.

    Returns
    -------
    Weights (of the whole (people,), 0 outside the arm), coefficients, their (people, k) influence function, and why
    there are none; empty if there are.
    """
    scale = np.sqrt(np.average(covariates**2, axis=0, weights=weight + 1e-300))
    z = covariates / np.where(scale > 0, scale, 1.0)
    total, rows = target @ z, z[arm]
    base = weight[arm] / weight[arm].sum()
    wanted = total / target.sum()
    b = np.zeros(z.shape[1]) if start is None else start * scale
    tilt = base * np.exp(rows @ b)
    for _ in range(MOST_STEPS):
        gap = wanted - rows.T @ tilt
        if np.abs(gap).max() < BALANCED:
            break
        step = _solved((rows * tilt[:, None]).T @ rows, gap)
        # The dual is concave: a step is halved until it rises.
        height, length = wanted @ b - tilt.sum(), 1.0
        for _ in range(MOST_HALVINGS):
            moved = base * np.exp(np.minimum(rows @ (b + length * step), 700))
            if np.isfinite(moved).all() and wanted @ (b + length * step) - moved.sum() >= height - 1e-14:
                break
            length /= 2
        b, tilt = b + length * step, moved
    whole = np.zeros(len(weight))
    gap = float(np.abs(wanted - rows.T @ tilt).max())
    if not gap < 1e-8 or not np.isfinite(b).all():
        words = "no weights of its people reach the population's means; declare fewer terms, or merge rare categories"
        return Balance(whole, b, whole[:, None], f"{words} (furthest off by {gap:.1e})")
    ratio = target.sum() / weight[arm].sum()
    whole[arm] = ratio * tilt / base
    score = (weight * whole * arm - target)[:, None] * z
    information = ratio * weight[arm].sum() * (rows * tilt[:, None]).T @ rows
    influence = -np.asarray(_solved(information, score.T).T)
    return Balance(whole, b / scale, influence / np.where(scale > 0, scale, 1.0), "")


def _solved(matrix: Numbers, right: Numbers) -> Numbers:
    try:
        return np.asarray(np.linalg.solve(matrix, right))
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.lstsq(matrix, right, rcond=None)[0])
