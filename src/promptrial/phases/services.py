"""What a phase works with: clock, stop, events, providers, progress, and the records that change while it works."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from promptrial.model.units import Unit
from promptrial.providers.base import BatchProvider
from promptrial.runtime.clock import Clock
from promptrial.runtime.events import EventLog
from promptrial.runtime.progress import NoProgress, Progress
from promptrial.runtime.stop import StopToken
from promptrial.store.change_records import Consent
from promptrial.store.records import TrialManifest

__all__ = ["Ask", "Services"]

Ask = Callable[[str, Callable[[], bool]], bool]
"""Puts a question, with what says whether to give up waiting for the answer; returns whether that was a yes."""


@dataclass(frozen=True, slots=True)
class Services:
    """What one process gives its phases. It cannot be pickled: it holds open files, threads and connections.

    Parameters
    ----------
    clock : Clock
    stop : StopToken
        Whether a stop was asked for.
    events : EventLog
        Where sentences and events go.
    provider : callable
        Returns the adapter of a provider name, made once per process.
    env : mapping
        The environment; it holds keys.
    progress : Progress
    manifests : dict of str to TrialManifest
        The manifest of each trial, by slug; the engine loads them, phases change them.
    checkpoint : callable
        Called with a unit that is done: a trial, or a piece of it.
    save_manifest : callable
        Called with a trial whose manifest has to be durable before the phase continues.
    ask : callable, optional
        Puts a question to the user, with what says whether to give up waiting, and returns whether it was a yes; None
        where nobody can be asked.
    keep_consent : callable
        Called with what the user allows the run to spend; returns when that is durable.
    """

    clock: Clock
    stop: StopToken
    events: EventLog
    provider: Callable[[str], BatchProvider]
    env: Mapping[str, str]
    progress: Progress = field(default_factory=NoProgress)
    manifests: dict[str, TrialManifest] = field(default_factory=dict)
    checkpoint: Callable[[Unit], None] = lambda _unit: None
    save_manifest: Callable[[str], None] = lambda _slug: None
    ask: Ask | None = None
    keep_consent: Callable[[Consent], None] = lambda _consent: None

    def manifest(self, slug: str) -> TrialManifest:
        """Return the manifest of a trial."""
        return self.manifests[slug]

    def part_done(self, slug: str, resume_key: str) -> None:
        """Note that a part of a trial has come a step further."""
        self.checkpoint(Unit(slug, resume_key))
