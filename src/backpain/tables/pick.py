"""Which rows of the result tables a section of the report is about, and the numbers its sentences name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from backpain.design import t_quantile
from backpain.tables import numbers
from backpain.tables.numbers import sentence, words

# Which estimator speaks for an analysis that names none, and for a variation without the named one.
PREFERRED = ("weighting", "standardisation", "logistic", "unadjusted")
Row = dict[str, Any]
# Below which p a control shows a difference.
LEVEL = 0.05


def records(frame: pd.DataFrame) -> list[Row]:
    """The rows as dictionaries."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def chosen_estimator(estimates: pd.DataFrame, declared: str | None) -> str:
    """The declared estimator when the rows have it, else the first of the preferred that they have."""
    available = set(estimates["estimator"])
    for name in (declared, *PREFERRED):
        if name in available:
            return str(name)
    raise ValueError(f"estimates: none of the estimators {sorted(available)} is known; expected one of {PREFERRED}")


@dataclass(frozen=True)
class Section:
    """One analysis on one survey: its declaration, its rows of every table, and what sentences say about it.

    kind: "trial", "association" or "audit". facts: as `backpain.report` documents them. tables: concealed results.
    """

    kind: str
    name: str
    survey: str
    facts: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame]

    @property
    def identity(self) -> str:
        """A name for links: "treatment-onset-meps"."""
        return f"{self.name}-{self.survey}"

    @property
    def title(self) -> str:
        """The survey's title."""
        return str(self.facts["surveys"][self.survey])

    @property
    def heading(self) -> str:
        """The analysis and the survey: "Treatment onset: Medical Expenditure Panel Survey"."""
        return f"{sentence(words(self.name))}: {self.title}"

    @property
    def declared(self) -> Mapping[str, Any]:
        """The protocol, the association or the audit, as declared."""
        kinds = {"trial": "protocols", "association": "associations", "audit": "audits"}
        found: Mapping[str, Any] = self.facts[kinds[self.kind]][self.name]
        return found

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

    def only(self, frame: pd.DataFrame, what: str) -> Row:
        """The single row of a frame; anything else is refused by name."""
        if len(frame) != 1:
            raise ValueError(f"{self.name} in {self.survey}: expected one {what}, found {len(frame)}")
        return records(frame)[0]

    @cached_property
    def estimates(self) -> pd.DataFrame:
        """All estimates of this analysis on this survey, with their arms and variations in words."""
        frame = self.rows("estimates")
        return frame.assign(
            label=frame["variation"].map(self.variation),
            group=frame["arm"].map(self.arm),
        )

    @cached_property
    def speaking(self) -> dict[str, str]:
        """The estimator whose numbers stand for each variation."""
        declared = self.declared.get("primary_estimator")
        return {
            str(name): chosen_estimator(rows, declared)
            for name, rows in self.estimates.groupby("variation", sort=False)
        }

    @property
    def estimator(self) -> str:
        """The estimator of the declared analysis, in words."""
        return words(self.speaking["main"])

    def lines(self, scale: str, variation: str | None = None) -> pd.DataFrame:
        """The rows on one scale of the estimator that speaks for each variation."""
        frame = self.estimates
        keep = (frame["scale"] == scale) & (frame["estimator"] == frame["variation"].map(self.speaking))
        if variation:
            keep &= frame["variation"] == variation
        return frame[keep].reset_index(drop=True)

    @property
    def by_estimator(self) -> pd.DataFrame:
        """The declared analysis's risk difference by every estimator, the declared one first, in words."""
        frame = self.estimates
        frame = frame[(frame["scale"] == "risk-difference") & (frame["variation"] == "main")]
        frame = frame.assign(estimator_label=[sentence(words(name)) for name in frame["estimator"]])
        return frame.sort_values("estimator", key=lambda names: names != self.speaking["main"], kind="stable")

    @cached_property
    def through(self) -> pd.DataFrame:
        """Effects through what the trial declares, with the planted ones beside them; empty where it declares nothing."""
        frame = self.rows("through") if "through" in self.tables else pd.DataFrame(columns=["effect", "scale"])
        planted = [
            self.truth.get(f"through-{effect}") if scale == "risk-difference" else None
            for effect, scale in zip(frame["effect"], frame["scale"], strict=True)
        ]
        return frame.assign(truth=pd.Series(planted, index=frame.index, dtype=float))

    @cached_property
    def sequence(self) -> pd.DataFrame:
        """Contrasts of trials in sequence, with the planted ones beside them; empty where the trial declares none."""
        frame = (
            self.rows("sequence") if "sequence" in self.tables else pd.DataFrame(columns=["strategy", "scale", "time"])
        )
        planted = [
            None if pd.isna(row["time"]) else self.truth.get(f"sequence-{row['strategy']}-{int(row['time'])}")
            for row in records(frame)
        ]
        truth = pd.Series(planted, index=frame.index, dtype=float)
        return frame.assign(truth=truth.where(frame["scale"] == "risk-difference"))

    @property
    def sequence_end(self) -> dict[str, Row]:
        """The risk difference of each strategy by the last period, those estimated."""
        frame = self.sequence
        frame = frame[(frame["scale"] == "risk-difference") & frame["estimate"].notna()]
        return {str(name): records(rows)[-1] for name, rows in frame.groupby("strategy", sort=False)}

    @property
    def by_round(self) -> pd.DataFrame:
        """Risks and contrasts by the end of each round of the follow-up; empty where the trial declares none."""
        return self.rows("rounds") if "rounds" in self.tables else pd.DataFrame(columns=["round", "scale"])

    @property
    def differences_by_round(self) -> dict[str, Row]:
        """The risk difference by the end of each round."""
        frame = self.by_round
        return {str(row["round"]): row for row in records(frame[frame["scale"] == "risk-difference"])}

    @property
    def hazard(self) -> Row:
        """The hazard ratio over all rounds."""
        frame = self.by_round
        return records(frame[frame["scale"] == "hazard-ratio"])[0]

    @property
    def parts(self) -> dict[str, Row]:
        """The overall, direct and indirect difference by standardisation, and the share through the mediator."""
        frame = self.through
        frame = frame[(frame["estimator"] == "standardisation") & frame["scale"].isin(["risk-difference", "share"])]
        return {"share" if row["scale"] == "share" else str(row["effect"]): row for row in records(frame)}

    @property
    def four_groups(self) -> pd.DataFrame:
        """Treated or not, remitted or not: a description."""
        return self.rows("four_groups")

    @cached_property
    def through_boxes(self) -> pd.DataFrame:
        """The flow of those followed through the mediator, in order."""
        return self.rows("flow", "through").sort_values("step")

    @property
    def panels(self) -> pd.DataFrame:
        """Each panel's own risk difference, with an interval by the design's degrees of freedom.

        Empty where too few panels have an estimate for anything to be said of how they differ.
        """
        compared = "heterogeneity" in self.tables and len(self.rows("heterogeneity"))
        frame = self.rows("panels") if compared else pd.DataFrame(columns=["scale"])
        frame = frame[frame["scale"] == "risk-difference"].reset_index(drop=True)
        reach = float(t_quantile(int(self.main["design_df"]))) * frame["se"] if len(frame) else 0.0
        return frame if not len(frame) else frame.assign(low=frame["estimate"] - reach, high=frame["estimate"] + reach)

    @property
    def between(self) -> Row:
        """How much the risk difference differs between panels."""
        frame = self.rows("heterogeneity")
        return self.only(frame[frame["scale"] == "risk-difference"], "row of random effects")

    @cached_property
    def multiverse(self) -> pd.DataFrame:
        """Every specification of this analysis, by scale; empty where it declares no multiverse."""
        return self.rows("multiverse") if "multiverse" in self.tables else pd.DataFrame()

    @property
    def tests(self) -> pd.DataFrame:
        """What all specifications say together."""
        return self.rows("multiverse_tests")

    @property
    def specifications(self) -> Row:
        """How many specifications there are, how many passed their diagnostics, and where their differences lie."""
        frame = self.multiverse[self.multiverse["scale"] == "risk-difference"]
        found = frame["estimate"].dropna()
        return {
            "all": len(frame),
            "passed": int((frame["gate"] == "passed").sum()),
            "without": int(frame["estimate"].isna().sum()),
            "lowest": float(found.min()),
            "median": float(found.median()),
            "highest": float(found.max()),
            "below": int((frame["high"] < 0).sum()),
            "above": int((frame["low"] > 0).sum()),
        }

    @cached_property
    def subgroups(self) -> pd.DataFrame:
        """The risk difference of each declared subgroup, with its variable and level in words."""
        frame = self.doubtful("subgroups")
        if not len(frame):
            return frame
        frame = frame[frame["scale"] == "risk-difference"].reset_index(drop=True)
        known = self.facts["variables"]
        levels = [
            (known.get(row["variable"], {}).get("categories") or {}).get(row["level"], row["level"])
            for row in frame.to_dict("records")
        ]
        headings = [str(known.get(name, {}).get("label", words(name))) for name in frame["variable"]]
        return frame.assign(heading=headings, label=[sentence(str(level)) for level in levels])

    @property
    def differing(self) -> list[str]:
        """The subgroups' variables between whose levels the effect differs by more than chance."""
        frame = self.subgroups
        return list(dict.fromkeys(frame.loc[frame["p_alike"] < LEVEL, "heading"]))

    def doubtful(self, name: str) -> pd.DataFrame:
        """A table that not every analysis has, such as that of its negative controls; empty where this one has none."""
        return self.rows(name) if name in self.tables else pd.DataFrame()

    @cached_property
    def controlled(self) -> pd.DataFrame:
        """The outcomes that the analysis was run on besides its own, one row each, on the calibrated scale."""
        frame = self.doubtful("controls")
        if not len(frame):
            return frame
        frame = frame[frame["scale"] == self.declared["calibration"]["ratio"]]
        # Kinds together, in the order in which they first appear.
        return frame.sort_values(["role", "kind"], key=lambda names: pd.factorize(names)[0], kind="stable")

    @cached_property
    def controls(self) -> Row:
        """How many negative controls there are, how many show a difference before and after calibration, and the null."""
        frame = self.controlled
        if not len(frame):
            return {"all": 0}
        own = frame[frame["role"] == "control"]
        shown = own[own["p_profile"] < LEVEL]
        null = self.only(self.rows("calibration").query("without.isna()"), "null distribution")
        return {
            "all": len(own),
            "expected": max(1, round(LEVEL * len(own))),
            "shown": len(shown),
            "named": ", ".join(str(label).lower() for label in shown["label"]),
            "calibrated": int((own["calibrated_p"] < LEVEL).sum()),
            "comparisons": int((frame["role"] == "comparison").sum()),
            "mean": math.exp(null["mean"]),
            "reach": math.exp(1.96 * null["sd"]),
        }

    @cached_property
    def calibrated(self) -> Row:
        """The declared analysis calibrated by its negative controls."""
        frame = self.rows("calibrated")
        return self.only(frame[frame["role"] == "answer"], "calibrated estimate")

    @property
    def e_values(self) -> pd.DataFrame:
        """The E-values of the declared analysis by its own estimator."""
        frame = self.doubtful("e_values")
        return frame if not len(frame) else frame[frame["estimator"] == self.speaking["main"]]

    @property
    def without_a_panel(self) -> pd.DataFrame:
        """How far the declared analysis moves when one panel is left out."""
        frame = self.doubtful("influence")
        return frame if not len(frame) else frame[frame["estimator"] == self.speaking["main"]]

    @property
    def supposed(self) -> pd.DataFrame:
        """What the comparison would be under the extremes that can be supposed of the lost."""
        frame = self.doubtful("tipping")
        return frame if not len(frame) else frame[frame["supposed"].notna()]

    @property
    def rounded_apart(self) -> bool:
        """Whether the difference as printed is not that of the risks as printed."""
        treated, untreated = (round(numbers.PER * self.risks[arm]["estimate"], 1) for arm in ("treated", "untreated"))
        return abs(round(treated - untreated, 1) - round(numbers.PER * self.main["estimate"], 1)) > 1e-9

    def variation(self, name: str) -> str:
        """A variation's declared label, or its name as words."""
        if name == "main":
            return "Main analysis"
        declared = self.declared.get("variations", {}).get(name, {}).get("label")
        return sentence(declared or words(name.removeprefix("only-")))

    def arm(self, name: str) -> str:
        """An arm, a group by its declared label, or a contrast of two."""
        exposure = self.facts["variables"].get(self.declared.get("exposure"), {})
        labels = exposure.get("categories") or {}
        return " against ".join(sentence(str(labels.get(part, part))) for part in name.split(" vs "))

    def ordered(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The rows in the declared order of the groups."""
        exposure = self.facts["variables"].get(self.declared.get("exposure"), {})
        order = {code: place for place, code in enumerate(exposure.get("categories") or {})}
        places = [order.get(arm.split(" vs ")[0], len(order)) for arm in frame["arm"]]
        return frame.assign(place=places).sort_values("place", kind="stable")

    @property
    def lacking(self) -> bool:
        """Whether anybody lacks a value."""
        missing = self.rows("missingness", "main")["missing"]
        return bool((missing.isna() | (missing > 0)).any())

    def text(self, row: Mapping[str, Any], column: str) -> str:
        """A count as printed: hidden ones say so."""
        return numbers.shown(row, column, int(self.facts["smallest_cell"]))

    @cached_property
    def main(self) -> Row:
        """The risk difference of the declared analysis."""
        row = self.only(self.lines("risk-difference", "main"), "main risk difference")
        return {**row, **{f"{name}_text": self.text(row, name) for name in ("people", "events")}}

    @cached_property
    def risks(self) -> dict[str, Row]:
        """The declared analysis's risk in each arm."""
        return {row["arm"]: row for row in records(self.lines("risk", "main"))}

    @cached_property
    def groups(self) -> list[Row]:
        """The crude prevalence of each group of an association, the most common first."""
        frame = self.estimates
        crude = frame[(frame["scale"] == "risk") & (frame["estimator"] == "unadjusted")]
        return sorted(records(crude), key=lambda row: row["estimate"], reverse=True)

    @property
    def domain(self) -> str:
        """Who is compared, as the estimates say."""
        return str(self.estimates["domain"].iloc[0]).replace("; ", ", ")

    @property
    def outcome(self) -> str:
        """The outcome in words."""
        return str(self.declared["outcome"]["label"])

    @cached_property
    def detectable(self) -> Row:
        """The smallest difference the declared analysis could find."""
        return self.only(self.rows("detectable", "main"), "detectable difference")

    @property
    def thresholds(self) -> pd.DataFrame:
        """What the verdict's rule would say under other thresholds; empty where no rule judges this analysis."""
        return self.rows("thresholds") if "thresholds" in self.tables else pd.DataFrame()

    @property
    def limits(self) -> pd.DataFrame:
        """The smallest difference each variation could find, with the variation in words."""
        frame = self.rows("detectable")
        return frame.assign(label=frame["variation"].map(self.variation))

    @property
    def truth(self) -> dict[str, float]:
        """The planted effects of a simulated run, by scale."""
        if not self.facts["simulated"]:
            return {}
        frame = self.tables["truth"]
        rows = frame[frame["analysis"] == self.name]
        return {str(scale): float(value) for scale, value in zip(rows["scale"], rows["truth"], strict=True)}

    @cached_property
    def chains(self) -> pd.DataFrame:
        """How the imputations of the first variation that imputes went; empty where none does.

        The outcome of the lost is drawn along, so that the confounders may depend on it, and then left missing.
        """
        frame = self.rows("convergence") if "convergence" in self.tables else pd.DataFrame()
        if not len(frame):
            return frame
        return frame[(frame["variation"] == frame["variation"].iloc[0]) & (frame["variable"] != "event")]

    @property
    def pooled(self) -> pd.DataFrame:
        """What pooling over imputations did to each contrast, with the variation in words."""
        frame = self.rows("pooling")
        frame = frame[frame["scale"] != "risk"]
        return frame.assign(label=frame["variation"].map(self.variation))

    @property
    def r_hat(self) -> float:
        """The largest R-hat of the chains."""
        return float(self.chains["r_hat"].max())

    @cached_property
    def boxes(self) -> pd.DataFrame:
        """The declared analysis's flow, in order."""
        return self.rows("flow", "main").sort_values("step")

    def counts(self, kind: str) -> dict[str, str]:
        """The counts of one kind of box, by arm."""
        found = records(self.boxes[self.boxes["kind"] == kind])
        return {str(row["box"]).split(": ")[0]: self.text(row, "remaining") for row in found}

    @cached_property
    def chain(self) -> list[Row]:
        """The boxes from everyone asked to those compared."""
        return records(self.boxes[self.boxes["kind"].isin(["start", "excluded"])])

    @property
    def entered(self) -> str:
        """How many were compared."""
        return self.text(self.chain[-1], "remaining")

    @cached_property
    def balance(self) -> pd.DataFrame:
        """The declared analysis's balance."""
        return self.rows("balance", "main")

    @property
    def limit(self) -> float:
        """The gate's largest standardised difference."""
        return float(self.declared["gate"]["largest_smd"])

    def smds(self, stage: str) -> pd.Series:
        """The absolute standardised differences at one stage."""
        return self.balance.loc[self.balance["stage"] == stage, "smd"].abs()

    @property
    def passed(self) -> bool:
        """Whether the declared analysis passed its diagnostics; an association claims no effect to gate."""
        return self.kind != "trial" or not numbers.failed(self.main["gate"])

    @property
    def refused(self) -> int:
        """How many variations did not pass their diagnostics."""
        return int(self.lines("risk-difference")["gate"].map(numbers.failed).sum())

    @property
    def findings(self) -> pd.DataFrame:
        """What an audit found, variation by variation."""
        return self.rows("audits")

    @property
    def followed(self) -> list[str]:
        """The share that an audit follows over the waves, if it does."""
        rows = self.findings
        return list(rows.loc[(rows["contrast"] == "each year") & (rows["variation"] == "main"), "item"])

    @property
    def doses(self) -> pd.DataFrame:
        """The curve of an audit along an amount; empty for others."""
        return self.rows("doses", "main")

    @property
    def paths(self) -> pd.DataFrame:
        """The roles with reverse paths undone; empty where an audit declares none."""
        return self.rows("reverse_paths", "main")

    @property
    def unit(self) -> str:
        """The unit of the amount of an audit."""
        return str(self.facts["variables"][self.declared["analysis"]["amount"]]["unit"])

    def audited_lines(self, claim: str) -> list[str]:
        """What the claims table says of a claim that a finding of this audit is read for."""
        row = self.only(self.rows("claims")[lambda frame: frame["claim"] == claim], f"verdict on {claim}")
        if numbers.is_missing(row["estimate"]) or numbers.failed(row["gate"]):
            return ["No number that may be shown", self.title]
        found, scale = row["detectable_difference"], "share" if row["scale"] == "share" else "risk-difference"
        told = numbers.with_interval(row, scale)
        unit = "" if scale == "share" else " per 1,000"
        far = numbers.percent(found) if scale == "share" else f"{numbers.per_thousand(found)} per 1,000"
        kind = "a description" if scale == "share" else "cross-sectional"
        return [
            f"{told}{unit}",
            numbers.sentence(str(row["of"])),
            f"Power of 80% to find {far}",
            f"{self.title}, {kind}",
        ]

    def claim_lines(self) -> list[str]:
        """What the claims table says about this section: the estimate, what could have been found, where."""
        if self.kind == "association":
            return [f"{self.title}, cross-sectional: groups are described, no effect is estimated"]
        if not self.passed:
            return [sentence(numbers.gate_words(self.main["gate"])), self.title]
        told = numbers.with_interval(self.main, "risk-difference")
        found = numbers.per_thousand(self.detectable["detectable_difference"])
        power = numbers.chance(self.detectable["power"])
        return [f"{told} per 1,000", f"Power of {power} to find {found} per 1,000", self.title]


def sections(tables: Mapping[str, pd.DataFrame], facts: Mapping[str, Any]) -> list[Section]:
    """A section for each analysis on each of its surveys, in the run's order."""
    return [
        Section(kind, analysis[kind], survey, facts, tables)
        for analysis in facts["analyses"]
        for kind in ("trial", "association", "audit")
        if analysis.get(kind)
        for survey in analysis["surveys"]
    ]
