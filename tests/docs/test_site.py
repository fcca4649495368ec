"""The documentation builds as a site without a warning, every page has its place, and no page loads from elsewhere."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from promptrial import registry
from tests.support.skips import TOOL

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_OUTSIDE = re.compile(r"^(?:[a-z]+:)?//", re.IGNORECASE)
_LOADS = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src", "object": "data"}
needs_zensical = pytest.mark.skipif(importlib.util.find_spec("zensical") is None, reason=TOOL)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site, with every warning an error."""
    folder = tmp_path_factory.mktemp("site")
    words: list[str | Path] = [
        sys.executable,
        ROOT / "docs/build_site.py",
        "--sources",
        folder / "sources",
        "--site",
        folder / "site",
    ]
    outcome = subprocess.run(words, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return folder / "site"


class Loaded(HTMLParser):
    """Collects what a page makes a browser load, and how many links its navigation has."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.styles: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        values = dict(attrs)
        if tag in _LOADS and "canonical" not in (values.get("rel") or ""):
            self.addresses.append(values.get(_LOADS[tag]) or "")
        self.styles.append(values.get("style") or "")

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.styles.append(data)


def loaded_by(text: str) -> list[str]:
    parser = Loaded()
    parser.feed(text)
    return [*parser.addresses, *(address for style in parser.styles for address in loaded_by_style(style))]


def loaded_by_style(text: str) -> list[str]:
    return re.findall(r"(?:url\(|@import )\s*[\"']?([^)\"'\s]+)", text)


@needs_zensical
def test_no_page_makes_a_browser_load_anything_from_another_host(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        addresses = loaded_by(page.read_text())
        assert addresses, page
        assert not [address for address in addresses if _OUTSIDE.match(address)], page
    for style in site.rglob("*.css"):
        assert not [address for address in loaded_by_style(style.read_text()) if _OUTSIDE.match(address)], style
    for picture in site.rglob("*.svg"):
        assert not re.search(r"(?:href=|url\(|@import)[\"' ]*https?:", picture.read_text()), picture


@needs_zensical
def test_no_page_asks_the_theme_for_what_it_would_load_from_another_host(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text()
        assert 'class="mermaid"' not in text, f"{page}: mermaid is fetched from another host"
        assert "data-md-component=source" not in text, f"{page}: facts of a repository are fetched"


@needs_zensical
def test_every_page_is_in_the_navigation(site: Path) -> None:
    start = (site / "index.html").read_text()
    links = re.findall(r'<a href="([^"#]+)" class="md-nav__link', start)
    navigation = {link.removeprefix("./") for link in links}
    made = {page.relative_to(site).as_posix() for page in site.rglob("*.html")} - {"404.html", "index.html"}
    assert made <= navigation
    assert {"EXPERIMENT_WORKFLOW.html", "CHANGELOG.html", "adr/0001-files-and-receipts.html"} <= made


def test_the_statistics_page_describes_every_statistic() -> None:
    page = (DOCS / "statistics.md").read_text().lower()
    for name in registry.STATISTICS:
        assert name in page, name
