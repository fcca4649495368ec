"""A run as it is now, as a piece of a page: state, speed, spending, phases, jobs, and the end of its log. Pure."""

from __future__ import annotations

import datetime as dt
from typing import Final
from urllib.parse import quote

from promptrial import registry
from promptrial.care.live_facts import answers_text, jobs_text, live_facts, progress_text, standing
from promptrial.care.status import Progress
from promptrial.care.unfinished import has_whole_page
from promptrial.care.view.watch import Seen
from promptrial.documents.ledger import LedgerLine
from promptrial.phases.counted import committed_of
from promptrial.reporting.cells import MISSING, Table, amount, count
from promptrial.reporting.page.markup import shown, table_html
from promptrial.runtime.progress import duration
from promptrial.store.records import PhaseState

__all__ = ["live_html"]

_HEADS: Final = ("", "Phase", "State", "Done", "Started (UTC)", "Took", "Error")
_HEADINGS: Final = {"left": "Time left"}
_MOST_JOBS: Final = 20
_MOST_AWAITED: Final = 10
_MARKS: Final = {"completed": "\u2713", "in_progress": "\u2026", "failed": "!", "stopped": "\u25a0", "not_started": ""}


def live_html(seen: Seen, *, allow_stop: bool = False) -> str:
    """Return what changes while a run works; blocks that stay the same stay the same text, byte by byte."""
    return "".join(
        [
            _headline(seen),
            _links(seen),
            _stop(seen) if allow_stop else "",
            _resume(seen),
            _figures(seen),
            _phases(seen),
            _jobs(seen),
            _awaited(seen),
            _log(seen),
        ]
    )


def _headline(seen: Seen) -> str:
    status = seen.status
    answers = f", {answers_text(status)} answers" if status.rows is not None else ""
    jobs = f", {jobs_text(status)}" if status.waiting_for else ""
    return (
        f'<p class="verdict" role="status"><span class="lead">{shown(standing(seen.look))}</span>'
        f"{shown(answers + jobs)}</p>\n"
    )


def _links(seen: Seen) -> str:
    place = f"/run/{quote(seen.run.run_id)}"
    links = (
        (f'<a href="{place}/report">report</a>', has_whole_page(seen.status.state) and seen.run.report_page.exists()),
        (f'<a href="{place}/items">items</a>', any(seen.run.root.glob("*/results/per_item_scores.parquet"))),
    )
    there = "".join(link for link, is_there in links if is_there)
    return f'<p class="jumps">{there}</p>\n' if there else ""


def _stop(seen: Seen) -> str:
    if not seen.status.working or seen.status.word == "stopping":
        return ""
    return (
        f'<form method="post" action="/run/{quote(seen.run.run_id)}/stop"><button type="submit">Stop after the current '
        "requests</button></form>\n"
    )


def _resume(seen: Seen) -> str:
    if seen.status.working or seen.status.word == "finished":
        return ""
    return f"<p>Resume it with: <code>{shown(seen.run.resume_command)}</code></p>\n"


# --- figures ----------------------------------------------------------------------------------------------------------


def _figures(seen: Seen) -> str:
    """Return what the panel of the run shows too, in the same words, with bars; and the month."""
    facts = (
        f'<tr><th scope="row">{_HEADINGS.get(fact.name, fact.name.capitalize())}</th><td><span data-fact="{fact.name}">'
        f"{shown(fact.text)}</span>{_bar_of(seen, fact.name)}</td></tr>\n"
        for fact in live_facts(seen.look, seen.speed)
    )
    rows = "".join((*facts, _month(seen)))
    return f'<div class="tablewrap"><table aria-label="Now"><tbody>{rows}</tbody></table></div>\n'


def _bar_of(seen: Seen, name: str) -> str:
    if name == "answers":
        return _bar(seen.look.answers, seen.look.expected, "answers")
    if name == "spent" and seen.ledger.total.spent is not None:
        committed = sum(committed_of(line).total for line in seen.ledger.lines)
        return _bar(committed, seen.caps.max_usd, "spent of the cap")
    return ""


def _month(seen: Seen) -> str:
    """Return what all runs of the folder have spent in the month, where a cap holds for it."""
    month, most = seen.month, seen.caps.month_max_usd
    if month is None or most is None:
        return ""
    spent = month.problem if month.usd is None else f"{amount(month.usd)} of at most {amount(most)} USD"
    whose = "" if month.usd is None else ", by all runs of this folder"
    bar = _bar(month.usd, most, "spent of the cap of the month")
    return f'<tr><th scope="row">In {shown(month.name)}</th><td>{shown(spent + whose)}{bar}</td></tr>\n'


def _bar(value: float | None, most: float | None, label: str) -> str:
    if value is None or not most:
        return ""
    return f' <progress value="{min(value, most):.6g}" max="{most:.6g}" aria-label="{label}"></progress>'


# --- phases, jobs, log ------------------------------------------------------------------------------------------------


def _phases(seen: Seen) -> str:
    heads = "".join(f'<th scope="col">{head}</th>' for head in _HEADS)
    rows = "".join(
        _phase(name, phase, seen.status.progress.get(name)) for name, phase in seen.status.state.phases.items()
    )
    return (
        '<div class="tablewrap" tabindex="0" role="group" aria-label="Phases"><table><caption>Phases</caption>'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>{rows}</tbody></table></div>\n"
    )


def _phase(name: str, phase: PhaseState, progress: Progress | None) -> str:
    work = registry.PHASE_WORK.get(name)
    done, state = progress_text(progress), phase.status.replace("_", " ")
    cells = (_clock_time(phase.started_at), _took(phase), phase.last_error or "")
    return (
        f'<tr><td aria-hidden="true">{_MARKS.get(phase.status, "")}</td>'
        f'<th scope="row">{shown(name)}<span class="small">{shown(f": {work}" if work else "")}</span></th>'
        f"{''.join(f'<td>{shown(each)}</td>' for each in (state, done, *cells))}</tr>\n"
    )


def _clock_time(at: str | None) -> str:
    return "" if at is None else at[:19].replace("T", " ")


def _took(phase: PhaseState) -> str:
    """Return how long a phase took, from its last beginning; nothing before it is completed."""
    if phase.status != "completed" or phase.started_at is None or phase.updated_at is None:
        return ""
    try:
        began, ended = (dt.datetime.fromisoformat(each) for each in (phase.started_at, phase.updated_at))
        return duration(max(0.0, (ended - began).total_seconds()))
    except (ValueError, TypeError):  # a time that is none, or one with a zone beside one without
        return ""


def _jobs(seen: Seen) -> str:
    """Return the attempts that are answered now, or may be."""
    lines = [line for line in seen.ledger.lines if line.fate == "in_flight"]
    more = (f"and {count(len(lines) - _MOST_JOBS)} more",) if len(lines) > _MOST_JOBS else ()
    heads = ("Trial", "Part", "Status", "Requests", "Job", "Sent (UTC)", "Reason")
    return table_html(Table("Jobs in flight", heads, tuple(map(_job, lines[:_MOST_JOBS])), more, "lllrlll"))


def _job(line: LedgerLine) -> tuple[str, ...]:
    place = (line.trial, line.part, line.status, count(line.rows))
    return (*place, line.job or MISSING, _clock_time(line.began), line.reason or "")


def _awaited(seen: Seen) -> str:
    waits = seen.status.awaited
    more = [f"and {count(len(waits) - _MOST_AWAITED)} more"] if len(waits) > _MOST_AWAITED else []
    items = "".join(f"<li>{shown(text)}</li>" for text in (*waits[:_MOST_AWAITED], *more))
    return f"<h2>Waiting for you</h2>\n<ul>{items}</ul>\n" if items else ""


def _log(seen: Seen) -> str:
    items = "".join(f"<li>{shown(f'{said.at[11:19]} {said.text}')}</li>" for said in seen.said)
    return f'<h2>Last events</h2>\n<ul class="notes">{items}</ul>\n' if items else ""
