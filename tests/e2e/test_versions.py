"""Code that makes other results than before has another version, and makes exactly what depends on it again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest

from promptrial import registry
from promptrial.phases import score
from tests.support.project import Project

EVERY = {*registry.PHASES}


def executed(project: Project) -> set[str]:
    """Resume a run, and return the phases that it executed."""
    log = project.run_root() / "run.log"
    before = len(log.read_text().splitlines())
    outcome = project.run("--resume")
    assert outcome.code == 0, outcome.err
    events = [json.loads(line) for line in log.read_text().splitlines()[before:]]
    return {event["phase"] for event in events if event["event"] == "gate" and event["action"] == "execute"}


def planned(project: Project, phase: str) -> str:
    """Return what the plan says of a phase."""
    phases = json.loads(project.call("plan", "--run_id", "r", "--json").out)["phases"]
    return next(f"{each['action']} ({each['reason']})" for each in phases if each["phase"] == phase)


def inputs(project: Project, stage: str) -> dict[str, Any]:
    """Return what a trial's receipt says that a stage was made from."""
    manifest = json.loads((project.trial_folder() / "results/trial_manifest.json").read_text())
    found: dict[str, Any] = manifest["stage_status"][stage]["inputs"]
    return found


@pytest.fixture
def finished(project: Project) -> Project:
    project.given_run()
    return project


def test_receipts_record_no_version_while_all_are_the_first(finished: Project) -> None:
    assert {*inputs(finished, "parsed")} == {"plan", "prepare", "build", "poll"}
    assert {*inputs(finished, "scored")} == {"plan", "prepare", "build", "parse"}
    assert {*inputs(finished, "stats")} == {"plan", "prepare", "parse", "score"}
    assert {*inputs(finished, "costs")} == {"plan", "parse", "score"}


def test_a_new_version_of_a_phase_reruns_only_it_and_its_dependents(
    finished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(score, "PHASE", replace(score.PHASE, version=2))
        assert planned(finished, "score") == "execute (version changed)"
        assert executed(finished) == {"score", "stats", "costs", "report"}
        assert inputs(finished, "scored")["version"] == "2"
        assert executed(finished) == set()
    assert executed(finished) == {"score", "stats", "costs", "report"}
    assert "version" not in inputs(finished, "scored")


def test_a_new_version_of_a_statistic_reruns_only_the_statistics(
    finished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "STATISTIC_VERSIONS", {"bootstrap": 2})
    assert planned(finished, "stats") == "execute (statistic bootstrap changed)"
    assert executed(finished) == {"stats", "report"}
    assert inputs(finished, "stats")["statistic bootstrap"] == "2"
    assert executed(finished) == set()


@pytest.fixture
def statistics() -> Iterator[dict[str, str]]:
    """The statistics of the registry, to be changed; afterwards they are there again, in the order of before."""
    known = cast("dict[str, str]", registry.STATISTICS)
    before = dict(known)
    yield known
    known.clear()
    known.update(before)


def test_adding_or_removing_a_statistic_reruns_only_the_statistics(
    finished: Project, statistics: dict[str, str]
) -> None:
    wilcoxon = statistics.pop("wilcoxon")
    assert executed(finished) == {"stats", "report"}
    assert inputs(finished, "stats")["statistic wilcoxon"] == "none"
    statistics |= {"wilcoxon": wilcoxon, "again": wilcoxon}
    assert executed(finished) == {"stats", "report"}
    assert inputs(finished, "stats")["statistic again"] == "1"
    assert "statistic wilcoxon" not in inputs(finished, "stats")
    assert executed(finished) == set()


@pytest.mark.parametrize(
    ("place", "value", "again", "named"),
    [
        ("promptrial.documents.significance.SCHEMA_VERSION", 3, {"stats", "report"}, "stats"),
        ("promptrial.documents.cost_report.SCHEMA_VERSION", 2, {"costs", "report"}, "costs"),
    ],
)
def test_a_new_version_of_a_document_makes_it_again(
    finished: Project, monkeypatch: pytest.MonkeyPatch, place: str, value: int, again: set[str], named: str
) -> None:
    monkeypatch.setattr(place, value)
    assert planned(finished, named) == "execute (schema changed)"
    assert planned(finished, "parse") == planned(finished, "score") == "skip (already done)"
    assert {name for name in EVERY if planned(finished, name).startswith("execute")} == again


@pytest.mark.parametrize(
    ("place", "phase", "again"),
    [
        ("promptrial.phases.parse.PREDICTION_COLUMNS", "parse", {"parse", "score", "stats", "costs", "report"}),
        ("promptrial.phases.score.IDENTITY_COLUMNS", "score", {"score", "stats", "costs", "report"}),
    ],
)
def test_a_new_column_makes_its_table_again(
    finished: Project, monkeypatch: pytest.MonkeyPatch, place: str, phase: str, again: set[str]
) -> None:
    module, _, name = place.rpartition(".")
    columns = getattr(__import__(module, fromlist=[name]), name)
    monkeypatch.setattr(place, (*columns, ("latency_ms", "float")))
    assert planned(finished, phase) == "execute (columns changed)"
    assert {name for name in EVERY if planned(finished, name).startswith("execute")} == again


# --- a phase that an older state does not know ----------------------------------------------------------------------


def forget(project: Project, phase: str, stage: str | None) -> None:
    """Let a finished run be one of a version that did not have a phase."""
    path = project.run_root() / "run_state.json"
    state = json.loads(path.read_text())
    del state["phases"][phase]
    path.write_text(json.dumps(state))
    if stage is not None:
        path = project.trial_folder() / "results/trial_manifest.json"
        manifest = json.loads(path.read_text())
        del manifest["stage_status"][stage]
        path.write_text(json.dumps(manifest))


def status(project: Project, phase: str) -> str:
    phases = json.loads(project.call("status", "r", "--json").out)["phases"]
    return str(phases[phase]["status"])


def test_a_phase_unknown_to_an_older_run_has_not_started_and_runs_on_a_resume(finished: Project) -> None:
    forget(finished, "costs", "costs")
    assert status(finished, "costs") == "not_started"
    assert executed(finished) == {"costs", "report"}
    assert status(finished, "costs") == "completed"
    forget(finished, "costs", None)  # its receipt is there, and holds
    assert executed(finished) == set()
    assert status(finished, "costs") == "completed"
