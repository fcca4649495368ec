"""What the answered requests of a run took, so that those still to be sent can be estimated. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final

from promptrial import registry
from promptrial.costs.characters import size_of
from promptrial.costs.tokens import Measured
from promptrial.design.prompts import messages_of
from promptrial.errors import CorruptRecordError
from promptrial.model import Arm, Completion, Item, ids
from promptrial.phases.planned_parts import PlannedPart
from promptrial.phases.spec import RunSpec
from promptrial.store import jsonl
from promptrial.store.records import RunState, load

__all__ = ["NO_USAGE", "Usage", "answer_files", "live_rate", "usage_of"]

_MOST_READ: Final = 1000
"""How many answers of an arm are read at most, evenly spaced."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What answered requests took: tokens of input and output, and how many of the former a cache read and wrote."""

    measured: Measured = Measured()  # noqa: RUF009 - it cannot change
    cached: int = 0
    cache_write: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.measured + other.measured, self.cached + other.cached, self.cache_write + other.cache_write)


NO_USAGE: Final = Usage()
_POLL: Final = "poll"


def usage_of(arm: Arm, parts: Iterable[PlannedPart]) -> Usage:
    """Return what the answers that are here took, of one arm; of at most 1,000 of them, evenly spaced.

    Rows that report no tokens, and errors, tell nothing.
    """
    held = list(parts)
    answered = sum(jsonl.count(path) for part in held for path in answer_files(part))
    step = -(-answered // _MOST_READ) or 1
    found = NO_USAGE
    for part in held:
        found += _usage_of_part(arm, part, step)
    return found


def answer_files(part: PlannedPart) -> Iterator[Path]:
    """Yield the files with answers to exactly the present requests of a part: sealed, else those of its attempts."""
    work = part.work
    folder, name = work.folder, work.part.name
    if work.downloaded:
        yield folder.part_results(name)
    elif work.hosted:
        for intent in work.intents:
            path = folder.part_results(name).parent / f"results.a{intent.attempt}.jsonl"
            if intent.results is not None and path.is_file():
                yield path
    elif work.record.request_sha256 == work.request_sha256:
        yield from (path for path in (folder.part_results(name), folder.part_rows(name)) if path.is_file())


def _usage_of_part(arm: Arm, part: PlannedPart, step: int) -> Usage:
    found, items = NO_USAGE, dict[str, Item]()
    kind = registry.load("provider", part.work.model.adapter)
    for path in answer_files(part):
        for line in islice(jsonl.lines(path), 0, None, step):
            try:
                answer: Completion = kind.parse_row(line)
            except (ValueError, RecursionError):
                continue
            items = items or {ids.wire_encode(rid): item for item, rid in part.request_ids()}
            item = items.get(answer.wire_id)
            if item is not None and answer.error is None:
                found += _usage_of_answer(arm, item, answer)
    return found


def _usage_of_answer(arm: Arm, item: Item, answer: Completion) -> Usage:
    if answer.prompt_tokens is None or answer.completion_tokens is None:
        return NO_USAGE
    sent = size_of(message.content for message in messages_of(item, arm))
    measured = Measured.of(sent, answer.prompt_tokens, answer.completion_tokens)
    return Usage(measured, answer.cached_tokens or 0, answer.cache_write_tokens or 0)


def live_rate(spec: RunSpec, parts: Iterable[PlannedPart]) -> float | None:
    """Return how many requests a second were answered when answers were asked for last; None if that is not recorded.

    Counted are the parts whose answers were sealed between the beginning and the end of *poll*.
    """
    times = _last_asking(spec)
    if times is None:
        return None
    began, ended = times
    rows = sum(part.work.part.rows for part in parts if _sealed_within(part, began, ended))
    return rows / (ended - began) if rows else None


def _last_asking(spec: RunSpec) -> tuple[float, float] | None:
    """Return when *poll* began and ended last, in seconds since 1970; None if it did not, or took no time."""
    try:
        poll = load(spec.run.state_path, RunState).phases[_POLL]
    except (FileNotFoundError, CorruptRecordError):
        return None
    if poll.status != "completed" or poll.started_at is None or poll.updated_at is None:
        return None
    began, ended = (datetime.fromisoformat(at).timestamp() for at in (poll.started_at, poll.updated_at))
    return (began, ended) if ended > began else None


def _sealed_within(part: PlannedPart, began: float, ended: float) -> bool:
    path = part.work.folder.part_results(part.work.part.name)
    return part.work.downloaded and began <= path.stat().st_mtime <= ended
