"""Lists of the OpenAI API, page by page: each page is asked for after the last id of the one before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from promptrial.errors import TransientError
from promptrial.providers.http import HttpClient

__all__ = ["pages"]


class _Entry(Protocol):
    @property
    def id(self) -> str: ...


class _Page(Protocol):
    @property
    def data(self) -> Sequence[_Entry]: ...
    @property
    def has_more(self) -> bool | None: ...


P = TypeVar("P", bound=_Page)


def pages(http: HttpClient, path: str, into: type[P], query: Mapping[str, str], *, what: str, most: int) -> Iterator[P]:
    """Yield the pages of a list, up to a number.

    A server that says nothing of further pages is taken to have none.

    Raises
    ------
    TransientError
        If a page is empty though it says that there are more, or leads back to one that was read.
    """
    after: str | None = None
    seen = set[str]()
    for _ in range(most):
        given = query if after is None else {**query, "after": after}
        page = http.call("GET", path, into, what=what, query=given)
        yield page
        if not page.has_more:
            return
        if not page.data:
            raise TransientError(f"{http.service.vendor}: could not {what}: a page is empty and says there are more")
        after = page.data[-1].id
        if after in seen:
            raise TransientError(f"{http.service.vendor}: could not {what}: its pages repeat from {after}")
        seen.add(after)
