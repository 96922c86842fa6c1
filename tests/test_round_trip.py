"""Every declared survey can be made up from its declaration, and harmonises back to what it was made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backpain.clean import clean
from backpain.harmonise import harmonise
from backpain.ingest import ingest
from backpain.receipts import simulated_receipts
from backpain.simulate import encode, simulate, write_raw
from backpain.simulate.world import orders_of
from backpain.spec import Survey, load_survey, load_variables
from nobody import nobody_in_particular

SURVEYS = sorted(path.stem for path in (Path(__file__).parent.parent / "config" / "surveys").glob("*.yaml"))


def there_and_back(people: pd.DataFrame, survey: Survey, folder: Path, seed: int) -> pd.DataFrame:
    variables = load_variables()
    write_raw(encode(people, survey, variables, np.random.default_rng(seed)), survey, folder)
    paths = {receipt.file: Path(receipt.path) for receipt in simulated_receipts(survey, folder)}
    tables, _ = clean(ingest(survey, paths), survey)
    return harmonise(tables, survey, variables).people


@pytest.mark.parametrize("name", SURVEYS)
def test_what_is_made_from_people_harmonises_to_these_people(name: str, tmp_path: Path) -> None:
    survey = load_survey(name)
    people = there_and_back(nobody_in_particular(survey), survey, tmp_path / "first", 1)
    again = there_and_back(people[people["seen_by"] == "record"], survey, tmp_path / "second", 2)
    answered = [variable for variable in survey.variables if variable in people]
    assert len(answered) > 5
    assert (people[answered].nunique() > 1).mean() > 0.8  # chance gave more than one answer to most
    key = ["person", "order"]
    records = people[people["seen_by"] == "record"].set_index(key).sort_index()
    found = again[again["seen_by"] == "record"].set_index(key).sort_index()
    pd.testing.assert_frame_equal(found[answered], records[answered])


def test_people_joined_without_an_id_come_back_whether_joined_matched_or_not(tmp_path: Path) -> None:
    survey = load_survey("meps")
    asked, rng = nobody_in_particular(survey, each=30), np.random.default_rng(8)
    matched = (asked["order"] == 1) & (rng.random(len(asked)) < 0.25)
    status = pd.Series(rng.choice(["linked", "ambiguous", "unmatched"], len(asked), p=[0.8, 0.1, 0.1]))
    asked = asked.assign(
        seen_by=asked["seen_by"].mask(matched, "match"),
        weight_person=asked["weight_person"].mask(matched),
        back_pain=asked["back_pain"].mask(matched, "absent"),
        link_people=status.mask(matched, "linked"),
    )
    people = there_and_back(asked, survey, tmp_path / "first", 1)
    again = there_and_back(people, survey, tmp_path / "second", 2)
    assert set(people["seen_by"]) == {"record", "match"}
    assert set(people["link_people"]) == {"linked", "ambiguous", "unmatched"}
    key = ["person", "order"]
    first, second = (frame.set_index(key).sort_index() for frame in (people, again))
    pd.testing.assert_frame_equal(second, first, check_like=True)


@pytest.mark.parametrize("name", SURVEYS)
def test_a_survey_without_a_world_is_made_up_by_chance(name: str, tmp_path: Path) -> None:
    survey, variables = load_survey(name).model_copy(update={"world": None}), load_variables()
    write_raw(simulate(survey, variables, 300, 1).tables, survey, tmp_path)
    paths = {receipt.file: Path(receipt.path) for receipt in simulated_receipts(survey, tmp_path)}
    people = harmonise(clean(ingest(survey, paths), survey)[0], survey, variables).people
    answered = [variable for variable in survey.variables if variable in people]
    assert (people[answered].nunique() > 1).mean() > 0.8
    assert people["order"].nunique() == (orders_of(survey) if survey.kind == "panel" else 1)
