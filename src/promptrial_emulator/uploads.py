"""Reading a call's body onto the disk, without holding it in memory: as it comes, or out of a multipart form.

The file is stored under the number of its call; a call that is then refused or fails removes it.
"""

from __future__ import annotations

import asyncio
import shutil
from typing import Final

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from promptrial.store.atomic import AtomicFile
from promptrial_emulator.core import Core
from promptrial_emulator.faults.replies import ErrorReply
from promptrial_emulator.operation import ApiError, Body

__all__ = ["Uploads"]

_CHUNK: Final = 1 << 20


class Uploads:
    """The two readers.

    Parameters
    ----------
    core : Core
    error : callable
        How the API words a form that is wrong.
    """

    def __init__(self, core: Core, error: ErrorReply) -> None:
        self._core = core
        self._error = error

    async def streamed(self, request: Request, number: int) -> Body:
        """Keep the body itself."""
        path = self._core.files / f"upload-{number}"
        with AtomicFile(path) as file:
            async for chunk in request.stream():
                file.write(chunk)
        return Body(path=path, size=file.size, sha256=file.sha256())

    async def form_file(self, request: Request, number: int) -> Body:
        """Keep the one part of a form that is named ``file``, and the fields beside it."""
        try:
            async with request.form(max_files=1, max_fields=8) as form:
                found = form.get("file")
                if not isinstance(found, UploadFile):
                    raise ApiError(self._error(400, "expected multipart/form-data with one part named file"))
                fields = {name: value for name, value in form.items() if isinstance(value, str)}
                return await asyncio.to_thread(self._keep, found, number, fields)
        except (MultiPartException, HTTPException) as error:
            raise ApiError(self._error(400, f"not a form with one file: {error}")) from error

    def _keep(self, found: UploadFile, number: int, fields: dict[str, str]) -> Body:
        path = self._core.files / f"upload-{number}"
        with AtomicFile(path) as file:
            shutil.copyfileobj(found.file, file, _CHUNK)
        return Body(path=path, name=found.filename or "file", size=file.size, sha256=file.sha256(), fields=fields)
