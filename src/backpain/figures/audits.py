"""Cross-sectional evidence on claims: two roles side by side, reverse paths undone, risks along an amount, shares."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from backpain.audit import BEFORE, ON
from backpain.figures.style import STYLE, WIDTH, canvas, require, rows_axis, styled, write
from backpain.tables.numbers import PER, count, decimal, percent, sentence, with_interval

DIFFERENCE = "difference"
ROW = 0.34  # inches
COLOURS = ("treated", "untreated", "ink")


@styled
def roles(frame: pd.DataFrame) -> Figure:
    """Risk differences of two exposures by each contrast, and the difference of the two. frame: rows of audits.csv."""
    require(frame, ["contrast", "item", "label", "estimate", "low", "high"], "audits")
    frame = frame[(frame["item"] == "risk-difference") & frame["estimate"].notna()]
    contrasts = list(dict.fromkeys(frame["contrast"]))
    figure, axes = canvas(ROW * (len(frame) + 1.2 * len(contrasts)) + 0.75, 0.36, 0.76)
    row = 0.0
    for contrast in contrasts:
        write(axes, 0.01, row, sentence(str(contrast)), fontweight="bold")
        row += 1
        for place, line in enumerate(frame[frame["contrast"] == contrast].to_dict("records")):
            colour = STYLE[COLOURS[min(place, 2)]]
            last = line["label"] == DIFFERENCE
            write(axes, 0.025, row, "difference of the two" if last else str(line["label"]))
            axes.plot([PER * line["low"], PER * line["high"]], [row, row], color=colour, linewidth=1.6)
            axes.plot(PER * line["estimate"], row, marker="D" if last else "o", color=colour, markersize=6)
            write(axes, 0.775, row, with_interval(line, "risk-difference"), color=colour)
            row += 1
        row += 0.2
    rows_axis(axes, int(np.ceil(row)), 0.0)
    axes.set_xlabel("Difference in risk per 1,000 people (cross-sectional)")
    return figure


@styled
def reverse(frame: pd.DataFrame) -> Figure:
    """The difference of the two roles for every pair of supposed reverse paths. frame: rows of reverse_paths.csv."""
    require(frame, ["points", "odds_ratio", "estimate", "low", "high"], "reverse_paths")
    points = sorted(frame["points"].unique())
    ratios = sorted(frame["odds_ratio"].unique(), reverse=True)
    figure, axes = canvas(0.44 * len(ratios) + 1.1, 0.2, 0.99, 0.62)
    for line in frame.to_dict("records"):
        x, y = points.index(line["points"]), ratios.index(line["odds_ratio"])
        side = "treated" if line["low"] > 0 else "untreated" if line["high"] < 0 else "band"
        alpha = 0.28 if side != "band" else 1.0
        axes.fill_between([x - 0.47, x + 0.47], y - 0.45, y + 0.45, color=STYLE[side], alpha=alpha, linewidth=0)
        told = f"{PER * line['estimate']:+.0f}".replace("-", "\N{MINUS SIGN}")
        axes.text(x, y, told, ha="center", va="center", fontweight="bold" if side != "band" else "normal")
    axes.set_xlim(-0.5, len(points) - 0.5)
    axes.set_ylim(len(ratios) - 0.5, -0.5)
    axes.set_xticks(range(len(points)), [f"{point:g}" for point in points])
    axes.set_yticks(range(len(ratios)), [f"{ratio:g}" for ratio in ratios])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel("Points by which the outcome raised the first")
    axes.set_ylabel("Odds ratio by which\nit lowered the second")
    return figure


@styled
def curve(frame: pd.DataFrame, findings: pd.DataFrame, label: str, unit: str) -> Figure:
    """The risk along an amount with its interval, and how many people have how much. frame: rows of doses.csv."""
    require(frame, ["amount", "risk", "low", "high", "people_share"], "doses")
    height = 3.6
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0.09, 1.15 / height, 0.89, 1 - 1.35 / height))
    below = figure.add_axes((0.09, 0.62 / height, 0.89, 0.45 / height))
    amount = frame["amount"].to_numpy(float)
    risk, low, high = (PER * frame[name].to_numpy(float) for name in ("risk", "low", "high"))
    axes.fill_between(amount, low, high, color=STYLE["treated"], alpha=0.15, linewidth=0)
    axes.plot(amount, risk, color=STYLE["treated"], linewidth=2)
    points = findings[findings["item"] == "risk"]
    for line in points.to_dict("records"):
        at = float(str(line["contrast"]).removeprefix("at "))
        axes.plot(at, PER * line["estimate"], marker="o", color=STYLE["ink"], markersize=5, clip_on=False, zorder=4)
    axes.set_ylim(0, 1.08 * float(high.max()))
    axes.set_ylabel("Risk per 1,000")
    axes.set_xlim(amount[0], amount[-1])
    axes.tick_params(labelbottom=False)
    axes.grid(axis="y", color=STYLE["panel"], linewidth=0.8)
    axes.set_axisbelow(True)
    share = frame["people_share"].to_numpy(float)
    edges = np.concatenate([[amount[0]], amount])
    below.bar(edges[:-1], share, width=np.diff(edges), align="edge", color=STYLE["faint"], linewidth=0)
    # Who has none would dwarf the others, and is told in words.
    highest = 1.1 * float(share[1:].max()) if share[0] > share[1:].max() else 1.1 * float(share.max())
    if share[0] > 0:
        below.plot(
            [amount[0], amount[0]],
            [0, min(share[0], highest)],
            color=STYLE["muted"],
            linewidth=5,
            solid_capstyle="butt",
        )
    if share[0] > highest:
        aside = amount[0] + 0.13 * (amount[-1] - amount[0])
        below.text(aside, 0.85 * highest, f"{percent(share[0])} have {amount[0]:g}", color=STYLE["muted"], va="center")
    below.set_xlim(amount[0], amount[-1])
    below.set_ylim(0, highest)
    below.set_yticks([])
    below.set_xlabel(f"{sentence(label)}, {unit} (below: how many people)")
    return figure


@styled
def shares(frame: pd.DataFrame) -> Figure:
    """Shares with their intervals; those that NCHS would not show are named without a number. frame: audits.csv."""
    require(frame, ["item", "label", "estimate", "low", "high", "presentation"], "audits")
    frame = frame[(frame["scale"] == "share") & (frame["contrast"].fillna("") == "")]
    figure, axes = canvas(ROW * len(frame) + 0.8, 0.5, 0.8)
    for row, line in enumerate(frame.to_dict("records")):
        write(axes, 0.01, row, str(line["label"]))
        if line["presentation"] == "suppress" or pd.isna(line["estimate"]):
            write(axes, 0.815, row, "not shown", color=STYLE["muted"])
            continue
        axes.plot([100 * line["low"], 100 * line["high"]], [row, row], color=STYLE["treated"], linewidth=1.6)
        axes.plot(
            100 * line["estimate"], row, marker="o", color=STYLE["treated"], markersize=6, clip_on=False, zorder=4
        )
        ends = f"{decimal(100 * line['low'], 1)} to {decimal(100 * line['high'], 1)}"
        write(axes, 0.815, row, f"{percent(line['estimate'])} ({ends})")
    rows_axis(axes, len(frame))
    axes.set_xlim(left=0)
    axes.set_xlabel("% of people")
    return figure


@styled
def trend(frame: pd.DataFrame) -> Figure:
    """Shares wave by wave with their intervals, as far as NCHS would show them. frame: rows of audits.csv of one share."""
    require(frame, ["label", "contrast", "scale", "estimate", "low", "high", "presentation"], "audits")
    waves = frame[(frame["scale"] == "share") & (frame["contrast"].fillna("") != "")]
    figure, axes = canvas(3.2, 0.07, 0.98, 0.62)
    for place, line in enumerate(waves.to_dict("records")):
        if line["presentation"] == "suppress" or pd.isna(line["estimate"]):
            axes.text(place, 0, "not shown", ha="center", va="bottom", color=STYLE["muted"])
            continue
        axes.plot([place, place], [100 * line["low"], 100 * line["high"]], color=STYLE["treated"], linewidth=1.6)
        axes.plot(place, 100 * line["estimate"], marker="o", color=STYLE["treated"], markersize=6, clip_on=False)
        axes.text(place + 0.07, 100 * line["estimate"], percent(line["estimate"]), va="center", color=STYLE["treated"])
    axes.set_xlim(-0.5, len(waves) - 0.3)
    axes.set_ylim(bottom=0)
    axes.set_xticks(range(len(waves)), [str(wave) for wave in waves["contrast"]])
    axes.grid(axis="y", color=STYLE["panel"], linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel(f"{sentence(str(waves['label'].iloc[0]))}, % of people")
    return figure


@styled
def immortal(frame: pd.DataFrame) -> Figure:
    """Person-years of those on a drug before and after it began, and the hazard ratios by what is made of the years before.

    frame: rows of audits.csv of one variation.
    """
    require(frame, ["item", "label", "contrast", "estimate", "low", "high"], "audits")
    years = frame[(frame["item"] == "person-years") & frame["label"].isin([BEFORE, ON])]
    years = years.pivot_table(index="contrast", columns="label", values="estimate", aggfunc="sum").reindex(
        columns=[BEFORE, ON]
    )
    ratios = frame[frame["item"] == "hazard-ratio"].to_dict("records")
    upper, lower = ROW * len(years), ROW * len(ratios)
    height = upper + lower + 2.15
    figure = Figure(figsize=(WIDTH, height))
    above = figure.add_axes((0.12, (lower + 1.6) / height, 0.86, upper / height))
    first = years[BEFORE].fillna(0).to_numpy(float)
    then = years[ON].fillna(0).to_numpy(float)
    places = np.arange(len(years))
    above.barh(places, first, 0.72, color=STYLE["faint"], linewidth=0)
    above.barh(places, then, 0.72, left=first, color=STYLE["treated"], linewidth=0)
    longest = float((first + then).max())
    for place, (one, other) in enumerate(zip(first, then, strict=True)):
        narrow = one < 0.05 * longest
        told = f"{count(other)} ({count(one)} before)" if narrow else count(other)
        above.text(one / 2, place, "" if narrow else count(one), ha="center", va="center")
        above.text(one + other + 0.006 * longest, place, told, va="center", color=STYLE["treated"])
    above.text(first[0] / 2, -0.75, "before the drug", ha="center", va="center", color=STYLE["muted"])
    above.text(first[0], -0.75, "on it", va="center", color=STYLE["treated"])
    above.set_yticks(places, [f"Age {band}" for band in years.index])
    above.set_ylim(len(years) - 0.4, -0.6)
    above.xaxis.set_major_formatter(lambda value, _: count(value))
    above.set_xlabel("Years of the people who take the drug now, all without pain yet")
    axes = figure.add_axes((0.52, 0.62 / height, 0.26, (lower + 0.1) / height))
    for row, line in enumerate(ratios):
        write(axes, 0.01, row, sentence(str(line["contrast"])))
        if pd.notna(line["low"]):
            axes.plot([line["low"], line["high"]], [row, row], color=STYLE["ink"], linewidth=1.6)
        axes.plot(line["estimate"], row, marker="o", color=STYLE["ink"], markersize=6)
        write(axes, 0.805, row, with_interval(line, "risk-ratio"))
    rows_axis(axes, len(ratios), 1.0)
    axes.set_xscale("log")
    ends = [value for line in ratios for value in (line["low"], line["high"], 0.8, 1.25) if pd.notna(value)]
    axes.set_xlim(min(ends) / 1.1, max(ends) * 1.1)
    ticks = [tick for tick in (0.25, 0.5, 1, 2, 4) if axes.get_xlim()[0] <= tick <= axes.get_xlim()[1]]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("Hazard ratio (no effect is shown)")
    return figure


__all__ = ["curve", "immortal", "reverse", "roles", "shares", "trend"]
