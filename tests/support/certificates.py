"""The certificates of the system, read once for the same environment: each HTTP client of a test would take 25 ms."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from typing import Any

import httpx
from httpx._transports import default as transports

__all__ = ["read_certificates_once"]


def read_certificates_once() -> None:
    """Let all clients of this process that check certificates in the usual way share what they check them against."""
    remembering = _remembering(httpx.create_ssl_context)
    for module in (httpx, transports):
        vars(module)["create_ssl_context"] = remembering


def _remembering(create: Callable[..., ssl.SSLContext]) -> Callable[..., ssl.SSLContext]:
    known: dict[tuple[bool, str | None, str | None], ssl.SSLContext] = {}

    def create_ssl_context(verify: Any = True, cert: Any = None, trust_env: bool = True) -> ssl.SSLContext:
        if verify is not True or cert is not None:
            return create(verify, cert, trust_env)
        key = (trust_env, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
        if key not in known:
            known[key] = create(trust_env=trust_env)
        return known[key]

    return create_ssl_context
