"""The whole examination: look once, let every check say what it finds, and put the most severe first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from promptrial.care.doctor.damage import damaged_artifacts, damaged_records, torn_files
from promptrial.care.doctor.disk import disk_use, free_bytes
from promptrial.care.doctor.document import DoctorDocument, Finding, Severity
from promptrial.care.doctor.empty_and_truncated import response_findings
from promptrial.care.doctor.leftovers import phase_findings, process_findings, set_aside_files
from promptrial.care.doctor.prospect import prospects
from promptrial.care.doctor.sight import Sight, look
from promptrial.care.doctor.spending import cap_findings, orphan_jobs, part_findings, pilot_findings
from promptrial.config.environment import environment
from promptrial.engine.session import Invocation
from promptrial.store.rundir import RunDir

__all__ = ["examine"]

_GRAVITY: Final[dict[Severity, int]] = {"error": 0, "warning": 1, "note": 2}


def examine(run: RunDir, invocation: Invocation) -> DoctorDocument:
    """Return what is wrong with a run. Changes nothing, takes no lock, and asks no provider.

    Every artifact is read once, to compare its digest: about a second a gigabyte.
    """
    sight = look(run, invocation, environment(invocation.env, Path.cwd()))
    findings = sorted(_of_legacy(sight) if sight.legacy else _findings(sight), key=lambda each: _GRAVITY[each.severity])
    disk = disk_use(sight)
    return DoctorDocument(
        schema_version=1,
        run_id=run.run_id,
        folder=str(run.root),
        status="legacy" if sight.legacy else sight.word,
        healthy=all(finding.severity == "note" for finding in findings),
        findings=tuple(findings),
        disk=disk,
        bytes=sum(use.bytes for use in disk),
        free_bytes=free_bytes(sight),
    )


def _findings(sight: Sight) -> list[Finding]:
    found = [
        *damaged_records(sight),
        *damaged_artifacts(sight),
        *cap_findings(sight),
        *pilot_findings(sight),
        *part_findings(sight),
        *orphan_jobs(sight),
        *response_findings(sight),
        *phase_findings(sight),
        *torn_files(sight),
        *process_findings(sight),
    ]
    return [*found, *prospects(sight, found), *set_aside_files(sight)]


def _of_legacy(sight: Sight) -> Iterator[Finding]:
    """Yield what can be said about a run in another form than ours."""
    meaning = "promptrial's predecessor made this run; it is migrated first, and nothing is asked again"
    if sight.repair.endswith("path/to/prepared"):
        meaning += ". Its questions are not in its folder: give the folder that holds them"
    yield Finding(kind="legacy", severity="warning", file=".", meaning=meaning, command=sight.repair)
    yield from process_findings(sight)
    yield from set_aside_files(sight)
