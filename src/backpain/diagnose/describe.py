"""Who the participants are: Table 1, missing values, and who was lost, each by arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from backpain.design import Design, Sampling, means, proportions
from backpain.diagnose.arms import (
    ARMS,
    Column,
    Marks,
    Numbers,
    columns_of,
    known_column,
    treated_marks,
    usable_weight,
)
from backpain.diagnose.differences import mean_and_variance, standardised_difference

TABLE_ONE = ["variable", "level", "arm", "kind", "people", "value", "low", "high", "smd", "rule"]
MISSING = "missing"


def missing_column(column: Column) -> Column:
    """Who has no value, as 0 and 1."""
    return Column(column.variable, MISSING, column.kind, np.isnan(column.values).astype(float))


def table_columns(participants: pd.DataFrame, name: str, kinds: Mapping[str, str] | None) -> list[Column]:
    """The variable's rows of Table 1: a number or every level, and "missing" where somebody has no value."""
    columns = columns_of(participants, name, kinds)
    if not columns:
        return [Column(name, MISSING, "category", np.ones(len(participants)))]
    missing = missing_column(columns[0])
    return [*columns, missing] if missing.values.any() else columns


def arm_rows(column: Column, treated: Marks, design: Sampling) -> dict[str, dict[str, Any]]:
    """People, weighted share or mean, interval and NCHS verdict of each arm, among those with a known value."""
    known = ~np.isnan(column.values)
    share = column.kind == "category" or column.level == MISSING
    rows = {}
    for arm, mark in ARMS.items():
        domain = known & (treated == mark)
        people = int(column.values[domain].sum()) if share else int(domain.sum())
        rows[arm] = {"people": people, "value": np.nan, "low": np.nan, "high": np.nan, "rule": ""}
        if design.weight[domain].any():
            values = np.where(known, column.values, 0.0)
            found = proportions(values, design, None, domain) if share else means(values, design, None, domain)
            told = found.table().iloc[0]
            rows[arm] |= {"value": told["estimate"], **told[["low", "high", "rule"]].to_dict()}
    return rows


def difference(column: Column, treated: Marks, weight: Numbers) -> float:
    """The standardised difference among those with a known value; none where an arm knows nothing."""
    known = ~np.isnan(column.values)
    if not (weight[known & treated].any() and weight[known & ~treated].any()):
        return np.nan
    return standardised_difference(column.values[known], treated[known], weight[known])


def table_one(
    participants: pd.DataFrame,
    variables: Sequence[str],
    kinds: Mapping[str, str] | None = None,
    design: Sampling | None = None,
) -> pd.DataFrame:
    """The participants at baseline, by arm.

    Parameters
    ----------
    participants
        One row per person: `treated` (bool), `weight` (survey weight) and the variables, missing or not.
    variables
        What to describe, in order.
    kinds
        "category" or "number" by variable, where the column's type does not tell.
    design
        The participants within their survey; None takes them for a simple random sample.

    Returns
    -------
    Rows (variable, level, arm, kind, people, value, low, high, smd, rule). People are unweighted. The value of a
    level is its weighted share of those whose value is known, of a number (level "") the weighted mean of the
    known; a "missing" row gives the weighted share of the whole arm without a value. Shares have the interval of
    Korn and Graubard and the verdict of the NCHS presentation standard (`rule`: show, review or suppress), means a
    t-interval. `smd` is the same on the rows of both arms: the difference of the weighted values in standard
    deviations pooled over the two arms (the root of the mean of the arms' weighted variances).

    Raises
    ------
    ValueError
        For a variable that is absent, an empty arm, unusable weights.
    """
    treated = treated_marks(participants)
    weight = usable_weight(participants["weight"], len(treated))
    sample = Design.of(participants, None, None, None) if design is None else design
    rows = [
        {
            "variable": name,
            "level": column.level,
            "arm": arm,
            "kind": column.kind,
            **row,
            "smd": difference(column, treated, weight),
        }
        for name in variables
        for column in table_columns(participants, name, kinds)
        for arm, row in arm_rows(column, treated, sample).items()
    ]
    return pd.DataFrame(rows, columns=TABLE_ONE)


def missingness(participants: pd.DataFrame, variables: Sequence[str]) -> pd.DataFrame:
    """How many people lack each variable, by arm.

    `participants` are those before anybody was left out for missing values. Returns rows (variable, arm,
    missing, people), unweighted counts. Raises ValueError for a variable that is absent or an empty arm.
    """
    treated = treated_marks(participants)
    rows = [
        {
            "variable": name,
            "arm": arm,
            "missing": int(known_column(participants, name).isna().to_numpy()[treated == mark].sum()),
            "people": int((treated == mark).sum()),
        }
        for name in variables
        for arm, mark in ARMS.items()
    ]
    return pd.DataFrame(rows, columns=["variable", "arm", "missing", "people"])


def loss(participants: pd.DataFrame) -> pd.DataFrame:
    """How many of each arm were followed.

    Returns rows (arm, people, followed, share, weighted_share): counts, then the share followed of the arm's
    people and of its survey weight. Raises ValueError for an empty arm, unusable weights, unknown `followed`.
    """
    treated = treated_marks(participants)
    weight = usable_weight(participants["weight"], len(treated))
    if participants["followed"].isna().any():
        raise ValueError("participants: followed is missing for some people; make it true or false, for the lost false")
    followed = participants["followed"].to_numpy(dtype=bool)
    rows = [
        {
            "arm": arm,
            "people": int((treated == mark).sum()),
            "followed": int(followed[treated == mark].sum()),
            "share": float(followed[treated == mark].mean()),
            "weighted_share": mean_and_variance(followed[treated == mark].astype(float), weight[treated == mark])[0],
        }
        for arm, mark in ARMS.items()
    ]
    return pd.DataFrame(rows)
