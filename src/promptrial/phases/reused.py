"""What the records of a run say about answers that were taken over from other runs, by arm. Reads only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING

from promptrial.model import Trial
from promptrial.model.arms import ArmName
from promptrial.phases.base import Manifests
from promptrial.phases.spec import RunSpec
from promptrial.phases.work import parts_on_record
from promptrial.store.part_records import PartRecord, ReusedAnswers, ReusedFrom

if TYPE_CHECKING:
    from promptrial.reporting.facts import ReuseFacts

__all__ = ["reused_by"]


def reused_by(spec: RunSpec, manifests: Manifests, trial: Trial) -> tuple[ReuseFacts, ...]:
    """Return what each arm of a trial has of each other run, in the order of its parts.

    A part that shares the answers of another trial has those that were taken over there.
    """
    shared = {record.request_sha256: record.reused for record in _records(manifests) if record.reused}
    if not shared:
        return ()
    from promptrial.reporting.facts import ReuseFacts

    rows: dict[tuple[ArmName, str], int] = {}
    ages: dict[tuple[ArmName, str], list[int | None]] = {}
    planned: dict[ArmName, int] = {}
    for part in parts_on_record(spec).get(trial.slug, []):
        planned[part.condition] = planned.get(part.condition, 0) + part.rows
        record = manifests[trial.slug].parts.get(part.name)
        if record is None:
            continue
        for reused in record.reused or shared.get(record.request_sha256, ()):
            for source in reused.sources:
                key = part.condition, source.run_id
                rows[key] = rows.get(key, 0) + source.rows
                ages.setdefault(key, []).append(_days(reused, source))
    return tuple(ReuseFacts(*key, found, planned[key[0]], _oldest(ages[key])) for key, found in rows.items())


def _records(manifests: Manifests) -> Iterator[PartRecord]:
    for manifest in manifests.values():
        yield from manifest.parts.values()


def _oldest(ages: list[int | None]) -> int | None:
    known = [age for age in ages if age is not None]
    return max(known) if len(known) == len(ages) else None


def _days(reused: ReusedAnswers, source: ReusedFrom) -> int | None:
    """Return how many whole days before they were taken over answers were asked for."""
    try:
        taken, asked = (dt.datetime.fromisoformat(text) for text in (reused.at, source.asked_at))
        return max(0, (taken - asked).days)
    except (ValueError, TypeError):  # the time of another run may be any text
        return None
