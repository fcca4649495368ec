"""Which tests are corrected together, and by what: the only place where a p-value meets its neighbours.

What was declared is one family over all contrasts of a trial, so that more arms give no more chances:

* ``primary``: the declared primary measures, over all items. Holm where there is one contrast; with one test it is not
  corrected at all. Max-T over several contrasts (``several``).
* ``equivalence`` and ``non_inferiority``: the margins that were declared, over all items. Holm.

Leads are families of one contrast each, so that they do not depend on which other arms were run. The name of the
contrast follows that of the family, where results name it (``documents.significance``):

* ``exploratory``: every other measure, over all items. Benjamini-Hochberg.
* ``subgroups/...``: the repeats of one endpoint over the data sets, or over the types, each a family of its own and
  never together with the overall test of the endpoint. Benjamini-Hochberg.
* ``interactions/...``: the differences of one endpoint's effects between the data sets, or between the types, each a
  family of its own. Benjamini-Hochberg.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

import msgspec
import numpy as np
from msgspec import UNSET

from promptrial.documents.significance import (
    Estimate,
    Family,
    Hypothesis,
    HypothesisTest,
    Interaction,
    Scope,
    StatsSettings,
)
from promptrial.model.arms import Contrast
from promptrial.stats.adjusted_p_values import benjamini_hochberg, holm
from promptrial.stats.pairing import FloatArray

__all__ = ["correct", "correct_interactions", "raw_test"]

Correction = Literal["holm", "bh", "max_t"]
_Method = Callable[[Sequence[float]], FloatArray]
_METHODS: Final[dict[Correction, _Method]] = {"holm": holm, "bh": benjamini_hochberg}
_PRIMARY: Final = "primary"


def raw_test(row: Estimate, hypothesis: Hypothesis, settings: StatsSettings) -> HypothesisTest:
    """Turn the row that holds an endpoint's designated p-value into a test, not yet corrected."""
    return HypothesisTest(
        contrast=row.contrast,
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


def correct(
    tests: Sequence[HypothesisTest],
    alpha: float,
    by_max_t: Mapping[tuple[Contrast, str, float], float] | None = None,
    *,
    looked_at: str | None = None,
) -> tuple[tuple[HypothesisTest, ...], tuple[Family, ...]]:
    """Correct every test within its family.

    Parameters
    ----------
    tests : sequence of HypothesisTest
    alpha : float
    by_max_t : mapping, optional
        (contrast, measure, temperature) -> what max-T makes of the p-value of a primary test, for each that has one.
        Without it, primary tests are corrected by Holm's method.
    looked_at : str, optional
        A measure whose tests over all items a stopping rule corrects: they stay undecided here, and count nowhere.

    Returns
    -------
    tuple
        The tests in the order given, with ``p_adjusted`` and ``rejected``; and the families in order of appearance.
        A test without a p-value stays undecided and does not count.
    """
    primary: dict[str, tuple[Correction, _Method]] = {}
    if by_max_t is not None:
        members = [test for test in tests if test.family == _PRIMARY]
        corrected = np.array([by_max_t.get((row.compared, row.metric, row.temp), np.nan) for row in members])
        primary[_PRIMARY] = ("max_t", lambda _p: corrected)
    p_values = [None if test.metric == looked_at and test.scope == "overall" else test.p for test in tests]
    adjusted, families = _adjust([test.family for test in tests], p_values, alpha, primary)
    return tuple(_decided(test, float(p), alpha) for test, p in zip(tests, adjusted, strict=True)), families


def correct_interactions(
    rows: Sequence[Interaction], alpha: float
) -> tuple[tuple[Interaction, ...], tuple[Family, ...]]:
    """Correct the tests of interaction, those of one endpoint and dimension together; see ``correct``."""
    names = [_of_contrast(f"interactions/{row.scope}/{row.metric}/{row.temp}", row) for row in rows]
    adjusted, families = _adjust(names, [row.p for row in rows], alpha)
    return tuple(
        msgspec.structs.replace(
            row,
            family=name,
            p_adjusted=None if np.isnan(p) else float(p),
            significant=None if np.isnan(p) else bool(p <= alpha),
        )
        for row, name, p in zip(rows, names, adjusted, strict=True)
    ), families


def _adjust(
    names: Sequence[str],
    p: Sequence[float | None],
    alpha: float,
    methods: Mapping[str, tuple[Correction, _Method]] | None = None,
) -> tuple[FloatArray, tuple[Family, ...]]:
    """Return the corrected p-values, NaN where there is none, and the families; ``names`` says which is in which.

    ``methods`` has the corrections of families that are not corrected by what their names say.
    """
    adjusted = np.full(len(names), np.nan)
    families = []
    for name in dict.fromkeys(names):
        members = [index for index, family in enumerate(names) if family == name]
        named = _correction(name)
        correction, method = (methods or {}).get(name, (named, _METHODS[named]))
        p_values = [p[index] for index in members]
        adjusted[members] = method([np.nan if p is None else p for p in p_values])
        families.append(
            Family(
                name=name,
                correction=correction,
                alpha=alpha,
                size=sum(p is not None for p in p_values),
                rejected=int((adjusted[members] <= alpha).sum()),
            )
        )
    return adjusted, tuple(families)


def _family(row: Estimate, hypothesis: Hypothesis, settings: StatsSettings) -> str:
    overall: Scope = "overall"
    if hypothesis != "difference":
        return hypothesis
    if row.scope != overall:
        return _of_contrast(f"subgroups/{row.scope}/{row.metric}/{row.temp}", row)
    return "primary" if row.metric in settings.primary else _of_contrast("exploratory", row)


def _of_contrast(family: str, row: Estimate | Interaction) -> str:
    """Return the name of a family of one contrast."""
    return family if row.contrast is UNSET else f"{family}/{row.contrast}"


def _correction(family: str) -> Correction:
    return "bh" if family.startswith(("exploratory", "subgroups/", "interactions/")) else "holm"


def _decided(test: HypothesisTest, adjusted: float, alpha: float) -> HypothesisTest:
    if np.isnan(adjusted):
        return test
    return msgspec.structs.replace(test, p_adjusted=adjusted, rejected=adjusted <= alpha)
