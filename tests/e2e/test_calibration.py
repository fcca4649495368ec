"""The calibration speaks of the program: its trials are the program's own, and its truth is what answers come to."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from promptrial.documents import significance
from promptrial.model.arms import PAIR
from promptrial.phases.prepared import ItemReader
from promptrial.stats.analysis import analyse
from promptrial.store.rundir import RunDir
from promptrial_emulator.server import EmulatorServer
from tests.support.project import Project

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
EFFECT = 0.1
REPLICATES = 2


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
def test_the_true_effect_is_the_average_of_the_scores(lab: Any, name: str, tmp_path: Path) -> None:
    design = lab.designs()[name]
    lab.write_questions(design, tmp_path)
    truth, seen = lab.truth(design, EFFECT), dict[str, list[float]]()
    for seed in range(40):
        table = lab.score_table(design, lab.answers(design, lab.oracle_settings(tmp_path, EFFECT, seed)))
        for metric in truth:
            scores = table.metrics[metric]
            applies = scores == scores  # noqa: PLR0124 - NaN is what differs from itself
            means = [scores[applies & table.rows_of(arm)].mean() for arm in PAIR]
            seen.setdefault(metric, []).append(float(means[1] - means[0]))
    assert "em" in seen
    for metric, differences in seen.items():
        error = statistics.stdev(differences) / len(differences) ** 0.5
        assert statistics.fmean(differences) == pytest.approx(truth[metric].difference, abs=4 * error)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize("part", ["exact", "intervals", "sparse", "margins", "labels", "program"])
def test_a_quick_calibration_meets_every_target(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    import calibrate

    assert calibrate.main(["--quick", "--jobs", "1", "--part", part]) == 0
    printed = capsys.readouterr().out
    assert " ✓ |" in printed
    assert "; 0 miss it." in printed


@pytest.mark.usefixtures("lab")
def test_a_cell_that_misses_its_target_is_marked_and_named_and_fails_the_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import calibrate
    from calibration_tables import Table, judge, words

    row = (*words("10 even"), judge(0.062, 10_000, high=0.057))
    table = Table("t", ("clusters", "type I"), (row,))
    monkeypatch.setattr(calibrate, "parts", lambda *_, **__: {"one": lambda _: [table]})
    assert calibrate.main(["--jobs", "1"]) == 1
    out, err = capsys.readouterr()
    assert "| 10 even | 6.2 ✗ |" in out
    assert err == "misses its target: t: 10 even, type I: 6.2\n"


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize(
    ("share", "trials", "ok"),
    [(0.0616, 10_000, True), (0.0617, 10_000, False), (0.05700001, None, False), (0.057, None, True)],
)
def test_a_simulated_share_may_miss_by_two_standard_errors_and_an_exact_one_by_nothing(
    share: float, trials: int | None, ok: bool
) -> None:
    from calibration_tables import judge

    assert judge(share, trials, high=0.057).ok is ok


@pytest.mark.usefixtures("lab")
def test_simulated_pairs_have_the_mean_and_the_intraclass_correlation_that_were_set() -> None:
    from simulated_pairs import ArmsModel, DifferenceModel, arms_model, difference_model

    size, clusters = 20, 2000
    models: list[ArmsModel | DifferenceModel] = [arms_model(kind, 0.1, 0.2) for kind in ("em", "f1")]
    models += [difference_model(0.02, 0.06, 0.1), difference_model(0.0, 0.1, 0.2)]
    for model in models:
        drawn = model.sample((size,) * clusters, 1, np.random.default_rng(1)).reshape(clusters, size)
        totals = drawn.sum(axis=1)
        assert drawn.mean() == pytest.approx(model.truth, abs=4 * totals.std() / size / clusters**0.5)
        correlation = (((totals - size * model.truth) ** 2).mean() / (size * drawn.var()) - 1) / (size - 1)
        assert correlation == pytest.approx(model.intraclass, abs=0.03)


@pytest.mark.usefixtures("lab")
def test_a_row_whose_p_value_and_interval_disagree_is_detected() -> None:
    from calibration_program import SETTINGS, judged_rows, simulated_table

    document = analyse(simulated_table(2), SETTINGS)
    assert all(agree for _, agree in judged_rows(document))
    endpoint = next(each for each in document.endpoints if each.ci_low is not None)
    wrong = msgspec.structs.replace(endpoint, p=1.0, ci_low=0.01, ci_high=0.2)
    found = [agree for _, agree in judged_rows(msgspec.structs.replace(document, endpoints=(wrong,)))]
    assert found[0] is False


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("lab")
def test_reported_intervals_of_oracle_trials_cover_and_those_that_ignore_passages_do_not() -> None:
    from calibration_oracle import oracle_tables

    coverage, rejections = oracle_tables(lambda function, values: [function(value) for value in values], 60)
    assert coverage.failures == rejections.failures == []
    ignored = [row for row in coverage.rows if "ignored" in row[3].text]
    assert len(ignored) == 3
    assert min(float(row[-1].text) for row in ignored) < 88


def test_simulated_arms_have_the_effects_that_the_table_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import calibration_arms
    import simulated_arms

    cell = simulated_arms.ArmsCell("10 even", "f1", (0.2, 0.0), 400)
    scores = simulated_arms.simulated_scores(cell, cell.trials, np.random.default_rng(1))
    assert scores.mean(axis=(0, 1)) == pytest.approx([0.6, 0.8, 0.6], abs=0.01)
    shares = simulated_arms.arms_shares(cell._replace(trials=100))
    assert shares.found > 0.5
    assert max(shares.step_down, shares.ranks) < 0.15
    assert shares.step_down >= shares.single_step

    sure = calibration_arms.best_arm_shares(calibration_arms.BestCell((0.35, -0.1), 3))
    assert (sure.kept, sure.size) == (3, 1.0)
