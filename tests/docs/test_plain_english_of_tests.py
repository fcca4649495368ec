"""Names, docstrings and comments of tests, benchmarks, scripts and docs/*.py are in plain, standard English."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tests.docs.test_plain_english import phrases

ROOT = Path(__file__).parents[2]
FOLDERS = ("tests", "benchmarks", "scripts")


def files() -> list[Path]:
    """Return the modules whose names, docstrings and comments only maintainers read."""
    return sorted(
        [*(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")), *(ROOT / "docs").glob("*.py")]
    )


def prose(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of each function name, docstring and comment; a name with spaces in place of underscores."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name.replace("_", " ")
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, " ".join(node.value.value.split())
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def found() -> list[tuple[str, int, str]]:
    """Return file, line and phrase of all that a native reader stops at."""
    hits = []
    for path in files():
        source = path.read_text(encoding="utf-8")
        if any(phrases(" ".join(source.replace("_", " ").split()))):
            hits += [
                (path.relative_to(ROOT).as_posix(), line, phrase)
                for line, text in prose(source)
                for phrase in phrases(text)
            ]
    return hits


def test_no_name_docstring_or_comment_of_a_test_has_a_phrase_that_a_native_reader_stops_at() -> None:
    assert [f"{file}:{line}: {phrase!r}" for file, line, phrase in found()] == []


def test_a_phrase_of_the_list_is_found_in_names_docstrings_and_comments() -> None:
    source = 'def test_it_is_made_anew():\n    """It is\n    made anew."""\n    x = "made anew"  # made anew\n'
    assert [(line, [*phrases(text)]) for line, text in prose(source)] == [(1, ["anew"]), (2, ["anew"]), (4, ["anew"])]
