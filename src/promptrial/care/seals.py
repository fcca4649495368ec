"""Seal the analysis plan of a run before anything is asked, and compare the run with it afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from promptrial.config.environment import environment
from promptrial.documents.analysis_plan import DIGEST_FILE, PLAN_FILE, digest_line, encode
from promptrial.engine.manifests import load_manifests
from promptrial.engine.opening import Opened, RunRequest, open_run
from promptrial.engine.origin import holds_answers
from promptrial.engine.sealing import record_seal
from promptrial.engine.session import Invocation, providers_of, services_of, spec_of
from promptrial.errors import CorruptRecordError, PhaseBlockedError, PromptrialError, ResumeError, UsageError
from promptrial.phases import build, prepare
from promptrial.phases.sealed_plan import analysis_plan, deviations
from promptrial.phases.spec import RunSpec
from promptrial.phases.work import parts_on_record
from promptrial.store import atomic, records
from promptrial.store.change_records import Seal
from promptrial.store.lock import RunLock
from promptrial.store.records import Origin, RunState, TrialManifest
from promptrial.store.rundir import RunDir

__all__ = ["RECORDS", "Sealing", "check_records", "check_seal", "seal_run"]

RECORDS: Final = ("run_state.json", "effective_config.yaml", "prices.json", PLAN_FILE, "prepared/manifest.json")
"""What a comparison with the sealed plan reads."""
_BEGIN: Final = "promptrial run --run_id NAME --to_step prepare"


@dataclass(frozen=True, slots=True)
class Sealing:
    """A sealed plan: its SHA-256, and in what the run deviates from it, one line each."""

    sha256: str
    deviations: tuple[str, ...] = ()


def seal_run(run: RunDir, invocation: Invocation) -> Sealing:
    """Write the analysis plan of a run and its digest, and record them.

    A run that is sealed already, and still as sealed, stays so.

    Raises
    ------
    UsageError
        If anything was asked already, or the run was sealed and deviates from that.
    PhaseBlockedError
        If its questions are not prepared.
    ConfigDriftError
        If its configuration has changed; what the run uses has to be settled first.
    """
    clock = invocation.clock
    with RunLock(run.lock_path, since=clock.now(), clock=clock, stop_command=run.command("stop")):
        run.check_links()
        env = environment(invocation.env, Path.cwd())
        request = RunRequest(run.root.parent, run.run_id, plan_only=True, reads_questions=False)
        opened = open_run(request, env)
        spec = spec_of(request, opened)
        if spec.history.sealed is not None:
            return _sealed_already(spec)
        _require_unasked(opened, spec)
        _require_settled(opened)
        data = encode(analysis_plan(spec))
        atomic.write_bytes(run.root / PLAN_FILE, data)
        atomic.write_bytes(run.root / DIGEST_FILE, digest_line(data))
        sealing = Sealing(hashlib.sha256(data).hexdigest())
        _record(opened, spec, env, invocation, sealing)
        return sealing


def _require_unasked(opened: Opened, spec: RunSpec) -> None:
    """Refuse to seal what was asked. A pilot may have been: its items are drawn, and nobody has seen an effect."""
    if opened.is_pilot:
        raise PhaseBlockedError(
            f"run {spec.run.run_id} is in its pilot, but a plan lists all items",
            hint=f"draw the other items, which sends nothing, and then seal the run: {spec.run.resume_command} --yes "
            f"--to_step {build.PHASE.name}",
        )
    if _has_asked(spec):
        raise UsageError(
            f"run {spec.run.run_id} has already sent requests; a plan can only be sealed before that",
            hint=_seal_another(spec.run),
        )
    if not (spec.run.prepared / "manifest.json").exists():
        raise PhaseBlockedError(
            f"run {spec.run.run_id}: its questions are not prepared, and the plan lists them",
            hint=f"prepare them, which sends nothing: {spec.run.resume_command} --to_step {prepare.PHASE.name}",
        )


def _has_asked(spec: RunSpec) -> bool:
    """Whether more was asked than what may be before a plan is sealed."""
    return holds_answers(spec.run) and not _has_asked_its_pilot_alone(spec)


def _seal_another(run: RunDir) -> str:
    return (
        f"start another run, and seal it before it sends requests: {_BEGIN}{run.place}, then "
        f"promptrial seal NAME{run.place}"
    )


def _require_settled(opened: Opened) -> None:
    """Refuse to seal a plan of a configuration that the run does not use yet."""
    run, state = opened.run, opened.state
    if state is None:
        raise ResumeError(f"run {run.run_id}: its state file is missing", hint=f"rebuild it: {run.rebuild_command}")
    if state.config_hash != opened.configured.digest:
        raise UsageError(
            f"run {run.run_id}: {opened.configured.config_file} has changed since the questions were prepared",
            hint=f"prepare them again, which sends nothing: {run.resume_command} "
            f"--to_step {prepare.PHASE.name}; then seal",
        )


def _has_asked_its_pilot_alone(spec: RunSpec) -> bool:
    """Whether nothing was sent but what a pilot asks: no part of the last growth, and before it were no statistics."""
    if spec.history.pilot is None or any(growth.statistics for growth in spec.growth):
        return False
    steps = {(slug, part.name): part.step for slug, parts in parts_on_record(spec).items() for part in parts}
    sent = [
        (path.parent.parent.name, name)
        for path in spec.run.root.glob("*/results/trial_manifest.json")
        for name in records.load(path, TrialManifest).parts
    ]
    return bool(spec.growth) and all(steps.get(part, len(spec.growth)) < len(spec.growth) for part in sent)


def _sealed_already(spec: RunSpec) -> Sealing:
    found = _compared(spec)
    if found.deviations:
        lines = "\n  ".join(found.deviations)
        raise UsageError(
            f"run {spec.run.run_id} is already sealed, and deviates from its plan:\n  {lines}",
            hint="undo the changes, or start another run and seal that one",
        )
    return found


def _record(opened: Opened, spec: RunSpec, env: Mapping[str, str], invocation: Invocation, sealing: Sealing) -> None:
    """Let the state, and every trial, say that the plan was sealed.

    Side effects: the state is saved, then the manifests.
    """
    state = opened.state
    assert state is not None  # noqa: S101 - a request to resume is refused without one
    record_seal(state, sealing.sha256, invocation.clock.now())
    records.save(spec.run.state_path, state)
    services = services_of(opened, env, invocation, providers_of(opened, env))
    load_manifests(spec, services)
    for slug, manifest in services.manifests.items():
        manifest.origin = Origin.of(state)
        records.save(spec.run.trial(slug).manifest_path, manifest)


def check_seal(run: RunDir, env: Mapping[str, str]) -> Sealing:
    """Return in what a run deviates from its sealed plan, as its own records have it; changes nothing.

    Raises
    ------
    UsageError
        If it was not sealed.
    """
    request = RunRequest(run.root.parent, run.run_id, config=run.config_path, plan_only=True, reads_questions=False)
    return _compared(spec_of(request, open_run(request, env)))


def check_records(records_folder: Path, run_id: str, env: Mapping[str, str]) -> Sealing | None:
    """Return the same of a run of which only ``RECORDS`` are there; None if it was not sealed, or has no whole state.

    Side effects: the folder gets the name that a run has.
    """
    try:
        run = RunDir(records_folder.parent, run_id)
        records_folder.rename(run.root)
        state = records.load(run.state_path, RunState)
    except (CorruptRecordError, FileNotFoundError):  # what is not as it was archived is said by itself
        return None
    if not isinstance(state.seal, Seal):
        return None
    try:
        return check_seal(run, env)
    except PromptrialError as error:
        return Sealing(state.seal.sha256, (f"it cannot be compared with its plan: {_within(run, error.message)}",))


def _within(run: RunDir, text: str) -> str:
    """Return a text that names files by their paths in the run: its folder is a temporary one."""
    return text.replace(f"{run.root}/", "")


def _compared(spec: RunSpec) -> Sealing:
    sealed = spec.history.sealed
    if sealed is None:
        if _has_asked(spec):
            raise UsageError(
                f"run {spec.run.run_id} is not sealed, and has already sent requests", hint=_seal_another(spec.run)
            )
        raise UsageError(
            f"run {spec.run.run_id} is not sealed",
            hint=f"seal a run before any request is sent: promptrial seal {spec.run.run_id}{spec.run.place}",
        )
    return Sealing(sealed.sha256, deviations(spec))
