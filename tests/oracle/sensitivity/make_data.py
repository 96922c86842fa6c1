"""Writes the made-up survey of a trial with people lost, for sensitivity.R (seeded)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

generator = np.random.default_rng(20)
people = pd.DataFrame({"stratum": np.repeat(np.arange(10), 60), "psu": np.tile(np.repeat([1, 2, 3], 20), 10)})
people["weight"] = np.round(generator.uniform(500, 4000, len(people)), 3)
people["treated"] = (generator.uniform(size=len(people)) < 0.4).astype(int)
people["event"] = (generator.uniform(size=len(people)) < 0.25 - 0.08 * people["treated"]).astype(int)
people["lost"] = (generator.uniform(size=len(people)) < 0.15 + 0.05 * people["treated"]).astype(int)
people.to_csv(Path(__file__).with_name("people.csv"), index=False)
