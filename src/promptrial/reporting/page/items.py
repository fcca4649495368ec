"""The items of a trial as the script of the page reads them: one JSON value, passages once, deflated. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec

from promptrial.documents.printable import escaped
from promptrial.model import Item
from promptrial.model.arms import ArmName
from promptrial.reporting.page.packing import Pack

__all__ = ["LARGEST_PAGE", "WORDS", "Packed", "PageAnswer", "PageItem", "PageScores", "packed_items"]

LARGEST_PAGE: Final = 14_000_000
"""Bytes of packed items: with the rest, a page stays under 15 MB."""
_MARKS: Final = {"fixed": "+", "broken": "\u2212", "both_right": "\u25cf", "both_wrong": "\u25cb"}
WORDS: Final = {
    "fixed": "fixed",
    "broken": "broken",
    "both_right": "both right",
    "both_wrong": "both wrong",
    "missing": "missing",
    "not_applicable": "not scored",
    "abstained": "abstained",
    "truncated": "truncated",
    "": "all",
}
_LEVELS: Final = range(3)
_ALL, _NO_REASONING, _NO_REASONS = _LEVELS
"""What is left out: nothing, then reasoning, then the reasons of judges too."""
_WITHOUT: Final = 5
"""Fields of an answer without reasoning and judgements."""
PageAnswer = tuple[
    str | None, str | None, str | None, int | None, int | None, str | None, Sequence[tuple[str, str, str]]
]
"""Text, error, finish reason, prompt and completion tokens, reasoning, judgements: scorer, verdict, reason of each."""


class Packed(NamedTuple):
    """Items as base64 of deflated JSON, how many are in it, and which texts had to be left out of all of them.

    These are the reasoning of models, and the reasons that judges gave.
    """

    text: str
    n_items: int
    without_reasoning: bool = False
    without_reasons: bool = False


@dataclass(frozen=True, slots=True)
class PageItem:
    """An item: its number from 1, temperature, what became of it in each contrast, scores by arm, answers by arm.

    The number is the one that ``promptrial show`` gives it, also where the page holds only some of the items.
    """

    number: int
    item: Item
    temp: float
    outcomes: tuple[int, ...]
    scores: Mapping[str, Sequence[float | None]]
    answers: Sequence[Sequence[PageAnswer]]


@dataclass(frozen=True, slots=True)
class PageScores:
    """What the items of a page have in common.

    ``contrasts`` are pairs of places in ``arms``, control first. ``labels`` are those of the scorers. ``judge`` is the
    scorer that tells what changed, and ``lower_is_better`` says about its scores. ``abstention`` is the scorer that
    tells what was declined. ``files`` are the names of the
    prompts' files, by arm, where they are known.
    """

    arms: tuple[ArmName, ...]
    contrasts: tuple[tuple[int, int], ...]
    labels: Mapping[str, str]
    judge: str | None
    abstention: str | None
    outcomes: tuple[str, ...]
    temps: tuple[float, ...]
    files: Mapping[ArmName, str]
    lower_is_better: bool = False


def packed_items(common: PageScores, items: Iterable[PageItem], *, largest: int = LARGEST_PAGE) -> Packed:
    """Return the items, packed into no more than so many bytes.

    Reasoning is left out of all where with it they would be larger; then the reasons of judges; then items, from the
    end. They are packed as they come, and none is read after the last that has room: memory is bounded by a few times
    ``largest``.
    """
    packs = {_ALL: Pack(_head(common), b"]}", largest)}  # in step until an item has what one of them leaves out
    passages: dict[bytes, int] = {}
    for each in items:
        for level in _levels_of(each) if len(packs) < len(_LEVELS) else ():
            if level not in packs:
                packs[level] = packs[max(known for known in packs if known < level)].copy()
        row = _row(each, passages)
        for level, pack in packs.items():
            if not pack.is_full:
                pack.add(_encoded(row | {"a": _answers(each, level)}))
        if packs[max(packs)].is_full:
            break
    for level in sorted(packs):
        text = packs[level].text()
        if not packs[level].is_full:
            break
    left_out = {known for known in packs if known <= level}
    return Packed(text, packs[level].n, _NO_REASONING in left_out, _NO_REASONS in left_out)


def _head(common: PageScores) -> bytes:
    """Return the value up to its items; where it has the name of a scorer or an arm, the items have the same."""
    value = {
        "arms": common.arms,
        "contrasts": common.contrasts,
        "scorers": common.labels,
        "judge": common.judge,
        "lower": common.lower_is_better,
        "abstention": common.abstention,
        "outcomes": common.outcomes,
        "marks": _MARKS,
        "words": WORDS,
        "temps": common.temps,
        "files": common.files,
        "nogold": "none given",
        "noanswer": "the question has no answer",
    }
    return _encoded(value).removesuffix(b"}") + b',"items":['


def _encoded(value: Mapping[str, Any]) -> bytes:
    """Return JSON in which no text turns text around or moves a cursor."""
    plain = _plain(value)
    if plain is not None:
        return plain
    return msgspec.json.encode(_safe(value))


def _plain(value: Mapping[str, Any]) -> bytes | None:
    """Return JSON as it is, if that shows that no text has to be escaped."""
    try:
        plain = msgspec.json.encode(value)
    except UnicodeEncodeError:  # a lone surrogate
        return None
    if plain.isascii() and b"\\" not in plain and b"\x7f" not in plain:  # most items; quicker than the search
        return plain
    return None if _perhaps_unsafe().search(plain.decode()) else plain


@cache
def _perhaps_unsafe() -> re.Pattern[str]:
    r"""Return what finds, in JSON, every character that ``escaped`` changes, and a few others.

    JSON writes the first 32 characters with a backslash. Of these a newline and a tab stay as they are.
    """
    return re.compile(r'\\[^"nt]|[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]')


def _safe(value: object) -> object:
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, Mapping):
        return {escaped(key): _safe(each) for key, each in value.items()}
    return [_safe(each) for each in value] if isinstance(value, (list, tuple)) else value


def _row(each: PageItem, passages: dict[bytes, int]) -> dict[str, Any]:
    """Return an item without its answers; it has its passage if no item before it has that."""
    item = each.item
    row: dict[str, Any] = {
        "n": each.number, "i": item.id, "d": item.dataset, "q": item.question, "p": -1,
        "g": item.answers, "t": each.temp, "o": each.outcomes, "s": each.scores,
    }  # fmt: skip
    if item.context is not None:
        known, digest = len(passages), sha256(item.context.encode(errors="surrogatepass")).digest()
        row["p"] = passages.setdefault(digest, known)
        if row["p"] == known:
            row["w"] = item.context
    if item.is_unanswerable:
        row["u"] = 1
    if item.choices:
        row["c"] = [str(choice) for choice in item.choices]
    if item.messages:
        row["m"] = [(turn.role, turn.content) for turn in item.messages]
    return row


def _answers(each: PageItem, level: int) -> list[list[tuple[object, ...]]]:
    """Return the answers of each arm; of reasoning and judgements what there is and is not left out."""
    return [[_answer(answer, level) for answer in answers] for answers in each.answers]


def _answer(answer: PageAnswer, level: int) -> tuple[object, ...]:
    reasoning, judgements = answer[-2:]
    if judgements and level < _NO_REASONS:
        return answer if level < _NO_REASONING else (*answer[:_WITHOUT], None, judgements)
    return answer[:-1] if reasoning is not None and level < _NO_REASONING else answer[:_WITHOUT]


def _levels_of(each: PageItem) -> Iterator[int]:
    """Yield what could be left out of an item, in order."""
    has_reasoning = has_judgements = False
    for found in each.answers:
        for answer in found:
            has_reasoning |= answer[-2] is not None
            has_judgements |= bool(answer[-1])
    if has_reasoning:
        yield _NO_REASONING
    if has_judgements:
        yield _NO_REASONS
