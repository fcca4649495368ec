"""Faults of the emulated Anthropic API, over HTTP: F1 to F18, as far as they have a meaning there."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from promptrial_emulator.anthropic.api import ANTHROPIC
from promptrial_emulator.faults.answers import ODD_ANSWERS, REASONING
from promptrial_emulator.faults.rules import FAULTS
from tests.support.anthropic_client import AnthropicClient, anthropic_client, refusal, request, text_of
from tests.support.emulator_client import EmulatorClient
from tests.support.emulator_fixtures import Start, emulator, shared, start

__all__ = ["emulator", "shared", "start"]

GONE = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
CUT = (httpx.RemoteProtocolError, httpx.ReadError)


@pytest.fixture
def api(emulator: EmulatorClient) -> Iterator[AnthropicClient]:
    with anthropic_client(emulator) as client:
        yield client


class TestRefused:
    @pytest.mark.parametrize("operation", ["create_batch", "message"])
    def test_f1_answers_429_too_many_requests(self, api: AnthropicClient, operation: str) -> None:
        api.fault("F1", operation, seconds=7)
        ask = api.post_batch if operation == "create_batch" else api.message
        reply = ask()
        assert refusal(reply) == (429, "rate_limit_error")
        assert reply.headers["retry-after"] == "7"
        assert ask().status_code == 200

    @pytest.mark.parametrize(
        ("status", "kind"),
        [(500, "api_error"), (502, "api_error"), (503, "api_error"), (504, "timeout_error"), (529, "overloaded_error")],
    )
    def test_f2_answers_server_errors(self, api: AnthropicClient, status: int, kind: str) -> None:
        before = api.made()
        for operation, ask in (("create_batch", api.post_batch), ("message", api.message)):
            api.fault("F2", operation, status=status)
            assert refusal(ask()) == (status, kind)
            api.fault("F2", operation, status=status, variant="html")
            assert ask().headers["content-type"].startswith("text/html")
        assert api.made() == before

    @pytest.mark.parametrize("fault", ["F3", "F4"])
    def test_f3_and_f4_reset_the_connection_before_anything_is_applied(
        self, start: Start, tmp_path: Path, fault: str
    ) -> None:
        with anthropic_client(start(tmp_path / "own")) as api:
            api.fault(fault, "create_batch")
            with pytest.raises(GONE):
                api.post_batch()
            assert api.made() == 0
            assert [*(tmp_path / "own/files").iterdir()] == []
            assert api.post_batch().status_code == 200

    def test_f4_keeps_silent_before_a_message_is_answered(self, api: AnthropicClient) -> None:
        before = len(api.emulator.ledger("message"))
        api.fault("F4", "message", variant="stall")
        api.http.timeout = httpx.Timeout(20, read=0.2)
        with pytest.raises(httpx.ReadTimeout):
            api.message()
        assert len(api.emulator.ledger("message")) == before

    def test_f17_refuses_the_key_and_loses_objects(self, api: AnthropicClient) -> None:
        batch = api.batch()
        api.fault("F17", "get_batch", variant="no_access")
        assert refusal(api.get(batch)) == (403, "permission_error")
        api.ended(batch)
        for operation, ask in (("get_batch", api.get), ("results", api.get_results)):
            api.fault("F17", operation, variant="hidden")
            assert refusal(ask(batch)) == (404, "not_found_error")
            assert ask(batch).status_code == 200
        api.fault("F17", "results", variant="vanished")
        assert refusal(api.get_results(batch)) == (404, "not_found_error")
        assert refusal(api.get(batch)) == (404, "not_found_error")
        assert batch not in [each["id"] for each in api.list(limit=1000)["data"]]

    def test_f18_answers_that_the_queue_is_full(self, api: AnthropicClient) -> None:
        before = api.made()
        api.fault("F18", "create_batch")
        reply = api.post_batch()
        assert refusal(reply) == (429, "rate_limit_error")
        assert "queue" in reply.json()["error"]["message"]
        assert api.made() == before


class TestApplied:
    def test_f5_creates_a_batch_and_resets_the_connection(self, api: AnthropicClient) -> None:
        before = api.made()
        api.fault("F5", "create_batch")
        with pytest.raises(GONE):
            api.post_batch(3)
        assert api.made() == before + 1
        newest = api.list(limit=1)["data"][0]
        assert newest["request_counts"]["processing"] == 3
        assert len(api.results(newest["id"])) == 3

    def test_f5_creates_a_batch_and_answers_an_error_or_nothing(self, api: AnthropicClient) -> None:
        before = api.made()
        api.fault("F5", "create_batch", variant="error", status=529)
        assert refusal(api.post_batch()) == (529, "overloaded_error")
        api.fault("F5", "create_batch", variant="stall")
        api.http.timeout = httpx.Timeout(20, read=0.3)
        with pytest.raises(httpx.ReadTimeout):
            api.post_batch()
        assert api.made() == before + 2

    @pytest.mark.parametrize("variant", ["truncated", "short_length", "not_json", "empty"])
    def test_f6_applies_the_call_and_answers_200_with_an_unreadable_body(
        self, api: AnthropicClient, variant: str
    ) -> None:
        for operation, ask, made in (
            ("create_batch", api.post_batch, "create_batch"),
            ("message", api.message, "message"),
        ):
            before = len(api.emulator.ledger(made))
            api.fault("F6", operation, variant=variant)
            try:
                reply = ask()
            except CUT:
                assert variant == "short_length"
            else:
                assert reply.status_code == 200
                with pytest.raises(json.JSONDecodeError):
                    reply.json()
            assert len(api.emulator.ledger(made)) == before + 1

    def test_f7_hides_a_new_batch_for_some_time(self, start: Start) -> None:
        own = start(clock="manual")
        with anthropic_client(own) as api:
            api.fault("F7", "create_batch", delay_s=20)
            batch = api.batch()
            own.advance(19)
            assert refusal(api.get(batch)) == (404, "not_found_error")
            assert api.list()["data"] == []
            own.advance(1)
            assert api.get(batch).status_code == 200
            assert len(api.list()["data"]) == 1

    def test_f7_hides_the_results_for_some_time_after_the_end(self, start: Start) -> None:
        own = start(clock="manual")
        with anthropic_client(own) as api:
            api.fault("F7", "create_batch", variant="results", delay_s=20)
            batch = api.batch()
            own.advance(30)
            assert api.get(batch).json()["processing_status"] == "ended"
            own.advance(19)
            assert refusal(api.get_results(batch)) == (404, "not_found_error")
            own.advance(1)
            assert len(api.results(batch)) == 2

    @pytest.mark.parametrize("variant", ["stall", "reset", "error"])
    def test_f8_creates_a_batch_after_the_client_gave_up(self, start: Start, tmp_path: Path, variant: str) -> None:
        own = start(tmp_path / "own", clock="manual")
        with anthropic_client(own) as api:
            api.fault("F8", "create_batch", variant=variant, delay_s=60)
            api.http.timeout = httpx.Timeout(20, read=0.3)
            try:
                assert refusal(api.post_batch(3)) == (504, "timeout_error")
            except (httpx.ReadTimeout, *GONE):
                assert variant != "error"
            own.advance(59)
            assert (api.made(), api.list()["data"]) == (0, [])
            own.advance(1)
            (batch,) = api.list()["data"]
            assert batch["created_at"] == "2026-01-01T00:01:00.000000Z"
            own.advance(30)
            assert len(api.results(batch["id"])) == 3
            assert api.made() == 1
            stored = (tmp_path / "own/emulator.sqlite").read_bytes() + (
                tmp_path / "own/emulator.sqlite-wal"
            ).read_bytes()
            assert b"emulator-key" not in stored

    def test_f8_leaves_no_file_of_a_late_batch_that_is_refused(self, start: Start, tmp_path: Path) -> None:
        own = start(tmp_path / "own", clock="manual")
        with anthropic_client(own) as api:
            api.fault("F8", "create_batch", variant="error", delay_s=60)
            assert api.post_batch([request("|")]).status_code == 504
            assert len([*(tmp_path / "own/files").iterdir()]) == 1
            own.advance(60)
            assert (api.made(), [*(tmp_path / "own/files").iterdir()]) == (0, [])


class TestStatuses:
    @pytest.mark.parametrize(
        ("rule", "seen"),
        [
            ({"variant": "skipped"}, ["ended"]),
            ({"variant": "slow", "factor": 2.0}, ["in_progress"] * 3 + ["ended"]),
            ({"variant": "unknown"}, ["rebalancing", "ended"]),
            ({"variant": "unknown", "state": "paused"}, ["paused", "ended"]),
            ({"variant": "repeated"}, ["canceling", "in_progress", "ended"]),
        ],
    )
    def test_f9_shows_unusual_sequences_of_statuses(self, start: Start, rule: dict[str, Any], seen: list[str]) -> None:
        with anthropic_client(start(stage_s=22.5 if rule["variant"] == "repeated" else 15.0)) as api:
            api.fault("F9", "create_batch", **rule)
            batch = api.batch()
            assert [*api.statuses(batch)] == seen
            assert {each["type"] for each in api.results(batch).values()} == {"succeeded"}

    @pytest.mark.parametrize(("state", "shown"), [("", "in_progress"), ("paused", "paused")])
    def test_f9_keeps_a_batch_stuck_until_its_24_hours_are_over(self, start: Start, state: str, shown: str) -> None:
        own = start(clock="manual")
        with anthropic_client(own) as api:
            api.fault("F9", "create_batch", variant="stuck", state=state)
            batch = api.batch(4)
            own.advance(86_399)
            assert api.get(batch).json()["processing_status"] == shown
            own.advance(1)
            kinds = sorted(each["type"] for each in api.results(batch).values())
            assert kinds == ["expired", "expired", "succeeded", "succeeded"]

    @pytest.mark.parametrize(
        ("variant", "kind"), [("expired", "expired"), ("cancelled", "canceled"), ("failed", "errored")]
    )
    @pytest.mark.parametrize(("share", "good"), [(0.0, 0), (0.6, 6), (1.0, 10)])
    def test_f10_answers_a_share_of_the_requests_and_ends_the_rest_without_an_answer(
        self, api: AnthropicClient, variant: str, kind: str, share: float, good: int
    ) -> None:
        api.fault("F10", "create_batch", variant=variant, share=share, message="the node was lost")
        batch = api.batch(10)
        found = api.results(batch)
        kinds = [each["type"] for each in found.values()]
        assert (kinds.count("succeeded"), kinds.count(kind)) == (good, 10 - good)
        counts = api.get(batch).json()["request_counts"]
        assert (counts["succeeded"], counts[kind]) == (good, 10 - good)
        if kind == "errored":
            texts = {each["error"]["error"]["message"] for each in found.values() if each["type"] == kind}
            assert texts <= {"the node was lost"}

    @pytest.mark.parametrize("offset", [1, -2])
    def test_f15_shows_counts_that_do_not_match_the_results(self, api: AnthropicClient, offset: int) -> None:
        api.fault("F15", "create_batch", offset=offset)
        batch = api.batch(4)
        assert len(api.results(batch)) == 4
        assert api.get(batch).json()["request_counts"]["succeeded"] == 4 + offset


class TestRows:
    def lines(self, api: AnthropicClient, variant: str, **options: Any) -> list[Any]:
        """Run a batch of four rows under a fault; return its rows in the order of their ids."""
        api.fault("F11", "create_batch", variant=variant, **options)
        batch = api.batch(4)
        api.ended(batch)
        rows = [json.loads(line) for line in api.get_results(batch).text.splitlines()]
        return sorted(rows, key=lambda row: row.get("custom_id", "r"))

    @pytest.mark.parametrize(
        ("code", "kind"),
        [(400, "invalid_request_error"), (401, "authentication_error"), (402, "billing_error"),
         (403, "permission_error"), (404, "not_found_error"), (413, "request_too_large"), (429, "rate_limit_error"),
         (500, "api_error"), (504, "timeout_error"), (529, "overloaded_error")],
    )  # fmt: skip
    def test_f11_makes_errored_rows_of_each_type(self, api: AnthropicClient, code: int, kind: str) -> None:
        rows = self.lines(api, "errored", code=code)
        assert [row["result"]["type"] for row in rows] == ["succeeded", "errored"] * 2
        assert rows[1]["result"]["error"] == {
            "type": "error", "error": {"type": kind, "message": "the request failed"}, "request_id": None,
        }  # fmt: skip

    def test_f11_makes_errors_of_other_shapes(self, api: AnthropicClient) -> None:
        assert self.lines(api, "errored_text")[1]["result"]["error"] == "the request failed"
        assert self.lines(api, "errored_flat")[1]["result"]["error"]["type"] == "api_error"
        assert [sorted(row) for row in self.lines(api, "errored_no_id", share=1.0)] == [["result"]] * 4
        assert self.lines(api, "unknown_result")[1]["result"] == {"type": "deferred"}

    @pytest.mark.parametrize(("variant", "kind"), [("canceled_row", "canceled"), ("expired_row", "expired")])
    def test_f11_makes_canceled_and_expired_rows_in_a_batch_that_ended_well(
        self, api: AnthropicClient, variant: str, kind: str
    ) -> None:
        rows = self.lines(api, variant)
        assert [row["result"]["type"] for row in rows] == ["succeeded", kind] * 2
        newest = api.list(limit=1)["data"][0]
        assert newest["request_counts"][kind] == 2

    @pytest.mark.parametrize(
        ("variant", "kinds", "reason"),
        [
            ("refusal", [], "refusal"),
            ("content_filter", [], "refusal"),
            ("empty", [], "end_turn"),
            ("null_content", [], "end_turn"),
            ("length", ["text"], "max_tokens"),
            ("tool_calls", ["tool_use"], "tool_use"),
            ("reasoning_field", ["thinking", "text"], "end_turn"),
            ("reasoning_alone", ["thinking"], "max_tokens"),
            ("stop_sequence", ["text"], "stop_sequence"),
            ("context_window", ["text"], "model_context_window_exceeded"),
            ("two_blocks", ["text", "text"], "end_turn"),
        ],
    )
    def test_f11_makes_malformed_messages(
        self, api: AnthropicClient, variant: str, kinds: list[str], reason: str
    ) -> None:
        rows = self.lines(api, variant)
        message = rows[1]["result"]["message"]
        assert ([block["type"] for block in message["content"]], message["stop_reason"]) == (kinds, reason)
        assert text_of(rows[0]["result"])
        if variant in ODD_ANSWERS:
            api.fault("F11", "message", variant=variant)
            live = api.message().json()
            assert ([block["type"] for block in live["content"]], live["stop_reason"]) == (kinds, reason)

    def test_f11_splits_the_text_into_two_blocks(self, api: AnthropicClient) -> None:
        rows = self.lines(api, "two_blocks", share=1.0)
        assert text_of(rows[0]["result"]).startswith("What is number 0? [")

    def test_f11_makes_content_null_and_usage_invalid(self, api: AnthropicClient) -> None:
        assert self.lines(api, "no_content")[1]["result"]["message"]["content"] is None
        usage = self.lines(api, "odd_usage")[1]["result"]["message"]["usage"]
        assert (usage["input_tokens"], usage["output_tokens"]) == (-1, 2**63)
        assert usage["cache_read_input_tokens"] == "11"

    def test_f11_names_another_model_and_omits_part_or_all_of_the_usage(self, api: AnthropicClient) -> None:
        assert self.lines(api, "other_model")[1]["result"]["message"]["model"] == "another-model"
        whole, short = (row["result"]["message"]["usage"]["input_tokens"] for row in self.lines(api, "short_usage")[:2])
        assert short < whole
        assert "usage" not in self.lines(api, "no_usage")[1]["result"]["message"]

    def test_f11_sets_the_stop_reason_that_the_test_chooses(self, api: AnthropicClient) -> None:
        rows = self.lines(api, "null_content", share=1.0, finish_reason="unheard_of")
        assert {row["result"]["message"]["stop_reason"] for row in rows} == {"unheard_of"}

    @pytest.mark.parametrize("variant", ["think_tags", "think_end_tag", "think_unclosed"])
    def test_f11_puts_reasoning_between_tags_into_the_text(self, api: AnthropicClient, variant: str) -> None:
        assert REASONING in text_of(self.lines(api, variant, share=1.0)[0]["result"])


class TestFiles:
    def content(self, api: AnthropicClient, variant: str, rows: int = 6) -> bytes:
        api.fault("F12", "create_batch", variant=variant)
        batch = api.batch(rows)
        api.ended(batch)
        return api.get_results(batch).content

    def ids(self, content: bytes) -> list[str]:
        return sorted(str(json.loads(line).get("custom_id")) for line in content.splitlines() if line.strip())

    def test_f12_reorders_repeats_drops_and_invents_rows(self, api: AnthropicClient) -> None:
        whole = [f"r{n}" for n in range(6)]
        assert self.ids(self.content(api, "shuffled")) == whole
        assert len(self.ids(self.content(api, "missing_rows"))) == 3
        assert len(set(self.ids(self.content(api, "skipped_row")))) == 5
        assert self.content(api, "no_rows") == b""
        assert self.ids(self.content(api, "unknown_id")) == ["never-asked", *whole]
        same = self.content(api, "duplicate_same").splitlines()
        assert (len(same), same[0]) == (7, same[-1])
        first, *_, last = (json.loads(line) for line in self.content(api, "duplicate_different").splitlines())
        assert first["custom_id"] == last["custom_id"]
        assert text_of(first["result"]) + " (said again)" == text_of(last["result"])

    def test_f12_gives_rows_of_unknown_requests_the_usual_shape(self, api: AnthropicClient) -> None:
        api.fault("F12", "create_batch", variant="foreign_rows", rows=20)
        batch = api.batch(3)
        found = api.results(batch)
        assert len(found) == 23
        assert {each["type"] for each in found.values()} == {"succeeded"}
        assert {name for name in found if name.startswith("never-asked-")} == {f"never-asked-{n}" for n in range(20)}

    def test_f12_writes_every_kind_of_line_ending_and_byte(self, api: AnthropicClient) -> None:
        plain = self.content(api, "duplicate_same").splitlines()[:-1]
        assert self.content(api, "crlf") == b"".join(line + b"\r\n" for line in plain)
        assert self.content(api, "bom") == b"\xef\xbb\xbf" + b"".join(line + b"\n" for line in plain)
        assert self.content(api, "no_final_newline") == b"\n".join(plain)
        assert [line for line in self.content(api, "blank_lines").split(b"\n") if line.strip()] == plain
        assert not self.content(api, "torn_last_line").endswith(b"\n")
        with pytest.raises(UnicodeDecodeError):
            self.content(api, "invalid_utf8").splitlines()[0].decode()

    @pytest.mark.parametrize("variant", [*FAULTS["F12"].variants])
    def test_f12_fits_a_batch_of_one_row(self, api: AnthropicClient, variant: str) -> None:
        self.content(api, variant, rows=1)

    @pytest.mark.parametrize("variant", ["short_length", "unfinished_chunk"])
    def test_f13_truncates_a_download_in_a_way_that_clients_notice(self, api: AnthropicClient, variant: str) -> None:
        batch = api.batch()
        api.ended(batch)
        api.fault("F13", "results", variant=variant)
        with pytest.raises(CUT):
            api.get_results(batch)
        assert api.get_results(batch).status_code == 200

    @pytest.mark.parametrize("variant", ["close_delimited", "row_boundary", "empty"])
    def test_f13_truncates_a_download_so_that_it_looks_complete(self, api: AnthropicClient, variant: str) -> None:
        batch = api.batch(4)
        api.ended(batch)
        whole = api.get_results(batch).content
        api.fault("F13", "results", variant=variant)
        reply = api.get_results(batch)
        assert reply.status_code == 200
        assert whole.startswith(reply.content)
        assert len(reply.content) < len(whole)

    def test_f13_truncates_a_gzip_download_or_redirects_it(self, api: AnthropicClient) -> None:
        batch = api.batch(4)
        api.ended(batch)
        whole = api.get_results(batch).content
        api.fault("F13", "results", variant="gzip_cut")
        with api.http.stream("GET", f"messages/batches/{batch}/results") as reply:
            raw = b"".join(reply.iter_raw())
        assert raw == gzip.compress(whole, mtime=0)[: len(raw)]
        api.fault("F13", "results", variant="redirect")
        moved = api.get_results(batch)
        assert (moved.status_code, httpx.URL(moved.headers["location"]).host) == (302, "localhost")


class TestLists:
    @pytest.fixture
    def newest_first(self, api: AnthropicClient) -> list[str]:
        return [api.batch(1) for _ in range(5)][::-1]

    def page(self, api: AnthropicClient, **query: Any) -> list[str]:
        return [each["id"] for each in api.list(**query)["data"]]

    def test_f16_omits_the_newest_batch_from_a_page(self, api: AnthropicClient, newest_first: list[str]) -> None:
        api.fault("F16", "list_batches", variant="stale", by=2)
        assert self.page(api, limit=3) == newest_first[2:5]

    def test_f16_repeats_or_skips_a_batch_between_pages(self, api: AnthropicClient, newest_first: list[str]) -> None:
        api.fault("F16", "list_batches", variant="shift")
        assert self.page(api, limit=2, after_id=newest_first[1]) == newest_first[1:3]
        api.fault("F16", "list_batches", variant="skip")
        assert self.page(api, limit=2, after_id=newest_first[1]) == newest_first[3:5]

    def test_f16_returns_a_last_id_that_leads_back(self, api: AnthropicClient, newest_first: list[str]) -> None:
        api.fault("F16", "list_batches", variant="repeated_token")
        page = api.list(limit=2, after_id=newest_first[1])
        assert (page["has_more"], page["last_id"]) == (True, newest_first[1])


def test_only_faults_that_make_sense_for_this_api_apply_to_it() -> None:
    fitting = {
        (name, variant)
        for name, kind in FAULTS.items()
        for variant, trait in kind.variants.items()
        if any(ANTHROPIC.meets(operation, trait) for operation in ANTHROPIC.operations)
    }
    assert {name for name, _ in fitting} == {*FAULTS} - {"F14"}
    assert ("F10", "early_stopped") not in fitting
    assert ("F11", "code_message") not in fitting
    assert ("F18", "quota") not in fitting
