"""The file calls of the OpenAI API: upload, get, list, delete, content."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Final

from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp

from promptrial.documents.files import read_bytes
from promptrial_emulator.faults.transfers import spoilt
from promptrial_emulator.openai import lists
from promptrial_emulator.openai.inputs import inspect
from promptrial_emulator.openai.messages import json_response, refused
from promptrial_emulator.openai.model import File, OpenAI, shown_file
from promptrial_emulator.operation import Call
from promptrial_emulator.stored_file import StoredFile

__all__ = ["Files", "expiry"]

BATCH: Final = "batch"
_PURPOSES: Final = ("assistants", BATCH, "evals", "fine-tune", "user_data", "vision")
_PAGE: Final = 10_000
_DAY_S: Final = 86_400
_BATCH_EXPIRES_S: Final = 30 * _DAY_S
_EXPIRY_S: Final = (3600, 30 * _DAY_S)
_CHUNK: Final = 64 << 10
_OCTETS: Final = "application/octet-stream"


class Files:
    """The handlers; each returns the answer of a call or raises ``ApiError``."""

    def __init__(self, openai: OpenAI) -> None:
        self._openai = openai
        self._core = openai.core

    def upload(self, call: Call) -> Response:
        """Keep a file."""
        body, fields = call.body, call.body.fields
        purpose = fields.get("purpose", "")
        if purpose not in _PURPOSES:
            text = f"'{purpose}' is not one of {list(_PURPOSES)} - 'purpose'"
            raise refused(400, text, "invalid_value" if purpose else "missing_required_parameter", "purpose")
        if body.path is None or body.size > self._core.settings.openai.file_bytes:
            raise refused(413, f"The file is larger than {self._core.settings.openai.file_bytes} bytes.", param="file")
        if purpose == BATCH and not body.name.endswith(".jsonl"):
            raise refused(400, "Invalid file format for Batch API. Must be .jsonl", None, "file")
        file = File(
            id=self._openai.new_id("file-", call.number),
            serial=call.number,
            created=call.now,
            visible_from=call.visible_from,
            purpose=purpose,
            content=StoredFile(body.name, body.path.name, body.size, body.sha256),
            processed_at=call.now + self._core.settings.openai.processing_s,
            expires_at=_expires_at(call, purpose),
            facts=inspect(body.path) if purpose == BATCH else None,
        )
        self._openai.files.put(file)
        self._core.ledger.record(
            call.now, "upload", file.id, filename=body.name, purpose=purpose, sha256=body.sha256, bytes=body.size,
            rows=None if file.facts is None else file.facts.rows,
        )  # fmt: skip
        return json_response(shown_file(file, call.now))

    def get(self, call: Call) -> Response:
        """Show a file."""
        return json_response(shown_file(self._openai.file(call.path["id"], call.now), call.now))

    def list(self, call: Call) -> Response:
        """Show a page of files."""
        wanted = call.query.get("purpose")
        seen = [
            file
            for file in self._openai.files.to_look_at()
            if file.is_visible(call.now) and wanted in (None, file.purpose)
        ]
        show = partial(shown_file, now=call.now)
        return json_response(lists.page(seen, show, call.query, call.faults, usual=_PAGE, most=_PAGE))

    def delete(self, call: Call) -> Response:
        """Forget a file. Its bytes stay, for batches that have started to read them."""
        file = self._openai.file(call.path["id"], call.now)
        self._openai.files.remove(file.id)
        self._core.ledger.record(call.now, "delete_file", file.id)
        return json_response({"id": file.id, "object": "file", "deleted": True})

    def content(self, call: Call) -> ASGIApp:
        """Send the bytes of a file."""
        file = self._openai.file(call.path["id"], call.now)
        path = self._core.path(file.content.path)
        if fault := call.faults.get("F13"):
            return spoilt(fault, read_bytes(path), call.url)
        headers = {"content-disposition": f'attachment; filename="{file.content.name}"'}
        if self._core.settings.openai.gzip and "gzip" in call.headers.get("accept-encoding", ""):
            packed = gzip.compress(read_bytes(path), mtime=0)
            headers["content-encoding"] = "gzip"
            return StreamingResponse(_pieces(packed), media_type=_OCTETS, headers=headers)
        return StreamingResponse(_chunks(path), media_type=_OCTETS, headers=headers)

    def vanish(self, call: Call) -> None:
        """Forget the file of a call without a word, as retention does."""
        self._openai.files.remove(call.path["id"])


def _expires_at(call: Call, purpose: str) -> float | None:
    """Return when an uploaded file expires, if it does."""
    fields = call.body.fields
    anchor, text = fields.get("expires_after[anchor]"), fields.get("expires_after[seconds]")
    if anchor is None and text is None:
        return call.now + _BATCH_EXPIRES_S if purpose == BATCH else None
    return call.now + expiry(anchor, int(text) if text and text.isdecimal() else text, "expires_after")


def expiry(anchor: object, seconds: object, param: str) -> int:
    """Return how long a file lives, in seconds.

    Raises
    ------
    ApiError
        400 if that is not allowed.
    """
    least, most = _EXPIRY_S
    if anchor != "created_at":
        raise refused(400, f"Invalid '{param}.anchor': expected 'created_at'.", "invalid_value", f"{param}.anchor")
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not least <= seconds <= most:
        text = f"Invalid '{param}.seconds': expected an integer from {least} to {most}."
        raise refused(400, text, "invalid_value", f"{param}.seconds")
    return seconds


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    """Yield a file in pieces, so that its length is not told."""
    with path.open("rb") as file:
        while piece := file.read(_CHUNK):
            yield piece


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), _CHUNK):
        yield data[start : start + _CHUNK]
