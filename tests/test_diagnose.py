"""Balance, overlap, weights, missing values and the gate, on frames whose answers can be had by hand."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from backpain.design import Design, mean, proportion
from backpain.diagnose import (
    balance,
    diagnostics,
    effective_sample_size,
    equipoise,
    gate,
    loss,
    missingness,
    overlap,
    overlap_share,
    product_balance,
    standardised_difference,
    table_one,
    weight_summary,
    weighted_percentile,
)
from backpain.nuisance import fit_nuisance
from backpain.regression import survey_regression
from backpain.spec import load_protocol
from backpain.spec.analysis import Assignment
from backpain.trials.diagnosing import products

ROOT = Path(__file__).parents[1]
THRESHOLDS = {"largest_smd": 0.1, "least_overlap": 0.8, "smallest_arm": 50}


def four_people(**more: object) -> pd.DataFrame:
    """Two treated with weights 1 and 3, two untreated with weights 1 and 1."""
    people = pd.DataFrame(
        {
            "treated": [True, True, False, False],
            "followed": True,
            "weight": [1.0, 3.0, 1.0, 1.0],
            "age": [1.0, 3.0, 0.0, 4.0],
            "sex": pd.Categorical(["male", "female", "male", "female"], ["male", "female", "unknown"]),
        }
    )
    return people.assign(**more)


def two_by_two() -> pd.DataFrame:
    """400 people: three in four of those with the confounder are treated, one in four of those without."""
    counts = {(True, "present"): 150, (True, "absent"): 50, (False, "present"): 50, (False, "absent"): 150}
    rows = [(treated, pain) for (treated, pain), count in counts.items() for _ in range(count)]
    return pd.DataFrame(rows, columns=["treated", "pain"]).assign(followed=True, weight=1.0)


def true_propensity(people: pd.DataFrame) -> np.ndarray:
    return np.where(people["pain"] == "present", 0.75, 0.25)


def inverse_probability(people: pd.DataFrame, score: np.ndarray) -> np.ndarray:
    return people["weight"].to_numpy() / np.where(people["treated"], score, 1 - score)


def looked_up(rows: pd.DataFrame, **keys: str) -> pd.Series:
    """The one row with these values."""
    found = rows
    for name, value in keys.items():
        found = found[found[name] == value]
    assert len(found) == 1
    return found.iloc[0]


# Balance


def test_a_difference_of_means_is_divided_by_the_pooled_standard_deviation() -> None:
    people = four_people()
    rows = balance(people, ["age"], before=people["weight"], after=people["weight"])
    row = looked_up(rows, covariate="age", level="", stage="before")
    # Treated: mean (1 + 9)/4 = 2.5, variance (2.25 + 3 x 0.25)/4 = 0.75. Untreated: mean 2, variance 4.
    assert (row["treated"], row["untreated"]) == (2.5, 2.0)
    assert row["smd"] == pytest.approx(0.5 / np.sqrt((0.75 + 4) / 2))
    assert row["variance_ratio"] == pytest.approx(0.75 / 4)


def test_the_denominator_after_weighting_is_that_before() -> None:
    people = four_people()
    rows = balance(people, ["age"], before=people["weight"], after=[0, 1, 1, 1])
    row = looked_up(rows, level="", stage="after")
    # Treated 3, untreated 2; the treated have no variance left, yet the unit is the one from before.
    assert row["smd"] == pytest.approx(1 / np.sqrt((0.75 + 4) / 2))


def test_each_level_of_a_category_is_a_share() -> None:
    people = four_people()
    rows = balance(people, ["sex"], before=people["weight"], after=people["weight"])
    row = looked_up(rows, level="female", stage="before")
    assert (row["treated"], row["untreated"]) == (0.75, 0.5)
    assert row["smd"] == pytest.approx(0.25 / np.sqrt((0.1875 + 0.25) / 2))
    assert np.isnan(row["variance_ratio"])
    assert set(rows["level"]) == {"male", "female"}, "a level nobody has is no covariate"
    mirror = looked_up(rows, level="male", stage="before")
    assert mirror["smd"] == pytest.approx(-row["smd"])


def test_arms_of_equal_mean_and_unequal_spread_differ_in_the_square() -> None:
    people = four_people()
    rows = balance(people, ["age"], before=people["weight"], after=people["weight"])
    row = looked_up(rows, level="squared", stage="before")
    # Around the mean 14/6 = 7/3 the squares are 16/9 and 4/9 (weight 3), 49/9 and 25/9.
    assert row["treated"] == pytest.approx((16 + 3 * 4) / 9 / 4)
    assert row["untreated"] == pytest.approx((49 + 25) / 9 / 2)
    assert np.isnan(row["variance_ratio"])


def test_panel_numbers_are_categories_when_declared_so() -> None:
    people = four_people(panel=[13, 14, 13, 13])
    assert set(balance(people, ["panel"], people["weight"], people["weight"])["level"]) == {"", "squared"}
    declared = balance(people, ["panel"], people["weight"], people["weight"], kinds={"panel": "category"})
    assert set(declared["level"]) == {"13", "14"}


def test_true_and_false_are_levels() -> None:
    people = four_people(insured=[True, False, True, True])
    rows = balance(people, ["insured"], people["weight"], people["weight"])
    assert looked_up(rows, level="yes", stage="before")["treated"] == 0.25
    assert looked_up(rows, level="no", stage="before")["treated"] == 0.75


def test_a_constant_covariate_is_balanced_despite_rounding() -> None:
    people = four_people(weight=[0.1, 0.7, 0.3, 1 / 3], age=0.1)
    rows = balance(people, ["age"], people["weight"], people["weight"])
    assert (rows["smd"] == 0).all()


def test_arms_without_any_common_value_differ_without_bound() -> None:
    people = four_people(sex=["male", "male", "female", "female"])
    rows = balance(people, ["sex"], people["weight"], people["weight"])
    assert looked_up(rows, level="male", stage="after")["smd"] == np.inf
    assert looked_up(rows, level="female", stage="after")["smd"] == -np.inf


def test_right_weights_balance_the_confounder_exactly() -> None:
    people = two_by_two()
    weight = inverse_probability(people, true_propensity(people))
    rows = balance(people, ["pain"], before=people["weight"], after=weight)
    assert looked_up(rows, level="present", stage="before")["smd"] == pytest.approx(0.5 / np.sqrt(0.1875))
    assert looked_up(rows, level="present", stage="after")["smd"] == pytest.approx(0, abs=1e-12)


def test_balance_refuses_missing_values_and_stray_names() -> None:
    people = four_people(age=[1.0, np.nan, 0.0, 4.0])
    with pytest.raises(ValueError, match="age: 1 participants have no value"):
        balance(people, ["age"], people["weight"], people["weight"])
    with pytest.raises(ValueError, match=r"no column 'income'.*age"):
        balance(people, ["income"], people["weight"], people["weight"])
    with pytest.raises(ValueError, match="kind 'text' is not known"):
        balance(people, ["sex"], people["weight"], people["weight"], kinds={"sex": "text"})


def test_an_empty_arm_is_refused_by_name() -> None:
    people = four_people(treated=True)
    with pytest.raises(ValueError, match="nobody is untreated"):
        balance(people, ["age"], people["weight"], people["weight"])
    with pytest.raises(ValueError, match="after: an arm has no weight"):
        balance(four_people(), ["age"], [1, 1, 1, 1], [1, 1, 0, 0])
    with pytest.raises(ValueError, match="treated is missing for 1"):
        balance(
            four_people(treated=pd.array([True, None, False, False], dtype="boolean")),
            ["age"],
            [1] * 4,
            [1] * 4,
        )


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1, 1, 1], "for 4 people"),
        ([1, np.nan, 1, 1], "1 people"),
        ([-1, 1, 1, 1], "negative"),
        ([0] * 4, "zero"),
    ],
)
def test_unusable_weights_are_refused(weight: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=f"before: .*{message}"):
        balance(four_people(), ["age"], before=weight, after=[1, 1, 1, 1])


numbers = st.floats(-100, 100).map(lambda number: round(number, 3))
people_of_two_arms = st.lists(st.tuples(numbers, st.floats(0.01, 1000), st.booleans()), min_size=4, max_size=30).filter(
    lambda rows: {row[2] for row in rows} == {True, False}
)


@given(people_of_two_arms, st.floats(0.01, 100), st.floats(-1000, 1000), st.booleans())
def test_standardised_differences_do_not_depend_on_the_unit(
    rows: list[tuple[float, float, bool]], unit: float, origin: float, turned: bool
) -> None:
    values, weight, treated = (np.array(column) for column in zip(*rows, strict=True))
    assume(np.ptp(values[treated]) > 0.01 or np.ptp(values[~treated]) > 0.01)
    factor = -unit if turned else unit
    people = pd.DataFrame({"treated": treated, "before": values, "scaled": factor * values + origin})
    before, scaled = (
        balance(people, [name], weight, np.sqrt(weight)).set_index(["level", "stage"])["smd"]
        for name in ("before", "scaled")
    )
    assert_allclose(scaled[""], np.sign(factor) * before[""], rtol=1e-5, atol=1e-6)
    assert_allclose(scaled["squared"], before["squared"], rtol=1e-4, atol=1e-5)


@given(people_of_two_arms)
def test_exchanging_the_arms_turns_the_sign(rows: list[tuple[float, float, bool]]) -> None:
    values, weight, treated = (np.array(column) for column in zip(*rows, strict=True))
    here = standardised_difference(values, treated, weight)
    assert standardised_difference(values, ~treated, weight) == pytest.approx(-here)


# Weights and overlap


def test_the_effective_sample_size_is_kishs() -> None:
    assert effective_sample_size([1, 1, 2]) == pytest.approx(16 / 6)
    assert effective_sample_size([1, 1, 2, 0]) == pytest.approx(16 / 6), "people without weight do not count"
    assert effective_sample_size([5e200, 5e200]) == pytest.approx(2), "squares may not overflow"


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=50))
def test_the_effective_sample_size_is_between_one_and_all(weight: list[float]) -> None:
    size = effective_sample_size(weight)
    assert 1 - 1e-9 <= size <= len(weight) * (1 + 1e-9)
    assert effective_sample_size(np.array(weight) * 7) == pytest.approx(size)


def test_the_weight_summary_leaves_out_people_without_weight() -> None:
    summary = weight_summary([0, 1, 1, 2])
    assert (summary["people"], summary["mean"], summary["largest"]) == (3, pytest.approx(4 / 3), 2)
    assert summary["largest_over_mean"] == pytest.approx(1.5)
    most = weight_summary([1.0] * 99 + [50.0])
    assert most["percentile_99"] == 1, "99 of 100 people have at most weight 1"


@pytest.mark.parametrize(("share", "value"), [(0.0, 2.0), (0.25, 2.0), (0.26, 5.0), (0.99, 5.0), (1.0, 5.0)])
def test_a_weighted_percentile_is_the_value_at_which_the_share_is_reached(share: float, value: float) -> None:
    # The lowest and the highest value belong to people without weight.
    values, weight = np.array([5.0, 2.0, 1.0, 9.0]), np.array([3.0, 1.0, 0.0, 0.0])
    assert weighted_percentile(values, weight, share) == value


def test_a_share_reached_up_to_rounding_is_reached() -> None:
    weight = np.full(20, 0.1)
    assert weight[0] < 0.05 * weight.cumsum()[-1], "the sum is a little above 2"
    assert weighted_percentile(np.arange(20.0), weight, 0.05) == 0


SCORES = np.array([0.2, 0.4, 0.6, 0.8, 0.1, 0.3, 0.5, 0.7])
IN_ARMS = np.array([True] * 4 + [False] * 4)


def test_equipoise_is_the_share_that_is_about_as_likely_treated_as_anybody() -> None:
    # Half are treated, so the preference score is the propensity: 0.5 and 0.65 lie within 0.3 to 0.7, 0.2 and 0.9 do not.
    score, treated = [0.5, 0.9, 0.2, 0.65], [True, True, False, False]
    assert equipoise(score, treated, [1.0, 3.0, 2.0, 2.0]) == pytest.approx(0.25)
    # Three in four are treated: a propensity of 0.75 is a preference of one half, and 0.5 one of a quarter.
    assert equipoise([0.75, 0.75, 0.75, 0.5], [True, True, True, False], [1.0] * 4) == 0.0
    assert equipoise([0.75, 0.75, 0.75, 0.75], [True, True, True, False], [1.0] * 4) == 1.0


def test_products_show_what_single_confounders_do_not() -> None:
    # The signs of a and b agree among the treated and differ among the untreated; each alone is the same in both arms.
    a, b = np.array([1.0, -1.0, 1.0, -1.0] * 25), np.array([1.0, -1.0, -1.0, 1.0] * 25)
    treated = np.array([True, True, False, False] * 25)
    people = pd.DataFrame({"treated": treated, "a": a, "b": b + 0.5})
    ones = np.ones(100)
    assert balance(people, ["a", "b"], ones, ones)["smd"].abs().max() == pytest.approx(0, abs=1e-12)
    found = product_balance(people, ["a", "b"], ones, ones)
    assert found.index.tolist() == ["b x a"]
    assert np.isinf(found["b x a"]) or found["b x a"] > 1
    sexes = people.assign(sex=pd.Categorical(np.where(a > 0, "male", "female")))
    names = product_balance(sexes, ["a", "sex"], ones, ones).index
    assert set(names) == {"sex male x a", "sex female x a"}


def test_the_overlap_share_is_that_of_the_worse_arm() -> None:
    # Untreated scores reach from 0.1 to 0.7: of the treated only 0.8 lies outside; vice versa only 0.1.
    assert overlap_share(SCORES, IN_ARMS, np.ones(8)) == pytest.approx(0.75)
    heavy = np.array([1, 1, 1, 7, 1, 1, 1, 1])
    assert overlap_share(SCORES, IN_ARMS, heavy) == pytest.approx(0.3)


def test_equal_scores_overlap_wholly_and_parted_scores_not_at_all() -> None:
    assert overlap_share(np.full(8, 0.5), IN_ARMS, np.ones(8)) == 1
    assert overlap_share(np.where(IN_ARMS, 0.9, 0.1), IN_ARMS, np.ones(8)) == 0


def test_a_few_odd_people_do_not_make_overlap() -> None:
    # 200 untreated at 0.1, one at 0.9 beyond the 99th percentile: the treated at 0.9 have nobody alike.
    score = np.array([0.1] * 200 + [0.9] + [0.9] * 50)
    treated = np.array([False] * 201 + [True] * 50)
    assert overlap_share(score, treated, np.ones(251)) == 0


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0.001, 1e6), st.booleans()), min_size=2, max_size=40).filter(
        lambda rows: {row[2] for row in rows} == {True, False}
    )
)
def test_overlap_is_a_share_and_histograms_add_up(rows: list[tuple[float, float, bool]]) -> None:
    score, weight, treated = (np.array(column) for column in zip(*rows, strict=True))
    share = overlap_share(score, treated, weight)
    assert 0 <= share <= 1
    assert overlap_share(score, ~treated, weight) == pytest.approx(share), "the arms' names do not matter"
    histogram = overlap(score, treated, weight)
    assert_allclose(histogram.groupby("arm")["share"].sum(), 1)


def test_the_histogram_holds_each_arms_weight_in_forty_bins() -> None:
    rows = overlap([0.0, 0.99, 1.0, 0.5], [True, True, True, False], [1, 1, 2, 9])
    assert len(rows) == 80
    treated = rows[rows["arm"] == "treated"].reset_index(drop=True)
    assert (treated["low"][0], treated["high"][39]) == (0, 1)
    assert treated["share"][0] == pytest.approx(0.25)
    assert treated["share"][39] == pytest.approx(0.75), "1 belongs to the last bin"
    untreated = rows[rows["arm"] == "untreated"].reset_index(drop=True)
    assert untreated["share"][20] == 1, "0.5 opens the twenty-first bin"


@pytest.mark.parametrize("score", [[0.5, np.nan], [0.5, 1.2], [-0.1, 0.5]])
def test_scores_that_are_no_probabilities_are_refused(score: list[float]) -> None:
    for function in (overlap, overlap_share):
        with pytest.raises(ValueError, match="propensity: 1 people"):
            function(score, [True, False], [1, 1])


# Table 1, missing values, loss


def test_table_one_gives_unweighted_people_and_weighted_shares() -> None:
    rows = table_one(four_people(), ["sex", "age"])
    female = looked_up(rows, variable="sex", level="female", arm="treated")
    assert (female["people"], female["value"], female["kind"]) == (1, 0.75, "category")
    assert female["smd"] == pytest.approx(0.25 / np.sqrt((0.1875 + 0.25) / 2))
    age = looked_up(rows, variable="age", arm="treated")
    assert (age["level"], age["people"], age["value"], age["kind"]) == ("", 2, 2.5, "number")
    assert rows["variable"].drop_duplicates().tolist() == ["sex", "age"]


def test_shares_are_of_the_known_and_missing_is_of_all() -> None:
    people = four_people(
        treated=[True, True, True, False],
        weight=[1.0, 1.0, 2.0, 1.0],
        smoking=["never", "current", None, "never"],
    )
    rows = table_one(people, ["smoking"])
    never = looked_up(rows, level="never", arm="treated")
    assert (never["people"], never["value"]) == (1, 0.5)
    missing = looked_up(rows, level="missing", arm="treated")
    assert (missing["people"], missing["value"]) == (1, 0.5)
    assert looked_up(rows, level="missing", arm="untreated")["people"] == 0
    assert rows["level"].tolist()[-2:] == ["missing", "missing"], "after the levels"


def test_a_number_with_missing_values_has_a_missing_row() -> None:
    rows = table_one(four_people(age=pd.array([1, None, 0, 4], dtype="Int64")), ["age"])
    known = looked_up(rows, level="", arm="treated")
    assert (known["people"], known["value"]) == (1, 1.0)
    assert looked_up(rows, level="missing", arm="treated")["value"] == 0.75


def test_a_variable_an_arm_knows_nothing_of_has_no_difference() -> None:
    rows = table_one(four_people(age=[np.nan, np.nan, 0.0, 4.0]), ["age"])
    row = looked_up(rows, level="", arm="treated")
    assert row["people"] == 0
    assert np.isnan(row["value"])
    assert np.isnan(row["smd"])


def test_a_variable_nobody_answered_is_all_missing() -> None:
    rows = table_one(four_people(smoking=pd.Series([None] * 4, dtype="str")), ["smoking"])
    assert rows[["level", "value"]].drop_duplicates().to_numpy().tolist() == [["missing", 1.0]]


def test_table_one_gives_what_the_design_gives_within_each_arm() -> None:
    people = pd.read_csv(Path(__file__).parent / "oracle" / "people.csv").assign(
        treated=lambda frame: frame["treated"] == 1
    )
    design, treated = Design.of(people), people["treated"]
    people["age"] = people["age"].mask(people["age"] > 75)
    rows = table_one(people, ["sex", "age"], design=design)
    share = proportion(people["sex"] == "female", design, treated)
    female = looked_up(rows, variable="sex", level="female", arm="treated")
    assert (female["value"], female["low"], female["high"]) == (share.estimate, share.low, share.high)
    assert female["rule"] == "show"
    told = mean(people["age"], design, ~treated & people["age"].notna())
    age = looked_up(rows, variable="age", level="", arm="untreated")
    assert (age["value"], age["low"], age["high"]) == (told.estimate, told.low, told.high)
    assert age["rule"] == "", "the standard is for shares"
    rare = looked_up(rows, variable="age", level="missing", arm="treated")
    assert rare["rule"] in ("show", "review", "suppress")
    assert rare["people"] == (treated & people["age"].isna()).sum()


def test_missing_values_are_counted_by_arm() -> None:
    people = four_people(age=[np.nan, 3.0, 0.0, 4.0], smoking=pd.Categorical([None, None, "never", None]))
    rows = missingness(people, ["age", "smoking"])
    assert rows.to_numpy().tolist() == [
        ["age", "treated", 1, 2],
        ["age", "untreated", 0, 2],
        ["smoking", "treated", 2, 2],
        ["smoking", "untreated", 1, 2],
    ]


def test_loss_is_told_unweighted_and_weighted() -> None:
    rows = loss(four_people(followed=[True, False, True, True])).set_index("arm")
    assert rows.loc["treated"].tolist() == [2, 1, 0.5, 0.25]
    assert rows.loc["untreated"].tolist() == [2, 2, 1, 1]
    with pytest.raises(ValueError, match="followed is missing"):
        loss(four_people(followed=pd.array([True, None, True, True], dtype="boolean")))


# The gate


def checks_of(people: pd.DataFrame, score: np.ndarray, thresholds: dict[str, float] | None = None) -> pd.DataFrame:
    weight = inverse_probability(people, score) * people["followed"]
    rows = balance(people, ["pain"], people["weight"], weight)
    return diagnostics(people, rows, score, weight, thresholds or THRESHOLDS)


def test_an_adjusted_analysis_passes_the_gate() -> None:
    people = two_by_two()
    rows = checks_of(people, true_propensity(people)).set_index("check")
    assert gate(rows.reset_index()) == "passed"
    assert rows.loc["largest_smd", "value"] == pytest.approx(0, abs=1e-12)
    assert rows.loc["largest_smd_before", "value"] == pytest.approx(0.5 / np.sqrt(0.1875))
    assert rows.loc["least_overlap", "value"] == 1
    assert rows.loc["smallest_arm", "value"] == 200
    assert (rows.loc["lowest_propensity", "value"], rows.loc["highest_propensity", "value"]) == (0.25, 0.75)
    # Treated: 150 of weight 4/3 and 50 of weight 4, so (200 + 200)^2 / (150 x 16/9 + 50 x 16).
    assert rows.loc["effective_people_treated", "value"] == pytest.approx(160_000 / (800 / 3 + 800))
    assert rows.loc["largest_weight_over_mean_treated", "value"] == pytest.approx(2)


def test_an_unadjusted_analysis_fails_for_balance_alone() -> None:
    people = two_by_two()
    assert gate(checks_of(people, np.full(400, 0.5))) == "failed: largest_smd"


def test_every_failed_check_is_named() -> None:
    people = pd.DataFrame({"treated": [True] * 3 + [False] * 60}).assign(followed=True, weight=1.0)
    people["pain"] = np.where(people["treated"], "present", "absent")
    score = np.where(people["treated"], 0.9, 0.1)
    assert gate(checks_of(people, score)) == "failed: largest_smd, least_overlap, smallest_arm"


def test_thresholds_are_met_at_their_value() -> None:
    people = two_by_two()
    found = checks_of(people, np.full(400, 0.5)).set_index("check")["value"]
    exact = {name: found[name] for name in THRESHOLDS}
    assert gate(checks_of(people, np.full(400, 0.5), exact)) == "passed"
    assert gate(checks_of(people, true_propensity(people), {**THRESHOLDS, "smallest_arm": 200})) == "passed"
    closed = checks_of(people, true_propensity(people), {**THRESHOLDS, "smallest_arm": 201})
    assert gate(closed) == "failed: smallest_arm"


def test_a_difference_below_zero_counts_by_its_size() -> None:
    people = two_by_two()
    people["age"] = np.where(people["treated"], 40.0, 60.0) + np.tile([-5.0, 5.0], 200)
    weight = np.ones(400)
    rows = balance(people, ["age"], weight, weight)
    assert rows["smd"].max() < 0.1
    assert gate(diagnostics(people, rows, np.full(400, 0.5), weight, THRESHOLDS)) == "failed: largest_smd"


def test_a_check_without_an_answer_has_not_passed() -> None:
    rows = pd.DataFrame({"check": ["largest_smd"], "value": [np.nan], "threshold": [0.1]})
    assert gate(rows.assign(passed=pd.array([None], dtype="boolean"))) == "failed: largest_smd"


def test_loss_in_the_checks_is_weighted() -> None:
    people = two_by_two()
    people.loc[people.index[:40], ["followed", "weight"]] = [False, 2.0]
    rows = checks_of(people, true_propensity(people)).set_index("check")
    assert rows.loc["lost_share_treated", "value"] == pytest.approx(80 / 240)


def test_only_people_followed_and_weighted_count_in_the_smallest_arm() -> None:
    people = two_by_two()
    people.loc[people.index[:40], "followed"] = False
    weight = np.ones(400)
    weight[190:200] = 0
    rows = diagnostics(people, balance(people, ["pain"], weight, weight), np.full(400, 0.5), weight, THRESHOLDS)
    assert rows.set_index("check").loc["smallest_arm", "value"] == 150


def test_the_lost_are_not_counted_in_the_smallest_arm() -> None:
    people = two_by_two()
    people.loc[people.index[:40], "followed"] = False
    rows = checks_of(people, true_propensity(people)).set_index("check")
    assert rows.loc["smallest_arm", "value"] == 160
    assert rows.loc["lost_share_treated", "value"] == pytest.approx(0.2)
    assert rows.loc["lost_share_untreated", "value"] == 0


def test_a_gate_with_nothing_to_look_at_stays_closed() -> None:
    people = two_by_two()
    weight = np.ones(400)
    rows = diagnostics(people, balance(people, [], weight, weight), np.full(400, 0.5), weight, THRESHOLDS)
    assert gate(rows) == "failed: largest_smd"
    with pytest.raises(ValueError, match="no check has a threshold"):
        gate(rows[rows["threshold"].isna()])


def test_the_gate_reads_its_table_from_a_file(tmp_path: Path) -> None:
    people = two_by_two()
    for score, said in ((true_propensity(people), "passed"), (np.full(400, 0.5), "failed: largest_smd")):
        checks_of(people, score).to_csv(tmp_path / "diagnostics.csv", index=False)
        assert gate(pd.read_csv(tmp_path / "diagnostics.csv")) == said


def test_a_gate_with_other_thresholds_is_refused() -> None:
    people = two_by_two()
    with pytest.raises(ValueError, match="declare exactly largest_smd, least_overlap, smallest_arm"):
        checks_of(people, true_propensity(people), {"largest_smd": 0.1})


def by_conditions(changed: bool, people: int = 1200) -> pd.DataFrame:
    """Treatment halves the odds of the event; or raises them with the condition and lowers them without."""
    rng = np.random.default_rng(11)
    frame = pd.DataFrame({"treated": rng.random(people) < 0.5, "condition": rng.choice(["no", "yes"], people)})
    effect = np.where(frame["condition"] == "yes", 1.2, -1.2) if changed else -0.7
    chance = 1 / (1 + np.exp(1 - 0.8 * (frame["condition"] == "yes") - effect * frame["treated"]))
    event = pd.array(rng.random(people) < chance, dtype="boolean")
    followed = rng.random(people) < 0.9
    event[~followed] = pd.NA
    return frame.assign(
        followed=followed, event=event, weight=1.0, stratum=np.arange(people) % 10, psu=np.arange(people) % 40
    )


@pytest.mark.parametrize(("changed", "low", "high"), [(False, 0.05, 1), (True, 0, 1e-6)])
def test_a_confounder_that_changes_what_treatment_does_is_told_by_the_products(
    changed: bool, low: float, high: float
) -> None:
    people = by_conditions(changed)
    plan = load_protocol("treatment-landmark").model_copy(
        update={"assignment": Assignment(confounders=[{"variable": "condition"}])}
    )
    rows = products(people, plan, fit_nuisance(people, ["condition"]), Design.of(people))
    assert rows["check"].tolist() == ["p_treatment_by_confounders"]
    assert low < rows["value"].iloc[0] < high
    assert rows["threshold"].isna().all()
    # Anyone can have the same from the model itself: one product, so the test is that of its coefficient.
    weight = np.where(people["followed"], 1 / fit_nuisance(people, ["condition"]).retention, 1.0)
    kept = people[people["followed"]].assign(weight=weight[people["followed"]]).astype({"event": bool})
    terms = ["treated", "condition", {"interaction": ["treated", "condition"]}]
    model = survey_regression(kept, "event", terms, Design.of(kept))
    assert rows["value"].iloc[0] == pytest.approx(model.working_likelihood_ratio("treated x condition").p, rel=1e-6)


def test_products_that_the_design_is_too_small_for_have_no_test() -> None:
    people = by_conditions(True).assign(psu=0)
    people["stratum"] = np.arange(len(people)) % 2
    plan = load_protocol("treatment-landmark").model_copy(
        update={"assignment": Assignment(confounders=[{"variable": "condition"}])}
    )
    assert products(people, plan, fit_nuisance(people, ["condition"]), Design.of(people))["value"].isna().all()


# What the documents say


def documented(file: str) -> list[str]:
    """The columns docs/results.md lists for a result file."""
    text = (ROOT / "docs/results.md").read_text(encoding="utf-8")
    section = text.split(f"## {file}\n")[1].split("\n## ")[0].split("\n\n| check |")[0]
    return [name for name in re.findall(r"^\| (\w+) \|", section, flags=re.M) if name != "column"]


def test_the_dictionary_of_results_has_the_columns_of_the_tables() -> None:
    people, score = two_by_two(), np.full(400, 0.5)
    weight = np.ones(400)
    keys = ["survey", "analysis", "variation"]
    tables = {
        "balance.csv": balance(people, ["pain"], weight, weight),
        "overlap.csv": overlap(score, people["treated"], weight),
        "diagnostics.csv": checks_of(people, score),
        "table1.csv": table_one(people, ["pain"]),
        "missingness.csv": missingness(people, ["pain"]),
    }
    for file, table in tables.items():
        assert documented(file) == keys + table.columns.tolist(), file


def test_the_dictionary_of_results_explains_every_check() -> None:
    text = (ROOT / "docs/results.md").read_text(encoding="utf-8")
    checks = checks_of(two_by_two(), np.full(400, 0.5))["check"]
    explained = {re.sub("_untreated$", "_treated", check) for check in checks}
    assert {check for check in explained if f"| {check} |" not in text} == set()


Edges = set[tuple[str, str]]


def drawn_graph() -> tuple[Edges, set[str], set[str]]:
    """The arrows of docs/dag.md, the unmeasured nodes, and those that select who is analysed."""
    text = (ROOT / "docs/dag.md").read_text(encoding="utf-8")
    edges = {
        (cause.strip(), effect.strip())
        for causes, effects in re.findall(r"^  ([\w &]+) --> ([\w &]+)$", text, flags=re.M)
        for cause in causes.split("&")
        for effect in effects.split("&")
    }
    unmeasured, selected = (
        set(re.findall(rf"^  (\w+)\[.*:::{kind}$", text, flags=re.M)) for kind in ("unmeasured", "selected")
    )
    return edges, unmeasured, selected


def ancestors(edges: Edges, nodes: set[str]) -> set[str]:
    """The nodes and everything that leads to them."""
    found = set(nodes)
    while more := {cause for cause, effect in edges if effect in found} - found:
        found |= more
    return found


def connected(edges: Edges, one: str, other: str, given_: set[str]) -> bool:
    """Whether a path stays open given these: a way from one to the other in the moral ancestral graph."""
    kept = ancestors(edges, {one, other} | given_)
    lines = {frozenset(edge) for edge in edges if set(edge) <= kept}
    for node in kept:
        parents = sorted(cause for cause, effect in edges if effect == node and cause in kept)
        lines |= {frozenset(pair) for pair in combinations(parents, 2)}
    reached = {one}
    while more := {n for line in lines if line & reached for n in line} - reached - given_:
        reached |= more
    return other in reached


def test_the_graph_of_assumptions_has_no_circle_and_holds_the_declared_confounders() -> None:
    edges, unmeasured, _ = drawn_graph()
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for cause, effect in edges:
        sorter.add(effect, cause)
    order = list(sorter.static_order())  # raises on a circle
    protocol = yaml.safe_load((ROOT / "config/protocols/treatment-landmark.yaml").read_text(encoding="utf-8"))
    terms = protocol["assignment"]["confounders"]
    declared = {term if isinstance(term, str) else term["variable"] for term in terms}
    assert declared <= {cause for cause, effect in edges if effect == "depression_treatment"}
    assert not declared & unmeasured
    assert {"severity", "earlier_episodes", "earlier_back_pain", "health_literacy"} == unmeasured
    assert order.index("depression_treatment") < order.index("back_pain")


def test_only_with_the_unmeasured_would_the_back_doors_be_closed() -> None:
    edges, unmeasured, _ = drawn_graph()
    without_effects = {edge for edge in edges if edge[0] != "depression_treatment"}
    measured = {cause for cause, effect in edges if effect == "depression_treatment"} - unmeasured
    assert not connected(without_effects, "depression_treatment", "back_pain", measured | unmeasured)
    for hidden in unmeasured:
        known = measured | (unmeasured - {hidden})
        assert connected(without_effects, "depression_treatment", "back_pain", known), hidden


def test_selection_on_the_record_depends_on_treatment() -> None:
    edges, _, selected = drawn_graph()
    assert selected == {"depression_record", "back_pain_year_1", "followed"}
    for node in selected:
        assert "depression_treatment" in ancestors(edges, {node})
