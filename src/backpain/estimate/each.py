"""Estimators that go through the replicates one after another, each with its own models of treatment, loss and outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from backpain.estimate.estimators import target_of
from backpain.estimate.replicates import Refits
from backpain.estimate.targeted import fluctuation
from backpain.estimate.weights import balance, cut_to
from backpain.nuisance import treatment_weight
from backpain.regression import probability

Numbers = NDArray[np.float64]
Marks = NDArray[np.bool_]


class Replicate(NamedTuple):
    """One replicate's people of weight above zero: their weights, propensity and retention under its models."""

    place: int
    people: NDArray[np.intp]
    weight: Numbers
    treated: Marks
    followed: Marks
    event: Numbers
    propensity: Numbers
    retention: Numbers

    def risks(self, own: Numbers) -> Numbers:
        """(2,) risks of the arms under treatment weights."""
        weight = self.weight * self.followed * own / self.retention
        sums = [
            (weight * arm) @ np.column_stack([self.event, np.ones(len(weight))])
            for arm in (self.treated, ~self.treated)
        ]
        return np.array([events / people for events, people in sums])


def replicates_of(refits: Refits) -> Iterator[Replicate]:
    """Each replicate; its numbers are missing where a model of it failed."""
    trial, design = refits.nuisance.trial, refits.design
    propensity, retention = refits.nuisance.propensity_model, refits.nuisance.retention_model
    for place in range(design.replicates):
        factor = design.base * design.factor[design.unit, place]
        people = np.flatnonzero(factor > 0)
        chance = probability(propensity.matrix[people], refits.propensity.coefficients[place])
        kept = np.ones(len(people))
        if retention is not None and refits.retention is not None:
            kept = probability(retention.matrix[people], refits.retention.coefficients[place])
        treated, followed, event = trial.treated[people], trial.followed[people], trial.event[people]
        yield Replicate(place, people, factor[people], treated, followed, event, chance, kept)


def _each(refits: Refits, value: Callable[[Replicate], Numbers]) -> Numbers:
    with np.errstate(invalid="ignore", divide="ignore"):  # a replicate without an arm has no estimate, and is told
        return np.array([value(one) for one in replicates_of(refits)])


def truncated_weighting(refits: Refits) -> Numbers:
    """(replicates, 2) risks, each replicate's weights cut at its own percentiles."""
    population = refits.nuisance.population

    def value(one: Replicate) -> Numbers:
        own = treatment_weight(population, one.treated, one.propensity)
        return one.risks(own[cut_to(own, one.treated)])

    return _each(refits, value)


def overlap_weighting(refits: Refits) -> Numbers:
    """(replicates, 2) risks weighted by the probability of the other arm."""
    return _each(refits, lambda one: one.risks(np.where(one.treated, 1 - one.propensity, one.propensity)))


def entropy_balancing(refits: Refits) -> Numbers:
    """(replicates, 2) risks, each replicate balanced to its own population, from the full sample's weights on."""
    trial, target = refits.nuisance.trial, target_of(refits.nuisance) / refits.nuisance.trial.weight
    starts = {
        arm: balance(refits.covariates, trial.weight, target * trial.weight, trial.treated == arm).coefficients
        for arm in (True, False)
    }

    def value(one: Replicate) -> Numbers:
        own = np.ones(len(one.people))
        covariates = refits.covariates[one.people]
        for arm, start in starts.items():
            mine = one.treated == arm
            if not mine.any():
                return np.full(2, np.nan)
            made = balance(covariates, one.weight, target[one.people] * one.weight, mine, start)
            if made.reason:
                return np.full(2, np.nan)
            own[mine] = made.weight[mine]
        return one.risks(own)

    return _each(refits, value)


def targeted(refits: Refits) -> Numbers:
    """(replicates, 2) risks of each replicate's outcome models, moved once by its own weights."""
    population = refits.nuisance.population
    target = target_of(refits.nuisance) / refits.nuisance.trial.weight
    models = [model.many.coefficients for model in refits.by_arm]

    def value(one: Replicate) -> Numbers:
        own = treatment_weight(population, one.treated, one.propensity)
        weight = one.weight * one.followed * own / one.retention
        share = one.weight * target[one.people]
        risk = np.empty(2)
        for place, arm in enumerate((one.treated, ~one.treated)):
            odds = refits.covariates[one.people] @ models[place][one.place]
            moved = fluctuation(odds, one.event, weight * arm) if np.isfinite(odds).all() else np.nan
            risk[place] = share @ expit(odds + moved) / share.sum()
        return risk

    return _each(refits, value)


EACH: dict[str, Callable[[Refits], Numbers]] = {
    "weighting-truncated": truncated_weighting,
    "overlap-weighting": overlap_weighting,
    "entropy-balancing": entropy_balancing,
    "targeted": targeted,
}

__all__ = ["EACH", "Replicate", "replicates_of"]
