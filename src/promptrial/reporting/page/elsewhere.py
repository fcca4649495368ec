"""The page of results that were made elsewhere: the parts of a run's page that need no run. Pure.

There is no temperature to tell: every row of their documents has one that means nothing, and no table shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from promptrial.documents.analysis import Analysis
from promptrial.documents.significance import SIDES, Significance
from promptrial.model.arms import ArmName
from promptrial.reporting import elsewhere, tables
from promptrial.reporting.cells import Table, count, counted
from promptrial.reporting.page.browser import items_part
from promptrial.reporting.page.content import Distribution
from promptrial.reporting.page.first import changes_html, effects_html, further_effects_html, verdict_html
from promptrial.reporting.page.html import Linked, page_document
from promptrial.reporting.page.items import Packed
from promptrial.reporting.page.markup import details, section, shown, table_html
from promptrial.reporting.page.sections import distribution_blocks
from promptrial.reporting.plots.bars import Changed
from promptrial.reporting.verdict import Verdict

__all__ = ["AnalysisPage", "analysis_page"]

_BETWEEN: Final = " \u00b7 "
_READING: Final = (
    f"A difference is {SIDES[1]} minus {SIDES[0]}, over the items that have a score in both.",
    (
        "A confidence interval (CI) is the range of differences that are compatible with the data. It is not "
        "adjusted for the number of tests, unless it is called simultaneous."
    ),
    "A p-value is the probability of a difference at least this large if the arms did not differ.",
    "Significant means a p-value of at most the level after adjustment for multiple tests.",
    "Not significant means that chance cannot be ruled out; it does not mean that the arms are equal.",
    "Measures that are not primary are exploratory: leads, not findings.",
    "The scores come from another tool and are used unchanged.",
)


@dataclass(frozen=True, slots=True)
class AnalysisPage:
    """What the page is made of: the document, its verdict, its effects as shares of their ranges, and its items.

    ``changed`` counts, for each contrast, what became of the items. ``n_items`` may be more than are ``packed``, and
    more than the ``n_texts`` of which it has a text.
    """

    analysis: Analysis
    verdict: Verdict
    significance: Significance
    changed: Mapping[str, Changed]
    distributions: Sequence[Distribution]
    packed: Packed
    n_items: int
    n_texts: int
    version: str


def analysis_page(page: AnalysisPage) -> str:
    """Return the page; measures have to be named (``wording``) where it is called."""
    first, *others = page.analysis.arms.values()
    names = f"{', '.join(others)} against {first}"
    facts = [counted(page.analysis.n_items, "item"), counted(len(page.analysis.inputs), "file"), "from another tool"]
    header = f'<p class="facts">{shown(_BETWEEN.join(facts))}</p>'
    return page_document(names, header, list(_parts(page, names)), f"promptrial {shown(page.version)}, analyze")


def _parts(page: AnalysisPage, names: str) -> Iterator[Linked]:
    analysis, significance = page.analysis, page.significance
    yield Linked("verdict", "Verdict", _first(page, names))
    parts = {
        "effects": ("Effects", _effects(significance, analysis.arms)),
        "groups": ("Groups", _groups(analysis, significance)),
        "items": ("Items", None),
        "scores": ("Scores by arm", distribution_blocks(page.distributions)),
        "missing": ("Pairs", _tables([tables.pairs_table(significance)])),
        "method": ("How to read it", ["<ul>" + "".join(f"<li>{shown(text)}</li>" for text in _READING) + "</ul>\n"]),
        "origin": (
            "Provenance",
            _tables([elsewhere.inputs_table(analysis), elsewhere.measures_table(analysis)]),
        ),
    }
    for name, (title, blocks) in parts.items():
        html = _items(page) if blocks is None else section(name, title, *blocks)
        yield Linked(name, title, html)


def _first(page: AnalysisPage, names: str) -> str:
    arms: Mapping[ArmName, str] = page.analysis.arms
    said = verdict_html(page.verdict, dry=False)
    return (
        f'<section class="first" aria-labelledby="verdict">\n<h1 id="verdict">{shown(names)}</h1>\n'
        f"{said}{table_html(elsewhere.gates_table(page.analysis))}{effects_html(page.significance, arms)}"
        f"{changes_html(page.changed)}</section>\n"
    )


def _effects(significance: Significance, names: Mapping[ArmName, str]) -> Iterator[str]:
    yield from _tables(tables.many_arms_tables(significance, names))
    yield further_effects_html(significance, names)
    shown_first = (tables.primary_table, tables.exploratory_table, tables.equivalence_table)
    behind = (tables.arms_table, tables.methods_table, tables.binary_table, tables.effect_sizes_table,
              tables.precision_table)  # fmt: skip
    yield from _tables(each(significance) for each in shown_first)
    yield details("Behind the decisions", "".join(_tables(each(significance) for each in behind)))


def _groups(analysis: Analysis, significance: Significance) -> Iterator[str]:
    yield from _tables([elsewhere.group_means_table(analysis)])
    if any(row.scope == "dataset" for row in significance.endpoints):
        yield from _tables([tables.subgroup_table(significance, "dataset")])
        yield from _tables([tables.interaction_table(significance, "dataset")])


def _items(page: AnalysisPage) -> str:
    left_out = page.packed.n_items < page.n_items
    said = [f"This page has {count(page.packed.n_items)} of the {count(page.n_items)} items."] if left_out else []
    if not page.n_texts:
        said.append("Scores only: these files have no texts, or the texts were left out.")
    elif page.n_texts < page.n_items:
        said.append(f"Questions and answers are shown for {count(page.n_texts)} items, and scores only for the others.")
    return items_part([("items", page.packed)], said)


def _tables(found: Iterable[Table]) -> Iterator[str]:
    for table in found:
        yield table_html(elsewhere.without_temperature(table))
