"""Columns of a model from the right-hand side of a formula, as formulaic reads it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from formulaic import Formula, model_matrix
from formulaic.errors import FormulaicError
from numpy.typing import NDArray

from backpain.regression.forms import TIMES, codes_of, complete, is_number, numbers_of, present_levels

Numbers = NDArray[np.float64]

INTERCEPT = "intercept"


@dataclass(frozen=True)
class FormulaCoding:
    """How a formula becomes columns; see `Coding`.

    Attributes
    ----------
    variables
        The variables of the formula; a category with the levels that somebody had, a number with None.
    spec
        formulaic's own, which remembers the knots of splines and the coding of levels.
    """

    variables: dict[str, list[Any] | None]
    spec: Any

    @property
    def columns(self) -> list[str]:
        """formulaic's names in this package's words: `sex[T.male]` is `sex: male`, and `:` a cross."""
        return [_words(str(name)) for name in self.spec.column_names]

    @property
    def groups(self) -> dict[str, list[int]]:
        """The columns of each term but the intercept; `treated:sex` is an interaction."""
        found = {str(term): list(range(place.start, place.stop)) for term, place in self.spec.term_slices.items()}
        return {_plain(term): places for term, places in found.items() if term != "1"}

    def matrix(self, frame: pd.DataFrame) -> Numbers:
        """(people, columns) of another frame."""
        made = self.spec.get_model_matrix(_known(frame, self.variables))
        return np.asfortranarray(np.asarray(made, dtype=float))


def formula_coding(frame: pd.DataFrame, formula: str) -> FormulaCoding:
    """Learn the coding of a formula's right-hand side from the people a model is fitted to.

    Raises
    ------
    ValueError
        If the formula has a left-hand side or cannot be read, a variable is absent, missing or infinite.
    """
    if "~" in formula:
        raise ValueError(f"formula: {formula!r} has a ~; give the right-hand side alone, and the outcome by its name")
    try:
        required = {str(name) for name in Formula(formula).required_variables}
    except (FormulaicError, SyntaxError) as error:
        raise ValueError(f"formula: {formula!r} cannot be read: {str(error).splitlines()[0]}") from error
    variables: dict[str, list[Any] | None] = {}
    for name in sorted(required | {name for name in _mentioned(formula) if name in frame}):
        values = complete(frame, name)
        variables[name] = None if is_number(values) else present_levels(values)
        if is_number(values) and not np.isfinite(numbers_of(frame, name)).all():
            raise ValueError(f"formula: {name} has infinite values; correct them in the survey's declaration")
    try:
        made = model_matrix(formula, _known(frame, variables), context=None, na_action="raise")
    except (FormulaicError, ValueError) as error:
        raise ValueError(f"formula: {formula!r} cannot be made into columns: {error}") from error
    if "Intercept" in made.model_spec.column_names and any("constraints" not in call for call in _splines(formula)):
        # formulaic's own splines hold the intercept, so that a model with both has no answer.
        raise ValueError(f"formula: {formula!r} has a spline that holds the intercept; add constraints='center' to it")
    return FormulaCoding(variables, made.model_spec)


def _splines(formula: str) -> Iterator[str]:
    """What stands between the parentheses of each `cr(...)` and `cc(...)`."""
    for opening in re.finditer(r"\bc[rc]\(", formula):
        depth, start = 1, opening.end()
        for place in range(start, len(formula)):
            depth += {"(": 1, ")": -1}.get(formula[place], 0)
            if depth == 0:
                yield formula[start:place]
                break


def _mentioned(formula: str) -> set[str]:
    """Names that may be variables: formulaic tells those within functions only when it evaluates them."""
    quoted = set(re.findall(r"`([^`]+)`", formula))
    return quoted | set(
        re.findall(r"(?<![\w.])([A-Za-z_]\w*)\b(?!\s*(?:[(.]|=(?!=)))", re.sub(r"`[^`]+`", " ", formula))
    )


def _known(frame: pd.DataFrame, variables: dict[str, list[Any] | None]) -> pd.DataFrame:
    """The variables alone: categories with the levels first seen, so that an unused one makes no empty column."""
    columns: dict[str, Any] = {}
    for name, levels in variables.items():
        if levels is None:
            columns[name] = numbers_of(frame, name)
        else:
            columns[name] = pd.Categorical.from_codes(codes_of(frame, name, levels), categories=levels)
    return pd.DataFrame(columns, index=range(len(frame)))


def _words(name: str) -> str:
    if name == "Intercept":
        return INTERCEPT
    parts = re.split(r":(?![^\[(]*[\])])", name)
    return TIMES.join(re.sub(r"^(.+)\[(?:T\.)?([^\[\]]*)\]$", r"\1: \2", _plain(part)) for part in parts)


def _plain(name: str) -> str:
    return name.replace("`", "")
