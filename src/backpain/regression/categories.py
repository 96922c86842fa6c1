"""Outcomes of several categories: multinomial, and ordinal with proportional odds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logsumexp

from backpain.regression.families import State
from backpain.regression.rows import Rows

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Multinomial:
    """Log-odds of each category against the first, each with coefficients of its own.

    Outcomes are positions among `levels`. Coefficients go category by category, and within one column by column.
    """

    levels: tuple[str, ...]
    name: ClassVar[str] = "multinomial"
    ratio: ClassVar[str] = "odds ratio"
    canonical: ClassVar[bool] = True

    def names(self, columns: Sequence[str]) -> list[str]:
        """`middle: age` is how age moves the log-odds of middle against the first category."""
        return [f"{level}: {column}" for level in self.levels[1:] for column in columns]

    def moved_by(self, columns: Sequence[int], size: int) -> list[int]:
        """Which coefficients belong to some of `size` columns: one for each category but the first."""
        return [column + size * place for place in range(len(self.levels) - 1) for column in columns]

    def refuses(self, outcome: Numbers) -> str:
        """What the outcome must be, where it is not."""
        return _refused(self.levels, outcome)

    def stuck(self, outcome: Numbers) -> str:
        """Words for people among whom a category has nobody."""
        empty = set(range(len(self.levels))) - set(outcome.astype(int))
        return f"have an outcome other than {self.levels[min(empty)]}" if empty else ""

    def stopped(self, rows: Rows, coefficients: Numbers) -> str:
        """Nothing is known of why the steps ended that all families do not share."""
        return ""

    def spread(self, lengths: Numbers) -> Numbers:
        """(k,) the size of what each coefficient multiplies, from the size of each column."""
        return np.tile(lengths, len(self.levels) - 1)

    def start(self, rows: Rows) -> Numbers:
        """(k,) coefficients that say nothing."""
        return np.zeros(rows.matrix.shape[1] * (len(self.levels) - 1))

    def at(self, rows: Rows, coefficients: Numbers) -> State:
        """The likelihood of a block of people, its slope and its information."""
        eta = self._linear(rows, coefficients)
        whole = logsumexp(eta, axis=1)
        own = eta[np.arange(len(eta)), rows.outcome.astype(int)]
        p = np.exp(eta - whole[:, None])
        left = rows.weight[:, None] * (self._indicators(rows) - p[:, 1:])
        return State(
            float(rows.weight @ (own - whole)), (left.T @ rows.matrix).ravel(), self._information(rows, p[:, 1:])
        )

    def information(self, rows: Rows, coefficients: Numbers) -> Numbers:
        """(k, k) information of a block of people, expected and observed alike."""
        return self._information(rows, self.predict(rows, coefficients)[:, 1:])

    def score(self, rows: Rows, coefficients: Numbers) -> Numbers:
        """(people, k) what each adds to the slope of the likelihood, the weight multiplied in."""
        left = rows.weight[:, None] * (self._indicators(rows) - self.predict(rows, coefficients)[:, 1:])
        return np.asarray((left[:, :, None] * rows.matrix[:, None, :]).reshape(len(left), -1))

    def predict(self, rows: Rows, coefficients: Numbers) -> Numbers:
        """(people, categories) probabilities."""
        eta = self._linear(rows, coefficients)
        return np.asarray(np.exp(eta - logsumexp(eta, axis=1)[:, None]))

    def gradient(self, rows: Rows, coefficients: Numbers) -> Numbers:
        """(k, categories) slope of the weighted sums of the probabilities in the coefficients."""
        p = self.predict(rows, coefficients)
        columns = []
        for place in range(len(self.levels)):
            same = np.eye(len(self.levels))[place, 1:]
            columns.append(((rows.weight * p[:, place])[:, None] * (same - p[:, 1:])).T @ rows.matrix)
        return np.column_stack([column.ravel() for column in columns])

    def _linear(self, rows: Rows, coefficients: Numbers) -> Numbers:
        """(people, categories) with zero for the first."""
        eta = np.zeros((len(rows.matrix), len(self.levels)))
        eta[:, 1:] = rows.matrix @ coefficients.reshape(len(self.levels) - 1, -1).T
        return eta

    def _indicators(self, rows: Rows) -> Numbers:
        return (rows.outcome[:, None] == np.arange(1, len(self.levels))).astype(float)

    def _information(self, rows: Rows, p: Numbers) -> Numbers:
        """Blocks of the columns' products, one for each pair of categories but the first."""
        k, many = rows.matrix.shape[1], p.shape[1]
        found = np.empty((many, k, many, k))
        for one in range(many):
            for other in range(one + 1):
                weight = rows.weight * p[:, one] * ((one == other) - p[:, other])
                found[one, :, other, :] = (weight[:, None] * rows.matrix).T @ rows.matrix
                found[other, :, one, :] = found[one, :, other, :].T
        return found.reshape(many * k, many * k)


@dataclass(frozen=True)
class Ordinal:
    """Proportional odds: log-odds of a category or lower are a threshold less the linear predictor.

    As R's `svyolr` (McCullagh 1980, J R Stat Soc B 42:109): a positive coefficient moves people to higher
    categories. Outcomes are positions among `levels`. The matrix begins with an intercept, for which the
    thresholds stand; coefficients are the other columns', then the thresholds. The likelihood is concave in
    both (Pratt 1981, J Am Stat Assoc 76:103), and the information is the observed one, as R's.
    """

    levels: tuple[str, ...]
    name: ClassVar[str] = "ordinal"
    ratio: ClassVar[str] = "odds ratio"
    canonical: ClassVar[bool] = True

    def names(self, columns: Sequence[str]) -> list[str]:
        """The columns but the intercept, then thresholds such as `low|middle`."""
        return [*columns[1:], *(f"{low}|{high}" for low, high in zip(self.levels, self.levels[1:], strict=False))]

    def moved_by(self, columns: Sequence[int], size: int) -> list[int]:
        """Which coefficients belong to some of `size` columns, of which the intercept has none."""
        return [column - 1 for column in columns if column > 0]

    def refuses(self, outcome: Numbers) -> str:
        """What the outcome must be, where it is not."""
        return _refused(self.levels, outcome)

    def stuck(self, outcome: Numbers) -> str:
        """Words for people who are all in the lowest or all in the highest category."""
        end = outcome[0] in (0, len(self.levels) - 1) and outcome.min() == outcome.max()
        return f"have outcome {self.levels[int(outcome[0])]}" if end else ""

    def stopped(self, rows: Rows, coefficients: Numbers) -> str:
        """Nothing is known of why the steps ended that all families do not share."""
        return ""

    def spread(self, lengths: Numbers) -> Numbers:
        """(k,) the size of what each coefficient multiplies, from the size of each column."""
        return np.concatenate([lengths[1:], np.ones(len(self.levels) - 1)])

    def start(self, rows: Rows) -> Numbers:
        """(k,) coefficients that give everyone the shares of all."""
        share = np.bincount(rows.outcome.astype(int), rows.weight, len(self.levels)).cumsum()[:-1] / rows.weight.sum()
        return np.concatenate([np.zeros(rows.matrix.shape[1] - 1), np.log(share / (1 - share))])

    def at(self, rows: Rows, coefficients: Numbers) -> State:
        """The likelihood of a block of people, its slope and its information."""
        parts = self._parts(rows, coefficients)
        if parts is None:
            k = len(coefficients)
            return State(-np.inf, np.zeros(k), np.zeros((k, k)))
        p, slope_above, slope_below, bend_above, bend_below = parts
        w = rows.weight
        high, low = self._edges(rows)
        cross = (w * slope_above * slope_below)[:, None] * high
        mixed = cross.T @ low
        information = (
            ((w * (slope_above**2 - bend_above))[:, None] * high).T @ high
            + ((w * (slope_below**2 + bend_below))[:, None] * low).T @ low
            - mixed
            - mixed.T
        )
        score = (w * slope_above) @ high - (w * slope_below) @ low
        return State(float(w @ np.log(p)), score, information)

    def information(self, rows: Rows, coefficients: Numbers) -> Numbers:
        """(k, k) observed information of a block of people."""
        return self.at(rows, coefficients).information

    def score(self, rows: Rows, coefficients: Numbers) -> Numbers:
        """(people, k) what each adds to the slope of the likelihood, the weight multiplied in."""
        parts = self._parts(rows, coefficients)
        assert parts is not None  # coefficients of a fit are possible ones
        high, low = self._edges(rows)
        return np.asarray((rows.weight * parts[1])[:, None] * high - (rows.weight * parts[2])[:, None] * low)

    def predict(self, rows: Rows, coefficients: Numbers) -> Numbers:
        """(people, categories) probabilities."""
        upto = expit(self._reach(rows, coefficients))
        return np.diff(upto, axis=1, prepend=0.0, append=1.0)

    def gradient(self, rows: Rows, coefficients: Numbers) -> Numbers:
        """(k, categories) slope of the weighted sums of the probabilities in the coefficients."""
        reach = self._reach(rows, coefficients)
        density = rows.weight[:, None] * expit(reach) * expit(-reach)
        upto = np.vstack([-(rows.matrix[:, 1:].T @ density), np.diag(density.sum(axis=0))])
        return np.diff(upto, axis=1, prepend=0.0, append=0.0)

    def _reach(self, rows: Rows, coefficients: Numbers) -> Numbers:
        """(people, thresholds) log-odds of each category or lower."""
        cuts = len(self.levels) - 1
        return np.asarray(coefficients[-cuts:] - (rows.matrix[:, 1:] @ coefficients[:-cuts])[:, None])

    def _edges(self, rows: Rows) -> tuple[Numbers, Numbers]:
        """(people, k) how the edges above and below each person's category move with the coefficients."""
        own, cuts = rows.outcome[:, None], np.arange(len(self.levels) - 1)
        slopes = -rows.matrix[:, 1:]
        return np.hstack([slopes, own == cuts]), np.hstack([slopes, own == cuts + 1])

    def _parts(self, rows: Rows, coefficients: Numbers) -> tuple[Numbers, ...] | None:
        """Each person's probability, and slopes and bends of its logarithm in the edges of its category.

        None where thresholds are out of order or a probability is nothing.
        """
        cuts = len(self.levels) - 1
        if (np.diff(coefficients[-cuts:]) <= 0).any():
            return None
        edges = np.hstack([[-np.inf], coefficients[-cuts:], [np.inf]])
        place, eta = rows.outcome.astype(int), rows.matrix[:, 1:] @ coefficients[:-cuts]
        above, below = edges[place + 1] - eta, edges[place] - eta
        # Of two numbers near 1 the difference is lost: there it is taken from the other end.
        turned = below > 0
        p = np.where(turned, expit(-below) - expit(-above), expit(above) - expit(below))
        if not (p > 0).all():
            return None
        dense_above, dense_below = expit(above) * expit(-above), expit(below) * expit(-below)
        # Slopes of the log-probability: edges at infinity have none.
        return (
            p,
            dense_above / p,
            dense_below / p,
            dense_above * (1 - 2 * expit(above)) / p,
            dense_below * (1 - 2 * expit(below)) / p,
        )


def _refused(levels: tuple[str, ...], outcome: Numbers) -> str:
    if not np.isin(outcome, np.arange(len(levels))).all():
        return f"must be a position among {len(levels)} categories"
    if empty := sorted(set(range(len(levels))) - set(outcome.astype(int))):
        return f"{levels[empty[0]]!r} has nobody with a weight; leave that category out"
    return ""
