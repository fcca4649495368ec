"""Tables of docs/modules_*.md: what each module of the program is for, in the words that it begins with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from inspect import cleandoc
from pathlib import Path
from typing import Final

__all__ = ["GENERATED", "PACKAGES", "modules"]

_OPENING: Final = {
    ".py": re.compile(r'^r?"""(.*?)"""', re.DOTALL),
    ".js": re.compile(r"^// (.*)$", re.MULTILINE),
    ".css": re.compile(r"^/\* (.*?) \*/", re.MULTILINE),
}
SOURCE: Final = Path(__file__).resolve().parents[1] / "src"
PACKAGES: Final = {
    path.name: path
    for path in (*sorted((SOURCE / "promptrial").iterdir()), SOURCE / "promptrial_emulator")
    if (path / "__init__.py").exists()
}
"""The packages that have a table, and where they are."""


def modules(package: str) -> str:
    """Return one row for each module of a package and of those within it."""
    return "\n".join(["| file | what it is for |", "|---|---|", *_rows(PACKAGES[package])]) + "\n"


def _rows(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*"), key=lambda path: (path.parent, path.name)):
        if path.suffix in _OPENING and path.name != "__init__.py":
            yield f"| `{path.relative_to(folder).as_posix()}` | {_purpose(path)} |"


def _purpose(path: Path) -> str:
    """Return the first paragraph of a module, or the first comment of a script or a style sheet."""
    text = path.read_text(encoding="utf-8")
    found = _OPENING[path.suffix].search(text)
    said = "" if found is None else cleandoc(found[1])
    return " ".join(said.partition("\n\n")[0].split()).replace("``", "`").replace("|", "\\|")


GENERATED: Final[dict[str, Callable[[], str]]] = {
    f"modules of {package}": partial(modules, package) for package in PACKAGES
}
