"""Where each wanted file is found, whether it is the right one, and what to do when it is not there."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from backpain.acquire.models import AcquireError, Planned, Receipt, Wanted
from backpain.acquire.progress import Bar, Progress
from backpain.acquire.sums import SUMS, record, recorded, sha256
from backpain.acquire.transfer import DownloadError, Opener, size_at
from backpain.acquire.transfer import download as fetch
from backpain.acquire.verify import WrongFile, require_data, require_same


class _Found(NamedTuple):
    wanted: Wanted
    path: Path
    relative: str  # as it is called here, perhaps with other capitals
    declared: str
    origin: str


def acquire(
    wanted: Sequence[Wanted],
    raw: Path,
    mirrors: Sequence[Path] = (),
    download: bool = True,
    opener: Opener | None = None,
    progress: Progress | None = None,
) -> list[Receipt]:
    """Find every wanted file: in the raw-data folder, else in a mirror, else by download into that folder.

    A file is known by its SHA-256: the declared one, or else the one in `SHA256SUMS` of the raw-data
    folder, where it is written down when the file is first seen. Files that are there are never changed,
    renamed or removed.

    Parameters
    ----------
    wanted : sequence of Wanted
        The files; each place is searched for `path`, then for the alternatives. Capitals in a file's name
        do not matter, since the agencies themselves write them one way and another.
    raw : Path
        The raw-data folder. It need not exist.
    mirrors : sequence of Path
        Folders with copies under the same relative paths; only read.
    download : bool
        Whether to download what is not found.
    opener, progress : callable, optional
        See `backpain.acquire.transfer`; progress is shown on the standard error stream by default.

    Returns
    -------
    list of Receipt
        In the order of `wanted`.

    Raises
    ------
    AcquireError
        With every file that is missing or wrong, and what to do about each.
    """
    raw = Path(raw)
    sums = _recorded(raw)
    found = [_locate(item, raw, mirrors) for item in wanted]
    receipts, problems = _receipts([item for item in found if item is not None], raw, sums)
    absent = [item for item, there in zip(wanted, found, strict=True) if there is None]
    problems += [_by_hand(item, raw, mirrors) for item in absent if item.url is None or not download]
    if not problems:
        more, problems = _download_all(absent, raw, mirrors, opener, progress or Bar())
        receipts |= more
    if problems:
        raise AcquireError(problems)
    return [receipts[item] for item in map(_key, wanted)]


def plan(
    wanted: Sequence[Wanted],
    raw: Path,
    mirrors: Sequence[Path] = (),
    ask: bool = False,
    opener: Opener | None = None,
) -> list[Planned]:
    """What `acquire` would find and download, without doing it.

    Parameters
    ----------
    wanted, raw, mirrors
        As for `acquire`.
    ask : bool
        Whether to ask the servers for the sizes of what would be downloaded.

    Returns
    -------
    list of Planned
        In the order of `wanted`.
    """
    planned = []
    for item in wanted:
        found = _locate(item, Path(raw), mirrors)
        if found is not None:
            planned.append(Planned(item.name, found.origin, found.path.stat().st_size))
            continue
        size = size_at(item.url, opener) if ask and item.url else None
        remedy = f"would be downloaded from {item.url}" if item.url else _by_hand(item, Path(raw), mirrors)
        planned.append(Planned(item.name, None, size or item.bytes, remedy))
    return planned


def _key(item: Wanted) -> tuple[str, str]:
    return item.name, item.path


def _locate(item: Wanted, raw: Path, mirrors: Sequence[Path]) -> _Found | None:
    places = [(raw, "raw"), *((Path(mirror), f"mirror: {Path(mirror).name}") for mirror in mirrors)]
    for folder, origin in places:
        for declared in (item.path, *item.alternatives):
            path = _existing(folder / declared)
            if path is not None:
                return _Found(item, path, path.relative_to(folder).as_posix(), declared, origin)
    return None


def _existing(path: Path) -> Path | None:
    """The file of this name, or the only one whose name differs in nothing but capitals."""
    if path.is_file():
        return path
    if not path.parent.is_dir():
        return None
    alike = [other for other in path.parent.iterdir() if other.name.casefold() == path.name.casefold()]
    return alike[0] if len(alike) == 1 and alike[0].is_file() else None


def _recorded(raw: Path) -> dict[str, str]:
    try:
        return recorded(raw)
    except ValueError as error:
        raise AcquireError([str(error)]) from error


def _receipts(
    found: Sequence[_Found], raw: Path, sums: Mapping[str, str]
) -> tuple[dict[tuple[str, str], Receipt], list[str]]:
    """Check every file that was found, and write down the checksums of those seen for the first time."""
    receipts: dict[tuple[str, str], Receipt] = {}
    problems: list[str] = []
    first: dict[str, str] = {}
    for item in found:
        try:
            receipt = _receipt(item, raw, sums)
        except WrongFile as error:
            problems.append(f"{item.path}: {error}")
            continue
        receipts[_key(item.wanted)] = receipt
        if item.relative not in sums:
            first[item.relative] = receipt.sha256
    problems += _record(raw, first)
    return receipts, problems


def _receipt(item: _Found, raw: Path, sums: Mapping[str, str]) -> Receipt:
    require_data(item.path, item.wanted)
    digest = sha256(item.path)
    pinned, known = item.wanted.pinned(item.declared), sums.get(item.relative)
    require_same(digest, pinned, known, raw, item.relative)
    return Receipt(item.wanted.name, item.path, item.path.stat().st_size, digest, item.origin)


def _record(raw: Path, sums: Mapping[str, str]) -> list[str]:
    """Write down checksums; where the folder cannot be written to, say that they are not kept."""
    if not sums:
        return []
    try:
        now = record(raw, sums)
    except OSError as error:
        names = ", ".join(sums)
        print(
            f"{raw / SUMS}: cannot be written ({error.strerror or error}); no checksum is kept of {names}, "
            "and a later change of them will not be noticed",
            file=sys.stderr,
        )
        return []
    return [
        f"{path}: its SHA-256 is {digest}, but {raw / SUMS} has {now[path]} by now, written by another run. "
        "Two folders hold different files under this path: delete the wrong one, then its line there"
        for path, digest in sums.items()
        if now[path] != digest
    ]


def _download_all(
    absent: Sequence[Wanted], raw: Path, mirrors: Sequence[Path], opener: Opener | None, progress: Progress
) -> tuple[dict[tuple[str, str], Receipt], list[str]]:
    receipts: dict[tuple[str, str], Receipt] = {}
    problems: list[str] = []
    silent: set[str] = set()
    for item in absent:
        host = urlsplit(item.url or "").netloc
        if host in silent:
            problems.append(_by_hand(item, raw, mirrors, f"{host} does not answer"))
            continue
        try:
            receipt, strays = _download(item, raw, opener, progress)
        except DownloadError as error:
            silent |= {host} if error.unreachable else set()
            problems.append(_by_hand(item, raw, mirrors, str(error)))
        except WrongFile as error:
            problems.append(f"{item.name}: what was downloaded from {item.url} is not kept: {error}")
        except OSError as error:
            problems.append(_by_hand(item, raw, mirrors, f"{raw} cannot be written to ({error.strerror or error})"))
        else:
            receipts[_key(item)] = receipt
            problems += strays
    return receipts, problems


def _download(item: Wanted, raw: Path, opener: Opener | None, progress: Progress) -> tuple[Receipt, list[str]]:
    target = raw / item.path
    done = fetch(str(item.url), target, _acceptance(item, raw), item.name, opener, progress)
    origin = f"downloaded: {item.url}" if done else "raw"
    receipt = _receipt(_Found(item, target, item.path, item.path, origin), raw, _recorded(raw))
    return receipt, _record(raw, {item.path: receipt.sha256} if item.path not in _recorded(raw) else {})


def _acceptance(item: Wanted, raw: Path) -> Callable[[Path], None]:
    """The check that a download has to pass before it is put in place."""

    def accept(part: Path) -> None:
        require_data(part, item)
        if item.path.lower().endswith(".zip") and not zipfile.is_zipfile(part):
            raise WrongFile("it is not a zip archive; the agency may have moved the file")
        require_same(sha256(part), item.pinned(item.path), _recorded(raw).get(item.path), raw, item.path)

    return accept


def _by_hand(item: Wanted, raw: Path, mirrors: Sequence[Path], reason: str = "") -> str:
    """What a person has to do who gets the file."""
    target = raw / item.path
    places = ", ".join(str(place) for place in (raw, *mirrors))
    names = " or ".join((item.path, *item.alternatives))
    source = f"Download {item.url} by hand" if item.url else f"Get it by hand ({item.obtain})"
    advice = f" ({item.obtain})" if item.url and item.obtain else ""
    return (
        f"{item.name}: {reason or f'{names} is not in {places}'}. {source}{advice} and put it into "
        f"{target.parent}/ as {target.name}"
    )
