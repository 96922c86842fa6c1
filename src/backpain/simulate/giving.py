"""Gives each person the rows that make their answers, in the files whose rows are tested rather than read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from backpain.harmonise import judge
from backpain.ingest import places
from backpain.simulate.bundles import MOST_TRIES, Demands, Truth, bystanders, demands, many_rows, one_row
from backpain.simulate.witnesses import Atom, Witnesses, readers, tested, witnesses
from backpain.spec import Survey, Variable

EXTRA_ROWS = 0.7  # mean number of rows beside those that answers demand, in a file with many rows for each person
FREE_ROWS = 3.0  # the same where the answers demand nothing of the file
NOBODY = np.zeros(0, dtype=int)


class Given(NamedTuple):
    """The rows of one file: its witnesses, whose each row is, and which witness."""

    found: Witnesses
    owner: np.ndarray
    rows: np.ndarray


class Plan(NamedTuple):
    """Rows for one person: how often each witness and which may stand beside them, or (one-row files) any one of some.

    `extra` is the mean number of those beside, `least` how many rows there have to be at all, `tests` what was demanded.
    """

    rows: dict[int, int]
    beside: np.ndarray = NOBODY
    fits: np.ndarray | None = None
    extra: float = EXTRA_ROWS
    least: int = 0
    tests: tuple[Atom, ...] = ()


@dataclass(frozen=True)
class Giver:
    """Gives rows; `people` are those of all waves, of whom `give` takes the ones of one wave."""

    survey: Survey
    variables: dict[str, Variable]
    people: pd.DataFrame
    rng: np.random.Generator

    def give(
        self,
        people: pd.DataFrame,
        wave: Any,
        files: list[str],
        asked: dict[str, pd.Series],
        own: dict[str, pd.DataFrame],
    ) -> dict[str, Given]:
        """For each tested file its witnesses, and the rows: whose each is and which witness.

        `asked` says for each file who can have rows in it, `answered` in `own` who has an answer that other columns hold.
        """
        known = [file for file in files if tested(self.survey, file) or readers(self.survey, file, set())]
        if not known:
            return {}
        found = {file: self._witnesses(file, wave) for file in known}
        patterns = self._patterns(people, known, asked, own)
        owners: dict[str, list[np.ndarray]] = {file: [] for file in known}
        chosen: dict[str, list[np.ndarray]] = {file: [] for file in known}
        for _, group in patterns.groupby(list(patterns.columns), dropna=False, sort=False, observed=True):
            for file, (owner, rows) in self._alike(group, found).items():
                owners[file].append(owner)
                chosen[file].append(rows)
        return {
            file: Given(found[file], np.concatenate([NOBODY, *owners[file]]), np.concatenate([NOBODY, *chosen[file]]))
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

    def _alike(self, group: pd.DataFrame, found: dict[str, Witnesses]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Rows for people who are alike in all that decides about rows."""
        one: dict[str, Any] = {str(key): value for key, value in group.iloc[0].items()}
        answers = {key.removeprefix("answer "): value for key, value in one.items() if key.startswith("answer ")}
        judged: dict[str, Truth] = {
            key.removeprefix("judged "): value for key, value in one.items() if key.startswith("judged ")
        }
        made_from_rows = {name: value for name, value in answers.items() if not self.survey.variables[name].from_}
        ways = demands(self.survey, made_from_rows, judged, lambda name, truth: self._possible(name, truth, found, one))
        # Ways differ in a few demands at a time, so that most files are asked for the same rows again.
        known: dict[Any, Plan | None] = {}
        for tries, wanted in enumerate(ways):
            plans = {}
            for file in found:
                asked = (file, *((name, truth) for name, truth in wanted.items() if name.file == file))
                if asked not in known:
                    known[asked] = self._plan(file, found[file], wanted, answers, one)
                plans[file] = known[asked]
            possible = {file: plan for file, plan in plans.items() if plan is not None}
            if len(possible) == len(plans):
                people = group.index.to_numpy()
                return {file: self._rows(found[file], plan, people) for file, plan in possible.items()}
            if tries >= MOST_TRIES:
                break
        told = ", ".join(f"{name}: {value}" for name, value in answers.items())
        raise ValueError(
            f"{self.survey.name}: no rows of {', '.join(found)} can mean this ({told}); "
            "the answers contradict one another under the declared mappings"
        )

    def _possible(self, name: Atom, truth: Any, found: dict[str, Witnesses], person: dict[str, Any]) -> bool:
        """Whether rows, or the absence of rows, could make a test what is demanded of it."""
        declared = self.survey.files[name.file]
        if name.file not in found:
            return truth in (("false", 0) if declared.none_means == "absent" else ("unknown", None))
        if truth == "true":
            return person[f"asked {name.file}"] and bool(found[name.file].met[name].any())
        if truth == "unknown":
            row_is_sure = declared.rows.one and name.file == self.survey.base and person[f"asked {name.file}"]
            none_is_no = declared.none_means == "absent" and not declared.asked_of
            return not (row_is_sure or none_is_no) or bool(found[name.file].unknown[name].any())
        return True

    def _plan(
        self, file: str, found: Witnesses, wanted: Demands, answers: dict[str, Any], person: dict[str, Any]
    ) -> Plan | None:
        """Which rows of one file meet the demands on it; None where none do."""
        declared = self.survey.files[file]
        mine = {name: truth for name, truth in wanted.items() if name.file == file and name in found.met}
        read = {name: answers[name] for name in found.answers if name in answers}
        silent = all(truth in ("unknown", None) for truth in mine.values()) and all(map(pd.isna, read.values()))
        if not person[f"asked {file}"]:
            absent = declared.none_means == "absent" and declared.rows.many and not declared.asked_of
            empty = all(truth in ("false", 0) for truth in mine.values()) if absent else silent
            return Plan({}) if empty else None
        if declared.rows.one:
            free = not mine and not read
            if silent and not free and file != self.survey.base and not person[f"answered {file}"]:
                return Plan({})
            fits = one_row(found, mine, read)
            return Plan({}, fits=fits) if len(fits) else None
        if declared.none_means == "missing" and mine and silent and file != self.survey.base:
            return Plan({})
        least = int(file == self.survey.base or (declared.none_means == "missing" and bool(mine)))
        # A row that has to be there for no answer's sake is any that touches no answer.
        beside = bystanders(found, mine)
        rows = many_rows(found, mine, 0 if len(beside) else least)
        return None if rows is None else Plan(rows, beside, None, EXTRA_ROWS if mine else FREE_ROWS, least, tuple(mine))

    def _rows(self, found: Witnesses, plan: Plan, people: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Concrete rows: whose each is and which witness, chosen among those that mean the same."""
        if plan.fits is not None:
            return people, plan.fits[self.rng.integers(len(plan.fits), size=len(people))]
        owner = [np.repeat(people, number) for number in plan.rows.values()]
        group = [np.full(len(people) * number, row) for row, number in plan.rows.items()]
        if len(plan.beside):
            more = self.rng.poisson(plan.extra, size=len(people))
            more = np.maximum(more, plan.least - sum(plan.rows.values()))
            owner.append(np.repeat(people, more))
            group.append(plan.beside[self.rng.integers(len(plan.beside), size=int(more.sum()))])
        if not owner:
            return NOBODY, NOBODY
        groups = np.concatenate(group)
        chosen = np.zeros(len(groups), dtype=int)
        for number in np.unique(groups):
            here = np.flatnonzero(groups == number)
            # Of variables without an answer nothing is demanded, so that rows may differ in what they say of those.
            alike = found.like(number, plan.tests)
            chosen[here] = alike[self.rng.integers(len(alike), size=len(here))]
        return np.concatenate(owner), chosen
