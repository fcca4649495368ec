"""The same scores give the same detectable difference in the report of a run, by ``power``, and in a plan."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from promptrial.cli.main import main
from promptrial.design.power import Assumed, PlannedEndpoint, PlannedScores, power_rows
from promptrial.design.spread import PairOfScores, estimated
from promptrial.documents.significance import Estimate, StatsSettings
from promptrial.reporting.tables.evidence import precision_table
from promptrial.stats.analysis import analyse
from promptrial.stats.planning import Design, detectable
from tests.support.score_tables import table_of, trial_table

ROOT = Path(__file__).parents[2]
SETTINGS = StatsSettings(bootstrap_samples=1000, permutation_samples=1000)
DETECTABLE = "detectable_at_80_percent_power"


def scores(seed: int, sizes: list[int]) -> tuple[list[float], list[float], list[int]]:
    """Continuous scores of items in passages that lean together."""
    rng = np.random.default_rng(seed)
    passage = np.repeat(np.arange(len(sizes)), sizes)
    control = rng.uniform(0.3, 0.7, len(passage))
    treatment = control + 0.1 * rng.normal(size=len(sizes))[passage] + 0.1 * rng.normal(size=len(passage))
    return control.tolist(), np.clip(treatment, 0, 1).tolist(), passage.tolist()


def design_of(row: Estimate, alpha: float) -> Design:
    """Return what a report says of an endpoint as assumptions."""
    size = row.n_pairs / row.n_clusters
    effect, naive = float(row.figures["design_effect"] or 1), float(row.figures["se_naive"] or 0)
    icc = 0.0 if size == 1 else (effect - 1) / (size - 1)
    return Design(sd=naive * math.sqrt(row.n_pairs), cluster_size=size, icc=icc, alpha=alpha)


@pytest.mark.parametrize("n_items", [60, 240])
def test_the_assumptions_of_a_finished_run_give_the_detectable_difference_of_its_report(n_items: int) -> None:
    found = analyse(trial_table(n_items), SETTINGS)
    rows = [row for row in found.estimates if row.method == "paired_difference" and row.figures[DETECTABLE]]
    assert len(rows) >= 4
    for row in rows:
        expected = float(row.figures[DETECTABLE] or 0)
        assert detectable(design_of(row, 0.05), row.n_pairs) == pytest.approx(expected, rel=1e-9)


def test_the_command_prints_the_figure_of_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    control, treatment, passage = scores(1, [4] * 30)
    found = analyse(table_of(control, treatment, metric="f1", cluster=passage), SETTINGS)
    (printed,) = precision_table(found).rows
    row = next(row for row in found.estimates if row.method == "paired_difference")
    design = design_of(row, 0.05)
    words = ["--sd", repr(design.sd), "--clusters", "30x4", "--icc", repr(design.icc), "--json"]
    assert main(["power", *words]) == 0
    said = json.loads(capsys.readouterr().out)["detectable"]
    assert f"{100 * said:.2f}" == f"{float(printed[-1]):.2f}"
    assert said == pytest.approx(float(row.figures[DETECTABLE] or 0), rel=1e-9)


@pytest.mark.parametrize("sizes", [[4] * 30, [1, 2, 3, 9] * 10])
def test_a_plan_from_the_same_scores_differs_from_the_report_only_by_the_undisclosed_mean(
    sizes: list[int],
) -> None:
    control, treatment, passage = scores(2, sizes)
    found = analyse(table_of(control, treatment, metric="f1", cluster=passage), SETTINGS)
    row = next(row for row in found.estimates if row.method == "paired_difference")
    pairs = [PairOfScores(*each) for each in zip(control, treatment, passage, strict=True)]
    endpoint = PlannedEndpoint(
        trial="t",
        contrast="treatment vs control",
        scores=PlannedScores(metric="f1", scale="continuous", sizes=tuple(sizes)),
        temp=0.0,
        estimated=estimated(pairs, len(pairs)),
    )
    (planned,) = power_rows([endpoint], 0.05, Assumed())
    d, n = np.subtract(treatment, control), len(pairs)
    around_0 = math.sqrt(float((d**2).mean()) / float(d.var(ddof=1)))
    assert planned.smallest[0] == pytest.approx(float(row.figures[DETECTABLE] or 0) * around_0, rel=1e-6)
    assert planned.endpoint.scores.items == n


def test_the_guide_shows_what_the_plan_prints(capsys: pytest.CaptureFixture[str]) -> None:
    guide = (ROOT / "docs" / "power.md").read_text()
    block = re.search(r"(?m)^    power at .*\n(?:    .*\n)+", guide)
    assert block is not None
    gates = re.search(r"(?m)^    gate .*\n(?:    .*\n)+", guide)
    assert gates is not None
    config = str(ROOT / "config" / "eval_config.fireworks.yaml")
    assert main(["plan", "--config", config, "--run_id", "guide", "--gate", "em@closed >= -0.01"]) == 100
    printed = capsys.readouterr().out
    for shown in (block[0], gates[0]):
        assert "".join(line[4:] for line in shown.splitlines(keepends=True)) in printed
