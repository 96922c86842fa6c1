"""Writers of text files: CSV, and columns at fixed places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from backpain.formats import Field, fields
from backpain.write.frame import Order, WriteError

WHOLE = 2.0**53  # up to here a float64 tells whole numbers apart


def write_csv(frame: pd.DataFrame, file: Path, order: Order) -> None:
    """Comma-separated values as R writes them: text in quotes, NA without, whole numbers without a point."""
    columns = [[_quoted(name) for name in frame]]
    made = [[_value(value) for value in _as_number(column)] for _, column in frame.items()]
    lines = [",".join(row) for row in (*columns, *zip(*made, strict=True))]
    file.write_text("\n".join([*lines, ""]), encoding="utf-8", newline="\n")


def _as_number(column: pd.Series) -> pd.Series:
    return column.astype("float64") if column.dtype == bool else column


def _value(value: object) -> str:
    if isinstance(value, str):
        return _quoted(value)
    return "NA" if pd.isna(value) else _digits(float(value))  # type: ignore[arg-type]


def _quoted(value: object) -> str:
    return '"' + str(value).replace('"', '""') + '"'


def _digits(value: float) -> str:
    """A number with all its digits and no more."""
    return str(int(value)) if value.is_integer() and abs(value) <= WHOLE else repr(value)


def write_fixed_width(frame: pd.DataFrame, file: Path, order: Order) -> None:
    """Columns at fixed places; a missing number is a full stop, and lines are right-trimmed."""
    places = fields(order.layout)
    lacking = [place.name for place in places if place.name not in frame]
    left = [name for name in frame if name not in {place.name for place in places}]
    if lacking or left:
        raise WriteError(f"the layout and the frame differ: without a column {lacking}, without a place {left}")
    made = [_fixed(frame[place.name], place) for place in places]
    lines = np.full((len(frame), max(place.end for place in places)), " ")
    for place, texts in zip(places, made, strict=True):
        for row, text in enumerate(texts):
            lines[row, place.start - 1 : place.end] = list(text)
    text = "".join("".join(line).rstrip() + "\n" for line in lines)
    file.write_text(text, encoding="utf-8", newline="\n")


def _fixed(column: pd.Series, place: Field) -> list[str]:
    """The texts of one column, as wide as its place."""
    if place.type == "text":
        texts = ["" if pd.isna(value) else str(value) for value in column]
        unsafe = next((text for text in texts if text == "." or text != text.rstrip()), None)
        if unsafe is not None:
            raise WriteError(f"{place.name}: {unsafe!r} would be read back as something else; change it")
    else:
        texts = ["." if pd.isna(value) else _digits(float(value)) for value in column]
    wide = next((text for text in texts if len(text) > place.width), None)
    if wide is not None:
        raise WriteError(f"{place.name}: {wide!r} does not fit into characters {place.start}-{place.end}; widen them")
    return [text.ljust(place.width) if place.type == "text" else text.rjust(place.width) for text in texts]
