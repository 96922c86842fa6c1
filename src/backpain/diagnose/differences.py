"""How alike the two arms are, covariate by covariate, before and after weighting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from backpain.diagnose.arms import Column, Marks, Numbers, columns_of, treated_marks, usable_weight

BALANCE = ["covariate", "level", "stage", "smd", "variance_ratio", "treated", "untreated"]
SQUARED = "squared"


def mean_and_variance(values: Numbers, weight: Numbers) -> tuple[float, float]:
    """Weighted mean and variance (divided by the sum of the weights, so that 0-1 columns give p(1 - p))."""
    total = weight.sum()
    mean = float((weight * values).sum() / total)
    return mean, float((weight * (values - mean) ** 2).sum() / total)


def spread(values: Numbers, treated: Marks, weight: Numbers) -> float:
    """The pooled standard deviation: the root of the mean of the two arms' variances (Austin 2011)."""
    variances = [mean_and_variance(values[arm], weight[arm])[1] for arm in (treated, ~treated)]
    return float(np.sqrt(np.mean(variances)))


def ratio(number: float, unit: float, size: float) -> float:
    """number / unit, where both may be nothing but rounding error on values of this size."""
    nothing = 1e-12 * size
    if unit > nothing:
        return number / unit
    # Arms that differ although nobody within an arm does are as unlike as can be; the gate has to see it.
    return 0.0 if abs(number) <= nothing else float(np.copysign(np.inf, number))


def standardised_difference(values: Numbers, treated: Marks, weight: Numbers, before: Numbers | None = None) -> float:
    """Difference of the arms' weighted means in pooled standard deviations.

    The denominator comes from the sample before adjustment (weighted by `before`, by default `weight` itself)
    and stays the same afterwards: otherwise weighting could change the measure by changing the spread alone
    (Austin 2011, Multivariate Behavioral Research 46:399-424; Stuart 2010, Statistical Science 25:1-21).
    """
    means = [mean_and_variance(values[arm], weight[arm])[0] for arm in (treated, ~treated)]
    unit = spread(values, treated, weight if before is None else before)
    return ratio(means[0] - means[1], unit, float(np.abs(values).max()))


def balance_columns(
    participants: pd.DataFrame, name: str, before: Numbers, kinds: Mapping[str, str] | None
) -> list[Column]:
    """The covariate's columns; a number comes with its square, so that arms of unlike spread are seen too.

    The square is that of the distance from the mean before weighting: like the difference itself it does not
    depend on the unit or the origin of the scale.
    """
    columns = columns_of(participants, name, kinds)
    for column in columns:
        unknown = int(np.isnan(column.values).sum())
        if unknown:
            raise ValueError(
                f"{name}: {unknown} participants have no value; balance is of complete cases, leave them out"
            )
    squares = [
        column._replace(level=SQUARED, values=(column.values - mean_and_variance(column.values, before)[0]) ** 2)
        for column in columns
        if column.kind == "number"
    ]
    return [*columns, *squares]


def balance_row(column: Column, stage: str, treated: Marks, weight: Numbers, before: Numbers) -> dict[str, Any]:
    """One row of the balance table."""
    (mean, variance), (other_mean, other_variance) = (
        mean_and_variance(column.values[arm], weight[arm]) for arm in (treated, ~treated)
    )
    # The variance of a 0-1 column follows from its mean and says nothing of its own.
    scaled = column.kind == "number" and column.level != SQUARED and other_variance > 0
    return {
        "covariate": column.variable,
        "level": column.level,
        "stage": stage,
        "smd": standardised_difference(column.values, treated, weight, before),
        "variance_ratio": variance / other_variance if scaled else np.nan,
        "treated": mean,
        "untreated": other_mean,
    }


def balance(
    participants: pd.DataFrame,
    confounders: Sequence[str],
    before: ArrayLike,
    after: ArrayLike,
    kinds: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Standardised differences of every confounder before and after weighting.

    Parameters
    ----------
    participants
        One row per person: `treated` (bool) and the confounders, complete.
    confounders
        Names of the covariates to compare. For an unadjusted variation give those of the main analysis: the
        point is to show what was not adjusted for.
    before, after
        (people,) weights: the survey weight, and the weight of the analysis (0 for those it leaves out).
    kinds
        "category" or "number" where the column's type does not tell, such as panels numbered 13-21.

    Returns
    -------
    Rows (covariate, level, stage "before" or "after", smd, variance_ratio, treated, untreated). A category
    has one row per level, a number one with level "" (variance_ratio treated over untreated) and one with
    level "squared". `treated` and `untreated` are weighted means, for levels shares between 0 and 1.

    Raises
    ------
    ValueError
        For a confounder that is absent or has missing values, an empty arm or one without weight, unusable
        weights.
    """
    treated = treated_marks(participants)
    stages = {
        "before": usable_weight(before, len(treated), "before"),
        "after": usable_weight(after, len(treated), "after"),
    }
    for stage, weight in stages.items():
        if not (weight[treated].any() and weight[~treated].any()):
            raise ValueError(f"{stage}: an arm has no weight at all; balance needs somebody in both")
    columns = [c for name in confounders for c in balance_columns(participants, name, stages["before"], kinds)]
    rows = [
        balance_row(c, stage, treated, weight, stages["before"]) for c in columns for stage, weight in stages.items()
    ]
    return pd.DataFrame(rows, columns=BALANCE)


def product_balance(
    participants: pd.DataFrame,
    confounders: Sequence[str],
    before: ArrayLike,
    after: ArrayLike,
    kinds: Mapping[str, str] | None = None,
) -> pd.Series:
    """Standardised differences, after weighting, of the products of every two confounders.

    Each column is taken from its mean before weighting, so that a product tells what its two columns do not. Arguments and
    errors as in `balance`.

    Returns
    -------
    By the name of the pair, such as "age x sex female"; without products of levels of one variable, and of columns that
    have one value.
    """
    treated = treated_marks(participants)
    weights = [usable_weight(one, len(treated), name) for one, name in ((before, "before"), (after, "after"))]
    columns = [column for name in confounders for column in columns_of(participants, name, kinds)]
    centred = [column.values - mean_and_variance(column.values, weights[0])[0] for column in columns]
    found = {
        f"{one.variable} {one.level} x {other.variable} {other.level}".replace(
            "  ", " "
        ).strip(): standardised_difference(centred[i] * centred[j], treated, weights[1], weights[0])
        for i, one in enumerate(columns)
        for j, other in enumerate(columns[:i])
        if one.variable != other.variable
    }
    return pd.Series(found, dtype=float)
