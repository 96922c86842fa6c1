"""The weighted average of what a model predicts for people, how far each is from it, and how coefficients move it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backpain.regression.newton import Kind
from backpain.regression.rows import Rows

Numbers = NDArray[np.float64]
# Model matrices of the same people, made when needed, each times a number; and what they add up to.
Combination = list[tuple[Callable[[], Numbers], float]]


@dataclass(frozen=True)
class Average:
    """Weighted averages, who lies how far from them, and how the coefficients move them.

    Attributes
    ----------
    value
        (m,) the averages, one for each category of the outcome.
    share
        (people,) weights that add up to 1.
    deviation
        (people, m) how far each person's own prediction lies from the average.
    gradient
        (k, m) slope of each average in the coefficients.
    """

    value: Numbers
    share: Numbers
    deviation: Numbers
    gradient: Numbers

    @property
    def own(self) -> Numbers:
        """(people, m) influence of people on the averages, were the coefficients known."""
        return self.share[:, None] * self.deviation

    def influence(self, coefficients: Numbers) -> Numbers:
        """(people, m) influence on the averages, from the (people, k) influence on the coefficients."""
        return self.own + coefficients @ self.gradient


def average(
    combination: Combination, kind: Kind, coefficients: Numbers, weight: Numbers, offset: Numbers | None = None
) -> Average:
    """Average a sum of predictions under some model matrices, each times a number.

    Parameters
    ----------
    kind, coefficients
        Those of the fit.
    weight
        (people,) weights of the people averaged over, 0 for the others.
    """
    share = weight / weight.sum()
    predicted = np.zeros((len(share), len(kind.levels)))
    gradient = np.zeros((len(coefficients), len(kind.levels)))
    for make, times in combination:
        for place, block in Rows(make(), share, share, offset).blocks():
            predicted[place] += times * kind.predict(block, coefficients)
            gradient += times * kind.gradient(block, coefficients)
    value = share @ predicted
    return Average(value, share, predicted - value, gradient)
