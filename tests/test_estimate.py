"""The estimators of trials and associations: against R, against brute force, and on worlds with a known truth."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from backpain.design import Design, korn_graubard, replicated
from backpain.estimate import COLUMNS, ESTIMATORS, USUAL, associate, estimate, minimal_detectable_difference, weights
from backpain.estimate.replicates import Refits
from backpain.estimate.rows import CONTRASTS
from backpain.estimate.trial import REFITTED
from backpain.nuisance import fit_nuisance
from backpain.regression import coding_of, design_matrix, logistic
from backpain.spec.analysis import Estimator

ORACLE = Path(__file__).parent / "oracle"
TERMS: list[Any] = ["age", "sex", {"variable": "visits", "as": "square-root"}]
# Those with models of a few coefficients; learned ones have tests of their own (test_learned.py).
ALL = [name for name in ESTIMATORS if not name.endswith("-learned")]
BY_ARM = ("standardisation-by-arm", "doubly-robust")


@pytest.fixture(scope="module")
def survey() -> pd.DataFrame:
    """The oracle's people as a trial: the event is missing for the lost."""
    people = pd.read_csv(ORACLE / "people.csv")
    event = pd.array(np.where(people["followed"] == 1, people["event"], np.nan), dtype="Float64")
    return people.assign(
        treated=people["treated"] == 1,
        followed=people["followed"] == 1,
        event=pd.Series(event).astype("boolean"),
        visited=pd.cut(people["visits"], [-np.inf, 1, 3, np.inf], labels=["few", "some", "many"]),
        known=people["event"] == 1,
    )


@pytest.fixture(scope="module")
def numbers() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ORACLE / "survey.json").read_text(encoding="utf-8"))
    return found


def only(rows: pd.DataFrame, estimator: str, scale: str, arm: str = "treated vs untreated") -> pd.Series:
    """The one row of an estimator, a scale and an arm."""
    found = rows[(rows["estimator"] == estimator) & (rows["scale"] == scale) & (rows["arm"] == arm)]
    assert len(found) == 1, (estimator, scale, arm, len(found))
    return found.iloc[0]


def linear(numbers: dict[str, Any], part: str) -> dict[str, tuple[float, float]]:
    found = numbers["linear"][part]
    return {name: (value, se) for name, value, se in zip(found["name"], found["estimate"], found["se"], strict=True)}


def agree(row: pd.Series, expected: tuple[float, float]) -> None:
    value = np.log(row["estimate"]) if row["scale"].endswith("ratio") else row["estimate"]
    assert value == pytest.approx(expected[0], rel=1e-8)
    assert row["se"] == pytest.approx(expected[1], rel=1e-6)


# What R calls the estimators, and those that are about everyone alone there.
IN_R = {
    "unadjusted": "unadjusted",
    "weighting": "weighting",
    "standardisation": "standardisation",
    "overlap-weighting": "overlap",
    "weighting-truncated": "truncated",
    "entropy-balancing": "entropy",
    "standardisation-by-arm": "byarm",
    "doubly-robust": "augmented",
    "targeted": "targeted",
}


@pytest.mark.parametrize("part", ["everyone", "domain"])
@pytest.mark.parametrize("population", ["everyone", "treated", "untreated"])
def test_estimates_and_standard_errors_agree_with_r_when_every_model_is_refitted_for_each_psu(
    survey: pd.DataFrame, numbers: dict[str, Any], part: str, population: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "TRUNCATED", 0.05)
    trial = survey if part == "everyone" else survey[survey["domain"] == 1]
    rows = estimate(trial, TERMS, survey, estimators=ALL, population=population)
    expected = linear(numbers, f"trial_{part}")
    names = IN_R if population == "everyone" else {"weighting": population, "unadjusted": "unadjusted"}
    for estimator, name in names.items():
        for arm in ("treated", "untreated"):
            agree(only(rows, estimator, "risk", arm), expected[f"{name}_{arm}"])
        for scale, written in (
            ("risk-difference", "difference"),
            ("risk-ratio", "log_ratio"),
            ("odds-ratio", "log_odds_ratio"),
        ):
            agree(only(rows, estimator, scale), expected[f"{name}_{written}"])
    agree(only(rows, "logistic", "odds-ratio"), expected["logistic"])
    assert rows["converged"].all()
    assert rows["design_df"].eq(18 if part == "everyone" else 16).all()


def test_standard_errors_are_within_a_few_percent_of_the_jackknife(
    survey: pd.DataFrame, numbers: dict[str, Any]
) -> None:
    # The jackknife that drops a PSU and refits everything agrees to first order only. With 32 PSUs the second order
    # is worth some 1/32 of the variance or a few percent of the standard error, and the jackknife's are the larger.
    trial = survey[survey["stratum"] <= 14]
    rows = estimate(trial, TERMS, estimators=ALL)
    jackknife = numbers["trials"]
    for name in ("unadjusted", "weighting", "standardisation"):
        row = only(rows, name, "risk-difference")
        assert row["estimate"] == pytest.approx(jackknife[name]["difference"], rel=1e-8)
        assert 0.95 < row["se"] / jackknife[name]["difference_se"] < 1.01
    row = only(rows, "logistic", "odds-ratio")
    assert np.log(row["estimate"]) == pytest.approx(jackknife["logistic"]["estimate"], rel=1e-8)
    assert 0.95 < row["se"] / jackknife["logistic"]["se"] < 1.01


def test_the_jackknife_with_every_model_refitted_agrees_with_r(
    survey: pd.DataFrame, numbers: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "TRUNCATED", 0.05)
    trial, expected = survey[survey["stratum"] <= 14], numbers["trials"]
    rows = estimate(trial, TERMS, estimators=ALL, resampling={"kind": "jkn"})
    treated = estimate(trial, TERMS, estimators=["weighting"], population="treated", resampling={"kind": "jkn"})
    for estimator, name in [*IN_R.items(), ("weighting", "treated")]:
        found = treated if name == "treated" else rows
        for place, arm in enumerate(("treated", "untreated")):
            risk = only(found, estimator, "risk", arm)
            assert risk["estimate"] == pytest.approx(expected[name]["risk"][place], rel=1e-8)
            assert risk["se"] == pytest.approx(expected[name]["se"][place], rel=1e-6)
        difference = only(found, estimator, "risk-difference")
        assert difference["se"] == pytest.approx(expected[name]["difference_se"], rel=1e-6)
    assert only(rows, "logistic", "odds-ratio")["se"] == pytest.approx(expected["logistic"]["se"], rel=1e-6)


@pytest.mark.parametrize(
    "choices",
    [{}, {"loss_terms": ["sick"]}, {"population": "treated"}, {"population": "untreated"}, {"lost": "complete"}],
    ids=["everyone", "own loss terms", "treated", "untreated", "complete"],
)
@pytest.mark.parametrize("clustered", [True, False])
def test_each_replicate_is_what_the_estimator_gives_under_its_weights(
    choices: dict[str, Any], clustered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "TRUNCATED", 0.1)
    trial = crowd(400)
    # Blocks of people who share a PSU, and stretches of people drawn one by one, are summed differently.
    design = Design.of(
        trial.assign(psu=trial.index % 20) if clustered else trial, None, None, "psu" if clustered else None
    )
    boot = replicated(design, "bootstrap", replicates=6, seed=4)
    refits = Refits.of(trial, CROWD_TERMS, boot, fit_nuisance(trial, CROWD_TERMS, **choices))
    for name in ALL:
        values = REFITTED[name](refits)
        for place in range(6):
            weight = trial["weight"].to_numpy() * boot.factor[boot.unit, place]
            kept = trial.assign(weight=weight)[weight > 0]
            # Knots and levels are those of the whole sample in every replicate.
            alone = _alone(kept, trial, name, choices)
            assert values[place] == pytest.approx(alone, rel=1e-8), (name, place)


def test_two_workers_refit_the_same_models() -> None:
    trial = crowd(400)
    design = Design.of(trial.assign(psu=trial.index % 20), None, None)
    one, two = (replicated(design, "bootstrap", replicates=8, seed=4, workers=workers) for workers in (1, 2))
    alone, shared = (estimate(trial, CROWD_TERMS, design=each, estimators=ALL) for each in (one, two))
    numbers = ["estimate", "se", "low", "high"]
    np.testing.assert_allclose(shared[numbers], alone[numbers], rtol=1e-9)
    again = estimate(trial, CROWD_TERMS, design=two, estimators=ALL)
    pd.testing.assert_frame_equal(again, shared, check_exact=True)


def _alone(kept: pd.DataFrame, trial: pd.DataFrame, name: str, choices: dict[str, Any]) -> np.ndarray:
    coding = coding_of(trial, CROWD_TERMS)
    names = [f"c{place}" for place in range(1, len(coding.columns))]
    people = kept.assign(**dict(zip(names, coding.matrix(kept)[:, 1:].T, strict=True)))
    own = {**choices, "loss_terms": names[-1:]} if "loss_terms" in choices else choices
    return ESTIMATORS[name](people, names, fit_nuisance(people, names, **own)).value


def test_a_replicate_whose_model_cannot_be_fitted_leaves_the_estimator_without_numbers() -> None:
    trial = crowd(200).assign(psu=lambda frame: frame.index % 4)
    # Everybody untreated among the sick stands in one PSU, so the replicate without it is separated.
    sick_untreated = (trial["sick"] == "yes") & ~trial["treated"]
    trial = trial.assign(psu=trial["psu"].mask(sick_untreated, 0).mask(~sick_untreated, 1 + trial["psu"] % 3))
    rows = estimate(trial, ["sick"], estimators=["weighting"], resampling={"kind": "jk1"})
    assert rows["reason"].nunique() == 1
    assert rows["reason"][0].startswith("replicates: 1 of 4 give no estimate (mostly propensity: separated: ")
    assert rows["se"].isna().all()


def test_the_same_seed_gives_the_same_bootstrap_and_another_a_near_one(survey: pd.DataFrame) -> None:
    trial = survey[survey["stratum"] <= 14]
    errors = [
        only(
            estimate(
                trial,
                TERMS,
                estimators=["weighting"],
                resampling={"kind": "bootstrap", "replicates": 400, "seed": seed},
            ),
            "weighting",
            "risk-difference",
        )["se"]
        for seed in (1, 1, 2)
    ]
    linear_se = only(estimate(trial, TERMS, estimators=["weighting"]), "weighting", "risk-difference")["se"]
    assert errors[0] == errors[1] != errors[2]
    assert errors == pytest.approx([linear_se] * 3, rel=0.15)


def crowd(people: int, seed: int = 5, lost: bool = True) -> pd.DataFrame:
    """A made-up trial of a simple random sample with unequal weights."""
    rng = np.random.default_rng(seed)
    age, sick = rng.integers(18, 80, people).astype(float), rng.random(people) < 0.4
    treated = rng.random(people) < expit(-0.6 + 0.02 * (age - 45) + 0.9 * sick)
    followed = rng.random(people) < (expit(1.2 + 0.4 * treated - 0.8 * sick) if lost else 1.0)
    event = rng.random(people) < expit(-1.2 - 0.5 * treated + 0.02 * (age - 45) + 1.0 * sick)
    return pd.DataFrame(
        {
            "weight": rng.gamma(3, 500, people) + 50,
            "treated": treated,
            "followed": followed,
            "event": pd.Series(event).astype("boolean").mask(~pd.Series(followed)),
            "age": age,
            "sick": pd.Series(sick).map({True: "yes", False: "no"}),
        }
    )


def expit(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


CROWD_TERMS: list[Any] = [{"variable": "age", "as": "spline", "df": 3}, "sick"]


def working(trial: pd.DataFrame, name: str, **choices: Any) -> np.ndarray:
    """An estimator's risks, or the log of its odds ratio, with every model fitted anew."""
    return ESTIMATORS[name](trial, CROWD_TERMS, fit_nuisance(trial, CROWD_TERMS, **choices)).value


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "choices",
    [{}, {"loss_terms": ["sick"]}, {"population": "treated"}, {"population": "untreated"}, {"lost": "complete"}],
    ids=["everyone", "own loss terms", "treated", "untreated", "complete"],
)
def test_the_influence_of_each_person_is_the_slope_of_the_estimate_in_their_weight(
    name: str, choices: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A hundredth of so few would be nobody.
    monkeypatch.setattr(weights, "TRUNCATED", 0.1)
    trial = crowd(90)
    influence = ESTIMATORS[name](trial, CROWD_TERMS, fit_nuisance(trial, CROWD_TERMS, **choices)).influence
    largest = np.abs(influence).max(axis=0)

    def slope(person: int, step: float) -> np.ndarray:
        moved = [
            working(
                trial.assign(weight=trial["weight"].where(trial.index != person, trial["weight"] * (1 + sign * step))),
                name,
                **choices,
            )
            for sign in (1, -1)
        ]
        return (moved[0] - moved[1]) / (2 * step)

    for person in range(0, 90, 11):
        numeric = (4 * slope(person, 1e-3) - slope(person, 2e-3)) / 3
        assert np.abs(influence[person] - numeric).max() <= 1e-6 * largest.min(), person
    assert np.abs(influence.sum(axis=0)).max() < 1e-9 * largest.min() * 90


def test_without_confounders_weighting_is_the_unadjusted_comparison(survey: pd.DataFrame) -> None:
    rows = estimate(survey, [], estimators=["unadjusted", "weighting", "standardisation"])
    columns = ["arm", "scale", "estimate", "se", "low", "high"]
    crude, *others = (part[columns].reset_index(drop=True) for _, part in rows.groupby("estimator", sort=False))
    for other in others:
        pd.testing.assert_frame_equal(crude, other, rtol=1e-9)


def test_a_saturated_model_of_one_category_makes_weighting_and_standardisation_agree_with_stratification() -> None:
    trial = crowd(800, lost=False)
    rows = estimate(trial, ["sick"], estimators=["weighting", "standardisation", *BY_ARM])
    by_hand = 0.0
    for _, part in trial.groupby("sick"):
        risk = {arm: np.average(g["event"].astype(float), weights=g["weight"]) for arm, g in part.groupby("treated")}
        by_hand += part["weight"].sum() / trial["weight"].sum() * (risk[True] - risk[False])
    saturated = [only(rows, name, "risk-difference") for name in ("weighting", *BY_ARM)]
    for row in saturated:
        assert row["estimate"] == pytest.approx(by_hand, rel=1e-9)
        assert row["se"] == pytest.approx(saturated[0]["se"], rel=1e-9)
    # The outcome model has no interaction, so its answer is near, not equal.
    assert only(rows, "standardisation", "risk-difference")["estimate"] == pytest.approx(by_hand, abs=0.01)


def test_intervals_are_symmetric_on_their_own_scales(survey: pd.DataFrame) -> None:
    rows = estimate(survey, TERMS, estimators=["weighting"])
    reach = stats.t.ppf(0.975, 18)
    difference, ratio = (only(rows, "weighting", scale) for scale in ("risk-difference", "risk-ratio"))
    assert difference["high"] - difference["estimate"] == pytest.approx(reach * difference["se"])
    assert np.log(ratio["low"]) == pytest.approx(np.log(ratio["estimate"]) - reach * ratio["se"])
    assert difference["p"] == pytest.approx(2 * stats.t.sf(abs(difference["estimate"] / difference["se"]), 18))
    risk = only(rows, "weighting", "risk", "treated")
    logit = stats.logistic.ppf(risk[["low", "estimate", "high"]].to_numpy(dtype=float))
    assert logit[2] - logit[1] == pytest.approx(logit[1] - logit[0])
    slope = risk["estimate"] * (1 - risk["estimate"])
    assert logit[2] - logit[1] == pytest.approx(reach * risk["se"] / slope)
    assert np.isnan(risk["p"])


def test_rows_have_the_columns_and_counts_of_the_participants(survey: pd.DataFrame) -> None:
    rows = estimate(survey, TERMS)
    assert rows["estimator"].drop_duplicates().tolist() == list(USUAL)
    assert list(rows.columns) == COLUMNS
    assert rows.groupby("estimator").size().to_dict() == {
        "unadjusted": 6,
        "weighting": 6,
        "standardisation": 6,
        "logistic": 1,
    }
    for arm, mark in (("treated", True), ("untreated", False)):
        part, row = survey[survey["treated"] == mark], only(rows, "weighting", "risk", arm)
        assert (row["people"], row["events"]) == (len(part), part["event"].sum())
        assert row["weighted_people"] == pytest.approx(part["weight"].sum())
    both = only(rows, "weighting", "risk-difference")
    assert (both["people"], both["events"]) == (len(survey), survey["event"].sum())
    assert rows.loc[rows["scale"] != "number-needed-to-treat", "reason"].eq("").all()


def test_the_number_needed_to_treat_inverts_the_difference_unless_that_may_be_none() -> None:
    trial = crowd(3000)
    rows = estimate(trial, CROWD_TERMS, estimators=["weighting", "overlap-weighting"])
    difference, needed = (only(rows, "weighting", scale) for scale in ("risk-difference", "number-needed-to-treat"))
    assert difference["high"] < 0
    assert needed["estimate"] == pytest.approx(-1 / difference["estimate"])
    assert (needed["low"], needed["high"]) == pytest.approx((-1 / difference["low"], -1 / difference["high"]))
    assert needed["low"] < needed["estimate"] < needed["high"]
    few = only(estimate(crowd(90), CROWD_TERMS, estimators=["weighting"]), "weighting", "number-needed-to-treat")
    assert np.isfinite(few["estimate"])
    assert np.isnan(few["low"])
    assert "has two parts" in few["reason"]
    assert rows.groupby("estimator")["population"].unique().map(list).to_dict() == {
        "weighting": ["everyone"],
        "overlap-weighting": ["overlap"],
    }


def test_the_estimators_that_may_be_declared_are_those_there_are() -> None:
    assert set(get_args(Estimator)) == set(ESTIMATORS)
    assert set(REFITTED) == set(ALL)


def test_the_arms_of_overlap_and_entropy_weights_have_equal_means() -> None:
    trial = crowd(800)
    nuisance = fit_nuisance(trial, CROWD_TERMS)
    x, w, arm = nuisance.covariates, nuisance.trial.weight, nuisance.trial.treated
    e = nuisance.propensity
    overlap = w * np.where(arm, 1 - e, e)
    balanced = [np.average(x, axis=0, weights=overlap * part) for part in (arm, ~arm)]
    np.testing.assert_allclose(balanced[0], balanced[1], rtol=1e-8)
    everyone = np.average(x, axis=0, weights=w)
    for part in (arm, ~arm):
        made = weights.balance(x, w, w, part)
        np.testing.assert_allclose(np.average(x, axis=0, weights=w * made.weight), everyone, rtol=1e-7)
        assert (w * made.weight).sum() == pytest.approx(w.sum(), rel=1e-7)


def test_means_that_no_weights_can_reach_are_told() -> None:
    trial = crowd(300).assign(age=lambda frame: frame["age"].where(frame["treated"], frame["age"] + 200))
    rows = estimate(trial, ["age"], estimators=["entropy-balancing"])
    assert not rows["converged"].any()
    assert rows["reason"].str.contains("no weights of its people reach the population's means").all()


def test_a_skeleton_keeps_psus_that_hold_no_participant(survey: pd.DataFrame) -> None:
    trial = survey[survey["domain"] == 1]
    whole = estimate(trial, TERMS, survey[["stratum", "psu"]], "remove", ["weighting"])
    cut = estimate(trial, TERMS, None, "remove", ["weighting"])
    assert whole["estimate"].equals(cut["estimate"])
    assert (whole["se"] > cut["se"])[whole["se"].notna()].all()


def test_a_survey_without_design_is_a_simple_random_sample() -> None:
    trial = crowd(500)
    rows = estimate(trial, CROWD_TERMS, estimators=["weighting"])
    clustered = trial.assign(stratum=1, psu=range(500))
    same = estimate(clustered, CROWD_TERMS, estimators=["weighting"])
    pd.testing.assert_frame_equal(rows, same)
    assert rows["design_df"].eq(499).all()


def test_declared_loss_terms_weight_the_unadjusted_comparison_too(survey: pd.DataFrame) -> None:
    plain, same, declared = (
        only(estimate(survey, TERMS, estimators=["unadjusted"], **choice), "unadjusted", "risk-difference")
        for choice in ({}, {"loss_terms": []}, {"loss_terms": ["age"]})
    )
    # A loss model with the arm alone cancels, in the estimate and in its error.
    assert same["estimate"] == pytest.approx(plain["estimate"], rel=1e-10)
    assert same["se"] == pytest.approx(plain["se"], rel=1e-10)
    assert declared["estimate"] != pytest.approx(plain["estimate"], rel=1e-4)


def test_a_probability_that_rounds_to_nothing_is_told_and_not_weighted_by(survey: pd.DataFrame) -> None:
    nuisance = fit_nuisance(survey, [])
    endless = dataclasses.replace(
        nuisance, analysis_weight=np.where(survey.index == 0, np.inf, nuisance.analysis_weight)
    )
    assert nuisance.converged
    assert not endless.converged
    assert "probability of the own arm is 0" in endless.reason


def test_nuisance_weights_are_what_they_say(survey: pd.DataFrame) -> None:
    nuisance = fit_nuisance(survey, TERMS)
    e, treated, followed = nuisance.propensity, survey["treated"].to_numpy(), survey["followed"].to_numpy()
    assert nuisance.treatment_weight == pytest.approx(np.where(treated, 1 / e, 1 / (1 - e)))
    weight = np.where(followed, survey["weight"] * nuisance.treatment_weight / nuisance.retention, 0)
    assert nuisance.analysis_weight == pytest.approx(weight)
    on_the_treated = fit_nuisance(survey, TERMS, population="treated").treatment_weight
    assert on_the_treated == pytest.approx(np.where(treated, 1, e / (1 - e)))
    # A logistic model with intercept reproduces the weighted share exactly.
    assert np.average(e, weights=survey["weight"]) == pytest.approx(np.average(treated, weights=survey["weight"]))
    marginal = fit_nuisance(survey, [])
    assert np.ptp(marginal.propensity) < 1e-12
    assert marginal.columns == ["intercept"]


def test_when_everyone_is_followed_there_is_no_loss_model(survey: pd.DataFrame) -> None:
    stayed = survey[survey["followed"]]
    nuisance = fit_nuisance(stayed, TERMS)
    assert nuisance.retention_model is None
    assert (nuisance.retention == 1).all()
    complete = fit_nuisance(survey, TERMS, lost="complete")
    assert complete.retention_model is None
    assert (complete.analysis_weight > 0).sum() == len(stayed)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weight": 0.0}, "625 have no weight above zero"),
        ({"weight": np.nan}, "weight is missing, infinite or negative for 625"),
        ({"treated": True}, "nobody untreated was followed"),
        ({"treated": 2}, "treated must be true or false"),
        ({"followed": pd.NA}, "followed is missing for 625"),
        ({"event": False}, "event is missing for 0 of the followed and known for 91 of the lost"),
        ({"event": pd.NA}, "event is missing for 534 of the followed and known for 0 of the lost"),
        ({"age": np.nan}, "age is missing for 625 people"),
    ],
)
def test_broken_participants_are_refused(survey: pd.DataFrame, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        estimate(survey.assign(**change), TERMS)


def test_unknown_choices_and_absent_columns_are_refused(survey: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="magic not known; choose from unadjusted"):
        estimate(survey, TERMS, estimators=["magic"])
    with pytest.raises(ValueError, match="population 'nobody'"):
        estimate(survey, TERMS, population="nobody")
    with pytest.raises(ValueError, match="no column 'event'"):
        estimate(survey.drop(columns="event"), TERMS)
    with pytest.raises(ValueError, match="no column 'followed'"):
        fit_nuisance(survey.drop(columns="followed"), TERMS)
    with pytest.raises(ValueError, match="must be true or false, or 1 or 0"):
        estimate(survey.assign(event=survey["event"].astype("Float64") * 2), TERMS)


def test_a_model_that_cannot_be_fitted_gives_rows_without_numbers_and_the_reason(survey: pd.DataFrame) -> None:
    copied = survey.assign(twin=survey["age"] * 2)
    rows = estimate(copied, ["age", "twin"])
    adjusted = rows[rows["estimator"] != "unadjusted"]
    assert not adjusted["converged"].any()
    assert adjusted["reason"].str.contains("linearly dependent columns").all()
    assert adjusted[["estimate", "se", "low", "high", "p"]].isna().all(axis=None)
    assert adjusted["people"].notna().all()
    crude = rows[rows["estimator"] == "unadjusted"]
    assert crude["converged"].all()
    assert crude["estimate"].notna().all()
    assert len(rows) == len(estimate(survey, ["age"]))


def test_a_separated_outcome_model_spares_the_weighting_estimator(survey: pd.DataFrame) -> None:
    men_without = survey.assign(event=survey["event"].where((survey["sex"] == "female") | ~survey["followed"], False))
    rows = estimate(men_without, ["age", "sex"], estimators=["weighting", "standardisation", "logistic"])
    failed = rows[~rows["converged"]]
    assert set(failed["estimator"]) == {"standardisation", "logistic"}
    assert failed["reason"].eq("outcome: separated: all those who have sex: male have outcome 0").all()


def test_an_arm_without_events_has_a_difference_but_no_standard_error(survey: pd.DataFrame) -> None:
    nothing = survey.assign(event=survey["event"].where(~survey["treated"] | ~survey["followed"], False))
    rows = estimate(nothing, TERMS, estimators=["weighting"])
    risk, other = (only(rows, "weighting", "risk", arm) for arm in ("treated", "untreated"))
    assert risk["estimate"] == 0
    assert np.isnan(risk["se"])
    assert other["se"] > 0
    difference = only(rows, "weighting", "risk-difference")
    assert difference["estimate"] == pytest.approx(-other["estimate"])
    assert np.isnan(difference[["se", "low", "high", "p"]].to_numpy(dtype=float)).all()
    assert np.isnan(only(rows, "weighting", "risk-ratio")["estimate"])


def test_confounding_and_loss_are_removed_in_a_large_world() -> None:
    trial = crowd(60_000, seed=11)
    age, sick = trial["age"], (trial["sick"] == "yes").astype(float)
    risk = {arm: expit(-1.2 - 0.5 * arm + 0.02 * (age - 45) + 1.0 * sick).mean() for arm in (1, 0)}
    truth = risk[1] - risk[0]
    rows = estimate(trial, ["age", "sick"])
    for name in ("weighting", "standardisation"):
        row = only(rows, name, "risk-difference")
        assert abs(row["estimate"] - truth) < 3 * row["se"]
    crude = only(rows, "unadjusted", "risk-difference")
    assert abs(crude["estimate"] - truth) > 6 * crude["se"]
    conditional = only(rows, "logistic", "odds-ratio")
    assert abs(np.log(conditional["estimate"]) + 0.5) < 3 * conditional["se"]
    # The log-odds ratio of the risks of all is nearer to nothing than the one given age and sickness.
    assert np.log(only(rows, "standardisation", "odds-ratio")["estimate"]) > np.log(conditional["estimate"]) + 0.02


def test_an_effect_that_turns_with_sickness_needs_a_model_of_each_arm() -> None:
    rng = np.random.default_rng(31)
    people = 40_000
    sick = rng.random(people) < 0.4
    treated = rng.random(people) < np.where(sick, 0.85, 0.5)
    risk = {arm: np.where(sick, 0.30 - 0.10 * arm, 0.05 + 0.10 * arm) for arm in (0, 1)}
    trial = pd.DataFrame(
        {
            "weight": rng.gamma(3, 500, people) + 50,
            "treated": treated,
            "followed": True,
            "event": rng.random(people) < np.where(treated, risk[1], risk[0]),
            "sick": np.where(sick, "yes", "no"),
        }
    )
    truth = (risk[1] - risk[0]).mean()
    rows = estimate(trial, ["sick"], estimators=["weighting", "standardisation", *BY_ARM])
    for name in ("weighting", *BY_ARM):
        row = only(rows, name, "risk-difference")
        assert abs(row["estimate"] - truth) < 3 * row["se"]
    row = only(rows, "standardisation", "risk-difference")
    assert abs(row["estimate"] - truth) > 4 * row["se"]


def test_knowing_the_estimated_propensity_makes_the_error_smaller_than_treating_it_as_known() -> None:
    trial = crowd(2000, lost=False)
    row = only(estimate(trial, CROWD_TERMS, estimators=["weighting"]), "weighting", "risk-difference")
    nuisance, design = fit_nuisance(trial, CROWD_TERMS), Design.of(trial, stratum=None, cluster=None)
    event, treated = trial["event"].astype(float).to_numpy(), trial["treated"].to_numpy()
    influence = np.zeros(len(trial))
    for arm, sign in ((treated, 1), (~treated, -1)):
        part = np.where(arm, nuisance.analysis_weight, 0)
        part = part / part.sum()
        influence += sign * part * (event - part @ event)
    assert row["se"] < 0.99 * np.sqrt(design.covariance(influence)[0, 0])


def test_standard_errors_match_the_spread_of_estimates_over_samples() -> None:
    found = [
        only(estimate(crowd(600, seed=seed), ["age", "sick"], estimators=["weighting"]), "weighting", "risk-difference")
        for seed in range(100, 260)
    ]
    estimates, errors = (np.array([row[name] for row in found], dtype=float) for name in ("estimate", "se"))
    # The spread of 160 estimates is known to 1 / sqrt(2 x 160), about 5.6 %; three times that is allowed.
    assert errors.mean() / estimates.std(ddof=1) == pytest.approx(1, abs=0.17)


def test_an_association_agrees_with_r(survey: pd.DataFrame, numbers: dict[str, Any]) -> None:
    domain = survey["domain"] == 1
    rows = associate(survey, "known", "visited", "few", ["age", "sex"], domain)
    expected = linear(numbers, "association_domain")
    for group in ("few", "some", "many"):
        crude, there = only(rows, "unadjusted", "risk", group), numbers["prevalence"][group]
        assert crude["estimate"] == pytest.approx(there["estimate"], rel=1e-8)
        assert crude["se"] == pytest.approx(there["se"], rel=1e-6)
        assert (crude["people"], crude["design_df"]) == (there["people"], there["df"])
        interval = korn_graubard(crude["estimate"], crude["se"], there["people"], there["df"])
        assert (crude["low"], crude["high"]) == pytest.approx(interval)
        agree(only(rows, "standardisation", "risk", group), expected[group])
    for group in ("some", "many"):
        arm = f"{group} vs few"
        agree(only(rows, "standardisation", "risk-difference", arm), expected[f"{group}_difference"])
        agree(only(rows, "standardisation", "risk-ratio", arm), expected[f"{group}_log_ratio"])
        agree(only(rows, "logistic", "odds-ratio", arm), expected[f"{group}_log_odds_ratio"])
    assert len(rows) == 3 + 3 + 4 + 2
    assert rows.loc[rows["estimator"] != "unadjusted", "design_df"].eq(16).all()


def test_an_association_under_replicates_is_refitted_in_each(survey: pd.DataFrame) -> None:
    people = survey[survey["stratum"] <= 14].reset_index(drop=True)
    boot = replicated(Design.of(people), "bootstrap", replicates=9, seed=3)
    domain = people["domain"] == 1
    rows = associate(people, "known", "visited", "few", ["age"], domain, design=boot)
    plain = associate(people, "known", "visited", "few", ["age"], domain)
    np.testing.assert_allclose(rows["estimate"], plain["estimate"], rtol=1e-10)
    values = []
    for place in range(9):
        weight = people["weight"] * boot.factor[boot.unit, place]
        part = people.assign(weight=weight)[weight > 0]
        one = associate(part, "known", "visited", "few", ["age"], part["domain"] == 1)
        values.append(one.set_index(["estimator", "scale", "arm"])["estimate"])
    for estimator, scale, arm in (
        ("standardisation", "risk-difference", "many vs few"),
        ("unadjusted", "risk", "many"),
    ):
        alone = np.array([value[(estimator, scale, arm)] for value in values])
        expected = np.sqrt((boot.scale * (alone - alone.mean()) ** 2).sum())
        assert only(rows, estimator, scale, arm)["se"] == pytest.approx(expected, rel=1e-6)


def test_an_association_of_the_domain_cut_out_is_the_same_when_the_skeleton_is_known(survey: pd.DataFrame) -> None:
    domain = survey["domain"] == 1
    whole = associate(survey, "known", "visited", "few", ["age"], domain)
    cut = associate(survey[domain], "known", "visited", "few", ["age"], None, survey[["stratum", "psu"]])
    pd.testing.assert_frame_equal(whole, cut, rtol=1e-12)


def test_values_missing_outside_the_domain_do_no_harm_and_inside_are_refused(survey: pd.DataFrame) -> None:
    domain = survey["domain"] == 1
    gaps = survey.assign(
        **{name: survey[name].astype("object").where(domain) for name in ("known", "sex")},
        age=survey["age"].where(domain),
        visited=survey["visited"].where(domain),
    )
    expected = associate(survey, "known", "visited", "few", ["age", "sex"], domain)
    found = associate(gaps, "known", "visited", "few", ["age", "sex"], domain)
    pd.testing.assert_frame_equal(found, expected)
    with pytest.raises(ValueError, match="known is missing for 260 in the domain"):
        associate(gaps, "known", "visited", "few", ["age", "sex"])


@pytest.mark.parametrize(
    ("change", "reference", "words"),
    [
        ({}, "none", "the reference 'none' among them"),
        ({"visited": "few"}, "few", "there must be several"),
        ({"weight": 0.0}, "few", "have weight 0"),
        ({"known": 0.5}, "few", "known must be true or false"),
    ],
)
def test_associations_that_cannot_be_are_refused(
    survey: pd.DataFrame, change: dict[str, Any], reference: str, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        associate(survey.assign(**change), "known", "visited", reference, ["age"])


def test_a_group_without_events_has_a_prevalence_of_zero_and_no_adjusted_numbers(survey: pd.DataFrame) -> None:
    nothing = survey.assign(known=survey["known"] & (survey["visited"] != "many"))
    rows = associate(nothing, "known", "visited", "few", ["age"])
    crude = only(rows, "unadjusted", "risk", "many")
    assert (crude["estimate"], crude["low"]) == (0, 0)
    assert crude["high"] > 0.01
    adjusted = rows[rows["estimator"] != "unadjusted"]
    assert not adjusted["converged"].any()
    assert adjusted["reason"].str.contains("all those who have visited: many have outcome 0").all()
    assert len(adjusted) == 3 + 4 + 2


def test_the_slopes_of_the_contrasts_are_their_derivatives() -> None:
    one, other, step = 0.07, 0.11, 1e-6
    for name, scale in CONTRASTS.items():
        numeric = (
            (scale.value(one + step, other) - scale.value(one - step, other)) / (2 * step),
            (scale.value(one, other + step) - scale.value(one, other - step)) / (2 * step),
        )
        assert scale.slope(one, other) == pytest.approx(numeric, rel=1e-7), name


def test_the_detectable_difference_is_found_with_the_stated_power() -> None:
    se, df = 0.008, 300
    least = minimal_detectable_difference(se, df)
    assert least == pytest.approx((1.96790 + 0.84281) * se, rel=1e-4)
    # Power of the two-sided t test at that difference, by the noncentral t distribution.
    power = stats.nct.sf(stats.t.ppf(0.975, df), df, least / se)
    assert power == pytest.approx(0.8, abs=0.003)
    assert minimal_detectable_difference(se, df, power=0.9) > least
    assert np.isnan(minimal_detectable_difference(se, 0))
    with pytest.raises(ValueError, match="must lie between 0 and 1"):
        minimal_detectable_difference(se, df, power=80)


def test_the_outcome_model_has_the_arm_as_second_column(survey: pd.DataFrame) -> None:
    rows = estimate(survey[survey["followed"]], TERMS, estimators=["logistic"])
    stayed = survey[survey["followed"]]
    matrix, columns = design_matrix(stayed, ["treated", *TERMS])
    fit = logistic(matrix, stayed["event"].astype(float), stayed["weight"], columns)
    assert np.log(rows["estimate"].iloc[0]) == pytest.approx(fit.coefficients[columns.index("treated: True")], rel=1e-9)


def test_a_separated_arm_is_named_by_the_estimators_with_a_model_for_each(survey: pd.DataFrame) -> None:
    men = (survey["sex"] == "male") & survey["treated"] & survey["followed"]
    rows = estimate(survey.assign(event=survey["event"].mask(men, False)), ["age", "sex"], estimators=[*USUAL, *BY_ARM])
    failed = rows[~rows["converged"]]
    assert set(failed["estimator"]) == set(BY_ARM)
    assert failed["reason"].str.contains("treated: outcome: separated: all those who have sex: male").all()
    assert failed[["estimate", "se"]].isna().all(axis=None)


@pytest.mark.parametrize("arms", ["both", "treated"])
def test_arms_without_events_have_no_interval_and_say_why(survey: pd.DataFrame, arms: str) -> None:
    nobody = survey["treated"].astype(bool) if arms == "treated" else survey["treated"].notna()
    people = survey.assign(event=survey["event"].mask(nobody & survey["followed"].astype(bool), False))
    rows = estimate(people, ["age"], estimators=["unadjusted", "weighting"])
    contrasts = rows[rows["scale"].isin(["risk-difference", "risk-ratio", "odds-ratio"])]
    assert contrasts[["se", "low", "high"]].isna().all(axis=None)
    assert contrasts["reason"].str.contains("nobody or everybody of an arm had the event").all()


def test_a_confounder_that_predicts_treatment_perfectly_is_named_by_everyone_who_needs_a_model(
    survey: pd.DataFrame,
) -> None:
    people = survey.assign(clinic=np.where(survey["treated"].astype(bool), "north", "south"))
    rows = estimate(
        people, ["age", "clinic"], estimators=["weighting", "overlap-weighting", "doubly-robust", "targeted"]
    )
    assert rows["estimate"].isna().all()
    assert rows["reason"].str.contains("propensity: separated: all those who have clinic").all()
