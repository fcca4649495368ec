"""The table of how judges judged: answers, verdicts, second replies and flags by arm, and their biases. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import UNSET

from promptrial.documents.judges import JudgeSummary, PairBias
from promptrial.model.arms import control_first
from promptrial.reporting.cells import Table, count, counted, rate
from promptrial.reporting.tables.words import metric_text

__all__ = ["judges_table"]

_HEADINGS = ("Measure", "Judge", "Arm", "Answers", "Scored", "No verdict", "Second reply", "Flagged")


def judges_table(judges: Sequence[JudgeSummary]) -> Table:
    """Return one row for each judge and arm; no rows without judges."""
    rows = tuple(
        (
            metric_text(judge.scorer).label,
            judge.model,
            name,
            *(count(n) for n in (arm.answers, arm.scored, arm.missing, arm.repaired, arm.flagged)),
        )
        for judge in judges
        for name, arm in ((name, judge.arms[name]) for name in control_first(judge.arms))
    )
    return Table("Judges", _HEADINGS, rows, tuple(_notes(judges)) if rows else (), "lllrrrrr")


def _notes(judges: Sequence[JudgeSummary]) -> Iterator[str]:
    yield "The judge is not told which arm wrote an answer. Equal answers to one question are judged once."
    yield "No verdict: two replies were not the requested JSON, or the request failed; there is no score."
    yield (
        "Second reply: the first one was not the requested JSON. Flagged: by a rule of thumb, the answer seems to give "
        "instructions to the judge; read these answers."
    )
    for judge in judges:
        if judge.bias is not UNSET and judge.bias.pairs:
            yield f"{metric_text(judge.scorer).label}: {_bias(judge.bias)}"


def _bias(bias: PairBias) -> str:
    decided, sized = bias.first + bias.second, bias.longer + bias.shorter
    parts = [
        f"{counted(bias.pairs, 'pair')} judged in both orders, {count(bias.consistent)} of them with the same outcome",
        f"the answer shown first won {count(bias.first)} of {count(decided)} verdicts that name a winner"
        + (f" ({rate(bias.first / decided)}; without position bias about 50%)" if decided else ""),
    ]
    if sized:
        parts.append(
            f"the longer answer won {count(bias.longer)} of {count(sized)} pairs ({rate(bias.longer / sized)})"
        )
    return "; ".join(parts) + "."
