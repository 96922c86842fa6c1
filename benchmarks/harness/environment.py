"""The peers' own environment, and what R has: `python benchmarks/harness/environment.py lock` pins the newest versions.

The peers may want other versions of shared packages than this project, so theirs are installed apart, from a lock of
their own, into a folder that is not committed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
WANTED, LOCK = "benchmarks/peers/requirements.in", "benchmarks/peers/requirements.lock"
FOLDER = ROOT / ".venvs/peers"
PYTHON = FOLDER / "bin/python"
STAMP = FOLDER / "made-from"


def made() -> bool:
    """Whether the environment holds what the lock says now."""
    return STAMP.is_file() and PYTHON.is_file() and STAMP.read_text(encoding="utf-8") == _digest()


def make() -> None:
    """Make it anew, unless it is as the lock says."""
    if made():
        return
    print("bench: making the environment of the peers", flush=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    _uv("venv", "--quiet", "--no-project", "--python", sys.executable, str(FOLDER))
    _uv(
        "pip", "install", "--quiet", "--require-hashes", "--compile-bytecode", "--python", str(PYTHON), "-r", LOCK
    )  # fmt: skip
    STAMP.write_text(_digest(), encoding="utf-8")


def lock() -> None:
    """Resolve the peers anew: hashes for every system, no addresses."""
    shape = ["--universal", "--generate-hashes", "--no-annotate", "--no-header", "--no-emit-index-url", "--upgrade"]
    _uv("pip", "compile", *shape, "--quiet", "--python-version", "3.11", "--output-file", LOCK, WANTED)


@cache
def r() -> str | None:
    """The command of an R that has the survey package; None where there is none."""
    command = shutil.which("Rscript")
    if command is None:
        return None
    asked = [command, "-e", 'quit(status = !requireNamespace("survey", quietly = TRUE))']
    return command if subprocess.run(asked, capture_output=True, check=False).returncode == 0 else None


def _uv(*words: str) -> None:
    """The uv of this environment, on no other Python than those named."""
    environment = {"UV_HTTP_TIMEOUT": "120", "UV_PYTHON_DOWNLOADS": "never"} | os.environ
    subprocess.run([Path(sys.executable).parent / "uv", *words], cwd=ROOT, env=environment, check=True)


def _digest() -> str:
    return hashlib.sha256((ROOT / LOCK).read_bytes()).hexdigest()


if __name__ == "__main__":
    if sys.argv[1:] != ["lock"]:
        sys.exit("usage: environment.py lock")
    lock()
