"""A copy of the project in a folder of its own, in which tests run and break things."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

CLOCKS = {"run.json"}
PARTS = (
    "CITATION.cff",
    "Snakefile",
    "config",
    "docs",
    "environment.yml",
    "notebooks",
    "requirements.lock",
    "src",
    "workflow",
)


def copy(project: Path, folder: Path) -> Path:
    """A fresh copy of the project, without results."""
    for name in PARTS:
        source, target = project / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return folder


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": ""}


def launch(folder: Path, *words: str, mirror: Path | None = None) -> subprocess.Popen[str]:
    variables = environment(folder) | ({"BACKPAIN_MIRROR": str(mirror)} if mirror else {})
    return subprocess.Popen(
        [sys.executable, "workflow/launch.py", *words],
        cwd=folder,
        env=variables,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def run(folder: Path, *words: str) -> str:
    process = launch(folder, *words)
    said, _ = process.communicate(timeout=900)
    assert process.returncode == 0, said[-6000:]
    return said


def planned(folder: Path, run_name: str = "demo") -> set[str]:
    """The jobs that Snakemake would run now, by rule and, where there are several, by what they are for."""
    said = run(folder, "--run", run_name, "--", "--dry-run", "--quiet", "host")
    return set(re.findall(r"^(?:rule|localrule) (\w+):", said, re.M))


def bytes_of(folder: Path, name: str = "demo") -> dict[str, bytes]:
    """Every result but the clock and the logs."""
    results = folder / "results" / name
    return {
        path.relative_to(results).as_posix(): path.read_bytes()
        for path in sorted(results.rglob("*"))
        if path.is_file() and path.name not in CLOCKS and "logs" not in path.parts and not path.name.startswith(".")
    }


def inside(folder: Path, rule: str, process: subprocess.Popen[str]) -> bool:
    """Wait until a job of a rule is at work; False if the run ends first."""
    while process.poll() is None:
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_text(errors="replace")
                here = (entry / "cwd").resolve() == folder.resolve()
            except OSError:
                continue
            if here and f".{rule}.py" in words:
                return True
        time.sleep(0.02)
    return False
