"""Writes the two made-up samples that designs.R and test_survey_designs.py both read. Run it only to make them anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent


def pairs(seed: int = 20260401) -> pd.DataFrame:
    """Ten strata of two PSUs, which half-samples need; two of the region's strata hold no member of the domain."""
    rng = np.random.default_rng(seed)
    parts = []
    for stratum in range(11, 21):  # R sorts strata as text
        for psu in (1, 2):
            size = int(rng.integers(12, 20))
            level = rng.normal(0, 0.4)
            age = rng.integers(20, 80, size).astype(float)
            parts.append(
                pd.DataFrame(
                    {
                        "stratum": stratum,
                        "psu": psu,
                        "weight": np.round(rng.gamma(2.5, 900, size) + 100, 3),
                        "age": age,
                        "ages": np.select([age < 40, age < 60], ["20-39", "40-59"], "60+"),
                        "region": rng.choice(["north", "south", "west"], size, p=[0.5, 0.3, 0.2]),
                        # Rounded, so that values tie.
                        "cost": np.round(rng.gamma(1.5, 300, size) * (1 + level / 4), -1),
                        "event": (rng.random(size) < 1 / (1 + np.exp(1.2 - 0.02 * (age - 45) - level))).astype(int),
                    }
                )
            )
    made = pd.concat(parts, ignore_index=True)
    # Without ties: between tied values R's straight lines end a hair below them, and its intervals then leave them out.
    made["amount"] = np.round(rng.gamma(1.5, 300, len(made)), 4)
    made["domain"] = ((made["age"] >= 35) & (made["stratum"] <= 18)).astype(int)
    return made


def stages(seed: int = 20260402) -> pd.DataFrame:
    """Schools drawn within strata, classes within schools and pupils within classes, each from a known number."""
    rng = np.random.default_rng(seed)
    rows = []
    for stratum, (schools, of) in enumerate([(3, 9), (2, 30), (4, 5), (2, 2)], 1):
        for school in range(1, schools + 1):
            classes = int(rng.integers(3, 9))
            for room in range(1, int(rng.integers(2, min(classes, 4) + 1)) + 1):
                pupils = int(rng.integers(8, 30))
                asked = int(rng.integers(3, 7))
                level = rng.normal(0, 5)
                for _ in range(asked):
                    rows.append((stratum, 100 * stratum + school, room, of, classes, pupils, asked, level))
    names = ["stratum", "school", "room", "schools", "rooms", "pupils", "asked", "level"]
    made = pd.DataFrame(rows, columns=names)
    made["pupil"] = np.arange(len(made)) + 1
    drawn = made.groupby("stratum")["school"].transform("nunique"), made.groupby("school")["room"].transform("nunique")
    made["weight"] = np.round(made["schools"] / drawn[0] * made["rooms"] / drawn[1] * made["pupils"] / made["asked"], 6)
    made["score"] = np.round(50 + made["level"] + rng.normal(0, 8, len(made)), 2)
    made["domain"] = (rng.random(len(made)) < 0.7).astype(int)
    return made.drop(columns=["level", "asked"])


if __name__ == "__main__":
    pairs().to_csv(HERE / "pairs.csv", index=False)
    stages().to_csv(HERE / "stages.csv", index=False)
