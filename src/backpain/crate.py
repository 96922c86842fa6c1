"""A finished run as an RO-Crate: its files with their checksums, what made them of what, and by which code.

RO-Crate 1.1 (Soiland-Reyes and others 2022, Data Science 5:97) with one action for each run of a rule, as the profile of process
runs has it. Everything in it is the same on every machine that makes the same bytes; nothing holds a clock but the date of
the commit.
"""

from __future__ import annotations

import json
import mimetypes
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from backpain.project import ROOT, commit
from backpain.provenance import Step, contents, sha256
from backpain.spec import Run

NAME = "ro-crate-metadata.json"
KINDS = {
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
    ".md": "text/markdown",
    ".yaml": "application/yaml",
}
CONTEXT = "https://w3id.org/ro/crate/1.1/context"
PROFILES = {"crate": "https://w3id.org/ro/crate/1.1", "process": "https://w3id.org/ro/wfrun/process/0.5"}

Entity = dict[str, Any]


def crate(
    run: Run,
    name: str,
    steps: Sequence[Step],
    published: Iterable[str],
    raw: Sequence[Mapping[str, Any]],
    versions: Mapping[str, str],
    root: Path = ROOT,
) -> Entity:
    """The metadata of a run's crate, whose folder is `results/<name>/`.

    Parameters
    ----------
    run, name
        The declaration of the run, and its name.
    steps
        What `steps_to` found for everything the run is asked for.
    published
        Those of the outputs that are to be given to others; folders stand for the files in them.
    raw
        The survey files: survey, file, path, size, sha256, as the report lists them.
    versions
        Of the software, by name.

    Raises
    ------
    FileNotFoundError
        If an output of a step is gone.
    """
    folder = f"results/{name}"
    shared = {file for path in published for file in contents(path, root)}
    made = {file for step in steps for output in step.outputs for file in _there(output, root)}
    read = {file for step in steps for path in step.inputs for file in contents(path, root)} - made
    files = [_file(path, folder, root, path in shared) for path in sorted(made | read)]
    known = {entity["@id"] for entity in files}
    surveys = [_raw(row) for row in raw]
    software = [
        {"@id": f"#software-{key}", "@type": "SoftwareApplication", "name": key, "softwareVersion": value}
        for key, value in sorted(versions.items())
    ]
    actions = [_action(number, step, folder, root, known) for number, step in enumerate(steps, 1)]
    rules = [
        {"@id": f"#rule-{rule}", "@type": "HowToStep", "name": rule} for rule in sorted({step.rule for step in steps})
    ]
    told = commit(root)
    workflow = {
        "@id": "#workflow",
        "@type": ["SoftwareSourceCode", "ComputationalWorkflow"],
        "name": "backpain",
        "version": told,
        "programmingLanguage": "Snakemake and Python",
        "license": "MIT",
        "step": [{"@id": rule["@id"]} for rule in rules],
        "softwareRequirements": [{"@id": entity["@id"]} for entity in software],
    }
    whole = {
        "@id": "./",
        "@type": "Dataset",
        "name": run.title,
        "description": run.summary,
        "identifier": f"{name} {told}",
        "datePublished": _date(root),
        "license": "Results: MIT. Survey files: as their agencies say.",
        "conformsTo": {"@id": PROFILES["process"]},
        "hasPart": [{"@id": entity["@id"]} for entity in files if not entity["@id"].startswith("#")],
        "mainEntity": {"@id": "#workflow"},
        "mentions": [{"@id": entity["@id"]} for entity in [*actions, *surveys]],
    }
    head = {
        "@id": NAME,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": PROFILES["crate"]},
    }
    return {"@context": CONTEXT, "@graph": [head, whole, workflow, *files, *surveys, *actions, *rules, *software]}


def _there(output: str, root: Path) -> list[str]:
    """The files of an output; a folder may be empty, where a run has nothing to draw."""
    if not (root / output).exists():
        raise FileNotFoundError(f"{output}: was made by this run and is gone; run again")
    return contents(output, root)


def _identity(path: str, folder: str, shared: bool) -> str:
    """Where a file lies in the crate; what is not given away, and the project's own files, are named by their path here."""
    inside = path.startswith(f"{folder}/")
    return path.removeprefix(f"{folder}/") if shared and inside else f"#{path}"


def _file(path: str, folder: str, root: Path, shared: bool) -> Entity:
    place = root / path
    kind = KINDS.get(place.suffix) or mimetypes.guess_type(place.name)[0]
    return {
        "@id": _identity(path, folder, shared),
        "@type": "File",
        "name": path,
        "contentSize": str(place.stat().st_size),
        "sha256": sha256(place),
        **({"encodingFormat": kind} if kind else {}),
    }


def _raw(row: Mapping[str, Any]) -> Entity:
    return {
        "@id": f"#raw/{row['survey']}/{row['file']}".replace(" ", "-"),
        "@type": "File",
        "name": f"{row['survey']}: {row['path']}",
        "contentSize": str(row["size"]),
        "sha256": row["sha256"],
    }


def _action(number: int, step: Step, folder: str, root: Path, known: set[str]) -> Entity:
    def named(paths: Iterable[str]) -> list[Entity]:
        files = [file for path in paths for file in contents(path, root)]
        ids = [next(one for one in (_identity(file, folder, True), f"#{file}") if one in known) for file in files]
        return [{"@id": one} for one in dict.fromkeys(ids)]

    return {
        "@id": f"#step-{number}",
        "@type": "CreateAction",
        "name": step.rule,
        "instrument": {"@id": f"#rule-{step.rule}"},
        "object": named(step.inputs),
        "result": named(step.outputs),
    }


def _date(root: Path) -> str:
    """The day of the commit; of the released version where there is no git."""
    try:
        found = subprocess.run(
            ["git", "log", "-1", "--format=%cs"], cwd=root, capture_output=True, text=True
        ).stdout.strip()
    except OSError:
        found = ""
    if found:
        return found
    released = re.search(r'^date-released: "(.+)"$', (root / "CITATION.cff").read_text(encoding="utf-8"), flags=re.M)
    return released.group(1) if released else "1970-01-01"


def manifest(path: Path | str) -> dict[str, str]:
    """The SHA-256 of everything that a run made, by its path in the project, as its crate tells it.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no crate, or it is none of a run; says what to do.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no crate here; finish the run first (`make run`, or RUN=name)")
    try:
        graph = json.loads(path.read_text(encoding="utf-8"))["@graph"]
        results = {one["@id"] for entity in graph if entity["@type"] == "CreateAction" for one in entity["result"]}
        return {entity["name"]: entity["sha256"] for entity in graph if entity["@id"] in results}
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: this is no crate of a run ({error!r}); remove it and run again") from error


def differing(told: Mapping[str, str], root: Path | str) -> dict[str, str]:
    """Of the files that a crate tells of, those below `root` that are gone or hold other bytes, each with which."""
    found = {}
    for name, checksum in sorted(told.items()):
        place = Path(root) / name
        if not place.is_file():
            found[name] = "is not there"
        elif sha256(place) != checksum:
            found[name] = "holds other bytes"
    return found


__all__ = ["NAME", "crate", "differing", "manifest"]
