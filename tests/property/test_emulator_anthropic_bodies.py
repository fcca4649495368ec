"""Whatever a request or a batch holds, the emulator's Anthropic API answers it or says what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptrial_emulator.anthropic.caching import SeenPrefixes, use_cache
from promptrial_emulator.anthropic.params import VERSIONS, BadParamsError, read_params
from promptrial_emulator.anthropic.replies import as_asked, message
from promptrial_emulator.anthropic.requests import split
from promptrial_emulator.operation import ApiError
from promptrial_emulator.responders.base import Answer
from promptrial_emulator.responders.echo import EchoResponder
from promptrial_emulator.settings import EmulatorSettings

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
CONTROL = JSON | st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(["ephemeral", "x"]), "ttl": st.sampled_from(["5m", "1h", "2h"]) | JSON}
)
BLOCK = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image"]), "text": st.text(min_size=1, max_size=20) | JSON},
    optional={"cache_control": CONTROL},
)
CONTENT = st.text(max_size=20) | st.lists(BLOCK, max_size=3) | JSON
MESSAGE = st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": CONTENT})
THINKING = st.fixed_dictionaries(
    {"type": st.sampled_from(["enabled", "adaptive", "disabled"])},
    optional={"budget_tokens": st.sampled_from([1024, 5]) | JSON, "display": st.sampled_from(["omitted"]) | JSON},
)
VALUES = {
    "system": CONTENT,
    "cache_control": CONTROL,
    "thinking": THINKING | JSON,
    "stop_sequences": st.lists(st.text(min_size=1, max_size=2), max_size=2) | JSON,
    "temperature": st.floats(0, 1) | JSON,
    "top_p": st.floats(0, 1) | JSON,
    "top_k": st.integers(0, 50) | JSON,
    "metadata": JSON,
    "stream": JSON,
    "seed": JSON,
    "model": JSON,
    "max_tokens": JSON,
    "messages": st.lists(MESSAGE, max_size=3) | JSON,
}
GOOD = st.fixed_dictionaries(
    {
        "model": st.just("claude"),
        "max_tokens": st.sampled_from([1, 20, 4096]),
        "messages": st.just([{"role": "user", "content": "one two three"}]),
    }
)
# One or two keys at a time: a body in which everything is odd is refused for the first of them.
ODD = st.lists(st.sampled_from(sorted(VALUES)), max_size=2, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: VALUES[name] for name in names})
)
BODIES = st.builds(lambda good, odd: {**good, **odd}, GOOD, ODD)


@settings(max_examples=400)
@given(body=BODIES, version=st.sampled_from(VERSIONS), batch=st.booleans())
def test_any_request_is_answered_in_json_or_refused_with_a_sentence(
    body: dict[str, Any], version: str, batch: bool
) -> None:
    refusal = ""
    try:
        params = read_params("r0", body, version, batch=batch)
    except BadParamsError as error:
        refusal = str(error) or "no sentence"
    assert refusal != "no sentence"
    if refusal:
        return
    (reply,) = EchoResponder(EmulatorSettings()).replies(params.model, [params.chat])
    assert isinstance(reply, Answer)
    use = use_cache(SeenPrefixes(), params.breakpoints)
    shown = msgspec.json.decode(
        msgspec.json.encode(message(0, params, as_asked(params, reply), use, "batch" if batch else "standard"))
    )
    usage = shown["usage"]
    parts = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    assert sum(usage[part] for part in parts) == reply.prompt_tokens
    assert min(usage[part] for part in parts) >= 0
    assert 0 <= usage["output_tokens"] <= max(body["max_tokens"], 1 + usage.get("output_tokens_details", {}).get(
        "thinking_tokens", 0
    ))  # fmt: skip
    assert shown["stop_reason"] in {"end_turn", "max_tokens", "stop_sequence"}


REQUEST = st.fixed_dictionaries(
    {}, optional={"custom_id": st.sampled_from(["a", "b", ""]) | JSON, "params": st.just({"max_tokens": 1}) | JSON}
)
BATCHES = (
    st.fixed_dictionaries({"requests": st.lists(REQUEST, max_size=4) | JSON}).map(msgspec.json.encode)
    | JSON.map(msgspec.json.encode)
    | st.binary(max_size=40)
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BATCHES)
def test_a_batch_is_split_into_its_requests_or_refused_with_a_sentence(tmp_path: Path, body: bytes) -> None:
    source, target = tmp_path / "body", tmp_path / "rows"
    source.write_bytes(body)
    target.unlink(missing_ok=True)
    refusal = None
    try:
        found = split(source, target, VERSIONS[-1], most=100, refuse_samplers=True)
    except ApiError as error:
        refusal = error.response
    if refusal is not None:
        assert refusal.status_code == 400
        assert msgspec.json.decode(bytes(refusal.body))["error"]["message"]
        assert not target.exists()
        return
    rows = [msgspec.json.decode(line) for line in target.read_bytes().splitlines()]
    assert rows == msgspec.json.decode(body)["requests"]
    assert (len(rows), rows[0]["custom_id"]) == found
    assert len({row["custom_id"] for row in rows}) == len(rows)
