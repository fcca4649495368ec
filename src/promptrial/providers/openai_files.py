"""Files at OpenAI and its kin: bringing the requests of a part there once, reading rows of answers, deleting.

A file is found again by the id that is on record or, where an upload was not recorded, by a name of our own and
its size. Nothing here makes, finds or ends a batch.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Final
from urllib.parse import quote

from promptrial.errors import PermanentError, ProviderError, ResultsGoneError
from promptrial.providers.base import PartPayload, Staged
from promptrial.providers.http import HttpClient
from promptrial.providers.http_outcomes import NotFoundError, RejectedError
from promptrial.providers.openai_pages import pages
from promptrial.providers.openai_rows import RowShape, openai_line
from promptrial.providers.openai_wire import Deleted, File, FilePage, seconds_of

__all__ = ["Files"]

_PURPOSE: Final = "batch"
_PAGE: Final = 1000
_MOST_PAGES: Final = 10
"""How many files are looked through for one that an earlier process may have uploaded; another copy does no harm."""


class Files:
    """The files of one key. May be used by several threads.

    Parameters
    ----------
    http : HttpClient
    shape : RowShape
        How rows of requests are written.
    """

    def __init__(self, http: HttpClient, shape: RowShape) -> None:
        self._http = http
        self._shape = shape
        self._lock = threading.Lock()
        self._staged: dict[str, str] = {}
        self._created: dict[str, float | None] = {}
        self._earlier: dict[tuple[str, int], str] | None = None

    def stage(self, payload: PartPayload) -> Staged:
        """Upload the requests as the vendor's rows, unless they are there, and look whether they may be used.

        Raises
        ------
        PermanentError
            If the vendor refuses the file.
        """
        known = payload.staged or self._staged.get(payload.dataset_key)
        file = None if known is None else self._look_up(known)
        if file is None or file.is_unusable:
            file = self._brought(payload)
        if file.is_unusable:
            raise PermanentError(f"{self._vendor} refuses the requests {payload.dataset_key}: it says {file.status!r}")
        self._staged[payload.dataset_key] = file.id
        return Staged(file.id, ready=file.is_ready)

    def name_of(self, payload: PartPayload) -> str | None:
        """Return what the vendor calls the requests, if that is known or can be found out."""
        known = payload.staged or self._staged.get(payload.dataset_key)
        return known or self._found_by_name(payload.dataset_key)

    def is_there(self, name: str) -> bool:
        """Whether the vendor has a file."""
        return self._look_up(name) is not None

    def created(self, name: str) -> float | None:
        """Return when a file was made, by the vendor's clock in seconds since 1970; None if that is not stated."""
        if name not in self._created:
            with suppress(ProviderError):  # a hint, which nothing depends on
                self._look_up(name)
        return self._created.get(name)

    def forget(self, payload: PartPayload) -> None:
        """Upload the requests again when they are next needed."""
        self._staged.pop(payload.dataset_key, None)
        self._earlier = None

    def delete(self, name: str) -> bool:
        """Delete a file; return whether it is certain that it is gone."""
        self.created(name)  # can no longer be asked once it is gone
        try:
            gone = self._http.call("DELETE", _path(name), Deleted, what=f"delete the file {name}").deleted
        except NotFoundError:
            return True
        except RejectedError:
            return False
        return gone

    def lines(self, name: str, what: str) -> Iterator[bytes]:
        """Yield the lines of a file.

        Errors are those of ``HttpClient.own_lines``; a file that is gone, or can never be read, is a
        ``ResultsGoneError``.
        """
        try:
            yield from self._http.own_lines(f"{_path(name)}/content", what=f"download {what}")
        except RejectedError as error:
            if error.is_of_the_account:
                raise
            raise ResultsGoneError(error.message) from error
        except PermanentError as error:
            raise ResultsGoneError(error.message) from error

    @property
    def _vendor(self) -> str:
        return self._http.service.vendor

    def _look_up(self, name: str) -> File | None:
        try:
            file = self._http.call("GET", _path(name), File, what=f"look up the file {name}")
        except NotFoundError:
            return None
        self._created[name] = seconds_of(file.created_at)
        return file

    def _brought(self, payload: PartPayload) -> File:
        """Return the file of the requests: the one that an earlier process has uploaded whole, or a new one."""
        with self._translated(payload) as rows:
            there = self._uploaded_before().get((_filename(payload.dataset_key), _size(rows)))
            file = None if there is None else self._look_up(there)
            if file is not None and not file.is_unusable:
                return file
            return self._upload(payload, rows)

    def _upload(self, payload: PartPayload, rows: IO[bytes]) -> File:
        name, fields = payload.dataset_key, {"purpose": _PURPOSE}
        what = f"upload the requests {name}"
        try:
            return self._http.create_file("/files", rows, _filename(name), File, what=what, fields=fields)
        except ProviderError:
            self._earlier = None  # it may have arrived anyway
            raise

    @contextmanager
    def _translated(self, payload: PartPayload) -> Iterator[IO[bytes]]:
        """Write the requests as the vendor's rows, a row at a time, and yield the file, at its beginning.

        It has no name, so that nothing is left of it however this process ends.
        """
        with tempfile.TemporaryFile() as file:
            for row in payload.requests():
                file.write(openai_line(row, payload.model, self._shape) + b"\n")
            file.seek(0)
            yield file

    def _uploaded_before(self) -> dict[tuple[str, int], str]:
        """Return the files that are there, by name and size; asked for once, and again after an upload that failed."""
        with self._lock:
            if self._earlier is None:
                self._earlier = {
                    (file.filename, file.bytes): file.id
                    for file in self._all()
                    if isinstance(file.filename, str) and isinstance(file.bytes, int) and not file.is_unusable
                }
            return self._earlier

    def _found_by_name(self, key: str) -> str | None:
        named = (name for (filename, _), name in self._uploaded_before().items() if filename == _filename(key))
        return next(named, None)

    def _all(self) -> Iterator[File]:
        """Yield the files for batches, the newest first, up to a limit."""
        query = {"purpose": _PURPOSE, "limit": str(_PAGE), "order": "desc"}
        found = pages(self._http, "/files", FilePage, query, what="list the files", most=_MOST_PAGES)
        for page in found:
            yield from page.data


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size


def _filename(key: str) -> str:
    return f"{key}.jsonl"


def _path(name: str) -> str:
    return f"/files/{quote(name, safe='')}"
