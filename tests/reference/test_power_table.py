"""The simulation behind the table in docs/power.md: what it prints, and that it notices a power that is not so."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("power_table")


@pytest.mark.parametrize("name", ["0/1, single items", "scale, 12 passages of 4"])
def test_the_test_that_decides_finds_a_difference_as_often_as_the_guide_says(table: ModuleType, name: str) -> None:
    cell = next(cell for cell in table.CELLS if cell.name == name)
    line, holds = table.row(cell)
    assert holds
    assert line in (ROOT / "docs" / "power.md").read_text()


def test_a_power_that_ignores_the_passages_is_detected(table: ModuleType) -> None:
    cell = next(cell for cell in table.CELLS if cell.name == "scale, 12 passages of 4")
    wrong = replace(cell, design=replace(cell.design, icc=0.0))
    said = table.power_at(wrong.design, cell.items, cell.delta)
    right = table.power_at(cell.design, cell.items, cell.delta)
    assert said - right > 0.1


def test_every_cell_of_the_guide_equals_the_current_power(table: ModuleType) -> None:
    guide = (ROOT / "docs" / "power.md").read_text()
    for cell in table.CELLS:
        said = table.power_at(cell.design, cell.items, cell.delta)
        assert f"| {cell.name} | {cell.items:,} | {100 * cell.delta:g} | {said:.1%} |" in guide
