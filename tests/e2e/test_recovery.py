"""Records that are lost, alone and together: what is here of the answers is kept, and nothing is paid for twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptrial.engine.loop import Engine
from tests.support import fake_provider
from tests.support.hosted_fixtures import hosted, process
from tests.support.hosted_run import HostedProject
from tests.support.project import Project

__all__ = ["hosted", "process"]

RESULTS = "m1-main-tp1-tk50-mx64-64/results"
MANIFEST = f"{RESULTS}/trial_manifest.json"
BUILT = "batch_inputs/manifest.json"
REQUESTS = "batch_inputs/m1-main-tp1-tk50-mx64-64/t0_control_p001.jsonl"


def jobs(root: Path) -> dict[str, str]:
    """Return the job of each part."""
    parts = json.loads((root / MANIFEST).read_text())["parts"]
    return {name: part["job"] for name, part in parts.items()}


def without_times(root: Path) -> dict[str, Any]:
    """Return the manifest, but for its times."""
    manifest: dict[str, Any] = json.loads((root / MANIFEST).read_text())
    stages = {name: stage | {"updated_at": ""} for name, stage in manifest["stage_status"].items()}
    return manifest | {"timestamps": {}, "stage_status": stages}


def lose(root: Path, *names: str) -> None:
    for name in names:
        (root / name).unlink()


def reword(project: Project) -> None:
    (project.root / "config/treatment.txt").write_text("Something else.\n")


# --- answered here --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [(MANIFEST,), (MANIFEST, BUILT), (MANIFEST, REQUESTS), (MANIFEST, BUILT, REQUESTS)])
def test_what_was_answered_before_records_were_lost_is_not_asked_again(project: Project, lost: tuple[str, ...]) -> None:
    project.given_run(run_id="whole")
    fake_provider.CALLS.clear()
    sentinel = project.run_root() / "STOP_REQUESTED"
    fake_provider.BEFORE_ROW.append(lambda _: sentinel.touch() if fake_provider.CALLS.total() == 9 else None)
    assert project.run().code == 5
    fake_provider.BEFORE_ROW.clear()
    before = jobs(project.run_root())
    lose(project.run_root(), *lost)
    outcome = project.run("--resume")
    assert outcome.code == 0, outcome.err
    assert max(fake_provider.CALLS.values()) == 1
    assert jobs(project.run_root()) == before
    predictions = f"{RESULTS}/predictions.csv"
    assert (project.run_root() / predictions).read_bytes() == (project.run_root("whole") / predictions).read_bytes()


def test_a_manifest_that_is_made_again_says_all_that_the_lost_one_said(project: Project) -> None:
    project.given_run()
    before = without_times(project.run_root())
    lose(project.run_root(), MANIFEST)
    assert project.run("--resume").code == 0
    after = without_times(project.run_root())
    assert {name: part | {"reason": None} for name, part in after.pop("parts").items()} == before.pop("parts")
    assert after == before


def test_a_plan_promises_no_answers_again_where_only_the_record_of_the_requests_was_lost(project: Project) -> None:
    project.given_run()
    lose(project.run_root(), BUILT)
    plan = project.run("--plan_only").out
    assert plan.count("to do (re-asks only requests that changed)") == 2
    fake_provider.CALLS.clear()
    assert "poll: running" not in project.run("--resume").err
    assert not fake_provider.CALLS


def test_no_report_is_written_until_the_engine_is_recorded(project: Project) -> None:
    project.given_run()
    report = project.run_root() / "aggregate_report.md"
    before = report.read_bytes()
    manifest = json.loads((project.run_root() / MANIFEST).read_text())
    (project.run_root() / MANIFEST).write_text(json.dumps(manifest | {"engine": {}}))
    outcome = project.run("--from_step", "parse")
    assert outcome.code == 1
    assert "report is blocked (needs submit: the engine and these prompts were not recorded)" in outcome.err
    assert project.run("--resume").code == 0
    assert report.read_bytes() == before


def test_a_step_does_not_fail_for_a_summary_that_cannot_be_given(project: Project) -> None:
    summary = project.run().out
    (project.run_root() / "prepared/closed_book.jsonl").write_bytes(b"garbled\n")
    outcome = project.run("--only_step", "poll")
    assert outcome.code == 0
    assert "no summary, because its report is not valid (prepare: closed_book.jsonl damaged)" in outcome.err
    assert json.loads(project.run("--only_step", "poll", "--json").out)["trials"] == []
    assert project.run("--resume").out == summary


@pytest.mark.parametrize("lost", [(MANIFEST,), (MANIFEST, BUILT)])
@pytest.mark.parametrize("built", [True, False])
def test_answers_to_another_prompt_are_never_taken_up(project: Project, lost: tuple[str, ...], built: bool) -> None:
    """Nothing in a row says which prompt it answers; a change that was forced may be built already, or not yet."""
    project.given_run("--to_step", "poll")
    reword(project)
    if built:
        assert project.run("--only_step", "build", "--force").code == 0
    lose(project.run_root(), *lost)
    fake_provider.CALLS.clear()
    assert project.run("--resume", "--force").code == 0
    assert sum("-t-" in name for name in fake_provider.CALLS) == 14
    project.run(run_id="whole")
    predictions = f"{RESULTS}/predictions.csv"
    assert (project.run_root() / predictions).read_bytes() == (project.run_root("whole") / predictions).read_bytes()


def test_answers_to_a_prompt_that_was_forced_and_submitted_are_taken_up(project: Project) -> None:
    project.given_run()
    reword(project)
    assert project.run("--resume", "--force").code == 0
    fake_provider.CALLS.clear()
    lose(project.run_root(), MANIFEST)
    assert project.run("--resume").code == 0
    assert not fake_provider.CALLS


@pytest.mark.parametrize("cut_short", [False, True])
@pytest.mark.parametrize("damage", ["garble", "delete"])
def test_answers_of_a_run_of_which_no_record_is_left_are_not_taken_for_those_of_a_prompt_that_was_forced(
    project: Project, damage: str, cut_short: bool
) -> None:
    project.given_run()
    reword(project)
    assert project.run("--resume", "--force", "--to_step", "build").code == 0
    for name in ("run_state.json", MANIFEST):
        path = project.run_root() / name
        path.write_text("{") if damage == "garble" else path.unlink()
    if cut_short:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Engine, "run", interrupt)
            assert project.call("resume", "r").code == 130
    fake_provider.CALLS.clear()
    outcome = project.call("resume", "r")
    assert outcome.code == 0, outcome.err
    assert set(fake_provider.CALLS.values()) == {1}
    assert "its requests have changed; the answers to the previous requests are kept in" in outcome.err
    project.run(run_id="whole")
    predictions = f"{RESULTS}/predictions.csv"
    assert (project.run_root() / predictions).read_bytes() == (project.run_root("whole") / predictions).read_bytes()


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


# --- answered elsewhere ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [(MANIFEST,), (MANIFEST, BUILT), (MANIFEST, REQUESTS)])
@pytest.mark.parametrize("step", ["submit", "poll"])
def test_jobs_that_were_paid_for_are_found_again(hosted: HostedProject, lost: tuple[str, ...], step: str) -> None:
    assert hosted.run("--to_step", step).code == 0
    root = hosted.project.run_root()
    before = jobs(root)
    lose(root, *lost)
    outcome = hosted.run("--resume")
    assert outcome.code == 0, outcome.err
    assert jobs(root) == before
    hosted.paid_once()


def test_jobs_that_other_settings_gave_their_names_are_found_again(hosted: HostedProject) -> None:
    assert hosted.run("--prompt_sets", "main,other", "--no_sharing", "--to_step", "submit").code == 0
    made, root = len(hosted.jobs()), hosted.project.run_root()
    lose(root, "run_state.json")
    for manifest in root.glob("*/results/trial_manifest.json"):
        manifest.unlink()
    outcome = hosted.project.call("resume", "r", "--to_step", "parse")
    assert outcome.code == 0, outcome.err
    assert len(hosted.jobs()) == made
    hosted.paid_once()


def test_answers_that_are_here_are_kept_though_the_provider_has_forgotten_their_jobs(hosted: HostedProject) -> None:
    assert hosted.run("--to_step", "poll").code == 0
    whole = [path.read_bytes() for path in sorted(hosted.results().glob("*/results.jsonl"))]
    lose(hosted.project.run_root(), MANIFEST)
    for path in hosted.results().glob("t0_treatment*_job.json"):
        path.unlink()
    hosted.emulator.plain.delete(f"{hosted.emulator.url}/__emu/state").raise_for_status()
    outcome = hosted.run("--resume")
    assert outcome.code == 0, outcome.err
    assert not hosted.jobs()
    assert [path.read_bytes() for path in sorted(hosted.results().glob("*/results.jsonl"))] == whole


def test_answers_that_are_torn_are_fetched_again_and_not_bought_again(hosted: HostedProject) -> None:
    assert hosted.run("--to_step", "poll").code == 0
    whole = [path.read_bytes() for path in sorted(hosted.results().glob("*/results.jsonl"))]
    lose(hosted.project.run_root(), MANIFEST)
    torn = hosted.results() / "t0_control_p001/results.jsonl"
    torn.write_bytes(b"".join(torn.read_bytes().splitlines(keepends=True)[1:]))
    outcome = hosted.run("--resume")
    assert outcome.code == 0, outcome.err
    hosted.paid_once()
    assert [path.read_bytes() for path in sorted(hosted.results().glob("*/results.jsonl"))] == whole


def asked_twice(hosted: HostedProject) -> Path:
    """Let the first part be asked in two jobs, the first of which ended early; then lose its manifest."""
    hosted.emulator.fault("F10", "create_job", variant="expired", share=0.5, output=True)
    hosted.emulator.fault("F11", "create_job", variant="garbage", share=0.3)
    assert hosted.run("--parts_per_dataset", "1").code == 0
    assert len(hosted.jobs()) == 3
    lose(hosted.project.run_root(), MANIFEST)
    return hosted.results() / "t0_control_p001"


def test_earlier_answers_of_which_a_row_cannot_be_read_are_kept_as_they_came(hosted: HostedProject) -> None:
    folder = asked_twice(hosted)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert any(not line.endswith(b"}") for line in before["results.a1.jsonl"].splitlines())
    hosted.emulator.plain.delete(f"{hosted.emulator.url}/__emu/state").raise_for_status()
    outcome = hosted.run("--resume", "--parts_per_dataset", "1")
    assert outcome.code == 0, outcome.err
    assert not hosted.jobs()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_earlier_answers_that_were_lost_with_their_record_are_fetched_again_and_not_bought_again(
    hosted: HostedProject,
) -> None:
    folder = asked_twice(hosted)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    lose(folder, "results.a1.jsonl")
    outcome = hosted.run("--resume", "--parts_per_dataset", "1")
    assert outcome.code == 0, outcome.err
    assert len(hosted.jobs()) == 3
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_earlier_answers_that_are_gone_everywhere_are_bought_again_only_if_told(hosted: HostedProject) -> None:
    folder = asked_twice(hosted)
    lose(folder, "results.a1.jsonl")
    hosted.emulator.plain.delete(f"{hosted.emulator.url}/__emu/state").raise_for_status()
    outcome = hosted.run("--resume", "--parts_per_dataset", "1")
    assert outcome.code == 1
    assert "--rebuy" in outcome.err
    assert not hosted.jobs()
    outcome = hosted.run("--resume", "--rebuy", "--parts_per_dataset", "1")
    assert outcome.code == 0, outcome.err
    assert 0 < hosted.rows_bought() < 14


def test_an_attempt_that_had_answered_nothing_is_not_missed_where_a_later_one_has_answered_all(
    hosted: HostedProject,
) -> None:
    hosted.emulator.fault("F10", "create_job", variant="expired", share=0.0)
    assert hosted.run("--parts_per_dataset", "1").code == 0
    lose(hosted.project.run_root(), MANIFEST)
    bought = len(hosted.jobs())
    assert bought == 3
    for path in hosted.results().glob("t0_control_p001/results.a1.jsonl"):
        path.unlink()
    hosted.emulator.plain.delete(f"{hosted.emulator.url}/__emu/state").raise_for_status()
    outcome = hosted.run("--resume", "--parts_per_dataset", "1")
    assert outcome.code == 0, outcome.err
    assert not hosted.jobs()


def answers(hosted: HostedProject) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in sorted(hosted.results().glob("t0_*/results.jsonl"))}


@pytest.mark.parametrize("lost", [(MANIFEST,), (MANIFEST, BUILT)])
@pytest.mark.parametrize("built", [False, True])
def test_answers_to_an_earlier_prompt_are_not_taken_up_for_another_that_was_asked_last(
    hosted: HostedProject, lost: tuple[str, ...], built: bool
) -> None:
    prompts, flags = hosted.project.root / "config/control.txt", ("--resume", "--force")
    first = prompts.read_bytes()
    assert hosted.run().code == 0
    prompts.write_bytes(b"Something else.")
    assert hosted.run(*flags).code == 0
    second = answers(hosted)
    prompts.write_bytes(first)
    assert hosted.run(*flags).code == 0
    bought = len(hosted.jobs())
    assert answers(hosted) != second
    prompts.write_bytes(b"Something else.")
    if built:
        assert hosted.run(*flags, "--to_step", "build").code == 0
    lose(hosted.project.run_root(), *lost)
    outcome = hosted.run(*flags)
    assert outcome.code == 0, outcome.err
    assert answers(hosted) == second
    assert len(hosted.jobs()) == bought


def test_answers_that_trials_share_are_not_bought_again_where_every_record_of_them_is_lost(
    hosted: HostedProject,
) -> None:
    assert hosted.run("--prompt_sets", "main,other").code == 0
    bought, before = hosted.rows_bought(), answers(hosted)
    root = hosted.project.run_root()
    for path in (root / "run_state.json", *root.glob("*/results/trial_manifest.json")):
        path.unlink()
    outcome = hosted.project.call("resume", "r", "--to_step", "parse")
    assert outcome.code == 0, outcome.err
    assert (hosted.rows_bought(), answers(hosted)) == (bought, before)


# --- dry runs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [(), (MANIFEST,), (MANIFEST, "effective_config.yaml")])
def test_a_dry_run_that_lost_its_records_before_it_met_its_emulator_buys_nothing(
    hosted: HostedProject, lost: tuple[str, ...]
) -> None:
    assert hosted.run("--dry_run", "--to_step", "build").code == 0
    lose(hosted.project.run_root(), "run_state.json", *lost)
    outcome = hosted.project.call("resume", "r", "--to_step", "parse", "--force")
    assert outcome.code == 0, outcome.err
    assert not hosted.jobs()
    assert json.loads((hosted.project.run_root() / "run_state.json").read_text())["dry_run"] is True


@pytest.mark.parametrize("lost", [(), (MANIFEST,)])
def test_a_run_that_has_bought_jobs_never_goes_on_as_a_dry_one(hosted: HostedProject, lost: tuple[str, ...]) -> None:
    assert hosted.run("--to_step", "submit").code == 0
    root = hosted.project.run_root()
    (root / "run_state.json").write_text("{")
    lose(root, *lost)
    before = hosted.project.snapshot()
    outcome = hosted.run("--resume", "--dry_run")
    assert outcome.code == 3
    assert "was started with real providers" in outcome.err
    assert hosted.project.snapshot() == before
    assert hosted.run("--resume").code == 0
    hosted.paid_once()


def test_a_job_that_only_the_journal_names_is_a_job_that_was_bought(hosted: HostedProject) -> None:
    assert hosted.run("--to_step", "submit").code == 0
    root = hosted.project.run_root()
    intent = hosted.intents()[0]
    line = {"part": "t0_control_p001", "status": "submitted", "at": "2026-01-01T00:00:00Z", "key": intent.key}
    (root / RESULTS / "jobs.journal.jsonl").write_text(json.dumps(line) + "\n")
    lose(root, "run_state.json", MANIFEST, *(f"{RESULTS}/{path.name}" for path in hosted.results().glob("*_job.json")))
    assert hosted.run("--dry_run").code == 3
