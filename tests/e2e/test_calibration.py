"""The calibration speaks of the program: its trials are the program's own, and its truth is what answers come to."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from scipy import stats

from promptrial import significance
from promptrial.emulator.server import EmulatorServer
from promptrial.phases.prepared import ItemReader
from promptrial.stats.analysis import analyse
from promptrial.store.rundir import RunDir
from tests.support.project import Project

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
EFFECT = 0.1
REPLICATES = 2
LEVEL = 0.999
"""How sure a bound must be: a fixed seed passes for ever, but other seeds should pass as well."""


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of one simulated trial, which is a script's and no package's."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    import simulated_trials

    return simulated_trials


def test_answers_and_statistics_are_the_same_through_the_emulator(
    lab: Any, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write_config(
        {
            "provider": "fireworks",
            "models": {"m1": {"id": lab.MODEL}},
            "datasets": {"sample": {"format": "squad_v2", "path": str(ROOT / "data/sample/open_book.json")}},
            "samples_per_item": REPLICATES,
            "execution": dict.fromkeys(("poll_interval_s", "settle_s", "quota_wait_s", "first_retry_s"), 0.02),
            "pricing": None,
        }
    )
    run = RunDir(project.root / "experiments", "r")
    settings = lab.oracle_settings(run.prepared, EFFECT, seed=7)
    with EmulatorServer(tmp_path / "state", settings) as server:
        monkeypatch.setenv("FIREWORKS_API_BASE", server.url)
        monkeypatch.setenv("FIREWORKS_API_KEY", settings.key)
        monkeypatch.setenv("FIREWORKS_ACCOUNT_ID", settings.account)
        outcome = project.run()
    assert outcome.code == 0, outcome.err
    results = project.trial_folder() / "results"

    design = lab.Design("run", tuple(ItemReader(run).take(0, 10_000)), {"sample": "squad_v2"}, REPLICATES)
    simulated = [*lab.answers(design, settings)]
    assert answered(results, design) == simulated
    assert len({text for texts in simulated for text in texts}) > 50
    document = significance.decode((results / "significance.json").read_bytes())
    table = lab.score_table(design, iter(simulated))
    assert analyse(table, document.settings, document.attrition) == document


def answered(results: Path, design: Any) -> list[list[str]]:
    """Return the answers of a run in the order of the simulation: arm, item, replicate."""
    columns = pq.read_table(results / "predictions.parquet").to_pydict()
    names = ("condition", "item_id", "sample_index")
    texts = dict(zip(zip(*(columns[name] for name in names), strict=True), columns["response_text"], strict=True))
    return [
        [texts[condition, item.id, sample] for sample in range(design.replicates)]
        for condition in ("control", "treatment")
        for item in design.items
    ]


@pytest.mark.parametrize("name", ["closed", "open"])
def test_the_truth_is_what_scores_come_to_on_the_average(lab: Any, name: str, tmp_path: Path) -> None:
    design = lab.designs()[name]
    lab.write_questions(design, tmp_path)
    seen: dict[str, list[float]] = {}
    for seed in range(40):
        table = lab.score_table(design, lab.answers(design, lab.oracle_settings(tmp_path, EFFECT, seed)))
        for metric in lab.truth(design, EFFECT):
            scores = table.metrics[metric]
            applies = scores == scores  # noqa: PLR0124 - NaN is what differs from itself
            means = [scores[applies & (table.condition == arm)].mean() for arm in (0, 1)]
            seen.setdefault(metric, []).append(float(means[1] - means[0]))
    assert "em" in seen
    for metric, differences in seen.items():
        error = statistics.stdev(differences) / len(differences) ** 0.5
        assert statistics.fmean(differences) == pytest.approx(
            lab.truth(design, EFFECT)[metric].difference, abs=4 * error
        )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_intervals_cover_the_truth_and_p_values_are_spread_evenly() -> None:
    trials = 100
    outcome = subprocess.run(
        [sys.executable, BENCHMARKS / "calibrate.py", "--trials", str(trials), "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr
    found = json.loads(outcome.stdout)
    assert found.keys() == {"closed", "open", "open x3", "uneven"}
    at_least, _ = stats.binom.interval(LEVEL, trials, 0.95)
    _, at_most = stats.binom.interval(LEVEL, trials, 0.05)
    for name, tables in found.items():
        for row in tables["coverage"]:
            if "ignored" not in row["label"][2]:
                assert row["covered"] >= at_least, (name, row)
        for row in tables["p"]:
            if "ignored" not in row["method"]:
                assert row["rejected"] <= at_most, (name, row)
            if "made even" in row["method"]:
                assert row["p"] > 1 - LEVEL, (name, row)
    uneven = {tuple(row["label"]): row["covered"] for row in found["uneven"]["coverage"]}
    assert uneven["em", "difference", "t, passages ignored"] < at_least, "items of one passage are no independent items"
