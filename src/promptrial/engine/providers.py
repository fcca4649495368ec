"""The adapters of a process, made when first asked for; in a dry run every provider but local ones is emulated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from promptrial import registry
from promptrial.config.instances import instance_of
from promptrial.config.providers import ProviderConfig
from promptrial.model.instances import RUN_FOLDER, Connection, Instance
from promptrial.providers.base import BatchProvider
from promptrial.providers.capabilities import HeedsStop
from promptrial_emulator.settings import EmulatorSettings

if TYPE_CHECKING:
    from promptrial_emulator.server import EmulatorServer

__all__ = ["Providers"]

_DRY_SETTINGS: Final = EmulatorSettings(responder="oracle", accuracy=0.6, abstention=0.1, effect=0.1)


class Providers:
    """Adapters by the name of their instance.

    Parameters
    ----------
    env : mapping
        Where they find keys and addresses.
    instances : mapping, optional
        The section ``providers`` of the configuration; presets need no entry.
    dry_run : Path, optional
        The folder of a run that must not reach a provider. Hosted adapters then speak to an emulator on the loopback,
        which this process starts when it is first needed and which keeps its state there: the code and the HTTP are the
        same, no key is needed, and nothing leaves the machine.
    run : Path, optional
        The folder of the run, for adapters that keep files there unless their instance says where.
    config_folder : Path, optional
        What a relative ``folder`` of an instance starts from; the current folder if not given.

    Attributes
    ----------
    stop_asked : callable
        Returns whether a stop was asked for; adapters ask it while a transfer goes on.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        instances: Mapping[str, ProviderConfig] | None = None,
        dry_run: Path | None = None,
        run: Path | None = None,
        config_folder: Path | None = None,
    ) -> None:
        self.stop_asked: Callable[[], bool] = lambda: False
        self._env = env
        self._instances = instances or {}
        self._dry_run = dry_run
        self._run = run
        self._config_folder = config_folder or Path()
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
            instance = _placed(instance_of(self._instances, name), self._run, self._config_folder)
            kind: type[BatchProvider] = registry.load("provider", instance.adapter)
            env = self._env
            if self._dry_run is not None and not kind.local:
                instance, env = self._emulated(kind, instance, self._dry_run)
            made = kind.open(env, instance)
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

    def _emulated(self, kind: type[BatchProvider], instance: Instance, run: Path) -> tuple[Instance, Mapping[str, str]]:
        """Return with what an adapter is opened to meet the emulator: no real key, and none of the user's headers."""
        if self._emulator is None:
            from promptrial_emulator.server import EmulatorServer

            settings = replace(_DRY_SETTINGS, questions=run / "prepared")
            self._emulator = EmulatorServer(run / ".emulator", settings)
            self._emulator.start()
        bare = replace(instance, headers=(), connection=Connection())
        return kind.emulated(bare, self._emulator.url, _DRY_SETTINGS.key, _DRY_SETTINGS.account)


def _placed(instance: Instance, run: Path | None, config_folder: Path) -> Instance:
    """Return an instance that says in which folder the run is, and where its own folder is, if it has one."""
    options = dict(instance.options)
    if "folder" in options:
        options["folder"] = str(config_folder / Path(options["folder"]).expanduser())
    if run is not None:
        options[RUN_FOLDER] = str(run)
    return replace(instance, options=tuple(options.items()))
