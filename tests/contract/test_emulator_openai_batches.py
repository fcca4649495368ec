"""The emulator's OpenAI batches: their states, what validation finds, how they end, and what their files hold."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.emulator_client import jsonl
from tests.support.openai_client import (
    CHAT,
    MODEL,
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

ZERO = {"total": 0, "completed": 0, "failed": 0}
HOUR_S = 3600


class TestTheStates:
    def test_a_batch_passes_through_all_states_with_their_times(self, openai: OpenAiClient) -> None:
        made = ok(openai.post_batch(openai.file(3), metadata={"run": "r1", "part": "p-1"}))
        assert (made["status"], made["request_counts"], made["metadata"]) == (
            "validating", ZERO, {"run": "r1", "part": "p-1"},
        )  # fmt: skip
        assert openai.states(made["id"]) == ["in_progress", "finalizing", "completed"]
        batch = openai.get_batch(made["id"])
        assert batch["request_counts"] == {"total": 3, "completed": 3, "failed": 0}
        assert (batch["endpoint"], batch["model"], batch["errors"]) == (CHAT, MODEL, None)
        times = [batch[name] for name in ("created_at", "in_progress_at", "finalizing_at", "completed_at")]
        assert times == sorted(times)
        assert batch["expires_at"] == batch["created_at"] + 24 * HOUR_S
        assert [batch[name] for name in ("failed_at", "expired_at", "cancelling_at", "cancelled_at")] == [None] * 4

    def test_counts_grow_with_time_and_not_beyond_the_end(self, start_openai: Start) -> None:
        openai = start_openai({"clock": "manual"})
        openai.fault("F10", "create_batch", variant="expired", share=0.6)
        name, found = openai.batch(10), []
        for seconds in (10, 5, 5, 5, 5):
            openai.advance(seconds)
            batch = openai.get_batch(name)
            found.append((batch["status"], batch["request_counts"]["completed"]))
        running = [("in_progress", 0), ("in_progress", 2), ("in_progress", 4), ("finalizing", 6)]
        assert found == [("validating", 0), *running]

    def test_a_client_may_miss_states(self, openai: OpenAiClient) -> None:
        name = openai.batch()
        openai.advance(HOUR_S)
        assert openai.states(name) == ["completed"]
        assert openai.get_batch(name)["in_progress_at"] is not None

    def test_the_output_has_a_row_for_each_request_and_there_is_no_file_of_errors(self, openai: OpenAiClient) -> None:
        batch = openai.ended(batch_rows(3, max_tokens=64))
        assert batch["error_file_id"] is None
        rows = openai.rows(batch["output_file_id"])
        assert list(rows) == ["r0", "r1", "r2"]
        assert set(rows["r1"]) == {"id", "custom_id", "response", "error"}
        response = rows["r1"]["response"]
        assert (response["status_code"], rows["r1"]["error"]) == (200, None)
        assert text_of(rows["r1"]).startswith("What is number 1?")
        assert response["body"]["usage"]["prompt_tokens"] == 4
        file = ok(openai.http.get(f"files/{batch['output_file_id']}"))
        assert (file["purpose"], file["filename"]) == ("batch_output", f"{batch['id']}_output.jsonl")

    def test_the_same_requests_have_the_same_answers(self, openai: OpenAiClient) -> None:
        first, second = (openai.rows(openai.ended(2)["output_file_id"]) for _ in range(2))
        assert [text_of(row) for row in first.values()] == [text_of(row) for row in second.values()]

    def test_responses_have_items(self, openai: OpenAiClient) -> None:
        rows = [batch_row("a", "Say it now.", url=RESPONSES, reasoning={"effort": "low"}, max_output_tokens=100)]
        batch = openai.ended(rows, endpoint=RESPONSES)
        body = openai.rows(batch["output_file_id"])["a"]["response"]["body"]
        assert (body["object"], body["status"], body["incomplete_details"]) == ("response", "completed", None)
        reasoning, message = body["output"]
        assert (reasoning["type"], message["type"], message["role"]) == ("reasoning", "message", "assistant")
        (part,) = message["content"]
        assert part["type"] == "output_text"
        assert part["text"].startswith("Say it now.")
        usage = body["usage"]
        assert usage["input_tokens"] == 3
        assert usage["output_tokens_details"] == {"reasoning_tokens": 16}
        assert usage["output_tokens"] == 16 + len(part["text"].split())
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        assert batch["usage"]["output_tokens_details"] == {"reasoning_tokens": 16}

    def test_a_truncated_response_is_incomplete(self, openai: OpenAiClient) -> None:
        rows = [batch_row("a", "one two three four", url=RESPONSES, instructions="Be short.", max_output_tokens=2)]
        body = openai.rows(openai.ended(rows, endpoint=RESPONSES)["output_file_id"])["a"]["response"]["body"]
        assert (body["status"], body["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
        assert body["output"][0]["content"][0]["text"] == "one two"
        assert body["usage"]["input_tokens"] == 6
        assert body["usage"]["input_tokens_details"] == {"cached_tokens": 2, "cache_write_tokens": 0}


BAD_ROWS: dict[str, tuple[bytes, list[tuple[str, int | None, str | None]]]] = {
    "no JSON": (jsonl(batch_rows(1)) + b"{not json\n", [("invalid_json_line", 2, None)]),
    "deep JSON": (jsonl(batch_rows(1)) + b"[" * 5000 + b"\n", [("invalid_json_line", 2, None)]),
    "no object": (b"[1]\n", [("invalid_request", 1, None)]),
    "no id": (jsonl([{**batch_row("a"), "custom_id": None}]), [("missing_required_parameter", 1, "custom_id")]),
    "an empty id": (jsonl([batch_row("")]), [("missing_required_parameter", 1, "custom_id")]),
    "no body": (jsonl([{**batch_row("a"), "body": None}]), [("missing_required_parameter", 1, "body")]),
    "no model": (jsonl([{**batch_row("a"), "body": {"messages": []}}]),
                 [("missing_required_parameter", 1, "body.model")]),
    "another method": (jsonl([{**batch_row("a"), "method": "GET"}]), [("invalid_method", 1, "method")]),
    "the same id": (b"\n" + jsonl([batch_row("a"), batch_row("b"), batch_row("a"), batch_row("b")]),
                    [("duplicate_custom_id", 4, "custom_id"), ("duplicate_custom_id", 5, "custom_id")]),
    "another url": (jsonl([batch_row("a"), batch_row("b", url=RESPONSES)]), [("url_mismatch", 2, "url")]),
    "another model": (jsonl([batch_row("a"), batch_row("b", model="other")]), [("model_mismatch", 2, "body.model")]),
    "no rows": (b"", [("empty_file", None, None)]),
    "blank lines": (b"\n\n", [("empty_file", None, None)]),
}  # fmt: skip


class TestValidation:
    @pytest.mark.parametrize("case", BAD_ROWS)
    def test_an_error_in_a_row_appears_after_validation_with_its_line(self, openai: OpenAiClient, case: str) -> None:
        content, expected = BAD_ROWS[case]
        made = ok(openai.post_batch(ok(openai.post_file(content))["id"]))
        assert (made["status"], made["errors"]) == ("validating", None)
        assert openai.states(made["id"]) == ["failed"]
        batch = openai.get_batch(made["id"])
        assert batch["errors"]["object"] == "list"
        found = [(each["code"], each["line"], each["param"]) for each in batch["errors"]["data"]]
        assert found == expected
        assert all(each["message"] for each in batch["errors"]["data"])
        assert (batch["output_file_id"], batch["error_file_id"], batch["request_counts"]) == (None, None, ZERO)
        assert batch["failed_at"] is not None

    def test_at_most_fifty_problems_are_reported(self, openai: OpenAiClient) -> None:
        batch = openai.ended([batch_row("same") for _ in range(70)])
        assert len(batch["errors"]["data"]) == 50

    def test_a_batch_with_too_many_rows_fails(self, start_openai: Start) -> None:
        openai = start_openai(rows=2)
        assert openai.ended(2)["status"] == "completed"
        (problem,) = openai.ended(3)["errors"]["data"]
        assert (problem["code"], problem["line"]) == ("too_many_tasks", None)

    def test_a_batch_for_an_unknown_model_fails(self, start_openai: Start) -> None:
        openai = start_openai({"models": frozenset({"another"})})
        (problem,) = openai.ended(3)["errors"]["data"]
        assert (problem["code"], problem["line"], problem["param"]) == ("model_not_found", 1, "body.model")

    def test_enqueued_tokens_are_limited_per_model(self, start_openai: Start) -> None:
        openai = start_openai({"clock": "manual"}, enqueued_tokens=10)
        rows = [batch_row("a", "one two three four five six")]
        others = [batch_row("a", "one two three four five six", model="other")]
        names = [openai.batch(each) for each in (rows, rows, others)]
        openai.advance(HOUR_S)
        states = [openai.get_batch(name) for name in names]
        assert [each["status"] for each in states] == ["completed", "failed", "completed"]
        (problem,) = states[1]["errors"]["data"]
        assert problem["code"] == "token_limit_exceeded"
        assert "Limit: 10 enqueued tokens" in problem["message"]
        assert openai.batch(rows)
        openai.advance(HOUR_S)
        assert openai.get_batch(names[0])["status"] == "completed"

    def test_a_file_that_is_deleted_before_validation_ends_fails_the_batch(self, openai: OpenAiClient) -> None:
        file = openai.file()
        openai.fault("F9", "create_batch", variant="slow", factor=4.0)
        batch = ok(openai.post_batch(file))
        ok(openai.http.delete(f"files/{file}"))
        assert openai.states(batch["id"])[-1] == "failed"
        (problem,) = openai.get_batch(batch["id"])["errors"]["data"]
        assert (problem["code"], problem["param"]) == ("file_not_found", "input_file_id")

    def test_a_file_that_is_deleted_later_is_no_longer_needed(self, openai: OpenAiClient) -> None:
        file = openai.file()
        batch = ok(openai.post_batch(file))
        assert openai.get_batch(batch["id"])["status"] == "in_progress"
        ok(openai.http.delete(f"files/{file}"))
        assert openai.states(batch["id"])[-1] == "completed"


class TestCreating:
    @pytest.mark.parametrize(
        ("spec", "expected"),
        [
            ({"completion_window": "48h"}, (400, "invalid_value", "completion_window")),
            ({"completion_window": None}, (400, "missing_required_parameter", "completion_window")),
            ({"endpoint": "/v1/other"}, (400, "invalid_value", "endpoint")),
            ({"endpoint": "/chat/completions"}, (400, "invalid_value", "endpoint")),
            ({"input_file_id": "file-none"}, (404, None, "input_file_id")),
            ({"input_file_id": 5}, (400, "missing_required_parameter", "input_file_id")),
            ({"priority": 1}, (400, "unknown_parameter", "priority")),
            ({"metadata": {str(n): "" for n in range(17)}}, (400, "object_above_max_properties", "metadata")),
            ({"metadata": {"k" * 65: ""}}, (400, "string_above_max_length", "metadata")),
            ({"metadata": {"k": "v" * 513}}, (400, "string_above_max_length", "metadata.k")),
            ({"metadata": {"k": 1}}, (400, "invalid_type", "metadata")),
            ({"metadata": ["k"]}, (400, "invalid_type", "metadata")),
            ({"output_expires_after": {"anchor": "created_at", "seconds": 1}},
             (400, "invalid_value", "output_expires_after.seconds")),
            ({"output_expires_after": 5}, (400, "invalid_value", "output_expires_after.anchor")),
        ],
    )  # fmt: skip
    def test_a_field_that_is_wrong_is_named(
        self, openai: OpenAiClient, spec: dict[str, Any], expected: tuple[int, str | None, str]
    ) -> None:
        before = len(openai.ledger("create_batch"))
        assert error_of(openai.post_batch(openai.file(), **spec)) == expected
        assert len(openai.ledger("create_batch")) == before

    def test_metadata_at_its_limits_is_taken(self, openai: OpenAiClient) -> None:
        metadata = {f"{n:064}": "v" * 512 for n in range(16)}
        assert ok(openai.post_batch(openai.file(), metadata=metadata))["metadata"] == metadata

    @pytest.mark.parametrize("body", [b"{", b"[]", b"[" * 5000])
    def test_a_body_that_is_not_an_object_is_refused(self, openai: OpenAiClient, body: bytes) -> None:
        assert error_of(openai.http.post("batches", content=body))[0] == 400

    def test_a_file_that_is_still_processed_is_refused_until_it_is_ready(self, start_openai: Start) -> None:
        openai = start_openai({"clock": "manual"}, processing_s=60.0)
        file = ok(openai.post_file(jsonl(batch_rows(1))))
        assert file["status"] == "pending"
        assert error_of(openai.post_batch(file["id"])) == (400, None, "input_file_id")
        openai.advance(60)
        assert ok(openai.http.get(f"files/{file['id']}"))["status"] == "processed"
        batch = ok(openai.post_batch(file["id"]))["id"]
        openai.advance(3600)
        output = openai.get_batch(batch)["output_file_id"]
        assert ok(openai.http.get(f"files/{output}"))["status"] == "processed"

    def test_a_file_of_another_purpose_is_refused(self, openai: OpenAiClient) -> None:
        file = ok(openai.post_file(b"x", "x.jsonl", purpose="user_data"))["id"]
        assert error_of(openai.post_batch(file)) == (400, None, "input_file_id")

    def test_one_file_may_be_used_twice_and_the_ledger_shows_it(self, openai: OpenAiClient) -> None:
        file = openai.file(4)
        names = [ok(openai.post_batch(file, metadata={"intent": "i1"}))["id"] for _ in range(2)]
        entries = [row for row in openai.ledger("create_batch") if row["facts"]["input_file_id"] == file]
        assert [row["id"] for row in entries] == names
        assert entries[0]["facts"]["metadata"] == {"intent": "i1"}
        assert (entries[0]["facts"]["rows"], entries[0]["facts"]["model"]) == (4, MODEL)

    def test_output_files_expire_when_asked_to(self, openai: OpenAiClient) -> None:
        batch = openai.ended(output_expires_after={"anchor": "created_at", "seconds": HOUR_S})
        assert openai.content(batch["output_file_id"])
        openai.advance(HOUR_S)
        assert error_of(openai.http.get(f"files/{batch['output_file_id']}/content"))[0] == 404
        assert openai.get_batch(batch["id"])["output_file_id"] == batch["output_file_id"]

    @pytest.mark.parametrize(("endpoint", "window"), [("/chat/completions", "24h"), (CHAT, "7d")])
    def test_other_hosts_leave_the_version_out_and_wait_longer(
        self, openai: OpenAiClient, endpoint: str, window: str
    ) -> None:
        there = OpenAiClient(openai.url, prefix="/openai", headers={"api-key": "emulator-key"})
        rows = [{**row, "url": endpoint} for row in batch_rows(1)]
        batch = there.ended(rows, endpoint=endpoint, completion_window=window)
        assert (batch["status"], batch["endpoint"]) == ("completed", endpoint)
        assert text_of(there.rows(batch["output_file_id"])["r0"]).startswith("What is number 0?")
        there.close()


class TestRefusedRows:
    def test_a_refused_row_is_in_the_error_file(self, openai: OpenAiClient) -> None:
        rows = [batch_row("good"), batch_row("bad", top_k=5), batch_row("none", max_tokens=0)]
        batch = openai.ended(rows)
        assert (batch["status"], batch["request_counts"]) == ("completed", {"total": 3, "completed": 1, "failed": 2})
        assert list(openai.rows(batch["output_file_id"])) == ["good"]
        errors = openai.rows(batch["error_file_id"])
        found = {
            name: (row["response"]["status_code"], row["response"]["body"]["error"]["code"], row["error"])
            for name, row in errors.items()
        }
        assert found == {"bad": (400, "unknown_parameter", None), "none": (400, "invalid_value", None)}

    def test_a_batch_whose_rows_are_all_refused_is_completed_without_an_output(self, openai: OpenAiClient) -> None:
        batch = openai.ended([batch_row("a", top_k=5), batch_row("b", top_k=5)])
        assert (batch["status"], batch["output_file_id"]) == ("completed", None)
        assert list(openai.rows(batch["error_file_id"])) == ["a", "b"]

    @pytest.mark.parametrize(
        ("body", "code", "param"),
        [
            ({"temperature": 0}, "unsupported_value", "temperature"),
            ({"top_p": 1}, "unsupported_parameter", "top_p"),
            ({"max_tokens": 5}, "unsupported_parameter", "max_tokens"),
        ],
    )
    def test_a_model_with_fixed_sampling_refuses_sampling_parameters(
        self, start_openai: Start, body: dict[str, Any], code: str, param: str
    ) -> None:
        openai = start_openai(fixed_sampling=frozenset({MODEL}))
        rows = [batch_row("bad", **body), batch_row("good", temperature=1, max_completion_tokens=50)]
        batch = openai.ended(rows)
        error = openai.rows(batch["error_file_id"])["bad"]["response"]["body"]["error"]
        assert (error["code"], error["param"]) == (code, param)
        usage = openai.rows(batch["output_file_id"])["good"]["response"]["body"]["usage"]
        assert usage["completion_tokens_details"] == {"reasoning_tokens": 64}

    @pytest.mark.parametrize("name", ["seed", "stop", "messages", "max_tokens"])
    def test_the_responses_api_refuses_parameters_of_chat_completions(self, openai: OpenAiClient, name: str) -> None:
        row = batch_row("a", url=RESPONSES)
        batch = openai.ended([{**row, "body": {**row["body"], name: 1}}], endpoint=RESPONSES)
        error = openai.rows(batch["error_file_id"])["a"]["response"]["body"]["error"]
        assert (error["code"], error["param"]) == ("unknown_parameter", name)


class TestCancelling:
    def test_cancelling_keeps_the_answers_and_can_be_repeated(self, start_openai: Start) -> None:
        openai = start_openai({"clock": "manual"})
        name = openai.batch(10)
        openai.advance(15 + 6)  # six of the fifteen seconds in which it answers
        first = ok(openai.http.post(f"batches/{name}/cancel"))
        assert (first["status"], first["cancelling_at"]) == ("cancelling", first["in_progress_at"] + 6)
        assert first["request_counts"] == {"total": 10, "completed": 4, "failed": 0}
        assert ok(openai.http.post(f"batches/{name}/cancel")) == first
        openai.advance(15)
        batch = ok(openai.http.post(f"batches/{name}/cancel"))
        assert (batch["status"], batch["request_counts"]) == ("cancelled", {"total": 10, "completed": 4, "failed": 0})
        assert batch["cancelled_at"] == batch["cancelling_at"] + 15
        done, left = openai.rows(batch["output_file_id"]), openai.rows(batch["error_file_id"])
        assert (len(done), len(left)) == (4, 6)
        assert sorted([*done, *left]) == sorted(f"r{n}" for n in range(10))
        assert {row["error"]["code"] for row in left.values()} == {"batch_cancelled"}
        assert {row["response"] for row in left.values()} == {None}
        assert len(openai.ledger("cancel_batch")) == 1

    def test_a_batch_cancelled_during_validation_has_no_answers(self, start_openai: Start) -> None:
        openai = start_openai({"clock": "manual"})
        name = openai.batch(3)
        ok(openai.http.post(f"batches/{name}/cancel"))
        openai.advance(15)
        batch = openai.get_batch(name)
        assert (batch["status"], batch["output_file_id"]) == ("cancelled", None)
        assert len(openai.rows(batch["error_file_id"])) == 3

    def test_a_batch_that_has_ended_cannot_be_cancelled(self, openai: OpenAiClient) -> None:
        batch = openai.ended()
        assert error_of(openai.http.post(f"batches/{batch['id']}/cancel"))[0] == 400
        assert error_of(openai.http.post("batches/none/cancel"))[0] == 404


class TestExpiring:
    def test_an_expired_batch_keeps_its_answers_and_does_not_count_the_rest(self, openai: OpenAiClient) -> None:
        openai.fault("F10", "create_batch", variant="expired", share=0.6)
        batch = openai.ended(10)
        assert (batch["status"], batch["request_counts"]) == ("expired", {"total": 10, "completed": 6, "failed": 0})
        assert batch["expired_at"] is not None
        done, left = openai.rows(batch["output_file_id"]), openai.rows(batch["error_file_id"])
        assert (len(done), len(left), set(done) & set(left)) == (6, 4, set())
        assert {row["error"]["code"] for row in left.values()} == {"batch_expired"}

    def test_a_batch_that_takes_longer_than_its_window_expires(self, start_openai: Start) -> None:
        openai = start_openai({"clock": "manual", "stage_s": 13.0 * HOUR_S})
        name = openai.batch(4)
        openai.advance(25 * HOUR_S)
        batch = openai.get_batch(name)
        assert (batch["status"], batch["expired_at"]) == ("expired", batch["expires_at"])
        assert len(openai.rows(batch["output_file_id"])) == 2


class TestListing:
    def test_the_newest_come_first_and_pages_follow_each_other(self, start_openai: Start) -> None:
        openai = start_openai()
        file = openai.file(1)
        names = [ok(openai.post_batch(file))["id"] for _ in range(5)][::-1]
        found: list[str] = []
        query: dict[str, str] = {"limit": "2"}
        while True:
            page = ok(openai.http.get("batches", params=query))
            found += [each["id"] for each in page["data"]]
            assert page["last_id"] == found[-1]
            if not page["has_more"]:
                break
            query["after"] = page["last_id"]
        assert found == names
        assert [each["input_file_id"] for each in page["data"]] == [file]

    def test_a_page_has_twenty_unless_asked(self, start_openai: Start) -> None:
        openai = start_openai()
        file = openai.file(1)
        for _ in range(21):
            ok(openai.post_batch(file))
        page = ok(openai.http.get("batches"))
        assert (len(page["data"]), page["has_more"]) == (20, True)
        assert error_of(openai.http.get("batches", params={"limit": "101"}))[0] == 400

    def test_an_unknown_batch_is_404(self, openai: OpenAiClient) -> None:
        assert error_of(openai.http.get("batches/none"))[0] == 404
        assert error_of(openai.http.get("batches", params={"after": "none"}))[0] == 400
