"""The Anthropic adapter against a server with scripted answers: how it reads outcomes, lists and results."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptrial.config.instances import preset_instance
from promptrial.errors import (
    ConfigError,
    NotOursError,
    OutcomeUnknownError,
    PermanentError,
    ResultsGoneError,
    ResultsShortError,
    ResultsTornError,
    TransientError,
    UndecidedError,
)
from promptrial.model import Message, ModelSpec, Request, RequestId, Sampling
from promptrial.model.instances import Instance, RequestOptions
from promptrial.providers.anthropic import AnthropicProvider
from promptrial.providers.anthropic_ids import Nonce
from promptrial.providers.base import JobRef, JobState, PartPayload
from promptrial.providers.http_outcomes import RejectedError
from promptrial.providers.request_rows import encode_request_row
from tests.support.http_scripted import Reply, ScriptedServer, json_reply, reply, scripted, server
from tests.support.payloads import part_of

__all__ = ["server"]

BATCHES = "/v1/messages/batches"
KEY = "sk-ant-" + "scriptedsecret"
NAME = "msgbatch_1"
IDS = ("set-q0-c-0-0-c", "set-q1-c-0-0-c")


@pytest.fixture
def provider(server: ScriptedServer) -> Iterator[AnthropicProvider]:
    yield from opened(server)


def opened(server: ScriptedServer, **changes: Any) -> Iterator[AnthropicProvider]:
    provider = AnthropicProvider.open({"ANTHROPIC_API_KEY": KEY}, instance(server, **changes))
    try:
        yield provider
    finally:
        provider.close()


def instance(server: ScriptedServer, **changes: Any) -> Instance:
    return replace(preset_instance("anthropic"), **{"base_url": server.url, **changes})


@pytest.fixture
def payload(tmp_path: Path) -> PartPayload:
    """Two requests of an attempt that started when msgbatch_0 was the newest batch."""
    sampling = Sampling(temperature=0.0, top_p=1.0, top_k=50, max_tokens=4, stop=(), seed=1)
    messages = (Message("system", "Be brief."), Message("user", "What?"))
    identities = [RequestId("set", f"q{number}", "control", "0.0", 0, "closed") for number in range(2)]
    lines = [encode_request_row(Request(identity, messages, sampling)) for identity in identities]
    model = ModelSpec("m", "claude-haiku-4-5", "anthropic")
    return part_of(tmp_path / "requests.jsonl", lines, model, "pt-part-a1", staged="msgbatch_0")


def batch(name: str = NAME, status: str = "ended", rows: int = 2, **more: Any) -> dict[str, Any]:
    counts = {"processing": 0, "succeeded": rows, "errored": 0, "canceled": 0, "expired": 0}
    if status != "ended":
        counts = {**counts, "processing": rows, "succeeded": 0}
    return {"id": name, "type": "message_batch", "processing_status": status, "request_counts": counts, **more}


def page(*batches: dict[str, Any], more: bool = False) -> Reply:
    return json_reply({"data": list(batches), "has_more": more, "last_id": batches[-1]["id"] if batches else None})


def answer(wire_id: str, key: str = "pt-part-a1") -> bytes:
    message = {"id": "msg", "content": [{"type": "text", "text": "Rome"}], "stop_reason": "end_turn"}
    sent = Nonce(key, tuple).sent(wire_id)
    return json.dumps({"custom_id": sent, "result": {"type": "succeeded", "message": message}}).encode()


def serve(server: ScriptedServer, body: bytes, name: str = NAME, **more: Any) -> None:
    """Let a batch have ended, with this file of results."""
    url = f"{server.url}{BATCHES}/{name}/results"
    server.on("GET", f"{BATCHES}/{name}", json_reply(batch(name, **{"results_url": url, **more})))
    server.on("GET", f"{BATCHES}/{name}/results", reply(200, body))


def refusal(status: int, kind: str, **headers: Any) -> Reply:
    error = {"type": "error", "error": {"type": kind, "message": "not now"}, "request_id": "req_1"}
    return json_reply(error, status, **headers)


class TestCalls:
    def test_each_request_has_the_key_and_the_version_and_no_bearer_token(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload
    ) -> None:
        server.on("GET", BATCHES, page())
        server.on("POST", BATCHES, json_reply(batch(status="in_progress")))
        provider.stage(replace(payload, staged=None))
        provider.submit(payload)
        for asked in server.asked:
            assert (asked.headers["x-api-key"], asked.headers["anthropic-version"]) == (KEY, "2023-06-01")
            assert "authorization" not in asked.headers

    def test_a_configured_version_is_sent_and_is_part_of_the_fingerprint(self, server: ScriptedServer) -> None:
        server.on("GET", f"{BATCHES}/{NAME}", json_reply(batch(status="in_progress")))
        model = ModelSpec("m", "claude-haiku-4-5", "anthropic", options=RequestOptions(sampling="provider_default"))
        for provider in opened(server, options=(("api_version", "2026-10-21"),)):
            provider.status(JobRef(NAME))
            found = provider.fingerprint(model)
        assert server.asked[0].headers["anthropic-version"] == "2026-10-21"
        assert (found["api_version"], found["seed"]) == ("2026-10-21", "not accepted by this API")

    @pytest.mark.parametrize("version", ["2023 06 01", "\n", "ü", "$(touch${IFS}x)", "`x`", ""])
    def test_an_invalid_version_is_refused(self, server: ScriptedServer, version: str) -> None:
        with pytest.raises(ConfigError, match="api_version"):
            AnthropicProvider.open({"ANTHROPIC_API_KEY": KEY}, instance(server, options=(("api_version", version),)))

    def test_a_version_without_samplers_is_refused_before_anything_is_asked(self, server: ScriptedServer) -> None:
        for provider in opened(server, options=(("api_version", "2026-10-21"),)):
            with pytest.raises(ConfigError, match="temperature"):
                provider.check(ModelSpec("m", "claude-haiku-4-5", "anthropic"))
        assert server.asked == []

    def test_a_gateway_without_a_list_of_models_passes_the_check_of_a_model(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload
    ) -> None:
        server.on("GET", BATCHES, page())
        server.on("GET", "/v1/models/claude-haiku-4-5", reply(404, b"<html>no such page</html>"))
        provider.check(payload.model)
        server.on("GET", "/v1/models/claude-haiku-4-5", refusal(404, "not_found_error"))
        with pytest.raises(PermanentError, match="no model claude-haiku-4-5"):
            provider.check(payload.model)


class TestCreation:
    def test_one_call_sends_all_requests(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload
    ) -> None:
        server.on("POST", BATCHES, json_reply(batch(status="in_progress")))
        assert provider.submit(payload) == JobRef(NAME)
        (asked,) = server.asked
        sent = json.loads(asked.body)["requests"]
        assert [each["custom_id"] for each in sent] == [Nonce(payload.key, tuple).sent(each) for each in IDS]
        assert asked.headers["content-length"] == str(len(asked.body))

    @pytest.mark.parametrize(
        "told",
        [
            Reply(end="reset"),
            reply(500, b"oops"),
            reply(503, b"<html>"),
            refusal(500, "api_error"),
            reply(529, b"<html>a proxy is overloaded</html>"),
            reply(200, b"{"),
            reply(200, b"{}"),
            json_reply({"id": 7}),
            reply(408),
        ],
        ids=str,
    )
    def test_an_ambiguous_answer_leaves_the_outcome_unknown_and_is_not_retried(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload, told: Reply
    ) -> None:
        server.on("POST", BATCHES, told)
        with pytest.raises(OutcomeUnknownError):
            provider.submit(payload)
        assert len(server.asked) == 1

    @pytest.mark.parametrize("name", ["", "..", "a/b", "a\x1b[2J", None])
    def test_a_created_batch_with_an_invalid_name_has_an_unknown_outcome(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload, name: object
    ) -> None:
        server.on("POST", BATCHES, json_reply(batch(status="in_progress") | {"id": name}))
        with pytest.raises(OutcomeUnknownError, match="cannot be read"):
            provider.submit(payload)

    @pytest.mark.parametrize(("status", "kind"), [(429, "rate_limit_error"), (529, "overloaded_error")])
    def test_an_answer_that_the_vendor_is_busy_means_that_nothing_was_done(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload, status: int, kind: str
    ) -> None:
        server.on("POST", BATCHES, refusal(status, kind, retry_after="7"))
        with pytest.raises(TransientError, match="not now") as caught:
            provider.submit(payload)
        assert caught.value.retry_after_s == 7

    @pytest.mark.parametrize(
        ("status", "kind"), [(400, "invalid_request_error"), (401, "authentication_error"), (413, "request_too_large")]
    )
    def test_a_refusal_is_final(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload, status: int, kind: str
    ) -> None:
        server.on("POST", BATCHES, refusal(status, kind))
        with pytest.raises(PermanentError, match=f"HTTP {status}"):
            provider.submit(payload)

    def test_a_request_that_the_vendor_is_known_to_refuse_is_never_sent(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload
    ) -> None:
        thinking = replace(payload.model, options=RequestOptions(thinking_budget=2048))
        with pytest.raises(PermanentError, match="thinking budget"):
            provider.submit(replace(payload, model=thinking))
        assert server.asked == []


class TestFinding:
    def test_no_batch_is_found_if_none_is_newer_than_the_attempt(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload
    ) -> None:
        server.on("GET", BATCHES, page(batch("msgbatch_0"), batch("msgbatch_older", "in_progress")))
        assert provider.find(payload) is None

    def test_staging_records_the_newest_batch_once(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload
    ) -> None:
        server.on("GET", BATCHES, page(batch("msgbatch_9")))
        assert provider.stage(replace(payload, staged=None)).name == "msgbatch_9"
        assert provider.stage(payload).name == "msgbatch_0"
        server.on("GET", BATCHES, page())
        assert provider.stage(replace(payload, staged=None)).name == "none"

    def test_the_only_running_batch_of_the_right_size_is_taken_as_a_guess(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload
    ) -> None:
        others = [batch("msgbatch_7", "in_progress", rows=3), batch("msgbatch_6", "in_progress")]
        server.on("GET", BATCHES, page(*others, batch("msgbatch_1", "in_progress"), batch("msgbatch_0")))
        known = replace(payload, known=lambda: frozenset({"msgbatch_6"}))
        assert provider.find(known) == JobRef("msgbatch_1")

    def test_several_possible_batches_are_an_undecided_error(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload
    ) -> None:
        server.on("GET", BATCHES, page(batch("msgbatch_2", "in_progress"), batch("msgbatch_1", "canceling")))
        with pytest.raises(UndecidedError, match=r"msgbatch_2, msgbatch_1"):
            provider.find(payload)

    def test_the_batch_whose_results_contain_the_nonce_is_found_among_several(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload
    ) -> None:
        serve(server, answer(IDS[0], "pt-other-a1") + b"\n", "msgbatch_3")
        serve(server, answer(IDS[0]) + b"\n", "msgbatch_2")
        listed = [
            {**batch(name), "results_url": f"{server.url}{BATCHES}/{name}/results"}
            for name in ("msgbatch_3", "msgbatch_2")
        ]
        server.on("GET", BATCHES, page(batch("msgbatch_4", "in_progress"), *listed))
        assert provider.find(payload) == JobRef("msgbatch_2")

    def test_a_finished_batch_with_another_nonce_is_passed_over_for_the_running_one(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload
    ) -> None:
        serve(server, answer(IDS[0], "pt-other-a1") + b"\n", "msgbatch_3")
        listed = {**batch("msgbatch_3"), "results_url": f"{server.url}{BATCHES}/msgbatch_3/results"}
        server.on("GET", BATCHES, page(listed, batch("msgbatch_1", "in_progress")))
        assert provider.find(payload) == JobRef("msgbatch_1")

    def test_a_batch_whose_results_were_removed_is_not_a_candidate(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload
    ) -> None:
        old = batch("msgbatch_3", archived_at="2026-02-01T00:00:00Z")
        server.on("GET", BATCHES, page(batch("msgbatch_4", "in_progress"), old))
        assert provider.find(payload) == JobRef("msgbatch_4")
        server.on("GET", BATCHES, page(old))
        assert provider.find(payload) is None

    def test_an_unknown_request_count_does_not_change_the_size_of_a_batch(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload
    ) -> None:
        told = batch("msgbatch_1", "in_progress")
        told["request_counts"] |= {"total": 2, "note": "new"}
        server.on("GET", BATCHES, page(told))
        assert provider.find(payload) == JobRef("msgbatch_1")

    def test_all_pages_are_read_up_to_the_recorded_newest_batch(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload
    ) -> None:
        first = page(batch("msgbatch_5", rows=9), more=True)
        second = page(batch("msgbatch_5", rows=9), batch("msgbatch_1", "in_progress"), batch("msgbatch_0"), more=True)
        server.on("GET", BATCHES, first, second)
        assert provider.find(payload) == JobRef("msgbatch_1")
        assert [asked.target.partition("?")[2] for asked in server.asked] == [
            "limit=100",
            "limit=100&after_id=msgbatch_5",
        ]

    def test_a_list_that_repeats_itself_is_a_transient_error(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload
    ) -> None:
        server.on("GET", BATCHES, page(batch("msgbatch_5", rows=9), more=True))
        with pytest.raises(TransientError, match="repeats itself"):
            provider.find(payload)

    @pytest.mark.parametrize("counts", [None, [], {"processing": "2"}, {"processing": True, "succeeded": True}, {}])
    def test_a_batch_of_unreadable_size_is_not_taken_for_ours(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload, counts: object
    ) -> None:
        server.on("GET", BATCHES, page({**batch("msgbatch_1", "in_progress"), "request_counts": counts}))
        assert provider.find(payload) is None


class TestStatus:
    @pytest.mark.parametrize(
        ("told", "state"),
        [
            (batch(status="in_progress"), JobState.WORKING),
            (batch(status="canceling"), JobState.WORKING),
            (batch(status="rebalancing"), JobState.WORKING),
            (batch(status=""), JobState.WORKING),
            (batch(), JobState.READY),
            (batch(archived_at="2026-02-01T00:00:00Z"), JobState.READY),
            (batch(cancel_initiated_at="2026-02-01T00:00:00Z"), JobState.CANCELLED),
            ({**batch(), "request_counts": {"succeeded": 1, "expired": 1}}, JobState.EXPIRED),
            ({**batch(), "request_counts": "none"}, JobState.READY),
        ],
    )
    def test_each_status_has_its_meaning(
        self, server: ScriptedServer, provider: AnthropicProvider, told: dict[str, Any], state: JobState
    ) -> None:
        server.on("GET", f"{BATCHES}/{NAME}", json_reply(told))
        found = provider.status(JobRef(NAME))
        assert found.state is state
        assert "rebalancing" not in told["processing_status"] or "rebalancing" in found.message

    @pytest.mark.parametrize("status", [None, 5, ["ended"]])
    def test_a_status_that_is_not_text_counts_as_working(
        self, server: ScriptedServer, provider: AnthropicProvider, status: object
    ) -> None:
        server.on("GET", f"{BATCHES}/{NAME}", json_reply(batch() | {"processing_status": status}))
        assert provider.status(JobRef(NAME)).state is JobState.WORKING

    def test_a_batch_that_is_not_found_is_missing(self, server: ScriptedServer, provider: AnthropicProvider) -> None:
        server.on("GET", f"{BATCHES}/{NAME}", refusal(404, "not_found_error"))
        assert provider.status(JobRef(NAME)).state is JobState.MISSING

    def test_a_batch_name_cannot_escape_its_url_path(self, server: ScriptedServer, provider: AnthropicProvider) -> None:
        server.on("GET", f"{BATCHES}/..%2Fmodels", refusal(404, "not_found_error"))
        assert provider.status(JobRef("../models")).state is JobState.MISSING

    def test_canceling_a_batch_that_has_ended_is_not_an_error(
        self, server: ScriptedServer, provider: AnthropicProvider
    ) -> None:
        server.on("POST", f"{BATCHES}/{NAME}/cancel", refusal(400, "invalid_request_error"))
        server.on("GET", f"{BATCHES}/{NAME}", json_reply(batch()))
        provider.cancel(JobRef(NAME))
        server.on("GET", f"{BATCHES}/{NAME}", json_reply(batch(status="in_progress")))
        with pytest.raises(PermanentError):
            provider.cancel(JobRef(NAME))


def results(provider: AnthropicProvider, payload: PartPayload) -> list[str]:
    return [json.loads(line)["custom_id"] for line in provider.results(JobRef(NAME), payload)]


class TestResults:
    @pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
    @pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"\n\r\n"])
    def test_lines_are_read_with_any_byte_order_mark_and_line_ending(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload, start: bytes, end: bytes
    ) -> None:
        serve(server, start + (end or b"\n").join([answer(IDS[1]), answer(IDS[0])]) + end)
        assert results(provider, payload) == [IDS[1], IDS[0]]

    @pytest.mark.parametrize("cut", [-1, 0, 1])
    def test_a_line_end_may_be_split_across_chunks(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload, cut: int
    ) -> None:
        body = answer(IDS[0]) + b"\r\n" + answer(IDS[1]) + b"\r\n"
        at = len(answer(IDS[0])) + 1 + cut
        parts = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:at], body[at:]))
        serve(server, b"")
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        server.on("GET", f"{BATCHES}/{NAME}/results", Reply(head + parts + b"0\r\n\r\n"))
        assert results(provider, payload) == [*IDS]

    def test_a_truncated_file_is_not_accepted(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload
    ) -> None:
        serve(server, answer(IDS[0]) + b"\n" + answer(IDS[1])[:-5])
        with pytest.raises(ResultsTornError):
            results(provider, payload)
        serve(server, answer(IDS[0]) + b"\n")
        with pytest.raises(ResultsShortError, match="1 rows for 2 requests"):
            results(provider, payload)
        server.on("GET", f"{BATCHES}/{NAME}/results", reply(200, answer(IDS[0]), announce=9999))
        with pytest.raises(TransientError):
            results(provider, payload)

    def test_results_of_another_attempt_are_refused(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload
    ) -> None:
        serve(server, answer(IDS[0], "pt-other-a1") + b"\n" + answer(IDS[1], "pt-other-a1"))
        with pytest.raises(NotOursError, match=NAME):
            results(provider, payload)
        server.on("GET", BATCHES, page(batch(NAME, "in_progress")))
        assert provider.find(payload) is None  # what was disproved is no guess again

    @pytest.mark.parametrize("what", ["batch", "results"])
    def test_a_404_for_the_batch_or_its_results_means_that_the_results_are_gone(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload, what: str
    ) -> None:
        serve(server, answer(IDS[0]))
        path = f"{BATCHES}/{NAME}" + ("/results" if what == "results" else "")
        server.on("GET", path, refusal(404, "not_found_error"))
        with pytest.raises(ResultsGoneError):
            results(provider, payload)

    @pytest.mark.parametrize(
        "more", [{"archived_at": "2026-02-01T00:00:00Z"}, {"results_url": None}, {"results_url": ""}]
    )
    def test_results_that_the_vendor_removed_are_gone(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload, more: dict[str, Any]
    ) -> None:
        serve(server, answer(IDS[0]), **more)
        with pytest.raises(ResultsGoneError):
            results(provider, payload)

    def test_the_key_is_not_sent_to_another_origin(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload
    ) -> None:
        with scripted() as elsewhere:
            for url in (
                f"{elsewhere.url}{BATCHES}/{NAME}/results",
                f"http://user@127.0.0.1:{server.port}{BATCHES}",
                "https://api.anthropic.com.example.org/v1",
                "http://[",
            ):
                serve(server, answer(IDS[0]), results_url=url)
                with pytest.raises(PermanentError, match="the key is not sent there"):
                    results(provider, payload)
            assert elsewhere.asked == []
        assert not any(asked.target.endswith("/results") for asked in server.asked)

    def test_a_redirect_is_not_followed(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload
    ) -> None:
        with scripted() as elsewhere:
            serve(server, b"")
            server.on("GET", f"{BATCHES}/{NAME}/results", reply(302, location=f"{elsewhere.url}/x"))
            with pytest.raises(PermanentError, match="redirects"):
                results(provider, payload)
            assert elsewhere.asked == []

    @pytest.mark.parametrize(
        ("answered", "expected"),
        [
            (reply(302, location="https://example.org/x"), ResultsGoneError),
            (reply(400), ResultsGoneError),
            (reply(200, b"twice packed", content_encoding="gzip, gzip"), ResultsGoneError),
            (reply(403), RejectedError),
        ],
        ids=["a redirect", "a refusal", "a body that is packed twice", "a key that may not"],
    )
    def test_each_refusal_of_the_results_has_its_own_kind_of_error(
        self,
        server: ScriptedServer,
        provider: AnthropicProvider,
        payload: PartPayload,
        answered: Reply,
        expected: type[PermanentError],
    ) -> None:
        serve(server, b"")
        server.on("GET", f"{BATCHES}/{NAME}/results", answered)
        with pytest.raises(expected) as caught:
            results(provider, payload)
        assert type(caught.value) is expected


class TestByHand:
    def test_the_commands_name_the_variable_and_not_the_key(
        self, server: ScriptedServer, provider: AnthropicProvider, payload: PartPayload, tmp_path: Path
    ) -> None:
        (fetch,) = provider.by_hand(JobRef(NAME), tmp_path)
        assert fetch == (
            'curl -fsS -H "x-api-key: $ANTHROPIC_API_KEY" -H "anthropic-version: 2023-06-01" '
            f"-o {tmp_path}/{NAME}_results.jsonl {server.url}{BATCHES}/{NAME}/results"
        )
        stop = provider.stop_by_hand(NAME, provider.fingerprint(payload.model))
        assert stop == (
            'curl -fsS -X POST -H "x-api-key: $KEY_OF_127_0_0_1" -H "anthropic-version: 2023-06-01" '
            f"{server.url}{BATCHES}/{NAME}/cancel"
        )
        theirs = provider.stop_by_hand(NAME, {"api": "api.anthropic.com"})
        assert "$ANTHROPIC_API_KEY" in theirs
        assert "https://api.anthropic.com/" in theirs
        odd = provider.stop_by_hand(NAME, {"api": "$(x)", "api_version": "$(touch${IFS}x)"})
        assert "touch" not in odd
        assert shlex.split(odd)[-1].startswith("https://$(x)/"), "quoted"
        gateway = provider.stop_by_hand(NAME, {"api": "llm.corp.example"})
        assert "x-api-key: $KEY_OF_LLM_CORP_EXAMPLE" in gateway
