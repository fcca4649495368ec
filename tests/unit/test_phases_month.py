"""What the other runs of a folder have spent in the present month, from their records alone."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from promptrial.errors import CorruptRecordError, NewerVersionError, PromptrialError
from promptrial.phases import accounts
from promptrial.phases.month import FolderMonth
from promptrial.runtime.clock import FakeClock
from promptrial.store import records
from promptrial.store.folder_lock import folder_lock
from promptrial.store.journal import Journal, PartEvent
from promptrial.store.records import Manifest, TrialManifest, new_state
from promptrial.store.rundir import RunDir

NOW = "2026-03-15T10:00:00Z"
PRICING = "pricing: {v: {models: {m: {input_per_million: 1.0, output_per_million: 2.0}}}}\n"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    made = FakeClock()
    monkeypatch.setattr(FakeClock, "now", lambda _self: NOW)
    return made


def run(root: Path, run_id: str, *, dry: bool = False) -> RunDir:
    found = RunDir(root, run_id)
    state = new_state(run_id, "hash")
    if dry:
        state.dry_run = True
    records.save(found.state_path, state)
    found.config_path.write_text(PRICING)
    manifest = TrialManifest(
        run_id=run_id,
        trial={"name": "t", "provider": "v", "model_alias": "m", "model_id": "id", "conditions": ["control"]},
        prompts={}, temps=[0.0], samples_per_item={"0.0": 1}, hosted=True,
    )  # fmt: skip
    records.save(found.trial("t").manifest_path, manifest)
    return found


def sent(run: RunDir, key: str, usd: float | None, began: str = NOW) -> None:
    journal = run.trial("t").journal
    journal.append(
        PartEvent(
            part="t0_control_p001", status="submitting", at=began, key=key, rows=4, reserved_usd=usd, began=began,
            request_sha256="a",
        )
    )  # fmt: skip
    journal.close()


def others(root: Path, clock: FakeClock, *, dry: bool = False) -> float:
    return FolderMonth(RunDir(root, "own"), dry, 10.0, clock, pytest.fail).others_usd()


def test_only_requests_sent_in_this_month_count(tmp_path: Path, clock: FakeClock) -> None:
    one, two = run(tmp_path, "one"), run(tmp_path, "two")
    sent(one, "a-a1", 0.25)
    sent(one, "a-a2", 0.5, began="2026-02-28T23:59:59Z")
    sent(two, "b-a1", 1.0)
    sent(run(tmp_path, "own"), "c-a1", 3.0)
    assert others(tmp_path, clock) == pytest.approx(1.25)


def test_dry_runs_are_counted_separately(tmp_path: Path, clock: FakeClock) -> None:
    sent(run(tmp_path, "dry", dry=True), "a-a1", 0.25)
    sent(run(tmp_path, "real"), "b-a1", 1.0)
    assert others(tmp_path, clock) == pytest.approx(1.0)
    assert others(tmp_path, clock, dry=True) == pytest.approx(0.25)


def test_a_run_unchanged_in_this_month_is_not_read(tmp_path: Path, clock: FakeClock) -> None:
    one = run(tmp_path, "one")
    sent(one, "a-a1", 0.25)
    for path in one.root.rglob("*"):
        os.utime(path, (1_772_000_000, 1_772_000_000))  # in February 2026
    assert others(tmp_path, clock) == 0.0


def test_requests_of_a_concurrent_run_count_at_the_next_decision(tmp_path: Path, clock: FakeClock) -> None:
    one = run(tmp_path, "one")
    month = FolderMonth(RunDir(tmp_path, "own"), False, 10.0, clock, pytest.fail)
    assert month.others_usd() == 0.0
    sent(one, "a-a1", 0.25)
    assert month.others_usd() == 0.0, "between decisions it looks once a second"
    with month.deciding():
        assert month.others_usd() == pytest.approx(0.25)


@pytest.mark.parametrize("content", ["{garbage", "", '{"schema_version": 2, "run_id": 7}'])
def test_a_run_with_unreadable_records_is_never_counted_as_zero(tmp_path: Path, clock: FakeClock, content: str) -> None:
    one = run(tmp_path, "one")
    one.trial("t").manifest_path.write_text(content)
    with pytest.raises(CorruptRecordError, match="run one cannot be counted, and the monthly cap includes") as caught:
        others(tmp_path, clock)
    assert "promptrial doctor --run_id one" in str(caught.value.hint)


def test_a_run_whose_records_the_system_cannot_read_is_named_too(tmp_path: Path, clock: FakeClock) -> None:
    one = run(tmp_path, "one")
    one.trial("t").manifest_path.unlink()
    one.trial("t").manifest_path.mkdir()
    with pytest.raises(
        CorruptRecordError, match=r"run one cannot be counted, .* t is ignored, because its records can"
    ):
        others(tmp_path, clock)


def test_prices_that_the_system_cannot_read_are_named_too(tmp_path: Path, clock: FakeClock) -> None:
    one = run(tmp_path, "one")
    sent(one, "a-a1", 0.25)
    one.prices_path.mkdir()
    with pytest.raises(CorruptRecordError, match=r"run one cannot be counted, .*prices\.json"):
        others(tmp_path, clock)


def test_a_run_that_compacts_its_journal_while_it_is_read_counts_in_full(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = run(tmp_path, "one")
    sent(one, "a-a1", 0.25)
    sent(one, "a-a2", 0.5)
    plain, folds = Journal._whole_lines, list[str]()

    def folding(journal: Journal) -> Iterator[tuple[int, bytes]]:
        if not folds:
            folds.append("once")
            folder = one.trial("t")
            whole = folder.load_manifest()
            assert whole is not None
            records.save(folder.manifest_path, whole)
            folder.journal.clear()
        return plain(journal)

    monkeypatch.setattr(Journal, "_whole_lines", folding)
    assert others(tmp_path, clock) == pytest.approx(0.75)
    assert folds


def test_a_run_that_is_removed_while_it_is_read_counts_nothing(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent(run(tmp_path, "one"), "a-a1", 0.25)

    def removed(found: RunDir) -> Manifest:
        shutil.rmtree(found.root)
        raise FileNotFoundError(found.root)

    monkeypatch.setattr(accounts, "_cut", removed)
    assert others(tmp_path, clock) == 0.0


def test_a_run_of_a_newer_version_is_named_with_what_reads_it(tmp_path: Path, clock: FakeClock) -> None:
    one = run(tmp_path, "one")
    one.trial("t").manifest_path.write_text('{"schema_version": 99}')
    with pytest.raises(NewerVersionError, match=r"run one was written by a newer version .* the monthly cap") as caught:
        others(tmp_path, clock)
    assert str(one.root) in str(caught.value.hint)


def test_damaged_prices_of_a_run_are_not_taken_for_missing_ones(tmp_path: Path, clock: FakeClock) -> None:
    one = run(tmp_path, "one")
    sent(one, "a-a1", 0.25)
    one.config_path.write_text("{}")
    one.prices_path.write_text("{")
    with pytest.raises(CorruptRecordError, match="prices that were saved with the run are damaged"):
        others(tmp_path, clock)


def test_requests_without_a_price_are_reported_once(tmp_path: Path, clock: FakeClock) -> None:
    one, said = run(tmp_path, "one"), list[str]()
    one.config_path.write_text("{}")
    sent(one, "a-a1", None)
    month = FolderMonth(RunDir(tmp_path, "own"), False, 10.0, clock, said.append)
    for _ in range(2):
        with month.deciding():
            assert month.others_usd() == 0.0
    sent(one, "a-a2", None)
    with month.deciding():
        month.others_usd()
    assert said == ["run one has asked 4 requests without a price this month, which the monthly cap cannot include"]


def test_only_one_process_decides_at_a_time(tmp_path: Path) -> None:
    waits: list[float] = []

    class Waiting(FakeClock):
        def wait(self, _event: threading.Event, seconds: float) -> bool:
            waits.append(seconds)
            if len(waits) == 3:
                first.close()
            return False

    first = _Held(tmp_path)
    with folder_lock(tmp_path, Waiting()):
        assert len(waits) == 3, "it waited until the other had decided"


def test_a_process_that_holds_the_lock_of_a_folder_is_waited_for_a_minute(tmp_path: Path) -> None:
    waits: list[float] = []

    class Counting(FakeClock):
        def wait(self, _event: threading.Event, seconds: float) -> bool:
            waits.append(seconds)
            return False

    first = _Held(tmp_path)
    with pytest.raises(PromptrialError, match="has held this lock for a minute"), folder_lock(tmp_path, Counting()):
        pass
    first.close()
    assert sum(waits) == pytest.approx(60)


class _Held:
    def __init__(self, folder: Path) -> None:
        self._lock = folder_lock(folder, FakeClock())
        self._lock.__enter__()

    def close(self) -> None:
        self._lock.__exit__(None, None, None)
