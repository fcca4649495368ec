"""A list of runs tells the truth about each, and one damaged run hides no other."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from promptrial.care.listing import list_runs
from promptrial.runtime.clock import FakeClock
from promptrial.store import records
from promptrial.store.records import Checkpoint, RunState, new_state
from promptrial.store.rundir import RunDir
from promptrial.store.transitions import transition

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def run_of(experiments: Path, run_id: str, updated_at: str | None, *completed: str) -> RunState:
    state = new_state(run_id, "hash")
    for phase in completed:
        transition(state, phase, "in_progress", updated_at or "")
        transition(state, phase, "completed", updated_at or "")
    run = RunDir(experiments, run_id)
    records.save(run.state_path, state)
    return state


def test_a_missing_folder_has_no_runs(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "nowhere", FakeClock()).runs == ()


def test_the_run_that_changed_last_comes_first_and_those_without_a_time_last(tmp_path: Path) -> None:
    run_of(tmp_path, "old", "2026-02-27T12:00:00.000000Z", "prepare")
    run_of(tmp_path, "new", "2026-03-01T11:59:30.000000Z", "prepare", "build")
    run_of(tmp_path, "zone", "2026-03-01T13:00:00+02:00", "prepare")  # 11:00 in UTC
    run_of(tmp_path, "never", None)
    run_of(tmp_path, "later", "2026-03-01T12:30:00.000000Z", "prepare")  # the clock was set back since
    runs = list_runs(tmp_path, FakeClock(NOON)).runs
    assert [run.run_id for run in runs] == ["later", "new", "zone", "old", "never"]
    assert [run.age_s for run in runs] == [0.0, 30.0, 3600.0, 2 * 86_400.0, None]
    assert [run.phases for run in runs] == ["1/9 build", "2/9 submit", "1/9 build", "1/9 build", "0/9 prepare"]


def test_a_checkpoint_counts_as_an_update(tmp_path: Path) -> None:
    state = run_of(tmp_path, "r", "2026-03-01T10:00:00.000000Z", "prepare")
    state.last_checkpoint = Checkpoint("submit", "t", "t0_control", "2026-03-01T11:59:59.000000Z")
    records.save(RunDir(tmp_path, "r").state_path, state)
    assert list_runs(tmp_path, FakeClock(NOON)).runs[0].age_s == 1.0


def test_an_unreadable_time_counts_as_missing(tmp_path: Path) -> None:
    run_of(tmp_path, "r", "yesterday", "prepare")
    (run,) = list_runs(tmp_path, FakeClock(NOON)).runs
    assert (run.updated_at, run.age_s) == (None, None)


def test_migrated_and_dry_runs_are_marked_as_such(tmp_path: Path) -> None:
    for name in ("migrated", "dry_run"):
        state = run_of(tmp_path, name, "2026-03-01T10:00:00.000000Z", "prepare")
        setattr(state, name, True)
        records.save(RunDir(tmp_path, name).state_path, state)
    found = {run.run_id: (run.migrated, run.dry_run) for run in list_runs(tmp_path, FakeClock(NOON)).runs}
    assert found == {"migrated": (True, False), "dry_run": (False, True)}


def test_a_run_whose_lock_is_a_link_does_not_hide_other_runs(tmp_path: Path) -> None:
    for name in ("good", "bad"):
        run_of(tmp_path, name, "2026-03-01T10:00:00.000000Z", "prepare")
    (tmp_path / "run_bad/.state.lock").unlink(missing_ok=True)
    (tmp_path / "run_bad/.state.lock").symlink_to(tmp_path)
    listed = {run.run_id: run for run in list_runs(tmp_path, FakeClock(NOON)).runs}
    assert (listed["good"].status, listed["bad"].status) == ("incomplete", "damaged")
    assert "a link, not a regular file" in (listed["bad"].problem or "")


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[]", b"{}", b'{"schema_version": 0}', b"[" * 100_000])
def test_a_damaged_state_is_shown_as_damaged_beside_the_others(tmp_path: Path, data: bytes) -> None:
    run_of(tmp_path, "good", "2026-03-01T10:00:00.000000Z", "prepare")
    (tmp_path / "run_bad").mkdir()
    (tmp_path / "run_bad" / "run_state.json").write_bytes(data)
    good, bad = list_runs(tmp_path, FakeClock(NOON)).runs
    assert (good.run_id, good.status) == ("good", "incomplete")
    assert (bad.run_id, bad.status, bad.phases, bad.usd) == ("bad", "damaged", None, None)
    assert "run_state.json" in (bad.problem or "")


def test_a_state_that_is_a_folder_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "run_bad" / "run_state.json").mkdir(parents=True)
    (bad,) = list_runs(tmp_path, FakeClock(NOON)).runs
    assert bad.status == "damaged"
    assert "run_state.json" in (bad.problem or "")


def test_a_folder_without_a_state_or_with_an_impossible_name_is_listed_and_a_file_is_not(tmp_path: Path) -> None:
    (tmp_path / "run_empty").mkdir()
    (tmp_path / "run_not a name").mkdir()
    (tmp_path / "run_file").write_text("")
    runs = list_runs(tmp_path, FakeClock(NOON)).runs
    assert [(run.run_id, run.status) for run in runs] == [("empty", "no_state"), ("not a name", "no_state")]
    assert all(run.problem for run in runs)
