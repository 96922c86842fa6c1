"""What all else stands on: locks that agree with what is declared, tidy code, nothing of one machine."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
BIN = Path(sys.executable).parent
LOCKS = ("requirements.lock", "requirements-dev.lock")


def run(*words: str | Path, folder: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command of this environment in a folder and keep what it says."""
    return subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def tell(done: subprocess.CompletedProcess[str]) -> str:
    return f"{' '.join(done.args)}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"


def files() -> list[Path]:
    """The project's own files: tracked, or about to be; what .gitignore names is left out."""
    done = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if done.returncode != 0:
        pytest.skip("NOT LOOKED AT: this copy is no git checkout, so its own files cannot be told from made ones")
    names = sorted(set(done.stdout.split("\0")) - {""})
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def texts() -> dict[str, str]:
    """The text files among them, by their path."""
    found = {}
    for file in files():
        content = file.read_bytes()
        if b"\0" not in content:
            found[file.relative_to(ROOT).as_posix()] = content.decode("utf-8")
    return found


# Locks


@dataclass(frozen=True)
class Pin:
    """One line of a lock: a package in one version for some of the machines."""

    name: str
    version: Version
    marker: Marker | None
    hashes: tuple[str, ...]

    def serves(self, machine: dict[str, str]) -> bool:
        return self.marker is None or self.marker.evaluate(machine)


def pins(lock: str) -> list[Pin]:
    """Every pin of a lock; a line that is none is refused."""
    found = []
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        pin, *hashes = re.split(r"\s+--hash=", line.strip())
        matched = re.fullmatch(r"([A-Za-z0-9._-]+)==([^\s;]+)(?:\s*;\s*(.+))?", pin.strip())
        assert matched, f"{lock}: not a pin: {line[:100]}"
        name, version, marker = matched.groups()
        found.append(Pin(canonicalize_name(name), Version(version), Marker(marker) if marker else None, tuple(hashes)))
    assert found, f"{lock} is empty"
    return found


MACHINES = [
    {
        "python_version": python,
        "python_full_version": f"{python}.7",
        "sys_platform": system,
        "platform_system": {"linux": "Linux", "darwin": "Darwin"}[system],
        "platform_machine": processor,
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
    }
    for python in ("3.11", "3.12", "3.13")
    for system, processor in (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"))
]
RUN_TIME = PYPROJECT["project"]["dependencies"]
SET_UP = PYPROJECT["dependency-groups"]["set-up"] + PYPROJECT["build-system"]["requires"]
EXTRAS = [need for extra in PYPROJECT["project"]["optional-dependencies"].values() for need in extra]
NEEDS = [("requirements.lock", need) for need in [*RUN_TIME, *SET_UP]]
NEEDS += [("requirements-dev.lock", need) for need in [*RUN_TIME, *SET_UP, *EXTRAS]]


@pytest.mark.parametrize(("lock", "need"), NEEDS)
def test_every_requirement_is_pinned_once_for_every_machine(lock: str, need: str) -> None:
    requirement = Requirement(need)
    named = [pin for pin in pins(lock) if pin.name == canonicalize_name(requirement.name)]
    for machine in MACHINES:
        serving = [pin.version for pin in named if pin.serves(machine)]
        assert len(serving) == 1, f"{lock} pins {requirement.name} {len(serving)} times for {machine}"
        assert serving[0] in requirement.specifier, f"{lock}: {serving[0]}; run `make lock`"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_its_hashes(lock: str) -> None:
    for pin in pins(lock):
        assert pin.hashes, f"{lock}: {pin.name} has no hash"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", text) for text in pin.hashes), pin.name


@pytest.mark.parametrize("machine", MACHINES[::3], ids=lambda machine: machine["python_version"])
def test_the_larger_lock_holds_the_smaller_in_the_same_versions(machine: dict[str, str]) -> None:
    run_time, everything = ({(pin.name, pin.version) for pin in pins(lock) if pin.serves(machine)} for lock in LOCKS)
    assert run_time < everything


def test_locks_hold_no_addresses() -> None:
    locks = [path for path in texts() if path.endswith(".lock")]
    assert set(LOCKS) <= set(locks)
    assert [path for path in locks if "://" in texts()[path]] == []
    assert not {"uv.lock", "pylock.toml"} & {Path(path).name for path in texts()}


def test_the_conda_environment_asks_for_the_run_time_requirements() -> None:
    rattler = pytest.importorskip("rattler")
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["channels"][:2] == ["conda-forge", "bioconda"]
    asked = [rattler.MatchSpec(line) for line in environment["dependencies"]]
    conda = {spec.name.normalized: SpecifierSet(str(spec.version)) for spec in asked}
    python = SpecifierSet(PYPROJECT["project"]["requires-python"])
    wanted = {canonicalize_name(Requirement(need).name): Requirement(need).specifier for need in RUN_TIME}
    assert conda == {"python": python, **wanted}


def test_the_version_is_the_same_wherever_it_is_written() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    module = ast.parse((ROOT / "src/backpain/__init__.py").read_text(encoding="utf-8"))
    assigned = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert PYPROJECT["project"]["version"] == assigned["__version__"] == citation["version"]


# Code


def test_code_passes_the_linter() -> None:
    done = run(BIN / "ruff", "check", ".")
    assert done.returncode == 0, tell(done)


def test_code_is_laid_out_as_the_formatter_does() -> None:
    done = run(BIN / "ruff", "format", "--check", "--output-format", "concise", ".")
    assert done.returncode == 0, "run `make format`\n" + tell(done)


def test_types_agree() -> None:
    done = run(BIN / "mypy")
    assert done.returncode == 0, tell(done)


def test_imports_run_one_way() -> None:
    done = run(BIN / "lint-imports", "--no-cache")
    assert done.returncode == 0, tell(done)


def test_every_room_of_the_package_has_its_layer() -> None:
    layers = PYPROJECT["tool"]["importlinter"]["contracts"][0]["layers"]
    placed = {name for layer in layers for name in re.findall(r"[a-z_]+", layer)}
    inside = [path for path in (ROOT / "src/backpain").iterdir() if path.name[0] not in "_."]
    rooms = {path.stem for path in inside if path.suffix == ".py" or any(path.glob("*.py"))}
    assert rooms - placed == set(), "give each a place among the layers of pyproject.toml"


def test_snakefiles_are_laid_out_as_their_formatter_does() -> None:
    done = run(BIN / "snakefmt", "--check", "--diff", "Snakefile", "workflow/rules")
    assert done.returncode == 0, "run `make format`\n" + tell(done)


def test_the_workflow_passes_snakemakes_linter(tmp_path: Path) -> None:
    # In a copy: even to look, Snakemake makes its folder where it starts.
    for file in files():
        copy = tmp_path / file.relative_to(ROOT)
        if copy.relative_to(tmp_path).parts[0] not in ("tests", "docs", "benchmarks"):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
    done = run(sys.executable, "-m", "snakemake", "--lint", folder=tmp_path, PYTHONPATH=str(tmp_path / "src"))
    assert done.returncode == 0, tell(done)


# "demo" is also the name of a run, and the made-up survey may be named by whatever makes it up.
SURVEYS = {path.stem.split("-")[0] for path in (ROOT / "config/surveys").rglob("*.yaml")} - {"demo"}
SURVEYS |= {"nhanes", "meps", "nhis"}


def said(source: str) -> str:
    """A module's names and texts, without its comments and docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body[0] = ast.Pass()
    return ast.unparse(tree)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("if survey == 'nhanes': pass", True),
        ("meps_weight = 1", True),
        ("def f():\n    'As in NHIS.'  # NHIS\n    return 1", False),
        ("text = 'semaphore steps'", False),
    ],
)
def test_a_surveys_name_is_found_in_code_but_not_in_explanations(source: str, found: bool) -> None:
    assert bool(named_surveys(source)) is found


def named_surveys(source: str) -> list[str]:
    words = "|".join(sorted(map(re.escape, SURVEYS)))
    return re.findall(rf"(?<![a-z])(?:{words})(?![a-z])", said(source).lower())


def test_no_survey_is_named_in_the_package() -> None:
    named = {
        file.relative_to(ROOT).as_posix(): found
        for file in sorted((ROOT / "src").rglob("*.py"))
        if (found := named_surveys(file.read_text(encoding="utf-8")))
    }
    assert named == {}, "what is true of one survey belongs into config/surveys/"


# The repository


MACHINE_PATH = re.compile(r"(?<![\w.}>)])/(?:work|farm|root|Users/\w+|home/\w+|tmp/(?:w|lab|bash\w*))/")


def test_no_path_of_one_machine_is_written_anywhere() -> None:
    found = {path: MACHINE_PATH.findall(text) for path, text in texts().items() if not path.endswith(".lock")}
    assert {path: paths for path, paths in found.items() if paths} == {}


def test_no_package_registry_is_named() -> None:
    # Put together here, for this file is looked at too.
    hosts = {".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("anaconda", "org"))}
    hosts |= {".".join(parts) for parts in (("npmjs", "org"), ("npmjs", "com"), ("deb", "debian", "org"))}
    for name, value in os.environ.items():
        if re.match(r"(PIP|UV|NPM)_.*(INDEX|LINKS|REGISTRY|HOST)", name, flags=re.IGNORECASE):
            hosts |= set(re.findall(r"://(?:[^/@\s]*@)?([^/:\s]+)", value))
    named = {path: [host for host in hosts if host in text] for path, text in texts().items()}
    assert {path: found for path, found in named.items() if found} == {}


DATA = (
    ".xpt",
    ".rds",
    ".rdata",
    ".rda",
    ".dta",
    ".sav",
    ".sas7bdat",
    ".parquet",
    ".xz",
    ".gz",
    ".zip",
    ".pkl",
)


def test_no_data_file_and_no_result_is_kept() -> None:
    kept = [file.relative_to(ROOT) for file in files()]
    assert [path for path in kept if path.name.lower().endswith(DATA)] == []
    assert [path for path in kept if path.parts[0] in ("results", ".snakemake")] == []
    assert [path for path in kept if path.parts[:2] == ("data", "raw") and path.name != "README.md"] == []


def test_every_file_is_small_enough_to_be_source() -> None:
    assert {file.name: file.stat().st_size for file in files() if file.stat().st_size > 800 * 1024} == {}


def test_make_help_lists_every_command() -> None:
    done = run("make", "--no-print-directory", "help")
    assert done.returncode == 0, tell(done)
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = re.findall(r"^\.PHONY: (.*)$", text, flags=re.MULTILINE)[0].split()
    assert re.findall(r"^  make ([a-z-]+)", done.stdout, flags=re.MULTILINE) == commands


# Every Python


def test_this_python_is_a_supported_one() -> None:
    version = ".".join(map(str, sys.version_info[:3]))
    assert version in SpecifierSet(PYPROJECT["project"]["requires-python"])


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_the_quick_tests_pass_on_every_python_of_this_machine(version: str) -> None:
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        pytest.skip(f"Python {version} is the one that runs all tests")
    python = interpreter(version)
    if python is None:
        pytest.skip(f"PYTHON {version} NOT TESTED: this machine has none")
    words = [
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "-m",
        "not slow and not workflow and not public",
    ]
    left_out = [f"--ignore=tests/{name}" for name in ("test_ground.py", "test_launch.py")]
    # With compiled files, even where the surroundings forbid them: the imports take seconds otherwise.
    variables = {"PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": ""}
    done = run(environment_for(version, python) / "bin/python", *words, *left_out, **variables)
    assert done.returncode == 0, tell(done)
    assert re.search(r"\d+ passed", done.stdout), tell(done)


def interpreter(version: str) -> Path | None:
    """A Python of this machine: on PATH, or kept by a version manager."""
    manager = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [Path(found)] if (found := shutil.which(f"python{version}")) else []
    candidates += sorted(manager.glob(f"{version}.*/bin/python{version}"))
    # A version manager's command may only say "not installed".
    return next((python for python in candidates if run(python, "-c", "import venv").returncode == 0), None)


def environment_for(version: str, python: Path) -> Path:
    """What a run and its tests need under another Python, made once and kept until the locks change."""
    folder = ROOT / ".venvs" / version
    stamp = folder / "made-from"
    wanted = hashlib.sha256(b"".join((ROOT / lock).read_bytes() for lock in LOCKS)).hexdigest()
    if not (stamp.is_file() and stamp.read_text() == wanted):
        shutil.rmtree(folder, ignore_errors=True)
        install = (BIN / "uv", "pip", "install", "--quiet", "--python", folder / "bin/python")
        tests = ("hypothesis", "packaging", "pytest", "pytest-xdist")
        for words in (
            (BIN / "uv", "venv", "--quiet", "--no-project", "--python", python, folder),
            (*install, "--require-hashes", "--requirements", LOCKS[0]),
            (*install, "--constraints", LOCKS[1], *tests),
        ):
            done = run(*words)
            assert done.returncode == 0, tell(done)
        stamp.write_text(wanted)
    return folder
