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

SURVEYS = sorted(path.stem for path in (Path(__file__).parent.parent / "config" / "surveys").glob("*.yaml"))
EACH = 60  # people in each panel


def nobody_in_particular(survey: Survey) -> pd.DataFrame:
    """People of whom only the design is said; every answer is left to chance. A tenth is not seen again."""
    rng = np.random.default_rng(3)
    panels = survey.waves.panels or {0: list(survey.waves.values)}
    rows = []
    for panel, waves in panels.items():
        for number in range(EACH if survey.waves.panels else 5 * EACH):
            design = {"stratum": 1.0 + number % 4, "psu": 1.0 + number // 4 % 2}
            weights = {f"weight_{name}": float(rng.uniform(500, 20000)) for name in survey.design.weights}
            links = {f"link_{link.add}": "linked" for link in survey.links if link.to is not None}
            person = f"{panel}{100_001 + number}"
            named = "-".join(str(panel) if part == "panel" else person for part in survey.person)
            for order, wave in enumerate(waves[:1] if number % 10 == 0 else waves):
                panel_of = {"panel": panel} if survey.waves.panels else {}
                rows.append(
                    {"person": named, **panel_of, "wave": wave, "order": order if survey.kind == "panel" else 0}
                    | {"seen_by": "record", **design, **weights, **links}
                )
    people = pd.DataFrame(rows)
    if survey.files[survey.base].rows.many:
        # Whoever is in such a file has a row in it; without this everybody's would be of the first kind there is.
        people["back_pain"] = pd.Categorical(rng.choice(["absent", "present"], len(people)), ["absent", "present"])
    return people


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
