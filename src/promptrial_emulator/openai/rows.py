"""The rows of a batch's two files: answers, and errors in each of their shapes. Pure."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

from promptrial_emulator.faults.rules import Fault
from promptrial_emulator.openai.messages import error_body
from promptrial_emulator.responders.base import Refusal

__all__ = ["answer_row", "fault_row", "refusal_row", "unfinished_row"]

_UNFINISHED: Final = {
    "expired": ("batch_expired", "This request could not be executed before the completion window expired."),
    "cancelled": ("batch_cancelled", "This request was not executed because the batch was cancelled."),
}
_encode: Final = msgspec.json.encode


def answer_row(batch: str, name: str, body: dict[str, Any]) -> bytes:
    """Return the row of an answer."""
    return _row(batch, name, {"status_code": 200, "request_id": _mark(batch, name)[:32], "body": body}, None)


def refusal_row(batch: str, name: str, refusal: Refusal) -> bytes:
    """Return the row of a request that was refused."""
    body = error_body(refusal.code, refusal.message, refusal.reason, refusal.param)
    response = {"status_code": refusal.code, "request_id": _mark(batch, name)[:32], "body": body}
    return _row(batch, name, response, None)


def unfinished_row(batch: str, name: str, state: str) -> bytes:
    """Return the row of a request that a batch did not get to before it was expired or cancelled."""
    code, message = _UNFINISHED[state]
    return _row(batch, name, None, {"code": code, "message": message})


def fault_row(batch: str, name: str, fault: Fault) -> bytes:
    """Return the row of an error that fault F11 makes of an answer."""
    status, failed = fault.options["code"], error_body(fault.options["code"], "the request failed")
    if fault.variant == "garbage":
        return b"upstream connect error or disconnect/reset before headers"
    if fault.variant in ("batch_expired", "batch_cancelled"):
        return unfinished_row(batch, name, fault.variant.removeprefix("batch_"))
    request = _mark(batch, name)[:32]
    if fault.variant == "status_zero":
        return _row(batch, name, {"status_code": 0, "request_id": "", "body": {}}, None)
    if fault.variant == "no_body":  # as a vLLM server writes it: both are there
        error = {"code": "server_error", "message": "the request failed"}
        return _row(batch, name, {"status_code": status, "request_id": request, "body": None}, error)
    response = {"status_code": status, "request_id": request, "body": failed}
    if fault.variant == "no_id":
        return _encode({"id": f"batch_req_{_mark(batch, name)[:32]}", "response": response, "error": None})
    return _row(batch, name, response, None)


def _row(batch: str, name: str, response: dict[str, Any] | None, error: dict[str, Any] | None) -> bytes:
    row = {"id": f"batch_req_{_mark(batch, name)[:32]}", "custom_id": name, "response": response, "error": error}
    return _encode(row)


def _mark(batch: str, name: str) -> str:
    return hashlib.sha256(f"{batch}|{name}".encode()).hexdigest()
