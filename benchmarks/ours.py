"""Our side of the benchmarks: one function for each job, with what its users keep in memory made beforehand.

The jobs' formulas are in README.md; each must give the numbers that its peers give.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from backpain import design, estimate, impute, regression

PACKAGES = ("backpain", "numpy", "pandas", "statsmodels")
Work = Callable[[], dict[str, Any]]


def logistic(survey: Any) -> Work:
    people = frame(survey)
    return partial(regressed, people, ["treated", *survey.covariates], design.Design.of(people))


def regressed(
    people: pd.DataFrame, terms: list[str], sample: design.Sampling, outcome: str = "event"
) -> dict[str, Any]:
    """A survey-weighted logistic regression, with standard errors from the design or from its replicates."""
    found = regression.survey_regression(people, outcome, terms, sample)
    return {"estimate": found.coefficients, "se": np.sqrt(np.diag(found.covariance))}


def prevalences(survey: Any) -> Work:
    people = frame(survey)
    sample = design.Design.of(people)
    event, group = people["event"].to_numpy(), people["group"].to_numpy()

    def work() -> dict[str, Any]:
        shares = design.proportions(event, sample, group)
        low, high = shares.interval("logit")
        return {"estimate": shares.estimate, "se": shares.se, "df": shares.df, "low": low, "high": high}

    return work


def prevalences_of_frame(survey: Any) -> Work:
    """The same as most write it: the columns are looked up in their frame each time."""
    people = frame(survey)
    sample = design.Design.of(people)

    def work() -> dict[str, Any]:
        shares = design.proportions(people["event"], sample, people["group"])
        low, high = shares.interval("logit")
        return {"estimate": shares.estimate, "se": shares.se, "df": shares.df, "low": low, "high": high}

    return work


def refits(survey: Any) -> Work:
    people = frame(survey)
    return partial(regressed, people, survey.covariates, replicated(survey, people), "treated")


def iptw(survey: Any) -> Work:
    return partial(difference, survey, frame(survey), "weighting")


def aipw(survey: Any) -> Work:
    return partial(difference, survey, frame(survey), "doubly-robust")


def difference(survey: Any, people: pd.DataFrame, estimator: str) -> dict[str, Any]:
    """A risk difference with the models of treatment and outcome fitted again in every replicate."""
    trial = people.assign(treated=people["treated"] == 1, followed=True)
    rows = estimate.estimate(trial, survey.covariates, estimators=[estimator], design=replicated(survey, people))
    contrast = rows[rows["scale"] == "risk-difference"].iloc[0]
    return {"estimate": [contrast["estimate"]], "se": [contrast["se"]]}


def imputation(survey: Any) -> Work:
    """The plan that R's mice has too: no effects of the design, which mice has none of, and its augmentation."""
    gaps = frame(survey, "gaps.bin")
    partial_ones = [name for name in survey.covariates if gaps[name].isna().any()]
    levels = {name: gaps[name].nunique() for name in partial_ones}
    kinds = {2: "logistic", 4: "multinomial"}
    plan = impute.ImputationPlan(
        impute={name: kinds.get(levels[name], "predictive-mean-matching") for name in partial_ones},
        outcome="event",
        treatment="treated",
        predictors=tuple(survey.covariates),
        design_effects="none",
        augment="as mice",
        m=survey.imputations,
        iterations=survey.iterations,
    )
    sample, terms = design.Design.of(gaps), ["treated", *survey.covariates]

    def work() -> dict[str, Any]:
        imputed = impute.impute(gaps, plan)
        whole = (impute.completed(gaps, imputed, number) for number in imputed.numbers)
        fits = [regressed(people.astype(float), terms, sample) for people in whole]
        return pooled([fit["estimate"] for fit in fits], [fit["se"] for fit in fits], sample)

    return work


def pooling(survey: Any) -> Work:
    estimates, variances = survey.given()
    return partial(pooled, estimates, np.sqrt(variances), design.Design.of(frame(survey)))


def pooled(estimates: Any, se: Any, sample: design.Design) -> dict[str, Any]:
    """Rubin's rules with Barnard and Rubin's degrees of freedom, bounded by the design's."""
    whole = impute.pool(np.asarray(estimates), se=np.asarray(se), df_complete=sample.degrees_of_freedom)
    return {"estimate": whole.estimate, "se": whole.se, "df": whole.df, "between": np.diag(whole.between)}


def replicated(survey: Any, people: pd.DataFrame) -> design.Replicated:
    """The sample with the multipliers that every package is given."""
    factor = survey.factor()
    weight, unit, count = people["weight"].to_numpy(), people["unit"].to_numpy(), factor.shape[1]
    scale = np.full(count, 1 / (count - 1))
    return design.Replicated(weight, weight, unit, np.ones(len(factor)), factor, scale, kind="bootstrap")


def frame(survey: Any, file: str = "people.bin") -> pd.DataFrame:
    people = pd.DataFrame(survey.columns(file))
    return people.astype(dict.fromkeys(["stratum", "psu", "unit", "group", "treated", "event"], int))


JOBS = {
    "logistic": logistic,
    "prevalences": prevalences,
    "prevalences_of_frame": prevalences_of_frame,
    "refits": refits,
    "iptw": iptw,
    "aipw": aipw,
    "imputation": imputation,
    "pooling": pooling,
}
