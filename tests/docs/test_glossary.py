"""One word for one thing: every term of the glossary is used, and no text has another word for it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.docs.test_plain_english import PACKAGES, PHRASES_OF_ANSWERS, literals, paragraphs, remarks

ROOT: Final = Path(__file__).parents[2]
GLOSSARY: Final = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
ROWS: Final = re.findall(r"^\| (?!word \||---)([^|]+?) \| (.+?) \| ?([^|]*?) ?\|$", GLOSSARY, re.MULTILINE)
EXCEPTIONS: Final = {
    ("docs/emulator.md", "variant"): "of a fault of the emulator",
    ("docs/extending_providers.md", "variant"): "of a fault of the emulator",
    ("src/promptrial/stats/attrition.py", "metric"): "a reason in significance.json, whose bytes stay the same",
    ("src/promptrial/stats/endpoints.py", "metric"): "a reason in significance.json, whose bytes stay the same",
    ("src/promptrial/stats/missing.py", "metric"): "a reason in significance.json, whose bytes stay the same",
}
EXCEPTIONS_IN_THE_CODE: Final = {
    ("docs/adr/0029-one-emulator-for-all-apis.md", "variant"): "of a fault of the emulator",
    ("src/promptrial/datasets/promptfoo.py", "metric"): "the title of a page",
    ("src/promptrial_emulator/faults/answers.py", "variant"): "of a fault of the emulator",
    ("src/promptrial_emulator/faults/rules.py", "variant"): "of a fault of the emulator",
}


def forms(word: str) -> str:
    """Return a regular expression for a word and its endings."""
    stem = re.escape(word.removesuffix("e"))
    return rf"(?<![\w|./-]){stem}(?:e?s|e?d|ing|e)?(?![\w|/-])"


_BLOCK: Final = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
UNWANTED: Final = {
    other: re.compile(forms(other), re.IGNORECASE) for _, _, others in ROWS for other in others.split(", ") if other
}


def prose(text: str) -> str:
    """Return a text without the parts in backticks, which are names of keys and files."""
    return re.sub(r"`[^`]*`", "", text)


def texts() -> Iterator[tuple[str, int, str]]:
    """Yield file, line and prose of all that a user meets: messages and reports, scripts of pages, and pages."""
    for package in PACKAGES:
        for path in sorted(package.rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(PHRASES_OF_ANSWERS):
                found = literals(path.read_text(encoding="utf-8"))
                yield from ((name, line, prose(text)) for line, text in found if " " in text)
    for path in [
        *sorted((ROOT / "docs").glob("*.md")),
        *(ROOT / name for name in ("README.md", "EXPERIMENT_WORKFLOW.md")),
    ]:
        if path.name != "glossary.md" and not path.name.startswith("modules_"):  # those repeat what modules begin with
            blocks = _BLOCK.sub(lambda found: "\n" * found[0].count("\n"), path.read_text(encoding="utf-8"))
            lines = enumerate(blocks.splitlines(), 1)
            yield from ((path.relative_to(ROOT).as_posix(), number, prose(line)) for number, line in lines)


def texts_of_the_code() -> Iterator[tuple[str, int, str]]:
    """Yield file, line and prose of what a maintainer reads besides: docstrings, comments, decisions and two pages."""
    for path in sorted(path for package in PACKAGES for path in package.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        yield from ((name, line, prose(text)) for line, text in remarks(path.read_text(encoding="utf-8")))
    others = [ROOT / "CONTRIBUTING.md", ROOT / "tests/README.md", *(ROOT / "docs").glob("modules_*.md")]
    for path in sorted([*others, *(ROOT / "docs/adr").glob("*.md")]):
        name, page = path.relative_to(ROOT).as_posix(), _BLOCK.sub("", path.read_text(encoding="utf-8"))
        yield from ((name, line, prose(text)) for line, text in paragraphs(page))


@functools.cache
def all_texts_of_the_code() -> tuple[tuple[str, int, str], ...]:
    """Return what ``texts_of_the_code`` yields."""
    return tuple(texts_of_the_code())


@functools.cache
def all_texts() -> tuple[tuple[str, int, str], ...]:
    """Return what ``texts`` yields; it takes seconds, and so is not done where tests are only collected."""
    return tuple(texts())


def uses(word: str, found: Iterable[tuple[str, int, str]]) -> Iterator[tuple[str, int, str]]:
    """Yield file, line and prose of the texts that have a word."""
    return ((file, line, text) for file, line, text in found if UNWANTED[word].search(text))


@pytest.mark.parametrize("word", UNWANTED)
def test_no_text_uses_another_word_for_a_term_of_the_glossary(word: str) -> None:
    found = [each for each in uses(word, all_texts()) if (each[0], word) not in EXCEPTIONS]
    assert [f"{file}:{line}: {text.strip()[:100]}" for file, line, text in found] == []


@pytest.mark.parametrize("word", UNWANTED)
def test_no_docstring_comment_or_decision_uses_another_word_for_a_term_of_the_glossary(word: str) -> None:
    found = [each for each in uses(word, all_texts_of_the_code()) if (each[0], word) not in EXCEPTIONS_IN_THE_CODE]
    assert [f"{file}:{line}: {text.strip()[:100]}" for file, line, text in found] == []


def test_every_exception_is_needed() -> None:
    assert {(file, word) for word in UNWANTED for file, _, _ in uses(word, all_texts())} >= EXCEPTIONS.keys()
    used = {(file, word) for word in UNWANTED for file, _, _ in uses(word, all_texts_of_the_code())}
    assert used >= EXCEPTIONS_IN_THE_CODE.keys()


def test_every_term_of_the_glossary_is_used_in_a_message_a_report_or_a_page() -> None:
    everything = "\n".join(text for _, _, text in all_texts()).lower()
    terms = [term for row, _, _ in ROWS for term in row.split(", ")]
    assert len(terms) > 40
    assert [term for term in terms if not re.search(forms(term.lower()), everything)] == []


def test_the_glossary_is_in_alphabetical_order_and_has_each_term_once() -> None:
    terms = [term.lower() for term, _, _ in ROWS]
    assert terms == sorted(set(terms))


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("abort", "the run was aborted"),
        ("variant", "two variants of a prompt"),
        ("metric", "the metrics of a run"),
        ("pp", "1.5 pp"),
    ],
)
def test_another_word_for_a_term_is_found_whatever_its_ending(word: str, text: str) -> None:
    assert UNWANTED[word].search(text)
    assert not UNWANTED[word].search("`--abort`, a symmetrical app, invariant")
