"""The adapter of live chat servers: what it sends to each kind, what it reads, and what each outcome means."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Any

import pytest

from promptrial.config.instances import preset_instance
from promptrial.config.presets import PRESETS
from promptrial.errors import ConfigError, LoadingError, PermanentError, SlowDownError, TransientError, UncertainError
from promptrial.model import Message, ModelSpec, Request, RequestId, Sampling
from promptrial.model.instances import Connection, Instance, Limits, RequestOptions
from promptrial.providers.live import IN_FLIGHT, LiveAnswer, LiveProvider
from promptrial.providers.model_names import is_same_model
from promptrial.providers.openai_compatible import OpenAICompatibleProvider
from promptrial.providers.request_rows import RequestRow, decode_request_row, encode_request_row
from tests.support.http_scripted import Reply, ScriptedServer, bare, json_reply, reply, scripted, server

__all__ = ["server"]

MODEL = ModelSpec("m1", "small-7b", "here", adapter="openai_compatible")
KEY = "sk-" + "livesecret"
CHAT: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1795931263,
    "model": "small-7b",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 30, "completion_tokens": 2, "total_tokens": 32},
    "timings": {"predicted_ms": 17.5},
}


def provider(server: ScriptedServer, kind: str = "", **fields: Any) -> OpenAICompatibleProvider:
    options = (("server", kind),) if kind else ()
    given = Instance("here", "openai_compatible", "the server", base_url=f"{server.url}/v1", options=options)
    return OpenAICompatibleProvider.open({"SOME_KEY": KEY}, replace(given, **fields))


QUESTION = "What is the capital of France?"


def row(text: str = QUESTION, *, stop: tuple[str, ...] = (), max_tokens: int = 16) -> RequestRow:
    request = Request(
        RequestId("set", "q1", "control", "0.0", 0, "closed"),
        (Message("system", "Be brief."), Message("user", text)),
        Sampling(temperature=0.0, top_p=1.0, top_k=40, max_tokens=max_tokens, stop=stop, seed=7),
    )
    return decode_request_row(encode_request_row(request))


def asked(server: ScriptedServer, kind: str = "", model: ModelSpec = MODEL, **fields: Any) -> dict[str, Any]:
    """Return the body of a request as it was sent."""
    server.on("POST", "/v1/chat/completions", json_reply(CHAT))
    provider(server, kind, **fields).answer(row(stop=("\n",)), model)
    body: dict[str, Any] = json.loads(server.asked[-1].body)
    return body


def answered(server: ScriptedServer, told: Reply, kind: str = "", request: RequestRow | None = None) -> LiveAnswer:
    server.on("POST", "/v1/chat/completions", told)
    server.on("GET", "/v1/models", json_reply({"data": [{"id": "small-7b"}, {"id": "large"}]}))
    return provider(server, kind).answer(request or row(), MODEL)


def with_options(**options: Any) -> ModelSpec:
    return ModelSpec("m1", "small-7b", "here", adapter="openai_compatible", options=RequestOptions(**options))


# --- what is sent ----------------------------------------------------------------------------------------------------


def test_an_unknown_server_is_sent_every_parameter_that_openai_has_and_top_k(server: ScriptedServer) -> None:
    assert asked(server) == {
        "model": "small-7b",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}],
        "max_tokens": 16,
        "stop": ["\n"],
        "temperature": 0.0,
        "top_p": 1.0,
        "top_k": 40,
        "seed": 7,
        "stream": False,
    }  # fmt: skip
    assert "authorization" not in server.asked[-1].headers


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("llamacpp", {"top_k": 40, "min_p": 0.0, "repeat_penalty": 1.0}),
        ("vllm", {"top_k": 40, "min_p": 0.0, "repetition_penalty": 1.0}),
        ("lmstudio", {"top_k": 40, "repeat_penalty": 1.0}),
        ("ollama", {}),
    ],
)
def test_samplers_that_a_server_sets_by_default_are_sent_with_neutral_values(
    server: ScriptedServer, kind: str, expected: dict[str, float]
) -> None:
    plain = asked(server)
    assert {key: value for key, value in asked(server, kind).items() if key not in plain or key == "top_k"} == expected


@pytest.mark.parametrize("name", ["openai", "azure", "groq"])
def test_vendors_without_top_k_do_not_receive_it_and_their_token_limit_has_its_own_name(
    server: ScriptedServer, name: str
) -> None:
    body = asked(server, options=PRESETS[name].options)
    assert "top_k" not in body
    assert "max_tokens" not in body
    assert body["max_completion_tokens"] == 16


def test_with_the_providers_defaults_no_sampler_is_sent(server: ScriptedServer) -> None:
    body = asked(server, "llamacpp", with_options(sampling="provider_default", reasoning_effort="low"))
    assert body.keys() == {"model", "messages", "max_tokens", "stop", "stream", "reasoning_effort"}


def test_extra_keys_are_sent_as_they_are_and_win(server: ScriptedServer) -> None:
    body = asked(server, "llamacpp", with_options(extra_body='{"cache_prompt":false,"min_p":0.1}'))
    assert (body["cache_prompt"], body["min_p"]) == (False, 0.1)


@pytest.mark.parametrize("extra", ['{"stream":true}', '{"n":2}', '{"temperature":1}', '{"model":"other"}'])
def test_extra_keys_that_change_the_shape_of_an_answer_are_refused_before_anything_is_sent(
    server: ScriptedServer, extra: str
) -> None:
    with pytest.raises(ConfigError, match=r"models\.m1\.extra_body") as caught:
        provider(server).check(with_options(extra_body=extra))
    assert caught.value.hint
    assert server.asked == []


def test_a_configured_key_is_sent_and_appears_in_no_message(server: ScriptedServer) -> None:
    server.on("POST", "/v1/chat/completions", json_reply({"error": {"message": f"bad key {KEY}"}}, 401))
    with pytest.raises(PermanentError) as caught:
        provider(server, key="SOME_KEY").answer(row(), MODEL)
    assert server.asked[-1].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in str(caught.value)
    assert "SOME_KEY" in str(caught.value)


# --- what is kept ----------------------------------------------------------------------------------------------------


def test_a_row_keeps_the_answer_and_nothing_that_depends_on_the_clock(server: ScriptedServer) -> None:
    kept = json.loads(answered(server, json_reply(CHAT)).row)
    assert kept == {
        "custom_id": row().custom_id,
        "response": {key: CHAT[key] for key in ("id", "model", "choices", "usage")},
    }


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(CHAT, indent=1).replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + json.dumps(CHAT).encode(),
        json.dumps(CHAT).encode() + b"\r\n\r\n",
    ],
    ids=["CRLF", "BOM", "newlines at the end"],
)
def test_an_answer_in_an_unusual_wrapping_becomes_one_line(server: ScriptedServer, body: bytes) -> None:
    given = answered(server, reply(200, body, Content_Type="text/plain; charset=latin-1"))
    assert b"\n" not in given.row
    assert b"\r" not in given.row
    assert provider(server).parse_row(given.row).text == "Paris"


def test_reasoning_is_kept_beside_the_answer(server: ScriptedServer) -> None:
    message = {"role": "assistant", "content": "Paris", "reasoning_content": "France, so Paris."}
    chat = CHAT | {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    read = provider(server).parse_row(answered(server, json_reply(chat)).row)
    assert (read.text, read.reasoning) == ("Paris", "France, so Paris.")


# --- what an outcome means -------------------------------------------------------------------------------------------

WHOLE = json.dumps(CHAT).encode()
CUT_GZIP = gzip.compress(WHOLE)[:-20]
FAULTS_OF_A_SERVER: list[Any] = [
    {"code": 502, "message": "the upstream failed"},
    {"code": "502", "message": "the upstream failed"},
    {"type": "overloaded_error"},
    {"message": "no reason"},
    {"code": None, "message": "upstream sent an invalid response"},
    "upstream timeout",
]
EMPTY_ERRORS: list[dict[str, Any]] = [
    {"code": None, "message": None},
    {"metadata": {}},
    {"code": 0, "message": "success"},
]


@pytest.mark.parametrize(
    "told",
    [
        json_reply({"error": {"message": "overloaded"}}, 503),
        json_reply({"error": {"message": "internal"}}, 500),
        reply(408),
        Reply(end="reset"),
        reply(200, WHOLE[:-40], announce=len(WHOLE)),
        reply(200, WHOLE[:-40]),
        bare(200, WHOLE[:-40]),
        reply(200, CUT_GZIP, Content_Encoding="gzip"),
        reply(200, b""),
        reply(200, b"<html><body>Bad gateway</body></html>", Content_Type="text/html"),
        reply(200, b"[" * 100_000),
        json_reply({"id": "x"}),
        *(
            json_reply(found)
            for error in FAULTS_OF_A_SERVER
            for found in ({"error": error}, {"error": error, "choices": []}, {"error": error, "choices": None})
        ),
        *(
            json_reply(CHAT | {"choices": [{"finish_reason": "error", "message": {"content": "Par"}} | more]})
            for more in ({}, {"error": {"code": 502, "message": "cut off"}}, {"error": {"code": "502"}})
        ),
        *(
            json_reply(CHAT | {"choices": [{"finish_reason": "error", "message": {"content": "Par"}}], "error": error})
            for error in EMPTY_ERRORS
        ),
    ],
)
def test_a_transient_error_is_never_kept_as_an_answer(server: ScriptedServer, told: Reply) -> None:
    with pytest.raises(TransientError) as caught:
        answered(server, told)
    assert not isinstance(caught.value, SlowDownError)


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ({"error": {"code": 400, "message": "bad"}}, "400: bad"),
        ({"error": {"code": "403", "message": "no"}, "choices": []}, "403: no"),
        ({"error": {"code": "content_filter"}}, "content_filter"),
        ({"error": {"type": "invalid_request_error", "message": "no"}}, "invalid_request_error: no"),
        ({"error": {"type": "BadRequestError", "code": None}}, "BadRequestError"),
        ({"error": {"type": "ContextWindowExceededError", "code": None}}, "ContextWindowExceededError"),
        ({"error": {"message": "This model's maximum context length is 8"}}, "error: This model's maximum context"),
        ({"error": "This model does not support images"}, "error: This model does not support images"),
        (
            {"choices": [{"message": {"content": "Par"}, "finish_reason": "error", "error": {"code": 403}}]},
            "403",
        ),
    ],
)
def test_an_error_about_the_request_is_its_answer_because_it_would_recur(
    server: ScriptedServer, told: dict[str, Any], name: str
) -> None:
    row = answered(server, json_reply(CHAT | {"choices": None} | told)).row
    read = provider(server).parse_row(row)
    assert str(read.error).startswith(name)
    assert read.text == ""
    assert provider(server).parse_rows([row]).at(0) == read


@pytest.mark.parametrize(
    "error",
    [
        {"code": 401, "message": "no"},
        {"code": "402"},
        {"type": "authentication_error", "message": "who are you?"},
        {"code": "invalid_api_key"},
        {"code": "insufficient_quota", "type": "insufficient_quota"},
        "Incorrect API key provided",
    ],
)
def test_a_key_or_an_account_that_is_refused_with_the_status_of_a_success_ends_the_run(
    server: ScriptedServer, error: object
) -> None:
    with pytest.raises(PermanentError) as caught:
        answered(server, json_reply({"error": error}))
    assert caught.value.hint == "check the key, and whether the account has credit; then resume"


@pytest.mark.parametrize("error", [{"code": 0, "message": "success"}, {"code": "200", "message": "OK"}, {}, None, ""])
def test_an_empty_error_beside_an_answer_is_ignored(server: ScriptedServer, error: object) -> None:
    read = provider(server).parse_row(answered(server, json_reply(CHAT | {"error": error})).row)
    assert (read.error, read.text) == (None, "Paris")


def test_an_answer_that_was_interrupted_may_have_been_billed(server: ScriptedServer) -> None:
    broken = {"choices": [{"finish_reason": "error", "message": {"content": "Par"}}]}
    with pytest.raises(UncertainError):
        answered(server, json_reply(CHAT | broken))


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (b"Par\xffis", "Par\ufffdis"),
        (b"Par\\ud800is", "Par\ufffdis"),
        (b"\\uD83D\\ude00 Paris", "\U0001f600 Paris"),
        (b"\\ude00\\ud83d", "\ufffd\ufffd"),
    ],
)
def test_invalid_characters_in_a_paid_answer_become_replacement_characters(
    server: ScriptedServer, sent: bytes, text: str
) -> None:
    given = answered(server, reply(200, json.dumps(CHAT).encode().replace(b"Paris", sent)))
    assert provider(server).parse_row(given.row).text == text


@pytest.mark.parametrize("choices", [[{"message": {"content": {"odd": 1}}}], "none"])
def test_a_malformed_answer_was_paid_for_and_is_kept_as_received(server: ScriptedServer, choices: object) -> None:
    given = answered(server, json_reply(CHAT | {"choices": choices}))
    assert json.loads(given.row)["response"]["choices"] == choices
    with pytest.raises(ValueError, match=r"\w"):
        provider(server).parse_row(given.row)


@pytest.mark.parametrize("choices", [[], None])
def test_an_answer_without_choices_is_kept_as_an_empty_one(server: ScriptedServer, choices: object) -> None:
    given = answered(server, json_reply(CHAT | {"choices": choices}))
    assert json.loads(given.row)["response"]["choices"] == choices
    found = provider(server).parse_row(given.row)
    assert (found.text, found.error) == ("", None)
    assert found.prompt_tokens == CHAT["usage"]["prompt_tokens"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "top_k"], "msg": "Extra inputs"}]}),
        (422, {"message": "Unknown parameter: top_k"}),
        (400, {"error": {"message": "Unrecognized request argument supplied: seed"}}),
        (400, {"error": {"message": "top_k is not supported by this model", "code": "invalid_request"}}),
    ],
)  # fmt: skip
def test_a_parameter_that_the_server_refuses_ends_the_part_and_keeps_no_row(
    server: ScriptedServer, status: int, body: dict[str, Any]
) -> None:
    with pytest.raises(PermanentError) as caught:
        answered(server, json_reply(body, status))
    assert "provider_default" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("named", "asked_for", "same"),
    [
        ("gpt-4o", "gpt-4o", True),
        ("gpt-4o-2024-08-06", "gpt-4o", True),
        ("gpt-4-0613", "gpt-4", True),
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5", True),
        ("claude-3-5-haiku-20241022", "claude-3-5-haiku-latest", True),
        ("/models/Qwen2.5-7B-Instruct-Q4_K_M.gguf", "qwen/Qwen2.5-7B-Instruct", True),
        ("llama3:latest", "llama3", True),
        ("llama3", "llama3:latest", True),
        ("gpt-4o-mini", "gpt-4o", False),
        ("gpt-4o", "gpt-4o-mini", False),
        ("claude-opus-4-1-20250805", "claude-opus-4", False),
        ("x-8b-instruct", "x-8b", False),
        ("gpt-4-turbo-2024-04-09", "gpt-4", False),
        ("x-80b", "x-8", False),
    ],
)
def test_a_dated_edition_counts_as_the_same_model_and_another_model_does_not(
    named: str, asked_for: str, same: bool
) -> None:
    assert is_same_model(named, asked_for) == same


@pytest.mark.parametrize(
    "told",
    [
        json_reply({"error": {"message": "slow down"}}, 429, Retry_After="7"),
        json_reply({"error": {"code": 429, "message": "the upstream is busy"}}),
        json_reply({"error": {"code": "429", "message": "the upstream is busy"}, "choices": []}),
        json_reply({"error": {"code": "rate_limit_exceeded", "message": "the upstream is busy"}}),
    ],
)
def test_a_server_can_ask_for_fewer_requests(server: ScriptedServer, told: Reply) -> None:
    with pytest.raises(SlowDownError):
        answered(server, told)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (
            {
                "code": 400,
                "message": "request (6031 tokens) exceeds the available context size (2048 tokens), try increasing it",
                "type": "exceed_context_size_error",
            },
            "llamacpp",
        ),
        ({"message": "This model's maximum context length is 2048, you requested 6031", "code": 400}, "vllm"),
        ({"message": "too long: 6031", "code": "context_length_exceeded"}, ""),
    ],
)  # fmt: skip
def test_a_prompt_that_is_too_long_is_an_error_of_that_request_with_the_tokens_and_what_to_do(
    server: ScriptedServer, error: dict[str, Any], kind: str
) -> None:
    read = provider(server).parse_row(answered(server, json_reply({"error": error}, 400), kind).row)
    assert read.error is not None
    assert read.error.startswith("context_length_exceeded: ")
    assert "6031" in read.error
    assert "may have 16 tokens" in read.error
    assert any(way in read.error for way in ("larger --ctx-size", "larger --max-model-len", "larger context window"))


def test_a_filtered_request_is_an_error_of_that_request(server: ScriptedServer) -> None:
    error = {"message": "The response was filtered", "code": "content_filter"}
    read = provider(server).parse_row(answered(server, json_reply({"error": error}, 400)).row)
    assert read.error == "content_filter: The response was filtered"


@pytest.mark.parametrize("said", ["Your input was flagged", "it requires moderation", "see our content policy"])
def test_a_request_that_a_router_rejects_is_an_error_of_that_request(server: ScriptedServer, said: str) -> None:
    told = json_reply({"error": {"message": said, "code": 403, "metadata": {"reasons": ["x"]}}}, 403)
    assert provider(server).parse_row(answered(server, told).row).error == f"http_403: {said}"


def test_a_key_without_permission_ends_the_work(server: ScriptedServer) -> None:
    with pytest.raises(PermanentError, match="HTTP 403"):
        answered(server, json_reply({"error": {"message": "this key may not do that"}}, 403))


def test_the_code_of_an_error_contains_neither_the_key_nor_control_characters(server: ScriptedServer) -> None:
    server.on("POST", "/v1/chat/completions", json_reply({"error": {"message": "no", "code": f"\x1b[2J{KEY}"}}, 400))
    found = provider(server, key="SOME_KEY").answer(row(), MODEL).row
    assert KEY.encode() not in found
    assert b"u001b" not in found


@pytest.mark.parametrize(
    "told",
    [
        json_reply({"error": {"message": "The model `small-7b` does not exist.", "code": 404}}, 404),
        json_reply({"error": {"message": "no", "code": "model_not_found"}}, 400),
        json_reply({"error": {"message": "small-7b is not a valid model ID", "code": 400}}, 400),
    ],
)
def test_a_model_that_is_not_served_ends_the_work_and_says_what_is_served(server: ScriptedServer, told: Reply) -> None:
    with pytest.raises(PermanentError, match="does not serve 'small-7b'") as caught:
        answered(server, told)
    assert "small-7b, large" in caught.value.message
    assert caught.value.hint == "name one of them: here/small-7b"


def test_a_parameter_that_the_model_refuses_ends_the_work_and_says_how_to_leave_it_out(server: ScriptedServer) -> None:
    error = {"message": "'temperature' does not support 0.0", "code": "unsupported_value"}
    with pytest.raises(PermanentError) as caught:
        answered(server, json_reply({"error": error}, 400))
    assert "models.m1.sampling: provider_default" in str(caught.value.hint)


# --- what people should know -----------------------------------------------------------------------------------------


def test_the_name_of_another_model_in_an_answer_is_noted(server: ScriptedServer) -> None:
    (note,) = answered(server, json_reply(CHAT | {"model": "tiny-1b"})).notes
    assert note.text == "model small-7b was requested, but tiny-1b answered"


@pytest.mark.parametrize(
    "name", ["small-7b", "org/small-7b", "small-7b-2026-01-01", "small-7b:latest", "/m/small-7b.gguf"]
)
def test_a_version_of_the_requested_model_is_not_noted(server: ScriptedServer, name: str) -> None:
    assert answered(server, json_reply(CHAT | {"model": name})).notes == ()


@pytest.mark.parametrize("model", [None, 7, ["small-7b"], 10**400, {"id": "x"}])
def test_an_invalid_model_name_in_an_answer_is_ignored(server: ScriptedServer, model: object) -> None:
    given = answered(server, json_reply(CHAT | {"model": model}))
    assert given.notes == ()
    assert provider(server).parse_row(given.row).text == "Paris"


def test_a_prompt_that_the_server_truncated_is_noted_with_the_setting_to_change(server: ScriptedServer) -> None:
    long = row("word " * 100)
    (note,) = answered(server, json_reply(CHAT), "ollama", long).notes
    assert "read 30 tokens of a prompt that has at least 102" in note.text
    assert "OLLAMA_CONTEXT_LENGTH" in note.text


@pytest.mark.parametrize("tokens", [None, 0, -5, "many", 102, 5000])
def test_unknown_or_plausible_token_counts_are_not_taken_for_truncation(server: ScriptedServer, tokens: object) -> None:
    usage = {"prompt_tokens": tokens, "completion_tokens": 2}
    assert answered(server, json_reply(CHAT | {"usage": usage}), "ollama", row("word " * 100)).notes == ()


def test_a_prompt_that_exactly_fills_the_context_is_noted(server: ScriptedServer) -> None:
    _llamacpp(server, n_ctx=46)
    made = provider(server, "llamacpp")
    made.fingerprint(MODEL)
    server.on("POST", "/v1/chat/completions", json_reply(CHAT))
    (note,) = made.answer(row(max_tokens=16), MODEL).notes
    assert "exactly what its context of 46 leaves" in note.text
    assert made.answer(row(max_tokens=15), MODEL).notes == ()


# --- before the first request ----------------------------------------------------------------------------------------


def _llamacpp(server: ScriptedServer, n_ctx: int = 2048, slots: int = 1) -> None:
    props = {
        "build_info": "b1234-abc",
        "model_path": "/somebody/models/small-7b.gguf",
        "total_slots": slots,
        "chat_template": "{{ messages }}",
        "default_generation_settings": {"n_ctx": n_ctx},
    }
    server.on("GET", "/health", json_reply({"status": "ok"}))
    server.on("GET", "/props", json_reply(props))
    server.on("GET", "/v1/models", json_reply({"data": [{"id": "small-7b"}]}))


def test_llamacpp_reports_its_build_model_file_and_context_but_no_path(server: ScriptedServer) -> None:
    _llamacpp(server)
    found = provider(server, "llamacpp").fingerprint(MODEL)
    assert found == {
        "provider": "openai_compatible",
        "api": f"127.0.0.1:{server.port}",
        "model": "small-7b",
        "server": "llama.cpp",
        "server_version": "b1234-abc",
        "weights_file": "small-7b.gguf",
        "chat_template_sha256": found["chat_template_sha256"],
        "window": 2048,
    }


def test_ollama_reports_its_version_and_the_digest_of_the_model(server: ScriptedServer) -> None:
    server.on("GET", "/v1/models", json_reply({"data": [{"id": "small-7b:latest"}]}))
    server.on("GET", "/api/version", json_reply({"version": "0.9.1"}))
    server.on("GET", "/api/tags", json_reply({"models": [{"name": "small-7b:latest", "digest": "ab12"}]}))
    made = provider(server, "ollama")
    found = made.fingerprint(MODEL)
    assert (found["server_version"], found["model_digest"]) == ("0.9.1", "ab12")
    made.check(MODEL)


def test_vllm_reports_its_version_and_the_longest_context(server: ScriptedServer) -> None:
    server.on("GET", "/health", reply(200))
    server.on("GET", "/version", json_reply({"version": "0.14.0"}))
    server.on("GET", "/v1/models", json_reply({"data": [{"id": "small-7b", "max_model_len": 8192}]}))
    found = provider(server, "vllm").fingerprint(MODEL)
    assert (found["server"], found["server_version"], found["window"]) == ("vLLM", "0.14.0", 8192)


def test_a_server_that_does_not_report_its_properties_is_used_anyway(server: ScriptedServer) -> None:
    _llamacpp(server)
    server.on("GET", "/props", json_reply({"error": {"message": "disabled"}}, 403))
    assert "server_version" not in provider(server, "llamacpp").fingerprint(MODEL)


def test_a_vendor_is_not_asked_for_facts(server: ScriptedServer) -> None:
    assert provider(server).fingerprint(MODEL)["api"] == f"127.0.0.1:{server.port}"
    assert server.asked == []


@pytest.mark.parametrize("call", ["check", "fingerprint"])
def test_a_server_that_is_loading_its_model_has_another_error_than_one_that_fails(
    server: ScriptedServer, call: str
) -> None:
    loading = {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}
    server.on("GET", "/health", json_reply(loading, 503))
    with pytest.raises(LoadingError, match="Loading model"):
        getattr(provider(server, "llamacpp"), call)(MODEL)


def test_a_server_that_does_not_run_is_reported_with_how_to_start_it() -> None:
    with scripted() as server:
        gone = server
    with pytest.raises(TransientError, match=f"at 127.0.0.1:{gone.port}") as caught:
        provider(gone, "llamacpp").fingerprint(MODEL)
    assert "llama-server -m MODEL.gguf --port 8080" in str(caught.value.hint)


@pytest.mark.parametrize("served", ["small-7b", "/models/small-7b.gguf", "small-7b:latest"])
def test_a_served_model_can_be_named_by_a_short_form(server: ScriptedServer, served: str) -> None:
    server.on("GET", "/v1/models", json_reply({"data": [{"id": served}]}))
    provider(server).check(MODEL)


def test_a_model_that_a_server_on_this_machine_does_not_list_is_refused_before_anything_is_asked(
    server: ScriptedServer,
) -> None:
    server.on("GET", "/v1/models", json_reply({"data": [{"id": "large"}]}))
    with pytest.raises(PermanentError, match="it serves: large"):
        provider(server).check(MODEL)


@pytest.mark.parametrize("length", [4096, 0, None, "4096", 4096.5, -1])
def test_a_bare_list_of_models_and_invalid_context_lengths_are_accepted(server: ScriptedServer, length: object) -> None:
    server.on("GET", "/v1/models", json_reply([{"id": "large"}, {"id": "small-7b", "context_length": length}]))
    made = provider(server)
    made.check(MODEL)
    assert made.context_length(MODEL) == (4096 if length in {4096, "4096"} else None)


def test_a_served_file_is_listed_and_matched_by_its_short_name(server: ScriptedServer) -> None:
    path = f"/{'long folder/' * 20}SmolLM2-135M-Instruct.Q4_1.gguf"
    server.on("GET", "/v1/models", json_reply({"data": [{"id": path}]}))
    made = provider(server)
    with pytest.raises(PermanentError, match=r"it serves: SmolLM2-135M-Instruct\.Q4_1") as caught:
        made.check(replace(MODEL, id="smollm", alias="here/smollm"))
    assert caught.value.hint == "name one of them: here/SmolLM2-135M-Instruct.Q4_1"
    made.check(replace(MODEL, id="SmolLM2-135M-Instruct.Q4_1"))


def test_invalid_entries_in_a_list_of_models_do_not_hide_the_others(server: ScriptedServer) -> None:
    told = {"data": [None, {"id": None}, {"id": "small-7b", "max_model_len": None, "context_window": 8192}]}
    server.on("GET", "/v1/models", json_reply(told))
    made = provider(server)
    assert made.context_length(MODEL) == 8192
    with pytest.raises(PermanentError, match="it serves: small-7b"):
        made.check(replace(MODEL, id="another"))


@pytest.mark.parametrize(
    "props",
    [
        {
            "build_info": None,
            "model_path": 7,
            "total_slots": "many",
            "chat_template": [],
            "default_generation_settings": 0,
        },
        ["props"],
        None,
    ],
)
def test_properties_of_llamacpp_in_an_unknown_shape_are_ignored(server: ScriptedServer, props: object) -> None:
    _llamacpp(server)
    server.on("GET", "/props", json_reply(props))
    found = provider(server, "llamacpp").fingerprint(MODEL)
    assert found == {
        "provider": "openai_compatible",
        "api": f"127.0.0.1:{server.port}",
        "model": "small-7b",
        "server": "llama.cpp",
    }


@pytest.mark.parametrize("tags", [{"models": [None, {"name": 1}]}, {"models": None}, []])
def test_properties_of_ollama_in_an_unknown_shape_are_ignored(server: ScriptedServer, tags: object) -> None:
    server.on("GET", "/api/version", json_reply({"version": 9}))
    server.on("GET", "/api/tags", json_reply(tags))
    server.on("GET", "/v1/models", json_reply({"data": []}))
    assert "model_digest" not in provider(server, "ollama").fingerprint(MODEL)


@pytest.mark.parametrize(
    "told", [reply(404), json_reply({"data": []}), reply(405), json_reply({"data": None}), json_reply("none")]
)
def test_without_a_list_of_models_the_check_passes(server: ScriptedServer, told: Reply) -> None:
    server.on("GET", "/v1/models", told)
    provider(server).check(MODEL)


def test_concurrent_requests_are_as_configured_or_two_per_slot_or_the_default(server: ScriptedServer) -> None:
    _llamacpp(server, slots=4)
    made = provider(server, "llamacpp")
    assert isinstance(made, LiveProvider)
    assert made.in_flight == IN_FLIGHT
    made.fingerprint(MODEL)
    assert made.in_flight == 8
    assert provider(server, limits=Limits(in_flight=3)).in_flight == 3


def test_the_timeout_of_an_answer_is_that_of_the_instance(server: ScriptedServer) -> None:
    server.on("POST", "/v1/chat/completions", Reply(end="stall"))
    with pytest.raises(TransientError, match="ReadTimeout"):
        provider(server, connection=Connection(read_s=0.1)).answer(row(), MODEL)


def test_openai_is_asked_live_by_the_preset(server: ScriptedServer) -> None:
    instance, env = OpenAICompatibleProvider.emulated(preset_instance("openai"), server.url, KEY, "")
    server.on("POST", "/v1/chat/completions", json_reply(CHAT))
    OpenAICompatibleProvider.open(env, instance).answer(row(), MODEL)
    assert server.asked[-1].headers["authorization"] == f"Bearer {KEY}"
