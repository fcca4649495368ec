"""Messages, comments and configurations point to pages and sections of the documentation that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from promptrial import registry
from promptrial.config.scorers import PYTHON, documented
from tests.docs.test_page_shape import PAGES, anchors

ROOT: Final = Path(__file__).parents[2]
_POINTER: Final = re.compile(r"\bdocs/([a-z_]+\.md)(?:#([a-z0-9_-]+))?")


def pointers() -> Iterator[tuple[str, str, str]]:
    """Yield file, page and section of every pointer; the section is empty where the whole page is meant."""
    sources = [*(ROOT / "src").rglob("*.py"), *(ROOT / "docs").glob("*.py"), *(ROOT / "benchmarks").glob("*.py")]
    others = [*(ROOT / "config").rglob("*.yaml"), *(ROOT / "docs/examples").iterdir(), ROOT / "Makefile"]
    for path in sorted([*sources, *others]):
        if path.is_file():
            for page, section in _POINTER.findall(path.read_text(encoding="utf-8")):
                yield path.relative_to(ROOT).as_posix(), page, section


def missing(page: str, section: str) -> bool:
    path = ROOT / "docs" / page
    return not path.is_file() or bool(section and section not in anchors(path.read_text(encoding="utf-8")))


def test_every_page_and_section_that_the_code_names_exists() -> None:
    found = list(pointers())
    assert ("src/promptrial/datasets/columns.py", "questions.md", "columns") in found
    assert [each for each in found if missing(*each[1:])] == []


@pytest.mark.parametrize("kind", [PYTHON, *registry.SCORERS])
def test_a_wrong_setting_of_a_scorer_leads_to_the_section_about_its_type(kind: str) -> None:
    page, _, section = documented(kind).removeprefix("docs/").partition("#")
    assert section
    assert not missing(page, section)


def unknown_files(text: str) -> list[str]:
    """Return what a page names in backticks that is no file, no folder, and no place of an example."""
    named = re.findall(r"`((?:src|tests|docs|benchmarks|scripts|config|data)/[\w./-]+)`", text)
    examples = {path.name for path in (ROOT / "docs/examples").iterdir()}
    return [name for name in named if not (ROOT / name).exists() and Path(name).name not in examples]


@pytest.mark.parametrize(
    "page", [*PAGES, *sorted((ROOT / "docs/adr").glob("*.md"))], ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_every_file_of_the_project_that_a_page_names_exists(page: Path) -> None:
    assert unknown_files(page.read_text(encoding="utf-8")) == []


def test_a_page_that_names_a_file_that_does_not_exist_is_found() -> None:
    assert unknown_files("`src/promptrial/registry.py` and `tests/no_such_file.py`") == ["tests/no_such_file.py"]


def test_a_pointer_to_a_section_that_does_not_exist_is_found() -> None:
    assert missing("questions.md", "no-such-section")
    assert missing("no_such_page.md", "")
    assert not missing("questions.md", "columns")
