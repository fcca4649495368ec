"""Rows of a chat batch, in every shape that providers write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from promptrial.jobs.billing import count_billed
from promptrial.model import Completion
from promptrial.model.responses import settle
from promptrial.providers.chat_columns import parse_chat_rows
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


def test_usage_can_be_beside_the_body() -> None:
    row = line(response={"body": {"choices": CHAT["choices"]}, "usage": CHAT["usage"]})
    assert parse_chat_row(row) == Completion("q", "Rome", "stop", None, 9, 2, 11)


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        ({"finish_reason": "error"}, "error: the answer is not whole"),
        ({"finish_reason": "error", "error": {"code": 502, "message": "cut off"}}, "502: cut off"),
        ({"finish_reason": "stop", "error": "cut off"}, "error: cut off"),
    ],
)
def test_an_interrupted_answer_is_not_an_answer_in_any_row_shape(broken: dict[str, object], error: str) -> None:
    choice = {"message": {"role": "assistant", "content": "Rom"}, **broken}
    rows = [line(response=CHAT), line(response={**CHAT, "choices": [choice]})]
    assert parse_chat_rows(rows).at(0) == ROME
    for read in (parse_chat_rows(rows).at(1), parse_chat_row(rows[1])):
        assert (read.text, read.error, read.total_tokens) == ("", error, 11)


def test_token_counts_that_the_provider_does_not_give_are_none() -> None:
    row = line(response={"id": "c", "choices": [{"message": {"content": "Rome"}}]})
    assert parse_chat_row(row) == Completion("q", "Rome", None, "c", None, None, None)


def test_cached_tokens_are_read_where_given() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    usage_with_details = {**usage, "prompt_tokens_details": {"cached_tokens": 7, "audio_tokens": 0}}
    assert parse_chat_row(line(response={**CHAT, "usage": usage_with_details})).cached_tokens == 7
    assert parse_chat_row(line(response={**CHAT, "usage": {**usage, "prompt_tokens_details": None}})) == ROME


USAGE: dict[str, object] = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}


def answered(message: Mapping[str, object], finish_reason: object = "stop", **usage: object) -> Completion:
    choice = {"message": message, "finish_reason": finish_reason}
    return parse_chat_row(line(response={"choices": [choice], "usage": USAGE | usage}))


@pytest.mark.parametrize("message", [{"content": None}, {"content": ""}, {}])
def test_a_response_without_text_is_read_without_text(message: dict[str, object]) -> None:
    completion = answered(message, "length")
    assert (completion.text, completion.finish_reason, completion.error) == ("", "length", None)


@pytest.mark.parametrize("content", [None, "", " \n"])
def test_a_refusal_is_the_text_if_the_content_is_empty(content: str | None) -> None:
    message = {"content": content, "refusal": "I cannot help with that."}
    assert answered(message).text == "I cannot help with that."
    assert answered({"content": "Rome", "refusal": "I cannot help with that."}).text == "Rome"


@pytest.mark.parametrize("refusal", [None, "", 7, {"reason": "policy"}, ["no"]])
def test_a_refusal_without_text_gives_no_text(refusal: object) -> None:
    assert answered({"content": None, "refusal": refusal}).text == ""


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_a_reasoning_field_is_read_separately_from_the_text(field: str) -> None:
    completion = answered({"content": "Rome", field: "The capital."})
    assert (completion.text, completion.reasoning) == ("Rome", "The capital.")


def test_reasoning_given_in_two_fields_is_read_once() -> None:
    assert answered({"content": "Rome", "reasoning_content": "a", "reasoning": "a"}).reasoning == "a"
    assert answered({"content": "Rome", "reasoning_content": " ", "reasoning": "a"}).reasoning == "a"


@pytest.mark.parametrize("reasoning", [None, "", " ", 7, {"summary": "x"}, [{"text": "x"}]])
def test_an_invalid_reasoning_field_does_not_lose_the_answer(reasoning: object) -> None:
    completion = answered({"content": "Rome", "reasoning": reasoning})
    assert (completion.text, completion.reasoning) == ("Rome", None)


def test_reasoning_tokens_are_read_where_given() -> None:
    assert answered({"content": "Rome"}, completion_tokens_details={"reasoning_tokens": 1}).reasoning_tokens == 1
    assert answered({"content": "Rome"}, completion_tokens_details=None).reasoning_tokens is None


@pytest.mark.parametrize("odd", [-1, 2**31, 2**63, -(2**63), 10**400, 2.0, "9", True, [9], {"n": 9}, None])
@pytest.mark.parametrize("name", [*USAGE, "cached_tokens", "reasoning_tokens"])
def test_an_invalid_token_count_is_unknown_and_the_others_count(name: str, odd: object) -> None:
    details = {"prompt_tokens_details": {"cached_tokens": 7}, "completion_tokens_details": {"reasoning_tokens": 1}}
    usage: dict[str, object] = {**USAGE, **details}
    place = {"cached_tokens": "prompt_tokens_details", "reasoning_tokens": "completion_tokens_details"}.get(name)
    usage |= {name: odd} if place is None else {place: {name: odd}}
    found = answered({"content": "Rome"}, **usage)
    expected = {**USAGE, "cached_tokens": 7, "reasoning_tokens": 1, name: None}
    assert {key: getattr(found, key) for key in expected} == expected
    assert found.text == "Rome"


@pytest.mark.parametrize("usage", [b"5", b'"none"', b"[]", b"true", b"null", b'{"prompt_tokens": 1e400}', b"[" * 900])
def test_unreadable_usage_is_unknown_and_the_answer_counts(usage: bytes) -> None:
    usage += b"]" * usage.count(b"[" * 900) * 900
    row = b'{"custom_id": "q", "response": {"choices": [{"message": {"content": "Rome"}}], "usage": ' + usage + b"}}"
    assert parse_chat_row(row) == Completion("q", "Rome", None, None, None, None, None)


def test_a_largest_count_is_known() -> None:
    assert answered({"content": "Rome"}, prompt_tokens=2**31 - 1, completion_tokens=0).prompt_tokens == 2**31 - 1


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
        ({"error": "the request failed"}, "error: the request failed"),
    ],
)
def test_a_failed_request_names_its_reason_and_has_no_text(row: dict[str, object], error: str) -> None:
    completion = parse_chat_row(line(**row))
    assert (completion.wire_id, completion.text, completion.error) == ("q", "", error)
    assert (completion.finish_reason, completion.reasoning) == (None, None)


@pytest.mark.parametrize(
    "row",
    [
        {"error": {"code": 500}, "usage": USAGE},
        {"response": {"error": {"code": 500}, "usage": USAGE}},
        {"response": {"status_code": 500, "body": {"error": {"code": 500}, "usage": USAGE}}},
        {"response": {"status_code": 500, "body": {}, "usage": USAGE}},
        {"response": {"status_code": 500, "body": {"usage": None}, "usage": USAGE}},
        {"response": CHAT, "error": {"code": "half", "message": "cut off"}},
    ],
)
def test_a_failed_request_keeps_its_billed_tokens(row: dict[str, object]) -> None:
    completion = parse_chat_row(line(**row))
    assert completion.error
    assert (completion.prompt_tokens, completion.completion_tokens, completion.total_tokens) == (9, 2, 11)


@pytest.mark.parametrize(
    "error",
    [{}, {"code": "", "message": ""}, {"code": 0, "message": None, "type": ""}, {"code": 200, "message": "success"}],
)
def test_an_empty_error_beside_an_answer_is_ignored(error: dict[str, object]) -> None:
    for row in ({"response": CHAT, "error": error}, {"response": {"status_code": 200, "body": CHAT}, "error": error}):
        assert parse_chat_row(line(**row)).error is None
    for row in ({"error": error}, {"response": {"status_code": 200, "body": {}}, "error": error}):
        assert parse_chat_row(line(**row)).error is not None
    assert parse_chat_row(line(response={"status_code": 400, "body": CHAT}, error=error)).error


@pytest.mark.parametrize("error", [{}, {"metadata": {}}, {"code": None, "message": None}])
def test_an_interrupted_answer_with_an_empty_error_is_not_an_answer(error: dict[str, object]) -> None:
    broken = {"message": {"content": "Ro"}, "finish_reason": "error"}
    row = line(response=CHAT | {"choices": [broken], "error": error})
    assert parse_chat_row(row).error == "error: the answer is not whole"


def test_content_can_be_a_list_of_parts() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "France."}]}
    parts = [thinking, {"type": "text", "text": "Pa"}, {"type": "text", "text": "ris"}, {"type": "image_url"}, 7]
    completion = parse_chat_row(line(response={"choices": [{"message": {"content": parts}, "finish_reason": 7}]}))
    assert (completion.text, completion.reasoning, completion.finish_reason) == ("Paris", "France.", None)


def test_a_failed_request_without_usage_has_unknown_tokens() -> None:
    assert parse_chat_row(line(error={"code": 500})).prompt_tokens is None


@pytest.mark.parametrize("choices", [[], None])
@pytest.mark.parametrize("in_body", [False, True])
def test_an_answer_without_choices_has_no_text_and_was_billed(choices: list[Any] | None, in_body: bool) -> None:
    chat = {"choices": choices, "usage": {"prompt_tokens": 20, "completion_tokens": 1}}
    row = json.dumps({"custom_id": "q", "response": {"status_code": 200, "body": chat} if in_body else chat}).encode()
    found = parse_chat_row(row)
    assert settle(found).error == "empty: the answer has no text"
    assert parse_chat_rows([row]).at(0) == found
    billed = count_billed([row], ["q"], parse_chat_row)
    assert (billed.prompt, billed.completion, billed.unknown) == (20, 1, 0)


@pytest.mark.parametrize(
    "row",
    [
        b"",
        b"{",
        b"[]",
        b'{"response": {"choices": [{"message": {"content": "x"}}]}}',
        b'{"custom_id": "q"}',
        b'{"custom_id": "q", "response": {}}',
        b'{"custom_id": "q", "response": {"usage": {"prompt_tokens": 20, "completion_tokens": 0}}}',
        b'{"custom_id": "q", "response": {"choices": [{"message": {"content": 7}}]}}',
        b'{"custom_id": "q", "response": {"choices": [{"message": {"content": "\xff"}}]}}',
        b'{"custom_id": "q", "response": {"usage": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        b'{"custom_id": 7, "response": {"choices": [{"message": {"content": "x"}}]}}',
    ],
)
def test_anything_else_is_a_value_error(row: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_chat_row(row)


@pytest.mark.parametrize(
    ("told", "seconds"), [(0.46, 0.46), (2, 2.0), (0, 0.0), (-1, None), (1e9, None), ("0.46", None), (None, None)]
)
def test_the_server_time_is_read_from_usage_and_invalid_times_do_not_affect_tokens(
    told: object, seconds: float | None
) -> None:
    found = answered({"content": "Rome"}, total_time=told, queue_time=0.01)
    assert (found.latency_s, found.prompt_tokens, found.completion_tokens) == (seconds, 9, 2)


def test_rows_that_differ_only_in_server_time_are_equal() -> None:
    assert answered({"content": "Rome"}, total_time=0.1) == answered({"content": "Rome"}, total_time=0.2)
