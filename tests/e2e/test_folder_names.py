"""Folders whose names are not UTF-8: refused before anything is asked, and never after."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.support.project import Project

ODD = os.fsdecode(b"B\xfcro")
VERBS = (("run", "--run_id", "r"), ("run", "--run_id", "r", "--plan_only"), ("plan",))


@pytest.fixture
def odd(project: Project) -> Path:
    """Return a folder of such a name, if the file system has room for one."""
    folder = project.root / ODD
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system has only names that are text")
    return folder


def check_refused(project: Project, remedy: str, *words: str) -> None:
    outcome = project.call(*words)
    said = " ".join(outcome.err.split())
    assert outcome.code == 2, said
    assert "B\\xfcro: this name is not UTF-8, and the records of a run cannot hold it next: " in said
    assert remedy in said


@pytest.mark.parametrize("verb", VERBS)
def test_a_folder_of_runs_whose_name_is_not_utf_8_is_refused_at_the_start(
    project: Project, odd: Path, verb: tuple[str, ...]
) -> None:
    check_refused(project, "keep the runs in another folder: --experiments_dir DIR", *verb, "--experiments_dir", ODD)
    assert list(odd.iterdir()) == []


@pytest.mark.parametrize("verb", VERBS)
def test_a_current_folder_whose_name_is_not_utf_8_is_refused_at_the_start(
    project: Project, odd: Path, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...]
) -> None:
    shutil.copytree(project.root / "config", odd / "config")
    monkeypatch.chdir(odd)
    check_refused(project, "keep the runs in another folder: --experiments_dir DIR", *verb)
    assert [path.name for path in odd.iterdir()] == ["config"]


@pytest.mark.parametrize("verb", VERBS)
def test_a_configuration_in_a_folder_whose_name_is_not_utf_8_is_refused_at_the_start(
    project: Project, odd: Path, verb: tuple[str, ...]
) -> None:
    shutil.copytree(project.root / "config", odd / "config")
    file = str(odd / "config" / "eval_config.yaml")
    check_refused(project, "use a configuration in another folder: --config FILE", *verb, "--config", file)
    assert not project.run_root().exists()


def test_a_run_moved_into_a_folder_whose_name_is_not_utf_8_can_be_read_but_not_resumed(
    project: Project, odd: Path
) -> None:
    assert project.run("--to_step", "parse").code == 0
    shutil.move(project.run_root(), odd)
    for more in ((), ("--plan_only",)):
        check_refused(project, "--experiments_dir DIR", "resume", "r", "--experiments_dir", ODD, *more)
    check_refused(project, "--experiments_dir DIR", "run", "--resume", "--run_id", "r", "--experiments_dir", ODD)
    assert project.call("status", "r", "--experiments_dir", ODD).code == 0
    shutil.move(odd / "run_r", project.run_root())
    assert project.run("--resume").code == 0


def test_a_current_folder_whose_name_is_not_utf_8_does_not_affect_a_run_elsewhere(
    project: Project, odd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(odd)
    places = ("--config", str(project.config), "--experiments_dir", str(project.root / "experiments"))
    outcome = project.run(*places)
    assert outcome.code == 0, outcome.err
