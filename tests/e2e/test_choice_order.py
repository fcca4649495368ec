"""TruthfulQA's choices are shuffled in new runs; a run that was prepared in file order keeps that order."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.project import Project

CHOICES = ["right", "wrong", "false", "untrue"]


@pytest.fixture
def truthful(project: Project) -> Project:
    rows = [
        {"question": f"Which {number}?", "mc1_targets": {"choices": CHOICES, "labels": [1, 0, 0, 0]}}
        for number in range(12)
    ]
    (project.root / "config/mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    configure(project, limit_items=6)
    return project


def configure(project: Project, **changes: Any) -> None:
    datasets = {"mine": {"format": "truthfulqa", "path": "mine.jsonl"}}
    fixed = {"datasets": datasets, "task_instructions": None, "parts_per_dataset": None, "temps": [0.0]}
    project.write_config(fixed | {"scorers": {"choice": None}, "stats": {"primary": ["choice"]}} | changes)


def grow(project: Project, size: int) -> None:
    tree = yaml.safe_load(project.config.read_text())
    project.config.write_text(yaml.safe_dump(tree | {"limit_items": size}))


def choices(root: Path) -> list[tuple[str, ...]]:
    lines = (root / "prepared/closed_book.jsonl").read_text().splitlines()
    return [tuple(json.loads(line)["choices"]) for line in lines]


def requests(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.glob("batch_inputs/*/*.jsonl")}


def source(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "prepared/manifest.json").read_text())["facts"]["sources"]["mine"]
    return found


def resume(project: Project) -> None:
    outcome = project.run("--resume")
    assert outcome.code == 0, outcome.err


@pytest.fixture
def earlier(truthful: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a run as a version made it that read the choices in the order of the file, and said nothing of it."""
    with monkeypatch.context() as patched:
        patched.setattr("promptrial.datasets.layout._ordered", lambda draft: draft)
        patched.setattr("promptrial.phases.prepare.order_facts", lambda *_: {})
        outcome = truthful.run()
    assert outcome.code == 0, outcome.err
    assert "the right choice is A in all 6 questions" in " ".join((outcome.out + outcome.err).split())
    assert set(choices(truthful.run_root())) == {tuple(CHOICES)}
    return truthful


def test_a_new_run_shuffles_choices_and_keeps_doing_so_when_it_grows(truthful: Project) -> None:
    assert truthful.run().code == 0
    first = choices(truthful.run_root())
    assert len(set(first)) > 1
    assert source(truthful.run_root())["choice_order"] == "hash"
    made = requests(truthful.run_root())
    grow(truthful, 10)
    resume(truthful)
    assert made.items() <= requests(truthful.run_root()).items()
    assert len({each[0] for each in choices(truthful.run_root())}) > 1
    assert source(truthful.run_root())["choice_order"] == "hash"


def test_a_run_with_choices_in_file_order_keeps_that_order_when_it_grows(earlier: Project) -> None:
    made = requests(earlier.run_root())
    grow(earlier, 10)
    assert earlier.call("plan", "--run_id", earlier.run_root().name).code == 0
    resume(earlier)
    assert made.items() <= requests(earlier.run_root()).items()
    assert choices(earlier.run_root()) == [tuple(CHOICES)] * 10
    assert "choice_order" not in source(earlier.run_root())


@pytest.mark.parametrize("knows", [True, False])
def test_a_run_keeps_the_order_of_choices_when_it_is_prepared_again(earlier: Project, *, knows: bool) -> None:
    root = earlier.run_root()
    made = requests(root)
    shutil.rmtree(root / "prepared")
    built = root / "batch_inputs/manifest.json"
    if not knows:
        tree = json.loads(built.read_text())
        del tree["facts"]["prepared_from"], tree["facts_sha256"]
        built.write_text(json.dumps(tree))
    resume(earlier)
    assert requests(root) == made
    assert choices(root) == [tuple(CHOICES)] * 6


def test_a_corrected_question_file_is_compared_in_the_order_that_was_asked(earlier: Project) -> None:
    path = earlier.root / "config/mine.jsonl"
    path.write_text(path.read_text().replace("[1, 0, 0, 0]", "[0, 1, 0, 0]"))
    made = requests(earlier.run_root())
    outcome = earlier.run("--resume")
    assert outcome.code == 0, outcome.err
    assert requests(earlier.run_root()) == made
    rows = [json.loads(line) for line in (earlier.run_root() / "prepared/closed_book.jsonl").read_text().splitlines()]
    assert {tuple(row["answers"]) for row in rows} <= {("right",), ("wrong",)}


def test_init_reports_the_letter_that_is_always_right(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.root)
    rows = [{"question": f"Which {number}?", "choices": CHOICES, "answer": "wrong"} for number in range(6)]
    Path("q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    outcome = project.call("init", "mine", "--questions", "q.jsonl", "--control", "Answer.", "--treatment", "Think.")
    assert outcome.code == 0, outcome.err
    assert "datasets.questions: the right choice is B in all 6 questions" in outcome.out


def test_the_letter_that_is_always_right_is_reported_before_anything_is_asked(project: Project) -> None:
    rows = [{"question": f"Which {number}?", "choices": CHOICES, "answer": "right"} for number in range(6)]
    (project.root / "config/mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    configure(project, datasets={"mine": {"format": "custom", "path": "mine.jsonl"}})
    told = (
        "datasets.mine: the right choice is A in all 6 questions with choices, so a model that always answers A scores"
    )
    for command in (("plan",), ("config", "check"), ("audit",), ("run", "--run_id", "r", "--to_step", "prepare")):
        outcome = project.call(*command)
        assert outcome.code == 0, outcome.err
        assert told in " ".join((outcome.out + outcome.err).split()), command
