"""The guide for contributors works as written: its first change is made in a copy of the checkout, step by step."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MAP: Final = (ROOT / "tests/README.md").read_text(encoding="utf-8")
_COPIED: Final = (
    *("pyproject.toml", "CHANGELOG.md", "src", "tests/conftest.py", "tests/support", "tests/data/refusals"),
    *("tests/unit/test_scoring_abstention.py", "tests/unit/test_scoring_phrases.py", "tests/property/test_ids.py"),
)


def section(page: str, heading: str) -> str:
    return page.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def steps(text: str) -> Iterator[tuple[str, str]]:
    """Yield kind (``sh`` or ``diff``) and text of each block, in order."""
    yield from re.findall(r"^```(sh|diff)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a copy of what the guide changes and runs."""
    for name in _COPIED:
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copyfile(source, target)
    return tmp_path


def run(command: str, checkout: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of the guide with this interpreter, on the sources of the copy."""
    words = command.split()
    words[:1] = [sys.executable] if words[0] == ".venv/bin/python" else [sys.executable, "-m", "promptrial"]
    env = {"PYTHONPATH": str(checkout / "src"), "PATH": "/usr/bin:/bin"}
    return subprocess.run(words, cwd=checkout, env=env, capture_output=True, text=True, check=False)


def edit(block: str, checkout: Path) -> None:
    """Add the lines marked with ``+`` after the line before them, which must occur in the file once."""
    first, *lines = block.splitlines()
    path = checkout / first.removeprefix("# ")
    text = path.read_text(encoding="utf-8")
    before = [line[1:] for line in lines if line.startswith(" ")]
    added = [line[1:] for line in lines if line.startswith("+")]
    assert len(before) + len(added) == len(lines)
    assert text.count(f"\n{before[-1]}\n") == 1, path
    path.write_text(text.replace(f"\n{before[-1]}\n", "\n" + "\n".join([before[-1], *added]) + "\n"), encoding="utf-8")


@pytest.mark.timeout(300)
def test_every_command_of_the_first_change_ends_as_the_guide_says(checkout: Path) -> None:
    done = []
    for kind, block in [*steps(section(PAGE, "Set up")), *steps(section(PAGE, "A first change"))]:
        done.append(kind)
        if kind == "diff":
            edit(block, checkout)
            continue
        for line in block.splitlines():
            command, _, expected = line.partition("  # exit ")
            outcome = run(command, checkout)
            assert outcome.returncode == int(expected or 0), f"{command}\n{outcome.stdout}\n{outcome.stderr}"
    assert done == ["sh", "diff", "sh", "diff", "sh", "diff"]
    assert "Estonian" not in section(PAGE, "Rules of the code")


def test_every_make_target_named_by_the_guide_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", PAGE + MAP))
    assert {"setup", "test", "check", "docs", "soak", "mutants"} <= named <= targets


def test_every_file_named_by_the_guide_exists() -> None:
    named = re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.(?:py|md|toml))`", PAGE)
    assert {"store/atomic.py", "model/ids.py"} <= set(named)
    assert [
        name for name in named if not (ROOT / name).is_file() and not (ROOT / "src/promptrial" / name).is_file()
    ] == []


def test_every_file_of_the_map_of_promises_holds_tests() -> None:
    rows = re.findall(
        r"^\| (?!promise|---)(.+?) \| (.+) \|$", section(MAP, "Which promise is kept where"), re.MULTILINE
    )
    assert len(rows) >= 20
    for promise, cell in rows:
        files = re.findall(r"`(tests/\S+\.py)`", cell)
        assert files, promise
        for file in files:
            assert re.search(
                r"^(?:async )?def test_|^    def test_|TestCase", (ROOT / file).read_text(), re.MULTILINE
            ), file


def test_every_folder_of_tests_is_explained() -> None:
    named = set(re.findall(r"^\| `(tests/\w+)` \|", section(MAP, "Kinds"), re.MULTILINE))
    there = {f"tests/{path.name}" for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name[0] not in "_."}
    assert named == there


def patterns_by_change() -> dict[str, str]:
    """Return the patterns of tests to run by what is changed."""
    told = section(MAP, "Which tests to run for a change")
    return dict(re.findall(r"^\| (?!change|---)(.+?) \| `(.+)` \|$", told, re.MULTILINE))


def test_every_package_has_a_row_of_tests_to_run_and_all_of_them_exist() -> None:
    rows = patterns_by_change()
    packages = {f"src/promptrial/{path.parent.name}" for path in (ROOT / "src/promptrial").glob("*/__init__.py")}
    named = {name for cell in rows for name in re.findall(r"`(.+?)`", cell)}
    assert packages <= named
    for patterns in rows.values():
        for pattern in patterns.split():
            assert list(ROOT.glob(pattern)), pattern


def test_every_file_of_the_unit_tests_is_run_for_some_change() -> None:
    told = {path for patterns in patterns_by_change().values() for each in patterns.split() for path in ROOT.glob(each)}
    files = [*(ROOT / "tests/unit").glob("test_*.py")]
    assert len(files) > 200
    assert [path.name for path in files if path not in told] == [], "name it after its package, or give it a row"
