"""The prepared items on disk: their order, writing them and streaming them back. The prepare phase decides which items.

Open-book items come first, then closed-book ones; a position in that order is what parts are cut by.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from promptrial import ids
from promptrial.errors import CorruptRecordError
from promptrial.model import Item, ItemType
from promptrial.store import jsonl
from promptrial.store.rundir import RunDir

__all__ = ["ItemKey", "encode_item", "item_keys", "item_tokens", "items", "prepared_files"]

_FILES: Final[tuple[tuple[ItemType, str], ...]] = (("open", "open_book.jsonl"), ("closed", "closed_book.jsonl"))


class ItemKey(NamedTuple):
    """What identifies an item, without its texts."""

    dataset: str
    id: str
    type: ItemType


class _KeyRow(msgspec.Struct, frozen=True):
    dataset: str
    id: str


_ITEM_DECODER: Final = msgspec.json.Decoder(Item)
_KEY_DECODER: Final = msgspec.json.Decoder(_KeyRow)


def prepared_files(run: RunDir) -> tuple[tuple[ItemType, Path], ...]:
    """Return the two files, in order."""
    return tuple((kind, run.prepared / name) for kind, name in _FILES)


def encode_item(item: Item) -> bytes:
    """Return the line of an item: open-book rows have a context and a flag, closed-book rows neither."""
    row: dict[str, Any] = {"id": item.id, "dataset": item.dataset, "question": item.question}
    if item.context is not None:
        row |= {"context": item.context, "answers": item.answers, "is_unanswerable": item.is_unanswerable}
    else:
        row["answers"] = item.answers
    if item.cluster is not None:
        row["cluster"] = item.cluster
    return msgspec.json.encode(row)


def items(run: RunDir, start: int = 0, stop: int | None = None) -> Iterator[Item]:
    """Yield the items from position ``start`` up to ``stop``, one at a time."""
    return islice(_decoded(run, _ITEM_DECODER), start, stop)


def item_keys(run: RunDir) -> Iterator[ItemKey]:
    """Yield the key of every item in order."""
    for kind, path in prepared_files(run):
        for row in _rows(path, _KEY_DECODER):
            yield ItemKey(row.dataset, row.id, kind)


def item_tokens(run: RunDir) -> dict[str, str]:
    """Return ``token -> item id`` for the items, so that wire ids of long item ids can be read back."""
    return {ids.item_token(key.id): key.id for key in item_keys(run)}


def _decoded(run: RunDir, decoder: msgspec.json.Decoder[Item]) -> Iterator[Item]:
    for _, path in prepared_files(run):
        yield from _rows(path, decoder)


def _rows(path: Path, decoder: msgspec.json.Decoder[Any]) -> Iterator[Any]:
    for number, line in jsonl.numbered_lines(path):
        try:
            yield decoder.decode(line)
        except msgspec.MsgspecError as error:
            raise CorruptRecordError(f"{path}:{number}: damaged prepared item: {error}") from error
