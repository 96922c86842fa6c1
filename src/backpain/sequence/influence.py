"""How much each person moves the coefficients of a pooled regression, all their trials together, and their weights' models.

The weights are estimated: whoever moves a coefficient of their models moves every row's weight, and by that the pooled
regression (stacked estimating equations: Stefanski and Boos 2002, Am Stat 56:29).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backpain.design import grouped
from backpain.sequence.declared import SequentialTrials
from backpain.sequence.expand import Block, Trials
from backpain.sequence.hazard import Fitted, Pooled, score_rows
from backpain.sequence.weights import Model, Weights, log_weight
from backpain.sequence.within import remaining

Numbers = NDArray[np.float64]
Marks = NDArray[np.bool_]
Whole = NDArray[np.int32]


class Cut(NamedTuple):
    """One bound that weights are cut at: the weight of a row of the expanded data.

    `value` is that weight, `trial` and `k` whose row it is; `above` tells whether heavier rows are cut, or lighter ones.
    """

    value: float
    trial: int
    k: int
    above: bool


class RowWeights(NamedTuple):
    """(rows of all blocks,) weights without the survey's, after cutting; (rows,) which were cut, and the bounds."""

    weight: Numbers
    cut: Marks | None
    bounds: tuple[Cut, ...]


def row_weights(weights: Weights, trials: Trials, declared: SequentialTrials) -> RowWeights:
    """The weights of all rows, a block after the other and time by time."""
    found = np.ones(trials.rows)
    place = 0
    for block in trials.blocks:
        for k in range(len(block.going) - 1):
            n = int(block.going[k])
            told = log_weight(weights, trials, declared, block, k)
            if told is not None:
                np.exp(told, out=found[place : place + n])
            place += n
    if declared.truncate is None or not weights.models:
        return RowWeights(found, None, ())
    bounds = tuple(
        _bound(found, share, above, trials) for share, above in zip(declared.truncate, (False, True), strict=True)
    )
    cut = (found < bounds[0].value) | (found > bounds[1].value)
    return RowWeights(np.clip(found, bounds[0].value, bounds[1].value), cut, bounds)


def _bound(found: Numbers, share: float, above: bool, trials: Trials) -> Cut:
    """The smallest weight that at least this share of the rows does not pass, and the row that has it."""
    # ASSUME: rows count alike in percentiles, whatever their survey weights.
    rank = min(max(int(np.ceil(share * len(found) - 1e-9)) - 1, 0), len(found) - 1)
    value = float(np.partition(found, rank)[rank])
    place = int(np.flatnonzero(found == value)[0])
    for block in trials.blocks:
        if place < block.offset[-1]:
            k = int(np.searchsorted(block.offset, place, side="right")) - 1
            return Cut(value, block.trials.start + place - int(block.offset[k]), k, above)
        place -= int(block.offset[-1])
    raise AssertionError("every row stands in a block")


def influence_of(
    fitted: Fitted, made: RowWeights, weights: Weights, declared: SequentialTrials, moved: list[Numbers]
) -> Numbers:
    """(people, k) influence function of a pooled regression's coefficients, the survey weight multiplied in.

    Parameters
    ----------
    moved
        Of each of the weights' models, the (people, k) influence function of its coefficients; see `moved_models`.
    """
    walk = _Walk(fitted, made, weights, declared)
    score = walk.score
    for drift, own in zip(walk.drift, moved, strict=True):
        score = score + own @ drift.T
    return np.asarray(score @ fitted.bread)


def moved_models(weights: Weights, trials: Trials) -> list[Numbers]:
    """(people, k) influence function of the coefficients of each of the weights' models."""
    person = trials.periods.person
    return [model.fit.totals(person[model.among].astype(np.intp), trials.periods.people) for model in weights.models]


class _Walk:
    """One pass over all rows: each person's score, and how far each model of the weights moves the sum of scores."""

    def __init__(self, fitted: Fitted, made: RowWeights, weights: Weights, declared: SequentialTrials) -> None:
        self.fitted, self.weights, self.declared = fitted, weights, declared
        self.trials = fitted.pooled.trials
        k = len(fitted.coefficients)
        self.score = np.zeros((self.trials.periods.people, k))
        self.drift = [np.zeros((k, len(model.fit.coefficients))) for model in weights.models]
        self.cut_scores = np.zeros((len(made.bounds), k))
        before = 0
        for block, weight in fitted.pooled.blocks():
            size = int(block.offset[-1])
            cut = None if made.cut is None else made.cut[before : before + size]
            high = made.weight[before : before + size] if cut is not None else None
            self._block(block, weight, cut, high, made.bounds)
            before += size
        for bound, total in zip(made.bounds, self.cut_scores, strict=True):
            self._of_bound(bound, total)

    def _block(
        self, block: Block, weight: Numbers, cut: Marks | None, made: Numbers | None, bounds: tuple[Cut, ...]
    ) -> None:
        """Add a block's scores, by person and by person-period."""
        k = self.score.shape[1]
        trials, rows = self.trials, block.rows
        own = np.zeros((block.trials.stop - block.trials.start, k))
        arms = 2 if self.declared.grace else 1
        # By arm (grace only): scores by the period of the row, by that of time zero, and of those who began late.
        at, zero, late = (np.zeros((arms, rows.stop - rows.start, k)) for _ in range(3))
        fixed = np.zeros_like(own) if cut is not None else None
        for odds, score in score_rows(self.fitted, block, weight):
            n = len(score)
            own[:n] += score
            if not self.weights.models:
                continue
            if cut is not None and made is not None and fixed is not None:
                part = slice(int(block.offset[odds.k]), int(block.offset[odds.k]) + n)
                for place, bound in enumerate(bounds):
                    mine = cut[part] & (made[part] == bound.value)
                    self.cut_scores[place] += score[mine].sum(0)
                fixed[:n][cut[part]] += score[cut[part]]
                score[cut[part]] = 0.0
            start = trials.start[odds.among] - rows.start
            for arm, mine in enumerate(_by_arm(trials.arm[odds.among], arms)):
                at[arm][start[mine] + odds.k] += score[mine]
            if self.weights.late is not None and odds.k >= self.declared.grace:
                begun = trials.late[odds.among]
                late[1][start[begun] + self.declared.grace] += score[begun]
        person = trials.person[block.trials]
        low, high = int(person.min()), int(person.max()) + 1
        self.score[low:high] += grouped(own, (person - low).astype(np.intp), high - low)
        if self.weights.models:
            start, free = trials.start[block.trials] - rows.start, own if fixed is None else own - fixed
            for arm, mine in enumerate(_by_arm(trials.arm[block.trials], arms)):
                zero[arm][start[mine]] = free[mine]
            self._drifts(rows, at, zero, late)

    def _drifts(self, rows: slice, at: Numbers, zero: Numbers, late: Numbers) -> None:
        """Add what a block's person-periods have to do with each of the weights' models."""
        last = self.trials.periods.last[rows] - rows.start
        prior = self.trials.periods.prior[rows]
        for arm in range(len(at)):
            since = at[arm] - zero[arm]
            treated = remaining(since, last)
            # Of rows from here on (`loss: first`) or after this one, of trials that began no later.
            lost = treated + zero[arm] if self.declared.loss == "first" else treated - since
            if self.declared.time_zero == "weighted":
                treated = treated + zero[arm]
            if self.declared.strategy == "initiation":
                treated = zero[arm]
            if len(at) == 2 and arm == 1:
                treated = np.where(prior[:, None], treated, 0.0) + late[arm]
            for model, drift in zip(self.weights.models, self.drift, strict=True):
                if model.what == "deviation" and model.above and len(at) == 2 and arm == 1:
                    continue
                inside = _inside(model, rows)
                here = model.among[inside] - rows.start
                y = (treated if model.what == "deviation" else lost)[here]
                drift += y.T @ _slopes(model, inside)

    def _of_bound(self, bound: Cut, total: Numbers) -> None:
        """Rows cut at a bound move with the weight of the row that has it."""
        trials, declared = self.trials, self.declared
        start, arm = int(trials.start[bound.trial]), bool(trials.arm[bound.trial])
        now, grace = start + bound.k, declared.grace > 0
        for model, drift in zip(self.weights.models, self.drift, strict=True):
            if model.what == "loss":
                counted = np.arange(start, now + (declared.loss == "first" and not trials.periods.lost[now]))
            else:
                until = start if declared.strategy == "initiation" else now
                counted = np.arange(start + (declared.time_zero == "adjusted"), until + 1)
                if grace and arm:
                    kept = trials.periods.prior[counted]
                    if trials.late[bound.trial]:
                        kept = kept | (counted == start + declared.grace)
                    counted = counted[kept] if not model.above else counted[:0]
            for row in counted:
                place = int(np.searchsorted(model.among, row))
                if place < len(model.among) and model.among[place] == row:
                    drift += np.outer(total, _slopes(model, slice(place, place + 1))[0])


def _by_arm(arm: Marks, arms: int) -> Iterator[slice | Marks]:
    yield from (slice(None),) if arms == 1 else (~arm, arm)


def _inside(model: Model, rows: slice) -> slice:
    """Which of a model's rows are among these person-periods."""
    low, high = np.searchsorted(model.among, (rows.start, rows.stop))
    return slice(int(low), int(high))


def _slopes(model: Model, inside: slice) -> Numbers:
    """(rows, k) slope of the log ratio in the model's coefficients."""
    sign = 1.0 if model.above else -1.0
    return np.asarray(model.fit.matrix[inside] * (sign * model.slope_in(inside))[:, None])


__all__ = ["Cut", "Pooled", "RowWeights", "influence_of", "moved_models", "row_weights"]
