"""Our side of benchmarks/sequence.py: one panel, the sustained strategy and the initiation of treatment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from backpain import design, sequence
from backpain.sequence.influence import row_weights
from backpain.sequence.periods import Periods
from backpain.sequence.solve import Frame, Solved, solve
from backpain.sequence.weights import from_time_zero

PACKAGES = ("backpain", "numpy", "pandas")
Work = Callable[[], dict[str, Any]]


def declared(strategy: str) -> sequence.SequentialTrials:
    """What pyseqtarget does by default: weights before expansion, parabolas of time, treatment times follow-up."""
    zero = "weighted" if strategy == "sustained" else "adjusted"
    return sequence.SequentialTrials(strategy=strategy, fixed=("sex", "age"), varying=("low",), time_zero=zero)


def emulated(survey: Any, strategy: str) -> Work:
    """Everything a user would have: weights, pooled regression, clustered errors, curves with bands."""
    panel = frame(survey)
    people = panel[["id"]].drop_duplicates().assign(weight=1.0)
    sample = design.Design.of(people, stratum=None, cluster="id")

    def work() -> dict[str, Any]:
        found = sequence.emulate_sequence(panel, declared(strategy), sample, people["id"])
        curves = found.curves()
        table = found.table().iloc[:-1]
        return {"estimate": table["estimate"], "se": table["se"], "risk": curves["risk"][: 2 * found.longest]}

    return work


def sustained(survey: Any) -> Work:
    return emulated(survey, "sustained")


def initiation(survey: Any) -> Work:
    return emulated(survey, "initiation")


def sustained_like_peer(survey: Any) -> Work:
    """For agreement alone: pyseqtarget does not weight the time zero of a person's first trial, so here neither."""
    panel, asked = frame(survey), declared("sustained")

    def work() -> dict[str, Any]:
        periods = Periods.of(panel, asked)
        whole = Frame.of(periods, asked)
        weight = np.ones(periods.people)
        found = unweighted_first(whole, solve(whole, weight))
        return {"estimate": found.event.coefficients, "risk": found.value()[: 2 * whole.trials.longest]}

    return work


def unweighted_first(whole: Frame, found: Solved) -> Solved:
    """The pooled regression with weights that leave out the factor of each person's first time zero."""
    from backpain.sequence.hazard import fit_pooled

    trials, periods = whole.trials, whole.periods
    path = found.weights.never
    assert path is not None
    begun = np.flatnonzero(periods.eligible)
    first = begun[np.append(True, periods.person[begun][1:] != periods.person[begun][:-1])]
    factor = path[trials.start] - from_time_zero(path, trials.start, periods, whole.declared)
    factor = np.where(np.isin(trials.start, first), np.exp(-factor), 1.0)
    made = row_weights(found.weights, trials, whole.declared).weight
    place = 0
    for block in trials.blocks:
        for n in block.going[:-1]:
            made[place : place + n] *= factor[block.trials.start : block.trials.start + int(n)]
            place += int(n)
    nobody = np.zeros(len(trials.start), dtype=bool)
    return replace(found, event=fit_pooled(whole.pooled(trials.event, nobody, made), "event"))


def frame(survey: Any) -> pd.DataFrame:
    panel = pd.DataFrame(survey.columns("panel.bin"))
    return panel.astype(dict.fromkeys(["id", "period", "treated", "event", "eligible"], np.int32))


JOBS = {"sustained": sustained, "initiation": initiation, "sustained_like_peer": sustained_like_peer}
