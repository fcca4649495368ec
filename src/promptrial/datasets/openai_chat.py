"""Chat rows of OpenAI's tools: Evals (``input`` and ``ideal``), and ``messages`` with ``ideal`` or a last answer.

In rows of ``messages`` alone, as models are tuned on, the assistant's last message is the gold.

References
----------
The repository of OpenAI Evals, "Building an eval"; the documentation of OpenAI's API, "Supervised fine-tuning".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from promptrial.datasets.columns import WELL_KNOWN
from promptrial.datasets.conversations import ChatMessage, conversation
from promptrial.datasets.layout import layout_format
from promptrial.datasets.shapes import Draft, MisfitError, Notes, Scalar, Variant
from promptrial.datasets.value_texts import text_of

__all__ = ["FORMAT"]

_Ideal = Scalar | list[Scalar]


class _Sample(msgspec.Struct):
    input: list[ChatMessage]
    ideal: _Ideal


class _TextSample(msgspec.Struct):
    input: str
    ideal: _Ideal


class _Messages(msgspec.Struct):
    messages: list[ChatMessage]
    ideal: _Ideal


class _Tuning(msgspec.Struct):
    messages: list[ChatMessage]


def _sample(row: _Sample | _Messages, notes: Notes) -> Iterator[Draft]:
    found = conversation(row.input if isinstance(row, _Sample) else row.messages, notes)
    if found.reply is not None:
        raise MisfitError("the messages end with an answer of the assistant, but there is also an `ideal`")
    yield Draft(found.question, _texts(row.ideal), messages=found.before, extra=found.extra)


def _text_sample(row: _TextSample, _notes: Notes) -> Iterator[Draft]:
    yield Draft(row.input, _texts(row.ideal))


def _tuning(row: _Tuning, notes: Notes) -> Iterator[Draft]:
    found = conversation(row.messages, notes)
    yield Draft(found.question, [] if found.reply is None else [found.reply], messages=found.before, extra=found.extra)


def _texts(ideal: _Ideal) -> list[str]:
    return [text_of(value) for value in (ideal if isinstance(ideal, list) else [ideal])]


_QUESTIONS: Final = frozenset(WELL_KNOWN["question"])
_GOLDS: Final = frozenset(WELL_KNOWN["answers"])
FORMAT: Final = layout_format(
    name="openai_chat",
    about="OpenAI Evals (`input` with messages, `ideal`), `messages` with `ideal`, or with an answer at the end",
    variants=(
        Variant(_Sample, _sample),
        Variant(_Messages, _sample, unless=_QUESTIONS),
        Variant(_Tuning, _tuning, unless=_QUESTIONS | _GOLDS),
        Variant(_TextSample, _text_sample, alone=False),
    ),
)
