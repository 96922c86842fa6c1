"""Every figure of a run, by the name the report looks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from backpain.figures.diagnostics import love, overlap
from backpain.figures.effects import absolute_risks, detectable, forest, groups
from backpain.figures.evidence import evidence
from backpain.figures.people import flow, missingness, windows
from backpain.tables.conceal import conceal
from backpain.tables.pick import Section, sections

OURS = "depression treatment -> pain"


def draw(results: Mapping[str, pd.DataFrame], facts: Mapping[str, Any]) -> dict[str, Figure]:
    """All figures of a run: "<analysis>.<survey>.<figure>" for each analysis and survey, and "evidence".

    results and facts are those of `backpain.report.render`; small counts are concealed first.
    """
    shown = conceal(results, facts["smallest_cell"])
    chosen = sections(shown, facts)
    drawn = {}
    for section in chosen:
        figures = trial_figures(section) if section.kind == "trial" else association_figures(section)
        drawn |= {f"{section.name}.{section.survey}.{name}": figure for name, figure in figures.items()}
    return {**drawn, "evidence": evidence(shown["evidence"], our_rows(chosen))}


def trial_figures(section: Section) -> dict[str, Figure]:
    """The figures of one trial on one survey."""
    variables, smallest = section.facts["variables"], section.facts["smallest_cell"]
    declared, truth = section.protocol, section.truth.get("risk-difference")
    found, limit = section.lines("risk-difference", "main").iloc[0], section.detectable
    return {
        "flow": flow(section.boxes, smallest),
        "windows": windows(declared["windows"], declared["time_zero"]),
        "missingness": missingness(section.rows("missingness", "main"), variables, smallest),
        "love": love(section.rows("balance", "main"), variables, section.limit),
        "overlap": overlap(section.rows("overlap", "main")),
        "risks": absolute_risks(section.lines("risk", "main")),
        "detectable": detectable(found, limit["detectable_difference"], limit["power"], truth),
        "forest": forest(section.lines("risk-difference"), truth, smallest),
    }


def association_figures(section: Section) -> dict[str, Figure]:
    """The figure of one association on one survey."""
    return {"groups": groups(section.lines("risk", "main"), section.facts["smallest_cell"])}


def our_rows(chosen: list[Section]) -> pd.DataFrame:
    """The trials' risk ratios in the shape of the evidence; associations estimate something else and stay out."""
    rows = []
    for section in chosen:
        found = section.lines("risk-ratio", "main") if section.kind == "trial" else pd.DataFrame()
        for row in found.to_dict("records"):
            numbers = {name: row[name] for name in ("estimate", "low", "high", "gate")}
            rows.append({"study": "This study", "design": f"{row['estimand']}, {section.survey}", "contrast": row["arm"],
                         "outcome": section.outcome, "measure": "risk ratio", "scale": None, "group": OURS, **numbers})  # fmt: skip
    return pd.DataFrame(rows)
