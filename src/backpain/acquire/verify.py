"""Whether a file is the one that is wanted."""

from __future__ import annotations

import zipfile
from pathlib import Path

from backpain.acquire.models import Wanted
from backpain.acquire.sums import SUMS
from backpain.formats import is_page


class WrongFile(Exception):
    """A file that is there but is not the one that is wanted."""


def require_data(path: Path, item: Wanted) -> None:
    """Refuse what is empty, a web page, or an archive without the file that has to be inside.

    Raises
    ------
    WrongFile
        With what to do.
    """
    with path.open("rb") as handle:
        start = handle.read(512)
    if not start:
        raise WrongFile("is empty; delete it and fetch it again")
    if is_page(start):
        raise WrongFile(f"is a web page, not data; delete it and fetch it again from {item.url or 'the agency'}")
    # An archive is known by its beginning: a part of a download does not have its name.
    if item.inside is None or start[:2] != b"PK":
        return
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise WrongFile(f"is a damaged zip archive ({error}); delete it and fetch it again") from error
    if item.inside.casefold() not in {part.casefold() for name in names for part in (name, Path(name).name)}:
        raise WrongFile(
            f"does not hold {item.inside}; it holds {', '.join(names) or 'nothing'}; correct the declaration"
        )


def require_same(digest: str, pinned: str | None, known: str | None, raw: Path, relative: str) -> None:
    """Refuse a checksum that is neither the declared one nor the one written down.

    Raises
    ------
    WrongFile
        With both checksums and what to do.
    """
    damaged = "If the file is damaged, delete it and fetch it again; if the agency replaced it knowingly,"
    if pinned is not None and digest != pinned:
        raise WrongFile(
            f"its SHA-256 is {digest}, but the survey's declaration says {pinned}. {damaged} correct the declaration"
        )
    if known is not None and digest != known:
        raise WrongFile(
            f"its SHA-256 is {digest}, but {raw / SUMS} says {known}. {damaged} delete the line of {relative} there"
        )
