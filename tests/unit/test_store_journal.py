"""The job journal: what is kept of a change, and what of a torn or damaged line."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from promptrial.care.doctor import sight
from promptrial.documents.files import read_bytes
from promptrial.engine import manifests
from promptrial.engine.origin import knows_jobs
from promptrial.errors import CorruptRecordError, NewerVersionError, PromptrialError
from promptrial.store import atomic, rundir
from promptrial.store import journal as journal_module
from promptrial.store.journal import Journal, PartEvent, fold
from promptrial.store.part_records import BilledTokens, FileRecord, PartRecord, PartStatus
from promptrial.store.records import TrialManifest, load, save
from promptrial.store.rundir import RunDir, TrialDir

FILE = FileRecord("a" * 64, 9, 2)
SUBMITTING = PartEvent(part="t0_control_p001", status="submitting", at="t1", attempt=1, request_sha256="r1")
SUBMITTED = PartEvent(part="t0_control_p001", status="submitted", at="t2", job="j1", dataset="d1")
DOWNLOADED = PartEvent(part="t0_control_p001", status="downloaded", at="t3", results=FILE)
EVENTS = [SUBMITTING, SUBMITTED, DOWNLOADED]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "results" / "jobs.journal.jsonl")


def written(journal: Journal, events: list[PartEvent] = EVENTS) -> bytes:
    for event in events:
        journal.append(event)
    journal.close()
    return journal.path.read_bytes()


def test_a_missing_journal_has_no_changes(journal: Journal) -> None:
    assert journal.read() == []
    assert not journal.path.exists()


def test_changes_read_back_in_order(journal: Journal) -> None:
    written(journal)
    assert journal.read() == EVENTS


def test_a_change_costs_one_line_and_one_flush(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    journal.append(SUBMITTING)
    flushed: list[int] = []
    monkeypatch.setattr(atomic, "_fsync", flushed.append)
    before = journal.path.stat().st_size
    journal.append(SUBMITTED)
    journal.close()
    assert len(flushed) == 1
    assert journal.path.read_bytes()[before:] == (
        b'{"part":"t0_control_p001","status":"submitted","at":"t2","dataset":"d1","job":"j1"}\n'
    )


def test_reading_ignores_a_torn_last_line_and_does_not_change_it(journal: Journal) -> None:
    data = written(journal)
    for size in range(len(data)):
        journal.path.write_bytes(data[:size])
        assert journal.read() == EVENTS[: data[:size].count(b"\n")]
        assert journal.path.read_bytes() == data[:size]


def test_the_first_change_after_a_kill_is_not_appended_to_the_torn_line(journal: Journal) -> None:
    data = written(journal)
    journal.path.write_bytes(data[:-10])
    journal.append(DOWNLOADED)
    journal.close()
    assert journal.read() == EVENTS


@pytest.mark.parametrize(
    "line",
    [b"garbage", b"", b"{}", b'{"part": "p", "status": "finished", "at": "t"}', b'{"part": 3}', b"\0\0\0",
     b'{"part": "\xff"}', b"[" * 100_000, b'{"x":' + b"[" * 100_000],
)  # fmt: skip
def test_a_damaged_line_before_the_last_is_named_and_nothing_is_skipped(journal: Journal, line: bytes) -> None:
    first, rest = written(journal).split(b"\n", 1)
    journal.path.write_bytes(first + b"\n" + line + b"\n" + rest)
    with pytest.raises(CorruptRecordError, match="damaged journal line") as caught:
        journal.read()
    assert caught.value.message.startswith(f"{journal.path}:2: ")


def test_a_damaged_last_line_with_a_newline_is_not_a_torn_one(journal: Journal) -> None:
    data = written(journal)
    journal.path.write_bytes(data[:-10] + b"\n")
    with pytest.raises(CorruptRecordError, match=r":3: "):
        journal.read()


def test_keys_that_a_newer_program_added_are_ignored(journal: Journal) -> None:
    journal.path.parent.mkdir()
    journal.path.write_bytes(b'{"part":"p","status":"failed","at":"t","new":[1]}\n')
    assert journal.read() == [PartEvent(part="p", status="failed", at="t")]


def test_a_line_of_a_newer_program_is_refused_and_never_left_out(journal: Journal) -> None:
    journal.path.parent.mkdir()
    journal.path.write_bytes(b'{"schema_version":2,"part":"p","status":"a newer one"}\n')
    for read in (journal.read, journal.salvage):
        with pytest.raises(NewerVersionError, match=r"jsonl:1: made by a newer version of promptrial"):
            read()


def test_a_line_of_this_program_does_not_say_its_version(journal: Journal) -> None:
    assert b"schema_version" not in written(journal)


def test_clearing_removes_everything_and_appending_still_works(journal: Journal) -> None:
    journal.append(SUBMITTING)
    journal.clear()
    assert not journal.path.exists()
    journal.clear()
    journal.append(SUBMITTED)
    journal.close()
    assert journal.read() == [SUBMITTED]


# --- folding --------------------------------------------------------------------------------------------------------


def folded(*events: PartEvent, parts: dict[str, PartRecord] | None = None) -> dict[str, PartRecord]:
    parts = parts if parts is not None else {}
    fold(parts, list(events))
    return parts


def test_a_part_accumulates_its_changes() -> None:
    assert folded(*EVENTS) == {
        "t0_control_p001": PartRecord(
            status="downloaded", resume_key="t0_control", attempt=1, request_sha256="r1", dataset="d1", job="j1",
            results=FILE,
        )
    }  # fmt: skip


def test_the_resume_key_is_read_from_the_name_of_the_part() -> None:
    for name, key in (("t07_treatment_p012", "t07_treatment"), ("t0_control_p1000", "t0_control")):
        assert folded(PartEvent(part=name, status="pending", at="t"))[name].resume_key == key


def test_a_reason_is_that_of_the_last_change_only() -> None:
    failed = PartEvent(part="t0_control_p001", status="failed", at="t", reason="expired")
    assert folded(failed)["t0_control_p001"].reason == "expired"
    assert folded(failed, SUBMITTED)["t0_control_p001"].reason is None


def test_an_intent_for_other_requests_keeps_no_job_and_no_results_of_the_earlier_ones() -> None:
    again = PartEvent(part="t0_control_p001", status="submitting", at="t4", attempt=2, request_sha256="r2")
    assert folded(*EVENTS, again)["t0_control_p001"] == PartRecord(
        status="submitting", resume_key="t0_control", attempt=2, request_sha256="r2"
    )


@pytest.mark.parametrize("status", ["pending", "submitting"])
def test_an_attempt_with_a_wrong_job_has_none_until_it_gets_its_own(status: PartStatus) -> None:
    guessed = PartEvent(part="t0_control_p001", status="submitted", at="t1", key="k-a1", job="j1", dataset="d1")
    disowned = PartEvent(part="t0_control_p001", status=status, at="t2", key="k-a1", reason="it was another's")
    (intent,) = folded(guessed, disowned)["t0_control_p001"].intents
    assert (intent.job, intent.dataset, intent.status) == (None, "d1", status)
    own = PartEvent(part="t0_control_p001", status="submitted", at="t3", key="k-a1", job="j2")
    assert folded(guessed, disowned, own)["t0_control_p001"].intents[0].job == "j2"


def test_changes_of_an_earlier_attempt_do_not_change_the_status_of_the_part() -> None:
    first = PartEvent(part="t0_control_p001", status="expired", at="t1", attempt=1, key="k-a1", job="k-a1")
    second = PartEvent(part="t0_control_p001", status="submitted", at="t2", attempt=2, key="k-a2", job="k-a2")
    news = PartEvent(part="t0_control_p001", status="expired", at="t3", key="k-a1", results=FILE, intent_only=True)
    before, after = (folded(*events)["t0_control_p001"] for events in ((first, second), (first, second, news)))
    assert after.intents[0].results == FILE
    assert after == msgspec.structs.replace(before, intents=after.intents)
    assert after.intents[1] == before.intents[1]


def test_an_attempt_keeps_its_own_answer_file_when_several_are_sealed() -> None:
    own = FileRecord("raw", 1, 1)
    events = [
        PartEvent(part="t0_control_p001", status="completed", at="t1", attempt=2, key="k-a2", results=own),
        PartEvent(part="t0_control_p001", status="downloaded", at="t2", key="k-a2", results=FILE),
    ]
    part = folded(*events)["t0_control_p001"]
    assert (part.results, part.intents[0].results, part.intents[0].status) == (FILE, own, "downloaded")


def test_every_load_of_a_manifest_includes_the_journal(tmp_path: Path) -> None:
    folder = RunDir(tmp_path, "r").trial("m1-main")
    manifest = TrialManifest(run_id="r", trial={}, prompts={}, temps=[0.0], samples_per_item={"0.0": 1})
    folded(SUBMITTING, parts=manifest.parts)
    save(folder.manifest_path, manifest)
    written(folder.journal, [SUBMITTED, DOWNLOADED])
    first = folder.load_manifest()
    assert first is not None
    assert first.parts == folded(*EVENTS)
    save(folder.manifest_path, first)  # killed here, before the journal is cleared
    assert folder.load_manifest() == first


# --- reading while another process writes -----------------------------------------------------------------------------


def started(tmp_path: Path) -> TrialDir:
    """Return the folder of a trial of which a part is submitted, as its journal alone says."""
    folder = RunDir(tmp_path, "r").trial("m1-main")
    save(
        folder.manifest_path, TrialManifest(run_id="r", trial={}, prompts={}, temps=[0.0], samples_per_item={"0.0": 1})
    )
    written(folder.journal, [SUBMITTING, SUBMITTED])
    return folder


def checkpoint(folder: TrialDir, *events: PartEvent) -> None:
    """Do what the process does that holds the lock: record changes, save the manifest, and clear the journal."""
    manifest = load(folder.manifest_path, TrialManifest)
    for event in events:
        folder.journal.append(event)
    fold(manifest.parts, folder.journal.read())
    save(folder.manifest_path, manifest)
    folder.journal.clear()


@pytest.mark.parametrize("salvage", [False, True])
def test_a_checkpoint_between_the_two_reads_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, salvage: bool
) -> None:
    folder, other = started(tmp_path), RunDir(tmp_path, "r").trial("m1-main")
    plain, left = folder.journal._whole_lines, [DOWNLOADED, None]

    def folding() -> Iterator[tuple[int, bytes]]:
        event = left.pop(0) if left else None
        if event is not None:
            checkpoint(other, event)
        return plain()

    monkeypatch.setattr(folder.journal, "_whole_lines", folding)
    found = folder.load_manifest(salvage=salvage)
    assert found is not None
    assert found.parts == folded(*EVENTS)
    assert left == []


def is_planned_with(run: RunDir) -> bool:
    """Whether a command that only reads finds a part of the trial."""
    manifest, events = manifests._kept(SimpleNamespace(), run.trial("m1-main"), read_only=True)  # type: ignore[arg-type]
    return bool(manifest and manifest.parts) or bool(events)


def is_seen_by_doctor(run: RunDir) -> bool:
    return any(manifest.parts for _, manifest in sight._manifests(run, ("m1-main",)))


@pytest.mark.parametrize("reader", [knows_jobs, is_planned_with, is_seen_by_doctor])
def test_readers_without_the_lock_see_a_job_that_a_checkpoint_has_just_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: Callable[[RunDir], bool]
) -> None:
    folder, plain = started(tmp_path), Journal._whole_lines
    left = [msgspec.structs.replace(SUBMITTED, key="k-a1")]

    def folding(journal: Journal) -> Iterator[tuple[int, bytes]]:
        while left:
            checkpoint(folder, left.pop())
        return plain(journal)

    monkeypatch.setattr(Journal, "_whole_lines", folding)
    assert reader(folder.run)
    assert not left


def test_a_journal_that_a_checkpoint_removes_while_it_is_opened_has_no_changes(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(journal)

    def vanishing(path: Path) -> bytes:
        path.unlink()
        return read_bytes(path)

    monkeypatch.setattr(journal_module, "read_bytes", vanishing)
    assert journal.read() == []


def test_records_that_change_at_every_read_are_finally_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, other, reads = started(tmp_path), RunDir(tmp_path, "r").trial("m1-main"), list[int]()
    plain = folder.journal.read

    def folding() -> list[PartEvent]:
        reads.append(len(reads))
        checkpoint(other, msgspec.structs.replace(SUBMITTING, attempt=len(reads)))
        return plain()

    monkeypatch.setattr(folder.journal, "read", folding)
    with pytest.raises(PromptrialError, match=f"changed each of the {rundir._ATTEMPTS} times") as refused:
        folder.load_manifest()
    assert refused.value.hint == "run the same command again"
    assert len(reads) == rundir._ATTEMPTS


def test_a_reader_beside_a_running_process_never_sees_an_older_state(tmp_path: Path) -> None:
    folder = started(tmp_path)
    child = [sys.executable, "-m", "tests.support.checkpointing_child", str(tmp_path)]
    with subprocess.Popen(child, stdout=subprocess.PIPE, text=True) as writer:
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "writing\n"
            seen = list[int]()
            while len(seen) < 400 or len({*seen}) <= 10:  # however little of the processor the writer gets
                manifest = folder.load_manifest()
                assert manifest is not None
                seen.append(manifest.parts[SUBMITTING.part].attempt)
        finally:
            writer.kill()
    assert seen == sorted(seen)


def test_a_trial_that_has_not_started_has_no_manifest(tmp_path: Path) -> None:
    assert RunDir(tmp_path, "r").trial("m1-main").load_manifest() is None


def test_an_intent_keeps_its_reserve_and_its_bill() -> None:
    submitting = msgspec.structs.replace(SUBMITTING, key="k1", reserved_usd=0.5, began="2026-01-31T09:30:00Z")
    billed = BilledTokens(rows=2, prompt=10, completion=4)
    parts: dict[str, PartRecord] = {}
    fold(parts, [submitting, msgspec.structs.replace(SUBMITTED, key="k1")])
    fold(parts, [PartEvent(part=SUBMITTING.part, status="completed", at="t3", key="k1", results=FILE, billed=billed)])
    (intent,) = parts[SUBMITTING.part].intents
    assert (intent.reserved_usd, intent.began, intent.billed) == (0.5, "2026-01-31T09:30:00Z", billed)


def test_live_requests_have_their_own_ledger(journal: Journal) -> None:
    running = PartEvent(
        part="t0_control_p001", status="running", at="t", key="k-a1", live=True, rows=2, reserved_usd=1.5
    )
    lost = PartEvent(
        part="t0_control_p001", status="expired", at="t", key="k-lost", live=True, intent_only=True,
        billed=BilledTokens(rows=2, prompt=9),
    )  # fmt: skip
    written(journal, [SUBMITTING, SUBMITTED, running, lost])
    parts: dict[str, PartRecord] = {}
    for _ in range(2):  # folding is idempotent
        fold(parts, journal.read())
    part = parts["t0_control_p001"]
    assert (part.status, part.job, part.intents) == ("running", "j1", ())
    assert [(each.key, each.status, each.reserved_usd) for each in part.ledger[:1]] == [("k-a1", "running", 1.5)]
    assert part.ledger[1].billed == BilledTokens(rows=2, prompt=9)
    fold(parts, [SUBMITTING])
    assert parts["t0_control_p001"].ledger == part.ledger, "what was paid for stays on record"


@pytest.mark.parametrize(
    "changes", [{"part": "../../elsewhere"}, {"part": "a/b"}, {"part": ".."}, {"request_sha256": "../../elsewhere"}]
)
def test_a_name_that_leads_out_of_the_folder_of_a_run_is_refused(journal: Journal, changes: dict[str, str]) -> None:
    named = msgspec.structs.replace(SUBMITTING, **changes)
    written(journal, [named, SUBMITTED])
    with pytest.raises(CorruptRecordError, match=re.escape(repr(next(iter(changes.values()))))):
        journal.read()
