"""Any text with any tags is split into answer, reasoning and tags, and nothing is lost."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrial.model import Completion
from promptrial.model.responses import NO_TEXT, is_blank, segments, settle, split_reasoning
from promptrial.providers.chat_rows import parse_chat_row
from tests.support.processor_time import at_most

TAGS = ["<think>", "</think>", "<thinking>", "</Thinking>", "<THINK>", "<", "</", "think>", "<think", "\n", " "]
TEXTS = st.lists(st.sampled_from(TAGS) | st.text(max_size=5), max_size=12).map("".join)
REASONS = st.sampled_from(["stop", "length", "content_filter", "tool_calls", "refusal", None]) | st.text(max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(TEXTS)
def test_answer_reasoning_and_tags_add_up_to_the_text(text: str) -> None:
    assert "".join(stretch for _, stretch in segments(text)) == text


@given(TEXTS)
def test_every_visible_character_is_answer_reasoning_or_tag(text: str) -> None:
    answer, reasoning = split_reasoning(text)
    tags = "".join(stretch for kind, stretch in segments(text) if kind == "tag")
    kept = sorted("".join((answer + reasoning + tags).split()))
    assert kept == sorted("".join(text.split()))


@given(TEXTS)
def test_the_answer_contains_no_tag(text: str) -> None:
    answer, _ = split_reasoning(text)
    assert list(segments(answer)) == [("answer", answer)]


@given(st.text(max_size=20).filter(lambda text: "<" not in text), st.text(max_size=20).filter(lambda t: "<" not in t))
def test_a_closed_block_before_an_answer_is_the_reasoning(reasoning: str, answer: str) -> None:
    expected = (answer.strip(), reasoning.strip())
    assert split_reasoning(f"<think>{reasoning}</think>{answer}") == expected
    assert split_reasoning(f"{reasoning}</think>{answer}") == expected, "chat templates may write the opening tag"
    assert split_reasoning(f"{answer}<think>{reasoning}") == expected, "cut off while reasoning"


@given(TEXTS, REASONS, st.none() | TEXTS, st.none() | st.integers(0, 9))
def test_a_settled_response_has_a_visible_text_or_one_of_the_reasons(
    text: str, finish_reason: str | None, reasoning: str | None, tokens: int | None
) -> None:
    settled = settle(Completion("q", text, finish_reason, None, 1, 2, 3, reasoning=reasoning, reasoning_tokens=tokens))
    if settled.error is None:
        assert not is_blank(settled.text)
    else:
        assert settled.error.partition(":")[0] in NO_TEXT
        assert settled.text == ""
    assert settle(settled) == settled


@given(st.dictionaries(st.sampled_from(["content", "refusal", "reasoning", "reasoning_content"]), JSON), JSON, JSON)
def test_a_row_of_any_values_is_read_or_a_value_error(message: object, usage: object, details: object) -> None:
    body = {"choices": [{"message": message}], "usage": {"prompt_tokens": usage, "completion_tokens_details": details}}
    line = json.dumps({"custom_id": "q", "response": body}).encode()
    try:
        completion = parse_chat_row(line)
    except ValueError:
        return
    counts = (completion.prompt_tokens, completion.reasoning_tokens)
    assert all(count is None or 0 <= count < 2**31 for count in counts)


@pytest.mark.parametrize("text", ["<think>" * 50_000, "</think>" * 50_000, "<" * 400_000, "<think>x</think>" * 25_000])
def test_hostile_texts_are_split_quickly(text: str) -> None:
    with at_most(1):
        split_reasoning(text)
