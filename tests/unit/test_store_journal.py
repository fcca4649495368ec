"""The job journal: what is kept of a change, and what of a torn or damaged line."""

import re
from pathlib import Path

import msgspec
import pytest

from promptrial.errors import CorruptRecordError, NewerVersionError
from promptrial.store import atomic
from promptrial.store.journal import Journal, PartEvent, fold
from promptrial.store.part_records import BilledTokens, FileRecord, PartRecord
from promptrial.store.records import TrialManifest, save
from promptrial.store.rundir import RunDir

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


def test_a_journal_that_is_not_there_has_no_changes(journal: Journal) -> None:
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


def test_a_torn_last_line_is_left_out_and_left_alone_by_reading(journal: Journal) -> None:
    data = written(journal)
    for size in range(len(data)):
        journal.path.write_bytes(data[:size])
        assert journal.read() == EVENTS[: data[:size].count(b"\n")]
        assert journal.path.read_bytes() == data[:size]


def test_the_first_change_after_a_kill_does_not_run_into_the_torn_line(journal: Journal) -> None:
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


def test_a_damaged_last_line_that_has_its_newline_is_no_torn_one(journal: Journal) -> None:
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


def test_clearing_forgets_everything_and_appending_may_go_on(journal: Journal) -> None:
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


def test_a_part_gathers_what_its_changes_say() -> None:
    assert folded(*EVENTS) == {
        "t0_control_p001": PartRecord(
            status="downloaded", resume_key="t0_control", attempt=1, request_sha256="r1", dataset="d1", job="j1",
            results=FILE,
        )
    }  # fmt: skip


def test_the_resume_key_is_read_from_the_name_of_the_part() -> None:
    for name, key in (("t07_treatment_p012", "t07_treatment"), ("t0_control_p1000", "t0_control")):
        assert folded(PartEvent(part=name, status="pending", at="t"))[name].resume_key == key


def test_a_reason_is_that_of_the_last_change_alone() -> None:
    failed = PartEvent(part="t0_control_p001", status="failed", at="t", reason="expired")
    assert folded(failed)["t0_control_p001"].reason == "expired"
    assert folded(failed, SUBMITTED)["t0_control_p001"].reason is None


def test_an_intent_for_other_requests_keeps_no_job_and_no_results_of_the_earlier_ones() -> None:
    again = PartEvent(part="t0_control_p001", status="submitting", at="t4", attempt=2, request_sha256="r2")
    assert folded(*EVENTS, again)["t0_control_p001"] == PartRecord(
        status="submitting", resume_key="t0_control", attempt=2, request_sha256="r2"
    )


def test_news_of_an_earlier_attempt_leaves_the_part_where_it_stands() -> None:
    first = PartEvent(part="t0_control_p001", status="expired", at="t1", attempt=1, key="k-a1", job="k-a1")
    second = PartEvent(part="t0_control_p001", status="submitted", at="t2", attempt=2, key="k-a2", job="k-a2")
    news = PartEvent(part="t0_control_p001", status="expired", at="t3", key="k-a1", results=FILE, intent_only=True)
    before, after = (folded(*events)["t0_control_p001"] for events in ((first, second), (first, second, news)))
    assert after.intents[0].results == FILE
    assert after == msgspec.structs.replace(before, intents=after.intents)
    assert after.intents[1] == before.intents[1]


def test_an_attempt_keeps_the_file_of_its_own_answers_when_those_of_several_are_sealed() -> None:
    own = FileRecord("raw", 1, 1)
    events = [
        PartEvent(part="t0_control_p001", status="completed", at="t1", attempt=2, key="k-a2", results=own),
        PartEvent(part="t0_control_p001", status="downloaded", at="t2", key="k-a2", results=FILE),
    ]
    part = folded(*events)["t0_control_p001"]
    assert (part.results, part.intents[0].results, part.intents[0].status) == (FILE, own, "downloaded")


def test_a_manifest_loads_with_the_journal_folded_in_as_often_as_it_is_loaded(tmp_path: Path) -> None:
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


def test_a_trial_that_has_not_begun_has_no_manifest(tmp_path: Path) -> None:
    assert RunDir(tmp_path, "r").trial("m1-main").load_manifest() is None


def test_an_intent_keeps_what_was_reserved_for_it_and_what_its_answers_were_billed() -> None:
    submitting = msgspec.structs.replace(SUBMITTING, key="k1", reserved_usd=0.5, began="2026-01-31T09:30:00Z")
    billed = BilledTokens(rows=2, prompt=10, completion=4)
    parts: dict[str, PartRecord] = {}
    fold(parts, [submitting, msgspec.structs.replace(SUBMITTED, key="k1")])
    fold(parts, [PartEvent(part=SUBMITTING.part, status="completed", at="t3", key="k1", results=FILE, billed=billed)])
    (intent,) = parts[SUBMITTING.part].intents
    assert (intent.reserved_usd, intent.began, intent.billed) == (0.5, "2026-01-31T09:30:00Z", billed)


def test_requests_that_are_asked_one_by_one_have_a_ledger_of_their_own(journal: Journal) -> None:
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
