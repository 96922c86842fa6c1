"""statsmodels' side: GLM with weights, and by hand what it does not offer (the sandwich, the loops)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import statsmodels.api as sm

PACKAGES = ("statsmodels", "numpy", "scipy")
Work = Callable[[], dict[str, Any]]


def logistic(survey: Any) -> Work:
    columns = survey.columns()
    outcome, weight = columns["event"], columns["weight"] / columns["weight"].mean()
    matrix = matrix_of(columns, ["treated", *survey.covariates])
    unit, strata = columns["unit"].astype(int), int(columns["stratum"].max()) + 1

    def work() -> dict[str, Any]:
        fit = fitted(matrix, outcome, weight)
        score = (weight * (outcome - fit.fittedvalues))[:, None] * matrix
        influence = score @ fit.normalized_cov_params
        totals = np.column_stack([np.bincount(unit, column, minlength=2 * strata) for column in influence.T])
        # Two PSUs in each stratum: n / (n - 1) times the squared deviations is the squared difference.
        apart = totals[0::2] - totals[1::2]
        return {"estimate": fit.params, "se": np.sqrt((apart**2).sum(0))}

    return work


def refits(survey: Any) -> Work:
    columns = survey.columns()
    matrix, treated = matrix_of(columns, survey.covariates), columns["treated"]

    def coefficients(rows: Any, weight: Any, starts: list[Any]) -> Any:
        return keep(fitted(matrix[rows], treated[rows], weight, starts[0] if starts else None), starts).params

    return replicated(survey, columns, coefficients)


def iptw(survey: Any) -> Work:
    """Normalised (Hajek) weights."""
    columns = survey.columns()
    matrix, treated, event = matrix_of(columns, survey.covariates), columns["treated"], columns["event"]

    def difference(rows: Any, weight: Any, starts: list[Any]) -> Any:
        a, y = treated[rows], event[rows]
        score = keep(fitted(matrix[rows], a, weight, starts[0] if starts else None), starts).fittedvalues
        one, none = weight * a / score, weight * (1 - a) / (1 - score)
        return np.array([one @ y / one.sum() - none @ y / none.sum()])

    return replicated(survey, columns, difference)


def aipw(survey: Any) -> Work:
    """An outcome model for each arm; its residuals weighted by 1 / propensity of the own arm, normalised."""
    columns = survey.columns()
    matrix, treated, event = matrix_of(columns, survey.covariates), columns["treated"], columns["event"]

    def difference(rows: Any, weight: Any, starts: list[Any]) -> Any:
        x, a, y = matrix[rows], treated[rows], event[rows]
        first, *others = starts if len(starts) == 3 else (None, None, None)
        score = keep(fitted(x, a, weight, first), starts, 3).fittedvalues
        risks = []
        for arm, own_score, start in ((1, score, others[0]), (0, 1 - score, others[1])):
            here = a == arm
            outcome = keep(fitted(x[here], y[here], weight[here], start), starts, 3)
            predicted = 1 / (1 + np.exp(-(x @ outcome.params)))
            own = weight[here] / own_score[here]
            risks.append(weight @ predicted / weight.sum() + own @ (y - predicted)[here] / own.sum())
        return np.array([risks[0] - risks[1]])

    return replicated(survey, columns, difference)


def replicated(survey: Any, columns: Any, estimate: Callable[[Any, Any, list[Any]], Any]) -> Work:
    """An estimate and its spread over the replicates, which skip rows of weight zero and start at the full fit."""
    unit, factor, weight = columns["unit"].astype(int), survey.factor(), columns["weight"]

    def work() -> dict[str, Any]:
        starts: list[Any] = []
        whole = estimate(slice(None), weight / weight.mean(), starts)
        values = []
        for column in factor.T:
            rows = np.flatnonzero(column[unit])
            own = weight[rows] * column[unit[rows]]
            values.append(estimate(rows, own / own.mean(), starts))
        return {"estimate": whole, "se": np.std(values, axis=0, ddof=1)}

    return work


def fitted(matrix: Any, outcome: Any, weight: Any, start: Any = None) -> Any:
    return sm.GLM(outcome, matrix, family=sm.families.Binomial(), freq_weights=weight).fit(start_params=start)


def keep(fit: Any, starts: list[Any], most: int = 1) -> Any:
    """Remember the coefficients of the full sample's fits, which come first."""
    if len(starts) < most:
        starts.append(fit.params)
    return fit


def matrix_of(columns: Any, names: list[str]) -> Any:
    people = len(columns["weight"])
    return np.column_stack([np.ones(people), *(columns[name] for name in names)])


JOBS = {"logistic": logistic, "refits": refits, "iptw": iptw, "aipw": aipw}
