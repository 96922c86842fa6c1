"""What was found: variations, absolute risks, what could have been detected, groups, and published evidence."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from backpain.figures.people import ARMS, shown
from backpain.figures.style import STYLE, canvas, require, rows_axis, styled, write
from backpain.tables.numbers import (
    PER,
    difference,
    failed,
    gate_words,
    is_missing,
    sentence,
    with_interval,
    words,
)

FAMILIES = ("The declared analysis", "Other definitions and models", "One panel left out", "Single panels, to describe only")


def family(line: pd.Series) -> str:
    """Which group of the forest a variation stands in."""
    if line["variation"] == "main":
        return FAMILIES[0]
    if line["gate"] == "description":
        return FAMILIES[3]
    return FAMILIES[2] if str(line["variation"]).startswith("without-") else FAMILIES[1]


def whisker(axes: Axes, row: float, line: pd.Series, colour: str, filled: bool, square: bool = False) -> None:
    """A point and its interval in the axis's unit; hollow when the estimate is no answer."""
    if not (is_missing(line["low"]) or is_missing(line["high"])):
        low, high = axes.get_xlim()
        axes.plot([max(line["low"], low), min(line["high"], high)], [row, row], color=colour, linewidth=1.6)
        for end, edge, mark in ((line["low"], low, "<"), (line["high"], high, ">")):
            if (end < edge) if mark == "<" else (end > edge):
                axes.plot([edge], [row], marker=mark, color=colour, markersize=6, clip_on=False)
    axes.plot([line["estimate"]], [row], marker="s" if square else "o", markersize=7, color=colour, zorder=3,
              markerfacecolor=colour if filled else STYLE["paper"], markeredgewidth=1.6, linestyle="none")  # fmt: skip


def scaled(frame: pd.DataFrame) -> pd.DataFrame:
    """Estimates and intervals per 1,000 people."""
    return frame.assign(**{name: PER * frame[name].astype(float) for name in ("estimate", "low", "high")})


def span(frame: pd.DataFrame, *more: float) -> tuple[float, float]:
    """Limits that hold every estimate and nearly every interval, so that one wide interval does not flatten all."""
    ends = np.concatenate([frame["low"].dropna(), frame["high"].dropna()])
    points = np.concatenate([frame["estimate"].dropna(), [0.0, *more]])
    low, high = np.quantile(ends, [0.04, 0.96]) if len(ends) > 8 else (ends.min(), ends.max())
    low, high = min(low, points.min()), max(high, points.max())
    return low - 0.06 * (high - low), high + 0.06 * (high - low)


@styled
def forest(frame: pd.DataFrame, truth: float | None = None, smallest: int | None = None) -> Figure:
    """Every variation's risk difference per 1,000 people, with its people and events.

    frame: the risk-difference rows of estimates.csv of one survey, analysis and estimator, one per variation.
    Estimates whose gate failed are hollow and say so; single panels are hollow. truth: the planted risk difference.
    """
    require(frame, ["variation", "estimate", "low", "high", "people", "events", "gate"], "estimates")
    lines = scaled(frame).assign(family=frame.apply(family, axis=1))
    groups = [(name, lines[lines["family"] == name]) for name in FAMILIES if (lines["family"] == name).any()]
    rows = len(lines) + 1.35 * len(groups)
    figure, axes = canvas(0.29 * rows + 1.1, 0.445, 0.715, 0.62)
    rows_axis(axes, int(np.ceil(rows)), 0)
    axes.set_xlim(*span(lines, *([] if truth is None else [PER * truth])))
    for x, text, side in ((0.01, "Variation", "left"), (0.35, "People", "right"), (0.425, "Events", "right"),
                          (0.735, "Difference (95% interval)", "left")):  # fmt: skip
        write(axes, x, -0.9, text, color=STYLE["muted"], ha=side, fontsize=9.5)
    row = 0.0
    for name, members in groups:
        write(axes, 0.01, row, name, color=STYLE["muted"], fontsize=9.5, fontweight="bold")
        for _, line in members.iterrows():
            row += 1
            forest_row(axes, row, line, smallest)
        row += 1.35
    if truth is not None:
        truth_line(axes, PER * truth)
    axes.set_ylim(rows - 0.2, -1.4 if truth is None else -2.0)
    axes.set_xlabel("fewer with treatment  ←  per 1,000 people  →  more with treatment")
    return figure


def forest_row(axes: Axes, row: float, line: pd.Series, smallest: int | None) -> None:
    """One variation: its name, people, events, interval and estimate."""
    passed = line["gate"] == "passed"
    colour = STYLE["treated"] if passed else STYLE["failed"]
    text = STYLE["ink"] if passed else STYLE["muted"]
    weight = "bold" if line["variation"] == "main" else "normal"
    name = "Main analysis" if line["variation"] == "main" else sentence(words(str(line["variation"])))
    write(axes, 0.02, row, name, color=text, fontweight=weight)
    for x, column in ((0.35, "people"), (0.425, "events")):
        printed = shown(line, column, smallest)
        slight = {"color": STYLE["muted"], "fontsize": 8} if printed == "withheld" else {"color": text}
        write(axes, x, row, printed, ha="right", fontweight=weight, **slight)
    if line["estimate"] == line["estimate"]:
        whisker(axes, row, line, colour, filled=passed, square=weight == "bold")
    words_ = with_interval(*(line[name] / PER for name in ("estimate", "low", "high")), "risk-difference")
    note = gate_words(line["gate"]) if failed(line["gate"]) else ""
    write(axes, 0.735, row, note or words_, color=text, fontweight=weight, fontsize=9 if note else None,
          fontstyle="italic" if note else "normal")  # fmt: skip


def truth_line(axes: Axes, truth: float) -> None:
    """The planted effect of a simulated run."""
    axes.axvline(truth, color=STYLE["truth"], linewidth=1.6, linestyle=(0, (5, 2)), zorder=0)
    axes.text(truth, 1.0, f"simulated truth {difference(truth / PER)}", color=STYLE["truth"], ha="center", va="bottom",
              transform=axes.get_xaxis_transform(), fontweight="bold", fontsize=9.5)  # fmt: skip


@styled
def absolute_risks(frame: pd.DataFrame) -> Figure:
    """The risk in each arm per 1,000 people, with its interval.

    frame: the risk rows of estimates.csv of one survey, analysis, variation and estimator.
    """
    require(frame, ["arm", "estimate", "low", "high", "gate"], "estimates")
    lines = scaled(frame)
    figure, axes = canvas(0.62 * len(lines) + 0.95, 0.16, 0.6, 0.62)
    rows_axis(axes, len(lines), 0)
    axes.set_xlim(0, 1.08 * float(lines["high"].max()))
    for row, (_, line) in enumerate(lines.iterrows()):
        colour = STYLE.get(line["arm"], STYLE["treated"])
        filled = not failed(line["gate"])
        write(axes, 0.145, row, sentence(line["arm"]), ha="right", color=colour, fontweight="bold")
        whisker(axes, row, line, colour, filled=filled, square=line["arm"] == ARMS[1])
        ends = with_interval(*(line[name] / PER for name in ("estimate", "low", "high")), "risk")
        write(axes, 0.625, row, f"{ends} per 1,000", fontsize=11)
    axes.set_xlabel("People with new back pain per 1,000")
    return figure


@styled
def detectable(line: pd.Series, limit: float, power: float, truth: float | None = None) -> Figure:
    """The estimate against the smallest difference this analysis could have found.

    line: the risk-difference row of estimates.csv. limit: detectable_difference of detectable.csv, a risk difference.
    """
    one = scaled(line.to_frame().T.infer_objects()).iloc[0]
    edge = PER * limit
    figure, axes = canvas(2.3 if truth is None else 2.5, 0.03, 0.97, 0.62)
    reach = 1.12 * max(edge, abs(one["low"]), abs(one["high"]), abs(PER * truth) if truth is not None else 0)
    axes.set_xlim(-reach, reach)
    rows_axis(axes, 1)
    axes.fill_between([-edge, edge], -0.55, 0.65, color=STYLE["band"], zorder=0, linewidth=0)
    axes.plot([0, 0], [-0.55, 0.65], color=STYLE["muted"], linewidth=0.9, zorder=1)
    for side, place in ((-edge, "right"), (edge, "left")):
        axes.text(side, -0.36, f"\u00a0{difference(side / PER)}\u00a0", ha="left" if place == "right" else "right",
                  color=STYLE["muted"])  # fmt: skip
    axes.text(0, -0.78, f"Differences inside the band are too small to be found {power:.0%} of the time",
              ha="center", color=STYLE["muted"])  # fmt: skip
    passed = not failed(one["gate"])
    whisker(axes, 0.1, one, STYLE["treated"] if passed else STYLE["failed"], filled=passed, square=True)
    if truth is not None:
        axes.plot([PER * truth] * 2, [-0.35, 0.45], color=STYLE["truth"], linewidth=1.6, linestyle=(0, (5, 2)))
        axes.text(PER * truth, 0.56, f"simulated truth {difference(truth)}", ha="center", color=STYLE["truth"],
                  fontweight="bold", va="center", fontsize=9.5)  # fmt: skip
    axes.set_ylim(0.65, -1.0)
    axes.set_xlabel("Risk difference per 1,000 people")
    return figure


@styled
def groups(frame: pd.DataFrame, smallest: int | None = None) -> Figure:
    """How common the outcome is in each group: a description, not an effect.

    frame: the risk rows of estimates.csv of one survey, association, variation and estimator.
    """
    require(frame, ["arm", "estimate", "low", "high", "people", "events"], "estimates")
    lines = scaled(frame).reset_index(drop=True)
    figure, axes = canvas(0.5 * len(lines) + 1.15, 0.38, 0.72, 0.62)
    rows_axis(axes, len(lines), 0)
    axes.set_xlim(0, 1.06 * float(lines["high"].max()))
    for x, text, side in ((0.355, "People", "right"), (0.745, "Per 1,000 (95% interval)", "left")):
        write(axes, x, -0.8, text, color=STYLE["muted"], ha=side, fontsize=9.5)
    for row, line in lines.iterrows():
        write(axes, 0.01, float(row), sentence(line["arm"]))  # type: ignore[arg-type]
        write(axes, 0.355, float(row), shown(line, "people", smallest), ha="right")  # type: ignore[arg-type]
        whisker(axes, float(row), line, STYLE["ink"], filled=True)  # type: ignore[arg-type]
        text = with_interval(*(line[name] / PER for name in ("estimate", "low", "high")), "risk")
        write(axes, 0.745, float(row), text)  # type: ignore[arg-type]
    axes.set_ylim(len(lines) - 0.4, -1.2)
    axes.set_xlabel("People with back pain per 1,000 (cross-sectional)")
    return figure

