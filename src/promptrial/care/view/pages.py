"""The frame of every page of ``view``, the list of runs, and pages that say what went wrong. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final
from urllib.parse import quote

from promptrial.care.run_documents import ListDocument, ListedRun
from promptrial.errors import PromptrialError
from promptrial.reporting.cells import amount, count
from promptrial.reporting.page.markup import shown

__all__ = ["frame", "options", "problem_html", "runs_html"]

_HEADS: Final = ("Run", "State", "Phases", "Answers", "USD", "Changed (UTC)")


def frame(title: str, body: str, *, live: str = "", script: str = "", home: str = "all runs") -> str:
    """Return a whole page; ``live`` is the address of its events, where it has some, ``home`` what the first page is.

    ``script`` is the name of the script of the page, by default the one that follows events, where it has some.
    """
    name = script or ("view.js" if live else "")
    loaded = f'<script src="/static/{name}" defer></script>' if name else ""
    source = f' data-events="{shown(live)}"' if live else ""
    styles = "".join(f'<link rel="stylesheet" href="/static/{name}">' for name in ("report.css", "view.css"))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{shown(title)}</title>{styles}{loaded}</head>\n"
        f'<body{source}><a class="skip" href="#main">Skip to the content</a>'
        f'<header><p class="facts"><a href="/">{home}</a></p></header>\n'
        f'<main id="main"><h1>{shown(title)}</h1>\n{body}</main></body></html>\n'
    )


def problem_html(error: Exception, redact: Callable[[str], str]) -> str:
    """Return what went wrong, and what to do next, as pieces of a page; ``redact`` takes secrets out of a text."""
    if isinstance(error, PromptrialError):
        lines = [error.message, *([] if error.hint is None else [f"next: {error.hint}"])]
    elif isinstance(error, OSError):
        lines = [_of_file(error)]
    else:  # a file that is half written, or damaged in a way that nothing has a word for
        lines = [
            f"this page could not be built: {type(error).__name__}: {error}",
            "reload it if the run is in progress; otherwise check the run: promptrial doctor",
        ]
    first, *more = (line for text in lines for line in redact(text).splitlines() if line.strip())
    rest = "".join(f"<p>{shown(line.strip())}</p>\n" for line in more)
    return f'<p class="bad" role="status">{shown(first)}</p>\n{rest}'


def _of_file(error: OSError) -> str:
    if error.filename is None:  # as Arrow raises them
        return error.strerror or str(error)
    return f"{error.filename}: {error.strerror}"


def runs_html(found: ListDocument, only: Collection[str] = ()) -> str:
    """Return the list of runs, the one that changed last first; ``only`` are the runs that were asked for, if any."""
    runs = [run for run in found.runs if not only or run.run_id in only]
    if not runs:
        return (
            f"<p>There are no runs in {shown(found.experiments_dir)}. Start one with <code>promptrial run</code> or "
            "<code>promptrial demo</code>; it then appears on this page.</p>\n"
        )
    heads = "".join(f'<th scope="col">{head}</th>' for head in (*_HEADS, "A", "B"))
    compare = '<p><button type="submit">Compare B with A</button></p>\n' if len(runs) > 1 else ""
    rows = "".join(map(_run_row, runs))
    return (
        '<form class="runs" method="get" action="/compare">\n'
        '<div class="tablewrap" tabindex="0" role="group" aria-label="Runs"><table>'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>{rows}</tbody></table></div>\n{compare}</form>\n"
    )


def _run_row(each: ListedRun) -> str:
    answers = "" if each.answers is None else f"{count(each.answers)} of {count(each.expected_answers)}"
    usd = "" if each.usd is None else amount(each.usd)
    changed = (each.updated_at or "")[:19].replace("T", " ")
    cells = (each.status, each.phases or each.problem or "", answers, usd, changed)
    return (
        f'<tr><th scope="row"><a href="/run/{quote(each.run_id, safe="")}">{shown(each.run_id)}</a></th>'
        + "".join(f'<td data-head="{head}">{shown(cell)}</td>' for head, cell in zip(_HEADS[1:], cells, strict=True))
        + "".join(_choice(each.run_id, side) for side in ("a", "b"))
        + "</tr>\n"
    )


def _choice(run_id: str, side: str) -> str:
    label = f"compare {run_id} as {side.upper()}"
    choice = f'<input type="radio" name="{side}" value="{shown(run_id)}" aria-label="{shown(label)}">'
    return f'<td data-head="{side.upper()}">{choice}</td>'


def options(values: Iterable[str], chosen: str) -> str:
    """Return the options of a list to choose from."""
    return "".join(
        f'<option value="{shown(value)}"{" selected" if value == chosen else ""}>{shown(value)}</option>'
        for value in values
    )
