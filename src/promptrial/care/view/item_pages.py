"""Pages of items as HTML: filters, search, and each item with what every arm answered. Pure.

Every text is escaped by ``shown``. Of a long one the beginning is shown; the page of the item alone shows all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from urllib.parse import quote

from promptrial.care.shown_items import ShownItem
from promptrial.care.view.held_items import PAGE_ITEMS, ItemsPage
from promptrial.care.view.items_query import ItemsQuery
from promptrial.care.view.pages import options
from promptrial.phases.side_by_side import Answer
from promptrial.reporting.cells import count, counted
from promptrial.reporting.page.browser import SWITCH
from promptrial.reporting.page.compared import compared_words
from promptrial.reporting.page.markup import shown
from promptrial.store.rundir import RunDir

__all__ = ["items_html"]

_CURRENT: Final = ' aria-current="true"'
_FOLDED: Final = 400
_COMPARED: Final = 200_000
"""Two texts that are longer together are shown without the words that differ: finding them would take seconds."""
_SHOWN: Final = 10_000
_WHOLE: Final = 4_000_000


def items_html(run: RunDir, page: ItemsPage) -> str:
    """Return one page of items with filters, search and links to the others."""
    query = page.query
    most = _WHOLE if query.item else _SHOWN
    body = "".join(_item(each, query, most) for each in page.found) or "<p>No items match these filters.</p>\n"
    back = f'<p><a href="/run/{quote(run.run_id)}">back to the run</a></p>\n'
    back += f'<p class="notes" role="alert">{shown(page.warning)}</p>\n' if page.warning else ""
    if query.item:
        everything = f'<p class="jumps"><a href="{shown(query.address(item="0"))}">all items</a></p>\n'
        return f"{back}{everything}<p>{SWITCH}</p>\n{body}"
    return (
        f'{back}{_form(page)}<p class="jumps">{_chips(page)}</p>\n<p class="small" role="status">'
        f"{counted(page.n, 'item')}{_place(page)}</p>\n<p>{SWITCH}</p>\n{body}{_turns(page)}"
    )


def _form(page: ItemsPage) -> str:
    query = page.query
    trials = f'<label>Trial <select name="trial">{options(page.trials, query.trial)}</select></label>'
    arms = f'<label>Arm <select name="arm">{options(page.arms, query.arm)}</select></label>'
    return (
        f'<form class="search" method="get">{trials if len(page.trials) > 1 else _hidden("trial", query.trial)}'
        f"{arms if len(page.arms) > 1 else ''}{_hidden('outcome', query.outcome or '')}"
        f'<label>Search <input name="q" type="search" maxlength="200" value="{shown(query.words)}"></label>'
        '<button type="submit">Show</button></form>\n'
    )


def _hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{name}" value="{shown(value)}">'


def _chips(page: ItemsPage) -> str:
    links = [("", "all", sum(page.counts.values()))]
    links += [(outcome, outcome.replace("_", " "), n) for outcome, n in page.counts.items() if n]
    current = page.query.outcome or ""
    return " ".join(
        f'<a href="{shown(page.query.address(outcome=value, start="0"))}"{_CURRENT if value == current else ""}>'
        f"{name} {count(n)}</a>"
        for value, name, n in links
    )


def _place(page: ItemsPage) -> str:
    if not page.found or page.n == len(page.found):
        return ""
    first = page.query.start + 1
    return f", showing {count(first)} to {count(first + len(page.found) - 1)}"


def _turns(page: ItemsPage) -> str:
    query, now = page.query, len(page.found)
    before, after = max(0, query.start - PAGE_ITEMS), query.start + now
    links = [
        f'<a rel="prev" href="{shown(query.address(start=str(before)))}">earlier</a>' if query.start else "",
        f'<a rel="next" href="{shown(query.address(start=str(after)))}">later</a>' if now and after < page.n else "",
    ]
    return f'<p class="jumps">{" ".join(filter(None, links))}</p>\n'


# --- one item ---------------------------------------------------------------------------------------------------------


def _item(each: ShownItem, query: ItemsQuery, most: int) -> str:
    number = each.number
    alone = shown(query.address(item=str(number), start="0"))
    return (
        f'<section class="changed" aria-label="{shown(each.id)}"><h2 id="item-{number}"><a href="{alone}">'
        f'{shown(each.id)}</a> <span class="small">{_facts(each)}</span></h2>\n'
        f"<p><b>{_cut(each.question, most)}</b></p>\n{_passage(each, most)}"
        f"<p><b>Gold:</b> {_cut(' | '.join(each.gold) or 'none', most)}</p>\n"
        f'<div class="arms">{"".join(_columns(each, most))}</div></section>\n'
    )


def _facts(each: ShownItem) -> str:
    return shown(f"{each.outcome.replace('_', ' ')}, {each.dataset}, temperature {each.temperature:g}")


def _passage(each: ShownItem, most: int) -> str:
    text = each.passage
    if text is None:
        return ""
    box = (
        f'<div class="passage" tabindex="0">{_marked(text, each.gold) if len(text) <= most else _cut(text, most)}</div>'
    )
    return f"<details><summary>Passage</summary>{box}</details>\n" if len(text) > _FOLDED else f"{box}\n"


def _marked(text: str, golds: Iterable[str]) -> str:
    """Return a passage with the first place of the first accepted answer in it marked."""
    gold = next((each for each in golds if each and each in text), None)
    if gold is None:
        return shown(text)
    before, _, after = text.partition(gold)
    return f"{shown(before)}<mark>{shown(gold)}</mark>{shown(after)}"


def _columns(each: ShownItem, most: int) -> Iterator[str]:
    first = _said(next(iter(each.answers.values()), []))
    for at, (arm, answers) in enumerate(each.answers.items()):
        said = _said(answers)
        text = (
            compared_words(first, said)
            if at and len(said) + len(first) <= min(2 * most, _COMPARED)
            else _cut(said, most)
        )
        scores = ", ".join(f"{name} {value:.3g}" for name, value in each.scores[arm].items())
        tail = "".join(_reasoning(answer, most) for answer in answers)
        yield (
            f'<section class="arm" aria-label="{shown(arm)}"><h3>{shown(arm)}</h3>'
            f'<div class="answer" tabindex="0">{text}</div>{tail}'
            f'<p class="small">{shown(". ".join(filter(None, [scores, *map(_usage, answers)])))}</p>'
            f"{''.join(_reasons(answers, most))}</section>"
        )


def _usage(answer: Answer) -> str:
    tokens = (answer.prompt_tokens, answer.completion_tokens)
    used = "" if None in tokens else f"{count(tokens[0])} tokens in, {count(tokens[1])} out"
    return ", ".join(filter(None, [answer.finish_reason, used]))


def _reasoning(answer: Answer, most: int) -> str:
    if not answer.reasoning:
        return ""
    return _folded("Reasoning", answer.reasoning, most)


def _reasons(answers: Sequence[Answer], most: int) -> Iterator[str]:
    """Yield why judges gave their scores, folded."""
    for number, answer in enumerate(answers, 1):
        of = f"Answer {number}, reason" if len(answers) > 1 else "Reason"
        for each in answer.judgements:
            yield _folded(f"{of} for {each.scorer} {each.said}", each.reason, most)


def _folded(summary: str, text: str, most: int) -> str:
    return f"<details><summary>{shown(summary)}</summary><pre>{_cut(text, most)}</pre></details>"


def _said(answers: Iterable[Answer]) -> str:
    texts = [each.text if each.text is not None else f"[{each.error or 'no text'}]" for each in answers]
    return "\n".join(texts) or "[no answer]"


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return shown(text)
    return f'{shown(text[:most])} <span class="small">[and {count(len(text) - most)} more characters]</span>'
