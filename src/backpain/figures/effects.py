"""What was found: variations, absolute risks, what could have been detected, and groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from backpain.figures.style import SLIM, STYLE, canvas, require, rows_axis, styled, write
from backpain.tables.conceal import conceal
from backpain.tables.numbers import (
    ENDS,
    PER,
    chance,
    difference,
    failed,
    gate_words,
    is_missing,
    sentence,
    shown,
    with_interval,
)
from backpain.tables.pick import sections

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
    if truth is not None:
        truth_line(axes, PER * truth)
    axes.set_ylim(rows - 0.2, -1.4)
    axes.set_xlabel(
        "fewer with treatment  \N{LEFTWARDS ARROW}  per 1,000 people  \N{RIGHTWARDS ARROW}  more with treatment"
    )
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


def truth_line(axes: Axes, truth: float) -> None:
    """The planted effect of a simulated run."""
    axes.axvline(truth, color=STYLE["truth"], linewidth=1.6, linestyle=(0, (5, 2)), zorder=0)
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


@styled
def absolute_risks(frame: pd.DataFrame) -> Figure:
    """The risk in each arm per 1,000 people, with its interval.

    frame: the risk rows of estimates.csv of one survey, analysis, variation and estimator.
    """
    require(frame, ["arm", *ENDS, "gate"], "estimates")
    lines = scaled(frame)
    figure, axes = canvas(0.5 * len(lines) + 0.85, 0.21, 0.6, width=SLIM)
    rows_axis(axes, len(lines), 0)
    axes.set_xlim(0, 1.08 * float(lines[["estimate", "high"]].max().max()))
    for row, line in enumerate(lines.to_dict("records")):
        colour = STYLE[line["arm"]]
        write(axes, 0.006, row, sentence(line["arm"]), color=colour, fontweight="bold")
        whisker(axes, row, line, colour, filled=not failed(line["gate"]), square=line["arm"] == "untreated")
        write(axes, 0.63, row, told(line, "risk"), fontweight="bold")
    axes.set_xlabel("Per 1,000 people (95% interval)")
    return figure


@styled
def detectable(line: Mapping[Any, Any], limit: float, power: float, truth: float | None = None) -> Figure:
    """The estimate against the smallest difference this analysis could have found.

    line: the risk-difference row of estimates.csv. limit: detectable_difference of detectable.csv.
    """
    one = {**line, **{name: PER * float(line[name]) for name in ENDS}}
    edge, planted = PER * limit, None if truth is None else PER * truth
    figure, axes = canvas(2.2, width=SLIM)
    reach = 1.12 * max(abs(end) for end in (edge, one["low"], one["high"], one["estimate"], planted or 0))
    axes.set_xlim(-reach, reach)
    rows_axis(axes, 1)
    axes.fill_between([-edge, edge], -0.55, 0.65, color=STYLE["band"], zorder=0, linewidth=0)
    axes.plot([0, 0], [-0.55, 0.65], color=STYLE["muted"], linewidth=0.9, zorder=1)
    for place, side in ((-edge, "left"), (edge, "right")):
        axes.text(place, -0.36, f"\u00a0{difference(place / PER)}\u00a0", ha=side, color=STYLE["muted"])
    axes.text(0, -0.78, f"in this band: power below {chance(power)}", ha="center", color=STYLE["muted"])
    passed = not failed(one["gate"])
    whisker(axes, 0.1, one, STYLE["treated" if passed else "failed"], filled=passed, square=True)
    if planted is not None:
        ink: dict[str, Any] = {"color": STYLE["truth"]}
        axes.plot([planted, planted], [-0.35, 0.34], linewidth=1.6, linestyle=(0, (5, 2)), **ink)
        note = f"simulated truth {difference(truth)}"
        axes.text(planted, 0.48, note, ha="center", va="center", fontweight="bold", fontsize=10, **ink)
    axes.set_ylim(0.65, -1.0)
    axes.set_xlabel("Risk difference per 1,000 people")
    return figure


@styled
def groups(frame: pd.DataFrame, outcome: str, smallest: int | None = None) -> Figure:
    """How common the outcome is in each group, crude and standardised: a description, not an effect.

    frame: the risk rows of estimates.csv of one survey and association (estimators unadjusted and standardisation),
    with `group`, the group in words. outcome: the outcome in words.
    """
    require(frame, ["arm", "group", "estimator", *ENDS, "people"], "estimates")
    lines = scaled(frame)
    crude = lines[lines["estimator"] == "unadjusted"].to_dict("records")
    adjusted = {line["arm"]: line for line in lines[lines["estimator"] == "standardisation"].to_dict("records")}
    figure, axes = canvas(0.55 * len(crude) + 1.3, 0.41, 0.66)
    rows_axis(axes, len(crude), 0)
    axes.set_xlim(0, 1.06 * float(lines[["estimate", "high"]].max().max()))
    heads = [(0.004, "Group", "left", "muted"), (0.39, "People", "right", "muted")]
    heads += [(0.675, "Crude", "left", "ink")] + ([(0.845, "Standardised", "left", "failed")] if adjusted else [])
    for x, text, side, ink in heads:
        write(axes, x, -0.8, text, color=STYLE[ink], ha=side, fontsize=10, fontweight="bold" if x > 0.5 else "normal")
    for row, line in enumerate(crude):
        write(axes, 0.004, row, line["group"])
        write(axes, 0.39, row, shown(line, "people", smallest), ha="right")
        whisker(axes, row - 0.1, line, STYLE["ink"])
        write(axes, 0.675, row, told(line, "risk"))
        if line["arm"] in adjusted:
            whisker(axes, row + 0.18, adjusted[line["arm"]], STYLE["failed"], square=True)
            write(axes, 0.845, row, told(adjusted[line["arm"]], "risk"), color=STYLE["muted"])
    axes.set_ylim(len(crude) - 0.4, -1.2)
    axes.set_xlabel(f"People with {outcome} per 1,000 (cross-sectional)")
    return figure


def draw(results: Mapping[str, pd.DataFrame], facts: Mapping[str, Any]) -> dict[str, Figure]:
    """Estimates of each analysis and survey: "<analysis>.<survey>.<figure>".

    results and facts are those of `backpain.report.render`; small counts are concealed first.
    """
    smallest, drawn = int(facts["smallest_cell"]), {}
    for section in sections(conceal(results, smallest), facts):
        name, frame = f"{section.name}.{section.survey}", section.estimates
        if section.kind == "association":
            drawn[f"{name}.groups"] = groups(
                section.ordered(frame[frame["scale"] == "risk"]), section.outcome, smallest
            )
            continue
        limit, truth = section.detectable, section.truth.get("risk-difference")
        drawn[f"{name}.risks"] = absolute_risks(section.lines("risk", "main"))
        drawn[f"{name}.detectable"] = detectable(section.main, limit["detectable_difference"], limit["power"], truth)
        drawn[f"{name}.forest"] = forest(section.lines("risk-difference"), truth, smallest)
    return drawn
