"""Shows how far a download has come."""

from __future__ import annotations

import sys
import time
from typing import Protocol, TextIO


class Progress(Protocol):
    """Told the file's name, the bytes so far, and all its bytes if the server said."""

    def __call__(self, name: str, done: int, total: int | None) -> None: ...


class Bar:
    """One line on a stream: rewritten in place on a terminal, otherwise a line for every tenth."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.terminal = self.stream.isatty()
        self.shown: dict[str, int] = {}
        self.last = 0.0

    def __call__(self, name: str, done: int, total: int | None) -> None:
        finished = total is not None and done >= total
        if self.terminal:
            now = time.monotonic()
            if finished or now - self.last > 0.1:
                self.last = now
                self._say(f"\r{self._line(name, done, total)}\033[K" + ("\n" if finished else ""))
            return
        # Without a total, a line for every ten megabytes.
        step = done * 10 // total if total else done // 10_000_000
        if step > self.shown.get(name, -1):
            self.shown[name] = step
            self._say(self._line(name, done, total) + "\n")

    @staticmethod
    def _line(name: str, done: int, total: int | None) -> str:
        if not total:
            return f"{name}: {megabytes(done)}"
        return f"{name}: {done * 100 // total:3d} % of {megabytes(total)}"

    def _say(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


def megabytes(size: float) -> str:
    """A size for people."""
    return f"{size / 1e6:,.1f} MB"
