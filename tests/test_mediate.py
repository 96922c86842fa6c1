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
from backpain.mediate import EFFECTS, Mediated, effects_of, four_groups, in_order, mediate, people_of
from backpain.mediate.estimate import _again
from backpain.mediate.models import fit_models

ORACLE = Path(__file__).parent / "oracle" / "mediate"
TERMS = ["age", "woman"]
GROUPS = ["treated, remitted", "treated, symptomatic", "untreated, remitted", "untreated, symptomatic"]
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


@pytest.fixture(scope="module")
def numbers() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ORACLE / "mediate.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    frame = pd.read_csv(ORACLE / "people.csv")
    kinds = {"treated": bool, "woman": bool, "at_risk": "boolean", "event": "boolean"}
    return frame.assign(mediator=frame["remitted"]).astype(kinds)


@pytest.mark.parametrize("way", WAYS)
def test_means_and_their_variance_agree_with_r(numbers: dict[str, Any], people: pd.DataFrame, way: str) -> None:
    frame, expected = asked(people, way), numbers[way]
    found = mediate(frame, TERMS, Design.of(frame), **WAYS[way])
    se = np.sqrt(np.diag(expected["covariance"]))
    for place, one in enumerate(found):
        part = slice(3 * place, 3 * place + 3)
        np.testing.assert_allclose(one.means, expected["means"][part], rtol=1e-8)
        np.testing.assert_allclose(np.sqrt(np.diag(one.covariance)), se[part], rtol=1e-6)
        np.testing.assert_allclose(
            one.covariance, np.array(expected["covariance"])[part, part], rtol=2e-6, atol=1e-6 * se.max() ** 2
        )
        assert one.df == expected["df"]


@pytest.mark.parametrize("way", WAYS)
def test_replicates_fit_every_model_again_as_r_does(numbers: dict[str, Any], people: pd.DataFrame, way: str) -> None:
    frame, expected = asked(people, way), numbers[way]
    found = mediate(frame, TERMS, replicated(Design.of(frame), "jkn"), **WAYS[way])
    se = np.sqrt(np.diag(expected["jackknife"]))
    for place, one in enumerate(found):
        part = slice(3 * place, 3 * place + 3)
        np.testing.assert_allclose(one.means, expected["means"][part], rtol=1e-8)
        np.testing.assert_allclose(np.sqrt(np.diag(one.covariance)), se[part], rtol=1e-6)


def test_the_four_groups_agree_with_r(numbers: dict[str, Any], people: pd.DataFrame) -> None:
    expected = numbers["four"]
    found = four_groups(people, Design.of(people))
    assert found[["arm", "mediator"]].agg(", ".join, axis=1).tolist() == GROUPS
    order = [expected["group"].index(key) for key in ("1 1", "1 0", "0 1", "0 0")]
    np.testing.assert_allclose(found["risk"], np.array(expected["risk"])[order], rtol=1e-8)
    np.testing.assert_allclose(found["se"], np.array(expected["se"])[order], rtol=1e-6)
    assert found["design_df"].tolist() == np.array(expected["df"])[order].tolist()


def draw(people: int, rng: np.random.Generator, later: bool) -> tuple[pd.DataFrame, list[float]]:
    """People of a world whose models are right, and the means of that world by enumeration."""
    poor = rng.random(people) < 0.4
    treated = rng.random(people) < expit(-0.3 + 0.8 * poor)
    z = (rng.random(people) < expit(-0.5 + 1.0 * treated)) if later else np.zeros(people, bool)
    # With a cause after treatment remission does not depend on the confounder, so that its model without z is right too.
    of_poor = 0.0 if later else -0.7
    m = rng.random(people) < expit(-0.6 + 1.1 * treated + of_poor * poor - 0.9 * z)
    risk = {
        (a, b, c): expit(-0.8 - 0.3 * a - 0.9 * b + 0.4 * a * b + 0.7 * poor + 0.8 * c)
        for a in (0, 1)
        for b in (0, 1)
        for c in (0, 1)
    }
    chance_z = {a: expit(-0.5 + 1.0 * a) if later else 0.0 for a in (0, 1)}
    chance_m = {
        a: sum(
            share * expit(-0.6 + 1.1 * a + of_poor * poor - 0.9 * c)
            for c, share in ((1, chance_z[a]), (0, 1 - chance_z[a]))
        )
        for a in (0, 1)
    }
    means = []
    for a, other in ((1, 1), (1, 0), (0, 0)):
        of_cell = {b: chance_z[a] * risk[a, b, 1] + (1 - chance_z[a]) * risk[a, b, 0] for b in (0, 1)}
        means.append(float(np.mean(chance_m[other] * of_cell[1] + (1 - chance_m[other]) * of_cell[0])))
    event = rng.random(people) < np.choose(
        4 * treated + 2 * m + z, [risk[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    )
    frame = pd.DataFrame(
        {"weight": 1.0, "poor": poor, "treated": treated, "z": z, "at_risk": True, "mediator": m * 1.0, "event": event}
    )
    return frame, means


@pytest.mark.parametrize("later", [False, True], ids=["nothing between", "a cause after treatment"])
def test_the_effects_of_a_known_world_are_found_and_as_surely_as_told(later: bool) -> None:
    truth = np.array(draw(400_000, np.random.default_rng(1), later)[1])
    rng, terms = np.random.default_rng(20261124), ["z"] if later else []
    found, errors = [], []
    for _ in range(120):
        frame, _ = draw(1000, rng, later)
        each = mediate(frame, ["poor"], Design.of(frame, None, None, None), terms)
        found.append([one.means for one in each])
        errors.append([np.diag(one.covariance) for one in each])
    values, variances = np.array(found), np.array(errors)
    spread = values.std(axis=0, ddof=1)
    assert (np.abs(values.mean(axis=0) - truth) < 4 * spread / np.sqrt(120)).all()
    # Monte Carlo error of a standard deviation over 120 draws: about 6.5 %.
    np.testing.assert_allclose(np.sqrt(variances.mean(axis=0)), spread, rtol=0.25)
    contrast = values[..., 0] - values[..., 1]
    assert abs(contrast.mean() - (truth[0] - truth[1])) < 4 * contrast.std() / np.sqrt(120)
    assert truth[0] - truth[1] < -0.01


def test_leaving_out_a_cause_after_treatment_misses_what_declaring_it_finds() -> None:
    rng = np.random.default_rng(5)
    frame, truth = draw(600_000, rng, later=True)
    design = Design.of(frame, None, None, None)
    right, wrong = (mediate(frame, ["poor"], design, terms)[0].means for terms in (["z"], []))
    assert abs(right[1] - truth[1]) < 0.0025
    assert abs(wrong[1] - truth[1]) > 0.005


def test_direct_and_indirect_add_up_and_multiply_up() -> None:
    frame = world()
    rows = effects_of(mediate(frame, TERMS, Design.of(frame)))
    for _, one in rows.groupby("estimator"):
        told = one.set_index(["scale", "effect"])["estimate"]
        assert told["risk-difference", "overall"] == pytest.approx(
            told["risk-difference", "direct"] + told["risk-difference", "indirect"]
        )
        assert told["risk-ratio", "overall"] == pytest.approx(
            told["risk-ratio", "direct"] * told["risk-ratio", "indirect"]
        )


def made(means: list[float], se: float) -> Mediated:
    return Mediated("standardisation", np.array(means), np.empty((0, 3)), np.diag([se**2] * 3), 30)


def share_of(one: Mediated) -> pd.Series:
    rows = effects_of([one])
    return rows[rows["scale"] == "share"].iloc[0]


def test_a_share_goes_through_only_where_there_is_something_to_share() -> None:
    assert share_of(made([0.10, 0.14, 0.20], 0.01))["estimate"] == pytest.approx(0.4)
    nothing = share_of(made([0.19, 0.195, 0.20], 0.01))
    assert np.isnan(nothing["estimate"])
    assert "share of nothing" in nothing["reason"]
    against = share_of(made([0.10, 0.09, 0.20], 0.01))
    assert np.isnan(against["estimate"])
    assert "opposite signs" in against["reason"]


def test_the_error_of_a_share_is_that_of_a_ratio() -> None:
    one = made([0.10, 0.14, 0.20], 0.004)
    rng = np.random.default_rng(2)
    drawn = one.means + rng.normal(0, 0.004, (400_000, 3))
    shares = (drawn[:, 0] - drawn[:, 1]) / (drawn[:, 0] - drawn[:, 2])
    assert share_of(one)["se"] == pytest.approx(shares.std(), rel=0.02)


def test_everybody_is_told_apart_by_what_became_of_them() -> None:
    frame = world(seed=4)
    people = people_of(frame, TERMS)
    lost = frame["at_risk"].isna().to_numpy()
    assert (people.known == ~lost).all()
    assert (people.counted == frame["at_risk"].fillna(False).to_numpy(bool)).all()
    assert 0 < people.counted.sum() < people.known.sum() < len(frame)


def test_nobody_lost_needs_no_model_of_loss() -> None:
    frame = world(lost=False)
    assert fit_models(people_of(frame, TERMS)).retention is None
    assert not [one.reason for one in mediate(frame, TERMS, Design.of(frame)) if one.reason]


def refused(frame: pd.DataFrame, words: str, **options: Any) -> None:
    with pytest.raises(ValueError, match=words):
        mediate(frame, TERMS, Design.of(frame), **options)


def test_what_cannot_be_a_mediator_is_refused_by_name() -> None:
    frame = world()
    refused(frame.assign(mediator=np.nan), "mediator: missing for everyone")
    refused(frame.assign(mediator=frame["mediator"].where(~frame["treated"], 1.0)), "mediator: 1 for everyone treated")
    refused(frame.assign(mediator=frame["mediator"].where(frame["treated"], 0.0)), "mediator: 0 for everyone untreated")
    refused(frame.assign(mediator=frame["score"]), "must be 0 or 1")
    refused(
        frame.assign(at_risk=frame["at_risk"].where(frame["at_risk"].isna(), False)), "before the mediator was measured"
    )
    refused(frame.assign(treated=True), "nobody untreated and at risk")
    refused(frame.assign(event=frame["event"].where(frame["event"].isna(), True)), "event: 1 for everyone at risk")
    refused(frame.assign(weight=0.0), "weight")
    refused(frame, "declare a cut", mediator="score", later=["visits"])
    refused(frame, "choose `binary`", mediator="yes")


def test_separation_leaves_no_number_and_says_why() -> None:
    frame = world()
    frame = frame.assign(event=frame["event"] & ~(frame["treated"] & (frame["mediator"] == 1)))
    rows = effects_of(mediate(frame, TERMS, Design.of(frame)))
    assert rows[["estimate", "se", "low", "high"]].isna().all(axis=None)
    assert rows["reason"].str.startswith("outcome: ").all()
    assert not rows["converged"].any()


def test_replicates_that_give_no_estimate_are_told() -> None:
    frame = world(people=300)
    cell = frame["treated"] & (frame["mediator"] == 1)
    alone = cell & frame["psu"].eq(1) & frame["stratum"].eq(3)
    assert alone.any()
    # The whole cell's events are in one PSU: the replicate without it has none.
    frame = frame.assign(event=frame["event"].mask(cell, False).mask(alone, True))
    found = mediate(frame, TERMS, replicated(Design.of(frame), "jkn"))
    assert found[0].reason.startswith("replicates: 1 of 30 give no estimate")


def test_the_same_weights_on_another_scale_give_the_same_numbers() -> None:
    frame = world()
    one, other = (
        mediate(each, TERMS, Design.of(each))[0] for each in (frame, frame.assign(weight=frame["weight"] / 1e6))
    )
    np.testing.assert_allclose(one.means, other.means, rtol=1e-12)
    np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-9)


def test_a_score_by_quadrature_is_a_score_by_brute_force() -> None:
    frame = asked(world(), "score")
    found = mediate(frame, TERMS, Design.of(frame), mediator="score")[0]
    models = fit_models(people_of(frame, TERMS, mediator="score"))
    one, rng = models.coefficients, np.random.default_rng(7)
    share = models.weight / models.weight.sum()
    matrix = models.counted.baseline
    centre = one.mediator[0] + matrix[:, 1:] @ one.mediator[2:]
    score = centre + one.spread * rng.standard_normal((3000, len(centre)))
    head, rest = one.outcome[:4], matrix[:, 1:] @ one.outcome[4:]
    brute = expit(head[0] + head[1] + (head[2] + head[3]) * score + rest).mean(axis=0) @ share
    assert found.means[1] == pytest.approx(brute, abs=3e-4)


def dated(**columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(values, dtype=float) for name, values in columns.items()})


def test_pain_before_the_mediator_is_out_of_the_risk_set_and_counted() -> None:
    nan = np.nan
    frame = dated(treatment_at=[1, 1, nan, nan, nan], mediator_at=[6, 6, 6, nan, 6], event_at=[9, 3, nan, 9, 6])
    at_risk, flow = in_order(frame)
    assert at_risk.isna().tolist() == [False, False, False, True, False]
    assert at_risk.dropna().tolist() == [True, False, True, False]
    assert flow["remaining"].tolist() == [5, 4, 2]
    assert flow["left_out"].tolist() == [0, 1, 2]


def test_times_out_of_order_are_refused() -> None:
    nan = np.nan
    with pytest.raises(ValueError, match="1 people were treated after their mediator"):
        in_order(dated(treatment_at=[7, nan], mediator_at=[6, 6], event_at=[9, nan]))
    with pytest.raises(ValueError, match="measured in nobody"):
        in_order(dated(treatment_at=[1, nan], mediator_at=[nan, nan], event_at=[9, nan]))
    with pytest.raises(ValueError, match="nobody is at risk"):
        in_order(dated(treatment_at=[1, nan], mediator_at=[6, 6], event_at=[2, 3]))


def test_a_group_of_nobody_has_no_risk_and_still_a_row() -> None:
    frame = world()
    frame = frame.assign(mediator=frame["mediator"].where(~frame["treated"], 1.0))
    found = four_groups(frame, Design.of(frame))
    assert found["people"].tolist()[1] == 0
    assert found["risk"].isna().tolist() == [False, True, False, False]
    assert found["people"].sum() == frame["event"].notna().sum()


def test_every_effect_is_told_on_both_scales() -> None:
    frame = world()
    rows = effects_of(mediate(frame, TERMS, Design.of(frame)))
    for scale in ("risk-difference", "risk-ratio"):
        assert rows.loc[(rows["scale"] == scale) & (rows["estimator"] == "weighting"), "effect"].tolist() == list(
            EFFECTS
        )
