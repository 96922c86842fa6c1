"""The expanded rows with their weights, for whoever wants to look at them or to model them otherwise."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from backpain.sequence.declared import SequentialTrials
from backpain.sequence.expand import Trials
from backpain.sequence.influence import row_weights
from backpain.sequence.periods import Periods
from backpain.sequence.weights import fit_weights

Numbers = NDArray[np.float64]


def weighted_rows(
    frame: pd.DataFrame,
    declared: SequentialTrials,
    survey: Numbers | None = None,
    people: ArrayLike | None = None,
) -> pd.DataFrame:
    """The rows of `expand` with `weight`: the inverse probability of deviation and loss, cut as declared.

    Parameters
    ----------
    frame, people
        As `Periods.of` takes them.
    survey
        (people,) survey weights, with which the weights' models are fitted; not multiplied in. None: all 1.

    Raises
    ------
    ValueError
        As `Periods.of`, `Trials.of` and `fit_weights` do.
    """
    periods = Periods.of(frame, declared, people)
    trials = Trials.of(periods, declared)
    weight = np.ones(periods.people) if survey is None else np.asarray(survey, dtype=float)
    # The models are let go before the rows are made.
    made = row_weights(fit_weights(periods, declared, weight[periods.person]), trials, declared).weight
    return trials.expanded(made)


__all__ = ["weighted_rows"]
