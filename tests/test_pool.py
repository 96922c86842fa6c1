"""Rubin's rules against R's `mice`, `mitools` and `mitml`, by hand, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from backpain.impute import barnard_rubin, imputations_needed, pool, pool_wald

ORACLE = Path(__file__).parent / "oracle" / "impute"
DEGREES = {"df16": 16, "df308": 308, "infinite": np.inf}


@pytest.fixture(scope="module")
def numbers() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ORACLE / "impute.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def fits() -> tuple[np.ndarray, np.ndarray]:
    """Estimates (8, 3) and covariances (8, 3, 3)."""
    read = pd.read_csv(ORACLE / "fits.csv").to_numpy()
    return read[:, :3], read[:, 3:].reshape(-1, 3, 3)


@pytest.mark.parametrize("degrees", DEGREES)
def test_every_part_of_rubins_rules_is_that_of_mice(
    fits: tuple[np.ndarray, np.ndarray], numbers: dict[str, Any], degrees: str
) -> None:
    pooled = pool(*fits, df_complete=DEGREES[degrees])
    for place, name in enumerate(("b1", "b2", "b3")):
        expected = numbers["pool"][degrees][name]
        assert pooled.pooled[place] == pytest.approx(expected["qbar"], rel=1e-12)
        assert pooled.within[place, place] == pytest.approx(expected["ubar"], rel=1e-12)
        assert pooled.between[place, place] == pytest.approx(expected["b"], rel=1e-10)
        assert pooled.total[place, place] == pytest.approx(expected["t"], rel=1e-12)
        assert pooled.df[place] == pytest.approx(expected["df"], rel=1e-10)
        assert pooled.increase[place] == pytest.approx(expected["r"], rel=1e-10)
        assert pooled.missing_information[place] == pytest.approx(expected["fmi"], rel=1e-10)


@pytest.mark.parametrize("degrees", ["df16", "infinite"])
def test_the_whole_covariance_is_that_of_mitools(
    fits: tuple[np.ndarray, np.ndarray], numbers: dict[str, Any], degrees: str
) -> None:
    pooled, expected = pool(*fits, df_complete=DEGREES[degrees]), numbers["mitools"][degrees]
    assert np.allclose(pooled.estimate, expected["estimate"], rtol=1e-12)
    assert np.allclose(pooled.total, expected["variance"], rtol=1e-10)


def test_mitools_degrees_of_freedom_differ_by_one_plus_one_in_m(
    fits: tuple[np.ndarray, np.ndarray], numbers: dict[str, Any]
) -> None:
    # It takes the share of variance that is not missing as W / (W + B), where Barnard and Rubin, and mice, have
    # W / (W + (1 + 1/m) B).
    pooled = pool(*fits, df_complete=16)
    within, between = np.diag(pooled.within), np.diag(pooled.between)
    rubin = barnard_rubin(pooled.increase, 8, np.inf)
    theirs = 1 / (1 / rubin + 1 / (17 / 19 * 16 * within / (within + between)))
    assert np.allclose(theirs, numbers["mitools"]["df16"]["df"], rtol=1e-10)
    assert np.allclose(rubin, numbers["mitools"]["infinite"]["df"], rtol=1e-10)
    assert (pooled.df < theirs).all()


def test_proportions_are_pooled_on_the_logit_and_come_back(numbers: dict[str, Any]) -> None:
    expected = numbers["logit"]
    pooled = pool(expected["proportions"], se=expected["se"], df_complete=16, scale="logit")
    assert pooled.estimate[0] == pytest.approx(expected["estimate"], rel=1e-10)
    assert pooled.low[0] == pytest.approx(expected["low"], rel=1e-8)
    assert pooled.high[0] == pytest.approx(expected["high"], rel=1e-8)


def test_ratios_are_pooled_on_the_log() -> None:
    ratio, se = np.array([1.1, 1.3, 1.2]), np.array([0.11, 0.13, 0.12])
    pooled = pool(ratio, se=se, df_complete=50, scale="log")
    by_hand = pool(np.log(ratio), se=se / ratio, df_complete=50)
    assert pooled.estimate[0] == pytest.approx(np.exp(np.log(ratio).mean()))
    assert (pooled.low[0], pooled.high[0]) == pytest.approx((np.exp(by_hand.low[0]), np.exp(by_hand.high[0])))


def test_the_rules_by_hand() -> None:
    pooled = pool([1.0, 2.0, 3.0], se=[0.5, 0.5, 0.5], df_complete=20, names=["effect"])
    within, between = 0.25, 1.0
    total = within + between * 4 / 3
    share = (between * 4 / 3) / total
    rubin, observed = 2 / share**2, 21 / 23 * 20 * (1 - share)
    df = rubin * observed / (rubin + observed)
    row = pooled.frame().iloc[0]
    assert row["se"] == pytest.approx(np.sqrt(total))
    assert row["df"] == pytest.approx(df)
    assert row["monte_carlo"] == pytest.approx(np.sqrt(1 / 3))
    assert row["high"] == pytest.approx(2 + stats.t.ppf(0.975, df) * np.sqrt(total))
    assert row["p"] == pytest.approx(2 * stats.t.sf(2 / np.sqrt(total), df))
    assert (row["term"], row["m"], row["scale"]) == ("effect", 3, "identity")


def test_imputations_that_agree_leave_nearly_the_design_s_degrees_and_never_more() -> None:
    same = pool([1.0, 1.0], se=[0.1, 0.1], df_complete=16)
    assert same.df[0] == pytest.approx(17 / 19 * 16)
    assert same.se[0] == pytest.approx(0.1)
    assert (same.increase[0], same.monte_carlo[0]) == (0.0, 0.0)
    increases = np.geomspace(1e-6, 100, 50)
    for m in (2, 5, 100):
        df = barnard_rubin(increases, m, 16)
        assert (df < 16).all()
        assert (np.diff(df) < 0).all()


@pytest.mark.parametrize(
    ("name", "kept", "df"),
    [
        ("all_infinite", [0, 1, 2], np.inf),
        ("all_308", [0, 1, 2], 308),
        ("all_31", [0, 1, 2], 31),
        ("pair_308", [1, 2], 308),
        ("one_infinite", [0], np.inf),
    ],
)
def test_several_coefficients_are_tested_as_in_mitml(
    fits: tuple[np.ndarray, np.ndarray], numbers: dict[str, Any], name: str, kept: list[int], df: float
) -> None:
    estimates, covariances = fits
    tested, expected = pool_wald(estimates[:, kept], covariances[:, kept][:, :, kept], df), numbers["d1"][name]
    assert tested.statistic == pytest.approx(expected["F"], rel=1e-10)
    assert tested.df == len(kept)
    assert tested.df_denominator == pytest.approx(expected["df"], rel=1e-10)
    assert tested.increase == pytest.approx(expected["r"], rel=1e-10)
    assert tested.p == pytest.approx(expected["p"], rel=1e-8)


def test_a_test_against_another_null_moves_the_estimates(fits: tuple[np.ndarray, np.ndarray]) -> None:
    estimates, covariances = fits
    null = np.array([0.4, -0.2, 0.9])
    moved = pool_wald(estimates - null, covariances, 308)
    assert pool_wald(estimates, covariances, 308, null).statistic == pytest.approx(moved.statistic, rel=1e-12)


def test_few_degrees_of_freedom_fall_back_on_a_rule_that_is_told(fits: tuple[np.ndarray, np.ndarray]) -> None:
    estimates, covariances = fits
    few = pool_wald(estimates, covariances, 5)
    assert few.df_rule == "Barnard-Rubin"
    assert 0 < few.df_denominator < 5
    assert pool_wald(estimates, covariances, 308).df_rule == "Reiter"
    pair = pool_wald(estimates[:2, :2], covariances[:2, :2, :2], 308)
    assert pair.df_rule == "Barnard-Rubin"
    assert pool_wald(estimates[:2, :2], covariances[:2, :2, :2]).df_rule == "Li-Raghunathan-Rubin"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"estimates": [1.0], "se": [1.0]}, "1 imputation; .* takes two"),
        ({"estimates": [1.0, np.nan, 2.0], "se": [1.0, 1.0, 1.0]}, r"an estimate of imputations \[2\] is not finite"),
        ({"estimates": [1.0, 3.0, 2.0], "se": [1.0, 1.0, np.inf]}, r"a variance of imputations \[3\] is not finite"),
        ({"estimates": [1.0, 2.0], "se": [0.0, 1.0]}, "variance is zero"),
        ({"estimates": [1.0, 2.0], "se": [-1.0, 1.0]}, "standard error is below zero"),
        ({"estimates": [1.0, 2.0]}, "either the covariances or the standard errors"),
        ({"estimates": [1.0, 2.0], "se": [1.0, 1.0, 1.0]}, "variances of shape"),
        ({"estimates": [1.0, 2.0], "se": [1.0, 1.0], "df_complete": 0}, "df_complete is 0"),
        ({"estimates": [0.5, 1.0], "se": [0.1, 0.1], "scale": "logit"}, "outside 0 to 1"),
        ({"estimates": [0.5, 1.0], "se": [0.1, 0.1], "scale": "probit"}, "scale 'probit' is not known"),
        ({"estimates": [0.5, 1.0], "se": [0.1, 0.1], "names": ["a", "b"]}, "2 names for 1 estimates"),
    ],
)
def test_what_cannot_be_pooled_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        pool(**arguments)


def test_tests_that_cannot_be_made_are_refused(fits: tuple[np.ndarray, np.ndarray]) -> None:
    estimates, covariances = fits
    with pytest.raises(ValueError, match="null has shape"):
        pool_wald(estimates, covariances, null=[0.0, 0.0])
    flat = np.ones((8, 3, 3))
    with pytest.raises(ValueError, match="singular"):
        pool_wald(estimates, flat)


def test_the_imputations_needed_grow_with_the_square_of_what_is_missing() -> None:
    assert imputations_needed([0.1, 0.5]) == 51
    assert imputations_needed(0.25, spread=0.05) == 14
    assert imputations_needed(0.0) == 2
    with pytest.raises(ValueError, match="from 0 to 1"):
        imputations_needed([0.2, 1.2])
    with pytest.raises(ValueError, match="spread is 0"):
        imputations_needed(0.2, 0)
