"""The g-formula: risks under treatment or none, with the mediator of people alike under treatment or none."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import NDArray
from scipy.special import expit

from backpain.mediate.models import CELLS, Coefficients, Counted, Models, risk
from backpain.regression import Fit

Numbers = NDArray[np.float64]

# (arm, arm whose mediator): treated with the mediator of the treated, treated with that of the untreated, untreated.
PAIRS = ((1, 1), (1, 0), (0, 0))
NODES = 20


class Node(NamedTuple):
    """A value of the mediator: (counted,) or one number, its probability, and its place on a normal's scale."""

    value: Numbers | float
    chance: Numbers | float
    place: float


def mediator_mean(counted: Counted, coefficients: Numbers, arm: float) -> Numbers:
    """(counted,) the mediator's linear predictor in an arm, given the confounders alone."""
    return np.asarray(coefficients[0] + arm * coefficients[1] + counted.confounders @ coefficients[2:])


def nodes_of(counted: Counted, found: Coefficients, arm: float, binary: bool, nodes: int = NODES) -> list[Node]:
    """The mediator's values in an arm with their probabilities: both of a binary one, Gauss-Hermite nodes of a score."""
    centre = mediator_mean(counted, found.mediator, arm)
    if binary:
        p = expit(centre)
        return [Node(1.0, p, 0.0), Node(0.0, 1 - p, 0.0)]
    # ASSUME: around its model a score is normal, with the same spread for everyone; it is not cut off at its ends.
    places, shares = hermegauss(nodes)
    shares = shares / shares.sum()
    return [
        Node(centre + found.spread * place, share, place)
        for place, share in zip(places.tolist(), shares.tolist(), strict=True)
    ]


def cell_risk(counted: Counted, found: Coefficients, arm: int, mediator: Numbers | float) -> Numbers:
    """(counted,) the outcome's probability in an arm with a mediator, what came after treatment averaged out."""
    if not len(found.iterated):
        return risk(counted, found.outcome, arm, mediator)
    return np.asarray(expit(counted.baseline @ found.iterated[CELLS.index((arm, int(mediator)))]))


def standardised(models: Models, found: Coefficients, weight: Numbers, nodes: int = NODES) -> Numbers:
    """(3,) mean risk of each of `PAIRS` under some coefficients and (counted,) weights."""
    counted, share = models.counted, weight / weight.sum()
    means = np.empty(len(PAIRS))
    for place, (arm, other) in enumerate(PAIRS):
        each = nodes_of(counted, found, other, models.people.binary, nodes)
        means[place] = sum(float(share @ (node.chance * cell_risk(counted, found, arm, node.value))) for node in each)
    return means


def influence(models: Models, nodes: int = NODES) -> Numbers:
    """(counted, 3) influence on the means, the chance of being known taken as known."""
    counted, found = models.counted, models.coefficients
    columns = [_influence(models, counted, found, arm, other, nodes) for arm, other in PAIRS]
    return np.column_stack(columns)


def _influence(models: Models, counted: Counted, found: Coefficients, arm: int, other: int, nodes: int) -> Numbers:
    share = models.weight / models.weight.sum()
    each = nodes_of(counted, found, other, models.people.binary, nodes)
    mean, pull, spread = np.zeros(len(share)), np.zeros(len(share)), 0.0
    total, outcome = np.zeros(len(share)), np.zeros(models.outcome.matrix.shape[1])
    slope = found.outcome[2] + arm * found.outcome[3]
    for node in each:
        q = cell_risk(counted, found, arm, node.value)
        mean += node.chance * q
        bend = share * node.chance * q * (1 - q)
        if models.people.binary:
            # The two probabilities move against one another.
            p = each[0].chance
            pull += (1 if node.value == 1.0 else -1) * share * p * (1 - p) * q
        else:
            pull += slope * bend
            spread += slope * node.place * float(bend.sum())
        if models.people.several:
            own, carried = _through_iterated(models, counted, arm, node, bend)
            total += own
            outcome += carried
        else:
            outcome += _outcome_gradient(counted, bend, arm, node.value)
    told = total + share * (mean - share @ mean) + models.outcome_influence @ outcome
    told += models.mediator_influence @ _mediator_gradient(counted, pull, other)
    return told if models.people.binary else told + spread * spread_influence(models, models.mediator)


def _mediator_gradient(counted: Counted, pull: Numbers, arm: int) -> Numbers:
    return np.concatenate([[pull.sum(), arm * pull.sum()], pull @ counted.confounders])


def spread_influence(models: Models, fit: Fit) -> Numbers:
    """(counted,) influence on the spread of a score around a model; the model's coefficients have none on it."""
    left = models.counted.mediator - fit.matrix @ fit.coefficients
    share = models.weight / models.weight.sum()
    variance = float(share @ left**2)
    return np.asarray(share * (left**2 - variance) / (2 * np.sqrt(variance)))


def _through_iterated(models: Models, counted: Counted, arm: int, node: Node, bend: Numbers) -> tuple[Numbers, Numbers]:
    """What a model of the averaged risks adds: (counted,) by its own people, (k,) by the coefficients of the outcome."""
    cell = (arm, int(float(node.value)))
    model = models.iterated[CELLS.index(cell)]
    q = risk(counted, models.outcome.coefficients, *cell)
    fitted = expit(counted.baseline @ model.coefficients)
    direction = model.bread @ (bend @ counted.baseline)
    reach = counted.baseline @ direction * (counted.treated == arm) * models.weight
    return reach * (q - fitted), _outcome_gradient(counted, reach * q * (1 - q), *cell)


def _outcome_gradient(counted: Counted, pull: Numbers, arm: int, mediator: Numbers | float) -> Numbers:
    """Sum of the rows of the outcome's matrix in an arm with a mediator, each times a pull."""
    whole, part = float(pull.sum()), float((pull * mediator).sum())
    return np.concatenate([[whole, arm * whole, part, arm * part], pull @ counted.confounders, pull @ counted.later])
