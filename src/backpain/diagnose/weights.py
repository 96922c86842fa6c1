"""Weights and propensity scores: how much a weighted sample is worth, and whether the arms overlap."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from backpain.diagnose.arms import ARMS, Marks, Numbers, arm_marks, usable_weight

TAILS = (0.01, 0.99)
# Preference scores between these are those of people who might as well be in either arm.
EQUIPOISE = (0.3, 0.7)


def effective_sample_size(weight: ArrayLike) -> float:
    """How many people of equal weight the weighted sample is worth: (sum w)^2 / sum w^2.

    Kish 1965, Survey Sampling.

    Raises
    ------
    ValueError
        If a weight is missing, infinite or negative, or all are zero.
    """
    numbers = usable_weight(weight, np.size(weight))
    scaled = numbers / numbers.max()  # so that squares neither overflow nor vanish
    return float(scaled.sum() ** 2 / (scaled**2).sum())


def weight_summary(weight: ArrayLike) -> dict[str, float]:
    """The distribution of the weights of those who count (weight above 0).

    Returns `people`, `mean`, `largest`, `percentile_99` (all in the weight's unit), `largest_over_mean`,
    `percentile_99_over_mean` and `effective_people`. Raises as `effective_sample_size` does.
    """
    numbers = usable_weight(weight, np.size(weight))
    counted = numbers[numbers > 0]
    mean, largest = float(counted.mean()), float(counted.max())
    high = weighted_percentile(counted, np.ones(len(counted)), TAILS[1])
    return {
        "people": float(len(counted)),
        "mean": mean,
        "largest": largest,
        "percentile_99": high,
        "largest_over_mean": largest / mean,
        "percentile_99_over_mean": high / mean,
        "effective_people": effective_sample_size(counted),
    }


def weighted_percentile(values: Numbers, weight: Numbers, share: float) -> float:
    """The smallest value at or below which at least this share of the weight lies."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order])
    # A share reached up to rounding is reached: 0.01 + ... + 0.01 falls short of 1.
    enough = reached >= share * reached[-1] * (1 - 1e-12)
    held = weight[order] > 0
    return float(values[order][enough & held][0])


def checked_propensity(propensity: ArrayLike, people: int) -> Numbers:
    """The score as numbers from 0 to 1, one per person; anything else is refused."""
    score = np.asarray(propensity, dtype=float)
    if score.shape != (people,):
        raise ValueError(f"propensity: {score.shape} numbers for {people} people; give one per person")
    stray = ~((score >= 0) & (score <= 1))
    if stray.any():
        raise ValueError(
            f"propensity: {int(stray.sum())} people have a missing score or one outside 0-1; refit the model"
        )
    return score


def checked(propensity: ArrayLike, treated: ArrayLike, weight: ArrayLike) -> tuple[Numbers, Marks, Numbers]:
    """Score, arms and weight of the same people."""
    marks = arm_marks(treated)
    return checked_propensity(propensity, len(marks)), marks, usable_weight(weight, len(marks))


def overlap(propensity: ArrayLike, treated: ArrayLike, weight: ArrayLike, bins: int = 40) -> pd.DataFrame:
    """Histogram of the propensity score in each arm.

    Parameters
    ----------
    propensity, treated, weight
        (people,) estimated probability of treatment, arm, and survey weight.
    bins
        Equal bins from 0 to 1, closed on the left; the last holds 1 too.

    Returns
    -------
    Rows (arm, low, high, share, people), the share being of the arm's own weight; each arm's shares add up to 1. People
    are counted, so that bins of few can be merged before anybody is shown them.

    Raises
    ------
    ValueError
        For scores outside 0-1, an empty arm, unusable weights.
    """
    score, marks, weights = checked(propensity, treated, weight)
    frames = []
    for arm, mark in ARMS.items():
        height, edges = np.histogram(score[marks == mark], bins=bins, range=(0, 1), weights=weights[marks == mark])
        people, _ = np.histogram(score[marks == mark], bins=bins, range=(0, 1))
        columns = {"low": edges[:-1], "high": edges[1:], "share": height / height.sum(), "people": people}
        frames.append(pd.DataFrame({"arm": arm, **columns}))
    return pd.concat(frames, ignore_index=True)


def overlap_share(propensity: ArrayLike, treated: ArrayLike, weight: ArrayLike) -> float:
    """The weighted share of an arm scored within the other arm's 1st-99th percentile; the smaller of the two.

    1 means that everybody has somebody alike in the other arm. Percentiles are weighted and both ends are
    inside. Raises as `overlap` does.
    """
    score, marks, weights = checked(propensity, treated, weight)
    shares = []
    for arm in (marks, ~marks):
        low, high = (weighted_percentile(score[~arm], weights[~arm], tail) for tail in TAILS)
        inside = (score[arm] >= low) & (score[arm] <= high)
        shares.append(float(weights[arm][inside].sum() / weights[arm].sum()))
    return min(min(shares), 1.0)


def equipoise(propensity: ArrayLike, treated: ArrayLike, weight: ArrayLike) -> float:
    """The weighted share of an arm with a preference score of 0.3 to 0.7; the smaller of the two.

    The preference score is the propensity with the share of the treated taken out: its log-odds less theirs, so that 0.5
    is who is as likely treated as anybody (Walker and others 2013, Comp Eff Res 3:11). Raises as `overlap` does.
    """
    score, marks, weights = checked(propensity, treated, weight)
    share = float(weights[marks].sum() / weights.sum())
    with np.errstate(divide="ignore"):
        log_odds = np.log(score / (1 - score)) - np.log(share / (1 - share))
    low, high = (np.log(end / (1 - end)) for end in EQUIPOISE)
    inside = (log_odds >= low) & (log_odds <= high)
    return min(float(weights[arm & inside].sum() / weights[arm].sum()) for arm in (marks, ~marks))
