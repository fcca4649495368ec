"""Gates: what ``--gate`` may say, and the test that decides. Pure.

A gate bounds B minus A of a measure: from below (``em >= -0.01``: B may be worse by less than 0.01), or from above
(``false_answer_rate <= 0.02``, for a measure of which less is better). It passes when the difference is shown to lie on
the right side of the bound at level alpha: a test of non-inferiority, and not the mere look of the estimate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from promptrial.config.scorers import column_of
from promptrial.config.typed import SettingsError
from promptrial.documents.comparison import Relation
from promptrial.documents.significance import StatsSettings
from promptrial.errors import UsageError
from promptrial.registry import DEFAULT_PACK
from promptrial.stats.margins import PairsNeeded, margin_notes, margin_test, pairs_needed
from promptrial.stats.pairing import PairedSample

__all__ = ["Gate", "Verdict", "decide", "parse_gate", "parse_gates", "resolved", "subset_text"]

GRAMMAR: Final = (
    "MEASURE >= NUMBER or MEASURE <= NUMBER, where the number is a difference; MEASURE@SUBSET for a data set, open or "
    'closed, or MEASURE@COLUMN=VALUE, in quotes if it has spaces or signs: em@level="very hard" >= -0.01'
)
_BARE: Final = r"""[^\s"'@=<>;]+"""
_QUOTED: Final = """"(?:[^"]|"")+"|'(?:[^']|'')+'"""
_NAME: Final = f"(?:{_BARE}|{_QUOTED})"
_GATE: Final = re.compile(
    rf"\s*(?P<metric>[A-Za-z0-9_]+)(?:@(?:(?P<column>{_NAME})=)?(?P<subset>{_NAME}))?\s*(?P<relation>>=|<=)"
    r"\s*(?P<bound>[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+))\s*"
)
_BETWEEN: Final = re.compile(r""";(?=(?:[^"']|"[^"]*"|'[^']*')*$)""")
"""What separates gates: a semicolon outside quotes."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A bound on B minus A of a measure.

    ``subset`` is a data set, ``open``, ``closed`` or a value of a column; None for all items. ``column`` is the column
    that has the value, or ``dataset`` or ``type``; None if it is left open.
    """

    metric: str
    relation: Relation
    bound: float
    subset: str | None = None
    column: str | None = None

    def __str__(self) -> str:
        where = "" if self.subset is None else f"@{subset_text(self.subset, self.column)}"
        return f"{self.metric}{where} {self.relation} {self.bound:g}"

    @property
    def sign(self) -> int:
        """1 for a bound from below, -1 for one from above."""
        return 1 if self.relation == ">=" else -1


def subset_text(subset: str, column: str | None) -> str:
    """Return a subset as it is written in a gate.

    Examples
    --------
    >>> subset_text("hard", None), subset_text('the "hard" ones', "level")
    ('hard', 'level="the ""hard"" ones"')
    """
    names = [subset] if column is None else [column, subset]
    return "=".join(map(_as_written, names))


def _as_written(name: str) -> str:
    return name if re.fullmatch(_BARE, name) else '"' + name.replace('"', '""') + '"'


def _as_meant(written: str | None) -> str | None:
    if written is None or written[0] not in "\"'":
        return written
    return written[1:-1].replace(written[0] * 2, written[0])


def parse_gates(text: str) -> list[Gate]:
    """Read gates that are in one text, with ``;`` between them.

    Raises
    ------
    UsageError
        As ``parse_gate``.
    """
    return [parse_gate(each) for each in _BETWEEN.split(text)]


def parse_gate(text: str) -> Gate:
    """Read a gate such as ``f1@open >= -0.01``. Which measures there are depends on the runs; see ``resolved``.

    Raises
    ------
    UsageError
        If it is not one; says what is expected.

    Examples
    --------
    >>> print(parse_gate(" f1@open>=-.010"))
    f1@open >= -0.01
    """
    found = _GATE.fullmatch(text)
    if found is None:
        metrics = f"the scorers of both runs, by default {', '.join(DEFAULT_PACK)}"
        raise UsageError(f"{text!r} is not a gate: expected {GRAMMAR}; measures: {metrics}")
    relation: Relation = ">=" if found["relation"] == ">=" else "<="
    subset, column = _as_meant(found["subset"]), _as_meant(found["column"])
    return Gate(found["metric"], relation, float(found["bound"]) + 0.0, subset, column)


def resolved(gate: Gate, ranges: Mapping[str, tuple[float, float]], types: Mapping[str, str]) -> Gate:
    """Return a gate whose measure goes by the name of its column.

    Parameters
    ----------
    gate : Gate
    ranges : mapping
        Measure of both runs -> its lowest and highest score.
    types : mapping
        Each of these measures -> the type of its scorer, by which a gate may name it too.

    Raises
    ------
    UsageError
        If there is no such measure, several scorers have the type, or no difference of its scores can be as
        large as the bound.
    """
    try:
        metric = column_of(gate.metric, types)
    except SettingsError as error:
        raise UsageError(f"gate {gate}: {error.problem}") from None
    low, high = ranges[metric]
    if abs(gate.bound) > high - low:
        width = high - low
        raise UsageError(
            f"gate {gate}: the number is outside {-width:g} to {width:g}, the range of possible differences"
        )
    return replace(gate, metric=metric)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a gate was decided.

    ``limit`` is the end of the one-sided interval at level ``1 - alpha`` on the gate's side, ``p`` the p-value of the
    hypothesis that the difference lies beyond the bound; the limit lies beyond the bound exactly when p is at most
    alpha. ``method`` is None where nothing could be tested; ``reason`` says why, and ``notes`` what there is to know of
    the test. ``needed`` is set where a gate that grants a margin failed.
    """

    passed: bool
    limit: float | None = None
    p: float | None = None
    method: str | None = None
    reason: str | None = None
    notes: tuple[str, ...] = ()
    needed: PairsNeeded | None = None


def decide(
    gate: Gate,
    sample: PairedSample,
    alpha: float,
    *,
    same_requests: bool = False,
    settings: StatsSettings | None = None,
) -> Verdict:
    """Decide whether B minus A is shown to lie on the right side of a gate's bound.

    Parameters
    ----------
    gate : Gate
    sample : PairedSample
        A is its first arm, B its second.
    alpha : float
        In (0, 0.5).
    same_requests : bool
        Whether both arms asked the same, in the same words, of the same model.
    settings : StatsSettings, optional
        Flips to begin with and their seed; the defaults if not given.

    Returns
    -------
    Verdict
        What cannot be estimated has not passed.

    Notes
    -----
    The method is ``exact_unconditional``, ``sign_flips`` or ``sign_flips_score``: the one-sided test of
    ``stats.margins`` that suits the planned scale and clustering. It is ``same_requests`` if no pair differs, both runs
    sent the same requests, and none of their answers is missing: B is A, and there is nothing to test.
    """
    if sample.n_pairs == 0:
        return Verdict(passed=False, reason="not estimable: no item has a score in both runs")
    if same_requests and sample.complete and not sample.difference.any():
        return Verdict(
            passed=gate.sign * gate.bound <= 0,
            method="same_requests",
            reason="the requests are the same and no pair differs: there is nothing to test",
        )
    test = margin_test(sample, gate.bound, alpha, settings or StatsSettings(), above=gate.sign > 0)
    needed = pairs_needed(sample, -gate.sign * gate.bound, alpha)
    if test.method is None:
        return Verdict(passed=False, reason=test.reason, needed=needed)
    passed = test.p <= alpha
    return Verdict(passed, test.limit, test.p, test.method, None, margin_notes(test), None if passed else needed)
