"""Which rows of the result tables a section of the report is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from backpain.tables import numbers, protocol

PREFERRED = ("weighting", "standardisation", "logistic", "unadjusted")
Row = dict[Any, Any]


def chosen_estimator(estimates: pd.DataFrame, declared: str | None) -> str:
    """The declared estimator when the table has it, else the first of the preferred that it has."""
    available = set(estimates["estimator"])
    for name in (declared, *PREFERRED):
        if name in available:
            return str(name)
    raise ValueError(f"estimates: none of the estimators {sorted(available)} is known; expected one of {PREFERRED}")


def only(frame: pd.DataFrame, what: str) -> Row:
    """The single row of a frame; anything else is refused by name."""
    if len(frame) != 1:
        raise ValueError(f"{what}: expected one row, found {len(frame)}")
    return frame.to_dict("records")[0]


@dataclass(frozen=True)
class Section:
    """One analysis on one survey: its declaration, its rows of every table, and what captions say about it."""

    kind: str
    name: str
    survey: str
    facts: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame]

    @property
    def identity(self) -> str:
        """A name for links: "treatment-onset-meps"."""
        return "".join(letter if letter.isalnum() else "-" for letter in f"{self.name}-{self.survey}".lower())

    @property
    def title(self) -> str:
        """The survey's title."""
        return str(self.facts["surveys"][self.survey])

    @property
    def protocol(self) -> Mapping[str, Any]:
        """The trial's or association's declaration."""
        return self.facts["protocols" if self.kind == "trial" else "associations"][self.name]

    @cached_property
    def estimates(self) -> pd.DataFrame:
        """All estimates of this analysis on this survey."""
        return self.rows("estimates")

    def rows(self, name: str, variation: str | None = None) -> pd.DataFrame:
        """A table's rows of this survey and, where the table has them, of this analysis and variation."""
        if name not in self.tables:
            raise ValueError(f"no result table {name}; make it before the report")
        frame = self.tables[name]
        keep = frame["survey"] == self.survey
        if "analysis" in frame:
            keep &= frame["analysis"] == self.name
        if variation:
            keep &= frame["variation"] == variation
        return frame[keep].reset_index(drop=True)

    @cached_property
    def estimator_name(self) -> str:
        """The estimator whose numbers are the answer."""
        main = self.estimates[self.estimates["variation"] == "main"]
        return chosen_estimator(main, self.protocol.get("estimator"))

    @property
    def estimator(self) -> str:
        """The estimator in words."""
        return numbers.words(self.estimator_name)

    def lines(self, scale: str, variation: str | None = None) -> pd.DataFrame:
        """The chosen estimator's rows on one scale."""
        frame = self.estimates
        keep = (frame["scale"] == scale) & (frame["estimator"] == self.estimator_name)
        if variation:
            keep &= frame["variation"] == variation
        return frame[keep].reset_index(drop=True)

    def text(self, row: Mapping[Any, Any], column: str) -> str:
        """A count as printed: hidden ones say so."""
        how = row.get(f"{column}_hidden", "")
        smallest = int(self.facts["smallest_cell"])
        return numbers.small(smallest) if how == "small" else "withheld" if how else numbers.count(row[column])

    @cached_property
    def main(self) -> Row:
        """The risk difference of the declared analysis."""
        row = only(self.lines("risk-difference", "main"), f"{self.name} in {self.survey}: main risk difference")
        return {**row, **{f"{name}_text": self.text(row, name) for name in ("people", "events")}}

    @cached_property
    def risks(self) -> dict[str, Row]:
        """The declared analysis's risk in each arm or group."""
        return {row["arm"]: row for row in self.lines("risk", "main").to_dict("records")}

    @property
    def domain(self) -> str:
        """Who is compared."""
        return str(self.estimates["domain"].iloc[0])

    @property
    def outcome(self) -> str:
        """The outcome in words; new for a trial."""
        name = str(self.estimates["outcome"].iloc[0])
        text = self.facts["variables"].get(name, {}).get("label", numbers.words(name)).lower()
        return f"new {text}" if self.kind == "trial" else text

    @cached_property
    def detectable(self) -> Row:
        """The smallest difference the declared analysis could find."""
        return only(self.rows("detectable", "main"), f"{self.name} in {self.survey}: detectable difference")

    @property
    def truth(self) -> dict[str, float]:
        """The planted effects of a simulated run, by scale."""
        frame = self.tables["truth"] if self.facts["simulated"] else pd.DataFrame(columns=["analysis", "scale", "truth"])
        rows = frame[frame["analysis"] == self.name]
        return {str(scale): float(value) for scale, value in zip(rows["scale"], rows["truth"], strict=True)}

    @cached_property
    def boxes(self) -> pd.DataFrame:
        """The declared analysis's flow, in order."""
        return self.rows("flow", "main").sort_values("step")

    def box_text(self, kind: str) -> dict[str, str]:
        """The counts of one kind of box, by arm."""
        found = self.boxes[self.boxes["kind"] == kind].to_dict("records")
        return {str(row["box"]).split(": ")[0]: self.text(row, "remaining") for row in found}

    @property
    def start(self) -> str:
        """Who was considered."""
        return str(self.boxes["box"].iloc[0])

    @property
    def considered(self) -> str:
        """How many were considered."""
        return self.text(self.boxes.iloc[0].to_dict(), "remaining")

    @property
    def entered(self) -> str:
        """How many were compared."""
        chain = self.boxes[self.boxes["kind"].isin(["start", "excluded"])]
        return self.text(chain.iloc[-1].to_dict(), "remaining")

    @property
    def arms(self) -> dict[str, str]:
        """People in each arm."""
        return self.box_text("arm")

    @property
    def events(self) -> dict[str, str]:
        """People with the outcome in each arm."""
        return self.box_text("event")

    @property
    def incomplete(self) -> int:
        """How many variables lack values for somebody."""
        frame = self.rows("missingness", "main")
        return int(frame[frame["missing"].isna() | (frame["missing"] > 0)]["variable"].nunique())

    @property
    def asked(self) -> int:
        """How many variables the missingness table looks at."""
        return int(self.rows("missingness", "main")["variable"].nunique())

    @property
    def limit(self) -> float:
        """The gate's largest standardised difference."""
        return float(self.protocol["gate"]["largest_smd"])

    @property
    def unbalanced(self) -> dict[str, int]:
        """Levels beyond the limit, before and after adjustment."""
        frame = self.rows("balance", "main")
        return {stage: int((frame.loc[frame["stage"] == stage, "smd"].abs() > self.limit).sum())
                for stage in ("before", "after")}  # fmt: skip

    @property
    def compared(self) -> int:
        """How many levels balance is judged on."""
        return int((self.rows("balance", "main")["stage"] == "before").sum())

    @property
    def largest(self) -> float:
        """The largest difference left after adjustment."""
        frame = self.rows("balance", "main")
        return float(frame.loc[frame["stage"] == "after", "smd"].abs().max())

    @property
    def variations(self) -> int:
        """How many variations were estimated."""
        return int(self.lines("risk-difference")["variation"].nunique())

    @property
    def not_passed(self) -> int:
        """How many variations did not pass their diagnostics."""
        frame = self.lines("risk-difference")
        return int(frame["gate"].map(numbers.failed).sum())

    @property
    def criteria(self) -> list[str]:
        """Eligibility in words."""
        return protocol.criteria(self.facts["variables"], self.protocol["eligibility"])

    @property
    def strategy(self) -> dict[str, str]:
        """What puts a person in each arm."""
        treatment = self.protocol["treatment"]
        return {arm: protocol.strategy(self.facts["variables"], treatment, arm) for arm in ("treated", "untreated")}

    @property
    def adjusted(self) -> str:
        """The confounders in words."""
        return protocol.adjusted(self.facts["variables"], self.protocol["assignment"]["confounders"])

    @property
    def event(self) -> str:
        """The outcome's definition in words."""
        outcome = self.protocol["outcome"]
        return protocol.condition(self.facts["variables"], outcome["variable"], outcome["event"])

    @property
    def groups(self) -> int:
        """How many groups an association describes."""
        return len(self.risks)

    @property
    def most(self) -> Row:
        """The group in which the outcome is most common."""
        return max(self.risks.values(), key=lambda row: row["estimate"])

    @property
    def least(self) -> Row:
        """The group in which the outcome is least common."""
        return min(self.risks.values(), key=lambda row: row["estimate"])

    @property
    def passed(self) -> bool:
        """Whether the declared analysis passed its diagnostics."""
        return self.kind == "association" or not numbers.failed(self.main["gate"])

    def contrast(self) -> Row | None:
        """The estimate a claim is judged by: the risk difference, else the first ratio of the declared analysis."""
        for scale in ("risk-difference", "risk-ratio", "odds-ratio"):
            rows = self.lines(scale, "main")
            if len(rows):
                return dict(rows.to_dict("records")[0])
        return None

    def claim_cells(self) -> dict[str, str]:
        """What the claims table says about this section."""
        row = self.contrast()
        cells = {"where": self.title}
        if row is None:
            return cells
        if not self.passed:
            return {**cells, "estimate": numbers.sentence(numbers.gate_words(row["gate"]))}
        unit = "per 1,000" if row["scale"] == "risk-difference" else numbers.words(row["scale"])
        told = numbers.with_interval(row["estimate"], row["low"], row["high"], row["scale"])
        arm = "" if self.kind == "trial" else f" ({row['arm']})"
        cells["estimate"] = f"{told} {unit}{arm}"
        if self.kind == "trial":
            cells["detectable"] = f"{numbers.per_thousand(self.detectable['detectable_difference'])} per 1,000"
        return cells


def sections(tables: Mapping[str, pd.DataFrame], facts: Mapping[str, Any]) -> list[Section]:
    """A section for each analysis on each of its surveys, in the run's order."""
    return [
        Section(kind, analysis[kind], survey, facts, tables)
        for analysis in facts["analyses"]
        for kind in ("trial", "association")
        if kind in analysis
        for survey in analysis["surveys"]
    ]
