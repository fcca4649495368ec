"""The ASGI app of an emulator: the APIs that it stands in for, the control API, and the guard at the door."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from promptrial_emulator.api import Api
from promptrial_emulator.control import control_routes
from promptrial_emulator.core import Core
from promptrial_emulator.requests_seen import Recorder, Requests
from promptrial_emulator.serving import ServedApi, routes

__all__ = ["make_app"]

LOOPBACK: Final = "127.0.0.1"
# A page in a browser that has its own name resolve to this machine is not a caller.
_HOSTS: Final = [LOOPBACK, "localhost"]


class _OwnPagesAlone:
    """Refuses what a page of another site asks: a browser on this machine reaches the loopback for any page in it.

    Programs send no ``Origin``; a browser names the page's with every call that changes something or reads an answer,
    and says ``cross-site`` with the rest.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403, or pass the call on."""
        headers = Headers(scope=scope)
        origins = [urlsplit(text).hostname for text in headers.getlist("origin")]
        if headers.get("sec-fetch-site") == "cross-site" or any(origin not in _HOSTS for origin in origins):
            await Response("a page of another site may not ask this emulator", 403)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def make_app(core: Core, apis: Iterable[Api]) -> Starlette:
    """Return the app."""
    served, requests = [ServedApi(api, core) for api in apis], Requests()
    return Starlette(
        routes=[*control_routes(core, [each.parts.state for each in served], requests), *routes(served)],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=_HOSTS, www_redirect=False),
            Middleware(_OwnPagesAlone),
            Middleware(Recorder, requests=requests),
        ],
    )
