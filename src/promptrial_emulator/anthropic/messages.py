"""How the Anthropic API words its answers and errors, and the ``request-id`` that each of them has."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.responses import Response

from promptrial_emulator.operation import ApiError

__all__ = ["REQUEST_ID", "error_object", "error_response", "json_response", "refused", "request_id"]

REQUEST_ID: Final = "request-id"
"""The response header that names a request."""
ERROR_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""The type of an error by its HTTP status."""


def request_id() -> str:
    """Return the id of one more request."""
    return f"req_{secrets.token_hex(12)}"


def json_response(value: Any, status: int = HTTPStatus.OK) -> Response:  # noqa: ANN401 - JSON
    """Return an answer."""
    return _named(value, status, request_id())


def error_response(status: int, text: str) -> Response:
    """Return an error in the envelope of the API; its type follows from the status."""
    name = request_id()
    return _named({"type": "error", "error": error_object(status, text), "request_id": name}, status, name)


def error_object(status: int, text: str) -> dict[str, str]:
    """Return the inner part of an error; a status without a type of its own has that of its class."""
    fallback = ERROR_TYPES[500] if status >= HTTPStatus.INTERNAL_SERVER_ERROR else ERROR_TYPES[400]
    return {"type": ERROR_TYPES.get(status, fallback), "message": text}


def refused(status: int, text: str) -> ApiError:
    """Return the exception that refuses a call."""
    return ApiError(error_response(status, text))


def _named(value: Any, status: int, name: str) -> Response:  # noqa: ANN401 - JSON
    return Response(msgspec.json.encode(value), status, {REQUEST_ID: name}, media_type="application/json")
