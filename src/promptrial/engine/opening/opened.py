"""An opened run, as a value: what was found of it, what it is configured by, and what has changed since."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptrial.config.loading import LoadedConfig
from promptrial.engine.opening.found import Found, New, origin_of, state_of
from promptrial.engine.resolving import Resolution
from promptrial.model import Trial
from promptrial.store.change_records import Growth, Pilot, SpendingCaps
from promptrial.store.records import Origin, RunState
from promptrial.store.rundir import RunDir

__all__ = ["Changes", "Configured", "Opened"]


@dataclass(frozen=True, slots=True)
class Configured:
    """What a run is configured by from now on.

    Attributes
    ----------
    config_file : Path
        The file that was read.
    overrides : dict
        Values of flags, those remembered from earlier commands among them; keys joined by ``/``.
    loaded : LoadedConfig
    resolution : Resolution
        What the file leaves open, and why it has its values.
    trials : tuple of Trial
    tree : dict
        The effective configuration.
    digest : str
        Of the tree.
    resolved : dict
        The tree with values of the environment, and without the keys that ask nothing.
    pilot : Pilot or None
        What will be on record of a pilot. Until it has passed, the sample is the pilot's.
    """

    config_file: Path
    overrides: dict[str, Any]
    loaded: LoadedConfig
    resolution: Resolution
    trials: tuple[Trial, ...]
    tree: dict[str, Any]
    digest: str
    resolved: dict[str, Any]
    pilot: Pilot | None


@dataclass(frozen=True, slots=True)
class Changes:
    """In what the configuration differs from the one that the run went by; a new run has no changes.

    Attributes
    ----------
    drift : tuple of str
        A line for each change that only ``--force`` accepts.
    rescored : tuple of str
        A line for each key that changed and asks nothing.
    growth : Growth or None
        An enlargement of the sample that is not recorded yet.
    corrects : bool
        Whether nothing was asked yet by the run's own copy of the configuration, which is whole and may be replaced.
    """

    drift: tuple[str, ...] = ()
    rescored: tuple[str, ...] = ()
    growth: Growth | None = None
    corrects: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """A run as it was found, its configuration, and the terms that it uses from now on.

    ``growth`` is each enlargement of the sample, oldest first, with that of ``changes`` at the end. ``trusted_code`` is
    the SHA-256 of the code that may run. ``remark`` says why a configuration is used that nobody has named, or that a
    flag changes nothing.
    """

    found: Found
    configured: Configured
    changes: Changes
    growth: tuple[Growth, ...]
    dry_run: bool
    trusted_code: frozenset[str]
    caps: SpendingCaps
    remark: str = ""

    @property
    def run(self) -> RunDir:
        """The folder of the run."""
        return self.found.run

    @property
    def exists(self) -> bool:
        """Whether anything of the run is on disk."""
        return not isinstance(self.found, New)

    @property
    def state(self) -> RunState | None:
        """The state of the run, if it is there and whole."""
        return state_of(self.found)

    @property
    def origin(self) -> Origin | None:
        """What the run was started with, if that is on record."""
        return origin_of(self.found)

    @property
    def loaded(self) -> LoadedConfig:
        """The configuration as it was read."""
        return self.configured.loaded

    @property
    def trials(self) -> tuple[Trial, ...]:
        """The trials of the run."""
        return self.configured.trials

    @property
    def pilot(self) -> Pilot | None:
        """What will be on record of a pilot."""
        return self.configured.pilot

    @property
    def is_pilot(self) -> bool:
        """Whether the run asks no more than its pilot for now."""
        return self.pilot is not None and not self.pilot.passed
