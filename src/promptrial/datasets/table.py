"""Any file of questions as rows: what kind of file it is, said in words, and column -> value for each row.

This is the layer of containers: compression, encoding, separators, JSON, YAML, Parquet, Excel. What the columns mean is
``datasets.columns``; layouts that are not plain rows build on the rows that they find here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from promptrial.datasets import separated
from promptrial.datasets.encodings import HEAD, Content, open_content
from promptrial.datasets.json_rows import LINE_ENDINGS, json_layout, line_rows, list_rows
from promptrial.datasets.parquet import parquet_values
from promptrial.datasets.place import Place
from promptrial.datasets.separated import SEPARATORS, Row
from promptrial.datasets.yaml_rows import load_questions

__all__ = ["Kind", "Row", "Table", "open_table", "table_of"]

Kind = Literal["separated", "lines", "list", "object", "parquet", "xlsx", "yaml"]
_WORDS = {
    "lines": "JSON objects, one per line",
    "list": "a JSON list of objects",
    "object": "rows in a JSON object",
    "parquet": "Parquet",
    "yaml": "YAML",
}


_YAML = frozenset({".yaml", ".yml"})


@dataclass(frozen=True, slots=True)
class Table:
    """A file of rows, opened again each time its rows are read.

    Attributes
    ----------
    path : Path
    kind : {"separated", "lines", "list", "object", "parquet", "xlsx", "yaml"}
        ``object`` is a JSON object that holds rows.
    words : str
        What was recognised, for people: ``semicolon-separated, UTF-16, gzip``.
    separator : str
        The character between cells; empty where there is none.
    content : Content
        The bytes that the rows are read from.
    """

    path: Path
    kind: Kind
    words: str
    separator: str
    content: Content
    _read: Callable[[], Iterator[Row]]

    def rows(self) -> Iterator[Row]:
        """Yield each row with its place. Values are text, or what JSON, Parquet or Excel hold.

        Blank lines and, in separated values and Excel, columns without name and values are passed over. A column that
        JSON leaves out of a row is not in its dict.

        Raises
        ------
        DataError
            At the first thing wrong, with file and line.
        """
        return self._read()


def open_table(
    path: Path, encoding: str | None = None, names: Collection[str] = frozenset(), sheet: str | None = None
) -> Table:
    """Recognise what kind of rows a file holds. Reads at most its first megabyte, and of a workbook its sheet.

    Parameters
    ----------
    path : Path
    encoding : str, optional
        The encoding of a text file; without it, UTF-8, or UTF-16 with a byte-order mark.
    names : collection of str
        Names of columns that are expected, in lower case; they help to tell separators apart.
    sheet : str, optional
        The sheet of an Excel workbook; without it, the first visible one with rows.

    Raises
    ------
    DataError
        If the file cannot be read or is of no kind that is known; for a sheet that does not exist, or of no workbook.
    """
    return table_of(open_content(path, encoding), names, sheet)


def table_of(content: Content, names: Collection[str], sheet: str | None) -> Table:
    """Return what ``open_table`` does of a file that was opened already."""
    path, kind = content.path, _kind(content, names)
    if kind == "xlsx":
        from promptrial.datasets.sheets import read_sheet

        with content.seekable() as file:
            found = read_sheet(path, file, sheet)
        words = ", ".join((found.words, *content.words))
        return Table(path, kind, words, "", content, found.rows)
    if sheet is not None:
        raise Place(path, 1).error(
            f"`sheet` names a sheet of an Excel workbook, and this is {_WORDS.get(kind, 'a file of separated values')}",
            hint="remove `sheet` from the section of the data set; see docs/question_files.md#excel",
        )
    separator = ""
    if kind == "separated":
        separator = separated.recognise_separator(content.head, len(content.head) < HEAD, names)
    name = f"{SEPARATORS.get(separator, repr(separator))}-separated" if separator else _WORDS[kind]
    words = ", ".join((name.replace("vertical bar", "bar"), *content.words))
    return Table(path, kind, words, separator, content, partial(_rows, content, kind, separator))


def _kind(content: Content, names: Collection[str]) -> Kind:
    if content.binary:
        return "parquet" if content.binary == "parquet" else "xlsx"
    text = content.head.lstrip()
    endings = {suffix.lower() for suffix in content.path.suffixes}
    if endings & _YAML:
        return "yaml"
    if (
        endings.intersection(LINE_ENDINGS)
        or text.startswith(b"{")
        or (text.startswith(b"[") and text[1:].lstrip()[:1] in (b"{", b"]", b"["))
    ):
        return json_layout(content, names)
    return "separated" if text or content.path.suffix.lower() in (".csv", ".tsv") else "lines"


def _rows(content: Content, kind: Kind, separator: str) -> Iterator[Row]:
    if kind in ("list", "object"):
        yield from list_rows(content, kind)
    elif kind == "parquet":
        with content.seekable() as file:
            yield from parquet_values(content.path, file)
    elif kind == "yaml":
        with content.open() as file:
            yield from load_questions(content.path, file).rows()
    else:
        with content.open(lines=True) as file:
            if kind == "lines":
                yield from line_rows(content.path, file)
            else:
                yield from separated.rows(content.path, file, separator)
