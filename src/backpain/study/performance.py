"""How well estimators did: bias, errors, coverage and power, each with its Monte Carlo error, and a verdict.

Measures and their Monte Carlo errors as in Morris, White and Crowther 2019, Stat Med 38:2074, table 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from backpain.spec import Scenario, Study
from backpain.study.repeat import LINEARISED, REFITTED

NOMINAL = 0.95
# The band holds the largest of all cells with this probability; a bias this small beside the error is none.
BAND, NEGLIGIBLE = 0.99, 0.05
PERFORMANCE = [
    "scenario", "estimator", "variance", "scale", "population", "role", "truth", "repetitions", "failed", "bias", "bias_mc_se",
    "empirical_se", "empirical_se_mc_se", "model_se", "model_se_mc_se", "se_error", "coverage", "coverage_mc_se",
    "rejects", "rejects_mc_se", "mean_squared_error", "z_bias", "z_coverage", "verdict",
]  # fmt: skip
VERDICT = ["what", "cells", "largest", "band", "passed", "worst"]
# What an estimator is about, where it is not everyone.
ABOUT = {"overlap-weighting": "overlap", "logistic": "conditional"}
# Which model an estimator leans on: of treatment, of the outcome, or either of them.
LEANS = {
    "weighting": "treatment",
    "overlap-weighting": "treatment",
    "standardisation-by-arm": "outcome",
    "standardisation": "outcome without interaction",
    "logistic": "outcome without interaction",
    "doubly-robust": "either",
    "targeted": "either",
}
CORRECT, ONE_WRONG, REPORTED = "correct", "one model wrong", "reported"


def correct(estimator: str, scenario: Scenario) -> str:
    """What is asked of an estimator in a scenario.

    `correct`: it is about the truth it is held to, and what it leans on is right. `one model wrong`: it is doubly robust,
    and one of its models is wrong: its bias is held to the rule, its intervals where every model was fitted again in each
    replicate; linearised ones are reported. `reported`: nothing is asked,
    because its model is wrong there, because it only approaches its estimand (truncated weights, entropy balancing of
    averages under a logistic treatment), or because few PSUs leave few degrees of freedom.
    """
    treatment = scenario.treatment_curve == 0 or scenario.confounding == 0
    outcome = scenario.outcome_curve == 0
    if scenario.strata * (scenario.clusters - 1) < 20:
        return REPORTED
    leans = LEANS.get(estimator)
    right = {
        None: estimator == "unadjusted" and scenario.confounding == 0 and not scenario.attrition and treatment,
        "treatment": treatment,
        "outcome": outcome,
        "outcome without interaction": outcome and scenario.effect_of_first == 0,
        "either": treatment and outcome,
    }[leans]
    if right:
        return CORRECT
    return ONE_WRONG if leans == "either" and (treatment or outcome) else REPORTED


def performance(study: Study, found: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Every cell: scenario, estimator, variance and scale.

    Parameters
    ----------
    found
        All repetitions.
    truth
        What `truths` returned, of all scenarios.

    Returns
    -------
    DataFrame
        Columns `PERFORMANCE`. Ratios are judged on the log scale. Repetitions without an estimate are counted in
        `failed` and in nothing else.
    """
    known = truth.set_index(["scenario", "population", "scale"])
    rows = []
    cells = found.groupby(["scenario", "estimator", "variance", "scale"], sort=False)
    for (scenario, estimator, variance, scale), each in cells:
        population = ABOUT.get(str(estimator), "everyone")
        if (scenario, population, scale) not in known.index:
            continue
        one = known.loc[(scenario, population, scale)]
        role = correct(str(estimator), study.scenario(str(scenario)))
        head = {"scenario": scenario, "estimator": estimator, "variance": variance, "scale": scale}
        head |= {"population": population, "role": role}
        rows.append({**head, **_measured(each, float(one["truth"]), float(one["mc_se"]), str(scale))})
    table = pd.DataFrame(rows)
    band = _band(table)
    return table.assign(verdict=[_judged(row, band) for row in table.to_dict("records")])[PERFORMANCE]


def _measured(each: pd.DataFrame, truth: float, truth_error: float, scale: str) -> dict[str, Any]:
    ratio = scale != "risk-difference"
    usable = each[each["se"].notna() & each["estimate"].notna()]
    count = len(usable)
    values, target = (np.log(usable["estimate"]), np.log(truth)) if ratio else (usable["estimate"], truth)
    spread = float(values.std(ddof=1))
    variance = usable["se"] ** 2
    model = float(np.sqrt(variance.mean()))
    bias = float(values.mean() - target)
    covered = float(((usable["low"] <= truth) & (truth <= usable["high"])).mean())
    rejected = float((usable["p"] < 1 - NOMINAL).mean())
    bias_error = float(np.hypot(spread / np.sqrt(count), 0.0 if np.isnan(truth_error) else truth_error))
    return {
        "truth": truth,
        "repetitions": count,
        "failed": len(each) - count,
        "bias": bias,
        "bias_mc_se": bias_error,
        "empirical_se": spread,
        "empirical_se_mc_se": spread / np.sqrt(2 * (count - 1)),
        "model_se": model,
        "model_se_mc_se": float(np.sqrt(variance.var(ddof=1) / (4 * count * model**2))),
        "se_error": model / spread - 1,
        "coverage": covered,
        "coverage_mc_se": float(np.sqrt(covered * (1 - covered) / count)),
        "rejects": rejected,
        "rejects_mc_se": float(np.sqrt(rejected * (1 - rejected) / count)),
        "mean_squared_error": float(((values - target) ** 2).mean()),
        "z_bias": bias / bias_error,
        # Against the error that coverage as promised would have.
        "z_coverage": (covered - NOMINAL) / float(np.sqrt(NOMINAL * (1 - NOMINAL) / count)),
    }


def simultaneous(cells: int) -> float:
    """How far the largest of so many standard normals lies from 0, with probability `BAND` at most (Bonferroni)."""
    return float(ndtri(1 - (1 - BAND) / (2 * max(cells, 1))))


def _judged(row: Mapping[str, Any], band: float) -> str:
    if row["role"] == REPORTED:
        return "reported"
    unbiased = abs(row["z_bias"]) <= band or abs(row["bias"]) < NEGLIGIBLE * row["empirical_se"]
    if not unbiased:
        return "biased"
    if row["role"] == ONE_WRONG and row["variance"] == LINEARISED:
        return "passed"
    if row["z_coverage"] < -band:
        return "covers too little"
    return "covers more than promised" if row["z_coverage"] > band else "passed"


def verdict(table: pd.DataFrame) -> pd.DataFrame:
    """What all cells say together: columns `VERDICT`.

    Bias and coverage of correct cells and with one model wrong: the largest |z| and the band it should lie in. A bias outside
    the band passes where it is negligible beside the empirical error, coverage where it is above what was promised. Estimates
    are the same whatever their variance, so bias is read where it is linearised.
    """
    rows = []
    for what, role, variance, column, failing in (
        ("bias, correct models", CORRECT, LINEARISED, "z_bias", "biased"),
        ("coverage, correct models, linearised", CORRECT, LINEARISED, "z_coverage", "covers too little"),
        ("coverage, correct models, all fitted again", CORRECT, REFITTED, "z_coverage", "covers too little"),
        ("bias, one model of two wrong", ONE_WRONG, LINEARISED, "z_bias", "biased"),
        ("coverage, one model of two wrong, all fitted again", ONE_WRONG, REFITTED, "z_coverage", "covers too little"),
    ):
        cells = table[(table["role"] == role) & (table["variance"] == variance)]
        if cells.empty:
            continue
        worst = cells.loc[cells[column].abs().idxmax()]
        rows.append(
            {
                "what": what,
                "cells": len(cells),
                "largest": abs(float(worst[column])),
                "band": _band(table),
                "passed": not (cells["verdict"] == failing).any(),
                "worst": f"{worst['scenario']}: {worst['estimator']}, {worst['scale']}",
            }
        )
    return pd.DataFrame(rows, columns=VERDICT)


def _band(table: pd.DataFrame) -> float:
    """One band for all: that of the correct cells, each counted once whatever its variances."""
    return simultaneous(int(((table["role"] == CORRECT) & (table["variance"] == LINEARISED)).sum()))
