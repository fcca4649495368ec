"""The bodies of HTTP answers, read within limits: how much may come, unpack to, or be in one line.

A body is never taken for whole that broke off, and never unpacked twice. Which call it answers is the caller's matter.
"""

from __future__ import annotations

import html
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, TypeVar, cast

import msgspec

from promptrial.providers.exchange import TooSlowError
from promptrial.providers.http_outcomes import Call, Reply, refusal
from promptrial.store.downloads import BOM, gunzip

if TYPE_CHECKING:
    import httpx

__all__ = ["decoded", "not_a_page", "raw_bytes", "read_reply", "success_body", "unpacked_content"]

T = TypeVar("T")
_MAX_ANSWER: Final = 32 << 20
_MAX_ERROR_BODY: Final = 16 << 10
_MAX_FILE: Final = 16 << 30
"""Bytes of one file, as they travel and unpacked: twice the largest output that a vendor is known to write."""
_MAX_RATIO: Final = 200
_RATIO_FLOOR: Final = 16 << 20
"""Unpacked bytes for each byte that came, judged above 16 MiB; rows of chat answers reach about 20."""
_PLAIN: Final = frozenset({"", "identity"})
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]")
"""How JSON begins to write a half of a character outside the first 65,536; two of them are a whole one."""
_TAG: Final = re.compile(r"<[^<>]*>")


def success_body(call: Call, response: httpx.Response) -> bytes:
    """Return the body of an answer that says yes."""
    if not response.is_success:
        raise refusal(call, read_reply(response))
    body = bytearray()
    try:
        for chunk in unpacked_content(call, response, response.iter_raw()):
            body += chunk
            if len(body) > _MAX_ANSWER:
                raise call.uncertain(f"the answer has more than {_MAX_ANSWER:,} bytes")
    except (EOFError, zlib.error) as error:
        raise call.uncertain(f"the response cannot be decompressed: {error}") from error
    return bytes(body)


def decoded(call: Call, body: bytes, into: type[T]) -> T:
    """Return a JSON body as a type; one that cannot be read leaves the outcome of its call uncertain.

    What is no text in it, bytes that are no UTF-8 and halves of characters, becomes U+FFFD: such an answer came whole,
    was paid for, and would come again.
    """
    if into is msgspec.Raw:
        return cast("T", msgspec.Raw(body))
    try:
        return msgspec.json.decode(_as_text(body.removeprefix(BOM)), type=into)
    except (ValueError, RecursionError) as error:
        raise call.uncertain(f"the response cannot be read: {error}") from error


def _as_text(body: bytes) -> bytes:
    """Return JSON in which every text is one; what is no JSON comes back as it is."""
    text = body.decode(errors="replace")
    if not _HALF.search(text):
        return text.encode()
    try:
        whole = json.dumps(json.loads(text), ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        return body
    return "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in whole).encode()


def read_reply(response: httpx.Response) -> Reply:
    """Read an answer that is not a success. Its status counts even if its body breaks off, or comes packed."""
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
    detail, code, kind = _explanation(bytes(body[:_MAX_ERROR_BODY]))
    return Reply(response.status_code, detail, code, _retry_after(response.headers), kind)


def _explanation(body: bytes) -> tuple[str, str, str]:
    """Return message, code and type in an error's body: JSON, bare or below ``error``, or else text without tags."""
    try:
        data = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return html.unescape(_TAG.sub(" ", body.decode(errors="replace"))), "", ""
    inner = data.get("error", data) if isinstance(data, dict) else data
    if not isinstance(inner, dict):
        return str(inner), "", ""
    message, code, kind = (inner.get(name) for name in ("message", "code", "type"))
    said = str(inner if message is None else message)
    return said, "" if code is None else str(code), kind if isinstance(kind, str) else ""


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


def not_a_page(call: Call, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks of a body that does not begin as a web page does."""
    begun = False
    for chunk in chunks:
        start = chunk.removeprefix(BOM).lstrip()
        if not begun and start.startswith(b"<"):
            raise call.not_now("a web page came instead of rows")
        begun = begun or bool(start)
        yield chunk


def raw_bytes(call: Call, response: httpx.Response) -> Iterator[bytes]:
    """Yield a file's bytes as they travel, up to the limit."""
    announced, count = response.headers.get("content-length", ""), 0
    if announced.isdecimal() and int(announced[:20]) > _MAX_FILE:
        raise call.unusable(f"it announces {announced[:20]} bytes, but the limit is {_MAX_FILE:,}")
    for chunk in response.iter_raw():
        count += len(chunk)
        if count > _MAX_FILE:
            raise call.unusable(f"it has more than {_MAX_FILE:,} bytes")
        yield chunk


def unpacked_content(call: Call, response: httpx.Response, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a body unpacked, in pieces of bounded size and up to a limit.

    The library would take a gzip body that breaks off for a whole one, and unpack one that is packed many times.
    """
    packed = response.headers.get("content-encoding", "identity").strip().lower()
    if packed in _PLAIN:
        yield from chunks
    elif packed in {"gzip", "x-gzip"}:
        yield from _unpacked(call, chunks)
    elif "," in packed:
        raise call.unusable(f"it is compressed more than once, as {packed!r}")
    else:
        raise call.uncertain(f"it is compressed as {packed!r}, which was not requested")


def _unpacked(call: Call, chunks: Iterable[bytes]) -> Iterator[bytes]:
    came = gave = 0

    def counted() -> Iterator[bytes]:
        nonlocal came
        for chunk in chunks:
            came += len(chunk)
            yield chunk

    for piece in gunzip(counted()):
        gave += len(piece)
        if gave > min(_MAX_FILE, max(_RATIO_FLOOR, came * _MAX_RATIO)):
            raise call.unusable(f"{came:,} bytes of it decompress to more than {gave - len(piece):,}")
        yield piece
