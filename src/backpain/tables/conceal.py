"""Every count of a run in one ledger, so that no table gives away what another hides.

The flow, the baseline table, the missingness table and the estimates print the same people. Here their counts become
cells (the same count in two tables is one cell) and the sums between them become equations; `suppress.protect`
decides what to hide. Relations are taken only where the numbers obey them.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from backpain.tables.suppress import Equation, Key, is_small, mark, protect

Scope = tuple[Hashable, ...]
COUNTS = {
    "flow": ["remaining", "left_out"],
    "table1": ["people"],
    "missingness": ["missing", "people"],
    "estimates": ["people", "events"],
    "cleaning": ["looked_at", "touched"],
}
DERIVED = {"table1": ["value", "low", "high", "smd"]}
# What withholding costs: sums over both arms first, then variations, then the declared analysis, its arms last.
CHEAP, USUAL, MAIN, PRECIOUS = range(4)
SCOPE = ["survey", "analysis", "variation"]


@dataclass
class Ledger:
    """Cells, the equations between them, where each is printed, and which are printed nowhere."""

    smallest: int
    values: dict[Key, int] = field(default_factory=dict)
    equations: list[Equation] = field(default_factory=list)
    places: dict[str, dict[str, dict[int, Key]]] = field(default_factory=dict)
    secret: dict[Key, None] = field(default_factory=dict)
    cost: dict[Key, int] = field(default_factory=dict)

    def write(self, names: Sequence[Scope], number: object, table: str, row: int, column: str) -> Scope | None:
        """Enter a printed count under the first name that is free or holds the same number."""
        if pd.isna(number):  # type: ignore[call-overload]
            return None
        value = int(number)  # type: ignore[call-overload]
        own = (*names[-1], table, row, column)
        name = next((name for name in names if self.values.get(name, value) == value), own)
        self.values[name] = value
        self.cost.setdefault(name, CHEAP if " vs " in str(name[-1]) else MAIN if "main" in name else USUAL)
        self.places.setdefault(table, {}).setdefault(column, {})[row] = name
        return name

    def hide(self, name: Key, value: int) -> None:
        """Enter a count that is printed nowhere but must not be deducible if it is small."""
        self.values[name] = value
        self.secret[name] = None

    def relate(self, equation: Equation) -> None:
        """Keep an equation when all its cells exist and the numbers obey it."""
        if all(key in self.values for key in equation):
            if sum(factor * self.values[key] for key, factor in equation.items()) == 0:
                self.equations.append(equation)

    def rest(self, whole: Key | None, part: Key | None) -> None:
        """The people of the whole who are not in the part are a count too."""
        if whole in self.values and part in self.values and self.values[whole] >= self.values[part]:
            name = ("rest", whole, part)
            self.hide(name, self.values[whole] - self.values[part])
            self.relate({whole: 1, part: -1, name: -1})


def enter_flow(ledger: Ledger, flow: pd.DataFrame) -> None:
    """Boxes: each is the one before less those left out; arms make up the last; lost and followed make up an arm."""
    for scope, boxes in flow.sort_values("step").groupby(SCOPE, sort=False):
        before: Key | None = None
        arms: dict[Key, int] = {}
        for row, box in boxes.iterrows():
            if box["kind"] in ("start", "excluded"):
                names = [(*scope, kind, box["step"]) for kind in ("remaining", "left_out")]
                left = ledger.write(names[:1], box["remaining"], "flow", row, "remaining")
                out = ledger.write(names[1:], box["left_out"], "flow", row, "left_out")
                if before and left and out:
                    ledger.relate({before: 1, left: -1, out: -1})
                before = left
                continue
            arm, kind = str(box["box"]).split(": ")[0], {"arm": "people", "event": "events"}.get(box["kind"], box["kind"])
            name = ledger.write([(*scope, kind, arm)], box["remaining"], "flow", row, "remaining")
            if kind == "people" and name:
                arms[name] = 1
        ledger.relate({**arms, before: -1})
        ledger.cost |= dict.fromkeys([*arms, before], PRECIOUS)
        for _, _, _, _, arm in arms:  # type: ignore[misc]
            parts = {(*scope, kind, arm): 1 for kind in ("followed", "lost")}
            ledger.relate({**parts, (*scope, "people", arm): -1})
            ledger.rest((*scope, "followed", arm), (*scope, "events", arm))


def enter_estimates(ledger: Ledger, estimates: pd.DataFrame) -> None:
    """People and events of each arm; a contrast prints their sums; people without the event are a count too."""
    for row, line in estimates.iterrows():
        scope, arm = tuple(line[SCOPE]), line["arm"]
        where = (*scope, line["outcome"], line["domain"])
        people = ledger.write(
            [(*scope, "people", arm), (*scope, "followed", arm), (*where, "people", arm)],
            line["people"], "estimates", row, "people",
        )  # fmt: skip
        events = ledger.write(
            [(*scope, "events", arm), (*where, "events", arm)], line["events"], "estimates", row, "events"
        )
        ledger.rest(people, events)
        if " vs " in arm:
            for kind in ("people", "followed", "events"):
                for start in (scope, where):
                    ledger.relate({(*start, kind, part): 1 for part in arm.split(" vs ")}
                                  | {(*start, "people" if kind == "followed" else kind, arm): -1})  # fmt: skip


def enter_baseline(ledger: Ledger, table1: pd.DataFrame) -> None:
    """The levels of a variable in an arm make up the arm."""
    for (*scope, variable, arm), rows in table1.groupby([*SCOPE, "variable", "arm"], sort=False):
        levels = {}
        for row, line in rows.iterrows():
            name = (*scope, "level", variable, line["level"], arm)
            if ledger.write([name], line["people"], "table1", row, "people"):
                levels[name] = 1
        ledger.relate({**levels, (*scope, "people", arm): -1})
        ledger.relate({**levels, (*scope, "followed", arm): -1})


def enter_missingness(ledger: Ledger, missingness: pd.DataFrame) -> None:
    """People without a variable; the same count as the baseline table's missing level."""
    for row, line in missingness.iterrows():
        scope, arm, variable = tuple(line[SCOPE]), line["arm"], line["variable"]
        missing = ledger.write(
            [(*scope, "level", variable, "missing", arm), (*scope, "missing", variable, arm)],
            line["missing"], "missingness", row, "missing",
        )  # fmt: skip
        people = ledger.write(
            [(*scope, "people", arm), (*scope, "asked", variable, arm)], line["people"], "missingness", row, "people"
        )
        ledger.rest(people, missing)


def enter_cleaning(ledger: Ledger, cleaning: pd.DataFrame) -> None:
    """Rows a rule looked at and touched."""
    for row, line in cleaning.iterrows():
        looked, touched = (
            ledger.write([("cleaning", row, column)], line[column], "cleaning", row, column)
            for column in ("looked_at", "touched")
        )
        ledger.rest(looked, touched)


def compare_variations(ledger: Ledger) -> None:
    """A variation that differs from the declared analysis by few people prints those few: their number is a cell too.

    Panels alone add up to the whole, and a panel left out to the whole less that panel, where the numbers say so.
    """
    by_variation: dict[Scope, dict[Hashable, Key]] = {}
    for key in ledger.values:
        if isinstance(key, tuple) and key not in ledger.secret and key[3:4] and key[3] in ("people", "events"):
            by_variation.setdefault((*key[:2], *key[3:]), {})[key[2]] = key
    for same in by_variation.values():
        if "main" not in same:
            continue
        whole = same["main"]
        others = {name: key for name, key in same.items() if name != "main"}
        for key in others.values():
            gap = ledger.values[whole] - ledger.values[key]
            if is_small(abs(gap), ledger.smallest):
                sign = 1 if gap > 0 else -1
                ledger.hide(("gap", key), abs(gap))
                ledger.relate({whole: sign, key: -sign, ("gap", key): -1})
        alone = {key: 1 for name, key in others.items() if f"without-{name}" in others}
        ledger.relate({**alone, whole: -1})
        for name, key in others.items():
            if f"without-{name}" in others:
                ledger.relate({whole: 1, others[f"without-{name}"]: -1, key: -1})


def conceal(results: Mapping[str, pd.DataFrame], smallest: int) -> dict[str, pd.DataFrame]:
    """All result tables with small counts, and what would give them away, hidden.

    Tables that print no counts pass through. In the others hidden cells are missing, `<count>_hidden` says why, and
    estimates computed from a hidden count alone (unadjusted, baseline shares) are emptied. Raises ValueError when a
    small count cannot be protected. Tables already concealed pass through, so calling it twice changes nothing.
    """
    open_ = {name: frame.reset_index(drop=True) for name, frame in results.items() if "suppressed" not in frame}
    ledger = Ledger(smallest)
    enter = {"flow": enter_flow, "estimates": enter_estimates, "table1": enter_baseline,
             "missingness": enter_missingness, "cleaning": enter_cleaning}  # fmt: skip
    for name, entry in enter.items():
        if name in open_:
            entry(ledger, open_[name])
    compare_variations(ledger)
    hidden = protect(ledger.values, ledger.equations, smallest, ledger.secret, ledger.cost)
    concealed = dict(results)
    for name, columns in COUNTS.items():
        if name in open_:
            places = ledger.places.get(name, {})
            why = {
                column: {row: hidden[key] for row, key in places.get(column, {}).items() if key in hidden}
                for column in columns
            }
            concealed[name] = mark(open_[name], why, DERIVED.get(name, ()))
    return hide_crude(concealed) if "estimates" in open_ else concealed


def hide_crude(results: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Empty crude estimates, and the crude risk beside the detectable difference, where an arm's events are hidden."""
    estimates = results["estimates"]
    risks = estimates[(estimates["scale"] == "risk") & estimates["suppressed"]]
    hit = pd.MultiIndex.from_frame(estimates[SCOPE]).isin(pd.MultiIndex.from_frame(risks[SCOPE]))
    crude = hit & ((estimates["estimator"] == "unadjusted") | (estimates["adjusted_for"].fillna("") == ""))
    emptied = ["estimate", "se", "low", "high", "p"]
    results["estimates"] = estimates.assign(**{name: estimates[name].mask(crude) for name in emptied})
    if "detectable" in results:
        table = results["detectable"]
        same = pd.MultiIndex.from_frame(table[SCOPE]).isin(pd.MultiIndex.from_frame(risks[SCOPE]))
        results["detectable"] = table.assign(risk_untreated=table["risk_untreated"].mask(same))
    return results
