"""The commands by which a person fetches or stops a batch without this program: curl, and the key by its variable."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from promptrial.config.addresses import is_among
from promptrial.config.presets import PRESETS, Preset
from promptrial.providers.http_service import Service, is_loopback

__all__ = ["fetch_commands", "key_header", "recorded_place", "stop_command"]

_NO_NAME: Final = re.compile(r"[^A-Za-z0-9]+")
_CURL: Final = "curl -sSf"
_FILES: Final = (("output_file_id", "output"), ("error_file_id", "errors"))
_FIELD: Final = "import json, sys; print(json.load(sys.stdin)[{name!r}])"


def fetch_commands(service: Service, job: str, folder: Path) -> tuple[str, ...]:
    """Return a command for each file of a batch; a shell asks for the name of the file first."""
    key = key_header(service.auth, service.key_variable) + "".join(
        f" -H {shlex.quote(f'{n}: ...')}" for n, _ in service.headers
    )
    batch = f"{_CURL}{key} {shlex.quote(f'{service.base_url}/batches/{job}')}"
    commands = []
    for field, word in _FILES:
        name = f"$({batch} | python3 -c {shlex.quote(_FIELD.format(name=field))})"
        target = shlex.quote(str(folder / f"{job}_{word}.jsonl"))
        commands.append(f'{_CURL}{key} {shlex.quote(service.base_url)}/files/"{name}"/content -o {target}')
    return (*commands, "# a batch without errors has no second file; curl says then that the address is wrong")


def stop_command(job: str, engine: Mapping[str, Any]) -> str | None:
    """Return the command that cancels a batch, at the address that was recorded; None for an emulator that is gone."""
    place = str(engine.get("api", ""))
    if not place or place == "emulator":
        return None
    for preset in PRESETS.values():
        if preset.batch == "openai" and is_among(_host(place), preset.hosts):
            base = preset.base_url or f"https://{place}/openai/v1"
            return _cancel(job, base, key_header(preset.auth, preset.key))
    address, variable = recorded_place(place, PRESETS["openai"])
    return _cancel(job, f"{address}/v1", key_header("bearer", variable))


def _cancel(job: str, base: str, key: str) -> str:
    return f"{_CURL} -X POST{key} {shlex.quote(f'{base}/batches/{job}/cancel')}"


def key_header(auth: str, variable: str) -> str:
    """Return curl's option that sends the key which a variable holds, with a space before it; nothing without one."""
    if not variable:
        return ""
    return f' -H "Authorization: Bearer ${variable}"' if auth == "bearer" else f' -H "{auth}: ${variable}"'


def recorded_place(place: str, vendor: Preset) -> tuple[str, str]:
    """Return the address of a host that was recorded, and the variable that holds its key.

    That is the vendor's own, or one of a name that no other key has: which variable a configuration has named is not
    recorded, and the vendor's key is for the vendor alone.
    """
    host = _host(place)
    variable = vendor.key if is_among(host, vendor.hosts) else f"KEY_OF_{_NO_NAME.sub('_', host).upper()}"
    return f"{'http' if is_loopback(host) else 'https'}://{place}", variable


def _host(place: str) -> str:
    return urlsplit(f"//{place}").hostname or ""
