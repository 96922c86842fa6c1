"""How every number is written: the one place where decimals, units and signs are decided.

Risks and risk differences are per 1,000 people with one decimal, shares are percentages with one decimal, ratios
have two decimals, p-values stop at <0.001, counts have thousands separators, and a minus is a minus sign.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

MISSING = "–"
PER = 1000
THIN_SPACE = "\u2009"
# Scales on which no difference is 1 and errors are on the log scale.
RATIOS = ("risk-ratio", "odds-ratio", "hazard-ratio")


def is_missing(number: Any) -> bool:
    """Whether there is no number to write."""
    return number is None or number is pd.NA or (isinstance(number, float) and number != number)


def decimal(number: Any, places: int = 1) -> str:
    """A number with thousands separators, these decimals and a true minus sign; never "−0.0"."""
    if is_missing(number):
        return MISSING
    text = f"{float(number):,.{places}f}"
    return text.lstrip("-") if float(text.replace(",", "")) == 0 else text.replace("-", "−")


def count(number: Any) -> str:
    """People or rows: 12,345."""
    return decimal(number, 0)


def percent(share: Any) -> str:
    """A share between 0 and 1 as a percentage: 12.7%."""
    return MISSING if is_missing(share) else f"{decimal(100 * float(share))}%"


def per_thousand(risk: Any) -> str:
    """A risk between 0 and 1 as people per 1,000: 58.6."""
    return MISSING if is_missing(risk) else decimal(PER * float(risk))


def difference(risk_difference: Any) -> str:
    """A risk difference as people per 1,000 with its sign: +2.1 or −2.1."""
    text = per_thousand(risk_difference)
    return text if text == MISSING or text.startswith("−") or float(text.replace(",", "")) == 0 else f"+{text}"


def ratio(number: Any) -> str:
    """A ratio with two decimals: 0.97."""
    return decimal(number, 2)


def p_value(number: Any) -> str:
    """A p-value: <0.001, then three decimals below 0.1 and two above."""
    if is_missing(number):
        return MISSING
    return "<0.001" if number < 0.001 else f"{number:.3f}" if number < 0.1 else f"{number:.2f}"


def small(smallest: int) -> str:
    """How a count that is too small to print is shown: <10."""
    return f"<{smallest}"


SCALES: dict[str, Callable[[Any], str]] = {
    "risk": per_thousand,
    "risk-difference": difference,
    **dict.fromkeys(RATIOS, ratio),
}


def effect(number: Any, scale: str) -> str:
    """An estimate as its scale is written; an unknown scale is refused."""
    if scale not in SCALES:
        raise ValueError(f"estimates: scale {scale!r} has no number format; add it to backpain.tables.numbers.SCALES")
    return SCALES[scale](number)


def interval(low: Any, high: Any, scale: str) -> str:
    """The two ends of an interval: −18.0 to 14.1."""
    if is_missing(low) or is_missing(high):
        return MISSING
    return f"{effect(low, scale)} to {effect(high, scale)}"


def with_interval(number: Any, low: Any, high: Any, scale: str) -> str:
    """An estimate and its interval: −2.1 (−18.0 to +13.8)."""
    if is_missing(number):
        return MISSING
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


CHECKS = {
    "largest_smd": "balance",
    "least_overlap": "overlap",
    "smallest_arm": "size of the arms",
    "largest_weight": "weights",
    "converged": "convergence",
}


def failed(gate: object) -> bool:
    """Whether an estimate's diagnostics failed, so that it is no answer."""
    return str(gate).startswith("failed")


def gate_words(gate: object) -> str:
    """The gate in words: "did not pass (balance, overlap)", "passed", "description only"."""
    if failed(gate):
        checks = [name.strip() for name in str(gate).partition(":")[2].split(",") if name.strip()]
        return f"did not pass ({', '.join(CHECKS.get(name, words(name)) for name in checks)})"
    return {"description": "description only"}.get(str(gate), str(gate))


def magnitude(risk_difference: Any) -> str:
    """A risk difference per 1,000 without its sign, beside `direction`."""
    return per_thousand(abs(risk_difference))


def direction(risk_difference: Any) -> str:
    """Whether there were fewer or more."""
    return "fewer" if risk_difference < 0 else "more"
