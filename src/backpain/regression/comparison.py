"""Tests of several coefficients at once: Wald, and the working likelihood ratio of Rao and Scott."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.stats import f

from backpain.regression.fit import Fit, fit
from backpain.regression.mixture import APPROXIMATIONS

Numbers = NDArray[np.float64]

# Of the smallest eigenvalue of the coefficients' correlation: below it the variance says nothing of some direction.
SINGULAR = 1e-12


@dataclass(frozen=True)
class Comparison:
    """A test that some coefficients are all zero.

    Attributes
    ----------
    terms, method
        What was tested, by `wald` or `likelihood-ratio`.
    statistic
        F of the Wald test; twice the drop of the log-likelihood at weights of mean 1 of the other.
    numerator, df
        Coefficients tested, and degrees of freedom of the denominator.
    p
        Probability of such a statistic where all are zero.
    misspecified
        (numerator,) by how much the design's variance exceeds the model's in each direction; empty for Wald.
    """

    terms: tuple[str, ...]
    method: str
    statistic: float
    numerator: int
    df: int
    p: float
    misspecified: tuple[float, ...] = ()


def wald(fitted: Fit, covariance: Numbers, df: int, terms: Sequence[str], places: Sequence[int]) -> Comparison:
    """Whether the coefficients at these places are zero, by F on (their number, df): R's `regTermTest`.

    Raises
    ------
    ValueError
        If the variance of the coefficients is singular, as with more of them than degrees of freedom.
    """
    some = np.asarray(places)
    b, v = fitted.coefficients[some], covariance[np.ix_(some, some)]
    size = np.sqrt(np.diag(v))
    if not (size > 0).all() or np.linalg.eigvalsh(v / np.outer(size, size))[0] < SINGULAR:
        raise ValueError(
            f"wald: the design cannot tell {len(some)} coefficients apart with {df} degrees of freedom; test fewer, "
            "or take `working_likelihood_ratio`"
        )
    statistic = float((b / size) @ np.linalg.solve(v / np.outer(size, size), b / size)) / len(some)
    return Comparison(tuple(terms), "wald", statistic, len(some), df, float(f.sf(statistic, len(some), df)))


def likelihood_ratio(
    fitted: Fit,
    covariance: Numbers,
    df: int,
    terms: Sequence[str],
    columns: Sequence[int],
    approximation: str = "saddlepoint",
) -> Comparison:
    """Whether the model without these columns fits as well, by the working likelihood ratio.

    Its reference is a sum of chi-squares weighted by how much the design's variance exceeds the model's, over an
    independent chi-square of the design (Lumley and Scott 2014, Aust N Z J Stat 56:1): R's
    `regTermTest(method = "LRT")`.

    Raises
    ------
    ValueError
        If the approximation is not known or the smaller model cannot be fitted.
    """
    if approximation not in APPROXIMATIONS:
        raise ValueError(f"approximation {approximation!r} is not known; choose {', '.join(APPROXIMATIONS)}")
    smaller = without(fitted, columns)
    if not smaller.converged:
        raise ValueError(f"likelihood ratio: the model without {', '.join(terms)} has no fit: {smaller.reason}")
    some = np.asarray(fitted.kind.moved_by(columns, len(fitted.columns)))
    drop = 2 * (fitted.likelihood - smaller.likelihood)
    weight = fitted.rows.weight
    model = fitted.bread[np.ix_(some, some)] * weight[weight > 0].mean()
    excess = eigh(covariance[np.ix_(some, some)], model, eigvals_only=True)[::-1]
    p = APPROXIMATIONS[approximation](drop, excess, df)
    return Comparison(tuple(terms), "likelihood-ratio", drop, len(some), df, p, tuple(float(each) for each in excess))


def without(fitted: Fit, columns: Sequence[int]) -> Fit:
    """The same people and family, without some columns."""
    kept = [place for place in range(len(fitted.columns)) if place not in set(columns)]
    rows = fitted.rows
    names = [fitted.columns[place] for place in kept]
    return fit(rows.matrix[:, kept], rows.outcome, rows.weight, fitted.kind, names, offset=rows.offset)
