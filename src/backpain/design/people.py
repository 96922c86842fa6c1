"""What is given for each person, checked: a value, a mark, a weight."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from backpain.design.stages import Marks, Numbers

Column: TypeAlias = pd.Series | NDArray[Any]


def column_of(values: ArrayLike, people: int, what: str) -> Column:
    """(people,) the values, taken as they are if they need no conversion.

    Raises
    ------
    ValueError
        If there is not one for each person.
    """
    # Exactly these: a masked array has gaps that its numbers do not show, and pandas makes them missing.
    column: Column = values if type(values) in (np.ndarray, pd.Series) else pd.Series(values)
    if column.shape != (people,):
        count = " x ".join(map(str, column.shape)) or "1"
        raise ValueError(f"{what}: {count} for {people} people; give one per person")
    return column


def numbers_of(column: Any, what: str) -> Numbers:
    """(people,) a column as numbers, missing where it has none.

    Raises
    ------
    ValueError
        If it holds anything but numbers and gaps: text, dates, complex numbers, or two columns of one name.
    """
    if isinstance(column, pd.DataFrame):
        raise ValueError(f"{what}: {column.shape[1]} columns have this name; rename all but one")
    values = column.dtype if isinstance(column, pd.Series) else np.asarray(column).dtype
    if isinstance(values, np.dtype) and values.kind in "iufb":
        return np.asarray(column).astype(float)
    if isinstance(values, np.dtype) and values.kind in "cmM":
        raise ValueError(f"{what}: holds {values.name}, not numbers; give numbers")
    held = pd.Series(column)
    try:
        if any(isinstance(value, str) for value in held):
            raise TypeError("text")
        return np.asarray(held.to_numpy(dtype=float, na_value=np.nan))
    except (TypeError, ValueError):
        raise ValueError(f"{what}: holds something that is no number ({values}); give numbers") from None


def members_of(domain: ArrayLike | None, people: int) -> Marks:
    """(people,) the domain's mask, checked; None is everyone."""
    if domain is None:
        return np.ones(people, dtype=bool)
    mask = column_of(domain, people, "domain")
    if not pd.api.types.is_bool_dtype(mask.dtype) or (mask.dtype != bool and pd.isna(mask).any()):
        raise ValueError("domain: give a boolean mask without missing values")
    return np.asarray(mask, dtype=bool)


def above_zero(weight: Numbers) -> Marks | None:
    """(people,) who has a weight above zero; None if everyone has."""
    marks = weight > 0
    return None if marks.all() else marks


def positive(factor: ArrayLike, people: int) -> Numbers:
    """(people,) what weights are multiplied by, checked."""
    values = np.asarray(factor, dtype=float)
    if values.shape != (people,) or not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(f"times: give a positive number for each of {people} people")
    return values


__all__ = ["Column", "above_zero", "column_of", "members_of", "numbers_of", "positive"]
