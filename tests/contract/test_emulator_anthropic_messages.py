"""Messages of the emulated Anthropic API, in batches and live: what may be asked, how it is answered, what it costs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from promptrial.model import RequestId, ids
from promptrial_emulator.faults.answers import REASONING
from promptrial_emulator.settings import AnthropicSettings
from tests.support.anthropic_client import (
    MODEL,
    NEWER,
    OLDER,
    AnthropicClient,
    anthropic_client,
    params,
    refusal,
    request,
    text_of,
)
from tests.support.emulator_client import EmulatorClient, jsonl
from tests.support.emulator_fixtures import Start, emulator, shared, start

__all__ = ["emulator", "shared", "start"]

THINKING = {"type": "enabled", "budget_tokens": 1024}
CACHED = {"type": "text", "text": "one two three", "cache_control": {"type": "ephemeral"}}


@pytest.fixture
def api(emulator: EmulatorClient) -> Iterator[AnthropicClient]:
    with anthropic_client(emulator) as client:
        yield client


def one(api: AnthropicClient, **more: Any) -> dict[str, Any]:
    """Return the result of a batch of one row."""
    return api.results(api.batch([request("a", **more)]))["a"]


class TestAnswers:
    def test_a_row_has_a_whole_message(self, api: AnthropicClient) -> None:
        result = one(api, text="Name the largest moon of Saturn please.")
        message = result["message"]
        assert sorted(result) == ["message", "type"]
        assert message["id"].startswith("msg_")
        assert [message[key] for key in ("type", "role", "model")] == ["message", "assistant", MODEL]
        assert [message[key] for key in ("stop_reason", "stop_sequence")] == ["end_turn", None]
        assert text_of(result).startswith("Name the largest moon of Saturn [")
        assert message["usage"] == {
            "input_tokens": 7,
            "output_tokens": 7,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "service_tier": "batch",
        }

    def test_the_same_request_is_answered_the_same_live_and_in_a_batch(self, api: AnthropicClient) -> None:
        texts = [
            text_of(one(api, temperature=0.5)),
            text_of(one(api, temperature=0.5)),
            text_of({"message": api.message(temperature=0.5).json()}),
            text_of(one(api, temperature=0.6)),
            text_of(one(api, temperature=0.5, model="claude-other")),
            text_of(one(api, temperature=0.5, system="Be brief.")),
        ]
        assert texts[0] == texts[1] == texts[2]
        assert len(set(texts)) == 4

    def test_another_attempt_at_a_request_is_answered_with_the_same_bytes(self, api: AnthropicClient) -> None:
        first, second = (api.results(api.batch([request(f"a-{nonce}")])) for nonce in ("abcdef27", "bbbbbb77"))
        assert [*first.values()] == [*second.values()]
        assert first.keys() != second.keys()

    def test_results_come_in_another_order_than_requests(self, api: AnthropicClient) -> None:
        batch = api.batch(6)
        assert sorted(found := [*api.results(batch)]) == [f"r{n}" for n in range(6)]
        assert found != sorted(found)

    def test_results_are_sent_in_chunks_with_a_file_name(self, api: AnthropicClient) -> None:
        batch = api.batch()
        api.ended(batch)
        reply = api.get_results(batch)
        assert reply.headers["transfer-encoding"] == "chunked"
        assert "content-length" not in reply.headers
        assert reply.headers["content-type"] == "application/x-jsonl"
        assert f"{batch}_results.jsonl" in reply.headers["content-disposition"]

    def test_each_row_is_answered_by_its_own_model(self, api: AnthropicClient) -> None:
        rows = [request(f"r{n}", model=f"claude-{n // 2}") for n in range(4)]
        found = api.results(api.batch(rows))
        assert [found[f"r{n}"]["message"]["model"] for n in range(4)] == ["claude-0"] * 2 + ["claude-1"] * 2

    def test_a_missing_model_is_an_errored_row_in_a_batch_and_404_live(self, start: Start) -> None:
        own = start(models=frozenset({MODEL}))
        with anthropic_client(own) as api:
            found = api.results(api.batch([request("a"), request("b", model="claude-none")]))
            assert found["a"]["type"] == "succeeded"
            assert found["b"]["error"]["error"] == {"type": "not_found_error", "message": "model: claude-none"}
            assert refusal(api.message(model="claude-none")) == (404, "not_found_error")

    def test_a_batch_without_a_responder_ends_with_errors(
        self, start: Start, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with anthropic_client(start(responder="oracle")) as api:
            found = api.results(api.batch(2))
            assert {each["error"]["error"]["type"] for each in found.values()} == {"api_error"}
        assert "needs prepared questions" in capfd.readouterr().err


class TestStopReasons:
    def test_an_answer_is_cut_at_max_tokens(self, api: AnthropicClient) -> None:
        result = one(api, text="one two three four", max_tokens=2)
        assert (text_of(result), result["message"]["stop_reason"]) == ("one two", "max_tokens")
        assert result["message"]["usage"]["output_tokens"] == 2

    def test_an_answer_ends_before_the_first_stop_sequence(self, api: AnthropicClient) -> None:
        result = one(api, text="one two three four", stop_sequences=["four", "three"])
        message = result["message"]
        assert text_of(result) == "one two "
        assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "three")
        assert message["usage"]["output_tokens"] == 2

    def test_a_stop_sequence_that_does_not_occur_changes_nothing(self, api: AnthropicClient) -> None:
        message = one(api, stop_sequences=["never"])["message"]
        assert (message["stop_reason"], message["stop_sequence"]) == ("end_turn", None)


class TestParameters:
    @pytest.mark.parametrize(
        ("more", "said"),
        [
            ({"max_tokens": -1}, "max_tokens"),
            ({"max_tokens": "5"}, "max_tokens"),
            ({"max_tokens": None}, "max_tokens: Field required"),
            ({"model": ""}, "model"),
            ({"messages": []}, "messages"),
            ({"messages": ["x"]}, "messages.0"),
            ({"messages": [{"role": "system", "content": "x"}]}, "messages.0.role"),
            ({"messages": [{"role": "user", "content": ""}]}, "messages.0.content"),
            ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages.0.content.0.type"),
            ({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}, "messages.0.content.0.text"),
            ({"system": 7}, "system"),
            ({"system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "2h"}}]},
             "system.0.cache_control"),
            ({"cache_control": {"type": "ephemeral", "ttl": "2h"}}, "cache_control"),
            ({"temperature": 1.1}, "temperature"),
            ({"top_p": "1"}, "top_p"),
            ({"top_k": 1.5}, "top_k"),
            ({"stop_sequences": [" "]}, "stop_sequences"),
            ({"stop_sequences": "x"}, "stop_sequences"),
            ({"seed": 7}, "seed: Extra inputs are not permitted"),
            ({"stream": True}, "stream"),
            ({"thinking": {"type": "much"}}, "thinking.type"),
            ({"thinking": {"type": "enabled"}}, "thinking.enabled.budget_tokens: Field required"),
            ({"thinking": {"type": "enabled", "budget_tokens": 1023}, "max_tokens": 4096}, "budget_tokens"),
            ({"thinking": THINKING, "max_tokens": 1024}, "max_tokens must be greater than thinking.budget_tokens"),
            ({"thinking": THINKING, "max_tokens": 4096, "temperature": 0.5}, "temperature"),
            ({"thinking": THINKING, "max_tokens": 4096, "top_k": 5}, "top_k"),
        ],
    )  # fmt: skip
    def test_an_invalid_request_is_an_errored_row_in_a_batch_and_refused_live(
        self, api: AnthropicClient, more: dict[str, Any], said: str
    ) -> None:
        live = api.message(**more)
        assert refusal(live) == (400, "invalid_request_error")
        assert said in live.json()["error"]["message"]
        result = one(api, **more)
        assert sorted(result["error"]) == ["error", "request_id", "type"]
        assert result["error"]["error"]["type"] == "invalid_request_error"
        assert said in result["error"]["error"]["message"]

    def test_some_models_accept_temperature_or_top_p_but_not_both(self, start: Start) -> None:
        with anthropic_client(start(anthropic=AnthropicSettings(one_sampler=frozenset({MODEL})))) as api:
            both: dict[str, Any] = {"temperature": 1.0, "top_p": 1.0}
            one_of_them: dict[str, Any] = {"temperature": 0.5, "top_k": 5}
            live = api.message(**both)
            assert refusal(live) == (400, "invalid_request_error")
            assert "`temperature` and `top_p` cannot both be specified" in live.json()["error"]["message"]
            assert one(api, **both)["error"]["error"]["message"] == live.json()["error"]["message"]
            assert api.message(**one_of_them).status_code == 200
            assert api.message(model="claude-other", **both).status_code == 200

    def test_max_tokens_0_is_refused_in_a_batch_and_fills_the_cache_live(self, api: AnthropicClient) -> None:
        assert one(api, max_tokens=0)["error"]["error"]["type"] == "invalid_request_error"
        message = api.message(max_tokens=0, system=[{**CACHED, "text": "only to fill the cache"}]).json()
        assert (message["content"], message["usage"]["output_tokens"]) == ([], 0)
        assert message["usage"]["cache_creation_input_tokens"] == 5

    def test_errored_rows_are_counted_and_do_not_affect_the_others(self, api: AnthropicClient) -> None:
        batch = api.batch([request("a"), request("b", max_tokens=0), request("c")])
        assert [api.results(batch)[name]["type"] for name in "abc"] == ["succeeded", "errored", "succeeded"]
        counts = api.get(batch).json()["request_counts"]
        assert (counts["succeeded"], counts["errored"]) == (2, 1)

    def test_content_blocks_are_read_and_irrelevant_parameters_accepted(self, api: AnthropicClient) -> None:
        blocks = [{"type": "text", "text": "one two"}, {"type": "text", "text": "three"}]
        more = {"metadata": {"user_id": "u"}, "output_config": {"effort": "low"}, "service_tier": "auto"}
        result = one(api, messages=[{"role": "user", "content": blocks}], **more)
        assert text_of(result).startswith("one two three [")


class TestThinking:
    def test_a_thinking_budget_adds_a_thinking_block_billed_as_output(self, api: AnthropicClient) -> None:
        plain = one(api, max_tokens=4096)["message"]
        thought = one(api, max_tokens=4096, thinking=THINKING)["message"]
        assert [block["type"] for block in thought["content"]] == ["thinking", "text"]
        assert (thought["content"][0]["thinking"], bool(thought["content"][0]["signature"])) == (REASONING, True)
        words = len(REASONING.split())
        assert thought["usage"]["output_tokens"] == plain["usage"]["output_tokens"] + words
        assert thought["usage"]["output_tokens_details"] == {"thinking_tokens": words}
        assert "output_tokens_details" not in plain["usage"]

    def test_thinking_counts_towards_max_tokens(self, api: AnthropicClient) -> None:
        text = " ".join(f"w{n}" for n in range(6))
        words = len(REASONING.split())
        message = one(api, text=text, max_tokens=words + 3, thinking={"type": "adaptive"})["message"]
        assert message["stop_reason"] == "max_tokens"
        assert message["usage"]["output_tokens"] == words + 3

    def test_thinking_may_be_hidden_or_off(self, api: AnthropicClient) -> None:
        hidden = one(api, max_tokens=4096, thinking={**THINKING, "display": "omitted"})["message"]
        assert hidden["content"][0]["thinking"] == ""
        assert hidden["usage"]["output_tokens_details"]["thinking_tokens"] > 0
        off = one(api, thinking={"type": "disabled"})["message"]
        assert [block["type"] for block in off["content"]] == ["text"]


class TestCaching:
    def usage(self, result: dict[str, Any]) -> tuple[int, int, int]:
        usage = result["message"]["usage"]
        names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
        return tuple(usage[name] for name in names)

    def test_the_first_row_with_a_prefix_writes_the_cache_and_later_rows_read_it(self, api: AnthropicClient) -> None:
        rows = [request(f"r{n}", "a b", system=[CACHED]) for n in range(3)]
        rows += [request("other", "a b", system=[{**CACHED, "text": "four five"}]), request("none", "a b")]
        found = api.results(api.batch(rows))
        assert [self.usage(found[name]) for name in ("r0", "r1", "r2", "other", "none")] == [
            (2, 3, 0), (2, 0, 3), (2, 0, 3), (2, 2, 0), (2, 0, 0),
        ]  # fmt: skip

    def test_usage_reports_how_long_cached_tokens_are_kept(self, api: AnthropicClient) -> None:
        long = {**CACHED, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
        found = api.results(api.batch([request("5m", system=[CACHED]), request("1h", system=[long, CACHED])]))
        assert found["5m"]["message"]["usage"]["cache_creation"] == {
            "ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 0,
        }  # fmt: skip
        assert found["1h"]["message"]["usage"]["cache_creation"] == {
            "ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 0,
        }, "the first three tokens are read"  # fmt: skip

    def test_a_longer_prefix_reads_the_cache_of_a_shorter_one(self, api: AnthropicClient) -> None:
        more = {"type": "text", "text": "four five", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
        rows = [request("a", "x", system=[CACHED]), request("b", "x", system=[CACHED, more])]
        found = api.results(api.batch(rows))
        assert self.usage(found["b"]) == (1, 2, 3)
        assert found["b"]["message"]["usage"]["cache_creation"]["ephemeral_1h_input_tokens"] == 2

    def test_another_model_has_another_cache(self, api: AnthropicClient) -> None:
        rows = [request("a", "x", system=[CACHED]), request("b", "x", system=[CACHED], model="claude-other")]
        assert self.usage(api.results(api.batch(rows))["b"]) == (1, 3, 0)

    def test_caching_changes_no_answer(self, api: AnthropicClient) -> None:
        assert text_of(one(api, system=[CACHED])) == text_of(one(api, system="one two three"))

    def test_live_prefixes_are_kept_until_their_time_is_up(self, start: Start) -> None:
        own = start(clock="manual")
        with anthropic_client(own) as api:
            seen = []
            for wait in (0, 299, 299, 300):
                own.advance(wait)
                seen.append(self.usage({"message": api.message("x", system=[CACHED]).json()}))
        assert seen == [(1, 3, 0), (1, 0, 3), (1, 0, 3), (1, 3, 0)], "a read keeps the prefix for longer"

    def test_the_request_itself_may_ask_for_a_cache(self, start: Start) -> None:
        with anthropic_client(start()) as api:
            messages = [api.message("a b c", cache_control={"type": "ephemeral"}).json() for _ in range(2)]
        assert [self.usage({"message": each}) for each in messages] == [(0, 3, 0), (0, 0, 3)]


class TestLive:
    def test_a_message_is_answered_immediately_and_recorded_in_the_ledger(self, api: AnthropicClient) -> None:
        reply = api.message("one two three")
        message = reply.json()
        assert (reply.status_code, message["usage"]["service_tier"]) == (200, "standard")
        assert text_of({"message": message}).startswith("one two three [")
        entry = api.emulator.ledger("message", message["id"])[-1]
        body = reply.request.content
        digest = hashlib.sha256(body).hexdigest()
        assert entry["facts"] == {
            "model": MODEL, "sha256": digest, "client_request_id": None,
            "input_tokens": message["usage"]["input_tokens"], "output_tokens": message["usage"]["output_tokens"],
        }  # fmt: skip

    def test_the_oracle_finds_the_question_of_a_message_by_the_id_from_its_client(
        self, start: Start, tmp_path: Path
    ) -> None:
        question = {"id": "q1", "dataset": "mine", "question": "?", "context": "x", "answers": ["gold"]}
        (tmp_path / "open_book.jsonl").write_bytes(jsonl([question]))
        own = start(responder="oracle", questions=tmp_path, accuracy=1.0)
        name = ids.wire_encode(RequestId("mine", "q1", "control", "0.7", 0, "open"))
        with anthropic_client(own) as api:
            reply = api.http.post("messages", json=params(), headers={"x-client-request-id": name})
            assert text_of({"message": reply.json()}) == "gold"
            assert own.ledger("message")[0]["facts"]["client_request_id"] == name
            assert refusal(api.message()) == (400, "invalid_request_error")

    def test_a_message_without_a_responder_is_a_500(self, start: Start) -> None:
        with anthropic_client(start(responder="oracle")) as api:
            assert refusal(api.message()) == (500, "api_error")

    def test_live_calls_do_not_move_the_clock(self, api: AnthropicClient) -> None:
        url = f"{api.emulator.url}/__emu/clock"
        before = api.emulator.plain.get(url).json()["seconds"]
        api.message()
        api.http.get("models")
        assert api.emulator.plain.get(url).json()["seconds"] == before

    def test_answers_can_be_delayed(self, start: Start) -> None:
        with anthropic_client(start(anthropic=AnthropicSettings(latency_s=1.0))) as api:
            api.http.timeout = httpx.Timeout(20, read=0.2)
            with pytest.raises(httpx.ReadTimeout):
                api.message()

    def test_a_refused_message_leaves_no_entry(self, api: AnthropicClient) -> None:
        before = len(api.emulator.ledger("message"))
        assert api.message(max_tokens=-1).status_code == 400
        assert refusal(api.http.post("messages", content=b"[]")) == (400, "invalid_request_error")
        assert refusal(api.http.post("messages", content=b"{")) == (400, "invalid_request_error")
        assert len(api.emulator.ledger("message")) == before

    @pytest.mark.parametrize("field", [{"temperature": 1.0}, {"top_p": 1.0}, {"top_k": 1}])
    def test_samplers_are_refused_under_the_version_without_them(
        self, emulator: EmulatorClient, field: dict[str, Any]
    ) -> None:
        with anthropic_client(emulator, NEWER) as newer, anthropic_client(emulator, OLDER) as older:
            assert refusal(newer.message(**field)) == (400, "invalid_request_error")
            assert newer.message().status_code == older.message(**field).status_code == 200

    def test_models_are_listed_and_shown(self, start: Start) -> None:
        with anthropic_client(start(models=frozenset({"claude-a", "claude-b"}))) as api:
            page = api.http.get("models", params={"limit": 1}).json()
            assert ([each["id"] for each in page["data"]], page["has_more"]) == (["claude-a"], True)
            rest = api.http.get("models", params={"after_id": page["last_id"]}).json()
            assert ([each["id"] for each in rest["data"]], rest["has_more"]) == (["claude-b"], False)
            shown = api.http.get("models/claude-a").json()
            assert (shown["type"], shown["id"], shown["max_input_tokens"]) == ("model", "claude-a", 200_000)
            assert refusal(api.http.get("models/claude-none")) == (404, "not_found_error")

    def test_any_model_name_is_accepted_if_none_are_configured(self, api: AnthropicClient) -> None:
        assert api.http.get("models/claude-any").json()["id"] == "claude-any"
        assert MODEL in [each["id"] for each in api.http.get("models").json()["data"]]
