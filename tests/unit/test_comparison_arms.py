"""One arm of two runs side by side: items are matched by key and content, whatever their order."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from promptrial.comparison.arms import changes, side_by_side
from promptrial.comparison.comparability import Identity, agreements, match_items, refusal
from promptrial.comparison.pages import _changes_table
from promptrial.comparison.reading import _chosen
from promptrial.documents.comparison import Changes
from promptrial.documents.significance import Significance, StatsSettings
from promptrial.model.arms import DEFAULT_CONTRAST, PAIR, ArmName
from promptrial.stats.analysis import analyse
from promptrial.stats.pairing import ScoreTable, pair_scores
from tests.support.score_tables import METRICS, table_of, trial_table

QUICK = StatsSettings(bootstrap_samples=500, permutation_samples=499)


def shuffled(table: ScoreTable, seed: int) -> ScoreTable:
    """Return a table with its rows and items in another order, and other codes for the same clusters and data sets."""
    rng = np.random.default_rng(seed)
    rows, items = rng.permutation(len(table.item)), rng.permutation(len(table.item_keys))
    place = np.argsort(items)
    names = list(reversed(table.dataset_names))
    return ScoreTable(
        item_keys=[table.item_keys[index] for index in items],
        dataset_names=names,
        type_names=table.type_names,
        item=place[table.item[rows]],
        dataset=len(names) - 1 - table.dataset[rows],
        cluster=10_000 - table.cluster[rows],
        type=table.type[rows],
        arm=table.arm[rows],
        temp=table.temp[rows],
        n_samples=table.n_samples[rows],
        metrics={name: column[rows] for name, column in table.metrics.items()},
        roles=table.roles,
        unanswerable=None if table.unanswerable is None else table.unanswerable[items],
    )


def analysed(a: ScoreTable, b: ScoreTable, condition: ArmName = "treatment") -> Significance:
    return analyse(side_by_side(a, b, a.item_keys, condition), QUICK)


@pytest.mark.parametrize("condition", PAIR)
def test_a_run_compared_with_itself_differs_in_nothing_in_any_order(condition: ArmName) -> None:
    run = trial_table(80, temps=(0.0, 0.7))
    found = analysed(run, shuffled(run, 1), condition)
    assert {row.temp for row in found.endpoints} == {0.0, 0.7}
    assert {row.metric for row in found.endpoints} == set(METRICS)
    assert all(row.difference == 0 for row in found.endpoints if row.n_pairs)
    assert all(row.n_control_only == row.n_treatment_only == 0 for row in found.endpoints)
    table = side_by_side(run, shuffled(run, 1), run.item_keys, condition)
    assert [(row.n_fixed, row.n_broken, row.n_better, row.n_worse) for row in changes(table)] == [(0, 0, 0, 0)] * 2


def test_items_have_the_subgroups_of_the_first_run_if_both_have_the_column() -> None:
    levels = ("x", "y", "z")
    a, b = (replace(trial_table(60), subgroups={"level": (levels, trial_table(60).item % 3)}) for _ in "ab")
    scopes = {row.scope for row in analysed(a, b).endpoints}
    assert "subgroup:level" in scopes
    table = side_by_side(a, b, a.item_keys[::-1], "treatment")
    assert list(table.of_items(table.subgroups["level"][1])) == [number % 3 for number in reversed(range(60))]
    assert side_by_side(a, trial_table(60), a.item_keys, "treatment").subgroups == {}


def test_the_order_of_items_and_rows_changes_nothing() -> None:
    a, b = trial_table(60, seed=1), trial_table(60, seed=2)
    assert analysed(a, b) == analysed(a, shuffled(b, 3))


def test_exchanging_the_runs_negates_every_difference_and_its_interval() -> None:
    a, b = trial_table(60, seed=1), trial_table(60, seed=2)
    forward, backward = analysed(a, b), analysed(b, a)
    assert len(forward.endpoints) == len(backward.endpoints)
    for one, other in zip(forward.endpoints, backward.endpoints, strict=True):
        assert (one.metric, one.subset, one.p_adjusted) == (other.metric, other.subset, other.p_adjusted)
        if one.difference is not None:
            assert other.difference == pytest.approx(-one.difference, abs=1e-12)
        if one.ci_low is not None:
            assert (other.ci_high, other.ci_low) == pytest.approx((-one.ci_low, -(one.ci_high or 0.0)), abs=1e-9)
        assert (one.n_control_only, one.n_treatment_only) == (other.n_treatment_only, other.n_control_only)


def test_only_the_named_arm_is_compared() -> None:
    a, b = table_of([0, 0, 0], [1, 1, 1]), table_of([1, 1, 0], [1, 1, 1])
    control = pair_scores(side_by_side(a, b, a.item_keys, "control"), "em", 0.0, DEFAULT_CONTRAST).sample()
    treatment = pair_scores(side_by_side(a, b, a.item_keys, "treatment"), "em", 0.0, DEFAULT_CONTRAST).sample()
    assert control.difference.tolist() == [1, 1, 0]
    assert treatment.difference.tolist() == [0, 0, 0]


def test_items_that_are_not_common_are_left_out_and_clusters_are_kept() -> None:
    a = table_of([0] * 4, [1, 1, 0, 0], cluster=[5, 5, 9, 9])
    b = replace(table_of([0] * 4, [0, 1, 1, 1], cluster=[2, 2, 0, 0]), item_keys=["set|1", "set|2", "set|3", "else"])
    table = side_by_side(a, b, ["set|1", "set|2", "set|3"], "treatment")
    sample = pair_scores(table, "em", 0.0, DEFAULT_CONTRAST).sample()
    assert sample.difference.tolist() == [-1, 1, 1]
    assert [int(code) for code in sample.cluster] == [5, 9, 9]


def test_only_temperatures_of_both_runs_are_compared() -> None:
    a = trial_table(20, temps=(0.0, 0.7))
    b = trial_table(20, seed=9, temps=(0.7, 1.0))
    assert side_by_side(a, b, a.item_keys, "control").temps == [0.7]


def test_fixed_and_broken_items_are_named_and_partial_changes_counted() -> None:
    planned = {(1, 0.0): 2}
    a = replace(table_of([0] * 6, [0, 1, 0, 1, 0.5, 0.5]), planned_samples=planned)
    b = replace(table_of([0] * 6, [1, 0, 0, 1, 1.0, 0.0]), planned_samples=planned)
    (found,) = changes(side_by_side(a, b, a.item_keys, "treatment"))
    assert (found.fixed, found.broken) == (("set|0",), ("set|1",))
    assert (found.n_fixed, found.n_broken, found.n_better, found.n_worse, found.n_pairs) == (1, 1, 2, 2, 6)


def test_items_match_by_key_and_content() -> None:
    common, match = match_items(
        {"a": b"1", "b": b"2", "c": b"3", "d": b"4"}, {"d": b"4", "b": b"other", "x": b"5", "a": b"1"}
    )
    assert common == ["a", "d"]
    assert (match.common, match.changed, match.only_a, match.only_b) == (2, 1, 1, 1)


def identity() -> Identity:
    return Identity(
        items={"open_book.jsonl": "1"},
        scorer_sha256="s",
        scorer={"scoring": {"x": 1}},
        metrics={"em": {"type": "em", "settings": {}, "version": 1}},
        model={"id": "m"},
        decoding={"temps": [0.0], "seed": 1},
    )


@pytest.mark.parametrize(
    ("other", "aspect", "said"),
    [
        (replace(identity(), items={"open_book.jsonl": "2"}), "items", "1 items are the same in both"),
        (replace(identity(), scorer_sha256="t", scorer={"scoring": {"x": 2}}), "scorer", "scoring.x: 1 -> 2"),
        (
            replace(identity(), metrics={"em": {"type": "em", "settings": {}, "version": 2}, "other": {}}),
            "scorer",
            "scorers.em.version: 1 -> 2",
        ),
        (replace(identity(), model={"id": "n"}), "model", 'id: "m" -> "n"'),
        (replace(identity(), decoding={"temps": [0.0], "seed": 2}), "decoding", "seed: 1 -> 2"),
    ],
)
def test_differences_are_named_with_both_digests(other: Identity, aspect: str, said: str) -> None:
    _, items = match_items({"a": b"1"}, {"a": b"1"})
    found = agreements(identity(), other, items)
    differing = [each for each in found if not each.same]
    assert [each.aspect for each in differing] == [aspect]
    text = refusal(differing)
    assert differing[0].a[:12] in text
    assert differing[0].b[:12] in text
    assert said in text


def test_trials_that_agree_have_no_differences() -> None:
    _, items = match_items({"a": b"1"}, {"a": b"1"})
    more = replace(identity(), metrics={**identity().metrics, "other": {"type": "f1"}})
    for other in (identity(), more):
        found = agreements(identity(), other, items)
        assert all(each.same and each.a == each.b and not each.differences for each in found)


def test_planned_answers_are_those_of_their_own_arm() -> None:
    a = replace(trial_table(40, seed=1), planned_samples={(1, 0.0): 3})
    b = replace(trial_table(40, seed=2), planned_samples={(1, 0.0): 2, (0, 0.0): 5})
    common = [*reversed(a.item_keys)][:30]
    table = side_by_side(a, b, common, "treatment")
    assert (table.planned("control", 0.0), table.planned("treatment", 0.0)) == (3, 2)
    for name, worst in table.worst.items():
        expected = [a.worst[name][a.item_keys.index(key)] for key in common]
        assert np.array_equal(worst, expected, equal_nan=True)
    assert not pair_scores(table, "em", 0.0, DEFAULT_CONTRAST).sample().binary


def test_options_of_a_data_set_are_named_among_the_differences() -> None:
    datasets = {"a": {"format": "custom", "rules": "exact"}, "b": {"format": "custom"}}
    assert _chosen("rules", datasets) == {"rules": {"a": "exact"}}
    assert _chosen("tokens", datasets) == {}


def test_items_that_changed_name_the_measure_that_was_counted() -> None:
    run = trial_table(20)
    run = replace(run, metrics={"includes": run.metrics["em"]}, roles={"accuracy": "includes"})
    assert {row.metric for row in changes(side_by_side(run, run, run.item_keys, "treatment"))} == {"includes"}


def test_changed_items_are_listed_under_the_measure_that_was_counted() -> None:
    row = Changes(temp=0.0, n_pairs=3, n_fixed=1, n_broken=0, n_better=1, n_worse=0, fixed=("d|1",), broken=())
    titles = [_changes_table([msgspec.structs.replace(row, metric=name)]).title for name in ("f1", None)]
    assert titles == ["Items that changed in Token F1", "Items that changed"]
