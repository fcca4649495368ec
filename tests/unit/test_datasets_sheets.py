"""Which sheet of an Excel workbook is read, and cells of it that hold no value."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from pathlib import Path

import pytest

from promptrial.config.datasets import DatasetConfig
from promptrial.datasets.base import Reading, reading_of
from promptrial.datasets.custom import FORMAT
from promptrial.datasets.recognising import recognise
from promptrial.datasets.value_texts import text_of
from promptrial.errors import DataError
from promptrial.model import Item
from tests.support.workbooks import table, workbook

HEADER = ("question", "answer", "note")
QUESTIONS = table(HEADER, ("Real?", "r", "n"))


def read(path: Path, data: bytes, sheet: str | None = None) -> tuple[list[Item], list[str]]:
    path.write_bytes(data)
    said: list[str] = []
    found = recognise(path, sheet=sheet)
    reading = Reading(columns=found.columns, sheet=sheet, note=said.append, say=said.append)
    assert found.sentences[0].startswith("read as an Excel workbook, sheet ")
    return list(FORMAT.read(path, "mine", reading=reading)), said


def failure(path: Path, data: bytes, sheet: str | None = None) -> str:
    with pytest.raises(DataError) as caught:
        read(path, data, sheet)
    return str(caught.value).replace(str(path), "FILE")


def test_a_hidden_sheet_is_not_read_and_the_sheet_and_the_others_are_named(tmp_path: Path) -> None:
    old = table(HEADER, ("Old?", "o", "n"))
    data = workbook(old, QUESTIONS, "", names=("Old", "Real", "Empty"), hidden=("Old",))
    items, said = read(tmp_path / "q.xlsx", data)
    assert [item.question for item in items] == ["Real?"]
    assert said[0] == "read as an Excel workbook, sheet 'Real' (not read: 'Old' (hidden), 'Empty')"


def test_a_cover_sheet_of_one_line_is_not_taken_for_the_questions(tmp_path: Path) -> None:
    data = workbook(table(("This workbook holds questions",)), QUESTIONS, names=("Cover", "Real"))
    assert [item.question for item in read(tmp_path / "q.xlsx", data)[0]] == ["Real?"]


def test_a_longer_cover_sheet_is_an_error_that_names_the_sheets(tmp_path: Path) -> None:
    data = workbook(table(("About us",), ("We ask.",)), QUESTIONS, names=("Cover", "Real"))
    assert "(read as an Excel workbook, sheet 'Cover' (not read: 'Real'))" in failure(tmp_path / "q.xlsx", data)


@pytest.mark.parametrize("name", ["Old", " old"])
def test_the_configuration_can_choose_any_sheet_even_a_hidden_one(tmp_path: Path, name: str) -> None:
    data = workbook(QUESTIONS, table(HEADER, ("Old?", "o", "n")), names=("Real", "Old"), hidden=("Old",))
    items, said = read(tmp_path / "q.xlsx", data, name)
    assert [item.question for item in items] == ["Old?"]
    assert said[0] == "read as an Excel workbook, sheet 'Old' (not read: 'Real')"


def test_a_missing_sheet_or_a_sheet_of_another_file_type_is_an_error_that_lists_what_exists(tmp_path: Path) -> None:
    data = workbook(QUESTIONS, QUESTIONS, names=("Real", "Old"))
    problem = failure(tmp_path / "q.xlsx", data, "Reel")
    assert problem.startswith("FILE:1: no sheet 'Reel', which `sheet` names; the sheets are 'Real', 'Old'")
    problem = failure(tmp_path / "q.csv", b"question,answer\nQ?,a\n", "Real")
    assert problem.startswith("FILE:1: `sheet` names a sheet of an Excel workbook, and this is a file of separated")


def test_a_workbook_with_rows_only_in_hidden_sheets_says_how_to_read_one(tmp_path: Path) -> None:
    problem = failure(tmp_path / "q.xlsx", workbook(QUESTIONS, "", hidden=("S1",)))
    assert problem.startswith("FILE:1: no visible sheet of the workbook has rows")
    assert "`sheet: S1`" in problem
    problem = failure(tmp_path / "q.xlsx", workbook(QUESTIONS, ""), "S2")
    assert problem.startswith("FILE:1: the sheet 'S2' has no rows")


def test_a_sheet_is_recorded_only_if_configured() -> None:
    assert "sheet" not in DatasetConfig(path="q.xlsx").model_dump()
    named = DatasetConfig(path="q.xlsx", sheet="Real")
    assert named.model_dump()["sheet"] == "Real"
    assert reading_of(named).sheet == "Real"


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ((' t="e"', "<v>#N/A</v>"), "column 'answer' holds the Excel error #N/A"),
        ((' t="e"', "<f>1/0</f><v>#DIV/0!</v>"), "column 'answer' holds the Excel error #DIV/0!"),
        (("", "<f>1+1</f>"), "column 'answer' holds a formula whose result is not stored in the file"),
        (("", "<f>1+1</f><v/>"), "column 'answer' holds a formula whose result is not stored in the file"),
        (("", '<f t="shared" si="0"/>'), "column 'answer' holds a formula whose result is not stored in the file"),
    ],
)
def test_a_cell_without_a_value_is_an_error_where_one_is_needed(
    tmp_path: Path, broken: tuple[str, str], problem: str
) -> None:
    data = workbook(QUESTIONS, table(HEADER, ("Q1?", "a", ""), ("Q2?", broken, "")), names=("A", "B"))
    assert failure(tmp_path / "q.xlsx", data, "B").startswith(f"FILE:3: row 3 of sheet 'B': {problem}")


def test_rows_of_formulas_without_results_are_neither_empty_nor_absent(tmp_path: Path) -> None:
    formula = ("", "<f>1+1</f>")
    cover = table(("Made", formula))
    data = workbook(cover, table(HEADER, (formula, formula, "")), QUESTIONS)
    problem = failure(tmp_path / "q.xlsx", data)
    assert problem.startswith(
        "FILE:2: row 2 of sheet 'S2': column 'question' holds a formula whose result is not stored"
    )


@pytest.mark.parametrize(
    "hostile",
    [
        '<!DOCTYPE x [<!ENTITY a "'
        + "b" * 1000
        + '">'
        + "".join(f'<!ENTITY a{n} "' + f"&a{n - 1 if n else ''};" * 100 + '">' for n in range(5))
        + "]>",
        "<!DOCTYPE x>",
    ],
)
def test_a_sheet_that_declares_entities_ends_in_an_error_or_in_items(tmp_path: Path, hostile: str) -> None:
    sheet = table(HEADER, ("Q?", ("", "<f>1</f><v>&a4;</v>"), ""))
    source, target = io.BytesIO(workbook(sheet)), io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, hostile.encode() + data if "worksheets" in name else data)
    assert failure(tmp_path / "q.xlsx", target.getvalue()).startswith("FILE:1: not readable as an Excel workbook")


def test_a_formula_with_a_result_is_read_and_a_broken_cell_of_another_column_is_kept_as_shown(tmp_path: Path) -> None:
    rows = [
        ("Q1?", ("", "<f>1+1</f><v>2</v>"), (' t="e"', "<v>#N/A</v>")),
        ("Q2?", (' t="str"', "<f>A1</f><v>x</v>"), ("", "<f>NOW()</f>")),
        ("Q3?", (' t="str"', "<f>A9</f><v></v>"), ""),
    ]
    items, _ = read(tmp_path / "q.xlsx", workbook(table(HEADER, *rows)))
    assert [(item.answers, item.extra) for item in items] == [
        (("2",), {"note": "#N/A"}),
        (("x",), {"note": "=NOW()"}),
        ((), {}),
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (dt.timedelta(days=1, hours=12), "P1DT12H"),
        (dt.timedelta(minutes=90), "PT1H30M"),
        (dt.timedelta(seconds=-1.5), "-PT1.5S"),
        (dt.timedelta(days=2), "P2D"),
        (dt.timedelta(), "PT0S"),
    ],
)
def test_an_elapsed_time_is_written_as_iso_8601_does(value: dt.timedelta, text: str) -> None:
    assert text_of(value) == text
