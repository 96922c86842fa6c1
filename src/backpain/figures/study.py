"""How the estimators did in the simulation study: a cell for each scenario and estimator, with its number in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from backpain.figures.style import STYLE, canvas, require, styled
from backpain.tables.numbers import decimal, sentence, words

ROW = 0.36  # inches
# By how many cells the estimators' names reach up, and from where on a number is dark on its ground.
HEAD = 3.4


@styled
def bias(table: pd.DataFrame) -> Figure:
    """Bias in empirical standard errors. table: rows of performance.csv on one scale."""
    values = table["bias"] / table["empirical_se"]
    return _cells(table.assign(shown=values, far=values.abs()), "Bias, in standard errors", 2, "biased")


@styled
def coverage(table: pd.DataFrame) -> Figure:
    """Coverage of the 95 % interval, as a percentage. table: rows of performance.csv on one scale."""
    # Between 95 and 75 % is what there is to see.
    far = ((0.95 - table["coverage"]) / 0.2).clip(0, 1)
    return _cells(
        table.assign(shown=100 * table["coverage"], far=far), "Coverage of 95% intervals, %", 1, "covers too little"
    )


def _cells(table: pd.DataFrame, title: str, places: int, failing: str) -> Figure:
    require(table, ["scenario", "estimator", "role", "verdict", "shown", "far"], "performance")
    scenarios, estimators = table["scenario"].unique(), table["estimator"].unique()
    figure, axes = canvas(ROW * (len(scenarios) + HEAD) + 0.2, 0.24, 0.995, 0.02)
    axes.set_xlim(-0.5, len(estimators) - 0.5)
    axes.set_ylim(len(scenarios) - 0.5, -0.5 - HEAD)
    axes.set_axis_off()
    axes.text(-0.55, -0.75, title, ha="right", va="bottom", color=STYLE["muted"], fontsize=10)
    for column, name in enumerate(estimators):
        axes.text(
            column - 0.3, -0.65, words(name), ha="left", va="bottom", rotation=38, rotation_mode="anchor", fontsize=10
        )
    rows, columns = (
        {name: row for row, name in enumerate(scenarios)},
        {name: col for col, name in enumerate(estimators)},
    )
    for name, row in rows.items():
        axes.text(-0.6, row, sentence(name), ha="right", va="center")
    for line in table.to_dict("records"):
        place = np.array([columns[line["estimator"]], rows[line["scenario"]]], dtype=float)
        asked = line["role"] != "reported"
        colour = STYLE["untreated" if asked and line["verdict"] == failing else "band"]
        shade = float(np.clip(line["far"], 0.0, 1.0))
        alpha = 0.15 + 0.85 * shade if colour == STYLE["band"] else 0.25 + 0.5 * shade
        axes.fill_between(
            [place[0] - 0.46, place[0] + 0.46], place[1] - 0.44, place[1] + 0.44, color=colour, alpha=alpha, linewidth=0
        )
        ink: dict[str, Any] = {"color": STYLE["ink"], "fontweight": "bold"} if asked else {"color": STYLE["muted"]}
        axes.text(place[0], place[1], decimal(line["shown"], places), ha="center", va="center", fontsize=9.5, **ink)
    return figure
