"""What every job of the workflow does: write files whole or not at all, and end when the workflow ends."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

WORKFLOW = "BACKPAIN_WORKFLOW_PID"
LOCK = "BACKPAIN_JOBS_LOCK"
BATCH_SYSTEMS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID")
PATIENCE = 0.2  # seconds between two looks at the workflow's process

_unfinished: set[Path] = set()
_held: dict[str, IO[str]] = {}


@contextmanager
def finished(path: Path | str, directory: bool = False) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to, and put it in place when the block ends without error.

    The temporary name ends like the final one, so that writers that infer a format from the suffix infer
    the same. After an error inside the block nothing is left behind and an earlier file at `path` is as it
    was.

    Parameters
    ----------
    path : Path or str
        Where the result goes. Missing parent folders are made.
    directory : bool
        Make the temporary path a folder, to be filled with files. An earlier folder at `path` is replaced
        as a whole.

    Yields
    ------
    Path
        The path to write to.

    Raises
    ------
    FileNotFoundError
        If nothing was written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(4)}.{path.name}")
    if directory:
        temporary.mkdir()
    _unfinished.add(temporary)
    try:
        yield temporary
        if not temporary.exists():
            raise FileNotFoundError(
                f"{path}: nothing was written to the temporary path; write to the path that was given"
            )
        _to_disk(temporary)
        _replace(temporary, path)
        _to_disk(path.parent, deep=False)
    finally:
        _remove(temporary)
        _unfinished.discard(temporary)


def parquet(frame: pd.DataFrame, path: Path | str) -> None:
    """Write a frame as Parquet, whole or not at all; the same frame gives the same bytes. No index."""
    with finished(path) as temporary:
        frame.to_parquet(temporary, index=False)


def csv(frame: pd.DataFrame, path: Path | str) -> None:
    """Write a frame as CSV, whole or not at all; the same frame gives the same bytes. No index."""
    with finished(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n", encoding="utf-8")


def die_with_parent() -> None:
    """End this process when the workflow that started it has ended, and show by a lock that it is at work.

    A killed Snakemake leaves its script jobs running, and they would write into the folder of the next run.
    When the environment variable BACKPAIN_WORKFLOW_PID is set, a thread looks five times a second whether
    that process, the very one and not a later one with its number, is alive, and ends this process with
    status 1 when it is not. When BACKPAIN_JOBS_LOCK is set, this process shares a lock on the file it names
    until it ends, so that the next run can wait for it. Without these variables nothing happens.

    In a batch system the workflow usually runs on another machine, where its process number means nothing;
    there it is watched only if it is an ancestor of this process.
    """
    _share(os.environ.get(LOCK))
    named = os.environ.get(WORKFLOW)
    if not named:
        return
    workflow = int(named)
    if any(system in os.environ for system in BATCH_SYSTEMS) and workflow not in _ancestors():
        return
    started = _started(workflow)
    if started is None or _is_later(started, _started(os.getpid())):
        _end()
    threading.Thread(target=_watch, args=(workflow, started), daemon=True, name="workflow-watch").start()


def _watch(workflow: int, started: str | None) -> None:
    while _started(workflow) == started:
        time.sleep(PATIENCE)
    _end()


def _end() -> None:
    """Stop at once, from whatever thread, leaving no half-written file."""
    for temporary in list(_unfinished):
        with suppress(OSError):
            _remove(temporary)
    # Not sys.exit: that ends only the thread, and the work would go on.
    os._exit(1)


def _started(process: int) -> str | None:
    """When a living process was started, in ticks; "" where the system does not tell; None if it is dead."""
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None if Path("/proc/self/stat").exists() or not _answers(process) else ""
    # The name, in parentheses, may itself hold blanks and parentheses.
    fields = status.rpartition(")")[2].split()
    # A process that ended but was not yet collected by its parent (Z, X) does no more work.
    return None if fields[0] in "ZX" else fields[19]


def _answers(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_later(started: str, own: str | None) -> bool:
    """Whether a process started after this one: then it cannot have started it, and only has the number."""
    return bool(started) and bool(own) and int(started) > int(own or 0)


def _ancestors() -> set[int]:
    """The process numbers of this process's parent, its parent, and so on, as far as the system tells."""
    found: set[int] = set()
    process = os.getppid()
    while process > 0 and process not in found:
        found.add(process)
        with suppress(OSError):
            process = int(Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    return found


def _share(lock: str | None) -> None:
    if not lock or lock in _held:
        return
    import fcntl

    path = Path(lock)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = path.open("a")
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
    except OSError as error:
        # Some shared file systems have no locks; the work itself does not need this one.
        print(
            f"{lock}: cannot be locked ({error.strerror}); a later run will not wait for this job",
            file=sys.stderr,
        )
    _held[lock] = handle  # an object that is not kept would be closed, and its lock lost


def _replace(temporary: Path, path: Path) -> None:
    """Put the temporary file or folder in place of the final one."""
    if not (temporary.is_dir() and path.is_dir() and not path.is_symlink()):
        temporary.replace(path)
        return
    # A folder that is not empty cannot be replaced in one step: move it aside first.
    aside = path.with_name(f".{secrets.token_hex(4)}.{path.name}")
    path.replace(aside)
    try:
        temporary.replace(path)
    except OSError:
        aside.replace(path)
        raise
    shutil.rmtree(aside)


def _to_disk(path: Path, deep: bool = True) -> None:
    """Wait until a file, or a folder and all in it, is on the disk and not only in the system's memory."""
    if deep and path.is_dir():
        for inner in path.iterdir():
            _to_disk(inner)
    handle = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # some file systems cannot do this for folders
            os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
