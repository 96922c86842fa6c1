"""Starts Snakemake on one run: one at a time in this folder, and none over the remains of a killed one.

    python workflow/launch.py --run demo [--cores N] [--no-wait] [-- further Snakemake arguments]
    python workflow/launch.py --check [--run demo]      ask the package whether the declarations hold
    python workflow/launch.py --headline demo           print a finished run's answer and where its report is
    python workflow/launch.py --clean                   remove results and caches

Two locks make it safe. `results/.lock` is held by the run: the launcher takes it and then *becomes*
Snakemake, so the system frees it at the moment Snakemake ends, however it ends. `results/.jobs` is shared by
the jobs: while one of a killed run is still writing, a new run must not start.

Standard library only, so that `--clean` needs no environment.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
# Names under which jobs write before they rename (backpain.job).
UNFINISHED = re.compile(r"\.[0-9a-f]{8}\..")
BUSY = 75  # EX_TEMPFAIL: try again later
CACHES = [".snakemake", ".hypothesis", ".import_linter_cache", ".mypy_cache", ".pytest_cache", ".ruff_cache"]


def main(arguments: Sequence[str]) -> int:
    """Carry out the command line; starting a run replaces this process and so never returns."""
    wanted = parse(arguments)
    os.chdir(ROOT)
    if wanted.headline:
        return headline(wanted.headline)
    if wanted.clean:
        return clean()
    require(wanted.run)
    if wanted.check:
        become([sys.executable, "-m", "backpain.check", wanted.run], environment())
    hold_run(wanted.run, wait=not wanted.no_wait)
    await_orphans(wanted.patience)
    remove_dead_lock()
    remove_unfinished()
    become(command(wanted.run, wanted.cores, wanted.snakemake), environment())


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line; everything after `--` belongs to Snakemake."""
    own = list(arguments)
    further: list[str] = []
    if "--" in own:
        further = own[own.index("--") + 1 :]
        own = own[: own.index("--")]
    cores = min(4, os.cpu_count() or 1)
    parser = argparse.ArgumentParser(prog="launch.py", description="Start Snakemake on one run, safely.")
    parser.add_argument("--run", default="demo", metavar="NAME", help="the run declared in config/NAME.yaml")
    parser.add_argument("--cores", type=int, default=cores, help="jobs at once (all cores, at most 4)")
    parser.add_argument("--no-wait", action="store_true", help=f"exit with {BUSY} when another run is going")
    parser.add_argument("--patience", type=float, default=60, metavar="SECONDS", help="time given to orphan jobs")
    parser.add_argument("--check", action="store_true", help="check the declarations only")
    parser.add_argument("--headline", metavar="NAME", help="print the answer of a finished run")
    parser.add_argument("--clean", action="store_true", help="remove results and caches")
    wanted = parser.parse_args(own)
    wanted.snakemake = further
    return wanted


def require(run: str) -> None:
    """Refuse a run that is not declared, naming those that are."""
    files = sorted(Path("config").glob("*.yaml"))
    runs = [path.stem for path in files if "\nanalyses:" in "\n" + path.read_text(encoding="utf-8")]
    if run not in runs:
        stop(f"config/{run}.yaml is not a run (it needs `analyses:`). Runs are: {', '.join(runs) or 'none'}.")


def hold_run(run: str, wait: bool) -> None:
    """Take the run's lock for as long as this process, or the Snakemake it becomes, lives."""
    path = Path("results/.lock")
    path.parent.mkdir(exist_ok=True)
    while True:
        # `a+`: opening must not empty it, for it names the holder.
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                stop(f"{holder(path)} holds {path}. Wait for it to end, or leave out --no-wait.", BUSY)
            say(f"{holder(path)} is going in this folder; waiting for it to end (Ctrl-C to give up)")
            fcntl.flock(handle, fcntl.LOCK_EX)
        if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
            break
        os.close(handle)  # somebody removed the folder meanwhile: this lock guards nothing
    os.ftruncate(handle, 0)
    os.write(handle, f"run {run} (process {os.getpid()})\n".encode())
    os.set_inheritable(handle, True)


def holder(path: Path) -> str:
    """Who holds the run's lock, as it says in the lock's file a moment after taking it."""
    for _ in range(20):
        if text := path.read_text(encoding="utf-8").strip():
            return text
        time.sleep(0.05)
    return "another launcher"


def await_orphans(patience: float) -> None:
    """Wait until no job of a killed run is alive: each holds a share of the jobs' lock."""
    with Path("results/.jobs").open("a") as handle:
        deadline = time.monotonic() + patience
        told = False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    stop(
                        f"jobs of a killed run are still at work after {patience:.0f} s. See who with "
                        "`ps -eo pid,etime,args | grep snakemake`, end them, and start again.",
                        BUSY,
                    )
            if not told:
                say("jobs of a killed run are still at work; waiting for them to end")
                told = True
            time.sleep(0.2)


def remove_dead_lock() -> None:
    """Remove the lock that a killed Snakemake left behind.

    `snakemake --unlock` does the same but takes over a second to build the workflow first. The lock is dead,
    because we hold the run's, unless somebody started Snakemake by hand; that one is looked for.
    """
    locks = Path(".snakemake/locks")
    if not locks.is_dir() or not any(locks.iterdir()):
        return
    if others := started_by_hand():
        stop(f"a Snakemake started by hand is at work here (process {', '.join(others)}). Wait for it.", BUSY)
    say("removing the lock of a run that was killed; unfinished files are made again")
    shutil.rmtree(locks)


def remove_unfinished() -> None:
    """Remove what jobs of a killed run were writing: nobody is at work, so nobody will put it in place."""
    for path in Path("results").rglob(".*"):
        if UNFINISHED.match(path.name):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def started_by_hand() -> list[str]:
    """The processes that look like a Snakemake working in this folder."""
    if Path("/proc/self").exists():
        looked_at = [(folder.name, folder) for folder in Path("/proc").glob("[0-9]*")]
        return sorted(pid for pid, folder in looked_at if works_here(folder))
    # Elsewhere a process's folder cannot be seen, so any Snakemake counts.
    listing = subprocess.run(["ps", "-A", "-o", "pid=,args="], capture_output=True, text=True, check=True)
    rows = [line.split() for line in listing.stdout.splitlines()]
    return sorted(pid for pid, *words in rows if is_snakemake(words))


def works_here(process: Path) -> bool:
    """Whether a process, a folder of /proc, is a Snakemake working in this folder."""
    try:
        words = (process / "cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
        return is_snakemake(words) and (process / "cwd").resolve(strict=True) == ROOT
    except OSError:  # it has ended, or belongs to somebody else
        return False


def is_snakemake(words: Sequence[str]) -> bool:
    """Whether a command line is `python -m snakemake` or, as the command shows, `python .../snakemake`."""
    return "snakemake" in [Path(word).name for word in words[:3]]


def command(run: str, cores: int, further: Sequence[str]) -> list[str]:
    """Snakemake's command line for a run."""
    settings = ["--profile", "workflow/profiles/default", "--rerun-incomplete", "--cores", str(cores)]
    return [sys.executable, "-m", "snakemake", *settings, *further, "--config", f"run={run}"]


def environment() -> dict[str, str]:
    """What Snakemake and its jobs find in their environment."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {
        "BACKPAIN_WORKFLOW_PID": str(os.getpid()),
        "BACKPAIN_JOBS_LOCK": str(ROOT / "results/.jobs"),
        "MPLBACKEND": "Agg",
        # Jobs run side by side; threads inside small matrix products only make them wait for one another.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        # The package, for jobs in an environment of their own (conda) too.
        "PYTHONPATH": str(ROOT / "src"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    }


def become(words: list[str], variables: dict[str, str]) -> NoReturn:
    """Replace this process, keeping its number and its locks."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(words[0], words, variables)


def headline(run: str) -> int:
    """Print what a finished run answers and where its report is."""
    folder = Path("results") / run
    answer, report = folder / "headline.txt", folder / "report.html"
    said = answer.read_text(encoding="utf-8").strip() if answer.is_file() else ""
    if not report.is_file():
        said += f"\nResults: {folder}/ (this run wrote no report.html)"
    elif str(report) not in said:
        said += f"\nReport: {report}"
    print("\n" + said.strip())
    return 0


def clean() -> int:
    """Remove results and caches; data and .venv stay, and so do the lock files others may be waiting at."""
    hold_run("clean", wait=False)
    await_orphans(0)
    for path in [*Path("results").iterdir(), *map(Path, CACHES)]:
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists() and path.name not in (".lock", ".jobs"):
            path.unlink()
    for folder in ("src", "tests", "workflow"):
        for cache in Path(folder).rglob("__pycache__"):
            shutil.rmtree(cache)
    return 0


def say(message: str) -> None:
    print(f"launch: {message}", file=sys.stderr, flush=True)


def stop(message: str, code: int = 1) -> NoReturn:
    say(message)
    sys.exit(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
