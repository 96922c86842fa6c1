"""Draws a sample of a made-up population: people in PSUs in strata, with weights that tell about them.

People of one PSU are alike by a Gaussian copula: everyone's latent treatment and outcome share a part with their PSU, and
yet the chance of each, given the covariates, is exactly that of a logistic model. So a logistic model is right about
them, and only the design knows that they are not independent.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, ndtri

from backpain.spec import Scenario

Numbers = NDArray[np.float64]

# What the models are given.
TERMS = ["first", "second", "third"]
# Effects of the covariates on treatment, on the outcome and on being followed, as log-odds.
ON_TREATMENT = {"first": 0.6, "second": 0.5, "third": 0.2}
ON_OUTCOME = {"first": 0.6, "second": 0.5, "third": 0.3}
ON_FOLLOWED = {"treated": 0.5, "first": -0.5, "second": -0.4}
FOLLOWED = 1.4
# The log of the weight: what the first covariate has to do with it, and what chance has.
WEIGHT_OF_FIRST, WEIGHT_SPREAD = 0.35, 0.35
# How far covariates differ between strata and between PSUs.
BETWEEN_STRATA, BETWEEN_PSUS = 0.3, 0.15


def centres(scenario: Scenario) -> Numbers:
    """(strata,) means of the first covariate: the population's own, the same in every repetition."""
    return np.asarray(BETWEEN_STRATA * ndtri((np.arange(scenario.strata) + 0.5) / scenario.strata))


def anybody(count: int, scenario: Scenario, rng: np.random.Generator) -> pd.DataFrame:
    """So many people of so many PSUs, for the truth."""
    centre = centres(scenario)[rng.integers(scenario.strata, size=count)]
    return covariates(centre + BETWEEN_PSUS * rng.normal(0, 1, count), rng)


def covariates(between: Numbers, rng: np.random.Generator) -> pd.DataFrame:
    """Covariates and weights of people in whose stratum and PSU the first covariate has these means."""
    count = len(between)
    first = between + np.sqrt(1 - BETWEEN_STRATA**2 - BETWEEN_PSUS**2) * rng.normal(0, 1, count)
    weight = np.exp(WEIGHT_OF_FIRST * first + WEIGHT_SPREAD * rng.normal(0, 1, count))
    second = (rng.random(count) < 0.4).astype(float)
    return pd.DataFrame({"first": first, "second": second, "third": rng.normal(0, 1, count), "weight": 1000 * weight})


def chance_of_treatment(frame: pd.DataFrame, scenario: Scenario) -> Numbers:
    """(people,) probability of treatment."""
    slope = sum(effect * frame[name].to_numpy() for name, effect in ON_TREATMENT.items())
    curve = scenario.treatment_curve * (frame["first"].to_numpy() ** 2 - 1)
    return np.asarray(expit(scenario.treated + scenario.overlap * (scenario.confounding * slope + curve)))


def chance_of_event(frame: pd.DataFrame, treated: Numbers | float, scenario: Scenario) -> Numbers:
    """(people,) probability of the outcome, treated or not."""
    slope = sum(effect * frame[name].to_numpy() for name, effect in ON_OUTCOME.items())
    first = frame["first"].to_numpy()
    effect = (scenario.effect + scenario.effect_of_first * first) * treated
    return np.asarray(expit(scenario.risk + slope + scenario.outcome_curve * (first**2 - 1) + effect))


def chance_of_follow_up(frame: pd.DataFrame, treated: Numbers, scenario: Scenario) -> Numbers:
    """(people,) probability of being followed; 1 without attrition."""
    if not scenario.attrition:
        return np.ones(len(frame))
    slope = ON_FOLLOWED["treated"] * treated
    slope = slope + sum(effect * frame[name].to_numpy() for name, effect in ON_FOLLOWED.items() if name in frame)
    return np.asarray(expit(FOLLOWED + scenario.attrition * slope))


def draw(scenario: Scenario, seed: tuple[int, ...]) -> pd.DataFrame:
    """One sample, as `backpain.estimate.estimate` takes participants.

    Parameters
    ----------
    seed
        The same seed gives the same people.

    Returns
    -------
    DataFrame
        Columns stratum, psu, weight, treated, followed, event (missing for the lost) and `TERMS`.
    """
    rng = np.random.default_rng(seed)
    units = scenario.strata * scenario.clusters
    unit_stratum = np.repeat(np.arange(scenario.strata), scenario.clusters)
    unit = rng.permutation(np.arange(scenario.people) % units)
    between = centres(scenario)[unit_stratum] + BETWEEN_PSUS * rng.normal(0, 1, units)
    frame = covariates(between[unit], rng)

    def happens(chance: Numbers) -> NDArray[np.bool_]:
        shared, own = rng.normal(0, 1, units), rng.normal(0, 1, scenario.people)
        latent = np.sqrt(scenario.alike) * shared[unit] + np.sqrt(1 - scenario.alike) * own
        return np.asarray(latent < ndtri(chance))

    treated = happens(chance_of_treatment(frame, scenario))
    event = happens(chance_of_event(frame, treated.astype(float), scenario))
    followed = rng.random(scenario.people) < chance_of_follow_up(frame, treated.astype(float), scenario)
    return frame.assign(
        stratum=unit_stratum[unit],
        psu=unit % scenario.clusters,
        treated=treated,
        followed=followed,
        event=pd.array(np.where(followed, event, False), dtype="boolean"),
    ).assign(event=lambda people: people["event"].where(people["followed"]))
