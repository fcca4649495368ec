"""One line of a request file: ``{"custom_id", "body": {"messages", sampling parameters}}``. Encoding and decoding.

It is the neutral form of every provider: an adapter whose vendor wants another shape translates.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from promptrial.model import Message, Request, Sampling, ids
from promptrial.providers.wire import read_json

__all__ = ["RequestRow", "decode_request_row", "encode_request_row", "encode_row", "row_id"]


class _Body(msgspec.Struct, frozen=True, omit_defaults=True):
    messages: tuple[Message, ...]
    temperature: float
    top_p: float
    top_k: int
    max_tokens: int
    seed: int
    stop: tuple[str, ...] = ()
    """Left out if empty: some servers refuse an empty list."""
    response_format: dict[str, Any] | None = None
    """As chat completions have it: ``{"type": "json_schema", "json_schema": {"name", "strict", "schema"}}``."""


class RequestRow(msgspec.Struct, frozen=True):
    """A request as it is on disk and goes over the wire; the id is the wire id."""

    custom_id: str
    body: _Body

    @property
    def schema(self) -> dict[str, Any] | None:
        """The JSON Schema that the answer has to fit; None if it is free text."""
        found = None if self.body.response_format is None else self.body.response_format["json_schema"]["schema"]
        return found if isinstance(found, dict) else None


class _IdOnly(msgspec.Struct, frozen=True):
    custom_id: str


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(RequestRow)
_ID_DECODER: Final = msgspec.json.Decoder(_IdOnly)


def encode_request_row(request: Request) -> bytes:
    """Return the line of a request, without its newline."""
    return encode_row(ids.wire_encode(request.id), request.messages, request.sampling)


def encode_row(
    custom_id: str, messages: tuple[Message, ...], sampling: Sampling, schema: dict[str, Any] | None = None
) -> bytes:
    """Return the line of a request under a wire id, without its newline.

    ``schema`` is the JSON Schema that the answer has to fit; without one, the answer is free text.
    """
    body = _Body(
        messages,
        sampling.temperature,
        sampling.top_p,
        sampling.top_k,
        sampling.max_tokens,
        sampling.seed,
        sampling.stop,
        None if schema is None else _response_format(schema),
    )
    return _ENCODER.encode(RequestRow(custom_id, body))


def _response_format(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": schema}}


def decode_request_row(line: bytes) -> RequestRow:
    """Read a line back.

    Raises
    ------
    ValueError
        If the line is not one that ``encode_request_row`` writes.
    """
    return read_json(_DECODER, line)


def row_id(line: bytes) -> str:
    """Return the wire id of any row that has a ``custom_id``, whatever else it holds.

    Raises
    ------
    ValueError
        If it has none.
    """
    return read_json(_ID_DECODER, line).custom_id
