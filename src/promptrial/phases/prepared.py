"""The prepared items on disk: their order, writing them and streaming them back. The prepare phase decides which items.

Open-book items come first, then closed-book ones; a position in that order is what parts are cut by.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from promptrial.errors import CorruptRecordError
from promptrial.model import Item, ItemType, ids
from promptrial.store import jsonl
from promptrial.store.records import Manifest, load
from promptrial.store.rundir import RunDir
from promptrial.store.unchanged import Unchanged

__all__ = [
    "ItemCounts",
    "ItemKey",
    "ItemReader",
    "all_items",
    "encode_item",
    "in_order",
    "item_counts",
    "item_keys",
    "item_tokens",
    "positions_with",
    "prepared_files",
    "prepared_rows",
]

_Row = TypeVar("_Row", bound=msgspec.Struct)
_FILES: Final[tuple[tuple[ItemType, str], ...]] = (("open", "open_book.jsonl"), ("closed", "closed_book.jsonl"))


class ItemKey(NamedTuple):
    """What identifies an item, without its texts; ``grouped`` is whether its source groups it with others."""

    dataset: str
    id: str
    type: ItemType
    grouped: bool = False


class ItemCounts(NamedTuple):
    """How many items there are of each type, and how many of all their source groups with others."""

    open: int
    closed: int
    grouped: int


class _KeyRow(msgspec.Struct, frozen=True):
    dataset: str
    id: str
    cluster: str | None = None


_ITEM_DECODER: Final = msgspec.json.Decoder(Item)
_KEY_DECODER: Final = msgspec.json.Decoder(_KeyRow)


def prepared_files(run: RunDir) -> tuple[tuple[ItemType, Path], ...]:
    """Return the two files, in order."""
    return tuple((kind, run.prepared / name) for kind, name in _FILES)


def prepared_rows(run: RunDir) -> int | None:
    """Return how many items are prepared, as their record says; None where it does not."""
    try:
        found = load(run.prepared / "manifest.json", Manifest).facts.get("items")
    except (FileNotFoundError, CorruptRecordError):
        return None
    return found if isinstance(found, int) else None


def encode_item(item: Item) -> bytes:
    """Return the line of an item: open-book rows have a context and a flag, closed-book rows a flag only if set.

    A cluster, choices, messages and extra columns are there only where the item has them.
    """
    row: dict[str, Any] = {"id": item.id, "dataset": item.dataset, "question": item.question}
    if item.context is not None:
        row |= {"context": item.context, "answers": item.answers, "is_unanswerable": item.is_unanswerable}
    else:
        row["answers"] = item.answers
        if item.is_unanswerable:
            row["is_unanswerable"] = True
    if item.cluster is not None:
        row["cluster"] = item.cluster
    row |= {key: value for key in ("choices", "messages", "extra") if (value := getattr(item, key))}
    return msgspec.json.encode(row)


class ItemReader:
    """Reads items by position; going on from where the last call ended costs nothing extra."""

    def __init__(self, run: RunDir) -> None:
        self._run = run
        self._lines = _texts(run)
        self._at = 0

    def take(self, start: int, stop: int) -> list[Item]:
        """Return the items from position ``start`` up to ``stop``; fewer where there are fewer."""
        if start < self._at:
            self._lines, self._at = _texts(self._run), 0
        found = list(islice(self._lines, start - self._at, stop - self._at))
        self._at = stop
        try:
            return [*map(_ITEM_DECODER.decode, found)]
        except (ValueError, RecursionError):
            return [_decoded(line, _ITEM_DECODER) for line in islice(_lines(self._run), start, stop)]  # says which

    def at(self, positions: Sequence[int]) -> list[Item]:
        """Return the items at some positions, in their order; quick where positions rise."""
        if isinstance(positions, range):  # they follow one another
            return self.take(positions.start, positions.stop)
        return [item for position in positions for item in self.take(position, position + 1)]


def in_order(run: RunDir, items: Iterable[Item]) -> list[Item]:
    """Return items in prepared order; items of one type stay in theirs."""
    held = list(items)
    return [item for kind, _ in prepared_files(run) for item in held if item.type == kind]


def all_items(run: RunDir) -> Iterator[Item]:
    """Yield every item in order."""
    for line in _lines(run):
        yield _decoded(line, _ITEM_DECODER)


def item_keys(run: RunDir) -> Iterator[ItemKey]:
    """Yield the key of every item in order."""
    for kind, path in prepared_files(run):
        for row in _key_rows(path):
            yield ItemKey(row.dataset, row.id, kind, row.cluster is not None)


def item_counts(run: RunDir) -> ItemCounts:
    """Return how many items there are; they are counted again only where their files have changed."""
    (opened, in_groups), (closed, others) = (_COUNTED(path) for _, path in prepared_files(run))
    return ItemCounts(opened, closed, in_groups + others)


def _counted(path: Path) -> tuple[int, int]:
    """Return how many items a file has, and how many of them their source groups with others."""
    grouped = [row.cluster is not None for row in _key_rows(path)]
    return len(grouped), sum(grouped)


_COUNTED: Final = Unchanged(_counted)


def item_tokens(run: RunDir) -> dict[str, str]:
    """Return ``token -> item id`` for the items, so that wire ids of long item ids can be read back."""
    return {ids.item_token(key.id): key.id for key in item_keys(run)}


def positions_with(run: RunDir, words: str) -> set[int]:
    """Return the positions of the items whose id, question, passage, choices or accepted answers hold some words.

    Lower and upper case are the same.
    """
    wanted = words.lower()
    escaped = msgspec.json.encode(wanted)[1:-1].lower()  # as they are in the line of an item that holds them
    return {
        at
        for at, line in enumerate(_lines(run))
        if escaped in _lower(line.text) and _says(_decoded(line, _ITEM_DECODER), wanted)
    }


def _lower(line: bytes) -> bytes:
    return line.lower() if line.isascii() else line.decode("utf-8", "replace").lower().encode()


def _says(item: Item, wanted: str) -> bool:
    texts = (item.id, item.question, item.context or "", *item.choices, *item.answers)
    return any(wanted in text.lower() for text in texts)


class _Line(NamedTuple):
    path: Path
    number: int
    text: bytes


def _texts(run: RunDir) -> Iterator[bytes]:
    return chain.from_iterable(jsonl.lines(path) for _, path in prepared_files(run))


def _lines(run: RunDir) -> Iterator[_Line]:
    return chain.from_iterable(_lines_of(path) for _, path in prepared_files(run))


def _lines_of(path: Path) -> Iterator[_Line]:
    for number, text in jsonl.numbered_lines(path):
        yield _Line(path, number, text)


def _key_rows(path: Path) -> Iterator[_KeyRow]:
    try:
        yield from map(_KEY_DECODER.decode, jsonl.lines(path))
    except (ValueError, RecursionError):
        for line in _lines_of(path):
            _decoded(line, _KEY_DECODER)  # which says which line it is
        raise


def _decoded(line: _Line, decoder: msgspec.json.Decoder[_Row]) -> _Row:
    try:
        return decoder.decode(line.text)
    except (ValueError, RecursionError) as error:
        raise CorruptRecordError(f"{line.path}:{line.number}: damaged prepared item: {error}") from error
