"""The data set calls of the Fireworks API: create, upload in one request or by signed URLs, validate, download, delete.

Bytes that travel by signed URLs are ``fireworks_storage``'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from starlette.responses import Response

from promptrial_emulator.fireworks import lists
from promptrial_emulator.fireworks.inputs import inspect
from promptrial_emulator.fireworks.messages import (
    CREATE_DATASET,
    EMPTY,
    GET_UPLOAD_ENDPOINT,
    Code,
    json_response,
    refused,
    request_message,
)
from promptrial_emulator.fireworks.model import Dataset, Fireworks
from promptrial_emulator.fireworks.storage import Storage
from promptrial_emulator.operation import Call
from promptrial_emulator.stored_file import StoredFile

__all__ = ["Datasets", "check_id"]

_ID: Final = re.compile(r"[a-z0-9-]{1,63}")
_EPOCH_S: Final = 1_767_225_600


class Datasets:
    """The handlers; each returns the answer of a call or raises ``ApiError``."""

    def __init__(self, fireworks: Fireworks, storage: Storage) -> None:
        self._fireworks = fireworks
        self._core = fireworks.core
        self._storage = storage

    def create(self, call: Call) -> Response:
        """Make a data set without files."""
        request = request_message(CREATE_DATASET, call.body.data)
        spec = request.get("dataset", {})
        name = check_id(request.get("datasetId", ""), "datasetId")
        if not spec.get("exampleCount"):
            raise refused(400, "dataset.example_count is required")
        if self._fireworks.datasets.find(name) is not None:
            raise refused(409, f"dataset {name!r} already exists")
        dataset = Dataset(
            id=name,
            serial=call.number,
            created=call.now,
            visible_from=call.visible_from,
            example_count=spec["exampleCount"],
            spec=spec,
        )
        self._fireworks.datasets.put(dataset)
        self._core.ledger.record(call.now, "create_dataset", name, example_count=dataset.example_count)
        return json_response(self._fireworks.shown_dataset(dataset, call.now))

    def upload(self, call: Call) -> Response:
        """Take the whole content in one request."""
        dataset, body = self._uploading(call), call.body
        if body.path is None or body.size > self._core.settings.upload_cap:
            raise refused(413, f"the file is larger than {self._core.settings.upload_cap} bytes")
        if body.size == 0:
            raise refused(400, "the uploaded file is empty")
        dataset.files = [StoredFile(body.name, body.path.name, body.size, body.sha256)]
        self._made_ready(dataset, call.now)
        self._core.ledger.record(
            call.now, "upload", dataset.id, sha256=body.sha256, bytes=body.size,
            rows=None if dataset.facts is None else dataset.facts.rows,
        )  # fmt: skip
        return json_response(
            {
                "id": dataset.id,
                "bytes": body.size,
                "created_at": _EPOCH_S + int(call.now),
                "filename": body.name,
                "object": "file",
                "purpose": "dataset",
            }
        )

    def get_upload_endpoint(self, call: Call) -> Response:
        """Register a set of files, in place of the set before, and say where each is to be put."""
        dataset = self._uploading(call)
        sizes = request_message(GET_UPLOAD_ENDPOINT, call.body.data).get("filenameToSize", {})
        if not sizes:
            raise refused(400, "filename_to_size is required")
        for name, size in sizes.items():
            if not name or "/" in name or size < 0:
                raise refused(400, f"invalid file: {name!r} of {size} bytes")
        dataset.registration = call.number
        dataset.registered = sizes
        dataset.files = []
        self._fireworks.datasets.put(dataset)
        self._core.ledger.record(call.now, "get_upload_endpoint", dataset.id, files=sizes)
        urls = {name: self._storage.upload_url(call, dataset, name) for name in sizes}
        return json_response({"filenameToSignedUrls": urls})

    def validate_upload(self, call: Call) -> Response:
        """Take the files that were put as the content."""
        request_message(EMPTY, call.body.data)
        dataset = self._uploading(call)
        put = {file.name for file in dataset.files if file.size}
        missing = [name for name in dataset.registered if name not in put]
        if missing or not put:
            raise refused(
                400, f"upload is missing or empty: {', '.join(missing) or 'no file'}", Code.FAILED_PRECONDITION
            )
        self._made_ready(dataset, call.now)
        self._core.ledger.record(
            call.now, "validate_upload", dataset.id, sha256=[file.sha256 for file in dataset.files],
            rows=None if dataset.facts is None else dataset.facts.rows,
        )  # fmt: skip
        return json_response({})

    def get(self, call: Call) -> Response:
        """Show a data set."""
        dataset = self._fireworks.dataset(call.path["id"], call.now)
        shown = self._fireworks.shown_dataset(dataset, call.now)
        return json_response(lists.masked(shown, call.query.get("readMask", "")))

    def list(self, call: Call) -> Response:
        """Show a page of data sets."""
        seen = [each for each in self._fireworks.datasets.to_look_at() if each.visible_from <= call.now]
        shown = [self._fireworks.shown_dataset(each, call.now) for each in seen]
        return json_response(lists.page(shown, call.query, "datasets", call.faults))

    def delete(self, call: Call) -> Response:
        """Forget a data set. Its bytes stay, for jobs that have started to read them."""
        dataset = self._fireworks.dataset(call.path["id"], call.now)
        self._fireworks.datasets.remove(dataset.id)
        self._core.ledger.record(call.now, "delete_dataset", dataset.id)
        return json_response({})

    def get_download_endpoint(self, call: Call) -> Response:
        """Say where each file of a data set is available, or of every data set in its chain."""
        if call.body.data:
            raise refused(400, "a GET request must not have a body")
        dataset = self._fireworks.dataset(call.path["id"], call.now)
        if not dataset.ready(call.now):
            raise refused(400, f"dataset {dataset.id!r} is not READY", Code.FAILED_PRECONDITION)
        lineage = call.query.get("downloadLineage", call.query.get("download_lineage", "")) == "true"
        urls: dict[str, Any] = {}
        for each in self._chain(dataset) if lineage else (dataset,):
            for file in each.files:
                urls[f"dataset/{each.id}/{file.name}"] = self._storage.download_url(call, each, file)
        return json_response({"filenameToSignedUrls": urls})

    def vanish(self, call: Call) -> None:
        """Forget the data set of a call, as retention does: without a word and without an entry in the ledger."""
        self._fireworks.datasets.remove(call.path["id"])

    def _chain(self, dataset: Dataset) -> Iterator[Dataset]:
        at: Dataset | None = dataset
        while at is not None:
            yield at
            at = self._fireworks.datasets.find(at.continues) if at.continues else None

    def _uploading(self, call: Call) -> Dataset:
        dataset = self._fireworks.dataset(call.path["id"], call.now)
        if dataset.source_job is not None or dataset.ready(call.now):
            raise refused(400, f"dataset {dataset.id!r} is READY and takes no more files", Code.FAILED_PRECONDITION)
        return dataset

    def _made_ready(self, dataset: Dataset, now: float) -> None:
        dataset.files.sort(key=lambda file: file.name)
        dataset.facts = inspect(self._core.path(file.path) for file in dataset.files)
        dataset.ready_at = now + self._core.settings.ready_s
        self._fireworks.datasets.put(dataset)


def check_id(name: str, field: str) -> str:
    """Return an id.

    Raises
    ------
    ApiError
        400, code 3, if it is not one.
    """
    if not _ID.fullmatch(name):
        raise refused(400, f"invalid {field}: {name!r}; allowed: 1 to 63 lowercase letters, digits and hyphens")
    return name
