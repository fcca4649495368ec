"""The embedded provider: answers computed in this process by llama.cpp, repeatable byte for byte.

The same request gets the same row alone, in any order, in any part and after any interruption (``prefix_cache`` says
how). Several engines of one thread each work side by side: that is as fast as one engine of several threads, does not
stall on a busy machine, and how many there are cannot be seen in an answer.
"""

from __future__ import annotations

import functools
import hashlib
import os
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import msgspec

from promptrial.documents.files import open_regular
from promptrial.model import Message, ModelSpec, Sampling
from promptrial.model.instances import Instance
from promptrial.providers.base import JobRef, PartPayload
from promptrial.providers.chat_reader import ReadsChatRows
from promptrial.providers.embedded_engine import N_CTX, Engine, RequestRefusedError, identity
from promptrial.providers.embedded_weights import require_engine, weights_path
from promptrial.providers.live import AnswersDirectly, error_row
from promptrial.providers.prefix_cache import Answer, PrefixCache, Prompt, common_length
from promptrial.providers.request_rows import RequestRow
from promptrial.runtime.workers import cores

if TYPE_CHECKING:
    from concurrent.futures import Future

__all__ = ["EmbeddedProvider", "prompt_of"]

_MAX_ENGINES: Final = 4
_MOST_TO_COUNT: Final = 1 << 30
"""Bytes of weights that are loaded only to count tokens."""
_AHEAD_PER_ENGINE: Final = 2
"""Requests that are started ahead of the row being read, so that no engine waits while rows are written in order."""


class EmbeddedProvider(ReadsChatRows, AnswersDirectly):
    """llama.cpp behind the same Protocol as the hosted providers.

    A model is loaded when it is first needed and stays until ``close``. A request that does not fit the context
    window, or that the engine refuses, becomes an error row.

    Parameters
    ----------
    engines : int, optional
        How many copies of a model answer side by side. One for each CPU, at most four, and no more than fit in a
        quarter of the memory, if not given.
    """

    name: ClassVar[str] = "embedded"
    local: ClassVar[bool] = True
    understands: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, engines: int | None = None) -> None:
        self._engines = engines
        self._pools: dict[Path, _Pool] = {}
        self._lock = threading.Lock()

    @classmethod
    def open(cls, env: Mapping[str, str], instance: Instance | None = None) -> Self:  # noqa: ARG003 - the Protocol's
        """Return a provider; it needs nothing of the environment."""
        return cls()

    def fingerprint(self, model: ModelSpec) -> dict[str, str | int | float | bool]:
        """Return the weights' SHA-256 and everything else that the bits of an answer depend on. Loads the model."""
        pool = self._pool(model)
        return {
            "weights_file": pool.path.name,
            "weights_sha256": pool.weights_sha256,
            "chat_template_sha256": hashlib.sha256(pool.reader.chat_template.encode()).hexdigest(),
            **identity(),
            "n_ctx": pool.reader.n_ctx,
        }

    def count_tokens(self, model: ModelSpec, text: str) -> int:
        """Return how many tokens the model's tokenizer makes of a text. Loads the model."""
        return len(self._pool(model).reader.tokenize(text, special=False))

    def count_request(self, model: ModelSpec, messages: tuple[Message, ...]) -> int | None:
        """Return how many tokens a request has in the model's chat template; None of weights above a gigabyte.

        Loads the model.
        """
        if weights_path(model).stat().st_size > _MOST_TO_COUNT:
            return None
        reader = self._pool(model).reader
        return len(reader.tokenize(reader.render(messages), special=True))

    @staticmethod
    def largest_context() -> int:
        """Return the context that models are loaded with; one that was trained on less has less."""
        return N_CTX

    def context_length(self, model: ModelSpec) -> int:
        """Return the tokens of the context window. Loads the model."""
        return self._pool(model).reader.n_ctx

    def check(self, model: ModelSpec) -> None:
        """Refuse a model whose weights, or the engine itself, are not here; ``fingerprint`` loads it."""
        weights_path(model)
        require_engine()

    def results(self, job: JobRef, payload: PartPayload) -> Iterator[bytes]:  # noqa: ARG002 - the Protocol's
        """Compute the rows in the order of their requests; may be closed between any two.

        Raises
        ------
        ConfigError, MissingDependencyError
            If the model is not available.
        PermanentError
            If an answer would not be repeatable.
        """
        pool = self._pool(payload.model)
        begun: deque[Future[bytes]] = deque()
        try:
            for request in payload.requests():
                begun.append(pool.begin(request, payload.model))
                if len(begun) >= pool.ahead:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()

    @staticmethod
    def emulated(
        instance: Instance,
        url: str,  # noqa: ARG004 - the Protocol's
        key: str,  # noqa: ARG004 - the Protocol's
        account: str,  # noqa: ARG004 - the Protocol's
    ) -> tuple[Instance, Mapping[str, str]]:
        """Return the instance and an empty environment: nothing is asked outside this process."""
        return instance, {}

    def close(self) -> None:
        """Finish the current requests and free every model."""
        with self._lock:
            pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            pool.close()

    def _pool(self, model: ModelSpec) -> _Pool:
        path = weights_path(model)
        with self._lock:
            if path not in self._pools:
                self._pools[path] = _Pool(path, self._engines or _engines_for(path))
            return self._pools[path]


class _Pool:
    """The engines of one model, each with what it holds in its cache; loaded one by one as work comes in."""

    def __init__(self, path: Path, engines: int) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self.path = path
        self.ahead = _AHEAD_PER_ENGINE * engines
        self.reader = Engine(path)
        """The engine that renders and counts tokens for all: it may do so while it answers."""
        self._idle = [_Worker(self.reader)]
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(engines, thread_name_prefix="engine")

    @functools.cached_property
    def weights_sha256(self) -> str:
        with open_regular(self.path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def begin(self, request: RequestRow, model: ModelSpec) -> Future[bytes]:
        """Have a request answered as soon as an engine is free; the result is its row."""
        return self._threads.submit(self._row, request, model)

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)
        for worker in self._idle:
            worker.engine.close()

    def _row(self, request: RequestRow, model: ModelSpec) -> bytes:
        try:
            return self._answered(request, model)
        except RequestRefusedError as error:
            return error_row(request.custom_id, "engine_error", error.message)

    def _answered(self, request: RequestRow, model: ModelSpec) -> bytes:
        prompt, limit = prompt_of(self.reader, request.body.messages), request.body.max_tokens
        if len(prompt.tokens) + limit > self.reader.n_ctx:
            return error_row(
                request.custom_id,
                "context_length_exceeded",
                f"the prompt has {len(prompt.tokens)} tokens and the answer may have {limit}, but the context window "
                f"has {self.reader.n_ctx}",
            )
        return _answer_row(request.custom_id, model.shown_id, self._answer(prompt, _sampling(request), request.schema))

    def _answer(self, prompt: Prompt, sampling: Sampling, schema: dict[str, Any] | None) -> Answer:
        worker = self._take(prompt)
        try:
            return worker.answer(prompt, sampling, schema)
        finally:
            with self._lock:
                self._idle.append(worker)

    def _take(self, prompt: Prompt) -> _Worker:
        """Return the idle engine that holds most of a prompt. There are as many engines as threads that take one."""
        with self._lock:
            if self._idle:
                best = max(self._idle, key=lambda worker: worker.keep_length(prompt))
                self._idle.remove(best)
                return best
        return _Worker(Engine(self.path))


class _Worker:
    """An engine and its caches, the one least lately used first."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._caches = [PrefixCache(slot) for slot in engine.slots]

    def keep_length(self, prompt: Prompt) -> int:
        """Return how many tokens of a prompt need not be evaluated."""
        return max(cache.keep_length(prompt) for cache in self._caches)

    def answer(self, prompt: Prompt, sampling: Sampling, schema: dict[str, Any] | None) -> Answer:
        """Answer by the cache that holds most of the prompt; one that holds nothing of it loses what it has."""
        cache = max(self._caches, key=lambda cache: cache.keep_length(prompt))  # the first of equals
        self._caches.remove(cache)
        self._caches.append(cache)
        return cache.answer(prompt, sampling, schema)


def prompt_of(reader: Engine, messages: tuple[Message, ...]) -> Prompt:
    """Return the tokens of a conversation in the model's chat template, and how long its stem is.

    The stem is what this prompt has in common with all that differ from it in the last message's text alone.
    """
    tokens = reader.tokenize(reader.render(messages), special=True)
    *before, last = messages
    first, second = (reader.render((*before, Message(last.role, text))) for text in ("A", "B"))
    stem = reader.tokenize(first[: common_length(first, second)], special=True)
    return Prompt(tokens, min(common_length(tokens, stem), len(tokens) - 1))


def _sampling(request: RequestRow) -> Sampling:
    body = request.body
    return Sampling(body.temperature, body.top_p, body.top_k, body.max_tokens, body.stop, body.seed)


class _ChatMessage(msgspec.Struct, frozen=True):
    role: str
    content: str


class _ChatChoice(msgspec.Struct, frozen=True):
    index: int
    message: _ChatMessage
    finish_reason: str


class _ChatUsage(msgspec.Struct, frozen=True):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class _Chat(msgspec.Struct, frozen=True):
    id: str
    object: str
    created: int
    model: str
    choices: tuple[_ChatChoice]
    usage: _ChatUsage


class _AnswerRow(msgspec.Struct, frozen=True):
    custom_id: str
    response: _Chat


def _answer_row(wire_id: str, model_id: str, answer: Answer) -> bytes:
    """Return the row of an answer: a chat completion without clock, chance or anything that the cache did."""
    message = _ChatMessage("assistant", answer.text)
    usage = _ChatUsage(answer.prompt_tokens, answer.completion_tokens, answer.prompt_tokens + answer.completion_tokens)
    choices = (_ChatChoice(0, message, answer.finish_reason),)
    chat = _Chat(f"chatcmpl-{wire_id}", "chat.completion", 0, model_id, choices, usage)
    return msgspec.json.encode(_AnswerRow(wire_id, chat))


def _engines_for(path: Path) -> int:
    """Return how many engines of a model to run; a copy is reckoned at twice its file, for weights and caches."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(cores(), _MAX_ENGINES, memory // 4 // (2 * path.stat().st_size)))
