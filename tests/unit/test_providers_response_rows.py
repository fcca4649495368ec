"""Rows of ``/v1/responses``, in the shapes of the API's own answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from promptrial.model import Completion
from promptrial.model.responses import settle
from promptrial.providers.chat_rows import parse_chat_row

USAGE = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 7},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 14,
}


def message(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": list(parts)}


def text(words: str) -> dict[str, Any]:
    return {"type": "output_text", "text": words, "annotations": []}


def read(*output: dict[str, Any], status: str = "completed", **more: Any) -> Completion:
    body = {"id": "resp_1", "object": "response", "status": status, "output": list(output), "usage": USAGE, **more}
    row = {"id": "batch_req_1", "custom_id": "q", "error": None}
    return parse_chat_row(
        json.dumps({**row, "response": {"status_code": 200, "request_id": "req_1", "body": body}}).encode()
    )


ROME = Completion("q", "Rome", "stop", "resp_1", 9, 5, 14, 7, reasoning_tokens=3)


def test_the_text_of_a_message_and_its_usage_are_read() -> None:
    assert read(message(text("Rome")), error=None, incomplete_details=None) == ROME


def test_the_parts_and_messages_of_an_answer_are_one_text() -> None:
    assert read(message(text("Ro"), text("me")), message(text("!"))).text == "Rome!"


def test_items_and_parts_of_other_types_are_ignored() -> None:
    found = read({"type": "web_search_call"}, message(text("Rome"), {"type": "x", "text": "no"}, text("")), {"type": 7})
    assert (found.text, found.finish_reason) == ("Rome", "stop")


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"summary": [{"type": "summary_text", "text": part} for part in ("First.", "Then.")]}, "First.\nThen."),
        ({"summary": [{"text": "short"}], "content": [{"type": "reasoning_text", "text": "long"}]}, "long"),
        ({"summary": [], "content": None}, None),
        ({}, None),
        ({"summary": "text", "content": 7}, None),
        ({"summary": ["text", {"text": 7}]}, None),
    ],
)  # fmt: skip
def test_reasoning_is_kept_separate_from_the_text(item: dict[str, Any], expected: str | None) -> None:
    found = read({"type": "reasoning", **item}, message(text("Rome")))
    assert (found.text, found.reasoning) == ("Rome", expected)


def test_a_refusal_is_the_text_if_there_is_no_other() -> None:
    refusal = {"type": "refusal", "refusal": "I cannot help."}
    assert read(message(refusal)).text == "I cannot help."
    assert read(message(text("Rome"), refusal)).text == "Rome"


@pytest.mark.parametrize(
    ("details", "reason"),
    [
        ({"reason": "max_output_tokens"}, "length"),
        ({"reason": "content_filter"}, "content_filter"),
        ({"reason": "other"}, "other"),
        (None, "incomplete"),
        ({"reason": 7}, "incomplete"),
    ],
)
def test_an_incomplete_response_says_why_in_the_words_of_chat_completions(details: object, reason: str) -> None:
    found = read(message(text("Ro")), status="incomplete", incomplete_details=details)
    assert (found.text, found.finish_reason) == ("Ro", reason)


def test_a_response_of_only_reasoning_is_missing_with_that_reason() -> None:
    cut = read(
        {"type": "reasoning", "summary": []}, status="incomplete", incomplete_details={"reason": "max_output_tokens"}
    )
    assert settle(cut).error == "reasoning_only: the response is reasoning alone, cut off at the token limit"


def test_a_response_that_calls_a_function_is_not_an_answer() -> None:
    found = read({"type": "function_call", "name": "f", "arguments": "{}"})
    assert found.finish_reason == "tool_calls"
    assert (settle(found).error or "").startswith("tool_calls")


def test_a_failed_response_is_an_error_and_keeps_its_tokens() -> None:
    found = read(status="failed", error={"code": "server_error", "message": "Broke."})
    assert (found.error, found.text, found.prompt_tokens, found.completion_tokens) == ("server_error: Broke.", "", 9, 5)
    assert read(status="failed", error=None).error == "failed: the response gives no reason"


def test_invalid_usage_is_unknown_and_the_answer_counts() -> None:
    for usage in ("many", None, {"input_tokens": -1, "output_tokens": "5"}, [1]):
        found = read(message(text("Rome")), usage=usage)
        assert (found.text, found.prompt_tokens, found.completion_tokens) == ("Rome", None, None)


@pytest.mark.parametrize("output", ["text", 7, [1], [[]], None])
def test_an_output_that_is_not_a_list_of_items_is_refused(output: object) -> None:
    row = {"custom_id": "q", "response": {"status_code": 200, "body": {"object": "response", "output": output}}}
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the message
        parse_chat_row(json.dumps(row).encode())


def test_an_output_that_is_nested_too_deeply_is_refused() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    with pytest.raises(ValueError, match="deep"):
        parse_chat_row(b'{"custom_id":"q","response":{"body":{"output":[{"content":' + deep.encode() + b"}]}}}")
