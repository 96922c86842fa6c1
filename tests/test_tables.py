"""Numbers, tables, and the hiding of small counts, which is attacked."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mock_results
from backpain.tables import background, numbers, views
from backpain.tables.conceal import ALONE, COUNTS, LEFT_OUT, conceal
from backpain.tables.html import Column, table
from backpain.tables.pick import chosen_estimator, sections
from backpain.tables.suppress import ONE, protect, suppress

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"


# --- numbers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("write", "number", "text"),
    [
        (numbers.count, 1234567, "1,234,567"),
        (numbers.count, 0, "0"),
        (numbers.percent, 0.1274, "12.7%"),
        (numbers.chance, 0.8, "80%"),
        (numbers.per_thousand, 0.0586, "58.6"),
        (numbers.difference, -0.0021, f"{MINUS}2.1"),
        (numbers.difference, 0.0021, "+2.1"),
        (numbers.difference, 0.00001, "0.0"),
        (numbers.difference, -0.00001, "0.0"),
        (numbers.difference, 1.2, "+1,200.0"),
        (numbers.ratio, 0.966, "0.97"),
        (numbers.p_value, 0.0004, "<0.001"),
        (numbers.p_value, 0.0123, "0.012"),
        (numbers.p_value, 0.41, "0.41"),
        (numbers.measured, 2040.0, "2,040"),
        (numbers.measured, 0.041, "0.041"),
        (numbers.measured, 7.346, "7.35"),
        (numbers.size, 4_120_400, "4.1 MB"),
        (numbers.magnitude, -0.0021, "2.1"),
        (numbers.direction, -0.0021, "fewer"),
        (numbers.direction, 0.0021, "more"),
    ],
)
def test_each_kind_of_number_has_one_way_of_being_written(write: Any, number: float, text: str) -> None:
    assert write(number) == text


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA, pd.NaT])
def test_a_missing_number_is_a_dash_whatever_its_kind(nothing: Any) -> None:
    writers = (numbers.count, numbers.percent, numbers.per_thousand, numbers.difference, numbers.ratio)
    assert {write(nothing) for write in (*writers, numbers.p_value, numbers.measured)} == {DASH}


def test_an_estimate_carries_its_interval_in_the_unit_of_its_scale() -> None:
    row = {"estimate": -0.0021, "low": -0.018, "high": 0.0138}
    assert numbers.with_interval(row, "risk-difference") == f"{MINUS}2.1 ({MINUS}18.0 to +13.8)"
    assert numbers.with_interval({"estimate": 0.97, "low": 0.7, "high": 1.3}, "risk-ratio") == "0.97 (0.70 to 1.30)"
    assert numbers.with_interval({**row, "low": np.nan}, "risk-difference") == f"{MINUS}2.1"


def test_a_scale_without_a_number_format_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="furlongs"):
        numbers.effect(1.0, "furlongs")


def test_a_failed_gate_says_in_words_what_failed() -> None:
    assert numbers.gate_words("failed: largest_smd, least_overlap") == "did not pass (balance, overlap)"
    assert not numbers.failed("passed")
    assert not numbers.failed("description")


# --- hiding, and the attack on it ----------------------------------------------------------------------------------


def feasible(
    bounds: Mapping[Any, tuple[int, int]], equations: Sequence[Mapping[Any, int]], totals: Sequence[int]
) -> bool:
    """Whether whole numbers inside the bounds satisfy all equations (sum of factor times unknown is the total)."""
    limits = dict(bounds)
    changed = True
    while changed:
        changed = False
        for equation, total in zip(equations, totals, strict=True):
            for key, factor in equation.items():
                ends = [
                    sorted(other_factor * end for end in limits[other])
                    for other, other_factor in equation.items()
                    if other != key
                ]
                low, high = total - sum(end[1] for end in ends), total - sum(end[0] for end in ends)
                low, high = (low, high) if factor > 0 else (-high, -low)
                new = max(limits[key][0], low), min(limits[key][1], high)
                if new[0] > new[1]:
                    return False
                if new != limits[key]:
                    limits[key], changed = new, True
    free = [key for key, (low, high) in limits.items() if low < high and any(key in one for one in equations)]
    if not free:
        return True
    key = min(free, key=lambda name: limits[name][1] - limits[name][0])
    return any(
        feasible({**limits, key: (value, value)}, equations, totals)
        for value in range(limits[key][0], limits[key][1] + 1)
    )


def possible_values(
    target: Any,
    known: Mapping[Any, int],
    unknown: Mapping[Any, tuple[int, int]],
    equations: Iterable[Mapping[Any, int]],
    smallest: int,
) -> set[int]:
    """Every value below the smallest cell that somebody who tries them all cannot rule out for the target."""
    left = [{key: factor for key, factor in one.items() if key in unknown} for one in equations]
    right = [-sum(factor * known[key] for key, factor in one.items() if key not in unknown) for one in equations]
    kept = [(one, total) for one, total in zip(left, right, strict=True) if one]
    return {
        value
        for value in range(1, smallest)
        if feasible({**unknown, target: (value, value)}, [one for one, _ in kept], [total for _, total in kept])
    }


def bounds_of(how: str, smallest: int, most: int) -> tuple[int, int]:
    """What the mark of a hidden cell tells a reader."""
    return (1, smallest - 1) if how == "small" else (smallest, most)


def two_way(rng: np.random.Generator) -> tuple[dict[Any, int], list[dict[Any, int]]]:
    """A table of counts with printed row, column and grand totals."""
    rows, columns = range(3), range(4)
    values: dict[Any, int] = {
        (row, column): int(rng.choice([0, 1, 2, 3, 4, 6, 9, 17, 40], p=[0.1] * 4 + [0.12] * 5))
        for row, column in itertools.product(rows, columns)
    }
    equations: list[dict[Any, int]] = []
    for row in rows:
        values["row", row] = sum(values[row, column] for column in columns)
        equations.append({**{(row, column): 1 for column in columns}, ("row", row): -1})
    for column in columns:
        values["column", column] = sum(values[row, column] for row in rows)
        equations.append({**{(row, column): 1 for row in rows}, ("column", column): -1})
    values["all"] = sum(values["row", row] for row in rows)
    equations.append({**{("row", row): 1 for row in rows}, "all": -1})
    return values, equations


@pytest.mark.parametrize("seed", range(25))
def test_no_small_count_of_a_two_way_table_survives_an_attacker_who_tries_everything(seed: int) -> None:
    smallest = 5
    values, equations = two_way(np.random.default_rng(seed))
    hidden = protect(values, equations, smallest)
    small = [key for key, number in values.items() if 0 < number < smallest]
    unknown = {key: bounds_of(how, smallest, 500) for key, how in hidden.items()}
    assert set(small) <= set(hidden)
    for key in small:
        assert len(possible_values(key, values, unknown, equations, smallest)) > 1, f"{key} of seed {seed} is deduced"


def test_the_attacker_does_find_a_count_that_only_primary_suppression_hides() -> None:
    values = {"a": 40, "b": 3, "c": 20, "all": 63}
    equations = [{"a": 1, "b": 1, "c": 1, "all": -1}]
    assert possible_values("b", values, {"b": (1, 4)}, equations, 5) == {3}
    hidden = protect(values, equations, 5)
    assert hidden == {"b": "small", "c": "withheld"}
    unknown = {key: bounds_of(how, 5, 100) for key, how in hidden.items()}
    assert possible_values("b", values, unknown, equations, 5) == {1, 2, 3, 4}


def test_two_ones_that_must_add_up_to_two_are_not_left_alone() -> None:
    hidden = protect({"a": 1, "b": 1, "c": 30}, [{"a": 1, "b": 1, "c": 1, ONE: -32}], 5)
    assert hidden == {"a": "small", "b": "small", "c": "withheld"}


def test_a_smallest_cell_of_two_is_refused_because_it_would_say_one() -> None:
    with pytest.raises(ValueError, match="would say 1"):
        protect({"a": 1}, [], 2)


def test_a_small_count_that_nothing_can_protect_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing is left to withhold"):
        protect({"a": 3}, [{"a": 1, ONE: -3}], 5)


def test_in_a_category_table_the_next_smallest_goes_with_a_lone_small_cell_and_takes_its_shares_along() -> None:
    frame = pd.DataFrame(
        {"arm": ["treated"] * 3 + ["untreated"] * 3, "people": [50, 3, 20, 30, 40, 50], "share": [0.5] * 6}
    )
    shown = suppress(frame, "people", smallest=5, within=["arm"], derived=["share"])
    assert shown["people_hidden"].tolist() == ["", "small", "withheld", "", "", ""]
    assert shown["suppressed"].tolist() == [False, True, True, False, False, False]
    assert shown["people"].isna().tolist() == shown["share"].isna().tolist() == shown["suppressed"].tolist()


def test_a_small_complement_to_a_known_total_is_hidden_by_withholding_the_count() -> None:
    frame = pd.DataFrame({"arm": ["treated", "untreated"], "events": [97, 40], "people": [100, 100]})
    shown = suppress(frame, "events", total="people", smallest=5, within=["arm"])
    assert shown["events_hidden"].tolist() == ["withheld", ""]


def test_zero_and_the_smallest_cell_itself_are_printed() -> None:
    shown = suppress(pd.DataFrame({"people": [0, 5, 200]}), "people", smallest=5)
    assert not shown["suppressed"].any()


def printed(frame: pd.DataFrame, row: int, column: str, smallest: int) -> tuple[int | None, tuple[int, int]]:
    """A printed count, or what its mark says of it."""
    value, how = frame.loc[row, column], frame.loc[row, f"{column}_hidden"]
    return (None if pd.isna(value) else int(value)), bounds_of(str(how), smallest, 20_000)


class Attacker:
    """Somebody who has the printed tables and knows how people add up; nothing of the package's own relations."""

    def __init__(self, shown: Mapping[str, pd.DataFrame], truth: Mapping[str, pd.DataFrame], smallest: int) -> None:
        self.smallest = smallest
        self.known: dict[Any, int] = {}
        self.unknown: dict[Any, tuple[int, int]] = {}
        self.small: dict[Any, int] = {}
        self.equations: list[dict[Any, int]] = []
        self.read_flow(shown["flow"], truth["flow"])
        self.read_table1(shown["table1"], truth["table1"])
        self.read_missingness(shown["missingness"], truth["missingness"])
        self.read_estimates(shown["estimates"], truth["estimates"])

    def see(self, name: Any, shown: pd.DataFrame, truth: pd.DataFrame, row: int, column: str) -> None:
        value, limits = printed(shown, row, column, self.smallest)
        actual = truth.loc[row, column]
        if pd.isna(actual):
            return
        if value is None:
            self.unknown[name] = limits
            if 0 < actual < self.smallest:
                self.small[name] = int(actual)
        else:
            assert value == actual
            self.known[name] = value

    def add(self, parts: Iterable[Any], whole: Any) -> None:
        equation = {**dict.fromkeys(parts, 1), whole: -1}
        if all(key in self.known or key in self.unknown for key in equation):
            self.equations.append(equation)

    def read_flow(self, shown: pd.DataFrame, truth: pd.DataFrame) -> None:
        last = None
        for row, box in truth.iterrows():
            if box["kind"] in ("start", "excluded"):
                self.see(("left", row), shown, truth, row, "remaining")
                self.see(("out", row), shown, truth, row, "left_out")
                self.add([("left", row), ("out", row)], ("left", row - 1))
                last = ("left", row)
                continue
            arm, _, end = box["box"].partition(": ")
            end = end if end in ("followed", "lost", "") else "events"
            self.see(("main", end or "people", arm), shown, truth, row, "remaining")
        self.add([("main", "people", "treated"), ("main", "people", "untreated")], last)
        for arm in ("treated", "untreated"):
            self.add([("main", "followed", arm), ("main", "lost", arm)], ("main", "people", arm))

    def read_table1(self, shown: pd.DataFrame, truth: pd.DataFrame) -> None:
        for (variable, arm), rows in truth.groupby(["variable", "arm"]):
            for row, line in rows.iterrows():
                self.see((variable, line["level"], arm), shown, truth, row, "people")
            self.add([(variable, level, arm) for level in rows["level"]], ("main", "people", arm))

    def read_missingness(self, shown: pd.DataFrame, truth: pd.DataFrame) -> None:
        for row, line in truth.iterrows():
            name = (line["variable"], "missing", line["arm"])
            if name in self.unknown and not pd.isna(shown.loc[row, "missing"]):
                self.known[name] = int(shown.loc[row, "missing"])
                del self.unknown[name]

    def read_estimates(self, shown: pd.DataFrame, truth: pd.DataFrame) -> None:
        for row, line in truth.iterrows():
            for kind in ("people", "events"):
                name = (line["variation"], kind, line["arm"])
                if name not in self.known:
                    self.unknown.pop(name, None)
                    self.see(name, shown, truth, row, kind)
        for variation in truth["variation"].unique():
            for kind in ("people", "events"):
                arms = [(variation, kind, arm) for arm in ("treated", "untreated")]
                self.add(arms, (variation, kind, "treated vs untreated"))
        self.read_panels(list(truth["variation"].unique()))

    def read_panels(self, variations: list[str]) -> None:
        alone = [name for name in variations if name.startswith(ALONE)]
        for kind, arm in itertools.product(("people", "events"), ("treated", "untreated", "treated vs untreated")):
            self.add([(name, kind, arm) for name in alone], ("main", kind, arm))
            for name in alone:
                without = name.replace(ALONE, LEFT_OUT)
                self.add([(name, kind, arm), (without, kind, arm)], ("main", kind, arm))

    def deduce(self) -> dict[Any, set[int]]:
        """For every small count, the values that are still possible."""
        return {
            name: possible_values(name, self.known, self.unknown, self.equations, self.smallest) for name in self.small
        }


def trial_results() -> tuple[dict[str, pd.DataFrame], int]:
    """The trial of the made-up public run, whose small counts cross tables and variations."""
    results, facts = mock_results.public_run()
    kept = {
        name: results[name][results[name]["survey"] == "meps"].reset_index(drop=True)
        for name in ("flow", "table1", "missingness", "estimates")
    }
    return kept, facts["smallest_cell"]


def test_no_small_count_of_a_whole_run_survives_an_attacker_who_reads_all_its_tables() -> None:
    results, smallest = trial_results()
    found = Attacker(conceal(results, smallest), results, smallest).deduce()
    assert len(found) >= 3, "the made-up run has small counts in the flow, the baseline table and a panel"
    assert all(len(values) > 1 for values in found.values()), found


def test_that_attacker_breaks_tables_that_hide_the_small_counts_alone() -> None:
    results, smallest = trial_results()
    shown = {}
    for name, frame in results.items():
        shown[name] = frame.copy()
        for column in COUNTS[name]:
            small = (frame[column] > 0) & (frame[column] < smallest)
            shown[name][f"{column}_hidden"] = np.where(small, "small", "")
            shown[name][column] = frame[column].astype("Float64").mask(small)
    found = Attacker(shown, results, smallest).deduce()
    assert all(len(values) == 1 for values in found.values()), found


def test_a_panel_under_another_name_does_not_print_what_is_withheld_of_it() -> None:
    results, smallest = trial_results()
    estimates = results["estimates"]
    twin = estimates[estimates["variation"] == "without-panel-13"].assign(variation="before-the-change")
    results["estimates"] = pd.concat([estimates, twin], ignore_index=True)
    shown = conceal(results, smallest)["estimates"]
    marks = shown.set_index(["variation", "estimator", "scale", "arm"])["events_hidden"]
    assert (marks["without-panel-13"] == "withheld").any()
    assert marks["without-panel-13"].equals(marks["before-the-change"])


def test_the_names_of_panel_variations_are_those_the_declarations_make() -> None:
    from backpain.spec import load_protocol, load_survey, variations

    names = [one.name for one in variations(load_protocol("treatment-landmark"), load_survey("meps"))]
    alone = [name for name in names if name.startswith(ALONE)]
    assert len(alone) > 2
    assert {name.replace(ALONE, LEFT_OUT) for name in alone} <= set(names)


def test_crude_estimates_go_with_the_hidden_events_they_would_give_away() -> None:
    results, smallest = trial_results()
    shown = conceal(results, smallest)["estimates"]
    panel = shown[(shown["variation"] == "only-panel-14") & (shown["scale"] == "risk") & (shown["arm"] == "untreated")]
    assert panel["events_hidden"].tolist() == ["small"] * 3
    assert panel.set_index("estimator")["estimate"].isna().to_dict() == {
        "unadjusted": True, "weighting": False, "standardisation": False,
    }  # fmt: skip


def test_what_compares_the_arms_on_a_level_hidden_in_one_of_them_is_hidden_too() -> None:
    results, facts = mock_results.public_run()
    shown = conceal(results, facts["smallest_cell"])
    lines = shown["table1"].set_index(["variable", "level"])["smd"]
    assert lines[("smoking", "former")].isna().all()
    assert lines[("smoking", "never")].notna().all()
    smd = shown["balance"].set_index(["covariate", "level", "stage"])["smd"]
    assert np.isnan(smd["smoking", "former", "before"])
    assert smd["smoking", "former", "after"] == pytest.approx(
        results["balance"].set_index(["covariate", "level", "stage"])["smd"]["smoking", "former", "after"]
    )


def test_concealing_twice_or_after_a_file_changes_nothing(tmp_path: Any) -> None:
    results, facts = mock_results.public_run()
    once = conceal(results, facts["smallest_cell"])
    for name in set(COUNTS) & set(results):
        once[name].to_csv(tmp_path / name, index=False)
        back = conceal({name: pd.read_csv(tmp_path / name, keep_default_na=False, na_values=[""])}, 10)[name]
        for column in COUNTS[name]:
            assert back[f"{column}_hidden"].tolist() == once[name][f"{column}_hidden"].tolist()
            assert back[column].isna().tolist() == once[name][column].isna().tolist()


def test_a_run_without_small_counts_is_printed_whole() -> None:
    results, _ = mock_results.public_run()
    shown = conceal(results, 0)
    assert not any(shown[name]["suppressed"].any() for name in set(COUNTS) & set(results))
    assert shown["estimates"]["estimate"].equals(results["estimates"]["estimate"])


# --- tables --------------------------------------------------------------------------------------------------------


class Cells(HTMLParser):
    """The texts of a table's cells, row by row."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.inside = False
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.inside = True

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def public() -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    results, facts = mock_results.public_run()
    return conceal(results, facts["smallest_cell"]), facts


def test_hidden_counts_are_shown_as_such_with_a_note(public: Any) -> None:
    tables, facts = public
    markup = views.table1(tables["table1"], facts["variables"], facts["smallest_cell"], "t")
    rows = {row[0]: row for row in Cells(markup).rows}
    assert rows["Former"] == ["Former", "41", "0.6% (0.0 to 2.6)", "<10", DASH, DASH]
    assert rows["Current"][3] == "withheld"
    assert "&lt;10: fewer than 10 people. Withheld:" in markup


def test_an_estimate_that_did_not_pass_is_marked_in_the_table_of_variations(public: Any) -> None:
    tables, facts = public
    section = sections(tables, facts)[0]
    markup = views.estimates(section.estimates, facts["smallest_cell"], "t")
    rows = Cells(markup).rows
    start = next(place for place, row in enumerate(rows) if row == ["Visits only"])
    assert {row[-1] for row in rows[start + 1 : start + 4]} == {"Did not pass (balance, overlap)"}
    body = [row for row in rows[1:] if len(row) == len(rows[0])]
    assert markup.count('class="not-an-answer"') == sum(row[-1] != "Passed" for row in body) > 0


def test_the_harmonisation_matrix_has_a_column_for_each_survey_and_says_why_not(public: Any) -> None:
    tables, facts = public
    rows = Cells(background.harmonisation(tables["harmonisation"], facts["surveys"], "t")).rows
    assert rows[0] == ["Variable", *facts["surveys"].values()]
    assert rows[-1][1] == "Not available: not in the extract"


def test_text_from_data_cannot_become_markup() -> None:
    frame = pd.DataFrame({"a": ["<script>alert(1)</script>"]})
    assert "<script" not in table(frame, [Column("a", "A & B")], identity="t", caption="<b>")


def test_a_column_the_frame_lacks_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="table t: the frame has no column b"):
        table(pd.DataFrame({"a": [1]}), [Column("b", "B")], identity="t", caption="c")


def test_a_groups_rows_stand_in_a_body_of_their_own() -> None:
    frame = pd.DataFrame({"group": ["x", "x", "y"], "a": [1, 2, 3]})
    markup = table(frame, [Column("a", "A")], identity="t", caption="c", group="group")
    assert markup.count("<tbody>") == markup.count("</tbody>") == 2
    assert markup.count('scope="rowgroup"') == 2


def test_the_declared_estimator_speaks_and_the_crude_one_only_where_it_is_alone(public: Any) -> None:
    tables, facts = public
    trial = sections(tables, facts)[0]
    assert trial.speaking["main"] == "weighting"
    assert trial.speaking["unadjusted"] == "unadjusted"
    with pytest.raises(ValueError, match="voodoo"):
        chosen_estimator(pd.DataFrame({"estimator": ["voodoo"]}), "weighting")


def test_a_section_speaks_in_declared_words(public: Any) -> None:
    tables, facts = public
    trial, groups = sections(tables, facts)
    assert trial.variation("new-episode") == "New episode (depression first reported in rounds 2-3)"
    assert trial.variation("only-panel-13") == "Panel 13"
    assert groups.arm("treated below 10 vs untreated below 10") == (
        "Antidepressant, PHQ-9 below 10 against No antidepressant, PHQ-9 below 10"
    )


@pytest.mark.parametrize(
    ("people", "joined"),
    [
        ([0, 1, 0, 7, 9, 0, 2, 0], [0, 8, 11, 0]),
        ([0, 0, 10, 3, 0, 0], [0, 0, 13, 0, 0]),
        ([0, 6, 2, 2, 0, 0, 1], [0, 6, 5]),
        ([2, 9, 0, 0], [11, 0, 0]),
        ([5, 0, 5], [5, 0, 5]),
        ([1, 1, 1, 0], [3, 0]),
    ],
)
def test_bins_of_few_people_are_joined_to_their_neighbours(people: list[int], joined: list[int]) -> None:
    from backpain.tables.conceal import merge_bins

    edges = np.linspace(0, 1, len(people) + 1)
    bins = pd.DataFrame(
        {"low": edges[:-1], "high": edges[1:], "share": np.array(people) / sum(people), "people": people}
    )
    frame = bins.assign(survey="s", analysis="a", variation="main", arm="treated")
    merged = merge_bins(frame, 5)
    assert merged["people"].tolist() == joined
    assert merged["share"].sum() == pytest.approx(1)
    assert (merged["low"].tolist()[0], merged["high"].tolist()[-1]) == (0, 1)
    assert (merged["low"].tolist()[1:]) == merged["high"].tolist()[:-1], "no gap between bins"
    pd.testing.assert_frame_equal(merge_bins(merged, 5), merged)


def test_a_matched_share_does_not_give_a_few_matched_or_lost_people_away() -> None:
    from backpain.tables.conceal import hide_matched

    scope = {"survey": "s", "analysis": "a", "variation": "main"}
    check = "matched_share_without_record_"
    diagnostics = pd.DataFrame(
        [
            {**scope, "check": f"{check}treated", "value": 3 / 40, "people": 3},
            {**scope, "check": f"{check}untreated", "value": 54 / 57, "people": 54},
            {**scope, "check": "lost_share_treated", "value": 0.06, "people": None},
        ]
    ).astype({"people": "Int64"})
    flow = pd.DataFrame(
        [
            {**scope, "box": "treated: lost", "kind": "lost", "remaining": 37.0},
            {**scope, "box": "untreated: lost", "kind": "lost", "remaining": np.nan},
        ]
    )
    told = hide_matched(diagnostics, flow, 5)
    assert told["value"].isna().tolist() == [True, True, False]
    assert told["people"].isna().all()
    open_ = hide_matched(
        diagnostics.assign(people=pd.array([30, 54, None], dtype="Int64")), flow.assign(remaining=37.0), 5
    )
    assert open_["value"].notna().all()


def test_every_further_check_has_a_name_in_words() -> None:
    assert numbers.check_name("effective_people_untreated") == "effective number of untreated people"
    assert numbers.check_name("lost_share_treated") == "share of the treated who were lost"
    assert numbers.check_name("p_treatment_by_confounders").startswith("p of all products")
    assert numbers.check_name("largest_smd") == "balance"
    assert numbers.check_name("something_else") == "something else"
    assert numbers.measured(1204.71) == "1,205"
    assert numbers.measured(0.52) == "0.52"
