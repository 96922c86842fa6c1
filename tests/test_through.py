"""A trial that declares what treatment acts through: its declaration, its people, its tables and its part of the page."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

import mock_results
from backpain.figures.mediation import groups, parts
from backpain.simulate.world import draw_people, withhold
from backpain.spec import Through, check_run, load_protocol, load_survey, load_variables
from backpain.spec.check import _through
from backpain.tables import views
from backpain.tables.conceal import conceal
from backpain.tables.pick import sections
from backpain.trials import through_trial
from backpain.trials.through import attached

SURVEY, PROTOCOL = load_survey("demo"), load_protocol("treatment-initiation")


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return withhold(draw_people(SURVEY, load_variables(), 12_000, rng), SURVEY, rng).assign(scale=1.0)


@pytest.fixture(scope="module")
def found(people: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    return through_trial(people, PROTOCOL, SURVEY)


def declared(**more: Any) -> dict[str, Any]:
    assert PROTOCOL.through is not None
    return PROTOCOL.through.model_dump(by_alias=True) | more


def test_treatment_comes_before_the_mediator_and_that_before_the_outcome() -> None:
    with pytest.raises(ValidationError, match=r"treatment is measured to month 18 and the mediator from month 17\.5"):
        Through.model_validate(declared(months={"treatment": [12, 18], "mediator": [17.5, 18], "outcome": [18, 24]}))
    with pytest.raises(ValidationError, match="measure the outcome later"):
        Through.model_validate(declared(months={"treatment": [12, 13], "mediator": [17.5, 18], "outcome": [12, 24]}))
    Through.model_validate(declared())


def test_a_mediator_is_one_variable_and_somebody_is_at_risk_of_the_outcome() -> None:
    with pytest.raises(ValidationError, match="name one variable"):
        Through.model_validate(declared(mediator={"phq9": {"maximum": 4}, "phq9_midway": {"maximum": 4}}))
    with pytest.raises(ValidationError, match="no outcome when the mediator was measured"):
        Through.model_validate(declared(at_risk={}))


def problems(**more: Any) -> list[str]:
    protocol = PROTOCOL.model_copy(update={"through": Through.model_validate(declared(**more))})
    return _through("protocols/it.yaml", protocol, SURVEY, load_variables())


def test_what_a_survey_cannot_tell_is_refused_before_the_first_job() -> None:
    assert problems() == []
    assert "does not say how it answers it" in problems(mediator={"phq2": {"maximum": 2}})[0]
    assert "no variable 'phq9_midwy'" in problems(mediator={"phq9_midwy": {"maximum": 4}})[0]
    assert "'abent' is not one of its categories" in problems(at_risk={"free": {"back_pain_midway": ["abent"]}})[0]


@pytest.mark.parametrize("run", ["demo", "meps-official"])
def test_the_runs_that_declare_it_pass_their_checks(run: str) -> None:
    check_run(run)
    assert any(load_protocol(name).through for name, _ in check_run(run).trials)


def test_pain_before_the_score_is_left_out_and_counted(
    people: pd.DataFrame, found: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
) -> None:
    effects, four, flow = found
    boxes = flow.set_index("box")
    early = boxes.loc["free of back pain at the telephone interview"]
    assert early["left_out"] > 20
    assert boxes.loc["treated", "remaining"] + boxes.loc["untreated", "remaining"] == four["people"].sum()
    assert boxes.loc["mediator and later outcome known", "remaining"] == four["people"].sum() < early["remaining"]
    assert four.groupby("arm")["events"].sum().to_dict() == {
        arm: boxes.loc[f"{arm}: new back pain", "remaining"] for arm in ("treated", "untreated")
    }
    excluded = flow[flow["kind"] == "excluded"]
    assert (excluded["remaining"] + excluded["left_out"]).tolist() == flow["remaining"].tolist()[: len(excluded)]
    assert set(effects["gate"]) == {"passed"}


def test_the_estimates_lie_near_what_was_planted(found: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]) -> None:
    # The planted ones in 2,000,000 people; a seed whose estimates lie within three standard errors is no rare one.
    planted = {"overall": -0.0503, "indirect": -0.0142, "direct": -0.0361}
    rows = found[0][found[0]["scale"] == "risk-difference"]
    assert len(rows) == 6
    for row in rows.to_dict("records"):
        assert abs(row["estimate"] - planted[row["effect"]]) < 3 * row["se"]


def test_who_is_not_seen_again_has_no_mediator_and_who_had_pain_early_is_not_at_risk() -> None:
    chosen = pd.DataFrame({"event": pd.array([True, False, pd.NA, True], dtype="boolean")}, index=list("abcd"))
    wave = pd.DataFrame(
        {"phq9_midway": [3.0, 9.0, 2.0], "back_pain_midway": pd.Categorical(["absent", "absent", "present"])},
        index=list("abd"),
    )
    assert PROTOCOL.through is not None
    told = attached(chosen, wave, PROTOCOL.through)
    assert told["at_risk"].tolist() == [True, True, pd.NA, False]
    assert told["mediator"].fillna(-1).tolist() == [1, 0, -1, -1]
    assert told["event"].tolist() == [True, False, pd.NA, pd.NA]


def test_a_trial_without_the_declaration_is_refused(people: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="declares nothing that treatment acts through"):
        through_trial(people, PROTOCOL.model_copy(update={"through": None}), SURVEY)


def test_a_survey_with_everybody_well_half_way_is_refused(people: pd.DataFrame) -> None:
    well = people.assign(phq9_midway=people["phq9_midway"].clip(upper=4))
    with pytest.raises(ValueError, match="mediator: 1 for everyone treated"):
        through_trial(well, PROTOCOL, SURVEY)


def test_a_small_group_and_what_would_tell_it_are_hidden() -> None:
    results, facts = mock_results.demo_run()
    shown = conceal(results, facts["smallest_cell"])["four_groups"]
    small = shown[(shown["arm"] == "treated") & (shown["mediator"] == "remitted")].iloc[0]
    assert small["events_hidden"] == "small"
    assert shown.loc[shown["suppressed"], ["risk", "low", "high", "se", "weighted_people"]].isna().all(axis=None)
    # The other group of the arm, or the arm, would tell it.
    flow = conceal(results, facts["smallest_cell"])["flow"]
    treated = flow[(flow["variation"] == "through") & (flow["box"] == "treated: new back pain")].iloc[0]
    other = shown[(shown["arm"] == "treated") & (shown["mediator"] == "symptomatic")].iloc[0]
    assert pd.isna(treated["remaining"]) or pd.isna(other["events"])


def test_the_figures_say_what_is_an_effect_and_what_is_not() -> None:
    results, facts = mock_results.demo_run()
    section = sections(conceal(results, facts["smallest_cell"]), facts)[0]
    told = [text.get_text() for text in parts(section.through, "remission").axes[0].texts]
    assert {"Overall", "Through remission", "Not through remission", "upright: simulated truth"} <= set(told)
    figure = groups(section.four_groups)
    assert "not shown: too few" in [text.get_text() for text in figure.axes[0].texts]
    assert "not compared" in figure.axes[0].get_xlabel()


def test_the_tables_say_why_there_is_no_share() -> None:
    results, facts = mock_results.demo_run()
    section = sections(results, facts)[0]
    share = section.through["scale"] == "share"
    frame = section.through.assign(
        estimate=section.through["estimate"].mask(share),
        reason=section.through["reason"].where(~share, "nothing to share"),
    )
    page = str(views.through(frame, "it"))
    assert page.count("nothing to share") == 2
    assert "Planted" in page
    assert "not an effect" in str(views.four_groups(section.four_groups, 10, "four"))
