"""Addresses and headers as a configuration gives them: what can be one, and what is a secret. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

__all__ = [
    "checked_address",
    "checked_headers",
    "checked_proxy",
    "is_among",
    "is_host",
    "is_secret_name",
]

_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_NAME: Final = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.?")
_SECRET: Final = re.compile(r"auth|key|token|secret|cookie|password|credential|session|signature", re.IGNORECASE)
_OURS: Final = frozenset(
    {"accept-encoding", "connection", "content-length", "content-type", "expect", "host", "te", "trailer",
     "transfer-encoding", "upgrade"}
)  # fmt: skip
"""Headers that belong to the connection or to the body, which are not the user's to set."""

_CALLS: Final = (
    "/chat/completions",
    "/completions",
    "/responses",
    "/messages",
    "/messages/batches",
    "/models",
    "/batches",
)
"""Paths that are added to an address, each before its own end."""


def is_secret_name(name: str) -> bool:
    """Tell whether a header, or a variable, of this name holds what nobody else should read.

    Examples
    --------
    >>> is_secret_name("X-Api-Key"), is_secret_name("Authorization"), is_secret_name("X-Title")
    (True, True, False)
    """
    return bool(_SECRET.search(name))


def is_host(text: str) -> bool:
    """Tell whether a text is the name or the address of a machine, in lower case and without a port.

    Programs read anything else in different ways, such as ``evil.example%2f.vendor.example``.

    Examples
    --------
    >>> [is_host(text) for text in ("api.vendor.example", "gpu-box", "::1", "a%2fb.example", ".example", "")]
    [True, True, True, False, False, False]
    """
    try:
        ip_address(text)
    except ValueError:
        return _NAME.fullmatch(text) is not None
    return True


def is_among(host: str, allowed: Iterable[str]) -> bool:
    """Tell whether a host is one of those allowed; one with a dot before it stands for every host below."""
    return any(host == each or (each.startswith(".") and host.endswith(each)) for each in allowed)


def checked_address(value: str) -> str:
    """Return the address of an API without a slash at its end.

    Raises
    ------
    ValueError
        If it is not one; the message does not repeat it, because it may hold a secret.
    """
    parts = _split(value)
    if parts is None or parts[0] not in {"http", "https"}:
        raise ValueError("expected an address such as https://HOST/v1")
    _, user, rest = parts
    if user:
        raise ValueError("an address must not contain a user or password: use `key` or `headers`")
    if rest:
        raise ValueError("an address ends with its path: remove everything from ? or #")
    address = value.rstrip("/")
    for call in _CALLS:
        if address.endswith(call):
            raise ValueError(
                f"the address of an API does not include the path of a call: write {address.removesuffix(call)}"
            )
    return address


def checked_proxy(value: str) -> str:
    """Return the address of an HTTP proxy.

    Raises
    ------
    ValueError
        If it is not one; the message does not repeat it, because it may hold a password.
    """
    parts = _split(value)
    if parts is None or parts[0] not in {"http", "https"} or parts[2]:
        raise ValueError("expected the address of an HTTP proxy, such as http://proxy.example.com:3128")
    return value


def _split(value: str) -> tuple[str, bool, bool] | None:
    """Return the scheme, whether there is a user, and whether there is more than a path; None if it is no address."""
    if not (value.isascii() and value.isprintable()) or " " in value:
        return None
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    return (
        (parts.scheme, parts.username is not None, bool(parts.query or parts.fragment)) if is_host(host or "") else None
    )


def checked_headers(value: dict[str, str]) -> dict[str, str]:
    """Return headers that may be sent with each call.

    Raises
    ------
    ValueError
        If one cannot be; the message repeats no value.
    """
    seen: set[str] = set()
    for name, text in value.items():
        if not _HEADER.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a header")
        if name.lower() in _OURS:
            raise ValueError(f"{name!r} belongs to the connection and cannot be set")
        if name.lower() in seen:
            raise ValueError(f"{name!r} is given twice: header names are not case-sensitive")
        if not (text.isascii() and text.isprintable()) or text != text.strip():
            raise ValueError(f"the value of {name!r} has characters that a header must not have")
        seen.add(name.lower())
    return value
