"""Figures: what they show, that they refuse what they cannot show, and that they are the same every time."""

from __future__ import annotations

import itertools
import re
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import mock_results
from backpain.figures import diagnostics, effects, evidence, forests, people
from backpain.figures.style import STYLE, label, save, svg
from backpain.tables.conceal import conceal
from backpain.tables.pick import Section, sections

MINUS = "\N{MINUS SIGN}"


def texts(figure: Figure) -> list[str]:
    """All text of a figure, without the blanks that hold it off."""
    found = [text for axes in figure.axes for text in axes.texts]
    names = [axes.get_xlabel() for axes in figure.axes]
    return [text.get_text().strip("\u00a0 ") for text in found] + names


@pytest.fixture(scope="module")
def public() -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    return mock_results.public_run()


@pytest.fixture(scope="module")
def trial(public: Any) -> Section:
    results, facts = public
    return sections(conceal(results, facts["smallest_cell"]), facts)[0]


def test_every_figure_of_a_run_is_drawn_under_the_name_the_report_looks_for(public: Any) -> None:
    drawn = mock_results.draw_all(*public)
    trial = ["flow", "windows", "missingness", "love", "overlap", "risks", "detectable", "forest", "estimators"]
    trial += ["controls", "tipping"]
    expected = [f"treatment-onset.meps.{name}" for name in trial]
    assert list(drawn) == [*expected[:5], *expected[5:], "four-groups.nhanes-2009-2010.groups", "evidence"]


def test_the_same_results_give_the_same_bytes_whatever_the_users_settings(public: Any, tmp_path: Any) -> None:
    first = {name: svg(figure) for name, figure in mock_results.draw_all(*public).items()}
    with mpl.rc_context({"font.size": 30, "svg.hashsalt": None, "axes.grid": True}):
        second = {name: svg(figure) for name, figure in mock_results.draw_all(*public).items()}
    assert first == second
    save(mock_results.draw_all(*public)["evidence"], tmp_path / "evidence.svg")
    assert (tmp_path / "evidence.svg").read_text(encoding="utf-8") == first["evidence"]


def test_no_figure_holds_a_date_or_a_path(public: Any) -> None:
    for name, figure in mock_results.draw_all(*public).items():
        text = svg(figure)
        assert "dc:date" not in text, name
        assert "<text" in text, f"{name}: text must stay text"


def test_the_flow_prints_every_count_and_hides_what_is_hidden(trial: Section) -> None:
    found = texts(people.flow(trial.boxes, 10))
    assert {"181,234", "140,010", "10,058", "7,333", "2,725", "382", "134", "<10", "withheld"} <= set(found)
    assert "2,907" not in found, "this count would give away the small one"
    assert "newly reported back pain" in found


def test_windows_are_counted_from_time_zero() -> None:
    figure = people.windows({"treatment": [0, 12], "outcome": [12, 24]}, 12, "the end of year 1")
    bars = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in figure.axes[0].patches]
    assert bars == [(-12, 0), (0, 12)]
    assert figure.axes[0].get_xlabel() == "Months from time zero (the end of year 1)"


def test_a_protocol_without_windows_is_refused() -> None:
    with pytest.raises(ValueError, match="declares none"):
        people.windows({})


def test_missingness_shows_only_variables_that_lack_values(trial: Section) -> None:
    found = texts(people.missingness(trial.rows("missingness"), trial.facts["variables"], 10))
    assert "Smoking" in found
    assert "Age" not in found
    assert "treated 4.0%" in found


def test_nothing_missing_is_said_in_words(trial: Section) -> None:
    frame = trial.rows("missingness").assign(missing=0)
    assert "Nobody lacks a value of any variable." in texts(people.missingness(frame, {}))


def test_balance_is_sorted_by_what_was_worst_before_and_shows_the_gates_limit(trial: Section) -> None:
    figure = diagnostics.love(trial.balance, trial.facts["variables"], 0.1)
    before, after = (np.asarray(points.get_offsets())[:, 0] for points in figure.axes[0].collections[:2])
    seen = before[~np.isnan(before)]
    assert list(seen) == sorted(seen, reverse=True)
    assert np.isnan(before).sum() == 2, "the two levels hidden in an arm"
    assert after.max() < 0.1
    assert "limit 0.1" in texts(figure)


def test_overlap_mirrors_the_arms(trial: Section) -> None:
    rows = trial.rows("overlap")
    bars = diagnostics.overlap(rows).axes[0].patches
    narrowest = float((rows["high"] - rows["low"]).min())
    # A bin's share is its area, in the width of the narrowest.
    areas = [bar.get_height() * (bar.get_width() + 0.08 * narrowest) / narrowest for bar in bars]
    assert sum(area for area in areas if area > 0) == pytest.approx(1)
    assert sum(area for area in areas if area < 0) == pytest.approx(-1)


def markers(figure: Figure) -> list[tuple[str, bool]]:
    """Colour of each point, and whether it is filled."""
    lines = [line for axes in figure.axes for line in axes.lines if line.get_marker() in ("o", "s")]
    return [(to_hex(line.get_color()), line.get_markerfacecolor() != STYLE["paper"]) for line in lines]


def test_an_estimate_that_did_not_pass_is_hollow_and_says_so(trial: Section) -> None:
    lines = trial.lines("risk-difference").iloc[:4]
    assert lines["gate"].tolist()[3].startswith("failed")
    figure = forests.forest(lines)
    assert [filled for _, filled in markers(figure)] == [True, True, True, False]
    assert markers(figure)[3][0] == STYLE["failed"]
    found = texts(figure)
    assert "did not pass (balance, overlap)" in found
    assert len([text for text in found if text.endswith(")") and " to " in text and "interval" not in text]) == 3


def test_every_estimator_of_the_declared_analysis_has_a_row_that_says_whom_it_is_about(trial: Section) -> None:
    rows = trial.by_estimator
    assert rows["estimator"].tolist()[0] == trial.speaking["main"]
    assert rows["estimator"].is_unique
    figure = forests.by_estimator(rows.assign(population=["everyone", *["overlap"] * (len(rows) - 1)]))
    assert {"Everyone", "The overlap", *rows["estimator_label"]} <= set(texts(figure))


def test_the_planted_truth_is_that_of_the_declared_analysis_alone(trial: Section) -> None:
    figure = forests.forest(trial.lines("risk-difference"), truth=-0.02)
    axes = figure.axes[0]
    planted = [line for line in axes.get_lines() if line.get_color() == STYLE["truth"]]
    bottom, top = axes.get_ylim()
    end = bottom + planted[0].get_ydata()[0] * (top - bottom)
    # The line ends below the declared analysis, the first of the rows.
    assert 1.0 < end < 2.5


def test_single_panels_are_hollow_under_a_heading_of_their_own(trial: Section) -> None:
    lines = trial.lines("risk-difference")
    panels = lines[lines["gate"] == "description"]
    figure = forests.forest(panels)
    assert not any(filled for _, filled in markers(figure))
    assert forests.FAMILIES["only"] in texts(figure)


def test_a_wide_interval_is_cut_with_an_arrow_and_does_not_flatten_the_rest(trial: Section) -> None:
    lines = trial.lines("risk-difference")
    wide = lines.assign(high=lines["high"].where(lines["variation"] != "only-panel-14", 5.0))
    axes = forests.forest(wide).axes[0]
    assert axes.get_xlim()[1] < 1000
    assert ">" in [line.get_marker() for line in axes.lines]


def test_the_simulated_truth_is_drawn_and_named(trial: Section) -> None:
    lines = trial.lines("risk-difference").iloc[:2]
    assert f"simulated truth {MINUS}21.0" in texts(forests.forest(lines, truth=-0.021))
    assert not [text for text in texts(forests.forest(lines)) if "truth" in text]
    assert f"simulated truth {MINUS}21.0" in texts(effects.detectable(trial.main, 0.02, 0.8, truth=-0.021))


def test_the_band_of_the_detectable_difference_is_as_wide_as_it_says(trial: Section) -> None:
    figure = effects.detectable(trial.main, 0.0199, 0.8)
    band = figure.axes[0].collections[0].get_paths()[0].get_extents()
    assert (band.x0, band.x1) == pytest.approx((-19.9, 19.9))
    assert {f"{MINUS}19.9", "+19.9", "in this band: power below 80%"} <= set(texts(figure))


def test_absolute_risks_are_per_thousand_and_hollow_when_the_gate_failed(trial: Section) -> None:
    risks = trial.lines("risk", "main")
    assert f"{1000 * risks['estimate'].iloc[0]:.1f}" in " ".join(texts(effects.absolute_risks(risks)))
    assert all(filled for _, filled in markers(effects.absolute_risks(risks)))
    refused = effects.absolute_risks(risks.assign(gate="failed: largest_smd"))
    assert not any(filled for _, filled in markers(refused))


def test_groups_show_crude_and_standardised_prevalence_side_by_side(public: Any) -> None:
    section = sections(conceal(public[0], 10), public[1])[1]
    frame = section.estimates
    found = texts(effects.groups(frame[frame["scale"] == "risk"], section.outcome, 10))
    assert {"342.0 (207.4 to 476.6)", "352.0 (217.4 to 486.6)", "No antidepressant, PHQ-9 below 10"} <= set(found)
    assert "People with back pain at present per 1,000 (cross-sectional)" in found


def test_evidence_is_grouped_by_contrast_with_ours_beside_it_and_nothing_pooled(public: Any) -> None:
    figure = evidence.draw(*public)["evidence"]
    found = texts(figure)
    arrow = "\N{RIGHTWARDS ARROW}"
    assert {f"Depression {arrow} back pain", f"Depression treatment {arrow} pain", f"Load {arrow} back pain"} <= set(
        found
    )
    assert "This study" in found
    assert f"{MINUS}5.3 ({MINUS}7.3 to {MINUS}3.3)" in found
    published = len(public[0]["evidence"])
    assert len(markers(figure)) == published + 1


def test_our_estimate_is_hollow_and_without_numbers_beside_the_evidence_when_its_gate_failed(public: Any) -> None:
    results, facts = public
    estimates = results["estimates"]
    main = (estimates["variation"] == "main") & (estimates["analysis"] == "treatment-onset")
    refused = {**results, "estimates": estimates.assign(gate=estimates["gate"].mask(main, "failed: least_overlap"))}
    figure = evidence.draw(refused, facts)["evidence"]
    assert [filled for _, filled in markers(figure)].count(False) == 1
    assert "did not pass its diagnostics" in texts(figure)


def test_a_table_without_what_a_figure_needs_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="balance: no column smd"):
        diagnostics.love(pd.DataFrame({"covariate": [], "level": [], "stage": []}), {})
    with pytest.raises(ValueError, match="overlap: no rows"):
        diagnostics.overlap(pd.DataFrame({"arm": [], "low": [], "high": [], "share": []}))


def test_labels_come_from_the_declared_variables() -> None:
    assert label(mock_results.VARIABLES, "sex", "female") == "Sex: Women"
    assert label(mock_results.VARIABLES, "age") == "Age"
    assert label({}, "family_size", "squared") == "Family size, squared"


def luminance(colour: str) -> float:
    """Relative luminance of a colour (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours (WCAG 2.2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_text_in_figures_can_be_read_and_marks_can_be_seen() -> None:
    for name in ("ink", "muted", "treated", "untreated", "truth"):
        assert contrast(STYLE[name], STYLE["paper"]) >= 4.5, name
    assert contrast(STYLE["failed"], STYLE["paper"]) >= 3


def test_colours_differ_so_that_the_page_can_exchange_them() -> None:
    assert len(set(STYLE.values())) == len(STYLE)
    assert all(re.fullmatch(r"#[0-9a-f]{6}", colour) for colour in STYLE.values())
    assert all(one not in other for one, other in itertools.permutations(STYLE.values(), 2))
