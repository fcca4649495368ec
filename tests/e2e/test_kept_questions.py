"""A run whose questions a later version reads differently is not grown: its answers would belong to other questions."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.project import Project
from tests.support.workbooks import table, workbook

NO = ("", "")


@pytest.fixture
def grown(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a run as a version made it that knew nothing of merged cells, of which more items are wanted now."""
    rows = [(str(number), f"Which {number}?", "The passage" if number == 0 else NO, "yes") for number in range(8)]
    (project.root / "config/q.xlsx").write_bytes(
        workbook(table(("id", "question", "context", "answer"), *rows), merged=("C2:C9",))
    )
    fixed: dict[str, Any] = {"datasets": {"mine": {"format": "custom", "path": "q.xlsx"}}, "limit_items": 4}
    project.write_config(fixed | {"temps": [0.0], "parts_per_dataset": None})
    with monkeypatch.context() as patched:
        patched.setattr("promptrial.datasets.sheets.with_merged", lambda _path, _title, cells, _areas: cells)
        outcome = project.run()
    assert outcome.code == 0, outcome.err
    tree = yaml.safe_load(project.config.read_text())
    project.config.write_text(yaml.safe_dump(tree | {"limit_items": 6}))
    return project


def requests(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.glob("batch_inputs/*/*.jsonl")}


def test_a_question_that_reads_differently_now_is_named_and_nothing_is_asked(grown: Project) -> None:
    root = grown.run_root()
    made, prepared = requests(root), (root / "prepared/closed_book.jsonl").read_bytes()
    outcome = grown.run("--resume")
    assert outcome.code == 2
    assert "datasets.mine: this version reads the question '" in outcome.err
    assert "start a new run" in outcome.err
    assert requests(root) == made
    assert (root / "prepared/closed_book.jsonl").read_bytes() == prepared


@pytest.mark.parametrize("is_built", [True, False])
def test_a_run_can_be_prepared_again_before_requests_exist_or_if_the_record_is_lost(
    grown: Project, *, is_built: bool
) -> None:
    root = grown.run_root()
    lost = root / ("prepared/closed_book.jsonl" if is_built else "batch_inputs")
    if lost.is_dir():
        shutil.rmtree(lost)
    else:
        lost.unlink()
    outcome = grown.run("--resume", "--to_step", "prepare")
    assert outcome.code == 0, outcome.err
    items = [json.loads(line) for line in (root / "prepared/open_book.jsonl").read_text().splitlines()]
    assert {item["context"] for item in items} == {"The passage"}
    assert len(items) == 6
