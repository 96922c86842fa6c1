"""Our side of the benchmarks: one function for each job, with what its users keep in memory made beforehand.

The jobs' formulas are in README.md; each must give the numbers that its peers give.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from backpain import design, regression

PACKAGES = ("backpain", "numpy", "pandas", "statsmodels")
Work = Callable[[], dict[str, Any]]


def logistic(survey: Any) -> Work:
    people = frame(survey)
    sample, terms = design.Design.of(people), ["treated", *survey.covariates]

    def work() -> dict[str, Any]:
        table = regression.survey_logistic(people, "event", terms, sample)
        return {"estimate": table["estimate"], "se": table["se"]}

    return work


def prevalences(survey: Any) -> Work:
    people = frame(survey)
    sample = design.Design.of(people)

    def work() -> dict[str, Any]:
        shares = design.proportions(people["event"], sample, people["group"])
        low, high = shares.interval("logit")
        return {"estimate": shares.estimate, "se": shares.se, "df": shares.df, "low": low, "high": high}

    return work


def refits(survey: Any) -> Work:
    raise NotImplementedError("not available yet: regression under replicate weights")


def iptw(survey: Any) -> Work:
    raise NotImplementedError("not available yet: weighting with its models refitted in every replicate")


def aipw(survey: Any) -> Work:
    raise NotImplementedError("not available yet: augmented weighting with its models refitted in every replicate")


def imputation(survey: Any) -> Work:
    raise NotImplementedError("not available yet: chained equations under the design")


def pooling(survey: Any) -> Work:
    raise NotImplementedError("not available yet: Rubin's rules")


def replicated(survey: Any, people: pd.DataFrame) -> design.Replicated:
    """The sample with the multipliers that every package is given."""
    factor = survey.factor()
    weight, unit = people["weight"].to_numpy(), people["unit"].to_numpy()
    return design.Replicated(weight, weight, unit, factor, np.full(factor.shape[1], 1 / (factor.shape[1] - 1)))


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
