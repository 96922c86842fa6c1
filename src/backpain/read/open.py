"""Opens a raw file, packed or not, and hands it to the reader of its format."""

from __future__ import annotations

import gzip
import lzma
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow
import pyreadr
import pyreadstat

from backpain.formats import COMPRESSED, SUFFIXES, Layout, LayoutError, format_of, is_page
from backpain.read.binary import read_parquet, read_r, read_sas7bdat, read_spss, read_stata, read_xport
from backpain.read.frame import ReadError, Request, plain
from backpain.read.text import read_csv, read_fixed_width

READERS: dict[str, Callable[[Path, Request], pd.DataFrame]] = {
    "xport": read_xport,
    "csv": read_csv,
    "stata": read_stata,
    "spss": read_spss,
    "sas7bdat": read_sas7bdat,
    "r": read_r,
    "fixed-width": read_fixed_width,
    "parquet": read_parquet,
}

# What the libraries raise when a file is cut short, damaged or of another format.
DAMAGE = (
    pyreadstat.ReadstatError,
    pyreadstat.PyreadstatError,
    pyreadr.LibrdataError,
    pyreadr.PyreadrError,
    pyarrow.ArrowException,
    pd.errors.ParserError,
    lzma.LZMAError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    UnicodeDecodeError,
    NotImplementedError,
)


def read(
    path: Path | str,
    columns: Sequence[str] | None = None,
    format: str | None = None,
    layout: Layout | None = None,
    member: str | None = None,
) -> pd.DataFrame:
    """Read a raw survey file: the agency's names, codes and rows as they are.

    Parameters
    ----------
    path : Path or str
        The file, perhaps compressed (`.xz`, `.gz`) or inside a `.zip`.
    columns : sequence of str, optional
        The columns to return, in this order; all of them by default.
    format : str, optional
        One of `READERS`; otherwise the suffix of the file, or of the file inside the archive, says it.
    layout : mapping, list or path, optional
        Where the columns of a fixed-width file stand (see `backpain.formats.fields`).
    member : str, optional
        Which file inside a `.zip`, or which object of an `.RData` file; needed when there are several.

    Returns
    -------
    DataFrame
        One row for each row of the file, indexed from 0. Numbers are float64, text is `str`, logical values
        `bool`. Special missing values (SAS .A-.Z and ._, Stata .a-.z) are letters, not numbers: they are
        missing, and where the library tells them apart (SAS7BDAT, Stata) `attrs["special_missing"]` counts
        them by column and letter. Values that SPSS declares as missing are codes like any other and stay.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ReadError
        If the file is damaged or of another format, lacks an asked column, or needs a format, layout or
        member named.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: there is no such file; see data/README.md on where the survey files come from"
        )
    try:
        _refuse_what_is_no_data(path)
        with _unpacked(path, format, member) as (file, kind, inside):
            _refuse_what_is_no_data(file)
            frame = READERS[kind](file, Request(columns, layout, inside))
            return plain(frame)
    except DAMAGE as error:
        raise ReadError(
            f"{path}: cannot be read as {format or format_of(path) or 'an archive'} ({_short(error)}). "
            "It is damaged, cut short or of another format: compare its size and checksum with the source, "
            "delete it and fetch it again, or declare its format"
        ) from error
    except (ReadError, LayoutError) as error:
        raise ReadError(f"{path}: {error}") from error.__cause__


@contextmanager
def _unpacked(path: Path, format: str | None, member: str | None) -> Iterator[tuple[Path, str, str | None]]:
    """The file, unpacked to a folder that is then removed; its format; what the member names inside it."""
    suffix = path.suffix.lower()
    if suffix != ".zip" and suffix not in COMPRESSED:
        yield path, _kind(path, format), member
        return
    with tempfile.TemporaryDirectory(prefix="backpain-") as folder:
        if suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                name, inside = _member(archive, format, member)
                file = Path(folder) / Path(name).name
                with archive.open(name) as packed, file.open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked)
        else:
            name, inside = path.name, member
            file = Path(folder) / path.with_suffix("").name
            opener = lzma.open if suffix == ".xz" else gzip.open
            with opener(path, "rb") as packed, file.open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
        if file.suffix.lower() in COMPRESSED:
            with _unpacked(file, format, inside) as found:
                yield found
        else:
            yield file, _kind(Path(name), format), inside


def _kind(path: Path, format: str | None) -> str:
    kind = format or format_of(path)
    if kind is None:
        raise ReadError(
            f"the suffix of {path.name} does not tell its format: declare `format`, one of "
            f"{', '.join(sorted(READERS))} (known suffixes: {', '.join(sorted(SUFFIXES))})"
        )
    if kind not in READERS:
        raise ReadError(f"there is no reader for {kind!r}; `format` is one of {', '.join(sorted(READERS))}")
    return kind


def _member(archive: zipfile.ZipFile, format: str | None, member: str | None) -> tuple[str, str | None]:
    """The file to take out of an archive, and what is left for the member to name inside that file."""
    names = [info.filename for info in archive.infolist() if not info.is_dir()]
    files = [name for name in names if not Path(name).name.startswith(".") and not name.startswith("__MACOSX/")]
    if member is not None:
        asked = [name for name in files if member.casefold() in (name.casefold(), Path(name).name.casefold())]
        if len(asked) == 1:
            return asked[0], None
    data = [name for name in files if format_of(name) is not None] if format is None else files
    if len(data) == 1 and (member is None or format_of(data[0]) == "r"):
        return data[0], member
    lacking = (
        f"does not hold {member!r}" if member is not None else "holds several files" if data else "holds no data file"
    )
    raise ReadError(f"{lacking}; name one of its files as `member`: {', '.join(files) or 'it is empty'}")


def _refuse_what_is_no_data(file: Path) -> None:
    with file.open("rb") as handle:
        start = handle.read(512)
    if not start:
        raise ReadError("is empty; delete it and fetch it again")
    if is_page(start):
        raise ReadError(
            "is a web page, not data: the agency's site answered with a page, perhaps an error. "
            "Delete it, and download the data file itself"
        )


def _short(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
