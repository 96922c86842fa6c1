"""Who is in the analysis: the flow of people, the measurement windows, and what is missing."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import MultipleLocator

from backpain.figures.style import STYLE, canvas, label, require, rows_axis, styled, write
from backpain.tables.conceal import conceal
from backpain.tables.numbers import percent, sentence, shown
from backpain.tables.pick import sections

ARMS = ("treated", "untreated")
BOX, GAP, LINE = 0.72, 0.38, 0.2  # inches
LETTERS = 12  # to the inch of a box
KNOWN = ": known"


def box(axes: Axes, x: float, y: float, width: float, lines: Sequence[str], edge: str = "faint") -> None:
    """A box with its top edge at y (inches from the top); the first line is the number, in bold."""
    heavy, *light = lines
    side = edge == "panel"
    axes.add_patch(
        FancyBboxPatch(
            (x, y),
            width,
            BOX,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=STYLE["panel" if side else "paper"],
            edgecolor=STYLE["faint" if side else edge],
            linewidth=1.6 if edge in ARMS else 1.1,
        )
    )
    first = BOX / 2 - LINE * len(light) / 2
    axes.text(x + width / 2, y + first, heavy, ha="center", va="center", fontweight="bold", fontsize=12)
    for number, text in enumerate(light):
        place = y + first + LINE * (number + 1.15)
        axes.text(x + width / 2, place, text, ha="center", va="center", color=STYLE["muted"], fontsize=10.5)


def lines_of(number: str, text: str, width: float) -> list[str]:
    """A number and its words, broken into at most two lines that fit the box."""
    return [number, *textwrap.wrap(text, int(width * LETTERS), max_lines=2, placeholder=" \N{HORIZONTAL ELLIPSIS}")]


def said(box_: str) -> tuple[str, str]:
    """What a step says of those who stay, and of those left out."""
    if box_.endswith(KNOWN):
        return box_, f"left out: {box_.removesuffix(KNOWN)} not known"
    return box_, f"left out: not \N{LEFT DOUBLE QUOTATION MARK}{box_}\N{RIGHT DOUBLE QUOTATION MARK}"


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """A thin arrow from one box to the next."""
    axes.annotate(
        "",
        end,
        start,
        arrowprops={
            "arrowstyle": "-|>",
            "color": STYLE["muted"],
            "linewidth": 0.9,
            "shrinkA": 0,
            "shrinkB": 0,
            "mutation_scale": 9,
        },
    )


@styled
def flow(frame: pd.DataFrame, smallest: int | None = None) -> Figure:
    """How many people were considered, left out, compared, followed and lost.

    frame: the rows of flow.csv of one survey, analysis and variation. smallest: what a hidden count is shown
    below.
    """
    require(frame, ["step", "box", "remaining", "left_out", "kind"], "flow")
    ordered = frame.sort_values("step")
    chain = ordered[ordered["kind"].isin(["start", "excluded"])]
    height = (BOX + GAP) * (len(chain) + 1 + levels(ordered)) - GAP + 0.25
    figure, axes = canvas(height, 0, 1, 0.05)
    axes.set_xlim(0, 10)
    axes.set_ylim(height - 0.2, 0)
    axes.axis("off")
    for place, row in enumerate(chain.to_dict("records")):
        top = place * (BOX + GAP)
        stay, leave = said(str(row["box"]))
        box(axes, 2.3, top, 3.6, lines_of(shown(row, "remaining", smallest), sentence(stay), 3.6))
        if row["kind"] == "excluded":
            arrow(axes, (4.1, top - GAP), (4.1, top))
            arrow(axes, (4.1, top - GAP / 2), (6.5, top - GAP / 2))
            gone = lines_of(shown(row, "left_out", smallest), leave, 3.3)
            box(axes, 6.5, top - GAP / 2 - BOX / 2, 3.3, gone, "panel")
    arms(axes, ordered, len(chain) * (BOX + GAP), smallest)
    return figure


def arms(axes: Axes, ordered: pd.DataFrame, top: float, smallest: int | None) -> None:
    """The two arms side by side and what became of each."""
    by_box = {str(row["box"]): row for row in ordered.to_dict("records")}
    axes.plot([2.48, 7.52], [top - GAP / 2] * 2, color=STYLE["muted"], linewidth=0.9)
    axes.plot([4.1, 4.1], [top - GAP, top - GAP / 2], color=STYLE["muted"], linewidth=0.9)
    for arm, left in zip(ARMS, (0.06, 5.1), strict=True):
        if arm not in by_box:
            continue
        middle = left + 2.42
        arrow(axes, (middle, top - GAP / 2), (middle, top))
        box(axes, left, top, 4.84, (shown(by_box[arm], "remaining", smallest), sentence(arm)), arm)
        ends = [name for name in by_box if name.startswith(f"{arm}: ")]
        level = [name for name in ends if by_box[name]["kind"] != "event"]
        wide = (4.84 - 0.14 * (len(level) - 1)) / max(len(level), 1)
        for number, name in enumerate(level):
            x, below = left + number * (wide + 0.14), top + BOX + GAP
            arrow(axes, (x + wide / 2, top + BOX), (x + wide / 2, below))
            box(axes, x, below, wide, lines_of(shown(by_box[name], "remaining", smallest), name.split(": ")[1], wide))
            if number == 0:
                events = [name for name in ends if by_box[name]["kind"] == "event"]
                follow(axes, x, wide, below, [by_box[name] for name in events], smallest, arm)


def follow(
    axes: Axes, x: float, wide: float, top: float, events: list[dict[Any, Any]], smallest: int | None, arm: str
) -> None:
    """What happened to those who were followed, below their box."""
    for row in events:
        arrow(axes, (x + wide / 2, top + BOX), (x + wide / 2, top + BOX + GAP))
        words = lines_of(shown(row, "remaining", smallest), str(row["box"]).split(": ")[1], wide)
        box(axes, x, top + BOX + GAP, wide, words, arm)


def levels(ordered: pd.DataFrame) -> int:
    """How many rows of boxes stand below the arms."""
    kinds = set(ordered["kind"])
    return int(bool(kinds & {"followed", "lost"})) + int("event" in kinds)


@styled
def windows(declared: Mapping[str, Sequence[float]], zero: float = 0, time_zero: str = "") -> Figure:
    """When each thing is measured, in months from time zero.

    declared: the protocol's windows, name -> [first month, last month]. zero: the month of time zero on the same
    count. time_zero: what time zero is, in words.
    """
    if not declared:
        raise ValueError("windows: the protocol declares none; give each measurement its first and last month")
    spans = {name: (start - zero, end - zero) for name, (start, end) in declared.items()}
    figure, axes = canvas(0.46 * len(spans) + 1.2, 0.29, 0.985, 0.62)
    for row, (name, (start, end)) in enumerate(spans.items()):
        colour = STYLE["failed"] if start < 0 else STYLE["ink"]
        axes.barh(row, max(end - start, 0.15), left=start, height=0.46, color=colour)
        write(axes, 0.004, row, sentence(name))
    axes.axvline(0, color=STYLE["ink"], linewidth=1.4)
    first, last = min(start for start, _ in spans.values()), max(end for _, end in spans.values())
    reach = last - first
    for text, side, place in (("before", "right", -0.01), ("after", "left", 0.01)):
        axes.text(place * reach, -0.75, text, ha=side, color=STYLE["muted"])
    rows_axis(axes, len(spans))
    axes.set_ylim(len(spans) - 0.4, -1.1)
    axes.set_xlim(first - 0.02 * reach, last + 0.02 * reach)
    axes.xaxis.set_major_locator(MultipleLocator(3 if reach <= 36 else 12))
    axes.set_xlabel(f"Months from time zero ({time_zero})" if time_zero else "Months from time zero")
    return figure


@styled
def missingness(frame: pd.DataFrame, variables: Mapping[str, Mapping[str, Any]], smallest: int | None = None) -> Figure:
    """The share of people in each arm without a value, for the variables that lack any.

    frame: the rows of missingness.csv of one survey, analysis and variation. Shares are of people, not weighted.
    """
    require(frame, ["variable", "arm", "missing", "people"], "missingness")
    lacking = frame[frame["missing"].isna() | (frame["missing"] > 0)]
    names = list(dict.fromkeys(lacking["variable"]))
    figure, axes = canvas(0.5 * max(len(names), 1) + 0.95, 0.29, 0.86, 0.62)
    rows_axis(axes, max(len(names), 1))
    if not names:
        write(axes, 0.004, 0, "Nobody lacks a value of any variable.")
        axes.axis("off")
        return figure
    largest = 0.02
    for line in lacking.to_dict("records"):
        share = (
            0.0 if line["missing"] is pd.NA or line["missing"] != line["missing"] else line["missing"] / line["people"]
        )
        told = percent(share) if share else shown(line, "missing", smallest)
        largest, arm = max(largest, share), line["arm"]
        row = names.index(line["variable"]) + (0.17 if arm == ARMS[1] else -0.17)
        axes.barh(row, share, height=0.3, color=STYLE[arm])
        axes.text(share, row, f"\u00a0{arm} {told}", va="center", color=STYLE[arm])
    for row, name in enumerate(names):
        write(axes, 0.004, row, label(variables, name))
    axes.set_xlim(0, 1.15 * largest)
    axes.xaxis.set_major_formatter(lambda value, _: percent(value))
    axes.set_xlabel("Share of people without a value")
    return figure


def draw(results: Mapping[str, pd.DataFrame], facts: Mapping[str, Any]) -> dict[str, Figure]:
    """Flow, windows and missing values of each trial and survey: "<analysis>.<survey>.<figure>".

    results and facts are those of `backpain.report.render`; small counts are concealed first.
    """
    smallest, drawn = int(facts["smallest_cell"]), {}
    for section in sections(conceal(results, smallest), facts):
        name = f"{section.name}.{section.survey}"
        if section.kind == "trial":
            plan = section.declared
            lacking = section.rows("missingness", "main")
            drawn[f"{name}.flow"] = flow(section.boxes, smallest)
            drawn[f"{name}.windows"] = windows(plan["windows"], plan["time_zero_month"], plan["time_zero"])
            drawn[f"{name}.missingness"] = missingness(lacking, facts["variables"], smallest)
    return drawn
