"""Trials nested in one another: every eligible person-period is a time zero, and is followed from there.

No row of the expanded data is made to fit a model: a person-trial is where it begins and how long it goes on, and its
rows are person-periods that lie one after another. Person-trials are kept in blocks of people, the longest first,
so that those still followed at any time are the beginning of the block.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from backpain.sequence.declared import SequentialTrials
from backpain.sequence.periods import Periods

Numbers = NDArray[np.float64]
Marks = NDArray[np.bool_]
Whole = NDArray[np.int32]

# Person-trials in a block: what fits a core's own cache.
BLOCK = 8192


@dataclass(frozen=True)
class Block:
    """Some people with all their person-trials.

    Attributes
    ----------
    trials
        Which person-trials.
    rows
        Their people's person-periods.
    going
        (longest + 1,) how many of the person-trials are still followed at each time, and then 0.
    offset
        (longest + 1,) where the rows of each time begin in the block, were they all listed time by time.
    """

    trials: slice
    rows: slice
    going: Whole
    offset: NDArray[np.int64]


@dataclass(frozen=True)
class Trials:
    """All person-trials.

    Attributes
    ----------
    periods
        What they are made of.
    start
        (person-trials,) the person-period of time zero.
    length
        (person-trials,) how many periods they are followed.
    arm
        (person-trials,) True for the treated.
    late
        (person-trials,) whether treatment began in the last period of grace, and not before.
    cloned
        Whether each person and time zero is there once for each arm.
    loss_first
        Whether the row of who is lost tells nothing of the event.
    blocks
        The blocks, which cover every person-trial once.
    """

    periods: Periods
    start: Whole
    length: Whole
    arm: Marks
    late: Marks
    cloned: bool
    loss_first: bool
    blocks: tuple[Block, ...]

    @classmethod
    def of(cls, periods: Periods, declared: SequentialTrials) -> Trials:
        """Begin a trial in every eligible person-period and follow it as far as the strategy goes.

        Raises
        ------
        ValueError
            If one of the arms has no event during its follow-up.
        """
        start, length, arm, late = _followed(periods, declared)
        if declared.longest is not None:
            length = np.minimum(length, declared.longest)
        kept = length > 0
        start, length, arm, late = start[kept], length[kept].astype(np.int32), arm[kept], late[kept]
        block, rows = _blocks(periods, start)
        order = np.lexsort((start, -length, block))
        start, length, arm, late, block = start[order], length[order], arm[order], late[order], block[order]
        ends = np.searchsorted(block, np.arange(len(rows) + 1))
        blocks = tuple(
            _block(slice(int(ends[place]), int(ends[place + 1])), rows[place], length)
            for place in range(len(rows))
            if ends[place + 1] > ends[place]
        )
        made = cls(periods, start, length, arm, late, declared.grace > 0, declared.loss == "first", blocks)
        for treated, words in ((True, "treated"), (False, "untreated")):
            if not made.event[arm == treated].any():
                raise ValueError(
                    f"{declared.event}: nobody of the {words} arm has it while followed, so its risk cannot be modelled; "
                    "declare longer follow-up or another strategy"
                )
        return made

    @cached_property
    def event(self) -> Marks:
        """(person-trials,) whether the last row has the event."""
        return self.periods.event[self.start + self.length - 1]

    @cached_property
    def death(self) -> Marks:
        """(person-trials,) whether the last row has the competing event."""
        return self.periods.death[self.start + self.length - 1]

    @cached_property
    def unknown(self) -> Marks:
        """(person-trials,) whether nothing is known of the last row's event, because loss came first."""
        if not self.loss_first:
            return np.zeros(len(self.start), dtype=bool)
        return self.periods.lost[self.start + self.length - 1]

    @cached_property
    def person(self) -> Whole:
        """(person-trials,) whose."""
        return self.periods.person[self.start]

    @property
    def longest(self) -> int:
        """Periods of the longest follow-up."""
        return int(self.length.max())

    @property
    def rows(self) -> int:
        """How many rows the expanded data have."""
        return int(self.length.sum(dtype=np.int64))

    def expanded(self, weight: Numbers | None = None) -> pd.DataFrame:
        """Every row: person and trial as two columns of whole numbers, in order; `weight` as `Weights.rows` gives it."""
        order = np.lexsort((self.arm, self.start))
        length = self.length[order]
        at = np.repeat(order.astype(np.int32), length)
        # How far each row is from the first of its person-trial.
        whole = np.int32 if len(at) < 2**31 else np.int64
        begin = (np.cumsum(length, dtype=np.int64) - length).astype(whole)
        follow_up = (np.arange(len(at), dtype=whole) - np.repeat(begin, length)).astype(np.int32)
        row = self.start[at] + follow_up
        made = {
            "person": self.periods.person[row],
            "trial": self.periods.period[self.start[at]],
            "follow_up": follow_up,
            "period": self.periods.period[row],
            "arm": self.arm[at].astype(np.int8),
            "treated": self.periods.treated[row].astype(np.int8),
            "event": self.periods.event[row].astype(np.int8),
            "death": self.periods.death[row].astype(np.int8),
        }
        if weight is not None:
            made["weight"] = weight[self._listed(at, follow_up)]
        return pd.DataFrame(made, copy=False)

    def _listed(self, at: Whole, follow_up: Whole) -> NDArray[np.integer]:
        """Where a row stands among the blocks' rows, time by time."""
        sizes = np.array([block.offset[-1] for block in self.blocks])
        firsts = np.array([block.trials.start for block in self.blocks])
        table = np.zeros((len(sizes), self.longest), dtype=np.int64)
        for place, block in enumerate(self.blocks):
            table[place, : len(block.offset) - 1] = block.offset[:-1]
        table += (np.cumsum(sizes) - sizes - firsts)[:, None]
        table = table.astype(np.int32 if self.rows < 2**31 else np.int64)
        of = np.repeat(
            np.arange(len(sizes), dtype=np.int32), [block.trials.stop - block.trials.start for block in self.blocks]
        )
        return table[of[at], follow_up] + at


def expand(frame: pd.DataFrame, declared: SequentialTrials, people: ArrayLike | None = None) -> pd.DataFrame:
    """The nested trials, one row for each person, trial and period of follow-up, without weights.

    Parameters
    ----------
    frame, people
        As `Periods.of` takes them.

    Returns
    -------
    `person` (position among the people: in the order of the design, or as first met), `trial` (the period of time zero),
    `follow_up` (0 at time zero), `period`, `arm`, `treated`, `event`, `death`. Rows end with the event, death,
    loss, or before the first period that deviates from the strategy. With a grace period a person-trial is there
    once for each arm.

    Raises
    ------
    ValueError
        As `Periods.of` and `Trials.of` do.
    """
    return Trials.of(Periods.of(frame, declared, people), declared).expanded()


def _followed(periods: Periods, declared: SequentialTrials) -> tuple[Whole, Whole, Marks, Marks]:
    """Start, length and arm of every person-trial, and whether it began treatment late."""
    start = np.flatnonzero(periods.eligible).astype(np.int32)
    last, treated = periods.last[start], periods.treated[start]
    late = np.zeros(len(start), dtype=bool)
    if declared.strategy == "initiation":
        return start, last - start + 1, treated, late
    end = _end_of_run(periods)
    if not declared.grace:
        return start, end[start] - start + 1, treated, late
    never = np.where(treated, 0, end[start] - start + 1)
    # ASSUME: in the treated arm treatment may begin at any period up to the last of grace, and must go on from there.
    begin = np.where(treated, start, end[start] + 1)
    wait = begin - start
    begins = (begin <= last) & (wait <= declared.grace)
    waiting = np.minimum(np.minimum(wait, last - start + 1), declared.grace)
    always = np.where(begins, end[np.minimum(begin, last)] - start + 1, waiting)
    late = begins & (wait == declared.grace)
    arm = np.repeat([True, False], len(start))
    both = np.concatenate([start, start])
    return both, np.concatenate([always, never]).astype(np.int32), arm, np.concatenate([late, np.zeros_like(late)])


def _end_of_run(periods: Periods) -> Whole:
    """(rows,) the last row until which the person's treatment stays as it is."""
    rows = len(periods.treated)
    changes = np.append(periods.treated[1:] != periods.treated[:-1], True)
    ends = np.append(periods.person[1:] != periods.person[:-1], True) | changes
    where = np.flatnonzero(ends)
    return where[np.searchsorted(where, np.arange(rows))].astype(np.int32)


def _blocks(periods: Periods, start: Whole) -> tuple[NDArray[np.intp], list[slice]]:
    """The block of each person-trial, and the person-periods of each block: whole people, some thousand trials."""
    rows = len(periods.person)
    held = np.bincount(periods.first[start], minlength=rows)
    firsts = np.flatnonzero(periods.first == np.arange(rows))
    sums = np.cumsum(np.add.reduceat(held, firsts))
    of_person = (sums - 1).clip(0) // BLOCK
    cuts = np.flatnonzero(np.append(True, of_person[1:] != of_person[:-1]))
    begins = np.append(firsts[cuts], rows)
    slices = [slice(int(one), int(two)) for one, two in pairwise(begins)]
    return np.searchsorted(begins, start, side="right") - 1, slices


def _block(trials: slice, rows: slice, length: Whole) -> Block:
    count = np.bincount(length[trials])
    going = (trials.stop - trials.start - np.cumsum(count)).astype(np.int32)
    # going[k] is how many are longer than k: those with a row at follow-up k.
    return Block(trials, rows, going, np.append(0, np.cumsum(going, dtype=np.int64)[:-1]))


__all__ = ["Block", "Trials", "expand"]
