"""The simulation study: its people, its truths, its measures, and the small slice of it that is always run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backpain.report import render_study
from backpain.spec import DeclarationError, Scenario, Study, load_study
from backpain.study import REFITTED, REPETITIONS, correct, draw, performance, repetitions, truths, verdict
from backpain.study.performance import CORRECT, ONE_WRONG, REPORTED, simultaneous
from backpain.study.world import chance_of_event, chance_of_treatment
from workshop import copy, run

TEMPLATES = Path(__file__).parents[1] / "workflow/report"


def test_every_scenario_of_the_declared_study_is_one() -> None:
    study = load_study("estimators")
    assert study.repetitions >= 1000
    assert study.truth_people == 10**7
    for name in study.scenarios:
        people = draw(study.scenario(name), (1, 2))
        assert 0.3 < people["treated"].mean() < 0.8
        assert people["event"].sum() > 100


def test_a_slice_is_the_study_with_fewer_repetitions() -> None:
    whole, part = load_study("estimators"), load_study("slice")
    assert part.seed == whole.seed
    assert part.estimators == whole.estimators
    assert part.scenario("both models wrong") == whole.scenario("both models wrong")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"repetitions": 10, "chunk": 4}, "no multiple of chunk"),
        ({"scenarios": {"odd": {"efect": 1.0}}}, "efect"),
        ({"scenarios": {"odd": {"alike": 1.0}}}, "less than 1"),
    ],
)
def test_a_study_that_does_not_fit_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Study.model_validate({**load_study("slice").model_dump(), **change})


def test_an_unknown_study_names_the_file() -> None:
    with pytest.raises(DeclarationError, match=r"studies/none\.yaml"):
        load_study("none")


def test_treatment_and_outcome_have_the_chances_of_their_models_and_people_of_a_psu_are_alike() -> None:
    scenario = Scenario(alike=0.3, people=400, strata=20)
    counts, alone, between = [], [], []
    for number in range(400):
        people = draw(scenario, (5, number))
        chance = chance_of_event(people, people["treated"].to_numpy(float), scenario)
        left = people["event"].astype(float).to_numpy() - chance
        treated = people["treated"].to_numpy(float) - chance_of_treatment(people, scenario)
        counts.append([left.mean(), treated.mean(), (left * people["first"]).mean()])
        sums = people.assign(left=left).groupby(["stratum", "psu"])["left"].sum()
        between.append((sums**2).mean())
        alone.append((left**2).sum() / len(sums))
    found = np.array(counts)
    z = found.mean(axis=0) / (found.std(axis=0, ddof=1) / np.sqrt(len(found)))
    assert np.abs(z).max() < 3.5
    # Independent people would have the same sum of squares.
    assert np.mean(between) > 1.5 * np.mean(alone)


def test_the_lost_have_no_outcome_and_the_same_seed_gives_the_same_people() -> None:
    scenario = Scenario(attrition=1.0, people=600)
    people = draw(scenario, (1, 1))
    assert (people["event"].isna() == ~people["followed"]).all()
    assert 0.6 < people["followed"].mean() < 0.95
    pd.testing.assert_frame_equal(people, draw(scenario, (1, 1)))
    assert not people["first"].equals(draw(scenario, (1, 2))["first"])


def test_the_truth_of_no_effect_is_none_and_that_of_one_odds_ratio_is_itself() -> None:
    none = truths("none", Scenario(effect=0), 50_000, 3).set_index(["population", "scale"])["truth"]
    assert none["everyone", "risk-difference"] == pytest.approx(0, abs=1e-12)
    assert none["overlap", "risk-ratio"] == pytest.approx(1, abs=1e-12)
    some = truths("some", Scenario(effect=-0.7), 50_000, 3).set_index(["population", "scale"])["truth"]
    assert some["conditional", "odds-ratio"] == pytest.approx(np.exp(-0.7))
    # Averaged over people who differ, an odds ratio lies nearer to 1.
    assert np.exp(-0.7) < some["everyone", "odds-ratio"] < 1
    differs = truths("differs", Scenario(effect_of_first=0.4), 50_000, 3)
    assert "conditional" not in set(differs["population"])


def test_the_truth_is_about_whom_weights_represent() -> None:
    """By a sample of its own: everyone weighted up, and the overlap by the product of the two probabilities."""
    scenario = Scenario(effect=-0.8, effect_of_first=0.5, people=200_000, strata=62)
    people = draw(scenario, (9,))
    one, other = (chance_of_event(people, arm, scenario) for arm in (1.0, 0.0))
    chance, weight = chance_of_treatment(people, scenario), people["weight"].to_numpy()
    told = truths("x", scenario, 1_000_000, 3).set_index(["population", "scale"])
    for population, factor in (("everyone", weight), ("overlap", weight * chance * (1 - chance))):
        mine = (factor @ (one - other)) / factor.sum()
        row = told.loc[(population, "risk-difference")]
        assert mine == pytest.approx(row["truth"], abs=0.002)
        assert 0 < row["mc_se"] < 0.001


def cells(
    estimates: list[float], se: list[float], scale: str = "risk-difference", variance: str = "linearised"
) -> pd.DataFrame:
    """Repetitions of one estimator with intervals of two standard errors."""
    value, error = np.array(estimates), np.array(se)
    centre = np.log(value) if scale != "risk-difference" else value
    low, high = centre - 2 * error, centre + 2 * error
    if scale != "risk-difference":
        low, high = np.exp(low), np.exp(high)
    return pd.DataFrame(
        {"scenario": "as usual", "repetition": range(len(value)), "estimator": "weighting", "variance": variance, "scale": scale,
         "estimate": value, "se": error, "low": low, "high": high, "p": np.where((low > 0) | (high < 0), 0.01, 0.5),
         "reason": ""}
    )  # fmt: skip


def truth_of(value: float, scale: str = "risk-difference") -> pd.DataFrame:
    return pd.DataFrame(
        [{"scenario": "as usual", "population": "everyone", "scale": scale, "truth": value, "mc_se": 0.0}]
    )


def test_measures_and_their_monte_carlo_errors_are_those_worked_out_by_hand() -> None:
    found = cells([0.1, 0.2, 0.4, 0.1], [0.1, 0.1, 0.05, 0.2])
    row = performance(load_study("slice"), found, truth_of(0.15)).iloc[0]
    spread = np.sqrt(((np.array([0.1, 0.2, 0.4, 0.1]) - 0.2) ** 2).sum() / 3)
    assert row["bias"] == pytest.approx(0.05)
    assert row["bias_mc_se"] == pytest.approx(spread / 2)
    assert row["empirical_se"] == pytest.approx(spread)
    assert row["empirical_se_mc_se"] == pytest.approx(spread / np.sqrt(6))
    assert row["model_se"] == pytest.approx(np.sqrt((0.01 + 0.01 + 0.0025 + 0.04) / 4))
    assert row["coverage"] == 0.75
    assert row["coverage_mc_se"] == pytest.approx(np.sqrt(0.75 * 0.25 / 4))
    assert row["rejects"] == 0.25
    assert row["mean_squared_error"] == pytest.approx((0.05**2 + 0.05**2 + 0.25**2 + 0.05**2) / 4)
    assert row["z_coverage"] == pytest.approx((0.75 - 0.95) / np.sqrt(0.95 * 0.05 / 4))


def test_ratios_are_judged_on_the_log_scale_and_failures_are_counted() -> None:
    found = cells([0.5, 2.0, 1.0], [0.5, 0.5, np.nan], "risk-ratio")
    row = performance(load_study("slice"), found, truth_of(1.0, "risk-ratio")).iloc[0]
    assert row["bias"] == pytest.approx(0, abs=1e-12)
    assert row["empirical_se"] == pytest.approx(np.log(2) * np.sqrt(2))
    assert (row["repetitions"], row["failed"]) == (2, 1)


@pytest.mark.parametrize(
    ("centre", "spread", "said"),
    [
        (0.0, 1.0, "passed"),
        (0.5, 1.0, "biased"),
        (0.0, 1.6, "covers too little"),
        (0.0, 0.5, "covers more than promised"),
    ],
)
def test_a_cell_is_judged_by_the_rule(centre: float, spread: float, said: str) -> None:
    values = centre + spread * np.random.default_rng(4).normal(0, 1, 1000)
    found = cells(values.tolist(), [1 / 1.96 * 1.96] * 1000)
    found = found.assign(low=values - 1.96, high=values + 1.96)
    table = performance(load_study("slice"), found, truth_of(0.0))
    assert table["verdict"].tolist() == [said]
    told = verdict(table).set_index("what")
    assert told.loc["bias, correct models", "passed"] == (said != "biased")
    assert told.loc["coverage, correct models, linearised", "passed"] == (said != "covers too little")


def test_a_bias_that_is_negligible_beside_the_error_passes() -> None:
    values = 0.03 + np.random.default_rng(4).normal(0, 1, 100_000)
    found = cells(values.tolist(), [1.0] * 100_000).assign(low=values - 1.96, high=values + 1.96)
    row = performance(load_study("slice"), found, truth_of(0.0)).iloc[0]
    assert abs(row["z_bias"]) > simultaneous(1)
    assert row["verdict"] == "passed"


def test_what_is_asked_follows_from_what_an_estimator_leans_on() -> None:
    usual, curve = Scenario(), {"treatment_curve": 0.3}
    assert correct("weighting", usual) == CORRECT
    assert correct("weighting", Scenario(**curve)) == REPORTED
    assert correct("standardisation-by-arm", Scenario(**curve)) == CORRECT
    assert correct("targeted", Scenario(**curve)) == ONE_WRONG
    assert correct("doubly-robust", Scenario(treatment_curve=0.3, outcome_curve=0.3)) == REPORTED
    assert correct("standardisation", Scenario(effect_of_first=0.4)) == REPORTED
    assert correct("standardisation-by-arm", Scenario(effect_of_first=0.4)) == CORRECT
    assert correct("unadjusted", usual) == REPORTED
    assert correct("unadjusted", Scenario(confounding=0)) == CORRECT
    assert correct("entropy-balancing", usual) == REPORTED
    assert correct("weighting", Scenario(strata=8)) == REPORTED


def test_a_repetition_is_the_same_whichever_job_makes_it() -> None:
    study = load_study("slice").model_copy(update={"estimators": ["weighting"], "repetitions": 4, "chunk": 2})
    whole = repetitions(study.model_copy(update={"chunk": 4}), "as usual", 1)
    parts = pd.concat([repetitions(study, "as usual", part) for part in (1, 2)], ignore_index=True)
    assert whole.columns.tolist() == REPETITIONS
    pd.testing.assert_frame_equal(whole, parts)


def test_replicates_are_those_of_bootstrap_weights_with_every_model_fitted_again() -> None:
    study = load_study("slice").model_copy(update={"repetitions": 2, "chunk": 2})
    assert study.refitted is not None
    found = repetitions(study, "as usual", 1, REFITTED)
    assert set(found["estimator"]) == set(study.refitted.estimators)
    assert (found["variance"] == REFITTED).all()
    plain = repetitions(study, "as usual", 1)
    key = ["repetition", "estimator", "scale"]
    both = found.merge(plain, on=key, suffixes=("", " linearised"))
    assert len(both) == len(found)
    # The estimates are the same, the errors close but not equal.
    np.testing.assert_allclose(both["estimate"], both["estimate linearised"], rtol=1e-12)
    ratio = both["se"] / both["se linearised"]
    assert ratio.between(0.6, 1.7).all()
    assert not np.isclose(ratio, 1).any()
    pd.testing.assert_frame_equal(found, repetitions(study, "as usual", 1, REFITTED))


def test_the_verdict_tells_linearised_intervals_from_those_fitted_again() -> None:
    values = np.random.default_rng(4).normal(0, 1, 1000).tolist()
    narrow, wide = cells(values, [0.7] * 1000), cells(values, [1.0] * 1000, variance=REFITTED)
    told = verdict(performance(load_study("slice"), pd.concat([narrow, wide]), truth_of(0.0))).set_index("what")
    assert told["passed"].to_dict() == {
        "bias, correct models": True,
        "coverage, correct models, linearised": False,
        "coverage, correct models, all fitted again": True,
    }
    assert (told["cells"] == 1).all()


@pytest.fixture(scope="module")
def sliced(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy(project, tmp_path_factory.mktemp("study"))
    run(folder, "--run", "demo", "--", "results/studies/slice/study.html")
    return folder


@pytest.mark.slow
@pytest.mark.workflow
def test_the_slice_gives_the_numbers_that_it_gave_and_resumes_where_it_was_cut_off(sliced: Path) -> None:
    results = sliced / "results/studies/slice"
    table = pd.read_csv(results / "performance.csv")
    table = table[table["variance"] == "linearised"].set_index(["scenario", "estimator", "scale"])
    for (scenario, estimator), (bias, error) in SLICE.items():
        row = table.loc[(scenario, estimator, "risk-difference")]
        assert row["bias"] == pytest.approx(bias, abs=1e-7)
        assert row["model_se"] == pytest.approx(error, abs=1e-7)
    kept = (results / "0.1.parquet").stat().st_mtime_ns
    # What a run cut off before its last chunk leaves behind.
    for name in ("1.2.parquet", "performance.csv", "verdict.csv", "study.html"):
        (results / name).unlink()
    run(sliced, "--run", "demo", "--", "results/studies/slice/study.html")
    assert (results / "1.2.parquet").exists()
    assert (results / "0.1.parquet").stat().st_mtime_ns == kept
    page = (results / "study.html").read_text(encoding="utf-8")
    assert "Simulated data." in page


def test_the_page_says_when_something_did_not_pass() -> None:
    study = load_study("slice")
    values = 0.5 + np.random.default_rng(4).normal(0, 1, 1000)
    found = cells(values.tolist(), [1.0] * 1000)
    table = performance(study, found, truth_of(0.0))
    page = render_study(study, table, verdict(table), "0123456789abcdef", TEMPLATES)
    assert "Not everything passed." in page
    assert "not passed" in page


# Bias and mean standard error of the risk difference, as first seen.
SLICE = {
    ("as usual", "weighting"): (-0.002314875, 0.021160050),
    ("as usual", "overlap-weighting"): (-0.001673574, 0.017570294),
    ("as usual", "doubly-robust"): (-0.001941599, 0.020624812),
    ("as usual", "standardisation"): (-0.001547068, 0.018546464),
    ("both models wrong", "weighting"): (0.043632493, 0.019674984),
    ("both models wrong", "overlap-weighting"): (0.027946164, 0.017001913),
    ("both models wrong", "doubly-robust"): (0.027269421, 0.020720707),
    ("both models wrong", "standardisation"): (0.013017082, 0.018224859),
}
