"""What MkDocs cannot do by itself for this project: pages from the root of the project, and places for new pages.

README, the operator's guide, the changelog and the guide for contributors stand in the root, where people and other
tools look for them. Here they become pages of the site, and links are turned to where things are on it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

__all__ = ["on_config", "on_files", "on_page_markdown", "placed"]

ROOT_PAGES: Final = {
    "README.md": "index.md",
    "EXPERIMENT_WORKFLOW.md": "EXPERIMENT_WORKFLOW.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "tests/README.md": "tests.md",
}
"""File in the root of the project -> page of the site."""
NEW_PAGES: Final = "More"
_LINK: Final = re.compile(r"(\]\(|src=\")(?P<target>[^)#\"\s]+)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Give every page a place in the navigation, so that a new one needs no line in ``mkdocs.yml`` to be found."""
    docs = Path(config.docs_dir)
    pages = sorted(path.relative_to(docs).as_posix() for path in [*docs.glob("*.md"), *docs.glob("adr/0*.md")])
    config.nav = placed(config.nav or [], pages)
    return config


def placed(nav: list[Any], pages: list[str]) -> list[Any]:
    """Return the navigation with the pages that it lacks: decisions beside the others, the rest at the end.

    Examples
    --------
    >>> placed([{"Decisions": ["adr/README.md"]}, "a.md"], ["a.md", "adr/0001-x.md", "b.md"])
    [{'Decisions': ['adr/README.md', 'adr/0001-x.md']}, 'a.md', {'More': ['b.md']}]
    """
    known = set(_named(nav))
    new = [page for page in pages if page not in known]
    decisions = [page for page in new if page.startswith("adr/")]
    others = [page for page in new if page not in decisions]
    sections = [
        {"Decisions": [*entry["Decisions"], *decisions]} if isinstance(entry, dict) and "Decisions" in entry else entry
        for entry in nav
    ]
    return [*sections, *([{NEW_PAGES: others}] if others else [])]


def _named(nav: Any) -> list[str]:  # noqa: ANN401 - as YAML has it
    """Return every page that the navigation names."""
    if isinstance(nav, str):
        return [nav]
    inner = nav.values() if isinstance(nav, dict) else nav
    return [name for entry in inner for name in _named(entry)]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that stand in the root of the project."""
    root = Path(config.config_file_path).parent
    for source, page in ROOT_PAGES.items():
        files.append(File.generated(config, page, content=(root / source).read_text()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links of a page that moved, and links to such pages, to where things are on the site."""
    del config, files
    from_root = page.file.src_uri in ROOT_PAGES.values()
    return _LINK.sub(lambda match: match[1] + _on_the_site(match["target"], from_root=from_root), markdown)


def _on_the_site(target: str, *, from_root: bool) -> str:
    if from_root:
        return ROOT_PAGES.get(target, target.removeprefix("docs/"))
    name = target.rpartition("../")[2]
    return target.removeprefix("../").replace(name, ROOT_PAGES[name]) if target != name in ROOT_PAGES else target
