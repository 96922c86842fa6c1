"""svy's side, by its public functions, on polars frames; the sample and its design are made before the clock starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import svy
from scipy.special import expit, logit
from scipy.stats import t

PACKAGES = ("svy", "svy-rs", "polars", "numpy")
Work = Callable[[], dict[str, Any]]


def logistic(survey: Any) -> Work:
    sample = svy.Sample(frame(survey), svy.Design(stratum="stratum", psu="psu", wgt="weight"))

    def work() -> dict[str, Any]:
        table = sample.glm.fit(y="event", x=["treated", *survey.covariates], family="binomial").to_polars()
        return {"estimate": table["estimate"].to_numpy(), "se": table["std_err"].to_numpy()}

    return work


def prevalences(survey: Any) -> Work:
    """`mean` with the logit interval by hand takes half the time of `prop`, which estimates both levels."""
    sample = svy.Sample(frame(survey), svy.Design(stratum="stratum", psu="psu", wgt="weight"))

    def work() -> dict[str, Any]:
        table = sample.estimation.mean("event", by="group").to_polars().sort("group")
        share, se, df = (table[name].to_numpy() for name in ("est", "se", "df"))
        reach = t.ppf(0.975, df) * se / (share * (1 - share))
        low, high = expit(logit(share) - reach), expit(logit(share) + reach)
        return {"estimate": share, "se": se, "df": df, "low": low, "high": high}

    return work


def refits(survey: Any) -> Work:
    people, factor = frame(survey), survey.factor()
    weights = people["weight"].to_numpy()[:, None] * factor[people["unit"].to_numpy()]
    replicates = weights.shape[1]
    columns = [pl.Series(f"replicate{number + 1}", weights[:, number]) for number in range(replicates)]
    given = svy.BootstrapWgts(prefix="replicate", n_reps=replicates, scale=1 / (replicates - 1))
    sample = svy.Sample(people.with_columns(columns), svy.Design(wgt="weight", rep_wgts=given))

    def work() -> dict[str, Any]:
        fit = sample.glm.fit(y="treated", x=survey.covariates, family="binomial", method="replication")
        table = fit.to_polars()
        return {"estimate": table["estimate"].to_numpy(), "se": table["std_err"].to_numpy()}

    return work


def frame(survey: Any) -> pl.DataFrame:
    whole = ["stratum", "psu", "unit", "group", "treated", "event"]
    columns = survey.columns()
    return pl.DataFrame(
        {name: column.astype(np.int64) if name in whole else column for name, column in columns.items()}
    )


JOBS = {"logistic": logistic, "prevalences": prevalences, "refits": refits}
