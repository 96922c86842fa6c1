"""Random effects over panels: against R's metafor, and on panels that share PSUs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backpain.estimate import estimate
from backpain.spec import Survey, load_protocol, load_survey
from backpain.spec.analysis import Assignment
from backpain.synthesise import HETEROGENEITY, heterogeneity, random_effects
from backpain.trials import PANELS, panel_estimates

ORACLE = Path(__file__).parent / "oracle" / "heterogeneity" / "heterogeneity.json"
WHICH = ["some", "much", "none"]


@pytest.fixture(scope="module")
def numbers() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ORACLE.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("which", WHICH)
def test_independent_estimates_agree_with_metafor(numbers: dict[str, Any], which: str) -> None:
    given, expected = numbers[which], numbers[which]["independent"]
    found = random_effects(given["estimate"], np.diag(np.diag(given["covariance"])))
    assert found.mean == pytest.approx(expected["mean"], rel=1e-8)
    assert found.tau**2 == pytest.approx(expected["tau2"], rel=1e-8, abs=1e-14)
    assert (found.se, found.low, found.high) == pytest.approx(
        (expected["se"], expected["low"], expected["high"]), rel=1e-8
    )
    assert (found.q, found.p) == pytest.approx((expected["q"], expected["p"]), rel=1e-8)
    assert found.i_squared == pytest.approx(expected["i_squared"], rel=1e-8, abs=1e-12)
    np.testing.assert_allclose(found.share, expected["share"], rtol=1e-8)


@pytest.mark.parametrize("which", WHICH)
def test_correlated_estimates_agree_with_metafor_as_far_as_it_optimises(numbers: dict[str, Any], which: str) -> None:
    given, expected = numbers[which], numbers[which]["correlated"]
    found = random_effects(given["estimate"], given["covariance"])
    # `rma.mv` climbs to its variance by steps, which end some 1e-8 below the top; without a variance it agrees further.
    assert found.mean == pytest.approx(expected["mean"], rel=2e-7)
    assert found.tau**2 == pytest.approx(expected["tau2"], rel=3e-7, abs=1e-12)
    assert found.se / np.sqrt(max(1.0, found.knapp_hartung)) == pytest.approx(expected["se"], rel=2e-7)
    assert (found.q, found.p) == pytest.approx((expected["q"], expected["p"]), rel=1e-8)


def test_panels_that_agree_more_than_chance_allows_do_not_look_surer(numbers: dict[str, Any]) -> None:
    given = numbers["none"]
    found = random_effects(given["estimate"], np.diag(np.diag(given["covariance"])))
    assert found.floored
    assert found.knapp_hartung < 1
    assert found.se == pytest.approx(1 / np.sqrt((1 / np.diag(given["covariance"])).sum()))


@pytest.mark.parametrize(
    ("estimates", "matrix", "said"),
    [
        ([1.0, 2.0], np.eye(2), "give 3 or more"),
        ([1.0, 2.0, 3.0], np.eye(2), "shape"),
        ([1.0, 2.0, np.nan], np.eye(3), "missing"),
        ([1.0, 2.0, 3.0], np.ones((3, 3)), "not positive definite"),
    ],
)
def test_what_has_no_random_effects_is_refused(estimates: list[float], matrix: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        random_effects(estimates, matrix)


def people(panels: int = 4, each: int = 400) -> pd.DataFrame:
    """Panels in the same PSUs, whose effect on the outcome comes with a confounder."""
    rng = np.random.default_rng(5)
    size = panels * each
    stratum, psu = rng.integers(10, size=size), rng.integers(2, size=size)
    risky = rng.normal(size=(10, 2))[stratum, psu]
    age = rng.integers(20, 80, size=size).astype(float)
    treated = rng.random(size) < 1 / (1 + np.exp(-(age - 50) / 30))
    event = rng.random(size) < 1 / (1 + np.exp(1.5 - 0.02 * (age - 50) - 0.8 * risky))
    panel = np.repeat(np.arange(13, 13 + panels), each)
    return pd.DataFrame(
        {
            "person": [f"p{number}" for number in range(size)],
            "stratum": stratum,
            "psu": psu,
            "weight": rng.gamma(3, 300, size),
            "treated": treated,
            "followed": True,
            "complete": True,
            "event": pd.array(event, dtype="boolean"),
            "age": age,
            "panel": pd.Categorical(panel.astype(str)),
        }
    )


def survey_and_protocol() -> tuple[Survey, Any]:
    protocol = load_protocol("treatment-landmark")
    own = protocol.model_copy(
        update={
            "assignment": Assignment.model_validate({"confounders": ["age"]}),
            "variations": {},
            "multiverse": None,
            "panels": protocol.panels.model_copy(update={"only": [13, 14, 15, 16]}),
        }
    )
    return load_survey("meps"), own


def test_panels_are_estimated_in_the_design_of_all_and_share_what_their_psus_share() -> None:
    everyone = people()
    survey, protocol = survey_and_protocol()
    rows = pd.concat(
        everyone[everyone["panel"] == str(panel)].assign(variation=f"only-panel-{panel}") for panel in (13, 14, 15, 16)
    )
    skeleton = everyone[["panel", "stratum", "psu"]].astype({"panel": int}).drop_duplicates()
    panels, covariance = panel_estimates(rows, skeleton, protocol, survey)
    assert list(panels.columns) == PANELS
    one = everyone[everyone["panel"] == "14"].reset_index(drop=True)
    alone = estimate(one, ["age"], skeleton[["stratum", "psu"]].drop_duplicates(), estimators=["weighting"])
    for scale in ("risk-difference", "risk-ratio"):
        found = panels[(panels["scale"] == scale) & (panels["panel"] == "14")].iloc[0]
        expected = alone[alone["scale"] == scale].iloc[0]
        assert (found["estimate"], found["se"]) == pytest.approx((expected["estimate"], expected["se"]), rel=1e-10)
    wide = covariance[covariance["scale"] == "risk-difference"].pivot(
        index="panel", columns="other", values="covariance"
    )
    assert np.allclose(wide, wide.T)
    off = wide.to_numpy()[~np.eye(4, dtype=bool)]
    assert np.abs(off).min() > 0
    table = heterogeneity(panels, covariance)
    assert list(table.columns) == HETEROGENEITY
    expected = random_effects(panels.loc[panels["scale"] == "risk-difference", "estimate"], wide)
    assert table.loc[0, "estimate"] == pytest.approx(expected.mean)
    ratios = panels[panels["scale"] == "risk-ratio"]
    logs = covariance[covariance["scale"] == "risk-ratio"].pivot(index="panel", columns="other", values="covariance")
    assert table.loc[1, "estimate"] == pytest.approx(np.exp(random_effects(np.log(ratios["estimate"]), logs).mean))
    assert table["low"].lt(table["estimate"]).all()


def test_a_trial_without_single_panels_has_no_heterogeneity() -> None:
    survey, protocol = load_survey("demo"), load_protocol("treatment-initiation")
    panels, covariance = panel_estimates(people(), pd.DataFrame(), protocol, survey)
    assert panels.empty
    assert heterogeneity(panels, covariance).empty
