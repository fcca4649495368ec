"""On a terminal of 80 columns no result is wider; a path, a digest or a command stays whole."""

from __future__ import annotations

import io

import pytest

from tests.support.project import Project

COMMANDS = (
    "audit", "archive r", "archive r", "verify experiments/archives/run_r.tar.zst", "config show",
    "config show --run_id r", "config check", "doctor r", "explain r", "list", "status r", "costs r", "show r",
    "show r --changed", "plan", "power --baseline 0.7 --n 200", "power --baseline 0.7 --detect 0.05",
)  # fmt: skip


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_no_output_is_wider_than_80_columns(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "Answer in as few words as you can, and say so if you do not know the answer to the question. "
    (project.root / "config/treatment.txt").write_text((3 * words).strip())
    assert project.run().code == 0
    monkeypatch.setattr(io, "StringIO", _Terminal)
    monkeypatch.setenv("COLUMNS", "80")
    for command in COMMANDS:
        outcome = project.call(*command.split())
        assert outcome.code in {0, 100}, (command, outcome.err)
        wide = [line for line in outcome.out.splitlines() if len(line) > 80 and len(line.split()) > 2]
        assert wide == [], command
