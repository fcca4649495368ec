"""Requests are written as in OpenAI's batch files, and rows without an answer are distinguished from refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

import msgspec
import pytest

from promptrial.config.instances import preset_instance
from promptrial.model import Message, ModelSpec, Request, RequestId, Sampling
from promptrial.model.instances import RequestOptions
from promptrial.providers.openai_rows import RowShape, is_unanswered, openai_line, row_overhead
from promptrial.providers.request_rows import RequestRow, decode_request_row, encode_request_row

_ENCODER: Final = msgspec.json.Encoder()
MODEL = ModelSpec("m", "org/model-7b", "files", adapter="batch_file")
VLLM, OPENAI = RowShape(), RowShape(max_tokens="max_completion_tokens", top_k=False)


def row(stop: tuple[str, ...] = ()) -> RequestRow:
    sampling = Sampling(temperature=0.7, top_p=0.9, top_k=40, max_tokens=64, stop=stop, seed=11)
    messages = (Message("system", "Be brief."), Message("user", "Wer war's? ☃"))
    request = Request(RequestId("d", "q1", "control", "0.7", 0, "closed"), messages, sampling)
    return decode_request_row(encode_request_row(request))


def written(shape: RowShape, stop: tuple[str, ...] = (), **options: object) -> dict[str, object]:
    line = openai_line(row(stop), replace(MODEL, options=RequestOptions(**options)), shape)  # type: ignore[arg-type]
    assert b"\n" not in line
    found: dict[str, object] = json.loads(line)
    return found


def test_a_line_has_the_four_keys_and_every_sampling_parameter() -> None:
    assert written(VLLM, stop=("END",)) == {
        "custom_id": row().custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {
            "model": "org/model-7b",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Wer war's? ☃"},
            ],
            "max_tokens": 64,
            "stop": ["END"],
            "temperature": 0.7,
            "top_p": 0.9,
            "seed": 11,
            "top_k": 40,
        },
    }


def test_without_stop_sequences_no_empty_list_is_sent() -> None:
    assert "stop" not in written(VLLM)["body"]  # type: ignore[operator]


def test_a_vendor_without_top_k_gets_none_and_its_own_name_for_the_token_limit() -> None:
    body = written(OPENAI)["body"]
    assert isinstance(body, dict)
    assert body["max_completion_tokens"] == 64
    assert not {"top_k", "max_tokens"} & body.keys()


def test_a_model_with_fixed_sampling_gets_no_sampling_parameters() -> None:
    body = written(VLLM, sampling="provider_default", reasoning_effort="low", extra_body='{"guided":{"a":1}}')["body"]
    assert isinstance(body, dict)
    assert body.keys() == {"model", "messages", "max_tokens", "reasoning_effort", "guided"}


def test_an_extra_object_is_merged_into_an_existing_one_and_other_values_replace_it() -> None:
    extra = '{"reasoning":{"summary":"auto"},"store":true}'
    body = written(OPENAI, endpoint="responses", reasoning_effort="high", extra_body=extra)["body"]
    assert isinstance(body, dict)
    assert body["reasoning"] == {"effort": "high", "summary": "auto"}
    assert body["store"] is True


def test_the_responses_api_has_names_of_its_own() -> None:
    found = written(OPENAI, endpoint="responses", reasoning_effort="high")
    assert found["url"] == "/v1/responses"
    body = found["body"]
    assert isinstance(body, dict)
    assert body.keys() == {"model", "input", "max_output_tokens", "reasoning", "temperature", "top_p", "store"}
    assert body["store"] is False
    assert body["reasoning"] == {"effort": "high"}


@pytest.mark.parametrize(
    ("preset", "shape"),
    [
        ("openai", OPENAI),
        ("groq", OPENAI),
        ("azure", replace(OPENAI, prefix="")),
        ("vllm", VLLM),
    ],
)
def test_presets_declare_the_request_shape(preset: str, shape: RowShape) -> None:
    assert RowShape.of(preset_instance(preset)) == shape


@pytest.mark.parametrize(
    ("outcome", "unanswered"),
    [
        ({"response": None, "error": {"code": "batch_expired", "message": "m"}}, True),
        ({"response": None, "error": {"code": "batch_cancelled", "message": "m"}}, True),
        ({"response": {"status_code": 0, "request_id": "", "body": {}}, "error": None}, True),
        ({"response": {"status_code": 429, "body": {"error": {"message": "slow"}}}, "error": None}, True),
        ({"response": {"status_code": 503, "body": None}, "error": {"message": "m"}}, True),
        ({"response": {"status_code": 400, "body": None}, "error": {"code": 400, "message": "m"}}, False),
        ({"response": {"status_code": 200, "body": {}}, "error": None}, False),
        ({"response": {"status_code": True, "body": {}}}, False),
        ({"response": {"status_code": "0", "body": {}}}, False),
        ({"response": {"content": "text"}}, False),
        ({"response": 7}, False),
    ],
)
def test_rows_without_an_answer_are_distinguished_from_refusals(outcome: dict[str, object], unanswered: bool) -> None:
    assert is_unanswered(json.dumps({"custom_id": "a", **outcome}).encode()) is unanswered


def test_an_unreadable_row_counts_as_a_row() -> None:
    assert not is_unanswered(b'{"custom_id": "a", "response"')
    assert not is_unanswered(b"[" * 100_000)


@pytest.mark.parametrize("shape", [VLLM, OPENAI, replace(OPENAI, prefix="")])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sampling": "provider_default"},
        {"endpoint": "responses", "reasoning_effort": "high"},
        {"extra_body": '{"metadata":{"a":"ü"}}'},
    ],
)
@pytest.mark.parametrize("stop", [(), ("END", "☃")])
def test_the_stated_overhead_bounds_the_size_of_a_row(
    shape: RowShape, options: dict[str, Any], stop: tuple[str, ...]
) -> None:
    model = replace(MODEL, options=RequestOptions(**options))
    longer = len(openai_line(row(stop), model, shape)) - len(_ENCODER.encode(row(stop)))
    assert longer <= row_overhead(model, shape) <= longer + 130
