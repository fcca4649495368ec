"""Faults of the emulator's OpenAI API, F1 to F18: each injected, and seen as a client sees it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from promptrial_emulator.faults.rules import FAULTS
from promptrial_emulator.openai.api import OPENAI
from tests.support.emulator_client import jsonl
from tests.support.openai_client import (
    CHAT,
    RESPONSES,
    OpenAiClient,
    batch_row,
    batch_rows,
    error_of,
    ok,
    text_of,
)
from tests.support.openai_fixtures import Start, openai, shared_openai, start_openai

__all__ = ["openai", "shared_openai", "start_openai"]

GONE = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
CREATES = ("upload", "create_batch")


def file_bytes(openai: OpenAiClient, rows: int = 4, **spec: Any) -> bytes:
    """Run a batch to its end and return its file of answers."""
    return openai.content(openai.ended(rows, **spec)["output_file_id"])


def variants(fault: str, operation: str = "create_batch") -> list[str]:
    """Return the variants of a fault that fit an operation."""
    return [name for name, trait in FAULTS[fault].variants.items() if OPENAI.meets(operation, trait)]


class TestTheWire:
    def test_f1_and_f2_send_errors_in_the_wording_of_the_api(self, openai: OpenAiClient) -> None:
        openai.fault("F1", "list_batches", seconds=7)
        openai.fault("F2", "list_files", status=503)
        limited, broken = openai.http.get("batches"), openai.http.get("files")
        assert (error_of(limited), limited.headers["retry-after"]) == ((429, "rate_limit_exceeded", None), "7")
        assert limited.json()["error"]["type"] == "rate_limit_error"
        assert (error_of(broken), broken.json()["error"]["type"]) == ((503, None, None), "server_error")

    @pytest.mark.parametrize("fault", ["F3", "F4"])
    @pytest.mark.parametrize("operation", CREATES)
    def test_f3_and_f4_create_nothing(self, openai: OpenAiClient, fault: str, operation: str) -> None:
        file = openai.file()
        before = openai.ledger()
        openai.fault(fault, operation)
        with pytest.raises(GONE):
            openai.post_file(b"{}\n") if operation == "upload" else openai.post_batch(file)
        assert openai.ledger() == before

    @pytest.mark.parametrize("operation", CREATES)
    def test_f5_creates_a_batch_and_then_resets_the_connection(self, openai: OpenAiClient, operation: str) -> None:
        file = openai.file()
        before = openai.ledger()
        openai.fault("F5", operation)
        with pytest.raises(GONE):
            openai.post_file(jsonl(batch_rows(1)), "again.jsonl") if operation == "upload" else openai.post_batch(file)
        (entry,) = openai.ledger()[len(before) :]
        assert entry["operation"] == operation
        listed = ok(openai.http.get("files" if operation == "upload" else "batches"))
        assert listed["data"][0]["id"] == entry["id"]

    def test_f5_can_answer_an_error_or_nothing(self, openai: OpenAiClient) -> None:
        file = openai.file()
        openai.fault("F5", "create_batch", variant="error")
        assert error_of(openai.post_batch(file))[0] == 500
        openai.fault("F5", "create_batch", variant="stall")
        with pytest.raises(httpx.ReadTimeout):
            openai.http.post("batches", json={"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"},
                             timeout=0.2)  # fmt: skip
        assert len([row for row in openai.ledger("create_batch") if row["facts"]["input_file_id"] == file]) == 2

    @pytest.mark.parametrize("variant", ["truncated", "not_json", "empty"])
    def test_f6_creates_a_batch_and_sends_an_unreadable_answer(self, openai: OpenAiClient, variant: str) -> None:
        file = openai.file()
        openai.fault("F6", "create_batch", variant=variant)
        reply = openai.post_batch(file)
        assert reply.status_code == 200
        with pytest.raises(ValueError, match=r".*"):
            reply.json()
        assert ok(openai.http.get("batches"))["data"][0]["input_file_id"] == file

    def test_f7_hides_created_objects_for_some_time(self, start_openai: Start) -> None:
        openai = start_openai({"clock": "manual"})
        openai.fault("F7", "upload", delay_s=60)
        file = openai.file()
        assert error_of(openai.http.get(f"files/{file}"))[0] == 404
        assert error_of(openai.post_batch(file)) == (404, None, "input_file_id")
        openai.advance(60)
        openai.fault("F7", "create_batch", delay_s=60)
        batch = ok(openai.post_batch(file))["id"]
        assert error_of(openai.http.get(f"batches/{batch}"))[0] == 404
        assert ok(openai.http.get("batches"))["data"] == []
        openai.advance(60)
        assert openai.get_batch(batch)["status"] == "completed"
        assert [each["id"] for each in ok(openai.http.get("batches"))["data"]] == [batch]

    def test_f8_creates_a_batch_after_the_client_gave_up(self, start_openai: Start) -> None:
        openai = start_openai({"clock": "manual"})
        file = openai.file()
        openai.fault("F8", "create_batch", variant="error", delay_s=60)
        assert error_of(openai.post_batch(file, metadata={"intent": "i"}))[0] == 504
        assert ok(openai.http.get("batches"))["data"] == []
        openai.advance(60)
        (batch,) = ok(openai.http.get("batches"))["data"]
        assert (batch["metadata"], batch["created_at"]) == ({"intent": "i"}, 1_767_225_660)

    def test_f8_creates_a_file_late_with_its_form_fields(self, start_openai: Start) -> None:
        openai = start_openai({"clock": "manual"})
        openai.fault("F8", "upload", variant="reset", delay_s=60)
        fields = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
        with pytest.raises(GONE):
            openai.post_file(jsonl(batch_rows(2)), "late.jsonl", **fields)
        assert ok(openai.http.get("files"))["data"] == []
        openai.advance(60)
        (file,) = ok(openai.http.get("files"))["data"]
        assert (file["filename"], file["expires_at"] - file["created_at"]) == ("late.jsonl", 3600)
        assert openai.content(file["id"]) == jsonl(batch_rows(2))

    def test_f8_creates_a_late_batch_in_the_wording_of_the_requested_host(self, start_openai: Start) -> None:
        openai = start_openai({"clock": "manual"})
        there = OpenAiClient(openai.url, prefix="/openai", headers={"api-key": "emulator-key"})
        openai.fault("F8", "create_batch", variant="error", delay_s=60)
        assert there.post_batch(there.file(), endpoint="/chat/completions").status_code == 504
        openai.advance(60)
        assert [each["endpoint"] for each in ok(there.http.get("batches"))["data"]] == ["/chat/completions"]
        there.close()

    def test_f8_creates_no_late_batch_if_its_file_was_deleted(self, start_openai: Start) -> None:
        openai = start_openai({"clock": "manual"})
        file = openai.file()
        openai.fault("F8", "create_batch", variant="error", delay_s=60)
        openai.post_batch(file)
        ok(openai.http.delete(f"files/{file}"))
        openai.advance(3600)
        assert (ok(openai.http.get("batches"))["data"], openai.ledger("create_batch")) == ([], [])


class TestBatches:
    @pytest.mark.parametrize(
        ("variant", "options", "expected"),
        [
            ("skipped", {}, ["completed"]),
            ("unknown", {}, ["in_progress", "rebalancing", "finalizing", "completed"]),
            ("unknown", {"state": "paused"}, ["in_progress", "paused", "finalizing", "completed"]),
            ("repeated", {}, ["in_progress", "validating", "in_progress", "finalizing", "completed"]),
            ("slow", {"factor": 2.0}, ["validating", *(["in_progress"] * 2), *(["finalizing"] * 2), "completed"]),
        ],
    )
    def test_f9_shows_unusual_sequences_of_states(
        self, openai: OpenAiClient, variant: str, options: dict[str, Any], expected: list[str]
    ) -> None:
        openai.fault("F9", "create_batch", variant=variant, **options)
        assert openai.states(openai.batch()) == expected

    @pytest.mark.parametrize("state", ["validating", "finalizing", "in_progress", "", "frozen"])
    def test_f9_keeps_a_batch_stuck_until_it_expires(self, openai: OpenAiClient, state: str) -> None:
        openai.fault("F9", "create_batch", variant="stuck", state=state)
        name = openai.batch(4)
        assert set(openai.states(name, most=8)[3:]) == {state or "in_progress"}
        openai.advance(25 * 3600)
        assert openai.get_batch(name)["status"] == "expired"

    def test_f10_fails_a_batch_without_files(self, openai: OpenAiClient) -> None:
        openai.fault("F10", "create_batch", variant="failed", message="no capacity")
        batch = openai.ended()
        (problem,) = batch["errors"]["data"]
        assert (batch["status"], problem["message"]) == ("failed", "no capacity")
        assert (batch["output_file_id"], batch["error_file_id"]) == (None, None)

    @pytest.mark.parametrize("variant", ["expired", "cancelled"])
    @pytest.mark.parametrize(("share", "done"), [(0.0, 0), (0.5, 2), (1.0, 4)])
    def test_f10_ends_a_batch_early_with_a_share_of_its_rows(
        self, openai: OpenAiClient, variant: str, share: float, done: int
    ) -> None:
        openai.fault("F10", "create_batch", variant=variant, share=share)
        batch = openai.ended(4)
        output, errors = openai.rows(batch["output_file_id"]), openai.rows(batch["error_file_id"])
        assert (batch["status"], len(output), len(errors)) == (variant, done, 4 - done)
        assert (batch["output_file_id"] is None, batch["error_file_id"] is None) == (done == 0, done == 4)
        assert batch["request_counts"] == {"total": 4, "completed": done, "failed": 0}

    @pytest.mark.parametrize("endpoint", [CHAT, RESPONSES])
    @pytest.mark.parametrize("variant", variants("F11"))
    def test_f11_changes_rows_but_keeps_one_for_each_request(
        self, openai: OpenAiClient, variant: str, endpoint: str
    ) -> None:
        openai.fault("F11", "create_batch", variant=variant, share=0.5, code=429)
        batch = openai.ended(batch_rows(4, url=endpoint), endpoint=endpoint)
        files = [openai.content(batch[name]) if batch[name] else b"" for name in ("output_file_id", "error_file_id")]
        output, errors = ([line for line in content.splitlines() if line] for content in files)
        assert len(output) + len(errors) == 4
        whole = [json.loads(line) for line in output]
        assert all(row["custom_id"] in {"r0", "r1", "r2", "r3"} for row in whole)

    def test_f11_makes_error_rows_of_three_shapes(self, openai: OpenAiClient) -> None:
        shapes = {}
        for variant in ("status_body", "batch_expired", "batch_cancelled", "status_zero"):
            openai.fault("F11", "create_batch", variant=variant, share=1.0, code=429)
            batch = openai.ended(1)
            assert (batch["status"], batch["output_file_id"]) == ("completed", None)
            shapes[variant] = openai.rows(batch["error_file_id"])["r0"]
        failed = shapes["status_body"]
        assert (failed["response"]["status_code"], failed["error"]) == (429, None)
        assert failed["response"]["body"]["error"]["code"] == "rate_limit_exceeded"
        assert shapes["status_zero"]["response"] == {"status_code": 0, "request_id": "", "body": {}}
        assert shapes["status_zero"]["error"] is None
        for variant in ("batch_expired", "batch_cancelled"):
            assert (shapes[variant]["response"], shapes[variant]["error"]["code"]) == (None, variant)

    def test_f11_can_put_an_error_among_the_answers(self, openai: OpenAiClient) -> None:
        openai.fault("F11", "create_batch", variant="no_body", share=0.5, code=400)
        batch = openai.ended(2)
        assert batch["error_file_id"] is None
        row = openai.rows(batch["output_file_id"])["r1"]
        assert (row["response"]["body"], row["response"]["status_code"], bool(row["error"])) == (None, 400, True)

    def test_f11_names_another_model_and_other_token_counts(self, openai: OpenAiClient) -> None:
        found = {}
        for variant in ("other_model", "short_usage", "no_usage", "odd_usage"):
            openai.fault("F11", "create_batch", variant=variant, share=1.0)
            rows = [batch_row("a", "one two three four five six seven eight")]
            found[variant] = openai.rows(openai.ended(rows)["output_file_id"])["a"]["response"]["body"]
        assert found["other_model"]["model"] == "another-model"
        assert found["short_usage"]["usage"]["prompt_tokens"] == 2
        assert "usage" not in found["no_usage"]
        assert found["odd_usage"]["usage"]["prompt_tokens"] == -1

    @pytest.mark.parametrize(
        ("variant", "kinds", "status"),
        [
            ("refusal", ["message"], "completed"),
            ("length", ["message"], "incomplete"),
            ("content_filter", [], "incomplete"),
            ("null_content", [], "completed"),
            ("tool_calls", ["function_call"], "completed"),
            ("reasoning_field", ["reasoning", "message"], "completed"),
            ("reasoning_alone", ["reasoning"], "incomplete"),
        ],
    )
    def test_f11_makes_malformed_responses_with_the_items_of_the_vendor(
        self, openai: OpenAiClient, variant: str, kinds: list[str], status: str
    ) -> None:
        openai.fault("F11", "create_batch", variant=variant, share=1.0)
        batch = openai.ended(batch_rows(1, url=RESPONSES), endpoint=RESPONSES)
        body = openai.rows(batch["output_file_id"])["r0"]["response"]["body"]
        assert ([item["type"] for item in body["output"]], body["status"]) == (kinds, status)

    @pytest.mark.parametrize("rows", [0, 1])
    @pytest.mark.parametrize("variant", variants("F12"))
    def test_f12_applies_to_a_file_with_one_row_or_none(self, openai: OpenAiClient, variant: str, rows: int) -> None:
        openai.fault("F12", "create_batch", variant=variant, rows=3)
        batch = openai.ended([*batch_rows(rows), batch_row("bad", top_k=1)])
        assert batch["status"] == "completed"
        assert list(openai.rows(batch["error_file_id"])) == ["bad"]

    @pytest.mark.parametrize("endpoint", [CHAT, RESPONSES])
    def test_f12_changes_rows_of_both_endpoints(self, openai: OpenAiClient, endpoint: str) -> None:
        rows = batch_rows(4, url=endpoint)
        clean = openai.content(openai.ended(rows, endpoint=endpoint)["output_file_id"]).splitlines()
        found = {}
        for variant in ("shuffled", "duplicate_different", "invalid_utf8", "missing_rows", "unknown_id", "crlf"):
            openai.fault("F12", "create_batch", variant=variant)
            found[variant] = openai.content(openai.ended(rows, endpoint=endpoint)["output_file_id"]).splitlines()
        ids = {name: [json.loads(line)["custom_id"] for line in lines] for name, lines in found.items()
               if name != "invalid_utf8"}  # fmt: skip
        assert ids["shuffled"] != [f"r{n}" for n in range(4)]
        assert sorted(ids["shuffled"]) == [f"r{n}" for n in range(4)]
        assert ids["duplicate_different"] == ["r0", "r1", "r2", "r3", "r0"]
        assert b"(said again)" in found["duplicate_different"][-1]
        assert ids["missing_rows"] == ["r0", "r2"]
        assert ids["unknown_id"][-1] == "never-asked"
        with pytest.raises(UnicodeDecodeError):
            found["invalid_utf8"][0].decode()
        assert len(found["crlf"]) == len(clean)

    @pytest.mark.parametrize("at", [0.3, 0.8])
    def test_f13_truncates_a_download(self, openai: OpenAiClient, at: float) -> None:
        name = openai.ended(6)["output_file_id"]
        whole = openai.content(name)
        openai.fault("F13", "download", variant="short_length", at=at)
        with pytest.raises(httpx.RemoteProtocolError):
            openai.content(name)
        openai.fault("F13", "download", variant="close_delimited", at=at)
        assert openai.content(name) == whole[: int(len(whole) * at)]
        openai.fault("F13", "download", variant="row_boundary", at=at)
        cut = openai.content(name)
        assert (whole.startswith(cut), len(cut) < len(whole), cut.endswith(b"\n") or not cut) == (True, True, True)
        openai.fault("F13", "download", variant="empty")
        assert openai.content(name) == b""
        assert openai.content(name) == whole

    def test_f13_every_variant_is_answered(self, openai: OpenAiClient) -> None:
        name = openai.ended(2)["output_file_id"]
        for variant in set(variants("F13", "download")) - {"dripped"}:
            openai.fault("F13", "download", variant=variant)
            with openai.http.stream("GET", f"files/{name}/content") as reply:
                assert reply.status_code in (200, 302), variant

    def test_f14_does_not_apply_to_an_api_without_signed_urls(self, openai: OpenAiClient) -> None:
        rule = {"fault": "F14", "operation": "download", "api": "openai"}
        reply = openai.plain.post("/__emu/faults", json=rule)
        assert (reply.status_code, "fits nothing" in reply.text) == (400, True)

    def test_f15_shows_counts_and_names_that_do_not_match_the_files(self, openai: OpenAiClient) -> None:
        rows = [*batch_rows(2), batch_row("bad", top_k=1)]
        openai.fault("F15", "create_batch", variant="progress", offset=5)
        assert openai.ended(rows)["request_counts"] == {"total": 3, "completed": 7, "failed": 1}
        openai.fault("F15", "create_batch", variant="failed_zero")
        batch = openai.ended(rows)
        assert (batch["request_counts"]["failed"], list(openai.rows(batch["error_file_id"]))) == (0, ["bad"])
        openai.fault("F15", "create_batch", variant="empty_ids")
        assert openai.ended(2)["error_file_id"] == ""
        openai.fault("F15", "create_batch", variant="empty_files")
        assert openai.content(openai.ended(2)["error_file_id"]) == b""

    def test_f16_returns_pages_that_shift_skip_repeat_or_are_stale(self, start_openai: Start) -> None:
        openai = start_openai()
        file = openai.file(1)
        names = [ok(openai.post_batch(file))["id"] for _ in range(4)][::-1]

        def page(variant: str, **query: str) -> list[str]:
            openai.fault("F16", "list_batches", variant=variant)
            return [each["id"] for each in ok(openai.http.get("batches", params={"limit": "2", **query}))["data"]]

        assert page("shift", after=names[1]) == names[1:3]
        assert page("skip", after=names[0]) == names[2:4]
        assert page("stale") == names[1:3]
        assert page("repeated_token", after=names[1]) == names[:2]

    @pytest.mark.parametrize("operation", ["get_file", "download", "get_batch"])
    def test_f17_removes_an_object_permanently(self, openai: OpenAiClient, operation: str) -> None:
        batch = openai.ended()
        path = {
            "get_file": f"files/{batch['output_file_id']}",
            "download": f"files/{batch['output_file_id']}/content",
            "get_batch": f"batches/{batch['id']}",
        }[operation]
        openai.fault("F17", operation, variant="hidden")
        assert [openai.http.get(path).status_code for _ in range(2)] == [404, 200]
        openai.fault("F17", operation)
        assert [openai.http.get(path).status_code for _ in range(2)] == [404, 404]

    def test_f17_revokes_the_access_of_the_key(self, openai: OpenAiClient) -> None:
        openai.fault("F17", "list_batches", variant="no_access")
        reply = openai.http.get("batches")
        assert (error_of(reply)[0], reply.json()["error"]["type"]) == (403, "permission_error")

    def test_f18_accepts_a_batch_beyond_the_limit_and_then_fails_it(self, openai: OpenAiClient) -> None:
        openai.fault("F18", "create_batch", limit=1234)
        batch = openai.ended()
        (problem,) = batch["errors"]["data"]
        assert (batch["status"], problem["code"], problem["line"]) == ("failed", "token_limit_exceeded", None)
        assert "Limit: 1,234 enqueued tokens" in problem["message"]

    def test_a_rule_without_an_api_affects_calls_of_every_api(self, openai: OpenAiClient) -> None:
        ok(openai.plain.post("/__emu/faults", json={"fault": "F2", "operation": "list_batches", "count": 2}))
        assert openai.http.get("batches").status_code == 503
        anthropic = {"anthropic-version": "2023-06-01", "x-api-key": "emulator-key"}
        assert openai.plain.get("/v1/messages/batches", headers=anthropic).status_code == 503
        assert openai.http.get("batches").status_code == 200

    def test_a_rule_of_another_api_does_not_count(self, openai: OpenAiClient) -> None:
        rule = {"fault": "F2", "operation": "list_batches", "api": "anthropic"}
        ok(openai.plain.post("/__emu/faults", json=rule))
        assert openai.http.get("batches").status_code == 200

    def test_answers_are_unchanged_without_a_fault(self, openai: OpenAiClient) -> None:
        rows = openai.rows(openai.ended(2)["output_file_id"])
        assert all(text_of(row).startswith("What is number") for row in rows.values())
