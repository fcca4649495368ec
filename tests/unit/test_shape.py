"""The code keeps its size and shape, and every check that is turned off somewhere says why and would find something."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import grimp
import pytest

from tests.support import shape

ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = ("src", "scripts", "fireworks", "benchmarks", "docs")
EXCLUSION: Final = re.compile(r"# (?:noqa|type: ignore)")
WITH_REASON: Final = re.compile(
    r"# (?:noqa: [A-Z]+\d+(?:, [A-Z]+\d+)*|type: ignore\[[a-z-]+(?:, [a-z-]+)*\]) +(?:- |# )?[\w`]"
)


def exclusions(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that turn a check off, and their numbers."""
    for number, line in enumerate(text.splitlines(), 1):
        if EXCLUSION.search(line):
            yield number, line


def has_reason(line: str) -> bool:
    """Whether a line says why it turns a check off: behind its last exclusion, as one reason is enough for two."""
    *_, last = EXCLUSION.finditer(line)
    return WITH_REASON.match(line, last.start()) is not None


# --- size and shape ---------------------------------------------------------------------------------------------------


def test_no_function_file_or_class_is_larger_than_its_limit_without_a_reason() -> None:
    assert shape.problems(shape.shape_of_sources(ROOT, ("src", "scripts", "fireworks"))) == []


def test_a_docstring_and_self_do_not_count() -> None:
    body = 'def f(self, a, *, b):\n        """One.\n\n        Two.\n        """\n        return a\n'
    source = f"class A:\n    x: int\n\n    {body}"
    found = shape.measured({"a.py": source})
    assert [(place.figure, place.name) for place in found.functions.places] == [(2, "a.py:A.f")]
    assert found.parameters.largest.figure == 2
    assert found.fields.largest == shape.Place(1, "a.py:A")
    assert found.files.largest == shape.Place(9, "a.py")


def test_a_record_of_a_file_or_row_may_have_any_number_of_fields() -> None:
    fields = "".join(f"    x{n}: int\n" for n in range(20))
    found = shape.measured({"a.py": f"class A(msgspec.Struct):\n{fields}\n\nclass B:\n{fields}"})
    assert [(place.figure, place.name) for place in found.fields.places] == [(20, "a.py:B"), (0, "a.py:A")]


def test_too_large_code_and_unneeded_exceptions_are_named() -> None:
    long = "def f():\n" + "    x = 1\n" * 60
    sources = {"a.py": long, **{f"b{n}.py": "def g():\n    pass\n" for n in range(20)}}
    assert shape.problems(shape.measured(sources), {}) == ["lines of a function: 61 in a.py:f"]
    assert shape.problems(shape.measured(sources), {"a.py:f": "one story"}) == []
    assert shape.problems(shape.measured(sources), {"a.py:f": "one story", "c.py": "gone"}) == [
        "this exception is not needed: c.py"
    ]


def test_most_functions_are_short() -> None:
    figures = dict(shape.measured({"a.py": "def f():\n    pass\n" * 9 + "def f():\n" + "    x = 1\n" * 29}).of_all())
    assert figures == {"lines of a function, median": 2, "lines of a function, 90th percentile": 30}


def test_the_figures_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert shape.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0].removesuffix(", largest") for line in lines[:-1]] == list(shape.LIMITS)
    assert all(re.search(r" \d+ of at most +\d+", line) for line in lines[:-1])


# --- import cycles ----------------------------------------------------------------------------------------------------

CYCLES: Final[Mapping[frozenset[str], str]] = {
    frozenset({"promptrial.cli.main", "promptrial.cli.parser", "promptrial.cli.slips"}): (
        "a flag that no parser knows is looked for in all of them, and only then"
    ),
    frozenset({"promptrial.phases.score_parts", "promptrial.phases.scored"}): (
        "a worker process imports what scores once it is given a part"
    ),
}
"""Modules that import each other -> why one of them does so inside a function."""


def cycles(imports: Mapping[str, Collection[str]]) -> Iterator[frozenset[str]]:
    """Yield each group of modules that reach each other, given what each of them imports."""
    reached = {module: _reached(imports, module) for module in imports}
    groups = {frozenset({other for other in reached[module] if module in reached[other]}) for module in imports}
    yield from sorted((group for group in groups if group), key=sorted)


def _reached(imports: Mapping[str, Collection[str]], start: str) -> set[str]:
    found: set[str] = set()
    left = [*imports[start]]
    while left:
        module = left.pop()
        if module not in found:
            found.add(module)
            left.extend(imports[module])
    return found


def test_import_cycles_are_found() -> None:
    imports = {"a": ["b"], "b": ["c"], "c": ["a", "d"], "d": ["e"], "e": []}
    assert [*cycles(imports)] == [frozenset("abc")]


def test_no_modules_import_each_other_without_a_reason() -> None:
    graph = grimp.build_graph("promptrial", "promptrial_emulator", exclude_type_checking_imports=True, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert {*cycles(imports)} == {*CYCLES}


# --- checks that are turned off ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", SOURCES)
def test_every_line_that_turns_a_check_off_says_why(folder: str) -> None:
    without = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for number, line in exclusions(path.read_text(encoding="utf-8"))
        if not has_reason(line)
    ]
    assert without == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("x = 1  # noqa: S101", False),
        ("x = 1  # noqa", False),
        ("x = 1  # noqa: S101 - for the type checker", True),
        ("x = 1  # type: ignore[arg-type]", False),
        ("x = 1  # type: ignore[arg-type]  # it has no stubs", True),
        ("x = 1  # type: ignore[type-arg]  # noqa: SLF001 - no public name", True),
        ("x = 1  # type: ignore[type-arg]  # noqa: SLF001", False),
    ],
)
def test_a_reason_is_distinguished_from_no_reason(line: str, *, expected: bool) -> None:
    assert has_reason(line) is expected


def test_every_check_that_the_project_turns_off_says_why() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    ruff = tomllib.loads(text)["tool"]["ruff"]["lint"]
    codes = {*ruff["ignore"], *(code for found in ruff["per-file-ignores"].values() for code in found)}
    said = [line for line in text.splitlines() if any(f'"{code}"' in line for code in codes)]
    assert [line for line in said if not re.search(r"# \w", line)] == []
    ignored = re.findall(
        r'^.*(?:ignore_missing_imports|exhaustive_ignores|^ +"[\w.]+ -> [\w.*]+",).*$', text, re.MULTILINE
    )
    assert ignored
    assert [line for line in ignored if not re.search(r"# \w", line)] == []


def test_every_check_that_the_project_turns_off_would_find_something_there() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    everywhere, by_folder = lint["ignore"], lint["per-file-ignores"]
    options = ('lint.select=["ALL"]', "lint.ignore=[]", "lint.per-file-ignores={}")
    command = ("ruff", "check", "--exit-zero", "--no-cache", "--output-format", "concise")
    told = subprocess.run(
        [sys.executable, "-m", *command, *(f"--config={each}" for each in options)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = {*re.findall(r"^(.+?):\d+:\d+: ([A-Z]+\d+)", told.stdout, re.MULTILINE)}
    assert {*everywhere} - {code for _, code in found} == set()
    needless = [
        f"{pattern}: {code}"
        for pattern, codes in by_folder.items()
        for code in codes
        if code in everywhere or not any(code == other and fnmatch(file, pattern) for file, other in found)
    ]
    assert needless == []
