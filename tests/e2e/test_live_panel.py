"""The live panel at real pseudo-terminals, and what replaces it elsewhere."""

from __future__ import annotations

import json

import pytest

from tests.support.project import Project
from tests.support.terminals import Screen, Terminal, allow_rows, at_a_terminal, shown_at_a_terminal

RUN = ("run", "--run_id", "r", "--to_step", "poll")


def on_screen(terminal: Terminal) -> str:
    return "\n".join(terminal.screen.lines)


def test_the_panel_shows_phase_answers_parts_and_cost_without_wrapping(project: Project) -> None:
    allow_rows(project, 9)
    with at_a_terminal(project, *RUN, provider="PaidProvider") as terminal:
        terminal.wait_until_on_screen("[4/9] collecting answers")
        for line in ("run r: ", "answers  [", "of 28", "parts    ", "spent    ", "may be billed yet"):
            terminal.wait_until_on_screen(line)
        panel = terminal.screen.lines[-9:]
        allow_rows(project, 1000)
        assert terminal.end() == 0
    assert any(line.startswith("run r: ") for line in panel), panel
    assert any(line.startswith("answers  [") and line.endswith("of 28") for line in panel), panel
    assert any(line.startswith("spent    ") and "may be billed yet" in line for line in panel), panel
    assert terminal.screen.wrapped == 0
    assert "[4/9]" not in on_screen(terminal), "the panel goes away when the run ends"
    assert "poll: running" in on_screen(terminal), "sentences stay above it"
    assert terminal.screen.cursor_shown


@pytest.mark.parametrize("columns", [30, 80, 200])
def test_no_line_wraps_whatever_the_width(project: Project, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))  # the library asks the three streams that the process began with
    outcome, shown = shown_at_a_terminal(lambda: project.call_with_stderr(*RUN), columns)
    screen = Screen(columns)
    screen.feed(shown)
    assert outcome.code == 0
    assert "run r: starting" in shown
    assert screen.wrapped == 0
    left = "\n".join(screen.lines)
    assert "poll: running" in left, "what was said is there"
    assert "run r: starting" not in left, "the panel is gone"
    assert shown.count("\x1b[?25l\x1b[?25h") == 1, "the cursor stays visible, also if the process is killed"


def test_a_run_survives_a_terminal_that_gets_narrow_and_wide_again(project: Project) -> None:
    allow_rows(project, 3)
    with at_a_terminal(project, *RUN, columns=120) as terminal:
        terminal.wait_until_on_screen("3 of 28")
        terminal.resize(30)
        allow_rows(project, 5)
        terminal.wait_until_on_screen("run r: running")
        terminal.wait_until(lambda: terminal.shown.endswith("\n") or "5 of 28" in terminal.shown, "5 of 28")
        terminal.resize(100)
        allow_rows(project, 1000)
        assert terminal.end() == 0
    assert "[4/9]" not in terminal.screen.lines[-1]


def test_ctrl_c_stops_the_run_and_leaves_the_terminal_as_it_was(project: Project) -> None:
    allow_rows(project, 3)
    with at_a_terminal(project, *RUN) as terminal:
        terminal.wait_until_on_screen("3 of 28")
        terminal.type("\x03")
        terminal.wait_for("SIGINT: stopping after the current requests")
        allow_rows(project, 1000)
        assert terminal.end() == 5
    shown = on_screen(terminal)
    assert "[4/9]" not in shown
    assert shown.rstrip().endswith("resume it with: promptrial run --run_id r --resume")
    assert terminal.screen.cursor_shown


@pytest.mark.parametrize(
    ("env", "flags"),
    [
        ({"TERM": "xterm", "NO_COLOR": "1"}, ()),
        ({"TERM": "dumb"}, ()),
        ({"TERM": "xterm"}, ("--display", "plain")),
        ({"TERM": "xterm", "PROMPTRIAL_DISPLAY": "plain"}, ()),
    ],
    ids=["NO_COLOR", "TERM=dumb", "--display plain", "environment"],
)
def test_plain_lines_contain_no_control_sequence(
    project: Project, monkeypatch: pytest.MonkeyPatch, env: dict[str, str], flags: tuple[str, ...]
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    outcome, shown = shown_at_a_terminal(lambda: project.call_with_stderr(*RUN, *flags))
    assert outcome.code == 0
    assert "\x1b" not in shown
    assert "poll: running" in shown


def test_a_pipe_gets_plain_lines_even_if_the_panel_is_requested(project: Project) -> None:
    outcome = project.call(*RUN, "--display", "rich")
    assert outcome.code == 0
    assert "\x1b" not in outcome.err
    assert "--display rich: this terminal cannot show a panel, so plain lines are shown" in outcome.err


def test_json_output_is_one_event_per_line_including_the_final_error(project: Project) -> None:
    outcome = project.call(*RUN, "--display", "json")
    events = [json.loads(line) for line in outcome.err.splitlines()]
    assert outcome.code == 0
    assert {"at", "event", "level"} <= set.intersection(*(set(event) for event in events))
    assert any(event["event"] == "phase" and event["text"].startswith("poll: running") for event in events)
    assert [(e["phase"], e["done"], e["total"]) for e in events if e["event"] == "progress"][-1] == ("poll", 28, 28)
    again = project.call(*RUN, "--display", "json", "--resume", "--trial_filter", "none")
    assert again.code == 2
    (event,) = [json.loads(line) for line in again.err.splitlines()]
    assert (event["level"], event["text"][:7]) == ("error", "error: ")


def test_with_a_high_log_level_json_omits_lower_events(project: Project) -> None:
    events = project.call(*RUN, "--display", "json", "--log_level", "error").err.splitlines()
    assert {json.loads(line)["event"] for line in events} <= {"progress"}


def test_progress_none_prints_only_errors(project: Project) -> None:
    assert project.call(*RUN, "--display", "none").err == ""
    refused = project.call(*RUN, "--display", "none", "--resume", "--trial_filter", "none")
    assert refused.err.startswith("error: --trial_filter 'none' matches no trial")


def test_a_display_that_cannot_ask_refuses_to_spend_without_consent(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    dear = {"fake": {"models": {"m1": {"input_per_million": 1000.0, "output_per_million": 1000.0}}}}
    project.write_config({"pricing": dear})
    env = {"PROMPTRIAL_YES": ""}
    monkeypatch.delenv("PROMPTRIAL_YES")
    with at_a_terminal(project, *RUN, "--display", "json", provider="PaidProvider", env=env) as terminal:
        assert terminal.end() == 2
    assert "Continue?" not in terminal.shown
    assert all(json.loads(line) for line in terminal.lines if line)


def test_the_question_is_shown_completely_below_the_panel(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMPTRIAL_YES")
    dear = {"fake": {"models": {"m1": {"input_per_million": 1000.0, "output_per_million": 1000.0}}}}
    project.write_config({"pricing": dear})
    with at_a_terminal(project, *RUN, provider="PaidProvider") as terminal:
        terminal.wait_until_on_screen("Continue? [y/N] ")
        assert terminal.screen.lines[-1].startswith("Continue? [y/N]")
        assert "[3/9]" not in on_screen(terminal)
        terminal.type("y\n")
        assert terminal.end() == 0
    assert terminal.screen.wrapped == 0
