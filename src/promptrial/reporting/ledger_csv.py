"""The ledger of a run as CSV for accounting: a line for each attempt, the columns always the same."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Final

from promptrial.documents.ledger import Ledger, LedgerLine
from promptrial.documents.printable import FORMULA_STARTS
from promptrial.reporting.plain import one_line

__all__ = ["COLUMNS", "ledger_csv"]

COLUMNS: Final = (
    "run", "trial", "arm", "part", "attempt", "began", "fate", "status", "job", "requests", "answers",
    "prompt_tokens", "cached_tokens", "cache_write_tokens", "completion_tokens", "answers_of_unknown_usage",
    "estimated_usd", "reserved_usd", "spent_usd", "held_usd", "used_usd", "reason", "dry_run",
)  # fmt: skip


def ledger_csv(ledger: Ledger) -> str:
    """Return the lines as CSV (RFC 4180, lines end in a newline); without attempts, the header alone.

    Amounts have nine decimals, and their sums are the totals of the ledger exactly. Cells that are not known are empty.
    A cell of text that a spreadsheet would take for a formula begins with an apostrophe. ``dry_run`` is ``yes`` where
    an emulator answered, so that nothing was paid.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    dry = "yes" if ledger.dry_run is True else ""
    writer.writerows([*_cells(ledger.run_id, line), dry] for line in ledger.lines)
    return text.getvalue()


def _cells(run_id: str, line: LedgerLine) -> list[str]:
    tokens, usd = line.tokens, line.usd
    counts = (
        (None,) * 6
        if tokens is None
        else (tokens.rows, tokens.prompt, tokens.cached, tokens.cache_write, tokens.completion, tokens.unknown)
    )
    texts = (run_id, line.trial, line.arm, line.part, line.attempt, line.began, line.fate, line.status, line.job)
    amounts = (usd.estimated, usd.reserved, usd.spent, usd.held, usd.used)
    return [
        *(_safe(text) if isinstance(text, str) else _number(text) for text in texts),
        *map(_number, (line.rows, *counts)),
        *map(_number, amounts),
        _safe(line.reason or ""),
    ]


def _safe(text: str) -> str:
    shown = one_line(text)
    return f"'{shown}" if shown.startswith(FORMULA_STARTS) else shown


def _number(value: Decimal | int | None) -> str:
    return "" if value is None else f"{value:.9f}" if isinstance(value, Decimal) else str(value)
