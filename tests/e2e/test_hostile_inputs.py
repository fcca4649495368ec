"""Inputs made to hang, crash or mislead the program: each ends within its limit, in one sentence that names the file.

Every case has ``LIMIT_S`` seconds. A sentence is one ``error:`` line, with one ``next:`` line behind it at most.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.archives import expanding_archive
from tests.support.project import Outcome, Project

LIMIT_S = 20
pytestmark = pytest.mark.timeout(LIMIT_S)


def sentence(outcome: Outcome, code: int = 2) -> str:
    """Return the one error of a command that ended with this code."""
    assert outcome.code == code, (outcome.code, outcome.err)
    assert outcome.out == ""
    first, *rest = outcome.err.splitlines()
    assert first.startswith("error: "), outcome.err
    assert len(rest) <= 1, outcome.err
    assert all(line.startswith("  next: ") for line in rest), outcome.err
    assert len(outcome.err) < 1000
    return first.removeprefix("error: ")


# --- configurations -------------------------------------------------------------------------------------------------


def _aliases(levels: int, width: int) -> str:
    """Return a text of a few lines whose aliases stand for ``width ** levels`` values."""
    lines = [f"a0: &a0 [{', '.join(['lol'] * width)}]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


def _merges(levels: int) -> str:
    lines = [f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 9)}]}}" for n in range(1, levels)]
    return "\n".join(["m0: &m0 {a: 1, b: 2}", *lines]) + "\n"


BOMBS = {
    "a billion laughs": (_aliases(9, 9), ":6: not valid YAML: more than 200,000 values"),
    "merged keys": (_merges(9), "not valid YAML: more than 200,000 values"),
    "100,000 brackets": ("name: " + "[" * 100_000, ":1: not valid YAML: nested more than 64 levels deep"),
    "100,000 braces": ("name: " + "{a: " * 100_000, ":1: not valid YAML: nested more than 64 levels deep"),
    "100,000 dashes": ("- " * 100_000 + "x\n", ":1: not valid YAML: nested more than 64 levels deep"),
    "an alias of itself": ("name: &a [*a]\n", ":1: not valid YAML: the alias *a stands inside what it names"),
    "a number of 5,000 digits": ("name: x\nseed: " + "9" * 5000 + "\n", ":2: not valid YAML: '9999"),
    "a million keys": ("".join(f"k{n}: 1\n" for n in range(1_000_000)), "not valid YAML: more than 200,000 values"),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("command", ["plan", "run", "audit"])
def test_a_configuration_made_to_explode_is_refused_with_its_line(project: Project, command: str, name: str) -> None:
    text, said = BOMBS[name]
    project.config.write_text(text)
    error = sentence(project.call(command))
    assert error.startswith("config/eval_config.yaml:")
    assert said in error


def test_a_configuration_of_a_gigabyte_is_not_read(project: Project) -> None:
    with project.config.open("wb") as file:
        file.truncate(1 << 30)
    assert sentence(project.call("plan")) == (
        "config/eval_config.yaml: cannot read this configuration file: larger than 16,777,216 bytes"
    )


# --- FIFOs and devices ----------------------------------------------------------------------------------------------


def _fifo(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


NO_FILES = {"a FIFO": _fifo, "a device": _device}
READ_AT_START = {
    "config/eval_config.yaml": "cannot read this configuration file: {kind}, not a regular file",
    "config/control.txt": "cannot read this prompt file: {kind}, not a regular file",
    "config/open.txt": "cannot read this prompt file: {kind}, not a regular file",
    ".env": "cannot read this file: {kind}, not a regular file",
    "config/open.json": "config/open.json is not a file",
    "config/closed.jsonl": "config/closed.jsonl is not a file",
}


@pytest.mark.parametrize("kind", NO_FILES)
@pytest.mark.parametrize("path", READ_AT_START)
def test_a_run_refuses_what_is_no_file(project: Project, path: str, kind: str) -> None:
    NO_FILES[kind](project.root / path)
    outcome = project.run()
    said = [line for line in outcome.err.splitlines() if line != "prepare: execute (not done yet)"]
    assert READ_AT_START[path].format(kind=kind) in sentence(Outcome(outcome.code, outcome.out, "\n".join(said)))


COMMANDS = {
    "status": ("status", "--run_id", "r"),
    "list": ("list",),
    "plan": ("plan", "--run_id", "r"),
    "doctor": ("doctor", "r"),
    "compare": ("compare", "r", "whole"),
    "archive": ("archive", "r", "--to", "archive"),
    "resume": ("run", "--run_id", "r", "--resume"),
}


@pytest.fixture
def finished(project: Project) -> Project:
    """A project with two finished runs, ``r`` and ``whole``."""
    for name in ("r", "whole"):
        assert project.run(run_id=name).code == 0
    return project


@pytest.mark.timeout(60)
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_waits_for_a_fifo_in_a_run(finished: Project, command: str) -> None:
    root = finished.run_root()
    for path in sorted(path for path in root.rglob("*") if path.is_file() and path.name != ".state.lock"):
        kept = path.read_bytes()
        _fifo(path)
        outcome = finished.call(*COMMANDS[command])
        assert outcome.code in {0, 1, 2, 3, 100}, (path, outcome)
        assert "unexpected error" not in outcome.err, (path, outcome.err)
        if not path.is_fifo():  # made again by the resume
            continue
        path.unlink()
        path.write_bytes(kept)


# --- archives -------------------------------------------------------------------------------------------------------


def test_an_archive_that_unpacks_to_petabytes_is_refused_early(project: Project) -> None:
    (project.root / "x.tar.zst").write_bytes(expanding_archive())
    assert sentence(project.call("unarchive", "x.tar.zst"), 1) == (
        "x.tar.zst: not as its manifest has it: differs zeros (damaged: it unpacks to more than 1,000 times its size)"
    )
    outcome = project.call("verify", "x.tar.zst")
    assert outcome.code == 1
    assert "it unpacks to more than 1,000 times its size" in outcome.out


@pytest.mark.parametrize("kind", NO_FILES)
def test_what_is_no_file_is_no_archive(project: Project, kind: str) -> None:
    NO_FILES[kind](project.root / "x.tar.zst")
    for command in ("verify", "unarchive"):
        assert sentence(project.call(command, "x.tar.zst"), 1) == f"x.tar.zst: {kind}, not a regular file"
