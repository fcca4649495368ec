"""The ASGI app of an emulator: the API that it stands in for, the control API, and the guard at the door."""

from __future__ import annotations

from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from promptrial.emulator.control import control_routes
from promptrial.emulator.core import Core
from promptrial.emulator.fireworks_routes import FireworksApi
from promptrial.emulator.requests_seen import Recorder, Requests

__all__ = ["LOOPBACK", "make_app"]

LOOPBACK: Final = "127.0.0.1"
# A page in a browser that has its own name resolve to this machine is not a caller.
_HOSTS: Final = [LOOPBACK, "localhost"]


def make_app(core: Core) -> Starlette:
    """Return the app."""
    fireworks, requests = FireworksApi(core), Requests()
    return Starlette(
        routes=[*control_routes(core, fireworks.state, requests), *fireworks.routes()],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=_HOSTS, www_redirect=False),
            Middleware(Recorder, requests=requests),
        ],
    )
