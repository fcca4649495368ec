"""What a phase is: a name, what it reads, and a function from a run specification to the artifacts it made.

A phase reads named artifacts and writes named artifacts; it never decides whether it is done and never records that it
is. ``engine`` does both, through one receipt a phase and unit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptrial import registry
from promptrial.design.plan import PhaseSpec
from promptrial.model import Trial
from promptrial.model.units import RUN, Unit
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.registry import PartState
from promptrial.store.part_records import FileRecord
from promptrial.store.records import TrialManifest

if TYPE_CHECKING:
    from promptrial.reporting.facts import TrialResult

__all__ = ["Manifests", "Phase", "Produced"]

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
    manifest : str
        The file where the receipt of the whole run is, relative to the run root; empty if there is none.
    space : callable
        Returns about how many bytes it will write, given the size of the artifacts that it reads.
    lacking : callable
        Returns what is not recorded of a trial, in a few words, though all its parts are done; for a phase that works
        part by part.
    files : tuple of str
        Patterns, relative to the run root, of files that it makes and no receipt names.
    version : int
        Raise it when its artifacts change though nothing that it reads does; finished runs then make them again.
    made_with : callable
        Returns what else of the code its artifacts depend on, name -> version: only what is not as it first was.
    result : callable, optional
        Returns what there is to say about a trial when the run has ended; one phase has it.
    """

    name: str
    reads: tuple[str, ...]
    settings: Callable[[RunSpec, Manifests, Trial | None], object] = lambda _spec, _manifests, _trial: None
    run_trial: Callable[[RunSpec, Services, Trial], Produced] | None = None
    run_whole: Callable[[RunSpec, Services], Produced] | None = None
    manifest: str = ""
    space: Callable[[RunSpec, int], int] = lambda _spec, size_read: size_read
    lacking: Callable[[RunSpec, TrialManifest, Trial], str] = lambda _spec, _manifest, _trial: ""
    files: tuple[str, ...] = ()
    version: int = 1
    made_with: Callable[[RunSpec], Mapping[str, str]] = lambda _spec: {}
    result: Callable[[RunSpec, Services, Trial], TrialResult] | None = None

    @property
    def part_state(self) -> PartState | None:
        """What a part is when a phase that works part by part is done with it; None for any other phase."""
        return registry.PART_STATES.get(self.name)

    @property
    def continues_with(self) -> str:
        """The phase to go back to where this one has run and is not done yet, because more is to be asked.

        Of the phases that work part by part, the last goes back to the first; empty for all others.
        """
        first, *_, last = registry.PART_STATES
        return first if self.name == last else ""

    @property
    def content_addressed(self) -> bool:
        """See ``plan.PhaseSpec``. The records of the parts are its receipt."""
        return self.part_state is not None

    @property
    def stage(self) -> str:
        """The stage of the trial manifest where the receipt of a trial is; empty if there is none."""
        return registry.STAGES.get(self.name, "" if self.run_trial is None else self.name)

    @property
    def planned(self) -> PhaseSpec:
        """What planning needs to know."""
        return PhaseSpec(self.name, self.reads, self.content_addressed)

    def code(self, spec: RunSpec) -> dict[str, str]:
        """Return what a receipt says about the code: nothing, while all of it is as it first was."""
        own = {} if self.version == 1 else {"version": str(self.version)}
        return own | dict(self.made_with(spec))

    def units(self, spec: RunSpec) -> tuple[Unit, ...]:
        """Return the units that have a fact of their own: each trial, then the whole run, in the order of the work."""
        by_trial = self.run_trial is not None or self.content_addressed
        trials = tuple(Unit(trial.slug) for trial in spec.trials) if by_trial else ()
        return trials if self.content_addressed or self.run_whole is None else (*trials, RUN)

    def run(self, spec: RunSpec, services: Services, unit: Unit) -> Produced:
        """Do the work of a unit: of a trial, or of the whole run."""
        if unit.trial is None:
            assert self.run_whole is not None  # noqa: S101 - facts are only given for what can be run
            return self.run_whole(spec, services)
        assert self.run_trial is not None  # noqa: S101 - likewise
        return self.run_trial(spec, services, spec.trial(unit.trial))
