"""Which code may run: a table of where it came from, and of where files stand."""

from __future__ import annotations

import hashlib
import itertools
import os
from pathlib import Path

import pytest

from promptrial.config.code import lies_in_a_run
from promptrial.config.loading import load_config
from promptrial.engine import code_consent
from promptrial.engine.code_consent import may_run
from promptrial.errors import ConfigError
from tests.support.project import Project

CODE = "SCORER = 1\n"
SHA256 = hashlib.sha256(CODE.encode()).hexdigest()


@pytest.mark.parametrize(
    ("from_file", "named", "known", "allow"), list(itertools.product([False, True], repeat=4))
)  # fmt: skip
def test_code_runs_if_allowed_known_or_beside_a_configuration_that_the_user_named(
    from_file: bool, named: bool, known: bool, allow: bool
) -> None:
    runs = {(False, False), (False, True), (True, False)}
    expected = allow or known or (from_file, named) not in runs
    assert may_run(from_file=from_file, named=named, known=known, allow=allow) is expected


@pytest.mark.parametrize(
    ("asked", "used", "named"),
    [
        ("config/own.yaml", "config/own.yaml", True),
        (None, "config/eval_config.yaml", True),
        (None, "{root}/config/eval_config.yaml", True),
        (None, "config/own.yaml", False),  # a record leads there
        (None, "experiments/run_r/effective_config.yaml", False),
        (None, "elsewhere/link.yaml", False),  # a link to the default configuration, beside other code
        ("config/own.yaml", "experiments/run_r/effective_config.yaml", False),
    ],
)
def test_a_configuration_is_named_by_the_command_or_is_the_default_one_of_this_folder(
    project: Project, asked: str | None, used: str, named: bool
) -> None:
    (project.root / "elsewhere").mkdir()
    (project.root / "elsewhere/link.yaml").symlink_to(project.config)
    used_path = Path(used.format(root=project.root))
    run = Path("experiments/run_r")
    assert code_consent.is_named(None if asked is None else Path(asked), used_path, run) is named


def test_a_configuration_inside_a_run_folder_never_counts_as_named_by_the_user(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = project.root / "experiments/run_r"
    (run / "config").mkdir(parents=True)
    (run / "config/eval_config.yaml").write_text("")
    monkeypatch.chdir(run)
    default = Path("config/eval_config.yaml")
    assert code_consent.is_named(None, default, Path("../run_other"))
    assert not code_consent.is_named(None, default, Path("../run_r"))


def with_run(project: Project) -> Path:
    run = project.root / "experiments/run_evil"
    (run / "prepared").mkdir(parents=True)
    (run / "effective_config.yaml").write_text("a: 1\n")
    (run / "prepared/notes.txt").write_text(CODE)
    return run


def configured(project: Project, file: str, at: Path, **more: str) -> Path:
    project.write_config({"scorers": {"mine": {"type": "python", "file": file, **more}}})
    for name in ("control.txt", "treatment.txt", "other.txt", "open.txt", "closed.txt"):
        if at.parent != project.config.parent and not at.is_symlink():
            (at.parent / name).write_text((project.root / "config" / name).read_text())
    if at != project.config and not at.is_symlink():
        at.write_text(project.config.read_text())
    return at


@pytest.mark.parametrize("marker", ["effective_config.yaml", "run_state.json", "MANIFEST.json"])
def test_a_run_folder_is_recognised_by_its_content_even_through_links(project: Project, marker: str) -> None:
    run = project.root / "experiments/run_evil"
    (run / "prepared").mkdir(parents=True)
    (run / marker).write_text("")
    inside, link = run / "prepared/x.yaml", project.root / "link.yaml"
    inside.write_text("")
    link.symlink_to(inside)
    out = run / "out.yaml"
    out.symlink_to(project.config)
    aliased = project.root / "alias"
    aliased.symlink_to(run)
    assert [lies_in_a_run(path) for path in (inside, link, out, aliased / "prepared/x.yaml")] == [True] * 4
    assert lies_in_a_run(Path(os.path.relpath(inside)))
    assert not lies_in_a_run(project.config)


@pytest.mark.parametrize("name", ["effective_config.yaml", "prepared/config.yaml"])
def test_no_file_is_read_for_a_configuration_in_the_folder_of_a_run(project: Project, name: str) -> None:
    run = with_run(project)
    at = configured(project, "notes.txt" if "/" in name else "prepared/notes.txt", run / name)
    with pytest.raises(ConfigError, match=r"scorers\.mine\.file: .* which is damaged"):
        load_config(at, {})


def test_no_file_is_read_for_a_configuration_that_is_a_link_into_the_folder_of_a_run(project: Project) -> None:
    run = with_run(project)
    inside = configured(project, "notes.txt", run / "prepared/config.yaml")
    (project.root / "config/notes.txt").write_text(CODE)
    link = project.root / "config/link.yaml"
    link.symlink_to(inside)
    with pytest.raises(ConfigError, match="which is damaged"):
        load_config(link, {})


@pytest.mark.parametrize("linked", [False, True])
def test_code_in_a_run_folder_is_refused_even_for_a_configuration_outside(project: Project, linked: bool) -> None:
    run = with_run(project)
    (run / "effective_config.yaml").rename(run / "run_state.json")
    experiments = project.root / "config/experiments"
    (project.root / "experiments").rename(experiments)
    file = "experiments/run_evil/prepared/notes.txt"
    if linked:
        (project.root / "config/notes.py").symlink_to(project.root / "config" / file)
        file = "notes.py"
    configured(project, file, project.config)
    with pytest.raises(ConfigError, match="is in the folder of a run"):
        load_config(project.config, {})


def test_code_written_in_a_configuration_counts_as_part_of_it_and_a_file_beside_it_does_not(project: Project) -> None:
    (project.root / "config/mine.py").write_text(CODE)
    assert not load_config(configured(project, "mine.py", project.config), {}).carried
    assert load_config(configured(project, "mine.py", project.config, text=CODE), {}).carried == {SHA256}


def test_permissions_are_stored_outside_every_run(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(project.root / "state"))
    assert not code_consent.is_known(SHA256)
    assert code_consent.remember([SHA256]) is None
    assert code_consent.is_known(SHA256)
    assert [path.name for path in (project.root / "state/promptrial/allowed_code").iterdir()] == [SHA256]


@pytest.mark.parametrize("home", ["relative/state", ""])
def test_a_relative_user_folder_is_ignored(project: Project, monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    """It would lie below the current folder, which may be one that came from elsewhere."""
    monkeypatch.setenv("XDG_STATE_HOME", home)
    monkeypatch.setenv("HOME", str(project.root / "home"))
    code_consent.remember([SHA256])
    assert (project.root / "home/.local/state/promptrial/allowed_code" / SHA256).is_file()


def test_an_unwritable_user_folder_is_reported_and_stops_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.root / "state").write_text("a file where a folder is needed")
    monkeypatch.setenv("XDG_STATE_HOME", str(project.root / "state"))
    said = code_consent.remember([SHA256])
    assert said is not None
    assert "--allow_code" in said
    assert not code_consent.is_known(SHA256)


@pytest.mark.parametrize("digest", ["", "../../x", "a" * 63, "A" * 64])
def test_permissions_are_looked_up_only_by_digest(
    project: Project, monkeypatch: pytest.MonkeyPatch, digest: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(project.root))
    (project.root / "promptrial/allowed_code").mkdir(parents=True)
    (project.root / "x").write_text("")
    assert not code_consent.is_known(digest)
