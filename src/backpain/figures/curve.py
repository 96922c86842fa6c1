"""The specification curve: every specification's estimate in order, and which choices it is made of."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from backpain.figures.style import STYLE, WIDTH, require, styled, write
from backpain.tables.numbers import ENDS, PER, difference, ratio, sentence, words

ROW, TOP, GAP = 0.27, 3.1, 0.25  # inches: a row of choices, the curve, what lies below it
UNITS = {
    "risk-difference": "Difference per 1,000 people",
    "risk-ratio": "Risk ratio (log scale)",
}


def choices_of(frame: pd.DataFrame) -> pd.DataFrame:
    """(specifications, choices) the option that each specification has of each choice, the estimator last."""
    parts = [dict(item.split(": ", 1) for item in text.split("; ")) for text in frame["choices"]]
    named = pd.DataFrame(parts, index=frame.index)
    return named.assign(estimator=[words(name) for name in frame["estimator"]])


@styled
def curve(frame: pd.DataFrame, truth: float | None = None) -> Figure:
    """Every specification's estimate with its interval, from the lowest to the highest, above the options it has.

    frame: rows of multiverse.csv of one survey, analysis and scale. Specifications that did not pass their diagnostics
    are grey; the declared one is a square. truth: the planted effect, on the frame's scale.
    """
    require(frame, ["specification", "choices", "declared", "estimator", "scale", *ENDS, "gate"], "multiverse")
    scale = str(frame["scale"].iloc[0])
    unit = PER if scale == "risk-difference" else 1
    lines = frame[frame["estimate"].notna()].sort_values("estimate", kind="stable", ignore_index=True)
    lines = lines.assign(**{name: unit * lines[name].astype(float) for name in ENDS})
    options = choices_of(lines)
    rows = sum(1 + options[choice].nunique() for choice in options)
    height = TOP + GAP + ROW * rows + 0.1
    figure = Figure(figsize=(WIDTH, height))
    upper = figure.add_axes((0.3, 1 - TOP / height, 0.685, (TOP - 0.35) / height))
    _estimates(upper, lines, scale, None if truth is None else unit * truth)
    lower = figure.add_axes((0.3, 0.1 / height, 0.685, ROW * rows / height), sharex=upper)
    _options(lower, lines, options, rows)
    return figure


def _estimates(axes: Axes, lines: pd.DataFrame, scale: str, truth: float | None) -> None:
    place = np.arange(len(lines))
    passed = (lines["gate"] == "passed").to_numpy()
    whole = lines[["low", "high"]].notna().all(axis=1).to_numpy()
    ends = [
        ((x, low), (x, high))
        for x, low, high in zip(place[whole], lines["low"][whole], lines["high"][whole], strict=True)
    ]
    axes.add_collection(LineCollection(ends, colors=STYLE["band"], linewidths=max(0.6, 300 / len(lines)), zorder=0))
    size = float(np.clip(120 / len(lines), 1.6, 5))
    for marks, colour in ((passed, STYLE["treated"]), (~passed, STYLE["failed"])):
        axes.plot(place[marks], lines["estimate"][marks], "o", color=colour, markersize=size, zorder=2)
    own = np.flatnonzero(lines["declared"].to_numpy(dtype=bool))
    axes.plot(place[own], lines["estimate"].iloc[own], "s", color=STYLE["ink"], markersize=7, zorder=3)
    told = difference if scale == "risk-difference" else ratio
    for one in own:
        value = float(lines["estimate"].iloc[one])
        top = float(lines[["high", "estimate"]].iloc[one].max())
        side = "right" if one > 0.8 * len(lines) else "left" if one < 0.2 * len(lines) else "center"
        text = f"declared {told(value / PER if scale == 'risk-difference' else value)}"
        axes.annotate(text, (one, top), (0, 4), textcoords="offset points", ha=side, va="bottom", fontweight="bold")
    axes.axhline(0 if scale == "risk-difference" else 1, color=STYLE["muted"], linewidth=0.9, zorder=1)
    if truth is not None:
        axes.axhline(truth, color=STYLE["truth"], linewidth=1.6, linestyle=(0, (5, 2)), zorder=1)
        axes.text(1.0, truth, "simulated truth ", color=STYLE["truth"], ha="right", va="bottom", fontweight="bold",
                  transform=axes.get_yaxis_transform())  # fmt: skip
    if scale != "risk-difference":
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: ratio(value))
        axes.yaxis.set_minor_formatter(lambda value, _: "")
    axes.set_ylabel(UNITS[scale], color=STYLE["muted"])
    axes.set_xlim(-0.01 * len(lines) - 0.5, 1.01 * len(lines))
    axes.tick_params(axis="x", length=0, labelbottom=False)
    axes.spines["bottom"].set_visible(False)


def _options(axes: Axes, lines: pd.DataFrame, options: pd.DataFrame, rows: int) -> None:
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_yticks([])
    axes.tick_params(axis="x", length=0, labelbottom=False)
    axes.spines["bottom"].set_visible(False)
    colours = np.where(lines["gate"] == "passed", STYLE["treated"], STYLE["failed"])
    width = max(0.4, min(2.0, 300 / len(lines)))
    row, declared = 0, lines.sort_values("specification").index
    for choice in options:
        write(axes, 0.006, row, sentence(words(str(choice))), color=STYLE["muted"], fontweight="bold", fontsize=10)
        for option in dict.fromkeys(options.loc[declared, choice]):
            row += 1
            write(axes, 0.016, row, str(option), fontsize=10)
            has = np.flatnonzero(options[choice] == option)
            ticks = [np.array([(x, row - 0.36), (x, row + 0.36)]) for x in has]
            axes.add_collection(LineCollection(ticks, colors=colours[has], linewidths=width))
        row += 1


def curves(frame: pd.DataFrame, truth: Mapping[str, float]) -> dict[str, Figure]:
    """A curve for each scale of one analysis, by its name: "curve-risk-difference"."""
    return {f"curve-{scale}": curve(rows, truth.get(str(scale))) for scale, rows in frame.groupby("scale", sort=False)}
