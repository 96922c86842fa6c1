"""Where each person stands in the sample, and the variance of a sum over people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from backpain.design.people import above_zero, members_of, numbers_of, positive
from backpain.design.stages import NOTHING_LEFT, Codes, Marks, Numbers, Stage, grouped

LONELY = ("fail", "remove", "adjust", "average")


@dataclass(frozen=True)
class Drawn:
    """The columns of one further stage: what was drawn, in which strata, out of how many.

    Attributes
    ----------
    cluster
        The column of the units drawn within each unit of the stage before; None draws each person.
    stratum
        Its strata within the units of the stage before; None for one.
    population
        The column with how many units there were to draw from; None for draws with replacement.
    """

    cluster: str | None
    stratum: str | None = None
    population: str | None = None


@dataclass(frozen=True)
class Design:
    """The people at hand within the whole sample.

    Attributes
    ----------
    weight
        (people,) survey weights, in people represented.
    unit
        (people,) each person's unit of the last stage: the PSU, if there is one stage.
    psu
        (people,) each person's PSU among those of the whole survey.
    stages
        The stages of the sampling, the PSUs first; see `Stage`.
    lonely
        What a stratum of a single PSU adds to a variance, as in R's `options(survey.lonely.psu)`: `fail`
        refuses; `remove` adds nothing; `adjust` takes the PSU's total about zero, which is the grand mean for
        means, ratios and regressions (R does so for totals too); `average` adds what the other strata that
        hold the domain add on average.
    """

    weight: Numbers
    unit: Codes
    psu: Codes
    stages: tuple[Stage, ...]
    lonely: str = "adjust"

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        skeleton: pd.DataFrame | None = None,
        stratum: str | None = "stratum",
        cluster: str | None = "psu",
        weight: str = "weight",
        lonely: str = "adjust",
        nested: bool = True,
        population: str | None = None,
        further: Sequence[Drawn] = (),
    ) -> Design:
        """Read the design from the people at hand.

        Parameters
        ----------
        frame
            One row per person with the columns named.
        skeleton
            Every stratum and unit of the survey (repeats are allowed), so that a frame of some of its people
            loses none; None takes those of the frame.
        stratum, cluster
            Columns. None for stratum: one stratum. None for cluster: each row, by its index label, was drawn
            by itself. Both None: a simple random sample.
        lonely
            The policy for strata of one PSU.
        nested
            Whether PSU numbers start anew in each stratum: PSU 1 of two strata is two PSUs. If not, a PSU in
            two strata is a mistake and refused.
        population
            The column with the number of PSUs in the stratum's population (finite-population correction);
            None for draws with replacement.
        further
            The stages after the first. Without `population` at the stage before, a stage adds nothing.

        Raises
        ------
        ValueError
            If a column is absent, a stratum or PSU is missing, a weight is missing, infinite or negative, a
            PSU stands in two strata when `nested` is off, a population is smaller than what was drawn from it
            or differs within its stratum, or somebody stands in a PSU that the skeleton does not list.
        """
        if lonely not in LONELY:
            raise ValueError(f"design: lonely {lonely!r} is not known; declare one of {', '.join(LONELY)}")
        levels = (Drawn(cluster, stratum, population), *further)
        pairs = _columns(frame, levels, "people")
        listed = pairs if skeleton is None else _columns(skeleton, levels, "skeleton")
        unit, first = _numbered(listed, None if skeleton is None else pairs)
        units = listed.iloc[first].reset_index(drop=True)
        if not nested:
            _refuse_shared(units)
        stages = _stages(units, levels)
        if len(stages[0].unit_stratum) == 1 and stages[0].left[0] >= NOTHING_LEFT:
            raise ValueError(
                "design: the whole sample has a single PSU, so nothing tells how PSUs differ; name the column of the PSUs "
                "that were drawn, or no cluster if each person was"
            )
        return cls(_weights(frame, weight), unit, stages[0].unit[unit], stages, lonely)

    @property
    def stratum(self) -> Codes:
        """(people,) each person's stratum, a position in `strata`."""
        return self.psu_stratum[self.psu]

    @property
    def psu_stratum(self) -> Codes:
        """(PSUs,) the stratum of each PSU of the survey, also of those that hold none of these people."""
        return self.stages[0].unit_stratum

    @property
    def strata(self) -> NDArray[Any]:
        """(strata,) the strata's own names."""
        return self.stages[0].strata

    @property
    def psus_in_stratum(self) -> Codes:
        """(strata,) how many PSUs the survey drew in each stratum."""
        return self.stages[0].drawn

    @property
    def units(self) -> int:
        """How many units of the last stage the survey has."""
        return len(self.stages[0].unit)

    @property
    def degrees_of_freedom(self) -> int:
        """PSUs less strata of the whole survey."""
        return len(self.psu_stratum) - len(self.strata)

    def times(self, factor: ArrayLike) -> Design:
        """The same people with each weight times a positive number of their own."""
        return replace(self, weight=self.weight * positive(factor, len(self.weight)))

    def degrees_of_freedom_in(self, domain: ArrayLike | None = None) -> int:
        """PSUs less strata that hold a domain member of positive weight (NCHS; R's `degf` of a subset)."""
        return int(self.freedom_of(self.held(domain)[:, None])[0])

    def freedom_of(self, held: Marks) -> Codes:
        """PSUs less strata of k domains at once, from (units, k) marks of the units that hold them."""
        psus, strata = self.stages[0].holding(held)
        return np.asarray(psus.sum(0) - strata.sum(0))

    def members(self, domain: ArrayLike | None = None) -> Marks:
        """(people,) who is in the domain; None is everyone.

        Raises
        ------
        ValueError
            If the mask is not boolean, has gaps, or has another length.
        """
        return self._everyone if domain is None else members_of(domain, len(self.weight))

    @cached_property
    def _everyone(self) -> Marks:
        marks = members_of(None, len(self.weight))
        marks.setflags(write=False)  # as all share it
        return marks

    @cached_property
    def weighing(self) -> Marks | None:
        """(people,) who has a weight above zero; None if everyone has."""
        return above_zero(self.weight)

    def covariance(self, influence: ArrayLike, domain: ArrayLike | None = None) -> Numbers:
        """Variance matrix of the column totals of an influence function.

        Parameters
        ----------
        influence
            (people, k) or (people,): what each person adds to each estimate, the weight already multiplied
            in, and zero outside the domain.
        domain
            (people,) mask; it decides only which lonely strata matter (`fail`, `average`).

        Returns
        -------
        (k, k) matrix.

        Raises
        ------
        ValueError
            If the shape is wrong, a value is not finite, or the policy refuses a lonely stratum.
        """
        values = self._checked(influence)
        return self.covariance_of_totals(grouped(values, self.unit, self.units), self.held(domain))

    def held(self, domain: ArrayLike | None = None) -> Marks:
        """(units,) which hold a member of the domain who has a weight above zero."""
        members = self.members(domain)
        counted = members if self.weighing is None else members & self.weighing
        return np.bincount(self.unit[counted], minlength=self.units) > 0

    def covariance_of_totals(self, totals: Numbers, held: Marks | None = None) -> Numbers:
        """As `covariance`, from the (units, k) totals of the influence and (units,) marks of the domain's units."""
        marks = np.ones(self.units, dtype=bool) if held is None else held
        matrix = np.zeros((totals.shape[1], totals.shape[1]))
        for stage in self.stages:
            if stage.counts:
                matrix += stage.variance(totals, self.lonely, marks)
        return matrix

    def _checked(self, influence: ArrayLike) -> Numbers:
        values = np.asarray(influence, dtype=float)
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2 or len(values) != len(self.weight):
            raise ValueError(f"influence: shape {values.shape} for {len(self.weight)} people; give a row per person")
        if not np.isfinite(values).all():
            raise ValueError("influence: some values are missing or infinite; give 0 to people outside the domain")
        return values


def _columns(frame: pd.DataFrame, levels: Sequence[Drawn], what: str) -> pd.DataFrame:
    """Stratum, unit and population of each stage of each row; without a cluster the row itself is the unit."""
    columns: dict[str, Any] = {}
    for place, level in enumerate(levels):
        for column in (level.stratum, level.cluster, level.population):
            if column is not None and column not in frame:
                raise ValueError(f"{what}: there is no column {column!r}; name the design's columns, or None")
            if column is not None and frame[column].isna().any():
                raise ValueError(
                    f"{what}: {column} is missing for {int(frame[column].isna().sum())} rows; everyone sampled has one"
                )
        if level.cluster is None and not frame.index.is_unique:
            raise ValueError(f"{what}: rows drawn one by one need an index without repeats")
        columns[f"stratum {place}"] = 0 if level.stratum is None else frame[level.stratum].to_numpy()
        columns[f"unit {place}"] = (frame.index if level.cluster is None else frame[level.cluster]).to_numpy()
        if level.population is not None:
            columns[f"population {place}"] = frame[level.population].to_numpy(dtype=float)
    return pd.DataFrame(columns, index=range(len(frame)))


def _numbered(listed: pd.DataFrame, pairs: pd.DataFrame | None) -> tuple[Codes, Codes]:
    """Each person's unit of the last stage, and the row of `listed` where each unit stands first."""
    table = listed if pairs is None else pd.concat([listed, pairs], ignore_index=True)
    code = np.zeros(len(table), dtype=np.int64)
    for name in table:
        if not str(name).startswith("population"):
            found, distinct = pd.factorize(table[name])
            # Renumbered after each column, so that the product of many columns cannot overflow.
            code = pd.factorize(code * len(distinct) + found)[0]
    first = np.unique(code[: len(listed)], return_index=True)[1]
    if pairs is None:
        return code, first
    unit = code[len(listed) :]
    if (strange := unit >= len(first)).any():
        strays = pairs[strange].drop_duplicates().head(3).to_numpy().tolist()
        raise ValueError(
            f"design: {int(strange.sum())} people stand in a stratum and PSU the skeleton does not list, "
            f"such as {strays}; take the skeleton from the whole survey"
        )
    return unit, first


def _refuse_shared(units: pd.DataFrame) -> None:
    strata = units.drop_duplicates(["stratum 0", "unit 0"]).groupby("unit 0")["stratum 0"].nunique()
    shared = strata[strata > 1]
    if len(shared):
        raise ValueError(
            f"design: {len(shared)} PSUs stand in several strata ({', '.join(map(str, shared.index[:5]))}); declare "
            "`nested: true` if PSU numbers start anew in each stratum, or correct the PSU's column"
        )


def _stages(units: pd.DataFrame, levels: Sequence[Drawn]) -> tuple[Stage, ...]:
    """The stages of a table with a row for each unit of the last one."""
    stages: list[Stage] = []
    parent, reach = np.zeros(len(units), dtype=np.intp), np.ones(len(units))
    for place, level in enumerate(levels):
        within = pd.MultiIndex.from_arrays([parent, units[f"stratum {place}"]])
        stratum, strata = pd.factorize(within, sort=True)
        unit, names = pd.factorize(pd.MultiIndex.from_arrays([stratum, units[f"unit {place}"]]))
        unit_stratum = np.asarray(names.get_level_values(0), dtype=np.intp)
        drawn = np.bincount(unit_stratum, minlength=len(strata))
        first = np.unique(stratum, return_index=True)[1]
        share = np.zeros(len(strata))
        if level.population is not None:
            share = drawn / _population(units[f"population {place}"], stratum, first, drawn, level.population)
        stages.append(
            Stage(
                unit=np.asarray(unit, dtype=np.intp),
                unit_stratum=unit_stratum,
                parent=parent[first],
                strata=np.asarray(strata.get_level_values(1), dtype=object),
                left=1 - share,
                reach=reach[first],
            )
        )
        parent, reach = np.asarray(unit, dtype=np.intp), reach * share[stratum]
    return tuple(stages)


def _population(values: pd.Series, stratum: Codes, first: Codes, drawn: Codes, column: str) -> Numbers:
    """(strata,) how many units there were to draw from."""
    size = values.to_numpy()[first]
    if (values.to_numpy() != size[stratum]).any():
        raise ValueError(f"design: {column} differs within a stratum; it is the stratum's number of units")
    if (size < drawn).any():
        raise ValueError(
            f"design: {column} says {size[size < drawn][0]:g} units where {drawn[size < drawn][0]} were drawn; give "
            "the number in the population, not a share or a weight"
        )
    return size


def _weights(frame: pd.DataFrame, column: str) -> Numbers:
    if column not in frame:
        raise ValueError(f"people: there is no weight column {column!r}; name the survey's weight")
    weight = numbers_of(frame[column], f"people: {column}")
    stray = ~np.isfinite(weight) | (weight < 0)
    if stray.any():
        raise ValueError(
            f"people: {column} is missing, infinite or negative for {int(stray.sum())} people; leave them "
            "out (the skeleton keeps their PSUs)"
        )
    return weight


__all__ = ["LONELY", "Design", "Drawn"]
