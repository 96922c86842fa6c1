"""Cross-sectional evidence: averages by hand, fractions that add up, shapes that were planted, verdicts by their rules."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from pydantic import ValidationError

import mock_results
from backpain.audit import (
    BEFORE,
    CURVE,
    DIFFERENCE,
    FINDINGS,
    NEVER,
    ON,
    REVERSE,
    UNTREATED,
    WITH,
    WITHOUT,
    Ages,
    Amount,
    Exposure,
    Sides,
    backwards,
    dose_response,
    reverse_paths,
    roles,
    share,
    trend,
)
from backpain.audit.roles import cut_for, difference_of_marks, matched
from backpain.cohort import skeleton
from backpain.derive import DERIVATIONS
from backpain.design import Design, proportion, replicated
from backpain.facts import variables, verdicts
from backpain.figures import audits as figures
from backpain.figures.style import svg
from backpain.report import render
from backpain.spec import (
    DeclarationError,
    Figure,
    audit_variations,
    check_run,
    load_audit,
    load_claims,
    load_run,
    load_survey,
)
from backpain.spec.analysis import Rule
from backpain.synthesise import claims
from backpain.tables import views
from backpain.trials import AUDITS, DOSES, PATHS, audit_survey
from test_controls import changed
from test_report import TEMPLATES, words_of

NO_ESTIMATES = pd.DataFrame(columns=["survey", "analysis"])
NO_LIMITS = pd.DataFrame(columns=["survey", "analysis", "variation", "detectable_difference"])


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    """Pain that follows a score and, less, heavy work; and an amount with a U."""
    generator = np.random.default_rng(5)
    n = 6000
    stratum = np.repeat(np.arange(30), 200)
    age = generator.uniform(20, 69, n)
    score = generator.poisson(np.exp(0.9 + 0.01 * (age - 45)), n).astype(float)
    minutes = np.where(generator.random(n) < 0.25, generator.gamma(2, 300, n), 0.0)
    days = generator.integers(0, 8, n).astype(float)
    linear = -2.6 + 0.16 * score + 0.0005 * minutes + 0.01 * (age - 45)
    pain = (generator.random(n) < 1 / (1 + np.exp(-linear))).astype(float)
    bent = (generator.random(n) < 1 / (1 + np.exp(-(-2.2 + 0.12 * (days - 3.5) ** 2)))).astype(float)
    return pd.DataFrame(
        {
            "stratum": stratum, "psu": np.tile(np.repeat([1, 2], 100), 30), "weight": generator.uniform(1, 4, n), "age": age,
            "score": score, "minutes": minutes, "days": days, "pain": pain, "bent": bent,
            "depressed": (score >= 6).astype(float), "heavy": (minutes > 0).astype(float),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def sides(people: pd.DataFrame) -> Sides:
    first = Exposure("first exposure", "low mood", "score", "depressed")
    second = Exposure("second exposure", "heavy work", "minutes", "heavy")
    domain = (people["age"] < 65).to_numpy()
    return Sides(people, "pain", first, second, ["age"], Design.of(people), domain)


@pytest.fixture(scope="module")
def table(sides: Sides) -> pd.DataFrame:
    return pd.DataFrame(roles(sides), columns=FINDINGS)


def _one(table: pd.DataFrame, contrast: str, item: str, label: str) -> pd.Series:
    rows = table[(table["contrast"] == contrast) & (table["item"] == item) & (table["label"] == label)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_standardised_differences_and_fractions_are_those_worked_out_by_hand(sides: Sides, table: pd.DataFrame) -> None:
    frame = sides.people[sides.domain]
    weight = frame["weight"].to_numpy()
    x = np.column_stack([np.ones(len(frame)), frame[["depressed", "heavy", "age"]]])
    model = sm.GLM(frame["pain"], x, sm.families.Binomial(), freq_weights=weight).fit(tol=1e-14)

    def risk(**columns: float) -> float:
        changed_ = x.copy()
        for name, value in columns.items():
            changed_[:, 1 + ["depressed", "heavy"].index(name)] = value
        return float(weight @ model.predict(changed_) / weight.sum())

    mean, neither = risk(), risk(depressed=0, heavy=0)
    first, second = 1 - risk(depressed=0) / mean, 1 - risk(heavy=0) / mean
    joint = 1 - neither / mean
    found = {
        ("risk-difference", "low mood"): risk(depressed=1) - risk(depressed=0),
        ("risk-difference", "heavy work"): risk(heavy=1) - risk(heavy=0),
        ("fraction", "low mood"): first,
        ("fraction", "both"): joint,
        ("average-fraction", "low mood"): (first + joint - second) / 2,
        ("average-fraction", "heavy work"): (second + joint - first) / 2,
    }
    for (item, label), value in found.items():
        assert _one(table, "declared", item, label)["estimate"] == pytest.approx(value, rel=1e-8)
    assert _one(table, "declared", "odds-ratio", "low mood")["estimate"] == pytest.approx(
        np.exp(model.params.iloc[1]), rel=1e-7
    )


@pytest.mark.parametrize("contrast", ["declared", "equal prevalence"])
def test_average_fractions_add_up_to_the_joint_one_and_differences_to_their_parts(
    table: pd.DataFrame, contrast: str
) -> None:
    parts = [_one(table, contrast, "average-fraction", label)["estimate"] for label in ("low mood", "heavy work")]
    assert sum(parts) == pytest.approx(_one(table, contrast, "fraction", "both")["estimate"], rel=1e-12)
    for item in ("average-fraction", "risk-difference"):
        one, other = (_one(table, contrast, item, label)["estimate"] for label in ("low mood", "heavy work"))
        assert _one(table, contrast, item, DIFFERENCE)["estimate"] == pytest.approx(one - other, rel=1e-12)


ORACLE = Path(__file__).parent / "oracle" / "audit"


def test_roles_amounts_and_shares_are_those_that_r_finds() -> None:
    expected = json.loads((ORACLE / "audit.json").read_text(encoding="utf-8"))
    people = pd.read_csv(ORACLE / "people.csv")
    marks = {"low": (people["score"] >= 6).astype(float), "busy": (people["minutes"] > 0).astype(float)}
    people = people.assign(**marks, pain=people["pain"].astype(float))
    design, domain = Design.of(people), (people["inside"] == 1).to_numpy()
    first, second = Exposure("first", "first", "score", "low"), Exposure("second", "second", "minutes", "busy")
    told = pd.DataFrame(roles(Sides(people, "pain", first, second, ["age"], design, domain)))
    for item, label, name in (
        ("odds-ratio", "first", "odds_ratio"),
        ("risk-difference", "first", "first"),
        ("risk-difference", "second", "second"),
        ("risk-difference", DIFFERENCE, "difference"),
        ("fraction", "first", "fraction"),
        ("fraction", "both", "both"),
        ("average-fraction", "first", "average_first"),
        ("average-fraction", "second", "average_second"),
    ):
        row = _one(told, "declared", item, label)
        assert row["estimate"] == pytest.approx(expected[name][0], rel=1e-8), name
        assert row["se"] == pytest.approx(expected[name][1], rel=1e-6), name
        assert row["design_df"] == expected["df"]
    amount = Amount("minutes", "amount", [0, 600, 2400], 0, 1200)
    found = pd.DataFrame(dose_response(people, "pain", amount, ["age"], design, domain)[0])
    row = _one(found, "high against low", "risk-difference", "amount")
    assert (row["estimate"], row["se"]) == pytest.approx(expected["dose"], rel=1e-6)
    assert row["estimate"] == pytest.approx(expected["dose"][0], rel=1e-8)
    assert found.set_index("item").loc["not-straight", "p"] == pytest.approx(expected["straight"], rel=1e-6)
    share_ = share("pain", "Pain", (people["pain"] > 0).to_numpy(), domain & (marks["busy"] > 0).to_numpy(), design)
    assert (share_["estimate"], share_["se"]) == pytest.approx(expected["share"], rel=1e-10)


def test_errors_are_near_those_of_replicates_that_fit_the_model_again(sides: Sides) -> None:
    marks = matched(sides)
    found = difference_of_marks(sides, marks)
    assert not isinstance(found, str)
    jackknife = replicated(sides.design, kind="jkn")
    values = []
    for _, block in jackknife.blocks():
        for weight in block.T:
            other = Design.of(sides.people.assign(weight=weight))
            again = Sides(sides.people, "pain", sides.first, sides.second, ["age"], other, sides.domain)
            told = difference_of_marks(again, marks)
            assert not isinstance(told, str)
            values.append([told[0]])
    se = float(np.sqrt(jackknife.spread(np.array(values), np.array([found[0]]))[0, 0]))
    assert found[1] == pytest.approx(se, rel=0.02)


def test_equal_prevalence_is_as_equal_as_the_score_allows(sides: Sides) -> None:
    weight, frame = sides.design.weight[sides.domain], sides.people[sides.domain]
    heavy = float(weight @ frame["heavy"] / weight.sum())
    away = {cut: abs(float(weight @ (frame["score"] >= cut) / weight.sum()) - heavy) for cut in range(1, 15)}
    assert cut_for(sides, heavy) == min(away, key=lambda cut: away[cut])


def test_what_is_added_to_the_measure_adds_up(table: pd.DataFrame) -> None:
    def value(item: str, label: str) -> float:
        return float(_one(table, "dominance", item, label)["estimate"])

    alone = value("conditional-alone", "low mood") + value("conditional-beside", "heavy work")
    other = value("conditional-alone", "heavy work") + value("conditional-beside", "low mood")
    assert alone == pytest.approx(other, rel=1e-10)
    assert value("general", "low mood") + value("general", "heavy work") == pytest.approx(alone, rel=1e-10)
    assert value("general", DIFFERENCE) == pytest.approx(value("general", "low mood") - value("general", "heavy work"))
    assert _one(table, "dominance", "general", DIFFERENCE)["se"] > 0


def test_reverse_paths_of_no_size_change_nothing_and_larger_ones_take_more_away(
    sides: Sides, table: pd.DataFrame
) -> None:
    found = reverse_paths(sides, [0, 1], [1, 0.5], 4, 3)
    assert list(found.columns) == REVERSE
    told = found.set_index(["points", "odds_ratio"])
    row = _one(table, "equal prevalence", "risk-difference", DIFFERENCE)
    assert told.loc[(0, 1), "estimate"] == pytest.approx(row["estimate"], rel=1e-12)
    assert told.loc[(0, 1), "se"] == pytest.approx(row["se"], rel=1e-10)
    assert told.loc[(1, 0.5), "estimate"] < told.loc[(1, 1), "estimate"] < told.loc[(0, 1), "estimate"]
    assert told.loc[(0, 0.5), "estimate"] < told.loc[(0, 1), "estimate"]
    pd.testing.assert_frame_equal(found, reverse_paths(sides, [0, 1], [1, 0.5], 4, 3))


def test_marks_that_nobody_has_leave_a_reason(sides: Sides) -> None:
    nobody = Sides(
        sides.people.assign(heavy=0.0), "pain", sides.first, sides.second, ["age"], sides.design, sides.domain
    )  # fmt: skip
    rows = pd.DataFrame(roles(nobody))
    assert rows.loc[rows["contrast"] == "declared", "reason"].tolist() == [
        "nobody or everybody has the mark second exposure"
    ]


def test_a_curve_is_of_standardised_risks_and_begins_where_it_is_compared(people: pd.DataFrame) -> None:
    design, everyone = Design.of(people), np.ones(len(people), bool)
    amount = Amount("score", "low mood", 4, 2, 8)
    findings, curve = dose_response(people, "pain", amount, ["age", "minutes"], design, everyone)
    assert list(curve.columns) == CURVE
    told = {row["contrast"]: row for row in findings}
    at = curve.set_index("amount")
    assert at.loc[2, "difference"] == 0
    assert at.loc[8, "difference"] == pytest.approx(told["high against low"]["estimate"], rel=1e-12)
    assert at.loc[8, "risk"] == pytest.approx(told["at 8"]["estimate"])
    assert (curve["band_low"] <= curve["difference_low"]).all()
    # Straight on the log-odds, as it was planted, and the whole sample lies along it.
    straight = next(row for row in findings if row["item"] == "not-straight")
    assert straight["p"] > 0.01
    assert told["high against low"]["low"] > 0
    assert 0.9 < curve["people_share"].sum() <= 1


def test_a_u_is_found_where_it_was_planted_and_nowhere_else(people: pd.DataFrame) -> None:
    design, everyone = Design.of(people), np.ones(len(people), bool)
    amount = Amount("days", "days", [0, 3, 6], 0, 7, 3.5)
    bent, _ = dose_response(people, "bent", amount, ["age"], design, everyone)
    straight, _ = dose_response(people, "pain", amount, ["age"], design, everyone)
    tests = [{row["item"]: row["p"] for row in rows} for rows in (bent, straight)]
    assert tests[0]["u-shape"] < 1e-6
    assert tests[0]["not-straight"] < 1e-6
    assert tests[1]["u-shape"] > 0.05


def test_a_share_is_the_proportion_and_is_suppressed_by_the_standard(people: pd.DataFrame) -> None:
    design = Design.of(people)
    of, among = (people["pain"] > 0).to_numpy(), (people["heavy"] > 0).to_numpy()
    row = share("pain", "Pain", of, among, design)
    found = proportion(of.astype(float), design, among)
    assert (row["estimate"], row["low"], row["high"]) == (found.estimate, found.low, found.high)
    assert (row["people"], row["events"]) == (int(among.sum()), int((of & among).sum()))
    few = among & (np.arange(len(people)) % 300 == 0)
    assert share("pain", "Pain", of, few, design)["presentation"] == "suppress"
    assert share("pain", "Pain", of, among & ~among, design)["reason"] == "nobody is asked"
    year = np.where(people["psu"] == 1, 2005, 2007)
    rising = trend("pain", "Pain", of | ((year == 2007) & (people["age"] < 40)), among, year, design)
    assert rising["low"] > 1
    assert trend("pain", "Pain", of & ~of, among, year, design)["reason"].startswith("too little")


def test_marks_alone_have_no_contrasts_of_numbers(sides: Sides) -> None:
    bare = [Exposure(one.key, one.label, None, one.present) for one in sides.exposures]
    made = pd.DataFrame(roles(Sides(sides.people, "pain", *bare, ["age"], sides.design, sides.domain)))
    assert set(made["contrast"]) == {"declared", "dominance"}
    both = made[(made["item"] == "general") & (made["label"] != DIFFERENCE)]
    assert (both["estimate"] > 0).all()


def test_weekly_amounts_are_days_times_minutes_and_back() -> None:
    items = pd.DataFrame(
        {"any": [1, 2, 1, 9, 1], "days": [3, np.nan, 77, np.nan, 7], "minutes": [60, np.nan, 30, np.nan, 9999]}
    )
    minutes = DERIVATIONS["weekly_minutes"].compute(items)
    assert minutes.iloc[:2].tolist() == [180, 0]
    assert minutes.iloc[2:].isna().all()
    assert DERIVATIONS["weekly_days"].compute(items[["any", "days"]]).dropna().tolist() == [3, 0, 7]
    amounts = pd.Series([0.0, 1.0, 1440.0, 5000.0, np.nan])
    made = DERIVATIONS["weekly_minutes"].invert(amounts, ["any", "days", "minutes"], pd.DataFrame(index=amounts.index))
    pd.testing.assert_series_equal(DERIVATIONS["weekly_minutes"].compute(made), amounts, check_names=False)


def test_years_at_risk_end_with_onset_and_begin_at_the_first_age() -> None:
    # On it since 40; pain before the drug; never on it, with pain at 22; pain from before the first age; too young.
    ages = Ages.of([45, 50, 30, 60, 19], [np.nan, 35, 22, 15, np.nan], [5, 10, np.nan, np.nan, np.nan], 20)
    years = ages.years()
    told = years.groupby("person").agg(years=("event", "size"), events=("event", "sum"), on=("drug", "sum"))
    assert told.to_dict("index") == {
        0: {"years": 26, "events": 0, "on": 6},
        1: {"years": 16, "events": 1, "on": 0},
        2: {"years": 3, "events": 1, "on": 0},
    }
    assert years.loc[years["late"], "person"].unique().tolist() == [1]
    assert years.loc[years["event"] == 1, "year of age"].tolist() == [35, 22]


def test_immortal_time_makes_a_drug_that_does_nothing_look_like_protection() -> None:
    generator = np.random.default_rng(11)
    n = 6000
    age = generator.integers(25, 70, n).astype(float)
    onset = 20.0 + np.floor(generator.exponential(60, n))
    onset = np.where(onset <= age, onset, np.nan)
    years = np.where(generator.random(n) < 0.15, generator.uniform(0, 15, n), np.nan)
    people = pd.DataFrame(
        {
            "stratum": np.repeat(np.arange(30), 200),
            "psu": np.tile(np.repeat([1, 2], 100), 30),
            "weight": 1.0,
            "age": age,
        }
    )
    domain = age > 25
    rows = pd.DataFrame(backwards(people, Ages.of(age, onset, years, 20), [], Design.of, domain))
    ratios = rows[rows["item"] == "hazard-ratio"].set_index("contrast")
    assert ratios.loc[WITH, "high"] < 0.7
    for way in (WITHOUT, UNTREATED):
        assert ratios.loc[way, "low"] < 1 < ratios.loc[way, "high"]
    # By hand: rates of people with equal weights are onsets over years, and the bands hold every year.
    rate = rows[(rows["item"] == "rate") & (rows["contrast"] == UNTREATED)].set_index("label")
    whole = Ages.of(age, onset, years, 20).years()
    whole = whole[domain[whole["person"]]]
    for label, part in (("treated", whole[whole["drug"]]), ("untreated", whole[~whole["drug"]])):
        assert rate.loc[label, "estimate"] == pytest.approx(part["event"].mean(), rel=1e-12)
    bands = rows[rows["item"] == "person-years"]
    assert bands["estimate"].sum() == len(whole)
    assert set(bands["label"]) == {BEFORE, ON, NEVER}
    assert bands["events"].sum() == whole["event"].sum()
    assert "3 before" not in svg(figures.immortal(rows))
    assert "Hazard ratio" in svg(figures.immortal(rows))


def test_hazards_are_those_of_a_model_of_every_year() -> None:
    generator = np.random.default_rng(3)
    n = 800
    age = generator.integers(30, 60, n).astype(float)
    onset = np.where(generator.random(n) < 0.5, generator.integers(20, 30, n).astype(float), np.nan)
    years = np.where(generator.random(n) < 0.4, generator.uniform(0, 12, n), np.nan)
    people = pd.DataFrame({"stratum": 1, "psu": np.arange(n), "weight": generator.uniform(1, 3, n)})
    found = pd.DataFrame(backwards(people, Ages.of(age, onset, years, 20), [], Design.of, np.ones(n, bool)))
    told = found[(found["item"] == "hazard-ratio") & (found["contrast"] == UNTREATED)].iloc[0]
    frame = Ages.of(age, onset, years, 20).years()
    knots = np.quantile(frame["year of age"], [0.05, 0.35, 0.65, 0.95])
    x = frame["year of age"].to_numpy()
    top = (knots[-1] - knots[0]) ** 2
    cubes = [np.clip(x - knot, 0, None) ** 3 for knot in knots]
    last = knots[3] - knots[2]
    bends = [
        (cubes[k] - cubes[2] * (knots[3] - knots[k]) / last + cubes[3] * (knots[2] - knots[k]) / last) / top
        for k in (0, 1)
    ]
    columns = np.column_stack([np.ones(len(frame)), frame["drug"], x, *bends]).astype(float)
    family = sm.families.Binomial(sm.families.links.CLogLog())
    weight = people["weight"].to_numpy()[frame["person"]]
    model = sm.GLM(frame["event"], columns, family, freq_weights=weight).fit(tol=1e-13, maxiter=200)
    assert told["estimate"] == pytest.approx(np.exp(model.params.iloc[1]), rel=1e-9)


# --- declared ----------------------------------------------------------------------------------------------------------


def cohort() -> pd.DataFrame:
    """Harmonised people of a cross-section."""
    generator = np.random.default_rng(8)
    n = 1500
    return pd.DataFrame(
        {
            "person": np.arange(n).astype(str), "wave": "2009-2010", "order": 0, "seen_by": "record", "scale": 1.0,
            "stratum": np.repeat(np.arange(15), 100), "psu": np.tile(np.repeat([1, 2], 50), 15),
            "weight_interview": generator.uniform(1, 3, n), "weight_exam": generator.uniform(1, 3, n),
            "age": generator.integers(18, 80, n).astype(float), "sex": generator.choice(["male", "female"], n),
            "race_ethnicity": generator.choice(["white", "black"], n), "education": generator.choice(["high school", "more"], n),
            "poverty": generator.choice(["below 100", "400 and over"], n), "smoking": generator.choice(["never", "current"], n),
            "phq9": generator.integers(0, 20, n).astype(float), "phq_without_somatic": generator.integers(0, 12, n).astype(float),
            "vigorous_work": generator.choice(["present", "absent"], n, p=[0.3, 0.7]),
            "vigorous_work_minutes": generator.integers(0, 900, n).astype(float),
            "physical_occupation": generator.choice(["present", "absent"], n),
            "chronic_low_back_pain": generator.choice(["present", "absent", None], n, p=[0.2, 0.75, 0.05]),
            "axial_pain": generator.choice(["present", "absent"], n),
            "current_low_back_pain": generator.choice(["present", "absent"], n),
            "low_back_pain_of_6_weeks": generator.choice(["present", "absent"], n),
            "low_back_pain_of_3_months": generator.choice(["present", "absent"], n),
            "low_back_pain_onset": generator.choice(["hour", "day", "weeks", "months", "years"], n),
            "low_back_pain_pattern": generator.choice(["once", "within a month", "after a month", "always"], n),
            "low_back_pain_onset_age": generator.integers(10, 60, n).astype(float),
            "antidepressant_years": generator.choice(["none", "none", "none", "1", "5 to 9", "not known"], n),
        }
    )  # fmt: skip


def test_an_audit_carries_every_variation_within_its_domain() -> None:
    survey, audit, people = load_survey("nhanes-2009-2010"), load_audit("overexertion"), cohort()
    kind = audit.analysis.model_copy(
        update={"reverse": audit.analysis.reverse.model_copy(update={"draws": 2, "points": [0, 1]})}
    )
    findings, curves, paths = audit_survey(
        people, skeleton(people, survey), audit.model_copy(update={"analysis": kind}), survey
    )
    assert list(findings.columns) == AUDITS
    assert list(curves.columns) == DOSES
    assert list(paths.columns) == PATHS
    names = [name for name, _ in audit_variations(audit)]
    assert list(dict.fromkeys(findings["variation"])) == names
    assert set(paths["variation"]) == {"main"}
    count = findings[(findings["item"] == "people") & (findings["variation"] == "main")].iloc[0]
    inside = people["age"].between(20, 69) & people["chronic_low_back_pain"].notna()
    assert count["people"] == int(inside.sum())
    main = findings[findings["variation"] == "main"]
    assert "untreated" not in svg(figures.roles(main))
    assert "Points by which" in svg(figures.reverse(paths))
    told = str(views.audit(findings, 5, "found"))
    assert "Attributable fraction" in told
    beside = findings[findings["published"] != ""]
    assert beside[["variation", "item", "contrast", "published"]].to_numpy().tolist() == [
        ["main", "odds-ratio", "declared", "above 2"]
    ]
    # Nothing is planted among these people, so that what was published is not found.
    assert beside["agrees"].tolist() == ["no"]
    assert "ours differs" in told
    with pytest.raises(ValueError, match=r"audits/overexertion.yaml: main in nhanes-2009-2010: nobody in the domain"):
        audit_survey(people.assign(phq9=np.nan), skeleton(people, survey), audit, survey)


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("overexertion", lambda data: data["analysis"]["first"].update(number="phq8"), "no variable 'phq8'"),
        ("overexertion", lambda data: data["analysis"]["first"].update(number="sex"), "'sex' is a category"),
        ("sitting", lambda data: data["analysis"].update(low=700), "low, middle and high must be in this order"),
        ("sitting", lambda data: data["analysis"].update(amont=7), "amont"),
        ("heavy-work", lambda data: data.update(domain={"adults": {"age": {"minimum": 18}}}), "asked"),
        ("onset-and-course", lambda data: data["analysis"]["shares"]["gone for good"]["of"].update(back_pan=[1]), "back_pan"),
        (
            "carisoprodol",
            lambda data: data["analysis"]["shares"]["opioid among users"].update(trend=True),
            "one share at most is followed over the waves",
        ),
        ("ages-at-onset", lambda data: data["analysis"]["began"].update(weeks=0.1), "has no category 'weeks'"),
        ("ages-at-onset", lambda data: data["analysis"]["began"].update(none=0), "no category is null"),
        ("ages-at-onset", lambda data: data["analysis"].update(onset="sex"), "an age is a number"),
        ("overexertion-1999-2004", lambda data: data["analysis"].update(reverse={"points": [1], "odds_ratios": [1], "seed": 1}),
         "points are taken off a number"),
        (
            "onset-and-course",
            lambda data: data["analysis"]["shares"]["three months"].update(of={"later.axial_pain": ["present"]}),
            "sees nobody twice",
        ),
    ],
)  # fmt: skip
def test_declared_audits_are_checked(
    file: str, change: Callable[[Any], None], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(tmp_path, monkeypatch, f"audits/{file}.yaml", change)
    with pytest.raises(DeclarationError, match=words):
        check_run("public")


def test_a_trend_is_drawn_wave_by_wave_and_what_may_not_be_shown_is_not() -> None:
    row = dict.fromkeys(AUDITS) | {"item": "users", "label": "takes it", "scale": "share", "low": 0.1, "high": 0.3}
    waves = [
        row | {"contrast": wave, "estimate": 0.2, "presentation": rule}
        for wave, rule in (("2005-2006", "show"), ("2007-2008", "suppress"))
    ]
    drawn = svg(figures.trend(pd.DataFrame([row | {"contrast": ""}, *waves])))
    assert (drawn.count("20.0%"), drawn.count("not shown")) == (1, 1)
    assert "2005-2006" in drawn
    assert "Takes it" in drawn
    told = str(views.audit(pd.DataFrame(waves), 5, "found"))
    assert "2005-2006" in told


def test_a_published_figure_beside_nothing_is_refused() -> None:
    survey, audit, people = load_survey("nhanes-2009-2010"), load_audit("overexertion"), cohort()
    figure = audit.published[0].model_copy(update={"contrast": "per year"})
    plain = audit.model_copy(
        update={
            "published": [figure],
            "variations": {},
            "analysis": audit.analysis.model_copy(update={"reverse": None}),
        }
    )
    with pytest.raises(ValueError, match=r"nothing that was found is «odds-ratio, depression .PHQ-9., per year»"):
        audit_survey(people, skeleton(people, survey), plain, survey)
    for change, words in (({"below": 1}, "give one of"), ({"low": 1}, "an interval has")):
        with pytest.raises(ValidationError, match=words):
            Figure.model_validate(audit.published[0].model_dump() | change)


SHOWN = ("overexertion", "heavy-work", "ages-at-onset", "onset-and-course")


@pytest.fixture(scope="module")
def audited() -> dict[str, list[pd.DataFrame]]:
    """Findings, curves and reverse paths of the declared audits of each kind."""
    survey, people = load_survey("nhanes-2009-2010"), cohort()
    tables: dict[str, list[pd.DataFrame]] = {"audits": [], "doses": [], "reverse_paths": []}
    for name in SHOWN:
        audit = load_audit(name)
        if name == "overexertion":
            few = audit.analysis.reverse.model_copy(update={"draws": 2, "points": [0, 1], "odds_ratios": [1, 0.5]})
            audit = audit.model_copy(update={"analysis": audit.analysis.model_copy(update={"reverse": few})})
        found = audit_survey(people, skeleton(people, survey), audit, survey)
        for kind, frame in zip(tables, found, strict=True):
            tables[kind].append(frame)
    return tables


def test_the_report_shows_every_audit_and_leads_from_its_claim_to_it(audited: dict[str, list[pd.DataFrame]]) -> None:
    results, facts = mock_results.public_run()
    tables = {name: pd.concat(frames, ignore_index=True) for name, frames in audited.items()}
    survey = "nhanes-2009-2010"
    rules = [rule for rule in load_claims().claims if rule.item and rule.analysis in SHOWN]
    read = claims(NO_ESTIMATES, rules, NO_LIMITS, False, tables["audits"])
    facts = {
        **facts,
        "variables": variables(),
        "analyses": [*facts["analyses"], *({"audit": name, "surveys": [survey]} for name in SHOWN)],
        "audits": {name: load_audit(name).model_dump(mode="json", by_alias=True) for name in SHOWN},
        "verdicts": [facts["verdicts"][0], *verdicts(read, load_run("public"))],
    }
    results = {**results, **tables, "claims": read}
    drawn = {name: svg(figure) for name, figure in mock_results.draw_all(results, facts).items()}
    assert {name for name in drawn if survey in name} >= {
        f"{audit}.{survey}.{figure}"
        for audit, figure in (
            ("overexertion", "roles"), ("overexertion", "reverse"), ("heavy-work", "dose"),
            ("ages-at-onset", "immortal"), ("onset-and-course", "shares"),
        )
    }  # fmt: skip
    page = render(results, drawn, facts, TEMPLATES)
    told = words_of(page)
    for name in SHOWN:
        assert load_audit(name).title in told
        assert f'id="{name}-{survey}"' in page
    for name in ("overexertion", "heavy-work", "onset-and-course"):
        assert f'<a href="#{name}-{survey}">How this was found</a>' in page
    assert "It stands in no verdict." in told
    assert "ours differs" in told
    assert "None of it is an effect" in told


# --- verdicts ----------------------------------------------------------------------------------------------------------


def found_of(rule: Rule, estimate: float, low: float, high: float, presentation: str = "") -> pd.DataFrame:
    row = dict.fromkeys(AUDITS) | {
        name: getattr(rule, name) for name in ("survey", "analysis", "variation", "item", "label")
    }
    row |= {"contrast": rule.contrast, "scale": rule.scale, "estimate": estimate, "low": low, "high": high, "se": 0.01}
    return pd.DataFrame([row | {"design_df": 16.0, "presentation": presentation}])


def judged(rule: Rule, found: pd.DataFrame) -> pd.Series:
    return claims(NO_ESTIMATES, [rule], NO_LIMITS, False, found).iloc[0]


def rule_of(claim: str) -> Rule:
    return next(rule for rule in load_claims().claims if rule.claim == claim)


def test_every_claim_of_the_article_has_a_rule() -> None:
    assert {rule.claim for rule in load_claims().claims} == {f"C{number}" for number in range(1, 10)}


def test_a_rule_decides_the_verdict_and_nothing_else() -> None:
    rule = rule_of("C6")
    found = found_of(rule, 0.25, 0.23, 0.27)
    row = judged(rule, found)
    assert row["verdict"] == "contradicted"
    assert "below the mark" in row["because"]
    assert row["detectable_difference"] > 0
    other = judged(rule.model_copy(update={"nothing": 0.2}), found)
    assert other["verdict"] == "supported"
    same = [name for name in row.index if name not in ("verdict", "because", "reason", "verdict_without_cap")]
    pd.testing.assert_series_equal(row[same], other[same], check_names=False)
    assert judged(rule, found_of(rule, 0.5, 0.44, 0.56))["verdict"] == "inconclusive"


def test_a_cap_limits_whatever_the_interval_says() -> None:
    for claim, cap in (("C2", "inconclusive"), ("C5", "proxy only")):
        rule = rule_of(claim)
        row = judged(rule, found_of(rule, 0.2, 0.15, 0.25))
        assert (row["verdict"], row["verdict_without_cap"]) == (cap, "supported")
        assert rule.cap_because is not None
        assert rule.cap_because.split(",")[0].rstrip(".\n ") in row["because"]


def test_what_the_standard_suppresses_is_not_read() -> None:
    rule = rule_of("C6")
    row = judged(rule, found_of(rule, 0.9, 0.8, 0.95, "suppress"))
    assert row["verdict"] == "inconclusive"
    assert "presentation standard" in row["because"]


def test_what_cannot_be_tested_says_why() -> None:
    row = judged(rule_of("C9"), pd.DataFrame(columns=AUDITS))
    assert row["verdict"] == "not testable"
    assert "remedies" in row["because"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"not_testable": "because"}, "names no analysis"),
        ({"analysis": ""}, "not_testable"),
        ({"estimator": "weighting"}, "name the trial's `estimator`, or the audit's `item`"),
        ({"smallest_effect": 0}, "smallest difference that would matter"),
        ({"cap": "inconclusive", "cap_because": None}, "say what limits the verdict"),
    ],
)
def test_rules_that_cannot_be_followed_are_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Rule.model_validate(rule_of("C6").model_dump() | change)
