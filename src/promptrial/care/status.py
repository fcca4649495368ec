"""How far a run is, from its files alone: one word, and what each phase has done. Reads only, and takes no lock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from promptrial import registry
from promptrial.errors import CorruptRecordError, UsageError
from promptrial.jobs.recording import awaited_by
from promptrial.model import arm_of
from promptrial.runtime.clock import Clock
from promptrial.store import jsonl, records
from promptrial.store.lock import Holder, holder
from promptrial.store.records import Manifest, PhaseStatus, RunState, TrialManifest
from promptrial.store.rundir import RunDir

__all__ = ["Progress", "RunStatus", "StatusWord", "built_by", "find_run", "read_status"]

StatusWord = Literal[
    "running", "waiting", "stopping", "stalled", "finished", "stopped", "failed", "crashed", "incomplete"
]
_IN_FLIGHT = ("submitting", "submitted", "running", "completed")


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of a phase is done: ``done`` of ``total`` ``unit`` (parts or trials)."""

    done: int
    total: int
    unit: str


@dataclass(frozen=True, slots=True)
class RunStatus:
    """A run at a glance.

    ``word`` is ``running``, ``waiting`` (for jobs at a provider, or for room for one), ``stopping``, ``stalled`` (the
    process is there and has not shown itself for a minute), ``finished``, ``stopped``, ``failed``, ``crashed`` (a phase
    was in progress, and the process that worked on it is gone) or ``incomplete``. ``rows`` and ``expected_rows`` count
    answers on disk and requests built; None before the build phase. ``waiting_for`` counts jobs in flight by
    provider. ``trials`` names those that requests were built for: one that the run has no more may have left a folder.
    ``awaited`` says of each job that waits for a person what it waits for.
    """

    word: StatusWord
    state: RunState
    holder: Holder | None
    rows: int | None
    expected_rows: int | None
    progress: Mapping[str, Progress] = field(default_factory=dict)
    waiting_for: Mapping[str, int] = field(default_factory=dict)
    trials: tuple[str, ...] = ()
    awaited: tuple[str, ...] = ()

    @property
    def working(self) -> bool:
        """Whether a process is at work on it."""
        return self.word in {"running", "waiting", "stopping", "stalled"}


def find_run(experiments: Path, run_id: str) -> RunDir:
    """Return a run that exists.

    Raises
    ------
    UsageError
        If there is no run of that name.
    """
    run = RunDir(experiments, run_id)
    if not run.root.is_dir():
        known = sorted(path.name.removeprefix("run_") for path in experiments.glob("run_*") if path.is_dir())
        raise UsageError(f"no run {run_id} in {experiments}", hint=f"known runs: {', '.join(known[-10:]) or 'none'}")
    return run


def read_status(run: RunDir, clock: Clock | None = None) -> RunStatus:
    """Read how far a run is.

    Raises
    ------
    UsageError
        If the run has no state yet.
    CorruptRecordError
        If its state is damaged.
    """
    try:
        state = records.load(run.state_path, RunState)
    except FileNotFoundError:
        raise UsageError(
            f"run {run.run_id}: {run.state_path} is not there",
            hint=f"rebuild it from what is on disk and resume: {run.rebuild_command}",
        ) from None
    by = holder(run.lock_path, clock)
    built = built_by(run)
    trials = () if built is None else tuple(dict.fromkeys(str(row["trial_slug"]) for row in built.facts["parts"]))
    manifests = _manifests(run, trials)
    all_manifests = list(manifests.values())
    waiting_for = _waiting_for(all_manifests)
    waits = bool(waiting_for) or _wait_for_room(all_manifests)
    word = _word(state, by, asked=run.sentinel_path.exists(), waits=waits)
    rows = None if built is None else _rows(run, built, manifests)
    expected = None if built is None else int(built.facts["requests"])
    return RunStatus(
        word, state, by, rows, expected, _progress(all_manifests, built), waiting_for, trials, awaited_by(all_manifests)
    )


def _word(state: RunState, by: Holder | None, *, asked: bool, waits: bool) -> StatusWord:
    if by is not None and by.works:
        if by.silent:
            return "stalled"
        return "stopping" if asked or state.stop_requested else "waiting" if waits else "running"
    statuses = {phase.status for phase in state.known_phases.values()}
    if statuses == {"completed"}:
        return "finished"
    ends: tuple[tuple[PhaseStatus, StatusWord], ...] = (("in_progress", "crashed"), ("failed", "failed"))
    ended = next((word for status, word in ends if status in statuses), None)
    return ended or ("stopped" if state.stop_requested else "incomplete")


def _manifests(run: RunDir, trials: tuple[str, ...]) -> dict[str, TrialManifest]:
    """Return the manifests of the trials by their slugs, but for damaged ones: a resume says so and fixes them.

    Where it is not known which trials there are, every folder that looks like one is taken for one.
    """
    folders = sorted(path.parent.parent.name for path in run.root.glob("*/results/trial_manifest.json"))
    found = {}
    for slug in trials or folders:
        try:
            manifest = run.trial(slug).load_manifest()
        except CorruptRecordError:
            continue
        if manifest is not None:
            found[slug] = manifest
    return found


def built_by(run: RunDir) -> Manifest | None:
    """Return what the build phase left; None before it has run, and for a damaged one: a resume builds it again."""
    try:
        built = records.load(run.batch_inputs / "manifest.json", Manifest)
    except (FileNotFoundError, CorruptRecordError):
        return None
    return built if {"parts", "requests"} <= built.facts.keys() else None


def _waiting_for(manifests: list[TrialManifest]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for manifest in manifests:
        for part in manifest.parts.values():
            arm = arm_of(part.resume_key)
            if manifest.is_hosted(arm) and part.job is not None and part.status in _IN_FLIGHT:
                counts[manifest.provider_of(arm)] += 1
    return {name: count for name, count in counts.items() if count}


def _wait_for_room(manifests: list[TrialManifest]) -> bool:
    """Whether a part was told that its provider has no room for its job: its record then says so."""
    parts = (part for manifest in manifests for part in manifest.parts.values())
    return any(part.status == "submitting" and part.reason is not None for part in parts)


def _progress(manifests: list[TrialManifest], built: Manifest | None) -> dict[str, Progress]:
    if built is None:
        return {}
    n_parts = len(built.facts["parts"])
    parts = [part for manifest in manifests for part in manifest.parts.values()]
    found = {}
    for phase in registry.PHASES:
        state, stage = registry.PART_STATES.get(phase), registry.STAGES.get(phase, phase)
        if state is not None and n_parts:
            found[phase] = Progress(sum(part.reached(state) for part in parts), n_parts, "parts")
        elif manifests and (phase in registry.STAGES or any(stage in m.stage_status for m in manifests)):
            done = sum(_completed(manifest, stage) for manifest in manifests)
            found[phase] = Progress(done, len(manifests), "trials")
    return found


def _completed(manifest: TrialManifest, stage: str) -> bool:
    record = manifest.stage_status.get(stage)
    return record is not None and record.status == "completed"


def _rows(run: RunDir, built: Manifest, manifests: Mapping[str, TrialManifest]) -> int:
    """Return how many answers are on disk, as the parts' records count them; a part without one is counted here."""
    known = {
        (slug, name): part.results.rows
        for slug, manifest in manifests.items()
        for name, part in manifest.parts.items()
        if part.results is not None
    }
    found = 0
    for row in built.facts["parts"]:
        trial = run.trial(row["trial_slug"])
        path = trial.part_results(row["part"])
        rows = known.get((trial.slug, row["part"])) if path.exists() else None
        found += jsonl.count(path if path.exists() else trial.part_rows(row["part"])) if rows is None else rows
    return found
