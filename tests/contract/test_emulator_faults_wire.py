"""Faults of the emulator that affect calls and transfers: F1 to F8, F13, F14 and F16 to F18, over real sockets."""

from __future__ import annotations

import datetime as dt
import errno
import gzip
import json
import re
import selectors
import socket
import struct
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from promptrial.runtime.clock import SystemClock
from promptrial_emulator.apis import APIS
from promptrial_emulator.faults.rules import FAULTS
from tests.support.emulator_client import EmulatorClient, chat_row, jsonl
from tests.support.emulator_fixtures import Start, emulator, shared, start

__all__ = ["emulator", "shared", "start"]

PAGE = Path(__file__).parents[2] / "docs/emulator.md"
CUT = (httpx.RemoteProtocolError, httpx.ReadError)
GONE = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)


def raw(url: str, request: bytes) -> tuple[bytes, int]:
    """Send bytes, and return what comes back and the error that the connection ends with (0: it was closed)."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20) as connection:
        connection.sendall(request)
        received = bytearray()
        try:
            while chunk := connection.recv(65536):
                received += chunk
        except ConnectionError as error:
            return bytes(received), error.errno or -1
        return bytes(received), 0


def post_head(path: str, length: int) -> bytes:
    return (
        f"POST /v1/accounts/emulator/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer emulator-key\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


class TestRefusedBeforeItIsApplied:
    @pytest.mark.parametrize(("variant", "wait"), [("seconds", "7"), ("absent", None), ("huge", "10000000")])
    def test_f1_answers_429_too_many_requests(self, emulator: EmulatorClient, variant: str, wait: str | None) -> None:
        name = emulator.new()
        emulator.fault("F1", "create_dataset", variant=variant, seconds=7)
        reply = emulator.post_dataset(name)
        assert (reply.status_code, reply.headers.get("retry-after"), reply.json()["code"]) == (429, wait, 8)
        assert emulator.get_dataset(name).status_code == 404
        assert emulator.post_dataset(name).status_code == 200

    def test_f1_sends_a_retry_after_date_of_the_real_clock(self, emulator: EmulatorClient) -> None:
        emulator.fault("F1", "list_jobs", variant="date", seconds=60)
        reply = emulator.http.get("batchInferenceJobs")
        wait = parsedate_to_datetime(reply.headers["retry-after"]) - dt.datetime.fromisoformat(SystemClock().now())
        assert 30 < wait.total_seconds() <= 60

    @pytest.mark.parametrize("status", [500, 502, 503, 529])
    @pytest.mark.parametrize("variant", ["json", "html"])
    def test_f2_answers_server_errors(self, emulator: EmulatorClient, status: int, variant: str) -> None:
        name = emulator.new()
        emulator.fault("F2", "create_dataset", status=status, variant=variant)
        reply = emulator.post_dataset(name)
        assert reply.status_code == status
        assert reply.headers["content-type"].startswith("text/html" if variant == "html" else "application/json")
        assert emulator.ledger("create_dataset", name) == []

    def test_f3_resets_the_connection_before_it_reads_the_request(self, emulator: EmulatorClient) -> None:
        emulator.fault("F3", "create_dataset")
        head = post_head("datasets", 1_000_000)  # the body never comes
        assert raw(emulator.url, head) == (b"", errno.ECONNRESET)
        assert emulator.fired() == [1]

    def test_f4_reads_the_whole_request_and_resets_the_connection_before_applying_it(
        self, emulator: EmulatorClient
    ) -> None:
        name = emulator.new()
        emulator.fault("F4", "create_dataset")
        body = json.dumps({"datasetId": name, "dataset": {"exampleCount": "1"}}).encode()
        head = post_head("datasets", len(body))
        parts = urlsplit(emulator.url)
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20) as connection:
            connection.sendall(head)
            with selectors.DefaultSelector() as selector:
                selector.register(connection, selectors.EVENT_READ)
                readable = selector.select(0.3)
            assert not readable, "the body is waited for"
            connection.sendall(body)
            with pytest.raises(ConnectionResetError):
                connection.recv(100)
        assert emulator.ledger("create_dataset", name) == []
        assert emulator.post_dataset(name).status_code == 200

    @pytest.mark.parametrize("fault", ["F2", "F4"])
    def test_an_upload_that_fails_leaves_no_file(
        self, start: Start, tmp_path_factory: pytest.TempPathFactory, fault: str
    ) -> None:
        folder = tmp_path_factory.mktemp("own")
        own = start(folder)
        own.post_dataset("d")
        own.fault(fault, "upload")
        try:
            assert own.post_upload("d", b"{}\n").status_code == 503
        except GONE:
            assert fault == "F4"
        assert list((folder / "files").iterdir()) == []
        assert own.post_upload("d", jsonl([chat_row("a")])).status_code == 200

    def test_f18_answers_that_no_quota_is_left(self, emulator: EmulatorClient) -> None:
        dataset = emulator.dataset()
        emulator.fault("F18", "create_job", in_use=16)
        reply = emulator.post_job("late", dataset)
        assert reply.status_code == 400
        assert reply.json()["message"] == (
            "invalid batch inference job: job-submission-count for account emulator, in use: 16, quota: 16"
        )
        assert emulator.ledger("create_job", "late") == []


class TestAppliedButNotAnswered:
    def test_f5_resets_the_connection_after_applying_the_call(self, emulator: EmulatorClient) -> None:
        dataset, name = emulator.dataset(), emulator.new("job")
        emulator.fault("F5", "create_job")
        with pytest.raises(GONE):
            emulator.post_job(name, dataset)
        assert emulator.get_job(name).status_code == 200
        assert emulator.post_job(name, dataset).status_code == 409
        assert len(emulator.ledger("create_job", name)) == 1

    def test_f5_keeps_silent_until_the_client_disconnects(self, emulator: EmulatorClient) -> None:
        dataset, name = emulator.dataset(), emulator.new("job")
        emulator.fault("F5", "create_job", variant="stall")
        emulator.http.timeout = httpx.Timeout(20, read=0.3)
        with pytest.raises(httpx.ReadTimeout):
            emulator.post_job(name, dataset)
        emulator.http.timeout = httpx.Timeout(20)
        assert len(emulator.ledger("create_job", name)) == 1

    def test_f5_answers_an_error_after_applying_the_call(self, emulator: EmulatorClient) -> None:
        dataset, name = emulator.dataset(), emulator.new("job")
        emulator.fault("F5", "create_job", variant="error")
        assert emulator.post_job(name, dataset).status_code == 500
        assert emulator.get_job(name).status_code == 200

    @pytest.mark.parametrize("operation", ["create_dataset", "upload", "delete_dataset"])
    def test_f5_applies_to_every_call_that_changes_something(self, emulator: EmulatorClient, operation: str) -> None:
        name = emulator.new()
        emulator.fault("F5", operation)
        calls: dict[str, Callable[[], httpx.Response]] = {
            "create_dataset": lambda: emulator.post_dataset(name),
            "upload": lambda: emulator.post_upload(name, jsonl([chat_row("a")])),
            "delete_dataset": lambda: emulator.http.delete(f"datasets/{name}"),
        }
        for called, call in calls.items():
            if called == operation:
                break
            assert call().status_code == 200
        with pytest.raises(GONE):
            calls[operation]()
        assert len(emulator.ledger(operation, name)) == 1

    @pytest.mark.parametrize("variant", ["truncated", "not_json", "empty"])
    def test_f6_applies_the_call_and_answers_200_with_an_unreadable_body(
        self, emulator: EmulatorClient, variant: str
    ) -> None:
        dataset, name = emulator.dataset(), emulator.new("job")
        emulator.fault("F6", "create_job", variant=variant)
        reply = emulator.post_job(name, dataset)
        assert reply.status_code == 200
        with pytest.raises(json.JSONDecodeError):
            reply.json()
        assert len(emulator.ledger("create_job", name)) == 1

    def test_f6_answers_200_with_a_body_shorter_than_its_length(self, emulator: EmulatorClient) -> None:
        dataset, name = emulator.dataset(), emulator.new("job")
        emulator.fault("F6", "create_job", variant="short_length")
        with pytest.raises(CUT):
            emulator.post_job(name, dataset)
        assert len(emulator.ledger("create_job", name)) == 1


class TestSeenOrAppliedLater:
    def test_f7_hides_a_created_job_for_some_time(self, start: Start) -> None:
        own = start(clock="manual")
        dataset = own.dataset()
        own.advance(10)
        own.fault("F7", "create_job", delay_s=30)
        assert own.post_job("j", dataset).status_code == 200
        assert own.get_job("j").status_code == 404
        assert own.http.get("batchInferenceJobs").json()["batchInferenceJobs"] == []
        assert own.post_job("j", dataset).status_code == 409, "it exists all the same"
        own.advance(30)
        assert own.get_job("j").status_code == 200
        assert len(own.ledger("create_job")) == 1

    def test_f7_hides_a_created_data_set_for_some_time(self, start: Start) -> None:
        own = start(clock="manual")
        own.fault("F7", "create_dataset")
        own.post_dataset("d")
        assert own.get_dataset("d").status_code == 404
        assert own.post_upload("d", b"{}\n").status_code == 404
        own.advance(60)
        assert own.get_dataset("d").status_code == 200

    @pytest.mark.parametrize("variant", ["stall", "reset", "error"])
    def test_f8_applies_a_call_after_the_client_gave_up(self, start: Start, variant: str) -> None:
        own = start(clock="manual")
        dataset = own.dataset()
        own.advance(10)
        own.fault("F8", "create_job", variant=variant, delay_s=45)
        own.http.timeout = httpx.Timeout(20, read=0.3)
        try:
            assert own.post_job("j", dataset).status_code == 504
        except (*GONE, httpx.ReadTimeout):
            assert variant != "error"
        own.http.timeout = httpx.Timeout(20)
        own.advance(44)
        assert own.get_job("j").status_code == 404
        assert own.ledger("create_job") == []
        own.advance(1)
        assert own.get_job("j").json()["createTime"] == "2026-01-01T00:00:55.000000Z"
        assert len(own.ledger("create_job")) == 1

    def test_f8_keeps_the_other_faults_of_the_late_job(self, start: Start) -> None:
        own = start()
        own.fault("F8", "create_job", variant="error", delay_s=15)
        own.fault("F9", "create_job", variant="skipped")
        own.post_job("j", own.dataset(), outputDatasetId="out-j")
        own.advance(15)
        assert own.states("j") == ["COMPLETED"]

    def test_f8_creates_no_second_job_if_the_job_was_created_meanwhile(self, start: Start) -> None:
        own = start(clock="manual")
        dataset = own.dataset()
        own.advance(10)
        own.fault("F8", "create_job", variant="error")
        own.post_job("j", dataset)
        assert own.post_job("j", dataset).status_code == 200
        own.advance(60)
        assert len(own.ledger("create_job")) == 1


class TestDownloads:
    @pytest.fixture
    def url(self, emulator: EmulatorClient) -> str:
        """The signed URL of some results."""
        job = emulator.job(emulator.dataset(20))
        emulator.states(job)
        return next(iter(emulator.urls(f"out-{job}").values()))

    @pytest.fixture
    def whole(self, emulator: EmulatorClient, url: str) -> bytes:
        return emulator.plain.get(url).content

    @pytest.mark.parametrize("variant", ["short_length", "unfinished_chunk"])
    def test_f13_truncates_in_a_way_that_clients_notice(
        self, emulator: EmulatorClient, url: str, whole: bytes, variant: str
    ) -> None:
        emulator.fault("F13", "download", variant=variant)
        with pytest.raises(CUT):
            emulator.plain.get(url)
        assert emulator.plain.get(url).content == whole

    def test_f13_truncates_in_a_way_that_clients_do_not_notice(
        self, emulator: EmulatorClient, url: str, whole: bytes
    ) -> None:
        emulator.fault("F13", "download", variant="close_delimited", at=0.25)
        reply = emulator.plain.get(url)
        assert reply.status_code == 200
        assert reply.content == whole[: len(whole) // 4]

    def test_f13_truncates_a_gzip_stream_within_its_stated_length(
        self, emulator: EmulatorClient, url: str, whole: bytes
    ) -> None:
        emulator.fault("F13", "download", variant="gzip_cut", at=0.9)
        with emulator.plain.stream("GET", url) as reply:
            packed = b"".join(reply.iter_raw())
        assert reply.headers["content-encoding"] == "gzip"
        assert len(packed) == int(reply.headers["content-length"])
        with pytest.raises(EOFError):
            gzip.decompress(packed)
        emulator.fault("F13", "download", variant="gzip_cut", at=0.9)
        short = emulator.plain.get(url).content
        assert 0 < len(short) < len(whole)
        assert whole.startswith(short)

    def test_f13_sends_an_empty_file_or_a_web_page(self, emulator: EmulatorClient, url: str) -> None:
        emulator.fault("F13", "download", variant="empty")
        emulator.fault("F13", "download", variant="wrong_type", nth=2)
        assert (emulator.plain.get(url).status_code, emulator.plain.get(url).headers["content-type"]) == (
            200, "text/html; charset=utf-8",
        )  # fmt: skip

    def test_f13_empty_sends_200_without_bytes(self, emulator: EmulatorClient, url: str) -> None:
        emulator.fault("F13", "download", variant="empty")
        reply = emulator.plain.get(url)
        assert (reply.status_code, reply.content) == (200, b"")

    def test_f13_truncates_at_the_end_of_a_row_with_a_matching_length(
        self, emulator: EmulatorClient, url: str, whole: bytes
    ) -> None:
        emulator.fault("F13", "download", variant="row_boundary")
        reply = emulator.plain.get(url)
        assert 0 < len(reply.content) < len(whole)
        assert int(reply.headers["content-length"]) == len(reply.content)
        assert reply.content.endswith(b"\n")
        assert whole.startswith(reply.content)

    def test_f13_sends_the_body_one_byte_at_a_time(self, emulator: EmulatorClient, url: str, whole: bytes) -> None:
        emulator.fault("F13", "download", variant="dripped", every_s=0.01)
        with emulator.plain.stream("GET", url) as reply:
            chunks = reply.iter_raw()
            assert b"".join(next(chunks) for _ in range(5)).startswith(whole[:5])
            assert int(reply.headers["content-length"]) == len(whole)
        emulator.fault("F13", "download", variant="dripped", every_s=0.0)
        assert emulator.plain.get(url).content == whole

    def test_f13_compresses_bodies_twice_or_extremely(self, emulator: EmulatorClient, url: str, whole: bytes) -> None:
        for variant, packing in (("nested_gzip", "gzip, gzip"), ("gzip_bomb", "gzip")):
            emulator.fault("F13", "download", variant=variant)
            with emulator.plain.stream("GET", url) as reply:
                packed = b"".join(reply.iter_raw())
            assert reply.headers["content-encoding"] == packing
            unpacked = gzip.decompress(packed)
            assert gzip.decompress(unpacked) == whole if variant == "nested_gzip" else len(unpacked) > 500 * len(packed)

    def test_f13_redirects_to_another_origin(self, emulator: EmulatorClient, url: str, whole: bytes) -> None:
        emulator.fault("F13", "download", variant="redirect")
        reply = emulator.plain.get(url)
        assert reply.status_code == 302
        assert reply.headers["location"] == url.replace("127.0.0.1", "localhost")
        assert emulator.plain.get(reply.headers["location"]).content == whole

    def test_f13_redirects_to_any_address(self, emulator: EmulatorClient, url: str) -> None:
        emulator.fault("F13", "download", variant="redirect", location="http://example.invalid/x")
        assert emulator.plain.get(url).headers["location"] == "http://example.invalid/x"

    def test_f14_returns_a_url_that_has_already_expired(self, emulator: EmulatorClient, url: str) -> None:
        emulator.fault("F14", "download", variant="expired")
        reply = emulator.plain.get(url)
        assert (reply.status_code, "<Code>ExpiredToken</Code>" in reply.text) == (400, True)

    def test_f14_expires_a_url_during_the_transfer(self, emulator: EmulatorClient, url: str, whole: bytes) -> None:
        emulator.fault("F14", "download", variant="mid_transfer")
        target = urlsplit(url)
        received, ended = raw(url, f"GET {target.path}?{target.query} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert ended == errno.ECONNRESET
        assert received.partition(b"\r\n\r\n")[2] == whole[: len(whole) // 2]
        assert "ExpiredToken" in emulator.plain.get(url).text, "trying the same one again never helps"

    def test_f14_sends_no_error_if_the_client_disconnects_first(
        self, emulator: EmulatorClient, url: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        emulator.fault("F14", "download", variant="mid_transfer")
        target = urlsplit(url)
        with socket.create_connection((target.hostname or "", target.port or 0), timeout=20) as connection:
            connection.sendall(f"GET {target.path}?{target.query} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            assert connection.recv(1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        time.sleep(0.2)  # longer than the emulator waits before it resets
        assert "ExpiredToken" in emulator.plain.get(url).text
        assert caplog.text == ""

    def test_f14_signs_urls_with_a_clock_that_is_late(self, emulator: EmulatorClient) -> None:
        name = emulator.dataset()
        emulator.fault("F14", "get_download_endpoint", variant="clock_skew")
        (late,), (fresh,) = emulator.urls(name).values(), emulator.urls(name).values()
        assert "ExpiredToken" in emulator.plain.get(late).text
        assert emulator.plain.get(fresh).status_code == 200

    @pytest.mark.parametrize(
        ("rule", "status", "code"),
        [
            ({"name": "F1"}, 429, "SlowDown"),
            ({"name": "F2", "status": 503}, 503, "ServiceUnavailable"),
            ({"name": "F17", "variant": "no_access"}, 403, "AccessDenied"),
            ({"name": "F17", "variant": "hidden"}, 404, "NoSuchKey"),
        ],
    )
    def test_the_storage_sends_its_errors_in_xml(
        self, emulator: EmulatorClient, url: str, rule: dict[str, Any], status: int, code: str
    ) -> None:
        emulator.fault(operation="download", **rule)
        reply = emulator.plain.get(url)
        assert (reply.status_code, f"<Code>{code}</Code>" in reply.text) == (status, True)

    def test_f14_applies_to_uploads(self, emulator: EmulatorClient) -> None:
        name = emulator.new()
        emulator.post_dataset(name)
        emulator.fault("F14", "put_signed", variant="expired")
        body = {"filenameToSize": {"a": "2"}}
        urls = emulator.http.post(f"datasets/{name}:getUploadEndpoint", json=body).json()["filenameToSignedUrls"]
        headers = {"Content-Type": "application/octet-stream", "X-Goog-Content-Length-Range": "2,2"}
        replies = [emulator.plain.put(urls["a"], content=b"{}", headers=headers).status_code for _ in range(2)]
        assert replies == [400, 200]


class TestLists:
    @pytest.fixture
    def own(self, start: Start) -> EmulatorClient:
        client = start(clock="manual")
        for number in range(5):
            client.post_dataset(f"d{number}")
        return client

    def pages(self, own: EmulatorClient, most: int = 6) -> list[str]:
        """Follow the tokens; return the ids of each page."""
        found, token = [], ""
        for _ in range(most):
            page: Any = own.http.get("datasets", params={"pageSize": 2, "pageToken": token}).json()
            found.append(" ".join(each["name"].rpartition("/")[2] for each in page["datasets"]))
            token = page["nextPageToken"]
            if not token:
                break
        return found

    @pytest.mark.parametrize(
        ("rule", "seen"),
        [
            ({"variant": "shift", "nth": 2}, ["d0 d1", "d1 d2", "d3 d4"]),
            ({"variant": "skip", "nth": 2}, ["d0 d1", "d3 d4"]),
            ({"variant": "stale", "count": -1}, ["d0 d1", "d2 d3"]),
            ({"variant": "repeated_token", "nth": 2, "count": 2}, ["d0 d1", "d2 d3", "d2 d3", "d2 d3", "d4"]),
            ({"variant": "repeated_token"}, ["d0 d1", "d0 d1", "d2 d3", "d4"]),
        ],
    )
    def test_f16_returns_misleading_pages(self, own: EmulatorClient, rule: dict[str, Any], seen: list[str]) -> None:
        own.fault("F16", "list_datasets", **rule)
        assert self.pages(own) == seen

    def test_f16_can_omit_the_newest_entry(self, own: EmulatorClient) -> None:
        own.fault("F16", "list_datasets", variant="stale", by=2)
        assert len(own.http.get("datasets").json()["datasets"]) == 3
        assert len(own.http.get("datasets").json()["datasets"]) == 5


class TestGone:
    def test_f17_removes_a_data_set_permanently(self, emulator: EmulatorClient) -> None:
        job = emulator.job()
        emulator.states(job)
        emulator.fault("F17", "get_download_endpoint")
        for _ in range(2):
            assert emulator.http.get(f"datasets/out-{job}:getDownloadEndpoint").status_code == 404
        assert emulator.get_dataset(f"out-{job}").status_code == 404
        assert emulator.ledger("delete_dataset", f"out-{job}") == []

    def test_f17_removes_a_job_permanently(self, emulator: EmulatorClient) -> None:
        job = emulator.job()
        emulator.fault("F17", "get_job", variant="vanished")
        assert [emulator.get_job(job).status_code for _ in range(2)] == [404, 404]

    def test_f17_removes_the_bytes_behind_a_url(self, emulator: EmulatorClient) -> None:
        (url,) = emulator.urls(emulator.dataset()).values()
        emulator.fault("F17", "download", variant="vanished")
        assert "NoSuchKey" in emulator.plain.get(url).text

    def test_f17_hides_something_for_a_moment(self, emulator: EmulatorClient) -> None:
        job = emulator.job()
        emulator.fault("F17", "get_job", variant="hidden")
        assert [emulator.get_job(job).status_code for _ in range(2)] == [404, 200]

    def test_f17_revokes_the_access_of_the_key(self, emulator: EmulatorClient) -> None:
        job = emulator.job()
        emulator.fault("F17", "get_job", variant="no_access", count=-1)
        replies = [emulator.get_job(job) for _ in range(3)]
        assert {reply.status_code for reply in replies} == {403}
        assert replies[0].json()["error"]["code"] == "UNAUTHORIZED"


class TestRules:
    def test_a_rule_states_which_calls_it_affects(self, emulator: EmulatorClient) -> None:
        emulator.fault("F2", "list_jobs", nth=2, count=2, every=3)
        statuses = [emulator.http.get("batchInferenceJobs").status_code for _ in range(9)]
        assert [number for number, status in enumerate(statuses, 1) if status == 503] == [2, 5]
        assert emulator.fired() == [2]

    def test_a_rule_that_names_an_api_affects_its_calls(self, emulator: EmulatorClient) -> None:
        emulator.fault("F2", "list_jobs", api="fireworks")
        assert [emulator.http.get("batchInferenceJobs").status_code for _ in range(2)] == [503, 200]

    def test_a_rule_without_a_variant_uses_the_first_applicable_one(self, emulator: EmulatorClient) -> None:
        emulator.fault("F14", "get_download_endpoint")
        rules = emulator.plain.get(f"{emulator.url}/__emu/faults").json()["rules"]
        assert [rule["variant"] for rule in rules] == ["clock_skew"]

    def test_a_count_of_minus_one_never_runs_out(self, emulator: EmulatorClient) -> None:
        emulator.fault("F2", "list_jobs", count=-1)
        assert {emulator.http.get("batchInferenceJobs").status_code for _ in range(5)} == {503}
        emulator.clear_faults()
        assert emulator.http.get("batchInferenceJobs").status_code == 200

    def test_several_rules_can_affect_one_call(self, emulator: EmulatorClient) -> None:
        dataset, name = emulator.dataset(), emulator.new("job")
        emulator.fault("F9", "create_job", variant="skipped")
        emulator.fault("F5", "create_job")
        with pytest.raises(GONE):
            emulator.post_job(name, dataset, outputDatasetId=f"out-{name}")
        assert emulator.states(name) == ["COMPLETED"]
        assert emulator.fired() == [1, 1]

    @pytest.mark.parametrize(
        ("rule", "said"),
        [
            ({"fault": "F99", "operation": "get_job"}, "fault is 'F99'; allowed: F1, F10"),
            (
                {"fault": "F1", "operation": "teleport", "api": "fireworks"},
                "operation is 'teleport'; allowed: create_dataset",
            ),
            ({"fault": "F1", "operation": "get_job", "variant": "x"}, "variant is 'x'; allowed: absent, date"),
            (
                {"fault": "F13", "operation": "get_job", "api": "fireworks"},
                "short_length of F13 fits download, not get_job",
            ),
            ({"fault": "F1", "operation": "get_job", "nth": 0}, "nth is 0; allowed: whole numbers from 1"),
            ({"fault": "F1", "operation": "get_job", "count": True}, "count is True"),
            ({"fault": "F1", "operation": "get_job", "status": 1}, "unknown option 'status'; allowed: seconds"),
            ({"fault": "F1", "operation": "get_job", "seconds": "1"}, "option seconds is '1'"),
            ({"fault": "F1", "operation": "get_job", "api": "telnet"}, "api is 'telnet'; allowed: "),
            ({"fault": "F1", "operation": "get_job", "api": 5}, "api is 5; allowed: "),
            ("F1", "expected an object"),
        ],
    )
    def test_an_invalid_rule_is_refused_with_the_allowed_values_and_sets_nothing(
        self, emulator: EmulatorClient, rule: Any, said: str
    ) -> None:
        good = {"fault": "F1", "operation": "get_job"}
        reply = emulator.plain.post(f"{emulator.url}/__emu/faults", json=[good, rule])
        assert reply.status_code == 400
        assert reply.json()["error"].startswith(f"rule 1: {said}")
        assert emulator.fired() == []

    def test_every_listed_fault_exists(self) -> None:
        assert [*FAULTS] == [f"F{number}" for number in range(1, 19)]

    def test_the_page_on_the_emulator_names_every_variant_option_and_operation(self) -> None:
        page = PAGE.read_text()
        rows = {line.split("|")[1].strip(): line for line in page.splitlines() if line.startswith("| F")}
        assert [*rows] == [*FAULTS]
        for name, kind in FAULTS.items():
            for word in (*kind.variants, *kind.options):
                assert f"`{word}`" in rows[name], (name, word)
        for api in APIS.values():
            listed = page.partition(f"\nOperations of `{api.name}`: ")[2].partition("\n\n")[0]
            assert set(re.findall(r"`(\w+)`", listed)) == {*api.operations}, api.name
