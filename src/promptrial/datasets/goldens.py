"""Goldens of tools that evaluate retrieval: DeepEval and Ragas, whose passages are lists and which also hold answers.

The answer that an application gave before (``actual_output``, ``response``; in older Ragas files ``answer``) is no
gold, and is not kept. Of two lists of passages, the retrieved ones are read: an application answers from these.

References
----------
The documentation of both tools: "Datasets" (DeepEval), "Evaluation Sample" (Ragas).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from promptrial.datasets.layout import layout_format
from promptrial.datasets.shapes import Draft, Notes, Variant, flat, passage, stated

__all__ = ["DEEPEVAL", "RAGAS"]

_Passages = list[str] | str | None


class _Golden(msgspec.Struct):
    input: str
    expected_output: str | None
    retrieval_context: _Passages = None
    context: _Passages = None
    additional_metadata: dict[str, Any] | None = None


class _Ragas(msgspec.Struct):
    user_input: str
    reference: str | None = None
    retrieved_contexts: list[str] | None = None
    reference_contexts: list[str] | None = None


class _OlderRagas(msgspec.Struct):
    question: str
    contexts: list[str]
    ground_truth: str


class _OldestRagas(msgspec.Struct):
    question: str
    contexts: list[str]
    ground_truths: list[str]


def _golden(row: _Golden, _notes: Notes) -> Iterator[Draft]:
    context = passage(row.retrieval_context) or passage(row.context)
    yield Draft(row.input, stated(row.expected_output), context=context, extra=flat(row.additional_metadata))


def _ragas(row: _Ragas, _notes: Notes) -> Iterator[Draft]:
    context = passage(row.retrieved_contexts) or passage(row.reference_contexts)
    yield Draft(row.user_input, stated(row.reference), context=context)


def _older_ragas(row: _OlderRagas | _OldestRagas, _notes: Notes) -> Iterator[Draft]:
    answers = stated(row.ground_truth) if isinstance(row, _OlderRagas) else [*filter(str.strip, row.ground_truths)]
    yield Draft(row.question, answers, context=passage(row.contexts))


_GIVEN_BEFORE: Final = frozenset({"actual_output", "response", "answer", "retrieved_context_ids"})
_DEEPEVAL_SIGNS: Final = frozenset({"actual_output", "retrieval_context", "additional_metadata", "source_file"})
DEEPEVAL: Final = layout_format(
    name="deepeval",
    about="DeepEval goldens: `input`, `expected_output`, and passages as a list",
    variants=(Variant(_Golden, _golden, signs=_DEEPEVAL_SIGNS, left_out=_GIVEN_BEFORE),),
)
RAGAS: Final = layout_format(
    name="ragas",
    about="Ragas samples: `user_input` and `reference`, or `question`, `contexts` and `ground_truth`",
    variants=(
        Variant(_Ragas, _ragas, left_out=_GIVEN_BEFORE),
        Variant(_OlderRagas, _older_ragas, left_out=_GIVEN_BEFORE),
        Variant(_OldestRagas, _older_ragas, left_out=_GIVEN_BEFORE),
    ),
)
