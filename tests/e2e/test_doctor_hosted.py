"""What ``promptrial doctor`` says of jobs and answers that were paid for, on runs against an emulator."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from promptrial import registry
from promptrial.store import records
from promptrial.store.records import TrialManifest
from promptrial.store.rundir import RunDir
from tests.support.doctor import examined, findings, obey, the_one
from tests.support.hosted_fixtures import hosted, process
from tests.support.hosted_run import MODEL, HostedProject, configuration

__all__ = ["hosted", "process"]

RESUME: Final = "promptrial run --run_id r --resume"


def edited(hosted: HostedProject, part: str, **changes: Any) -> None:
    """Change the record of a part in the manifest of the run, and that of its only intent."""
    path = hosted.results() / "trial_manifest.json"
    manifest = records.load(path, TrialManifest)
    (intent,) = manifest.parts[part].intents
    of_intent = {name: value for name, value in changes.items() if name != "results"}
    intent = msgspec.structs.replace(intent, **of_intent)
    manifest.parts[part] = msgspec.structs.replace(manifest.parts[part], intents=(intent,), **changes)
    records.save(path, manifest)


def test_a_finished_hosted_run_is_healthy_from_a_shell_too(hosted: HostedProject) -> None:
    assert hosted.run("--to_step", "report").code == 0
    assert findings(hosted.project) == []
    phases = {use["phase"] for use in examined(hosted.project)["disk"]}
    assert {"submit", "poll"} <= phases
    words = [sys.executable, "-m", "promptrial", "doctor", "r"]
    outcome = subprocess.run(words, cwd=hosted.project.root, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert outcome.stdout.startswith("run r: finished, nothing to fix")


def test_submitted_jobs_without_fetched_answers_are_reported_as_billed_and_missing(hosted: HostedProject) -> None:
    assert hosted.run("--to_step", "submit").code == 0
    found = findings(hosted.project, "billed_missing")
    assert len(found) == len(hosted.jobs()) == 4
    assert {each["severity"] for each in found} == {"warning"}
    assert all("7 requests" in each["meaning"] and " USD)" in each["meaning"] for each in found)
    obey(hosted.project, *found)
    assert findings(hosted.project) == []
    hosted.paid_once()


@pytest.mark.parametrize("damage", ["lost", "cut"])
def test_answers_that_were_paid_for_and_are_lost_are_fetched_again_by_the_command(
    hosted: HostedProject, damage: str
) -> None:
    assert hosted.run("--to_step", "report").code == 0
    answers = min(hosted.results().glob("t0_*/results.jsonl"))
    whole = answers.read_bytes()
    if damage == "lost":
        answers.unlink()
    else:
        answers.write_bytes(whole[:100])
    found = the_one(hosted.project, "billed_missing")
    assert found["severity"] == "error"
    assert found["file"].endswith("results.jsonl")
    assert "7 answers of job " in found["meaning"]
    obey(hosted.project, found)
    assert findings(hosted.project, grave=True) == []
    assert answers.read_bytes() == whole
    hosted.paid_once()


def test_results_with_fewer_answers_than_received_are_moved_aside_and_fetched_again(hosted: HostedProject) -> None:
    assert hosted.run("--to_step", "poll").code == 0
    answers = min(hosted.results().glob("t0_*/results.jsonl"))
    whole = answers.read_bytes()
    answers.write_bytes(b"".join(whole.splitlines(keepends=True)[:4]))
    edited(hosted, answers.parent.name, results=RunDir(Path("experiments"), "r").record(answers.absolute(), 4))
    found = the_one(hosted.project, "billed_missing")
    assert "7 answers" in found["meaning"]
    assert "4 are in its results" in found["meaning"]
    assert found["command"].startswith("mv ")
    obey(hosted.project, found)
    assert answers.read_bytes() == whole
    assert findings(hosted.project, grave=True) == []
    hosted.paid_once()


def test_lost_answers_of_an_attempt_that_ended_early_are_found_before_the_part_is_complete(
    hosted: HostedProject,
) -> None:
    hosted.emulator.fault("F10", "create_job", variant="expired")
    assert hosted.run("--to_step", "submit").code == 0
    hosted.emulator.fault("F2", "create_job", status=500, count=-1)
    assert hosted.run("--resume").code == 1
    raw = sorted(hosted.results().glob("t0_*/results.a1.jsonl"))
    assert len(raw) == 1
    raw[0].unlink()
    found = [each for each in findings(hosted.project, "billed_missing") if each["severity"] == "error"]
    assert len(found) == 1
    assert found[0]["file"].endswith("results.a1.jsonl")
    hosted.emulator.clear_faults()
    obey(hosted.project, found[0])
    assert findings(hosted.project, grave=True) == []


def test_a_parked_part_is_an_error_until_a_resume_has_found_its_job(hosted: HostedProject) -> None:
    hosted.emulator.fault("F2", "create_job", status=500, count=-1)
    assert hosted.run("--parts_per_dataset", "1").code == 1
    found = findings(hosted.project, "unknown_intent")
    assert [each["severity"] for each in found] == ["error", "error"]
    assert all("it is not known whether job" in each["meaning"] for each in found)
    hosted.emulator.clear_faults()
    obey(hosted.project, *found)
    assert findings(hosted.project) == []
    hosted.paid_once()


def test_a_job_whose_creation_was_interrupted_is_a_warning(hosted: HostedProject) -> None:
    assert hosted.run("--to_step", "submit").code == 0
    edited(hosted, "t0_control_p001", status="submitting", job=None)
    found = the_one(hosted.project, "unknown_intent")
    assert found["severity"] == "warning"
    assert "was being created when the process ended" in found["meaning"]
    obey(hosted.project, found)
    assert findings(hosted.project) == []
    assert len(hosted.jobs()) == 4


# --- jobs that no part claims ----------------------------------------------------------------------------------------


def test_a_job_named_only_by_its_breadcrumb_file_is_adopted_by_the_command(hosted: HostedProject) -> None:
    assert hosted.run("--to_step", "build").code == 0
    path = hosted.results() / "trial_manifest.json"
    earlier = path.read_bytes()
    assert hosted.run("--to_step", "submit", "--resume").code == 0
    path.write_bytes(earlier)
    found = findings(hosted.project, "orphan_job")
    assert len(found) == 4
    assert {each["command"] for each in found} == {RESUME}
    assert all(each["file"].endswith("_job.json") for each in found)
    obey(hosted.project, *found)
    assert findings(hosted.project) == []
    assert len(hosted.jobs()) == 4


def test_an_unreadable_breadcrumb_matters_only_if_nothing_else_names_the_job(hosted: HostedProject) -> None:
    assert hosted.run("--to_step", "build").code == 0
    path = hosted.results() / "trial_manifest.json"
    earlier = path.read_bytes()
    assert hosted.run("--to_step", "submit", "--resume").code == 0
    crumb = min(hosted.results().glob("*_job.json"))
    crumb.write_text("{")
    assert findings(hosted.project, "orphan_job") == []
    path.write_bytes(earlier)
    damaged = [each for each in findings(hosted.project, "orphan_job") if "damaged" in each["meaning"]]
    assert len(damaged) == 1
    obey(hosted.project, damaged[0])
    assert findings(hosted.project) == []
    assert len(hosted.jobs()) == 4


FIRECTL: Final = """#!{python}
import sys, urllib.request
assert sys.argv[1:3] == ["batch-inference-job", "delete"] and sys.argv[4:] == ["-a", "{account}"], sys.argv
url = "{url}/v1/accounts/{account}/batchInferenceJobs/" + sys.argv[3]
headers = {{"Authorization": "Bearer {key}"}}
urllib.request.urlopen(urllib.request.Request(url, method="DELETE", headers=headers)).read()
"""


def test_jobs_of_a_removed_trial_are_stopped_at_the_vendor_and_filed_away(
    hosted: HostedProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = hosted.emulator
    stuck.fault("F9", "create_job", variant="stuck", count=-1)
    flags = ("--no_sharing", "--parts_per_dataset", "1")
    assert hosted.run("--to_step", "submit", "--prompt_sets", "main,other", *flags).code == 0
    stuck.clear_faults()
    keys = [job["id"] for job in hosted.jobs()]
    assert len(keys) == 4
    rest = ("--resume", "--force", "--prompt_sets", "main", "--to_step", "build")
    assert hosted.project.run(*rest).code == 0
    found = [each for each in findings(hosted.project, "orphan_job") if "-other-" in each["file"]]
    assert len(found) == 2
    assert all(f"firectl batch-inference-job delete {name(each)} -a hosted && mv " in each["command"] for each in found)
    tool = hosted.project.root / "bin" / "firectl"
    tool.parent.mkdir()
    emulator = hosted.emulator
    text = FIRECTL.format(python=sys.executable, account=emulator.account, url=emulator.url, key=emulator.key)
    tool.write_text(text)
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tool.parent), prepend=":")
    obey(hosted.project, *found)
    assert findings(hosted.project, "orphan_job") == []
    there = {
        job["name"].rpartition("/")[2] for job in emulator.http.get("batchInferenceJobs").json()["batchInferenceJobs"]
    }
    assert there.isdisjoint(name(each) for each in found)


def name(found: dict[str, Any]) -> str:
    word: str = found["meaning"].split()[1]
    return word


def test_a_superseded_job_is_a_warning_and_only_a_note_once_the_part_is_fetched(
    hosted: HostedProject,
) -> None:
    assert hosted.run("--to_step", "submit").code == 0
    (hosted.project.root / "config" / "treatment.txt").write_text("Something else.\n")
    assert hosted.run("--resume", "--force", "--to_step", "submit").code == 0
    found = findings(hosted.project, "superseded_job")
    assert len(found) == 2
    assert {each["severity"] for each in found} == {"warning"}
    assert all("has requests that are no longer needed" in each["meaning"] for each in found)
    obey(hosted.project, *found)
    document = examined(hosted.project)
    assert document["healthy"]
    assert {each["severity"] for each in document["findings"]} == {"note"}
    (first, second) = (each for each in document["findings"] if each["kind"] == "superseded_job")
    assert first["command"] == f"firectl batch-inference-job delete {name(first)} -a hosted"
    assert name(first) != name(second)


def test_a_job_created_after_it_was_given_up_is_reported_with_its_outcome(hosted: HostedProject) -> None:
    hosted.emulator.fault("F8", "create_job", variant="error", delay_s=1e6, count=-1)
    assert hosted.run("--parts_per_dataset", "1").code == 1
    assert len(findings(hosted.project, "unknown_intent")) == 2
    hosted.emulator.clear_faults()
    hosted.emulator.advance(2e6)
    (hosted.project.root / "config" / "treatment.txt").write_text("Something else.\n")
    assert hosted.run("--resume", "--force").code == 0
    late = the_one(hosted.project, "superseded_job")
    assert (late["severity"], late["command"]) == ("note", None)
    assert (
        f"it was found late (m1-main-tp1-tk50-mx64-64/t0_treatment_p001: job {name(late)} appeared" in (late["meaning"])
    )
    assert examined(hosted.project)["healthy"]


def test_requests_that_remain_unanswered_are_a_note(hosted: HostedProject) -> None:
    hosted.emulator.fault("F10", "create_job", variant="expired", count=-1)
    assert hosted.run("--parts_per_dataset", "1").code == 0
    found = findings(hosted.project, "unanswered")
    assert found
    assert {(each["severity"], each["command"]) for each in found} == {("note", None)}
    assert "count as missing" in found[0]["meaning"]
    assert examined(hosted.project)["healthy"]


# --- dry runs --------------------------------------------------------------------------------------------------------


def test_a_dry_run_that_lost_its_state_never_calls_a_real_provider(hosted: HostedProject) -> None:
    assert hosted.run("--dry_run", "--to_step", "report").code == 0
    (hosted.project.run_root() / "run_state.json").write_text("{")
    (found,) = [each for each in findings(hosted.project) if each["severity"] == "error"]
    assert found["command"] == "promptrial run --run_id r --resume"
    obey(hosted.project, found)
    assert hosted.jobs() == []
    state = json.loads((hosted.project.run_root() / "run_state.json").read_text())
    assert state["dry_run"] is True
    assert examined(hosted.project)["healthy"]


def test_the_job_of_an_arm_with_its_own_provider_is_stopped_in_the_account_that_created_it(
    hosted: HostedProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.PROVIDERS, "fake", "tests.support.fake_provider:FakeProvider")

    def configure(text: str) -> None:
        treatment = {"prompt": {"text": text}, "model": "m2"}
        models = {"m1": {"id": "small", "provider": "fake"}, "m2": {"id": MODEL}}
        sets = {"main": {"control": "control.txt", "treatments": {"big": treatment}}}
        hosted.project.write_config(
            configuration({"models": models, "sweep": {"models": ["m1"]}, "prompt_sets": sets, "pricing": {}})
        )

    configure("Be brief.")
    assert hosted.run("--to_step", "submit").code == 0
    made = [job["id"] for job in hosted.jobs()]
    configure("Be long.")
    assert hosted.run("--resume", "--force").code == 0
    path = hosted.results() / "trial_manifest.json"
    manifest = records.load(path, TrialManifest)
    own = manifest.own("big")
    assert own is not None
    own.engine = {**own.engine, "account": "another"}
    records.save(path, manifest)
    commands = {each["command"] for each in findings(hosted.project, "superseded_job")}
    assert commands == {f"firectl batch-inference-job delete {job} -a hosted" for job in made}
