"""A comparison as a piece of a page: what a terminal shows of it, and the effects as a plot. Pure."""

from __future__ import annotations

from promptrial.comparison.pages import Section, sections, verdicts
from promptrial.documents.comparison import Comparison, Pair
from promptrial.documents.significance import Endpoint, Significance
from promptrial.reporting import tables
from promptrial.reporting.page.markup import shown, table_html
from promptrial.reporting.plots.forest import forest_of
from promptrial.reporting.scaling import as_shares

__all__ = ["as_html"]


def as_html(comparison: Comparison) -> str:
    """Return a comparison as HTML; every text is escaped."""
    first, *rest = sections(comparison)
    said = "".join(_said(lines) for lines in verdicts(comparison))
    pairs = zip(rest, comparison.pairs, strict=True)
    parts = (_section(section, _plot(pair, at)) for at, (section, pair) in enumerate(pairs))
    return f"{said}{_section(first)}{''.join(parts)}"


def _said(lines: list[str]) -> str:
    lead, *more = lines
    return f'<p class="verdict"><span class="lead">{shown(lead)}</span></p>\n' + "".join(
        f"<p>{shown(line)}</p>\n" for line in more
    )


def _section(section: Section, plot: str = "") -> str:
    sentences = "".join(f"<li>{shown(text)}</li>" for text in section.sentences)
    listed = f"<ul>{sentences}</ul>\n" if sentences else ""
    return f"<h2>{shown(section.title)}</h2>\n{listed}{plot}{''.join(map(table_html, section.tables))}"


def _plot(pair: Pair, at: int) -> str:
    significance = as_shares(pair.significance)
    rows = tables.overall_endpoints(significance)
    if not rows:
        return ""
    return "".join(_figure(significance, rows, at, kind) for kind in ("wide", "narrow"))


def _figure(significance: Significance, rows: list[Endpoint], at: int, kind: str) -> str:
    name = f"forest-{kind}-{at + 1}"
    names = dict(zip(rows[0].compared.sides, ("A", "B"), strict=True))
    plot = forest_of(significance, rows, names, name=name, narrow=kind == "narrow")
    return f'<figure class="{kind}">{plot}</figure>\n'
