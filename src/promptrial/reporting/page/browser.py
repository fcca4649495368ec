"""The items of the page: the browser of items that its script fills, and those that changed, for print. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from promptrial.model.arms import ArmName
from promptrial.reporting.cells import count
from promptrial.reporting.page.content import TrialPage
from promptrial.reporting.page.items import WORDS, Packed, PageItem
from promptrial.reporting.page.markup import paragraphs, section, shown

__all__ = ["SWITCH", "items_part", "items_section"]

OUTCOMES: Final = ("fixed", "broken", "both_right", "both_wrong", "missing", "not_applicable")
"""The order of ``PageItem.outcomes``."""
_CHIPS: Final = ("", *OUTCOMES, "abstained", "truncated")
_SORTS: Final = {
    "order": "original order",
    "worst": "largest loss first",
    "best": "largest gain first",
    "longest": "longest answer first",
}
_KEYS: Final = {
    "j k": "next and previous item",
    "f b": "next fixed, next broken",
    "/": "search",
    "Esc": "show all items",
    "?": "this help",
}
_PRINTED_LETTERS: Final = 2_000
"""Letters of a text that are printed; the rest would fill pages."""
_NO_SCRIPT: Final = "<noscript><p>Without JavaScript, this page shows only the items that changed.</p></noscript>\n"


def items_section(trials: Sequence[TrialPage]) -> str:
    """Return the items of all trials under one heading; empty where the page holds no texts."""
    packed = [(each.result.facts.trial.slug, each.packed) for each in trials if each.packed is not None]
    said = [text for each in trials for text in _left_out(each)]
    printed = "".join(
        _printed(found, each.result.facts.trial.arms_run) for each in trials for found in each.printed
    )  # fmt: skip
    return items_part(packed, said, printed)


def items_part(packed: Sequence[tuple[str, Packed]], said: Iterable[str], printed: str = "") -> str:
    """Return the part of a page that holds its items.

    Parameters
    ----------
    packed : sequence of (str, Packed)
        A name for each set of items, and the items.
    said : iterable of str
        Sentences that are before them.
    printed : str
        HTML of items for print.
    """
    browser = _NO_SCRIPT + _browser() if packed else ""
    scripts = "".join(_script(name, each) for name, each in packed)
    for_print = f'<div class="printed">\n{printed}</div>\n' if printed else ""
    return section("items", "Items", paragraphs(said), browser, scripts, for_print)


def _script(name: str, packed: Packed) -> str:
    return f'<script type="application/octet-stream" data-packed data-trial="{shown(name)}">{packed.text}</script>\n'


def _left_out(page: TrialPage) -> Iterator[str]:
    """Yield what the page does not hold of a trial, so that it stays under its size."""
    if page.packed is None:
        return
    run, slug = page.result.facts.run.run_id, page.result.facts.trial.slug
    if page.packed.n_items < page.n_items:
        yield (
            f"This page has {count(page.packed.n_items)} of the {count(page.n_items)} items of {slug}, those that "
            f"changed first; promptrial show {run} prints all of them."
        )
    if page.packed.without_reasoning:
        yield (
            f"The reasoning of {slug} is omitted, because the page would be larger than 15 MB; "
            f"promptrial show {run} ITEM prints it."
        )
    if page.packed.without_reasons:
        yield (
            f"The judges' reasons about answers of {slug} are omitted, because the page would be larger than 15 MB; "
            f"promptrial show {run} ITEM prints them."
        )


SWITCH: Final = '<label><input id="marks" type="checkbox" checked> Mark differences</label>'
"""Turns the marks of words that differ on and off, by the style sheet alone."""


def _browser() -> str:
    chips = "".join(
        f'<button type="button" value="{key}" aria-pressed="{"false" if key else "true"}">{WORDS[key]}</button>'
        for key in _CHIPS
    )
    sorts = "".join(f'<option value="{key}">{label}</option>' for key, label in _SORTS.items())
    keys = "".join(f"<p>{_kbd(key)} {what}</p>" for key, what in _KEYS.items())
    return f"""<div id="browser">
<div class="search">
<label hidden>Trial <select id="trial"></select></label>
<label hidden>Compare <select id="contrast"></select></label>
</div>
<div class="chips" id="outcomes" role="group" aria-label="Filter by what changed">{chips}</div>
<div class="search">
<label>Search <input id="query" type="search" autocomplete="off"></label>
<label>Sort <select id="sort">{sorts}</select></label>
<label>Score <select id="measure"><option value="">any</option></select></label>
<label>Threshold <input id="bound" type="number" step="any" value="0.5"></label>
{SWITCH}
<span id="found" role="status" class="small"></span>
<button type="button" id="keys">Keys</button>
</div>
<p id="wrong" role="status"></p>
<div id="panes"><div id="list" role="group" tabindex="0" aria-label="List of items"><div id="rows"></div></div>
<div id="item" role="region" tabindex="-1" aria-label="Item" aria-live="polite"></div></div>
<dialog id="help" aria-label="Keys"><h3>Keys</h3>
{keys}
<button type="button" id="close">Close</button></dialog>
</div>
"""


def _kbd(keys: str) -> str:
    return " ".join(f"<kbd>{key}</kbd>" for key in keys.split())


def _printed(each: PageItem, arms: Sequence[ArmName]) -> str:
    answers = "".join(
        f"<p><b>{shown(arm)}:</b> {shown(_said(found))}</p>" for arm, found in zip(arms, each.answers, strict=True)
    )
    gold = " | ".join(each.item.answers) or "none"
    return (
        f'<div class="changed"><h3>{WORDS[OUTCOMES[each.outcomes[0]]]}: {shown(each.item.id)}</h3>'
        f"<p>{shown(_cut(each.item.question))}</p><p>Gold: {shown(_cut(gold))}</p>{answers}</div>\n"
    )


def _said(answers: Iterable[Sequence[object]]) -> str:
    return " | ".join(_cut(str(answer[0] or answer[1] or "")) for answer in answers) or "no answer"


def _cut(text: str) -> str:
    return text if len(text) <= _PRINTED_LETTERS else f"{text[:_PRINTED_LETTERS]} \u2026"
