"""The formats of survey files: which suffix means which, and where fixed-width columns stand."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

SUFFIXES = {
    ".xpt": "xport",
    ".ssp": "xport",
    ".csv": "csv",
    ".dta": "stata",
    ".sav": "spss",
    ".sas7bdat": "sas7bdat",
    ".rds": "r",
    ".rdata": "r",
    ".rda": "r",
    ".dat": "fixed-width",
    ".parquet": "parquet",
}
COMPRESSED = (".xz", ".gz")

Kind = Literal["number", "text"]
PAGES = (b"<!doctype html", b"<html", b"<head", b"<!--", b"<?xml")

Layout = Mapping[str, Any] | Iterable[Mapping[str, Any]] | Path | str


def format_of(name: Path | str) -> str | None:
    """The format that a file's name says it has, perhaps before `.xz` or `.gz`; None if it says none."""
    path = Path(name)
    if path.suffix.lower() in COMPRESSED:
        path = path.with_suffix("")
    return SUFFIXES.get(path.suffix.lower())


def is_page(start: bytes) -> bool:
    """Whether a file's first bytes begin a web page: what a site gives, with a status of success, for a lost file."""
    return start[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(PAGES)


class LayoutError(ValueError):
    """A layout of a fixed-width file that is lacking, or in which a column cannot stand where it says."""


@dataclass(frozen=True)
class Field:
    """One column of a fixed-width file: characters `start` to `end`, counted from 1, both included."""

    name: str
    start: int
    end: int
    type: Kind = "number"

    def __post_init__(self) -> None:
        if not 1 <= self.start <= self.end:
            raise LayoutError(
                f"layout: {self.name} stands in characters {self.start}-{self.end}; "
                "count from 1, and do not end before the start"
            )
        if self.type not in ("number", "text"):
            raise LayoutError(f"layout: {self.name} has the type {self.type!r}; it is `number` or `text`")

    @property
    def width(self) -> int:
        """How many characters the column has."""
        return self.end - self.start + 1


def fields(layout: Layout | None) -> list[Field]:
    """The columns of a fixed-width file, in the order of the layout.

    Parameters
    ----------
    layout
        `{name: (start, end)}`, `{name: (start, end, type)}` or `{name: {start:, end:, type:}}`; a list of
        `{name:, start:, end:, type:}`; or a CSV file with these four columns. Without a type it is a number.

    Raises
    ------
    LayoutError
        If there is no layout, or a position or type that cannot be.
    """
    if layout is None:
        raise LayoutError("a fixed-width file has no names in it: declare a layout (name, first and last character)")
    if isinstance(layout, Path | str):
        with Path(layout).open(encoding="utf-8-sig", newline="") as handle:
            return fields(list(csv.DictReader(handle)))
    if isinstance(layout, Mapping):
        found = [_field(name, place) for name, place in layout.items()]
    else:
        found = [_field(str(row["name"]), row) for row in layout]
    twice = sorted({field.name for field in found if [other.name for other in found].count(field.name) > 1})
    if twice:
        raise LayoutError(f"layout: {', '.join(twice)} stands twice; give each column once")
    return found


def _field(name: str, place: Any) -> Field:
    if isinstance(place, Mapping):
        place = (place["start"], place["end"], place.get("type") or "number")
    if not isinstance(place, list | tuple) or len(place) not in (2, 3):
        raise LayoutError(
            f"layout: {name} needs its first and last character, and its type if it is text: [1, 8, text]"
        )
    kind = cast(Kind, place[2] if len(place) == 3 else "number")
    return Field(name, int(place[0]), int(place[1]), kind)
