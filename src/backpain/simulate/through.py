"""The truth of effects through a mediator, by every value that the world may draw of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import betabinom

from backpain.harmonise import judge
from backpain.simulate.world import Crowd, draw_one, probabilities, remembering
from backpain.spec import Plan, Through
from backpain.spec.world import Draw

Numbers = NDArray[np.float64]

# Which mean risks each effect sets against each other: treated, treated with the untreated's mediator, untreated.
EFFECTS = {"through-overall": (0, 2), "through-indirect": (0, 1), "through-direct": (1, 2)}


def means_through(natural: Crowd, arms: tuple[Crowd, Crowd], plan: Plan, through: Through, seed: int) -> Numbers:
    """(people at risk, 3) risk as treated, as treated with the mediator of the untreated, and as untreated.

    At risk are those who, treated as they are, have no outcome when the mediator is measured; that they have none is held.
    The mediator is then drawn as among people alike in the named arm: its chances are those of the world, and within yes and
    within no its values have the chances of the own arm, as an analysis of yes and no cannot tell them apart.

    Parameters
    ----------
    natural, arms
        The eligible as they are, and the same as treated and as untreated.
    plan, through
        The declared analysis, and what it goes through.
    """
    held = _until(natural, list(_tested(through)), np.random.default_rng(seed))
    at_risk = np.ones(natural.size, bool)
    for tests in through.at_risk.values():
        for name, test in tests.items():
            at_risk &= judge(held.column(name), test).fillna(False).to_numpy(bool)
    fixed = {name: held.values[name][at_risk] for name in _tested(through)}
    labels = {name: held.labels.get(name) for name in fixed}
    told = [_arm(_some(crowd, at_risk), fixed, labels, plan, through, seed) for crowd in arms]
    (chance_1, risk_1), (chance_0, risk_0) = told
    return np.column_stack(
        [(chance_1 * risk_1).sum(axis=1), (chance_0 * risk_1).sum(axis=1), (chance_0 * risk_0).sum(axis=1)]
    )


def _tested(through: Through) -> dict[str, None]:
    return dict.fromkeys(name for tests in through.at_risk.values() for name in tests)


def _some(crowd: Crowd, chosen: NDArray[np.bool_]) -> Crowd:
    kept = {name: values[chosen] for name, values in crowd.values.items()}
    return Crowd(crowd.world, int(chosen.sum()), kept, crowd.labels)


def _until(crowd: Crowd, names: list[str], rng: np.random.Generator) -> Crowd:
    """The crowd with all that the world draws at follow-up down to the last of these."""
    absent = [name for name in names if name not in crowd.world.follow_up]
    if absent:
        raise ValueError(f"the world does not draw {', '.join(absent)} at follow-up, which the trial needs; add it")
    crowd = remembering(crowd)
    for name, draw in crowd.world.follow_up.items():
        crowd = draw_one(crowd, name, draw, rng)
        names = [other for other in names if other != name]
        if not names:
            break
    return crowd


def _arm(
    crowd: Crowd, fixed: dict[str, Any], labels: dict[str, Any], plan: Plan, through: Through, seed: int
) -> tuple[Numbers, Numbers]:
    """(people, 2) chance of a mediator of yes and of no in an arm, and (people, 2) the outcome's risk within each."""
    rng = np.random.default_rng([seed, 1])
    crowd, waiting = remembering(crowd), list(crowd.world.follow_up)
    while waiting and waiting[0] != through.variable:
        name = waiting.pop(0)
        if name in fixed:
            crowd = crowd.add(name, fixed[name], labels[name])
        else:
            crowd = draw_one(crowd, name, crowd.world.follow_up[name], rng)
    if not waiting or plan.outcome.variable not in waiting:
        raise ValueError(
            f"the world draws {through.variable!r} not at follow-up, or not before {plan.outcome.variable!r}; what acts "
            "through it comes after it"
        )
    draw, test = crowd.world.follow_up[through.variable], through.mediator[through.variable]
    chance, risk = np.zeros((crowd.size, 2)), np.zeros((crowd.size, 2))
    for value, share, names in _values(crowd, through.variable, draw):
        one = crowd.add(through.variable, np.full(crowd.size, value), names)
        column = 0 if bool(judge(one.column(through.variable).iloc[:1], test).iloc[0]) else 1
        chance[:, column] += share
        risk[:, column] += share * _risk(one, waiting[1:], plan, seed)
    return chance, risk / np.where(chance > 0, chance, 1.0)


def _values(crowd: Crowd, name: str, draw: Draw) -> Iterator[tuple[Any, Numbers, list[str] | None]]:
    """Every value of a variable, with its chance for everyone, and the labels of its categories."""
    if draw.categories is not None:
        names = list(draw.categories)
        for place, share in enumerate(probabilities(crowd, draw).T):
            yield place, share, names
        return
    if draw.highest is None:
        raise ValueError(f"the world draws {name!r} by `{draw.kind}`; a mediator is drawn by `highest` or `categories`")
    mean = expit(crowd.predict(draw))
    for score in range(draw.highest + 1):
        chance = betabinom.pmf(score, draw.highest, mean * draw.evenness, (1 - mean) * draw.evenness)
        yield float(score), np.asarray(chance), None


def _risk(crowd: Crowd, waiting: list[str], plan: Plan, seed: int) -> Numbers:
    """The outcome's probability, after all that is drawn between the mediator and it."""
    rng = np.random.default_rng([seed, 2])
    for name in waiting:
        draw = crowd.world.follow_up[name]
        if name == plan.outcome.variable:
            labels = list(draw.categories or {})
            return np.asarray(
                probabilities(crowd, draw)[:, [label in plan.outcome.event for label in labels]].sum(axis=1)
            )
        crowd = draw_one(crowd, name, draw, rng)
    raise AssertionError(plan.outcome.variable)
