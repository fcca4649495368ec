"""Folders of runs that were copied, renamed or emptied: the folder's name is the run's, and a hint can be followed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import promptrial
from promptrial.errors import UsageError
from tests.support.project import Project

READING = (
    ("show",),
    ("report", "--out", "page.html"),
    ("aa",),
    ("label", "--out", "new.csv"),
    ("explain",),
    ("costs",),
)


def copied(project: Project, name: str) -> Path:
    """Copy a finished run to a folder of another name."""
    return Path(shutil.copytree(project.run_root(), project.root / "experiments" / f"run_{name}"))


def test_a_copied_run_uses_the_name_of_its_folder(project: Project) -> None:
    project.given_run()
    copied(project, "copy")
    assert project.call("status", "copy").out.startswith("run copy: finished")
    assert json.loads(project.call("status", "copy", "--json").out)["run_id"] == "copy"
    assert json.loads(project.call("doctor", "copy", "--json").out)["run_id"] == "copy"
    assert "Costs of run copy" in project.call("costs", "copy").out
    assert json.loads((project.run_root("copy") / "run_state.json").read_text())["run_id"] == "r", "nothing is written"


@pytest.mark.parametrize("name", ["my run", "é", "-x", ""])
def test_a_folder_whose_name_no_run_can_have_is_named_and_never_offered(project: Project, name: str) -> None:
    project.given_run()
    folder = copied(project, name)
    for command in (("show",), ("status",), ("explain",), ("costs",)):
        if name and not name.startswith("-"):
            outcome = project.call(*command, name)
            assert outcome.code == 2
            assert f"experiments/{folder.name}: this name is none that a run can have" in outcome.err
            assert "rename the folder" in outcome.err
            assert "did you mean" not in outcome.err
        assert project.call(*command, "q").err.rstrip().endswith("known runs: r")
    assert project.call("completion", "runs").out == "r\n"
    assert "no name of a run: expected a letter or digit" in project.call("list").out
    assert project.call("run", "--run_id", "b", "--reuse", "q").err.rstrip().endswith("known runs: r")


def test_a_folder_with_an_impossible_name_is_never_the_latest_run(project: Project) -> None:
    project.given_run()
    (project.root / "experiments" / "run_r").rename(project.root / "experiments" / "run_my run")
    assert "no runs in experiments" in project.call("show").err


@pytest.mark.parametrize(
    "command",
    [*READING, ("status",), ("status", "--json"), ("doctor",), ("archive", "--incomplete"), ("seal", "--check"),
     ("compare", "empty")],
)  # fmt: skip
def test_an_empty_folder_holds_no_run_and_one_can_be_started_there(project: Project, command: tuple[str, ...]) -> None:
    project.run_root("empty").mkdir(parents=True)
    verb, *flags = command
    outcome = project.call(verb, "empty", *flags)
    assert (outcome.code, outcome.out) == (2, "")
    assert "run_empty holds no run" in outcome.err
    assert "promptrial run --run_id empty" in outcome.err
    assert "resume" not in outcome.err
    assert "run_empty holds no run" in project.call("list").prose
    assert project.call("rm", "empty", "--yes").code == 0


def test_a_resume_of_an_empty_folder_says_to_start_the_run(project: Project) -> None:
    project.run_root("empty").mkdir(parents=True)
    outcome = project.run("--resume", run_id="empty")
    assert outcome.code == 3
    assert "start it without --resume" in outcome.err
    assert "rebuild" not in outcome.err


def test_a_run_can_be_started_under_the_name_of_an_empty_folder(project: Project) -> None:
    project.run_root("empty").mkdir(parents=True)
    with pytest.raises(UsageError, match="does not exist"):
        promptrial.load_run(project.run_root("empty"))
    assert project.run(run_id="empty").code == 0


@pytest.mark.parametrize("command", READING[:3])
def test_the_printed_command_rebuilds_a_run_without_its_configuration(
    project: Project, command: tuple[str, ...]
) -> None:
    project.write_config({"samples_per_item": 2, "temps": [0.7]})
    project.given_run()
    (project.run_root() / "effective_config.yaml").unlink()
    verb, *flags = command
    outcome = project.call(verb, "r", *flags)
    assert outcome.code == 2
    assert "effective_config.yaml does not exist" in outcome.err
    assert "promptrial resume r" in outcome.err
    assert project.call("resume", "r").code == 0
    assert project.call(verb, "r", *flags).code == 0
