"""Named computations a recode cannot say, each with the reference for its rule, and how to make them backwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd


class Derivation(NamedTuple):
    """A computation and its inverse.

    `compute` takes the declared columns as numbers (missing codes already missing) and returns one number for each
    row; `invert` takes such numbers, the columns' names and those columns that stand already (missing codes already
    missing), and returns all columns such that they compute to the numbers, where the ones that stand allow it.
    """

    compute: Callable[[pd.DataFrame], pd.Series]
    invert: Callable[[pd.Series, list[str], pd.DataFrame], pd.DataFrame]
    reference: str


def _sum_of_items(items: pd.DataFrame, highest: int) -> pd.Series:
    """Sum items scored from 0 to `highest`; a score with a missing item is missing."""
    outside = (items.notna() & ~items.isin(range(highest + 1))).any()
    if outside.any():
        column = outside.index[outside][0]
        strays = sorted(set(items[column][items[column].notna() & ~items[column].isin(range(highest + 1))]))
        raise ValueError(
            f"the item {column} holds {strays[:5]}, but items are scored 0 to {highest}; declare these codes as missing"
        )
    return items.sum(axis=1, skipna=False)


def _spread(score: pd.Series, names: list[str], highest: int, standing: pd.DataFrame) -> pd.DataFrame:
    """Items that sum to the score, filled from the first free one on; a missing score has every free item missing."""
    free = [name for name in names if name not in standing]
    rest = score.to_numpy(float) - standing.sum(axis=1, skipna=False).to_numpy(float)
    items = np.clip(rest[:, None] - np.arange(len(free)) * highest, 0, highest)
    return pd.concat([standing, pd.DataFrame(items, index=score.index, columns=free)], axis=1)[names]


def _amount(items: pd.DataFrame, minutes: bool) -> pd.Series:
    """Days, or minutes, of an activity in a week: none for those who do none of it; what is refused lies outside its range.

    The columns are `any` (1 yes, 2 no), `days` (1 to 7) and `minutes` on such a day (1 to the 1,440 it has).
    """
    told = items["days"].where(items["days"].between(1, 7))
    if minutes:
        told = told * items["minutes"].where(items["minutes"].between(1, 1440))
    return told.where(items["any"] == 1).mask(items["any"] == 2, 0.0)


def _week(amount: pd.Series, names: list[str], minutes: bool, standing: pd.DataFrame) -> pd.DataFrame:
    """Answers of which the amount of a week follows; a missing amount is a question not answered."""
    given = amount > 0
    days = (np.ceil(amount / 1440) if minutes else amount).where(given)
    first = pd.Series(np.where(given, 1.0, 2.0), index=amount.index).mask(amount.isna())
    columns = [first, days, (amount / days).where(given)] if minutes else [first, days]
    return pd.concat(columns, axis=1, keys=names).assign(**standing)


DERIVATIONS: dict[str, Derivation] = {
    # ASSUME: any item refused, not known or not asked makes the whole score missing (NCHS Data Brief 303).
    "phq9": Derivation(
        lambda items: _sum_of_items(items, 3),
        lambda score, names, standing: _spread(score, names, 3, standing),
        "Kroenke, Spitzer and Williams 2001, J Gen Intern Med 16:606",
    ),
    "phq_items": Derivation(
        lambda items: _sum_of_items(items, 3),
        lambda score, names, standing: _spread(score, names, 3, standing),
        "items of the PHQ-9 summed as it is",
    ),
    "weekly_minutes": Derivation(
        lambda items: _amount(items, True),
        lambda amount, names, standing: _week(amount, names, True, standing),
        "Global Physical Activity Questionnaire Analysis Guide (World Health Organization 2012): days times minutes",
    ),
    "weekly_days": Derivation(
        lambda items: _amount(items, False),
        lambda amount, names, standing: _week(amount, names, False, standing),
        "Global Physical Activity Questionnaire Analysis Guide (World Health Organization 2012)",
    ),
}
