"""Files are found in the raw folder, in mirrors or on a server, and never mistaken for other ones."""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
import re
import shutil
import socket
import subprocess
import threading
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from backpain.acquire import AcquireError, Receipt, Wanted, acquire, plan
from backpain.acquire import download as downloading
from backpain.acquire.progress import Bar
from backpain.acquire.sums import record, recorded

DATA = bytes(range(1, 256)) * 2000  # 510,000 bytes: two chunks
OTHER = bytes(reversed(DATA))
PAGE = b"\n<!DOCTYPE html>\n<html><title>Page Not Found</title></html>"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Answer:
    """How the server answers one request: what it sends, and what goes wrong with it."""

    data: bytes = DATA
    status: int = 200
    tag: str | None = '"one"'
    modified: str | None = None
    kind: str = "application/octet-stream"
    ranges: bool = True  # whether it heeds Range
    cut: int | None = None  # after how many bytes it hangs up
    length: bool = True
    headers: dict[str, str] = field(default_factory=dict)


class Server:
    """A server on this machine that gives prepared answers, one after another; the last one again and again."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.requests: list[tuple[str, str, Message]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.requests.append((self.command, self.path, self.headers))
                waiting = server.answers.get(self.path, [Answer(b"none", 404)])
                server.send(self, waiting.pop(0) if len(waiting) > 1 else waiting[0])

            do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    @staticmethod
    def send(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range") or "")
        start, status = 0, answer.status
        same = handler.headers.get("If-Range") in (answer.tag, answer.modified)
        if asked and answer.ranges and same and status == 200:
            start, status = int(asked[1]), 206
        handler.send_response(status)
        if status == 206 and "Content-Range" not in answer.headers:
            handler.send_header("Content-Range", f"bytes {start}-{len(answer.data) - 1}/{len(answer.data)}")
        if answer.tag:
            handler.send_header("ETag", answer.tag)
        if answer.modified:
            handler.send_header("Last-Modified", answer.modified)
        if answer.length:
            handler.send_header("Content-Length", str(len(answer.data) - start))
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Type", answer.kind)
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(answer.data[start : answer.cut])
            handler.wfile.flush()

    def sent_ranges(self) -> list[str | None]:
        return [headers.get("Range") for _, _, headers in self.requests]


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits between attempts, and no proxy stands between the tests and their server."""
    monkeypatch.setattr("backpain.acquire.transfer.PAUSE", 0.0)
    monkeypatch.setattr("urllib.request._opener", None)  # kept from the first use, with the proxies of that time
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return tmp_path / "raw"


def wanted(
    server: Server | None = None, *answers: Answer, path: str = "nhanes/2009-2010/DEMO_F.XPT", **more: object
) -> Wanted:
    if server is not None:
        server.answers["/DEMO_F.xpt"] = list(answers) or [Answer()]
        more["url"] = f"{server.url}/DEMO_F.xpt"
    return Wanted("DEMO_F", path, **more)  # type: ignore[arg-type]


def put(folder: Path, path: str, data: bytes = DATA) -> Path:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(data)
    return folder / path


def quiet(name: str, done: int, total: int | None) -> None:
    """A progress that tells nobody."""


def get(item: Wanted | list[Wanted], raw: Path, *mirrors: Path, **how: object) -> list[Receipt]:
    items = item if isinstance(item, list) else [item]
    return acquire(items, raw, mirrors, progress=quiet, **how)  # type: ignore[arg-type]


def refused(item: Wanted | list[Wanted], raw: Path, *mirrors: Path, **how: object) -> str:
    with pytest.raises(AcquireError) as error:
        get(item, raw, *mirrors, **how)
    return str(error.value)


def files(folder: Path) -> list[str]:
    """All files but the lock of the checksums."""
    found = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    return [path for path in found if path != ".SHA256SUMS.lock"]


class TestFinding:
    def test_the_raw_folder_comes_before_mirrors_and_those_in_their_order(self, raw: Path, tmp_path: Path) -> None:
        item = wanted()
        one, other = tmp_path / "one", tmp_path / "other"
        for folder in (other, one, raw):
            path = put(folder, item.path)
            expected = "raw" if folder is raw else f"mirror: {folder.name}"
            (receipt,) = get(item, raw, one, other)
            assert receipt == Receipt("DEMO_F", path, len(DATA), digest(DATA), expected)

    def test_an_alternative_in_the_raw_folder_comes_before_the_path_in_a_mirror(
        self, raw: Path, tmp_path: Path
    ) -> None:
        item = wanted(alternatives=("nhanes/DEMO_F.csv.xz",))
        put(tmp_path / "mirror", item.path)
        path = put(raw, item.alternatives[0], OTHER)
        (receipt,) = get(item, raw, tmp_path / "mirror")
        assert (receipt.path, receipt.origin, receipt.sha256) == (path, "raw", digest(OTHER))

    def test_the_path_comes_before_its_alternatives(self, raw: Path) -> None:
        item = wanted(alternatives=("nhanes/DEMO_F.csv.xz",))
        put(raw, item.alternatives[0], OTHER)
        path = put(raw, item.path)
        assert get(item, raw)[0].path == path

    def test_capitals_in_a_files_name_do_not_matter(self, raw: Path) -> None:
        path = put(raw, "nhanes/2009-2010/demo_f.xpt")
        assert get(wanted(), raw)[0].path == path
        assert list(recorded(raw)) == ["nhanes/2009-2010/demo_f.xpt"]

    def test_receipts_come_in_the_order_of_what_is_wanted(self, raw: Path, server: Server) -> None:
        items = [Wanted("b", "b.csv"), wanted(server), Wanted("a", "a.csv")]
        put(raw, "a.csv")
        put(raw, "b.csv")
        assert [receipt.file for receipt in get(items, raw)] == ["b", "DEMO_F", "a"]

    def test_all_missing_files_are_told_at_once_with_what_to_do(self, raw: Path, tmp_path: Path) -> None:
        items = [
            wanted(alternatives=("nhanes/DEMO_F.csv.xz",), url="https://agency.example/DEMO_F.xpt"),
            Wanted("people", "meps/2008/people.RData", obtain="ask the agency for it"),
        ]
        one, other = refused(items, raw, tmp_path / "mirror", download=False).splitlines()
        assert one == (
            f"DEMO_F: nhanes/2009-2010/DEMO_F.XPT or nhanes/DEMO_F.csv.xz is not in {raw}, {tmp_path / 'mirror'}. "
            f"Download https://agency.example/DEMO_F.xpt by hand and put it into {raw}/nhanes/2009-2010/ as DEMO_F.XPT"
        )
        assert other.endswith(f"by hand (ask the agency for it) and put it into {raw}/meps/2008/ as people.RData")

    def test_a_file_to_be_got_by_hand_stops_before_anything_is_downloaded(self, raw: Path, server: Server) -> None:
        assert "people" in refused([wanted(server), Wanted("people", "people.RData", obtain="ask")], raw)
        assert server.requests == []

    @pytest.mark.parametrize(("data", "reason"), [(b"", "is empty"), (PAGE, "is a web page, not data")])
    def test_a_file_that_cannot_be_data_is_refused_before_its_checksum_is_kept(
        self, data: bytes, reason: str, raw: Path
    ) -> None:
        path = put(raw, wanted().path, data)
        assert f"{path}: {reason}" in refused(wanted(), raw)
        assert files(raw) == [wanted().path]
        assert path.read_bytes() == data

    def test_an_archive_has_to_hold_the_file_that_is_named(self, raw: Path) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("H216.dta", b"data")
        put(raw, "h216dta.zip", packed.getvalue())
        assert len(get(Wanted("h216", "h216dta.zip", inside="h216.dta"), raw)) == 1
        message = refused(Wanted("h216", "h216dta.zip", inside="h215.dta"), raw)
        assert "does not hold h215.dta; it holds H216.dta" in message
        put(raw, "cut.zip", packed.getvalue()[:60])
        assert "damaged zip archive" in refused(Wanted("cut", "cut.zip", inside="h216.dta"), raw)


class TestChecksums:
    def test_a_checksum_is_written_down_at_first_sight_in_the_form_of_sha256sum(self, raw: Path) -> None:
        put(raw, wanted().path)
        get(wanted(), raw)
        assert (raw / "SHA256SUMS").read_text() == f"{digest(DATA)}  nhanes/2009-2010/DEMO_F.XPT\n"
        if shutil.which("sha256sum"):
            subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=raw, check=True, capture_output=True)

    def test_a_file_that_changed_since_is_refused_with_both_sums_and_the_remedy(self, raw: Path) -> None:
        path = put(raw, wanted().path)
        get(wanted(), raw)
        path.write_bytes(OTHER)
        message = refused(wanted(), raw)
        assert digest(OTHER) in message
        assert digest(DATA) in message
        assert "delete it and fetch it again" in message
        assert f"delete the line of {wanted().path} there" in message
        assert path.read_bytes() == OTHER
        assert recorded(raw) == {wanted().path: digest(DATA)}

    def test_after_deleting_its_line_the_new_file_is_taken(self, raw: Path) -> None:
        path = put(raw, wanted().path)
        get(wanted(), raw)
        path.write_bytes(OTHER)
        (raw / "SHA256SUMS").write_text("")
        assert get(wanted(), raw)[0].sha256 == digest(OTHER)

    def test_a_mirror_shares_the_entry_of_the_raw_folder(self, raw: Path, tmp_path: Path) -> None:
        mirror = tmp_path / "mirror"
        put(mirror, wanted().path)
        get(wanted(), raw, mirror)
        put(raw, wanted().path, OTHER)
        assert digest(DATA) in refused(wanted(), raw, mirror)
        put(raw, wanted().path, DATA)
        assert get(wanted(), raw, mirror)[0].origin == "raw"
        assert files(mirror) == [wanted().path]

    def test_a_declared_checksum_is_enforced_at_first_sight(self, raw: Path) -> None:
        put(raw, wanted().path, OTHER)
        message = refused(wanted(sha256=digest(DATA)), raw)
        assert f"its SHA-256 is {digest(OTHER)}, but the survey's declaration says {digest(DATA)}" in message
        assert files(raw) == [wanted().path]
        assert get(wanted(sha256=digest(OTHER).upper()), raw)[0].sha256 == digest(OTHER)

    def test_each_alternative_has_its_own_declared_checksum(self, raw: Path) -> None:
        path, copy = "d/DEMO_F.XPT", "d/DEMO_F.csv.xz"
        item = wanted(path=path, alternatives=(copy,), sha256={path: digest(DATA), copy: digest(OTHER)})
        put(raw, copy, OTHER)
        assert get(item, raw)[0].sha256 == digest(OTHER)
        put(raw, copy, DATA)
        (raw / "SHA256SUMS").unlink()
        assert "the survey's declaration says" in refused(item, raw)

    def test_a_bare_declared_checksum_is_not_that_of_an_alternative(self, raw: Path) -> None:
        item = wanted(alternatives=("d/DEMO_F.csv.xz",), sha256=digest(DATA))
        put(raw, "d/DEMO_F.csv.xz", OTHER)
        assert get(item, raw)[0].sha256 == digest(OTHER)

    def test_other_lines_of_the_list_are_kept(self, raw: Path) -> None:
        put(raw, wanted().path)
        (raw / "SHA256SUMS").write_text(f"# mine\n{digest(OTHER).upper()} *./z.csv\n")
        get(wanted(), raw)
        assert recorded(raw) == {wanted().path: digest(DATA), "z.csv": digest(OTHER)}

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("abc  d.csv\n", "line 1: not a checksum"),
            (f"{'a' * 64}  d\n{'b' * 64}  d\n", "line 2: another checksum of d"),
        ],
    )
    def test_a_damaged_list_is_refused(self, text: str, reason: str, raw: Path) -> None:
        put(raw, wanted().path)
        (raw / "SHA256SUMS").write_text(text)
        assert reason in refused(wanted(), raw)

    def test_where_nothing_can_be_written_a_found_file_is_given_all_the_same(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        mirror = tmp_path / "mirror"
        put(mirror, wanted().path)
        # A folder below a file: nobody, not even the superuser, can write there.
        impossible = put(tmp_path, "file", b"x") / "raw"
        assert get(wanted(), impossible, mirror)[0].sha256 == digest(DATA)
        assert f"{impossible / 'SHA256SUMS'}: cannot be written (Not a directory)" in capsys.readouterr().err

    def test_many_processes_write_down_their_checksums_at_once(self, raw: Path) -> None:
        context = multiprocessing.get_context("spawn")
        with context.Pool(4) as pool:
            pool.starmap(record, [(raw, {f"file-{i}": f"{i:064x}"}) for i in range(40)], chunksize=1)
        assert recorded(raw) == {f"file-{i}": f"{i:064x}" for i in range(40)}

    def test_the_first_of_two_that_disagree_is_kept_and_the_other_told(self, raw: Path) -> None:
        assert record(raw, {"d": "a" * 64}) == {"d": "a" * 64}
        assert record(raw, {"d": "b" * 64, "e": "c" * 64}) == {"d": "a" * 64, "e": "c" * 64}


class TestDownload:
    def test_a_file_is_downloaded_into_the_raw_folder_and_known_ever_after(self, raw: Path, server: Server) -> None:
        item = wanted(server, sha256=digest(DATA))
        (receipt,) = get(item, raw)
        assert receipt == Receipt("DEMO_F", raw / item.path, len(DATA), digest(DATA), f"downloaded: {item.url}")
        assert (raw / item.path).read_bytes() == DATA
        assert files(raw) == ["SHA256SUMS", item.path]
        assert recorded(raw) == {item.path: digest(DATA)}
        assert get(item, raw)[0].origin == "raw"
        assert len(server.requests) == 1
        assert "backpain/" in server.requests[0][2]["User-Agent"]

    def test_what_is_found_is_not_downloaded(self, raw: Path, server: Server, tmp_path: Path) -> None:
        item = wanted(server, Answer(OTHER))
        put(tmp_path / "mirror", item.path)
        assert get(item, raw, tmp_path / "mirror")[0].origin == "mirror: mirror"
        assert server.requests == []

    def test_a_lost_connection_is_taken_up_where_it_ended(self, raw: Path, server: Server) -> None:
        item = wanted(server, Answer(cut=300_000), Answer(cut=400_000), Answer())
        assert get(item, raw)[0].sha256 == digest(DATA)
        assert server.sent_ranges() == [None, "bytes=300000-", "bytes=400000-"]
        assert [headers.get("If-Range") for _, _, headers in server.requests] == [None, '"one"', '"one"']

    def test_a_later_run_continues_what_an_earlier_one_left(self, raw: Path, server: Server) -> None:
        item = wanted(server, Answer(cut=300_000), Answer(b"later", 503))
        assert "503" in refused(item, raw)
        assert files(raw) == [f"{item.path}.part", f"{item.path}.part.json"]
        server.requests.clear()
        server.answers["/DEMO_F.xpt"] = [Answer()]
        assert get(item, raw)[0].sha256 == digest(DATA)
        assert server.sent_ranges() == ["bytes=300000-"]
        assert files(raw) == ["SHA256SUMS", item.path]

    def test_without_an_etag_or_with_a_weak_one_the_date_tells_whether_it_is_the_same_file(
        self, raw: Path, server: Server
    ) -> None:
        date = "Mon, 01 Jun 2020 10:00:00 GMT"
        item = wanted(server, Answer(tag='W/"x"', modified=date, cut=9000), Answer(tag=None, modified=date))
        assert get(item, raw)[0].sha256 == digest(DATA)
        assert server.sent_ranges() == [None, "bytes=9000-"]
        assert server.requests[1][2]["If-Range"] == date

    def test_without_either_the_file_is_fetched_from_the_beginning(self, raw: Path, server: Server) -> None:
        item = wanted(server, Answer(tag=None, cut=9000), Answer(tag=None))
        assert get(item, raw)[0].sha256 == digest(DATA)
        assert server.sent_ranges() == [None, None]

    def test_a_server_that_ignores_ranges_begins_again(self, raw: Path, server: Server) -> None:
        item = wanted(server, Answer(cut=300_000), Answer(ranges=False))
        assert get(item, raw)[0].sha256 == digest(DATA)
        assert server.sent_ranges() == [None, "bytes=300000-"]

    def test_a_file_that_changed_meanwhile_is_not_mixed_with_its_former_self(self, raw: Path, server: Server) -> None:
        item = wanted(server, Answer(cut=300_000), Answer(OTHER, tag='"two"'))
        assert get(item, raw)[0].sha256 == digest(OTHER)

    def test_a_part_of_another_address_is_not_continued(self, raw: Path, server: Server) -> None:
        item = wanted(server)
        put(raw, f"{item.path}.part", OTHER[:1000])
        put(raw, f"{item.path}.part.json", b'{"url": "http://elsewhere", "validator": "\\"one\\""}')
        assert get(item, raw)[0].sha256 == digest(DATA)
        assert server.sent_ranges() == [None]

    @pytest.mark.parametrize("note", [b"", b"[]", b"{", b'{"url": 1}'])
    def test_a_part_with_a_damaged_note_is_not_continued(self, note: bytes, raw: Path, server: Server) -> None:
        item = wanted(server)
        put(raw, f"{item.path}.part", OTHER[:1000])
        put(raw, f"{item.path}.part.json", note)
        assert get(item, raw)[0].sha256 == digest(DATA)

    def test_a_range_that_the_server_does_not_have_leads_to_the_beginning(self, raw: Path, server: Server) -> None:
        item = wanted(server, Answer(cut=300_000), Answer(b"", 416), Answer())
        assert get(item, raw)[0].sha256 == digest(DATA)
        assert server.sent_ranges() == [None, "bytes=300000-", None]

    def test_another_range_than_the_one_asked_for_is_not_appended(self, raw: Path, server: Server) -> None:
        # As many bytes as are lacking, but from elsewhere in the file.
        elsewhere = {"Content-Range": f"bytes 5-210004/{len(DATA)}"}
        wrong = Answer(DATA[5:210_005], 206, headers=elsewhere)
        item = wanted(server, Answer(cut=300_000), wrong, Answer())
        assert get(item, raw)[0].sha256 == digest(DATA)

    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
    def test_a_passing_failure_is_tried_again(self, status: int, raw: Path, server: Server) -> None:
        item = wanted(server, Answer(b"busy", status), Answer(b"busy", status), Answer())
        assert get(item, raw)[0].sha256 == digest(DATA)
        assert len(server.requests) == 3

    def test_a_server_is_asked_a_few_times_only(self, raw: Path, server: Server) -> None:
        item = wanted(server, Answer(b"busy", 503))
        message = refused(item, raw)
        assert len(server.requests) == 5
        assert "DEMO_F: the server answered 503" in message
        assert files(raw) == []

    def test_a_server_that_asks_to_wait_is_given_the_time(
        self, raw: Path, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waited: list[float] = []
        monkeypatch.setattr("backpain.acquire.transfer.time.sleep", waited.append)
        item = wanted(
            server,
            Answer(b"busy", 429, headers={"Retry-After": "7"}),
            Answer(b"busy", 503, headers={"Retry-After": "100000"}),
            Answer(b"busy", 503, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}),
            Answer(),
        )
        get(item, raw)
        assert waited == [7.0, 60.0, 0.0]

    def test_pauses_between_attempts_grow(self, raw: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        waited: list[float] = []
        monkeypatch.setattr("backpain.acquire.transfer.time.sleep", waited.append)
        monkeypatch.setattr("backpain.acquire.transfer.PAUSE", 1.0)
        refused(wanted(server, Answer(b"busy", 503)), raw)
        assert waited == [1.0, 2.0, 4.0, 8.0]

    @pytest.mark.parametrize("status", [401, 403, 404, 410])
    def test_a_refusal_says_what_to_do_by_hand(self, status: int, raw: Path, server: Server) -> None:
        item = wanted(server, Answer(b"no", status), obtain="after registering")
        message = refused(item, raw)
        assert f"DEMO_F: the server answered {status}" in message
        assert f"Download {item.url} by hand (after registering) and put it into {raw}/nhanes/2009-2010/" in message
        assert "as DEMO_F.XPT" in message
        assert files(raw) == []
        assert len(server.requests) == 1

    @pytest.mark.parametrize(
        "answer",
        [
            Answer(PAGE, kind="text/html; charset=utf-8"),
            Answer(PAGE),
            Answer(b"\xef\xbb\xbf" + PAGE, kind="text/plain"),
        ],
    )
    def test_a_web_page_instead_of_the_file_is_refused(self, answer: Answer, raw: Path, server: Server) -> None:
        item = wanted(server, answer)
        message = refused(item, raw)
        assert "answered with a web page instead of the file" in message
        assert f"Download {item.url} by hand" in message
        assert files(raw) == []

    def test_a_part_survives_a_web_page(self, raw: Path, server: Server) -> None:
        item = wanted(server, Answer(cut=300_000), Answer(PAGE, kind="text/html", ranges=False), Answer())
        assert "web page" in refused(item, raw)
        assert get(item, raw)[0].sha256 == digest(DATA)
        assert server.sent_ranges() == [None, "bytes=300000-", "bytes=300000-"]

    def test_an_empty_file_is_refused(self, raw: Path, server: Server) -> None:
        assert "an empty file" in refused(wanted(server, Answer(b"")), raw)
        assert files(raw) == []

    def test_a_packed_answer_that_nobody_asked_for_is_refused(self, raw: Path, server: Server) -> None:
        assert "packed the file (gzip)" in refused(wanted(server, Answer(headers={"Content-Encoding": "gzip"})), raw)
        assert server.requests[0][2]["Accept-Encoding"] == "identity"
        assert files(raw) == []

    def test_a_file_shorter_than_the_server_says_is_never_put_in_place(self, raw: Path, server: Server) -> None:
        item = wanted(server, Answer(cut=300_000, ranges=False))
        assert "the connection was lost after 300,000 of 510,000 bytes" in refused(item, raw)
        assert item.path not in files(raw)

    def test_a_file_of_unsaid_size_is_taken_as_it_comes(self, raw: Path, server: Server) -> None:
        assert get(wanted(server, Answer(length=False)), raw)[0].size == len(DATA)

    def test_a_file_with_another_checksum_than_declared_is_not_kept(self, raw: Path, server: Server) -> None:
        item = wanted(server, Answer(OTHER), sha256=digest(DATA))
        message = refused(item, raw)
        assert digest(OTHER) in message
        assert digest(DATA) in message
        assert f"what was downloaded from {item.url} is not kept" in message
        assert files(raw) == []

    def test_a_file_with_another_checksum_than_written_down_is_not_kept(self, raw: Path, server: Server) -> None:
        item = wanted(server)
        get(item, raw)
        (raw / item.path).unlink()
        server.answers["/DEMO_F.xpt"] = [Answer(OTHER)]
        assert f"delete the line of {item.path} there" in refused(item, raw)
        assert files(raw) == ["SHA256SUMS"]
        assert recorded(raw) == {item.path: digest(DATA)}

    def test_an_archive_is_looked_into_before_it_is_put_in_place(self, raw: Path, server: Server) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("adult19.csv", b"A\n1\n")
        server.answers["/adult19csv.zip"] = [Answer(packed.getvalue())]
        url = f"{server.url}/adult19csv.zip"
        assert "does not hold adult20.csv" in refused(
            Wanted("adult", "adult19csv.zip", url=url, inside="adult20.csv"), raw
        )
        assert files(raw) == []
        assert len(get(Wanted("adult", "adult19csv.zip", url=url, inside="adult19.csv"), raw)) == 1
        server.answers["/adult19csv.zip"] = [Answer(DATA)]
        assert "it is not a zip archive" in refused(Wanted("other", "other.zip", url=url), raw)

    def test_every_failed_file_is_told_and_the_others_are_kept(self, raw: Path, server: Server) -> None:
        good = wanted(server)
        items = [
            Wanted("one", "one.csv", url=f"{server.url}/one"),
            good,
            Wanted("two", "two.csv", url=f"{server.url}/two"),
        ]
        assert [line.split(":")[0] for line in refused(items, raw).splitlines()] == ["one", "two"]
        assert files(raw) == ["SHA256SUMS", good.path]

    def test_a_server_that_is_not_there_is_asked_for_one_file_only(self, raw: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        asked: list[str] = []

        def opener(request: urllib.request.Request, timeout: float) -> object:
            asked.append(request.full_url)
            return urllib.request.urlopen(request, timeout=timeout)

        items = [Wanted(name, name, url=f"http://127.0.0.1:{port}/{name}") for name in ("one.csv", "two.csv")]
        one, two = refused(items, raw, opener=opener).splitlines()
        assert "no answer from the server" in one
        assert f"127.0.0.1:{port} does not answer" in two
        assert set(asked) == {items[0].url}
        assert len(asked) == 3
        assert files(raw) == []

    def test_where_nothing_can_be_written_the_folder_is_named(self, tmp_path: Path, server: Server) -> None:
        impossible = put(tmp_path, "file", b"x") / "raw"
        assert f"{impossible} cannot be written to (Not a directory)" in refused(wanted(server), impossible)

    def test_only_web_addresses_are_followed(self, raw: Path, tmp_path: Path) -> None:
        secret = put(tmp_path, "secret")
        assert "neither http nor https" in refused(wanted(url=secret.as_uri()), raw)

    def test_a_disk_that_is_too_small_is_told_beforehand(
        self, raw: Path, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("backpain.acquire.transfer.shutil.disk_usage", lambda _: SimpleNamespace(free=0))
        assert "it has 0.5 MB, and only 0.0 MB are free" in refused(wanted(server), raw)
        assert files(raw) == []

    def test_a_file_that_appears_meanwhile_is_not_touched(self, raw: Path, server: Server) -> None:
        item = wanted(server)

        def appear(part: Path) -> None:
            put(raw, item.path, OTHER)

        assert not downloading(str(item.url), raw / item.path, appear)
        assert (raw / item.path).read_bytes() == OTHER
        assert files(raw) == [item.path]

    def test_two_that_want_the_same_file_fetch_it_once(self, raw: Path, server: Server) -> None:
        item = wanted(server)
        origins: list[str] = []
        threads = [threading.Thread(target=lambda: origins.append(get(item, raw)[0].origin)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(origins) == [f"downloaded: {item.url}", "raw", "raw", "raw"]
        assert len(server.requests) == 1
        assert files(raw) == ["SHA256SUMS", item.path]


class TestProgress:
    class Screen(io.StringIO):
        terminal = False

        def isatty(self) -> bool:
            return self.terminal

    def test_off_a_terminal_every_tenth_has_a_line(self) -> None:
        screen = self.Screen()
        show = Bar(screen)
        for done in range(0, 1001):
            show("DEMO_F", done * 1000, 1_000_000)
        lines = screen.getvalue().splitlines()
        assert lines == [f"DEMO_F: {tenth * 10:3d} % of 1.0 MB" for tenth in range(11)]

    def test_on_a_terminal_the_line_is_rewritten_and_ended(self) -> None:
        screen = self.Screen()
        screen.terminal = True
        show = Bar(screen)
        show("DEMO_F", 500, 1000)
        show("DEMO_F", 1000, 1000)
        assert screen.getvalue().count("\n") == 1
        assert screen.getvalue().startswith("\rDEMO_F:  50 %")
        assert screen.getvalue().endswith("100 % of 0.0 MB\033[K\n")

    def test_without_a_size_the_megabytes_are_counted(self) -> None:
        screen = self.Screen()
        show = Bar(screen)
        for done in range(0, 30_000_000, 1_000_000):
            show("DEMO_F", done, None)
        assert screen.getvalue().splitlines() == ["DEMO_F: 0.0 MB", "DEMO_F: 10.0 MB", "DEMO_F: 20.0 MB"]

    def test_a_download_is_shown_on_the_standard_error_stream(
        self, raw: Path, server: Server, capsys: pytest.CaptureFixture[str]
    ) -> None:
        acquire([wanted(server)], raw)
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.splitlines()[-1] == "DEMO_F: 100 % of 0.5 MB"


class TestPlan:
    def test_it_says_where_each_file_is_without_doing_anything(self, raw: Path, tmp_path: Path, server: Server) -> None:
        put(raw, "a.csv", b"12345")
        put(tmp_path / "mirror", "b.csv", b"123")
        items = [
            Wanted("a", "a.csv", bytes=99),
            Wanted("b", "b.csv"),
            wanted(server, bytes=3_600_000),
            Wanted("c", "c.csv", obtain="ask the agency"),
        ]
        found = plan(items, raw, [tmp_path / "mirror"])
        assert [(item.name, item.where, item.bytes) for item in found] == [
            ("a", "raw", 5),
            ("b", "mirror: mirror", 3),
            ("DEMO_F", None, 3_600_000),
            ("c", None, None),
        ]
        assert [item.remedy for item in found[:2]] == ["", ""]
        assert found[2].remedy == f"would be downloaded from {server.url}/DEMO_F.xpt"
        assert "ask the agency" in found[3].remedy
        assert server.requests == []
        assert files(raw) == ["a.csv"]

    def test_it_asks_for_sizes_when_told_to(self, raw: Path, server: Server) -> None:
        assert plan([wanted(server)], raw, ask=True)[0].bytes == len(DATA)
        assert [command for command, _, _ in server.requests] == ["HEAD"]

    @pytest.mark.parametrize("answer", [Answer(b"no", 404), Answer(PAGE, kind="text/html"), Answer(length=False)])
    def test_a_server_that_does_not_say_leaves_the_declared_size(
        self, answer: Answer, raw: Path, server: Server
    ) -> None:
        assert plan([wanted(server, answer, bytes=77)], raw, ask=True)[0].bytes == 77


@pytest.mark.public
def test_the_real_files_are_found_in_the_mirror_and_are_those_of_its_list(mirror: list[Path], raw: Path) -> None:
    items = [Wanted("DEMO_F", "nhanes/2009-2010/DEMO_F.XPT"), Wanted("c", "meps/2008/conditions_yr2008.rds")]
    missing = [item.path for item in items if not any((folder / item.path).is_file() for folder in mirror)]
    if missing:
        pytest.skip(f"REAL DATA NOT TESTED: BACKPAIN_MIRROR lacks {', '.join(missing)}")
    receipts = get(items, raw, *mirror)
    assert [receipt.size for receipt in receipts] == [3631600, 1544809]
    assert receipts[1].sha256 == "f6a9209ef0350f373c0fe17cd43051c2c4990192701a661b1ebfd4d210e5eef2"
    assert files(raw) == ["SHA256SUMS"]
