"""Writers of the formats of statistics packages: SAS, Stata, SPSS, R, and Parquet."""

from __future__ import annotations

import gzip
import warnings
from datetime import datetime
from pathlib import Path

import pandas as pd
import pyreadr
import pyreadstat

from backpain.write.frame import Order, WriteError, blank

EPOCH = datetime(2000, 1, 1)
XPORT_CLOCKS = ((144, 176), (464, 496))  # created and modified, of the library and of its member
SPSS_CLOCK = (92, 109)  # creation date and time


def write_xport(frame: pd.DataFrame, file: Path, order: Order) -> None:
    """SAS transport, version 5: names of up to 8 characters, text of up to 200 bytes."""
    long = [name for name in map(str, frame.columns) if len(name) > 8]
    if long:
        raise WriteError(f"XPORT names have up to 8 characters: shorten {', '.join(long)}")
    for name in map(str, frame.select_dtypes("str").columns):
        if frame[name].str.encode("utf-8").str.len().max() > 200:
            raise WriteError(f"XPORT text has up to 200 bytes: shorten the text in {name}")
    pyreadstat.write_xport(blank(frame), str(file), table_name="DATA", file_format_version=5)
    _set_clocks(file, XPORT_CLOCKS, EPOCH.strftime("%d%b%y:%H:%M:%S").upper())


def write_spss(frame: pd.DataFrame, file: Path, order: Order) -> None:
    """SPSS, compressed by rows."""
    pyreadstat.write_sav(blank(frame), str(file), row_compress=True)
    _set_clocks(file, (SPSS_CLOCK,), EPOCH.strftime("%d %b %y%H:%M:%S"))


def write_stata(frame: pd.DataFrame, file: Path, order: Order) -> None:
    """Stata 14 and later."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # pandas renames columns, and only warns
        try:
            blank(frame).to_stata(file, write_index=False, version=118, time_stamp=EPOCH)
        except (ValueError, Warning) as error:
            raise WriteError(f"Stata cannot hold this frame: {' '.join(str(error).split())}") from error


def write_r(frame: pd.DataFrame, file: Path, order: Order) -> None:
    """R data: `.rds`, or `.RData` with one data frame, compressed as R does."""
    if file.suffix.lower() == ".rds":
        pyreadr.write_rds(str(file), frame)
    else:
        pyreadr.write_rdata(str(file), frame, df_name=order.object or "data")
    file.write_bytes(gzip.compress(file.read_bytes(), mtime=0))


def write_parquet(frame: pd.DataFrame, file: Path, order: Order) -> None:
    """Parquet."""
    frame.to_parquet(file, index=False)


def _set_clocks(file: Path, places: tuple[tuple[int, int], ...], clock: str) -> None:
    """Overwrite the time of writing in a header, and refuse when it is not where it should be."""
    raw = bytearray(file.read_bytes())
    for start, end in places:
        new = (clock * ((end - start) // len(clock))).encode("ascii")
        if len(new) != end - start or bytes(raw[start:end]).count(b":") != new.count(b":"):
            raise WriteError("the library writes its header otherwise than expected; the bytes would not be stable")
        raw[start:end] = new
    file.write_bytes(bytes(raw))
