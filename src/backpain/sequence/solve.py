"""One pass from survey weights to curves: weights' models, pooled hazards, standardised risks; and the same again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from backpain.regression import coding_of
from backpain.sequence.curves import Curves, curves_of
from backpain.sequence.declared import SequentialTrials
from backpain.sequence.expand import Trials
from backpain.sequence.hazard import Fitted, Pooled, fit_pooled
from backpain.sequence.influence import RowWeights, influence_of, moved_models, row_weights
from backpain.sequence.periods import Periods
from backpain.sequence.smooth import smooth
from backpain.sequence.weights import Weights, fit_weights

Numbers = NDArray[np.float64]
Marks = NDArray[np.bool_]


@dataclass(frozen=True)
class Frame:
    """What does not change with the survey weights.

    Attributes
    ----------
    covariates, times, names
        As in `Pooled`: of the models of the hazards.
    ratio_times
        The same without treatment's product with time; None where there is none to leave out.
    """

    declared: SequentialTrials
    periods: Periods
    trials: Trials
    covariates: Numbers
    times: Numbers
    names: list[str]
    ratio_times: Numbers | None

    @classmethod
    def of(cls, periods: Periods, declared: SequentialTrials) -> Frame:
        """Make the person-trials and the columns of their models."""
        trials = Trials.of(periods, declared)
        begun = periods.covariates.iloc[np.flatnonzero(periods.eligible)]
        coding = coding_of(begun, list(declared.baseline))
        matrix = coding.matrix(begun)
        place = np.cumsum(periods.eligible) - 1
        number = periods.period[trials.start]
        series = smooth(number, "trial", declared.trial)
        covariates = np.hstack([matrix[place[trials.start]], series.at(number)])
        names = [*coding.columns, *series.names]
        times, added = _times(trials, declared, declared.by_time)
        ratio = None if declared.by_time == "none" else _times(trials, declared, "none")[0]
        return cls(declared, periods, trials, np.ascontiguousarray(covariates), times, names + added, ratio)

    def pooled(self, event: Marks, left_out: Marks, weight: Numbers, constant: bool = False) -> Pooled:
        """The regression of one of the hazards; `constant` without treatment's product with time."""
        times = self.ratio_times if constant and self.ratio_times is not None else self.times
        names = self.names[: self.covariates.shape[1] + times.shape[2]]
        return Pooled(self.trials, self.covariates, times, names, event, left_out, weight)


def _times(trials: Trials, declared: SequentialTrials, product: str) -> tuple[Numbers, list[str]]:
    """(arms, longest, f) columns of follow-up time, of treatment, and of their product; and their names."""
    times = np.arange(trials.longest, dtype=np.int32)
    # A spline's knots stand where the rows are.
    often = _going(trials)
    base, by = (smooth(times, "follow_up", form, often) for form in (declared.follow_up, product))
    names = [*base.names, "treated", *(f"treated x {name}" for name in by.names)]
    made = []
    for arm in (0.0, 1.0):
        made.append(np.column_stack([base.at(times), np.full(len(times), arm), arm * by.at(times)]))
    return np.stack(made), names


def _going(trials: Trials) -> NDArray[np.int64]:
    ends = np.bincount(trials.length)
    return len(trials.length) - np.cumsum(ends)[:-1]


@dataclass(frozen=True)
class Solved:
    """Everything under one vector of survey weights.

    Attributes
    ----------
    weight
        (people,) survey weights.
    weights, made
        The weights' models, and each row's weight without the survey's.
    event, death, ratio
        The event's hazard, the competing event's, and the event's with one odds ratio over all time; None where there
        is none, or where it is `event` itself.
    """

    frame: Frame
    weight: Numbers
    weights: Weights
    made: RowWeights
    event: Fitted
    death: Fitted | None
    ratio: Fitted | None

    @property
    def hazards(self) -> list[Fitted]:
        """The event's, and death's if it competes."""
        return [self.event] if self.death is None else [self.event, self.death]

    @property
    def log_ratio(self) -> tuple[Fitted, int]:
        """The fit with one odds ratio, and the place of its logarithm among the coefficients."""
        fit = self.event if self.ratio is None else self.ratio
        return fit, fit.names.index("treated")

    @cached_property
    def curves(self) -> Curves:
        """The curves with all that moves them."""
        return curves_of(self.hazards, self.weight)

    def value(self, curves: Curves | None = None) -> Numbers:
        """All that is estimated: risks (untreated, then treated), coefficients of the hazards, the log odds ratio."""
        fit, place = self.log_ratio
        risk = (self.curves if curves is None else curves).risk.ravel()
        return np.concatenate([risk, *(each.coefficients for each in self.hazards), fit.coefficients[[place]]])

    def influence(self) -> Numbers:
        """(people, k) influence function of `value`, the survey weight multiplied in."""
        declared, trials = self.frame.declared, self.frame.trials
        moved = moved_models(self.weights, trials)
        parts = [influence_of(fit, self.made, self.weights, declared, moved) for fit in self.hazards]
        risk = self.curves.own
        for slope, part in zip(self.curves.slope, parts, strict=True):
            risk = risk + part @ slope.T
        fit, place = self.log_ratio
        ratio = parts[0] if self.ratio is None else influence_of(fit, self.made, self.weights, declared, moved)
        return np.hstack([risk, *parts, ratio[:, [place]]])

    def again(self, weight: Numbers) -> Numbers:
        """`value` under other survey weights, with every model fitted again."""
        other = solve(self.frame, weight, self)
        return other.value(curves_of(other.hazards, weight, influence=False))


def solve(frame: Frame, weight: Numbers, before: Solved | None = None) -> Solved:
    """Fit everything under survey weights.

    Parameters
    ----------
    weight
        (people,) survey weights.
    before
        The fits under other weights, to begin from.

    Raises
    ------
    ValueError
        As `fit_weights` and `fit_pooled` do, and if nobody in a trial has a weight above zero.
    """
    declared, periods, trials = frame.declared, frame.periods, frame.trials
    weights = fit_weights(periods, declared, weight[periods.person], None if before is None else before.weights)
    made = row_weights(weights, trials, declared)
    rows = _with_survey(made.weight, weight, trials)
    before_event = trials.death | trials.unknown
    event = fit_pooled(
        frame.pooled(trials.event, before_event, rows),
        declared.event,
        None if before is None else before.event.coefficients,
    )
    death = None
    if declared.death is not None and trials.death.any():
        pooled = frame.pooled(trials.death, trials.unknown, rows)
        start = before.death.coefficients if before is not None and before.death is not None else None
        death = fit_pooled(pooled, declared.death, start)
    ratio = None
    if frame.ratio_times is not None:
        pooled = frame.pooled(trials.event, before_event, rows, constant=True)
        start = before.ratio.coefficients if before is not None and before.ratio is not None else None
        # The model with the product is near.
        start = event.coefficients[: len(pooled.names)] if start is None else start
        ratio = fit_pooled(pooled, declared.event, start)
    return Solved(frame, weight, weights, made, event, death, ratio)


def _with_survey(made: Numbers, weight: Numbers, trials: Trials) -> Numbers:
    """(rows of all blocks,) the product with the survey's weights, the latter of mean 1."""
    own = weight[trials.person]
    if not own.any():
        raise ValueError("design: nobody whose trial begins has a weight above zero")
    own = own / own.mean()
    found = made.copy()
    place = 0
    for block in trials.blocks:
        for n in block.going[:-1]:
            found[place : place + n] *= own[block.trials.start : block.trials.start + int(n)]
            place += int(n)
    return found


__all__ = ["Frame", "Solved", "solve"]
