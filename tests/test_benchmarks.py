"""The benchmarks: they run, compare like with like, hide nobody and tell who disagrees. No time is tested."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "benchmarks"))

import json
import re
import subprocess

import numpy as np
import pandas as pd
import pytest
from harness import agreement, environment, plan, processes, readme, table, worker, world
from harness.processes import Call
from harness.table import Measured
from verdicts import WORLDS, told, without_effect

from backpain.simulate import truth
from backpain.spec import load_protocol, load_survey

ROOT = Path(__file__).resolve().parent.parent
TINY = ["--sizes", "1500", "--runs", "1", "--replicates", "12", "--imputations", "3", "--iterations", "2"]


def bench(folder: Path, *words: str) -> tuple[int, str, list[dict], str]:
    """A tiny benchmark: its code, what it said, what it measured, its tables."""
    done = subprocess.run(
        [sys.executable, "benchmarks/speed.py", *TINY, "--folder", str(folder), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    told = done.stdout + done.stderr
    assert (folder / "speed.json").is_file(), told
    rows = json.loads((folder / "speed.json").read_text(encoding="utf-8"))
    return done.returncode, told, rows, (folder / "speed.md").read_text(encoding="utf-8")


def test_a_world_without_an_effect_has_none_and_is_otherwise_as_declared() -> None:
    survey, protocol = load_survey("demo"), load_protocol("treatment-initiation")
    plain = protocol.model_copy(update={"sequence": None, "through": None})
    none, some = (
        truth(one, plain, 1, 20_000).set_index(["scale", "arm"])["truth"] for one in (without_effect(survey), survey)
    )
    contrast = ("risk-difference", "treated vs untreated")
    assert none[contrast] == pytest.approx(0, abs=1e-12)
    assert some[contrast] < -0.03
    assert none["risk", "untreated"] == pytest.approx(some["risk", "untreated"], abs=0.01)


def test_the_share_supported_is_told_with_its_exact_interval() -> None:
    found = pd.DataFrame(
        {
            "world": WORLDS[0],
            "verdict": ["supported"] * 9 + ["inconclusive"],
            "estimate": -0.05,
            "low": -0.1,
            "high": 0.0,
        }
    )
    line = told(found)[-1]
    assert line == "| as declared | 10 | 90.0 % | 55.5 to 99.7 % | 0 | -50.0 |"


def measured(job: str, peer: str, seconds: list[float], people: int = 6_000, used: float = 0.0) -> Measured:
    """A package whose first call took 9 s."""
    calls = [Call(value, value, {}, 100.0 + used) for value in [9.0, *seconds]]
    return Measured(people, job, peer, loaded=100.0, first=calls[0], warm=calls[1:])


@pytest.mark.slow
def test_our_side_does_every_job_or_says_what_is_not_there_yet(tmp_path: Path) -> None:
    code, told, rows, text = bench(tmp_path, "--peers", "none")
    assert code == 0, told
    assert [row["job"] for row in rows] == list(plan.JOBS)
    for row in rows:
        assert row["first"] or row["missing"].startswith("not available yet"), row
        assert row["first"] is None or len(row["warm"]) == 1
        assert (plan.JOBS[row["job"]] in text) is (row["first"] is not None)
    assert {row["job"] for row in rows if row["first"]} >= {"logistic", "prevalences"}


@pytest.mark.slow
def test_the_peers_at_hand_give_our_numbers(tmp_path: Path) -> None:
    peers = ["svy", "statsmodels"] if environment.made() else []
    peers += ["R", "R tuned"] if environment.r() else []
    if not peers:
        pytest.skip("PEERS NOT COMPARED: there is no R with its survey package, and `make bench` made no environment")
    code, told, rows, text = bench(tmp_path, "--peers", ",".join(peers), "--jobs", "logistic,prevalences,iptw,pooling")
    assert code == 0, told
    compared = [row for row in rows if row["first"] and row["agreement"].startswith(tuple("0123456789p"))]
    assert all(row["agrees"] for row in compared)
    assert {row["peer"] for row in compared} == set(peers)
    for row in rows:
        # Whoever is not among the timings is named with the reason.
        assert row["first"] or f"| {row['job']} | 1,500 | {row['peer']} | {row['missing']} |" in text


@pytest.mark.slow
def test_trials_in_sequence_are_timed_and_give_the_numbers_of_their_peer(tmp_path: Path) -> None:
    peers = "glum,statsmodels" if environment.made(environment.SEQUENCE) else "none"
    words = ["--sizes", "2000", "--periods", "6", "--runs", "1", "--peers", peers, "--folder", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "benchmarks/sequence.py", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    text = (tmp_path / "sequence.md").read_text(encoding="utf-8")
    assert text.count("| backpain |") == 2
    assert text.count("pyseqtarget") == (0 if peers == "none" else 4)


def test_every_package_does_each_job_or_has_a_reason() -> None:
    for job in plan.JOBS:
        for peer in [plan.OURS, "svy", "statsmodels", "R"]:
            does = plan.DOES[job, peer]
            assert isinstance(does, str) or does.largest >= max(plan.SIZES) or does.why, (job, peer)


def test_every_target_is_of_a_job_that_the_peer_does_at_that_size() -> None:
    for job, people, peer, _ in plan.TARGETS:
        assert people in plan.SIZES
        assert isinstance(plan.part(job, peer, people), plan.Part), (job, peer)
        assert isinstance(plan.part(job, plan.OURS, people), plan.Part), job


def test_a_package_too_slow_for_more_is_called_less_often_and_the_table_says_so() -> None:
    part = plan.Part("how", quick=100, few=2)
    assert (part.warm(100, 7), part.warm(101, 7), part.warm(101, 1)) == (7, 2, 1)
    rows = [measured("iptw", plan.OURS, [1.0] * 7), measured("iptw", "R", [50.0])]
    assert "| iptw | 6,000 | R | 1 of 7 warm calls: a call takes 50 s |" in table.left_out(rows)


def test_calls_alternate_and_every_round_is_begun_by_another() -> None:
    turns = processes.rounds({"A": 3, "B": 3, "C": 1})
    assert turns == ["A", "B", "C", "B", "A", "A", "B"]


def test_the_survey_is_read_as_it_was_written(tmp_path: Path) -> None:
    settings = world.Settings(500, replicates=7, imputations=3)
    world.write(settings, tmp_path)
    survey = worker.survey(tmp_path)
    people, gaps = survey.columns(), survey.columns("gaps.bin")
    drawn = world.draw(500, np.random.default_rng(settings.seed))
    assert people.keys() == drawn.keys()
    assert all((people[name] == drawn[name]).all() for name in drawn)
    assert {name for name in gaps if np.isnan(gaps[name]).any()} == set(world.GAPS)
    assert survey.factor().shape == (124, 7)
    assert (survey.factor()[0::2] + survey.factor()[1::2] == 2).all()
    assert [part.shape for part in survey.given()] == [(3, 17), (3, 17)]


def test_every_unit_has_people_and_stands_in_one_stratum() -> None:
    people = world.draw(500, np.random.default_rng(1))
    units = {unit: set(people["stratum"][people["unit"] == unit]) for unit in range(124)}
    assert all(len(strata) == 1 for strata in units.values())


def test_numbers_agree_up_to_one_in_a_million_and_no_further() -> None:
    ours = {"estimate": [1.0, -2.0], "se": [0.1, 0.2]}
    near = {"estimate": [1.0, -2.0 * (1 + 5e-7)], "se": [0.1, 0.2], "more": [3.0]}
    far = {"estimate": [1.0, -2.0], "se": [0.1, 0.2 * (1 + 2e-6)]}
    assert agreement.judged("logistic", ours, near, 20) == (True, "5e-07")
    assert agreement.judged("logistic", ours, far, 20) == (False, "2e-06")


def test_an_estimate_near_zero_is_held_to_its_standard_error() -> None:
    ours = {"estimate": [1e-12], "se": [0.1]}
    assert agreement.difference(ours, {"estimate": [-1e-12], "se": [0.1]}) < 1e-10


@pytest.mark.parametrize("theirs", [{"estimate": [1.0]}, {"estimate": [1.0, float("nan")]}, {"other": [1.0, 2.0]}])
def test_other_shapes_missing_numbers_and_nothing_in_common_never_agree(theirs: dict[str, list[float]]) -> None:
    assert agreement.judged("logistic", {"estimate": [1.0, 2.0]}, theirs, 20)[0] is False


def test_imputations_are_held_to_their_monte_carlo_error() -> None:
    ours = {"estimate": [0.0, 1.0], "between": [0.02, 0.02]}
    # The standard error of a difference is sqrt(0.04 / 20) = 0.045.
    assert agreement.judged("imputation", ours, {"estimate": [0.05, 1.0], "between": [0.02, 0.02]}, 20)[0]
    assert not agreement.judged("imputation", ours, {"estimate": [0.30, 1.0], "between": [0.02, 0.02]}, 20)[0]


def test_a_disagreement_stands_in_the_table() -> None:
    rows = [measured("logistic", plan.OURS, [1.0]), measured("logistic", "svy", [2.0])]
    rows[1].agrees, rows[1].agreement = False, "2e-03"
    assert "DISAGREES: 2e-03" in table.timings(rows)


def test_ratios_are_of_medians_and_targets_are_judged_by_them() -> None:
    rows = [
        measured("logistic", plan.OURS, [1.0, 2.0, 30.0], 1_000_000, used=50.0),
        measured("logistic", "svy", [2.0, 2.6, 2.7], 1_000_000, used=40.0),
        measured("logistic", "R", [16.0, 17.0, 1.0], 1_000_000),
    ]
    text = table.targets(rows)
    assert "| logistic | 1,000,000 | svy | 1.4 times | 1.30 | MISSED |" in text
    assert "| logistic | 1,000,000 | R | 8 times | 8.00 | met |" in text
    assert "| logistic | 1,000,000 | statsmodels | 5 times | - | not measured: not asked for |" in text
    assert "| logistic | 1,000,000 | svy | no more memory | 50 to 40 MB | MISSED |" in text


def test_ratios_round_by_round_pair_calls_that_followed_one_another() -> None:
    ours, theirs = measured("logistic", plan.OURS, [1.0, 2.0, 4.0]), measured("logistic", "svy", [3.0, 6.0, 12.0])
    # Load came and went, yet every round has the same ratio.
    assert table.spread(theirs, ours) == "3-3"
    assert table.spread(ours, ours) == ""
    assert table.spread(theirs, None) == ""


def test_a_run_writes_its_own_lines_into_the_readme_and_leaves_the_others(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text(f"before\n{readme.BEGIN}\nhead\n---\n{readme.END}\nafter\n", encoding="utf-8")
    ours = measured("prevalences", plan.OURS, [0.001, 0.001])
    framed, svy = measured("prevalences", plan.FRAMED, [0.002] * 2), measured("prevalences", "svy", [0.02, 0.04])
    readme.update(file, [ours, framed, svy])
    readme.update(file, [measured("logistic", plan.OURS, [1.0, 1.0, 1.0], 1_000_000, used=1500.0)])
    lines = file.read_text(encoding="utf-8").splitlines()
    assert (lines[0], lines[-1], len(lines)) == ("before", "after", 8)
    assert lines[4] == "| logistic | 1,000,000 | 1 s, 1,500 MB | - | - | - | 3 | nan |"
    assert lines[5].startswith(
        "| prevalences | 6,000 | 1 ms (2 ms from a frame) | 30 ms (30 times; 25-35) | - | - | 2 |"
    )
    svy.agrees = False
    readme.update(file, [ours, svy])
    assert "DISAGREES" in file.read_text(encoding="utf-8").splitlines()[5]


def test_a_faster_peer_is_named_at_any_size() -> None:
    rows = [measured("logistic", plan.OURS, [2.0], 30_000), measured("logistic", "svy", [1.0], 30_000)]
    assert "| logistic | 30,000 | svy | 0.50 |" in table.slower(rows)


def test_a_package_that_uses_more_than_one_thread_is_told() -> None:
    rows = [measured("logistic", plan.OURS, [2.0])]
    assert "threads" not in table.timings(rows)
    rows[0].warm.append(Call(2.0, 12.0, {}, None))
    assert "used 1.8 threads" in table.timings(rows)


def test_the_peers_lock_pins_all_that_is_wanted_with_hashes() -> None:
    for peers in (environment.SURVEYS, environment.SEQUENCE):
        wanted = re.findall(r"^([a-z]+)", (ROOT / peers.wanted).read_text(encoding="utf-8"), flags=re.MULTILINE)
        pins = re.split(r"\n(?=\S)", (ROOT / peers.lock).read_text(encoding="utf-8"))
        assert {pin.split("==")[0] for pin in pins} >= set(wanted)
        assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", pin) for pin in pins)
