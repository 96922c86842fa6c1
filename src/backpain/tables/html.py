"""Frames as accessible HTML tables: a caption, header cells with a scope, numbers to the right, nothing else.

Plain markup rather than a table package, because the style sheet must reach every cell (dark page, print,
phone).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from backpain.tables.numbers import MISSING, is_missing, small

Row = Mapping[Any, Any]


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

    @property
    def kind(self) -> Markup:
        """The class of its cells."""
        return Markup(' class="number"') if self.number else Markup("")


def cell(row: Row, column: Column, smallest: int) -> Markup:
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
    mark: Callable[[Row], str] = lambda row: "",
    stacked: bool = False,
) -> Markup:
    """A frame as a table in a box of its own that scrolls sideways on a narrow page.

    The first column heads its row. group: a column whose runs of equal values become headings. mark: a row's
    class. stacked: on a phone each row becomes a block with its headings inside (for tables of text). A note
    explains hidden counts where there are any. Raises ValueError naming a column the frame lacks.
    """
    if absent := [column.name for column in columns if column.name not in frame]:
        raise ValueError(f"table {identity}: the frame has no column {', '.join(absent)}")
    records = frame.to_dict("records")
    heads = Markup("").join(
        Markup('<th scope="col"{}{}>{}</th>').format(
            column.kind,
            Markup(' style="min-width:{}"').format(column.width) if column.width else "",
            column.heading,
        )
        for column in columns
    )
    return Markup(
        '<div class="table{stacked}"><p class="caption" id="{identity}-caption">{caption}</p>'
        '<div class="scroll" role="region" tabindex="0" aria-labelledby="{identity}-caption">'
        '<table id="{identity}" aria-labelledby="{identity}-caption">'
        "<thead><tr>{heads}</tr></thead>\n{rows}\n</table></div>{note}</div>"
    ).format(
        stacked=" stacked" if stacked else "",
        identity=identity,
        caption=caption,
        heads=heads,
        rows=body(records, columns, smallest, group, mark),
        note=hidden_note(records, columns, smallest),
    )


def body(
    records: Sequence[Row],
    columns: Sequence[Column],
    smallest: int,
    group: str | None,
    mark: Callable[[Row], str],
) -> Markup:
    """The rows, in one body for each run of equal values of the group column."""
    lines: list[Markup] = []
    last: Any = None
    for row in records:
        if group and row[group] != last:
            lines += [Markup("</tbody><tbody>")] if last is not None else []
            last = row[group]
            lines.append(
                Markup('<tr class="group"><th scope="rowgroup" colspan="{}">{}</th></tr>').format(len(columns), last)
            )
        lines.append(body_row(row, columns, smallest, mark(row)))
    return Markup("<tbody>\n{}\n</tbody>").format(Markup("\n").join(lines))


def body_row(row: Row, columns: Sequence[Column], smallest: int, kind: str) -> Markup:
    """One row; its first cell is its heading, the others name their column for narrow pages."""
    first, *others = columns
    cells = [Markup('<th scope="row"{}>{}</th>').format(first.kind, cell(row, first, smallest))]
    cells += [
        Markup('<td{} data-heading="{}">{}</td>').format(column.kind, column.heading, cell(row, column, smallest))
        for column in others
    ]
    return Markup("<tr{}>{}</tr>").format(Markup(' class="{}"').format(kind) if kind else "", Markup("").join(cells))


def hidden_note(records: Sequence[Row], columns: Sequence[Column], smallest: int) -> Markup:
    """What hidden counts mean, below a table that has any."""
    found = {row.get(f"{column.name}_hidden", "") for row in records for column in columns}
    told = {
        "small": f"{small(smallest)}: fewer than {smallest} people.",
        "withheld": "Withheld: printing it would give away such a count.",
    }
    text = " ".join(sentence for how, sentence in told.items() if how in found)
    return Markup('<p class="note">{}</p>').format(text) if text else Markup("")
