"""What is written is in plain, standard English.

That goes for what a user meets (messages, help, reports, pages, schemas and the configuration), and for what a
maintainer reads: docstrings and comments of the code, decisions, and the pages on contributing and on tests.
"""

from __future__ import annotations

import ast
import functools
import io
import re
import tokenize
from collections.abc import Container, Iterable, Iterator, Sequence
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

IN_THE_CODE = {
    r"stands? (above|among|around|at|before|below|between|elsewhere|near|nowhere|on|so|under|with)": "is, appears",
    r"stands? in(?! for)": "is in, appears in",
    r"such (as|that) (are|is) not": "others, smaller ones",
    r"leave to (ask|pay)": "permission",
    r"for ever": "forever",
}
"""The same for docstrings, comments and decisions."""


def patterns(keys: Iterable[str]) -> Iterator[tuple[str, re.Pattern[str]]]:
    """Yield each phrase with letters that a text must have to hold it, which is quicker to look for."""
    for alternative in (each for key in keys for each in re.split(r"\|(?![^(]*\))", key)):
        plain = re.split(r"\([^()]*\)\??|\\.|\w\?|[.*+?\[\]]+", alternative)
        yield max(plain, key=len), re.compile(rf"(?<!\w)(?:{alternative})(?!\w)", re.IGNORECASE)


PATTERNS = tuple(patterns(INSTEAD))
PATTERNS_IN_THE_CODE = (*PATTERNS, *patterns(IN_THE_CODE))


def phrases(text: str, listed: Sequence[tuple[str, re.Pattern[str]]] = PATTERNS) -> Iterator[str]:
    """Yield what a text has of a list."""
    lowered = text.lower()
    for letters, pattern in listed:
        if letters in lowered:
            yield from (match[0] for match in pattern.finditer(text))


EXCEPTIONS = {
    ("src/promptrial/care/doctor/disk.py", "set aside"): "a value of doctor --json, which other programs read",
    ("docs/schemas/doctor.schema.json", "set aside"): "describes that value",
}
EXCEPTIONS_IN_THE_CODE = {
    (
        "docs/adr/0008-differences-between-subsets.md",
        "not there",
    ): "quotes what readers say: significant here, not there",
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


def remarks(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of each docstring of a module and of each block of comments, on one line and without code."""
    blocks = [
        (line.value.lineno, line.value.value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        for line in node.body
        if isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)
    ]
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            said, line = token.string.lstrip("#"), token.start[0]
            blocks[-1:] = [(blocks[-1][0], blocks[-1][1] + said)] if last == line - 1 else [*blocks[-1:], (line, said)]
            last = line
    for line, text in blocks:
        yield (
            line,
            " ".join(re.sub(r"``.+?``|^ *(>>>|\.\.\.) .*$|^[ *\w,]+ : .*$", "", text, flags=re.MULTILINE).split()),
        )


def paragraphs(page: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of each paragraph of a page, on one line."""
    line = 1
    for paragraph in re.split(r"(?<=\n)\n", page):
        yield line, " ".join(paragraph.split())
        line += paragraph.count("\n") + 1


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


@functools.cache
def texts_of_the_code() -> tuple[tuple[str, int, str], ...]:
    """Return file, line and text of all that a maintainer reads besides, and that may have a phrase of the lists."""
    return tuple(_texts_of_the_code())


def _texts_of_the_code() -> Iterator[tuple[str, int, str]]:
    for path in sorted(path for package in PACKAGES for path in package.rglob("*.py")):
        name, source = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        if any(phrases(re.sub(r"\s+(# ?)?", " ", source), PATTERNS_IN_THE_CODE)):
            yield from ((name, line, text) for line, text in remarks(source))
    others = [ROOT / "CONTRIBUTING.md", ROOT / "tests/README.md", *(ROOT / "docs").glob("modules_*.md")]
    for path in sorted([*others, *(ROOT / "docs/adr").glob("*.md")]):
        name, page = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        yield from ((name, line, text) for line, text in paragraphs(page))


def offences(
    found: Iterable[tuple[str, int, str]],
    listed: Sequence[tuple[str, re.Pattern[str]]] = PATTERNS,
    exceptions: Container[tuple[str, str]] = EXCEPTIONS,
) -> list[str]:
    return [
        f"{file}:{line}: {phrase!r}"
        for file, line, text in found
        for phrase in phrases(text, listed)
        if (file, phrase.lower()) not in exceptions
    ]


def test_no_text_that_a_user_meets_has_a_phrase_that_a_native_reader_stops_at() -> None:
    assert offences(texts()) == []


def test_no_docstring_comment_or_decision_has_a_phrase_that_a_native_reader_stops_at() -> None:
    assert offences(texts_of_the_code(), PATTERNS_IN_THE_CODE, EXCEPTIONS_IN_THE_CODE) == []


def test_every_exception_is_needed() -> None:
    used = {(file, phrase.lower()) for file, _, text in texts() for phrase in phrases(text)}
    assert EXCEPTIONS.keys() <= used
    of_the_code = texts_of_the_code()
    used = {(file, phrase.lower()) for file, _, text in of_the_code for phrase in phrases(text, PATTERNS_IN_THE_CODE)}
    assert EXCEPTIONS_IN_THE_CODE.keys() <= used


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
def test_a_phrase_of_the_list_is_found_in_messages_docstrings_and_comments(sentence: str) -> None:
    source = f'"""{sentence}"""\nsay(f"run {{run}}: {sentence}")  # {sentence}\n\n# {sentence}\n'
    messages = [("m.py", line, text) for line, text in literals(source)]
    assert {each.split(":")[1] for each in offences(messages)} == {"2"}, sentence
    found = [("m.py", line, text) for line, text in remarks(source)]
    assert {each.split(":")[1] for each in offences(found)} == {"1", "2", "4"}, sentence


def test_a_phrase_of_the_list_is_found_across_lines_of_docstrings_comments_and_paragraphs() -> None:
    source = '"""One.\n\n    It is set\n    aside.\n    """\n\nx = 1\n# it is set\n# aside\n'
    assert offences([("m.py", line, text) for line, text in remarks(source)]) == [
        "m.py:1: 'set aside'",
        "m.py:8: 'set aside'",
    ]
    page = "One.\n\nIt is set\naside.\n"
    assert offences([("p.md", line, text) for line, text in paragraphs(page)]) == ["p.md:3: 'set aside'"]


def test_code_and_parameters_of_docstrings_are_no_text() -> None:
    source = '"""One, ``set aside``.\n\n    Parameters\n    ----------\n    mended : bool\n        Whether.\n    """\n'
    assert offences([("m.py", line, text) for line, text in remarks(source)]) == []


@pytest.mark.parametrize("sentence", ["no key stands in a message", "it waits for ever", "leave to pay again"])
def test_docstrings_and_comments_have_a_list_of_their_own(sentence: str) -> None:
    assert list(phrases(sentence, PATTERNS_IN_THE_CODE))
    assert not list(phrases("an emulator stands in for it, and stands for it", PATTERNS_IN_THE_CODE))
