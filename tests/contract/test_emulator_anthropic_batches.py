"""The message batch calls of the emulated Anthropic API, over HTTP: who may call, what is accepted and done."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from promptrial_emulator.server import EmulatorServer
from promptrial_emulator.settings import AnthropicSettings
from tests.support.anthropic_client import (
    NEWER,
    OLDER,
    AnthropicClient,
    anthropic_client,
    refusal,
    request,
    text_of,
)
from tests.support.emulator_client import EmulatorClient
from tests.support.emulator_fixtures import Start, emulator, shared, start

__all__ = ["emulator", "shared", "start"]


@pytest.fixture
def api(emulator: EmulatorClient) -> Iterator[AnthropicClient]:
    with anthropic_client(emulator) as client:
        yield client


class TestAdmission:
    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"x-api-key": "emulator-key"}, 200),
            ({"authorization": "Bearer emulator-key"}, 200),
            ({"x-api-key": "emulator-key", "authorization": "Bearer wrong"}, 200),
            ({"x-api-key": "wrong", "authorization": "Bearer emulator-key"}, 401),
            ({"authorization": "Bearer wrong"}, 401),
            ({}, 401),
        ],
    )
    def test_either_key_header_is_accepted_and_x_api_key_wins_over_the_other(
        self, api: AnthropicClient, headers: dict[str, str], status: int
    ) -> None:
        url = f"{api.emulator.url}/v1/messages/batches"
        reply = api.emulator.plain.get(url, headers={"anthropic-version": OLDER, **headers})
        assert reply.status_code == status
        assert status == 200 or refusal(reply) == (401, "authentication_error")

    @pytest.mark.parametrize("version", [None, "2020-01-01"])
    def test_a_version_is_required_and_must_be_known(self, api: AnthropicClient, version: str | None) -> None:
        headers = {"x-api-key": "emulator-key", **({"anthropic-version": version} if version else {})}
        for path in ("messages/batches", "messages/batches/msgbatch_1"):
            reply = api.emulator.plain.get(f"{api.emulator.url}/v1/{path}", headers=headers)
            assert refusal(reply) == (400, "invalid_request_error")
            assert "anthropic-version" in reply.json()["error"]["message"]

    def test_every_answer_has_its_own_request_id(self, api: AnthropicClient) -> None:
        batch = api.batch()
        api.ended(batch)
        replies = [api.get(batch), api.get("none"), api.http.get("messages/batches"), api.get_results(batch)]
        ids = {reply.headers["request-id"] for reply in replies}
        assert len(ids) == len(replies)
        assert all(re.fullmatch("req_[0-9a-f]+", each) for each in ids)

    def test_other_methods_and_paths_are_refused_in_the_same_envelope(self, api: AnthropicClient) -> None:
        assert api.http.put("messages/batches").status_code == 405
        assert refusal(api.http.get("messages/other/path")) == (404, "not_found_error")

    def test_recorded_requests_contain_no_key(self, api: AnthropicClient) -> None:
        api.batch()
        seen = api.emulator.plain.get(f"{api.emulator.url}/__emu/requests").text
        assert "emulator-key" not in seen


class TestCreating:
    def test_a_batch_begins_in_progress_with_everything_to_do(self, api: AnthropicClient) -> None:
        shown = api.post_batch(3).json()
        assert re.fullmatch("msgbatch_[0-9a-f]{24}", shown["id"])
        assert (shown["type"], shown["processing_status"]) == ("message_batch", "in_progress")
        assert shown["request_counts"] == {
            "processing": 3, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0,
        }  # fmt: skip
        assert [shown[key] for key in ("ended_at", "cancel_initiated_at", "archived_at", "results_url")] == [None] * 4
        assert shown["created_at"][:10] == "2026-01-01"
        assert shown["expires_at"][:10] == "2026-01-02"

    def test_the_ledger_says_what_was_accepted(self, api: AnthropicClient) -> None:
        batch = api.batch(3)
        (entry,) = api.emulator.ledger("create_batch", batch)
        assert (entry["facts"]["rows"], entry["facts"]["first_id"], entry["facts"]["version"]) == (3, "r0", OLDER)
        assert re.fullmatch("[0-9a-f]{64}", entry["facts"]["sha256"])

    @pytest.mark.parametrize(
        ("name", "fits"), [("a" * 64, True), ("A-z_9", True), ("a" * 65, False), ("", False), ("a|b", False)]
    )
    def test_an_id_has_64_letters_digits_hyphens_and_underscores(
        self, api: AnthropicClient, name: str, fits: bool
    ) -> None:
        reply = api.post_batch([request("good"), request(name)])
        if fits:
            assert reply.status_code == 200
        else:
            assert refusal(reply) == (400, "invalid_request_error")
            assert reply.json()["error"]["message"].startswith("requests.1.custom_id: String should match pattern")

    def test_an_id_may_occur_only_once_in_a_batch(self, api: AnthropicClient) -> None:
        before = api.made()
        reply = api.post_batch([request("a"), request("b"), request("a")])
        assert refusal(reply) == (400, "invalid_request_error")
        assert reply.json()["error"]["message"].startswith("requests.2.custom_id: Duplicate custom_id 'a'")
        assert api.made() == before

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (b"{", "not valid JSON"),
            (b"", "not valid JSON"),
            (b'{"requests":[{"custom_id":"a","params":{"x":' + b"[" * 100_000, "not valid JSON"),
            (
                b'{"requests":[{"custom_id":"a","params":{"x":"\xff"}}]}',
                "requests.0.params: Input should be a valid object",
            ),
            (b"[]", "body: Expected"),
            (b"{}", "requests: Field required"),
            (b'{"requests":[]}', "requests: List should have at least 1 item"),
            (b'{"requests":{}}', "requests: Expected"),
            (b'{"requests":[{"params":{}}]}', "requests.0.custom_id: Field required"),
            (b'{"requests":[{"custom_id":"a"}]}', "requests.0.params: Field required"),
            (b'{"requests":[{"custom_id":7,"params":{}}]}', "requests.0.custom_id: Expected"),
            (b'{"requests":[{"custom_id":"a","params":[]}]}', "requests.0.params: Input should be a valid object"),
            (b'{"requests":[{"custom_id":"a","params":{},"url":1}]}', "requests.0.url: Extra inputs"),
            (b'{"requests":[{"custom_id":"a","params":{}}],"metadata":{}}', "metadata: Extra inputs"),
        ],
    )
    def test_a_malformed_list_of_requests_is_refused_with_the_place_of_the_error(
        self, api: AnthropicClient, body: bytes, said: str
    ) -> None:
        before = api.made()
        reply = api.http.post("messages/batches", content=body, headers={"content-type": "application/json"})
        assert refusal(reply) == (400, "invalid_request_error")
        assert said in reply.json()["error"]["message"]
        assert api.made() == before

    def test_more_requests_or_bytes_than_a_batch_may_have_are_413(self, start: Start, tmp_path: Path) -> None:
        own = start(tmp_path / "own", anthropic=AnthropicSettings(rows_cap=2, body_cap=2000))
        with anthropic_client(own) as api:
            assert refusal(api.post_batch(3)) == (413, "request_too_large")
            assert refusal(api.post_batch([request("a", "x" * 2000)])) == (413, "request_too_large")
            assert api.made() == 0
            assert [*(tmp_path / "own/files").iterdir()] == []
            assert api.post_batch(2).status_code == 200

    def test_a_body_that_is_too_large_is_read_to_its_end_before_it_is_refused(self, start: Start) -> None:
        own = start(anthropic=AnthropicSettings(body_cap=1000))
        parts = urlsplit(own.url)
        head = (
            f"POST /v1/messages/batches HTTP/1.1\r\nHost: 127.0.0.1\r\nx-api-key: emulator-key\r\n"
            f"anthropic-version: {OLDER}\r\nContent-Length: 5000000\r\n\r\n"
        ).encode()
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20) as connection:
            connection.sendall(head + b" " * 5_000_000)
            assert connection.recv(100).startswith(b"HTTP/1.1 413")

    def test_requests_on_several_lines_are_read(self, api: AnthropicClient) -> None:
        body = json.dumps({"requests": [request("a", "one\ntwo"), request("b")]}, indent=2).replace("\n", "\r\n")
        made = api.http.post("messages/batches", content=body)
        found = api.results(made.json()["id"])
        assert text_of(found["a"]).startswith("one two [")
        assert text_of(found["b"]).startswith("What is it? [")

    def test_no_more_requests_wait_than_the_queue_holds(self, start: Start) -> None:
        own = start(clock="manual", anthropic=AnthropicSettings(queued_rows=3))
        with anthropic_client(own) as api:
            first = api.batch(2)
            late = api.post_batch(2)
            assert refusal(late) == (429, "rate_limit_error")
            assert int(late.headers["retry-after"]) > 0
            own.advance(60)
            api.ended(first)
            assert api.post_batch(2).status_code == 200
            assert api.made() == 2


class TestSamplers:
    def both(self, start: Start, samplers: Any) -> tuple[AnthropicClient, AnthropicClient]:
        own = start(anthropic=AnthropicSettings(samplers=samplers))
        return AnthropicClient(own, OLDER), AnthropicClient(own, NEWER)

    @pytest.mark.parametrize("field", [{"temperature": 1.0}, {"top_p": 0.9}, {"top_k": 40}])
    def test_samplers_make_their_rows_errors_under_the_version_without_samplers(
        self, start: Start, field: dict[str, Any]
    ) -> None:
        older, newer = self.both(start, "rows")
        rows = [request("with", **field), request("without")]
        found = newer.results(newer.batch(rows))
        assert found["without"]["type"] == "succeeded"
        error = found["with"]["error"]
        assert (found["with"]["type"], error["type"]) == ("errored", "error")
        assert error["error"]["type"] == "invalid_request_error"
        assert next(iter(field)) in error["error"]["message"]
        assert {each["type"] for each in older.results(older.batch(rows)).values()} == {"succeeded"}
        older.close()
        newer.close()

    def test_samplers_can_make_the_whole_batch_refused(self, start: Start) -> None:
        older, newer = self.both(start, "batch")
        rows = [request("without"), request("with", top_p=1)]
        reply = newer.post_batch(rows)
        assert refusal(reply) == (400, "invalid_request_error")
        assert reply.json()["error"]["message"].startswith("requests.1.params.top_p")
        assert newer.made() == 0
        assert len(older.results(older.batch(rows))) == 2
        older.close()
        newer.close()


class TestStatuses:
    def test_counts_do_not_change_until_the_end_and_polls_say_when_to_ask_again(self, start: Start) -> None:
        own = start(clock="manual")
        with anthropic_client(own) as api:
            batch = api.batch(3)
            own.advance(29)
            before = api.get(batch)
            assert (before.status_code, before.headers["retry-after"]) == (200, "10")
            assert before.json()["request_counts"]["processing"] == 3
            assert before.json()["results_url"] is None
            assert refusal(api.get_results(batch)) == (404, "not_found_error")
            own.advance(1)
            after = api.get(batch)
            shown = after.json()
            assert "retry-after" not in after.headers
            assert shown["processing_status"] == "ended"
            assert shown["ended_at"] == "2026-01-01T00:00:30.000000Z"
            assert shown["request_counts"] == {
                "processing": 0, "succeeded": 3, "errored": 0, "canceled": 0, "expired": 0,
            }  # fmt: skip
            assert shown["results_url"] == f"{own.url}/v1/messages/batches/{batch}/results"

    def test_a_missing_batch_or_result_is_404(self, api: AnthropicClient) -> None:
        for reply in (api.get("none"), api.cancel("none"), api.delete("none"), api.get_results("none")):
            assert refusal(reply) == (404, "not_found_error")

    def test_cancelling_keeps_what_was_answered_and_may_be_repeated(self, start: Start) -> None:
        own = start(clock="manual")
        with anthropic_client(own) as api:
            batch = api.batch(4)
            own.advance(15)
            shown = api.cancel(batch).json()
            assert (shown["processing_status"], shown["request_counts"]["processing"]) == ("canceling", 4)
            assert shown["cancel_initiated_at"] == "2026-01-01T00:00:15.000000Z"
            own.advance(5)
            assert api.cancel(batch).json() == shown
            assert len(own.ledger("cancel_batch", batch)) == 1
            own.advance(10)
            found = api.results(batch)
            assert sorted(each["type"] for each in found.values()) == ["canceled"] * 2 + ["succeeded"] * 2
            counts = api.get(batch).json()["request_counts"]
            assert (counts["canceled"], counts["succeeded"], counts["processing"]) == (2, 2, 0)
            assert api.cancel(batch).status_code == 200

    def test_a_batch_that_has_ended_is_not_cancelled(self, api: AnthropicClient) -> None:
        batch = api.batch()
        api.ended(batch)
        assert refusal(api.cancel(batch)) == (400, "invalid_request_error")
        assert api.emulator.ledger("cancel_batch", batch) == []

    def test_only_a_batch_that_has_ended_is_deleted(self, start: Start) -> None:
        own = start(clock="manual")
        with anthropic_client(own) as api:
            batch = api.batch()
            assert refusal(api.delete(batch)) == (400, "invalid_request_error")
            own.advance(60)
            assert api.delete(batch).json() == {"id": batch, "type": "message_batch_deleted"}
            assert refusal(api.get(batch)) == refusal(api.get_results(batch)) == (404, "not_found_error")
            assert len(own.ledger("delete_batch", batch)) == 1

    def test_results_are_gone_29_days_after_the_creation(self, start: Start) -> None:
        own = start(clock="manual")
        with anthropic_client(own) as api:
            batch = api.batch()
            own.advance(29 * 86_400 - 1)
            assert api.get(batch).json()["archived_at"] is None
            assert api.get_results(batch).status_code == 200
            own.advance(1)
            assert api.get(batch).json()["archived_at"] == "2026-01-30T00:00:00.000000Z"
            assert refusal(api.get_results(batch)) == (404, "not_found_error")

    def test_a_restarted_emulator_continues_its_batches(self, start: Start, tmp_path: Path) -> None:
        with EmulatorServer(tmp_path / "kept") as server, anthropic_client(EmulatorClient(server.url)) as api:
            batch = api.batch(3)
        with anthropic_client(start(tmp_path / "kept")) as api:
            assert len(api.results(batch)) == 3

    def test_the_state_shows_the_batches_and_can_be_deleted(self, start: Start) -> None:
        own = start()
        with anthropic_client(own) as api:
            batch = api.batch()
            url = f"{own.url}/__emu/state"
            assert [each["id"] for each in own.plain.get(url).json()["message_batches"]] == [batch]
            assert own.plain.delete(url).json()["message_batches"] == []
            assert refusal(api.get(batch)) == (404, "not_found_error")


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AnthropicClient, list[str]]]:
    """A client of an emulator with five batches, and their ids, the newest first."""
    folder = tmp_path_factory.mktemp("five")
    with EmulatorServer(folder) as server, anthropic_client(EmulatorClient(server.url)) as api:
        yield api, [api.batch(1) for _ in range(5)][::-1]


class TestLists:
    def test_the_newest_comes_first(self, five: tuple[AnthropicClient, list[str]]) -> None:
        api, newest_first = five
        page = api.list()
        assert [each["id"] for each in page["data"]] == newest_first
        assert (page["has_more"], page["first_id"], page["last_id"]) == (False, newest_first[0], newest_first[-1])

    def test_after_id_returns_the_page_after_it(self, five: tuple[AnthropicClient, list[str]]) -> None:
        api, newest_first = five
        pages = [api.list(limit=2)]
        while pages[-1]["has_more"]:
            pages.append(api.list(limit=2, after_id=pages[-1]["last_id"]))
        assert [len(page["data"]) for page in pages] == [2, 2, 1]
        assert [each["id"] for page in pages for each in page["data"]] == newest_first
        assert api.list(after_id=newest_first[-1]) == {
            "data": [], "has_more": False, "first_id": None, "last_id": None,
        }  # fmt: skip

    def test_before_id_returns_the_page_before_it(self, five: tuple[AnthropicClient, list[str]]) -> None:
        api, newest_first = five
        page = api.list(limit=2, before_id=newest_first[4])
        assert ([each["id"] for each in page["data"]], page["has_more"]) == (newest_first[2:4], True)
        page = api.list(limit=2, before_id=newest_first[2])
        assert ([each["id"] for each in page["data"]], page["has_more"]) == (newest_first[:2], False)

    @pytest.mark.parametrize(
        "query",
        [{"limit": 0}, {"limit": 1001}, {"limit": "x"}, {"after_id": "none"}, {"after_id": "a", "before_id": "b"}],
    )
    def test_an_invalid_query_is_refused(self, five: tuple[AnthropicClient, list[str]], query: dict[str, Any]) -> None:
        reply = five[0].http.get("messages/batches", params=query)
        assert refusal(reply) == (400, "invalid_request_error")
