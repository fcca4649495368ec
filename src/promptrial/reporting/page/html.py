"""The page itself: its parts and their order. The same values give the same bytes."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from importlib.resources import files
from itertools import groupby
from typing import Final, NamedTuple

from promptrial.reporting.cells import amount, counted
from promptrial.reporting.facts import RunFacts, TrialResult
from promptrial.reporting.page.browser import items_section
from promptrial.reporting.page.content import TrialPage
from promptrial.reporting.page.first import first_screen
from promptrial.reporting.page.markup import shown
from promptrial.reporting.page.sections import trial_sections
from promptrial.reporting.scaling import as_shares
from promptrial.reporting.warned import unfinished_warning

__all__ = ["Linked", "TrialPage", "page_document", "report_page"]

_MADE_AT: Final = re.compile(r"(2\d{3})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])-\d{6}(?:-\d+)?")
"""A name that ``promptrial`` gives a run by the time at which it is made."""
_BETWEEN: Final = " \u00b7 "
_BEFORE_ITEMS: Final = 2
"""Parts of the only trial that come before its items: effects, and subsets."""


class Linked(NamedTuple):
    """A part of the page: the id and words of its heading, its HTML, and its trial if there are several."""

    name: str
    title: str
    html: str
    trial: str = ""


_OF_JUDGES: Final = re.compile(r"^ *// \[judges\n.*?^ *// judges\]\n", re.MULTILINE | re.DOTALL)
"""What of the script only the page of a run with judges needs."""


def report_page(run: RunFacts, trials: Sequence[TrialPage]) -> str:
    """Return the page of a run.

    Parameters
    ----------
    run : RunFacts
    trials : sequence of TrialPage
        In the order in which they are to be shown, at least one.
    """
    trials = [replace(each, result=_shares(each.result)) for each in trials]
    footer = f"promptrial {shown(run.package_version)}, configuration {shown(run.config_hash[:12])}"
    title, judged = f"{run.experiment}, run {run.run_id}", any(each.result.facts.judges for each in trials)
    return page_document(title, _facts(run, trials), list(_parts(trials)), footer, judged=judged)


def page_document(title: str, facts: str, parts: Sequence[Linked], footer: str, *, judged: bool = False) -> str:
    """Return a page of these parts: one file that loads nothing, with a list of its parts at the side.

    Parameters
    ----------
    title : str
        As plain text.
    facts, footer : str
        The line at the top and the one at the end, as HTML.
    parts : sequence of Linked
        One of them is named ``effects``.
    judged : bool
        Whether its items may have reasons of judges.
    """
    style, script = (files(__package__).joinpath(name).read_text("utf-8") for name in ("report.css", "report.js"))
    script = script if judged else _OF_JUDGES.sub("", script)
    policy = (
        f"default-src 'none'; style-src 'sha256-{_digest(style)}'; script-src 'sha256-{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{shown(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        f'<a class="skip" href="#effects">Skip to the effects</a>\n<div class="page">\n{_navigation(parts)}'
        f"<div>\n<header>{facts}</header>\n<main>\n{''.join(each.html for each in parts)}</main>\n"
        f'<footer class="small"><p>{footer}</p></footer>\n</div>\n</div>\n<script>{script}</script>\n</body>\n</html>\n'
    )


def _shares(result: TrialResult) -> TrialResult:
    return replace(result, significance=as_shares(result.significance))


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _facts(run: RunFacts, trials: Sequence[TrialPage]) -> str:
    """Return the first line: which run, when, which models, how many questions, status, money."""
    models = ", ".join(dict.fromkeys(each.result.facts.trial.model.alias for each in trials))
    parts = [f"experiment {run.experiment}", f"run {run.run_id}", *_date(run.run_id), models,
             counted(run.n_items, "question"), _status(run), _money(run, trials)]  # fmt: skip
    return f'<p class="facts">{_BETWEEN.join(map(shown, parts))}</p>'


def _status(run: RunFacts) -> str:
    if run.unfinished is None:
        return "dry run" if run.dry_run else "finished"
    said = unfinished_warning(run.unfinished).text.removesuffix(".")
    return f"{'dry run, ' if run.dry_run else ''}unfinished: {said}"


def _date(run_id: str) -> list[str]:
    """Return the day of a run whose name says when it was made; no record of time else, as bytes would depend on it."""
    found = _MADE_AT.fullmatch(run_id)
    return ["-".join(found.groups())] if found else []


def _money(run: RunFacts, trials: Sequence[TrialPage]) -> str:
    """Return what the run has spent; of a run without such a record, what its answers cost."""
    if run.dry_run:
        return "nothing spent"
    if run.spending is not None:
        return f"{amount(run.spending.spent_usd)} USD"
    costs = [each.result.costs.usd for each in trials]
    known = [usd for usd in costs if usd is not None]
    if len(known) < len(costs):
        return "cost unknown"
    shares = any(each.result.facts.shared_requests for each in trials)  # these are in the costs of several trials
    partly = any(each.result.costs.tokens_unknown for each in trials)
    bound = "about " if shares and partly else "at most " if shares else "at least " if partly else ""
    return f"{bound}{amount(sum(known))} USD"


def _parts(trials: Sequence[TrialPage]) -> Iterator[Linked]:
    """Yield the parts of the page in order: first what each trial shows, then the rest of each.

    The items of all trials are one part: after the effects of the only trial, else after what all trials show.
    """
    several = len(trials) > 1
    for at, page in enumerate(trials):
        slug = page.result.facts.trial.slug
        yield Linked(_name("verdict", at), f"Verdict: {slug}" if several else "Verdict", first_screen(page, at))
    items = Linked("items", "Items", items_section(trials))
    if several:
        yield items
    for at, page in enumerate(trials):
        slug = page.result.facts.trial.slug if several else ""
        for place, (name, title, html) in enumerate(trial_sections(page, at)):
            if place == _BEFORE_ITEMS and not several:
                yield items
            yield Linked(_name(name, at), title, html, slug)


def _name(name: str, at: int) -> str:
    return f"{name}-{at + 1}" if at else name


def _navigation(parts: Sequence[Linked]) -> str:
    """Return links to all parts; those of one of several trials are folded under its name."""
    groups = groupby((each for each in parts if each.html), key=lambda each: each.trial)
    links = "".join(_folded(trial, _links(found)) for trial, found in groups)
    return f'<nav aria-label="Parts of the page">\n{links}</nav>\n'


def _links(parts: Iterable[Linked]) -> str:
    links = "".join(f'<li><a href="#{each.name}">{shown(each.title)}</a></li>\n' for each in parts)
    return f"<ul>\n{links}</ul>\n"


def _folded(trial: str, links: str) -> str:
    return f"<details><summary>{shown(trial)}</summary>\n{links}</details>\n" if trial else links
