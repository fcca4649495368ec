"""The Fireworks adapter: against the emulator where it supports a case, and a scripted server where it does not."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from promptrial import registry
from promptrial.config.instances import preset_instance
from promptrial.errors import (
    ConfigError,
    OutcomeUnknownError,
    PermanentError,
    PromptrialError,
    QuotaReachedError,
    ResultsEmptyError,
    ResultsGoneError,
    ResultsShortError,
    ResultsTornError,
    TransientError,
)
from promptrial.model import Message, ModelSpec, Request, RequestId, Sampling
from promptrial.providers.base import BatchProvider, JobRef, JobState, JobStatus, PartPayload, Staged
from promptrial.providers.fireworks import FireworksProvider
from promptrial.providers.fireworks_account import account_slug, model_name, service
from promptrial.providers.fireworks_wire import STATES, Job, job_status
from promptrial.providers.http_service import Service, Timeouts
from promptrial.providers.request_rows import encode_request_row
from tests.support.emulator_client import EmulatorClient
from tests.support.emulator_fixtures import Start, emulator, shared, start
from tests.support.http_scripted import Reply, ScriptedServer, bare, json_reply, reply, server
from tests.support.payloads import part_of

__all__ = ["emulator", "server", "shared", "start"]

MODEL = ModelSpec("small", "llama-v3p1-8b-instruct", "fireworks")
FIREWORKS = preset_instance("fireworks")
FULL_MODEL = "accounts/fireworks/models/llama-v3p1-8b-instruct"
SAMPLING = Sampling(temperature=0.7, top_p=0.9, top_k=40, max_tokens=16, stop=("\n",), seed=3)
PATIENT = Timeouts(connect_s=20.0, read_s=20.0, write_s=20.0, pool_s=20.0)
HASTY = replace(PATIENT, read_s=1.0, transfer_s=1.0)
KEY = "emulator-key"
JOBS = "/v1/accounts/emulator/batchInferenceJobs"
ROWS = 4


def make_payload(folder: Path, key: str = "pt-1", rows: int = ROWS, model: ModelSpec = MODEL) -> PartPayload:
    """Return a part of real request rows, in a file."""
    ids = [RequestId("squad_v2", f"q{number}", "control", "0.7", 0, "closed") for number in range(rows)]
    messages = (Message("system", "Be brief."), Message("user", "What is it?"))
    lines = [encode_request_row(Request(each, messages, SAMPLING)) for each in ids]
    return part_of(folder / f"{key}.jsonl", lines, model, f"{key}-a1", dataset_key=key)


Connect = Callable[..., FireworksProvider]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Make adapters that are closed in the end."""
    with ExitStack() as stack:

        def made(url: str, key: str = KEY, account: str = "emulator", **options: Any) -> FireworksProvider:
            api = Service("Fireworks", url, key, "FIREWORKS_API_KEY")
            return stack.enter_context(closing(FireworksProvider(api, account, **{"timeouts": PATIENT, **options})))

        yield made


@pytest.fixture
def provider(emulator: EmulatorClient, connect: Connect) -> FireworksProvider:
    return connect(emulator.url)


@pytest.fixture
def payload(emulator: EmulatorClient, tmp_path: Path) -> PartPayload:
    """A part that the emulator has not seen."""
    return make_payload(tmp_path, emulator.new("pt"))


@pytest.fixture
def told(server: ScriptedServer, connect: Connect) -> FireworksProvider:
    """The adapter of the scripted server."""
    return connect(server.url)


def staged(provider: FireworksProvider, payload: PartPayload) -> Staged:
    """Stage until it is ready, as the queue does."""
    for _ in range(10):
        found = provider.stage(payload)
        if found.ready:
            return found
    raise AssertionError("never ready")


def ended(provider: FireworksProvider, job: JobRef) -> JobStatus:
    """Look at a job until it has ended."""
    for _ in range(60):
        found = provider.status(job)
        if found.state is not JobState.WORKING:
            return found
    raise AssertionError("never ended")


def finished(provider: FireworksProvider, payload: PartPayload) -> JobRef:
    """Bring a part to a job that has ended."""
    staged(provider, payload)
    job = provider.submit(payload)
    ended(provider, job)
    return job


def wanted(payload: PartPayload) -> set[str]:
    return {request.custom_id for request in payload.requests()}


# --- who asks, where, for which model --------------------------------------------------------------------------------

ENV = {"FIREWORKS_API_KEY": "fw_key", "FIREWORKS_ACCOUNT_ID": "acme"}


def test_the_provider_opens_from_the_environment_without_a_call() -> None:
    made: BatchProvider = registry.load("provider", "fireworks").open(ENV)
    assert made.count_tokens(MODEL, "text") is None
    assert isinstance(made, FireworksProvider)
    assert (made.name, made.local, made.keyed) == ("fireworks", False, True)
    assert made.fingerprint(MODEL) == {
        "provider": "fireworks", "model": FULL_MODEL, "account": "acme", "api": "api.fireworks.ai"
    }  # fmt: skip
    made.close()


@pytest.mark.parametrize("name", ["FIREWORKS_API_KEY", "FIREWORKS_ACCOUNT_ID"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_variable_is_named_with_what_to_do(name: str, value: str | None) -> None:
    env = {key: given for key, given in {**ENV, name: value}.items() if given is not None}
    with pytest.raises(ConfigError, match=f"^{name} is not set") as caught:
        FireworksProvider.open(env)
    assert caught.value.hint == f"put {name}=... in .env, or export it"


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "schlüssel", "\x00x"])
def test_an_invalid_key_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ConfigError, match="FIREWORKS_API_KEY") as caught:
        service({"FIREWORKS_API_KEY": key}, FIREWORKS)
    assert key not in str(caught.value)
    assert service({"FIREWORKS_API_KEY": " fw_key\n"}, FIREWORKS).key == "fw_key"


@pytest.mark.parametrize(
    ("given", "slug"),
    [
        ("acme", "acme"),
        (" acme-2 ", "acme-2"),
        ("accounts/acme", "acme"),
        ("accounts/acme/", "acme"),
        ("accounts/acme/models/m", "acme"),
        ("me@acme.example", None),
        ("https://app.fireworks.ai/account", None),
        ("../other", None),
        ("a b", None),
        ("accounts/", None),
    ],
)
def test_the_account_is_a_slug_or_reduced_to_one(given: str, slug: str | None) -> None:
    if slug is not None:
        assert account_slug({"FIREWORKS_ACCOUNT_ID": given}, FIREWORKS) == slug
        return
    with pytest.raises(ConfigError, match="FIREWORKS_ACCOUNT_ID") as caught:
        account_slug({"FIREWORKS_ACCOUNT_ID": given}, FIREWORKS)
    assert "accounts/NAME" in str(caught.value.hint)
    assert ("e-mail" in caught.value.message) is ("@" in given)


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("", "https://api.fireworks.ai"),
        ("https://api.fireworks.ai/", "https://api.fireworks.ai"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("https://gateway.example/fireworks/", "https://gateway.example/fireworks"),
        ("http://api.fireworks.ai", None),
        ("http://127.0.0.1.example", None),
        ("ftp://x", None),
        ("api.fireworks.ai", None),
        ("https://", None),
        ("https://x:port", None),
        ("https://user:secret@x", None),
        ("https://x?token=secret", None),
        ("https://api.fireworks.ai/v1", None),
        ("https://api.fireworks.ai/inference/v1/", None),
    ],
)
def test_the_key_is_sent_over_https_or_to_this_machine(base: str, expected: str | None) -> None:
    env = {**ENV, "FIREWORKS_API_BASE": base}
    if expected is not None:
        assert service(env, FIREWORKS).base_url == expected
        return
    with pytest.raises(ConfigError, match="FIREWORKS_API_BASE") as caught:
        service(env, FIREWORKS)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("llama-v3p1-8b-instruct", FULL_MODEL),
        ("qwen2.5-7b", "accounts/fireworks/models/qwen2.5-7b"),
        (FULL_MODEL, FULL_MODEL),
        ("accounts/acme/models/tuned-1", "accounts/acme/models/tuned-1"),
        ("accounts/acme/deployedModels/tuned-1", None),
        ("accounts/acme/deployments/d1", None),
        (f"{FULL_MODEL}#accounts/acme/deployments/d1", None),
        ("fireworks/llama", None),
        ("accounts/acme/models/", None),
        ("accounts/acme/models/../x", None),
        ("", None),
        ("a b", None),
    ],
)
def test_a_model_is_a_full_name_or_one_of_their_own(given: str, expected: str | None) -> None:
    if expected is not None:
        assert model_name(given) == expected
        return
    with pytest.raises(ConfigError) as caught:
        model_name(given)
    assert "accounts/NAME/models/MODEL" in str(caught.value.hint)
    assert ("deployment" in caught.value.message) is ("deploy" in given)


def test_a_model_name_from_the_environment_is_not_recorded() -> None:
    made = FireworksProvider.open({**ENV, "FIREWORKS_API_BASE": "https://x.example:8443/secret"})
    shown = made.fingerprint(replace(MODEL, written_id="${MY_MODEL}"))
    assert shown == {"provider": "fireworks", "model": "${MY_MODEL}", "account": "acme", "api": "x.example:8443"}


@pytest.mark.parametrize("name", ["secret-model", "accounts/secret-owner/models/secret-model"])
def test_no_error_contains_a_model_name_from_the_environment(
    server: ScriptedServer, told: FireworksProvider, tmp_path: Path, name: str
) -> None:
    model = replace(MODEL, id=name, written_id="${MY_MODEL}")
    full = model_name(name)
    payload = make_payload(tmp_path, model=model)
    job, other = f"{JOBS}/{payload.key}", "accounts/emulator/datasets/other"
    server.on("GET", JOBS, json_reply({}))
    server.on("GET", f"/v1/{full}", json_reply({"code": 5, "message": f"model {full!r} not found"}, 404))
    server.on("GET", job, json_reply({"name": payload.key, "inputDatasetId": other, "model": full}))
    server.on("POST", JOBS, json_reply({"code": 3, "message": f"model {full!r} does not support batches"}, 400))
    for call in (
        lambda: told.check(model),
        lambda: told.find(payload),
        lambda: told.submit(payload),
        lambda: told.check(replace(model, id=f"{name} deployed")),
        lambda: told.fingerprint(replace(model, id=f"{name} deployed")),
    ):
        with pytest.raises(PromptrialError) as caught:
            call()
        error: BaseException | None = caught.value
        assert "${MY_MODEL}" in str(error)
        while error is not None:
            assert "secret" not in f"{error} {error!r} {vars(error)}"
            error = error.__cause__ or error.__context__
    status = {"code": 3, "message": f"{full} is not served"}
    server.on("GET", job, json_reply({"name": payload.key, "state": "JOB_STATE_FAILED", "status": status}))
    assert told.status(JobRef(payload.key)).message == "${MY_MODEL} is not served"


# --- what can be known to fail ---------------------------------------------------------------------------------------


def test_a_right_key_account_and_model_pass_the_check(provider: FireworksProvider) -> None:
    provider.check(MODEL)


def test_a_wrong_key_is_refused_before_anything_is_uploaded(emulator: EmulatorClient, connect: Connect) -> None:
    wrong = connect(emulator.url, key="wrong-key-wrong")
    with pytest.raises(PermanentError, match="403") as caught:
        wrong.check(MODEL)
    assert "FIREWORKS_API_KEY" in str(caught.value)
    assert "wrong-key-wrong" not in str(caught.value)


def test_an_account_that_does_not_belong_to_the_key_is_refused_before_anything_is_uploaded(
    emulator: EmulatorClient, connect: Connect
) -> None:
    wrong = connect(emulator.url, account="other")
    with pytest.raises(PermanentError, match="no account other") as caught:
        wrong.check(MODEL)
    assert "FIREWORKS_ACCOUNT_ID" in str(caught.value.hint)


def test_a_missing_model_is_refused_before_anything_is_uploaded(
    server: ScriptedServer, told: FireworksProvider
) -> None:
    server.on("GET", JOBS, json_reply({}))
    server.on("GET", f"/v1/{FULL_MODEL}", json_reply({"code": 5, "message": "resource not found"}, 404))
    with pytest.raises(PermanentError, match=f"no model {FULL_MODEL}"):
        told.check(MODEL)
    assert server.asked[0].target == f"{JOBS}?pageSize=1"


@pytest.mark.parametrize(
    "answer",
    [
        json_reply({"code": 5, "message": "Not Found", "details": []}, 404),
        reply(404, b"<html>404</html>"),
        reply(403),
        reply(500),
        Reply(end="reset"),
        json_reply({"name": FULL_MODEL}),
    ],
)
def test_any_other_answer_does_not_fail_the_check_of_a_model(
    server: ScriptedServer, told: FireworksProvider, answer: Reply
) -> None:
    server.on("GET", JOBS, json_reply({"batchInferenceJobs": []}))
    server.on("GET", f"/v1/{FULL_MODEL}", answer)
    told.check(MODEL)
    assert len(server.asked) == 2


def test_a_check_that_could_not_be_made_does_not_pass(server: ScriptedServer, told: FireworksProvider) -> None:
    server.on("GET", JOBS, reply(503))
    with pytest.raises(TransientError):
        told.check(MODEL)


# --- requests up -----------------------------------------------------------------------------------------------------


def test_requests_are_uploaded_once_and_unchanged(
    emulator: EmulatorClient, provider: FireworksProvider, payload: PartPayload, connect: Connect
) -> None:
    assert staged(provider, payload) == Staged(payload.dataset_key, ready=True)
    assert provider.stage(payload).ready
    again = connect(emulator.url)
    assert again.stage(payload).ready
    (created,) = emulator.ledger("create_dataset", payload.dataset_key)
    (uploaded,) = emulator.ledger("upload", payload.dataset_key)
    assert created["facts"]["example_count"] == ROWS
    assert (uploaded["facts"]["sha256"], uploaded["facts"]["rows"]) == (payload.sha256, ROWS)


def test_a_large_file_goes_through_a_signed_address(
    emulator: EmulatorClient, payload: PartPayload, connect: Connect
) -> None:
    made = connect(emulator.url, multipart_limit=payload.size - 1)
    assert staged(made, payload).ready
    assert made.stage(payload).ready
    assert emulator.ledger("upload", payload.dataset_key) == []
    (validated,) = emulator.ledger("validate_upload", payload.dataset_key)
    assert validated["facts"]["sha256"] == [payload.sha256]


def test_a_file_of_exactly_the_limit_is_uploaded_in_one_form(
    emulator: EmulatorClient, payload: PartPayload, connect: Connect
) -> None:
    made = connect(emulator.url, multipart_limit=payload.size)
    assert staged(made, payload).ready
    assert len(emulator.ledger("upload", payload.dataset_key)) == 1


ACCIDENTS = ["F1", "F2", "F3", "F4", "F5", "F6"]


@pytest.mark.parametrize("fault", ACCIDENTS)
@pytest.mark.parametrize("operation", ["get_dataset", "create_dataset", "upload"])
def test_the_next_call_repairs_an_upload_that_failed(
    emulator: EmulatorClient, provider: FireworksProvider, payload: PartPayload, operation: str, fault: str
) -> None:
    emulator.fault(fault, operation, nth=2 if operation == "get_dataset" else 1)
    if (fault, operation) == ("F6", "upload"):  # it was applied, and what the answer says is of no interest
        assert provider.stage(payload).ready
    else:
        with pytest.raises(TransientError):
            provider.stage(payload)
    assert staged(provider, payload).ready
    assert emulator.fired() == [1]
    assert emulator.ledger("upload", payload.dataset_key)[-1]["facts"]["sha256"] == payload.sha256
    assert len(emulator.ledger("create_dataset", payload.dataset_key)) == 1


SIGNED_WAY = [
    *((fault, operation) for fault in ACCIDENTS for operation in ("get_upload_endpoint", "validate_upload")),
    *((fault, "put_signed") for fault in ("F1", "F2", "F3", "F4", "F5", "F14")),
]


@pytest.mark.parametrize(("fault", "operation"), SIGNED_WAY)
def test_the_next_call_repairs_an_upload_that_failed_at_a_signed_address(
    emulator: EmulatorClient, payload: PartPayload, operation: str, fault: str, connect: Connect
) -> None:
    made = connect(emulator.url, multipart_limit=1)
    emulator.fault(fault, operation)
    with pytest.raises(TransientError):
        made.stage(payload)
    assert staged(made, payload).ready
    assert emulator.fired() == [1]
    assert emulator.ledger("validate_upload", payload.dataset_key)[-1]["facts"]["sha256"] == [payload.sha256]


def test_a_dataset_that_the_vendor_is_validating_is_not_uploaded_again(
    start: Start, tmp_path: Path, connect: Connect
) -> None:
    emulator = start(clock="manual", ready_s=60.0)
    made, payload = connect(emulator.url), make_payload(tmp_path)
    assert not made.stage(payload).ready
    assert not made.stage(payload).ready
    emulator.advance(61)
    assert made.stage(payload).ready
    assert len(emulator.ledger("upload")) == 1


def test_a_dataset_that_cannot_be_seen_yet_is_waited_for(
    emulator: EmulatorClient, provider: FireworksProvider, payload: PartPayload
) -> None:
    emulator.fault("F7", "create_dataset", delay_s=60.0)
    with pytest.raises(PromptrialError) as caught:
        provider.stage(payload)
    assert isinstance(caught.value, TransientError), caught.value
    for _ in range(10):
        try:
            assert staged(provider, payload).ready
            break
        except TransientError:
            continue
    assert len(emulator.ledger("create_dataset", payload.dataset_key)) == 1


def test_a_dataset_of_other_requests_is_refused(
    emulator: EmulatorClient, provider: FireworksProvider, payload: PartPayload
) -> None:
    emulator.post_dataset(payload.dataset_key, ROWS + 1)
    with pytest.raises(PermanentError, match="of 5 requests, not 4"):
        provider.stage(payload)
    assert emulator.ledger("upload", payload.dataset_key) == []


def test_a_file_other_than_the_recorded_one_is_not_uploaded(
    emulator: EmulatorClient, provider: FireworksProvider, payload: PartPayload
) -> None:
    payload.path.write_bytes(payload.path.read_bytes()[:-10])
    with pytest.raises(PermanentError, match="not the"):
        provider.stage(payload)
    assert emulator.ledger("upload", payload.dataset_key) == []


DATASET = "/v1/accounts/emulator/datasets/pt-1"


def dataset(state: str, **more: Any) -> Reply:
    return json_reply({"name": "accounts/emulator/datasets/pt-1", "state": state, **more})


def test_a_dataset_made_ready_by_an_upload_whose_answer_was_lost_is_accepted(
    server: ScriptedServer, told: FireworksProvider, tmp_path: Path
) -> None:
    server.on("GET", DATASET, dataset("UPLOADING"), dataset("READY"))
    server.on("POST", f"{DATASET}:upload", json_reply({"code": 9, "message": "takes no more files"}, 400))
    assert told.stage(make_payload(tmp_path)).ready


def test_a_refused_upload_and_refused_requests_are_reported(
    server: ScriptedServer, told: FireworksProvider, tmp_path: Path
) -> None:
    payload = make_payload(tmp_path)
    server.on("GET", DATASET, dataset("UPLOADING"))
    server.on("POST", f"{DATASET}:upload", json_reply({"code": 3, "message": "bad file"}, 400))
    with pytest.raises(PermanentError, match="bad file"):
        told.stage(payload)
    status = {"code": "INVALID_ARGUMENT", "message": "row 3 is bad"}
    server.on("GET", DATASET, dataset("UPLOADING"), dataset("UPLOADING", status=status))
    server.on("POST", f"{DATASET}:upload", json_reply({}))
    with pytest.raises(PermanentError, match="row 3 is bad"):
        told.stage(payload)


def test_an_unknown_dataset_state_is_waited_out_without_an_upload(
    server: ScriptedServer, told: FireworksProvider, tmp_path: Path
) -> None:
    server.on("GET", DATASET, dataset("INSPECTING"))
    assert not told.stage(make_payload(tmp_path)).ready
    assert [asked.method for asked in server.asked] == ["GET"]


def test_a_missing_upload_address_is_requested_again(server: ScriptedServer, tmp_path: Path, connect: Connect) -> None:
    made = connect(server.url, multipart_limit=1)
    server.on("GET", DATASET, dataset("UPLOADING"))
    server.on("POST", f"{DATASET}:getUploadEndpoint", json_reply({"filenameToSignedUrls": {}}))
    with pytest.raises(TransientError, match="has no address for"):
        made.stage(make_payload(tmp_path))


# --- one job ---------------------------------------------------------------------------------------------------------


def test_a_job_is_created_from_the_requests_under_our_keys(
    emulator: EmulatorClient, provider: FireworksProvider, payload: PartPayload
) -> None:
    staged(provider, payload)
    assert provider.find(payload) is None
    job = provider.submit(payload)
    assert job == JobRef(payload.key, f"{payload.key}-out")
    assert provider.find(payload) == job
    (accepted,) = emulator.ledger("create_job")[-1:]
    assert accepted["id"] == payload.key
    assert accepted["facts"]["model"] == FULL_MODEL
    assert accepted["facts"]["input_sha256"] == [payload.sha256]
    assert accepted["facts"]["output_dataset"] == f"{payload.key}-out"
    assert emulator.get_job(payload.key).json()["inferenceParameters"] is None


@pytest.mark.parametrize(
    ("fault", "options", "expected", "accepted"),
    [
        ("F1", {"variant": "seconds"}, TransientError, 0),
        ("F1", {"variant": "huge"}, TransientError, 0),
        ("F2", {"status": 500}, OutcomeUnknownError, 0),
        ("F2", {"status": 503, "variant": "html"}, OutcomeUnknownError, 0),
        ("F3", {}, OutcomeUnknownError, 0),
        ("F4", {}, OutcomeUnknownError, 0),
        ("F5", {"variant": "reset"}, OutcomeUnknownError, 1),
        ("F5", {"variant": "stall"}, OutcomeUnknownError, 1),
        ("F5", {"variant": "error"}, OutcomeUnknownError, 1),
        ("F6", {"variant": "truncated"}, OutcomeUnknownError, 1),
        ("F6", {"variant": "short_length"}, OutcomeUnknownError, 1),
        ("F6", {"variant": "not_json"}, OutcomeUnknownError, 1),
        ("F6", {"variant": "empty"}, OutcomeUnknownError, 1),
        ("F17", {"variant": "no_access"}, PermanentError, 0),
        ("F17", {"variant": "hidden"}, PermanentError, 0),
        ("F18", {}, QuotaReachedError, 0),
    ],
)
def test_the_outcome_of_an_unanswered_create_is_found_by_its_key(
    emulator: EmulatorClient, provider: FireworksProvider, payload: PartPayload, fault: str, options: dict[str, Any],
    expected: type[PromptrialError], accepted: int, connect: Connect,
) -> None:  # fmt: skip
    staged(provider, payload)
    emulator.fault(fault, "create_job", **options)
    caller = connect(emulator.url, timeouts=HASTY) if options.get("variant") == "stall" else provider
    with pytest.raises(expected) as caught:
        caller.submit(payload)
    assert isinstance(caught.value, TransientError) is issubclass(expected, TransientError)
    assert len(emulator.ledger("create_job", payload.key)) == accepted
    found = provider.find(payload)
    assert (found is not None) is bool(accepted)
    assert found is not None or provider.submit(payload)
    assert len(emulator.ledger("create_job", payload.key)) == 1


def test_the_error_carries_the_wait_that_the_vendor_asks_for(
    emulator: EmulatorClient, provider: FireworksProvider, payload: PartPayload
) -> None:
    staged(provider, payload)
    emulator.fault("F1", "create_job", variant="date", seconds=30)
    with pytest.raises(TransientError) as caught:
        provider.submit(payload)
    assert caught.value.retry_after_s == pytest.approx(30, abs=3)


def test_a_second_job_with_the_same_key_is_looked_up_and_not_created(
    emulator: EmulatorClient, provider: FireworksProvider, payload: PartPayload
) -> None:
    staged(provider, payload)
    provider.submit(payload)
    with pytest.raises(OutcomeUnknownError, match="already exists"):
        provider.submit(payload)
    assert len(emulator.ledger("create_job", payload.key)) == 1


def test_an_existing_output_without_its_job_leaves_the_outcome_unknown(
    emulator: EmulatorClient, provider: FireworksProvider, payload: PartPayload
) -> None:
    staged(provider, payload)
    emulator.post_dataset(f"{payload.key}-out")
    with pytest.raises(OutcomeUnknownError, match=r"output dataset .* already exists"):
        provider.submit(payload)


def test_a_job_of_other_requests_or_another_model_is_refused(provider: FireworksProvider, payload: PartPayload) -> None:
    staged(provider, payload)
    provider.submit(payload)
    with pytest.raises(PermanentError, match=f"{payload.dataset_key} for llama.*not of other for llama"):
        provider.find(replace(payload, dataset_key="other"))
    with pytest.raises(PermanentError, match=r"for llama-v3p1-8b-instruct, not .* for another"):
        provider.find(replace(payload, model=ModelSpec("m", "another", "fireworks")))


def test_requests_that_are_not_ready_are_a_transient_error(
    server: ScriptedServer, told: FireworksProvider, tmp_path: Path
) -> None:
    server.on("POST", JOBS, json_reply({"code": 9, "message": "dataset is not READY"}, 400))
    with pytest.raises(TransientError, match="not READY"):
        told.submit(make_payload(tmp_path))
    server.on("POST", JOBS, json_reply({"code": 3, "message": "model is not supported"}, 400))
    with pytest.raises(PermanentError, match="not supported"):
        told.submit(make_payload(tmp_path))


def test_a_job_with_another_name_is_addressed_by_that_name(
    server: ScriptedServer, told: FireworksProvider, tmp_path: Path
) -> None:
    server.on("POST", JOBS, json_reply({"name": "accounts/emulator/batchInferenceJobs/bij-12345678"}))
    assert told.submit(make_payload(tmp_path)).name == "bij-12345678"


# --- how it goes -----------------------------------------------------------------------------------------------------


def state_of(word: str, **fields: Any) -> JobStatus:
    return job_status(msgspec.convert({"name": "j", "state": word, **fields}, Job))


@pytest.mark.parametrize("word", STATES)
def test_each_state_means_the_same_with_and_without_its_prefix(word: str) -> None:
    assert state_of(word) == state_of(f"JOB_STATE_{word}") == JobStatus(STATES[word])


def test_only_the_known_final_states_end_a_job() -> None:
    ends = {word: state for word, state in STATES.items() if state is not JobState.WORKING}
    assert ends == {
        "COMPLETED": "ready", "EXPIRED": "expired", "EARLY_STOPPED": "expired", "FAILED": "failed",
        "CANCELLED": "cancelled", "DELETING": "cancelled", "DELETING_CLEANING_UP": "cancelled",
    }  # fmt: skip


@pytest.mark.parametrize("word", ["JOB_STATE_REBALANCING", "", "completed", "JOB_STATE_\x1b[2J"])
def test_an_unknown_state_counts_as_working_and_is_reported(word: str) -> None:
    found = state_of(word)
    assert found.state is JobState.WORKING
    assert "an unknown state" in found.message
    assert "\x1b" not in found.message


def test_a_status_message_has_the_vendors_words_and_what_the_job_waits_for() -> None:
    found = state_of("PENDING", status={"code": 8, "message": "queued\nbehind 3"}, waitingOnCapacity=True)
    assert found.message == "queued behind 3; waiting for capacity at Fireworks"
    assert state_of("RUNNING", status={"code": "OK", "message": ""}, waitingOnCapacity=False).message == ""
    assert state_of("FAILED", status={"message": {"odd": 1}}).message == "{'odd': 1}"


def test_a_job_is_followed_from_start_to_end(provider: FireworksProvider, payload: PartPayload) -> None:
    staged(provider, payload)
    job = provider.submit(payload)
    seen = [provider.status(job) for _ in range(8)]
    states = [status.state for status in seen]
    assert states == sorted(states, key=[JobState.WORKING, JobState.READY].index)
    assert seen[-1] == JobStatus(JobState.READY)
    assert any("capacity" in status.message for status in seen)


@pytest.mark.parametrize(
    ("fault", "variant", "expected"),
    [("F9", "unknown", JobState.READY), ("F9", "skipped", JobState.READY), ("F9", "repeated", JobState.READY),
     ("F10", "failed", JobState.FAILED), ("F10", "expired", JobState.EXPIRED), ("F10", "cancelled", JobState.CANCELLED),
     ("F10", "early_stopped", JobState.EXPIRED)],
)  # fmt: skip
def test_unusual_sequences_of_job_states_are_understood(
    emulator: EmulatorClient, provider: FireworksProvider, payload: PartPayload, fault: str, variant: str,
    expected: JobState,
) -> None:  # fmt: skip
    staged(provider, payload)
    emulator.fault(fault, "create_job", variant=variant)
    assert ended(provider, provider.submit(payload)).state is expected


@pytest.mark.parametrize("fault", ACCIDENTS)
def test_an_error_while_polling_says_nothing_about_the_job(
    emulator: EmulatorClient, provider: FireworksProvider, payload: PartPayload, fault: str
) -> None:
    staged(provider, payload)
    job = provider.submit(payload)
    emulator.fault(fault, "get_job")
    with pytest.raises(TransientError):
        provider.status(job)
    emulator.fault(fault, "get_job")
    with pytest.raises(TransientError):
        provider.find(payload)
    assert ended(provider, job).state is JobState.READY


def test_an_unknown_job_is_missing(provider: FireworksProvider) -> None:
    found = provider.status(JobRef("never-made"))
    assert found.state is JobState.MISSING
    assert "never-made" in found.message


def test_a_cancelled_job_is_cancelled_then_missing_and_can_be_cancelled_again(
    start: Start, tmp_path: Path, connect: Connect
) -> None:
    emulator = start(clock="manual", ready_s=0.0)
    provider, payload = connect(emulator.url), make_payload(tmp_path)
    staged(provider, payload)
    job = provider.submit(payload)
    provider.cancel(job)
    assert provider.status(job).state is JobState.CANCELLED
    emulator.advance(3600)
    assert provider.status(job).state is JobState.MISSING
    provider.cancel(job)


def test_a_failed_cancel_raises_and_the_job_keeps_working(
    emulator: EmulatorClient, provider: FireworksProvider, payload: PartPayload
) -> None:
    staged(provider, payload)
    job = provider.submit(payload)
    emulator.fault("F2", "delete_job")
    with pytest.raises(TransientError):
        provider.cancel(job)
    assert provider.status(job).state is JobState.WORKING


# --- answers down ----------------------------------------------------------------------------------------------------


def test_every_request_gets_a_row_that_can_be_read(provider: FireworksProvider, payload: PartPayload) -> None:
    job = finished(provider, payload)
    read = [provider.parse_row(line) for line in provider.results(job, payload)]
    assert {completion.wire_id for completion in read} == wanted(payload)
    assert all(completion.text and completion.prompt_tokens and completion.error is None for completion in read)


def test_requests_that_failed_come_as_rows_after_the_answers(
    emulator: EmulatorClient, provider: FireworksProvider, payload: PartPayload
) -> None:
    emulator.fault("F11", "create_job", variant="code_message", share=0.5)
    job = finished(provider, payload)
    read = [provider.parse_row(line) for line in provider.results(job, payload)]
    assert {completion.wire_id for completion in read} == wanted(payload)
    assert [completion.error is None for completion in read] == [True, True, False, False]


def test_a_job_whose_requests_all_failed_is_complete(
    emulator: EmulatorClient, provider: FireworksProvider, payload: PartPayload
) -> None:
    emulator.fault("F11", "create_job", variant="code_message", share=1.0)
    job = finished(provider, payload)
    assert len(list(provider.results(job, payload))) == ROWS


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("variant", ["expired", "early_stopped", "cancelled"])
def test_a_job_that_ended_early_returns_the_rows_it_has(
    emulator: EmulatorClient, provider: FireworksProvider, payload: PartPayload, share: float, variant: str
) -> None:
    emulator.fault("F10", "create_job", variant=variant, share=share, output=True)
    job = finished(provider, payload)
    assert len(list(provider.results(job, payload))) == ROWS * share


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_output_of_a_deleted_job_returns_its_rows_or_is_gone_if_empty(
    emulator: EmulatorClient, provider: FireworksProvider, payload: PartPayload, share: float
) -> None:
    emulator.fault("F10", "create_job", variant="cancelled", share=share, output=True)
    job = finished(provider, payload)
    provider.cancel(job)
    while provider.status(job).state is not JobState.MISSING:
        pass
    if share:
        assert len(list(provider.results(job, payload))) == ROWS * share
        return
    with pytest.raises(ResultsGoneError, match="the job no longer exists"):
        list(provider.results(job, payload))


@pytest.mark.parametrize(
    ("variant", "rows"),
    [("shuffled", ROWS), ("duplicate_same", None), ("duplicate_different", None), ("unknown_id", None),
     ("missing_rows", None), ("blank_lines", ROWS), ("crlf", ROWS), ("bom", ROWS), ("no_final_newline", ROWS),
     ("invalid_utf8", None), ("no_id", None)],
)  # fmt: skip
def test_rows_of_every_kind_are_returned_unchanged(
    emulator: EmulatorClient, provider: FireworksProvider, payload: PartPayload, variant: str, rows: int | None
) -> None:
    emulator.fault("F12", "create_job", variant=variant)
    job = finished(provider, payload)
    file = emulator.file(f"{payload.key}-out")
    lines = [line.rstrip(b"\r") for line in file.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip()]
    found = list(provider.results(job, payload))
    assert found == lines
    if rows is not None:
        assert {json.loads(line)["custom_id"] for line in found} == wanted(payload)
        assert len(found) == rows


def test_a_last_row_torn_at_the_vendor_has_another_error_than_one_torn_in_transit(
    emulator: EmulatorClient, provider: FireworksProvider, payload: PartPayload
) -> None:
    emulator.fault("F11", "create_job", variant="code_message", share=0.5)
    emulator.fault("F12", "create_job", variant="torn_last_line")
    job = finished(provider, payload)
    read, rows = provider.results(job, payload), list[bytes]()
    with pytest.raises(ResultsTornError, match="truncated"):
        rows += iter(lambda: next(read), None)
    assert len(rows) == ROWS - 1, "the rows of the other file, too"
    emulator.fault("F13", "download", variant="close_delimited", at=0.9)
    with pytest.raises(TransientError) as caught:
        list(provider.results(job, payload))
    assert not isinstance(caught.value, ResultsTornError)


BROKEN = [
    ("F13", "short_length"), ("F13", "unfinished_chunk"), ("F13", "close_delimited"), ("F13", "gzip_cut"),
    ("F13", "wrong_type"), ("F14", "expired"), ("F14", "mid_transfer"), ("F1", "seconds"), ("F2", "html"),
    ("F3", "reset"), ("F4", "reset"),
]  # fmt: skip
OF_EACH_FILE = [(fault, variant, nth) for fault, variant in BROKEN for nth in (1, 2)]


@pytest.mark.parametrize(("fault", "variant", "nth"), [*OF_EACH_FILE, ("F13", "empty", 1)])
def test_a_broken_download_is_noticed_and_the_next_one_is_complete(
    emulator: EmulatorClient, provider: FireworksProvider, payload: PartPayload, fault: str, variant: str, nth: int
) -> None:
    emulator.fault("F11", "create_job", variant="code_message", share=0.5)  # so that the second file has rows
    job = finished(provider, payload)
    emulator.fault(fault, "download", variant=variant, nth=nth)
    with pytest.raises(TransientError):
        list(provider.results(job, payload))
    assert {json.loads(line)["custom_id"] for line in provider.results(job, payload)} == wanted(payload)


def test_a_redirect_to_another_name_of_this_machine_is_followed_without_the_key(
    emulator: EmulatorClient, provider: FireworksProvider, payload: PartPayload
) -> None:
    job = finished(provider, payload)
    emulator.fault("F13", "download", variant="redirect")
    assert len(list(provider.results(job, payload))) == ROWS


@pytest.mark.parametrize("fault", ACCIDENTS)
def test_an_error_before_the_download_is_transient_and_the_next_download_works(
    emulator: EmulatorClient, provider: FireworksProvider, payload: PartPayload, fault: str
) -> None:
    job = finished(provider, payload)
    emulator.fault(fault, "get_download_endpoint")
    with pytest.raises(TransientError):
        list(provider.results(job, payload))
    assert len(list(provider.results(job, payload))) == ROWS


@pytest.mark.parametrize("operation", ["get_download_endpoint", "download"])
def test_results_that_the_vendor_deleted_are_gone(
    emulator: EmulatorClient, provider: FireworksProvider, payload: PartPayload, operation: str
) -> None:
    job = finished(provider, payload)
    emulator.fault("F17", operation, variant="vanished")
    with pytest.raises(ResultsGoneError):
        list(provider.results(job, payload))


OUT = "/v1/accounts/emulator/datasets/pt-1-a1-out:getDownloadEndpoint"
ROW = b'{"custom_id":"%s","response":{"choices":[]}}\n'


def publish(
    server: ScriptedServer, files: Mapping[str, bytes], state: str = "COMPLETED", processed: object = None
) -> None:
    """Let the scripted server have an output dataset of these files, of a job that says how much it has processed."""
    job: dict[str, object] = {"name": "x/pt-1-a1", "state": f"JOB_STATE_{state}"}
    if processed is not None:
        job |= {"jobProgress": {"totalProcessedRequests": processed}}
    urls = {f"dataset/pt-1-a1-out/{name}": f"{server.url}/storage/{name}?sig=1" for name in files}
    server.on("GET", OUT, json_reply({"filenameToSignedUrls": urls}))
    server.on("GET", f"{JOBS}/pt-1-a1", json_reply(job))
    for name, content in files.items():
        server.on("GET", f"/storage/{name}", reply(200, content))


def test_output_in_pages_is_read_in_order_and_other_files_are_left_alone(
    server: ScriptedServer, told: FireworksProvider, tmp_path: Path
) -> None:
    files = {"error-data": ROW % b"e", "BIJOutputSet_0002.jsonl": ROW % b"b", "README.md": b"x",
             "BIJOutputSet_0001.jsonl": ROW % b"a", "BIJOutputSet.jsonl": ROW % b"0"}  # fmt: skip
    publish(server, files)
    found = list(told.results(JobRef("pt-1-a1"), make_payload(tmp_path)))
    assert [json.loads(line)["custom_id"] for line in found] == ["0", "a", "b", "e"]
    assert "/storage/README.md?sig=1" not in [asked.target for asked in server.asked]
    assert all("authorization" not in asked.headers for asked in server.asked if "/storage/" in asked.target)
    assert all(asked.body == b"" for asked in server.asked)


def test_each_file_is_fetched_from_a_new_address(
    server: ScriptedServer, told: FireworksProvider, tmp_path: Path
) -> None:
    publish(server, {"BIJOutputSet.jsonl": ROW % b"a", "error-data": b""})
    list(told.results(JobRef("pt-1-a1"), make_payload(tmp_path, rows=1)))
    order = [asked.target.rpartition("/")[2].partition("?")[0].partition(":")[2] or "file" for asked in server.asked]
    assert order == ["getDownloadEndpoint", "getDownloadEndpoint", "file", "getDownloadEndpoint", "file"]


EMPTY: list[tuple[Any, ...]] = [
    ({"BIJOutputSet.jsonl": b"", "error-data": b""}, "EXPIRED", "", 0),
    ({"BIJOutputSet.jsonl": b"", "error-data": b""}, "COMPLETED", "", "0"),
    ({"BIJOutputSet.jsonl": b"", "error-data": b""}, "COMPLETED", "an empty output file", 4),
    ({"BIJOutputSet.jsonl": b"", "error-data": b""}, "EXPIRED", "an empty output file", "4"),
    ({"BIJOutputSet.jsonl": b"", "error-data": b""}, "EXPIRED", "an empty output file", {"odd": 0}),
    ({}, "EXPIRED", "", 0),
    ({}, "COMPLETED", "no output file"),
    ({}, "EXPIRED", "no output file"),
    ({"error-data": ROW % b"a"}, "COMPLETED", "no output file"),
    ({"error-data": ROW % b"a" * ROWS}, "COMPLETED", ""),
    ({"BIJOutputSet.jsonl": b"", "error-data": b""}, "COMPLETED", "an empty output file"),
    ({"BIJOutputSet.jsonl": b"", "error-data": b""}, "EXPIRED", "an empty output file"),
    ({"BIJOutputSet.jsonl": b"", "error-data": b""}, "CANCELLED", ""),
    ({"BIJOutputSet.jsonl": b"", "error-data": b""}, "FAILED", ""),
    ({}, "FAILED", ""),
    ({"BIJOutputSet.jsonl": b"", "error-data": ROW % b"a"}, "COMPLETED", "an empty output file"),
    ({"BIJOutputSet.jsonl": b"", "error-data": ROW % b"a" * ROWS}, "COMPLETED", ""),
    ({"p_0001.jsonl": b"", "p_0002.jsonl": ROW % b"a"}, "COMPLETED", "an empty output file"),
    ({"p_0001.jsonl": b"", "p_0002.jsonl": ROW % b"a"}, "EARLY_STOPPED", "an empty output file"),
]


@pytest.mark.parametrize(("files", "state", "refusal", "processed"), [(*case, None)[:4] for case in EMPTY])
def test_empty_output_is_accepted_only_if_something_explains_it(
    server: ScriptedServer,
    told: FireworksProvider,
    tmp_path: Path,
    files: dict[str, bytes],
    state: str,
    refusal: str,
    processed: object,
) -> None:
    publish(server, files, state, processed)
    read = told.results(JobRef("pt-1-a1"), make_payload(tmp_path))
    if refusal:
        with pytest.raises(ResultsEmptyError, match=refusal):
            list(read)
    else:
        assert len(list(read)) == sum(content.count(b"\n") for content in files.values())


@pytest.mark.parametrize(
    ("rows", "state", "believed"), [(2, "COMPLETED", False), (2, "EXPIRED", False), (4, "COMPLETED", True)]
)
def test_an_unproven_end_is_accepted_if_no_row_is_missing(
    server: ScriptedServer, told: FireworksProvider, tmp_path: Path, rows: int, state: str, believed: bool
) -> None:
    publish(server, {"BIJOutputSet.jsonl": b"", "error-data": b""}, state)
    server.on("GET", "/storage/BIJOutputSet.jsonl", bare(200, ROW % b"a" * rows))
    read = told.results(JobRef("pt-1-a1"), make_payload(tmp_path))
    if believed:
        assert len(list(read)) == rows
    else:
        with pytest.raises(ResultsShortError, match=r"without a length.*2 of 4 rows"):
            list(read)


@pytest.mark.parametrize(("state", "processed"), [("EXPIRED", 0), ("EXPIRED", 1), ("EXPIRED", None), ("COMPLETED", 0)])
def test_a_missing_output_is_a_loss_unless_the_job_expired_before_it_started(
    server: ScriptedServer, told: FireworksProvider, tmp_path: Path, state: str, processed: object
) -> None:
    publish(server, {}, state, processed)
    server.on("GET", OUT, json_reply({"code": 5, "message": "resource not found"}, 404))
    read = told.results(JobRef("pt-1-a1"), make_payload(tmp_path))
    if (state, processed) == ("EXPIRED", 0):
        assert list(read) == []
    else:
        with pytest.raises(ResultsGoneError, match="no longer has the results"):
            list(read)


@pytest.mark.parametrize("rows", [2, 4])
def test_answers_are_kept_even_if_the_file_of_failed_requests_is_permanently_unreadable(
    server: ScriptedServer, told: FireworksProvider, tmp_path: Path, rows: int
) -> None:
    publish(server, {"BIJOutputSet.jsonl": ROW % b"a" * rows, "error-data": b"x"})
    server.on("GET", "/storage/error-data", reply(200, b"x", Content_Encoding="gzip, gzip"))
    came: list[bytes] = []
    short = pytest.raises(ResultsShortError, match="compressed more than once") if rows < ROWS else nullcontext()
    with short:
        came.extend(told.results(JobRef("pt-1-a1"), make_payload(tmp_path)))
    assert len(came) == rows


def test_a_permanently_unreadable_file_counts_as_lost_and_not_as_a_transient_error(
    server: ScriptedServer, told: FireworksProvider, tmp_path: Path
) -> None:
    publish(server, {"BIJOutputSet.jsonl": ROW % b"a" * 4})
    server.on("GET", "/storage/BIJOutputSet.jsonl", reply(200, b"x", Content_Encoding="gzip, gzip"))
    with pytest.raises(ResultsGoneError, match="compressed more than once"):
        list(told.results(JobRef("pt-1-a1"), make_payload(tmp_path)))


@pytest.mark.parametrize(
    ("state", "refusal"),
    [
        ("RUNNING", TransientError),
        ("COMPLETED", TransientError),
        ("FAILED", ResultsGoneError),
        ("CANCELLED", ResultsGoneError),
        ("EXPIRED", ResultsGoneError),
    ],
)
def test_an_unfinished_output_is_requested_again_unless_its_job_ended_early(
    server: ScriptedServer, told: FireworksProvider, tmp_path: Path, state: str, refusal: type[Exception]
) -> None:
    publish(server, {}, state)
    server.on("GET", OUT, json_reply({"code": 9, "message": "dataset is not READY"}, 400))
    with pytest.raises(refusal, match="not READY"):
        list(told.results(JobRef("pt-1-a1"), make_payload(tmp_path)))
    server.on("GET", OUT, json_reply({"code": 3, "message": "bad call"}, 400))
    with pytest.raises(PermanentError, match="bad call"):
        list(told.results(JobRef("pt-1-a1"), make_payload(tmp_path)))


def test_a_file_that_is_no_longer_listed_is_requested_again(
    server: ScriptedServer, told: FireworksProvider, tmp_path: Path
) -> None:
    publish(server, {"BIJOutputSet.jsonl": ROW % b"a"})
    server.replies[f"GET {OUT}"].append(json_reply({}))
    with pytest.raises(TransientError, match=r"BIJOutputSet\.jsonl"):
        list(told.results(JobRef("pt-1-a1"), make_payload(tmp_path)))


def test_the_commands_by_hand_name_the_account_the_output_and_the_folder(tmp_path: Path) -> None:
    made = FireworksProvider.open(ENV)
    folder = tmp_path / "with space"
    newer, older, note = made.by_hand(JobRef("pt-1-a1"), folder)
    assert shlex.split(newer) == [
        "firectl", "dataset", "download", "pt-1-a1-out", "--output-dir", str(folder), "-a", "acme",
    ]  # fmt: skip
    assert shlex.split(older, comments=True)[:4] == ["firectl", "download", "dataset", "pt-1-a1-out"]
    assert note.startswith("#")
    assert str(folder / "dataset" / "pt-1-a1-out") in note
    assert "fw_key" not in newer + older + note
