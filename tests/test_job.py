"""Files are written whole or not at all, and jobs do not outlive their workflow."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from backpain import job
from backpain.job import csv, finished, parquet

FRAME = pd.DataFrame({"age": [20.0, None, 80.5], "sex": ["male", "", None], "seen": [True, False, True]})


def test_a_finished_file_is_in_place_and_nothing_else_is(tmp_path: Path) -> None:
    with finished(tmp_path / "deep" / "table.csv.xz") as temporary:
        assert temporary.name.endswith(".table.csv.xz")
        assert temporary.parent == tmp_path / "deep"
        temporary.write_text("whole")
        assert not (tmp_path / "deep/table.csv.xz").exists()
    assert (tmp_path / "deep/table.csv.xz").read_text() == "whole"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["table.csv.xz"]


def write_half(path: Path, error: type[BaseException], directory: bool = False) -> None:
    with finished(path, directory) as temporary:
        (temporary / "new.csv" if directory else temporary).write_text("hal")
        raise error


def test_after_an_error_the_earlier_file_is_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("earlier")
    with pytest.raises(KeyboardInterrupt):
        write_half(tmp_path / "table.csv", KeyboardInterrupt)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"table.csv": "earlier"}


def test_a_file_is_on_the_disk_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bool, bool]] = []

    def fsync(handle: int) -> None:
        seen.append((stat.S_ISDIR(os.fstat(handle).st_mode), (tmp_path / "table.csv").exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    with finished(tmp_path / "table.csv") as temporary:
        temporary.write_text("whole")
    file, folder = (False, False), (True, True)
    assert seen == [file, folder]


def test_a_later_file_replaces_an_earlier_one(tmp_path: Path) -> None:
    for text in ("earlier", "later"):
        with finished(tmp_path / "table.csv") as temporary:
            temporary.write_text(text)
    assert (tmp_path / "table.csv").read_text() == "later"


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("earlier")
    with (
        pytest.raises(FileNotFoundError, match=r"table\.csv: nothing was written"),
        finished(tmp_path / "table.csv"),
    ):
        pass
    assert (tmp_path / "table.csv").read_text() == "earlier"


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    with finished(tmp_path / "table.csv") as one, finished(tmp_path / "table.csv") as other:
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "table.csv").read_text() == "one"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/old.csv").write_text("old")
    with finished(tmp_path / "raw", directory=True) as folder:
        (folder / "nhanes").mkdir()
        (folder / "nhanes/new.csv").write_text("new")
        assert (tmp_path / "raw/old.csv").exists()
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == [
        "raw",
        "raw/nhanes",
        "raw/nhanes/new.csv",
    ]


def test_after_an_error_the_earlier_folder_is_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/old.csv").write_text("old")
    with pytest.raises(ZeroDivisionError):
        write_half(tmp_path / "raw", ZeroDivisionError, directory=True)
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["raw", "old.csv"]


@pytest.mark.parametrize("write", [parquet, csv])
def test_the_same_frame_gives_the_same_bytes(write: Callable[..., None], tmp_path: Path) -> None:
    write(FRAME, tmp_path / "one")
    write(FRAME.copy(), tmp_path / "other")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_frames_come_back(tmp_path: Path) -> None:
    parquet(FRAME.set_index(pd.Index([7, 8, 9])), tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), FRAME)
    csv(FRAME, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_bytes() == b"age,sex,seen\n20.0,male,True\n,,False\n80.5,,True\n"


# A job that says when it is at work, keeps a file half-written, and would go on for a minute.
WORK = """
import sys, time
from pathlib import Path
from backpain.job import die_with_parent, finished
die_with_parent()
die_with_parent()
with finished(Path(sys.argv[1]) / "table.csv") as temporary:
    temporary.write_text("half")
    (Path(sys.argv[1]) / "at-work").write_text("yes")
    time.sleep(60)
"""
SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def wait(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Start processes that are ended with the test; jobs start with the given variables only."""
    processes: list[subprocess.Popen[bytes]] = []
    for name in (job.WORKFLOW, job.LOCK, *job.BATCH_SYSTEMS):
        monkeypatch.delenv(name, raising=False)

    def start(command: list[str], **variables: object) -> subprocess.Popen[bytes]:
        named = {name: str(value) for name, value in variables.items()}
        processes.append(subprocess.Popen(command, env=os.environ | named))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()


def working(folder: Path) -> list[str]:
    return [sys.executable, "-c", WORK, str(folder)]


def test_a_job_ends_with_its_workflow_and_leaves_no_half_written_file(tmp_path: Path, started: Callable) -> None:
    workflow = started(SLEEP)
    work = started(working(tmp_path), BACKPAIN_WORKFLOW_PID=workflow.pid)
    wait((tmp_path / "at-work").exists)
    assert work.poll() is None
    workflow.send_signal(signal.SIGKILL)
    # Not collected yet: a dead process that its parent has not asked about still has its number.
    assert work.wait(timeout=10) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["at-work"]


def test_a_job_whose_workflow_has_gone_does_not_start(tmp_path: Path, started: Callable) -> None:
    workflow = started(SLEEP)
    workflow.kill()
    workflow.wait()
    assert started(working(tmp_path), BACKPAIN_WORKFLOW_PID=workflow.pid).wait(timeout=20) == 1
    assert not (tmp_path / "at-work").exists()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="start times are known from /proc only")
def test_a_later_process_with_the_workflows_number_is_not_taken_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[bool] = []
    monkeypatch.setattr(job, "_end", lambda: ended.append(True))
    monkeypatch.setattr(job, "PATIENCE", 0.01)
    job._watch(os.getpid(), "1")
    assert ended == [True]
    assert job._is_later("101", "100")
    assert not job._is_later("99", "100")


def test_where_start_times_are_not_known_a_living_process_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "Path", lambda path: Path("/nowhere") / path.lstrip("/"))
    assert job._started(os.getpid()) == ""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert job._started(gone.pid) is None


def test_a_job_of_a_batch_system_does_not_mind_a_number_of_another_machine(tmp_path: Path, started: Callable) -> None:
    workflow = started(SLEEP)
    workflow.kill()
    workflow.wait()
    work = started(working(tmp_path), BACKPAIN_WORKFLOW_PID=workflow.pid, SLURM_JOB_ID=7)
    wait((tmp_path / "at-work").exists)
    assert work.poll() is None


def test_inside_a_batch_job_an_ancestor_is_watched(tmp_path: Path, started: Callable) -> None:
    launch = (
        "import os, subprocess, sys, time; os.environ['BACKPAIN_WORKFLOW_PID'] = str(os.getpid()); "
        "subprocess.Popen(sys.argv[1:]); time.sleep(60)"
    )
    lock = tmp_path / "jobs"
    workflow = started([sys.executable, "-c", launch, *working(tmp_path)], SLURM_JOB_ID=7, BACKPAIN_JOBS_LOCK=lock)
    wait((tmp_path / "at-work").exists)
    assert not is_free(lock)
    workflow.kill()
    wait(lambda: is_free(lock))


def is_free(lock: Path) -> bool:
    with lock.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_jobs_share_a_lock_until_they_end(tmp_path: Path, started: Callable) -> None:
    lock = tmp_path / "results/.jobs"
    folders = [tmp_path / "one", tmp_path / "other"]
    works = []
    for folder in folders:
        folder.mkdir()
        works.append(started(working(folder), BACKPAIN_JOBS_LOCK=lock))
    wait(lambda: all((folder / "at-work").exists() for folder in folders))
    assert not is_free(lock)
    works[0].kill()
    works[0].wait()
    assert not is_free(lock)
    works[1].kill()
    works[1].wait()
    assert is_free(lock)


def test_without_a_workflow_nothing_is_watched(tmp_path: Path, started: Callable) -> None:
    started(working(tmp_path))
    wait((tmp_path / "at-work").exists)
