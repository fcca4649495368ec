"""Cells of an Excel sheet that hold an error, or a formula whose result is not stored.

The spreadsheet library gives nothing for both, so that a question would lose its gold answer. They are found in the XML
of the sheet. It is parsed only where its text has a formula or an error at all.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final
from xml.etree import ElementTree as ET

from promptrial.datasets.encodings import overlapping
from promptrial.datasets.value_texts import BrokenCell

__all__ = ["broken_cells", "column_number"]

Cell = tuple[int, int]
"""Row and column, from 1."""
_BOOK: Final = "xl/workbook.xml"
_LINKS: Final = "xl/_rels/workbook.xml.rels"
_CHUNK: Final = 1 << 20
_MOST_LISTED: Final = 4 << 20
_SHOWN: Final = 200
_NUMBER: Final = re.compile("[0-9]{1,7}")
_SUSPECT: Final = re.compile(rb"""<(?:[\w.-]+:)?f[\s/>]|\st\s*=\s*["']e["']""")
_REFERENCE: Final = re.compile(r"([A-Za-z]{1,3})(\d{1,7})")


def broken_cells(file: BinaryIO, title: str) -> Iterator[tuple[Cell, BrokenCell]]:
    """Yield the broken cells of a sheet, each with its row and column, in memory that does not grow with the sheet.

    Raises
    ------
    xml.etree.ElementTree.ParseError
        If a part is not XML.
    ValueError
        If the list of sheets is too large.
    """
    file.seek(0)
    with zipfile.ZipFile(file) as archive:
        name = _part(archive, title)
        if name is None or not _is_suspect(archive, name):
            return
        cells = _Cells()
        parser = ET.XMLParser(target=cells)  # noqa: S314 - expat bounds what entities expand to
        with archive.open(name) as part:
            while chunk := part.read(_CHUNK):
                parser.feed(chunk)
                yield from cells.found
                cells.found.clear()


def _part(archive: zipfile.ZipFile, title: str) -> str | None:
    """Return the name of the part that holds a sheet."""
    names = set(archive.namelist())
    if not {_BOOK, _LINKS} <= names:
        return None
    sheets = (one for one in _elements(archive, _BOOK, "sheet") if one.get("name") == title)
    ids = {value for one in sheets for key, value in one.items() if _local(key) == "id"}
    for link in _elements(archive, _LINKS, "Relationship"):
        if link.get("Id") in ids:
            name = posixpath.normpath(posixpath.join("/xl", link.get("Target", ""))).lstrip("/")
            return name if name in names else None
    return None


def _elements(archive: zipfile.ZipFile, name: str, tag: str) -> Iterator[ET.Element]:
    with archive.open(name) as part:
        data = part.read(_MOST_LISTED + 1)
    if len(data) > _MOST_LISTED:
        raise ValueError(f"{name} is larger than {_MOST_LISTED:,} bytes")
    for element in ET.fromstring(data).iter():  # noqa: S314 - expat bounds what entities expand to
        if _local(element.tag) == tag:
            yield element


def _is_suspect(archive: zipfile.ZipFile, name: str) -> bool:
    with archive.open(name) as part:
        return any(_SUSPECT.search(each) is not None for each in overlapping(part))


class _Cells:
    """What a parser tells of a sheet, from which the broken cells are found; a target of ``XMLParser``."""

    def __init__(self) -> None:
        self.found: list[tuple[Cell, BrokenCell]] = []
        self._row = 0
        self._column = 0
        self._kind = ""
        self._texts: dict[str, str] = {}
        self._inside = ""

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Note where the parser is."""
        name = self._inside = _local(tag)
        if name == "row":
            given = attributes.get("r", "")
            self._row, self._column = int(given) if _NUMBER.fullmatch(given) else self._row + 1, 0
        elif name == "c":
            at = _REFERENCE.fullmatch(attributes.get("r", ""))
            self._row, self._column = (int(at[2]), column_number(at[1])) if at else (self._row, self._column + 1)
            self._kind, self._texts = attributes.get("t", "n"), {}
        elif name in {"f", "v"}:
            self._texts[name] = ""

    def data(self, text: str) -> None:
        """Keep the beginning of a formula or value."""
        if self._inside in self._texts:
            self._texts[self._inside] = (self._texts[self._inside] + text)[:_SHOWN]

    def end(self, tag: str) -> None:
        """Decide at the end of a cell."""
        self._inside = ""
        if _local(tag) == "c":
            broken = _broken_cell(self._kind, self._texts)
            if broken is not None:
                self.found.append(((self._row, self._column), broken))


def _broken_cell(kind: str, texts: Mapping[str, str]) -> BrokenCell | None:
    value = texts.get("v", "")
    if kind == "e":
        return BrokenCell(f"the Excel error {value or '#VALUE!'}", value or "#VALUE!")
    has_result = "v" in texts if kind == "str" else bool(value)  # a formula may result in an empty text
    if "f" in texts and not has_result:
        return BrokenCell("a formula whose result is not stored in the file", f"={texts['f']}")
    return None


def column_number(letters: str) -> int:
    """Return the number of a column, A being 1; 0 for no letters."""
    number = 0
    for letter in letters.upper():
        number = 26 * number + ord(letter) - 64
    return number


def _local(name: str) -> str:
    return name.rpartition("}")[2]
