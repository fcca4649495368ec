"""Every command of the operator's guide works as written, in order, and ends as the guide says."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from promptrial.providers.base import JobRef
from promptrial.providers.fireworks import FireworksProvider
from promptrial.store import records
from promptrial.store.records import RunState
from tests.support import older_runs
from tests.support.project import Outcome, Project

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "EXPERIMENT_WORKFLOW.md").read_text()
_PATIENCE_S = 60


class Command(NamedTuple):
    """A command, the exit code written after it (0 if there is none), and the heading above it."""

    words: str
    code: int
    heading: str


def commands() -> Iterator[Command]:
    for section in GUIDE.split("\n## ")[1:]:
        for block in re.findall(r"^```sh\n(.*?)^```", section, re.DOTALL | re.MULTILINE):
            for line in block.splitlines():
                words, _, comment = line.partition("  #")
                code = re.match(r" exit (\d+)", comment)
                yield Command(words.strip(), int(code[1]) if code else 0, section.splitlines()[0])


class Shell:
    """A folder with a sample experiment, which is the current one, in which commands are run as an operator would.

    The program itself runs in this process, which saves its start some forty times; a run in the background does not.
    """

    def __init__(self, folder: Path) -> None:
        for name in ("config", "data"):
            shutil.copytree(ROOT / name, folder / name)
        self.folder = folder
        self.background: list[subprocess.Popen[bytes]] = []

    def run(self, words: str) -> Outcome:
        program, *flags = shlex.split(words)
        if program == "promptrial":
            assert not set(words) & set("*?|;$`~"), f"a shell would read this otherwise: {words}"
            return Project(self.folder).call(*flags)
        done = subprocess.run(words, shell=True, capture_output=True, text=True, check=False)  # noqa: S602
        return Outcome(done.returncode, done.stdout, done.stderr)

    def start(self, words: str) -> None:
        """Start a command that ends in ``&``, and return when its run is answering."""
        self.background.append(subprocess.Popen(words.rstrip(" &").split(), cwd=self.folder, env=self._env))
        state = self.folder / "experiments/run_guide/run_state.json"
        wait_until(lambda: records.load(state, RunState).phases["poll"].status == "in_progress")

    @property
    def _env(self) -> dict[str, str]:
        return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def wait_until(true: Callable[[], bool]) -> None:
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < _PATIENCE_S
        subprocess.run(["sleep", "0.05"], check=True)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    monkeypatch.chdir(tmp_path)
    shell = Shell(tmp_path)
    yield shell
    for process in shell.background:
        process.kill()
        process.wait()


def lay_out_an_older_run(folder: Path) -> None:
    older_runs.lay_out_prepared(folder / "older_questions")
    older_runs.lay_out_run(folder / "experiments/run_older", "v1")


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_every_command_ends_as_the_guide_says(shell: Shell) -> None:
    (shell.folder / "experiments").mkdir()
    lay_out_an_older_run(shell.folder)
    for command in commands():
        if command.words.endswith("&"):
            shell.start(command.words)
            continue
        outcome = shell.run(command.words)
        assert outcome.code == command.code, f"{command.words}\n{outcome.out}\n{outcome.err}"
        if "--json" in command.words:
            assert json.loads(outcome.out)
        if "stop" in command.words.split():
            assert [process.wait(_PATIENCE_S) for process in shell.background] == [5]


def test_a_command_with_external_requirements_is_not_in_a_sh_block() -> None:
    assert len(list(commands())) > 30
    for command in commands():
        outside = ("firectl", "s3://", "FIREWORKS")
        assert not any(word in command.words for word in outside), command.words
        hosted = "fireworks" in command.words and "run " in command.words
        assert not hosted or "--dry_run" in command.words, command.words


def test_the_program_prints_the_same_commands_to_fetch_answers_by_hand() -> None:
    provider = FireworksProvider.open({"FIREWORKS_API_KEY": "fw_" + "guide", "FIREWORKS_ACCOUNT_ID": "acme"})
    folder = Path("experiments/run_spring/TRIAL/results/t0_control_p001")
    for line in provider.by_hand(JobRef("pt-spring-ac306b86d1e3133f-a1"), folder):
        assert f"\n  {line}\n" in GUIDE
    provider.close()


def test_the_table_of_exit_codes_equals_that_of_the_program() -> None:
    table = GUIDE.split("### Exit codes", 1)[1]
    listed = {code for row in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE) for code in row.split(", ")}
    epilog = subprocess.run([sys.executable, "-m", "promptrial", "--help"], capture_output=True, text=True, check=True)
    told = epilog.stdout.split("exit codes:", 1)[1]
    assert listed == set(re.findall(r"\b\d+\b", told))
