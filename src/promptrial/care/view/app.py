"""The pages of ``view`` behind their addresses: runs, one run live, its report, its items, and two runs compared.

Pages are made in threads. Those that read much, items and comparisons, are made one at a time, so that memory stays
bounded; so is the number of pages that are followed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from promptrial.care.view.access import Access, Guard
from promptrial.care.view.pages import frame, problem_html
from promptrial.care.view.viewer import Viewer
from promptrial.errors import UsageError
from promptrial.reporting.page.markup import shown
from promptrial.runtime.events import redactor_of_errors

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

__all__ = ["made_page", "no_icon", "no_page", "static_files", "view_app"]

MOST_FOLLOWERS: Final = 32
"""How many pages are followed at once."""
_LOOK_EVERY_S: Final = 1.0
_STATIC: Final = {
    "report.css": ("promptrial.reporting.page", "text/css; charset=utf-8"),
    "view.css": ("promptrial.care.view", "text/css; charset=utf-8"),
    "view.js": ("promptrial.care.view", "text/javascript; charset=utf-8"),
}
_REPORT_POLICIES: Final = {
    "content-security-policy": "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}
"""A report may come from elsewhere: whatever it holds, it cannot reach the other pages, nor anything else. Its own
policy, which names its script by digest, holds beside this one."""


def view_app(viewer: Viewer, access: Access) -> ASGIApp:
    """Return the application, behind its guard."""
    pages = _Pages(viewer)
    routes = [
        Route("/", pages.runs),
        Route("/compare", pages.compare),
        Route("/run/{run_id}", pages.run),
        Route("/run/{run_id}/report", pages.report),
        Route("/run/{run_id}/items", pages.items),
        Route("/run/{run_id}/events", pages.events),
        Route("/run/{run_id}/stop", pages.stop, methods=["POST"]),
        Route("/static/{name}", static_files(_STATIC)),
        Route("/favicon.ico", no_icon),
    ]
    return Guard(Starlette(routes=routes, exception_handlers={HTTPException: no_page}), access)


class _Pages:
    """The answers to requests."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._followers = 0
        self._reading = asyncio.Lock()

    async def runs(self, request: Request) -> Response:
        return await made_page(lambda: HTMLResponse(self._viewer.runs(request.query_params.getlist("run"))))

    async def run(self, request: Request) -> Response:
        return await made_page(lambda: HTMLResponse(self._viewer.run(_run_id(request))))

    async def report(self, request: Request) -> Response:
        return await made_page(lambda: HTMLResponse(self._viewer.report(_run_id(request)), headers=_REPORT_POLICIES))

    async def items(self, request: Request) -> Response:
        async with self._reading:
            return await made_page(lambda: HTMLResponse(self._viewer.items(_run_id(request), request.query_params)))

    async def compare(self, request: Request) -> Response:
        def make() -> Response:
            status, page = self._viewer.compare(request.query_params)
            return HTMLResponse(page, status)

        async with self._reading:
            return await made_page(make)

    async def stop(self, request: Request) -> Response:
        if not self._viewer.allow_stop:
            return HTMLResponse(
                frame("Not allowed", "<p>To stop runs from this page, start view with --allow_stop.</p>"), 403
            )

        def make() -> Response:
            self._viewer.stop(_run_id(request))
            return RedirectResponse(f"/run/{quote(_run_id(request))}", 303)

        return await made_page(make)

    async def events(self, request: Request) -> Response:
        if self._followers >= MOST_FOLLOWERS:
            return PlainTextResponse(f"{MOST_FOLLOWERS} pages are followed already: close one\n", 503)
        return StreamingResponse(self._changes(request), media_type="text/event-stream")

    async def _changes(self, request: Request) -> AsyncIterator[bytes]:
        """Yield what changes of a run, whenever it has changed, until the browser has gone."""
        self._followers += 1
        last = ""
        try:
            while not (self._viewer.closing.is_set() or await request.is_disconnected()):
                now = await run_in_threadpool(self._live, _run_id(request))
                yield b": nothing new\n\n" if now == last else f"event: live\ndata: {json.dumps(now)}\n\n".encode()
                last = now
                await asyncio.sleep(_LOOK_EVERY_S)
        finally:
            self._followers -= 1

    def _live(self, run_id: str) -> str:
        try:
            return self._viewer.live(run_id)
        except Exception as error:  # noqa: BLE001 - the edge: a stream goes on, and says what is wrong
            return problem_html(error, redactor_of_errors())


def _run_id(request: Request) -> str:
    return str(request.path_params["run_id"])


async def made_page(make: Callable[[], Response]) -> Response:
    """Return a response that is made in a thread, or a page that says why it cannot be made."""
    try:
        return await run_in_threadpool(make)
    except Exception as error:  # noqa: BLE001 - the edge: files may be half written, and a person gets a page
        title, status = ("Not found", 404) if isinstance(error, UsageError) else ("This page cannot be shown", 500)
        return HTMLResponse(frame(title, problem_html(error, redactor_of_errors())), status)


async def no_page(_request: Request, error: Exception) -> Response:
    """Answer an address that there is no page at, or a method that a page does not have."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    text = "There is no page at this address." if status == 404 else str(getattr(error, "detail", error))
    return HTMLResponse(frame("Not found", f"<p>{shown(text)}</p>\n"), status)


async def no_icon(_request: Request) -> Response:
    """Answer a browser that asks for an icon, or its console would name an error."""
    return Response(status_code=204)


def static_files(known: Mapping[str, tuple[str, str]]) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers requests for files of the program: name -> the package that holds it, and its type."""

    async def answer(request: Request) -> Response:
        found = known.get(request.path_params["name"])
        if found is None:
            raise HTTPException(404)
        package, kind = found
        return Response(files(package).joinpath(request.path_params["name"]).read_bytes(), media_type=kind)

    return answer
