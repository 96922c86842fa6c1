"""Made-up result tables with the shapes of a real run, for the tests of tables, figures and the report.

`demo_run()` is a simulated trial with a known truth; `public_run()` has a trial with some twenty-five
variations and a cross-sectional comparison of four groups. The same seed gives the same tables.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import yaml
from matplotlib.figure import Figure

from backpain.calibrate import normal_profile
from backpain.figures import diagnostics, effects, people
from backpain.figures import evidence as evidence_figure
from backpain.sensitivity import (
    Cells,
    Followed,
    Prior,
    SamplingError,
    UnmeasuredConfounder,
    bias_analysis,
    extremes,
    frontier,
    tipping_grid,
)
from backpain.spec import Protocol
from backpain.spec.doubt import Calibration
from backpain.synthesise import calibration

CONFIG = Path(__file__).parents[1] / "config"

VARIABLES: dict[str, dict[str, Any]] = {
    "age": {"label": "Age", "kind": "number", "unit": "years"},
    "sex": {"label": "Sex", "kind": "category", "categories": {"male": "Men", "female": "Women"}},
    "income": {
        "label": "Family income",
        "kind": "category",
        "categories": {"poor": "Poor", "low": "Low", "middle": "Middle", "high": "High"},
    },
    "uninsured": {
        "label": "Health insurance",
        "kind": "category",
        "categories": {"insured": "Insured", "uninsured": "Uninsured"},
    },
    "conditions_round_1": {"label": "Other conditions in round 1", "kind": "number", "unit": "conditions"},
    "other_pain": {
        "label": "Other painful condition",
        "kind": "category",
        "categories": {"absent": "No", "present": "Yes"},
    },
    "smoking": {
        "label": "Smoking",
        "kind": "category",
        "categories": {"never": "Never", "former": "Former", "current": "Current"},
    },
    "back_pain": {
        "label": "Back pain",
        "kind": "category",
        "categories": {"absent": "Absent", "present": "Present"},
    },
    "depression": {
        "label": "Depression",
        "kind": "category",
        "categories": {"absent": "Absent", "present": "Present"},
    },
    "depression_treatment": {
        "label": "Depression treatment",
        "kind": "category",
        "categories": {
            "medication": "Medication",
            "visits": "Visits",
            "both": "Both",
            "none": "None reported",
        },
    },
    "depression_group": {
        "label": "Depression, by antidepressant use and present symptoms",
        "kind": "category",
        "categories": {
            "treated 10 and over": "Antidepressant, PHQ-9 10 or more",
            "untreated 10 and over": "No antidepressant, PHQ-9 10 or more",
            "treated below 10": "Antidepressant, PHQ-9 below 10",
            "untreated below 10": "No antidepressant, PHQ-9 below 10",
        },
    },
    "phq9": {"label": "PHQ-9 depression score", "kind": "number", "unit": "points"},
}

CONFOUNDERS = ["age", "sex", "income", "uninsured", "conditions_round_1", "other_pain", "smoking"]


def landmark_protocol() -> dict[str, Any]:
    """A protocol as the models of `backpain.spec` dump it."""
    components = ["eligibility", "strategies", "assignment", "time zero and follow-up", "outcome", "contrast"]
    return {
        "name": "treatment-onset",
        "question": "Is depression treatment in one year followed by less new back pain in the next?",
        "emulates": "landmark",
        "estimand_words": "The difference in one-year risk had everyone been treated, and had nobody been.",
        "rationale": "No public survey randomises or dates the start of treatment.",
        "time_zero": "the end of year 1",
        "time_zero_month": 12,
        "windows": {
            "confounders": [0, 5],
            "depression treatment": [0, 12],
            "free of back pain": [0, 12],
            "new back pain": [12, 24],
        },
        "outcome": {"variable": "back_pain", "event": ["present"], "label": "newly reported back pain"},
        "primary_estimator": "weighting",
        "smallest_effect": 0.02,
        "gate": {"largest_smd": 0.1, "least_overlap": 0.8, "smallest_arm": 50},
        "components": {
            name: {"specified": f"As a trial would fix the {name}.", "emulated": f"What the data say of {name}."}
            for name in [*components, "analysis"]
        },
        "variations": {
            "unadjusted": {"label": "Unadjusted"},
            "new-episode": {"label": "New episode (depression first reported in rounds 2-3)"},
        },
    }


def declared_doubts() -> dict[str, Any]:
    """What a protocol declares about its controls and its biases, as the models dump it."""
    belief = {"fixed": None, "uniform": [0.3, 0.6], "trapezoidal": None, "beta": None, "log-normal": None}
    severity = {"kind": "unmeasured-confounder", "beliefs": {"prevalence_treated": belief}, "because": "Nobody asked."}
    return {
        "calibration": {"controls": "meps", "ratio": "risk-ratio", "penalty": "half-normal", "replace": []},
        "sensitivity": {"seed": 1, "draws": 2000, "biases": {"severity": severity}, "analyses": {}},
    }


def public_variations() -> list[str]:
    """The declared analysis, other definitions, one panel left out at a time, and each panel alone."""
    others = [
        "new-episode",
        "medication-only",
        "visits-only",
        "later-onset",
        "whole-spine",
        "record-in-both-years",
    ]
    others += ["linked-records-only", "unadjusted"]
    panels = range(13, 22)
    return (
        ["main", *others] + [f"without-panel-{panel}" for panel in panels] + [f"only-panel-{panel}" for panel in panels]
    )


def arm_counts(variation: str, rng: np.random.Generator) -> dict[str, int]:
    """People and events by arm; one small panel has a count that must not be shown."""
    panels = {panel: (800 + 23 * (panel % 5), 300 + 11 * (panel % 4), 42 + panel % 6, 16) for panel in range(13, 22)}
    panels[14] = (611, 204, 27, 6)
    names = ["treated", "untreated", "treated_events", "untreated_events"]
    whole = dict(zip(names, np.sum(list(panels.values()), axis=0).tolist(), strict=True))
    if variation == "main":
        return whole
    if variation.startswith("only-panel-"):
        return dict(zip(names, panels[int(variation[-2:])], strict=True))
    if variation.startswith("without-panel-"):
        return {name: whole[name] - part for name, part in zip(names, panels[int(variation[-2:])], strict=True)}
    kept = rng.uniform(0.4, 0.95)
    return {name: round(number * kept) for name, number in whole.items()}


def contrast_rows(common: dict[str, Any], counts: dict[str, int], shift: float, wide: float) -> list[dict[str, Any]]:
    """Risks, difference and ratios of one variation by one estimator."""
    people = {arm: counts[arm] for arm in ("treated", "untreated")}
    events = {arm: counts[f"{arm}_events"] for arm in people}
    risk = {arm: events[arm] / people[arm] for arm in people}
    risk["treated"] += shift
    error = {arm: wide * np.sqrt(risk[arm] * (1 - risk[arm]) / people[arm]) for arm in people}
    both = {"people": sum(people.values()), "events": sum(events.values()), "arm": "treated vs untreated"}
    difference, difference_error = risk["treated"] - risk["untreated"], float(np.hypot(*error.values()))
    log_error = float(np.hypot(*(error[arm] / risk[arm] for arm in people)))
    odds = {arm: risk[arm] / (1 - risk[arm]) for arm in people}
    rows = [
        {
            "scale": "risk",
            "arm": arm,
            "estimate": risk[arm],
            "se": error[arm],
            "people": people[arm],
            "events": events[arm],
            "low": risk[arm] - 1.96 * error[arm],
            "high": risk[arm] + 1.96 * error[arm],
        }
        for arm in people
    ]
    rows.append(
        {
            "scale": "risk-difference",
            "estimate": difference,
            "se": difference_error,
            **both,
            "low": difference - 1.96 * difference_error,
            "high": difference + 1.96 * difference_error,
            "p": 0.41,
        }
    )
    for scale, ratio in (
        ("risk-ratio", risk["treated"] / risk["untreated"]),
        ("odds-ratio", odds["treated"] / odds["untreated"]),
    ):
        low, high = ratio * np.exp(-1.96 * log_error), ratio * np.exp(1.96 * log_error)
        rows.append({"scale": scale, "estimate": ratio, "se": log_error, **both, "low": low, "high": high, "p": 0.41})
    return [{**common, **row, "weighted_people": row["people"] * 6200.0} for row in rows]


def trial_estimates(survey: str, analysis: str, variations: list[str], shift: float, seed: int) -> pd.DataFrame:
    """One row per variation, estimator, scale and arm, in the schema of estimates.csv."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for variation in variations:
        counts = arm_counts(variation, rng)
        gate = "passed"
        gate = "description" if variation.startswith("only-panel-") else gate
        gate = "failed: largest_smd, least_overlap" if variation in ("visits-only", "unadjusted") else gate
        crude = variation == "unadjusted"
        for estimator in ("unadjusted",) if crude else ("unadjusted", "weighting", "standardisation"):
            common = {
                "survey": survey,
                "analysis": analysis,
                "variation": variation,
                "estimand": "landmark",
                "outcome": "back_pain",
                "domain": "adult; depressed; free of back pain",
                "estimator": estimator,
                "population": "everyone",
                "adjusted_for": "" if estimator == "unadjusted" else "; ".join(CONFOUNDERS),
                "design_df": 308,
                "converged": True,
                "gate": gate,
                "reason": None,
                "p": np.nan,
            }
            rows += contrast_rows(common, counts, shift + rng.normal(0, 0.004), 1.5)
    return pd.DataFrame(rows)


def trial_flow(survey: str, analysis: str, variation: str, counts: dict[str, int]) -> pd.DataFrame:
    """Boxes from everyone asked down to new back pain in each arm."""
    entered = counts["treated"] + counts["untreated"]
    lost = {"treated": round(counts["treated"] * 0.07), "untreated": round(counts["untreated"] * 0.21)}
    chain = [
        ("people in the first year", 181_234, None, "start"),
        ("adult", 140_010, 41_224, "excluded"),
        ("depressed", entered + 2_914, 140_010 - entered - 2_914, "excluded"),
        ("free of back pain", entered + 7, 2_907, "excluded"),
        ("positive weight", entered, 7, "excluded"),
    ]
    rows = [{"box": box, "remaining": left, "left_out": out, "kind": kind} for box, left, out, kind in chain]
    for arm in ("treated", "untreated"):
        rows.append({"box": arm, "remaining": counts[arm], "kind": "arm"})
        rows.append({"box": f"{arm}: followed", "remaining": counts[arm] - lost[arm], "kind": "followed"})
        rows.append({"box": f"{arm}: lost", "remaining": lost[arm], "kind": "lost"})
        rows.append({"box": f"{arm}: newly reported back pain", "remaining": counts[f"{arm}_events"], "kind": "event"})
    frame = pd.DataFrame(rows).assign(survey=survey, analysis=analysis, variation=variation)
    frame["step"] = range(1, len(frame) + 1)
    return frame[["survey", "analysis", "variation", "step", "box", "remaining", "left_out", "kind"]]


def trial_balance(survey: str, analysis: str, variation: str, largest: float, seed: int) -> pd.DataFrame:
    """Standardised differences before and after weighting, one row per level."""
    rng = np.random.default_rng(seed)
    rows = []
    for name in CONFOUNDERS:
        for level in VARIABLES[name].get("categories", {"": ""}):
            before = rng.normal(0, 0.18)
            for stage, smd in (("before", before), ("after", rng.uniform(-largest, largest))):
                rows.append(
                    {
                        "survey": survey,
                        "analysis": analysis,
                        "variation": variation,
                        "covariate": name,
                        "level": level,
                        "stage": stage,
                        "smd": smd,
                        "variance_ratio": rng.uniform(0.9, 1.1),
                        "treated": 0.4,
                        "untreated": 0.4 - smd / 2,
                    }
                )
    return pd.DataFrame(rows)


def trial_overlap(survey: str, analysis: str, variation: str) -> pd.DataFrame:
    """Histograms of the propensity score in forty bins, one per arm."""
    edges = np.linspace(0, 1, 41)
    middle = (edges[:-1] + edges[1:]) / 2
    frames = []
    for arm, alpha, beta in (("treated", 8, 3), ("untreated", 6, 3.6)):
        height = middle ** (alpha - 1) * (1 - middle) ** (beta - 1)
        share = height / height.sum()
        columns = {"low": edges[:-1], "high": edges[1:], "share": share, "people": np.round(2000 * share).astype(int)}
        frames.append(pd.DataFrame({"arm": arm, **columns}))
    return pd.concat(frames, ignore_index=True).assign(survey=survey, analysis=analysis, variation=variation)


def trial_diagnostics(survey: str, analysis: str, variations: list[str]) -> pd.DataFrame:
    """The gate's checks, each with its value, threshold and whether it passed."""
    rows = []
    for variation in variations:
        bad = variation in ("visits-only", "unadjusted")
        for check, value, threshold in (
            ("largest_smd", 0.21 if bad else 0.041, 0.1),
            ("least_overlap", 0.71 if bad else 0.93, 0.8),
            ("smallest_arm", 2040.0, 50.0),
        ):
            rows.append(
                {
                    "survey": survey,
                    "analysis": analysis,
                    "variation": variation,
                    "check": check,
                    "value": value,
                    "threshold": threshold,
                    "passed": value <= threshold if check == "largest_smd" else value >= threshold,
                }
            )
        known = {"survey": survey, "analysis": analysis, "variation": variation}
        rows.append({**known, "check": "largest_weight_over_mean_treated", "value": 7.3})
    return pd.DataFrame(rows).assign(people=pd.array([None] * len(rows), dtype="Int64"))


def parts_of(total: int, shares: list[float]) -> list[int]:
    """Whole numbers in about these shares that add up to the total."""
    numbers = [int(total * share) for share in shares[:-1]]
    return [*numbers, total - sum(numbers)]


def trial_table1(survey: str, analysis: str, variation: str, counts: dict[str, int]) -> pd.DataFrame:
    """People at baseline by arm; smoking has a small category and missing values."""
    shares = {
        "sex": [0.31, 0.69],
        "income": [0.22, 0.17, 0.28, 0.33],
        "uninsured": [0.88, 0.12],
        "other_pain": [0.62, 0.38],
        "smoking": [0.55, 0.24, 0.17, 0.04],
    }
    rows: list[dict[str, Any]] = []
    for number, (name, spec) in enumerate((name, VARIABLES[name]) for name in CONFOUNDERS):
        for arm in ("treated", "untreated"):
            total, smd = counts[arm], 0.03 * (number - 2)
            common = {"variable": name, "arm": arm, "kind": spec["kind"], "smd": smd}
            if spec["kind"] == "number":
                mean = {"age": 47.1, "conditions_round_1": 2.4}[name] * (1.05 if arm == "treated" else 1)
                rows.append(
                    {
                        **common,
                        "level": "",
                        "people": total,
                        "value": mean,
                        "low": mean * 0.97,
                        "high": mean * 1.03,
                        "rule": "",
                    }
                )
                continue
            levels = [*spec["categories"], *(["missing"] if name == "smoking" else [])]
            people = parts_of(total, shares[name])
            if name == "smoking":
                people = [total - 3 - 2 * 41 - 41, 3 if arm == "untreated" else 41, 41, people[-1]]
                people[0] = total - sum(people[1:])
            for level, size in zip(levels, people, strict=True):
                share = size / total
                rows.append(
                    {
                        **common,
                        "level": level,
                        "people": size,
                        "value": share,
                        "low": max(share - 0.02, 0),
                        "high": min(share + 0.02, 1),
                        "rule": "suppress" if size < 30 else "show",
                    }
                )
    return pd.DataFrame(rows).assign(survey=survey, analysis=analysis, variation=variation)


def trial_missingness(table1: pd.DataFrame) -> pd.DataFrame:
    """How many people lack each variable, by arm."""
    keys = ["survey", "analysis", "variation", "variable", "arm"]
    people = table1.groupby(keys, sort=False)["people"].sum().reset_index()
    missing = table1[table1["level"] == "missing"][[*keys, "people"]].rename(columns={"people": "missing"})
    joined = people.merge(missing, on=keys, how="left")
    return joined.assign(missing=joined["missing"].fillna(0).astype(int))


def trial_detectable(estimates: pd.DataFrame) -> pd.DataFrame:
    """The difference each variation could have found with four chances in five."""
    differences = estimates[estimates["scale"] == "risk-difference"]
    speaking = differences["estimator"].where(differences["variation"] == "unadjusted", "weighting")
    spoken = differences[differences["estimator"] == speaking]
    return spoken[["survey", "analysis", "variation", "se"]].assign(
        risk_untreated=0.059, detectable_difference=2.8 * spoken["se"], power=0.8
    )


GROUPS = {
    "treated 10 and over": (0.342, 143, 51),
    "untreated 10 and over": (0.317, 301, 97),
    "treated below 10": (0.241, 377, 92),
    "untreated below 10": (0.109, 3980, 451),
}
REFERENCE = "untreated below 10"


def association_estimates(survey: str, analysis: str) -> pd.DataFrame:
    """Prevalence in four groups, crude and standardised, and odds ratios against the reference group."""
    rows: list[dict[str, Any]] = []
    for group, (risk, size, events) in GROUPS.items():
        error = 1.6 * np.sqrt(risk * (1 - risk) / size)
        for estimator, shift in (("unadjusted", 0.0), ("standardisation", 0.01)):
            found = risk + shift
            ends = {"low": found - 2.12 * error, "high": found + 2.12 * error}
            common = {"estimator": estimator, "scale": "risk", "arm": group, "people": size, "events": events}
            rows.append({**common, "estimate": found, "se": error, **ends})
        if group != REFERENCE:
            ratio, both = risk / (1 - risk) / (0.109 / 0.891), f"{group} vs {REFERENCE}"
            ends = {"low": ratio * np.exp(-0.42), "high": ratio * np.exp(0.42)}
            common = {"estimator": "logistic", "scale": "odds-ratio", "arm": both, "p": 0.0004}
            rows.append({**common, "estimate": ratio, "se": 0.2, "people": size + 3980, "events": events + 451, **ends})
    frame = pd.DataFrame(rows)
    return frame.assign(
        survey=survey, analysis=analysis, variation="main", estimand="association", outcome="back_pain",
        domain="adults 20-69", design_df=16, converged=True, gate="description",
        adjusted_for=frame["estimator"].map(lambda name: "" if name == "unadjusted" else "age; sex; income"),
        weighted_people=frame["people"] * 38_000.0,
    )  # fmt: skip


def four_groups() -> dict[str, Any]:
    """An association as the models of `backpain.spec` dump it."""
    return {
        "name": "four-groups",
        "question": "How common is back pain in four groups of adults?",
        "outcome": {"variable": "back_pain", "event": ["present"], "label": "back pain at present"},
        "exposure": "depression_group",
        "reference": REFERENCE,
    }


def association_flow(survey: str, analysis: str) -> pd.DataFrame:
    """Boxes from everyone asked to the groups."""
    total = sum(people for _, people, _ in GROUPS.values())
    rows: list[dict[str, Any]] = [
        {"box": "people in the survey", "remaining": 10_537, "left_out": None, "kind": "start"},
        {"box": "asked about back pain", "remaining": total, "left_out": 10_537 - total, "kind": "excluded"},
    ]
    for group, (_, size, events) in GROUPS.items():
        rows.append({"box": group, "remaining": size, "kind": "arm"})
        rows.append({"box": f"{group}: back pain", "remaining": events, "kind": "event"})
    frame = pd.DataFrame(rows).assign(survey=survey, analysis=analysis, variation="main")
    return frame.assign(step=range(1, len(frame) + 1))


def shared_tables(survey: str) -> dict[str, pd.DataFrame]:
    """Anchors, cleaning and harmonisation of one survey."""
    published = pd.DataFrame(
        [
            (survey, "people with depression", 2637, 2637, True, "reproduced", "", "AHRQ conditions file"),
            (
                survey,
                "chronic low back pain, people",
                700,
                699,
                False,
                "differs-explained",
                "the published rule counts one person asked outside the age range",
                "published article",
            ),
            (
                survey,
                "depression, ages 12 and over (%)",
                7.6,
                np.nan,
                False,
                "not-computable",
                "ages 12-17 are not in the public files",
                "NCHS data brief",
            ),
        ],
        columns=["survey", "quantity", "expected", "computed", "within", "status", "reason", "source"],
    )
    cleaning = pd.DataFrame(
        [
            (survey, "people", "age between 0 and 85", "age", 181_234, 0, "kept"),
            (survey, "people", "refused and don't know", "smoking", 98_220, 1_204, "set to missing"),
            (survey, "conditions", "same person and code twice", "", 402_120, 3, "kept once"),
        ],
        columns=["survey", "file", "rule", "variable", "looked_at", "touched", "action"],
    )
    harmonisation = pd.DataFrame(
        [
            (survey, "age", "Age", "mapped", "AGE", ""),
            (survey, "sex", "Sex", "mapped", "SEX recoded", ""),
            (survey, "back_pain", "Back pain", "derived", "any condition with a back code", ""),
            (survey, "phq9", "PHQ-9 depression score", "unavailable", "", "not in the extract"),
        ],
        columns=["survey", "variable", "label", "status", "how", "reason"],
    )
    return {"published": published, "cleaning": cleaning, "harmonisation": harmonisation}


def trial_tables(survey: str, analysis: str, variations: list[str], shift: float, seed: int) -> dict[str, pd.DataFrame]:
    """Every table of one trial on one survey."""
    estimates = trial_estimates(survey, analysis, variations, shift, seed)
    counts = arm_counts("main", np.random.default_rng(seed))
    table1 = trial_table1(survey, analysis, "main", counts)
    return {
        "estimates": estimates,
        "flow": trial_flow(survey, analysis, "main", counts),
        "balance": trial_balance(survey, analysis, "main", 0.041, seed),
        "overlap": trial_overlap(survey, analysis, "main"),
        "diagnostics": trial_diagnostics(survey, analysis, variations),
        "table1": table1,
        "missingness": trial_missingness(table1),
        "detectable": trial_detectable(estimates),
    }


def doubt_tables(survey: str, analysis: str, seed: int) -> dict[str, pd.DataFrame]:
    """Negative controls, what they make of the answer, and what would have to be wrong: by the real rooms on made-up numbers."""
    rng = np.random.default_rng(seed)
    head = {"survey": survey, "analysis": analysis}
    logs, errors = rng.normal(-0.05, 0.3, 6), rng.uniform(0.2, 0.5, 6)
    controls = pd.DataFrame(
        {
            "control": [f"control_{number}" for number in range(6)],
            "role": ["control"] * 5 + ["comparison"],
            "label": [*(f"Harmless condition {number}" for number in range(5)), "Headache"],
            "kind": ["infection", "skin", "infection", "injury", "injury", "pain elsewhere"],
            "scale": "risk-ratio",
            "estimator": "weighting",
            "estimate": np.exp(logs),
            "se": errors,
            "low": np.exp(logs - 2 * errors),
            "high": np.exp(logs + 2 * errors),
            "p": 0.5,
            "people": 4000,
            "events_treated": [40, 31, 52, 44, 26, 90],
            "events_untreated": [12, 6, 3, 18, 16, 31],
            "design_df": 120,
            "gate": "passed",
            "reason": None,
            "because": "Viruses passed on by contact cause it.",
            "reference": "Nobody 2001, J Made-up Res 1:1",
            "doubt": [None, "Stress may matter.", *[None] * 4],
        }
    ).assign(**head)
    profiles = [
        normal_profile(name, float(log), float(error)).assign(role=role)
        for name, role, log, error in zip(controls["control"], controls["role"], logs, errors, strict=True)
    ]
    answer = pd.DataFrame(
        [{"variation": "main", "estimator": "weighting", "scale": "risk-ratio", "outcome": "back_pain", "estimate": 0.93,
          "se": 0.12, "low": 0.74, "high": 1.18, **head}]
    )  # fmt: skip
    declared = SimpleNamespace(calibration=Calibration(controls="meps"))
    followed = Followed((0.055, 0.06), (0.05, 0.08), np.diag([4e-5, 9e-5, 2e-5, 5e-5]), 120)
    risks = list(np.linspace(0, 0.3, 9))
    biases = bias_analysis(
        Cells(*(np.array([count], dtype=float) for count in (55, 945, 18, 282))),
        [UnmeasuredConfounder(Prior("uniform", (0.3, 0.6)), Prior("uniform", (0.2, 0.5)), Prior("fixed", (1.5,)))],
        {"risk-difference": SamplingError(-0.003, 0.01, 120)},
        1,
        2000,
    )
    e_values = {"estimator": "weighting", "scale": "risk-ratio", "estimate": 0.93, "low": 0.74, "high": 1.18,
                "ratio": 0.93, "ratio_bound": 1.0, "e_value": 1.36, "e_value_bound": 1.0, "approximation": None}  # fmt: skip
    influence = {"estimator": "weighting", "scale": "risk-difference", "estimate": -0.003, "lowest": -0.007, "highest": 0.002,
                 "panels": 9, "failed": 0, "panel": 21, "without_it": 0.002, "shift": -0.005, "shift_in_errors": -0.57,
                 "share_of_people": 0.11, "share_of_weight": 0.12, "sides": 2, "intervals_hold_no_effect": 9}  # fmt: skip
    tipping = [extremes(followed, smallest_effect=-0.02), tipping_grid(followed, risks, risks, smallest_effect=-0.02)]
    return {
        **calibration(controls, pd.concat(profiles), answer, cast("Protocol", declared)),
        "e_values": pd.DataFrame([e_values]).assign(**head),
        "bias": biases.assign(reason="", bias_analysis="Severity not measured", biases="severity", **head),
        "tipping": pd.concat(tipping, ignore_index=True).assign(**head),
        "frontier": frontier(followed, risks, smallest_effect=-0.02).assign(**head),
        "influence": pd.DataFrame([influence]).assign(**head),
    }


def evidence() -> pd.DataFrame:
    """The published studies this project declares."""
    return pd.DataFrame(yaml.safe_load((CONFIG / "evidence.yaml").read_text(encoding="utf-8"))["studies"])


def stacked(parts: list[dict[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    """Tables of several analyses under one another."""
    names = list(dict.fromkeys(name for part in parts for name in part))
    return {name: pd.concat([part[name] for part in parts if name in part], ignore_index=True) for name in names}


def shared_facts() -> dict[str, Any]:
    """The facts that both made-up runs have in common."""
    return {
        "seed": 20090101,
        "smallest_cell": 10,
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "versions": {"python": "3.11.7", "backpain": "0.1.0", "pandas": "3.1.1", "numpy": "2.4.0"},
        "variables": VARIABLES,
        "codes": {"meps": {"back_pain": {"ICD9CODX": ["724"], "ICD10CDX": ["M54"]}}},
        "assumptions": [
            {
                "where": "protocols/treatment-onset.yaml",
                "text": "Present in year 2 without a back record means no back pain.",
            },
            {
                "where": "backpain.cohort",
                "text": "Loss to follow-up depends only on what was measured at baseline.",
            },
        ],
        "limits": ["Conditions are reported by one person for the whole household."],
        "glossary": {"Panel": "People who are asked several times over two years."},
    }


NOT_TESTED = "not tested in this run"


def claim(identity: str, text: str, verdict: str, **more: Any) -> dict[str, Any]:
    """One row of the claims table."""
    empty = {"analysis": None, "survey": None, "cap": None, "because": "", "primary": False}
    return {"claim": identity, "text": text, "verdict": verdict, **empty, **more}


def through_tables(survey: str, analysis: str) -> dict[str, pd.DataFrame]:
    """Effects through remission, four groups, one of which is small, and the flow that led to them."""
    head = {"survey": survey, "analysis": analysis, "mediator": "phq9_midway"}
    risks = {"treated": 0.05, "treated, mediator as untreated": 0.056, "untreated": 0.075}
    parts = {"overall": -0.025, "indirect": -0.006, "direct": -0.019}
    ratios = {"overall": 0.05 / 0.075, "indirect": 0.05 / 0.056, "direct": 0.056 / 0.075}
    rows = []
    for estimator in ("standardisation", "weighting"):
        numbers = [("risk", name, value, value - 0.01, value + 0.01) for name, value in risks.items()]
        numbers += [("risk-difference", name, value, value - 0.01, value + 0.004) for name, value in parts.items()]
        numbers += [("risk-ratio", name, value, value - 0.1, value + 0.1) for name, value in ratios.items()]
        numbers += [("share", "share through the mediator", 0.24, 0.05, 0.43)]
        rows += [
            {**head, "effect": effect, "scale": scale, "estimator": estimator, "estimate": value, "se": 0.004}
            | {
                "low": low,
                "high": high,
                "p": 0.02,
                "design_df": 40,
                "converged": True,
                "reason": None,
                "gate": "passed",
            }
            for scale, effect, value, low, high in numbers
        ]
    scope = {"survey": survey, "analysis": analysis, "variation": "through"}
    cells = [("treated", "remitted", 90, 7), ("treated", "symptomatic", 160, 14)]
    cells += [("untreated", "remitted", 60, 12), ("untreated", "symptomatic", 240, 31)]
    groups = [
        {**scope, "arm": arm, "mediator": name, "people": people, "weighted_people": 1000.0 * people, "events": events}
        | {"risk": events / people, "se": 0.01, "low": events / people / 2, "high": 2 * events / people}
        | {"design_df": 40, "rule": "show"}
        for arm, name, people, events in cells
    ]
    boxes = [("people with a record", 900, None, "start"), ("free of pain when it was measured", 550, 350, "excluded")]
    boxes += [("treated", 250, None, "arm"), ("treated: new back pain", 21, None, "event")]
    boxes += [("untreated", 300, None, "arm"), ("untreated: new back pain", 43, None, "event")]
    flow = [
        {**scope, "step": step, "box": box, "remaining": remaining, "left_out": left, "kind": kind}
        for step, (box, remaining, left, kind) in enumerate(boxes)
    ]
    return {
        "through": pd.DataFrame(rows),
        "four_groups": pd.DataFrame(groups),
        "flow": pd.DataFrame(flow).astype({"left_out": "Int64"}),
    }


def demo_run() -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """A simulated run: one trial, a planted effect, two variations."""
    survey, analysis = "demo", "treatment-onset"
    tables = trial_tables(survey, analysis, ["main", "medication-only", "unadjusted"], -0.02, 7)
    truth = pd.DataFrame(
        [
            (analysis, "risk-difference", -0.021),
            (analysis, "risk-ratio", 0.64),
            (analysis, "through-overall", -0.022),
            (analysis, "through-indirect", -0.005),
            (analysis, "through-direct", -0.017),
        ],
        columns=["analysis", "scale", "truth"],
    )
    results = {
        **stacked([tables, shared_tables(survey), through_tables(survey, analysis)]),
        "truth": truth,
        "evidence": evidence(),
    }
    facts = {
        **shared_facts(),
        "run": "demo",
        "title": "Depression treatment and new back pain: a simulated run",
        "simulated": True,
        "surveys": {survey: "Made-up panel survey"},
        "analyses": [{"trial": analysis, "surveys": [survey]}],
        "protocols": {
            analysis: landmark_protocol()
            | {
                "through": {
                    "label": "remission of depression",
                    "word": "remission",
                    "called": ["remitted", "symptomatic"],
                }
            }
        },
        "associations": {},
        "verdicts": [
            claim(
                "C1",
                "Treating depression reduces the onset of back pain.",
                "supported",
                analysis=analysis,
                survey=survey,
                because="the whole interval lies below no difference",
                primary=True,
            ),
            claim("C9", "Pressing on a knot relieves it.", NOT_TESTED, because="this run has no estimate for it"),
        ],
        "checksums": [
            {
                "survey": survey,
                "file": "people",
                "path": "demo/people.csv",
                "size": 120_400,
                "sha256": "ab" * 32,
                "origin": "simulated",
            }
        ],
    }
    return results, facts


def public_run() -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """A run on public surveys: a trial with many variations, and four groups side by side."""
    trial, association, panel, cross = "treatment-onset", "four-groups", "meps", "nhanes-2009-2010"
    parts = [
        trial_tables(panel, trial, public_variations(), 0.0, 13) | doubt_tables(panel, trial, 13),
        {"estimates": association_estimates(cross, association), "flow": association_flow(cross, association)},
    ]
    results = {**stacked([*parts, shared_tables(panel), shared_tables(cross)]), "evidence": evidence()}
    facts = {
        **shared_facts(),
        "run": "public",
        "title": "Depression treatment and new back pain in two national surveys",
        "simulated": False,
        "surveys": {panel: "Medical Expenditure Panel Survey, panels 13-21", cross: "NHANES 2009-2010"},
        "analyses": [{"trial": trial, "surveys": [panel]}, {"association": association, "surveys": [cross]}],
        "protocols": {trial: {**landmark_protocol(), **declared_doubts()}},
        "associations": {association: four_groups()},
        "verdicts": [
            claim(
                "C1",
                "Treating depression effectively reduces the onset of back pain.",
                "inconclusive",
                analysis=trial,
                survey=panel,
                primary=True,
                cap="inconclusive",
                because="the interval holds both a benefit and a harm that would matter",
            ),
            claim(
                "C2",
                "Depression plays an even greater role than overexertion.",
                "inconclusive",
                analysis=association,
                survey=cross,
                cap="inconclusive",
                because="exposure and outcome were asked at the same time",
            ),
            claim("C9", "Pressing on a knot relieves it.", NOT_TESTED, because="this run has no estimate for it"),
        ],
        "checksums": [
            {
                "survey": panel,
                "file": f"conditions {year}",
                "path": f"meps/{year}/conditions_yr{year}.rds",
                "size": 4_120_400 + year,
                "sha256": f"{year:064x}",
                "origin": "mirror",
            }
            for year in range(2008, 2018)
        ],
    }
    return results, facts


def draw_all(results: dict[str, pd.DataFrame], facts: dict[str, Any]) -> dict[str, Figure]:
    """Every figure of a run, by name."""
    rooms = (people, diagnostics, effects, evidence_figure)
    return {name: figure for room in rooms for name, figure in room.draw(results, facts).items()}
