"""The house has few rooms, and the words of one domain stay in their room."""

from __future__ import annotations

import re
from pathlib import Path

import promptrial

ROOT = Path(promptrial.__file__).parent


def test_the_package_has_at_most_24_modules_and_packages_at_its_root() -> None:
    entries = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert len(entries) <= 24, sorted(entries)


def test_every_package_says_what_it_is_for_in_one_line() -> None:
    for path in ROOT.rglob("__init__.py"):
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        assert first.startswith('"""'), path
        assert first.rstrip('"').endswith((".", ").")), f"{path}: {first}"


def test_nothing_but_its_adapter_knows_fireworks() -> None:
    """Outside the adapter, the registry and what reads older runs, only file names of ``config/`` hold the word."""
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted(ROOT.rglob("*.py"))
        if path.name != "registry.py" and not path.match("providers/fireworks*.py") and "legacy" not in path.parts
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if "fireworks" in re.sub(r"config/[\w.]+\.yaml", "", line).lower()
    ]
    assert found == []


def test_the_arms_are_named_in_at_most_15_modules() -> None:
    """All others iterate over the sides of a contrast, or over arms in their order. Comments and docstrings count."""
    named = re.compile(r"\b(treatment|control)\b")
    found = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py") if named.search(path.read_text("utf-8"))]
    assert len(found) <= 15, sorted(found)


PACK = ("scoring/", "legacy/", "registry.py")
"""Where the default pack is: its scorers, the measures of an older tool, and the line that names it."""


def test_no_module_outside_scoring_names_exact_match() -> None:
    """Other parts ask scorers what they are, so that a run may do without exact match."""
    found = [
        f"{path.relative_to(ROOT).as_posix()}:{number}"
        for path in sorted(ROOT.rglob("*.py"))
        if not path.relative_to(ROOT).as_posix().startswith(PACK)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"""["'](em|exact_match)["']""", line)
    ]
    assert found == []
