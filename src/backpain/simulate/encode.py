"""The inverse of every mapping: raw files from which `harmonise` makes the given people again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from backpain.clean import key_of
from backpain.harmonise import judge
from backpain.sampling import held
from backpain.simulate.answers import column_for, columns_of, invent
from backpain.simulate.giving import Given, Giver
from backpain.simulate.raw import Raw, raw_tables
from backpain.simulate.witnesses import readers, tested
from backpain.spec import Survey, Test, Variable, split

RECORD = "record"


def encode(people: pd.DataFrame, survey: Survey, variables: dict[str, Variable], rng: np.random.Generator) -> Raw:
    """Make the raw files of given people.

    Parameters
    ----------
    people : DataFrame
        What `harmonise` would give, one row for each person and wave: person, panel (panels only), wave, order, seen_by,
        stratum, psu, weight_<component>, link_<file>, and the variables. A variable that is absent is free: anyone may
        have any answer to it. A missing value is an answer: the person gave none.
    survey, variables
        The declaration and the shared variables.
    rng
        Chooses among the codes and rows that mean the same.

    Returns
    -------
    dict
        From (file, wave) to a frame with the agency's column names; lookups have the wave None.

    Raises
    ------
    ValueError
        If no raw rows could mean what the people are said to be; names the survey and the answers.
    """
    return raw_tables(tables_for(people, survey, variables, rng), survey, rng)


def tables_for(
    people: pd.DataFrame, survey: Survey, variables: dict[str, Variable], rng: np.random.Generator
) -> dict[str, pd.DataFrame]:
    """For each file the rows that `ingest` would give, over all waves."""
    maker = _Maker(survey, variables, _complete(people.reset_index(drop=True), survey, variables, rng), rng)
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in survey.files}
    for wave, rows in maker.people.groupby("wave", sort=False):
        for file, table in maker.wave(wave, rows).items():
            parts[file].append(table.assign(wave=wave))
    return {name: pd.concat(found, ignore_index=True) for name, found in parts.items()}


def _complete(
    people: pd.DataFrame, survey: Survey, variables: dict[str, Variable], rng: np.random.Generator
) -> pd.DataFrame:
    """Answers to what nobody has said and everything else depends on: the same for a person in every wave."""
    limiting = {name for file in survey.files.values() for name in file.asked_of or {}}
    linking = {column for link in survey.links for column in link.by}
    free = [
        name
        for name, mapping in survey.variables.items()
        if name not in people
        and (name in limiting or (mapping.from_ is not None and split(mapping.from_)[1] in linking))
    ]
    number, persons = pd.factorize(people["person"])
    return people.assign(
        **{name: invent(survey, variables, name, len(persons), rng).take(number).to_numpy() for name in free}
    )


@dataclass(frozen=True)
class _Maker:
    survey: Survey
    variables: dict[str, Variable]
    people: pd.DataFrame
    rng: np.random.Generator

    def wave(self, wave: Any, people: pd.DataFrame) -> dict[str, pd.DataFrame]:
        """The rows of all files in one wave."""
        here = people.reset_index(drop=True)
        files = [name for name, file in self.survey.files.items() if file.waves is None or wave in file.waves]
        asked = {file: self._asked(here, file) for file in files}
        own = {file: self._own_columns(here, file, asked[file]) for file in files}
        built = Giver(self.survey, self.variables, self.people, self.rng).give(here, wave, files, asked, own)
        dates = self._dates(here, files)
        return {file: self._table(here, file, own[file], built.get(file), dates) for file in files}

    def _asked(self, people: pd.DataFrame, file: str) -> pd.Series:
        """Who can have rows in a file: inside its `asked_of`; the base file has those with a record."""
        inside = pd.Series(True, index=people.index)
        for name, allowed in (self.survey.files[file].asked_of or {}).items():
            inside &= (
                judge(people[name], Test(minimum=allowed.minimum, maximum=allowed.maximum)).fillna(False).astype(bool)
            )
        if key_of(self.survey, file):
            inside &= people["seen_by"] == RECORD
        elif f"link_{file}" in people:
            inside &= people[f"link_{file}"] != "unmatched"
        return inside

    # --- columns that one variable alone reads -----------------------------------------------------------------------

    def _direct(self, file: str) -> list[str]:
        """Variables that read columns of this file which nothing else reads."""
        together = set(readers(self.survey, file, set(tested(self.survey, file))))
        direct = [
            name
            for name, mapping in self.survey.variables.items()
            if mapping.kind in ("from", "derive") and file in columns_of(self.survey, name) and name not in together
        ]
        # Scores may share items: what is said binds what is not, and a part of a score binds the whole.
        return sorted(direct, key=lambda name: (name not in self.people, len(columns_of(self.survey, name)[file])))

    def _own_columns(self, people: pd.DataFrame, file: str, asked: pd.Series) -> pd.DataFrame:
        """The columns of those variables, and in `answered` who has given any answer."""
        made: dict[str, pd.Series] = {}
        linked = people.get(f"link_{file}", pd.Series("linked", index=people.index)) == "linked"
        answered = pd.Series(False, index=people.index)
        for name in self._direct(file):
            free = invent(self.survey, self.variables, name, len(people), self.rng)
            values = people[name].where(linked, free) if name in people else free
            answered |= values.notna()
            standing = pd.DataFrame(made, index=people.index)
            made |= column_for(values, self.survey, name, asked, self.rng, standing)
        return pd.DataFrame({**made, "answered": answered}, index=people.index)

    # --- putting a file together -------------------------------------------------------------------------------------

    def _dates(self, people: pd.DataFrame, files: list[str]) -> dict[str, pd.Series]:
        """A date for each person and each date that a range of days counts from."""
        wanted = {
            str(test.days_after)
            for file in files
            for tests in tested(self.survey, file).values()
            for test in tests
            if getattr(test, "days_after", None)
        }
        order = people["order"].astype(int)
        return {
            name: pd.Timestamp("2024-01-01")
            + pd.to_timedelta(365 * order + self.rng.integers(120, size=len(people)), unit="D")
            for name in sorted(wanted)
        }

    def _table(
        self,
        people: pd.DataFrame,
        file: str,
        own: pd.DataFrame,
        given: Given | None,
        dates: dict[str, pd.Series],
    ) -> pd.DataFrame:
        """The rows of one file in one wave."""
        asked = self._asked(people, file).to_numpy()
        if file == self.survey.base:
            asked = (people["seen_by"] == RECORD).to_numpy()
        if given is not None and self.survey.files[file].rows.many:
            owner = given.owner
        else:
            has = own["answered"].to_numpy() | np.isin(people.index, given.owner if given else [])
            owner = np.flatnonzero(asked & has) if file != self.survey.base else np.flatnonzero(asked)
        made = {column: own[column].take(owner) for column in own.columns.drop("answered")}
        if given is not None:
            made |= self._from_witnesses(file, given, owner, dates)
        for name, date in dates.items():
            if split(name)[0] == file:
                made[split(name)[1]] = date.dt.strftime("%Y-%m-%d").take(owner)
        table = pd.DataFrame({**self._frame_columns(people, file, owner), **_unindexed(made)})
        if f"link_{file}" in people:
            # Two rows with one key cannot be told apart, so a link joins neither.
            twice = (people["link_" + file] == "ambiguous").to_numpy()[owner]
            table = pd.concat([table, table[twice]], ignore_index=True)
        return table

    def _from_witnesses(
        self,
        file: str,
        given: Given,
        owner: np.ndarray,
        dates: dict[str, pd.Series],
    ) -> dict[str, Any]:
        found, whose, rows = given
        values = found.concrete(rows, self.rng)
        if self.survey.files[file].rows.one:
            position = pd.Series(np.arange(len(whose)), index=whose).reindex(owner)
            blank = position.isna().to_numpy()
            take = position.fillna(0).astype(int).to_numpy()
            values = {
                column: np.where(blank, np.nan, each[take] if len(each) else np.nan) for column, each in values.items()
            }
        made: dict[str, Any] = {}
        for column, each in values.items():
            if column in found.dated:
                day = dates[found.dated[column]].take(owner).reset_index(drop=True)
                each = (day + pd.to_timedelta(pd.Series(each).astype(float), unit="D")).dt.strftime("%Y-%m-%d")
            made[column] = _typed(each)
        for mapping in self.survey.variables.values():
            if mapping.count == file and mapping.distinct is not None and mapping.distinct not in made:
                made[mapping.distinct] = np.arange(len(owner), dtype=float)
        return made

    def _frame_columns(self, people: pd.DataFrame, file: str, owner: np.ndarray) -> dict[str, np.ndarray]:
        """The person's key, design and identity columns that a file holds."""
        design, person = self.survey.design, people["person"].take(owner).reset_index(drop=True)
        key = key_of(self.survey, self.survey.base)
        parts = person.str.split("-", n=len(key) - 1, expand=True)
        made: dict[str, Any] = {
            name: _identity(self.survey, name, parts[position]) for position, name in enumerate(key)
        }
        columns: dict[str, Any] = {name: made[name] for name in key_of(self.survey, file) if name in made}
        for link in self.survey.links:
            if link.to is not None and file in (link.add, link.to):
                weights = {column: f"weight_{name}" for name, column in design.weights.items()}
                for column in link.by:
                    if column in weights:
                        weight = people[weights[column]].take(owner).to_numpy()
                        # ASSUME: who has no record has no weight either; the file joined to it has one all the same.
                        columns[column] = np.where(np.isnan(weight), 1000 + self.rng.random(len(owner)) * 9000, weight)
                    else:
                        columns[column] = _identity(self.survey, column, _number(person))
        if file == self.survey.base:
            columns |= {name: each.take(owner).to_numpy() for name, each in held(people, self.survey).items()}
            if self.survey.waves.panel and self.survey.waves.panel not in columns:
                columns[self.survey.waves.panel] = people["panel"].take(owner).to_numpy(float)
        return _unindexed(columns)


def _unindexed(columns: dict[str, Any]) -> dict[str, Any]:
    return {
        name: each.reset_index(drop=True) if isinstance(each, pd.Series) else each for name, each in columns.items()
    }


def _typed(values: Any) -> pd.Series:
    """Text or numbers, whichever the values are."""
    made = pd.Series(values)
    if made.dropna().map(lambda value: isinstance(value, str)).any():
        return made.astype("str")
    return made.astype(float)


def _number(person: pd.Series) -> pd.Series:
    """A number of their own for each person, from all of the name."""
    return person.map(lambda name: str(int("".join(c for c in name if c.isdigit()) or "0")))


def _identity(survey: Survey, column: str, values: pd.Series) -> pd.Series:
    """A key as text or as a number: text where a file cuts it out of a text."""
    sources = [s for file in survey.files.values() for s in file.columns.get(column, [])]
    text = any(source.match or source.drop_prefix for source in sources)
    if text or not values.str.fullmatch(r"[1-9]\d{0,14}").all():
        return values.astype("str")
    return values.astype(float)


__all__ = ["encode", "tables_for"]
