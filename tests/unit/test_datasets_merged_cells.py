"""Merged cells of an Excel sheet: each of them has the value of its area, or the area is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptrial.datasets.custom import FORMAT
from promptrial.datasets.merged_cells import with_merged
from promptrial.errors import DataError
from promptrial.model import Item
from tests.support.workbooks import table, workbook

HEADER = ("id", "question", "context", "answer", "cluster", "category")
NO = ("", "")
"""An empty cell, as Excel stores the others of a merged area."""


def read(
    path: Path, *rows: tuple[object, ...], merged: tuple[str, ...], header: tuple[object, ...] = HEADER
) -> list[Item]:
    path.write_bytes(workbook(table(header, *rows), merged=merged))
    return list(FORMAT.read(path, "mine"))


def failure(path: Path, *rows: tuple[object, ...], merged: tuple[str, ...]) -> str:
    with pytest.raises(DataError) as caught:
        read(path, *rows, merged=merged)
    return str(caught.value).replace(str(path), "FILE")


def test_every_cell_of_a_merged_area_has_its_value(tmp_path: Path) -> None:
    rows = [
        ("1", "Q1?", "The passage", "x", "c1", "sea"),
        ("2", "Q2?", NO, "y", NO, NO),
        ("3", "Q3?", NO, "z", NO, "air"),
        ("4", "Q4?", "", "z", "c2", "air"),
    ]
    items = read(tmp_path / "q.xlsx", *rows, merged=("C2:C4", "E2:E4", "F2:F3"))
    assert [item.context for item in items] == ["The passage"] * 3 + [None]
    assert [item.cluster for item in items] == ["c1", "c1", "c1", "c2"]
    assert [item.extra["category"] for item in items] == ["sea", "sea", "air", "air"]


def test_an_error_in_a_merged_cell_applies_to_all_its_rows(tmp_path: Path) -> None:
    error = (' t="e"', "<v>#N/A</v>")
    rows = [("1", "Q1?", "", "x", "", error), ("2", "Q2?", "", "y", "", NO)]
    items = read(tmp_path / "q.xlsx", *rows, merged=("F2:F3",))
    assert [item.extra["category"] for item in items] == ["#N/A", "#N/A"]


def test_a_row_that_holds_nothing_but_merged_cells_stays_empty(tmp_path: Path) -> None:
    rows = [("1", "Q1?", "p", "x", "c", "s"), (NO,) * 6, ("2", "Q2?", NO, "y", NO, NO)]
    items = read(tmp_path / "q.xlsx", *rows, merged=("A2:A3", "B2:B3", "C2:C9", "D2:D3", "E2:E4", "F2:F1048576"))
    assert [(item.id, item.context, item.cluster, item.extra["category"]) for item in items] == [
        ("1", "p", "c", "s"),
        ("2", "p", "c", "s"),
    ]


def test_a_value_inside_a_merged_area_is_kept(tmp_path: Path) -> None:
    rows = [("1", "Q1?", "p", "x"), ("2", "Q2?", "own", "y")]
    assert [item.context for item in read(tmp_path / "q.xlsx", *rows, merged=("C2:C3",))] == ["p", "own"]


def test_merged_cells_of_the_header_name_their_first_column(tmp_path: Path) -> None:
    rows = [("1", "Q1?", "", "x"), ("2", "Q2?", "", "y")]
    header = ("id", "question", NO, "answer")
    items = read(tmp_path / "q.xlsx", *rows, merged=("B1:C1", "D1:D2"), header=header)
    assert [(item.question, item.answers) for item in items] == [("Q1?", ("x",)), ("Q2?", ("y",))]


def test_a_heading_in_several_columns_is_refused_by_name(tmp_path: Path) -> None:
    rows = [("1", "Q1?", "p", "x", "", ""), ("Part two", NO, NO, NO, NO, NO), ("2", "Q2?", "p", "y", "", "")]
    problem = failure(tmp_path / "q.xlsx", *rows, merged=("A3:F3",))
    assert problem.startswith(
        "FILE:3: row 3 of sheet 'S1': the merged area A3:F3 lies in several columns: id, question, context, answer, cl"
    )
    assert len(read(tmp_path / "q.xlsx", rows[0], rows[2], merged=("E2:F3",))) == 2  # it has no value


def test_an_area_in_several_columns_of_a_question_has_its_value_in_the_first(tmp_path: Path) -> None:
    """A remark across two columns that nobody reads is no reason to refuse a file."""
    header = ("question", "answer", "reviewer", "remark")
    rows = [("Q1?", "x", "both fine", NO), ("Q2?", "y", NO, NO), ("Q3?", "z", "", "late")]
    items = read(tmp_path / "q.xlsx", *rows, merged=("C2:D3",), header=header)
    assert [(item.question, item.extra.get("reviewer"), item.extra.get("remark")) for item in items] == [
        ("Q1?", "both fine", None),
        ("Q2?", "both fine", None),
        ("Q3?", None, "late"),
    ]


def test_columns_after_z_are_named() -> None:
    header = [f"n{column}" for column in range(704)]
    for area, name in (((1, 701), (1, 702)), "ZZ2:AAA2"), (((1, 25), (4, 26)), "Z2:AA5"):
        row = [""] * 704
        row[area[0][1]] = "here"
        with pytest.raises(DataError, match=f"the merged area {name} lies"):
            with_merged(Path("q.xlsx"), "S1", [list(header), row], [area])


def test_areas_that_overlap_are_refused_before_they_take_long() -> None:
    cells = [["question"], *(["Q?"] for _ in range(10))]
    areas = [((1, 0), (10, 0))] * 1000
    with pytest.raises(DataError, match="merged areas of sheet 'S1' overlap"):
        with_merged(Path("q.xlsx"), "S1", cells, areas)
    assert with_merged(Path("q.xlsx"), "S1", [], areas) == []
