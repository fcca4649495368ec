"""From the configuration to the instances that its models are served by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from promptrial import registry
from promptrial.config.presets import PRESETS, Preset
from promptrial.config.providers import ProviderConfig, known_presets
from promptrial.model.instances import Authentication, Connection, Instance, Limits

__all__ = ["address_needed", "complete_entry", "instance_of", "known_instances", "preset_instance", "recorded_entry"]

_HEADER_OF: Final[Mapping[Authentication, str]] = {
    "bearer": "authorization",
    "api-key": "api-key",
    "x-api-key": "x-api-key",
}
"""In which header each way of sending a key puts it, in lower case."""


def known_instances(providers: Mapping[str, ProviderConfig]) -> dict[str, str]:
    """Return the names that `provider` may have: those of the configuration, then the presets; and their types."""
    there = dict.fromkeys([*known_presets(), *registry.PROVIDERS])
    return {name: entry.type for name, entry in providers.items()} | {
        name: name for name in there if name not in providers
    }


def address_needed(providers: Mapping[str, ProviderConfig], name: str) -> str:
    """Return an example of the address that a preset needs, and no entry gives; empty if nothing is missing."""
    return PRESETS[name].address if name in PRESETS and name not in providers else ""


def instance_of(providers: Mapping[str, ProviderConfig], name: str) -> Instance:
    """Return the instance of a name, which is one of ``known_instances``, in a configuration that was checked."""
    entry = providers.get(name) or ProviderConfig.model_construct(type=name)
    preset = PRESETS.get(entry.type) or Preset(name, batch=name)
    own_header = any(header.lower() == _HEADER_OF[preset.auth] for header in entry.headers)
    key = entry.key or ("" if own_header else preset.key)
    return Instance(
        name=name,
        adapter=preset.adapter(entry.mode) or entry.type,
        label=preset.label,
        base_url=entry.base_url or preset.base_url,
        key=key,
        hosts=_hosts(preset, key),
        auth=preset.auth,
        account=entry.account or "",
        headers=tuple(entry.headers.items()),
        connection=Connection(entry.connect_timeout_s, entry.timeout_s, entry.proxy, entry.ca_file),
        limits=_limits(preset, entry),
        options=_options(preset, entry),
    )


def _hosts(preset: Preset, key: str) -> tuple[str, ...]:
    """Return where a key may go: that of a well-known variable to its own vendor, any other to the type's hosts."""
    owners = [other for other in PRESETS.values() if other.key and other.key == key]
    return tuple(host for owner in owners or [preset] for host in owner.hosts)


def recorded_entry(name: str, entry: ProviderConfig, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of an entry of `providers` says who is asked, and is not what its type says anyway.

    Parameters
    ----------
    name : str
    entry : ProviderConfig
    values : mapping
        The entry as plain values.

    Returns
    -------
    dict
        Empty for an entry that says no more than the preset of its own name.
    """
    preset = PRESETS[entry.type]
    usual = {"base_url": preset.base_url, "key": preset.key}
    if preset.adapter(entry.mode) == preset.adapter(None):
        usual["mode"] = entry.mode or ""
    found = {
        key: value
        for key, value in values.items()
        if key not in type(entry).unrecorded and not (key in usual and value == usual[key])
    }
    return {} if found == {"type": name} else found


def complete_entry(entry: ProviderConfig) -> dict[str, Any]:
    """Return an entry of `providers` as plain values, with what its type says where it says nothing itself."""
    preset = PRESETS[entry.type]
    modes = {"batch": preset.batch, "live": preset.live}
    usual = {
        "mode": next((mode for mode, adapter in modes.items() if adapter and adapter == preset.adapter(None)), ""),
        "base_url": preset.base_url,
        "key": instance_of({"": entry}, "").key,
    }
    given = entry.model_dump(mode="json")
    return {"type": entry.type} | {key: value for key, value in usual.items() if value} | given


def preset_instance(name: str) -> Instance:
    """Return the instance that a preset is by itself, or an adapter that has none."""
    return instance_of({}, name)


def _limits(preset: Preset, entry: ProviderConfig) -> Limits:
    """Return the limits that an entry says, else those of the recipient of its files, else those of its type."""
    usual = preset.limits if entry.written_for is None else PRESETS[entry.written_for].limits
    return Limits(entry.max_jobs, entry.max_in_flight, entry.max_rows or usual.rows, entry.max_bytes or usual.size)


_OPTIONS: Final = ("api_version", "folder", "written_for", "wait", "quiet_s")


def _options(preset: Preset, entry: ProviderConfig) -> tuple[tuple[str, str], ...]:
    given = {name: str(value) for name in _OPTIONS if (value := getattr(entry, name)) is not None}
    return tuple((dict(preset.options) | given).items())
