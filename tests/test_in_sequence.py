"""A declared trial begun anew at each interview: its person-periods, its truth, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backpain.figures.sequence import incidence
from backpain.figures.style import svg
from backpain.simulate.sequences import planted_in_sequence
from backpain.simulate.world import draw_people
from backpain.spec import DeclarationError, Protocol, Survey, check_run, load_protocol, load_survey, load_variables
from backpain.tables import views
from backpain.tables.conceal import conceal
from backpain.trials import sequence_trial
from backpain.trials.sequence import CONTRASTS, COUNTS, CURVES, person_periods
from test_controls import changed

SURVEY, VARIABLES = load_survey("demo"), load_variables()


def protocol(**more: Any) -> Protocol:
    return load_protocol("treatment-initiation").model_copy(update=more)


def crowd(people: int, seed: int, survey: Survey = SURVEY) -> pd.DataFrame:
    drawn = draw_people(survey, VARIABLES, people, np.random.default_rng(seed))
    return drawn[drawn["seen"]].drop(columns="seen").assign(scale=1.0)


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return crowd(8000, 3)


def test_every_person_goes_from_the_first_eligible_interview_to_the_outcome_or_loss(people: pd.DataFrame) -> None:
    rows = person_periods(people, protocol(), SURVEY)
    ordered = rows.sort_values(["id", "period"])
    first, last = ordered.groupby("id").first(), ordered.groupby("id").last()
    assert (first["eligible"] == 1).all()
    assert (ordered.groupby("id")["period"].diff().dropna() == 1).all()
    ended = (last["event"] + last["lost"]) > 0
    # Who has neither is still there at the last interview.
    assert (last.loc[~ended, "period"] == 2).all()
    inner = ordered.merge(last["period"].rename("end"), left_on="id", right_index=True).query("period < end")
    assert not inner[["event", "lost"]].to_numpy().any()
    waves = people.set_index(["person", "order"])
    for row in ordered.sample(60, random_state=1).to_dict("records"):
        now, after = (row["id"], row["period"]), (row["id"], row["period"] + 1)
        assert row["treated"] == (waves.loc[now, "antidepressant_start"] in ("started", "already taking"))
        assert row["phq9"] == waves.loc[now, "phq9"]
        assert row["lost"] == (after not in waves.index)
        if not row["lost"]:
            assert row["event"] == (waves.loc[after, "back_pain"] == "present")
        free = waves.loc[now, "back_pain"] == "absent" and waves.loc[now, "antidepressant_start"] != "already taking"
        assert row["eligible"] == (free and waves.loc[now, "phq9"] >= 10 and waves.loc[now, "age"] >= 18)


def test_what_is_not_known_at_one_interview_is_as_at_the_one_before(people: pd.DataFrame) -> None:
    rows = person_periods(people, protocol(), SURVEY)
    chosen = rows.loc[rows["period"] == 1, "id"].iloc[0]
    gone = (people["person"] == chosen) & (people["order"] == 1)
    again = person_periods(people.assign(smoking=people["smoking"].mask(gone)), protocol(), SURVEY)
    before = people[(people["person"] == chosen) & (people["order"] == 0)]["smoking"].iloc[0]
    assert again[(again["id"] == chosen) & (again["period"] == 1)]["smoking"].iloc[0] == before


def test_estimates_lie_about_what_was_planted() -> None:
    declared = protocol()
    truth = {
        scale: value for scale, _, value, _ in planted_in_sequence(SURVEY, declared, np.random.default_rng(9), 100_000)
    }
    errors = []
    for seed in (11, 12, 13):
        contrasts, curves, counts = sequence_trial(crowd(12_000, seed), declared, SURVEY)
        assert contrasts.columns.tolist() == CONTRASTS
        assert curves.columns.tolist() == CURVES
        assert counts.columns.tolist() == COUNTS
        assert contrasts["converged"].all()
        assert (contrasts["design_df"] == 40).all()
        told = contrasts[contrasts["scale"] == "risk-difference"]
        planted = [truth[f"sequence-{row.strategy}-{row.time}"] for row in told.itertuples()]
        errors.append(((told["estimate"] - planted) / told["se"]).to_numpy())
    # The mean of three has a standard error of 0.58.
    assert np.abs(np.mean(errors, axis=0)).max() < 3.3 * 0.58
    assert truth["sequence-keeping-3"] < truth["sequence-starting-3"] < -0.03


def test_the_figure_and_tables_tell_every_strategy_and_hide_few(people: pd.DataFrame) -> None:
    declared = protocol()
    block = declared.model_dump()["sequence"]
    contrasts, curves, counts = sequence_trial(people, declared, SURVEY)
    drawn = svg(incidence(curves, block))
    assert drawn.count("Years since time zero") == 3
    assert drawn.count(">treated<") == drawn.count(">untreated<") == 3
    page = views.sequence(contrasts.assign(truth=np.nan), block, "x")
    for strategy in block["strategies"].values():
        assert strategy["label"] in page
    assert "any year" in page
    assert "Planted" not in page
    few = counts.assign(events=[4, *counts["events"].iloc[1:]])
    hidden = conceal({"sequence_counts": few}, 10)["sequence_counts"]
    assert hidden["events"].isna().tolist() == [True, *[False] * 5]
    assert "fewer than 10" in views.sequence_counts(hidden, block, 10, "y")


def test_no_effect_is_planted_where_treatment_does_nothing() -> None:
    world = SURVEY.world
    assert world is not None
    follow_up = {}
    for name, draw in world.follow_up.items():
        made = draw.model_copy(update={"terms": {k: v for k, v in draw.terms.items() if "antidepressant" not in k}})
        if draw.categories is not None and name != "antidepressant_start":
            parts = {
                label: part.model_copy(
                    update={"terms": {k: v for k, v in part.terms.items() if "antidepressant" not in k}}
                )
                for label, part in draw.categories.items()
            }
            made = made.model_copy(update={"categories": parts})
        follow_up[name] = made
    idle = SURVEY.model_copy(update={"world": world.model_copy(update={"follow_up": follow_up})})
    rows = planted_in_sequence(idle, protocol(), np.random.default_rng(2), 20_000)
    assert len(rows) == 9
    for _, _, value, error in rows:
        assert abs(value) < 4 * error + 1e-12


def test_a_strategy_that_cannot_be_estimated_says_why(people: pd.DataFrame) -> None:
    nobody = people.assign(back_pain=people["back_pain"].where(people["order"] == 0, "absent"))
    contrasts, curves, counts = sequence_trial(nobody, protocol(), SURVEY)
    assert not contrasts["converged"].any()
    assert contrasts["reason"].str.contains("there are no events").all()
    assert curves.empty
    assert counts.empty


def test_nobody_eligible_at_any_interview_is_an_error(people: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="nobody is eligible at any interview"):
        person_periods(people.assign(phq9=3.0), protocol(), SURVEY)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(fixed=["sex", "shoe_size"]), "'shoe_size' is no confounder of the trial"),
        (lambda d: d.update(ongoing=["started"]), "'started' is one of the arms already"),
        (lambda d: d.update(ongoing=["alredy taking"]), "already taking"),
        (lambda d: d["strategies"]["starting"].update(grace=1), "`grace` goes with `strategy: sustained` only"),
    ],
)
def test_a_sequence_that_cannot_be_is_refused(
    change: Callable[[dict[str, Any]], None], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(tmp_path, monkeypatch, "protocols/treatment-initiation.yaml", lambda data: change(data["sequence"]))
    with pytest.raises(DeclarationError, match=words):
        check_run("demo")


def test_two_waves_are_too_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def shorter(data: dict[str, Any]) -> None:
        data["waves"]["values"] = [1, 2]
        data["files"]["calls"]["waves"] = [2]

    changed(tmp_path, monkeypatch, "surveys/demo.yaml", shorter)
    with pytest.raises(DeclarationError, match="fewer than three waves"):
        check_run("demo")
