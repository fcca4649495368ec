"""A pilot asks some items first, stops with the plan for the others, and ends as a run without a pilot does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from promptrial import registry
from tests.e2e.test_growing import files, lines, requests, results
from tests.support import fake_provider
from tests.support.project import Project

PILOT_LINE = re.compile(rb"- Pilot: at most 2 items of each data set were asked first[^\n]*\n")


pytestmark = pytest.mark.usefixtures("asks")


@pytest.fixture(autouse=True)
def _paid(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - it comes first
    """Let money be asked for answers."""
    monkeypatch.setitem(registry.PROVIDERS, "fake", "tests.support.fake_provider:PaidProvider")


def state(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project.run_root() / "run_state.json").read_text())
    return found


def status(project: Project) -> str:
    return project.call("status", "r").out


def asked() -> int:
    """Return how many requests were answered, each once."""
    assert set(fake_provider.CALLS.values()) <= {1}
    return fake_provider.CALLS.total()


def like_a_run_without_a_pilot(project: Project) -> None:
    """Require the files that a fresh run has; only the line in its reports that names the pilot may be more."""
    fake_provider.CALLS.clear()
    outcome = project.run("--experiments_dir", "fresh")
    assert outcome.code == 0, outcome.err
    piloted, fresh = project.run_root(), project.root / "fresh/run_r"
    made, wanted = made_from_answers(piloted), made_from_answers(fresh)
    reports = [data for path, data in made.items() if path.endswith(("details.md", "aggregate_report.md"))]
    assert [len(PILOT_LINE.findall(data)) for data in reports] == [1] * len(reports)
    assert {path: without_pilot(data) for path, data in made.items()} == wanted
    assert lines(requests(piloted)) == lines(requests(fresh))


def made_from_answers(root: Path) -> dict[str, bytes]:
    """Return the files from *parse* on; which job answered a part is not among them."""
    found = {path: data for path, data in results(root).items() if not path.endswith(("_job.json", "_output.json"))}
    assert len(found) > 10
    return found


def without_pilot(data: bytes) -> bytes:
    data = PILOT_LINE.sub(b"", data)
    return re.sub(rb"\s*<(li|p)>Pilot: at most 2 items[^\n]*", b"", data)


def test_a_pilot_stops_with_the_plan_and_its_resume_asks_only_the_rest(project: Project) -> None:
    outcome = project.run("--pilot", "2")
    assert outcome.code == 5
    assert asked() == 8
    assert "the sample grows (limit_items: 2 -> all): 10 new items, 20 new requests" in " ".join(outcome.out.split())
    assert outcome.out.startswith("the pilot is finished; spent so far: 0.000")
    plan = " ".join(outcome.out.split())
    assert "input tokens: measured on this run's answers" in plan
    assert "from 4 items scored in this run" in plan
    assert "resume it with: promptrial run --run_id r --resume --yes" in outcome.err
    assert state(project)["pilot"] == {"items": 2}
    made = {path.rpartition("/")[2] for path in files(project.run_root())}
    assert "costs.json" in made
    assert not made & {"significance.json", "report.md", "report.html"}
    command = "promptrial run --run_id r --resume --yes"
    assert f"the pilot is finished (2 items of each data set); ask the rest: {command}" in status(project)
    assert "the pilot of 2 items of each data set is finished" in project.call("doctor", "r").out
    first = requests(project.run_root())
    again = project.run("--resume")
    assert (again.code, again.out, asked()) == (5, outcome.out, 8)
    assert project.run("--resume", "--yes").code == 0
    assert asked() == 28
    assert first.items() <= requests(project.run_root()).items()
    assert state(project)["pilot"] == {"items": 2, "passed": True}
    assert "pilot" not in status(project)
    assert "limit_items" not in state(project).get("overrides", {})
    assert [growth.get("statistics", False) for growth in state(project)["growth"]] == [False]
    like_a_run_without_a_pilot(project)


def test_with_yes_a_pilot_continues_in_the_same_invocation(project: Project) -> None:
    outcome = project.run("--pilot", "2", "--yes")
    assert outcome.code == 0, outcome.err
    assert "10 new items, 20 new requests" in " ".join(outcome.out.split())
    assert asked() == 28
    like_a_run_without_a_pilot(project)


def test_the_json_of_a_pilot_is_one_document(project: Project) -> None:
    stopped = project.run("--pilot", "2", "--json")
    assert stopped.code == 5
    assert json.loads(stopped.out)["growth"]["requests"] == 20
    assert 0 < json.loads(stopped.out)["spent_usd"] < 0.001
    finished = project.run("--resume", "--yes", "--json")
    assert json.loads(finished.out)["run_id"] == "r"


@pytest.mark.parametrize("step", ["build", "submit", "score"])
def test_an_interrupted_pilot_is_resumed_as_a_pilot(project: Project, step: str) -> None:
    assert project.run("--pilot", "2", "--to_step", step).code == 0
    assert project.run("--resume").code == 5
    assert asked() == 8


@pytest.mark.parametrize("pilot", ["8", "50"])
def test_a_pilot_as_large_as_the_sample_says_so_and_runs_everything(project: Project, pilot: str) -> None:
    outcome = project.run("--pilot", pilot)
    assert outcome.code == 0, outcome.err
    assert f"the pilot of {pilot} items of each data set covers every item: nothing is left to ask" in outcome.err
    assert asked() == 28
    assert (project.run_root() / "aggregate_report.md").exists()


def test_a_pilot_within_a_limit_grows_to_the_limit(project: Project) -> None:
    assert project.run("--pilot", "2", "--limit_items", "4").code == 5
    assert project.run("--resume", "--yes").code == 0
    assert asked() == 16
    assert state(project)["overrides"] == {"limit_items": 4}


def test_a_run_started_without_a_pilot_gets_none_later(project: Project) -> None:
    project.given_run("--to_step", "build")
    outcome = project.run("--resume", "--pilot", "2")
    assert outcome.code == 2
    assert "--pilot: run r was started without a pilot" in outcome.err
    assert "next: resume without --pilot: promptrial run --run_id r --resume" in outcome.err


def test_a_run_past_its_pilot_does_not_return_to_it(project: Project) -> None:
    assert project.run("--pilot", "2", "--yes").code == 0
    outcome = project.run("--resume", "--pilot", "2")
    assert outcome.code == 2
    assert "--pilot: run r has already finished its pilot of 2 items" in outcome.err


def test_a_pilot_keeps_its_size(project: Project) -> None:
    assert project.run("--pilot", "2").code == 5
    outcome = project.run("--resume", "--pilot", "3")
    assert outcome.code == 2
    assert "--pilot: the pilot of run r has 2 items of each data set, which cannot change" in outcome.err


def test_no_step_computes_statistics_of_a_pilot(project: Project) -> None:
    assert project.run("--pilot", "2").code == 5
    assert project.run("--resume", "--only_step", "stats").code == 5
    assert project.run("--resume", "--from_step", "stats").code == 5
    assert not [*project.run_root().glob("*/results/significance.json")]


def test_a_run_that_lost_its_state_still_knows_its_pilot(project: Project) -> None:
    assert project.run("--pilot", "2").code == 5
    (project.run_root() / "run_state.json").write_text("{}")
    outcome = project.run("--resume")
    assert outcome.code == 5, outcome.err
    assert asked() == 8
    assert state(project)["pilot"] == {"items": 2}


def test_the_pilot_asks_for_consent_by_its_own_cost_and_the_rest_by_all(project: Project) -> None:
    dear = {"fake": {"models": {"m1": {"input_per_million": 100.0, "output_per_million": 100.0}}}}
    project.write_config({"pricing": dear, "spending": {"ask_above_usd": 0.3}})
    assert project.run("--pilot", "1").code == 5
    assert [each["how"] for each in state(project)["consents"]] == ["threshold"]
    assert project.run("--resume", "--yes").code == 0
    assert [each["how"] for each in state(project)["consents"]] == ["threshold", "flag"]


def test_the_plan_of_a_pilot_shows_both_steps_and_changes_nothing(project: Project) -> None:
    outcome = project.call("plan", "--run_id", "r", "--pilot", "2")
    assert outcome.code == 0, outcome.err
    assert "the pilot: 2 items of each data set" in outcome.out
    assert "the whole run, its pilot included" in outcome.out
    assert not project.run_root().exists()
    assert project.run("--pilot", "2").code == 5
    assert "the pilot: 2 items of each data set" in project.call("plan", "--run_id", "r").out
    value = json.loads(project.call("plan", "--run_id", "r", "--json").out)
    assert [phase["action"] for phase in value["pilot"]["phases"] if phase["phase"] != "stats"][:6] == ["skip"] * 6
    assert value["growth"]["requests"] == 20
