"""No answer counts for another request, and none is bought twice without leave, whatever is lost and changed at once.

Records of a run are lost, and its prompts, its model or its settings are changed. Each test was a way to break one of
the two promises.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import fake_provider
from tests.support.anthropic_run import MODEL, PRICE, batches, trial_on_anthropic
from tests.support.emulator_client import EmulatorClient
from tests.support.hosted_fixtures import hosted, process
from tests.support.hosted_run import HostedProject, configuration
from tests.support.project import Project
from tests.support.waves import answering, configured, questions

__all__ = ["hosted", "process"]

BUILT = "batch_inputs/manifest.json"
OTHER = "Something else.\n"
TWO_SETS = ("--prompt_sets", "main,other")
TO_PARSE = ("--to_step", "parse")
WAVES = {"rule": "evalue", "looks": 3}


@pytest.fixture
def live(process: EmulatorClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HostedProject]:
    where = {"anthropic": {"type": "anthropic", "mode": "live", "base_url": process.url}}
    yield trial_on_anthropic(tmp_path, process, monkeypatch, {"providers": where})
    process.clear_faults()


@pytest.fixture
def batched(process: EmulatorClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HostedProject]:
    yield trial_on_anthropic(tmp_path, process, monkeypatch)
    process.clear_faults()


def asked(live: HostedProject) -> int:
    return len(live.emulator.ledger("message"))


def write(project: Project, text: str, arm: str = "treatment") -> str:
    """Change a prompt; return what it was."""
    path = project.root / f"config/{arm}.txt"
    before = path.read_text()
    path.write_text(text)
    return before


def predictions(project: Project, run_id: str = "r") -> dict[str, bytes]:
    paths = project.run_root(run_id).glob("*/results/predictions.csv")
    return {path.parts[-3]: path.read_bytes() for path in paths}


def lose_manifest(project: Project, trial: str = "*") -> None:
    for path in project.run_root().glob(f"{trial}/results/trial_manifest.json"):
        path.unlink()


def lose_all_records(project: Project) -> None:
    lose_manifest(project)
    (project.run_root() / "run_state.json").unlink()


# --- an answer counts for the requests that it is to ----------------------------------------------------------------


@pytest.mark.parametrize("lost", [False, True])
def test_rows_of_an_earlier_prompt_never_fill_the_gaps_of_a_new_one(project: Project, lost: bool) -> None:
    project.given_run(run_id="old")
    assert project.run("--reuse", "old").code == 0
    write(project, OTHER)
    rows = iter(range(3))

    def stop_at_the_third(_request: object) -> None:
        if next(rows) == 2:
            (project.run_root() / "STOP_REQUESTED").touch()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fake_provider, "BEFORE_ROW", [stop_at_the_third])
        assert project.run("--resume", "--force").code == 5
    if lost:
        lose_manifest(project)
    assert project.run("--resume").code == 0
    project.run(run_id="whole")
    assert predictions(project) == predictions(project, "whole")


def test_answers_to_a_new_prompt_are_not_said_to_be_reused_because_those_to_the_earlier_one_were(
    project: Project,
) -> None:
    project.given_run(run_id="old")
    assert project.run("--reuse", "old").code == 0
    write(project, OTHER)
    assert project.run("--resume", "--force").code == 0
    before = project.report(), project.details()
    lose_manifest(project)
    assert project.run("--resume").code == 0
    assert (project.report(), project.details()) == before


def test_answers_that_another_trial_was_to_share_are_not_counted_once_sharing_ends(project: Project) -> None:
    assert project.run(*TWO_SETS).code == 0
    write(project, OTHER, "control")
    assert project.run(*TWO_SETS, "--resume", "--force", "--to_step", "submit").code == 0
    lose_manifest(project, "*-other-*")
    assert project.run("--resume", "--no_sharing").code == 0
    assert project.run(*TWO_SETS, run_id="whole").code == 0
    assert predictions(project) == predictions(project, "whole")


def test_jobs_of_a_trial_that_was_changed_twice_while_its_manifest_was_lost_do_not_answer_it(
    hosted: HostedProject,
) -> None:
    assert hosted.run(*TWO_SETS).code == 0
    lose_manifest(hosted.project, "*-other-*")
    (hosted.project.run_root() / BUILT).unlink()
    write(hosted.project, OTHER, "control")
    assert hosted.run("--resume", "--force", "--to_step", "submit").code == 0
    lose_manifest(hosted.project, "*-other-*")
    assert hosted.run("--resume").code == 0
    found = predictions(hosted.project)
    assert hosted.run(*TWO_SETS, run_id="whole").code == 0
    assert found == predictions(hosted.project, "whole")


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("first_in_waves", [False, True])
def test_waves_that_were_answered_to_an_earlier_prompt_are_asked_again(
    project: Project, monkeypatch: pytest.MonkeyPatch, first_in_waves: bool, lost: bool
) -> None:
    questions(project, 60)
    configured(project, WAVES if first_in_waves else None)
    answering(monkeypatch, 0.5, 0.5)
    assert project.run().code == 0
    for looks in project.run_root().glob("*/results/looks.jsonl"):
        looks.unlink()
    configured(project, WAVES)
    write(project, OTHER)
    project.run("--resume", "--force", "--to_step", "submit")
    if lost:
        lose_manifest(project)
    assert project.run("--resume").code == 0
    assert project.run(run_id="whole").code == 0
    assert predictions(project) == predictions(project, "whole")


@pytest.mark.parametrize("names", [("trial_manifest.json",), ("trial_manifest.json", "run_state.json")])
def test_an_old_copy_of_a_record_that_is_put_back_makes_no_answer_count_for_another_prompt(
    live: HostedProject, names: tuple[str, ...]
) -> None:
    assert live.run(*TO_PARSE).code == 0
    whole, root = predictions(live.project), live.project.run_root()
    copies = {path: path.read_bytes() for name in names for path in root.rglob(name)}
    first = write(live.project, OTHER)
    assert live.run("--resume", "--force", *TO_PARSE).code == 0
    before = asked(live)
    write(live.project, first)
    for path, data in copies.items():
        path.write_bytes(data)
    outcome = live.run("--resume", "--force", *TO_PARSE)
    assert outcome.code == 0, outcome.err
    assert predictions(live.project) == whole
    assert asked(live) == before


def test_answers_of_an_emulator_never_count_as_those_of_a_model(live: HostedProject) -> None:
    assert live.run("--dry_run", *TO_PARSE).code == 0
    lose_all_records(live.project)
    shutil.rmtree(live.project.run_root() / ".emulator")
    outcome = live.project.call("resume", "r", *TO_PARSE)
    assert outcome.code == 1
    assert "the engine is not the one that this trial was started with: api: emulator -> " in outcome.err
    assert asked(live) == 0


@pytest.mark.parametrize("lose", [lose_manifest, lose_all_records])
def test_answers_of_two_servers_are_never_mixed_though_the_record_of_the_first_is_lost(
    live: HostedProject, lose: Callable[[Project], None]
) -> None:
    live.emulator.fault("F2", "message", status=401, nth=9, count=-1)
    assert live.run().code == 1
    live.emulator.clear_faults()
    before = asked(live)
    lose(live.project)
    elsewhere = live.emulator.url.replace("127.0.0.1", "localhost")
    vendor = {"type": "anthropic", "base_url": elsewhere, "mode": "live"}
    model = {"provider": "anthropic", "providers": {"anthropic": vendor}, "models": {"m1": {"id": MODEL}}}
    prices = {"pricing": {"anthropic": {"batch_discount": 0.5, "models": {"m1": PRICE}}}}
    live.project.write_config(configuration(model | prices))
    outcome = live.project.call("resume", "r", "--config", "config/eval_config.yaml", "--force", *TO_PARSE)
    assert outcome.code == 1
    assert "the engine is not the one that this trial was started with: api: 127.0.0.1" in outcome.err
    assert asked(live) == before


# --- nothing is paid for twice --------------------------------------------------------------------------------------


@pytest.mark.parametrize("lose", [lose_manifest, lose_all_records])
def test_a_prompt_that_is_changed_back_costs_nothing_though_its_batches_are_known_to_files_alone(
    batched: HostedProject, lose: Callable[[Project], None]
) -> None:
    assert batched.run().code == 0
    first = write(batched.project, OTHER)
    assert batched.run("--resume", "--force").code == 0
    write(batched.project, first)
    assert batched.run("--resume", "--force", "--to_step", "build").code == 0
    before = batches(batched)
    lose(batched.project)
    outcome = batched.project.call("resume", "r", *TO_PARSE)
    assert outcome.code == 0, outcome.err
    assert batches(batched) == before


def test_the_same_holds_where_the_vendor_has_forgotten_the_jobs(hosted: HostedProject) -> None:
    assert hosted.run().code == 0
    first = write(hosted.project, OTHER)
    assert hosted.run("--resume", "--force").code == 0
    write(hosted.project, first)
    assert hosted.run("--resume", "--force", "--to_step", "build").code == 0
    lose_manifest(hosted.project)
    hosted.emulator.plain.delete(f"{hosted.emulator.url}/__emu/state").raise_for_status()
    outcome = hosted.run("--resume")
    assert outcome.code == 0, outcome.err
    assert hosted.rows_bought() == 0


@pytest.mark.parametrize("lost", [False, True])
def test_a_batch_that_is_still_running_is_found_again_after_another_prompt_was_asked(
    batched: HostedProject, lost: bool
) -> None:
    assert batched.run().code == 0
    first = write(batched.project, OTHER)
    assert batched.run("--resume", "--force", "--to_step", "submit").code == 0
    before = batches(batched)
    write(batched.project, first)
    assert batched.run("--resume", "--force").code == 0
    if lost:
        lose_manifest(batched.project)
    write(batched.project, OTHER)
    outcome = batched.run("--resume", "--force")
    assert outcome.code == 0, outcome.err
    assert batches(batched) == before


def test_answers_of_another_run_are_bought_only_with_leave_where_nothing_says_to_which_requests_they_are(
    hosted: HostedProject,
) -> None:
    assert hosted.run(run_id="old").code == 0
    assert hosted.run("--reuse", "old").code == 0
    before = hosted.rows_bought()
    lose_all_records(hosted.project)
    for path in hosted.results().glob("*/asked.json"):
        path.unlink()
    outcome = hosted.project.call("resume", "r", *TO_PARSE)
    assert outcome.code == 2
    assert "no record says to which requests the answers on disk are" in outcome.err
    assert hosted.rows_bought() == before


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("damage", ["a garbled row", "a row less", "no file"])
def test_a_live_answer_that_is_lost_is_bought_again_only_with_leave(
    live: HostedProject, damage: str, lost: bool
) -> None:
    assert live.run().code == 0
    file = live.results() / "t0_control_p001/results.jsonl"
    *rows, _ = file.read_bytes().splitlines(keepends=True)
    if damage == "no file":
        file.unlink()
    else:
        file.write_bytes(b"".join(rows) + (b'{"custom_id": "clo\n' if damage == "a garbled row" else b""))
    if lost:
        lose_manifest(live.project)
    before = asked(live)
    outcome = live.run("--resume")
    assert outcome.code != 0
    assert "--resume --rebuy" in outcome.err
    assert asked(live) == before
    assert live.run("--resume", "--rebuy").code == 0
    assert asked(live) == before + (7 if damage == "no file" else 1)


@pytest.mark.parametrize("change", ["growth", "cap"])
def test_requests_that_are_cut_otherwise_need_leave_though_only_files_beside_the_answers_tell_it(
    live: HostedProject, change: str
) -> None:
    if change == "growth":
        assert live.run("--limit_items", "3", *TO_PARSE).code == 0
        assert live.run("--limit_items", "6", "--resume", *TO_PARSE).code == 0
    else:
        assert live.run("--max_cost_usd", "0.02", *TO_PARSE).code == 0
    before, root = asked(live), live.project.run_root()
    lose_all_records(live.project)
    (root / BUILT).unlink()
    outcome = live.project.call("resume", "r", *TO_PARSE)
    assert (outcome.code == 2) == ("split or selected differently since they were paid for" in outcome.err)
    assert outcome.code in {0, 2}, outcome.err
    assert asked(live) == before


# --- damage that costs nothing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["project", "live"])
def test_a_torn_file_of_reused_answers_is_no_dead_end(request: pytest.FixtureRequest, kind: str) -> None:
    given = request.getfixturevalue(kind)
    project = given if isinstance(given, Project) else given.project
    assert given.run(run_id="old").code == 0
    assert given.run("--reuse", "old").code == 0
    whole = predictions(project)
    (torn,) = project.run_root().glob("*/results/t0_control_p001/results.a1.jsonl")
    torn.write_bytes(torn.read_bytes()[:-20])
    lose_manifest(project)
    shutil.rmtree(project.run_root("old"))
    outcome = given.run("--resume", "--reuse", "none")
    assert outcome.code == 0, outcome.err
    assert predictions(project) == whole


@pytest.mark.parametrize("lost", [False, True])
def test_a_job_whose_answers_are_torn_is_fetched_again(hosted: HostedProject, lost: bool) -> None:
    assert hosted.run().code == 0
    whole, bought = predictions(hosted.project), hosted.rows_bought()
    torn = hosted.results() / "t0_control_p001/results.jsonl"
    torn.write_bytes(torn.read_bytes()[:-20])
    if lost:
        lose_manifest(hosted.project)
    outcome = hosted.run("--resume")
    assert outcome.code == 0, outcome.err
    assert hosted.rows_bought() == bought
    assert predictions(hosted.project) == whole
