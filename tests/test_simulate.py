"""The made-up world: planted as declared, sampled unequally, lost unequally, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from backpain.harmonise import harmonise
from backpain.ingest import Tables
from backpain.simulate import anyone, encode, simulate, truth
from backpain.simulate.raw import text_for
from backpain.simulate.world import draw_people, withhold
from backpain.spec import load_protocol, load_survey, load_variables
from backpain.spec.world import World


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return draw_people(load_survey("demo"), load_variables(), 20_000, np.random.default_rng([1, 0]))


def test_the_same_seed_gives_the_same_raw_tables_and_another_seed_others() -> None:
    survey, variables = load_survey("demo"), load_variables()
    first, second, other = (simulate(survey, variables, 300, seed).tables for seed in (1, 1, 2))
    assert first.keys() == second.keys()
    for name, table in first.items():
        pd.testing.assert_frame_equal(table, second[name])
    assert not first[("people", 1)].equals(other[("people", 1)])


def test_the_people_told_are_those_that_the_raw_tables_harmonise_to() -> None:
    survey, variables = load_survey("demo"), load_variables()
    made = simulate(survey, variables, 500, 4)
    tables: Tables = {
        file: pd.concat([t.assign(wave=w) for (f, w), t in made.tables.items() if f == file], ignore_index=True)
        for file in survey.files
    }
    found = harmonise(tables, survey, variables).people.set_index(["person", "order"]).sort_index()
    told = made.people.set_index(["person", "order"]).sort_index()
    drawn = [name for name in survey.variables if name in told]
    assert len(drawn) > 10
    pd.testing.assert_frame_equal(found[drawn], told[drawn], check_dtype=False)


def test_the_planted_difference_is_protective_and_known_to_a_thousandth() -> None:
    planted = truth(load_survey("demo"), load_protocol("treatment-initiation"), 1, people=400_000).set_index("scale")
    difference = planted.loc["risk-difference"]
    risks = planted.loc["risk"].set_index("arm")["truth"]
    assert difference["mc_se"] < 0.001
    assert difference["truth"] == pytest.approx(risks["treated"] - risks["untreated"])
    assert -0.06 < difference["truth"] < -0.03


def test_treatment_follows_severity(people: pd.DataFrame) -> None:
    first = people[(people["order"] == 0) & (people["phq9"] >= 10)]
    share = (first["antidepressant_start"] == "started").groupby(first["phq9"] >= 18).mean()
    assert share[True] > share[False] + 0.05


def test_the_weights_are_unequal_and_favour_the_depressed_less(people: pd.DataFrame) -> None:
    first = people[people["order"] == 0]
    weight = first["weight_interview"]
    assert weight.std() / weight.mean() > 0.1
    # Depressed people are sampled more often, so each stands for fewer.
    assert weight[first["phq9"] >= 15].mean() < weight[first["phq9"] < 5].mean()


def test_who_is_lost_depends_on_treatment_and_on_what_raises_the_risk(people: pd.DataFrame) -> None:
    first = people[people["order"] == 0].set_index("person")
    seen = people[people["order"] == 1].set_index("person")["seen"].reindex(first.index)
    alike = first["phq9"].between(10, 14)
    by_arm = seen[alike].groupby(first.loc[alike, "antidepressant_start"], observed=True).mean()
    by_severity = seen.groupby(first["phq9"] >= 12).mean()
    assert by_arm["started"] > by_arm["not started"] + 0.01
    assert by_severity[False] > by_severity[True] + 0.05


def test_some_questions_stay_without_an_answer(people: pd.DataFrame) -> None:
    told = withhold(people, load_survey("demo"), np.random.default_rng(2))
    assert 0.03 < told.loc[told["order"] == 0, "income"].isna().mean() < 0.08
    assert told.loc[told["order"] == 1, "back_pain"].isna().mean() > 0.01
    assert len(told) < len(people)


def test_people_of_one_psu_are_more_alike_than_others(people: pd.DataFrame) -> None:
    first = people[people["order"] == 0]
    means = first.groupby(["stratum", "psu"])["body_mass_index"].agg(["mean", "var", "size"])
    expected = (means["var"] / means["size"]).mean()
    within = means["mean"].groupby("stratum").var().mean()
    assert within > 1.5 * expected  # were they not, the ratio would pass 1.5 once in fifty seeds; this one is fixed


@pytest.mark.filterwarnings("error")
def test_a_world_without_an_effect_has_a_truth_of_no_difference() -> None:
    survey, protocol = load_survey("demo"), load_protocol("treatment-initiation")
    assert survey.world is not None
    declared = survey.world.model_dump()
    for name in ("back_pain", "back_pain_midway"):
        del declared["follow_up"][name]["categories"]["present"]["terms"]["before.antidepressant_start"]
    del declared["follow_up"]["phq9_midway"]["terms"]["before.antidepressant_start"]
    null = survey.model_copy(update={"world": type(survey.world).model_validate(declared)})
    planted = truth(null, protocol, 1, people=50_000).set_index("scale")["truth"]
    assert planted["risk-difference"] == pytest.approx(0)
    assert planted["risk-ratio"] == pytest.approx(1)
    assert planted.loc[["through-overall", "through-direct", "through-indirect"]].tolist() == pytest.approx([0, 0, 0])


def test_a_treatment_that_only_makes_people_remit_acts_through_nothing_else() -> None:
    survey, protocol = load_survey("demo"), load_protocol("treatment-initiation")
    assert survey.world is not None
    declared = survey.world.model_dump()
    for name in ("back_pain", "back_pain_midway"):
        del declared["follow_up"][name]["categories"]["present"]["terms"]["before.antidepressant_start"]
    # Of the score only whether it is below 5 matters, by a mediator that is yes or no in the world too.
    remission = {
        "categories": {"absent": {}, "present": {"terms": {"before.antidepressant_start": {"started": 1.0}}}},
    }
    before = {**declared["follow_up"]}
    pain = before.pop("back_pain")
    terms = pain["categories"]["present"]["terms"]
    del terms["phq9_midway"]
    terms["joint_pain"] = {"present": -1.0}
    declared["follow_up"] = {**before, "joint_pain": remission, "back_pain": pain}
    world = survey.model_copy(update={"world": type(survey.world).model_validate(declared)})
    assert protocol.through is not None
    through = protocol.through.model_copy(update={"mediator": {"joint_pain": ["present"]}})
    told = truth(world, protocol.model_copy(update={"through": through}), 1, people=100_000).set_index("scale")["truth"]
    assert told["through-direct"] == pytest.approx(0, abs=1e-12)
    assert told["through-indirect"] == pytest.approx(told["through-overall"])
    assert told["through-overall"] < -0.01


def test_a_mediator_that_the_world_draws_too_late_is_refused() -> None:
    survey, protocol = load_survey("demo"), load_protocol("treatment-initiation")
    assert protocol.through is not None
    late = protocol.through.model_copy(update={"mediator": {"common_cold": ["present"]}})
    with pytest.raises(ValueError, match="not before 'back_pain'"):
        truth(survey, protocol.model_copy(update={"through": late}), 1, people=20_000)


def test_where_no_world_is_declared_nothing_is_planted() -> None:
    planted = truth(load_survey("meps"), load_protocol("treatment-landmark"), 1).set_index("scale")["truth"]
    assert planted.to_dict() == {"risk-difference": 0.0, "risk-ratio": 1.0, "odds-ratio": 1.0}


def test_answers_that_no_rows_can_give_are_refused_by_name() -> None:
    survey, rng = load_survey("meps"), np.random.default_rng(1)
    people = anyone(survey, 20, rng)
    # Pain of the back is pain of the spine: the one cannot be there without the other.
    people = people.assign(back_pain="present", spine_pain="absent")
    with pytest.raises(ValueError, match=r"meps: no rows of conditions can mean this \(.*spine_pain: absent"):
        encode(people, survey, load_variables(), rng)


def test_a_world_that_names_what_is_not_drawn_before_is_refused() -> None:
    world = load_survey("demo").world
    assert world is not None
    declared = world.model_dump()
    declared["baseline"]["sex"]["categories"]["female"]["terms"] = {"phq9": 0.1}
    with pytest.raises(ValidationError, match="sex: depends on 'phq9', which is not drawn before it"):
        World.model_validate(declared)


def test_the_inverse_of_a_simple_expression_is_found_by_it() -> None:
    assert text_for(r"^(\d+)[A-Z]*$", "10001") == "10001A"
    assert text_for(r"^\d\d(\d+)[A-Z]*$", "10001") == "2210001A"
    with pytest.raises(ValueError, match="write the expression more simply"):
        text_for(r"^(\d+)(?!\d)[^A-Z]$", "10001")
