"""Pages say in plain words what statistics remark on sparse data; every form that statistics write is known."""

from __future__ import annotations

import numpy as np
import pytest

from promptrial.documents.significance import StatsSettings
from promptrial.reporting.tables.remarks import plain
from promptrial.stats.analysis import analyse
from tests.support.score_tables import table_of


def sparse_remarks() -> list[str]:
    """Return what is remarked where 6 of 20 clusters gain one pair, so that the flips and the score test disagree."""
    treatment = np.zeros(400)
    treatment[0:120:20] = 1.0
    table = table_of([0.0] * 400, treatment.tolist(), cluster=np.repeat(np.arange(20), 20).tolist())
    found = analyse(table, StatsSettings(bootstrap_samples=50))
    remarks = [*found.endpoints[0].cautions, *(note for row in found.estimates for note in row.notes)]
    return [each for each in remarks if "flips" in each and "rely on" not in each]


def test_every_remark_on_sparse_data_is_put_into_plain_words() -> None:
    remarks = sparse_remarks()
    assert len(remarks) == 5
    assert not {*remarks} & {*map(plain, remarks)}
    assert "hull" not in " ".join(map(plain, remarks))


def test_the_figures_of_a_remark_are_unchanged() -> None:
    said = [plain(each) for each in sparse_remarks()]
    assert said[0] == (
        "the arms differ on only 6 of 20 clusters (upwards in 6, downwards in 0), which is too sparse for sign flips "
        "alone, so the interval is widened by a design effect of at least 1.95"
    )
    assert sum("(p = 0.0312), but the score test" in each for each in said) == 2


def test_an_odds_ratio_without_an_upper_limit_is_named_with_the_reason() -> None:
    table = table_of([0.0] * 8 + [1.0] * 8, [1.0] * 16)
    found = analyse(table, StatsSettings(bootstrap_samples=50))
    reasons = [row.reason for row in found.estimates if row.reason is not None and row.reason.startswith("infinite")]
    assert reasons
    for reason in reasons:
        assert plain(reason) == (
            "the odds ratio is infinite and has no upper limit, because there is no pair in which only the control is "
            "right"
        )


WIDER = "the interval is widened"
WAYS = "upwards in 0, downwards in 0"
BY = "by a design effect of at least 1.01"
SPARSE = "which is too sparse for sign flips alone"


@pytest.mark.parametrize(
    ("remark", "said"),
    [
        (
            "pairs differ in 7 of 22 items: the interval is approximate, and may be too narrow",
            "the arms differ on only 7 of 22 items, so the interval is approximate and may be too narrow",
        ),
        (
            "pairs differ in 0 of 30 clusters: the interval is approximate, and may be too narrow",
            "the arms differ on none of 30 clusters, so the interval is approximate and may be too narrow",
        ),
        (
            f"too sparse for sign flips alone (pairs differ in 0 of 21 clusters: {WAYS}): {WIDER}, {BY}",
            f"the arms differ on none of 21 clusters, {SPARSE}, so {WIDER} {BY}",
        ),
        (
            (
                "too sparse for sign flips alone (pairs differ in 20 of 20 clusters: upwards in 20, downwards in 0): "
                f"{WIDER}, {BY}"
            ),
            (
                "the arms differ on 20 of 20 clusters, upwards in 20 and downwards in 0, which is too much one way for "
                f"sign flips alone, so {WIDER} {BY}"
            ),
        ),
        (
            (
                "too sparse for sign flips alone (pairs differ in 20 of 20 clusters: upwards in 20, downwards in 20): "
                f"{WIDER}, {BY}"
            ),
            (f"all 20 clusters have the same mean difference, which sign flips alone cannot judge, so {WIDER} {BY}"),
        ),
        (
            "only 4 clusters: no p-value can reach 0.05; at least 6 are needed",
            "with only 4 clusters, no p-value can reach 0.05; at least 6 are needed",
        ),
        (
            "only 7 pairs: p-values go in steps of 0.016, and the interval is wide",
            "with only 7 pairs, p-values go in steps of 0.016, and the interval is wide",
        ),
        (
            "only 7 clusters: the p-value is coarse, and the interval is wide",
            "with only 7 clusters, the p-value is coarse, and the interval is wide",
        ),
        (
            "fewer than 40 clusters: rely on the sign flips rather than on this p-value",
            "with fewer than 40 clusters, rely on the sign flips rather than on this p-value",
        ),
        (
            "fewer than 40 clusters: bootstrap intervals tend to be too narrow",
            "with fewer than 40 clusters, bootstrap intervals tend to be too narrow",
        ),
        (
            "one cluster: no test and no interval can be computed",
            "with one cluster, no test and no interval can be computed",
        ),
        (
            "no variation between clusters: no interval can be computed",
            "no variation between clusters, so no interval can be computed",
        ),
        ("cannot reach 0.05: the smallest possible p is 0.5", "p cannot reach 0.05; the smallest possible p is 0.5"),
    ],
)
def test_a_remark_has_no_second_colon(remark: str, said: str) -> None:
    assert plain(remark) == said


@pytest.mark.parametrize("remark", ["ignores the pairing", "only 7 clusters: no p-value can reach 0.01"])
def test_other_remarks_are_unchanged(remark: str) -> None:
    assert plain(remark) == remark
