"""Whole runs on the emulator, as ``make whole-runs`` makes them: what they are judged by, and one run of each kind."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def whole_runs(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script, which is no part of the package."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    for name in ("BASE", "KEY"):
        monkeypatch.setenv(f"FIREWORKS_API_{name}", "")  # set by a run, and as before afterwards
    monkeypatch.setenv("FIREWORKS_ACCOUNT_ID", "")
    return importlib.import_module("whole_runs")


def ended(script: Any, effect: float, **figures: Any) -> Any:
    """How a run under a rule ended: as it should, but for some figures."""
    usual = {"best": (), "stopped": bool(effect), "sign": int(effect > 0), "covered": True, "items": 300,
             "rows_bought": 600}  # fmt: skip
    return script.Ended(task=script.Task("pocock", effect, 0), **{**usual, **figures})


def test_runs_that_end_as_expected_miss_no_target(whole_runs: Any) -> None:
    lines, missed = whole_runs.shown([ended(whole_runs, effect) for effect in (0.1, 0.0) for _ in range(20)])
    assert missed == []
    assert "| 20 | pocock, 10 points: questions saved | 70% | |" in lines


@pytest.mark.parametrize(
    ("effect", "wrong", "what"),
    [
        (0.1, {"sign": -1}, "stops early with the right sign"),
        (0.1, {"stopped": False}, "stops early with the right sign"),
        (0.1, {"covered": False}, "the interval holds the difference"),
        (0.1, {"rows_bought": 602}, "the ledger shows what was asked and no more"),
        (0.0, {"sign": 1}, "no difference: one is shown"),
    ],
)
def test_runs_that_end_differently_miss_each_target(
    whole_runs: Any, effect: float, wrong: dict[str, Any], what: str
) -> None:
    _, missed = whole_runs.shown([ended(whole_runs, effect, **(wrong if at < 5 else {})) for at in range(20)])
    assert [each for each in missed if what in each]
    assert len(missed) == 1


def test_omitting_an_arm_from_the_best_and_sets_of_three_misses_targets(whole_runs: Any) -> None:
    task = whole_runs.Task("", 0.25, 0)
    found = [whole_runs.Ended(task, ("cot", "plain", "wordy"), False, 0, True, 300, 1500)] * 10
    assert len(whole_runs.shown(found)[1]) == 2


@pytest.mark.slow
def test_a_whole_run_of_each_kind_goes_from_questions_to_statistics(whole_runs: Any) -> None:
    arms = whole_runs.run(whole_runs.Task("", 0.25, 0))
    assert "terse" in arms.best
    assert arms.rows_bought == 1500
    looks = whole_runs.run(whole_runs.Task("pocock", 0.1, 0))
    assert looks.stopped
    assert (looks.sign, looks.rows_bought) == (1, 2 * looks.items)
