"""Draws of categories: multinomial (two levels: logistic) regression with random intercepts, by Newton's method.

Coefficients are drawn from their approximate posterior, normal about the maximum of the likelihood with the inverse
information as covariance (Rubin 1987, Multiple Imputation for Nonresponse in Surveys, 169-170). A matrix x is
(columns, people) throughout, so that products with it run along contiguous memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cholesky, solve_triangular

Numbers = NDArray[np.float64]
Codes = NDArray[np.intp]

MOST_STEPS, MOST_HALVINGS = 60, 12
# A scaled pivot below this means that a column is a copy of others, or that the likelihood is flat.
FLAT = 1e-11
# Stop when a further step would gain this much log-likelihood: coefficients are then off by 1e-5 standard errors.
GAIN = 1e-10
# The information is taken anew once coefficients have moved this many standard errors away from where it was.
MOVED = 0.1


@dataclass(frozen=True)
class Cells:
    """What one regression is fitted to.

    Attributes
    ----------
    x
        (columns, rows) model matrix, the rows of a group side by side and pseudo-observations last.
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
    def starts(self) -> Codes:
        """Where each group that has a row begins."""
        assert self.group is not None
        return np.flatnonzero(np.diff(self.group, prepend=-1) * (self.group >= 0))

    def by_group(self, values: Numbers) -> Numbers:
        """(k, groups) sums of the columns of values (k, rows) over each group; pseudo-observations have none."""
        assert self.group is not None
        people = len(self.group) if self.group[-1] >= 0 else int(np.argmax(self.group < 0))
        sums = np.zeros((len(values), self.groups))
        sums[:, self.group[self.starts]] = np.add.reduceat(values[:, :people], self.starts, axis=1)
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

    def draw(self, rng: np.random.Generator, shape: tuple[int, int]) -> tuple[Numbers, Numbers | None]:
        """Deviations from the mode: coefficients (q, columns) and, given them, intercepts (groups, q)."""
        z = rng.standard_normal(len(self.lower))
        step = solve_triangular(self.lower, z, lower=True, trans=1, check_finite=False) / self.scale
        if self.spread is None or self.across is None:
            return step.reshape(shape), None
        own = np.linalg.cholesky(self.spread) @ rng.standard_normal((len(self.spread), shape[0], 1))
        pulled = self.spread @ (self.across @ step)[:, :, None]
        return step.reshape(shape), (own - pulled)[:, :, 0]

    @property
    def covariance(self) -> Numbers:
        """Covariance of the coefficients, level by level."""
        root = solve_triangular(self.lower, np.eye(len(self.lower)), lower=True, check_finite=False) / self.scale
        return np.asarray(root.T @ root)


@dataclass(frozen=True)
class Mode:
    """Where the posterior is highest: coefficients (levels - 1, columns), intercepts (groups, levels - 1)."""

    coefficients: Numbers
    intercepts: Numbers | None
    factor: Factor
    farthest: float


class NotFitted(Exception):
    """The likelihood has no single maximum within reach."""


def probabilities(x: Numbers, coefficients: Numbers, intercepts: Numbers | None = None) -> tuple[Numbers, Numbers]:
    """(levels - 1, rows) probability of each level but the first, and (rows,) minus the first's log-probability.

    intercepts is (levels - 1, rows), each row's own.
    """
    eta = coefficients @ x
    if intercepts is not None:
        eta += intercepts
    top = np.maximum(eta.max(axis=0), 0.0)
    eta -= top
    np.exp(eta, out=eta)
    total = eta.sum(axis=0)
    total += np.exp(-top)
    eta /= total
    return eta, top + np.log(total)


def climb(cells: Cells, start: Mode | None = None, gain: float = GAIN, moved: float = MOVED) -> Mode:
    """Find the mode, from the last iteration's where there is one.

    The information of the start, or of the last place where it was taken, gives the steps as long as each gains at
    most a third of what the one before did; a chain's models differ little from one iteration to the next.

    Raises
    ------
    NotFitted
        If the information is singular or the steps do not settle.
    """
    q, p = len(cells.hit), len(cells.x)
    b = np.zeros((q, p)) if start is None else start.coefficients
    u = _first_intercepts(cells, start)
    factor = None if start is None else start.factor
    here = _at(cells, b, u)
    far, last = 0.0, np.inf
    for _ in range(MOST_STEPS):
        fresh = factor is None
        if factor is None:
            factor, far = information(cells, here.probability), 0.0
        score, pulled = _scores(cells, here.probability, u)
        step, shift = factor.solve(score, pulled)
        worth = float((score * step).sum()) + (
            0.0 if shift is None or pulled is None else float((pulled * shift).sum())
        )
        if worth < gain:
            break
        if worth > last / 3 and not fresh:
            factor, last = None, np.inf
            continue
        b, u, here, length = _forward(cells, here, b, u, step, shift)
        if length < 1 and not fresh:
            factor = None
        far, last = far + length * np.sqrt(worth), worth
    else:
        raise NotFitted(f"the steps did not settle within {MOST_STEPS}")
    if far > moved:
        factor = information(cells, here.probability)
    assert factor is not None
    return Mode(b, u, factor, float(np.abs(b @ cells.x).max()))


@dataclass(frozen=True)
class _Here:
    probability: Numbers
    value: float


def _first_intercepts(cells: Cells, start: Mode | None) -> Numbers | None:
    if cells.group is None:
        return None
    if start is not None and start.intercepts is not None:
        return start.intercepts
    return np.zeros((cells.groups, len(cells.hit)))


def _own(cells: Cells, u: Numbers | None) -> Numbers | None:
    """(q, rows) each row's group intercepts; 0 for pseudo-observations."""
    if u is None or cells.group is None:
        return None
    return np.concatenate([u, np.zeros((1, u.shape[1]))]).T[:, cells.group]


def _at(cells: Cells, b: Numbers, u: Numbers | None) -> _Here:
    own = _own(cells, u)
    probability, normaliser = probabilities(cells.x, b, own)
    value = float((cells.met * b).sum()) - float(normaliser @ cells.share)
    if u is not None:
        value += float((cells.met_in_group * u).sum()) - 0.5 * float(((u @ cells.precision) * u).sum())
    return _Here(probability, value)


def _scores(cells: Cells, probability: Numbers, u: Numbers | None) -> tuple[Numbers, Numbers | None]:
    expected = probability * cells.share
    score = cells.met - expected @ cells.x.T
    return score, None if u is None else cells.met_in_group - cells.by_group(expected).T - u @ cells.precision


def _forward(
    cells: Cells, here: _Here, b: Numbers, u: Numbers | None, step: Numbers, shift: Numbers | None
) -> tuple[Numbers, Numbers | None, _Here, float]:
    """The step, halved until the likelihood does not fall; and its length."""
    length = 1.0
    for _ in range(MOST_HALVINGS):
        tried = b + length * step
        moved = None if u is None or shift is None else u + length * shift
        there = _at(cells, tried, moved)
        if there.value >= here.value - 1e-10 * abs(here.value):
            return tried, moved, there, length
        length /= 2
    raise NotFitted("no step raises the likelihood")


def information(cells: Cells, probability: Numbers) -> Factor:
    """The information at given probabilities, factorised.

    Raises
    ------
    NotFitted
        If it is singular.
    """
    q, p = len(cells.hit), len(cells.x)
    matrix = np.empty((q, p, q, p))
    random = cells.group is not None
    across = np.zeros((cells.groups, q, q, p)) if random else None
    within = np.tile(cells.precision, (cells.groups, 1, 1)) if random else None
    for a in range(q):
        for b in range(a + 1):
            sign = 1.0 if a == b else -1.0
            weight = probability[a] * ((1.0 - probability[a]) if a == b else probability[b]) * cells.share
            rooted = np.sqrt(weight)
            scaled = cells.x * rooted
            matrix[a, :, b, :] = sign * (scaled @ scaled.T)
            matrix[b, :, a, :] = matrix[a, :, b, :].T
            if across is not None and within is not None:
                scaled *= rooted
                sums = sign * cells.by_group(np.concatenate([scaled, weight[None, :]])).T
                across[:, a, b, :] = across[:, b, a, :] = sums[:, :-1]
                within[:, a, b] += sums[:, -1]
                if a != b:
                    within[:, b, a] += sums[:, -1]
    return _factorised(matrix.reshape(q * p, q * p), across, within)


def _factorised(matrix: Numbers, across: Numbers | None, within: Numbers | None) -> Factor:
    size = len(matrix)
    spread: Numbers | None = None
    if across is not None and within is not None:
        across = across.reshape(len(within), -1, size)
        spread = np.asarray(np.linalg.inv(within), dtype=np.float64)
        eased = (np.linalg.cholesky(spread).transpose(0, 2, 1) @ across).reshape(-1, size)
        matrix = matrix - eased.T @ eased
    scale = np.sqrt(np.diag(matrix).clip(0))
    if not (scale > 0).all():
        raise NotFitted("the information is zero for a coefficient")
    try:
        lower = cholesky(matrix / np.outer(scale, scale), lower=True, check_finite=False)
    except LinAlgError as error:
        raise NotFitted("the information is singular") from error
    if np.diag(lower).min() ** 2 < FLAT:
        raise NotFitted("the information is nearly singular")
    return Factor(lower, scale, across, spread)
