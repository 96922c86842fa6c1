"""What an effect goes through: its two parts, and the four groups, which are no effects."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from backpain.figures.forests import AXIS, scaled, span, told, whisker
from backpain.figures.style import STYLE, canvas, require, rows_axis, styled, write
from backpain.tables.numbers import ENDS, PER, failed, is_missing, sentence

PARTS = {"overall": "Overall", "indirect": "Through {}", "direct": "Not through {}"}


@styled
def parts(frame: pd.DataFrame, mediator: str) -> Figure:
    """The overall difference per 1,000 people and its two parts, by both estimators.

    frame: rows of through.csv of one survey and analysis, with `truth`, the planted differences of a simulated run.
    mediator: in a word, such as "remission".
    """
    require(frame, ["effect", "estimator", *ENDS, "truth", "gate"], "through")
    frame = frame[frame["scale"] == "risk-difference"]
    lines = scaled(frame).assign(truth=PER * frame["truth"])
    figure, axes = canvas(0.42 * len(lines) + 1.15, 0.43, 0.73)
    rows_axis(axes, len(lines), 0)
    axes.set_xlim(*span(lines, *lines["truth"].dropna()))
    write(axes, 0.745, -0.9, "Difference (95% interval)", color=STYLE["muted"], fontsize=10)
    row = 0
    for effect, words in PARTS.items():
        for line in lines[lines["effect"] == effect].to_dict("records"):
            first, passed = line["estimator"] == "standardisation", not failed(line["gate"])
            ink = {"color": STYLE["ink" if first and passed else "muted"]}
            weight = {"fontweight": "bold" if first else "normal"}
            name = words.format(mediator) if first else f"the same by {line['estimator']}"
            write(axes, 0.004 if first else 0.02, row, name, **ink, **weight)
            if not is_missing(line["truth"]):
                axes.plot([line["truth"]] * 2, [row - 0.4, row + 0.4], color=STYLE["truth"], linewidth=2, zorder=1)
            whisker(axes, row, line, STYLE["treated" if first and passed else "failed"], filled=first and passed)
            write(axes, 0.745, row, told(line, "risk-difference"), **ink, **weight)
            row += 1
    if lines["truth"].notna().any():
        write(axes, 0.43, -0.9, "upright: simulated truth", color=STYLE["truth"], fontsize=10)
    axes.set_ylim(len(lines) - 0.4, -1.4)
    axes.set_xlabel(AXIS)
    return figure


@styled
def groups(frame: pd.DataFrame) -> Figure:
    """The risk of the four groups per 1,000 people: hollow marks, because no two of them are comparable.

    frame: rows of four_groups.csv of one survey and analysis.
    """
    require(frame, ["arm", "mediator", "risk", "low", "high"], "four_groups")
    lines = scaled(frame.rename(columns={"risk": "estimate"}))
    figure, axes = canvas(0.42 * len(lines) + 1.15, 0.3, 0.7)
    rows_axis(axes, len(lines))
    top = lines[["estimate", "high"]].max().max()
    axes.set_xlim(0, 1.08 * float(top) if not is_missing(top) else 1.0)
    write(axes, 0.715, -0.9, "Per 1,000 (95% interval)", color=STYLE["muted"], fontsize=10)
    for row, line in enumerate(lines.to_dict("records")):
        write(axes, 0.004, row, f"{sentence(line['arm'])}, {line['mediator']}")
        whisker(axes, row, line, STYLE[line["arm"]], filled=False, square=line["arm"] == "untreated")
        hidden = is_missing(line["estimate"])
        write(axes, 0.715, row, "not shown: too few" if hidden else told(line, "risk"))
    axes.set_ylim(len(lines) - 0.4, -1.4)
    axes.set_xlabel("New onsets per 1,000 people of each group: described, not compared")
    return figure


__all__ = ["groups", "parts"]
