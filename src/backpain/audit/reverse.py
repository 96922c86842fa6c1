"""How far the outcome may have changed the exposures: both reverse paths undone by simulation, size by size.

Where exposures are asked about after the outcome, the outcome may have raised the first (pain that depresses) and lowered the
second (pain that keeps from heavy work). Both would make the first look greater. For every pair of supposed sizes people with
the outcome get back what it took or gave, at random, and the two roles are compared again: a quantitative bias analysis by
simulated records (Fox, MacLehose and Lash 2021, Applying Quantitative Bias Analysis, chapter 9).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from backpain.audit.roles import Sides, cut_for, difference_of_marks
from backpain.design import t_quantile

REVERSE = ["points", "odds_ratio", "estimate", "se", "low", "high", "draws"]


def reverse_paths(
    sides: Sides, points: Sequence[float], odds_ratios: Sequence[float], draws: int, seed: int
) -> pd.DataFrame:
    """The difference of the two roles at equal prevalence, had the outcome not changed the exposures by so much.

    Parameters
    ----------
    points
        By how many points the outcome is supposed to have raised the first number on average. Each person with it gets back a
        binomial number of points with that mean, of at most those they have.
    odds_ratios
        By what odds ratio it is supposed to have lowered the second mark. Of those with the outcome and without the mark,
        so many get it back that their odds are the observed ones over that ratio.
    draws
        Random records for each pair; estimates and variances are averaged over them, with the variance between added.

    Returns
    -------
    DataFrame
        Columns `REVERSE`, a row for each pair.

    Raises
    ------
    ValueError
        If the first exposure is a mark alone, or a pair leaves nobody to compare.
    """
    if sides.first.number is None:
        raise ValueError(f"reverse paths: {sides.first.label} is measured by no number that points could be taken off")
    generator = np.random.default_rng(seed)
    cut = cut_for(sides, _share_of_second(sides))
    rows = []
    for raised in points:
        for ratio in odds_ratios:
            times = draws if raised > 0 or ratio != 1 else 1
            found = np.array([_again(sides, raised, ratio, cut, generator) for _ in range(times)])
            value, variance = found[:, 0].mean(), (found[:, 1] ** 2).mean()
            between = found[:, 0].var(ddof=1) if times > 1 else 0.0
            se = float(np.sqrt(variance + (1 + 1 / times) * between))
            reach = float(t_quantile(found[0, 2])) * se
            row = (raised, ratio, float(value), se, float(value - reach), float(value + reach), times)
            rows.append(dict(zip(REVERSE, row, strict=True)))
    return pd.DataFrame(rows, columns=REVERSE)


def _again(
    sides: Sides, raised: float, ratio: float, cut: float, generator: np.random.Generator
) -> tuple[float, float, float]:
    """The difference, its standard error and degrees of freedom, of one random record of everybody."""
    people, first, second = sides.people, sides.first, sides.second
    had = people[sides.outcome].to_numpy(dtype=float, na_value=0.0) > 0
    number = people[first.number].to_numpy(dtype=float, na_value=np.nan)
    mark = people[second.present].to_numpy(dtype=float, na_value=np.nan)
    inside = had & sides.domain
    if raised > 0:
        have = np.where(inside, np.maximum(number, 0.0), 0.0).astype(int)
        # Of the points they have: the mean over people with the outcome is the one supposed, as far as there are points.
        mean = have[inside].mean()
        number = number - generator.binomial(have, min(1.0, raised / mean) if mean > 0 else 0.0)
    if ratio != 1:
        weight = sides.design.weight[inside]
        share = float(weight @ mark[inside] / weight.sum())
        back = (expit(logit(share) - np.log(ratio)) - share) / (1 - share)
        gets = inside & (mark == 0) & (generator.random(len(mark)) < back)
        mark = np.where(gets, 1.0, mark)
    changed = replace(sides, people=people.assign(**{str(first.number): number, second.present: mark}))
    # ASSUME: the cut stays where it was, so that the exposure keeps its meaning.
    marks = {first.key: np.where(np.isnan(number), np.nan, number >= cut), second.key: mark}
    found = difference_of_marks(changed, marks)
    if isinstance(found, str):
        raise ValueError(f"reverse paths of {raised:g} points and an odds ratio of {ratio:g}: {found}")
    return found


def _share_of_second(sides: Sides) -> float:
    mark = sides.people[sides.second.present].to_numpy(dtype=float, na_value=np.nan)[sides.domain]
    weight = sides.design.weight[sides.domain]
    return float(weight @ mark / weight.sum())


__all__ = ["REVERSE", "reverse_paths"]
