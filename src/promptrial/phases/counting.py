"""How many requests of each part are answered, in flight, asked for another trial, or still to be sent. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from promptrial.costs.characters import RequestSize
from promptrial.design.prompts import request_for
from promptrial.jobs.sharing import is_copy
from promptrial.jobs.work import PartWork
from promptrial.model import Item, ids
from promptrial.phases.measuring import answer_files
from promptrial.phases.planned_parts import PlannedPart
from promptrial.phases.quoted import Requests
from promptrial.phases.sizing import Members, request_size
from promptrial.providers.request_rows import encode_request_row
from promptrial.store import jsonl

__all__ = ["Counted", "counted"]


@dataclass(frozen=True, slots=True)
class Counted:
    """A part and its requests by kind.

    ``unsent`` has the item of each new request, and is None if all are new; ``taken`` has that of each request whose
    answer will be taken over from another run.
    """

    part: PlannedPart
    requests: Requests
    unsent: Sequence[Item] | None = None
    taken: Sequence[Item] = ()

    @property
    def sent(self) -> RequestSize:
        """What is sent for its new requests."""
        if self.unsent is None:
            return request_size(self.part.members, self.part.trial, self.part.work.part)
        return self._size_of(self.unsent)

    @property
    def taken_size(self) -> RequestSize:
        """What would be sent for the requests whose answers will be taken over."""
        return self._size_of(self.taken)

    @property
    def size(self) -> int:
        """How many bytes its new requests have; of a half answered part as if each were the first replicate."""
        if self.unsent is None:
            return self.part.size
        trial, part = self.part.trial, self.part.work.part
        requests = (request_for(item, trial, part.condition, part.temp, 0) for item in self.unsent)
        return sum(len(encode_request_row(request)) + 1 for request in requests)

    @property
    def output_limit(self) -> int:
        """The most tokens that its new requests may be answered with; thinking has a budget beside the limit."""
        trial, part = self.part.trial, self.part.work.part
        if self.unsent is None:
            return trial.samples_per_item[repr(part.temp)] * self._limit_of(self.part.members.items)
        return self._limit_of(self.unsent)

    @property
    def taken_limit(self) -> int:
        """The most tokens that the requests would be answered with whose answers will be taken over."""
        return self._limit_of(self.taken)

    @property
    def asked_before(self) -> bool:
        """Whether other requests were sent for this part before, so that it is asked again."""
        record = self.part.work.record
        was_sent = record.job is not None or bool(record.intents)
        return was_sent and record.request_sha256 not in {None, self.part.work.request_sha256}

    def _size_of(self, items: Sequence[Item]) -> RequestSize:
        return request_size(Members(items), self.part.trial, self.part.work.part, replicates=1)

    def _limit_of(self, items: Sequence[Item]) -> int:
        thinking = self.part.work.model.options.thinking_budget or 0
        return sum(self.part.trial.max_new_tokens[item.type] + thinking for item in items)


def counted(
    parts: Sequence[PlannedPart], reusable: Callable[[PlannedPart], frozenset[str]], active: Collection[str]
) -> Iterator[Counted]:
    """Yield each part of some trials with its requests by kind.

    Parameters
    ----------
    parts : sequence of PlannedPart
        Of all trials.
    reusable : callable
        Returns the wire ids of those requests of a part that another run has answered.
    active : collection of str
        The slugs of the trials that are worked on. Nothing new is asked for others.
    """
    asking = {
        id(work) for work in _asking(part.work for part in parts if part.trial.slug in active or part.work.has_job)
    }
    for part in parts:
        if part.trial.slug not in active:
            continue
        if id(part.work) not in asking:
            yield Counted(part, Requests(shared=part.work.part.rows))
        else:
            yield _counted(part, reusable)


def _asking(parts: Iterable[PartWork]) -> Iterator[PartWork]:
    """Yield of parts that ask the same the one whose requests are sent: that has a job of its own, else the first."""
    groups: dict[str, list[PartWork]] = {}
    for work in parts:
        if work.duplicates:
            groups.setdefault(work.request_sha256, []).append(work)
        else:
            yield work
    for group in groups.values():
        yield next((work for work in group if work.has_job and not is_copy(work)), group[0])


def _answered(part: PlannedPart) -> frozenset[str]:
    """Return the ids of the rows that are answered on disk."""
    files = [*answer_files(part)]
    if not files:
        return frozenset()
    from promptrial.jobs.answers import row_ids

    return frozenset(wire_id for path in files for wire_id in row_ids(jsonl.lines(path)))


def _counted(part: PlannedPart, reusable: Callable[[PlannedPart], frozenset[str]]) -> Counted:
    work, rows = part.work, part.work.part.rows
    if work.downloaded:
        reused = min(rows, work.rows_reused)
        return Counted(part, Requests(answered=rows - reused, reused=reused))
    answered = _answered(part)
    left, taken = rows - len(answered), min(len(answered), work.rows_reused)
    found = Requests(answered=len(answered) - taken, reused=taken)
    if work.hosted and (work.has_job or work.in_doubt):
        return Counted(part, found._replace(in_flight=left))
    ahead = reusable(part) - answered
    found = found._replace(new=left - len(ahead), reused=taken + len(ahead))
    if not (answered or ahead):
        return Counted(part, found)
    items = [(item, ids.wire_encode(rid)) for item, rid in part.request_ids()]
    unsent = [item for item, wire_id in items if wire_id not in answered | ahead]
    return Counted(part, found, unsent, [item for item, wire_id in items if wire_id in ahead])
