"""A run in one terminal and ``status --watch`` in another agree through a stop, a kill and a resume."""

from __future__ import annotations

import signal

import pytest

from tests.support.project import Project
from tests.support.terminals import Terminal, allow_rows, at_a_terminal

pytestmark = pytest.mark.slow
POLL = "[4/9] collecting answers"


def both_show(run: Terminal, watch: Terminal, count: int) -> None:
    """Wait until both panels show so many answers, and compare what they say of the phase and the parts."""
    for terminal in (run, watch):
        terminal.wait_until_on_screen(f"{count} of 28")
        terminal.wait_until_on_screen("run r: running")
        terminal.wait_until_on_screen(POLL)
    for word in ("answers ", "parts "):
        (ours,), (theirs,) = ([line for line in each.screen.lines if line.startswith(word)] for each in (run, watch))
        assert ours == theirs


def test_watch_agrees_with_the_run_through_a_stop_a_kill_and_a_resume(project: Project) -> None:
    allow_rows(project, 3)
    with at_a_terminal(project, "run", "--run_id", "r", "--to_step", "poll") as first:
        first.wait_until_on_screen("3 of 28")
        with at_a_terminal(project, "status", "--run_id", "r", "--watch") as watch:
            both_show(first, watch, 3)
            first.type("\x03")
            first.wait_for("SIGINT: stopping")
            allow_rows(project, 4)
            assert first.end() == 5
            watch.wait_until_on_screen("run r: stopped")

            allow_rows(project, 9)
            with at_a_terminal(project, "run", "--run_id", "r", "--resume", "--to_step", "poll") as second:
                both_show(second, watch, 9)
                second.process.send_signal(signal.SIGKILL)
                second.end()
            watch.wait_until_on_screen("run r: crashed")

            allow_rows(project, 14)
            with at_a_terminal(project, "run", "--run_id", "r", "--resume") as third:
                both_show(third, watch, 14)
                allow_rows(project, 1000)
                assert third.end() == 0
            watch.wait_for("run r: finished")
            assert watch.end() == 0
    for terminal in (first, second, third, watch):
        assert terminal.screen.wrapped == 0
        assert terminal.screen.cursor_shown
    assert "report   completed" in "\n".join(watch.lines), "at last the whole status stands there"
    assert "poll: running" in watch.shown, "what the run says is shown to the watcher, too"


def test_ctrl_c_ends_the_watch_and_not_the_run(project: Project) -> None:
    project.given_run("--to_step", "build")
    with at_a_terminal(project, "status", "--run_id", "r", "--watch") as watch:
        watch.wait_until_on_screen("[3/9] sending jobs")
        watch.type("\x03")
        assert watch.end() == 0
    assert "[3/9]" not in "\n".join(watch.screen.lines)
    assert "submit   not_started" in "\n".join(watch.lines)
