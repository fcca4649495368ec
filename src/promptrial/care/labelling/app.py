"""The pages behind their addresses; one of them writes, by POST from a page of this server with its token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from promptrial.care.labelling.page import answer_page, end_page, next_place
from promptrial.care.labelling.sheet import LabelledSheet
from promptrial.care.view.access import Access, Guard
from promptrial.care.view.app import made_page, no_icon, no_page, static_files
from promptrial.errors import UsageError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

__all__ = ["label_app"]

_STATIC: Final = {
    "report.css": ("promptrial.reporting.page", "text/css; charset=utf-8"),
    "view.css": ("promptrial.care.view", "text/css; charset=utf-8"),
    "label.js": ("promptrial.care.labelling", "text/javascript; charset=utf-8"),
}
_LARGEST_FORM: Final = 4096
_END: Final = "/end"


def label_app(sheet: LabelledSheet, read_command: str, access: Access) -> ASGIApp:
    """Return the application, behind its guard; ``read_command`` compares the labels with the measure."""
    pages = _Pages(sheet, read_command)
    routes = [
        Route("/", pages.first),
        Route("/answer/{number}", pages.answer),
        Route("/label", pages.label, methods=["POST"]),
        Route(_END, pages.end),
        Route("/static/{name}", static_files(_STATIC)),
        Route("/favicon.ico", no_icon),
    ]
    return Guard(Starlette(routes=routes, exception_handlers={HTTPException: no_page}), access)


class _Pages:
    """The answers to requests."""

    def __init__(self, sheet: LabelledSheet, read_command: str) -> None:
        self._sheet, self._read_command = sheet, read_command

    async def first(self, _request: Request) -> Response:
        return RedirectResponse(_address(next_place(-1, self._sheet.labels())), 303)

    async def answer(self, request: Request) -> Response:
        def make() -> Response:
            place = _place(str(request.path_params["number"]), len(self._sheet))
            return HTMLResponse(answer_page(self._sheet, place, self._sheet.labels()))

        return await made_page(make)

    async def end(self, _request: Request) -> Response:
        return HTMLResponse(end_page(self._read_command, str(self._sheet.path), self._sheet.labels()))

    async def label(self, request: Request) -> Response:
        """Label an answer; the response is sent when the label is on the disk."""
        form = await _form(request)

        def make() -> Response:
            place = _place(form.get("answer", ""), len(self._sheet))
            self._sheet.label(place, form.get("label", "").strip())
            return RedirectResponse(_address(next_place(place, self._sheet.labels())), 303)

        return await made_page(make)


async def _form(request: Request) -> dict[str, str]:
    """Return the first value of each field of a small form."""
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > _LARGEST_FORM:
            raise HTTPException(413, "This form is too large.")
    return {name: values[0] for name, values in parse_qs(data.decode("utf-8", "replace")).items()}


def _place(number: str, n: int) -> int:
    """Return the place of an answer, from 0, by its number, from 1.

    Raises
    ------
    UsageError
        If there is none.
    """
    if not (number.isascii() and number.isdecimal() and len(number) < 10 and 1 <= int(number) <= n):
        raise UsageError(f"no answer {number[:20]!r}: the sheet has {n}")
    return int(number) - 1


def _address(place: int | None) -> str:
    return _END if place is None else f"/answer/{place + 1}"
