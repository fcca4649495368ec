"""What a user meets is in plain, standard English: messages, help, reports, pages, schemas and the configuration."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = (ROOT / "src/promptrial", ROOT / "src/promptrial_emulator")

INSTEAD = {
    r"mend(s|ed|ing)?": "fix, repair",
    r"(is|are|was|were|be|can be|cannot be) (not )?(to be )?had": "available, not available, computed",
    r"not to be had|to be had": "not available",
    r"who(so)?ever": "name who: the process that, the person who",
    r"of whom": "which ... belongs to",
    r"all the same": "anyway",
    r"none the less|nonetheless": "anyway",
    r"set aside": "kept as, renamed, ignored",
    r"(go|goes|going|went|gone) on with": "resume, continue",
    r"go on\?": "Continue?",
    r"anew": "again",
    r"(request|run|call|job)s? in work": "current, in progress",
    r"(end|ends|ended|ending|stop|stops|stopped|stopping) at once": "immediately",
    r"at the (least|most)": "at least, at most",
    r"(for|of) want of": "because there is no",
    r"in (its|their) stead": "instead",
    r"in the place of": "in place of, instead of",
    r"thereof|withal|therein|wherein|whereof|hitherto": "of it, in it, before",
    r"in spite of": "despite",
    r"how far (it|they|the run) (is|are)": "progress",
    r"(from|of) its files alone": "read from disk",
    r"least level": "minimum level",
    r"stop texts": "stop sequences",
    r"how grave": "severity",
    r"made from what": "inputs",
    r"who is missing": "missing answers",
    r"execute [(]\w+": "to do",
    r"as far as \w+ changes requests": "re-asks only requests that changed",
    r"(does|do) not show that there is no": "does not mean that ... are equal",
    r"they answer other requests": "answers to the previous requests",
    r"(meet|met|meets) an emulator|emulator on this machine|emulated on this machine": "a local emulator",
    r"longest answer, tokens": "max answer tokens",
    r"not any more|any more": "no longer",
    r"the very same": "identical, the same",
    r"(is|are) there already": "already exists",
    r"not there": "missing, does not exist, not found",
    r"cannot be told|can be told apart": "is not known, can be distinguished",
    r"not on record": "not recorded",
    r"for good": "permanently",
    r"begun": "started",
    r"stands? (there|behind|beside|twice|in the place)": "is, comes after, occurs twice",
    r"as far as (it|they) (go|goes)": "the text up to the limit",
    r"\w+, for (it|its|they|their|there|nobody|none) (\w+ ){0,2}(is|are|was|were|has|have|can|cannot)": "because",
    r"\w+ alone (is|are) (shown|asked|sent|used|kept)": "only",
    r"of (its|their|your) own accord": "by itself",
}
"""Phrases that a native reader stops at, as regular expressions between words, and what to write instead."""


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Yield each phrase with letters that a text must have to hold it, which is quicker to look for."""
    for alternative in (each for key in INSTEAD for each in re.split(r"\|(?![^(]*\))", key)):
        plain = re.split(r"\([^()]*\)\??|\\.|[.*+?\[\]]+", alternative)
        yield max(plain, key=len), re.compile(rf"(?<!\w)(?:{alternative})(?!\w)", re.IGNORECASE)


PATTERNS = tuple(patterns())


def phrases(text: str) -> Iterator[str]:
    """Yield what a text has of the list."""
    lowered = text.lower()
    for letters, pattern in PATTERNS:
        if letters in lowered:
            yield from (match[0] for match in pattern.finditer(text))


EXCEPTIONS = {
    ("src/promptrial/care/doctor/disk.py", "set aside"): "a value of doctor --json, which other programs read",
    ("docs/schemas/doctor.schema.json", "set aside"): "describes that value",
}
JOINT = re.compile(r'"\s*\n\s*[rf]*"')
"""Between two strings that are one."""
PHRASES_OF_ANSWERS = "src/promptrial/scoring/refusal_table/"
"""Phrases by which models refuse, in many languages: data, no messages."""


def literals(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of each string of a module that is not a docstring; ``{}`` stands for a value."""
    nodes = list(ast.walk(ast.parse(source)))
    left_out = {
        id(line.value)
        for node in nodes
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        for line in node.body
        if isinstance(line, ast.Expr)
    }
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            left_out |= {id(part) for part in node.values}
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in left_out:
            yield node.lineno, node.value


@functools.cache
def texts() -> tuple[tuple[str, int, str], ...]:
    """Return file, line and text of all that a user meets and that may have a phrase of the list."""
    return tuple(_texts())


def _texts() -> Iterator[tuple[str, int, str]]:
    for package in PACKAGES:
        for path in sorted(package.rglob("*.py")):
            name, source = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
            if not name.startswith(PHRASES_OF_ANSWERS) and any(phrases(JOINT.sub("", source))):
                yield from ((name, line, text) for line, text in literals(source))
    of_users = [page for page in (ROOT / "docs").glob("*.md") if not page.name.startswith("modules_")]
    pages = [*of_users, ROOT / "README.md", ROOT / "EXPERIMENT_WORKFLOW.md"]
    others = [*(ROOT / "docs/schemas").glob("*.json"), *(ROOT / "config").rglob("*.yaml"), *PACKAGES[0].rglob("*.js")]
    for path in sorted([*pages, *others]):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            yield path.relative_to(ROOT).as_posix(), number, line


def offences(found: Iterable[tuple[str, int, str]]) -> list[str]:
    return [
        f"{file}:{line}: {phrase!r}"
        for file, line, text in found
        for phrase in phrases(text)
        if (file, phrase.lower()) not in EXCEPTIONS
    ]


def test_no_text_that_a_user_meets_has_a_phrase_that_a_native_reader_stops_at() -> None:
    assert offences(texts()) == []


def test_every_exception_is_needed() -> None:
    used = {(file, phrase.lower()) for file, _, text in texts() for phrase in phrases(text)}
    assert EXCEPTIONS.keys() <= used


@pytest.mark.parametrize(
    "sentence",
    [
        "the file is mended",
        "no interval is to be had",
        "whoever resumes it",
        "of whom it was",
        "it runs all the same",
        "set aside as x.1: they answer other requests",
        "the request in work ended at once",
        "go on with it",
        "least level of messages",
        "prepare: execute (not done yet)",
        "This does not show that there is no difference",
        "it cannot grow, for its questions have changed",
    ],
)
def test_a_phrase_of_the_list_is_found_in_messages_and_not_in_docstrings(sentence: str) -> None:
    source = f'"""{sentence}"""\nsay(f"run {{run}}: {sentence}")\n'
    found = [("m.py", line, text) for line, text in literals(source)]
    assert offences(found), sentence
    assert all(line == 2 for _, line, _ in found)
