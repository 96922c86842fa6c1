"""The simulated surveys that every package is given, written once as plain doubles."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

STRATA, PSUS, GROUPS, LEVELS = 62, 2, 25, 4
COVARIATES = [f"x{number}" for number in range(1, 16)]
# Eight numbers, six of 0 and 1, one of four levels.
NUMBERS, BINARY, CATEGORY = COVARIATES[:8], COVARIATES[8:14], COVARIATES[14]
# Which of them have gaps in the imputation job, and how many.
GAPS = {"x1": 0.1, "x2": 0.15, "x3": 0.05, "x9": 0.1, "x10": 0.15, "x11": 0.05, CATEGORY: 0.12}


@dataclass(frozen=True)
class Settings:
    """One survey: people, replicates of its bootstrap, imputations and their iterations, seed."""

    people: int
    replicates: int = 500
    imputations: int = 20
    iterations: int = 10
    seed: int = 20_240_301


def write(settings: Settings, folder: Path) -> None:
    """Write a survey into a folder.

    `people.bin` and `gaps.bin` (the same with gaps as NaN): (people, columns) doubles, column after column;
    `factor.bin`: (units, replicates) Rao-Wu multipliers, replicate after replicate; `given.bin`: (imputations, 17)
    estimates and then as many variances to pool; `settings.txt`: a line for each setting, and the columns' names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(settings.seed)
    people = draw(settings.people, generator)
    _doubles(folder / "people.bin", list(people.values()))
    _doubles(folder / "gaps.bin", list(withhold(people, generator).values()))
    _doubles(folder / "factor.bin", [rao_wu(settings.replicates, generator).T])
    _doubles(folder / "given.bin", _given(settings.imputations, generator))
    lines = [f"{name} {value}" for name, value in asdict(settings).items()]
    lines += [f"units {STRATA * PSUS}", f"columns {' '.join(people)}", f"covariates {' '.join(COVARIATES)}"]
    (folder / "settings.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def draw(people: int, generator: np.random.Generator) -> dict[str, Numbers]:
    """People with a design, covariates that differ by PSU, a treatment they sway and an outcome both sway."""
    # Everyone's PSU in turn first, so that none is empty however few people there are.
    unit = np.sort(np.arange(people) % (STRATA * PSUS))
    place = generator.normal(size=(STRATA * PSUS, 3))
    columns: dict[str, Numbers] = {}
    for number, name in enumerate(NUMBERS):
        columns[name] = generator.normal(size=people) + 0.2 * place[unit, number % 3]
    for number, name in enumerate(BINARY):
        columns[name] = (generator.random(people) < 0.2 + 0.08 * number).astype(float)
    columns[CATEGORY] = generator.integers(1, LEVELS + 1, people).astype(float)
    effect = np.resize([0.25, -0.2, 0.1], len(COVARIATES))
    sway = sum(size * columns[name] for size, name in zip(effect, COVARIATES, strict=True)) + 0.2 * place[unit, 0]
    treated = _happens(-0.7 + sway, generator)
    event = _happens(-0.9 + 0.5 * sway - 0.3 * treated + 0.2 * place[unit, 1], generator)
    return {
        "stratum": (unit // PSUS).astype(float),
        "psu": (unit % PSUS).astype(float),
        "unit": unit.astype(float),
        "group": generator.integers(0, GROUPS, people).astype(float),
        "weight": generator.lognormal(8.0, 0.6, people),
        "treated": treated,
        "event": event,
        **columns,
    }


def withhold(people: dict[str, Numbers], generator: np.random.Generator) -> dict[str, Numbers]:
    """The same people with gaps at random given treatment, outcome and a covariate that everyone has."""
    withheld = dict(people)
    for name, share in GAPS.items():
        odds = np.log(share / (1 - share)) + 0.4 * people["treated"] - 0.4 * people["event"] + 0.3 * people["x4"]
        withheld[name] = np.where(_happens(odds, generator) == 1, np.nan, people[name])
    return withheld


def rao_wu(replicates: int, generator: np.random.Generator) -> Numbers:
    """(units, replicates) multipliers: one of a stratum's two PSUs is drawn and counts double.

    Rao, Wu and Yue 1992, Surv Methodol 18:209, with n - 1 = 1 draws.
    """
    first = generator.integers(0, 2, (STRATA, replicates))
    return np.stack([2.0 * first, 2.0 * (1 - first)], axis=1).reshape(STRATA * PSUS, replicates)


def _happens(odds: Numbers, generator: np.random.Generator) -> Numbers:
    return np.asarray(generator.random(len(odds)) < 1 / (1 + np.exp(-odds)), dtype=float)


def _given(imputations: int, generator: np.random.Generator) -> list[Numbers]:
    count = len(COVARIATES) + 2
    estimates = generator.normal(0.3, 0.05, (imputations, count))
    return [estimates, generator.uniform(0.002, 0.02, (imputations, count))]


def _doubles(path: Path, parts: list[Numbers]) -> None:
    with path.open("wb") as file:
        for part in parts:
            np.ascontiguousarray(part, dtype="<f8").tofile(file)
