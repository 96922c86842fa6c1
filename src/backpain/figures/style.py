"""The house style of every figure, and how figures become files.

Colours are named for what they mean and differ from one another, so the report can exchange them for a dark
page. They can be told apart with any common colour blindness and are never the only sign: arms are also told
apart by position or shape. Text stays text in the SVG, one line each, so it is read aloud, found by search
and set in the page's own font.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from backpain.tables import views

STYLE = {
    "ink": "#1c2733",
    "muted": "#56616e",
    "faint": "#c3ccd6",
    "panel": "#f0f3f6",
    "paper": "#fefefe",
    "treated": "#0a5c99",
    "untreated": "#b4530b",
    "failed": "#75808c",
    "truth": "#7b3fa0",
    "band": "#dfe6ee",
}
WIDTH = 10.0  # inches; 720 units of the SVG
SLIM = 5.4  # inches; for figures that must be read on a phone
FONT = 11.0
RC: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": FONT,
    "text.color": STYLE["ink"],
    "axes.edgecolor": STYLE["faint"],
    "axes.labelcolor": STYLE["muted"],
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "xtick.color": STYLE["muted"],
    "ytick.color": STYLE["ink"],
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "svg.hashsalt": "backpain",
    "axes.unicode_minus": True,
}
Drawing = ParamSpec("Drawing")


def settings() -> Any:
    """Matplotlib's own defaults with the house style over them, so that no user's settings show."""
    return {**mpl.rcParamsDefault, **RC, "backend": mpl.rcParams["backend"]}


def styled(draw: Callable[Drawing, Figure]) -> Callable[Drawing, Figure]:
    """Draw in the house style whatever the caller's settings are."""

    @wraps(draw)
    def drawn(*arguments: Drawing.args, **options: Drawing.kwargs) -> Figure:
        with mpl.rc_context(settings()):
            return draw(*arguments, **options)

    return drawn


def canvas(
    height: float, left: float = 0.02, right: float = 0.98, bottom: float = 0.6, width: float = WIDTH
) -> tuple[Figure, Axes]:
    """A figure with one plot in it: height, bottom margin and width in inches, sides in shares of the width."""
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((left, bottom / height, right - left, 1 - (bottom + 0.15) / height))
    return figure, axes


def svg(figure: Figure) -> str:
    """The figure as SVG text; the same figure gives the same bytes."""
    buffer = io.StringIO()
    with mpl.rc_context(settings()):
        FigureCanvasSVG(figure).print_svg(
            buffer, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    return buffer.getvalue()


def save(figure: Figure, path: Path | str) -> None:
    """Write the figure to an SVG file; the same figure gives the same bytes."""
    Path(path).write_text(svg(figure), encoding="utf-8")


def label(variables: Mapping[str, Mapping[str, Any]], name: str, code: Any = "") -> str:
    """A variable's declared label, with its level's: "Sex: Women". An undeclared name is shown as words."""
    text = views.label(variables, name, unit=False)
    if code == "" or pd.isna(code):
        return text
    return f"{text}, squared" if code == "squared" else f"{text}: {views.level(variables, name, code)}"


def require(frame: pd.DataFrame, columns: list[str], table: str) -> None:
    """Refuse an empty table and one without the columns a figure reads."""
    if absent := [column for column in columns if column not in frame]:
        raise ValueError(f"{table}: no column {', '.join(absent)}; the figure needs {', '.join(columns)}")
    if frame.empty:
        raise ValueError(f"{table}: no rows to draw; choose a survey and analysis that are in it")


def rows_axis(axes: Axes, number: int, zero: float | None = None) -> None:
    """An axis of rows from top to bottom, without ticks of its own, and a line where there is no effect."""
    axes.set_ylim(number - 0.4, -0.6)
    axes.set_yticks([])
    if zero is not None:
        axes.axvline(zero, color=STYLE["muted"], linewidth=0.9, zorder=0)


def write(axes: Axes, x: float, y: float, text: str, **options: Any) -> None:
    """Text at a share of the figure's width and a row of the plot."""
    figure = axes.get_figure()
    assert figure is not None
    where = blended_transform_factory(figure.transFigure, axes.transData)
    axes.text(x, y, text, transform=where, **{"va": "center", "ha": "left", **options})
