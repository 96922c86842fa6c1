"""The outcome by rounds of the follow-up: nested in the declared outcome, with a hazard ratio whose influence is exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from backpain.cohort import emulate
from backpain.design import t_quantile
from backpain.estimate import estimate
from backpain.figures.sequence import by_round as drawn
from backpain.figures.style import svg
from backpain.nuisance import fit_nuisance
from backpain.sampling import linear
from backpain.spec import DeclarationError, Protocol, check_run, load_protocol, load_survey
from backpain.spec.sequence import Rounds
from backpain.tables import views
from backpain.trials import ROUNDS, by_round
from backpain.trials import rounds as room
from test_controls import changed
from test_in_sequence import crowd

SURVEY = load_survey("demo")
ORDER = ["round 3", "round 4", "round 5"]


def protocol(**more: Any) -> Protocol:
    declared = Rounds(variable="back_pain_first_round", order=ORDER)
    return load_protocol("treatment-initiation").model_copy(update={"by_round": declared, **more})


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    """People whose back pain has a round, later ones oftener among the treated."""
    found = crowd(9000, 5)
    generator = np.random.default_rng(2)
    late = 0.4 + 0.3 * found.groupby("person")["antidepressant_start"].transform("first").eq("started").to_numpy()
    number = 1 + (generator.random(len(found)) < late) + (generator.random(len(found)) < 0.5)
    told = np.array(["none", *ORDER])[np.where(found["back_pain"] == "present", number, 0)]
    return found.assign(back_pain_first_round=pd.Series(told, found.index).mask(found["back_pain"].isna()))


@pytest.fixture(scope="module")
def table(people: pd.DataFrame) -> pd.DataFrame:
    return by_round(people, protocol(), SURVEY)


def _main(people: pd.DataFrame, declared: Protocol) -> tuple[pd.DataFrame, Any]:
    trial = emulate(people, declared.model_copy(update={"variations": {}}), SURVEY)
    main = trial.participants[trial.participants["variation"] == "main"]
    main = main[main["complete"]].reset_index(drop=True)
    return main, linear(main, SURVEY, trial.skeleton)


def test_the_last_round_is_the_declared_analysis(people: pd.DataFrame, table: pd.DataFrame) -> None:
    declared = protocol()
    main, design = _main(people, declared)
    rows = estimate(main, declared.assignment.terms, estimators=["weighting"], design=design)
    last = table[(table["time"] == 3) & (table["scale"] != "hazard-ratio")].reset_index(drop=True)
    assert list(last["scale"]) == list(rows["scale"])
    for column in ("estimate", "se", "low", "high", "p"):
        np.testing.assert_allclose(last[column], rows[column], rtol=1e-12)


def test_each_round_is_the_analysis_of_what_was_reported_by_its_end(people: pd.DataFrame, table: pd.DataFrame) -> None:
    declared = protocol()
    main, design = _main(people, declared)
    told = people[people["order"] == 1].set_index("person")["back_pain_first_round"].reindex(main["person"]).to_numpy()
    early = main.assign(event=main["event"].mask(main["followed"] & (told != "round 3"), False))
    rows = estimate(early, declared.assignment.terms, estimators=["weighting"], design=design)
    first = table[table["time"] == 1].reset_index(drop=True)
    np.testing.assert_allclose(first["estimate"], rows["estimate"], rtol=1e-12)
    np.testing.assert_allclose(first["se"], rows["se"], rtol=1e-10)


def test_bands_hold_more_than_intervals_and_less_than_bonferroni(table: pd.DataFrame) -> None:
    for arm, scale in (("treated", "risk"), ("untreated", "risk"), ("treated vs untreated", "risk-difference")):
        rows = table[(table["arm"] == arm) & (table["scale"] == scale)]
        assert len(rows) == 3
        assert (rows["band_low"] < rows["low"]).all()
        assert (rows["band_high"] > rows["high"]).all()
        if scale == "risk-difference":
            reach = (rows["band_high"] - rows["estimate"]) / rows["se"]
            assert reach.max() < t_quantile(int(rows["design_df"].iloc[0]), 1 - 0.05 / 3)
    assert table.loc[~table["scale"].isin(["risk", "risk-difference"]), "band_low"].isna().all()


def _hazard(main: pd.DataFrame, place: np.ndarray, weight: np.ndarray, declared: Protocol) -> float:
    """The log hazard ratio by statsmodels, every model fitted again under these survey weights."""
    nuisance = fit_nuisance(main.assign(weight=weight), declared.assignment.terms)
    trial = nuisance.trial
    person, time = np.nonzero((place[:, None] >= np.arange(3)) & trial.followed[:, None])
    matrix = np.column_stack([trial.treated[person], np.eye(3)[time]]).astype(float)
    family = sm.families.Binomial(sm.families.links.CLogLog())
    model = sm.GLM((place[person] == time).astype(float), matrix, family, freq_weights=nuisance.analysis_weight[person])
    return float(model.fit(tol=1e-13, tol_criterion="params", maxiter=300).params[0])


def test_the_hazard_ratio_and_its_error_are_those_of_models_fitted_again(
    people: pd.DataFrame, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = protocol()
    seen: list[np.ndarray] = []

    def keep(sample: Any, influence: np.ndarray) -> np.ndarray:
        seen.append(influence)
        return covariance(sample, influence)

    covariance = room._covariance
    monkeypatch.setattr(room, "_covariance", keep)
    found = by_round(people, declared, SURVEY)
    influence = seen[-1][:, 0]
    main, _ = _main(people, declared)
    told = people[people["order"] == 1].set_index("person")["back_pain_first_round"].reindex(main["person"])
    place = told.map({name: number for number, name in enumerate(ORDER)}).fillna(3).to_numpy(dtype=int)
    weight = main["weight"].to_numpy(dtype=float)
    row = found[found["scale"] == "hazard-ratio"].iloc[0]
    assert np.log(row["estimate"]) == pytest.approx(_hazard(main, place, weight, declared), rel=1e-8)
    step = 0.02
    people_ = np.concatenate(
        [np.flatnonzero(~main["followed"])[:2], np.flatnonzero(main["event"].fillna(False))[:4], [0, 7]]
    )
    for person in people_:
        moved = []
        for sign in (1, -1):
            other = weight.copy()
            other[person] *= 1 + sign * step
            moved.append(_hazard(main, place, other, declared))
        assert influence[person] == pytest.approx((moved[0] - moved[1]) / (2 * step), rel=1e-4, abs=1e-9)


def test_a_round_without_anybody_says_nothing_of_the_hazard(people: pd.DataFrame) -> None:
    later = people["back_pain_first_round"].replace("round 3", "round 4")
    found = by_round(people.assign(back_pain_first_round=later), protocol(), SURVEY)
    first = found[(found["time"] == 1) & (found["scale"] == "risk")]
    assert (first["estimate"] == 0).all()
    assert first[["se", "band_low"]].isna().all(axis=None)
    hazard = found[found["scale"] == "hazard-ratio"].iloc[0]
    assert hazard["converged"]
    assert np.isfinite(hazard["se"])


def test_an_outcome_whose_round_is_not_known_was_there_by_the_first(people: pd.DataFrame, table: pd.DataFrame) -> None:
    unknown = people["back_pain_first_round"].mask(people["back_pain_first_round"] == "round 3")
    again = by_round(people.assign(back_pain_first_round=unknown), protocol(), SURVEY)
    pd.testing.assert_frame_equal(again, table)


def test_rounds_that_contradict_the_outcome_are_refused(people: pd.DataFrame) -> None:
    wrong = people.assign(back_pain_first_round=people["back_pain_first_round"].replace("round 5", "none"))
    with pytest.raises(ValueError, match="back_pain_first_round in demo and the outcome back_pain contradict"):
        by_round(wrong, protocol(), SURVEY)
    with pytest.raises(ValueError, match="declares no rounds"):
        by_round(people, protocol(by_round=None), SURVEY)


def test_models_that_fail_leave_their_reason(people: pd.DataFrame) -> None:
    separated = people.assign(phq9=people["phq9"].where(people["antidepressant_start"] != "started", 27))
    found = by_round(separated, protocol(), SURVEY)
    assert not found["converged"].any()
    assert found["estimate"].isna().all()
    assert found["reason"].str.contains("propensity").all()


def test_rounds_are_drawn_and_told(table: pd.DataFrame) -> None:
    assert list(table.columns) == ROUNDS
    picture = svg(drawn(table))
    assert "round 4" in picture
    assert "untreated" in picture
    told = str(views.rounds(table, "rounds"))
    assert "By the end of round 3" in told
    assert "Hazard ratio" in told
    row = table[(table["scale"] == "risk-difference") & (table["time"] == 3)].iloc[0]
    assert f"{abs(1000 * row['estimate']):.1f}" in told


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"variable": "back_pain_first_rond", "order": ORDER}, "no variable 'back_pain_first_rond'"),
        (
            {"variable": "back_pain_first_round", "order": ["round 3", "round 6"]},
            "'round 6' is not one of its categories",
        ),
        ({"variable": "back_pain_first_round", "order": ["round 3"]}, "at least 2"),
    ],
)
def test_declared_rounds_are_checked(more: dict[str, Any], words: str, tmp_path: Any, monkeypatch: Any) -> None:
    changed(tmp_path, monkeypatch, "protocols/treatment-landmark.yaml", lambda data: data.update(by_round=more))
    with pytest.raises(DeclarationError, match=words):
        check_run("public")
