"""People as arrays that a regression walks through in blocks of rows small enough for the processor's cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

# Numbers of the matrix per block: a megabyte, so that a block and a scaled copy of it stay in the cache.
BLOCK = 2**17


@dataclass(frozen=True)
class Rows:
    """What a fit knows of some people.

    Attributes
    ----------
    matrix
        (people, k) model matrix.
    outcome
        (people,) numbers; for outcomes of several categories their positions.
    weight
        (people,) above zero.
    offset
        (people,) added to the linear predictor, or None.
    """

    matrix: Numbers
    outcome: Numbers
    weight: Numbers
    offset: Numbers | None = None

    def take(self, which: slice | NDArray[np.bool_] | NDArray[np.intp]) -> Rows:
        """Some of the people; a slice copies nothing."""
        offset = None if self.offset is None else self.offset[which]
        return Rows(self.matrix[which], self.outcome[which], self.weight[which], offset)

    def weighted(self, weight: Numbers) -> Rows:
        """The same people with other weights, leaving out those of weight zero; the weights get a mean of 1."""
        counted = weight > 0
        scaled = Rows(self.matrix, self.outcome, weight / weight[counted].mean(), self.offset)
        return scaled if counted.all() else scaled.take(counted)

    def contiguous(self) -> Rows:
        """The same people, copied so that they lie side by side in memory."""
        offset = None if self.offset is None else self.offset.copy()
        return Rows(np.asfortranarray(self.matrix), self.outcome.copy(), self.weight.copy(), offset)

    def linear(self, coefficients: Numbers) -> Numbers:
        """The linear predictor: (people,) for (k,) coefficients."""
        eta = self.matrix @ coefficients
        return np.asarray(eta if self.offset is None else eta + self.offset)

    def blocks(self) -> Iterator[tuple[slice, Rows]]:
        """The people in blocks of rows, and where each stands."""
        for place in blocks(*self.matrix.shape):
            yield place, self.take(place)


def blocks(people: int, columns: int) -> Iterator[slice]:
    """Slices of rows that walk through a matrix of this size in blocks."""
    rows = max(256, BLOCK // max(1, columns))
    for start in range(0, people, rows):
        yield slice(start, min(start + rows, people))
