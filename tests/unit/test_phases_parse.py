"""How parsing counts responses, and how scoring reads what an earlier version has parsed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from promptrial.model import Completion, ModelSpec, RequestId, ids
from promptrial.phases.other_models import OtherModels
from promptrial.phases.parsed import PREDICTION_COLUMNS, REASONING_COLUMNS, ArmCounts, ParseReport
from promptrial.phases.predictions import held_answers
from promptrial.phases.row_index import index_rows
from promptrial.providers.anthropic_rows import parse_message_row
from promptrial.providers.chat_rows import parse_chat_row
from promptrial.scoring.contract import Response

FIRST = ("custom_id", "dataset", "item_id", "condition", "temp", "sample_index", "type", "request_id", "finish_reason")
"""With the next four these columns stood in the tables of the first version; others are appended."""


def response(tokens: int | None, finish_reason: str = "stop", reasoning: str | None = None) -> Completion:
    return Completion("q", "Rome", finish_reason, None, tokens, tokens, tokens, reasoning=reasoning)


def test_the_columns_of_the_first_version_keep_their_names_and_order() -> None:
    names = [name for name, _ in PREDICTION_COLUMNS + REASONING_COLUMNS]
    tokens = ("response_text", "prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "error")
    assert names == [*FIRST, *tokens, "reasoning_tokens", "reasoning"]


def test_parse_counts_answers_and_the_truncated_and_reasoned_ones() -> None:
    arm = ArmCounts()
    for answer in (response(1), response(1), response(1, "length"), response(1, reasoning="why")):
        arm.count_answer(answer)
    assert (arm.answered, arm.truncated, arm.with_reasoning, arm.empty) == (4, 1, 1, 0)


@pytest.mark.parametrize(("prompt", "completion", "unknown"), [(9, 2, 0), (9, None, 1), (None, 2, 1), (None, None, 1)])
def test_an_empty_response_without_usage_is_of_unknown_cost(
    prompt: int | None, completion: int | None, unknown: int
) -> None:
    arm = ArmCounts()
    arm.count_empty(Completion("q", "", "length", None, prompt, completion, None))
    assert (arm.empty, arm.empty_usage_unknown, arm.answered) == (1, unknown, 0)


@pytest.mark.parametrize("order", [1, -1])
def test_an_unreadable_row_does_not_affect_another_row_for_the_same_request(tmp_path: Path, order: int) -> None:
    rid = RequestId("s", "1", "control", "0.0", 0, "open")
    name = f'{{"custom_id":"{ids.wire_encode(rid)}"'.encode()
    good, odd = name + b',"text":"Rome"}', name + b',"text":7}'
    path, apart = tmp_path / "results.jsonl", list[bytes]()
    path.write_bytes(b"\n".join([good, odd][::order]) + b"\n")
    output: Any = SimpleNamespace(report=ParseReport(arms={}), set_apart=apart.append)

    def parse_row(line: bytes) -> Completion:
        if b"Rome" not in line:
            raise ValueError("no text")
        return response(1)

    with path.open("rb") as file:
        starts, lengths, conflicts = index_rows(path, file, [rid], parse_row, output)
        file.seek(starts[0])
        assert file.read(lengths[0]) == good
    assert (conflicts, apart, output.report.malformed_lines) == (set(), [odd], 1)


@pytest.mark.parametrize("text", [None, "", " \n", "\u200b"])
def test_a_blank_text_in_older_predictions_is_not_an_answer(text: str | None) -> None:
    key = ("s", "1", "control", "0.0")
    answers = held_answers([(*key, text, None), (*key, "Rome", None), (*key, None, "500: late")], "again")
    assert answers.of(*key[2:]).take([key[:2]]) == [[Response("Rome", row=1)]]
    answers.check_empty()


def test_answers_that_name_another_model_are_counted_by_arm() -> None:
    asked = ModelSpec("m", "gpt-4o", "openai")
    models = OtherModels({"control": asked, "treatment": asked})
    for arm, named, number in (
        ("control", "gpt-4o-2024-08-06", 5), ("treatment", "gpt-4o-mini", 1_200), ("control", None, 1),
        ("control", "gpt-4.1\x1b[2J", 1), ("another", "x", 1),
    ):  # fmt: skip
        for _ in range(number):
            models.count(arm, named)
    assert list(models.warnings()) == [
        "1 answer names gpt-4.1 [2J as the model in the control arm, which asks gpt-4o",
        "1,200 answers name gpt-4o-mini as the model in the treatment arm, which asks gpt-4o",
    ]


@pytest.mark.parametrize(("provider", "compared"), [("openai", True), ("azure", False), ("embedded", False)])
def test_names_of_deployments_and_of_models_in_this_process_are_not_compared(provider: str, compared: bool) -> None:
    adapter = "embedded" if provider == "embedded" else "openai"
    arm = SimpleNamespace(name="control", model=ModelSpec("m", "gpt-4o", provider, adapter=adapter))
    spec: Any = SimpleNamespace(config=SimpleNamespace(providers={}))
    trial: Any = SimpleNamespace(arms=[arm])
    assert bool(OtherModels.of(spec, trial).asked) == compared


def test_the_model_of_an_answer_is_read_from_each_response_shape() -> None:
    chat = {"model": "gpt-4o-mini", "choices": [{"message": {"content": "Rome"}}]}
    for body in (chat, {"model": "gpt-4o-mini", "output": [], "status": "completed"}):
        row = msgspec.json.encode({"custom_id": "q", "response": {"status_code": 200, "body": body}})
        assert parse_chat_row(row).model == "gpt-4o-mini"
    message = {"model": "claude-2", "content": [{"type": "text", "text": "Rome"}]}
    row = msgspec.json.encode({"custom_id": "q", "result": {"type": "succeeded", "message": message}})
    assert parse_message_row(row).model == "claude-2"
