"""The rows of an uploaded file: what is wrong with them, how many there are, and reading them one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from promptrial.store import jsonl

__all__ = ["InputFacts", "input_rows", "inspect"]

_KEYS: Final = ("messages", "prompt_token_ids")


class InputFacts(msgspec.Struct, frozen=True):
    """What is known of a data set's rows: how many, the first problem (or ""), whether any brings token ids."""

    rows: int
    problem: str
    token_ids: bool


def inspect(paths: Iterable[Path]) -> InputFacts:
    """Look at every row.

    A row that is malformed makes the whole data set unfit, and so does a ``custom_id`` that occurs twice: the two
    answers could not be distinguished. The API is known to be unreliable about line numbers; here they count from 0.
    """
    rows, token_ids, seen = 0, False, set[str]()
    for path in paths:
        for number, line in jsonl.numbered_lines(path):
            try:
                name, body = _decoded(line)
            except ValueError as error:
                return InputFacts(rows, f"line {number - 1}: {error}", token_ids)
            if name in seen:
                return InputFacts(rows, f"line {number - 1}: duplicate custom_id {name!r}", token_ids)
            seen.add(name)
            rows += 1
            token_ids = token_ids or "prompt_token_ids" in body
    return InputFacts(rows, "" if rows else "the dataset has no rows", token_ids)


def input_rows(paths: Iterable[Path]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the id and the body of each row of files that ``inspect`` found fit."""
    for path in paths:
        for line in jsonl.lines(path):
            yield _decoded(line)


def _decoded(line: bytes) -> tuple[str, dict[str, Any]]:
    try:
        row = msgspec.json.decode(line)
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error
    if not isinstance(row, dict):
        raise ValueError("a row must be an object")  # noqa: TRY004 - the inspecting code catches one error
    name, body = row.get("custom_id"), row.get("body")
    if not isinstance(name, str) or not name:
        raise ValueError("a row needs a custom_id")
    if not isinstance(body, dict):
        raise ValueError("a row needs a body")  # noqa: TRY004 - the value is wrong, and its type only one way to be
    if not any(isinstance(body.get(key), list) and body[key] for key in _KEYS):
        raise ValueError("a body needs messages or prompt_token_ids")
    if not all(isinstance(each, dict) for each in body.get("messages", ())):
        raise ValueError("a message must be an object")
    return name, body
