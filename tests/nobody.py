"""People for a survey that has none yet: only their place in the design is said, the rest is left to chance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from backpain.simulate.drawn import drawn
from backpain.spec import Survey


def nobody_in_particular(survey: Survey, each: int = 60) -> pd.DataFrame:
    """People, `each` in a panel, of whom only the design is said; every answer is left to chance, a tenth is not seen again."""
    rng = np.random.default_rng(3)
    panels = survey.waves.panels or {0: list(survey.waves.values)}
    rows = []
    for panel, waves in panels.items():
        for number in range(each if survey.waves.panels else 5 * each):
            design = {"stratum": 1.0 + number % 4, "psu": 1.0 + number // 4 % 2}
            weights = {f"weight_{name}": float(rng.uniform(500, 20000)) for name in survey.design.weights}
            links = {f"link_{link.add}": "linked" for link in survey.links if link.to is not None}
            person = f"{panel}{100_001 + number}"
            named = "-".join(str(panel) if part == "panel" else person for part in survey.person)
            for order, wave in enumerate(waves[:1] if number % 10 == 0 else waves):
                panel_of = {"panel": panel} if survey.waves.panels else {}
                rows.append(
                    {"person": named, **panel_of, "wave": wave, "order": order if survey.kind == "panel" else 0}
                    | {"seen_by": "record", **design, **weights, **links}
                )
    people = drawn(pd.DataFrame(rows), survey, rng)
    if survey.files[survey.base].rows.many:
        # Whoever is in such a file has a row in it; without this everybody's would be of the first kind there is.
        people["back_pain"] = pd.Categorical(rng.choice(["absent", "present"], len(people)), ["absent", "present"])
    return people
