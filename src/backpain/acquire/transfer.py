"""Downloads one file: resumes what was cut off, tries again what failed, and keeps nothing that is wrong."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, Any

from backpain import __version__
from backpain.acquire.part import Part, mine, put_in_place
from backpain.acquire.progress import Progress, megabytes
from backpain.formats import is_page

AGENT = f"Mozilla/5.0 (compatible; backpain/{__version__}; research use of public survey data)"
TIMEOUT = 60.0  # seconds without a single byte
ATTEMPTS = 5  # in a row without a single byte
ALL_ATTEMPTS = 50
PAUSE = 1.0  # seconds before the second attempt, doubled for each further one
LONGEST_PAUSE = 60.0
CHUNK = 1 << 18
TRANSIENT = {408, 425, 429, 500, 502, 503, 504}

Opener = Callable[..., Any]


class DownloadError(Exception):
    """A download that failed for good, with the reason in plain words."""

    def __init__(self, reason: str, unreachable: bool = False) -> None:
        super().__init__(reason)
        self.unreachable = unreachable


class Interrupted(Exception):
    """A failure that may pass: worth another attempt, at the earliest after `wait` seconds."""

    def __init__(self, reason: str, wait: float = 0.0, answered: bool = True) -> None:
        super().__init__(reason)
        self.wait = wait
        self.answered = answered


def download(
    url: str,
    target: Path,
    accept: Callable[[Path], None],
    name: str = "",
    opener: Opener | None = None,
    progress: Progress | None = None,
) -> bool:
    """Download a file to `target`, through `<target>.part` beside it.

    A part left by an earlier attempt is continued if the server still has the same file (Range with
    If-Range). Another process that downloads the same file is waited for. A file that already exists is
    never touched.

    Parameters
    ----------
    url : str
        An http or https address.
    target : Path
        Where the file goes.
    accept : callable
        Called with the complete part before it is put in place; raises what is wrong with it.
    name : str
        What to call the file when telling of progress.
    opener : callable, optional
        Opens a `urllib.request.Request` with `timeout=`; `urllib.request.urlopen` by default.
    progress : Progress, optional
        Told of every chunk.

    Returns
    -------
    bool
        Whether this call downloaded it; False if the file was there by the time it was this call's turn.

    Raises
    ------
    DownloadError
        If the server refuses, does not answer, or gives a web page instead of data.
    OSError
        If the folder cannot be written to.
    """
    if not url.startswith(("http://", "https://")):
        raise DownloadError(f"the address {url!r} is neither http nor https")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Part(target.with_name(f"{target.name}.part"), url)
    with mine(part.file, target) as handle:
        if handle is None:
            return False
        fetch = _Fetch(part, handle, opener or urllib.request.urlopen, progress, name or target.name)
        try:
            fetch.all()
            accept(part.file)
        except DownloadError:
            # What was received so far is worth keeping if the server can be asked to go on from there.
            if not fetch.size or part.validator() is None:
                part.remove()
            raise
        except Exception:
            part.remove()
            raise
        handle.flush()
        os.fsync(handle.fileno())
        return put_in_place(part, target)


class _Fetch:
    """The attempts at one file."""

    def __init__(self, part: Part, handle: IO[bytes], opener: Opener, progress: Progress | None, name: str) -> None:
        self.part, self.handle, self.opener, self.progress, self.name = part, handle, opener, progress, name

    @property
    def size(self) -> int:
        return os.fstat(self.handle.fileno()).st_size

    def all(self) -> None:
        """Attempt until the file is complete, a few times in a row without any progress."""
        fruitless = 0
        for _ in range(ALL_ATTEMPTS):
            before = self.size
            try:
                return self.once()
            except Interrupted as error:
                fruitless = 0 if self.size > before else fruitless + 1
                # Where nobody answers at all, as without internet, two further attempts are enough.
                if fruitless >= (ATTEMPTS if error.answered else min(ATTEMPTS, 3)):
                    raise DownloadError(str(error), unreachable=not error.answered) from error
                time.sleep(min(LONGEST_PAUSE, max(error.wait, PAUSE * 2 ** max(0, fruitless - 1))))
        raise DownloadError(f"the connection was lost {ALL_ATTEMPTS} times")

    def once(self) -> None:
        """One attempt: from where the part ends if the server allows, else from the beginning."""
        validator = self.part.validator() if self.size else None
        if validator is None:
            self.handle.truncate(0)
        start = self.size
        headers = {"User-Agent": AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
        if start and validator is not None:
            headers |= {"Range": f"bytes={start}-", "If-Range": validator}
        with self._open(urllib.request.Request(self.part.url, headers=headers)) as response:
            total = self._begin(response, start)
            self._receive(response, total)

    def _open(self, request: urllib.request.Request) -> Any:
        try:
            return self.opener(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error) from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise Interrupted(f"no answer from the server ({reason})", answered=False) from error

    def _refusal(self, error: urllib.error.HTTPError) -> Exception:
        if error.code == 416:  # the part is not a part of the file: begin again
            self.handle.truncate(0)
            self.part.notes.unlink(missing_ok=True)
            return Interrupted("the server does not have the range it was asked for")
        reason = f"the server answered {error.code} {error.reason}"
        if error.code in TRANSIENT:
            return Interrupted(reason, wait=_seconds(error.headers.get("Retry-After")))
        return DownloadError(reason)

    def _begin(self, response: Any, start: int) -> int | None:
        """Look at the headers, and give the size of the whole file if the server says it."""
        headers = response.headers
        if headers.get("Content-Encoding", "identity").lower() not in ("identity", ""):
            raise DownloadError(f"the server packed the file ({headers['Content-Encoding']}) without being asked to")
        _refuse_page(headers.get("Content-Type", ""), b"", self.part.url)
        if response.status == 206:
            span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", "").strip())
            if span is None or int(span[1]) != start:
                self.handle.truncate(0)
                raise Interrupted("the server sent another range than it was asked for")
            return None if span[2] == "*" else int(span[2])
        if response.status != 200:
            raise DownloadError(f"the server answered {response.status}, which is not a file")
        self.handle.truncate(0)
        self.part.note(headers)
        length = headers.get("Content-Length")
        _require_space(self.part.file.parent, int(length) if length else 0)
        return int(length) if length else None

    def _receive(self, response: Any, total: int | None) -> None:
        self._tell(total)
        first = self.size == 0
        while chunk := self._chunk(response):
            if first:
                _refuse_page("", chunk, self.part.url)
                first = False
            self.handle.write(chunk)
            self.handle.flush()
            self._tell(total)
        if total is not None and self.size < total:
            raise Interrupted(f"the connection was lost after {self.size:,} of {total:,} bytes")
        if total is not None and self.size > total:
            size = self.size
            self.handle.truncate(0)
            raise Interrupted(f"the server said {total:,} bytes and sent {size:,}")
        if self.size == 0:
            raise DownloadError("the server sent an empty file")

    def _chunk(self, response: Any) -> bytes:
        try:
            return bytes(response.read(CHUNK))
        except http.client.IncompleteRead as error:
            self.handle.write(error.partial)
            self.handle.flush()
            raise Interrupted("the connection was lost") from error
        except (OSError, http.client.HTTPException) as error:
            raise Interrupted(f"the connection was lost ({error})") from error

    def _tell(self, total: int | None) -> None:
        if self.progress is not None:
            self.progress(self.name, self.size, total)


def _refuse_page(kind: str, start: bytes, url: str) -> None:
    page = kind.partition(";")[0].strip().lower() in ("text/html", "application/xhtml+xml")
    if (page or is_page(start)) and not url.lower().endswith((".htm", ".html")):
        raise DownloadError("the server answered with a web page instead of the file; it may have moved")


def _require_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise DownloadError(f"it has {megabytes(size)}, and only {megabytes(free)} are free in {folder}")


def _seconds(retry_after: str | None) -> float:
    """How long a server asks to wait: a number of seconds, or a date."""
    if retry_after is None:
        return 0.0
    with suppress(ValueError):
        return max(0.0, float(retry_after))
    with suppress(ValueError, TypeError):
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    return 0.0


def size_at(url: str, opener: Opener | None = None) -> int | None:
    """The size of a file on a server, by a HEAD request; None if the server does not say or answer."""
    request = urllib.request.Request(url, headers={"User-Agent": AGENT, "Accept-Encoding": "identity"}, method="HEAD")
    try:
        with (opener or urllib.request.urlopen)(request, timeout=TIMEOUT) as response:
            length = response.headers.get("Content-Length")
            page = response.headers.get("Content-Type", "").startswith("text/html")
            return int(length) if length and not page else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
