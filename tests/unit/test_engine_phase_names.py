"""The machine that runs the phases names none of them: what it needs to know of one, the phase says."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from promptrial import registry
from promptrial.engine.facts import phases

SOURCE = Path(__file__).parents[2] / "src/promptrial"
MODULES = [
    *sorted(SOURCE.glob("engine/**/*.py")),
    *sorted(SOURCE.glob("design/*.py")),
    *sorted(path for path in SOURCE.glob("care/**/*.py") if path.name != "smoke.py"),
]
"""``care/smoke.py`` is left out: where it stops a run is what it is asked, by name."""


def literals(module: Path) -> Iterator[str]:
    constants = (node for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Constant))
    return (node.value for node in constants if isinstance(node.value, str))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_the_module_names_no_phase(module: Path) -> None:
    assert not {*literals(module)} & {*registry.PHASES}


def test_only_one_phase_gives_the_final_summary_of_a_trial() -> None:
    assert [phase.name for phase in phases() if phase.result is not None] == ["report"]


def test_the_phases_that_work_part_by_part_are_those_that_ask() -> None:
    assert [phase.name for phase in phases() if phase.content_addressed] == ["submit", "poll"]
    assert [phase.name for phase in phases() if phase.stage] == list(registry.STAGES)
