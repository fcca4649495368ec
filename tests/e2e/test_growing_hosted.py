"""Growth where answers cost money: the emulator's ledger shows each request once, whatever comes in between."""

from __future__ import annotations

import httpx
import pytest

from promptrial.providers.request_rows import row_id
from promptrial.store import jsonl
from promptrial.store.rundir import RunDir
from promptrial_emulator.server import EmulatorServer
from tests.support.hosted_fixtures import hosted, process
from tests.support.hosted_run import HostedProject
from tests.support.project import Outcome

__all__ = ["hosted", "process"]

RESULTS = ("predictions.csv", "predictions.parquet", "per_item_scores.csv", "significance.json", "costs.json")


def grow(hosted: HostedProject, *flags: str) -> Outcome:
    outcome = hosted.run("--resume", *flags)
    assert outcome.code == 0, outcome.err
    return outcome


def asked(run: RunDir) -> list[str]:
    """Return the wire id of every request that was written for a job, including duplicates."""
    return [row_id(line) for path in sorted(run.batch_inputs.glob("*/*.jsonl")) for line in jsonl.lines(path)]


def test_a_dry_run_grows_and_its_ledger_shows_each_request_once(hosted: HostedProject) -> None:
    flags = ("--dry_run", "--to_step", "report")
    assert hosted.run("--limit_items", "2", *flags).code == 0
    grow(hosted, "--limit_items", "5", *flags)
    run = RunDir(hosted.project.root / "experiments", "r")
    with EmulatorServer(run.emulator) as server:
        rows = httpx.get(f"{server.url}/__emu/ledger").raise_for_status().json()["rows"]
    jobs = [row for row in rows if row["operation"] == "create_job"]
    assert sum(job["facts"]["rows"] for job in jobs) == 2 * 10
    assert len({job["id"] for job in jobs}) == len(jobs) == 8
    assert len(asked(run)) == len(set(asked(run))) == 2 * 10
    assert hosted.run("--limit_items", "5", *flags, "--experiments_dir", "fresh").code == 0
    fresh = RunDir(hosted.project.root / "fresh", "r")
    slug = hosted.project.trial_folder().name
    for name in RESULTS:
        assert (run.trial(slug).results / name).read_bytes() == (fresh.trial(slug).results / name).read_bytes(), name


def test_a_run_can_grow_while_jobs_are_in_flight(hosted: HostedProject) -> None:
    assert hosted.run("--limit_items", "2", "--to_step", "submit").code == 0
    grow(hosted, "--limit_items", "3", "--to_step", "submit")
    assert hosted.rows_bought() == 2 * 6
    grow(hosted, "--limit_items", "6")
    assert hosted.rows_bought() == 2 * 12
    hosted.paid_once()


@pytest.mark.parametrize("fault", ["F2", "F18"])
def test_a_growth_that_fails_while_submitting_is_resumed_without_the_flag_and_submits_the_rest(
    hosted: HostedProject, fault: str
) -> None:
    assert hosted.run("--limit_items", "2").code == 0
    hosted.emulator.fault(fault, "create_job", nth=2, count=1 if fault == "F18" else -1, **_status(fault))
    hosted.run("--resume", "--limit_items", "4")
    hosted.emulator.clear_faults()
    grow(hosted)
    assert hosted.rows_bought() == 2 * 8
    hosted.paid_once()


def _status(fault: str) -> dict[str, int]:
    return {"status": 500} if fault == "F2" else {}


def test_trials_that_share_an_arm_pay_once_for_its_new_requests(hosted: HostedProject) -> None:
    trials = ("--prompt_sets", "main,other")
    assert hosted.run(*trials, "--limit_items", "2").code == 0
    grow(hosted, *trials, "--limit_items", "4")
    assert hosted.rows_bought() == 3 * 8


def test_a_run_can_grow_after_a_prompt_was_changed_by_force(hosted: HostedProject) -> None:
    assert hosted.run("--limit_items", "2").code == 0
    (hosted.project.config.parent / "treatment.txt").write_text("Be brief.")
    grow(hosted, "--force")
    assert hosted.rows_bought() == 8 + 4
    grow(hosted, "--limit_items", "4")
    assert hosted.rows_bought() == 8 + 4 + 8


def test_a_run_can_grow_while_a_prompt_is_changed_by_force_and_keeps_the_other_arm(hosted: HostedProject) -> None:
    assert hosted.run("--limit_items", "2").code == 0
    (hosted.project.config.parent / "treatment.txt").write_text("Be brief.")
    assert hosted.run("--resume", "--limit_items", "4").code == 3
    grow(hosted, "--limit_items", "4", "--force")
    assert hosted.rows_bought() == 8 + 4 + 8


def test_growth_after_a_forced_smaller_sample_needs_permission_to_pay_again(
    hosted: HostedProject,
) -> None:
    assert hosted.run("--limit_items", "5", "--parts_per_dataset", "1").code == 0
    grow(hosted, "--limit_items", "2", "--force", "--rebuy")
    bought = hosted.rows_bought()
    outcome = hosted.run("--resume", "--limit_items", "5")
    assert outcome.code == 2, outcome.err
    assert "would be asked again" in outcome.err
    assert hosted.rows_bought() == bought


@pytest.mark.usefixtures("asks")
def test_a_pilot_and_the_rest_pay_for_each_request_once(hosted: HostedProject) -> None:
    assert hosted.run("--pilot", "2", "--to_step", "report").code == 5
    assert hosted.rows_bought() == 2 * 4
    hosted.emulator.fault("F2", "create_job", status=503, nth=2)
    assert hosted.run("--resume", "--yes", "--to_step", "report").code == 0
    assert hosted.rows_bought() == 2 * 14
    run = RunDir(hosted.project.root / "experiments", "r")
    assert len(asked(run)) == len(set(asked(run))) == 2 * 14
    hosted.paid_once()
