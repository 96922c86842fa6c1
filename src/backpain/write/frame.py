"""What the writers share: the order, and the kinds of columns that all formats can hold."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from backpain.formats import Layout


class WriteError(ValueError):
    """A frame that the format cannot hold: says which file and column, and what to do."""


@dataclass(frozen=True)
class Order:
    """What a writer is told besides: the layout of a fixed-width file, the object's name in an R file."""

    layout: Layout | None = None
    object: str | None = None


def writable(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns of float64, bool or text, under names that are text and stand once."""
    if not frame.columns.is_unique or not len(frame.columns):
        raise WriteError("the frame needs columns, each with a name of its own")
    made: dict[str, pd.Series] = {}
    for name, column in frame.reset_index(drop=True).items():
        if isinstance(column.dtype, pd.CategoricalDtype):
            column = column.astype(column.cat.categories.dtype)
        if pd.api.types.is_bool_dtype(column.dtype):
            made[str(name)] = column.astype("float64") if column.isna().any() else column.astype(bool)
        elif pd.api.types.is_numeric_dtype(column.dtype):
            made[str(name)] = column.astype("float64")
        elif _is_text(column):
            made[str(name)] = column.astype("str")
        else:
            raise WriteError(f"the column {name} is {column.dtype}; make it numbers, text or logical values first")
    return pd.DataFrame(made)


def _is_text(column: pd.Series) -> bool:
    if isinstance(column.dtype, pd.StringDtype):
        return True
    return column.dtype == object and all(isinstance(value, str) for value in column[column.notna()])


def blank(frame: pd.DataFrame) -> pd.DataFrame:
    """For formats without missing text and logical values."""
    made = {name: _with_blanks(column) for name, column in frame.items()}
    return pd.DataFrame(made)


def _with_blanks(column: pd.Series) -> pd.Series:
    if isinstance(column.dtype, pd.StringDtype):
        return column.fillna("").astype("str")
    return column.astype("float64")
