"""Average outcomes under values everyone might have had, weighted by the survey, and their contrasts.

Each average has an influence function: how the coefficients move it (the delta method), and how it differs from
person to person where the other covariates were sampled with the people (Graubard and Korn 1999, Biometrics
55:652; Bieler et al. 2010, Am J Epidemiol 171:618).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t

from backpain.design import Design, Replicated, t_quantile
from backpain.regression.average import Combination, average
from backpain.regression.domain import spread, vectors
from backpain.regression.forms import column_of, is_number, numbers_of, present_levels
from backpain.regression.rows import Rows

if TYPE_CHECKING:
    from backpain.regression.survey import Regression

Numbers = NDArray[np.float64]
Marks = NDArray[np.bool_]

COVARIATES = ("sampled", "fixed", "independent")
SCALES = ("difference", "ratio")
# Steps of the numeric slope, in standard deviations of the variable, weighted so that their error is of fourth order.
STEPS = {1e-3: 4 / 3, 2e-3: -1 / 3}


def marginal_means(
    regression: Regression, variable: str, at: Sequence[Any] | None, contrast: str | None, covariates: str
) -> pd.DataFrame:
    """Rows of averages or contrasts; see `Regression.margins`."""
    if contrast is not None and contrast not in SCALES:
        raise ValueError(f"margins: contrast {contrast!r} is not known; choose {', '.join(SCALES)}, or None")
    values = _values(regression, variable, at)
    if contrast is not None and len(values) < 2:
        raise ValueError(f"margins: a {contrast} needs two values of {variable}; give them by `at`")
    estimate, covariance = averages(regression, variable, values, covariates)
    categories = regression.fit.kind.levels
    names = [(value, category) for value in values for category in categories]
    if contrast is None:
        return _table(regression, variable, names, "mean", estimate, covariance)
    return _contrasts(regression, variable, names, contrast, estimate, covariance, len(categories))


def averages(regression: Regression, variable: str, values: Sequence[Any], covariates: str) -> tuple[Numbers, Numbers]:
    """The averages at these values, and their variance matrix; see `Regression.averages`."""
    wanted: list[Combination] = [[(partial(_everyone, regression, variable, value), 1.0)] for value in values]
    return _estimated(regression, wanted, covariates)


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
    fitted, design, members = regression.fit, regression.design, regression.members
    means = [average(each, fitted.kind, fitted.coefficients, fitted.rows.weight, fitted.rows.offset) for each in wanted]
    estimate = np.concatenate([mean.value for mean in means])
    if not np.isfinite(estimate).all():
        raise ValueError("margins: a prediction is not finite there; choose values nearer to those seen")
    own = np.hstack([mean.own for mean in means])
    gradient = np.hstack([mean.gradient for mean in means])
    moved = gradient.T @ regression.covariance @ gradient
    if covariates == "fixed":
        return estimate, moved
    if isinstance(design, Design):
        if covariates == "sampled":
            return estimate, design.covariance(spread(fitted.influence @ gradient + own, members), members)
        return estimate, moved + design.covariance(spread(own, members), members)
    if covariates == "sampled":
        return estimate, design.spread(_replicated(regression, design, wanted), estimate)
    deviation = np.hstack([mean.deviation for mean in means])
    known = [estimate + weight @ deviation / weight.sum() for _, weight in _weights(design, members)]
    return estimate, moved + design.spread(np.array(known), estimate)


def _weights(design: Replicated, members: Marks) -> Iterator[tuple[int, Numbers]]:
    """Each replicate and its weights of the domain's people."""
    for part, block in design.blocks():
        yield from enumerate(vectors(block, members), part.start)


def _replicated(regression: Regression, design: Replicated, wanted: list[Combination]) -> Numbers:
    """(replicates, m) the averages under every replicate weight, by the coefficients fitted to it."""
    rows, kind = regression.fit.rows, regression.fit.kind
    made = [[(make(), times) for make, times in combination] for combination in wanted]
    values = np.empty((design.replicates, len(made) * len(kind.levels)))
    for place, weight in _weights(design, regression.members):
        share, b = weight / weight.sum(), regression.replicates[place]
        found = []
        for combination in made:
            parts = [times * kind.predict(Rows(x, share, share, rows.offset), b) for x, times in combination]
            found.append(share @ sum(parts[1:], start=parts[0]))
        values[place] = np.concatenate(found)
    return values


def _known(regression: Regression, variable: str) -> None:
    if variable not in regression.coding.variables:
        named = ", ".join(sorted(regression.coding.variables))
        raise ValueError(f"margins: {variable} is not in the model, which has {named}")


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
