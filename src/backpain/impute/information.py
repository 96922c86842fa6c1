"""The information of a multinomial regression with random intercepts, and its factor.

A matrix x is (columns, people) throughout, so that products with it run along contiguous memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cholesky, solve_triangular

Numbers = NDArray[np.float64]
Codes = NDArray[np.intp]

# A scaled pivot below this means that a column is a copy of others, or that the likelihood is flat.
FLAT = 1e-11
# Rows taken at a time, so that what is written of them stays in the processor's cache.
ROWS = 1024


class NotFitted(Exception):
    """The likelihood has no single maximum within reach."""


@dataclass(frozen=True)
class Cells:
    """What one regression is fitted to.

    Attributes
    ----------
    x
        (columns, rows) model matrix, the intercept first; the rows of a group side by side, pseudo-observations last.
    hit
        (levels - 1, rows) 1 where a row has the level; the first level is the reference.
    share
        (rows,) weight of each row: 1 for people.
    group
        (rows,) group of each row, -1 for pseudo-observations; or None without random intercepts.
    groups
        How many groups there are, also those without a row.
    variance
        Of a level's random intercept. Intercepts of the levels are independent and alike before the reference is
        taken off, so the reference does not matter.
    """

    x: Numbers
    hit: Numbers
    share: Numbers
    group: Codes | None = None
    groups: int = 0
    variance: float = 1.0

    @property
    def precision(self) -> Numbers:
        """(levels - 1, levels - 1) inverse covariance of a group's intercepts, variance x (I + 1 1')."""
        q = len(self.hit)
        return (np.eye(q) - 1.0 / (q + 1)) / self.variance

    @cached_property
    def met(self) -> Numbers:
        """(levels - 1, columns) sums of the columns over the rows that have each level."""
        return np.asarray((self.hit * self.share) @ self.x.T)

    @cached_property
    def met_in_group(self) -> Numbers:
        """(groups, levels - 1) rows of each group that have each level."""
        return self.by_group(self.hit * self.share).T

    @cached_property
    def people(self) -> int:
        """Rows that are people: pseudo-observations follow them."""
        assert self.group is not None
        return len(self.group) if self.group[-1] >= 0 else int(np.argmax(self.group < 0))

    @cached_property
    def pieces(self) -> dict[int, tuple[Codes, Codes]]:
        """For each block of ROWS rows, where its groups begin and which they are."""
        assert self.group is not None
        found = {}
        for start in range(0, self.people, ROWS):
            part = self.group[start : min(start + ROWS, self.people)]
            begins = np.flatnonzero(np.diff(part, prepend=-1))
            found[start] = begins, part[begins]
        return found

    @cached_property
    def starts(self) -> Codes:
        """Where each group that has a row begins."""
        assert self.group is not None
        return np.flatnonzero(np.diff(self.group[: self.people], prepend=-1))

    def by_group(self, values: Numbers) -> Numbers:
        """(k, groups) sums of the columns of values (k, rows) over each group; pseudo-observations have none."""
        assert self.group is not None
        sums = np.zeros((len(values), self.groups))
        sums[:, self.group[self.starts]] = np.add.reduceat(values[:, : self.people], self.starts, axis=1)
        return sums


@dataclass(frozen=True)
class Factor:
    """Factorised information: coefficients (level by level), and group intercepts eliminated from them.

    Attributes
    ----------
    lower, scale
        Cholesky factor of the scaled information of the coefficients, and the scale.
    across, spread
        (groups, levels - 1, coefficients) information between intercepts and coefficients, and (groups, levels - 1,
        levels - 1) inverse information of the intercepts; None without groups.
    """

    lower: Numbers
    scale: Numbers
    across: Numbers | None = None
    spread: Numbers | None = None

    def solve(self, score: Numbers, pulled: Numbers | None) -> tuple[Numbers, Numbers | None]:
        """Newton's step for the scores of coefficients (q, columns) and intercepts (groups, q)."""
        flat = score.ravel()
        if pulled is None or self.spread is None or self.across is None:
            return self._down(flat).reshape(score.shape), None
        eased = (self.spread @ pulled[:, :, None])[:, :, 0]
        step = self._down(flat - eased.ravel() @ self.across.reshape(-1, len(flat)))
        back = pulled - self.across @ step
        return step.reshape(score.shape), (self.spread @ back[:, :, None])[:, :, 0]

    def _down(self, flat: Numbers) -> Numbers:
        half = solve_triangular(self.lower, flat / self.scale, lower=True, check_finite=False)
        return np.asarray(solve_triangular(self.lower, half, lower=True, trans=1, check_finite=False) / self.scale)

    def draw(self, rng: np.random.Generator, shape: tuple[int, int]) -> tuple[Numbers, Numbers | None, float]:
        """Deviations from the mode: coefficients (q, columns) and, given them, intercepts (groups, q).

        The third is the logarithm of their normal density, up to a constant.
        """
        z = rng.standard_normal(len(self.lower))
        step = solve_triangular(self.lower, z, lower=True, trans=1, check_finite=False) / self.scale
        height = -0.5 * float(z @ z)
        if self.spread is None or self.across is None:
            return step.reshape(shape), None, height
        noise = rng.standard_normal((len(self.spread), shape[0], 1))
        own = np.linalg.cholesky(self.spread) @ noise
        pulled = self.spread @ (self.across @ step)[:, :, None]
        return step.reshape(shape), (own - pulled)[:, :, 0], height - 0.5 * float((noise * noise).sum())

    @property
    def covariance(self) -> Numbers:
        """Covariance of the coefficients, level by level."""
        root = solve_triangular(self.lower, np.eye(len(self.lower)), lower=True, check_finite=False) / self.scale
        return np.asarray(root.T @ root)


def information(cells: Cells, probability: Numbers) -> Factor:
    """The information at given probabilities, factorised.

    Raises
    ------
    NotFitted
        If it is singular.
    """
    q, p = len(cells.hit), len(cells.x)
    matrix = np.zeros((q, p, q, p))
    random = cells.group is not None
    across = np.zeros((q, q, p, cells.groups)) if random else None
    for start in range(0, cells.x.shape[1], ROWS):
        rows = slice(start, start + ROWS)
        x, chance, share = cells.x[:, rows], probability[:, rows], cells.share[rows]
        for a in range(q):
            for b in range(a + 1):
                rooted = np.sqrt(chance[a] * ((1.0 - chance[a]) if a == b else chance[b]) * share)
                scaled = x * rooted
                matrix[a, :, b, :] += scaled @ scaled.T
                if across is not None and start in cells.pieces:
                    begins, held = cells.pieces[start]
                    scaled *= rooted
                    across[a, b][:, held] += np.add.reduceat(scaled[:, : cells.people - start], begins, axis=1)
    for a in range(q):
        for b in range(a):
            matrix[a, :, b, :] *= -1
            matrix[b, :, a, :] = matrix[a, :, b, :].T
            if across is not None:
                across[a, b] *= -1
                across[b, a] = across[a, b]
    if across is None:
        return _factorised(matrix.reshape(q * p, q * p), None, None)
    by_group = np.ascontiguousarray(across.transpose(3, 0, 1, 2))
    # The intercept's row of the sums is the intercepts' own information.
    return _factorised(matrix.reshape(q * p, q * p), by_group, by_group[:, :, :, 0] + cells.precision)


def _factorised(matrix: Numbers, across: Numbers | None, within: Numbers | None) -> Factor:
    size = len(matrix)
    spread: Numbers | None = None
    try:
        if across is not None and within is not None:
            across = across.reshape(len(within), -1, size)
            spread = np.asarray(np.linalg.inv(within), dtype=np.float64)
            eased = (np.linalg.cholesky(spread).transpose(0, 2, 1) @ across).reshape(-1, size)
            matrix = matrix - eased.T @ eased
        scale = np.sqrt(np.diag(matrix).clip(0))
        if not (scale > 0).all():
            raise NotFitted("the information is zero for a coefficient")
        lower = cholesky(matrix / np.outer(scale, scale), lower=True, check_finite=False)
    except LinAlgError as error:
        raise NotFitted("the information is singular") from error
    if np.diag(lower).min() ** 2 < FLAT:
        raise NotFitted("the information is nearly singular")
    return Factor(lower, scale, across, spread)
