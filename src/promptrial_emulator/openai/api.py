"""The OpenAI API as data; Azure and Groq have the same paths behind one of their own."""

from __future__ import annotations

from typing import Final

from promptrial_emulator.api import Api, OperationKind, Trait

__all__ = ["OPENAI"]


def _kind(method: str, path: str, *traits: Trait) -> OperationKind:
    return OperationKind(method, path, frozenset(traits))


def _call(method: str, path: str, *traits: Trait) -> OperationKind:
    return _kind(method, path, "applied", "json", *traits)


_JOB: Final[tuple[Trait, ...]] = ("create", "job", "row files", "openai job", "answer", "answer details")

OPENAI: Final = Api(
    name="openai",
    spoken="OpenAI's batches, chat completions and responses",
    make="promptrial_emulator.openai.routes:make",
    operations={
        "upload": _call("POST", "/v1/files", "create"),
        "list_files": _call("GET", "/v1/files", "list"),
        "download": _kind("GET", "/v1/files/{id}/content", "read", "download"),
        "get_file": _call("GET", "/v1/files/{id}", "read"),
        "delete_file": _call("DELETE", "/v1/files/{id}"),
        "create_batch": _call("POST", "/v1/batches", *_JOB),
        "list_batches": _call("GET", "/v1/batches", "list"),
        "cancel_batch": _call("POST", "/v1/batches/{id}/cancel"),
        "get_batch": _call("GET", "/v1/batches/{id}", "read"),
        "chat_completion": _call("POST", "/v1/chat/completions", "live", "answer", "answer details"),
        "create_response": _call("POST", "/v1/responses", "live", "answer", "answer details"),
        "list_models": _call("GET", "/v1/models"),
        "get_model": _call("GET", "/v1/models/{id:path}"),
        "health": _call("GET", "/health"),
    },
    roots=("/openai", "/v1"),
    prefixes=("", "/openai"),
    request_id="x-request-id",
)
