"""What gates say where nothing has changed: each is decided on splits of one arm's answers. Pure."""

from __future__ import annotations

import math

from promptrial.comparison.gates import Gate, decide
from promptrial.comparison.subsets import chosen_items
from promptrial.documents.aa import AAGate
from promptrial.documents.significance import StatsSettings
from promptrial.stats.against_itself import Asked, alarms, split_pairings
from promptrial.stats.difference import decided_by_score
from promptrial.stats.pairing import PairedSample
from promptrial.stats.risk_difference import paired_table
from promptrial.stats.score_table import ScoreTable

__all__ = ["gate_alarms"]


def gate_alarms(
    gate: Gate, asked: Asked, table: ScoreTable, settings: StatsSettings, alpha: float, n_splits: int
) -> AAGate:
    """Decide a gate on each split, and count those in which it says what is not so.

    Parameters
    ----------
    gate : Gate
        Its measure by the name of the column, as ``gates.resolved`` returns it.
    asked : Asked
        Of that measure.
    table : ScoreTable
        Over the same items; it says which subset is meant.
    settings : StatsSettings
    alpha : float
        In (0, 0.5).
    n_splits : int

    Raises
    ------
    UsageError
        If there is no such subset.
    """
    where, fails = chosen_items(gate, table), gate.sign * gate.bound < 0
    known: dict[tuple[int, int, int], bool | None] = {}
    samples = (each.sample(*where) for each in split_pairings(asked, settings, n_splits))
    found = [_passes(gate, each, settings, alpha, known) for each in samples]
    false = [math.nan if passed is None else float(passed != fails) for passed in found]
    return AAGate(
        gate=str(gate),
        temp=asked.pairing.temp,
        alarm="fails" if fails else "passes",
        alarms=alarms(false, settings.confidence),
        reason="the gate cannot be decided on a split: there are too few clusters or pairs" if None in found else None,
    )


def _passes(
    gate: Gate,
    sample: PairedSample,
    settings: StatsSettings,
    alpha: float,
    known: dict[tuple[int, int, int], bool | None],
) -> bool | None:
    """Tell whether a gate passes; None if it cannot be decided. What the exact test says, which is slow, is kept."""
    if not decided_by_score(sample) or not sample.n_pairs:
        verdict = decide(gate, sample, alpha, settings=settings)
        return None if verdict.method is None else verdict.passed
    table = paired_table(sample)
    key = table.gains, table.losses, table.n
    if key not in known:
        known[key] = decide(gate, sample, alpha, settings=settings).passed
    return known[key]
