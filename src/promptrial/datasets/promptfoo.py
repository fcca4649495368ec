"""Tests of promptfoo: ``vars`` and ``assert`` in YAML, JSON or JSONL, or a table with ``__expected`` columns.

A test's question is the variable with a well-known name (``question``, ``prompt``, ...), or its only one; otherwise
``columns: {question: NAME}`` says which. The other variables and the metadata are extra columns.

Accepted answers can express that an answer equals, contains or begins with a text, or one of several, or is measured
against a reference text. Other assertions (code, rubrics, limits) are not used, and counted. ``defaultTest`` of a
configuration adds its variables, metadata and assertions to each test.

References
----------
The documentation of promptfoo, "Test Case Configuration" and "Assertions and metrics".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from promptrial.datasets.base import DatasetFormat, Placed, Reading
from promptrial.datasets.columns import NAMES, WELL_KNOWN, fold
from promptrial.datasets.json_document import JsonDocument
from promptrial.datasets.layout import Layout
from promptrial.datasets.shapes import Draft, MisfitError, Notes, Variant, flat, passage
from promptrial.datasets.table import Row, Table, open_table
from promptrial.datasets.value_texts import text_of
from promptrial.datasets.yaml_rows import load_questions
from promptrial.errors import DataError

__all__ = ["FORMAT"]

_ONE: Final = frozenset({"equals", "contains", "icontains", "starts-with"})
_ANY: Final = frozenset({"contains-any", "icontains-any"})
_REFERENCE: Final = frozenset({"similar", "levenshtein", "rouge-n", "bleu", "factuality", "model-graded-factuality"})
_UNUSED_KEYS: Final = "tests with keys that say how promptfoo runs them, which are not used"
_UNUSED: Final = "assertions that cannot be expressed as accepted answers, which are not used"
_SECOND: Final = "further assertions of a test, which would have to hold together with the first one, and are not used"
_VARIABLE: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_CELL: Final = re.compile(r"(?P<type>[a-z][a-z-]*)(?:\([\d.]+\))?:(?P<value>.*)", re.DOTALL)
_EXPECTED: Final = re.compile(r"__expected\d*")
_METADATA: Final = "__metadata:"
_SHORT: Final = {"fn": "javascript", "eval": "javascript", "grade": "llm-rubric"}
_OTHER_TYPES: Final = (
    "answer-relevance classifier contains-all contains-html contains-json contains-sql contains-xml",
    "context-faithfulness context-recall context-relevance cost eval file finish-reason fn g-eval gleu grade",
    "guardrails human icontains-all is-html is-json is-refusal is-sql is-valid-function-call",
    "is-valid-openai-function-call is-valid-openai-tools-call is-xml javascript latency llm-rubric max-score meteor",
    "model-graded-closedqa moderation perplexity perplexity-score pi python regex ruby search-rubric select-best",
    "tool-call-f1 webhook word-count",
)
_OTHER: Final = frozenset(name for line in _OTHER_TYPES for name in line.split())


class _Assertion(NamedTuple):
    type: str
    value: object


class _Config(msgspec.Struct):
    default_test: Any = msgspec.field(name="defaultTest", default=None)


class _Test(msgspec.Struct):
    vars: dict[str, Any]
    asserts: list[dict[str, Any]] = msgspec.field(name="assert", default=[])
    metadata: dict[str, Any] | None = None
    description: str | None = None
    options: Any = None
    threshold: Any = None
    provider: Any = None
    providers: Any = None


def _test(row: _Test, notes: Notes) -> Iterator[Draft]:
    for key in ("options", "threshold", "provider", "providers"):
        if getattr(row, key) is not None:
            notes.remark(_UNUSED_KEYS, key)
    assertions = [_Assertion(str(one.get("type")), one.get("value")) for one in row.asserts]
    extra = flat(row.metadata) | flat({"description": row.description})
    yield _draft(row.vars, assertions, extra, notes)


def _table_row(row: Mapping[str, Any], notes: Notes) -> Iterator[Draft]:
    variables = {name: value for name, value in row.items() if not name.startswith("__") and value is not None}
    cells = [text_of(row[name]) for name in row if _EXPECTED.fullmatch(name) and row[name] not in (None, "")]
    metadata = {name.removeprefix(_METADATA): value for name, value in row.items() if name.startswith(_METADATA)}
    metadata["description"] = row.get("__description")
    draft = _draft(variables, [_parsed(cell) for cell in cells], flat(metadata), notes)
    around = [text_of(row.get(name) or "") for name in ("__prefix", "__suffix")]
    yield replace(draft, question=draft.question.join(around))


def _parsed(cell: str) -> _Assertion:
    """Return the assertion of a cell: ``contains: Paris``; without a known type, the text that the answer equals."""
    found = _CELL.fullmatch(cell.strip())
    if found is None or found["type"].removeprefix("not-") not in _ONE | _ANY | _REFERENCE | _OTHER:
        return _Assertion("equals", cell.strip())
    kind, value = found["type"], found["value"].strip()
    if kind in _ANY:
        return _Assertion(kind, [part.strip() for part in value.split(",") if part.strip()])
    return _Assertion(_SHORT.get(kind, kind), value)


def _draft(
    variables: Mapping[str, Any], assertions: Sequence[_Assertion], extra: dict[str, str], notes: Notes
) -> Draft:
    question = _question_name(variables, notes)
    context = _variable("context", variables, notes)
    others = {name: value for name, value in variables.items() if name not in {question, context}}
    return Draft(
        _text(question, variables[question]),
        _answers(assertions, variables, notes),
        context=None if context is None else passage(_text(context, variables[context])),
        extra=flat(others) | extra,
    )


def _variable(role: str, variables: Mapping[str, Any], notes: Notes) -> str | None:
    """Return the variable that the configuration names for a role, else the one with a well-known name."""
    given = notes.columns.get(role)
    if given is not None:
        if not isinstance(given, str) or given not in variables:
            raise MisfitError(f"no variable {given!r}, which `columns.{role}` names; they are: {', '.join(variables)}")
        return given
    by_name = {fold(name): name for name in reversed(list(variables))}
    return next((by_name[name] for name in WELL_KNOWN[role] if name in by_name), None)


def _question_name(variables: Mapping[str, Any], notes: Notes) -> str:
    name = _variable("question", variables, notes)
    if name is None and len(variables) == 1:
        name = next(iter(variables))
    if name is None:
        raise MisfitError(
            f"no variable is recognised as the question; the variables are: {', '.join(variables) or 'none'}. Write "
            "`columns: {question: NAME}` with the one that is"
        )
    return name


def _text(name: str, value: object) -> str:
    if isinstance(value, list):
        raise MisfitError(
            f"the variable {name!r} is a list, which promptfoo makes several tests of; write each as a test of its own"
        )
    text = text_of(value)
    if text.startswith("file://"):
        raise MisfitError(f"the variable {name!r} names a file ({text[:60]}); write its text here")
    return text


def _answers(assertions: Sequence[_Assertion], variables: Mapping[str, Any], notes: Notes) -> list[str]:
    answers: list[str] = []
    for assertion in assertions:
        accepted = _accepted(assertion, variables)
        if accepted and not answers:
            answers = accepted
        elif not accepted:
            notes.remark(_UNUSED, assertion.type)
        elif accepted != answers:
            notes.remark(_SECOND, assertion.type)
    return answers


def _accepted(assertion: _Assertion, variables: Mapping[str, Any]) -> list[str]:
    """Return the texts of which an assertion wants one; empty if it is of another kind."""
    value = assertion.value
    if assertion.type in _ANY:
        values = value if isinstance(value, list) else [value]
    elif assertion.type in _ONE | _REFERENCE and not isinstance(value, list):
        values = [value]
    else:
        return []
    if any(isinstance(one, dict | list) or one is None for one in values):
        return []
    texts = [_VARIABLE.sub(lambda name: _filled(name, variables), text_of(one)) for one in values]
    return [] if any("{{" in text or text.startswith("file://") or not text.strip() for text in texts) else texts


def _filled(name: re.Match[str], variables: Mapping[str, Any]) -> str:
    value = variables.get(name[1])
    return name[0] if value is None or isinstance(value, dict | list) else text_of(value)


def _with_defaults(added: Mapping[str, Any], rows: Iterable[Row]) -> Iterator[Row]:
    """Yield tests with what ``defaultTest`` of their configuration adds to each: variables, assertions, metadata."""
    for place, row in rows:
        merged = dict[str, Any](row)
        for key in ("vars", "metadata"):
            own = merged.get(key) or {}
            if isinstance(added.get(key), dict) and isinstance(own, dict):
                merged[key] = {**added[key], **own}
        asserts = merged.get("assert") or []
        if isinstance(added.get("assert"), list) and isinstance(asserts, list):
            merged["assert"] = [*asserts, *added["assert"]]
        yield place, merged


def _read(table: Table) -> tuple[object, Iterator[Row]]:
    """Return ``defaultTest`` of a configuration of promptfoo, and the tests.

    It is None if there is none, or the file is not a configuration. What is wrong with JSON is said when its tests are
    read.
    """
    if table.kind == "yaml":
        with table.content.open() as file:
            found = load_questions(table.path, file)
        return found.value.get("defaultTest") if isinstance(found.value, dict) else None, found.rows()
    default = None
    if table.kind == "object":
        with suppress(DataError), table.content.seekable() as file:
            default = JsonDocument(table.path, file).root(_Config).default_test
    return default, table.rows()


def _table_items(path: Path, dataset: str, reading: Reading) -> Placed:
    default, rows = _read(open_table(path, reading.encoding, NAMES, reading.sheet))
    if default is not None and not isinstance(default, dict):
        reading.say("`defaultTest` names a file, which is not read")
    return _LAYOUT.items(_with_defaults(default, rows) if isinstance(default, dict) else rows, dataset, reading)


_LAYOUT: Final = Layout(
    "promptfoo tests: `vars` and `assert` in YAML, JSON or JSONL; a table with `__expected`",
    (Variant(_Test, _test), Variant(None, _table_row, signs=frozenset({"__expected", "__expected1"}))),
    takes_columns=True,
)
FORMAT: Final = DatasetFormat(
    name="promptfoo",
    type=None,
    hub=None,
    table_items=_table_items,
    layout=_LAYOUT,
)
