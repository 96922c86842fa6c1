"""One package in a process of its own: loads a survey, then does one job each time it is asked.

    python worker.py MODULE FOLDER JOB

MODULE is a file with JOBS: a function for each job that takes the survey, prepares what its users would keep in memory
(frames, designs, weights) and returns the function that is timed, which returns lists of numbers by their names.
Answers are lines of JSON: one when it is ready, then one for every line "run" that it reads.
"""

from __future__ import annotations

import gc
import importlib.metadata
import importlib.util
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np


@dataclass(frozen=True)
class Survey:
    """What was written for one size: its settings and its columns; see `world.write`."""

    folder: Path
    settings: dict[str, str]

    @property
    def covariates(self) -> list[str]:
        return self.settings["covariates"].split()

    @property
    def imputations(self) -> int:
        return int(self.settings["imputations"])

    @property
    def iterations(self) -> int:
        return int(self.settings["iterations"])

    def columns(self, file: str = "people.bin") -> dict[str, np.ndarray]:
        """(people,) doubles by name; `gaps.bin` holds those with gaps."""
        names = self.settings["columns"].split()
        values = np.fromfile(self.folder / file, dtype="<f8").reshape(len(names), -1)
        return {name: column.copy() for name, column in zip(names, values, strict=True)}

    def factor(self) -> np.ndarray:
        """(units, replicates) multipliers of the weights."""
        units, replicates = int(self.settings["units"]), int(self.settings["replicates"])
        return np.fromfile(self.folder / "factor.bin", dtype="<f8").reshape(replicates, units).T.copy()

    def given(self) -> tuple[np.ndarray, np.ndarray]:
        """(imputations, k) estimates and their variances, to pool."""
        both = np.fromfile(self.folder / "given.bin", dtype="<f8").reshape(2, self.imputations, -1)
        return both[0].copy(), both[1].copy()


def survey(folder: Path) -> Survey:
    lines = (folder / "settings.txt").read_text(encoding="utf-8").splitlines()
    return Survey(folder, dict(line.split(" ", 1) for line in lines))


def main() -> None:
    """Load, say so, and work until there is nothing more to read."""
    module, folder, job = sys.argv[1:]
    # Whatever a package prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    package = loaded(Path(module))
    try:
        work = package.JOBS[job](survey(Path(folder)))
    except NotImplementedError as error:
        tell(answers, {"unavailable": str(error)})
        return
    gc.collect()
    versions = {name: importlib.metadata.version(name) for name in package.PACKAGES}
    tell(answers, {"pid": os.getpid(), "versions": versions})
    for line in sys.stdin:
        if line.strip() == "run":
            gc.collect()
            cpu, started = time.process_time(), time.perf_counter()
            numbers = work()
            seconds, used = time.perf_counter() - started, time.process_time() - cpu
            listed = {name: np.asarray(values, dtype=float).tolist() for name, values in numbers.items()}
            tell(answers, {"seconds": seconds, "cpu": used, "numbers": listed})


def loaded(path: Path) -> Any:
    """The module in a file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tell(answers: TextIO, message: dict[str, Any]) -> None:
    print(json.dumps(message), file=answers, flush=True)


if __name__ == "__main__":
    main()
