"""A finished run on the fake provider, which fixtures of a whole module make once and tests copy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from promptrial import registry
from tests.support.project import Outcome, Project

__all__ = ["fake_provider_known", "finish_run"]


@contextmanager
def fake_provider_known() -> Iterator[pytest.MonkeyPatch]:
    """Within the block the provider of the runs is known."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.PROVIDERS, "fake", "tests.support.fake_provider:FakeProvider")
        yield patch


def finish_run(
    root: Path, n: int, *flags: str, question: str = "Question {}?", run_id: str = "r", **changes: Any
) -> Outcome:
    """Run an experiment of so many questions in a folder, with changes to its configuration."""
    with fake_provider_known() as patch:
        patch.chdir(root)
        project = Project.make(root)
        rows = [{"id": f"c{at}", "question": question.format(at), "answers": ["Paris", "1912"]} for at in range(n)]
        (root / "config/closed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        project.write_config({"datasets": {"closed_set": {"format": "custom", "path": "closed.jsonl"}}, **changes})
        outcome = project.run(*flags, run_id=run_id)
        assert outcome.code == 0, outcome.err
    return outcome
