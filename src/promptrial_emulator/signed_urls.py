"""Signed URLs: anyone who has one may read or write one object until it expires on the virtual clock; no key is needed.

The signature covers the method, the path, the query and the headers that it names, so that it cannot be used for
anything else. The URL alone says all, and so outlives the process.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

from promptrial_emulator.clock import EPOCH

__all__ = ["BadSignatureError", "ExpiredUrlError", "sign", "verify"]

_DATE: Final = "%Y%m%dT%H%M%SZ"
_SIGNATURE: Final = "X-Goog-Signature"


class BadSignatureError(Exception):
    """The URL, the method or a header is not what was signed."""


class ExpiredUrlError(Exception):
    """The URL is too old; its text is when it expired."""


def sign(
    secret: bytes, method: str, path: str, now: float, expires_s: int, number: int, headers: Mapping[str, str]
) -> str:
    """Return the path and query of a signed URL; each ``number`` gives another one."""
    query = {
        "X-Goog-Algorithm": "GOOG4-RSA-SHA256",
        "X-Goog-Credential": f"emulator-{number}",
        "X-Goog-Date": (EPOCH + dt.timedelta(seconds=int(now))).strftime(_DATE),
        "X-Goog-Expires": str(expires_s),
        "X-Goog-SignedHeaders": ";".join(sorted(["host", *headers])),
    }
    signature = _signature(secret, method, path, query, headers)
    return f"{quote(path)}?{urlencode({**query, _SIGNATURE: signature})}"


def verify(
    secret: bytes, method: str, path: str, now: float, query: Mapping[str, str], headers: Mapping[str, str]
) -> None:
    """Check a call.

    Raises
    ------
    BadSignatureError
        If it is not what was signed.
    ExpiredUrlError
        If it comes too late.
    """
    given = {key: value for key, value in query.items() if key != _SIGNATURE}
    names = [name for name in given.get("X-Goog-SignedHeaders", "").split(";") if name and name != "host"]
    signed = {name: headers.get(name, "") for name in names}
    expected = _signature(secret, method, path, given, signed)
    if not hmac.compare_digest(query.get(_SIGNATURE, ""), expected):
        raise BadSignatureError
    begun = dt.datetime.strptime(given["X-Goog-Date"], _DATE).replace(tzinfo=dt.UTC)
    end = begun + dt.timedelta(seconds=int(given["X-Goog-Expires"]))
    if now >= (end - EPOCH).total_seconds():
        raise ExpiredUrlError(end.isoformat())


def _signature(secret: bytes, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    words = [method, path, *(f"{key}={query[key]}" for key in sorted(query)),
             *(f"{key}:{headers[key]}" for key in sorted(headers))]  # fmt: skip
    return hmac.new(secret, "\n".join(words).encode(), hashlib.sha256).hexdigest()
