"""Who may look: requests to this machine by its own name, with the random token of this process. All others get 403."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Access", "Guard"]

_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_POLICIES: Final = (
    (b"content-security-policy", _POLICY.encode()),
    (b"referrer-policy", b"same-origin"),  # "no-referrer" would make browsers send forms of ours without their origin
)
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


@dataclass(frozen=True, slots=True)
class Access:
    """The token that a browser has to bring: in the address at first, then in a cookie.

    Parameters
    ----------
    port : int
        Where the server listens.
    token : str
        At least 128 random bits.
    """

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def url(self) -> str:
        """The address that opens the list of runs."""
        return self.address("/")

    def address(self, path: str, query: Sequence[tuple[str, str]] = ()) -> str:
        """Return the address that opens a page."""
        return f"http://127.0.0.1:{self.port}{path}?{urlencode([*query, ('token', self.token)])}"

    @property
    def cookie(self) -> str:
        """The name of the cookie; of this port alone, since cookies do not know ports."""
        return f"promptrial_view_{self.port}"

    def is_here(self, host: str) -> bool:
        """Return whether a Host header names this server: another name may be a stranger's that leads here."""
        name, _, port = host.rpartition(":")
        return name in _HOSTS and port == str(self.port)

    def is_own(self, origin: str) -> bool:
        """Return whether an Origin header names this server."""
        try:
            found = urlsplit(origin)
        except ValueError:  # brackets that do not belong there
            return False
        return found.scheme == "http" and self.is_here(found.netloc)

    def is_token(self, text: str) -> bool:
        """Return whether a text is the token, in a time that does not depend on where they differ."""
        return secrets.compare_digest(text.encode("utf-8", "replace"), self.token.encode())

    def has_cookie(self, header: str) -> bool:
        """Return whether a Cookie header holds the token; cookies of other servers on this machine are passed over."""
        pairs = (pair.strip().partition("=") for pair in header.split(";"))
        return any(name == self.cookie and self.is_token(value) for name, _, value in pairs)


@dataclass(frozen=True, slots=True)
class Guard:
    """Lets an application see only what may be answered; an ASGI application itself."""

    app: ASGIApp
    access: Access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403, take the token out of the address, or pass the request on."""
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if not self.access.is_here(headers.get("host", "")) or not self._is_own_form(scope, headers):
            await _refuse(send)
            return
        given = parse_qsl(scope["query_string"].decode("latin-1"))
        if any(name == "token" and self.access.is_token(value) for name, value in given):
            await self._welcome(scope, [each for each in given if each[0] != "token"], send)
        elif self.access.has_cookie(headers.get("cookie", "")):
            await self.app(scope, receive, _with_headers(send))
        else:
            await _refuse(send)

    def _is_own_form(self, scope: Scope, headers: Mapping[str, str]) -> bool:
        """Return whether a request may come from where it comes from: one that changes something from here alone."""
        origin = headers.get("origin")
        if scope["method"] in {"GET", "HEAD"}:
            return origin is None or self.access.is_own(origin)
        return origin is not None and self.access.is_own(origin)

    async def _welcome(self, scope: Scope, given: Sequence[tuple[str, str]], send: Send) -> None:
        """Set the cookie, and go to the same address without the token, so that no history and no link holds it."""
        query = f"?{urlencode(given)}" if given else ""
        path = "/" + quote(scope["path"].lstrip("/"))  # two slashes, or a backslash, would lead to another server
        cookie = f"{self.access.cookie}={self.access.token}; Path=/; HttpOnly; SameSite=Strict"
        headers = [
            (b"location", f"{path}{query}".encode()),
            (b"set-cookie", cookie.encode()),
            (b"referrer-policy", b"no-referrer"),
        ]
        await send({"type": "http.response.start", "status": 303, "headers": [*headers, *_HEADERS]})
        await send({"type": "http.response.body", "body": b""})


async def _refuse(send: Send) -> None:
    """Answer 403, and close the connection: it has no claim to one of the few places."""
    text = b"403: open the address that promptrial has printed; it holds a token\n"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close"), *_HEADERS]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def _with_headers(send: Send) -> Send:
    """Return a ``send`` that adds what keeps a page to itself; one that has a policy of its own keeps it."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = list(message.get("headers", []))
            own = {name for name, _ in given}
            policies = [(name, value) for name, value in _POLICIES if name not in own]
            message = {**message, "headers": [*given, *_HEADERS, *policies]}
        await send(message)

    return sent
