"""How fast are our functions beside their peers, and do they give the same numbers? See README.md.

    .venv/bin/python benchmarks/speed.py [--sizes 6000,30000] [--jobs logistic,iptw] [--peers svy,R] [--runs 7]

Every package is a process of its own with its data in memory; warm calls alternate between the packages. Prints tables
and writes them, and all that was measured, to results/benchmarks. Ends with 1 when packages disagree or one fails.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from harness import agreement, environment, plan, readme, table, world
from harness.processes import Broken, Process, rounds
from harness.table import Measured


def main() -> int:
    wanted = arguments()
    prepare(wanted.peers)
    found: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        for people in wanted.sizes:
            folder = Path(made) / str(people)
            settings = world.Settings(people, wanted.replicates, wanted.imputations, wanted.iterations)
            print(f"bench: drawing {people:,} people", flush=True)
            world.write(settings, folder)
            for job in wanted.jobs:
                rows = measure(job, people, folder, [plan.OURS, *wanted.peers], wanted.runs)
                compare(rows, job, settings.imputations)
                found += rows
                if any(row.first for row in rows):
                    print(f"\n{job}, n = {people:,}\n{table.timings([row for row in rows if row.first])}\n", flush=True)
    text = table.written(found, title(wanted))
    print(text[text.index("## Targets") :])
    save(found, text, Path(wanted.folder))
    if wanted.readme:
        readme.update(Path(__file__).parent / "README.md", found)
    return tell_failures(found)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=listed(int), default=plan.SIZES, help="people, such as 6000,30000")
    parser.add_argument("--jobs", type=listed(str, list(plan.JOBS)), default=list(plan.JOBS))
    parser.add_argument("--peers", type=listed(str, plan.PEERS), default=plan.PEERS, help="or `none`")
    parser.add_argument("--runs", type=int, default=7, help="warm calls")
    parser.add_argument("--replicates", type=int, default=500)
    parser.add_argument("--imputations", type=int, default=20)
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--folder", default="results/benchmarks")
    parser.add_argument("--readme", action="store_true", help="also write what was measured into README.md's table")
    return parser.parse_args()


def listed(kind: type, known: list[str] | None = None) -> Callable[[str], list]:
    """What is separated by commas; `none` is an empty list."""

    def parts(text: str) -> list:
        found = [kind(part.strip()) for part in text.split(",")] if text != "none" else []
        strays = [part for part in found if known is not None and part not in known]
        if strays:
            raise argparse.ArgumentTypeError(f"{', '.join(strays)}: choose from {', '.join(known or [])}")
        return found

    return parts


def prepare(peers: list[str]) -> None:
    """Make the environment of the Python peers; leave R out, loudly, where there is none."""
    if {"svy", "statsmodels"} & set(peers):
        environment.make()
    if {"R", "R tuned"} & set(peers) and environment.r() is None:
        print("bench: NO R WITH ITS survey PACKAGE HERE, so it is not compared with", flush=True)


def measure(job: str, people: int, folder: Path, packages: list[str], runs: int) -> list[Measured]:
    """One job at one size: everyone's first call, then warm calls in turn."""
    rows: dict[str, Measured] = {}
    processes: dict[str, Process] = {}
    calls: dict[str, int] = {}
    try:
        for peer in packages:
            part = plan.part(job, peer, people)
            rows[peer] = Measured(people, job, peer)
            if isinstance(part, str):
                rows[peer].missing = part
                continue
            if peer.startswith("R") and environment.r() is None:
                rows[peer].missing = "this machine has no R with the survey package"
                continue
            rows[peer].how, calls[peer] = part.how, part.warm(people, runs)
            processes[peer] = Process.start(peer, job, folder)
        for peer in list(processes):
            ready(rows[peer], processes)
        for peer in list(processes):
            called(rows[peer], processes, True)
        for peer in rounds({peer: calls[peer] for peer in processes}):
            if peer in processes:
                called(rows[peer], processes, False)
    finally:
        for process in processes.values():
            process.stop()
    for row in rows.values():
        row.load = os.getloadavg()[0]
    return [rows[peer] for peer in packages if peer not in plan.NAMED or (job, peer) in plan.DOES]


def ready(row: Measured, processes: dict[str, Process]) -> None:
    """Wait for a package to have its data; note and end one that cannot do the job."""
    process = processes[row.peer]
    try:
        process.wait()
        row.missing, row.versions, row.loaded = process.unavailable, process.versions, process.loaded
    except Broken as error:
        row.missing, row.failed = f"FAILED: {' '.join(str(error).split())}", True
    if row.missing:
        processes.pop(row.peer).stop()


def called(row: Measured, processes: dict[str, Process], first: bool) -> None:
    try:
        call = processes[row.peer].call()
    except Broken as error:
        row.missing, row.failed, row.first = f"FAILED: {' '.join(str(error).split())}", True, None
        processes.pop(row.peer).stop()
        return
    if first:
        row.first = call
    else:
        row.warm.append(call)


def compare(rows: list[Measured], job: str, imputations: int) -> None:
    """Hold everyone's numbers to ours, or while we have none to the first peer's."""
    done = [row for row in rows if row.first]
    for row in done[1:]:
        numbers = [each.first.numbers for each in (done[0], row) if each.first]
        row.agrees, row.agreement = agreement.judged(job, *numbers, imputations)
    if done:
        done[0].agreement = "-" if done[0].peer == plan.OURS else "held to by the others, for want of ours"


def title(wanted: argparse.Namespace) -> str:
    return (
        f"{os.cpu_count()} processors ({platform.machine()}, {platform.system()}), one process and one thread for each "
        f"package; {wanted.replicates} replicates, {wanted.imputations} imputations of {wanted.iterations} iterations; "
        f"medians of up to {wanted.runs} warm calls that alternate between the packages. Load of the machine at the "
        f"end: {os.getloadavg()[0]:.1f}."
    )


def save(found: list[Measured], text: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "speed.md").write_text(text, encoding="utf-8")
    rows = [
        asdict(row) | {"median": row.median if row.first else None, "peak": row.peak, "used": row.used} for row in found
    ]
    (folder / "speed.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(f"bench: written to {folder}/speed.md and speed.json")


def tell_failures(found: list[Measured]) -> int:
    """Name whoever disagrees or failed; the code to end with."""
    bad = [row for row in found if row.failed or row.agrees is False]
    for row in bad:
        what = row.missing if row.failed else f"DISAGREES ({row.agreement})"
        print(f"bench: {row.peer} in {row.job} at n = {row.people:,}: {what}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
