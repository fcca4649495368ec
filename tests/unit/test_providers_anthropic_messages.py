"""A neutral request as the parameters of one message, and what is refused before anything is sent."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any, Literal

import msgspec
import pytest

from promptrial.errors import ConfigError, PermanentError
from promptrial.model import Message, ModelSpec, Request, RequestId, Sampling
from promptrial.model.instances import RequestOptions
from promptrial.providers.anthropic_ids import Nonce
from promptrial.providers.anthropic_messages import (
    EMPTY_BODY,
    check_budget,
    check_options,
    check_sampling,
    message_params,
    row_overhead,
    write_requests,
)
from promptrial.providers.request_rows import RequestRow, decode_request_row, encode_request_row

_USER = Message("user", "What?")
_SYSTEM = Message("system", "Be brief.")


def asked(*messages: Message, **sampling: Any) -> RequestRow:
    usual = Sampling(temperature=0.0, top_p=1.0, top_k=50, max_tokens=8, stop=(), seed=1)
    identity = RequestId("set", "q1", "control", "0.0", 0, "closed")
    request = Request(identity, messages or (_SYSTEM, _USER), replace(usual, **sampling))
    return decode_request_row(encode_request_row(request))


def model(name: str = "claude-haiku-4-5", **options: Any) -> ModelSpec:
    return ModelSpec("m", name, "anthropic", options=RequestOptions(**options))


def params(row: RequestRow, spec: ModelSpec | None = None) -> Any:
    """Return the parameters as they are sent."""
    return msgspec.json.decode(msgspec.json.encode(message_params(row, spec or model())))


def test_the_system_prompt_is_a_separate_field_and_there_is_no_seed() -> None:
    assert params(asked()) == {
        "model": "claude-haiku-4-5",
        "max_tokens": 8,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "What?"}],
        "temperature": 0.0,
        "top_k": 50,
    }


def test_without_a_system_prompt_or_with_a_blank_one_none_is_sent() -> None:
    assert "system" not in params(asked(_USER))
    assert "system" not in params(asked(Message("system", " \n"), _USER))


def test_a_conversation_keeps_its_turns() -> None:
    turns = (_USER, Message("assistant", "This."), Message("user", "And?"))
    assert [each["content"] for each in params(asked(_SYSTEM, *turns))["messages"]] == ["What?", "This.", "And?"]


def test_a_system_message_within_a_conversation_is_refused_by_the_name_of_its_request() -> None:
    with pytest.raises(PermanentError, match="set-q1-c-0-0-c"):
        params(asked(_SYSTEM, _USER, _SYSTEM))


def test_stop_sequences_have_their_own_name() -> None:
    assert params(asked(stop=("\nQ:", "END")))["stop_sequences"] == ["\nQ:", "END"]


@pytest.mark.parametrize("stop", ["\n", " \t"])
def test_a_stop_sequence_of_white_space_is_refused_before_anything_is_sent(stop: str) -> None:
    """The vendor would refuse every row: each would be an error and final."""
    with pytest.raises(PermanentError, match="only white space") as caught:
        message_params(asked(stop=("Question:", stop)), model())
    assert "`stop`" in str(caught.value.hint)


@pytest.mark.parametrize("ttl", ["5m", "1h"])
def test_a_cached_prompt_is_a_block_with_its_lifetime(ttl: Literal["5m", "1h"]) -> None:
    block = {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": ttl}}
    assert params(asked(), model(cache_prompt=ttl))["system"] == [block]
    assert "system" not in params(asked(_USER), model(cache_prompt=ttl))


class TestSamplers:
    def test_a_temperature_above_one_is_refused(self) -> None:
        assert params(asked(temperature=1.0))["temperature"] == 1.0
        with pytest.raises(PermanentError, match="above 1") as caught:
            params(asked(temperature=1.1))
        assert "temps" in (caught.value.hint or "")

    def test_only_top_p_is_sent_if_the_temperature_is_left_to_the_vendor(self) -> None:
        sent = params(asked(temperature=1.0, top_p=0.9))
        assert (sent.get("temperature"), sent["top_p"]) == (None, 0.9)

    @pytest.mark.parametrize("name", ["claude-3-5-haiku-latest", "claude-sonnet-4-20250514", "claude-opus-4-0"])
    def test_older_models_accept_temperature_and_top_p(self, name: str) -> None:
        sent = params(asked(temperature=0.5, top_p=0.9), model(name))
        assert (sent["temperature"], sent["top_p"]) == (0.5, 0.9)

    @pytest.mark.parametrize("name", ["claude-opus-4-1", "claude-sonnet-4-5-20250929", "claude-haiku-4-5", "other"])
    def test_later_models_accept_one_of_temperature_and_top_p_and_refuse_both(self, name: str) -> None:
        with pytest.raises(PermanentError, match="either temperature or top_p") as caught:
            params(asked(temperature=0.5, top_p=0.9), model(name))
        assert "provider_default" in (caught.value.hint or "")

    def test_samplers_left_to_the_vendor_are_neither_sent_nor_refused(self) -> None:
        sent = params(asked(temperature=2.0, top_p=0.5), model(sampling="provider_default"))
        assert not sent.keys() & {"temperature", "top_p", "top_k"}

    @pytest.mark.parametrize("version", ["2026-10-21", "2027-01-01"])
    def test_a_version_without_samplers_is_refused_unless_they_are_left_to_the_vendor(self, version: str) -> None:
        with pytest.raises(ConfigError, match=version) as caught:
            check_options(model(), version)
        assert "api_version: 2023-06-01" in (caught.value.hint or "")
        check_options(model(sampling="provider_default"), version)
        check_options(model(), "2023-06-01")


class TestThinking:
    def test_the_thinking_budget_is_added_to_the_answer_limit(self) -> None:
        sent = params(asked(temperature=1.0), model(thinking_budget=2048))
        assert (sent["max_tokens"], sent["thinking"]) == (2056, {"type": "enabled", "budget_tokens": 2048})
        assert not sent.keys() & {"temperature", "top_p", "top_k"}

    @pytest.mark.parametrize("sampling", [{"temperature": 0.0}, {"temperature": 1.0, "top_p": 0.9}])
    def test_samplers_other_than_the_vendors_defaults_are_refused_with_thinking(
        self, sampling: dict[str, float]
    ) -> None:
        with pytest.raises(PermanentError, match="thinking budget") as caught:
            params(asked(**sampling), model(thinking_budget=2048))
        assert "temps: [1.0]" in (caught.value.hint or "")
        assert params(asked(**sampling), model(thinking_budget=2048, sampling="provider_default"))["thinking"]

    def test_a_budget_below_the_minimum_is_refused(self) -> None:
        check_budget(model(thinking_budget=1024))
        with pytest.raises(ConfigError, match="1024"):
            check_budget(model(thinking_budget=1023))

    def test_effort_goes_into_the_output_configuration(self) -> None:
        assert params(asked(), model(reasoning_effort="low"))["output_config"] == {"effort": "low"}


def test_extra_keys_are_added_unchanged() -> None:
    extra = '{"metadata":{"user_id":"u"},"output_config":{"format":{"type":"x"}}}'
    sent = params(asked(), model(extra_body=extra, reasoning_effort="low"))
    assert sent["metadata"] == {"user_id": "u"}
    assert sent["output_config"] == {"effort": "low", "format": {"type": "x"}}


def refused(spec: ModelSpec, **sampling: Any) -> ConfigError:
    usual = Sampling(temperature=0.0, top_p=1.0, top_k=50, max_tokens=8, stop=(), seed=1)
    with pytest.raises(ConfigError) as caught:
        check_sampling(spec, replace(usual, **sampling), "2023-06-01")
    assert caught.value.hint
    return caught.value


class TestBeforeAnythingIsAsked:
    @pytest.mark.parametrize(
        ("options", "sampling", "said"),
        [
            ({}, {"temperature": 1.1}, "above 1"),
            ({}, {"temperature": 0.5, "top_p": 0.9}, "either temperature or top_p"),
            ({}, {"stop": (" ",)}, "only white space"),
            ({"thinking_budget": 2048}, {}, "accepts only temperature 1"),
            ({"thinking_budget": 20}, {"temperature": 1.0}, "1024"),
            ({"sampling": "provider_default"}, {"temperature": 0.5}, "`temps` is 0.5"),
            ({"sampling": "provider_default"}, {"stop": (" ",)}, "only white space"),
        ],
    )
    def test_requests_that_the_vendor_would_refuse_are_refused_locally(
        self, options: dict[str, Any], sampling: dict[str, Any], said: str
    ) -> None:
        assert said in refused(model(**options), **sampling).message

    def test_parameters_that_are_not_sent_are_reported(self) -> None:
        usual = Sampling(temperature=0.0, top_p=1.0, top_k=50, max_tokens=8, stop=(), seed=1)
        assert check_sampling(model(), usual, "2023-06-01") == "Anthropic does not support seed, so it is not sent"
        left = check_sampling(model(sampling="provider_default"), usual, "2026-10-21")
        assert "are not sent; the vendor's defaults apply" in left
        with pytest.raises(ConfigError, match="2026-10-21"):
            check_sampling(model(), usual, "2026-10-21")

    @pytest.mark.parametrize(
        "extra",
        ["model", "messages", "system", "max_tokens", "temperature", "top_k", "stream", "stop_sequences", "thinking"],
    )
    def test_extra_keys_cannot_be_keys_that_have_their_own_setting(self, extra: str) -> None:
        assert f"extra_body may not hold '{extra}'" in refused(model(extra_body=f'{{"{extra}":1}}')).message

    def test_nested_extra_keys_cannot_be_keys_that_have_their_own_setting(self) -> None:
        extra = '{"output_config":{"effort":"high"}}'
        assert "may not hold 'output_config.effort'" in refused(model(extra_body=extra)).message


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cache_prompt": "1h"},
        {"thinking_budget": 20000},
        {"extra_body": '{"metadata":{"user_id":"' + "u" * 1000 + '"}}'},
        {"sampling": "provider_default", "reasoning_effort": "low"},
    ],
)
@pytest.mark.parametrize("system", [True, False])
def test_the_stated_overhead_bounds_the_size_of_a_request(options: dict[str, Any], system: bool) -> None:
    spec = model(**options)
    sampling = {"temperature": 1.0} if "thinking_budget" in options else {}
    row = asked(*((_SYSTEM,) if system else ()), Message("user", 'ü "quoted" \n' * 9), stop=("END", "Q:"), **sampling)
    neutral, file = len(msgspec.json.encode(row)), io.BytesIO()
    write_requests(file, [row] * 50, spec, Nonce("pt-a1", lambda: ()))
    longer = len(file.getvalue()) - len(EMPTY_BODY) - 50 * (neutral + 1)
    assert longer <= 50 * row_overhead(spec) <= longer + 50 * 90


def test_the_body_of_a_batch_holds_each_request_under_its_id_with_the_nonce() -> None:
    file, nonce = io.BytesIO(), Nonce("pt-a1", lambda: ())
    write_requests(file, [asked(), asked()], model(), nonce)
    body = msgspec.json.decode(file.getvalue())
    assert body == {"requests": [{"custom_id": nonce.sent("set-q1-c-0-0-c"), "params": params(asked())}] * 2}
