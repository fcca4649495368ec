"""What is said about a run while it works: the same words in its terminal, in another one, and on a page. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from promptrial import registry
from promptrial.care.following import Look, Speed, projected_usd
from promptrial.care.status import Progress, RunStatus
from promptrial.reporting.cells import amount, count, counted, significant
from promptrial.runtime.progress import duration
from promptrial.store.part_records import set_or_none

__all__ = [
    "LiveFact",
    "answers_text",
    "jobs_text",
    "live_facts",
    "phase_label",
    "progress_text",
    "spent_text",
    "standing",
]


class LiveFact(NamedTuple):
    """One fact of a run: ``phase``, ``answers``, ``parts``, ``jobs``, ``speed``, ``left`` (the time) or ``spent``."""

    name: str
    text: str


def standing(look: Look) -> str:
    """Return the word of a run, with what changes its meaning: that it has met its cap, or is a dry run."""
    cap = " at its cost cap" if look.status.at_cap else ""
    return f"{look.status.word}{cap}{' (dry run: costs nothing)' if look.dry_run else ''}"


def live_facts(look: Look, speed: Speed) -> Iterator[LiveFact]:
    """Yield what is known of a run now, in the order in which it is shown; what is not known is left out.

    Speed and time left are those of a run at work.
    """
    now = speed if look.status.working else Speed()
    facts = (
        ("phase", _phase(look)),
        ("answers", answers_text(look.status)),
        ("parts", _parts(look.status)),
        ("jobs", jobs_text(look.status)),
        ("speed", _speed(now)),
        ("left", "" if now.left_s is None else f"about {duration(now.left_s)}"),
        ("spent", spent_text(look)),
    )
    return (LiveFact(name, text) for name, text in facts if text)


def phase_label(phase: str) -> str:
    """Return which phase this is, and what it does.

    Examples
    --------
    >>> phase_label("poll")
    '[4/9] collecting answers'
    """
    return f"[{[*registry.PHASES].index(phase) + 1}/{len(registry.PHASES)}] {registry.PHASE_WORK[phase]}"


def answers_text(status: RunStatus) -> str:
    """Return how many answers there are: ``10 of 40``; empty before the build phase."""
    return "" if status.rows is None else f"{count(status.rows)} of {count(status.expected_rows)}"


def jobs_text(status: RunStatus) -> str:
    """Return the jobs in flight: ``3 jobs at fireworks``; empty without one."""
    return ", ".join(f"{counted(n, 'job')} at {name}" for name, n in status.waiting_for.items())


def progress_text(progress: Progress | None) -> str:
    """Return how much of a phase is done: ``3 of 4 parts``; empty where nothing is counted."""
    return "" if progress is None else f"{count(progress.done)} of {count(progress.total)} {progress.unit}"


def spent_text(look: Look) -> str:
    """Return what a run has spent, of how much, what is in flight, and what it may come to; empty before all that."""
    total, caps = look.spending, set_or_none(look.status.state.caps)
    cap = "" if caps is None or caps.max_usd is None else f" of at most {amount(caps.max_usd)}"
    if total.unpriced:
        return "unknown: some requests have no price"
    if total.spent is None:
        return f"nothing yet{cap} USD" if cap else ""
    held = f", {amount(float(total.held))} may be billed yet" if total.held else ""
    return f"{amount(float(total.spent))}{cap} USD{held}{_ahead(look)}"


def _ahead(look: Look) -> str:
    """Return what a run at work may come to, as long as answers are missing."""
    whole = projected_usd(look) if look.status.working and look.answers != look.expected else None
    return "" if whole is None else f", about {amount(whole)} in total"


def _phase(look: Look) -> str:
    if look.phase is None:
        return f"[{len(registry.PHASES)}/{len(registry.PHASES)}] all phases are completed"
    progress = progress_text(look.status.progress.get(look.phase))
    return phase_label(look.phase) + (f": {progress}" if progress else "")


def _parts(status: RunStatus) -> str:
    return ", ".join(f"{count(n)} {word}" for word, n in sorted(status.parts.items()) if n)


def _speed(speed: Speed) -> str:
    rates = ((speed.requests, "requests/s"), (speed.tokens, "tokens/s"))
    return ", ".join(f"{significant(rate, 2)} {unit}" for rate, unit in rates if rate is not None)
