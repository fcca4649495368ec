"""A sealed analysis plan: what it holds, when it can be sealed, and that each later change of it is named."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from promptrial.care.seals import check_records
from promptrial.documents.analysis_plan import AnalysisPlan, differences
from tests.support.hosted_run import QUICK
from tests.support.project import Outcome, Project

Change = Callable[[Project], None]


def edited(**changes: Any) -> Change:
    """Return a change of the configuration file; a section is merged into the one that is there."""

    def change(project: Project) -> None:
        tree = yaml.safe_load(project.config.read_text())
        for key, value in changes.items():
            tree[key] = {**tree.get(key, {}), **value} if isinstance(value, dict) else value
        project.config.write_text(yaml.safe_dump(tree))

    return change


def rewritten(name: str, old: str, new: str) -> Change:
    """Return a change of a file beside the configuration."""

    def change(project: Project) -> None:
        path = project.root / "config" / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return change


CHANGES: list[tuple[str, Change]] = [
    ("analysis.alpha: sealed 0.05, now 0.01", edited(stats={"alpha": 0.01})),
    ("analysis.confidence: sealed 0.95, now 0.9", edited(stats={"confidence": 0.9})),
    ("analysis.primary: sealed ", edited(stats={"primary": ["token_f1"]})),
    ("analysis.tost_margins.em: not in the sealed plan, now 0.1",
     edited(stats={"tost_margins": {"exact_match": 0.1}})),
    ('analysis.missing: sealed "exclude", now "failure"', edited(stats={"missing": "failure"})),
    ("analysis.bootstrap_samples: sealed 1000, now 2000", edited(stats={"bootstrap_samples": 2000})),
    ("analysis.permutation_samples: sealed 999, now 1999", edited(stats={"permutation_samples": 1999})),
    ("analysis.random_seed: sealed ", edited(stats={"random_seed": 7})),
    ("scorers.length: not in the sealed plan", edited(scorers={"exact_match": {}, "length": {}})),
    ("exclusions.extra_refusals: sealed [], now ", edited(scoring={"extra_refusals": ["No idea."]})),
    ("exclusions.unsupported.min_token_overlap: sealed 0.6, now 0.5",
     edited(scoring={"unsupported": {"min_token_overlap": 0.5}})),
    ('exclusions.unscorable: sealed "refuse", now "skip"', edited(unscorable="skip")),
    ("arms.treatment.prompt: sealed SHA-256 ", rewritten("treatment.txt", "Be accurate", "Be exact")),
    ("arms.control.task_instructions: sealed SHA-256 ", rewritten("open.txt", "Passage", "Text")),
    ('arms.control.model: sealed "vendor/model-1", now "vendor/model-2"',
     edited(models={"m1": {"id": "vendor/model-2"}}, pricing={"fake": {"models": {}}})),
    ("temperatures: sealed [0.0], now [0.5]", edited(temps=[0.5])),
    ("answers_per_item.0.0: sealed 1, now 2", edited(samples_per_item=2)),
    ('.stop: sealed [], now ["###"]', edited(stop=["###"])),
    ("trials.m1-main-tp1-tk50-mx64-64: sealed ", edited(max_new_tokens=32)),
    ("trials.m1-main-tp0.5-tk50-mx64-64: not in the sealed plan", edited(top_p=0.5)),
    ("trials.m1-other-tp1-tk50-mx64-64: not in the sealed plan", edited(sweep={"prompt_sets": ["main", "other"]})),
    ('question: sealed "", now "Which?"', edited(question="Which?")),
    ("sample.datasets.closed_set.items: sealed 8, now 4", edited(limit_items=4)),
    ("sample.seed: sealed ", edited(seed=7)),
    ("sample.datasets.closed_set.tokens: sealed null, now ",
     edited(datasets={"closed_set": {"format": "custom", "path": "closed.jsonl", "tokens": "characters"}})),
    ("sample.datasets.closed_set.content: sealed SHA-256 ", rewritten("closed.jsonl", "1912", "1913")),
]  # fmt: skip


@pytest.fixture
def sealed(project: Project) -> Project:
    """A project with a run that is prepared and sealed."""
    project.given_run("--to_step", "prepare")
    assert project.call("seal", "r").code == 0
    return project


def checked(project: Project) -> dict[str, Any]:
    outcome = project.call("seal", "r", "--check", "--json")
    assert outcome.out, outcome.err
    found: dict[str, Any] = json.loads(outcome.out)
    assert outcome.code == (0 if found["as_sealed"] else 100), outcome.err
    return found


def report(project: Project) -> str:
    return project.details()


def test_a_seal_is_one_file_whose_digest_sha256sum_checks(sealed: Project) -> None:
    root = sealed.run_root()
    plan = json.loads((root / "analysis_plan.json").read_bytes())
    assert plan["analysis"]["primary"] == ["em"]
    assert plan["sample"]["datasets"]["closed_set"]["items"] == 8
    done = subprocess.run(
        ["sha256sum", "--check", "analysis_plan.sha256"], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("analysis_plan.json: "), done.stderr
    assert done.returncode == 0
    digest = hashlib.sha256((root / "analysis_plan.json").read_bytes()).hexdigest()
    assert checked(sealed) == {"run_id": "r", "sha256": digest, "as_sealed": True, "deviations": []}


def test_a_run_that_is_finished_as_sealed_says_so_in_its_reports(sealed: Project) -> None:
    before = (sealed.run_root() / "analysis_plan.json").read_bytes()
    assert sealed.run("--resume").code == 0
    digest = hashlib.sha256(before).hexdigest()
    sentence = f"The analysis plan was sealed before anything was asked (SHA-256 {digest}), and the run follows it."
    assert sentence in report(sealed)
    assert sentence in (sealed.run_root() / "aggregate_report.md").read_text()
    assert (sealed.run_root() / "analysis_plan.json").read_bytes() == before
    again = sealed.run("--resume")
    assert "nothing was left to do" in again.err
    assert sealed.call("seal", "r").code == 0, "a run that is as sealed stays sealed"


@pytest.mark.parametrize(("named", "change"), CHANGES, ids=[named for named, _ in CHANGES])
def test_each_sealed_item_that_changes_afterwards_is_named(sealed: Project, named: str, change: Change) -> None:
    change(sealed)
    outcome = sealed.run("--resume", "--force", "--to_step", "prepare")
    assert outcome.code == 0, outcome.err
    found = checked(sealed)["deviations"]
    assert any(named in line for line in found), found


def test_each_deviation_is_named_in_the_reports_and_in_the_archive(sealed: Project) -> None:
    assert sealed.run("--resume").code == 0
    edited(stats={"alpha": 0.01}, scorers={"exact_match": {}, "length": {}})(sealed)
    assert sealed.run("--resume", "--force").code == 0
    text = report(sealed)
    assert "deviates from it in" in text
    assert "Deviation from the sealed plan: analysis.alpha: sealed 0.05, now 0.01." in text
    assert "Deviation from the sealed plan: scorers.length: not in the sealed plan" in text
    assert sealed.call("archive", "r", "--to", "a.tar.zst").code == 0
    verified = sealed.call("verify", "a.tar.zst")
    assert verified.code == 100, verified.err
    assert "analysis.alpha: sealed 0.05, now 0.01" in verified.out


def test_a_change_that_was_reverted_is_named_too(sealed: Project) -> None:
    assert sealed.run("--resume").code == 0
    before = sealed.config.read_text()
    edited(stats={"alpha": 0.01})(sealed)
    assert sealed.run("--resume", "--force").code == 0
    sealed.config.write_text(before)
    assert sealed.run("--resume", "--force").code == 0
    found = checked(sealed)["deviations"]
    assert [line for line in found if "stats.alpha" in line] == found != []


def test_growth_and_corrected_questions_are_deviations(sealed: Project) -> None:
    edited(limit_items=3)(sealed)
    assert sealed.run("--resume", "--force", "--to_step", "build").code == 0
    edited(limit_items=4)(sealed)
    assert sealed.run("--resume", "--to_step", "prepare").code == 0
    assert any("the sample grew after sealing (limit_items: 3 -> 4)" in line for line in checked(sealed)["deviations"])


def test_answers_of_another_run_are_a_deviation_also_after_reuse_has_ended(sealed: Project) -> None:
    assert sealed.run("--to_step", "parse", run_id="old").code == 0
    assert sealed.run("--resume", "--reuse", "old", "--to_step", "parse").code == 0
    said = "answers of run old are reused (--reuse): they were not requested under this plan"
    assert checked(sealed)["deviations"] == [said]
    assert sealed.run("--resume", "--reuse", "none").code == 0
    assert checked(sealed)["deviations"] == [said]
    assert f"Deviation from the sealed plan: {said}." in report(sealed)


def test_a_corrected_gold_after_the_answers_is_a_deviation(sealed: Project) -> None:
    assert sealed.run("--resume").code == 0
    rewritten("closed.jsonl", "1912", "1913")(sealed)
    assert sealed.run("--resume").code == 0
    assert any("corrected after sealing" in line for line in checked(sealed)["deviations"])


def test_a_rewritten_plan_is_not_the_sealed_one(sealed: Project) -> None:
    edited(stats={"alpha": 0.01})(sealed)
    assert sealed.run("--resume", "--force", "--to_step", "prepare").code == 0
    path = sealed.run_root() / "analysis_plan.json"
    path.write_text(path.read_text().replace("0.05", "0.01"))
    assert any("is not the one that was sealed" in line for line in checked(sealed)["deviations"])
    path.unlink()
    assert any("cannot be read" in line for line in checked(sealed)["deviations"])
    path.write_text("[" * 100_000)
    assert any("cannot be read" in line for line in checked(sealed)["deviations"])


def test_a_seal_comes_before_the_first_request(project: Project) -> None:
    project.given_run("--to_step", "submit")
    outcome = project.call("seal", "r")
    assert outcome.code == 2
    assert "has already sent requests" in outcome.err
    assert not (project.run_root() / "analysis_plan.json").exists()


@pytest.mark.usefixtures("asks")
def test_a_plan_can_be_sealed_between_a_pilot_and_the_rest(project: Project) -> None:
    assert project.run("--pilot", "2").code == 5
    early = project.call("seal", "r")
    assert early.code == 1
    assert "run r is in its pilot, but a plan lists all items" in early.err
    assert "promptrial run --run_id r --resume --yes --to_step build" in early.err
    assert project.run("--resume", "--yes", "--to_step", "build").code == 0
    assert project.call("seal", "r").code == 0
    assert project.run("--resume", "--yes").code == 0
    checked = project.call("seal", "r", "--check")
    assert checked.code == 0, checked.out
    report = project.details()
    assert "The analysis plan was sealed before anything but the pilot was asked" in report
    assert "and the run follows it." in report


@pytest.mark.usefixtures("asks")
def test_a_plan_cannot_be_sealed_after_more_than_the_pilot_was_asked(project: Project) -> None:
    assert project.run("--pilot", "2", "--yes", "--to_step", "submit").code == 0
    assert project.run("--resume", "--yes", "--to_step", "costs").code == 0
    outcome = project.call("seal", "r")
    assert outcome.code == 2
    assert "has already sent requests" in outcome.err


def test_sealing_a_finished_run_with_an_edited_prompt_is_refused_because_it_has_asked(project: Project) -> None:
    project.given_run()
    rewritten("treatment.txt", "Be accurate", "Be exact")(project)
    outcome = project.call("seal", "r")
    assert outcome.code == 2
    assert "has already sent requests" in outcome.err
    assert "--force" not in outcome.err


def test_a_changed_configuration_must_be_prepared_before_it_is_sealed(project: Project) -> None:
    project.given_run("--to_step", "prepare")
    edited(limit_items=4)(project)
    outcome = project.call("seal", "r")
    assert outcome.code == 2
    assert "--resume --to_step prepare" in outcome.err
    assert not (project.run_root() / "analysis_plan.json").exists()
    assert project.run("--resume", "--to_step", "prepare").code == 0
    assert project.call("seal", "r").code == 0


def test_a_seal_needs_questions_and_says_how_to_prepare_them(project: Project) -> None:
    assert project.call("seal", "r").code == 2, "there is no such run"
    assert project.run("--to_step", "prepare").code == 0
    shutil.rmtree(project.run_root() / "prepared")
    outcome = project.call("seal", "r")
    assert outcome.code == 1
    assert "--to_step prepare" in outcome.err


def test_a_changed_run_cannot_be_sealed_again(sealed: Project) -> None:
    edited(stats={"alpha": 0.01})(sealed)
    assert sealed.run("--resume", "--force", "--to_step", "prepare").code == 0
    outcome: Outcome = sealed.call("seal", "r")
    assert outcome.code == 2
    assert "analysis.alpha: sealed 0.05, now 0.01" in outcome.err


def test_a_run_without_a_seal_cannot_be_checked_and_its_archive_mentions_none(project: Project) -> None:
    project.given_run()
    outcome = project.call("seal", "r", "--check")
    assert outcome.code == 2
    assert "is not sealed" in outcome.err
    assert "sealed" not in report(project)
    assert project.call("archive", "r", "--to", "a.tar.zst").code == 0
    assert "sealed" not in project.call("verify", "a.tar.zst").out


def test_checking_an_unsealed_run_prints_a_command_that_works(project: Project) -> None:
    project.given_run("--to_step", "prepare")
    assert "seal a run before any request is sent: promptrial seal r" in project.call("seal", "r", "--check").err
    assert project.run("--resume").code == 0
    refused = project.call("seal", "r", "--check")
    assert refused.code == 2
    assert "run r is not sealed, and has already sent requests" in refused.err
    assert "promptrial seal r" not in refused.err, "which is always refused now"
    assert "start another run, and seal it before it sends requests: promptrial run --run_id NAME" in refused.err


def test_an_archive_says_that_its_run_is_as_sealed(sealed: Project) -> None:
    assert sealed.run("--resume").code == 0
    assert sealed.call("archive", "r", "--to", "a.tar.zst").code == 0
    outcome = sealed.call("verify", "a.tar.zst")
    assert outcome.code == 0, outcome.out
    assert "its analysis: as sealed" in outcome.out
    assert json.loads(sealed.call("verify", "a.tar.zst", "--json").out)["seal"]["deviations"] == []


def test_an_archive_of_a_sealed_run_that_keeps_prices_is_as_sealed(project: Project) -> None:
    project.write_config(
        {"provider": "openai", "models": {"m1": {"id": "gpt-4o-mini"}}, "pricing": None, "execution": QUICK}
    )
    assert project.run("--dry_run", "--to_step", "prepare").code == 0
    assert project.call("seal", "r").code == 0
    assert project.run("--resume").code == 0
    assert (project.run_root() / "prices.json").exists()
    assert project.call("archive", "r", "--to", "a.tar.zst").code == 0
    outcome = project.call("verify", "a.tar.zst")
    assert (outcome.code, "its analysis: as sealed" in outcome.out) == (0, True), outcome.out


def test_records_that_cannot_be_compared_are_named_by_their_paths_in_the_run(sealed: Project, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    shutil.copytree(sealed.run_root(), kept)
    (kept / "effective_config.yaml").unlink()
    found = check_records(kept, "r", {})
    assert found is not None
    assert "cannot be compared" in found.deviations[0]
    assert str(tmp_path) not in found.deviations[0]


def test_changing_a_sealed_run_is_refused_with_the_consequence_of_force(sealed: Project) -> None:
    assert sealed.run("--resume", "--to_step", "submit").code == 0
    edited(temps=[0.5])(sealed)
    refused = sealed.run("--resume")
    assert refused.code == 3
    [listed] = json.loads(sealed.call("list", "--json").out)["runs"]
    assert listed["sealed"] is True
    assert "at_cap" not in listed
    assert "the run is sealed, and its reports will always list a forced change" in refused.err


def test_a_seal_survives_the_loss_of_the_state(sealed: Project) -> None:
    assert sealed.run("--resume").code == 0
    (sealed.run_root() / "run_state.json").unlink()
    assert sealed.call("resume", "r").code == 0
    assert checked(sealed)["as_sealed"] is True


def test_differences_name_keys_that_only_one_plan_has() -> None:
    def plan(**analysis: Any) -> AnalysisPlan:
        return AnalysisPlan(
            run_id="r", question="", sample={}, trials={}, scorers={}, analysis=analysis, exclusions={}, stopping=""
        )

    assert differences(plan(a=1, b={"c": 2}), plan(b={"c": 3}, d={})) == (
        "analysis.a: sealed 1, now missing",
        "analysis.b.c: sealed 2, now 3",
        "analysis.d: not in the sealed plan, now nothing",
    )
