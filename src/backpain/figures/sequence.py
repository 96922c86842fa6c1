"""Cumulative incidence: of trials in sequence, one plot for each strategy, and by rounds of a follow-up."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from backpain.figures.style import STYLE, WIDTH, require, styled
from backpain.tables.numbers import PER

ARMS = {"untreated": "untreated", "treated": "treated"}
HEIGHT, BOTTOM, TOP = 3.9, 0.62, 0.75
DRAWN = ["risk", "low", "high", "band_low", "band_high"]
COLUMNS = ["strategy", "arm", "time", *DRAWN]
ROUND_COLUMNS = ["round", "scale", "arm", "time", *DRAWN[1:]]


@styled
def incidence(frame: pd.DataFrame, declared: Mapping[str, Any]) -> Figure:
    """Risks per 1,000 people by the end of each period, with intervals (bars) and simultaneous bands (shaded).

    frame: rows of sequence_curves.csv of one survey and analysis. declared: the protocol's block `sequence`.
    """
    require(frame, COLUMNS, "sequence_curves")
    frame = frame[frame["arm"].isin(list(ARMS))]
    names = list(dict.fromkeys(frame["strategy"]))
    figure = Figure(figsize=(WIDTH, HEIGHT))
    left, gap, right = 0.075, 0.045, 0.985
    wide = (right - left - gap * (len(names) - 1)) / len(names)
    top = 1.1 * PER * float(frame["band_high"].max())
    for place, name in enumerate(names):
        axes = figure.add_axes((left + place * (wide + gap), BOTTOM / HEIGHT, wide, 1 - (BOTTOM + TOP) / HEIGHT))
        mine = frame[frame["strategy"] == name]
        _curves(axes, mine)
        axes.set_ylim(0, top)
        title = "\n".join(wrap(str(declared["strategies"][name]["label"]), int(84 * wide)))
        axes.set_title(title, fontsize=11, loc="left", color=STYLE["ink"], pad=8)
        axes.set_xlabel(f"{str(declared['period']).capitalize()}s since time zero")
        axes.tick_params(axis="y", labelleft=place == 0)
        axes.grid(axis="y", color=STYLE["panel"], linewidth=0.8)
        axes.set_axisbelow(True)
        if not place:
            axes.set_ylabel("Risk by then, per 1,000")
    return figure


@styled
def by_round(frame: pd.DataFrame) -> Figure:
    """Risks per 1,000 people by the end of each round, with intervals (bars) and simultaneous bands (shaded).

    frame: rows of rounds.csv of one survey and analysis.
    """
    require(frame, [*ROUND_COLUMNS, "estimate"], "rounds")
    frame = frame[frame["scale"] == "risk"].rename(columns={"estimate": "risk"})
    names = list(dict.fromkeys(frame["round"]))
    figure = Figure(figsize=(WIDTH, HEIGHT - 0.4))
    axes = figure.add_axes((0.1, BOTTOM / (HEIGHT - 0.4), 0.88, 1 - (BOTTOM + 0.25) / (HEIGHT - 0.4)))
    _curves(axes, frame)
    axes.set_ylim(0, 1.1 * PER * float(frame["band_high"].max()))
    axes.set_xticks(np.arange(len(names) + 1), ["time zero", *names])
    axes.set_xlabel("By the end of")
    axes.set_ylabel("Risk by then, per 1,000")
    axes.grid(axis="y", color=STYLE["panel"], linewidth=0.8)
    axes.set_axisbelow(True)
    return figure


def _curves(axes: Axes, frame: pd.DataFrame) -> None:
    ends = {}
    for side, arm in zip((-0.04, 0.04), ARMS, strict=True):
        lines = frame[frame["arm"] == arm].sort_values("time")
        time = np.append(0.0, lines["time"].to_numpy(float))
        told = {name: np.append(0.0, PER * lines[name].to_numpy(float)) for name in DRAWN}
        axes.fill_between(time, told["band_low"], told["band_high"], color=STYLE[arm], alpha=0.14, linewidth=0)
        axes.plot(
            time, told["risk"], color=STYLE[arm], linewidth=1.8, marker="s" if arm == "treated" else "o", markersize=5
        )
        axes.vlines(time[1:] + side, told["low"][1:], told["high"][1:], color=STYLE[arm], linewidth=1.2)
        ends[arm] = float(told["risk"][-1])
    last = float(frame["time"].max())
    axes.set_xlim(0, last + 0.12)
    axes.set_xticks(np.arange(0, last + 1))
    # Each name beside its own curve, at the height of its last point but outside the other's.
    upper = max(ends, key=lambda arm: ends[arm])
    for arm in ends:
        above = arm == upper
        edge = frame.loc[(frame["arm"] == arm) & (frame["time"] == last), "band_high" if above else "band_low"]
        axes.annotate(
            ARMS[arm], (last, PER * float(edge.iloc[0])), (0, 4 if above else -4), textcoords="offset points",
            ha="right", va="bottom" if above else "top", color=STYLE[arm], fontsize=10, fontweight="bold",
        )  # fmt: skip


__all__ = ["by_round", "incidence"]
