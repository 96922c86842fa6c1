"""One face for both ways to a variance: linearisation of a design, spread over replicates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from backpain.design.replicates import Replicated
from backpain.design.sample import Design
from backpain.design.stages import Numbers

Sampling = Design | Replicated


def variance(
    design: Sampling,
    estimate: Numbers,
    influence: Callable[[], Numbers],
    at: Callable[[Numbers], Numbers],
    domain: ArrayLike | None = None,
) -> Numbers:
    """Variance matrix of an estimate.

    Parameters
    ----------
    design
        Linearised if it is a `Design`, by its replicates if it is `Replicated`.
    estimate
        (k,) the estimate under the full-sample weights.
    influence
        Gives the (people, k) influence function, the weight multiplied in; called for a `Design` only.
    at
        Gives the (r, k) estimates under (people, r) weight vectors; called for `Replicated` only.
    domain
        As in `Design.covariance`.

    Raises
    ------
    ValueError
        As `Design.covariance` and `Replicated.spread` do.
    """
    if isinstance(design, Design):
        return design.covariance(influence(), domain)
    values = np.empty((design.replicates, len(estimate)))
    for part, weights in design.blocks():
        values[part] = at(weights)
    return design.spread(values, estimate)
