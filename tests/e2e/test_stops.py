"""How a stop, or a filter, leaves a run: what its state and the words for it say."""

from __future__ import annotations

import json

import pytest

from promptrial.engine.loop import Engine
from promptrial.engine.providers import Providers
from promptrial.errors import Detached
from promptrial.phases.base import Phase
from promptrial.store.records import PhaseStatus
from tests.support import fake_provider
from tests.support.project import Project


def test_an_immediate_stop_during_a_soft_stop_names_the_run_too(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentinel = project.run_root() / "STOP_REQUESTED"
    fake_provider.BEFORE_ROW.append(lambda _: sentinel.touch())

    def detach(_: Providers) -> None:
        raise Detached(None)

    monkeypatch.setattr(Providers, "close", detach)
    stopped = project.run()
    fake_provider.BEFORE_ROW.clear()
    assert stopped.code == 5
    assert "promptrial run --run_id r --resume" in stopped.err


def test_a_plan_is_made_while_the_run_is_asked_to_stop(project: Project) -> None:
    project.run_root().mkdir(parents=True)
    sentinel = project.run_root() / "STOP_REQUESTED"
    sentinel.touch()
    before = project.run("--plan_only")
    assert (before.code, sentinel.exists()) == (0, True), before.err
    assert project.run().code == 0
    sentinel.touch()
    assert project.run("--resume", "--plan_only").code == 0


def test_trials_left_out_by_a_filter_do_not_count_as_a_crash(project: Project) -> None:
    project.given_run("--prompt_sets", "main,other", "--trial_filter", "m1-main")
    assert json.loads(project.call("status", "r", "--json").out)["status"] == "incomplete"
    state = json.loads((project.run_root() / "run_state.json").read_text())
    assert state["phases"]["poll"]["status"] == "stopped"
    assert project.run("--resume").code == 0
    assert json.loads(project.call("status", "r", "--json").out)["status"] == "finished"


def test_a_stop_between_two_phases_is_called_a_stop(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    sentinel, move = project.run_root() / "STOP_REQUESTED", Engine._move

    def stop_after_parse(engine: Engine, phase: Phase, status: PhaseStatus, error: str | None = None) -> None:
        move(engine, phase, status, error)
        if (phase.name, status) == ("parse", "completed"):
            sentinel.touch()

    monkeypatch.setattr(Engine, "_move", stop_after_parse)
    assert project.run().code == 5
    assert json.loads(project.call("status", "r", "--json").out)["status"] == "stopped"
