"""How far an answer can be trusted, as tables: its negative controls, and what would have to be true to change it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from backpain.tables import numbers
from backpain.tables.html import Column, plain, table
from backpain.tables.numbers import sentence, words

SCALES = {"risk-difference": "Risk difference per 1,000", "risk-ratio": "Risk ratio", "odds-ratio": "Odds ratio"}
ERRORS = {"sampling": "As estimated", "systematic": "Biases undone", "total": "Biases undone, with chance"}


def _interval(row: Any, scale: str, names: tuple[str, str, str] = ("estimate", "low", "high")) -> str:
    found = dict(zip(("estimate", "low", "high"), (row[name] for name in names), strict=True))
    return "" if numbers.is_missing(found["estimate"]) else numbers.with_interval(found, scale)


def subgroups(frame: pd.DataFrame, identity: str) -> Markup:
    """How far the arms overlap in each subgroup. frame: rows of subgroups.csv with `heading` and `label`."""
    columns = [
        Column("label", "Level", plain, False, "11rem"),
        Column("share", "Share of everyone", numbers.percent, True),
        Column("share_treated", "Treated", numbers.percent, True),
        Column("lowest_propensity", "Lowest propensity", numbers.ratio, True),
        Column("highest_propensity", "Highest propensity", numbers.ratio, True),
        Column("least_overlap", "Overlap", numbers.percent, True),
        Column("effective_people_treated", "Effective people, treated", numbers.count, True),
        Column("effective_people_untreated", "Effective people, untreated", numbers.count, True),
        Column("reason", "Why no estimate", plain, False, "11rem"),
    ]
    return table(
        frame,
        columns,
        identity=identity,
        group="heading",
        caption="Positivity in each subgroup, by models of its own. Effective people: what the weighted arm is worth in people of "
        "equal weight. Overlap: as in the gate.",
    )


def controls(frame: pd.DataFrame, smallest: int, identity: str) -> Markup:
    """Every negative control and comparison. frame: rows of controls.csv on one scale."""
    groups = {"control": "Negative controls: ", "comparison": "To compare: "}
    lines = frame.assign(
        heading=[groups[row["role"]] + row["kind"] for row in frame.to_dict("records")],
        told=[_interval(row, row["scale"]) or row["reason"] for row in frame.to_dict("records")],
        why=[
            " ".join(str(part) for part in (row["because"], f"({row['reference']})", row["doubt"]) if not pd.isna(part))
            for row in frame.to_dict("records")
        ],
    )
    columns = [
        Column("label", "Outcome", plain, False, "11rem"),
        Column("events_treated", "Events, treated", numbers.count, True),
        Column("events_untreated", "Events, untreated", numbers.count, True),
        Column("told", "Ratio (95% interval)", plain, True),
        Column("p_profile", "p", numbers.p_value, True),
        Column("calibrated_p", "p calibrated by the others", numbers.p_value, True),
        Column("why", "Why nothing should differ, and doubts", plain, False, "22rem"),
    ]
    return table(
        lines,
        columns,
        identity=identity,
        group="heading",
        smallest=smallest,
        caption="Outcomes run through the same analysis. Intervals are design-based; p is from the likelihood profile, and again "
        "calibrated by the controls other than the one in the row.",
    )


def calibrated(frame: pd.DataFrame, names: dict[str, str], identity: str) -> Markup:
    """The answer and the comparisons, before and after. frame: rows of calibrated.csv; names: outcomes in words."""
    after = ("calibrated_estimate", "calibrated_low", "calibrated_high")
    lines = frame.assign(
        label=[sentence(names.get(row["outcome"], str(row["outcome"]))) for row in frame.to_dict("records")],
        before=[_interval(row, row["scale"]) for row in frame.to_dict("records")],
        after=[_interval(row, row["scale"], after) for row in frame.to_dict("records")],
    )
    columns = [
        Column("label", "Outcome", plain, False, "11rem"),
        Column("before", "Ratio (95% interval)", plain, True),
        Column("p", "p", numbers.p_value, True),
        Column("after", "Calibrated ratio (95% interval)", plain, True),
        Column("calibrated_p", "Calibrated p", numbers.p_value, True),
    ]
    return table(
        lines,
        columns,
        identity=identity,
        caption="Ratios of the risk with treatment to the risk without, before and after calibration. The calibrated interval "
        "assumes that systematic error is as large where there is an effect as where there is none.",
    )


def nulls(frame: pd.DataFrame, identity: str) -> Markup:
    """The distribution of systematic error, of all controls and without each kind. frame: rows of calibration.csv."""
    lines = frame.assign(
        label=["All controls" if pd.isna(kind) else f"Without {kind}" for kind in frame["without"]],
        middle=[
            f"{row['mean']:.2f} ({row['mean_low']:.2f} to {row['mean_high']:.2f})" for row in frame.to_dict("records")
        ],
        spread=[f"{row['sd']:.2f} ({row['sd_low']:.2f} to {row['sd_high']:.2f})" for row in frame.to_dict("records")],
    )
    columns = [
        Column("label", "Controls used", plain, False, "11rem"),
        Column("controls", "Controls", numbers.count, True),
        Column("middle", "Mean (95% interval)", plain, True),
        Column("spread", "Standard deviation (95% interval)", plain, True),
    ]
    return table(
        lines,
        columns,
        identity=identity,
        caption="Systematic error on the log scale: its mean and its standard deviation over controls.",
    )


def e_values(frame: pd.DataFrame, identity: str) -> Markup:
    """E-values of the declared analysis. frame: rows of e_values.csv of one estimator."""
    lines = frame.assign(
        label=[SCALES.get(scale, sentence(words(scale))) for scale in frame["scale"]],
        told=[_interval(row, row["scale"]) for row in frame.to_dict("records")],
    )
    columns = [
        Column("label", "Contrast", plain, False, "11rem"),
        Column("told", "Estimate (95% interval)", plain, True),
        Column("e_value", "E-value", numbers.ratio, True),
        Column("e_value_bound", "E-value of the bound", numbers.ratio, True),
    ]
    return table(
        lines,
        columns,
        identity=identity,
        caption="How strongly, as a risk ratio, an unmeasured confounder would have to go with treatment and with the outcome to "
        "explain the estimate away, and to bring its interval to no effect; 1 where the interval is there already.",
    )


def biases(frame: pd.DataFrame, identity: str) -> Markup:
    """Probabilistic bias analyses. frame: rows of bias.csv."""
    lines = []
    for (name, scale), rows in frame.groupby(["bias_analysis", "scale"], sort=False):
        told = {ERRORS[row["error"]]: _interval(row, scale) for row in rows.to_dict("records")}
        share = float(rows["impossible_share"].max())
        reason = next((str(text) for text in rows["reason"] if not numbers.is_missing(text) and text), "")
        lines.append({"heading": name, "label": SCALES[scale], **told, "impossible": share, "why": reason})
    columns = [Column("label", "Contrast", plain, False, "11rem")]
    columns += [Column(words_, words_, plain, True) for words_ in ERRORS.values()]
    columns.append(Column("impossible", "Draws left out as impossible", numbers.percent, True))
    made = pd.DataFrame(lines)
    if made["why"].any():
        columns.append(Column("why", "Why there is none", plain, False, "12rem"))
    return table(
        made,
        columns,
        identity=identity,
        group="heading",
        caption="The declared analysis once biases are undone, with beliefs about their size drawn many times: the estimate with "
        "its 95% interval, then medians with 2.5 and 97.5 percentiles. What is believed is declared, not known.",
    )


def beliefs(bias: Mapping[str, Any]) -> str:
    """What is believed of each number of a bias, as declared: "sensitivity: uniform 0.6 to 0.95"."""
    told = []
    for name, belief in bias["beliefs"].items():
        (form, given), *_ = ((form, given) for form, given in belief.items() if given is not None)
        each = given if isinstance(given, list | tuple) else [given]
        told.append(f"{sentence(words(name))}: {form} {', '.join(f'{number:g}' for number in each)}.")
    return " ".join(told)


def extremes(frame: pd.DataFrame, identity: str) -> Markup:
    """The comparison under suppositions about the lost. frame: rows of tipping.csv with `supposed`."""
    lines = frame.assign(
        label=[sentence(text) for text in frame["supposed"]],
        told=[_interval(row, "risk-difference") for row in frame.to_dict("records")],
    )
    columns = [
        Column("label", "If", plain, False, "16rem"),
        Column("risk_treated", "Treated per 1,000", numbers.per_thousand, True),
        Column("risk_untreated", "Untreated per 1,000", numbers.per_thousand, True),
        Column("told", "Difference per 1,000 (95% interval)", plain, True),
    ]
    return table(
        lines,
        columns,
        identity=identity,
        caption="The comparison under the extremes that can be supposed of the people lost, with the arms weighted alike.",
    )


def influence(frame: pd.DataFrame, identity: str) -> Markup:
    """How far one panel pulls. frame: rows of influence.csv of one estimator."""
    lines = [
        {
            "label": SCALES[row["scale"]],
            **{
                name: numbers.effect(row[name], row["scale"])
                for name in ("estimate", "lowest", "highest", "without_it")
            },
            "panel": str(row["panel"]),
            "shift": row["shift_in_errors"],
            "share": row["share_of_weight"],
        }
        for row in frame.to_dict("records")
    ]
    columns = [
        Column("label", "Contrast", plain, False, "11rem"),
        Column("estimate", "With all", plain, True),
        Column("lowest", "Lowest", plain, True),
        Column("highest", "Highest", plain, True),
        Column("panel", "Panel that pulls most", plain, True),
        Column("without_it", "Without it", plain, True),
        Column("shift", "Pull in standard errors", numbers.ratio, True),
        Column("share", "Its share of the weight", numbers.percent, True),
    ]
    return table(
        pd.DataFrame(lines),
        columns,
        identity=identity,
        caption="The declared analysis with one panel left out at a time.",
    )
