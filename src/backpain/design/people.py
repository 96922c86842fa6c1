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


__all__ = ["Column", "above_zero", "column_of", "members_of", "positive"]
