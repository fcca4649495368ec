"""The Fireworks API put together: who answers which operation, and who is let in."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from promptrial_emulator.core import Core
from promptrial_emulator.fireworks.datasets import Datasets
from promptrial_emulator.fireworks.jobs import Jobs
from promptrial_emulator.fireworks.messages import error_response, unauthorized
from promptrial_emulator.fireworks.model import Fireworks
from promptrial_emulator.fireworks.models import get_model
from promptrial_emulator.fireworks.settling import settle_job
from promptrial_emulator.fireworks.storage import Storage, storage_refusal
from promptrial_emulator.operation import Handler, Handling
from promptrial_emulator.serving import ApiParts
from promptrial_emulator.uploads import Uploads

__all__ = ["make"]


def make(core: Core) -> ApiParts:
    """Return the parts of the API on a core."""
    fireworks = Fireworks(core)

    def settle(now: float) -> None:
        for job in fireworks.jobs.open():
            settle_job(fireworks, job, now)

    def state() -> dict[str, Any]:
        now = core.clock.now()
        return {
            "datasets": [fireworks.shown_dataset(each, now) for each in fireworks.datasets.to_look_at()],
            "jobs": [fireworks.shown_job(each, now) for each in fireworks.jobs.to_look_at()],
        }

    return ApiParts(_handling(fireworks), error_response, settle, state)


def _handling(fireworks: Fireworks) -> dict[str, Handling]:
    core, storage = fireworks.core, Storage(fireworks)
    datasets, jobs, uploads = Datasets(fireworks, storage), Jobs(fireworks), Uploads(core, error_response)
    ours = partial(_control_plane, core)
    return {
        "upload": ours(datasets.upload, read=uploads.form_file),
        "get_upload_endpoint": ours(datasets.get_upload_endpoint),
        "validate_upload": ours(datasets.validate_upload),
        "get_download_endpoint": ours(datasets.get_download_endpoint, vanish=datasets.vanish),
        "create_dataset": ours(datasets.create),
        "list_datasets": ours(datasets.list),
        "get_dataset": ours(datasets.get, vanish=datasets.vanish),
        "delete_dataset": ours(datasets.delete),
        "create_job": ours(jobs.create),
        "list_jobs": ours(jobs.list),
        "get_job": ours(jobs.get, vanish=jobs.vanish),
        "delete_job": ours(jobs.delete),
        "get_model": ours(partial(get_model, core), anywhere=True),
        "put_signed": _storage(storage.put, read=uploads.streamed),
        "download": _storage(storage.get, vanish=datasets.vanish),
    }


def _control_plane(core: Core, handle: Handler, *, anywhere: bool = False, **parts: Any) -> Handling:  # noqa: ANN401 - what a path holds, for any handler
    """Return what a call with the key meets."""
    return Handling(handle=handle, admit=partial(_admitted, core, anywhere=anywhere), error=error_response, **parts)


def _storage(handle: Handler, **parts: Any) -> Handling:  # noqa: ANN401 - fields of Handling
    """Return what a call of a signed URL meets."""
    return Handling(handle=handle, admit=_anyone, error=storage_refusal, ticks=False, **parts)


def _anyone(request: Request) -> Response | None:  # noqa: ARG001 - a signature is looked at later
    return None


def _admitted(core: Core, request: Request, *, anywhere: bool) -> Response | None:
    """Refuse a wrong key and, except for what is there for all, every account but the one that the key belongs to."""
    if request.headers.get("authorization") != f"Bearer {core.settings.key}":
        return unauthorized("unauthorized")
    if not anywhere and request.path_params["account"] != core.settings.account:
        return error_response(404, f"account {request.path_params['account']!r} not found")
    return None
