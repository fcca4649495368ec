"""The body of a batch's creation: taken onto the disk within its limit, checked, and split into a file of rows.

The body has up to 256 MB, and is neither read nor split in memory: its rows are looked at where they are in the file.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
from starlette.requests import Request

from promptrial.documents.files import open_regular
from promptrial.store.atomic import AtomicFile
from promptrial_emulator.anthropic.messages import refused
from promptrial_emulator.anthropic.params import samplers_in
from promptrial_emulator.core import Core
from promptrial_emulator.operation import Body, Reader

__all__ = ["Split", "batch_body", "split"]

_ID: Final = "^[a-zA-Z0-9_-]{1,64}$"
_ID_PATTERN: Final = re.compile(_ID[1:-1])
_MISSING: Final = re.compile(r"Object missing required field `(.*)`")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`")
_INDEX: Final = re.compile(r"\[(\d+)\]")


class _Row(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    custom_id: str
    params: msgspec.Raw


class _Create(msgspec.Struct, forbid_unknown_fields=True):
    requests: list[_Row]


def batch_body(core: Core) -> Reader:
    """Return what takes a body onto the disk, and refuses one that is too large with 413."""
    return partial(_read, core)


async def _read(core: Core, request: Request, number: int) -> Body:
    """Keep a body; one that is too large is read to its end, so that its sender hears the answer."""
    path, cap = core.files / f"upload-{number}", core.settings.anthropic.body_cap
    size = 0
    with AtomicFile(path) as file:
        async for chunk in request.stream():
            size += len(chunk)
            if size <= cap:
                file.write(chunk)
        if size > cap:
            raise refused(413, f"Request exceeds the maximum size of {cap} bytes")
    return Body(path=path, size=file.size, sha256=file.sha256())


class Split(NamedTuple):
    """How many requests a body has, and the ``custom_id`` of the first."""

    rows: int
    first_id: str


def split(source: Path, target: Path, version: str, *, most: int, refuse_samplers: bool) -> Split:
    """Check the requests of a body and write them to a file, one a line.

    Parameters
    ----------
    source, target : Path
    version : str
        The ``anthropic-version`` of the call.
    most : int
        How many requests a batch may have.
    refuse_samplers : bool
        Whether one request with sampler fields that the version lacks refuses the whole batch.

    Raises
    ------
    ApiError
        400 that names the request and the field, or 413 if there are too many.
    """
    with open_regular(source) as file:
        rows = _decoded(file.fileno()).requests
        if not rows:
            raise refused(400, "requests: List should have at least 1 item")
        if len(rows) > most:
            raise refused(413, f"requests: a batch has at most {most} requests, not {len(rows)}")
        with AtomicFile(target) as lines:
            for line in _lines(rows, version, refuse_samplers=refuse_samplers):
                lines.write(line)
        return Split(len(rows), rows[0].custom_id)


def _decoded(fd: int) -> _Create:
    try:
        return _DECODER.decode(mmap.mmap(fd, 0, access=mmap.ACCESS_READ))
    except msgspec.ValidationError as error:
        raise refused(400, _worded(str(error))) from error
    except (ValueError, RecursionError) as error:  # an empty file cannot be mapped
        raise refused(400, f"The request body is not valid JSON: {error}") from error


def _lines(rows: list[_Row], version: str, *, refuse_samplers: bool) -> Iterator[bytes]:
    seen: dict[str, int] = {}
    for number, row in enumerate(rows):
        name, at = row.custom_id, f"requests.{number}"
        if not _ID_PATTERN.fullmatch(name):
            raise refused(400, f"{at}.custom_id: String should match pattern '{_ID}'")
        if (first := seen.setdefault(name, number)) != number:
            raise refused(400, f"{at}.custom_id: Duplicate custom_id {name!r}, the one of requests.{first}")
        params = _params(at, row.params)
        if refuse_samplers and (sampler := samplers_in(params, version)):
            raise refused(400, f"{at}.params.{sampler}: not supported with anthropic-version {version}")
        yield b'{"custom_id":"%s","params":%s}\n' % (name.encode(), _on_one_line(bytes(row.params)))


def _params(at: str, raw: msgspec.Raw) -> dict[str, Any]:
    try:
        return _PARAMS.decode(raw)
    except (ValueError, RecursionError) as error:
        raise refused(400, f"{at}.params: Input should be a valid object: {error}") from error


def _on_one_line(raw: bytes) -> bytes:
    return msgspec.json.format(raw, indent=-1) if b"\n" in raw or b"\r" in raw else raw


def _worded(problem: str) -> str:
    """Return a problem of the decoder as the API words it: ``requests.0.custom_id: Field required``."""
    what, _, place = problem.partition(" - at `$")
    at = _INDEX.sub(r".\1", place.rstrip("`")).lstrip(".")
    if found := _MISSING.fullmatch(what):
        return f"{_joined(at, found.group(1))}: Field required"
    if found := _UNKNOWN.fullmatch(what):
        return f"{_joined(at, found.group(1))}: Extra inputs are not permitted"
    return f"{at or 'body'}: {what}"


def _joined(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


_DECODER: Final = msgspec.json.Decoder(_Create)
_PARAMS: Final = msgspec.json.Decoder(dict[str, Any])
