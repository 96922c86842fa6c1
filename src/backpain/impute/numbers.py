"""Draws of numbers: Bayesian linear regression with random intercepts, and predictive mean matching."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular

Numbers = NDArray[np.float64]
Codes = NDArray[np.intp]


@dataclass(frozen=True)
class Line:
    """A linear regression at its posterior mode, and one draw from the posterior.

    Attributes
    ----------
    coefficients, drawn
        (columns,) least squares, and drawn from normal(coefficients, spread^2 x inverse cross product).
    intercepts, drawn_intercepts
        (groups,) likewise; None without groups.
    spread
        Drawn residual standard deviation.
    """

    coefficients: Numbers
    drawn: Numbers
    spread: float
    intercepts: Numbers | None = None
    drawn_intercepts: Numbers | None = None


@dataclass(frozen=True)
class Factor:
    """Cross product of the columns, group intercepts eliminated, as a lower triangle with the columns' scale."""

    lower: Numbers
    scale: Numbers

    def solve(self, right: Numbers) -> Numbers:
        """The least-squares coefficients for X'y."""
        return np.asarray(cho_solve((self.lower, True), right / self.scale, check_finite=False) / self.scale)

    def deviation(self, z: Numbers) -> Numbers:
        """Normal draws with the inverse cross product as covariance, from standard normal z."""
        return np.asarray(solve_triangular(self.lower, z, lower=True, trans=1, check_finite=False) / self.scale)


def factorise(gram: Numbers) -> Factor:
    """Factorise a cross product; raises LinAlgError where it is singular."""
    scale = np.sqrt(np.diag(gram))
    return Factor(cholesky(gram / np.outer(scale, scale), lower=True, check_finite=False), scale)


def draw_line(x: Numbers, y: Numbers, rng: np.random.Generator) -> Line:
    """Draw from the posterior of a linear regression under the usual flat prior (Rubin 1987, 167; `mice`'s norm.draw).

    The residual variance is the residual sum of squares by a chi-square with people less columns (at least 1)
    degrees of freedom. x is (columns, people), of full rank.
    """
    factor = factorise(x @ x.T)
    b = factor.solve(x @ y)
    residual = y - b @ x
    spread = float(np.sqrt(residual @ residual / rng.chisquare(max(len(y) - len(x), 1))))
    return Line(b, b + spread * factor.deviation(rng.standard_normal(len(b))), spread)


def draw_grouped_line(
    x: Numbers, y: Numbers, group: Codes, groups: int, ratio: float, rng: np.random.Generator
) -> Line:
    """As `draw_line`, with a normal intercept for each group.

    Parameters
    ----------
    group
        (people,) in order, so that a group's people stand side by side.
    ratio
        Variance of the intercepts relative to the residual variance, at this iteration of the chain.
    """
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    held = group[starts]
    sums, size, total = np.zeros((len(x), groups)), np.zeros(groups), np.zeros(groups)
    sums[:, held] = np.add.reduceat(x, starts, axis=1)
    total[held] = np.add.reduceat(y, starts)
    size[held] = np.diff(np.append(starts, len(y)))
    within = size + 1.0 / ratio
    eased = sums / np.sqrt(within)
    factor = factorise(x @ x.T - eased @ eased.T)
    b = factor.solve(x @ y - sums @ (total / within))
    u = (total - b @ sums) / within
    residual = y - b @ x - u[group]
    rest = float(residual @ residual + u @ u / ratio)
    spread = float(np.sqrt(rest / rng.chisquare(max(len(y) - len(x), 1))))
    drawn = b + spread * factor.deviation(rng.standard_normal(len(b)))
    own = (total - drawn @ sums) / within + spread * rng.standard_normal(groups) / np.sqrt(within)
    return Line(b, drawn, spread, u, own)


def match(seen: Numbers, blank: Numbers, donors: int, rng: np.random.Generator) -> Codes:
    """Choose a donor for everyone without a value: one of the few nearest by prediction, each as likely.

    Donors' predictions come from the estimated coefficients and recipients' from the drawn ones (type 1 matching;
    Morris, White and Royston 2014, BMC Med Res Methodol 14:75; van Buuren 2018, Flexible Imputation, 3.4).
    Donors with the same prediction stand in random order, so none of them is favoured.

    Parameters
    ----------
    seen, blank
        (donors at hand,) and (recipients,) predictions.
    donors
        How many of the nearest a donor is drawn from; fewer when there are not as many.

    Returns
    -------
    (recipients,) positions in `seen`.
    """
    order = rng.permutation(len(seen))
    order = order[np.argsort(seen[order], kind="stable")]
    ranked, few = seen[order], min(donors, len(seen))
    middle = np.searchsorted(ranked, blank)
    window = middle[:, None] + np.arange(-few, few)
    inside = (window >= 0) & (window < len(seen))
    near = window.clip(0, len(seen) - 1)
    distance = np.where(inside, np.abs(ranked[near] - blank[:, None]), np.inf)
    nearest = np.argpartition(distance, few - 1, axis=1)[:, :few]
    rows = np.arange(len(blank))
    chosen = nearest[rows, rng.integers(few, size=len(blank))]
    return order[near[rows, chosen]]
