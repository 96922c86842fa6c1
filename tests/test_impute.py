"""Imputation by chained equations: its models against R's `mice`, and what it must keep, recover and refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backpain.impute import (
    ImputationPlan,
    Imputations,
    complete_cases,
    completed,
    gather,
    impute,
    r_hat,
    response_weights,
)
from backpain.impute.board import lay_out
from backpain.impute.categories import climb
from backpain.impute.chain import Chain, Target, independent
from backpain.impute.information import Cells
from backpain.impute.numbers import draw_grouped_line, draw_line, factorise, match
from backpain.impute.perfect import empty_cells, pseudo_observations
from backpain.impute.variables import read_variable
from backpain.regression import logistic

ORACLE = Path(__file__).parent / "oracle" / "impute"
FOUR = ["none", "low", "middle", "high"]


@pytest.fixture(scope="module")
def numbers() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ORACLE / "impute.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def measured() -> pd.DataFrame:
    return pd.read_csv(ORACLE / "people.csv")


def made(people: int = 600, seed: int = 1, missing: float = 0.25) -> pd.DataFrame:
    """A small trial with gaps in a number, a yes-no and a four-level category."""
    rng = np.random.default_rng(seed)
    stratum = np.sort(rng.integers(0, 10, people))
    frame = pd.DataFrame(
        {"stratum": stratum, "psu": rng.integers(1, 3, people), "weight": rng.gamma(3, 900, people) + 50}
    )
    frame["panel"] = rng.choice(["a", "b"], people)
    frame["age"] = rng.integers(18, 80, people).astype(float)
    frame["bmi"] = 22 + 0.08 * frame["age"] + rng.normal(0, 3, people)
    frame["smokes"] = np.where(rng.random(people) < expit(0.05 * (frame["age"] - 45)), "yes", "no")
    level = ((frame["bmi"] - 26) / 3 + rng.normal(0, 1, people)).to_numpy()
    frame["income"] = pd.Categorical(np.array(FOUR)[np.digitize(level, [-1, 0, 1])], categories=[*FOUR, "unused"])
    frame["treated"] = rng.random(people) < expit(0.1 * (frame["bmi"] - 26))
    frame["event"] = (rng.random(people) < expit(-1 + 0.5 * frame["treated"] + 0.1 * (frame["bmi"] - 26))).astype(float)
    for name in ("bmi", "smokes", "income"):
        frame.loc[rng.random(people) < missing, name] = np.nan
    return frame


def expit(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def plan(**other: Any) -> ImputationPlan:
    declared: dict[str, Any] = {
        "impute": {"bmi": "default", "smokes": "default", "income": "default"},
        "outcome": "event",
        "treatment": "treated",
        "predictors": ("age",),
        "m": 2,
        "iterations": 4,
    }
    return ImputationPlan(**{**declared, **other})


def one_gap(**other: Any) -> ImputationPlan:
    return plan(**{"impute": {"bmi": "predictive-mean-matching"}, "design_effects": "none", **other})


# The models against R


def rows_of(measured: pd.DataFrame, columns: list[str]) -> np.ndarray:
    return np.concatenate([np.ones((1, len(measured))), measured[columns].to_numpy(dtype=float).T])


def cells(x: np.ndarray, code: np.ndarray, levels: int, share: np.ndarray | None = None) -> Cells:
    hit = (code == np.arange(1, levels)[:, None]).astype(float)
    return Cells(x, hit, np.ones(len(code)) if share is None else share)


@pytest.mark.parametrize(("outcome", "levels", "name"), [("two", 2, "logreg"), ("four", 4, "multinomial")])
def test_a_category_s_posterior_is_the_one_of_r(
    measured: pd.DataFrame, numbers: dict[str, Any], outcome: str, levels: int, name: str
) -> None:
    x = rows_of(measured, ["age", "score", "male"])
    mode = climb(cells(x, measured[outcome].to_numpy(), levels), gain=1e-22, moved=0.0)
    assert np.allclose(mode.coefficients, numbers[name]["estimate"], rtol=1e-8, atol=0)
    assert np.allclose(mode.factor.covariance, numbers[name]["covariance"], rtol=1e-8, atol=1e-14)


@pytest.mark.parametrize(
    ("outcome", "levels", "name"), [("two", 2, "logreg_augmented"), ("four", 4, "multinomial_augmented")]
)
def test_perfect_prediction_is_met_with_the_pseudo_observations_of_mice(
    measured: pd.DataFrame, numbers: dict[str, Any], outcome: str, levels: int, name: str
) -> None:
    x, code = rows_of(measured, ["age", "score", "sure"]), measured[outcome].to_numpy()
    rows, level, weight = pseudo_observations(x, levels)
    if levels == 2:
        assert np.allclose(rows[1:].T, numbers["pseudo"]["x"], rtol=1e-12)
        assert level.tolist() == numbers["pseudo"]["y"]
        assert np.allclose(weight, numbers["pseudo"]["w"], rtol=1e-12)
    both = cells(
        np.concatenate([x, rows], axis=1), np.append(code, level), levels, np.append(np.ones(len(code)), weight)
    )
    mode = climb(both, gain=1e-22, moved=0.0)
    assert np.allclose(mode.coefficients, numbers[name]["estimate"], rtol=1e-8, atol=0)
    assert np.allclose(mode.factor.covariance, numbers[name]["covariance"], rtol=1e-8, atol=1e-13)


def test_a_number_s_posterior_is_the_one_of_norm_draw(measured: pd.DataFrame, numbers: dict[str, Any]) -> None:
    x, y = rows_of(measured, ["age", "score", "male"]), measured["number"].to_numpy()
    line, expected = draw_line(x, y, np.random.default_rng(3)), numbers["line"]
    assert np.allclose(line.coefficients, expected["estimate"], rtol=1e-8, atol=0)
    factor = factorise(x @ x.T)
    root = np.array([factor.deviation(unit) for unit in np.eye(len(x))])
    assert np.allclose(root.T @ root, expected["covariance"], rtol=1e-8, atol=1e-14)
    chi_square = np.random.default_rng(3).chisquare(expected["df"])
    assert line.spread**2 * chi_square == pytest.approx(expected["squares"], rel=1e-8)


def test_the_nearest_donor_is_the_one_of_mice(numbers: dict[str, Any]) -> None:
    found = numbers["nearest"]
    fitted, wanted = np.array(found["fitted"]), np.array(found["wanted"])
    mine = match(fitted, wanted, 1, np.random.default_rng(1))
    theirs = np.array(found["donor"], dtype=int) - 1
    assert np.allclose(np.abs(fitted[mine] - wanted), np.abs(fitted[theirs] - wanted), rtol=0, atol=1e-12)


def test_donors_are_the_five_nearest_each_as_likely() -> None:
    seen, blank = np.arange(20.0), np.full(20_000, 9.9)
    donors, counts = np.unique(match(seen, blank, 5, np.random.default_rng(2)), return_counts=True)
    assert donors.tolist() == [8, 9, 10, 11, 12]
    assert np.abs(counts / len(blank) - 0.2).max() < 0.015


def test_donors_at_the_ends_and_among_few_are_found() -> None:
    rng = np.random.default_rng(2)
    assert set(match(np.arange(20.0), np.full(500, -50.0), 3, rng)) == {0, 1, 2}
    assert set(match(np.arange(20.0), np.full(500, 50.0), 3, rng)) == {17, 18, 19}
    assert set(match(np.array([1.0, 2.0]), np.full(200, 1.4), 5, rng)) == {0, 1}


def test_equal_predictions_leave_no_donor_out() -> None:
    rng = np.random.default_rng(4)
    chosen = {int(place) for _ in range(60) for place in match(np.zeros(40), np.zeros(20), 5, rng)}
    assert chosen == set(range(40))


# Random intercepts, by dense algebra


@pytest.fixture
def grouped() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns, codes of three levels and groups of 90 people; group 4 of 6 has nobody."""
    rng = np.random.default_rng(5)
    group = np.sort(rng.choice([0, 1, 2, 3, 5], 90))
    x = np.concatenate([np.ones((1, 90)), rng.normal(size=(2, 90))])
    return x, rng.integers(0, 3, 90), group


def dense(grouped: tuple[np.ndarray, np.ndarray, np.ndarray], variance: float) -> tuple[np.ndarray, np.ndarray]:
    """Columns and the intercepts' penalty with an indicator for each group and level."""
    x, _, group = grouped
    z = np.concatenate([x, (group == np.arange(6)[:, None]).astype(float)])
    penalty = np.zeros((2, 9, 2, 9))
    covariance = variance * (np.eye(2) + 1)
    for place in range(3, 9):
        penalty[:, place, :, place] = np.linalg.inv(covariance)
    return z, penalty.reshape(18, 18)


def test_intercepts_of_groups_are_those_of_the_whole_penalised_likelihood(
    grouped: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    x, code, group = grouped
    hit = (code == np.array([[1], [2]])).astype(float)
    mode = climb(Cells(x, hit, np.ones(90), group, 6, 0.4), gain=1e-24, moved=0.0)
    assert mode.intercepts is not None
    z, penalty = dense(grouped, 0.4)
    b = np.concatenate([mode.coefficients, mode.intercepts.T], axis=1)
    p = np.exp(b @ z) / (1 + np.exp(b @ z).sum(axis=0))
    score = ((hit - p) @ z.T).ravel() - penalty @ b.ravel()
    assert np.abs(score).max() < 1e-9
    curve = np.zeros((2, 9, 2, 9))
    for i in range(2):
        for j in range(2):
            curve[i, :, j, :] = (z * (p[i] * ((i == j) - p[j]))) @ z.T
    covariance = np.linalg.inv(curve.reshape(18, 18) + penalty).reshape(2, 9, 2, 9)
    assert np.allclose(mode.factor.covariance, covariance[:, :3, :, :3].reshape(6, 6), rtol=1e-8, atol=1e-12)
    rng = np.random.default_rng(6)
    draws = [mode.factor.draw(rng, (2, 3)) for _ in range(20_000)]
    flat = np.array([np.concatenate([step, shift.T], axis=1).ravel() for step, shift, _ in draws if shift is not None])
    assert np.abs(np.cov(flat.T) - covariance.reshape(18, 18)).max() < 0.04 * np.diag(covariance.reshape(18, 18)).max()


def test_blocks_of_rows_add_up_to_the_whole_information(
    grouped: tuple[np.ndarray, np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, code, group = grouped
    rows, level, weight = pseudo_observations(x, 3)
    x, code = np.concatenate([x, rows], axis=1), np.append(code, level)
    hit = (code == np.array([[1], [2]])).astype(float)
    share, group = np.append(np.ones(90), weight), np.append(group, np.full(len(level), -1))
    factors = []
    for size in (1000, 7):
        monkeypatch.setattr("backpain.impute.information.ROWS", size)
        factors.append(climb(Cells(x, hit, share, group, 6, 0.4), moved=0.0).factor)
    whole, pieced = factors
    assert whole.across is not None
    assert pieced.across is not None
    assert np.allclose(whole.covariance, pieced.covariance, rtol=1e-9, atol=1e-12)
    assert np.allclose(whole.across, pieced.across, rtol=1e-9, atol=1e-12)
    assert (whole.across[4] == 0).all()


def test_a_grouped_line_is_the_whole_ridge_regression_of_its_intercepts(
    grouped: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    x, _, group = grouped
    rng = np.random.default_rng(7)
    y = x[1] + rng.normal(size=6)[group] + rng.normal(size=90)
    z = np.concatenate([x, (group == np.arange(6)[:, None]).astype(float)])
    gram = z @ z.T + np.diag([0.0] * 3 + [1 / 0.5] * 6)
    whole = np.linalg.solve(gram, z @ y)
    line = draw_grouped_line(x, y, group, 6, 0.5, rng)
    assert np.allclose(line.coefficients, whole[:3], rtol=1e-10)
    assert line.intercepts is not None
    assert np.allclose(line.intercepts, whole[3:], rtol=0, atol=1e-12)
    draws = [draw_grouped_line(x, y, group, 6, 0.5, rng) for _ in range(20_000)]
    flat = np.array([[*each.drawn, *each.drawn_intercepts] for each in draws if each.drawn_intercepts is not None])
    rest = y @ y - whole @ (z @ y)
    expected = np.linalg.inv(gram) * rest / (90 - 3 - 2)
    assert np.abs(np.cov(flat.T) - expected).max() < 0.04 * np.diag(expected).max()


# What is kept


def test_what_was_observed_stays_and_every_gap_is_filled() -> None:
    frame = made()
    imputations = impute(frame, plan())
    for number in (1, 2):
        whole = completed(frame, imputations, number)
        assert whole.notna().all().all()
        assert list(whole.columns) == list(frame.columns)
        assert (whole.dtypes == frame.dtypes).all()
        for name in frame:
            known = frame[name].notna()
            assert whole.loc[known, name].tolist() == frame.loc[known, name].tolist()


def test_missing_is_never_a_level_and_categories_stay() -> None:
    frame = made()
    frame["smokes"] = frame["smokes"].astype(object).where(frame["smokes"].notna(), np.nan)
    imputations = impute(frame, plan())
    whole = completed(frame, imputations, 1)
    assert list(whole["income"].cat.categories) == [*FOUR, "unused"]
    assert set(whole["income"]) == set(FOUR)
    assert set(whole["smokes"]) == {"yes", "no"}
    assert set(imputations.trace.loc[imputations.trace["variable"] == "income", "level"]) == set(FOUR)
    codes = imputations.values.loc[imputations.values["variable"] == "income", "value"]
    assert set(codes) == {0.0, 1.0, 2.0, 3.0}


def test_booleans_and_whole_numbers_come_back_as_they_were() -> None:
    frame = made(300)
    frame["smokes"] = frame["smokes"].map({"yes": True, "no": False})
    frame["visits"] = pd.array(np.arange(300) % 7, dtype="Int64")
    frame.loc[::9, "visits"] = pd.NA
    asked = {"bmi": "default", "smokes": "default", "income": "default", "visits": "predictive-mean-matching"}
    whole = completed(frame, impute(frame, plan(impute=asked)), 2)
    assert whole["smokes"].dtype == bool
    assert whole["visits"].dtype == "Int64"
    assert set(whole["visits"]) == set(range(7))


def test_matched_numbers_are_numbers_somebody_has_and_normal_ones_need_not_be() -> None:
    frame = made()
    seen = set(frame["bmi"].dropna())
    matched = completed(frame, impute(frame, one_gap(predictors=("age",))), 1)["bmi"]
    assert set(matched) == seen
    drawn = completed(frame, impute(frame, one_gap(impute={"bmi": "normal"})), 1)["bmi"]
    assert len(set(drawn) - seen) == frame["bmi"].isna().sum()


def test_the_frame_s_index_does_not_matter() -> None:
    frame = made(300)
    other = frame.set_axis([f"person {place}" for place in range(300)], axis=0)
    plain, named = (completed(each, impute(each, plan()), 1) for each in (frame, other))
    assert named.index.tolist() == other.index.tolist()
    pd.testing.assert_frame_equal(plain, named.reset_index(drop=True))


def test_another_frame_is_not_completed() -> None:
    frame = made(300)
    imputations = impute(frame, plan())
    with pytest.raises(ValueError, match="299 people for imputations of 300"):
        completed(frame.iloc[1:], imputations, 1)
    with pytest.raises(ValueError, match="bmi is known for people who were imputed"):
        completed(frame.assign(bmi=1.0), imputations, 1)
    with pytest.raises(ValueError, match="no imputation 3; at hand are"):
        completed(frame, imputations, 3)


def test_people_without_gaps_are_returned_as_they_are() -> None:
    frame = made(300, missing=0.0)
    imputations = impute(frame, plan())
    assert imputations.values.empty
    assert imputations.numbers == (1, 2)
    pd.testing.assert_frame_equal(completed(frame, imputations, 2), frame)
    assert gather([impute(frame, plan(), [number]) for number in (2, 1)]).numbers == (1, 2)


def test_a_number_with_more_columns_than_people_is_refused() -> None:
    frame = made(60, missing=0.3)
    wide = pd.DataFrame(np.random.default_rng(3).normal(size=(60, 80)), columns=[f"x{place}" for place in range(80)])
    with pytest.raises(ValueError, match=r"bmi is known for .* people and its model has 85 columns"):
        impute(pd.concat([frame, wide], axis=1), one_gap(predictors=tuple(wide.columns)))


# The same bytes


def test_chains_are_the_same_alone_and_together_in_any_order() -> None:
    frame, asked = made(300), plan(m=3, panel="panel", panels="within", design_effects="stratum")
    together = impute(frame, asked)
    apart = gather([impute(frame, asked, [number]) for number in (3, 1, 2)])
    for name in ("values", "trace", "notes"):
        pd.testing.assert_frame_equal(getattr(together, name), getattr(apart, name), check_exact=True)
    assert together.values["value"].to_numpy().tobytes() == apart.values["value"].to_numpy().tobytes()
    assert (together.categories, together.people) == (apart.categories, apart.people)


def test_imputations_differ_from_one_another_and_from_another_seed() -> None:
    frame = made(300)
    mine, again, other = (impute(frame, plan(seed=seed)).values for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(mine, again)
    first, second = (mine.loc[mine["imputation"] == number, "value"].to_numpy() for number in (1, 2))
    assert (first != second).mean() > 0.2
    assert (mine["value"] != other["value"]).mean() > 0.2


def test_parts_that_do_not_belong_together_are_not_gathered() -> None:
    frame = made(300)
    part = impute(frame, plan(), [1])
    with pytest.raises(ValueError, match="hold one twice"):
        gather([part, part])
    with pytest.raises(ValueError, match="different people or variables"):
        gather([part, Imputations(part.values, part.trace, part.notes, part.categories, 299, (2,))])
    with pytest.raises(ValueError, match="no imputations"):
        gather([])
    with pytest.raises(ValueError, match="some of 1 to m = 2"):
        impute(frame, plan(), [3])


# What stands in the models


def test_every_model_holds_outcome_treatment_their_product_and_the_weight() -> None:
    frame = made(300)
    asked = plan(panel="panel")
    variables = {name: read_variable(frame, name, asked) for name in asked.named}
    board = lay_out(variables, asked, frame["weight"].to_numpy())
    names = np.array(board.names())
    held = names[board.columns_for("bmi")].tolist()
    assert held == [
        *["(intercept)", "treated", "event", "panel", "age", "smokes", "income", "income", "income"],
        *["treated x event", "(survey weight)"],
    ]
    assert "treated x event" not in names[board.columns_for("event")]
    log = np.log(frame["weight"])
    assert np.allclose(board.matrix[-1], (log - log.mean()) / log.std(ddof=0))
    board.write("event", np.arange(300), np.ones((1, 300)))
    assert np.array_equal(board.matrix[names.tolist().index("treated x event")], frame["treated"])


def test_a_spline_of_a_matched_number_follows_its_imputed_values() -> None:
    frame = made(300)
    spline = {"variable": "bmi", "as": "spline", "df": 3}
    asked = plan(predictors=("age", spline))
    variables = {name: read_variable(frame, name, asked) for name in asked.named}
    bmi = variables["bmi"]
    assert bmi.table.shape == (frame["bmi"].nunique(), 3)
    assert np.allclose(bmi.table[bmi.code[bmi.code >= 0]].mean(axis=0), 0, atol=1e-12)
    assert completed(frame, impute(frame, asked), 1).notna().all().all()
    with pytest.raises(ValueError, match="bmi by `normal` gets values nobody has"):
        impute(frame, plan(predictors=("age", spline), impute={**plan().impute, "bmi": "normal"}))


def test_columns_that_are_copies_are_left_out_and_noted() -> None:
    frame = made(300).assign(years=lambda people: people["age"] / 10, constant=1.0)
    notes = impute(frame, plan(predictors=("age", "years", "constant"))).notes
    left = notes[notes["what"] == "column left out"]
    assert set(left["column"]) == {"years", "constant"}
    assert set(left["variable"]) == {"bmi", "smokes", "income"}
    gram = np.array([[1.0, 0.5, 1.5, 0.0], [0.5, 1.0, 1.5, 0.0], [1.5, 1.5, 3.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    assert independent(gram).tolist() == [True, True, False, False]


def test_a_level_that_tells_the_outcome_is_handled_and_reported() -> None:
    frame = made(400, missing=0.2)
    sure = frame["age"] > 72
    frame["old"] = np.where(sure, "yes", "no")
    frame.loc[sure & frame["smokes"].notna(), "smokes"] = "yes"
    imputations = impute(frame, plan(predictors=("age", "old"), m=4))
    whole = completed(frame, imputations, 1)
    notes = imputations.notes
    told = notes[(notes["what"] == "perfect prediction") & (notes["variable"] == "smokes")]
    assert set(told["column"]) == {"old"}
    assert (told["iterations"] == 4).all()
    gaps = sure & frame["smokes"].isna()
    assert whole.loc[gaps, "smokes"].eq("yes").mean() > 0.7
    assert whole.loc[~sure & frame["smokes"].isna(), "smokes"].eq("no").any()


def test_a_runaway_fit_without_an_empty_cell_is_handled_too() -> None:
    frame = made(400, missing=0.2)
    frame["smokes"] = np.where(frame["age"] > 45, "yes", "no")
    frame.loc[::5, "smokes"] = None
    imputations = impute(frame, plan())
    notes = imputations.notes
    told = notes[(notes["what"] == "perfect prediction") & (notes["variable"] == "smokes")]
    assert set(told["column"]) == {"several columns together"}
    whole = completed(frame, imputations, 1)
    far = frame["age"].sub(45).abs() > 10
    assert whole.loc[far, "smokes"].eq(np.where(frame.loc[far, "age"] > 45, "yes", "no")).mean() > 0.95


def test_empty_cells_are_found_on_both_sides_of_an_indicator_only() -> None:
    x = np.array([[1, 1, 1, 1, 1.0], [1, 1, 0, 0, 0], [0, 1, 0, 1, 1], [1, 1, 1, 0, 0], [0.2, 1, 3, 4, 5]])
    code = np.array([1, 1, 0, 1, 0])
    assert empty_cells(x, code, 2) == [1]
    assert empty_cells(x, np.array([0, 1, 0, 1, 0]), 2) == [2]
    assert empty_cells(x[:1], code, 2) == []


def test_pseudo_observations_keep_rare_levels_rare_unless_asked_as_in_mice() -> None:
    rng = np.random.default_rng(8)
    frame = made(800, missing=0.0)
    frame["smokes"] = np.where(rng.random(800) < 0.03, "yes", "no")
    frame["mark"] = np.where((frame["smokes"] == "no") & (rng.random(800) < 0.1), "yes", "no")
    frame.loc[rng.random(800) < 0.6, "smokes"] = None
    asked = {"smokes": "logistic"}
    shares = {}
    for augment in ("where needed", "as mice"):
        made_here = impute(
            frame, plan(impute=asked, predictors=("age", "mark", "bmi", "income"), augment=augment, m=10)
        )
        values = made_here.values["value"]
        shares[augment] = values.mean()
        assert "mark" in set(made_here.notes["column"])
    assert shares["where needed"] < shares["as mice"]
    assert abs(shares["where needed"] - frame["smokes"].dropna().eq("yes").mean()) < 0.02


def test_panels_are_imputed_by_themselves_where_declared() -> None:
    frame = made(400)
    frame["bmi"] += np.where(frame["panel"] == "b", 500, 0)
    frame["income"] = frame["income"].where((frame["panel"] == "a") | (frame["income"] != "none"))
    for panels in ("within", "effects"):
        imputations = impute(frame, plan(panel="panel", panels=panels, design_effects="none"))
        whole = completed(frame, imputations, 1)
        assert (whole["bmi"] > 400).eq(frame["panel"] == "b").mean() > 0.98
        assert set(imputations.trace["panel"]) == ({"a", "b"} if panels == "within" else {""})
    within = completed(frame, impute(frame, plan(panel="panel", panels="within", design_effects="none")), 1)
    assert (within["bmi"] > 400).eq(frame["panel"] == "b").all()
    assert set(within.loc[within["panel"] == "b", "income"]) == set(FOUR) - {"none"}
    assert "none" in set(within.loc[frame["income"].isna() & (frame["panel"] == "a"), "income"])


def test_panels_alike_do_not_get_the_same_draws() -> None:
    frame = made(300)
    both = pd.concat([frame.assign(panel="a"), frame.assign(panel="b")], ignore_index=True)
    values = impute(both, plan(panel="panel", panels="within", design_effects="none"), [1]).values
    first, second = values[values["row"] < 300], values[values["row"] >= 300]
    assert len(first) == len(second)
    assert (first["value"].to_numpy() != second["value"].to_numpy()).mean() > 0.2


def test_a_panel_where_nobody_has_a_variable_is_refused() -> None:
    frame = made(400)
    frame.loc[frame["panel"] == "b", "bmi"] = np.nan
    with pytest.raises(ValueError, match="bmi is missing for everyone of panel b"):
        impute(frame, plan(panel="panel", panels="within", design_effects="none"))


# The outcome of the lost


def test_the_outcome_of_the_lost_stays_missing_unless_declared() -> None:
    frame = made(400)
    frame.loc[::7, "event"] = np.nan
    imputations = impute(frame, plan())
    whole = completed(frame, imputations, 1)
    assert whole["event"].isna().equals(frame["event"].isna())
    assert set(imputations.values["variable"]) == {"bmi", "smokes", "income"}
    assert "event" in set(imputations.trace["variable"])
    declared = impute(frame, plan(impute={**plan().impute, "event": "logistic"}))
    assert set(completed(frame, declared, 1)["event"]) == {0.0, 1.0}


# What is refused


def test_what_decided_who_takes_part_is_never_imputed() -> None:
    with pytest.raises(ValueError, match="smokes decides who takes part and must never be imputed"):
        plan(never=("age", "smokes"))


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"outcome": ""}, "names no outcome"),
        ({"treatment": ""}, "names no treatment"),
        ({"treatment": "event"}, "both outcome and treatment"),
        ({"impute": {"bmi": "guess"}}, "bmi by 'guess' is not known; choose one of default, logistic"),
        ({"m": 1}, "m is 1; it must be 2 or more"),
        ({"design_effects": "county"}, "design_effects 'county' is not known"),
        ({"panels": "within"}, "names no panel"),
        ({"panel": "bmi"}, "bmi is the panel"),
    ],
)
def test_plans_that_could_only_mislead_are_refused(other: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        plan(**other)


@pytest.mark.parametrize(
    ("change", "other", "words"),
    [
        ({"age": np.nan}, {}, "age is missing for everyone"),
        ({"age": [np.nan] * 5 + [40.0] * 295}, {}, "age is missing for 5 people .* without being imputed"),
        ({"treated": [None] * 5 + [True, False] * 147 + [True]}, {}, "treated is missing for 5 people"),
        ({"age": np.inf}, {}, "age has infinite values"),
        ({"weight": 0.0}, {}, "weight is missing, infinite or not above zero for 300 people"),
        ({"psu": np.nan}, {}, "psu is missing for 300 people"),
        ({"stratum": 1}, {}, "random intercepts of 2 strata or PSUs: there must be 5"),
        ({}, {"predictors": ("height",)}, "there is no column 'height'"),
        ({}, {"impute": {**plan().impute, "income": "normal"}}, "income is a category, which normal cannot impute"),
        ({}, {"impute": {**plan().impute, "income": "logistic"}}, "income has 4 levels, and logistic takes two"),
    ],
)
def test_people_a_plan_cannot_be_carried_out_on_are_refused(
    change: dict[str, Any], other: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        impute(made(300).assign(**change), plan(**other))


# What is recovered


def effect(frame: pd.DataFrame) -> np.ndarray:
    """Log-odds of the event for treatment and the confounder."""
    x = np.column_stack([np.ones(len(frame)), frame["treated"], frame["bmi"]]).astype(float)
    return np.asarray(logistic(x, frame["event"].to_numpy(), np.ones(len(frame))).coefficients)


def test_imputation_takes_away_the_bias_of_complete_cases() -> None:
    rng = np.random.default_rng(11)
    truth = made(20_000, seed=11, missing=0.0)
    truth["bmi"] -= 26
    event = truth["event"] == 1
    lost = rng.random(len(truth)) < expit(-3 + 2.5 * event * truth["treated"] + 1.5 * (truth["age"] > 50))
    frame = truth.assign(bmi=truth["bmi"].mask(lost))
    imputations = impute(frame, one_gap(predictors=("age", "smokes", "income"), m=5))
    imputed = np.mean([effect(completed(frame, imputations, number)) for number in range(1, 6)], axis=0)
    whole, cases = effect(truth), effect(frame[~lost])
    assert abs(cases[1] - whole[1]) > 0.4
    assert np.abs(imputed - whole)[1] < 0.05
    assert np.abs(imputed - whole)[2] < 0.01


def test_categories_missing_at_random_are_recovered() -> None:
    rng = np.random.default_rng(12)
    truth = made(20_000, seed=12, missing=0.0)
    lost = rng.random(len(truth)) < expit(-2 + 2 * (truth["event"] == 1) + 0.15 * (truth["bmi"] - 26))
    frame = truth.assign(income=truth["income"].mask(lost), smokes=truth["smokes"].mask(rng.random(20_000) < 0.3))
    imputations = impute(
        frame, plan(impute={"income": "multinomial", "smokes": "logistic"}, predictors=("age", "bmi"), m=3)
    )
    whole = truth["income"].value_counts(normalize=True)[FOUR]
    cases = frame["income"].value_counts(normalize=True)[FOUR]
    imputed = (
        sum(completed(frame, imputations, number)["income"].value_counts(normalize=True)[FOUR] for number in (1, 2, 3))
        / 3
    )
    assert (cases - whole).abs().max() > 0.03
    assert (imputed - whole).abs().max() < 0.008
    old = truth["age"] > 60
    smokers = [completed(frame, imputations, number)["smokes"].eq("yes")[old].mean() for number in (1, 2, 3)]
    assert abs(np.mean(smokers) - truth["smokes"].eq("yes")[old].mean()) < 0.01


def test_the_product_of_treatment_and_outcome_lets_their_cell_differ() -> None:
    rng = np.random.default_rng(13)
    truth = made(8000, seed=13, missing=0.0)
    cell = truth["treated"] & (truth["event"] == 1)
    truth["bmi"] = 25 + 3.0 * cell + 0.1 * (truth["age"] - 49) + rng.normal(0, 1, len(truth))
    gaps = rng.random(len(truth)) < 0.5
    frame = truth.assign(bmi=truth["bmi"].mask(gaps))
    whole = completed(frame, impute(frame, one_gap()), 1)
    imputed, known = (people[gaps].groupby(["treated", "event"])["bmi"].mean() for people in (whole, truth))
    assert known[(True, 1.0)] > known.drop((True, 1.0)).max() + 2.5
    assert (imputed - known).abs().max() < 0.15


def lifted() -> tuple[pd.DataFrame, pd.Series]:
    """6,000 people of 40 PSUs whose level differs with standard deviation 1.5, in a number and in log-odds."""
    rng = np.random.default_rng(14)
    frame = made(6000, seed=14, missing=0.0).assign(psu=rng.integers(1, 5, 6000))
    unit = frame.groupby(["stratum", "psu"]).ngroup()
    level = rng.normal(size=40)
    lift = (1.5 * (level - level.mean()) / level.std(ddof=1))[unit]
    frame["bmi"] = 26 + lift + rng.normal(0, 1.5, 6000)
    frame["smokes"] = np.where(rng.random(6000) < expit(lift), "yes", "no")
    return frame, unit


@pytest.mark.parametrize("name", ["bmi", "smokes"])
def test_the_variance_between_psus_is_learnt(name: str) -> None:
    frame, unit = lifted()
    frame.loc[np.random.default_rng(16).random(6000) < 0.3, name] = np.nan
    asked = plan(impute={name: "default"}, predictors=("age",), iterations=30)
    variables = {each: read_variable(frame, each, asked) for each in asked.named}
    variable, group = variables[name], unit.to_numpy()
    seen = np.flatnonzero(variable.code >= 0)
    target = Target(variable, seen[np.argsort(group[seen], kind="stable")], variable.missing, group, 40)
    drawn: list[float] = []
    board = lay_out(variables, asked, frame["weight"].to_numpy())
    Chain(board, [target], asked, np.random.default_rng(17)).run(lambda turn, each: drawn.append(each.variance))
    # Of a number, relative to the residual variance of 2.25. Of a yes-no, half the variance of the log-odds: each of
    # two levels has an intercept.
    assert np.mean(drawn[5:]) == pytest.approx(1.0 if name == "bmi" else 1.125, rel=0.35)
    assert np.std(drawn[5:]) > 0.05


@pytest.mark.parametrize("name", ["bmi", "smokes"])
def test_intercepts_of_psus_bring_back_what_differs_between_psus(name: str) -> None:
    rng = np.random.default_rng(14)
    frame, unit = lifted()
    truth = frame.copy()
    frame.loc[rng.random(6000) < 0.5, name] = np.nan
    gaps = frame[name].isna()

    def by_unit(people: pd.DataFrame) -> pd.Series:
        value = people["smokes"].eq("yes") if name == "smokes" else people["bmi"]
        return value[gaps].groupby(unit[gaps]).mean()

    closeness = {}
    for effects in ("psu", "none"):
        asked = plan(impute={name: "default"}, predictors=("age",), design_effects=effects, iterations=6)
        closeness[effects] = by_unit(completed(frame, impute(frame, asked), 1)).corr(by_unit(truth))
    assert closeness["psu"] > 0.9
    assert abs(closeness["none"]) < 0.5


@pytest.mark.parametrize("method", ["logistic", "normal"])
def test_imputations_vary_as_much_as_so_few_observed_values_leave_open(method: str) -> None:
    rng = np.random.default_rng(15)
    frame = made(500, seed=15, missing=0.0).assign(weight=1.0)
    frame["bmi"] = rng.normal(26, 3, 500) if method == "normal" else rng.integers(0, 2, 500).astype(float)
    frame.loc[100:, "bmi"] = np.nan
    asked = one_gap(impute={"bmi": method}, predictors=(), m=300, iterations=1)
    means = impute(frame, asked).values.groupby("imputation")["value"].mean()
    # The mean of 400 drawn values, given four cell means estimated from 100: both parts of Rubin's between variance.
    spread = frame["bmi"].var()
    cells = frame[:100].groupby(["treated", "event"]).size() / 100
    asked_of = frame[100:].groupby(["treated", "event"]).size() / 400
    expected = spread * (1 / 400 + (asked_of**2 / cells).sum() / 100)
    assert means.var() == pytest.approx(expected, rel=0.3)


# Convergence


def test_r_hat_is_the_one_by_hand() -> None:
    drawn = {1: [9.0, 9.0, 1.0, 2.0], 2: [0.0, 0.0, 3.0, 5.0]}
    trace = pd.DataFrame(
        [
            {
                "imputation": chain,
                "panel": "",
                "iteration": turn,
                "variable": "bmi",
                "level": "",
                "mean": mean,
                "sd": 1.0,
            }
            for chain, means in drawn.items()
            for turn, mean in enumerate(means, 1)
        ]
    )
    within, between = (0.5 + 2.0) / 2, np.var([1.5, 4.0], ddof=1)
    found = r_hat(trace).iloc[0]
    assert found["r_hat"] == pytest.approx(np.sqrt(0.5 + between / within))
    assert (found["chains"], found["iterations"]) == (2, 2)
    with pytest.raises(ValueError, match="two imputations and four iterations"):
        r_hat(trace[trace["imputation"] == 1])


def test_the_trace_has_a_row_for_every_turn_and_the_last_is_what_is_returned() -> None:
    frame = made(300)
    imputations = impute(frame, plan())
    trace, values = imputations.trace, imputations.values
    assert len(trace) == 2 * 4 * (1 + 2 + 4)
    last = trace[trace["iteration"] == 4].set_index(["imputation", "variable", "level"])["mean"]
    assert last[(2, "bmi", "")] == pytest.approx(values.query("imputation == 2 and variable == 'bmi'")["value"].mean())
    income = values.query("imputation == 1 and variable == 'income'")["value"]
    assert last[(1, "income", "middle")] == pytest.approx((income == 2).mean())


def test_chains_from_random_starts_meet() -> None:
    imputations = impute(made(2000), plan(m=4, iterations=20))
    assert r_hat(imputations.trace)["r_hat"].max() < 1.6


# The other ways


def test_complete_cases_are_counted_variable_by_variable() -> None:
    frame = pd.DataFrame({"a": [1, np.nan, np.nan, 4], "b": ["x", None, "y", "z"], "c": [1.0, 2.0, 3.0, 4.0]})
    cases = complete_cases(frame, ["a", "b", "c"])
    assert cases.mask.tolist() == [True, False, False, True]
    assert cases.counts.set_index("variable").T.to_dict("list") == {
        "a": [2, 1],
        "b": [1, 0],
        "c": [0, 0],
        "any": [2, 1],
    }
    with pytest.raises(ValueError, match="nobody has all of d"):
        complete_cases(frame.assign(d=np.nan), ["d"])
    with pytest.raises(ValueError, match="no column 'e'"):
        complete_cases(frame, ["e"])


def test_weighted_complete_cases_stand_for_everyone() -> None:
    frame = made(4000)
    weights = response_weights(frame, ["bmi", "income"], ["treated", "event", "age"])
    w = frame["weight"] * weights.factor
    assert (weights.factor[~weights.complete] == 0).all()
    for name in ("treated", "event"):
        assert np.average(frame[name], weights=w) == pytest.approx(
            np.average(frame[name], weights=frame["weight"]), abs=0.01
        )
    whole = response_weights(frame, ["age"], ["treated"])
    assert (whole.factor == 1).all()
    assert (whole.drift(np.ones((4000, 2))) == 0).all()
    assert (whole.at(np.ones((4000, 3))) == 1).all()


def test_the_drift_of_response_weights_is_the_slope_of_moving_a_weight() -> None:
    frame = made(200)
    base = frame["weight"].to_numpy()
    weights = response_weights(frame, ["bmi"], ["treated", "age"])
    value = frame["bmi"].fillna(0).to_numpy()

    def total(w: np.ndarray) -> float:
        return float((w * weights.at(w[:, None])[:, 0] * value).sum())

    contribution = (base * weights.factor * value)[:, None]
    influence = (contribution + weights.drift(contribution))[:, 0]
    assert total(base) == pytest.approx(contribution.sum(), rel=1e-10)
    for person in (0, 50, 199):
        step = np.zeros(200)
        step[person] = 1e-4 * base[person]
        slope = (total(base + step) - total(base - step)) / 2e-4
        assert slope == pytest.approx(influence[person], rel=1e-5)


def test_response_weights_that_cannot_be_had_say_why() -> None:
    frame = made(300)
    with pytest.raises(ValueError, match=r"cannot be fitted .*separated"):
        response_weights(frame.assign(known=frame["bmi"].notna()), ["bmi"], ["known"])
    weights = response_weights(frame, ["bmi"], ["age", "treated"])
    only = frame["weight"].where(frame["treated"], 0.0).to_numpy()
    with pytest.raises(ValueError, match="replicate 2 cannot be fitted"):
        weights.at(np.column_stack([frame["weight"], only]))
