"""Average outcomes under values everyone might have had, weighted by the survey, and their contrasts.

Each average has an influence function: how the coefficients move it (the delta method), and how it differs from
person to person where the other covariates were sampled with the people (Graubard and Korn 1999, Biometrics
55:652; Bieler et al. 2010, Am J Epidemiol 171:618).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t

from backpain.design import t_quantile, variance
from backpain.regression.domain import spread, vectors
from backpain.regression.forms import column_of, is_number, numbers_of, present_levels
from backpain.regression.rows import Rows

if TYPE_CHECKING:
    from backpain.regression.survey import Regression

Numbers = NDArray[np.float64]
# Predictions under some matrices, made when needed, each times a number.
Combination = list[tuple[Callable[[], Numbers], float]]

COVARIATES = ("sampled", "fixed", "independent")
SCALES = ("difference", "ratio")
# Steps of the numeric slope, in standard deviations of the variable, weighted so that their error is of fourth order.
STEPS = {1e-3: 4 / 3, 2e-3: -1 / 3}


@dataclass(frozen=True)
class Means:
    """Weighted averages, who lies how far from them, and how the coefficients move them.

    Attributes
    ----------
    value
        (m,) the averages.
    deviation
        (people, m) how far each person's own prediction lies from the average.
    gradient
        (k, m) slope of each average in the coefficients.
    """

    value: Numbers
    deviation: Numbers
    gradient: Numbers


def marginal_means(
    regression: Regression, variable: str, at: Sequence[Any] | None, contrast: str | None, covariates: str
) -> pd.DataFrame:
    """Rows of averages or contrasts; see `Regression.margins`."""
    if contrast is not None and contrast not in SCALES:
        raise ValueError(f"margins: contrast {contrast!r} is not known; choose {', '.join(SCALES)}, or None")
    values = _values(regression, variable, at)
    if contrast is not None and len(values) < 2:
        raise ValueError(f"margins: a {contrast} needs two values of {variable}; give them by `at`")
    wanted: list[Combination] = [[(partial(_everyone, regression, variable, value), 1.0)] for value in values]
    estimate, covariance = _estimated(regression, wanted, covariates)
    categories = regression.fit.kind.levels
    names = [(value, category) for value in values for category in categories]
    if contrast is None:
        return _table(regression, variable, names, "mean", estimate, covariance)
    return _contrasts(regression, variable, names, contrast, estimate, covariance, len(categories))


def average_slopes(regression: Regression, variable: str, covariates: str) -> pd.DataFrame:
    """Rows of average marginal effects; see `Regression.slopes`."""
    _known(regression, variable)
    if not is_number(column_of(regression.part, variable)):
        raise ValueError(f"slopes: {variable} is a category; take `margins` with a contrast")
    x = numbers_of(regression.part, variable)
    unit = float(x.std()) or 1.0

    sides: Combination = [
        (partial(_everyone, regression, variable, x + sign * step * unit), sign * share / (2 * step * unit))
        for step, share in STEPS.items()
        for sign in (1, -1)
    ]
    estimate, covariance = _estimated(regression, [sides], covariates)
    names = [("", category) for category in regression.fit.kind.levels]
    return _table(regression, variable, names, "slope", estimate, covariance)


def _estimated(regression: Regression, wanted: list[Combination], covariates: str) -> tuple[Numbers, Numbers]:
    """Averages of weighted sums of predictions, and their variance.

    Each of `wanted` is a sum of predictions under some matrices, each times a number.
    """
    if covariates not in COVARIATES:
        raise ValueError(f"margins: covariates {covariates!r} is not known; choose {', '.join(COVARIATES)}")
    fitted, members = regression.fit, regression.members
    means = [_means(regression, each) for each in wanted]
    estimate = np.concatenate([mean.value for mean in means])
    if not np.isfinite(estimate).all():
        raise ValueError("margins: a prediction is not finite there; choose values nearer to those seen")
    gradient = np.hstack([mean.gradient for mean in means])
    deviation = np.hstack([mean.deviation for mean in means])

    def own() -> Numbers:
        """What each person adds to the averages, were the coefficients known."""
        return (fitted.rows.weight / fitted.rows.weight.sum())[:, None] * deviation

    def known(weights: Numbers) -> Numbers:
        """The averages under other weights, were the coefficients known."""
        shares = np.array([weight / weight.sum() for weight in vectors(weights, members)])
        return np.asarray(estimate + shares @ deviation)

    def at(weights: Numbers) -> Numbers:
        # The matrices are made once for the block of replicates.
        made = [[(make(), times) for make, times in combination] for combination in wanted]
        return np.array([_again(regression, made, weight) for weight in vectors(weights, members)])

    if covariates == "sampled":
        return estimate, variance(
            regression.design, estimate, lambda: spread(fitted.influence @ gradient + own(), members), at, members
        )
    moved = gradient.T @ regression.covariance @ gradient
    if covariates == "fixed":
        return estimate, moved
    return estimate, moved + variance(regression.design, estimate, lambda: spread(own(), members), known, members)


def _means(regression: Regression, combination: Combination) -> Means:
    rows, kind, b = regression.fit.rows, regression.fit.kind, regression.fit.coefficients
    share = rows.weight / rows.weight.sum()
    predicted = np.zeros((len(share), len(kind.levels)))
    gradient = np.zeros((len(b), len(kind.levels)))
    for make, times in combination:
        for place, block in Rows(make(), rows.outcome, share, rows.offset).blocks():
            predicted[place] += times * kind.predict(block, b)
            gradient += times * kind.gradient(block, b)
    value = share @ predicted
    return Means(value, predicted - value, gradient)


def _again(regression: Regression, made: list[list[tuple[Numbers, float]]], weight: Numbers) -> Numbers:
    """The averages under other weights, the model fitted again."""
    rows, kind = regression.fit.rows, regression.fit.kind
    b, share = regression.fit.again(weight), weight / weight.sum()
    found = []
    for combination in made:
        parts = [times * kind.predict(Rows(x, rows.outcome, share, rows.offset), b) for x, times in combination]
        found.append(share @ sum(parts[1:], start=parts[0]))
    return np.concatenate(found)


def _known(regression: Regression, variable: str) -> None:
    groups = regression.coding.groups
    if variable not in regression.part:
        raise ValueError(f"margins: there is no column {variable!r}; name a variable of the model")
    if not any(variable in name for name in groups):
        raise ValueError(f"margins: {variable} is not in the model, which has {', '.join(groups)}")


def _values(regression: Regression, variable: str, at: Sequence[Any] | None) -> list[Any]:
    _known(regression, variable)
    if at is not None:
        return list(at)
    values = column_of(regression.part, variable)
    if is_number(values):
        raise ValueError(f"margins: {variable} is a number; give its values by `at`, or take `slopes`")
    return present_levels(values)


def _everyone(regression: Regression, variable: str, value: Any) -> Numbers:
    return regression.coding.matrix(regression.part.assign(**{variable: value}))


def _contrasts(
    regression: Regression,
    variable: str,
    names: list[tuple[Any, str]],
    contrast: str,
    estimate: Numbers,
    covariance: Numbers,
    categories: int,
) -> pd.DataFrame:
    """Each value against the first, category by category."""
    left = np.eye(len(estimate))[categories:]
    right = np.tile(np.eye(categories, len(estimate)), (len(left) // categories, 1))
    label = [(f"{value} vs {names[0][0]}", category) for value, category in names[categories:]]
    if contrast == "difference":
        turn, found = left - right, (left - right) @ estimate
    else:
        if not (estimate > 0).all():
            raise ValueError("margins: a mean is not above 0, so it has no ratio; take the difference")
        turn, found = (left - right) / estimate, (left - right) @ np.log(estimate)
    return _table(regression, variable, label, contrast, found, turn @ covariance @ turn.T)


def _table(
    regression: Regression,
    variable: str,
    names: list[tuple[Any, str]],
    scale: str,
    estimate: Numbers,
    covariance: Numbers,
) -> pd.DataFrame:
    se = np.sqrt(np.diag(covariance))
    reach = t_quantile(regression.freedom, regression.level) * se
    back = np.exp if scale == "ratio" else np.asarray
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * t.sf(np.abs(estimate / se), regression.freedom)
    return pd.DataFrame(
        {
            "variable": variable,
            "value": [value for value, _ in names],
            "category": [category for _, category in names],
            "scale": scale,
            "estimate": back(estimate),
            "se": se,
            "df": regression.freedom,
            "low": back(estimate - reach),
            "high": back(estimate + reach),
            # That an average is zero is no question.
            "p": np.nan if scale == "mean" else p,
            "people": int(regression.members.sum()),
        }
    )
