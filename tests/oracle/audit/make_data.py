"""Writes people.csv: a made-up survey (seeded) with a score, an amount that most have none of, and an outcome that follows both."""

from pathlib import Path

import numpy as np
import pandas as pd

generator = np.random.default_rng(2024)
n = 1200
score = generator.poisson(3.0, n)
minutes = np.where(generator.random(n) < 0.3, np.round(generator.gamma(2.0, 400.0, n)), 0.0)
age = generator.integers(20, 70, n)
eta = -2.2 + 0.15 * score + 0.0004 * minutes + 0.015 * (age - 45)
pd.DataFrame(
    {
        "stratum": np.repeat(np.arange(12), 100),
        "psu": np.tile(np.repeat([1, 2], 50), 12),
        "weight": np.round(generator.uniform(1, 9, n), 3),
        "age": age,
        "score": score,
        "minutes": minutes,
        "pain": (generator.random(n) < 1 / (1 + np.exp(-eta))).astype(int),
        "inside": (age < 60).astype(int),
    }
).to_csv(Path(__file__).parent / "people.csv", index=False)
