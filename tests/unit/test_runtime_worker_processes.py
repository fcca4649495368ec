"""Worker processes: results in order, nothing lost with a worker, and the bytes of one process."""

from __future__ import annotations

import inspect
import json
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from promptrial import registry
from promptrial.design.growth import Piece
from promptrial.documents.significance import Estimate
from promptrial.engine import serving
from promptrial.engine.opening import RunRequest, open_run
from promptrial.engine.session import spec_of
from promptrial.errors import CorruptRecordError, StopRequested
from promptrial.model.units import Unit
from promptrial.phases import parse_parts, pieces, score, score_parts, sharing, stats, whole_parts
from promptrial.phases.parse_parts import PartParser
from promptrial.phases.scored import ShardScorer
from promptrial.phases.work import parts_of
from promptrial.runtime import workers
from promptrial.runtime.workers import Workers, in_order
from promptrial.scoring import base, support
from promptrial.stats import analysis, bootstrap
from promptrial.store import tables
from tests.support.project import Project
from tests.support.ray_tasks import OnlyHere
from tests.support.sharing import answer_all, made
from tests.unit.test_phases_run_spec import opened_run


def nothing() -> None:
    """Ask for no stop."""


def no_warning(text: str) -> None:
    raise AssertionError(text)


def test_results_come_in_the_order_of_the_tasks_and_from_other_processes() -> None:
    made = partial(partial, os.path.realpath)  # of what says who reads it
    found = list(in_order(made, ["/proc/self"] * 5, Workers(2), nothing, no_warning))
    assert len(set(found)) == 2
    assert os.path.realpath("/proc/self") not in found
    assert list(in_order(partial(partial, pow, 2), range(7), Workers(2), nothing, no_warning)) == [
        1,
        2,
        4,
        8,
        16,
        32,
        64,
    ]


def test_a_worker_gets_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    monkeypatch.setenv("MY_SERVER", "secret of mine")
    monkeypatch.setenv("LD_SDK_KEY", "sk-2")
    monkeypatch.setenv("LC_API_TOKEN", "sk-3")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    read = partial(partial, Path.read_text)
    (env,) = in_order(read, [Path("/proc/self/environ")], Workers(2), nothing, no_warning)
    assert {"sk-1", "sk-2", "sk-3", "secret of mine"} & {value.partition("=")[2] for value in env.split("\0")} == set()
    assert "OMP_NUM_THREADS=1" in env.split("\0")


def test_a_task_that_a_worker_cannot_do_runs_in_this_process_with_its_own_exception() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        list(in_order(partial(partial, int), ["1", "two", "3"], Workers(2), nothing, no_warning))


def test_this_process_prepares_the_tasks_of_failed_workers_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def make() -> Callable[[int], int]:
        made.append("here")
        return abs

    def fails(_worker: object, _task: object) -> object:
        raise workers.WorkerFailedError("the worker is tired")

    monkeypatch.setattr(workers._Worker, "ask", fails)
    warnings: list[str] = []
    assert list(in_order(make, [-1, -2, -3], Workers(2), nothing, warnings.append)) == [1, 2, 3]
    assert made == ["here"]
    assert warnings == ["a worker failed (the worker is tired): this process does its tasks itself"]


@pytest.mark.parametrize(
    ("how", "why"),
    [("made", "ImportError: no library here"), ("done", "ImportError: no library here"),
     ("ends", "its process ended with code 3")],
)  # fmt: skip
def test_the_reason_for_failed_workers_is_reported_once(how: str, why: str) -> None:
    warnings: list[str] = []
    assert list(in_order(OnlyHere(os.getpid(), how), range(5), Workers(2), nothing, warnings.append)) == [*range(5)]
    assert warnings == [f"a worker failed ({why}): this process does its tasks itself"]


def test_a_failed_worker_is_in_the_log_and_on_the_terminal_without_secrets(
    answered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_worker: object, _task: object) -> object:
        raise workers.WorkerFailedError("OSError: refused Bearer abcdefgh12345678")

    monkeypatch.setattr(workers._Worker, "ask", fails)
    outcome = answered.run("--resume", "--workers", "2", "--display", "plain")
    assert outcome.code == 0
    said = "a worker failed (OSError: refused Bearer [redacted]): this process does its tasks itself"
    assert outcome.err.count(said) == 2, "once for parse, once for score"
    assert (answered.run_root() / "run.log").read_text().count(said) == 2


@pytest.mark.parametrize(
    ("flags", "asked", "why"),
    [
        (["--executor", "ray"], "executor ray", "there are fewer than 200,000 answers (56); --workers N shares out"),
        (["--executor", "ray", "--workers", "1"], "executor ray", "one worker was asked for"),
        (["--workers", "1"], "", ""),
        ([], "", ""),
    ],
)
def test_the_reason_for_not_using_requested_workers_is_reported(
    answered: Project, monkeypatch: pytest.MonkeyPatch, flags: list[str], asked: str, why: str
) -> None:
    monkeypatch.setattr(serving, "find_spec", lambda _name: object())
    outcome = answered.run("--resume", "--display", "plain", *flags)
    assert outcome.code == 0, outcome.err
    for phase in ("parse", "score"):
        assert outcome.err.count(f": {phase} does not use {asked}: {why}") == (1 if asked else 0)


def test_the_reason_for_working_in_one_process_is_reported(answered: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse_parts, "_LARGEST_FILE", 1 << 20)
    part = next(answered.trial_folder().glob("results/*/results.jsonl"))
    part.write_bytes(part.read_bytes() + b" " * (1 << 20))
    monkeypatch.setattr(score_parts, "_HERE_ALONE", frozenset({registry.scorer_type("f1")}))
    spec, services = opened_run(answered)
    said: list[str] = []
    monkeypatch.setattr(services.events, "say", said.append)
    made(spec, services, answered.trial_folder() / "results", workers=2)
    alone = "runs code of yours, a program or a judge, which happens once and in this process"
    assert [text.partition(": ")[2] for text in said] == [
        f"parse does not use 2 workers: the results of part {part.parent.name} have more than 1 MiB",
        f"score does not use 2 workers: scorer f1 {alone}",
    ]
    trial = spec.trials[0]
    piece = Piece(parts_of(spec, trial)[0], 0, 1)
    assert (
        parse_parts.obstacle_to_sharing(spec, trial, [piece])
        == "the run has grown, and its table needs parts in pieces"
    )


def test_at_most_one_task_more_than_workers_is_ahead_of_the_results() -> None:
    started: list[int] = []

    def tasks() -> Iterator[int]:
        for number in range(9):
            started.append(number)
            yield number

    ahead = [
        len(started) - done
        for done, _ in enumerate(in_order(partial(partial, abs), tasks(), Workers(2), nothing, no_warning), 1)
    ]
    assert max(ahead) <= 2


def test_a_stop_ends_the_workers_immediately() -> None:
    def stop() -> None:
        raise StopRequested("stopped")

    found = in_order(partial(partial, partial(max, 0)), range(3), Workers(2), stop, no_warning)
    with pytest.raises(StopRequested):
        next(found)


@pytest.fixture
def answered(project: Project) -> Project:
    """Return a project with all answers, and some trouble among them."""
    answer_all(project)
    return project


def not_here(*_: object) -> None:
    raise AssertionError("this process did the task of a worker")


def test_two_workers_write_the_bytes_of_one_process_even_if_one_dies(
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
    alone = made(spec, services, results, workers=1)
    with monkeypatch.context() as patch:
        patch.setattr(PartParser, "__call__", not_here)
        patch.setattr(ShardScorer, "__call__", not_here)
        assert made(spec, services, results, workers=2) == alone
    monkeypatch.setattr(workers._Worker, "ask", dying)
    assert made(spec, services, results, workers=2) == alone
    assert len(asked) > 3


def test_statistics_in_threads_have_the_bytes_of_one_thread(answered: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, services = opened_run(answered)
    results = answered.trial_folder() / "results"
    made(spec, services, results, workers=3)
    monkeypatch.setattr(sharing, "cores", lambda: 2)
    threads: list[set[int]] = []
    compute = bootstrap._Statistic.compute

    def noted(*asked: Any) -> list[Estimate]:
        threads[-1].add(threading.get_ident())
        return compute(*asked)

    monkeypatch.setattr(bootstrap._Statistic, "compute", noted)
    monkeypatch.setattr(analysis, "analyse", inspect.unwrap(analysis.analyse))  # others may have asked the same
    written = []
    for n_workers in (1, 3):
        threads.append(set())
        execution = spec.config.execution.model_copy(update={"workers": n_workers})
        changed = replace(spec, config=spec.config.model_copy(update={"execution": execution}))
        stats.PHASE.run(changed, services, Unit(spec.trials[0].slug))
        written.append((results / "significance.json").read_bytes())
    assert written[0] == written[1]
    assert threads[0] == {threading.get_ident()}
    assert threading.get_ident() not in threads[1]
    assert 1 <= len(threads[1]) <= 2, "no more than there are cores"


def test_parts_read_at_once_give_the_same_files_as_rows_read_one_by_one(
    answered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, services = opened_run(answered)
    results = answered.trial_folder() / "results"
    path = next(path for path in sorted(results.glob("*/results.jsonl"))[4:] if path.read_bytes().count(b"\n") == 3)
    first, second, third = (json.loads(line) for line in path.read_bytes().splitlines())
    other, said = (json.loads(json.dumps(row)) for row in (first, second))
    other["response"]["body"]["choices"][0]["message"]["content"] = "another answer"
    said["response"]["body"]["choices"][0]["message"]["content"] = "<think>so</think> yes"
    rows = [first, said, {"custom_id": third["custom_id"]}, other]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setattr(whole_parts, "_LAID_OUT_TOGETHER", 2)
    held = made(spec, services, results, workers=1)
    report = json.loads(held["parse_report.json"])
    assert [arm["errors"] for arm in report["arms"].values()].count({"conflicting_answers": 1}) == 1
    assert [arm["with_reasoning"] for arm in report["arms"].values()].count(1) == 1
    monkeypatch.setattr(whole_parts, "_LARGEST_FILE", -1)
    monkeypatch.setattr(pieces, "take_whole", not_here)
    assert made(spec, services, results, workers=1) == held


def test_scoring_keeps_no_passage_in_memory(answered: Project) -> None:
    asked: list[str] = []
    of = support.Passages.of

    def noted(passages: support.Passages, text: str) -> support.Passage:
        asked.append(text)
        return of(passages, text)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(support.Passages, "of", noted)
        assert answered.call("run", "--run_id", "r", "--resume", "--to_step", "score").code == 0
    assert any(asked)
    assert not base._PASSAGES._kept


def test_a_prediction_out_of_order_is_refused_with_the_same_message(answered: Project) -> None:
    spec, services = opened_run(answered)
    results = answered.trial_folder() / "results"
    made(spec, services, results, workers=1)
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


def test_a_prediction_of_an_arm_that_the_trial_does_not_have_is_refused(answered: Project) -> None:
    spec, services = opened_run(answered)
    path = answered.trial_folder() / "results/predictions.parquet"
    made(spec, services, path.parent, workers=1)
    table = pq.read_table(path, memory_map=False)
    names = ["another" if at == 3 else name for at, name in enumerate(table.column("condition").to_pylist())]
    pq.write_table(table.set_column(3, "condition", pa.array(names)), path)
    with pytest.raises(CorruptRecordError, match=r"\|another\|.* is out of order or belongs to no item of this run"):
        score.PHASE.run(spec, services, Unit(spec.trials[0].slug))


def test_no_header_of_a_provider_reaches_a_worker(project: Project) -> None:
    own = {"type": "openai_compatible", "base_url": "http://127.0.0.1:9/v1", "headers": {"X-Auth": "${MY_HEADER}"},
           "proxy": "http://me:${MY_HEADER}@127.0.0.1:9"}  # fmt: skip
    project.write_config({"provider": "own", "providers": {"own": own}, "pricing": {}})
    request = RunRequest(project.run_root().parent, "r", config=project.config, plan_only=True)
    spec = spec_of(request, open_run(request, {"MY_HEADER": "secret-of-mine"}))
    assert b"secret-of-mine" in pickle.dumps(spec)
    assert b"secret-of-mine" not in pickle.dumps(spec.without_secrets())


def test_ray_without_its_package_is_refused_before_anything_is_written(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "find_spec", lambda _name: None)
    outcome = project.run("--executor", "ray")
    assert outcome.code == 2
    assert "the executor ray needs the ray package, which is not installed" in outcome.err
    assert "pip install 'promptrial[ray]'" in outcome.err
    assert not project.run_root().exists()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--executor", "rays"], "did you mean 'ray'?"),
        (["--ray_address", "10.0.0.1:6379"], "--ray_address: an address goes with executor: ray"),
        (["--executor", "processes", "--ray_address", "10.0.0.1:6379"], "the executor is processes"),
        (["--executor", "ray", "--ray_address", "ray://10.0.0.1:10001"], "expected HOST:PORT"),
        (["--executor", "ray", "--ray_address", "10.0.0.1"], "expected HOST:PORT"),
    ],
)
def test_invalid_executors_and_addresses_are_refused(project: Project, flags: list[str], said: str) -> None:
    outcome = project.run(*flags)
    assert outcome.code == 2
    assert said in outcome.err


def test_an_invalid_configured_executor_is_refused(project: Project) -> None:
    project.write_config({"execution": {"executor": "rays"}})
    assert "unknown executor 'rays'; did you mean 'ray'?" in project.run().err


def test_an_address_is_checked_against_the_executor_from_flags_and_configuration(project: Project) -> None:
    project.write_config({"execution": {"executor": "ray"}})
    assert project.call("plan", "--ray_address", "10.0.0.1:6379").code == 0
    project.write_config({"execution": {"executor": "ray", "ray_address": "10.0.0.1:6379"}})
    assert project.call("plan").code == 0
    assert project.call("plan", "--executor", "processes").code == 0, "as the hint of an error of Ray says"
    project.write_config({"execution": {"ray_address": "10.0.0.1:6379"}})
    assert "execution.ray_address: an address goes with executor: ray; the executor is processes" in project.run().err
    assert project.call("plan", "--executor", "ray").code == 0
