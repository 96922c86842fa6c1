"""Readers of text files: CSV, and columns at fixed places."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from backpain.formats import Field, fields
from backpain.read.frame import ReadError, Request, choose

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
PADDED = re.compile(r"[+-]?0\d")  # 007 is a code, not the number 7
QUOTED = re.compile(r'"([^"]*(?:""[^"]*)*)"')
MARKS = "\ue000\ue001\ue002\ue003"  # characters of no language, to remember that a value stood in quotes
ABSENT = ("", ".")
DIGITS = 15  # whole numbers of up to so many digits are exact


def read_csv(path: Path, request: Request) -> pd.DataFrame:
    """Comma-separated values with a header line, in UTF-8 or Windows-1252.

    Only an unquoted NA is missing text; a blank is the text "". In a column of numbers a blank is missing
    too, since nothing else can be meant. Programs that quote text only (R does) say by it that "311" is
    text: such a column is text. So is one in which a number is padded with zeros (007), or has more digits
    than a number keeps.
    """
    text = _decoded(path)
    names = next(csv.reader(io.StringIO(text)), [])
    chosen = choose(request.columns, names)
    outside = QUOTED.sub("", text)
    _refuse_ragged(outside, len(names))
    mark = next((mark for mark in MARKS if mark not in text), None)
    if mark is None:
        raise ReadError("holds characters that are reserved for no language; it is damaged, fetch it again")
    # Where everything stands in quotes they tell nothing about a column.
    tells = '"' in text and outside.partition("\n")[2].replace(",", "").replace("\n", "") != ""
    frame = pd.read_csv(
        io.StringIO(QUOTED.sub(lambda found: f'"{mark}{found[1]}"', text)) if tells else io.StringIO(text),
        header=0,
        names=names,
        usecols=chosen,
        index_col=False,
        dtype=str,
        na_values=["NA"],
        keep_default_na=False,
        skip_blank_lines=len(names) > 1,
    )
    return pd.DataFrame({name: _csv_column(frame[name], mark if tells else "") for name in chosen}, index=frame.index)


def read_fixed_width(path: Path, request: Request) -> pd.DataFrame:
    """Columns at fixed places, without a header.

    A blank or a full stop is a missing number. Lines may be right-trimmed.
    """
    wanted = {field.name: field for field in fields(request.layout)}
    chosen = choose(request.columns, wanted)
    lines = _decoded(path).split("\n")
    if lines[-1] == "":
        lines.pop()
    return pd.DataFrame({name: _fixed_column(lines, wanted[name]) for name in chosen}, index=range(len(lines)))


def _decoded(path: Path) -> str:
    raw = path.read_bytes()
    if b"\0" in raw[:100_000]:
        raise ReadError("is not a text file; declare its format, or fetch it again")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252")
    if not text.endswith("\n"):
        # A number that was cut in two is still a number, so nothing else would show it.
        raise ReadError(
            "does not end with the end of a line, so it was probably cut short: compare its size with the source and "
            "fetch it again, or add a line end if it is whole"
        )
    return text.replace("\r\n", "\n")


def _refuse_ragged(outside: str, columns: int) -> None:
    """Every row has as many separators as the header; `outside` is the text without what stands in quotes."""
    if '"' in outside:
        raise ReadError("ends inside a quoted text: it is cut short or damaged; delete it and fetch it again")
    for number, line in enumerate(outside.split("\n"), start=1):
        if line.count(",") != columns - 1 and line:
            raise ReadError(
                f"has {line.count(',') + 1} values in row {number} and {columns} columns: it is cut short, "
                "damaged or not separated by commas; delete it and fetch it again"
            )


def _csv_column(column: pd.Series, mark: str) -> pd.Series:
    """One column as numbers or as text, decided by all of its different values."""
    codes, values = pd.factorize(column.astype(object))
    quoted = [bool(mark) and value.startswith(mark) for value in values]
    texts = [value.removeprefix(mark) for value in values]
    said = [text for text in texts if text.strip()]
    blank_text = not said and any(quoted)
    if blank_text or any(mark and text and said_so for text, said_so in zip(texts, quoted, strict=True)):
        return _spread(texts, codes, "str")
    if all(_is_number(text.strip()) for text in said):
        numbers = [float(text) if text.strip() else np.nan for text in texts]
        return _spread(numbers, codes, "float64")
    return _spread(texts, codes, "str")


def _is_number(text: str) -> bool:
    return bool(NUMBER.fullmatch(text)) and not PADDED.match(text) and not (text.isdigit() and len(text) > DIGITS)


def _fixed_column(lines: list[str], field: Field) -> pd.Series:
    values = [line[field.start - 1 : field.end].rstrip() for line in lines]
    codes, different = pd.factorize(np.array(values, dtype=object))
    if field.type == "text":
        texts = [np.nan if value == "." else value for value in different]
        return _spread(texts, codes, "str")
    stray = next((value for value in different if not _may_be_number(value.strip())), None)
    if stray is not None:
        raise ReadError(
            f"has {stray.strip()!r} in line {values.index(stray) + 1} where the layout puts the number {field.name} "
            f"(characters {field.start}-{field.end}); give it the type `text`, or correct the layout"
        )
    numbers = [np.nan if value.strip() in ABSENT else float(value) for value in different]
    return _spread(numbers, codes, "float64")


def _may_be_number(text: str) -> bool:
    return text in ABSENT or NUMBER.fullmatch(text) is not None


def _spread(values: Sequence[str | float], codes: np.ndarray, kind: Literal["str", "float64"]) -> pd.Series:
    """Each row's value from the list of different values; the code -1 is missing."""
    known = np.array([*values, np.nan], dtype=object)
    return pd.Series(known[codes]).astype(kind)
