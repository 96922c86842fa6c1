"""E-values, bias analysis, tipping points and single panels' pull, against published numbers and hand formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backpain.sensitivity import (
    TwoRisks,
    e_value,
    e_values,
    of_hazard_ratio,
    of_odds_ratio,
    of_risk_difference,
    of_risk_ratio,
    of_standardised_difference,
)


def independent(treated: int, events: int, untreated: int, others: int, share_error: bool = True) -> TwoRisks:
    """Two independent binomial risks of a simple random sample."""
    p1, p0, everyone = events / treated, others / untreated, treated + untreated
    f = treated / everyone
    matrix = ((p1 * (1 - p1) / treated, 0.0), (0.0, p0 * (1 - p0) / untreated))
    return TwoRisks(p1, p0, f, matrix, math.sqrt(f * (1 - f) / everyone) if share_error else 0.0)


def test_e_values_of_a_protective_risk_ratio_are_the_published_ones() -> None:
    found = of_risk_ratio(0.80, 0.71, 0.91)
    assert (round(found.estimate, 2), round(found.bound, 2)) == (1.81, 1.43)


def test_e_values_of_a_common_events_odds_ratio_are_the_published_ones() -> None:
    found = of_odds_ratio(0.86, 0.75, 0.99, common=True)
    assert (round(found.estimate, 2), round(found.bound, 2)) == (1.37, 1.08)


def test_e_values_of_a_common_events_hazard_ratio_are_the_published_ones() -> None:
    found = of_hazard_ratio(0.56, 0.46, 0.69, common=True)
    assert (round(found.estimate, 2), round(found.bound, 2)) == (2.35, 1.91)


def test_e_values_of_smoking_and_lung_cancer_are_the_published_ones() -> None:
    """VanderWeele and Ding 2017 on Hammond and Horn: 20.9 and 15.5 as a ratio; 20.95 and 15.96 as a difference."""
    ratio = of_risk_ratio(10.73, 8.02, 14.36)
    assert (round(ratio.estimate, 1), round(ratio.bound, 1)) == (20.9, 15.5)
    difference = of_risk_difference(independent(397 + 78557, 397, 51 + 108778, 51))
    assert (round(difference.estimate, 2), round(difference.bound, 2)) == (20.95, 15.96)


def test_a_rare_events_odds_or_hazard_ratio_is_read_as_a_risk_ratio() -> None:
    ratio = of_risk_ratio(0.5, 0.3, 0.9)
    for of in (of_odds_ratio, of_hazard_ratio):
        found = of(0.5, 0.3, 0.9, common=False)
        assert (found.estimate, found.bound) == (ratio.estimate, ratio.bound)


def test_e_values_do_not_care_which_arm_is_named_first() -> None:
    one, other = of_risk_ratio(0.8, 0.71, 0.91), of_risk_ratio(1 / 0.8, 1 / 0.91, 1 / 0.71)
    assert one.estimate == pytest.approx(other.estimate, rel=1e-14)
    assert one.bound == pytest.approx(other.bound, rel=1e-14)
    risks = independent(500, 60, 800, 200)
    one, other = of_risk_difference(risks), of_risk_difference(risks.turned())
    assert (one.estimate, one.bound) == pytest.approx((other.estimate, other.bound), rel=1e-12)


def test_the_bound_is_1_where_the_interval_holds_the_null() -> None:
    assert of_risk_ratio(0.9, 0.7, 1.1).bound == 1
    assert of_odds_ratio(1.2, 0.9, 1.6, common=True).bound == 1
    assert of_standardised_difference(0.1, -0.1, 0.3).bound == 1
    assert of_risk_difference(independent(50, 10, 50, 8)).bound == 1


def test_an_interval_that_reaches_the_true_value_of_one_half_has_bound_1() -> None:
    assert of_risk_ratio(0.8, 0.45, 0.9, true=0.5).bound == 1
    assert of_risk_ratio(0.8, 0.6, 0.9, true=0.5).bound == pytest.approx(e_value(0.6 / 0.5))
    assert of_risk_ratio(0.8, 0.6, 0.9, true=0.5).estimate == pytest.approx(e_value(1.6))


def test_a_null_estimate_can_be_moved_to_a_true_effect_by_the_e_value_of_the_effect() -> None:
    assert of_risk_ratio(1.0, 0.9, 1.1, true=2.0).estimate == pytest.approx(2 + math.sqrt(2))


def test_a_confounder_of_the_differences_bias_factor_moves_it_to_the_true_value() -> None:
    risks, true = independent(500, 200, 800, 100), 0.05
    b = of_risk_difference(risks, true).ratio
    left = (risks.treated - risks.untreated * b) * (risks.share_treated + (1 - risks.share_treated) / b)
    assert left == pytest.approx(true, rel=1e-12)


def test_a_standardised_difference_is_a_risk_ratio_of_its_exponential() -> None:
    d, se = 0.5, 0.1
    found = of_standardised_difference(d, d - 1.96 * se, d + 1.96 * se)
    assert found.estimate == pytest.approx(e_value(math.exp(0.91 * d)), rel=1e-14)
    assert found.bound == pytest.approx(e_value(math.exp(0.91 * d - 1.78 * se)), rel=1e-14)


@pytest.mark.parametrize("ratio", [0.0, -0.5, math.inf, math.nan])
def test_no_e_value_of_what_is_no_ratio(ratio: float) -> None:
    with pytest.raises(ValueError, match="finite and above 0"):
        of_risk_ratio(ratio)


def test_an_interval_beside_its_estimate_is_refused() -> None:
    with pytest.raises(ValueError, match=r"lower end 0\.9 lies above"):
        of_risk_ratio(0.8, 0.9, 1.0)
    with pytest.raises(ValueError, match=r"upper end 0\.7 lies below"):
        of_hazard_ratio(0.8, 0.6, 0.7, common=True)


def test_risks_and_covariances_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="untreated is 0"):
        TwoRisks(0.1, 0.0, 0.5, ((0.01, 0.0), (0.0, 0.01)))
    with pytest.raises(ValueError, match="correlation above 1"):
        TwoRisks(0.1, 0.2, 0.5, ((0.01, 0.02), (0.02, 0.01)))


def estimates(**changes: Any) -> pd.DataFrame:
    """Risks of two arms and their contrasts, as the estimators give them."""
    p1, p0, se = 0.10, 0.20, 0.02
    shared = {"se": se, "design_df": 100, "weighted_people": 500.0}
    rows = [
        {"arm": "treated", "scale": "risk", "estimate": p1, "low": 0.07, "high": 0.14, **shared},
        {"arm": "untreated", "scale": "risk", "estimate": p0, "low": 0.16, "high": 0.24, **shared},
        {"arm": "treated vs untreated", "scale": "risk-difference", "estimate": p1 - p0, "low": -0.16, "high": -0.04,
         **shared, "se": se * math.sqrt(2)},
        {"arm": "treated vs untreated", "scale": "risk-ratio", "estimate": p1 / p0, "low": 0.3, "high": 0.8, **shared},
        {"arm": "treated vs untreated", "scale": "odds-ratio", "estimate": 0.44, "low": 0.3, "high": 0.8, **shared},
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(**changes)


def test_the_rows_of_contrasts_get_their_e_values() -> None:
    found = e_values(estimates()).set_index("scale")
    assert list(found.index) == ["risk-difference", "risk-ratio", "odds-ratio"]
    assert found.loc["risk-ratio", "e_value"] == pytest.approx(e_value(0.5))
    assert found.loc["odds-ratio", "e_value"] == pytest.approx(e_value(math.sqrt(0.44)))  # a fifth is common
    assert found.loc["risk-difference", "e_value"] == pytest.approx(e_value(2))
    assert 1 < found.loc["risk-difference", "e_value_bound"] < found.loc["risk-difference", "e_value"]


def test_rows_without_their_arms_risks_are_refused() -> None:
    with pytest.raises(ValueError, match="0 rows hold the risk of arm 'treated'"):
        e_values(estimates().iloc[1:])
    with pytest.raises(ValueError, match="2 rows hold the risk"):
        e_values(pd.concat([estimates(), estimates()], ignore_index=True))


def test_a_row_without_an_estimate_has_no_e_value() -> None:
    rows = estimates()
    rows.loc[3, ["estimate", "low", "high"]] = np.nan
    found = e_values(rows).set_index("scale")
    assert np.isnan(found.loc["risk-ratio", "e_value"])
    assert np.isfinite(found.loc["odds-ratio", "e_value"])
