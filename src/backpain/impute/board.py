"""The columns of every model, kept up to date while values are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backpain.impute.plan import ImputationPlan
from backpain.impute.variables import Codes, Numbers, Variable

INTERCEPT, WEIGHT = "(intercept)", "(survey weight)"


@dataclass
class Board:
    """All columns of all models for the people at hand.

    A chain begins by writing every missing cell, so chains may follow one another on one board.

    Attributes
    ----------
    matrix
        (columns, people): a row for each column of a model, so that a column is contiguous.
    places
        Variable -> its rows of `matrix`.
    products
        (first, second, rows): where the product of two variables stands.
    """

    matrix: Numbers
    places: dict[str, slice]
    products: list[tuple[str, str, slice]]

    def write(self, name: str, rows: Codes, columns: Numbers) -> None:
        """Enter new values of some people for a variable and its products; columns is (columns, rows)."""
        place = self.places[name]
        self.matrix[place.start : place.stop, rows] = columns
        for first, second, spot in self.products:
            if name in (first, second):
                a, b = (self.matrix[self.places[part], :][:, rows] for part in (first, second))
                self.matrix[spot.start : spot.stop, rows] = _times(a, b)

    def read(self, columns: Codes, rows: Codes) -> Numbers:
        """(columns, rows) some columns of some people, copied one by one so that nothing larger is held."""
        part = np.empty((len(columns), len(rows)))
        for place, column in enumerate(columns):
            # Positions are known to be inside; `clip` lets NumPy write without a buffer.
            np.take(self.matrix[column], rows, out=part[place], mode="clip")
        return part

    def columns_for(self, name: str) -> Codes:
        """The rows of `matrix` that predict a variable: all but its own and its products."""
        mask = np.ones(len(self.matrix), dtype=bool)
        mask[self.places[name]] = False
        for first, second, spot in self.products:
            if name in (first, second):
                mask[spot] = False
        return np.flatnonzero(mask)

    def names(self) -> list[str]:
        """(columns,) the variable or product that each row of `matrix` belongs to."""
        found = [""] * len(self.matrix)
        for name, place in self.places.items():
            found[place] = [name] * (place.stop - place.start)
        for first, second, spot in self.products:
            found[spot] = [f"{first} x {second}"] * (spot.stop - spot.start)
        return found


def lay_out(variables: dict[str, Variable], plan: ImputationPlan, weight: NDArray[np.float64] | None) -> Board:
    """Columns of the intercept, the variables in the plan's order with treatment x outcome third, and the weight.

    Cells of missing values hold 0 until a chain fills them.
    """
    people = len(next(iter(variables.values())).code)
    parts, places = [np.ones((1, people))], {INTERCEPT: slice(0, 1)}
    entered: dict[str, Numbers] = {}
    for name, variable in variables.items():
        entered[name] = np.where(variable.code >= 0, variable.table[variable.code].T, 0.0)
        places[name] = _after(parts, len(entered[name]))
        parts.append(entered[name])
    products = []
    for first, second in plan.pairs:
        both = _times(entered[first], entered[second])
        products.append((first, second, _after(parts, len(both))))
        parts.append(both)
    if weight is not None:
        formed = np.log(weight) if plan.weight == "log" else weight
        places[WEIGHT] = _after(parts, 1)
        parts.append(((formed - formed.mean()) / (formed.std() or 1.0))[None, :])
    return Board(np.concatenate(parts), places, products)


def _after(parts: list[Numbers], width: int) -> slice:
    start = sum(len(part) for part in parts)
    return slice(start, start + width)


def _times(first: Numbers, second: Numbers) -> Numbers:
    """Every column of one times every column of the other."""
    return (first[:, None, :] * second[None, :, :]).reshape(-1, first.shape[1])
