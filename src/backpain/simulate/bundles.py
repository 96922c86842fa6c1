"""Which rows make a person's answers: what the answers demand of the rows, and the fewest rows that meet it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Mapping as Lookup
from itertools import product
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp

from backpain.simulate.witnesses import Atom, Witnesses, atom, atom_of_count
from backpain.spec import Condition, Mapping, Survey

Truth = Literal["true", "false", "unknown"]
Demands = dict[Any, Any]  # from an atom to what it has to be: a truth value, or a number of rows
OPPOSITE: dict[Truth, Truth] = {"true": "false", "false": "true", "unknown": "unknown"}
MOST_TRIES = 20_000


def demands(
    survey: Survey, answers: Lookup[str, Any], judged: Lookup[str, Truth], possible: Callable[[Atom, Any], bool]
) -> Iterator[Demands]:
    """The ways in which rows can give a person's answers, each a set of demands on the rows, simplest first.

    Parameters
    ----------
    answers
        The person's answer to each variable that is made from rows; missing where there is none.
    judged
        What the tests of other variables say of the person, by their words.
    possible
        Whether any rows at all could make an atom what is demanded; ways that could not are left out at once.
    """
    options = [
        [way for way in _of_answer(survey.variables[name], answer, judged) if all(map(possible, way, way.values()))]
        for name, answer in answers.items()
    ]
    yield from _merged(sorted(options, key=len), {})


def _merged(options: list[list[Demands]], so_far: Demands) -> Iterator[Demands]:
    if not options:
        yield so_far
        return
    for option in options[0]:
        if all(so_far.get(key, wanted) == wanted for key, wanted in option.items()):
            yield from _merged(options[1:], {**so_far, **option})


def _of_answer(mapping: Mapping, answer: Any, judged: Lookup[str, Truth]) -> list[Demands]:
    missing = pd.isna(answer)
    if mapping.count is not None:
        return [{atom_of_count(mapping): None if missing else int(answer)}]
    if mapping.first_of is not None:
        return _of_first(mapping.first_of, None if missing else answer, judged)
    wanted: Truth = "unknown" if missing else "true" if answer == "present" else "false"
    return _of_condition(mapping.condition(), wanted, judged)


def _of_first(
    parts: Lookup[str, Condition | Literal["otherwise"]], answer: Any, judged: Lookup[str, Truth]
) -> list[Demands]:
    """The first category that holds: all before it do not. No answer: one is unknown, or none holds."""
    found: list[Demands] = []
    before: list[list[Demands]] = []
    for category, condition in parts.items():
        if condition == "otherwise":
            return found + (_all(before) if category == answer else [])
        if category == answer:
            return _all([*before, _of_condition(condition, "true", judged)])
        if answer is None:
            found += _all([*before, _of_condition(condition, "unknown", judged)])
        before.append(_of_condition(condition, "false", judged))
    return found + (_all(before) if answer is None else [])


def _of_condition(condition: Condition, wanted: Truth, judged: Lookup[str, Truth]) -> list[Demands]:
    """Kleene's logic backwards: what the parts have to be for the whole to be true, false or unknown."""
    if condition.any is not None:
        return [{atom(condition): wanted}]
    if condition.is_ is not None:
        return [{}] if judged[repr(condition.is_)] == wanted else []
    if condition.no is not None:
        return _of_condition(condition.no, OPPOSITE[wanted], judged)
    parts = condition.all or condition.any_of or []
    whole: Truth = "true" if condition.all is not None else "false"  # what every part has to be for the whole to be it
    if wanted == whole:
        return _all([_of_condition(part, whole, judged) for part in parts])
    if wanted == OPPOSITE[whole]:
        return [option for part in parts for option in _of_condition(part, wanted, judged)]
    mixed = [choice for choice in product((whole, "unknown"), repeat=len(parts)) if "unknown" in choice]
    return [
        option
        for choice in mixed
        for option in _all([_of_condition(part, one, judged) for part, one in zip(parts, choice, strict=True)])
    ]


def _all(parts: list[list[Demands]]) -> list[Demands]:
    return list(_merged(parts, {}))


def one_row(found: Witnesses, wanted: Demands, answers: Lookup[str, Any]) -> np.ndarray:
    """The rows of a one-row file that meet the demands and give the answers read from tested columns."""
    fits = np.ones(len(found.rows), bool)
    for name, truth in wanted.items():
        state = {"true": found.met[name], "unknown": found.unknown[name]}
        fits &= state.get(truth, ~found.met[name] & ~found.unknown[name])
    for name, answer in answers.items():
        given = found.answers[name]
        fits &= (given.isna() if pd.isna(answer) else given == answer).to_numpy(bool)
    return np.flatnonzero(fits)


def many_rows(found: Witnesses, wanted: Demands, least: int) -> dict[int, int] | None:
    """The fewest rows, but at least so many, of a file with many rows for each person that meet the demands.

    Returns
    -------
    dict or None
        How often each witness stands, or None where no rows meet the demands.
    """
    first, _ = found.alike
    bounds = np.full(len(first), np.inf)
    lines, low, high = [np.ones(len(first))], [float(least)], [np.inf]
    for name, truth in wanted.items():
        met, open_ = found.met[name][first], found.unknown[name][first]
        if name.counted:
            if truth is None:
                return None
            lines, low, high = [*lines, met.astype(float)], [*low, float(truth)], [*high, float(truth)]
        elif truth == "true":
            lines, low, high = [*lines, met.astype(float)], [*low, 1.0], [*high, np.inf]
        elif truth == "false":
            bounds[met | open_] = 0
        else:
            bounds[met] = 0
            lines, low, high = [*lines, open_.astype(float)], [*low, 1.0], [*high, np.inf]
    if not any(low):
        return {}
    solved = milp(
        np.ones(len(first)),
        constraints=LinearConstraint(np.array(lines), np.array(low), np.array(high)),
        integrality=np.ones(len(first), dtype=int),
        bounds=Bounds(0, bounds),
    )
    if solved.x is None:
        return None
    return {int(row): round(number) for row, number in enumerate(solved.x) if number > 0.5}


def bystanders(found: Witnesses, wanted: Demands) -> np.ndarray:
    """The witnesses that touch nothing that is demanded; they may stand beside any rows."""
    first, _ = found.alike
    touched = np.zeros(len(first), bool)
    for name in wanted:
        touched |= found.met[name][first] | found.unknown[name][first]
    return np.flatnonzero(~touched)


__all__ = ["MOST_TRIES", "Atom", "Demands", "Truth", "bystanders", "demands", "many_rows", "one_row"]
