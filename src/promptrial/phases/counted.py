"""What the attempts of a run count for caps and consent: by its ledger, which may leave nothing out here."""

from __future__ import annotations

from promptrial.costs.committed import Committed
from promptrial.documents.ledger import Ledger, LedgerLine
from promptrial.errors import CorruptRecordError, NewerVersionError
from promptrial.phases.accounts import read_ledger
from promptrial.store.rundir import RunDir

__all__ = ["committed_of", "is_unpriced", "whole_ledger"]


def whole_ledger(run: RunDir, purpose: str) -> Ledger:
    """Return the ledger of a run, of which nothing is left out.

    Parameters
    ----------
    run : RunDir
    purpose : str
        Why it is read, as the end of a sentence: ``the cap of the month counts what it has spent``.

    Raises
    ------
    CorruptRecordError
        If records or prices of it cannot be read, so that it may have spent more than they say.
    NewerVersionError
        If a newer version of the program wrote a record of it.
    """
    try:
        found = read_ledger(run)
    except NewerVersionError as error:
        raise NewerVersionError(
            f"run {run.run_id} was written by a newer version of the program, and {purpose}: {error.message}",
            hint=f"use that version, or move {run.root} to another folder",
        ) from error
    except OSError as error:
        raise _uncounted(run, purpose, str(error)) from error
    if found.notes:
        raise _uncounted(run, purpose, "; ".join(found.notes))
    return found


def _uncounted(run: RunDir, purpose: str, why: str) -> CorruptRecordError:
    return CorruptRecordError(
        f"run {run.run_id} cannot be counted, and {purpose}: {why}",
        hint=f"see how to fix it: {run.command('doctor')}",
    )


def committed_of(line: LedgerLine) -> Committed:
    """Return what an attempt counts: what is spent and held; without a price its reserve, or else its estimate."""
    usd = line.usd
    if usd.spent is not None or usd.held is not None:
        return Committed(float(usd.spent or 0), float(usd.held or 0))
    return Committed(0.0, float(usd.reserved or usd.estimated or 0))


def is_unpriced(line: LedgerLine) -> bool:
    """Whether an attempt may have cost what nobody knows."""
    usd = line.usd
    return (usd.spent, usd.held, usd.reserved, usd.estimated) == (None, None, None, None)
