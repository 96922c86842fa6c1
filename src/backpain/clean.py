"""Checks raw tables at the border. Nothing changes in silence: each rule says what it looked at and touched."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from backpain.ingest import Tables
from backpain.spec import Check, Survey, Test, split

COLUMNS = ["survey", "file", "rule", "variable", "looked_at", "touched", "action"]


def holds(values: pd.Series, codes: Iterable[Any]) -> pd.Series:
    """Where a column holds one of the codes; numbers compare as numbers and text as text, never mixed."""
    wanted = list(codes)
    if pd.api.types.is_bool_dtype(values):
        return values.isin([str(code).lower() == "true" for code in wanted])
    if pd.api.types.is_numeric_dtype(values):
        return values.isin([float(code) for code in wanted if _is_number(code)])
    return values.isin([_as_text(code) for code in wanted])


def meets(frame: pd.DataFrame, column: str, test: Any) -> pd.Series:
    """Where a column meets a test: a code, a list of codes, a range, or none of some codes. Blank never does."""
    values = frame[column]
    if isinstance(test, Test):
        met = values.notna()
        if test.none_of is not None:
            met &= ~holds(values, test.none_of)
        if test.minimum is not None:
            met &= values >= test.minimum
        if test.maximum is not None:
            met &= values <= test.maximum
        return met
    return holds(values, test if isinstance(test, list) else [test])


def clean(tables: Tables, survey: Survey) -> tuple[Tables, pd.DataFrame]:
    """Check every table as the survey declares, and the keys, duplicates and design variables of all.

    Returns
    -------
    tables
        The tables with declared `missing` and `drop` carried out; otherwise untouched.
    cleaning : DataFrame
        One row per rule: survey, file, rule, variable, looked_at, touched (values), action.

    Raises
    ------
    ValueError
        If a rule that refuses finds something: names the file, the variable, the codes and what to do.
    """
    log: list[dict[str, Any]] = []
    cleaned = dict(tables)
    for name in survey.files:
        log += _ids(cleaned[name], name, survey)
    log += _types(cleaned, survey)
    for check in survey.checks:
        cleaned[check.file], row = _apply(cleaned[check.file], check, survey)
        log.append(row)
    log += _design(cleaned[survey.base], survey)
    log += _orphans(cleaned, survey)
    return cleaned, pd.DataFrame(log, columns=COLUMNS)


def _row(
    survey: Survey, file: str, rule: str, variable: str, looked_at: int, touched: int, action: str
) -> dict[str, Any]:
    return dict(zip(COLUMNS, (survey.name, file, rule, variable, looked_at, touched, action), strict=True))


def key_of(survey: Survey, file: str) -> list[str]:
    """The columns that name a person in a file (without the wave); empty for a file joined by a link."""
    declared = survey.files[file].key
    names = survey.person if declared is None else declared
    return [str(survey.waves.panel) if name == "panel" else name for name in names]


def _ids(table: pd.DataFrame, name: str, survey: Survey) -> list[dict[str, Any]]:
    """A key is never blank, one row stands for one person where declared; whole rows that stand twice are counted."""
    key = key_of(survey, name)
    if not key:
        return []
    blank = int(table[key].isna().any(axis=1).sum())
    if blank:
        raise ValueError(
            f"{survey.name}: {name}: {blank} rows have no {' or '.join(key)}; a row without an id belongs to nobody. "
            "The file is damaged or another file: compare its size with the agency's and fetch it again"
        )
    rows = [_row(survey, name, "id is never blank", " + ".join(key), len(table), 0, "refuse")]
    twice = int(table.duplicated(["wave", *key] if survey.files[name].rows.one else None).sum())
    if survey.files[name].rows.one and twice:
        stray = table.loc[table.duplicated(["wave", *key]), key].iloc[0].tolist()
        raise ValueError(
            f"{survey.name}: {name}: {twice} people stand twice (first {stray}); one row should be one person. If a row "
            f"is something else, declare rows: {{many: ...}}"
        )
    rule = (
        "one row for each person" if survey.files[name].rows.one else "row stands twice, the same in every column read"
    )
    rows.append(_row(survey, name, rule, " + ".join(key), len(table), twice, "report"))
    return rows


def _types(tables: Tables, survey: Survey) -> list[dict[str, Any]]:
    """A column that is read as numbers holds numbers: text there would be no code the declaration knows."""
    rows = []
    for name, mapping in survey.variables.items():
        if mapping.from_ is None:
            continue
        file, column = split(mapping.from_)
        codes = [*(mapping.recode or {}), *(mapping.missing or [])]
        numeric = mapping.cut is not None or (bool(codes) and all(_is_number(code) for code in codes))
        if not numeric:
            continue
        values = tables[file][column]
        if not pd.api.types.is_numeric_dtype(values):
            strays = sorted({str(value) for value in values if not _is_number(value) and str(value)})[:5]
            raise ValueError(
                f"{survey.name}: {file}: {column} should hold numbers ({name} is made from it) and holds text, such as "
                f"{', '.join(strays) or 'numbers in quotes'}; the file is another one, or the column's source is"
            )
        rows.append(_row(survey, file, "numbers are numbers", column, int(values.notna().sum()), 0, "refuse"))
    return list({(row["file"], row["variable"]): row for row in rows}.values())


def _apply(table: pd.DataFrame, check: Check, survey: Survey) -> tuple[pd.DataFrame, dict[str, Any]]:
    values = table[check.column]
    looked = values.notna() & ~holds(values, check.except_)
    for column, test in (check.when or {}).items():
        looked &= meets(table, column, test)
    if check.codes is not None:
        found = looked & holds(values, check.codes)
    elif check.allowed is not None:
        found = looked & ~holds(values, check.allowed)
    elif check.outside is not None:
        found = looked & ~meets(table, check.column, Test(minimum=check.outside.minimum, maximum=check.outside.maximum))
    else:
        found = looked
    touched = int(found.sum())
    if check.then == "refuse" and touched:
        strays = sorted({str(value) for value in values[found]})[:5]
        raise ValueError(
            f"{survey.name}: {check.file}: {check.column} holds {', '.join(strays)} in {touched} rows, against the rule "
            f"«{check.rule}»; look the code up in the agency's codebook and declare it, or fetch the file again"
        )
    row = _row(survey, check.file, check.rule, check.column, int(looked.sum()), touched, check.then)
    if check.then == "missing":
        table = table.assign(**{check.column: values.mask(found)})
    if check.then == "drop":
        table = table[~found].reset_index(drop=True)
    return table, row


def _design(base: pd.DataFrame, survey: Survey) -> list[dict[str, Any]]:
    """Strata and PSUs are complete, and the same in all rows of a person and wave; so are the weights."""
    rows = []
    key = ["wave", *key_of(survey, survey.base)]
    for column in survey.design.columns:
        blank = int(base[column].isna().sum())
        if blank:
            raise ValueError(
                f"{survey.name}: {survey.base}: the design variable {column} is blank in {blank} rows; without it no "
                "standard error is right. Fetch the file again or declare the column's source for that wave"
            )
        differing = base.groupby(key)[column].nunique()
        if (differing > 1).any():
            raise ValueError(
                f"{survey.name}: {survey.base}: {column} differs between rows of {int((differing > 1).sum())} people "
                "in one wave; the rows are not of one person or the key is wrong"
            )
        rows.append(
            _row(
                survey,
                survey.base,
                "design variable complete and one value for a person",
                column,
                len(base),
                0,
                "refuse",
            )
        )
    return rows


def _orphans(tables: Tables, survey: Survey) -> list[dict[str, Any]]:
    """Rows of a file whose person is not in the base file: counted here, and not used."""
    rows = []
    people = tables[survey.base][["wave", *key_of(survey, survey.base)]].drop_duplicates()
    for name, table in tables.items():
        key = key_of(survey, name)
        if name == survey.base or not key:
            continue
        known = table[["wave", *key]].merge(people, how="left", on=["wave", *key], indicator=True)["_merge"] == "both"
        rows.append(
            _row(
                survey,
                name,
                "person is in the base file",
                " + ".join(key),
                len(table),
                int((~known).sum()),
                "not used",
            )
        )
    return rows


def _is_number(code: Any) -> bool:
    try:
        float(code)
    except (TypeError, ValueError):
        return False
    return True


def _as_text(code: Any) -> str:
    return str(int(code)) if isinstance(code, float) and code.is_integer() else str(code)
