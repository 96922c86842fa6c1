"""Writes the people that mediate.R and the tests both read. Run it only to make the data anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit

HERE = Path(__file__).parent


def people(seed: int = 20261124, size: int = 900) -> pd.DataFrame:
    """Treatment changes a score and visits, and both change an outcome; some are lost, some had the outcome too early."""
    rng = np.random.default_rng(seed)
    age, woman = np.round(rng.normal(0, 1, size), 6), rng.integers(0, 2, size)
    stratum, psu = rng.integers(12, size=size), rng.integers(2, size=size)
    treated = (rng.random(size) < expit(0.4 * age - 0.3 * woman)).astype(int)
    visits = np.round(rng.normal(0.5 * treated + 0.3 * age, 1), 6)
    shared = rng.normal(0, 0.3, (12, 2))[stratum, psu]
    score = np.round(8 - 2 * treated + age - 0.8 * visits + shared + rng.normal(0, 2, size), 6)
    cut = (score < 7).astype(int)
    event = (rng.random(size) < expit(-0.9 - 0.3 * treated - 0.6 * cut + 0.4 * age + 0.3 * visits + shared)).astype(int)
    early = rng.random(size) > expit(2.5 - 0.3 * age)
    lost = rng.random(size) > expit(1.5 + 0.5 * treated - 0.3 * age + 0.2 * woman)
    frame = pd.DataFrame(
        {
            "stratum": stratum,
            "psu": psu,
            "weight": np.round(rng.uniform(500, 3000, size), 3),
            "age": age,
            "woman": woman,
            "treated": treated,
            "at_risk": np.where(lost, np.nan, (~early).astype(float)),
        }
    )
    out = lost | early
    after = {"visits": visits, "score": score, "remitted": cut, "event": event}
    return frame.assign(**{name: pd.Series(values, dtype=float).mask(out) for name, values in after.items()})


if __name__ == "__main__":
    people().to_csv(HERE / "people.csv", index=False)
