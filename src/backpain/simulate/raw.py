"""The inverse of reading: from the columns a survey declares to the agency's own, and to files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from backpain.formats import fields
from backpain.ingest import Place, columns_read, places
from backpain.simulate.answers import broken, conditional
from backpain.simulate.witnesses import UNNAMED
from backpain.spec import File, Source, Survey
from backpain.spec.survey import Matched
from backpain.write import write

Raw = dict[tuple[str, Any], pd.DataFrame]
TOKEN = re.compile(r"(\\.|\[[^\]]*\]|\((?:\?:)?[^()]*\)|.)([*+?]|\{\d+(?:,\d*)?\})?")


def raw_tables(tables: dict[str, pd.DataFrame], survey: Survey, rng: np.random.Generator) -> Raw:
    """From the tables that `ingest` would give to frames with the agency's column names, by file and wave."""
    needed = columns_read(survey)
    for name, columns in survey.design.borrowed.items():
        tables = _give_back(tables, survey, name, columns)
    looked_up: dict[str, pd.DataFrame] = {}
    found: Raw = {}
    for name, table in tables.items():
        file = survey.files[name]
        if file.lookup is not None:
            table, looked_up[file.lookup.file] = _look_up_backwards(table, file)
        table = _filled(table, survey, name, needed[name] | set(file.columns), rng)
        for place in [place for place in places(survey) if place.file == name]:
            rows = table[table["wave"] == place.wave].drop(columns="wave").reset_index(drop=True)
            rows = _families(rows, survey, name, rng)
            found[name, place.wave] = _agency(rows, file, place) if file.columns else rows
    return found | {(name, None): table for name, table in looked_up.items()}


def _give_back(
    tables: dict[str, pd.DataFrame], survey: Survey, name: str, columns: list[str]
) -> dict[str, pd.DataFrame]:
    """The tables with a subsample's weights in its own file again, and no longer in the base file."""
    key, base = ["wave", *survey.person], tables[survey.base]
    lent = tables[name].merge(base[[*key, *columns]], on=key, how="left", validate="one_to_one")
    return {**tables, name: lent, survey.base: base.drop(columns=columns)}


def _look_up_backwards(table: pd.DataFrame, file: File) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A code for each combination of the looked-up columns, and the table of these codes; a code that is named stays."""
    assert file.lookup is not None
    columns = [column for column in file.lookup.columns if column in table]
    number = table.groupby(columns, dropna=False, sort=True).ngroup() + 1
    code = "made-" + number.astype(str).str.zfill(5)
    if file.lookup.by in table:
        code = code.where(table[file.lookup.by] == UNNAMED, table[file.lookup.by])
    # Rows of a named code differ only in values that mean the same, so those of its first row will do.
    lookup = table[columns].assign(**{file.lookup.by: code}).drop_duplicates(file.lookup.by, ignore_index=True)
    lacking = {column: np.nan for column in file.lookup.columns if column not in columns}
    return table.drop(columns=columns).assign(**{file.lookup.by: code}), lookup.assign(**lacking)


def _filled(
    table: pd.DataFrame, survey: Survey, name: str, columns: set[str], rng: np.random.Generator
) -> pd.DataFrame:
    """Columns that nothing says anything about, with codes that the checks allow or the codebook counts."""
    made = {}
    for column in sorted(columns - set(table) - {"wave"}):
        codes: list[Any] = []
        for check in survey.checks:
            if (check.file, check.column) == (name, column):
                codes += [*(check.allowed or [])]
        for figure in survey.published:
            if figure.codes == f"{name}.{column}" and isinstance(figure.value, dict):
                codes += list(figure.value)
        choices = np.array(codes or [np.nan], dtype=object)
        values = pd.Series(choices[rng.integers(len(choices), size=len(table))], index=table.index)
        text = values.map(lambda value: isinstance(value, str)).any()
        made[column] = values.astype("str") if text else values.astype(float)
    table = table.assign(**made)
    for check in conditional(survey, name):
        # What nothing else depends on gives way where two columns cannot stand together.
        free = next((column for column in (check.column, *(check.when or {})) if column in made), None)
        if free is not None:
            table = table.assign(**{free: table[free].mask(broken(table, check))})
    return table


def _families(table: pd.DataFrame, survey: Survey, name: str, rng: np.random.Generator) -> pd.DataFrame:
    """Rows of others that share a person's number where a column counts such rows; they can be nobody we know.

    Their weights are other weights, and their ages are too far away for anyone to be taken for them a wave later.
    """
    counted = [c for c, sources in survey.files[name].columns.items() if any(s.group_size for s in sources)]
    if not counted:
        return table
    more = (table[counted[0]].fillna(1).astype(int) - 1).clip(lower=0)
    others = table.loc[table.index.repeat(more)]
    weights = [w for w in survey.design.weights.values() if w in others]
    later = {
        column: how.later[1] + 10
        for link in survey.links
        if link.across and link.add == name
        for column, how in link.by.items()
        if isinstance(how, Matched) and how.later is not None
    }
    step = others.groupby(level=0).cumcount() + 1
    changed: dict[str, Any] = {w: others[w] + 10_000 * step + rng.random(len(others)) for w in weights}
    for column, years in later.items():
        old = others[column] >= 2 * years
        changed[column] = np.where(old, others[column] - years, others[column].clip(lower=0) + years)
    return pd.concat([table, others.assign(**changed)], ignore_index=True)


def _agency(table: pd.DataFrame, file: File, place: Place) -> pd.DataFrame:
    """The declared columns under the agency's names, as the agency's text."""
    made: dict[str, pd.Series] = {}
    for name, sources in file.columns.items():
        source = next(source for source in sources if source.covers(place.wave))  # type: ignore[arg-type]
        if source.from_ is None or source.group_size:
            continue
        column = place.fill(source.from_)
        values = _uncut(table[name], source, table)
        if column in made and not made[column].equals(values):
            raise ValueError(
                f"{place.receipt}: {column} would have to hold two different things; {name} is one of them"
            )
        made[column] = values
    return pd.DataFrame(made)


def _uncut(values: pd.Series, source: Source, table: pd.DataFrame) -> pd.Series:
    """A text from which the declared cut leaves the value."""
    if source.drop_prefix is not None:
        values = "9" * source.drop_prefix + values.astype(str)
    if source.match is not None:
        form = source.match
        texts = {value: text_for(form, str(value)) for value in values.unique()}
        values = values.map(texts)
    return values


def text_for(form: str, kept: str) -> str:
    """A text in which a simple regular expression finds `kept` as its group.

    Raises
    ------
    ValueError
        If the expression holds more than literals, classes, repetitions and one group, or cannot hold the value.
    """
    made = ""
    for token, times in TOKEN.findall(form.removeprefix("^").removesuffix("$")):
        if token.startswith("(") and not token.startswith("(?"):
            made += kept
            continue
        one = _character(token)
        made += one * (int(times[1:].rstrip("}").split(",")[0]) if times.startswith("{") else 1)
    found = re.search(form, made)
    if found is None or found.group(1) != kept:
        raise ValueError(f"no text was found in which {form} finds {kept!r}; write the expression more simply")
    return made


def _character(token: str) -> str:
    """One character that a token of a regular expression stands for."""
    classes = {r"\d": "2", r"\w": "a", r"\s": " ", ".": "a"}
    if token in classes:
        return classes[token]
    if token.startswith("["):
        return token[1:].replace(r"\d", "2")[0]
    return token.removeprefix("\\")


def write_raw(tables: Raw, survey: Survey, folder: Path) -> None:
    """Write every file of every wave to its declared path below a folder, in its declared format."""
    for place in places(survey):
        file = survey.files.get(place.file) or survey.lookups[place.file]
        table = tables[place.file, place.wave]
        if file.layout is not None:
            table = table.reindex(columns=[field.name for field in fields(file.layout)])
        path = folder / place.fill(file.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        member = file.object or (place.fill(file.member) if file.member else None)
        write(table, path, layout=file.layout, format=file.format, member=member)
