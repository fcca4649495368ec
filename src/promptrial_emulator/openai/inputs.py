"""The rows of a batch's input file: what validation finds wrong with them, and reading them one by one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from promptrial.store import jsonl

__all__ = ["InputFacts", "Problem", "input_rows", "inspect", "problems_of"]

_MOST_PROBLEMS: Final = 50
_REQUIRED: Final = ("custom_id", "method", "url", "body")


class Problem(msgspec.Struct, frozen=True):
    """One thing that validation finds: a code, a sentence, the line (from 1) and the field."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


class InputFacts(msgspec.Struct, frozen=True):
    """What is known of an input file: rows, words in prompts, problems, and where each url and model first occurs."""

    rows: int
    tokens: int
    problems: list[Problem]
    urls: dict[str, int]
    models: dict[str, int]


class _Row(msgspec.Struct):
    custom_id: str
    method: str
    url: str
    body: dict[str, Any]


_DECODER: Final = msgspec.json.Decoder(_Row)


def inspect(path: Path) -> InputFacts:
    """Look at every row; at most 50 problems are kept."""
    found = _Findings()
    for number, line in jsonl.numbered_lines(path):
        found.look_at(number, line)
    return InputFacts(found.rows, found.tokens, found.problems, found.urls, found.models)


class _Findings:
    def __init__(self) -> None:
        self.ids: set[str] = set()
        self.rows = self.tokens = 0
        self.problems: list[Problem] = []
        self.urls: dict[str, int] = {}
        self.models: dict[str, int] = {}

    def look_at(self, number: int, line: bytes) -> None:
        try:
            row = _DECODER.decode(line)
        except (ValueError, RecursionError):
            self._note(_unreadable(number, line))
            return
        if not row.custom_id:
            self._note(_missing(number, "custom_id"))
        elif row.custom_id in self.ids:
            text = f"The custom_id '{row.custom_id}' for this request is a duplicate of another request."
            self._note(Problem("duplicate_custom_id", text, number, "custom_id"))
        if row.method != "POST":
            self._note(Problem("invalid_method", f"Invalid method '{row.method}'.", number, "method"))
        self.rows += 1
        self.ids.add(row.custom_id)
        self.tokens += _words(row.body)
        self.urls.setdefault(row.url, number)
        self.models.setdefault(str(row.body.get("model", "")), number)

    def _note(self, problem: Problem) -> None:
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(problem)


def _unreadable(number: int, line: bytes) -> Problem:
    """Return what is wrong with a line that is not a row."""
    try:
        value = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return Problem("invalid_json_line", "This line is not parseable as valid JSON.", number)
    if isinstance(value, dict):
        for name in _REQUIRED:
            if not value.get(name):
                return _missing(number, name)
    return Problem("invalid_request", "This line is not a batch request.", number)


def _missing(number: int, name: str) -> Problem:
    return Problem("missing_required_parameter", f"Missing required parameter: '{name}'.", number, name)


def _words(body: dict[str, Any]) -> int:
    """Return about how many tokens a request's prompt has."""
    prompt = body.get("messages") or body.get("input") or ""
    return len(msgspec.json.encode(prompt).split())


def problems_of(facts: InputFacts, endpoint: str, most_rows: int) -> list[Problem]:
    """Return what validation finds wrong with a file for an endpoint, the most basic problem first."""
    if facts.rows == 0 and not facts.problems:
        return [Problem("empty_file", "The batch input file is empty: it must hold at least one request.")]
    if facts.rows > most_rows:
        text = f"The batch input file contains {facts.rows} requests; the most is {most_rows}."
        return [Problem("too_many_tasks", text)]
    if facts.problems:
        return facts.problems
    found = []
    for url, line in facts.urls.items():
        if url != endpoint:
            text = f"The URL provided for this request ('{url}') does not match the batch endpoint ('{endpoint}')."
            found.append(Problem("url_mismatch", text, line, "url"))
    first = next(iter(facts.models))
    for model, line in [*facts.models.items()][1:]:
        text = f"The provided model '{model}' does not match the model of the other requests ('{first}')."
        found.append(Problem("model_mismatch", text, line, "body.model"))
    return found[:_MOST_PROBLEMS]


def input_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the id and the body of each row of a file without problems."""
    for line in jsonl.lines(path):
        row = _DECODER.decode(line)
        yield row.custom_id, row.body
