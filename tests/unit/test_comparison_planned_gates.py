"""Gates before the run: what planned items can never pass, and how many would do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptrial.comparison.gates import parse_gate
from promptrial.comparison.planned_gates import PlannedGate, planned_gates
from promptrial.design.power import Assumed
from promptrial.design.trials import trials_of
from promptrial.errors import UsageError
from promptrial.model import Item
from promptrial.stats.margins import binary_margin_test, clustered_margin_test
from promptrial.stats.unconditional import exact_margin_p
from tests.support import configs


def items(n: int, passages: int = 0, dataset: str = "questions") -> list[Item]:
    """Return closed-book items, or items that share so many passages."""
    return [
        Item(
            id=f"{dataset}{place}",
            dataset=dataset,
            question="Who?",
            answers=("Ada",),
            context=f"passage {place % passages}" if passages else None,
            extra={"level": "hard" if place % 3 else "easy"},
        )
        for place in range(n)
    ]


def judged(
    folder: Path, text: str, planned: list[Item], changes: dict[str, Any] | None = None, **options: Any
) -> PlannedGate:
    config = configs.loaded(folder, changes).experiment
    (found,) = planned_gates(
        [parse_gate(text)], config, trials_of(config), planned, options.get("assumed", Assumed()), 0.05
    )
    return found


@pytest.mark.parametrize("margin", [0.02, 0.05])
def test_a_gate_is_refused_for_fewer_items_than_its_test_needs_if_no_answer_changes(
    tmp_path: Path, margin: float
) -> None:
    needed = judged(tmp_path, f"em >= -{margin}", items(10)).fewest
    assert needed is not None
    assert binary_margin_test(0, 0, needed, -margin).p <= 0.05 < binary_margin_test(0, 0, needed - 1, -margin).p
    assert judged(tmp_path, f"em >= -{margin}", items(needed)).can_pass
    few = judged(tmp_path, f"em >= -{margin}", items(needed - 1))
    assert not few.can_pass
    assert f"cannot pass it, even if no answer changes: at least {needed} are needed, about" in str(few)


def test_an_upper_gate_needs_as_many_items_as_a_lower_one(tmp_path: Path) -> None:
    assert (
        judged(tmp_path, "em <= 0.02", items(100)).fewest == judged(tmp_path, "em >= -0.02", items(100)).fewest == 149
    )


@pytest.mark.parametrize("passages", [4, 6, 10, 20, 30])
def test_for_clustered_items_the_cluster_test_determines_the_number_needed(tmp_path: Path, passages: int) -> None:
    planned = items(4 * passages, passages)
    cluster = np.arange(4 * passages) % passages
    shown = clustered_margin_test(np.zeros(4 * passages), cluster, -0.05, binary=True).p <= 0.05
    assert judged(tmp_path, "em >= -0.05", planned).can_pass == shown


@pytest.mark.parametrize("bound", [0.0, 0.05, 0.3])
def test_a_gate_for_a_gain_is_refused_if_no_outcome_could_show_it(tmp_path: Path, bound: float) -> None:
    needed = next(n for n in range(1, 50) if binary_margin_test(n, 0, n, bound).p <= 0.05)
    found = judged(tmp_path, f"em >= {bound}", items(needed - 1))
    assert (found.fewest, found.planned, found.can_pass) == (needed, None, False)
    assert "even if all answers change for the better" in str(found)
    assert judged(tmp_path, f"em >= {bound}", items(needed)).can_pass


def test_the_largest_difference_can_never_be_shown(tmp_path: Path) -> None:
    found = judged(tmp_path, "em >= 1", items(200))
    assert not found.can_pass
    assert "no number of items can pass it" in str(found)
    assert not found.is_possible


def test_replicates_and_scores_on_a_scale_are_decided_by_sign_flips(tmp_path: Path) -> None:
    many = {"samples_per_item": 3, "temps": [0.7]}
    for gate, changes in (("em >= -0.02", many), ("f1 >= -0.02", {})):
        found = judged(tmp_path, gate, items(100), changes)
        assert found.fewest == 135, gate
        assert clustered_margin_test(np.zeros(135), None, -0.02, binary=True).p <= 0.05
        assert clustered_margin_test(np.zeros(134), None, -0.02, binary=True).p > 0.05


def test_the_planned_power_of_a_gate_matches_a_simulation(tmp_path: Path) -> None:
    found = judged(tmp_path, "em >= -0.1", items(100))
    assert found.planned is not None
    rng, n = np.random.default_rng(6), found.planned
    for size, power in ((n, 0.8), (100, found.power)):
        draws = rng.multinomial(size, [0.1, 0.1, 0.8], size=200)
        passed = np.mean([exact_margin_p(int(b), int(c), size, -0.1) <= 0.05 for b, c, _ in draws])
        assert passed == pytest.approx(power, abs=0.09)


@pytest.mark.parametrize(("discordance", "power"), [(0.005, 0.686), (0.01, 0.518), (0.02, 0.378)])
def test_if_few_answers_change_the_power_is_that_of_the_exact_test(
    tmp_path: Path, discordance: float, power: float
) -> None:
    found = judged(tmp_path, "em >= -0.02", items(160), assumed=Assumed(discordance=discordance))
    assert found.power == pytest.approx(power, abs=0.001)
    rng = np.random.default_rng(2)
    draws = rng.multinomial(160, [discordance / 2, discordance / 2, 1 - discordance], size=300)
    tables, counts = np.unique(draws, axis=0, return_counts=True)
    passes = [exact_margin_p(int(b), int(c), 160, -0.02) <= 0.05 for b, c, _ in tables]
    assert np.average(passes, weights=counts) == pytest.approx(power, abs=0.09)
    assert f"{found.power:.0%} power if the runs are alike" in str(found)


def test_more_answers_to_an_item_make_a_gate_easier_to_pass_above_temperature_0(tmp_path: Path) -> None:
    def power(answers: int, temp: float) -> float:
        found = judged(tmp_path, "em >= -0.05", items(200), {"samples_per_item": answers, "temps": [temp]})
        assert (f"200 items with {answers} answers each can pass it" in str(found)) == (answers > 1)
        assert found.power is not None
        return found.power

    assert power(1, 0.7) == pytest.approx(0.45, abs=0.01)
    # Half of the variance lies between the answers to an item, and is divided by their number.
    for answers in (4, 8):
        as_if_alone = judged_power(tmp_path, 0.2 * (0.5 + 0.5 / answers))
        assert power(answers, 0.7) == pytest.approx(as_if_alone, abs=0.03)


def judged_power(folder: Path, discordance: float) -> float:
    found = judged(folder, "em >= -0.05", items(200), assumed=Assumed(discordance=discordance)).power
    assert found is not None
    return found


def test_temperatures_with_and_without_repeated_answers_are_distinguished(tmp_path: Path) -> None:
    config = configs.loaded(tmp_path, {"samples_per_item": 4, "temps": [0.0, 0.7]}).experiment
    found = planned_gates([parse_gate("em >= -0.05")], config, trials_of(config), items(200), Assumed())
    powers = [each.power for each in found]
    assert len(powers) == len(set(powers)) == 2


def test_power_with_passages_uses_the_larger_assumed_correlation(tmp_path: Path) -> None:
    alone, shared = judged(tmp_path, "em >= -0.02", items(400)), judged(tmp_path, "em >= -0.02", items(400, 100))
    assert alone.planned is not None
    assert shared.planned == pytest.approx(alone.planned * (1 + 3 * 0.2), rel=0.001)


def test_a_subset_has_its_own_items(tmp_path: Path) -> None:
    planned = items(60) + items(40, 10)
    config = {"subgroups": ["level"]}
    assert judged(tmp_path, "em@closed >= -0.1", planned, config).scores.items == 60
    assert judged(tmp_path, "em@open >= -0.1", planned, config).scores.sizes == (4,) * 10
    assert judged(tmp_path, "em@level=easy >= -0.1", planned, config).scores.items == 34
    with pytest.raises(UsageError, match=r"there is no subset 'medium'; known: .*level=easy"):
        judged(tmp_path, "em@medium >= -0.1", planned, config)


def test_a_metric_that_no_scorer_gives_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="bleu"):
        judged(tmp_path, "bleu >= -0.1", items(10))
    with pytest.raises(UsageError, match=r"the range of possible differences"):
        judged(tmp_path, "em >= -2", items(10))
