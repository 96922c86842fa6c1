"""What a run found, as tables: people, diagnostics, estimates. Each takes frames and returns HTML and only lays out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from backpain.tables import numbers
from backpain.tables.html import Column, Row, plain, table
from backpain.tables.numbers import sentence, words

Variables = Mapping[str, Mapping[str, Any]]
ARMS = ("treated", "untreated")


def label(variables: Variables, name: str, unit: bool = True) -> str:
    """A variable's declared label with its unit, or its name as words."""
    declared = variables.get(name, {})
    text = str(declared.get("label", sentence(words(name))))
    told = declared.get("unit") if unit else None
    return f"{text} ({told})" if told and told not in text.lower() else text


def level(variables: Variables, name: str, code: Any) -> str:
    """A category's declared label."""
    known = variables.get(name, {}).get("categories") or {}
    return str(known.get(code, sentence(words(str(code)))))


def table1(frame: pd.DataFrame, variables: Variables, smallest: int, identity: str) -> Markup:
    """People at baseline by arm: weighted shares or means with intervals, people, and the standardised difference."""
    lines: dict[tuple[str, str], dict[str, Any]] = {}
    for row in frame.assign(level=frame["level"].fillna("")).to_dict("records"):
        name, code = row["variable"], row["level"]
        line = lines.setdefault((name, code), {"heading": label(variables, name), "smd": row["smd"]})
        line["row"] = level(variables, name, code) if code else "Mean"
        line[f"{row['arm']}_people"] = row["people"]
        line[f"{row['arm']}_people_hidden"] = row.get("people_hidden", "")
        line[f"{row['arm']}_text"] = baseline(row)
    columns = [Column("row", "Level", plain, False, "9rem")]
    for arm in ARMS:
        columns += [
            Column(f"{arm}_people", f"{sentence(arm)}, people", numbers.count, True),
            Column(f"{arm}_text", f"{sentence(arm)} (95% interval)", plain, True),
        ]
    columns.append(Column("smd", "Standardised difference", numbers.ratio, True))
    return table(
        pd.DataFrame(list(lines.values())),
        columns,
        identity=identity,
        group="heading",
        smallest=smallest,
        caption="People at baseline by arm: everyone chosen, those too who lack a confounder. People are counted; shares (with "
        "the interval of Korn and Graubard) and means are weighted. Shares marked * are less precise than the NCHS standard asks "
        "of a published share.",
    )


def baseline(row: Row) -> str:
    """A weighted share or mean with its interval."""
    share = row["kind"] == "category" or row["level"] == "missing"
    write = numbers.percent if share else numbers.decimal
    if numbers.is_missing(row["value"]):
        return numbers.MISSING
    ends = f" ({write(row['low'])} to {write(row['high'])})".replace("%", "")
    mark = "*" if row.get("rule") == "suppress" else ""
    return write(row["value"]) + mark + ("" if numbers.is_missing(row["low"]) else ends)


def flow(frame: pd.DataFrame, smallest: int, identity: str) -> Markup:
    """The flow of people as a table."""
    rows = frame.sort_values("step")
    columns = [
        Column("box", "Step", sentence),
        Column("remaining", "People", numbers.count, True),
        Column("left_out", "Left out here", numbers.count, True),
    ]
    return table(rows, columns, identity=identity, smallest=smallest, caption="The flow of people.")


def missingness(frame: pd.DataFrame, variables: Variables, smallest: int, identity: str) -> Markup:
    """People without a value, by variable and arm."""
    rows = frame.assign(
        name=[label(variables, name, unit=False) for name in frame["variable"]],
        share=(frame["missing"] / frame["people"]).astype(float),
    )
    columns = [
        Column("name", "Variable"),
        Column("arm", "Arm", sentence),
        Column("missing", "Without a value", numbers.count, True),
        Column("people", "People", numbers.count, True),
        Column("share", "Share", numbers.percent, True),
    ]
    return table(rows, columns, identity=identity, smallest=smallest, caption="People without a value, by arm.")


def gate(frame: pd.DataFrame, identity: str) -> Markup:
    """The checks that decide whether an estimate is shown as an answer."""
    rows = frame[frame["threshold"].notna()]
    told = ["passed" if str(passed) == "True" else "did not pass" for passed in rows["passed"]]
    columns = [
        Column("check", "Check", lambda name: sentence(numbers.check_name(name)), False, "8rem"),
        Column("meaning", "What is measured", sentence, False, "14rem"),
        Column("value", "Value", numbers.measured, True),
        Column("threshold", "Threshold", numbers.measured, True),
        Column("result", "Result", sentence),
    ]
    return table(
        rows.assign(result=told, meaning=rows["check"].map(numbers.check_meaning)),
        columns,
        identity=identity,
        caption="The gate: checks an estimate must pass to be shown as an answer.",
        stacked=True,
        mark=lambda row: "" if row["result"] == "passed" else "not-an-answer",
    )


def checks(frame: pd.DataFrame, identity: str) -> Markup:
    """Diagnostics that inform and decide nothing."""
    rows = frame[frame["threshold"].isna()]
    columns = [
        Column("check", "Diagnostic", lambda name: sentence(numbers.check_name(name)), False, "14rem"),
        Column("value", "Value", numbers.measured, True),
    ]
    return table(rows, columns, identity=identity, caption="Further diagnostics, for information.")


def estimates(frame: pd.DataFrame, smallest: int, identity: str) -> Markup:
    """Every variation and estimator: risks per arm, difference and ratio, people, events, and the gate.

    frame: rows of estimates.csv with `label`, the variation in words.
    """
    lines: dict[tuple[str, str], dict[Any, Any]] = {}
    for row in frame.to_dict("records"):
        line = lines.setdefault(
            (row["variation"], row["estimator"]),
            {**dict.fromkeys((*ARMS, "risk-difference", "risk-ratio", "odds-ratio"), numbers.MISSING), **row},
        )
        if row["scale"] == "risk":
            line[row["arm"]] = numbers.effect(row["estimate"], "risk")
        else:
            line[row["scale"]] = numbers.with_interval(row, row["scale"])
            line |= {name: row.get(name) for name in ("people", "people_hidden", "events", "events_hidden")}
    columns = [
        Column("estimator", "Estimator", lambda value: sentence(words(value))),
        Column("untreated", "Untreated per 1,000", plain, True, "5rem"),
        Column("treated", "Treated per 1,000", plain, True, "5rem"),
        Column("risk-difference", "Difference per 1,000", plain, True),
        Column("risk-ratio", "Risk ratio", plain, True),
        Column("odds-ratio", "Odds ratio", plain, True),
        Column("people", "People", numbers.count, True),
        Column("events", "Events", numbers.count, True),
        Column("told", "Diagnostics", plain, False, "7rem"),
    ]
    told = [outcome_of(line) for line in lines.values()]
    return table(
        pd.DataFrame(list(lines.values())).assign(told=told),
        columns,
        identity=identity,
        caption="Every variation and estimator. Rows in grey are not answers.",
        smallest=smallest,
        group="label",
        mark=lambda row: "" if row["gate"] == "passed" else "not-an-answer",
    )


def outcome_of(line: Row) -> str:
    """What became of an estimate: its diagnostics, or why there is none."""
    reason = line.get("reason")
    if numbers.is_missing(reason) or not str(reason):
        return sentence(numbers.gate_words(line["gate"]))
    return f"No estimate: {reason}"


def associations(frame: pd.DataFrame, smallest: int, identity: str) -> Markup:
    """Prevalences, then contrasts, of a cross-sectional analysis, by scale and estimator.

    frame: rows of estimates.csv with `group`, the arm in words.
    """
    lines = frame.to_dict("records")
    rows = frame.assign(
        text=[numbers.with_interval(line, line["scale"]) for line in lines],
        heading=[f"{UNITS[line['scale']]}, {HOW.get(line['estimator'], words(line['estimator']))}" for line in lines],
        order=pd.Categorical(frame["scale"], list(numbers.SCALES), ordered=True),
    ).sort_values(["order", "estimator"], kind="stable", ascending=[True, False])
    columns = [
        Column("group", "Group or contrast", plain, False, "16rem"),
        Column("text", "Estimate (95% interval)", plain, True, "11rem"),
        Column("p", "p", numbers.p_value, True),
        Column("people", "People", numbers.count, True),
        Column("events", "With the outcome", numbers.count, True),
    ]
    return table(
        rows,
        columns,
        identity=identity,
        caption="Groups and their contrasts: a description at one point in time, not effects.",
        smallest=smallest,
        group="heading",
    )


UNITS = {
    "risk": "Prevalence per 1,000 people",
    "risk-difference": "Difference per 1,000 people",
    "risk-ratio": "Ratio of prevalences",
    "odds-ratio": "Odds ratio",
}
HOW = {"unadjusted": "crude", "standardisation": "standardised over all groups", "logistic": "logistic model"}


def pooling(frame: pd.DataFrame, identity: str) -> Markup:
    """What imputing did to each contrast. frame: rows of pooling.csv with `label`, the variation in words."""
    columns = [
        Column("estimator", "Estimator", lambda value: sentence(words(value))),
        Column("scale", "Contrast", lambda value: sentence(words(value))),
        Column("imputations", "Imputations", numbers.count, True),
        Column("df", "Degrees of freedom", numbers.decimal, True),
        Column("missing_variance", "Variance due to missing values", numbers.percent, True),
        Column("monte_carlo", "Monte Carlo error", numbers.tiny, True),
    ]
    return table(
        frame,
        columns,
        identity=identity,
        group="label",
        caption="Estimates pooled over imputations. Errors of ratios are on the log scale.",
    )


ROUND_SCALES = {
    "risk": "Risk per 1,000",
    "risk-difference": "Difference per 1,000",
    "risk-ratio": "Risk ratio",
    "hazard-ratio": "Hazard ratio",
}
SEQUENCE_SCALES = {
    "risk-difference": "Difference per 1,000",
    "risk-ratio": "Risk ratio",
    "number-needed-to-treat": "Number needed to treat",
    "free-time-difference": "Mean time free gained",
    "hazard-odds-ratio": "Ratio of the odds in each period",
}


def sequence(frame: pd.DataFrame, declared: Mapping[str, Any], identity: str) -> Markup:
    """Contrasts of trials in sequence. frame: rows of sequence.csv with `truth`. declared: the protocol's block."""
    told = []
    for row in frame.to_dict("records"):
        if row["scale"] not in SEQUENCE_SCALES:
            continue
        if row["scale"] == "free-time-difference" and row["time"] == 1:
            continue  # nobody has lost any time before the end of the first period
        scale = "risk-ratio" if row["scale"] == "hazard-odds-ratio" else row["scale"]
        told.append(
            {
                **row,
                "heading": declared["strategies"][row["strategy"]]["label"],
                "by": _by(row, declared["period"]),
                "unit": SEQUENCE_SCALES[row["scale"]],
                "told": _sequence_number(row, scale, declared["period"]),
                "why": "" if numbers.is_missing(row["reason"]) else str(row["reason"]),
            }
        )
    columns = [
        Column("by", "By the end of", plain, False, "6rem"),
        Column("unit", "Contrast", plain, False, "11rem"),
        Column("told", "Estimate (95% interval)", plain, True),
        Column("p", "p", numbers.p_value, True),
    ]
    if frame["truth"].notna().any():
        columns.append(Column("truth", "Planted, per 1,000", numbers.difference, True))
    if any(row["why"] for row in told):
        columns.append(Column("why", "Without a number because", plain, False, "10rem"))
    return table(
        pd.DataFrame(told),
        columns,
        identity=identity,
        group="heading",
        caption="Treated against untreated over all trials of the sequence. A number needed to treat has no interval where the "
        "difference's holds zero.",
    )


AUDIT_ITEMS = {
    "prevalence": "Has it",
    "odds-ratio": "Odds ratio",
    "risk-difference": "Risk difference per 1,000",
    "fraction": "Attributable fraction",
    "average-fraction": "Attributable fraction, average of both orders",
    "conditional-alone": "Added to the measure, alone",
    "conditional-beside": "Added to the measure, beside the other",
    "general": "Added to the measure, on average",
    "risk": "Risk per 1,000",
    "not-straight": "Test that the curve is no straight line",
    "u-shape": "Test that the middle lies lower than both ends",
    "person-years": "Years at risk",
    "rate": "Rate per 1,000 years",
    "hazard-ratio": "Hazard ratio",
}


def audit(frame: pd.DataFrame, smallest: int, identity: str) -> Markup:
    """Every finding of an audit. frame: rows of audits.csv."""
    told = []
    for row in frame.to_dict("records"):
        if row["item"] == "people":
            continue
        shares = row["scale"] in ("share", "fraction", "measure")
        item = AUDIT_ITEMS.get(row["item"], "Odds ratio from year to year" if row["scale"] == "odds-ratio" else "Share")
        hidden = row["presentation"] == "suppress"
        told.append(
            {
                **row,
                "heading": _heading(row),
                "what": item,
                "of": row["label"],
                "told": "not shown" if hidden else _audit_number(row, shares),
                "why": _why(row, hidden),
                "beside": _beside(row),
            }
        )
    columns = [
        Column("of", "Of", sentence, False, "12rem"),
        Column("what", "What", plain, False, "11rem"),
        Column("told", "Estimate (95% interval)", plain, True),
        Column("p", "p", numbers.p_value, True),
        Column("people", "People", numbers.count, True),
        Column("events", "Of them with it", numbers.count, True),
        Column("beside", "Published", plain, False, "11rem"),
        Column("why", "Why not shown", plain, False, "9rem"),
    ]
    made = pd.DataFrame(told)
    return table(
        made,
        [column for column in columns if column.name not in ("beside", "why") or made[column.name].ne("").any()],
        identity=identity,
        group="heading",
        smallest=smallest,
        caption="Cross-sectional: what goes together, not what follows. Shares have intervals of Korn and Graubard, and are shown "
        "by the presentation standard of NCHS.",
    )


def _heading(row: Mapping[str, Any]) -> str:
    named = [str(row[name]) for name in ("variation", "contrast") if not numbers.is_missing(row[name]) and row[name]]
    # Years keep the dash between them.
    told = [part if part[0].isdigit() else sentence(words(part)) for part in named if part != "main"]
    return ": ".join(told) or "Shares"


def _why(row: Mapping[str, Any], hidden: bool) -> str:
    """Why there is no number."""
    lacking = hidden or numbers.is_missing(row["estimate"])
    return str(row["reason"]) if lacking and not numbers.is_missing(row["reason"]) else ""


def _beside(row: Mapping[str, Any]) -> str:
    """What was published of it, and whether ours agrees."""
    if numbers.is_missing(row["published"]) or not row["published"]:
        return ""
    agrees = {"yes": "ours agrees", "no": "ours differs"}.get(str(row["agrees"]), str(row["agrees"]))
    return f"{row['published']} ({row['published_source']}): {agrees}"


def _audit_number(row: Mapping[str, Any], shares: bool) -> str:
    if numbers.is_missing(row["estimate"]):
        return ""
    if row["scale"] == "count":
        return numbers.count(row["estimate"])
    if row["scale"] == "rate":
        return numbers.per_thousand(row["estimate"])
    scale = "share" if shares else "risk-ratio" if row["scale"] in ("odds-ratio", "hazard-ratio") else row["scale"]
    if numbers.is_missing(row["low"]):
        return numbers.percent(row["estimate"]) if shares else ""
    return numbers.with_interval(row, scale)


def rounds(frame: pd.DataFrame, identity: str) -> Markup:
    """Risks and contrasts by the end of each round, and the hazard ratio. frame: rows of rounds.csv."""
    told = [
        {
            "heading": "All rounds" if row["scale"] == "hazard-ratio" else f"By the end of {row['round']}",
            "unit": ROUND_SCALES[row["scale"]] + (f", {row['arm']}" if row["scale"] == "risk" else ""),
            "told": numbers.with_interval(row, "risk-ratio" if row["scale"] == "hazard-ratio" else row["scale"]),
            "band": _band(row),
            "p": row["p"] if row["scale"] != "risk" else None,
            "why": "" if numbers.is_missing(row["reason"]) else str(row["reason"]),
        }
        for row in frame.to_dict("records")
        if row["scale"] in ROUND_SCALES
    ]
    columns = [
        Column("unit", "Quantity", plain, False, "11rem"),
        Column("told", "Estimate (95% interval)", plain, True),
        Column("band", "95% band over all rounds", plain, True),
        Column("p", "p", numbers.p_value, True),
    ]
    if any(row["why"] for row in told):
        columns.append(Column("why", "Without a number because", plain, False, "10rem"))
    return table(
        pd.DataFrame(told),
        columns,
        identity=identity,
        group="heading",
        caption="Treated against untreated by the end of each round of the follow-up, under the same models; rounds are not "
        "equally long. The hazard ratio supposes that the ratio is one and the same in all rounds.",
    )


def _band(row: Mapping[str, Any]) -> str:
    if numbers.is_missing(row["band_low"]):
        return ""
    shown = numbers.difference if row["scale"] == "risk-difference" else numbers.per_thousand
    return " to ".join(shown(row[name]) for name in ("band_low", "band_high"))


def _by(row: Mapping[str, Any], period: str) -> str:
    over_all = numbers.is_missing(row["time"]) or row["scale"] == "hazard-odds-ratio"
    return f"any {period}" if over_all else f"{period} {int(row['time'])}"


def _sequence_number(row: Mapping[str, Any], scale: str, period: str) -> str:
    if scale in ("risk-difference", "risk-ratio"):
        return numbers.with_interval(row, scale)
    if numbers.is_missing(row["estimate"]):
        return numbers.with_interval(row, "risk-ratio")
    digits, unit = (0, "") if scale == "number-needed-to-treat" else (2, f" {period}s")
    ends = [row["estimate"], row["low"], row["high"]]
    one, low, high = (
        "" if numbers.is_missing(end) else f"{end:.{digits}f}".replace("-", "\N{MINUS SIGN}") for end in ends
    )
    return f"{one} ({low} to {high}){unit}" if low and high else f"{one}{unit}"


def sequence_counts(frame: pd.DataFrame, declared: Mapping[str, Any], smallest: int, identity: str) -> Markup:
    """People, trials and events of each arm. frame: rows of sequence_counts.csv."""
    rows = frame.assign(
        heading=[declared["strategies"][name]["label"] for name in frame["strategy"]],
        arm=[sentence(arm) for arm in frame["arm"]],
    )
    columns = [
        Column("arm", "Arm", plain, False, "7rem"),
        Column("people", "People", numbers.count, True),
        Column("trials", "Trials begun", numbers.count, True),
        Column("events", "Events while followed", numbers.count, True),
        Column("mean_weight", "Mean weight", numbers.ratio, True),
        Column("largest_weight", "Largest weight", numbers.ratio, True),
    ]
    return table(
        rows,
        columns,
        identity=identity,
        group="heading",
        smallest=smallest,
        caption="Who began trials. Somebody may begin several, and events count once in each. With a period of grace everybody is "
        "in both arms until they deviate from one. Weights are of deviation and loss, the survey's left out.",
    )


def through(frame: pd.DataFrame, identity: str) -> Markup:
    """Effects through what a trial declares, by estimator. frame: rows of through.csv with `truth`."""
    rows = [row for row in frame.to_dict("records") if row["scale"] != "risk"]
    columns = [
        Column("effect", "Effect", sentence, False, "11rem"),
        Column("unit", "Scale", plain, False, "8rem"),
        Column("told", "Estimate (95% interval)", plain, True),
        Column("p", "p", numbers.p_value, True),
    ]
    if frame["truth"].notna().any():
        columns.append(Column("truth", "Planted, per 1,000", numbers.difference, True))
    columns.append(Column("why", "Without a number because", plain, False, "10rem"))
    told = [
        {
            **row,
            "heading": sentence(words(row["estimator"])),
            "unit": {**UNITS, "share": "Share"}[row["scale"]].replace("Ratio of prevalences", "Risk ratio"),
            "told": numbers.with_interval(row, row["scale"]),
            "why": "" if numbers.is_missing(row["reason"]) else str(row["reason"]),
        }
        for row in rows
    ]
    return table(
        pd.DataFrame(told),
        columns,
        identity=identity,
        group="heading",
        caption="The overall effect among those still at risk when the mediator was measured, in two parts that add up as "
        "differences and multiply as ratios. Weighting leans on other models and checks standardisation.",
        mark=lambda row: "" if row["gate"] == "passed" else "not-an-answer",
    )


def four_groups(frame: pd.DataFrame, smallest: int, identity: str) -> Markup:
    """Treated or not, remitted or not: a description. frame: rows of four_groups.csv."""
    lines = frame.to_dict("records")
    starred = [" *" if row["rule"] == "suppress" else "" for row in lines]
    told = [
        numbers.with_interval({**row, "estimate": row["risk"]}, "risk") + star
        for row, star in zip(lines, starred, strict=True)
    ]
    columns = [
        Column("arm", "Arm", sentence),
        Column("mediator", "Group", sentence),
        Column("people", "People", numbers.count, True),
        Column("weighted_people", "People represented", numbers.count, True),
        Column("events", "Events", numbers.count, True),
        Column("told", "Per 1,000 (95% interval)", plain, True),
    ]
    return table(
        frame.assign(told=told),
        columns,
        identity=identity,
        smallest=smallest,
        caption="A description, not an effect: who is in which group was settled after treatment began. Weighted shares with the "
        "interval of Korn and Graubard; those marked * are less precise than the NCHS standard asks of a published share.",
    )


def multiverse_tests(frame: pd.DataFrame, identity: str) -> Markup:
    """What all specifications say together. frame: rows of multiverse_tests.csv."""
    write = {"median estimate": lambda row: numbers.effect(row["value"], row["scale"])}
    told = [
        write.get(row["statistic"], lambda row: numbers.measured(row["value"]))(row) for row in frame.to_dict("records")
    ]
    columns = [
        Column("statistic", "Statistic", sentence, False, "12rem"),
        Column("told", "Value", plain, True),
        Column("p", "p", numbers.p_value, True),
        Column("specifications", "Specifications", numbers.count, True),
        Column("replicates", "Replicates", numbers.count, True),
    ]
    return table(
        frame.assign(told=told, heading=[UNITS[scale] for scale in frame["scale"]]),
        columns,
        identity=identity,
        group="heading",
        caption="All specifications together: p is the share of bootstrap draws, moved to a world without effect, that are as "
        "far from its centre.",
    )


def thresholds(frame: pd.DataFrame, identity: str) -> Markup:
    """What the rule would say under other thresholds and by other estimators. frame: rows of thresholds.csv."""
    effects = sorted(frame["smallest_effect"].unique(), reverse=True)
    lines = [
        {
            "estimator": estimator,
            **{
                f"at {effect}": row
                for effect, row in zip(rows["smallest_effect"], rows["verdict_without_cap"], strict=True)
            },
        }
        for estimator, rows in frame.groupby("estimator", sort=False)
    ]
    columns = [Column("estimator", "Estimator", lambda value: sentence(words(value)))]
    columns += [
        Column(f"at {effect}", f"If {numbers.per_thousand(effect)} per 1,000 is the smallest that matters", plain)
        for effect in effects
    ]
    return table(
        pd.DataFrame(lines),
        columns,
        identity=identity,
        caption="What the rule would say without its cap; the first column of thresholds is the declared one. A threshold decides "
        "between contradicted and inconclusive; an interval wholly on the claim's side supports it under any.",
    )


def detectable(frame: pd.DataFrame, identity: str) -> Markup:
    """The smallest difference each variation could have found. frame: rows with `label`, the variation in words."""
    columns = [
        Column("label", "Variation", plain, False, "12rem"),
        Column("risk_untreated", "Untreated per 1,000", numbers.per_thousand, True),
        Column("se", "Standard error per 1,000", numbers.per_thousand, True),
        Column("detectable_difference", "Smallest detectable difference per 1,000", numbers.per_thousand, True),
        Column("power", "Power", numbers.chance, True),
    ]
    return table(
        frame,
        columns,
        identity=identity,
        caption="The smallest risk difference each variation had the stated power to find.",
    )
