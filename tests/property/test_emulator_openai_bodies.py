"""Whatever a request or a file holds, the emulator's OpenAI API answers it or says what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptrial_emulator.openai.answers import answer_body, as_served
from promptrial_emulator.openai.inputs import inspect, problems_of
from promptrial_emulator.openai.requests import CHAT, ENDPOINTS, RESPONSES, chat_row
from promptrial_emulator.responders.base import Answer, ChatRow, Refusal
from promptrial_emulator.responders.echo import EchoResponder
from promptrial_emulator.settings import EmulatorSettings, OpenAiSettings

SETTINGS = EmulatorSettings(openai=OpenAiSettings(fixed_sampling=frozenset({"fixed"}), context_tokens=20))
KEYS = (
    "model", "messages", "input", "instructions", "temperature", "top_p", "top_k", "max_tokens", "max_output_tokens",
    "max_completion_tokens", "n", "reasoning", "reasoning_effort", "text", "tools", "metadata", "stop", "seed",
    "logprobs", "top_logprobs",
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
MESSAGE = st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant"]), "content": JSON})
VALUES = {
    "model": st.sampled_from(["small", "fixed"]) | JSON,
    "messages": st.lists(MESSAGE, max_size=3) | JSON,
    "logprobs": st.booleans() | JSON,
    "top_logprobs": st.integers(0, 5) | JSON,
    "input": st.text(max_size=20) | st.lists(MESSAGE, max_size=3) | JSON,
}
BODIES = st.fixed_dictionaries({}, optional={key: VALUES.get(key, JSON) for key in KEYS})


@settings(max_examples=300)
@given(endpoint=st.sampled_from(ENDPOINTS), body=BODIES, strict=st.booleans())
def test_a_body_is_answered_in_json_or_refused_with_a_sentence(
    endpoint: str, body: dict[str, Any], strict: bool
) -> None:
    row = chat_row(endpoint, "r0", body, SETTINGS, strict=strict)
    if isinstance(row, Refusal):
        assert 400 <= row.code < 500
        assert row.message
        return
    (reply,) = EchoResponder(SETTINGS).replies(body["model"], [row])
    assert isinstance(reply, Answer)
    shown = msgspec.json.decode(
        msgspec.json.encode(answer_body(endpoint, row, as_served(reply, row, SETTINGS.openai), 0))
    )
    assert shown["model"] == body["model"]
    assert shown["object"] == ("chat.completion" if endpoint == CHAT else "response")
    spent = shown["usage"]["prompt_tokens" if endpoint == CHAT else "input_tokens"]
    assert 0 <= spent <= 20


ROWS = st.fixed_dictionaries(
    {},
    optional={
        "custom_id": st.sampled_from(["a", "b", ""]) | JSON,
        "method": st.sampled_from(["POST", "GET"]) | JSON,
        "url": st.sampled_from(ENDPOINTS) | JSON,
        "body": st.just({"model": "small"}) | JSON,
    },
)
LINES = st.lists(ROWS.map(msgspec.json.encode) | JSON.map(msgspec.json.encode) | st.binary(max_size=20), max_size=5)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=LINES, endpoint=st.sampled_from(ENDPOINTS))
def test_a_file_is_valid_or_each_problem_names_one_of_its_lines(
    tmp_path: Path, lines: list[bytes], endpoint: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\n".join(lines))
    count = path.read_bytes().count(b"\n") + 1
    problems = problems_of(inspect(path), endpoint, 50_000)
    assert all(problem.code and problem.message for problem in problems)
    assert all(problem.line is None or 1 <= problem.line <= count for problem in problems)
    if not problems:
        rows = [msgspec.json.decode(line) for line in path.read_bytes().splitlines() if line]
        assert len({row["custom_id"] for row in rows}) == len(rows) > 0
        assert {row["url"] for row in rows} == {endpoint}


def test_the_longest_list_of_answers_is_bounded() -> None:
    body = {"model": "small", "messages": [{"role": "user", "content": "?"}]}
    assert isinstance(chat_row(CHAT, "r0", {**body, "n": 128}, SETTINGS, strict=True), ChatRow)
    refusal = chat_row(CHAT, "r0", {**body, "n": 129}, SETTINGS, strict=False)
    assert isinstance(refusal, Refusal)
    assert refusal.param == "n"
    assert RESPONSES in ENDPOINTS
