"""What jobs wait for that a person has to do, as manifests say it."""

from __future__ import annotations

from typing import get_args

from promptrial.store.awaited import awaited_by
from promptrial.store.part_records import PartRecord, PartStatus
from promptrial.store.records import TrialManifest


def manifest(**parts: PartRecord) -> TrialManifest:
    found = TrialManifest(run_id="r", trial={}, prompts={}, temps=[0.0], samples_per_item={"0.0": 1})
    found.parts = parts
    return found


def part(status: PartStatus, reason: str | None) -> PartRecord:
    return PartRecord(status=status, resume_key="t0", reason=reason)


def test_only_a_job_that_runs_and_has_a_reason_waits_for_a_person() -> None:
    statuses = get_args(PartStatus)
    assert awaited_by([manifest(**{status: part(status, f"{status}!") for status in statuses})]) == ("running!",)
    assert not awaited_by([manifest(**{status: part(status, None) for status in statuses})])


def test_what_is_waited_for_comes_in_the_order_of_trials_and_parts() -> None:
    first = manifest(b=part("running", "upload the file"), a=part("running", "press start"))
    assert awaited_by([first, manifest(c=part("running", "pay"))]) == ("upload the file", "press start", "pay")
