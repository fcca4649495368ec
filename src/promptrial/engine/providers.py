"""The adapters that a process uses, made when first asked for; in a dry run, the hosted ones meet an emulator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from promptrial import registry
from promptrial.providers.base import BatchProvider, HeedsStop
from promptrial_emulator.settings import EmulatorSettings

if TYPE_CHECKING:
    from promptrial_emulator.server import EmulatorServer

__all__ = ["Providers"]

_DRY_SETTINGS: Final = EmulatorSettings(responder="oracle", accuracy=0.6, abstention=0.1, effect=0.1)


class Providers:
    """Adapters by name.

    Parameters
    ----------
    env : mapping
        Where they find keys and addresses.
    dry_run : Path, optional
        The folder of a run that must not reach a provider. Hosted adapters then speak to an emulator on the loopback,
        which this process starts when it is first needed and which keeps its state there: the code and the HTTP are the
        same, no key is needed, and nothing leaves the machine.

    Attributes
    ----------
    stop_asked : callable
        Returns whether a stop was asked for; adapters ask it while a transfer goes on.
    """

    def __init__(self, env: Mapping[str, str], dry_run: Path | None = None) -> None:
        self.stop_asked: Callable[[], bool] = lambda: False
        self._env = env
        self._dry_run = dry_run
        self._made: dict[str, BatchProvider] = {}
        self._emulator: EmulatorServer | None = None

    def __call__(self, name: str) -> BatchProvider:
        """Return the adapter of a provider.

        Raises
        ------
        ConfigError
            If the environment lacks what it needs.
        MissingDependencyError
            If a package that it, or the emulator, needs is not installed.
        """
        if name not in self._made:
            kind: type[BatchProvider] = registry.load("provider", name)
            made = kind.open(self._env if kind.local or self._dry_run is None else self._emulated(kind, self._dry_run))
            if isinstance(made, HeedsStop):
                made.heed(self.stop_asked)
            self._made[name] = made
        return self._made[name]

    def close(self) -> None:
        """Free what they hold, and end the emulator."""
        for provider in self._made.values():
            provider.close()
        if self._emulator is not None:
            self._emulator.stop()

    def _emulated(self, kind: type[BatchProvider], run: Path) -> Mapping[str, str]:
        """Return an environment that leads an adapter to the emulator, and holds no real key."""
        if self._emulator is None:
            from dataclasses import replace

            from promptrial_emulator.server import EmulatorServer

            settings = replace(_DRY_SETTINGS, questions=run / "prepared")
            self._emulator = EmulatorServer(run / ".emulator", settings)
            self._emulator.start()
        return kind.emulated(self._emulator.url, _DRY_SETTINGS.key, _DRY_SETTINGS.account)
