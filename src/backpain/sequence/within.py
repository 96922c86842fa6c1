"""Sums over each person's rows in time, without the loss of digits that one long running sum would have."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Whole = NDArray[np.int32]


def running(values: Numbers, first: Whole) -> Numbers:
    """(rows,) sums of each person's rows up to and with each; `first` is the first row of each row's person."""
    found = values.copy()
    place: Whole = np.subtract(np.arange(len(first)), first, dtype=np.int32)
    for rows in _by_place(place):
        found[rows] += found[rows - 1]
    return found


def remaining(values: Numbers, last: Whole) -> Numbers:
    """(rows, k) sums of each person's rows from each on; `last` is the last row of each row's person."""
    found = values.copy()
    place: Whole = np.subtract(last, np.arange(len(last)), dtype=np.int32)
    for rows in _by_place(place):
        found[rows] += found[rows + 1]
    return found


def _by_place(place: NDArray[np.integer]) -> Iterator[NDArray[np.intp]]:
    """The rows at place 1 of their people, then those at place 2, and so on."""
    order = np.argsort(place, kind="stable")
    ends = np.cumsum(np.bincount(place))
    for start, end in pairwise(ends):
        yield order[start:end]


__all__ = ["remaining", "running"]
