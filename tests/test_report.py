"""The page: that it is complete, honest, self-contained and accessible, and that a missing number stops it."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import pytest

import mock_results
from backpain.figures.style import STYLE, svg
from backpain.report import headline, render
from backpain.report.drawing import embed
from backpain.report.page import build, read

TEMPLATES = Path(__file__).parents[1] / "workflow" / "report"
VOID = {"meta", "link", "br", "hr", "img", "input", "col", "path", "use", "rect", "line", "circle"}
MINUS = "\N{MINUS SIGN}"


class Page(HTMLParser):
    """A page's elements, checked to be nested properly, with its ids, links, headings and texts."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[tuple[int, str]] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.attributes.append((tag, found))
        if found.get("id"):
            self.ids.append(str(found["id"]))
        for name in ("aria-labelledby", "for"):
            self.references += str(found.get(name) or "").split()
        href = str(found.get("href") or "")
        self.references += [href[1:]] if href.startswith("#") else []
        if re.fullmatch("h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> inside <{self.open[-1]}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if any(tag in ("h1", "h2", "h3") for tag in self.open):
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data)
        if "style" not in self.open:
            self.text += data


def pages_of(run: Any) -> str:
    results, facts = run
    drawn = {name: svg(figure) for name, figure in mock_results.draw_all(results, facts).items()}
    return render(results, drawn, facts, TEMPLATES)


@pytest.fixture(scope="module")
def demo() -> str:
    return pages_of(mock_results.demo_run())


@pytest.fixture(scope="module")
def public() -> str:
    return pages_of(mock_results.public_run())


@pytest.fixture(scope="module")
def drawn() -> dict[str, str]:
    return {name: svg(figure) for name, figure in mock_results.draw_all(*mock_results.public_run()).items()}


@pytest.fixture(params=["demo", "public"])
def page(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


def words_of(markup: str) -> str:
    """The page's text with single blanks."""
    return " ".join(Page(markup).text.split())


def test_a_page_is_well_formed_with_one_of_each_id_and_no_dead_link(page: str) -> None:
    found = Page(page)
    assert found.open == []
    assert [name for name, times in Counter(found.ids).items() if times > 1] == []
    assert set(found.references) - set(found.ids) == set()


def test_a_page_loads_nothing_from_outside_and_runs_nothing(page: str) -> None:
    found = Page(page)
    assert not {tag for tag, _ in found.attributes} & {"script", "iframe", "object", "embed", "link", "img"}
    sources = [
        str(value) for _, attrs in found.attributes for name, value in attrs.items() if name in ("src", "srcset")
    ]
    assert sources == []
    assert not [name for _, attrs in found.attributes for name in attrs if name.startswith("on")]
    loads = re.findall(r"url\(\s*['\"]?([^)]{0,12})", page)
    assert all(load.startswith(("data:", "#")) for load in loads)
    assert "@import" not in page
    assert "http" not in re.sub(r'<a href="https://[^"]+"', "", page)


def test_the_page_stays_small(page: str) -> None:
    assert len(page.encode()) < 3_000_000


def test_the_same_input_gives_the_same_bytes(public: str) -> None:
    assert pages_of(mock_results.public_run()) == public


def test_headings_descend_without_a_gap_and_the_order_is_the_argument(public: str) -> None:
    found = Page(public).headings
    levels = [level for level, _ in found]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    order = [text.strip() for level, text in found if level == 2]
    assert order == [
        "The answer",
        "The claims",
        "The protocol",
        "The data",
        "Treatment onset: Medical Expenditure Panel Survey, panels 13-21",
        "Four groups: NHANES 2009-2010",
        "Published evidence beside ours",
        "Assumptions",
        "Limits",
        "Reporting checklists",
        "Cleaning",
        "Reproducibility",
        "Glossary",
    ]
    text = words_of(public)
    places = [
        text.index(part) for part in ("Diagnostics, before any estimate", "Estimated risks of", "Every variation")
    ]
    assert places == sorted(places), "diagnostics come before estimates"


def test_every_figure_has_a_title_and_a_caption(page: str) -> None:
    drawings = re.findall(r"<figure>.*?</figure>", page, re.S)
    assert len(drawings) >= 9
    for drawing in drawings:
        title = re.search(
            r'<svg [^>]*role="img" aria-labelledby="([^"]+)"><title id="([^"]+)">([^<]+)</title>', drawing
        )
        assert title is not None
        assert title[1] == title[2]
        caption = re.search(r"<figcaption>(.+?)</figcaption>", drawing, re.S)
        assert caption is not None
        assert caption[1].strip().endswith(".")


def test_the_checklists_are_whole_and_every_item_is_answered_or_left_to_the_author(public: str) -> None:
    for place, items in ((1, 21), (2, 22), (3, 13)):
        start = public.index(f'id="checklist-{place}"')
        body = public[public.index("<tbody", start) : public.index("</tbody>", start)]
        rows = re.findall(r"<tr.*?</tr>", body, re.S)
        assert len(rows) == items
        for row in rows:
            assert "href=" in row or "author" in row or "Everyone in the files" in row, row


def test_every_code_list_stands_in_the_page(public: str) -> None:
    told = words_of(public)
    assert "Complete code lists" in told
    assert "ICD10CDX" in told


def test_the_answer_gives_absolute_risks_the_interval_and_what_could_be_found(public: str) -> None:
    results, _ = mock_results.public_run()
    rows = results["estimates"].query(
        "variation == 'main' and estimator == 'weighting' and analysis == 'treatment-onset'"
    )
    risk = rows[rows["scale"] == "risk"].set_index("arm")["estimate"]
    contrast = rows[rows["scale"] == "risk-difference"].iloc[0]
    answer = words_of(public).split("The claims")[1]
    assert (
        f"an estimated {1000 * risk['treated']:.1f} per 1,000 would have newly reported back pain with treatment"
        in answer
    )
    assert f"and {1000 * risk['untreated']:.1f} per 1,000 without" in answer
    low, high = (f"{1000 * contrast[end]:+.1f}".replace("-", MINUS) for end in ("low", "high"))
    assert f"(95% interval {low} to {high})" in answer
    assert f"{1000 * 2.8 * contrast['se']:.1f} per 1,000 or more" in answer


def test_the_words_of_the_answer_follow_the_verdict(drawn: dict[str, str]) -> None:
    results, facts = mock_results.public_run()
    for verdict, words in (
        ("supported", "The data support the claim."),
        ("contradicted", "The data contradict the claim."),
        ("inconclusive", "The data do not settle the claim."),
    ):
        first = {**facts["verdicts"][0], "verdict": verdict, "cap": None}
        text = words_of(render(results, drawn, {**facts, "verdicts": [first]}, TEMPLATES))
        others = {"The data support the claim.", "The data contradict the claim.", "The data do not settle the claim."}
        assert {sentence for sentence in others if sentence in text} == {words}


def refused_run() -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """The public run with a declared analysis whose diagnostics failed."""
    results, facts = mock_results.public_run()
    estimates = results["estimates"]
    main = (estimates["variation"] == "main") & (estimates["analysis"] == "treatment-onset")
    results["estimates"] = estimates.assign(gate=estimates["gate"].mask(main, "failed: largest_smd"))
    return results, facts


def test_an_estimate_that_did_not_pass_is_not_shown_as_an_answer() -> None:
    markup = pages_of(refused_run())
    text = words_of(markup)
    answer = text[text.index("The answer") : text.index("Each claim, the verdict on it")]
    assert "No answer: the estimate did not pass its diagnostics." in answer
    assert "did not pass (balance)" in answer
    assert "an estimated" not in answer
    assert 'class="stats"' not in markup
    assert "Did not pass its diagnostics: the risks below are printed for the record" in text


def test_a_verdict_that_takes_a_refused_estimate_for_an_answer_stops_the_page(drawn: dict[str, str]) -> None:
    results, facts = refused_run()
    first = {**facts["verdicts"][0], "verdict": "supported"}
    with pytest.raises(ValueError, match="claim C1 is supported, but its estimate did not pass"):
        render(results, drawn, {**facts, "verdicts": [first]}, TEMPLATES)


def test_a_verdict_on_an_analysis_the_run_does_not_have_stops_the_page(drawn: dict[str, str]) -> None:
    results, facts = mock_results.public_run()
    first = {**facts["verdicts"][0], "survey": "another"}
    with pytest.raises(ValueError, match="rests on treatment-onset in another"):
        render(results, drawn, {**facts, "verdicts": [first]}, TEMPLATES)


def test_a_simulated_run_says_so_everywhere_and_shows_the_truth(demo: str, public: str) -> None:
    found = Page(demo)
    sections = [text for level, text in found.headings if level == 2]
    assert all("simulated" in text for text in sections)
    assert 'class="banner"' in demo
    assert "<title>Simulated: " in demo
    text = words_of(demo)
    assert text.count(f"The planted difference is {MINUS}21.0 per 1,000") == 2
    assert "Made-up people" in text or "made up" in text
    assert 'class="banner"' not in public
    assert "simulated" not in words_of(public).lower()


def test_the_four_groups_are_labelled_as_a_description_where_a_trial_declares_them(demo: str, public: str) -> None:
    words = words_of(demo)
    assert "no difference between these groups is an effect" in words
    assert "because it makes remission as common as among the treated" in words
    assert "The first is 24.0% of the whole" in words
    assert "Through remission" not in words_of(public)


def test_a_simulated_run_without_its_truth_is_refused() -> None:
    results, facts = mock_results.demo_run()
    del results["truth"]
    with pytest.raises(ValueError, match="no result table truth"):
        render(results, {}, facts, TEMPLATES)


def test_associations_are_labelled_cross_sectional_and_not_an_effect(public: str) -> None:
    section = words_of(public).split("How common is back pain in four groups of adults?")[0]
    assert "it is not an effect" in section
    assert "cross-sectional: groups are described, no effect is estimated" in words_of(public)


def test_controls_and_doubts_stand_in_the_page_of_a_trial_that_has_them_and_small_counts_do_not(
    public: str, demo: str
) -> None:
    for heading in ("Negative controls", "How wrong the data would have to be"):
        assert f">{heading}</h3>" in public
    assert ">Negative controls</h3>" not in demo
    told = re.search(r'<table[^>]*id="treatment-onset-meps-controls-table".*?</table>', public, re.S)
    assert told
    rows = [re.sub(r"<[^>]+>", " ", row).split() for row in re.findall(r"<tr>.*?</tr>", told[0], re.S)]
    # Events of 6 and 3 are below the smallest cell, 10.
    assert sum("fewer" in " ".join(row) or "<" in " ".join(row) or "&lt;" in " ".join(row) for row in rows) >= 2
    assert not any({"6", "3"} & set(row[3:6]) for row in rows if "Harmless" in row)


def test_hidden_counts_never_reach_the_page(public: str) -> None:
    text = words_of(public)
    assert "<10: fewer than 10 people." in text
    assert "2,907" not in text, "what was left out before the small box would give it away"
    rows = re.findall(r"<tr[^>]*>(?:(?!</tr>).)*Former(?:(?!</tr>).)*</tr>", public)
    assert any("&lt;10" in row for row in rows)


@pytest.mark.parametrize("name", ["title", "commit", "verdicts", "glossary"])
def test_a_fact_that_is_missing_stops_the_page(name: str, drawn: dict[str, str]) -> None:
    results, facts = mock_results.public_run()
    del facts[name]
    with pytest.raises(ValueError, match=name):
        render(results, drawn, facts, TEMPLATES)


def test_a_key_the_template_needs_and_cannot_find_stops_the_page(drawn: dict[str, str]) -> None:
    results, facts = mock_results.public_run()
    whole = facts["protocols"]["treatment-onset"]
    protocol = {key: value for key, value in whole.items() if key != "rationale"}
    with pytest.raises(jinja2.UndefinedError, match="rationale"):
        render(results, drawn, {**facts, "protocols": {"treatment-onset": protocol}}, TEMPLATES)


def test_a_number_a_sentence_needs_and_does_not_get_stops_the_page(drawn: dict[str, str]) -> None:
    results, facts = mock_results.public_run()
    results["detectable"] = results["detectable"].assign(detectable_difference=float("nan"))
    with pytest.raises(ValueError, match="number that a sentence needs is missing"):
        render(results, drawn, facts, TEMPLATES)


def test_a_figure_that_was_not_drawn_stops_the_page(drawn: dict[str, str]) -> None:
    results, facts = mock_results.public_run()
    without = {name: text for name, text in drawn.items() if not name.endswith("love")}
    with pytest.raises(ValueError, match=r"no figure 'treatment-onset.meps.love'"):
        render(results, without, facts, TEMPLATES)


def test_every_caption_compiles_with_the_filters_of_the_page(project: Path) -> None:
    """A caption is compiled when it is said, and few runs say all of them."""
    folder = project / "workflow" / "report"
    environment = build(folder)

    def texts(found: Any) -> list[str]:
        return [found] if isinstance(found, str) else [text for value in found.values() for text in texts(value)]

    captions = texts(read(folder, "captions"))
    assert len(captions) > 20
    for text in captions:
        environment.from_string(text)


def test_no_number_is_typed_into_the_template() -> None:
    template = (TEMPLATES / "report.html.j2").read_text(encoding="utf-8")
    shown = re.sub(r"\{%.*?%\}|\{#.*?#\}|\{\{.*?\}\}|<[^>]*>", " ", template, flags=re.S)
    assert re.findall(r"\d+", shown) == []


def test_an_absolute_path_of_a_machine_is_cut_short(drawn: dict[str, str]) -> None:
    results, facts = mock_results.public_run()
    files = [{**row, "path": f"/somebody/private/{row['path']}"} for row in facts["checksums"]]
    markup = render(results, drawn, {**facts, "checksums": files}, TEMPLATES)
    assert "/somebody" not in markup
    assert "meps/2008/conditions_yr2008.rds" in markup


def test_an_embedded_figure_takes_the_pages_colours_and_keeps_its_ids_to_itself(drawn: dict[str, str]) -> None:
    name = "treatment-onset.meps.love"
    once, again = embed(drawn[name], "one", "A & B"), embed(drawn[name], "two", "A & B")
    assert "A &amp; B" in once
    assert f"var(--figure-treated, {STYLE['treated']})" in once
    assert not {*re.findall(r' id="([^"]+)"', once)} & {*re.findall(r' id="([^"]+)"', again)}
    assert "<style" not in once
    assert "xmlns" not in once


def test_the_page_gives_every_colour_of_the_figures_a_light_and_a_dark_value() -> None:
    sheet = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    for name in STYLE:
        assert len(re.findall(rf"--figure-{name}:", sheet)) == 2, name


def luminance(colour: str) -> float:
    """Relative luminance of a colour (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_text_colour_is_readable_on_its_ground(scheme: int) -> None:
    sheet = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", sheet, re.S)[:2]
    colours: dict[str, str] = {}
    for block in blocks[: scheme + 1]:
        colours |= dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))
    grounds = {"truth": "truth-panel", "warn": "warn-panel"}
    texts = ["ink", "muted", "link", "supported", "contradicted", "inconclusive", "untestable", "truth", "warn"]
    texts += ["figure-ink", "figure-muted", "figure-treated", "figure-untreated", "figure-truth"]
    for name in texts:
        for ground in {"paper", grounds.get(name, "paper")}:
            low, high = sorted((luminance(colours[name]), luminance(colours[ground])))
            assert (high + 0.05) / (low + 0.05) >= 4.5, f"{name} on {ground}"


def test_the_headline_tells_the_answer_in_a_few_plain_lines() -> None:
    results, facts = mock_results.demo_run()
    text = headline(results, facts, "results/demo/report.html")
    assert "SIMULATED DATA" in text
    assert "SUPPORTED" in text
    assert f"The planted difference is {MINUS}21.0." in text
    assert text.endswith("The whole report: results/demo/report.html\n")
    assert max(map(len, text.splitlines())) <= 100
    assert "whole report" not in headline(results, facts)


def test_the_headline_gives_no_numbers_of_an_estimate_that_did_not_pass() -> None:
    text = headline(*refused_run())
    assert "did not pass (balance)" in text
    assert "per 1,000" not in text
