"""The official MEPS files: the names of each year, the files of each format, and what becomes of the people in them.

The files are made here by hand, in the layouts that AHRQ's programming statements give, with seven people in each panel.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from backpain.acquire import AcquireError, acquire
from backpain.clean import clean
from backpain.cohort import Trial, emulate
from backpain.harmonise import harmonise, matrix
from backpain.ingest import Place, ingest, places, wanted
from backpain.read import ReadError
from backpain.spec import check_run, load_protocol, load_survey, load_variables
from backpain.write import write

SURVEY = load_survey("meps-official")
YEARS = list(range(2008, 2019))

# AHRQ's table of file names.
FULL_YEAR = dict(
    zip(YEARS, ["h121", "h129", "h138", "h147", "h155", "h163", "h171", "h181", "h192", "h201", "h209"], strict=True)
)
CONDITIONS = dict(
    zip(YEARS, ["h120", "h128", "h137", "h146", "h154", "h162", "h170", "h180", "h190", "h199", "h207"], strict=True)
)
CLASSES = dict(
    zip(
        YEARS,
        ["h68f13", "h68f14", "h68f15", "h68f16", "h68f17", "h68f18", "h168a", "h178a", "h188a", "h197a", "h206a"],
        strict=True,
    )
)
VISITS = dict(
    zip(
        YEARS[:-1],
        ["h118g", "h126g", "h135g", "h144g", "h152g", "h160g", "h168g", "h178g", "h188g", "h197g"],
        strict=True,
    )
)
SUB_CLASSES = ["TC1S1", "TC1S1_1", "TC1S1_2", "TC1S2", "TC1S3", "TC2S1", "TC2S2", "TC3S1"]


class Person(NamedTuple):
    """One of the seven people of every panel: what year 1 and year 2 say of each."""

    pid: str
    race: tuple[int, tuple[int, int]]  # RACETHX, and RACETHNX with RACEX
    education: tuple[int, int]  # EDUCYR, EDRECODE
    marriage: int
    depression: tuple[int, int, int] | None = None  # CONDRN, RXNUM, OBNUM of year 1
    antidepressants: tuple[tuple[int, int], ...] = ()  # class of level 3, and years ago that it was begun
    phq2: int = 0
    k6: int = 2
    pain: tuple[bool, bool] = (False, False)
    in_year_2: int | None = 1  # INSC1231; None without a row
    health: int = 2
    counselled: bool = False


PEOPLE = [
    Person("101", (1, (1, 1)), (8, 1), 1, (1, 4, 0), ((208, 0),), 5, 14, (False, True)),
    Person("102", (2, (4, 1)), (12, 13), 2, (1, 0, 0), (), 1, 3, in_year_2=2),
    Person("103", (3, (2, 2)), (16, 15), 3, (2, 0, 2), (), 3, 9, health=5, counselled=True),
    Person("104", (4, (3, 4)), (17, 16), 4, (2, 0, 0), (), -1, -1, in_year_2=None),
    Person("105", (5, (4, 6)), (0, 1), 5, None, (), -9, 13),
    Person("106", (2, (4, 1)), (11, 2), 7, (1, 2, 2), ((308, 3), (209, 0)), 4, 10, (True, False), counselled=True),
    Person("107", (1, (1, 3)), (13, 14), 10, (1, 0, 0), (), 0, -1, (False, True), in_year_2=2),
]


def identity(person: Person, panel: int, year: int) -> str:
    number = f"{panel:05d}"[-5:] + person.pid
    return number if year < 2018 else f"{panel:02d}{number}"


def full_year(year: int) -> pd.DataFrame:
    """A Full-Year Consolidated file with the columns that this year's statements have."""
    yy = str(year)[-2:]
    rows = []
    for panel, first in ((year - 1995, True), (year - 1996, False)):
        for person in PEOPLE:
            if not first and person.in_year_2 is None:
                continue
            row: dict[str, Any] = {
                "DUPERSID": identity(person, panel, year),
                "PANEL": panel,
                f"AGE{yy}X": 40 + int(person.pid[-1]),
                "SEX": 1 + int(person.pid[-1]) % 2,
                "MARRY31X": person.marriage,
                "FAMSZE31": 2,
                "RTHLTH31": person.health,
                "MNHLTH31": person.health,
                f"TTLP{yy}X": -1 if person.pid == "101" else 30000,
                f"POVCAT{yy}": min(int(person.pid[-1]), 5),
                f"INSCOV{yy}": 1 + int(person.pid[-1]) % 3,
                "INSC1231": 1 if first else person.in_year_2,
                f"PERWT{yy}F": 1000.0,
                f"SAQWT{yy}F": 0.0 if person.phq2 == -1 else 1200.0,
                "VARSTR": 1001 + panel % 2,
                "VARPSU": 1 + int(person.pid[-1]) % 2,
                "PHQ242": person.phq2,
                "K6SUM42": person.k6,
            }
            race, (ethnicity, alone) = person.race
            row |= {"RACETHX": race} if year >= 2012 else {"RACETHNX": ethnicity, "RACEX": alone}
            years, recode = person.education
            row |= {"EDRECODE": recode} if 2011 <= year <= 2015 else {}
            row |= {"EDUCYR": years} if year <= 2012 or year >= 2014 else {"EDUYRDG": 1}
            row |= {"JTPAIN31": 2} if year <= 2017 else {"ADBMI42": 25.0}
            row |= {"ADSMOK42": 1} if year <= 2017 else {"OFTSMK53": 3}
            row |= {"BMINDX53": 5.0 if person.pid == "103" else 27.5} if year <= 2016 else {}
            rows.append(row)
    return pd.DataFrame(rows)


def condition(year: int, panel: int, person: Person, icd: tuple[str, str], **counts: int) -> dict[str, Any]:
    column, code = ("ICD9CODX", icd[0]) if year <= 2015 else ("ICD10CDX", icd[1])
    numbers = dict.fromkeys(["HHNUM", "IPNUM", "OPNUM", "OBNUM", "ERNUM", "RXNUM"], 0)
    return {
        "DUPERSID": identity(person, panel, year),
        "PANEL": panel,
        "CONDRN": 1,
        "INJURY": 2,
        column: code,
        f"PERWT{str(year)[-2:]}F": 1000.0,
        **numbers,
        **counts,
    }


def conditions(year: int) -> pd.DataFrame:
    rows = []
    for panel, first in ((year - 1995, True), (year - 1996, False)):
        for person in PEOPLE:
            if not first and person.in_year_2 is None:
                continue
            if first and person.depression is not None:
                condrn, drugs, visits = person.depression
                numbers = {"CONDRN": condrn, "RXNUM": drugs, "OBNUM": visits}
                rows.append(condition(year, panel, person, ("311", "F32"), **numbers))
            if person.pain[0 if first else 1]:
                rows.append(condition(year, panel, person, ("724", "M54"), CONDRN=1 if first else 4, OBNUM=1))
            rows.append(condition(year, panel, person, ("401", "I10")))
    return pd.DataFrame(rows)


def medicines(year: int) -> pd.DataFrame:
    """HC-068 to 2013, the Prescribed Medicines file from 2014; an aspirin for everybody."""
    rows = []
    for person in PEOPLE:
        first = {"TC1S1": 58, "begun": -8}
        # 101's antidepressant has its sub-class in the second place.
        drugs = [
            {"TC1S1" if kind != 208 else "TC2S1": 249, "TC1S1_1": kind, "begun": year - ago}
            for kind, ago in person.antidepressants
        ]
        for number, drug in enumerate([first, *drugs]):
            begun = drug.pop("begun")
            row = dict.fromkeys(SUB_CLASSES, -1) | drug
            row |= {"DUPERSID": identity(person, year - 1995, year), "RXRECIDX": f"{person.pid}{number}"}
            if year >= 2014:
                row |= {"PANEL": year - 1995, "PURCHRD": 1, "RXBEGMM": 3, "RXBEGYRX": begun}
                row |= {f"PERWT{str(year)[-2:]}F": 1000.0}
            rows.append(row)
    return pd.DataFrame(rows)


def visits(year: int) -> pd.DataFrame:
    """An Office-Based Medical Provider Visits file: a check-up for everybody, counselling for some."""
    return pd.DataFrame(
        [
            {
                "DUPERSID": identity(person, year - 1995, year),
                "PANEL": year - 1995,
                "EVNTIDX": f"{person.pid}{category}",
                "VSTCTGRY": category,
                f"PERWT{str(year)[-2:]}F": 1000.0,
            }
            for person in PEOPLE
            for category in (1, 4)
            if category == 1 or person.counselled
        ]
    )


FILES: dict[str, Callable[[int], pd.DataFrame]] = {
    "people": full_year,
    "conditions": conditions,
    "drug_classes": medicines,
    "prescriptions": medicines,
    "visits": visits,
}


def put(raw: Path, place: Place, frame: pd.DataFrame) -> Path:
    """Write a file where a download would put it, in the agency's format."""
    file = SURVEY.files[place.file]
    path = raw / place.fill(file.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write(frame, path, member=place.fill(file.member or ""))
    return path


def place_of(file: str, year: int) -> Place:
    return next(place for place in places(SURVEY) if (place.file, place.wave) == (file, year))


def found(raw: Path) -> dict[str, Path]:
    return {receipt.file: Path(receipt.path) for receipt in acquire(wanted(SURVEY), raw=raw, download=False)}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    for place in places(SURVEY):
        put(folder, place, FILES[place.file](int(str(place.wave))))
    return folder


@pytest.fixture
def copied(raw: Path, tmp_path: Path) -> Path:
    """A folder of its own with links to all files, so that a test can put another in the place of one."""
    for path in raw.rglob("*"):
        if path.is_file() and path.name != "SHA256SUMS":
            target = tmp_path / path.relative_to(raw)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path)
    return tmp_path


@pytest.fixture(scope="module")
def people(raw: Path) -> pd.DataFrame:
    tables, cleaning = clean(ingest(SURVEY, found(raw)), SURVEY)
    touched = cleaning.set_index("rule")["touched"]
    assert touched["body mass index is one a body can have"] == 18  # 103 in 2008-2016, in both panels of each year
    assert touched["not in the population on 31 December"] == 22  # 102 and 107 in their second year
    return harmonise(tables, SURVEY, load_variables()).people


@pytest.fixture(scope="module")
def trial(people: pd.DataFrame) -> Trial:
    return emulate(people, load_protocol("treatment-official"), SURVEY)


def names(file: str, year: int) -> dict[str, str | None]:
    """The agency's name of each column of a file in a year; None where the year has no such column."""
    place = place_of(file, year)
    chosen = {}
    for column, sources in SURVEY.files[file].columns.items():
        fitting = [source for source in sources if source.covers(year)]
        assert len(fitting) == 1, f"{file} {year} {column}"
        chosen[column] = None if fitting[0].from_ is None else place.fill(fitting[0].from_)
    return chosen


def person(people: pd.DataFrame, pid: str, panel: int, order: int = 0) -> pd.Series:
    whose = people["person"].str.endswith(pid) & (people["panel"] == panel) & (people["order"] == order)
    assert whose.sum() == 1
    return people[whose].iloc[0]


# --- what is declared ------------------------------------------------------------------------------------------------


def test_the_run_is_declared_without_a_mistake() -> None:
    assert check_run("meps-official").surveys == ["meps-official"]


@pytest.mark.parametrize("year", YEARS)
def test_every_year_asks_for_the_files_of_the_agencys_table(year: int) -> None:
    asked = {file.name: file for file in wanted(SURVEY) if file.name.endswith(str(year))}
    drugs = "drug_classes" if year <= 2013 else "prescriptions"
    numbers = {"people": FULL_YEAR[year], "conditions": CONDITIONS[year], drugs: CLASSES[year]}
    numbers |= {"visits": VISITS[year]} if year in VISITS else {}
    assert {name.split()[0] for name in asked} == set(numbers)
    for name, number in numbers.items():
        stata = year >= 2017 or number == "h190"
        tail = f"{number}/{number}dta.zip" if stata else f"{number}ssp.zip"
        file = asked[f"{name} {year}"]
        assert file.url == f"https://meps.ahrq.gov/mepsweb/data_files/pufs/{tail}"
        assert file.path == f"meps-official/{tail}"
        assert file.inside == f"{number}.{'dta' if stata else 'ssp'}"


@pytest.mark.parametrize("year", YEARS)
def test_every_column_has_exactly_one_source_in_every_year(year: int) -> None:
    for file, declared in SURVEY.files.items():
        if year in (declared.waves or YEARS):
            assert set(names(file, year)) == set(declared.columns)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("RACETHX", {2011: None, 2012: "RACETHX"}),
        ("RACETHNX", {2011: "RACETHNX", 2012: None}),
        ("RACEX", {2011: "RACEX", 2012: None}),
        ("EDUCYR", {2011: "EDUCYR", 2012: None, 2015: None, 2016: "EDUCYR"}),
        ("EDRECODE", {2011: None, 2012: "EDRECODE", 2015: "EDRECODE", 2016: None}),
        ("BMI", {2016: "BMINDX53", 2017: None}),
        ("ADSMOK", {2017: "ADSMOK42", 2018: None}),
        ("JTPAIN", {2017: "JTPAIN31", 2018: None}),
        ("AGE", {2008: "AGE08X", 2018: "AGE18X"}),
        ("PERWT", {2009: "PERWT09F", 2018: "PERWT18F"}),
        ("SAQWT", {2008: "SAQWT08F", 2017: "SAQWT17F"}),
    ],
)
def test_names_of_people_switch_at_the_right_years(column: str, expected: dict[int, str | None]) -> None:
    assert {year: names("people", year)[column] for year in expected} == expected


def test_condition_codes_change_system_with_2016() -> None:
    assert {year: names("conditions", year)["icd"] for year in (2015, 2016)} == {
        2015: "ICD9CODX",
        2016: "ICD10CDX",
    }


@pytest.mark.parametrize(
    ("variables", "weight"),
    [
        ({"age", "back_pain", "depression_treatment", "mental_health"}, "person"),
        ({"age", "antidepressant_in_year"}, "person"),
        ({"age", "phq2"}, "self_administered"),
        ({"age", "depression_screen"}, "self_administered"),
        ({"current_smoking"}, "self_administered"),
    ],
)
def test_answers_of_the_questionnaire_bring_its_weight(variables: set[str], weight: str) -> None:
    assert SURVEY.rarest_weight(variables) == weight


def test_variations_by_symptoms_are_weighted_by_the_questionnaire(trial: Trial) -> None:
    weights = trial.participants.groupby("variation")["weight"].first()
    assert weights["symptoms"] / weights["main"] == pytest.approx(1.2)


def test_what_the_files_cannot_answer_says_why() -> None:
    table = matrix(SURVEY, load_variables()).set_index("variable")
    assert "whether one ever did" in table.loc["smoking", "reason"]
    assert (table.loc[["phq2", "race_ethnicity", "education"], "status"] == "mapped").all()


# --- the files are read ----------------------------------------------------------------------------------------------


def test_a_persons_two_years_are_one_person_although_the_id_grows_in_2018(people: pd.DataFrame) -> None:
    panel_22 = people[people["panel"] == 22]
    assert set(panel_22["wave"]) == {2017, 2018}
    both = panel_22.groupby("person")["wave"].nunique()
    assert len(both) == 7
    assert both.sort_index().tolist() == [2, 2, 2, 1, 2, 2, 2]


def test_only_the_two_years_of_panels_13_to_22_are_kept(people: pd.DataFrame) -> None:
    assert people["panel"].between(13, 22).all()
    assert (people["wave"] == people["panel"] + 1995 + people["order"]).all()
    assert len(people) == 10 * (7 + 6)


@pytest.mark.parametrize("panel", [15, 16, 17, 20, 21, 22])
def test_race_is_the_same_by_the_columns_of_either_period(people: pd.DataFrame, panel: int) -> None:
    expected = ["hispanic", "white", "black", "other", "other", "white", "hispanic"]
    for order in (0, 1):
        rows = people[(people["panel"] == panel) & (people["order"] == order)].sort_values("person")
        here = expected if order == 0 else [expected[i] for i in (0, 1, 2, 4, 5, 6)]
        assert rows["race_ethnicity"].tolist() == here


@pytest.mark.parametrize("panel", [15, 16, 17, 18, 20, 21, 22])
def test_education_is_the_same_by_years_and_by_recode(people: pd.DataFrame, panel: int) -> None:
    rows = people[(people["panel"] == panel) & (people["order"] == 0)].sort_values("person")
    less, school, more = "less than high school", "high school", "more than high school"
    assert rows["education"].tolist() == [less, school, more, more, less, less, more]


def test_marital_status_knows_the_codes_within_a_round(people: pd.DataFrame) -> None:
    rows = people[(people["panel"] == 17) & (people["order"] == 0)].sort_values("person")
    formerly = "formerly married"
    together = "married or partnered"
    assert rows["marital_status"].tolist() == [
        together,
        formerly,
        formerly,
        formerly,
        "never married",
        together,
        formerly,
    ]


def test_income_and_poverty_fall_into_their_bands(people: pd.DataFrame) -> None:
    rows = people[(people["panel"] == 13) & (people["order"] == 0)].sort_values("person")
    assert rows["income"].tolist() == ["none", *["25 to 50"] * 6]  # a loss of a dollar is not a missing code
    assert rows["poverty"].tolist()[:5] == [
        "below 100",
        "100 to 199",
        "100 to 199",
        "200 to 399",
        "400 and over",
    ]
    assert rows["insurance"].tolist()[:3] == ["insured", "uninsured", "insured"]


def test_negative_codes_are_no_answer(people: pd.DataFrame) -> None:
    assert pd.isna(person(people, "104", 14)["phq2"])
    assert pd.isna(person(people, "105", 14)["phq2"])
    assert pd.isna(person(people, "103", 14)["body_mass_index"])
    assert person(people, "101", 14)["body_mass_index"] == 27.5
    assert people.loc[people["wave"] >= 2017, "body_mass_index"].isna().all()


def test_one_high_score_is_enough_and_one_unknown_score_leaves_it_open(people: pd.DataFrame) -> None:
    screen = [person(people, pid, 19)["depression_screen"] for pid in ("101", "102", "103", "105")]
    assert screen == ["present", "absent", "present", "present"]
    assert pd.isna(person(people, "104", 19)["depression_screen"])
    assert pd.isna(person(people, "107", 19)["depression_screen"])


@pytest.mark.parametrize("panel", [13, 18, 19, 22])
def test_an_antidepressant_is_found_in_either_medicines_file(people: pd.DataFrame, panel: int) -> None:
    rows = people[(people["panel"] == panel) & (people["order"] == 0)].sort_values("person")
    assert (rows["antidepressant_in_year"] == "present").tolist() == [
        True,
        False,
        False,
        False,
        False,
        True,
        False,
    ]
    assert rows["antidepressant_in_year"].notna().all()


@pytest.mark.parametrize("panel", [13, 18, 19, 22])
def test_antidepressants_fall_into_their_classes(people: pd.DataFrame, panel: int) -> None:
    rows = people[(people["panel"] == panel) & (people["order"] == 0)].sort_values("person")
    expected = ["SSRI", "none", "not an antidepressant", "none", "none", "several", "none"]
    assert rows["antidepressant_class"].tolist() == expected


@pytest.mark.parametrize(("panel", "dated"), [(13, False), (18, False), (19, True), (21, True)])
def test_an_antidepressant_begun_in_the_year_is_told_where_medicines_have_dates(
    people: pd.DataFrame, panel: int, dated: bool
) -> None:
    rows = people[(people["panel"] == panel) & (people["order"] == 0)].sort_values("person")["antidepressant_begun"]
    # 106 began one of two before; medicines without dates leave it open for everybody.
    expected = ["in the year", "none", "not an antidepressant", "none", "none", "before", "none"]
    assert rows.tolist() == expected if dated else rows.isna().all()


def test_psychotherapy_is_told_from_medication(people: pd.DataFrame) -> None:
    for panel in (13, 20, 22):
        rows = people[(people["panel"] == panel) & (people["order"] == 0)].sort_values("person")
        assert rows["depression_care"].tolist() == [
            "medication", "none", "psychotherapy", "none", "none", "both", "none",
        ]  # fmt: skip
    assert people.loc[people["wave"] == 2018, "depression_care"].isna().all()


def test_pain_has_the_round_of_its_first_report(people: pd.DataFrame) -> None:
    told = [person(people, pid, 16, order=1)["back_pain_first_round"] for pid in ("101", "103", "107")]
    assert told == ["round 4", "none", "round 4"]
    assert pd.isna(person(people, "102", 16, order=1)["back_pain_first_round"])


def test_pain_is_absent_only_of_those_who_stayed_to_the_end_of_the_year(people: pd.DataFrame) -> None:
    def pain(pid: str) -> Any:
        return person(people, pid, 16, order=1)["back_pain"]

    assert pain("101") == "present"
    assert pd.isna(pain("102"))  # left the population without a report
    assert pain("103") == "absent"
    assert pain("107") == "present"  # left it after the report
    assert not (people["person"].str.endswith("104") & (people["order"] == 1)).any()


# --- who takes part --------------------------------------------------------------------------------------------------


def test_the_flow_counts_everyone_in_and_out(trial: Trial) -> None:
    flow = trial.flow[trial.flow["variation"] == "main"]
    remaining = flow.set_index("box")["remaining"].to_dict()
    panels = 9
    assert remaining["people with a record in the first wave"] == 7 * panels
    assert remaining["depressed"] == 6 * panels  # 105 has no record
    assert remaining["no spine pain on record"] == 5 * panels  # 106 has pain in year 1
    assert remaining["treated"] == 2 * panels  # 101, 103
    assert remaining["treated: followed"] == 2 * panels
    assert remaining["treated: newly reported back pain"] == panels  # 101
    assert remaining["untreated"] == 3 * panels  # 102, 104, 107
    assert remaining["untreated: lost"] == 2 * panels  # 102 left, 104 has no row
    assert remaining["untreated: newly reported back pain"] == panels  # 107


def test_eligibility_by_symptoms_takes_people_without_a_depression_record(trial: Trial) -> None:
    chosen = trial.participants[trial.participants["variation"] == "symptoms"]
    assert set(chosen["person"].str[-3:]) == {"101", "103", "105"}
    assert set(chosen.loc[chosen["treated"], "person"].str[-3:]) == {"101", "103"}


def test_people_of_panel_22_take_part_only_where_2018_can_tell(trial: Trial) -> None:
    with_22 = trial.participants.loc[trial.participants["panel"] == "22", "variation"].unique()
    assert sorted(with_22) == ["event-linked"]


# --- what is refused -------------------------------------------------------------------------------------------------


def test_a_file_of_another_year_is_refused_by_file_and_column(copied: Path) -> None:
    place = place_of("people", 2008)
    path = copied / place.fill(SURVEY.files["people"].path)
    path.unlink()
    put(copied, place, full_year(2009))
    with pytest.raises(ReadError, match=r"h121ssp\.zip: has no column AGE08X \(nearest: AGE09X") as error:
        ingest(SURVEY, found(copied))
    assert "PERWT08F" in str(error.value)


def test_conditions_of_another_year_are_refused(copied: Path) -> None:
    place = place_of("conditions", 2017)
    (copied / place.fill(SURVEY.files["conditions"].path)).unlink()
    put(copied, place, conditions(2016))
    with pytest.raises(ReadError, match=r"h199dta\.zip: has no column PERWT17F"):
        ingest(SURVEY, found(copied))


def test_medicine_classes_of_another_year_are_refused_although_no_column_tells(copied: Path) -> None:
    path = copied / place_of("drug_classes", 2008).fill(SURVEY.files["drug_classes"].path)
    path.unlink()
    write(medicines(2009), path, member="h68f14.ssp")
    with pytest.raises(AcquireError, match=r"does not hold h68f13\.ssp; it holds h68f14\.ssp"):
        found(copied)


def test_a_race_code_without_a_meaning_is_refused(copied: Path) -> None:
    place = place_of("people", 2014)
    (copied / place.fill(SURVEY.files["people"].path)).unlink()
    put(copied, place, full_year(2014).assign(RACETHX=6))
    with pytest.raises(ValueError, match="RACETHX holds 6"):
        clean(ingest(SURVEY, found(copied)), SURVEY)


def test_a_marital_code_without_a_meaning_is_refused(copied: Path) -> None:
    place = place_of("people", 2014)
    (copied / place.fill(SURVEY.files["people"].path)).unlink()
    put(copied, place, full_year(2014).assign(MARRY31X=11))
    tables, _ = clean(ingest(SURVEY, found(copied)), SURVEY)
    with pytest.raises(ValueError, match=r"marital_status: people\.MARRY holds codes with no meaning"):
        harmonise(tables, SURVEY, load_variables())


def test_an_unpacked_file_does_as_well_as_the_archive(copied: Path, people: pd.DataFrame) -> None:
    for file, year in (("people", 2010), ("people", 2017)):
        place = place_of(file, year)
        (copied / place.fill(SURVEY.files[file].path)).unlink()
        write(FILES[file](year), copied / place.fill(SURVEY.files[file].or_[0]))
    tables, _ = clean(ingest(SURVEY, found(copied)), SURVEY)
    pd.testing.assert_frame_equal(harmonise(tables, SURVEY, load_variables()).people, people)
