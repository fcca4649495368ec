"""The calibration pages show what is computed: the exact tables are recomputed, and all targets are met."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("calibration*.md"))}
PAGE = PAGES["calibration.md"]
ALL = "\n".join(PAGES.values())


@pytest.fixture
def calibrate(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script of the calibration."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import calibrate

    return calibrate


def in_this_process(function: Callable[[Any], Any], values: Sequence[Any]) -> list[Any]:
    return [function(value) for value in values]


@pytest.mark.slow
def test_the_exact_tables_equal_those_of_the_page(calibrate: Any) -> None:
    shown = calibrate.blocks(ALL)
    tables = calibrate.parts(10_000, quick=False)["exact"](in_this_process)
    assert len(tables) == 7
    for table in tables:
        assert str(table) == shown[table.name], table.name


def test_the_exact_tables_of_few_pairs_equal_those_of_the_page(calibrate: Any) -> None:
    """The rows that take seconds; the other rows are recomputed by the slow test."""
    shown = calibrate.blocks(ALL)
    for table in calibrate.parts(10_000, quick=True)["exact"](in_this_process):
        if table.name in {"margin cases", "margin sizes", "margin power", "unchanged pairs", "fewest clusters"}:
            rows = str(table).splitlines()[2:]
            assert rows
            assert all(row in shown[table.name].splitlines() for row in rows), table.name


def test_no_cell_of_the_page_misses_its_target() -> None:
    assert "✓" in ALL
    assert not [line for line in ALL.splitlines() if line.startswith("|") and "✗" in line]


def test_every_table_of_the_page_is_filled_and_every_table_has_a_place(calibrate: Any) -> None:
    shown = calibrate.blocks(ALL)
    assert len(shown) == len(re.findall("<!-- calibrated:", ALL))
    assert all(body.strip() for body in shown.values()), "run make calibrate with --write"


def test_the_simulated_tables_were_made_of_10_000_trials(calibrate: Any) -> None:
    assert "10,000 trials a simulated cell" in calibrate.blocks(PAGE)["summary"]


def test_the_summary_counts_the_cells_of_all_pages(calibrate: Any) -> None:
    tables = [table for name, table in calibrate.blocks(ALL).items() if name != "summary"]
    assert calibrate.blocks(PAGE)["summary"].strip().startswith(calibrate.summary(10_000, tables))


def test_a_table_is_written_only_into_its_place(calibrate: Any) -> None:
    page = PAGES["calibration_intervals.md"]
    made = calibrate.put(page, "fewest clusters", "| new |\n")
    assert calibrate.blocks(made) == calibrate.blocks(page) | {"fewest clusters": "| new |\n"}
    assert calibrate.put(made, "fewest clusters", calibrate.blocks(page)["fewest clusters"]) == page
    with pytest.raises(ValueError, match="no place for 'new'"):
        calibrate.put(page, "new", "| new |\n")


def test_tables_are_written_into_the_pages_with_a_place_for_them(
    calibrate: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from calibration_tables import Table, words

    for name, text in PAGES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(calibrate, "PAGE", tmp_path / "calibration.md")
    calibrate._write([Table("fewest clusters", ("interval", "clusters needed"), (words("95%", "6 ✓"),))], 10_000)
    made = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    changed = {name for name, text in made.items() if text != PAGES[name]}
    assert changed == {"calibration.md", "calibration_intervals.md"}
    assert calibrate.blocks(made["calibration_intervals.md"])["fewest clusters"].count("\n") == 3


def test_the_page_on_stopping_shows_what_the_calibration_found(calibrate: Any) -> None:
    page = (ROOT / "docs" / "stopping.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in calibrate.blocks(ALL)["look savings"].splitlines()[2:]
    ]
    for effect in ("2", "5", "10"):
        found = {rule: (float(shown), float(asked)) for points, rule, shown, _, asked, *_ in rows if points == effect}
        whole = next(float(row[-1]) for row in rows if row[0] == effect)
        (line,) = [line for line in page.splitlines() if line.startswith(f"| {effect} points |")]
        said = [[int(figure) for figure in re.findall(r"(\d+)%", cell)] for cell in line.strip("|").split("|")[1:]]
        expected = [[round(figure) for figure in found[rule]] for rule in ("obrien_fleming", "pocock", "evalue")]
        assert all(
            abs(a - b) <= 1 for pair, own in zip(said, expected, strict=False) for a, b in zip(pair, own, strict=True)
        )
        assert abs(said[-1][0] - whole) <= 1
