"""What another run may lend: its sealed parts, and what identifies who was asked for them.

Reads only, and takes no lock: the run may still be going on. What it has sealed never changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from promptrial.config.environment import place_flag
from promptrial.design.trials import asked_of
from promptrial.documents.printable import escaped
from promptrial.errors import CorruptRecordError, UsageError
from promptrial.model import ModelSpec
from promptrial.model.arms import arm_of
from promptrial.store import records
from promptrial.store.part_records import FileRecord, Intent, PartRecord, ReusedAnswers, listed
from promptrial.store.records import Manifest, RunState, TrialManifest
from promptrial.store.rundir import RunDir, TrialDir, digest_of, holds_run

__all__ = ["LentPart", "check_lender", "lent_parts"]

_TO_NONE: Final = "continue without its answers, with --reuse none"
_LONGEST: Final = 60
"""Characters that are shown of a value."""


@dataclass(frozen=True, slots=True, eq=False)
class LentPart:
    """A sealed part of another run.

    ``provider`` and ``adapter`` served it; ``asked`` is the digest of what was asked and of which model, as the run has
    it on record; ``engines`` are the fingerprints of who was asked. ``requests`` and ``results`` are the records of its
    files. ``asked_at`` is when its oldest answer was asked for, in UTC; empty if that is not known.
    """

    folder: TrialDir
    name: str
    provider: str
    adapter: str
    asked: str
    engines: tuple[Mapping[str, Any], ...]
    requests: FileRecord
    results: FileRecord
    asked_at: str

    @property
    def requests_path(self) -> Path:
        """Its requests."""
        return self.folder.requests(self.name)

    @property
    def results_path(self) -> Path:
        """Its answers, in any order."""
        return self.folder.part_results(self.name)

    def why_not(self, model: ModelSpec, engine: Mapping[str, Any] | None) -> str:
        """Return why none of its answers can be one of a model of ours, in a few words; empty if they can.

        Parameters
        ----------
        model : ModelSpec
        engine : mapping or None
            The fingerprint of who is asked by us; None if that is not known yet, and then not looked at.
        """
        if self.adapter != model.adapter:
            return f"it was answered by {self.adapter}, not by {model.adapter}"
        theirs = replace(model, provider=self.provider)  # what an instance is called says nothing
        if digest_of([self.requests.sha256, *asked_of(theirs)]) != self.asked:
            return "the model or its options are different"
        for recorded in self.engines if engine is not None else ():
            if changed := _changes(recorded, engine or {}):
                return f"the engine or account is different ({'; '.join(changed)})"
        return ""

    def require_whole(self) -> None:
        """Check both files against their records.

        Raises
        ------
        CorruptRecordError
            Naming the file that is not as it was sealed.
        """
        for path, file in ((self.requests_path, self.requests), (self.results_path, self.results)):
            if problem := self.folder.run.file_problem(self.folder.run.relative(path), file):
                raise CorruptRecordError(
                    f"{path}: {problem}: it does not match the records of run {self.folder.run.run_id}, so none of "
                    "its answers are reused",
                    hint=_look_at(self.folder.run),
                )


def _changes(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    keys = sorted(key for key in {*there, *here} if there.get(key) != here.get(key))
    return [f"{_shown(key)}: {_shown(there.get(key))} there, {_shown(here.get(key))} here" for key in keys]


def _shown(value: object) -> str:
    """Return a value of a record on one line, and cut if it is long: it may come from elsewhere."""
    text = escaped(" ".join(str(value).split()))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def check_lender(lender: RunDir, borrower: RunDir, *, dry_run: bool) -> None:
    """Refuse a run that can lend nothing to another one. ``dry_run`` says whether an emulator answers the other.

    Raises
    ------
    UsageError
        If it is the same run, does not exist, was migrated, has no requests, or only one of both is a dry run.
    CorruptRecordError, NewerVersionError
        If its records cannot be read.
    """
    name = f"--reuse: run {lender.run_id}"
    without = _without(lender, borrower)
    if lender.root.resolve() == borrower.root.resolve():
        raise UsageError(f"{name} is this run itself: a run always keeps its own answers", hint=without)
    state = _state_of(lender, without)
    if state.migrated is True:
        raise UsageError(
            f"{name} was made by promptrial's predecessor, which kept no requests to compare with", hint=without
        )
    if (state.dry_run is True or lender.emulator.exists()) and not dry_run:
        raise UsageError(f"{name} is a dry run: its answers are an emulator's", hint=without)
    if dry_run and state.dry_run is not True:
        raise UsageError(f"{name} is not a dry run, but this one is: their answers must not be mixed", hint=without)
    _built(lender, without)


def _without(lender: RunDir, borrower: RunDir) -> str:
    """Return how a run goes on without another one: it may remember it, and then no flag is there to remove."""
    try:
        remembered = lender.run_id in listed(records.load(borrower.state_path, RunState).reuse)
    except (FileNotFoundError, CorruptRecordError):  # the trials may remember it
        remembered = holds_run(borrower)
    return f"resume without its answers: {borrower.resume_command} --reuse none" if remembered else "remove --reuse"


def lent_parts(lender: RunDir) -> tuple[LentPart, ...]:
    """Return the parts of a run that are sealed, in order.

    Raises
    ------
    UsageError, CorruptRecordError
        If its records do not exist or cannot be read.
    """
    state, built = _state_of(lender, _TO_NONE), _built(lender, _TO_NONE)
    found: list[LentPart] = []
    for slug, names in _names(built).items():
        folder = lender.trial(slug)
        manifest = folder.load_manifest()
        if manifest is not None:
            found += _sealed(folder, manifest, names, built.receipt.artifacts, state)
    return tuple(found)


def _sealed(
    folder: TrialDir, manifest: TrialManifest, names: list[str], files: Mapping[str, FileRecord], state: RunState
) -> Iterator[LentPart]:
    for name in names:
        record = manifest.parts.get(name)
        requests = files.get(folder.run.relative(folder.requests(name)))
        if record is None or requests is None or record.status != "downloaded" or record.results is None:
            continue
        arm = arm_of(record.resume_key)
        engines = [intent.engine for intent in _own(record) if intent.results is not None and intent.engine]
        yield LentPart(
            folder=folder,
            name=name,
            provider=manifest.provider_of(arm),
            adapter=manifest.adapter_of(arm),
            asked=record.request_sha256 or "",
            engines=tuple(engines) or (manifest.engine_of(arm),),
            requests=requests,
            results=record.results,
            asked_at=_asked_at(record, manifest, state),
        )


def _own(record: PartRecord) -> list[Intent]:
    return [intent for intent in record.intents if intent.request_sha256 == record.request_sha256]


def _asked_at(record: PartRecord, manifest: TrialManifest, state: RunState) -> str:
    """Return when the oldest answer of a part was asked for; an earlier version did not record it part by part."""
    times = []
    for intent in _own(record):
        if isinstance(intent.began, str):
            times.append(intent.began)
        if isinstance(intent.reused, ReusedAnswers):
            times += [source.asked_at for source in intent.reused.sources if source.asked_at]
    return min(times, default=state.phases["submit"].started_at or manifest.timestamps.get("created_at", ""))


def _names(built: Manifest) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in built.facts["parts"]:
        found.setdefault(row["trial_slug"], []).append(row["part"])
    return found


def _built(lender: RunDir, without: str) -> Manifest:
    try:
        return records.load(lender.batch_inputs / "manifest.json", Manifest)
    except FileNotFoundError:
        raise UsageError(
            f"--reuse: run {lender.run_id} has sent nothing yet: it has no requests", hint=without
        ) from None


def _state_of(lender: RunDir, without: str) -> RunState:
    try:
        return records.load(lender.state_path, RunState)
    except FileNotFoundError:
        if not holds_run(lender):
            raise UsageError(
                f"--reuse: run {lender.run_id} is no longer in {lender.root.parent}",
                hint=f"put its folder back, or {without}",
            ) from None
        raise UsageError(
            f"--reuse: {lender.state_path} does not exist",
            hint=f"rebuild it first: {lender.rebuild_command}; or {without}",
        ) from None


def _look_at(lender: RunDir) -> str:
    doctor = f"promptrial doctor {lender.run_id}{place_flag(lender.root.parent)}"
    return f"see how to fix that run: {doctor}; or {_TO_NONE}"
