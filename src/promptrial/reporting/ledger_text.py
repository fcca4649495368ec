"""The ledger of a run as text for a terminal: one screen, no line wider than 80 characters unless a name is."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from promptrial.documents.ledger import ArmSpending, Fate, Ledger, LedgerLine
from promptrial.reporting.plain import one_line

__all__ = ["ledger_text"]

_WIDTH: Final = 80
_NAME: Final = 32
_COLUMNS: Final = (12, 12, 12, 8)
_MISSING: Final = "-"
_FATES: Final[dict[Fate, str]] = {
    "in_flight": "in flight, or uncertain",
    "lost": "answers lost",
    "unanswered": "ended without an answer",
    "superseded": "requests no longer needed",
    "duplicate": "a second job for the same requests",
    "reused": "answers that another run paid for",
    "not_sent": "not sent",
}


def ledger_text(ledger: Ledger, *, most_trials: int | None = None) -> str:
    """Return what a run has spent beside what its answers used, in USD, and what became of all other attempts.

    Parameters
    ----------
    ledger : Ledger
    most_trials : int, optional
        How many trials are shown; the others count in the total.
    """
    digits = _digits(ledger)
    dry = ["Dry run: nothing was paid. This is what a hosted model would have cost."]
    lines = [f"Costs of run {one_line(ledger.run_id)}, in USD", *(dry if ledger.dry_run is True else ()), ""]
    lines += [_row("", ("Spent", "Used", "Held", "Attempts")), _row("-" * _NAME, ["-" * width for width in _COLUMNS])]
    for slug in [*ledger.trials][:most_trials]:
        lines.append(one_line(slug))
        lines += [_figures(f"  {arm}", found, digits) for arm, found in ledger.arms[slug].items()]
    left = 0 if most_trials is None else len(ledger.trials) - most_trials
    lines += [f"and {left} more trials"] if left > 0 else []
    lines.append(_figures("Total, each answer counted once", ledger.total, digits))
    lines += _others(ledger.lines, digits)
    notes = [*_notes(ledger, digits), *map(one_line, ledger.notes)]
    lines += ["", *(line for note in notes for line in textwrap.wrap(note, _WIDTH, subsequent_indent="  "))]
    return "\n".join(lines) + "\n"


def _row(name: str, cells: Sequence[str]) -> str:
    padded = (cell.rjust(width) for cell, width in zip(cells, _COLUMNS, strict=True))
    return f"{name:<{_NAME}} {' '.join(padded)}".rstrip()


def _figures(name: str, found: ArmSpending, digits: int) -> str:
    held = _amount(found.held, digits) if found.held else _MISSING
    cells = (_amount(found.spent, digits), _amount(found.used, digits), held, str(found.attempts or _MISSING))
    return _row(name, cells)


def _others(lines: Sequence[LedgerLine], digits: int) -> Iterator[str]:
    """Yield a table of the attempts whose answers are not used, by what became of them."""
    counts = Counter(line.fate for line in lines)
    if not counts.keys() & _FATES.keys():
        return
    yield from ("", "Attempts whose answers are not used, or not paid for by this run")
    for fate, words in _FATES.items():
        if counts[fate]:
            ours = [line.usd for line in lines if line.fate == fate]
            sums = (_sum([getattr(usd, name) for usd in ours]) for name in ("spent", "used", "held"))
            yield _row(f"  {words}", (*(_amount(found or None, digits) for found in sums), str(counts[fate])))


def _sum(amounts: Sequence[Decimal | None]) -> Decimal:
    return sum((amount for amount in amounts if amount is not None), Decimal(0))


def _notes(ledger: Ledger, digits: int) -> Iterator[str]:
    total = ledger.total
    yield (
        "Spent: the tokens reported for every attempt, at the prices recorded with the run. Used: the part of that "
        "for the answers that are analysed."
    )
    if not total.attempts and not total.unrecorded:
        yield "No attempts are recorded: no request was sent to a server."
    if total.held:
        yield "Held: at most this much more may be billed, for requests in flight and answers of unknown usage."
    shared = sum((found.shared for found in ledger.trials.values()), Decimal(0))
    if shared:
        yield f"Answers shared by trials are paid for once, and count in each trial: {_amount(shared, digits)}."
    if total.unpriced:
        yield (
            f"Attempts without a price: {total.unpriced}. They are not free: add the model to `pricing` in the "
            "configuration, and resume with --force, which repeats no request."
        )
    if total.unrecorded:
        yield (
            f"Attempts by an earlier version, which did not record tokens: {total.unrecorded}. "
            "The amount used is that of costs.json; other spending is not known."
        )


def _digits(ledger: Ledger) -> int:
    """Return how many decimals amounts have: six below one USD, and at least two."""
    largest = max((each for each in (ledger.total.spent, ledger.total.used) if each is not None), default=Decimal(0))
    return 6 if largest < 1 else 4 if largest < 1000 else 2


def _amount(usd: Decimal | None, digits: int) -> str:
    return _MISSING if usd is None else f"{usd:,.{digits}f}"
