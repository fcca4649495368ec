"""Which tests are corrected together, and by what: the only place where a p-value meets its neighbours.

* ``primary``: the declared primary metrics, over all items. Holm. With one test it is not corrected at all.
* ``exploratory``: every other metric, over all items. Benjamini-Hochberg.
* ``subgroups/...``: the repeats of one endpoint over the data sets, or over the types, each a family of its own and
  never together with the overall test of the endpoint. Benjamini-Hochberg.
* ``equivalence`` and ``non_inferiority``: the margins that were declared, over all items. Holm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal

import msgspec
import numpy as np

from promptrial.significance import Estimate, Family, Hypothesis, HypothesisTest, Scope, StatsSettings
from promptrial.stats.multiplicity import benjamini_hochberg, holm
from promptrial.stats.pairing import FloatArray

__all__ = ["correct", "raw_test"]

Correction = Literal["holm", "bh"]
_METHODS: Final[dict[Correction, Callable[[Sequence[float]], FloatArray]]] = {"holm": holm, "bh": benjamini_hochberg}


def raw_test(row: Estimate, hypothesis: Hypothesis, settings: StatsSettings) -> HypothesisTest:
    """Turn the row that holds an endpoint's designated p-value into a test, not yet corrected."""
    return HypothesisTest(
        family=_family(row, hypothesis, settings),
        hypothesis=hypothesis,
        metric=row.metric,
        temp=row.temp,
        scope=row.scope,
        subset=row.subset,
        method=row.method,
        p=row.p,
        p_adjusted=None,
        rejected=None,
    )


def correct(tests: Sequence[HypothesisTest], alpha: float) -> tuple[tuple[HypothesisTest, ...], tuple[Family, ...]]:
    """Correct every test within its family.

    Returns
    -------
    tuple
        The tests in the order given, with ``p_adjusted`` and ``rejected``; and the families in order of appearance.
        A test without a p-value stays undecided and does not count.
    """
    adjusted = np.full(len(tests), np.nan)
    names = list(dict.fromkeys(test.family for test in tests))
    families = []
    for name in names:
        members = [index for index, test in enumerate(tests) if test.family == name]
        correction = _correction(name)
        p_values = [tests[index].p for index in members]
        adjusted[members] = _METHODS[correction]([np.nan if p is None else p for p in p_values])
        families.append(
            Family(
                name=name,
                correction=correction,
                alpha=alpha,
                size=sum(p is not None for p in p_values),
                rejected=int((adjusted[members] <= alpha).sum()),
            )
        )
    return tuple(_decided(test, float(p), alpha) for test, p in zip(tests, adjusted, strict=True)), tuple(families)


def _family(row: Estimate, hypothesis: Hypothesis, settings: StatsSettings) -> str:
    overall: Scope = "overall"
    if hypothesis != "difference":
        return hypothesis
    if row.scope != overall:
        return f"subgroups/{row.scope}/{row.metric}/{row.temp}"
    return "primary" if row.metric in settings.primary else "exploratory"


def _correction(family: str) -> Correction:
    return "bh" if family == "exploratory" or family.startswith("subgroups/") else "holm"


def _decided(test: HypothesisTest, adjusted: float, alpha: float) -> HypothesisTest:
    if np.isnan(adjusted):
        return test
    return msgspec.structs.replace(test, p_adjusted=adjusted, rejected=adjusted <= alpha)
