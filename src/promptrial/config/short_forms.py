"""Short forms of models and servers, written out: `openai/gpt-4o-mini`, and an entry without a type. Pure.

They are written out in the text of the file, before variables are filled in: what a variable holds is never split.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptrial.config.presets import PRESETS
from promptrial.config.providers import known_presets
from promptrial.registry import near_misses

__all__ = ["split_model", "why_not_split", "write_out_servers"]


def write_out_servers(tree: dict[str, Any]) -> None:
    """Write out the types of servers and the providers of models that are given in short. Changes the tree."""
    servers = tree.get("providers")
    entries: Mapping[str, Any] = servers if isinstance(servers, dict) else {}
    for name, entry in entries.items():
        if isinstance(entry, dict) and "type" not in entry and name in known_presets():
            entry["type"] = name
    models = tree.get("models")
    if not isinstance(models, dict) or _has_ids_with_slashes(tree.get("provider"), entries):
        return
    names = {*entries, *known_presets()}
    for alias, model in models.items():
        given = {"id": model} if isinstance(model, str) else model
        if isinstance(given, dict) and given.get("provider") is None and given.get("path") is None:
            provider, id_ = split_model(given.get("id"), names)
            if provider:
                models[alias] = {**given, "id": id_, "provider": provider}


def split_model(text: object, names: set[str]) -> tuple[str, str]:
    """Return the server and the id of ``SERVER/ID``, or no server and the text if it does not begin with a name.

    Examples
    --------
    >>> split_model("openai/gpt-4o-mini", {"openai"}), split_model("accounts/a/models/m", {"openai"})
    (('openai', 'gpt-4o-mini'), ('', 'accounts/a/models/m'))
    """
    if not isinstance(text, str):
        return "", ""
    first, _, rest = text.partition("/")
    return (first, rest) if first in names and rest else ("", text)


def why_not_split(at: str, id_: str) -> str | None:
    """Return what to do about an id that looks like PROVIDER/ID and was not taken for that; None for any other.

    Parameters
    ----------
    at : str
        The model's key, as people write it.
    id_ : str
    """
    first, slash, rest = id_.partition("/")
    known = known_presets()
    if not slash:
        return None
    if first in known:
        return f"for a model of {first}, write {at}: {{provider: {first}, id: {rest}}}"
    return f"for PROVIDER/ID: {first!r} is neither in `providers` nor a provider{near_misses(first, known)}"


def _has_ids_with_slashes(provider: object, entries: Mapping[str, Any]) -> bool:
    """Tell whether the common `provider` has ids such as ``openai/gpt-oss-20b`` itself, so that none is split."""
    entry = entries.get(provider) if isinstance(provider, str) else None
    type_ = entry.get("type") if isinstance(entry, dict) else provider
    preset = PRESETS.get(type_) if isinstance(type_, str) else None
    return preset is not None and preset.ids_with_slashes
