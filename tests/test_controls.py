"""Trials run on negative controls, answers calibrated by them, and the doubts that are worked out beside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from backpain.cohort import emulate
from backpain.estimate import estimate
from backpain.harmonise import harmonise
from backpain.simulate import simulate
from backpain.spec import (
    DeclarationError,
    Protocol,
    check_run,
    controlled,
    load_controls,
    load_protocol,
    load_survey,
    load_variables,
)
from backpain.spec.doubt import Belief, Bias, Sensitivity
from backpain.synthesise import TABLES, calibration, doubts
from backpain.tables import doubts as tables
from backpain.trials import CONTROLS, PROFILE, diagnose_trial, estimate_trial, run_controls

CONFIG = Path(__file__).parents[1] / "config"


def test_a_list_of_controls_becomes_variables_and_answers_of_the_surveys_that_search_their_rows_for_codes() -> None:
    listed, survey, variables = load_controls("meps"), load_survey("meps"), load_variables()
    assert len(listed.controls) >= 30
    for name, control in listed.all.items():
        assert survey.codes[name] == control.codes
        assert survey.variables[name].any == "conditions"
        assert list(variables[name].categories or {}) == ["absent", "present"]
    # A label of variables.yaml is that of every analysis, whatever a list calls its own.
    assert variables["hernia"].label == "Hernia"


def test_each_control_has_its_own_people_at_risk_and_its_own_outcome() -> None:
    protocol = load_protocol("treatment-landmark")
    every = {one.name: one for one in controlled(protocol)}
    breast = every["breast"]
    assert breast.plan.eligibility["free of benign disorders of the breast"] == {"breast": ["absent"]}
    assert breast.plan.eligibility["can have benign disorders of the breast"] == {"sex": ["female"]}
    assert breast.plan.eligibility["depressed"] == {"depression": ["present"]}
    assert (breast.plan.outcome.variable, breast.plan.outcome.event) == ("breast", ["present"])
    assert {one.role for one in every.values()} == {"control", "comparison"}
    demo = next(iter(controlled(load_protocol("treatment-initiation"))))
    assert "free of back pain" not in demo.plan.eligibility


def changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, change: Any) -> None:
    """A folder of declarations in which one file is another."""
    for path in CONFIG.rglob("*.yaml"):
        target = tmp_path / path.relative_to(CONFIG)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    data = yaml.safe_load((CONFIG / file).read_text(encoding="utf-8"))
    change(data)
    (tmp_path / file).write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    monkeypatch.setenv("BACKPAIN_CONFIG", str(tmp_path))


@pytest.mark.parametrize(
    ("file", "change", "match"),
    [
        (
            "protocols/treatment-initiation.yaml",
            lambda data: data["calibration"].update(replace=["free of backpain"]),
            "calibration > replace: 'free of backpain' is no box of the eligibility.*free of back pain",
        ),
        (
            "protocols/treatment-initiation.yaml",
            lambda data: data["calibration"].update(controls="dmeo"),
            r"controls/dmeo.yaml: there is no such declaration",
        ),
        (
            "controls/demo.yaml",
            lambda data: data["controls"].update(
                gout={"label": "Gout", "kind": "other", "because": "-", "reference": "-"}
            ),
            "needs 'gout', but surveys/demo.yaml does not say how it answers it",
        ),
        (
            "controls/demo.yaml",
            lambda data: data.update(comparisons={"hernia": data["controls"]["hernia"]}),
            "hernia is among the controls too",
        ),
        (
            "protocols/treatment-initiation.yaml",
            lambda data: data["sensitivity"]["analyses"].update(Both=["detection", "unaksed"]),
            "unaksed is no declared bias",
        ),
        (
            "protocols/treatment-initiation.yaml",
            lambda data: data["sensitivity"]["biases"]["unasked"]["beliefs"].pop("risk_ratio"),
            "unmeasured-confounder lacks risk_ratio",
        ),
        (
            "protocols/treatment-initiation.yaml",
            lambda data: data["estimators"].remove("weighting"),
            "controls are compared by weighting",
        ),
    ],
)
def test_a_list_or_a_bias_that_does_not_fit_is_refused_before_the_first_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, change: Any, match: str
) -> None:
    changed(tmp_path, monkeypatch, file, change)
    with pytest.raises(DeclarationError, match=match):
        check_run("demo")


def test_a_belief_has_one_form() -> None:
    assert Belief.model_validate({"log-normal": [1.1, 2.0]}).form == ("log-normal", (1.1, 2.0))
    assert Belief(fixed=0.9).form == ("fixed", (0.9,))
    with pytest.raises(ValueError, match="give one of"):
        Belief(fixed=0.9, uniform=(0.1, 0.2))


Made = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]


def declared(protocol: Protocol) -> Protocol:
    """The trial without its variations."""
    return protocol.model_copy(update={"variations": {}, "further_estimators": [], "multiverse": None})


PROTOCOL, SURVEY = declared(load_protocol("treatment-initiation")), load_survey("demo")


@pytest.fixture(scope="module")
def made() -> Made:
    """People of the simulated survey, the trial's participants, the places sampled and the trial's estimates."""
    tables = simulate(SURVEY, load_variables(), 4000, 11).tables
    whole = {
        file: pd.concat([t.assign(wave=w) for (f, w), t in tables.items() if f == file], ignore_index=True)
        for file in SURVEY.files
    }
    people = harmonise(whole, SURVEY, load_variables()).people
    trial = emulate(people, PROTOCOL, SURVEY)
    checks = diagnose_trial(trial.participants, trial.skeleton, PROTOCOL, SURVEY).diagnostics
    estimates = estimate_trial(trial.participants, trial.skeleton, checks, PROTOCOL, SURVEY)[0]
    return people, trial.participants, trial.skeleton, estimates


@pytest.fixture(scope="module")
def found(made: Made) -> tuple[pd.DataFrame, pd.DataFrame]:
    return run_controls(made[0], PROTOCOL, SURVEY)


def test_a_control_is_the_trial_with_that_outcome_and_those_at_risk_of_it(
    made: Made, found: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    table, profiles = found
    assert table.columns.tolist() == CONTROLS
    assert profiles.columns.tolist() == PROFILE
    plan = next(one.plan for one in controlled(PROTOCOL) if one.name == "influenza")
    alone = PROTOCOL.model_copy(update={name: getattr(plan, name) for name in ("eligibility", "outcome")})
    trial = emulate(made[0], alone, SURVEY)
    checks = diagnose_trial(trial.participants, trial.skeleton, alone, SURVEY).diagnostics
    rows = estimate_trial(trial.participants, trial.skeleton, checks, alone, SURVEY)[0]
    own = rows[(rows["estimator"] == "weighting") & (rows["scale"] == "risk-ratio")].iloc[0]
    told = table[(table["control"] == "influenza") & (table["scale"] == "risk-ratio")].iloc[0]
    assert told[["estimate", "se", "low", "high"]].tolist() == own[["estimate", "se", "low", "high"]].tolist()
    assert told["gate"] == own["gate"]
    risks = rows[(rows["estimator"] == "weighting") & (rows["scale"] == "risk")].set_index("arm")["events"]
    assert [told["events_untreated"], told["events_treated"]] == [risks["untreated"], risks["treated"]]
    top = profiles[profiles["control"] == "influenza"].sort_values("log_likelihood").iloc[-1]
    assert np.exp(top["value"]) == pytest.approx(own["estimate"], rel=0.02)


def test_an_outcome_that_nobody_had_has_a_row_without_numbers_and_no_profile(made: Made) -> None:
    people = made[0].assign(stings="absent")
    people.loc[people["order"] == 0, "hernia"] = "absent"
    one_arm = (people["order"] == 1) & people["person"].isin(
        made[1].loc[made[1]["treated"].astype(bool), "person"].to_numpy()
    )
    people.loc[people["order"] == 1, "hernia"] = np.where(one_arm[people["order"] == 1], "present", "absent")
    table, profiles = run_controls(people, PROTOCOL, SURVEY)
    stings = table[table["control"] == "stings"]
    assert stings["estimate"].isna().all()
    assert set(stings["reason"]) == {"nobody had the event"}
    assert "stings" not in set(profiles["control"])
    hernia = table[table["control"] == "hernia"]
    assert hernia["se"].isna().all()
    assert set(hernia["reason"]) == {"an arm without events"}
    assert "hernia" in set(profiles["control"])


def test_calibration_takes_the_null_of_the_controls_off_the_answer(
    made: Made, found: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    results = calibration(*found, made[3], PROTOCOL)
    null = results["calibration"].iloc[0]
    assert pd.isna(null["without"])
    assert null["controls"] == 10
    assert results["calibration"]["without"].tolist()[1:] == ["infection", "skin", "eye or ear", "injury", "other"]
    answer = results["calibrated"].iloc[0]
    own = made[3].query("estimator == 'weighting' and scale == 'risk-ratio' and variation == 'main'").iloc[0]
    assert answer["estimate"] == own["estimate"]
    assert answer["calibrated_high"] / answer["calibrated_low"] > own["high"] / own["low"]
    middle = (answer["calibrated_low"] * answer["calibrated_high"]) ** 0.5
    assert np.log(middle) == pytest.approx(np.log(own["estimate"]) - null["mean"], abs=null["mean_se"])
    table = results["controls"].query("scale == 'risk-ratio'")
    assert table[["p_profile", "calibrated_p"]].notna().all(axis=None)
    assert results["controls"].query("scale != 'risk-ratio'")["calibrated_p"].isna().all()


def test_controls_that_all_lean_one_way_move_the_answer_the_other_way(
    made: Made, found: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    table, profiles = found
    leaning = profiles.assign(value=profiles["value"] + np.log(2))
    answers = [
        calibration(table, one, made[3], PROTOCOL)["calibrated"].iloc[0]["calibrated_estimate"]
        for one in (profiles, leaning)
    ]
    assert answers[1] / answers[0] == pytest.approx(0.5, rel=1e-3)


def test_doubts_are_worked_out_from_the_trial_itself(made: Made) -> None:
    _, participants, skeleton, estimates = made
    results = doubts(participants, skeleton, estimates, PROTOCOL, SURVEY)
    assert {name: frame.columns.tolist() for name, frame in results.items()} == TABLES
    main = estimates.query("estimator == 'weighting' and variation == 'main'").set_index("scale")
    told = results["e_values"].query("estimator == 'weighting'").set_index("scale")
    ratio = min(main.loc["risk-ratio", "estimate"], 1 / main.loc["risk-ratio", "estimate"])
    assert told.loc["risk-ratio", "e_value"] == pytest.approx(1 / ratio + (1 / ratio * (1 / ratio - 1)) ** 0.5)
    bias = results["bias"]
    assert set(bias["bias_analysis"]) == set(PROTOCOL.sensitivity.analyses if PROTOCOL.sensitivity else [])
    rows = bias.query("error == 'sampling' and scale == 'risk-difference'")
    assert rows["estimate"].to_numpy() == pytest.approx(main.loc["risk-difference", "estimate"])
    # With the lost as the followed the weighted comparison is that of the followed alone.
    alike = results["tipping"].iloc[0]
    people = participants[(participants["variation"] == "main") & participants["complete"]].reset_index(drop=True)
    terms = PROTOCOL.assignment.terms
    found = estimate(people, terms, skeleton[["stratum", "psu"]], estimators=["weighting"], lost="complete")
    assert alike["estimate"] == pytest.approx(found.set_index("scale").loc["risk-difference", "estimate"], abs=1e-9)
    assert results["influence"].empty


def test_a_trial_that_loses_nobody_has_no_tipping_point(made: Made) -> None:
    _, participants, skeleton, estimates = made
    everyone = participants.assign(followed=True, event=participants["event"].fillna(False))
    results = doubts(everyone, skeleton, estimates, PROTOCOL.model_copy(update={"sensitivity": None}), SURVEY)
    assert all(results[name].empty for name in ("tipping", "frontier", "bias"))
    assert len(results["e_values"])


def test_beliefs_that_the_data_contradict_leave_a_reason_and_the_others_their_numbers(made: Made) -> None:
    _, participants, skeleton, estimates = made
    beliefs = {"sensitivity": Belief(fixed=0.9), "specificity": Belief(fixed=0.3)}
    bias = Bias(kind="misclassified-outcome", beliefs=beliefs, because="nothing")
    share = {"sensitivity": Belief(fixed=0.9), "specificity": Belief(fixed=1.0)}
    sound = {"missed": Bias(kind="misclassified-outcome", beliefs=share, because="nothing")}
    wrong = Sensitivity(
        seed=1, draws=1000, biases={"wrong": bias, **sound}, analyses={"Wrong": ["wrong"], "Sound": list(sound)}
    )
    results = doubts(participants, skeleton, estimates, PROTOCOL.model_copy(update={"sensitivity": wrong}), SURVEY)
    rows = results["bias"].set_index("bias_analysis")
    assert rows.loc["Wrong", "estimate"].isna().all()
    assert rows.loc["Wrong", "reason"].str.contains("1000 of 1000 draws are impossible.*narrow the priors").all()
    assert sorted(rows.loc["Wrong", "scale"]) == ["risk-difference", "risk-ratio"]
    assert rows.loc["Sound", "estimate"].notna().all()
    assert (rows.loc["Sound", "reason"] == "").all()
    told = str(tables.biases(results["bias"], "biases"))
    assert "narrow the priors" in told
    assert "Why there is none" in told
