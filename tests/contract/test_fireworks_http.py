"""What each outcome of an HTTP call means, against a real server that fails in every way; and where the key is sent."""

from __future__ import annotations

import gzip
import hashlib
import socket
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from promptrial.errors import (
    OutcomeUnknownError,
    PermanentError,
    ProviderError,
    ResultsTornError,
    SlowDownError,
    TransientError,
    UncertainError,
)
from promptrial.providers import http, http_bodies
from promptrial.providers.http import HttpClient
from promptrial.providers.http_outcomes import Kind, NotFoundError, RejectedError, UnprovenEndError, printable
from promptrial.providers.http_service import Service, Timeouts, is_loopback
from tests.support.http_scripted import Reply, ScriptedServer, bare, json_reply, reply, scripted, server

__all__ = ["server"]

KEY = "fw_" + "secretsecret"
PATIENT = Timeouts(connect_s=20.0, read_s=20.0, write_s=20.0, pool_s=20.0)
HASTY = Timeouts(connect_s=20.0, read_s=0.2, transfer_s=0.2, write_s=20.0, pool_s=20.0)
"""For a server that stalls: on a busy machine others may take longer than this too."""
ROWS = b'{"custom_id":"a"}\n{"custom_id":"b"}\n'
READ = [b'{"custom_id":"a"}', b'{"custom_id":"b"}']


class Thing(msgspec.Struct):
    name: str


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[HttpClient]:
    made = HttpClient(Service("Vendor", server.url, KEY, "VENDOR_KEY"), PATIENT)
    yield made
    made.close()


@pytest.fixture
def hasty(server: ScriptedServer) -> Iterator[HttpClient]:
    made = HttpClient(Service("Vendor", server.url, KEY, "VENDOR_KEY"), HASTY)
    yield made
    made.close()


def call(client: HttpClient, kind: Kind = Kind.REPEATABLE) -> Thing:
    return client.call("POST", "/v1/things", Thing, what="make thing t", kind=kind, body={"a": 1})


def failure(client: HttpClient, kind: Kind = Kind.REPEATABLE) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        call(client, kind)
    return caught.value


HTML = b"<html><head><title>503</title></head><body><h1>Busy &amp; tired</h1></body></html>"
OUTCOMES: list[tuple[str, Reply, type[ProviderError], type[ProviderError]]] = [
    ("400", json_reply({"code": 3, "message": "bad", "details": []}, 400), RejectedError, RejectedError),
    ("401", reply(401), RejectedError, RejectedError),
    ("403", json_reply({"error": {"message": "no", "code": "UNAUTHORIZED"}}, 403), RejectedError, RejectedError),
    ("404", json_reply({"code": 5, "message": "gone"}, 404), NotFoundError, NotFoundError),
    ("405", reply(405), RejectedError, RejectedError),
    ("409", json_reply({"code": 6, "message": "exists"}, 409), RejectedError, RejectedError),
    ("413", reply(413, b"too large"), RejectedError, RejectedError),
    ("301", reply(301, Location="https://elsewhere.example/"), RejectedError, RejectedError),
    ("307", reply(307, Location="/v1/other"), RejectedError, RejectedError),
    ("429", reply(429), SlowDownError, SlowDownError),
    ("408", reply(408), UncertainError, OutcomeUnknownError),
    ("500", json_reply({"code": 13, "message": "internal"}, 500), UncertainError, OutcomeUnknownError),
    ("502 HTML", reply(502, HTML), UncertainError, OutcomeUnknownError),
    ("503", reply(503), TransientError, OutcomeUnknownError),
    ("529", reply(529), TransientError, OutcomeUnknownError),
    ("500 whose body breaks off", reply(500, b"{", announce=100), UncertainError, OutcomeUnknownError),
    ("400 whose body breaks off", reply(400, b"{", announce=100), RejectedError, RejectedError),
    ("reset before reading", Reply(end="reset", read=False), UncertainError, OutcomeUnknownError),
    ("reset after reading", Reply(end="reset"), UncertainError, OutcomeUnknownError),
    ("closed without an answer", Reply(), UncertainError, OutcomeUnknownError),
    ("closed within the head", Reply(b"HTTP/1.1 200 O"), UncertainError, OutcomeUnknownError),
    ("no HTTP at all", Reply(b"SSH-2.0-x\r\n\r\n"), UncertainError, OutcomeUnknownError),
    ("stall before the answer", Reply(end="stall"), UncertainError, OutcomeUnknownError),
    (
        "stall within the body",
        Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", end="stall"),
        UncertainError,
        OutcomeUnknownError,
    ),
    ("200 cut short", reply(200, b'{"name":"t"}', announce=100), UncertainError, OutcomeUnknownError),
    (
        "200 with an unfinished chunk",
        bare(200, b'ff\r\n{"name"', Transfer_Encoding="chunked"),
        UncertainError,
        OutcomeUnknownError,
    ),
    ("200 cut without notice", bare(200, b'{"name"'), UncertainError, OutcomeUnknownError),
    ("200 empty", reply(), UncertainError, OutcomeUnknownError),
    ("200 HTML", reply(200, HTML), UncertainError, OutcomeUnknownError),
    ("200 of another shape", json_reply({"name": 7}), UncertainError, OutcomeUnknownError),
    ("200 nested too deeply", reply(200, b"[" * 100_000), UncertainError, OutcomeUnknownError),
]


@pytest.mark.parametrize(
    ("answer", "repeatable", "creates"), [row[1:] for row in OUTCOMES], ids=[r[0] for r in OUTCOMES]
)
@pytest.mark.parametrize("kind", Kind)
def test_each_outcome_has_one_meaning_for_each_kind_of_call(
    server: ScriptedServer,
    client: HttpClient,
    hasty: HttpClient,
    answer: Reply,
    repeatable: type[ProviderError],
    creates: type[ProviderError],
    kind: Kind,
) -> None:
    if answer.read:
        server.on("POST", "/v1/things", answer)
    else:
        server.first = answer
    error = failure(hasty if answer.end == "stall" else client, kind)
    assert type(error) is (creates if kind is Kind.CREATES else repeatable)
    assert error.message.startswith("Vendor: could not make thing t: ")
    assert len(server.asked) <= 1, "nothing is repeated here"


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("kind", Kind)
def test_a_connection_that_was_never_made_is_a_transient_error(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    refused = f"http://127.0.0.1:{closed_port()}"
    no_tls = server.url.replace("http://", "https://")
    server.first = Reply(b"this is no TLS\r\n", read=False)
    for url in (refused, no_tls, "https://nowhere.invalid"):
        client = HttpClient(Service("Vendor", url, KEY, "VENDOR_KEY"), PATIENT)
        with monkeypatch.context() as patch:
            if "invalid" in url:
                patch.setattr(socket, "getaddrinfo", unknown)
            error = failure(client, kind)
        client.close()
        assert type(error) is TransientError, url
        assert "no connection" in error.message


EXPECTED: dict[type[Exception], tuple[type[ProviderError], type[ProviderError]]] = {
    httpx.ConnectError: (TransientError, TransientError),
    httpx.ConnectTimeout: (TransientError, TransientError),
    httpx.PoolTimeout: (TransientError, TransientError),
    httpx.ProxyError: (TransientError, TransientError),
    httpx.UnsupportedProtocol: (PermanentError, PermanentError),
    httpx.InvalidURL: (PermanentError, PermanentError),
    httpx.ReadTimeout: (UncertainError, OutcomeUnknownError),
    httpx.WriteTimeout: (UncertainError, OutcomeUnknownError),
    httpx.ReadError: (UncertainError, OutcomeUnknownError),
    httpx.WriteError: (UncertainError, OutcomeUnknownError),
    httpx.CloseError: (UncertainError, OutcomeUnknownError),
    httpx.LocalProtocolError: (UncertainError, OutcomeUnknownError),
    httpx.RemoteProtocolError: (UncertainError, OutcomeUnknownError),
    httpx.DecodingError: (UncertainError, OutcomeUnknownError),
    httpx.TooManyRedirects: (UncertainError, OutcomeUnknownError),
    httpx.HTTPStatusError: (UncertainError, OutcomeUnknownError),
}


def leaves(kind: type[Exception]) -> Iterator[type[Exception]]:
    for below in kind.__subclasses__():
        yield from leaves(below)
    if not kind.__subclasses__():
        yield kind


def test_every_error_of_the_library_is_classified() -> None:
    assert {*leaves(httpx.HTTPError), httpx.InvalidURL} == set(EXPECTED)


@pytest.mark.parametrize("error", EXPECTED)
@pytest.mark.parametrize("kind", Kind)
def test_each_error_of_the_library_has_its_classified_meaning(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch, error: type[Exception], kind: Kind
) -> None:
    extra: dict[str, Any] = {"request": None, "response": None} if error is httpx.HTTPStatusError else {}

    def fail(*_: Any, **__: Any) -> None:
        raise error("as if", **extra)

    monkeypatch.setattr(httpx.Client, "stream", fail)
    assert type(failure(client, kind)) is EXPECTED[error][kind is Kind.CREATES]


def with_headers(status: int, headers: dict[str, Any]) -> Reply:
    return reply(status, **{name.replace("-", "_"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "9" * 12}, float("9" * 12)),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT", "Date": "Wed, 21 Oct 2026 07:29:00 GMT"}, 0.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": f"Wed, 21 Oct {'9' * 20} 07:28:00 GMT"}, None),
        ({"Retry-After": f"Wed, 21 Oct 2026 07:28:00 +{'9' * 14}"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": ""}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_is_what_the_vendor_asks_for_however_absurd(
    server: ScriptedServer, client: HttpClient, headers: dict[str, str], seconds: float | None, status: int
) -> None:
    server.on("POST", "/v1/things", with_headers(status, headers))
    error = failure(client)
    assert isinstance(error, TransientError)
    assert error.retry_after_s == seconds


@pytest.mark.parametrize(
    ("body", "detail", "code"),
    [
        (b'{"code":3,"message":"line 7 is bad","details":[]}', "line 7 is bad", "3"),
        (b'{"error":{"message":"no such key","code":"UNAUTHORIZED","type":"error"}}', "no such key", "UNAUTHORIZED"),
        (b'{"error":"plain"}', "plain", ""),
        (b'["odd"]', "['odd']", ""),
        (b'{"code":3}', "{'code': 3}", "3"),
        (HTML, "503 Busy & tired", ""),
        (b"<?xml version='1.0'?><Error><Code>ExpiredToken</Code><Details>x</Details></Error>", "ExpiredToken x", ""),
        (b"plain \x1b[31mred\x00\r\n text \xff", "plain [31mred text �", ""),
        (b"", "", ""),
    ],
)
def test_the_vendors_message_is_read_from_any_body_and_cleaned(
    server: ScriptedServer, client: HttpClient, body: bytes, detail: str, code: str
) -> None:
    server.on("POST", "/v1/things", reply(400, body))
    error = failure(client)
    assert isinstance(error, RejectedError)
    assert (error.status, error.detail, error.code) == (400, detail, code)
    assert error.message.endswith(f"HTTP 400: {detail}" if detail else "HTTP 400")


def test_an_endless_error_body_is_read_up_to_a_limit(server: ScriptedServer, client: HttpClient) -> None:
    server.on("POST", "/v1/things", reply(400, b"x" * (8 << 20)))
    error = failure(client)
    assert len(error.message) < 600
    assert error.message.endswith("x...")


def test_a_too_long_answer_is_refused(
    server: ScriptedServer, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_bodies, "_MAX_ANSWER", 1000)
    server.on("POST", "/v1/things", json_reply({"name": "x" * 2000}))
    assert type(failure(client)) is UncertainError
    assert type(failure(client, Kind.CREATES)) is OutcomeUnknownError


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_named_by_its_variable_and_never_shown(
    server: ScriptedServer, client: HttpClient, status: int
) -> None:
    server.on("POST", "/v1/things", json_reply({"error": {"message": f"key {KEY} is unknown"}}, status))
    error = failure(client)
    assert KEY not in str(error)
    assert isinstance(error, RejectedError)
    assert error.detail == "key [key] is unknown"
    assert "VENDOR_KEY" in str(error)
    assert KEY not in repr(client.service)


def test_a_call_carries_the_key_the_version_and_its_body(server: ScriptedServer, client: HttpClient) -> None:
    server.on("POST", "/v1/things", json_reply({"name": "t", "more": 1}))
    assert call(client) == Thing("t")
    (asked,) = server.asked
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.headers["user-agent"].startswith("promptrial/")
    assert (asked.headers["content-type"], asked.body) == ("application/json", b'{"a":1}')


def test_a_call_without_a_body_sends_none(server: ScriptedServer, client: HttpClient) -> None:
    server.on("GET", "/v1/things", json_reply({"name": "t"}))
    client.call("GET", "/v1/things", Thing, what="get it", query={"pageSize": "1"})
    (asked,) = server.asked
    assert asked.target == "/v1/things?pageSize=1"
    assert not {"content-length", "transfer-encoding", "content-type"} & set(asked.headers)


def test_a_redirect_is_not_followed_with_the_key(server: ScriptedServer, client: HttpClient) -> None:
    with scripted() as other:
        other.on("POST", "/steal", json_reply({"name": "t"}))
        server.on("POST", "/v1/things", reply(307, Location=f"{other.url}/steal"))
        error = failure(client)
        assert other.asked == []
    assert "the API's address" in str(error)


@pytest.mark.parametrize("path", ["https://elsewhere.example/x", "@elsewhere.example/x", "v1/things", ""])
def test_an_address_is_never_called_with_the_key(client: HttpClient, path: str) -> None:
    with pytest.raises(ValueError, match="is not a path"):
        client.call("GET", path, Thing, what="x")


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    server: ScriptedServer, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    server.on("POST", "/v1/things", json_reply({"name": "t"}))
    assert call(client) == Thing("t")


# --- files up -----------------------------------------------------------------------------------------------------


def test_a_file_is_posted_as_the_part_named_file(server: ScriptedServer, client: HttpClient, tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_bytes(ROWS)
    server.on("POST", "/v1/up", json_reply({}))
    client.upload("/v1/up", tmp_path / "r.jsonl", "x.jsonl", what="upload it")
    (asked,) = server.asked
    head, _, rest = asked.body.partition(b"\r\n\r\n")
    assert b'name="file"; filename="x.jsonl"' in head
    assert b"application/octet-stream" in head
    assert rest.startswith(ROWS)
    assert "content-length" in asked.headers


def test_a_file_is_put_without_the_key_and_with_exactly_the_headers_that_were_signed(
    server: ScriptedServer, client: HttpClient, tmp_path: Path
) -> None:
    (tmp_path / "r.jsonl").write_bytes(ROWS)
    server.on("PUT", "/bucket/x", reply())
    headers = {"Content-Type": "application/octet-stream", "X-Goog-Content-Length-Range": "36,36"}
    client.put(f"{server.url}/bucket/x?signature=abc", tmp_path / "r.jsonl", headers, what="upload it")
    (asked,) = server.asked
    assert asked.body == ROWS
    assert asked.target.endswith("?signature=abc")
    assert (asked.headers["content-length"], asked.headers["x-goog-content-length-range"]) == (str(len(ROWS)), "36,36")
    assert "authorization" not in asked.headers


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (reply(400, b"<Error><Code>ExpiredToken</Code></Error>"), TransientError),
        (reply(403), TransientError),
        (reply(503), TransientError),
        (Reply(end="reset"), UncertainError),
        (reply(404), NotFoundError),
        (reply(307, Location="/other"), RejectedError),
        (reply(412), RejectedError),
    ],
)
def test_a_refused_put_raises_the_error_of_its_kind_without_the_signature(
    server: ScriptedServer, client: HttpClient, tmp_path: Path, answer: Reply, expected: type[ProviderError]
) -> None:
    (tmp_path / "r.jsonl").write_bytes(ROWS)
    server.on("PUT", "/x", answer)
    with pytest.raises(ProviderError) as caught:
        client.put(f"{server.url}/x?signature=abc", tmp_path / "r.jsonl", {}, what="upload it")
    assert type(caught.value) is expected
    assert "signature" not in str(caught.value)


@pytest.mark.parametrize("way", ["upload", "put"])
def test_a_large_file_is_sent_in_little_memory_and_its_early_refusal_is_read(
    server: ScriptedServer, client: HttpClient, tmp_path: Path, way: str
) -> None:
    file = tmp_path / "r.jsonl"
    file.write_bytes(bytes(32 << 20))
    server.first = Reply(reply(413, b"too large").raw, end="drain", read=False)
    ways: dict[str, Callable[[], None]] = {
        "upload": lambda: client.upload("/v1/up", file, "x", what="upload it"),
        "put": lambda: client.put(f"{server.url}/up", file, {}, what="upload it"),
    }
    tracemalloc.start()
    try:
        with pytest.raises(RejectedError, match="413: too large"):
            ways[way]()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


# --- lines down ---------------------------------------------------------------------------------------------------


def lines(client: HttpClient, server: ScriptedServer, query: str = "?X-Goog-Signature=abc") -> list[bytes]:
    return list(client.lines(f"{server.url}/file{query}", what="download it"))


PACKED = gzip.compress(ROWS, mtime=0)


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, ROWS),
        reply(200, ROWS[:-1]),
        reply(200, b"\xef\xbb\xbf" + ROWS.replace(b"\n", b"\r\n\r\n")),
        bare(200, b"10\r\n" + ROWS[:16] + b"\r\n14\r\n" + ROWS[16:] + b"\r\n0\r\n\r\n", Transfer_Encoding="chunked"),
        reply(200, PACKED, Content_Encoding="gzip"),
        reply(200, ROWS, Content_Encoding="identity"),
        reply(200, ROWS, Content_Type="text/html"),
    ],
)
def test_lines_are_read_whole_from_every_transfer_encoding(
    server: ScriptedServer, client: HttpClient, answer: Reply
) -> None:
    server.on("GET", "/file", answer)
    assert lines(client, server) == READ
    assert "authorization" not in server.asked[0].headers
    assert server.asked[0].target.endswith("?X-Goog-Signature=abc")


def test_lines_without_a_provable_end_raise_a_warning_error_after_the_last(
    server: ScriptedServer, client: HttpClient
) -> None:
    server.on("GET", "/file", bare(200, ROWS))
    found = client.lines(f"{server.url}/file", what="download it")
    assert [next(found), next(found)] == READ
    with pytest.raises(UnprovenEndError, match="without a length"):
        next(found)


CUTS = {
    "short of its length": reply(200, ROWS[:18], announce=36),
    "short of its length within a line": reply(200, ROWS[:25], announce=36),
    "unfinished chunk": bare(200, b"24\r\n" + ROWS[:18], Transfer_Encoding="chunked"),
    "no last chunk": bare(200, b"24\r\n" + ROWS + b"\r\n", Transfer_Encoding="chunked"),
    "close within a line": bare(200, ROWS[:25]),
    "gzip cut, with its length": reply(200, PACKED[:-9], Content_Encoding="gzip"),
    "gzip without its checksum": reply(200, PACKED[:-8], Content_Encoding="gzip"),
    "gzip damaged": reply(200, b"\0" * 30, Content_Encoding="gzip"),
    "packed in another way": reply(200, ROWS, Content_Encoding="br"),
    "reset": Reply(bare(200, ROWS).raw, end="reset"),
    "stall": Reply(reply(200, ROWS[:18], announce=36).raw, end="stall"),
    "web page": reply(200, HTML),
    "no content": bare(204),
    "part of it": reply(206, ROWS),
    "expired, Google's": reply(400, b"<Error><Code>ExpiredToken</Code></Error>"),
    "expired, Amazon's": reply(403, b"<Error><Code>AccessDenied</Code></Error>"),
    "busy": reply(503),
    "too many": reply(429, Retry_After="3"),
}


@pytest.mark.parametrize("answer", CUTS.values(), ids=CUTS)
def test_truncated_or_temporarily_refused_lines_are_never_taken_for_complete(
    server: ScriptedServer, client: HttpClient, hasty: HttpClient, answer: Reply
) -> None:
    server.on("GET", "/file", answer)
    with pytest.raises(TransientError) as caught:
        lines(hasty if answer.end == "stall" else client, server)
    assert caught.value.message.startswith("Vendor: could not download it: ")
    assert "Signature" not in str(caught.value)


@pytest.mark.parametrize("body", [HTML, HTML + b"\n", b"\xef\xbb\xbf\n " + HTML])
def test_a_web_page_is_never_taken_for_a_file_of_rows(server: ScriptedServer, client: HttpClient, body: bytes) -> None:
    server.on("GET", "/file", reply(200, body))
    with pytest.raises(TransientError, match="a web page came instead of rows") as caught:
        lines(client, server)
    assert not isinstance(caught.value, ResultsTornError)


@pytest.mark.parametrize("body", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_has_no_lines(server: ScriptedServer, client: HttpClient, body: bytes) -> None:
    server.on("GET", "/file", reply(200, body))
    assert lines(client, server) == []
    server.on("GET", "/file", reply(200, b"", Content_Encoding="gzip"))
    assert lines(client, server) == []


def test_a_missing_file_has_its_own_error(server: ScriptedServer, client: HttpClient) -> None:
    server.on("GET", "/file", reply(404, b"<Error><Code>NoSuchKey</Code></Error>"))
    with pytest.raises(NotFoundError, match="NoSuchKey"):
        lines(client, server)


def test_a_line_beyond_the_limit_is_refused_permanently(
    server: ScriptedServer, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_MAX_LINE", 1000)
    server.on("GET", "/file", reply(200, b"x" * 2000))
    with pytest.raises(PermanentError, match="longer than 1,000 bytes"):
        lines(client, server)


def test_a_long_file_is_read_in_little_memory(server: ScriptedServer, client: HttpClient) -> None:
    rows = (hashlib.sha512(b"%d" % number).hexdigest().encode() * 8 for number in range(20_000))
    body = b"".join(b'{"custom_id":"' + row + b'"}\n' for row in rows)
    server.on("GET", "/file", reply(200, gzip.compress(body, 1), Content_Encoding="gzip"))
    tracemalloc.start()
    try:
        count = sum(1 for _ in client.lines(f"{server.url}/file", what="download it"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 20_000
    assert peak < len(body) / 2


def test_reading_can_be_stopped_early(server: ScriptedServer, client: HttpClient) -> None:
    server.on("GET", "/file", reply(200, ROWS * 100_000))
    found = client.lines(f"{server.url}/file", what="download it")
    assert next(found) == READ[0]
    found.close()  # type: ignore[attr-defined]
    server.on("GET", "/file", reply(200, ROWS))
    assert lines(client, server) == READ


def test_a_redirect_of_a_download_is_followed_without_the_key(server: ScriptedServer, client: HttpClient) -> None:
    with scripted() as storage:
        storage.on("GET", "/moved", reply(200, ROWS))
        server.on("GET", "/file", reply(302, Location="/again"))
        server.on("GET", "/again", reply(307, Location=f"{storage.url}/moved"))
        assert lines(client, server) == READ
        assert [asked.headers.get("authorization") for asked in server.asked + storage.asked] == [None] * 3


def test_redirects_in_a_circle_end(server: ScriptedServer, client: HttpClient) -> None:
    server.on("GET", "/file", reply(302, Location="/file"))
    with pytest.raises(PermanentError, match="redirects"):
        lines(client, server)
    assert len(server.asked) == 5


@pytest.mark.parametrize(
    "url",
    ["http://storage.example/x", "ftp://127.0.0.1/x", "file:///etc/passwd", "//storage.example/x", "x", "http://[/"],
)
def test_only_https_and_this_machine_are_called(
    server: ScriptedServer, client: HttpClient, tmp_path: Path, url: str
) -> None:
    with pytest.raises(PermanentError):
        list(client.lines(url, what="download it"))
    (tmp_path / "r").write_bytes(ROWS)
    with pytest.raises(PermanentError):
        client.put(url, tmp_path / "r", {}, what="upload it")
    if "example" in url:
        server.on("GET", "/file", reply(302, Location=url.replace("//s", "http://s") if url[0] == "/" else url))
        with pytest.raises(PermanentError, match=r"leads to http://storage\.example, and only https, .* is followed"):
            lines(client, server)


def test_a_remote_api_cannot_redirect_to_this_machine(server: ScriptedServer, tmp_path: Path) -> None:
    server.on("GET", "/file", reply(200, ROWS))
    (tmp_path / "r").write_bytes(ROWS)
    made = HttpClient(Service("Vendor", "https://api.example", KEY, "VENDOR_KEY"), PATIENT)
    with pytest.raises(PermanentError, match=r"leads to http://127\.0\.0\.1, and only https is followed"):
        list(made.lines(f"{server.url}/file", what="download it"))
    with pytest.raises(PermanentError, match=r"leads to http://127\.0\.0\.1, and only https is followed"):
        made.put(f"{server.url}/file", tmp_path / "r", {}, what="upload it")
    made.close()
    assert server.asked == []


# --- how long is waited ----------------------------------------------------------------------------------------------


def test_the_timeout_of_an_answer_is_the_longest_a_stop_may_wait_and_that_of_a_file_is_longer() -> None:
    assert Timeouts().read_s <= 20.0
    assert Timeouts().transfer_s >= 120.0


@pytest.mark.parametrize("patient", ["for answers", "for files"])
def test_answers_and_files_have_separate_timeouts(server: ScriptedServer, tmp_path: Path, patient: str) -> None:
    times = replace(HASTY, **{"read_s" if patient == "for answers" else "transfer_s": 20.0})
    made = HttpClient(Service("Vendor", server.url, KEY, "VENDOR_KEY"), times)
    (tmp_path / "r").write_bytes(ROWS)
    slow = Reply(reply(200, b'{"name":"t"}').raw, delay_s=0.6)
    for method, path in (("POST", "/v1/things"), ("POST", "/v1/up"), ("PUT", "/file"), ("GET", "/file")):
        server.on(method, path, slow)
    outcomes = []
    for ask in (
        lambda: call(made),
        lambda: made.upload("/v1/up", tmp_path / "r", "r", what="upload it"),
        lambda: made.put(f"{server.url}/file", tmp_path / "r", {}, what="upload it"),
        lambda: lines(made, server),
    ):
        try:
            ask()
            outcomes.append(True)
        except TransientError:
            outcomes.append(False)
    made.close()
    assert outcomes == ([True, False, False, False] if patient == "for answers" else [False, True, True, True])


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("127.0.0.1.example", False),
     ("10.0.0.1", False), ("localhost.example", False), ("", False)],
)  # fmt: skip
def test_this_machine_is_known_by_its_names(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_an_external_text_becomes_one_safe_line() -> None:
    assert printable("see https://s.example/a?sig=1#x and\n\x1b]0;x\x07 http://b/c ") == (
        "see https://s.example/a?... and ]0;x http://b/c"
    )
    assert printable("x" * 100, 10) == "x" * 7 + "..."


def test_a_client_that_was_closed_opens_again(server: ScriptedServer, client: HttpClient) -> None:
    server.on("POST", "/v1/things", json_reply({"name": "t"}))
    client.close()
    call(client)
    client.close()
    client.close()
    assert call(client) == Thing("t")
