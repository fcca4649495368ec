"""The rows of a job's two files: what a reply looks like, and the errors of fault F11. Pure."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

from promptrial_emulator.chat_completion import chat_completion, chat_usage
from promptrial_emulator.faults.answers import ODD_ANSWERS, odd_answer
from promptrial_emulator.faults.rules import Fault
from promptrial_emulator.responders.base import Answer, Refusal

__all__ = ["row_of"]

_CREATED: Final = 1_767_225_600  # the clock's epoch: an answer does not depend on when it was made
_encode: Final = msgspec.json.encode


def row_of(name: str, model: str, seed: int, reply: Answer | Refusal, fault: Fault | None) -> tuple[bytes, bool]:
    """Return the row of a reply, spoilt by a fault if there is one, and whether it belongs to the errors."""
    if isinstance(reply, Refusal):
        return _encode({"custom_id": name, "error": {"code": reply.code, "message": reply.message}}), True
    if fault is not None and fault.variant not in ODD_ANSWERS:
        return _error(name, reply, fault), True
    mark = _encode((seed, model, name, [choice.text for choice in reply.choices]))
    made = f"chatcmpl-{hashlib.sha256(mark).hexdigest()[:24]}"
    answer = reply if fault is None else odd_answer(reply, fault)
    response = chat_completion(answer, name=made, model=model, created=_CREATED)
    return _encode({"custom_id": name, "response": response}), False


def _error(name: str, reply: Answer, fault: Fault) -> bytes:
    code = fault.options["code"]
    error = {"code": code, "message": "the request failed"}
    if fault.variant == "garbage":
        return b"upstream connect error or disconnect/reset before headers"
    shapes: dict[str, dict[str, Any]] = {
        "code_message": {"custom_id": name, "error": error},
        "text": {"custom_id": name, "error": "the request failed"},
        "in_response": {"custom_id": name, "response": {"error": error}},
        "status_body": {"custom_id": name, "response": {"status_code": code, "body": {"error": error}}},
        "billed": {"custom_id": name, "error": error, "response": {"usage": chat_usage(reply)}},
        "no_id": {"error": error},
    }
    return _encode(shapes[fault.variant])
