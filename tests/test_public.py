"""The real survey files, by the real Snakefile: published figures, the followed, the answer.

Skipped, loudly, where BACKPAIN_MIRROR names no folder with the files.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from backpain.design import Estimate, Sampling, proportion
from backpain.sampling import by_replicates, sampled, weighed
from backpain.spec import Survey, load_survey
from workshop import bytes_of, copy, inside, launch, run

pytestmark = [pytest.mark.public, pytest.mark.slow, pytest.mark.workflow]


@pytest.fixture(scope="module")
def answered(project: Path, mirror: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy(project, tmp_path_factory.mktemp("public"))
    os.environ["BACKPAIN_MIRROR"] = os.pathsep.join(str(path) for path in mirror)
    run(folder, "--run", "public")
    return folder / "results" / "public"


@pytest.fixture(scope="module")
def people(answered: Path) -> pd.DataFrame:
    return pd.read_parquet(answered / "harmonised" / "meps.parquet")


@pytest.fixture(scope="module")
def estimates(answered: Path) -> pd.DataFrame:
    return pd.read_csv(answered / "estimates.csv", keep_default_na=False, na_values=[""])


def test_every_published_figure_is_met(answered: Path) -> None:
    figures = pd.read_csv(answered / "published.csv", keep_default_na=False, na_values=[""])
    assert set(figures["status"]) <= {"reproduced", "differs-explained", "not-computable"}
    explained = figures[figures["status"] == "differs-explained"]
    assert explained["computed"].tolist() == [699]
    found = figures.set_index("quantity")["computed"]
    assert found["PHQ-9 of 10 or more"] == 523
    assert found["PHQ-9 of 15 or more"] == 198
    assert round(found["Chronic low back pain, ages 20-69 (%, interview weight)"], 1) == 13.1
    assert {65845, 2625, 2058, 119, 6262, 358} <= set(found)


def test_the_match_finds_half_of_the_untreated_and_a_fifth_of_the_treated_without_a_record(
    people: pd.DataFrame,
) -> None:
    chosen = people.query(
        "order == 0 and depression == 'present' and spine_pain == 'absent' and age >= 18 and weight_person > 0"
    )
    later = people[people["order"] == 1].set_index("person")["seen_by"].reindex(chosen["person"]).to_numpy()
    without = chosen.assign(later=later)[later != "record"]
    found = (without["later"] == "match").groupby(without["depression_treatment"] != "none").mean()
    assert found.round(2).to_dict() == {False: 0.54, True: 0.20}


def test_the_design_of_the_pooled_panels_is_not_crossed_with_panel(answered: Path) -> None:
    pairs = pd.read_parquet(answered / "trials" / "treatment-landmark" / "meps.skeleton.parquet")
    shared = pairs[["stratum", "psu"]].drop_duplicates()
    assert len(shared) < len(pairs) / 2
    assert shared.groupby("stratum").size().max() == 3


def test_each_panel_represents_the_population(people: pd.DataFrame) -> None:
    first = people.query("order == 0")
    each = (first["weight_person"] * first["scale"]).groupby(first["panel"]).sum()
    assert each.between(2.2e8, 3.2e8).all()


def test_the_crude_answer_is_the_one_counted_by_hand(estimates: pd.DataFrame) -> None:
    crude = estimates.query("variation == 'unadjusted' and scale == 'risk-difference'").iloc[0]
    # From the two files, without this package: 316 events among the treated, 112 among the untreated; SE about 0.8.
    assert (crude["people"], crude["events"]) == (8092, 428)
    assert crude["estimate"] == pytest.approx(0.056264 - 0.058632, abs=1e-6)
    assert crude["se"] == pytest.approx(0.008, abs=0.0005)


def test_the_adjusted_answer_passes_its_diagnostics_and_includes_no_difference(estimates: pd.DataFrame) -> None:
    main = estimates.query("variation == 'main' and scale == 'risk-difference' and estimator == 'weighting'").iloc[0]
    assert main["gate"] == "passed"
    assert main["low"] < 0 < main["high"]


def test_the_adjusted_answer_is_the_one_that_r_finds(estimates: pd.DataFrame) -> None:
    # Rebuilt from the raw files in R: eligibility, links, weights, both models, and their influence through svytotal.
    main = estimates[(estimates["variation"] == "main") & (estimates["survey"] == "meps")]
    row = main[(main["estimator"] == "weighting") & (main["scale"] == "risk-difference")].iloc[0]
    assert row["estimate"] == pytest.approx(-0.00277793647, rel=1e-6)
    assert row["se"] == pytest.approx(0.00809572, rel=1e-5)
    assert row["design_df"] == 197
    risks = main[(main["estimator"] == "weighting") & (main["scale"] == "risk")].set_index("arm")["estimate"]
    assert risks.to_dict() == pytest.approx({"treated": 0.05397151018, "untreated": 0.05674944665}, rel=1e-8)


def test_every_claim_has_its_verdict_and_those_that_data_cannot_carry_are_capped(answered: Path) -> None:
    claims = pd.read_csv(answered / "claims.csv", keep_default_na=False, na_values=[""]).set_index("claim")
    assert claims["verdict"].to_dict() == {
        "C1": "inconclusive", "C2": "inconclusive", "C3": "inconclusive", "C4": "inconclusive", "C5": "proxy only",
        "C6": "contradicted", "C7": "proxy only", "C8": "proxy only", "C9": "not testable",
    }  # fmt: skip
    assert claims["cap"].dropna().to_dict() == {
        "C1": "inconclusive", "C2": "inconclusive", "C5": "proxy only", "C7": "proxy only", "C8": "proxy only"
    }  # fmt: skip
    assert "inconclusive" in (answered / "headline.txt").read_text()


def test_cycles_of_the_four_year_weights_give_the_share_and_error_that_r_finds(answered: Path) -> None:
    # svymean of MPQ070 at ages 20 and over: WTINT4YR times 4 / 6 in 1999-2002, WTINT2YR times 2 / 6 in 2003-2004.
    found = back_pain_share(answered, "nhanes-1999-2004")
    assert found.estimate == pytest.approx(0.387159403461, rel=1e-10)
    assert found.se == pytest.approx(0.00569783505382, rel=1e-8)
    assert (found.df, found.people) == (44, 15322)


def test_the_agencys_jackknife_weights_give_the_error_that_r_finds(answered: Path) -> None:
    # svrepdesign(type = "JK1", scale = 51 / 52, mse = TRUE) of WTIREP01 to WTIREP52; linearised over the masked PSUs .00882.
    found = back_pain_share(answered, "nhanes-1999-2000", by_replicates)
    assert found.estimate == pytest.approx(0.381635217484, rel=1e-10)
    assert found.se == pytest.approx(0.0121471696691, rel=1e-8)
    assert found.df == 51


def back_pain_share(
    answered: Path, name: str, design: Callable[[pd.DataFrame, Survey], Sampling] = sampled
) -> Estimate:
    survey = load_survey(name)
    people = pd.read_parquet(answered / "harmonised" / f"{name}.parquet").query("weight_interview > 0")
    people = people.join(weighed(people, survey, "interview")).reset_index(drop=True)
    pain = people["low_back_pain_in_3_months"]
    return proportion(pain == "present", design(people, survey), pain.notna())


def test_a_run_without_a_trial_describes_its_groups_and_answers_no_claim(answered: Path) -> None:
    folder = answered.parent.parent
    (folder / "config" / "described.yaml").write_text(
        "title: Groups alone\nsummary: No trial\nseed: 1\nsmallest_cell: 5\n"
        "analyses: [{association: depression-and-back-pain, surveys: [nhanes-2009-2010]}]\n",
        encoding="utf-8",
    )
    run(folder, "--run", "described")
    alone = pd.read_csv(folder / "results" / "described" / "estimates.csv")
    together = pd.read_csv(answered / "estimates.csv").query("analysis == 'depression-and-back-pain'")
    assert alone["estimate"].tolist() == pytest.approx(together["estimate"].tolist())
    assert "No claim is tested" in (folder / "results" / "described" / "headline.txt").read_text(encoding="utf-8")


def test_editing_one_survey_reruns_that_survey_and_what_combines_surveys(answered: Path) -> None:
    folder = answered.parent.parent
    path = folder / "config" / "surveys" / "nhanes-2009-2010.yaml"
    declared = path.read_text()
    path.write_text(declared.replace("{ARQ022AD: 1}, missing_when", "{ARQ022AD: [1]}, missing_when"))
    said = run(folder, "--run", "public", "--", "--dry-run", "--quiet", "host")
    path.write_text(declared)
    jobs = re.findall(r"^(?:rule|localrule) (\w+):", said, re.M)
    # The survey itself, and the pool that it is part of.
    assert set(re.findall(r"survey=([\w-]+)", said)) == {"nhanes-2009-2010", "nhanes-2005-2018"}
    assert "associate" in jobs
    assert not {"acquire", "emulate", "diagnose", "estimate"} & set(jobs)
    assert {"combine", "report"} <= set(jobs)


def test_a_run_killed_in_the_rules_that_only_real_surveys_have_finishes_with_the_same_bytes(
    answered: Path, project: Path, tmp_path: Path
) -> None:
    folder = copy(project, tmp_path)
    killed = set()
    for rule, whole_group in (("acquire", False), ("acquire", True), ("associate", False), ("associate", True)):
        process = launch(folder, "--run", "public")
        if inside(folder, rule, process):
            killed.add((rule, whole_group))
            os.killpg(process.pid, signal.SIGKILL) if whole_group else os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=300)
    assert len(killed) == 4
    run(folder, "--run", "public")
    expected, found = bytes_of(answered.parent.parent, "public"), bytes_of(folder, "public")
    assert not {name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)}
