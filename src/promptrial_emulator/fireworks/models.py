"""The one model call of the Fireworks API that a client of batches needs: whether there is such a model."""

from __future__ import annotations

from starlette.responses import Response

from promptrial_emulator.core import Core
from promptrial_emulator.fireworks import lists
from promptrial_emulator.fireworks.messages import json_response, refused
from promptrial_emulator.operation import Call

__all__ = ["get_model"]


def get_model(core: Core, call: Call) -> Response:
    """Show a model of any account. Which one has no batches shows only when a job is made for it."""
    name, settings = f"accounts/{call.path['account']}/models/{call.path['id']}", core.settings
    if settings.models is not None and name not in settings.models and settings.unsupported == "not_found":
        raise refused(404, f"model {name!r} not found")
    shown = {"name": name, "displayName": call.path["id"], "state": "READY", "status": {"code": "OK", "message": ""}}
    return json_response(lists.masked(shown, call.query.get("readMask", "")))
