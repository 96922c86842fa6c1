"""The part of a file that a download has brought so far."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any


@dataclass(frozen=True)
class Part:
    """The part of a file that is there, and what the server said to recognise the file by."""

    file: Path
    url: str

    @property
    def notes(self) -> Path:
        """The note beside the part."""
        return self.file.with_name(self.file.name + ".json")

    def remove(self) -> None:
        """Leave nothing behind."""
        self.file.unlink(missing_ok=True)
        self.notes.unlink(missing_ok=True)

    def validator(self) -> str | None:
        """What tells the server which file the part belongs to; None if that is not known."""
        try:
            notes = json.loads(self.notes.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(notes, dict) or notes.get("url") != self.url:
            return None
        validator = notes.get("validator")
        return validator if isinstance(validator, str) else None

    def note(self, headers: Any) -> None:
        """Write down the validator. A weak ETag (W/) does not promise the same bytes; a date nearly does."""
        tag = headers.get("ETag")
        validator = tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")
        text = json.dumps({"url": self.url, "validator": validator})
        self.notes.write_text(text, encoding="utf-8")


@contextmanager
def mine(part: Path, target: Path) -> Iterator[IO[bytes] | None]:
    """Open the part for this process alone; None when another has finished the file meanwhile."""
    while True:
        if target.exists():
            yield None
            return
        with part.open("ab") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            # Whoever held the lock may have moved the part into place or removed it.
            if part.exists() and os.path.samestat(os.fstat(handle.fileno()), part.stat()):
                if target.exists():
                    part.unlink()  # made by the line above, just after the other process had finished
                    yield None
                else:
                    yield handle
                return


def put_in_place(part: Part, target: Path) -> bool:
    """Give the complete part its name, unless there is a file of that name by now; True if it got it."""
    try:
        os.link(part.file, target)  # unlike a rename, this fails if there is a file
    except FileExistsError:
        part.remove()
        return False
    except OSError:  # a file system without links
        if target.exists():
            part.remove()
            return False
        part.file.replace(target)
    part.remove()
    return True
