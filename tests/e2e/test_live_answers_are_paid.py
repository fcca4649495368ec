"""Answers of live requests cost money: none is asked for again without leave, through the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.anthropic_run import MODEL, PRICE, batches, trial_on_anthropic
from tests.support.emulator_client import EmulatorClient
from tests.support.hosted_fixtures import process
from tests.support.hosted_run import HostedProject, configuration

__all__ = ["process"]

TO_PARSE = ("--to_step", "parse")


@pytest.fixture
def live(process: EmulatorClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HostedProject]:
    where = {"anthropic": {"type": "anthropic", "mode": "live", "base_url": process.url}}
    yield trial_on_anthropic(tmp_path, process, monkeypatch, {"providers": where})
    process.clear_faults()


def asked(live: HostedProject) -> int:
    return len(live.emulator.ledger("message"))


def test_requests_that_are_cut_again_need_leave_when_their_prompts_are_the_same(live: HostedProject) -> None:
    assert live.run("--parts_per_dataset", "1", *TO_PARSE).code == 0
    before = asked(live)
    again = ("--parts_per_dataset", "2", "--resume", "--force", *TO_PARSE)
    outcome = live.run(*again)
    assert outcome.code == 2, outcome.err
    assert "all of them would be asked again: " in outcome.err
    assert "--resume --rebuy" in outcome.err
    assert asked(live) == before
    outcome = live.run(*again, "--rebuy")
    assert outcome.code == 0, outcome.err
    assert asked(live) == 2 * before


def test_no_sharing_on_a_resume_needs_leave(live: HostedProject) -> None:
    trials = ("--prompt_sets", "main,other", "--parts_per_dataset", "1")
    assert live.run(*trials, "--to_step", "submit").code == 0
    live.emulator.fault("F2", "message", status=401, nth=9, count=-1)
    live.run(*trials, *TO_PARSE, "--resume")
    live.emulator.clear_faults()
    before = asked(live)
    outcome = live.run(*trials, *TO_PARSE, "--no_sharing", "--resume")
    assert outcome.code == 2, outcome.err
    assert "--no_sharing would ask again requests that another trial of this run has asked" in outcome.err
    assert asked(live) == before


def test_the_doctor_says_that_lost_answers_were_paid_for_and_with_leave_they_are_asked_again(
    live: HostedProject,
) -> None:
    assert live.run(*TO_PARSE).code == 0
    before = asked(live)
    sealed = next(iter(sorted(live.results().glob("*/results.jsonl"))))
    rows = sealed.read_bytes().count(b"\n")
    sealed.unlink()
    outcome = live.project.call("doctor", "r")
    assert "which were paid for, have changed since they were saved" in outcome.out
    outcome = live.run(*TO_PARSE, "--resume")
    assert outcome.code == 1, outcome.err
    assert f"{rows} of its {rows} answers were paid for and are lost" in outcome.err
    outcome = live.project.call("doctor", "r")
    assert f"asks up to {rows} requests again" in outcome.out
    assert "--rebuy" in outcome.out
    assert asked(live) == before
    outcome = live.run(*TO_PARSE, "--resume", "--rebuy")
    assert outcome.code == 0, outcome.err
    assert asked(live) == before + rows


def agreed_to(live: HostedProject, usd: float) -> None:
    """Let the records of the run say that no more than an amount was agreed to."""
    for path in (live.project.run_root() / "run_state.json", live.results() / "trial_manifest.json"):
        record = json.loads(path.read_text())
        record.get("origin", record)["consents"] = [{"at": "2026-01-01T00:00:00Z", "how": "flag", "usd": usd}]
        path.write_text(json.dumps(record))


@pytest.mark.usefixtures("asks")
def test_live_answers_need_consent_and_so_does_buying_them_again(live: HostedProject) -> None:
    config = live.project.config.read_text()
    live.project.config.write_text(f"{config}\nspending: {{ask_above_usd: 0}}\n")
    outcome = live.run(*TO_PARSE)
    assert (outcome.code, asked(live)) == (2, 0)
    assert "this run needs consent to spend" in outcome.err
    assert live.run(*TO_PARSE, "--resume", "--yes").code == 0
    before = asked(live)
    sealed = next(iter(sorted(live.results().glob("*/results.jsonl"))))
    rows = sealed.read_bytes().count(b"\n")
    sealed.unlink()
    agreed_to(live, 1e-9)
    outcome = live.run(*TO_PARSE, "--resume", "--rebuy")
    assert outcome.code == 2, outcome.err
    assert f"this run is about to ask {rows} requests" in outcome.err
    assert asked(live) == before
    assert live.run(*TO_PARSE, "--resume", "--rebuy", "--yes").code == 0
    assert asked(live) == before + rows


# --- every record of what was asked is lost -------------------------------------------------------------------------


def lose_every_record(live: HostedProject) -> None:
    root = live.project.run_root()
    for path in (root / "run_state.json", *root.glob("*/results/trial_manifest.json")):
        path.unlink()


def test_answers_are_not_asked_for_again_where_every_record_of_them_is_lost(live: HostedProject) -> None:
    assert live.run(*TO_PARSE).code == 0
    before = asked(live)
    lose_every_record(live)
    outcome = live.project.call("resume", "r", *TO_PARSE)
    assert outcome.code == 0, outcome.err
    assert asked(live) == before


def test_answers_that_do_not_even_say_it_themselves_are_asked_again_with_leave_alone(live: HostedProject) -> None:
    assert live.run(*TO_PARSE).code == 0
    before = asked(live)
    lose_every_record(live)
    for path in live.project.run_root().glob("*/results/*/asked.json"):  # as a run of an earlier version has none
        path.unlink()
    for again in (("resume", "r"), ("run", "--run_id", "r", "--resume", "--force")):
        outcome = live.project.call(*again, "--yes", *TO_PARSE)
        assert outcome.code == 2, outcome.err
        assert "no record says to which requests the answers on disk are" in outcome.err
        assert f"{before} requests (" in outcome.err
    assert asked(live) == before
    outcome = live.project.call("run", "--run_id", "r", "--resume", "--rebuy", "--yes", *TO_PARSE)
    assert outcome.code == 0, outcome.err
    assert asked(live) == 2 * before


@pytest.mark.parametrize("lost", ["manifest", "every record"])
def test_answers_that_were_put_aside_come_back_where_the_record_of_them_is_lost(live: HostedProject, lost: str) -> None:
    prompt = live.project.root / "config/treatment.txt"
    first = prompt.read_bytes()
    assert live.run(*TO_PARSE).code == 0
    prompt.write_text("Something else.\n")
    assert live.run("--resume", "--force", "--yes", *TO_PARSE).code == 0
    before = asked(live)
    prompt.write_bytes(first)
    assert live.run("--resume", "--force", "--to_step", "build").code == 0
    if lost == "manifest":
        next(live.project.run_root().glob("*/results/trial_manifest.json")).unlink()
    else:
        lose_every_record(live)
    outcome = live.project.call("resume", "r", *TO_PARSE)
    assert outcome.code == 0, outcome.err
    assert "the same requests were asked before; their answers are used again" in outcome.err
    assert asked(live) == before


def test_of_a_forced_change_that_was_not_asked_yet_a_lost_manifest_costs_no_other_answer(live: HostedProject) -> None:
    assert live.run(*TO_PARSE).code == 0
    before = asked(live)
    (live.project.root / "config/treatment.txt").write_text("Something else.\n")
    assert live.run("--resume", "--force", "--to_step", "build").code == 0
    next(live.project.run_root().glob("*/results/trial_manifest.json")).unlink()
    outcome = live.run("--resume", "--yes", *TO_PARSE)
    assert outcome.code == 0, outcome.err
    assert asked(live) == before + before // 2


@pytest.mark.usefixtures("asks")
@pytest.mark.parametrize("aside", [False, True], ids=["in place", "put aside"])
def test_no_consent_is_asked_for_where_every_answer_is_here_though_every_record_is_lost(
    live: HostedProject, *, aside: bool
) -> None:
    live.project.config.write_text(f"{live.project.config.read_text()}\nspending: {{ask_above_usd: 0}}\n")
    assert live.run(*TO_PARSE, "--yes").code == 0
    if aside:
        prompt = live.project.root / "config/treatment.txt"
        first = prompt.read_bytes()
        prompt.write_text("Something else.\n")
        assert live.run("--resume", "--force", "--yes", *TO_PARSE).code == 0
        prompt.write_bytes(first)
        assert live.run("--resume", "--force", "--to_step", "build").code == 0
    before = asked(live)
    lose_every_record(live)
    outcome = live.project.call("resume", "r", *TO_PARSE)
    assert outcome.code == 0, outcome.err
    assert asked(live) == before


@pytest.mark.usefixtures("asks")
def test_consent_is_asked_for_the_requests_alone_that_have_no_answer_here(live: HostedProject) -> None:
    live.project.config.write_text(f"{live.project.config.read_text()}\nspending: {{ask_above_usd: 0}}\n")
    fail_from(live, 9, "--yes")
    lose_every_record(live)
    outcome = live.project.call("resume", "r", *TO_PARSE)
    assert outcome.code == 2, outcome.err
    assert "this run is about to ask 20 requests" in outcome.err


# --- other answers that could be taken, another way to ask ----------------------------------------------------------


def fail_from(live: HostedProject, nth: int, *flags: str) -> None:
    """Let a run fail at one of its requests and at all that follow."""
    live.emulator.fault("F2", "message", status=401, nth=nth, count=-1)
    assert live.run(*TO_PARSE, *flags).code == 1
    live.emulator.clear_faults()


def spent_usd(live: HostedProject) -> float:
    return float(json.loads(live.project.call("costs", "r", "--json").out)["total"]["spent"])


def set_apart(live: HostedProject) -> list[Path]:
    """Return the files of answers that were renamed because they had changed."""
    return [*live.results().rglob("*.corrupt.*")]


def test_answers_that_come_back_are_not_replaced_by_those_of_another_run(live: HostedProject) -> None:
    prompt = live.project.root / "config/treatment.txt"
    first = prompt.read_bytes()
    assert live.run(*TO_PARSE, run_id="old").code == 0
    assert live.run(*TO_PARSE).code == 0
    prompt.write_text("Something else.\n")
    assert live.run("--resume", "--force", "--reuse", "old", *TO_PARSE).code == 0
    before, spent = asked(live), spent_usd(live)
    prompt.write_bytes(first)
    outcome = live.run("--resume", "--force", *TO_PARSE)
    assert outcome.code == 0, outcome.err
    assert "their answers are used again" in outcome.err
    assert (asked(live), spent_usd(live), set_apart(live)) == (before, spent, [])


def test_answers_whose_record_is_lost_are_not_replaced_by_those_of_another_run(live: HostedProject) -> None:
    assert live.run(*TO_PARSE, run_id="old").code == 0
    assert live.run(*TO_PARSE).code == 0
    before, spent = asked(live), spent_usd(live)
    next(live.project.run_root().glob("*/results/trial_manifest.json")).unlink()
    outcome = live.run("--resume", "--reuse", "old", *TO_PARSE)
    assert outcome.code == 0, outcome.err
    assert "can be reused" not in outcome.err
    assert (asked(live), spent_usd(live), set_apart(live)) == (before, spent, [])


def test_answers_that_were_put_aside_are_not_replaced_either_where_the_record_of_them_is_lost(
    live: HostedProject,
) -> None:
    prompt = live.project.root / "config/treatment.txt"
    first = prompt.read_bytes()
    assert live.run(*TO_PARSE, run_id="old").code == 0
    assert live.run(*TO_PARSE).code == 0
    spent = spent_usd(live)
    prompt.write_text("Something else.\n")
    assert live.run("--resume", "--force", *TO_PARSE).code == 0
    before = asked(live)
    prompt.write_bytes(first)
    next(live.project.run_root().glob("*/results/trial_manifest.json")).unlink()
    outcome = live.run("--resume", "--force", "--reuse", "old", *TO_PARSE)
    assert outcome.code == 0, outcome.err
    assert (asked(live), spent_usd(live), set_apart(live)) == (before, spent, [])


def test_what_another_run_has_answered_is_taken_for_the_requests_alone_that_have_no_answer_here(
    live: HostedProject,
) -> None:
    assert live.run(*TO_PARSE, run_id="old").code == 0
    fail_from(live, 9)
    before, spent = asked(live), spent_usd(live)
    next(live.project.run_root().glob("*/results/trial_manifest.json")).unlink()
    outcome = live.run("--resume", "--reuse", "old", *TO_PARSE)
    assert outcome.code == 0, outcome.err
    assert "20 of 20 requests were answered by run old" in outcome.err
    assert (asked(live), spent_usd(live), set_apart(live)) == (before, spent, [])


def ask_in_batches(live: HostedProject) -> None:
    live.project.write_config(
        configuration(
            {
                "provider": "anthropic",
                "providers": {"anthropic": {"type": "anthropic", "mode": "batch", "base_url": live.emulator.url}},
                "models": {"m1": {"id": MODEL}},
                "pricing": {"anthropic": {"batch_discount": 0.5, "models": {"m1": PRICE}}},
            }
        )
    )


def test_a_live_run_that_failed_with_answers_does_not_go_on_in_batches_which_would_buy_them_again(
    live: HostedProject,
) -> None:
    fail_from(live, 9)
    ask_in_batches(live)
    outcome = live.run("--resume", "--force", *TO_PARSE)
    assert outcome.code == 1, outcome.err
    assert "the engine is not the one that this trial was started with: provider: anthropic_live" in outcome.err
    assert batches(live) == []


@pytest.mark.parametrize("flags", [(), ("--rebuy",)])
def test_the_same_holds_where_the_record_of_these_answers_is_lost_too(
    live: HostedProject, flags: tuple[str, ...]
) -> None:
    fail_from(live, 9)
    next(live.project.run_root().glob("*/results/trial_manifest.json")).unlink()
    ask_in_batches(live)
    outcome = live.run("--resume", "--force", *flags, *TO_PARSE)
    assert outcome.code == 1, outcome.err
    assert "the engine is not the one that this trial was started with" in outcome.err
    assert batches(live) == []


def test_batches_need_permission_where_not_even_the_answers_say_who_gave_them(live: HostedProject) -> None:
    fail_from(live, 9)
    next(live.project.run_root().glob("*/results/trial_manifest.json")).unlink()
    for path in live.results().glob("*/asked.json"):
        path.unlink()
    ask_in_batches(live)
    outcome = live.run("--resume", "--force", *TO_PARSE)
    assert outcome.code == 2, outcome.err
    assert "no record says to which requests the answers on disk are" in outcome.err
    assert batches(live) == []
    outcome = live.run("--resume", "--force", "--rebuy", *TO_PARSE)
    assert outcome.code == 0, outcome.err
    assert len(batches(live)) == 4


def test_a_live_run_that_failed_without_any_answer_may_go_on_in_batches(live: HostedProject) -> None:
    fail_from(live, 1)
    ask_in_batches(live)
    outcome = live.run("--resume", "--force", *TO_PARSE)
    assert outcome.code == 0, outcome.err
    assert len(batches(live)) == 4
