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
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Peers:
    """An environment of peers: the stem of its files in benchmarks/peers, and its folder in .venvs."""

    stem: str
    folder: str

    @property
    def wanted(self) -> str:
        return f"benchmarks/peers/{self.stem}.in"

    @property
    def lock(self) -> str:
        return f"benchmarks/peers/{self.stem}.lock"

    @property
    def python(self) -> Path:
        return ROOT / ".venvs" / self.folder / "bin/python"

    @property
    def stamp(self) -> Path:
        return ROOT / ".venvs" / self.folder / "made-from"

    @property
    def digest(self) -> str:
        return hashlib.sha256((ROOT / self.lock).read_bytes()).hexdigest()


SURVEYS, SEQUENCE = Peers("requirements", "peers"), Peers("sequence", "peers-sequence")


def made(peers: Peers = SURVEYS) -> bool:
    """Whether the environment holds what the lock says now."""
    if not (peers.stamp.is_file() and peers.python.is_file()):
        return False
    return peers.stamp.read_text(encoding="utf-8") == peers.digest


def make(peers: Peers = SURVEYS) -> None:
    """Make it anew, unless it is as the lock says."""
    if made(peers):
        return
    print("bench: making the environment of the peers", flush=True)
    folder = ROOT / ".venvs" / peers.folder
    shutil.rmtree(folder, ignore_errors=True)
    _uv("venv", "--quiet", "--no-project", "--python", sys.executable, str(folder))
    asked = ["--quiet", "--require-hashes", "--compile-bytecode", "--python", str(peers.python), "-r", peers.lock]
    _uv("pip", "install", *asked)
    peers.stamp.write_text(peers.digest, encoding="utf-8")


def lock() -> None:
    """Resolve the peers anew: hashes for every system, no addresses."""
    shape = ["--universal", "--generate-hashes", "--no-annotate", "--no-header", "--no-emit-index-url", "--upgrade"]
    for peers in (SURVEYS, SEQUENCE):
        words = ["--quiet", "--python-version", "3.11", "--output-file", peers.lock, peers.wanted]
        _uv("pip", "compile", *shape, *words)


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


if __name__ == "__main__":
    if sys.argv[1:] != ["lock"]:
        sys.exit("usage: environment.py lock")
    lock()
