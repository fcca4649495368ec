"""Files at the API's own address, with our key: posted in a form that has an answer, and read line by line."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from io import BytesIO

import msgspec
import pytest

from promptrial.errors import ResultsTornError, TransientError
from promptrial.providers.http import HttpClient
from promptrial.providers.http_outcomes import NotFoundError, RejectedError, UnprovenEndError
from promptrial.providers.http_service import Service, Timeouts
from tests.support.http_scripted import Reply, ScriptedServer, bare, json_reply, reply, server

__all__ = ["server"]

KEY = "sk-" + "secretsecret"
TIMEOUTS = Timeouts(connect_s=20.0, read_s=20.0, transfer_s=1.0, write_s=20.0, pool_s=20.0)
ROWS = b'{"custom_id":"a"}\n{"custom_id":"b"}\n'
READ = [b'{"custom_id":"a"}', b'{"custom_id":"b"}']
PACKED = gzip.compress(ROWS, mtime=0)


class Thing(msgspec.Struct):
    id: str


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[HttpClient]:
    made = HttpClient(Service("Vendor", server.url, KEY, "VENDOR_KEY"), TIMEOUTS)
    yield made
    made.close()


def lines(client: HttpClient) -> list[bytes]:
    return list(client.own_lines("/files/f-1/content", what="download it"))


def chunked(body: bytes) -> Reply:
    return bare(200, b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body), Transfer_Encoding="chunked")


def test_a_file_is_posted_after_the_other_fields_and_the_answer_is_returned(
    server: ScriptedServer, client: HttpClient
) -> None:
    server.on("POST", "/files", json_reply({"id": "file-1"}))
    fields = {"purpose": "batch"}
    made = client.create_file("/files", BytesIO(ROWS), "x.jsonl", Thing, what="upload it", fields=fields)
    assert made == Thing("file-1")
    (asked,) = server.asked
    assert asked.body.index(b'name="purpose"\r\n\r\nbatch') < asked.body.index(b'name="file"; filename="x.jsonl"')
    assert ROWS in asked.body


@pytest.mark.parametrize("answer", [reply(200, b"{"), json_reply({}), reply(500), Reply(end="reset")])
def test_an_upload_whose_answer_has_no_name_can_be_repeated(
    server: ScriptedServer, client: HttpClient, answer: Reply
) -> None:
    server.on("POST", "/files", answer)
    with pytest.raises(TransientError):
        client.create_file("/files", BytesIO(ROWS), "x", Thing, what="upload it", fields={})


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, ROWS),
        chunked(ROWS),
        chunked(ROWS[:-1]),
        reply(200, b"\xef\xbb\xbf" + ROWS.replace(b"\n", b"\r\n")),
        reply(200, PACKED, Content_Encoding="gzip"),
    ],
)
def test_the_lines_of_a_file_are_fetched_with_our_key_in_every_encoding(
    server: ScriptedServer, client: HttpClient, answer: Reply
) -> None:
    server.on("GET", "/files/f-1/content", answer)
    assert lines(client) == READ
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert server.asked[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, ROWS[:18], announce=36),
        bare(200, b"24\r\n" + ROWS[:18], Transfer_Encoding="chunked"),
        bare(200, ROWS[:25]),
        reply(200, PACKED[:-9], Content_Encoding="gzip"),
        Reply(reply(200, ROWS[:18], announce=36).raw, end="stall"),
        reply(200, b"<html>busy</html>"),
        bare(204),
        reply(206, ROWS),
        reply(503),
        reply(429),
    ],
)
def test_a_truncated_or_temporarily_refused_file_is_never_taken_for_complete(
    server: ScriptedServer, client: HttpClient, answer: Reply
) -> None:
    server.on("GET", "/files/f-1/content", answer)
    with pytest.raises(TransientError, match="could not download it"):
        lines(client)


def test_a_file_that_ends_within_a_row_or_without_a_provable_end_has_its_own_error(
    server: ScriptedServer, client: HttpClient
) -> None:
    server.on("GET", "/files/f-1/content", chunked(ROWS[:25]))
    with pytest.raises(ResultsTornError):
        lines(client)
    server.on("GET", "/files/f-1/content", bare(200, ROWS))
    with pytest.raises(UnprovenEndError):
        lines(client)


def test_a_missing_file_and_a_refused_key_are_not_transient_errors(server: ScriptedServer, client: HttpClient) -> None:
    server.on("GET", "/files/f-1/content", json_reply({"error": {"message": "No such file"}}, 404))
    with pytest.raises(NotFoundError, match="No such file"):
        lines(client)
    server.on("GET", "/files/f-1/content", json_reply({"error": {"message": f"bad key {KEY}"}}, 401))
    with pytest.raises(RejectedError, match="VENDOR_KEY") as caught:
        lines(client)
    assert KEY not in str(caught.value)


def test_our_key_is_not_sent_along_a_redirect(server: ScriptedServer, client: HttpClient) -> None:
    server.on("GET", "/files/f-1/content", reply(302, Location=f"{server.url}/elsewhere"))
    with pytest.raises(RejectedError, match="redirects elsewhere"):
        lines(client)
    assert len(server.asked) == 1


def test_our_key_is_sent_only_to_paths_below_the_address(server: ScriptedServer, client: HttpClient) -> None:
    with pytest.raises(ValueError, match="is not a path"):
        next(client.own_lines(f"{server.url}/file", what="download it"))
    assert server.asked == []
