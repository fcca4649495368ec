"""Questions that occur in a file more than once, under several ids, are reported before anything is asked."""

from __future__ import annotations

import json

from tests.support.project import Project


def test_repeated_questions_are_reported_before_anything_is_asked(project: Project) -> None:
    rows = [{"id": f"{number}", "question": f"What of {number % 2}?", "answer": f"{number}"} for number in range(3)]
    (project.root / "config/mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    project.write_config({"datasets": {"mine": {"format": "custom", "path": "mine.jsonl"}}})
    told = "datasets.mine: a question repeats another under a new id ('2' is '0')"
    for command in (("plan",), ("config", "check"), ("audit",), ("run", "--run_id", "r", "--to_step", "prepare")):
        outcome = project.call(*command)
        assert outcome.code == 0, outcome.err
        assert told in " ".join((outcome.out + outcome.err).split()), command
