"""The Anthropic API as data."""

from __future__ import annotations

from typing import Final

from promptrial_emulator.api import Api, OperationKind, Trait

__all__ = ["ANTHROPIC"]

_BATCHES: Final = "/v1/messages/batches"


def _kind(method: str, path: str, *traits: Trait) -> OperationKind:
    return OperationKind(method, path, frozenset(traits))


def _call(method: str, path: str, *traits: Trait) -> OperationKind:
    return _kind(method, path, "applied", "json", *traits)


ANTHROPIC: Final = Api(
    name="anthropic",
    spoken="Anthropic's messages and message batches",
    make="promptrial_emulator.anthropic.routes:make",
    operations={
        "create_batch": _call("POST", _BATCHES, "create", "job", "answer", "answer details", "anthropic job"),
        "list_batches": _call("GET", _BATCHES, "list"),
        "get_batch": _call("GET", _BATCHES + "/{id}", "read"),
        "cancel_batch": _call("POST", _BATCHES + "/{id}/cancel"),
        "delete_batch": _call("DELETE", _BATCHES + "/{id}"),
        "results": _kind("GET", _BATCHES + "/{id}/results", "read", "download"),
        "message": _call("POST", "/v1/messages", "live", "answer", "answer details"),
        "list_models": _call("GET", "/v1/models"),
        "get_model": _call("GET", "/v1/models/{id:path}"),
    },
    roots=("/v1/messages",),
    headers=("anthropic-version",),
)
