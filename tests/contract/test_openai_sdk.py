"""OpenAI's own SDK drives the emulator, its retry layer included; our client makes the same calls.

That the SDK, its types checked strictly, takes the emulator for its API is evidence that the emulator is faithful; that
our client makes the SDK's calls is evidence that it would meet the real API. ``make sdk`` installs the SDK.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from promptrial.config.instances import preset_instance
from promptrial.model import Completion, ModelSpec, Sampling
from promptrial.model.instances import RequestOptions
from promptrial.providers.openai import OpenAIProvider
from promptrial.providers.openai_compatible import OpenAICompatibleProvider
from promptrial_emulator.server import EmulatorServer
from tests.support.openai_client import CHAT, MODEL, RESPONSES, OpenAiClient, batch_row, batch_rows, chat_body, ok
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

pytestmark = pytest.mark.skipif(not installed("openai"), reason=SDK)

CHAT_ROWS = [
    batch_row("plain", temperature=0.5, max_tokens=64, logprobs=True, top_logprobs=2),
    batch_row("thinks", reasoning_effort="low"),
    batch_row("cut", "one two three four", max_tokens=2),
    batch_row("wrong", top_k=5),
]
RESPONSE_ROWS = [
    batch_row("plain", "Say it.", url=RESPONSES, instructions="Be brief."),
    batch_row("thinks", url=RESPONSES, reasoning={"effort": "low"}),
    batch_row("cut", "one two three four", url=RESPONSES, max_output_tokens=2),
    batch_row("wrong", url=RESPONSES, seed=5),
]
UNSENT = {
    "files": set[str](),
    "batches": set[str](),
    "chat": {"metadata", "moderation"},
    "responses": {
        "access_programs", "background", "completed_at", "conversation", "image", "input_transformations",
        "max_tool_calls", "moderation", "prompt", "prompt_cache_diagnostics", "prompt_cache_key",
        "prompt_cache_options", "prompt_cache_retention", "safety_identifier", "tool_usage", "top_logprobs",
    },
    "models": {"shutdown_date"},
}  # fmt: skip
"""Fields that the SDK declares and the emulator leaves out: there is nothing here that they could tell."""
UNDECLARED = {"responses": {"store"}}
"""Fields that the API echoes, and so the emulator does, but that the SDK does not declare."""


def sdk(
    openai: OpenAiClient, scenario: str, rows: list[dict[str, Any]], endpoint: str = CHAT, **more: Any
) -> dict[str, Any]:
    """Have the SDK do something."""
    plan = {
        **more,
        "scenario": scenario, "rows": rows, "endpoint": endpoint, "chat": chat_body("Say it."),
        "response": {"model": MODEL, "input": "Say it.", "reasoning": {"effort": "low"}},
    }  # fmt: skip
    env = {"OPENAI_BASE_URL": f"{openai.url}/v1", "OPENAI_API_KEY": "emulator-key"}
    return told(run_sdk("openai_sdk_child.py", plan, env))


@pytest.fixture
def openai(tmp_path: Path) -> Iterator[OpenAiClient]:
    with EmulatorServer(tmp_path / "state") as server, closing(OpenAiClient(server.url)) as client:
        yield client


class TestBatch:
    @pytest.fixture(scope="class", params=[CHAT, RESPONSES])
    @staticmethod
    def told(
        request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """What the SDK made of a batch for an endpoint, and the requests that the emulator saw."""
        folder = tmp_path_factory.mktemp("sdk")
        with EmulatorServer(folder) as server, closing(OpenAiClient(server.url)) as openai:
            rows = CHAT_ROWS if request.param == CHAT else RESPONSE_ROWS
            return sdk(openai, "batch", rows, request.param), requests_seen(openai.url)

    def test_the_sdk_is_the_pinned_one(self, told: Any) -> None:
        assert told[0]["version"] == PINNED["openai"]

    def test_the_sdk_declares_all_fields_of_the_emulator_except_those_listed(self, told: Any) -> None:
        for kind in ("files", "batches"):
            for each in told[0][kind]:
                assert (each["undeclared"], set(each["unsent"])) == ([], UNSENT[kind]), kind

    def test_the_sdk_follows_a_batch_to_its_end(self, told: Any) -> None:
        shown = [each["read"] for each in told[0]["batches"]]
        statuses = [each["status"] for each in shown]
        assert statuses == ["validating", "in_progress", "finalizing", "completed", "cancelling"]
        assert shown[3]["request_counts"] == {"total": 4, "completed": 3, "failed": 1}
        assert shown[0]["metadata"] == {"intent": "i-1"}

    def test_both_files_are_read_and_their_bodies_match_the_types(self, told: Any) -> None:
        output, errors = told[0]["output"], told[0]["errors"]
        assert (set(output), set(errors)) == ({"plain", "thinks", "cut"}, {"wrong"})
        assert all(row["read"] for row in output.values())
        assert errors["wrong"]["response"]["body"]["error"]["code"] == "unknown_parameter"
        usage = output["thinks"]["read"]["usage"]
        details = usage.get("completion_tokens_details") or usage["output_tokens_details"]
        assert details["reasoning_tokens"] == 16

    def test_the_file_is_uploaded_as_a_form_with_bracketed_fields(self, told: Any) -> None:
        file = told[0]["files"][0]["read"]
        assert (file["filename"], file["expires_at"] - file["created_at"]) == ("rows.jsonl", 7200)
        output = told[0]["files"][1]["read"]
        assert (output["purpose"], output["expires_at"] - output["created_at"]) == ("batch_output", 7200)

    def test_a_cancelled_batch_ends(self, told: Any) -> None:
        assert told[0]["cancelled"]["status"] == "cancelled"

    def test_lists_go_page_by_page_from_the_newest_and_a_file_is_deleted(self, told: Any) -> None:
        name = told[0]["files"][0]["read"]["id"]
        assert told[0]["listed"] == told[0]["made"][::-1]
        assert told[0]["listed_files"] == [name]
        assert told[0]["deleted"] == {"id": name, "object": "file", "deleted": True}


class TestLive:
    def test_answers_and_models_are_read(self, openai: OpenAiClient) -> None:
        found = sdk(openai, "live", [])
        for kind in ("chat", "responses", "models"):
            for each in found[kind]:
                assert (set(each["undeclared"]), set(each["unsent"])) == (UNDECLARED.get(kind, set()), UNSENT[kind]), (
                    kind
                )
        assert found["chat"][0]["read"]["choices"][0]["message"]["content"].startswith("Say it. [")
        assert found["text"].startswith("Say it. [")
        assert [item["type"] for item in found["responses"][0]["read"]["output"]] == ["reasoning", "message"]
        assert (found["models"][0]["read"]["id"], found["listed"]) == ("a/b", [])


class TestRefusals:
    def test_refusals_raise_the_error_classes_of_the_sdk(self, openai: OpenAiClient) -> None:
        found = sdk(openai, "refusals", batch_rows(1))
        kinds = {name: (each["class"], each["status"], each["code"], each["param"])
                 for name, each in found.items() if name != "version"}  # fmt: skip
        assert kinds == {
            "bad key": ("AuthenticationError", 401, "invalid_api_key", None),
            "no file": ("NotFoundError", 404, None, "input_file_id"),
            "metadata": ("BadRequestError", 400, "string_above_max_length", "metadata.k"),
            "no batch": ("NotFoundError", 404, None, None),
            "no content": ("NotFoundError", 404, None, "id"),
            "parameter": ("BadRequestError", 400, "invalid_value", "max_tokens"),
            "no path": ("NotFoundError", 404, None, None),
        }

    def test_a_batch_that_fails_says_which_row_is_wrong(self, openai: OpenAiClient) -> None:
        last = sdk(openai, "failing", [batch_row("a"), batch_row("a")])["last"]
        assert (last["status"], last["output_file_id"]) == ("failed", None)
        (problem,) = last["errors"]["data"]
        assert (problem["code"], problem["line"], problem["param"]) == ("duplicate_custom_id", 2, "custom_id")


class TestRetries:
    @pytest.mark.parametrize("rule", [{}, {"variant": "error", "status": 503}])
    def test_the_retries_of_the_sdk_create_everything_twice(self, openai: OpenAiClient, rule: dict[str, Any]) -> None:
        """What our own client must not do: after "committed, then reset" the SDK asks again, without a key."""
        for operation in ("upload", "create_batch", "chat_completion"):
            openai.fault("F5", operation, **rule)
        found = sdk(openai, "retried", batch_rows(2))
        batches = openai.ledger("create_batch")
        assert [len(openai.ledger(each)) for each in ("upload", "create_batch", "chat_completion")] == [2, 2, 2]
        assert len({json.dumps(row["facts"]) for row in batches}) == 1, "the same batch, twice"
        assert batches[0]["facts"]["input_file_id"] == found["file"] == openai.ledger("upload")[1]["id"]
        assert found["batch"] == ok(openai.http.get("batches"))["data"][0]["id"]
        posts = [row for row in requests_seen(openai.url) if (row["method"], row["path"]) == ("POST", "/v1/batches")]
        assert [row["headers"]["x-stainless-retry-count"] for row in posts] == ["0", "1"]
        assert not any("idempotency" in name for row in posts for name in row["headers"])


HEADERS = {
    "accept": "the SDK names JSON, and for files bytes; the API has nothing else to offer",
    "accept-encoding": "a gzip body that is cut short is no error to the library, so ours asks for a plain one",
    "content-type": "each names a boundary of its own; the SDK names JSON on cancelling too, where there is no body",
}
"""The headers about content in which the calls differ, and why. Method, path, query and JSON have no difference."""
NAMED = re.compile(r"(file-|batch_)[0-9a-f]{24}")


@dataclass(frozen=True)
class Sides:
    """The same part by both, each on an emulator of its own, and what the emulators saw and kept."""

    theirs: dict[str, Any]
    lines: list[Completion]
    seen: tuple[list[dict[str, Any]], list[dict[str, Any]]]
    uploads: tuple[dict[str, Any], dict[str, Any]]
    rows: list[dict[str, Any]]


@pytest.fixture(scope="module", params=["chat", "responses"])
def sides(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Sides:
    folder, endpoint = tmp_path_factory.mktemp("sides"), CHAT if request.param == "chat" else RESPONSES
    with EmulatorServer(folder / "ours") as server, closing(OpenAiClient(server.url)) as openai:
        lines, seen_ours = ours(openai, folder, request.param), requests_seen(openai.url)
        (file,) = openai.ledger("upload")
        rows = [json.loads(line) for line in openai.content(file["id"]).splitlines()]
        (made,) = (row["json"] for row in seen_ours if row["path"] == "/v1/batches" and row["json"])
    with EmulatorServer(folder / "theirs") as server, closing(OpenAiClient(server.url)) as openai:
        theirs = sdk(openai, "part", rows, endpoint, key=made["metadata"])
        (copy,) = openai.ledger("upload")
        return Sides(theirs, lines, (requests_seen(openai.url), seen_ours), (copy["facts"], file["facts"]), rows)


def ours(openai: OpenAiClient, folder: Path, endpoint: Literal["chat", "responses"]) -> list[Completion]:
    """Do for a part what the queue does, from the check to the end; then ask a chat live, too."""
    sampling = Sampling(temperature=0.7, top_p=0.9, top_k=0, max_tokens=16, stop=("END",), seed=3)
    options = RequestOptions(endpoint=endpoint, reasoning_effort="low")
    payload = make_payload(folder, ModelSpec("m", MODEL, "openai", options=options), sampling)
    instance = replace(preset_instance("openai"), base_url=f"{openai.url}/v1")
    with closing(OpenAIProvider.open({"OPENAI_API_KEY": "emulator-key"}, instance)) as provider:
        found = done_by_ours(provider, payload)
    if endpoint == "chat":
        with closing(OpenAICompatibleProvider.open({"OPENAI_API_KEY": "emulator-key"}, instance)) as live:
            found.append(live.parse_row(live.answer(next(iter(payload.requests())), payload.model).row))
    return found


def call(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return what a request asks; files and batches stand without their names, which each emulator gives."""
    body = NAMED.sub(r"\1", msgspec.json.encode(row["json"], order="sorted").decode())
    return row["method"], NAMED.sub(r"\1", row["path"]), tuple(sorted(map(tuple, row["query"]))), body


class TestCalls:
    def test_both_clients_make_the_same_calls_in_the_same_order(self, sides: Sides) -> None:
        theirs, mine = ([*distinct(rows, call)] for rows in sides.seen)
        if theirs[-1][1] == RESPONSES:  # those are asked for in batches alone
            theirs.pop()
        assert mine == theirs
        methods = "GET GET GET POST GET GET POST GET GET POST"
        assert [each[0] for each in mine if each[1] != CHAT] == methods.split()

    def test_both_clients_upload_the_same_file_under_the_same_name(self, sides: Sides) -> None:
        theirs, mine = sides.uploads
        kept = ("filename", "purpose", "rows")
        assert [theirs[name] for name in kept] == [mine[name] for name in kept] == ["pt-1.jsonl", "batch", 3]

    def test_the_sdk_accepts_the_bodies_of_our_rows_unchanged(self, sides: Sides) -> None:
        assert sides.seen[0][-1]["json"] == {**sides.rows[0]["body"], "stream": False}

    def test_headers_differ_only_as_listed(self, sides: Sides) -> None:
        theirs, mine = (distinct(rows, call) for rows in sides.seen)
        pairs = ((about_content(theirs[each]), about_content(mine[each])) for each in mine)
        assert differing(pairs) == HEADERS.keys()

    def test_both_clients_read_the_same_answers(self, sides: Sides) -> None:
        assert len(sides.theirs["rows"]) == 3
        assert len(sides.lines) == (4 if sides.theirs["live"]["object"] == "chat.completion" else 3)
        theirs = [sides.theirs["rows"][mine.wire_id]["read"] for mine in sides.lines[:3]]
        for mine, body in zip(sides.lines, [*theirs, sides.theirs["live"]], strict=False):
            usage, chat = body["usage"], "choices" in body
            text = body["choices"][0]["message"]["content"] if chat else body["output"][-1]["content"][0]["text"]
            assert (mine.text, mine.error, mine.reasoning_tokens) == (text, None, 16)
            assert mine.prompt_tokens == usage["prompt_tokens" if chat else "input_tokens"]
            assert mine.completion_tokens == usage["completion_tokens" if chat else "output_tokens"]

    def test_cancelling_a_batch_that_has_ended_is_an_error_of_the_sdk_and_not_of_our_client(self, sides: Sides) -> None:
        assert sides.theirs["cancelled"]["status"] == 400
