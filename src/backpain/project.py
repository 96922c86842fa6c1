"""What the Snakefile asks about this project: the code a rule runs, and whether its declarations changed."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import platform
import subprocess
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from backpain.job import finished

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent.parent


def code(module: str) -> list[str]:
    """The files that importing `backpain.<module>` runs: its own and those of all it imports from here.

    Snakemake compares a script with its last run but does not watch what the script imports, so a rule lists
    these as inputs. Found by reading the source, not by importing it: imports inside functions and under
    `TYPE_CHECKING` count too, which can only make a rule run once too often.

    Parameters
    ----------
    module
        A module's name inside the package, such as `"cohort"` or `"spec.survey"`.

    Returns
    -------
    list of str
        Sorted paths relative to the project's root.

    Raises
    ------
    ModuleNotFoundError
        When the module, or one that is imported on the way, is not in the package.
    """
    visited: set[Path] = set()
    waiting = _files(f"{PACKAGE.name}.{module}", "the caller of code()")
    while waiting:
        file = waiting.pop()
        if file not in visited:
            visited.add(file)
            waiting += _imported(file)
    return sorted(file.relative_to(ROOT).as_posix() for file in visited)


@cache
def _imported(file: Path) -> tuple[Path, ...]:
    """The package's files that one file imports."""
    found: list[Path] = []
    for node in ast.walk(ast.parse(file.read_bytes(), filename=str(file))):
        where = f"{file.relative_to(ROOT).as_posix()}, line {getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import):
            for name in _ours(alias.name for alias in node.names):
                found += _files(name, where)
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(node, file)
            for name in _ours([origin]):
                found += _files(name, where)
                # `from package import name`: the name is a module of its own or something inside the package.
                found += [part for alias in node.names if (part := _file(f"{name}.{alias.name}")) is not None]
    return tuple(found)


def _ours(names: Iterator[str] | list[str]) -> list[str]:
    return [name for name in names if name.split(".")[0] == PACKAGE.name]


def _origin(node: ast.ImportFrom, file: Path) -> str:
    """The absolute name of what stands between `from` and `import`."""
    if node.level == 0:
        return node.module or ""
    # One dot is the folder the file lies in, for a module and for a package's __init__.py alike.
    folder = file.parents[node.level - 1].relative_to(PACKAGE.parent)
    return ".".join([*folder.parts, *([node.module] if node.module else [])])


def _files(name: str, where: str) -> list[Path]:
    """The file of a module and the __init__.py of every package around it, all of which importing it runs."""
    parts = name.split(".")
    files = [_file(".".join(parts[: end + 1])) for end in range(len(parts))]
    if None in files:
        raise ModuleNotFoundError(f"{where}: there is no module {name} in the package; correct the name")
    return [file for file in files if file is not None]


def _file(name: str) -> Path | None:
    path = PACKAGE.parent.joinpath(*name.split("."))
    candidates = (path / "__init__.py", path.with_name(path.name + ".py"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def digest(*declarations: Any) -> str:
    """A fingerprint of resolved declarations, the same on every machine and in every Python.

    A rule takes it as a parameter, so that it runs again exactly when what it uses was declared otherwise.
    The order of keys counts, because it can be seen: eligibility keys are the boxes of a flow diagram.

    Parameters
    ----------
    declarations
        Plain data as YAML gives it: mappings, lists, text, numbers, truth values, dates and None.

    Returns
    -------
    str
        The SHA-256 of the data in hexadecimal.

    Raises
    ------
    TypeError
        When a value is not plain data, whose text could differ from one process to the next.
    """
    text = json.dumps(_plain(declarations), ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _plain(value: Any) -> Any:
    """Data as JSON that keeps apart what YAML keeps apart: the keys 1 and "1", a date and its text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {"mapping": [[_plain(key), _plain(inner)] for key, inner in value.items()]}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, date):
        return {"date": value.isoformat()}
    raise TypeError(f"digest() takes plain data, not {type(value).__name__} {value!r}; dump the model first")


def forget_changed(folder: Path) -> list[Path]:
    """Remove the receipts whose files have changed or gone, so that the workflow acquires them again.

    Returns the receipts removed. A file counts as changed when its size differs or it is newer than its receipt.
    """
    removed = []
    for receipt in sorted(folder.glob("*.json")):
        for row in json.loads(receipt.read_text(encoding="utf-8")):
            place = Path(row["path"])
            same = place.is_file() and place.stat().st_size == row["size"]
            if not same or place.stat().st_mtime > receipt.stat().st_mtime:
                receipt.unlink()
                removed.append(receipt)
                break
    return removed


def commit(root: Path = ROOT) -> str:
    """The commit of the code, with a mark when it was changed since; "unknown" outside a git checkout."""
    command = ["git", "describe", "--always", "--abbrev=40", "--dirty=, changed since"]
    try:
        found = subprocess.run(command, cwd=root, capture_output=True, text=True)
    except OSError:
        return "unknown"
    return found.stdout.strip() or "unknown"


def finish(run: str, started: float, root: Path = ROOT) -> None:
    """Write `results/<run>/run.json`: when the run started and ended, and on what. The only result with a clock in it."""
    ended = time.time()
    path = root / "results" / run / "run.json"
    record = {
        "run": run,
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="seconds"),
        "ended": datetime.fromtimestamp(ended, UTC).isoformat(timespec="seconds"),
        "seconds": round(ended - started, 1),
        "host": platform.node(),
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "commit": commit(root),
    }
    with finished(path) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
