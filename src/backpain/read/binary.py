"""Readers of the formats of statistics packages: SAS, Stata, SPSS, R, and Parquet."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet
import pyreadr
import pyreadstat

from backpain.read.frame import ReadError, Request, choose

# Older files of the agencies hold Western European text without saying so.
OTHER_ENCODING = "WINDOWS-1252"


def read_xport(path: Path, request: Request) -> pd.DataFrame:
    """SAS transport (version 5 or 8). Zeros are zeros; the special missing values .A-.Z are missing."""
    frame, about = _statistics_package(pyreadstat.read_xport, path, request)
    _refuse_cut_xport(path, len(frame), sum(about.variable_storage_width.values()))
    return frame


def read_sas7bdat(path: Path, request: Request) -> pd.DataFrame:
    """SAS data set."""
    return _statistics_package(pyreadstat.read_sas7bdat, path, request, user_missing=True)[0]


def read_stata(path: Path, request: Request) -> pd.DataFrame:
    """Stata. Value labels are not applied."""
    return _statistics_package(pyreadstat.read_dta, path, request, user_missing=True)[0]


def read_spss(path: Path, request: Request) -> pd.DataFrame:
    """SPSS. Value labels are not applied, and codes declared as missing stay codes."""
    return _statistics_package(pyreadstat.read_sav, path, request, user_missing=True)[0]


def read_parquet(path: Path, request: Request) -> pd.DataFrame:
    """Parquet."""
    chosen = choose(request.columns, pyarrow.parquet.read_schema(path).names)
    return pd.read_parquet(path, columns=chosen).reset_index(drop=True)


def read_r(path: Path, request: Request) -> pd.DataFrame:
    """R data, `.rds` (one object) or `.RData` (several with names). A factor gives the text of its levels."""
    objects = _r_objects(path, None)
    name = _r_object(path, objects, request.object)
    frame = objects[name]
    return frame[choose(request.columns, frame.columns)]


def _statistics_package(
    reader: Callable[..., Any], path: Path, request: Request, **how: Any
) -> tuple[pd.DataFrame, Any]:
    _, about = _decoded(reader, path, metadataonly=True)
    chosen = choose(request.columns, about.column_names)
    if not chosen:
        raise ReadError("has no columns, or none were asked for; name the columns to read")
    frame, read = _decoded(reader, path, usecols=chosen, disable_datetime_conversion=True, **how)
    # What was read knows the chosen columns only; `about` knows them all.
    return _without_letters(frame[chosen], read), about


def _decoded(reader: Callable[..., Any], path: Path, **how: Any) -> tuple[pd.DataFrame, Any]:
    try:
        return reader(str(path), **how)
    except (UnicodeDecodeError, pyreadstat.ReadstatError) as error:
        if isinstance(error, pyreadstat.ReadstatError) and "encoding" not in str(error):
            raise
        return reader(str(path), encoding=OTHER_ENCODING, **how)


def _without_letters(frame: pd.DataFrame, about: Any) -> pd.DataFrame:
    """Make the letters of special missing values missing, and count them: a column of numbers stays one."""
    counts: dict[str, dict[str, int]] = {}
    made: dict[str, pd.Series] = {}
    for name in frame.columns:
        column = frame[name]
        if about.readstat_variable_types.get(name, "").startswith("string"):
            made[name] = column.astype("str").fillna("")
            continue
        if column.dtype == object:
            letters = column.map(lambda value: isinstance(value, str)).astype(bool)
            found = column[letters].value_counts().sort_index()
            counts[name] = {f".{letter}": int(count) for letter, count in found.items()}
            column = column.mask(letters, np.nan).astype("float64")
        made[name] = column
    same = pd.DataFrame(made, index=frame.index)
    if any(counts.values()):
        same.attrs["special_missing"] = {name: letters for name, letters in counts.items() if letters}
    return same


def _refuse_cut_xport(path: Path, rows: int, width: int) -> None:
    """A transport file does not say how many rows it has: one that was cut short reads as a shorter one.

    Records have 80 bytes, rows have the sum of the columns' widths, and what stays after the last row is
    blank.
    """
    size = path.stat().st_size
    with path.open("rb") as handle:
        head = handle.read(min(size, 1_000_000))
        first = head.find(b"HEADER RECORD*******OBS")
        while first % 80 and first != -1:
            first = head.find(b"HEADER RECORD*******OBS", first + 1)
        handle.seek(first + 80 + rows * width)
        rest = handle.read()
    if first == -1:
        return
    if size % 80 or rest.strip(b" "):
        raise ReadError(
            f"is cut short: {size:,} bytes are not whole records with whole rows. Compare its size with the "
            "source, delete it and fetch it again"
        )


def _r_objects(path: Path, encoding: str | None) -> dict[str | None, pd.DataFrame]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="the file has no readable objects")
        try:
            return dict(pyreadr.read_r(str(path), encoding=encoding))
        except UnicodeDecodeError:
            if encoding is not None:
                raise
            return _r_objects(path, "CP1252")


def _r_object(path: Path, objects: dict[str | None, pd.DataFrame], asked: str | None) -> str | None:
    """The object to take: the asked one, or the only data frame."""
    names = ", ".join(str(name) for name in objects) or "none that can be read"
    if asked is not None:
        if asked not in objects:
            raise ReadError(f"has no object {asked!r}; it has {names}. Name one of them, or save it as a data frame")
        return asked
    if len(objects) == 1:
        return next(iter(objects))
    listed = pyreadr.list_objects(str(path)) if objects else []
    frames = [entry["object_name"] for entry in listed if entry["columns"]]
    if len(frames) != 1:
        raise ReadError(
            f"has {len(frames)} data frames (objects: {names}); name the one to read as `member`, "
            "or save a single data frame in it"
        )
    return str(frames[0])
