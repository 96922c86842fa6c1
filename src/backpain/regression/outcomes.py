"""What a family makes of an outcome's column: numbers, or positions among categories."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backpain.regression.categories import Multinomial, Ordinal
from backpain.regression.families import SINGLE
from backpain.regression.forms import codes_of, is_number, present_levels
from backpain.regression.newton import Kind

Numbers = NDArray[np.float64]

FAMILIES: dict[str, object] = {**SINGLE, "multinomial": Multinomial, "ordinal": Ordinal}


def read_outcome(frame: pd.DataFrame, outcome: str, family: str, weight: Numbers) -> tuple[Kind, Numbers]:
    """The family, with its categories where it has some, and the outcome as numbers.

    Raises
    ------
    ValueError
        If the outcome is absent, missing or of the wrong kind, or the family is not known.
    """
    if family not in FAMILIES:
        raise ValueError(f"family {family!r} is not known; choose {', '.join(FAMILIES)}")
    if outcome not in frame:
        raise ValueError(f"{outcome}: there is no such column; name the outcome")
    values = frame[outcome]
    if missing := int(values.isna().sum()):
        raise ValueError(f"{outcome}: missing for {missing} people of the domain")
    if family in SINGLE:
        return SINGLE[family], _numbers(values, outcome, family)
    return _categories(frame, outcome, family, weight)


def _numbers(values: pd.Series, outcome: str, family: str) -> Numbers:
    try:
        return np.asarray(values.to_numpy(dtype=float))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{outcome}: {family} regression needs numbers, and this column holds others such as {values.iloc[0]!r}; "
            "compare it with the category meant, or choose `multinomial` or `ordinal`"
        ) from error


def _categories(frame: pd.DataFrame, outcome: str, family: str, weight: Numbers) -> tuple[Kind, Numbers]:
    values = frame[outcome]
    ordered = isinstance(values.dtype, pd.CategoricalDtype) or is_number(values)
    if family == "ordinal" and not ordered:
        raise ValueError(
            f"{outcome}: its categories have no order; make it a pandas Categorical with categories in order"
        )
    levels = present_levels(values[weight > 0])
    if len(levels) < 3:
        raise ValueError(
            f"{outcome}: {len(levels)} categories ({', '.join(map(str, levels))}) among those with a weight; "
            f"{family} regression needs 3, choose `logistic`"
        )
    # Those without weight may be in a category that nobody counts in.
    known = values.where(values.isin(levels), levels[0])
    codes = codes_of(known.to_frame(), outcome, levels).astype(float)
    named = tuple(str(level) for level in levels)
    return (Multinomial(named) if family == "multinomial" else Ordinal(named)), codes
