"""What counts as growth, what is recorded of it, and which configuration a run goes by while it grows."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from promptrial.config.effective import config_hash, to_yaml
from promptrial.datasets import hub
from promptrial.design.growth import before_growth
from promptrial.engine import growing
from promptrial.store.change_records import Growth, SampleSize
from promptrial.store.records import Origin
from promptrial.store.rundir import RunDir
from tests.support.project import Project

SMALL: Final[dict[str, Any]] = {"limit_items": 10, "seed": 1, "datasets": {"a": {"size": 5}, "b": {"size": None}}}


def tree(**changes: Any) -> dict[str, Any]:
    """Return the small configuration, with the sizes of data sets and other keys changed."""
    datasets = {name: {"size": changes.pop(name, SMALL["datasets"][name]["size"])} for name in ("a", "b")}
    return {**SMALL, "datasets": datasets, **changes}


@pytest.mark.parametrize(
    ("new", "left"),
    [
        (tree(), tree()),
        (tree(limit_items=11), tree()),
        (tree(limit_items=None), tree()),
        (tree(a=6), tree()),
        (tree(a=None, limit_items=20), tree()),
        (tree(limit_items=9), tree(limit_items=9)),
        (tree(b=7), tree(b=7)),
        (tree(a=4, limit_items=20), tree(a=4)),
        (tree(seed=2, limit_items=20), tree(seed=2)),
        (tree(limit_items="${LIMIT}"), tree(limit_items="${LIMIT}")),
    ],
)
def test_removing_a_growth_leaves_only_the_other_changes(new: dict[str, Any], left: dict[str, Any]) -> None:
    assert before_growth(SMALL, new) == left


def test_a_new_data_set_is_not_a_growth() -> None:
    new = {**SMALL, "datasets": {**SMALL["datasets"], "c": {"size": 3}}}
    assert before_growth(SMALL, new) == new


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    run = RunDir(tmp_path, "r")
    (run.root / "batch_inputs").mkdir(parents=True)
    run.config_path.write_bytes(to_yaml(SMALL))
    return run


def test_growth_is_recorded_with_sizes_parts_and_whether_statistics_existed(run: RunDir) -> None:
    assert growing.new_growth(run, SMALL, tree(limit_items=20)) is None, "no request was written yet"
    (run.batch_inputs / "manifest.json").write_text("{}")
    old = tree(parts_per_dataset=3)
    growth = growing.new_growth(run, old, tree(limit_items=20, a=8))
    assert growth == Growth(
        config_hash=config_hash(old),
        before=SampleSize(10, {"a": 5, "b": None}),
        after=SampleSize(20, {"a": 8, "b": None}),
        parts_per_dataset=3,
    )
    assert growing.sentence(growth) == "limit_items: 10 -> 20, datasets.a.size: 5 -> 8"
    (run.root / "trial/results").mkdir(parents=True)
    (run.root / "trial/results/significance.json").write_text("{}")
    late = growing.new_growth(run, SMALL, tree(limit_items=20))
    assert late is not None
    assert late.statistics


def test_a_run_killed_before_its_copy_was_written_uses_the_grown_configuration(run: RunDir) -> None:
    grown = tree(limit_items=20)
    growth = Growth(
        config_hash=config_hash(SMALL),
        before=SampleSize(10, {"a": 5, "b": None}),
        after=SampleSize(20, {"a": 5, "b": None}),
    )
    origin = Origin(config_hash=config_hash(grown), growth=[growth])
    assert growing.recorded_tree(run, origin) == grown
    assert growing.recorded_tree(run, Origin(config_hash=config_hash(SMALL))) == SMALL
    run.config_path.write_bytes(to_yaml(grown))
    assert growing.recorded_tree(run, origin) == grown
    # Made smaller again by force: the own copy looks like that of before, and is the one that counts.
    run.config_path.write_bytes(to_yaml(SMALL))
    assert growing.recorded_tree(run, Origin(config_hash=config_hash(SMALL), growth=[growth])) == SMALL


def test_a_data_set_on_the_hub_keeps_its_commit_when_the_run_grows(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = project.root / "questions.parquet"
    rows = [{"question": f"Question {n}?", "answer": ["Paris"]} for n in range(9)]
    pq.write_table(pa.Table.from_pylist(rows), path)
    asked: list[str | None] = []

    def fetch(_hub: object, _location: object, *, commit: str | None = None, **_options: object) -> SimpleNamespace:
        asked.append(commit)
        return SimpleNamespace(commit=commit or f"commit-{len(asked)}", paths=[path])

    monkeypatch.setattr(hub.Hub, "fetch", fetch)
    project.write_config(
        {"datasets": {"nq": {"format": "nq_open", "hub": {"repo": "google-research-datasets/nq_open"}}}}
    )
    assert project.run("--limit_items", "2", "--to_step", "build").code == 0
    plan = project.call("plan", "--run_id", "r", "--limit_items", "4", "--json")
    assert json.loads(plan.out)["growth"]["items"] == 2
    outcome = project.run("--resume", "--limit_items", "4", "--to_step", "build")
    assert outcome.code == 0, outcome.err
    assert asked == [None, "commit-1", "commit-1"]  # looked at before the growth is recorded, then prepared
