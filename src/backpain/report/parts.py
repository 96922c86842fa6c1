"""The parts of the page that are neither result tables nor figures: claims, target trial, checklist, provenance."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from backpain.tables import background
from backpain.tables.html import Column, table
from backpain.tables.numbers import MISSING, sentence
from backpain.tables.pick import Section

# Verdicts that need an estimate that passed its diagnostics.
ANSWERS = ("supported", "contradicted")


def slug(text: str) -> str:
    """A name that may stand in a link or a class."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def section_of(verdict: Mapping[str, Any], chosen: Sequence[Section]) -> Section | None:
    """The section a verdict rests on; None when no analysis of the run tests the claim.

    Raises ValueError when the run does not have the analysis, or when its estimate did not pass its diagnostics and
    is taken for an answer all the same.
    """
    if not verdict["analysis"]:
        return None
    claim, where = verdict["claim"], (verdict["analysis"], verdict["survey"])
    found = next((one for one in chosen if (one.name, one.survey) == where), None)
    if found is None:
        raise ValueError(f"verdicts: claim {claim} rests on {' in '.join(where)}, which this run does not have")
    if not found.passed and verdict["verdict"] in ANSWERS:
        raise ValueError(
            f"verdicts: claim {claim} is {verdict['verdict']}, but its estimate did not pass its diagnostics"
        )
    return found


def claims(facts: Mapping[str, Any], chosen: Sequence[Section]) -> Markup:
    """Every claim, its verdict, the estimate that says so with what could have been found, and why."""
    rows = []
    for verdict in facts["verdicts"]:
        section = section_of(verdict, chosen)
        lines = [MISSING]
        if section is not None:
            lines = section.audited_lines(verdict["claim"]) if section.kind == "audit" else section.claim_lines()
            lines = [*lines, Markup('<a href="#{}">How this was found</a>').format(section.identity)]
        rows.append(
            {
                "text": Markup('<span class="id">{}</span> {}').format(verdict["claim"], verdict["text"]),
                "verdict": badge(verdict),
                "estimate": Markup("").join(Markup("<p>{}</p>").format(line) for line in lines),
                "because": f"{sentence(str(verdict['because'] or MISSING)).rstrip('.')}.",
            }
        )
    columns = [
        Column("text", "Claim", Markup, False, "12rem"),
        Column("verdict", "Verdict", Markup, False, "9rem"),
        Column("estimate", "Estimate (95% interval)", Markup, False, "12rem"),
        Column("because", "Why", str, False, "14rem"),
    ]
    return table(
        pd.DataFrame(rows, columns=[column.name for column in columns]),
        columns,
        identity="claims-table",
        stacked=True,
        caption="Each claim, the verdict on it, and the estimate that says so.",
    )


def badge(verdict: Mapping[str, Any]) -> Markup:
    """A verdict as a coloured word; the word alone carries the meaning."""
    text = f"{verdict['verdict']}{', capped' if verdict['cap'] else ''}"
    return Markup('<span class="badge {}">{}</span>').format(slug(verdict["verdict"]), text)


def components(section: Section) -> Markup:
    """The components of the target trial, as specified and as emulated."""
    rows = [
        {"component": sentence(name), **{side: sentence(" ".join(text.split())) for side, text in told.items()}}
        for name, told in section.declared["components"].items()
    ]
    columns = [
        Column("component", "Component", str, False, "8rem"),
        Column("specified", "The trial we would run", str, False, "14rem"),
        Column("emulated", "What these data allow", str, False, "14rem"),
    ]
    return table(
        pd.DataFrame(rows),
        columns,
        identity=f"{section.identity}-components",
        stacked=True,
        caption="The target trial, as specified and as emulated.",
    )


def checklists(declared: Sequence[Mapping[str, Any]], chosen: Sequence[Section]) -> Markup:
    """Every checklist: its items, and links to where the page answers them."""
    return Markup("\n").join(
        _checklist(one["items"], chosen, one["name"], f"checklist-{place}") for place, one in enumerate(declared, 1)
    )


def _checklist(items: Sequence[Mapping[str, str]], chosen: Sequence[Section], caption: str, identity: str) -> Markup:
    trials = [section.identity for section in chosen if section.kind == "trial"]
    rows = []
    for item in items:
        targets = [item["at"]] if "at" in item else [f"{trial}-{item['part']}" for trial in trials if "part" in item]
        name = sentence(item.get("name", item.get("at", item.get("part", ""))).replace("-", " "))
        links = [Markup('<a href="#{}">{}</a>').format(target, name) for target in targets]
        said = escape(item.get("say", "No trial in this run."))
        rows.append({**item, "where": Markup(", ").join(links) if links else said})
    columns = [
        Column("item", "Item"),
        Column("asks", "Asks for", str, False, "12rem"),
        Column("where", "Answered", Markup, False, "14rem"),
    ]
    return table(
        pd.DataFrame(rows),
        columns,
        identity=identity,
        caption=caption,
    )


def codes(facts: Mapping[str, Any]) -> Markup:
    """Every code list of the surveys, by the system of its codes."""
    rows = [
        {
            "heading": facts["surveys"].get(survey, survey),
            "name": sentence(name.replace("_", " ")),
            "system": system,
            "codes": ", ".join(each),
        }
        for survey, lists in facts["codes"].items()
        for name, systems in lists.items()
        for system, each in systems.items()
    ]
    if not rows:
        return Markup("")
    columns = [
        Column("name", "List", str, False, "12rem"),
        Column("system", "Codes in", str, False, "7rem"),
        Column("codes", "Codes", str, False, "24rem"),
    ]
    return table(
        pd.DataFrame(rows),
        columns,
        identity="codes-table",
        group="heading",
        caption="Complete code lists, with the agency's column that holds each code.",
    )


def data(tables: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """What the sentences about the data count: variables by how they are answered, published numbers by result."""
    asked = background.answered(tables["harmonisation"])
    status = tables["published"]["status"].value_counts()
    return {
        "variables": int(asked["variable"].nunique()),
        "answered": int(asked.loc[asked["status"] != "unavailable", "variable"].nunique()),
        "published": len(tables["published"]),
        **{
            name.replace("-", "_"): int(status.get(name, 0))
            for name in ("reproduced", "differs-explained", "not-computable")
        },
    }


def files(facts: Mapping[str, Any]) -> Markup:
    """The raw files, by survey; an absolute path is cut to its last three parts."""
    frame = pd.DataFrame(facts["checksums"], columns=["survey", "path", "size", "sha256", "origin"])
    paths = [PurePosixPath(path) for path in frame["path"]]
    short = ["/".join(path.parts[-3:]) if path.is_absolute() else str(path) for path in paths]
    return background.files(frame.assign(path=short), facts["surveys"], "checksums")


def versions(facts: Mapping[str, Any]) -> Markup:
    """The software that computed the results."""
    frame = pd.DataFrame(list(facts["versions"].items()), columns=["package", "version"])
    columns = [Column("package", "Software"), Column("version", "Version")]
    return table(frame, columns, identity="versions", caption="Software and versions.")
