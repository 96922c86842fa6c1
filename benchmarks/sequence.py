"""Trials in sequence beside pyseqtarget: how fast, in how much memory, and the same numbers? See README.md.

    .venv/bin/python benchmarks/sequence.py [--sizes 10000,100000] [--periods 20] [--runs 5] [--peers glum,statsmodels]

Prints a table and writes it to results/benchmarks/sequence.md. Ends with 1 when numbers disagree or a package fails.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from harness import agreement, environment, plan
from harness.processes import Broken, Call, Process, rounds
from harness.table import Measured, markdown, short, whole

# Beyond so many people the peer takes more memory than machines at hand have.
LARGEST = 20_000
# As pyseqtarget calls glum, it stops when its gradient is below 1e-4, less than a tenth of a standard error away.
TOLERANCE = {"glum": 0.1, "statsmodels": agreement.TOLERANCE}
# pyseqtarget joins ids and trials without a separator and so merges person 1 in trial 11 with person 11 in trial 1; ids of
# as many digits each cannot meet.
FIRST_ID = 1_000_000
# What is promised from this many people on.
FASTER, LEANER, PROMISED = 10.0, 0.2, 10_000


@dataclass(frozen=True)
class Settings:
    """One panel."""

    people: int
    periods: int
    seed: int = 20_240_302


def main() -> int:
    wanted = arguments()
    if wanted.peers:
        environment.make(environment.SEQUENCE)
    parts, failed = [], False
    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        for people in wanted.sizes:
            folder = Path(made) / str(people)
            rows = write(Settings(people, wanted.periods), folder)
            for job in ("sustained", "initiation"):
                measured, problems = measure(job, people, folder, wanted)
                failed |= bool(problems)
                head = f"## {job}, {people:,} people of up to {wanted.periods} periods ({rows:,} person-periods)"
                parts.append("\n\n".join([head, table(measured), *problems]))
                print(f"\n{parts[-1]}\n", flush=True)
    text = "\n\n".join(["# Trials in sequence", title(), *parts]) + "\n"
    folder = Path(wanted.folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sequence.md").write_text(text, encoding="utf-8")
    print(f"bench: written to {folder}/sequence.md")
    return int(failed)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=lambda text: [int(part) for part in text.split(",")], default=[10_000, 100_000])
    parser.add_argument("--periods", type=int, default=20)
    parser.add_argument("--runs", type=int, default=5, help="warm calls")
    known = list(TOLERANCE)
    parser.add_argument("--peers", type=lambda text: [name for name in known if name in text.split(",")], default=known)
    parser.add_argument("--folder", default="results/benchmarks")
    return parser.parse_args()


def write(settings: Settings, folder: Path) -> int:
    """Write a panel as `panel.bin`, (rows, columns) doubles column after column, with its `settings.txt`; count its rows."""
    folder.mkdir(parents=True, exist_ok=True)
    panel = draw(settings)
    with (folder / "panel.bin").open("wb") as file:
        for column in panel.values():
            np.ascontiguousarray(column, dtype="<f8").tofile(file)
    (folder / "settings.txt").write_text(f"columns {' '.join(panel)}\n", encoding="utf-8")
    return len(panel["id"])


def draw(settings: Settings) -> dict[str, np.ndarray]:
    """People followed until the event or the end; who was never treated is eligible, so most begin many trials.

    `low` changes with time, sways treatment and event, and is swayed by treatment.
    """
    rng, n = np.random.default_rng(settings.seed), settings.people
    sex, age = (rng.random(n) < 0.5).astype(float), rng.normal(size=n)
    frailty, low = 0.3 * rng.normal(size=n), rng.normal(size=n) + 0.3 * age
    there, ever, prior = np.ones(n, dtype=bool), np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    parts: list[np.ndarray] = []
    for period in range(settings.periods):
        treated = rng.random(n) < expit(-2.2 + 4.0 * prior + 0.4 * low + 0.2 * sex - 0.02 * period)
        event = rng.random(n) < expit(-3.9 - 0.4 * treated + 0.4 * low + 0.3 * sex + frailty)
        columns = [FIRST_ID + np.arange(n), np.full(n, period), treated, event, ~ever, sex, age, low]
        parts.append(np.column_stack(columns)[there])
        there &= ~event
        ever, prior = ever | treated, treated
        low = 0.6 * low + 0.5 * rng.normal(size=n) - 0.3 * treated + 0.1 * age
    rows = np.concatenate(parts)
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    return dict(zip(["id", "period", "treated", "event", "eligible", "sex", "age", "low"], rows.T, strict=True))


def expit(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def measure(job: str, people: int, folder: Path, wanted: argparse.Namespace) -> tuple[list[Measured], list[str]]:
    """Everyone's first call and warm calls in turn; what went wrong."""
    packages = {plan.OURS: (plan.OURS, job)}
    if people <= LARGEST:
        endings = {"glum": "", "statsmodels": "_statsmodels"}
        packages |= {f"{plan.SEQUENCE} ({name})": (plan.SEQUENCE, job + endings[name]) for name in wanted.peers}
    rows = {name: Measured(people, job, name) for name in packages}
    processes: dict[str, Process] = {}
    try:
        for name, (peer, named) in packages.items():
            processes[name] = Process.start(peer, named, folder, "ours_sequence.py")
            processes[name].wait()
            rows[name].loaded, rows[name].versions = processes[name].loaded, processes[name].versions
        for name, process in processes.items():
            rows[name].first = process.call()
        for name in rounds(dict.fromkeys(processes, wanted.runs)):
            rows[name].warm.append(processes[name].call())
    except Broken as error:
        return [row for row in rows.values() if row.first], [f"FAILED: {error}"]
    finally:
        for process in processes.values():
            process.stop()
    return list(rows.values()), compare(job, folder, rows, wanted.peers)


def compare(job: str, folder: Path, rows: dict[str, Measured], peers: list[str]) -> list[str]:
    """Hold the peer's coefficients and curves to ours."""
    first = rows[plan.OURS].first
    assert first is not None
    ours = once("sustained_like_peer", folder) if job == "sustained" and len(rows) > 1 else first
    problems = []
    for name in peers:
        row = rows.get(f"{plan.SEQUENCE} ({name})")
        if row is not None and row.first is not None:
            gap = difference(ours.numbers, row.first.numbers, first.numbers["se"])
            row.agrees, row.agreement = gap <= TOLERANCE[name], f"{gap:.0e}"
            problems += [] if row.agrees else [f"DISAGREES: {row.peer} by {gap:.1e}"]
    return problems


def difference(ours: agreement.Numbers, theirs: agreement.Numbers, se: list[float]) -> float:
    """The largest of coefficients, relative to the larger of themselves and their errors, and of risks."""
    coefficients = {"estimate": ours["estimate"], "se": se}
    return max(
        agreement.difference(coefficients, {"estimate": theirs["estimate"]}),
        agreement.difference({"risk": ours["risk"]}, {"risk": theirs["risk"]}),
    )


def once(job: str, folder: Path) -> Call:
    """One call of ours."""
    process = Process.start(plan.OURS, job, folder, "ours_sequence.py")
    try:
        process.wait()
        return process.call()
    finally:
        process.stop()


def table(rows: list[Measured]) -> str:
    """The packages beside one another."""
    ours = rows[0]
    head = [
        "package",
        "first call, s",
        "median, s",
        "least-most",
        "times ours",
        "MB at peak",
        "ours of it",
        "differs by",
    ]
    body = []
    for row in rows:
        assert row.first is not None
        share = f"{(ours.peak or 0) / row.peak:.2f}" if row.peak else "-"
        body.append(
            [
                row.peer, short(row.first.seconds), short(row.median), f"{short(row.seconds.min())}-{short(row.seconds.max())}",
                f"{row.median / ours.median:.1f}", whole(row.peak), share, row.agreement or "-",
            ]
        )  # fmt: skip
    told = markdown(head, body)
    for row in rows[1:] if ours.people >= PROMISED else []:
        faster, lean = row.median / ours.median >= FASTER, (ours.peak or np.inf) <= LEANER * (row.peak or 0)
        verdicts = [
            f"{FASTER:g} times faster: {'met' if faster else 'MISSED'}",
            f"a fifth of memory: {'met' if lean else 'MISSED'}",
        ]
        told += f"\n\n{row.peer}: {', '.join(verdicts)}."
    return told


def title() -> str:
    return (
        f"{os.cpu_count()} processors, one process and one thread for each package; medians of warm calls that alternate. "
        f"Load of the machine at the end: {os.getloadavg()[0]:.1f}."
    )


if __name__ == "__main__":
    sys.exit(main())
