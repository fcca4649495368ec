"""A server that answers once more than it was asked: what it sent too much is never taken for the next answer.

The HTTP library keeps such bytes with the connection, and reads them when the next request is made on it. It has no
public place to look at them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from promptrial.providers.exchange import pools_of

__all__ = ["drop_leftovers"]


def drop_leftovers(client: Any) -> None:  # noqa: ANN401 - httpx.Client, and its private parts
    """Close the idle connections of a client on which more has come than the answers to its requests."""
    for connection in _connections(client):
        if connection.is_idle() and connection._h11_state.trailing_data[0]:  # noqa: SLF001 - see above
            connection.close()


def _connections(client: Any) -> Iterator[Any]:  # noqa: ANN401 - see above
    """Yield the HTTP/1.1 connections that are open, also those through a proxy."""
    for pool in pools_of(client):
        for found in list(pool.connections):
            inner = found
            while inner is not None and not hasattr(inner, "_h11_state"):
                inner = getattr(inner, "_connection", None)
            if inner is not None:
                yield inner
