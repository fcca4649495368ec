"""The emulator's live OpenAI calls: answers at once, what was paid for, models, readiness, and their faults."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from promptrial.model import RequestId, ids
from promptrial.model.arms import CONTROL
from promptrial_emulator.faults.answers import ODD_ANSWERS
from promptrial_emulator.faults.rules import FAULTS
from promptrial_emulator.openai.api import OPENAI
from tests.support.openai_client import (
    CHAT,
    MODEL,
    RESPONSES,
    OpenAiClient,
    batch_row,
    chat_body,
    error_of,
    ok,
)
from tests.support.openai_fixtures import Start, openai, shared_openai, start_openai

__all__ = ["openai", "shared_openai", "start_openai"]

GONE = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
ODD = [
    name
    for name, trait in FAULTS["F11"].variants.items()
    if OPENAI.meets("chat_completion", trait) and name in ODD_ANSWERS
]


def ask(openai: OpenAiClient, body: dict[str, Any] | None = None, name: str = "") -> httpx.Response:
    headers = {"X-Client-Request-Id": name} if name else {}
    return openai.http.post("chat/completions", json=chat_body() if body is None else body, headers=headers)


def paid(openai: OpenAiClient) -> int:
    return len(openai.ledger("chat_completion"))


class TestAnswering:
    def test_a_live_answer_equals_that_of_a_batch(self, openai: OpenAiClient) -> None:
        body = chat_body("Which river is it?", temperature=0, max_tokens=20)
        live = ok(ask(openai, body))
        batch = openai.ended([{**batch_row("a"), "body": body}])
        assert live["choices"] == openai.rows(batch["output_file_id"])["a"]["response"]["body"]["choices"]
        assert (live["object"], live["model"]) == ("chat.completion", MODEL)
        assert live["usage"]["prompt_tokens"] == 4

    def test_an_answer_depends_only_on_the_request(self, openai: OpenAiClient) -> None:
        first, second, other = (ok(ask(openai, chat_body(seed=seed)))["choices"] for seed in (1, 1, 2))
        assert first == second != other

    def test_the_responses_api_is_answered_too(self, openai: OpenAiClient) -> None:
        body = {"model": MODEL, "input": [{"role": "user", "content": "Say it."}], "instructions": "Be brief."}
        found = ok(openai.http.post("responses", json=body))
        assert (found["object"], found["instructions"]) == ("response", "Be brief.")
        assert found["output"][-1]["content"][0]["text"].startswith("Say it.")
        assert [row["id"] for row in openai.ledger("create_response")][-1] == found["id"]

    def test_every_answer_is_in_the_ledger_with_the_digest_of_its_body_and_its_name(self, openai: OpenAiClient) -> None:
        content = json.dumps(chat_body("Count me.")).encode()
        reply = openai.http.post("chat/completions", content=content, headers={"X-Client-Request-Id": "mine-1"})
        entry = openai.ledger("chat_completion")[-1]
        assert entry["id"] == ok(reply)["id"]
        usage = ok(reply)["usage"]
        assert entry["facts"] == {
            "model": MODEL, "sha256": hashlib.sha256(content).hexdigest(), "client_request_id": "mine-1",
            "input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"],
        }  # fmt: skip

    def test_a_request_can_ask_for_token_probabilities(self, openai: OpenAiClient) -> None:
        (choice,) = ok(ask(openai, chat_body(logprobs=True, top_logprobs=2)))["choices"]
        tokens = choice["logprobs"]["content"]
        assert [each["token"] for each in tokens] == choice["message"]["content"].split()
        assert all(-2.0 <= each["logprob"] <= 0.0 for each in tokens)
        first, second = tokens[0]["top_logprobs"]
        assert (first["token"], first["logprob"]) == (tokens[0]["token"], tokens[0]["logprob"])
        assert second["logprob"] < first["logprob"]
        assert "logprobs" not in ok(ask(openai))["choices"][0]

    def test_equal_requests_have_names_of_their_own(self, openai: OpenAiClient) -> None:
        names = [ok(ask(openai))["id"] for _ in range(3)]
        assert len(set(names)) == 3

    def test_live_calls_do_not_move_the_clock(self, openai: OpenAiClient) -> None:
        before = ok(openai.plain.get("/__emu/clock"))["seconds"]
        ask(openai)
        openai.http.get("models")
        openai.plain.get("/health")
        assert ok(openai.plain.get("/__emu/clock"))["seconds"] == before

    def test_the_oracle_finds_the_question_by_the_name_of_the_request(
        self, start_openai: Start, tmp_path: Path
    ) -> None:
        row = {"id": "q1", "dataset": "squad_v2", "answers": ["Paris"], "question": "?"}
        (tmp_path / "open_book.jsonl").write_text(json.dumps(row) + "\n")
        openai = start_openai({"responder": "oracle", "questions": tmp_path, "accuracy": 1.0, "abstention": 0.0})
        name = ids.wire_encode(RequestId("squad_v2", "q1", CONTROL, "0.0", 0, "open"))
        found = ok(ask(openai, name=name))
        assert found["choices"][0]["message"]["content"] == "Paris"
        assert error_of(ask(openai))[0] == 400

    def test_an_oracle_without_questions_answers_an_error_and_keeps_running(
        self, start_openai: Start, tmp_path: Path
    ) -> None:
        openai = start_openai({"responder": "oracle", "questions": tmp_path / "none"})
        reply = ask(openai)
        assert (error_of(reply)[0], "no prepared questions" in reply.text) == (500, True)
        assert openai.http.get("models").status_code == 200

    def test_answers_may_take_a_while(self, start_openai: Start) -> None:
        openai = start_openai(latency_s=1.0)
        openai.http.timeout = httpx.Timeout(20, read=0.2)
        with pytest.raises(httpx.ReadTimeout):
            ask(openai)

    def test_paths_of_other_hosts_work_too(self, openai: OpenAiClient) -> None:
        there = OpenAiClient(openai.url, prefix="/openai", headers={"api-key": "emulator-key"})
        assert ok(ask(there))["choices"] == ok(ask(openai))["choices"]
        there.close()


class TestRefusing:
    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ({}, (400, None, "model")),
            ({"model": MODEL}, (400, "missing_required_parameter", "messages")),
            ({"model": MODEL, "messages": []}, (400, "missing_required_parameter", "messages")),
            ({"model": MODEL, "messages": ["x"]}, (400, "invalid_type", "messages")),
            (chat_body(max_tokens=0), (400, "invalid_value", "max_tokens")),
            (chat_body(n=True), (400, "invalid_value", "n")),
            (chat_body(logprobs=1), (400, "invalid_type", "logprobs")),
            (chat_body(top_logprobs=2), (400, "invalid_value", "top_logprobs")),
            (chat_body(logprobs=True, top_logprobs=21), (400, "invalid_value", "top_logprobs")),
            (chat_body(stream=True), (400, "unsupported_value", "stream")),
        ],
    )
    def test_a_body_that_is_wrong_is_refused_and_not_paid_for(
        self, openai: OpenAiClient, body: dict[str, Any], expected: tuple[int, str | None, str]
    ) -> None:
        before = paid(openai)
        assert error_of(ask(openai, body)) == expected
        assert paid(openai) == before

    def test_a_missing_model_is_404(self, start_openai: Start) -> None:
        openai = start_openai({"models": frozenset({MODEL, "a/b"})})
        assert error_of(ask(openai, chat_body(model="none"))) == (404, "model_not_found", None)
        assert [each["id"] for each in ok(openai.http.get("models"))["data"]] == ["a/b", MODEL]
        assert ok(openai.http.get("models/a/b"))["id"] == "a/b"
        assert error_of(openai.http.get("models/none")) == (404, "model_not_found", "model")
        assert ok(ask(openai))

    def test_other_servers_accept_more_parameters_than_openai(self, openai: OpenAiClient, start_openai: Start) -> None:
        assert ok(ask(openai, chat_body(top_k=5, min_p=0.1)))
        strict = start_openai(strict=True)
        assert error_of(ask(strict, chat_body(top_k=5))) == (400, "unknown_parameter", "top_k")

    def test_a_model_with_fixed_sampling_refuses_sampling_parameters(self, start_openai: Start) -> None:
        openai = start_openai(fixed_sampling=frozenset({MODEL}))
        assert error_of(ask(openai, chat_body(temperature=0))) == (400, "unsupported_value", "temperature")
        assert ok(ask(openai))["usage"]["completion_tokens_details"]["reasoning_tokens"] == 64
        assert "completion_tokens_details" not in ok(ask(openai, chat_body(model="other", temperature=0)))["usage"]

    def test_a_prompt_that_is_too_long_is_an_error(self, start_openai: Start) -> None:
        openai = start_openai(context_tokens=5)
        assert ok(ask(openai, chat_body("one two three four five")))["usage"]["prompt_tokens"] == 5
        reply = ask(openai, chat_body("one two three four five six"))
        assert error_of(reply) == (400, "context_length_exceeded", "messages")
        assert "maximum context length is 5 tokens. However, your messages resulted in 6 tokens" in reply.text
        assert ok(openai.http.get(f"models/{MODEL}"))["max_model_len"] == 5

    def test_a_prompt_can_be_truncated_without_notice(self, start_openai: Start) -> None:
        openai = start_openai(context_tokens=5, overflow="truncate")
        assert ok(ask(openai, chat_body("one two three four five six")))["usage"]["prompt_tokens"] == 5

    def test_the_api_needs_the_key_but_the_readiness_check_does_not(self, openai: OpenAiClient) -> None:
        for path in ("/v1/chat/completions", "/v1/models"):
            assert openai.plain.request("POST" if "chat" in path else "GET", path, json={}).status_code == 401
        assert ok(openai.plain.get("/health")) == {"status": "ok"}

    def test_the_models_of_another_api_are_asked_for_by_its_header(self, openai: OpenAiClient) -> None:
        assert "object" in ok(openai.http.get("models"))
        headers = {"anthropic-version": "2023-06-01", "x-api-key": "emulator-key"}
        assert "first_id" in ok(openai.plain.get("/v1/models", headers=headers))
        assert "display_name" in ok(openai.plain.get("/v1/models/claude", headers=headers))
        assert ok(openai.http.get("models/claude"))["object"] == "model"


class TestFaults:
    def test_a_series_of_429_ends(self, openai: OpenAiClient) -> None:
        before = paid(openai)
        openai.fault("F1", "chat_completion", count=5, seconds=3)
        replies = [ask(openai) for _ in range(6)]
        assert [reply.status_code for reply in replies] == [429] * 5 + [200]
        assert {reply.headers["retry-after"] for reply in replies[:5]} == {"3"}
        assert paid(openai) == before + 1

    def test_a_model_is_being_loaded(self, openai: OpenAiClient) -> None:
        openai.fault("F2", "health", count=2)
        replies = [openai.plain.get("/health") for _ in range(3)]
        assert [reply.status_code for reply in replies] == [503, 503, 200]
        assert replies[0].json() == {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}

    @pytest.mark.parametrize(("fault", "charged"), [("F3", 0), ("F4", 0), ("F5", 1)])
    def test_a_reset_before_or_after_the_answer_is_paid_for(
        self, openai: OpenAiClient, fault: str, charged: int
    ) -> None:
        before = paid(openai)
        openai.fault(fault, "chat_completion")
        with pytest.raises(GONE):
            ask(openai)
        assert paid(openai) == before + charged

    @pytest.mark.parametrize(("fault", "charged"), [("F4", 0), ("F5", 1)])
    def test_silence_before_or_after_the_answer_is_paid_for(
        self, openai: OpenAiClient, fault: str, charged: int
    ) -> None:
        before = paid(openai)
        openai.fault(fault, "chat_completion", variant="stall")
        with pytest.raises(httpx.ReadTimeout):
            openai.http.post("chat/completions", json=chat_body(), timeout=0.2)
        assert paid(openai) == before + charged

    def test_the_connection_drops_in_the_middle_of_the_body(self, openai: OpenAiClient) -> None:
        openai.fault("F6", "chat_completion", variant="short_length")
        with pytest.raises(httpx.RemoteProtocolError):
            ask(openai)

    @pytest.mark.parametrize("variant", ["truncated", "not_json", "empty"])
    def test_a_fault_makes_the_body_unreadable(self, openai: OpenAiClient, variant: str) -> None:
        before = paid(openai)
        openai.fault("F6", "chat_completion", variant=variant)
        reply = ask(openai)
        assert (reply.status_code, paid(openai)) == (200, before + 1)
        with pytest.raises(ValueError, match=r".*"):
            reply.json()

    @pytest.mark.parametrize("endpoint", [CHAT, RESPONSES])
    @pytest.mark.parametrize("variant", ODD)
    def test_malformed_live_answers_are_those_of_batches(
        self, openai: OpenAiClient, variant: str, endpoint: str
    ) -> None:
        row = batch_row("a", "one two three four five six seven eight", url=endpoint)
        openai.fault("F11", "create_batch", variant=variant, share=1.0)
        openai.fault("F11", "chat_completion" if endpoint == CHAT else "create_response", variant=variant)
        batch = openai.rows(openai.ended([row], endpoint=endpoint)["output_file_id"])["a"]["response"]["body"]
        live = ok(openai.http.post(endpoint.removeprefix("/v1/"), json=row["body"]))
        made = {"id", "created", "created_at", "output"}
        assert {k: v for k, v in live.items() if k not in made} == {k: v for k, v in batch.items() if k not in made}

    def test_a_fault_makes_the_answer_name_another_model(self, openai: OpenAiClient) -> None:
        openai.fault("F11", "chat_completion", variant="other_model")
        assert ok(ask(openai))["model"] == "another-model"
        assert ok(ask(openai))["model"] == MODEL
