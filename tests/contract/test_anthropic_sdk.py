"""Anthropic's own SDK drives the emulator, its retry layer included; our client makes the same calls.

That the SDK, its types checked strictly, takes the emulator for its API is evidence that the emulator is faithful; that
our client makes the SDK's calls is evidence that it would meet the real API. ``make sdk`` installs the SDK.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from promptrial.config.instances import preset_instance
from promptrial.model import Completion, ModelSpec, Sampling
from promptrial.model.instances import RequestOptions
from promptrial.providers.anthropic import AnthropicProvider
from promptrial.providers.anthropic_live import AnthropicLiveProvider
from promptrial_emulator.server import EmulatorServer
from tests.support.anthropic_client import MODEL, NEWER, OLDER, AnthropicClient, anthropic_client, params, request
from tests.support.emulator_client import EmulatorClient
from tests.support.skips import SDK
from tests.support.vendor_sdk import (
    PINNED,
    about_content,
    differing,
    distinct,
    done_by_ours,
    installed,
    make_payload,
    requests_seen,
    run_sdk,
    told,
)

pytestmark = pytest.mark.skipif(not installed("anthropic"), reason=SDK)

CACHED = {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
ROWS = [
    request("plain"),
    request("thinking", max_tokens=4096, thinking={"type": "enabled", "budget_tokens": 1024}),
    request("writes", system=[CACHED]),
    request("reads", system=[CACHED]),
    request("cut", "one two three four", max_tokens=2),
    request("wrong", max_tokens=0),
]
OPTIONS = RequestOptions(cache_prompt="1h")
UNSENT = {"batches": set[str](), "messages": {"container", "diagnostics"}, "models": {
    "capabilities", "deprecated_at", "line", "retires_at",
}}  # fmt: skip
"""Fields that the SDK declares and the emulator leaves out: there is nothing here that they could tell."""


def sdk(api: AnthropicClient, scenario: str, version: str = "", rows: Any = ROWS) -> dict[str, Any]:
    """Have the SDK do something; without a version it sends its own."""
    plan = {"scenario": scenario, "requests": rows, "message": params("Say it."), "version": version}
    env = {"ANTHROPIC_BASE_URL": api.emulator.url, "ANTHROPIC_API_KEY": "emulator-key"}
    return told(run_sdk("anthropic_sdk_child.py", plan, env))


@contextmanager
def emulated(folder: Path) -> Iterator[AnthropicClient]:
    with (
        EmulatorServer(folder) as server,
        closing(EmulatorClient(server.url)) as emulator,
        anthropic_client(emulator) as client,
    ):
        yield client


@pytest.fixture
def api(tmp_path: Path) -> Iterator[AnthropicClient]:
    with emulated(tmp_path / "state") as client:
        yield client


class TestBatch:
    @pytest.fixture(scope="module")
    @staticmethod
    def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """What the SDK made of a batch under its own version, and the requests that the emulator saw."""
        with emulated(tmp_path_factory.mktemp("sdk")) as api:
            return sdk(api, "batch"), requests_seen(api.emulator.url)

    def test_the_sdk_is_the_pinned_one_and_asks_for_the_newer_version(self, told: Any) -> None:
        assert told[0]["version"] == PINNED["anthropic"]
        assert {row["headers"]["anthropic-version"] for row in told[1]} == {NEWER}

    def test_the_sdk_declares_all_fields_of_the_emulator_except_those_listed(self, told: Any) -> None:
        for kind, left_out in UNSENT.items():
            for each in told[0][kind]:
                assert (each["undeclared"], set(each["unsent"])) == ([], left_out), kind

    def test_the_sdk_follows_a_batch_to_its_end(self, told: Any) -> None:
        shown = [each["read"] for each in told[0]["batches"]]
        statuses = [each["processing_status"] for each in shown]
        assert statuses[0] == "in_progress"
        assert statuses[-2:] == ["ended", "canceling"]
        counts = {"processing": 0, "succeeded": 5, "errored": 1, "canceled": 0, "expired": 0}
        assert shown[-2]["request_counts"] == counts
        assert shown[0]["request_counts"]["processing"] == len(ROWS)

    def test_results_of_each_kind_are_read(self, told: Any) -> None:
        results = told[0]["results"]
        assert {name: each["type"] for name, each in results.items()} == {
            **dict.fromkeys([row["custom_id"] for row in ROWS], "succeeded"), "wrong": "errored",
        }  # fmt: skip
        assert results["wrong"]["error"]["error"]["type"] == "invalid_request_error"
        assert [block["type"] for block in results["thinking"]["message"]["content"]] == ["thinking", "text"]
        assert results["cut"]["message"]["stop_reason"] == "max_tokens"
        assert results["writes"]["message"]["usage"]["cache_creation"]["ephemeral_1h_input_tokens"] == 2
        assert results["reads"]["message"]["usage"]["cache_read_input_tokens"] == 2

    def test_results_are_fetched_as_the_sdk_does(self, told: Any) -> None:
        fetched = [row for row in told[1] if row["path"].endswith("/results")]
        assert {row["headers"]["accept"] for row in fetched} == {"application/binary"}

    def test_a_cancelled_batch_has_canceled_rows(self, told: Any) -> None:
        shown, results = told[0]["cancelled"]
        assert shown["cancel_initiated_at"] is not None
        assert shown["request_counts"]["canceled"] == [each["type"] for each in results.values()].count("canceled") > 0

    def test_lists_go_page_by_page_from_the_newest_and_a_batch_is_deleted(self, told: Any) -> None:
        assert told[0]["listed"] == told[0]["made"][::-1]
        assert told[0]["deleted"] == {"id": told[0]["made"][0], "type": "message_batch_deleted"}
        assert told[0]["none"]["class"] == "NotFoundError"

    def test_a_live_message_and_a_model_are_read(self, told: Any) -> None:
        message = told[0]["messages"][0]["read"]
        assert message["content"][0]["text"].startswith("Say it. [")
        assert (message["stop_reason"], message["usage"]["service_tier"]) == ("end_turn", "standard")
        assert told[0]["models"][0]["read"]["id"] == MODEL


class TestVersions:
    def test_samplers_are_refused_under_the_sdks_own_version(self, api: AnthropicClient) -> None:
        found = sdk(api, "sampled")
        assert {each["type"] for each in found["results"].values()} == {"errored"}
        assert (found["live"]["class"], found["live"]["status"]) == ("BadRequestError", 400)

    def test_samplers_are_taken_under_an_older_one(self, api: AnthropicClient) -> None:
        found = sdk(api, "sampled", OLDER)
        kinds = {name: each["type"] for name, each in found["results"].items()}
        assert {name for name, kind in kinds.items() if kind == "errored"} == {"thinking", "wrong"}
        assert found["live"] == {"class": None}
        assert {row["headers"]["anthropic-version"] for row in requests_seen(api.emulator.url)} == {OLDER}


class TestRefusals:
    def test_refusals_raise_the_error_classes_of_the_sdk(self, api: AnthropicClient) -> None:
        found = sdk(api, "refusals")
        assert {name: (each["class"], each["status"]) for name, each in found.items() if name != "version"} == {
            "bad key": ("AuthenticationError", 401),
            "bad id": ("BadRequestError", 400),
            "id twice": ("BadRequestError", 400),
            "deleted too soon": ("BadRequestError", 400),
            "never made": ("NotFoundError", 404),
            "sampler": ("BadRequestError", 400),
        }
        assert "requests.0.custom_id" in found["bad id"]["body"]["error"]["message"]


class TestRetries:
    @pytest.mark.parametrize("rule", [{}, {"variant": "error", "status": 529}])
    def test_the_retries_of_the_sdk_create_two_batches_from_one_call(
        self, api: AnthropicClient, rule: dict[str, Any]
    ) -> None:
        """What our own client must not do: after "committed, then reset" the SDK creates again, without a key."""
        api.fault("F5", "create_batch", **rule)
        api.fault("F5", "message", **rule)
        found = sdk(api, "retried")
        assert api.made() == 2
        assert len(api.emulator.ledger("message")) == 2
        assert found["batch"] == api.list()["data"][0]["id"]
        digests = {row["facts"]["sha256"] for row in api.emulator.ledger("create_batch")}
        assert len(digests) == 1, "the same body, twice"
        posts = [
            row
            for row in requests_seen(api.emulator.url)
            if row["path"] == "/v1/messages/batches" and row["method"] == "POST"
        ]
        assert [row["headers"]["x-stainless-retry-count"] for row in posts] == ["0", "1"]
        assert not any("idempotency" in name for row in posts for name in row["headers"])


HEADERS = {
    "accept": "the SDK names JSON, and for results bytes; the API has nothing else to offer",
    "accept-encoding": "a gzip body that is cut short is no error to the library, so ours asks for a plain one",
    "content-type": "the SDK names JSON on cancelling too, where there is no body to speak of",
}
"""The headers about content in which the calls differ, and why. Method, path, query and JSON have no difference."""


@dataclass(frozen=True)
class Sides:
    """The same part by both, each on an emulator of its own, and the requests that the emulators saw."""

    theirs: dict[str, Any]
    lines: list[Completion]
    seen_theirs: list[dict[str, Any]]
    seen_ours: list[dict[str, Any]]


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Sides:
    folder = tmp_path_factory.mktemp("sides")
    with emulated(folder / "ours") as api:
        completions, seen_ours = ours(api, folder), requests_seen(api.emulator.url)
    (made,) = (row["json"]["requests"] for row in seen_ours if row["json"] and "requests" in row["json"])
    with emulated(folder / "theirs") as api:
        theirs, seen_theirs = sdk(api, "part", OLDER, expected(made)), requests_seen(api.emulator.url)
    return Sides(theirs, completions, seen_theirs, seen_ours)


def ours(api: AnthropicClient, folder: Path) -> list[Completion]:
    """Do for a part what the queue does, from the check to the end; then ask its first request live."""
    sampling = Sampling(temperature=0.7, top_p=1.0, top_k=40, max_tokens=16, stop=("END",), seed=3)
    payload = make_payload(folder, ModelSpec("m", MODEL, "anthropic", options=OPTIONS), sampling)
    instance = replace(preset_instance("anthropic"), base_url=api.emulator.url)
    with closing(AnthropicProvider.open({"ANTHROPIC_API_KEY": "emulator-key"}, instance)) as provider:
        found = done_by_ours(provider, payload)
    with closing(AnthropicLiveProvider.open({"ANTHROPIC_API_KEY": "emulator-key"}, instance)) as live:
        answer = live.answer(next(iter(payload.requests())), payload.model)
        return [*found, live.parse_row(answer.row)]


def expected(made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the requests as the SDK's types word them, under the ids that ours were sent with."""
    system = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    more = {"max_tokens": 16, "system": system, "temperature": 0.7, "top_k": 40, "stop_sequences": ["END"]}
    return [request(row["custom_id"], "What is it?", **more) for row in made]


def call(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return what a request asks, of a batch without its name."""
    path = re.sub("msgbatch_[0-9a-f]+", "msgbatch", row["path"])
    return row["method"], path, tuple(map(tuple, row["query"])), msgspec.json.encode(row["json"], order="sorted")


class TestCalls:
    def test_both_clients_make_the_same_calls_in_the_same_order(self, sides: Sides) -> None:
        theirs, mine = distinct(sides.seen_theirs, call), distinct(sides.seen_ours, call)
        assert [*mine] == [*theirs]
        assert [each[0] for each in mine] == ["GET", "GET", "GET", "POST", "GET", "GET", "POST", "POST"]
        assert [*mine][-1][1] == "/v1/messages"

    def test_headers_differ_only_as_listed(self, sides: Sides) -> None:
        theirs, mine = distinct(sides.seen_theirs, call), distinct(sides.seen_ours, call)
        pairs = ((about_content(theirs[each]), about_content(mine[each])) for each in mine)
        assert differing(pairs) == HEADERS.keys()
        assert {row["headers"]["anthropic-version"] for row in [*theirs.values(), *mine.values()]} == {OLDER}

    def test_both_clients_read_the_same_answers(self, sides: Sides) -> None:
        results = {name.rpartition("-")[0]: each["message"] for name, each in sides.theirs["results"].items()}
        assert len(results) == 3
        theirs = [results[mine.wire_id] for mine in sides.lines[:3]]
        for mine, message in zip(sides.lines, [*theirs, sides.theirs["live"]], strict=True):
            usage = message["usage"]
            cached, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
            assert (mine.text, mine.error) == (message["content"][0]["text"], None)
            assert mine.prompt_tokens == usage["input_tokens"] + cached + written
            assert (mine.completion_tokens, mine.cached_tokens) == (usage["output_tokens"], cached)
            assert (mine.cache_write_tokens or 0) == written
        assert sum(mine.cache_write_tokens or 0 for mine in sides.lines[:3]) == 2

    def test_cancelling_a_batch_that_has_ended_is_an_error_of_the_sdk_and_not_of_our_client(self, sides: Sides) -> None:
        assert sides.theirs["cancelled"]["status"] == 400
