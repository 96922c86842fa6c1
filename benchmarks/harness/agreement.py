"""Whether packages that did the same job gave the same numbers."""

from __future__ import annotations

import numpy as np
from scipy import stats

Numbers = dict[str, list[float]]

# Identical models have to agree to this, relative; standard errors and estimates alike.
TOLERANCE = 1e-6
# Two imputations differ by chance: the smallest p-value of their differences, times how many there are.
CHANCE = 1e-3


def difference(ours: Numbers, theirs: Numbers) -> float:
    """The largest relative difference of any number that both give.

    Estimates are compared relative to the larger of themselves and their standard errors, as one may be near zero.
    """
    common = [name for name in ours if name in theirs]
    largest = 0.0
    for name in common:
        first, second = np.asarray(ours[name]), np.asarray(theirs[name])
        if first.shape != second.shape or not np.isfinite(first).all() or not np.isfinite(second).all():
            return float("inf")
        size = np.abs(first)
        if name != "se" and "se" in ours:
            size = np.maximum(size, np.asarray(ours["se"]))
        largest = max(largest, float((np.abs(first - second) / size).max()))
    return largest if common else float("inf")


def by_chance(ours: Numbers, theirs: Numbers, imputations: int) -> float:
    """How likely imputations of the same models differ in any pooled estimate as these do (Bonferroni).

    The Monte Carlo variance of an estimate pooled over m imputations is its variance between them over m.
    """
    gap = np.subtract(ours["estimate"], theirs["estimate"])
    spread = np.sqrt(np.add(ours["between"], theirs["between"]) / imputations)
    p = 2 * stats.t.sf(np.abs(gap / spread), 2 * (imputations - 1))
    return min(1.0, float(p.min()) * len(p))


def judged(job: str, ours: Numbers, theirs: Numbers, imputations: int) -> tuple[bool, str]:
    """Whether they agree, and in words how far."""
    if job == "imputation":
        p = by_chance(ours, theirs, imputations)
        return p >= CHANCE, f"p = {p:.2g} for differing by chance"
    gap = difference(ours, theirs)
    return gap <= TOLERANCE, f"{gap:.0e}"
