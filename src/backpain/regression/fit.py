"""A weighted fit of any family, which says when it cannot be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backpain.design import grouped
from backpain.regression.families import Family
from backpain.regression.newton import Kind, Solution, inverse, solve
from backpain.regression.peer import disagreement
from backpain.regression.rows import Rows, blocks

Numbers = NDArray[np.float64]
Codes = NDArray[np.intp]

ENGINES = ("newton", "statsmodels")
INFORMATION = ("expected", "observed")
# The condition number of a scaled information from which on its inverse is made of columns about their means.
ILL = 1e6


@dataclass(frozen=True)
class Fit:
    """A regression at its converged fit.

    Attributes
    ----------
    kind
        The family, with the categories of the outcome where it has several.
    columns
        The matrix' columns; `names` are the coefficients'.
    rows
        The people: matrix, outcome, weight (as given) and offset.
    coefficients
        (k,) on the scale of the linear predictor; missing unless converged.
    bread
        (k, k) inverse of the weighted information.
    likelihood
        Weighted log-likelihood, but for a constant, at weights of mean 1.
    information
        What the bread is the inverse of: `expected` or `observed`.
    converged, reason
        Whether the fit can be used, and if not why.
    """

    kind: Kind
    columns: list[str]
    rows: Rows
    coefficients: Numbers
    bread: Numbers
    likelihood: float
    converged: bool
    reason: str
    information: str = "expected"

    @property
    def names(self) -> list[str]:
        """The coefficients' names."""
        return self.kind.names(self.columns)

    @property
    def matrix(self) -> Numbers:
        """(people, columns) model matrix."""
        return self.rows.matrix

    @cached_property
    def score(self) -> Numbers:
        """(people, k) slope of each person's weighted log-likelihood; its columns add up to zero."""
        return self._walk(np.eye(len(self.coefficients)))

    @property
    def influence(self) -> Numbers:
        """(people, k) how much each person moves each coefficient: weight x d coefficients / d weight."""
        return self._walk(self.bread)

    def totals(self, group: Codes, groups: int) -> Numbers:
        """(groups, k) sums of the influence over groups of people, without ever holding it for everybody."""
        k = len(self.coefficients)
        found = np.zeros((groups, k))
        for place, block in self.rows.blocks():
            score = self.kind.score(block, self.coefficients)
            score[block.weight == 0] = 0.0
            found += grouped(score, group[place], groups)
        return np.asarray(found @ self.bread)

    @property
    def fitted(self) -> Numbers:
        """(people, categories) mean outcome, or the probability of each category."""
        if not self.converged:
            return np.full((len(self.rows.outcome), len(self.kind.levels)), np.nan)
        parts = [self.kind.predict(block, self.coefficients) for _, block in self.rows.blocks()]
        return np.concatenate(parts)

    def again(self, weight: Numbers) -> Numbers:
        """(k,) the coefficients under other weights, from here; missing where they do not settle."""
        return solve(self.rows.weighted(weight), self.kind, self.columns, self.coefficients).coefficients

    def _walk(self, after: Numbers) -> Numbers:
        """(people, k) score times a matrix, block by block. Columns lie side by side, as sums over PSUs want them."""
        found = np.empty((len(self.rows.outcome), len(self.coefficients)), order="F")
        if not self.converged:
            found[:] = np.nan
            return found
        for place, block in self.rows.blocks():
            score = self.kind.score(block, self.coefficients)
            # People without weight may have an outcome that means nothing.
            score[block.weight == 0] = 0.0
            found[place] = score @ after
        return found


def fit(
    matrix: ArrayLike,
    outcome: ArrayLike,
    weight: ArrayLike,
    kind: Kind,
    columns: Sequence[str] | None = None,
    engine: str = "newton",
    offset: ArrayLike | None = None,
    information: str = "expected",
) -> Fit:
    """Fit a weighted regression.

    Parameters
    ----------
    matrix
        (people, k) with its intercept.
    outcome
        (people,) as the family takes it. People of weight 0 have no say.
    weight
        (people,) not negative, of any scale: the fit uses them scaled to mean 1.
    kind
        The family: one of `SINGLE`, `Multinomial` or `Ordinal`.
    columns
        Names for messages.
    engine
        `newton`, or `statsmodels`, which must agree with it to 1e-7.
    offset
        (people,) added to the linear predictor.
    information
        What the influence is built on. `expected`, as R's `svyglm` has it, or `observed`, the exact slope of the
        coefficients in the weights, which replicates find too. They differ only for log-binomial and
        complementary log-log; ordinal has the observed one always, as R's `svyolr`.

    Returns
    -------
    A fit. When the columns depend on one another, the outcome is separated, or the steps do not settle, it is
    marked as not converged with the reason, and its numbers are missing.

    Raises
    ------
    ValueError
        If shapes disagree, a number is missing, the family does not take an outcome, or no weight is above zero.
    """
    if engine not in ENGINES:
        raise ValueError(f"{kind.name}: the engine {engine!r} is not known; choose {', '.join(ENGINES)}")
    if information not in INFORMATION:
        raise ValueError(f"{kind.name}: the information {information!r} is not known; choose {', '.join(INFORMATION)}")
    rows = _checked(matrix, outcome, weight, offset, kind)
    names = list(columns) if columns is not None else [f"column {place}" for place in range(rows.matrix.shape[1])]
    counted = rows.weighted(rows.weight)
    found = solve(counted, kind, names, information=information)
    reason = found.reason
    if not reason and engine == "statsmodels":
        reason = disagreement(counted, kind, found.coefficients)
    if reason:
        nothing = np.full(found.information.shape, np.nan)
        return Fit(kind, names, rows, nothing[0], nothing, np.nan, False, reason, information)
    scale = rows.weight[rows.weight > 0].mean()
    bread = _inverse(counted, kind, found, information) / scale
    return Fit(kind, names, rows, found.coefficients, bread, found.likelihood, True, "", information)


def _inverse(rows: Rows, kind: Kind, found: Solution, information: str) -> Numbers:
    """Inverse of the information, by columns about their means where those far from zero would cost digits."""
    size = np.sqrt(np.diag(found.information))
    if not isinstance(kind, Family) or not (rows.matrix[:, 0] == 1).all():
        return inverse(found.information)
    if np.linalg.cond(found.information / np.outer(size, size)) < ILL:
        return inverse(found.information)
    turn = np.eye(len(size))
    turn[0, 1:] = -(rows.weight @ rows.matrix[:, 1:]) / rows.weight.sum()
    about = replace(rows, matrix=rows.matrix + turn[0] * (np.arange(len(size)) > 0))
    # The same linear predictors by the turned columns.
    coefficients = found.coefficients - np.concatenate(
        [[turn[0, 1:] @ found.coefficients[1:]], np.zeros(len(size) - 1)]
    )
    observed = kind.canonical or information == "observed"
    matrix = sum(
        (kind.at(block, coefficients).information if observed else kind.information(block, coefficients))
        for _, block in about.blocks()
    )
    return np.asarray(turn @ inverse(np.asarray(matrix)) @ turn.T)


def _checked(matrix: ArrayLike, outcome: ArrayLike, weight: ArrayLike, offset: ArrayLike | None, kind: Kind) -> Rows:
    x, y, w = (np.asarray(part, dtype=float) for part in (matrix, outcome, weight))
    beside = None if offset is None else np.asarray(offset, dtype=float)
    if x.ndim != 2 or y.shape != (len(x),) or w.shape != (len(x),) or (beside is not None and beside.shape != y.shape):
        raise ValueError(f"{kind.name}: matrix {x.shape}, outcome {y.shape} and weight {w.shape} do not fit")
    finite = all(np.isfinite(x[place]).all() for place in blocks(*x.shape))
    if not (finite and np.isfinite(w).all()) or (w < 0).any():
        raise ValueError(f"{kind.name}: the matrix or the weights have missing, infinite or negative values")
    if beside is not None and not np.isfinite(beside).all():
        raise ValueError(
            f"{kind.name}: the offset has missing or infinite values; give the logarithm of a time above 0"
        )
    counted = w > 0
    if not counted.any():
        raise ValueError(f"{kind.name}: nobody has a weight above zero")
    if not np.isfinite(y[counted]).all():
        raise ValueError(f"{kind.name}: the outcome is missing or infinite for someone with a weight")
    if words := kind.refuses(y[counted]):
        raise ValueError(f"{kind.name}: the outcome {words}")
    return Rows(x, y if counted.all() else np.where(counted, y, 0.0), w, beside)
