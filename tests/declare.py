"""A small survey declared in a temporary folder, for tests that bend one thing at a time."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

VARIABLES = {
    "age": {"label": "Age", "unit": "years", "minimum": 0, "maximum": 120},
    "sex": {"label": "Sex", "categories": {"male": "Men", "female": "Women"}},
    "back_pain": {"label": "Back pain", "categories": {"absent": "No", "present": "Yes"}},
    "treated": {"label": "Treated", "categories": {"taken": "Taken", "none": "None"}},
    "drugs": {"label": "Drugs", "unit": "drugs", "minimum": 0, "maximum": 50},
}

SURVEY: dict[str, Any] = {
    "title": "A small survey",
    "source": "made for a test",
    "licence": "none needed",
    "kind": "panel",
    "person": ["ID"],
    "waves": {"values": [1, 2]},
    "base": "people",
    "design": {"weights": {"interview": "WEIGHT"}, "strata": "STRATUM", "cluster": "PSU"},
    "files": {
        "people": {"path": "small/people_{wave}.csv", "obtain": "by hand", "rows": {"one": "person"}},
        "back": {
            "path": "small/back_{wave}.csv",
            "obtain": "by hand",
            "rows": {"one": "person"},
            "asked_of": {"age": {"minimum": 20, "maximum": 69}},
        },
        "drugs": {
            "path": "small/drugs_{wave}.csv",
            "obtain": "by hand",
            "rows": {"many": "drug"},
            "none_means": "absent",
        },
    },
    "variables": {
        "age": {"from": "people.AGE"},
        "sex": {"from": "people.SEX", "recode": {1: "male", 2: "female"}},
        "back_pain": {
            "from": "back.PAIN",
            "recode": {1: "present", 2: "absent"},
            "missing": [7, 9],
            "blank": "absent",
        },
        "treated": {"first_of": {"taken": {"any": "drugs", "where": {"CLASS": 249}}, "none": "otherwise"}},
        "drugs": {"count": "drugs"},
    },
}

PROTOCOL: dict[str, Any] = {
    "question": "Does it?",
    "emulates": "landmark",
    "estimand_words": "the difference",
    "rationale": "none",
    "time_zero": "the first interview",
    "time_zero_month": 0,
    "windows": {"Treatment": [-12, 0], "Outcome": [0, 12]},
    "eligibility": {
        "asked": {"age": {"minimum": 20, "maximum": 69}},
        "no back pain": {"back_pain": ["absent"]},
    },
    "treatment": {"variable": "treated", "treated": ["taken"], "untreated": ["none"]},
    "assignment": {"confounders": ["age", "sex"]},
    "follow_up": {"waves": 1, "lost": "weighted", "length": "a year"},
    "outcome": {"variable": "back_pain", "event": ["present"], "label": "new back pain"},
    "estimators": ["weighting", "standardisation", "logistic"],
    "primary_estimator": "weighting",
    "gate": {"largest_smd": 0.1, "least_overlap": 0.8, "smallest_arm": 50},
    "smallest_effect": 0.02,
    "components": {
        name: {"specified": "so", "emulated": "so"}
        for name in (
            "eligibility",
            "strategies",
            "assignment",
            "time zero and follow-up",
            "outcome",
            "contrast",
            "analysis",
        )
    },
}

RUN: dict[str, Any] = {
    "title": "A run",
    "summary": "for a test",
    "seed": 1,
    "smallest_cell": 5,
    "analyses": [{"trial": "trial", "surveys": ["small"]}],
}


def bend(data: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of a declaration in which one key, named by a path of keys, holds another value."""
    bent = copy.deepcopy(data)
    *way, last = path.split(" > ")
    here = bent
    for key in way:
        here = here[key]
    here[last] = value
    return bent


def write(
    folder: Path,
    survey: dict[str, Any] = SURVEY,
    protocol: dict[str, Any] = PROTOCOL,
    variables: dict[str, Any] = VARIABLES,
    run: dict[str, Any] = RUN,
) -> Path:
    """Write the declarations below a folder as a run expects them."""
    for path, data in {
        "variables.yaml": variables,
        "surveys/small.yaml": survey,
        "protocols/trial.yaml": protocol,
        "run.yaml": run,
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return folder
