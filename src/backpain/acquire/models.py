"""What is asked for, what is found, and what is said when files are missing or wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


@dataclass(frozen=True)
class Wanted:
    """A file that a survey is made from.

    Attributes
    ----------
    name : str
        What the survey calls it, such as `DEMO_F`.
    path : str
        Where it lies below the raw-data folder and below every mirror.
    alternatives : tuple of str
        Paths of copies with the same content in another format.
    url : str, optional
        The agency's address of `path`.
    sha256 : str or mapping, optional
        The checksum of `path`, or of several of these paths, when the declaration knows it.
    bytes : int, optional
        About how large it is; shown beforehand, never enforced.
    obtain : str
        What a person has to do who gets it by hand.
    inside : str, optional
        The file that has to be inside, when `path` is a zip archive.
    """

    name: str
    path: str
    alternatives: tuple[str, ...] = ()
    url: str | None = None
    sha256: str | Mapping[str, str] | None = None
    bytes: int | None = None
    obtain: str = ""
    inside: str | None = None

    def pinned(self, path: str) -> str | None:
        """The declared checksum of one of the paths; a bare one is that of `path`."""
        known = self.sha256 if isinstance(self.sha256, Mapping) else {self.path: self.sha256}
        found = known.get(path)
        return found.lower() if found else None


@dataclass(frozen=True)
class Receipt:
    """What was found: the wanted file's name, where it lies, its size, its checksum, where it came from."""

    file: str
    path: Path
    size: int
    sha256: str
    origin: str


class Planned(NamedTuple):
    """What `acquire` would do about a file.

    Attributes
    ----------
    name : str
        The wanted file's name.
    where : str or None
        Where it is (`raw`, `mirror: <folder>`); None if it is not there.
    bytes : int or None
        Its size: of the file that is there, else what the server says, else what is declared.
    remedy : str
        What happens or has to be done if it is not there.
    """

    name: str
    where: str | None
    bytes: int | None
    remedy: str = ""


class AcquireError(Exception):
    """Files that are missing or wrong, all of them at once, each with what to do.

    Attributes
    ----------
    problems : list of str
        One for each file.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(dict.fromkeys(problems))
        super().__init__("\n".join(self.problems))
