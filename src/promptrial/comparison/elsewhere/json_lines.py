"""Reading JSON Lines that other tools write: one object a line, texts of any length, NaN where Python wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from promptrial.comparison.elsewhere.json_text import without_nan
from promptrial.comparison.elsewhere.rows import SEE
from promptrial.datasets.encodings import HEAD, Content
from promptrial.datasets.json_errors import error_byte, json_error, too_deep
from promptrial.datasets.json_rows import LINE_ENDINGS
from promptrial.datasets.place import Place
from promptrial.errors import DataError

__all__ = ["Raws", "decoded", "first_object", "raw_lines"]

Raws = Mapping[str, msgspec.Raw]
"""An object whose values are not decoded yet."""
_MOST_LINE: Final = 256 << 20
_RAWS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_HINT: Final = f"write one JSON object a line; {SEE}"


def raw_lines(content: Content) -> Iterator[tuple[Place, Raws]]:
    """Yield the object of each line that is not blank. Holds one line at a time.

    Raises
    ------
    DataError
        For a line that is not one JSON object, or longer than 256 MiB.
    """
    with content.open(lines=True) as file:
        number = 0
        while line := file.readline(_MOST_LINE + 1):
            number += 1
            place = Place(content.path, number)
            if len(line) > _MOST_LINE:
                raise place.error(f"a line of more than {_MOST_LINE >> 20} MiB", hint=_HINT)
            if not line.isspace():
                yield place, _object(place, line)


def first_object(content: Content) -> Raws | None:
    """Return the object on the first line of a file; None if there is none, or the file is one long document."""
    head = content.head.lstrip()
    first, newline, _ = head.partition(b"\n")
    if not first.startswith(b"{"):
        return None
    try:
        if not newline and len(content.head) == HEAD and {*content.path.suffixes} & {*LINE_ENDINGS}:
            return next((raws for _, raws in raw_lines(content)), None)  # a line that is longer than the head
        return _object(Place(content.path, 1), first.strip())
    except DataError:
        return None


def decoded(place: Place, raw: msgspec.Raw) -> object:
    """Return a value that is in an object.

    Raises
    ------
    DataError
        If it is nested too deeply, is not UTF-8, or holds a number that cannot be read.
    """
    try:
        return msgspec.json.decode(raw)
    except RecursionError as error:
        raise too_deep(place) from error
    except UnicodeDecodeError as error:  # what is passed over is not looked at
        raise place.error(f"not UTF-8: {error.reason}", hint=_HINT) from error
    except msgspec.DecodeError as error:
        raise place.error(f"a value that cannot be read: {error}", hint=_HINT) from error


def _object(place: Place, text: bytes) -> Raws:
    try:
        return _decode(text)
    except RecursionError as error:
        raise too_deep(place) from error
    except msgspec.ValidationError as error:
        raise place.error("not a JSON object", hint=_HINT) from error
    except msgspec.DecodeError as error:
        raise json_error(place, error, text if (at := error_byte(error)) is None else text[at:]) from error
    except UnicodeDecodeError as error:
        raise place.error(f"not UTF-8: {error.reason}", hint=_HINT) from error


def _decode(text: bytes) -> Raws:
    try:
        return _RAWS.decode(text)
    except msgspec.DecodeError:
        nulled = without_nan(text)
        if nulled == text:
            raise
        return _RAWS.decode(nulled)
