"""Variables as codes: which values were observed, who lacks one, and how a value enters a model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backpain.impute.plan import ImputationPlan
from backpain.regression import Term, coding_of

Numbers = NDArray[np.float64]
Codes = NDArray[np.intp]
Marks = NDArray[np.bool_]

CATEGORICAL = ("logistic", "multinomial")


@dataclass(frozen=True)
class Variable:
    """A variable of the imputation models.

    Attributes
    ----------
    levels
        (levels,) the values somebody has: categories in their order, numbers sorted. Missing is never a level.
    code
        (people,) position of each person's value among the levels, -1 where missing.
    method
        How it is imputed; empty for a variable without gaps.
    table
        (levels, columns) how each level enters the other variables' models: indicators of all but the first
        category; numbers in the form declared, with mean 0 and standard deviation 1 among the observed.
    centre, spread
        Mean and standard deviation of the numbers, with which `normal` values off the levels are entered.
    """

    name: str
    levels: NDArray[Any]
    code: Codes
    method: str
    table: Numbers
    centre: float = 0.0
    spread: float = 1.0

    @property
    def missing(self) -> Codes:
        """Positions of those who lack the variable."""
        return np.flatnonzero(self.code < 0)

    @property
    def categorical(self) -> bool:
        """Whether values are levels (and imputed values their codes) rather than numbers."""
        return self.method in CATEGORICAL

    def columns(self, drawn: Codes | Numbers) -> Numbers:
        """(columns, rows) how values enter the other models: codes, or numbers for `normal`."""
        if self.method == "normal":
            return np.asarray((drawn - self.centre) / self.spread, dtype=np.float64)[None, :]
        return np.ascontiguousarray(self.table[drawn.astype(np.intp)].T)

    def of(self, rows: Codes) -> Variable:
        """The variable among some people, with the levels that one of them has."""
        held, code = np.unique(self.code[rows], return_inverse=True)
        known = held[held >= 0]
        code = code.astype(np.intp) - (1 if len(known) < len(held) else 0)
        return replace(self, levels=self.levels[known], code=code, table=self.table[known])


def levels_of(values: pd.Series) -> NDArray[Any]:
    """(levels,) the values somebody has, categories in their order and others sorted; never a missing one."""
    held = values.dropna().unique()
    if _is_number(values):
        return np.sort(np.asarray(held, dtype=float))
    if isinstance(values.dtype, pd.CategoricalDtype):
        present = set(held)
        ordered = [level for level in values.cat.categories if level in present]
    else:
        try:
            ordered = sorted(held)
        except TypeError as error:
            raise ValueError(f"impute: {values.name} mixes kinds of values ({error}); give it one kind") from error
    levels = np.empty(len(ordered), dtype=object)
    levels[:] = ordered
    return levels


def read_variable(frame: pd.DataFrame, name: str, plan: ImputationPlan) -> Variable:
    """Read one variable of the plan from the people.

    Raises
    ------
    ValueError
        If the column is absent, nobody has a value, a value is infinite, it has gaps and is not to be imputed
        (the outcome apart), or its method or form does not suit its values.
    """
    if name not in frame:
        raise ValueError(f"impute: there is no column {name!r}; name a variable of the people")
    values = frame[name]
    levels = levels_of(values)
    if not len(levels):
        raise ValueError(f"impute: {name} is missing for everyone; take it out of the plan")
    gaps = bool(values.isna().any())
    if gaps and name not in plan.impute and name != plan.outcome:
        raise ValueError(
            f"impute: {name} is missing for {int(values.isna().sum())} people and stands in the models without "
            "being imputed; declare it in `impute`, or take it out"
        )
    number = _is_number(values)
    if number and not np.isfinite(levels).all():
        raise ValueError(f"impute: {name} has infinite values; correct them in the survey's declaration")
    method = _method(name, plan.impute.get(name, "default"), levels, number)
    if number:
        values = pd.Series(values.to_numpy(dtype=float, na_value=np.nan))
    code = np.asarray(pd.Index(levels).get_indexer(pd.Index(values)), dtype=np.intp)
    if not number or (method in CATEGORICAL and isinstance(plan.term(name), str)):
        return Variable(name, levels, code, method, np.eye(len(levels))[:, 1:])
    return Variable(name, levels, code, method, *_table(name, plan.term(name), levels, code, method))


def _is_number(values: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype))


def _method(name: str, asked: str, levels: NDArray[Any], number: bool) -> str:
    if asked == "default":
        if len(levels) == 2:
            return "logistic"
        return "predictive-mean-matching" if number else "multinomial"
    if not number and asked not in CATEGORICAL:
        raise ValueError(f"impute: {name} is a category, which {asked} cannot impute; declare `multinomial`")
    if asked == "logistic" and len(levels) > 2:
        raise ValueError(f"impute: {name} has {len(levels)} levels, and logistic takes two; declare `multinomial`")
    return asked


def _table(name: str, term: Term, levels: Numbers, code: Codes, method: str) -> tuple[Numbers, float, float]:
    """How each number enters: (levels, columns) with mean 0 and standard deviation 1 over people; both of these."""
    if method == "normal" and not isinstance(term, str):
        raise ValueError(
            f"impute: {name} by `normal` gets values nobody has, which enter as a line only; declare it without a "
            "form, or impute it by predictive-mean-matching"
        )
    seen = code[code >= 0]
    table = levels[:, None]
    if not isinstance(term, str):
        table = coding_of(pd.DataFrame({name: levels[seen]}), [term]).matrix(pd.DataFrame({name: levels}))[:, 1:]
    entered = table[seen]
    centre, spread = entered.mean(axis=0), entered.std(axis=0)
    spread[spread == 0] = 1.0
    return (table - centre) / spread, float(centre[0]), float(spread[0])
