"""One stage of the sampling, and what it adds to the variance of a total."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Codes = NDArray[np.intp]
Marks = NDArray[np.bool_]

# A stratum of which all but this share was drawn adds nothing, and what was drawn alone in it is no lonely unit.
NOTHING_LEFT = 1e-7
# Up to so many numbers are summed by group in one call.
FEW = 200_000


@dataclass(frozen=True)
class Stage:
    """The units drawn at one stage, within the strata of that stage.

    Attributes
    ----------
    unit
        (finest units,) the unit of this stage that holds each unit of the last stage.
    unit_stratum
        (units,) the stratum each unit was drawn in.
    parent
        (strata,) the unit of the stage before that the stratum divides; all 0 at the first stage.
    strata
        (strata,) names, for messages.
    left
        (strata,) the share of the stratum's units that was not drawn (finite-population correction): 1 for
        draws with replacement or of a small share.
    reach
        (strata,) product of the shares drawn at the stages before, by which this stage's variance counts.
    """

    unit: Codes
    unit_stratum: Codes
    parent: Codes
    strata: NDArray[Any]
    left: Numbers
    reach: Numbers

    @cached_property
    def drawn(self) -> Codes:
        """(strata,) how many units were drawn in each stratum."""
        return np.bincount(self.unit_stratum, minlength=len(self.strata))

    @cached_property
    def lonely(self) -> Marks:
        """(strata,) whether a single unit was drawn where more could have been."""
        return (self.drawn == 1) & (self.left >= NOTHING_LEFT) & (self.reach > 0)

    @cached_property
    def counts(self) -> bool:
        """Whether the stage adds anything: not after a stage drawn with replacement."""
        return bool((self.reach > 0).any())

    def gathered(self, totals: NDArray[Any]) -> NDArray[Any]:
        """(units, k) sums of (finest units, k) totals over the units of this stage."""
        if self._finest:
            return totals if self._in_order else totals[self.order]
        return grouped(totals, self.unit, len(self.unit_stratum))

    def holding(self, held: Marks) -> tuple[Marks, Marks]:
        """(units, k) and (strata, k) marks of those that hold any of the (finest units, k) units marked."""
        units = self.gathered(held) if self._finest else self.gathered(held.astype(float)) > 0
        if self._starts is None:
            return units, self.of_strata(units.astype(float)) > 0
        return units, np.logical_or.reduceat(units, self._starts, axis=0)

    @cached_property
    def _finest(self) -> bool:
        return len(self.unit) == len(self.unit_stratum)

    @cached_property
    def order(self) -> Codes:
        """(finest units,) the finest units in the order of the units that hold them."""
        return np.argsort(self.unit, kind="stable")

    def of_strata(self, values: Numbers) -> Numbers:
        """(strata, k) sums of (units, k) values over the units of each stratum."""
        if self._starts is None:
            return grouped(values, self.unit_stratum, len(self.strata))
        return np.asarray(np.add.reduceat(values, self._starts, axis=0))

    @cached_property
    def _starts(self) -> Codes | None:
        """Where each stratum's units begin, if they stand together in the strata's order and none is empty."""
        together = bool((np.diff(self.unit_stratum) >= 0).all()) and bool(self.drawn.all())
        return np.concatenate([[0], np.cumsum(self.drawn)[:-1]]) if together and len(self.drawn) else None

    @cached_property
    def _in_order(self) -> bool:
        return bool((self.order == np.arange(len(self.order))).all())

    @cached_property
    def _scale(self) -> Numbers:
        """(units, 1) by how much the squared deviations of each unit count."""
        left = np.where(self.left >= NOTHING_LEFT, self.left, 0.0)
        scale = left * self.reach * self.drawn / np.maximum(self.drawn - 1, 1)
        return np.asarray(scale[self.unit_stratum, None])

    @cached_property
    def _divisor(self) -> Numbers:
        """(strata, 1) units to take the mean of, at least 1."""
        return np.maximum(self.drawn, 1)[:, None].astype(float)

    @cached_property
    def _any_lonely(self) -> bool:
        return bool(self.lonely.any())

    def variance(self, totals: Numbers, policy: str, held: Marks) -> Numbers:
        """What the stage adds to the variance matrix of the column sums of `totals`.

        (1 - f) n / (n - 1) times the squared deviations of the unit totals from their stratum's mean, times the
        shares drawn before (Sarndal, Swensson and Wretman 1992, Model Assisted Survey Sampling, 4.3).

        Parameters
        ----------
        totals
            (finest units, k) influence totals.
        policy
            What lonely units add; see `Design`.
        held
            (finest units,) whether the unit holds a member of the domain.
        """
        sums, scale = self.gathered(totals), self._scale
        centres = self.of_strata(sums) / self._divisor
        if self._any_lonely and policy == "adjust":
            centres[self.lonely] = 0.0
        elif self._any_lonely and policy in ("fail", "average"):
            scale = scale * self._lonely_factor(policy, self.lonely, held)[self.unit_stratum, None]
        deviation = sums - centres[self.unit_stratum]
        return np.asarray((deviation * scale).T @ deviation)

    def _lonely_factor(self, policy: str, lonely: Marks, held: Marks) -> Numbers:
        """(strata,) by how much `average` scales the other strata of the same parent up; where `fail` stops."""
        inside = np.bincount(self.unit_stratum[self.unit[held]], minlength=len(lonely)) > 0
        if policy == "fail":
            if (inside & lonely).any():
                named = ", ".join(str(name) for name in self.strata[inside & lonely][:10])
                raise ValueError(
                    f"design: {int((inside & lonely).sum())} strata have a single PSU ({named}); declare "
                    "`lonely: adjust`, `average` or `remove`, or merge the strata"
                )
            return np.ones(len(lonely))
        every = np.bincount(self.parent[inside], minlength=int(self.parent.max()) + 1)
        usable = np.bincount(self.parent[inside & ~lonely], minlength=len(every))
        if ((every > 0) & (usable == 0)).any():
            raise ValueError(
                "design: every stratum of the domain has a single PSU, so `lonely: average` has nothing to "
                "average; declare `adjust`"
            )
        return (every / np.maximum(usable, 1))[self.parent]


def grouped(values: Numbers, code: Codes, groups: int) -> Numbers:
    """(groups, k) column sums of (rows, k) values by group."""
    rows, k = values.shape
    if rows * k <= FEW:
        # All columns in one call, which for few numbers is most of the cost.
        flat = (code[:, None] * k + np.arange(k)).ravel()
        return np.asarray(np.bincount(flat, values.ravel(), minlength=groups * k).reshape(groups, k))
    summed = np.empty((groups, k))
    for column in range(k):
        summed[:, column] = np.bincount(code, values[:, column], minlength=groups)
    return summed
