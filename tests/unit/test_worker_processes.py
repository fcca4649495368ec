"""Worker processes: results in order, nothing lost with a worker, and the bytes of one process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from promptrial.errors import CorruptRecordError, StopRequested
from promptrial.model.units import Unit
from promptrial.phases import parse, score
from promptrial.phases.parse_parts import PartParser
from promptrial.phases.score import ShardScorer
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.runtime import workers
from promptrial.runtime.workers import in_order
from promptrial.store import tables
from tests.support.project import Project
from tests.unit.test_run_spec import opened_run

TABLES = ("predictions", "per_item_scores")
FILES = (*(f"{name}.{kind}" for name in TABLES for kind in ("csv", "parquet")), "results_combined.jsonl",
         "quarantine.jsonl", "parse_report.json")  # fmt: skip


def nothing() -> None:
    """Ask for no stop."""


def test_results_come_in_the_order_of_the_tasks_and_from_other_processes() -> None:
    made = partial(partial, os.path.realpath)  # of what says who reads it
    found = list(in_order(made, ["/proc/self"] * 5, 2, nothing))
    assert len(set(found)) == 2
    assert os.path.realpath("/proc/self") not in found
    assert list(in_order(partial(partial, pow, 2), range(7), 2, nothing)) == [1, 2, 4, 8, 16, 32, 64]


def test_what_a_worker_cannot_do_is_done_here_and_raises_what_it_raises_here() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        list(in_order(partial(partial, int), ["1", "two", "3"], 2, nothing))


def test_this_process_makes_what_does_the_tasks_of_failed_workers_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def make() -> Callable[[int], int]:
        made.append("here")
        return abs

    def fails(_worker: object, _task: object) -> object:
        raise workers._WorkerFailedError

    monkeypatch.setattr(workers._Worker, "ask", fails)
    assert list(in_order(make, [-1, -2, -3], 2, nothing)) == [1, 2, 3]
    assert made == ["here"]


def test_at_most_one_task_more_than_there_are_workers_is_ahead_of_the_results() -> None:
    begun: list[int] = []

    def tasks() -> Iterator[int]:
        for number in range(9):
            begun.append(number)
            yield number

    ahead = [len(begun) - done for done, _ in enumerate(in_order(partial(partial, abs), tasks(), 2, nothing), 1)]
    assert max(ahead) <= 2


def test_a_stop_ends_the_workers_at_once() -> None:
    def stop() -> None:
        raise StopRequested("stopped")

    found = in_order(partial(partial, partial(max, 0)), range(3), 2, stop)
    with pytest.raises(StopRequested):
        next(found)


@pytest.fixture
def answered(project: Project) -> Project:
    """Return a project with all answers, in parts of three requests, and some trouble among them."""
    files = {"provider": "files", "providers": {"files": {"type": "batch_file"}}, "pricing": {}}
    project.write_config({**files, "parts_per_dataset": None, "lines_per_part": 3, "temps": [0.0, 0.7]})
    assert project.run("--dry_run", "--to_step", "poll").code == 0
    paths = sorted(project.trial_folder().glob("results/*/results.jsonl"))
    lines = [path.read_bytes().splitlines(keepends=True) for path in paths]
    lines[0] += [lines[0][0], lines[1][0], b'{"custom_id": "cut of']  # again, of another part, and cut off
    lines[1] = lines[1][::-1]
    lines[2] = []
    lines[3][0] = lines[3][0].replace(b'"custom_id":"', b'"custom_id":"x')
    for path, each in zip(paths, lines, strict=True):
        path.write_bytes(b"".join(each))
    return project


def made(spec: RunSpec, services: Services, n_workers: int, results: Path) -> dict[str, bytes]:
    """Parse and score in so many processes, and return what was written."""
    execution = spec.config.execution.model_copy(update={"workers": n_workers})
    spec = replace(spec, config=spec.config.model_copy(update={"execution": execution}))
    for phase in (parse.PHASE, score.PHASE):
        phase.run(spec, services, Unit(spec.trials[0].slug))
    return {name: (results / name).read_bytes() for name in FILES}


def not_here(*_: object) -> None:
    raise AssertionError("this process did the task of a worker")


def test_two_workers_write_the_bytes_of_one_process_wherever_parts_end_and_though_one_dies(
    answered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, services = opened_run(answered)
    results, ask, asked = answered.trial_folder() / "results", workers._Worker.ask, list[object]()

    def dying(self: Any, task: object) -> object:
        asked.append(task)
        if len(asked) == 3:
            self._process.kill()
        return ask(self, task)

    monkeypatch.setattr(tables, "BATCH_ROWS", 7)
    monkeypatch.setattr(tables, "_BATCH_CHARACTERS", 60)
    alone = made(spec, services, 1, results)
    with monkeypatch.context() as patch:
        patch.setattr(PartParser, "__call__", not_here)
        patch.setattr(ShardScorer, "__call__", not_here)
        assert made(spec, services, 2, results) == alone
    monkeypatch.setattr(workers._Worker, "ask", dying)
    assert made(spec, services, 2, results) == alone
    assert len(asked) > 3


def test_a_prediction_out_of_order_is_refused_in_the_same_words(answered: Project) -> None:
    spec, services = opened_run(answered)
    results = answered.trial_folder() / "results"
    made(spec, services, 1, results)
    table = pq.read_table(results / "predictions.parquet", memory_map=False)
    pq.write_table(table.take([*range(1, len(table)), 0]), results / "predictions.parquet")
    said = []
    for n_workers in (1, 2):
        execution = spec.config.execution.model_copy(update={"workers": n_workers})
        changed = replace(spec, config=spec.config.model_copy(update={"execution": execution}))
        with pytest.raises(CorruptRecordError) as raised:
            score.PHASE.run(changed, services, Unit(spec.trials[0].slug))
        said.append(str(raised.value))
    assert said[0] == said[1]
