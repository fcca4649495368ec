"""Anthropic's live endpoint against a server with scripted answers: rows, refusals, and transient errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from promptrial.config.instances import preset_instance
from promptrial.errors import ConfigError, PermanentError, SlowDownError, TransientError
from promptrial.model import Message, ModelSpec, Request, RequestId, Sampling
from promptrial.model.instances import Limits, RequestOptions
from promptrial.providers.anthropic_live import AnthropicLiveProvider
from promptrial.providers.live import IN_FLIGHT, LiveProvider
from promptrial.providers.request_rows import RequestRow, decode_request_row, encode_request_row
from tests.support.http_scripted import Reply, ScriptedServer, json_reply, reply, server

__all__ = ["server"]

KEY = "sk-ant-" + "livesecret"
MESSAGES = "/v1/messages"
MODEL = ModelSpec("m", "claude-haiku-4-5", "anthropic", adapter="anthropic_live")


@pytest.fixture
def provider(server: ScriptedServer) -> Iterator[AnthropicLiveProvider]:
    instance = replace(preset_instance("anthropic"), adapter="anthropic_live", base_url=server.url)
    provider = AnthropicLiveProvider.open({"ANTHROPIC_API_KEY": KEY}, instance)
    yield provider
    provider.close()


def asked(**sampling: Any) -> RequestRow:
    usual = Sampling(temperature=0.0, top_p=1.0, top_k=50, max_tokens=8, stop=(), seed=1)
    identity = RequestId("set", "q1", "control", "0.0", 0, "closed")
    request = Request(identity, (Message("user", "What?"),), replace(usual, **sampling))
    return decode_request_row(encode_request_row(request))


def message(**changes: Any) -> dict[str, Any]:
    usage = {"input_tokens": 3, "output_tokens": 1}
    text = {"type": "text", "text": "Rome\nor so"}
    return {"id": "msg_1", "model": "claude-haiku-4-5-20251001", "content": [text], "stop_reason": "end_turn",
            "usage": usage, "served_at": "changes with each run", **changes}  # fmt: skip


def refusal(status: int, kind: str, text: str) -> Reply:
    return json_reply({"type": "error", "error": {"type": kind, "message": text}}, status)


def test_the_adapter_is_live_and_has_its_own_limit(server: ScriptedServer, provider: AnthropicLiveProvider) -> None:
    assert isinstance(provider, LiveProvider)
    assert provider.in_flight == IN_FLIGHT
    few = replace(preset_instance("anthropic"), base_url=server.url, limits=Limits(in_flight=3))
    assert AnthropicLiveProvider.open({"ANTHROPIC_API_KEY": KEY}, few).in_flight == 3


def test_an_answer_becomes_one_row_with_the_plain_id_and_without_fields_that_change(
    server: ScriptedServer, provider: AnthropicLiveProvider
) -> None:
    server.on("POST", MESSAGES, reply(200, json.dumps(message(), indent=1).encode()))
    row, notes = provider.answer(asked(), MODEL)
    found = provider.parse_row(row)
    assert b"\n" not in row
    assert b"served_at" not in row
    assert (found.wire_id, found.text, found.prompt_tokens, notes) == ("set-q1-c-0-0-c", "Rome\nor so", 3, ())
    (call,) = server.asked
    assert (call.headers["x-api-key"], call.headers["anthropic-version"]) == (KEY, "2023-06-01")
    assert json.loads(call.body)["model"] == "claude-haiku-4-5"


def test_the_name_of_another_model_is_reported_and_its_answer_kept(
    server: ScriptedServer, provider: AnthropicLiveProvider
) -> None:
    server.on("POST", MESSAGES, json_reply(message(model="claude-2")))
    row, (note,) = provider.answer(asked(), MODEL)
    assert provider.parse_row(row).error is None
    assert note.text == "model claude-haiku-4-5 was requested, but claude-2 answered"


@pytest.mark.parametrize(("status", "kind"), [(400, "invalid_request_error"), (413, "request_too_large")])
def test_a_request_refused_for_its_content_becomes_a_final_error_row(
    server: ScriptedServer, provider: AnthropicLiveProvider, status: int, kind: str
) -> None:
    server.on("POST", MESSAGES, refusal(status, kind, "prompt is too long"))
    row, _ = provider.answer(asked(), MODEL)
    assert provider.parse_row(row).error == f"{kind}: prompt is too long"


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (400, "invalid_request_error", "temperature: not supported by this model"),
        (400, "invalid_request_error", "Your credit balance is too low"),
        (401, "authentication_error", "invalid x-api-key"),
        (402, "billing_error", "no"),
        (403, "permission_error", "no"),
        (404, "not_found_error", "model: claude-haiku-4-5"),
    ],
)
def test_an_error_that_every_request_would_get_ends_the_part(
    server: ScriptedServer, provider: AnthropicLiveProvider, status: int, kind: str, text: str
) -> None:
    server.on("POST", MESSAGES, refusal(status, kind, text))
    with pytest.raises(PermanentError, match=f"HTTP {status}"):
        provider.answer(asked(), MODEL)


@pytest.mark.parametrize(
    "told",
    [
        Reply(end="reset"),
        refusal(500, "api_error", "oops"),
        refusal(529, "overloaded_error", "busy"),
        reply(200, b"{"),
        reply(200, b"[]"),
        reply(200, b"{}"),
        reply(200, json.dumps(message()).encode(), announce=9999),
    ],
    ids=str,
)
def test_a_transient_error_is_raised_and_not_retried_here(
    server: ScriptedServer, provider: AnthropicLiveProvider, told: Reply
) -> None:
    server.on("POST", MESSAGES, told)
    with pytest.raises(TransientError):
        provider.answer(asked(), MODEL)
    assert len(server.asked) == 1


def test_a_malformed_answer_was_paid_for_and_is_kept_as_received(
    server: ScriptedServer, provider: AnthropicLiveProvider
) -> None:
    server.on("POST", MESSAGES, json_reply({"content": "no list"}))
    row, _ = provider.answer(asked(), MODEL)
    assert json.loads(row)["result"]["message"] == {"content": "no list"}
    with pytest.raises(ValueError, match=r"\w"):
        provider.parse_row(row)


def test_a_429_is_an_error_that_asks_for_fewer_concurrent_requests(
    server: ScriptedServer, provider: AnthropicLiveProvider
) -> None:
    server.on("POST", MESSAGES, refusal(429, "rate_limit_error", "slow down"))
    with pytest.raises(SlowDownError):
        provider.answer(asked(), MODEL)


def test_a_request_that_the_vendor_is_known_to_refuse_is_not_sent(
    server: ScriptedServer, provider: AnthropicLiveProvider
) -> None:
    with pytest.raises(PermanentError, match="above 1"):
        provider.answer(asked(temperature=1.5), MODEL)
    small = replace(MODEL, options=RequestOptions(thinking_budget=5))
    with pytest.raises(ConfigError, match="thinking_budget"):
        provider.check(small)
    with pytest.raises(ConfigError, match="thinking_budget"):
        provider.check_name(small)
    assert server.asked == []
