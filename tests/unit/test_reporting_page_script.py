"""The script of the page: strict, small, and without anything that makes code of a text or leaves the page."""

import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from tests.support.skips import CHROMIUM, TOOL

ROOT = Path(__file__).parents[2]
SCRIPT = files("promptrial.reporting.page").joinpath("report.js").read_text("utf-8")
STYLE = files("promptrial.reporting.page").joinpath("report.css").read_text("utf-8")


def node() -> str:
    """Return where Node is: that of the system, or the one that Playwright brings."""
    found = shutil.which("node")
    if found is None:
        try:
            import playwright
        except ImportError:
            pytest.skip(CHROMIUM)
        found = str(Path(playwright.__file__).parent / "driver/node")
    return found


def lint(*paths: Path) -> subprocess.CompletedProcess[str]:
    """Lint scripts as ``make check`` does."""
    linter = Path(sys.executable).parent / "oxlint"
    if not linter.exists():
        pytest.skip(TOOL)
    command = [str(linter), "--config", str(ROOT / ".oxlintrc.json"), "--format", "unix", *map(str, paths)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_the_linter_finds_nothing_in_any_script() -> None:
    outcome = lint(ROOT / "src")
    assert outcome.returncode == 0, outcome.stdout


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        ("const MOST_WORDS = 600;", "const MOST_WORDS = 600, unused = 1;", "no-unused-vars"),
        ("state.items.filter(passes)", "state.items.filter(passed)", "no-undef"),
        ("if (at === state.at)", "if (at == state.at)", "eqeqeq"),
        ("    return remember();", "    return remember();\n    draw();", "no-unreachable"),
        ("const scores = item.s[name] || [];", "const item = {};", "no-shadow"),
        ("const gold = item.g", "item = eval(item.q); const gold = item.g", "no-eval"),
    ],
)
def test_the_linter_finds_a_mistake_that_is_put_into_the_script(
    tmp_path: Path, before: str, after: str, rule: str
) -> None:
    path = tmp_path / "report.js"
    path.write_text(SCRIPT.replace(before, after))
    assert path.read_text() != SCRIPT
    outcome = lint(path)
    assert outcome.returncode == 1
    assert f"({rule})" in outcome.stdout


def test_make_check_runs_the_linter() -> None:
    rule = (ROOT / "Makefile").read_text().split("\ncheck:")[1].split("\n\n")[0]
    assert "$(BIN)/oxlint src" in rule


def test_the_script_is_strict_and_node_finds_no_syntax_error(tmp_path: Path) -> None:
    assert SCRIPT.startswith('"use strict";\n')
    path = tmp_path / "report.js"
    path.write_text(SCRIPT)
    assert subprocess.run([node(), "--check", str(path)], check=False, capture_output=True).returncode == 0


_FORBIDDEN = [
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "document.write",
    "eval(",
    "import(",
    "fetch(",
    "XMLHttpRequest",
    "WebSocket",
    "localStorage",
    "document.cookie",
    "http:",
    "https:",
    "console.",
    "==",
    "!=",
    "setTimeout(",
]


@pytest.mark.parametrize("forbidden", [*_FORBIDDEN, "new Function", "var "])
def test_the_script_neither_evaluates_text_nor_leaves_the_page(forbidden: str) -> None:
    assert not re.search(rf"(?<![=!]){re.escape(forbidden)}(?!=)", SCRIPT)


def test_every_name_declared_in_the_script_is_used() -> None:
    for name in re.findall(r"(?:const|let|function\*?|async function) (\w+)", SCRIPT):
        assert len(re.findall(rf"\b{name}\b", SCRIPT)) > 1, name


def test_script_and_style_are_small_and_have_no_long_lines() -> None:
    assert len(SCRIPT) + len(STYLE) < 40_000
    assert max(map(len, SCRIPT.splitlines())) <= 170


def test_the_style_loads_nothing() -> None:
    assert not re.search(r"url\(|@import|@font-face", STYLE)
