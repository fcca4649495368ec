"""The text of a new configuration, as ``init`` and ``try`` write it. Pure: what it names is read elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import yaml

from promptrial.model.arms import PAIR

__all__ = ["Draft", "DraftModel", "Fitting", "configuration_text", "scalar"]

_PLAIN: Final = re.compile(r"[A-Za-z_.][\w./-]*(?: [\w./-]+)*", re.ASCII)
_COMMENT_AT: Final = 44
"""The column of comments, where the line before them is short enough."""
_WIDE: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class DraftModel:
    """A model: its alias and id, the provider unless it is the embedded engine, and the file of its weights if any.

    ``server`` are the keys that `providers` gives for its provider, such as an address.
    """

    alias: str
    id: str
    provider: str = ""
    path: str = ""
    server: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Fitting:
    """What was found in the questions, as the keys of a configuration.

    Attributes
    ----------
    dataset : mapping
        Keys beside ``path``: format, columns, encoding.
    top : mapping
        Top-level keys: scorers, statistics, limits of answers.
    why : mapping
        Key, as in the two above -> why it has its value, in a few words.
    items : str
        How many questions there are, in words.
    """

    dataset: Mapping[str, object] = field(default_factory=dict)
    top: Mapping[str, object] = field(default_factory=dict)
    why: Mapping[str, str] = field(default_factory=dict)
    items: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a new configuration says.

    Attributes
    ----------
    name : str
        The experiment's.
    model : DraftModel
    prompts : mapping
        Name of the arm -> path of its prompt from the folder of the configuration; the control first.
    questions : str
        Path of the questions, from the same folder.
    shown : str
        How the configuration is called in commands.
    top : mapping
        Further top-level keys, given by flags.
    dataset : mapping
        Keys of the data set beside ``path``, given by flags: columns, encoding.
    """

    name: str
    model: DraftModel
    prompts: Mapping[str, str]
    questions: str
    shown: str = ""
    top: Mapping[str, object] = field(default_factory=dict)
    dataset: Mapping[str, object] = field(default_factory=dict)


def configuration_text(draft: Draft, found: Fitting | None = None) -> str:
    """Return the YAML of a draft, with comments; at most 25 lines for two arms.

    Examples
    --------
    >>> text = configuration_text(Draft("t", DraftModel("m", "m-1"), {"a": "a.txt", "b": "b c.txt"}, "q: 1.csv"))
    >>> [line for line in text.splitlines() if "txt" in line or "csv" in line]
    ['    a: a.txt', '      b: b c.txt', '    path: "q: 1.csv"']
    """
    return "\n".join([*_opening(draft), *_body(draft, found or Fitting())]) + "\n"


def _opening(draft: Draft) -> Iterator[str]:
    yield "# A trial of system prompts. Paths are relative to the folder of this file."
    if draft.shown.isprintable() and draft.shown:
        yield f"# Every other key has a default: promptrial config show --config {draft.shown}"


def _body(draft: Draft, found: Fitting) -> Iterator[str]:
    yield f"name: {scalar(draft.name)}"
    yield _line('question: ""', "the question of the trial, in one sentence, for the report")
    if draft.model.server:
        yield "providers:"
        yield f"  {scalar(draft.model.provider)}: {scalar(dict(draft.model.server))}"
    yield "models:"
    yield _line(f"  {scalar(draft.model.alias)}: {_model(draft.model)}", _where(draft.model))
    yield "prompt_sets:"
    yield "  main:"
    yield from _arms(draft.prompts)
    yield "datasets:"
    yield "  questions:"
    yield _line(f"    path: {scalar(draft.questions)}", found.items)
    for key, value in _merged(found.dataset, draft.dataset).items():
        yield _line(f"    {key}: {scalar(value)}", found.why.get(key, ""))
    for key, value in {**found.top, **draft.top}.items():
        yield _line(f"{key}: {scalar(value)}", found.why.get(key, ""))


def _merged(found: Mapping[str, object], given: Mapping[str, object]) -> dict[str, object]:
    """Return the keys of the data set: what is given decides, column by column."""
    merged = {**found, **given}
    columns = [each for keys in (found, given) if isinstance(each := keys.get("columns"), Mapping)]
    if columns:
        merged["columns"] = {role: name for each in columns for role, name in each.items()}
    return merged


def _model(model: DraftModel) -> str:
    if not (model.provider or model.path):
        return scalar(model.id)
    values = {"id": model.id, "provider": model.provider, "path": model.path}
    return scalar({key: value for key, value in values.items() if value})


def _where(model: DraftModel) -> str:
    return "" if model.provider else "runs locally; for another model: {id: NAME, path: FILE.gguf}"


def _arms(prompts: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of the prompts: a pair, or one and several that are compared with it."""
    first, *others = prompts
    if (first, *others) == PAIR:
        yield from (f"    {name}: {scalar(path)}" for name, path in prompts.items())
        return
    yield f"    {first}: {scalar(prompts[first])}"
    yield "    treatments:"
    yield from (f"      {name}: {scalar(prompts[name])}" for name in others)


def _line(text: str, comment: str) -> str:
    comment = " ".join(comment.split())
    return f"{f'{text}  ':<{_COMMENT_AT}}# {comment}" if comment else text


def scalar(value: object) -> str:
    """Return a value as YAML on one line; a text without quotes where it means itself and holds nothing odd.

    Examples
    --------
    >>> print(scalar("a b.csv"), scalar("no"), scalar("a: b"), scalar({"answers": ["a", "b"]}), scalar(0.5))
    a b.csv "no" "a: b" {answers: [a, b]} 0.5
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {scalar(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(scalar, value)) + "]"
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and yaml.safe_load(value) == value:
            return value
        text: str = yaml.safe_dump(value, default_style='"', allow_unicode=value.isprintable(), width=_WIDE)
        return text.rstrip("\n")
    return yaml.safe_dump(value, default_flow_style=True).partition("\n")[0]
