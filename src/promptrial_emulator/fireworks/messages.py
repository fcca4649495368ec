"""What the requests of the Fireworks API may hold, field by field, and how the API words its errors."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.responses import Response

from promptrial_emulator import proto_json
from promptrial_emulator.operation import ApiError
from promptrial_emulator.proto_json import Field, message

__all__ = [
    "CREATE_DATASET",
    "CREATE_JOB",
    "EMPTY",
    "GET_UPLOAD_ENDPOINT",
    "Code",
    "error_response",
    "json_response",
    "refused",
    "request_message",
    "unauthorized",
]

_FORMATS: Final = frozenset({"FORMAT_UNSPECIFIED", "CHAT", "COMPLETION", "RL"})
_PRECISIONS: Final = frozenset(
    {"PRECISION_UNSPECIFIED", "FP16", "FP8", "FP8_MM", "FP8_AR", "FP8_MM_KV_ATTN", "FP8_KV", "FP8_MM_V2", "FP8_V2",
     "FP8_MM_KV_ATTN_V2", "NF4", "FP4", "BF16", "FP4_BLOCKSCALED_MM", "FP4_MX_MOE"}
)  # fmt: skip

_DATASET: Final = message(
    name="output", createTime="output", updateTime="output", createdBy="output", state="output", status="output",
    estimatedTokenCount="output", sourceJobName="output", encryptionState="output", averageTurnCount="output",
    displayName="string", exampleCount="int64", externalUrl="string", userUploaded=message(),
    format=Field("enum", names=_FORMATS),
)  # fmt: skip
CREATE_DATASET: Final = message(datasetId="string", dataset=_DATASET)
GET_UPLOAD_ENDPOINT: Final = message(filenameToSize="sizes", readMask="string")
EMPTY: Final = message()
CREATE_JOB: Final = message(
    name="output", createTime="output", updateTime="output", expireTime="output", createdBy="output", state="output",
    status="output", jobProgress="output", lifecycle="output", waitingOnCapacity="output",
    displayName="string", model="string", inputDatasetId="string", outputDatasetId="string", systemPrompt="string",
    continuedFromJobName="string", maxJobDuration="duration", placement="struct",
    precision=Field("enum", names=_PRECISIONS),
    inferenceParameters=message(
        maxTokens="int32", temperature="number", topP="number", topK="int32", n="int32", extraBody="string"
    ),
)  # fmt: skip


class Code:
    """The gRPC codes that the API uses."""

    INVALID_ARGUMENT: Final = 3
    NOT_FOUND: Final = 5
    ALREADY_EXISTS: Final = 6
    PERMISSION_DENIED: Final = 7
    RESOURCE_EXHAUSTED: Final = 8
    FAILED_PRECONDITION: Final = 9
    UNIMPLEMENTED: Final = 12
    INTERNAL: Final = 13
    UNAVAILABLE: Final = 14


_CODES: Final = {400: 3, 403: 7, 404: 5, 405: 12, 409: 6, 413: 3, 429: 8, 503: 14}


def json_response(value: Any, status: int = HTTPStatus.OK) -> Response:  # noqa: ANN401 - JSON
    """Return an answer."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def error_response(status: int, text: str, code: int | None = None) -> Response:
    """Return an error as the control plane words it; 403 is worded by the gateway."""
    if status == HTTPStatus.FORBIDDEN:
        return unauthorized(text)
    shown = _CODES.get(status, Code.INTERNAL) if code is None else code
    return json_response({"code": shown, "message": text, "details": []}, status)


def unauthorized(text: str) -> Response:
    """Return the gateway's refusal of a key."""
    error = {"message": text, "code": "UNAUTHORIZED", "param": None, "type": "error"}
    return json_response({"error": error, "request_id": "emulated"}, HTTPStatus.FORBIDDEN)


def refused(status: int, text: str, code: int | None = None) -> ApiError:
    """Return the exception that refuses a call."""
    return ApiError(error_response(status, text, code))


def request_message(kind: Field, data: bytes) -> dict[str, Any]:
    """Read a request body.

    Raises
    ------
    ApiError
        400, code 3, if it is not one.
    """
    try:
        return proto_json.parse(kind, data)
    except proto_json.ProtoError as error:
        raise refused(HTTPStatus.BAD_REQUEST, str(error)) from error
