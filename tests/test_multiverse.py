"""The multiverse: every combination of declared options, the same draws for all, and what they say together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from backpain.cohort import emulate
from backpain.design import Design, replicated
from backpain.estimate import REFITTED, Refits
from backpain.figures.curve import choices_of, curve
from backpain.harmonise import harmonise
from backpain.nuisance import fit_nuisance
from backpain.simulate import simulate
from backpain.spec import Protocol, load_protocol, load_survey, load_variables, specifications
from backpain.spec.analysis import Multiverse
from backpain.synthesise import joint_tests
from backpain.trials import diagnose_trial, estimate_trial, explore

SURVEY = load_survey("demo")
CHOICES: dict[str, Any] = {
    "habits": {"adjusted for": {}, "left out": {"assignment": {"confounders": ["age", "sex", "phq9"]}}},
    "lost": {"weighted": {}, "like the followed": {"follow_up": {"lost": "complete"}}},
}


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    made = simulate(SURVEY, load_variables(), 3000, 7)
    tables = {
        file: pd.concat([t.assign(wave=w) for (f, w), t in made.tables.items() if f == file], ignore_index=True)
        for file in SURVEY.files
    }
    return harmonise(tables, SURVEY, load_variables()).people


def protocol(jobs: int = 1, replicates: int = 20) -> Protocol:
    declared = Multiverse(
        choices=CHOICES, estimators=["weighting", "targeted"], replicates=replicates, seed=3, jobs=jobs
    )
    return load_protocol("treatment-initiation").model_copy(update={"multiverse": declared, "variations": {}})


@pytest.fixture(scope="module")
def explored(people: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return explore(people, protocol(), SURVEY)


def test_every_combination_of_options_is_a_specification_and_the_first_is_the_declared() -> None:
    found = specifications(protocol())
    assert [tuple(options.values()) for options, _ in found] == [
        ("adjusted for", "weighted"),
        ("adjusted for", "like the followed"),
        ("left out", "weighted"),
        ("left out", "like the followed"),
    ]
    assert found[0][1].assignment == protocol().assignment
    assert found[3][1].assignment.names == ["age", "sex", "phq9"]
    assert found[3][1].follow_up.lost == "complete"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"choices": {"lost": {"weighted": {}}}}, "two options or more"),
        ({"choices": {"lost": dict(reversed(CHOICES["lost"].items()))}}, "the first option is as declared"),
        ({"estimators": ["weighting", "overlap-weighting"]}, "a multiverse has one estimand"),
        ({"replicates": 5}, "greater than or equal to 20"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(change: dict[str, Any], said: str) -> None:
    fields = {"choices": CHOICES, "estimators": ["weighting"], "replicates": 20, "seed": 1, **change}
    with pytest.raises(ValidationError, match=said):
        Multiverse.model_validate(fields)


def test_the_declared_specification_is_the_declared_analysis(
    people: pd.DataFrame, explored: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    plain = protocol()
    trial = emulate(people, plain, SURVEY)
    diagnosed = diagnose_trial(trial.participants, trial.skeleton, plain, SURVEY)
    rows, *_ = estimate_trial(trial.participants, trial.skeleton, diagnosed.diagnostics, plain, SURVEY)
    own = explored[0][explored[0]["declared"]].set_index("scale")
    assert len(own) == 2
    for scale in ("risk-difference", "risk-ratio"):
        expected = rows[(rows["estimator"] == "weighting") & (rows["scale"] == scale)].iloc[0]
        columns = ["estimate", "se", "low", "high", "p"]
        assert own.loc[scale, columns].tolist() == pytest.approx(expected[columns].tolist(), rel=1e-12)
        assert own.loc[scale, "gate"] == expected["gate"]


def test_all_specifications_are_drawn_again_with_the_same_psus(
    people: pd.DataFrame, explored: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    plain = protocol()
    trial = emulate(people, plain, SURVEY)
    cases = trial.participants[trial.participants["complete"]].reset_index(drop=True)
    boot = replicated(Design.of(cases, trial.skeleton), "bootstrap", replicates=20, seed=3)
    short = ["age", "sex", "phq9"]
    wide = trial.participants[trial.participants[short].notna().all(axis=1)].reset_index(drop=True)
    same = replicated(Design.of(wide, trial.skeleton), "bootstrap", replicates=20, seed=3)
    np.testing.assert_array_equal(boot.factor, same.factor)
    for number, people_, terms, design in ((0, cases, plain.assignment.terms, boot), (4, wide, short, same)):
        risk = REFITTED["weighting"](Refits.of(people_, terms, design, fit_nuisance(people_, terms)))
        drawn = explored[1][(explored[1]["specification"] == number) & (explored[1]["scale"] == "risk-difference")]
        np.testing.assert_allclose(drawn["value"], risk[:, 0] - risk[:, 1], rtol=1e-8)


def test_jobs_share_the_combinations_and_together_give_the_same(
    people: pd.DataFrame, explored: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    parts = [explore(people, protocol(jobs=3), SURVEY, part) for part in (1, 2, 3)]
    for place, order in ((0, ["specification", "scale"]), (1, ["specification", "scale", "replicate"])):
        together = pd.concat([part[place] for part in parts]).sort_values(order, ignore_index=True)
        pd.testing.assert_frame_equal(together, explored[place].sort_values(order, ignore_index=True))


def made_up(effect: float, seed: int, shared: float = 0.9, specs: int = 30, draws: int = 199) -> tuple[Any, Any]:
    """Specifications whose estimates share most of their error, with draws of the same kind."""
    rng = np.random.default_rng(seed)
    error = np.sqrt(shared) * rng.normal(size=(draws + 1, 1)) + np.sqrt(1 - shared) * rng.normal(
        size=(draws + 1, specs)
    )
    estimate = effect + error[0]
    head = {"survey": "s", "analysis": "a", "scale": "risk-difference", "se": 1.0, "design_df": 1e6}
    table = pd.DataFrame({"specification": range(specs), "estimate": estimate, **head})
    table = table.assign(failed_replicates=0, replicates=draws)
    values = (estimate + error[1:]).ravel()
    keys = pd.MultiIndex.from_product([range(draws), range(specs)], names=["replicate", "specification"])
    return table, pd.DataFrame({"value": values}, index=keys).reset_index().assign(scale="risk-difference")


def test_without_effect_the_joint_tests_reject_as_often_as_they_say() -> None:
    found = pd.concat(joint_tests(*made_up(0.0, seed)) for seed in range(200))
    for statistic, rows in found.groupby("statistic"):
        # Four standard errors of a share of 5 % in 200.
        assert (rows["p"] <= 0.05).mean() < 0.05 + 4 * 0.0154, statistic
    assert (found.loc[found["statistic"] == "median estimate", "p"] <= 0.5).mean() == pytest.approx(0.5, abs=0.15)


def test_an_effect_far_from_none_is_found_by_all_three() -> None:
    rows = joint_tests(*made_up(5.0, 1))
    rows = rows.set_index("statistic")
    assert rows.loc[["median estimate", "mean z"], "p"].tolist() == [1 / 200] * 2
    # All are significant, and some draw of what they share can make all so: this test is the blunt one.
    assert rows.loc["significant on one side", "value"] == 30
    assert rows.loc["significant on one side", "p"] < 0.05


def test_specifications_that_lost_many_draws_stay_out() -> None:
    table, draws = made_up(0.0, 2)
    table.loc[3, "failed_replicates"] = 30
    assert joint_tests(table, draws)["specifications"].eq(29).all()


def test_the_curve_shows_every_option_in_the_declared_order(explored: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    rows = explored[0][explored[0]["scale"] == "risk-difference"]
    assert choices_of(rows)["lost"].unique().tolist() == ["weighted", "like the followed"]
    figure = curve(rows, truth=-0.047)
    said = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert said.index("weighted") < said.index("like the followed") < said.index("targeted")
    assert any(text.startswith("declared") for text in said)
    assert any("simulated truth" in text for text in said)
