"""Where the loop looks for a stop: before a phase begins, and before each trial of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from promptrial.model import Trial
from promptrial.phases import costs, stats
from promptrial.phases.base import Phase, Produced
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.store import records
from promptrial.store.records import RunState
from tests.support.project import Project

Work = Callable[[RunSpec, Services, Trial], Produced]


def stopping(phase: Phase, worked_on: list[str]) -> Phase:
    """Return a phase that notes each trial, and in the middle of the first one is asked to stop."""
    work = phase.run_trial
    assert work is not None

    def run(spec: RunSpec, services: Services, trial: Trial) -> Produced:
        worked_on.append(trial.slug)
        produced = work(spec, services, trial)
        services.stop.set("asked by the test", wake=False)
        return produced

    return replace(phase, run_trial=run)


def statuses(project: Project) -> dict[str, str]:
    state = records.load(project.run_root() / "run_state.json", RunState)
    return {name: phase.status for name, phase in state.phases.items()}


def test_a_stop_during_one_phase_prevents_the_next(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    worked_on: list[str] = []
    monkeypatch.setattr(stats, "PHASE", stopping(stats.PHASE, worked_on))
    outcome = project.run()
    assert outcome.code == 5, outcome.err
    assert len(worked_on) == 1
    assert statuses(project)["stats"] == "completed"
    assert statuses(project)["costs"] == "not_started"
    monkeypatch.undo()


def test_a_stop_during_one_trial_prevents_the_next(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    worked_on: list[str] = []
    monkeypatch.setattr(costs, "PHASE", stopping(costs.PHASE, worked_on))
    outcome = project.run("--prompt_sets", "main,other")
    assert outcome.code == 5, outcome.err
    assert len(worked_on) == 1
    assert statuses(project)["costs"] == "stopped"
