"""Files without an id: who is joined, who is not, and who is seen again."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from backpain.harmonise.people import gather
from backpain.spec import Survey, load_survey
from declare import SURVEY, bend, write

CONDITIONS = pd.DataFrame(
    [
        # panel, person, dwelling unit, weight, wave
        (7, "a", "d1", 10.00001, 1), (7, "a", "d1", 10.00001, 1),
        (7, "b", "d2", 20.0, 1), (7, "b", "d2", 21.0, 2),
        (7, "c", "d3", 30.0, 1), (7, "k", "d3", 30.0, 1),
        (7, "e", "d4", 40.0, 1), (7, "f", "d5", 50.0, 1), (7, "g", "d6", 60.0, 1),
        (6, "z", "d9", 90.0, 1),
    ],
    columns=["PANEL", "ID", "DUID", "WEIGHT", "wave"],
).assign(STRATUM=1, PSU=1)  # fmt: skip
PEOPLE = pd.DataFrame(
    [
        ("d1", 10.00003, 30, 1, 1), ("d2", 20.0, 40, 2, 1), ("d3", 30.0, 50, 1, 1), ("d4", 40.0, 60, 1, 1),
        ("d5", 50.0, 20, 2, 1), ("d5", 50.0, 22, 1, 1), ("d6", 60.0, 70, 2, 1),
        ("d1", 11.0, 31, 1, 2), ("d2", 21.0, 41, 2, 2), ("d4", 41.0, 63, 1, 2), ("d6", 61.0, 71, 2, 2), ("d6", 62.0, 70, 2, 2),
    ],
    columns=["DUID", "WEIGHT", "AGE", "SEX", "wave"],
)  # fmt: skip


@pytest.fixture
def survey(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Survey:
    monkeypatch.setenv("BACKPAIN_CONFIG", str(tmp_path))
    declared = bend(SURVEY, "waves", {"values": [1, 2], "panel": "PANEL", "panels": {7: [1, 2]}})
    declared |= {
        "person": ["panel", "ID"],
        "base": "conditions",
        "design": {**SURVEY["design"], "scaled": "by panel"},
        "files": {
            "conditions": {
                "path": "c_{wave}.csv",
                "obtain": "x",
                "rows": {"many": "condition"},
                "none_means": "absent",
            },
            "people": {"path": "p_{wave}.csv", "obtain": "x", "rows": {"one": "person"}, "key": []},
        },
        "links": [
            {"add": "people", "to": "conditions", "by": {"DUID": "same", "WEIGHT": {"decimals": 4}}},
            {
                "add": "people",
                "across": "waves",
                "by": {"DUID": "same", "SEX": "same", "AGE": {"later": [0, 2]}},
                "for": "seen_again",
            },
        ],
        "variables": {"age": {"from": "people.AGE"}},
    }
    write(tmp_path, survey=declared)
    return load_survey("small")


def frame(survey: Survey) -> pd.DataFrame:
    found = gather({"conditions": CONDITIONS, "people": PEOPLE}, survey)
    return found.frame.assign(AGE=found.linked["people"]["AGE"].to_numpy()).set_index(["person", "order"])


def test_a_person_is_joined_by_dwelling_unit_and_weight_to_four_decimals(survey: Survey) -> None:
    people = frame(survey)
    assert people.loc[("7-a", 0), "link_people"] == "linked"
    assert people.loc[("7-a", 0), "AGE"] == 30


def test_a_key_that_two_persons_share_joins_neither(survey: Survey) -> None:
    people = frame(survey)
    assert people.loc[[("7-c", 0), ("7-k", 0)], "link_people"].tolist() == ["ambiguous", "ambiguous"]
    assert people.loc[[("7-c", 0), ("7-k", 0)], "AGE"].isna().all()


def test_a_key_that_two_rows_of_the_other_file_share_joins_nobody(survey: Survey) -> None:
    assert frame(survey).loc[("7-f", 0), "link_people"] == "ambiguous"


def test_a_person_without_a_record_is_seen_again_in_the_same_unit_with_the_same_sex_a_year_older(
    survey: Survey,
) -> None:
    people = frame(survey)
    assert people.loc[("7-a", 1), "seen_by"] == "match"
    assert people.loc[("7-a", 1), "AGE"] == 31
    assert people.loc[("7-b", 1), "seen_by"] == "record"


def test_three_years_older_is_somebody_else(survey: Survey) -> None:
    assert ("7-e", 1) not in frame(survey).index


def test_two_who_could_be_the_person_are_no_match(survey: Survey) -> None:
    assert ("7-g", 1) not in frame(survey).index


def test_a_panel_that_is_not_declared_is_counted_and_left_out(survey: Survey) -> None:
    found = gather({"conditions": CONDITIONS, "people": PEOPLE}, survey)
    assert found.not_followed == 1
    assert "6-z" not in set(found.frame["person"])


def test_a_panel_is_scaled_to_represent_everyone_of_its_wave(survey: Survey) -> None:
    people = frame(survey)
    everyone = 10.00001 + 20 + 30 + 30 + 40 + 50 + 60
    assert people.loc[("7-a", 0), "scale"] == pytest.approx((everyone + 90) / everyone)
