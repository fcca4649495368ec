"""The OpenAI adapter against a server with scripted answers: requests, malformed answers, and their consequences."""

from __future__ import annotations

import gzip
import json
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptrial.config.instances import preset_instance
from promptrial.errors import (
    ConfigError,
    OutcomeUnknownError,
    PermanentError,
    ResultsEmptyError,
    ResultsGoneError,
    ResultsShortError,
    ResultsTornError,
    TransientError,
)
from promptrial.model import Message, ModelSpec, Request, RequestId, Sampling
from promptrial.model.instances import Instance, RequestOptions
from promptrial.providers.base import JobRef, JobState, PartPayload
from promptrial.providers.http_service import Timeouts
from promptrial.providers.openai import OpenAIProvider
from promptrial.providers.openai_models import check_model
from promptrial.providers.openai_wire import STATES
from promptrial.providers.request_rows import encode_request_row
from tests.support.http_scripted import Asked, Reply, ScriptedServer, bare, json_reply, reply, scripted
from tests.support.payloads import part_of

KEY = "sk-" + "secretsecret"
MODEL = ModelSpec("mini", "gpt-4o-mini", "openai")
IDS = [f"squad_v2|q{number}|control|0.0|0|closed" for number in range(4)]
PATIENT = Timeouts(connect_s=20.0, read_s=20.0, write_s=20.0, pool_s=20.0)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted() as running:
        running.on("GET", "/v1/files", listing())
        running.on("GET", "/v1/batches", listing())
        running.on("POST", "/v1/files", json_reply(file()))
        running.on("GET", "/v1/files/file-1", json_reply(file()))
        yield running


def opened(server: ScriptedServer, preset: str = "openai", **changes: Any) -> OpenAIProvider:
    instance = replace(preset_instance(preset), base_url=f"{server.url}/v1", key="SOME_KEY", **changes)
    return OpenAIProvider.open({"SOME_KEY": KEY}, instance)


@pytest.fixture
def provider(server: ScriptedServer) -> Iterator[OpenAIProvider]:
    with closing(opened(server)) as made:
        yield made


def payload_of(folder: Path, model: ModelSpec = MODEL, **changes: Any) -> PartPayload:
    """Return a part of four requests, in a file."""
    messages = (Message("system", "Be brief."), Message("user", "What is it?"))
    sampling = Sampling(temperature=0.7, top_p=0.9, top_k=50, max_tokens=16, stop=("END",), seed=3)
    ids = [RequestId("squad_v2", f"q{number}", "control", "0.7", 0, "closed") for number in range(4)]
    lines = (encode_request_row(Request(each, messages, sampling)) for each in ids)
    return part_of(folder / "requests.jsonl", lines, model, "pt-1-a1", **changes)


@pytest.fixture
def payload(tmp_path: Path) -> PartPayload:
    return payload_of(tmp_path)


def file(name: str = "file-1", **more: Any) -> dict[str, Any]:
    return {
        "id": name, "object": "file", "bytes": 9, "created_at": 1, "filename": "x.jsonl", "purpose": "batch",
        "status": "processed", **more,
    }  # fmt: skip


def batch(status: str = "in_progress", name: str = "batch_1", **more: Any) -> dict[str, Any]:
    return {
        "id": name, "object": "batch", "endpoint": "/v1/chat/completions", "errors": None, "input_file_id": "file-1",
        "completion_window": "24h", "status": status, "output_file_id": None, "error_file_id": None,
        "created_at": 1000, "request_counts": {"total": 4, "completed": 4, "failed": 0}, "metadata": None, **more,
    }  # fmt: skip


def listing(*data: dict[str, Any], more: bool = False) -> Reply:
    return json_reply({"object": "list", "data": list(data), "has_more": more})


def refusal(status: int, message: str = "no", code: str | None = None) -> Reply:
    return json_reply({"error": {"message": message, "type": "x", "param": None, "code": code}}, status)


def asked(server: ScriptedServer, call: str) -> list[Asked]:
    method, path = call.split()
    return [each for each in server.asked if each.method == method and each.target.partition("?")[0] == path]


# --- opening and names -----------------------------------------------------------------------------------------------


def test_the_key_is_sent_only_to_openai_unless_another_host_is_trusted() -> None:
    instance = replace(preset_instance("openai"), base_url="https://gateway.example/v1")
    with pytest.raises(ConfigError, match=r"gateway\.example"):
        OpenAIProvider.open({"OPENAI_API_KEY": KEY}, instance)
    env = {"OPENAI_API_KEY": KEY, "PROMPTRIAL_TRUSTED_HOSTS": "gateway.example"}
    OpenAIProvider.open(env, instance).close()


def test_a_missing_key_is_named() -> None:
    with pytest.raises(ConfigError, match="GROQ_API_KEY is not set"):
        OpenAIProvider.open({}, preset_instance("groq"))


@pytest.mark.parametrize(
    ("name", "options", "refused"),
    [
        ("o3-mini", {}, True),
        ("o1", {}, True),
        ("gpt-5", {}, True),
        ("gpt-5-mini-2026-01-01", {}, True),
        ("gpt-5.1", {}, True),
        ("ft:o4-mini:acme::1", {}, True),
        ("gpt-5.1", {"reasoning_effort": "none"}, False),
        ("gpt-5", {"reasoning_effort": "none"}, True),
        ("o3-mini", {"sampling": "provider_default"}, False),
        ("gpt-5-chat-latest", {}, False),
        ("gpt-4o-mini", {}, False),
        ("gpt-50-turbo", {}, False),
        ("openai/gpt-oss-120b", {}, False),
        ("o3x", {}, False),
    ],
)
def test_a_model_that_takes_no_temperature_is_refused_before_anything_is_sent(
    name: str, options: dict[str, Any], *, refused: bool
) -> None:
    model = ModelSpec("m", name, "openai", options=RequestOptions(**options))
    if not refused:
        check_model(model)
        return
    with pytest.raises(ConfigError, match="accepts no temperature") as caught:
        check_model(model)
    assert "`sampling: provider_default` in `models.m`" in (caught.value.hint or "")
    assert ("reasoning_effort: none" in (caught.value.hint or "")) == name.startswith("gpt-5.")


@pytest.mark.parametrize("key", ["messages", "model", "custom_id", "stream", "n", "temperature", "max_tokens"])
def test_extra_keys_cannot_be_keys_that_have_their_own_setting(key: str) -> None:
    model = ModelSpec("m", "gpt-4o", "openai", options=RequestOptions(extra_body=json.dumps({key: 1})))
    with pytest.raises(ConfigError, match=f"may not hold '{key}'"):
        check_model(model)


SAMPLING = Sampling(temperature=0.0, top_p=1.0, top_k=50, max_tokens=16, stop=(), seed=3)


@pytest.mark.parametrize(
    ("options", "changes", "preset", "expected"),
    [
        ({}, {}, "openai", "OpenAI's chat completions do not support top_k, so it is not sent"),
        ({}, {}, "groq", "Groq's chat completions do not support top_k, so it is not sent"),
        (
            {"endpoint": "responses"},
            {},
            "openai",
            "OpenAI's responses do not support top_k or seed, so neither is sent",
        ),
        ({}, {"stop": ("END",)}, "openai", "OpenAI's chat completions do not support top_k, so it is not sent"),
        ({}, {}, "vllm", None),
        ({}, {"top_k": 20}, "vllm", None),
        (
            {"sampling": "provider_default"},
            {"temperature": 1.0},
            "openai",
            "OpenAI's chat completions: temperature, top_p, top_k and seed are not sent; the vendor's defaults apply",
        ),
    ],
)
def test_parameters_that_are_not_sent_are_named_in_one_sentence(
    options: dict[str, Any], changes: dict[str, Any], preset: str, expected: str | None
) -> None:
    model = replace(MODEL, options=RequestOptions(**options))
    assert OpenAIProvider.check_sampling(model, replace(SAMPLING, **changes), preset_instance(preset)) == expected


@pytest.mark.parametrize(
    ("options", "changes", "problem"),
    [
        ({}, {"top_k": 40}, "do not support top_k, but `top_k` is 40"),
        ({"endpoint": "responses"}, {"stop": ("END",)}, "do not support stop sequences"),
        ({"sampling": "provider_default"}, {"temperature": 0.7}, "`temps` is 0.7"),
        ({"sampling": "provider_default"}, {"top_p": 0.9}, "`top_p` is 0.9"),
        ({"sampling": "provider_default"}, {"top_k": 1}, "`top_k` is 1"),
    ],
)
def test_a_chosen_parameter_that_cannot_be_sent_is_refused(
    options: dict[str, Any], changes: dict[str, Any], problem: str
) -> None:
    model = replace(MODEL, options=RequestOptions(**options))
    with pytest.raises(ConfigError, match=problem) as caught:
        OpenAIProvider.check_sampling(model, replace(SAMPLING, **changes), preset_instance("openai"))
    assert caught.value.hint


def test_the_fingerprint_names_what_changes_answers_and_no_secret(server: ScriptedServer) -> None:
    headers = (("OpenAI-Organization", "org-1"), ("X-Gateway-Token", "hushhush"))
    with closing(opened(server, headers=headers)) as provider:
        found = provider.fingerprint(MODEL)
    assert found == {
        "provider": "openai", "model": "gpt-4o-mini", "api": f"127.0.0.1:{server.port}",
        "endpoint": "/v1/chat/completions", "sampling": "temperature top_p seed", "organization": "org-1",
    }  # fmt: skip


def test_a_deployment_at_azure_is_asked_with_its_own_paths_and_header(
    server: ScriptedServer, payload: PartPayload
) -> None:
    server.on("POST", "/v1/batches", json_reply(batch("validating")))
    with closing(opened(server, "azure")) as provider:
        provider.stage(payload)
        provider.submit(payload)
        assert provider.fingerprint(MODEL)["endpoint"] == "/chat/completions"
    (create,) = asked(server, "POST /v1/batches")
    assert json.loads(create.body)["endpoint"] == "/chat/completions"
    assert create.headers["api-key"] == KEY
    assert "authorization" not in create.headers
    (upload,) = asked(server, "POST /v1/files")
    assert b'"url":"/chat/completions"' in upload.body


# --- the check -------------------------------------------------------------------------------------------------------


def test_a_valid_key_and_an_existing_model_pass_the_check(server: ScriptedServer, provider: OpenAIProvider) -> None:
    server.on("GET", "/v1/models/gpt-4o-mini", json_reply({"id": "gpt-4o-mini"}))
    provider.check(MODEL)
    assert [each.target for each in server.asked] == ["/v1/batches?limit=1", "/v1/models/gpt-4o-mini"]


def test_a_wrong_key_is_refused_with_the_name_of_its_variable(server: ScriptedServer, provider: OpenAIProvider) -> None:
    server.on("GET", "/v1/batches", refusal(401, f"Incorrect API key provided: {KEY}", "invalid_api_key"))
    with pytest.raises(PermanentError, match="SOME_KEY") as caught:
        provider.check(MODEL)
    assert KEY not in str(caught.value)


def test_only_a_clear_answer_that_the_model_does_not_exist_fails_the_check(
    server: ScriptedServer, provider: OpenAIProvider
) -> None:
    server.on("GET", "/v1/models/gpt-4o-mini", refusal(404, "The model does not exist", "model_not_found"))
    with pytest.raises(PermanentError, match="OpenAI has no model gpt-4o-mini") as caught:
        provider.check(MODEL)
    assert "models.mini.id" in (caught.value.hint or "")
    for told in (refusal(404, "Resource not found"), refusal(403), reply(500), reply(200, b"<html>"), refusal(429)):
        server.on("GET", "/v1/models/gpt-4o-mini", told)
        provider.check(MODEL)


# --- uploads ---------------------------------------------------------------------------------------------------------


def test_requests_are_uploaded_as_rows_of_the_vendor_under_our_own_file_name(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload
) -> None:
    staged = provider.stage(payload)
    assert (staged.name, staged.ready) == ("file-1", True)
    (upload,) = asked(server, "POST /v1/files")
    assert b'name="purpose"\r\n\r\nbatch\r\n' in upload.body
    assert b'name="file"; filename="pt-1-a1.jsonl"' in upload.body
    rows = [json.loads(line) for line in upload.body.splitlines() if line.startswith(b"{")]
    assert [row["custom_id"] for row in rows] == [row.custom_id for row in payload.requests()]
    assert rows[0] | {"custom_id": ""} == {
        "custom_id": "", "method": "POST", "url": "/v1/chat/completions",
        "body": {
            "model": "gpt-4o-mini", "temperature": 0.7, "top_p": 0.9, "seed": 3, "max_completion_tokens": 16,
            "stop": ["END"],
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is it?"}],
        },
    }  # fmt: skip
    assert list(payload.path.parent.iterdir()) == [payload.path], "no file is left behind"


def test_a_process_killed_during_an_upload_leaves_no_request_file_on_disk(
    server: ScriptedServer,
    provider: OpenAIProvider,
    payload: PartPayload,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, answered = tmp_path / "temporary", server.next_reply
    seen: list[tuple[str, list[Path]]] = []
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))

    def look(asked: Asked) -> Reply:
        seen.append((asked.method, list(folder.iterdir())))
        return answered(asked)

    monkeypatch.setattr(server, "next_reply", look)
    provider.stage(payload)
    assert ("POST", []) in seen


def test_an_existing_file_is_not_uploaded_again_by_the_same_process(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload
) -> None:
    assert provider.stage(payload) == provider.stage(payload)
    assert len(asked(server, "POST /v1/files")) == 1


def test_another_process_uses_a_recorded_file_without_listing(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload
) -> None:
    server.on("GET", "/v1/files/file-9", json_reply(file("file-9")))
    assert provider.stage(replace(payload, staged="file-9")).name == "file-9"
    assert [each.target for each in server.asked] == ["/v1/files/file-9"]


def test_an_uploaded_but_unrecorded_file_is_found_by_its_name_and_size(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload
) -> None:
    provider.stage(payload)
    (upload,) = asked(server, "POST /v1/files")
    size = sum(len(line) + 1 for line in upload.body.splitlines() if line.startswith(b"{"))
    server.on("GET", "/v1/files/file-9", json_reply(file("file-9")))
    there = file("file-9", filename="pt-1-a1.jsonl", bytes=size)
    cut = file("file-8", filename="pt-1-a1.jsonl", bytes=size - 1)
    server.on("GET", "/v1/files", listing(cut, file(), more=True), listing(there))
    with closing(opened(server)) as another:
        assert another.stage(payload).name == "file-9"
    assert len(asked(server, "POST /v1/files")) == 1
    lists = asked(server, "GET /v1/files")[-2:]
    assert [each.target.partition("?")[2] for each in lists] == [
        "purpose=batch&limit=1000&order=desc", "purpose=batch&limit=1000&order=desc&after=file-1",
    ]  # fmt: skip


def test_an_upload_whose_answer_was_lost_is_searched_for_before_it_is_repeated(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload
) -> None:
    server.on("POST", "/v1/files", Reply(end="reset"))
    with pytest.raises(TransientError):
        provider.stage(payload)
    (upload,) = asked(server, "POST /v1/files")
    size = sum(len(line) + 1 for line in upload.body.splitlines() if line.startswith(b"{"))
    server.on("GET", "/v1/files", listing(file(filename="pt-1-a1.jsonl", bytes=size)))
    assert provider.stage(payload).name == "file-1"
    assert len(asked(server, "POST /v1/files")) == 1


def test_a_deleted_file_is_uploaded_again(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload
) -> None:
    server.on("GET", "/v1/files/file-9", refusal(404))
    assert provider.stage(replace(payload, staged="file-9")).name == "file-1"


@pytest.mark.parametrize(
    ("status", "ready"), [("processed", True), ("uploaded", True), (None, True), ("pending", False)]
)
def test_a_file_is_waited_for_where_the_vendor_says_so(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload, status: str | None, *, ready: bool
) -> None:
    server.on("POST", "/v1/files", json_reply(file(status=status)))
    assert provider.stage(payload).ready is ready


def test_a_file_that_the_vendor_cannot_read_is_a_clear_error(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload
) -> None:
    server.on("POST", "/v1/files", json_reply(file(status="error")))
    with pytest.raises(PermanentError, match="refuses the requests pt-1-a1: it says 'error'"):
        provider.stage(payload)


# --- creation, and finding what was created --------------------------------------------------------------------------


def test_a_batch_is_created_with_one_call_that_carries_our_key(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload
) -> None:
    server.on("POST", "/v1/batches", json_reply(batch("validating")))
    provider.stage(payload)
    assert provider.submit(payload) == JobRef("batch_1")
    (create,) = asked(server, "POST /v1/batches")
    assert json.loads(create.body) == {
        "input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h",
        "metadata": {
            "promptrial_key": "pt-1-a1", "promptrial_requests": "pt-1-a1", "promptrial_model": "gpt-4o-mini",
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("told", "error"),
    [
        (Reply(end="reset"), OutcomeUnknownError),
        (reply(500), OutcomeUnknownError),
        (reply(200, b"{"), OutcomeUnknownError),
        (refusal(429), TransientError),
        (refusal(400, "Invalid metadata"), PermanentError),
    ],
)
def test_the_provider_never_repeats_a_create_call(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload, told: Reply, error: type[Exception]
) -> None:
    server.on("POST", "/v1/batches", told)
    provider.stage(payload)
    with pytest.raises(error):
        provider.submit(payload)
    assert len(asked(server, "POST /v1/batches")) == 1


@pytest.mark.parametrize("name", ["", ".", "../batch_2", "batch 1", "batch\x1b[2J", "batch_1\n", "x" * 513, 5, None])
def test_a_created_batch_with_an_invalid_name_has_an_unknown_outcome(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload, name: object
) -> None:
    server.on("POST", "/v1/batches", json_reply(batch() | {"id": name}))
    with pytest.raises(OutcomeUnknownError, match="cannot be read") as caught:
        provider.submit(replace(payload, staged="file-1"))
    assert "\x1b" not in caught.value.message


def test_an_existing_file_that_batch_creation_does_not_see_yet_is_waited_for(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload
) -> None:
    server.on("POST", "/v1/batches", refusal(404, "No such File object: file-1"))
    provider.stage(payload)
    with pytest.raises(TransientError, match="No such File"):
        provider.submit(payload)
    server.on("GET", "/v1/files/file-1", refusal(404))
    with pytest.raises(PermanentError, match="No such File") as caught:
        provider.submit(payload)
    assert "uploads" in (caught.value.hint or "")


def ours(name: str = "batch_1", created: float = 5000, **more: Any) -> dict[str, Any]:
    tags = {"promptrial_key": "pt-1-a1", "promptrial_requests": "pt-1-a1", "promptrial_model": "gpt-4o-mini"}
    return batch(name=name, created_at=created, **{"metadata": tags, "input_file_id": "file-7", **more})


def other(name: str, created: float = 5000) -> dict[str, Any]:
    return batch("completed", name, created_at=created, input_file_id="file-other", metadata={"team": "x"})


def test_a_batch_is_found_by_our_key_or_by_the_file_that_it_was_made_from(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload
) -> None:
    server.on("GET", "/v1/batches", listing(other("batch_3"), ours(), other("batch_2")))
    assert provider.find(payload) == JobRef("batch_1")
    server.on("GET", "/v1/batches", listing(other("batch_3"), batch(name="batch_8", metadata={})))
    assert provider.find(payload) is None
    assert provider.find(replace(payload, staged="file-1")) == JobRef("batch_8")


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "upstream unavailable"}},
        {},
        {"object": "list", "data": None},
        {"data": [], "has_more": True},
    ],
)
def test_an_incomplete_list_never_means_that_there_is_no_batch(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload, body: dict[str, Any]
) -> None:
    server.on("GET", "/v1/batches", json_reply(body))
    with pytest.raises(TransientError):
        provider.find(payload)


def test_the_oldest_of_two_batches_with_our_key_is_ours(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload
) -> None:
    server.on("GET", "/v1/batches", listing(ours("batch_2", 5002), ours("batch_1", 5001)))
    assert provider.find(payload) == JobRef("batch_1")


def test_the_list_is_read_until_a_whole_page_is_older_than_the_file_whatever_our_clock(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload
) -> None:
    pages = [
        listing(other("b9", 90_000), other("b8", 89_000), more=True),
        listing(other("b7", 50_000), other("b6", 87_000), more=True),  # one is new enough
        listing(other("b5", 86_399), other("b4", 80_000), more=True),
        listing(ours(created=70_000), more=True),
    ]
    server.on("GET", "/v1/files/file-8", json_reply(file("file-8", created_at=90_000)))
    for since in (1.0, 1_800_000_000.0):
        server.on("GET", "/v1/batches", *pages)
        server.asked.clear()
        assert provider.find(replace(payload, since=since, staged="file-8")) is None
        assert [each.target for each in server.asked if "batches" in each.target] == [
            "/v1/batches?limit=100", "/v1/batches?limit=100&after=b8", "/v1/batches?limit=100&after=b6",
        ]  # fmt: skip


def test_the_creation_time_of_the_file_is_still_known_after_a_fence(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload
) -> None:
    staged = replace(payload, since=1_800_000_000.0, staged="file-8")
    server.on("GET", "/v1/files/file-8", json_reply(file("file-8", created_at=90_000)))
    server.on("DELETE", "/v1/files/file-8", json_reply({"id": "file-8", "deleted": True}))
    assert provider.fence(staged)
    server.on("GET", "/v1/files/file-8", refusal(404))
    server.on("GET", "/v1/batches", listing(other("b9", 90_000), more=True), listing(ours(created=90_001)))
    assert provider.find(staged) == JobRef("batch_1")


def test_if_the_file_is_unknown_our_clock_ends_the_search_after_some_pages(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload
) -> None:
    server.on("GET", "/v1/files/file-8", refusal(404))
    pages = [listing(other(f"b{number}", 5), more=True) for number in range(9)]
    for at, found in ((9, JobRef("batch_1")), (10, None)):
        server.on("GET", "/v1/batches", *pages[:9], *[listing(other("b9", 5), more=True)] * (at - 9), listing(ours()))
        assert provider.find(replace(payload, since=1_800_000_000.0, staged="file-8")) == found


def test_without_a_time_the_whole_list_is_read(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload
) -> None:
    server.on(
        "GET", "/v1/batches", listing(other("b9", 9), more=True), listing(other("b8", 8), more=True), listing(ours())
    )
    assert provider.find(payload) == JobRef("batch_1")


def test_a_list_that_loops_is_not_accepted(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload
) -> None:
    server.on("GET", "/v1/batches", listing(other("b9"), more=True))
    with pytest.raises(TransientError, match="its pages repeat from b9"):
        provider.find(payload)


@pytest.mark.parametrize(
    "tags",
    [
        {"promptrial_key": "pt-1-a1", "promptrial_requests": "pt-2-a1", "promptrial_model": "gpt-4o-mini"},
        {"promptrial_key": "pt-1-a1", "promptrial_requests": "pt-1-a1", "promptrial_model": "gpt-4o"},
    ],
)
def test_a_batch_made_from_other_requests_or_for_another_model_is_not_taken_for_ours(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload, tags: dict[str, str]
) -> None:
    server.on("GET", "/v1/batches", listing(ours(metadata=tags)))
    with pytest.raises(PermanentError, match="batch_1 of pt-1-a1") as caught:
        provider.find(payload)
    assert "batch_1" in (caught.value.hint or "")


@pytest.mark.parametrize("errors", [[], "none", {"data": "none"}, {"data": [None, 4]}, 0])
def test_a_malformed_batch_in_the_account_does_not_prevent_finding_ours(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload, errors: object
) -> None:
    odd = ours("batch_2", 5002, errors=errors, request_counts=[], metadata={})
    server.on("GET", "/v1/batches", listing(odd, ours()))
    assert provider.find(payload) == JobRef("batch_1")


def full(**more: Any) -> dict[str, Any]:
    errors = {"object": "list", "data": [{"code": "token_limit_exceeded", "message": "Limit: 90,000", "line": None}]}
    return {"status": "failed", "errors": errors, "request_counts": {"total": 0, "completed": 0, "failed": 0}, **more}


def test_a_batch_that_failed_for_lack_of_quota_is_not_found(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload
) -> None:
    server.on("GET", "/v1/batches", listing(ours(**full())))
    assert provider.find(payload) is None
    server.on("GET", "/v1/batches", listing(ours("batch_2", 5002), ours(**full())))
    assert provider.find(payload) == JobRef("batch_2")


@pytest.mark.parametrize(
    ("told", "certain"),
    [
        (json_reply({"id": "file-1", "object": "file", "deleted": True}), True),
        (refusal(404), True),
        (json_reply({"id": "file-1", "object": "file", "deleted": False}), False),
        (refusal(409, "in use"), False),
        (refusal(403), False),
    ],
)
def test_a_fence_deletes_the_file_and_holds_only_if_the_vendor_confirms_that(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload, told: Reply, *, certain: bool
) -> None:
    server.on("DELETE", "/v1/files/file-1", told)
    assert provider.fence(replace(payload, staged="file-1")) is certain


def test_a_payload_without_a_recorded_file_cannot_be_fenced(provider: OpenAIProvider, payload: PartPayload) -> None:
    assert provider.fence(payload) is False


# --- states ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "state"), STATES.items())
def test_every_state_has_a_meaning(
    server: ScriptedServer, provider: OpenAIProvider, status: str, state: JobState
) -> None:
    server.on("GET", "/v1/batches/batch_1", json_reply(batch(status)))
    assert provider.status(JobRef("batch_1")).state is state


def test_an_unknown_state_counts_as_working_and_is_reported(server: ScriptedServer, provider: OpenAIProvider) -> None:
    server.on("GET", "/v1/batches/batch_1", json_reply(batch("reticulating")))
    found = provider.status(JobRef("batch_1"))
    assert (found.state, found.message) == (
        JobState.WORKING, "OpenAI says 'reticulating', an unknown state",
    )  # fmt: skip


@pytest.mark.parametrize(
    "odd", [{"errors": []}, {"errors": ""}, {"errors": {"data": {}}}, {"request_counts": []}, {"metadata": "x"}]
)
def test_invalid_values_in_irrelevant_fields_do_not_prevent_fetching_a_batch(
    server: ScriptedServer, provider: OpenAIProvider, odd: dict[str, Any]
) -> None:
    server.on("GET", "/v1/batches/batch_1", json_reply(batch("completed", **odd)))
    assert provider.status(JobRef("batch_1")).state is JobState.READY


@pytest.mark.parametrize("status", [None, 5, ["completed"]])
def test_a_state_that_is_not_text_counts_as_unknown(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload, status: object
) -> None:
    server.on("GET", "/v1/batches/batch_1", json_reply(batch() | {"status": status}))
    assert provider.status(JobRef("batch_1")).state is JobState.WORKING
    ours = batch(name="batch_2", metadata={"promptrial_key": payload.key})
    server.on("GET", "/v1/batches", listing(batch() | {"status": status}, ours))
    assert provider.find(payload) == JobRef("batch_2")


def test_errors_in_another_shape_are_reported_unchanged(server: ScriptedServer, provider: OpenAIProvider) -> None:
    server.on("GET", "/v1/batches/batch_1", json_reply(batch("failed", errors=["the file is too old"])))
    assert "the file is too old" in provider.status(JobRef("batch_1")).message


@pytest.mark.parametrize("name", ["..", "../../v1/models", "https://evil.example/x", "a?b", "\x1b[2J"])
def test_a_file_name_cannot_escape_its_url_path(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload, name: str
) -> None:
    server.on("GET", "/v1/batches/batch_1", json_reply(batch("completed", output_file_id=name)))
    with pytest.raises(TransientError, match="cannot be read"):
        list(provider.results(JobRef("batch_1"), payload))
    assert len(server.asked) == 1


def test_an_unknown_batch_is_missing(server: ScriptedServer, provider: OpenAIProvider) -> None:
    server.on("GET", "/v1/batches/batch_1", refusal(404, "No batch found"))
    assert provider.status(JobRef("batch_1")).state is JobState.MISSING


def test_a_full_queue_at_the_vendor_is_not_a_failure(server: ScriptedServer, provider: OpenAIProvider) -> None:
    server.on("GET", "/v1/batches/batch_1", json_reply(batch(**full())))
    found = provider.status(JobRef("batch_1"))
    assert found.state is JobState.NO_ROOM
    assert found.message.startswith("token_limit_exceeded: Limit: 90,000; ")
    assert "lines_per_part" in found.message


def test_a_batch_that_also_has_another_fault_has_failed(server: ScriptedServer, provider: OpenAIProvider) -> None:
    told = full()
    told["errors"]["data"].append({"code": "invalid_json_line", "message": "bad", "line": 2})
    server.on("GET", "/v1/batches/batch_1", json_reply(batch(**told)))
    assert provider.status(JobRef("batch_1")).state is JobState.FAILED


@pytest.mark.parametrize(
    ("problems", "said"),
    [
        (
            [{"code": "model_mismatch", "line": 3, "message": "Expected a.", "param": "body.model"}],
            "row 3: model_mismatch: Expected a.; check `id` of the model: a file may ask only one model",
        ),
        (
            [{"code": "too_many_tasks", "line": None, "message": "50,001 > 50,000"}],
            (
                "too_many_tasks: 50,001 > 50,000; make parts smaller: lower `lines_per_part`, or `max_rows` of the "
                "provider"
            ),
        ),
        ([{"code": f"c{number}", "message": "m"} for number in range(5)], "c0: m; c1: m; c2: m; and 2 more"),
        ([{"code": None, "line": "x", "message": "line\nbreak\x1b[1m"}], "line break [1m"),
        ([{}], "no reason given"),
        (None, ""),
    ],
)
def test_validation_errors_are_one_clear_message_with_the_row_and_what_to_do(
    server: ScriptedServer, provider: OpenAIProvider, problems: list[dict[str, Any]] | None, said: str
) -> None:
    server.on("GET", "/v1/batches/batch_1", json_reply(batch("failed", errors={"object": "list", "data": problems})))
    found = provider.status(JobRef("batch_1"))
    assert (found.state, found.message) == (JobState.FAILED, said)


def test_no_message_contains_a_model_name_from_the_environment(
    server: ScriptedServer, provider: OpenAIProvider, tmp_path: Path
) -> None:
    model = ModelSpec("m", "ft:secret-name", "openai", written_id="${MODEL}")
    payload = payload_of(tmp_path, model)
    said = [str(provider.fingerprint(model))]
    problems = [{"code": "model_not_found", "line": 1, "message": "The model 'ft:secret-name' is not there."}]
    server.on("GET", "/v1/batches/batch_1", json_reply(batch("failed", errors={"data": problems})))
    said.append(provider.status(JobRef("batch_1")).message)
    server.on("POST", "/v1/batches", refusal(400, "No model ft:secret-name"))
    server.on("GET", "/v1/models/ft%3Asecret-name", refusal(404, "No model ft:secret-name", "model_not_found"))
    provider.stage(payload)
    for call in (lambda: provider.submit(payload), lambda: provider.check(model)):
        with pytest.raises(PermanentError) as caught:
            call()
        said.append(str(caught.value))
        assert "secret-name" not in repr(caught.value.__cause__)
    assert all("${MODEL}" in text for text in said)
    assert not [text for text in said if "secret-name" in text]


def test_a_batch_is_cancelled_and_one_that_has_ended_or_is_gone_counts_as_stopped(
    server: ScriptedServer, provider: OpenAIProvider
) -> None:
    server.on("POST", "/v1/batches/batch_1/cancel", json_reply(batch("cancelling")))
    provider.cancel(JobRef("batch_1"))
    assert asked(server, "POST /v1/batches/batch_1/cancel")[0].body == b""
    server.on("POST", "/v1/batches/batch_1/cancel", refusal(404))
    provider.cancel(JobRef("batch_1"))
    server.on("POST", "/v1/batches/batch_1/cancel", refusal(409, "Cannot cancel a completed batch"))
    server.on("GET", "/v1/batches/batch_1", json_reply(batch("completed")))
    provider.cancel(JobRef("batch_1"))
    server.on("GET", "/v1/batches/batch_1", json_reply(batch("in_progress")))
    with pytest.raises(PermanentError):
        provider.cancel(JobRef("batch_1"))


# --- results: the table ----------------------------------------------------------------------------------------------


def answer(number: int, words: str = "Rome") -> dict[str, Any]:
    chat = {"id": f"chatcmpl-{number}", "choices": [{"message": {"content": words}, "finish_reason": "stop"}]}
    return {
        "id": f"batch_req_{number}", "custom_id": f"q{number}", "error": None,
        "response": {"status_code": 200, "request_id": f"req_{number}", "body": chat},
    }  # fmt: skip


def failed(number: int, status: int) -> dict[str, Any]:
    body = {"error": {"message": "no", "code": "bad"}}
    return {**answer(number), "response": {"status_code": status, "request_id": "r", "body": body}}


def ended_early(number: int, code: str = "batch_expired") -> dict[str, Any]:
    return {**answer(number), "response": None, "error": {"code": code, "message": "This request was not carried out."}}


def empty(number: int) -> dict[str, Any]:
    return {**answer(number), "response": {"status_code": 0, "request_id": "", "body": {}}}


def lines(*rows: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


ALL = [answer(number) for number in range(4)]
FOUR = ["q0", "q1", "q2", "q3"]
GONE = refusal(404, "No such File object")
Content = bytes | Reply | None

TABLE: dict[str, tuple[str, Content, Content, list[str] | type[Exception]]] = {
    # what happened: state, output file, error file, the ids that count as answered or the one error
    "whole": ("completed", lines(*ALL), None, FOUR),
    "shuffled": ("completed", lines(ALL[2], ALL[0], ALL[3], ALL[1]), None, ["q2", "q0", "q3", "q1"]),
    "an empty error file": ("completed", lines(*ALL), b"", FOUR),
    "no output, every row refused": ("completed", None, lines(*[failed(n, 400) for n in range(4)]), FOUR),
    "shape a, refused for what it is": ("completed", lines(*ALL[:3]), lines(failed(3, 400)), FOUR),
    "shape a, to be asked again": (
        "completed", lines(*ALL[:2]), lines(failed(2, 429), failed(3, 500)), ["q0", "q1"],
    ),
    "shape b, expired": ("expired", lines(*ALL[:2]), lines(ended_early(2), ended_early(3)), ["q0", "q1"]),
    "shape b, cancelled": (
        "cancelled", lines(*ALL[:2]), lines(ended_early(2, "batch_cancelled"), ended_early(3)), ["q0", "q1"],
    ),
    "shape c, status 0": ("completed", lines(*ALL[:3]), lines(empty(3)), ["q0", "q1", "q2"]),
    "all of shape c": ("completed", None, lines(*[empty(n) for n in range(4)]), []),
    "all expired": ("expired", None, lines(*[ended_early(n) for n in range(4)]), []),
    "expired without a row for the rest": ("expired", lines(ALL[0]), None, ["q0"]),
    "duplicates": ("completed", lines(*ALL, ALL[1]), None, ["q0", "q1", "q2", "q3", "q1"]),
    "an unknown id": ("completed", lines(*ALL, answer(9)), None, ["q0", "q1", "q2", "q3", "q9"]),
    "a byte-order mark": ("completed", b"\xef\xbb\xbf" + lines(*ALL), None, FOUR),
    "CRLF and blank lines": ("completed", lines(*ALL).replace(b"\n", b"\r\n\r\n"), None, FOUR),
    "no final newline": ("completed", lines(*ALL)[:-1], None, FOUR),
    "gzip": (
        "completed", reply(200, gzip.compress(lines(*ALL), mtime=0), Content_Encoding="gzip"), None,
        FOUR,
    ),
    "gzip, cut": (
        "completed", reply(200, gzip.compress(lines(*ALL), mtime=0)[:-9], Content_Encoding="gzip"), None,
        TransientError,
    ),
    "short of its length": ("completed", reply(200, lines(*ALL[:2]), announce=9000), None, TransientError),
    "cut within a row": ("completed", lines(*ALL)[:-9], None, ResultsTornError),
    "an end that nothing proves, rows missing": ("completed", bare(200, lines(*ALL[:2])), None, ResultsShortError),
    "an end that nothing proves, no row missing": ("completed", bare(200, lines(*ALL)), None, FOUR),
    "an empty output file": ("completed", b"", None, ResultsEmptyError),
    "no file at all": ("completed", None, None, ResultsEmptyError),
    "no output, some errors": ("completed", None, lines(failed(3, 400)), ResultsEmptyError),
    "an output file that is gone": ("completed", GONE, None, ResultsGoneError),
    "an error file that is gone": ("completed", lines(*ALL[:3]), GONE, ResultsShortError),
    "an error file that is gone, no row missing": ("completed", lines(*ALL), GONE, FOUR),
    "an output file that is gone, every row refused": (
        "completed", GONE, lines(*[failed(n, 400) for n in range(4)]), FOUR,
    ),
    "an output file that is gone, some errors": ("completed", GONE, lines(failed(3, 400)), ResultsGoneError),
    "two files that are gone": ("completed", GONE, GONE, ResultsGoneError),
    "failed, no file": ("failed", None, None, []),
    "cancelled, no file": ("cancelled", None, None, []),
    "an unreadable row": ("completed", lines(*ALL[:3]) + b"garbage\n", None, ["q0", "q1", "q2", ""]),
    "a web page": ("completed", b"<html>busy</html>", None, TransientError),
}  # fmt: skip


@pytest.mark.parametrize(("state", "output", "errors", "expected"), TABLE.values(), ids=TABLE)
@pytest.mark.parametrize("absent", [None, ""])
def test_both_files_are_read_in_every_shape_or_refused_with_one_clear_error(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload,
    state: str, output: Content, errors: Content, expected: list[str] | type[Exception], absent: str | None,
) -> None:  # fmt: skip
    files: dict[str, Any] = {"output_file_id": absent, "error_file_id": absent}
    for field, name, content in (("output_file_id", "file-o", output), ("error_file_id", "file-e", errors)):
        if content is not None:
            files[field] = name
            server.on(
                "GET", f"/v1/files/{name}/content", content if isinstance(content, Reply) else reply(200, content)
            )
    server.on("GET", "/v1/batches/batch_1", json_reply(batch(state, **files)))
    rows: list[bytes] = []
    if not isinstance(expected, list):
        with pytest.raises(expected):
            rows.extend(provider.results(JobRef("batch_1"), payload))
        return
    rows.extend(provider.results(JobRef("batch_1"), payload))
    assert [json.loads(row)["custom_id"] if row.startswith(b"{") else "" for row in rows] == expected
    for row in rows:
        if row.startswith(b"{"):
            assert provider.parse_row(row).wire_id


def test_answers_are_returned_before_a_missing_error_file_is_reported(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload
) -> None:
    server.on(
        "GET", "/v1/batches/batch_1", json_reply(batch("completed", output_file_id="file-o", error_file_id="file-e"))
    )
    server.on("GET", "/v1/files/file-o/content", reply(200, lines(*ALL[:3])))
    server.on("GET", "/v1/files/file-e/content", GONE)
    rows: list[bytes] = []
    with pytest.raises(ResultsShortError, match=r"No such File object.*3 of 4 rows were received"):
        rows.extend(provider.results(JobRef("batch_1"), payload))
    assert len(rows) == 3


def test_an_empty_result_is_accepted_if_the_vendor_says_that_nothing_was_answered(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload
) -> None:
    counts = {"total": 4, "completed": 0, "failed": 4}
    server.on("GET", "/v1/batches/batch_1", json_reply(batch("expired", request_counts=counts)))
    assert list(provider.results(JobRef("batch_1"), payload)) == []


def test_results_of_a_missing_or_running_batch_cannot_be_read(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload
) -> None:
    server.on("GET", "/v1/batches/batch_1", refusal(404))
    with pytest.raises(ResultsGoneError):
        list(provider.results(JobRef("batch_1"), payload))
    server.on("GET", "/v1/batches/batch_1", json_reply(batch("finalizing")))
    with pytest.raises(TransientError, match="has not ended"):
        list(provider.results(JobRef("batch_1"), payload))


@pytest.mark.parametrize(("status", "advice"), [(401, "SOME_KEY"), (402, "add credit")])
def test_a_refused_key_or_account_during_a_download_is_not_a_loss_of_results(
    server: ScriptedServer, provider: OpenAIProvider, payload: PartPayload, status: int, advice: str
) -> None:
    server.on("GET", "/v1/batches/batch_1", json_reply(batch("completed", output_file_id="file-o")))
    server.on("GET", "/v1/files/file-o/content", refusal(status))
    with pytest.raises(PermanentError) as caught:
        list(provider.results(JobRef("batch_1"), payload))
    assert advice in str(caught.value.hint)
    assert not isinstance(caught.value, ResultsGoneError)


# --- by hand ---------------------------------------------------------------------------------------------------------


def test_the_commands_to_fetch_by_hand_are_complete_and_contain_no_key(
    provider: OpenAIProvider, tmp_path: Path
) -> None:
    folder = tmp_path / "it's a folder"
    commands = provider.by_hand(JobRef("batch_1"), folder)
    assert len([each for each in commands if each.startswith("curl")]) == 2
    for command, word in zip(commands, ("output", "errors"), strict=False):
        words = shlex.split(command)
        assert words[-1] == str(folder / f"batch_1_{word}.jsonl")
        assert "/batches/batch_1" in command
        assert "Authorization: Bearer $SOME_KEY" in command
    assert not any(KEY in command for command in commands)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("api.openai.com", "https://api.openai.com/v1/batches/batch_1/cancel"),
        ("api.groq.com", "https://api.groq.com/openai/v1/batches/batch_1/cancel"),
        ("acme.openai.azure.com", "https://acme.openai.azure.com/openai/v1/batches/batch_1/cancel"),
        ("gateway.example:8443", "https://gateway.example:8443/v1/batches/batch_1/cancel"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000/v1/batches/batch_1/cancel"),
    ],
)
def test_the_command_that_stops_a_batch_has_its_address_and_the_key_variable_of_its_vendor(
    place: str, expected: str
) -> None:
    command = OpenAIProvider.stop_by_hand("batch_1", {"api": place}) or ""
    assert shlex.split(command)[-1] == expected
    assert ("$OPENAI_API_KEY" in command) == (place == "api.openai.com")
    assert ("$KEY_OF_GATEWAY_EXAMPLE" in command) == ("gateway" in place)
    assert ("$GROQ_API_KEY" in command) == ("groq" in place)
    assert ("api-key: $AZURE_OPENAI_API_KEY" in command) == ("azure" in place)


def test_a_batch_of_a_dry_run_needs_no_command() -> None:
    assert OpenAIProvider.stop_by_hand("batch_1", {"api": "emulator"}) is None


def test_an_emulated_instance_has_its_own_key_variable() -> None:
    for name in ("openai", "azure", "groq"):
        instance, env = OpenAIProvider.emulated(preset_instance(name), "http://127.0.0.1:9", "emulator-key", "a")
        assert isinstance(instance, Instance)
        assert instance.base_url == "http://127.0.0.1:9/v1"
        assert env == {instance.key: "emulator-key"}
        OpenAIProvider.open(env, instance).close()
