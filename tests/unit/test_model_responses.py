"""What of a response is the answer, what is reasoning, and which responses are no answers."""

from __future__ import annotations

import pytest

from promptrial.model import Completion
from promptrial.model.responses import NO_TEXT, is_blank, is_cut, settle, split_reasoning

BLANK = ["", " ", "\n\t \r\n", "\u200b\ufeff", "\u00a0\u2028\u3000", "\x00"]


def response(text: str, finish_reason: str | None = "stop", **others: object) -> Completion:
    return Completion("q", text, finish_reason, "c", 9, 2, 11, **others)  # type: ignore[arg-type]


def code(completion: Completion) -> str:
    """Return why a response is missing; empty if it is not."""
    return (completion.error or "").partition(":")[0]


@pytest.mark.parametrize(
    ("text", "answer", "reasoning"),
    [
        ("<think>why</think>Rome", "Rome", "why"),
        ("<think>why</think>\n\nRome\n", "Rome", "why"),
        ("\n<think>\nwhy\n</think>\n\nRome", "Rome", "why"),
        ("<THINK>why</Think>Rome", "Rome", "why"),
        ("<thinking>why</thinking>Rome", "Rome", "why"),
        ("<think>why</thinking>Rome", "Rome", "why"),
        ("<think></think>Rome", "Rome", ""),
        ("<think>\n\n</think>\n\nRome", "Rome", ""),
        ("<think>a</think>Rome<think>b</think>", "Rome", "a\nb"),
        ("<think>a</think>Rome<think>b</think>Italy", "Rome\nItaly", "a\nb"),
        ("Rome <think>sure?</think>", "Rome", "sure?"),
        ("why</think>Rome", "Rome", "why"),
        ("</think>Rome", "Rome", ""),
        ("a</think>b</think>Rome", "Rome", "a</think>b"),
        ("<think>a</think>b</think>Rome", "Rome", "<think>a</think>b"),
        ("why</think>Rome<think>sure", "Rome", "why\nsure"),
        ("<think>why", "", "why"),
        ("<think>", "", ""),
        ("Rome<think>sure?", "Rome", "sure?"),
        ("<think>I could <think> longer</think>Rome", "Rome", "I could <think> longer"),
        ("<think>why</think>", "", "why"),
    ],
)
def test_reasoning_is_the_text_between_think_tags(text: str, answer: str, reasoning: str) -> None:
    assert split_reasoning(text) == (answer, reasoning)


@pytest.mark.parametrize(
    "text",
    [
        "Rome",
        " Rome\n",
        "",
        "1 < 2",
        "think>Rome",
        "<thin>Rome",
        "<thinker>",
        "< think >",
        "<rethink>",
        "&lt;think&gt;",
    ],
)
def test_a_text_without_a_think_tag_is_left_as_it_is(text: str) -> None:
    assert split_reasoning(text) == (text, "")
    completion = response(text or "x")
    assert settle(completion) is completion


def test_reasoning_is_kept_and_the_text_is_only_the_answer() -> None:
    settled = settle(response("<think>why</think>Rome"))
    assert (settled.text, settled.reasoning, settled.error) == ("Rome", "why", None)


def test_reasoning_from_a_field_precedes_reasoning_from_tags() -> None:
    settled = settle(response("<think>b</think>Rome", reasoning="a"))
    assert (settled.text, settled.reasoning) == ("Rome", "a\nb")


def test_text_between_think_tags_is_answer_text_where_the_model_is_configured_so() -> None:
    completion = response("<think>why</think>Rome", reasoning="a")
    assert settle(completion, "as_answer") is completion
    assert code(settle(response("", reasoning="a"), "as_answer")) == "reasoning_only"


@pytest.mark.parametrize("text", BLANK)
@pytest.mark.parametrize(
    ("finish_reason", "expected"),
    [
        ("length", "length"),
        ("max_tokens", "length"),
        ("content_filter", "content_filter"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("refusal", "refusal"),
        ("stop", "empty"),
        ("unheard_of", "empty"),
        ("", "empty"),
        (None, "empty"),
    ],
)
def test_a_response_without_text_is_missing_for_its_reason(text: str, finish_reason: str | None, expected: str) -> None:
    settled = settle(response(text, finish_reason))
    assert code(settled) == expected
    assert expected in NO_TEXT
    assert (settled.text, settled.finish_reason, settled.prompt_tokens) == ("", finish_reason, 9)


@pytest.mark.parametrize("others", [{"reasoning": "why"}, {"reasoning_tokens": 2}])
@pytest.mark.parametrize("finish_reason", ["stop", "length", None])
def test_a_response_with_only_reasoning_is_missing_and_says_if_it_was_truncated(
    finish_reason: str | None, others: dict[str, object]
) -> None:
    settled = settle(response("", finish_reason, **others))
    assert code(settled) == "reasoning_only"
    assert ("cut off" in (settled.error or "")) == (finish_reason == "length")


@pytest.mark.parametrize("text", ["<think>why", "<think>why</think>", "why</think> \n"])
def test_a_text_of_only_reasoning_is_missing_and_the_reasoning_is_kept(text: str) -> None:
    settled = settle(response(text, "length"))
    assert (settled.text, settled.reasoning, code(settled)) == ("", "why", "reasoning_only")


def test_the_finish_reason_comes_before_the_reasoning_where_it_says_more() -> None:
    assert code(settle(response("", "content_filter", reasoning="why"))) == "content_filter"
    assert code(settle(response("", "tool_calls", reasoning="why"))) == "tool_calls"


def test_a_filtered_answer_is_missing_even_if_some_text_remains() -> None:
    settled = settle(response("Rome was", "content_filter"))
    assert (settled.text, code(settled)) == ("", "content_filter")


def test_zero_reasoning_tokens_mean_no_reasoning() -> None:
    assert code(settle(response("", reasoning_tokens=0))) == "empty"


@pytest.mark.parametrize("finish_reason", ["length", "max_tokens"])
def test_a_truncated_answer_with_text_is_an_answer(finish_reason: str) -> None:
    completion = response("Rome, the cap", finish_reason)
    assert settle(completion) is completion
    assert is_cut(completion)
    assert not is_cut(response("Rome"))


def test_an_error_row_is_unchanged_by_settling() -> None:
    completion = response("", None, error="500: late")
    assert settle(completion) is completion


def test_settling_a_settled_response_changes_nothing() -> None:
    settled = settle(response("<think>why"))
    assert settle(settled) is settled


@pytest.mark.parametrize("text", BLANK)
def test_a_text_without_a_visible_character_is_blank(text: str) -> None:
    assert is_blank(text)


@pytest.mark.parametrize("text", ["...", "—", "?!", "*", "0", "\u200bx", "❤", "\ufffd", "\u2800"])
def test_a_text_with_a_visible_character_is_not_blank(text: str) -> None:
    assert not is_blank(text)
