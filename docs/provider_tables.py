"""The tables of vendors and servers in the documentation, from the presets and the adapters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Final

from promptrial import registry
from promptrial.config.presets import KEYS_OF, PRESETS, Preset
from promptrial.model.instances import RequestOptions
from promptrial.providers.base import BatchProvider

_SAID: Final = {
    "embedded": "llama.cpp in this process, on the CPU",
    "openai_compatible": "any other server with `/chat/completions`",
    "batch_file": "files of requests, for `vllm run-batch` or an upload page",
}
"""What is called something more general in messages."""


def presets() -> str:
    """Return one row for each vendor or kind of server."""
    rows = [
        "| name | what it is | answers | needs | address |",
        "|---|---|---|---|---|",
        *(_preset(name, preset) for name, preset in PRESETS.items()),
    ]
    return "\n".join(rows) + "\n"


def _preset(name: str, preset: Preset) -> str:
    needs = [f"`{variable}`" for variable in (preset.key, *preset.more_variables) if variable]
    needs += ["`base_url`"] if preset.address else []
    address = f"`{preset.base_url}`" if preset.base_url else f"such as `{preset.address}`" if preset.address else ""
    return (
        f"| `{name}` | {_SAID.get(name, preset.label)} | {_ways(preset)} | {', '.join(needs) or 'no key'} | {address} |"
    )


def _ways(preset: Preset) -> str:
    return " or ".join("in this process" if kind.local else f"`{mode}`" for mode, kind in _adapters(preset))


def _adapters(preset: Preset) -> Iterator[tuple[str, type[BatchProvider]]]:
    """Yield the modes of a preset, each with the adapter that speaks it."""
    for mode, adapter in (("batch", preset.batch), ("live", preset.live)):
        if adapter is not None:
            yield mode, registry.load("provider", adapter)


def options() -> str:
    """Return one row for each option of a model's requests, with the names that understand it."""
    rows = ["| key | understood by |", "|---|---|"]
    rows += [f"| `{each.name}` | {', '.join(_understand(each.name))} |" for each in fields(RequestOptions)]
    return "\n".join(rows) + "\n"


def _understand(option: str) -> Iterator[str]:
    for name, preset in PRESETS.items():
        if option in dict(preset.options).get("lacks", "").split():
            continue
        known = {mode: option in kind.understands for mode, kind in _adapters(preset)}
        if all(known.values()):
            yield f"`{name}`"
        elif any(known.values()):
            yield f"`{name}` ({', '.join(mode for mode, does in known.items() if does)})"


def keys() -> str:
    """Return one row for each key of an entry, with the adapters that use it."""
    order = dict.fromkeys(key for keys in KEYS_OF.values() for key in sorted(keys))
    rows = ["| key | used by the adapters |", "|---|---|"]
    rows += [
        f"| `{key}` | {', '.join(f'`{name}`' for name, used in KEYS_OF.items() if key in used)} |" for key in order
    ]
    return "\n".join(rows) + "\n"


GENERATED: dict[str, Callable[[], str]] = {
    "provider presets": presets,
    "provider options": options,
    "provider keys": keys,
}
