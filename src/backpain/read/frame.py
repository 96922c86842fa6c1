"""What the readers share: the request, the choice of columns, and one set of column types for all formats."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from numbers import Number

import numpy as np
import pandas as pd

from backpain.formats import Layout

LARGEST = 2**53  # whole numbers from here on are not exact in a float64


class ReadError(ValueError):
    """A file that cannot be read as asked: says which, what is wrong and what to do."""


# So many absent columns are named, each with those nearest to it.
MOST_NAMED = 5


@dataclass(frozen=True)
class Request:
    """What is asked of a reader: columns (None: all), a fixed-width file's layout, an R file's object."""

    columns: Sequence[str] | None = None
    layout: Layout | None = None
    object: str | None = None


def choose(columns: Sequence[str] | None, names: Iterable[str]) -> list[str]:
    """The asked columns in the asked order, all of the file's if none are asked for.

    Raises
    ------
    ReadError
        Naming every column that the file does not have, and the names nearest to it.
    """
    known = [str(name) for name in names]
    twice = sorted({name for name in known if known.count(name) > 1}) if len(set(known)) < len(known) else []
    if twice:
        raise ReadError(f"has the column {', '.join(twice)} more than once; remove the copy, or fetch the file again")
    if columns is None:
        return known
    lacking = [name for name in dict.fromkeys(columns) if name not in set(known)]
    if lacking:
        near = {name: _nearest(name, known) for name in lacking[:MOST_NAMED]}
        named = "; ".join(f"no column {name}{f' (nearest: {found})' if found else ''}" for name, found in near.items())
        more = f"; and {len(lacking) - MOST_NAMED} more are absent" if len(lacking) > MOST_NAMED else ""
        held = "" if all(near.values()) else f" It has {len(known)} columns: {_some(known)}."
        raise ReadError(
            f"has {named}{more}.{held} Names change from year to year: look it up in this file's codebook and correct the "
            "declaration"
        )
    return list(dict.fromkeys(columns))


def _nearest(name: str, known: list[str]) -> str:
    folded = {other.casefold(): other for other in known}
    close = difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)
    return ", ".join(folded[other] for other in close)


def _some(known: list[str]) -> str:
    return f"{', '.join(known[:8])}{', ...' if len(known) > 8 else ''}"


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """The same values in the column types that all formats share.

    Raises
    ------
    ReadError
        If a column mixes numbers and text, or holds whole numbers too large to be exact.
    """
    made = {name: _plain(column, str(name)) for name, column in frame.items()}
    same = pd.DataFrame(made, columns=frame.columns, index=pd.RangeIndex(len(frame)))
    same.attrs = dict(frame.attrs)
    return same


def _plain(column: pd.Series, name: str) -> pd.Series:
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    column = column.reset_index(drop=True)
    if column.dtype == object:
        return _from_objects(column, name)
    if isinstance(column.dtype, pd.StringDtype):
        return column.astype("str")
    if pd.api.types.is_bool_dtype(column.dtype):
        return column.astype("boolean" if column.isna().any() else "bool")
    return _number(column, name) if pd.api.types.is_numeric_dtype(column.dtype) else column


def _from_objects(column: pd.Series, name: str) -> pd.Series:
    """A column of Python objects, as R's integers, logicals and dates come when some of them are missing."""
    present = column[column.notna()]
    kinds = {type(value) for value in present}
    if kinds and all(issubclass(kind, bool | np.bool_) for kind in kinds):
        return column.astype("boolean")
    if kinds and all(issubclass(kind, Number) for kind in kinds):
        return _number(column, name)
    if kinds and all(issubclass(kind, date) for kind in kinds):
        return pd.to_datetime(column)
    if all(issubclass(kind, str) for kind in kinds):
        return column.astype("str")
    raise ReadError(f"mixes {', '.join(sorted(kind.__name__ for kind in kinds))} in the column {name}; fetch it again")


def _number(column: pd.Series, name: str) -> pd.Series:
    numbers = column.astype("float64")
    if not pd.api.types.is_float_dtype(column.dtype) and numbers.abs().max() >= LARGEST:
        raise ReadError(f"has numbers in {name} with more digits than a number can keep; have them saved as text")
    return numbers
