"""E-values, bias analysis, tipping points and single panels' pull, against published numbers and hand formulas."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backpain.design import Design, replicated, t_quantile
from backpain.sensitivity import (
    Cells,
    Followed,
    MisclassifiedOutcome,
    MisclassifiedTreatment,
    Prior,
    SamplingError,
    Selection,
    TwoRisks,
    UnmeasuredConfounder,
    bias_analysis,
    contrast,
    e_value,
    e_values,
    extremes,
    frontier,
    leave_one_panel_out,
    of_hazard_ratio,
    of_odds_ratio,
    of_risk_difference,
    of_risk_ratio,
    of_standardised_difference,
    table_of,
    tipping_grid,
)

FOLDER = Path(__file__).parent / "oracle/sensitivity"
ORACLE = json.loads((FOLDER / "sensitivity.json").read_text(encoding="utf-8"))


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


def fixed(value: float) -> Prior:
    return Prior("fixed", (value,))


def cells(*counts: float) -> Cells:
    return Cells(*(np.array([count]) for count in counts))


TABLE = cells(215, 1449, 668, 4296)
RATIO = (215 / 1664) / (668 / 4964)


def undone(*biases: Any, table: Cells = TABLE, scale: str = "risk-ratio", **told: Any) -> pd.DataFrame:
    """The analysis of a crude contrast of the table, rows by kind of error."""
    a, b, c, d = (float(cell[0]) for cell in table.each)
    one, other = a / (a + b), c / (c + d)
    crude = one / other if scale == "risk-ratio" else one - other
    sampling = {scale: SamplingError(crude, 0.05, 40)}
    settings = {"seed": 1, "draws": 2000, **told}
    return bias_analysis(table, biases, sampling, **settings).set_index("error")


def test_a_perfect_record_leaves_the_estimate_alone() -> None:
    perfect = fixed(1.0)
    found = undone(MisclassifiedTreatment(perfect, perfect), MisclassifiedOutcome(perfect, perfect))
    assert found.loc["systematic", ["estimate", "low", "high"]].tolist() == pytest.approx([RATIO] * 3, rel=1e-12)


def test_misclassified_treatment_is_undone_by_the_hand_formula() -> None:
    """Differential: sensitivity .78 and specificity .99 among events, .70 and .98 among others."""
    a = (215 - 0.01 * 883) / 0.77
    b = (1449 - 0.02 * 5745) / 0.68
    expected = (a / (a + b)) / ((883 - a) / (883 - a + 5745 - b))
    bias = MisclassifiedTreatment(fixed(0.78), fixed(0.99), fixed(0.70), fixed(0.98))
    assert undone(bias).loc["systematic", "estimate"] == pytest.approx(expected, rel=1e-12)


def test_misclassified_outcome_is_undone_by_the_hand_formula() -> None:
    a, c = (215 - 0.03 * 1664) / 0.87, (668 - 0.01 * 4964) / 0.79
    bias = MisclassifiedOutcome(fixed(0.9), fixed(0.97), fixed(0.8), fixed(0.99))
    found = undone(bias).loc["systematic", "estimate"]
    assert found == pytest.approx((a / 1664) / (c / 4964), rel=1e-12)
    difference = undone(bias, scale="risk-difference").loc["systematic", "estimate"]
    assert difference == pytest.approx(a / 1664 - c / 4964, rel=1e-12)


def test_selection_is_undone_by_the_inverse_of_its_probabilities() -> None:
    bias = Selection(fixed(0.9), fixed(0.8), fixed(0.7), fixed(0.6))
    a, b, c, d = 215 / 0.9, 1449 / 0.8, 668 / 0.7, 4296 / 0.6
    assert undone(bias).loc["systematic", "estimate"] == pytest.approx((a / (a + b)) / (c / (c + d)), rel=1e-12)


def test_an_unmeasured_confounder_is_undone_by_bross() -> None:
    bias = UnmeasuredConfounder(fixed(0.6), fixed(0.3), fixed(2.0))
    factor = (0.6 * 1 + 1) / (0.3 * 1 + 1)
    assert undone(bias).loc["systematic", "estimate"] == pytest.approx(RATIO / factor, rel=1e-12)


def test_the_difference_left_by_a_confounder_is_that_of_the_people_it_was_made_of() -> None:
    """Counts built from known risks in both strata of the confounder: standardising to everyone gives the answer."""
    risk = {(1, 1): 0.3, (1, 0): 0.15, (0, 1): 0.4, (0, 0): 0.2}
    people = {(1, 1): 600.0, (1, 0): 400.0, (0, 1): 600.0, (0, 0): 1400.0}
    events = {arm: sum(people[arm, u] * risk[arm, u] for u in (0, 1)) for arm in (0, 1)}
    table = cells(events[1], 1000 - events[1], events[0], 2000 - events[0])
    truth = 0.4 * (0.3 - 0.4) + 0.6 * (0.15 - 0.2)
    found = undone(UnmeasuredConfounder(fixed(0.6), fixed(0.3), fixed(2.0)), table=table, scale="risk-difference")
    assert found.loc["systematic", "estimate"] == pytest.approx(truth, rel=1e-12)


def test_biases_made_one_after_another_are_undone_in_the_right_order_however_they_are_named() -> None:
    """From true counts: confounding is in them, then selection, then misclassified treatment."""
    true, shares, se, sp = np.array([300.0, 700, 500, 1500]), np.array([0.9, 0.8, 0.6, 0.7]), 0.8, 0.95
    a, b, c, d = true * shares
    seen = cells(se * a + (1 - sp) * c, se * b + (1 - sp) * d, (1 - se) * a + sp * c, (1 - se) * b + sp * d)
    wrong = [
        UnmeasuredConfounder(fixed(0.5), fixed(0.4), fixed(1.5)),
        Selection(*(fixed(share) for share in shares)),
        MisclassifiedTreatment(fixed(se), fixed(sp)),
    ]
    found = undone(*wrong, table=seen).loc["systematic", "estimate"]
    assert found == pytest.approx((300 / 1000) / (500 / 2000) / (1.25 / 1.2), rel=1e-12)


def test_an_adjusted_estimate_moves_by_as_much_as_the_table_does() -> None:
    bias = UnmeasuredConfounder(fixed(0.6), fixed(0.3), fixed(2.0))
    found = bias_analysis(TABLE, [bias], {"risk-ratio": SamplingError(0.8, 0.1)}, seed=1, draws=10)
    assert found.loc[1, "estimate"] == pytest.approx(0.8 * 1.3 / 1.6, rel=1e-12)


def test_without_doubt_of_the_bias_the_total_error_is_that_of_sampling_moved() -> None:
    found = undone(UnmeasuredConfounder(fixed(0.6), fixed(0.3), fixed(2.0)), draws=400_000)
    assert found.loc["sampling", "high"] == pytest.approx(RATIO * math.exp(2.0210754 * 0.05), rel=1e-7)  # t of 40
    moved = found.loc["sampling", ["low", "high"]] * 1.3 / 1.6
    assert found.loc["total", ["low", "high"]].tolist() == pytest.approx(moved.tolist(), rel=2e-3)


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others() -> None:
    bias = UnmeasuredConfounder(Prior("beta", (6, 4)), Prior("beta", (3, 7)), Prior("log-normal", (1.2, 3)))
    pd.testing.assert_frame_equal(undone(bias), undone(bias))
    assert undone(bias).loc["total", "low"] != undone(bias, seed=2).loc["total", "low"]


def test_impossible_draws_are_counted_and_left_out() -> None:
    """Of specificities from .86 to 1, those below 1 - 215 / 1664 give the treated fewer events than none."""
    bias = MisclassifiedOutcome(fixed(0.9), Prior("uniform", (0.86, 1.0)))
    found = undone(bias, draws=50_000)
    assert found.loc["total", "impossible_share"] == pytest.approx((1 - 215 / 1664 - 0.86) / 0.14, abs=0.005)
    assert np.isfinite(found.loc["total", ["low", "high"]].astype(float)).all()


def test_a_specificity_so_low_that_cells_become_negative_is_refused() -> None:
    with pytest.raises(ValueError, match=r"2000 of 2000 draws are impossible.*0\.1292 in the treated"):
        undone(MisclassifiedOutcome(fixed(0.9), fixed(0.8)))


def test_a_confounder_that_would_push_a_risk_above_one_is_refused() -> None:
    high = cells(950, 50, 100, 900)
    with pytest.raises(ValueError, match="impossible"):
        undone(UnmeasuredConfounder(fixed(0.0), fixed(1.0), fixed(3.0)), table=high)


def test_beliefs_beyond_what_a_share_can_be_are_refused() -> None:
    with pytest.raises(ValueError, match="treatment: sensitivity: the prior uniform"):
        MisclassifiedTreatment(Prior("uniform", (0.8, 1.1)), fixed(1.0))
    with pytest.raises(ValueError, match="confounder: prevalence_untreated"):
        UnmeasuredConfounder(fixed(0.5), Prior("trapezoidal", (-0.1, 0.1, 0.2, 0.3)), fixed(2.0))
    with pytest.raises(ValueError, match="risk_ratio reaches 0"):
        UnmeasuredConfounder(fixed(0.5), fixed(0.5), fixed(0.0))
    with pytest.raises(ValueError, match="such a record says nothing"):
        MisclassifiedOutcome(fixed(0.4), fixed(0.6))


@pytest.mark.parametrize(
    ("kind", "numbers", "words"),
    [
        ("gamma", (1, 2), "not known"),
        ("uniform", (0.1,), "takes 2 numbers"),
        ("trapezoidal", (0.1, 0.3, 0.2, 0.4), "must not fall"),
        ("beta", (0, 2), "above 0"),
        ("fixed", (math.nan,), "not finite"),
    ],
)
def test_beliefs_that_are_none_are_refused(kind: str, numbers: tuple[float, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Prior(kind, numbers)


def test_a_trapezoid_has_the_quantiles_of_its_area() -> None:
    """From .7, flat from .75 to .85, to .95: height 1 / .175, rising area 1 / 7, falling 2 / 7."""
    found = Prior("trapezoidal", (0.7, 0.75, 0.85, 0.95)).quantile(np.array([0, 1 / 7, 3 / 7, 5 / 7, 1]))
    assert found == pytest.approx([0.7, 0.75, 0.80, 0.85, 0.95], abs=1e-12)
    triangle = Prior("trapezoidal", (0.0, 0.5, 0.5, 1.0)).quantile(np.array([0.125, 0.5, 0.875]))
    assert triangle == pytest.approx([0.25, 0.5, 0.75], abs=1e-12)


def test_a_log_normal_belief_has_its_percentiles() -> None:
    found = Prior("log-normal", (1.2, 3.0)).quantile(np.array([0.025, 0.5, 0.975]))
    assert found == pytest.approx([1.2, math.sqrt(3.6), 3.0], rel=1e-12)


def test_sensitivities_of_two_groups_are_drawn_alike() -> None:
    prior = Prior("uniform", (0.7, 0.9))
    one, _, other, _ = MisclassifiedTreatment(prior, fixed(1.0), prior).draw(20_000, np.random.default_rng(3))
    assert np.corrcoef(one, other)[0, 1] == pytest.approx(0.79, abs=0.02)  # 6 / pi arcsin(.4), ranks of .8
    same, _, likewise, _ = MisclassifiedTreatment(prior, fixed(1.0)).draw(50, np.random.default_rng(3))
    assert (same == likewise).all()


def test_the_weighted_table_counts_weights() -> None:
    found = table_of([1, 1, 0, 0, 1], [1, 0, 1, 0, 1], [2.0, 3.0, 5.0, 7.0, 11.0])
    assert [float(cell[0]) for cell in found.each] == [13, 3, 5, 7]


def test_a_table_with_missing_answers_is_refused_and_who_has_no_weight_is_not_asked() -> None:
    with pytest.raises(ValueError, match="event: must be yes or no"):
        table_of([1, 0], [np.nan, 1], [1.0, 1.0])
    assert float(table_of([1, 0], [np.nan, 1], [0.0, 1.0]).untreated_events[0]) == 1


def test_an_empty_cell_is_refused() -> None:
    with pytest.raises(ValueError, match="each must be above 0"):
        bias_analysis(cells(1, 5, 0, 4), [Selection(*[fixed(1.0)] * 4)], {}, seed=1)


def followed(lost: tuple[float, float] = (0.2, 0.3), se: float = 0.01) -> Followed:
    """A risk of .1 among the treated, .2 among the untreated; shares lost known."""
    return Followed((0.1, 0.2), lost, np.diag([se**2, se**2, 0.0, 0.0]), 60)


def test_the_lost_with_a_known_risk_shift_their_arm_by_their_share() -> None:
    one, other, estimate, low, high = contrast(followed(), 0.5, 0.0)
    assert (float(one), float(other)) == pytest.approx((0.8 * 0.1 + 0.2 * 0.5, 0.7 * 0.2))
    assert float(estimate) == pytest.approx(0.04)
    reach = 2.000297822 * math.hypot(0.8 * 0.01, 0.7 * 0.01)  # t of 60
    assert (float(low), float(high)) == pytest.approx((0.04 - reach, 0.04 + reach), rel=1e-8)


def test_lost_with_the_odds_of_the_followed_leave_the_estimate_alone() -> None:
    _, _, estimate, low, high = contrast(followed(), 1.0, 1.0, by="odds-ratio")
    assert float(estimate) == pytest.approx(-0.1, rel=1e-12)
    assert float(high - low) == pytest.approx(2 * 2.000297822 * math.hypot(0.01, 0.01), rel=1e-8)
    ratio = contrast(followed(), 1.0, 1.0, by="odds-ratio", scale="risk-ratio")
    assert float(ratio[2]) == pytest.approx(0.5, rel=1e-12)


def test_the_frontier_of_known_risks_is_the_line_of_the_closed_form() -> None:
    """(.08 + .2 q1) - (.14 + .3 q0) +- reach = value, solved for q0."""
    reach = 2.000297822 * math.hypot(0.008, 0.007)
    found = frontier(followed(), [0.5, 0.8], smallest_effect=-0.05)
    expected = {"low reaches no effect": -reach, "high reaches no effect": reach, "estimate reaches no effect": 0.0,
                "estimate reaches the smallest effect": 0.05}  # fmt: skip
    for change, shift in expected.items():
        rows = found[found["change"] == change].set_index("lost_treated")["lost_untreated"]
        for q1 in (0.5, 0.8):
            q0 = (0.2 * q1 - 0.06 + shift) / 0.3
            assert rows[q1] == pytest.approx(q0, rel=1e-8)


@pytest.mark.parametrize("scale", ["risk-difference", "risk-ratio"])
@pytest.mark.parametrize("by", ["risk", "odds-ratio"])
def test_on_the_frontier_the_conclusion_changes(by: str, scale: str) -> None:
    edge = frontier(followed(), [0.7, 0.9] if by == "risk" else [20.0, 40.0], by=by, scale=scale)
    edge = edge[edge["change"] == "high reaches no effect"]
    assert len(edge) > 0
    for q1, q0 in zip(edge["lost_treated"], edge["lost_untreated"], strict=True):
        rows = tipping_grid(followed(), [q1], [q0 * 0.999, q0 * 1.001], by, scale)
        assert rows["conclusion"].tolist() == ["holds no effect", "below no effect"]


def test_nothing_tips_where_hardly_anybody_is_lost() -> None:
    few = followed(lost=(0.01, 0.01))
    assert frontier(few, [0.0, 0.5, 1.0]).empty
    assert set(extremes(few)["conclusion"]) == {"below no effect"}


def test_the_extremes_are_all_and_none_of_the_lost() -> None:
    found = extremes(followed(), smallest_effect=-0.1).set_index("supposed")
    assert found["estimate"].tolist() == pytest.approx([-0.1, 0.08 - 0.14, 0.28 - 0.44, 0.28 - 0.14, 0.08 - 0.44])
    assert found["conclusion"].tolist()[3:] == ["above no effect", "below no effect"]
    assert found["matters"].tolist()[1:] == [False, True, False, True]
    alike = contrast(followed(), 1.0, 1.0, by="odds-ratio")
    assert found.iloc[0][["low", "high"]].tolist() == pytest.approx([float(alike[3]), float(alike[4])])


def people() -> pd.DataFrame:
    """Sixteen PSUs in eight strata, unequal weights; the last two of each PSU are lost."""
    generator = np.random.default_rng(11)
    frame = pd.DataFrame({"stratum": np.repeat(np.arange(8), 40), "psu": np.tile(np.repeat([1, 2], 20), 8)})
    frame["weight"] = generator.uniform(1, 5, len(frame))
    frame["treated"] = np.tile([1, 0], len(frame) // 2)
    frame["event"] = (generator.uniform(size=len(frame)) < 0.3).astype(float)
    frame.loc[frame.groupby(["stratum", "psu"]).cumcount() >= 16, "event"] = np.nan
    return frame


def test_the_interval_is_that_of_the_mean_of_filled_in_events() -> None:
    """Lost given the event for sure: the contrast of shares that the design itself estimates on filled-in people."""
    frame = people()
    design = Design.of(frame)
    found = contrast(Followed.of(frame["treated"], frame["event"], design), 1.0, 1.0)
    filled, arm, weight = frame["event"].fillna(1.0), frame["treated"], frame["weight"]
    means = [np.average(filled[arm == one], weights=weight[arm == one]) for one in (1, 0)]
    assert float(found[2]) == pytest.approx(means[0] - means[1], rel=1e-12)
    influence = sum(
        sign * weight * (arm == one) * (filled - mean) / weight[arm == one].sum()
        for sign, one, mean in ((1, 1, means[0]), (-1, 0, means[1]))
    )
    se = math.sqrt(design.covariance(np.asarray(influence)[:, None])[0, 0])
    assert float(found[4] - found[2]) == pytest.approx(2.306004135 * se, rel=1e-8)  # t of 8


def test_replicate_weights_give_much_the_same_covariance() -> None:
    frame = people()
    design = Design.of(frame)
    linear = Followed.of(frame["treated"], frame["event"], design)
    jackknife = Followed.of(frame["treated"], frame["event"], replicated(design, "jkn"))
    assert np.diag(jackknife.covariance) == pytest.approx(np.diag(linear.covariance), rel=0.1)
    assert jackknife.risk == pytest.approx(linear.risk, rel=1e-12)


def test_who_is_outside_the_domain_does_not_count() -> None:
    frame = people()
    inside = (np.arange(len(frame)) % 4 < 2).astype(bool)
    wild = frame.assign(treated=np.where(inside, frame["treated"], np.nan), event=np.where(inside, frame["event"], 7))
    one = Followed.of(frame["treated"], frame["event"], Design.of(frame), inside)
    other = Followed.of(wild["treated"], wild["event"], Design.of(frame), inside)
    assert one.risk == other.risk
    assert (one.covariance == other.covariance).all()


def test_a_trial_that_lost_nobody_has_no_tipping_point() -> None:
    with pytest.raises(ValueError, match="nobody is lost"):
        followed(lost=(0.0, 0.0))


def test_suppositions_that_are_no_risks_or_ratios_are_refused() -> None:
    with pytest.raises(ValueError, match="lost of the treated: supposed are risks within 0 and 1"):
        tipping_grid(followed(), [1.2], [0.5])
    with pytest.raises(ValueError, match="lost of the untreated: supposed are odds ratios"):
        tipping_grid(followed(), [1.2], [-1.0], by="odds-ratio")
    with pytest.raises(ValueError, match="scale 'hazard' is not known"):
        tipping_grid(followed(), [0.2], [0.2], scale="hazard")
    with pytest.raises(ValueError, match="smallest effect"):
        frontier(followed(), [0.2], smallest_effect=0.0)


def panels(scale: str = "risk-difference") -> pd.DataFrame:
    """All panels and each left out; the third pulls most."""
    numbers = {"main": (-0.03, 900), "without-panel-20": (-0.025, 600), "without-panel-21": (-0.03, 650),
               "without-panel-22": (0.01, 550), "only-panel-20": (0.5, 300)}  # fmt: skip
    rows = [
        {"survey": "panel", "analysis": "landmark", "variation": name, "arm": "a vs b", "scale": scale,
         "estimator": "weighting", "estimate": math.exp(value) if scale != "risk-difference" else value,
         "se": 0.02, "low": value - 0.04, "high": value + 0.04, "people": count}
        for name, (value, count) in numbers.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize("scale", ["risk-difference", "risk-ratio"])
def test_the_most_influential_panel_is_the_one_whose_absence_moves_the_estimate_most(scale: str) -> None:
    found = leave_one_panel_out(panels(scale), {"20": 2.0, "21": 1.0, "22": 5.0}).iloc[0]
    assert (found["panel"], found["panels"], found["failed"], found["sides"]) == ("22", 3, 0, 2)
    assert found["shift"] == pytest.approx(-0.04, rel=1e-9)
    assert found["shift_in_errors"] == pytest.approx(-2.0, rel=1e-9)
    assert found["share_of_people"] == pytest.approx(350 / 900)
    assert found["share_of_weight"] == pytest.approx(5 / 8)
    assert found["highest"] == (0.01 if scale == "risk-difference" else math.exp(0.01))


def test_panels_without_an_estimate_are_counted_and_passed_over() -> None:
    rows = panels()
    rows.loc[3, ["estimate", "low", "high"]] = np.nan
    found = leave_one_panel_out(rows).iloc[0]
    assert (found["failed"], found["panel"]) == (1, "20")


def test_estimates_without_left_out_panels_or_a_main_row_are_refused() -> None:
    with pytest.raises(ValueError, match="no variation leaves out a panel"):
        leave_one_panel_out(panels().iloc[[0, 4]])
    with pytest.raises(ValueError, match="0 main rows"):
        leave_one_panel_out(panels().iloc[1:])
    with pytest.raises(ValueError, match="panel 22 needs a weight"):
        leave_one_panel_out(panels(), {"20": 1.0})


def pair(found: Any) -> list[float]:
    return [found.estimate, found.bound]


def test_e_values_agree_with_the_papers_formulas_in_r() -> None:
    expected = ORACLE["ratios"]
    odds, hazard = (0.86, 0.75, 0.99), (0.56, 0.46, 0.69)
    found = {
        "risk": of_risk_ratio(0.80, 0.71, 0.91),
        "risk_true": of_risk_ratio(0.80, 0.71, 0.91, 1.2),
        "odds_common": of_odds_ratio(*odds, common=True),
        "odds_true": of_odds_ratio(*odds, 1.5, common=True),
        "hazard_common": of_hazard_ratio(*hazard, common=True),
        "hazard_true": of_hazard_ratio(*hazard, 0.9, common=True),
        "d": of_standardised_difference(0.42, 0.42 - 1.96 * 0.13, 0.42 + 1.96 * 0.13),
    }
    assert set(found) == set(expected)
    for name, each in found.items():
        assert pair(each) == pytest.approx(expected[name], rel=1e-8), name


def test_bias_factors_of_differences_agree_with_a_search_in_r() -> None:
    risks = TwoRisks(0.31, 0.18, 0.37, ((0.0004, 0.00005), (0.00005, 0.0003)), 0.012, 77)
    found = of_risk_difference(risks, 0.02)
    assert [found.ratio, found.ratio_bound] == pytest.approx(ORACLE["factors"]["difference"], rel=1e-8)
    found = of_risk_difference(independent(397 + 78557, 397, 51 + 108778, 51))
    assert [found.ratio, found.ratio_bound] == pytest.approx(ORACLE["factors"]["smoking"], rel=1e-8)


def seen_by_r() -> pd.DataFrame:
    frame = pd.read_csv(FOLDER / "people.csv")
    return frame.assign(event=frame["event"].where(frame["lost"] == 0))


def test_a_weighted_table_corrected_with_fixed_parameters_agrees_with_r() -> None:
    frame = seen_by_r()
    table = table_of(frame["treated"], frame["event"], frame["weight"].where(frame["lost"] == 0, 0.0))
    assert [float(cell[0]) for cell in table.each] == pytest.approx(ORACLE["bias"]["table"], rel=1e-12)
    answers = [
        MisclassifiedTreatment(fixed(0.90), fixed(0.97), fixed(0.85), fixed(0.98)),
        MisclassifiedOutcome(fixed(0.92), fixed(0.99), fixed(0.88), fixed(0.995)),
    ]
    all_of_them = [
        *answers,
        Selection(fixed(0.9), fixed(0.8), fixed(0.7), fixed(0.75)),
        UnmeasuredConfounder(fixed(0.55), fixed(0.35), fixed(1.8)),
    ]
    ratio = undone(*all_of_them, table=table).loc["systematic", "estimate"]
    assert ratio == pytest.approx(ORACLE["bias"]["ratio"], rel=1e-8)
    difference = undone(*all_of_them, table=table, scale="risk-difference").loc["systematic", "estimate"]
    assert difference == pytest.approx(ORACLE["bias"]["difference"], rel=1e-8)
    before = undone(*all_of_them[:3], table=table).loc["systematic", "estimate"]
    assert before == pytest.approx(ORACLE["bias"]["misclassified"], rel=1e-8)


def test_contrasts_with_the_lost_filled_in_agree_with_survey() -> None:
    frame, expected = seen_by_r(), ORACLE["tipping"]
    held = Followed.of(frame["treated"], frame["event"], Design.of(frame))
    asked = {
        "difference": (0.6, 0.1, "risk", "risk-difference"),
        "ratio": (0.6, 0.1, "risk", "risk-ratio"),
        "all_none": (1.0, 0.0, "risk", "risk-difference"),
        "none_all": (0.0, 1.0, "risk", "risk-difference"),
        "odds": (2.0, 0.5, "odds-ratio", "risk-difference"),
    }
    df = expected["difference"][2]
    assert held.df == df
    for name, (one, other, by, scale) in asked.items():
        found = [float(number) for number in contrast(held, one, other, by, scale)[2:]]
        value, low, high = np.log(found) if scale == "risk-ratio" else found
        assert value == pytest.approx(expected[name][0], rel=1e-8), name
        assert (high - low) / 2 / t_quantile(df, 0.95) == pytest.approx(expected[name][1], rel=1e-6), name
    edge = frontier(held, [0.6]).set_index("change")["lost_untreated"]
    assert edge["high reaches no effect"] == pytest.approx(expected["frontier"], rel=1e-8)
