"""Set-up and launch: one run at a time, no killed run's remains in the way, and a missing piece is named."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

BUSY = 75
SNAKEFILE = """
run = config.get("run", "demo")
configfile: f"config/{run}.yaml"
pathvars:
    results=f"results/{run}",

rule all:
    input:
        "<results>/headline.txt",

rule wait:
    output:
        "<results>/headline.txt",
    shell:
        "echo ${{BACKPAIN_WORKFLOW_PID:-by hand}} $OPENBLAS_NUM_THREADS $MPLBACKEND >> ran;"
        "echo ${{BACKPAIN_JOBS_LOCK:-none}} > lock;"
        "while [ ! -e go ]; do sleep 0.05; done; echo the answer > {output}"
"""


@pytest.fixture
def folder(project: Path, tmp_path: Path) -> Path:
    """A tiny project: one job that works until a file named `go` appears."""
    (tmp_path / "config").mkdir()
    shutil.copytree(project / "workflow/profiles", tmp_path / "workflow/profiles")
    shutil.copy(project / "workflow/launch.py", tmp_path / "workflow/launch.py")
    (tmp_path / "config/demo.yaml").write_text("title: tiny\nanalyses: []\n")
    (tmp_path / "config/variables.yaml").write_text("age: {}\n")
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    return tmp_path


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Starts Python on a file or module in the tiny project; whatever is left at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *words], cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        started.append(process)
        return process

    yield start
    (folder / "go").touch()
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code and everything said."""
    said, _ = process.communicate(timeout=60)
    return process.returncode, said


def until(happened: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def at_work(folder: Path) -> Callable[[], bool]:
    return lambda: (folder / "ran").exists()


LAUNCH = "workflow/launch.py"


def test_a_run_makes_its_files_and_its_answer_is_printed(folder: Path, start: Start) -> None:
    (folder / "go").touch()
    launch = start(LAUNCH, "--run", "demo")
    code, said = finish(launch)
    assert code == 0, said
    assert (folder / "ran").read_text().split() == [str(launch.pid), "1", "Agg"]
    assert (folder / "lock").read_text().strip() == str(folder / "results/.jobs")
    (folder / "results/demo/report.html").touch()
    code, said = finish(start(LAUNCH, "--headline", "demo"))
    assert (code, said) == (0, "\nthe answer\nReport: results/demo/report.html\n")


def test_an_answer_that_names_its_report_is_printed_as_it_is(folder: Path, start: Start) -> None:
    (folder / "results/demo").mkdir(parents=True)
    (folder / "results/demo/report.html").touch()
    (folder / "results/demo/headline.txt").write_text("an answer, see results/demo/report.html\n")
    assert finish(start(LAUNCH, "--headline", "demo")) == (0, "\nan answer, see results/demo/report.html\n")


def test_arguments_after_two_dashes_reach_snakemake(folder: Path, start: Start) -> None:
    code, said = finish(start(LAUNCH, "--run", "demo", "--", "--dry-run"))
    assert code == 0, said
    assert "dry-run" in said
    assert not (folder / "ran").exists()


def test_a_run_without_a_report_says_where_its_files_are(start: Start) -> None:
    code, said = finish(start(LAUNCH, "--headline", "demo"))
    assert code == 0
    assert "results/demo/" in said


def test_an_unknown_run_is_refused_naming_the_known(start: Start) -> None:
    code, said = finish(start(LAUNCH, "--run", "variables"))
    assert code == 1
    assert "config/variables.yaml is not a run" in said
    assert said.strip().endswith("Runs are: demo.")


def test_a_second_launch_is_refused_naming_the_first(folder: Path, start: Start) -> None:
    first = start(LAUNCH)
    until(at_work(folder))
    code, said = finish(start(LAUNCH, "--no-wait"))
    assert code == BUSY
    assert f"run demo (process {first.pid}) holds results/.lock" in said
    (folder / "go").touch()
    assert finish(first)[0] == 0


def test_a_second_launch_waits_and_then_has_nothing_to_do(folder: Path, start: Start) -> None:
    first = start(LAUNCH)
    until(at_work(folder))
    second = start(LAUNCH)
    time.sleep(0.5)
    assert second.poll() is None
    (folder / "go").touch()
    assert finish(first)[0] == 0
    code, said = finish(second)
    assert code == 0, said
    assert f"(process {first.pid}) is going in this folder; waiting" in said
    assert len((folder / "ran").read_text().splitlines()) == 1


def test_a_killed_runs_lock_is_removed_and_its_unfinished_file_made_again(folder: Path, start: Start) -> None:
    first = start(LAUNCH)
    until(at_work(folder))
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert any((folder / ".snakemake/locks").iterdir())
    (folder / "go").touch()
    until((folder / "results/demo/headline.txt").exists)  # by the job that outlived its run: not to be trusted
    code, said = finish(start(LAUNCH))
    assert code == 0, said
    assert "removing the lock of a run that was killed" in said
    assert len((folder / "ran").read_text().splitlines()) == 2


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="this system does not tell a process's folder")
def test_a_snakemake_started_by_hand_keeps_its_lock(folder: Path, start: Start) -> None:
    by_hand = start("-m", "snakemake", "--cores", "1")
    until(at_work(folder))
    code, said = finish(start(LAUNCH))
    assert code == BUSY
    assert f"process {by_hand.pid}" in said
    (folder / "go").touch()
    assert finish(by_hand)[0] == 0


@pytest.fixture
def orphan(folder: Path) -> Iterator[Callable[[], None]]:
    """A job of a killed run, holding its share of the jobs' lock; calling it ends the job."""
    (folder / "results").mkdir()
    with (folder / "results/.jobs").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield lambda: fcntl.flock(handle, fcntl.LOCK_UN)


def test_no_run_starts_while_a_killed_runs_job_is_at_work(
    folder: Path, start: Start, orphan: Callable[[], None]
) -> None:
    code, said = finish(start(LAUNCH, "--patience", "0.3"))
    assert code == BUSY
    assert "jobs of a killed run are still at work after" in said
    assert not (folder / "ran").exists()


def test_a_run_starts_once_a_killed_runs_job_has_ended(folder: Path, start: Start, orphan: Callable[[], None]) -> None:
    (folder / "go").touch()
    launch = start(LAUNCH)
    time.sleep(0.5)
    assert not (folder / "ran").exists()
    orphan()
    code, said = finish(launch)
    assert code == 0, said
    assert "waiting for them to end" in said


def test_clean_removes_results_but_not_a_running_runs(folder: Path, start: Start) -> None:
    (folder / "data/raw").mkdir(parents=True)
    (folder / "data/raw/people.csv").touch()
    first = start(LAUNCH)
    until(at_work(folder))
    code, said = finish(start(LAUNCH, "--clean"))
    assert code == BUSY
    assert "Wait for it to end" in said
    (folder / "go").touch()
    assert finish(first)[0] == 0
    assert finish(start(LAUNCH, "--clean")) == (0, "")
    assert sorted(path.name for path in (folder / "results").iterdir()) == [".jobs", ".lock"]
    assert not (folder / ".snakemake").exists()
    assert (folder / "data/raw/people.csv").exists()


# Finding a Python


def find_python(project: Path, path: Path, asked: str = "") -> subprocess.CompletedProcess[str]:
    """Look for a Python in one folder (and the system's shell tools) and let it print its version."""
    for tool in ("tail", "sh"):
        place = shutil.which(tool)
        assert place is not None
        (path / tool).symlink_to(place)
    script = path / "script.py"
    script.write_text("import sys; print(sys.version_info[:2])")
    return subprocess.run(
        ["/bin/sh", project / "workflow/find_python.sh", asked, script],
        env={"PATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


def executable(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_command_that_only_says_not_installed_is_passed_over(project: Path, tmp_path: Path) -> None:
    executable(tmp_path / "python3.13", "echo not installed >&2; exit 127")
    executable(tmp_path / "python3", f'exec "{sys.executable}" "$@"')
    done = find_python(project, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(sys.version_info[:2])


def test_without_a_python_the_remedy_is_named(project: Path, tmp_path: Path) -> None:
    done = find_python(project, tmp_path)
    assert done.returncode == 1
    assert "No Python 3.11, 3.12 or 3.13 was found" in done.stderr
    assert "apt-get install python3" in done.stderr


def test_a_python_asked_for_that_does_not_run_is_named(project: Path, tmp_path: Path) -> None:
    executable(tmp_path / "python3", f'exec "{sys.executable}" "$@"')
    done = find_python(project, tmp_path, asked="python3.99")
    assert done.returncode == 1
    assert "PYTHON=python3.99 is not" in done.stderr


def test_a_python_that_cannot_make_environments_is_named_with_the_remedy(project: Path, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/ensurepip.py").write_text("raise ModuleNotFoundError(\"No module named 'ensurepip'\")")
    executable(tmp_path / "python3", f'PYTHONPATH="{tmp_path}/broken" exec "{sys.executable}" "$@"')
    done = find_python(project, tmp_path)
    assert done.returncode == 1
    assert "No module named 'ensurepip'" in done.stderr
    assert "apt-get install python3-venv" in done.stderr


# Set-up


@pytest.fixture
def set_up(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The set-up script in a folder of its own, its steps recorded instead of carried out."""
    spec = importlib.util.spec_from_file_location("set_up", project / "workflow/set_up.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("pyproject.toml", "requirements.lock", "requirements-dev.lock"):
        shutil.copy(project / name, tmp_path / name)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    steps: list[str] = []

    def build() -> None:
        steps.append("build")
        shutil.rmtree(tmp_path / ".venv", ignore_errors=True)
        (tmp_path / ".venv/bin").mkdir(parents=True)
        module.stamp("made", module.machine())

    monkeypatch.setattr(module, "build", build)
    monkeypatch.setattr(module, "uv", lambda *words: steps.append(words[-1]))
    monkeypatch.setattr(module, "steps", steps, raising=False)
    return module


def steps_of(set_up: ModuleType, kind: str) -> list[str]:
    set_up.steps.clear()
    set_up.install(kind)
    return list(set_up.steps)


def test_set_up_does_each_step_once(set_up: ModuleType) -> None:
    assert steps_of(set_up, "run") == ["build", "requirements.lock", "."]
    assert steps_of(set_up, "run") == []
    assert steps_of(set_up, "dev") == ["requirements-dev.lock", "."]
    assert steps_of(set_up, "run") == []


def test_an_interrupted_set_up_is_begun_again(set_up: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(set_up, "uv", lambda *words: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            set_up.install("run")
    assert steps_of(set_up, "run") == ["build", "requirements.lock", "."]


def test_a_changed_lock_is_installed_and_a_former_one_again(set_up: ModuleType) -> None:
    steps_of(set_up, "dev")
    former = {name: (set_up.ROOT / name).read_text() for name in set_up.LOCKS["run"]}
    for name, text in former.items():
        (set_up.ROOT / name).write_text("# newer\n" + text)
    assert steps_of(set_up, "run") == ["requirements.lock", "."]
    for name, text in former.items():
        (set_up.ROOT / name).write_text(text)
    assert steps_of(set_up, "run") == ["requirements.lock", "."]


def test_changed_package_metadata_is_installed_again(set_up: ModuleType) -> None:
    steps_of(set_up, "run")
    with (set_up.ROOT / "pyproject.toml").open("a") as handle:
        handle.write("# more\n")
    assert steps_of(set_up, "run") == ["."]


def test_two_set_ups_at_once_take_turns(set_up: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    with (set_up.ROOT / ".venv.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        child = os.fork()
        if child == 0:
            handle.close()  # its copy would keep the lock
            set_up.install("run")
            os._exit(0)
        said = ""

        def waits() -> bool:
            nonlocal said
            said += capfd.readouterr().out
            return "waiting for it" in said

        until(waits)
        assert not set_up.VENV.exists()
    assert os.waitpid(child, 0)[1] == 0
    assert set_up.ready("run")


def test_the_installer_is_pinned_with_its_hashes(set_up: ModuleType) -> None:
    first, *rest = set_up.pinned("uv").splitlines()
    assert first.startswith("uv==")
    assert rest
    assert all(line.strip().startswith("--hash=sha256:") for line in rest)
    with pytest.raises(SystemExit, match="pins no absent"):
        set_up.pinned("absent")
