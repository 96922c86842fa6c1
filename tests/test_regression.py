"""Model matrices and logistic regression: against R's `svyglm`, against statsmodels, and where they must refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from backpain.design import Design
from backpain.regression import coding_of, counterfactual, design_matrix, logistic, survey_regression

ORACLE = Path(__file__).parent / "oracle"
SPLINE = {"variable": "age", "as": "spline", "df": 4}
ROOT = {"variable": "visits", "as": "square-root"}


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return pd.read_csv(ORACLE / "people.csv")


@pytest.fixture(scope="module")
def numbers() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ORACLE / "survey.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture
def few() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "age": [20.0, 30.0, 40.0, 55.0, 60.0, 71.0],
            "sex": ["male", "female", "male", "female", "male", "female"],
            "income": pd.Categorical(
                ["low", "high", "low", "middle", "high", "low"], categories=["low", "middle", "high", "none"]
            ),
            "treated": [True, False, True, False, True, False],
            "one": ["only"] * 6,
        }
    )


def test_columns_are_coded_against_the_first_level_that_somebody_has(few: pd.DataFrame) -> None:
    matrix, columns = design_matrix(few, ["age", "sex", "income", "treated", "one"])
    assert columns == ["intercept", "age", "sex: male", "income: middle", "income: high", "treated: True"]
    frame = pd.DataFrame(matrix, columns=columns)
    assert frame["intercept"].eq(1).all()
    assert frame["age"].tolist() == few["age"].tolist()
    assert frame["sex: male"].tolist() == [1, 0, 1, 0, 1, 0]
    assert frame["income: high"].tolist() == [0, 1, 0, 0, 1, 0]
    assert frame["treated: True"].tolist() == [1, 0, 1, 0, 1, 0]


def test_no_terms_leave_the_intercept(few: pd.DataFrame) -> None:
    matrix, columns = design_matrix(few, [])
    assert columns == ["intercept"]
    assert matrix.tolist() == [[1.0]] * 6


def test_forms_are_applied(people: pd.DataFrame) -> None:
    matrix, columns = design_matrix(people, [ROOT, {"variable": "cost", "as": "log1p"}])
    assert columns == ["intercept", "visits (square-root)", "cost (log1p)"]
    assert np.allclose(matrix[:, 1] ** 2, people["visits"])
    assert np.allclose(np.expm1(matrix[:, 2]), people["cost"])


def test_a_spline_with_the_intercept_has_full_rank_and_holds_straight_lines(people: pd.DataFrame) -> None:
    matrix, columns = design_matrix(people, [SPLINE])
    assert columns == ["intercept", *(f"age (spline {number})" for number in range(1, 5))]
    assert np.linalg.matrix_rank(matrix) == 5
    _, residual, *_ = np.linalg.lstsq(matrix, people["age"].to_numpy(), rcond=None)
    assert residual[0] < 1e-15 * (people["age"] ** 2).sum()


def test_a_spline_is_smooth_and_straight_at_its_ends(people: pd.DataFrame) -> None:
    grid = pd.DataFrame({"age": np.linspace(people["age"].min(), people["age"].max(), 2001)})
    basis = coding_of(people, [SPLINE]).matrix(grid)[:, 1:]
    bend = np.diff(basis, 2, axis=0)
    assert np.abs(bend[[0, -1]]).max() < 0.01 * np.abs(bend).max()
    assert np.abs(np.diff(bend, axis=0)).max() < 0.05 * np.abs(bend).max()


def test_a_frame_with_treatment_changed_is_coded_on_the_same_basis(people: pd.DataFrame) -> None:
    people = people.assign(treated=people["treated"] == 1)
    coding = coding_of(people, ["treated", SPLINE, "sex", ROOT])
    observed = coding.matrix(people)
    everyone = {arm: counterfactual(coding, people, treated=arm) for arm in (True, False)}
    assert everyone[True][:, 1].tolist() == [1.0] * len(people)
    assert everyone[False][:, 1].tolist() == [0.0] * len(people)
    for matrix in everyone.values():
        assert np.array_equal(np.delete(matrix, 1, axis=1), np.delete(observed, 1, axis=1))


def test_some_of_the_people_are_coded_as_they_were_among_all(people: pd.DataFrame) -> None:
    coding = coding_of(people, [SPLINE, "sex"])
    men = people[people["sex"] == "male"].tail(20)
    assert np.allclose(coding.matrix(men), coding.matrix(people)[men.index], rtol=0, atol=1e-13)


def test_names_that_are_no_python_names_are_fine(few: pd.DataFrame) -> None:
    odd = few.rename(columns={"age": "age (years) + 1", "sex": "np"})
    assert design_matrix(odd, ["age (years) + 1", "np"])[1] == ["intercept", "age (years) + 1", "np: male"]


def test_nullable_columns_are_read_as_plain_ones(few: pd.DataFrame) -> None:
    plain, names = design_matrix(few, ["age", "treated"])
    nullable, same = design_matrix(
        few.assign(age=few["age"].astype("Int64"), treated=few["treated"].astype("boolean")), ["age", "treated"]
    )
    assert names == same
    assert np.array_equal(plain, nullable)


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        (["height"], "no column 'height'"),
        (["age", {"variable": "age", "as": "spline", "df": 3}], "age stands there twice"),
        ([{"variable": "age", "as": "wiggle"}], "'wiggle' is not known; choose linear"),
        ([{"variable": "sex", "as": "spline"}], "sex is a category and cannot enter as 'spline'"),
        ([{"variable": "age", "as": "spline", "df": 6}], "6 distinct values and 5 knots between them"),
        ([{"variable": "age", "as": "spline", "df": 1}], "df 1 is a line"),
        ([{"variable": "age", "knots": 3}], "is not {variable"),
        ([{"variable": "below", "as": "square-root"}], "below has values below 0"),
        ([{"variable": "below", "as": "log1p"}], "below has values below 0"),
        (["gap"], "gap is missing for 1 people"),
        (["endless"], "endless has infinite values"),
    ],
)
def test_terms_that_cannot_be_are_refused(few: pd.DataFrame, terms: list[Any], words: str) -> None:
    broken = few.assign(below=few["age"] - 25, gap=few["age"].mask(few["age"] > 70), endless=few["age"] / 0)
    with pytest.raises(ValueError, match=words):
        design_matrix(broken, terms)


def test_beyond_its_range_a_spline_is_a_straight_line(people: pd.DataFrame) -> None:
    beyond = coding_of(people, [SPLINE]).matrix(pd.DataFrame({"age": [90.0, 100.0, 110.0]}))
    assert beyond[2] - beyond[1] == pytest.approx(beyond[1] - beyond[0], abs=1e-9)
    assert not np.allclose(beyond[1], beyond[0])


def test_levels_never_seen_are_refused(people: pd.DataFrame) -> None:
    coding = coding_of(people, [SPLINE, "sex"])
    with pytest.raises(ValueError, match=r"sex has levels the model has not seen: \['other'\]"):
        coding.matrix(people.assign(sex="other"))
    with pytest.raises(ValueError, match="sex is missing for 1 people"):
        coding.matrix(people.assign(sex=people["sex"].mask(people.index == 3)))


def made(people: int = 400, seed: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.column_stack(
        [np.ones(people), rng.normal(50, 15, people), rng.random(people) < 0.3, rng.normal(0, 1e-3, people)]
    )
    y = rng.random(people) < 1 / (1 + np.exp(-(-1.0 + 0.02 * (x[:, 1] - 50) + 0.8 * x[:, 2])))
    return x, y.astype(float), rng.gamma(2, 4000, people)


def test_newton_and_statsmodels_agree() -> None:
    x, y, w = made()
    fit = logistic(x, y, w)
    peer = sm.GLM(y, x, family=sm.families.Binomial(), freq_weights=w / w.mean()).fit(tol=1e-14)
    assert fit.coefficients == pytest.approx(peer.params, rel=1e-10, abs=1e-12)
    assert np.sqrt(np.diag(fit.bread) * w.mean()) == pytest.approx(peer.bse, rel=1e-7)
    assert logistic(x, y, w, engine="statsmodels").coefficients == pytest.approx(fit.coefficients, rel=1e-10)


def test_the_score_is_zero_at_the_fit_and_the_scale_of_the_weights_does_not_matter() -> None:
    x, y, w = made()
    fit, larger = logistic(x, y, w), logistic(x, y, w * 1e6)
    assert np.abs(fit.score.sum(axis=0)).max() < 1e-9 * np.abs(fit.score).sum(axis=0).min()
    assert larger.coefficients == pytest.approx(fit.coefficients, rel=1e-12)
    assert larger.influence == pytest.approx(fit.influence, rel=1e-9, abs=1e-14)


def test_people_of_weight_zero_have_no_say_but_a_probability() -> None:
    x, y, w = made()
    left_out = np.arange(len(y)) >= 300
    unknown = np.where(left_out, np.nan, y)
    fit, cut = logistic(x, unknown, np.where(left_out, 0, w)), logistic(x[:300], y[:300], w[:300])
    assert fit.coefficients == pytest.approx(cut.coefficients, rel=1e-12)
    assert np.isfinite(fit.probability).all()
    assert not fit.influence[left_out].any()


def test_the_influence_of_a_person_is_the_slope_of_the_coefficients_in_their_weight() -> None:
    x, y, w = made(120)
    influence = logistic(x, y, w).influence
    for person in range(0, 120, 7):
        step = np.zeros(120)
        step[person] = 1e-3 * w[person]
        slope = (logistic(x, y, w + step).coefficients - logistic(x, y, w - step).coefficients) / 2e-3
        assert influence[person] == pytest.approx(slope, rel=1e-5, abs=1e-6 * np.abs(influence).max(axis=0).max())


def test_columns_that_repeat_others_are_named() -> None:
    x, y, w = made()
    for extra, names in (
        (x[:, 2] * 3, ["a", "b", "c", "d", "copy"]),
        (1 - x[:, 2], ["a", "b", "c", "d", "copy"]),
    ):
        fit = logistic(np.column_stack([x, extra]), y, w, names)
        assert not fit.converged
        assert "linearly dependent" in fit.reason
        assert any(f" {name} " in fit.reason for name in ("a", "c", "copy"))
        assert np.isnan(fit.coefficients).all()
        assert np.isnan(fit.probability).all()
    empty = logistic(np.column_stack([x, np.zeros(len(y))]), y, w, ["a", "b", "c", "d", "region: north"])
    assert empty.reason == "nobody has region: north"
    assert not logistic(x[:3], y[:3], w[:3]).converged


def test_a_level_without_events_is_named() -> None:
    x, y, w = made()
    y = np.where(x[:, 2] == 1, 0.0, y)
    for engine in ("newton", "statsmodels"):
        fit = logistic(x, y, w, ["intercept", "age", "insurance: none", "z"], engine)
        assert not fit.converged
        assert fit.reason == "separated: all those who have insurance: none have outcome 0"


def test_an_outcome_that_a_combination_tells_apart_and_one_without_events_are_refused() -> None:
    x, y, w = made()
    apart = logistic(x, (x[:, 1] + 20 * x[:, 2] > 55).astype(float), w)
    assert not apart.converged
    assert "combination" in apart.reason
    assert "everyone has outcome 0" in logistic(x, y * 0, w).reason


def test_a_level_with_a_single_event_still_converges() -> None:
    x, y, w = made()
    place = np.flatnonzero(x[:, 2] == 1)
    y[place] = 0.0
    y[place[0]] = 1.0
    assert logistic(x, y, w).converged


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x, y, w: (x, y + 1, w), "must be 0 or 1"),
        (lambda x, y, w: (x, y, -w), "negative"),
        (lambda x, y, w: (x * np.nan, y, w), "missing"),
        (lambda x, y, w: (x, y, w * 0), "nobody has a weight"),
        (lambda x, y, w: (x[1:], y, w), "do not fit"),
    ],
)
def test_numbers_a_model_cannot_take_are_refused(change: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        logistic(*change(*made()))
    with pytest.raises(ValueError, match="'firth' is not known"):
        logistic(*made(), engine="firth")


@pytest.mark.parametrize("lonely", ["remove", "adjust", "average"])
@pytest.mark.parametrize("part", ["everyone", "domain"])
def test_the_survey_regression_agrees_with_svyglm(
    people: pd.DataFrame, numbers: dict[str, Any], lonely: str, part: str
) -> None:
    domain = people["domain"] == 1 if part == "domain" else None
    expected = numbers["regressions"][lonely][part]
    found = survey_regression(
        people,
        "event",
        ["treated", "age", "sex", ROOT],
        Design.of(people, lonely=lonely),
        domain=domain,
        df="design minus terms",
    ).table
    assert found["estimate"].to_numpy() == pytest.approx(np.array(expected["estimate"]), rel=1e-8)
    assert found["se"].to_numpy() == pytest.approx(np.array(expected["se"]), rel=1e-6)
    assert found["df"].eq(expected["df"]).all()
    assert found["converged"].all()


def test_the_degrees_of_freedom_are_a_declared_choice(people: pd.DataFrame) -> None:
    design = Design.of(people)
    loose, strict = (
        survey_regression(people, "event", ["age", "sex"], design, df=df).table
        for df in ("design", "design minus terms")
    )
    assert loose["df"].eq(18).all()
    assert strict["df"].eq(16).all()
    row = loose.iloc[1]
    assert row["high"] - row["estimate"] == pytest.approx(stats.t.ppf(0.975, 18) * row["se"])
    assert row["p"] == pytest.approx(2 * stats.t.sf(abs(row["estimate"] / row["se"]), 18))
    with pytest.raises(ValueError, match="df 'many' is not known"):
        survey_regression(people, "event", ["age"], design, df="many")


def test_more_coefficients_than_degrees_of_freedom_are_refused(people: pd.DataFrame) -> None:
    design, one = Design.of(people), people["stratum"] == 3
    with pytest.raises(ValueError, match=r"0 degrees of freedom \(design minus terms\) for 3 coefficients"):
        survey_regression(people, "event", ["age", "sex"], design, domain=one, df="design minus terms")
    assert survey_regression(people, "event", ["age", "sex"], design, domain=one).table["df"].eq(2).all()


def test_an_outcome_missing_in_the_domain_is_refused_and_a_separated_fit_is_marked(people: pd.DataFrame) -> None:
    design = Design.of(people)
    gap = people.assign(event=people["event"].astype(float).mask(people["sex"] == "male"))
    with pytest.raises(ValueError, match="event: missing for"):
        survey_regression(gap, "event", ["age"], design)
    women = survey_regression(gap, "event", ["age"], design, domain=people["sex"] == "female")
    assert women.converged
    apart = people.assign(event=people["event"] * (people["sex"] == "male"))
    found = survey_regression(apart, "event", ["age", "sex"], design).table
    assert not found["converged"].any()
    assert found["reason"].str.contains("without sex: male have outcome 0").all()
    assert found[["estimate", "se", "low", "high", "p"]].isna().all(axis=None)


def test_knots_stand_where_the_people_are_and_count_once_where_they_fall_together() -> None:
    visits = pd.DataFrame({"visits": np.repeat([0.0, 1.0, 2.0, 3.0, 5.0, 30.0], [50, 20, 15, 10, 4, 1])})
    term = {"variable": "visits", "as": "spline", "df": 4}
    # The quartiles are 0, 0.5 and 2: the first is the smallest value, so two knots are left.
    matrix, columns = design_matrix(visits, [term])
    assert len(columns) == 1 + 3
    assert np.linalg.matrix_rank(matrix) == 4
    with pytest.raises(ValueError, match="3 distinct values and 0 knots"):
        design_matrix(visits.assign(visits=np.repeat([0.0, 1.0, 2.0], [95, 4, 1])), [term])
