"""The truth of every estimator's own estimand: about its own population, on its own scale."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backpain.spec import Scenario
from backpain.study.world import anybody, chance_of_event, chance_of_treatment

BATCH = 500_000
TRUTH = ["scenario", "population", "scale", "truth", "mc_se"]
SCALES = ("risk-difference", "risk-ratio", "odds-ratio")


def truths(name: str, scenario: Scenario, people: int, seed: int) -> pd.DataFrame:
    """Contrasts of the population's potential outcomes, weighted as the survey's weights represent it.

    Probabilities are averaged, not outcomes drawn from them, so that the Monte Carlo error is that of the covariates.

    Parameters
    ----------
    people
        How many are drawn, in batches.

    Returns
    -------
    DataFrame
        Columns `TRUTH`: for `everyone`, the `overlap` (by the probability of treatment times that of none), and
        `conditional` (the odds ratio given the covariates, where it is one number). Ratios are ratios, and `mc_se` is
        on the log scale for them.
    """
    rng = np.random.default_rng((seed, 0))
    sums: dict[str, list[np.ndarray]] = {"everyone": [], "overlap": []}
    for start in range(0, people, BATCH):
        frame = anybody(min(BATCH, people - start), scenario, rng)
        treated = chance_of_treatment(frame, scenario)
        risks = [chance_of_event(frame, arm, scenario) for arm in (1.0, 0.0)]
        weight = frame["weight"].to_numpy()
        for population, factor in (("everyone", weight), ("overlap", weight * treated * (1 - treated))):
            sums[population].append(np.array([factor.sum(), factor @ risks[0], factor @ risks[1]]))
    rows = [row for population, parts in sums.items() for row in _contrasts(population, np.array(parts))]
    if scenario.effect_of_first == 0 and scenario.outcome_curve == 0:
        rows.append(("conditional", "odds-ratio", float(np.exp(scenario.effect)), 0.0))
    return pd.DataFrame(rows, columns=TRUTH[1:]).assign(scenario=name)[TRUTH]


def _contrasts(population: str, parts: np.ndarray) -> list[tuple[str, str, float, float]]:
    """Contrasts of all batches, and their Monte Carlo errors from how the batches differ."""
    whole = parts.sum(axis=0)
    rows = []
    for scale in SCALES:
        value = _contrast(whole[1] / whole[0], whole[2] / whole[0], scale)
        each = np.array([_contrast(one[1] / one[0], one[2] / one[0], scale) for one in parts])
        error = float(each.std(ddof=1) / np.sqrt(len(each))) if len(each) > 1 else float("nan")
        rows.append((population, scale, value if scale == "risk-difference" else float(np.exp(value)), error))
    return rows


def _contrast(one: float, other: float, scale: str) -> float:
    """Of ratios the logarithm."""
    if scale == "risk-difference":
        return float(one - other)
    if scale == "risk-ratio":
        return float(np.log(one / other))
    return float(np.log(one / (1 - one)) - np.log(other / (1 - other)))
