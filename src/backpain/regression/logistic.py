"""Weighted logistic regression that says when it cannot be trusted."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import statsmodels.api as sm
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, qr
from scipy.special import expit
from statsmodels.tools.sm_exceptions import ConvergenceWarning, PerfectSeparationWarning

Numbers = NDArray[np.float64]

MOST_STEPS, TOLERANCE = 50, 1e-10
# A column that the others explain but for this share of its sum of squares is taken as their copy.
DEPENDENT = 1e-10
# Log-odds beyond which a fit that still moves is running to infinity.
FAR = 15.0
# Newton's method and statsmodels must agree on every coefficient to this, relative to 1 plus the largest.
AGREEMENT = 1e-7
ENGINES = ("newton", "statsmodels")


@dataclass(frozen=True)
class Logistic:
    """A logistic regression at its converged fit.

    Attributes
    ----------
    columns
        The coefficients' names.
    matrix
        (people, k) model matrix.
    coefficients
        (k,) log-odds; missing unless converged.
    probability
        (people,) fitted; missing unless converged.
    score
        (people, k) weight x (outcome - probability) x matrix; its columns add up to zero.
    bread
        (k, k) inverse of the weighted information.
    converged, reason
        Whether the fit can be used, and if not why.
    """

    columns: list[str]
    matrix: Numbers
    coefficients: Numbers
    probability: Numbers
    score: Numbers
    bread: Numbers
    converged: bool
    reason: str

    @property
    def influence(self) -> Numbers:
        """(people, k) how much each person moves each coefficient: weight x d coefficients / d weight."""
        return np.asarray(self.score @ self.bread)


def logistic(
    matrix: ArrayLike,
    outcome: ArrayLike,
    weight: ArrayLike,
    columns: Sequence[str] | None = None,
    engine: str = "newton",
) -> Logistic:
    """Fit a weighted logistic regression.

    Parameters
    ----------
    matrix
        (people, k) with its intercept.
    outcome
        (people,) 0 or 1. People of weight 0 have no say, but get a fitted probability.
    weight
        (people,) not negative, of any scale: the fit uses them scaled to mean 1.
    columns
        Names for messages.
    engine
        `newton`, or `statsmodels` (GLM with binomial family), which must agree with it to 1e-7.

    Returns
    -------
    A fit. When the columns depend on one another, the outcome is separated, or the steps do not settle, it is
    marked as not converged with the reason, and its numbers are missing.

    Raises
    ------
    ValueError
        If shapes disagree, a number is missing, an outcome is not 0 or 1, or no weight is above zero.
    """
    if engine not in ENGINES:
        raise ValueError(f"logistic: the engine {engine!r} is not known; choose {', '.join(ENGINES)}")
    x, y, w = _checked(matrix, outcome, weight)
    names = list(columns) if columns is not None else [f"column {place}" for place in range(x.shape[1])]
    counted = w > 0
    scaled = w / w[counted].mean()
    part = slice(None) if counted.all() else counted
    reason = _dependence(x[part], names)
    coefficients, failure = (None, reason) if reason else _newton(x[part], y[part], scaled[part], names)
    if coefficients is not None and engine == "statsmodels":
        coefficients, failure = _statsmodels(x[part], y[part], scaled[part], coefficients)
    if coefficients is None:
        return _failed(x, names, failure)
    probability = expit(x @ coefficients)
    root = np.sqrt(w * probability * (1 - probability))[:, None] * x
    bread = _inverse(root.T @ root)
    score = (w * (y - probability))[:, None] * x
    return Logistic(names, x, coefficients, probability, score, bread, True, "")


def _checked(matrix: ArrayLike, outcome: ArrayLike, weight: ArrayLike) -> tuple[Numbers, Numbers, Numbers]:
    x, y, w = (np.asarray(part, dtype=float) for part in (matrix, outcome, weight))
    if x.ndim != 2 or y.shape != (len(x),) or w.shape != (len(x),):
        raise ValueError(f"logistic: matrix {x.shape}, outcome {y.shape} and weight {w.shape} do not fit")
    if not (np.isfinite(x).all() and np.isfinite(w).all()) or (w < 0).any():
        raise ValueError("logistic: the matrix or the weights have missing, infinite or negative values")
    if not (w > 0).any():
        raise ValueError("logistic: nobody has a weight above zero")
    if not np.isin(y[w > 0], (0.0, 1.0)).all():
        raise ValueError("logistic: the outcome must be 0 or 1 for everyone with a weight")
    return x, np.where(w > 0, y, 0.0), w


def _failed(x: Numbers, names: list[str], reason: str) -> Logistic:
    people, k = x.shape
    coefficients, probability, score, bread = (
        np.full(shape, np.nan) for shape in ((k,), (people,), (people, k), (k, k))
    )
    return Logistic(names, x, coefficients, probability, score, bread, False, reason)


def _dependence(x: Numbers, names: list[str]) -> str:
    """Which columns the others already say; empty when none."""
    length = np.sqrt(np.einsum("ij,ij->j", x, x))
    if (length == 0).any():
        return f"nobody has {', '.join(names[place] for place in np.flatnonzero(length == 0))}"
    unit = x / length
    if len(x) >= x.shape[1] and np.linalg.eigvalsh(unit.T @ unit)[0] > DEPENDENT:
        return ""
    _, triangle, order = qr(unit, mode="economic", pivoting=True)
    size = np.zeros(x.shape[1])
    size[: len(triangle)] = np.abs(np.diag(triangle))
    extra = [names[place] for place in sorted(order[size**2 <= DEPENDENT])] or [names[order[-1]]]
    return f"linearly dependent columns: {', '.join(extra)} can be said by the others"


def _newton(x: Numbers, y: Numbers, w: Numbers, names: list[str]) -> tuple[Numbers | None, str]:
    """Newton's method from zero, halving steps that lower the likelihood."""
    size = np.sqrt(np.einsum("ij,ij->j", x, x) / len(x))
    z = x / size
    b = np.zeros(x.shape[1])
    score = z.T @ (w * y)
    eta, best = np.zeros(len(x)), -np.inf
    for _ in range(MOST_STEPS):
        p = expit(eta)
        root = np.sqrt(w * p * (1 - p))[:, None] * z
        try:
            step = cho_solve(cho_factor(root.T @ root), score - z.T @ (w * p))
        except LinAlgError:
            break
        if np.abs(step).max() <= TOLERANCE * (1 + np.abs(b).max()):
            return (b + step) / size, ""
        b, eta, best = _uphill(z, w, score, b, step, best)
    return None, _separation(x, y, names, eta)


def _uphill(
    z: Numbers, w: Numbers, score: Numbers, b: Numbers, step: Numbers, best: float
) -> tuple[Numbers, Numbers, float]:
    """The next coefficients, their linear predictor and log-likelihood, never lower than before."""
    for halved in range(10):
        tried = b + step / 2**halved
        eta = z @ tried
        reached = float(score @ tried - w @ np.logaddexp(0.0, eta))
        if reached >= best - 1e-9 * abs(best):
            break
    return tried, eta, max(best, reached)


def _separation(x: Numbers, y: Numbers, names: list[str], eta: Numbers) -> str:
    """Words for a fit that runs away: the level without, or with nothing but, events where there is one."""
    if y.min() == y.max():
        return f"everyone has outcome {y[0]:.0f}, so there is nothing to fit"
    for place, name in enumerate(names):
        for on in (1.0, 0.0):
            held = y[x[:, place] == on]
            if set(np.unique(x[:, place])) == {0.0, 1.0} and held.min() == held.max():
                which = "who have" if on else "without"
                return f"separated: all those {which} {name} have outcome {held[0]:.0f}"
    if np.abs(eta).max() > FAR:
        return "separated: a combination of columns tells the outcomes apart, so coefficients run to infinity"
    return f"the steps did not settle within {MOST_STEPS}"


def _statsmodels(x: Numbers, y: Numbers, w: Numbers, expected: Numbers) -> tuple[Numbers | None, str]:
    """The same fit by statsmodels' GLM, refused where the two disagree."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        model = sm.GLM(y, x, family=sm.families.Binomial(), freq_weights=w)
        fit = model.fit(tol=1e-12, tol_criterion="params", maxiter=MOST_STEPS, use_t=False)
    coefficients = np.asarray(fit.params, dtype=float)
    gap = np.abs(coefficients - expected).max() / (1 + np.abs(expected).max())
    if not gap < AGREEMENT:
        return None, f"statsmodels and Newton's method differ by {gap:.1e}"
    return coefficients, ""


def _inverse(information: Numbers) -> Numbers:
    """Inverse of a positive definite matrix, scaled first so that columns of any size keep their digits."""
    size = np.sqrt(np.diag(information))
    inverse = cho_solve(cho_factor(information / np.outer(size, size)), np.eye(len(size)))
    return np.asarray((inverse + inverse.T) / 2 / np.outer(size, size))
