"""From person-periods and a design to the effect of a strategy: the face of the room."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from backpain.design import Design, Replicated, Sampling, variance
from backpain.sequence.declared import SequentialTrials
from backpain.sequence.periods import Periods
from backpain.sequence.result import ARMS, Emulated
from backpain.sequence.solve import Frame, Solved, solve

Numbers = NDArray[np.float64]

QUANTILES = (0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0)


def emulate_sequence(
    frame: pd.DataFrame,
    declared: SequentialTrials,
    design: Sampling | None = None,
    people: ArrayLike | None = None,
    level: float = 0.95,
) -> Emulated:
    """Emulate nested target trials and compare the risks of their arms.

    Parameters
    ----------
    frame
        One row per person and period; see `SequentialTrials`.
    design
        The sample, one row per person; None: everyone drawn by themselves, with equal weights.
    people
        (people,) the ids in the order of the design's rows; needed with a design. People without rows count for the
        design alone.

    Returns
    -------
    Emulated
        The variance of a `Design` is linearised with all of a person's trials and periods together, and follows the
        estimated weights through their models and their truncation; that of `Replicated` weights comes from fitting
        everything again in every replicate. Curves go to the longest follow-up of any trial, also for trials that
        began too late for it: there the model's form of time extrapolates.

    Raises
    ------
    ValueError
        As `Periods.of`, `Trials.of` and `solve` do, and if the design and the people do not fit.
    """
    if (design is None) != (people is None):
        raise ValueError("people: give the design and the ids of its rows together, or neither")
    periods = Periods.of(frame, declared, people)
    if design is None:
        design = Design.of(pd.DataFrame({"weight": np.ones(periods.people)}), stratum=None, cluster=None)
    if len(design.weight) != periods.people:
        raise ValueError(f"people: {periods.people} ids for {len(design.weight)} rows of the design; give one for each")
    whole = Frame.of(periods, declared)
    found = solve(whole, np.asarray(design.weight, dtype=float))
    value = found.value()
    inside = np.zeros(periods.people, dtype=bool)
    inside[whole.trials.person] = True
    matrix = variance(
        design,
        value,
        found.influence,
        lambda weights: np.array([found.again(column) for column in weights.T]),
        inside,
    )
    risks = 2 * whole.trials.longest
    names = [*found.event.names]
    if found.death is not None:
        names += [f"death: {name}" for name in found.death.names]
    return Emulated(
        declared.strategy,
        value[:risks].reshape(2, -1),
        [*names, "odds ratio"],
        value[risks:],
        matrix,
        design.degrees_of_freedom_in(inside),
        _how(design, found),
        _counts(whole),
        _spread(found),
        level,
    )


def _how(design: Sampling, found: Solved) -> str:
    if isinstance(design, Replicated):
        return "replicates, all refitted"
    return "linearised, weights estimated" if found.weights.models else "linearised"


def _counts(whole: Frame) -> pd.DataFrame:
    """People, person-trials, rows, events and competing events of each arm."""
    trials = whole.trials
    rows = []
    for place, name in enumerate(ARMS):
        mine = trials.arm == bool(place)
        rows.append(
            {
                "arm": name,
                "people": len(np.unique(trials.person[mine])),
                "trials": int(mine.sum()),
                "rows": int(trials.length[mine].sum(dtype=np.int64) - trials.unknown[mine].sum()),
                "events": int(trials.event[mine].sum()),
                "deaths": int(trials.death[mine].sum()),
            }
        )
    return pd.DataFrame(rows)


def _spread(found: Solved) -> pd.Series:
    """Mean and quantiles of the rows' weights."""
    weight = found.made.weight
    told = {"mean": float(weight.mean())}
    told |= {
        f"{share:.0%}": float(value) for share, value in zip(QUANTILES, np.quantile(weight, QUANTILES), strict=True)
    }
    return pd.Series(told)


__all__ = ["emulate_sequence"]
