"""Writes what impute.R and the tests both read. Run it only to make the data anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent


def people(seed: int = 20260302, size: int = 240) -> pd.DataFrame:
    """A number, a yes-no and a four-level category with predictors; everyone who is `sure` has the yes."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 80, size).astype(float)
    score = np.round(rng.normal(0, 1, size), 6)
    male = rng.integers(0, 2, size)
    sure = (rng.random(size) < 0.08).astype(int)
    two = np.where(sure == 1, 1, rng.random(size) < 1 / (1 + np.exp(-(-1.0 + 0.02 * (age - 45) + 0.6 * score))))
    lean = np.column_stack([np.zeros(size), 0.4 * score, 0.03 * (age - 45), 0.5 * male - 0.5 * score])
    chance = np.exp(lean) / np.exp(lean).sum(axis=1, keepdims=True)
    four = (rng.random(size)[:, None] > chance.cumsum(axis=1)).sum(axis=1)
    number = np.round(20 + 0.05 * age + 1.5 * score + rng.normal(0, 2, size), 6)
    return pd.DataFrame(
        {"age": age, "score": score, "male": male, "sure": sure, "two": two.astype(int), "four": four, "number": number}
    )


def fits(seed: int = 20260303, m: int = 8) -> pd.DataFrame:
    """Three coefficients and their covariance from each of m imputations: b1..b3 and v11, v12, ..., v33."""
    rng = np.random.default_rng(seed)
    truth, spread = np.array([0.4, -0.2, 0.9]), np.array([0.05, 0.12, 0.02])
    rows = []
    for _ in range(m):
        root = np.diag([0.1, 0.15, 0.2]) + 0.02 * rng.normal(size=(3, 3))
        rows.append([*(truth + spread * rng.normal(size=3)), *(root @ root.T).ravel()])
    names = [f"b{a}" for a in (1, 2, 3)] + [f"v{a}{b}" for a in (1, 2, 3) for b in (1, 2, 3)]
    return pd.DataFrame(rows, columns=names)


if __name__ == "__main__":
    people().to_csv(HERE / "people.csv", index=False)
    fits().to_csv(HERE / "fits.csv", index=False)
