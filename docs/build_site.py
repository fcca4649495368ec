"""Make a site of the documentation: ``python docs/build_site.py`` builds it into build/site.

README, the operator's guide, the changelog, the guide for contributors and the map of tests are not in ``docs``:
people and other tools look for them elsewhere. On the site they are pages too. So everything is copied to one folder,
links are turned to where things are there, and every page gets a place in the navigation. Zensical makes the site.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import yaml

__all__ = ["ROOT_PAGES", "build", "lay_out", "placed", "turned"]

DOCS: Final = Path(__file__).resolve().parent
ROOT: Final = DOCS.parent
ROOT_PAGES: Final = {
    "README.md": "index.md",
    "EXPERIMENT_WORKFLOW.md": "EXPERIMENT_WORKFLOW.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "tests/README.md": "tests.md",
}
"""File of the project -> page of the site."""
NEW_PAGES: Final = "More"
_LINK: Final = re.compile(r"(\]\(|src=\")(?P<target>[^)#\"\s]+)")


def build(sources: Path, site: Path) -> int:
    """Lay the pages out in one folder, make the site in another, and return the exit code; a warning is an error."""
    settings = lay_out(sources)
    words = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "--config-file", str(settings)]
    code = subprocess.run(words, check=False).returncode  # noqa: S603 - our own words
    if not code:
        shutil.rmtree(site, ignore_errors=True)
        shutil.move(sources / "site", site)  # it is made beside its sources; no other place is accepted
    return code


def lay_out(sources: Path) -> Path:
    """Write the pages, what they show, and the settings of the site into a folder; return the file of the settings."""
    shutil.rmtree(sources, ignore_errors=True)
    pages = sources / "docs"
    for path in sorted(path for path in DOCS.rglob("*") if path.suffix in {".md", ".css", ".svg", ".png", ".json"}):
        target = pages / path.relative_to(DOCS)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            target.write_text(turned(path.read_text(encoding="utf-8"), from_root=False), encoding="utf-8")
        else:
            shutil.copyfile(path, target)
    for source, page in ROOT_PAGES.items():
        text = turned((ROOT / source).read_text(encoding="utf-8"), from_root=True)
        (pages / page).write_text(text, encoding="utf-8")
    settings = yaml.safe_load((DOCS / "site.yml").read_text(encoding="utf-8"))
    every = sorted(path.relative_to(pages).as_posix() for path in pages.rglob("*.md"))
    settings |= {"docs_dir": "docs", "site_dir": "site", "nav": placed(settings["nav"], every)}
    (sources / "mkdocs.yml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return sources / "mkdocs.yml"


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


def turned(text: str, *, from_root: bool) -> str:
    """Return a page with its links turned to where things are on the site.

    Examples
    --------
    >>> turned("[a](docs/prices.md) [b](tests/README.md)", from_root=True)
    '[a](prices.md) [b](tests.md)'
    >>> turned("[a](../../README.md) [b](prices.md)", from_root=False)
    '[a](../index.md) [b](prices.md)'
    """
    return _LINK.sub(lambda match: match[1] + _on_the_site(match["target"], from_root=from_root), text)


def _on_the_site(target: str, *, from_root: bool) -> str:
    if from_root:
        return ROOT_PAGES.get(target, target.removeprefix("docs/"))
    name = target.rpartition("../")[2]
    return target.removeprefix("../").replace(name, ROOT_PAGES[name]) if target != name in ROOT_PAGES else target


def main(arguments: list[str] | None = None) -> int:
    """Build the site, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--sources", type=Path, default=ROOT / "build/site_sources", help="where pages are laid out")
    parser.add_argument("--site", type=Path, default=ROOT / "build/site", help="where the site is made")
    options = parser.parse_args(arguments)
    return build(options.sources.resolve(), options.site.resolve())


if __name__ == "__main__":
    sys.exit(main())
