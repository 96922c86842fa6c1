"""Stages, replicate weights, quantiles, many domains and Rao-Scott against R's `survey` (tests/oracle/designs.R)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backpain.design import (
    KINDS,
    Design,
    Drawn,
    Replicated,
    distribution,
    given,
    mean,
    means,
    proportion,
    proportions,
    quantiles,
    rao_scott,
    ratio,
    replicated,
    standardised,
    total,
)

ORACLE = Path(__file__).parent / "oracle"
ESTIMATE, ERROR = 1e-8, 1e-6


@pytest.fixture(scope="module")
def numbers() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ORACLE / "designs.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def pairs() -> pd.DataFrame:
    return pd.read_csv(ORACLE / "pairs.csv")


@pytest.fixture(scope="module")
def pupils() -> pd.DataFrame:
    return pd.read_csv(ORACLE / "stages.csv")


def replicates_of(pairs: pd.DataFrame, kind: str) -> Replicated:
    """The replicates that R used: its Hadamard matrix, its bootstrap factors."""
    design = Design.of(pairs)
    if kind == "jk1":
        one = Design.of(pairs.assign(unit=pairs["stratum"] * 10 + pairs["psu"]), stratum=None, cluster="unit")
        return replicated(one, "jk1")
    if kind == "bootstrap":
        factor = pd.read_csv(ORACLE / "factors.csv", header=None).to_numpy(dtype=float)
        columns = {f"w{place}": pairs["weight"] * factor[design.psu, place] for place in range(factor.shape[1])}
        return given(pairs.assign(**columns), list(columns), scale=1 / (factor.shape[1] - 1))
    matrix = pd.read_csv(ORACLE / "hadamard.csv", header=None).to_numpy(dtype=float)
    return replicated(design, kind, rho=0.3, matrix=matrix if kind in ("brr", "fay") else None)


def same(found: Any, expected: dict[str, Any], name: str = "") -> None:
    assert found.estimate == pytest.approx(expected["estimate"], rel=ESTIMATE), name
    assert found.se == pytest.approx(expected["se"], rel=ERROR), name


@pytest.mark.parametrize("which", ["one", "three"])
def test_finite_populations_and_stages_agree_with_r(pupils: pd.DataFrame, numbers: dict[str, Any], which: str) -> None:
    further = [Drawn("room", population="rooms"), Drawn("pupil", population="pupils")] if which == "three" else []
    design = Design.of(pupils, cluster="school", population="schools", nested=False, further=further)
    expected = numbers[which]
    same(mean(pupils["score"], design), expected["mean"])
    same(total(pupils["score"], design), expected["total"])
    same(mean(pupils["score"], design, pupils["domain"] == 1), expected["domain"])
    assert design.degrees_of_freedom == expected["df"]


def test_a_stage_adds_nothing_after_draws_with_replacement(pupils: pd.DataFrame) -> None:
    simple = Design.of(pupils, cluster="school")
    staged = Design.of(pupils, cluster="school", further=[Drawn("room", population="rooms")])
    assert mean(pupils["score"], staged).se == pytest.approx(mean(pupils["score"], simple).se, rel=1e-12)
    # But it does after draws without, and the whole of stratum 4, drawn in full, speaks only by its later stages.
    whole = Design.of(pupils, cluster="school", population="schools")
    rooms = Design.of(pupils, cluster="school", population="schools", further=[Drawn("room", population="rooms")])
    fourth = pupils["stratum"] == 4
    assert mean(pupils["score"], whole, fourth).se == 0
    assert mean(pupils["score"], rooms, fourth).se > 0


@pytest.mark.parametrize("part", ["everyone", "domain"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_each_kind_of_replicates_agrees_with_r(
    pairs: pd.DataFrame, numbers: dict[str, Any], kind: str, part: str
) -> None:
    design = replicates_of(pairs, kind)
    domain = pairs["domain"] == 1 if part == "domain" else None
    expected = numbers["replicates"][kind][part]
    same(mean(pairs["cost"], design, domain), expected["mean"])
    same(total(pairs["cost"], design, domain), expected["total"])
    same(ratio(pairs["cost"], pairs["age"], design, domain), expected["ratio"])
    event = proportion(pairs["event"], design, domain)
    same(event, expected["event"])
    assert event.df == expected["df"]
    statistic, ndf, ddf = expected["rao_scott"]
    tested = rao_scott(pairs["event"], pairs["region"], design, domain)
    assert tested.statistic == pytest.approx(statistic, rel=ERROR)
    assert tested.numerator_df == pytest.approx(ndf, rel=ERROR)
    assert tested.denominator_df == pytest.approx(ddf, rel=ERROR)


def test_deviations_from_the_estimate_instead_of_the_replicates_mean_agree_with_r(
    pairs: pd.DataFrame, numbers: dict[str, Any]
) -> None:
    design = replicated(Design.of(pairs), "jkn", centre="estimate")
    same(ratio(pairs["cost"], pairs["age"], design), numbers["mse"])


@pytest.mark.parametrize("lonely", ["adjust", "average", "remove"])
def test_the_jackknife_follows_each_lonely_policy_as_r_does(numbers: dict[str, Any], lonely: str) -> None:
    people = pd.read_csv(ORACLE / "people.csv")
    design = replicated(Design.of(people, lonely=lonely), "jkn")
    found = mean(people["cost"], design)
    same(found, numbers["lonely"][lonely])
    assert found.df == numbers["lonely"][lonely]["df"]


def test_the_jackknife_of_a_finite_population_agrees_with_r(pupils: pd.DataFrame, numbers: dict[str, Any]) -> None:
    design = Design.of(pupils, cluster="school", population="schools", nested=False)
    same(mean(pupils["score"], replicated(design, "jkn")), numbers["fpc"])


def test_the_bootstrap_comes_near_linearisation_and_back_again_with_its_seed(pairs: pd.DataFrame) -> None:
    design = Design.of(pairs)
    boot = replicated(design, "bootstrap", replicates=4000, seed=3)
    assert mean(pairs["cost"], boot).se == pytest.approx(mean(pairs["cost"], design).se, rel=0.05)
    again = replicated(design, "bootstrap", replicates=4000, seed=3)
    assert np.array_equal(boot.factor, again.factor)
    # With n - 1 draws of a stratum's n PSUs the factors of a stratum add up to n.
    in_stratum = np.add.reduceat(boot.factor, np.arange(0, len(boot.factor), 2))
    assert np.allclose(in_stratum, 2)


def test_the_bootstrap_of_a_finite_population_knows_that_part_of_it_was_seen(pupils: pd.DataFrame) -> None:
    design = Design.of(pupils, cluster="school", population="schools", nested=False)
    boot = replicated(design, "bootstrap", replicates=4000, seed=3)
    assert mean(pupils["score"], boot).se == pytest.approx(mean(pupils["score"], design).se, rel=0.1)


def test_half_samples_are_refused_where_a_stratum_has_other_than_two_psus(pairs: pd.DataFrame) -> None:
    three = pairs.assign(psu=np.where((pairs["stratum"] == 11) & (pairs["age"] > 50), 3, pairs["psu"]))
    for kind in ("brr", "fay"):
        with pytest.raises(ValueError, match=r"two PSUs in every stratum, and 1 strata have others \(11 has 3\)"):
            replicated(Design.of(three), kind)


@pytest.mark.parametrize(
    ("kind", "more", "words"),
    [
        ("bootstrap", {}, "needs `seed`"),
        ("fay", {"rho": 1.0}, "rho is 1"),
        ("jk1", {}, "jk1 is for one stratum and this design has 10"),
        ("brr", {"matrix": np.ones((12, 12))}, "Hadamard matrix .* at least 11"),
        ("brr", {"matrix": np.array([[1, 1], [1, -1]])}, "at least 11 rows"),
        ("wild", {}, "kind 'wild'"),
    ],
)
def test_replicates_that_cannot_be_made_are_refused(
    pairs: pd.DataFrame, kind: str, more: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        replicated(Design.of(pairs), kind, **more)


def test_a_lonely_psu_stops_the_bootstrap_unless_its_stratum_is_removed(pairs: pd.DataFrame) -> None:
    alone = pairs[~((pairs["stratum"] == 14) & (pairs["psu"] == 1))]
    with pytest.raises(ValueError, match=r"1 strata have a single PSU \(14\) and bootstrap cannot follow"):
        replicated(Design.of(alone), "bootstrap", seed=1)
    found = replicated(Design.of(alone, lonely="remove"), "bootstrap", seed=1)
    assert (found.factor[Design.of(alone).psu[alone["stratum"] == 14]] == 1).all()


def test_given_replicate_weights_that_say_nothing_are_refused(pairs: pd.DataFrame) -> None:
    flat = pairs.assign(w1=pairs["weight"], w2=pairs["weight"])
    with pytest.raises(ValueError, match="all replicates are the same"):
        given(flat, ["w1", "w2"], scale=0.5)
    with pytest.raises(ValueError, match="no weight column 'w3'"):
        given(flat, ["w1", "w3"], scale=0.5)
    with pytest.raises(ValueError, match="missing, infinite or negative in 1 places"):
        given(flat.assign(w2=[-1.0, *flat["weight"][1:]]), ["w1", "w2"], scale=0.5)
    with pytest.raises(ValueError, match="`scale` has to be positive"):
        given(flat.assign(w2=1.0), ["w1", "w2"], scale=-1)


def test_a_replicate_without_an_estimate_stops_instead_of_being_left_out(pairs: pd.DataFrame) -> None:
    design = replicated(Design.of(pairs), "brr")
    one_psu = (pairs["stratum"] == 11) & (pairs["psu"] == 1)
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match="6 of 12 replicates give no estimate"):
        mean(pairs["cost"], design, one_psu)


@pytest.mark.parametrize("rule", ["math", "school", "hf4", "hf5", "hf6", "hf7", "hf8", "hf9"])
def test_quantiles_by_each_rule_agree_with_r(pairs: pd.DataFrame, numbers: dict[str, Any], rule: str) -> None:
    probabilities = [0.1, 0.25, 0.5, 0.9]
    found = quantiles(pairs["amount"], Design.of(pairs), probabilities, rule=rule)
    for column, expected in numbers["quantiles"]["rules"][rule].items():
        assert found[column].to_numpy() == pytest.approx(np.array(expected), rel=ERROR), column


def test_quantiles_of_heaped_values_agree_with_r(pairs: pd.DataFrame, numbers: dict[str, Any]) -> None:
    for name, rule in (("tied", "math"), ("tied_school", "school")):
        found = quantiles(pairs["cost"], Design.of(pairs), [0.1, 0.25, 0.5, 0.9], rule=rule)
        for column, expected in numbers["quantiles"][name].items():
            assert found[column].to_numpy() == pytest.approx(np.array(expected), rel=ERROR), column


@pytest.mark.parametrize(
    ("name", "interval"), [("logit", "woodruff-logit"), ("beta", "woodruff-beta"), ("replicates", "replicates")]
)
def test_quantiles_with_each_interval_agree_with_r(
    pairs: pd.DataFrame, numbers: dict[str, Any], name: str, interval: str
) -> None:
    design = replicates_of(pairs, "brr") if name == "replicates" else Design.of(pairs)
    found = quantiles(pairs["cost"], design, [0.1, 0.25, 0.5, 0.9], interval=interval)
    for column, expected in numbers["quantiles"][name].items():
        assert found[column].to_numpy() == pytest.approx(np.array(expected), rel=ERROR), column


def test_quantiles_of_a_domain_and_of_replicates_agree_with_r(pairs: pd.DataFrame, numbers: dict[str, Any]) -> None:
    probabilities = [0.1, 0.25, 0.5, 0.9]
    inside = quantiles(pairs["amount"], Design.of(pairs), probabilities, pairs["domain"] == 1, rule="hf7")
    half = quantiles(pairs["cost"], replicates_of(pairs, "brr"), probabilities)
    for found, name in ((inside, "domain"), (half, "woodruff_brr")):
        for column, expected in numbers["quantiles"][name].items():
            assert found[column].to_numpy() == pytest.approx(np.array(expected), rel=ERROR), (name, column)


def test_quantiles_below_the_first_value_and_by_jackknife() -> None:
    few = pd.DataFrame({"stratum": 1, "psu": [1, 2, 3, 4], "weight": [4.0, 1.0, 1.0, 1.0], "x": [1.0, 2.0, 3.0, 4.0]})
    for rule in ("math", "school", "hf4", "hf6"):
        assert quantiles(few["x"], Design.of(few), [0.1], rule=rule)["estimate"].iloc[0] == 1.0
    with pytest.raises(ValueError, match="half-samples or a bootstrap"):
        quantiles(few["x"], replicated(Design.of(few), "jk1"), interval="replicates")
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantiles(few["x"], Design.of(few), [0.0])
    with pytest.raises(ValueError, match="rule 'median'"):
        quantiles(few["x"], Design.of(few), rule="median")


def test_all_domains_in_one_pass_agree_with_r_and_with_one_domain_at_a_time(
    pairs: pd.DataFrame, numbers: dict[str, Any]
) -> None:
    design = Design.of(pairs)
    found = proportions(pairs["event"], design, pairs["region"])
    assert found.names == ["north", "south", "west"]
    assert found.estimate == pytest.approx(np.array(numbers["region"]["estimate"]), rel=ESTIMATE)
    assert found.covariance == pytest.approx(np.array(numbers["region"]["covariance"]), rel=ERROR, abs=1e-12)
    same(found.difference("north", "west"), numbers["difference"])
    for lonely in ("remove", "adjust", "average"):
        alone = pairs[~((pairs["stratum"] == 14) & (pairs["psu"] == 1))]
        # One region has nobody in the lonely stratum.
        alone = alone[~((alone["stratum"] == 14) & (alone["region"] == "west"))]
        sample = Design.of(alone, lonely=lonely)
        together = proportions(alone["event"], sample, alone["region"])
        table = together.table("logit").set_index("domain")
        for region in together.names:
            single = proportion(alone["event"], sample, alone["region"] == region, "logit")
            assert table.loc[region, ["estimate", "se", "low", "high"]].to_list() == pytest.approx(
                [single.estimate, single.se, single.low, single.high], rel=1e-12
            )
            assert table.loc[region, ["df", "people"]].to_list() == [single.df, single.people]


def test_replicates_give_the_same_covariance_between_domains_as_one_domain_less_another(pairs: pd.DataFrame) -> None:
    for design in (Design.of(pairs), replicated(Design.of(pairs), "jkn")):
        found = means(pairs["cost"], design, pairs["region"])
        # The difference as a ratio of totals cannot be had; but as a contrast of replicate estimates it can.
        contrast = found.difference("north", "south")
        assert contrast.se < np.hypot(found.of("north").se, found.of("south").se) * 2
        assert contrast.se == pytest.approx(
            np.sqrt(found.covariance[0, 0] + found.covariance[1, 1] - 2 * found.covariance[0, 1])
        )
        assert contrast.df == design.degrees_of_freedom_in(pairs["region"] != "west")


def test_direct_standardisation_agrees_with_r(pairs: pd.DataFrame, numbers: dict[str, Any]) -> None:
    standard = {"20-39": 400, "40-59": 350, "60+": 250}
    domain = pairs["domain"] == 1
    found = standardised(pairs["event"], Design.of(pairs), pairs["ages"], standard, domain)
    same(found, numbers["standardised"])
    same(found, numbers["standardize"])
    with pytest.raises(ValueError, match="80\\+ has nobody of the domain"):
        standardised(pairs["event"], Design.of(pairs), pairs["ages"], {**standard, "80+": 1}, domain)
    with pytest.raises(ValueError, match="60\\+ has no share"):
        standardised(pairs["event"], Design.of(pairs), pairs["ages"], {"20-39": 1, "40-59": 1}, domain)


def test_design_effects_and_shares_of_a_category_agree_with_r(pairs: pd.DataFrame, numbers: dict[str, Any]) -> None:
    design, domain = Design.of(pairs), pairs["domain"] == 1
    for name, part in (("everyone", None), ("domain", domain)):
        effects = (
            mean(pairs["cost"], design, part).design_effect,
            proportion(pairs["event"], design, part).design_effect,
        )
        assert effects == pytest.approx(numbers["effects"][name], rel=ERROR)
    found = distribution(pairs["region"], design, domain)
    assert found.estimate == pytest.approx(np.array(numbers["shares"]["estimate"]), rel=ESTIMATE)
    assert found.se == pytest.approx(np.array(numbers["shares"]["se"]), rel=ERROR)
    assert found.estimate.sum() == pytest.approx(1)


@pytest.mark.parametrize("part", ["everyone", "domain"])
def test_rao_scott_agrees_with_r(pairs: pd.DataFrame, numbers: dict[str, Any], part: str) -> None:
    expected = numbers["rao_scott"][part]
    domain = pairs["domain"] == 1 if part == "domain" else None
    found = rao_scott(pairs["event"], pairs["region"], Design.of(pairs), domain)
    assert found.statistic == pytest.approx(expected["statistic"], rel=ERROR)
    assert (found.numerator_df, found.denominator_df) == (
        pytest.approx(expected["ndf"], rel=ERROR),
        pytest.approx(expected["ddf"], rel=ERROR),
    )
    assert found.p == pytest.approx(expected["p"], rel=ERROR)
    assert (found.pearson, found.pearson_df) == (
        pytest.approx(expected["first"], rel=ERROR),
        expected["first_df"],
    )
    assert found.first_order_p == pytest.approx(expected["first_p"], rel=ERROR)


def test_a_category_that_everyone_shares_is_no_test(pairs: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="everyone in the domain has 1"):
        rao_scott(pairs["event"], pairs["region"], Design.of(pairs), pairs["event"] == 1)


def test_a_psu_in_two_strata_is_refused_unless_numbers_start_anew(pairs: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="2 PSUs stand in several strata"):
        Design.of(pairs, nested=False)
    unique = pairs.assign(psu=pairs["stratum"] * 10 + pairs["psu"])
    assert mean(pairs["cost"], Design.of(unique, nested=False)) == mean(pairs["cost"], Design.of(pairs))


@pytest.mark.parametrize(
    ("schools", "words"),
    [(2.0, "schools says 2 units where 3 were drawn"), (np.nan, "schools is missing for"), (None, "differs within")],
)
def test_populations_that_cannot_be_are_refused(pupils: pd.DataFrame, schools: float | None, words: str) -> None:
    first = pupils["stratum"] == 1
    told = np.arange(len(pupils)) + 9.0 if schools is None else schools
    with pytest.raises(ValueError, match=words):
        Design.of(pupils.assign(schools=pupils["schools"].mask(first, told)), cluster="school", population="schools")


def test_a_group_of_nobody_and_a_missing_group_are_refused(pairs: pd.DataFrame) -> None:
    nobody = pairs.assign(weight=pairs["weight"].mask(pairs["region"] == "west", 0.0))
    with pytest.raises(ValueError, match=r"nobody in it has a weight above zero \(west\)"):
        proportions(nobody["event"], Design.of(nobody), nobody["region"])
    gap = pairs["region"].mask(pairs["age"] > 75)
    with pytest.raises(ValueError, match="region: missing for"):
        proportions(pairs["event"], Design.of(pairs), gap)
    assert proportions(pairs["event"], Design.of(pairs), gap, pairs["age"] <= 75).names == ["north", "south", "west"]


def test_a_sample_of_a_single_psu_is_refused_and_a_census_of_one_is_not() -> None:
    people = pd.DataFrame({"stratum": 1, "psu": 1, "weight": 1.0, "people": 1, "homes": 9, "home": [1, 1, 2, 2]})
    with pytest.raises(ValueError, match="the whole sample has a single PSU"):
        Design.of(people)
    whole = Design.of(people, population="people", further=(Drawn("home", population="homes"),))
    assert whole.degrees_of_freedom == 0
