"""What ``vllm run-batch`` makes of a file of requests: a row for each, in order, errors among them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec

from promptrial_emulator.chat_completion import chat_completion
from promptrial_emulator.responders.base import Answer, ChatRow, Refusal

__all__ = ["run_batch"]

CHAT: Final = "/v1/chat/completions"
_CREATED: Final = 1_767_225_600  # the clock's epoch: an answer does not depend on when it was made


class _Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    custom_id: str
    method: str
    url: str
    body: dict[str, Any]


def run_batch(lines: Iterable[bytes], reply: Callable[[str, ChatRow], Answer | Refusal]) -> Iterator[bytes]:
    """Yield the row of each request; ``reply`` answers one, given its model.

    Raises
    ------
    ValueError
        If a line is not a request: the real program ends there too, without an answer to any.
    """
    requests = [msgspec.json.decode(line, type=_Request) for line in lines]
    for request in requests:
        asked = _asked(request)
        yield _row(request, asked if isinstance(asked, Refusal) else reply(_model(request), asked))


def _asked(request: _Request) -> ChatRow | Refusal:
    if request.url != CHAT or request.method != "POST":
        return Refusal(400, f"URL {request.url} was used. Supported endpoints: {CHAT}")
    messages = request.body.get("messages")
    if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
        return Refusal(400, "messages: Input should be a valid list")
    return ChatRow(request.custom_id, messages, request.body)


def _model(request: _Request) -> str:
    return str(request.body.get("model", ""))


def _row(request: _Request, reply: Answer | Refusal) -> bytes:
    mark = hashlib.sha256(msgspec.json.encode((request.custom_id, request.body))).hexdigest()[:24]
    response: dict[str, Any] = {"status_code": 200, "request_id": f"vllm-batch-{mark}", "body": None}
    error = None
    if isinstance(reply, Refusal):
        response["status_code"] = reply.code
        error = {"message": reply.message, "type": "BadRequestError", "code": reply.code}
    else:
        response["body"] = chat_completion(reply, name=f"chatcmpl-{mark}", model=_model(request), created=_CREATED)
    return msgspec.json.encode(
        {"id": f"vllm-{mark}", "custom_id": request.custom_id, "response": response, "error": error}
    )
