"""The checksums of raw files: written down when a file is first seen, compared ever after.

`SHA256SUMS` lies in the raw-data folder, in the form of the command sha256sum (which can check it), with
the files' paths relative to that folder. A file in a mirror goes by the same relative path, and so shares
the entry.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from backpain.job import finished

SUMS = "SHA256SUMS"
LINE = re.compile(r"(?P<sum>[0-9a-fA-F]{64}) [ *](?P<path>.+)")


def sha256(path: Path) -> str:
    """The SHA-256 checksum of a file, in hexadecimal."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def recorded(raw: Path) -> dict[str, str]:
    """The checksums written down in a raw-data folder, by relative path.

    Raises
    ------
    ValueError
        If a line is not a checksum and a path, or two lines disagree about a path.
    """
    path = raw / SUMS
    if not path.is_file():
        return {}
    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"{path}, line {number}: not a checksum, two blanks and a path; correct or delete it")
        name, digest = match["path"].removeprefix("./"), match["sum"].lower()
        if found.setdefault(name, digest) != digest:
            raise ValueError(f"{path}, line {number}: another checksum of {name} stands above; delete the wrong one")
    return found


def record(raw: Path, sums: Mapping[str, str]) -> dict[str, str]:
    """Write down checksums of files that have none yet, however many processes do so at once.

    Returns
    -------
    dict
        What is now recorded for these paths: where another process was first, its checksum.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    with _alone(raw):
        known = recorded(raw)
        merged = dict(sums) | known
        if merged != known:
            with finished(raw / SUMS) as temporary:
                lines = [f"{digest}  {path}\n" for path, digest in sorted(merged.items())]
                temporary.write_text("".join(lines), encoding="utf-8", newline="\n")
    return {path: merged[path] for path in sums}


@contextmanager
def _alone(raw: Path) -> Iterator[None]:
    """Hold the folder's lock. The lock is a file of its own, because SHA256SUMS is replaced."""
    raw.mkdir(parents=True, exist_ok=True)
    handle = os.open(raw / f".{SUMS}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
