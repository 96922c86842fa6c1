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
from backpain.simulate import encode, write_raw
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
