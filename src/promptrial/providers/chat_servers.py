"""What kinds of OpenAI-compatible servers differ in: what they take beyond OpenAI's parameters, and tell of themselves.

The kind is the option ``server`` of an instance (``config.presets``). One that is not known here is asked in OpenAI's
way alone. Servers are asked below their root, where ``/v1`` is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from promptrial.errors import LoadingError, TransientError
from promptrial.providers.http import HttpClient
from promptrial.providers.http_outcomes import RejectedError
from promptrial.providers.wire import entries, mapping, text, whole_number

__all__ = ["KINDS", "ServerFacts", "ServerKind", "facts_of", "require_loaded"]


@dataclass(frozen=True, slots=True)
class ServerKind:
    """A kind of server.

    Attributes
    ----------
    neutral : mapping
        Samplers that it would set to a default of its own, set to have no effect.
    top_k : bool
        Whether it has this parameter.
    start : str
        The command that starts one.
    larger : str
        How its context window is made larger.
    """

    neutral: Mapping[str, float]
    top_k: bool
    start: str
    larger: str


KINDS: Final[Mapping[str, ServerKind]] = {
    "llamacpp": ServerKind(
        {"min_p": 0.0, "repeat_penalty": 1.0},
        top_k=True,
        start="llama-server -m MODEL.gguf --port 8080",
        larger="start it with a larger --ctx-size; its --parallel slots share it",
    ),
    "vllm": ServerKind(
        {"min_p": 0.0, "repetition_penalty": 1.0},
        top_k=True,
        start="vllm serve MODEL",
        larger="start it with a larger --max-model-len",
    ),
    "ollama": ServerKind(
        {}, top_k=False, start="ollama serve", larger="start it with OLLAMA_CONTEXT_LENGTH=8192, or more"
    ),
    "lmstudio": ServerKind(
        {"repeat_penalty": 1.0}, top_k=True, start="lms server start", larger="load the model with a longer context"
    ),
}


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server tells of itself and a model: what goes on record, its window in tokens, and how many it answers."""

    known: Mapping[str, str | int]
    window: int | None = None
    slots: int | None = None


def require_loaded(root: HttpClient, kind: str) -> None:
    """Ask a kind of server that says so whether it has loaded its model.

    Raises
    ------
    LoadingError
        If it is still loading.
    TransientError
        If there is no answer.
    """
    if kind not in {"llamacpp", "vllm"}:
        return
    try:
        root.call("GET", "/health", msgspec.Raw, what="ask whether it is ready")
    except TransientError as error:
        if "HTTP 503" in error.message:
            raise LoadingError(error.message, retry_after_s=error.retry_after_s) from error
        raise
    except RejectedError:  # it has no such path
        return


def facts_of(root: HttpClient, kind: str, model_id: str, window: int | None) -> ServerFacts:
    """Ask a server of a kind for its version and what identifies the model; what it does not tell is left out.

    ``window`` is what the list of models says about the context.
    """
    if kind == "llamacpp":
        return _llamacpp(_optional(root, "/props"), window)
    if kind == "vllm":
        version = text(_optional(root, "/version").get("version"))
        return ServerFacts(_said({"server": "vLLM", "server_version": version, "window": window or 0}), window)
    if kind == "ollama":
        version, tags = text(_optional(root, "/api/version").get("version")), _optional(root, "/api/tags").get("models")
        names = {model_id, f"{model_id}:latest"}
        digest = next((text(tag.get("digest")) for tag in entries(tags) if text(tag.get("name")) in names), "")
        told = {"server": "Ollama", "server_version": version, "model_digest": digest}
        return ServerFacts(_said(told), window)
    return ServerFacts({}, window)


def _llamacpp(props: Mapping[str, Any], window: int | None) -> ServerFacts:
    template = text(props.get("chat_template"))
    window = whole_number(mapping(props.get("default_generation_settings")).get("n_ctx")) or window
    told = {
        "server": "llama.cpp",
        "server_version": text(props.get("build_info")),
        "weights_file": text(props.get("model_path")).replace("\\", "/").rpartition("/")[2],
        "chat_template_sha256": hashlib.sha256(template.encode()).hexdigest() if template else "",
        "window": window or 0,
    }
    return ServerFacts(_said(told), window, whole_number(props.get("total_slots")) or None)


def _said(told: Mapping[str, Any]) -> dict[str, str | int]:
    return {name: value for name, value in told.items() if value}


def _optional(root: HttpClient, path: str) -> dict[str, Any]:
    """Return the object that a path tells; an empty one if the server has no such path, or keeps it to itself."""
    try:
        return mapping(root.call("GET", path, object, what=f"read {path}"))
    except RejectedError:
        return {}
