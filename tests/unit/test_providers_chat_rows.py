"""Rows of a chat batch, in every shape that providers write."""

from __future__ import annotations

import json

import pytest

from promptrial.model import Completion
from promptrial.providers.chat_rows import parse_chat_row

CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 0,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Rome"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
}
ROME = Completion("q", "Rome", "stop", "chatcmpl-1", 9, 2, 11)


def line(**row: object) -> bytes:
    return json.dumps({"custom_id": "q", **row}).encode()


def test_a_flat_row_is_the_completion_itself() -> None:
    assert parse_chat_row(line(response=CHAT)) == ROME


def test_a_wrapped_row_holds_the_completion_in_its_body() -> None:
    wrapped = {"status_code": 200, "request_id": "req-1", "body": CHAT}
    assert parse_chat_row(line(id="batch_req_1", response=wrapped, error=None)) == ROME


def test_usage_may_stand_beside_the_body() -> None:
    row = line(response={"body": {"choices": CHAT["choices"]}, "usage": CHAT["usage"]})
    assert parse_chat_row(row) == Completion("q", "Rome", "stop", None, 9, 2, 11)


def test_token_counts_that_the_provider_does_not_give_are_none() -> None:
    row = line(response={"id": "c", "choices": [{"message": {"content": "Rome"}}]})
    assert parse_chat_row(row) == Completion("q", "Rome", None, "c", None, None, None)


def test_cached_tokens_are_read_where_given() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    usage_with_details = {**usage, "prompt_tokens_details": {"cached_tokens": 7, "audio_tokens": 0}}
    assert parse_chat_row(line(response={**CHAT, "usage": usage_with_details})).cached_tokens == 7
    assert parse_chat_row(line(response={**CHAT, "usage": {**usage, "prompt_tokens_details": None}})) == ROME


def test_an_empty_answer_is_an_answer() -> None:
    completion = parse_chat_row(line(response={"choices": [{"message": {"content": ""}, "finish_reason": "length"}]}))
    assert (completion.text, completion.finish_reason, completion.error) == ("", "length", None)


def test_a_refusal_is_the_text_when_there_is_no_content() -> None:
    message = {"content": None, "refusal": "I cannot help with that."}
    assert parse_chat_row(line(response={"choices": [{"message": message}]})).text == "I cannot help with that."


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ({"error": {"code": "context_length_exceeded", "message": "too long"}}, "context_length_exceeded: too long"),
        ({"error": {"code": 400, "message": "bad"}}, "400: bad"),
        ({"response": None, "error": {"code": "batch_expired", "message": "late"}}, "batch_expired: late"),
        (
            {"response": {"status_code": 429, "body": {"error": {"type": "rate_limit", "message": "slow"}}}},
            "rate_limit: slow",
        ),
        ({"response": {"status_code": 400, "body": {"error": {"message": "no"}}}, "error": None}, "400: no"),
        ({"response": {"status_code": 500, "body": {}}, "error": None}, "http_500"),
        ({"response": {"status_code": 0, "request_id": "", "body": {}}, "error": None}, "http_0"),
        ({"response": {"status_code": 400, "body": None}, "error": {"message": "no such model"}}, "400: no such model"),
        ({"response": CHAT, "error": {"code": "half", "message": "cut off"}}, "half: cut off"),
    ],
)
def test_a_failed_request_names_its_reason_and_has_no_text(row: dict[str, object], error: str) -> None:
    completion = parse_chat_row(line(**row))
    assert (completion.wire_id, completion.text, completion.error) == ("q", "", error)
    assert completion.prompt_tokens is None


@pytest.mark.parametrize(
    "row",
    [
        b"",
        b"{",
        b"[]",
        b'{"response": {"choices": [{"message": {"content": "x"}}]}}',
        b'{"custom_id": "q"}',
        b'{"custom_id": "q", "response": {}}',
        b'{"custom_id": "q", "response": {"choices": []}}',
        b'{"custom_id": "q", "response": {"status_code": 200, "body": {"choices": null}}}',
        b'{"custom_id": "q", "response": {"choices": [{"message": {"content": 7}}]}}',
        b'{"custom_id": "q", "response": {"choices": [{"message": {"content": "\xff"}}]}}',
        b'{"custom_id": 7, "response": {"choices": [{"message": {"content": "x"}}]}}',
    ],
)
def test_anything_else_is_a_value_error(row: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_chat_row(row)
