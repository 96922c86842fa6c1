"""Gathers what a report needs besides numbers: declarations in words, assumptions, checksums, versions."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from backpain import __version__
from backpain.ingest import wanted
from backpain.project import commit
from backpain.receipts import read_receipts
from backpain.spec import (
    Association,
    Audit,
    Protocol,
    Run,
    Survey,
    families_of,
    folder,
    load_association,
    load_audit,
    load_protocol,
    load_run,
    load_survey,
    load_variables,
    members_of,
)

PACKAGES = (
    "snakemake",
    "pandas",
    "numpy",
    "scipy",
    "statsmodels",
    "formulaic",
    "pyarrow",
    "pyreadstat",
    "matplotlib",
)
MARK = re.compile(r"^\s*#\s*ASSUME:\s*(.+)$")
MORE = re.compile(r"^\s*#\s*(?!ASSUME:)(\S.*)$")


def facts_of(name: str, claims: pd.DataFrame, receipts: Iterable[str], root: Path = Path()) -> dict[str, Any]:
    """The facts of a run as `backpain.report` prints them.

    Parameters
    ----------
    name
        The run.
    claims
        The claims table of the run, with the verdicts.
    receipts
        The receipts of its surveys.
    root
        The project's folder: its comments are searched for assumptions.
    """
    run = load_run(name)
    members = [member for found in members_of(run).values() for member in found]
    surveys = {survey: load_survey(survey) for survey in dict.fromkeys([*run.surveys, *members])}
    protocols = {protocol: load_protocol(protocol) for protocol, _ in run.trials}
    associations = {association: load_association(association) for association, _ in run.associations}
    audits = {audit: load_audit(audit) for audit, _ in run.audits}
    analyses: list[Protocol | Association | Audit] = [*protocols.values(), *associations.values(), *audits.values()]
    declared: list[Survey | Protocol | Association | Audit] = [*surveys.values(), *analyses]
    return {
        "run": name,
        "title": run.title,
        "simulated": run.simulated,
        "seed": run.seed,
        "smallest_cell": run.smallest_cell,
        "commit": commit(root),
        "versions": versions(),
        "surveys": {survey: declaration.title for survey, declaration in surveys.items()},
        "variables": variables(),
        "codes": {survey: declaration.codes for survey, declaration in surveys.items() if declaration.codes},
        "analyses": [job.model_dump(exclude_none=True) for job in run.analyses],
        "protocols": {key: value.model_dump(mode="json", by_alias=True) for key, value in protocols.items()},
        "associations": {key: value.model_dump(mode="json", by_alias=True) for key, value in associations.items()},
        "audits": {key: value.model_dump(mode="json", by_alias=True) for key, value in audits.items()},
        "verdicts": verdicts(claims, run),
        "checksums": checksums(receipts),
        "assumptions": assumptions(declared, root),
        "limits": [limit for one in analyses for limit in one.limits],
        "glossary": glossary(root / "docs" / "glossary.md"),
    }


def versions() -> dict[str, str]:
    """The software that a run depends on most, by name."""
    return {
        "python": platform.python_version(),
        "backpain": __version__,
        **{package: version(package) for package in PACKAGES},
    }


def variables() -> dict[str, dict[str, Any]]:
    """The shared variables as the figures and tables label them."""
    return {
        name: {"label": one.label, "kind": one.kind, "unit": one.unit, "categories": one.categories}
        for name, one in load_variables().items()
    } | {"panel": {"label": "Panel", "kind": "category", "unit": None, "categories": {}}}


def verdicts(claims: pd.DataFrame, run: Run) -> list[dict[str, Any]]:
    """The claims table in the words of the report; a trial's verdict answers the run's question."""
    rows: list[dict[str, Any]] = []
    for row in claims.astype(object).where(claims.notna(), None).to_dict("records"):
        tested = row["verdict"] not in ("not tested in this run", "not testable")
        if not tested and any(other["claim"] == row["claim"] for other in rows):
            continue
        rows.append(
            {
                **{key: row[key] for key in ("claim", "text", "verdict", "because")},
                "analysis": row["analysis"] if tested else None,
                "survey": row["survey"] if tested else None,
                "cap": row["cap"],
                "primary": tested and (row["analysis"], row["survey"]) in run.trials,
            }
        )
    return rows


def checksums(receipts: Iterable[str]) -> list[dict[str, Any]]:
    """Every file read: survey, file, path, size, sha256, where it was found.

    The path is the declared one below the raw folder or a mirror, so that the page is the same on every machine.
    """
    rows = []
    for path in sorted(receipts):
        name = Path(path).stem
        declared = {item.name: (item.path, *item.alternatives) for item in wanted(load_survey(name))}
        for row in read_receipts(path):
            places = [place for place in declared[row["file"]] if row["path"].lower().endswith(place.lower())]
            rows.append({"survey": name, **row, "path": places[0] if places else Path(row["path"]).name})
    return rows


def assumptions(declared: Iterable[Any], root: Path) -> list[dict[str, str]]:
    """Every assumption: those the declarations list, and each `ASSUME:` in their comments and in the code."""
    listed = [{"where": one.name, "text": text} for one in declared for text in one.assumptions]
    files = [*sorted(folder().rglob("*.yaml")), *sorted((root / "src" / "backpain").rglob("*.py"))]
    used = {one.name for one in declared} | {"variables", "claims", "evidence"}
    used |= {family for one in declared if isinstance(one, Survey) for family in families_of(one.name)}
    for path in files:
        if path.suffix == ".yaml" and path.stem not in used:
            continue
        where = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
        listed += [{"where": where, "text": text} for text in comments(path.read_text(encoding="utf-8"))]
    return listed


def comments(text: str) -> list[str]:
    """The `ASSUME:` comments of a file, each with the comment lines that go on with it."""
    found: list[str] = []
    going_on = False
    for line in text.splitlines():
        if first := MARK.match(line):
            found.append(first.group(1))
            going_on = True
        elif going_on and (more := MORE.match(line)):
            found[-1] += " " + more.group(1)
        else:
            going_on = False
    return found


def glossary(path: Path) -> dict[str, str]:
    """The glossary: each second-level heading is a term, and what stands below it the meaning."""
    entries = re.findall(r"^## (.+?)\n+(.+?)(?=\n## |\Z)", path.read_text(encoding="utf-8"), re.M | re.S)
    return {term.strip(): " ".join(meaning.replace("*", "").split()) for term, meaning in entries}
