"""The resolved configuration as it is written into a run: its text, its hash, and the difference between two."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from promptrial.model.arms import PAIR

if TYPE_CHECKING:  # digests are needed everywhere, pydantic and YAML are not
    import yaml

    from promptrial.config.loading import LoadedConfig
    from promptrial.config.tree import KeyPath

__all__ = ["canonical_json", "config_hash", "difference", "effective", "to_yaml", "with_placeholders"]

_ABSENT: Final = object()
_LONG: Final = 80
_BEFORE: Final = 25
"""How much is shown before a difference in a long text."""
_CANONICAL: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_BREAKS: Final = re.compile("[\x85\u2028\u2029]")


def effective(loaded: LoadedConfig, models: set[str], prompt_sets: set[str]) -> dict[str, Any]:
    """Return the resolved configuration as plain values, ``${VAR}`` left as it was.

    Only the models and prompt sets that a trial uses are kept, with the models' prices, so that editing an unused
    prompt is no drift; where the trials are written out, the sweep, which may name unused ones, is left out too, and so
    are replicates for a temperature that a flag left out. Where things are kept and how a run goes about
    its work are no part of an experiment.
    """
    tree: dict[str, Any] = loaded.experiment.model_dump(
        mode="json", exclude={"paths", "execution", "spending", "labels"}
    )
    names = models | {model["id"] for alias, model in tree["models"].items() if alias in models}
    for terms in tree["pricing"].values():
        terms["models"] = {name: terms["models"][name] for name in terms["models"] if name in names}
    if isinstance(tree["samples_per_item"], dict):
        temps = loaded.experiment.all_temps()
        tree["samples_per_item"] = {key: n for key, n in tree["samples_per_item"].items() if float(key) in temps}
    _keep_providers(tree, loaded, models)
    tree["models"] = {name: tree["models"][name] for name in tree["models"] if name in models}
    tree["prompt_sets"] = {name: tree["prompt_sets"][name] for name in tree["prompt_sets"] if name in prompt_sets}
    if tree["conditions"] is None and all(
        {*loaded.experiment.prompt_sets[name].arms} == {*PAIR} for name in prompt_sets
    ):
        tree["conditions"] = [*PAIR]  # what runs of pairs have always recorded
    if tree["trials"] is not None:
        tree["sweep"] = type(loaded.experiment.sweep)().model_dump(mode="json")
    return with_placeholders(tree, loaded.placeholders)


def _keep_providers(tree: dict[str, Any], loaded: LoadedConfig, models: set[str]) -> None:
    """Keep those providers that serve one of the models, and of them what says who is asked, where it is no default."""
    from promptrial.config.instances import recorded_entry

    config = loaded.experiment
    used = {config.models[alias].provider or config.provider for alias in models}
    entries = {
        name: recorded_entry(name, entry, tree["providers"][name])
        for name, entry in config.providers.items()
        if name in used
    }
    kept = {name: entry for name, entry in entries.items() if entry}
    tree.pop("providers", None)
    if kept:
        tree["providers"] = kept


def with_placeholders(tree: dict[str, Any], placeholders: Mapping[KeyPath, str]) -> dict[str, Any]:
    """Return values with each that held ``${VAR}`` as it is written, where the tree has it. Changes the tree."""
    for given, text in placeholders.items():
        branch: Any = tree
        key: Any
        path = _recorded_at(given)
        for key in path[:-1]:
            branch = branch[key] if isinstance(branch, list) or key in branch else None
            if branch is None:  # the value belongs to a model or prompt set that no trial uses
                break
        else:
            _put_back(branch, path[-1], text)
    return tree


def _recorded_at(given: KeyPath) -> KeyPath:
    """Return where a value is recorded: the keys of an arm's prompt are beside the arm's own."""
    place = 4 if given[2:3] == ("treatments",) else 3
    return (
        given[:place] + given[place + 1 :]
        if given[0] == "prompt_sets" and given[place : place + 1] == ("prompt",)
        else given
    )


def _put_back(branch: Any, key: Any, text: str) -> None:  # noqa: ANN401 - a tree of plain values
    if isinstance(branch, dict) and isinstance(branch.get(key), dict):  # a prompt, given by its path alone
        branch[key]["path"] = text
    elif isinstance(branch, list) or key in branch:
        branch[key] = text


def canonical_json(value: object) -> bytes:
    """Return the one JSON text of a value: sorted keys, no spaces, UTF-8."""
    return _CANONICAL.encode(value).encode()


def config_hash(tree: dict[str, Any]) -> str:
    """Return the SHA-256 (hex) of the canonical JSON."""
    return hashlib.sha256(canonical_json(tree)).hexdigest()


def to_yaml(tree: dict[str, Any]) -> bytes:
    """Return the configuration as YAML that reads back to the same values."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    Dumper.add_representer(str, _represent_text)
    Dumper.add_representer(_Code, _represent_code)
    scorers = tree.get("scorers") or {}
    code = {name: {**entry, "text": _Code(entry["text"])} for name, entry in scorers.items() if "text" in entry}
    tree = {**tree, "scorers": {**scorers, **code}} if code else tree
    text: str = yaml.dump(tree, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text.encode()


class _Code(str):
    """The text of a file of code, which people should be able to read line by line."""

    __slots__ = ()


def _represent_code(dumper: yaml.SafeDumper, text: _Code) -> yaml.ScalarNode:
    """Write code as a block; the writer falls back on quotes where a block cannot hold the text."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style='"' if _BREAKS.search(text) else "|")


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Quote and escape a text with one of Unicode's own line breaks, which YAML readers would turn into spaces."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if _BREAKS.search(text) else None)


def difference(old: object, new: object, at: str = "") -> Iterator[str]:
    """Yield one line per key that differs: ``stats.alpha: 0.05 -> 0.01``.

    Of a long text the line shows the surroundings of the first difference; the digest of a text is left out beside it.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            if key != "sha256" or old.get("text") == new.get("text"):
                yield from difference(old.get(key, _ABSENT), new.get(key, _ABSENT), f"{at}.{key}" if at else str(key))
    elif old is _ABSENT or new is _ABSENT or canonical_json(old) != canonical_json(new):
        yield f"{at}: {_change(old, new)}"


def _change(old: object, new: object) -> str:
    before, after = _short(old), _short(new)
    if not (isinstance(old, str) and isinstance(new, str)) or max(len(before), len(after)) <= _LONG:
        return f"{_around(before, 0)} -> {_around(after, 0)}"
    pairs = enumerate(zip(old, new, strict=False))
    same = next((position for position, (one, other) in pairs if one != other), min(len(old), len(new)))
    return f"differs at character {same + 1}: {_around(old, same)} -> {_around(new, same)}".replace("\n", "\\n")


def _short(value: object) -> str:
    return "missing" if value is _ABSENT else json.dumps(value, ensure_ascii=False)


def _around(text: str, position: int) -> str:
    """Return what is around a position of a text."""
    start, end = max(0, position - _BEFORE), max(0, position - _BEFORE) + _LONG
    return ("..." if start else "") + text[start:end] + ("..." if end < len(text) else "")
