"""The truth that a world has planted, by potential outcomes in a population far larger than any survey."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backpain.simulate.potential import chosen_of, eligible, give
from backpain.simulate.sequences import nothing_in_sequence, planted_in_sequence
from backpain.simulate.through import EFFECTS, means_through
from backpain.simulate.world import Crowd, baseline, draw_one, probabilities, remembering
from backpain.spec import Plan, Protocol, Survey
from backpain.spec.world import World

PEOPLE = 2_000_000
# Trials in sequence follow everybody several times over, so that fewer people do.
SHARE = 20
BATCH = 250_000
COLUMNS = ["analysis", "scale", "arm", "truth", "mc_se"]
AGAINST = "treated vs untreated"
NO_DIFFERENCE = {"risk-difference": 0.0, "risk-ratio": 1.0, "odds-ratio": 1.0}


def truth(survey: Survey, protocol: Protocol, seed: int, people: int = PEOPLE) -> pd.DataFrame:
    """The planted risks and contrasts of a trial among the eligible, as the survey's weights represent them.

    Everyone eligible is followed twice, once as treated and once as untreated, by the same chance; the risks are means of the
    outcome's probabilities. Where an arm has several categories, each person is given one of them with the
    probability the world has for it. Without a world answers are left to chance, so nothing is planted: only the
    contrasts are known, and they say so. What a trial declares to act through a mediator has rows of its own
    (`through-overall`, `through-direct`, `through-indirect`), differences among those at risk when it is measured; so
    have trials in sequence (`sequence-<strategy>-<periods>`), differences among all who begin one.

    Returns
    -------
    DataFrame
        One row for each risk and contrast: analysis, scale, arm, truth, mc_se (the Monte Carlo standard error on the
        scale of the truth).

    Raises
    ------
    ValueError
        If nobody in the world is eligible, or the world does not draw what the trial needs.
    """
    if survey.world is None:
        nothing = [(scale, AGAINST, value, 0.0) for scale, value in NO_DIFFERENCE.items()]
        nothing += [(effect, AGAINST, 0.0, 0.0) for effect in (EFFECTS if protocol.through else ())]
        nothing += nothing_in_sequence(survey, protocol)
        return pd.DataFrame(nothing, columns=COLUMNS[1:]).assign(analysis=protocol.name)[COLUMNS]
    rng = np.random.default_rng([seed, 1])
    found = [
        _risks(baseline(survey.world, min(BATCH, people - start), rng), protocol, rng)
        for start in range(0, people, BATCH)
    ]
    risks = np.concatenate(found)
    if len(risks) < 2:
        raise ValueError(f"{protocol.name}: nobody in the world of {survey.name} is eligible; nothing can be planted")
    rows = _contrasts(risks)
    if protocol.through is not None:
        rows += _through(survey.world, protocol, seed, people)
    if protocol.sequence is not None:
        rows += planted_in_sequence(survey, protocol, np.random.default_rng([seed, 3]), people // SHARE)
    return pd.DataFrame(rows, columns=COLUMNS[1:]).assign(analysis=protocol.name)[COLUMNS]


def _through(world: World, protocol: Protocol, seed: int, people: int) -> list[tuple[str, str, float, float]]:
    """The effects through the mediator that a trial declares, with their Monte Carlo errors."""
    through, rng = protocol.through, np.random.default_rng([seed, 2])
    assert through is not None
    plan = protocol.model_copy(update={"outcome": through.outcome or protocol.outcome})
    found = []
    for start in range(0, people, BATCH):
        crowd = baseline(world, min(BATCH, people - start), rng)
        crowd = chosen_of(crowd, eligible(crowd, plan))
        chance = int(rng.integers(2**63))
        treated, untreated = (
            give(crowd, plan, arm, np.random.default_rng(chance))
            for arm in (plan.treatment.treated, plan.treatment.untreated)
        )
        found.append(means_through(crowd, (treated, untreated), plan, through, chance))
    means = np.concatenate(found)
    rows = []
    for effect, (first, second) in EFFECTS.items():
        difference = means[:, first] - means[:, second]
        rows.append((effect, AGAINST, float(difference.mean()), float(difference.std() / np.sqrt(len(means)))))
    return rows


def _risks(crowd: Crowd, plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """The outcome's probability as treated and as untreated for everyone eligible of a batch."""
    crowd = chosen_of(crowd, eligible(crowd, plan))
    seed = int(rng.integers(2**63))
    columns = []
    for arm in (plan.treatment.treated, plan.treatment.untreated):
        # The same seed in both arms: what is left to chance is the same chance, so the contrast is precise.
        columns.append(_risk(give(crowd, plan, arm, np.random.default_rng(seed)), plan, np.random.default_rng(seed)))
    return np.column_stack(columns)


def _risk(crowd: Crowd, plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """The probability of the outcome at follow-up, after all that the world draws before it."""
    outcome = plan.outcome.variable
    if outcome not in crowd.world.follow_up:
        raise ValueError(
            f"the world does not draw {outcome!r} at follow-up, which the trial needs; add it to `follow_up`"
        )
    crowd = remembering(crowd)
    for name, draw in crowd.world.follow_up.items():
        if name == outcome:
            labels = list(draw.categories or {})
            return probabilities(crowd, draw)[:, [label in plan.outcome.event for label in labels]].sum(axis=1)
        crowd = draw_one(crowd, name, draw, rng)
    raise AssertionError(outcome)


def _contrasts(risks: np.ndarray) -> list[tuple[str, str, float, float]]:
    """Risks and contrasts with their Monte Carlo errors, by the delta method for the ratios."""
    p1, p0 = risks.mean(axis=0)
    covariance = np.cov(risks.T) / len(risks)

    def error(gradient: list[float]) -> float:
        # Where nothing is planted the variance is zero, and rounding can bring it below.
        return float(np.sqrt(max(np.array(gradient) @ covariance @ np.array(gradient), 0.0)))

    odds = p1 / (1 - p1) / (p0 / (1 - p0))
    return [
        ("risk", "treated", p1, error([1, 0])),
        ("risk", "untreated", p0, error([0, 1])),
        ("risk-difference", AGAINST, p1 - p0, error([1, -1])),
        ("risk-ratio", AGAINST, p1 / p0, error([1 / p0, -p1 / p0**2])),
        ("odds-ratio", AGAINST, odds, error([odds / (p1 * (1 - p1)), -odds / (p0 * (1 - p0))])),
    ]
