"""pyseqtarget's side of benchmarks/sequence.py, by its public functions, on a polars frame made before the clock starts.

It has no standard errors but a bootstrap's, which is left out: what is timed is expansion, weights, the pooled regression
and curves alone, by each of the back ends that it installs with.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from pySEQTarget import SEQopts, SEQuential

PACKAGES = ("pyseqtarget", "glum", "statsmodels", "polars", "numpy", "pandas")
Work = Callable[[], dict[str, Any]]
# Its coefficients in the order of ours.
ORDER = ["Intercept", "sex", "age", "low_bas", "trial", "trial_sq", "followup", "followup_sq", "treated_bas[T.1]"]
ORDER += ["treated_bas[T.1]:followup"]


def emulated(method: str, package: str, survey: Any) -> Work:
    columns = survey.columns("panel.bin")
    whole = ["id", "period", "treated", "event", "eligible"]
    panel = pl.DataFrame(
        {name: column.astype(np.int64) if name in whole else column for name, column in columns.items()}
    ).rename({"period": "time"})

    def work() -> dict[str, Any]:
        options = SEQopts(weighted=method == "censoring", km_curves=True, glm_package=package, ncores=1)
        names = ["id", "time", "eligible", "treated", "event"]
        found = SEQuential(panel, *names, ["low"], ["sex", "age"], method, options)
        found.expand()
        found.fit()
        found.survival()
        model = found.outcome_model[0]["outcome"]
        named = dict(zip(model.params.index, model.params, strict=True))
        risk = found.km_data.filter((pl.col("estimate") == "risk") & (pl.col("followup") > 0))
        risk = risk.sort(["treated", "followup"])["pred"]
        return {"estimate": [named[name] for name in ORDER if name in named], "risk": risk.to_numpy()}

    return work


JOBS = {
    f"{job}{ending}": partial(emulated, method, package)
    for job, method in (("sustained", "censoring"), ("initiation", "ITT"))
    for ending, package in (("", "glum"), ("_statsmodels", "statsmodels"))
}
