"""What a probe found, as it is kept: each question with its answer, and the calls that it rests on."""

from __future__ import annotations

import msgspec

__all__ = ["ProbeAnswer", "ProbeCall", "ProbeDocument"]


class ProbeCall(msgspec.Struct, frozen=True):
    """A call and what came of it, in the vendor's words; ``status`` is the HTTP status, 0 without an answer."""

    call: str
    status: int
    said: str


class ProbeAnswer(msgspec.Struct, frozen=True):
    """A question, what was found, and the calls that show it."""

    name: str
    question: str
    found: str
    calls: list[ProbeCall]


class ProbeDocument(msgspec.Struct, kw_only=True):
    """A probe of one provider. ``api`` is the host that was asked, ``began`` and ``ended`` are in UTC.

    ``ended`` is None while it goes on, and for one that was broken off.
    """

    schema_version: int = 1
    version: str
    provider: str
    adapter: str
    api: str
    model: str
    began: str
    ended: str | None = None
    answers: list[ProbeAnswer] = []
