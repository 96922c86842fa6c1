"""What a run rests on, as tables: definitions, published numbers, cleaning, other studies, files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from backpain.tables import numbers
from backpain.tables.html import Column, Row, plain, table
from backpain.tables.numbers import sentence, words
from backpain.tables.views import Variables, label

STATUS = {
    "mapped": "as asked",
    "derived": "derived",
    "unavailable": "not available",
    "reproduced": "reproduced",
    "differs-explained": "differs, explained",
    "not-computable": "cannot be computed",
}


def status(value: str) -> str:
    """A declared status in words."""
    return sentence(STATUS.get(value, words(value)))


def answered(frame: pd.DataFrame) -> pd.DataFrame:
    """The variables that at least one survey answers, or says why it cannot."""
    silent = frame["reason"].fillna("").str.startswith("not declared")
    return frame[frame["variable"].isin(frame.loc[~silent, "variable"])]


def harmonisation(frame: pd.DataFrame, surveys: Mapping[str, str], identity: str) -> Markup:
    """Variables in rows, surveys in columns: how each survey answers, or why it cannot.

    Variables that no analysis of the run asks of any survey are left out.
    """
    lines: dict[str, dict[str, Any]] = {}
    for row in answered(frame).fillna({"how": "", "reason": ""}).to_dict("records"):
        line = lines.setdefault(row["variable"], {"label": row["label"], **dict.fromkeys(surveys, "")})
        line[row["survey"]] = answer(row)
    columns = [Column("label", "Variable", plain, False, "10rem")]
    columns += [Column(name, title, Markup, False, "14rem") for name, title in surveys.items()]
    return table(
        pd.DataFrame(list(lines.values()), columns=[column.name for column in columns]),
        columns,
        identity=identity,
        caption="How each survey answers for each variable, or why it cannot.",
    )


def answer(row: Row) -> Markup:
    """How one survey answers for one variable."""
    if row["status"] == "unavailable":
        text = "not asked for" if row["reason"].startswith("not declared") else f"not available: {row['reason']}"
        return Markup('<span class="absent">{}</span>').format(sentence(text))
    how = row["how"] or row["reason"]
    return escape(sentence(how) if row["status"] == "mapped" and how else f"{status(row['status'])}: {how}")


def computed(line: Row) -> str:
    """Our value, with its interval where it is an estimate."""
    value = numbers.figure(line["computed"], line["expected"])
    if numbers.is_missing(line.get("low")):
        return value
    return f"{value} ({numbers.decimal(line['low'])} to {numbers.decimal(line['high'])})"


def published(frame: pd.DataFrame, surveys: Mapping[str, str], identity: str) -> Markup:
    """Published numbers and ours, with what explains a difference."""
    columns = [
        Column("quantity", "Quantity", sentence, False, "14rem"),
        Column("expected", "Published", plain, True),
        Column("computed", "Computed here (95% interval)", plain, True),
        Column("status", "Result", status),
        Column("reason", "Why they differ", sentence_or_dash, False, "14rem"),
        Column("source", "Source", sentence_or_dash, False, "9rem"),
    ]
    rows = frame.assign(
        heading=[surveys[name] for name in frame["survey"]],
        expected=[numbers.figure(line["expected"], line["expected"]) for line in frame.to_dict("records")],
        computed=[computed(line) for line in frame.to_dict("records")],
    )
    return table(
        rows,
        columns,
        identity=identity,
        group="heading",
        caption="Numbers others have published for these files, and what is computed here.",
    )


def sentence_or_dash(value: Any) -> str:
    """A text with a capital, or a dash."""
    return sentence(plain(value))


def cleaning(
    frame: pd.DataFrame, surveys: Mapping[str, str], variables: Variables, smallest: int, identity: str
) -> Markup:
    """Every cleaning rule: what it looked at, what it touched, what it did."""
    rows = frame.assign(
        heading=[surveys[name] for name in frame["survey"]],
        variable=[label(variables, name, unit=False) if name else "" for name in frame["variable"].fillna("")],
    )
    columns = [
        Column("rule", "Rule", sentence, False, "14rem"),
        Column("file", "File"),
        Column("variable", "Variable"),
        Column("looked_at", "Looked at", numbers.count, True),
        Column("touched", "Touched", numbers.count, True),
        Column("action", "Action", sentence_or_dash, False, "9rem"),
    ]
    return table(
        rows,
        columns,
        identity=identity,
        group="heading",
        smallest=smallest,
        caption="Cleaning rules, the values each looked at and the values it touched.",
    )


def evidence(frame: pd.DataFrame, identity: str) -> Markup:
    """Published studies: design, people, contrast, outcome and effect."""
    lines = frame.to_dict("records")
    rows = frame.assign(
        heading=[sentence(line["group"]).replace("->", "\N{RIGHTWARDS ARROW}") for line in lines],
        effect=[effect(line) for line in lines],
    )
    columns = [
        Column("study", "Study", plain, False, "9rem"),
        Column("design", "Design", sentence, False, "8rem"),
        Column("people", "People", numbers.count, True),
        Column("contrast", "Contrast", sentence, False, "10rem"),
        Column("outcome", "Outcome", sentence, False, "7rem"),
        Column("effect", "Effect (95% interval)", plain, False, "9rem"),
        Column("caution", "Caution", sentence_or_dash, False, "7rem"),
    ]
    return table(
        rows,
        columns,
        identity=identity,
        group="heading",
        caption="Published studies, from their abstracts, grouped by contrast and not pooled.",
    )


def effect(line: Row) -> str:
    """A published effect with its measure, its interval and the scale of a mean difference."""
    scale = "" if numbers.is_missing(line["scale"]) else f" of {numbers.count(line['scale'])} points"
    return f"{sentence(line['measure'])} {numbers.with_interval(line, 'ratio')}{scale}"


def files(frame: pd.DataFrame, surveys: Mapping[str, str], identity: str) -> Markup:
    """The raw files a run read, with their checksums."""
    columns = [
        Column("path", "File", plain, False, "14rem"),
        Column("size", "Size", numbers.size, True),
        Column("sha256", "SHA-256", plain, False, "14rem"),
        Column("origin", "Found in", sentence_or_dash),
    ]
    return table(
        frame.assign(heading=[surveys[name] for name in frame["survey"]]),
        columns,
        identity=identity,
        group="heading",
        caption="Raw files, with the checksums of the bytes that were read.",
    )
