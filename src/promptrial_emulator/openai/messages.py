"""How the OpenAI API words answers and errors, and reads the bodies of requests."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.responses import Response

from promptrial_emulator.operation import ApiError

__all__ = ["EPOCH_S", "error_body", "error_response", "json_object", "json_response", "loading_response", "refused"]

EPOCH_S: Final = 1_767_225_600
"""When the virtual clock begins, in Unix seconds."""
_TYPES: Final = {
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
    HTTPStatus.FORBIDDEN: "permission_error",
}
_CODES: Final = {
    HTTPStatus.UNAUTHORIZED: "invalid_api_key",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_exceeded",
}


def json_response(value: Any, status: int = HTTPStatus.OK) -> Response:  # noqa: ANN401 - JSON
    """Return an answer."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def error_body(status: int, text: str, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """Return an error as JSON; its type, and the code where none is given, follow from the status."""
    server = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    kind = "server_error" if server else _TYPES.get(HTTPStatus(status), "invalid_request_error")
    shown = code or (None if server else _CODES.get(HTTPStatus(status)))
    return {"error": {"message": text, "type": kind, "param": param, "code": shown}}


def error_response(status: int, text: str, code: str | None = None, param: str | None = None) -> Response:
    """Return an error."""
    return json_response(error_body(status, text, code, param), status)


def loading_response(status: int, text: str) -> Response:
    """Return an error of ``/health`` as a local server words it; 503 means that the model is being loaded."""
    unavailable = status == HTTPStatus.SERVICE_UNAVAILABLE
    kind, message = ("unavailable_error", "Loading model") if unavailable else ("server_error", text)
    return json_response({"error": {"code": status, "message": message, "type": kind}}, status)


def refused(status: int, text: str, code: str | None = None, param: str | None = None) -> ApiError:
    """Return the exception that refuses a call."""
    return ApiError(error_response(status, text, code, param))


def json_object(data: bytes) -> dict[str, Any]:
    """Read a request body.

    Raises
    ------
    ApiError
        400 if it is not a JSON object.
    """
    try:
        value = msgspec.json.decode(data)
    except (ValueError, RecursionError) as error:
        raise refused(400, f"We could not parse the JSON body of your request: {error}") from error
    if not isinstance(value, dict):
        raise refused(400, "The JSON body of your request must be an object.")
    return value
