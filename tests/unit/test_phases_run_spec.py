"""What a phase works on is a value: another process can take it up, and makes the same bytes of it."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields
from itertools import groupby
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from promptrial.engine.opening import RunRequest, open_run
from promptrial.engine.providers import Providers
from promptrial.engine.session import Invocation, services_of, spec_of
from promptrial.model.units import Unit
from promptrial.phases import score, score_parts
from promptrial.phases.base import Phase
from promptrial.phases.sample import parts_in_table_order
from promptrial.phases.score_parts import ShardTask
from promptrial.phases.scored import ShardScorer
from promptrial.phases.scorers import make_scorers
from promptrial.phases.services import Services
from promptrial.phases.shards import RunScorers
from promptrial.phases.spec import RunSpec
from promptrial.runtime.clock import FakeClock
from tests.support.project import Project

SCORE_SHARDS = """
import pickle, sys
from pathlib import Path
from promptrial.phases.scored import ShardScorer
spec, tasks = pickle.loads(Path(sys.argv[1]).read_bytes())
score = ShardScorer(spec, spec.trials[0])
sys.stdout.buffer.write(b"".join(rows.csv for task in tasks for rows in score(task).rows))
"""


def opened_run(project: Project) -> tuple[RunSpec, Services]:
    request = RunRequest(project.run_root().parent, "r", config=project.config, plan_only=True)
    opened = open_run(request, {})
    invocation = Invocation(env={}, clock=FakeClock(), say=lambda _text: None)
    return spec_of(request, opened), services_of(opened, {}, invocation, Providers({}))


def whole_table(project: Project) -> Path:
    return project.trial_folder() / "results/per_item_scores.csv"


def lines(table: Path) -> bytes:
    """Return the lines of a table without its header."""
    return table.read_bytes().partition(b"\n")[2]


def shard_tasks(project: Project, spec: RunSpec) -> list[ShardTask]:
    """Return what worker processes are given to score a run of one trial."""
    (trial,) = spec.trials
    shards = (list(shard) for _, shard in groupby(parts_in_table_order(spec, trial), key=lambda part: part.start))
    columns = RunScorers.of(spec, make_scorers(spec, lambda: None)).read
    table = project.trial_folder() / "results/predictions.parquet"
    return list(score_parts._tasks(spec, shards, score_parts._Predictions(table, columns)))


def test_a_process_given_a_run_specification_scores_its_parts_to_the_same_bytes(
    project: Project, tmp_path: Path
) -> None:
    project.write_config({"samples_per_item": 2})
    assert project.run("--to_step", "score").code == 0
    spec, _ = opened_run(project)
    tasks = shard_tasks(project, spec)
    assert [len(task.parts) for task in tasks] == [2, 2]
    handed = tmp_path / "handed.pickle"
    handed.write_bytes(pickle.dumps((spec, tasks)))
    scored = subprocess.run([sys.executable, "-c", SCORE_SHARDS, handed], check=True, stdout=subprocess.PIPE).stdout
    assert scored == lines(whole_table(project))


def test_a_part_with_missing_answers_is_scored_alone_as_in_the_run(project: Project) -> None:
    assert project.run("--to_step", "parse").code == 0
    predictions = project.trial_folder() / "results/predictions.parquet"
    table = pq.read_table(predictions, memory_map=False)
    kept = [row for row in range(len(table)) if row % 7 not in {0, 3}]
    pq.write_table(table.take(kept), predictions)
    spec, services = opened_run(project)
    (trial,) = spec.trials
    score.PHASE.run(spec, services, Unit(trial.slug))
    scorer = ShardScorer(spec, trial)
    rows = [rows for task in shard_tasks(project, spec) for rows in scorer(task).rows]
    assert sum(len(each.table) for each in rows) == 28
    assert b"".join(each.csv for each in rows) == lines(whole_table(project))


def test_a_run_specification_reads_back_from_a_pickle(project: Project) -> None:
    assert project.run("--to_step", "build").code == 0
    spec, _ = opened_run(project)
    assert pickle.loads(pickle.dumps(spec)) == spec  # noqa: S301 - it was pickled here


def test_a_run_specification_is_frozen(project: Project) -> None:
    spec, _ = opened_run(project)
    with pytest.raises(FrozenInstanceError):
        spec.dry_run = True  # type: ignore[misc]


def test_a_run_specification_does_not_contain_the_environment_with_its_keys() -> None:
    assert "env" not in {field.name for field in fields(RunSpec)}


@pytest.mark.parametrize("kind", [RunSpec, Services, Phase])
def test_a_phase_and_its_context_have_at_most_twelve_fields(kind: type) -> None:
    assert len(fields(kind)) <= 12
