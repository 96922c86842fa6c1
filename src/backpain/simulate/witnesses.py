"""Rows of a file that tell every declared test apart: for each outcome of the tests, rows that have it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from backpain.clean import key_of
from backpain.harmonise.mapping import Mapper
from backpain.harmonise.people import People
from backpain.simulate.answers import (
    answer_codes,
    broken,
    conditional,
    finding,
    limits,
    missing_codes,
    passing,
    shared_columns,
)
from backpain.spec import Condition, Mapping, Survey, Test, Variable, Where, split
from backpain.spec.survey import Lookup

MOST_ROWS = 40_000  # of the product of all outcomes of all columns; beyond it a random part is looked at
DAY_ZERO = pd.Timestamp("2000-01-01")
UNNAMED = "other"  # a text that no test names
SPREAD = 12  # days drawn inside and outside each range of days, besides its ends


class Atom(NamedTuple):
    """A test of a file's rows: whether any row meets it, or how many do."""

    file: str
    words: str
    counted: bool = False


def atom(condition: Condition) -> Atom:
    """The atom of an `any` condition."""
    return Atom(str(condition.any), repr((condition.alternatives, condition.missing_when)))


def atom_of_count(mapping: Mapping) -> Atom:
    """The atom of a `count` mapping."""
    return Atom(str(mapping.count), repr((mapping.where, mapping.distinct)), True)


def counting(mapping: Mapping) -> Condition:
    """The condition that the counted rows meet."""
    return Condition.model_validate({"any": mapping.count, "where": mapping.where})


def atoms(survey: Survey) -> dict[Atom, Condition]:
    """Every test of rows that the survey's variables make."""
    found: dict[Atom, Condition] = {}
    for mapping in survey.variables.values():
        found |= {atom(part): part for part in mapping.conditions() if part.any is not None}
        if mapping.count is not None:
            found[atom_of_count(mapping)] = counting(mapping)
    return found


def clauses(condition: Condition) -> Iterator[Where]:
    """Every where-clause of a condition, and what makes it unknown."""
    yield from condition.alternatives
    if condition.missing_when is not None:
        yield from ({column: test} for column, test in condition.missing_when.items())


def tested(survey: Survey, file: str) -> dict[str, list[Any]]:
    """The columns of a file that conditions test, each with its tests."""
    found: dict[str, list[Any]] = {}
    for name, condition in atoms(survey).items():
        for where in clauses(condition) if name.file == file else ():
            for columns, test in where.items():
                for column in columns.split("|"):
                    found.setdefault(column, []).append(test)
    return found


@dataclass(frozen=True)
class Witnesses:
    """The rows of one file in the waves that share its coding systems.

    Attributes
    ----------
    cells
        For each tested column groups of values that all tests answer alike.
    rows
        One row of cell numbers for each combination looked at, rows by columns.
    met, unknown
        For each atom which rows meet it, and which would leave it unknown.
    answers
        For each variable that reads a tested column as it is, the answer that a row gives.
    dated
        For each column of days after a date, the `file.COLUMN` of that date.
    """

    cells: dict[str, list[list[Any]]]
    rows: np.ndarray
    met: dict[Atom, np.ndarray]
    unknown: dict[Atom, np.ndarray]
    answers: dict[str, pd.Series]
    dated: dict[str, str]

    @cached_property
    def alike(self) -> tuple[np.ndarray, list[np.ndarray]]:
        """One row for each outcome of all tests, and all rows that have that outcome."""
        outcomes = [*self.met.values(), *self.unknown.values()]
        if not outcomes:
            return np.arange(min(len(self.rows), 1)), [np.arange(len(self.rows))]
        _, first, group = np.unique(np.column_stack(outcomes), axis=0, return_index=True, return_inverse=True)
        return first, [np.flatnonzero(group.ravel() == number) for number in range(len(first))]

    def like(self, group: int, tests: Iterable[Atom]) -> np.ndarray:
        """All rows that have the same outcome of these tests as the rows of a group of `alike`."""
        one = self.alike[0][group]
        same = np.ones(len(self.rows), bool)
        for name in tests:
            same &= (self.met[name] == self.met[name][one]) & (self.unknown[name] == self.unknown[name][one])
        return np.flatnonzero(same)

    def concrete(self, chosen: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Values for chosen rows: of each cell any one value."""
        made = {}
        for position, (column, cells) in enumerate(self.cells.items()):
            values = np.empty(len(chosen), dtype=object)
            for cell, choices in enumerate(cells):
                here = np.flatnonzero(self.rows[chosen, position] == cell)
                picked = np.empty(len(choices), dtype=object)
                picked[:] = choices
                values[here] = picked[rng.integers(len(choices), size=len(here))]
            made[column] = values
        return made


def witnesses(
    survey: Survey,
    variables: dict[str, Variable],
    file: str,
    systems: dict[str, str],
    fixed: dict[str, Any],
    seen: dict[str, list[float]],
) -> Witnesses:
    """Build the witnesses of a file.

    Parameters
    ----------
    file
        The file.
    systems
        The coding system of each column that depends on the wave.
    fixed
        The columns that hold one declared value in this wave.
    seen
        Numbers that people have for the variables which read a tested column as it is.
    """
    rng = np.random.default_rng(0)
    tests = tested(survey, file)
    reading = readers(survey, file, set(tests))
    lookup = survey.files[file].lookup
    dated = {
        column: str(test.days_after)
        for column, made in tests.items()
        for test in made
        if isinstance(test, Test) and test.days_after is not None
    }
    trial = _Trial(survey, variables, file, systems, dated)
    cells = {}
    columns = dict.fromkeys([*tests, *(split(str(survey.variables[name].from_))[1] for name in reading)])
    checks = [check for check in conditional(survey, file) if {check.column, *(check.when or {})} <= set(columns)]
    for check in checks:
        for column, test in {check.column: finding(check), **(check.when or {})}.items():
            tests = {**tests, column: [*tests.get(column, []), test]}
    for column in columns:
        values = (
            [fixed[column]]
            if column in fixed
            else _candidates(survey, file, column, tests.get(column, []), systems, rng)
        )
        for name in reading:
            if split(str(survey.variables[name].from_))[1] == column:
                values = _answering(survey, variables[name], name, values, seen.get(name, []))
        alone = bool(reading) or (lookup is not None and column == lookup.by)
        cells[column] = trial.cells(column, values, tests.get(column, []), alone)
    rows = _combinations([len(groups) for groups in cells.values()], rng)
    if lookup is not None and lookup.by in cells:
        rows = _of_one_meaning(rows, cells, lookup, rng)
    table = pd.DataFrame(
        {
            column: pd.Series([cells[column][cell][0] for cell in rows[:, position]])
            for position, column in enumerate(cells)
        },
        index=range(len(rows)),
    )
    for check in checks:
        possible = ~broken(table, check).to_numpy()
        rows, table = rows[possible], table[possible].reset_index(drop=True)
    mapper = trial.mapper(table)
    met, unknown = {}, {}
    for atom_, condition in atoms(survey).items():
        if atom_.file == file:
            judged = mapper.condition(condition)
            met[atom_], unknown[atom_] = judged.fillna(False).to_numpy(bool), judged.isna().to_numpy(bool)
    return Witnesses(cells, rows, met, unknown, {name: mapper.variable(name) for name in reading}, dated)


def readers(survey: Survey, file: str, columns: set[str]) -> list[str]:
    """Variables that read a column of a file which something else reads too."""
    shared = shared_columns(survey)
    found = []
    for name, mapping in survey.variables.items():
        if mapping.from_ is not None and split(mapping.from_)[0] == file:
            column = split(mapping.from_)[1]
            if column in columns or (file, column) in shared:
                found.append(name)
    return found


def _candidates(
    survey: Survey, file: str, column: str, tests: list[Any], systems: dict[str, str], rng: np.random.Generator
) -> list[Any]:
    """Values worth trying in a column: all that its tests name, their limits, and values that none of them names."""
    coded = {name for lists in survey.codes.values() for name in lists}
    system = systems.get(column, column)
    if system in coded:
        named = [code for lists in survey.codes.values() for code in lists.get(system, [])]
        return [*dict.fromkeys(named), *_strangers(named)]
    named = [value for test in tests for value in _named(test, rng)]
    if any(isinstance(value, str) for value in named):
        return [*dict.fromkeys(named), UNNAMED]
    whole = [number for number in range(4) if number not in named]
    values = [*dict.fromkeys(named), *whole]
    if not any(isinstance(test, Test) and test.days_after for test in tests):
        values.append(np.nan)
    return passing(values, limits(survey, file, column)) or values


def _named(test: Any, rng: np.random.Generator) -> list[Any]:
    """The values that a test names, and values on both sides of its limits."""
    if not isinstance(test, Test):
        return list(test) if isinstance(test, list) else [test]
    found = list(test.none_of or [])
    low, high = test.minimum, test.maximum
    for limit in (low, high):
        found += [] if limit is None else [limit - 1, limit, limit + 1]
    if low is not None and high is not None:
        found += list(rng.integers(int(low), int(high) + 1, size=SPREAD))
    if test.days_after is not None:
        found += list(rng.integers(int(high or 0), int(high or 0) + 300, size=SPREAD))
    return [float(value) if isinstance(value, int | float | np.integer) else value for value in found]


def _strangers(codes: list[str]) -> list[str]:
    """Codes of the same look that are in no list."""
    length = max((len(code) for code in codes), default=3)
    numbers = all(code.isdigit() for code in codes)
    made = [str(10**length - 1 - step) if numbers else f"Z{10 ** (length - 1) - 1 - step}" for step in range(40)]
    return [code for code in made if code not in codes][:10]


def _answering(survey: Survey, variable: Variable, name: str, values: list[Any], seen: Iterable[float]) -> list[Any]:
    """Values that have a meaning for a variable that reads the column as it is."""
    mapping = survey.variables[name]
    codes = answer_codes(mapping)
    blank = [np.nan] if mapping.blank != "never" else []
    if not codes:
        low, high = float(variable.minimum or 0), float(variable.maximum or 0)
        numbers = [value for value in [*seen, *values] if low <= value <= high]
        return [*dict.fromkeys([*numbers, *missing_codes(mapping, survey)]), *blank]
    meant = [code for choices in codes.values() for code in choices]
    return list(dict.fromkeys([*meant, *missing_codes(mapping, survey)])) + blank


def _combinations(sizes: list[int], rng: np.random.Generator) -> np.ndarray:
    if not sizes:
        return np.zeros((1, 0), dtype=int)
    if prod(sizes) <= MOST_ROWS:
        return np.array(list(product(*map(range, sizes))), dtype=int)
    drawn = np.column_stack([rng.integers(size, size=MOST_ROWS) for size in sizes])
    return np.unique(drawn, axis=0)


def _of_one_meaning(
    rows: np.ndarray, cells: dict[str, list[list[Any]]], lookup: Lookup, rng: np.random.Generator
) -> np.ndarray:
    """The rows with every named code looked up to the same cells wherever it stands: a lookup has one row for a code."""
    names = list(cells)
    code, meanings = names.index(lookup.by), [names.index(column) for column in lookup.columns if column in cells]
    for number, group in enumerate(cells[lookup.by]):
        if group != [UNNAMED]:
            here = np.flatnonzero(rows[:, code] == number)
            rows[here[:, None], meanings] = rows[rng.integers(len(rows)), meanings]
    return np.unique(rows, axis=0)


@dataclass(frozen=True)
class _Trial:
    """A survey of one file in which each row is a person of its own, so that `harmonise` itself judges the rows."""

    survey: Survey
    variables: dict[str, Variable]
    file: str
    systems: dict[str, str]
    dated: dict[str, str]

    def mapper(self, table: pd.DataFrame) -> Mapper:
        """The mappings over the rows, with everyone asked."""
        file = self.survey.files[self.file]
        open_ = file.model_copy(update={"asked_of": None, "key": None})
        names = {split(reference)[0] for reference in self.dated.values()}
        files = {name: self.survey.files[name].model_copy(update={"asked_of": None, "key": None}) for name in names}
        survey = self.survey.model_copy(update={"files": {**self.survey.files, **files, self.file: open_}})
        number = np.arange(len(table))
        key = dict.fromkeys(key_of(survey, self.file), number)
        frame = pd.DataFrame({"wave": 0, **key}, index=range(len(table)))
        sources = {f"{column}.source": system for column, system in self.systems.items() if column in table}
        dates = {column: self._dates(table[column]) for column in self.dated if column in table}
        tables = {self.file: table.assign(**sources, **dates, **frame)}
        for reference in self.dated.values():
            name, column = split(reference)
            tables[name] = tables.get(name, frame).assign(**{column: DAY_ZERO.strftime("%Y-%m-%d")})
        return Mapper(tables, People(frame, {}, 0), survey, self.variables)

    def cells(self, column: str, values: list[Any], tests: list[Any], each: bool) -> list[list[Any]]:
        """Values grouped by what the tests say of them; with `each` every value is a group of its own."""
        if each:
            return [[value] for value in values]
        table = pd.DataFrame({column: pd.Series(values)}, index=range(len(values)))
        mapper = self.mapper(table)
        said = [
            mapper.condition(Condition.model_validate({"any": self.file, "where": {column: test}})).astype(object)
            for test in {repr(test): test for test in tests}.values()
        ]
        groups: dict[tuple[Any, ...], list[Any]] = {}
        for value, outcome in zip(values, zip(*said, strict=True), strict=True):
            groups.setdefault(outcome, []).append(value)
        return list(groups.values())

    @staticmethod
    def _dates(days: pd.Series) -> pd.Series:
        return (DAY_ZERO + pd.to_timedelta(days.astype(float), unit="D")).dt.strftime("%Y-%m-%d")
