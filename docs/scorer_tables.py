"""Tables of docs/scorers*.md: types of scorers and steps of ``extract``, from their code, declarations and examples."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Final

import yaml

from promptrial import registry
from promptrial.config.scorers import ScorerConfig, documented, named_types
from promptrial.config.stated import STATED
from promptrial.config.typed import SettingsError, typed
from promptrial.documents.scorers import Declaration
from promptrial.reporting.tables.meanings import asked

__all__ = ["EXAMPLES", "GENERATED", "configured"]

EXAMPLES: Final[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "examples/scorers.yaml").read_text("utf-8"))
"""By type, what docs/examples/scorers.yaml holds."""
_SECTION: Final = re.compile(r"^(\w[\w ]*)\n-+\n(.*?)(?=^\w[\w ]*\n-+\n|\Z)", re.MULTILINE | re.DOTALL)
_FIELD: Final = re.compile(r"^(\w[\w, ]*)(?: : (.*))?\n((?:    .*\n?|\n)*)", re.MULTILINE)
_NEEDS: Final = {"gold": "accepted answers", "choices": "choices", "passage": "passage", "response": "token counts"}


_SAID: Final = {
    "regex": "Does a regular expression match the answer?",
    "json_schema": "Is the answer JSON that fits a schema and, with `fields`, has the right values?",
    "length": "How long is the answer or, with `min` or `max`, does it keep to a length?",
    "command": "what the program asks",
    "judge": "What score does a model give by a rubric?",
    "pairwise_judge": "Does a model prefer the answer to the control's, in both orders?",
}
"""What types ask whose declaration depends on their settings."""
_MORE: Final[dict[str, dict[str, Any]]] = {
    "regex": {"from_gold": True},
    "json_schema": {"fields": {"a": "gold"}},
    "length": {"unit": "tokens"},
}
"""Settings with which such a type needs more."""


def configured(name: str) -> tuple[str, ScorerConfig]:
    """Return name and entry of the scorer that an example configures."""
    tree: Any = named_types(yaml.safe_load(EXAMPLES[name]["scorers"]))
    ((column, entry),) = tree.items()
    return column, ScorerConfig.model_validate(entry)


def overview() -> str:
    """Return one row for each type: what it asks, its scale, what it needs, where it is defined."""
    rows = ["| type | what it asks of an answer | scale | better | needs | defined in |", "|---|---|---|---|---|---|"]
    for kind in registry.SCORERS:
        said = _declared(kind)
        scale = "0 or 1" if said.scale == "binary" else "{:g} to {:,.0f}".format(*said.range)
        needs = [*_needed(kind, said), *(f"extra `{extra}`" for extra in _extras(kind))]
        better = said.direction or "depends"
        asks = asked(said.meaning) if isinstance(vars(_type(kind)).get("declared"), Declaration) else _SAID[kind]
        cells = (_linked(kind), asks, scale, better, ", ".join(needs), _one_line(_parts(_type(kind))["References"]))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def example(name: str) -> str:
    """Return an example: what the configuration holds, and how answers score."""
    found = EXAMPLES[name]
    lines = ["```yaml", "scorers:", *(f"  {line}" for line in found["scorers"].splitlines()), "```", ""]
    if "passage" in found:
        lines += [f"The passage: “{found['passage']}”", ""]
    if "choices" in found:
        lines += [f"The choices: {', '.join(found['choices'])}", ""]
    lines += ["| accepted | answer | score |", "|---|---|---|"]
    for row in found["rows"]:
        gold = row.get("gold", "*no answer*")
        lines.append(f"| {_cell(gold)} | {_cell(row['answer'])} | {row['score']:g} |")
    return "\n".join(lines) + "\n"


def settings(name: str) -> str:
    """Return one row for each setting of a type: its default and meaning."""
    return _settings_table(_type(name), without=STATED if name == "command" else frozenset()) or "It has no settings.\n"


def steps() -> str:
    """Return one row for each step of ``extract``: what it finds, and its settings."""
    rows = ["| step | what it finds | settings, with defaults |", "|---|---|---|"]
    for name in registry.EXTRACTS:
        kind = registry.load("extract step", name)
        finds = _one_line(re.split(r"\n\n", inspect.cleandoc(kind.__doc__))[0])
        known = _described(kind)
        own = [each for each in fields(kind) if each.name not in {name, "missing"}]
        listed = "; ".join(f"`{each.name}: {_default(each)}` {known.get(each.name, '')}".rstrip(" .") for each in own)
        rows.append(f"| `{name}` | {finds} | {listed} |")
    return "\n".join(rows) + "\n"


def _type(name: str) -> Any:  # noqa: ANN401 - the class of a scorer
    return registry.load("scorer", name)


def _declared(kind: str) -> Declaration:
    """Return what a type declares by default; one that needs settings, with those of its example."""
    scorer: Any
    try:
        scorer = typed(_type(kind), {})
    except SettingsError:
        scorer = typed(_type(kind), configured(kind)[1].settings)
    declared: Declaration = scorer.declared
    return declared


def _needed(kind: str, said: Declaration) -> list[str]:
    needed = [_NEEDS[need] for need in said.needs]
    for name, value in _MORE.get(kind, {}).items():
        with_it: Declaration = typed(_type(kind), {name: value}).declared
        shown = f"{name}: {value}" if isinstance(value, str) else name
        needed += [f"{_NEEDS[need]} with `{shown}`" for need in with_it.needs if need not in said.needs]
    return needed


def _extras(kind: str) -> list[str]:
    return ["scorers"] if _type(kind).libraries else []


def _linked(kind: str) -> str:
    return f"[`{kind}`]({documented(kind).removeprefix('docs/')})"


def _settings_table(kind: Any, without: frozenset[str]) -> str:  # noqa: ANN401 - the class of a scorer
    known = _described(kind)
    rows = [
        f"| `{each.name}` | `{_default(each)}` | {known.get(each.name, '')} |"
        for each in fields(kind)
        if each.name not in without
    ]
    return "\n".join(["| setting | default | meaning |", "|---|---|---|", *rows]) + "\n" if rows else ""


def _described(kind: Any) -> dict[str, str]:  # noqa: ANN401 - a dataclass
    """Return what the docstrings of a class and its bases say of each attribute."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        for names, typing, said in _FIELD.findall(_parts(each).get("Attributes", "")):
            values = re.findall(r'"([^"]*)"', typing) if typing.startswith("{") else []
            allowed = f" ({' or '.join(f'`{value}`' for value in values)})" if values else ""
            found |= dict.fromkeys(re.split(r", ?", names), f"{_one_line(said).rstrip('.')}{allowed}")
    return found


def _default(each: Any) -> str:  # noqa: ANN401 - a field
    if each.default is MISSING:
        return "needed"
    if each.default is None or isinstance(each.default, bool):
        return {None: "null", True: "true", False: "false"}[each.default]
    return "[]" if each.default == () else str(each.default) if each.default != "" else '""'


def _parts(kind: Any) -> dict[str, str]:  # noqa: ANN401 - a class
    return dict(_SECTION.findall(inspect.cleandoc(kind.__doc__ or "") + "\n"))


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")


def _cell(text: str) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ⏎ ")


def _generated() -> Iterator[tuple[str, Any]]:
    yield "scorers", overview
    yield "extract", steps
    for name in EXAMPLES:
        if "rows" in EXAMPLES[name]:
            yield f"scorer {name}", lambda name=name: example(name)
        if name in registry.SCORERS:
            yield f"settings {name}", lambda name=name: settings(name)


GENERATED: Final = dict(_generated())
"""The names of generated blocks, and what makes each."""
