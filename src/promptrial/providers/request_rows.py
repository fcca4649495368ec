"""One line of a request file: ``{"custom_id", "body": {"messages", sampling parameters}}``. Encoding and decoding.

It is the neutral form of every provider: an adapter whose vendor wants another shape translates.
"""

from __future__ import annotations

from typing import Final

import msgspec

from promptrial.model import Message, Request, ids

__all__ = ["RequestRow", "decode_request_row", "encode_request_row", "row_id"]


class _Body(msgspec.Struct, frozen=True, omit_defaults=True):
    messages: tuple[Message, ...]
    temperature: float
    top_p: float
    top_k: int
    max_tokens: int
    seed: int
    stop: tuple[str, ...] = ()
    """Left out if empty: some servers refuse an empty list."""


class RequestRow(msgspec.Struct, frozen=True):
    """A request as it stands on disk and goes over the wire; the id is the wire id."""

    custom_id: str
    body: _Body


class _IdOnly(msgspec.Struct, frozen=True):
    custom_id: str


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(RequestRow)
_ID_DECODER: Final = msgspec.json.Decoder(_IdOnly)


def encode_request_row(request: Request) -> bytes:
    """Return the line of a request, without its newline."""
    sampling = request.sampling
    body = _Body(
        request.messages,
        sampling.temperature,
        sampling.top_p,
        sampling.top_k,
        sampling.max_tokens,
        sampling.seed,
        sampling.stop,
    )
    return _ENCODER.encode(RequestRow(ids.wire_encode(request.id), body))


def decode_request_row(line: bytes) -> RequestRow:
    """Read a line back.

    Raises
    ------
    ValueError
        If the line is not one that ``encode_request_row`` writes.
    """
    try:
        return _DECODER.decode(line)
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error


def row_id(line: bytes) -> str:
    """Return the wire id of any row that has a ``custom_id``, whatever else it holds.

    Raises
    ------
    ValueError
        If it has none.
    """
    try:
        return _ID_DECODER.decode(line).custom_id
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error
