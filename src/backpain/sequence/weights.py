"""Inverse probability of deviation and of loss, multiplied up over the periods of each person-trial.

Both are ratios that a person-period has whatever trial it is looked at from, so that a person-trial's weight is the
difference of two running sums of logarithms. Treatment is modelled among all person-periods, separately for those
treated and not treated in the period before; loss among those whom neither the event nor death met.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backpain.regression import Logistic, Term, coding_of, logistic
from backpain.sequence.declared import SequentialTrials
from backpain.sequence.expand import Block, Trials
from backpain.sequence.periods import Periods
from backpain.sequence.smooth import smooth
from backpain.sequence.within import running

Numbers = NDArray[np.float64]
Marks = NDArray[np.bool_]
Whole = NDArray[np.int32]


@dataclass(frozen=True)
class Model:
    """One logistic model of a numerator or a denominator.

    Attributes
    ----------
    what
        `deviation` or `loss`, for messages and for how it is summed.
    above
        Whether it is a numerator.
    among
        (its rows,) the person-periods it was fitted to.
    fit
        The fit to them.
    stratum
        Treated in the period before; None where that does not divide the models.
    """

    what: str
    above: bool
    among: Whole
    fit: Logistic
    stratum: bool | None = None

    @property
    def log(self) -> Numbers:
        """(its rows,) logarithm of the probability of what happened."""
        p = self.fit.probability
        return np.log(np.where(self.fit.rows.outcome == 1, p, 1 - p))

    def slope_in(self, inside: slice) -> Numbers:
        """(some of its rows,) the slope of that logarithm in the linear predictor."""
        return np.asarray(self.fit.rows.outcome[inside] - self.fit.probability[inside])


@dataclass(frozen=True)
class Weights:
    """The models and the running sums of their logarithms.

    Attributes
    ----------
    models
        Those fitted; none where nothing is weighted.
    always, never
        (rows,) running sums for the treated and for the untreated arm of the log ratios of treatment; None: no weights.
    late
        (rows,) what beginning treatment in the last period of grace adds to the logarithm.
    loss, loss_zero
        (rows,) running sums of the log ratios of loss that a period's rows are weighted by, and that are taken off where a
        trial begins in the period; None: no weights.
    """

    models: tuple[Model, ...]
    always: Numbers | None = None
    never: Numbers | None = None
    late: Numbers | None = None
    loss: Numbers | None = None
    loss_zero: Numbers | None = None


def fit_weights(
    periods: Periods, declared: SequentialTrials, weight: Numbers, before: Weights | None = None
) -> Weights:
    """Fit what the weights need under survey weights, from an earlier fit if there is one.

    Parameters
    ----------
    weight
        (rows,) each person-period's survey weight.
    before
        The fit under other weights.

    Raises
    ------
    ValueError
        If a model cannot be fitted: separated, or nobody to learn from.
    """
    if before is not None:
        models = tuple(_again(model, weight[model.among]) for model in before.models)
    else:
        models = _fitted(periods, declared, weight)
    return _summed(models, periods, declared)


def log_weight(weights: Weights, trials: Trials, declared: SequentialTrials, block: Block, k: int) -> Numbers | None:
    """(going,) logarithm of the weight of a block's rows at follow-up k; None where all weigh 1."""
    if not weights.models:
        return None
    among = slice(block.trials.start, block.trials.start + int(block.going[k]))
    start, arm = trials.start[among], trials.arm[among]
    total = np.zeros(len(start))
    if weights.always is not None and weights.never is not None:
        # One array for both arms unless there is a period of grace.
        for path, mine in _paths(weights, arm):
            own = start if mine is None else start[mine]
            # With `initiation` only the treatment at time zero is weighted.
            until = own if declared.strategy == "initiation" else own + k
            part = path[until] - from_time_zero(path, own, trials.periods, declared)
            if mine is None:
                total += part
            else:
                total[mine] += part
    if weights.late is not None and k >= declared.grace:
        late = trials.late[among]
        total[late] += weights.late[start[late] + declared.grace]
    if weights.loss is not None and weights.loss_zero is not None:
        total += weights.loss[start + k] - weights.loss_zero[start]
    return total


def from_time_zero(path: Numbers, start: Whole, periods: Periods, declared: SequentialTrials) -> Numbers:
    """(person-trials,) the running sum that a person-trial begins with: that of time zero, or of the period before."""
    if declared.time_zero == "adjusted":
        return np.asarray(path[start])
    return np.where(start == periods.first[start], 0.0, path[start - 1])


def _paths(weights: Weights, arm: Marks) -> list[tuple[Numbers, Marks | None]]:
    assert weights.always is not None
    assert weights.never is not None
    if weights.always is weights.never:
        return [(weights.always, None)]
    return [(weights.always, arm), (weights.never, ~arm)]


def _fitted(periods: Periods, declared: SequentialTrials, weight: Numbers) -> tuple[Model, ...]:
    everybody = (*declared.fixed, *declared.varying)
    sides: list[tuple[bool, Sequence[Term]]] = [(False, everybody)]
    if declared.stabilised:
        sides.append((True, declared.fixed))
    groups = []
    if declared.weighs_deviation:
        # ASSUME: whoever comes into view was not treated before, if time zero is weighted; else nobody has to know.
        known = np.ones(len(periods.person), dtype=bool)
        if declared.prior is None and declared.time_zero == "adjusted":
            known = periods.first != np.arange(len(periods.first))
        for stratum in (False, True):
            mask = (periods.prior == stratum) & known
            # Where all do the same, they do it with probability 1.
            if _differs(periods.treated[mask]) and _needed(periods, declared, stratum):
                groups.append(_Among.of("deviation", mask, periods.treated, periods, weight, stratum))
    if declared.weighs_loss:
        mask = np.ones(len(periods.person), dtype=bool)
        if declared.loss == "last":
            # Who has had the event or died is no longer at risk of being lost, nor is anybody after the study's end.
            mask = periods.lost | (~periods.event & ~periods.death & (periods.period < periods.period.max()))
        if _differs(periods.lost[mask]):
            groups.append(_Among.of("loss", mask, ~periods.lost, periods, weight))
    return tuple(group.model(above, terms, periods, declared) for group in groups for above, terms in sides)


def _differs(marks: Marks) -> bool:
    return bool(marks.any() and not marks.all())


def _needed(periods: Periods, declared: SequentialTrials, stratum: bool) -> bool:
    return declared.strategy == "sustained" or bool((periods.eligible & (periods.prior == stratum)).any())


@dataclass(frozen=True)
class _Among:
    """The person-periods of a numerator and a denominator, and what both know of them."""

    what: str
    rows: Whole
    covariates: pd.DataFrame
    outcome: Numbers
    weight: Numbers
    stratum: bool | None = None

    @classmethod
    def of(
        cls, what: str, mask: Marks, outcome: Marks, periods: Periods, weight: Numbers, stratum: bool | None = None
    ) -> _Among:
        """Take the person-periods of a mask."""
        rows = np.flatnonzero(mask).astype(np.int32)
        covariates = periods.covariates if mask.all() else periods.covariates.iloc[rows]
        return cls(what, rows, covariates, outcome[rows].astype(float), weight[rows], stratum)

    def model(self, above: bool, terms: Sequence[Term], periods: Periods, declared: SequentialTrials) -> Model:
        """Fit one of the two."""
        coding = coding_of(self.covariates, list(terms))
        period = periods.period[self.rows]
        time = smooth(period, "period", declared.calendar)
        parts, names = [coding.matrix(self.covariates), time.at(period)], [*coding.columns, *time.names]
        # ASSUME: treatment changes who is lost; in numerators only where the strategy keeps it as it was at time zero.
        if self.what == "loss" and (not above or (declared.strategy == "sustained" and not declared.grace)):
            parts.append(periods.treated[self.rows].astype(float)[:, None])
            names.append(declared.treatment)
        # Column by column in memory, which the regression walks through faster.
        matrix = np.concatenate([part.T for part in parts]).T
        fit = logistic(matrix, self.outcome, self.weight, names)
        return Model(self.what, above, self.rows, _usable(fit, self.what, above, self.stratum), self.stratum)


def _usable(fit: Logistic, what: str, above: bool, stratum: bool | None) -> Logistic:
    if fit.converged:
        return fit
    whom = "" if stratum is None else f" of those {'treated' if stratum else 'not treated'} in the period before"
    raise ValueError(
        f"the {'numerator' if above else 'denominator'} of the weights for {what}{whom}: {fit.reason}; declare fewer "
        "terms, or other ones"
    )


def _again(model: Model, weight: Numbers) -> Model:
    """The model under other weights, from where it was."""
    found = model.fit.again(weight)
    rows = replace(model.fit.rows, weight=weight)
    fit = replace(
        model.fit, coefficients=found, rows=rows, converged=bool(np.isfinite(found).all()), reason="replicate"
    )
    return replace(model, fit=_usable(fit, model.what, model.above, model.stratum))


def _summed(models: tuple[Model, ...], periods: Periods, declared: SequentialTrials) -> Weights:
    deviation = [model for model in models if model.what == "deviation"]
    loss = [model for model in models if model.what == "loss"]
    made = Weights(models)
    if deviation:
        never = running(_ratios(deviation, periods, declared), periods.first)
        always, late = never, None
        if declared.grace:
            below = [model for model in deviation if not model.above]
            plain = _ratios(below, periods, declared)
            always = running(np.where(periods.prior, plain, 0.0), periods.first)
            late = np.where(periods.prior, 0.0, plain)
        made = replace(made, always=always, never=never, late=late)
    if loss:
        ratio = _ratios(loss, periods, declared)
        if declared.loss == "first":
            # Rows of the lost do not count, so that their own ratio is of no use.
            ratio = np.where(periods.lost, 0.0, ratio)
        through = running(ratio, periods.first)
        # Loss at a period's end weighs the periods that follow it; at its beginning, the period too.
        made = replace(made, loss=through if declared.loss == "first" else through - ratio, loss_zero=through - ratio)
    return made


def _ratios(models: Sequence[Model], periods: Periods, declared: SequentialTrials) -> Numbers:
    """(rows,) logarithm of the numerator's over the denominator's probability of what happened."""
    found = np.zeros(len(periods.person))
    for model in models:
        found[model.among] += model.log if model.above else -model.log
    return found


__all__ = ["Model", "Weights", "fit_weights", "from_time_zero", "log_weight"]
