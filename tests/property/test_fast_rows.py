"""Rows of results that are read together give the same as rows read one by one, whatever they contain."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptrial import registry
from promptrial.model import Completion
from promptrial.model.completions import CompletionColumns, chosen
from promptrial.model.responses import settle, settle_many
from promptrial.phases.row_index import parsed_row
from promptrial.providers.capabilities import ReadsRowsTogether
from promptrial.providers.chat_columns import parse_chat_rows
from promptrial.providers.chat_rows import parse_chat_row
from tests.property.test_fast_paths import TEXTS, same

WHOLE = TEXTS.map(lambda text: text.replace("\ud800", ""))
ODD_VALUES: Final[list[Any]] = [None, "", " ", "x", "length", "\ufb01", 0, 7, -1, 2**31, 1.5, True, [], {}, [{}]]
COUNTS: Final = st.sampled_from([None, 0, 9, 2**31 - 1, 2**31, -1, 1.0, 1.5, "9", True, {}, {"cached_tokens": 3}])


def objects(required: dict[str, Any], others: dict[str, Any]) -> Any:
    """Return JSON objects whose values are mostly as they should be."""
    odd = {name: value | st.sampled_from(ODD_VALUES) for name, value in others.items() if name not in required}
    return st.fixed_dictionaries(required, optional=odd)


NAMES = st.sampled_from(["stop", "length", "error", "m-1", ""])
MESSAGES = objects(
    {"content": WHOLE | st.just([{"type": "text", "text": "x"}])},
    {"refusal": st.none(), "reasoning": WHOLE, "reasoning_content": WHOLE},
)
USAGES = st.dictionaries(
    st.sampled_from([
        "prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "total_time",
        "prompt_tokens_details", "input_tokens_details", "completion_tokens_details", "other",
    ]),
    COUNTS,
)  # fmt: skip
ERRORS = st.sampled_from([None, {}, {"code": "busy"}, {"message": None}, "late", ""])
CHOICES = st.lists(objects({"message": MESSAGES}, {"finish_reason": NAMES, "error": ERRORS}), min_size=0, max_size=2)
OTHERS = {
    "id": NAMES, "model": NAMES, "usage": USAGES, "error": ERRORS, "output": st.none(), "status": st.just("failed"),
    "status_code": st.sampled_from([200, 299, 300, 500]), "request_id": NAMES, "incomplete_details": st.none(),
}  # fmt: skip
CHATS = objects({"choices": CHOICES, "usage": USAGES}, OTHERS)
RESPONSES = CHATS | objects({"body": CHATS}, OTHERS) | objects({"body": CHATS}, {"choices": CHOICES})
ROWS = objects({"custom_id": st.just("q-1"), "response": RESPONSES}, {"error": ERRORS, "usage": USAGES, "id": NAMES})


@given(st.lists(ROWS.map(msgspec.json.encode) | st.binary(max_size=9) | st.just(b'{"custom_id":"q"}'), max_size=4))
@example([b"[" * 9_999, b'{"custom_id":"q","response":{"choices":[{"message":{"content":"\xff"}}],"usage":{}}}'])
def test_parsing_rows_together_equals_parsing_each(lines: list[bytes]) -> None:
    assert same(parse_chat_rows(lines), CompletionColumns.of(parsed_row(line, parse_chat_row) for line in lines))


COMPLETIONS = st.builds(
    Completion,
    wire_id=st.just("q"),
    text=TEXTS | st.lists(st.sampled_from(["<think>", "</think>", "x", " ", "<"]), max_size=5).map("".join),
    finish_reason=st.sampled_from([None, "stop", "length", "content_filter", "tool_calls", "refusal"]),
    request_id=st.none(),
    prompt_tokens=st.none() | st.just(9),
    completion_tokens=st.none() | st.just(4),
    total_tokens=st.none(),
    error=st.none() | st.just("busy: later"),
    reasoning=st.none() | st.just("so"),
    reasoning_tokens=st.none() | st.just(3),
)


@given(st.lists(COMPLETIONS, max_size=6), st.sampled_from(["separate", "as_answer"]))
def test_settling_completions_together_equals_settling_one_by_one(given_: Any, think_tags: Any) -> None:
    columns = CompletionColumns.of(given_)
    empty = settle_many(columns, think_tags)
    plain = [settle(each, think_tags) for each in given_]
    assert same(columns, CompletionColumns.of(plain))
    assert empty == [at for at, (was, now) in enumerate(zip(given_, plain, strict=True)) if was.error != now.error]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6))
@example([3])
@example([3, 4, 5])
@example([5, 4, 3])
@example([2, 2, 4])
def test_selecting_values_together_equals_picking_one_by_one(places: list[int]) -> None:
    assert [*chosen("abcdefghij", places)] == ["abcdefghij"[place] for place in places]


@pytest.mark.parametrize("name", sorted(registry.PROVIDERS))
def test_every_adapter_reads_rows_together_as_one_by_one(name: str) -> None:
    adapter: Any = registry.load("provider", name)
    parse_row = adapter.parse_row
    message = {"message": {"content": "Rome"}, "finish_reason": "stop"}
    chat = {"id": "c", "choices": [message], "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}}
    rows = [{"custom_id": "q", "response": chat}, {"custom_id": "q", "response": {"body": chat}}, {"custom_id": "q"}]
    lines = [msgspec.json.encode(row) for row in rows]
    if isinstance(adapter, ReadsRowsTogether):
        assert adapter.parse_rows(lines) == CompletionColumns.of(parsed_row(line, parse_row) for line in lines)
    else:
        assert parsed_row(lines[0], parse_row) is None, "it has rows of its own"
