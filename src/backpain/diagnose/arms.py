"""The two arms of a frame of participants, its variables as columns of numbers, and usable weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Numbers = NDArray[np.float64]
Marks = NDArray[np.bool_]

ARMS = {"treated": True, "untreated": False}


class Column(NamedTuple):
    """A variable, or one of its levels, as numbers: a level is 1 for those who have it, 0 for the others."""

    variable: str
    level: str
    kind: str
    values: Numbers


def treated_marks(participants: pd.DataFrame) -> Marks:
    """Who is treated, one mark per person.

    Raises
    ------
    ValueError
        If `treated` is missing for someone, or one of the arms is empty.
    """
    return arm_marks(participants["treated"])


def arm_marks(treated: ArrayLike | pd.Series) -> Marks:
    """The same for a bare column of marks, also of a nullable type; raises as `treated_marks` does."""
    column = pd.Series(treated)
    if column.isna().any():
        unknown = int(column.isna().sum())
        raise ValueError(f"participants: treated is missing for {unknown} people; assign them or leave them out")
    marks = column.to_numpy(dtype=bool)
    for arm, mark in ARMS.items():
        if not (marks == mark).any():
            raise ValueError(
                f"participants: nobody is {arm}; a contrast needs people in both arms, "
                "so check the treatment's categories"
            )
    return marks


def usable_weight(weight: ArrayLike, people: int, name: str = "weight") -> Numbers:
    """The weight as numbers, one per person.

    Raises
    ------
    ValueError
        If there is not one per person, or one is missing, infinite or negative, or all are zero.
    """
    numbers = np.asarray(weight, dtype=float)
    if numbers.shape != (people,):
        raise ValueError(f"{name}: {numbers.shape} numbers for {people} people; give one per person")
    stray = ~np.isfinite(numbers) | (numbers < 0)
    if stray.any():
        raise ValueError(
            f"{name}: {int(stray.sum())} people have a missing, infinite or negative weight; use 0 for those left out"
        )
    if not numbers.any():
        raise ValueError(f"{name}: all are zero; nobody would count")
    return numbers


def kind_of(values: pd.Series, name: str, kinds: Mapping[str, str] | None = None) -> str:
    """Category or number: as declared in `kinds`, otherwise numbers are numbers and all else is a category.

    Raises
    ------
    ValueError
        If another kind is declared.
    """
    boolean = pd.api.types.is_bool_dtype(values)
    guess = "number" if pd.api.types.is_numeric_dtype(values) and not boolean else "category"
    kind = (kinds or {}).get(name, guess)
    if kind not in ("category", "number"):
        raise ValueError(f"{name}: kind {kind!r} is not known; declare category or number")
    return kind


def known_column(participants: pd.DataFrame, name: str) -> pd.Series:
    """One column of the participants; a stray name is refused with the columns there are."""
    if name not in participants:
        raise ValueError(f"participants have no column {name!r}; there are {', '.join(map(str, participants.columns))}")
    return participants[name]


def levels_of(values: pd.Series) -> list[Any]:
    """The levels somebody has, in the order of the categories, or sorted."""
    present = values.dropna().unique()
    if isinstance(values.dtype, pd.CategoricalDtype):
        return [level for level in values.cat.categories if level in set(present)]
    return sorted(present)


def level_name(level: Any) -> str:
    """How a level is written in the tables; the two of a bool are "yes" and "no"."""
    return ("yes" if level else "no") if isinstance(level, bool | np.bool_) else str(level)


def columns_of(participants: pd.DataFrame, name: str, kinds: Mapping[str, str] | None = None) -> list[Column]:
    """A number as one column with level "", a category as one 0-1 column per level; missing stays missing."""
    values = known_column(participants, name)
    kind = kind_of(values, name, kinds)
    if kind == "number":
        return [Column(name, "", kind, values.to_numpy(dtype=float, na_value=np.nan))]
    missing = values.isna().to_numpy()
    return [
        Column(name, level_name(level), kind, np.where(missing, np.nan, marks(values, level)))
        for level in levels_of(values)
    ]


def marks(values: pd.Series, level: Any) -> Numbers:
    """1 for those who have the level, 0 for the others."""
    return np.asarray(values.eq(level).fillna(False), dtype=np.float64)
