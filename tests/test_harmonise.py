"""From raw codes to shared variables, on frames one can see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from backpain.clean import clean
from backpain.derive import DERIVATIONS
from backpain.harmonise import harmonise, published, unexplained
from backpain.ingest import Tables
from backpain.spec import load_survey, load_variables
from declare import SURVEY, VARIABLES, bend, write

PEOPLE = pd.DataFrame(
    {
        "ID": [1, 2, 3, 4, 1, 2, 3],
        "wave": [1, 1, 1, 1, 2, 2, 2],
        "STRATUM": [1, 1, 2, 2, 1, 1, 2],
        "PSU": [1, 2, 1, 2, 1, 2, 1],
        "WEIGHT": [10.0, 20, 30, 40, 10, 20, 30],
        "AGE": [30, 69, 70, 20, 31, 70, 71],
        "SEX": [1, 2, 2, 1, 1, 2, 2],
    }
)
BACK = pd.DataFrame({"ID": [1, 2, 3, 1], "wave": [1, 1, 1, 2], "PAIN": [1.0, None, None, 9.0]})
DRUGS = pd.DataFrame({"ID": [1, 1, 2, 9], "wave": [1, 1, 1, 1], "CLASS": [249, 10, 10, 249]})


def tables(**other: pd.DataFrame) -> Tables:
    return {"people": PEOPLE, "back": BACK, "drugs": DRUGS, **other}


def made(
    folder: Path,
    survey: dict[str, Any] = SURVEY,
    variables: dict[str, Any] = VARIABLES,
    **other: pd.DataFrame,
) -> pd.DataFrame:
    write(folder, survey=survey, variables=variables)
    declared = load_survey("small")
    checked, _ = clean(tables(**other), declared)
    return harmonise(checked, declared, load_variables()).people.set_index(["person", "order"])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BACKPAIN_CONFIG", str(tmp_path))
    return tmp_path


def test_one_row_for_each_person_and_wave(folder: Path) -> None:
    people = made(folder)
    assert sorted(people.index) == [("1", 0), ("1", 1), ("2", 0), ("2", 1), ("3", 0), ("3", 1), ("4", 0)]


def test_a_recode_gives_categories_in_the_declared_order(folder: Path) -> None:
    people = made(folder)
    assert list(people["sex"].cat.categories) == ["male", "female"]
    assert people.loc[("2", 0), "sex"] == "female"


def test_a_blank_inside_the_asked_ages_is_the_declared_answer(folder: Path) -> None:
    assert made(folder).loc[("2", 0), "back_pain"] == "absent"


def test_a_blank_outside_the_asked_ages_is_no_answer(folder: Path) -> None:
    assert pd.isna(made(folder).loc[("3", 0), "back_pain"])


def test_somebody_without_a_row_in_the_questionnaire_has_no_answer(folder: Path) -> None:
    assert pd.isna(made(folder).loc[("4", 0), "back_pain"])


def test_a_refused_answer_is_missing(folder: Path) -> None:
    assert pd.isna(made(folder).loc[("1", 1), "back_pain"])


def test_none_of_the_rows_means_absent_where_declared(folder: Path) -> None:
    people = made(folder)
    assert list(people["treated"].xs(0, level="order").sort_index()) == ["taken", "none", "none", "none"]
    assert list(people["drugs"].xs(0, level="order").sort_index()) == [2, 1, 0, 0]


def test_none_of_the_rows_means_missing_where_declared(folder: Path) -> None:
    people = made(folder, bend(SURVEY, "files > drugs > none_means", "missing"))
    assert people["drugs"].isna().xs(0, level="order").sort_index().tolist() == [False, False, True, True]
    assert pd.isna(people.loc[("3", 0), "treated"])


def test_a_code_without_a_meaning_is_refused(folder: Path) -> None:
    with pytest.raises(
        ValueError, match=r"small: sex: people.SEX holds codes with no meaning: 3 \(1\).*recode or missing"
    ):
        made(folder, people=PEOPLE.assign(SEX=[1, 2, 3, 1, 1, 2, 2]))


def test_a_blank_that_the_declaration_rules_out_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="PAIN is blank for 1 people who were asked"):
        made(folder, bend(SURVEY, "variables > back_pain > blank", "never"))


def test_a_number_out_of_range_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="age holds 999"):
        made(folder, people=PEOPLE.assign(AGE=[30, 69, 999, 20, 31, 70, 71]))


def test_unknown_spreads_as_in_three_valued_logic(folder: Path) -> None:
    variables = VARIABLES | {"both": {"label": "Both", "categories": {"absent": "No", "present": "Yes"}}}
    both = {"all": [{"is": {"back_pain": ["present"]}}, {"is": {"treated": ["taken"]}}]}
    people = made(folder, bend(SURVEY, "variables > both", both), variables)
    assert people.loc[("1", 0), "both"] == "present"
    assert people.loc[("3", 0), "both"] == "absent"  # pain unknown, but certainly not treated
    assert pd.isna(
        made(folder, bend(SURVEY, "variables > both", {"is": {"back_pain": ["present"]}}), variables).loc[
            ("3", 0), "both"
        ]
    )


def test_an_earlier_category_that_is_unknown_leaves_the_later_ones_open(folder: Path) -> None:
    variables = VARIABLES | {"group": {"label": "Group", "categories": {"pain": "Pain", "none": "None"}}}
    first = {"first_of": {"pain": {"is": {"back_pain": ["present"]}}, "none": "otherwise"}}
    people = made(folder, bend(SURVEY, "variables > group", first), variables)
    assert people["group"].xs(0, level="order").sort_index().astype(object).where(lambda g: g.notna(), None).tolist() == [
        "pain", "none", None, None,
    ]  # fmt: skip


def test_a_cut_takes_its_lower_end_and_not_its_upper(folder: Path) -> None:
    variables = VARIABLES | {"group": {"label": "Group", "categories": {"young": "Young", "old": "Old"}}}
    people = made(
        folder,
        bend(
            SURVEY,
            "variables > group",
            {"from": "people.AGE", "cut": {"young": [None, 70], "old": [70, None]}},
        ),
        variables,
    )
    assert people["group"].xs(0, level="order").sort_index().tolist() == ["young", "young", "old", "young"]


def test_days_are_counted_from_the_person_s_own_date(folder: Path) -> None:
    soon = {"days_after": "people.SEEN", "minimum": 0, "maximum": 30}
    taken = {"any": "drugs", "where": {"CLASS": 249, "BOUGHT": soon}}
    survey = bend(SURVEY, "variables > treated", {"first_of": {"taken": taken, "none": "otherwise"}})
    drugs = pd.DataFrame(
        {"ID": [1, 2, 3], "wave": 1, "CLASS": 249, "BOUGHT": ["2020-01-31", "2020-02-01", "2019-12-31"]}
    )
    people = made(folder, survey, people=PEOPLE.assign(SEEN="2020-01-01"), drugs=drugs)
    assert people["treated"].xs(0, level="order").sort_index().tolist() == ["taken", "none", "none", "none"]


def test_code_lists_follow_the_column_a_row_came_from(folder: Path) -> None:
    survey = bend(SURVEY, "codes", {"pain": {"OLD": ["724"], "NEW": ["M54"]}})
    survey = bend(
        survey,
        "files > drugs > columns",
        {"ID": "ID", "icd": [{"from": "OLD", "until": 1}, {"from": "NEW", "since": 2}]},
    )
    survey = bend(survey, "variables > drugs", {"count": "drugs"})
    survey = bend(
        survey,
        "variables > treated",
        {"first_of": {"taken": {"any": "drugs", "where": {"icd": "pain"}}, "none": "otherwise"}},
    )
    drugs = pd.DataFrame(
        {
            "ID": [1, 2, 1, 2],
            "wave": [1, 1, 2, 2],
            "icd": ["724", "M54", "724", "M54"],
            "icd.source": ["OLD", "OLD", "NEW", "NEW"],
        }
    )
    people = made(folder, survey, drugs=drugs)
    assert people.loc[[("1", 0), ("2", 0), ("1", 1), ("2", 1)], "treated"].tolist() == [
        "taken",
        "none",
        "none",
        "taken",
    ]


def test_phq9_is_missing_when_an_item_is_and_refuses_a_code_that_is_no_score() -> None:
    items = pd.DataFrame([[1.0] * 9, [3.0] * 8 + [None]], columns=[f"q{i}" for i in range(9)])
    score = DERIVATIONS["phq9"].compute(items)
    assert score[0] == 9
    assert pd.isna(score[1])
    with pytest.raises(ValueError, match=r"q0 holds \[7\.0\].*declare these codes as missing"):
        DERIVATIONS["phq9"].compute(items.assign(q0=7.0))


# --- checks at the border --------------------------------------------------------------------------------------------


def test_a_person_who_stands_twice_is_refused(folder: Path) -> None:
    write(folder)
    doubled = pd.concat([PEOPLE, PEOPLE.iloc[[0]]])
    with pytest.raises(ValueError, match=r"people: 1 people stand twice"):
        clean(tables(people=doubled), load_survey("small"))


def test_a_blank_design_variable_is_refused(folder: Path) -> None:
    write(folder)
    with pytest.raises(ValueError, match="design variable STRATUM is blank in 1 rows"):
        clean(tables(people=PEOPLE.assign(STRATUM=[1, 1, None, 2, 1, 1, 2])), load_survey("small"))


def test_a_row_without_an_id_is_refused(folder: Path) -> None:
    write(folder)
    with pytest.raises(ValueError, match="drugs: 1 rows have no ID"):
        clean(tables(drugs=DRUGS.assign(ID=[1, None, 2, 9])), load_survey("small"))


@pytest.mark.parametrize(("then", "blank", "rows"), [("report", 0, 7), ("missing", 1, 7), ("drop", 0, 6)])
def test_a_declared_check_counts_what_it_touched_and_does_what_it_says(
    folder: Path, then: str, blank: int, rows: int
) -> None:
    check = {"rule": "old", "file": "people", "column": "AGE", "outside": {"maximum": 70}, "then": then}
    write(folder, survey=bend(SURVEY, "checks", [check]))
    checked, log = clean(tables(), load_survey("small"))
    row = log[log["rule"] == "old"].iloc[0]
    assert (row["looked_at"], row["touched"], row["action"]) == (7, 1, then)
    assert checked["people"]["AGE"].isna().sum() == blank
    assert len(checked["people"]) == rows


def test_a_check_that_refuses_names_the_codes(folder: Path) -> None:
    check = {"rule": "two sexes", "file": "people", "column": "SEX", "allowed": [1], "then": "refuse"}
    write(folder, survey=bend(SURVEY, "checks", [check]))
    with pytest.raises(ValueError, match="SEX holds 2 in 4 rows, against the rule «two sexes»"):
        clean(tables(), load_survey("small"))


def test_rows_of_people_who_are_not_in_the_base_file_are_counted(folder: Path) -> None:
    write(folder)
    _, log = clean(tables(), load_survey("small"))
    row = log[(log["file"] == "drugs") & (log["rule"] == "person is in the base file")].iloc[0]
    assert (row["looked_at"], row["touched"]) == (4, 1)


# --- published figures -----------------------------------------------------------------------------------------------


def test_a_published_figure_is_reproduced_differs_or_differs_with_a_reason(folder: Path) -> None:
    figures = [
        {"quantity": "women", "people": {"sex": ["female"]}, "among": {"wave": 1}, "value": 2, "source": "x"},
        {"quantity": "men", "people": {"sex": ["male"]}, "among": {"wave": 1}, "value": 3, "source": "x"},
        {"quantity": "share", "share": {"sex": ["female"]}, "among": {"wave": 1}, "value": 50, "within": 0.1, "source": "x"},
        {
            "quantity": "explained", "rows": "drugs", "value": 5, "source": "x",
            "differs": {"computed": 4, "because": "one row was withdrawn"},
        },
        {"quantity": "wrongly explained", "rows": "drugs", "value": 5, "source": "x", "differs": {"computed": 3, "because": "?"}},
        {
            "quantity": "then and later", "people": {"later.sex": ["female"]}, "among": {"first.age": {"minimum": 69}},
            "value": 2, "source": "x",
        },
    ]  # fmt: skip
    write(folder, survey=bend(SURVEY, "published", figures))
    survey = load_survey("small")
    checked, _ = clean(tables(), survey)
    found = published(checked, harmonise(checked, survey, load_variables()).people, survey)
    assert found["status"].tolist() == [
        "reproduced",
        "differs",
        "reproduced",
        "differs-explained",
        "differs",
        "reproduced",
    ]
    assert found["computed"].tolist() == [2, 2, 50, 4, 4, 2]
    assert len(unexplained(found)) == 2
