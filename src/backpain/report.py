"""The report: one self-contained page filled from result frames; a number that is not there fails the build.

`facts` is what the page says that is not a result:

- run, title (str); simulated (bool); seed, smallest_cell (int); commit (str)
- versions: {package: version}
- surveys: {name: title}; variables: {name: {label, kind, unit, categories}}
- analyses: [{trial | association: name, surveys: [name]}], as in config/<run>.yaml
- protocols, associations: {name: the declaration as a dict}
- verdicts: [{claim, text, verdict, analysis, survey, cap, because, primary}]; `verdict` is one of captions.yaml's;
  analysis and survey are None when no analysis tests the claim; `cap` says why the verdict can be no stronger, or is
  None; a primary verdict is answered at the top of the page
- checksums: [{survey, file, path, size, sha256, origin}]
- assumptions: [{where, text}]; limits: [str]; glossary: {term: meaning}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from backpain.figures import STYLE
from backpain.tables import numbers, protocol, views
from backpain.tables.conceal import conceal
from backpain.tables.html import Column, table
from backpain.tables.pick import Section, sections

FACTS = ("run", "title", "simulated", "seed", "smallest_cell", "commit", "versions", "surveys", "variables", "analyses",
         "protocols", "associations", "verdicts", "checksums", "assumptions", "limits", "glossary")  # fmt: skip
TABLES = ("estimates", "published", "cleaning", "harmonisation", "evidence")


def render(
    results: Mapping[str, pd.DataFrame], figures: Mapping[str, str], facts: Mapping[str, Any], templates: Path | str
) -> str:
    """The whole page as HTML text.

    results: result tables by name (the contract's, and `evidence`); small counts are concealed here whatever the
    caller did. figures: SVG text by "<analysis>.<survey>.<figure>", and "evidence". facts: see the module. templates:
    the folder with report.html.j2, style.css and captions.yaml. Raises ValueError for a fact or table that is absent
    and jinja2.UndefinedError for a number the template cannot find.
    """
    check(results, facts)
    folder = Path(templates)
    shown = conceal(results, facts["smallest_cell"])
    captions = yaml.safe_load((folder / "captions.yaml").read_text(encoding="utf-8"))
    environment = build(folder)
    chosen = sections(shown, facts)
    page = environment.get_template("report.html.j2").render(
        facts=facts,
        style=Markup((folder / "style.css").read_text(encoding="utf-8")),
        sections=chosen,
        answers=[answer(verdict, chosen) for verdict in facts["verdicts"] if verdict["primary"]],
        claims=claims_table(facts, chosen),
        say=speaker(environment, captions),
        drawing=drawer(figures),
        tables=shown,
        views=views,
        components=lambda section: components(environment, captions, section),
        versions=versions_table(facts),
        files=pd.DataFrame(facts["checksums"]),
        repeated={"studies": len(shown["evidence"]), "ours": sum(one.kind == "trial" for one in chosen)},
    )
    return re.sub(r"\n\s*\n+", "\n", page) + "\n"


def check(results: Mapping[str, pd.DataFrame], facts: Mapping[str, Any]) -> None:
    """Refuse facts and tables that lack what the page prints."""
    if absent := [name for name in FACTS if name not in facts]:
        raise ValueError(f"report: facts lack {', '.join(absent)}; backpain.report says what each holds")
    needed = [*TABLES, *(["truth"] if facts["simulated"] else [])]
    if absent := [name for name in needed if name not in results]:
        raise ValueError(f"report: no result table {', '.join(absent)}; make it before the report")


def present(write: Callable[[Any], str]) -> Callable[[Any], str]:
    """A filter that refuses a missing number instead of printing a dash."""

    def written(number: Any) -> str:
        if numbers.is_missing(number):
            raise ValueError(f"report: a number the page needs is missing ({write.__name__})")
        return write(number)

    return written


def build(folder: Path) -> Environment:
    """A strict template environment with the number formats as filters."""
    environment = Environment(
        loader=FileSystemLoader(folder), undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    strict = (numbers.count, numbers.percent, numbers.per_thousand, numbers.difference, numbers.ratio, numbers.p_value,
              numbers.magnitude, numbers.direction)  # fmt: skip
    environment.filters |= {write.__name__: present(write) for write in strict}
    environment.filters |= {
        "words": numbers.words, "sentence": numbers.sentence, "gate_words": numbers.gate_words, "slug": slug,
        "failed": numbers.failed,
    }  # fmt: skip
    return environment


def slug(text: str) -> str:
    """A name that may stand in a link."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def speaker(environment: Environment, captions: Mapping[str, Any]) -> Callable[..., str]:
    """A function that fills the caption at a path ("figures.flow") for a section."""

    def say(path: str, section: Any = None) -> str:
        found: Any = captions
        for step in path.split("."):
            if step not in found:
                raise ValueError(f"captions.yaml has no {path}; add it under {step!r}")
            found = found[step]
        template: Template = environment.from_string(found)
        return Markup(template.render(s=section).strip())

    return say


def answer(verdict: Mapping[str, Any], chosen: list[Section]) -> dict[str, Any]:
    """A verdict and the section whose numbers it rests on."""
    return {"verdict": verdict, "section": section_of(verdict, chosen)}


def section_of(verdict: Mapping[str, Any], chosen: list[Section]) -> Section | None:
    """The section of a verdict's analysis and survey; None when no analysis tests the claim."""
    if not verdict["analysis"]:
        return None
    found = [one for one in chosen if (one.name, one.survey) == (verdict["analysis"], verdict["survey"])]
    if not found:
        raise ValueError(
            f"verdicts: claim {verdict['claim']} rests on {verdict['analysis']} in {verdict['survey']}, which this run does not have"
        )
    return found[0]


def claims_table(facts: Mapping[str, Any], chosen: list[Section]) -> Markup:
    """Every claim, its verdict, the estimate that says so, and what could have been found."""
    rows = []
    for verdict in facts["verdicts"]:
        section = section_of(verdict, chosen)
        line = {"claim": verdict["claim"], "text": verdict["text"], "verdict": verdict["verdict"], "gate": "passed"}
        line |= {"estimate": numbers.MISSING, "detectable": numbers.MISSING, "where": numbers.MISSING}
        line["because"] = ". ".join(numbers.sentence(part) for part in (verdict["because"], verdict["cap"]) if part)
        if section is not None:
            line |= section.claim_cells()
        rows.append(line)
    columns = [
        Column("claim", "Id"),
        Column("text", "Claim", numbers.sentence, False, "14rem"),
        Column("verdict", "Verdict", badge, False, "8rem"),
        Column("estimate", "Estimate (95% interval)", str, False, "12rem"),
        Column("detectable", "Smallest detectable difference", str, False, "7rem"),
        Column("where", "Tested in", str, False, "9rem"),
        Column("because", "Why", str, False, "14rem"),
    ]
    return table(pd.DataFrame(rows), columns, identity="claims-table",
                 caption="Each claim, the verdict on it, and the estimate that says so.")  # fmt: skip


def badge(verdict: str) -> Markup:
    """A verdict as a coloured word; the word alone carries the meaning."""
    return Markup('<span class="badge {}">{}</span>').format(slug(verdict), verdict)


def components(environment: Environment, captions: Mapping[str, Any], section: Section) -> Markup:
    """The seven components of the target trial, as specified and as emulated."""
    told = captions["trial"]
    rows = []
    for name, heading in protocol.COMPONENTS.items():
        specified = told["strategies"][section.protocol["emulates"]] if name == "strategies" else told["specified"][name]
        texts = [environment.from_string(text).render(s=section) for text in (specified, told["emulated"][name])]
        rows.append({"component": heading, "specified": Markup(texts[0]), "emulated": Markup(texts[1])})
    columns = [Column("component", "Component", str, False, "8rem"),
               Column("specified", "The trial we would run", Markup, False, "14rem"),
               Column("emulated", "What these data allow", Markup, False, "14rem")]  # fmt: skip
    return table(pd.DataFrame(rows), columns, identity=f"{section.identity}-components",
                 caption="The target trial, as specified and as emulated.")  # fmt: skip


def versions_table(facts: Mapping[str, Any]) -> Markup:
    """The software that computed the results."""
    frame = pd.DataFrame({"package": list(facts["versions"]), "version": list(facts["versions"].values())})
    columns = [Column("package", "Software"), Column("version", "Version")]
    return table(frame, columns, identity="versions", caption="Software and versions.")


def drawer(figures: Mapping[str, str]) -> Callable[[str, str], Markup]:
    """A function that puts a figure into the page, under its title."""

    def drawing(name: str, title: str) -> Markup:
        if name not in figures:
            raise ValueError(f"report: no figure {name!r}; draw it before the report")
        return embed(figures[name], slug(name), title)

    return drawing


def embed(text: str, identity: str, title: str) -> Markup:
    """An SVG file's text made part of a page: titled, its ids its own, its colours the page's, without outside names."""
    drawing = text[text.index("<svg") :]
    drawing = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<style[^>]*>.*?</style>|<defs>\s*</defs>", "", drawing, flags=re.S)
    drawing = re.sub(r"<defs>\s*</defs>", "", drawing).replace("xlink:href", "href")
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', drawing))
    drawing = re.sub(
        r' id="([^"]+)"', lambda found: f' id="{identity}-{found[1]}"' if found[1] in used else "", drawing
    )
    drawing = re.sub(r'(url\(#|href="#)', rf"\g<1>{identity}-", drawing)
    for name, colour in STYLE.items():
        drawing = drawing.replace(colour, f"var(--figure-{name}, {colour})")
    frame = re.search(r'viewBox="([^"]+)"', drawing)
    assert frame is not None, f"figure {identity} has no viewBox"
    opening = (
        f'<svg viewBox="{frame[1]}" role="img" aria-labelledby="{identity}-title"><title id="{identity}-title">'
        f"{escape(title)}</title>"
    )
    return Markup(re.sub(r"<svg[^>]*>", lambda _: opening, drawing, count=1).strip())
