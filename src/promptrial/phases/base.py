"""What a phase is: a name, what it reads, and a function from a context to the artifacts it made.

A phase reads named artifacts and writes named artifacts; it never decides whether it is done and never records that it
is. ``engine`` does both, through one receipt a phase and trial.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from promptrial.config.schema import ExperimentConfig
from promptrial.design.plan import PhaseSpec
from promptrial.errors import CorruptRecordError
from promptrial.model import Trial
from promptrial.providers.base import BatchProvider
from promptrial.runtime.clock import Clock
from promptrial.runtime.events import EventLog
from promptrial.runtime.progress import NoProgress, Progress
from promptrial.runtime.stop import StopToken
from promptrial.store.records import FileRecord, Manifest, TrialManifest, load
from promptrial.store.rundir import RunDir

__all__ = ["AskedBy", "Context", "Phase", "Produced", "load_manifest"]

AskedBy = Literal["this", "earlier", "unknown"]
"""By which configuration the answers on disk were asked for: by the one that builds requests now, by the one that built
those on disk, or perhaps by another."""


@dataclass(frozen=True, slots=True)
class Produced:
    """The artifacts that a phase made: path -> record; ``facts`` go into the manifest of a run-level phase."""

    artifacts: dict[Path, FileRecord]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Context:
    """What a phase may use. ``provider`` returns the adapter of a provider name, made once per process."""

    config: ExperimentConfig
    config_folder: Path
    config_hash: str
    trials: tuple[Trial, ...]
    run: RunDir
    clock: Clock
    stop: StopToken
    events: EventLog
    provider: Callable[[str], BatchProvider]
    env: Mapping[str, str]
    progress: Progress = field(default_factory=NoProgress)
    dry_run: bool = False
    rebuy: bool = False
    asked_by: AskedBy = "this"
    written: Mapping[tuple[str | int, ...], str] = field(default_factory=dict)
    """Key path -> text of the configuration's values that hold ``${VAR}``."""
    manifests: dict[str, TrialManifest] = field(default_factory=dict)
    active: tuple[Trial, ...] = ()
    """The trials that this process was asked to work on."""
    checkpoint: Callable[[str, str], None] = lambda _slug, _resume_key: None
    """Called with a trial and a resume key when a part of it has come a step further."""
    save_manifest: Callable[[str], None] = lambda _slug: None
    """Called with a trial whose manifest has to be durable before the phase goes on."""

    def trial(self, slug: str) -> Trial:
        """Return the trial with this slug."""
        return next(trial for trial in self.trials if trial.slug == slug)

    def as_written(self, value: str, *at: str | int) -> str:
        """Return a value of the configuration as it stands in the file, so that it may be written down."""
        return self.written.get(at, value)

    def stop_as_written(self, trial: Trial) -> tuple[str, ...]:
        """Return the stop texts of a trial as they stand in the file."""
        return tuple(self.as_written(text, "stop", index) for index, text in enumerate(trial.stop))

    def manifest(self, slug: str) -> TrialManifest:
        """Return the manifest of a trial; the engine has loaded or made it."""
        return self.manifests[slug]


@dataclass(frozen=True, slots=True)
class Phase:
    """One of the nine phases.

    Parameters
    ----------
    name : str
    reads : tuple of str
        The phases whose artifacts it reads.
    settings : callable
        Returns the plan values that it depends on (plain values); their digest goes into the receipt.
    run_trial : callable, optional
        Does the work of one trial and returns what was made.
    run_whole : callable, optional
        Does the work of the whole run, after that of every trial.
    stage : str
        The stage of the trial manifest where the receipt of a trial stands; empty if there is none.
    manifest : str
        The file where the receipt of the whole run stands, relative to the run root; empty if there is none.
    content_addressed : bool
        See ``plan.PhaseSpec``. The records of the parts are its receipt.
    space : callable
        Returns about how many bytes it will write, given the size of the artifacts that it reads.
    """

    name: str
    reads: tuple[str, ...]
    settings: Callable[[Context, Trial | None], object] = lambda _context, _trial: None
    run_trial: Callable[[Context, Trial], Produced] | None = None
    run_whole: Callable[[Context], Produced] | None = None
    stage: str = ""
    manifest: str = ""
    content_addressed: bool = False
    space: Callable[[Context, int], int] = lambda _context, size_read: size_read

    @property
    def spec(self) -> PhaseSpec:
        """What planning needs to know."""
        return PhaseSpec(self.name, self.reads, self.content_addressed)

    def run(self, context: Context, trial: Trial | None) -> Produced:
        """Do the work of a trial, or of the whole run if ``trial`` is None."""
        if trial is None:
            assert self.run_whole is not None  # noqa: S101 - facts are only given for what can be run
            return self.run_whole(context)
        assert self.run_trial is not None  # noqa: S101 - likewise
        return self.run_trial(context, trial)


def load_manifest(path: Path) -> Manifest | None:
    """Return a folder's manifest, or None if it is not there or damaged (its phase then runs again)."""
    try:
        return load(path, Manifest)
    except (FileNotFoundError, CorruptRecordError):
        return None
