"""Excel workbooks for tests, written as plain XML."""

from __future__ import annotations

import io
import zipfile
from typing import Any
from xml.sax.saxutils import escape

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATED = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_LINKS = "http://schemas.openxmlformats.org/package/2006/relationships"


def cell(reference: str, value: object) -> str:
    """Return the XML of a cell; a tuple of attributes and content is one that is given as XML."""
    if isinstance(value, tuple):
        return f'<c r="{reference}"{value[0]}>{value[1]}</c>'
    if isinstance(value, str):
        return f'<c r="{reference}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    return f'<c r="{reference}"><v>{value}</v></c>'


def table(*rows: tuple[object, ...]) -> str:
    """Return rows of XML, from the first row and column on; the values are those of ``cell``."""
    return "".join(
        f'<row r="{n}">' + "".join(cell(f"{chr(65 + at)}{n}", value) for at, value in enumerate(values)) + "</row>"
        for n, values in enumerate(rows, start=1)
    )


def workbook(
    *sheets: str, names: tuple[str, ...] = (), hidden: tuple[str, ...] = (), merged: tuple[str, ...] = ()
) -> bytes:
    """Return a workbook whose sheets, S1, S2 and so on unless named, hold these rows of XML and these merged areas."""
    target = io.BytesIO()
    numbers = range(1, len(sheets) + 1)
    titles = names or tuple(f"S{n}" for n in numbers)
    listed = "".join(
        f'<sheet name="{title}" sheetId="{n}" state="{"hidden" if title in hidden else "visible"}" r:id="r{n}"/>'
        for n, title in zip(numbers, titles, strict=True)
    )
    links = "".join(
        f'<Relationship Id="r{n}" Target="worksheets/sheet{n}.xml" Type="{_RELATED}/worksheet"/>' for n in numbers
    )
    files = {
        "_rels/.rels": f'<Relationships xmlns="{_LINKS}"><Relationship Id="r" Type="{_RELATED}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATED}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_LINKS}">{links}</Relationships>',
    }
    areas = "".join(f'<mergeCell ref="{area}"/>' for area in merged)
    behind = f"<mergeCells>{areas}</mergeCells>" if merged else ""
    for n, sheet in zip(numbers, sheets, strict=True):
        content = f"<sheetData>{sheet}</sheetData>{behind}"
        files[f"xl/worksheets/sheet{n}.xml"] = f'<worksheet xmlns="{_MAIN}">{content}</worksheet>'
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return target.getvalue()


def workbook_of(rows: list[dict[str, Any]]) -> bytes:
    """Return a workbook of one sheet with a header and these rows."""
    names = list(rows[0])
    return workbook(table(tuple(names), *(tuple(row[name] for name in names) for row in rows)))
