"""The values of Arrow's columns as plain Python has them, whatever else is installed, without a loss.

Arrow makes pandas' kinds of nanoseconds where pandas is installed. Elsewhere it refuses some and cuts others. And it
makes a double of a number of single or half precision, whose shortest decimal is longer: 0.10000000149011612 for 0.1.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from promptrial.datasets.value_texts import elapsed_text

__all__ = ["Fix", "plain_columns", "with_fixes"]

Fix = Callable[[Any], Any]
"""What makes of a value that Arrow gives, and that is not null, the one that is meant."""
_EPOCH: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - of times without a time zone
_EPOCH_UTC: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EXACT: Final = 2**53
"""Up to here a whole number is written with all its digits."""
_EXACT_SINGLE: Final = 2**24
"""Up to here the shortest decimal of a whole number in single precision has all its digits."""


class _Way(NamedTuple):
    """As what type a column is viewed, and what is then made of a value."""

    type: pa.DataType
    fix: Fix


def plain_columns(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, dict[str, Fix]]:
    """Return a batch whose values any Arrow makes in one way, and by column what is then to be made of them."""
    columns, fixes = list(batch.columns), dict[str, Fix]()
    for at, column in enumerate(columns):
        name = batch.schema.field(at).name
        fixes.pop(name, None)  # of columns of one name, Arrow's rows have the last
        if (single := _singles(column)) is not None:
            columns[at], fixes[name] = single
        elif (way := _way(column.type)) is not None:
            columns[at], fixes[name] = column.view(way.type), way.fix
    return (pa.RecordBatch.from_arrays(columns, names=batch.schema.names) if fixes else batch), fixes


def with_fixes(rows: Sequence[dict[str, Any]], fixes: Mapping[str, Fix]) -> None:
    """Make of the values of rows what is to be made of them."""
    for name, fix in fixes.items():
        for row in rows:
            if row[name] is not None:
                row[name] = fix(row[name])


def _singles(column: pa.Array) -> tuple[pa.Array, Fix] | None:
    """Return a column of single precision, or of lists of it, by way of its decimals; it takes a tenth of the time."""
    kind = column.type
    if pa.types.is_float32(kind):
        return column.cast(pa.string()).cast(pa.float64()), _whole_single
    if _is_list(kind) and pa.types.is_float32(kind.value_type):
        texts, numbers = (_list_of(kind, kind.value_field.with_type(each)) for each in (pa.string(), pa.float64()))
        return column.cast(texts).cast(numbers), _each(_whole_single)
    return None


def _whole_single(value: float) -> float:
    """Return a number that was read from its shortest decimal; a whole one exactly as it is stored."""
    return float(np.float32(value)) if _EXACT_SINGLE < abs(value) <= _EXACT else value


def _shortest(kind: type[np.float32 | np.float16], value: float) -> float:
    """Return the double with the same shortest decimal as a number of less precision."""
    return value if value.is_integer() and abs(value) <= _EXACT else float(str(kind(value)))


def _way(kind: pa.DataType) -> _Way | None:
    """Return how a type is read; None if Arrow gives what is meant."""
    types = pa.types
    if types.is_float32(kind):
        return _Way(kind, partial(_shortest, np.float32))
    if types.is_float16(kind):
        return _Way(kind, partial(_shortest, np.float16))
    if types.is_timestamp(kind) and kind.unit == "ns":
        zone = None if kind.tz is None else pa.lib.string_to_tzinfo(kind.tz)
        return _Way(pa.int64(), partial(_moment, zone))
    if types.is_time64(kind) and kind.unit == "ns":
        return _Way(pa.int64(), _time)
    if types.is_duration(kind) and kind.unit == "ns":
        return _Way(pa.int64(), _elapsed)
    return _nested_way(kind)


def _nested_way(kind: pa.DataType) -> _Way | None:
    types = pa.types
    if types.is_struct(kind):
        return _struct_way(kind)
    if types.is_map(kind):
        return _map_way(kind)
    way = _way(kind.value_type) if _is_list(kind) or types.is_dictionary(kind) else None
    if way is None:
        return None
    if types.is_dictionary(kind):
        return _Way(pa.dictionary(kind.index_type, way.type, kind.ordered), way.fix)
    return _Way(_list_of(kind, kind.value_field.with_type(way.type)), _each(way.fix))


def _struct_way(kind: pa.DataType) -> _Way | None:
    fields = [kind.field(at) for at in range(kind.num_fields)]
    ways = {field.name: way for field in fields if (way := _way(field.type)) is not None}
    if not ways:
        return None
    plain = [field.with_type(ways[field.name].type) if field.name in ways else field for field in fields]
    return _Way(pa.struct(plain), _fields({name: way.fix for name, way in ways.items()}))


def _map_way(kind: pa.DataType) -> _Way | None:
    sides = (kind.key_field, kind.item_field)
    ways = tuple(_way(side.type) for side in sides)
    if ways == (None, None):
        return None
    plain = [side if way is None else side.with_type(way.type) for side, way in zip(sides, ways, strict=True)]
    return _Way(pa.map_(*plain, kind.keys_sorted), _pairs(*ways))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _list_of(kind: pa.DataType, field: pa.Field) -> pa.DataType:
    """Return a type of lists as ``kind`` is, of other values."""
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(field, kind.list_size)
    return pa.large_list(field) if pa.types.is_large_list(kind) else pa.list_(field)


def _each(fix: Fix) -> Fix:
    return lambda values: [None if value is None else fix(value) for value in values]


def _fields(fixes: Mapping[str, Fix]) -> Fix:
    def fixed(row: dict[str, Any]) -> dict[str, Any]:
        with_fixes([row], fixes)
        return row

    return fixed


def _pairs(key: _Way | None, item: _Way | None) -> Fix:
    def fixed(pairs: Sequence[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
        return [(_side(key, one), _side(item, other)) for one, other in pairs]

    return fixed


def _side(way: _Way | None, value: object) -> object:
    return value if way is None or value is None else way.fix(value)


def _moment(zone: dt.tzinfo | None, nanoseconds: int) -> dt.datetime | str:
    """Return a time; in full, as text, if it is not whole microseconds, which are all that Python's have."""
    passed = dt.timedelta(microseconds=nanoseconds // 1000)
    moment = _EPOCH + passed if zone is None else (_EPOCH_UTC + passed).astimezone(zone)
    return _in_full(moment, nanoseconds % 1000) if nanoseconds % 1000 else moment


def _time(nanoseconds: int) -> dt.time | str:
    time = (_EPOCH + dt.timedelta(microseconds=nanoseconds // 1000)).time()
    return _in_full(time, nanoseconds % 1000) if nanoseconds % 1000 else time


def _in_full(time: dt.datetime | dt.time, rest: int) -> str:
    text = time.isoformat(timespec="microseconds")
    end = text.index(".") + 7
    return f"{text[:end]}{rest:03}{text[end:]}"


def _elapsed(nanoseconds: int) -> dt.timedelta | str:
    return elapsed_text(nanoseconds) if nanoseconds % 1000 else dt.timedelta(microseconds=nanoseconds // 1000)
