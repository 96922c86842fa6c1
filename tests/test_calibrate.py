"""Negative controls as declared, and the calibration of estimates by them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

CONFIG = Path(__file__).parent.parent / "config"
DECLARED: dict[str, dict[str, Any]] = yaml.safe_load((CONFIG / "negative-controls.yaml").read_text(encoding="utf-8"))
CONTROLS = DECLARED["controls"]
KINDS = {"infection", "injury", "skin", "eye or ear", "other"}


# The declaration


def test_there_are_at_least_thirty_controls_of_several_kinds() -> None:
    assert len(CONTROLS) >= 30
    assert {control["kind"] for control in CONTROLS.values()} == KINDS


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_says_what_it_is_and_why_treatment_does_not_change_it(name: str) -> None:
    control = CONTROLS[name]
    assert set(control) - {"doubt", "only"} == {"label", "kind", "codes", "because", "reference"}
    for words in ("label", "because", "reference"):
        assert control[words].strip(), words
    assert control["because"].endswith(".")
    assert set(control["codes"]) == {"ICD9CODX", "ICD10CDX"}


@pytest.mark.parametrize("system", ["ICD9CODX", "ICD10CDX"])
def test_no_code_stands_in_two_controls(system: str) -> None:
    codes = [code for control in CONTROLS.values() for code in control["codes"][system]]
    assert all(isinstance(code, str) and len(code) == 3 for code in codes)
    assert len(codes) == len(set(codes))


def test_no_control_holds_a_code_of_pain_or_of_depression_or_of_an_excluded_kind() -> None:
    lists = yaml.safe_load((CONFIG / "surveys/shared/meps.yaml").read_text(encoding="utf-8"))["codes"]
    held = {code for control in CONTROLS.values() for codes in control["codes"].values() for code in codes}
    assert not held & {code for codes in lists.values() for part in codes.values() for code in part}
    # Fractures, cataract, teeth, stomach and bowel, sleep, metabolic and sexual disorders, by chapter.
    numbers = {int(code) for code in held if code.isdigit()}
    for first, last in ((240, 279), (290, 327), (366, 366), (401, 459), (520, 549), (555, 579), (607, 608), (800, 829)):
        assert not numbers & set(range(first, last + 1)), (first, last)
    letters = {code for code in held if not code.isdigit()}
    assert not {code for code in letters if code[0] in "EFGI" or code in {"H26", "N52", "N94"}}
    assert {code for code in letters if code[0] == "K"} == {"K46"}  # hernia
    assert not letters & {"S02", "S12", "S22", "S32", "S42", "S52", "S62", "S72", "S82", "S92"}
