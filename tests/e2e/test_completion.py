"""Completion in shells: real bash completes with the script, the others are given one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from promptrial.cli.main import COMMANDS
from tests.support.project import Project, import_path


def completed(project: Project, words: str) -> list[str]:
    """Return what bash offers after some words, with a program of that name on the path."""
    script = project.root / "script.bash"
    script.write_text(project.call("completion", "bash").out)
    bin_folder = project.root / "bin"
    bin_folder.mkdir(exist_ok=True)
    program = bin_folder / "promptrial"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m promptrial "$@"\n')
    program.chmod(0o755)
    typed = words.split(" ")
    asked = (
        f"source {script}; COMP_WORDS=({' '.join(repr(each) for each in typed)}); COMP_CWORD={len(typed) - 1}; "
        "$(complete -p promptrial | sed 's/.*-F \\([^ ]*\\).*/\\1/'); printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    env = {"PATH": f"{bin_folder}:/usr/bin:/bin", "PYTHONPATH": import_path()}
    outcome = subprocess.run(
        ["/bin/bash", "-c", asked], cwd=project.root, env=env, capture_output=True, text=True, check=False
    )
    return outcome.stdout.split()


def test_bash_completes_verbs_flags_values_and_runs(project: Project) -> None:
    for name in ("first", "second"):
        (project.root / f"experiments/run_{name}").mkdir(parents=True)
    assert completed(project, "promptrial sta") == ["status"]
    assert "--only_step" in completed(project, "promptrial run --only")
    assert completed(project, "promptrial run --display j") == ["json"]
    assert completed(project, "promptrial run --only_step po") == ["poll"]
    assert completed(project, "promptrial status --run_id fi") == ["first"]
    assert set(completed(project, "promptrial show s")) >= {"second"}
    assert completed(project, "promptrial compare first se") == ["second"]
    assert completed(project, "promptrial run --config config/eval") == ["config/eval_config.yaml"]
    assert completed(project, "promptrial run --experiments_dir exp") == ["experiments"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_completion_script_knows_every_verb_and_queries_the_runs(project: Project, shell: str) -> None:
    script = project.call("completion", shell)
    assert script.code == 0
    assert all(verb in script.out for verb in COMMANDS)
    assert "promptrial completion runs 2>/dev/null" in script.out
    assert str(project.root) not in script.out


def test_bash_reads_the_script_without_output(project: Project) -> None:
    script = project.root / "script"
    script.write_text(project.call("completion", "bash").out)
    outcome = subprocess.run(["/bin/bash", "-n", str(script)], capture_output=True, text=True, check=False)
    assert (outcome.returncode, outcome.stderr) == (0, "")


def test_without_a_folder_of_runs_no_names_are_completed(project: Project) -> None:
    outcome = project.call("completion", "runs")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


def test_an_unsupported_shell_is_a_usage_error(project: Project) -> None:
    outcome = project.call("completion", "bsh")
    assert outcome.code == 2
    assert "invalid choice: 'bsh'; did you mean 'bash'?" in outcome.err
