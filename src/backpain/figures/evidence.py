"""Published studies beside our own estimate, grouped by contrast; nothing is pooled and there is no diamond."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from backpain.figures.effects import whisker
from backpain.figures.style import STYLE, WIDTH, require, rows_axis, styled, write
from backpain.tables.numbers import decimal, is_missing, ratio, sentence

COLUMNS = ["study", "design", "contrast", "outcome", "measure", "estimate", "low", "high", "group"]
DIFFERENCE = "mean difference"
TICKS = (0.25, 0.5, 1, 2, 4, 8)
SHORT = {"odds ratio": "OR", "hazard ratio": "HR", "risk ratio": "RR", DIFFERENCE: ""}


def points(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean differences as points of 100 on their pain scale."""
    factor = 100 / frame["scale"].astype(float)
    return frame.assign(**{name: frame[name] * factor for name in ("estimate", "low", "high")})


@styled
def evidence(published: pd.DataFrame, ours: pd.DataFrame | None = None) -> Figure:
    """Published estimates by contrast, ours in another colour; ratios above, mean differences below.

    published: rows of config/evidence.yaml. ours: rows with the same columns (and `gate`), drawn as "this study".
    """
    require(published, COLUMNS, "evidence")
    frames = [published.assign(ours=False, gate="passed")]
    if ours is not None and len(ours):
        frames.append(ours.assign(ours=True))
    every = pd.concat(frames, ignore_index=True)
    parts = [every[every["measure"] != DIFFERENCE], points(every[every["measure"] == DIFFERENCE])]
    parts = [part for part in parts if len(part)]
    rows = [len(part) + 1.4 * part["group"].nunique() for part in parts]
    heights = [0.29 * number + 1.0 for number in rows]
    figure = Figure(figsize=(WIDTH, sum(heights)))
    top = sum(heights)
    for part, number, height in zip(parts, rows, heights, strict=True):
        bottom = (top - height + 0.62) / sum(heights)
        axes = figure.add_axes((0.57, bottom, 0.21, (height - 0.72) / sum(heights)))
        panel(axes, part, number, ratios=part["measure"].iloc[0] != DIFFERENCE)
        top -= height
    return figure


def panel(axes: Axes, part: pd.DataFrame, rows: float, ratios: bool) -> None:
    """One scale's studies under the headings of their contrasts."""
    rows_axis(axes, int(np.ceil(rows)), 1 if ratios else 0)
    ends = part[["low", "high", "estimate"]].stack()
    if ratios:
        axes.set_xscale("log")
        axes.set_xlim(min(0.15, 0.9 * ends.min()), max(9.0, 1.1 * ends.max()))
        axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("less pain  ←  ratio  →  more pain")
    else:
        axes.set_xlim(1.15 * min(ends.min(), 0), max(2.0, 1.15 * ends.max()))
        axes.set_xlabel("less pain  ←  points of 100  →  more")
    row = 0.0
    for name, members in part.groupby("group", sort=False):
        write(axes, 0.01, row, sentence(str(name)).replace("->", "→"), fontweight="bold", color=STYLE["muted"])
        for _, line in members.iterrows():
            row += 1
            study(axes, row, line, ratios)
        row += 1.4
    axes.set_ylim(rows - 0.2, -0.6)


def study(axes: Axes, row: float, line: pd.Series, ratios: bool) -> None:
    """One study: its name and design, its interval, its numbers."""
    passed = line["gate"] == "passed"
    colour = STYLE["failed"] if not passed else STYLE["treated"] if line["ours"] else STYLE["muted"]
    weight = "bold" if line["ours"] else "normal"
    write(axes, 0.02, row, line["study"], fontweight=weight, color=colour if line["ours"] else STYLE["ink"])
    write(axes, 0.25, row, line["design"], color=STYLE["muted"], fontsize=9.5)
    whisker(axes, row, line, colour, filled=passed, square=bool(line["ours"]))
    write_ = ratio if ratios else decimal
    text = f"{SHORT.get(line['measure'], line['measure'])} {write_(line['estimate'])}".strip()
    ends = f"{write_(line['low'])} to {write_(line['high'])}"
    text += " (no interval)" if is_missing(line["low"]) else f" ({ends})"
    write(axes, 0.8, row, text, fontweight=weight)
