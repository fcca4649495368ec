"""The HTTP client of hosted adapters: calls with our key, uploads, and downloads from signed URLs.

What an outcome means for a call is in ``http_outcomes``, which bodies are read in ``http_bodies``, addresses and time
limits in ``http_service``. Nothing is repeated here. The key goes to the vendor's own address alone, follows no
redirect, and appears in no message. What paths and bodies mean is up to the adapters.
"""

from __future__ import annotations

import ssl
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import IO, TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from promptrial import __version__
from promptrial.documents.files import open_regular
from promptrial.errors import ConfigError, PermanentError, ResultsTornError
from promptrial.providers.exchange import Exchange, Watch
from promptrial.providers.http_bodies import (
    decoded,
    not_a_page,
    raw_bytes,
    read_reply,
    success_body,
    unpacked_content,
)
from promptrial.providers.http_outcomes import (
    Call,
    Kind,
    Reply,
    UnprovenEndError,
    UnusableBodyError,
    explained,
    refusal,
    storage_refusal,
)
from promptrial.providers.http_service import Service, Timeouts, is_loopback
from promptrial.providers.surplus_answers import drop_leftovers
from promptrial.runtime.http_environment import made_of_environment, require_usable_environment
from promptrial.store.downloads import MAX_LINE, CutShortError, LineTooLongError, split_lines

if TYPE_CHECKING:
    import httpx

__all__ = ["HttpClient"]

T = TypeVar("T")
_MAX_HOPS: Final = 5
_MAX_LINE: Final = MAX_LINE
_END_IS_TOLD: Final = frozenset({"content-length", "transfer-encoding", "content-encoding"})


class HttpClient:
    """Calls one service. May be used by several threads; opens no connection before the first call.

    Parameters
    ----------
    service : Service
    timeouts : Timeouts, optional
    many : bool
        Whether it is called by many threads at once: each then has connections of its own, because the time that the
        library takes to choose one of many grows with their square.

    Attributes
    ----------
    stop_asked : callable
        Returns whether a stop was asked for; asked while a file comes or goes.

    Raises
    ------
    ConfigError
        If the environment names a proxy or certificates that cannot be used.
    """

    def __init__(self, service: Service, timeouts: Timeouts | None = None, *, many: bool = False) -> None:
        if not service.is_here:
            require_usable_environment(proxy=service.proxy is None, certificates=service.ca_file is None)
        self.service = service
        self._many = many
        self.stop_asked: Callable[[], bool] = lambda: False
        self._watch = Watch()
        self._timeouts = timeouts or Timeouts()
        self._place = self._new_place()
        self._opened: list[httpx.Client] = []
        self._trust: ssl.SSLContext | None = None
        self._lock = threading.Lock()

    def call(
        self,
        method: str,
        path: str,
        into: type[T],
        *,
        what: str,
        kind: Kind = Kind.REPEATABLE,
        query: Mapping[str, str] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """Make one call with our key and return its answer.

        Parameters
        ----------
        method, path : str
            The path starts with a slash: an absolute URL is never called with our key.
        into : type
            What the JSON of the answer is decoded as; ``msgspec.Raw`` takes the body as it is.
        what : str
            The words after ``could not`` in messages.
        kind : Kind
        query : mapping, optional
        body : object, optional
            Sent as JSON; without it no body is sent at all.
        headers : mapping, optional
            Sent besides those of each call.

        Raises
        ------
        TransientError, OutcomeUnknownError, RejectedError
            As the table of this module says.
        """
        call = Call(self.service, what, kind)
        content = None if body is None else msgspec.json.encode(body)
        sent = dict(headers or {}) if body is None else {"Content-Type": "application/json", **(headers or {})}
        with (
            explained(call),
            self._watch.on(Exchange(self._timeouts.call_s)),
            self._keyed(method, path, params=query, content=content, headers=sent) as response,
        ):
            answer = success_body(call, response)
        return decoded(call, answer, into)

    def upload(self, path: str, file: Path, name: str, *, what: str) -> None:
        """Post a file as the part ``file`` of a form, in bounded memory. Repeatable: the last one counts."""
        with open_regular(file) as content:
            self._post_form(Call(self.service, what), path, content, name, {})

    def create_file(
        self, path: str, content: IO[bytes], name: str, into: type[T], *, what: str, fields: Mapping[str, str]
    ) -> T:
        """Post the whole of an open file as the part ``file`` of a form, after its other fields; return the answer.

        Memory stays bounded. It counts as repeatable: another copy of a file costs nothing.
        """
        call = Call(self.service, what)
        return decoded(call, self._post_form(call, path, content, name, fields), into)

    def _post_form(self, call: Call, path: str, content: IO[bytes], name: str, fields: Mapping[str, str]) -> bytes:
        part = {"file": (name, content, "application/octet-stream")}
        with (
            explained(call),
            self._watch.on(self._upload_exchange()),
            self._keyed("POST", path, data=fields, files=part, timeout=self._for_files()) as response,
        ):
            return success_body(call, response)

    def create(
        self, path: str, content: IO[bytes], into: type[T], *, what: str, turned_away: Callable[[Reply], bool]
    ) -> T:
        """Post an open file of JSON as the body of a call that creates, in bounded memory, and return the answer.

        Parameters
        ----------
        path : str
        content : file
            Read from where it is to its end.
        into : type
        what : str
        turned_away : callable
            Tells of an answer that is not a success whether the vendor says with it that it has not looked at the call:
            then it changed nothing, whatever its status.

        Raises
        ------
        TransientError, OutcomeUnknownError, RejectedError
            As the table of ``http_outcomes`` says. A stop does not end it: what it did would not be known then.
        """
        call, headers = Call(self.service, what, Kind.CREATES), {"Content-Type": "application/json"}
        times = self._timeouts
        options: dict[str, Any] = {"content": content, "headers": headers, "timeout": self._for_files()}
        with (
            explained(call),
            self._watch.on(Exchange(times.file_s, least_rate=times.least_rate)),
            self._keyed("POST", path, **options) as response,
        ):
            if not response.is_success:
                told = read_reply(response)
                raise call.not_now(told.problem, told.retry_after_s) if turned_away(told) else refusal(call, told)
            answer = success_body(call, response)
        return decoded(call, answer, into)

    def put(self, url: str, file: Path, headers: Mapping[str, str], *, what: str) -> None:
        """Put a file to a signed URL without our key, in bounded memory.

        Raises
        ------
        TransientError
            Also if the URL has expired: a new one may work.
        PermanentError
            Also if it is not https (nor this machine, where the API is).
        """
        call = Call(self.service, what)
        with open_regular(file) as content, explained(call), self._watch.on(self._upload_exchange()):
            self._check_address(call, url)
            client, timeout = self._open()[1], self._for_files()
            with client.stream("PUT", url, content=content, headers=headers, timeout=timeout) as response:
                if not response.is_success:
                    raise storage_refusal(call, read_reply(response))

    def lines(self, url: str, *, what: str) -> Iterator[bytes]:
        """Yield the lines of what a signed URL holds, without our key, in bounded memory; none if it is empty.

        Lines come without their ends; blank ones and a byte-order mark are left out.

        Raises
        ------
        UnprovenEndError
            After the last line, if nothing tells whether it was the last: compare them with what was asked for.
        ResultsTornError
            After the last whole line, if it came to its announced end and that is in the middle of a row.
        TransientError
            If it was cut short, is a web page instead, or the URL has expired: a new one may work.
        NotFoundError
            If nothing exists there now.
        UnusableBodyError
            If it is too large, a line of it is too long, or it is packed more than once.
        PermanentError
            If the URL leads to what is not https (nor this machine, where the API is).
        """
        call, exchange = Call(self.service, what), self._download_exchange()
        with explained(call), self._following(call, url, exchange) as response:
            yield from self._lines_of(call, response, exchange)

    def own_lines(self, path: str, *, what: str) -> Iterator[bytes]:
        """Yield the lines of a file that the API itself gives, with our key, in bounded memory; none if it is empty.

        The path starts with a slash, and no redirect is followed. Lines, and the errors of a body, are those of
        ``lines``; a status that is not a success means what it means for any repeatable call.
        """
        call, exchange = Call(self.service, what), self._download_exchange()
        with explained(call), ExitStack() as stack:
            with self._watch.on(exchange):
                response = stack.enter_context(self._keyed("GET", path, timeout=self._for_files()))
                if response.status_code != 200:
                    told = read_reply(response)
                    raise call.not_now(told.problem) if response.is_success else refusal(call, told)
            yield from self._lines_of(call, response, exchange)

    def _lines_of(self, call: Call, response: httpx.Response, exchange: Exchange) -> Iterator[bytes]:
        """Yield the lines of a body that has started to come."""
        try:
            content = unpacked_content(call, response, self._watch.over(exchange, raw_bytes(call, response)))
            yield from split_lines(not_a_page(call, content), _MAX_LINE)
            if not _END_IS_TOLD & response.headers.keys():
                raise UnprovenEndError(call.text("it came without a length, and may be truncated"))
        except CutShortError as error:  # the library has read the body to an end that it knows to be the end
            if _END_IS_TOLD & response.headers.keys():
                raise ResultsTornError(call.text(f"truncated: {error}")) from error
            raise call.not_now(f"truncated: {error}") from error
        except EOFError as error:
            raise call.not_now(f"truncated: {error}") from error
        except zlib.error as error:
            raise call.not_now(f"damaged in transfer: {error}") from error
        except LineTooLongError as error:
            raise UnusableBodyError(call.text(str(error))) from error

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for client in self._opened:
                client.close()
            self._opened, self._place = [], self._new_place()

    def _new_place(self) -> Any:  # noqa: ANN401 - of attributes
        return threading.local() if self._many else SimpleNamespace()

    def _open(self) -> tuple[httpx.Client, httpx.Client]:
        """Return the client that has our key, and the one for everything else; of each thread where there are many."""
        place = self._place
        found: tuple[httpx.Client, httpx.Client] | None = getattr(place, "clients", None)
        if found is None:
            with self._lock:
                found = getattr(place, "clients", None)
                if found is None:
                    found = place.clients = self._made()
                    self._opened += found
        for client in found:
            drop_leftovers(client)
        return found

    def _made(self) -> tuple[httpx.Client, httpx.Client]:
        import httpx

        # A proxy of the environment is not asked for an address on this machine.
        trust_env = not self.service.is_here
        if self._trust is None:  # read once: that takes a tenth of a second
            self._trust = _trusted(self.service.ca_file)
        if self._trust is None:
            with made_of_environment():
                self._trust = httpx.create_ssl_context(trust_env=trust_env)
        agent = {"User-Agent": f"promptrial/{__version__}"}
        # Plain, because a gzip body that is cut short is not an error to the library.
        keyed = {"Accept-Encoding": "identity", **self.service.own_headers}
        options: dict[str, Any] = {
            "timeout": self._waits(self._timeouts.read_s),
            "trust_env": trust_env,
            "proxy": self.service.proxy,
            "verify": self._trust,
        }
        with made_of_environment():
            clients = (
                httpx.Client(headers=agent | keyed, **options),
                httpx.Client(headers=agent | {"Accept-Encoding": "gzip"}, **options),
            )
        for client in clients:
            self._watch.install(client)
        return clients

    def _upload_exchange(self) -> Exchange:
        times = self._timeouts
        return Exchange(times.file_s, least_rate=times.least_rate, stop=self.stop_asked)

    def _download_exchange(self) -> Exchange:
        times = self._timeouts
        return Exchange(times.file_s, least_rate=times.least_rate, stop=self.stop_asked, grace_s=times.stopping_s)

    def _for_files(self) -> httpx.Timeout:
        return self._waits(self._timeouts.transfer_s)

    def _waits(self, read_s: float) -> httpx.Timeout:
        import httpx

        times = self._timeouts
        return httpx.Timeout(connect=times.connect_s, read=read_s, write=times.write_s, pool=times.pool_s)

    @contextmanager
    def _keyed(self, method: str, path: str, **options: Any) -> Iterator[httpx.Response]:  # noqa: ANN401 - httpx's
        if not path.startswith("/"):
            raise ValueError(f"{path!r} is not a path below the API's address")
        with self._open()[0].stream(method, self.service.base_url + path, **options) as response:
            yield response

    @contextmanager
    def _following(self, call: Call, url: str, exchange: Exchange) -> Iterator[httpx.Response]:
        """Get a signed URL, following redirects to addresses that may be asked."""
        for _ in range(_MAX_HOPS):
            self._check_address(call, url)
            with ExitStack() as stack:
                with self._watch.on(exchange):
                    stream = self._open()[1].stream("GET", url, timeout=self._for_files())
                    response = stack.enter_context(stream)
                    if not response.has_redirect_location and response.status_code != 200:
                        raise storage_refusal(call, read_reply(response))
                if not response.has_redirect_location:
                    yield response
                    return
                url = str(response.url.join(response.headers["location"]))
        raise PermanentError(call.text(f"more than {_MAX_HOPS} redirects"))

    def _check_address(self, call: Call, url: str) -> None:
        """Refuse an address that is not https; on this machine http will do, if the API itself is there."""
        import httpx

        address = httpx.URL(url)
        if address.scheme == "https" or (
            address.scheme == "http" and self.service.is_here and is_loopback(address.host)
        ):
            return
        allowed = "https, or http on this machine," if self.service.is_here else "https"
        raise PermanentError(
            call.text(f"it leads to {address.scheme}://{address.host}, and only {allowed} is followed")
        )


def _trusted(ca_file: str | None) -> ssl.SSLContext | None:
    """Return what certificates are checked against, if that is those of a file and not the public ones.

    Raises
    ------
    ConfigError
        If the file cannot be read.
    """
    if ca_file is None:
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # SSLError is one
        raise ConfigError(
            f"ca_file {ca_file}: cannot be read: {error}", hint="give a PEM file with the certificates to trust"
        ) from None
