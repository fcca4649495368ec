"""What a module offers in its ``__all__`` is used elsewhere, or documented for people who use it from Python."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from promptrial.cli.main import COMMANDS
from tests.support.exported_names import exported, unused

ROOT: Final = Path(__file__).parents[2]
USERS: Final = (
    "tests/**/*.py",
    "scripts/*.py",
    "fireworks/*.py",
    "benchmarks/**/*.py",
    "docs/**/*.py",
    "docs/**/*.md",
    "*.md",
)


OF_A_COMMAND: Final = ("DESCRIPTION", "configure", "execute")
"""What ``cli.main`` reads from the module of each command."""


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")


def test_every_name_in_an_all_is_used_by_another_module_a_test_or_the_documentation() -> None:
    modules = {module_name(path): path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py")}
    others = [path.read_text(encoding="utf-8") for pattern in USERS for path in ROOT.glob(pattern)]
    others += [f"{command.module}.{name}" for command in COMMANDS.values() for name in OF_A_COMMAND]
    assert len(modules) > 100
    assert len(others) > 100
    assert unused(modules, others) == []


@pytest.mark.parametrize(
    "user",
    [
        "from promptrial.a import f\n",
        "from promptrial.a import (\n    g,  # f\n    f as h,\n)\n",
        "from promptrial import a\na.f()\n",
        "import promptrial.a as b\nb.f()\n",
        'registered = {"f": "promptrial.a:f"}\n',
        '"""``promptrial.a.f`` does it."""\n',
        'CODE = """\nfrom promptrial.a import f\n"""\n',
    ],
)
def test_a_name_counts_as_used_wherever_it_is_imported_or_named_with_its_module(user: str) -> None:
    modules = {"promptrial": "", "promptrial.a": '__all__ = ["f"]\n'}
    assert unused(modules, [user]) == []
    assert unused({**modules, "promptrial.c": user}, []) == []


@pytest.mark.parametrize(
    "other",
    [
        "def g(x: f) -> None: ...\n",
        "def g() -> list[f]: ...\n",
        "class g:\n    x: f | None\n",
        "class g:\n    def of(self) -> f: ...\n",
        "class g(f): ...\n",
        "g = Callable[[f], None]\n",
    ],
)
def test_a_type_in_the_signature_of_another_exported_name_is_used(other: str) -> None:
    source = f"class f: ...\n{other}"
    assert unused({"promptrial.a": '__all__ = ["f", "g"]\n' + source}, ["from promptrial.a import g\n"]) == []
    assert unused({"promptrial.a": '__all__ = ["f"]\n' + source}, []) == ["promptrial.a.f"]


@pytest.mark.parametrize(
    "user",
    ["", "def f(): ...\n", "from promptrial.b import f\n", "from promptrial.a import g  # f\n", "from a import f\n"],
)
def test_a_name_that_only_occurs_elsewhere_is_not_used(user: str) -> None:
    modules = {"promptrial.a": '__all__ = [\n    "f",\n]\nf()\n', "promptrial.b": ""}
    assert exported(modules["promptrial.a"]) == ["f"]
    assert unused(modules, [user]) == ["promptrial.a.f"]
