"""The doctor looks at any folder without failing, and says nothing that is not so."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from promptrial.care.doctor.disk import size_text
from promptrial.care.doctor.document import DoctorDocument
from promptrial.care.doctor.examining import examine
from promptrial.engine.session import Invocation
from promptrial.errors import NewerVersionError
from promptrial.runtime.clock import FakeClock
from promptrial.store import records
from promptrial.store.records import new_state
from promptrial.store.rundir import RunDir
from promptrial.store.transitions import transition


def looked_at(folder: Path) -> DoctorDocument:
    folder.mkdir(exist_ok=True, parents=True)
    run = RunDir(folder.parent, folder.name.removeprefix("run_"))
    return examine(run, Invocation({}, FakeClock(), lambda _text: None))


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_state_of_a_newer_version_is_refused_and_not_judged(tmp_path: Path) -> None:
    root = tmp_path / "experiments" / "run_r"
    root.mkdir(parents=True)
    (root / "run_state.json").write_bytes(b'{"schema_version": 99}')
    with pytest.raises(NewerVersionError, match="made by a newer version"):
        looked_at(root)
    assert [path.name for path in root.iterdir()] == ["run_state.json"]


def test_an_empty_folder_has_lost_its_state_and_its_configuration(tmp_path: Path) -> None:
    found = looked_at(tmp_path / "experiments" / "run_r")
    assert (found.status, found.healthy, found.bytes) == ("no_state", False, 0)
    assert [finding.file for finding in found.findings] == ["run_state.json", "effective_config.yaml"]
    assert {finding.command for finding in found.findings} == {
        f"promptrial resume r --experiments_dir {tmp_path / 'experiments'}"
    }


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"[]", b"null", b'{"schema_version": 0}', b"{" * 5000])
def test_doctor_does_not_fail_on_any_content_of_a_record(tmp_path: Path, data: bytes) -> None:
    root = tmp_path / "experiments" / "run_r"
    names = (
        "run_state.json", "effective_config.yaml", "run.log", ".state.lock", "prepared/manifest.json",
        "batch_inputs/manifest.json", "multi_trial_manifest.json", "t/results/trial_manifest.json",
        "t/results/jobs.journal.jsonl", "t/results/t0_control_p001_job.json",
        "t/results/t0_control_p001/results.partial.jsonl",
    )  # fmt: skip
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    found = looked_at(root)
    assert found.status == "damaged"
    assert "run_state.json" in {finding.file for finding in found.findings if finding.severity == "error"}


def test_folders_in_place_of_files_are_reported_as_damage(tmp_path: Path) -> None:
    root = tmp_path / "experiments" / "run_r"
    for name in ("run_state.json", "effective_config.yaml", "prepared/manifest.json", "t/results/trial_manifest.json"):
        (root / name).mkdir(parents=True)
    found = looked_at(root)
    assert found.status == "damaged"
    assert {finding.file for finding in found.findings} == {
        "run_state.json", "effective_config.yaml", "prepared/manifest.json", "t/results/trial_manifest.json",
    }  # fmt: skip


def test_the_most_severe_finding_comes_first(tmp_path: Path) -> None:
    root = tmp_path / "experiments" / "run_r"
    root.mkdir(parents=True)
    state = new_state("r", "hash")
    transition(state, "prepare", "in_progress", "2026-01-01T00:00:00Z")
    transition(state, "prepare", "failed", "2026-01-01T00:00:01Z", "DataError: it went wrong")
    records.save(root / "run_state.json", state)
    transition(state, "build", "in_progress", "2026-01-01T00:00:02Z")
    records.save(root / "run_state.json", state)
    (root / "x.corrupt.1").write_text("kept")
    found = looked_at(root)
    assert [finding.severity for finding in found.findings] == ["error", "error", "warning", "note"]
    assert "it went wrong" in found.findings[1].meaning


def test_a_link_is_not_followed_when_sizes_are_summed(tmp_path: Path) -> None:
    root = tmp_path / "experiments" / "run_r"
    root.mkdir(parents=True)
    (tmp_path / "large").write_bytes(b"x" * 1000)
    (root / "link").symlink_to(tmp_path / "large")
    (root / "own").write_bytes(b"x" * 10)
    assert looked_at(root).bytes == 10


def test_commands_quote_names_for_the_shell(tmp_path: Path) -> None:
    root = tmp_path / "my runs" / "run_r"
    root.mkdir(parents=True)
    (root / "it's.corrupt.1").write_text("kept")
    found = looked_at(root)
    aside = next(finding for finding in found.findings if finding.kind == "set_aside")
    assert aside.command is not None
    assert os.system(aside.command) == 0  # noqa: S605 - as a user would
    assert not list(root.iterdir())


def test_a_dead_process_of_this_machine_is_named(tmp_path: Path) -> None:
    root = tmp_path / "experiments" / "run_r"
    root.mkdir(parents=True)
    pid = os.spawnlp(os.P_NOWAIT, "true", "true")  # noqa: S606 - a process that is soon dead
    os.waitpid(pid, 0)
    (root / ".state.lock").write_text(json.dumps({"pid": pid, "host": os.uname().nodename, "since": "noon"}))
    lock = next(finding for finding in looked_at(root).findings if finding.kind == "lock")
    assert f"process {pid} on {os.uname().nodename}, since noon, which is gone" in lock.meaning


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (1000, "1.0 kB"), (5_300_000_000, "5.3 GB")])
def test_sizes_are_written_in_readable_units(size: int, text: str) -> None:
    assert size_text(size) == text
