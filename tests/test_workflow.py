"""The real Snakefile from end to end on the simulated survey: what it makes, what it makes again, how it dies."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backpain.collect import WITHOUT_TRIALS
from backpain.simulate import encode, write_raw
from backpain.spec import load_survey, load_variables
from nobody import nobody_in_particular
from workshop import bytes_of, copy, environment, inside, launch, planned, run

RULES = (
    "simulate", "plant", "ingest", "harmonise", "emulate", "impute", "diagnose", "estimate", "combine", "draw", "walk_through",
    "report", "crate",
)  # fmt: skip
# A run without audits has their tables empty; they are no pieces of a trial.
AUDITED = {"audits", "doses", "reverse_paths"}


@pytest.fixture(scope="module")
def finished(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy(project, tmp_path_factory.mktemp("workflow"))
    run(folder, "--run", "demo")
    return folder


@pytest.fixture
def restored(finished: Path) -> Iterator[Path]:
    """The finished project, with its sources put back after the test."""
    kept = {
        path: path.read_bytes() for name in ("config", "src") for path in (finished / name).rglob("*") if path.is_file()
    }
    yield finished
    for path, content in kept.items():
        if path.read_bytes() != content:
            path.write_bytes(content)


pytestmark = [pytest.mark.workflow, pytest.mark.slow]


def test_the_embedded_default_goes_from_nothing_to_a_report(finished: Path) -> None:
    results = finished / "results" / "demo"
    page = (results / "report.html").read_text()
    assert "imulated" in page
    assert (results / "notebooks" / "walk-through.html").stat().st_size > 10_000
    for name in ("estimates", "published", "flow", "cleaning", "balance", "diagnostics", "claims", "truth"):
        assert (results / f"{name}.csv").is_file(), name
    record = json.loads((results / "run.json").read_text())
    assert record["run"] == "demo"
    assert record["seconds"] > 0


def test_the_planted_effect_is_inside_the_interval_of_every_estimator(finished: Path) -> None:
    # The seed is declared and fixed; `make study` shows how often intervals hold the truth.
    results = finished / "results" / "demo"
    truth = pd.read_csv(results / "truth.csv").query("scale == 'risk-difference'")["truth"].iloc[0]
    found = pd.read_csv(results / "estimates.csv").query(
        "variation == 'main' and scale == 'risk-difference' and analysis == 'treatment-initiation'"
    )
    assert set(found["estimator"]) >= {"weighting", "standardisation"}
    assert ((found["low"] < truth) & (truth < found["high"])).all()
    assert (found["high"] < 0).all()


def test_the_closing_screen_tells_the_answer_and_where_the_report_is(finished: Path) -> None:
    said = run(finished, "--headline", "demo")
    assert "report.html" in said
    assert "imulated" in said


def test_every_column_of_every_result_is_in_the_dictionary(finished: Path) -> None:
    words = (finished / "docs" / "results.md").read_text()
    sections = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", words, re.M | re.S))
    hidden = words[words.index("## Small cells") :]
    tables = sorted((finished / "results" / "demo").glob("*.csv"))
    assert len(tables) > 10
    for path in tables:
        for column in pd.read_csv(path, nrows=0):
            told = hidden if column == "suppressed" or column.endswith("_hidden") else sections[path.name]
            assert re.search(rf"[|,] {column}\b", told), f"{path.name}: {column}"
    for key in json.loads((finished / "results" / "demo" / "run.json").read_text()):
        assert re.search(rf"\b{key}\b", sections["run.json"]), key


def test_the_empty_tables_of_a_run_without_trials_have_the_columns_of_one_with_them(finished: Path) -> None:
    for kind, columns in WITHOUT_TRIALS.items():
        if kind in AUDITED:
            # Columns that tell which counts are hidden come after its own.
            found = pd.read_csv(finished / "results" / "demo" / f"{kind}.csv", nrows=0).columns.tolist()
            assert found[: len(columns)] == list(columns), kind
            continue
        piece = finished / "results" / "demo" / "trials" / "treatment-initiation" / f"demo.{kind}.csv"
        assert pd.read_csv(piece, nrows=0).columns.tolist() == list(columns), kind


def test_a_second_run_has_nothing_to_do(finished: Path) -> None:
    before = bytes_of(finished)
    assert planned(finished) == set()
    assert "Nothing to be done" in run(finished, "--run", "demo")
    assert bytes_of(finished) == before


def verified(folder: Path, *words: str) -> tuple[int, str]:
    """What `make verify` says of the demo, and its code."""
    command = [sys.executable, "-m", "backpain.verify", "demo", *words]
    done = subprocess.run(command, cwd=folder, env=environment(folder), text=True, capture_output=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_an_untouched_run_is_what_its_crate_tells_and_a_changed_byte_is_named(finished: Path) -> None:
    code, said = verified(finished, "--quick")
    assert (code, said.count("the same, byte for byte")) == (0, 1), said
    path = finished / "results" / "demo" / "estimates.csv"
    content = path.read_bytes()
    path.write_bytes(content.replace(b"main", b"maim", 1))
    try:
        code, said = verified(finished, "--quick")
    finally:
        path.write_bytes(content)
    assert code == 1
    assert said.splitlines()[-1] == "  results/demo/estimates.csv: holds other bytes"


def test_a_run_made_again_elsewhere_is_the_same_byte_for_byte(finished: Path) -> None:
    code, said = verified(finished)
    assert (code, said.count("the same, byte for byte")) == (0, 2), said


def test_editing_a_survey_runs_its_jobs_and_what_combines_them(restored: Path) -> None:
    path = restored / "config" / "surveys" / "demo.yaml"
    path.write_text(path.read_text().replace("lonely: adjust", "lonely: average"))
    jobs = planned(restored)
    assert {"ingest", "harmonise", "emulate", "diagnose", "estimate", "combine", "report"} <= jobs


def test_editing_words_of_a_survey_reruns_only_what_shows_them(restored: Path) -> None:
    path = restored / "config" / "surveys" / "demo.yaml"
    path.write_text(path.read_text().replace("title: ", "title: Another title for the ", 1))
    assert planned(restored) <= {"draw", "report", "combine", "crate", "all"}


def test_editing_the_code_of_a_figure_reruns_that_kind_of_figure_and_the_page(restored: Path) -> None:
    path = restored / "src" / "backpain" / "figures" / "diagnostics.py"
    path.write_text(path.read_text() + "\n# changed\n")
    said = run(restored, "--run", "demo", "--", "--dry-run", "--quiet", "host")
    assert set(re.findall(r"^(?:rule|localrule) (\w+):", said, re.M)) == {"draw", "report", "crate", "all"}
    assert set(re.findall(r"kind=(\w+)", said)) == {"diagnostics"}


def test_editing_an_estimator_leaves_the_data_alone(restored: Path) -> None:
    path = restored / "src" / "backpain" / "estimate" / "rows.py"
    path.write_text(path.read_text() + "\n# changed\n")
    jobs = planned(restored)
    assert "estimate" in jobs
    assert not jobs & {"simulate", "ingest", "harmonise", "emulate"}


def test_a_damaged_raw_file_stops_the_run_with_its_name(restored: Path) -> None:
    raw = next((restored / "results" / "demo" / "simulated").rglob("people.xpt"))
    content, before = raw.read_bytes(), bytes_of(restored)
    again = ("--run", "demo", "--", "--forcerun", "ingest")
    try:
        raw.write_bytes(content[: len(content) // 2])
        process = launch(restored, *again)
        said, _ = process.communicate(timeout=300)
        assert process.returncode != 0
        assert "people.xpt" in said
        assert f"has {len(content) // 2} bytes" in said
    finally:
        raw.write_bytes(content)
    run(restored, *again)
    assert bytes_of(restored) == before


@pytest.mark.parametrize("whole_group", [False, True], ids=["parent alone", "whole group"])
def test_a_run_killed_inside_every_rule_finishes_with_the_same_bytes(
    finished: Path, project: Path, tmp_path: Path, whole_group: bool
) -> None:
    folder = copy(project, tmp_path)
    killed = set()
    for rule in RULES:
        process = launch(folder, "--run", "demo")
        if inside(folder, rule, process):
            killed.add(rule)
            os.killpg(process.pid, signal.SIGKILL) if whole_group else os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=300)
    assert killed == set(RULES)
    run(folder, "--run", "demo")
    expected, found = bytes_of(finished), bytes_of(folder)
    differing = {name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)}
    assert not differing


@pytest.fixture(scope="module")
def official(project: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A copy of the project, and a mirror with made-up files in the layout of the agency's own downloads."""
    mirror = tmp_path_factory.mktemp("mirror")
    survey = load_survey("meps-official")
    # So many that every variation has somebody in both of its arms.
    people = nobody_in_particular(survey, each=2000)
    write_raw(encode(people, survey, load_variables(), np.random.default_rng(1)), survey, mirror)
    return copy(project, tmp_path_factory.mktemp("official")), mirror


def test_files_that_are_not_the_published_ones_stop_the_run_before_a_report(official: tuple[Path, Path]) -> None:
    folder, mirror = official
    process = launch(folder, "--run", "meps-official", mirror=mirror)
    said, _ = process.communicate(timeout=600)
    assert process.returncode != 0
    assert "published figures are not met" in said
    assert "People, HC-181 (2015): published 35,427" in said
    assert not (folder / "results" / "meps-official" / "report.html").exists()


def test_the_official_layout_goes_from_downloads_to_a_report(official: tuple[Path, Path]) -> None:
    folder, mirror = official
    path = folder / "config" / "surveys" / "meps-official.yaml"
    declared = path.read_text()
    path.write_text(declared[: declared.index("\npublished:")] + "\n")
    process = launch(folder, "--run", "meps-official", mirror=mirror)
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said[-3000:]
    results = folder / "results" / "meps-official"
    assert (results / "report.html").is_file()
    estimates = pd.read_csv(results / "estimates.csv", keep_default_na=False, na_values=[""])
    assert {"main", "symptoms", "medication-only", "without-panel-13"} <= set(estimates["variation"])
    # Answers left to chance give few events in a small arm: the diagnostics have to say so, and the verdict with them.
    assert estimates.query("variation == 'main'")["gate"].str.startswith("failed").all()
    assert "INCONCLUSIVE" in (results / "headline.txt").read_text()
