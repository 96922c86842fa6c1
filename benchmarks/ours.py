"""Our side of the benchmarks: one function for each job, with what its users keep in memory made beforehand.

The jobs' formulas are in README.md; each must give the numbers that its peers give.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from backpain import design, regression

PACKAGES = ("backpain", "numpy", "pandas", "statsmodels")
Work = Callable[[], dict[str, Any]]


def logistic(survey: Any) -> Work:
    people = frame(survey)
    return partial(regressed, people, ["treated", *survey.covariates], design.Design.of(people))


def regressed(people: pd.DataFrame, terms: list[str], sample: design.Design) -> dict[str, Any]:
    """The survey-weighted logistic regression of the event, as it is or will be called."""
    if hasattr(regression, "survey_regression"):
        found = regression.survey_regression(people, "event", terms, sample)
        return {"estimate": found.coefficients, "se": np.sqrt(np.diag(found.covariance))}
    table = regression.survey_logistic(people, "event", terms, sample)
    return {"estimate": table["estimate"], "se": table["se"]}


def prevalences(survey: Any) -> Work:
    people = frame(survey)
    sample = design.Design.of(people)

    def work() -> dict[str, Any]:
        shares = design.proportions(people["event"], sample, people["group"])
        low, high = shares.interval("logit")
        return {"estimate": shares.estimate, "se": shares.se, "df": shares.df, "low": low, "high": high}

    return work


def refits(survey: Any) -> Work:
    if not hasattr(regression, "survey_regression"):
        raise NotImplementedError("not available yet: regression under replicate weights")
    people = frame(survey)
    sample, drawn = design.Design.of(people), replicated(survey, people)

    def work() -> dict[str, Any]:
        found = regression.survey_regression(people, "treated", survey.covariates, sample)
        spread = design.variance(drawn, found.coefficients, lambda: found.influence, found.refit)
        return {"estimate": found.coefficients, "se": np.sqrt(np.diag(spread))}

    return work


def iptw(survey: Any) -> Work:
    raise NotImplementedError("not available yet: weighting with its models refitted in every replicate")


def aipw(survey: Any) -> Work:
    raise NotImplementedError("not available yet: augmented weighting with its models refitted in every replicate")


def imputation(survey: Any) -> Work:
    """The plan that R's mice has too: no effects of the design, which mice has none of, and its augmentation."""
    impute = coming("backpain.impute")
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
        return pooled(impute, [fit["estimate"] for fit in fits], [fit["se"] for fit in fits], sample)

    return work


def pooling(survey: Any) -> Work:
    impute = coming("backpain.impute")
    estimates, variances = survey.given()
    return partial(pooled, impute, estimates, np.sqrt(variances), design.Design.of(frame(survey)))


def pooled(impute: Any, estimates: Any, se: Any, sample: design.Design) -> dict[str, Any]:
    """Rubin's rules with Barnard and Rubin's degrees of freedom, bounded by the design's."""
    whole = impute.pool(np.asarray(estimates), se=np.asarray(se), df_complete=sample.degrees_of_freedom)
    return {"estimate": whole.estimate, "se": whole.se, "df": whole.df, "between": np.diag(whole.between)}


def coming(room: str) -> Any:
    """A room of the package that may not be there yet."""
    if importlib.util.find_spec(room) is None:
        raise NotImplementedError(f"not available yet: {room}")
    return importlib.import_module(room)


def replicated(survey: Any, people: pd.DataFrame) -> design.Replicated:
    """The sample with the multipliers that every package is given."""
    factor = survey.factor()
    weight, unit, count = people["weight"].to_numpy(), people["unit"].to_numpy(), factor.shape[1]
    return design.Replicated(weight, weight, unit, factor, np.full(count, 1 / (count - 1)), kind="bootstrap")


def frame(survey: Any, file: str = "people.bin") -> pd.DataFrame:
    people = pd.DataFrame(survey.columns(file))
    return people.astype(dict.fromkeys(["stratum", "psu", "unit", "group", "treated", "event"], int))


JOBS = {
    "logistic": logistic,
    "prevalences": prevalences,
    "refits": refits,
    "iptw": iptw,
    "aipw": aipw,
    "imputation": imputation,
    "pooling": pooling,
}
