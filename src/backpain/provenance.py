"""What made each result: the rule, its inputs and its outputs as the workflow recorded them, and what bytes they are."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RECORDS = Path(".snakemake/metadata")


@dataclass(frozen=True)
class Step:
    """One run of a rule: paths are relative to the project's folder; a folder stands for the files in it."""

    rule: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def steps_to(targets: Iterable[str], records: Path | str = RECORDS) -> list[Step]:
    """Every step that the targets came about by, sorted by what they made.

    Parameters
    ----------
    targets
        Paths as the workflow names them.
    records
        Where Snakemake keeps a record of each output.

    Raises
    ------
    FileNotFoundError
        If a target has no record, so that nobody knows what made it; says what to do.
    """
    known = dict(_records(Path(records)))
    wanted = list(targets)
    if strangers := [target for target in wanted if target not in known]:
        raise FileNotFoundError(
            f"{strangers[0]}: the workflow has no record of what made it (in {records}); remove it and run again"
        )
    made: dict[tuple[str, ...], set[str]] = {}
    rules: dict[tuple[str, ...], tuple[str, tuple[str, ...]]] = {}
    seen = set()
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        record = known.get(name)
        if record is not None:
            # One job has one log, and its outputs share it.
            job = (record["rule"], *record["log"], *record["input"])
            rules[job] = (record["rule"], tuple(record["input"]))
            made.setdefault(job, set()).add(name)
            wanted += record["input"]
    found = [Step(rule, inputs, tuple(sorted(made[job]))) for job, (rule, inputs) in rules.items()]
    return sorted(found, key=lambda step: (step.outputs, step.rule))


def _records(folder: Path) -> Iterable[tuple[str, Mapping[str, Any]]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            # A long name is cut into folders, each marked by an @.
            name = "".join(part.removeprefix("@") for part in path.relative_to(folder).parts)
            record = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(record.get("input"), list) and record.get("rule"):
                told = {"rule": record["rule"], "input": record["input"], "log": record.get("log") or []}
                yield urlsafe_b64decode(name).decode(), told


def contents(path: str, root: Path | str = ".") -> list[str]:
    """The files that a path stands for: itself, or all in the folder; none where nothing is there."""
    place = Path(root) / path
    if place.is_dir():
        files = sorted(item for item in place.rglob("*") if item.is_file())
        return [file.relative_to(root).as_posix() for file in files if not file.name.startswith(".")]
    return [path] if place.is_file() else []


def sha256(path: Path | str) -> str:
    """The SHA-256 of a file in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


__all__ = ["Step", "contents", "sha256", "steps_to"]
