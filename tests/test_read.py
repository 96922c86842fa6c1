"""Raw files of every format are read as they are, and simulated ones are written so that they come back."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import lzma
import struct
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadr
import pyreadstat
import pytest
from pandas.testing import assert_frame_equal

from backpain.formats import SUFFIXES, fields
from backpain.read import READERS, ReadError, read
from backpain.write import WRITERS, WriteError, write

# Weights with all their digits, zeros, missing numbers, blank text, text that looks like numbers, other letters.
FRAME = pd.DataFrame(
    {
        "SEQN": [51624.0, 51625.0, 51626.0, 51627.0],
        "WTINT2YR": [80100.5438960716, 1 / 3, 0.1, 13953.078834123456],
        "DPQ010": [0.0, np.nan, 9.0, 0.0],
        "DRUG": ["CIMETIDINE", "", 'A "B", C', "CAFÉ"],
        "ICD": ["311", "007", "724", "311"],
        "GONE": [np.nan, np.nan, np.nan, np.nan],
    }
)
LAYOUT = {
    "SEQN": (1, 6),
    "WTINT2YR": {"start": 8, "end": 30, "type": "number"},
    "DPQ010": [32, 33],
    "DRUG": (35, 46, "text"),
    "ICD": (47, 50, "text"),
    "GONE": (51, 51),
}
NAMES = [
    "d.xpt",
    "d.ssp",
    "d.csv",
    "d.csv.xz",
    "d.csv.gz",
    "d.dta",
    "d.sav",
    "d.rds",
    "d.RData",
    "d.dat",
    "d.dat.gz",
    "d.parquet",
    "d.csv.zip",
    "d.dta.zip",
    "d.xpt.zip",
    "d.RData.zip",
    "d.sav.xz",
]


def layout_of(name: str) -> dict[str, object] | None:
    return dict(LAYOUT) if ".dat" in name else None


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read_back(name: str, tmp_path: Path) -> None:
    before = FRAME.copy()
    write(FRAME, tmp_path / name, layout=layout_of(name))
    assert_frame_equal(read(tmp_path / name, layout=layout_of(name)), FRAME, check_exact=True)
    assert_frame_equal(FRAME, before)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", NAMES)
def test_missing_text_stays_missing_where_the_format_has_it_and_else_is_blank(name: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"A": [1.0, 2.0, 3.0], "T": ["x", None, ""]})
    layout = {"A": (1, 2), "T": (3, 4, "text")} if ".dat" in name else None
    write(frame, tmp_path / name, layout=layout)
    has_missing_text = any(known in name for known in (".csv", ".rds", ".RData", ".parquet"))
    expected = frame if has_missing_text else frame.fillna({"T": ""})
    assert_frame_equal(read(tmp_path / name, layout=layout), expected)


@pytest.mark.parametrize("name", NAMES)
def test_logical_values_stay_so_in_r_and_parquet_and_else_are_0_and_1(name: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"A": [1, 2, 3], "B": [True, False, True]})
    layout = {"A": (1, 2), "B": (3, 4)} if ".dat" in name else None
    write(frame, tmp_path / name, layout=layout)
    kept = any(known in name for known in (".rds", ".RData", ".parquet"))
    expected = frame.astype({"A": "float64"} if kept else "float64")
    assert_frame_equal(read(tmp_path / name, layout=layout), expected)


@pytest.mark.parametrize("name", [name for name in NAMES if name.count(".") == 1 and ".dat" not in name])
def test_a_file_without_rows_is_read_with_its_columns(name: str, tmp_path: Path) -> None:
    empty = FRAME.iloc[:0]
    write(empty, tmp_path / name)
    found = read(tmp_path / name)
    assert list(found) == list(FRAME)
    assert len(found) == 0


def test_the_same_frame_gives_the_same_bytes_at_another_time(tmp_path: Path) -> None:
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        for name in NAMES:
            write(FRAME, tmp_path / folder / name, layout=layout_of(name))
        time.sleep(1.1)  # the clocks in the headers of XPORT, SPSS, gzip and zip count seconds
    for name in NAMES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes(), name
    # Stata's counts minutes, that of zip archives two seconds.
    with zipfile.ZipFile(tmp_path / "one/d.csv.zip") as archive:
        assert archive.infolist()[0].date_time == (2000, 1, 1, 0, 0, 0)
    assert b"01 Jan 2000 00:00" in (tmp_path / "one/d.dta").read_bytes()
    assert (tmp_path / "one/d.xpt").read_bytes().count(b"01JAN00:00:00:00") == 4
    assert b"01 Jan 0000:00:00" in (tmp_path / "one/d.sav").read_bytes()[:176]


def test_every_format_has_a_suffix_a_reader_and_a_writer_but_sas7bdat_which_is_only_read() -> None:
    assert set(SUFFIXES.values()) == set(READERS)
    assert set(READERS) - set(WRITERS) == {"sas7bdat"}
    assert set(WRITERS) <= set(READERS)


@pytest.mark.parametrize("name", NAMES)
def test_only_the_asked_columns_come_in_the_asked_order(name: str, tmp_path: Path) -> None:
    write(FRAME, tmp_path / name, layout=layout_of(name))
    found = read(tmp_path / name, columns=["ICD", "SEQN"], layout=layout_of(name))
    assert_frame_equal(found, FRAME[["ICD", "SEQN"]])


@pytest.mark.parametrize("name", NAMES)
def test_a_column_that_is_not_there_is_named_with_the_nearest_ones(name: str, tmp_path: Path) -> None:
    write(FRAME, tmp_path / name, layout=layout_of(name))
    with pytest.raises(
        ReadError, match=r"d\..*has no column DPQ011 \(nearest: DPQ010\); no column XYZ\. It has 6 columns"
    ):
        read(tmp_path / name, columns=["SEQN", "DPQ011", "XYZ"], layout=layout_of(name))


def test_many_absent_columns_are_told_in_one_short_message(tmp_path: Path) -> None:
    write(FRAME, tmp_path / "d.csv")
    with pytest.raises(ReadError) as refusal:
        read(tmp_path / "d.csv", columns=["SEQN", *(f"REPWEIGHT_{number}" for number in range(80))])
    assert "and 75 more are absent" in str(refusal.value)
    assert str(refusal.value).count("It has") == 1
    assert len(str(refusal.value)) < 600


def test_other_capitals_are_another_column_but_the_nearest_one(tmp_path: Path) -> None:
    write(FRAME, tmp_path / "d.csv")
    with pytest.raises(ReadError, match=r"no column seqn \(nearest: SEQN\).*codebook"):
        read(tmp_path / "d.csv", columns=["seqn"])


@pytest.mark.parametrize("name", [name for name in NAMES if ".dat" not in name])
def test_a_file_that_was_cut_short_is_refused(name: str, tmp_path: Path) -> None:
    rows = pd.DataFrame({"SEQN": np.arange(400.0), "W": np.arange(400) / 7, "T": [f"row {i}" for i in range(400)]})
    write(rows, tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    for size in (1, 100, len(whole) // 2, len(whole) // 2 // 80 * 80, len(whole) - 60):
        if whole[:size].endswith(b"\n"):
            size -= 1  # at the end of a row of a text file nobody can tell
        cut = tmp_path / f"cut-{size}-{name}"
        cut.write_bytes(whole[:size])
        with pytest.raises(ReadError, match=r"cut-.*(fetch it again|layout)"):
            read(cut)


@pytest.mark.parametrize("name", [name for name in NAMES if ".dat" not in name] + ["d.sas7bdat"])
def test_a_file_of_another_format_is_refused(name: str, tmp_path: Path) -> None:
    content = bytes(range(256)) * 40
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ReadError, match=r"d\..*fetch it again"):
        read(tmp_path / name)


@pytest.mark.parametrize("name", [*NAMES, "d.sas7bdat"])
@pytest.mark.parametrize(
    "page",
    [
        b"<!DOCTYPE html><html>Page not found</html>",
        b"\xef\xbb\xbf\r\n<HTML><body>",
        b"<?xml version='1.0'?><html>",
    ],
)
def test_a_web_page_under_a_data_files_name_is_recognised(name: str, page: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(page)
    with pytest.raises(ReadError, match=r"d\..*is a web page, not data"):
        read(tmp_path / name, layout=layout_of(name))


@pytest.mark.parametrize("name", ["d.csv", "d.xpt", "d.dat", "d.zip", "d.csv.xz"])
def test_an_empty_file_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(ReadError, match="is empty; delete it and fetch it again"):
        read(tmp_path / name, layout=layout_of(name))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"d\.xpt: there is no such file; see data/README"):
        read(tmp_path / "d.xpt")


def test_a_suffix_without_a_meaning_needs_a_format(tmp_path: Path) -> None:
    (tmp_path / "d.txt").write_text("A,B\n1,2\n")
    with pytest.raises(ReadError, match=r"d\.txt: the suffix .* declare `format`, one of csv, fixed-width"):
        read(tmp_path / "d.txt")
    with pytest.raises(ReadError, match="there is no reader for 'excel'"):
        read(tmp_path / "d.txt", format="excel")
    assert_frame_equal(read(tmp_path / "d.txt", format="csv"), pd.DataFrame({"A": [1.0], "B": [2.0]}))


class TestCsv:
    @staticmethod
    def read(tmp_path: Path, text: str | bytes, **how: object) -> pd.DataFrame:
        (tmp_path / "d.csv").write_bytes(text.encode() if isinstance(text, str) else text)
        return read(tmp_path / "d.csv", **how)  # type: ignore[arg-type]

    def test_only_na_is_missing_and_blank_text_is_real(self, tmp_path: Path) -> None:
        found = self.read(tmp_path, 'A,T\n1,"x"\n2,""\n3,NA\n4,N/A\n5,null\n6,nan\n7,None\n')
        assert found["T"].tolist()[:2] == ["x", ""]
        assert found["T"].isna().tolist() == [False, False, True, False, False, False, False]
        assert found["T"].tolist()[3:] == ["N/A", "null", "nan", "None"]

    def test_a_quoted_na_is_text_where_quotes_mean_text(self, tmp_path: Path) -> None:
        found = self.read(tmp_path, 'A,T\n1,"NA"\n2,NA\n')
        assert found["T"].isna().tolist() == [False, True]
        assert found["T"][0] == "NA"

    def test_a_blank_in_a_column_of_numbers_is_missing(self, tmp_path: Path) -> None:
        found = self.read(tmp_path, "A,B\n1,2\n,3\n4,\n")
        assert_frame_equal(found, pd.DataFrame({"A": [1, np.nan, 4], "B": [2, 3, np.nan]}))

    def test_a_column_in_quotes_is_text_even_where_it_looks_like_numbers(self, tmp_path: Path) -> None:
        found = self.read(tmp_path, '"ICD","AGE"\n"311",40\n"724",41\n')
        assert_frame_equal(found, pd.DataFrame({"ICD": ["311", "724"], "AGE": [40.0, 41.0]}))

    def test_where_everything_is_in_quotes_numbers_are_numbers(self, tmp_path: Path) -> None:
        found = self.read(tmp_path, '"ICD","AGE","S"\n"311","40","M"\n"724","",""\n')
        assert_frame_equal(found, pd.DataFrame({"ICD": [311.0, 724.0], "AGE": [40.0, np.nan], "S": ["M", ""]}))

    def test_zeros_in_front_and_very_long_numbers_are_codes_and_stay_text(self, tmp_path: Path) -> None:
        found = self.read(tmp_path, "A,B,C\n007,12345678901234567890,0.5\n12,1,-0\n")
        assert found["A"].tolist() == ["007", "12"]
        assert found["B"].tolist() == ["12345678901234567890", "1"]
        assert found["C"].tolist() == [0.5, 0.0]

    def test_a_column_of_blank_text_is_text_and_one_of_nothing_is_numbers(self, tmp_path: Path) -> None:
        found = self.read(tmp_path, 'A,T,N,B\n1,"",NA,\n2,"",NA,\n')
        assert found["T"].tolist() == ["", ""]
        assert found[["N", "B"]].isna().all(axis=None)
        assert found.dtypes.astype(str).tolist() == ["float64", "str", "float64", "float64"]

    def test_separators_line_ends_and_quotes_inside_quotes_are_text(self, tmp_path: Path) -> None:
        text = 'A,T\n1,"a,b"\n2,"say ""no"", please"\n3,"two\nlines"\n4,""""\n'
        assert self.read(tmp_path, text)["T"].tolist() == ["a,b", 'say "no", please', "two\nlines", '"']

    def test_windows_text_is_decoded(self, tmp_path: Path) -> None:
        assert self.read(tmp_path, b"A,T\r\n1,caf\xe9 \x96 x\r\n")["T"].tolist() == ["café – x"]  # noqa: RUF001

    def test_a_mark_of_byte_order_is_not_part_of_the_first_name(self, tmp_path: Path) -> None:
        assert list(self.read(tmp_path, b"\xef\xbb\xbfA,T\n1,x\n")) == ["A", "T"]

    def test_every_digit_of_a_weight_is_kept(self, tmp_path: Path) -> None:
        weights = np.random.default_rng(1).lognormal(10, 2, 2000)
        text = "W\n" + "\n".join(map(repr, weights.tolist())) + "\n"
        assert self.read(tmp_path, text)["W"].tolist() == weights.tolist()

    def test_one_column_may_have_blank_rows(self, tmp_path: Path) -> None:
        assert self.read(tmp_path, "A\n1\n\n3\n")["A"].isna().tolist() == [False, True, False]

    @pytest.mark.parametrize("text", ["A,B\n1,2\n3\n", "A,B\n1,2,3\n", "A;B\n1;2,5\n"])
    def test_a_row_with_more_or_fewer_values_is_refused(self, text: str, tmp_path: Path) -> None:
        with pytest.raises(ReadError, match=r"values in row \d and \d columns: it is cut short"):
            self.read(tmp_path, text)

    def test_a_file_that_ends_inside_a_text_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ReadError, match="ends inside a quoted text"):
            self.read(tmp_path, 'A,B\n1,"x"\n2,"y\n')

    def test_a_file_that_ends_inside_a_number_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(
            ReadError, match=r"d\.csv: does not end with the end of a line.* add a line end if it is whole"
        ):
            self.read(tmp_path, "A,B\n1,1234\n2,12")

    def test_a_name_that_stands_twice_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ReadError, match="has the column A more than once"):
            self.read(tmp_path, "A,B,A\n1,2,3\n")

    def test_text_with_a_leading_blank_or_sign_is_untouched(self, tmp_path: Path) -> None:
        found = self.read(tmp_path, "A,T\n+1, x\n-15,y \n")
        assert found["A"].tolist() == [1.0, -15.0]
        assert found["T"].tolist() == [" x", "y "]


class TestFixedWidth:
    @staticmethod
    def read(tmp_path: Path, text: str | bytes, layout: object, **how: object) -> pd.DataFrame:
        (tmp_path / "d.dat").write_bytes(text.encode() if isinstance(text, str) else text)
        return read(tmp_path / "d.dat", layout=layout, **how)  # type: ignore[arg-type]

    def test_right_trimmed_lines_blanks_and_full_stops(self, tmp_path: Path) -> None:
        found = self.read(tmp_path, "1 .  x\r\n2 10\r\n3\r\n", {"A": (1, 1), "B": (3, 5), "T": (6, 8, "text")})
        expected = pd.DataFrame({"A": [1.0, 2, 3], "B": [np.nan, 10, np.nan], "T": ["x", "", ""]})
        assert_frame_equal(found, expected)

    def test_a_full_stop_is_missing_text_too(self, tmp_path: Path) -> None:
        found = self.read(tmp_path, "1 001\n2   .\n3 .\n", {"A": (1, 1), "T": (3, 5, "text")})
        assert found["T"].isna().tolist() == [False, False, True]
        assert found["T"].tolist()[:2] == ["001", "  ."]

    def test_zeros_in_front_of_a_number_do_not_matter(self, tmp_path: Path) -> None:
        assert self.read(tmp_path, "001\n010\n", {"UCOD": (1, 3)})["UCOD"].tolist() == [1.0, 10.0]

    def test_text_where_the_layout_says_number_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ReadError, match=r"d\.dat: has 'M54' in line 2 .* ICD \(characters 1-3\); .*`text`"):
            self.read(tmp_path, "311\nM54\n", {"ICD": (1, 3)})

    def test_a_layout_may_be_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "layout.csv").write_text("name,start,end,type\nA,1,2,\nT,3,4,text\n")
        found = self.read(tmp_path, "12ab\n", tmp_path / "layout.csv")
        assert_frame_equal(found, pd.DataFrame({"A": [12.0], "T": ["ab"]}))

    def test_a_file_without_a_layout_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ReadError, match=r"d\.dat: a fixed-width file has no names in it: declare a layout"):
            self.read(tmp_path, "12\n", None)

    @pytest.mark.parametrize(
        ("layout", "reason"),
        [
            ({"A": (0, 3)}, "count from 1"),
            ({"A": (3, 1)}, "do not end before the start"),
            ({"A": (1, 3, "date")}, "it is `number` or `text`"),
            ({"A": 3}, "A needs its first and last character"),
            ([{"name": "A", "start": 1, "end": 2}, {"name": "A", "start": 3, "end": 4}], "A stands twice"),
        ],
    )
    def test_a_place_that_cannot_be_is_refused(self, layout: object, reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            fields(layout)  # type: ignore[arg-type]


class TestXport:
    def test_a_zero_is_zero(self, tmp_path: Path) -> None:
        pyreadstat.write_xport(pd.DataFrame({"A": [0.0, 1.0]}), str(tmp_path / "d.xpt"), file_format_version=5)
        assert (read(tmp_path / "d.xpt")["A"] == 0).tolist() == [True, False]

    @pytest.mark.parametrize("version", [5, 8])
    def test_a_file_cut_between_two_records_does_not_pass_for_a_shorter_one(self, version: int, tmp_path: Path) -> None:
        frame = pd.DataFrame({"A": np.arange(300.0), "T": [f"row {i}" for i in range(300)], "B": np.arange(300.0)})
        pyreadstat.write_xport(frame, str(tmp_path / "d.xpt"), file_format_version=version)  # type: ignore[arg-type]
        whole = (tmp_path / "d.xpt").read_bytes()
        assert len(read(tmp_path / "d.xpt")) == 300
        width = 8 + len("row 299") + 8
        data = len(whole) - (300 * width + -(300 * width) % 80)
        (tmp_path / "cut.xpt").write_bytes(whole[: data + 80 * 50])
        for columns in (None, ["B"]):
            with pytest.raises(ReadError, match=r"cut\.xpt: is cut short"):
                read(tmp_path / "cut.xpt", columns=columns)
        assert read(tmp_path / "d.xpt", columns=["B"])["B"].tolist() == frame["B"].tolist()

    def test_special_missing_values_are_missing(self, tmp_path: Path) -> None:
        pyreadstat.write_xport(pd.DataFrame({"A": [1.0, 2.0, 3.0]}), str(tmp_path / "d.xpt"), file_format_version=5)
        whole = (tmp_path / "d.xpt").read_bytes()
        one, two = struct.pack(">Q", 0x4110000000000000), struct.pack(">Q", 0x4120000000000000)
        assert whole.count(one) == whole.count(two) == 1
        whole = whole.replace(one, b".".ljust(8, b"\0")).replace(two, b"A".ljust(8, b"\0"))
        (tmp_path / "d.xpt").write_bytes(whole)
        assert read(tmp_path / "d.xpt")["A"].isna().tolist() == [True, True, False]

    def test_windows_text_is_decoded(self, tmp_path: Path) -> None:
        frame = pd.DataFrame({"A": [1.0, 2.0], "T": ["cafe", "tea"]})
        pyreadstat.write_xport(frame, str(tmp_path / "d.xpt"), file_format_version=5)
        whole = (tmp_path / "d.xpt").read_bytes()
        (tmp_path / "d.xpt").write_bytes(whole.replace(b"cafe", b"caf\xe9"))
        assert read(tmp_path / "d.xpt")["T"].tolist() == ["café", "tea"]
        assert read(tmp_path / "d.xpt", columns=["A"])["A"].tolist() == [1.0, 2.0]


class TestStatisticsPackages:
    def test_labels_do_not_replace_codes(self, tmp_path: Path) -> None:
        frame = pd.DataFrame({"SEX": [1.0, 2.0]})
        labels = {"SEX": {1: "male", 2: "female"}}
        pyreadstat.write_dta(frame, str(tmp_path / "d.dta"), variable_value_labels=labels)
        pyreadstat.write_sav(frame, str(tmp_path / "d.sav"), variable_value_labels=labels)
        assert_frame_equal(read(tmp_path / "d.dta"), frame)
        assert_frame_equal(read(tmp_path / "d.sav"), frame)

    def test_codes_that_spss_declares_missing_stay(self, tmp_path: Path) -> None:
        frame = pd.DataFrame({"Q": [1.0, 9.0, np.nan], "T": ["a", "z", "b"]})
        missing = {"Q": [{"lo": 7, "hi": 9}], "T": ["z"]}
        pyreadstat.write_sav(frame, str(tmp_path / "d.sav"), missing_ranges=missing)  # type: ignore[arg-type]
        assert_frame_equal(read(tmp_path / "d.sav"), frame)

    def test_statas_letters_are_missing_and_counted(self, tmp_path: Path) -> None:
        frame = pd.DataFrame({"Q": pd.Series([1.0, "a", "b", "a", np.nan], dtype=object), "R": np.arange(5.0)})
        pyreadstat.write_dta(frame, str(tmp_path / "d.dta"), missing_user_values={"Q": ["a", "b"]})
        found = read(tmp_path / "d.dta")
        assert found["Q"].isna().tolist() == [False, True, True, True, True]
        assert found["Q"].dtype == "float64"
        assert found.attrs == {"special_missing": {"Q": {".a": 2, ".b": 1}}}

    def test_dates_stay_the_numbers_they_are(self, tmp_path: Path) -> None:
        frame = pd.DataFrame({"D": [0.0, 366.0]})
        pyreadstat.write_dta(frame, str(tmp_path / "d.dta"), variable_format={"D": "%td"})
        pyreadstat.write_xport(frame, str(tmp_path / "d.xpt"), variable_format={"D": "DATE9."})
        assert_frame_equal(read(tmp_path / "d.dta"), frame)
        assert_frame_equal(read(tmp_path / "d.xpt"), frame)

    def test_numbers_are_float64_whatever_the_format_keeps(self, tmp_path: Path) -> None:
        frame = pd.DataFrame({"A": np.array([1, 2], dtype="int8"), "B": np.array([0.5, 1], dtype="float32")})
        frame.to_stata(tmp_path / "d.dta", write_index=False)
        frame.to_parquet(tmp_path / "d.parquet")
        for name in ("d.dta", "d.parquet"):
            assert_frame_equal(read(tmp_path / name), frame.astype("float64"))

    def test_a_whole_number_that_a_float_would_change_is_refused(self, tmp_path: Path) -> None:
        pd.DataFrame({"ID": [2**53 + 1]}).to_parquet(tmp_path / "d.parquet")
        with pytest.raises(ReadError, match=r"numbers in ID with more digits"):
            read(tmp_path / "d.parquet")


# Written by the command `readstat` 1.1.8 (Python cannot write this format), compressed.
SAS7BDAT = """
c-rmTy-NaN90%~<nS)k?f`oyPMT0}ca}|{!=z(Vn2GJ=6HM9oNCN(8NV^drG4Q)*kQMA++Exk-_4dLKaLNC|7`Erk5)>wW&H~jp4
pBF?p@PRv`x{K%Sm7{?F`gG4j-b-;eIN<Y-6Ah6-B7G}h>l8@|r!rYNDdi+Z&V`*&8~S={UZ$_`C^b|&eTI+7#l_K4CNgoBX>~%Y
liAhv!X^O#0000000000000000CXa+b`jn8nq8#JK6-BDL2lKKmB*@qV3xE)Ug|OHGM67(d4k)2%^@Fg$V=U=a{vGU0QkQ?-&8}V
u75X|tLdhH_(X1U8CB;odV&00-_P}ptgY2ZEeRR(h=$2LGDNJN5qE^3kEXRm{4>JI{G2?mWRlX1OxmY~oH(6Q<VAYXknw%&UNt}Y
O$M#%b{KcJ+rZa4Rynx);7=0FJ79`2CW@^79>BwfTwdBbvCh-wxHitlYNLsK;$UBQ9H*8C@0&{TPKiC;hOVkRoJH+3D#hy7_6h(1
000000KfGGd|#Cr
"""


class TestSas7bdat:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        path = tmp_path / "h216.sas7bdat"
        path.write_bytes(zlib.decompress(base64.b85decode("".join(SAS7BDAT.split()))))
        return path

    def test_codes_text_and_every_digit(self, file: Path) -> None:
        expected = pd.DataFrame(
            {
                "DUPERSID": ["70001101", "00002", "", "9"],
                "AGE": [0.0, 85.0, np.nan, np.nan],
                "PERWT18F": [7038.359135, 0.1, 12345.678901234567, 1.0],
                "SEX": [1.0, 2.0, -1.0, 1.0],
            }
        )
        assert_frame_equal(read(file), expected, check_exact=True)
        assert_frame_equal(read(file, columns=["SEX", "AGE"]), expected[["SEX", "AGE"]])

    def test_letters_are_counted(self, file: Path) -> None:
        # The library that made the file writes every missing value as a full stop: make one a letter.
        full_stop, letter = b"\0\0\0\0\0\0\xf8\x7f", b"\0\0\0\0\0\xfd\xff\xff"
        before, _, after = file.read_bytes().rpartition(full_stop)
        file.write_bytes(before + letter + after)
        assert read(file)["AGE"].isna().tolist() == [False, False, True, True]
        assert read(file).attrs == {"special_missing": {"AGE": {".A": 1}}}

    def test_inside_a_zip(self, file: Path) -> None:
        with zipfile.ZipFile(file.with_name("h216v9.zip"), "w") as archive:
            archive.write(file, "H216.SAS7BDAT")
        assert read(file.with_name("h216v9.zip"), columns=["SEX"])["SEX"].tolist() == [1.0, 2.0, -1.0, 1.0]

    def test_a_missing_column_and_a_cut_file(self, file: Path) -> None:
        with pytest.raises(ReadError, match=r"no column PERWT19F \(nearest: PERWT18F\)"):
            read(file, columns=["PERWT19F"])
        file.write_bytes(file.read_bytes()[:9000])
        with pytest.raises(ReadError, match="fetch it again"):
            read(file)

    def test_it_cannot_be_written_and_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(WriteError, match="no writer for 'sas7bdat'"):
            write(FRAME, tmp_path / "d.sas7bdat")


class TestR:
    def test_integers_and_logical_values_with_missing_ones(self, tmp_path: Path) -> None:
        frame = pd.DataFrame(
            {
                "I": pd.array([1, None, 3], dtype="Int64"),
                "L": pd.array([True, None, False], dtype="boolean"),
                "K": [True, False, True],
            }
        )
        pyreadr.write_rds(str(tmp_path / "d.rds"), frame)
        found = read(tmp_path / "d.rds")
        assert found.dtypes.astype(str).tolist() == ["float64", "boolean", "bool"]
        assert found["I"].isna().tolist() == found["L"].isna().tolist() == [False, True, False]

    def test_a_factor_is_text_and_not_a_category(self, tmp_path: Path) -> None:
        write(pd.DataFrame({"F": ["b", "a", "b"]}), tmp_path / "d.rds")
        made = {None: pd.DataFrame({"F": pd.Categorical(["b", "a", None])})}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pyreadr, "read_r", lambda *_, **__: made)
            found = read(tmp_path / "d.rds")["F"]
        assert found.dtype == "str"
        assert found.tolist()[:2] == ["b", "a"]
        assert found.isna().tolist() == [False, False, True]

    def test_a_named_object_is_taken_and_another_name_refused(self, tmp_path: Path) -> None:
        write(FRAME, tmp_path / "d.RData", member="meps2008")
        assert_frame_equal(read(tmp_path / "d.RData", member="meps2008"), FRAME)
        with pytest.raises(ReadError, match=r"d\.RData: has no object 'meps'; it has meps2008"):
            read(tmp_path / "d.RData", member="meps")

    def test_of_several_objects_the_only_data_frame_is_taken(self, tmp_path: Path) -> None:
        self.several(tmp_path, {"d": ["A", "B"], "v": []})
        assert read(tmp_path / "d.RData", columns=["A"])["A"].tolist() == [1.0, 2.0]

    def test_of_two_data_frames_one_has_to_be_named(self, tmp_path: Path) -> None:
        self.several(tmp_path, {"d": ["A", "B"], "e": ["C"]})
        with pytest.raises(ReadError, match=r"has 2 data frames \(objects: d, e\); name the one to read as `member`"):
            read(tmp_path / "d.RData")
        assert read(tmp_path / "d.RData", member="e")["C"].tolist() == [1.0, 2.0]

    @staticmethod
    def several(folder: Path, objects: dict[str, list[str]]) -> None:
        """An `.RData` file of several objects in R's format: data frames of 1 and 2, or without columns a vector."""

        def number(*values: int) -> bytes:
            return struct.pack(f">{len(values)}i", *values)

        def text(value: str) -> bytes:
            return number(262153, len(value)) + value.encode()

        vector = number(14, 2) + struct.pack(">2d", 1, 2)
        made = b"RDX3\nX\n" + number(3, 262657, 197888, 5) + b"UTF-8"
        for name, columns in objects.items():
            made += number(1026, 1) + text(name)
            if not columns:
                made += vector
                continue
            made += number(787, len(columns)) + vector * len(columns)
            made += number(1026, 1) + text("names") + number(16, len(columns)) + b"".join(map(text, columns))
            made += number(1026, 1) + text("class") + number(16, 1) + text("data.frame")
            made += number(1026, 1) + text("row.names") + number(13, 2, -(2**31), -2) + number(254)
        (folder / "d.RData").write_bytes(gzip.compress(made + number(254)))

    def test_windows_text_is_decoded(self, tmp_path: Path) -> None:
        write(pd.DataFrame({"T": ["cafe", "tea"]}), tmp_path / "d.rds")
        raw = gzip.decompress((tmp_path / "d.rds").read_bytes())
        (tmp_path / "d.rds").write_bytes(
            gzip.compress(raw.replace(b"\0\4\0\x09\0\0\0\4cafe", b"\0\0\0\x09\0\0\0\4caf\xe9"))
        )
        assert read(tmp_path / "d.rds")["T"].tolist() == ["café", "tea"]

    def test_an_object_that_is_no_table_is_refused(self, tmp_path: Path) -> None:
        made = b"X\n" + struct.pack(">5i", 2, 262657, 131840, 19, 0)
        (tmp_path / "d.rds").write_bytes(gzip.compress(made))
        with pytest.raises(ReadError, match=r"has 0 data frames .*save a single data frame"):
            read(tmp_path / "d.rds")


class TestZip:
    @staticmethod
    def pack(path: Path, **files: str) -> Path:
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in files.items():
                archive.writestr(name.replace("__", "."), text)
        return path

    def test_the_only_data_file_is_taken_and_a_note_beside_it_left(self, tmp_path: Path) -> None:
        path = self.pack(tmp_path / "d.zip", adult20__csv="A\n1\n", readme__txt="A\n2\n")
        assert read(path)["A"].tolist() == [1.0]

    def test_of_several_data_files_one_has_to_be_named(self, tmp_path: Path) -> None:
        path = self.pack(tmp_path / "d.zip", adult__csv="A\n1\n", child__csv="A\n2\n")
        with pytest.raises(ReadError, match=r"holds several files; name one .* `member`: adult\.csv, child\.csv"):
            read(path)
        assert read(path, member="CHILD.csv")["A"].tolist() == [2.0]
        with pytest.raises(ReadError, match=r"does not hold 'teen\.csv'"):
            read(path, member="teen.csv")

    def test_a_file_without_a_known_suffix_needs_a_format(self, tmp_path: Path) -> None:
        path = self.pack(tmp_path / "d.zip", adult__asc="A\n1\n")
        with pytest.raises(ReadError, match=r"holds no data file.*adult\.asc"):
            read(path)
        assert read(path, format="csv")["A"].tolist() == [1.0]

    def test_a_damaged_member_is_refused(self, tmp_path: Path) -> None:
        path = self.pack(tmp_path / "d.zip", adult__csv="A\n1234567\n")
        path.write_bytes(path.read_bytes().replace(b"1234567", b"1234568", 1))
        with pytest.raises(ReadError, match=r"d\.zip: cannot be read.*CRC.*fetch it again"):
            read(path)

    def test_what_was_unpacked_is_removed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "scratch").mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
        path = self.pack(tmp_path / "d.zip", adult__csv="A,B\n1,2\n")
        read(path)
        with pytest.raises(ReadError, match="no column C"):
            read(path, columns=["C"])
        assert list((tmp_path / "scratch").iterdir()) == []

    def test_an_archive_may_be_written_with_the_agencys_name_inside(self, tmp_path: Path) -> None:
        write(FRAME, tmp_path / "h216dta.zip", member="h216.dta")
        with zipfile.ZipFile(tmp_path / "h216dta.zip") as archive:
            assert archive.namelist() == ["h216.dta"]
        assert_frame_equal(read(tmp_path / "h216dta.zip", member="h216.dta"), FRAME)

    def test_an_archive_may_be_written_with_a_format(self, tmp_path: Path) -> None:
        write(FRAME, tmp_path / "h163ssp.zip", format="xport")
        assert_frame_equal(read(tmp_path / "h163ssp.zip"), FRAME)


class TestWrite:
    @pytest.mark.parametrize(
        ("name", "frame", "reason"),
        [
            ("d.xpt", pd.DataFrame({"TOOLONGNAME": [1.0]}), "shorten TOOLONGNAME"),
            ("d.xpt", pd.DataFrame({"T": ["x" * 201], "A": [1.0]}), "shorten the text in T"),
            ("d.dta", pd.DataFrame({"a b": [1.0]}), "Stata cannot hold"),
            ("d.sav", pd.DataFrame({"a b": [1.0]}), "contains a space"),
            ("d.csv", pd.DataFrame({"D": pd.to_datetime(["2020-01-01"])}), "column D is datetime64"),
            ("d.csv", pd.DataFrame([[1, 2]], columns=["A", "A"]), "each with a name of its own"),
            ("d.csv", pd.DataFrame(), "needs columns"),
            ("d.csv", pd.DataFrame({"O": [1, "x"]}, dtype=object), "column O is object"),
            ("d.txt", pd.DataFrame({"A": [1]}), r"no writer for 'd\.txt'"),
        ],
    )
    def test_what_a_format_cannot_hold_is_refused_and_leaves_no_file(
        self, name: str, frame: pd.DataFrame, reason: str, tmp_path: Path
    ) -> None:
        with pytest.raises(WriteError, match=rf"{name}: .*{reason}"):
            write(frame, tmp_path / name)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("frame", "layout", "reason"),
        [
            (pd.DataFrame({"A": [1000.0]}), {"A": (1, 3)}, "'1000' does not fit into characters 1-3"),
            (pd.DataFrame({"T": ["."]}), {"T": (1, 3, "text")}, "would be read back as something else"),
            (pd.DataFrame({"T": ["x "]}), {"T": (1, 3, "text")}, "would be read back as something else"),
            (pd.DataFrame({"A": [1.0]}), {"B": (1, 3)}, r"without a column \['B'\], without a place \['A'\]"),
            (pd.DataFrame({"A": [1.0]}), None, "declare a layout"),
        ],
    )
    def test_what_does_not_fit_a_layout_is_refused(
        self, frame: pd.DataFrame, layout: dict[str, object] | None, reason: str, tmp_path: Path
    ) -> None:
        with pytest.raises(ValueError, match=reason):
            write(frame, tmp_path / "d.dat", layout=layout)
        assert list(tmp_path.iterdir()) == []

    def test_categories_and_small_numbers_are_written_as_what_they_stand_for(self, tmp_path: Path) -> None:
        frame = pd.DataFrame(
            {"C": pd.Categorical(["b", "a", None]), "I": pd.array([1, None, 3], dtype="Int8"), "Z": [0, 1, 2]}
        )
        write(frame, tmp_path / "d.csv")
        assert (tmp_path / "d.csv").read_text() == '"C","I","Z"\n"b",1,0\n"a",NA,1\nNA,3,2\n'

    def test_transport_and_csv_copies_of_one_table_are_equal(self, tmp_path: Path) -> None:
        weights = np.random.default_rng(2).lognormal(10, 2, 500)
        frame = pd.DataFrame({"SEQN": np.arange(500.0), "W": weights, "T": ["A", ""] * 250})
        for name in ("d.xpt", "d.csv.xz", "d.rds"):
            write(frame, tmp_path / name)
            assert_frame_equal(read(tmp_path / name), frame, check_exact=True)


def find(mirror: list[Path], name: str) -> Path:
    """A real file by its name; skipped loudly where the mirrors do not have it."""
    found = [path for folder in mirror for path in sorted(folder.rglob(name))]
    if not found:
        pytest.skip(f"REAL DATA NOT TESTED: no {name} in BACKPAIN_MIRROR")
    return found[0]


MORTALITY = {
    "SEQN": (1, 6),
    "ELIGSTAT": (15, 15),
    "MORTSTAT": (16, 16),
    "UCOD_LEADING": (17, 19),
    "PERMTH_EXM": (46, 48),
}


@pytest.mark.public
class TestRealFiles:
    def test_demographics_2009(self, mirror: list[Path]) -> None:
        found = read(find(mirror, "DEMO_F.XPT"))
        assert found.shape == (10537, 43)
        assert found["RIAGENDR"].value_counts().to_dict() == {1: 5225, 2: 5312}
        assert (found["RIDAGEYR"] == 0).sum() > 400
        assert (found["WTMEC2YR"] == 0).sum() == 284

    def test_arthritis_questionnaire_2009(self, mirror: list[Path]) -> None:
        found = read(find(mirror, "ARQ_F.csv.xz"), columns=["ARQ010", "ARQ020D", "SEQN"])
        assert found.shape == (5106, 3)
        assert found["ARQ010"].value_counts().to_dict() == {1: 1508, 2: 3595, 9: 3}
        assert found["ARQ020D"].value_counts().to_dict() == {4: 989}

    def test_drugs_2009_in_transport_and_as_csv(self, mirror: list[Path], tmp_path: Path) -> None:
        found = read(find(mirror, "RXQ_RX_F.XPT"))
        assert found.shape == (20905, 7)
        assert (found["RXDDRUG"] == "").sum() > 0
        write(found, tmp_path / "copy.csv.xz")
        assert_frame_equal(read(tmp_path / "copy.csv.xz"), found, check_exact=True)

    def test_drugs_2013_hold_windows_text(self, mirror: list[Path]) -> None:
        path = find(mirror, "RXQ_RX_H.csv.xz")
        with pytest.raises(UnicodeDecodeError):
            lzma.decompress(path.read_bytes()).decode("utf-8")
        found = read(path)
        texts = found.select_dtypes("str")
        other = {
            letter for column in texts for value in texts[column].unique() for letter in str(value) if ord(letter) > 127
        }
        assert other
        assert all(letter.isprintable() for letter in other)
        assert found["RXDDRGID"].iloc[:2].tolist() == ["", "d00262"]
        assert found["RXDDRUG"].iloc[0] == "99999"

    def test_every_number_of_a_csv_copy_is_the_one_python_reads(self, mirror: list[Path]) -> None:
        path = find(mirror, "DEMO_H.csv.xz")
        rows = list(csv.DictReader(io.StringIO(lzma.decompress(path.read_bytes()).decode())))
        found = read(path, columns=["WTMEC2YR", "INDFMPIR"])
        for name in found:
            assert found[name].fillna(-1).tolist() == [-1.0 if row[name] == "NA" else float(row[name]) for row in rows]

    def test_linked_mortality(self, mirror: list[Path]) -> None:
        found = read(find(mirror, "NHANES_2009_2010_MORT_2019_PUBLIC.dat"), layout=MORTALITY)
        assert len(found) == 10537
        assert found["SEQN"].iloc[[0, -1]].tolist() == [51624.0, 62160.0]
        assert found["UCOD_LEADING"].value_counts().to_dict()[1] == 207
        assert found["PERMTH_EXM"].notna().sum() == 6346

    def test_conditions_2008(self, mirror: list[Path]) -> None:
        found = read(find(mirror, "conditions_yr2008.rds"))
        assert found.shape == (102169, 36)
        assert found["ICD9CODX"].dtype == found["DUPERSID"].dtype == "str"
        assert found["PERWT08F"].iloc[0] == 7038.359135

    def test_people_2008(self, mirror: list[Path]) -> None:
        found = read(find(mirror, "MEPS_2008_new.RData"))
        assert found.shape == (33066, 13)
        assert found["NOINS"].dtype == bool
        assert found["FAMYID"].iloc[0] == "70001A"

    def test_a_sample_with_missing_integers(self, mirror: list[Path]) -> None:
        found = read(find(mirror, "nhis2018sm.RData"), columns=["PAINLB", "WTFA_SA"])
        assert len(found) == 500
        assert found.dtypes.astype(str).tolist() == ["float64", "float64"]

    def test_an_official_archive(self, mirror: list[Path]) -> None:
        found = read(find(mirror, "adultpart20csv.zip"))
        assert list(found) == ["SRVY_YR", "RECTYPE", "WTSA_P", "HHX_2020"]
        assert found["HHX_2020"].iloc[0] == "H006876"

    def test_transport_and_csv_copies_are_equal(self, mirror: list[Path]) -> None:
        files = [path for folder in mirror for path in folder.rglob("*") if path.suffix.lower() in (".xpt", ".xz")]
        stems: dict[tuple[Path, str], list[Path]] = {}
        for path in files:
            stems.setdefault((path.parent, path.name.split(".")[0].upper()), []).append(path)
        pairs = [sorted(paths) for paths in stems.values() if len({path.suffix.lower() for path in paths}) == 2]
        if not pairs:
            pytest.skip("REAL DATA NOT TESTED: no table is there both as .XPT and as .csv.xz")
        for one, other in pairs:
            # R writes 15 significant digits; text that is blank in one may be missing in the other.
            assert_frame_equal(read(one), read(other), rtol=1e-14, atol=0)
