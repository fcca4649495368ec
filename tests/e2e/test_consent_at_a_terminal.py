"""The question before money is spent, at a terminal of 80 columns: a process of its own, and keys that are typed."""

from __future__ import annotations

import json
import re
from contextlib import AbstractContextManager
from typing import Final

import pytest

from tests.support.project import Project
from tests.support.terminals import Terminal, at_a_terminal

pytestmark = pytest.mark.usefixtures("asks")
DEAR: Final = {"fake": {"models": {"m1": {"input_per_million": 1000.0, "output_per_million": 1000.0}}}}


def asked(project: Project, *flags: str) -> AbstractContextManager[Terminal]:
    return at_a_terminal(project, "run", "--run_id", "r", *flags, provider="PaidProvider")


@pytest.fixture(autouse=True)
def _dear(project: Project) -> None:
    project.write_config({"pricing": DEAR})


def is_answered(project: Project) -> bool:
    state = json.loads((project.run_root() / "run_state.json").read_text())
    assert state["phases"]["submit"]["status"] == ("completed" if state.get("consents") else "failed")
    return bool(state.get("consents"))


def test_a_yes_continues_and_the_question_fits_the_terminal(project: Project) -> None:
    with asked(project, "--to_step", "poll") as terminal:
        terminal.wait_for("Continue? [y/N] ")
        question_lines = [line for line in terminal.lines if line.strip()]
        terminal.type("y\n")
        assert terminal.end() == 0
    assert max(map(len, question_lines)) <= 80
    first = next(n for n, line in enumerate(question_lines) if line.startswith("this run is about to ask 28 requests"))
    question = " ".join(" ".join(question_lines[first:]).split())
    assert re.search(r"about [\d.]+ USD \([\d.]+ to [\d.]+\), at most [\d.]+ USD", question)
    assert "it asks because it may cost more than 1 USD (spending.ask_above_usd)" in question
    assert question_lines[-1] == "Continue? [y/N] "
    assert is_answered(project)


@pytest.mark.parametrize("keys", ["no\n", "\x04", "\x03"], ids=["no", "EOF", "Ctrl-C"])
def test_anything_but_a_yes_sends_nothing(project: Project, keys: str) -> None:
    with asked(project, "--to_step", "poll") as terminal:
        terminal.wait_for("Continue? [y/N] ")
        terminal.type(keys)
        assert terminal.end() == 2
    assert not is_answered(project)
    assert "error: nothing was sent" in terminal.shown
    assert "promptrial run --run_id r --resume --yes" in terminal.shown


def test_text_typed_before_the_question_is_not_an_answer(project: Project) -> None:
    with asked(project, "--to_step", "poll") as terminal:
        terminal.type("y\n")
        terminal.wait_for("Continue? [y/N] ")
        terminal.type("\n")
        assert terminal.end() == 2
    assert not is_answered(project)


def test_a_request_to_stop_ends_the_wait_for_an_answer(project: Project) -> None:
    with asked(project, "--to_step", "poll") as terminal:
        terminal.wait_for("Continue? [y/N] ")
        (project.run_root() / "STOP_REQUESTED").write_text("stop\n")
        assert terminal.end() == 5
