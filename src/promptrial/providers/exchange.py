"""What one HTTP exchange may take as a whole: time, bytes, and whether a stop ends it. Works below the HTTP library.

The library's time-outs are for one read or one write: a body, or a head, that arrives a byte now and then never exceeds
them. Here every read and write of a connection is charged to the exchange that it belongs to.
"""

from __future__ import annotations

import selectors
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

__all__ = ["Exchange", "StopNoticedError", "TooSlowError", "Watch", "pools_of"]

_NOTICE_S: Final = 0.5
_PIECE: Final = 16 << 10
_SELECTOR: Final = getattr(selectors, "PollSelector", selectors.SelectSelector)
"""One that takes no system call to make, because it waits once."""


class TooSlowError(Exception):
    """The exchange has used up its time; says how much that was."""


class StopNoticedError(Exception):
    """A stop was asked for during an exchange that a resume may repeat."""


class Exchange:
    """The time of one exchange. What the caller does between two pieces of a body is not charged.

    Parameters
    ----------
    allowed_s : float
        Seconds that it may take.
    least_rate : float, optional
        Bytes a second: each such number of bytes that has moved allows one second more. None allows none.
    stop : callable, optional
        Returns whether a stop was asked for; asked every half second.
    grace_s : float
        Seconds that are left from the moment at which a stop is noticed.
    """

    def __init__(
        self,
        allowed_s: float,
        *,
        least_rate: float | None = None,
        stop: Callable[[], bool] | None = None,
        grace_s: float = 0.0,
    ) -> None:
        self._allowed_s = allowed_s
        self._least_rate = least_rate
        self._stop = stop
        self._grace_s = grace_s
        self._began: float | None = None
        self._spent = 0.0
        self._moved = 0
        self._ends: float | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Charge the time of the block."""
        self._began = time.monotonic()
        try:
            yield
        finally:
            self._spent, self._began = self._spent_s(), None

    def moved(self, count: int) -> None:
        """Note that bytes have moved."""
        self._moved += count

    def slice_s(self) -> float:
        """Return for how many seconds nothing needs to be looked at.

        Raises
        ------
        TooSlowError, StopNoticedError
        """
        spent, allowed = self._spent_s(), self._allowed_s
        if self._least_rate is not None:
            allowed += self._moved / self._least_rate
        if spent >= allowed:
            raise TooSlowError(
                f"it took more than {allowed:,.0f} s" if allowed >= 1 else f"it took more than {allowed:g} s"
            )
        if self._stop is not None and self._ends is None and self._stop():
            self._ends = spent + self._grace_s
        if self._ends is not None and spent >= self._ends:
            raise StopNoticedError("a stop was asked for")
        return min(_NOTICE_S, allowed - spent, *([] if self._ends is None else [self._ends - spent]))

    def _spent_s(self) -> float:
        return self._spent + (0.0 if self._began is None else time.monotonic() - self._began)


class Watch:
    """Lets the connections of a client obey the exchange that runs. May be used by several threads.

    ``install`` puts it between the library and its sockets: the library offers no public place for that on a client
    that also honours the proxies of the environment.
    """

    def __init__(self) -> None:
        self._running = threading.local()

    @property
    def current(self) -> Exchange | None:
        """The exchange that this thread waits for."""
        found: Exchange | None = getattr(self._running, "exchange", None)
        return found

    def install(self, client: Any) -> None:  # noqa: ANN401 - httpx.Client, and its private parts
        """Watch the connections that a client will open."""
        for pool in pools_of(client):
            pool._network_backend = _Backend(pool._network_backend, self)  # noqa: SLF001 - see above

    @contextmanager
    def on(self, exchange: Exchange) -> Iterator[None]:
        """Charge the block to an exchange."""
        before, self._running.exchange = self.current, exchange
        try:
            with exchange.running():
                yield
        finally:
            self._running.exchange = before

    def over(self, exchange: Exchange, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the chunks of a body, and charge the wait for each of them."""
        waiting = iter(chunks)
        while True:
            with self.on(exchange):
                chunk = next(waiting, None)
            if chunk is None:
                return
            yield chunk


def pools_of(client: Any) -> Iterator[Any]:  # noqa: ANN401 - httpx.Client, and its private parts
    """Yield the pools of a client's connections, also of those through a proxy."""
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001 - the library has no public place
        if transport is not None:
            yield transport._pool  # noqa: SLF001 - httpx has no public name for it


class _Backend:
    """Opens watched connections; has the methods of ``httpcore.NetworkBackend``."""

    def __init__(self, inner: Any, watch: Watch) -> None:  # noqa: ANN401 - httpcore's
        self._inner = inner
        self._watch = watch

    def connect_tcp(self, *args: Any, **options: Any) -> _Stream:  # noqa: ANN401 - httpcore's own
        return _Stream(self._inner.connect_tcp(*args, **options), self._watch)

    def connect_unix_socket(self, *args: Any, **options: Any) -> _Stream:  # noqa: ANN401 - httpcore's own
        return _Stream(self._inner.connect_unix_socket(*args, **options), self._watch)

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _Stream:
    """A watched connection; has the methods of ``httpcore.NetworkStream``."""

    def __init__(self, inner: Any, watch: Watch) -> None:  # noqa: ANN401 - httpcore's
        self._inner = inner
        self._watch = watch

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        import httpcore

        exchange, began = self._watch.current, time.monotonic()
        while exchange is not None:
            try:
                found: bytes = self._inner.read(max_bytes, _shorter(exchange.slice_s(), timeout))
            except httpcore.ReadTimeout:
                if timeout is not None and time.monotonic() - began >= timeout:
                    raise
                continue
            exchange.moved(len(found))
            return found
        unwatched: bytes = self._inner.read(max_bytes, timeout)
        return unwatched

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        exchange = self._watch.current
        if exchange is None:
            self._inner.write(buffer, timeout)
            return
        view = memoryview(buffer)
        for start in range(0, len(view), _PIECE):
            self._wait_for_room(exchange, timeout)
            piece = bytes(view[start : start + _PIECE])
            self._inner.write(piece, timeout)
            exchange.moved(len(piece))

    def _wait_for_room(self, exchange: Exchange, timeout: float | None) -> None:
        import httpcore

        began = time.monotonic()
        with _SELECTOR() as selector:
            selector.register(self._inner.get_extra_info("socket"), selectors.EVENT_WRITE)
            while not selector.select(_shorter(exchange.slice_s(), timeout)):
                if timeout is not None and time.monotonic() - began >= timeout:
                    raise httpcore.WriteTimeout("timed out")

    def start_tls(self, *args: Any, **options: Any) -> _Stream:  # noqa: ANN401 - httpcore's own
        return _Stream(self._inner.start_tls(*args, **options), self._watch)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore's own
        return self._inner.get_extra_info(info)

    def close(self) -> None:
        self._inner.close()


def _shorter(seconds: float, timeout: float | None) -> float:
    return seconds if timeout is None else min(seconds, timeout)
