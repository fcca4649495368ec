"""Answers of another run become an attempt without a job: only the rest is asked, and only whole ones are taken."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from promptrial.errors import CorruptRecordError, PhaseFailedError
from promptrial.jobs.work import PartWork
from promptrial.model import ModelSpec
from promptrial.model.instances import RequestOptions
from promptrial.model.responses import ThinkTags
from promptrial.phases.lending import LentPart
from promptrial.phases.reuse import completeness
from promptrial.phases.stored_rows import StoredRows
from promptrial.store import jsonl
from promptrial.store.part_records import ReusedAnswers
from promptrial.store.rundir import digest_of
from tests.support.hosted_provider import Lab, answered_ids, asked_ids, statuses
from tests.support.lending import as_lent, lent_by, take_all
from tests.support.live_provider import LiveLab


def rewrite(part: LentPart, change: dict[str, dict[str, object] | None], extra: tuple[bytes, ...] = ()) -> LentPart:
    """Change rows of a sealed part (None drops one) and add some; return the part as it is then sealed."""
    lines = []
    for line in jsonl.lines(part.results_path):
        row = json.loads(line)
        new = change.get(row["custom_id"], {})
        if new is not None:
            lines.append(json.dumps(row | new).encode() if new else line)
    part.results_path.write_bytes(b"".join(line + b"\n" for line in (*lines, *extra)))
    found = jsonl.digest(part.results_path)
    return replace(part, results=msgspec.structs.replace(part.results, sha256=found.sha256, size=found.size))


def test_only_requests_that_the_other_run_has_not_answered_are_sent(tmp_path: Path) -> None:
    lab = Lab.make(tmp_path / "new")
    control, treatment = lent_by(tmp_path / "old", lab)
    work = lab.work()
    ids = asked_ids(work[0])
    assert take_all(lab, work, [rewrite(control, {ids[1]: None}), rewrite(treatment, {})]) == 7
    lab.complete(work)
    assert lab.vendor.asked() == {ids[1]: 1}
    assert [sorted(answered_ids(each)) for each in work] == [sorted(asked_ids(each)) for each in work]
    assert [intent.key[-3:] for intent in work[0].record.intents] == ["-r1", "-a2"]


def test_a_part_with_all_answers_needs_no_job_and_has_the_bytes_of_the_rows(tmp_path: Path) -> None:
    lab = Lab.make(tmp_path / "new")
    lent = lent_by(tmp_path / "old", lab)
    work = lab.work()
    assert take_all(lab, work, lent) == 8
    assert lab.queue(work).finished() == 8
    lab.complete(work)
    assert not lab.vendor.calls
    for each, part in zip(work, lent, strict=True):
        assert each.folder.part_results(each.part.name).read_bytes() == part.results_path.read_bytes()


@pytest.mark.parametrize(
    "row",
    [{"error": "server_error"}, {"custom_id": 7}, {"custom_id": "another"}],
    ids=["an error", "garbled", "of another request"],
)
def test_a_row_that_is_not_an_answer_is_not_reused(tmp_path: Path, row: dict[str, object]) -> None:
    lab = Lab.make(tmp_path / "new")
    control, _ = lent_by(tmp_path / "old", lab)
    work = lab.work()[:1]
    first = asked_ids(work[0])[0]
    assert take_all(lab, work, [rewrite(control, {first: row})]) == 3
    lab.complete(work)
    assert lab.vendor.asked() == {first: 1}


def test_two_different_answers_to_a_request_are_not_reused_and_two_equal_ones_are_used_once(tmp_path: Path) -> None:
    lab = Lab.make(tmp_path / "new")
    control, _ = lent_by(tmp_path / "old", lab)
    work = lab.work()[:1]
    one, two, *_ = asked_ids(work[0])
    again = next(line for line in jsonl.lines(control.results_path) if two.encode() in line)
    other = json.dumps({"custom_id": one, "text": "something else"}).encode()
    assert take_all(lab, work, [rewrite(control, {}, (other, again))]) == 3
    lab.complete(work)
    assert lab.vendor.asked() == {one: 1}


def test_a_request_that_differs_in_one_byte_is_not_answered_by_the_stored_one(tmp_path: Path) -> None:
    lab = Lab.make(tmp_path / "new")
    lent = lent_by(tmp_path / "old", lab)
    assert take_all(lab, lab.work(question="question"), lent) == 0
    assert not (tmp_path / "new" / "run_r" / "trial1").exists()


def test_requests_with_equal_digests_are_still_compared_byte_by_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptrial.phases.stored_rows._key", lambda _line: 7)
    lab = Lab.make(tmp_path / "new")
    lent = lent_by(tmp_path / "old", lab)
    assert take_all(lab, lab.work(question="question"), lent) == 0
    work = lab.work()
    assert take_all(lab, work, lent) == 8
    lab.complete(work)
    assert [sorted(answered_ids(each)) for each in work] == [sorted(asked_ids(each)) for each in work]


def test_answers_come_from_the_first_run_with_a_complete_one(tmp_path: Path) -> None:
    lab = Lab.make(tmp_path / "new")
    first, second = lent_by(tmp_path / "a", lab)[0], lent_by(tmp_path / "b", lab)[0]
    work = lab.work()[:1]
    ids = asked_ids(work[0])
    lent = [
        rewrite(first, {ids[0]: {"error": "failed"}, ids[1]: {"text": "A"}}),
        rewrite(second, {ids[1]: {"text": "B"}}),
    ]
    assert take_all(lab, work, lent) == 4
    (intent,) = work[0].intents
    assert isinstance(intent.reused, ReusedAnswers)
    assert [(source.rows, source.results_sha256) for source in intent.reused.sources] == [
        (1, lent[1].results.sha256),
        (3, lent[0].results.sha256),
    ]
    assert b'"text": "A"' in work[0].folder.part_results(work[0].part.name).with_name("results.a1.jsonl").read_bytes()


def test_a_damaged_file_of_the_other_run_is_named_and_nothing_is_reused(tmp_path: Path) -> None:
    lab = Lab.make(tmp_path / "new")
    control, treatment = lent_by(tmp_path / "old", lab)
    control.results_path.write_bytes(control.results_path.read_bytes()[:-9])
    with pytest.raises(CorruptRecordError, match=r"t0_control_p001/results\.jsonl: results\.jsonl damaged"):
        take_all(lab, lab.work(), [treatment, control])
    assert not (tmp_path / "new" / "run_r" / "trial1").exists()


def test_a_link_in_place_of_a_file_of_the_other_run_is_not_followed(tmp_path: Path) -> None:
    lab = Lab.make(tmp_path / "new")
    control, _ = lent_by(tmp_path / "old", lab)
    moved = control.results_path.rename(tmp_path / "elsewhere.jsonl")
    control.results_path.symlink_to(moved)
    with pytest.raises(CorruptRecordError, match=r"results\.jsonl is a link"):
        take_all(lab, lab.work(), [control])


def test_a_second_pass_reuses_only_answers_that_are_still_missing(tmp_path: Path) -> None:
    lab = Lab.make(tmp_path / "new")
    control, _ = lent_by(tmp_path / "old", lab)
    later, _ = lent_by(tmp_path / "later", lab)
    work = lab.work()[:1]
    ids = asked_ids(work[0])
    earlier = rewrite(control, {ids[2]: None})
    assert take_all(lab, work, [earlier]) == 3
    assert take_all(lab, work, [earlier, later]) == 1
    lab.complete(work)
    assert not lab.vendor.calls
    assert [intent.attempt for intent in work[0].intents] == [1, 2]


# --- what was taken over and is damaged -------------------------------------------------------------------------------


def damage(work: PartWork) -> Path:
    path = work.folder.part_results(work.part.name).with_name("results.a1.jsonl")
    path.write_bytes(b"{}\n")
    return path


def test_damaged_rows_are_reused_again_from_the_source(tmp_path: Path) -> None:
    lab = Lab.make(tmp_path / "new")
    lent = lent_by(tmp_path / "old", lab)
    work = lab.work()
    take_all(lab, work, lent)
    damage(work[0])
    assert take_all(lab, work, lent) == 4
    assert [intent.attempt for intent in work[0].intents] == [1]
    lab.complete(work)
    assert not lab.vendor.calls


def test_damaged_rows_without_a_source_need_permission_to_be_asked(tmp_path: Path) -> None:
    lab = Lab.make(tmp_path / "new")
    lent = lent_by(tmp_path / "old", lab)
    work = lab.work()[:1]
    take_all(lab, work, lent)
    damage(work[0])
    with pytest.raises(PhaseFailedError, match="4 answers reused from run r, is missing or damaged"):
        lab.submit(work)
    assert not lab.vendor.asked()
    lab.complete(work, rebuy=True)
    assert lab.vendor.asked() == dict.fromkeys(asked_ids(work[0]), 1)


def test_sealed_rows_survive_a_kill_that_loses_their_record(tmp_path: Path) -> None:
    lab = Lab.make(tmp_path / "new")
    lent = lent_by(tmp_path / "old", lab)
    work = lab.work()[:1]
    take_all(lab, work, lent)
    before = work[0].record
    lab.complete(work)
    for again in ([], lent):
        work[0].manifest.parts[work[0].part.name] = before
        assert take_all(lab, work, again) == 0
        lab.complete(work)
        assert not lab.vendor.calls
        assert answered_ids(work[0]) == asked_ids(work[0])
        assert [intent.attempt for intent in work[0].intents] == [1]


def test_damaged_sealed_rows_are_not_searched_for_at_the_provider(tmp_path: Path) -> None:
    lab = Lab.make(tmp_path / "new")
    lent = lent_by(tmp_path / "old", lab)
    work = lab.work()[:1]
    take_all(lab, work, lent)
    lab.complete(work)
    work[0].folder.part_results(work[0].part.name).write_bytes(b"{}\n")
    with pytest.raises(PhaseFailedError, match="reused from run r"):
        lab.collect(work)
    assert not lab.vendor.calls
    assert take_all(lab, work, lent) == 4
    lab.complete(work)
    assert not lab.vendor.calls
    assert statuses(work) == ["downloaded"]


# --- parts without jobs -----------------------------------------------------------------------------------------------


def test_a_live_part_asks_only_the_rest_and_keeps_the_order_of_its_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = LiveLab.simulated(tmp_path / "new", monkeypatch)
    control, treatment = lent_by(tmp_path / "old", lab)
    work = lab.parts()
    ids = asked_ids(work[0])
    assert take_all(lab, work, [rewrite(control, {ids[1]: None}), treatment]) == 7
    assert lab.queue(work).finished() == 7
    lab.complete(work)
    assert lab.live.asked() == {ids[1]: 1}
    assert [answered_ids(each) for each in work] == [asked_ids(each) for each in work]


def test_lost_rows_of_a_live_part_are_restored_from_the_reused_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = LiveLab.simulated(tmp_path / "new", monkeypatch)
    lent = lent_by(tmp_path / "old", lab)
    work = lab.parts()
    take_all(lab, work, lent)
    lab.submit(work)
    rows = work[0].folder.part_rows(work[0].part.name)
    rows.write_bytes(rows.read_bytes()[:-5])
    work[1].folder.part_rows(work[1].part.name).unlink()
    lab.collect(work)
    assert not lab.live.asked()
    assert [answered_ids(each) for each in work] == [asked_ids(each) for each in work]


# --- who was asked ----------------------------------------------------------------------------------------------------

MODEL = ModelSpec("small", "vendor/small", "mine", adapter="openai")
ENGINE = {"provider": "openai", "api": "api.openai.com", "endpoint": "/v1/chat/completions"}


def part_asked_of(model: ModelSpec, engine: dict[str, str], tmp_path: Path) -> LentPart:
    part = lent_by(tmp_path, Lab.make(tmp_path / "lab"))[0]
    given = model.options.given()
    asked = digest_of([part.requests.sha256, model.provider, model.id, model.path, *([given] if given else [])])
    return replace(part, provider=model.provider, adapter=model.adapter, asked=asked, engines=(engine,))


@pytest.mark.parametrize(
    ("theirs", "engine", "why"),
    [
        (MODEL, ENGINE, ""),
        (replace(MODEL, alias="other", provider="yours"), ENGINE, ""),
        (replace(MODEL, id="vendor/large"), ENGINE, "the model or its options are different"),
        (
            replace(MODEL, options=RequestOptions(reasoning_effort="low")),
            ENGINE,
            "the model or its options are different",
        ),
        (replace(MODEL, adapter="fireworks"), ENGINE, "answered by fireworks, not by openai"),
        (MODEL, ENGINE | {"api": "gateway.example"}, "api: gateway.example there, api.openai.com here"),
        (MODEL, ENGINE | {"account": "a"}, "account: a there, None here"),
        (MODEL, {"provider": "openai", "api": "api.openai.com"}, "endpoint: None there"),
    ],
    ids=["the same", "of another name", "model", "options", "type", "host", "account", "not recorded"],
)
def test_answers_are_reused_only_for_the_same_model_address_and_account(
    tmp_path: Path, theirs: ModelSpec, engine: dict[str, str], why: str
) -> None:
    found = part_asked_of(theirs, engine, tmp_path).why_not(MODEL, ENGINE)
    assert why in found
    assert bool(why) == bool(found)


def test_the_index_has_each_answered_request_once(tmp_path: Path) -> None:
    lab = Lab.make(tmp_path)
    work = lab.work()
    lab.complete(work)
    assert len(StoredRows([as_lent(each) for each in work])) == 8
    assert len(StoredRows([])) == 0


# --- what is a complete answer ----------------------------------------------------------------------------------------


def openai_row(text: str | None, finish: str = "stop", status: int = 200) -> bytes:
    message = {"role": "assistant", "content": text}
    body = {"model": "m", "choices": [{"index": 0, "message": message, "finish_reason": finish}]}
    return json.dumps({"custom_id": "a", "response": {"status_code": status, "body": body}, "error": None}).encode()


@pytest.mark.parametrize(
    ("row", "tags", "whole"),
    [
        (openai_row("Paris"), "separate", True),
        (openai_row("Par", "length"), "separate", True),
        (openai_row(""), "separate", False),
        (openai_row(None), "separate", False),
        (openai_row("Paris", "content_filter"), "separate", False),
        (openai_row("Paris", status=500), "separate", False),
        (openai_row("<think>Paris"), "separate", False),
        (openai_row("<think>Paris"), "as_answer", True),
        (b"[" * 100_000, "separate", False),
        (b"{}", "separate", False),
    ],
)
def test_a_complete_answer_has_no_error_and_is_not_missing(
    row: bytes,
    tags: ThinkTags,
    whole: bool,
) -> None:
    assert completeness(MODEL, tags)(row) == whole
