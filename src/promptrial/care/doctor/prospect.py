"""What a resume would meet: what the plan says is left, drift of configuration and questions, room on the disk.

The plan is that of the run's own copy of its configuration, so that a file that was changed since says nothing of what
is on disk; what such a change means for a resume is said by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from promptrial import registry
from promptrial.care.doctor.document import Finding, Kind, Severity
from promptrial.care.doctor.sight import Sight
from promptrial.care.opened import read_run
from promptrial.design.plan import Action, InputKind, select_phases
from promptrial.engine.loop import Engine
from promptrial.engine.opening import RunRequest, open_run
from promptrial.engine.origin import recorded_file
from promptrial.engine.space import check_space
from promptrial.engine.starting import look_at_questions
from promptrial.errors import DiskSpaceError, PromptrialError
from promptrial.model.units import RUN
from promptrial.phases import build, corrections
from promptrial.phases.base import Phase
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.store import records
from promptrial.store.records import Origin

__all__ = ["prospects"]


_CAUSES: Final[Mapping[InputKind, str]] = {
    "program": "by another version of this program, or of a library",
    "scorers": "with other scorers, or with other settings or versions of them",
    "values": "by another version of this program, or with other values of the configuration",
}
"""What a phase may have been made with that a resume would not use, except for what other phases made."""


def prospects(sight: Sight, earlier: Sequence[Finding]) -> Iterator[Finding]:
    """Yield what a resume would meet; ``earlier`` are the findings that may explain what is left to do."""
    if sight.built is None and sight.completed(build.PHASE.name):
        return  # without its requests nothing can be planned; that they are lost has been said
    try:
        opened, spec, services = read_run(sight.run, sight.env, sight.invocation)
        state = opened.state or records.new_state(sight.run.run_id, opened.configured.digest)
        actions = Engine(spec, services, state).plan(select_phases(None, None, None))
    except (PromptrialError, OSError) as error:
        if not any(finding.kind == "record" for finding in earlier):
            yield _unreadable(sight, error)
        return
    if not sight.working and not any(finding.severity != "note" for finding in earlier):
        yield from _left(sight, actions)
    yield from _drift(sight, opened.origin, finished=all(action.done for action in actions))
    yield from _questions(sight, spec, services)
    if not sight.working:
        yield from _space(sight, spec, services, actions)


def _unreadable(sight: Sight, error: PromptrialError | OSError) -> Finding:
    said = sight.said(error) if isinstance(error, PromptrialError) else f"{error.filename}: {error.strerror}"
    return _finding(sight, "drift", "error", sight.run.config_path, f"it can no longer be loaded: {said}", sight.repair)


def _left(sight: Sight, actions: Sequence[Action]) -> Iterator[Finding]:
    """Yield the first phase that the state calls completed and the plan does not, where nothing else explains that."""
    for action in actions:
        if not action.done and sight.completed(action.phase):
            if action.differs and "upstream" not in action.differs:
                causes = " and ".join(_CAUSES[kind] for kind in sorted(action.differs))
                meaning = f"{action.phase} was made {causes}"
                yield _finding(sight, "drift", "warning", sight.run.state_path, meaning, sight.repair)
            else:
                meaning = f"{action.phase} counts as completed, but the plan says: {action}"
                yield _finding(sight, "not_done", "warning", sight.run.state_path, meaning, sight.repair)
            return


def _drift(sight: Sight, origin: Origin | None, *, finished: bool) -> Iterator[Finding]:
    """Yield what has changed in the file that the run was started with, and in the prompts that it names.

    A finished run keeps what it was made from. Another one is finished by its own copy, or continues with the change.
    """
    run = sight.run
    recorded = recorded_file(run, sight.state, origin)
    if recorded is None:
        return
    severity: Severity = "note" if finished else "warning"
    if not recorded.exists():
        meaning = f"{recorded}, which the run was started with, does not exist; a resume uses the run's own copy"
        yield _finding(sight, "drift", "note", run.config_path, meaning, None)
        return
    try:
        lines = open_run(
            RunRequest(run.root.parent, run.run_id, plan_only=True, rebuild=True, reads_questions=False), sight.env
        ).changes.drift
    except PromptrialError as error:
        lines = (f"it can no longer be loaded: {sight.said(error)}",)
    if lines:
        what = f"{recorded}, or a file that it names, has changed since the run was started: {'; '.join(lines)}"
        how = (
            "the run keeps its own copy"
            if finished
            else "the command finishes the run with its own configuration; --resume --force accepts the change "
            "instead, records it, and asks the affected requests again"
        )
        yield _finding(sight, "drift", severity, run.config_path, f"{what}; {how}", None if finished else sight.repair)


def _questions(sight: Sight, spec: RunSpec, services: Services) -> Iterator[Finding]:
    """Yield what a resume would make of each question file that has changed: correct the run, or leave it as it is."""
    found, prepared = look_at_questions(spec, services, begins=True), sight.run.prepared / "manifest.json"
    for name, source in found.sources.items():
        meaning = (
            f"datasets.{name}: the file has changed since this run was prepared ({corrections.counted(source)}); a "
            "resume takes it over, asks nothing and scores again"
        )
        yield _finding(sight, "drift", "note", prepared, meaning, None if sight.working else sight.repair)
    for sentence in found.warnings:
        yield _finding(sight, "drift", "note", prepared, sentence, None)


def _space(sight: Sight, spec: RunSpec, services: Services, actions: Sequence[Action]) -> Iterator[Finding]:
    """Yield the first phase left to do for which the disk has too little room."""
    for action in actions:
        phase: Phase = registry.load("phase", action.phase)
        units = action.units if phase.run_trial is not None else (RUN,)
        for unit in units if action.verb == "execute" else ():
            try:
                check_space(spec, services, phase, unit)
            except DiskSpaceError as error:
                meaning = f"{error.message}; free some space, then resume"
                yield _finding(sight, "disk_space", "error", sight.run.root, meaning, sight.repair)
                return


def _finding(sight: Sight, kind: Kind, severity: Severity, path: Path, meaning: str, command: str | None) -> Finding:
    return Finding(kind=kind, severity=severity, file=sight.run.relative(path), meaning=meaning, command=command)
