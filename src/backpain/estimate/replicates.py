"""Every estimator under every replicate weight, each model of treatment, loss and outcome fitted again.

The fits of all replicates share their model matrix (see `regression.many`); what they predict is summed in the same
blocks of people, so that memory does not grow with the replicates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backpain.design import Replicated
from backpain.estimate.estimators import target_of
from backpain.nuisance import Nuisance, covariates_of, treatment_weight, with_arm
from backpain.regression import Batch, Block, Extra, Logistic, Many, Term, logistic, logistic_many, probability

Numbers = NDArray[np.float64]
Marks = NDArray[np.bool_]


@dataclass(frozen=True)
class Refits:
    """The participants of a trial with all their models, under every replicate.

    Attributes
    ----------
    nuisance
        The full-sample fits, from which each replicate starts.
    covariates, columns
        (people, k) outcome terms.
    """

    design: Replicated
    nuisance: Nuisance
    covariates: Numbers
    columns: list[str]

    @classmethod
    def of(cls, participants: pd.DataFrame, terms: Sequence[Term], design: Replicated, nuisance: Nuisance) -> Refits:
        """Make ready to fit the models of treatment and loss, and of the outcome on the terms, again and again."""
        return cls(design, nuisance, *covariates_of(participants, terms, nuisance))

    @cached_property
    def batch(self) -> Batch:
        """Everyone."""
        return Batch.of(self.design)

    @cached_property
    def propensity(self) -> Many:
        """Who is treated."""
        model, order = self.nuisance.propensity_model, self.batch.order
        treated = self.nuisance.trial.treated[order].astype(float)
        return logistic_many(model.matrix[order], treated, self.batch, model.coefficients, model.columns)

    @cached_property
    def retention(self) -> Many | None:
        """Who is followed; None where nobody is lost or the lost are declared not to matter."""
        model, order = self.nuisance.retention_model, self.batch.order
        if model is None:
            return None
        followed = self.nuisance.trial.followed[order].astype(float)
        return logistic_many(model.matrix[order], followed, self.batch, model.coefficients, model.columns)

    @cached_property
    def pooled(self) -> Outcome:
        """The outcome on arm and terms among those followed."""
        matrix, names = with_arm(self.covariates, self.columns, self.nuisance.trial.treated)
        return self._outcome(matrix, names, self.nuisance.trial.followed)

    @cached_property
    def by_arm(self) -> tuple[Outcome, Outcome]:
        """The outcome on terms among the treated, and among the untreated, who were followed."""
        trial = self.nuisance.trial
        first, second = (
            self._outcome(self.covariates, self.columns, trial.followed & arm)
            for arm in (trial.treated, ~trial.treated)
        )
        return first, second

    def reasons(self, lost: Marks) -> list[str]:
        """Why each of the (replicates,) marked has no estimate, as far as models that were fitted can tell."""
        fitted: dict[str, Many | None] = {
            "propensity": self.__dict__.get("propensity"),
            "retention": self.__dict__.get("retention"),
            "outcome": self.pooled.many if "pooled" in self.__dict__ else None,
        }
        if "by_arm" in self.__dict__:
            fitted |= {
                f"outcome of the {arm}": model.many
                for arm, model in zip(("treated", "untreated"), self.by_arm, strict=True)
            }
        return [
            f"{name}: {many.failed[place]}"
            for place in np.flatnonzero(lost).tolist()
            for name, many in fitted.items()
            if many is not None and place in many.failed
        ]

    def _outcome(self, matrix: Numbers, names: list[str], who: Marks) -> Outcome:
        trial, batch = self.nuisance.trial, Batch.of(self.design, who)
        retention = np.where(trial.followed, self.nuisance.retention, 1.0)
        full = logistic(matrix, trial.event, np.where(who, trial.weight / retention, 0.0), names)
        if not full.converged:
            gap = np.full((self.design.replicates, matrix.shape[1]), np.nan)
            return Outcome(full, Many(gap, dict.fromkeys(range(len(gap)), full.reason), 0), batch)
        part = trial.event[batch.order]
        extra = None if self.retention is None else _one_over(self.retained(batch))
        return Outcome(full, logistic_many(matrix[batch.order], part, batch, full.coefficients, names, extra), batch)

    def retained(self, batch: Batch) -> Callable[[Block], Numbers]:
        """The chance of being followed of each block's people in each of its replicates."""
        model = self.nuisance.retention_model
        if model is None or self.retention is None:
            return lambda block: np.ones((1, 1))
        return _predictor(model.matrix[batch.order], self.retention.coefficients)

    def own(self, batch: Batch) -> Callable[[Block], Numbers]:
        """The treatment weight of each block's people in each of its replicates."""
        propensity = _predictor(self.nuisance.propensity_model.matrix[batch.order], self.propensity.coefficients)
        treated = self.nuisance.trial.treated[batch.order][:, None]
        population = self.nuisance.population

        def weight(block: Block) -> Numbers:
            return treatment_weight(population, treated[block.rows], propensity(block))

        return weight


@dataclass(frozen=True)
class Outcome:
    """An outcome model of the full sample, and of every replicate of those it is fitted to."""

    full: Logistic
    many: Many
    batch: Batch


def unadjusted(refits: Refits) -> Numbers:
    """(replicates, 2) risks of the treated and the untreated followed."""
    trial, nuisance = refits.nuisance.trial, refits.nuisance
    if nuisance.loss_declared and refits.retention is not None:
        return _hajek(refits, refits.batch, _one_over(refits.retained(refits.batch)))
    batch = Batch.of(refits.design, trial.followed)
    order = batch.order
    arm = np.column_stack([trial.treated[order], ~trial.treated[order]]).astype(float)
    sums = batch.sums(np.column_stack([arm * trial.event[order, None], arm]))
    return _over(sums)


def weighting(refits: Refits) -> Numbers:
    """(replicates, 2) risks weighted by treatment and loss."""
    own, retained = refits.own(refits.batch), refits.retained(refits.batch)
    return _hajek(refits, refits.batch, lambda block: own(block) / retained(block))


def standardisation(refits: Refits) -> Numbers:
    """(replicates, 2) risks predicted for all in each arm by the pooled outcome model."""
    model = refits.pooled
    matrices = [with_arm(refits.covariates, refits.columns, arm)[0] for arm in (True, False)]
    return _predicted(refits, [(matrix, model.many.coefficients) for matrix in matrices])


def conditional(refits: Refits) -> Numbers:
    """(replicates, 1) log odds ratio of treatment in the pooled outcome model."""
    return refits.pooled.many.coefficients[:, 1:2]


def standardisation_by_arm(refits: Refits) -> Numbers:
    """(replicates, 2) risks predicted for all by the outcome model of each arm."""
    return _predicted(refits, [(refits.covariates, model.many.coefficients) for model in refits.by_arm])


def doubly_robust(refits: Refits) -> Numbers:
    """(replicates, 2) the same, corrected by the weighted mean of what the models leave unexplained."""
    trial, left = refits.nuisance.trial, []
    for model in refits.by_arm:
        batch = model.batch
        fitted = _predictor(refits.covariates[batch.order], model.many.coefficients)
        own, retained = refits.own(batch), refits.retained(batch)
        event = trial.event[batch.order][:, None]

        def parts(
            block: Block,
            fitted: Callable[[Block], Numbers] = fitted,
            own: Callable[[Block], Numbers] = own,
            retained: Callable[[Block], Numbers] = retained,
            event: Numbers = event,
        ) -> list[Numbers]:
            weight = own(block) / retained(block)
            return [weight * (event[block.rows] - fitted(block)), weight]

        sums = _sums(batch, 2, parts)
        left.append(sums[:, 0] / sums[:, 1])
    return standardisation_by_arm(refits) + np.column_stack(left)


REPLICATED: dict[str, Callable[[Refits], Numbers]] = {
    "unadjusted": unadjusted,
    "weighting": weighting,
    "standardisation": standardisation,
    "logistic": conditional,
    "standardisation-by-arm": standardisation_by_arm,
    "doubly-robust": doubly_robust,
}


def _hajek(refits: Refits, batch: Batch, weight: Callable[[Block], Numbers]) -> Numbers:
    trial = refits.nuisance.trial
    followed, treated, event = (
        part[batch.order].astype(float) for part in (trial.followed, trial.treated, trial.event)
    )
    # One product for each block: the columns are what each arm adds to its events and to its people.
    columns = np.column_stack(
        [treated * followed * event, (1 - treated) * followed * event, treated * followed, (1 - treated) * followed]
    )
    total = np.zeros((batch.replicates, 4))
    for block in batch.blocks:
        weights = np.broadcast_to(weight(block), (block.rows.stop - block.rows.start, _active(batch, block)))
        mine = batch.base[block.rows, None] * columns[block.rows]
        if block.factor.ndim == 1:
            total[block.active] += (weights.T @ mine) * block.factor[:, None]
        else:
            total[block.active] += (weights * block.factor).T @ mine
    return _over(total)


def _over(sums: Numbers) -> Numbers:
    with np.errstate(invalid="ignore", divide="ignore"):  # a replicate without an arm has no estimate, and is told
        return np.asarray(sums[:, :2] / sums[:, 2:])


def _predicted(refits: Refits, models: Sequence[tuple[Numbers, Numbers]]) -> Numbers:
    """(replicates, models) mean prediction for the people the contrast is about."""
    nuisance, order = refits.nuisance, refits.batch.order
    target = target_of(nuisance)[order] / nuisance.trial.weight[order]
    predictors = [_predictor(matrix[order], coefficients) for matrix, coefficients in models]
    sums = _sums(
        refits.batch, len(models), lambda block: [target[block.rows, None] * predict(block) for predict in predictors]
    )
    return np.asarray(sums / refits.batch.sums(target[:, None]))


def _sums(batch: Batch, width: int, parts: Callable[[Block], Sequence[Numbers]]) -> Numbers:
    """(replicates, width) weighted sums of what each block's people add in each replicate."""
    total = np.zeros((batch.replicates, width))
    for block in batch.blocks:
        for place, part in enumerate(parts(block)):
            base = batch.base[block.rows]
            added = block.factor * (base @ part) if block.factor.ndim == 1 else base @ (block.factor * part)
            total[block.active, place] += added
    return total


def _predictor(matrix: Numbers, coefficients: Numbers) -> Callable[[Block], Numbers]:
    turned = np.ascontiguousarray(coefficients.T)
    return lambda block: probability(matrix[block.rows], turned[:, block.active])


def _one_over(chance: Callable[[Block], Numbers]) -> Extra:
    return lambda block: np.asarray(1 / chance(block))


def _active(batch: Batch, block: Block) -> int:
    return batch.replicates if isinstance(block.active, slice) else len(block.active)


__all__ = ["REPLICATED", "Refits"]
