"""The inverse of the mappings that read one column: from an answer back to a code that means it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from backpain.clean import meets
from backpain.derive import DERIVATIONS
from backpain.spec import Check, Mapping, Survey, Test, Variable, split


def columns_of(survey: Survey, name: str) -> dict[str, list[str]]:
    """The columns a variable reads, by file."""
    found: dict[str, list[str]] = {}
    for file, columns, _ in survey.variables[name].uses():
        found.setdefault(file, []).extend(column for column in columns if column not in found.get(file, []))
    return found


def shared_columns(survey: Survey) -> set[tuple[str, str]]:
    """Columns that two variables read: these have to be made for both at once."""
    readers: dict[tuple[str, str], set[str]] = {}
    for name, mapping in survey.variables.items():
        for file, columns in columns_of(survey, name).items() if mapping.unavailable is None else ():
            for column in columns:
                readers.setdefault((file, column), set()).add(name)
    return {place for place, names in readers.items() if len(names) > 1}


def missing_codes(mapping: Mapping, survey: Survey) -> list[Any]:
    """The codes that mean no answer."""
    return list(mapping.missing if mapping.missing is not None else survey.missing)


def limits(survey: Survey, file: str, column: str) -> list[Check]:
    """The unconditional checks of a column."""
    return [check for check in survey.checks if (check.file, check.column) == (file, column) and check.when is None]


def conditional(survey: Survey, file: str) -> list[Check]:
    """The checks of a file that look at several columns together, and do more than count."""
    return [check for check in survey.checks if check.file == file and check.when and check.then != "report"]


def finding(check: Check) -> Any:
    """What a check looks for in its column, as a test; without anything named, any value."""
    if check.codes is not None:
        return check.codes
    if check.allowed is not None:
        return Test(none_of=[*check.allowed, *check.except_])
    return Test(none_of=check.except_) if check.except_ else Test()


def broken(table: pd.DataFrame, check: Check) -> pd.Series:
    """Which rows a check finds something in, as `clean` does."""
    found = meets(table, check.column, finding(check))
    if check.outside is not None:
        found &= ~meets(table, check.column, Test(minimum=check.outside.minimum, maximum=check.outside.maximum))
    for column, test in (check.when or {}).items():
        found &= meets(table, column, test)
    return found


def passing(values: list[Any], checks: list[Check]) -> list[Any]:
    """The values in which no check of their column finds anything."""
    kept = pd.Series(True, index=range(len(values)))
    for check in checks:
        kept &= ~broken(pd.DataFrame({check.column: plain(pd.Series(values, dtype=object))}), check)
    return [value for value, keep in zip(values, kept, strict=True) if keep]


def inside(bounds: tuple[float | None, float | None]) -> list[float]:
    """Numbers inside a class from its lower bound to below its upper bound: its beginning and its middle."""
    low, high = bounds
    if low is None:
        return [float(high or 0) - 1]
    return [low, (low + high) / 2 if high is not None else low * 1.5 + 1]


def answer_codes(mapping: Mapping) -> dict[str, list[Any]]:
    """For each category the codes (or numbers of the class) that mean it."""
    found: dict[str, list[Any]] = {}
    if mapping.cut is not None:
        return {category: list(inside(bounds)) for category, bounds in mapping.cut.items()}
    for code, category in (mapping.recode or {}).items():
        found.setdefault(category, []).append(code == "true" if code in ("true", "false") else code)
    return found


def invent(survey: Survey, variables: dict[str, Variable], name: str, size: int, rng: np.random.Generator) -> pd.Series:
    """Answers for a variable that nobody has given one for: any that is allowed."""
    variable, mapping = variables[name], survey.variables[name]
    if variable.categories is not None:
        known = list(answer_codes(mapping)) if mapping.kind == "from" else []
        chosen = rng.choice(known or list(variable.categories), size=size)
        return pd.Series(pd.Categorical(chosen, categories=list(variable.categories)))
    file, column = next((file, columns[0]) for file, columns in columns_of(survey, name).items())
    low, high = float(variable.minimum or 0), float(variable.maximum or 0)
    for check in limits(survey, file, column):
        if check.outside is not None:
            low = max(low, check.outside.minimum if check.outside.minimum is not None else low)
            high = min(high, check.outside.maximum if check.outside.maximum is not None else high)
    if any(source.group_size for source in survey.files[file].columns.get(column, [])):
        high = min(high, low + 4)
    return pd.Series(rng.integers(int(low), int(high) + 1, size=size).astype(float))


def column_for(
    values: pd.Series,
    survey: Survey,
    name: str,
    asked: pd.Series,
    rng: np.random.Generator,
    standing: pd.DataFrame | None = None,
) -> dict[str, pd.Series]:
    """The raw columns of a variable that reads columns of its own, or shares items with scores whose columns stand.

    Raises
    ------
    ValueError
        If an answer has no code, or no code and no blank can say that there is none.
    """
    mapping = survey.variables[name]
    if mapping.kind == "derive":
        return _underived(
            values, survey, mapping, rng, pd.DataFrame(index=values.index) if standing is None else standing
        )
    column = split(str(mapping.from_))[1]
    codes = answer_codes(mapping)
    if not codes:
        made = values.astype(float).astype(object)
    else:
        made = pd.Series(np.nan, index=values.index, dtype=object)
        for category, choices in codes.items():
            if mapping.blank == category:
                choices = [*choices, np.nan]
            here = values == category
            picked = rng.integers(len(choices), size=int(here.sum()))
            made[here] = np.array(choices, dtype=object)[picked]
        strays = sorted(set(values.dropna()) - set(codes) - {mapping.blank})
        if strays:
            raise ValueError(
                f"{survey.name}: {name}: no code of {mapping.from_} means {strays}; leave them out of the people"
            )
    made[values.isna()] = _no_answer(values, mapping, survey, name, asked, rng)[values.isna()]
    return {column: plain(made)}


def _no_answer(
    values: pd.Series, mapping: Mapping, survey: Survey, name: str, asked: pd.Series, rng: np.random.Generator
) -> pd.Series:
    """A missing code, or a blank where there is none; outside the asked always a blank."""
    codes: list[Any] = missing_codes(mapping, survey)
    silent = mapping.blank in (None, "missing")
    if not codes and not silent and (values.isna() & asked).any():
        raise ValueError(
            f"{survey.name}: {name}: some people gave no answer, but {mapping.from_} has no missing code and a blank means "
            f"{mapping.blank!r}; give everyone asked an answer"
        )
    choices = np.array(codes or [np.nan], dtype=object)
    chosen = pd.Series(choices[rng.integers(len(choices), size=len(values))], index=values.index)
    return chosen.where(asked, np.nan)


def _underived(
    values: pd.Series, survey: Survey, mapping: Mapping, rng: np.random.Generator, standing: pd.DataFrame
) -> dict[str, pd.Series]:
    columns = [split(reference)[1] for reference in mapping.references()]
    kept = standing[[column for column in columns if column in standing]].astype(float)
    codes: list[Any] = missing_codes(mapping, survey)
    made = DERIVATIONS[str(mapping.derive)].invert(values, columns, kept.mask(kept.isin(codes)))
    free = [column for column in columns if column not in kept]
    if codes and free:
        # One refused item is enough for the score to be missing.
        refused = values.isna().to_numpy()
        made = made.where(made.notna(), 0)
        which = rng.integers(len(free), size=len(values))
        for position, column in enumerate(free):
            here = refused & (which == position)
            made[column] = made[column].mask(
                here, pd.Series(rng.choice(np.array(codes, float), size=len(values)), made.index)
            )
    return {column: made[column] for column in free}


def plain(made: pd.Series) -> pd.Series:
    """Numbers, logical values or text, whichever all values are."""
    known = made.dropna()
    if len(known) and known.map(lambda value: isinstance(value, bool | np.bool_)).all():
        return made.astype(bool) if len(known) == len(made) else made.astype("boolean")
    if known.map(lambda value: isinstance(value, str)).any():
        return made.astype("str")
    return made.astype(float)
