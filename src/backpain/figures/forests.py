"""Forests: every variation of an analysis, and every estimator of the declared one, under one another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from backpain.figures.style import STYLE, canvas, require, rows_axis, styled, write
from backpain.tables.numbers import (
    ENDS,
    PER,
    difference,
    failed,
    gate_words,
    is_missing,
    p_value,
    percent,
    shown,
    with_interval,
)

FAMILIES = {
    "main": "The declared analysis",
    "other": "Other definitions and models",
    "without": "One panel left out",
    "only": "To describe only: single panels",
}


def family(line: Mapping[Any, Any]) -> str:
    """Which group of the forest a variation stands in."""
    if line["variation"] == "main":
        return "main"
    if line["gate"] == "description":
        return "only"
    return "without" if line["variation"].startswith("without-panel-") and line["variation"][-1].isdigit() else "other"


def scaled(frame: pd.DataFrame) -> pd.DataFrame:
    """Estimates and intervals per 1,000 people."""
    return frame.assign(**{name: PER * frame[name].astype(float) for name in ENDS})


def told(line: Mapping[Any, Any], scale: str) -> str:
    """The estimate and its interval, from a row per 1,000."""
    return with_interval(line, scale, PER)


def whisker(
    axes: Axes, row: float, line: Mapping[Any, Any], colour: str, filled: bool = True, square: bool = False
) -> None:
    """A point and its interval in the axis's unit; hollow when the estimate is no answer."""
    if is_missing(line["estimate"]):
        return
    if not (is_missing(line["low"]) or is_missing(line["high"])):
        left, right = axes.get_xlim()
        axes.plot([max(line["low"], left), min(line["high"], right)], [row, row], color=colour, linewidth=1.6)
        for beyond, edge, arrow in ((line["low"] < left, left, "<"), (line["high"] > right, right, ">")):
            if beyond:
                axes.plot([edge], [row], marker=arrow, color=colour, markersize=6, clip_on=False)
    axes.plot(
        [line["estimate"]],
        [row],
        marker="s" if square else "o",
        markersize=7,
        color=colour,
        zorder=3,
        markerfacecolor=colour if filled else STYLE["paper"],
        markeredgewidth=1.6,
        linestyle="none",
    )


def span(frame: pd.DataFrame, *more: float) -> tuple[float, float]:
    """Limits that hold every estimate and nearly every interval: one wide interval must not flatten all."""
    ends = np.concatenate([frame["low"].dropna(), frame["high"].dropna(), [0.0]])
    points = np.concatenate([frame["estimate"].dropna(), [0.0, *more]])
    low, high = np.quantile(ends, [0.04, 0.96]) if len(ends) > 9 else (ends.min(), ends.max())
    low, high = min(low, points.min()), max(high, points.max())
    return low - 0.06 * (high - low), high + 0.06 * (high - low)


@styled
def forest(frame: pd.DataFrame, truth: float | None = None, smallest: int | None = None) -> Figure:
    """Every variation's risk difference per 1,000 people, with its people and events.

    frame: risk-difference rows of estimates.csv of one survey and analysis, one per variation, with `label`, the
    variation in words. Estimates whose gate failed are hollow and say so; descriptions are hollow. truth: the planted
    risk difference.
    """
    require(frame, ["variation", "label", *ENDS, "people", "events", "gate"], "estimates")
    lines = scaled(frame).to_dict("records")
    groups = {name: [line for line in lines if family(line) == name] for name in FAMILIES}
    rows = len(lines) + 1.35 * sum(bool(members) for members in groups.values())
    figure, axes = canvas(0.3 * rows + 1.1, 0.5, 0.73)
    rows_axis(axes, int(np.ceil(rows)), 0)
    axes.set_xlim(*span(scaled(frame), *([] if truth is None else [PER * truth])))
    heads = {0.004: "Variation", 0.42: "People", 0.485: "Events", 0.745: "Difference (95% interval)"}
    for x, text in heads.items():
        write(
            axes,
            x,
            -0.9,
            text,
            color=STYLE["muted"],
            ha="right" if text in ("People", "Events") else "left",
            fontsize=10,
        )
    row = 0.0
    for name, members in groups.items():
        if members:
            write(axes, 0.004, row, FAMILIES[name], color=STYLE["muted"], fontweight="bold")
            for line in members:
                row += 1
                forest_row(axes, row, line, smallest)
            row += 1.35
    axes.set_ylim(rows - 0.2, -1.4)
    if truth is not None:
        # It is the truth of the declared analysis; variations ask about other people or outcomes.
        truth_line(axes, PER * truth, 1.5)
    axes.set_xlabel(AXIS)
    return figure


def forest_row(axes: Axes, row: float, line: Mapping[Any, Any], smallest: int | None) -> None:
    """One variation: its name, people, events, interval and estimate."""
    passed, main = line["gate"] == "passed", line["variation"] == "main"
    ink = {"color": STYLE["ink" if passed else "muted"], "fontweight": "bold" if main else "normal"}
    write(axes, 0.016, row, line["label"], **ink)
    for x, column in ((0.42, "people"), (0.485, "events")):
        printed = shown(line, column, smallest)
        slight = {"fontsize": 8, "color": STYLE["muted"]} if printed == "withheld" else {}
        write(axes, x, row, printed, ha="right", **{**ink, **slight})
    whisker(axes, row, line, STYLE["treated" if passed else "failed"], filled=passed, square=main)
    if failed(line["gate"]):
        write(axes, 0.745, row, gate_words(line["gate"]), **{**ink, "fontsize": 9.5, "fontstyle": "italic"})
    else:
        write(axes, 0.745, row, told(line, "risk-difference"), **ink)


def truth_line(axes: Axes, truth: float, below: float | None = None) -> None:
    """The planted effect of a simulated run, down to a row or all the way."""
    bottom, top = axes.get_ylim()
    end = 0.0 if below is None else (bottom - below) / (bottom - top)
    axes.axvline(truth, end, 1, color=STYLE["truth"], linewidth=1.6, linestyle=(0, (5, 2)), zorder=0)
    axes.text(
        truth,
        1.0,
        f"simulated truth {difference(truth / PER)}",
        color=STYLE["truth"],
        ha="center",
        va="bottom",
        transform=axes.get_xaxis_transform(),
        fontweight="bold",
        fontsize=10,
    )


ABOUT = {"everyone": "Everyone", "overlap": "The overlap", "treated": "The treated", "untreated": "The untreated"}
AXIS = "fewer with treatment  \N{LEFTWARDS ARROW}  per 1,000 people  \N{RIGHTWARDS ARROW}  more with treatment"


@styled
def by_estimator(frame: pd.DataFrame, truth: float | None = None) -> Figure:
    """The risk difference of one analysis per 1,000 people by each estimator, and whom it is about.

    frame: risk-difference rows of estimates.csv of one survey, analysis and variation, one per estimator, with
    `estimator_label`, the estimator in words. truth: the planted risk difference.
    """
    require(frame, ["estimator_label", "population", *ENDS, "gate"], "estimates")
    lines = scaled(frame)
    figure, axes = canvas(0.3 * len(lines) + 1.3, 0.43, 0.73)
    rows_axis(axes, len(lines), 0)
    axes.set_xlim(*span(lines, *([] if truth is None else [PER * truth])))
    for x, text in {0.004: "Estimator", 0.275: "About", 0.745: "Difference (95% interval)"}.items():
        write(axes, x, -0.9, text, color=STYLE["muted"], fontsize=10)
    for row, line in enumerate(lines.to_dict("records")):
        passed = line["gate"] == "passed"
        ink = {"color": STYLE["ink" if passed else "muted"], "fontweight": "bold" if row == 0 else "normal"}
        write(axes, 0.004, row, line["estimator_label"], **ink)
        write(axes, 0.275, row, ABOUT[line["population"]], **ink)
        whisker(axes, row, line, STYLE["treated" if passed else "failed"], filled=passed, square=row == 0)
        write(axes, 0.745, row, told(line, "risk-difference"), **ink)
    if truth is not None:
        truth_line(axes, PER * truth)
    axes.set_ylim(len(lines) - 0.4, -1.4)
    axes.set_xlabel(AXIS)
    return figure


@styled
def by_subgroup(groups: pd.DataFrame, pooled: Mapping[Any, Any]) -> Figure:
    """The risk difference of each subgroup per 1,000 people, how many are treated there, and whether levels differ.

    groups: rows of subgroups.csv on the scale of differences, with `heading` and `label`, variable and level in words.
    pooled: the risk-difference row of the declared analysis.
    """
    require(groups, ["heading", "label", "share_treated", "p_alike", *ENDS], "subgroups")
    lines = scaled(groups)
    whole = {name: PER * float(pooled[name]) for name in ENDS}
    rows = len(lines) + 1.35 * groups["heading"].nunique() + 1
    figure, axes = canvas(0.3 * rows + 1.1, 0.5, 0.73)
    rows_axis(axes, int(np.ceil(rows)), 0)
    axes.set_xlim(*span(pd.concat([lines, pd.DataFrame([whole])])))
    for x, text, side in ((0.485, "Treated", "right"), (0.745, "Difference (95% interval)", "left")):
        write(axes, x, -0.9, text, color=STYLE["muted"], fontsize=10, ha=side)
    write(axes, 0.004, 0, "Everyone", fontweight="bold")
    whisker(axes, 0, whole, STYLE["treated"], square=True)
    write(axes, 0.745, 0, told(whole, "risk-difference"), fontweight="bold")
    row = 1.35
    for heading, members in lines.groupby("heading", sort=False):
        alike = members["p_alike"].iloc[0]
        note = "" if is_missing(alike) else f"  (alike: p = {p_value(alike)})"
        write(axes, 0.004, row, f"{heading}{note}", color=STYLE["muted"], fontweight="bold")
        for line in members.to_dict("records"):
            row += 1
            write(axes, 0.016, row, line["label"])
            write(
                axes,
                0.485,
                row,
                "" if is_missing(line["share_treated"]) else percent(line["share_treated"]),
                ha="right",
            )
            whisker(axes, row, line, STYLE["treated"])
            write(axes, 0.745, row, "no estimate" if is_missing(line["estimate"]) else told(line, "risk-difference"))
        row += 1.35
    axes.set_ylim(row - 0.6, -1.4)
    axes.set_xlabel(AXIS)
    return figure


@styled
def by_panel(panels: pd.DataFrame, between: Mapping[str, Any], pooled: Mapping[Any, Any]) -> Figure:
    """The risk difference of each panel per 1,000 people, their mean by random effects, and the pooled answer.

    panels: rows of panels.csv on the scale of differences, with `low` and `high`. between: the row of heterogeneity.csv.
    pooled: the risk-difference row of the declared analysis.
    """
    require(panels, ["panel", *ENDS], "panels")
    lines = scaled(panels)
    mean = {name: PER * float(between[name]) for name in ENDS}
    wide = {name: PER * float(between[f"prediction_{name}"]) for name in ("low", "high")}
    whole = {name: PER * float(pooled[name]) for name in ENDS}
    figure, axes = canvas(0.3 * (len(lines) + 3) + 1.1, 0.43, 0.73)
    rows_axis(axes, len(lines) + 3, 0)
    axes.set_xlim(*span(pd.concat([lines, pd.DataFrame([mean, whole, {**mean, **wide}])])))
    write(axes, 0.745, -0.9, "Difference (95% interval)", color=STYLE["muted"], fontsize=10)
    for row, line in enumerate(lines.to_dict("records")):
        write(axes, 0.004, row, f"Panel {line['panel']} alone", color=STYLE["muted"])
        whisker(axes, row, line, STYLE["failed"], filled=False)
        write(axes, 0.745, row, told(line, "risk-difference"), color=STYLE["muted"])
    below = len(lines) + 0.4
    axes.plot([wide["low"], wide["high"]], [below, below], color=STYLE["faint"], linewidth=6, solid_capstyle="butt")
    write(axes, 0.004, below, "Mean of the panels (another panel: pale)")
    whisker(axes, below, mean, STYLE["ink"])
    write(axes, 0.745, below, told(mean, "risk-difference"))
    write(axes, 0.004, below + 1.2, "All panels as one sample: the answer", fontweight="bold")
    whisker(axes, below + 1.2, whole, STYLE["treated"], square=True)
    write(axes, 0.745, below + 1.2, told(whole, "risk-difference"), fontweight="bold")
    axes.set_ylim(len(lines) + 2.2, -1.4)
    axes.set_xlabel(AXIS)
    return figure
