"""People label answers in a browser: blind, one at a time, and no label that was acknowledged is ever lost."""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from html import unescape
from pathlib import Path

import httpx
import pytest

from promptrial.care.labelling.sheet import opened_sheet
from promptrial.documents.label_sheets import read_rows
from promptrial.errors import DataError, UsageError
from tests.support.labelled import drawn, finished_run, sheet, write
from tests.support.labelling import labelling, sides_in
from tests.support.page_runs import ATTACKS, small_project
from tests.support.project import Project, import_path
from tests.support.terminals import PROGRAM
from tests.support.viewing import LOOK_S, Viewed


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of 120 questions."""
    return finished_run(tmp_path_factory.mktemp("finished"))


@pytest.fixture
def scored(project: Project, finished: Path) -> Project:
    """A copy of that run."""
    shutil.copytree(finished, project.root, dirs_exist_ok=True)
    return project


@pytest.fixture
def ann(scored: Project) -> Path:
    """A sheet of three items."""
    drawn(scored, "--n", "3")
    return (scored.root / "sheet.csv").rename(scored.root / "ann.csv")


@pytest.fixture
def seen(scored: Project, ann: Path) -> Iterator[Viewed]:
    """The sheet, served; whatever is asked, no error is logged."""
    with labelling(scored.root, ann) as found:
        yield found


def labels(path: Path) -> list[str]:
    return [row["label"] for row in sheet(path)]


def give(seen: Viewed, number: int, label: str) -> httpx.Response:
    return seen.browser.post(f"{seen.base}/label", data={"answer": str(number), "label": label})


def test_a_person_is_shown_one_answer_at_a_time_and_no_arm(seen: Viewed, ann: Path) -> None:
    rows = sheet(ann)
    for at, row in enumerate(rows, 1):
        page = unescape(seen.get(f"/answer/{at}").text)
        assert f"Item {row['item']}, answer {row['letter']}" in page
        assert row["question"].removeprefix("'") in page, "as it was asked, without the spreadsheet's mark"
        assert f">{row['answer']}</pre>" in page
        assert "<li" in page
        assert not re.search("control|treatment", page)
        assert row["id"] not in page
    assert "Paris" in page
    assert "1912" in page


def test_labels_are_on_disk_before_they_are_acknowledged_and_the_next_answer_follows(
    seen: Viewed, ann: Path, scored: Project
) -> None:
    before = sheet(ann)
    answer = give(seen, 1, "1")
    assert (answer.status_code, str(answer.url)) == (200, f"{seen.base}/answer/2")
    assert labels(ann) == ["1", "", "", "", "", ""]
    give(seen, 3, "0")
    assert str(give(seen, 2, "1").url) == f"{seen.base}/answer/4", "the next one without a label"
    assert "3 of 6 answers labelled" in seen.get("/").text
    assert 'aria-pressed="true">0: no' in seen.get("/answer/3").text
    give(seen, 3, "")
    assert labels(ann)[2] == ""
    for number in (3, 4, 5):
        give(seen, number, "1")
    done = give(seen, 6, "0")
    assert str(done.url) == f"{seen.base}/end"
    assert "All 6 answers are labelled" in done.text
    assert f"promptrial label r --read {ann}" in done.text
    assert [row | {"label": ""} for row in sheet(ann)] == before, "nothing else in the sheet changes"
    assert "6 labels of 6 answers" in scored.call("label", "r", "--read", str(ann)).prose


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"answer": "1", "label": "2"}, 404, "label '2', expected 0 or 1"),
        ({"answer": "1", "label": "nan"}, 404, "expected 0 or 1"),
        ({"answer": "7", "label": "1"}, 404, "no answer '7': the sheet has 6"),
        ({"answer": "-1", "label": "1"}, 404, "no answer"),
        ({"answer": "\u0663", "label": "1"}, 404, "no answer"),
        ({"label": "1"}, 404, "no answer ''"),
        ({"answer": "1", "label": "1" * 5000}, 413, "too large"),
    ],
)
def test_an_invalid_form_writes_nothing(seen: Viewed, ann: Path, form: dict[str, str], status: int, said: str) -> None:
    before = ann.read_bytes()
    answer = seen.browser.post(f"{seen.base}/label", data=form)
    assert (answer.status_code, ann.read_bytes()) == (status, before)
    assert said in unescape(answer.text)
    assert "Traceback" not in answer.text


def test_only_a_page_of_this_server_with_its_token_can_write(seen: Viewed, ann: Path) -> None:
    before, form = ann.read_bytes(), {"answer": "1", "label": "1"}
    address = f"{seen.base}/label"
    for origin in ("http://evil.example", "null", "https://127.0.0.1:1", f"https://127.0.0.1:{seen.port}", ""):
        assert seen.browser.post(address, data=form, headers={"origin": origin}).status_code == 403, origin
    with httpx.Client(trust_env=False, timeout=LOOK_S) as stranger:
        own = {"origin": seen.base}
        assert stranger.post(address, data=form, headers=own).status_code == 403, "without the token"
        assert stranger.post(f"{address}?token=wrong", data=form, headers=own).status_code == 403
        assert stranger.get(f"{seen.base}/answer/1").status_code == 403
    with socket.create_connection(("127.0.0.1", seen.port), timeout=10) as connection:
        cookie = "; ".join(f"{each.name}={each.value}" for each in seen.browser.cookies.jar)
        head = f"POST /label HTTP/1.1\r\nHost: 127.0.0.1:{seen.port}\r\nCookie: {cookie}\r\nContent-Length: 16\r\n"
        connection.sendall(f"{head}Connection: close\r\n\r\nanswer=1&label=1".encode())
        assert b" 403 " in connection.recv(200), "without an origin"
    assert seen.get("/label").status_code == 405, "a link writes nothing"
    assert seen.get("/label?answer=1&label=1").status_code == 405
    assert ann.read_bytes() == before
    for path in ("/", "/answer/1", "/end", "/static/label.js", "/nowhere", "/answer/x", "/answer/99"):
        headers = seen.get(path).headers
        assert headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert seen.get("/static/app.py").status_code == 404
    assert seen.get("/answer/..%2f..%2fetc").status_code == 404


def test_two_people_label_at_once_into_files_of_their_own(scored: Project, ann: Path) -> None:
    ben = shutil.copy(ann, scored.root / "ben.csv")
    with ExitStack() as stack:
        both = [stack.enter_context(labelling(scored.root, each)) for each in (ann, Path(ben))]
        for number in range(1, 7):
            give(both[0], number, "1")
            give(both[1], number, str(number % 2))
        with (
            pytest.raises(UsageError, match=r"ann.csv: another process labels this sheet"),
            opened_sheet(ann, sides_in(scored.root)),
        ):
            pass
    assert labels(ann) == ["1"] * 6
    assert labels(Path(ben)) == ["1", "0"] * 3
    assert not list(scored.root.glob(".*.lock"))
    assert "2 sheets (ann and ben)" in scored.call("label", "r", "--read", str(ann), str(ben)).prose


def test_labels_that_a_spreadsheet_saves_meanwhile_are_kept(seen: Viewed, ann: Path) -> None:
    rows = sheet(ann)
    rows[4]["label"] = "0"
    write(ann, rows, ";")
    give(seen, 1, "1")
    assert labels(ann) == ["1", "", "", "", "0", ""]
    write(ann, rows[1:])
    answer = give(seen, 2, "1")
    assert answer.status_code == 500
    assert "another program has changed its rows" in answer.text
    assert len(sheet(ann)) == 5
    ann.write_text("not a sheet")
    assert "no column" in give(seen, 2, "1").text
    assert ann.read_text() == "not a sheet"


def test_an_unsuitable_sheet_is_refused_before_labelling_starts(scored: Project, ann: Path) -> None:
    rows = sheet(ann)
    for change, said in (({"digest": "d0"}, "the answer is another one by now"), ({"id": "a0"}, "is no answer")):
        write(ann, [rows[0] | change, *rows[1:]])
        with pytest.raises(DataError, match=said), opened_sheet(ann, sides_in(scored.root)):
            pass
    write(ann, [row | {"remark": "hm"} for row in rows])
    with pytest.raises(DataError, match="unknown column 'remark'"), opened_sheet(ann, sides_in(scored.root)):
        pass
    write(ann, rows)
    done = scored.call("label", "r", "--serve", "--out", str(ann), "--measure", "f1")
    assert (done.code, "--measure and --temp are for drawing" in done.err) == (2, True)
    assert scored.call("label", "r", "--serve", "--out", str(scored.run_root() / "x.csv")).code == 2


def test_a_continuous_measure_is_labelled_with_a_number(scored: Project) -> None:
    rows = drawn(scored, "--n", "2", "--measure", "f1")
    assert {row["measure"] for row in rows} == {"f1"}
    path = scored.root / "sheet.csv"
    with labelling(scored.root, path) as seen:
        assert 'type="number" name="label" step="any" min="0" max="1"' in seen.get("/answer/1").text
        give(seen, 1, " 0.25 ")
        assert 'value="0.25"' in seen.get("/answer/1").text
        assert give(seen, 2, "1.5").status_code == 404
    assert labels(path)[:2] == ["0.25", ""]


def test_a_kill_loses_no_acknowledged_label(scored: Project, ann: Path) -> None:
    given: list[str] = []
    for stop in (2, 5):
        with started(scored, ann) as (process, seen):
            while len(given) < stop:
                label = str(len(given) % 2)
                assert give(seen, len(given) + 1, label).status_code == 200
                given.append(label)
            process.send_signal(signal.SIGKILL)
            process.wait(LOOK_S)
        assert labels(ann) == [*given, *[""] * (6 - len(given))]
    with started(scored, ann) as (process, seen):
        assert "5 of 6 answers labelled" in seen.get("/").text
        process.send_signal(signal.SIGINT)
        assert process.wait(LOOK_S) == 0


class started:  # noqa: N801 - a context
    """``promptrial label r --serve`` in a process of its own, and a browser that has been let in."""

    def __init__(self, project: Project, path: Path) -> None:
        env = {**os.environ, "PYTHONPATH": import_path()}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM % "FakeProvider", "label", "r", "--serve", "--no_open", "--out", str(path)],
            cwd=project.root, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def __enter__(self) -> tuple[subprocess.Popen[str], Viewed]:
        assert self.process.stdout is not None
        url = self.process.stdout.readline().strip()
        self.browser = httpx.Client(follow_redirects=True, timeout=LOOK_S, trust_env=False)
        self.browser.headers["origin"] = url.split("/?")[0]
        assert self.browser.get(url).status_code == 200
        return self.process, Viewed(url, self.browser)

    def __exit__(self, *_: object) -> None:
        self.browser.close()
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(LOOK_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


def test_hostile_texts_are_only_shown(tmp_path: Path) -> None:
    attacks = iter(ATTACKS * 40)
    logged: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: logged.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    with small_project(tmp_path, lambda _row: next(attacks)) as project:
        project.write_config({"sweep": {"prompt_sets": ["main"]}})
        assert project.run().code == 0
        path = project.root / "sheet.csv"
        assert project.call("label", "r", "--out", str(path), "--n", "20").code == 0
        with labelling(project.root, path) as seen:
            for number in range(1, len(read_rows(path)) + 1):
                page = seen.get(f"/answer/{number}")
                assert page.status_code == 200
                assert "<script>document" not in page.text
                assert "<img" not in page.text
                assert not {"\x1b", "\u202e", "\x00"} & {*page.text}
            assert give(seen, 1, "1").status_code == 200
    logging.getLogger().removeHandler(handler)
    assert logged == []
