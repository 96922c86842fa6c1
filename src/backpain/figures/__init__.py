"""Figures: they only draw. Each takes frames and returns a matplotlib figure; `save` writes it as SVG.

Each room has a `draw(results, facts)` that returns all its figures of a run by the name the report looks for.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from backpain.figures import diagnostics, effects, evidence, people
from backpain.figures.style import STYLE, save, svg

ROOMS = (people, diagnostics, effects, evidence)


def draw(results: Mapping[str, pd.DataFrame], facts: Mapping[str, Any]) -> dict[str, Figure]:
    """All figures of a run, by name; results and facts are those of `backpain.report.render`."""
    return {name: figure for room in ROOMS for name, figure in room.draw(results, facts).items()}


__all__ = ["STYLE", "diagnostics", "draw", "effects", "evidence", "people", "save", "svg"]
