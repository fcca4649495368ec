"""The embedded model as a judge: a real model held to the schema of a verdict, killed for real, and one row each."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq
import pytest

from promptrial.store import jsonl
from tests.support.project import Project

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]
ITEMS: Final = 4


@pytest.fixture
def judged(tmp_path: Path) -> Project:
    project = Project.make(tmp_path)
    (tmp_path / "config" / "rubric.md").write_text("1 if the answer names what the question asks for, otherwise 0.\n")
    judge = {"type": "judge", "model": "small", "file": "rubric.md", "reasons": False, "max_tokens": 24}
    project.write_config(
        {
            "provider": "embedded",
            "models": {"small": {"id": "smollm2-135m-instruct"}},
            "datasets": {"closed_set": {"format": "custom", "path": "closed.jsonl"}},
            "scorers": {"em": {}, "quality": judge},
            "limit_items": ITEMS,
            "max_new_tokens": 12,
            "pricing": None,
        }
    )
    return project


def command(project: Project, run_id: str, *flags: str) -> list[str]:
    words = ["run", "--config", str(project.config), "--run_id", run_id, "--experiments_dir", "experiments", *flags]
    return [sys.executable, "-m", "promptrial", *words]


def verdicts(project: Project, run_id: str) -> Counter[str]:
    """Return how many rows there are for each request to the judge, sealed or not."""
    found: Counter[str] = Counter()
    for path in (project.root / "experiments" / f"run_{run_id}").glob("*/judge/*/results*.jsonl"):
        found.update(json.loads(line)["custom_id"] for line in path.read_bytes().split(b"\n")[:-1])
    return found


def kill_at(project: Project, rows: int, *flags: str) -> None:
    """Run, and kill the process for real once so many verdicts are on disk."""
    with subprocess.Popen(command(project, "cut", *flags), cwd=project.root, stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 200
        while sum(verdicts(project, "cut").values()) < rows and process.poll() is None:
            assert time.monotonic() < end, "the judge gave no verdict"
            time.sleep(0.02)
        process.kill()


def require_judged(project: Project, kills: int, items: int) -> None:
    size = ("--limit_items", str(items))
    for number in range(kills):
        kill_at(project, 1 + number * (items - 1) // max(1, kills - 1), *(("--resume",) if number else size))
    for run_id, flags in (("cut", ("--resume",)), ("whole", size)):
        done = subprocess.run(
            command(project, run_id, *flags), cwd=project.root, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    (cut,), (whole,) = ((project.root / "experiments" / f"run_{name}").glob("*/results") for name in ("cut", "whole"))
    for name in ("judgements.parquet", "judges.json", "per_item_scores.parquet"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes(), name
    (requests,) = (cut.parent / "judge").glob("*.jsonl")
    ids = [json.loads(line)["custom_id"] for line in jsonl.lines(requests)]
    assert verdicts(project, "cut") == Counter(ids), "one judgement for each answer"
    rows = pq.read_table(cut / "judgements.parquet").to_pylist()
    assert len(rows) == 2 * items
    assert {row["verdict"] for row in rows} <= {"0", "1"}, "the model is held to the schema"


@pytest.mark.slow
def test_a_real_judge_that_is_killed_once_finishes(judged: Project) -> None:
    require_judged(judged, 1, 2)


@pytest.mark.slow
def test_a_real_judge_that_is_killed_ten_times_finishes(judged: Project) -> None:
    require_judged(judged, 10, ITEMS)
