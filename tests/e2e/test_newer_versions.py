"""What a newer version of the program made is refused by every command with exit code 3, and left as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.project import Project

RECORDS = {
    "run_state.json": "run_state.json",
    "prepared/manifest.json": "prepared/manifest.json",
    "batch_inputs/manifest.json": "batch_inputs/manifest.json",
    "multi_trial_manifest.json": "multi_trial_manifest.json",
    "trial_manifest.json": "TRIAL/results/trial_manifest.json",
    "jobs.journal.jsonl": "TRIAL/results/jobs.journal.jsonl",
}
COMMANDS = {
    "resume": ("resume", "r"),
    "run": ("run", "--run_id", "r", "--resume"),
    "force": ("run", "--run_id", "r", "--resume", "--force"),
    "plan": ("plan", "--run_id", "r"),
    "doctor": ("doctor", "r"),
    "archive": ("archive", "r", "--to", "kept"),
}
READERS = {"status": ("status", "--run_id", "r"), "compare": ("compare", "r", "r")}
"""Commands that do not read every record."""
READ_BY = {
    "status": {"run_state.json", "batch_inputs/manifest.json", "trial_manifest.json", "jobs.journal.jsonl"},
    "compare": {"run_state.json", "prepared/manifest.json", "batch_inputs/manifest.json", "trial_manifest.json",
                "jobs.journal.jsonl"},
}  # fmt: skip


def make_newer(project: Project, name: str) -> Path:
    path = project.run_root() / name.replace("TRIAL", project.trial_folder().name)
    record = json.loads(path.read_text()) if path.exists() else {"part": "t0_control_p001"}
    path.write_text(json.dumps(record | {"schema_version": 99, "status": "of a kind that nobody knows"}) + "\n")
    return path


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", RECORDS)
def test_a_record_of_a_newer_version_is_refused_everywhere_and_never_moved_aside(project: Project, name: str) -> None:
    project.given_run()
    path = make_newer(project, RECORDS[name])
    before = project.snapshot()
    for command, words in (COMMANDS | READERS).items():
        outcome = project.call(*words)
        if command in READERS and name not in READ_BY[command]:
            continue
        assert outcome.code == 3, (command, outcome)
        assert outcome.out == ""
        said = f"{path.relative_to(project.root)}{':1' if path.suffix == '.jsonl' else ''}: made by a newer version of"
        assert said in outcome.err, (command, outcome.err)
    after = project.snapshot()
    assert {key for key in {*before, *after} if before.get(key) != after.get(key)} <= {"run.log", ".state.lock"}
    assert not list(project.run_root().rglob("*.corrupt.*"))


def test_a_list_shows_a_run_of_a_newer_version_among_the_others(project: Project) -> None:
    project.given_run()
    assert project.run(run_id="whole").code == 0
    make_newer(project, "run_state.json")
    outcome = project.call("list", "--json")
    assert outcome.code == 0
    listed = {run["run_id"]: run for run in json.loads(outcome.out)["runs"]}
    assert (listed["r"]["status"], listed["whole"]["status"]) == ("newer", "finished")
    assert "made by a newer version of promptrial" in listed["r"]["problem"]


@pytest.mark.parametrize("name", ["significance.json", "costs.json"])
def test_a_comparison_refuses_documents_of_a_newer_version(project: Project, name: str) -> None:
    import hashlib

    assert project.run().code == 0
    path = project.trial_folder() / "results" / name
    data = json.dumps(json.loads(path.read_text()) | {"schema_version": 99}).encode()
    path.write_bytes(data)
    manifest = project.trial_folder() / "results/trial_manifest.json"
    record = json.loads(manifest.read_text())
    stage = record["stage_status"]["stats" if name.startswith("sig") else "costs"]
    relative = path.relative_to(project.run_root()).as_posix()
    stage["artifacts"][relative] |= {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    manifest.write_text(json.dumps(record))
    outcome = project.call("compare", "r", "r")
    assert outcome.code == 3
    assert f"{name}: made by a newer version of promptrial" in outcome.err


@pytest.mark.parametrize("command", [("verify", "kept"), ("unarchive", "kept", "--run_id", "new")])
def test_an_archive_of_a_newer_version_is_refused(project: Project, command: tuple[str, ...]) -> None:
    project.given_run()
    assert project.call("archive", "r", "--to", "kept").code == 0
    path = project.root / "kept/archive_manifest.json"
    path.write_text(json.dumps({"schema_version": 99, "files": "of another kind"}))
    outcome = project.call(*command)
    assert outcome.code == 3
    assert "archive_manifest.json: made by a newer version of promptrial" in outcome.err
    assert not project.run_root("new").exists()


def test_a_run_of_another_version_with_more_phases_and_stages_resumes_and_keeps_them(project: Project) -> None:
    project.given_run("--to_step", "score")
    state, manifest = project.run_root() / "run_state.json", project.trial_folder() / "results/trial_manifest.json"
    for path, key in ((state, "phases"), (manifest, "stage_status")):
        record = json.loads(path.read_text())
        record[key]["judge"] = {"status": "completed", "updated_at": "2026-01-01T00:00:00Z", "verdicts": 7}
        record["of_a_later_version"] = {"a": 1}
        if path == state:
            del record["phases"]["report"]
        path.write_text(json.dumps(record))
    assert project.run("--resume").code == 0
    for path, key in ((state, "phases"), (manifest, "stage_status")):
        record = json.loads(path.read_text())
        assert record[key]["judge"]["verdicts"] == 7
        assert record["of_a_later_version"] == {"a": 1}
    assert json.loads(state.read_text())["phases"]["report"]["status"] == "completed"
    assert json.loads(project.call("status", "--run_id", "r", "--json").out)["status"] == "finished"
