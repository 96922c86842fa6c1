"""Targeted maximum likelihood: predictions of the outcome, moved once so that the estimate is doubly robust."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from backpain.estimate.by_arm import arm_models, reason_of_arms
from backpain.estimate.estimators import Found, target_of, unusable
from backpain.nuisance import Nuisance
from backpain.regression import Term

Numbers = NDArray[np.float64]

MOST_STEPS, SETTLED = 60, 1e-13


def targeted(participants: pd.DataFrame, terms: Sequence[Term], nuisance: Nuisance) -> Found:
    """Risks by targeted maximum likelihood (van der Laan and Rubin 2006, Int J Biostat 2:11).

    The log-odds that each arm's outcome model predicts are moved by one number, fitted to the arm's followed under the
    weights of `weighting`; the risks are means of the moved predictions, so they stay between 0 and 1. The weights carry
    the treatment and loss probabilities, not the covariate (Stitelman, De Gruttola and van der Laan 2012, Int J Biostat
    8:26), which is steadier where a weight is large.
    """
    models = arm_models(participants, terms, nuisance)
    if reason := "; ".join(filter(None, [nuisance.reason, reason_of_arms(models, nuisance)])):
        return unusable(nuisance, reason)
    target = target_of(nuisance) / target_of(nuisance).sum()
    risk, columns = np.empty(2), []
    for place, model in enumerate(models):
        weight = nuisance.analysis_weight * model.people
        odds = model.fit.matrix @ model.fit.coefficients
        moved = fluctuation(odds, nuisance.trial.event, weight)
        if not np.isfinite(moved):
            return unusable(nuisance, f"{model.name}: all or none of its weighted people had the event")
        fitted = expit(odds + moved)
        bend = fitted * (1 - fitted)
        left = (weight * (nuisance.trial.event - fitted))[:, None]
        slope = model.fit.matrix.T @ (weight * bend)
        shift = ((left + nuisance.drift(left, nuisance.treatment_slope))[:, 0] - model.influence @ slope) / (
            weight @ bend
        )
        risk[place] = target @ fitted
        columns.append(
            target * (fitted - risk[place])
            + model.influence @ (model.fit.matrix.T @ (target * bend))
            + shift * (target @ bend)
        )
    return Found(risk, np.column_stack(columns))


def fluctuation(odds: Numbers, event: Numbers, weight: Numbers) -> float:
    """The number that, added to log-odds, makes the weighted expected events the seen; missing if all or none had one."""
    seen = float(weight @ event)
    if not 0 < seen < weight.sum():
        return float("nan")
    moved = 0.0
    low, high = -50.0, 50.0
    for _ in range(MOST_STEPS):
        fitted = expit(odds + moved)
        gap = seen - float(weight @ fitted)
        low, high = (moved, high) if gap > 0 else (low, moved)
        step = gap / float(weight @ (fitted * (1 - fitted)))
        # Newton's step, or the middle of what is known where it would leave that.
        new = moved + step if low < moved + step < high else (low + high) / 2
        if abs(new - moved) < SETTLED * (1 + abs(moved)):
            return new
        moved = new
    return moved
