"""The plan as people read it: sections in order, and no line wider than a terminal."""

from __future__ import annotations

from promptrial.cli.plan_text import WIDTH
from tests.support.project import Project


def test_no_line_of_a_plan_is_wider_than_a_terminal_and_continuations_are_indented(
    project: Project,
) -> None:
    project.write_config({"name": "sample"})
    outcome = project.call("plan", "--run_id", "r")
    assert "warning: `name` is still what the sample experiment says, but the prompts and" in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= WIDTH
    assert "\n  questions are not the sample's" in outcome.out
