"""The packages as processes that answer in lines of JSON, one thread each, and what they use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import environment, plan

HERE = Path(__file__).resolve().parent
BENCHMARKS = HERE.parent
LIBRARIES = ["BLIS", "GOTO", "MKL", "NUMEXPR", "OMP", "OPENBLAS", "RAYON", "VECLIB"]
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in LIBRARIES}
ONE_THREAD |= {"POLARS_MAX_THREADS": "1", "VECLIB_MAXIMUM_THREADS": "1", "OMP_THREAD_LIMIT": "1"}
MB = 1024


class Broken(Exception):
    """A process that ended without an answer, with its last words."""


@dataclass(frozen=True)
class Call:
    """One call: seconds by the clock and of the processor, the numbers it gave, peak memory in MB."""

    seconds: float
    cpu: float
    numbers: dict[str, list[float]]
    peak: float | None


@dataclass
class Process:
    """A package at work on one job of one survey."""

    running: subprocess.Popen[str]
    words: Any
    pid: int = 0
    versions: dict[str, str] = field(default_factory=dict)
    loaded: float | None = None
    unavailable: str = ""

    @classmethod
    def start(cls, peer: str, job: str, folder: Path, ours: str = "ours.py") -> Process:
        """Start it, without waiting for it; `ours` is the file with our side."""
        words = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open as long as the process
        running = subprocess.Popen(
            command(peer, job, folder, ours),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=words,
            text=True,
            env=os.environ | ONE_THREAD,
        )
        return cls(running, words)

    def wait(self) -> None:
        """Wait until its data are in memory, or it says why it cannot do the job."""
        answer = self._answer()
        self.unavailable = answer.get("unavailable", "")
        self.pid, self.versions = answer.get("pid", 0), answer.get("versions", {})
        self.loaded = memory(self.pid, "VmRSS")

    def call(self) -> Call:
        """Have the job done once."""
        forget_peak(self.pid)
        assert self.running.stdin is not None
        self.running.stdin.write("run\n")
        self.running.stdin.flush()
        answer = self._answer()
        return Call(answer["seconds"], answer["cpu"], answer["numbers"], memory(self.pid, "VmHWM"))

    def stop(self) -> None:
        """End it, whatever it does."""
        self.running.kill()
        self.running.wait()
        self.words.close()

    def _answer(self) -> dict[str, Any]:
        assert self.running.stdout is not None
        for line in self.running.stdout:
            if line.startswith("{"):
                # R and JSON write what is no number alike.
                return dict(json.loads(line))
        self.running.wait()
        self.words.seek(0)
        raise Broken(self.words.read()[-600:].strip() or f"it ended with code {self.running.returncode}")


def command(peer: str, job: str, folder: Path, ours: str = "ours.py") -> list[str]:
    """The words that start a package."""
    named = job + plan.NAMED.get(peer, "")
    if peer.startswith("R"):
        return [environment.r() or "Rscript", str(BENCHMARKS / "peers/worker.R"), str(folder), named]
    if peer in (plan.OURS, plan.FRAMED):
        return [sys.executable, str(HERE / "worker.py"), str(BENCHMARKS / ours), str(folder), named]
    module = BENCHMARKS / f"peers/{peer}_peer.py"
    python = environment.SEQUENCE.python if peer == plan.SEQUENCE else environment.SURVEYS.python
    return [str(python), str(HERE / "worker.py"), str(module), str(folder), named]


def rounds(wanted: dict[str, int]) -> Sequence[str]:
    """Whose turn it is: everyone once in a round, each round begun by another, until all have had their calls."""
    names = list(wanted)
    turns = []
    for number in range(max(wanted.values(), default=0)):
        start = number % len(names)
        turns += [name for name in names[start:] + names[:start] if wanted[name] > number]
    return turns


def memory(pid: int, what: str) -> float | None:
    """Memory of a process in MB: `VmRSS` now, `VmHWM` at its peak; None where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) / MB for line in lines if line.startswith(what)]
    return found[0] if found else None


def forget_peak(pid: int) -> None:
    """Have the system take the peak anew from here, so that what loading took is left out (Linux)."""
    try:
        Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="utf-8")
    except OSError:
        return
