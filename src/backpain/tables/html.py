"""Frames as accessible HTML tables: a caption, header cells with a scope, numbers to the right, nothing else.

Plain markup rather than a table package, because the style sheet must reach every cell (dark page, print, phone).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from backpain.tables.numbers import MISSING, is_missing, small


def plain(value: Any) -> str:
    """A text cell; nothing where there is nothing."""
    return MISSING if is_missing(value) or value == "" else str(value)


@dataclass(frozen=True)
class Column:
    """One column: the frame's column, its heading, how a value is written, and whether it is a number."""

    name: str
    heading: str
    write: Callable[[Any], str] = plain
    number: bool = False
    width: str = ""


def cell(row: Mapping[Any, Any], column: Column, smallest: int) -> Markup:
    """What a cell says; a hidden count says that it is hidden."""
    how = row.get(f"{column.name}_hidden", "")
    if how == "small":
        return Markup('<span class="hidden-count">{}</span>').format(small(smallest))
    if how == "withheld":
        return Markup('<span class="hidden-count">withheld</span>')
    return escape(column.write(row[column.name]))


def table(
    frame: pd.DataFrame,
    columns: Sequence[Column],
    *,
    identity: str,
    caption: str,
    smallest: int = 0,
    group: str | None = None,
    mark: Callable[[Mapping[Any, Any]], str] = lambda row: "",
    notes: Sequence[str] = (),
) -> Markup:
    """A frame as a table in a box of its own that scrolls sideways on a narrow page.

    The first column heads its row. group: a column whose runs of equal values become headings. mark: a row's class.
    Raises ValueError naming a column the frame lacks.
    """
    if absent := [column.name for column in columns if column.name not in frame]:
        raise ValueError(f"table {identity}: the frame has no column {', '.join(absent)}")
    rows, last = [Markup("<tbody>")], None
    for row in frame.to_dict("records"):
        if group and row[group] != last:
            rows += [Markup("</tbody><tbody>")] if last is not None else []
            last = row[group]
            rows.append(
                Markup('<tr class="group"><th scope="rowgroup" colspan="{}">{}</th></tr>').format(len(columns), last)
            )
        rows.append(body_row(row, columns, smallest, mark(row)))
    rows.append(Markup("</tbody>"))
    heads = Markup("").join(
        Markup('<th scope="col"{}{}>{}</th>').format(
            Markup(' class="number"') if column.number else "",
            Markup(' style="min-width:{}"').format(column.width) if column.width else "",
            column.heading,
        )
        for column in columns
    )
    remarks = Markup("").join(Markup('<p class="note">{}</p>').format(note) for note in notes)
    return Markup(
        '<div class="scroll" role="region" tabindex="0" aria-labelledby="{identity}-caption">'
        '<table id="{identity}"><caption id="{identity}-caption">{caption}</caption>'
        "<thead><tr>{heads}</tr></thead>\n{rows}\n</table></div>{remarks}"
    ).format(identity=identity, caption=caption, heads=heads, rows=Markup("\n").join(rows), remarks=remarks)


def body_row(row: Mapping[Any, Any], columns: Sequence[Column], smallest: int, kind: str) -> Markup:
    """One row; its first cell is its heading."""
    first, *others = columns
    cells = [Markup('<th scope="row">{}</th>').format(cell(row, first, smallest))]
    cells += [
        Markup("<td{}>{}</td>").format(Markup(' class="number"') if column.number else "", cell(row, column, smallest))
        for column in others
    ]
    return Markup("<tr{}>{}</tr>").format(Markup(' class="{}"').format(kind) if kind else "", Markup("").join(cells))
