"""How a sample is cut into waves, what the record of looks may say, and what a trial that stopped early shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec import UNSET
from pydantic import ValidationError

from promptrial.config.stopping import StoppingConfig
from promptrial.design.waves import ClusterKey, cut_waves, wave_ends
from promptrial.documents.looks import EndpointLookRow, LookRow, Looks
from promptrial.documents.significance import StatsSettings
from promptrial.errors import CorruptRecordError
from promptrial.reporting.stopped import saved_usd, stopped_sentence
from promptrial.reporting.tables.looks import looks_table, why_stopped
from promptrial.stats.analysis import analyse
from promptrial.stats.pairing import ScoreTable
from promptrial.stats.under_looks import FAMILY, under_looks
from promptrial.store.look_records import LOOKS_FILE, LookRecord, append_look, is_over, read_looks, taken
from tests.support.score_tables import table_of

FIVE = StoppingConfig(rule="evalue")


def keys(*sizes: int) -> list[ClusterKey]:
    return [ClusterKey("set", f"c{number}") for number, size in enumerate(sizes) for _ in range(size)]


# --- waves -----------------------------------------------------------------------------------------------------------


def test_every_item_is_in_one_wave_and_every_cluster_in_one() -> None:
    given = keys(*[1, 2, 3, 4] * 10)
    waves = cut_waves(given, FIVE, 7)
    assert waves.n_waves == 5
    assert sum(waves.items) == len(given)
    assert sum(waves.clusters) == 40
    assert waves.largest == 4
    assert len({(key, wave) for key, wave in zip(given, waves.wave_of, strict=True)}) == 40
    assert [len(found) for found in waves.positions()] == list(waves.items)


def test_waves_have_about_the_planned_size() -> None:
    waves = cut_waves(keys(*[1] * 100), StoppingConfig(rule="pocock", waves=(10, 30)), 7)
    assert waves.items == (10, 30, 60)
    assert cut_waves(keys(*[1] * 100), FIVE, 7).items == (20,) * 5


def test_one_large_cluster_makes_fewer_waves_and_none_without_items() -> None:
    waves = cut_waves(keys(90, *[1] * 10), FIVE, 7)
    assert waves.n_waves < 5
    assert min(waves.items) > 0
    assert min(waves.clusters) > 0


def test_the_order_of_the_items_changes_no_wave_and_another_seed_does() -> None:
    given = keys(*[1] * 60)
    forward, backward = cut_waves(given, FIVE, 7), cut_waves(given[::-1], FIVE, 7)
    assert forward.wave_of == backward.wave_of[::-1]
    assert forward.wave_of != cut_waves(given, FIVE, 8).wave_of


def test_the_same_name_in_two_data_sets_is_two_clusters() -> None:
    waves = cut_waves([ClusterKey("a", "c"), ClusterKey("b", "c")], StoppingConfig(rule="pocock", looks=2), 7)
    assert waves.clusters == (1, 1)


@pytest.mark.parametrize(("n", "ends"), [(1, (1,)), (2, (1, 2)), (3, (1, 2, 3))])
def test_a_small_sample_has_no_wave_twice(n: int, ends: tuple[int, ...]) -> None:
    assert wave_ends(FIVE, n) == ends


# --- configuration ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"rule": "evalue", "looks": 5, "waves": [10]}, "only one of"),
        ({"rule": "evalue", "efficacy": False}, "nothing could stop the trial"),
        ({"rule": "evalue", "looks": 1}, "looks"),
        ({"rule": "evalue", "futility": 0}, "futility"),
        ({"rule": "bayes"}, "rule"),
    ],
)
def test_an_invalid_stopping_rule_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        StoppingConfig(**given)


# --- records ---------------------------------------------------------------------------------------------------------


def record(wave: int, decision: Any) -> LookRecord:
    return LookRecord(
        wave=wave, at="2026-01-31T09:30:00Z", rule="evalue", items=10, results={}, endpoints=(), decision=decision
    )


def test_a_torn_last_line_was_never_applied_and_is_removed(tmp_path: Path) -> None:
    append_look(tmp_path, record(1, "continue"))
    path = tmp_path / LOOKS_FILE
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"wave": 2, "decision": "st')
    assert [look.wave for look in read_looks(tmp_path)] == [1]
    append_look(tmp_path, record(2, "stop"))
    assert path.read_bytes() == whole + msgspec.json.encode(record(2, "stop")) + b"\n"
    assert is_over(read_looks(tmp_path))


@pytest.mark.parametrize(
    "decisions",
    [
        [(1, "stop"), (2, "continue")],
        [(2, "continue")],
        [(1, "continue"), (1, "continue")],
        [(1, "unblind")],
        [(1, "end"), (1, "ask_more")],
        [(1, "continue"), (1, "ask_more")],
    ],
)
def test_an_impossible_sequence_of_looks_is_damage(tmp_path: Path, decisions: list[tuple[int, str]]) -> None:
    lines = b"".join(msgspec.json.encode(record(wave, decision)) + b"\n" for wave, decision in decisions)
    (tmp_path / LOOKS_FILE).write_bytes(lines)
    with pytest.raises(CorruptRecordError, match=f"{LOOKS_FILE}:{len(decisions)}: .*does not follow"):
        read_looks(tmp_path)


def test_a_line_that_is_not_a_look_is_named(tmp_path: Path) -> None:
    (tmp_path / LOOKS_FILE).write_bytes(b"{}\n")
    with pytest.raises(CorruptRecordError, match=f"{LOOKS_FILE}:1: damaged record of a look"):
        read_looks(tmp_path)


def test_manual_decisions_are_not_looks() -> None:
    found = [record(1, "stop"), record(1, "ask_more"), record(2, "continue"), record(2, "unblind")]
    assert [look.wave for look in taken(found)] == [1, 2]
    assert is_over(found)
    assert not is_over(found[:3])


# --- results ---------------------------------------------------------------------------------------------------------


def row(low: float, high: float, p: float, *, level: float = 0.05, difference: float = 0.2) -> EndpointLookRow:
    return EndpointLookRow(
        contrast="treatment vs control", temp=0.0, difference=difference, ci_low=low, ci_high=high, p=p, level=level,
        n_pairs=10, n_clusters=10, reason=None,
    )  # fmt: skip


def looks(*rows: EndpointLookRow, decision: Any = "stop") -> Looks:
    return Looks(
        rule="pocock", metric="em", alpha=0.05, efficacy=True, futility=None, waves_planned=5, items_planned=50,
        items=10 * len(rows), decision=decision,
        taken=tuple(LookRow(wave=wave, items=10 * wave, endpoints=(each,)) for wave, each in enumerate(rows, 1)),
    )  # fmt: skip


def test_a_difference_shown_at_an_earlier_look_is_neither_open_nor_excluded_in_the_table() -> None:
    rows = [row(0.05, 0.4, 0.01), row(-0.1, 0.1, 0.5), row(-0.01, 0.01, 0.9)]
    reasons: tuple[Any, ...] = ("efficacy", None, "futility")
    found = looks(*(msgspec.structs.replace(each, reason=why) for each, why in zip(rows, reasons, strict=True)))
    found = msgspec.structs.replace(found, futility=0.02)
    significance = msgspec.structs.replace(analyse(TABLE, SETTINGS), looks=found)
    decisions = [cells[-1] for cells in looks_table(significance).rows]
    assert decisions == ["a difference is shown", *["a difference was shown before"] * 2]
    assert why_stopped(found, significance) == ""
    alone = msgspec.structs.replace(found, taken=found.taken[1:])
    assert "for futility" in why_stopped(alone, significance)


TABLE = table_of([0.0, 1.0] * 10, [1.0, 1.0] * 10)
SETTINGS = StatsSettings(primary=("em",), bootstrap_samples=200, tost_margins={"em": 0.4}, wanted={"em": "higher"})


def test_the_rule_decides_on_its_endpoint_with_its_interval() -> None:
    fixed = analyse(TABLE, SETTINGS)
    found = under_looks(fixed, looks(row(-0.1, 0.5, 0.04, level=0.01), row(0.05, 0.35, 0.01, level=0.02)))
    (endpoint,) = found.endpoints
    assert (endpoint.ci_low, endpoint.ci_high, endpoint.ci_method) == (0.05, 0.35, "repeated_interval")
    assert endpoint.p == endpoint.p_adjusted == pytest.approx(0.025)
    assert endpoint.significant
    assert endpoint.family == FAMILY
    tests = {test.hypothesis: test for test in found.tests}
    assert tests["difference"].rejected
    assert tests["equivalence"].rejected  # 0.05 to 0.35 lies within 0.4
    assert tests["equivalence"].p is None
    assert [(family.name, family.size, family.rejected) for family in found.families] == [
        (FAMILY, 1, 1),
        ("equivalence", 0, 1),
        ("non_inferiority", 0, 1),
    ]
    assert found.looks is not UNSET


def test_tests_decided_by_the_rule_do_not_count_in_other_corrections() -> None:
    table = replace(TABLE, metrics={"em": TABLE.metrics["em"], "f1": TABLE.metrics["em"]})
    both = replace(SETTINGS, primary=("em", "f1"), tost_margins={"em": 0.4, "f1": 0.4},
                   wanted={"em": "higher", "f1": "higher"})  # fmt: skip
    alone = analyse(replace(table, metrics={"f1": table.metrics["f1"]}), replace(both, primary=("f1",)))
    found = under_looks(analyse(table, both, looked_at="em"), looks(row(0.05, 0.5, 0.01)))
    for hypothesis in ("difference", "equivalence", "non_inferiority"):
        of_f1 = [test for test in found.tests if test.metric == "f1" and test.hypothesis == hypothesis]
        assert of_f1 == [test for test in alone.tests if test.hypothesis == hypothesis]
    sizes = {family.name: family.size for family in found.families}
    assert sizes == {FAMILY: 1, "primary": 1, "equivalence": 1, "non_inferiority": 1}


def test_with_several_arms_only_tests_on_other_measures_are_corrected_together() -> None:
    scores = np.array([[0.0, 1.0] * 10, [1.0, 1.0] * 10, [0.0, 0.0] * 10]).ravel()
    columns: dict[str, Any] = {
        name: np.tile(getattr(TABLE, name)[:20], 3) for name in ("item", "dataset", "cluster", "type", "temp")
    }
    table = ScoreTable(
        item_keys=TABLE.item_keys, dataset_names=["set0"], type_names=TABLE.type_names,
        **columns,
        arm=np.repeat([0, 1, 2], 20), n_samples=np.ones(60, dtype=np.int64), arm_names=("control", "one", "other"),
        metrics={"em": scores, "f1": scores},
    )  # fmt: skip
    both = replace(SETTINGS, primary=("em", "f1"), tost_margins={})
    found = analyse(table, both, looked_at="em")
    alone = analyse(replace(table, metrics={"f1": table.metrics["f1"]}), replace(both, primary=("f1",)))
    assert [test for test in found.tests if test.metric == "f1"] == list(alone.tests)
    assert analyse(table, replace(both, primary=("em",)), looked_at="em").simultaneous is UNSET


def test_a_shown_difference_stays_shown_even_if_a_later_look_would_not_show_it() -> None:
    found = under_looks(analyse(TABLE, SETTINGS), looks(row(0.05, 0.5, 0.01), row(-0.1, 0.4, 0.2)))
    (endpoint,) = found.endpoints
    assert (endpoint.ci_low, endpoint.ci_high) == (0.05, 0.4)
    assert endpoint.significant


def test_a_wide_interval_does_not_show_a_margin() -> None:
    found = under_looks(analyse(TABLE, SETTINGS), looks(row(-0.5, 0.5, 0.9)))
    assert not any(test.rejected for test in found.tests)
    assert not found.endpoints[0].significant


SPARSE = (
    "too sparse for sign flips alone (pairs differ in 7 of 60 clusters: upwards in 1, downwards in 6): the interval "
)
FEW = "only 8 clusters: p-values go in steps of 0.0078, and the interval is wide"
LARGEST = "the largest cluster (moon) holds 36% of the pairs"
BOTH = "sign flips alone would reject (p = 0.0312), the score test on effective counts would not"
APPROXIMATE = "pairs differ in 3 of 30 clusters: the interval is approximate, and may be too narrow"


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("evalue", ("only 8 clusters: the interval is wide", LARGEST)),
        ("pocock", ("only 8 clusters: the p-value is coarse, and the interval is wide", LARGEST, SPARSE, APPROXIMATE)),
    ],
)
def test_cautions_about_the_replaced_test_are_dropped_and_those_about_the_data_are_kept(
    rule: Any, kept: tuple[str, ...]
) -> None:
    fixed = analyse(TABLE, SETTINGS)
    said = (FEW, LARGEST, SPARSE, APPROXIMATE, BOTH)
    (endpoint,) = (msgspec.structs.replace(each, cautions=said, not_shown=True) for each in fixed.endpoints)
    cautioned = msgspec.structs.replace(fixed, endpoints=(endpoint,))
    found = under_looks(cautioned, msgspec.structs.replace(looks(row(-0.5, 0.5, 0.9)), rule=rule)).endpoints[0]
    assert found.cautions == kept
    other = msgspec.structs.replace(looks(row(-0.5, 0.5, 0.9)), metric="f1")
    assert under_looks(cautioned, other).endpoints[0].cautions == said


def test_dropped_cautions_are_recognised_by_the_wording_of_statistics() -> None:
    """Six of 20 clusters gain one pair, so that the flips and the score test disagree."""
    treatment = np.zeros(400)
    treatment[0:120:20] = 1.0
    table = table_of([0.0] * 400, treatment.tolist(), cluster=np.repeat(np.arange(20), 20).tolist())
    fixed = analyse(table, SETTINGS)
    assert len(fixed.endpoints[0].cautions) == 2
    found = under_looks(fixed, msgspec.structs.replace(looks(row(-0.5, 0.5, 0.9)), rule="evalue"))
    assert found.endpoints[0].cautions == ()


def test_the_saving_is_the_cost_of_the_unasked_questions() -> None:
    early = replace_items(looks(row(0.05, 0.5, 0.01)), items=400, planned=1000)
    assert saved_usd(early, 2.0) == pytest.approx(3.0)
    assert saved_usd(early, None) is None
    lead, figures = stopped_sentence(early, "a beats b on exact match: ", "71% against 61%, +10 points.", 2.74)
    assert lead + figures == (
        "Stopped after 400 of 1,000 questions: a beats b on exact match: 71% against 61%, +10 points; saved 4.11 USD."
    )
    assert stopped_sentence(early, "a", "b.", None)[1] == "b; 600 were not asked."


def test_a_unit_with_a_full_stop_does_not_end_the_sentence_about_a_stopped_trial() -> None:
    early = replace_items(looks(row(0.05, 0.5, 0.01)), items=400, planned=1000)
    _, figures = stopped_sentence(early, "a beats b: ", "3.0 min. against 2.0 min., +1.0 min. (n = 9).", 2.0)
    assert figures == "3.0 min. against 2.0 min., +1.0 min. (n = 9); saved 3.00 USD."


def replace_items(found: Looks, *, items: int, planned: int) -> Looks:
    return msgspec.structs.replace(found, items=items, items_planned=planned)
