"""A declared protocol in words, and as the seven components of a target trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backpain.tables.numbers import sentence, words
from backpain.tables.views import Variables, label, level

COMPONENTS = {
    "eligibility": "Eligibility",
    "strategies": "Treatment strategies",
    "assignment": "Assignment",
    "follow_up": "Time zero and follow-up",
    "outcome": "Outcome",
    "contrast": "Causal contrast",
    "analysis": "Analysis",
}


def listed(items: Sequence[str], last: str = "or") -> str:
    """Words in a row: "a, b or c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}" if items else ""


def condition(variables: Variables, name: str, wanted: Any) -> str:
    """One condition in words: "Age at least 18 years", "Depression: present"."""
    declared = variables.get(name, {})
    title, unit = declared.get("label", sentence(words(name))), declared.get("unit")
    if isinstance(wanted, Mapping) and wanted.keys() <= {"minimum", "maximum"}:
        ends = [f"{side} {wanted[key]}" for key, side in (("minimum", "at least"), ("maximum", "at most")) if key in wanted]
        return " ".join([title, " and ".join(ends), *([unit] if unit else [])])
    if isinstance(wanted, Mapping):
        parts = [f"{words(str(key))} {value}" for key, value in wanted.items()]
        return f"{title}: {'; '.join(parts)}"
    codes = wanted if isinstance(wanted, list) else [wanted]
    return f"{title}: {listed([level(variables, name, code).lower() for code in codes])}"


def criteria(variables: Variables, eligibility: Mapping[str, Any]) -> list[str]:
    """Each criterion with its condition in words: "adult (Age at least 18 years)"."""
    lines = []
    for name, wanted in eligibility.items():
        parts = [condition(variables, key, value) for key, value in wanted.items()] if isinstance(wanted, Mapping) else []
        told = f" ({listed(parts, 'and')})" if parts else ""
        lines.append(sentence(words(name)) + told)
    return lines


def strategy(variables: Variables, treatment: Mapping[str, Any], arm: str) -> str:
    """What puts a person in an arm: "Depression treatment: medication, visits or both"."""
    return condition(variables, treatment["variable"], treatment[arm])


def adjusted(variables: Variables, confounders: Sequence[str]) -> str:
    """The confounders by their labels; says so when there are none."""
    return listed([label(variables, name).lower() for name in confounders], "and") if confounders else "nothing"
