"""The progress of a run, read from its files: one word, and what each phase has done. Reads only, and takes no lock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from promptrial import registry
from promptrial.care.near_runs import no_such_run
from promptrial.errors import CorruptRecordError, CostCapReached, UsageError
from promptrial.model.arms import arm_of, is_judge
from promptrial.runtime.clock import Clock
from promptrial.store import jsonl, records
from promptrial.store.awaited import awaited_by
from promptrial.store.lock import Holder, holder
from promptrial.store.part_records import PartStatus, set_or_none
from promptrial.store.records import Manifest, PhaseStatus, RunState, TrialManifest
from promptrial.store.rundir import RUN_ID_PATTERN, RunDir, check_holds_run

__all__ = [
    "Progress",
    "RunStatus",
    "StatusWord",
    "built_by",
    "cap_reached",
    "find_folder",
    "find_run",
    "jobs_in_flight",
    "pilot_ended",
    "read_status",
]


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
    ``awaited`` says about each job that waits for a person what it waits for. ``parts`` counts the parts of each
    status; empty before the build phase. ``waves`` says in which wave each trial is, of a run that is asked in waves.
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
    parts: Mapping[PartStatus, int] = field(default_factory=dict)
    waves: tuple[str, ...] = ()

    @property
    def at_cap(self) -> bool:
        """Whether it has stopped because what is left may cost more than may be spent."""
        return self.word == "stopped" and cap_reached(self.state) is not None

    @property
    def working(self) -> bool:
        """Whether a process is at work on it."""
        return self.word in {"running", "waiting", "stopping", "stalled"}


def cap_reached(state: RunState) -> str | None:
    """Return what a run said that stopped at a cap, as its phase has it on record; None of any other run."""
    said = (phase.last_error for phase in state.known_phases.values() if phase.status == "stopped")
    return next((text for text in said if text is not None and text.startswith(CostCapReached.BEGINNING)), None)


def pilot_ended(state: RunState) -> int | None:
    """Return how many items of each data set an answered pilot has asked; None before that, and once it has passed."""
    pilot = set_or_none(state.pilot)
    if pilot is None or pilot.passed or state.phases[registry.LAST_OF_PILOT].status != "completed":
        return None
    return pilot.items


def find_run(experiments: Path, run_id: str) -> RunDir:
    """Return a run that exists, and holds anything of one.

    Raises
    ------
    UsageError
        If there is no run of that name, or its folder holds nothing of one.
    """
    run = find_folder(experiments, run_id)
    check_holds_run(run)
    return run


def find_folder(experiments: Path, run_id: str) -> RunDir:
    """Return a run whose folder exists, whatever is in it: for what removes, stops or resumes it.

    Raises
    ------
    UsageError
        If there is no run of that name.
    """
    if RUN_ID_PATTERN.fullmatch(run_id) and (run := RunDir(experiments, run_id)).root.is_dir():
        return run
    raise no_such_run(experiments, run_id)


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
        check_holds_run(run)
        raise UsageError(
            f"run {run.run_id}: {run.state_path} does not exist",
            hint=f"rebuild it from the other files and resume: {run.rebuild_command}",
        ) from None
    state.run_id = run.run_id  # the folder may have been copied or renamed since
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
        word,
        state,
        by,
        rows,
        expected,
        _progress(all_manifests, built),
        waiting_for,
        trials,
        awaited_by(all_manifests),
        _parts_by_status(manifests, built),
        _waves(run, trials),
    )


def _waves(run: RunDir, trials: tuple[str, ...]) -> tuple[str, ...]:
    """Return in which wave each trial is; nothing of a run that asks everything at once."""
    if not (run.prepared / "waves.json").exists():
        return ()
    from promptrial.care.look_progress import waves_said  # which a status of other runs does without

    return tuple(waves_said(run, trials))


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


def jobs_in_flight(run: RunDir) -> dict[str, int]:
    """Return how many jobs of a run are in flight, by provider; those of a dry run bill nobody and do not count.

    Raises
    ------
    CorruptRecordError
        If the manifest of a trial is damaged: it may have jobs.
    """
    try:
        if records.load(run.state_path, RunState).dry_run is True:
            return {}
    except (FileNotFoundError, CorruptRecordError):
        pass
    folders = sorted(path.parent.parent.name for path in run.root.glob("*/results/trial_manifest.json"))
    found = [run.trial(slug).load_manifest() for slug in folders]
    return _waiting_for([manifest for manifest in found if manifest is not None])


def _manifests(run: RunDir, trials: tuple[str, ...]) -> dict[str, TrialManifest]:
    """Return the manifests of the trials by their slugs, except for damaged ones: a resume says so and fixes them.

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


def _parts_by_status(manifests: Mapping[str, TrialManifest], built: Manifest | None) -> dict[PartStatus, int]:
    """Return how many parts of the run have each status; one that has no record yet is pending."""
    counts: Counter[PartStatus] = Counter()
    for row in () if built is None else built.facts["parts"]:
        manifest = manifests.get(row["trial_slug"])
        part = None if manifest is None else manifest.parts.get(row["part"])
        counts["pending" if part is None else part.status] += 1
    return dict(counts)


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
    parts = [
        part for manifest in manifests for part in manifest.parts.values() if not is_judge(arm_of(part.resume_key))
    ]
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
