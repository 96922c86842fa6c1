"""Effects through a mediator: against R, against brute force, and on worlds with a known truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from backpain.design import Design, replicated
from backpain.mediate import effects_of, four_groups, in_order, mediate, people_of
from backpain.mediate.estimate import _again
from backpain.mediate.models import fit_models

ORACLE = Path(__file__).parent / "oracle" / "mediate"
TERMS = ["age", "woman"]
WAYS: dict[str, dict[str, Any]] = {
    "binary": {},
    "later": {"later": ["visits"]},
    "score": {"mediator": "score"},
}


def world(people: int = 1200, seed: int = 3, lost: bool = True) -> pd.DataFrame:
    """People whose treatment, remission and pain follow from age and sex; some are lost, some have pain too early."""
    rng = np.random.default_rng(seed)
    age, woman = rng.normal(0, 1, people), rng.random(people) < 0.5
    treated = rng.random(people) < expit(0.4 * age - 0.3 * woman)
    visits = rng.normal(0.5 * treated + 0.3 * age, 1)
    score = 8 - 2 * treated + 1.0 * age - 0.8 * visits + rng.normal(0, 2, people)
    remitted = score < 7
    event = rng.random(people) < expit(-1 - 0.3 * treated - 0.6 * remitted + 0.4 * age + 0.3 * visits)
    at_risk = pd.Series(rng.random(people) < expit(2.5 - 0.3 * age), dtype="boolean")
    known = rng.random(people) < expit(1.5 + 0.5 * treated - 0.3 * age)
    gone = ~known if lost else np.zeros(people, bool)
    out = ~at_risk.to_numpy(dtype=bool) | gone
    return pd.DataFrame(
        {
            "stratum": rng.integers(15, size=people),
            "psu": rng.integers(2, size=people),
            "weight": rng.uniform(0.5, 3, people) * 1000,
            "age": age,
            "woman": woman,
            "treated": treated,
            "visits": pd.Series(visits).mask(out),
            "at_risk": at_risk.mask(gone),
            "mediator": pd.Series(remitted.astype(float)).mask(out),
            "score": pd.Series(score).mask(out),
            "event": pd.Series(event, dtype="boolean").mask(out),
        }
    )


def asked(frame: pd.DataFrame, way: str) -> pd.DataFrame:
    return frame.assign(mediator=frame["score"]) if way == "score" else frame


@pytest.mark.parametrize("way", WAYS)
def test_the_influence_is_what_a_little_more_weight_does(way: str) -> None:
    frame = asked(world(), way)
    design = Design.of(frame)
    found = mediate(frame, TERMS, design, **WAYS[way])
    models = fit_models(people_of(frame, TERMS, **WAYS[way]))
    weight = frame["weight"].to_numpy()
    for person in [0, 5, 17, 200, 601, 1100]:
        step = np.zeros(len(frame))
        step[person] = 1e-3 * weight[person]
        slope = (_again(models, weight + step, 20) - _again(models, weight - step, 20)) / 2e-3
        for place, one in enumerate(found):
            np.testing.assert_allclose(one.influence[person], slope[place], rtol=2e-5, atol=1e-9)


@pytest.mark.parametrize("way", WAYS)
def test_influence_adds_up_to_nothing(way: str) -> None:
    frame = asked(world(), way)
    for one in mediate(frame, TERMS, Design.of(frame), **WAYS[way]):
        np.testing.assert_allclose(one.influence.sum(axis=0), 0, atol=1e-9)
