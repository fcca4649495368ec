"""``/__emu/``: what a test does to an emulator and sees of it: clock, faults, requests, ledger, state. No key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from promptrial.errors import UsageError
from promptrial_emulator.clock import timestamp
from promptrial_emulator.core import Core
from promptrial_emulator.faults.rules import Rule
from promptrial_emulator.requests_seen import Requests
from promptrial_emulator.run_batch import run_batch

__all__ = ["control_routes"]


State = Callable[[], dict[str, Any]]
"""Gives the objects of one API, in collections by name."""


def control_routes(core: Core, states: Sequence[State], requests: Requests) -> list[BaseRoute]:
    """Return the routes; ``states`` give the objects of the emulated APIs."""
    control = _Control(core, states, requests)
    return [
        Route("/__emu/clock", control.clock, methods=["GET"]),
        Route("/__emu/clock", control.advance, methods=["POST"]),
        Route("/__emu/faults", control.faults, methods=["GET"]),
        Route("/__emu/faults", control.set_faults, methods=["POST"]),
        Route("/__emu/faults", control.clear_faults, methods=["DELETE"]),
        Route("/__emu/ledger", control.ledger, methods=["GET"]),
        Route("/__emu/state", control.state, methods=["GET"]),
        Route("/__emu/state", control.begin_anew, methods=["DELETE"]),
        Route("/__emu/requests", control.requests, methods=["GET"]),
        Route("/__emu/run_batch", control.run_batch, methods=["POST"]),
    ]


class _Control:
    def __init__(self, core: Core, states: Sequence[State], requests: Requests) -> None:
        self._core = core
        self._states = states
        self._requests = requests

    async def clock(self, _request: Request) -> Response:
        return _answer(self._clock())

    async def advance(self, request: Request) -> Response:
        """``{"advance": seconds}``: move the clock on, and let everything become what it is then."""
        given = _body(await request.body())
        seconds = given.get("advance") if isinstance(given, dict) else None
        if not isinstance(seconds, int | float) or isinstance(seconds, bool):
            return _answer({"error": 'expected {"advance": SECONDS}, not negative'}, 400)
        try:
            with self._core.database.transaction():
                self._core.settle(self._core.clock.advance(seconds))
        except ValueError as error:
            return _answer({"error": f"advance: {error}"}, 400)
        return _answer(self._clock())

    async def faults(self, _request: Request) -> Response:
        return _answer({"rules": [_shown(rule) for rule in self._core.faults.rules()]})

    async def set_faults(self, request: Request) -> Response:
        """Add one rule, or a list of them."""
        given = _body(await request.body())
        try:
            with self._core.database.transaction():
                self._core.faults.add(given if isinstance(given, list) else [given])
        except UsageError as error:
            return _answer({"error": error.message}, 400)
        return await self.faults(request)

    async def clear_faults(self, request: Request) -> Response:
        with self._core.database.transaction():
            self._core.faults.clear()
        return await self.faults(request)

    async def ledger(self, _request: Request) -> Response:
        return _answer({"rows": self._core.ledger.rows()})

    async def begin_anew(self, request: Request) -> Response:
        """Forget everything but the requests: objects, clock, faults, ledger."""
        self._core.begin_anew()
        return await self.state(request)

    async def state(self, _request: Request) -> Response:
        objects = {name: found for state in self._states for name, found in state().items()}
        return _answer({"clock": self._clock(), **objects})

    async def requests(self, _request: Request) -> Response:
        return _answer({"rows": self._requests.rows()})

    async def run_batch(self, request: Request) -> Response:
        """``{"rows": [...]}``: answer the lines of a file of requests as ``vllm run-batch`` does."""
        given = _rows(await request.body())
        if given is None:
            return _answer({"error": 'expected {"rows": [REQUEST, ...]}'}, 400)
        try:
            rows = await run_in_threadpool(lambda: [*run_batch(map(bytes, given), self._core.answering.reply)])
        except ValueError as error:
            return _answer({"error": str(error)}, 400)
        return _answer({"rows": [msgspec.Raw(row) for row in rows]})

    def _clock(self) -> dict[str, Any]:
        now = self._core.clock.now()
        return {"now": timestamp(now), "seconds": now, "mode": self._core.settings.clock}


def _shown(rule: Rule) -> dict[str, Any]:
    fields = {name: getattr(rule, name) for name in rule.__struct_fields__ if name not in ("serial", "options")}
    return {**fields, **rule.options}


class _Rows(msgspec.Struct):
    rows: list[msgspec.Raw]


def _rows(data: bytes) -> list[msgspec.Raw] | None:
    try:
        return msgspec.json.decode(data, type=_Rows).rows
    except (ValueError, RecursionError):
        return None


def _body(data: bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        return msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return None


def _answer(value: Any, status: int = 200) -> Response:  # noqa: ANN401 - JSON
    return Response(msgspec.json.encode(value), status, media_type="application/json")
