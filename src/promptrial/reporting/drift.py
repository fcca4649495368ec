"""What is said about answers that were asked again to see whether older ones still hold. Pure."""

from __future__ import annotations

from promptrial.documents.drift import Drift
from promptrial.reporting.cells import counted, level, p_equals, points, verdict_decimals
from promptrial.reporting.findings import where_words
from promptrial.reporting.tables.words import listing, score_unit

__all__ = ["drift_sentence"]


def drift_sentence(row: Drift, *, several: bool) -> str:
    """Return what one endpoint shows, without its capital; ``several`` says whether temperatures have to be named."""
    where, runs = where_words(row.metric, row.temp, several=several), f"run {listing(row.runs)}"
    asked = f"{counted(row.n_pairs, 'question')} of the {row.arm} arm asked again"
    if row.p is None:
        return f"{asked}; whether {row.arm} has changed since {runs} on {where} cannot be tested: {row.reason}."
    unit = score_unit(row.metric)
    name, width = unit.name or "points", unit.width if unit.name else 1.0

    shares = [None if each is None else each / width for each in (row.ci_low, row.ci_high, row.difference)]
    decimals = verdict_decimals(shares[0], shares[1], unit, shares[2])

    def size(value: float | None) -> str:
        return points(None if value is None else value / width, decimals, unit)

    limits = f"{size(row.ci_low)} to {size(row.ci_high)}"
    interval = "" if row.not_excluded is None else f"{level(row.confidence)} CI {limits}, "
    found = f"{size(row.difference)} {name} on {where} ({interval}{p_equals(row.p)})"
    if row.drifted:
        return (
            f"{asked} differ from those of {runs} by {found}. The reused answers of {row.arm} no longer hold; ask "
            "all of them again."
        )
    if row.not_excluded is None:
        return f"{asked} differ from those of {runs} by {found}; how large a change could be missed is unknown."
    missed = size(row.not_excluded).removeprefix("+")
    return f"{asked} differ from those of {runs} by {found}. A change of up to {missed} {name} cannot be ruled out."
