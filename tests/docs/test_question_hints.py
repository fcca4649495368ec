"""Every error in a question file ends in the section of the documentation that says more, and that page is current."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import promptrial.datasets
from promptrial import registry
from promptrial.datasets.base import DatasetFormat
from promptrial.datasets.columns import WELL_KNOWN

FOLDER = Path(promptrial.datasets.__file__).parent
ENDS = re.compile(r"(^|; )see docs/(questions|question_files)\.md#[a-z-]+$")
ROOT = Path(__file__).parents[2]


def hints() -> Iterator[tuple[str, str]]:
    """Yield where each error of a place is made, and its hint with ``?`` for what only the running program knows."""
    for path in sorted(FOLDER.glob("*.py")):
        module = importlib.import_module(f"promptrial.datasets.{path.stem}")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "error":
                hint = next((each.value for each in node.keywords if each.arg == "hint"), ast.Constant(""))
                yield f"{path.name}:{node.lineno}", text_of(hint, vars(module))


def text_of(node: ast.expr, names: dict[str, object]) -> str:
    """Return a text of the source with the values of the constants of its module filled in."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part, names) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return text_of(node.value, names)
    if isinstance(node, ast.Constant):
        return str(node.value)
    return str(names.get(node.id, "?")) if isinstance(node, ast.Name) else "?"


# Where the hint is chosen with the problem, its texts are constants of the module, which are looked at as well.
CHOSEN_BESIDE_THE_PROBLEM = {"item_rules.py"}


def test_every_error_of_a_question_file_ends_in_a_section_of_the_page() -> None:
    found = dict(hints())
    assert len(found) > 40
    for where, hint in found.items():
        if where.split(":")[0] not in CHOSEN_BESIDE_THE_PROBLEM:
            assert ENDS.search(hint), f"{where}: {hint}"


def test_every_hint_about_a_single_question_ends_in_a_section_of_the_page() -> None:
    from promptrial.datasets import item_rules

    texts = [
        text for name, text in vars(item_rules).items() if re.fullmatch("_[A-Z_]+", name) and isinstance(text, str)
    ]
    assert len(texts) == 9
    assert all(ENDS.search(text) for text in texts), texts


def test_the_hint_for_a_duplicate_id_leaves_room_for_the_section() -> None:
    for name in registry.DATASETS:
        format_: DatasetFormat = registry.load("dataset format", name)
        assert "docs/" not in format_.duplicate_hint


def test_the_page_lists_the_recognised_names_of_each_column_in_order() -> None:
    page = (ROOT / "docs/questions.md").read_text(encoding="utf-8")
    table = page.partition("| role | well-known names |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \| (`.+?) \| ", table, re.MULTILINE)
    listed = {role: tuple(re.findall(r"`(\w{2,})`", cell)) for role, cell in rows}
    assert listed == WELL_KNOWN
