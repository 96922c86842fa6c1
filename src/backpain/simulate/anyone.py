"""People for a survey that declares no world: only their place in the design is drawn, every answer is left to chance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backpain.simulate.drawn import drawn
from backpain.spec import Survey

STRATA = 20
CLUSTERS = 2
LOST = 0.1


def anyone(survey: Survey, people: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw the frame of a survey of nobody in particular.

    Nothing in it depends on anything: whoever is made from it by `encode` has answers and rows by chance, anew in every
    wave, so no treatment changes any outcome. It shows that a survey's declaration and an analysis work together before
    the survey's files have arrived.

    Returns
    -------
    DataFrame
        One row for each person and wave, with the columns of `harmonise` but no variables.
    """
    panels = survey.waves.panels or {0: list(survey.waves.values)}
    panel = rng.choice(sorted(panels), size=people)
    number = pd.Series(np.arange(people) + 100_001).astype(str)
    parts = [pd.Series(panel).astype(str) if name == "panel" else number for name in survey.person]
    person = pd.DataFrame(
        {
            "person": parts[0].str.cat(pd.concat(parts[1:], axis=1), sep="-") if parts[1:] else parts[0],
            **({"panel": panel} if survey.waves.panels else {}),
            "seen_by": "record",
            "stratum": rng.integers(STRATA, size=people) + 1.0,
            "psu": rng.integers(CLUSTERS, size=people) + 1.0,
            **{f"weight_{name}": rng.uniform(500, 20_000, size=people) for name in survey.design.weights},
            **{f"link_{link.add}": "linked" for link in survey.links if link.to is not None},
        }
    )
    person = drawn(person, survey, rng)
    last = max(len(waves) for waves in panels.values())
    orders = range(last) if survey.waves.panels or survey.kind == "panel" else range(1)
    frames = []
    for order in orders:
        here = np.array([len(panels[one]) > order for one in panel]) & ((order == 0) | (rng.random(people) >= LOST))
        waves = [panels[one][order] for one in panel[here]]
        frames.append(person[here].assign(wave=waves, order=order))
    return pd.concat(frames, ignore_index=True)
