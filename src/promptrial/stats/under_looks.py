"""What a trial that was looked at while it ran shows: the endpoint that the rule is about, decided by the rule. Pure.

The other endpoints keep intervals and p-values of a trial of a fixed size, and say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from promptrial.documents.looks import EndpointLookRow, Looks
from promptrial.documents.many_arms import Ranking, Simultaneous
from promptrial.documents.significance import Endpoint, Family, HypothesisTest, Significance
from promptrial.stats.cautions import still_true

__all__ = ["FAMILY", "under_looks"]

FAMILY: Final = "looks"
"""The tests that the rule decides; they share the level evenly."""
_NAMES: Final = {
    "evalue": ("e_value", "confidence_sequence"),
    "obrien_fleming": ("repeated_test", "repeated_interval"),
    "pocock": ("repeated_test", "repeated_interval"),
}


def under_looks(document: Significance, looks: Looks) -> Significance:
    """Return an analysis in which the rule decides on its endpoint.

    The difference is that of all items asked. p is the smallest over the looks, each scaled so that it is compared with
    alpha. The interval is that of the last look. If a trial had to continue for another contrast after a difference was
    shown, that interval may contain 0 again. It is then replaced by the intersection of the intervals of all looks,
    which contains the true difference as often as one interval does, because the intervals hold for all looks together.
    A margin is kept if this interval keeps it. Cautions about the test that the rule replaces are removed.
    """
    tests = tuple(_test(test, looks, document) for test in document.tests)
    own = Family(name=FAMILY, correction="bonferroni", alpha=document.settings.alpha, size=0, rejected=0)
    return msgspec.structs.replace(
        document,
        endpoints=tuple(_endpoint(row, looks) for row in document.endpoints),
        tests=tests,
        families=tuple(_families((own, *document.families), tests)),
        looks=looks,
        **{name: _of_others(getattr(document, name), looks) for name in ("simultaneous", "rankings")},
    )


def _families(families: Sequence[Family], tests: Sequence[HypothesisTest]) -> Iterator[Family]:
    """Yield the families as they are now: those of interactions as they were, and no other without a test."""
    for family in families:
        members = [test for test in tests if test.family == family.name]
        if members:
            size, rejected = sum(test.p is not None for test in members), sum(test.rejected is True for test in members)
            yield msgspec.structs.replace(family, size=size, rejected=rejected)
        elif family.name.startswith("interactions/"):
            yield family


def _of_others(
    rows: tuple[Simultaneous | Ranking, ...] | UnsetType, looks: Looks
) -> tuple[Simultaneous | Ranking, ...] | UnsetType:
    """Return what is said about several arms at once on other measures: it assumes a size that is fixed in advance."""
    return rows if rows is UNSET else tuple(row for row in rows if row.metric != looks.metric) or UNSET


def _rows(row: Endpoint | HypothesisTest, looks: Looks) -> list[EndpointLookRow]:
    """Return what each look said about a row; nothing of a row that the rule is not about."""
    if row.metric != looks.metric or row.scope != "overall":
        return []
    name = str(row.compared)
    return [each for look in looks.taken for each in look.endpoints if (each.contrast, each.temp) == (name, row.temp)]


def _p(rows: Sequence[EndpointLookRow], looks: Looks) -> float:
    return min(1.0, *(each.p / each.level * looks.alpha for each in rows))  # at the level it is alpha exactly


def _interval(rows: Sequence[EndpointLookRow]) -> tuple[float, float]:
    """Return the interval of the last look, or, where that takes back what an earlier one showed, the common part."""
    last = rows[-1]
    low, high = max(each.ci_low for each in rows), min(each.ci_high for each in rows)
    takes_back = any(each.p <= each.level for each in rows) and last.p > last.level
    return (low, high) if takes_back and low <= high else (last.ci_low, last.ci_high)


def _endpoint(row: Endpoint, looks: Looks) -> Endpoint:
    rows = _rows(row, looks)
    if not rows or row.difference is None:
        return row
    (p_method, ci_method), p, (low, high) = _NAMES[looks.rule], _p(rows, looks), _interval(rows)
    return msgspec.structs.replace(
        row,
        ci_low=low,
        ci_high=high,
        ci_method=ci_method,
        p=p,
        p_method=p_method,
        family=FAMILY,
        p_adjusted=p,
        significant=p <= looks.alpha,
        reason=None,
        clusters_needed=None,
        not_shown=False,
        cautions=tuple(still_true(row.cautions, same_test=looks.rule != "evalue")),
        monte_carlo_se=None,
    )


def _test(test: HypothesisTest, looks: Looks, document: Significance) -> HypothesisTest:
    rows = _rows(test, looks)
    if not rows:
        return test
    if test.hypothesis == "difference":
        p = _p(rows, looks)
        method = _NAMES[looks.rule][0]
        return msgspec.structs.replace(test, family=FAMILY, method=method, p=p, p_adjusted=p, rejected=p <= looks.alpha)
    return msgspec.structs.replace(test, p=None, p_adjusted=None, rejected=_keeps(test, _interval(rows), document))


def _keeps(test: HypothesisTest, interval: tuple[float, float], document: Significance) -> bool:
    """Whether an interval keeps a margin: on both sides, or on the side that is not wanted."""
    margin, (low, high) = document.settings.tost_margins[test.metric], interval
    if test.hypothesis == "equivalence":
        return -margin < low and high < margin
    return -margin < low if document.settings.wanted.get(test.metric) == "higher" else high < margin
