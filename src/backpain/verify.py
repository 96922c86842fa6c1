"""Whether a finished run is what its crate tells, and whether it comes out the same when it is made again.

`python -m backpain.verify demo` compares every file with the crate's checksum, makes the whole run again in a folder of its own,
from the same code, declarations and survey files, and compares that too. It ends with 0 only where no byte differs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from backpain.crate import NAME, differing, manifest
from backpain.project import ROOT

LEFT_BEHIND = shutil.ignore_patterns("results", ".venv", ".venvs", ".snakemake", ".git", "__pycache__", ".*_cache")
RAW = Path("data/raw")


def main(words: Sequence[str]) -> int:
    """Carry out the command line; 0 if nothing differs, 1 if anything does, 2 if the run could not be made again."""
    parser = argparse.ArgumentParser(
        prog="verify", description="Compare a finished run with its crate, and with itself made again."
    )
    parser.add_argument("run")
    parser.add_argument("--quick", action="store_true", help="compare the files that are here; make nothing again")
    parser.add_argument("--cores", type=int, default=min(4, os.cpu_count() or 1), help="jobs at once")
    asked = parser.parse_args(words)
    try:
        told = manifest(ROOT / "results" / asked.run / NAME)
    except (FileNotFoundError, ValueError) as error:
        print(f"verify: {error}", file=sys.stderr)
        return 2
    here = differing(told, ROOT)
    print(f"verify: {len(told)} files of results/{asked.run} against its {NAME}: {summary(here)}", flush=True)
    again: dict[str, str] = {}
    if not asked.quick:
        scratch = Path(tempfile.mkdtemp(prefix="backpain-verify-"))
        began = time.monotonic()
        print("verify: making the run again in a folder of its own", flush=True)
        if not remade(scratch, asked.run, asked.cores):
            print(f"verify: it could not be made again; see {scratch / 'made-again.log'}", file=sys.stderr)
            return 2
        again = differing(told, scratch)
        print(f"verify: made again in {time.monotonic() - began:.0f} s: {summary(again)}", flush=True)
        if not again:
            shutil.rmtree(scratch)
        else:
            print(f"verify: what was made again is kept in {scratch}")
    print(table(here, again, made=not asked.quick), end="")
    return 1 if here or again else 0


def summary(found: Mapping[str, str]) -> str:
    """In words, how many files differ."""
    return f"{len(found)} differ" if found else "the same, byte for byte"


def table(here: Mapping[str, str], again: Mapping[str, str], made: bool) -> str:
    """A line for each file that differs anywhere."""
    lines = []
    for name in sorted({*here, *again}):
        second = f"; made again: {again.get(name, 'the same')}" if made else ""
        lines.append(f"  {name}: {here.get(name, 'the same')}{second}\n")
    return "".join(lines)


def remade(folder: Path, run: str, cores: int) -> bool:
    """Copy the project as it stands, without what it made, and make the run there; whether it ended well."""
    copy(folder)
    if (ROOT / RAW).is_dir():
        (folder / RAW).parent.mkdir(exist_ok=True)
        if not (folder / RAW).exists():
            (folder / RAW).symlink_to(ROOT / RAW)
    command = [sys.executable, "workflow/launch.py", "--run", run, "--cores", str(cores)]
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with (folder / "made-again.log").open("w", encoding="utf-8") as log:
        return subprocess.run(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, env=variables).returncode == 0


def copy(folder: Path) -> None:
    """The project's files as they stand now; with its history where it has one, for the commit stands in the report."""
    if not (ROOT / ".git").exists():
        shutil.copytree(ROOT, folder, dirs_exist_ok=True, ignore=LEFT_BEHIND)
        return
    subprocess.run(["git", "clone", "--quiet", "--shared", str(ROOT), str(folder)], check=True)
    changed = subprocess.run(
        ["git", "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all"], cwd=ROOT, capture_output=True, text=True
    ).stdout  # fmt: skip
    for entry in filter(None, changed.split("\0")):
        name = entry[3:]
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
        else:
            (folder / name).unlink(missing_ok=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
