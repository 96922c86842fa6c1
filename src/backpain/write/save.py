"""Writes a frame as a raw file, packed or not, whole or not at all."""

from __future__ import annotations

import gzip
import io
import lzma
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyreadr
import pyreadstat

from backpain.formats import COMPRESSED, SUFFIXES, Layout, LayoutError, format_of
from backpain.job import finished
from backpain.write.binary import EPOCH, write_parquet, write_r, write_spss, write_stata, write_xport
from backpain.write.frame import Order, WriteError, writable
from backpain.write.text import write_csv, write_fixed_width

WRITERS: dict[str, Callable[[pd.DataFrame, Path, Order], None]] = {
    "xport": write_xport,
    "csv": write_csv,
    "stata": write_stata,
    "spss": write_spss,
    "r": write_r,
    "fixed-width": write_fixed_width,
    "parquet": write_parquet,
}


def write(
    frame: pd.DataFrame,
    path: Path | str,
    layout: Layout | None = None,
    format: str | None = None,
    member: str | None = None,
) -> None:
    """Write a raw file that `read` gives back as it was.

    Formats that have no missing text (XPORT, Stata, SPSS, fixed width) get blank text for it, as the
    agencies do.

    Parameters
    ----------
    frame : DataFrame
        Columns of numbers, text or logical values. The index is not kept. Logical values become 0 and 1
        except in R data and Parquet.
    path : Path or str
        Where to. `.xz` and `.gz` compress; `.zip` packs one file.
    layout : mapping, list or path, optional
        Where the columns of a fixed-width file stand (see `backpain.formats.fields`).
    format : str, optional
        One of `WRITERS`; otherwise the suffix says it.
    member : str, optional
        The name of the file inside a `.zip` (its suffix then says the format), or of the object in an
        `.RData` file.

    Raises
    ------
    WriteError
        If the format cannot hold the frame, or is not known or cannot be written (SAS7BDAT).
    """
    path = Path(path)
    packing, name, inside = _names(path, format, member)
    kind = format or format_of(name)
    if kind not in WRITERS:
        raise WriteError(f"{path}: there is no writer for {kind or name!r}; formats: {', '.join(sorted(WRITERS))}")
    try:
        with tempfile.TemporaryDirectory(prefix="backpain-") as folder:
            file = Path(folder) / Path(name).name
            WRITERS[kind](writable(frame), file, Order(layout, inside))
            with finished(path) as temporary:
                temporary.write_bytes(_pack(file.read_bytes(), packing, name))
    except (
        WriteError,
        LayoutError,
        pyreadstat.ReadstatError,
        pyreadstat.PyreadstatError,
        pyreadr.PyreadrError,
    ) as error:
        raise WriteError(f"{path}: {error}") from error


def _names(path: Path, format: str | None, member: str | None) -> tuple[str, str, str | None]:
    """How the file is packed, the name of what is packed, and the object inside that."""
    packing = path.suffix.lower()
    if packing == ".zip":
        if member is not None and format_of(member) is not None:
            return packing, member, None
        suffix = next((known for known, kind in SUFFIXES.items() if kind == format), "")
        return packing, path.stem if format_of(path.stem) else path.stem + suffix, member
    return (packing, path.stem, member) if packing in COMPRESSED else ("", path.name, member)


def _pack(raw: bytes, packing: str, name: str) -> bytes:
    """Compress without a clock: neither xz nor these gzip and zip headers say when."""
    if packing == ".xz":
        return lzma.compress(raw)
    if packing == ".gz":
        return gzip.compress(raw, mtime=0)
    if packing != ".zip":
        return raw
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo(name, date_time=EPOCH.timetuple()[:6])
        entry.external_attr = 0o644 << 16
        archive.writestr(entry, raw, compress_type=zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
