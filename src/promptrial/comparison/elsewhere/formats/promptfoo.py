"""Outputs of promptfoo, JSON (versions 2 and 3) and JSONL: a prompt and a provider are an arm, a test is an item.

Measures are ``pass`` (whether all assertions held), ``score``, and each of ``namedScores``. A test whose request failed
is missing, not wrong. Where tests are repeated, items are distinguished by their variables and the repeats are
replicates.

References
----------
promptfoo, ``promptfoo eval --output results.json``, ``results.version``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from promptrial.comparison.elsewhere.json_lines import decoded, first_object, raw_lines
from promptrial.comparison.elsewhere.json_text import open_document
from promptrial.comparison.elsewhere.rows import (
    SEE,
    Opened,
    ReadingNotes,
    ResultFormat,
    RowTexts,
    ScoreRow,
    fingerprint,
    unknown,
)
from promptrial.datasets.encodings import Content
from promptrial.datasets.place import Place
from promptrial.datasets.type_words import in_words
from promptrial.datasets.value_texts import text_of
from promptrial.errors import UsageError

__all__ = ["FORMAT"]

_VERSIONS: Final = (2, 3)
_LINE_KEYS: Final = frozenset({"promptIdx", "testIdx", "success"})
_REQUEST_FAILED: Final = 2
"""``failureReason`` of a test whose request failed; 1 is an assertion."""
_LONGEST: Final = 40


class _Provider(msgspec.Struct):
    id: str | None = None
    label: str | None = None


class _Prompt(msgspec.Struct):
    raw: str | None = None
    label: str | None = None
    display: str | None = None


class _Column(NamedTuple):
    """An arm: provider, prompt, and the place of both among those of the output, which two alike have of their own."""

    provider: str
    prompt: str
    place: int | None


class _Test(msgspec.Struct):
    vars: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class _Result(msgspec.Struct):
    success: bool
    score: Any = None
    namedScores: dict[str, Any] | None = None  # noqa: N815 - promptfoo's name, as those below
    promptIdx: int | None = None  # noqa: N815 - the name in the file
    testIdx: int | None = None  # noqa: N815 - the name in the file
    provider: _Provider | str | None = None
    prompt: _Prompt | str | None = None
    vars: dict[str, Any] | None = None
    testCase: _Test | None = None  # noqa: N815 - the name in the file
    failureReason: int | None = None  # noqa: N815 - the name in the file
    response: Any = None


class _Results(msgspec.Struct):
    version: int
    results: list[msgspec.Raw]


class _Options(msgspec.Struct):
    repeat: int = 1


class _Config(msgspec.Struct):
    evaluateOptions: _Options | None = None  # noqa: N815 - the name in the file


class _Output(msgspec.Struct):
    results: _Results
    config: _Config | None = None


def _recognises(opened: Opened) -> bool:
    content = opened.content
    if content is None or content.binary:
        return False
    first = first_object(content)
    if first is not None and first.keys() >= _LINE_KEYS:
        return True
    head = content.head.lstrip()[:4096]
    return head.startswith(b"{") and b'"results"' in head and b'"version"' in head and b'"eval"' not in head


def _read(opened: Opened, notes: ReadingNotes) -> Iterator[ScoreRow]:
    content = opened.content
    if content is None:
        return
    notes.directions |= {"pass": "higher", "score": "higher"}
    names = _arm_names(result for _, result in _results(content)[1])
    repeat, results = _results(content)
    for place, result in results:
        yield _row(place, result, names[_column(result)], opened, notes, is_repeated=repeat > 1)


def _results(content: Content) -> tuple[int, Iterator[tuple[Place, _Result]]]:
    """Return how often each test was asked, and the results."""
    first = first_object(content)
    if first is None or not first.keys() >= _LINE_KEYS:
        return _of_document(content)
    lines = raw_lines(content)
    objects = ((place, {name: decoded(place, raw) for name, raw in raws.items()}) for place, raws in lines)
    return 1, ((place, _typed(place, value)) for place, value in objects)


def _of_document(content: Content) -> tuple[int, Iterator[tuple[Place, _Result]]]:
    with open_document(content) as document:
        output = document.root(_Output)
    if output.results.version not in _VERSIONS:
        raise Place(content.path, 1).error(
            f"an output of version {output.results.version}; known are {', '.join(map(str, _VERSIONS))}",
            hint=f"upgrade promptrial, or export the scores as a table; {SEE}",
        )
    options = output.config.evaluateOptions if output.config else None
    return options.repeat if options else 1, document.entries(output.results.results, _Result, "results.results")


def _typed(place: Place, value: object) -> _Result:
    try:
        return msgspec.convert(value, _Result)
    except msgspec.ValidationError as error:
        raise place.error(f"not a result of promptfoo: {in_words(error)}", hint=SEE) from error


def _column(result: _Result) -> _Column:
    """Return what tells arms apart."""
    provider, prompt = result.provider, result.prompt
    of_provider = provider.label or provider.id if isinstance(provider, _Provider) else provider
    of_prompt = prompt.label or prompt.display or prompt.raw if isinstance(prompt, _Prompt) else prompt
    return _Column(of_provider or "", of_prompt or "", result.promptIdx)


def _arm_names(results: Iterator[_Result]) -> Mapping[_Column, str]:
    """Return a name for each arm: its prompt where there is one provider, its provider where there is one prompt."""
    columns = list(dict.fromkeys(map(_column, results)))
    providers, prompts = {each.provider for each in columns}, {each.prompt for each in columns}
    names: dict[_Column, str] = {}
    for column in columns:
        provider, prompt, _ = column
        text = " ".join(prompt.split())
        short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
        name = short if len(providers) == 1 and len(prompts) > 1 else provider
        name = f"{provider}, {short}" if len(providers) > 1 and len(prompts) > 1 else name
        again = sum(other == name or other.startswith(f"{name} (") for other in names.values())
        names[column] = f"{name} ({again + 1})" if again else name
    return names


def _row(
    place: Place, result: _Result, arm: str, opened: Opened, notes: ReadingNotes, *, is_repeated: bool
) -> ScoreRow:
    fields = result.vars or (result.testCase.vars if result.testCase else None) or {}
    content = fingerprint(text_of(fields))
    by_fields = is_repeated or result.testIdx is None
    columns = opened.columns
    return ScoreRow(
        place,
        f"test {content}" if by_fields else f"test {result.testIdx}",
        _scores(result, notes),
        arm=arm,
        replicate=str(result.testIdx) if is_repeated else "",
        cluster=_field(place, result, fields, "cluster", columns.cluster),
        group=_field(place, result, fields, "group", columns.group),
        content=content,
        texts=_texts(result, fields) if notes.room > 0 else None,
    )


def _texts(result: _Result, fields: Mapping[str, Any]) -> RowTexts:
    """Return the variables of the test (the text alone where there is one), and the output."""
    asked = next(iter(fields.values())) if len(fields) == 1 else fields
    output = result.response.get("output") if isinstance(result.response, dict) else result.response
    return RowTexts(text_of(asked), "", text_of(output))


def _field(place: Place, result: _Result, fields: Mapping[str, Any], what: str, name: str) -> str:
    if not name:
        return ""
    known = {**((result.testCase.metadata if result.testCase else None) or {}), **fields}
    if name not in known:
        raise UsageError(f"{place} --{what} {name}: {unknown('variable of the test', name, [*known])}")
    return text_of(known[name])


def _scores(result: _Result, notes: ReadingNotes) -> dict[str, float | None]:
    if result.failureReason == _REQUEST_FAILED:
        notes.counts["tests whose request failed, missing"] += 1
        return {"pass": None, "score": None}
    scores = {"score": result.score, **(result.namedScores or {})}
    found: dict[str, float | None] = {"pass": float(result.success)}
    for name, value in scores.items():
        notes.score(found, name, value)
    return found


FORMAT: Final = ResultFormat(
    name="promptfoo",
    label="an output of promptfoo",
    recognises=_recognises,
    read=_read,
    patterns=("*.json",),
    preferred=("pass",),
)
