"""Every count of a run in one ledger, so that no table gives away what another hides.

The flow, the baseline table, the missingness table, the estimates and the four groups print the same people. Here their
counts become cells (the same count in two tables is one cell) and the sums between them become equations;
`suppress.protect` decides what to hide. Relations are taken only where the numbers obey them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from backpain.tables.suppress import Equation, Key, is_small, mark, protect

Name = tuple[Any, ...]
# The columns that hold counts of people, and what is emptied where they are hidden.
COUNTS = {
    "flow": ["remaining", "left_out"],
    "table1": ["people"],
    "missingness": ["missing", "people"],
    "estimates": ["people", "events"],
    "four_groups": ["people", "events"],
    "cleaning": ["looked_at", "touched"],
}
DERIVED = {
    "table1": ["value", "low", "high", "smd", "rule"],
    "four_groups": ["weighted_people", "risk", "se", "low", "high", "rule"],
}
SCOPE = ["survey", "analysis", "variation"]
# What withholding costs: sums over arms first, then variations, then the declared analysis, its arms last.
CHEAP, USUAL, MAIN, PRECIOUS = range(4)
# How `backpain.spec.variations` names a panel alone and a panel left out.
ALONE, LEFT_OUT = "only-", "without-"
KINDS = {"arm": "people", "event": "events"}


@dataclass
class Ledger:
    """Cells, the equations between them, where each is printed, and which are printed nowhere."""

    smallest: int
    values: dict[Key, int] = field(default_factory=dict)
    equations: list[Equation] = field(default_factory=list)
    places: dict[str, dict[str, dict[int, Key]]] = field(default_factory=dict)
    secret: dict[Key, None] = field(default_factory=dict)
    cost: dict[Key, int] = field(default_factory=dict)

    def write(self, names: Sequence[Name], number: Any, table: str, row: int, column: str) -> Name | None:
        """Enter a printed count under the first name that is free or holds the same number; None without a count."""
        if pd.isna(number):
            return None
        value, own = int(number), (*names[-1], table, row, column)
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
        known = all(key in self.values for key in equation)
        if known and sum(factor * self.values[key] for key, factor in equation.items()) == 0:
            self.equations.append(equation)

    def rest(self, whole: Key | None, part: Key | None) -> None:
        """The people of the whole who are not in the part are a count too."""
        if whole in self.values and part in self.values and self.values[whole] >= self.values[part]:
            name = ("rest", whole, part)
            self.hide(name, self.values[whole] - self.values[part])
            self.relate({whole: 1, part: -1, name: -1})


def numbered(frame: pd.DataFrame) -> list[tuple[int, dict[str, Any]]]:
    """The rows as dictionaries, each with its number in the table."""
    rows = frame.to_dict("records")
    return [
        (int(number), {str(name): value for name, value in row.items()})
        for number, row in zip(frame.index, rows, strict=True)
    ]


def enter_flow(ledger: Ledger, flow: pd.DataFrame) -> None:
    """Boxes: each is the one before it less those left out; arms make up the last of them."""
    for scope, boxes in flow.sort_values("step").groupby(SCOPE, sort=False):
        before: Name | None = None
        path: Name = ()
        arms: list[str] = []
        for row, box in numbered(boxes):
            if box["kind"] in ("start", "excluded"):
                # Variations that left out the same people up to here share the box, and so its fate.
                path = (*path, (box["box"], box["remaining"]))
                left = ledger.write([(*scope[:2], path, "remaining")], box["remaining"], "flow", row, "remaining")
                out = ledger.write([(*scope[:2], path, "left_out")], box["left_out"], "flow", row, "left_out")
                if before and left and out:
                    ledger.relate({before: 1, left: -1, out: -1})
                before = left
                continue
            if box["kind"] == "imputed":
                # Elsewhere the same people are the ones left out.
                complete = (*path, ("every confounder known", path[-1][1] - box["remaining"]))
                name = (*scope[:2], complete, "left_out")
                ledger.rest(before, ledger.write([name], box["remaining"], "flow", row, "remaining"))
                continue
            arm, kind = str(box["box"]).split(": ")[0], KINDS.get(box["kind"], box["kind"])
            ledger.write([(*scope, kind, arm)], box["remaining"], "flow", row, "remaining")
            arms += [arm] if kind == "people" else []
        close_flow(ledger, scope, arms, before)


def close_flow(ledger: Ledger, scope: Name, arms: list[str], last: Name | None) -> None:
    """Arms make up the last box; lost and followed make up an arm; those without the event are a count too."""
    people: dict[Key, int] = {(*scope, "people", arm): 1 for arm in arms}
    if last:
        ledger.relate({**people, last: -1})
        ledger.cost |= dict.fromkeys([*people, last], PRECIOUS)
    for arm in arms:
        whole, events = (*scope, "people", arm), (*scope, "events", arm)
        parts: dict[Key, int] = {(*scope, kind, arm): 1 for kind in ("followed", "lost")}
        ledger.relate({**parts, whole: -1})
        followed = (*scope, "followed", arm)
        ledger.rest(followed if followed in ledger.values else whole, events)


def enter_estimates(ledger: Ledger, estimates: pd.DataFrame) -> None:
    """People and events of each arm; a contrast prints their sums."""
    for row, line in numbered(estimates):
        scope, arm = tuple(line[name] for name in SCOPE), str(line["arm"])
        where = (*scope, line["outcome"], line["domain"])
        names = [(*scope, "people", arm), (*scope, "followed", arm), (*where, "people", arm)]
        people = ledger.write(names, line["people"], "estimates", row, "people")
        names = [(*scope, "events", arm), (*where, "events", arm)]
        events = ledger.write(names, line["events"], "estimates", row, "events")
        ledger.rest(people, events)
        parts = arm.split(" vs ")
        for start in (scope, where) if len(parts) > 1 else ():
            for kind, whole in (("people", people), ("followed", people), ("events", events)):
                sums: dict[Key, int] = {(*start, kind, part): 1 for part in parts}
                ledger.relate({**sums, whole: -1})


def enter_groups(ledger: Ledger, groups: pd.DataFrame) -> None:
    """People and events by arm and mediator, which make up those of the arm in the flow of the same variation."""
    parts: dict[Name, dict[Key, int]] = {}
    for row, line in numbered(groups):
        scope, arm = tuple(line[name] for name in SCOPE), str(line["arm"])
        written = []
        for column in COUNTS["four_groups"]:
            name = (*scope, "group", column, arm, str(line["mediator"]))
            written.append(ledger.write([name], line[column], "four_groups", row, column))
            parts.setdefault((*scope, column, arm), {})[name] = 1
        ledger.rest(*written)
    for whole, members in parts.items():
        ledger.relate({**members, whole: -1})


def enter_baseline(ledger: Ledger, table1: pd.DataFrame) -> None:
    """The levels of a variable in an arm make up the arm."""
    for (*scope, variable, arm), rows in table1.groupby([*SCOPE, "variable", "arm"], sort=False):
        levels: dict[Key, int] = {}
        for row, line in numbered(rows):
            name = (*scope, "level", variable, line["level"], arm)
            if ledger.write([name], line["people"], "table1", row, "people"):
                levels[name] = 1
        for whole in ("people", "followed"):
            ledger.relate({**levels, (*scope, whole, arm): -1})


def enter_missingness(ledger: Ledger, missingness: pd.DataFrame) -> None:
    """People without a variable; the same count as the baseline table's missing level."""
    for row, line in numbered(missingness):
        scope, arm, variable = tuple(line[name] for name in SCOPE), line["arm"], line["variable"]
        names = [(*scope, "level", variable, "missing", arm), (*scope, "missing", variable, arm)]
        missing = ledger.write(names, line["missing"], "missingness", row, "missing")
        names = [(*scope, "people", arm), (*scope, "asked", arm), (*scope, "asked", variable, arm)]
        people = ledger.write(names, line["people"], "missingness", row, "people")
        ledger.rest(people, missing)


def enter_cleaning(ledger: Ledger, cleaning: pd.DataFrame) -> None:
    """Rows a rule looked at and touched."""
    for row, line in numbered(cleaning):
        looked, touched = (
            ledger.write([("cleaning", row, column)], line[column], "cleaning", row, column)
            for column in COUNTS["cleaning"]
        )
        ledger.rest(looked, touched)


ENTER = {
    "flow": enter_flow,
    "estimates": enter_estimates,
    "four_groups": enter_groups,
    "table1": enter_baseline,
    "missingness": enter_missingness,
    "cleaning": enter_cleaning,
}


def compare_variations(ledger: Ledger) -> None:
    """Relate the people and events of the variations of an analysis to one another.

    A variation a few people away from the declared analysis prints those few: their number is a cell too. Variations
    over panels add up, and variations with all counts alike are about the same people.
    """
    analyses: dict[Name, dict[Name, dict[str, Key]]] = {}
    for key in ledger.values:
        if isinstance(key, tuple) and key not in ledger.secret and key[3:4] and key[3] in ("people", "events"):
            analyses.setdefault(key[:2], {}).setdefault(key[3:], {})[key[2]] = key
    for quantities in analyses.values():
        for cells in quantities.values():
            relate_gaps(ledger, cells)
            relate_panels(ledger, cells)
        relate_twins(ledger, list(quantities.values()))


def relate_gaps(ledger: Ledger, cells: Mapping[str, Key]) -> None:
    """The few people by whom a variation differs from the declared analysis."""
    whole = cells.get("main")
    for key in cells.values():
        gap = ledger.values[whole] - ledger.values[key] if whole else 0
        if is_small(abs(gap), ledger.smallest):
            ledger.hide(("gap", key), abs(gap))
            ledger.relate({whole: 1 if gap > 0 else -1, key: -1 if gap > 0 else 1, ("gap", key): -1})


def relate_twins(ledger: Ledger, quantities: Sequence[Mapping[str, Key]]) -> None:
    """Variations whose counts are all alike print each count twice."""
    counts: dict[str, Name] = {}
    for number, cells in enumerate(quantities):
        for name, key in cells.items():
            counts[name] = (*counts.get(name, ()), (number, ledger.values[key]))
    first: dict[Name, str] = {}
    for name, found in counts.items():
        twin = first.setdefault(found, name)
        if twin != name:
            for cells in quantities:
                if name in cells and twin in cells and cells[name] != cells[twin]:
                    ledger.relate({cells[name]: 1, cells[twin]: -1})


def relate_panels(ledger: Ledger, cells: Mapping[str, Key]) -> None:
    """A panel left out and that panel alone make up the whole; so do all panels alone."""
    alone = {name.removeprefix(ALONE): key for name, key in cells.items() if name.startswith(ALONE)}
    whole = cells.get("main")
    for name, key in alone.items():
        if LEFT_OUT + name in cells:
            ledger.relate({whole: 1, key: -1, cells[LEFT_OUT + name]: -1})
    if alone:
        ledger.relate({**dict.fromkeys(alone.values(), 1), whole: -1})


# Counts of people who are counted nowhere else.
ALONE_IN_TABLE = {
    "controls": ("events_treated", "events_untreated"),
    "sequence_counts": ("people", "trials", "events"),
    "audits": ("people", "events"),
}


def conceal(results: Mapping[str, pd.DataFrame], smallest: int) -> dict[str, pd.DataFrame]:
    """All result tables with small counts, and what would give them away, hidden.

    Tables that print no counts pass through. In the others hidden cells are missing, `<count>_hidden` says why, and
    estimates computed from a hidden count alone (unadjusted, baseline shares) are emptied. Raises ValueError when a
    small count cannot be protected. Tables already concealed pass through, so calling it twice changes nothing.
    """
    concealed = {name: plain_marks(frame) for name, frame in results.items()}
    open_ = {name: concealed[name] for name in COUNTS if name in concealed and "suppressed" not in concealed[name]}
    ledger = Ledger(smallest)
    for name, frame in open_.items():
        ENTER[name](ledger, frame)
    compare_variations(ledger)
    hidden = protect(ledger.values, ledger.equations, smallest, ledger.secret, ledger.cost)
    for name, frame in open_.items():
        places = ledger.places.get(name, {})
        why = {
            column: {row: hidden[key] for row, key in places.get(column, {}).items() if key in hidden}
            for column in COUNTS[name]
        }
        concealed[name] = mark(frame, why, DERIVED.get(name, ()))
    concealed = hide_levels(concealed) if "table1" in open_ else concealed
    concealed = hide_crude(concealed) if "estimates" in open_ else concealed
    if "diagnostics" in concealed and "flow" in concealed:
        concealed["diagnostics"] = hide_matched(concealed["diagnostics"], concealed["flow"], smallest)
    for name, columns in ALONE_IN_TABLE.items():
        if name in concealed:
            concealed[name] = hide_few(concealed[name], columns, smallest)
    if "overlap" in concealed and "people" in concealed["overlap"]:
        concealed["overlap"] = merge_bins(concealed["overlap"], smallest)
    return concealed


def hide_matched(diagnostics: pd.DataFrame, flow: pd.DataFrame, smallest: int) -> pd.DataFrame:
    """Empty the shares of the matched where the matched or the lost are few: one of the two tells the other.

    And the size of the smaller arm, where the flow withholds how many were followed.
    """
    if "people" not in diagnostics:
        return diagnostics
    withheld = flow[flow["kind"].isin(["followed", "lost", "arm"]) & flow["remaining"].isna()]
    scopes = pd.MultiIndex.from_frame(diagnostics[SCOPE]).isin(pd.MultiIndex.from_frame(withheld[SCOPE]))
    size = (diagnostics["check"] == "smallest_arm") & scopes
    diagnostics = diagnostics.assign(value=diagnostics["value"].mask(size))
    lost = flow[flow["kind"] == "lost"]
    hidden = lost[lost["remaining"].isna()]
    few = {(*(row[name] for name in SCOPE), str(row["box"]).split(": ")[0]) for row in hidden.to_dict("records")}
    marks = [
        not pd.isna(row["people"])
        and (
            is_small(int(row["people"]), smallest)
            or (*(row[name] for name in SCOPE), str(row["check"]).rpartition("_")[2]) in few
        )
        for row in diagnostics.to_dict("records")
    ]
    hit = pd.Series(marks, index=diagnostics.index, dtype=bool)
    return diagnostics.assign(**{name: diagnostics[name].mask(hit) for name in ("value", "people")})


def hide_few(frame: pd.DataFrame, columns: Sequence[str], smallest: int) -> pd.DataFrame:
    """Empty small counts that no other table prints and no total holds, so that nothing gives them away."""
    for column in columns:
        few = frame[column].notna() & (frame[column] > 0) & (frame[column] < smallest)
        hidden = frame.get(f"{column}_hidden", pd.Series("", index=frame.index)).fillna("")
        frame = frame.assign(**{column: frame[column].mask(few), f"{column}_hidden": hidden.mask(few, "small")})
    return frame


def merge_bins(overlap: pd.DataFrame, smallest: int) -> pd.DataFrame:
    """Join bins of few people to their neighbours: the share of a bin of one is that person's survey weight."""
    keys = [*SCOPE, "arm"]
    told = {"low": "first", "high": "last", "share": "sum", "people": "sum"}
    parts = []
    for _, bins in overlap.groupby(keys, sort=False):
        joined = pd.Series(joined_bins([int(number) for number in bins["people"]], smallest), index=bins.index)
        parts.append(bins.groupby([*keys, joined.rename("bin")], sort=False).agg(told).reset_index(level=keys))
    return pd.concat(parts, ignore_index=True)[list(overlap.columns)] if parts else overlap


def joined_bins(people: Sequence[int], smallest: int) -> list[int]:
    """The number of the joined bin that each bin belongs to; bins of nobody stay apart where they can."""
    groups: list[list[int]] = []
    waiting: list[int] = []
    for place in range(len(people)):
        waiting.append(place)
        held = sum(people[each] for each in waiting)
        if held == 0 or held >= smallest:
            groups.append(waiting)
            waiting = []
    if waiting:
        # The last few join the last bin with anybody before them; what nobody is in beyond them stays apart.
        end = max(place for place in waiting if people[place])
        beyond = [[place] for place in waiting if place > end]
        inhabited = [number for number, group in enumerate(groups) if any(people[place] for place in group)]
        first = inhabited[-1] if inhabited else len(groups)
        few = [place for group in groups[first:] for place in group] + [place for place in waiting if place <= end]
        groups = [*groups[:first], few, *beyond]
    return [number for number, group in enumerate(groups) for _ in group]


def plain_marks(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame numbered from 0, its marks as text again where a file has made an empty one missing."""
    marks = [name for name in frame if str(name).endswith("_hidden")]
    return frame.reset_index(drop=True).assign(
        **{str(name): frame[name].astype(object).fillna("").astype(str).to_numpy() for name in marks}
    )


def hide_levels(results: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Empty what compares the arms on a level that is hidden in one of them: with the other arm's share it tells."""
    table1, scope = results["table1"], ["survey", "analysis"]
    level = table1["level"].fillna("")
    lines = pd.MultiIndex.from_frame(table1[[*scope, "variable"]].assign(level=level))
    gone = lines[table1["suppressed"]]
    results["table1"] = table1.assign(smd=table1["smd"].mask(lines.isin(gone)))
    if "balance" in results:
        balance = results["balance"]
        rows = pd.MultiIndex.from_frame(balance[[*scope, "covariate"]].assign(level=balance["level"].fillna("")))
        hit = rows.isin(gone) & (balance["stage"] == "before")
        emptied = [name for name in ("smd", "variance_ratio", "treated", "untreated") if name in balance]
        results["balance"] = balance.assign(**{name: balance[name].mask(hit) for name in emptied})
    return results


def hide_crude(results: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Empty crude estimates, and the risk beside the detectable difference, where an arm's events are hidden."""
    estimates = results["estimates"]
    risks = estimates[(estimates["scale"] == "risk") & estimates["suppressed"]]
    hit = pd.MultiIndex.from_frame(estimates[SCOPE]).isin(pd.MultiIndex.from_frame(risks[SCOPE]))
    crude = hit & ((estimates["estimator"] == "unadjusted") | (estimates["adjusted_for"].fillna("") == ""))
    emptied = ["estimate", "se", "low", "high", "p", "weighted_people"]
    results["estimates"] = estimates.assign(**{name: estimates[name].mask(crude) for name in emptied})
    if "detectable" in results:
        table = results["detectable"]
        same = pd.MultiIndex.from_frame(table[SCOPE]).isin(pd.MultiIndex.from_frame(risks[SCOPE]))
        results["detectable"] = table.assign(risk_untreated=table["risk_untreated"].mask(same))
    return results
