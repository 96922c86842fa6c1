"""Whether the arms can be compared, and whether imputations settled: balance, overlap, convergence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from backpain.figures.style import FONT, SLIM, STYLE, WIDTH, canvas, label, require, rows_axis, styled, write
from backpain.tables.conceal import conceal
from backpain.tables.numbers import percent, ratio
from backpain.tables.pick import sections


@styled
def love(frame: pd.DataFrame, variables: Mapping[str, Mapping[str, Any]], limit: float = 0.1) -> Figure:
    """How far apart the arms are on each covariate, before and after adjustment.

    frame: the rows of balance.csv of one survey, analysis and variation. limit: the gate's largest
    difference.
    """
    require(frame, ["covariate", "level", "stage", "smd"], "balance")
    wide = frame.assign(level=frame["level"].fillna(""), smd=frame["smd"].abs()).pivot_table(
        index=["covariate", "level"], columns="stage", values="smd", sort=False
    )
    wide = wide.reindex(columns=["before", "after"]).sort_values("before", ascending=False)
    figure, axes = canvas(0.275 * len(wide) + 1.05, 0.33, 0.97, 0.62)
    rows_axis(axes, len(wide), 0)
    for row, pair in enumerate(wide.reset_index().to_dict("records")):
        write(axes, 0.315, row, label(variables, pair["covariate"], pair["level"]), ha="right")
        axes.plot([pair["before"], pair["after"]], [row, row], color=STYLE["faint"], linewidth=1.5, zorder=1)
    rows = range(len(wide))
    axes.scatter(wide["before"], rows, s=34, facecolor=STYLE["paper"], edgecolor=STYLE["untreated"], linewidth=1.5)
    axes.scatter(wide["after"], rows, s=34, color=STYLE["treated"], zorder=3, clip_on=False)
    axes.axvline(limit, color=STYLE["ink"], linewidth=0.9, linestyle=(0, (4, 3)))
    top = wide.iloc[0]
    axes.text(top["before"], -0.85, "before", ha="center", color=STYLE["untreated"])
    axes.text(min(top["after"], 0.7 * limit), -0.85, "after", ha="center", color=STYLE["treated"])
    axes.text(limit, len(wide) - 0.55, f"\u00a0limit {limit:g}", ha="left", va="bottom", color=STYLE["ink"])
    axes.set_ylim(len(wide) - 0.4, -1.25)
    axes.set_xlim(0, max(1.08 * float(wide.max().max()), 1.5 * limit))
    axes.set_xlabel("Absolute standardised difference between the arms")
    return figure


@styled
def overlap(frame: pd.DataFrame) -> Figure:
    """The propensity score in each arm: treated upwards, untreated downwards.

    frame: the rows of overlap.csv of one survey, analysis and variation; share is of the arm's weight. Bins merged
    for the sake of few people are drawn as wide and so much lower, their area being their share.
    """
    require(frame, ["arm", "low", "high", "share"], "overlap")
    figure, axes = canvas(3.6, 0.09, 0.97, 0.62)
    narrowest, top = float((frame["high"] - frame["low"]).min()), 0.0
    for arm, sign in (("treated", 1), ("untreated", -1)):
        bins = frame[frame["arm"] == arm]
        widths = bins["high"] - bins["low"]
        heights = bins["share"] * narrowest / widths
        axes.bar(bins["low"], sign * heights, width=widths - 0.08 * narrowest, align="edge", color=STYLE[arm])
        top = max(top, float(heights.max()))
    axes.axhline(0, color=STYLE["ink"], linewidth=0.9)
    for arm, place in (("treated", 0.85), ("untreated", -0.85)):
        axes.text(0.01, place * top, arm, color=STYLE[arm], fontweight="bold", va="center")
    axes.set_xlim(0, 1)
    axes.set_ylim(-1.1 * top, 1.1 * top)
    axes.yaxis.set_major_formatter(lambda value, _: percent(abs(value)))
    axes.set_yticks([-top, -top / 2, 0, top / 2, top])
    axes.set_xlabel("Estimated probability of being treated (share of each arm in each bin)")
    return figure


@styled
def convergence(frame: pd.DataFrame, variables: Mapping[str, Mapping[str, Any]]) -> Figure:
    """The mean drawn for each imputed variable in each iteration, a line for each imputation.

    frame: the rows of convergence.csv of one survey, analysis and variation. Of a category its commonest level is drawn.
    """
    require(frame, ["imputation", "iteration", "variable", "level", "mean", "r_hat"], "convergence")
    shown = list(_commonest(frame.assign(level=frame["level"].fillna(""))))
    across = min(2, len(shown))
    down = -(-len(shown) // across)
    figure = Figure(figsize=(SLIM if across == 1 else WIDTH, 1.85 * down + 0.55))
    for place, (variable, level, part) in enumerate(shown):
        axes = figure.add_subplot(down, across, place + 1)
        lines = part.pivot_table(index="iteration", columns="imputation", values="mean")
        axes.plot(lines.index, lines.to_numpy(), color=STYLE["treated"], linewidth=0.8, alpha=0.45)
        axes.set_title(label(variables, variable, level), loc="left", fontsize=FONT, color=STYLE["ink"])
        axes.set_title(f"R-hat {ratio(part['r_hat'].iloc[0])}", loc="right", fontsize=FONT, color=STYLE["muted"])
        if level:
            axes.yaxis.set_major_formatter(lambda value, _: percent(value))
        axes.locator_params(axis="y", nbins=4)
        axes.locator_params(axis="x", integer=True)
        axes.set_xlim(1, part["iteration"].max())
        axes.set_xlabel("Iteration" if place >= len(shown) - across else "")
    figure.subplots_adjust(
        left=0.08,
        right=0.98,
        top=1 - 0.38 / (1.85 * down + 0.55),
        bottom=0.55 / (1.85 * down + 0.55),
        hspace=0.5,
        wspace=0.2,
    )
    return figure


def _commonest(frame: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Each imputed variable with its commonest level, and the rows of that."""
    for variable, part in frame.groupby("variable", sort=False):
        level = part.groupby("level", sort=False)["mean"].mean().idxmax()
        yield str(variable), str(level), part[part["level"] == level]


def draw(results: Mapping[str, pd.DataFrame], facts: Mapping[str, Any]) -> dict[str, Figure]:
    """Balance, overlap and, where something was imputed, convergence: "<analysis>.<survey>.<figure>".

    results and facts are those of `backpain.report.render`.
    """
    drawn = {}
    for section in sections(conceal(results, int(facts["smallest_cell"])), facts):
        if section.kind == "trial":
            name = f"{section.name}.{section.survey}"
            drawn[f"{name}.love"] = love(section.balance, facts["variables"], section.limit)
            drawn[f"{name}.overlap"] = overlap(section.rows("overlap", "main"))
            if len(section.chains):
                drawn[f"{name}.convergence"] = convergence(section.chains, facts["variables"])
    return drawn
