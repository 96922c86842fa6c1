"""Carries out the declared mappings: from raw codes to the variables of the analyses, three-valued throughout."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from backpain.clean import holds, key_of, meets
from backpain.derive import DERIVATIONS
from backpain.harmonise.people import People
from backpain.ingest import Tables
from backpain.spec import Condition, Mapping, Survey, Test, Variable, Where, split


class Mapper:
    """Answers variables for the rows of `people`; each variable is computed once.

    Unknown is neither yes nor no: conditions follow Kleene's three-valued logic, and a person who was not asked has no
    answer.
    """

    def __init__(self, tables: Tables, people: People, survey: Survey, variables: dict[str, Variable]) -> None:
        self.tables = tables
        self.people = people
        self.survey = survey
        self.variables = variables
        self.rows = people.frame.index
        self._made: dict[str, pd.Series] = {}
        self._owner: dict[str, np.ndarray] = {}
        self._aligned: dict[str, pd.DataFrame] = {}
        self._matched: dict[tuple[str, str, str], pd.Series] = {}

    def variable(self, name: str) -> pd.Series:
        """One variable for every person and wave: a categorical, or numbers; missing where there is no answer."""
        if name not in self._made:
            mapping = self.survey.variables[name]
            made = KINDS[mapping.kind](self, name, mapping)
            self._made[name] = self._finish(name, made)
        return self._made[name]

    def _finish(self, name: str, made: pd.Series) -> pd.Series:
        declared = self.variables[name]
        if declared.categories is not None:
            return pd.Series(pd.Categorical(made, categories=list(declared.categories)), index=self.rows, name=name)
        numbers = made.astype(float)
        outside = numbers.notna() & ~numbers.between(declared.minimum, declared.maximum)
        if outside.any():
            raise ValueError(
                f"{self.survey.name}: {name} holds {numbers[outside].iloc[0]:g} ({int(outside.sum())} values), outside "
                f"{declared.minimum:g} to {declared.maximum:g}; declare the code as missing in surveys/{self.survey.name}.yaml "
                "or widen the range in variables.yaml"
            )
        return numbers.rename(name)

    # --- the files as seen from a person -------------------------------------------------------------------------

    def owner(self, file: str) -> np.ndarray:
        """For each row of a file the row of `people` it belongs to, -1 where there is none."""
        if file not in self._owner:
            key = key_of(self.survey, file)
            frame = self.people.frame
            mine = frame[["wave", *key]].assign(row=np.arange(len(frame)))
            found = self.tables[file][["wave", *key]].merge(mine, on=["wave", *key], how="left", validate="many_to_one")
            self._owner[file] = found["row"].fillna(-1).to_numpy(int)
        return self._owner[file]

    def aligned(self, file: str) -> pd.DataFrame:
        """A one-row-per-person file laid beside the rows of `people`; blank where a person has no row."""
        if file not in self._aligned:
            if file in self.people.linked:
                self._aligned[file] = self.people.linked[file]
            else:
                owner = self.owner(file)
                table = self.tables[file][owner >= 0].set_axis(owner[owner >= 0])
                self._aligned[file] = table.reindex(self.rows)
        return self._aligned[file]

    def asked(self, file: str) -> pd.Series:
        """Who was asked the questions of a file: inside its asked_of, and with a row in it."""
        inside = pd.Series(True, index=self.rows)
        for name, limits in (self.survey.files[file].asked_of or {}).items():
            low = -math.inf if limits.minimum is None else limits.minimum
            inside &= self.variable(name).between(low, math.inf if limits.maximum is None else limits.maximum)
        if file not in self.people.linked:
            present = np.zeros(len(self.rows), dtype=bool)
            present[self.owner(file)[self.owner(file) >= 0]] = True
            inside &= present
        return inside

    # --- conditions --------------------------------------------------------------------------------------------------

    def condition(self, condition: Condition) -> pd.Series:
        """A condition for every row of `people` as a nullable boolean."""
        if condition.any is not None:
            return self._any(condition.any, condition.alternatives, condition.missing_when)
        if condition.is_ is not None:
            return self._is(condition.is_)
        if condition.no is not None:
            return ~self.condition(condition.no)
        parts = [self.condition(part) for part in (condition.all or condition.any_of or [])]
        met = parts[0]
        for part in parts[1:]:
            met = met & part if condition.all is not None else met | part
        return met

    def _any(self, file: str, alternatives: list[Where], missing_when: Where | None) -> pd.Series:
        declared = self.survey.files[file]
        if declared.rows.one:
            table = self.aligned(file)
            met = _either([self._rows(table, where, file, None) for where in alternatives], table.index).astype(
                "boolean"
            )
            unknown = self._unknown(table, missing_when)
            met = met.mask(unknown & ~met)
            return met.mask(~self.asked(file)) if file != self.survey.base else met
        owner = self.owner(file)
        table = self.tables[file]
        hit = _either([self._rows(table, where, file, owner) for where in alternatives], table.index).to_numpy()
        met = pd.Series(self._owned(owner, hit), index=self.rows, dtype="boolean")
        unknown = pd.Series(self._owned(owner, self._unknown(table, missing_when).to_numpy()), index=self.rows)
        met = met.mask(unknown & ~met)
        if declared.none_means == "missing":
            met = met.mask(~pd.Series(self._owned(owner, np.ones(len(owner), bool)), index=self.rows))
        return met.mask(~self.asked(file)) if declared.asked_of is not None else met

    def _owned(self, owner: np.ndarray, hit: np.ndarray) -> np.ndarray:
        found = np.zeros(len(self.rows), dtype=bool)
        found[owner[hit & (owner >= 0)]] = True
        return found

    def _unknown(self, table: pd.DataFrame, missing_when: Where | None) -> pd.Series:
        unknown = pd.Series(False, index=table.index)
        for columns, test in (missing_when or {}).items():
            for column in columns.split("|"):
                unknown |= meets(table, column, test)
        return unknown

    def _is(self, tests: dict[str, Any]) -> pd.Series:
        met = pd.Series(True, index=self.rows, dtype="boolean")
        for name, test in tests.items():
            met &= judge(self.variable(name), test)
        return met

    def _rows(self, table: pd.DataFrame, where: Where, file: str, owner: np.ndarray | None) -> pd.Series:
        """Which rows of a file meet every test of a where-clause."""
        met = pd.Series(True, index=table.index)
        for columns, test in where.items():
            either = pd.Series(False, index=table.index)
            for column in columns.split("|"):
                either |= self._row_test(table, column, test, file, owner)
            met &= either
        return met

    def _row_test(self, table: pd.DataFrame, column: str, test: Any, file: str, owner: np.ndarray | None) -> pd.Series:
        key = (file, column, repr(test))
        if key not in self._matched:
            if isinstance(test, Test) and test.days_after is not None:
                found = self._days(table, column, test, owner)
            elif self._names_code_lists(test):
                found = self._codes(table, column, test)
            else:
                found = meets(table, column, test)
            self._matched[key] = found
        return self._matched[key]

    def _names_code_lists(self, test: Any) -> bool:
        names = (test.none_of or []) if isinstance(test, Test) else test if isinstance(test, list) else [test]
        return bool(names) and all(name in self.survey.codes for name in names)

    def _codes(self, table: pd.DataFrame, column: str, test: Any) -> pd.Series:
        """A coded column against named code lists; the coding system follows the column a row came from."""
        negated = isinstance(test, Test)
        names = (test.none_of or []) if isinstance(test, Test) else test if isinstance(test, list) else [test]
        sources = table.get(f"{column}.source", pd.Series(column, index=table.index))
        found = pd.Series(False, index=table.index)
        for name in names:
            for system, codes in self.survey.codes[str(name)].items():
                found |= (sources == system) & holds(table[column], codes)
        return ~found if negated else found

    def _days(self, table: pd.DataFrame, column: str, test: Test, owner: np.ndarray | None) -> pd.Series:
        """Days from a date of the person to the date in the row, compared with a range."""
        reference, name = split(str(test.days_after))
        start = _dates(self.aligned(reference)[name], f"{reference}.{name}")
        mine = start if owner is None else pd.Series(start.reindex(owner).to_numpy(), index=table.index)
        days = (_dates(table[column], column) - mine).dt.days
        low = -np.inf if test.minimum is None else test.minimum
        return days.between(low, np.inf if test.maximum is None else test.maximum)

    # --- the kinds of mapping ----------------------------------------------------------------------------------------

    def _from(self, name: str, mapping: Mapping) -> pd.Series:
        file, column = split(str(mapping.from_))
        values = self.aligned(file)[column]
        blank = values.isna() | (values.astype(object) == "")
        missing = holds(values, mapping.missing if mapping.missing is not None else self.survey.missing)
        answered = ~(blank | missing)
        made = self._coded_values(name, mapping, values, answered)
        if mapping.blank is not None and mapping.blank != "missing":
            inside = self.asked(file)
            if mapping.blank == "never" and (blank & inside).any():
                raise ValueError(
                    f"{self.survey.name}: {name}: {column} is blank for {int((blank & inside).sum())} people who were asked, "
                    "and the declaration says it never is; look the skip pattern up in the codebook"
                )
            made = made.mask(blank & inside, mapping.blank if mapping.blank != "never" else np.nan)
        if self.survey.files[file].asked_of is not None:
            made = made.mask(~self.asked(file))
        return made

    def _coded_values(self, name: str, mapping: Mapping, values: pd.Series, answered: pd.Series) -> pd.Series:
        made: pd.Series[Any] = pd.Series(np.nan, index=self.rows, dtype=object)
        if mapping.recode is not None:
            for code, category in mapping.recode.items():
                made = made.mask(answered & holds(values, [code]), category)
        elif mapping.cut is not None:
            for category, (low, high) in mapping.cut.items():
                inside = values >= (-np.inf if low is None else low)
                inside &= values < (np.inf if high is None else high)
                made = made.mask(answered & inside, category)
        elif self.variables[name].categories is not None:
            made = values.astype(object).where(answered)
        else:
            return values.astype(float).where(answered)
        strays = values[answered & made.isna()]
        if len(strays):
            counts = strays.astype(str).value_counts().head(5)
            raise ValueError(
                f"{self.survey.name}: {name}: {mapping.from_} holds codes with no meaning: "
                + ", ".join(f"{code} ({count})" for code, count in counts.items())
                + f"; look them up in the agency's codebook and add them to recode or missing in surveys/{self.survey.name}.yaml"
            )
        return made

    def _derive(self, name: str, mapping: Mapping) -> pd.Series:
        using = mapping.using or {}
        references = using if isinstance(using, dict) else {reference: reference for reference in using}
        items = {}
        for role, reference in references.items():
            file, column = split(reference)
            values = self.aligned(file)[column]
            codes = mapping.missing if mapping.missing is not None else self.survey.missing
            items[role] = values.astype(float).mask(holds(values, codes))
        return DERIVATIONS[str(mapping.derive)].compute(pd.DataFrame(items, index=self.rows))

    def _present(self, name: str, mapping: Mapping) -> pd.Series:
        met = self.condition(mapping.condition())
        made: pd.Series[Any] = pd.Series(np.nan, index=self.rows, dtype=object)
        return made.mask(met.fillna(False).astype(bool), "present").mask((~met).fillna(False).astype(bool), "absent")

    def _count(self, name: str, mapping: Mapping) -> pd.Series:
        file = str(mapping.count)
        owner, table = self.owner(file), self.tables[file]
        alternatives = mapping.where if isinstance(mapping.where, list) else [mapping.where or {}]
        hit = _either([self._rows(table, where, file, owner) for where in alternatives], table.index).to_numpy()
        hit = hit & (owner >= 0)
        if mapping.distinct is None:
            number = np.bincount(owner[hit], minlength=len(self.rows)).astype(float)
        else:
            pairs = pd.DataFrame(
                {"row": owner[hit], "value": table[mapping.distinct].to_numpy()[hit]}
            ).drop_duplicates()
            number = np.bincount(pairs["row"].to_numpy(int), minlength=len(self.rows)).astype(float)
        if self.survey.files[file].none_means == "missing":
            number = np.where(self._owned(owner, np.ones(len(owner), bool)), number, np.nan)
        return pd.Series(number, index=self.rows)

    def _first_of(self, name: str, mapping: Mapping) -> pd.Series:
        made: pd.Series[Any] = pd.Series(np.nan, index=self.rows, dtype=object)
        open_ = pd.Series(True, index=self.rows)
        for category, condition in (mapping.first_of or {}).items():
            if condition == "otherwise":
                made = made.mask(open_, category)
                break
            met = self.condition(condition)
            made = made.mask(open_ & met.fillna(False).astype(bool), category)
            # Whether an earlier category holds is not known: no later one can be given.
            open_ &= (~met).fillna(False).astype(bool)
        return made

    def _unavailable(self, name: str, mapping: Mapping) -> pd.Series:
        return pd.Series(np.nan, index=self.rows, dtype=object if self.variables[name].categories else float)


KINDS: dict[str, Callable[[Mapper, str, Mapping], pd.Series]] = {
    "from": Mapper._from,
    "derive": Mapper._derive,
    "any": Mapper._present,
    "all": Mapper._present,
    "any_of": Mapper._present,
    "is": Mapper._present,
    "not": Mapper._present,
    "count": Mapper._count,
    "first_of": Mapper._first_of,
    "unavailable": Mapper._unavailable,
}


def judge(values: pd.Series, test: Any) -> pd.Series:
    """A test on a harmonised variable as a nullable boolean: unknown where the variable is missing."""
    frame = pd.DataFrame({"value": values.astype(object) if isinstance(values.dtype, pd.CategoricalDtype) else values})
    return meets(frame, "value", test).astype("boolean").mask(values.isna())


def _either(found: list[pd.Series], index: pd.Index) -> pd.Series:
    met = pd.Series(False, index=index)
    for each in found:
        met |= each
    return met


def _dates(values: pd.Series, column: str) -> pd.Series:
    if pd.api.types.is_numeric_dtype(values):
        return pd.Timestamp("1970-01-01") + pd.to_timedelta(values, unit="D")
    try:
        return pd.to_datetime(values.mask(values == ""), format="ISO8601")
    except ValueError as error:
        raise ValueError(f"{column} holds a date that is not YYYY-MM-DD: {error}") from error
