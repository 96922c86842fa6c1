"""Small counts are hidden, and so is whatever would give them away.

A count is small when it is above 0 and below the run's smallest cell. Hiding it is not enough: a reader may
know the total it belongs to. So the counts are written down as cells, what is known to add up as equations,
and further cells are withheld until somebody who solves the equations is left with more than one value for
every small count. The reader is assumed to know that a cell marked small lies between 1 and the smallest cell
less one, and that a withheld one is not small. This is the cell suppression problem (Fischetti and Salazar
2001), solved greedily with an audit by linear programming.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import linprog

Key = Hashable
Equation = Mapping[Key, int]
SMALL, WITHHELD = "small", "withheld"
# In an equation, the coefficient of the number 1: a constant.
ONE: Key = "the number one"


def is_small(number: float, smallest: int) -> bool:
    """Whether a count is too small to print; 0 is printed."""
    return 0 < number < smallest


def check_smallest(smallest: int) -> None:
    """Refuse a smallest cell of 2: printing "<2" would say 1."""
    if smallest < 0 or smallest == 2:
        raise ValueError(f"smallest_cell is {smallest}: use 0 or 1 to hide nothing, or 3 and above ('<2' would say 1)")


def feasible_range(
    target: Key,
    values: Mapping[Key, int],
    equations: Sequence[Equation],
    hidden: Mapping[Key, str],
    secret: Collection[Key],
    smallest: int,
) -> tuple[float, float]:
    """The least and the most a reader can deduce the target to be.

    Hidden and secret cells are unknown, all others known. Returns the whole numbers at or inside the bounds
    of the linear relaxation (infinity where nothing limits the cell).
    """
    bounds: dict[Key, tuple[int, int | None]] = dict.fromkeys(secret, (0, None))
    bounds |= {key: (1, smallest - 1) if how == SMALL else (smallest, None) for key, how in hidden.items()}
    unknown, relevant = connected(target, equations, bounds.keys())
    if not relevant:
        least, most = bounds[target]
        return least, math.inf if most is None else most
    columns = {key: number for number, key in enumerate(unknown)}
    left, right = np.zeros((len(relevant), len(unknown))), np.zeros(len(relevant))
    for row, equation in enumerate(relevant):
        for key, coefficient in equation.items():
            if key in columns:
                left[row, columns[key]] += coefficient
            else:
                right[row] -= coefficient * (1 if key == ONE else values[key])
    ends = []
    for direction in (1, -1):
        aim = np.zeros(len(unknown))
        aim[columns[target]] = direction
        found = linprog(aim, A_eq=left, b_eq=right, bounds=[bounds[key] for key in unknown], method="highs")
        ends.append(direction * float(found.fun or 0) if found.status == 0 else -direction * math.inf)
    return math.ceil(ends[0] - 1e-6), math.inf if math.isinf(ends[1]) else math.floor(ends[1] + 1e-6)


def connected(target: Key, equations: Sequence[Equation], unknown: Collection[Key]) -> tuple[list[Key], list[Equation]]:
    """The unknown cells that share equations with the target, directly or through others, and the equations."""
    reached: dict[Key, None] = {target: None}
    relevant: list[Equation] = []
    left = list(equations)
    while True:
        touching = [equation for equation in left if not reached.keys().isdisjoint(equation)]
        if not touching:
            return list(reached), relevant
        relevant += touching
        left = [equation for equation in left if reached.keys().isdisjoint(equation)]
        reached |= {key: None for equation in touching for key in equation if key in unknown}


def protect(
    values: Mapping[Key, int],
    equations: Sequence[Equation],
    smallest: int,
    secret: Collection[Key] = (),
    cost: Mapping[Key, int] | None = None,
) -> dict[Key, str]:
    """Which cells to hide, and whether each is small itself or withheld for another's sake.

    values: every count, printed or not. equations: sums of coefficient times cell that are 0. secret: cells
    printed nowhere (a complement, a difference between two variations) that must not be deducible if small.
    cost: how much a cell is missed when withheld (1 unless told); among equals the smallest count goes.
    Raises ValueError when nothing is left to withhold.
    """
    check_smallest(smallest)
    ledger = Reader(values, equations, smallest, frozenset(secret), cost or {})
    targets = [key for key, number in values.items() if is_small(number, smallest)]
    hidden = {key: SMALL for key in targets if key not in ledger.secret}
    while open_ := ledger.deduced(targets, hidden):
        hidden[ledger.next_to_withhold(open_[0], hidden)] = WITHHELD
    for key in sorted((key for key, how in hidden.items() if how == WITHHELD), key=ledger.price, reverse=True):
        fewer = {other: how for other, how in hidden.items() if other != key}
        hidden = hidden if ledger.deduced(targets, fewer) else fewer
    return hidden


@dataclass(frozen=True)
class Reader:
    """What somebody who knows the printed counts and the equations can work out."""

    values: Mapping[Key, int]
    equations: Sequence[Equation]
    smallest: int
    secret: frozenset[Key]
    cost: Mapping[Key, int]

    def price(self, key: Key) -> tuple[int, int, str]:
        """What withholding a cell costs."""
        return self.cost.get(key, 1), self.values[key], str(key)

    def deduced(self, targets: Sequence[Key], hidden: Mapping[Key, str]) -> list[Key]:
        """Hidden cells alone in their equation, else the targets of which only one value is possible."""
        alone = [key for key in hidden if self.tight(key, hidden)]
        alone += [key for key in targets if key in self.secret and self.tight(key, hidden)]
        return alone or [key for key in targets if self.has_one_value(key, hidden)]

    def tight(self, target: Key, hidden: Mapping[Key, str]) -> list[Equation]:
        """The equations in which the target is the only unknown."""
        return [
            equation
            for equation in self.equations
            if target in equation and sum(key in hidden or key in self.secret for key in equation) == 1
        ]

    def has_one_value(self, target: Key, hidden: Mapping[Key, str]) -> bool:
        """Whether only one value is left for the target."""
        least, most = feasible_range(target, self.values, self.equations, hidden, self.secret, self.smallest)
        return least >= most

    def next_to_withhold(self, target: Key, hidden: Mapping[Key, str]) -> Key:
        """The cheapest printed count in the equations that give the target away."""
        _, relevant = connected(target, self.equations, {*hidden, *self.secret})
        for group in (self.tight(target, hidden), [each for each in relevant if target in each], relevant):
            printed = {key for equation in group for key in equation if key != ONE and self.values[key] > 0}
            if candidates := printed - hidden.keys() - self.secret:
                return min(candidates, key=self.price)
        raise ValueError(
            f"the small count {target} can be deduced and nothing is left to withhold; lower smallest_cell"
        )


def suppress(
    frame: pd.DataFrame,
    count: str,
    *,
    smallest: int,
    total: str | None = None,
    within: Sequence[str] = (),
    derived: Sequence[str] = (),
) -> pd.DataFrame:
    """Hide the small counts of one table and whatever would give them away.

    count: column of counts. within: columns naming the groups whose counts add up to a known total. total:
    column with that total where the counts do not exhaust it (the rest is then an unprinted cell); without it
    the group's own sum counts as known. derived: columns (shares, intervals) emptied where the count is
    hidden. Returns a new frame with hidden cells missing, `<count>_hidden` ("", "small" or "withheld") and
    `suppressed`.
    """
    table = frame.reset_index(drop=True)
    values: dict[Key, int] = {row: int(number) for row, number in table[count].dropna().items()}
    equations: list[Equation] = []
    secret: list[Key] = []
    groups: dict[Key, list[int]] = {}
    for row, line in enumerate(table.to_dict("records")):
        groups.setdefault(tuple(line[column] for column in within), []).append(row)
    for name, rows in groups.items():
        members = [row for row in rows if row in values]
        whole = sum(values[row] for row in members)
        known = int(table[total].iloc[rows[0]]) if total else whole
        if known > whole:
            secret.append(("rest", name))
            values["rest", name] = known - whole
        if total or len(members) > 1:
            equations.append({**dict.fromkeys([*members, *secret[-1:]] if known > whole else members, 1), ONE: -known})
    hidden = protect(values, equations, smallest, secret)
    return mark(table, {count: {row: hidden[row] for row in table.index if row in hidden}}, derived)


def mark(frame: pd.DataFrame, hidden: Mapping[str, Mapping[int, str]], derived: Sequence[str] = ()) -> pd.DataFrame:
    """Empty the hidden cells of each count column and say why; empty the derived columns of those rows."""
    marked = frame.copy()
    marked["suppressed"] = False
    for column, rows in hidden.items():
        why = pd.Series(rows, dtype=object).reindex(marked.index).fillna("")
        marked[f"{column}_hidden"] = why.astype(str)
        marked[column] = marked[column].astype("Float64").mask(why != "").astype("Float64")
        marked["suppressed"] |= why != ""
    for column in derived:
        marked[column] = marked[column].mask(marked["suppressed"])
    return marked
