"""Our side of benchmarks/sequence.py: one panel, the sustained strategy and the initiation of treatment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from backpain import design, sequence
from backpain.sequence.curves import curves_of
from backpain.sequence.hazard import fit_pooled
from backpain.sequence.influence import row_weights
from backpain.sequence.periods import Periods
from backpain.sequence.solve import Frame
from backpain.sequence.weights import Weights, fit_weights, from_time_zero

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
    """For agreement alone, with two things as pyseqtarget has them.

    It neither weights the time zero of a person's first trial, though it does those of later ones, nor fits the models
    of treatment to people's first periods.
    """
    panel, asked = frame(survey), declared("sustained")

    def work() -> dict[str, Any]:
        periods = Periods.of(panel, asked)
        whole = Frame.of(periods, asked)
        later = (periods.first != np.arange(len(periods.first))).astype(float)
        weights = fit_weights(periods, asked, later)
        made = row_weights(weights, whole.trials, asked).weight * first_time_zero(whole, weights)
        nobody = np.zeros(len(whole.trials.start), dtype=bool)
        event = fit_pooled(whole.pooled(whole.trials.event, nobody, made), "event")
        return {"estimate": event.coefficients, "risk": curves_of([event], np.ones(periods.people)).risk.ravel()}

    return work


def first_time_zero(whole: Frame, weights: Weights) -> np.ndarray:
    """(rows,) what takes the factor of time zero out of the weights of each person's first trial."""
    trials, periods, path = whole.trials, whole.periods, weights.never
    assert path is not None
    begun = np.flatnonzero(periods.eligible)
    first = begun[np.append(True, periods.person[begun][1:] != periods.person[begun][:-1])]
    log = path[trials.start] - from_time_zero(path, trials.start, periods, whole.declared)
    factor = np.where(np.isin(trials.start, first), np.exp(-log), 1.0)
    parts = [factor[block.trials][: int(n)] for block in trials.blocks for n in block.going[:-1]]
    return np.concatenate(parts)


def frame(survey: Any) -> pd.DataFrame:
    panel = pd.DataFrame(survey.columns("panel.bin"))
    return panel.astype(dict.fromkeys(["id", "period", "treated", "event", "eligible"], np.int32))


JOBS = {"sustained": sustained, "initiation": initiation, "sustained_like_peer": sustained_like_peer}
