"""Columns of a model from declared terms, or from a formula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backpain.regression.forms import FORMS, TIMES, Encoder, Product, encoder
from backpain.regression.formula import INTERCEPT, formula_coding

Numbers = NDArray[np.float64]
Term = str | dict[str, Any]
Asked = tuple[str, str, int | tuple[float, ...]]

SIZES = {"spline": ("df", 4), "restricted cubic spline": ("knots", 4)}


class Coding(Protocol):
    """How terms become columns, learnt from one frame and applied alike to any other.

    Attributes
    ----------
    columns
        The columns' names: `intercept`, the variable's name for a number, `sex: male` for a level,
        `age (spline 1)` and so on for a spline, `treated: True x sex: male` for an interaction.
    groups
        The columns of each term.
    variables
        What must be known of a person.
    """

    @property
    def columns(self) -> list[str]: ...
    @property
    def groups(self) -> dict[str, list[int]]: ...
    @property
    def variables(self) -> frozenset[str]: ...
    def matrix(self, frame: pd.DataFrame) -> Numbers:
        """The model matrix of another frame in the same coding: (people, columns).

        Beyond the values it was learnt on, a spline goes on as a straight line.

        Raises
        ------
        ValueError
            If a value is missing, or a level was not there when the coding was learnt.
        """
        ...


@dataclass(frozen=True)
class TermCoding:
    """The coding of declared terms; see `Coding`."""

    encoders: tuple[Encoder, ...]

    @property
    def columns(self) -> list[str]:
        """The intercept's, then each term's in the order declared."""
        return [INTERCEPT, *(column for each in self.encoders for column in each.columns)]

    @property
    def groups(self) -> dict[str, list[int]]:
        """The columns of each term, by its variable, or by its variables with a cross between."""
        found, start = {}, 1
        for each in self.encoders:
            found[each.label] = list(range(start, start + len(each.columns)))
            start += len(each.columns)
        return found

    @property
    def variables(self) -> frozenset[str]:
        """The declared terms' variables; those of an interaction are terms themselves."""
        return frozenset(each.label for each in self.encoders if not isinstance(each, Product))

    def matrix(self, frame: pd.DataFrame) -> Numbers:
        """(people, columns), column by column in memory: a number is copied once and nothing else is made."""
        made = np.empty((len(frame), len(self.columns)), order="F")
        made[:, 0] = 1.0
        for each, places in zip(self.encoders, self.groups.values(), strict=True):
            if places:
                each.fill(frame, made[:, places[0] : places[-1] + 1])
        return made


def coding_of(frame: pd.DataFrame, terms: Sequence[Term] | str) -> Coding:
    """Learn the coding of declared terms from the people a model is fitted to.

    Parameters
    ----------
    frame
        One row per person.
    terms
        Names, `{variable: age, as: spline, df: 4}` with `as` one of `FORMS`, or `{interaction: [treated, sex]}`
        of variables that are terms themselves, in the form they have there. Or the right-hand side of a formula,
        `"treated * sex + cr(age, df=4)"`, as formulaic reads it.
        Strings, categories and booleans get an indicator for each level but the first (in the order of the
        categories, or sorted). A level that nobody here has gets no column, and so a variable with one level
        gets none at all. Numbers enter as they are unless a form is declared. A spline is natural and cubic,
        with knots where they cut the people into `df` equal parts (unweighted) and at the ends, and has `df`
        columns; knots that fall together, as with counts, count once and leave fewer. A restricted cubic spline
        has its `knots` (3 to 7) where Harrell puts them, or where a list of them says, and a straight line beyond the
        outer ones.

    Raises
    ------
    ValueError
        If a variable is absent or has missing values, a form is not known, a form is asked of a category, so
        many people share a value that a spline has no knot, or a part of an interaction is no term itself.
    """
    if isinstance(terms, str):
        return formula_coding(frame, terms)
    singles = [_asked(term) for term in terms if not _is_interaction(term)]
    named = [variable for variable, _, _ in singles]
    if repeated := sorted({variable for variable in named if named.count(variable) > 1}):
        raise ValueError(f"terms: {', '.join(repeated)} stands there twice; leave it once")
    learnt = {variable: encoder(frame, variable, form, size) for variable, form, size in singles}
    encoders = [_product(term, learnt) if _is_interaction(term) else learnt[_asked(term)[0]] for term in terms]
    labels = [each.label for each in encoders]
    if repeated := sorted({label for label in labels if labels.count(label) > 1}):
        raise ValueError(f"terms: {', '.join(repeated)} stands there twice; leave it once")
    return TermCoding(tuple(encoders))


def design_matrix(frame: pd.DataFrame, terms: Sequence[Term] | str) -> tuple[Numbers, list[str]]:
    """Model matrix of the declared terms and its columns' names; arguments and errors as in `coding_of`."""
    coding = coding_of(frame, terms)
    return coding.matrix(frame), coding.columns


def counterfactual(coding: Coding, frame: pd.DataFrame, **everyone: Any) -> Numbers:
    """The model matrix had everyone had these values, such as `treated=True`; the coding stays the same."""
    return coding.matrix(frame.assign(**everyone))


def _is_interaction(term: Term) -> bool:
    return isinstance(term, dict) and "interaction" in term


def _asked(term: Term) -> Asked:
    if isinstance(term, str):
        return term, "linear", 0
    form = str(term.get("as", "linear"))
    word, usual = SIZES.get(form, ("df", 0))
    # A df beside a form that has none was always let through.
    if set(term) - {"variable", "as", word} or "variable" not in term:
        raise ValueError(f"terms: {term} is not {{variable: ..., as: ..., {word}: ...}} or {{interaction: [...]}}")
    if form not in FORMS:
        raise ValueError(f"terms: {term['variable']} as {form!r} is not known; choose {', '.join(FORMS)}")
    size = term.get(word, usual) if form in SIZES else 0
    return str(term["variable"]), form, tuple(map(float, size)) if isinstance(size, (list, tuple)) else int(size)


def _product(term: Term, learnt: dict[str, Encoder]) -> Product:
    assert isinstance(term, dict)
    names = term["interaction"]
    if isinstance(names, str) or len(names) < 2 or len(set(names)) < len(names) or len(term) > 1:
        raise ValueError(f"terms: {term} is not {{interaction: [one variable, another]}}")
    if absent := [str(name) for name in names if name not in learnt]:
        raise ValueError(
            f"terms: {TIMES.join(map(str, names))} needs {', '.join(absent)} as a term of its own; without it the "
            "interaction would mean something else"
        )
    return Product(tuple(learnt[name] for name in names))
