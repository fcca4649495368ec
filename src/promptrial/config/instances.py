"""From the configuration to the instances that its models are served by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from promptrial import registry
from promptrial.config.presets import PRESETS, Preset
from promptrial.config.providers import ProviderConfig, known_presets
from promptrial.model.instances import Connection, Instance, Limits

__all__ = ["instance_of", "known_instances", "preset_instance"]


def known_instances(providers: Mapping[str, ProviderConfig]) -> dict[str, str]:
    """Return the names that `provider` may have: those of the configuration, then the presets; and their types."""
    there = dict.fromkeys([*known_presets(), *registry.PROVIDERS])
    return {name: entry.type for name, entry in providers.items()} | {
        name: name for name in there if name not in providers
    }


def instance_of(providers: Mapping[str, ProviderConfig], name: str) -> Instance:
    """Return the instance of a name, which is one of ``known_instances``, in a configuration that was checked."""
    entry = providers.get(name)
    if entry is None:
        return preset_instance(name)
    preset = PRESETS[entry.type]
    return Instance(
        name=name,
        adapter=preset.adapter(entry.mode) or entry.type,
        label=preset.label,
        base_url=entry.base_url or preset.base_url,
        key=preset.key if entry.key is None else entry.key,
        hosts=preset.hosts,
        auth=preset.auth,
        account=entry.account or "",
        headers=tuple(entry.headers.items()),
        connection=Connection(entry.connect_timeout_s, entry.timeout_s, entry.proxy, entry.ca_file),
        limits=Limits(entry.max_jobs, entry.max_in_flight, entry.max_rows, entry.max_bytes),
        options=_options(preset, entry),
    )


def adapter_of(entry: ProviderConfig) -> str | None:
    """Return the adapter of an entry; None if its vendor has no API of that mode, or its adapter is not there."""
    found = PRESETS[entry.type].adapter(entry.mode)
    return found if found in registry.PROVIDERS else None


def preset_instance(name: str) -> Instance:
    """Return the instance that a preset is by itself, or an adapter that has none."""
    preset = PRESETS.get(name) or Preset(name, batch=name)
    return Instance(
        name=name,
        adapter=preset.adapter(None) or name,
        label=preset.label,
        base_url=preset.base_url,
        key=preset.key,
        hosts=preset.hosts,
        auth=preset.auth,
        options=preset.options,
    )


_OPTIONS: Final = ("api_version", "folder", "written_for", "wait", "quiet_s")


def _options(preset: Preset, entry: ProviderConfig) -> tuple[tuple[str, str], ...]:
    given = {name: str(value) for name in _OPTIONS if (value := getattr(entry, name)) is not None}
    return tuple((dict(preset.options) | given).items())
