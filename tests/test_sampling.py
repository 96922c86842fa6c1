"""Every design that a survey can declare, from its files to the standard error of a trial."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from backpain.clean import clean
from backpain.cohort import Trial, emulate
from backpain.design import Design, Drawn, Replicated, given
from backpain.diagnose import table_one
from backpain.estimate import estimate
from backpain.harmonise import harmonise
from backpain.ingest import Tables, columns_read
from backpain.sampling import linear, placed, places, sampled, weighed
from backpain.simulate import Simulated, simulate
from backpain.spec import Protocol, Survey, load_protocol, load_survey, load_variables
from backpain.spec.check import _variance
from backpain.spec.survey import SamplingDesign
from backpain.trials import diagnose_trial, estimate_trial

VARIABLES = load_variables()
STAGES = {
    "weights": {"interview": "WEIGHT"},
    "strata": "STRATUM",
    "cluster": "PSU",
    "nested": False,
    "population": "PSUS",
    "stages": [
        {"cluster": "BLOCK", "stratum": "TOWN", "population": "BLOCKS"},
        {"cluster": None, "population": "RESIDENTS"},
    ],
}
REPLICATES = {
    "weights": {"interview": "WEIGHT"},
    "strata": None,
    "cluster": None,
    "replicates": {"columns": {"interview": "REP{n}"}, "count": 40, "scale": 1 / 40, "df": 30},
}
NAMES = ["stratum", "psu", "population", "unit_2", "stratum_2", "population_2", "population_3", "person"]


def survey_of(design: dict[str, Any]) -> Survey:
    return load_survey("demo").model_copy(update={"design": SamplingDesign.model_validate(design)})


def short(method: str = "linearised") -> Protocol:
    """The demo's trial without variations."""
    protocol = load_protocol("treatment-initiation")
    return protocol.model_copy(
        update={"variations": {}, "variance": protocol.variance.model_copy(update={"method": method})}
    )


def tables_of(made: Simulated, survey: Survey) -> Tables:
    return {
        file: pd.concat([t.assign(wave=w) for (f, w), t in made.tables.items() if f == file], ignore_index=True)
        for file in survey.files
    }


def people_of(survey: Survey, people: int = 3000) -> pd.DataFrame:
    made = simulate(survey, VARIABLES, people, 7)
    return harmonise(tables_of(made, survey), survey, VARIABLES).people


def trial_of(survey: Survey, protocol: Protocol) -> Trial:
    return emulate(people_of(survey), protocol, survey)


def by_hand(people: pd.DataFrame, trial: Trial) -> Design:
    """The design of `STAGES`, without its declaration."""
    further = [Drawn("unit_2", "stratum_2", "population_2"), Drawn("person", None, "population_3")]
    return Design.of(people, trial.skeleton, nested=False, population="population", further=further)


def answer(rows: pd.DataFrame) -> pd.Series:
    return rows[(rows["scale"] == "risk-difference") & (rows["estimator"] == "weighting")].iloc[0]


def test_the_columns_of_every_stage_are_read_from_the_base_file() -> None:
    read = columns_read(survey_of(STAGES))["people"]
    assert {"STRATUM", "PSU", "PSUS", "TOWN", "BLOCK", "BLOCKS", "RESIDENTS", "WEIGHT"} <= read
    assert {f"REP{number}" for number in range(1, 41)} <= columns_read(survey_of(REPLICATES))["people"]


@pytest.mark.parametrize("design", [STAGES, REPLICATES], ids=["stages", "replicates"])
def test_made_up_people_stand_where_their_files_say(design: dict[str, Any]) -> None:
    survey = survey_of(design)
    made = simulate(survey, VARIABLES, 400, 4)
    found = harmonise(tables_of(made, survey), survey, VARIABLES).people.set_index(["person", "order"]).sort_index()
    told = made.people.set_index(["person", "order"]).sort_index()
    columns = [name for name in told if name in places(survey) or name.startswith(("weight_", "replicate_"))]
    assert len(columns) >= 7
    pd.testing.assert_frame_equal(found[columns], told[columns], check_dtype=False, rtol=1e-12)


@pytest.mark.slow
def test_stages_and_populations_reach_the_standard_error_of_a_trial() -> None:
    survey, protocol = survey_of(STAGES), short()
    assert places(survey) == [*NAMES[:3], "unit_2", "stratum_2", "population_2", "population_3", "person"]
    trial = trial_of(survey, protocol)
    diagnosed = diagnose_trial(trial.participants, trial.skeleton, protocol, survey)
    rows, *_ = estimate_trial(trial.participants, trial.skeleton, diagnosed.diagnostics, protocol, survey)
    cases = trial.participants[trial.participants["complete"]].reset_index(drop=True)
    design, terms = by_hand(cases, trial), protocol.assignment.terms
    assert len(design.stages) == 3
    again = answer(estimate(cases, terms, design=design, estimators=["weighting"]))
    assert answer(rows)["se"] == pytest.approx(again["se"], rel=1e-12)
    flat = answer(estimate(cases, terms, trial.skeleton[["stratum", "psu"]], estimators=["weighting"]))
    assert answer(rows)["estimate"] == pytest.approx(flat["estimate"], rel=1e-12)
    # A tenth of all PSUs was drawn, so the first stage adds nine tenths of what it would; later ones can only add to that.
    alone = Design.of(cases, trial.skeleton, nested=False, population="population")
    first = answer(estimate(cases, terms, design=alone, estimators=["weighting"]))
    assert (first["se"] / flat["se"]) ** 2 == pytest.approx(0.9, rel=1e-9)
    assert first["se"] < answer(rows)["se"]


def test_the_table_of_participants_uses_the_same_stages() -> None:
    survey, protocol = survey_of(STAGES), short()
    trial = trial_of(survey, protocol)
    told = diagnose_trial(trial.participants, trial.skeleton, protocol, survey).table1
    staged, flat = (
        table_one(trial.participants, protocol.table_one, design=design)
        for design in (by_hand(trial.participants, trial), Design.of(trial.participants, nested=False))
    )
    pd.testing.assert_series_equal(told["high"], staged["high"], rtol=1e-12)
    assert not np.allclose(told["high"].dropna(), flat["high"].dropna(), rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("hold", ["weights", "multipliers", "half-samples"])
def test_given_replicate_weights_carry_a_trial_whatever_their_columns_hold(hold: str) -> None:
    replicates = {**REPLICATES["replicates"], "hold": hold}
    survey, protocol = survey_of({**REPLICATES, "replicates": replicates}), short("given")
    trial = trial_of(survey, protocol)
    columns = [f"replicate_{number}" for number in range(1, 41)]
    assert set(columns) <= set(trial.participants)
    diagnosed = diagnose_trial(trial.participants, trial.skeleton, protocol, survey)
    rows, *_ = estimate_trial(trial.participants, trial.skeleton, diagnosed.diagnostics, protocol, survey)
    cases = trial.participants[trial.participants["complete"]].reset_index(drop=True)
    design = given(cases, columns, 1 / 40, centre="estimate", df=30)
    again = answer(estimate(cases, protocol.assignment.terms, design=design, estimators=["weighting"]))
    assert answer(rows)["se"] == pytest.approx(again["se"], rel=1e-10)
    assert answer(rows)["design_df"] == 30
    assert diagnosed.table1["high"].notna().any()


def test_what_half_samples_and_multipliers_hold_becomes_the_same_weights() -> None:
    survey = survey_of(REPLICATES)
    people = people_of(survey, 300)
    first = people[people["order"] == 0]
    halves = survey_of({**REPLICATES, "replicates": {**REPLICATES["replicates"], "hold": "half-samples"}})
    raw = pd.DataFrame({"STRATUM": 1.0, "WEIGHT": [10.0, 30.0]} | {f"REP{n}": [1.0, 0.0] for n in range(1, 41)})
    made = placed(raw, pd.Series(["a", "b"]), halves)
    assert made["replicate_interview_1"].tolist() == [20.0, 0.0]
    assert placed(raw, pd.Series(["a", "b"]), survey)["replicate_interview_1"].tolist() == [1.0, 0.0]
    assert weighed(first, survey, "interview", 0.5)["replicate_3"].equals(0.5 * first["replicate_interview_3"])


def test_a_survey_of_replicate_weights_alone_describes_by_them_and_one_with_psus_by_these() -> None:
    survey = survey_of(REPLICATES)
    people = people_of(survey, 300)
    first = people[people["order"] == 0].reset_index(drop=True)
    first = first.join(weighed(first, survey, "interview"))
    assert isinstance(sampled(first, survey), Replicated)
    both = survey_of({**REPLICATES, "strata": "STRATUM", "cluster": "PSU"})
    assert isinstance(sampled(first, both), Design)


def test_a_survey_that_draws_each_person_has_as_many_psus_as_people() -> None:
    survey = survey_of({"weights": {"interview": "WEIGHT"}, "strata": "STRATUM", "cluster": None})
    people = people_of(survey, 300)
    first = people[people["order"] == 0].reset_index(drop=True).assign(weight=1.0)
    assert linear(first, survey).units == len(first)


def test_a_psu_in_two_strata_is_refused_where_numbers_do_not_start_anew() -> None:
    survey = survey_of({key: STAGES[key] for key in ("weights", "strata", "cluster", "nested")})
    people = pd.DataFrame({"person": ["a", "b", "c"], "stratum": [1, 1, 2], "psu": [1, 2, 2], "weight": 1.0})
    with pytest.raises(ValueError, match="demo: design: 1 PSUs stand in several strata"):
        linear(people, survey)


def test_a_population_smaller_than_what_was_drawn_is_refused_with_the_survey_named() -> None:
    survey = survey_of({key: STAGES[key] for key in ("weights", "strata", "cluster", "population")})
    people = pd.DataFrame({"person": ["a", "b"], "stratum": 1, "psu": [1, 2], "population": 1.0, "weight": 1.0})
    with pytest.raises(ValueError, match="demo: design: population says 1 units where 2 were drawn"):
        linear(people, survey)


def test_a_blank_in_the_column_of_a_stage_stops_at_the_border() -> None:
    survey = survey_of(STAGES)
    tables = tables_of(simulate(survey, VARIABLES, 200, 4), survey)
    people = tables["people"]
    tables["people"] = people.assign(BLOCK=people["BLOCK"].mask(people.index == 3))
    with pytest.raises(ValueError, match="design variable BLOCK is blank in 1 rows"):
        clean(tables, survey)


REFUSED = {
    "needs one at every stage before it": {**STAGES, "population": None},
    "nothing was drawn within a person; name the PSUs": {**STAGES, "cluster": None},
    "`cluster: null` stands at the last stage only": {
        **STAGES,
        "stages": [{"cluster": None, "population": "A"}, {"cluster": "B"}],
    },
    "not among the weights": {
        **REPLICATES,
        "replicates": {"columns": {"exam": "REP{n}"}, "count": 4, "scale": 1},
    },
    "write {n} once": {**REPLICATES, "replicates": {"columns": {"interview": "REP"}, "count": 4, "scale": 1}},
    "3 scales for 4 replicates": {
        **REPLICATES,
        "replicates": {"columns": {"interview": "REP{n}"}, "count": 4, "scale": [1, 1, 1]},
    },
    "`scale` has to be positive": {
        **REPLICATES,
        "replicates": {"columns": {"interview": "REP{n}"}, "count": 4, "scale": -1},
    },
}


@pytest.mark.parametrize(("said", "design"), REFUSED.items(), ids=list(REFUSED))
def test_a_design_that_cannot_be_is_refused_at_load(said: str, design: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refusal:
        SamplingDesign.model_validate(design)
    assert said in str(refusal.value)


def test_strata_and_psus_are_declared_or_said_to_be_none() -> None:
    with pytest.raises(ValidationError, match="cluster"):
        SamplingDesign.model_validate({"weights": {"interview": "W"}, "strata": None})


@pytest.mark.parametrize(
    ("design", "method", "said"),
    [
        (STAGES, "given", "declares no replicate weights for the component 'interview'"),
        (REPLICATES, "linearised", "has replicate weights alone; declare `method: given`"),
        (REPLICATES, "given", ""),
        (STAGES, "linearised", ""),
    ],
)
def test_a_variance_that_the_survey_cannot_have_is_refused(design: dict[str, Any], method: str, said: str) -> None:
    problems = _variance("trial.yaml", short(method), survey_of(design))
    assert said in " ".join(problems)
    assert bool(said) == bool(problems)


def test_effects_of_psus_are_refused_where_there_are_none() -> None:
    plan = short("given")
    imputed = plan.model_validate(
        {
            **plan.model_dump(by_alias=True, exclude_none=True),
            "assignment": {
                **plan.assignment.model_dump(by_alias=True, exclude_none=True),
                "missing": "imputed",
                "imputation": {"m": 5, "iterations": 5, "seed": 1},
            },
        }
    )
    assert "`design_effects: psu` needs PSUs" in " ".join(_variance("trial.yaml", imputed, survey_of(REPLICATES)))


def test_numbers_of_replicates_may_have_two_digits() -> None:
    declared = {**REPLICATES["replicates"], "columns": {"interview": "REP{n:02}"}}
    survey = survey_of({**REPLICATES, "replicates": declared})
    named = survey.design.replicates.named("interview") if survey.design.replicates else []
    assert named[0] == "REP01"
    assert named[-1] == "REP40"


def test_weights_are_multiplied_in_every_replicate() -> None:
    people = pd.DataFrame({"weight": [1.0, 2.0], "a": [2.0, 0.0], "b": [0.0, 4.0]})
    twice = given(people, ["a", "b"], 0.5).times(np.array([2.0, 3.0]))
    weights = np.hstack([block for _, block in twice.blocks()])
    assert twice.weight.tolist() == [2.0, 6.0]
    assert weights.tolist() == [[4.0, 0.0], [0.0, 12.0]]
    with pytest.raises(ValueError, match="a positive number for each of 2 people"):
        twice.times(np.array([1.0, 0.0]))
