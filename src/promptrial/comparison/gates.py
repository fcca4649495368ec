"""Gates: what ``--gate`` may say, and the test that decides. Pure.

A gate bounds B minus A of a metric: from below (``em >= -0.01``: B may be worse by less than 0.01), or from above
(``false_answer_rate <= 0.02``, for a metric of which less is better). It passes when the difference is shown to lie on
the right side of the bound at level alpha: a test of non-inferiority, and not the mere look of the estimate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from promptrial.comparison.document import Relation
from promptrial.errors import UsageError
from promptrial.registry import near_misses
from promptrial.significance import number
from promptrial.stats.difference import difference_interval
from promptrial.stats.paired import paired_difference
from promptrial.stats.pairing import PairedSample
from promptrial.stats.tost import tost

__all__ = ["GRAMMAR", "Gate", "Verdict", "decide", "parse_gate"]

GRAMMAR: Final = (
    "METRIC >= NUMBER or METRIC <= NUMBER, the number from -1 to 1; METRIC@SUBSET for a data set, open or closed"
)
_GATE: Final = re.compile(
    r"\s*(?P<metric>[A-Za-z0-9_]+)(?:@(?P<subset>[A-Za-z0-9_]+))?\s*(?P<relation>>=|<=)"
    r"\s*(?P<bound>[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+))\s*"
)


@dataclass(frozen=True, slots=True)
class Gate:
    """A bound on B minus A of a metric; ``subset`` is a data set, ``open`` or ``closed``, and None for all items."""

    metric: str
    relation: Relation
    bound: float
    subset: str | None = None

    def __str__(self) -> str:
        where = "" if self.subset is None else f"@{self.subset}"
        return f"{self.metric}{where} {self.relation} {self.bound:g}"

    @property
    def sign(self) -> int:
        """1 for a bound from below, -1 for one from above."""
        return 1 if self.relation == ">=" else -1


def parse_gate(text: str, metrics: Mapping[str, object]) -> Gate:
    """Read a gate such as ``em@open >= -0.01``.

    Raises
    ------
    UsageError
        If it is none; names what is allowed.

    Examples
    --------
    >>> print(parse_gate(" em@open>=-.010", {"em": ""}))
    em@open >= -0.01
    """
    found = _GATE.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r} is no gate: expected {GRAMMAR}; metrics: {', '.join(metrics)}")
    metric, bound = found["metric"], float(found["bound"])
    if metric not in metrics:
        raise UsageError(f"{text!r}: unknown metric {metric!r}{near_misses(metric, metrics)}")
    if not -1 <= bound <= 1:
        raise UsageError(f"{text!r}: the number is outside -1 to 1, which no difference of scores can be")
    relation: Relation = ">=" if found["relation"] == ">=" else "<="
    return Gate(metric, relation, bound + 0.0, found["subset"])


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a gate was decided.

    ``limit`` is the end of the one-sided interval at level ``1 - alpha`` on the gate's side, ``p`` the p-value of "the
    bound is passed". ``method`` is None where nothing could be said; ``reason`` says why it is not ``tost``.
    """

    passed: bool
    limit: float | None = None
    p: float | None = None
    method: str | None = None
    reason: str | None = None


def decide(gate: Gate, sample: PairedSample, alpha: float, *, same_requests: bool = False) -> Verdict:
    """Decide whether B minus A is shown to lie on the right side of a gate's bound.

    ``tost``
        One leg of the two one-sided tests, with clustered standard errors: p is at most alpha exactly when the limit of
        the interval of level ``1 - 2 alpha`` does not pass the bound.
    ``same_requests``
        No pair differs, and both runs sent the same requests: B is A, and there is nothing to test.
    ``newcombe``, ``tango_clusters``
        No clusters differ, which leaves no standard error, and the scores are 0 or 1: the limit is the one that
        ``stats.difference`` has for such an endpoint.

    Parameters
    ----------
    gate : Gate
    sample : PairedSample
        Control is A, treatment is B.
    alpha : float
        In (0, 0.5).
    same_requests : bool
        Whether both arms asked the same, in the same words, of the same model.

    Returns
    -------
    Verdict
        What cannot be estimated has not passed.

    References
    ----------
    Schuirmann, D.J. (1987). A comparison of the two one-sided tests procedure and the power approach. Journal of
    Pharmacokinetics and Biopharmaceutics 15:657-680.
    """
    if sample.n_pairs == 0:
        return Verdict(passed=False, reason="not estimable: no item has a score in both runs")
    result = paired_difference(sample.difference, sample.cluster, 1 - 2 * alpha)
    if result.se > 0:
        # The bound is moved to -1 or 1, margins that the test takes, so that any bound can be tested, 0 too.
        legs = tost(replace(result, mean=result.mean - gate.bound - gate.sign), 1.0, alpha)
        p, limit = (legs.p_lower, result.ci_low) if gate.sign > 0 else (legs.p_upper, result.ci_high)
        return Verdict(p <= alpha, min(max(limit, -1.0), 1.0), p, "tost")
    if same_requests and not sample.difference.any():
        return Verdict(
            passed=gate.sign * gate.bound <= 0,
            method="same_requests",
            reason="the requests are the same and no pair differs: there is nothing to test",
        )
    interval = difference_interval(sample, 1 - 2 * alpha)
    limit = interval.low if gate.sign > 0 else interval.high
    if interval.method is None:
        return Verdict(passed=False, reason=f"not estimable: {interval.reason}")
    return Verdict(
        passed=gate.sign * (limit - gate.bound) >= 0,
        limit=number(limit),
        method=interval.method,
        reason="the clusters do not differ, so that there is no standard error: the interval decides",
    )
