"""The house has few rooms, and the words of one domain stay in their room."""

from __future__ import annotations

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
