"""``promptrial explain``: why a phase would run or be skipped, by trial, arm and file."""

from __future__ import annotations

from promptrial import registry
from tests.support.project import Project
from tests.support.terminals import at_a_terminal

RESUME = "  next: promptrial run --run_id r --resume"


def explain(project: Project, *phase: str) -> list[str]:
    before = project.snapshot()
    outcome = project.call("explain", "r", *phase)
    assert outcome.code == 0, outcome
    assert outcome.err == ""
    assert project.snapshot() == before, "it changes nothing"
    return outcome.out.splitlines()


def test_arms_with_missing_answers_are_named(project: Project) -> None:
    project.given_run("--to_step", "build")
    lines = explain(project, "poll")
    assert lines[0].startswith("poll would run: ")
    assert [line for line in lines if "arm control: 2 of 2 parts have no answers yet" in line]
    assert [line for line in lines if "arm treatment: 2 of 2 parts have no answers yet" in line]
    assert lines[-1] == RESUME


def test_a_damaged_file_is_named_in_the_error(project: Project) -> None:
    project.given_run()
    (project.trial_folder() / "results/per_item_scores.csv").write_text("x")
    slug = project.trial_folder().name
    lines = explain(project, "score")
    assert lines[0].startswith("score would run: ")
    assert f"  {slug}: per_item_scores.csv damaged" in lines, lines
    assert lines[-1] == RESUME


def test_a_phase_that_is_done_says_what_it_made(project: Project) -> None:
    project.given_run()
    for phase in registry.PHASES:
        assert explain(project, phase)[0] == (f"{phase} would be skipped: its results exist and are up to date")
    assert any("per_item_scores" in line for line in explain(project, "score")[1:])


def test_a_phase_that_runs_again_because_of_another_names_it(project: Project) -> None:
    project.given_run()
    (project.trial_folder() / "results/per_item_scores.csv").write_text("x")
    assert explain(project, "stats") == ["stats would run: score runs again", RESUME]


def test_an_unknown_phase_is_answered_with_the_nearest(project: Project) -> None:
    outcome = project.call("explain", "r", "scor")
    assert (outcome.code, outcome.out) == (2, "")
    assert "unknown phase 'scor'; did you mean 'score'?" in outcome.err


def test_without_a_phase_all_are_explained_and_without_a_run_the_newest_is_used_and_named(project: Project) -> None:
    project.given_run()
    (project.trial_folder() / "results/per_item_scores.csv").write_text("x")
    lines = explain(project)
    assert [line.split(" ")[0] for line in lines if " would " in line] == [*registry.PHASES]
    assert lines[0] == "prepare would be skipped: its results exist and are up to date"
    assert lines[1].startswith("build"), "what each phase made is not listed"
    assert (lines.count(RESUME), lines[-1]) == (1, RESUME)
    for words in ([], ["stats"]):
        outcome = project.call("explain", *words)
        assert (outcome.code, outcome.err) == (0, "run r\n")
        assert "stats would run: score runs again" in outcome.out.splitlines()
        assert ("prepare" in outcome.out) == (not words)


def test_the_run_may_be_named_by_a_flag_as_in_other_commands(project: Project) -> None:
    project.given_run()
    for words in ("--run_id r stats", "stats --run_id r", "r stats --run_id r"):
        outcome = project.call("explain", *words.split())
        assert (outcome.code, outcome.err) == (0, "")
        assert outcome.out.startswith("stats would be skipped"), words


def test_two_runs_or_an_unknown_phase_are_refused_beside_the_flag(project: Project) -> None:
    assert "two runs are named: a and r" in project.call("explain", "a", "stats", "--run_id", "r").err
    assert "unknown phase 'stat'; did you mean 'stats'?" in project.call("explain", "stat", "--run_id", "r").err


def test_no_sentence_is_wider_than_the_terminal_and_the_command_is_not_split(project: Project) -> None:
    project.given_run()
    (project.trial_folder() / "results/per_item_scores.csv").write_text("x")
    with at_a_terminal(project, "explain", "r", "score", columns=50) as terminal:
        assert terminal.end() == 0
    assert terminal.screen.wrapped == 0
    assert RESUME in terminal.lines
