"""Tables of docs/dependencies.md and docs/licences.md: what is installed for whom, and under which licence it comes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path
from typing import Final

__all__ = ["GENERATED", "UNSTATED", "licence", "pins", "rows"]

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs/licences.md"
UNSTATED: Final = "not stated"
_SHORT: Final = 40
"""A longer text is a licence itself, and not its name."""
_ROW: Final = re.compile(r"^\| \[?([^\]| ]+)\]?[^|]* \| ([^|]+?) \| ([^|]+?) \|$", re.MULTILINE)


def pins() -> dict[str, str]:
    """Return the version of every package of ``constraints.txt``."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==", 1) for line in lines if "==" in line and not line.startswith("#"))


def rows(page: str) -> dict[str, tuple[str, str]]:
    """Return version and licence of each package that a page lists."""
    return {name: (version, said) for name, version, said in _ROW.findall(page) if name not in {"package", "---"}}


def licence(known: PackageMetadata) -> str:
    """Return the licence that a package states: as an expression, in a few words, or by its classifiers."""
    classified = [
        each.rpartition(" :: ")[2] for each in known.get_all("Classifier", []) if each.startswith("License ::")
    ]
    named = [each for each in classified if each not in {"OSI Approved", "DFSG approved"}]
    said = "".join(known.get_all("License", [])).strip()
    in_words = said if said and said != "UNKNOWN" and len(said) <= _SHORT and "\n" not in said else ""
    return "".join(known.get_all("License-Expression", [])) or in_words or " or ".join(named) or UNSTATED


def licences() -> str:
    """Return one row for each pinned package; of one that is not installed here, the row of the page."""
    return "\n".join(["| package | version | licence |", "|---|---|---|", *_licence_rows()]) + "\n"


def _licence_rows() -> Iterator[str]:
    known = rows(PAGE.read_text(encoding="utf-8"))
    for name, version in sorted(pins().items(), key=lambda pin: pin[0].lower()):
        try:
            found = metadata(name)
            said = licence(found) if found["Version"] == version else None
        except PackageNotFoundError:
            said = None
        if said is None:
            said = known[name][1] if known.get(name, ("",))[0] == version else "?"
        yield f"| {name} | {version} | {said.replace('|', '/')} |"


GENERATED: Final[dict[str, Callable[[], str]]] = {"licences": licences}
