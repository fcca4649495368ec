"""``promptrial doctor``: each finding is seen on a run with real damage, and gone after the command that it names."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any, Final

import pytest

from promptrial.engine import space
from promptrial.phases import report
from promptrial.store.lock import holder
from tests.support import fake_provider, older_runs
from tests.support.crash_lab import in_fork
from tests.support.doctor import TO_MEND, examined, findings, obey, the_one
from tests.support.project import Outcome, Project

SLUG: Final = "m1-main-tp1-tk50-mx64-64"
RESUME: Final = "promptrial run --run_id r --resume"
UNGUARDED: Final = ("run.log", ".state.lock", "asked.json")
"""Files that nothing depends on, as long as another is whole; a lost log is no damage."""


def results(project: Project) -> Path:
    return project.run_root() / SLUG / "results"


def cut_off(project: Project, after: int = 9) -> None:
    """End a run in the middle of its answers, as a person does who presses Ctrl-C before it can be handled."""

    def die(_: object) -> None:
        if fake_provider.CALLS.total() == after:
            raise KeyboardInterrupt

    fake_provider.BEFORE_ROW.append(die)
    assert project.run().code == 130
    fake_provider.BEFORE_ROW.clear()


# --- what is well ----------------------------------------------------------------------------------------------------


def test_a_finished_run_is_healthy_and_its_disk_use_is_shown_by_trial_and_phase(project: Project) -> None:
    project.given_run("--prompt_sets", "main,other")
    document = examined(project)
    assert (document["healthy"], document["status"], document["findings"]) == (True, "finished", [])
    sizes = [path.stat().st_size for path in project.run_root().rglob("*") if path.is_file()]
    assert document["bytes"] == sum(sizes) == sum(use["bytes"] for use in document["disk"])
    assert sum(use["files"] for use in document["disk"]) == len(sizes)
    phases = {use["phase"] for use in document["disk"] if use["trial"] == SLUG}
    assert phases == {"build", "poll", "parse", "score", "stats", "costs", "report", "records"}
    assert document["free_bytes"] > 0
    text = project.call("doctor", "r")
    assert text.code == 0
    assert text.out.startswith("run r: finished, nothing to fix\n")


@pytest.mark.parametrize("step", ["prepare", "build", "submit", "poll", "parse", "stats"])
def test_a_run_left_after_any_step_has_nothing_to_fix(project: Project, step: str) -> None:
    project.given_run("--to_step", step)
    assert findings(project) == []


def test_a_run_stopped_on_request_has_nothing_to_fix(project: Project) -> None:
    sentinel = project.run_root() / "STOP_REQUESTED"
    fake_provider.BEFORE_ROW.append(lambda _: sentinel.touch() if fake_provider.CALLS.total() == 9 else None)
    assert project.run().code == 5
    fake_provider.BEFORE_ROW.clear()
    sentinel.unlink(missing_ok=True)
    document = examined(project)
    assert (document["status"], document["findings"]) == ("stopped", [])


def test_an_unknown_run_is_refused_with_the_known_ones(project: Project) -> None:
    project.given_run(run_id="first")
    outcome = project.call("doctor", "second")
    assert outcome.code == 2
    assert "known runs: first" in outcome.err


# --- damage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [3, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("number", "damage"), [(0, "delete"), (1, "tear"), (2, "another")])
def test_any_damaged_file_is_found_and_fixed_by_the_named_command(
    project: Project, number: int, damage: str, stride: int
) -> None:
    """Each file once in ``make test``, with one kind of damage; with every kind among the slow tests."""
    project.given_run()
    whole = project.root / "whole"
    shutil.copytree(project.run_root(), whole)
    before = fake_provider.CALLS.total()
    for path in sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file())[
        number % stride :: stride
    ]:
        target, data = project.run_root() / path, (whole / path).read_bytes()
        if damage == "delete":
            target.unlink()
        else:
            target.write_bytes({"tear": data[:-20], "another": b'{"facts": {}}'}[damage])
        found = findings(project, grave=True)
        if path.name in UNGUARDED or (target.exists() and target.read_bytes() == data):
            assert all(each["kind"] == "torn" for each in found), path
        else:
            assert path.as_posix() in {each["file"] for each in found}, path
        obey(project, *found)
        assert findings(project, grave=True) == [], path
        is_answers = path.match("*/results/*/results.jsonl")
        assert is_answers or fake_provider.CALLS.total() == before, f"{path}: something was asked again"
        before = fake_provider.CALLS.total()
        shutil.rmtree(project.run_root())
        shutil.copytree(whole, project.run_root())


def test_a_damaged_file_that_was_renamed_is_a_note_and_its_command_removes_it(project: Project) -> None:
    project.given_run()
    (results(project) / "costs.json").write_text("{")
    assert the_one(project, "artifact")["command"] == RESUME
    obey(project, the_one(project, "artifact"))
    aside = the_one(project, "set_aside")
    assert (aside["severity"], aside["file"]) == ("note", f"{SLUG}/results/costs.json.corrupt.1")
    assert aside["command"] == f"rm experiments/run_r/{SLUG}/results/costs.json.corrupt.1"
    assert {use["phase"] for use in examined(project)["disk"]} >= {"set aside"}
    obey(project, aside)
    assert findings(project) == []


def test_torn_and_damaged_lines_of_an_interrupted_run_are_found_and_fixed(project: Project) -> None:
    cut_off(project)
    journal = results(project) / "jobs.journal.jsonl"
    rows = next(path for path in results(project).glob("*/results.partial.jsonl"))
    for path in (journal, rows, project.run_root() / "run.log"):
        with path.open("ab") as file:
            file.write(b'{"part": "t0_con')
    torn = findings(project, "torn")
    assert [Path(each["file"]).name for each in torn] == ["run.log", journal.name, rows.name]
    assert {each["severity"] for each in torn} == {"warning"}
    obey(project, *torn)
    assert findings(project, grave=True) == []
    assert max(fake_provider.CALLS.values()) == 1


def test_a_damaged_line_of_the_journal_is_named_with_its_number(project: Project) -> None:
    cut_off(project)
    journal = results(project) / "jobs.journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:1], b"{garbled\n", *lines[1:]]))
    found = the_one(project, "record")
    assert found["file"] == f"{SLUG}/results/jobs.journal.jsonl"
    assert "line 2 is damaged" in found["meaning"]
    obey(project, found)
    assert findings(project, grave=True) == []


def test_a_damaged_row_of_unfinished_answers_is_found(project: Project) -> None:
    cut_off(project)
    rows = next(path for path in results(project).glob("*/results.partial.jsonl"))
    rows.write_bytes(b"{garbled\n" + rows.read_bytes())
    found = the_one(project, "record")
    assert found["file"].endswith("results.partial.jsonl")
    obey(project, found)
    assert findings(project, grave=True) == []


def test_requests_of_unrecorded_parts_are_moved_aside_and_built_again(project: Project) -> None:
    project.given_run("--to_step", "build")
    path = project.run_root() / "batch_inputs" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"facts": {}}))
    found = the_one(project, "record")
    assert found["command"] == RESUME
    obey(project, found)
    assert findings(project, grave=True) == []


@pytest.mark.parametrize("name", ["batch_inputs/manifest.json", f"{SLUG}/results/trial_manifest.json"])
def test_a_folder_in_place_of_a_record_is_moved_aside(project: Project, name: str) -> None:
    project.given_run()
    path = project.run_root() / name
    path.unlink()
    path.mkdir()
    found = the_one(project, "record")
    assert found["command"] == f"mv experiments/run_r/{name} experiments/run_r/{name}.corrupt.1 && {RESUME}"
    obey(project, found)
    assert findings(project, grave=True) == []


def test_a_manually_changed_configuration_copy_is_found(project: Project) -> None:
    project.given_run()
    path = project.run_root() / "effective_config.yaml"
    path.write_text(path.read_text().replace("top_k: 50", "top_k: 51"))
    found = the_one(project, "record")
    assert (found["file"], found["severity"]) == ("effective_config.yaml", "error")
    obey(project, found)
    assert findings(project, grave=True) == []


@pytest.mark.parametrize("damage", ["lost", "garbled"])
def test_without_a_state_the_command_recovers_the_starting_configuration(project: Project, damage: str) -> None:
    shutil.copytree(project.root / "config", project.root / "mine")
    assert project.run("--config", "mine/eval_config.yaml", "--limit_items", "2").code == 0
    before = fake_provider.CALLS.total()
    if damage == "lost":
        (project.run_root() / "run_state.json").unlink()
    else:
        (project.run_root() / "run_state.json").write_text("{")
    document = examined(project)
    assert document["status"] == ("no_state" if damage == "lost" else "damaged")
    (found,) = (each for each in document["findings"] if each["severity"] == "error")
    commands = {"lost": "promptrial resume r", "garbled": "promptrial run --run_id r --resume"}
    assert found["command"] == commands[damage]
    obey(project, found)
    assert fake_provider.CALLS.total() == before, "nothing was asked again"
    assert findings(project, grave=True) == []


@pytest.mark.parametrize("damage", ["lost", "garbled"])
def test_without_a_state_the_command_finishes_the_run_although_its_configuration_has_changed(
    project: Project, damage: str
) -> None:
    project.given_run(run_id="whole")
    fake_provider.CALLS.clear()
    assert project.run("--to_step", "parse").code == 0
    before = fake_provider.CALLS.total()
    path = project.run_root() / "run_state.json"
    path.unlink() if damage == "lost" else path.write_text("{")
    (project.root / "config" / "treatment.txt").write_text("Something else.\n")
    found = findings(project, grave=True)
    own = "--config experiments/run_r/effective_config.yaml"
    commands = {"lost": f"promptrial resume r {own}", "garbled": f"promptrial run --run_id r {own} --resume"}
    assert {each["command"] for each in found} == {commands[damage]}
    assert "prompt_sets.main.treatment.text" in found[-1]["meaning"]
    obey(project, *found)
    assert fake_provider.CALLS.total() == before
    assert [each["severity"] for each in findings(project, "drift")] == ["note"]
    one, other = (project.run_root(name) / SLUG / "results" / "significance.json" for name in ("r", "whole"))
    assert one.read_bytes() == other.read_bytes()


def test_commands_name_the_folder_of_the_runs_unless_it_is_the_default(project: Project) -> None:
    assert project.run("--experiments_dir", "some where").code == 0
    folder = project.root / "some where" / "run_r"
    (folder / SLUG / "results" / "costs.json").unlink()
    outcome = project.call("doctor", "r", "--experiments_dir", "some where", "--json")
    assert outcome.code == TO_MEND
    (found,) = json.loads(outcome.out)["findings"]
    assert found["command"] == "promptrial run --run_id r --experiments_dir 'some where' --resume"
    obey(project, found)
    assert project.call("doctor", "r", "--experiments_dir", "some where").code == 0


def test_the_text_output_names_each_problem_and_each_command_once(project: Project) -> None:
    project.given_run()
    (results(project) / "costs.json").write_text("{")
    (project.run_root() / "STOP_REQUESTED").touch()
    outcome = project.call("doctor", "--run_id", "r")
    assert outcome.code == TO_MEND
    assert "run r: finished, something to fix (1 error, 1 note)" in outcome.out
    assert f"error    {SLUG}/results/costs.json\n" in outcome.out
    assert outcome.out.count(f"         $ {RESUME}\n") == 2
    assert f"To fix this:\n  {RESUME}\n\nOn disk: " in outcome.out


# --- processes -------------------------------------------------------------------------------------------------------


def test_a_stop_request_without_a_process_is_stale_and_stops_nothing(project: Project) -> None:
    project.given_run("--to_step", "parse")
    (project.run_root() / "STOP_REQUESTED").write_text("stop\n")
    found = the_one(project, "stop_sentinel")
    assert (found["file"], found["severity"], found["command"]) == ("STOP_REQUESTED", "note", RESUME)
    obey(project, found)
    document = examined(project)
    assert (document["status"], document["findings"]) == ("finished", [])


def test_leftovers_of_a_killed_process_are_found_and_removed_by_the_resume(project: Project) -> None:
    def die(_: object) -> None:
        if fake_provider.CALLS.total() == 9:
            os.kill(os.getpid(), signal.SIGKILL)

    def work() -> Outcome:
        fake_provider.BEFORE_ROW.append(die)
        return project.run()

    assert in_fork(project.root, work).code == -signal.SIGKILL
    (results(project) / ".predictions.csv.4711.tmp").write_text("half")
    lock, cut, leftover = (the_one(project, kind) for kind in ("lock", "interrupted", "leftover"))
    assert "which is gone" in lock["meaning"]
    assert cut["meaning"].startswith("poll was in progress")
    assert (lock["severity"], cut["severity"], leftover["severity"]) == ("warning", "warning", "note")
    obey(project, lock, cut, leftover)
    document = examined(project)
    assert (document["status"], document["findings"]) == ("finished", [])


def test_a_running_run_is_healthy_and_its_unfinished_work_is_not_judged(project: Project) -> None:
    seen = []

    def look(_: object) -> None:
        if fake_provider.CALLS.total() == 9:
            (project.run_root() / "STOP_REQUESTED").unlink(missing_ok=True)
            seen.append(json.loads(project.call("doctor", "r", "--json").out))

    fake_provider.BEFORE_ROW.append(look)
    assert project.run().code == 0
    (document,) = seen
    assert (document["status"], document["healthy"]) == ("running", True)
    (note,) = document["findings"]
    assert (note["kind"], note["severity"], note["command"]) == ("lock", "note", None)
    assert "promptrial stop --run_id r" in note["meaning"]


def test_a_suspended_process_is_distinguished_from_a_running_one_and_continues_with_the_command(
    project: Project,
) -> None:
    def suspend(_: object) -> None:
        if fake_provider.CALLS.total() == 9:
            os.kill(os.getpid(), signal.SIGSTOP)

    pid = os.fork()
    if pid == 0:
        try:
            fake_provider.BEFORE_ROW.append(suspend)
            os._exit(project.run().code)
        finally:
            os._exit(70)
    os.waitpid(pid, os.WUNTRACED)
    lock = project.run_root() / ".state.lock"
    os.utime(lock, (time.time() - 3600,) * 2)
    found = the_one(project, "lock")
    assert (found["severity"], found["command"]) == ("warning", f"kill -CONT {pid}")
    obey(project, found)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert holder(lock) is None
    assert findings(project) == []


def test_without_file_locks_a_holder_that_fell_silent_does_not_block_others(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.given_run("--to_step", "parse")
    monkeypatch.setattr("promptrial.store.lock._HAS_FLOCK", False)
    lock = project.run_root() / ".state.lock"
    lock.write_text(json.dumps({"pid": 1, "host": "elsewhere.example", "since": "2026-01-01T00:00:00Z"}))
    assert the_one(project, "lock")["severity"] == "note"
    os.utime(lock, (time.time() - 3600,) * 2)
    found = the_one(project, "lock")
    assert "has shown no sign of life" in found["meaning"]
    assert found["severity"] == "warning"
    obey(project, found)
    assert findings(project) == []


def test_a_failed_phase_is_reported_with_its_reason(project: Project) -> None:
    project.given_run("--to_step", "poll")
    (results(project) / "predictions.csv").mkdir()
    assert project.run("--resume").code == 1
    found = the_one(project, "failed")
    assert found["severity"] == "error"
    assert found["meaning"].startswith("parse failed: ")
    (results(project) / "predictions.csv").rmdir()
    obey(project, found)
    assert findings(project) == []


def test_a_failed_run_with_a_changed_configuration_gets_one_command_that_works(project: Project) -> None:
    project.given_run("--to_step", "poll")
    (results(project) / "predictions.csv").mkdir()
    assert project.run("--resume").code == 1
    (results(project) / "predictions.csv").rmdir()
    (project.root / "config" / "treatment.txt").write_text("Something else.\n")
    found = findings(project, grave=True)
    assert {each["kind"] for each in found} == {"failed", "drift"}
    own = "promptrial run --run_id r --config experiments/run_r/effective_config.yaml --resume"
    assert {each["command"] for each in found} == {own}
    obey(project, *found)
    assert findings(project, grave=True) == []


def test_a_phase_completed_only_according_to_the_state_is_found(project: Project) -> None:
    project.given_run("--to_step", "score")
    path = project.run_root() / "run_state.json"
    state = json.loads(path.read_text())
    state["phases"]["stats"] |= {"status": "completed", "started_at": "2026-01-01T00:00:00Z"}
    path.write_text(json.dumps(state))
    found = the_one(project, "not_done")
    assert "stats counts as completed, but the plan says: to do" in found["meaning"]
    obey(project, found)
    assert findings(project) == []


# --- problems that a resume would have -------------------------------------------------------------------------------


def test_a_changed_prompt_of_an_unfinished_run_is_drift_and_the_command_finishes_it_with_the_old_prompt(
    project: Project,
) -> None:
    project.given_run(run_id="whole")
    project.run("--to_step", "parse")
    before = fake_provider.CALLS.total()
    (project.root / "config" / "treatment.txt").write_text("Something else.\n")
    assert project.run("--resume").code == 3
    found = the_one(project, "drift")
    assert found["severity"] == "warning"
    assert "prompt_sets.main.treatment.text" in found["meaning"]
    assert (
        found["command"]
        == f"{RESUME.removesuffix(' --resume')} --config experiments/run_r/effective_config.yaml --resume"
    )
    obey(project, found)
    document = examined(project)
    assert (document["status"], document["healthy"]) == ("finished", True)
    assert [each["severity"] for each in document["findings"]] == ["note"]
    assert fake_provider.CALLS.total() == before
    one, other = (project.run_root(name) / SLUG / "results" / "significance.json" for name in ("r", "whole"))
    assert one.read_bytes() == other.read_bytes()


def test_a_missing_or_invalid_configuration_of_a_finished_run_is_a_note(project: Project) -> None:
    project.given_run()
    whole = project.config.read_text()
    project.config.write_text("models: [\n")
    assert "can no longer be loaded" in the_one(project, "drift")["meaning"]
    assert the_one(project, "drift")["severity"] == "note"
    project.config.unlink()
    assert "does not exist" in the_one(project, "drift")["meaning"]
    project.config.write_text(whole)
    assert findings(project) == []


def test_questions_that_changed_are_a_note_because_the_run_keeps_its_own(project: Project) -> None:
    project.given_run()
    with (project.root / "config" / "closed.jsonl").open("a") as file:
        file.write('{"id": "c99", "question": "One more?", "answers": ["x"]}\n')
    found = the_one(project, "drift")
    assert (found["severity"], found["file"]) == ("note", "prepared/manifest.json")
    assert "closed.jsonl has changed" in found["meaning"]


def test_files_written_by_another_version_of_the_program_are_found_and_made_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.given_run()
    monkeypatch.setattr(report, "__version__", "99.0")
    found = the_one(project, "drift")
    assert "report was made by another version of this program" in found["meaning"]
    obey(project, found)
    assert findings(project) == []


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (
            {"scorers": {"em": None, "polite": {"type": "python", "file": "polite.py", "words": ["${WORD}"]}}},
            "made with other scorers, or with other settings or versions of them",
        ),
        (
            {"scoring": {"extra_refusals": ["${WORD}"]}},
            "made by another version of this program, or with other values of the configuration",
        ),
    ],
)
def test_files_made_with_other_scorers_or_values_are_not_blamed_on_the_program_version(
    project: Project, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], said: str
) -> None:
    shutil.copy(Path(__file__).parents[2] / "docs/examples/polite.py", project.root / "config")
    project.write_config(config)
    monkeypatch.setenv("WORD", "paris")
    assert project.run().code == 0
    monkeypatch.setenv("WORD", "known")
    found = findings(project, "drift")[0]
    assert found["meaning"].partition(" was ")[2] == said
    if "scorers" in config:  # another value elsewhere is drift, which a resume accepts by --force alone
        obey(project, found)
        assert findings(project) == []


def test_a_missing_environment_variable_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write_config({"models": {"m1": {"id": "${MODEL_OF_MINE}"}}})
    monkeypatch.setenv("MODEL_OF_MINE", "vendor/secret-model")
    assert project.run("--to_step", "parse").code == 0
    assert findings(project) == []
    monkeypatch.delenv("MODEL_OF_MINE")
    found = the_one(project, "drift")
    assert "MODEL_OF_MINE" in found["meaning"]
    assert found["severity"] == "error"
    monkeypatch.setenv("MODEL_OF_MINE", "vendor/secret-model")
    obey(project, found)
    assert findings(project) == []


def test_too_little_disk_space_for_the_remaining_work_is_found(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.given_run("--to_step", "build")
    monkeypatch.setattr(space, "_free", lambda _folder: 1_000_000)
    found = the_one(project, "disk_space")
    assert (found["severity"], found["command"]) == ("error", RESUME)
    assert "the disk has only 1.0 MB free" in found["meaning"]
    monkeypatch.undo()
    monkeypatch.chdir(project.root)
    monkeypatch.setitem(fake_registry(), "fake", "tests.support.fake_provider:FakeProvider")
    obey(project, found)
    assert findings(project) == []


def fake_registry() -> dict[str, str]:
    from promptrial import registry

    return registry.PROVIDERS  # type: ignore[return-value] # a mapping that tests may add to


# --- runs of an older tool -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_run_of_the_predecessor_is_named_as_such_and_migrated_by_the_command(project: Project, version: str) -> None:
    root = project.run_root()
    older_runs.lay_out_run(root, version)
    found = the_one(project, "legacy")
    assert examined(project)["status"] == "legacy"
    if not (root / "prepared").is_dir():
        assert found["command"] == "promptrial resume r --prepared path/to/prepared"
        older_runs.lay_out_prepared(root / "prepared")
        found = the_one(project, "legacy")
    assert found["command"] == "promptrial resume r"
    obey(project, found)
    document = examined(project)
    assert (document["status"], document["healthy"]) == ("finished", True)
    assert {each["kind"] for each in document["findings"]} >= {"backup"}
    results_of = next(root.glob("*/results/t0_control_p001/results.jsonl"))
    results_of.write_bytes(b"")
    lost = findings(project, grave=True)
    assert {each["command"] for each in lost} == {"promptrial resume r"}
    obey(project, *lost)
    assert findings(project, grave=True) == []
