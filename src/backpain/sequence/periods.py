"""Person-periods, read and checked once, in the order of people and of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from backpain.sequence.declared import SequentialTrials, variables_of

Marks = NDArray[np.bool_]
Whole = NDArray[np.int32]


@dataclass(frozen=True)
class Periods:
    """One row for each person and period, each person's rows beside one another in time.

    Attributes
    ----------
    people
        How many people the design has, with or without rows.
    person
        (rows,) whose, a position in the design.
    period
        (rows,) whole numbers.
    treated, prior, event, death, lost, eligible
        (rows,) see `SequentialTrials`; nobody was treated before the first of their rows unless `prior` says so.
    covariates
        (rows,) frame of the covariates' columns.
    """

    people: int
    person: Whole
    period: Whole
    treated: Marks
    prior: Marks
    event: Marks
    death: Marks
    lost: Marks
    eligible: Marks
    covariates: pd.DataFrame

    @classmethod
    def of(cls, frame: pd.DataFrame, declared: SequentialTrials, people: ArrayLike | None = None) -> Periods:
        """Read person-periods.

        Parameters
        ----------
        frame
            One row per person and period, in any order.
        people
            The ids in the order of the design's rows; None takes those of the frame as they are met.

        Raises
        ------
        ValueError
            If a column is absent or has missing values, a mark is neither 0 nor 1, a person-period stands there twice or
            is left out, rows follow an event, a death or a loss, a row has both event and death or, where loss comes
            first, loss and one of them, somebody is not among the people, nobody is eligible, or an arm or the outcome is
            empty.
        """
        marks = [declared.treatment, declared.event, declared.eligible]
        marks += [name for name in (declared.prior, declared.lost, declared.death) if name is not None]
        terms = variables_of((*declared.fixed, *declared.varying))
        _refuse_absent(frame, [declared.id, declared.period, *marks, *terms])
        code, count = _codes(frame[declared.id], people)
        period = _whole(frame[declared.period], declared.period)
        # In order already, as panels often are: nothing is copied but the marks.
        step = np.diff(code.astype(np.int64)) * (1 << 32) + np.diff(period.astype(np.int64))
        order = None if (step > 0).all() else np.lexsort((period, code))
        taken = frame if order is None else frame.iloc[order]
        code, period = (code, period) if order is None else (code[order], period[order])
        marked = {name: _mark(taken[name], name) for name in marks}
        nothing = np.zeros(len(taken), dtype=bool)
        treated = marked[declared.treatment]
        made = cls(
            count,
            code,
            period,
            treated,
            _before(treated, code) if declared.prior is None else marked[declared.prior],
            marked[declared.event],
            nothing if declared.death is None else marked[declared.death],
            nothing if declared.lost is None else marked[declared.lost],
            marked[declared.eligible],
            taken[terms].reset_index(drop=True),
        )
        made._check(frame[declared.id] if order is None else taken[declared.id], declared)
        return made

    @cached_property
    def first(self) -> Whole:
        """(rows,) the first row of each row's person."""
        new = self._new
        return np.flatnonzero(new).astype(np.int32)[np.cumsum(new) - 1]

    @cached_property
    def last(self) -> Whole:
        """(rows,) the last row of each row's person."""
        new = self._new
        ends = np.append(np.flatnonzero(new)[1:], len(new)) - 1
        return ends.astype(np.int32)[np.cumsum(new) - 1]

    @property
    def _new(self) -> Marks:
        return np.append(True, self.person[1:] != self.person[:-1])

    def _check(self, names: pd.Series, declared: SequentialTrials) -> None:
        """Refuse what cannot be: see `of`."""
        same = ~self._new[1:]
        gap = np.diff(self.period)
        for wrong, words in (
            (same & (gap == 0), "stands there twice; leave one row for each person and period"),
            (same & (gap > 1), "follows after a gap; give every period between a person's first and last, or mark them lost"),
            (same & self.event[:-1], f"comes after the person's {declared.event}; follow-up ends there"),
            (same & self.death[:-1], f"comes after the person's {declared.death}; follow-up ends there"),
            (same & self.lost[:-1], f"comes after the person was {declared.lost}; follow-up ends there"),
        ):  # fmt: skip
            _refuse(np.append(False, wrong), words, names, self.period)
        both = self.event & self.death
        _refuse(both, f"has both {declared.event} and {declared.death}; keep what came first", names, self.period)
        if declared.loss == "first":
            known = self.lost & (self.event | self.death)
            _refuse(known, f"has both {declared.event} and loss, which comes before it", names, self.period)
        for mark, name, words in (
            (self.eligible, declared.eligible, "nobody is ever eligible, so no trial begins"),
            (self.eligible & self.treated, declared.treatment, "nobody eligible is treated at time zero"),
            (self.eligible & ~self.treated, declared.treatment, "everybody eligible is treated at time zero"),
        ):
            if not mark.any() and not (declared.grace and words.startswith("nobody eligible")):
                raise ValueError(f"{name}: {words}; see how {declared.eligible} was made")
        if not self.event.any():
            raise ValueError(f"{declared.event}: there are no events, so there is nothing to compare")


def _refuse_absent(frame: pd.DataFrame, wanted: Sequence[str]) -> None:
    if absent := [name for name in wanted if name not in frame]:
        raise ValueError(f"periods: there is no column {absent[0]!r}; name the columns in the declaration")
    if not len(frame):
        raise ValueError("periods: there are no rows")


def _codes(ids: pd.Series, people: ArrayLike | None) -> tuple[Whole, int]:
    """Each row's person as a position among the people."""
    if ids.isna().any():
        raise ValueError(f"{ids.name}: missing for {int(ids.isna().sum())} rows; every row is somebody's")
    if people is None:
        code, distinct = pd.factorize(ids)
        return code.astype(np.int32), len(distinct)
    index = pd.Index(people)
    if not index.is_unique:
        raise ValueError("people: an id stands there twice; give one for each row of the design")
    code = index.get_indexer(ids)
    if (code < 0).any():
        raise ValueError(
            f"{ids.name}: {int((code < 0).sum())} rows belong to nobody of the design, such as {ids[code < 0].iloc[0]!r}"
        )
    return code.astype(np.int32), len(index)


def _whole(values: pd.Series, name: str) -> Whole:
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    if not np.isfinite(numbers).all() or (numbers != np.floor(numbers)).any() or (np.abs(numbers) > 1e6).any():
        raise ValueError(f"{name}: periods are whole numbers without missing values")
    return numbers.astype(np.int32)


def _mark(values: pd.Series, name: str) -> Marks:
    if values.dtype == bool:
        return values.to_numpy()
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    wrong = ~((numbers == 0) | (numbers == 1))
    if wrong.any():
        raise ValueError(f"{name}: neither 0 nor 1 in {int(wrong.sum())} rows; fill or leave out what is not known")
    return numbers == 1


def _before(treated: Marks, person: Whole) -> Marks:
    """(rows,) the treatment in the row before of the same person; none before the first."""
    same = np.append(False, person[1:] == person[:-1])
    return np.append(False, treated[:-1]) & same


def _refuse(wrong: Marks, words: str, names: pd.Series, period: Whole) -> None:
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        count = int(wrong.sum())
        raise ValueError(f"periods: period {period[place]} of {names.iloc[place]!r} {words} ({count} such rows)")


__all__ = ["Periods"]
