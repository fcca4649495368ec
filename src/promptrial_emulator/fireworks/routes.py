"""The Fireworks API put together: which path and method is which operation, and who is let in."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from promptrial_emulator.core import Core
from promptrial_emulator.fireworks.datasets import Datasets
from promptrial_emulator.fireworks.jobs import Jobs
from promptrial_emulator.fireworks.messages import error_response, unauthorized
from promptrial_emulator.fireworks.model import Fireworks
from promptrial_emulator.fireworks.models import get_model
from promptrial_emulator.fireworks.settling import settle_job
from promptrial_emulator.fireworks.storage import Storage, storage_refusal
from promptrial_emulator.operation import Handler, LateCalls, Operation, whole_body
from promptrial_emulator.uploads import Uploads

__all__ = ["OPERATIONS", "FireworksApi"]

_ACCOUNT: Final = "/v1/accounts/{account}"
_PATHS: Final[dict[str, tuple[str, str]]] = {
    "upload": ("POST", _ACCOUNT + "/datasets/{id}:upload"),
    "get_upload_endpoint": ("POST", _ACCOUNT + "/datasets/{id}:getUploadEndpoint"),
    "validate_upload": ("POST", _ACCOUNT + "/datasets/{id}:validateUpload"),
    "get_download_endpoint": ("GET", _ACCOUNT + "/datasets/{id}:getDownloadEndpoint"),
    "create_dataset": ("POST", _ACCOUNT + "/datasets"),
    "list_datasets": ("GET", _ACCOUNT + "/datasets"),
    "get_dataset": ("GET", _ACCOUNT + "/datasets/{id}"),
    "delete_dataset": ("DELETE", _ACCOUNT + "/datasets/{id}"),
    "create_job": ("POST", _ACCOUNT + "/batchInferenceJobs"),
    "list_jobs": ("GET", _ACCOUNT + "/batchInferenceJobs"),
    "get_job": ("GET", _ACCOUNT + "/batchInferenceJobs/{id}"),
    "delete_job": ("DELETE", _ACCOUNT + "/batchInferenceJobs/{id}"),
    "get_model": ("GET", _ACCOUNT + "/models/{id}"),
    "put_signed": ("PUT", "/storage/upload/{id}/{registration}/{name}"),
    "download": ("GET", "/storage/dataset/{id}/{name}"),
}
"""Paths with a verb come first: the id in the others matches a verb too."""
OPERATIONS: Final = frozenset(_PATHS)


class FireworksApi:
    """The operations of one emulator, as routes, and what time does to its objects."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._fireworks = Fireworks(core)
        storage = Storage(self._fireworks)
        datasets, jobs = Datasets(self._fireworks, storage), Jobs(self._fireworks)
        self._handlers: dict[str, Handler] = {
            "upload": datasets.upload,
            "get_upload_endpoint": datasets.get_upload_endpoint,
            "validate_upload": datasets.validate_upload,
            "get_download_endpoint": datasets.get_download_endpoint,
            "create_dataset": datasets.create,
            "list_datasets": datasets.list,
            "get_dataset": datasets.get,
            "delete_dataset": datasets.delete,
            "create_job": jobs.create,
            "list_jobs": jobs.list,
            "get_job": jobs.get,
            "delete_job": jobs.delete,
            "get_model": partial(get_model, core),
            "put_signed": storage.put,
            "download": storage.get,
        }
        self._vanishing = {
            "get_dataset": datasets.vanish,
            "get_download_endpoint": datasets.vanish,
            "download": datasets.vanish,
            "get_job": jobs.vanish,
        }
        core.settling.append(self._settle)

    def routes(self) -> list[BaseRoute]:
        """Return the routes, and at the end one that refuses whatever is no operation."""
        found: list[BaseRoute] = []
        for path in dict.fromkeys(path for _, path in _PATHS.values()):
            methods = {method: self._operation(name) for name, (method, at) in _PATHS.items() if at == path}
            found.append(Route(path, _ByMethod(methods)))
        return [*found, Route("/v1/{rest:path}", _ByMethod({}, status=404))]

    def state(self) -> dict[str, Any]:
        """Return every object as the API shows it, hidden ones as well."""
        now = self._core.clock.now()
        return {
            "datasets": [self._fireworks.shown_dataset(each, now) for each in self._fireworks.datasets.all()],
            "jobs": [self._fireworks.shown_job(each, now) for each in self._fireworks.jobs.all()],
        }

    def _operation(self, name: str) -> Operation:
        uploads = Uploads(self._core, error_response)
        readers = {"upload": uploads.form_file, "put_signed": uploads.streamed}
        signed = _PATHS[name][1].startswith("/storage/")
        return Operation(
            self._core,
            name,
            self._handlers[name],
            admit=_anyone if signed else partial(_admitted, self._core, anywhere=name == "get_model"),
            error=storage_refusal if signed else error_response,
            read=readers.get(name, whole_body),
            vanish=self._vanishing.get(name),
            ticks=not signed,
        )

    def _settle(self, now: float) -> None:
        LateCalls(self._core).apply_due(now, self._handlers)
        for job in self._fireworks.jobs.open():
            settle_job(self._fireworks, job, now)


class _ByMethod:
    """The operations of one path; another method is refused as the API words it."""

    def __init__(self, methods: dict[str, Operation], status: int = 405) -> None:
        self._methods = methods
        self._status = status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        operation = self._methods.get(scope["method"])
        refusal = error_response(self._status, "Method Not Allowed" if self._status == 405 else "Not Found")
        await (operation or refusal)(scope, receive, send)


def _anyone(request: Request) -> Response | None:  # noqa: ARG001 - a signature is looked at later
    return None


def _admitted(core: Core, request: Request, *, anywhere: bool) -> Response | None:
    """Refuse a wrong key and, but for what is there for all, every account but the one that the key belongs to."""
    if request.headers.get("authorization") != f"Bearer {core.settings.key}":
        return unauthorized("unauthorized")
    if not anywhere and request.path_params["account"] != core.settings.account:
        return error_response(404, f"account {request.path_params['account']!r} not found")
    return None
