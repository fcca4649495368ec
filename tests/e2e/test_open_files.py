"""Live requests in a process that may have few files open."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import Project, import_path

_QUESTIONS = 80


def project_of(root: Path, parts: int) -> Project:
    """Return an experiment of 160 requests, of which up to 150 are in flight at once."""
    project = Project.make(root)
    rows = [{"id": f"q{n}", "question": f"What is {n}?", "answers": [str(n)]} for n in range(_QUESTIONS)]
    (root / "config" / "many.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    project.write_config(
        {
            "provider": "here",
            "providers": {
                "here": {"type": "openai_compatible", "base_url": "http://127.0.0.1:9/v1", "max_in_flight": 150}
            },
            "models": {"m1": {"id": "m"}},
            "datasets": {"many": {"format": "custom", "path": "many.jsonl"}},
            "task_instructions": {"closed_book": "closed.txt"},
            "parts_per_dataset": parts,
            "pricing": None,
        }
    )
    return project


@pytest.mark.parametrize(("soft", "hard", "parts", "is_bound"), [(128, 4096, 2, False), (128, 128, 80, True)])
def test_a_low_limit_of_open_files_is_raised_or_bounds_the_requests_in_flight(
    tmp_path: Path, soft: int, hard: int, parts: int, is_bound: bool
) -> None:
    project = project_of(tmp_path, parts)
    limited = ["sh", "-c", f'ulimit -Sn {soft} && ulimit -Hn {hard} && exec "$@"', "sh"]
    run = [sys.executable, "-m", "promptrial", "run", "--run_id", "r", "--dry_run", "--to_step", "poll"]
    outcome = subprocess.run(
        [*limited, *run],
        cwd=project.root,
        env=os.environ | {"PYTHONPATH": import_path()},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert outcome.returncode == 0, outcome.stderr
    answers = [path.read_bytes().count(b"\n") for path in project.run_root().glob("*/results/*/results.jsonl")]
    assert sum(answers) == 2 * _QUESTIONS
    said = re.findall(r"requests in flight are limited to \d\d for here \(instead of 150\)", outcome.stderr)
    assert len(said) == is_bound
    assert "Too many open files" not in outcome.stderr
