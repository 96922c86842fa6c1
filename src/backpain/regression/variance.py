"""From what each person of a domain moves to the variance under the survey's design."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backpain.design import Design

Numbers = NDArray[np.float64]
Marks = NDArray[np.bool_]


def variance(
    design: Design,
    estimate: Numbers,
    influence: Callable[[], Numbers],
    at: Callable[[Numbers], Numbers],
    domain: Marks | None = None,
) -> Numbers:
    """(k, k) variance of (k,) estimates: linearised, by their (people, k) influence function.

    `at` gives the (r, k) estimates under (people, r) vectors of weights, for designs of replicate weights.
    """
    return design.covariance(influence(), domain)


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
