"""The means that effects through a mediator are made of, with their variance under the design."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backpain.design import Design, Sampling
from backpain.mediate import standardise, weigh
from backpain.mediate.models import Coefficients, Models, fit_models
from backpain.mediate.people import People, people_of
from backpain.mediate.standardise import NODES
from backpain.regression import Term

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Mediated:
    """Mean risks by one estimator: treated; treated with the mediator of the untreated; untreated.

    Attributes
    ----------
    means
        (3,) as weighted to everyone at risk when the mediator was measured.
    influence
        (people, 3) influence on them; for linearised designs only.
    covariance
        (3, 3) under the design.
    df
        Degrees of freedom of the design.
    reason
        Why there are no numbers; else empty.
    """

    estimator: str
    means: Numbers
    influence: Numbers
    covariance: Numbers
    df: int
    reason: str = ""


def mediate(
    frame: pd.DataFrame,
    terms: Sequence[Term],
    design: Sampling,
    later: Sequence[Term] = (),
    mediator: str = "binary",
    nodes: int = NODES,
) -> list[Mediated]:
    """Estimate the means by standardisation (g-formula) and, as a check that leans on other models, by weighting.

    Standardisation leans on the models of the mediator and of the outcome; weighting on those of treatment and of the
    mediator. With `later`, both are of the interventional effects that VanderWeele, Vansteelandt and Robins (2014)
    define; without, the same numbers are natural effects under their stronger assumptions.

    Parameters
    ----------
    frame, terms, later, mediator
        As in `people_of`.
    design
        Of the rows of the frame. Standard errors are linearised with every model carried through, or come from its
        replicate weights with every model fitted again.
    nodes
        How many Gauss-Hermite nodes stand for a score's distribution.

    Returns
    -------
    list of Mediated
        By `standardisation`, then by `weighting`; without numbers, and with the reason, where a model has no fit.

    Raises
    ------
    ValueError
        As `people_of` does, and if the frame and the design are not about as many people.
    """
    if len(frame) != len(design.weight):
        raise ValueError("design: it is not of the rows of the frame; make it from them")
    people = people_of(frame, terms, later, mediator)
    models = fit_models(people)
    df = design.degrees_of_freedom_in()
    if models.reason:
        return [_without(name, people, df, models.reason) for name in ("standardisation", "weighting")]
    if isinstance(design, Design):
        return [
            _linearised(name, models, design, means, told, df)
            for name, means, told in (
                ("standardisation", _standardised(models, nodes), lambda: standardise.influence(models, nodes)),
                (
                    "weighting",
                    weigh.weighed(models, models.coefficients, models.weight),
                    lambda: weigh.influence(models),
                ),
            )
        ]
    values = np.full((2, design.replicates, 3), np.nan)
    for place, weights in design.blocks():
        for column, number in enumerate(range(design.replicates)[place]):
            values[:, number] = _again(models, weights[:, column], nodes)
    full = (_standardised(models, nodes), weigh.weighed(models, models.coefficients, models.weight))
    return [
        _replicated(name, people, design, mean, value, df)
        for name, mean, value in zip(("standardisation", "weighting"), full, values, strict=True)
    ]


def _standardised(models: Models, nodes: int) -> Numbers:
    return standardise.standardised(models, models.coefficients, models.weight, nodes)


def _again(models: Models, weight: Numbers, nodes: int) -> Numbers:
    """(2, 3) the means by both estimators under (people,) other survey weights."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # a replicate without an estimate is told
        found, kept = models.again(weight)
        if not _finite(found):
            return np.full((2, 3), np.nan)
        return np.stack([standardise.standardised(models, found, kept, nodes), weigh.weighed(models, found, kept)])


def _finite(found: Coefficients) -> bool:
    return all(
        np.isfinite(part).all()
        for part in (found.propensity, found.mediator, found.outcome, found.given, found.iterated)
    )


def _linearised(
    name: str, models: Models, design: Design, means: Numbers, influence: Callable[[], Numbers], df: int
) -> Mediated:
    if not np.isfinite(means).all():
        return _without(
            name, models.people, df, "a probability of the own arm or mediator is 0, so nobody can stand in"
        )
    every = carried(models, influence())
    return Mediated(name, means, every, design.covariance(every), df)


def carried(models: Models, influence: Numbers) -> Numbers:
    """(people, m) influence of everyone, with that of the model of who is known, from the (counted, m) given it."""
    people = models.people
    every = np.zeros((len(people.weight), influence.shape[1]))
    every[people.counted] = influence
    if models.retention is None:
        return every
    # All that a person adds is in proportion to 1 over the probability of being known.
    chance = models.retention.probability
    moved = models.retention.matrix.T @ ((chance - 1)[:, None] * every)
    return np.asarray(every + models.retention.influence @ moved)


def _replicated(name: str, people: People, design: Sampling, means: Numbers, values: Numbers, df: int) -> Mediated:
    assert not isinstance(design, Design)
    lost = int((~np.isfinite(values).all(axis=1)).sum())
    if lost:
        return _without(name, people, df, f"replicates: {lost} of {len(values)} give no estimate")
    return Mediated(name, means, np.empty((0, 3)), design.spread(values, means), df)


def _without(name: str, people: People, df: int, reason: str) -> Mediated:
    return Mediated(name, np.full(3, np.nan), np.empty((0, 3)), np.full((3, 3), np.nan), df, reason)
