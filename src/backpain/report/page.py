"""Fills the page: what it needs, in what order it is computed, and what stops it."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from backpain.report import parts
from backpain.report.drawing import drawer
from backpain.tables import background, doubts, numbers, views
from backpain.tables.conceal import conceal
from backpain.tables.pick import Section, sections

FACTS = (
    "run",
    "title",
    "simulated",
    "seed",
    "smallest_cell",
    "commit",
    "versions",
    "surveys",
    "variables",
    "codes",
    "analyses",
    "protocols",
    "associations",
    "verdicts",
    "checksums",
    "assumptions",
    "limits",
    "glossary",
)
TABLES = ("estimates", "flow", "published", "cleaning", "harmonisation", "evidence")


def render(
    results: Mapping[str, pd.DataFrame], figures: Mapping[str, str], facts: Mapping[str, Any], templates: Path | str
) -> str:
    """The whole page as HTML text; the same input gives the same bytes.

    Parameters
    ----------
    results
        Result tables by name, with `evidence`; small counts are concealed here whatever the caller did.
    figures
        SVG text by "<analysis>.<survey>.<figure>", and "evidence", as the rooms of `backpain.figures` name them.
    facts
        See `backpain.report`.
    templates
        The folder with report.html.j2, style.css, captions.yaml, checklist.yaml and fonts.

    Raises
    ------
    ValueError
        For a fact, table or figure that is absent, for a number a sentence needs that is missing, and for a verdict
        that rests on an estimate whose diagnostics failed.
    jinja2.UndefinedError
        For anything the template cannot find.
    """
    check(results, facts)
    folder = Path(templates)
    shown = conceal(results, facts["smallest_cell"])
    environment, captions = build(folder), read(folder, "captions")
    chosen = sections(shown, facts)
    page = environment.get_template("report.html.j2").render(
        facts=facts,
        style=style(folder),
        sections=chosen,
        answers=[
            {"verdict": verdict, "section": parts.section_of(verdict, chosen)}
            for verdict in facts["verdicts"]
            if verdict["primary"]
        ],
        say=speaker(environment, captions),
        drawing=drawer(figures),
        tables=shown,
        views=views,
        doubts=doubts,
        background=background,
        claims=parts.claims(facts, chosen),
        components=parts.components,
        versions=parts.versions(facts),
        files=parts.files(facts),
        checklist=parts.checklists(read(folder, "checklist"), chosen),
        codes=parts.codes(facts),
        data=parts.data(shown),
        evidence={"studies": len(shown["evidence"]), "ours": sum(one.kind == "trial" for one in chosen)},
    )
    return re.sub(r"\n\s*\n+", "\n", page) + "\n"


def check(results: Mapping[str, pd.DataFrame], facts: Mapping[str, Any]) -> None:
    """Refuse facts and tables that lack what the page prints."""
    if absent := [name for name in FACTS if name not in facts]:
        raise ValueError(f"report: facts lack {', '.join(absent)}; backpain.report says what each holds")
    needed = [*TABLES, *(["truth"] if facts["simulated"] else [])]
    if absent := [name for name in needed if name not in results]:
        raise ValueError(f"report: no result table {', '.join(absent)}; make it before the report")


def read(folder: Path, name: str) -> Any:
    """One of the template folder's YAML files."""
    return yaml.safe_load((folder / f"{name}.yaml").read_text(encoding="utf-8"))


def present(write: Callable[[Any], str]) -> Callable[[Any], str]:
    """A filter that refuses a missing number instead of printing a dash."""

    def written(number: Any) -> str:
        if numbers.is_missing(number):
            raise ValueError(f"report: a number that a sentence needs is missing ({write.__name__})")
        return write(number)

    return written


STRICT = (
    numbers.count,
    numbers.percent,
    numbers.chance,
    numbers.per_thousand,
    numbers.difference,
    numbers.magnitude,
    numbers.direction,
    numbers.ratio,
    numbers.p_value,
)


def build(folder: Path) -> Environment:
    """A strict template environment with the number formats as filters."""
    environment = Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update({write.__name__: present(write) for write in STRICT})
    words = (numbers.words, numbers.sentence, numbers.gate_words, parts.slug)
    environment.filters.update({write.__name__: write for write in words})
    return environment


def speaker(environment: Environment, captions: Mapping[str, Any]) -> Callable[..., Markup]:
    """A function that fills the caption at a path ("figures.flow") for a section."""

    def say(path: str, section: Section | Mapping[str, Any] | None = None) -> Markup:
        found: Any = captions
        for step in path.split("."):
            if step not in found:
                raise ValueError(f"captions.yaml has no {path}; add it under {step!r}")
            found = found[step]
        return Markup(environment.from_string(found).render(s=section).strip())

    return say


def style(folder: Path) -> Markup:
    """The style sheet with its fonts inside."""

    def inside(found: re.Match[str]) -> str:
        font = base64.b64encode((folder / found[1]).read_bytes()).decode("ascii")
        return f"url(data:font/woff2;base64,{font})"

    sheet = (folder / "style.css").read_text(encoding="utf-8")
    return Markup(re.sub(r"url\((fonts/[a-z-]+\.woff2)\)", inside, sheet))
