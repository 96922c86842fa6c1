"""A regression under every replicate weight of a survey."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from backpain.design import Replicated
from backpain.regression.domain import vectors
from backpain.regression.fit import Fit
from backpain.regression.many import Batch, logistic_many

Numbers = NDArray[np.float64]
Marks = NDArray[np.bool_]


def refitted(fitted: Fit, design: Replicated, members: Marks) -> Numbers:
    """(replicates, k) coefficients, all at once where the model is logistic, one after another where not."""
    if fitted.kind.name == "logistic" and fitted.rows.offset is None:
        batch = Batch.of(design, members)
        place = np.cumsum(members)[batch.order] - 1
        rows = fitted.rows
        return logistic_many(
            np.ascontiguousarray(rows.matrix[place]), rows.outcome[place], batch, fitted.coefficients, fitted.columns
        ).coefficients
    values = np.empty((design.replicates, len(fitted.coefficients)))
    for part, weights in design.blocks():
        values[part] = [fitted.again(weight) for weight in vectors(weights, members)]
    return values
