"""What a phase is: a name, what it reads, and a function from a run specification to the artifacts it made.

A phase reads named artifacts and writes named artifacts; it never decides whether it is done and never records that it
is. ``engine`` does both, through one receipt a phase and trial.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from promptrial.design.plan import PhaseSpec
from promptrial.errors import CorruptRecordError
from promptrial.model import Trial
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.store.records import FileRecord, Manifest, TrialManifest, load

__all__ = ["Manifests", "Phase", "Produced", "load_manifest"]

Manifests = Mapping[str, TrialManifest]
"""Slug -> manifest of a trial."""


@dataclass(frozen=True, slots=True)
class Produced:
    """The artifacts that a phase made: path -> record; ``facts`` go into the manifest of a run-level phase."""

    artifacts: dict[Path, FileRecord]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Phase:
    """One of the nine phases.

    Parameters
    ----------
    name : str
    reads : tuple of str
        The phases whose artifacts it reads.
    settings : callable
        Returns the plan values that it depends on (plain values); their digest goes into the receipt. Besides the
        specification it may read what is on record of the trials.
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
    settings: Callable[[RunSpec, Manifests, Trial | None], object] = lambda _spec, _manifests, _trial: None
    run_trial: Callable[[RunSpec, Services, Trial], Produced] | None = None
    run_whole: Callable[[RunSpec, Services], Produced] | None = None
    stage: str = ""
    manifest: str = ""
    content_addressed: bool = False
    space: Callable[[RunSpec, int], int] = lambda _spec, size_read: size_read

    @property
    def planned(self) -> PhaseSpec:
        """What planning needs to know."""
        return PhaseSpec(self.name, self.reads, self.content_addressed)

    def run(self, spec: RunSpec, services: Services, trial: Trial | None) -> Produced:
        """Do the work of a trial, or of the whole run if ``trial`` is None."""
        if trial is None:
            assert self.run_whole is not None  # noqa: S101 - facts are only given for what can be run
            return self.run_whole(spec, services)
        assert self.run_trial is not None  # noqa: S101 - likewise
        return self.run_trial(spec, services, trial)


def load_manifest(path: Path) -> Manifest | None:
    """Return a folder's manifest, or None if it is not there or damaged (its phase then runs again)."""
    try:
        return load(path, Manifest)
    except (FileNotFoundError, CorruptRecordError):
        return None
