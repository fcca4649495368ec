"""Layouts whose rows are not plain columns: what a row must hold, and which questions it stands for. Reads no file.

A layout is one or more kinds of rows (the official file, the hub's rows). The type of a row says both what it is
recognised by and what is wrong with a row that does not fit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final

import msgspec

from promptrial.datasets.cells import MOST_KEPT, drop_long
from promptrial.datasets.columns import WELL_KNOWN, fold
from promptrial.datasets.type_words import in_words
from promptrial.datasets.value_texts import text_of
from promptrial.model import Message

__all__ = [
    "Draft",
    "MisfitError",
    "Notes",
    "Scalar",
    "Variant",
    "at_index",
    "by_label",
    "flat",
    "id_of",
    "passage",
    "stated",
]

_TOO_LONG: Final = f"values longer than {MOST_KEPT:,} characters, which are not kept"
Scalar = str | int | float | bool
Row = Mapping[str, Any]


class MisfitError(ValueError):
    """A row does not fit the layout; the text says why, and the reader adds the place."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A question as a layout gives it: the fields of ``model.Item`` without the data set.

    ``id`` is None where the layout gives none; it is then made from the content.
    """

    question: str
    answers: Sequence[str] = ()
    id: str | None = None
    context: str | None = None
    is_unanswerable: bool = False
    cluster: str | None = None
    choices: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()
    extra: dict[str, str] = field(default_factory=dict)


class Notes:
    """What a reader gives a layout for all rows of a file: the configured columns, and a place for remarks.

    A remark is something that the file holds and a question cannot: it is counted and said once.
    """

    def __init__(self, columns: Mapping[str, str | tuple[str, ...]] | None = None) -> None:
        self.columns: Mapping[str, str | tuple[str, ...]] = columns or {}
        self._remarks: dict[str, Counter[str]] = {}

    def remark(self, sentence: str, what: str = "") -> None:
        """Count one case of a sentence that ends in a noun: ``assertions that are not used``, of a kind ``what``."""
        self._remarks.setdefault(sentence, Counter())[what] += 1

    @property
    def remarks(self) -> tuple[str, ...]:
        """Each remark with its counts, in the order in which they came up."""
        return tuple(
            f"{sentence}: " + ", ".join(f"{what} ({count})" if what else str(count) for what, count in cases.items())
            for sentence, cases in self._remarks.items()
        )


@dataclass(frozen=True, slots=True)
class Variant:
    """One kind of row of a layout.

    Attributes
    ----------
    kind : type of Struct, or None
        What a row must hold; keys beside it are kept with the question. None for rows whose keys have no fixed names;
        ``drafts`` is then given the mapping, and keeps what is to be kept.
    drafts : callable
        ``(row, notes)`` -> the questions of the row. Raises ``MisfitError``.
    signs : set of str
        Keys of which a file must have at least one to be taken for this layout, where ``kind`` alone is not specific
        enough.
    unless : set of str
        Keys with which a row is not taken for this layout by itself.
    left_out : set of str
        Keys beside ``kind`` that are not kept.
    alone : bool
        Whether rows of this kind alone make a file of this layout; otherwise they are only read beside others.
    """

    kind: type[msgspec.Struct] | None
    drafts: Callable[[Any, Notes], Iterable[Draft]]
    signs: frozenset[str] = frozenset()
    unless: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()
    alone: bool = True

    def fits(self, row: Row) -> bool:
        """Whether a row can be read as this kind."""
        if self.kind is None:
            return bool(self.signs & row.keys())
        try:
            msgspec.convert(row, self.kind)
        except msgspec.ValidationError:
            return False
        return True

    def likeness(self, row: Row) -> int:
        """Return how many keys of this kind a row has."""
        return 0 if self.kind is None else len(row.keys() & _keys(self.kind))

    def identifies(self, row: Row) -> bool:
        """Whether a row says by itself that its file is of this layout."""
        is_signed = not self.signs or bool(self.signs & row.keys())
        return self.alone and is_signed and not self.unless & row.keys() and self.fits(row)

    def read(self, row: Row, notes: Notes) -> Iterator[Draft]:
        """Yield the questions of a row, with the other keys as extra columns.

        Where this kind has no id of its own, a well-known name of one among the other keys gives it, if the row is one
        question.

        Raises
        ------
        MisfitError
            If the row is not of this kind.
        """
        if self.kind is None:
            yield from self.drafts(row, notes)
            return
        try:
            typed = msgspec.convert(row, self.kind)
        except msgspec.ValidationError as error:
            raise MisfitError(in_words(error)) from error
        known = _keys(self.kind)
        beside = flat({key: row[key] for key in row if key not in known and key not in self.left_out})
        for key in drop_long(beside):
            notes.remark(_TOO_LONG, key)
        drafts = list(self.drafts(typed, notes))
        own = next((key for name in WELL_KNOWN["id"] for key in beside if fold(key) == name), None)
        if own is not None and len(drafts) == 1 and drafts[0].id is None:
            drafts = [replace(drafts[0], id=beside.pop(own))]
        for draft in drafts:
            yield replace(draft, extra=beside | draft.extra) if beside else draft


@cache
def _keys(kind: type[msgspec.Struct]) -> frozenset[str]:
    return frozenset(one.encode_name for one in msgspec.structs.fields(kind))


def at_index(choices: Sequence[str], index: Scalar, first: int = 0) -> tuple[str, ...]:
    """Return the choice that an index names, counted from ``first``; none where the index says that it is not known.

    An index of -1 or an empty text is how public test sets hide their answers.

    Raises
    ------
    MisfitError
        If the index is not a whole number, or there is no such choice.
    """
    text = str(index).strip()
    if text in {"", "-1"}:
        return ()
    try:
        number = int(text) - first
    except ValueError:
        raise MisfitError(f"the right choice is {text!r}, which is not a whole number") from None
    if not 0 <= number < len(choices):
        raise MisfitError(f"the right choice is {text}, but there are {len(choices)} choices, counted from {first}")
    return (choices[number],)


def by_label(choices: Sequence[str], labels: Sequence[str], label: str) -> tuple[str, ...]:
    """Return the choice with a label; none where the label is empty.

    Raises
    ------
    MisfitError
        If choices and labels are not equally many, or none has the label.
    """
    if len(choices) != len(labels):
        raise MisfitError(f"{len(choices)} choices and {len(labels)} labels")
    if not label.strip():
        return ()
    if label not in labels:
        raise MisfitError(f"the right choice is {label!r}, but the labels are {', '.join(labels)}")
    return (choices[labels.index(label)],)


def flat(metadata: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the entries of a mapping of metadata as extra columns; values that are missing or empty are left out."""
    return {key: text_of(value) for key, value in (metadata or {}).items() if value not in (None, "")}


def id_of(value: Scalar | None) -> str | None:
    """Return an id as text; None, or an empty text, where there is none."""
    return None if value in (None, "") else text_of(value)


def passage(texts: str | Sequence[str] | None) -> str | None:
    """Return a passage given whole or as a list of texts, which are parted by an empty line; None if it is empty."""
    if texts is None:
        return None
    whole = texts if isinstance(texts, str) else "\n\n".join(text for text in texts if text.strip())
    return whole if whole.strip() else None


def stated(text: str | None) -> list[str]:
    """Return a text as the only accepted answer; none if it is blank or missing."""
    return [text] if text is not None and text.strip() else []
