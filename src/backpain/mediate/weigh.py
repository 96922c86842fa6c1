"""The same risks by weighting: each arm weighted up to everyone, and its mediator to that of the other arm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from backpain.mediate.models import Coefficients, Counted, Models
from backpain.mediate.standardise import PAIRS, mediator_mean, spread_influence

Numbers = NDArray[np.float64]


def weighed(models: Models, found: Coefficients, weight: Numbers) -> Numbers:
    """(3,) mean risk of each of `PAIRS` under some coefficients and (counted,) weights.

    The weight is 1 over the probability of the own arm, times the probability of the own mediator among those alike in
    the named arm, over that in the own arm given all that came before it (VanderWeele, Vansteelandt and Robins 2014,
    Epidemiology 25:300; Hong 2010).
    """
    return np.array([_part(models, found, weight, arm, other) @ models.counted.event for arm, other in PAIRS])


def _part(models: Models, found: Coefficients, weight: Numbers, arm: int, other: int) -> Numbers:
    """(counted,) weights of an arm that add up to 1."""
    counted = models.counted
    e = expit(counted.baseline @ found.propensity)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # told where the mean is not a number
        raw = weight * (counted.treated == arm) / (e if arm else 1 - e)
        if models.people.several or arm != other:
            raw = raw * _density_ratio(models, found, other)
        return np.asarray(raw / raw.sum())


def _density_ratio(models: Models, found: Coefficients, other: int) -> Numbers:
    counted = models.counted
    top = mediator_mean(counted, found.mediator, other)
    bottom = _given(counted, found.given)
    m = counted.mediator
    if models.people.binary:
        return np.asarray(np.where(m == 1, expit(top) / expit(bottom), expit(-top) / expit(-bottom)))
    above, below = (m - top) / found.spread, (m - bottom) / found.given_spread
    return np.asarray(np.exp((below**2 - above**2) / 2) * found.given_spread / found.spread)


def _given(counted: Counted, coefficients: Numbers) -> Numbers:
    """(counted,) the mediator's linear predictor in the own arm, given all that came before it."""
    wide = counted.confounders.shape[1] + 2
    own = mediator_mean(counted, coefficients[:wide], 0.0) + counted.treated * coefficients[1]
    return np.asarray(own + counted.later @ coefficients[wide:])


def influence(models: Models) -> Numbers:
    """(counted, 3) influence on the means, the chance of being known taken as known."""
    counted, found = models.counted, models.coefficients
    e = models.propensity.probability
    columns = []
    for arm, other in PAIRS:
        part = _part(models, found, models.weight, arm, other)
        own = part * (counted.event - part @ counted.event)
        # The slope of the logarithm of 1 / probability of the own arm, in the log-odds of treatment.
        total = own + models.propensity.influence @ (counted.baseline.T @ (own * (e - 1 if arm else e)))
        if models.people.several or arm != other:
            total = total + _through_mediator(models, found, own, other)
        columns.append(total)
    return np.column_stack(columns)


def _through_mediator(models: Models, found: Coefficients, own: Numbers, other: int) -> Numbers:
    counted, m = models.counted, models.counted.mediator
    top, bottom = mediator_mean(counted, found.mediator, other), _given(counted, found.given)
    if models.people.binary:
        above, below = own * (m - expit(top)), own * (m - expit(bottom))
    else:
        above, below = own * (m - top) / found.spread**2, own * (m - bottom) / found.given_spread**2
    gradient = np.concatenate([[above.sum(), other * above.sum()], above @ counted.confounders])
    total = models.mediator_influence @ gradient - models.given.influence @ (models.given.matrix.T @ below)
    if models.people.binary:
        return np.asarray(total)
    numerator = float(own @ (((m - top) / found.spread) ** 2 - 1)) / found.spread
    denominator = float(own @ (((m - bottom) / found.given_spread) ** 2 - 1)) / found.given_spread
    return np.asarray(
        total
        + numerator * spread_influence(models, models.mediator)
        - denominator * spread_influence(models, models.given)
    )
