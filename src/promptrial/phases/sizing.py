"""How large requests are, without writing them: the bytes that *build* writes, and the characters that are sent. Pure.

A request is the text that all requests of its arm have in common, the texts of its item, and its ids. What items that
are together add is found once and used for every arm that is asked about them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Final

import msgspec

from promptrial.costs.characters import Characters, RequestSize, characters_of
from promptrial.design.prompts import filled_in, request_for, slots_of
from promptrial.model import Arm, Item, Part, RequestId, Trial, ids
from promptrial.providers.request_rows import encode_request_row

__all__ = ["Members", "part_bytes", "request_ids", "request_size"]

_NEWLINE: Final = 1
_COMMA: Final = 1
_BRACKETS: Final = 2
_QUOTES: Final = 2
_IdsKey = tuple[str, str, int, int]


@dataclass(frozen=True, slots=True)
class _Alike:
    """Items whose messages have one template, and the sizes of their texts together.

    ``bytes`` and ``characters`` are by placeholder; ``turns`` counts the messages before the questions.
    """

    items: tuple[Item, ...]
    bytes: Mapping[str, int]
    characters: Mapping[str, Characters]
    turns: int
    turn_bytes: int
    turn_characters: Characters

    @classmethod
    def of(cls, items: Sequence[Item]) -> _Alike:
        """Join what items hold."""
        values = [filled_in(item) for item in items]
        texts = {name: "".join([each[name] for each in values]) for name in values[0]}
        turns = [turn.content for item in items for turn in item.messages]
        return cls(
            items=tuple(items),
            bytes={name: _escaped(text) for name, text in texts.items()},
            characters={name: characters_of(text) for name, text in texts.items()},
            turns=len(turns),
            turn_bytes=sum(map(_turn_bytes, items)),
            turn_characters=characters_of("".join(turns)),
        )


@dataclass(frozen=True, slots=True)
class Members:
    """Items that are together in the parts of all arms. Nothing of them is computed before it is asked for."""

    items: Sequence[Item]
    _alike: list[_Alike] = field(default_factory=list, repr=False)
    _ids: dict[_IdsKey, int] = field(default_factory=dict, repr=False)

    @property
    def alike(self) -> Sequence[_Alike]:
        """The items by their template."""
        if not self._alike:
            groups: dict[str, list[Item]] = {}
            for item in self.items:
                groups.setdefault(item.kind, []).append(item)
            self._alike.extend(map(_Alike.of, groups.values()))
        return self._alike

    def id_bytes(self, trial: Trial, part: Part) -> int:
        """Return how many digits and characters the ids and seeds of a part's requests have."""
        key = part.condition, repr(part.temp), trial.samples_per_item[repr(part.temp)], trial.seed
        if key not in self._ids:
            named = ((item.dataset, item.id, item.type) for item in self.items)
            self._ids[key] = ids.lengths(named, *key)
        return self._ids[key]


def part_bytes(members: Members, trial: Trial, part: Part) -> int:
    """Return how many bytes *build* writes for the requests of a part, newlines included."""
    replicates = trial.samples_per_item[repr(part.temp)]
    found = members.id_bytes(trial, part)
    for alike in members.alike:
        fixed = _common_bytes(alike.items[0], trial, part)
        counts = slots_of(trial.arm(part.condition).templates.of(alike.items[0].kind), alike.bytes).counts
        texts = alike.turn_bytes + sum(count * alike.bytes[name] for name, count in counts.items())
        found += replicates * (fixed * len(alike.items) + texts)
    return found


def request_size(members: Members, trial: Trial, part: Part, replicates: int | None = None) -> RequestSize:
    """Return what is sent for the requests of a part: how many, of how many messages, and their characters.

    Each item has as many requests as the trial has replicates, if nothing else is given.
    """
    arm, usual = trial.arm(part.condition), trial.samples_per_item[repr(part.temp)]
    sizes = (_size_of_alike(alike, arm) for alike in members.alike)
    return reduce(RequestSize.plus, sizes, RequestSize()).times(usual if replicates is None else replicates)


def _size_of_alike(alike: _Alike, arm: Arm) -> RequestSize:
    slots = slots_of(arm.templates.of(alike.items[0].kind), alike.bytes)
    counts = [characters_of(arm.prompt.text + slots.text).times(len(alike.items)), alike.turn_characters]
    counts += [alike.characters[name].times(count) for name, count in slots.counts.items()]
    messages = 2 * len(alike.items) + alike.turns
    return RequestSize(len(alike.items), messages, reduce(Characters.plus, counts))


def _common_bytes(example: Item, trial: Trial, part: Part) -> int:
    """Return the bytes that each request has besides its ids and what is filled in, as one of them shows."""
    request = request_for(example, trial, part.condition, part.temp, 0)
    own = _id_bytes(request.id, trial.seed) + _turn_bytes(example)
    values = filled_in(example)
    counts = slots_of(trial.arm(part.condition).templates.of(example.kind), values).counts
    own += sum(count * _escaped(values[name]) for name, count in counts.items())
    return len(encode_request_row(request)) + _NEWLINE - own


def request_ids(items: Iterable[Item], trial: Trial, part: Part) -> Iterator[tuple[Item, RequestId]]:
    """Yield the ids of the requests of a part in order, each with its item."""
    temp, replicates = repr(part.temp), range(trial.samples_per_item[repr(part.temp)])
    for item in items:
        for sample_index in replicates:
            yield item, RequestId(item.dataset, item.id, part.condition, temp, sample_index, item.type)


def _id_bytes(rid: RequestId, base_seed: int) -> int:
    return len(ids.wire_encode(rid)) + len(str(ids.request_seed(rid, base_seed)))


def _turn_bytes(item: Item) -> int:
    """Return the bytes of the turns before the question, the comma after them included."""
    return len(msgspec.json.encode(item.messages)) - _BRACKETS + _COMMA if item.messages else 0


def _escaped(text: str) -> int:
    """Return the bytes of a text within JSON; those of a joined text are those of its pieces."""
    return len(msgspec.json.encode(text)) - _QUOTES
