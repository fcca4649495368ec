"""The tables of modules are on their pages: each package once, and each module with a purpose."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLES = runpy.run_path(str(ROOT / "docs/module_tables.py"))
PAGES = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("modules_*.md")))


def test_every_package_has_its_table_on_a_page() -> None:
    assert sorted(re.findall(r"<!-- generated: modules of (\w+) -->", PAGES)) == sorted(TABLES["PACKAGES"])


def test_every_module_says_what_it_is_for() -> None:
    rows = re.findall(r"^\| `([\w/.-]+)` \| (.*) \|$", PAGES, re.MULTILINE)
    assert [name for name, purpose in rows if len(purpose) < 20] == []
    assert len(rows) > 800
