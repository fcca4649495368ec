"""HTML from plain text and tables: what is hostile in a text is made harmless here, and only here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape
from typing import Final

from promptrial.documents.printable import escaped
from promptrial.reporting.cells import Table
from promptrial.reporting.plots.frame import NARROW

__all__ = ["details", "figure", "paragraphs", "section", "shown", "table_html"]

_SIDES: Final = {"l": "", "r": ' class="r"'}


def shown(text: str) -> str:
    """Return a text as HTML that reads as itself: no tags, no attributes, and nothing that turns text around."""
    return escape(escaped(text))


def paragraphs(texts: Iterable[str], kind: str = "") -> str:
    """Return texts as paragraphs."""
    name = f' class="{kind}"' if kind else ""
    return "".join(f"<p{name}>{shown(text)}</p>\n" for text in texts)


def table_html(table: Table) -> str:
    """Return a table under its title, with its notes below; without rows, nothing."""
    if not table.rows:
        return ""
    heads = "".join(
        f'<th scope="col"{_SIDES[side]}>{shown(head)}</th>'
        for head, side in zip(table.headers, table.align, strict=True)
    )
    rows = "".join(
        "<tr>"
        + "".join(f"<td{_SIDES[side]}>{shown(cell)}</td>" for cell, side in zip(row, table.align, strict=True))
        + "</tr>\n"
        for row in table.rows
    )
    notes = paragraphs(table.notes, "notes")
    return (
        f'<div class="tablewrap" tabindex="0" role="group" aria-label="{shown(table.title)}"><table>'
        f"<caption>{shown(table.title)}</caption><thead><tr>{heads}</tr></thead>\n<tbody>{rows}</tbody></table></div>\n"
        f"{notes}"
    )


def figure(draw: Callable[..., str], name: str) -> str:
    """Return a plot twice: for a wide page, and for a telephone, where it would be drawn too small to read.

    Parameters
    ----------
    draw : callable
        Returns the plot as SVG; takes ``name``, and ``width`` for the narrow one.
    name : str
        Begins the ids in the wide one.
    """
    return (
        f'<figure class="wide">{draw(name=name)}</figure>\n'
        f'<figure class="narrow">{draw(name=f"{name}-narrow", width=NARROW)}</figure>\n'
    )


def section(name: str, title: str, *blocks: str) -> str:
    """Return a part of the page under a heading that can be linked; without any block, nothing."""
    body = "\n".join(block for block in blocks if block)
    if not body:
        return ""
    anchor = f'<a class="anchor" href="#{name}" aria-label="link to {shown(title)}">#</a>'
    return f'<section aria-labelledby="{name}"><h2 id="{name}">{shown(title)} {anchor}</h2>\n{body}\n</section>\n'


def details(summary: str, body: str) -> str:
    """Return something that is folded until it is asked for; without a body, nothing."""
    return f"<details><summary>{shown(summary)}</summary>\n{body}</details>\n" if body else ""
