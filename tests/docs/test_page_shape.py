"""Every page begins with the question that it answers, is short enough, and links to things that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = [
    *(ROOT / name for name in ("README.md", "EXPERIMENT_WORKFLOW.md", "CONTRIBUTING.md", "tests/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
LINKING: Final = [*PAGES, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*/*.md"))]
LONGEST: Final = 300
_CODE: Final = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings of a page, as both GitHub and the site spell them."""
    headings = re.findall(r"^#+ (.+)$", _without_blocks(text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(text: str) -> Iterator[str]:
    yield from re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", _CODE.sub("", text))


def broken(page: Path) -> list[str]:
    """Return the links of a page whose file or heading does not exist."""
    text = page.read_text(encoding="utf-8")
    found = []
    for link in links(text):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            found.append(link)
    return found


def _without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", LINKING, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    assert broken(page) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_begins_with_the_question_that_it_answers(page: Path) -> None:
    title, _, rest = page.read_text(encoding="utf-8").partition("\n\n")
    assert re.fullmatch(r"# .+", title)
    assert "?" in " ".join(rest.splitlines()[:2])


def test_no_page_is_longer_than_the_limit() -> None:
    every = [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "data").rglob("*.md"),
        *ROOT.glob("tests/*.md"),
    ]
    assert {ROOT / "CHANGELOG.md", ROOT / "docs/adr/README.md", *PAGES} <= set(every)
    lengths = {page.relative_to(ROOT).as_posix(): len(page.read_text(encoding="utf-8").splitlines()) for page in every}
    assert {page: lines for page, lines in lengths.items() if lines > LONGEST} == {}


def test_every_page_is_listed_in_the_readme() -> None:
    listed = {link.partition("#")[0] for link in links((ROOT / "README.md").read_text(encoding="utf-8"))}
    assert {page.relative_to(ROOT).as_posix() for page in PAGES if page.name != "README.md"} <= listed


def test_a_link_to_a_heading_that_does_not_exist_is_found(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text("# A page\n\n[good](#a-page) [none](#other) [gone](b.md) `[code](c.md)`\n")
    assert broken(page) == ["#other", "b.md"]
