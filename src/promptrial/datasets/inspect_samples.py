"""Samples of Inspect: ``input`` (text or messages), ``target``, ``choices``, ``id``, ``metadata``. JSON, JSONL and CSV.

The target of a sample with choices is a letter, or a list of them. In CSV, choices are a JSON list or texts separated
by commas, and metadata are JSON.

References
----------
The documentation of Inspect, "Datasets".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from promptrial.datasets.choices import lettered
from promptrial.datasets.columns import WELL_KNOWN
from promptrial.datasets.conversations import ChatMessage, Conversation, conversation
from promptrial.datasets.layout import layout_format
from promptrial.datasets.shapes import Draft, MisfitError, Notes, Scalar, Variant, flat, id_of
from promptrial.datasets.value_texts import is_list_cell, list_of_cell, text_of

__all__ = ["FORMAT"]

_Target = Scalar | list[Scalar] | None


class _AnySample(msgspec.Struct):
    input: str | list[ChatMessage]
    target: _Target = None
    choices: list[str] | str | None = None
    id: Scalar | None = None
    metadata: dict[str, Any] | str | None = None
    sandbox: Any = None
    files: Any = None
    setup: Any = None


class _ChatSample(_AnySample, kw_only=True):
    input: list[ChatMessage]


class _Sample(_AnySample, kw_only=True):
    target: _Target


def _drafts(row: _AnySample, notes: Notes) -> Iterator[Draft]:
    choices = _choices(row.choices)
    targets = row.target if isinstance(row.target, list) else [row.target] if row.target not in (None, "") else []
    answers = [text_of(target) for target in targets if target is not None]
    if choices:
        answers = [_choice(choices, answer) for answer in answers]
        if len(answers) > 1:
            notes.remark("questions with several right choices, each of which is accepted")
    if row.sandbox or row.files or row.setup:
        notes.remark("samples with a sandbox, files or a setup, which are not used")
    found = Conversation(row.input) if isinstance(row.input, str) else conversation(row.input, notes)
    yield Draft(
        found.question,
        answers,
        id=id_of(row.id),
        choices=choices,
        messages=found.before,
        extra=_metadata(row.metadata) | found.extra,
    )


def _choices(choices: list[str] | str | None) -> tuple[str, ...]:
    if not choices:
        return ()
    if isinstance(choices, list):
        return tuple(choices)
    if is_list_cell(choices):
        try:
            return tuple(list_of_cell(choices))
        except ValueError as error:
            raise MisfitError(f"`choices` {error}") from error
    return tuple(choice.strip() for choice in choices.split(","))


def _choice(choices: tuple[str, ...], target: str) -> str:
    found = lettered(choices, target)
    if found is not None:
        return found
    if target in choices:
        return target
    raise MisfitError(f"the target {target!r} is neither a letter of the {len(choices)} choices nor one of their texts")


def _metadata(metadata: dict[str, Any] | str | None) -> dict[str, str]:
    if not isinstance(metadata, str):
        return flat(metadata)
    try:
        return flat(msgspec.json.decode(metadata, type=dict[str, Any])) if metadata.strip() else {}
    except (msgspec.DecodeError, RecursionError):
        return {"metadata": metadata}


_OTHER_GOLDS: Final = frozenset(WELL_KNOWN["answers"]) - {"target"}
FORMAT: Final = layout_format(
    name="inspect",
    about="Inspect samples: `input` (text or messages), `target`, `choices`, `id`, `metadata`",
    variants=(
        Variant(_ChatSample, _drafts, signs=frozenset({"target"})),
        Variant(_ChatSample, _drafts, unless=_OTHER_GOLDS),
        Variant(_Sample, _drafts, signs=frozenset({"choices", "metadata", "sandbox", "files", "setup"})),
        Variant(_AnySample, _drafts, alone=False),
    ),
)
