"""Published studies beside our estimate, grouped by contrast; nothing is pooled, there is no diamond."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from backpain.figures.forests import whisker
from backpain.figures.style import STYLE, WIDTH, require, rows_axis, styled, write
from backpain.synthesise import evidence as beside
from backpain.tables.conceal import conceal
from backpain.tables.numbers import decimal, failed, is_missing, ratio, sentence, words
from backpain.tables.pick import sections

OURS = "depression treatment -> pain"
RATIO = "ratio"
TICKS = (0.25, 0.5, 1, 2, 4, 8)
SHORT = {"odds ratio": "OR", "hazard ratio": "HR", "risk ratio": "RR"}
POINTS = 100  # mean differences are drawn as points of a scale this long
ARROWS = "\N{LEFTWARDS ARROW}", "\N{RIGHTWARDS ARROW}"


@styled
def evidence(rows: pd.DataFrame) -> Figure:
    """Published estimates by contrast, ours in another colour; ratios above, mean differences below.

    rows: as `backpain.synthesise.evidence` returns them. Ours are squares, hollow where the gate failed.
    """
    require(rows, ["origin", "study", "design", "measure", "group", "axis", "plotted", "caution"], "evidence")
    parts = [rows[rows["axis"] == axis] for axis in dict.fromkeys(rows["axis"])]
    parts.sort(key=lambda part: part["axis"].iloc[0] != RATIO)
    sizes = [len(part) + 1.4 * part["group"].nunique() for part in parts]
    heights = [0.3 * number + 1.0 for number in sizes]
    total = sum(heights)
    figure, top = Figure(figsize=(WIDTH, total)), total
    for part, number, height in zip(parts, sizes, heights, strict=True):
        axes = figure.add_axes((0.57, (top - height + 0.62) / total, 0.21, (height - 0.72) / total))
        panel(axes, part, number)
        top -= height
    return figure


def panel(axes: Axes, part: pd.DataFrame, rows: float) -> None:
    """One scale's studies under the headings of their contrasts."""
    ratios = part["axis"].iloc[0] == RATIO
    unit = 1 if ratios else POINTS
    places = unit * part[["plotted", "plotted_low", "plotted_high"]].to_numpy(dtype=float)
    low, high = float(np.nanmin(places)), float(np.nanmax(places))
    rows_axis(axes, int(np.ceil(rows)), 1 if ratios else 0)
    if ratios:
        axes.set_xscale("log")
        axes.set_xlim(min(0.15, 0.9 * low), max(9.0, 1.1 * high))
        axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
        axes.set_xticks([], minor=True)
    else:
        axes.set_xlim(1.15 * min(low, 0), max(2.0, 1.15 * high))
    axes.set_xlabel(f"less pain {ARROWS[0]} {'ratio' if ratios else f'points of {POINTS}'} {ARROWS[1]} more")
    row = 0.0
    for name, members in part.groupby("group", sort=False):
        write(axes, 0.004, row, arrows(name), fontweight="bold", color=STYLE["muted"])
        for line in members.to_dict("records"):
            row += 1
            study(axes, row, line, unit)
        row += 1.4
    axes.set_ylim(rows - 0.2, -0.6)


def arrows(group: object) -> str:
    """A contrast's name with a real arrow."""
    return sentence(str(group)).replace("->", ARROWS[1])


def study(axes: Axes, row: float, line: Mapping[Any, Any], unit: int) -> None:
    """One study: its name and design, its interval, its numbers."""
    ours, refused = line["origin"] == "ours", failed(line["caution"])
    colour = STYLE["failed"] if refused else STYLE["treated" if ours else "muted"]
    weight = "bold" if ours else "normal"
    write(axes, 0.016, row, line["study"], fontweight=weight, color=colour if ours else STYLE["ink"])
    write(axes, 0.25, row, line["design"], color=STYLE["muted"], fontsize=10)
    place = dict(zip(("estimate", "low", "high"), ("plotted", "plotted_low", "plotted_high"), strict=True))
    spot = {name: unit * line[column] for name, column in place.items()}
    whisker(axes, row, spot, colour, filled=not refused, square=ours)
    put = ratio if unit == 1 else decimal
    ends = "no interval" if is_missing(spot["low"]) else f"{put(spot['low'])} to {put(spot['high'])}"
    text = f"{SHORT.get(line['measure'], '')} {put(spot['estimate'])} ({ends})".strip()
    write(axes, 0.8, row, "did not pass its diagnostics" if refused else text, fontweight=weight)


def draw(results: Mapping[str, pd.DataFrame], facts: Mapping[str, Any]) -> dict[str, Figure]:
    """The figure "evidence": published studies and the trials' risk ratios; associations estimate something else.

    results and facts are those of `backpain.report.render`.
    """
    chosen = [one for one in sections(conceal(results, int(facts["smallest_cell"])), facts) if one.kind == "trial"]
    studies = [{str(name): value for name, value in row.items()} for row in results["evidence"].to_dict("records")]
    found = [section.lines("risk-ratio", "main") for section in chosen]
    ours = pd.concat(found, ignore_index=True) if found else None
    rows = beside(studies, ours, {section.name: OURS for section in chosen})
    mine = rows["origin"] == "ours"
    design = [f"{words(str(line['design']))}, {line['study']}" for line in rows.to_dict("records")]
    rows = rows.assign(
        study=rows["study"].mask(mine, "This study, simulated" if facts["simulated"] else "This study"),
        design=rows["design"].mask(mine, pd.Series(design, index=rows.index)),
    )
    return {"evidence": evidence(rows)}
