"""Verdicts by the declared rules, the claims table, and published studies beside our own estimates."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from backpain.spec import load_claims
from backpain.spec.analysis import Rule
from backpain.synthesise import CLAIMS, EVIDENCE, NOT_TESTED, claims, evidence, verdict, words

ROOT = Path(__file__).parents[1]
PUBLISHED = yaml.safe_load((ROOT / "config/evidence.yaml").read_text(encoding="utf-8"))["studies"]


def rule(**changes: Any) -> Rule:
    """Treatment lowers the risk; a hundredth matters."""
    declared = {
        "claim": "C1",
        "text": "Treatment reduces back pain.",
        "analysis": "landmark",
        "survey": "panel",
        "scale": "risk-difference",
        "estimator": "weighting",
        "direction": "below",
        "smallest_effect": 0.01,
    }
    return Rule(**{**declared, **changes})


def estimates(start: float, end: float, **changes: Any) -> pd.DataFrame:
    """The row the rule reads, among rows it must not read."""
    row = {
        "survey": "panel", "analysis": "landmark", "variation": "main", "estimand": "landmark",
        "outcome": "back_pain", "arm": "treated vs untreated", "scale": "risk-difference",
        "estimator": "weighting", "estimate": (start + end) / 2, "low": start, "high": end, "people": 900,
        "converged": True, "gate": "passed",
    }  # fmt: skip
    others = [
        {"variation": "unadjusted"},
        {"scale": "risk-ratio"},
        {"estimator": "logistic"},
        {"survey": "other"},
    ]
    far = {"estimate": 9.0, "low": 8.0, "high": 10.0}
    return pd.DataFrame([*({**row, **other, **far} for other in others), {**row, **changes}])


def said(low: float, high: float, **changes: Any) -> tuple[str, str]:
    found = verdict(estimates(low, high), rule(**changes))
    return found["verdict"], found["because"]["reason"]


@pytest.mark.parametrize(
    ("low", "high", "expected", "reason"),
    [
        (-0.03, -0.005, "supported", "claimed side"),
        (-0.008, -0.001, "supported", "claimed side, too small to matter"),
        (0.001, 0.03, "contradicted", "other side"),
        (0.001, 0.004, "contradicted", "other side"),
        (-0.009, 0.009, "contradicted", "too small to matter"),
        (-0.03, 0.02, "inconclusive", "benefit and harm"),
        (-0.03, 0.002, "inconclusive", "claimed side or nothing"),
        (-0.002, 0.03, "inconclusive", "other side or nothing"),
        # The ends themselves: no effect is on neither side; the smallest effect that matters does matter.
        (-0.03, 0.0, "inconclusive", "claimed side or nothing"),
        (0.0, 0.03, "inconclusive", "other side or nothing"),
        (-0.01, 0.005, "inconclusive", "claimed side or nothing"),
        (-0.005, 0.01, "inconclusive", "other side or nothing"),
        (-0.01, 0.01, "inconclusive", "benefit and harm"),
    ],
)
def test_the_verdict_follows_from_where_the_interval_lies(low: float, high: float, expected: str, reason: str) -> None:
    assert said(low, high) == (expected, reason)
    assert said(-high, -low, direction="above") == (expected, reason), "the mirror image of claim and interval"


@pytest.mark.parametrize(("low", "high"), [(-0.03, -0.005), (0.001, 0.03), (-0.009, 0.009), (-0.03, 0.02)])
def test_a_cap_holds_whatever_the_interval(low: float, high: float) -> None:
    capped = rule(cap="inconclusive", cap_because="Severity is not measured.")
    free, found = said(low, high)[0], verdict(estimates(low, high), capped)
    assert found["verdict"] == "inconclusive"
    assert found["because"]["verdict_without_cap"] == free
    assert words(found["because"]).endswith("the verdict is at most inconclusive, because Severity is not measured")


def test_simulated_people_have_no_cap() -> None:
    capped = rule(cap="inconclusive", cap_because="Severity is not measured.")
    found = verdict(estimates(-0.03, -0.005), capped, simulated=True)
    assert found["verdict"] == "supported"
    assert "Severity" not in words(found["because"])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"gate": "failed: largest_smd, least_overlap"}, "gate"),
        ({"gate": "description"}, "description"),
        ({"converged": False}, "not converged"),
        ({"low": np.nan}, "no interval"),
        ({"high": np.nan}, "no interval"),
    ],
)
def test_an_estimate_that_may_not_be_read_decides_nothing(changes: dict[str, Any], reason: str) -> None:
    found = verdict(estimates(-0.03, -0.005, **changes), rule())
    assert (found["verdict"], found["because"]["reason"]) == ("inconclusive", reason)


def test_a_failed_gate_is_told_by_its_checks() -> None:
    found = verdict(estimates(-0.03, -0.005, gate="failed: largest_smd, least_overlap"), rule())
    assert "failed: largest_smd, least_overlap" in words(found["because"])


def test_an_unknown_gate_is_refused() -> None:
    with pytest.raises(ValueError, match="gate 'ok' of landmark on panel"):
        verdict(estimates(-0.03, -0.005, gate="ok"), rule())


def test_the_facts_are_those_of_the_row_the_rule_names() -> None:
    because = verdict(estimates(-0.03, -0.005), rule(), detectable_difference=0.02)["because"]
    assert because["estimate"] == pytest.approx(-0.0175)
    assert (because["low"], because["high"]) == (-0.03, -0.005)
    assert (because["detectable_difference"], because["smallest_effect"], because["no_effect"]) == (
        0.02,
        0.01,
        0,
    )
    assert verdict(estimates(-0.03, -0.005), rule(survey="other"))["verdict"] == "contradicted"


def test_an_absent_or_repeated_row_is_refused() -> None:
    rows = estimates(-0.03, -0.005)
    with pytest.raises(ValueError, match=r"C1 reads one row.*'standardisation'.*there are 0"):
        verdict(rows, rule(estimator="standardisation"))
    with pytest.raises(ValueError, match="there are 2"):
        verdict(pd.concat([rows, rows.tail(1)]), rule())


ends = st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1)).map(sorted)
steps = st.floats(0, 0.1)
ORDER = {"contradicted": 0, "inconclusive": 1, "supported": 2}


@given(ends, steps)
def test_moving_an_interval_to_the_claimed_side_never_takes_support_away(interval: list[float], step: float) -> None:
    low, high = interval
    before, after = said(low, high)[0], said(low - step, high - step)[0]
    assert before != "supported" or after == "supported"
    # An interval too wide to lie inside plus and minus the smallest effect can only rise.
    if high - low >= 0.02 + 1e-9:
        assert ORDER[after] >= ORDER[before]


@given(ends, st.floats(0, 1), st.floats(0, 1))
def test_a_narrower_interval_inside_never_turns_support_into_contradiction(
    interval: list[float], one: float, other: float
) -> None:
    low, high = interval
    start, end = sorted([min(low + one * (high - low), high), min(low + other * (high - low), high)])
    if said(low, high)[0] == "supported":
        assert said(start, end)[0] == "supported"
    if said(low, high)[1] == "other side":
        assert said(start, end)[0] == "contradicted"


@given(ends, st.floats(0.001, 0.05), st.floats(0, 0.05))
def test_a_larger_smallest_effect_never_takes_a_verdict_away(interval: list[float], least: float, more: float) -> None:
    before = said(*interval, smallest_effect=least)[0]
    assert before == "inconclusive" or said(*interval, smallest_effect=least + more)[0] == before


@given(ends)
def test_no_sentence_holds_a_number(interval: list[float]) -> None:
    sentence = words(verdict(estimates(*interval), rule(), detectable_difference=0.02)["because"])
    assert not re.search(r"\d", sentence)


def test_sentences_name_the_side() -> None:
    assert "below no difference, on the side" in words(verdict(estimates(-0.03, -0.02), rule())["because"])
    above = rule(direction="above")
    assert "above no difference, on the side" in words(verdict(estimates(0.02, 0.03), above)["because"])
    assert "below no difference, against" in words(verdict(estimates(-0.03, -0.02), above)["because"])


# The claims table


DETECTABLE = pd.DataFrame(
    {
        "survey": ["panel", "panel"],
        "analysis": "landmark",
        "variation": ["unadjusted", "main"],
        "detectable_difference": [0.5, 0.021],
    }
)


def test_the_claims_table_has_the_verdict_beside_its_numbers() -> None:
    table = claims(estimates(-0.03, -0.005), [rule()], DETECTABLE)
    assert table.columns.tolist() == CLAIMS
    assert len(table) == 1
    row = table.iloc[0]
    assert (row["claim"], row["survey"], row["analysis"], row["verdict"]) == (
        "C1",
        "panel",
        "landmark",
        "supported",
    )
    assert row["estimate"] == pytest.approx(-0.0175)
    assert (row["low"], row["high"]) == (-0.03, -0.005)
    assert row["detectable_difference"] == 0.021
    assert row["because"].startswith("the whole interval lies below")


def test_a_difference_that_was_not_computed_is_left_empty() -> None:
    table = claims(estimates(-0.03, -0.005), [rule()], DETECTABLE.head(0))
    assert table["detectable_difference"].isna().all()
    with pytest.raises(ValueError, match="2 rows for landmark on panel"):
        claims(estimates(-0.03, -0.005), [rule()], pd.concat([DETECTABLE, DETECTABLE]))


def test_a_claim_is_told_once_per_rule_in_the_run_and_otherwise_as_not_tested() -> None:
    rules = [
        rule(cap="inconclusive", cap_because="Why."),
        rule(analysis="initiation"),
        rule(claim="C2", analysis="initiation"),
        rule(claim="C2", analysis="elsewhere"),
    ]
    table = claims(estimates(-0.03, -0.005), rules, DETECTABLE)
    assert table[["claim", "analysis", "verdict"]].to_numpy().tolist() == [
        ["C1", "landmark", "inconclusive"],
        ["C2", "initiation", NOT_TESTED],
    ]
    assert table["estimate"].isna().tolist() == [False, True]


def test_simulated_runs_have_no_cap_in_the_table() -> None:
    rules = [rule(cap="inconclusive", cap_because="Why.")]
    assert claims(estimates(-0.03, -0.005), rules, DETECTABLE)["verdict"].tolist() == ["inconclusive"]
    assert claims(estimates(-0.03, -0.005), rules, DETECTABLE, simulated=True)["verdict"].tolist() == ["supported"]


# Evidence


def our_ratios(**changes: Any) -> pd.DataFrame:
    row = estimates(0.7, 1.3).tail(1).assign(scale="risk-ratio", estimate=0.95)
    return row.assign(**changes)


GROUPS = {"landmark": "depression treatment -> pain"}


def test_every_study_and_every_estimate_is_one_row_and_nothing_is_pooled() -> None:
    table = evidence(PUBLISHED, our_ratios(), GROUPS)
    assert table.columns.tolist() == EVIDENCE
    assert sorted(table["study"]) == sorted([*(study["study"] for study in PUBLISHED), "panel"])
    numbers = {study["study"]: study["estimate"] for study in PUBLISHED} | {"panel": 0.95}
    assert table.set_index("study")["estimate"].to_dict() == numbers


def test_studies_are_grouped_by_contrast_with_ours_last() -> None:
    table = evidence(PUBLISHED, our_ratios(), GROUPS)
    groups = table["group"].drop_duplicates().tolist()
    assert groups == ["depression -> back pain", "depression treatment -> pain", "load -> back pain"]
    assert (table["group"].shift() != table["group"]).sum() == len(groups), "each group stands in one piece"
    last = table[table["group"] == "depression treatment -> pain"].iloc[-1]
    assert (last["origin"], last["estimand"], last["measure"]) == ("ours", "landmark", "risk ratio")


def test_mean_differences_are_drawn_as_shares_of_their_scale() -> None:
    table = evidence(PUBLISHED).set_index("study")
    lin, ferreira = table.loc["Lin 2003 (IMPACT)"], table.loc["Ferreira 2021"]
    assert (lin["axis"], ferreira["axis"]) == ("share of scale", "share of scale")
    assert (lin["plotted"], lin["plotted_low"]) == (pytest.approx(-0.053), pytest.approx(-0.092))
    assert ferreira["plotted_high"] == pytest.approx(-0.033)
    higa = table.loc["Higa 2022"]
    assert (higa["axis"], higa["plotted"]) == ("ratio", 0.38)


def test_a_study_without_interval_keeps_its_estimate() -> None:
    row = evidence(PUBLISHED).set_index("study").loc["Williams 2022"]
    assert row["plotted"] == 1.41
    assert np.isnan(row["plotted_low"])


def test_ours_says_when_it_did_not_pass_its_diagnostics() -> None:
    assert evidence([], our_ratios(gate="failed: largest_smd"), GROUPS)["caution"].tolist() == ["failed: largest_smd"]
    assert evidence([], our_ratios(), GROUPS)["caution"].isna().all()


def test_two_answers_to_one_question_are_refused() -> None:
    both = pd.concat([our_ratios(), our_ratios(scale="odds-ratio")])
    with pytest.raises(ValueError, match="our own rows repeat a contrast"):
        evidence(PUBLISHED, both, GROUPS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"measure": "slope"}, "measure 'slope' is not known"),
        ({"group": None}, "no group"),
        ({"low": None}, "one end of the interval"),
        ({"low": 1.7}, "outside its interval"),
        ({"measure": "mean difference"}, "needs `scale`"),
    ],
)
def test_a_study_that_cannot_be_drawn_is_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"Pinheiro 2015: .*{message}"):
        evidence([{**PUBLISHED[0], **changes}])


def test_a_study_with_a_missing_key_is_refused() -> None:
    study = {name: value for name, value in PUBLISHED[0].items() if name not in ("caution", "people")}
    with pytest.raises(ValueError, match="Pinheiro 2015: people, caution is not given"):
        evidence([study])


def test_differences_and_analyses_without_a_group_have_no_place_beside_ratios() -> None:
    with pytest.raises(ValueError, match="scale 'risk-difference' has no place"):
        evidence([], our_ratios(scale="risk-difference"), GROUPS)
    with pytest.raises(ValueError, match="landmark belongs to no group"):
        evidence([], our_ratios())


@pytest.mark.parametrize(("file", "columns"), [("claims.csv", CLAIMS), ("evidence.csv", EVIDENCE)])
def test_the_dictionary_of_results_has_these_columns(file: str, columns: list[str]) -> None:
    text = (ROOT / "docs/results.md").read_text(encoding="utf-8")
    section = text.split(f"## {file}\n")[1].split("\n## ")[0]
    assert [name for name in re.findall(r"^\| (\w+) \|", section, flags=re.M) if name != "column"] == columns


def test_a_verdict_is_shown_beside_those_of_smaller_thresholds_and_other_estimators() -> None:
    from backpain.synthesise import thresholds

    rows = [("weighting", -0.018, 0.013), ("standardisation", -0.027, 0.005), ("doubly-robust", -0.009, 0.008)]
    estimates = pd.DataFrame(
        [
            {
                "survey": "meps", "analysis": "treatment-landmark", "variation": "main", "scale": "risk-difference",
                "arm": "treated vs untreated", "estimator": estimator, "estimate": (low + high) / 2, "low": low, "high": high,
                "gate": "passed", "converged": True,
            }
            for estimator, low, high in rows
        ]
    )  # fmt: skip
    rule = next(one for one in load_claims().claims if one.analysis == "treatment-landmark")
    told = thresholds(estimates, [rule]).set_index(["estimator", "smallest_effect"])["verdict_without_cap"]
    assert told.to_dict() == {
        ("weighting", 0.02): "contradicted",
        ("weighting", 0.01): "inconclusive",
        ("weighting", 0.005): "inconclusive",
        ("standardisation", 0.02): "inconclusive",
        ("standardisation", 0.01): "inconclusive",
        ("standardisation", 0.005): "inconclusive",
        ("doubly-robust", 0.02): "contradicted",
        ("doubly-robust", 0.01): "contradicted",
        ("doubly-robust", 0.005): "inconclusive",
    }
    assert thresholds(estimates, [rule])["declared"].sum() == 1
