"""A variation one of whose arms nobody is in says so, and leaves the others their numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from backpain.cohort import emulate
from backpain.design import Design
from backpain.spec import load_protocol, load_survey
from backpain.trials import diagnose_trial, estimate_trial
from backpain.trials.beside import Part, side_by_side
from test_in_sequence import crowd

SURVEY = load_survey("demo")
EMPTY = {"label": "Nobody", "treatment": {"variable": "antidepressant_start", "treated": ["already taking"]}}


@pytest.fixture(scope="module")
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    protocol = load_protocol("treatment-initiation").model_copy(update={"variations": {"nobody": EMPTY}})
    trial = emulate(crowd(4000, 6), protocol, SURVEY)
    seen = diagnose_trial(trial.participants, trial.skeleton, protocol, SURVEY)
    estimates, _, _ = estimate_trial(trial.participants, trial.skeleton, seen.diagnostics, protocol, SURVEY)
    return estimates, seen.diagnostics


def test_its_rows_have_a_reason_and_no_number(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    rows = tables[0][tables[0]["variation"] == "nobody"]
    assert (rows["reason"] == "nobody treated was followed; a contrast needs both arms").all()
    assert rows["estimate"].isna().all()
    assert not rows["converged"].any()
    assert rows["gate"].str.startswith("failed").all()
    assert (rows.loc[rows["arm"] == "treated", "people"] == 0).all()
    assert (rows.loc[rows["arm"] == "untreated", "people"] > 0).all()


def test_the_declared_analysis_keeps_its_numbers(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    main = tables[0][(tables[0]["variation"] == "main") & (tables[0]["scale"] == "risk-difference")]
    assert main["estimate"].notna().all()
    shape = tables[0].groupby("variation")[["scale", "arm"]].apply(lambda rows: set(map(tuple, rows.to_numpy())))
    assert shape["nobody"] == shape["main"]


def test_a_part_without_an_arm_says_so_beside_the_others() -> None:
    protocol = load_protocol("treatment-initiation").model_copy(update={"variations": {}})
    people = emulate(crowd(4000, 6), protocol, SURVEY).participants
    half = people.index < len(people) // 2
    parts = {}
    for name, own in (("both", people[half]), ("one", people[~half & ~people["treated"].astype(bool)])):
        places = np.arange(len(own)) + sum(len(part.people) for part in parts.values())
        parts[name] = Part.of(own.reset_index(drop=True), places, ["age"], "complete", "weighting")
    everyone = pd.concat([part.people for part in parts.values()], ignore_index=True)
    table, covariance = side_by_side(parts, Design.of(everyone))
    rows = table.set_index(["part", "scale"])
    assert rows.loc["both", "estimate"].notna().all()
    assert rows.loc["one", "estimate"].isna().all()
    assert (rows.loc["one", "reason"] == "nobody treated was followed; a contrast needs both arms").all()
    assert set(covariance["part"]) == {"both"}


def test_a_declared_analysis_without_an_arm_is_refused() -> None:
    protocol = load_protocol("treatment-initiation").model_copy(update={"variations": {}})
    people = crowd(4000, 6)
    trial = emulate(people[people["antidepressant_start"] != "started"], protocol, SURVEY)
    with pytest.raises(ValueError, match="nobody treated was followed"):
        diagnose_trial(trial.participants, trial.skeleton, protocol, SURVEY)
