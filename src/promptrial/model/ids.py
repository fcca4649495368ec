"""Request ids: the canonical text that people read and the id that goes over the wire. The only encoder and decoder.

Canonical: ``squad_v2|56ddde6b|short|0.7|0|open``. On the wire the same id reads ``squad__v2-56ddde6b-x7gya-07-0-o``:
every provider must accept it, so it keeps to the strictest rule of them all, ``[A-Za-z0-9_-]{1,64}``. An item id too
long for that is replaced by a hash of itself, which the decoder looks up among the items of the run.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, cast

from promptrial.model import ItemType, RequestId, temperature_label
from promptrial.model.arms import ARM_PATTERN, HASHED_CODE, PAIR, ArmName, arm_code, arms_by_code

__all__ = [
    "DATASET_PATTERN",
    "MAX_DATASET_LENGTH",
    "MAX_SAMPLES",
    "WIRE_ID_PATTERN",
    "canonical",
    "escaped_length",
    "item_key",
    "item_token",
    "lengths",
    "longest_dataset",
    "parse_canonical",
    "request_seed",
    "wire_decode",
    "wire_encode",
    "wire_encode_all",
]

WIRE_ID_PATTERN: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
DATASET_PATTERN: Final = re.compile(r"[a-z][a-z0-9_]{0,19}")
_MAX_LENGTH: Final = 64
# Of the 64, a hashed item takes 22, a one-letter arm 1, a temperature 4 (1.999), the sample 7, the type 1, and the
# hyphens 5.
MAX_DATASET_LENGTH: Final = 24
"""How long a dataset name may be on the wire, so that each request of an arm with a one-letter code has an id."""
MAX_SAMPLES: Final = 10_000_000
"""How many replicates an item may have at most, likewise."""
_PLAIN: Final = re.compile(r"[A-Za-z0-9]+")
_SPECIAL: Final = re.compile(r"[^A-Za-z0-9]")
_SHORT_ESCAPES: Final = {"_": "__", "-": "_d"}
_ESCAPED: Final = re.compile(rb"__|_d|_x[0-9a-f]{2}|[A-Za-z0-9]")
_TYPE_CODES: Final[dict[str, str]] = {"open": "o", "closed": "c"}
_TYPE_NAMES: Final = {code: name for name, code in _TYPE_CODES.items()}
_SEED_BITS: Final = 0x7FFFFFFF
# No escape begins with "_h", so a hashed item id cannot be mistaken for a spelled-out one.
_HASH_MARK: Final = "_h"


def canonical(rid: RequestId) -> str:
    """Return ``dataset|item_id|condition|temp|sample_index|type``."""
    return f"{rid.dataset}|{rid.item_id}|{rid.condition}|{rid.temp}|{rid.sample_index}|{rid.type}"


def parse_canonical(text: str) -> RequestId:
    """Read a canonical id back. The item id may itself hold ``|``.

    Raises
    ------
    ValueError
        If the text is not a canonical id.
    """
    dataset, found, rest = text.partition("|")
    fields = rest.rsplit("|", 4)
    if not found or len(fields) != 5:
        raise ValueError(f"not a request id: {text!r}; expected dataset|item_id|condition|temp|sample_index|type")
    item_id, condition, temp, sample_index, item_type = fields
    if not ARM_PATTERN.fullmatch(condition) or item_type not in _TYPE_CODES or not sample_index.isdecimal():
        raise ValueError(f"not a request id: {text!r}; expected dataset|item_id|condition|temp|sample_index|type")
    return RequestId(dataset, item_id, condition, temp, int(sample_index), cast("ItemType", item_type))


def item_key(dataset: str, item_id: str) -> str:
    """Return ``dataset|item_id``, the key of an item in score tables."""
    return f"{dataset}|{item_id}"


def wire_encode(rid: RequestId) -> str:
    """Return the id that goes over the wire, matching ``[A-Za-z0-9_-]{1,64}``.

    Raises
    ------
    ValueError
        If even with a hashed item id it does not fit; the configuration refuses what would come to that.
    """
    return _encoded(rid, arm_code(rid.condition))


def wire_encode_all(requests: Sequence[RequestId]) -> list[str]:
    """Return what ``wire_encode`` does of each request; quick where they differ in little but their items."""
    if not requests:
        return []
    datasets, items, *rest = zip(*requests, strict=True)
    keys = list(zip(datasets, *rest, strict=True))
    ends = {key: (f"{_escape_name(key[0])}-", f"-{_wire_tail(arm_code(key[1]), *key[2:])}") for key in set(keys)}
    both = zip(map(ends.__getitem__, keys), _escape_all(items), strict=True)
    wires = [f"{head}{item}{tail}" for (head, tail), item in both]
    if max(map(len, wires)) <= _MAX_LENGTH:
        return wires
    return [wire if len(wire) <= _MAX_LENGTH else wire_encode(rid) for wire, rid in zip(wires, requests, strict=True)]


def _encoded(rid: RequestId, code: str) -> str:
    dataset = _escape_name(rid.dataset)
    tail = _wire_tail(code, rid.temp, rid.sample_index, rid.type)
    wire = f"{dataset}-{_escape(rid.item_id)}-{tail}"
    if len(wire) > _MAX_LENGTH:
        wire = f"{dataset}-{item_token(rid.item_id)}-{tail}"
    if len(wire) > _MAX_LENGTH:
        raise ValueError(f"request id does not fit in {_MAX_LENGTH} characters: {canonical(rid)!r}")
    return wire


def escaped_length(dataset: str) -> int:
    """Return how many characters of a wire id a dataset name takes; an underscore takes two."""
    return len(_escape_name(dataset))


def longest_dataset(arms: Iterable[ArmName]) -> int:
    """Return how long a dataset name may be on the wire, so that each request of these arms has an id."""
    return MAX_DATASET_LENGTH + 1 - max(len(arm_code(arm)) for arm in arms)


def wire_decode(
    wire: str, item_tokens: Mapping[str, str] | None = None, arms: Iterable[ArmName] | None = None
) -> RequestId:
    """Return the request that a wire id stands for.

    Parameters
    ----------
    wire : str
    item_tokens : mapping, optional
        ``item_token(item_id) -> item_id`` for the items of the run; needed only for ids too long to spell out.
    arms : iterable of str, optional
        The arms of the trial. Without them, an arm that a hash stands for is named by its code.

    Raises
    ------
    ValueError
        If the text was not made by ``wire_encode``, or names a hashed item that is not in ``item_tokens`` or an arm
        that is not in ``arms``.
    """
    fields = wire.split("-")
    if len(fields) != 6:
        raise ValueError(f"not a wire id: {wire!r}")
    dataset, item, code, temp, sample_index, item_type = fields
    try:
        item_id = (item_tokens or {})[item] if item.startswith(_HASH_MARK) else _unescape(item)
        decoded = RequestId(
            _unescape(dataset),
            item_id,
            _arm(code, arms),
            repr(float(f"{temp[:1]}.{temp[1:] or '0'}")),
            int(sample_index),
            cast("ItemType", _TYPE_NAMES[item_type]),
        )
    except (KeyError, ValueError) as error:
        raise ValueError(f"not a wire id: {wire!r}") from error
    if _encoded(decoded, code) != wire:  # one to one: no second spelling of the same request is accepted
        raise ValueError(f"not a wire id: {wire!r}")
    return decoded


def _arm(code: str, arms: Iterable[ArmName] | None) -> ArmName:
    known = arms_by_code(PAIR if arms is None else arms)
    if arms is None and code not in known and HASHED_CODE.fullmatch(code):
        return code
    return known[code]


def item_token(item_id: str) -> str:
    """Return the stand-in for an item id that is too long to spell out: a mark and 100 bits of its SHA-256."""
    digest = hashlib.sha256(item_id.encode()).digest()
    return _HASH_MARK + base64.b32encode(digest).decode()[:20].lower()


def request_seed(rid: RequestId, base_seed: int) -> int:
    """Return the sampling seed of a request: 31 bits that depend on the run's seed and the canonical id alone."""
    digest = hashlib.sha256(f"{base_seed}|{canonical(rid)}".encode()).digest()
    return int.from_bytes(digest[:4], "big") & _SEED_BITS


def lengths(
    items: Iterable[tuple[str, str, ItemType]], arm: ArmName, temp: str, replicates: int, base_seed: int
) -> int:
    """Return how many characters the wire ids and the seeds of requests have, all together.

    Parameters
    ----------
    items : iterable of (str, str, {"open", "closed"})
        Data set, id and type of each item; it has ``replicates`` requests.
    arm, temp, replicates
        What the requests have in common; see ``RequestId``.
    base_seed : int
        The seed of the run.

    Notes
    -----
    That of ``wire_encode`` and ``request_seed`` for each request, without a value for each.
    """
    code, found = arm_code(arm), 0
    ends = {
        type_: [
            (sample_index, f"|{arm}|{temp}|{sample_index}|{type_}", _wire_tail(code, temp, sample_index, type_))
            for sample_index in range(replicates)
        ]
        for type_ in _TYPE_CODES
    }
    for dataset, item_id, type_ in items:
        begin, spelled = f"{base_seed}|{dataset}|{item_id}", f"{_escape_name(dataset)}-{_escape(item_id)}-"
        for sample_index, end, tail in ends[type_]:
            wire = len(spelled) + len(tail)
            if wire > _MAX_LENGTH:
                wire = len(_encoded(RequestId(dataset, item_id, arm, temp, sample_index, type_), code))
            digest = hashlib.sha256(f"{begin}{end}".encode()).digest()
            found += wire + len(str(int.from_bytes(digest[:4]) & _SEED_BITS))
    return found


@lru_cache(maxsize=1024)
def _wire_tail(code: str, temp: str, sample_index: int, item_type: str) -> str:
    temperature = temperature_label(float(temp))[1:]
    return f"{code}-{temperature}-{sample_index}-{_TYPE_CODES[item_type]}"


def _escape(text: str) -> str:
    if text.isascii():
        if text.isalnum():
            return text
        short = text.replace("_", "__").replace("-", "_d")
        if short.replace("_", "").isalnum():  # most ids have no other character to escape
            return short
    return _SPECIAL.sub(_escape_one, text)


def _escape_all(texts: Sequence[str]) -> list[str]:
    """Return what ``_escape`` does of each; most have no odd character, and are escaped as one."""
    joined = "\n".join(texts)
    if joined.isascii() and joined.count("\n") == len(texts) - 1:
        short = joined.replace("_", "__").replace("-", "_d")
        if short.replace("_", "").replace("\n", "").isalnum():
            return short.split("\n")
    return [_escape(text) for text in texts]


_escape_name = lru_cache(maxsize=64)(_escape)


def _escape_one(match: re.Match[str]) -> str:
    char = match.group()
    short = _SHORT_ESCAPES.get(char)
    return short if short is not None else "".join(f"_x{byte:02x}" for byte in char.encode())


def _unescape(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    raw = bytearray()
    for token in _tokens(text.encode("ascii")):
        if token == b"__":
            raw += b"_"
        elif token == b"_d":
            raw += b"-"
        elif token.startswith(b"_x"):
            raw += bytes.fromhex(token[2:].decode())
        else:
            raw += token
    return raw.decode()


def _tokens(text: bytes) -> Iterable[bytes]:
    position = 0
    while position < len(text):
        match = _ESCAPED.match(text, position)
        if match is None:
            raise ValueError(f"bad escape at {position}")
        yield match.group()
        position = match.end()
