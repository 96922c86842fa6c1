"""Writes the made-up panel that sequence.R and the tests both read. Run it only to make the data anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent


def panel(seed: int = 20260402, people: int = 480, periods: int = 8) -> tuple[pd.DataFrame, pd.DataFrame]:
    """People in 8 strata of 3 PSUs, followed until the event, death, loss or the end.

    `low` changes with time, sways treatment, event and loss, and is swayed by treatment. Everybody may begin a trial
    until they were treated. The smallest numbers matter, so all are written with few digits.
    """
    rng = np.random.default_rng(seed)
    unit = np.sort(np.arange(people) % 24)
    sex, age = rng.integers(0, 2, people), np.round(rng.normal(size=people), 3)
    weight = np.round(rng.gamma(2.5, 2000, people) + 200, 2)
    place = rng.normal(0, 0.3, 24)[unit]
    sample = pd.DataFrame(
        {
            "id": 1000 + np.arange(people),
            "stratum": unit // 3,
            "psu": unit % 3,
            "weight": weight,
            "sex": sex,
            "age": age,
        }
    )
    there, ever = np.ones(people, dtype=bool), np.zeros(people, dtype=bool)
    prior, low = np.zeros(people, dtype=bool), np.round(rng.normal(size=people) + 0.3 * age, 3)
    parts = []
    for period in range(periods):
        treated = rng.random(people) < expit(-1.6 + 3.2 * prior + 0.5 * low + 0.2 * sex - 0.03 * period)
        death = rng.random(people) < expit(-3.9 + 0.4 * age + 0.2 * low)
        event = ~death & (rng.random(people) < expit(-2.9 - 0.4 * treated + 0.5 * low + 0.3 * sex + place))
        lost = ~event & ~death & (rng.random(people) < expit(-2.8 + 0.4 * low - 0.3 * treated))
        lost &= period < periods - 1
        columns = {"treated": treated, "event": event, "death": death, "lost": lost, "eligible": ~ever}
        made = sample[["id", "sex", "age"]].assign(period=period, low=low, **columns)
        parts.append(made[there].astype(dict.fromkeys(columns, int)))
        there = there & ~event & ~death & ~lost
        ever, prior = ever | treated, treated
        low = np.round(0.6 * low + 0.6 * rng.normal(size=people) - 0.4 * treated + 0.1 * age, 3)
    rows = pd.concat(parts).sort_values(["id", "period"], ignore_index=True)
    return sample.drop(columns=["sex", "age"]), rows


def expit(x: np.ndarray) -> np.ndarray:
    """Probability from log-odds."""
    return 1 / (1 + np.exp(-x))


if __name__ == "__main__":
    sample, rows = panel()
    sample.to_csv(HERE / "people.csv", index=False)
    rows.to_csv(HERE / "periods.csv", index=False)
