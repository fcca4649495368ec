"""Values of a table as text, by one rule for every kind of file.

=========================  ==========================================================================================
text                       as it is
whole number, also 8.0     its digits: ``8``
any other number           the shortest decimal that reads back as the same number: ``0.1``
true, false                ``true``, ``false``
null, not a number         no value
date, time, elapsed time   as ISO 8601 writes it: ``2024-05-01``, ``P1DT12H``
list, object               no text: an error where a text belongs, JSON where another column is kept
=========================  ==========================================================================================
"""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from promptrial.datasets.place import Place

__all__ = [
    "BrokenCell",
    "elapsed_text",
    "has_values",
    "is_list_cell",
    "is_missing",
    "list_of_cell",
    "read_text",
    "read_truth",
    "text_of",
]

_MOST_EXACT: Final = 2**53
_SEE: Final = "see docs/question_files.md#values"
_TRUTH: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}
_ALLOWED: Final = "true, 1, yes, false, 0, no, or nothing"


@dataclass(frozen=True, slots=True)
class BrokenCell:
    """A cell of Excel that holds no value: an error, or a formula whose result is not stored.

    Attributes
    ----------
    what : str
        For messages.
    shown : str
        The error, or the formula, as text.
    """

    what: str
    shown: str


def is_missing(value: object) -> bool:
    """Whether a value stands for none: null, not a number, or an empty text."""
    return value is None or value == "" or value != value  # noqa: PLR0124 - not a number is unequal to itself


def has_values(values: Iterable[object]) -> bool:
    """Whether a row of a table holds anything besides empty cells and spaces; one that does not is passed over."""
    return any(text_of(value).strip() for value in values)


def is_list_cell(cell: str) -> bool:
    """Whether a cell that may hold a JSON list begins as one."""
    return cell.lstrip().startswith("[")


def list_of_cell(cell: str) -> list[str]:
    """Return the texts of a JSON list that is in one cell; numbers and truth values become text.

    Raises
    ------
    ValueError
        If it is no such list; the text says why.
    """
    try:
        return [text_of(one) for one in msgspec.json.decode(cell, type=list[str | int | float | bool])]
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ValueError(f"begin with [ but are not a JSON list of texts: {error}") from error


def text_of(value: object) -> str:
    """Return any value as text; a list or an object as JSON, and no value as an empty text.

    Examples
    --------
    >>> [text_of(value) for value in (8, 8.0, 0.1, 1e300, True, None, [1, "a"])]
    ['8', '8', '0.1', '1e+300', 'true', '', '[1,"a"]']
    """
    if isinstance(value, str):
        return value
    if is_missing(value):
        return ""
    if isinstance(value, BrokenCell):
        return value.shown
    written = _WRITERS.get(type(value))
    return _json(value) if written is None else written(value)


def _float(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) <= _MOST_EXACT else repr(value)


def _json(value: object) -> str:
    return msgspec.json.encode(value, enc_hook=str, order="deterministic").decode()


def elapsed_text(nanoseconds: int) -> str:
    """Return a time that passed as ISO 8601 writes it, in days, hours, minutes and seconds."""
    seconds, fraction = divmod(abs(nanoseconds), 10**9)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    decimals = f".{fraction:09}".rstrip("0") if fraction else ""
    parts = [f"{hours}H" if hours else "", f"{minutes}M" if minutes else ""]
    parts += [f"{seconds}{decimals}S" if seconds or decimals or not nanoseconds else ""]
    time = "".join(parts)
    return f"{'-' * (nanoseconds < 0)}P{f'{days}D' if days else ''}{time and 'T' + time}"


def _elapsed(value: dt.timedelta) -> str:
    return elapsed_text(value // dt.timedelta(microseconds=1) * 1000)


_KINDS: Final = {"list": "a list", "dict": "an object", "bytes": "bytes"}
_WRITERS: Final[Mapping[type, Callable[..., str]]] = {
    bool: lambda value: "true" if value else "false",
    int: str,
    float: _float,
    decimal.Decimal: lambda value: str(int(value)) if value == value.to_integral_value() else str(value.normalize()),
    dt.datetime: dt.datetime.isoformat,
    dt.date: dt.date.isoformat,
    dt.time: dt.time.isoformat,
    dt.timedelta: _elapsed,
}


def read_text(place: Place, column: str, value: object) -> str | None:
    """Return the text of a value where a text belongs; None for no value.

    Raises
    ------
    DataError
        For a list, an object and bytes, and a cell that holds no value that could be read.
    """
    if isinstance(value, str):
        return value or None
    if is_missing(value):
        return None
    written = _WRITERS.get(type(value))
    if isinstance(value, BrokenCell):
        raise place.error(
            f"column {column!r} holds {value.what}",
            hint="correct it, or open the workbook in Excel and save it again; see docs/question_files.md#excel",
        )
    if written is None:
        kind = _KINDS.get(type(value).__name__, f"a {type(value).__name__}")
        raise place.error(f"column {column!r} holds {kind}, not a text: {_shown(value)}", hint=_SEE)
    return written(value)


def read_truth(place: Place, column: str, value: object) -> bool:
    """Return a truth value; none is false.

    Raises
    ------
    DataError
        For anything else than true, 1, yes, false, 0, no or nothing, in any case.
    """
    text = text_of(value).strip().lower()
    if text not in _TRUTH:
        raise place.error(f"{column} is {text[:60]!r}; allowed: {_ALLOWED}", hint=_SEE)
    return _TRUTH[text]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "..."
