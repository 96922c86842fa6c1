"""Columns of a model from declared terms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from formulaic import model_matrix
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Term = str | dict[str, Any]
Asked = tuple[tuple[str, str, int], ...]

INTERCEPT = "intercept"
FORMS = {
    "linear": "{x}",
    # Natural cubic spline, centred so that the intercept stays apart.
    "spline": "cr({x}, knots={knots}, constraints='center')",
    "square-root": "np.sqrt({x})",
    "log1p": "np.log1p({x})",
}
NOT_BELOW_ZERO = ("square-root", "log1p")


@dataclass(frozen=True)
class Coding:
    """How the declared terms become columns, learnt from one frame and applied alike to any other.

    Attributes
    ----------
    columns
        The columns' names: `intercept`, the variable's name for a number, `sex: male` for a level,
        `age (spline 1)` and so on for a spline.
    """

    terms: Asked
    levels: dict[str, list[Any]]
    spec: Any
    columns: list[str]

    def matrix(self, frame: pd.DataFrame) -> Numbers:
        """The model matrix of another frame in the same coding: (people, columns).

        Beyond the values it was learnt on, a spline goes on as a straight line.

        Raises
        ------
        ValueError
            If a value is missing, or a level was not there when the coding was learnt.
        """
        numbers = self.spec.get_model_matrix(_numbers(frame, self.terms, self.levels))
        return _assembled(frame, self.terms, self.levels, numbers)


def coding_of(frame: pd.DataFrame, terms: Sequence[Term]) -> Coding:
    """Learn the coding of declared terms from the people a model is fitted to.

    Parameters
    ----------
    frame
        One row per person.
    terms
        Names, or `{variable: age, as: spline, df: 4}` with `as` one of linear, spline, square-root, log1p.
        Strings, categories and booleans get an indicator for each level but the first (in the order of the
        categories, or sorted). A level that nobody here has gets no column, and so a variable with one level
        gets none at all. Numbers enter as they are unless a form is declared. A spline is natural and cubic,
        with knots where they cut the people into `df` equal parts (unweighted) and at the ends, and has `df`
        columns; knots that fall together, as with counts, count once and leave fewer.

    Raises
    ------
    ValueError
        If a variable is absent or has missing values, a form is not known, a form is asked of a category, or
        so many people share a value that a spline has no knot.
    """
    return _learn(frame, terms)[0]


def design_matrix(frame: pd.DataFrame, terms: Sequence[Term]) -> tuple[Numbers, list[str]]:
    """Model matrix of the declared terms and its columns' names; arguments and errors as in `coding_of`."""
    coding, matrix = _learn(frame, terms)
    return matrix, coding.columns


def counterfactual(coding: Coding, frame: pd.DataFrame, **everyone: Any) -> Numbers:
    """The model matrix had everyone had these values, such as `treated=True`; the coding stays the same."""
    return coding.matrix(frame.assign(**everyone))


def _learn(frame: pd.DataFrame, terms: Sequence[Term]) -> tuple[Coding, Numbers]:
    asked = tuple(_asked(term) for term in terms)
    named = [variable for variable, _, _ in asked]
    if repeated := sorted({variable for variable in named if named.count(variable) > 1}):
        raise ValueError(f"terms: {', '.join(repeated)} stands there twice; leave it once")
    levels = {variable: _levels(frame, variable) for variable in named if not _is_number(frame, variable)}
    for variable, form, df in asked:
        _check_form(frame, variable, form, df, variable in levels)
    pieces = [
        FORMS[form].format(x=f"v{place}", knots=_knots(frame[variable], df) if form == "spline" else [])
        for place, (variable, form, df) in enumerate(asked)
        if variable not in levels
    ]
    numbers = model_matrix(" + ".join(["1", *pieces]), _numbers(frame, asked, levels), context=None, na_action="raise")
    blocks = _blocks(numbers)
    columns = [INTERCEPT]
    for variable, form, _ in asked:
        if variable in levels:
            columns += [f"{variable}: {level}" for level in levels[variable][1:]]
        else:
            columns += _names(variable, form, next(blocks))
    return Coding(asked, levels, numbers.model_spec, columns), _assembled(frame, asked, levels, numbers)


def _blocks(numbers: Any) -> Iterator[slice]:
    """The columns of each term but the intercept, in the order declared."""
    return iter(list(numbers.model_spec.term_slices.values())[1:])


def _assembled(frame: pd.DataFrame, asked: Asked, levels: dict[str, list[Any]], numbers: Any) -> Numbers:
    """Intercept, indicators and numbers side by side in the order declared."""
    values, blocks = np.asarray(numbers, dtype=float), _blocks(numbers)
    parts = [
        _indicators(frame, variable, levels[variable]) if variable in levels else values[:, next(blocks)]
        for variable, _, _ in asked
    ]
    return np.column_stack([values[:, :1], *parts])


def _asked(term: Term) -> tuple[str, str, int]:
    if isinstance(term, str):
        return term, "linear", 0
    stray = set(term) - {"variable", "as", "df"}
    if stray or "variable" not in term:
        raise ValueError(f"terms: {term} is not {{variable: ..., as: ..., df: ...}}")
    form = str(term.get("as", "linear"))
    if form not in FORMS:
        raise ValueError(f"terms: {term['variable']} as {form!r} is not known; choose {', '.join(FORMS)}")
    return str(term["variable"]), form, int(term.get("df", 4)) if form == "spline" else 0


def _column(frame: pd.DataFrame, variable: str) -> pd.Series:
    if variable not in frame:
        raise ValueError(f"terms: there is no column {variable!r}; name a variable of the people")
    return frame[variable]


def _is_number(frame: pd.DataFrame, variable: str) -> bool:
    dtype = _column(frame, variable).dtype
    return bool(pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype))


def _levels(frame: pd.DataFrame, variable: str) -> list[Any]:
    values = frame[variable]
    present = set(values.dropna().unique())
    if isinstance(values.dtype, pd.CategoricalDtype):
        return [level for level in values.cat.categories if level in present]
    return sorted(present)


def _check_form(frame: pd.DataFrame, variable: str, form: str, df: int, category: bool) -> None:
    values = _complete(frame, variable)
    if category and form != "linear":
        raise ValueError(f"terms: {variable} is a category and cannot enter as {form!r}; give its name alone")
    if form == "spline":
        _check_spline(values, variable, df)
    if form in NOT_BELOW_ZERO and (values < 0).any():
        raise ValueError(f"terms: {variable} has values below 0, which {form} cannot take")
    if not category and not np.isfinite(values.to_numpy(dtype=float)).all():
        raise ValueError(f"terms: {variable} has infinite values; correct them in the survey's declaration")


def _check_spline(values: pd.Series, variable: str, df: int) -> None:
    if df < 2:
        raise ValueError(f"terms: a spline of {variable} with df {df} is a line; declare df 2 or more")
    knots, distinct = len(_knots(values, df)), values.nunique()
    if knots == 0 or distinct < knots + 2:
        raise ValueError(
            f"terms: {variable} has {distinct} distinct values and {knots} knots between them for a spline with df "
            f"{df}, which it cannot carry; lower df or declare it linear, square-root or log1p"
        )


def _knots(values: pd.Series, df: int) -> list[float]:
    """Inner knots: the quantiles that cut the people into df equal parts, each once, and not at the ends."""
    numbers = values.to_numpy(dtype=float)
    knots = np.unique(np.quantile(numbers, np.linspace(0, 1, df + 1)[1:-1]))
    return [float(knot) for knot in knots if numbers.min() < knot < numbers.max()]


def _numbers(frame: pd.DataFrame, asked: Asked, levels: dict[str, list[Any]]) -> pd.DataFrame:
    """The numbers among the variables, under names that mean nothing in a formula."""
    columns = {
        f"v{place}": _complete(frame, variable).to_numpy(dtype=float)
        for place, (variable, _, _) in enumerate(asked)
        if variable not in levels
    }
    return pd.DataFrame(columns, index=range(len(frame)))


def _indicators(frame: pd.DataFrame, variable: str, levels: list[Any]) -> Numbers:
    """(people, levels - 1) 1 for those who have the level, for each level but the first."""
    values = _complete(frame, variable)
    code = pd.Index(levels).get_indexer(pd.Index(values))
    if (code < 0).any():
        strays = sorted({str(level) for level in values[code < 0]})[:5]
        raise ValueError(
            f"terms: {variable} has levels the model has not seen: {strays}; it was fitted to people with {levels}"
        )
    return (code[:, None] == np.arange(1, len(levels))).astype(float)


def _complete(frame: pd.DataFrame, variable: str) -> pd.Series:
    values = _column(frame, variable)
    if missing := int(values.isna().sum()):
        raise ValueError(f"terms: {variable} is missing for {missing} people; impute or leave them out first")
    return values


def _names(variable: str, form: str, block: slice) -> list[str]:
    if form == "spline":
        return [f"{variable} (spline {number})" for number in range(1, block.stop - block.start + 1)]
    return [variable if form == "linear" else f"{variable} ({form})"]
