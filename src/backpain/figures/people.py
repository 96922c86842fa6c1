"""Who is in the analysis: the flow of people, the measurement windows, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import MultipleLocator

from backpain.figures.style import STYLE, canvas, label, require, rows_axis, styled, write
from backpain.tables.numbers import count, percent, sentence, small

ARMS = ("treated", "untreated")
BOX, GAP = 0.72, 0.38  # inches


def shown(row: pd.Series, column: str, smallest: int | None) -> str:
    """A count as printed, or why it is not."""
    how = row.get(f"{column}_hidden", "")
    return small(smallest or 0) if how == "small" else "withheld" if how == "withheld" else count(row[column])


def box(axes: Axes, x: float, y: float, width: float, lines: Sequence[str], edge: str = "faint") -> None:
    """A box with its top edge at y (inches from the top); the first line is the number, in bold."""
    axes.add_patch(
        FancyBboxPatch(
            (x, y), width, BOX, boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=STYLE["paper"] if edge != "panel" else STYLE["panel"],
            edgecolor=STYLE["faint"] if edge == "panel" else STYLE[edge], linewidth=1.1 if edge == "faint" else 1.6,
        )
    )  # fmt: skip
    heavy, light = lines
    axes.text(x + width / 2, y + BOX * 0.33, heavy, ha="center", va="center", fontweight="bold", fontsize=12)
    axes.text(x + width / 2, y + BOX * 0.72, light, ha="center", va="center", color=STYLE["muted"])


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """A thin arrow from one box to the next."""
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": STYLE["muted"], "linewidth": 0.9,
                                              "shrinkA": 0, "shrinkB": 0, "mutation_scale": 9})  # fmt: skip


@styled
def flow(frame: pd.DataFrame, smallest: int | None = None) -> Figure:
    """How many people were considered, left out, compared, followed and lost.

    frame: the rows of flow.csv of one survey, analysis and variation. smallest: what a hidden count is shown below.
    """
    require(frame, ["step", "box", "remaining", "left_out", "kind"], "flow")
    ordered = frame.sort_values("step")
    chain = ordered[ordered["kind"].isin(["start", "excluded"])]
    height = (BOX + GAP) * (len(chain) + 1 + levels(ordered)) - GAP + 0.25
    figure, axes = canvas(height, 0, 1, 0.05)
    axes.set_xlim(0, 10)
    axes.set_ylim(height - 0.2, 0)
    axes.axis("off")
    for place, (_, row) in enumerate(chain.iterrows()):
        top = place * (BOX + GAP)
        box(axes, 2.3, top, 3.6, (shown(row, "remaining", smallest), sentence(str(row["box"]))))
        if row["kind"] == "excluded":
            arrow(axes, (4.1, top - GAP), (4.1, top))
            arrow(axes, (4.1, top - GAP / 2), (6.5, top - GAP / 2))
            box(axes, 6.5, top - GAP / 2 - BOX / 2, 3.3,
                (shown(row, "left_out", smallest), f"left out: not “{row['box']}”"), "panel")  # fmt: skip
    arms(axes, ordered, len(chain) * (BOX + GAP), smallest)
    return figure


def arms(axes: Axes, ordered: pd.DataFrame, top: float, smallest: int | None) -> None:
    """The two arms side by side and what became of each."""
    by_box = {str(row["box"]): row for _, row in ordered.iterrows()}
    axes.plot([2.48, 7.52], [top - GAP / 2] * 2, color=STYLE["muted"], linewidth=0.9)
    axes.plot([4.1, 4.1], [top - GAP, top - GAP / 2], color=STYLE["muted"], linewidth=0.9)
    for arm, left in zip(ARMS, (0.06, 5.1), strict=True):
        if arm not in by_box:
            continue
        middle = left + 2.42
        arrow(axes, (middle, top - GAP / 2), (middle, top))
        box(axes, left, top, 4.84, (shown(by_box[arm], "remaining", smallest), sentence(arm)), arm)
        ends = [str(row["box"]) for _, row in ordered.iterrows() if str(row["box"]).startswith(f"{arm}: ")]
        level = [name for name in ends if by_box[name]["kind"] != "event"]
        wide = (4.84 - 0.14 * (len(level) - 1)) / max(len(level), 1)
        for number, name in enumerate(level):
            x, below = left + number * (wide + 0.14), top + BOX + GAP
            arrow(axes, (x + wide / 2, top + BOX), (x + wide / 2, below))
            box(axes, x, below, wide, (shown(by_box[name], "remaining", smallest), name.split(": ")[1]))
            if number == 0:
                events = [name for name in ends if by_box[name]["kind"] == "event"]
                follow(axes, x, wide, below, [by_box[name] for name in events], smallest, arm)


def follow(
    axes: Axes, x: float, wide: float, top: float, events: list[pd.Series], smallest: int | None, arm: str
) -> None:
    """What happened to those who were followed, below their box."""
    for row in events:
        arrow(axes, (x + wide / 2, top + BOX), (x + wide / 2, top + BOX + GAP))
        name = str(row["box"]).split(": ")[1]
        box(axes, x, top + BOX + GAP, wide, (shown(row, "remaining", smallest), name), arm)


def levels(ordered: pd.DataFrame) -> int:
    """How many rows of boxes stand below the arms."""
    kinds = set(ordered["kind"])
    return int(bool(kinds & {"followed", "lost"})) + int("event" in kinds)


@styled
def windows(declared: Mapping[str, Sequence[float]], time_zero: str = "") -> Figure:
    """When each thing is measured, in months from time zero.

    declared: the protocol's windows, name -> [first month, last month]; months before time zero are negative.
    """
    if not declared:
        raise ValueError("windows: the protocol declares none; give each measurement its first and last month")
    figure, axes = canvas(0.46 * len(declared) + 1.2, 0.3, 0.97, 0.62)
    rows_axis(axes, len(declared))
    first, last = min(start for start, _ in declared.values()), max(end for _, end in declared.values())
    for row, (name, (start, end)) in enumerate(declared.items()):
        colour = STYLE["failed"] if start < 0 else STYLE["ink"]
        axes.barh(row, max(end - start, 0.15), left=start, height=0.46, color=colour)
        write(axes, 0.285, row, sentence(name), ha="right")
    axes.axvline(0, color=STYLE["ink"], linewidth=1.4)
    span = last - first
    axes.text(-0.01 * span, -0.75, "before", ha="right", color=STYLE["muted"])
    axes.text(0.01 * span, -0.75, "after", ha="left", color=STYLE["muted"])
    axes.set_ylim(len(declared) - 0.4, -1.1)
    axes.set_xlim(first - 0.02 * span, last + 0.02 * span)
    axes.xaxis.set_major_locator(MultipleLocator(3 if span <= 36 else 12))
    axes.set_xlabel(f"Months from time zero{f' ({time_zero})' if time_zero else ''}")
    return figure


@styled
def missingness(frame: pd.DataFrame, variables: dict[str, dict[str, Any]], smallest: int | None = None) -> Figure:
    """The share of people in each arm without a value, for the variables that lack any.

    frame: the rows of missingness.csv of one survey, analysis and variation. Shares are of people, not weighted.
    """
    require(frame, ["variable", "arm", "missing", "people"], "missingness")
    lacking = frame[frame["missing"].isna() | (frame["missing"] > 0)]["variable"].drop_duplicates().tolist()
    names = lacking or frame["variable"].drop_duplicates().tolist()[:1]
    figure, axes = canvas(0.5 * len(names) + 1.0, 0.3, 0.86, 0.62)
    rows_axis(axes, len(names))
    shares = (frame["missing"] / frame["people"]).astype(float)
    for row, name in enumerate(names):
        write(axes, 0.285, row, label(variables, name), ha="right")
        for arm, shift in zip(ARMS, (-0.17, 0.17), strict=True):
            for index, line in frame[(frame["variable"] == name) & (frame["arm"] == arm)].iterrows():
                share = shares[index]
                text = f"{arm} {percent(share)}" if share == share else f"{arm} {shown(line, 'missing', smallest)}"
                axes.barh(row + shift, 0 if share != share else share, height=0.3, color=STYLE[arm])
                axes.text(0 if share != share else share, row + shift, f"\u00a0{text}", va="center", color=STYLE[arm])
    axes.set_xlim(0, max(0.02, 1.15 * float(shares.max())))
    axes.xaxis.set_major_formatter(lambda value, _: percent(value))
    axes.set_xlabel("Share of people without a value" if lacking else "No value is missing")
    return figure
