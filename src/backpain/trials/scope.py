"""What every table of an analysis is headed by, and each variation with its people."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from backpain.spec import Plan, Protocol, Survey, variations

SCOPE = ["survey", "analysis", "variation"]
ESTIMATES = [
    *SCOPE, "estimand", "outcome", "domain", "arm", "scale", "estimator", "population", "adjusted_for", "estimate", "se",
    "low", "high", "p", "people", "events", "design_df", "weighted_people", "converged", "gate", "reason",
]  # fmt: skip
DESCRIPTION = "description"


def each(participants: pd.DataFrame, protocol: Protocol, survey: Survey) -> Iterator[tuple[str, Plan, pd.DataFrame]]:
    """Each variation with its plan and its participants, those who lack a confounder too, in the order chosen."""
    for name, plan in variations(protocol, survey):
        yield name, plan, participants[participants["variation"] == name].reset_index(drop=True)


def one_sided(people: pd.DataFrame) -> str:
    """Why arms cannot be compared: one of them has nobody who was followed. Empty where both have somebody."""
    followed = people[people["followed"].astype(bool)]
    lacking = [
        words for arm, words in ((True, "treated"), (False, "untreated")) if not (followed["treated"] == arm).any()
    ]
    return f"nobody {' or '.join(lacking)} was followed; a contrast needs both arms" if lacking else ""


def headed(frame: pd.DataFrame, survey: Survey, protocol: Protocol, variation: str) -> pd.DataFrame:
    """The frame with survey, analysis and variation before its columns."""
    head = pd.DataFrame({"survey": survey.name, "analysis": protocol.name, "variation": variation}, index=frame.index)
    return pd.concat([head, frame], axis=1)
