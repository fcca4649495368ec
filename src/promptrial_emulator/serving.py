"""An API put to work on the core of an emulator: its operations as routes, and what time does to its objects."""

from __future__ import annotations

import importlib
import itertools
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.routing import BaseRoute, Route
from starlette.types import Message, Receive, Scope, Send

from promptrial_emulator.api import Api
from promptrial_emulator.core import Core
from promptrial_emulator.faults.replies import ErrorReply
from promptrial_emulator.operation import Handling, LateCalls, Operation

__all__ = ["ApiParts", "ServedApi", "routes"]

_NOT_FOUND: Final = 404
_WRONG_METHOD: Final = 405


@dataclass(frozen=True, slots=True)
class ApiParts:
    """What the package of an API gives.

    Attributes
    ----------
    handling : mapping
        How each operation is answered, by its name.
    error : callable
        How the API words an error about a path.
    settle : callable
        Lets every object become what it is at a time; called within a transaction.
    state : callable
        Returns every object as the API shows it, hidden ones as well. The names of its collections are its own.
    """

    handling: Mapping[str, Handling]
    error: ErrorReply
    settle: Callable[[float], None]
    state: Callable[[], dict[str, Any]]


class ServedApi:
    """One API at work.

    Parameters
    ----------
    api : Api
    core : Core
    """

    def __init__(self, api: Api, core: Core) -> None:
        module, _, attribute = api.make.partition(":")
        make: Callable[[Core], ApiParts] = getattr(importlib.import_module(module), attribute)
        self.api = api
        self.parts = make(core)
        self.operations = {name: Operation(core, api.name, name, self.parts.handling[name]) for name in api.operations}
        self._late = LateCalls(core, api.name)
        self._mark, self._answers = secrets.token_hex(8), itertools.count()
        core.settling.append(self._settle)

    def methods(self, path: str) -> dict[str, Operation]:
        """Return the operations of a path by their methods."""
        return {kind.method: self.operations[name] for name, kind in self.api.operations.items() if kind.path == path}

    def meant(self, headers: Headers) -> bool:
        """Whether a request for a path that other APIs have too is for this one."""
        return not self.api.headers or any(name in headers for name in self.api.headers)

    def named(self, send: Send) -> Send:
        """Return what sends an answer under a name of its own, if this API names its answers."""
        if not self.api.request_id:
            return send
        name, mark = self.api.request_id.encode(), f"req_{self._mark}{next(self._answers):016x}".encode()

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), (name, mark)]}
            await send(message)

        return sent

    def _settle(self, now: float) -> None:
        self._late.apply_due(now, {name: handling.handle for name, handling in self.parts.handling.items()})
        self.parts.settle(now)


def routes(apis: Sequence[ServedApi]) -> list[BaseRoute]:
    """Return the routes of some APIs, and at the end those that refuse whatever is not an operation."""
    owners: dict[str, list[tuple[ServedApi, dict[str, Operation]]]] = {}
    for served in apis:
        for path in dict.fromkeys(kind.path for kind in served.api.operations.values()):
            for prefix in served.api.prefixes:
                owners.setdefault(prefix + path, []).append((served, served.methods(path)))
    found: list[BaseRoute] = [Route(path, _Path(owned)) for path, owned in owners.items()]
    roots = [(root, served) for served in apis for root in served.api.roots]
    roots.sort(key=lambda root: -len(root[0]))
    return [*found, *(Route(root + "/{rest:path}", _Nowhere(served)) for root, served in roots)]


class _Path:
    """The operations of one path; another method is refused as the API words it."""

    def __init__(self, owners: Sequence[tuple[ServedApi, dict[str, Operation]]]) -> None:
        self._owners = owners

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call."""
        served, methods = self._owners[0]
        if len(self._owners) > 1:
            headers = Headers(scope=scope)
            served, methods = next((owner for owner in self._owners if owner[0].meant(headers)), self._owners[-1])
        operation = methods.get(scope["method"])
        reply = operation or served.parts.error(_WRONG_METHOD, "Method Not Allowed")
        await reply(scope, receive, served.named(send))


class _Nowhere:
    """A path that is not an operation's."""

    def __init__(self, served: ServedApi) -> None:
        self._served = served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a call."""
        await self._served.parts.error(_NOT_FOUND, "Not Found")(scope, receive, self._served.named(send))
