"""What a phase works on is a value: another process can take it up, and makes the same bytes of it."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from promptrial.engine.opening import RunRequest, open_run
from promptrial.engine.providers import Providers
from promptrial.engine.session import Invocation, services_of, spec_of
from promptrial.model.units import Unit
from promptrial.phases import score, scored
from promptrial.phases.base import Phase
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.phases.work import parts_of
from promptrial.runtime.clock import FakeClock
from tests.support.project import Project

SCORE_A_PART = """
import pickle, sys
from pathlib import Path
from promptrial.phases.scored import score_part
spec_file, slug, part, stem = sys.argv[1:]
spec = pickle.loads(Path(spec_file).read_bytes())
score_part(spec, spec.trial(slug), part, Path(stem))
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


def scored_elsewhere(spec_file: Path, slug: str, part: str) -> bytes:
    """Let a process of its own score a part, and return the lines that it wrote, without the header."""
    stem = spec_file.with_name(part)
    subprocess.run([sys.executable, "-c", SCORE_A_PART, spec_file, slug, part, stem], check=True)
    return lines(stem.with_name(f"{part}.csv"))


def test_a_process_that_is_handed_a_run_scores_its_parts_to_the_same_bytes(project: Project, tmp_path: Path) -> None:
    project.write_config({"samples_per_item": 2})
    assert project.run("--to_step", "score").code == 0
    spec, _ = opened_run(project)
    spec_file = tmp_path / "spec.pickle"
    spec_file.write_bytes(pickle.dumps(spec))
    (trial,) = spec.trials
    parts = [part.name for part in parts_of(spec, trial)]
    assert len(parts) == 4
    by_part = [scored_elsewhere(spec_file, trial.slug, part) for part in parts]
    assert all(by_part)
    assert b"".join(by_part) == lines(whole_table(project))


def test_a_part_of_which_answers_are_missing_is_scored_alone_as_in_the_run(project: Project, tmp_path: Path) -> None:
    assert project.run("--to_step", "parse").code == 0
    predictions = project.trial_folder() / "results/predictions.parquet"
    table = pq.read_table(predictions, memory_map=False)
    kept = [row for row in range(len(table)) if row % 7 not in {0, 3}]
    pq.write_table(table.take(kept), predictions)
    spec, services = opened_run(project)
    (trial,) = spec.trials
    score.PHASE.run(spec, services, Unit(trial.slug))
    tables = {
        part.name: scored.score_part(spec, trial, part.name, tmp_path / part.name) for part in parts_of(spec, trial)
    }
    assert sum(record.rows or 0 for table in tables.values() for record in table.values()) == 2 * 28
    assert b"".join(lines(tmp_path / f"{name}.csv") for name in tables) == lines(whole_table(project))


def test_a_run_specification_comes_back_from_a_pickle_as_it_was(project: Project) -> None:
    assert project.run("--to_step", "build").code == 0
    spec, _ = opened_run(project)
    assert pickle.loads(pickle.dumps(spec)) == spec  # noqa: S301 - it was pickled here


def test_a_run_specification_is_frozen(project: Project) -> None:
    spec, _ = opened_run(project)
    with pytest.raises(FrozenInstanceError):
        spec.dry_run = True  # type: ignore[misc]


def test_the_environment_with_its_keys_is_no_part_of_a_run_specification() -> None:
    assert "env" not in {field.name for field in fields(RunSpec)}


@pytest.mark.parametrize("kind", [RunSpec, Services, Phase])
def test_a_phase_and_what_it_is_given_have_at_most_twelve_fields(kind: type) -> None:
    assert len(fields(kind)) <= 12
