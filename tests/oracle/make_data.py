"""Writes the small made-up survey that survey.R and the tests both read. Run it only to make the data anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent


def people(seed: int = 20260301) -> pd.DataFrame:
    """Some 640 people in 14 strata of two or three PSUs, and two strata of a single PSU.

    Stratum 5 has domain members in one of its PSUs only, stratum 9 none at all. The smallest numbers matter: every
    column is written with digits enough to be read back as the same double.
    """
    rng = np.random.default_rng(seed)
    drawn = [2, 2, 3, 2, 2, 3, 2, 2, 2, 3, 2, 2, 3, 2, 1, 1]
    units = [(stratum, psu) for stratum, count in enumerate(drawn, 1) for psu in range(1, count + 1)]
    parts = []
    for stratum, psu in units:
        size = int(rng.integers(14, 23))
        level = rng.normal(0, 0.35)
        age = rng.integers(18, 80, size).astype(float)
        sex = rng.choice(["female", "male"], size)
        visits = rng.poisson(2.0, size).astype(float)
        treated = rng.random(size) < expit(-0.4 + 0.02 * (age - 45) + 0.3 * (sex == "male") + 0.15 * visits + level)
        followed = rng.random(size) < expit(1.6 + 0.4 * treated - 0.01 * (age - 45))
        event = rng.random(size) < expit(-1.4 + 0.4 * treated + 0.02 * (age - 45) + 0.15 * visits + level)
        parts.append(
            pd.DataFrame(
                {
                    "stratum": stratum,
                    "psu": psu,
                    "weight": np.round(rng.gamma(2.5, 2000, size) + 200, 3),
                    "age": age,
                    "sex": sex,
                    "visits": visits,
                    "cost": np.round(rng.gamma(1.5, 300, size) * (1 + 0.3 * treated), 2),
                    "treated": treated.astype(int),
                    "followed": followed.astype(int),
                    "event": event.astype(int),
                }
            )
        )
    made = pd.concat(parts, ignore_index=True)
    older = made["age"] >= 40
    made["domain"] = (older & (made["stratum"] != 9) & ~((made["stratum"] == 5) & (made["psu"] == 2))).astype(int)
    return made


def expit(x: np.ndarray) -> np.ndarray:
    """Probability from log-odds."""
    return 1 / (1 + np.exp(-x))


if __name__ == "__main__":
    people().to_csv(HERE / "people.csv", index=False)
