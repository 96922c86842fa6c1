"""How every number is written: the one place where decimals, units and signs are decided.

Risks and risk differences are per 1,000 people with one decimal, shares are percentages with one decimal,
ratios have two decimals, p-values stop at <0.001, counts have thousands separators, and a minus is a minus
sign.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

MISSING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
PER = 1000
# The columns of an estimate and of its interval.
ENDS = ("estimate", "low", "high")
# Scales on which no difference is 1 and errors are on the log scale.
RATIOS = ("risk-ratio", "odds-ratio", "hazard-ratio")


def is_missing(number: Any) -> bool:
    """Whether there is no number to write."""
    return number is None or bool(pd.isna(number))


def decimal(number: Any, places: int = 1) -> str:
    """A number with thousands separators, these decimals and a true minus sign; never a negative zero."""
    if is_missing(number):
        return MISSING
    text = f"{float(number):,.{places}f}"
    return text.lstrip("-") if float(text.replace(",", "")) == 0 else text.replace("-", MINUS)


def count(number: Any) -> str:
    """People or rows: 12,345."""
    return decimal(number, 0)


def percent(share: Any) -> str:
    """A share between 0 and 1 as a percentage: 12.7%."""
    return MISSING if is_missing(share) else f"{decimal(100 * float(share))}%"


def chance(probability: Any) -> str:
    """A round probability such as a power: 80%."""
    return MISSING if is_missing(probability) else f"{decimal(100 * float(probability), 0)}%"


def per_thousand(risk: Any) -> str:
    """A risk between 0 and 1 as people per 1,000: 58.6."""
    return MISSING if is_missing(risk) else decimal(PER * float(risk))


def difference(risk_difference: Any) -> str:
    """A risk difference as people per 1,000 with its sign: +2.1."""
    text = per_thousand(risk_difference)
    return text if text == MISSING or text.startswith(MINUS) or float(text.replace(",", "")) == 0 else f"+{text}"


def ratio(number: Any) -> str:
    """A ratio with two decimals: 0.97."""
    return decimal(number, 2)


def p_value(number: Any) -> str:
    """A p-value: <0.001, then three decimals below 0.1 and two above."""
    if is_missing(number):
        return MISSING
    return "<0.001" if number < 0.001 else f"{number:.3f}" if number < 0.1 else f"{number:.2f}"


def shown(row: Mapping[Any, Any], column: str, smallest: int | None) -> str:
    """A count as printed, or why it is not."""
    how = row.get(f"{column}_hidden", "")
    return small(smallest or 0) if how == "small" else "withheld" if how == "withheld" else count(row[column])


def small(smallest: int) -> str:
    """How a count that is too small to print is shown: <10."""
    return f"<{smallest}"


SCALES: dict[str, Callable[[Any], str]] = {
    "risk": per_thousand,
    "risk-difference": difference,
    "number-needed-to-treat": count,
    "ratio": ratio,
    "share": percent,
    **dict.fromkeys(RATIOS, ratio),
}


def effect(number: Any, scale: str) -> str:
    """An estimate as its scale is written; an unknown scale is refused."""
    if scale not in SCALES:
        raise ValueError(f"estimates: scale {scale!r} has no number format; add it to backpain.tables.numbers.SCALES")
    return SCALES[scale](number)


def interval(low: Any, high: Any, scale: str) -> str:
    """The two ends of an interval: 37.0 to 61.4."""
    if is_missing(low) or is_missing(high):
        return MISSING
    return f"{effect(low, scale)} to {effect(high, scale)}"


def with_interval(row: Mapping[Any, Any], scale: str, unit: float = 1) -> str:
    """A row's estimate and interval, each divided by the unit it was multiplied by: 49.2 (37.0 to 61.4)."""
    if is_missing(row["estimate"]):
        return MISSING
    number, low, high = (None if is_missing(row[name]) else row[name] / unit for name in ENDS)
    ends = interval(low, high, scale)
    return effect(number, scale) if ends == MISSING else f"{effect(number, scale)} ({ends})"


def size(bytes_: Any) -> str:
    """A file's size in kB or MB."""
    return f"{decimal(bytes_ / 1e6)} MB" if bytes_ >= 1e6 else f"{decimal(bytes_ / 1e3)} kB"


def words(name: str) -> str:
    """A declared name as words: `without-panel-13` becomes "without panel 13"."""
    return name.replace("-", " ").replace("_", " ")


def sentence(text: str) -> str:
    """The text with a capital first letter, the rest untouched."""
    return text[:1].upper() + text[1:]


def measured(number: Any) -> str:
    """A diagnostic: a whole or large number as a count, another with two decimals, three below 0.1."""
    if is_missing(number):
        return MISSING
    if abs(number) >= 100 or (float(number).is_integer() and abs(number) >= 2):
        return count(number)
    return decimal(number, 3 if 0 < abs(number) < 0.1 else 2)


def tiny(number: Any) -> str:
    """A number with two significant digits, however small."""
    if is_missing(number):
        return MISSING
    places = max(0, 1 - math.floor(math.log10(abs(number)))) if number else 0
    return f"{number:.{places}f}"


def figure(number: Any, published: Any) -> str:
    """A number beside a published one: as a count where that is whole, otherwise with one decimal."""
    whole = not is_missing(published) and float(published).is_integer()
    return count(number) if whole else decimal(number)


# What the gate's checks are called, and what each measures.
CHECKS = {
    "largest_smd": ("balance", "largest absolute standardised difference after adjustment"),
    "least_overlap": (
        "overlap",
        "weighted share of an arm with propensity inside the other's 1st to 99th percentile, the smaller of the two",
    ),
    "smallest_arm": ("size of the arms", "followed people with weight in the smaller arm"),
    "smallest_group": ("size of the groups", "people at risk in the smallest group of arm and mediator"),
}
# What the others are called; `{}` stands for the arm.
FURTHER_CHECKS = {
    "largest_smd_before": "largest standardised difference before adjustment",
    "lowest_propensity": "lowest probability of being treated",
    "highest_propensity": "highest probability of being treated",
    "effective_people_{}": "effective number of {} people",
    "largest_weight_over_mean_{}": "largest weight of the {}, over their mean",
    "percentile_99_weight_over_mean_{}": "99th percentile of the weights of the {}, over their mean",
    "lost_share_{}": "share of the {} who were lost",
    "matched_share_without_record_{}": "of the {} without a record at follow-up, share found there by a match",
    "largest_smd_of_products": "largest standardised difference of a product of two confounders, after adjustment",
    "share_of_products_above_limit": "share of such products beyond the limit of the gate",
    "equipoise": "share of an arm with a preference score of 0.3 to 0.7, the smaller of the two",
    "p_treatment_by_confounders": "p of all products of treatment and confounders in a model of the outcome",
}


def check_name(check: str) -> str:
    """What a check of the gate is called."""
    if check in CHECKS:
        return CHECKS[check][0]
    arm = next((arm for arm in ("untreated", "treated") if check.endswith(f"_{arm}")), "")
    pattern = f"{check.removesuffix(arm)}{{}}" if arm else check
    return FURTHER_CHECKS[pattern].format(arm) if pattern in FURTHER_CHECKS else words(check)


def check_meaning(check: str) -> str:
    """What a check of the gate measures."""
    return CHECKS[check][1] if check in CHECKS else words(check)


def failed(gate: object) -> bool:
    """Whether an estimate's diagnostics failed, so that it is no answer."""
    return str(gate).startswith("failed")


def gate_words(gate: object) -> str:
    """The gate in words: "did not pass (balance, overlap)", "passed", "description only"."""
    if failed(gate):
        checks = [name.strip() for name in str(gate).partition(":")[2].split(",") if name.strip()]
        return f"did not pass ({', '.join(check_name(name) for name in checks)})"
    return {"description": "description only"}.get(str(gate), str(gate))


def magnitude(risk_difference: Any) -> str:
    """A risk difference per 1,000 without its sign, beside `direction`."""
    return per_thousand(abs(risk_difference))


def direction(risk_difference: Any) -> str:
    """Whether there were fewer or more."""
    return "fewer" if risk_difference < 0 else "more"
