"""The HTTP of hosted adapters: one thin client, and the one place that says what an outcome means for a call.

::

    what happened                                     repeatable call    call that creates
    no connection, no DNS, no TLS: nothing was sent   TransientError     TransientError
    429                                               TransientError     TransientError    (with retry_after_s)
    408, 5xx, time-out, reset, unreadable 2xx         TransientError     OutcomeUnknownError
    the whole exchange took too long                  TransientError     OutcomeUnknownError
    401, 403 (names the variable of the key), 404     RejectedError      RejectedError     (404, 410: NotFoundError)
    any other status                                  RejectedError      RejectedError
    a signed URL answers 400, 401 or 403              TransientError     -                 (ask for a new URL)
    a body that is too large, or packed twice         UnusableBodyError  OutcomeUnknownError
    a stop was asked for while a file came or went    TransferStoppedError

Nothing is repeated here. The key goes to the vendor's own address alone, follows no redirect, and stands in no message;
neither does the query of a URL, which may be a signature. What paths and bodies mean is up to the adapters.
"""

from __future__ import annotations

import enum
import html
import re
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from promptrial import __version__
from promptrial.documents.files import open_regular
from promptrial.errors import (
    OutcomeUnknownError,
    PermanentError,
    ProviderError,
    ResultsTornError,
    TransferStoppedError,
    TransientError,
)
from promptrial.providers.exchange import Exchange, StopNoticedError, TooSlowError, Watch
from promptrial.store.downloads import BOM, MAX_LINE, CutShortError, LineTooLongError, gunzip, split_lines

if TYPE_CHECKING:
    import httpx

__all__ = [
    "HttpClient",
    "Kind",
    "NotFoundError",
    "RejectedError",
    "Service",
    "Timeouts",
    "UnprovenEndError",
    "UnusableBodyError",
    "is_loopback",
    "printable",
]

T = TypeVar("T")
_MAX_ANSWER: Final = 32 << 20
_MAX_ERROR_BODY: Final = 16 << 10
_MAX_TEXT: Final = 500
_MAX_HOPS: Final = 5
_MAX_LINE: Final = MAX_LINE
_MAX_FILE: Final = 16 << 30
"""Bytes of one file, as they travel and unpacked: twice the largest output that a vendor is known to write."""
_MAX_RATIO: Final = 200
_RATIO_FLOOR: Final = 16 << 20
"""Unpacked bytes for each byte that came, judged above 16 MiB; rows of chat answers reach about 20."""
_END_IS_TOLD: Final = frozenset({"content-length", "transfer-encoding", "content-encoding"})
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_TAG: Final = re.compile(r"<[^<>]*>")
_QUERY: Final = re.compile(r"(https?://[^\s?#\"'<>]*)[?#][^\s\"'<>]*")


class Kind(enum.Enum):
    """What it means to make a call twice."""

    REPEATABLE = "repeatable"
    CREATES = "creates"
    """The second time creates a second thing, or is refused because the first time worked."""


class RejectedError(PermanentError):
    """The vendor understood the call and said no.

    Parameters
    ----------
    message : str
    hint : str, optional
    status : int
        The HTTP status.
    detail : str
        What the vendor said, cleaned.
    code : str
        The vendor's own code, as text; empty if there is none.
    """

    def __init__(self, message: str, *, hint: str | None = None, status: int, detail: str = "", code: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.detail = detail
        self.code = code


class NotFoundError(RejectedError):
    """The vendor does not know what the call is about (404), or not any more (410)."""


class UnprovenEndError(TransientError):
    """A download ended without a sign that it was whole: no length was announced, and the connection just closed."""


class UnusableBodyError(PermanentError):
    """A body came that is not read: too large, too long a line, or packed more than once. It will be the same again."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, in seconds: for a connection, for bytes to arrive or to leave, and for a free connection.

    ``transfer_s`` takes the place of ``read_s`` where a file comes or goes: storage may take its time.

    ``call_s`` is for a whole call, however many bytes arrive in it. A file has ``file_s``, and one second more for each
    ``least_rate`` bytes that have moved. Once a stop is noticed, an upload ends; a download has ``stopping_s`` left.
    """

    connect_s: float = 10.0
    read_s: float = 20.0
    transfer_s: float = 120.0
    write_s: float = 60.0
    pool_s: float = 60.0
    call_s: float = 60.0
    file_s: float = 600.0
    least_rate: float = 8192.0
    stopping_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Service:
    """A vendor's API: its name for messages, address without a slash at the end, key, and where the key came from."""

    vendor: str
    base_url: str
    key: str = field(repr=False)
    key_variable: str

    @property
    def place(self) -> str:
        """The host, and the port if the address names one."""
        parts = urlsplit(self.base_url)
        return f"{parts.hostname or ''}:{parts.port}" if parts.port is not None else parts.hostname or ""

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine."""
        return is_loopback(urlsplit(self.base_url).hostname or "")


@dataclass(frozen=True, slots=True)
class _Call:
    """One call, for its messages: ``could not WHAT: ...``."""

    service: Service
    what: str
    kind: Kind = Kind.REPEATABLE

    def text(self, problem: str) -> str:
        text = printable(problem.replace(self.service.key, "[key]"))
        return f"{self.service.vendor}: could not {self.what}: {text}"

    def not_now(self, problem: str, retry_after_s: float | None = None) -> TransientError:
        return TransientError(self.text(problem), retry_after_s=retry_after_s)

    def uncertain(self, problem: str, retry_after_s: float | None = None) -> ProviderError:
        """Return the error of a call that may have been carried out."""
        if self.kind is Kind.CREATES:
            return OutcomeUnknownError(self.text(f"{problem}; it may have worked anyway"))
        return self.not_now(problem, retry_after_s)

    def unusable(self, problem: str) -> ProviderError:
        """Return the error of an answer that is not read, and would be the same again."""
        if self.kind is Kind.CREATES:
            return self.uncertain(problem)
        return UnusableBodyError(self.text(problem))

    def rejected(self, reply: _Reply, hint: str | None = None) -> RejectedError:
        kind = NotFoundError if reply.status in {404, 410} else RejectedError
        detail = printable(reply.detail.replace(self.service.key, "[key]"))
        return kind(self.text(reply.problem), hint=hint, status=reply.status, detail=detail, code=reply.code)


@dataclass(frozen=True, slots=True)
class _Reply:
    """An answer that is no success, read."""

    status: int
    detail: str
    code: str
    retry_after_s: float | None

    @property
    def problem(self) -> str:
        return f"HTTP {self.status}: {self.detail}" if self.detail else f"HTTP {self.status}"


class HttpClient:
    """Calls one service. May be used by several threads; opens no connection before the first call.

    Parameters
    ----------
    service : Service
    timeouts : Timeouts, optional

    Attributes
    ----------
    stop_asked : callable
        Returns whether a stop was asked for; asked while a file comes or goes.
    """

    def __init__(self, service: Service, timeouts: Timeouts | None = None) -> None:
        self.service = service
        self.stop_asked: Callable[[], bool] = lambda: False
        self._watch = Watch()
        self._timeouts = timeouts or Timeouts()
        self._clients: tuple[httpx.Client, httpx.Client] | None = None
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
    ) -> T:
        """Make one call with our key and return its answer.

        Parameters
        ----------
        method, path : str
            The path starts with a slash: an absolute URL is never called with our key.
        into : type
            What the JSON of the answer is decoded as.
        what : str
            The words after ``could not`` in messages.
        kind : Kind
        query : mapping, optional
        body : object, optional
            Sent as JSON; without it no body is sent at all.

        Raises
        ------
        TransientError, OutcomeUnknownError, RejectedError
            As the table of this module says.
        """
        call = _Call(self.service, what, kind)
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        with (
            _explained(call),
            self._watch.on(Exchange(self._timeouts.call_s)),
            self._keyed(method, path, params=query, content=content, headers=headers) as response,
        ):
            answer = _success(call, response)
        return _decoded(call, answer, into)

    def upload(self, path: str, file: Path, name: str, *, what: str) -> None:
        """Post a file as the part ``file`` of a form, in bounded memory. Repeatable: the last one counts."""
        call = _Call(self.service, what)
        with open_regular(file) as content:
            part = {"file": (name, content, "application/octet-stream")}
            with (
                _explained(call),
                self._watch.on(self._upload_exchange()),
                self._keyed("POST", path, files=part, timeout=self._for_files()) as response,
            ):
                _success(call, response)

    def put(self, url: str, file: Path, headers: Mapping[str, str], *, what: str) -> None:
        """Put a file to a signed URL without our key, in bounded memory.

        Raises
        ------
        TransientError
            Also if the URL has expired: a new one may work.
        PermanentError
            Also if it is not https (nor this machine, where the API is).
        """
        call = _Call(self.service, what)
        with open_regular(file) as content, _explained(call), self._watch.on(self._upload_exchange()):
            self._check_address(call, url)
            client, timeout = self._open()[1], self._for_files()
            with client.stream("PUT", url, content=content, headers=headers, timeout=timeout) as response:
                if not response.is_success:
                    raise _storage_refusal(call, _reply(response))

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
            If nothing is there any more.
        UnusableBodyError
            If it is too large, a line of it is too long, or it is packed more than once.
        PermanentError
            If the URL leads to what is not https (nor this machine, where the API is).
        """
        call = _Call(self.service, what)
        times = self._timeouts
        exchange = Exchange(times.file_s, least_rate=times.least_rate, stop=self.stop_asked, grace_s=times.stopping_s)
        with _explained(call), self._following(call, url, exchange) as response:
            try:
                content = _content(call, response, self._watch.over(exchange, _raw(call, response)))
                yield from split_lines(_no_page(call, content), _MAX_LINE)
                if not _END_IS_TOLD & response.headers.keys():
                    raise UnprovenEndError(call.text("it came without a length, and may have been cut short"))
            except CutShortError as error:  # the library has read the body to an end that it knows to be the end
                if _END_IS_TOLD & response.headers.keys():
                    raise ResultsTornError(call.text(f"cut short: {error}")) from error
                raise call.not_now(f"cut short: {error}") from error
            except EOFError as error:
                raise call.not_now(f"cut short: {error}") from error
            except zlib.error as error:
                raise call.not_now(f"damaged on the way: {error}") from error
            except LineTooLongError as error:
                raise UnusableBodyError(call.text(str(error))) from error

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for client in self._clients or ():
                client.close()
            self._clients = None

    def _open(self) -> tuple[httpx.Client, httpx.Client]:
        """Return the client that has our key, and the one for everything else."""
        import httpx

        with self._lock:
            if self._clients is None:
                timeout = self._waits(self._timeouts.read_s)
                # A proxy of the environment is not asked for an address on this machine.
                trust_env = not self.service.is_here
                agent = {"User-Agent": f"promptrial/{__version__}"}
                # Plain, because a gzip body that is cut short is no error to the library.
                keyed = {"Authorization": f"Bearer {self.service.key}", "Accept-Encoding": "identity"}
                self._clients = (
                    httpx.Client(headers=agent | keyed, timeout=timeout, trust_env=trust_env),
                    httpx.Client(headers=agent | {"Accept-Encoding": "gzip"}, timeout=timeout, trust_env=trust_env),
                )
                for client in self._clients:
                    self._watch.install(client)
            return self._clients

    def _upload_exchange(self) -> Exchange:
        times = self._timeouts
        return Exchange(times.file_s, least_rate=times.least_rate, stop=self.stop_asked)

    def _for_files(self) -> httpx.Timeout:
        return self._waits(self._timeouts.transfer_s)

    def _waits(self, read_s: float) -> httpx.Timeout:
        import httpx

        times = self._timeouts
        return httpx.Timeout(connect=times.connect_s, read=read_s, write=times.write_s, pool=times.pool_s)

    @contextmanager
    def _keyed(self, method: str, path: str, **options: Any) -> Iterator[httpx.Response]:  # noqa: ANN401 - httpx's
        if not path.startswith("/"):
            raise ValueError(f"{path!r} is no path below the API's address")
        with self._open()[0].stream(method, self.service.base_url + path, **options) as response:
            yield response

    @contextmanager
    def _following(self, call: _Call, url: str, exchange: Exchange) -> Iterator[httpx.Response]:
        """Get a signed URL, following redirects to addresses that may be asked."""
        for _ in range(_MAX_HOPS):
            self._check_address(call, url)
            with ExitStack() as stack:
                with self._watch.on(exchange):
                    stream = self._open()[1].stream("GET", url, timeout=self._for_files())
                    response = stack.enter_context(stream)
                    if not response.has_redirect_location and response.status_code != 200:
                        raise _storage_refusal(call, _reply(response))
                if not response.has_redirect_location:
                    yield response
                    return
                url = str(response.url.join(response.headers["location"]))
        raise PermanentError(call.text(f"more than {_MAX_HOPS} redirects"))

    def _check_address(self, call: _Call, url: str) -> None:
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


def is_loopback(host: str) -> bool:
    """Return whether a host name or address stands for this machine by definition."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def printable(text: str, limit: int = _MAX_TEXT) -> str:
    """Return a text from outside as one line without control characters and without the queries of URLs."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    plain = " ".join(_QUERY.sub(r"\1?...", plain).split())
    return plain if len(plain) <= limit else plain[: limit - 3] + "..."


@contextmanager
def _explained(call: _Call) -> Iterator[None]:
    """Turn the HTTP library's errors into ours."""
    import httpx

    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
        raise call.not_now(f"no connection: {_named(error)}") from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise PermanentError(call.text(f"not an address: {_named(error)}")) from error
    except httpx.HTTPError as error:
        raise call.uncertain(f"broke off: {_named(error)}") from error
    except TooSlowError as error:
        raise call.uncertain(f"{error}, and was ended") from error
    except StopNoticedError as error:
        raise TransferStoppedError(call.text(f"{error}; a resume does it again")) from error


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _success(call: _Call, response: httpx.Response) -> bytes:
    """Return the body of an answer that says yes."""
    if not response.is_success:
        raise _refusal(call, _reply(response))
    body = bytearray()
    try:
        for chunk in _content(call, response, response.iter_raw()):
            body += chunk
            if len(body) > _MAX_ANSWER:
                raise call.uncertain(f"the answer has more than {_MAX_ANSWER:,} bytes")
    except (EOFError, zlib.error) as error:
        raise call.uncertain(f"the answer cannot be unpacked: {error}") from error
    return bytes(body)


def _decoded(call: _Call, body: bytes, into: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=into)
    except (msgspec.DecodeError, RecursionError) as error:
        raise call.uncertain(f"the answer cannot be read: {error}") from error


def _refusal(call: _Call, reply: _Reply) -> ProviderError:
    """Return what an answer of the API that is no success means."""
    if reply.status == 429:
        return call.not_now(reply.problem, reply.retry_after_s)
    if reply.status == 408 or reply.status >= 500:
        return call.uncertain(reply.problem, reply.retry_after_s)
    hint = None
    if reply.status in {401, 403}:
        hint = f"check {call.service.key_variable}: it must be a key that may do this, and of this account"
    elif 300 <= reply.status < 400:
        hint = "check the API's address: it redirects elsewhere, and the key is not sent there"
    return call.rejected(reply, hint)


def _storage_refusal(call: _Call, reply: _Reply) -> ProviderError:
    """Return what an answer of a signed URL that is no success means.

    Google's storage answers an expired signature with 400, S3 with 403; the same URL never works again.
    """
    if reply.status in {400, 401, 403}:
        return call.not_now(f"the link has expired or is refused, HTTP {reply.status}: {reply.detail}")
    if reply.status in {408, 429} or reply.status >= 500 or reply.status < 300:
        return call.not_now(reply.problem, reply.retry_after_s)
    return call.rejected(reply)


def _reply(response: httpx.Response) -> _Reply:
    """Read an answer that is no success. Its status counts even if its body breaks off, or comes packed."""
    import httpx

    body = bytearray()
    packed = response.headers.get("content-encoding", "identity").strip().lower()
    try:
        for chunk in response.iter_raw() if packed in _PLAIN else ():
            body += chunk
            if len(body) > _MAX_ERROR_BODY:
                break
    except (httpx.HTTPError, TooSlowError):
        body += b" (the rest is missing)"
    detail, code = _explanation(bytes(body[:_MAX_ERROR_BODY]))
    return _Reply(response.status_code, detail, code, _retry_after(response.headers))


def _explanation(body: bytes) -> tuple[str, str]:
    """Return the message and the code in an error's body: JSON, bare or below ``error``, or else text without tags."""
    try:
        data = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return html.unescape(_TAG.sub(" ", body.decode(errors="replace"))), ""
    inner = data.get("error", data) if isinstance(data, dict) else data
    if not isinstance(inner, dict):
        return str(inner), ""
    message, code = inner.get("message"), inner.get("code")
    return str(inner if message is None else message), "" if code is None else str(code)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the vendor asks to wait, however many; a date counts from the answer's own."""
    text = headers.get("retry-after", "").strip()
    if _NUMBER.fullmatch(text):
        return float(text)
    try:
        until, now = parsedate_to_datetime(text), parsedate_to_datetime(headers.get("date", ""))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def _no_page(call: _Call, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks of a body that does not begin as a web page does."""
    begun = False
    for chunk in chunks:
        start = chunk.removeprefix(BOM).lstrip()
        if not begun and start.startswith(b"<"):
            raise call.not_now("a web page came instead of rows")
        begun = begun or bool(start)
        yield chunk


_PLAIN: Final = frozenset({"", "identity"})


def _raw(call: _Call, response: httpx.Response) -> Iterator[bytes]:
    """Yield a file's bytes as they travel, up to the limit."""
    announced, count = response.headers.get("content-length", ""), 0
    if announced.isdecimal() and int(announced[:20]) > _MAX_FILE:
        raise call.unusable(f"it announces {announced[:20]} bytes, and the limit is {_MAX_FILE:,}")
    for chunk in response.iter_raw():
        count += len(chunk)
        if count > _MAX_FILE:
            raise call.unusable(f"it has more than {_MAX_FILE:,} bytes")
        yield chunk


def _content(call: _Call, response: httpx.Response, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a body unpacked, in pieces of bounded size and up to a limit.

    The library would take a gzip body that breaks off for a whole one, and unpack one that is packed many times.
    """
    packed = response.headers.get("content-encoding", "identity").strip().lower()
    if packed in _PLAIN:
        yield from chunks
    elif packed in {"gzip", "x-gzip"}:
        yield from _unpacked(call, chunks)
    elif "," in packed:
        raise call.unusable(f"it comes packed more than once, as {packed!r}")
    else:
        raise call.uncertain(f"it comes packed as {packed!r}, which was not asked for")


def _unpacked(call: _Call, chunks: Iterable[bytes]) -> Iterator[bytes]:
    came = gave = 0

    def counted() -> Iterator[bytes]:
        nonlocal came
        for chunk in chunks:
            came += len(chunk)
            yield chunk

    for piece in gunzip(counted()):
        gave += len(piece)
        if gave > min(_MAX_FILE, max(_RATIO_FLOOR, came * _MAX_RATIO)):
            raise call.unusable(f"{came:,} bytes of it unpack to more than {gave - len(piece):,}")
        yield piece
