"""Doubly robust estimators with learned models: whose answers teach whom, and what comes of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from backpain.design import Design
from backpain.estimate import ESTIMATORS, estimate
from backpain.estimate.learned import DRAWS, LEAST, predictions
from backpain.nuisance import fit_nuisance
from backpain.spec import Scenario
from backpain.spec.analysis import Multiverse
from backpain.study import TERMS, draw, truths

NAMES = ["doubly-robust-learned", "targeted-learned"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return draw(Scenario(people=1500, strata=20, attrition=1.0), (8, 1))


def learned(people: pd.DataFrame) -> list[Any]:
    found = predictions(people, fit_nuisance(people, TERMS))
    assert not isinstance(found, str)
    return found


def test_nobodys_predictions_come_from_their_own_psu(people: pd.DataFrame) -> None:
    before = learned(people)
    mine = (people["stratum"] == 3) & (people["psu"] == 1)
    changed = people.assign(event=people["event"].mask(mine & people["followed"], ~people["event"]))
    after = learned(changed)
    assert len(before) == DRAWS
    for one, other in zip(before, after, strict=True):
        for place in (0, 1):
            assert np.array_equal(one.outcome[place][mine], other.outcome[place][mine])
        assert np.array_equal(one.propensity, other.propensity)
    # Others were taught by them, and know the difference.
    assert any(not np.array_equal(one.outcome[0], other.outcome[0]) for one, other in zip(before, after, strict=True))


def test_probabilities_are_kept_from_the_ends(people: pd.DataFrame) -> None:
    for one in learned(people):
        assert one.propensity.min() >= LEAST
        assert one.propensity.max() <= 1 - LEAST
        assert one.retention.min() >= LEAST


def test_the_standard_error_is_that_of_the_influence_function_and_folds_are_drawn_alike_each_time(
    people: pd.DataFrame,
) -> None:
    design = Design.of(people)
    rows = estimate(people, TERMS, estimators=NAMES, design=design).set_index(["estimator", "scale", "arm"])
    again = estimate(people, TERMS, estimators=NAMES, design=design).set_index(["estimator", "scale", "arm"])
    pd.testing.assert_frame_equal(rows, again)
    for name in NAMES:
        found = ESTIMATORS[name](people, TERMS, fit_nuisance(people, TERMS))
        assert np.abs(found.influence.sum(axis=0)).max() < 1e-8
        gap = found.influence[:, 0] - found.influence[:, 1]
        row = rows.loc[(name, "risk-difference", "treated vs untreated")]
        assert row["estimate"] == pytest.approx(found.value[0] - found.value[1])
        assert row["se"] == pytest.approx(np.sqrt(design.covariance(gap)[0, 0]))


def test_where_straight_models_are_right_learned_ones_say_about_the_same(people: pd.DataFrame) -> None:
    rows = estimate(people, TERMS, estimators=["doubly-robust", *NAMES], design=Design.of(people))
    told = rows[rows["scale"] == "risk-difference"].set_index("estimator")
    for name in NAMES:
        assert abs(told.loc[name, "estimate"] - told.loc["doubly-robust", "estimate"]) < told.loc[name, "se"]
        assert told.loc[name, "se"] == pytest.approx(told.loc["doubly-robust", "se"], rel=0.25)


def test_where_both_straight_models_are_wrong_learned_ones_come_nearer_to_the_truth() -> None:
    scenario = Scenario(people=8000, treatment_curve=0.5, outcome_curve=0.5)
    truth = truths("x", scenario, 500_000, 1).set_index(["population", "scale"])["truth"]
    people = draw(scenario, (4, 2))
    rows = estimate(people, TERMS, estimators=["doubly-robust", *NAMES], design=Design.of(people))
    told = rows[rows["scale"] == "risk-difference"].set_index("estimator")["estimate"]
    far = (told - truth["everyone", "risk-difference"]).abs()
    assert far["doubly-robust"] > 0.03
    for name in NAMES:
        assert far[name] < far["doubly-robust"] / 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"population": "treated"}, "about everyone only"),
        ({"resampling": {"kind": "bootstrap", "replicates": 20, "seed": 1}}, "not learned anew"),
    ],
)
def test_what_cannot_be_learned_has_a_row_with_its_reason(
    people: pd.DataFrame, options: dict[str, Any], said: str
) -> None:
    rows = estimate(people, TERMS, estimators=[NAMES[0]], **options)
    assert rows["estimate"].isna().all()
    assert rows["reason"].str.contains(said).all()


def test_too_few_psus_for_folds_of_whole_ones_have_a_reason() -> None:
    people = draw(Scenario(people=600, strata=4), (8, 2))
    rows = estimate(people, TERMS, estimators=[NAMES[0]], design=Design.of(people))
    assert rows["reason"].str.contains("8 PSUs are too few").all()


def test_a_multiverse_does_not_learn() -> None:
    choices: dict[str, Any] = {"lost": {"as declared": {}, "complete": {"follow_up": {"lost": "complete"}}}}
    with pytest.raises(ValueError, match="cannot be learned anew"):
        Multiverse(choices=choices, estimators=["doubly-robust-learned"], replicates=20, seed=1)
