"""The design against R's `survey` (tests/oracle), and by hand on designs small enough to see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from backpain.design import (
    LONELY,
    Design,
    beta_interval,
    effective_people,
    korn_graubard,
    logit_interval,
    mean,
    presentation,
    proportion,
    proportions,
    ratio,
    total,
)

ORACLE = Path(__file__).parent / "oracle"
ESTIMATE, ERROR = 1e-8, 1e-6


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return pd.read_csv(ORACLE / "people.csv")


@pytest.fixture(scope="module")
def numbers() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ORACLE / "survey.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture
def few() -> pd.DataFrame:
    """Two strata of two PSUs."""
    return pd.DataFrame(
        {
            "stratum": ["a", "a", "a", "b", "b"],
            "psu": [1, 1, 2, 1, 2],
            "weight": [1.0, 2.0, 3.0, 4.0, 5.0],
            "y": [1.0, 0.0, 1.0, 1.0, 0.0],
        }
    )


def summaries(people: pd.DataFrame, design: Design, domain: Any = None) -> dict[str, Any]:
    return {
        "mean": mean(people["cost"], design, domain),
        "total": total(people["cost"], design, domain),
        "ratio": ratio(people["cost"], people["age"], design, domain),
        "proportion": proportion(people["event"], design, domain),
    }


def agree(found: dict[str, Any], expected: dict[str, Any]) -> None:
    for name, estimate in found.items():
        assert estimate.estimate == pytest.approx(expected[name]["estimate"], rel=ESTIMATE), name
        assert estimate.se == pytest.approx(expected[name]["se"], rel=ERROR), name
        assert estimate.df == expected["df"], name
        assert estimate.people == expected["people"], name


@pytest.mark.parametrize("lonely", ["remove", "adjust", "average"])
@pytest.mark.parametrize("part", ["everyone", "domain"])
def test_each_lonely_policy_agrees_with_r(
    people: pd.DataFrame, numbers: dict[str, Any], lonely: str, part: str
) -> None:
    domain = people["domain"] == 1 if part == "domain" else None
    agree(summaries(people, Design.of(people, lonely=lonely), domain), numbers["policies"][lonely][part])


def test_the_policies_differ_where_a_psu_is_alone(people: pd.DataFrame) -> None:
    errors = [total(people["cost"], Design.of(people, lonely=lonely)).se for lonely in LONELY[1:]]
    assert len({round(error) for error in errors}) == 3


@pytest.mark.parametrize(
    ("kind", "stratum", "cluster"),
    [("simple", None, None), ("stratified", "stratum", None), ("clustered", None, "unit")],
)
def test_designs_without_strata_or_psus_agree_with_r(
    people: pd.DataFrame, numbers: dict[str, Any], kind: str, stratum: str | None, cluster: str | None
) -> None:
    people = people.assign(unit=people["stratum"] * 10 + people["psu"])
    agree(summaries(people, Design.of(people, stratum=stratum, cluster=cluster)), numbers["others"][kind])


@pytest.mark.parametrize("part", ["everyone", "domain"])
@pytest.mark.parametrize("method", ["beta", "logit"])
def test_intervals_of_shares_agree_with_svyciprop(
    people: pd.DataFrame, numbers: dict[str, Any], part: str, method: str
) -> None:
    domain = people["domain"] == 1 if part == "domain" else None
    share = proportion(people["event"], Design.of(people), domain, method)
    expected = numbers["intervals"][part][method]
    assert share.low == pytest.approx(expected["low"], rel=ERROR)
    assert share.high == pytest.approx(expected["high"], rel=ERROR)


def test_leaving_out_the_people_outside_a_domain_changes_nothing_when_the_skeleton_is_known(
    people: pd.DataFrame,
) -> None:
    inside = people[people["domain"] == 1]
    for lonely in LONELY[1:]:
        marked = mean(people["cost"], Design.of(people, lonely=lonely), people["domain"] == 1)
        cut = mean(inside["cost"], Design.of(inside, people, lonely=lonely))
        assert cut.se == pytest.approx(marked.se, rel=1e-12)
        assert (cut.estimate, cut.df, cut.people) == (marked.estimate, marked.df, marked.people)


def test_a_subset_without_its_skeleton_loses_psus_and_shows_it(people: pd.DataFrame) -> None:
    inside = people[people["domain"] == 1]
    whole, cut = Design.of(inside, people, lonely="remove"), Design.of(inside, lonely="remove")
    assert len(whole.psu_stratum) - len(cut.psu_stratum) == 3
    assert whole.degrees_of_freedom == Design.of(people).degrees_of_freedom == 18
    # What had one PSU with members and one without now looks like a lonely PSU, and its variance is gone.
    assert mean(inside["cost"], whole).se > 1.001 * mean(inside["cost"], cut).se


def test_degrees_of_freedom_in_a_domain_count_psus_and_strata_that_hold_a_member(few: pd.DataFrame) -> None:
    design = Design.of(few)
    assert design.degrees_of_freedom == 2
    assert design.degrees_of_freedom_in(few["stratum"] == "a") == 1
    assert design.degrees_of_freedom_in([True, False, False, True, True]) == 1
    assert design.degrees_of_freedom_in([True, False, False, False, False]) == 0
    weightless = Design.of(few.assign(weight=[1.0, 2.0, 0.0, 4.0, 5.0]))
    assert weightless.degrees_of_freedom_in() == 1


def test_the_variance_of_a_total_is_what_one_computes_by_hand(few: pd.DataFrame) -> None:
    found = total(few["y"], Design.of(few))
    # PSU totals 1 and 3, then 4 and 0: n / (n - 1) x squared deviations = (1 - 3)^2 + (4 - 0)^2.
    assert (found.estimate, found.se) == (8.0, pytest.approx(np.sqrt(20)))
    assert found.high - found.estimate == pytest.approx(stats.t.ppf(0.975, 2) * np.sqrt(20))


def test_psu_numbers_are_nested_in_strata(few: pd.DataFrame) -> None:
    renumbered = few.assign(psu=[1, 1, 2, 3, 4])
    same = np.array_equal(Design.of(few).psu, Design.of(renumbered).psu)
    assert same
    assert total(few["y"], Design.of(few)).se == total(few["y"], Design.of(renumbered)).se


def test_a_row_order_does_not_matter(people: pd.DataFrame) -> None:
    mixed = people.sample(frac=1, random_state=3)
    assert mean(mixed["cost"], Design.of(mixed)).se == pytest.approx(
        mean(people["cost"], Design.of(people)).se, rel=1e-12
    )


def test_the_covariance_of_several_columns_holds_the_variances_of_each(people: pd.DataFrame) -> None:
    design = Design.of(people)
    both = people[["cost", "age"]].to_numpy(dtype=float) * design.weight[:, None]
    matrix = design.covariance(both)
    assert matrix.shape == (2, 2)
    assert np.sqrt(matrix[0, 0]) == pytest.approx(total(people["cost"], design).se)
    assert matrix[0, 1] == matrix[1, 0]
    sum_of_both = design.covariance(both.sum(axis=1))[0, 0]
    assert sum_of_both == pytest.approx(matrix.sum())


def test_fail_names_the_lonely_strata_but_only_those_the_domain_touches(
    people: pd.DataFrame, numbers: dict[str, Any]
) -> None:
    assert numbers["refused"] is True
    design = Design.of(people, lonely="fail")
    with pytest.raises(ValueError, match=r"2 strata have a single PSU \(15, 16\)"):
        mean(people["cost"], design)
    elsewhere = people["stratum"] < 15
    expected = mean(people["cost"], Design.of(people, lonely="remove"), elsewhere).se
    assert mean(people["cost"], design, elsewhere).se == expected


def test_average_is_refused_when_no_stratum_has_two_psus(few: pd.DataFrame) -> None:
    lonely = few.assign(psu=1)
    with pytest.raises(ValueError, match="nothing to average"):
        mean(lonely["y"], Design.of(lonely, lonely="average"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weight": [1.0, np.nan, 3.0, 4.0, 5.0]}, "weight is missing, infinite or negative for 1"),
        ({"weight": [1.0, -2.0, -3.0, 4.0, 5.0]}, "weight is missing, infinite or negative for 2"),
        ({"weight": [1.0, np.inf, 3.0, 4.0, 5.0]}, "weight is missing, infinite or negative for 1"),
        ({"stratum": ["a", None, "a", "b", "b"]}, "stratum is missing for 1 rows"),
        ({"psu": [1, 1, None, None, 2]}, "psu is missing for 2 rows"),
    ],
)
def test_broken_design_columns_are_refused(few: pd.DataFrame, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Design.of(few.assign(**change))


def test_absent_columns_stray_policies_and_psus_outside_the_skeleton_are_refused(few: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="no column 'psu'"):
        Design.of(few.drop(columns="psu"))
    with pytest.raises(ValueError, match="no weight column 'PERWT'"):
        Design.of(few, weight="PERWT")
    with pytest.raises(ValueError, match="'shrug' is not known; declare one of fail"):
        Design.of(few, lonely="shrug")
    with pytest.raises(ValueError, match=r"1 people stand in .* such as \[\['b', 2\]\]"):
        Design.of(few, few.iloc[:4])


def test_values_missing_inside_the_domain_are_refused_and_outside_do_no_harm(few: pd.DataFrame) -> None:
    design = Design.of(few)
    gap = few["y"].mask(few["stratum"] == "b")
    with pytest.raises(ValueError, match="y: missing for 2 people of the domain"):
        mean(gap, design)
    assert mean(gap, design, few["stratum"] == "a") == mean(few["y"], design, few["stratum"] == "a")


def test_masked_numbers_are_missing_and_tables_are_no_columns(few: pd.DataFrame) -> None:
    design, event = Design.of(few), few["y"].to_numpy()
    hidden = np.ma.masked_array(event, mask=[True, False, False, False, False])
    with pytest.raises(ValueError, match="missing for 1 people of the domain"):
        proportions(hidden, design, few["stratum"])
    with pytest.raises(ValueError, match="values: 5 x 1 for 5 people"):
        proportions(event[:, None], design, few["stratum"])
    with pytest.raises(ValueError, match="by: 5 x 1 for 5 people"):
        proportions(event, design, few[["psu"]].to_numpy())
    with pytest.raises(ValueError, match="values: 1 for 5 people"):
        mean(np.array(1.0), design)


def test_arrays_and_columns_give_the_same_shares_in_any_order_of_rows(people: pd.DataFrame) -> None:
    mixed = people.sample(frac=1, random_state=1)
    whole, taken = (proportions(rows["event"], Design.of(rows), rows["sex"]) for rows in (people, mixed))
    bare = proportions(people["event"].to_numpy(), Design.of(people), people["sex"].to_numpy())
    for name in ("estimate", "covariance", "df", "people"):
        np.testing.assert_array_equal(getattr(bare, name), getattr(whole, name))
        np.testing.assert_allclose(getattr(taken, name), getattr(whole, name), rtol=1e-12, atol=1e-18)
    assert bare.names == whole.names == taken.names


def test_what_everyone_shares_cannot_be_written_to(few: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="read-only"):
        Design.of(few).members()[0] = False


def test_domains_that_are_no_mask_or_hold_nobody_are_refused(few: pd.DataFrame) -> None:
    design = Design.of(few)
    for domain, words in [
        ([1, 0, 1, 0, 1], "boolean mask"),
        (pd.array([True, None, True, True, True], dtype="boolean"), "boolean mask"),
        ([True], "1 for 5 people"),
        (np.ones((5, 1), dtype=bool), "domain: 5 x 1 for 5 people"),
        ([False] * 5, "nobody in it has a weight above zero"),
    ]:
        with pytest.raises(ValueError, match=words):
            mean(few["y"], design, domain)
    with pytest.raises(ValueError, match="denominator adds up to zero"):
        ratio(few["y"], np.zeros(5), design)
    with pytest.raises(ValueError, match="influence: shape"):
        design.covariance(np.ones((4, 2)))
    with pytest.raises(ValueError, match="missing or infinite"):
        design.covariance([1.0, np.nan, 0.0, 0.0, 0.0])


def test_a_share_needs_an_event_of_0_or_1_and_a_known_interval(few: pd.DataFrame) -> None:
    design = Design.of(few)
    with pytest.raises(ValueError, match="must be 0 or 1"):
        proportion(few["weight"], design)
    with pytest.raises(ValueError, match="'wald' is not known"):
        proportion(few["y"], design, method="wald")
    nullable = pd.array([True, False, True, True, None], dtype="boolean")
    assert proportion(nullable, design, [True, True, True, True, False]).estimate == pytest.approx(0.8)


def test_korn_graubard_is_clopper_pearson_when_the_design_costs_nothing() -> None:
    n, events = 50, 10
    p = events / n
    low, high = korn_graubard(p, np.sqrt(p * (1 - p) / n), n, df=10_000, adjust=False)
    exact = stats.binomtest(events, n).proportion_ci(method="exact")
    assert (low, high) == (pytest.approx(exact.low), pytest.approx(exact.high))


def test_the_nchs_interval_never_uses_more_people_than_there_are_but_the_beta_interval_does() -> None:
    p, n, df = 0.3, 100, 20
    se = np.sqrt(p * (1 - p) / 300)  # worth 300 people, though 100 were asked
    assert effective_people(p, se, n) == 100
    nchs, beta = korn_graubard(p, se, n, df), beta_interval(p, se, n, df)
    assert nchs[1] - nchs[0] > 1.5 * (beta[1] - beta[0])
    worse = np.sqrt(p * (1 - p) / 40)
    assert korn_graubard(p, worse, n, df) == pytest.approx(beta_interval(p, worse, n, df))


def test_few_degrees_of_freedom_widen_the_nchs_interval_of_nhanes_but_not_of_nhis() -> None:
    narrow, wide = (korn_graubard(0.2, 0.03, 500, df=5, adjust=adjust) for adjust in (False, True))
    assert wide[0] < narrow[0] < 0.2 < narrow[1] < wide[1]


def test_nobody_with_the_event_still_has_an_upper_limit() -> None:
    low, high = korn_graubard(0.0, 0.0, 60, df=1_000_000)
    assert low == 0.0
    assert high == pytest.approx(1 - 0.025 ** (1 / 60), rel=1e-3)
    assert np.isnan(logit_interval(0.0, 0.0, 60, 10)).all()
    assert np.isnan(beta_interval(0.0, 0.0, 60, 10)).all()


def test_no_degree_of_freedom_gives_no_interval() -> None:
    assert np.isnan(korn_graubard(0.2, 0.03, 500, df=0)).all()
    assert presentation(0.2, 0.03, 500, df=0).rule == "suppress"
    few = pd.DataFrame({"stratum": [1, 2], "psu": [1, 1], "weight": [1.0, 1.0]})
    assert np.isnan(mean([0.0, 1.0], Design.of(few)).low)


@pytest.mark.parametrize(
    ("p", "se", "n", "df", "rule", "words"),
    [
        (0.30, 0.02, 900, 20, "show", ""),
        (0.30, 0.02, 900, 7, "review", "7 degrees of freedom"),
        (0.20, 0.02, 29, 20, "suppress", "worth 29.0 people"),
        (0.50, 0.10, 900, 20, "suppress", "worth 25.0 people"),
        (0.50, 0.08, 900, 20, "suppress", "30 points"),
        (0.04, 0.016, 900, 20, "suppress", "130 %"),
        (0.01, 0.005, 900, 20, "show", ""),
        (0.00, 0.0, 900, 20, "review", "nobody or everybody"),
    ],
)
def test_the_nchs_rule_shows_reviews_and_suppresses(
    p: float, se: float, n: int, df: int, rule: str, words: str
) -> None:
    found = presentation(p, se, n, df)
    assert found.rule == rule
    assert words in found.reason
    assert bool(found.reason) == (rule != "show")
