"""The answer in a few lines, for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from backpain.report.parts import section_of
from backpain.tables.conceal import conceal
from backpain.tables.numbers import (
    chance,
    difference,
    direction,
    gate_words,
    interval,
    magnitude,
    per_thousand,
    sentence,
)
from backpain.tables.pick import Section, sections

WIDTH = 100


def headline(results: Mapping[str, pd.DataFrame], facts: Mapping[str, Any], page: Path | str | None = None) -> str:
    """The run's answers as text: each primary claim, its verdict, its numbers and why.

    results and facts are those of `backpain.report.render`; raises what it raises for them. page: where the page is,
    named at the end when it is given.
    """
    chosen = sections(conceal(results, facts["smallest_cell"]), facts)
    lines = [facts["title"] + (" (SIMULATED DATA)" if facts["simulated"] else ""), ""]
    answers = [verdict for verdict in facts["verdicts"] if verdict["primary"]]
    for verdict in answers:
        section = section_of(verdict, chosen)
        told = [f'{verdict["claim"]} "{verdict["text"]}" {verdict["verdict"].upper()}']
        told += numbers_of(section) if section is not None and section.kind == "trial" else []
        told.append(f"Why: {str(verdict['because']).strip()}")
        lines += [line for text in told for line in textwrap.wrap(text, WIDTH, subsequent_indent="  ")] + [""]
    if not answers:
        lines += ["No claim is tested by a trial of this run.", ""]
    return "\n".join([*lines, *([] if page is None else [f"The whole report: {page}"])]).rstrip() + "\n"


def numbers_of(section: Section) -> list[str]:
    """What a trial found, in words and numbers; nothing but the gate when its diagnostics failed."""
    row = section.main
    if not section.passed:
        return [f"The comparison in {section.title} {gate_words(row['gate'])}; its estimate is not an answer."]
    treated, untreated = (per_thousand(section.risks[arm]["estimate"]) for arm in ("treated", "untreated"))
    found = [
        f"{section.title}: {treated} per 1,000 with treatment, {untreated} without: {magnitude(row['estimate'])} "
        f"{direction(row['estimate'])} (95% interval {interval(row['low'], row['high'], 'risk-difference')}). "
        f"It had a power of {chance(section.detectable['power'])} to find a difference of "
        f"{per_thousand(section.detectable['detectable_difference'])}."
    ]
    planted = section.truth.get("risk-difference")
    return found + ([] if planted is None else [sentence(f"the planted difference is {difference(planted)}.")])
