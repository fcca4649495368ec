"""The Anthropic API put together: what answers each operation, and who is let in."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from promptrial_emulator.anthropic.batches import Batches
from promptrial_emulator.anthropic.live import Live
from promptrial_emulator.anthropic.messages import error_response
from promptrial_emulator.anthropic.model import Anthropic, shown_batch
from promptrial_emulator.anthropic.params import VERSIONS
from promptrial_emulator.anthropic.requests import batch_body
from promptrial_emulator.anthropic.settling import settle_batch
from promptrial_emulator.core import Core
from promptrial_emulator.operation import Handling
from promptrial_emulator.serving import ApiParts

__all__ = ["make"]

_KEY: Final = "x-api-key"
_VERSION: Final = "anthropic-version"


def make(core: Core) -> ApiParts:
    """Return the parts of the API on a core."""
    anthropic = Anthropic(core)

    def settle(now: float) -> None:
        for batch in anthropic.batches.open():
            settle_batch(anthropic, batch, now)

    def state() -> dict[str, Any]:
        now = core.clock.now()
        return {"message_batches": [shown_batch(each, now, "") for each in anthropic.batches.to_look_at()]}

    return ApiParts(_handling(anthropic), error_response, settle, state)


def _handling(anthropic: Anthropic) -> dict[str, Handling]:
    core, batches, live = anthropic.core, Batches(anthropic), Live(anthropic)
    ours = partial(Handling, admit=partial(_admitted, core), error=error_response)
    return {
        "create_batch": ours(handle=batches.create, read=batch_body(core)),
        "list_batches": ours(handle=batches.list),
        "get_batch": ours(handle=batches.get, vanish=batches.vanish),
        "cancel_batch": ours(handle=batches.cancel),
        "delete_batch": ours(handle=batches.delete),
        "results": ours(handle=batches.results, vanish=batches.vanish),
        "message": ours(handle=live.message, light=True),
        "list_models": ours(handle=live.list_models, light=True),
        "get_model": ours(handle=live.get_model, light=True),
    }


def _admitted(core: Core, request: Request) -> Response | None:
    """Refuse a wrong key, and a version that is missing or unknown. Of two keys, ``x-api-key`` is looked at."""
    if _KEY in request.headers:
        if request.headers[_KEY] != core.settings.key:
            return error_response(401, "invalid x-api-key")
    elif request.headers.get("authorization") != f"Bearer {core.settings.key}":
        return error_response(401, "Invalid bearer token" if "authorization" in request.headers else f"{_KEY} required")
    version = request.headers.get(_VERSION)
    if version not in VERSIONS:
        return error_response(400, f"{_VERSION}: {'header is required' if version is None else f'unknown: {version}'}")
    return None
