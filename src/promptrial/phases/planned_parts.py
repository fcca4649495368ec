"""The parts of a run with their items, before or after their requests are written. Reads only; asks nobody.

Parts that are not written are cut as *build* would cut them. Each is a ``PartWork``, so that what is on record of it,
and which other trials ask the same, is found by the functions that a run uses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from typing import Any, NamedTuple

from promptrial.design.prompts import requests_of
from promptrial.jobs.work import PartWork
from promptrial.model import Item, Part, RequestId, Trial
from promptrial.phases.build import parts_written
from promptrial.phases.cutting import Cutter
from promptrial.phases.sample import added_items
from promptrial.phases.services import Services
from promptrial.phases.sizing import Members, part_bytes, request_ids
from promptrial.phases.spec import RunSpec
from promptrial.phases.work import part_row, requests_name, work_on
from promptrial.providers.request_rows import decode_request_row, encode_request_row
from promptrial.store.manifests import load_manifest
from promptrial.store.part_records import FileRecord
from promptrial.store.records import Manifest, Receipt
from promptrial.store.rundir import digest_of

__all__ = ["PlannedPart", "built_parts", "parts_to_build"]

_Span = tuple[int, int, int]


class PlannedPart(NamedTuple):
    """A part of a trial, the items that it asks about, and the bytes of its requests."""

    work: PartWork
    trial: Trial
    members: Members
    size: int

    def request_ids(self) -> Iterator[tuple[Item, RequestId]]:
        """Yield the ids of its requests in order, each with its item."""
        return request_ids(self.members.items, self.trial, self.work.part)


def built_parts(spec: RunSpec, planned: Iterable[PartWork], items: Sequence[Item]) -> list[PlannedPart]:
    """Return the parts as *build* has written them, given the prepared items in order; none before it has run."""
    manifest = load_manifest(spec.run.batch_inputs / "manifest.json")
    if manifest is None:
        return []
    added, held = added_items(spec, items), dict[_Span, Members]()
    found = []
    for work in planned:
        part = work.part
        span = _span(part)
        members = held.get(span)
        if members is None:
            members = held[span] = Members([items[at] for at in added[part.step][part.start : part.stop]])
        file = manifest.receipt.artifacts.get(requests_name(part))
        trial = spec.trial(part.trial_slug)
        size = part_bytes(members, trial, part) if file is None else file.size
        found.append(PlannedPart(work, trial, members, size))
    return found


def parts_to_build(spec: RunSpec, services: Services, items: Sequence[Item]) -> list[PlannedPart]:
    """Return the parts that *build* would write, given the prepared items in order."""
    sheet = _Sheet(spec, exact=any(manifest.parts for manifest in services.manifests.values()))
    rows: list[dict[str, Any]] = []
    artifacts: dict[str, FileRecord] = {}
    cutter = Cutter(spec, sheet.lengths)
    for part, file in parts_written(
        spec, items, lambda positions: [items[at] for at in positions], cutter, sheet.write
    ):
        artifacts[spec.run.relative(spec.run.trial(part.trial_slug).requests(part.name))] = file
        rows.append(part_row(part))
    manifest = Manifest(receipt=Receipt(artifacts, {}), facts={"parts": rows})
    found = []
    for work in work_on(spec, services, manifest):
        members = sheet.members[_span(work.part)]
        file = artifacts[spec.run.relative(work.folder.requests(work.part.name))]
        trial = spec.trial(work.folder.slug)
        found.append(PlannedPart(_with_requests(work, trial, members), trial, members, file.size))
    return found


def _span(part: Part) -> _Span:
    return part.step, part.start, part.stop


def _with_requests(work: PartWork, trial: Trial, members: Members) -> PartWork:
    """Return a part whose requests are made when they are asked for, because no file holds them."""
    made = partial(requests_of, work.part, members.items, trial)
    return replace(work, requests=lambda: (decode_request_row(encode_request_row(request)) for request in made()))


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Takes the place of the files that *build* writes.

    With ``exact`` a part has the SHA-256 of its requests, by which earlier answers to them are found; otherwise one of
    all that they are made from, which is found sooner.
    """

    spec: RunSpec
    exact: bool
    members: dict[_Span, Members] = field(default_factory=dict)

    def write(self, trial: Trial, part: Part, items: Sequence[Item]) -> FileRecord:
        """Return the record of the file that would be written."""
        members = self.members.setdefault(_span(part), Members(items))
        if not self.exact:
            return FileRecord(_recipe(trial, part, items), part_bytes(members, trial, part), part.rows)
        digest, size = sha256(), 0
        for request in requests_of(part, items, trial):
            line = encode_request_row(request) + b"\n"
            digest.update(line)
            size += len(line)
        return FileRecord(digest.hexdigest(), size, part.rows)

    @staticmethod
    def lengths(trial: Trial, part: Part, items: Sequence[Item]) -> Iterator[int]:
        """Yield the bytes of each request."""
        return (len(encode_request_row(request)) + 1 for request in requests_of(part, items, trial))


def _recipe(trial: Trial, part: Part, items: Sequence[Item]) -> str:
    """Return a digest of what the requests of a part are made from: equal ones ask exactly the same."""
    arm = trial.arm(part.condition)
    kinds, types = {item.kind for item in items}, {item.type for item in items}
    return digest_of(
        {
            "items": [part.step, part.start, part.stop, trial.samples_per_item[repr(part.temp)]],
            "arm": [part.condition, arm.prompt.text, {kind: arm.templates.of(kind) for kind in sorted(kinds)}],
            "sampling": [repr(part.temp), trial.top_p, trial.top_k, list(trial.stop), trial.seed],
            "longest": {kind: trial.max_new_tokens[kind] for kind in sorted(types)},
        }
    )
