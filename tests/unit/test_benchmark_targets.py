"""The table of targets: each target has a benchmark that measures it, and every benchmark has rows of one shape.

No time is asserted: figures are made up, and only what becomes of them is looked at.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
MACHINE = "# a machine"
SIZES = (50_000, 250_000, 1_000_000)


@pytest.fixture(autouse=True)
def _scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmarks are scripts, no part of the package."""
    monkeypatch.syspath_prepend(BENCHMARKS)


def load(name: str) -> Any:
    return importlib.import_module(name)


def of_pipeline() -> Iterator[Any]:
    script, taken = load("bench_pipeline"), load("processes").Taken(2.0, 3.0, 100.0)
    steps = dict.fromkeys([script.DECODING, *script.WAYS, *script.PHASES, script.HASHING, *script.RESUMES], taken)
    for answers in SIZES:
        yield from script.rows_of(answers, steps, MACHINE)
    yield from script.growth_rows(dict.fromkeys(SIZES, steps), MACHINE)


def of_parts() -> Iterator[Any]:
    script, taken = load("bench_parts"), load("processes").Taken(0.5, 0.5, 100.0)
    yield from script.looked_rows(10_000, script.Looked(taken, taken, taken, 10**7), MACHINE)
    found = {parts: script.Asked(1.0 + parts, 1e3 * parts, 7 * parts, 2000 * parts) for parts in (2, 100, 10_000)}
    yield from script.asked_rows(found, MACHINE)


def of_startup() -> Iterator[Any]:
    names = ("--help", "status", "plan of a new run", "plan of a built run")
    text = (BENCHMARKS / "bench_startup.py").read_text()
    for name in names:
        assert f'"{name}": [' in text
        yield load("targets").row(name, 0.1, "s", MACHINE, ratio=2.0)


def of_plan() -> Iterator[Any]:
    script, taken = load("bench_plan"), load("processes").Taken(0.5, 0.5, 100.0)
    names = [f"{vendor}, {shape}" for vendor in script.MODELS for shape in ("custom", "squad_v2")]
    yield from script.rows_of(dict.fromkeys([script.BARE, *names], taken), MACHINE)


def of_kernels() -> Iterator[Any]:
    script = load("bench_kernels")
    times = {"program": 3.0, "plain": 4.0, "blocks": 2.0}
    works = script.works(script.scores(16, "continuous", np.random.default_rng(1)))
    yield from script.rows_of(script.ITEMS, "continuous", dict.fromkeys(works, times), MACHINE)


ROWS: dict[str, Callable[[], Iterator[Any]]] = {
    "bench_pipeline.py": of_pipeline,
    "bench_parts.py": of_parts,
    "bench_startup.py": of_startup,
    "bench_plan.py": of_plan,
    "bench_kernels.py": of_kernels,
    "bench_results_file.py": lambda: iter(
        load("bench_results_file").rows_of(5, *[load("processes").Taken(1.0, 1.0, 100.0)] * 2, MACHINE)
    ),
    "bench_embedded.py": lambda: iter(load("bench_embedded").rows_of({1: 1.0, 2: 1.7}, MACHINE, same=True)),
    "bench_live.py": lambda: iter(load("bench_live").rows_of(10_000, 5.0, {1: 1.1, 64: 1.5}, 90.0, MACHINE)),
}
"""Benchmark -> the rows that it makes of made-up figures."""


def test_each_target_is_a_row_of_exactly_its_benchmark() -> None:
    measured = {row.work: name for name, rows in ROWS.items() for row in rows() if row.target}
    assert measured == {work: target.benchmark for work, target in load("targets").TARGETS.items()}


def test_make_bench_runs_the_benchmark_of_each_target_and_make_bench_large_the_large_ones() -> None:
    script, targets = load("run_targets"), load("targets").TARGETS.values()
    quick, large = ({command[0] for command in commands.values()} for commands in (script.QUICK, script.LARGE))
    assert {each.benchmark for each in targets if not each.large} == quick
    assert {each.benchmark for each in targets if each.large} == large
    assert all((BENCHMARKS / name).is_file() for name in quick | large)
    make = (BENCHMARKS.parent / "Makefile").read_text()
    assert "bench: $(VENV)/.ready" in make
    assert "run_targets.py\n" in make
    assert "run_targets.py --large\n" in make


@pytest.mark.parametrize("name", ROWS)
def test_the_rows_of_a_benchmark_are_written_and_read_again_in_one_shape(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    targets, rows = load("targets"), list(ROWS[name]())
    targets.report(rows, MACHINE, tmp_path / "made" / "rows.json", more={"a": 1})
    found = json.loads((tmp_path / "made" / "rows.json").read_text())
    assert found.keys() == {"environment", "load", "rows", "more"}
    for each in found["rows"]:
        assert list(each) == ["work", "figure", "unit", "ratio", "target", "met", "machine"]
        assert (each["target"] is None) == (each["met"] is None)
        assert each["machine"] == MACHINE
    assert targets.read_rows([tmp_path / "made" / "rows.json"]) == list({row.work: row for row in rows}.values())
    shown = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert len(shown) == 1 + len(rows)
    assert all(line.count("|") == 6 for line in shown)


@pytest.mark.parametrize("name", ROWS)
def test_every_benchmark_of_the_table_can_write_json(name: str) -> None:
    assert "add_json_flag(parser)" in (BENCHMARKS / name).read_text()


@pytest.mark.parametrize(
    ("work", "figure", "ratio", "met"),
    [
        ("250,000 answers, one process: time", 8.0, 12.0, True),
        ("250,000 answers, one process: time", 8.0, 12.1, False),
        ("250,000 answers, one process: memory", 331.0, None, False),
        ("1,000,000 answers, resume: time", 0.3, 5.0, True),
        ("embedded engine, two cores", 2.0, 1.6, True),
        ("embedded engine, two cores", 2.0, 1.5, False),
        ("10,000 answers, one process: time", 8.0, 30.0, None),
    ],
)
def test_a_row_is_judged_by_its_target(work: str, figure: float, ratio: float | None, *, met: bool | None) -> None:
    assert load("targets").row(work, figure, "s", MACHINE, ratio=ratio).met is met


def test_wrong_work_misses_its_target_at_any_speed() -> None:
    (_, two) = load("bench_embedded").rows_of({1: 1.0, 2: 2.0}, MACHINE, same=False)
    assert two.met is False


def test_a_target_for_a_ratio_needs_a_ratio_in_its_row() -> None:
    with pytest.raises(ValueError, match="--help: its target is a ratio"):
        load("targets").row("--help", 0.1, "s", MACHINE)


def test_the_later_of_two_files_with_the_same_work_counts_and_missing_work_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    targets = load("targets")
    for name, figure in (("a.json", 0.1), ("b.json", 0.2)):
        targets.report([targets.row("--help", figure, "s", MACHINE, ratio=3.0)], MACHINE, tmp_path / name)
    capsys.readouterr()
    targets.print_files(sorted(tmp_path.glob("*.json")))
    said = capsys.readouterr().out
    assert said.count("| --help |") == 1
    assert "| --help | 0.2 s | 3.00 | at most 4 x | yes |" in said
    assert "not measured: status" in said


def test_the_slope_of_a_power_is_its_exponent() -> None:
    assert load("bench_pipeline").slope([(x, 3 * x**1.1) for x in (1e4, 5e4, 1e6)]) == pytest.approx(1.1)


def test_each_kernel_draws_from_the_distribution_of_the_program() -> None:
    """Means and standard deviations agree with those that follow from the scores, within five standard errors."""
    script = load("bench_kernels")
    values = script.contrasts(script.scores(700, "f1", np.random.default_rng(3)))
    one, n = values[:, 0], 2000
    rng = np.random.default_rng(4)
    for bootstrap in (script.plain_bootstrap, script.block_bootstrap):
        drawn, sd = bootstrap(one, n, rng), one.std() / np.sqrt(len(one))
        assert drawn.shape == (n,)
        assert abs(drawn.mean() - one.mean()) < 5 * sd / np.sqrt(n)
        assert drawn.std() == pytest.approx(sd, rel=0.1)
    for signs in (script.plain_signs, script.block_signs):
        drawn, sd = signs(values, n, rng), np.sqrt((values**2).sum(axis=0)) / 2
        assert drawn.shape == (n, values.shape[1])
        assert (abs(drawn.mean(axis=0) - values.sum(axis=0) / 2) < 5 * sd / np.sqrt(n)).all()
        assert drawn.std(axis=0) == pytest.approx(sd, rel=0.1)


def test_the_columns_of_max_t_are_all_pairs_of_arms_in_each_measure() -> None:
    script = load("bench_kernels")
    scores = script.scores(5, "continuous", np.random.default_rng(1))
    columns = script.contrasts(scores)
    assert columns.shape == (5, 6)
    assert columns[:, 0].tolist() == (scores[0, 1] - scores[0, 0]).tolist()


def test_the_slopes_of_the_page_on_scaling_follow_from_two_benchmarks() -> None:
    script = load("scaling")
    steps = {
        str(size): {phase: {"wall": 9.0, "processor": 1 + size / 1e5, "megabytes": 100 + size / 1e4} for phase in
                    (*script.BEFORE, *script.PHASES)}
        for size in (10_000, 50_000)
    }  # fmt: skip
    pipeline = {"environment": MACHINE, "answers": steps, "disk": {"50000": {"requests": 38_500_000}}}
    asked = {
        str(n): {"processor": n / 100, "written": 1e3 * n, "events": 7 * n, "manifests": 50 + 2 * n} for n in (2, 9)
    }
    parts = {"load": 0.26, "asked": asked}
    found = script.slopes(pipeline, parts, times=True)
    assert found["phases"]["score"] == {
        "megabytes": {"fixed": 100.0, "per_million": 100.0},
        "processor_s_per_million": 10.0,
    }
    assert found["bytes_per_answer"] == {"requests": 770.0}
    assert found["part"] == {
        "load": 0.3,
        "processor_ms": 10.0,
        "written_bytes": 1000,
        "events": 7.0,
        "record_bytes": 2,
    }
    assert script.slopes(pipeline, parts, times=False)["phases"]["parse"]["processor_s_per_million"] is None
