"""Smooth forms of time, which are few whole numbers: made once for each, not once for each row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backpain.regression import coding_of

Numbers = NDArray[np.float64]

POWERS = {"none": 0, "linear": 1, "quadratic": 2, "cubic": 3}
SMOOTHS = (*POWERS, "categories", "restricted cubic spline")


@dataclass(frozen=True)
class Smooth:
    """Columns of one kind of time.

    Attributes
    ----------
    names
        The columns' names.
    table
        (values, columns) what each whole number from `first` on becomes.
    first
        The number of the table's first row.
    """

    names: list[str]
    table: Numbers
    first: int

    def at(self, values: NDArray[np.int32]) -> Numbers:
        """(rows, columns) of times that were there when it was made."""
        return np.asarray(self.table[values - self.first])


def smooth(values: NDArray[np.int32], name: str, form: str, often: NDArray[np.int64] | None = None) -> Smooth:
    """Learn a form from the times of all rows.

    Parameters
    ----------
    values
        (rows,) whole numbers.
    often
        (rows,) how often each stands for itself; None: once.
    form
        A polynomial's name, of a lower degree where there are too few times; `categories`, an indicator of each number
        but the first; or a restricted cubic spline with 4 knots where Harrell puts them.

    Raises
    ------
    ValueError
        If so many rows share a time that a spline has no knots.
    """
    first, last = int(values.min()), int(values.max())
    whole = np.arange(first, last + 1)
    present = whole[np.bincount(values - first) > 0]
    if form in POWERS:
        # Two times carry a straight line, three a parabola.
        powers = range(1, min(POWERS[form], len(present) - 1) + 1)
        names = [name if power == 1 else f"{name}^{power}" for power in powers]
        return Smooth(
            names, np.column_stack([np.zeros((len(whole), 0)), *(whole.astype(float) ** p for p in powers)]), first
        )
    if form == "categories":
        return Smooth(
            [f"{name}: {value}" for value in present[1:]], (whole[:, None] == present[1:]).astype(float), first
        )
    every = values if often is None else np.repeat(values, often)
    coding = coding_of(pd.DataFrame({name: every.astype(float)}), [{"variable": name, "as": form, "knots": 4}])
    made = coding.matrix(pd.DataFrame({name: whole.astype(float)}))
    return Smooth(coding.columns[1:], made[:, 1:], first)


__all__ = ["SMOOTHS", "Smooth", "smooth"]
