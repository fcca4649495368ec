"""The OpenAI API put together: who answers which operation, and who is let in."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from promptrial_emulator.core import Core
from promptrial_emulator.openai.batches import Batches
from promptrial_emulator.openai.files import Files
from promptrial_emulator.openai.live import Live
from promptrial_emulator.openai.messages import error_response, loading_response
from promptrial_emulator.openai.model import OpenAI, shown_batch, shown_file
from promptrial_emulator.openai.requests import CHAT, RESPONSES
from promptrial_emulator.openai.settling import settle_batch
from promptrial_emulator.operation import Handler, Handling
from promptrial_emulator.serving import ApiParts
from promptrial_emulator.uploads import Uploads

__all__ = ["make"]


def make(core: Core) -> ApiParts:
    """Return the parts of the API on a core."""
    openai = OpenAI(core)

    def settle(now: float) -> None:
        for batch in openai.batches.open():
            settle_batch(openai, batch, now)

    def state() -> dict[str, Any]:
        now = core.clock.now()
        return {
            "files": [shown_file(each, now) for each in openai.files.to_look_at()],
            "batches": [shown_batch(each, now) for each in openai.batches.to_look_at()],
        }

    return ApiParts(_handling(openai), error_response, settle, state)


def _handling(openai: OpenAI) -> dict[str, Handling]:
    core = openai.core
    files, batches, live, uploads = Files(openai), Batches(openai), Live(core), Uploads(core, error_response)
    ours = partial(_with_key, core)
    return {
        "upload": ours(files.upload, read=uploads.form_file),
        "list_files": ours(files.list),
        "get_file": ours(files.get, vanish=files.vanish),
        "delete_file": ours(files.delete),
        "download": ours(files.content, vanish=files.vanish),
        "create_batch": ours(batches.create),
        "list_batches": ours(batches.list),
        "get_batch": ours(batches.get, vanish=batches.vanish),
        "cancel_batch": ours(batches.cancel),
        "chat_completion": ours(partial(live.answer, CHAT), light=True),
        "create_response": ours(partial(live.answer, RESPONSES), light=True),
        "list_models": ours(live.models, light=True),
        "get_model": ours(live.model, light=True),
        "health": Handling(handle=live.health, admit=_anyone, error=loading_response, light=True),
    }


def _with_key(core: Core, handle: Handler, **parts: Any) -> Handling:  # noqa: ANN401 - fields of Handling
    return Handling(handle=handle, admit=partial(_admitted, core), error=error_response, **parts)


def _anyone(request: Request) -> Response | None:  # noqa: ARG001 - who is ready says so to anyone
    return None


def _admitted(core: Core, request: Request) -> Response | None:
    """Refuse a wrong key; it may be in either of two headers."""
    key, headers = core.settings.key, request.headers
    if f"Bearer {key}" == headers.get("authorization") or key == headers.get("api-key"):
        return None
    if "authorization" in headers or "api-key" in headers:
        return error_response(401, "Incorrect API key provided.")
    return error_response(401, "You didn't provide an API key.")
