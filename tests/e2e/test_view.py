"""``promptrial view``: a real server on this machine that shows runs to those with its token, and changes nothing."""

import json
import logging
import os
import signal
import subprocess
import sys
import webbrowser
from pathlib import Path

import httpx
import pytest

from promptrial.care.view import held_items
from promptrial.care.view.access import Access
from promptrial.store.lock import RunLock
from tests.support.project import Project
from tests.support.viewing import LOOK_S, viewing


@pytest.fixture
def finished(project: Project) -> Project:
    project.given_run()
    return project


def test_runs_one_run_its_report_and_its_items_are_shown_and_nothing_changes(finished: Project) -> None:
    before = finished.snapshot()
    with viewing(finished.root) as seen:
        assert 'href="/run/r"' in seen.get("/").text
        page = seen.get("/run/r").text
        assert "finished" in page
        assert "28 of 28 answers" in page
        assert seen.get("/run/r/report").content == (finished.run_root() / "report.html").read_bytes()
        items = seen.get("/run/r/items").text
        assert items.count('<section class="changed"') == 14
        assert "14 items" in items
    assert finished.snapshot() == before


def test_items_are_filtered_by_what_changed_and_by_words(finished: Project) -> None:
    shown = json.loads(finished.call("show", "r", "--json").out)
    with viewing(finished.root) as seen:
        for outcome in ("fixed", "broken", "both_wrong"):
            n = sum(each["outcome"] == outcome for each in shown)
            assert f"{n} items" in seen.get(f"/run/r/items?outcome={outcome}").text
        n = sum("rust" in json.dumps(each).lower() for each in shown)
        assert n > 0
        assert f"{n} items" in seen.get("/run/r/items?q=RUST").text
        assert "No items match these filters" in seen.get("/run/r/items?q=nowhere-to-be-found").text
        assert seen.get("/run/r/items?start=99999999999&outcome=nonsense&trial=none").status_code == 200


def test_a_run_is_followed_while_its_files_change_without_its_lock(finished: Project) -> None:
    class Clock:
        def now(self) -> str:
            return "2026-01-31T09:30:00.000000Z"

        def timestamp(self) -> float:
            return 0.0

    run = finished.run_root()
    with viewing(finished.root) as seen:
        base = seen.base
        with seen.browser.stream("GET", f"{base}/run/r/events") as events:
            lines = (line for line in events.iter_lines() if line.startswith("data: "))
            assert "finished" in json.loads(next(lines).removeprefix("data: "))
            state = json.loads((run / "run_state.json").read_text())
            state["phases"]["report"]["status"] = "failed"
            state["phases"]["report"]["last_error"] = "<script>alert(1)</script>"
            (run / "run_state.json").write_text(json.dumps(state))
            text = json.loads(next(lines).removeprefix("data: "))
            assert "failed" in text
            assert "&lt;script&gt;" in text
            assert "<script>" not in text
        with RunLock(run / ".state.lock", since="2026-01-31T09:30:00.000000Z"):
            assert seen.get("/run/r").status_code == 200


def test_a_browser_that_asks_for_an_icon_is_answered_without_an_error(tmp_path: Path) -> None:
    with viewing(tmp_path) as seen:
        assert seen.get("/favicon.ico").status_code == 204


def test_without_the_token_nothing_is_shown(finished: Project) -> None:
    with viewing(finished.root) as seen, httpx.Client(trust_env=False) as stranger:
        base = seen.base
        for path in ("/", "/run/r", "/run/r/report", "/run/r/items", "/run/r/events", "/static/report.css"):
            assert stranger.get(base + path).status_code == 403, path
        assert stranger.get(f"{base}/?token=wrong").status_code == 403
        assert stranger.get(f"{base}/", headers={"cookie": f"{Access(1).cookie}=x"}).status_code == 403


def test_another_host_name_or_origin_is_refused_even_with_the_cookie(finished: Project) -> None:
    with viewing(finished.root, allow_stop=True) as seen:
        base = seen.base
        port = base.rpartition(":")[2]
        for headers in (
            {"host": f"evil.example:{port}"},
            {"host": "127.0.0.1:1"},
            {"origin": "http://evil.example"},
            {"origin": "null"},
        ):
            assert seen.browser.get(f"{base}/", headers=headers).status_code == 403, headers
        assert seen.browser.post(f"{base}/run/r/stop").status_code == 403, "a form needs an origin"
        evil = {"origin": "https://evil.example"}
        assert seen.browser.post(f"{base}/run/r/stop", headers=evil).status_code == 403


def test_the_token_is_removed_from_the_address_and_the_cookie_is_http_only_and_same_site(finished: Project) -> None:
    with viewing(finished.root) as seen, httpx.Client(trust_env=False) as browser:
        answer = browser.get(seen.url)
        assert answer.status_code == 303
        assert answer.headers["location"] == "/"
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        page = browser.get(seen.url, follow_redirects=True)
        assert "token" not in str(page.url)
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_stopping_is_refused_unless_it_is_allowed(finished: Project) -> None:
    for allowed, status in ((False, 403), (True, 200)):
        with viewing(finished.root, allow_stop=allowed) as seen:
            base = seen.base
            answer = seen.browser.post(f"{base}/run/r/stop", headers={"origin": base})
            assert answer.status_code == status


def test_a_missing_page_is_reported_on_a_page(finished: Project) -> None:
    with viewing(finished.root) as seen:
        for path in ("/run/nowhere", "/run/nowhere/items", "/run/..%2f..%2fetc/report"):
            answer = seen.get(path)
            assert answer.status_code in {404, 405}, path
            assert "Traceback" not in answer.text


def test_a_missing_run_and_a_port_in_use_are_refused_in_a_sentence(project: Project) -> None:
    assert project.call("view", "nowhere", "--no_open").code == 2
    (project.root / "experiments").mkdir()
    with viewing(project.root) as seen:
        port = seen.base.rpartition(":")[2]
        outcome = project.call("view", "--no_open", "--port", port)
        assert outcome.code == 2
        assert "choose another port" in outcome.err
        assert "There are no runs" in seen.get("/").text


def test_without_a_name_the_latest_run_is_opened_and_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptrial.runtime.stop.StopToken.wait", lambda _token, _seconds: True)
    for name in ("older", "newer"):
        project.run("--to_step", "prepare", run_id=name)
    outcome = project.call("view", "--no_open")
    assert outcome.code == 0, outcome
    assert "/run/newer?token=" in outcome.out
    assert outcome.err.startswith("run newer, the most recently changed of 2 (see all: promptrial list)\n")
    assert "/run/older?token=" in project.call("view", "older", "--no_open").out


@pytest.mark.parametrize(
    ("words", "path", "opens"),
    [
        (("r",), "/run/r?token=", True),
        (("r", "r"), "/?run=r&run=r&token=", True),
        (("r", "--no-open"), "/run/r?token=", False),
        (("r", "--no_open"), "/run/r?token=", False),
    ],
)
def test_the_page_of_a_run_or_the_list_of_several_is_opened(
    project: Project, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], path: str, opens: bool
) -> None:
    (project.run_root() / "prepared").mkdir(parents=True)
    opened = list[str]()
    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setattr(held_items, "load_libraries", lambda: os.kill(os.getpid(), signal.SIGINT))
    outcome = project.call("view", *words)
    assert outcome.code == 0, outcome.err
    assert path in outcome.out
    assert opened == ([outcome.out.strip()] if opens else [])


def test_the_list_holds_the_runs_that_are_named(finished: Project) -> None:
    finished.run("--to_step", "prepare", run_id="s")
    with viewing(finished.root) as seen:
        assert 'href="/run/s"' in seen.get("/?run=r&run=s").text
        assert 'href="/run/s"' not in seen.get("/?run=r").text


def test_the_server_stops_immediately_and_without_an_error_while_a_page_is_followed(
    finished: Project, caplog: pytest.LogCaptureFixture
) -> None:
    with viewing(finished.root) as seen:
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        stream = seen.browser.send(seen.browser.build_request("GET", f"{seen.base}/run/r/events"), stream=True)
        assert next(stream.iter_lines()) == "event: live"
    assert "Traceback" not in caplog.text
    assert "CancelledError" not in caplog.text


def test_the_command_prints_an_address_that_works_and_ends_at_a_signal(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "promptrial", "view", "--no_open"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with httpx.Client(follow_redirects=True, timeout=LOOK_S, trust_env=False) as browser:
            assert "There are no runs" in browser.get(url).text
        process.send_signal(signal.SIGINT)
        assert process.wait(LOOK_S) == 0
