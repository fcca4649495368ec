"""One result of Anthropic's read into a completion, and which results are answers."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from promptrial.errors import NotOursError, ResultsEmptyError, ResultsShortError
from promptrial.model.responses import settle
from promptrial.providers.anthropic_ids import Nonce
from promptrial.providers.anthropic_results import OwnRows, are_ours, plain_rows
from promptrial.providers.anthropic_rows import is_unanswered, parse_message_row

_USAGE = {"input_tokens": 10, "output_tokens": 7}


def row(custom_id: str = "a", **message: Any) -> bytes:
    """Return the row of an answer."""
    text = {"type": "text", "text": "Rome"}
    whole = {"id": "msg_1", "content": [text], "stop_reason": "end_turn", "usage": _USAGE, **message}
    return msgspec.json.encode({"custom_id": custom_id, "result": {"type": "succeeded", "message": whole}})


def result(kind: str, custom_id: str = "a", **more: Any) -> bytes:
    """Return the row of a result without a message."""
    return msgspec.json.encode({"custom_id": custom_id, "result": {"type": kind, **more}})


def errored(kind: str, text: str = "it failed") -> dict[str, Any]:
    return {"error": {"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_1"}}


class TestMessages:
    def test_texts_are_joined_and_thinking_is_reasoning(self) -> None:
        blocks = [
            {"type": "thinking", "thinking": "The capital?", "signature": "s"},
            {"type": "redacted_thinking", "data": "x"},
            {"type": "text", "text": "It is "},
            {"type": "text", "text": "Rome", "citations": None},
        ]
        found = parse_message_row(row(content=blocks))
        assert (found.text, found.reasoning, found.request_id) == ("It is Rome", "The capital?", "msg_1")

    def test_only_redacted_thinking_is_not_an_answer(self) -> None:
        found = parse_message_row(row(content=[{"type": "redacted_thinking", "data": "x"}]))
        assert (found.text, found.reasoning) == ("", None)
        assert (settle(found).error or "").startswith("empty")

    @pytest.mark.parametrize(
        ("theirs", "ours"),
        [
            ("end_turn", "stop"),
            ("stop_sequence", "stop"),
            ("max_tokens", "length"),
            ("model_context_window_exceeded", "length"),
            ("tool_use", "tool_calls"),
            ("refusal", "refusal"),
            ("pause_turn", "pause_turn"),
            (None, None),
        ],
    )
    def test_stop_reasons_have_the_names_of_other_vendors(self, theirs: str | None, ours: str | None) -> None:
        assert parse_message_row(row(stop_reason=theirs)).finish_reason == ours

    def test_a_refusal_with_text_is_an_answer_and_one_without_is_missing(self) -> None:
        assert settle(parse_message_row(row(stop_reason="refusal"))).text == "Rome"
        bare = settle(parse_message_row(row(stop_reason="refusal", content=[])))
        assert (bare.error or "").startswith("refusal:")

    def test_an_answer_that_names_another_model_is_kept(self) -> None:
        assert parse_message_row(row(model="claude-of-tomorrow")).text == "Rome"

    @pytest.mark.parametrize("content", [None, [], [{"type": "tool_use", "id": "t", "name": "n", "input": {}}]])
    def test_a_message_without_text_has_empty_text(self, content: object) -> None:
        assert parse_message_row(row(content=content)).text == ""


class TestUsage:
    def test_the_three_parts_of_the_input_are_the_prompt_tokens(self) -> None:
        usage = {**_USAGE, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 20}
        found = parse_message_row(row(usage=usage))
        assert (found.prompt_tokens, found.completion_tokens, found.total_tokens) == (130, 7, 137)
        assert (found.cached_tokens, found.cache_write_tokens) == (20, 100)

    def test_without_a_cache_no_cache_tokens_are_reported(self) -> None:
        found = parse_message_row(row())
        assert (found.prompt_tokens, found.cached_tokens, found.cache_write_tokens) == (10, None, None)

    def test_thinking_is_part_of_the_output(self) -> None:
        found = parse_message_row(row(usage={**_USAGE, "output_tokens_details": {"thinking_tokens": 5}}))
        assert (found.completion_tokens, found.reasoning_tokens) == (7, 5)

    @pytest.mark.parametrize("odd", [-1, 2**31, "7", 1.5, True, [], {}])
    def test_an_invalid_count_leaves_prompt_tokens_unknown_and_the_answer_counts(self, odd: object) -> None:
        found = parse_message_row(row(usage={**_USAGE, "cache_read_input_tokens": odd}))
        assert (found.text, found.prompt_tokens, found.total_tokens, found.cached_tokens) == ("Rome", None, None, None)
        assert found.completion_tokens == 7

    @pytest.mark.parametrize("usage", [None, [], "many", {"input_tokens": None}, {}])
    def test_unreadable_usage_is_unknown(self, usage: object) -> None:
        found = parse_message_row(row(usage=usage))
        assert (found.text, found.prompt_tokens, found.completion_tokens) == ("Rome", None, None)

    def test_a_sum_beyond_the_largest_count_is_unknown(self) -> None:
        found = parse_message_row(row(usage={**_USAGE, "cache_read_input_tokens": 2**31 - 1}))
        assert found.prompt_tokens is None


class TestErrors:
    def test_an_error_is_named_by_its_type_and_message(self) -> None:
        found = parse_message_row(result("errored", **errored("invalid_request_error", "max_tokens: too many")))
        assert found.error == "invalid_request_error: max_tokens: too many"
        assert (found.text, found.request_id) == ("", "req_1")

    @pytest.mark.parametrize(
        ("error", "name"),
        [
            ("it failed", "error: it failed"),
            ({"type": "invalid_request_error", "message": "flat"}, "invalid_request_error: flat"),
            (None, "error"),
            ({"error": {"type": "a\nb", "message": "c\x00d"}}, "a b: c d"),
        ],
    )
    def test_other_shapes_of_errors_are_read_too(self, error: object, name: str) -> None:
        assert parse_message_row(result("errored", error=error)).error == name

    def test_a_result_of_an_unknown_type_is_an_error(self) -> None:
        assert (parse_message_row(result("deferred")).error or "").startswith("deferred")

    @pytest.mark.parametrize(
        "line", [b"", b"{}", b'{"custom_id":"a"}', b'{"custom_id":"a","result":{}}', result("succeeded"), b"[" * 5000]
    )
    def test_a_row_with_neither_message_nor_error_is_refused(self, line: bytes) -> None:
        with pytest.raises(ValueError):  # noqa: PT011 - whatever the message
            parse_message_row(line)

    @pytest.mark.parametrize(
        ("kind", "unanswered"),
        [
            ("api_error", True),
            ("overloaded_error", True),
            ("rate_limit_error", True),
            ("timeout_error", True),
            ("billing_error", True),
            ("invalid_request_error", False),
            ("not_found_error", False),
            ("request_too_large", False),
            ("of another kind", False),
        ],
    )
    def test_the_vendors_own_failures_leave_a_request_unanswered_and_refusals_are_final(
        self, kind: str, unanswered: bool
    ) -> None:
        found = msgspec.json.decode(result("errored", **errored(kind)))["result"]
        assert is_unanswered(msgspec.json.encode(found)) is unanswered

    @pytest.mark.parametrize(("kind", "unanswered"), [("expired", True), ("canceled", True), ("succeeded", False)])
    def test_only_requests_that_were_not_executed_are_unanswered(self, kind: str, unanswered: bool) -> None:
        assert is_unanswered(msgspec.json.encode({"type": kind})) is unanswered


def nonce(key: str = "pt-run-part-a1", *plain: str) -> Nonce:
    return Nonce(key, lambda: plain)


class TestNonce:
    def test_the_nonce_is_a_hyphen_and_eight_characters_of_the_sha256_of_the_key(self) -> None:
        # echo -n pt-run-part-a1 | sha256sum | xxd -r -p | base32 | head -c 8
        assert nonce().sent("set-1-c-00-0-o") == "set-1-c-00-0-o-cf3xgsla"

    def test_the_nonce_is_removed_again_and_that_of_another_attempt_is_not(self) -> None:
        sent = nonce().sent("set-1-c-00-0-o")
        assert nonce().plain(sent) == "set-1-c-00-0-o"
        assert nonce("pt-run-part-a2").plain(sent) is None
        assert nonce().plain("set-1-c-00-0-o") is None

    def test_an_id_beyond_64_characters_is_hashed_and_recognised_from_the_requests(self) -> None:
        long, fits = "x" * 56, "y" * 55
        ours = nonce("pt-run-part-a1", long, fits)
        assert len(ours.sent(fits)) == 64
        assert ours.sent(fits).startswith(fits)
        assert len(ours.sent(long)) <= 64
        assert [ours.plain(ours.sent(each)) for each in (long, fits)] == [long, fits]

    def test_a_plain_id_as_long_as_a_hash_is_unchanged(self) -> None:
        plain = "a" * 52
        assert nonce().plain(nonce().sent(plain)) == plain


def ours(custom_id: str) -> bytes:
    return row(nonce().sent(custom_id))


def read(lines: list[bytes], rows: int) -> list[str]:
    """Return the ids of the rows that come through."""
    return [msgspec.json.decode(line)["custom_id"] for line in OwnRows("msgbatch_1", nonce(), rows).read(lines)]


class TestOwnRows:
    def test_rows_get_their_plain_ids_and_keep_their_results(self) -> None:
        (line,) = OwnRows("msgbatch_1", nonce(), 1).read([ours("a")])
        assert line == row("a")

    def test_unanswered_rows_are_left_out(self) -> None:
        lines = [
            ours("a"),
            result("expired", nonce().sent("b")),
            result("canceled", nonce().sent("c")),
            result("errored", nonce().sent("d"), **errored("overloaded_error")),
            result("errored", nonce().sent("e"), **errored("invalid_request_error")),
        ]
        assert read(lines, 5) == ["a", "e"]

    def test_rows_of_another_attempt_are_refused_after_the_last_row(self) -> None:
        with pytest.raises(NotOursError, match="msgbatch_1"):
            read([row("a-aaaaaaaa"), row("plain")], 2)

    def test_reading_stops_after_a_thousand_foreign_rows(self) -> None:
        endless = (row(f"a{number}-aaaaaaaa") for number in iter(int, 1))
        with pytest.raises(NotOursError):
            list(OwnRows("msgbatch_1", nonce(), 2).read(endless))

    def test_a_foreign_row_among_ours_is_ignored(self) -> None:
        assert read([row("odd"), ours("a"), row("odder")], 3) == ["odd", "a", "odder"]

    def test_missing_rows_are_reported_after_the_last_row(self) -> None:
        rows = OwnRows("msgbatch_1", nonce(), 3).read([ours("a"), result("expired", nonce().sent("b"))])
        assert msgspec.json.decode(next(rows))["custom_id"] == "a"
        with pytest.raises(ResultsShortError, match="2 rows for 3 requests"):
            next(rows)

    def test_no_row_at_all_is_an_empty_file(self) -> None:
        with pytest.raises(ResultsEmptyError):
            read([], 1)

    def test_an_unreadable_row_keeps_its_place_under_its_plain_id(self) -> None:
        garbled = ours("a")[:-10]
        (line,) = OwnRows("msgbatch_1", nonce(), 1).read([garbled])
        assert line == row("a")[:-10]

    def test_a_row_without_a_result_is_kept_for_the_reader_to_refuse(self) -> None:
        line = msgspec.json.encode({"custom_id": nonce().sent("a")})
        assert [*OwnRows("msgbatch_1", nonce(), 1).read([line])] == [b'{"custom_id":"a"}']


class TestProof:
    def test_one_row_of_ours_proves_a_batch(self) -> None:
        assert are_ours(iter([row("odd"), b"{", ours("a")]), nonce()) is True

    def test_only_foreign_rows_disprove_a_batch(self) -> None:
        assert are_ours(iter([row("odd"), row("a-aaaaaaaa")]), nonce()) is False

    @pytest.mark.parametrize("lines", [[], [b"{"]])
    def test_rows_without_an_id_prove_nothing(self, lines: list[bytes]) -> None:
        assert are_ours(iter(lines), nonce()) is None


def test_a_file_fetched_by_hand_gets_plain_ids_of_whichever_attempt() -> None:
    second = nonce("pt-run-part-a2")
    lines = [ours("a"), row(second.sent("b")), row("c"), result("expired", second.sent("d")), b"{"]
    found = [*plain_rows(lines, [nonce(), second])]
    assert found == [row("a"), row("b"), row("c"), b"{"]
