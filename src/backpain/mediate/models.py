"""The models of a mediation analysis, and their coefficients under any weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from backpain.mediate.people import People
from backpain.nuisance import with_arm
from backpain.regression import SINGLE, Fit, Logistic, fit, logistic

Numbers = NDArray[np.float64]
Marks = NDArray[np.bool_]

# What the outcome's coefficients begin with, before the confounders'.
HEAD = ["intercept", "treated", "mediator", "treated x mediator"]
# Arm and mediator of each iterated model.
CELLS = ((1, 1), (1, 0), (0, 1), (0, 0))


@dataclass(frozen=True)
class Counted:
    """Those known and at risk, whom the models of mediator and outcome are about; arrays as in `People`."""

    treated: Numbers
    mediator: Numbers
    event: Numbers
    confounders: Numbers
    later: Numbers

    @classmethod
    def of(cls, people: People) -> Counted:
        """Those of all people who are counted; `confounders` are the baseline's without intercept."""
        chosen = people.counted
        return cls(
            people.treated[chosen].astype(float),
            people.mediator[chosen],
            people.event[chosen],
            people.baseline[chosen][:, 1:],
            people.later[chosen],
        )

    @cached_property
    def baseline(self) -> Numbers:
        """(counted, k) the confounders with their intercept."""
        return np.column_stack([np.ones(len(self.treated)), self.confounders])

    def mediator_matrix(self, later: bool) -> Numbers:
        """(counted, k) the mediator's model: arm, confounders, and what came after treatment if it is asked for."""
        parts = [np.ones(len(self.treated)), self.treated, self.confounders, *([self.later] if later else [])]
        return np.column_stack(parts)

    def outcome_matrix(self) -> Numbers:
        """(counted, k) the outcome's model: `HEAD`, confounders, what came after treatment."""
        arm, m = self.treated, self.mediator
        return np.column_stack([np.ones(len(arm)), arm, m, arm * m, self.confounders, self.later])


class Coefficients(NamedTuple):
    """Every model's coefficients, and the spread of a score around its model (missing for a binary mediator)."""

    propensity: Numbers
    mediator: Numbers
    spread: float
    outcome: Numbers
    given: Numbers
    given_spread: float
    iterated: Numbers


@dataclass(frozen=True)
class Models:
    """Every model of a mediation analysis, fitted.

    Attributes
    ----------
    retention
        Who is known, given arm and confounders; None where everybody is.
    propensity
        Who is treated, among those counted.
    mediator, outcome
        Given arm and confounders; the outcome also given the mediator, its product with the arm, and what came after
        treatment.
    given
        The mediator given what came after treatment too; the same as `mediator` where nothing did.
    weight
        (counted,) survey weight over the probability of being known.
    """

    people: People
    counted: Counted
    retention: Logistic | None
    propensity: Logistic
    mediator: Fit
    outcome: Logistic
    given: Fit
    weight: Numbers

    @property
    def reason(self) -> str:
        """Why a model cannot be used; empty when all can."""
        named: dict[str, Fit | None] = {
            "retention": self.retention,
            "propensity": self.propensity,
            "mediator": self.mediator,
            "outcome": self.outcome,
            "mediator given what came after treatment": self.given,
        }
        told = [f"{name}: {model.reason}" for name, model in named.items() if model is not None and not model.converged]
        if not told:
            told = [f"averaged outcome: {model.reason}" for model in self.iterated if not model.converged]
        return "; ".join(dict.fromkeys(told))

    @cached_property
    def coefficients(self) -> Coefficients:
        """At the full-sample weights."""
        mediator, given = self.mediator.coefficients, self.given.coefficients
        return Coefficients(
            self.propensity.coefficients,
            mediator,
            self._spread(self.mediator, mediator, self.weight),
            self.outcome.coefficients,
            given,
            self._spread(self.given, given, self.weight),
            np.array([model.coefficients for model in self.iterated]),
        )

    @cached_property
    def iterated(self) -> list[Logistic]:
        """For each of `CELLS` the outcome's probability in that cell given the confounders alone; none without `later`.

        What came after treatment is averaged over its distribution in the arm, by regressing the probability that the
        outcome's model gives for everyone of the arm on the confounders.
        """
        if not self.people.several:
            return []
        return [self._iterate(cell, self.outcome.coefficients, self.weight) for cell in CELLS]

    @cached_property
    def mediator_influence(self) -> Numbers:
        """(counted, k) influence on the mediator's coefficients."""
        return self.mediator.influence

    @cached_property
    def outcome_influence(self) -> Numbers:
        """(counted, k) influence on the outcome's coefficients."""
        return self.outcome.influence

    def _iterate(self, cell: tuple[int, int], outcome: Numbers, weight: Numbers) -> Logistic:
        arm, mediator = cell
        chosen = self.counted.treated == arm
        q = risk(self.counted, outcome, arm, mediator)[chosen]
        twice = np.concatenate([weight[chosen] * q, weight[chosen] * (1 - q)])
        # A logistic regression of a probability is one of both outcomes, each with the weight of its probability.
        answer = np.repeat([1.0, 0.0], int(chosen.sum()))
        matrix = np.vstack([self.counted.baseline[chosen]] * 2)
        return logistic(matrix, answer, twice, self.people.columns)

    def _spread(self, model: Fit, coefficients: Numbers, weight: Numbers) -> float:
        if self.people.binary:
            return np.nan
        left = self.counted.mediator - model.matrix @ coefficients
        return float(np.sqrt(weight @ left**2 / weight.sum()))

    def again(self, weight: Numbers) -> tuple[Coefficients, Numbers]:
        """The coefficients under (people,) other survey weights, every model fitted again, and (counted,) the weights."""
        kept = weight[self.people.counted]
        if self.retention is not None:
            chance = expit(self.retention.matrix @ self.retention.again(weight))
            kept = kept / chance[self.people.counted]
        outcome, mediator = self.outcome.again(kept), self.mediator.again(kept)
        given = self.given.again(kept) if self.people.several else mediator
        several = CELLS if self.people.several and np.isfinite(outcome).all() else ()
        found = Coefficients(
            self.propensity.again(kept),
            mediator,
            self._spread(self.mediator, mediator, kept),
            outcome,
            given,
            self._spread(self.given, given, kept),
            np.array([self._iterate(cell, outcome, kept).coefficients for cell in several]),
        )
        return found, kept


def risk(counted: Counted, outcome: Numbers, arm: float, mediator: Numbers | float) -> Numbers:
    """(counted,) the outcome's probability in an arm with a mediator, everything else as it is."""
    head, confounders = outcome[: len(HEAD)], outcome[len(HEAD) :]
    wide = counted.confounders.shape[1]
    rest = counted.confounders @ confounders[:wide] + counted.later @ confounders[wide:]
    return np.asarray(expit(head[0] + arm * head[1] + mediator * (head[2] + arm * head[3]) + rest))


def fit_models(people: People) -> Models:
    """Fit every model under the survey weights over the probability of being known."""
    # ASSUME: arm and confounders act on each model's linear predictor without interaction, except that treatment and
    # mediator may act together on the outcome.
    counted = Counted.of(people)
    weight = people.weight[people.counted]
    retention = None
    if not people.known.all():
        matrix, names = with_arm(people.baseline, people.columns, people.treated)
        retention = logistic(matrix, people.known, people.weight, names)
        if retention.converged:
            weight = weight / retention.probability[people.counted]
    kind = SINGLE["logistic" if people.binary else "linear"]
    names = ["intercept", "treated", *people.columns[1:]]
    mediator = fit(counted.mediator_matrix(False), counted.mediator, weight, kind, names)
    given = mediator
    if people.several:
        given = fit(counted.mediator_matrix(True), counted.mediator, weight, kind, [*names, *people.later_columns])
    return Models(
        people=people,
        counted=counted,
        retention=retention,
        propensity=logistic(counted.baseline, counted.treated, weight, people.columns),
        mediator=mediator,
        outcome=logistic(
            counted.outcome_matrix(), counted.event, weight, [*HEAD, *people.columns[1:], *people.later_columns]
        ),
        given=given,
        weight=weight,
    )
