"""One operation of an emulated API, as an ASGI app: who may call, the time that passes, the faults met, the commit.

The steps of a call, in this order: admitted; the clock moves, and everything becomes what it is by then; the faults are
drawn; the body is read; the call is applied, in one transaction; it is answered. What a call does is its ``handle``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, Self
from urllib.parse import urlsplit

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from promptrial_emulator.core import Core
from promptrial_emulator.database import Collection
from promptrial_emulator.faults.replies import ErrorReply, after_commit, before_commit, unanswered
from promptrial_emulator.faults.rules import Fault, Injected
from promptrial_emulator.requests_seen import PRIVATE_HEADERS
from promptrial_emulator.stored_file import StoredFile
from promptrial_emulator.wire import Reset

__all__ = ["Admit", "ApiError", "Body", "Call", "Handler", "Handling", "LateCalls", "Operation", "Reader"]


class ApiError(Exception):
    """A call is refused; ``response`` is its answer. Whatever it had changed is undone."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


@dataclass(frozen=True, slots=True)
class Body:
    """What a call brought: bytes, or one file that was put on the disk, what is known of it, and the form's fields."""

    data: bytes = b""
    path: Path | None = None
    name: str = ""
    size: int = 0
    sha256: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)

    def discard(self) -> None:
        """Remove the file of a call that was not applied."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Call:
    """One call: when, with what, and the faults that it meets. ``number`` is unique."""

    number: int
    now: float
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    faults: Injected
    url: str
    body: Body

    @property
    def base_url(self) -> str:
        """Where the emulator is, as the client calls it."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def visible_from(self) -> float:
        """When clients begin to see what it makes: at once, unless fault F7 hides that."""
        hidden = self.faults.get("F7", "hidden")
        return self.now + (hidden.options["delay_s"] if hidden else 0.0)


Handler = Callable[[Call], ASGIApp]
Reader = Callable[[Request, int], Awaitable[Body]]


class Admit(Protocol):
    """Says who may not call."""

    def __call__(self, request: Request) -> Response | None:
        """Return how a call is refused that nobody may make, or None."""


async def whole_body(request: Request, number: int) -> Body:  # noqa: ARG001 - a Reader
    """Read the body into memory."""
    return Body(await request.body())


@dataclass(frozen=True, slots=True, kw_only=True)
class Handling:
    """How an operation is answered.

    Attributes
    ----------
    handle : callable
        Applies a call; runs in a transaction, and is undone if it raises ``ApiError``.
    admit : callable
        Says who may not call.
    error : callable
        How the API words an error.
    read : callable
        Reads the body.
    vanish : callable, optional
        Makes the object of a call disappear, for fault F17.
    ticks : bool
        Whether a call moves the clock.
    light : bool
        Whether a call is one of thousands: it does not move the clock, nor anything else that time moves, and it is
        answered before what it changed is safe from a power cut (it is safe from the emulator being killed).
    """

    handle: Handler
    admit: Admit
    error: ErrorReply
    read: Reader = whole_body
    vanish: Callable[[Call], None] | None = None
    ticks: bool = True
    light: bool = False


class Operation:
    """An operation.

    Parameters
    ----------
    core : Core
    api, name : str
        What fault rules call it.
    handling : Handling
    """

    def __init__(self, core: Core, api: str, name: str, handling: Handling) -> None:
        self.name = name
        self._api = api
        self._core = core
        self._handling = handling
        self._ticks = handling.ticks and not handling.light and core.settings.clock == "step"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call."""
        request = Request(scope, receive)
        reply: ASGIApp = self._handling.admit(request) or await self._admitted(request)
        await reply(scope, receive, send)

    async def _admitted(self, request: Request) -> ASGIApp:
        number, now, faults = self._begin()
        if faults.get("F3"):
            return Reset()
        try:
            body = await self._handling.read(request, number)
        except ApiError as error:
            return error.response
        except ClientDisconnect:
            return Response(status_code=400)  # nobody hears it
        call = Call(
            number, now, request.path_params, dict(request.query_params), request.headers, faults,
            str(request.url), body,
        )  # fmt: skip
        return self._reply(call)

    def _begin(self) -> tuple[int, float, Injected]:
        with self._transaction():
            now = self._core.clock.tick() if self._ticks else self._core.clock.now()
            if not self._handling.light:
                self._core.settle(now)
            return self._core.database.next_number("calls"), now, self._core.faults.met(self._api, self.name)

    def _transaction(self) -> AbstractContextManager[None]:
        return self._core.database.transaction(durable=not self._handling.light)

    def _reply(self, call: Call) -> ASGIApp:
        """Apply a call, unless a fault prevents it, and return its answer."""
        error, vanish = self._handling.error, self._handling.vanish
        if early := before_commit(call.faults, error):
            call.body.discard()
            return early
        if late := call.faults.get("F8"):
            with self._core.database.transaction():
                LateCalls(self._core, self._api).keep(self.name, call, call.now + late.options["delay_s"])
            return unanswered(late, error)
        if vanish is not None and call.faults.get("F17", "vanished"):
            with self._core.database.transaction():
                vanish(call)
        try:
            with self._transaction():
                response = self._handling.handle(call)
        except ApiError as refusal:
            call.body.discard()
            return refusal.response
        return after_commit(call.faults, response, error)


class _LateCall(msgspec.Struct, kw_only=True):
    id: str
    serial: int
    operation: str
    at: float
    path: dict[str, str]
    query: dict[str, str]
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    body: str
    file: StoredFile | None = None
    fields: dict[str, str] = msgspec.field(default_factory=dict)
    faults: list[Fault]
    api: str
    url: str = ""
    open: bool = True

    @classmethod
    def of(cls, api: str, operation: str, call: Call, at: float) -> Self:
        body = call.body
        return cls(
            id=str(call.number),
            serial=call.number,
            operation=operation,
            at=at,
            path=dict(call.path),
            query=dict(call.query),
            headers={name: value for name, value in call.headers.items() if name not in PRIVATE_HEADERS},
            body=body.data.decode(errors="replace"),
            file=None if body.path is None else StoredFile(body.name, body.path.name, body.size, body.sha256),
            fields=dict(body.fields),
            faults=[fault for fault in call.faults.all() if fault.name != "F8"],
            api=api,
            url=call.url,
        )

    def call(self, files: Path) -> Call:
        """Return the call; ``files`` is the folder in which its file was kept."""
        kept, body = self.file, Body(self.body.encode())
        if kept is not None:
            body = Body(b"", files / kept.path, kept.name, kept.size, kept.sha256, self.fields)
        return Call(self.serial, self.at, self.path, self.query, self.headers, Injected(self.faults), self.url, body)


class LateCalls:
    """Calls that are applied long after their clients gave up: what a proxy does that has kept a request.

    Parameters
    ----------
    core : Core
    api : str
        The one that they are calls of.
    """

    def __init__(self, core: Core, api: str) -> None:
        self._api = api
        self._files = core.files
        self._calls: Final = Collection(core.database, "late_call", _LateCall)

    def keep(self, operation: str, call: Call, at: float) -> None:
        """Apply a call at a later time."""
        self._calls.put(_LateCall.of(self._api, operation, call, at))

    def apply_due(self, now: float, handlers: Mapping[str, Handler]) -> None:
        """Apply what is due, as if it came in at the time that it was due; nobody hears of a refusal."""
        for late in self._calls.all():
            if late.at > now or late.api != self._api:
                continue
            self._calls.remove(late.id)
            call = late.call(self._files)
            try:
                handlers[late.operation](call)
            except ApiError:
                call.body.discard()
