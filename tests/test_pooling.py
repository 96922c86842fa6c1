"""Surveys pooled as one: what may be pooled, and how weights and strata are put together."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from backpain.clean import clean
from backpain.design import Design, proportion
from backpain.harmonise import harmonise, pool, published
from backpain.ingest import ingest
from backpain.receipts import simulated_receipts
from backpain.simulate import simulate, write_raw
from backpain.spec import DeclarationError, Survey, families_of, load_run, load_survey, load_variables, members_of

ROOT = Path(__file__).parent.parent
CONFIG = ROOT / "config"
TWO = ["nhanes-2013-2014", "nhanes-2015-2016"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of declarations with the real surveys, to which a test adds its own."""
    (tmp_path / "surveys").mkdir()
    for path in (CONFIG / "surveys").iterdir():
        (tmp_path / "surveys" / path.name).symlink_to(path)
    for name in ("variables.yaml", "controls"):
        (tmp_path / name).symlink_to(CONFIG / name)
    monkeypatch.setenv("BACKPAIN_CONFIG", str(tmp_path))
    return tmp_path


def declare(folder: Path, members: str, strata: str = "distinct", more: str = "") -> Survey:
    text = f"title: Pooled\npool: {{of: {members}, strata: {strata}}}\n{more}"
    (folder / "surveys" / "pooled.yaml").write_text(text, encoding="utf-8")
    return load_survey("pooled")


def cycle(first: int, stratum: int = 1) -> pd.DataFrame:
    """Four people of one cycle in a stratum of two PSUs."""
    return pd.DataFrame(
        {
            "person": [str(first + place) for place in range(4)],
            "wave": "a",
            "order": 0,
            "seen_by": "record",
            "stratum": stratum,
            "psu": [1, 1, 2, 2],
            "scale": 1.0,
            "weight_interview": [10.0, 20.0, 30.0, 40.0],
            "weight_exam": [0.0, 30.0, 40.0, 50.0],
            "phq9": [3.0, 12.0, 20.0, None],
        }
    )


def narrow(survey: Survey) -> Survey:
    """The pool with no more variables than the frames of these tests have."""
    return survey.model_copy(update={"variables": {"phq9": survey.variables["phq9"]}})


def members() -> dict[str, Survey]:
    return {name: load_survey(name) for name in TWO}


def test_each_weight_counts_by_its_cycles_share_of_the_years(folder: Path) -> None:
    survey = narrow(declare(folder, f"[{', '.join(TWO)}]"))
    frames = {TWO[0]: cycle(1), TWO[1]: cycle(101, stratum=2)}
    assert pool(frames, survey, members())["weight_interview"].tolist() == [5.0, 10.0, 15.0, 20.0] * 2
    longer = members()
    period = longer[TWO[1]].period
    assert period is not None
    longer[TWO[1]] = longer[TWO[1]].model_copy(update={"period": period.model_copy(update={"years": 3.2})})
    whole = survey.model_copy(update={"period": survey.period.model_copy(update={"years": 5.2})})  # type: ignore[union-attr]
    weights = pool(frames, whole, longer)["weight_interview"]
    assert weights[0] == pytest.approx(10 * 2 / 5.2)
    assert weights[4] == pytest.approx(10 * 3.2 / 5.2)


JOINT = ["nhanes-1999-2000", "nhanes-2001-2002", "nhanes-2003-2004"]


def test_weights_made_for_several_members_together_count_by_the_years_of_all_of_them(folder: Path) -> None:
    survey = declare(folder, f"[{', '.join(JOINT)}]").model_copy(update={"variables": {}})
    four = {"joint_interview": [6.0, 12.0, 18.0, 24.0], "joint_exam": [0.0, 18.0, 24.0, 30.0]}
    four |= {"joint_diagnosis": [0.0, 0.0, 36.0, 42.0]}
    two = {"weight_diagnosis": [0.0, 0.0, 60.0, 90.0]}  # of a half sample
    frames = {
        JOINT[0]: cycle(1).assign(**four, **two),
        JOINT[1]: cycle(101, stratum=2).assign(**four, **two),
        JOINT[2]: cycle(201, stratum=3).assign(**two),
    }
    people = pool(frames, survey, {name: load_survey(name) for name in JOINT})
    assert people["weight_interview"].tolist() == pytest.approx(
        [4.0, 8.0, 12.0, 16.0] * 2 + [10 / 3, 20 / 3, 10, 40 / 3]
    )
    assert people["weight_exam"].tolist()[:4] == pytest.approx([0.0, 12.0, 16.0, 20.0])
    assert people["weight_diagnosis"].tolist() == pytest.approx([0.0, 0.0, 24.0, 28.0] * 2 + [0.0, 0.0, 20.0, 30.0])
    assert not [column for column in people if str(column).startswith("joint_")]
    # Without the cycle they were made with, the two-year weights count.
    later = declare(folder, f"[{JOINT[1]}, {JOINT[2]}]").model_copy(update={"variables": {}})
    members = {name: load_survey(name) for name in JOINT[1:]}
    half = pool({name: frames[name] for name in members}, later, members)
    assert half["weight_interview"].tolist()[:2] == [5.0, 10.0]


def test_a_subsamples_weight_comes_from_its_own_file_and_is_nothing_outside_it(tmp_path: Path) -> None:
    survey = load_survey(JOINT[2])
    made = simulate(survey, load_variables(), 400, 1)
    write_raw(made.tables, survey, tmp_path)
    paths = {receipt.file: Path(receipt.path) for receipt in simulated_receipts(survey, tmp_path)}
    tables = ingest(survey, paths)
    base, inside = tables["demographics"], tables["diagnosis"]
    assert 0 < len(inside) < len(base)
    held = base["SEQN"].isin(inside["SEQN"])
    assert (base.loc[held, "WTSCI2YR"] > 0).all()
    assert (base.loc[~held, "WTSCI2YR"] == 0).all()
    given = inside.set_index("SEQN")["WTSCI2YR"]
    assert base.loc[held].set_index("SEQN")["WTSCI2YR"].to_dict() == pytest.approx(given.to_dict())
    people = harmonise(clean(tables, survey)[0], survey, load_variables()).people
    assert survey.rarest_weight({"major_depression", "low_back_pain_in_3_months"}) == "diagnosis"
    assert (people.loc[people["major_depression"].notna(), "weight_diagnosis"] > 0).all()
    # Two rows for somebody: nobody knows which weight is theirs.
    twice = made.tables["diagnosis", "2003-2004"]
    doubled = {**made.tables, ("diagnosis", "2003-2004"): pd.concat([twice, twice.head(1)], ignore_index=True)}
    write_raw(doubled, survey, tmp_path)
    with pytest.raises(ValueError, match=r"nhanes-2003-2004: diagnosis: 1 people have two rows"):
        ingest(survey, paths)


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        ("nowhere.WTSCI2YR", "'nowhere' is no file besides the base file"),
        ("demographics.WTSCI2YR", "'demographics' is no file besides the base file"),
    ],
)
def test_a_subsamples_weight_has_to_have_a_file_of_its_own(folder: Path, weight: str, words: str) -> None:
    text = "like: nhanes-pain\nfields: {tail: _C, folder: 2003-2004, begin: 2003, end: 2004}\ntitle: x\n"
    weights = f"{{interview: WTINT2YR, exam: WTMEC2YR, diagnosis: {weight}}}"
    (folder / "surveys" / "wrong.yaml").write_text(f"{text}design: {{weights: {weights}}}\n", encoding="utf-8")
    with pytest.raises(DeclarationError, match=words):
        load_survey("wrong")


def test_weights_that_are_comparable_with_others_only_jointly_are_refused_without_them(folder: Path) -> None:
    with pytest.raises(DeclarationError, match="nhanes-1999-2000 can be pooled only together with nhanes-2001-2002"):
        declare(folder, f"[{JOINT[0]}, {JOINT[2]}]")


def test_a_pool_gives_no_replicate_weights_and_members_are_sampled_alike(folder: Path) -> None:
    assert load_survey(JOINT[0]).design.replicates is not None
    assert load_survey("nhanes-1999-2004").design.replicates is None
    other = "like: nhanes-pain\nfields: {tail: _D, folder: 2005-2006, begin: 2005, end: 2006}\ntitle: Another\n"
    (folder / "surveys" / "other.yaml").write_text(other + "design: {population: PSUS}\n", encoding="utf-8")
    with pytest.raises(DeclarationError, match="other was sampled in another way than nhanes-2003-2004"):
        declare(folder, f"[{JOINT[2]}, other]")


def test_shared_declarations_may_lie_over_others_but_not_in_a_circle(folder: Path, tmp_path: Path) -> None:
    assert families_of("nhanes-2003-2004") == ["nhanes-pain", "nhanes-people"]
    assert load_survey("nhanes-2003-2004").files["demographics"].path == "nhanes/{cycle}/DEMO{tail}.XPT"
    shared = folder / "surveys" / "shared"
    shared.unlink()
    shared.mkdir()
    (shared / "one.yaml").write_text("like: two\n", encoding="utf-8")
    (shared / "two.yaml").write_text("like: one\n", encoding="utf-8")
    (folder / "surveys" / "round.yaml").write_text("like: one\n", encoding="utf-8")
    with pytest.raises(DeclarationError, match="one -> two -> one goes round in a circle"):
        load_survey("round")


def test_strata_declared_distinct_have_to_be_and_separate_ones_are_kept_apart(folder: Path) -> None:
    frames = {TWO[0]: cycle(1), TWO[1]: cycle(101)}
    with pytest.raises(ValueError, match=r"share strata, such as 1; declare `strata: separate`"):
        pool(frames, narrow(declare(folder, f"[{', '.join(TWO)}]")), members())
    apart = pool(frames, narrow(declare(folder, f"[{', '.join(TWO)}]", "separate")), members())
    assert sorted(apart["stratum"].unique()) == [f"{name} 1" for name in TWO]
    shared = pool(frames, narrow(declare(folder, f"[{', '.join(TWO)}]", "shared")), members())
    assert Design.of(shared, weight="weight_exam").degrees_of_freedom == 1
    assert Design.of(apart, weight="weight_exam").degrees_of_freedom == 2


def test_a_person_of_two_members_is_refused(folder: Path) -> None:
    survey = narrow(declare(folder, f"[{', '.join(TWO)}]"))
    with pytest.raises(ValueError, match="share people, such as 1; they overlap"):
        pool({TWO[0]: cycle(1), TWO[1]: cycle(1, stratum=2)}, survey, members())


@pytest.mark.parametrize(
    ("of", "words"),
    [
        ("[nhanes-2013-2014, nhanes-2013-2014]", "stands there twice"),
        ("[nhanes-2013-2014, meps]", "meps is followed over waves"),
        ("[nhanes-2013-2014, nhanes-2011-2014]", "nhanes-2011-2014 pools others itself"),
        ("[nhanes-2013-2014]", "at least 2"),
        ("[nhanes-2013-2014, overlapping]", "nhanes-2013-2014 and overlapping overlap in time"),
        ("[nhanes-2013-2014, timeless]", "timeless does not say when it was"),
    ],
)
def test_what_may_not_be_pooled_is_refused(folder: Path, of: str, words: str) -> None:
    fields = "like: nhanes\nfields: {tail: _H, folder: 2014-2015, begin: 2014, end: 2015}\ntitle: Another\n"
    (folder / "surveys" / "overlapping.yaml").write_text(fields, encoding="utf-8")
    (folder / "surveys" / "timeless.yaml").write_text(fields + "period: null\n", encoding="utf-8")
    with pytest.raises(DeclarationError, match=words):
        declare(folder, of)


def test_a_variable_that_one_member_lacks_is_unavailable_and_says_which(folder: Path) -> None:
    survey = declare(folder, "[nhanes-2009-2010, nhanes-2013-2014]")
    assert survey.variables["smoking"].unavailable == "nhanes-2013-2014: not declared"
    assert survey.variables["phq9"].unavailable is None
    assert survey.period is not None
    assert survey.period.length == 4


def test_a_pool_has_no_files_to_count(folder: Path) -> None:
    more = "published: [{quantity: Rows, rows: demographics, value: 1, source: nobody}]\n"
    with pytest.raises(DeclarationError, match="a pool has people and no files"):
        declare(folder, f"[{', '.join(TWO)}]", more=more)


def test_a_published_share_comes_with_the_interval_of_its_domain(folder: Path) -> None:
    more = (
        "published: [{quantity: Share, share: {phq9: {minimum: 10}}, among: {phq9: {minimum: 0}}, weight: exam, "
        "value: 50, within: 100, source: nobody}]\n"
    )
    survey = narrow(declare(folder, f"[{', '.join(TWO)}]", more=more))
    people = pool({TWO[0]: cycle(1), TWO[1]: cycle(101, stratum=2)}, survey, members())
    row = published({}, people, survey).iloc[0]
    examined = people[people["weight_exam"] > 0]
    design = Design.of(examined, weight="weight_exam")
    told = proportion(examined["phq9"] >= 10, design, examined["phq9"].notna())
    assert (row["computed"], row["low"], row["high"]) == pytest.approx(
        (100 * told.estimate, 100 * told.low, 100 * told.high)
    )
    assert (row["people"], row["df"]) == (4, 2)


def test_a_run_reads_the_members_of_its_pools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKPAIN_CONFIG", str(CONFIG))
    read = members_of(load_run("public"))
    assert read["nhanes-2013-2016"] == TWO
    assert read["meps"] == ["meps"]
