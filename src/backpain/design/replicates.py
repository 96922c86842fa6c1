"""Replicate weights: a survey's spread shown by weighting its sample again and again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from backpain.design.people import above_zero, members_of, numbers_of, positive
from backpain.design.stages import Codes, Marks, Numbers, grouped

# What is left of a column beside its length, below which the columns before it say it all (as in R).
RANK = 1e-5
# Numbers of one block of replicate weights, which bounds the memory: 64 MB.
BLOCK = 8_000_000
CENTRES = ("replicates", "estimate")


@dataclass(frozen=True)
class Replicated:
    """A sample with replicate weights.

    Attributes
    ----------
    weight
        (people,) the full-sample weights.
    base, unit, full, factor
        Replicate r weighs person i by base[i] * factor[unit[i], r], and the full sample by base[i] *
        full[unit[i]]: weights made here share a factor within each PSU; those given by a survey have a row of
        factors for each person and a base of 1.
    scale
        (replicates,) what the squared deviation of each replicate counts.
    centre
        Deviations from the mean of the replicates (R's default) or from the full-sample estimate (`mse`).
    kind
        Name, for messages.
    declared_df
        Degrees of freedom where the survey declares them; None takes the rank of the weights, less 1.
    workers
        How many threads share the refits of models. The same number gives the same bytes; another may differ in the
        last digits.
    """

    weight: Numbers
    base: Numbers
    unit: Codes
    full: Numbers
    factor: Numbers
    scale: Numbers
    centre: str = "replicates"
    kind: str = "given"
    declared_df: int | None = None
    workers: int = 1

    @property
    def replicates(self) -> int:
        """How many replicates there are."""
        return self.factor.shape[1]

    @property
    def degrees_of_freedom(self) -> int:
        """Those of the whole survey."""
        return self.degrees_of_freedom_in()

    def members(self, domain: ArrayLike | None = None) -> Marks:
        """(people,) who is in the domain; None is everyone. Raises as `Design.members`."""
        return members_of(domain, len(self.weight))

    @cached_property
    def weighing(self) -> Marks | None:
        """(people,) who has a weight above zero; None if everyone has."""
        return above_zero(self.weight)

    def times(self, factor: ArrayLike) -> Replicated:
        """The same people with each weight, in every replicate, times a positive number of their own."""
        values = positive(factor, len(self.weight))
        return replace(self, weight=self.weight * values, base=self.base * values)

    def degrees_of_freedom_in(self, domain: ArrayLike | None = None) -> int:
        """Rank of the replicate weights of the domain's members, less 1 (R's `degf` of a subset)."""
        members = self.members(domain) & (self.weight > 0)
        return int(self.freedom_of(np.bincount(self.unit[members], minlength=len(self.factor))[:, None] > 0)[0])

    def freedom_of(self, held: Marks) -> Codes:
        """The same for k domains at once, from (units, k) marks of the units that hold them."""
        if self.declared_df is not None:
            return np.full(held.shape[1], self.declared_df)
        return np.array([_rank(self.factor[marks]) - 1 for marks in held.T])

    def blocks(self) -> Iterator[tuple[slice, Numbers]]:
        """Which replicates, and their (people, r) weights: a few at a time, so that memory stays bounded."""
        width = max(1, BLOCK // max(1, len(self.weight)))
        for start in range(0, self.replicates, width):
            part = slice(start, min(start + width, self.replicates))
            yield part, self.base[:, None] * self.factor[self.unit, part]

    def totals(self, columns: Numbers) -> Numbers:
        """(replicates, k) weighted totals of (people, k) columns under each replicate."""
        return np.asarray(self.factor.T @ grouped(self.base[:, None] * columns, self.unit, len(self.factor)))

    def spread(self, values: Numbers, estimate: Numbers) -> Numbers:
        """Variance matrix of an estimate from its (replicates, k) values.

        Raises
        ------
        ValueError
            If a replicate has no value: leaving some out in silence would make the estimate look surer.
        """
        failed = int((~np.isfinite(values).all(axis=1)).sum())
        if failed:
            raise ValueError(
                f"{self.kind}: {failed} of {self.replicates} replicates give no estimate; declare fewer terms or "
                "merge strata, so that no replicate is left without events or people"
            )
        centre = estimate if self.centre == "estimate" else values[self.scale > 0].mean(0)
        deviation = values - centre
        return np.asarray((deviation * self.scale[:, None]).T @ deviation)


def given(
    frame: pd.DataFrame,
    columns: Sequence[str],
    scale: float | ArrayLike,
    weight: str = "weight",
    centre: str = "replicates",
    df: int | None = None,
) -> Replicated:
    """The replicate weights a survey provides, as weights (not as factors to multiply the full-sample weight by).

    Parameters
    ----------
    frame
        One row per person.
    columns
        The replicate weights.
    scale
        What each replicate's squared deviation counts, one number or one for each: 1 / R for R replicates of BRR,
        1 / (R (1 - rho)^2) for Fay's, (R - 1) / R for JK1, (n - 1) / n of the stratum for JKn, 1 / (R - 1) or
        1 / R for a bootstrap; the survey's documentation says which.
    df
        The degrees of freedom that the documentation gives, if it does.

    Raises
    ------
    ValueError
        If a column is absent, a weight is missing or infinite, fewer than two columns are named, `scale` does not
        fit, or the replicates do not differ.
    """
    absent = [name for name in (*columns, weight) if name not in frame]
    if absent:
        raise ValueError(f"people: there is no weight column {absent[0]!r}; name the survey's replicate weights")
    if len(columns) < 2 or centre not in CENTRES:
        raise ValueError(f"replicate weights: name two columns or more, and a centre of {', '.join(CENTRES)}")
    factor = frame[list(columns)].to_numpy(dtype=float, na_value=np.nan)
    full = numbers_of(frame[weight], f"people: {weight}")
    for name, values in ((weight, full), ("a replicate weight", factor)):
        stray = ~np.isfinite(values) | (values < 0)
        if stray.any():
            raise ValueError(f"people: {name} is missing, infinite or negative in {int(stray.sum())} places")
    scales = np.broadcast_to(np.asarray(scale, dtype=float), len(columns))
    if not np.isfinite(scales).all() or (scales < 0).any() or not (scales > 0).any():
        raise ValueError("replicate weights: `scale` has to be positive and finite; see the survey's documentation")
    if (factor == factor[:, :1]).all():
        raise ValueError("replicate weights: all replicates are the same, so they show no variance")
    if df is not None and (df != int(df) or df < 1):
        raise ValueError(f"replicate weights: df {df!r} is no positive whole number; see the survey's documentation")
    people = len(frame)
    return Replicated(full, np.ones(people), np.arange(people), full, factor, scales, centre, "given", df)


def _rank(factor: Numbers) -> int:
    """How many columns the ones before them do not say, each beside its own length, as R's `qr` counts."""
    if not factor.size:
        return 0
    # A tall matrix has the columns of its triangle.
    small = np.linalg.qr(factor, mode="r") if len(factor) > factor.shape[1] else factor
    length = np.linalg.norm(small, axis=0)
    columns = (small / np.where(length > 0, length, 1.0))[:, length > 0]
    basis = np.zeros((len(columns), min(columns.shape)))
    rank = 0
    for column in columns.T:
        if rank == basis.shape[1]:
            break
        left = column
        for _ in range(2):  # twice is enough: what rounding leaves of the others goes too
            left = left - basis[:, :rank] @ (basis[:, :rank].T @ left)
        size = float(np.linalg.norm(left))
        if size > RANK:
            basis[:, rank] = left / size
            rank += 1
    return rank


__all__ = ["CENTRES", "Replicated", "given"]
