"""What somebody may try against ``view``: each attempt gets a clear page or a refusal, never a traceback."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path

import httpx
import pytest

from promptrial.care.view import app, server
from promptrial.care.view.access import Access
from tests.support.page_runs import small_project
from tests.support.project import Project
from tests.support.viewing import Viewed, viewing

PRIVATE = "the text of a file that is none of the run's"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A finished run, ``r``; and a file beside the runs that nobody may see."""
    with small_project(tmp_path_factory.mktemp("attacked")) as made:
        assert made.run().code == 0
        (made.root / "private.txt").write_text(PRIVATE)
        yield made


class _Errors(logging.Handler):
    """What the server logs of errors, such as tracebacks."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(self.format(record))


@pytest.fixture(scope="module")
def errors() -> Iterator[list[str]]:
    handler = _Errors()
    logging.getLogger().addHandler(handler)
    yield handler.found
    logging.getLogger().removeHandler(handler)


@pytest.fixture(scope="module")
def one_server(project: Project) -> Iterator[Viewed]:
    with viewing(project.root, allow_stop=True) as found:
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # people see none of it
        yield found


@pytest.fixture
def seen(one_server: Viewed, errors: list[str]) -> Iterator[Viewed]:
    """A server that lets a run be stopped; whatever happens to it, it logs no error."""
    yield one_server
    assert errors == []


@pytest.fixture
def spoilt(project: Project) -> Iterator[Path]:
    """The folder of a copy of the run that a test may spoil; each test has one of its own name."""
    folder = project.run_root(f"x{next(_NUMBERS)}")
    shutil.copytree(project.run_root(), folder)
    yield folder
    if folder.is_symlink():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def id_of(folder: Path) -> str:
    return folder.name.removeprefix("run_")


_NUMBERS = count(1)
PAGES = ("", "/report", "/items", "/events")


def raw(seen: Viewed, request: bytes) -> bytes:
    """Send the lines of a request as they are, and return the answer as it came."""
    with socket.create_connection(("127.0.0.1", seen.port), timeout=10) as connection:
        connection.sendall(request + b"Connection: close\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(65536), b""))


def stream_start(seen: Viewed, path: str) -> str:
    """Return the first event of a stream, or the whole answer of what is none."""
    with seen.browser.stream("GET", seen.base + path) as answer:
        if "event-stream" not in answer.headers["content-type"]:
            return answer.read().decode()
        return next(line for line in answer.iter_lines() if line.startswith("data: "))


# --- who asks ---------------------------------------------------------------------------------------------------------


def cookie_of(seen: Viewed) -> str:
    return "; ".join(f"{each.name}={each.value}" for each in seen.browser.cookies.jar)


@pytest.mark.parametrize(
    "host",
    ["evil.example:PORT", "127.0.0.1.evil.example:PORT", "127.0.0.1", "127.0.0.1:1", "0.0.0.0:PORT",
     "localhost:PORT:PORT", "127.0.0.1:PORT@evil.example", "[::1", "", "LOCALHOST.:PORT", "2130706433:PORT"],
)  # fmt: skip
def test_another_host_name_that_resolves_here_is_refused(seen: Viewed, host: str) -> None:
    request = f"GET / HTTP/1.1\r\nHost: {host.replace('PORT', str(seen.port))}\r\nCookie: {cookie_of(seen)}\r\n"
    status = raw(seen, request.encode()).split(b"\r\n")[0]
    assert status in {b"HTTP/1.1 403 ", b"HTTP/1.1 403 Forbidden", b"HTTP/1.1 400 Bad Request", b"HTTP/1.1 400 "}


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1:PORT", "http://127.0.0.1:1", "http://[", "file://", ""]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_origin_is_refused_whatever_it_asks_for(seen: Viewed, origin: str, method: str) -> None:
    path = "/run/r/stop" if method == "POST" else "/run/r"
    headers = {"origin": origin.replace("PORT", str(seen.port))}
    assert seen.browser.request(method, seen.base + path, headers=headers).status_code == 403


def test_two_host_headers_or_two_cookies_give_no_access(seen: Viewed) -> None:
    own, evil = f"Host: 127.0.0.1:{seen.port}", "Host: evil.example"
    for hosts in (f"{own}\r\n{evil}", f"{evil}\r\n{own}"):
        assert b" 400 " in raw(seen, f"GET / HTTP/1.1\r\n{hosts}\r\nCookie: {cookie_of(seen)}\r\n".encode())
    name = Access(seen.port).cookie
    for cookie in (f"{name}=wrong", f"x{name}=1", f"{name}", f'{name}="\xe4"', ";;;=;", f"{name}=wrong; {name}="):
        request = f"GET / HTTP/1.1\r\n{own}\r\nCookie: {cookie}\r\n".encode("latin-1")
        assert b" 403 " in raw(seen, request).split(b"\r\n")[0]


def test_a_cookie_of_another_server_on_this_machine_does_not_keep_its_owner_out(seen: Viewed) -> None:
    request = f'GET / HTTP/1.1\r\nHost: localhost:{seen.port}\r\nCookie: a b="@,; x; {cookie_of(seen)}\r\n'
    assert b" 200 OK" in raw(seen, request.encode()).split(b"\r\n")[0]


@pytest.mark.parametrize(
    "path", ["//evil.example/", "/%5c/evil.example", "/\\evil.example", "/%2f%2fevil.example", "/%0d%0aX: 1"]
)
def test_the_redirect_that_drops_the_token_stays_on_this_server(seen: Viewed, path: str) -> None:
    token = seen.url.split("token=")[1]
    request = f"GET {path.replace(' ', '%20')}?token={token}&run=a&run=b HTTP/1.1\r\nHost: 127.0.0.1:{seen.port}\r\n"
    head = raw(seen, request.encode()).split(b"\r\n\r\n")[0].decode()
    if " 400 " not in head.split("\r\n")[0]:
        (location,) = (line for line in head.split("\r\n") if line.lower().startswith("location:"))
        assert location.lower().startswith("location: /")
        assert location[10:12] not in {"//", "/\\"}
        assert location.endswith("?run=a&run=b")
        assert "\nX: 1" not in head
        assert token not in location


def test_every_answer_has_headers_that_protect_its_address_and_content(seen: Viewed) -> None:
    for path in ("/", "/run/r", "/run/r/report", "/run/r/items", "/compare", "/static/view.js", "/nowhere"):
        headers = seen.get(path).headers
        assert headers["referrer-policy"] == ("no-referrer" if path.endswith("report") else "same-origin"), path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
    with httpx.Client(trust_env=False) as stranger:
        welcome = stranger.get(seen.url)
        assert welcome.headers["referrer-policy"] == "no-referrer"
        assert welcome.headers["set-cookie"].split("; ")[1:] == ["Path=/", "HttpOnly", "SameSite=Strict"]


def test_a_report_that_was_changed_is_not_shown(seen: Viewed, spoilt: Path) -> None:
    page = spoilt / "report.html"
    page.write_bytes(page.read_bytes().replace(b"<body>", b"<body><p>better</p>"))
    is_clear(seen, id_of(spoilt), "report.html damaged", ("/report",))
    assert f"--run_id {id_of(spoilt)} " in seen.get(f"/run/{id_of(spoilt)}/report").text, "how to make it again"


def test_a_report_is_shown_even_if_the_files_beside_it_changed(seen: Viewed, spoilt: Path) -> None:
    (spoilt / "aggregate_report.md").write_text("other words\n")
    assert seen.get(f"/run/{id_of(spoilt)}/report").status_code == 200


def test_a_foreign_report_is_shown_in_a_sandbox(seen: Viewed, spoilt: Path) -> None:
    (spoilt / "multi_trial_manifest.json").unlink()
    (spoilt / "report.html").write_text("<script>fetch('/run/r/stop', {method: 'POST'})</script>")
    answer = seen.get(f"/run/{id_of(spoilt)}/report")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none'")
    assert "allow-same-origin" not in policy
    assert "connect-src" not in policy


# --- names of runs, and values ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "run_id",
    ["..", "../r", "..%2f..%2fprivate.txt", "%2e%2e", "r%00", "r%00/../x", "%00", "r/../../private", "r%0aX", ".", "-r",
     "run_r", "r" * 65, "R%C3%84", "r%5c..%5cx", "%252e%252e", "r;x", "~"],
)  # fmt: skip
def test_a_name_that_leads_out_of_the_folder_is_not_a_run(seen: Viewed, run_id: str) -> None:
    for page in ("", "/report", "/items"):
        answer = raw(seen, _request(seen, f"/run/{run_id}{page}"))
        assert b" 404 " in answer.split(b"\r\n")[0], (page, answer[:200])
        assert PRIVATE.encode() not in answer
        assert b"Traceback" not in answer


def _request(seen: Viewed, path: str, method: str = "GET") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{seen.port}\r\nCookie: {cookie_of(seen)}\r\n"
    origin = f"Origin: http://127.0.0.1:{seen.port}\r\nContent-Length: 0\r\n" if method == "POST" else ""
    return f"{head}{origin}".encode()


def test_stopping_something_that_is_not_a_run_shows_an_error_page(seen: Viewed) -> None:
    for run_id in ("nowhere", "%2e%2e", "r%00"):
        assert b" 404 " in raw(seen, _request(seen, f"/run/{run_id}/stop", "POST")).split(b"\r\n")[0]
    assert not list(Path.cwd().rglob("STOP_REQUESTED"))


@pytest.mark.parametrize(
    "query",
    ["start=-1", "start=1e9", "start=999999999", "start=%D9%A3", "item=-1", "trial=" + "x" * 10_000, "arm=%00",
     "outcome=__class__", "q=" + "%F0%9F%98%80" * 1000, "q=%00", "q=%ED%A0%80", "q=%5B(%5C",
     "q=%22", "&&&=&=x", "q=a&q=b", "%FF%FE=%FF"],
)  # fmt: skip
def test_invalid_query_values_cause_no_server_error(seen: Viewed, query: str) -> None:
    answer = seen.get(f"/run/r/items?{query}")
    assert answer.status_code == 200
    assert "\0" not in answer.text


def test_a_very_long_address_is_refused_and_the_server_continues(seen: Viewed) -> None:
    with suppress(ConnectionError):  # it may close the connection while there is more to come
        assert b" 200 " not in raw(seen, _request(seen, f"/run/r/items?q={'x' * 500_000}"))
    assert seen.get("/").status_code == 200


def test_an_unknown_address_is_reported_on_a_page(seen: Viewed) -> None:
    for path, method, status in (("/nowhere", "GET", 404), ("/static/app.py", "GET", 404), ("/run/r", "POST", 405),
                                 ("/static/%2e%2e/app.py", "GET", 404), ("/run/r/stop", "GET", 405)):  # fmt: skip
        answer = raw(seen, _request(seen, path, method))
        assert f" {status} ".encode() in answer.split(b"\r\n")[0]
        assert b"<!doctype html>" in answer


# --- runs that are not what they should be ----------------------------------------------------------------------------


def is_clear(seen: Viewed, run_id: str, said: str, pages: tuple[str, ...] = PAGES) -> None:
    """Check that every page of a run says something, and that the list of runs is still there."""
    for page in pages:
        text = stream_start(seen, f"/run/{run_id}{page}")
        assert said in text, (page, text[:500])
        assert "Traceback" not in text
    assert "/run/r" in seen.get("/").text


def test_a_run_removed_while_it_is_open_is_reported_on_the_page(seen: Viewed, spoilt: Path) -> None:
    assert seen.get(f"/run/{id_of(spoilt)}/items").status_code == 200
    shutil.rmtree(spoilt)
    is_clear(seen, id_of(spoilt), f"no run {id_of(spoilt)} in")


@pytest.mark.parametrize("text", ["", "{", '{"schema_version": 1}', "\0" * 5000, "[" * 100_000])
def test_a_partly_written_state_is_reported_on_the_page(seen: Viewed, spoilt: Path, text: str) -> None:
    (spoilt / "run_state.json").write_text(text)
    is_clear(seen, id_of(spoilt), "run_state.json", ("", "/events"))
    assert "Traceback" not in seen.get(f"/run/{id_of(spoilt)}/items").text


def test_a_run_of_a_newer_version_is_reported_on_the_page(seen: Viewed, spoilt: Path) -> None:
    state = spoilt / "run_state.json"
    state.write_text(json.dumps(json.loads(state.read_text()) | {"schema_version": 99}))
    is_clear(seen, id_of(spoilt), "made by a newer version of", ("", "/items", "/events"))
    assert "made by a newer version of" in seen.get(f"/compare?a=r&b={id_of(spoilt)}").text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("*/results/predictions.parquet", "predictions.parquet damaged"),
        ("*/results/per_item_scores.parquet", "per_item_scores.parquet damaged"),
        ("prepared/closed_book.jsonl", "closed_book.jsonl damaged"),
        ("effective_config.yaml", "effective_config.yaml"),
    ],
)
def test_a_torn_file_of_items_is_reported_on_the_page(seen: Viewed, spoilt: Path, name: str, said: str) -> None:
    (path,) = spoilt.glob(name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 - 3])
    is_clear(seen, id_of(spoilt), said, ("/items",))
    assert "finished" in seen.get(f"/run/{id_of(spoilt)}").text


def test_links_in_a_run_are_not_followed(seen: Viewed, project: Project, spoilt: Path) -> None:
    private = project.root / "private.txt"
    for name, page in (("report.html", "/report"), ("run.log", "")):
        (spoilt / name).unlink()
        (spoilt / name).symlink_to(private)
        assert PRIVATE not in stream_start(seen, f"/run/{id_of(spoilt)}{page}")


def test_a_pipe_in_place_of_the_state_is_reported_on_the_page(seen: Viewed, spoilt: Path) -> None:
    (spoilt / "run_state.json").unlink()
    os.mkfifo(spoilt / "run_state.json")
    is_clear(seen, id_of(spoilt), "a FIFO, not a regular file", ("", "/events"))


def test_a_run_whose_folder_is_a_link_is_shown_as_by_the_other_commands(
    seen: Viewed, project: Project, spoilt: Path, tmp_path: Path
) -> None:
    shutil.move(spoilt, tmp_path / "moved")
    spoilt.symlink_to(tmp_path / "moved")
    assert project.call("status", id_of(spoilt)).code == 0
    assert "finished" in seen.get(f"/run/{id_of(spoilt)}").text
    spoilt.unlink()
    spoilt.symlink_to(spoilt)
    is_clear(seen, id_of(spoilt), f"no run {id_of(spoilt)} in")


# --- many, and slow ---------------------------------------------------------------------------------------------------


def test_followed_pages_are_limited_and_free_their_place_when_closed(
    seen: Viewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "MOST_FOLLOWERS", 4)
    monkeypatch.setattr(app, "_LOOK_EVERY_S", 0.01)
    with ExitStack() as stack:
        streams = [stack.enter_context(seen.browser.stream("GET", f"{seen.base}/run/r/events")) for _ in range(4)]
        followed = [each.iter_lines() for each in streams]  # a stream is closed when nobody holds it
        assert {next(lines) for lines in followed} == {"event: live"}
        assert seen.get("/run/r/events").status_code == 503
        assert seen.get("/run/r").status_code == 200
    for _ in range(200):
        text = stream_start(seen, "/run/r/events")
        if text.startswith("data: "):
            break
    assert text.startswith("data: ")


def half_of_a_request(_seen: Viewed) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: 127"


def half_of_a_second_request(seen: Viewed) -> bytes:
    return _request(seen, "/nowhere") + b"\r\n" + half_of_a_request(seen)


def a_body_that_does_not_end(seen: Viewed) -> bytes:
    return _request(seen, "/nowhere") + b"Content-Length: 100000\r\n\r\nx"


@pytest.mark.parametrize("sent", [half_of_a_request, half_of_a_second_request, a_body_that_does_not_end])
def test_connections_without_a_complete_request_are_closed(
    project: Project, monkeypatch: pytest.MonkeyPatch, sent: Callable[[Viewed], bytes]
) -> None:
    monkeypatch.setattr(server, "_NEXT_REQUEST_S", 0.2)
    with viewing(project.root) as seen, socket.create_connection(("127.0.0.1", seen.port), timeout=3) as slow:
        slow.sendall(sent(seen))
        received = b"".join(iter(lambda: slow.recv(65536), b""))
        assert (b" 404 " in received) == (sent is not half_of_a_request)
        assert seen.get("/run/r").status_code == 200


def test_a_long_answer_is_not_cut_off_because_no_other_request_follows(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_NEXT_REQUEST_S", 0.2)
    monkeypatch.setattr(app, "_LOOK_EVERY_S", 0.05)
    with viewing(project.root) as seen, socket.create_connection(("127.0.0.1", seen.port), timeout=3) as both_at_once:
        both_at_once.sendall(_request(seen, "/nowhere") + b"\r\n" + _request(seen, "/run/r/events") + b"\r\n")
        received, came = b"", b" "
        while came and received.count(b": nothing new") < 8:
            came = both_at_once.recv(65536)
            received += came
        assert came, received


def test_a_refused_client_keeps_no_connection(seen: Viewed) -> None:
    with socket.create_connection(("127.0.0.1", seen.port), timeout=3) as stranger:
        stranger.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{seen.port}\r\n\r\n".encode())
        assert b" 403 " in b"".join(iter(lambda: stranger.recv(65536), b""))
