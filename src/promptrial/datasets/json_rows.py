"""Reading rows that are JSON objects: one a line, a list of them, or what an object holds.

A key that occurs twice in an object is an error: of two answers, JSON readers silently take the last.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO, Final, Literal

import msgspec

from promptrial.datasets.encodings import Content
from promptrial.datasets.json_document import JsonDocument
from promptrial.datasets.json_errors import check_keys, error_byte, json_error, too_deep, type_error
from promptrial.datasets.json_objects import holding, is_list_of_objects, unwrapped
from promptrial.datasets.place import Place
from promptrial.datasets.separated import Row, not_utf8
from promptrial.errors import DataError

__all__ = ["LINE_ENDINGS", "JsonLayout", "first_names", "json_layout", "line_rows", "list_rows"]

JsonLayout = Literal["lines", "list", "object"]
LINE_ENDINGS: Final = (".jsonl", ".ndjson", ".jsonlines")


def json_layout(content: Content, names: Collection[str]) -> JsonLayout:
    """Return how the rows are in a text that begins with ``{`` or ``[``.

    One object a line if the first line is a whole object and others follow, or the file's name says so (``.jsonl``), or
    the object has a value that is not a list under one of ``names``; else a document.
    """
    text = content.head.lstrip()
    if text.startswith(b"["):
        return "list"
    first, _, rest = text.partition(b"\n")
    said = any(suffix.lower() in LINE_ENDINGS for suffix in content.path.suffixes)
    try:
        keys = msgspec.json.decode(first, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return "lines" if said and first.strip() != b"{" else "object"
    is_row = any(key.strip().lower() in names and bytes(raw)[:1] not in {b"[", b"{"} for key, raw in keys.items())
    return "lines" if said or rest.strip() or is_row else "object"


def line_rows(path: Path, file: BinaryIO) -> Iterator[Row]:
    """Yield each line that is not blank, which must be an object.

    Raises
    ------
    DataError
        For a line that is not UTF-8 or not one JSON object, and for a key that occurs twice.
    """
    decode = msgspec.json.Decoder(dict[str, object]).decode
    for number, line in enumerate(file, start=1):
        text = line.strip()
        if text:
            place = Place(path, number)
            try:
                row = decode(text)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise _wrong_line(place, line, text, error) from error
            check_keys(place, text, row)
            yield place, unwrapped(row)


def _wrong_line(place: Place, line: bytes, text: bytes, error: Exception) -> DataError:
    try:
        line.decode()
    except UnicodeDecodeError as undecodable:
        return not_utf8(place, undecodable)
    if isinstance(error, msgspec.ValidationError):
        return type_error(place, error)
    if isinstance(error, msgspec.DecodeError):
        return json_error(place, error, text if (at := error_byte(error)) is None else text[at:])
    return too_deep(place)


def first_names(content: Content, layout: JsonLayout) -> frozenset[str] | None:
    """Return the keys of the first object of a list, whose values are not read; None where rows are put together.

    Raises
    ------
    DataError
        As ``list_rows``, except for a key that occurs twice.
    """
    with content.seekable() as file:
        document = JsonDocument(content.path, file)
        if layout == "list":
            raws = document.root(list[msgspec.Raw])
        else:
            raws = holding(Place(content.path, 1), document.root(dict[str, msgspec.Raw])).listed
        if not raws or not is_list_of_objects(b"[" + bytes(memoryview(raws[0])[:1])):
            return None
        return frozenset(msgspec.json.decode(raws[0], type=dict[str, msgspec.Raw]))


def list_rows(content: Content, layout: JsonLayout) -> Iterator[Row]:
    """Yield the objects of a list: the document itself, or what it holds (``json_objects``).

    Raises
    ------
    DataError
        As ``line_rows``; and for an object that holds no rows, or several lists of them.
    """
    with content.seekable() as file:
        document = JsonDocument(content.path, file)
        if layout == "list":
            name, raws = "", document.root(list[msgspec.Raw])
        else:
            root = document.root(dict[str, msgspec.Raw])
            document.check_root_keys(root)
            held = holding(Place(content.path, 1), root)
            name, raws = held.name, held.listed
            yield from ((Place(content.path, 1, f"row {index}"), row) for index, row in enumerate(held.made, 1))
        decode = msgspec.json.Decoder(dict[str, object]).decode
        for place, text in document.texts(raws, name):
            try:
                row = decode(text)
            except msgspec.ValidationError as error:
                raise type_error(place, error) from error
            except RecursionError as error:
                raise too_deep(place) from error
            check_keys(place, text, row)
            yield place, unwrapped(row)
