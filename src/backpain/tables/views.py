"""Result frames as the report's tables. Each takes frames and returns HTML; nothing is computed that is not a layout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from backpain.tables import numbers
from backpain.tables.html import Column, plain, table
from backpain.tables.numbers import CHECKS, sentence, words

Variables = Mapping[str, Mapping[str, Any]]
STATUS = {
    "mapped": "as asked", "derived": "derived", "unavailable": "not available", "reproduced": "reproduced",
    "differs-explained": "differs, explained", "not-computable": "cannot be computed",
}  # fmt: skip


def status(value: str) -> str:
    """A declared status in words."""
    return sentence(STATUS.get(value, words(value)))


def label(variables: Variables, name: str) -> str:
    """A variable's declared label with its unit, or its name as words."""
    declared = variables.get(name, {})
    unit = declared.get("unit")
    return declared.get("label", sentence(words(name))) + (f" ({unit})" if unit else "")


def level(variables: Variables, name: str, code: Any) -> str:
    """A category's declared label."""
    known = variables.get(name, {}).get("categories") or {}
    return str(known.get(code, sentence(words(str(code)))))


def variation(name: str) -> str:
    """A variation's name in words."""
    return "Main analysis" if name == "main" else sentence(words(name))


def table1(frame: pd.DataFrame, variables: Variables, smallest: int, identity: str) -> Markup:
    """People at baseline by arm: weighted shares or means with intervals, people, and the standardised difference."""
    keys = ["variable", "level", "kind"]
    rows = frame.assign(level=frame["level"].fillna(""))
    counted = [name for name in ("people", "people_hidden", "value", "low", "high") if name in rows]
    wide = rows.pivot_table(index=keys, columns="arm", values=counted, aggfunc="first", sort=False, dropna=False,
                            observed=True)  # fmt: skip
    wide.columns = [f"{arm}_{name}" for name, arm in wide.columns]
    wide = rows[keys].drop_duplicates().merge(wide.reset_index(), on=keys)
    smd = rows.groupby(keys, sort=False)["smd"].first().reset_index()
    wide = wide.merge(smd, on=keys)
    wide["heading"] = [label(variables, name) for name in wide["variable"]]
    wide["row"] = ["Mean" if not code else level(variables, name, code) for name, code in
                   zip(wide["variable"], wide["level"], strict=True)]  # fmt: skip
    for arm in ("treated", "untreated"):
        wide[f"{arm}_text"] = [baseline(line, arm) for line in wide.to_dict("records")]
    columns = [Column("row", "Level")]
    for arm in ("treated", "untreated"):
        columns += [Column(f"{arm}_people", f"{sentence(arm)}, people", numbers.count, True),
                    Column(f"{arm}_text", f"{sentence(arm)} (95% interval)", plain, True)]  # fmt: skip
    columns.append(Column("smd", "Standardised difference", numbers.ratio, True))
    return table(wide, columns, identity=identity, group="heading", smallest=smallest,
                 caption="People at baseline by arm. People are counted; shares and means are weighted.")  # fmt: skip


def baseline(line: Mapping[Any, Any], arm: str) -> str:
    """A weighted share or mean with its interval."""
    write = numbers.percent if line["kind"] == "category" else numbers.decimal
    value, low, high = (line.get(f"{arm}_{name}") for name in ("value", "low", "high"))
    if numbers.is_missing(value):
        return numbers.MISSING
    ends = f" ({write(low)} to {write(high)})".replace("%", "")
    return write(value) + ("" if numbers.is_missing(low) else ends)


def estimates(frame: pd.DataFrame, smallest: int, identity: str, caption: str) -> Markup:
    """Every variation and estimator: risks per arm, difference and ratio, people, events, and whether the gate passed."""
    keys = ["variation", "estimator"]
    contrast = frame[frame["scale"] == "risk-difference"]
    wide = contrast[[*keys, "people", "events", "gate", *(name for name in contrast if str(name).endswith("_hidden"))]]
    for scale, arm, name in (("risk", "untreated", "untreated"), ("risk", "treated", "treated"),
                             ("risk-difference", None, "difference"), ("risk-ratio", None, "ratio")):  # fmt: skip
        rows = frame[(frame["scale"] == scale) & (True if arm is None else frame["arm"] == arm)]
        text = [numbers.with_interval(line["estimate"], line["low"], line["high"], scale) if arm is None
                else numbers.effect(line["estimate"], scale) for line in rows.to_dict("records")]  # fmt: skip
        wide = wide.merge(rows[keys].assign(**{name: text}), on=keys, how="left")
    wide = wide.assign(name=wide["variation"].map(variation))
    columns = [
        Column("estimator", "Estimator", lambda value: sentence(words(value))),
        Column("untreated", "Untreated per 1,000", plain, True),
        Column("treated", "Treated per 1,000", plain, True),
        Column("difference", "Difference per 1,000", plain, True, "11rem"),
        Column("ratio", "Risk ratio", plain, True, "9rem"),
        Column("people", "People", numbers.count, True),
        Column("events", "Events", numbers.count, True),
        Column("gate", "Diagnostics", lambda value: sentence(numbers.gate_words(value)), False, "9rem"),
    ]
    return table(wide, columns, identity=identity, caption=caption, smallest=smallest, group="name", mark=gate_class)


def gate_class(row: Mapping[Any, Any]) -> str:
    """The class of a row whose estimate is no answer."""
    return "not-an-answer" if row["gate"] != "passed" else ""


def associations(frame: pd.DataFrame, smallest: int, identity: str, caption: str) -> Markup:
    """Groups and contrasts of a cross-sectional analysis, each on its own scale."""
    rows = frame.assign(
        text=[numbers.with_interval(line["estimate"], line["low"], line["high"], line["scale"])
              for line in frame.to_dict("records")],
        unit=frame["scale"].map(lambda scale: "per 1,000" if scale in ("risk", "risk-difference") else words(scale)),
        name=frame["variation"].map(variation),
    )  # fmt: skip
    columns = [
        Column("arm", "Group or contrast", sentence, False, "14rem"),
        Column("text", "Estimate (95% interval)", plain, True, "11rem"),
        Column("unit", "Scale", sentence),
        Column("p", "p", numbers.p_value, True),
        Column("people", "People", numbers.count, True),
        Column("events", "Events", numbers.count, True),
        Column("adjusted_for", "Adjusted for", lambda value: words(plain(value)), False, "12rem"),
    ]
    return table(rows, columns, identity=identity, caption=caption, smallest=smallest, group="name")


def harmonisation(frame: pd.DataFrame, surveys: Mapping[str, str], identity: str) -> Markup:
    """Variables in rows, surveys in columns: how each survey answers, or why it cannot."""
    rows = frame.fillna({"how": "", "reason": ""})
    text = [f"{status(line['status'])}{': ' if line['how'] or line['reason'] else ''}{line['how'] or line['reason']}"
            for line in rows.to_dict("records")]  # fmt: skip
    wide = rows.assign(text=text).pivot(index=["variable", "label"], columns="survey", values="text").reset_index()
    wide = rows[["variable"]].drop_duplicates().merge(wide, on="variable")
    columns = [Column("label", "Variable", plain, False, "10rem")]
    columns += [Column(name, surveys.get(name, name), plain, False, "14rem") for name in surveys if name in wide]
    return table(wide, columns, identity=identity, caption="How each survey answers for each variable, or why it cannot.")


def published(frame: pd.DataFrame, surveys: Mapping[str, str], identity: str) -> Markup:
    """Published numbers and ours, with what explains a difference."""
    rows = frame.assign(heading=frame["survey"].map(lambda name: surveys.get(name, name)))
    columns = [
        Column("quantity", "Quantity", sentence, False, "14rem"),
        Column("expected", "Published", figure, True),
        Column("computed", "Computed here", figure, True),
        Column("status", "Result", status),
        Column("reason", "Why they differ", plain, False, "14rem"),
        Column("source", "Source"),
    ]
    return table(rows, columns, identity=identity, group="heading",
                 caption="Numbers others have published for these files, and what this pipeline computes.")  # fmt: skip


def figure(number: Any) -> str:
    """A published number: a whole one as a count, another with one decimal."""
    whole = not numbers.is_missing(number) and float(number).is_integer()
    return numbers.count(number) if whole else numbers.decimal(number)


def cleaning(frame: pd.DataFrame, surveys: Mapping[str, str], variables: Variables, smallest: int, identity: str) -> Markup:
    """Every cleaning rule: what it looked at, what it touched, what it did."""
    rows = frame.assign(
        heading=frame["survey"].map(lambda name: surveys.get(name, name)),
        variable=frame["variable"].fillna("").map(lambda name: label(variables, name) if name else ""),
    )
    columns = [
        Column("rule", "Rule", sentence, False, "14rem"),
        Column("file", "File"),
        Column("variable", "Variable"),
        Column("looked_at", "Looked at", numbers.count, True),
        Column("touched", "Touched", numbers.count, True),
        Column("action", "Action", sentence),
    ]
    return table(rows, columns, identity=identity, group="heading", smallest=smallest,
                 caption="Cleaning rules, the values each looked at and the values it touched.")  # fmt: skip


def gate(frame: pd.DataFrame, identity: str) -> Markup:
    """The diagnostics that decide whether an estimate is shown as an answer."""
    rows = frame.assign(
        name=frame["check"].map(lambda name: sentence(CHECKS.get(name, words(name)))),
        result=frame["passed"].map(lambda passed: "passed" if bool(passed) else "did not pass"),
        gate=frame["passed"].map(lambda passed: "passed" if bool(passed) else "failed"),
    )
    columns = [
        Column("name", "Check"),
        Column("check", "What is measured", lambda name: sentence(words(name))),
        Column("value", "Value", measured, True),
        Column("threshold", "Threshold", measured, True),
        Column("result", "Result", sentence),
    ]
    return table(rows, columns, identity=identity, mark=gate_class,
                 caption="The gate: checks an estimate must pass to be shown as an answer.")  # fmt: skip


def measured(number: Any) -> str:
    """A diagnostic: a whole one as a count, another with two decimals (three below 0.1)."""
    if numbers.is_missing(number):
        return numbers.MISSING
    if float(number).is_integer() and abs(number) >= 2:
        return numbers.count(number)
    return numbers.decimal(number, 3 if 0 < abs(number) < 0.1 else 2)


def detectable(frame: pd.DataFrame, identity: str) -> Markup:
    """The smallest difference each variation could have found."""
    rows = frame.assign(name=frame["variation"].map(variation))
    columns = [
        Column("name", "Variation"),
        Column("risk_untreated", "Untreated per 1,000", numbers.per_thousand, True),
        Column("se", "Standard error per 1,000", numbers.per_thousand, True),
        Column("detectable_difference", "Smallest detectable difference per 1,000", numbers.per_thousand, True),
        Column("power", "Power", numbers.percent, True),
    ]
    return table(rows, columns, identity=identity,
                 caption="The smallest risk difference each variation had the stated power to find.")  # fmt: skip


def missingness(frame: pd.DataFrame, variables: Variables, smallest: int, identity: str) -> Markup:
    """People without a value, by variable and arm."""
    rows = frame.assign(name=frame["variable"].map(lambda name: label(variables, name)),
                        share=(frame["missing"] / frame["people"]).astype(float))  # fmt: skip
    columns = [
        Column("name", "Variable"),
        Column("arm", "Arm", sentence),
        Column("missing", "Without a value", numbers.count, True),
        Column("people", "People", numbers.count, True),
        Column("share", "Share", numbers.percent, True),
    ]
    return table(rows, columns, identity=identity, smallest=smallest, caption="People without a value, by arm.")


def flow(frame: pd.DataFrame, smallest: int, identity: str) -> Markup:
    """The flow diagram as a table."""
    rows = frame.sort_values("step").assign(name=lambda table: table["box"].map(sentence))
    columns = [
        Column("name", "Step"),
        Column("remaining", "People", numbers.count, True),
        Column("left_out", "Left out here", numbers.count, True),
    ]
    return table(rows, columns, identity=identity, smallest=smallest, caption="The flow of people as a table.")


def evidence(frame: pd.DataFrame, identity: str) -> Markup:
    """Published studies: design, people, contrast, outcome and effect."""
    rows = frame.assign(
        heading=frame["group"].map(lambda name: sentence(name).replace("->", "→")),
        effect=[effect(line) for line in frame.to_dict("records")],
    )
    columns = [
        Column("study", "Study", plain, False, "9rem"),
        Column("design", "Design", sentence, False, "10rem"),
        Column("people", "People", numbers.count, True),
        Column("contrast", "Contrast", sentence, False, "13rem"),
        Column("outcome", "Outcome", sentence, False, "9rem"),
        Column("effect", "Effect (95% interval)", plain, True, "11rem"),
        Column("caution", "Caution"),
    ]
    return table(rows, columns, identity=identity, group="heading",
                 caption="Published studies, from their abstracts, grouped by contrast and not pooled.")  # fmt: skip


def effect(line: Mapping[Any, Any]) -> str:
    """A published effect with its measure and interval."""
    ratio = line["measure"] != "mean difference"
    number = [numbers.decimal(line[name], 2) for name in ("estimate", "low", "high")]
    ends = "" if numbers.is_missing(line["low"]) else f" ({number[1]} to {number[2]})"
    scale = "" if ratio else f" of {numbers.count(line['scale'])} points"
    return f"{sentence(line['measure'])} {number[0]}{ends}{scale}"


def files(frame: pd.DataFrame, identity: str) -> Markup:
    """The raw files a run read, with their checksums."""
    columns = [
        Column("path", "File"),
        Column("size", "Size", numbers.size, True),
        Column("sha256", "SHA-256"),
        Column("origin", "Found in"),
    ]
    return table(frame, columns, identity=identity, caption="Raw files, with the checksums of the bytes that were read.")
