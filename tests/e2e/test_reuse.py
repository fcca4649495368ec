"""Answers of another run are taken over: the emulator's ledger shows that only the rest was bought."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from promptrial.store.part_records import ReusedAnswers
from tests.support import fake_provider
from tests.support.anthropic_run import trial_on_anthropic
from tests.support.emulator_client import EmulatorClient
from tests.support.hosted_fixtures import hosted, process
from tests.support.hosted_run import HostedProject
from tests.support.project import Outcome, Project

__all__ = ["hosted", "process"]

RESULTS = ("predictions.csv", "predictions.parquet", "per_item_scores.csv", "significance.json", "costs.json")


def done(outcome: Outcome) -> Outcome:
    assert outcome.code == 0, outcome.err
    return outcome


def edit_prompt(hosted: HostedProject, text: str = "Be brief.") -> None:
    (hosted.project.config.parent / "treatment.txt").write_text(text)


def bought(hosted: HostedProject, *flags: str, run_id: str = "new") -> int:
    """Return how many requests a run pays for."""
    before = hosted.rows_bought()
    done(hosted.run(*flags, run_id=run_id))
    return hosted.rows_bought() - before


def reused(hosted: HostedProject, run_id: str = "new") -> dict[str, int]:
    """Return how many answers of each run are on record as taken over."""
    found: dict[str, int] = {}
    for intent in hosted.intents(run_id):
        if isinstance(intent.reused, ReusedAnswers):
            for source in intent.reused.sources:
                found[source.run_id] = found.get(source.run_id, 0) + source.rows
    return found


def test_editing_a_prompt_pays_only_for_its_arm_and_gives_the_bytes_of_a_full_run(
    hosted: HostedProject,
) -> None:
    done(hosted.run("--limit_items", "3", run_id="old"))
    edit_prompt(hosted)
    flags = ("--run_id", "new", "--limit_items", "3", "--reuse", "old")
    planned = done(hosted.project.call("plan", *flags)).prose
    assert "asks 6 new requests; 6 are already answered by other runs, which saves about 0.00" in planned
    assert " 6 0 0 6" in planned.partition("total")[2], planned
    assert not hosted.project.run_root("new").exists()
    done(hosted.run("--limit_items", "3", "--to_step", "report", run_id="whole"))
    before = hosted.rows_bought()
    outcome = done(hosted.run("--limit_items", "3", "--reuse", "old", "--to_step", "report", run_id="new"))
    assert hosted.rows_bought() - before == 6
    assert "6 of 12 requests were answered by run old, and are not asked again" in outcome.err
    sent = {hosted.part_of("new")[job["id"]].split("_")[1] for job in hosted.jobs()[-2:]}
    assert sent == {"treatment"}
    for name in RESULTS:
        assert (hosted.results("new") / name).read_bytes() == (hosted.results("whole") / name).read_bytes(), name
    report = (hosted.results("new").parent / "reports" / "details.md").read_text()
    assert "6 of 6 control answers were reused from run old, asked less than a day earlier." in report
    assert "nothing to fix" in done(hosted.project.call("doctor", "new")).out
    arms = next(iter(json.loads(done(hosted.project.call("costs", "new", "--json")).out)["arms"].values()))
    assert arms["control"]["spent"] == "0"
    used = json.loads((hosted.results("new") / "costs.json").read_text())["conditions"]["control"]["usd"]
    assert float(arms["control"]["used"]) == pytest.approx(used)
    assert float(arms["control"]["wasted"]) == 0
    assert float(arms["treatment"]["spent"]) > 0
    assert "were reused from" not in (hosted.results("whole").parent / "reports" / "details.md").read_text()


def test_a_larger_sample_in_a_new_run_pays_only_for_new_items_even_with_other_part_sizes(
    hosted: HostedProject,
) -> None:
    done(hosted.run("--limit_items", "3", "--parts_per_dataset", "3", run_id="old"))
    assert bought(hosted, "--limit_items", "5", "--parts_per_dataset", "1", "--reuse", "old") == 2 * 4
    assert reused(hosted) == {"old": 2 * 6}


def test_a_run_without_jobs_can_use_answers_of_two_runs_and_lend_them_to_a_third(
    hosted: HostedProject,
) -> None:
    done(hosted.run("--limit_items", "2", run_id="a"))
    done(hosted.run("--limit_items", "4", "--reuse", "a", run_id="b"))
    assert bought(hosted, "--limit_items", "4", "--reuse", "a", "--reuse", "b") == 0
    assert reused(hosted) == {"a": 8, "b": 8}
    assert hosted.table("new").equals(hosted.table("b"))
    assert bought(hosted, "--limit_items", "4", "--reuse", "new", run_id="last") == 0


def test_a_resume_still_reuses_and_takes_answers_that_the_other_run_has_received_since(hosted: HostedProject) -> None:
    done(hosted.run("--limit_items", "2", "--arms", "control", run_id="old"))
    done(hosted.run("--limit_items", "2", "--reuse", "old", "--to_step", "build", run_id="new"))
    done(hosted.run("--limit_items", "2", run_id="other"))
    before = hosted.rows_bought()
    done(hosted.run("--resume", "--reuse", "other", run_id="new"))
    assert hosted.rows_bought() == before
    assert reused(hosted) == {"other": 8}
    again = done(hosted.run("--resume", run_id="new"))
    assert hosted.rows_bought() == before
    assert "not asked again" not in again.err


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"seed": 7}, "none of its answers is to an identical request"),
        ({"temps": [0.5]}, "none of its answers is to an identical request"),
        ({"models": {"m1": {"id": "accounts/fireworks/models/large"}}}, "the model or its options are different"),
    ],
)
def test_answers_to_different_requests_are_never_reused(
    hosted: HostedProject, changes: dict[str, object], why: str
) -> None:
    done(hosted.run("--limit_items", "1", run_id="old"))
    config = _config(hosted) | changes
    hosted.project.write_config(config)
    before = hosted.rows_bought()
    outcome = done(hosted.run("--limit_items", "1", "--reuse", "old", run_id="new"))
    assert hosted.rows_bought() - before == 4
    assert why in outcome.err


def _config(hosted: HostedProject) -> dict[str, object]:
    loaded: dict[str, object] = yaml.safe_load(hosted.project.config.read_text())
    return loaded


def test_answers_of_another_account_are_not_reused(hosted: HostedProject) -> None:
    done(hosted.run("--limit_items", "1", run_id="old"))
    manifest = hosted.results("old") / "trial_manifest.json"
    manifest.write_text(manifest.read_text().replace('"account": "hosted"', '"account": "another"'))
    before = hosted.rows_bought()
    outcome = done(hosted.run("--limit_items", "1", "--reuse", "old", run_id="new"))
    assert hosted.rows_bought() - before == 4
    assert "the engine or account is different (account: another there, hosted here)" in outcome.err


def test_an_a_a_run_reuses_each_answer_only_for_the_arm_that_received_it(hosted: HostedProject) -> None:
    done(hosted.run("--limit_items", "2", "--arms", "control", run_id="old"))
    edit_prompt(hosted, "You are a careful assistant.\n")
    assert bought(hosted, "--limit_items", "2", "--reuse", "old") == 4
    assert reused(hosted) == {"old": 4}


def test_each_replicate_reuses_the_answer_with_its_own_number(hosted: HostedProject) -> None:
    def ask(samples: int) -> None:
        hosted.project.write_config(_config(hosted) | {"temps": [0.7], "samples_per_item": samples})

    ask(2)
    done(hosted.run("--limit_items", "1", run_id="old"))
    ask(3)
    assert bought(hosted, "--limit_items", "1", "--reuse", "old") == 4
    table, old = hosted.table("new").to_pylist(), hosted.table("old").to_pylist()
    answers = {row["custom_id"]: row["response_text"] for row in table}
    assert {row["custom_id"]: row["response_text"] for row in old}.items() <= answers.items()


def test_trials_that_share_an_arm_reuse_its_answers_once(hosted: HostedProject) -> None:
    done(hosted.run("--limit_items", "2", "--arms", "control", run_id="old"))
    flags = ("--prompt_sets", "main,other", "--limit_items", "2", "--to_step", "report")
    assert bought(hosted, *flags, "--reuse", "old") == 2 * 4
    assert reused(hosted) == {"old": 4}
    for report in hosted.project.run_root("new").glob("*/reports/details.md"):
        assert "4 of 4 control answers were reused from run old" in report.read_text()


def test_a_source_that_can_lend_nothing_is_refused_before_anything_is_written(hosted: HostedProject) -> None:
    done(hosted.run("--limit_items", "1", "--dry_run", run_id="dry"))
    for named, why in (("dry", "is a dry run: its answers are an emulator's"), ("dri", "did you mean dry?")):
        outcome = hosted.run("--reuse", named, run_id="new")
        assert outcome.code == 2
        assert why in outcome.err
        assert not hosted.project.run_root("new").exists()
    done(hosted.run("--limit_items", "1", "--dry_run", "--reuse", "dry", run_id="rehearsal"))
    assert reused(hosted, "rehearsal") == {"dry": 4}
    assert not hosted.jobs()


def test_a_damaged_source_is_named_and_a_resume_without_it_asks_everything(hosted: HostedProject) -> None:
    done(hosted.run("--limit_items", "1", run_id="old"))
    sealed = next(iter(sorted(hosted.results("old").glob("*/results.jsonl"))))
    sealed.write_bytes(sealed.read_bytes()[:-2])
    before = hosted.rows_bought()
    outcome = hosted.run("--limit_items", "1", "--reuse", "old", run_id="new")
    assert outcome.code == 1
    assert f"{sealed.parent.name}/results.jsonl: results.jsonl damaged" in outcome.err
    assert hosted.rows_bought() == before
    assert not list(hosted.results("new").glob("*/*.jsonl"))
    done(hosted.run("--resume", "--reuse", "none", run_id="new"))
    assert hosted.rows_bought() - before == 4


@pytest.mark.parametrize(
    ("lost", "said"),
    [(".", "run old is no longer in experiments"), ("run_state.json", "run_old/run_state.json does not exist")],
)
def test_a_run_whose_source_is_gone_says_how_to_continue_without_it(project: Project, lost: str, said: str) -> None:
    done(project.run("--limit_items", "2", run_id="old"))
    done(project.run("--limit_items", "2", "--reuse", "old", "--to_step", "build", run_id="new"))
    gone = project.run_root("old") / lost
    gone.rename(project.root / "moved")
    outcome = project.call("resume", "new")
    assert outcome.code == 2
    assert said in outcome.err
    assert ("rebuild it first: promptrial resume old" in outcome.err) == (lost != ".")
    assert "resume without its answers: promptrial run --run_id new --resume --reuse none" in outcome.err
    done(project.call("run", "--run_id", "new", "--resume", "--reuse", "none"))


def test_a_named_source_that_lost_its_state_is_rebuilt_or_left_out(project: Project) -> None:
    done(project.run("--limit_items", "2", run_id="old"))
    (project.run_root("old") / "run_state.json").unlink()
    outcome = project.run("--limit_items", "2", "--reuse", "old", run_id="new")
    assert outcome.code == 2
    assert "rebuild it first: promptrial resume old; or remove --reuse" in outcome.err
    done(project.call("resume", "old"))
    done(project.run("--limit_items", "2", "--reuse", "old", run_id="new"))


def test_reused_answers_stay_complete_in_an_archive_without_their_source(hosted: HostedProject) -> None:
    done(hosted.run("--limit_items", "1", run_id="old"))
    done(hosted.run("--limit_items", "1", "--reuse", "old", "--to_step", "report", run_id="new"))
    done(hosted.project.call("archive", "new"))
    shutil.rmtree(hosted.project.run_root("old"))
    packed = hosted.project.root / "experiments" / "archives" / "run_new.tar.zst"
    done(hosted.project.call("verify", str(packed)))
    done(hosted.project.call("unarchive", str(packed), "--experiments_dir", "elsewhere"))
    before = hosted.rows_bought()
    outcome = done(hosted.run("--resume", "--experiments_dir", "elsewhere", "--to_step", "report", run_id="new"))
    assert hosted.rows_bought() == before
    assert "skip" not in outcome.err
    manifest = (hosted.project.root / "elsewhere" / "run_new").glob("*/results/trial_manifest.json")
    assert '"run_id": "old"' in next(manifest).read_text()


@pytest.mark.parametrize("with_its_state", [False, True])
def test_a_run_that_lost_its_records_still_knows_its_reused_answers_and_pays_nothing_again(
    hosted: HostedProject, with_its_state: bool
) -> None:
    done(hosted.run("--limit_items", "2", run_id="old"))
    edit_prompt(hosted)
    done(hosted.run("--limit_items", "3", "--reuse", "old", "--to_step", "report", run_id="new"))
    before = hosted.rows_bought()
    shutil.rmtree(hosted.project.run_root("old"))
    table = hosted.table("new")
    (hosted.results("new") / "trial_manifest.json").unlink()
    if with_its_state:
        (hosted.project.run_root("new") / "run_state.json").unlink()
        done(hosted.project.call("resume", "new", "--to_step", "report"))
    else:
        done(hosted.run("--resume", "--reuse", "none", "--to_step", "report", run_id="new"))
    assert hosted.rows_bought() == before
    assert hosted.table("new").equals(table)
    assert reused(hosted) == {"old": 4}
    report = (hosted.results("new").parent / "reports" / "details.md").read_text()
    assert "4 of 6 control answers were reused from run old" in report


# --- parts without jobs -----------------------------------------------------------------------------------------------


def test_answers_of_a_local_model_are_reused_and_not_computed_again(project: Project) -> None:
    done(project.run("--limit_items", "2", run_id="old"))
    fake_provider.CALLS.clear()
    (project.config.parent / "treatment.txt").write_text("Be brief.")
    done(project.run("--limit_items", "2", "--reuse", "old", run_id="new"))
    assert sum(fake_provider.CALLS.values()) == 4
    (project.config.parent / "other.txt").write_text("Be brief.")
    done(project.run("--limit_items", "2", run_id="whole"))
    for name in RESULTS:
        new, whole = (project.trial_folder(run_id) / "results" / name for run_id in ("new", "whole"))
        assert new.read_bytes() == whole.read_bytes(), name


def test_live_requests_answered_in_another_run_are_not_sent(
    process: EmulatorClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = {"anthropic": {"type": "anthropic", "mode": "live", "base_url": process.url}}
    live = trial_on_anthropic(tmp_path, process, monkeypatch, {"providers": where})
    done(live.run("--limit_items", "2", run_id="old"))
    before = len(live.emulator.ledger("message"))
    edit_prompt(live)
    done(live.run("--limit_items", "2", "--reuse", "old", "--to_step", "report", run_id="new"))
    assert len(live.emulator.ledger("message")) - before == 4
    assert reused(live) == {"old": 4}
    done(live.run("--resume", "--to_step", "report", run_id="new"))
    assert len(live.emulator.ledger("message")) - before == 4
