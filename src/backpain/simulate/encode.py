"""The inverse of every mapping: raw files from which `harmonise` makes the given people again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from backpain.clean import key_of
from backpain.harmonise import judge
from backpain.ingest import places
from backpain.simulate.answers import column_for, columns_of, invent
from backpain.simulate.bundles import MOST_TRIES, Demands, Truth, bystanders, demands, many_rows, one_row
from backpain.simulate.raw import Raw, raw_tables
from backpain.simulate.witnesses import Witnesses, atoms, readers, tested, witnesses
from backpain.spec import Survey, Variable, split

EXTRA_ROWS = 0.7  # mean number of rows beside those that answers demand, in a file with many rows for each person
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
        built = self._bundles(here, wave, files, asked, own)
        dates = self._dates(here, files)
        return {file: self._table(here, file, own[file], built.get(file), dates) for file in files}

    def _asked(self, people: pd.DataFrame, file: str) -> pd.Series:
        """Who can have rows in a file: inside its `asked_of`; the base file has those with a record."""
        inside = pd.Series(True, index=people.index)
        for name, allowed in (self.survey.files[file].asked_of or {}).items():
            inside &= judge(people[name], _range(allowed)).fillna(False).astype(bool)
        if key_of(self.survey, file):
            inside &= people["seen_by"] == RECORD
        elif f"link_{file}" in people:
            inside &= people[f"link_{file}"] != "unmatched"
        return inside

    # --- columns that one variable alone reads -----------------------------------------------------------------------

    def _direct(self, file: str) -> list[str]:
        """Variables that read columns of this file which nothing else reads."""
        together = set(readers(self.survey, file, set(tested(self.survey, file))))
        return [
            name
            for name, mapping in self.survey.variables.items()
            if mapping.kind in ("from", "derive") and file in columns_of(self.survey, name) and name not in together
        ]

    def _own_columns(self, people: pd.DataFrame, file: str, asked: pd.Series) -> pd.DataFrame:
        """The columns of those variables, and in `answered` who has given any answer."""
        made: dict[str, pd.Series] = {}
        linked = people.get(f"link_{file}", pd.Series("linked", index=people.index)) == "linked"
        answered = pd.Series(False, index=people.index)
        for name in self._direct(file):
            free = invent(self.survey, self.variables, name, len(people), self.rng)
            values = people[name].where(linked, free) if name in people else free
            answered |= values.notna()
            made |= column_for(values, self.survey, name, asked, self.rng)
        return pd.DataFrame({**made, "answered": answered}, index=people.index)

    # --- rows that conditions read -----------------------------------------------------------------------------------

    def _bundles(
        self,
        people: pd.DataFrame,
        wave: Any,
        files: list[str],
        asked: dict[str, pd.Series],
        own: dict[str, pd.DataFrame],
    ) -> dict[str, tuple[Witnesses, np.ndarray, np.ndarray]]:
        """For each tested file its witnesses, and the rows: whose each is and which witness."""
        known = [file for file in files if tested(self.survey, file) or readers(self.survey, file, set())]
        if not known:
            return {}
        found = {file: self._witnesses(file, wave) for file in known}
        patterns = self._patterns(people, known, asked, own)
        owners: dict[str, list[np.ndarray]] = {file: [] for file in known}
        chosen: dict[str, list[np.ndarray]] = {file: [] for file in known}
        for _, group in patterns.groupby(list(patterns.columns), dropna=False, sort=False, observed=True):
            for file, (owner, rows) in self._give(group, found).items():
                owners[file].append(owner)
                chosen[file].append(rows)
        none = [np.zeros(0, dtype=int)]
        return {
            file: (found[file], np.concatenate(owners[file] or none), np.concatenate(chosen[file] or none))
            for file in known
        }

    def _witnesses(self, file: str, wave: Any) -> Witnesses:
        place = next(p for p in places(self.survey) if (p.file, p.wave) == (file, wave))
        here = {
            column: next(source for source in sources if source.covers(wave))
            for column, sources in self.survey.files[file].columns.items()
        }
        systems = {
            column: place.fill(here[column].from_ or "")
            for column, sources in self.survey.files[file].columns.items()
            if len({source.from_ for source in sources}) > 1
        }
        fixed = {column: source.value for column, source in here.items() if source.value is not None}
        seen = {
            name: sorted(self.people[name].dropna().unique())
            for name in self.survey.variables
            if name in self.people and self.variables[name].categories is None
        }
        return witnesses(self.survey, self.variables, file, systems, fixed, seen)

    def _patterns(
        self, people: pd.DataFrame, files: list[str], asked: dict[str, pd.Series], own: dict[str, pd.DataFrame]
    ) -> pd.DataFrame:
        """All that decides which rows a person gets: answers, judged tests of other variables, and who has a row."""
        made: dict[str, pd.Series] = {}
        judged: dict[str, pd.Series] = {}
        for name, mapping in self.survey.variables.items():
            tests = [part.is_ for part in mapping.conditions() if part.is_]
            depends = {other for test in tests for other in test}
            if name not in people or mapping.kind in ("from", "derive") or not depends <= set(people):
                continue
            made[f"answer {name}"] = people[name].astype(object)
            for test in tests:
                judged[f"judged {test!r}"] = self._judged(people, test)
        for file in files:
            for name in readers(self.survey, file, set(tested(self.survey, file))):
                if name in people:
                    made[f"answer {name}"] = people[name].astype(object)
            made[f"asked {file}"] = asked[file]
            made[f"answered {file}"] = own[file]["answered"]
        return pd.DataFrame({**made, **judged}, index=people.index)

    def _judged(self, people: pd.DataFrame, test: dict[str, Any]) -> pd.Series:
        met = pd.Series(True, index=people.index, dtype="boolean")
        for name, one in test.items():
            met &= judge(people[name], one)
        return met.map({True: "true", False: "false"}).fillna("unknown").astype(object)

    def _give(self, group: pd.DataFrame, found: dict[str, Witnesses]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Rows for people who are alike in all that decides about rows."""
        one = group.iloc[0]
        answers = {str(key).removeprefix("answer "): one[key] for key in group if str(key).startswith("answer ")}
        judged: dict[str, Truth] = {
            str(key).removeprefix("judged "): one[key] for key in group if str(key).startswith("judged ")
        }
        made_from_rows = {name: value for name, value in answers.items() if not self.survey.variables[name].from_}
        for tries, wanted in enumerate(demands(self.survey, made_from_rows, judged)):
            if not all(
                self._holds_without_rows(name.file, truth) for name, truth in wanted.items() if name.file not in found
            ):
                continue
            plans = {file: self._plan(file, found[file], wanted, answers, one) for file in found}
            if all(plan is not None for plan in plans.values()):
                people = group.index.to_numpy()
                return {file: self._rows(file, found[file], plan, people) for file, plan in plans.items() if plan}
            if tries >= MOST_TRIES:
                break
        told = ", ".join(f"{name}: {value}" for name, value in answers.items())
        raise ValueError(
            f"{self.survey.name}: no rows of {', '.join(found)} can mean this ({told}); "
            "the answers contradict one another under the declared mappings"
        )

    def _holds_without_rows(self, file: str, truth: Any) -> bool:
        """Whether a demand on a file that this wave does not have is met by its absence."""
        return truth in (("false", 0) if self.survey.files[file].none_means == "absent" else ("unknown", None))

    def _plan(
        self, file: str, found: Witnesses, wanted: Demands, answers: dict[str, Any], person: pd.Series
    ) -> _Plan | None:
        """Which rows of one file meet the demands on it; None where none do."""
        declared = self.survey.files[file]
        mine = {name: truth for name, truth in wanted.items() if name.file == file and name in found.met}
        read = {name: answers[name] for name in found.answers if name in answers}
        silent = all(truth in ("unknown", None) for truth in mine.values()) and all(map(pd.isna, read.values()))
        if not person[f"asked {file}"]:
            absent = declared.none_means == "absent" and declared.rows.many and not declared.asked_of
            empty = all(truth in ("false", 0) for truth in mine.values()) if absent else silent
            return _Plan({}, np.zeros(0, int), None) if empty else None
        if declared.rows.one:
            free = not mine and not read
            if silent and not free and file != self.survey.base and not person[f"answered {file}"]:
                return _Plan({}, np.zeros(0, int), None)
            fits = one_row(found, mine, read)
            return _Plan({}, np.zeros(0, int), fits) if len(fits) else None
        rows = many_rows(found, mine, declared, int(file == self.survey.base))
        if rows is None:
            return None
        none = declared.none_means == "missing" and bool(mine) and not rows
        return _Plan(rows, np.zeros(0, int) if none else bystanders(found, mine), None)

    def _rows(self, file: str, found: Witnesses, plan: _Plan, people: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Concrete rows: whose each is and which witness, chosen among those that mean the same."""
        if plan.fits is not None:
            return people, plan.fits[self.rng.integers(len(plan.fits), size=len(people))]
        owner = [np.repeat(people, number) for number in plan.rows.values()]
        group = [np.full(len(people) * number, row) for row, number in plan.rows.items()]
        if len(plan.beside):
            more = self.rng.poisson(EXTRA_ROWS, size=len(people))
            if file == self.survey.base and not plan.rows:
                more = np.maximum(more, 1)
            owner.append(np.repeat(people, more))
            group.append(plan.beside[self.rng.integers(len(plan.beside), size=int(more.sum()))])
        if not owner:
            return np.zeros(0, int), np.zeros(0, int)
        groups = np.concatenate(group)
        _, alike = found.alike
        chosen = np.zeros(len(groups), dtype=int)
        for number in np.unique(groups):
            here = np.flatnonzero(groups == number)
            chosen[here] = alike[number][self.rng.integers(len(alike[number]), size=len(here))]
        return np.concatenate(owner), chosen

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
        bundles: tuple[Witnesses, np.ndarray, np.ndarray] | None,
        dates: dict[str, pd.Series],
    ) -> pd.DataFrame:
        """The rows of one file in one wave."""
        asked = self._asked(people, file).to_numpy()
        if file == self.survey.base:
            asked = (people["seen_by"] == RECORD).to_numpy()
        if self.survey.files[file].rows.many:
            assert bundles is not None
            owner = bundles[1]
        else:
            has = own["answered"].to_numpy() | np.isin(people.index, bundles[1] if bundles else [])
            owner = np.flatnonzero(asked & has) if file != self.survey.base else np.flatnonzero(asked)
        made = {column: own[column].take(owner) for column in own.columns.drop("answered")}
        if bundles is not None:
            made |= self._from_witnesses(file, bundles, owner, dates)
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
        bundles: tuple[Witnesses, np.ndarray, np.ndarray],
        owner: np.ndarray,
        dates: dict[str, pd.Series],
    ) -> dict[str, Any]:
        found, whose, rows = bundles
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
            columns |= {design.strata: people["stratum"].take(owner).to_numpy()}
            columns |= {design.cluster: people["psu"].take(owner).to_numpy()}
            columns |= {c: people[f"weight_{n}"].take(owner).to_numpy() for n, c in design.weights.items()}
            if self.survey.waves.panel and self.survey.waves.panel not in columns:
                columns[self.survey.waves.panel] = people["panel"].take(owner).to_numpy(float)
        return _unindexed(columns)


@dataclass(frozen=True)
class _Plan:
    """Rows for one person: how often each witness, which may stand beside them, or (one-row files) any of some."""

    rows: dict[int, int]
    beside: np.ndarray
    fits: np.ndarray | None


def _range(allowed: Any) -> Any:
    from backpain.spec import Test

    return Test(minimum=allowed.minimum, maximum=allowed.maximum)


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


__all__ = ["atoms", "encode", "tables_for"]
