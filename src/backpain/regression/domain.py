"""From the people of a domain to all people of the survey, and back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

Numbers = NDArray[np.float64]
Marks = NDArray[np.bool_]


def spread(influence: Numbers, members: Marks) -> Numbers:
    """(people of the survey, k) influence of the domain's people, zero for the others."""
    if members.all():
        return influence
    found = np.zeros((len(members), influence.shape[1]), order="F")
    found[members] = influence
    return found


def vectors(weights: ArrayLike, members: Marks) -> Iterator[Numbers]:
    """Each of (people of the survey, r) vectors of weights, for the domain's people.

    Raises
    ------
    ValueError
        If the shape is wrong.
    """
    block = np.asarray(weights, dtype=float)
    if block.ndim != 2 or len(block) != len(members):
        raise ValueError(f"weights: shape {block.shape} for {len(members)} people; give a row per person")
    for column in block.T:
        yield column[members]
