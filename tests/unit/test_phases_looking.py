"""What follows from the looks at a trial: which of its contrasts and temperatures are decided, and by which look."""

from __future__ import annotations

from typing import Literal

import pytest

from promptrial.phases.looking import _decision
from promptrial.store.look_records import EndpointRecord, LookRecord

Reason = Literal["efficacy", "futility"] | None


def row(contrast: str, reason: Reason) -> EndpointRecord:
    return EndpointRecord(
        contrast=contrast, temp=0.0, estimate=0.1, low=-0.1, high=0.3, p=0.5, level=0.05, n_pairs=9, n_clusters=9,
        reason=reason,
    )  # fmt: skip


def look(*rows: EndpointRecord) -> LookRecord:
    return LookRecord(wave=1, at="t", rule="pocock", items=9, results={}, endpoints=rows, decision="continue")


@pytest.mark.parametrize(
    ("before", "now", "decision"),
    [
        ((None, None), ("efficacy", None), "continue"),
        (("efficacy", None), (None, "efficacy"), "stop"),
        (("efficacy", None), (None, "futility"), "stop"),
        (("futility", None), (None, "efficacy"), "continue"),
    ],
)
def test_a_trial_stops_once_each_contrast_is_shown_or_ruled_out(
    before: tuple[Reason, Reason], now: tuple[Reason, Reason], decision: str
) -> None:
    earlier, rows = (tuple(map(row, ("t1 vs control", "t2 vs control"), each)) for each in (before, now))
    assert _decision(rows, [look(*earlier)], last=False) == decision
    assert _decision(rows, [look(*earlier)], last=True) == "end"
