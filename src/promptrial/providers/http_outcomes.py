"""What the outcome of an HTTP call means: the one table of it, and the errors that it ends in.

::

    what happened                                     repeatable call    call that creates
    no connection, no DNS, no TLS: nothing was sent   TransientError     TransientError
    429                                               SlowDownError      SlowDownError     (with retry_after_s)
    402, or 429 because the account has no credit     RejectedError      RejectedError
    408, 5xx, time-out, reset, unreadable 2xx         UncertainError     OutcomeUnknownError
    503, 529: too busy to begin with it               TransientError     OutcomeUnknownError
    the whole exchange took too long                  UncertainError     OutcomeUnknownError
    401, 403 (names the variable of the key), 404     RejectedError      RejectedError     (404, 410: NotFoundError)
    any other status                                  RejectedError      RejectedError
    a signed URL answers 400, 401 or 403              TransientError     -                 (ask for a new URL)
    a body that is too large, or packed twice         UnusableBodyError  OutcomeUnknownError
    a stop was asked for while a file came or went    TransferStoppedError

Nothing is sent, read or repeated here. No key appears in a message, and no query of a URL, which may be a signature.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from promptrial.errors import (
    OutcomeUnknownError,
    PermanentError,
    ProviderError,
    SlowDownError,
    TransferStoppedError,
    TransientError,
    UncertainError,
)
from promptrial.providers.exchange import StopNoticedError, TooSlowError
from promptrial.providers.http_service import Service

__all__ = [
    "Call",
    "FailedThereError",
    "Kind",
    "NotFoundError",
    "RejectedError",
    "Reply",
    "UnprovenEndError",
    "UnusableBodyError",
    "explained",
    "printable",
    "refusal",
    "storage_refusal",
]

_MAX_TEXT: Final = 500
_NO_CREDIT: Final = "insufficient_quota"
"""OpenAI's code where an account has no credit left: the wait that a 429 asks for elsewhere would never end."""
_TOO_BUSY: Final = frozenset({503, 529})
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
    kind : str
        What the vendor calls the kind of the error, likewise.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, status: int, detail: str = "", code: str = "", kind: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.detail = detail
        self.code = code
        self.kind = kind

    @property
    def is_of_the_account(self) -> bool:
        """Whether another key, a permission or credit would change the answer: what was asked for is still there."""
        return self.status in {401, 402, 403} or self.code == _NO_CREDIT


class NotFoundError(RejectedError):
    """The vendor does not know what the call is about (404), or no longer knows it (410)."""


class FailedThereError(TransientError):
    """The vendor got the call, says that it has failed at it, and bills nothing."""

    has_arrived = True


class UnprovenEndError(TransientError):
    """A download ended without a sign that it was whole: no length was announced, and the connection just closed."""


class UnusableBodyError(PermanentError):
    """A body came that is not read: too large, too long a line, or packed more than once. It will be the same again."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call, for its messages: ``could not WHAT: ...``."""

    service: Service
    what: str
    kind: Kind = Kind.REPEATABLE

    def text(self, problem: str) -> str:
        """Return a message on one line, without the key."""
        text = printable(self.service.without_secrets(problem))
        return f"{self.service.vendor}: could not {printable(self.what)}: {text}"

    def not_now(self, problem: str, retry_after_s: float | None = None) -> TransientError:
        """Return the error of a call that changed nothing and may work later."""
        return TransientError(self.text(problem), retry_after_s=retry_after_s)

    def uncertain(self, problem: str, retry_after_s: float | None = None) -> ProviderError:
        """Return the error of a call that may have been carried out, and billed."""
        if self.kind is Kind.CREATES:
            return OutcomeUnknownError(self.text(f"{problem}; it may have succeeded anyway"))
        return UncertainError(self.text(problem), retry_after_s=retry_after_s)

    def unusable(self, problem: str) -> ProviderError:
        """Return the error of an answer that is not read, and would be the same again."""
        if self.kind is Kind.CREATES:
            return self.uncertain(problem)
        return UnusableBodyError(self.text(problem))

    def rejected(self, reply: Reply, hint: str | None = None) -> RejectedError:
        """Return the error of a call that the vendor refused; what does not exist, or is gone, is a kind of its own."""
        kind = NotFoundError if reply.status in {404, 410} else RejectedError
        detail = printable(self.service.without_secrets(reply.detail))
        return kind(
            self.text(reply.problem),
            hint=hint,
            status=reply.status,
            detail=detail,
            code=printable(self.service.without_secrets(reply.code)),
            kind=printable(self.service.without_secrets(reply.type)),
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is not a success, read."""

    status: int
    detail: str
    code: str
    retry_after_s: float | None
    type: str = ""
    """What the vendor calls the kind of the error, where its body says so beside the message."""

    @property
    def problem(self) -> str:
        """The status, and what the vendor said."""
        return f"HTTP {self.status}: {self.detail}" if self.detail else f"HTTP {self.status}"


def printable(text: str, limit: int = _MAX_TEXT) -> str:
    """Return a text from outside as one line without control characters and without the queries of URLs."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    plain = " ".join(_QUERY.sub(r"\1?...", plain).split())
    return plain if len(plain) <= limit else plain[: limit - 3] + "..."


@contextmanager
def explained(call: Call) -> Iterator[None]:
    """Turn the HTTP library's errors into ours."""
    import httpx

    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
        raise call.not_now(f"no connection: {_named(error)}") from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise PermanentError(call.text(f"not an address: {_named(error)}")) from error
    except httpx.HTTPError as error:
        raise call.uncertain(f"connection lost: {_named(error)}") from error
    except TooSlowError as error:
        raise call.uncertain(f"{error}, and was stopped") from error
    except StopNoticedError as error:
        raise TransferStoppedError(call.text(f"{error}; a resume repeats it")) from error


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def refusal(call: Call, reply: Reply) -> ProviderError:
    """Return what an answer of the API that is not a success means."""
    if reply.status == 402 or (reply.status == 429 and reply.code == _NO_CREDIT):
        return call.rejected(reply, f"add credit to the account at {call.service.vendor}, then resume")
    if reply.status == 429:
        return SlowDownError(call.text(reply.problem), retry_after_s=reply.retry_after_s)
    if reply.status in _TOO_BUSY and call.kind is Kind.REPEATABLE:
        return call.not_now(reply.problem, reply.retry_after_s)
    if reply.status == 408 or reply.status >= 500:
        return call.uncertain(reply.problem, reply.retry_after_s)
    hint = None
    if reply.status in {401, 403}:
        variable = call.service.key_variable
        hint = (
            f"check {variable}: the key must belong to this account and have permission for this"
            if variable
            else "the server needs a key: give the variable that holds it, `key: NAME`, in `providers`"
        )
    elif 300 <= reply.status < 400:
        hint = "check the API's address: it redirects elsewhere, and the key is not sent there"
    return call.rejected(reply, hint)


def storage_refusal(call: Call, reply: Reply) -> ProviderError:
    """Return what an answer of a signed URL that is not a success means.

    Google's storage answers an expired signature with 400, S3 with 403; the same URL never works again.
    """
    if reply.status in {400, 401, 403}:
        return call.not_now(f"the link has expired or was rejected, HTTP {reply.status}: {reply.detail}")
    if reply.status in {408, 429} or reply.status >= 500 or reply.status < 300:
        return call.not_now(reply.problem, reply.retry_after_s)
    return call.rejected(reply)
