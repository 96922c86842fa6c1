"""How far an answer can be trusted: where its negative controls fell, and what the lost would have to be like."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from backpain.figures.style import STYLE, canvas, require, styled
from backpain.tables.numbers import PER, difference, ratio

TICKS = np.array([0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0])


@styled
def funnel(controls: pd.DataFrame, contours: pd.DataFrame, answer: pd.DataFrame) -> Figure:
    """Each control's ratio against its standard error, within the bounds that chance allows before and after calibration.

    controls: rows of controls.csv on one scale. contours: rows of contours.csv. answer: the row of calibrated.csv of the
    declared analysis.
    """
    require(controls, ["role", "estimate", "se", "scale"], "controls")
    require(contours, ["se", "low", "high", "calibrated_low", "calibrated_high"], "contours")
    figure, axes = canvas(4.7, 0.1, 0.97, 0.7)
    points = controls[controls["se"].notna()]
    top = float(contours["se"].max())
    for before, colour, alpha in (("calibrated_", STYLE["band"], 1.0), ("", STYLE["faint"], 0.55)):
        low, high = (contours[before + end] for end in ("low", "high"))
        axes.fill_betweenx(contours["se"], low, high, linewidth=0, zorder=0, color=colour, alpha=alpha)
    axes.axvline(0, color=STYLE["muted"], linewidth=0.9, zorder=1)
    for role, marker, colour, label in (
        ("control", "o", STYLE["ink"], "negative control"),
        ("comparison", "D", STYLE["untreated"], "pain elsewhere"),
    ):
        own = points[points["role"] == role]
        if len(own):
            face = colour if role == "control" else STYLE["paper"]
            axes.plot(np.log(own["estimate"]), own["se"], marker, color=colour, markersize=6, zorder=2,
                      markerfacecolor=face, label=label)  # fmt: skip
    axes.plot(
        np.log(answer["estimate"]),
        answer["se"],
        "s",
        color=STYLE["treated"],
        markersize=9,
        zorder=3,
        label="the answer",
    )
    reach = 1.08 * max(
        float(np.abs(np.log(points["estimate"])).max()),
        float(contours[["low", "high", "calibrated_low", "calibrated_high"]].abs().quantile(0.8).max()),
    )
    axes.set_xlim(-reach, reach)
    axes.set_ylim(top, 0)
    shown = TICKS[np.abs(np.log(TICKS)) < reach]
    axes.set_xticks(np.log(shown), [ratio(tick) for tick in shown])
    axes.set_xlabel("Ratio of the risk with treatment to the risk without (log scale)")
    axes.set_ylabel("Standard error of the logarithm", color=STYLE["muted"])
    axes.spines["left"].set_visible(True)
    axes.legend(loc="upper left", frameon=False, fontsize=10, handletextpad=0.4)
    return figure


CONCLUSIONS = {"below no effect": "treated", "holds no effect": "band", "above no effect": "untreated"}
SAID = {
    "below no effect": "interval below\nno difference",
    "above no effect": "interval above\nno difference",
    "holds no effect": "interval holds\nno difference",
}


@styled
def tipping(grid: pd.DataFrame, edges: pd.DataFrame, like: pd.Series) -> Figure:
    """What the interval would say for every pair of risks that can be supposed of the lost.

    grid: rows of tipping.csv on the grid. edges: rows of frontier.csv. like: the row in which the lost are like the
    followed.
    """
    require(grid, ["lost_treated", "lost_untreated", "conclusion"], "tipping")
    figure, axes = canvas(4.9, 0.12, 0.97, 0.7)
    wide = grid.pivot(index="lost_treated", columns="lost_untreated", values="conclusion")
    x, y = PER * wide.columns.to_numpy(float), PER * wide.index.to_numpy(float)
    place = np.meshgrid(x, y)
    for conclusion, colour in CONCLUSIONS.items():
        here = (wide == conclusion).to_numpy(float)
        if here.any():
            shade = STYLE[colour]
            axes.contourf(*place, here, [0.5, 1.5], colors=[shade], alpha=1.0 if colour == "band" else 0.28, zorder=0)
            middle = [float(axis[here > 0].mean()) for axis in place]
            if here.mean() > 0.03:
                axes.text(
                    middle[0], middle[1], SAID[conclusion], ha="center", va="center", color=STYLE["ink"], fontsize=10
                )
    for change, style in (("estimate reaches no effect", "-"), ("estimate reaches the smallest effect", (0, (5, 2)))):
        line = edges[edges["change"] == change].sort_values("lost_treated")
        if len(line) > 1:
            label = "no difference estimated" if style == "-" else "smallest difference that matters"
            axes.plot(PER * line["lost_untreated"], PER * line["lost_treated"], color=STYLE["ink"], linewidth=1.3,
                      linestyle=style, label=label, zorder=1)  # fmt: skip
    point = (PER * float(like["lost_untreated"]), PER * float(like["lost_treated"]))
    axes.plot(*point, "s", color=STYLE["treated"], markersize=9, zorder=3)
    axes.annotate(f"like the followed: {difference(float(like['estimate']))}", point, (10, 8), textcoords="offset points",
                  fontweight="bold", fontsize=10, zorder=4)  # fmt: skip
    axes.set_xlim(x.min(), x.max())
    axes.set_ylim(y.min(), y.max())
    axes.set_xlabel("Risk supposed of the untreated who were lost, per 1,000")
    axes.set_ylabel("Risk supposed of the treated who were lost, per 1,000", color=STYLE["muted"])
    axes.spines["left"].set_visible(True)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", frameon=False, fontsize=10)
    return figure
