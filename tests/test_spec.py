"""Declarations are closed and checked before the first job: each mistake is stopped with file, key and remedy."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import pytest

from backpain.spec import DeclarationError, check_run, load_protocol, load_survey, plan_of, variations
from declare import PROTOCOL, RUN, SURVEY, VARIABLES, bend, write


@pytest.fixture
def declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BACKPAIN_CONFIG", str(tmp_path))
    return tmp_path


def refused(folder: Path, **parts: Any) -> str:
    write(folder, **parts)
    with pytest.raises(DeclarationError) as error:
        check_run("run")
    return str(error.value)


def test_what_is_wrong_reaches_another_process_in_the_same_words() -> None:
    error = DeclarationError(["one.yaml: no", "two.yaml: neither"])
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.problems) == (str(error), error.problems)


def test_a_whole_run_is_accepted(declared: Path) -> None:
    write(declared)
    assert check_run("run").trials == [("trial", "small")]


def test_a_misspelt_key_is_stopped_with_the_nearest_known_one(declared: Path) -> None:
    said = refused(declared, survey=bend(SURVEY, "files > drugs > none_meens", "absent"))
    assert "surveys/small.yaml" in said
    assert "'none_meens'" in said
    assert "did you mean 'none_means'" in said


def test_a_misspelt_key_in_a_protocol_is_stopped(declared: Path) -> None:
    assert "did you mean 'follow_up'" in refused(declared, protocol=bend(PROTOCOL, "folow_up", {}))


def test_a_required_key_that_is_absent_is_named(declared: Path) -> None:
    said = refused(declared, protocol={key: value for key, value in PROTOCOL.items() if key != "outcome"})
    assert "protocols/trial.yaml: outcome: this key is required" in said


def test_an_unknown_category_is_stopped_with_the_nearest_known_one(declared: Path) -> None:
    said = refused(declared, survey=bend(SURVEY, "variables > sex > recode", {1: "male", 2: "femal"}))
    assert "'femal' is not one of its categories; did you mean 'female'" in said


def test_an_unknown_category_in_the_eligibility_is_stopped(declared: Path) -> None:
    said = refused(declared, protocol=bend(PROTOCOL, "eligibility > no back pain", {"back_pain": ["abscent"]}))
    assert "eligibility > no back pain > back_pain: 'abscent'" in said
    assert "did you mean 'absent'" in said


@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "Yes", "NO"])
def test_an_unquoted_yes_or_no_is_stopped(declared: Path, word: str) -> None:
    write(declared)
    path = declared / "variables.yaml"
    path.write_text(path.read_text() + f"\nbad: {{label: {word}, unit: points, minimum: 0, maximum: 1}}\n")
    with pytest.raises(DeclarationError, match=f"bare word '{word}'.*in quotes"):
        check_run("run")


def test_a_key_that_stands_twice_is_stopped(declared: Path) -> None:
    write(declared)
    path = declared / "run.yaml"
    path.write_text(path.read_text() + "seed: 2\n")
    with pytest.raises(DeclarationError, match=r"run\.yaml:\d+: the key 'seed' stands twice"):
        check_run("run")


def test_a_variable_without_an_answer_is_stopped(declared: Path) -> None:
    survey = bend(SURVEY, "variables", {k: v for k, v in SURVEY["variables"].items() if k != "sex"})
    assert "needs 'sex', but surveys/small.yaml does not say how it answers it" in refused(declared, survey=survey)


def test_a_variable_the_survey_cannot_supply_is_stopped_with_its_reason(declared: Path) -> None:
    survey = bend(SURVEY, "variables > sex", {"unavailable": "never asked"})
    said = refused(declared, survey=survey)
    assert "needs 'sex', which surveys/small.yaml cannot supply (never asked)" in said


def test_overlapping_arms_are_stopped(declared: Path) -> None:
    said = refused(declared, protocol=bend(PROTOCOL, "treatment > untreated", ["none", "taken"]))
    assert "the arms overlap: ['taken']" in said


def test_overlapping_arms_are_stopped_in_a_variation_too(declared: Path) -> None:
    said = refused(declared, protocol=bend(PROTOCOL, "variations", {"odd": {"treatment": {"untreated": ["taken"]}}}))
    assert "variations > odd" in said
    assert "the arms overlap" in said


def test_a_survey_without_follow_up_is_refused_for_a_trial(declared: Path) -> None:
    said = refused(declared, survey=bend(SURVEY, "kind", "cross-section"))
    assert "a trial needs follow-up, and surveys/small.yaml is a cross-section" in said


def test_initiation_is_refused_where_the_treatment_has_no_date(declared: Path) -> None:
    said = refused(declared, protocol=bend(PROTOCOL, "emulates", "initiation"))
    assert "does not date 'treated'" in said
    assert "use landmark" in said


def test_a_column_with_two_sources_for_one_wave_is_refused(declared: Path) -> None:
    columns = {"ID": "ID", "STRATUM": "STRATUM", "PSU": "PSU", "WEIGHT": "WEIGHT", "AGE": "AGE"}
    sex = [{"from": "SEX", "until": 2}, {"from": "GENDER", "since": 2}]
    said = refused(declared, survey=bend(SURVEY, "files > people > columns", {**columns, "SEX": sex}))
    assert "columns > SEX: more than one source (since/until overlap) for the wave 2" in said


def test_a_wave_without_a_source_is_refused(declared: Path) -> None:
    columns = {"ID": "ID", "STRATUM": "STRATUM", "PSU": "PSU", "WEIGHT": "WEIGHT", "AGE": "AGE"}
    said = refused(
        declared,
        survey=bend(SURVEY, "files > people > columns", {**columns, "SEX": [{"from": "SEX", "until": 1}]}),
    )
    assert "columns > SEX: no source for the wave 2" in said


def test_a_file_nobody_can_get_is_refused(declared: Path) -> None:
    files = {"path": "small/people_{wave}.csv", "rows": {"one": "person"}}
    assert "give `url`" in refused(declared, survey=bend(SURVEY, "files > people", files))


def test_variables_that_go_round_in_a_circle_are_refused(declared: Path) -> None:
    survey = bend(SURVEY, "variables > back_pain", {"is": {"treated": ["taken"]}})
    survey = bend(survey, "variables > treated", {"first_of": {"taken": {"is": {"back_pain": ["present"]}}}})
    assert "goes round in a circle" in refused(declared, survey=survey)


# --- who was asked: three definitions that lose or invent people -----------------------------------------------------


def test_a_blank_counted_as_no_without_the_age_limit_is_refused(declared: Path) -> None:
    files = {key: value for key, value in SURVEY["files"]["back"].items() if key != "asked_of"}
    said = refused(declared, survey=bend(SURVEY, "files > back", files))
    assert "variables > back_pain" in said
    assert "counts a blank in back as 'absent' without saying who was asked" in said
    assert "asked_of" in said


def test_any_over_a_questionnaire_counts_blanks_as_no_and_needs_the_age_limit_too(declared: Path) -> None:
    files = {key: value for key, value in SURVEY["files"]["back"].items() if key != "asked_of"}
    survey = bend(bend(SURVEY, "files > back", files), "variables > back_pain", {"any": "back", "where": {"PAIN": 1}})
    assert "declare `asked_of` on the file back" in refused(declared, survey=survey)


@pytest.mark.parametrize("blank", [None, "missing"])
def test_a_blank_dropped_as_missing_inside_the_asked_ages_is_refused(declared: Path, blank: str | None) -> None:
    mapping = {"from": "back.PAIN", "recode": {1: "present", 2: "absent"}}
    said = refused(
        declared, survey=bend(SURVEY, "variables > back_pain", mapping | ({"blank": blank} if blank else {}))
    )
    assert "asked_of age 20 to 69" in said
    assert "blank: never" in said


def test_a_blank_may_be_missing_inside_the_asked_ages_where_the_declaration_says_why(declared: Path) -> None:
    mapping = {
        "from": "back.PAIN",
        "recode": {1: "present", 2: "absent"},
        "blank": "missing",
        "because": "nothing leads past the question",
    }
    write(declared, survey=bend(SURVEY, "variables > back_pain", mapping))
    assert load_survey("small").variables["back_pain"].blank == "missing"


def test_a_domain_wider_than_the_asked_ages_is_refused(declared: Path) -> None:
    said = refused(declared, protocol=bend(PROTOCOL, "eligibility > asked", {"age": {"minimum": 18, "maximum": 69}}))
    assert "'back_pain' comes from back, whose asked_of is age 20 to 69; limit age to it" in said


def test_a_domain_without_any_age_limit_is_refused(declared: Path) -> None:
    protocol = bend(PROTOCOL, "eligibility", {"no back pain": {"back_pain": ["absent"]}})
    assert "reaches outside the people who were asked" in refused(declared, protocol=protocol)


# --- variations ------------------------------------------------------------------------------------------------------


def test_a_variation_overrides_only_what_it_names(declared: Path) -> None:
    write(declared, protocol=bend(PROTOCOL, "variations", {"crude": {"assignment": {"confounders": []}}}))
    protocol = load_protocol("trial")
    crude = plan_of(protocol, "crude")
    assert crude.assignment.names == []
    assert crude.eligibility == plan_of(protocol, "main").eligibility


def test_null_in_a_variation_removes_a_key(declared: Path) -> None:
    over = {"wide": {"eligibility": {"no back pain": None}}}
    write(declared, protocol=bend(PROTOCOL, "variations", over))
    assert list(plan_of(load_protocol("trial"), "wide").eligibility) == ["asked"]


def test_each_panel_is_left_out_once_and_stands_alone_once(declared: Path) -> None:
    survey = bend(
        SURVEY,
        "waves",
        {"values": [1, 2, 3, 4], "panel": "PANEL", "panels": {7: [1, 2], 8: [2, 3], 9: [3, 4]}},
    )
    survey = bend(survey, "files > people > columns", {})
    protocol = bend(PROTOCOL, "series", {"leave_one_panel_out": True, "single_panels": True})
    write(declared, survey=survey, protocol=protocol)
    names = [name for name, _ in variations(load_protocol("trial"), load_survey("small"))]
    assert names == [
        "main",
        *(f"without-panel-{p}" for p in (7, 8, 9)),
        *(f"only-panel-{p}" for p in (7, 8, 9)),
    ]


def test_every_problem_is_told_at_once(declared: Path) -> None:
    survey = bend(SURVEY, "variables > sex > recode", {1: "men", 2: "women"})
    said = refused(declared, survey=survey, protocol=bend(PROTOCOL, "treatment > treated", ["takn"]))
    assert len(re.findall(r"is not one of its categories", said)) == 3


def test_a_run_that_does_not_exist_is_named_with_the_nearest(declared: Path) -> None:
    write(declared)
    with pytest.raises(DeclarationError, match=r"runn\.yaml: there is no such declaration; did you mean 'run'"):
        check_run("runn")


def test_a_simulated_run_says_how_many_people(declared: Path) -> None:
    assert "needs `people`" in refused(declared, run=RUN | {"simulated": True})


def test_a_number_needs_its_range(declared: Path) -> None:
    variables = bend(VARIABLES, "age", {"label": "Age", "unit": "years"})
    assert "needs `minimum` and `maximum`" in refused(declared, variables=variables)


def test_the_smallest_effect_that_matters_is_one_number_in_the_trial_and_in_its_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Path(__file__).parent.parent / "config"
    for path in config.iterdir():
        if path.name != "claims.yaml":
            (tmp_path / path.name).symlink_to(path)
    text = (config / "claims.yaml").read_text(encoding="utf-8")
    (tmp_path / "claims.yaml").write_text(
        text.replace("smallest_effect: 0.02", "smallest_effect: 0.03"), encoding="utf-8"
    )
    monkeypatch.setenv("BACKPAIN_CONFIG", str(tmp_path))
    with pytest.raises(DeclarationError, match=r"smallest_effect 0.03 is 0.02 in protocols/treatment-initiation.yaml"):
        check_run("demo")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"follow_up": {"waves": 0}}, "greater than or equal to 1"),
        ({"windows": {"New back pain": [6, 24]}}, "begins before time zero"),
        ({"windows": {"New back pain": [0, 12]}}, "none lies after time zero"),
        ({"windows": {"New back pain": [24, 12]}}, "ends before it begins"),
    ],
)
def test_follow_up_before_time_zero_is_refused(change: dict[str, Any], said: str) -> None:
    from backpain.spec.analysis import Protocol

    plain = load_protocol("treatment-landmark").model_dump(by_alias=True, exclude_none=True)
    for key, value in change.items():
        plain[key] = {**plain[key], **value}
    with pytest.raises(ValueError, match=said):
        Protocol.model_validate(plain)
