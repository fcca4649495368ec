"""Commands that are printed work as printed: they find the runs, and a path with spaces stays one word."""

from __future__ import annotations

import html
import re
import shlex

import pytest

from promptrial.care.following import require_there
from promptrial.care.labelling.page import end_page
from promptrial.errors import UsageError
from promptrial.store.rundir import RunDir
from tests.support.project import Outcome, Project

PLACE = ("--experiments_dir", "my runs")


@pytest.fixture
def elsewhere(project: Project) -> Project:
    """A finished run in a folder with a space in its name."""
    assert project.run(*PLACE).code == 0
    return project


def printed(text: str, verb: str) -> list[str]:
    """Return the words of the one command of a verb that a text has, without the program's name."""
    (found,) = re.findall(rf"promptrial ({verb}[^;\n<]*)", text)
    return shlex.split(found)


def follow(project: Project, words: list[str]) -> Outcome:
    outcome = project.call(*words)
    assert outcome.code == 0, (words, outcome.err)
    return outcome


def test_the_printed_command_reads_the_sheet_of_labels(elsewhere: Project) -> None:
    drawn = elsewhere.call("label", "r", *PLACE, "--out", "my labels.csv", "--trial_filter", "m1")
    assert drawn.code == 0, drawn.err
    assert "0 labels of 28" in follow(elsewhere, printed(drawn.out, "label")).out


def test_the_label_page_shows_the_command_as_it_must_be_typed() -> None:
    command = "promptrial label r --read 'my labels.csv'"
    page = end_page(command, "my labels.csv", ["1"])
    assert shlex.split(html.unescape(page.partition("<code>")[2].partition("</code>")[0]))[-1] == "my labels.csv"


def test_the_printed_command_writes_every_attempt(elsewhere: Project) -> None:
    words = printed(elsewhere.call("costs", "r", *PLACE).out, "costs")
    assert words[-1] == "FILE"
    follow(elsewhere, [*words[:-1], "attempts.csv"])


def test_the_printed_command_compares_trials_with_different_names(elsewhere: Project) -> None:
    assert elsewhere.run("--prompt_sets", "other", *PLACE, run_id="b").code == 0
    outcome = elsewhere.call("compare", "r", "b", *PLACE)
    assert outcome.code == 2
    assert elsewhere.call(*printed(outcome.err, "compare")).code == 0


def test_the_printed_command_restores_beside_an_existing_run(elsewhere: Project) -> None:
    packed = elsewhere.root / "my archives" / "run r.tar.zst"
    follow(elsewhere, ["archive", "r", *PLACE, "--to", str(packed)])
    for flags in (PLACE, ("--to", "my runs")):
        words = printed(elsewhere.call("unarchive", str(packed), *flags).err, "unarchive")
        follow(elsewhere, [f"new{len(flags[0])}" if word == "NEW" else word for word in words])
        assert (elsewhere.root / "my runs" / f"run_new{len(flags[0])}").is_dir()


def test_the_printed_command_unpacks_an_archive_given_as_a_run(elsewhere: Project) -> None:
    packed = elsewhere.root / "my runs" / "archives" / "run_old.tar.zst"
    follow(elsewhere, ["archive", "r", *PLACE, "--to", str(packed)])
    outcome = elsewhere.run(*PLACE, "--reuse", "old", run_id="new")
    assert outcome.code == 2
    words = printed(outcome.err, "unarchive")
    follow(elsewhere, [*words, "--run_id", "old"])
    assert (elsewhere.root / "my runs" / "run_old").is_dir()


def test_the_printed_command_corrects_a_phase_given_before_the_run(elsewhere: Project) -> None:
    outcome = elsewhere.call("explain", "score", "r", *PLACE)
    assert outcome.code == 2
    assert "score would be skipped" in follow(elsewhere, printed(outcome.err, "explain")).out


def test_the_printed_command_lists_the_runs(elsewhere: Project) -> None:
    assert elsewhere.run(*PLACE, run_id="b").code == 0
    seen = [
        elsewhere.call("costs", *PLACE).err.replace(")", ""),
        elsewhere.call("show", "other.yaml", *PLACE).err,
        elsewhere.call("resume", *PLACE).err,
        elsewhere.call("run", "--resume", *PLACE).err,
    ]
    for text in seen:
        words = printed(text, "list")
        listed = follow(elsewhere, words).out
        assert "my runs" in " ".join(words)
        assert "b" in listed.split()
    with pytest.raises(UsageError) as gone:
        require_there(RunDir(elsewhere.root / "my runs", "gone"))
    follow(elsewhere, printed(gone.value.hint or "", "list"))


def test_the_printed_command_searches_for_a_missing_item(elsewhere: Project) -> None:
    words = printed(elsewhere.call("show", "r", "nowhere", *PLACE).err.replace(" lists them", ""), "show")
    assert "14 items" in follow(elsewhere, words).out


def test_a_file_of_scores_is_quoted_as_one_word(project: Project) -> None:
    path = project.root / "my scores.csv"
    path.write_text("id,score\n1,0\n2,1\n")
    words = printed(project.call("analyze", str(path)).err, "analyze")
    assert f"base={path}" in words
