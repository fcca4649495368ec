"""The llama.cpp engine inside this process: one server held to fixed parameters.

One thread, one request at a time, one batch size: all that an answer's bits depend on is here, listed by ``identity``.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from promptrial.errors import ConfigError, PermanentError
from promptrial.model import Message, Sampling
from promptrial.providers.embedded_weights import engine_missing
from promptrial.providers.prefix_cache import BLOCK, Answer

__all__ = [
    "N_CTX",
    "Engine",
    "EngineSlot",
    "RequestRefusedError",
    "identity",
]

_T = TypeVar("_T")

N_CTX: Final = 4096
"""Tokens of prompt and answer together, for every model: a longer request is refused, never cut."""
_SLOTS: Final = 2
"""Caches of an engine: one for each arm, so that parts of the two arms can take turns."""
_HELD: Final[dict[int, Any]] = {}
"""The servers of engines that were not closed; see ``_started``."""
_HTTP_TIMEOUT_S: Final = 60.0
_SAMPLERS: Final = ("temperature", "top_k", "top_p")  # in this order, as vLLM and transformers apply them
# Templates of some models write today's date into the prompt, and tomorrow's answer would be another one. This shadows
# the function they call; the date is the one that Llama's own templates fall back to.
_FIXED_DATE: Final = "{%- macro strftime_now(format) -%}26 Jul 2024{%- endmacro -%}"
_NEUTRAL: Final[dict[str, object]] = {
    "min_p": 0.0,
    "typical_p": 1.0,
    "top_n_sigma": -1.0,
    "min_keep": 0,
    "dynatemp_range": 0.0,
    "dynatemp_exponent": 1.0,
    "xtc_probability": 0.0,
    "xtc_threshold": 0.1,
    "repeat_penalty": 1.0,
    "repeat_last_n": 0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "dry_multiplier": 0.0,
    "dry_base": 1.75,
    "dry_allowed_length": 2,
    "dry_penalty_last_n": 0,
    "mirostat": 0,
    "mirostat_tau": 5.0,
    "mirostat_eta": 0.1,
    "adaptive_target": -1.0,
    "adaptive_decay": 0.9,
    "logit_bias": [],
    "ignore_eos": False,
    "n_probs": 0,
    "n_keep": 0,
    "n_discard": 0,
    "t_max_predict_ms": -1,
    "grammar": "",
    "stream": False,
    "n": 1,
}
"""Everything else that llama.cpp would set for itself, set to have no effect."""


class RequestRefusedError(PermanentError):
    """The engine refused one request; it can continue with others."""


class _Tokens(msgspec.Struct):
    tokens: list[int]


class _Rendered(msgspec.Struct):
    prompt: str


class _Settings(msgspec.Struct):
    n_ctx: int


class _Props(msgspec.Struct):
    chat_template: str
    default_generation_settings: _Settings


class _Choice(msgspec.Struct):
    text: str
    finish_reason: str


class _Details(msgspec.Struct):
    cached_tokens: int


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int
    prompt_tokens_details: _Details


class _Completed(msgspec.Struct):
    choices: tuple[_Choice]
    usage: _Usage


def identity() -> dict[str, str | int | float | bool]:
    """Return the engine's version and every parameter that answers depend on, whatever the model."""
    return {
        "engine": "xllamacpp",
        "engine_version": importlib.metadata.version("xllamacpp"),
        "n_ctx": N_CTX,
        "n_batch": BLOCK,
        "n_ubatch": BLOCK,
        "n_threads": 1,
        "kv_type_k": "f16",
        "kv_type_v": "f16",
        "flash_attention": False,
        "samplers": ",".join(_SAMPLERS),
    }


class Engine:
    """One loaded model. Its slots are for one thread at a time; ``render`` and ``tokenize`` are for any, any time.

    Parameters
    ----------
    path : Path
        A GGUF file.

    Raises
    ------
    MissingDependencyError
        If ``xllamacpp`` is not installed.
    ConfigError
        If the engine cannot load the file.
    """

    def __init__(self, path: Path) -> None:
        self._key = secrets.token_hex(16)  # others on this machine must not reach the server, nor move its cache
        self._server = _server(path, self._key)
        props = self._call("GET", "/props", None, _Props)
        if "strftime_now" in props.chat_template:
            _HELD.pop(id(self._server))
            self._server = _server(path, self._key, chat_template=_FIXED_DATE + props.chat_template)
            props = self._call("GET", "/props", None, _Props)
        self.chat_template = props.chat_template
        self.n_ctx = props.default_generation_settings.n_ctx
        """``N_CTX``, or less if the model was trained on less."""
        self.slots = tuple(EngineSlot(self._server, number) for number in range(_SLOTS))

    def render(self, messages: tuple[Message, ...]) -> str:
        """Return the text that the model reads: the messages in its chat template, up to where its answer begins."""
        return self._call("POST", "/apply-template", {"messages": messages}, _Rendered).prompt

    def tokenize(self, text: str, *, special: bool) -> tuple[int, ...]:
        """Return the tokens of a text; with ``special``, of a rendered one, with its control tokens."""
        body = {"content": text, "add_special": special, "parse_special": special}
        return tuple(self._call("POST", "/tokenize", body, _Tokens).tokens)

    def close(self) -> None:
        """Free the model. Nothing else may be called afterwards."""
        _HELD.pop(id(self._server))
        del self.slots, self._server

    def _call(self, method: str, path: str, body: object, answer: type[_T]) -> _T:
        import http.client

        # The wheel's Python interface has completions alone; templates and tokens are served on the loopback only.
        connection = http.client.HTTPConnection(
            self._server.listening_address.removeprefix("http://"), timeout=_HTTP_TIMEOUT_S
        )
        try:
            headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
            connection.request(method, path, None if body is None else msgspec.json.encode(body), headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise RequestRefusedError(f"the embedded engine refused {path}: {content.decode(errors='replace')[:500]}")
        return msgspec.json.decode(content, type=answer)


class EngineSlot:
    """One of an engine's caches and the requests that go through it; a ``prefix_cache.Slot``."""

    def __init__(self, server: Any, number: int) -> None:  # noqa: ANN401 - the wheel has no types
        self._server = server
        self._number = number

    def evaluate(self, tokens: tuple[int, ...], *, reuse: bool) -> int:
        """Make ``tokens`` the content of the slot; return how many were kept."""
        body = {"prompt": tokens, "n_predict": 0, "cache_prompt": reuse, "temperature": 0.0}
        return self._run(body).usage.prompt_tokens_details.cached_tokens

    def complete(
        self, tokens: tuple[int, ...], sampling: Sampling, *, reuse: bool, schema: dict[str, Any] | None = None
    ) -> Answer:
        """Answer a prompt, every sampling parameter given; with ``schema``, by JSON that fits it.

        Raises
        ------
        RequestRefusedError
            If the engine refuses.
        """
        done = self._run(
            {
                "prompt": tokens,
                "cache_prompt": reuse,
                "n_predict": sampling.max_tokens,
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "top_k": sampling.top_k,
                "seed": sampling.seed,
                "stop": sampling.stop,
                "samplers": _SAMPLERS,
                **({} if schema is None else {"json_schema": schema}),
            }
        )
        (choice,), usage = done.choices, done.usage
        return Answer(
            text=choice.text,
            finish_reason=choice.finish_reason,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            reused=usage.prompt_tokens_details.cached_tokens,
        )

    def _run(self, body: dict[str, object]) -> _Completed:
        asked = {**_NEUTRAL, **body, "id_slot": self._number}
        if "json_schema" in asked:  # which the engine ignores beside a grammar, even an empty one
            del asked["grammar"]
        done = self._server.handle_completions(msgspec.to_builtins(asked))
        try:
            return msgspec.convert(done, _Completed)
        except msgspec.ValidationError as error:
            raise RequestRefusedError(f"the embedded engine refused a request: {str(done)[:500]}") from error


def _server(path: Path, key: str, *, chat_template: str = "") -> Any:  # noqa: ANN401 - the wheel has no types
    try:
        llama = importlib.import_module("xllamacpp")
    except ImportError as error:
        raise engine_missing() from error
    params = llama.CommonParams()
    params.model.path = str(path)
    params.chat_template = chat_template
    params.verbosity = -1  # llama.cpp would write its log to stderr
    params.n_ctx = N_CTX * _SLOTS
    params.n_batch = params.n_ubatch = BLOCK
    params.n_parallel = _SLOTS
    params.kv_unified = False  # each slot has a cache of its own, laid out as if it were the only one
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.n_gpu_layers = 0
    params.cache_type_k = params.cache_type_v = llama.ggml_type.GGML_TYPE_F16
    params.flash_attn_type = llama.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.swa_full = True  # a sliding window would not keep what the cache is cut back to
    params.fit_params = False  # nothing is adapted to the memory that this machine happens to have
    # The server's own ways of bringing back earlier prompts: each would change what the slot holds behind our back.
    params.cache_ram_mib = 0
    params.cache_idle_slots = False
    params.n_ctx_checkpoints = 0
    params.n_cache_reuse = 0
    params.ctx_shift = False
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.n_threads_http = 2
    params.endpoint_slots = False
    params.ui = False
    try:
        return _started(llama.Server, params)
    except RuntimeError as error:
        raise ConfigError(
            f"the embedded engine cannot load {str(path)!r}: damaged, or an unsupported kind of model"
        ) from error


def _started(kind: Callable[[Any], Any], params: Any) -> Any:  # noqa: ANN401 - the wheel has no types
    """Return a server, started on a thread of its own and held until its engine is closed.

    A second signal raises in the main thread, wherever that is. A server which lost its last reference there before it
    has started to serve would wait for itself forever.
    """
    outcome: list[Any] = []

    def start() -> None:
        try:
            server = kind(params)
        except RuntimeError as error:
            outcome.append(error)
        else:
            _HELD[id(server)] = server
            outcome.append(server)

    thread = threading.Thread(target=start, name="engine start", daemon=True)
    thread.start()
    thread.join()
    if isinstance(outcome[0], RuntimeError):
        raise outcome[0]
    return outcome[0]
