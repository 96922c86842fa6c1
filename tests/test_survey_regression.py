"""Regression of every family under the design: against R, against statsmodels, against refits, and where it refuses."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from backpain.design import Design, replicated
from backpain.regression import (
    FAMILIES,
    SINGLE,
    Regression,
    coding_of,
    design_matrix,
    fit,
    newton,
    rows,
    saddlepoint,
    satterthwaite,
    survey_regression,
)
from backpain.regression.categories import Multinomial, Ordinal
from backpain.regression.peer import disagreement

ORACLE = Path(__file__).parent / "oracle"
CROSSED: list[Any] = ["treated", "sex", "age", {"interaction": ["treated", "sex"]}]
ROOT = {"variable": "visits", "as": "square-root"}
OUTCOMES = {"linear": "cost", "multinomial": "amount", "ordinal": "amount", "rate": "visits"}
PARTS = ("everyone", "domain")
POLICIES = ("remove", "adjust", "average")
FITTED = ("linear", "logistic", "poisson", "log-binomial", "complementary-log-log")


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    read = pd.read_csv(ORACLE / "people.csv")
    amount = pd.cut(read["visits"], [-np.inf, 1, 3, np.inf], labels=["few", "some", "many"])
    return read.assign(amount=amount, log_age=np.log(read["age"]))


@pytest.fixture(scope="module")
def numbers() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ORACLE / "regression" / "regression.json").read_text(encoding="utf-8"))
    return found


def regress(people: pd.DataFrame, name: str, terms: Any, part: str = "everyone", **more: Any) -> Regression:
    """One of the models that R fitted too; a rate is a Poisson model with an offset."""
    rate = {"family": "poisson", "offset": "log_age"} if name == "rate" else {"family": name}
    return survey_regression(
        people,
        OUTCOMES.get(name, "event"),
        terms,
        Design.of(people, lonely=more.pop("lonely", "adjust")),
        domain=None if part == "everyone" else people["domain"] == 1,
        **rate,
        **more,
    )


def agrees(found: Any, expected: Any, rel: float) -> bool:
    return bool(np.asarray(found) == pytest.approx(np.asarray(expected, dtype=float), rel=rel, abs=0))


# Against R.


@pytest.mark.parametrize("lonely", POLICIES)
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", [*FITTED, "rate"])
def test_a_family_agrees_with_svyglm(
    people: pd.DataFrame, numbers: dict[str, Any], lonely: str, part: str, name: str
) -> None:
    expected = numbers["models"][lonely][part][name]
    found = regress(people, name, CROSSED, part, lonely=lonely, df="design minus terms", engine="statsmodels")
    assert found.converged
    assert agrees(found.coefficients, expected["estimate"], 1e-8)
    assert agrees(found.table["se"], expected["se"], 1e-6)
    assert agrees(found.covariance, expected["covariance"], 2e-6)
    assert found.table["df"].eq(expected["df_terms"]).all()
    assert regress(people, name, CROSSED, part, lonely=lonely).freedom == expected["df_design"]


@pytest.mark.parametrize("lonely", POLICIES)
@pytest.mark.parametrize("part", PARTS)
def test_proportional_odds_agree_with_svyolr(
    people: pd.DataFrame, numbers: dict[str, Any], lonely: str, part: str
) -> None:
    expected = numbers["ordinal"][lonely][part]
    found = regress(people, "ordinal", CROSSED[:3], part, lonely=lonely, df="design minus terms", engine="statsmodels")
    assert found.fit.names == ["treated", "sex: male", "age", "few|some", "some|many"]
    assert agrees(found.coefficients, expected["estimate"], 1e-8)
    assert agrees(found.table["se"], expected["se"], 1e-6)
    assert -2 * found.fit.likelihood == pytest.approx(expected["deviance"], rel=1e-10)
    assert found.freedom == expected["df_terms"]


@pytest.mark.parametrize("part", PARTS)
def test_a_multinomial_model_agrees_with_the_sandwich_by_hand(
    people: pd.DataFrame, numbers: dict[str, Any], part: str
) -> None:
    expected = numbers["multinomial"][part]
    found = regress(people, "multinomial", CROSSED[:3], part, engine="statsmodels")
    assert found.fit.names[:2] == ["some: intercept", "some: treated"]
    assert agrees(found.coefficients, expected["estimate"], 1e-8)
    assert agrees(found.table["se"], expected["se"], 1e-6)
    assert found.freedom == expected["df_design"]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", ["linear", "logistic", "poisson", "complementary-log-log", "rate"])
def test_tests_of_several_terms_agree_with_regtermtest(
    people: pd.DataFrame, numbers: dict[str, Any], part: str, name: str
) -> None:
    expected = numbers["tests"][part][name]
    last, fourth = ("cost", "cost") if name == "rate" else ("visits", ROOT)
    terms = ["treated", "sex", "age", fourth]
    strict, loose = (regress(people, name, terms, part, df=df) for df in ("design minus terms", "design"))
    for model, kind in ((strict, "wald"), (loose, "wald_design")):
        wald = model.wald(["age", last])
        assert agrees([wald.statistic, wald.p], [expected[kind]["F"], expected[kind]["p"]], 1e-6)
        assert (wald.numerator, wald.df) == (expected[kind]["df"], expected[kind]["ddf"])
    for approximation in ("saddlepoint", "satterthwaite"):
        ratio, theirs = strict.working_likelihood_ratio(["age", last], approximation), expected[approximation]
        assert agrees([ratio.statistic, ratio.p], [theirs["chisq"], theirs["p"]], 1e-6)
        assert agrees(ratio.misspecified, theirs["lambda"], 1e-6)
        assert (ratio.numerator, ratio.df) == (theirs["df"], theirs["ddf"])
    one = strict.working_likelihood_ratio(last)
    assert agrees([one.statistic, one.p], [expected["one"]["chisq"], expected["one"]["p"]], 1e-6)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", ["linear", "logistic", "rate"])
def test_terms_one_after_another_agree_with_anova(
    people: pd.DataFrame, numbers: dict[str, Any], part: str, name: str
) -> None:
    expected = numbers["tests"][part][name]
    fourth = "cost" if name == "rate" else ROOT
    model = regress(people, name, ["treated", "sex", "age", fourth], part, df="design minus terms")
    for method, kind, statistic in (("likelihood-ratio", "anova", "chisq"), ("wald", "anova_wald", "F")):
        found, theirs = model.anova(method), expected[kind]
        assert found["term"].tolist() == list(theirs)
        assert agrees(found["statistic"], [each[statistic] for each in theirs.values()], 1e-6)
        assert agrees(found["p"], [each["p"] for each in theirs.values()], 1e-6)
        assert found["df"].tolist() == [each["ddf"] for each in theirs.values()]


def test_terms_one_after_another_keep_the_information_that_was_chosen(people: pd.DataFrame) -> None:
    terms = ["treated", "age"]
    for information in ("expected", "observed"):
        whole = regress(people, "log-binomial", terms, information=information).anova("wald")
        first = regress(people, "log-binomial", terms[:1], information=information).wald("treated")
        assert whole["p"].iloc[0] == pytest.approx(first.p, rel=1e-9)


def test_sums_of_chi_squares_have_rs_tails(numbers: dict[str, Any]) -> None:
    for case in numbers["mixtures"].values():
        tail = {"saddlepoint": saddlepoint, "satterthwaite": satterthwaite}[case["method"]]
        df = case["ddf"] if case["ddf"] > 0 else math.inf
        assert tail(case["x"], case["a"], df) == pytest.approx(case["p"], rel=1e-6), case


def test_a_single_chi_square_is_itself() -> None:
    assert satterthwaite(5.0, [2.0]) == pytest.approx(stats.chi2.sf(2.5, 1))
    assert satterthwaite(6.0, [1.0, 1.0], 9) == pytest.approx(stats.f.sf(3.0, 2, 9))
    assert saddlepoint(30.0, [1.0] * 12, 40) == pytest.approx(stats.f.sf(2.5, 12, 40), rel=0.02)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", ["linear", "logistic", "poisson", "complementary-log-log"])
def test_averages_had_everyone_had_a_value_agree_with_svypredmeans(
    people: pd.DataFrame, numbers: dict[str, Any], part: str, name: str
) -> None:
    expected = numbers["predmeans"][part][name]
    model = regress(people, name, ["age", "sex", ROOT, "treated"], part)
    for covariates in ("independent", "fixed"):
        found = model.margins("treated", at=[0, 1], covariates=covariates)
        assert agrees(found["estimate"], expected["mean"], 1e-8)
        assert agrees(found["se"], expected[covariates], 1e-6)
    difference = model.margins("treated", at=[0, 1], contrast="difference", covariates="fixed")
    assert agrees(difference["se"], [expected["fixed_difference"]], 1e-6)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", FITTED)
def test_margins_with_sampled_covariates_agree_with_brute_force(
    people: pd.DataFrame, numbers: dict[str, Any], part: str, name: str
) -> None:
    expected = numbers["sampled"][part][name]
    model = regress(people, name, CROSSED, part, information="observed")
    mean, difference, ratio = (model.margins("treated", [0, 1], contrast) for contrast in (None, "difference", "ratio"))
    estimates = [mean["estimate"], difference["estimate"], np.log(ratio["estimate"]), model.slopes("age")["estimate"]]
    errors = [mean["se"], difference["se"], ratio["se"], model.slopes("age")["se"]]
    assert agrees(np.concatenate(estimates), expected["estimate"], 1e-8)
    assert agrees(np.concatenate(errors), expected["se"], 1e-6)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", ["linear", "logistic", "poisson", "log-binomial"])
def test_a_design_of_replicates_refits_everything(
    people: pd.DataFrame, numbers: dict[str, Any], part: str, name: str
) -> None:
    expected = numbers["replicated"][part][name]
    inside = people[people["stratum"] <= 14].reset_index(drop=True)
    design = replicated(Design.of(inside), "jkn")
    domain = None if part == "everyone" else inside["domain"] == 1
    model = survey_regression(inside, OUTCOMES.get(name, "event"), CROSSED, design, name, domain=domain)
    margins = model.margins("treated", [0, 1])
    assert agrees([*model.coefficients, *margins["estimate"]], expected["estimate"], 1e-8)
    assert agrees([*model.table["se"], *margins["se"]], expected["se"], 1e-6)
    assert model.freedom == expected["df"]
    independent = model.margins("treated", [0, 1], covariates="independent")
    assert (independent["se"] > model.margins("treated", [0, 1], covariates="fixed")["se"]).all()


def test_a_lonely_stratum_stops_a_regression_where_the_design_says_fail(people: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="2 strata have a single PSU"):
        regress(people, "logistic", CROSSED, lonely="fail")
    paired = people["stratum"] <= 14
    design = Design.of(people, lonely="fail")
    assert survey_regression(people, "event", ["age"], design, domain=paired).converged


# Against itself and statsmodels.


@pytest.mark.parametrize("name", [*FAMILIES, "rate"])
def test_the_influence_of_a_person_is_the_slope_of_the_refitted_coefficients(people: pd.DataFrame, name: str) -> None:
    model = regress(people, name, CROSSED[:3], "domain", information="observed")
    weight, influence = model.design.weight, model.influence
    inside = np.flatnonzero(model.members)[::60]
    step = np.zeros((len(people), len(inside)))
    step[inside, np.arange(len(inside))] = 1e-3 * weight[inside]
    slope = (model.refit(weight[:, None] + step) - model.refit(weight[:, None] - step)) / 2e-3
    assert influence[inside] == pytest.approx(slope, rel=1e-4, abs=1e-5 * np.abs(influence).max(axis=0).min())
    assert not influence[~model.members].any()
    assert np.abs(influence.sum(axis=0)).max() < 1e-8 * np.abs(influence).sum(axis=0).max()


@pytest.mark.parametrize("name", list(FAMILIES))
def test_a_refit_is_the_fit_under_other_weights(people: pd.DataFrame, name: str) -> None:
    rng = np.random.default_rng(3)
    weights = people["weight"].to_numpy()[:, None] * rng.integers(0, 3, (len(people), 3))
    found = regress(people, name, CROSSED[:3], "domain").refit(weights)
    for place in range(3):
        fresh = regress(people.assign(weight=weights[:, place]), name, CROSSED[:3], "domain")
        assert found[place] == pytest.approx(fresh.coefficients, rel=1e-8, abs=1e-10)


def test_a_refit_that_does_not_settle_is_missing(people: pd.DataFrame) -> None:
    model = regress(people, "logistic", ["sex"])
    women = people["weight"] * (people["sex"] == "female")
    found = model.refit(np.column_stack([people["weight"], women]))
    assert found[0] == pytest.approx(model.coefficients, rel=1e-12)
    assert np.isnan(found[1]).all()
    with pytest.raises(ValueError, match=r"weights: shape \(3, 1\)"):
        model.refit(np.ones((3, 1)))


def test_the_influence_of_margins_is_their_slope_in_each_weight(
    people: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    model = regress(people, "ordinal", CROSSED[:3], "domain")
    design, weight = model.design, model.design.weight

    def listen(self: Design, influence: Any, domain: Any = None) -> Any:
        seen.append(influence)
        return np.eye(influence.shape[1])

    monkeypatch.setattr(Design, "covariance", listen)
    model.averages("treated", [0, 1])
    person = int(np.flatnonzero(model.members)[40])

    def moved(step: float) -> Any:
        other = np.where(np.arange(len(weight)) == person, weight * (1 + step), weight)
        changed = design.times(other / weight)
        again = survey_regression(people, model.outcome, CROSSED[:3], changed, "ordinal", model.members)
        return again.averages("treated", [0, 1])[0]

    slope = (moved(1e-3) - moved(-1e-3)) / 2e-3
    assert seen[0][person] == pytest.approx(slope, rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("name", ["logistic", "poisson", "ordinal"])
def test_margins_under_replicates_are_those_of_models_fitted_one_by_one(people: pd.DataFrame, name: str) -> None:
    kept = people[people["stratum"] <= 14].reset_index(drop=True)
    boot = replicated(Design.of(kept), "bootstrap", replicates=7, seed=3)
    members = (kept["domain"] == 1).to_numpy()
    outcome = regress(people, name, CROSSED[:3]).outcome
    model = survey_regression(kept, outcome, CROSSED[:3], boot, name, members)
    found, covariance = model.averages("treated", [0, 1])
    alone = []
    for place in range(7):
        weight = boot.base * boot.factor[boot.unit, place]
        counted = weight > 0
        part = kept[counted].assign(weight=weight[counted])
        one = survey_regression(part, outcome, CROSSED[:3], Design.of(part), name, members[counted])
        alone.append(one.averages("treated", [0, 1])[0])
    spread = np.array(alone) - np.mean(alone, axis=0)
    np.testing.assert_allclose(covariance, (spread * boot.scale[:, None]).T @ spread, rtol=1e-6)
    assert model.margins("treated", [0, 1])["estimate"].to_numpy() == pytest.approx(found)


@pytest.mark.parametrize("name", list(FAMILIES))
def test_a_coefficient_a_millionth_off_is_noticed_by_statsmodels(people: pd.DataFrame, name: str) -> None:
    fitted = regress(people, name, CROSSED[:3]).fit
    counted = fitted.rows.weighted(fitted.rows.weight)
    assert disagreement(counted, fitted.kind, fitted.coefficients) == ""
    off = fitted.coefficients.copy()
    off[1] += 1e-6 * (1 + np.abs(off).max())
    assert "differ by 1.0e-06" in disagreement(counted, fitted.kind, off)


def test_two_categories_make_a_multinomial_model_logistic(people: pd.DataFrame) -> None:
    matrix, columns = design_matrix(people, CROSSED[:3])
    two = fit(matrix, people["event"], people["weight"], Multinomial(("no", "yes")), columns)
    one = fit(matrix, people["event"], people["weight"], SINGLE["logistic"], columns)
    ordered = fit(matrix, people["event"], people["weight"], Ordinal(("no", "yes")), columns)
    assert two.coefficients == pytest.approx(one.coefficients, rel=1e-10)
    assert two.influence == pytest.approx(one.influence, rel=1e-8, abs=1e-12)
    assert ordered.coefficients == pytest.approx([*one.coefficients[1:], -one.coefficients[0]], rel=1e-10)


def test_a_hundred_thousand_people_start_near_the_end_and_end_where_others_do(
    people: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = people.loc[np.tile(people.index, 161)].reset_index(drop=True)
    few = regress(people, "logistic", CROSSED)
    counted: list[int] = []
    climb = newton._climb

    def count(rows: Any, *more: Any) -> Any:
        counted.append(len(rows.outcome))
        return climb(rows, *more)

    monkeypatch.setattr(newton, "_climb", count)
    found = regress(many, "logistic", CROSSED)
    assert counted == [math.ceil(len(many) / newton.ONE_IN), len(many)]
    assert found.coefficients == pytest.approx(few.coefficients, rel=1e-9)
    assert found.table["se"].to_numpy() == pytest.approx(few.table["se"].to_numpy(), rel=1e-9)


@pytest.mark.parametrize("name", ["logistic", "multinomial", "ordinal"])
def test_what_only_people_between_the_first_few_have_settles_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(11)
    people = newton.MANY + 5
    matrix = np.column_stack([np.ones(people), rng.normal(size=people), np.zeros(people)])
    rare = np.arange(80) * newton.ONE_IN + 2  # nobody of every sixteenth
    matrix[rare, 2] = 1.0
    outcome = (rng.random(people) < 0.3).astype(float)
    if name != "logistic":
        outcome[np.arange(people) % (2 * newton.ONE_IN) == 3] *= 2.0  # the few never have the last category
    # So far from the others that its coefficient is the last to settle.
    outcome[rare], outcome[rare[:2]] = 1.0, 0.0
    if name != "logistic":
        outcome[rare[2:4]] = 2.0
    kind = {"logistic": SINGLE["logistic"], "multinomial": Multinomial(tuple("abc")), "ordinal": Ordinal(tuple("abc"))}
    counted = rows.Rows(matrix, outcome, np.ones(people))
    found = newton.solve(counted, kind[name], ["intercept", "x", "rare"])
    monkeypatch.setattr(newton, "MANY", people + 1)
    alone = newton.solve(counted, kind[name], ["intercept", "x", "rare"])
    assert found.reason == alone.reason == ""
    assert found.coefficients == pytest.approx(alone.coefficients, rel=1e-9, abs=1e-10)


def test_blocks_of_any_size_give_the_same_fit(people: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    models = {name: regress(people, name, CROSSED[:3]) for name in FAMILIES}
    monkeypatch.setattr(rows, "BLOCK", 1)  # the smallest block has 256 rows
    for name, model in models.items():
        again = regress(people, name, CROSSED[:3])
        assert again.coefficients == pytest.approx(model.coefficients, rel=1e-11)
        assert again.covariance == pytest.approx(model.covariance, rel=1e-10)


def test_the_unit_of_the_weights_does_not_matter(people: pd.DataFrame) -> None:
    for name in FAMILIES:
        one = regress(people, name, CROSSED[:3])
        other = regress(people.assign(weight=people["weight"] * 1e5), name, CROSSED[:3])
        assert other.covariance == pytest.approx(one.covariance, rel=1e-8)
        ratios = [model.working_likelihood_ratio("age").p for model in (one, other)]
        assert ratios[0] == pytest.approx(ratios[1], rel=1e-8)


# What a regression shows.


def test_the_summary_is_statsmodels_own_with_the_designs_errors_and_degrees(people: pd.DataFrame) -> None:
    for name in ("linear", "log-binomial", "ordinal"):
        model = regress(people, name, CROSSED[:3])
        text = str(model.summary())
        line = next(line.split() for line in text.splitlines() if line.startswith("age "))
        row = model.table.set_index("term").loc["age"]
        shown = [row["estimate"], row["se"], row["estimate"] / row["se"], row["p"], row["low"], row["high"]]
        assert [float(word) for word in line[1:]] == pytest.approx(shown, abs=6e-4)
        assert "design-based" in text


def test_ratios_are_exponentiated_and_leave_the_intercept_out(people: pd.DataFrame) -> None:
    model = regress(people, "poisson", CROSSED[:3])
    assert model.ratios["term"].tolist() == ["treated", "sex: male", "age"]
    assert model.ratios["estimate"].to_numpy() == pytest.approx(np.exp(model.coefficients[1:]))
    assert model.ratios["ratio"].eq("rate ratio").all()
    assert regress(people, "ordinal", ["age"]).ratios["term"].tolist() == ["age"]
    assert regress(people, "multinomial", ["age"]).ratios["term"].tolist() == ["some: age", "many: age"]
    with pytest.raises(ValueError, match="linear regression has no ratios"):
        regress(people, "linear", ["age"]).ratios  # noqa: B018


def test_poisson_and_log_binomial_ratios_of_two_groups_are_the_ratio_of_their_risks(people: pd.DataFrame) -> None:
    men = people["sex"] == "male"
    risk = [np.average(people["event"][group], weights=people["weight"][group]) for group in (men, ~men)]
    for name in ("poisson", "log-binomial"):
        assert regress(people, name, ["sex"]).ratios["estimate"].item() == pytest.approx(risk[0] / risk[1], rel=1e-9)


def test_the_slope_of_a_straight_line_is_its_coefficient(people: pd.DataFrame) -> None:
    model = regress(people, "linear", ["age", "sex"])
    found, row = model.slopes("age").iloc[0], model.table.set_index("term").loc["age"]
    assert [found["estimate"], found["se"]] == pytest.approx([row["estimate"], row["se"]], rel=1e-8)


def test_probabilities_of_all_categories_add_up_and_their_differences_cancel(people: pd.DataFrame) -> None:
    for name in ("multinomial", "ordinal"):
        model = regress(people, name, ["treated", "sex"])
        means = model.margins("sex")
        assert means["category"].tolist() == ["few", "some", "many"] * 2
        assert means.groupby("value")["estimate"].sum().to_numpy() == pytest.approx([1, 1])
        change = model.margins("sex", contrast="difference")
        assert change["value"].unique().tolist() == ["male vs female"]
        assert change["estimate"].sum() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda model: model.margins("ag", [30]), "ag is not in the model, which has age, sex, treated"),
        (lambda model: model.slopes("cost"), "cost is not in the model, which has age, sex, treated"),
        (lambda model: model.margins("age"), "age is a number; give its values"),
        (lambda model: model.margins("sex", ["other"]), r"levels the model has not seen: \['other'\]"),
        (lambda model: model.margins("sex", contrast="odds"), "contrast 'odds' is not known"),
        (lambda model: model.margins("sex", ["male"], "difference"), "needs two values of sex"),
        (lambda model: model.margins("sex", covariates="drawn"), "covariates 'drawn' is not known"),
        (lambda model: model.slopes("sex"), "sex is a category"),
        (lambda model: model.wald("height"), "height: not in the model; choose from intercept, treated"),
        (lambda model: model.working_likelihood_ratio("age", "exact"), "approximation 'exact' is not known"),
        (lambda model: model.anova("score"), "method 'score' is not known"),
    ],
)
def test_questions_a_regression_cannot_answer_are_refused(people: pd.DataFrame, ask: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ask(regress(people.assign(ag=1.0), "logistic", CROSSED[:3]))


def test_more_coefficients_than_the_design_can_tell_apart_have_no_wald_test(people: pd.DataFrame) -> None:
    one = people[people["stratum"].isin([3, 6])].reset_index(drop=True)
    model = survey_regression(one, "cost", ["age", "sex", "treated", "visits", "followed"], Design.of(one), "linear")
    with pytest.raises(ValueError, match="cannot tell 5 coefficients apart with 4 degrees of freedom"):
        model.wald(["age", "sex", "treated", "visits", "followed"])


# Fits that are no fits.


@pytest.mark.parametrize(
    ("name", "outcome", "reason"),
    [
        ("logistic", lambda p: p["event"] * (p["sex"] == "male"), "without sex: male have outcome 0"),
        ("poisson", lambda p: p["visits"] * (p["sex"] == "male"), "without sex: male have outcome 0"),
        ("complementary-log-log", lambda p: p["event"].where(p["sex"] == "male", 1), "sex: male have outcome 1"),
        ("log-binomial", lambda p: p["event"].where(p["sex"] == "male", 1), "sex: male have outcome 1"),
        (
            "multinomial",
            lambda p: p["amount"].where((p["sex"] == "male") | (p["amount"] != "some"), "few"),
            "without sex: male have an outcome other than some",
        ),
        ("ordinal", lambda p: p["amount"].where(p["sex"] == "male", "many"), "without sex: male have outcome many"),
        ("linear", lambda p: p["cost"] * 0 + 3, "everyone has outcome 3, so there is nothing to fit"),
        ("poisson", lambda p: p["visits"] * 0, "everyone has outcome 0"),
    ],
)
def test_a_fit_that_runs_away_is_marked_with_the_level(
    people: pd.DataFrame, name: str, outcome: Any, reason: str
) -> None:
    broken = people.assign(y=outcome(people))
    found = survey_regression(broken, "y", ["age", "sex"], Design.of(people), name)
    assert not found.converged
    assert reason in found.reason
    assert found.table[["estimate", "se", "low", "high", "p"]].isna().all(axis=None)
    assert np.isnan(found.fit.fitted).all()
    with pytest.raises(ValueError, match=r"margins: the model of y has no fit: "):
        found.margins("sex")


def test_a_log_link_that_meets_a_risk_of_one_says_what_to_choose(people: pd.DataFrame) -> None:
    steep = people.assign(y=(people["age"] > 35) | (people["event"] == 1))
    found = survey_regression(steep, "y", ["age", "sex"], Design.of(people), "log-binomial")
    assert not found.converged
    assert "a fitted risk reaches 1" in found.reason
    assert "choose `poisson`" in found.reason
    assert survey_regression(steep, "y", ["age", "sex"], Design.of(people), "poisson").converged


def test_a_start_that_a_part_suggests_but_the_whole_cannot_take_is_dropped(people: pd.DataFrame) -> None:
    matrix, columns = design_matrix(people, ["age", "sex"])
    counted = rows.Rows(matrix, people["event"].to_numpy(float), np.ones(len(people)))
    impossible = np.array([5.0, 0.0, 0.0])
    found = newton.solve(counted, SINGLE["log-binomial"], columns, start=impossible)
    assert found.coefficients == pytest.approx(newton.solve(counted, SINGLE["log-binomial"], columns).coefficients)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"family": "probit"}, "family 'probit' is not known; choose linear, logistic"),
        ({"outcome": "height"}, "height: there is no such column"),
        ({"outcome": "cost"}, "outcome must be 0 or 1"),
        ({"outcome": "sex"}, "sex: logistic regression needs numbers"),
        ({"outcome": "loss", "family": "poisson"}, "must not be negative"),
        ({"outcome": "sex", "family": "ordinal"}, "its categories have no order"),
        ({"outcome": "event", "family": "ordinal"}, "2 categories"),
        ({"offset": "gap"}, "gap is missing for"),
        ({"offset": "endless"}, "offset has missing or infinite values"),
        ({"outcome": "amount", "family": "ordinal", "offset": "log_age"}, "ordinal regression takes no offset"),
        ({"outcome": "amount", "family": "ordinal", "terms": "0 + age"}, "leave the intercept in"),
        ({"domain": [False] * 625}, "nobody is in the domain"),
        ({"information": "fisher"}, "information 'fisher' is not known"),
        ({"engine": "firth"}, "engine 'firth' is not known"),
        ({"df": "many"}, "df 'many' is not known"),
    ],
)
def test_what_a_regression_cannot_take_is_refused(people: pd.DataFrame, change: dict[str, Any], words: str) -> None:
    broken = people.assign(loss=-people["cost"], gap=people["age"].mask(people["age"] < 30), endless=np.inf)
    asked = {"outcome": "event", "terms": ["age"], "family": "logistic"} | change
    with pytest.raises(ValueError, match=words):
        survey_regression(broken, asked.pop("outcome"), asked.pop("terms"), Design.of(people), **asked)


# Terms.


def test_an_interaction_is_the_product_of_its_parts_columns(people: pd.DataFrame) -> None:
    terms = ["sex", {"variable": "age", "as": "spline", "df": 3}, {"interaction": ["sex", "age"]}]
    coding = coding_of(people, terms)
    assert coding.columns[5:] == [f"sex: male x age (spline {number})" for number in (1, 2, 3)]
    assert coding.groups == {"sex": [1], "age": [2, 3, 4], "sex x age": [5, 6, 7]}
    matrix = coding.matrix(people)
    assert np.array_equal(matrix[:, 5:], matrix[:, [1]] * matrix[:, 2:5])
    both = coding_of(people, ["amount", "sex", {"interaction": ["amount", "sex"]}])
    assert both.columns[4:] == ["amount: some x sex: male", "amount: many x sex: male"]
    assert coding.matrix(people.head(7)) == pytest.approx(matrix[:7], abs=1e-13)


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        (["age", {"interaction": ["age", "sex"]}], "age x sex needs sex as a term of its own"),
        (["age", {"interaction": ["age"]}], "is not {interaction: "),
        (["age", {"interaction": ["age", "age"]}], "is not {interaction: "),
        (["age", "sex", *[{"interaction": ["age", "sex"]}] * 2], "age x sex stands there twice"),
        ([{"variable": "followed", "as": "restricted cubic spline"}], "some fall together"),
        ([{"variable": "age", "as": "restricted cubic spline", "knots": 2}], "2 knots; declare 3 to 7"),
        ([{"variable": "age", "as": "restricted cubic spline", "df": 4}], "knots: ..."),
        ("event ~ age", "has a ~"),
        ("age +* sex", "cannot be read"),
        ("age + height", "no column 'height'"),
        ("sex + cr(age, df=4)", "add constraints='center'"),
        ("np.log(gap)", "gap is missing for"),
        ("endless", "endless has infinite values"),
        ("hypot(age)", "no column 'hypot'"),
        ("np.reshape(age, (5, -1))", "cannot be made into columns"),
    ],
)
def test_terms_and_formulas_that_cannot_be_are_refused(people: pd.DataFrame, terms: Any, words: str) -> None:
    broken = people.assign(gap=people["age"].mask(people["age"] < 30), endless=np.inf)
    with pytest.raises(ValueError, match=words):
        design_matrix(broken, terms)


def test_a_restricted_cubic_spline_is_harrells(people: pd.DataFrame) -> None:
    coding = coding_of(people, [{"variable": "age", "as": "restricted cubic spline", "knots": 4}])
    assert coding.columns == ["intercept", "age", "age'", "age''"]
    knots = np.quantile(people["age"], [0.05, 0.35, 0.65, 0.95])
    grid = pd.DataFrame({"age": np.linspace(10, 95, 1701)})
    basis = coding.matrix(grid)
    # A natural spline through the same knots spans the same curves between the outer ones.
    inside = (grid["age"] >= knots[0]) & (grid["age"] <= knots[-1])
    spline = (
        f"cr(age, knots={knots[1:-1].tolist()}, lower_bound={knots[0]}, upper_bound={knots[-1]}, constraints='center')"
    )
    natural, _ = design_matrix(grid[inside], spline)
    for column in basis[inside].T:
        left = column - natural @ np.linalg.lstsq(natural, column, rcond=None)[0]
        assert np.abs(left).max() < 1e-9 * np.abs(column).max()
    bend = np.diff(basis, 2, axis=0)
    beyond = (grid["age"][1:-1] < knots[0] - 0.1) | (grid["age"][1:-1] > knots[-1] + 0.1)
    assert np.abs(bend[beyond]).max() < 1e-9
    assert np.abs(bend).max() > 1e-5
    assert (basis[grid["age"] <= knots[0], 2:] == 0).all()


def test_a_formula_gives_the_same_fit_as_its_terms(people: pd.DataFrame) -> None:
    people = people.assign(treated=people["treated"] == 1)
    by_terms, by_formula = (regress(people, "logistic", terms) for terms in (CROSSED, "treated * sex + age"))
    assert by_formula.fit.columns == ["intercept", "treated: True", "sex: male", "age", "treated: True x sex: male"]
    assert by_formula.coefficients == pytest.approx(by_terms.coefficients, rel=1e-9)
    assert by_formula.margins("treated")["se"].to_numpy() == pytest.approx(by_terms.margins("treated")["se"].to_numpy())
    assert by_formula.wald("treated:sex").p == pytest.approx(by_terms.wald("treated x sex").p)


def test_a_formula_remembers_knots_and_levels(people: pd.DataFrame) -> None:
    coding = coding_of(people, "sex + cr(age, df=4, constraints='center') + np.log1p(cost)")
    men = people[people["sex"] == "male"].tail(20)
    assert np.allclose(coding.matrix(men), coding.matrix(people)[men.index], rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="sex has levels the model has not seen"):
        coding.matrix(people.assign(sex="other"))
    unused = people.assign(sex=pd.Categorical(people["sex"], ["female", "male", "other"]))
    assert coding_of(unused, "sex").columns == ["intercept", "sex: male"]


def test_people_outside_the_domain_and_without_weight_may_have_anything(people: pd.DataFrame) -> None:
    outside = people["domain"] != 1
    odd = people.assign(age=people["age"].mask(outside), amount=people["amount"].mask(outside))
    for name in ("logistic", "ordinal", "multinomial"):
        plain, masked = (regress(frame, name, ["age", "sex"], "domain") for frame in (people, odd))
        assert np.array_equal(plain.table["se"], masked.table["se"])
    none = people.assign(weight=people["weight"].where(~outside, 0.0))
    weightless = regress(none, "multinomial", ["age", "sex"])
    cut = regress(people, "multinomial", ["age", "sex"], "domain")
    assert weightless.coefficients == pytest.approx(cut.coefficients, rel=1e-9)
    assert weightless.table["se"].to_numpy() == pytest.approx(cut.table["se"].to_numpy(), rel=1e-9)
