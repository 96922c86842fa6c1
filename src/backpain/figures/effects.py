"""What was found: absolute risks, what could have been detected, groups, and the forests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from backpain.figures.audits import curve, immortal, reverse, roles, shares, trend
from backpain.figures.curve import curves
from backpain.figures.doubts import funnel, tipping
from backpain.figures.forests import by_estimator, by_panel, by_subgroup, forest, scaled, told, whisker
from backpain.figures.mediation import groups as four_groups
from backpain.figures.mediation import parts
from backpain.figures.sequence import by_round, incidence
from backpain.figures.style import SLIM, STYLE, canvas, require, rows_axis, styled, write
from backpain.tables.conceal import conceal
from backpain.tables.numbers import (
    ENDS,
    PER,
    chance,
    difference,
    failed,
    sentence,
    shown,
)
from backpain.tables.pick import Section, sections


@styled
def absolute_risks(frame: pd.DataFrame) -> Figure:
    """The risk in each arm per 1,000 people, with its interval.

    frame: the risk rows of estimates.csv of one survey, analysis, variation and estimator.
    """
    require(frame, ["arm", *ENDS, "gate"], "estimates")
    lines = scaled(frame)
    figure, axes = canvas(0.5 * len(lines) + 0.85, 0.21, 0.6, width=SLIM)
    rows_axis(axes, len(lines), 0)
    axes.set_xlim(0, 1.08 * float(lines[["estimate", "high"]].max().max()))
    for row, line in enumerate(lines.to_dict("records")):
        colour = STYLE[line["arm"]]
        write(axes, 0.006, row, sentence(line["arm"]), color=colour, fontweight="bold")
        whisker(axes, row, line, colour, filled=not failed(line["gate"]), square=line["arm"] == "untreated")
        write(axes, 0.63, row, told(line, "risk"), fontweight="bold")
    axes.set_xlabel("Per 1,000 people (95% interval)")
    return figure


@styled
def detectable(line: Mapping[Any, Any], limit: float, power: float, truth: float | None = None) -> Figure:
    """The estimate against the smallest difference this analysis could have found.

    line: the risk-difference row of estimates.csv. limit: detectable_difference of detectable.csv.
    """
    one = {**line, **{name: PER * float(line[name]) for name in ENDS}}
    edge, planted = PER * limit, None if truth is None else PER * truth
    figure, axes = canvas(2.2, width=SLIM)
    reach = 1.12 * max(abs(end) for end in (edge, one["low"], one["high"], one["estimate"], planted or 0))
    axes.set_xlim(-reach, reach)
    rows_axis(axes, 1)
    axes.fill_between([-edge, edge], -0.55, 0.65, color=STYLE["band"], zorder=0, linewidth=0)
    axes.plot([0, 0], [-0.55, 0.65], color=STYLE["muted"], linewidth=0.9, zorder=1)
    for place, side in ((-edge, "left"), (edge, "right")):
        axes.text(place, -0.36, f"\u00a0{difference(place / PER)}\u00a0", ha=side, color=STYLE["muted"])
    axes.text(0, -0.78, f"in this band: power below {chance(power)}", ha="center", color=STYLE["muted"])
    passed = not failed(one["gate"])
    whisker(axes, 0.1, one, STYLE["treated" if passed else "failed"], filled=passed, square=True)
    if planted is not None:
        ink: dict[str, Any] = {"color": STYLE["truth"]}
        axes.plot([planted, planted], [-0.35, 0.34], linewidth=1.6, linestyle=(0, (5, 2)), **ink)
        note = f"simulated truth {difference(truth)}"
        axes.text(planted, 0.48, note, ha="center", va="center", fontweight="bold", fontsize=10, **ink)
    axes.set_ylim(0.65, -1.0)
    axes.set_xlabel("Risk difference per 1,000 people")
    return figure


@styled
def groups(frame: pd.DataFrame, outcome: str, smallest: int | None = None) -> Figure:
    """How common the outcome is in each group, crude and standardised: a description, not an effect.

    frame: the risk rows of estimates.csv of one survey and association (estimators unadjusted and standardisation),
    with `group`, the group in words. outcome: the outcome in words.
    """
    require(frame, ["arm", "group", "estimator", *ENDS, "people"], "estimates")
    lines = scaled(frame)
    crude = lines[lines["estimator"] == "unadjusted"].to_dict("records")
    adjusted = {line["arm"]: line for line in lines[lines["estimator"] == "standardisation"].to_dict("records")}
    figure, axes = canvas(0.55 * len(crude) + 1.3, 0.41, 0.66)
    rows_axis(axes, len(crude), 0)
    axes.set_xlim(0, 1.06 * float(lines[["estimate", "high"]].max().max()))
    heads = [(0.004, "Group", "left", "muted"), (0.39, "People", "right", "muted")]
    heads += [(0.675, "Crude", "left", "ink")] + ([(0.845, "Standardised", "left", "failed")] if adjusted else [])
    for x, text, side, ink in heads:
        write(axes, x, -0.8, text, color=STYLE[ink], ha=side, fontsize=10, fontweight="bold" if x > 0.5 else "normal")
    for row, line in enumerate(crude):
        write(axes, 0.004, row, line["group"])
        write(axes, 0.39, row, shown(line, "people", smallest), ha="right")
        whisker(axes, row - 0.1, line, STYLE["ink"])
        write(axes, 0.675, row, told(line, "risk"))
        if line["arm"] in adjusted:
            whisker(axes, row + 0.18, adjusted[line["arm"]], STYLE["failed"], square=True)
            write(axes, 0.845, row, told(adjusted[line["arm"]], "risk"), color=STYLE["muted"])
    axes.set_ylim(len(crude) - 0.4, -1.2)
    axes.set_xlabel(f"People with {outcome} per 1,000 (cross-sectional)")
    return figure


def audited(section: Section) -> dict[str, Figure]:
    """The figures of an audit."""
    declared, main = section.declared["analysis"], section.findings[section.findings["variation"] == "main"]
    if declared["kind"] == "shares":
        followed = main["item"].isin(section.followed)
        return {"shares": shares(main)} | ({"trend": trend(main[followed])} if followed.any() else {})
    if declared["kind"] == "dose":
        return {"dose": curve(section.doses, main, declared["label"], section.unit)} if len(section.doses) else {}
    if declared["kind"] == "onset":
        return {"immortal": immortal(main)}
    drawn = {"roles": roles(main)} if (main["item"] == "risk-difference").any() and main["low"].notna().any() else {}
    return drawn | ({"reverse": reverse(section.paths)} if len(section.paths) else {})


def draw(results: Mapping[str, pd.DataFrame], facts: Mapping[str, Any]) -> dict[str, Figure]:
    """Estimates of each analysis and survey: "<analysis>.<survey>.<figure>".

    results and facts are those of `backpain.report.render`; small counts are concealed first.
    """
    smallest, drawn = int(facts["smallest_cell"]), {}
    for section in sections(conceal(results, smallest), facts):
        name, frame = f"{section.name}.{section.survey}", section.estimates
        if section.kind == "association":
            drawn[f"{name}.groups"] = groups(
                section.ordered(frame[frame["scale"] == "risk"]), section.outcome, smallest
            )
            continue
        if section.kind == "audit":
            drawn |= {f"{name}.{kind}": one for kind, one in audited(section).items()}
            continue
        limit, truth = section.detectable, section.truth.get("risk-difference")
        drawn[f"{name}.risks"] = absolute_risks(section.lines("risk", "main"))
        drawn[f"{name}.detectable"] = detectable(section.main, limit["detectable_difference"], limit["power"], truth)
        drawn[f"{name}.forest"] = forest(section.lines("risk-difference"), truth, smallest)
        drawn[f"{name}.estimators"] = by_estimator(section.by_estimator, truth)
        if len(section.panels):
            drawn[f"{name}.panels"] = by_panel(section.panels, section.between, section.main)
        if len(section.subgroups):
            drawn[f"{name}.subgroups"] = by_subgroup(section.subgroups, section.main)
        if len(section.controlled):
            answer = pd.DataFrame([section.calibrated])
            drawn[f"{name}.controls"] = funnel(section.controlled, section.rows("contours"), answer)
        if len(section.supposed):
            grid = section.doubtful("tipping")
            grid, like = grid[grid["supposed"].isna()], section.supposed.iloc[0]
            drawn[f"{name}.tipping"] = tipping(grid, section.doubtful("frontier"), like)
        if len(section.sequence) and len(section.rows("sequence_curves")):
            drawn[f"{name}.sequence"] = incidence(section.rows("sequence_curves"), section.declared["sequence"])
        if len(section.by_round) and section.by_round["band_low"].notna().any():
            drawn[f"{name}.rounds"] = by_round(section.by_round)
        if len(section.through):
            drawn[f"{name}.through"] = parts(section.through, section.declared["through"]["word"])
            drawn[f"{name}.four-groups"] = four_groups(section.four_groups)
        if len(section.multiverse):
            drawn |= {f"{name}.{kind}": one for kind, one in curves(section.multiverse, section.truth).items()}
    return drawn
