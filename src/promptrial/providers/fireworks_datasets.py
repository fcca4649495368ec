"""Files at Fireworks: bringing the requests of a part into a dataset, and reading the rows of an output dataset.

Both are datasets under names that we choose. Nothing here makes, finds or ends a job.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from promptrial.errors import PermanentError, ResultsGoneError, TransientError
from promptrial.providers.base import PartPayload, Staged
from promptrial.providers.fireworks_account import api_path
from promptrial.providers.fireworks_wire import FAILED_PRECONDITION, Dataset, SignedUrls, last_segment
from promptrial.providers.http import HttpClient
from promptrial.providers.http_outcomes import NotFoundError, RejectedError
from promptrial.providers.wire import Anything

__all__ = ["MULTIPART_LIMIT", "Datasets", "RowFiles", "UnfinishedError"]

MULTIPART_LIMIT: Final = 150_000_000
"""Bytes that one form may have; anything larger goes through a signed URL."""

_WANTS_UPLOAD: Final = frozenset({"UPLOADING", "STATE_UNSPECIFIED", ""})
_READY: Final = "READY"
_ERRORS: Final = "error-data"


class UnfinishedError(TransientError):
    """The dataset is there, and not finished yet."""


class RowFiles(NamedTuple):
    """The names of a dataset's files that hold rows: the answers, in order, and the requests that failed."""

    output: tuple[str, ...]
    errors: tuple[str, ...]


class Datasets:
    """The datasets of one account. May be used by several threads.

    Parameters
    ----------
    http : HttpClient
    account : str
    multipart_limit : int
        The size in bytes above which a request file is uploaded through a signed URL.
    """

    def __init__(self, http: HttpClient, account: str, multipart_limit: int = MULTIPART_LIMIT) -> None:
        self._http = http
        self._account = account
        self._multipart_limit = multipart_limit
        self._uploaded: set[str] = set()

    def stage(self, payload: PartPayload) -> Staged:
        """Create the dataset, upload the requests, and look whether Fireworks is done with them.

        Each of these may be repeated, so an outcome that is not known is a ``TransientError``. What was uploaded whole
        from here is not uploaded again; what another process may have uploaded is, as long as Fireworks wants it.

        Raises
        ------
        PermanentError
            If the dataset of this name holds other requests, or the requests are refused.
        """
        dataset = self._find(payload) or self._create(payload)
        if dataset.state in _WANTS_UPLOAD:
            dataset = self._bring(payload) or dataset
            if dataset.refusal is not None:
                raise PermanentError(f"Fireworks refuses the requests {payload.dataset_key}: {dataset.refusal}")
        return Staged(payload.dataset_key, ready=dataset.state == _READY)

    def row_files(self, name: str) -> RowFiles:
        """Return the files of a dataset that hold rows. Their names start with a path; large output has pages.

        Raises
        ------
        ResultsGoneError
            If there is no such dataset, or the call is refused for another reason than the key.
        UnfinishedError
            If it is still being written, or was left so.
        """
        names = sorted(self._download_urls(name))
        return RowFiles(
            tuple(file for file in names if last_segment(file).endswith(".jsonl")),
            tuple(file for file in names if last_segment(file) == _ERRORS),
        )

    def lines(self, name: str, file: str) -> Iterator[bytes]:
        """Yield the lines of one file of a dataset.

        The URL is a new one for each file: they live for some ten minutes, and the file before may have taken longer.
        Errors are those of ``HttpClient.lines``; a file that is gone, refused, or can never be read, is a
        ``ResultsGoneError``.
        """
        url = self._download_urls(name).get(file)
        if url is None:
            raise TransientError(f"Fireworks named a file {last_segment(file)!r} of {name}, and then no longer did")
        try:
            yield from self._http.lines(url, what=f"download {last_segment(file)} of {name}")
        except PermanentError as error:
            raise ResultsGoneError(error.message) from error

    def _find(self, payload: PartPayload) -> Dataset | None:
        """Return the dataset of the requests as it is now, or None if there is none.

        Raises
        ------
        PermanentError
            If it was made for another number of requests.
        """
        name = payload.dataset_key
        try:
            dataset = self._http.call("GET", self._path(name), Dataset, what=f"look up dataset {name}")
        except NotFoundError:
            return None
        if dataset.rows not in {None, payload.rows}:
            raise PermanentError(
                f"Fireworks has a dataset {name} of {dataset.rows} requests, not {payload.rows}",
                hint=f"look at it: firectl dataset get {name}",
            )
        return dataset

    def _create(self, payload: PartPayload) -> Dataset:
        """Create the dataset; that it already exists is fine, since its name says what it holds."""
        name = payload.dataset_key
        about = {"userUploaded": {}, "exampleCount": str(payload.rows), "displayName": name}
        body = {"datasetId": name, "dataset": about}
        self._uploaded.discard(name)  # what went into an earlier one of this name is gone with it
        try:
            return self._http.call("POST", self._path(), Dataset, what=f"create dataset {name}", body=body)
        except RejectedError as error:
            if error.status != 409:
                raise
            found = self._find(payload)
            if found is None:
                raise TransientError(f"{error.message}; but it is not visible yet") from error
            return found

    def _bring(self, payload: PartPayload) -> Dataset | None:
        """Upload the requests and return the dataset as it is then.

        A refusal is none if the dataset has become ready by an earlier upload whose answer was lost, and not yet one
        if a dataset that was just made is not known.
        """
        try:
            self._upload(payload)
        except NotFoundError as error:
            raise TransientError(error.message) from error
        except RejectedError:
            dataset = self._find(payload)
            if dataset is None or dataset.state != _READY:
                raise
            return dataset
        return self._find(payload)

    def _upload(self, payload: PartPayload) -> None:
        size = payload.path.stat().st_size
        if size != payload.size:
            raise PermanentError(f"{payload.path} has {size:,} bytes, not the {payload.size:,} that were recorded")
        signed = size > self._multipart_limit
        if payload.dataset_key not in self._uploaded:
            if signed:
                self._put_signed(payload)
            else:
                self._post_form(payload)
            self._uploaded.add(payload.dataset_key)
        if signed:
            what = f"have the upload of {payload.dataset_key} checked"
            self._http.call("POST", self._path(payload.dataset_key, ":validateUpload"), Anything, what=what, body={})

    def _post_form(self, payload: PartPayload) -> None:
        name = payload.dataset_key
        what = f"upload the requests {name}"
        self._http.upload(self._path(name, ":upload"), payload.path, f"{name}.jsonl", what=what)

    def _put_signed(self, payload: PartPayload) -> None:
        """Put the file where Fireworks says. The headers are part of the signature and must be exactly these."""
        name, size = payload.dataset_key, payload.size
        file = f"{name}.jsonl"
        what = f"get an address for the requests {name}"
        wanted = {"filenameToSize": {file: str(size)}}
        path = self._path(name, ":getUploadEndpoint")
        url = self._http.call("POST", path, SignedUrls, what=what, body=wanted).filename_to_signed_urls.get(file)
        if url is None:
            raise TransientError(f"Fireworks: could not {what}: the response has no address for {file}")
        headers = {"Content-Type": "application/octet-stream", "X-Goog-Content-Length-Range": f"{size},{size}"}
        self._http.put(url, payload.path, headers, what=f"upload the requests {name}")

    def _download_urls(self, name: str) -> dict[str, str]:
        path = self._path(name, ":getDownloadEndpoint")
        what = f"get the addresses of the files of {name}"
        try:
            return self._http.call("GET", path, SignedUrls, what=what).filename_to_signed_urls
        except NotFoundError as error:
            raise ResultsGoneError(f"Fireworks no longer has the results {name}") from error
        except RejectedError as error:
            if error.code == FAILED_PRECONDITION:
                raise UnfinishedError(error.message) from error
            if error.is_of_the_account:
                raise
            raise ResultsGoneError(error.message) from error

    def _path(self, name: str = "", verb: str = "") -> str:
        return api_path(self._account, "datasets", name, verb)
