"""How one variable becomes columns: numbers in several forms, indicators of levels, products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from formulaic import model_matrix
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

PLAIN: dict[str, Callable[[Numbers], Numbers]] = {"linear": np.asarray, "square-root": np.sqrt, "log1p": np.log1p}
FORMS = (*PLAIN, "spline", "restricted cubic spline")
NOT_BELOW_ZERO = ("square-root", "log1p")
# Where Harrell puts 3 to 7 knots (2015, Regression Modeling Strategies, table 2.3), as shares of the people.
HARRELL = {
    3: (0.10, 0.5, 0.90),
    4: (0.05, 0.35, 0.65, 0.95),
    5: (0.05, 0.275, 0.5, 0.725, 0.95),
    6: (0.05, 0.23, 0.41, 0.59, 0.77, 0.95),
    7: (0.025, 0.1833, 0.3417, 0.5, 0.6583, 0.8167, 0.975),
}
TIMES = " x "


class Encoder(Protocol):
    """One declared term, learnt from some people, that makes its columns for any others."""

    @property
    def label(self) -> str:
        """What tests call the term."""
        ...

    @property
    def columns(self) -> list[str]:
        """The columns' names."""
        ...

    def fill(self, frame: pd.DataFrame, out: Numbers) -> None:
        """Write the (people, columns) of a frame into `out`."""
        ...


@dataclass(frozen=True)
class Plain:
    """A number as it is, or through a function."""

    label: str
    form: str

    @property
    def columns(self) -> list[str]:
        """The variable's name, with the form unless linear."""
        return [self.label if self.form == "linear" else f"{self.label} ({self.form})"]

    def fill(self, frame: pd.DataFrame, out: Numbers) -> None:
        """Write the column."""
        out[:, 0] = PLAIN[self.form](numbers_of(frame, self.label))


@dataclass(frozen=True)
class Levels:
    """Indicators of each level but the first."""

    label: str
    levels: list[Any]

    @property
    def columns(self) -> list[str]:
        """`sex: male` for a level."""
        return [f"{self.label}: {level}" for level in self.levels[1:]]

    def fill(self, frame: pd.DataFrame, out: Numbers) -> None:
        """Write 1 for those who have the level."""
        code = codes_of(frame, self.label, self.levels)
        for place in range(len(self.levels) - 1):
            out[:, place] = code == place + 1


@dataclass(frozen=True)
class Natural:
    """Natural cubic spline, centred so that the intercept stays apart, by formulaic."""

    label: str
    spec: Any
    size: int

    @classmethod
    def learn(cls, frame: pd.DataFrame, variable: str, df: int) -> Natural:
        """Inner knots where they cut these people into df equal parts, outer knots at the ends."""
        values = pd.DataFrame({"x": numbers_of(frame, variable)})
        knots = inner_knots(values["x"].to_numpy(), df)
        made = model_matrix(f"1 + cr(x, knots={knots}, constraints='center')", values, context=None, na_action="raise")
        return cls(variable, made.model_spec, made.shape[1] - 1)

    @property
    def columns(self) -> list[str]:
        """`age (spline 1)` and so on."""
        return [f"{self.label} (spline {number})" for number in range(1, self.size + 1)]

    def fill(self, frame: pd.DataFrame, out: Numbers) -> None:
        """Write the basis; beyond the values it was learnt on it goes on as a straight line."""
        made = self.spec.get_model_matrix(pd.DataFrame({"x": numbers_of(frame, self.label)}))
        out[:] = np.asarray(made, dtype=float)[:, 1:]


@dataclass(frozen=True)
class Restricted:
    """Restricted cubic spline as Harrell writes it: the number itself, and one column less than inner knots.

    Beyond the outer knots it is a straight line (Harrell 2015, Regression Modeling Strategies, 2.4.5).
    """

    label: str
    knots: tuple[float, ...]

    @property
    def columns(self) -> list[str]:
        """`age`, `age'`, `age''` and so on: all but the first are zero for a straight line."""
        return [self.label + "'" * number for number in range(len(self.knots) - 1)]

    def fill(self, frame: pd.DataFrame, out: Numbers) -> None:
        """Write the basis, divided by the squared distance of the outer knots to keep the number's unit."""
        x = numbers_of(frame, self.label)
        last, before = self.knots[-1], self.knots[-2]
        cubes = [np.maximum(x - knot, 0.0) ** 3 for knot in self.knots]
        out[:, 0] = x
        for place, knot in enumerate(self.knots[:-2]):
            bent = cubes[place] - (cubes[-2] * (last - knot) - cubes[-1] * (before - knot)) / (last - before)
            out[:, place + 1] = bent / (last - self.knots[0]) ** 2


@dataclass(frozen=True)
class Product:
    """Products of the columns of several terms: how one's slope differs with the others."""

    parts: tuple[Encoder, ...]

    @property
    def label(self) -> str:
        """The parts' names with a cross between."""
        return TIMES.join(part.label for part in self.parts)

    @property
    def columns(self) -> list[str]:
        """`treated: True x sex: male`: the first part's columns change fastest."""
        names = [""]
        for part in self.parts:
            names = [f"{name}{TIMES}{column}" if name else column for column in part.columns for name in names]
        return names

    def fill(self, frame: pd.DataFrame, out: Numbers) -> None:
        """Write every product."""
        found = np.ones((len(frame), 1))
        for part in self.parts:
            columns = np.empty((len(frame), len(part.columns)), order="F")
            part.fill(frame, columns)
            found = np.column_stack([found * column[:, None] for column in columns.T])
        out[:] = found


def encoder(frame: pd.DataFrame, variable: str, form: str, size: int | tuple[float, ...]) -> Encoder:
    """Learn a term of one variable from some people.

    Parameters
    ----------
    form, size
        One of `FORMS`; the degrees of freedom of a spline, the knots of a restricted cubic one or how many.

    Raises
    ------
    ValueError
        If values are missing or infinite, or the form cannot take the variable.
    """
    values = complete(frame, variable)
    if not is_number(values):
        if form != "linear":
            raise ValueError(f"terms: {variable} is a category and cannot enter as {form!r}; give its name alone")
        return Levels(variable, present_levels(values))
    numbers = np.asarray(values.to_numpy(dtype=float))
    if form in NOT_BELOW_ZERO and (numbers < 0).any():
        raise ValueError(f"terms: {variable} has values below 0, which {form} cannot take")
    if not np.isfinite(numbers).all():
        raise ValueError(f"terms: {variable} has infinite values; correct them in the survey's declaration")
    if form in PLAIN:
        return Plain(variable, form)
    if isinstance(size, tuple):
        return Restricted(variable, _given(variable, form, size))
    if form == "spline":
        _check_spline(numbers, variable, size)
        return Natural.learn(frame, variable, size)
    return Restricted(variable, _harrell(numbers, variable, size))


def column_of(frame: pd.DataFrame, variable: str) -> pd.Series:
    """A column, or an error that names it."""
    if variable not in frame:
        raise ValueError(f"terms: there is no column {variable!r}; name a variable of the people")
    return frame[variable]


def complete(frame: pd.DataFrame, variable: str) -> pd.Series:
    """A column without missing values, or an error that names it."""
    values = column_of(frame, variable)
    if values.hasnans:
        missing = int(values.isna().sum())
        raise ValueError(f"terms: {variable} is missing for {missing} people; impute or leave them out first")
    return values


def is_number(values: pd.Series) -> bool:
    """Whether a column holds numbers; booleans are categories."""
    return bool(pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype))


def numbers_of(frame: pd.DataFrame, variable: str) -> Numbers:
    """(people,) a complete column as numbers."""
    return np.asarray(complete(frame, variable).to_numpy(dtype=float))


def present_levels(values: pd.Series) -> list[Any]:
    """The levels that somebody has, in the order of the categories, or sorted."""
    present = set(values.dropna().unique())
    if isinstance(values.dtype, pd.CategoricalDtype):
        return [level for level in values.cat.categories if level in present]
    return sorted(present)


def codes_of(frame: pd.DataFrame, variable: str, levels: Sequence[Any]) -> NDArray[np.intp]:
    """(people,) each one's position among the levels, or an error that names those never seen."""
    values = complete(frame, variable)
    if isinstance(values.dtype, pd.CategoricalDtype):
        code = pd.Index(levels).get_indexer(values.cat.categories)[values.cat.codes]
    else:
        code = pd.Index(levels).get_indexer(pd.Index(values))
    if (code < 0).any():
        strays = sorted({str(level) for level in values[code < 0]})[:5]
        raise ValueError(
            f"terms: {variable} has levels the model has not seen: {strays}; it was fitted to people with {levels}"
        )
    return np.asarray(code)


def inner_knots(values: Numbers, df: int) -> list[float]:
    """The quantiles that cut the people into df equal parts, each once, and not at the ends."""
    knots = np.unique(np.quantile(values, np.linspace(0, 1, df + 1)[1:-1]))
    return [float(knot) for knot in knots if values.min() < knot < values.max()]


def _check_spline(values: Numbers, variable: str, df: int) -> None:
    if df < 2:
        raise ValueError(f"terms: a spline of {variable} with df {df} is a line; declare df 2 or more")
    knots, distinct = len(inner_knots(values, df)), len(np.unique(values))
    if knots == 0 or distinct < knots + 2:
        raise ValueError(
            f"terms: {variable} has {distinct} distinct values and {knots} knots between them for a spline with df "
            f"{df}, which it cannot carry; lower df or declare it linear, square-root or log1p"
        )


def _given(variable: str, form: str, knots: tuple[float, ...]) -> tuple[float, ...]:
    if form == "spline" or len(knots) < 3 or list(knots) != sorted(set(knots)) or not np.isfinite(knots).all():
        raise ValueError(
            f"terms: the knots {list(knots)} of {variable}: a restricted cubic spline has three or more, each above the last"
        )
    return knots


def _harrell(values: Numbers, variable: str, size: int) -> tuple[float, ...]:
    """ASSUME: knots stand at Harrell's quantiles of the people, unweighted."""
    if size not in HARRELL:
        raise ValueError(f"terms: a restricted cubic spline of {variable} with {size} knots; declare 3 to 7")
    knots = tuple(float(knot) for knot in np.quantile(values, HARRELL[size]))
    if len(set(knots)) < size:
        raise ValueError(
            f"terms: of the {size} knots of {variable} some fall together ({', '.join(f'{k:g}' for k in knots)}); "
            "declare fewer, or `spline`, which counts them once"
        )
    return knots
