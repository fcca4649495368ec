"""Which rows a JSON object holds: a list of objects, columns side by side, or objects under names.

====================================================  ==================================================================
``{"version": 1, "data": [{...}, {...}]}``            the first list of objects with a usual name, or the only list
``{"question": ["...", "..."], "answer": [1, 2]}``    columns: lists of equal length, not all of objects
``{"question": {"0": "..."}, "answer": {"0": 1}}``    columns with numbered rows, as pandas writes them
``{"q1": {"question": "..."}, "q2": {...}}``          objects under names; the name is the id of a row without one
====================================================  ==================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from promptrial.datasets.json_errors import check_keys
from promptrial.datasets.place import Place

__all__ = ["ENVELOPES", "Holding", "holding", "is_list_of_objects", "is_usual", "unwrapped"]

Raws = Mapping[str, msgspec.Raw]
USUAL: Final = ("rows", "data", "tests", "questions", "examples", "samples", "instances", "goldens", "items", "records")
_ENVELOPES: Final = (("row", frozenset({"row_idx", "truncated_cells"})), ("item", frozenset({"sample"})))
ENVELOPES: Final = frozenset(key for key, _ in _ENVELOPES)
"""The keys under which a row may be in an envelope."""
_SEE: Final = "see docs/question_files.md#json"
_SHOWN: Final = 10
_LOOK: Final = 1024


class Holding(msgspec.Struct):
    """What the rows of an object are.

    Attributes
    ----------
    name : str
        The key of the list, for messages; empty where rows are no list of objects.
    listed : list of Raw
        The objects of the list.
    made : list of dict
        The rows, where they are put together from columns or are under names.
    """

    name: str = ""
    listed: list[msgspec.Raw] = []
    made: list[dict[str, object]] = []


def holding(place: Place, root: Raws) -> Holding:
    """Return the rows of an object.

    Raises
    ------
    DataError
        If it holds none, or several lists of objects without a usual name.
    """
    lists = [key for key, raw in root.items() if is_list_of_objects(bytes(memoryview(raw)[:_LOOK]))]
    chosen = [key for key in lists if is_usual(key)]
    made = [] if chosen or len(lists) == len(root) else _columns(root) or [*_named(place, root)]
    if made:
        return Holding(made=made)
    if not chosen and len(lists) > 1:
        raise place.error(
            f"an object with several lists of objects: {_listed(lists)}",
            hint=f"keep only the list of questions; {_SEE}",
        )
    if not lists:
        raise place.error(
            f"an object without a list of questions; its keys: {_listed(list(root))}",
            hint=f'write the questions as a list, [{{"question": "..."}}], or each on its own line; {_SEE}',
        )
    name = (chosen or lists)[0]
    return Holding(name=name, listed=msgspec.json.decode(root[name], type=list[msgspec.Raw]))


def _columns(root: Raws) -> list[dict[str, object]]:
    """Return rows put together from columns: lists of equal length, or objects whose keys are 0, 1, ..."""
    if not all(bytes(memoryview(raw)[:1]) in {b"[", b"{"} for raw in root.values()):
        return []
    columns: dict[str, list[object]] = {}
    for name, raw in root.items():
        value = msgspec.json.decode(raw)
        if isinstance(value, dict) and list(value) == [str(number) for number in range(len(value))]:
            value = list(value.values())
        if not isinstance(value, list):
            return []
        columns[name] = value
    if len({len(column) for column in columns.values()}) != 1:
        return []
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _named(place: Place, root: Raws) -> Iterator[dict[str, object]]:
    """Yield the objects under names, if the root holds nothing else."""
    if all(_begins(bytes(memoryview(raw)[:_LOOK]), b"{", b'"') for raw in root.values()):
        for name, raw in root.items():
            row = msgspec.json.decode(raw, type=dict[str, object])
            check_keys(place, bytes(raw), row)
            yield row if any(key.lower() == "id" for key in row) else {"id": name, **row}


def is_usual(key: str) -> bool:
    """Whether a list of this name is taken for the questions, wherever it is among others.

    The first one is, so that the beginning of a large document tells which it is.
    """
    return key.strip().lower() in USUAL


def is_list_of_objects(start: bytes) -> bool:
    """Whether a value that begins so is a list of objects, or an empty one."""
    return _begins(start, b"[", b"{")


def _begins(text: bytes, opening: bytes, following: bytes) -> bool:
    """Whether a value is of a kind, and holds something of a kind, or nothing."""
    closing = {b"[": b"]", b"{": b"}"}[opening]
    return text.startswith(opening) and text[1:].lstrip()[:1] in (following, closing)


def _listed(keys: list[str]) -> str:
    return ", ".join(repr(key[:60]) for key in keys[:_SHOWN]) + (", ..." if len(keys) > _SHOWN else "")


def unwrapped(row: dict[str, object]) -> dict[str, object]:
    """Return the row inside an envelope: ``{"row_idx": 0, "row": {...}}`` of the hub, ``{"item": {...}}`` of OpenAI."""
    if len(row) <= 3:
        for key, beside in _ENVELOPES:
            inner = row.get(key)
            if isinstance(inner, dict) and row.keys() <= {key, *beside}:
                return inner
    return row
