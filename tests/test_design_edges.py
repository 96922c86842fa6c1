"""Codes of any width, designs of extremes, and bad input: the same number, or a clear refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backpain.design import (
    Design,
    distribution,
    given,
    korn_graubard,
    mean,
    means,
    proportions,
    quantiles,
    rao_scott,
    replicated,
    standardised,
)
from backpain.impute import pool, pool_wald
from backpain.regression import survey_regression


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    generator = np.random.default_rng(11)
    n = 480
    found = pd.DataFrame(
        {
            "stratum": np.repeat(np.arange(12), 40),
            "psu": np.tile(np.repeat([1, 2], 20), 12),
            "weight": generator.uniform(1, 4, n),
            "y": generator.normal(5, 1, n),
            "group": generator.integers(0, 3, n),
            "other": generator.integers(0, 4, n),
        }
    )
    return found.assign(event=(generator.random(n) < 0.3).astype(int), inside=generator.random(n) < 0.3)


@pytest.fixture(scope="module")
def design(people: pd.DataFrame) -> Design:
    return Design.of(people)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "uint32", "uint64", "int8", "int16"])
def test_the_width_of_group_codes_changes_nothing(people: pd.DataFrame, design: Design, kind: str) -> None:
    inside = people["inside"]
    narrow, wide = people["group"].astype(kind), people["group"].astype("int64")
    other = people["other"].astype(kind)
    for first, second in (
        (means(people["y"], design, narrow, inside), means(people["y"], design, wide, inside)),
        (distribution(narrow, design, inside), distribution(wide, design, inside)),
        (proportions(people["event"], design, narrow, inside), proportions(people["event"], design, wide, inside)),
    ):
        pd.testing.assert_frame_equal(first.table(), second.table())
        assert (first.people <= int(inside.sum())).all()
    assert rao_scott(narrow, other, design, inside) == rao_scott(wide, people["other"], design, inside)


def test_codes_that_span_their_whole_width_do_not_wrap(design: Design) -> None:
    codes = np.resize(np.array([-120, -3, 0, 90, 127], dtype=np.int8), 480)
    values = np.arange(480.0)
    narrow, wide = means(values, design, codes), means(values, design, codes.astype(int))
    assert narrow.names == wide.names == [-120, -3, 0, 90, 127]
    pd.testing.assert_frame_equal(narrow.table(), wide.table())
    many = np.resize(np.arange(13, dtype=np.int8), 480)
    assert rao_scott(many, codes, design) == rao_scott(many.astype(int), codes.astype(int), design)


def test_the_rank_of_replicate_weights_does_not_depend_on_their_size(people: pd.DataFrame) -> None:
    weight = people["weight"] * np.where(people["stratum"] < 6, 1.0, 3e3)
    frame = people.assign(weight=weight)
    made = replicated(Design.of(frame), kind="jkn")
    weights = np.concatenate([block for _, block in made.blocks()], axis=1)
    columns = [f"replicate {place}" for place in range(weights.shape[1])]
    told = given(pd.concat([frame, pd.DataFrame(weights, columns=columns)], axis=1), columns, 0.5)
    assert told.degrees_of_freedom == made.degrees_of_freedom == Design.of(frame).degrees_of_freedom == 12


def test_differences_of_domains_count_the_lonely_strata_of_both_together(people: pd.DataFrame) -> None:
    frame = people[(people["stratum"] > 0) | (people["psu"] == 1)].reset_index(drop=True)
    design = Design.of(frame, lonely="average")
    pair = frame["group"] < 2
    found = means(frame["y"], design, frame["group"], pair).difference(1, 0)
    model = survey_regression(
        frame.assign(one=(frame["group"] == 1).astype(float)), "y", ["one"], design, "linear", pair
    )
    row = model.table.iloc[1]
    assert found.estimate == pytest.approx(row["estimate"], rel=1e-10)
    assert found.se == pytest.approx(row["se"], rel=1e-10)
    # Each domain's own standard error is still by its own lonely strata.
    alone = mean(frame["y"], design, frame["group"] == 1)
    assert means(frame["y"], design, frame["group"], pair).of(1).se == pytest.approx(alone.se, rel=1e-12)


def test_people_without_weight_make_no_unit_of_a_domain_in_means_and_regressions_alike(people: pd.DataFrame) -> None:
    weightless = (people["stratum"] == 3) & (people["psu"] == 1)
    frame = people.assign(weight=people["weight"].mask(weightless, 0.0))
    design = Design.of(frame, lonely="average")
    model = survey_regression(frame, "y", [], design, "linear")
    assert model.table["se"].iloc[0] == pytest.approx(mean(frame["y"], design).se, rel=1e-10)


@pytest.mark.parametrize("offset", [0.0, 1e4, 1e6, 1e8])
def test_design_effects_do_not_depend_on_where_zero_lies(people: pd.DataFrame, design: Design, offset: float) -> None:
    values = np.round(people["y"], 2)
    here, there = mean(values, design).design_effect, mean(values + offset, design).design_effect
    assert there == pytest.approx(here, rel=1e-6)


@pytest.mark.parametrize("rule", ["hf4", "hf5", "hf6", "hf7", "hf8", "hf9"])
def test_quantiles_and_their_intervals_do_not_depend_on_the_weights_scale(people: pd.DataFrame, rule: str) -> None:
    told = [
        quantiles(people["y"], Design.of(people.assign(weight=size)), [0.25, 0.5, 0.75], rule=rule)
        for size in (1.0, 0.7, 1 / 3)
    ]
    for other in told[1:]:
        pd.testing.assert_frame_equal(told[0], other, rtol=1e-12)


def test_a_covariate_far_from_zero_costs_no_digits_of_its_error(people: pd.DataFrame, design: Design) -> None:
    near = people["y"] - 5
    for family, outcome in (("linear", "y"), ("logistic", "event")):
        frame = people.assign(near=near + people["other"], far=near + people["other"] + 5e4)
        one, other = (
            survey_regression(frame, outcome, [name], design, family).table.set_index("term")
            for name in ("near", "far")
        )
        assert other.loc["far", "se"] == pytest.approx(one.loc["near", "se"], rel=1e-7)


def test_shares_of_everybody_add_up_to_one_that_does_not_vary(people: pd.DataFrame, design: Design) -> None:
    for seed in range(40):
        groups = np.random.default_rng(seed).choice(list("abcd"), len(people))
        whole = distribution(groups, design).combined(dict.fromkeys("abcd", 1.0))
        assert whole.estimate == pytest.approx(1)
        assert whole.se < 1e-7


@pytest.mark.parametrize("level", [95, 0, 1, -0.5, float("nan")])
def test_a_level_that_is_no_probability_is_refused(people: pd.DataFrame, design: Design, level: float) -> None:
    with pytest.raises(ValueError, match=r"no probability between 0 and 1, such as 0\.95"):
        mean(people["y"], design, level=level)
    with pytest.raises(ValueError, match="no probability"):
        korn_graubard(0.3, 0.05, 100, 20, level=level)


def test_an_interval_of_an_unknown_share_is_unknown() -> None:
    assert np.isnan(korn_graubard(np.nan, 0.05, 100, 20)).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda p, d: standardised(p["y"], d, p["group"], {0: -1, 1: 1, 2: 2}), "shares of the standard population"),
        (lambda p, d: standardised(p["y"], d, p["group"], {0: 0, 1: 0, 2: 0}), "shares of the standard population"),
        (lambda p, d: standardised(p["y"], d, p["group"], {0: np.nan, 1: 1, 2: 2}), "shares of the standard population"),
        (lambda p, d: means(p["y"], d, p["group"]).difference(1, 1), "name two domains"),
        (lambda p, d: means(p["y"], d, p["group"]).combined({0: np.nan, 1: 1}), "finite numbers"),
        (lambda p, d: rao_scott(p["group"], p["other"], d, p["y"] > 1e9), "nobody is in it"),
        (lambda p, d: mean(p["y"] + 1j, d), "y: holds complex128, not numbers"),
        (lambda p, d: mean(p["y"].astype(str), d), "y: holds something that is no number"),
        (lambda p, d: mean(pd.to_datetime(p["y"], unit="D"), d), "y: holds datetime64"),
        (lambda p, d: Design.of(p.assign(weight=pd.Timestamp("2020-01-01"))), "people: weight: holds datetime64"),
        (lambda p, d: Design.of(p.assign(weight="much")), "people: weight: holds something that is no number"),
        (lambda p, d: Design.of(pd.concat([p, p[["weight"]]], axis=1)), "2 columns have this name"),
        (
            lambda p, d: survey_regression(p, "event", ["y"], Design.of(p.assign(weight=0.0))),
            "nobody in the domain has a weight above zero",
        ),
        (lambda p, d: given(p, ["y", "weight"], [np.nan, 1]), "positive and finite"),
        (lambda p, d: given(p, ["y", "weight"], 0.5, df=-3), "no positive whole number"),
        (lambda p, d: given(p, ["y", "weight"], 0.5, df=0), "no positive whole number"),
        (lambda p, d: pool_wald([[1, 2], [1, 3]], [[[1, 5], [5, 1]]] * 2), "variance below zero"),
        (lambda p, d: pool([[1, 2], [1, 3]], covariances=[[[1, 0.5], [-0.5, 1]]] * 2), "not symmetric"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_by_name(
    people: pd.DataFrame, design: Design, call: Callable[[pd.DataFrame, Design], Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        call(people, design)
