"""Families of one linear predictor: what each says of an outcome, its mean, and how both move.

The likelihoods, as functions of the linear predictor, are concave in every family here (log-binomial and
complementary log-log too), so that Newton's method with halved steps finds the one best fit. Variances are
built on the expected information, as iteratively reweighted least squares and so R's `svyglm` have it
(McCullagh and Nelder 1989, Generalized Linear Models, 2.5).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from backpain.regression.rows import Rows

Numbers = NDArray[np.float64]
# A log link's linear predictor above minus this stands for a risk that runs to 1.
NEARLY_ONE = 1e-3

Elementwise = Callable[[Numbers], Numbers]


class Pointwise(NamedTuple):
    """Each person's log-likelihood (but for a constant), its slope in the linear predictor, and minus its bend."""

    likelihood: Numbers
    slope: Numbers
    bend: Numbers


class State(NamedTuple):
    """Weighted log-likelihood, its (k,) slope and its (k, k) observed information at some coefficients."""

    likelihood: float
    score: Numbers
    information: Numbers


@dataclass(frozen=True)
class Family:
    """A family of generalised linear models, with its link.

    Attributes
    ----------
    name, ratio
        Its name, and what its exponentiated coefficients are; empty where they are nothing.
    link
        The linear predictor of a mean.
    mean, mean_slope, expected
        Of the linear predictor: the outcome's mean, its slope, and the expected information of a person.
    allowed
        The outcomes it takes: `0 or 1`, `not negative` or `any number`.
    canonical
        Whether observed and expected information are the same.
    """

    name: str
    ratio: str
    link: Callable[[float], float]
    pointwise: Callable[[Numbers, Numbers], Pointwise]
    mean: Elementwise
    mean_slope: Elementwise
    expected: Elementwise
    allowed: str
    canonical: bool

    @property
    def levels(self) -> tuple[str, ...]:
        """The categories predicted apart: none."""
        return ("",)

    def names(self, columns: Sequence[str]) -> list[str]:
        """The coefficients' names: the columns'."""
        return list(columns)

    def moved_by(self, columns: Sequence[int], size: int) -> list[int]:
        """Which coefficients belong to some of `size` columns."""
        return list(columns)

    def refuses(self, outcome: Numbers) -> str:
        """What the outcome must be, where it is not."""
        if self.allowed == "0 or 1" and not np.isin(outcome, (0.0, 1.0)).all():
            return "must be 0 or 1 for everyone with a weight"
        if self.allowed == "not negative" and (outcome < 0).any():
            return "must not be negative"
        return ""

    def stuck(self, outcome: Numbers) -> str:
        """Words for people whose outcomes send a coefficient of their own to infinity; empty where none do."""
        if self.allowed == "any number" or outcome.min() != outcome.max():
            return ""
        return f"have outcome {outcome[0]:.0f}" if self.allowed == "0 or 1" or outcome[0] == 0 else ""

    def stopped(self, rows: Rows, coefficients: Numbers) -> str:
        """Words for why the steps ended at these coefficients without settling; empty where nothing is known."""
        if self.name == "log-binomial" and rows.linear(coefficients).max() > -NEARLY_ONE:
            return "a fitted risk reaches 1, which a log link cannot hold; choose `poisson`, whose ratios mean the same"
        return ""

    def spread(self, lengths: Numbers) -> Numbers:
        """(k,) the size of what each coefficient multiplies, from the size of each column."""
        return lengths

    def start(self, rows: Rows) -> Numbers:
        """(k,) coefficients that give everyone the mean of all."""
        exposure = 1.0 if rows.offset is None else float(rows.weight @ np.exp(rows.offset)) / float(rows.weight.sum())
        level = self.link(float(rows.weight @ rows.outcome) / float(rows.weight.sum()) / exposure)
        start = np.zeros(rows.matrix.shape[1])
        if (rows.matrix[:, 0] == 1).all():
            start[0] = level
            return start
        return np.asarray(np.linalg.lstsq(rows.matrix, np.full(len(rows.matrix), level), rcond=None)[0])

    def at(self, rows: Rows, coefficients: Numbers) -> State:
        """The likelihood of a block of people, its slope and its information."""
        found = self.pointwise(rows.outcome, rows.linear(coefficients))
        root = np.sqrt(rows.weight * found.bend)[:, None] * rows.matrix
        return State(
            float(rows.weight @ found.likelihood),
            (rows.weight * found.slope) @ rows.matrix,
            root.T @ root,
        )

    def information(self, rows: Rows, coefficients: Numbers) -> Numbers:
        """(k, k) expected information of a block of people."""
        root = np.sqrt(rows.weight * self.expected(rows.linear(coefficients)))[:, None] * rows.matrix
        return np.asarray(root.T @ root)

    def score(self, rows: Rows, coefficients: Numbers) -> Numbers:
        """(people, k) what each adds to the slope of the likelihood, the weight multiplied in."""
        slope = rows.weight * self.pointwise(rows.outcome, rows.linear(coefficients)).slope
        return np.asarray(slope[:, None] * rows.matrix)

    def predict(self, rows: Rows, coefficients: Numbers) -> Numbers:
        """(people, 1) mean outcome."""
        return np.asarray(self.mean(rows.linear(coefficients)))[:, None]

    def gradient(self, rows: Rows, coefficients: Numbers) -> Numbers:
        """(k, 1) slope of the weighted sum of the mean outcomes in the coefficients."""
        return np.asarray((rows.weight * self.mean_slope(rows.linear(coefficients))) @ rows.matrix)[:, None]


def _linear(y: Numbers, eta: Numbers) -> Pointwise:
    left = y - eta
    return Pointwise(-(left**2) / 2, left, np.ones_like(eta))


def _logistic(y: Numbers, eta: Numbers) -> Pointwise:
    # By the exponential of a negative number, which cannot overflow.
    small = np.exp(-np.abs(eta))
    p = np.where(eta >= 0, 1.0, small) / (1 + small)
    likelihood = y * eta - np.maximum(eta, 0.0) - np.log1p(small)
    return Pointwise(likelihood, y - p, small / (1 + small) ** 2)


def _poisson(y: Numbers, eta: Numbers) -> Pointwise:
    with np.errstate(over="ignore"):
        rate = np.exp(eta)
    return Pointwise(y * eta - rate, y - rate, rate)


def _log_binomial(y: Numbers, eta: Numbers) -> Pointwise:
    """A risk of 1 or more is impossible: its likelihood is minus infinity."""
    with np.errstate(all="ignore"):
        risk, rest = np.exp(eta), -np.expm1(eta)
        likelihood = np.where(eta < 0, y * eta + (1 - y) * np.log(rest), -np.inf)
        return Pointwise(likelihood, (y - risk) / rest, (1 - y) * risk / rest**2)


def _complementary(y: Numbers, eta: Numbers) -> Pointwise:
    """With hazard e, the risk is 1 - exp(-e)."""
    with np.errstate(all="ignore"):
        hazard = np.exp(eta)
        risk = -np.expm1(-hazard)
        # hazard / risk tends to 1 where both vanish.
        share = np.where(risk > 0, hazard / risk, 1.0)
        likelihood = np.where(y > 0, np.log(risk), 0.0) - (1 - y) * hazard
        # Written so that nothing is lost where the hazard is large and each part alone is too.
        left = y * share * np.exp(-hazard)
        bend = left * (share - 1) + (1 - y) * hazard
    return Pointwise(likelihood, left - (1 - y) * hazard, np.maximum(bend, 0.0))


def _complementary_expected(eta: Numbers) -> Numbers:
    hazard = np.exp(eta)
    share = np.divide(hazard, -np.expm1(-hazard), out=np.ones_like(hazard), where=hazard > 0)
    return np.asarray(hazard * np.exp(-hazard) * share)


def _logit(p: float) -> float:
    return float(np.log(p / (1 - p)))


def _ones(eta: Numbers) -> Numbers:
    return np.ones_like(eta)


def _odds_slope(eta: Numbers) -> Numbers:
    return np.asarray(expit(eta) * expit(-eta))


SINGLE = {
    family.name: family
    for family in (
        Family("linear", "", float, _linear, np.asarray, _ones, _ones, "any number", True),
        Family("logistic", "odds ratio", _logit, _logistic, expit, _odds_slope, _odds_slope, "0 or 1", True),
        Family(
            "log-binomial", "risk ratio", lambda p: float(np.log(p)), _log_binomial, np.exp, np.exp,
            lambda eta: np.asarray(np.exp(eta) / -np.expm1(eta)), "0 or 1", False,
        ),
        Family("poisson", "rate ratio", lambda p: float(np.log(p)), _poisson, np.exp, np.exp, np.exp, "not negative", True),
        Family(
            "complementary-log-log", "hazard ratio", lambda p: float(np.log(-np.log1p(-p))), _complementary,
            lambda eta: -np.expm1(-np.exp(eta)), lambda eta: np.exp(eta - np.exp(eta)), _complementary_expected,
            "0 or 1", False,
        ),
    )
}  # fmt: skip


def statsmodels_family(name: str) -> Any:
    """The same family and link in statsmodels."""
    import statsmodels.api as sm

    links = sm.families.links
    return {
        "linear": sm.families.Gaussian(),
        "logistic": sm.families.Binomial(),
        "log-binomial": sm.families.Binomial(link=links.Log()),
        "poisson": sm.families.Poisson(),
        "complementary-log-log": sm.families.Binomial(link=links.CLogLog()),
    }[name]
