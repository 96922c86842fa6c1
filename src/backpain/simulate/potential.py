"""People of a world as they would be in a trial: who is eligible, and everyone given one of its arms."""

from __future__ import annotations

from typing import Any

import numpy as np

from backpain.harmonise import judge
from backpain.simulate.world import Crowd, choose, probabilities
from backpain.spec import Plan


def eligible(crowd: Crowd, plan: Plan) -> np.ndarray:
    """Who of the population would be eligible and in one of the two arms."""
    tests: list[tuple[str, Any]] = [item for box in plan.eligibility.values() for item in box.items()]
    tests.append((plan.treatment.variable, [*plan.treatment.treated, *plan.treatment.untreated]))
    met = np.ones(crowd.size, bool)
    for name, test in tests:
        if name not in crowd.values:
            raise ValueError(f"the world does not draw {name!r}, which the trial needs; add it to `baseline`")
        met &= judge(crowd.column(name), test).fillna(False).to_numpy(bool)
    return met


def chosen_of(crowd: Crowd, chosen: np.ndarray) -> Crowd:
    """Some of the people."""
    kept = {name: values[chosen] for name, values in crowd.values.items()}
    return Crowd(crowd.world, int(chosen.sum()), kept, crowd.labels)


def give(crowd: Crowd, plan: Plan, arm: list[str], rng: np.random.Generator) -> Crowd:
    """The crowd with everyone in one arm, in each of its categories as often as the world has it at baseline."""
    name = plan.treatment.variable
    shares = probabilities(crowd, crowd.world.baseline[name])
    inside = np.array([label in arm for label in crowd.labels[name]])
    shares = np.where(inside, shares, 0)
    given = choose(shares / shares.sum(axis=1, keepdims=True), rng)
    return crowd.add(name, given, crowd.labels[name])


__all__ = ["chosen_of", "eligible", "give"]
