"""Weighted logistic regression, by the name its many users know it by."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from backpain.regression.families import SINGLE
from backpain.regression.fit import Fit, Numbers, fit


class Logistic(Fit):
    """A logistic regression at its converged fit: a `Fit` with a probability."""

    @cached_property
    def probability(self) -> Numbers:
        """(people,) fitted; missing unless converged."""
        return np.ascontiguousarray(self.fitted[:, 0])


def logistic(
    matrix: ArrayLike,
    outcome: ArrayLike,
    weight: ArrayLike,
    columns: Sequence[str] | None = None,
    engine: str = "newton",
) -> Logistic:
    """Fit a weighted logistic regression. Arguments, result and errors as in `fit`; the outcome is 0 or 1."""
    found = fit(matrix, outcome, weight, SINGLE["logistic"], columns, engine)
    return Logistic(**vars(found))
