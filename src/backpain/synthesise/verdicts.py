"""What the estimates say of each claim, by the rules declared for the verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from backpain.estimate import minimal_detectable_difference
from backpain.spec.analysis import Rule

SUPPORTED, CONTRADICTED, INCONCLUSIVE = "supported", "contradicted", "inconclusive"
NOT_TESTED, NOT_TESTABLE = "not tested in this run", "not testable"
GATE_PASSED = "passed"
# What cannot be shown by NCHS's presentation standard is not read either.
UNFIT = "failed: the presentation standard of NCHS"
POWER = 0.8

CLAIMS = [
    "claim", "text", "survey", "analysis", "verdict", "because", "scale", "of", "estimate", "low", "high",
    "detectable_difference", "smallest_effect", "reason", "verdict_without_cap", "cap", "gate",
]  # fmt: skip

# One sentence per reason. Numbers stand in the table's own columns, so that none is written twice.
SENTENCES = {
    "not testable": "{why}",
    "claimed side": "the whole interval lies {side} no difference, on the side of the claim",
    "claimed side, too small to matter": (
        "the whole interval lies {side} no difference, on the side of the claim, yet it holds only "
        "differences smaller than the smallest that matters"
    ),
    "other side": "the whole interval lies {other_side} no difference, against the claim",
    "too small to matter": "the interval holds only differences smaller than the smallest that matters",
    "benefit and harm": "the interval includes differences that matter in both directions",
    "claimed side or nothing": (
        "the interval includes no effect at all, and differences that matter on the side of the claim"
    ),
    "other side or nothing": "the interval includes no effect at all, and differences that matter against it",
    "no interval": "the estimate has no interval",
    "not converged": "the model did not converge",
    "gate": "the estimate did not pass its diagnostics ({gate})",
    "description": "the estimate is a description and is not read as an effect",
    "not tested": "this run has no estimate for it",
}


def sides(low: float, high: float, rule: Rule) -> tuple[str, str]:
    """Verdict and reason of an interval, without regard to gate or cap.

    The interval is turned so that the claim lies above no effect; `near` and `far` are its ends then.
    """
    nothing, least = rule.nothing, rule.smallest_effect
    near, far = (low - nothing, high - nothing) if rule.direction == "above" else (nothing - high, nothing - low)
    small = -least < near and far < least
    # ASSUME: a claim names a direction, so an interval all on its side supports it, even where every
    # difference in it is too small to matter; the reason says so.
    if near > 0:
        return SUPPORTED, "claimed side, too small to matter" if small else "claimed side"
    if far < 0:
        return CONTRADICTED, "other side"
    if small:
        return CONTRADICTED, "too small to matter"
    if near <= -least and far >= least:
        return INCONCLUSIVE, "benefit and harm"
    return INCONCLUSIVE, "claimed side or nothing" if far >= least else "other side or nothing"


def obstacle(row: Mapping[str, Any]) -> str | None:
    """Why an estimate may not be read at all: its gate, its convergence, no interval; None when it may.

    Raises
    ------
    ValueError
        If the gate says neither "passed", "failed: ..." nor "description".
    """
    gate = str(row["gate"])
    if gate.startswith("failed"):
        return "gate"
    if gate == "description":
        return "description"
    if gate != GATE_PASSED:
        raise ValueError(
            f"estimates: gate {gate!r} of {row['analysis']} on {row['survey']} is not known; "
            "it is passed, failed: ... or description"
        )
    if not bool(row["converged"]):
        return "not converged"
    return "no interval" if pd.isna(row["low"]) or pd.isna(row["high"]) else None


def chosen(estimates: pd.DataFrame, rule: Rule) -> Mapping[str, Any]:
    """The one row of estimates that the rule reads.

    Raises
    ------
    ValueError
        If there is none, or more than one.
    """
    by = ("item", "label", "contrast") if rule.item else ("estimator",)
    keys = {name: getattr(rule, name) for name in ("survey", "analysis", "variation", "scale", *by)}
    found = estimates[pd.concat([estimates[name] == value for name, value in keys.items()], axis=1).all(axis=1)]
    if len(found) != 1:
        raise ValueError(
            f"estimates: claim {rule.claim} reads one row where {keys}, and there are {len(found)}; "
            "correct config/claims.yaml or the analysis's estimators"
        )
    return {str(name): value for name, value in found.iloc[0].items()}


def words(facts: Mapping[str, Any]) -> str:
    """The facts of a verdict as a sentence without numbers; the numbers stand beside it in the table."""
    below = facts["direction"] == "below"
    sentence = SENTENCES[facts["reason"]].format(
        side="below" if below else "above",
        other_side="above" if below else "below",
        gate=facts["gate"],
        why=facts.get("why", ""),
    )
    if facts.get("share"):
        sentence = sentence.replace("no difference", "the mark").replace("no effect at all", "the mark")
        sentence = sentence.replace("differences", "distances from it")
    if facts["cap"] is None:
        return sentence
    because = f", because {facts['cap_because'].strip().rstrip('.')}" if facts["cap_because"] else ""
    return f"{sentence}; whatever the interval, the verdict is at most {facts['cap']}{because}"


THRESHOLDS = ["claim", "survey", "analysis", "estimator", "smallest_effect", "declared", "verdict_without_cap"]


def verdict(
    estimates: pd.DataFrame, rule: Rule, detectable_difference: float | None = None, simulated: bool = False
) -> dict[str, Any]:
    """The verdict on one claim by the rule declared for it.

    Parameters
    ----------
    estimates
        Rows of estimates.csv, among them the one the rule names.
    rule
        supported: the whole interval on the side of the claim. contradicted: all of it on the other side, or
        inside plus and minus the smallest effect that matters. Otherwise, or when the gate has not passed:
        inconclusive. A cap limits a verdict of either kind.
    detectable_difference
        The difference the analysis could have found, to be told beside the verdict.
    simulated
        Whether the people are made up. A cap says what real data cannot show, so it does not hold then.

    Returns
    -------
    `verdict`, and `because`: the facts behind it (reason, estimate, low, high, no_effect, smallest_effect,
    direction, detectable_difference, gate, verdict_without_cap, cap, cap_because). `words(because)` makes
    them a sentence.

    Raises
    ------
    ValueError
        If the row is absent or not unique, or its gate is not known.
    """
    row = chosen(estimates, rule)
    stopped = obstacle(row)
    free, reason = (INCONCLUSIVE, stopped) if stopped else sides(float(row["low"]), float(row["high"]), rule)
    cap = None if simulated else rule.cap
    because = {
        "reason": reason,
        **{name: float(row[name]) for name in ("estimate", "low", "high")},
        "no_effect": rule.nothing,
        "smallest_effect": rule.smallest_effect,
        "direction": rule.direction,
        "detectable_difference": detectable_difference,
        "gate": row["gate"],
        "verdict_without_cap": free,
        "cap": cap,
        "cap_because": rule.cap_because if cap else None,
    }
    return {"verdict": cap or free, "because": because | {"share": rule.scale == "share"}}


def findings(audits: pd.DataFrame) -> pd.DataFrame:
    """Rows of audits.csv in the shape of estimates.csv, as the rules read both."""
    gate = [UNFIT if rule == "suppress" else GATE_PASSED for rule in audits["presentation"]]
    texts = {name: audits[name].fillna("").astype(str) for name in ("item", "label", "contrast")}
    return audits.assign(**texts, gate=gate, converged=audits["estimate"].notna(), estimator="")


def detectable_in(found: pd.DataFrame, rule: Rule) -> float | None:
    """The distance from nothing that a finding had a power of 80 % to show; None where it has no standard error."""
    row = chosen(found, rule)
    if pd.isna(row["se"]) or pd.isna(row["design_df"]):
        return None
    return float(minimal_detectable_difference(float(row["se"]), int(row["design_df"]), power=POWER))


def detectable_of(detectable: pd.DataFrame, rule: Rule) -> float | None:
    """The difference the rule's analysis could have found, or None where it was not computed."""
    keys = ("survey", "analysis", "variation")
    same = pd.concat([detectable[name] == getattr(rule, name) for name in keys], axis=1).all(axis=1)
    found = detectable.loc[same, "detectable_difference"]
    if len(found) > 1:
        raise ValueError(
            f"detectable: {len(found)} rows for {rule.analysis} on {rule.survey}, {rule.variation}; keep one"
        )
    return float(found.iloc[0]) if len(found) else None


def claim_row(rule: Rule, found: Mapping[str, Any]) -> dict[str, Any]:
    """One row of the claims table."""
    because = found["because"]
    told = {name: because.get(name) for name in CLAIMS if name in because}
    where = {name: getattr(rule, name) for name in ("claim", "text", "survey", "analysis", "scale")}
    # What a finding is of; a trial's estimate is of its treatment.
    of = ": ".join(part for part in (rule.label, rule.contrast) if part)
    return {**where, "of": of, **told, "verdict": found["verdict"], "because": words(because)}


def not_tested(rule: Rule) -> dict[str, Any]:
    """What is said of a claim whose analyses are not part of the run."""
    if rule.not_testable is not None:
        why = rule.not_testable.strip().rstrip(".")
        told = {"reason": "not testable", "why": why, "direction": rule.direction}
        return {"verdict": NOT_TESTABLE, "because": {**told, "gate": None, "cap": None, "cap_because": None}}
    facts = {
        "reason": "not tested",
        "direction": rule.direction,
        "gate": None,
        "cap": None,
        "cap_because": None,
    }
    return {"verdict": NOT_TESTED, "because": {**facts, "smallest_effect": rule.smallest_effect}}


def claims(
    estimates: pd.DataFrame,
    rules: Sequence[Rule],
    detectable: pd.DataFrame,
    simulated: bool = False,
    audits: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The claims table: one row per rule whose analysis is in the run, one per claim that no rule could test.

    Parameters
    ----------
    estimates, detectable, audits
        As estimates.csv, detectable.csv and audits.csv.
    rules
        As config/claims.yaml declares them; a claim may have several, one per survey and analysis.
    simulated
        Whether the people of the run are made up.

    Returns
    -------
    Rows (claim, text, survey, analysis, verdict, because, scale, estimate, low, high, detectable_difference,
    smallest_effect, reason, verdict_without_cap, cap, gate) in the order of the rules; `because` is in
    words.

    Raises
    ------
    ValueError
        As `verdict` does.
    """
    found = None if audits is None or audits.empty else findings(audits)
    analysed = set(zip(estimates["survey"], estimates["analysis"], strict=True))
    audited = set() if found is None else set(zip(found["survey"], found["analysis"], strict=True))
    tested = [rule for rule in rules if (rule.survey, rule.analysis) in (audited if rule.item else analysed)]
    done = {rule.claim for rule in tested}
    left = {rule.claim: rule for rule in reversed(rules) if rule.claim not in done}
    rows = []
    for rule in rules:
        if rule in tested and rule.item and found is not None:
            rows.append(claim_row(rule, verdict(found, rule, detectable_in(found, rule), simulated)))
        elif rule in tested:
            rows.append(claim_row(rule, verdict(estimates, rule, detectable_of(detectable, rule), simulated)))
        elif left.get(rule.claim) is rule:
            rows.append(claim_row(rule, not_tested(rule)))
    return pd.DataFrame(rows, columns=CLAIMS)


def thresholds(estimates: pd.DataFrame, rules: Sequence[Rule]) -> pd.DataFrame:
    """What each rule would say, without its cap, under smaller thresholds and by the trial's other estimators.

    The declared threshold decides; beside it a half and a quarter of it, because what is the smallest effect that
    matters is a judgement.

    Returns
    -------
    Rows (claim, survey, analysis, estimator, smallest_effect, declared, verdict_without_cap) for every rule whose
    analysis is in the run; `declared` marks the rule as it stands.
    """
    rows = []
    for rule in rules:
        if rule.item or rule.not_testable is not None:
            continue
        same = (estimates["survey"] == rule.survey) & (estimates["analysis"] == rule.analysis)
        same &= (estimates["variation"] == rule.variation) & (estimates["scale"] == rule.scale)
        for estimator in estimates.loc[same, "estimator"].unique():
            for share in (1.0, 0.5, 0.25):
                other = rule.model_copy(
                    update={"estimator": str(estimator), "smallest_effect": share * rule.smallest_effect}
                )
                row = {
                    name: getattr(other, name)
                    for name in ("claim", "survey", "analysis", "estimator", "smallest_effect")
                }
                declared = share == 1.0 and estimator == rule.estimator
                told = verdict(estimates, other, None)["because"]["verdict_without_cap"]
                rows.append({**row, "declared": declared, "verdict_without_cap": told})
    return pd.DataFrame(rows, columns=THRESHOLDS)
