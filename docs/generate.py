"""Write the generated parts of the documentation: ``--help`` texts, the configuration, JSON Schemas, examples.

``python docs/generate.py`` rewrites the text between the markers ``<!-- generated: NAME -->`` and ``<!-- end -->``;
with ``--check`` it changes nothing and ends with 1 if something is out of date.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import re
import runpy
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, JsonValue

from promptrial import registry
from promptrial.archive import manifest as archive_manifest
from promptrial.care import finished_run, run_documents
from promptrial.care.doctor import document as doctor
from promptrial.cli.main import COMMANDS, build_parser, main
from promptrial.config.explaining import models_in
from promptrial.config.sampling import MaxNewTokens
from promptrial.config.schema import ExperimentConfig
from promptrial.datasets.base import DatasetFormat
from promptrial.datasets.columns import NAMES
from promptrial.datasets.table import open_table
from promptrial.documents import (
    aa,
    analysis,
    analysis_plan,
    audit,
    comparison,
    cost_report,
    judges,
    kept_prices,
    label_sheets,
    labels,
    ledger,
    significance,
)
from promptrial.documents import plan as plan_document
from promptrial.model.templates import DEFAULT_TEXTS
from promptrial.phases.base import Phase
from promptrial.scoring.fitting_rules import GOLD_RULES, ITEM_RULES, FittingRule
from promptrial.store import records

DOCS = Path(__file__).resolve().parent
FILES = [DOCS.parent / "README.md", DOCS.parent / "EXPERIMENT_WORKFLOW.md", *sorted(DOCS.glob("*.md"))]
EXAMPLES = sorted(path for path in (DOCS / "examples").iterdir() if path.is_file())
_WORDS: dict[object, str] = {
    JsonValue: "text, section or list",
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    NoneType: "null",
}
_MARKED = re.compile(r"(<!-- generated: (?P<name>[a-z0-9_. -]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def help_text(*words: str) -> str:
    """Return what ``promptrial WORDS --help`` prints, at a fixed width."""
    out = io.StringIO()
    os.environ["COLUMNS"] = "100"
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        main([*words, "--help"])
    return f"```text\n{out.getvalue().rstrip()}\n```\n"


_OF_THE_EXPERIMENT: Final = {"", "providers", "models", "prompt_sets", "datasets", "max_new_tokens", "sweep", "trials"}
"""Keys of the sections that set which models get which requests; the other keys set how a run is done and analysed."""


def _page_of(block: str) -> str:
    """Return the name of the page that has a generated block."""
    (page,) = (path.name for path in DOCS.glob("*.md") if f"<!-- generated: {block} -->" in path.read_text())
    return page


def commands() -> str:
    """Return one row for each command: what it is for, linked to the page that has its help."""
    rows = ["| command | what it is for |", "|---|---|"]
    rows += [f"| [`{verb}`]({_page_of(f'help {verb}')}#{verb}) | {COMMANDS[verb].summary} |" for verb in COMMANDS]
    return "\n".join(rows) + "\n"


def configuration(*, of_the_experiment: bool) -> str:
    """Return one table for each section of the configuration that says what is asked, or for each of the others."""
    found = _tables(ExperimentConfig, "", set())
    return "\n".join(text for at, text in found if (at.partition(".")[0] in _OF_THE_EXPERIMENT) is of_the_experiment)


def _tables(model: type[BaseModel], at: str, seen: set[type[BaseModel]]) -> Iterator[tuple[str, str]]:
    seen.add(model)
    opening = f"## {f'`{at}`' if at else 'Top level'}\n\n{(model.__doc__ or '').strip()}\n"
    rows, below = ["| key | type | default | meaning |", "|---|---|---|---|"], []
    for name, field in model.model_fields.items():
        default = "needed" if field.is_required() else f"`{_shown(field.get_default(call_default_factory=True))}`"
        rows.append(f"| `{name}` | {_type(field.annotation)} | {default} | {field.description or ''} |")
        for inner, steps in models_in(field.annotation):
            if inner not in seen:
                below.append((inner, ".".join(filter(None, [at, name, *["NAME"] * steps]))))
    yield at, "\n".join([opening, *rows]) + "\n"
    for inner, place in below:
        if inner not in seen:
            yield from _tables(inner, place, seen)


def _shown(value: object) -> str:
    if isinstance(value, BaseModel):
        return "see below"
    return json.dumps(value)


def _type(annotation: object) -> str:
    """Return a type in the words of YAML: list of numbers, mapping, one of a few words, or null."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in {Union, UnionType}:
        return " or ".join(_type(argument) for argument in arguments)
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"mapping of {_type(arguments[1])}"
    return _WORDS.get(annotation) or ("section" if isinstance(annotation, type) else str(annotation))


def example(path: Path) -> str:
    """Return a file of ``docs/examples`` unchanged."""
    language = {".py": "python", ".yaml": "yaml", ".jsonl": "json"}.get(path.suffix, "text")
    return f"```{language}\n{path.read_text().rstrip()}\n```\n"


def templates() -> str:
    """Return one row for each kind of question: when its template is used, and the packaged text."""
    rows = ["| key | for questions with | packaged text |", "|---|---|---|"]
    for kind, text in DEFAULT_TEXTS.items():
        has = [name for name in ("context", "choices") if f"{{{name}}}" in text]
        held = " and ".join({"context": "a passage", "choices": "choices"}[name] for name in has)
        rows.append(f"| `{kind}` | {held or 'neither passage nor choices'} | `{json.dumps(text)[1:-1]}` |")
    return "\n".join(rows) + "\n"


def fitting() -> str:
    """Return one row for each kind of question: the scorers that fit it, and the limit of an answer."""
    rows = ["| questions with | scorers, the first one primary | tokens of an answer |", "|---|---|---|"]
    default = MaxNewTokens().closed_book
    rows += [f"| {rule.held} | {_scorers(rule)} | {rule.max_new_tokens or default} |" for rule in GOLD_RULES]
    rows += [f"| {rule.held} (in addition) | {_scorers(rule)} | |" for rule in ITEM_RULES]
    return "\n".join(rows) + "\n"


def _scorers(rule: FittingRule) -> str:
    return ", ".join(f"`{name}`" for name in rule.scorers)


def layers() -> str:
    """Return the layers that the import contract enforces, the topmost first, with what each package is for."""
    contracts = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    ordered = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    rows = ["| layer | package | what it answers |", "|---|---|---|"]
    for number, layer in enumerate(ordered, 1):
        for package in layer.split(" | "):
            said = (importlib.import_module(f"promptrial.{package}").__doc__ or "").partition("\n")[0]
            rows.append(f"| {number} | `{package}` | {said.replace('``', '`')} |")
    return "\n".join(rows) + "\n"


def phases() -> str:
    """Return one row for each phase: what it reads, what it works on, and the first sentence of its module."""
    rows = ["| phase | what it does | reads | works on |", "|---|---|---|---|"]
    for name, entry in registry.PHASES.items():
        phase: Phase = registry.load("phase", name)
        said = (importlib.import_module(entry.partition(":")[0]).__doc__ or "").partition(": ")[2]
        does = re.split(r"\.\s", said, maxsplit=1)[0].rstrip(".").replace("``", "`")
        units = "parts" if phase.content_addressed else "each trial" if phase.run_trial else "the run"
        after = ", then the run" if phase.run_trial and phase.run_whole else ""
        rows.append(f"| {name} | {does} | {', '.join(phase.reads) or 'question files'} | {units}{after} |")
    return "\n".join(rows) + "\n"


SHAPES = DOCS.parent / "tests/data/questions/shapes"
_BOOK = {"open": "open-book", "closed": "closed-book", None: "by question"}


def formats() -> str:
    """Return one row for each format of question files."""
    rows = ["| format | what a file of it holds | type | scorers that fit |", "|---|---|---|---|"]
    for name, entry in registry.DATASETS.items():
        format_: DatasetFormat = registry.load("dataset format", name)
        about = format_.layout.about if format_.layout else _opening(entry)[0].partition(":")[0]
        place = "#columns" if format_.layout is None else f"formats.md#{_anchor(entry)}"
        fit = ", ".join(f"`{scorer}`" for scorer in format_.scorers)
        rows.append(f"| [`{name}`]({place}) | {about} | {_BOOK[format_.type]} | {fit} |")
    return "\n".join(rows) + "\n"


def layouts() -> str:
    """Return a section for each module of known layouts: what it says of them, and an example of each with its item."""
    expected = json.loads((SHAPES / "expected.json").read_text(encoding="utf-8"))
    examples = {shape["format"]: (name, shape["items"][0]) for name, shape in reversed(expected.items())}
    sections: dict[str, list[str]] = {}
    for name, entry in registry.DATASETS.items():
        if registry.load("dataset format", name).layout is None:
            continue
        parts = sections.setdefault(entry.partition(":")[0], [])
        if not parts:
            parts += [f"## {_title(entry)}", *filter(None, _opening(entry))]
        file, item = examples[name]
        row, becomes = _first_row(SHAPES / file), json.dumps(item, ensure_ascii=False)
        parts.append(f"```{'text' if file.endswith('.csv') else 'json'}\n{row}\n{becomes}\n```")
    return "\n\n".join(part for parts in sections.values() for part in parts) + "\n"


def _opening(entry: str) -> tuple[str, str]:
    """Return the first line and the rest of what a module says of itself, without its references."""
    said = (importlib.import_module(entry.partition(":")[0]).__doc__ or "").partition("\nReferences\n")[0]
    first, _, rest = said.strip().replace("``", "`").partition("\n")
    return first, rest.strip()


def _title(entry: str) -> str:
    module = entry.partition(":")[0]
    return ", ".join(name for name, other in registry.DATASETS.items() if other.partition(":")[0] == module)


def _anchor(entry: str) -> str:
    return _title(entry).replace(", ", "-")


def _first_row(path: Path) -> str:
    """Return the first row of a question file, below its header if it has one."""
    if path.suffix == ".csv":
        return "\n".join(path.read_text(encoding="utf-8").splitlines()[:2])
    row = next(open_table(path, names=NAMES).rows())[1]
    return json.dumps(row, ensure_ascii=False)


def published_schemas() -> str:
    """Return a list of the JSON Schemas."""
    rows = [
        f"- [{schema['title'].removeprefix('promptrial ')}](schemas/{name}.schema.json)"
        for name, schema in sorted(schemas().items())
    ]
    return "\n".join(rows) + "\n"


GENERATED: dict[str, Callable[[], str]] = {
    "help": help_text,
    **{f"help {verb}": (lambda verb=verb: help_text(verb)) for verb in COMMANDS},  # type: ignore[misc]  # mypy cannot infer such a lambda
    **{f"help config {action}": (lambda action=action: help_text("config", action)) for action in ("show", "check")},  # type: ignore[misc]  # mypy cannot infer such a lambda
    "commands": commands,
    "configuration of the experiment": lambda: configuration(of_the_experiment=True),
    "configuration of the run": lambda: configuration(of_the_experiment=False),
    "layers": layers,
    "fitting": fitting,
    "templates": templates,
    "phases": phases,
    "schemas": published_schemas,
    **runpy.run_path(str(DOCS / "scorer_tables.py"))["GENERATED"],
    **runpy.run_path(str(DOCS / "provider_tables.py"))["GENERATED"],
    **runpy.run_path(str(DOCS / "message_tables.py"))["GENERATED"],
    **runpy.run_path(str(DOCS / "scaling_tables.py"))["GENERATED"],
    **runpy.run_path(str(DOCS / "dependency_tables.py"))["GENERATED"],
    **runpy.run_path(str(DOCS / "module_tables.py"))["GENERATED"],
    "formats": formats,
    "layouts": layouts,
    **{f"example {path.name}": (lambda path=path: example(path)) for path in EXAMPLES},  # type: ignore[misc]  # mypy cannot infer such a lambda
}


def refreshed(text: str) -> str:
    """Return a page whose generated parts are up to date."""
    return _MARKED.sub(lambda match: match.group(1) + GENERATED[match.group("name")]() + match.group(3), text)


def schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of every document that is promised to other programs."""
    return {
        "run_state": records.json_schema(records.RunState),
        "trial_manifest": records.json_schema(records.TrialManifest),
        "significance": significance.json_schema(),
        "costs": cost_report.json_schema(),
        "judges": judges.json_schema(),
        "prices": kept_prices.json_schema(),
        "status": run_documents.status_schema(),
        "ledger": ledger.json_schema(),
        "list": run_documents.list_schema(),
        "run": finished_run.run_schema(),
        "compare": comparison.json_schema(),
        "analyze": analysis.json_schema(),
        "aa": aa.json_schema(),
        "label": labels.json_schema(),
        "labels": label_sheets.json_schema(),
        "agreement": labels.agreement_json_schema(),
        "doctor": doctor.json_schema(),
        "audit": audit.json_schema(),
        "archive_manifest": archive_manifest.json_schema(),
        "plan": plan_document.json_schema(),
        "analysis_plan": analysis_plan.json_schema(),
    }


def pages() -> dict[Path, str]:
    """Return every file that is made here, in part or whole, and its text as it should be."""
    made = {path: refreshed(path.read_text()) for path in FILES if path.exists()}
    return made | {
        DOCS / "schemas" / f"{name}.schema.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in schemas().items()
    }


def run(arguments: list[str]) -> int:
    """Rewrite, or check."""
    stale = {path: text for path, text in pages().items() if not path.exists() or path.read_text() != text}
    if arguments == ["--check"]:
        for path in stale:
            print(f"{path.relative_to(DOCS.parent)} is out of date; run: make docs", file=sys.stderr)
        return 1 if stale else 0
    for path, text in stale.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    build_parser()
    sys.exit(run(sys.argv[1:]))
