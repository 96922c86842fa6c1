"""The declared variables of the MEPS extract on rows one can read: which round and which code counts as what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from backpain.harmonise import harmonise
from backpain.spec import load_survey, load_variables

CONFIG = Path(__file__).parent.parent / "config"
ROUNDS = ["round_1_injury", "round_1_pain", "round_1_conditions", "back_pain", "back_pain_rounds_4_5", "spine_pain"]
EVENTS = ["HHNUM", "IPNUM", "OPNUM", "OBNUM", "ERNUM", "RXNUM"]


def condition(person: str, icd: str, **more: Any) -> dict[str, Any]:
    """A condition row of 2010, first reported in round 1, no injury, without events."""
    codes = {"icd": icd, "icd.source": "ICD9CODX", "CONDRN": 1, "INJURY": 2, **dict.fromkeys(EVENTS, 0)}
    return {"PANEL": 15, "DUPERSID": person, "DUID": person, "weight": 100.0 + int(person), **codes, **more}


def answers(rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """What the declaration makes of the rows, a row for each person."""
    monkeypatch.setenv("BACKPAIN_CONFIG", str(CONFIG))
    survey = load_survey("meps")
    conditions = pd.DataFrame(rows).assign(wave=2010, VARSTR=1001, VARPSU=1)
    people = conditions[["DUID", "weight"]].drop_duplicates()
    extract = people.assign(
        wave=2010, AGE=50.0, SEX=1, INCOME=20_000.0, NOINS=False, NOINS_all=False, family_size=1.0
    )  # fmt: skip
    asked = {name: survey.variables[name] for name in ROUNDS}
    narrow = survey.model_copy(update={"variables": asked, "published": []})
    made = harmonise({"conditions": conditions, "people": extract}, narrow, load_variables()).people
    return made.set_index("person")[ROUNDS]


def test_only_what_was_first_reported_in_round_1_counts_as_a_confounder(monkeypatch: pytest.MonkeyPatch) -> None:
    made = answers(
        [
            condition("1", "850", INJURY=1),
            condition("2", "850", INJURY=1, CONDRN=2),
            condition("3", "850"),
            condition("4", "715"),
            condition("5", "715", CONDRN=3),
            condition("6", "311"),
        ],
        monkeypatch,
    )
    assert made["round_1_injury"].tolist() == ["present", "absent", "absent", "absent", "absent", "absent"]
    assert made["round_1_pain"].tolist() == ["absent", "absent", "absent", "present", "absent", "absent"]
    # Depression is what the trial is about, so it is none of the other conditions.
    assert made["round_1_conditions"].tolist() == [1, 0, 1, 1, 0, 0]


def test_back_pain_of_rounds_4_and_5_is_apart_from_back_pain_of_the_year(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = {str(number): condition(str(number), "724", CONDRN=number) for number in range(1, 6)}
    made = answers([*rounds.values(), condition("6", "723", CONDRN=5)], monkeypatch)
    assert made["back_pain"].tolist() == ["present"] * 5 + ["absent"]
    assert made["back_pain_rounds_4_5"].tolist() == ["absent"] * 3 + ["present"] * 2 + ["absent"]
    assert made["spine_pain"].eq("present").all()


def test_codes_are_read_in_the_system_their_column_has(monkeypatch: pytest.MonkeyPatch) -> None:
    made = answers(
        [
            condition("1", "M54"),
            condition("2", "M54", **{"icd.source": "ICD10CDX"}),
            condition("3", "724", **{"icd.source": "ICD10CDX"}),
        ],
        monkeypatch,
    )
    assert made["back_pain"].tolist() == ["absent", "present", "absent"]
