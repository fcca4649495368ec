"""Pages of a list: ``filter``, ``orderBy``, ``pageSize``, ``pageToken``, ``readMask``. Works on what the API shows."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from promptrial_emulator.faults.pages import moved
from promptrial_emulator.faults.rules import Injected
from promptrial_emulator.fireworks.messages import refused
from promptrial_emulator.proto_json import camel, integer

__all__ = ["masked", "page"]

_DEFAULT_SIZE: Final = 50
_MAX_SIZE: Final = 200
_CLAUSE: Final = re.compile(r"""\s*([A-Za-z_]+)\s*(!=|<=|>=|=|<|>)\s*("[^"]*"|'[^']*'|[^\s"']+)\s*""")
_COMPARED: Final[dict[str, tuple[int, ...]]] = {
    "=": (0,), "!=": (-1, 1), "<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (0, 1),
}  # fmt: skip
_Shown = dict[str, Any]
_Key = list[Any]


class _Token(NamedTuple):
    """Where a page begins: after the resource with this key, in this list."""

    list: str
    after: _Key


def page(resources: Sequence[_Shown], query: Mapping[str, str], key: str, faults: Injected) -> dict[str, Any]:
    """Return one page of resources that are in the order of their creation.

    Raises
    ------
    ApiError
        400, code 3, if the query cannot be read.
    """
    query = {camel(name): value for name, value in query.items()}
    orders = _orders(query.get("orderBy", ""), resources)
    name = hashlib.sha256(repr((query.get("filter"), query.get("orderBy"))).encode()).hexdigest()[:12]
    found = _sorted(_filtered(resources, query.get("filter", "")), orders)
    if fault := faults.get("F16", "stale"):
        newest = {id(each) for each in resources[len(resources) - fault.options["by"] :]}
        found = [each for each in found if id(each) not in newest]
    size, start = _size(query.get("pageSize", "")), _start(found, orders, name, query.get("pageToken", ""))
    start = moved(start, faults)
    shown = found[start : start + size]
    token = ""
    if start + size < len(found):
        token = _written(_Token(name, _key(shown[-1], orders)))
        if faults.get("F16", "repeated_token"):
            token = query.get("pageToken") or _written(_Token(name, []))
    return {
        key: [masked(each, query.get("readMask", "")) for each in shown],
        "nextPageToken": token,
        "totalSize": len(found),
    }


def masked(resource: _Shown, mask: str) -> _Shown:
    """Return the fields that a ``readMask`` names; all of them if it is empty.

    Raises
    ------
    ApiError
        400, code 3, if there is no such field.
    """
    names = [camel(name.strip()) for name in mask.split(",") if name.strip()]
    if not names or "*" in names:
        return resource
    return {name: resource[_known(name, resource)] for name in names}


def _known(name: str, resource: _Shown) -> str:
    if name not in resource:
        raise refused(400, f"unknown field {name!r}")
    return name


def _filtered(resources: Sequence[_Shown], text: str) -> list[_Shown]:
    found = list(resources)
    for clause in re.split(r"\s+AND\s+", text) if text.strip() else ():
        match = _CLAUSE.fullmatch(clause)
        if match is None:
            raise refused(400, f"invalid filter: {clause!r}")
        name, operator, value = camel(match.group(1)), match.group(2), match.group(3).strip("\"'")
        found = [each for each in found if _compare(each[_known(name, each)], value) in _COMPARED[operator]]
    return found


def _compare(have: object, want: str) -> int:
    """Return -1, 0 or 1; numbers are compared as such, also those that are written as strings."""
    text = str(have).lower() if isinstance(have, bool) else str(have)
    if text.isdecimal() and want.isdecimal():
        return (int(text) > int(want)) - (int(text) < int(want))
    return (text > want) - (text < want)


def _orders(text: str, resources: Sequence[_Shown]) -> list[tuple[str, bool]]:
    """Return the fields to sort by and whether downwards; the order of creation decides what they leave open."""
    orders = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, direction = part.partition(" ")
        if direction.strip() not in ("", "asc", "desc"):
            raise refused(400, f"invalid orderBy: {part!r}")
        for resource in resources[:1]:
            _known(camel(name), resource)
        orders.append((camel(name), direction.strip() == "desc"))
    return orders or [("createTime", False)]


def _sorted(resources: list[_Shown], orders: list[tuple[str, bool]]) -> list[_Shown]:
    found = list(reversed(resources)) if orders[0][1] else resources
    for name, down in reversed(orders):
        found = sorted(found, key=partial(_text, name), reverse=down)
    return found


def _text(name: str, resource: _Shown) -> str:
    return str(resource[name])


def _key(resource: _Shown, orders: list[tuple[str, bool]]) -> _Key:
    return [*(str(resource[name]) for name, _ in orders), resource["name"]]


def _start(found: list[_Shown], orders: list[tuple[str, bool]], name: str, text: str) -> int:
    """Return the position that a token means: after the resource that ended the page before."""
    if not text:
        return 0
    try:
        token = msgspec.json.decode(base64.urlsafe_b64decode(text), type=_Token)
    except (ValueError, RecursionError) as error:
        raise refused(400, "invalid page token") from error
    if token.list != name:
        raise refused(400, "invalid page token: filter or orderBy is not that of the first page")
    keys = [_key(each, orders) for each in found]
    return keys.index(token.after) + 1 if token.after in keys else 0


def _size(text: str) -> int:
    try:
        size = integer(text or "0", "int32")
    except ValueError as error:
        raise refused(400, f"invalid pageSize: {text!r}") from error
    if size < 0:
        raise refused(400, "pageSize must not be negative")
    return min(size, _MAX_SIZE) or _DEFAULT_SIZE


def _written(token: _Token) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).decode()
