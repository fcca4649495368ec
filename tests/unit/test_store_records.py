"""The run's records: what may follow what, what is written, and what is refused when it is read."""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from promptrial import registry
from promptrial.errors import CorruptRecordError, IllegalTransitionError, NewerVersionError
from promptrial.model import ModelSpec
from promptrial.store import atomic, breadcrumbs, records
from promptrial.store.arm_records import ArmRecord
from promptrial.store.change_records import SpendingCaps
from promptrial.store.part_records import FileRecord, Intent, PartRecord, PartStatus
from promptrial.store.records import (
    Checkpoint,
    Manifest,
    PhaseState,
    PhaseStatus,
    Receipt,
    RunState,
    StageRecord,
    TrialManifest,
    load,
    new_state,
    save,
)
from promptrial.store.transitions import transition

STATUSES: tuple[PhaseStatus, ...] = ("not_started", "in_progress", "completed", "failed", "stopped")
ALLOWED = {
    ("not_started", "in_progress"),
    ("in_progress", "in_progress"),
    ("in_progress", "completed"),
    ("in_progress", "failed"),
    ("in_progress", "stopped"),
    ("completed", "in_progress"),
    ("failed", "in_progress"),
    ("stopped", "in_progress"),
}
FILE = FileRecord("a" * 64, 12, 3)
PART = {
    "trial_slug": "t", "part": "t0_control_p001", "temp": 0.0, "condition": "control", "index": 1, "start": 0,
    "stop": 3, "rows": 3,
}  # fmt: skip


def full_state() -> RunState:
    state = new_state("r", "h" * 64)
    transition(state, "prepare", "in_progress", "t1")
    state.last_checkpoint = Checkpoint("prepare", "m1", "t0_control", "t2")
    state.stop_requested = True
    state.migrated = True
    state.config_file = "é/config.yaml"
    state.overrides = {"temps": [0.7], "limit_items": None}
    state.drift = [{"at": "t3", "keys": ["stats.alpha: 0.05 -> 0.01"]}]
    return state


def full_manifest() -> TrialManifest:
    return TrialManifest(
        run_id="r",
        trial={"model_id": "m", "top_p": 1.0, "conditions": ["control", "treatment"]},
        prompts={"control": {"sha256": "c" * 64, "tokens": None}},
        temps=[0.0, 0.7],
        samples_per_item={"0.0": 1},
        engine={"weights": "x", "threads": 2},
        timestamps={"created_at": "t"},
        stage_status={"parsed": StageRecord("completed", "t", {"p.csv": FILE}, {"plan": "d" * 64})},
        parts={
            "t0_control_p001": PartRecord(
                status="downloaded", resume_key="t0_control", job="j1", dataset="d1", results=FILE
            ),
            "t0_treatment_p001": PartRecord(resume_key="t0_treatment"),
        },
    )


RECORDS: dict[str, Callable[[], msgspec.Struct]] = {
    "state": full_state,
    "new state": lambda: new_state("r", "h"),
    "trial manifest": full_manifest,
    "manifest": lambda: Manifest(receipt=Receipt({"a": FILE}, {"plan": "d"}), facts={"items": 3, "parts": [PART]}),
}


def corrupt(path: Path, data: bytes, kind: type[msgspec.Struct] = RunState) -> str:
    """Return the error of reading these bytes as a record."""
    path.write_bytes(data)
    with pytest.raises(CorruptRecordError) as caught:
        load(path, kind)
    assert str(path) in caught.value.message
    return caught.value.message


def encoded(folder: Path, changes: dict[str, Any]) -> bytes:
    """Return a saved state with some keys changed by hand."""
    save(folder / "s", full_state())
    return json.dumps(json.loads((folder / "s").read_bytes()) | changes).encode()


# --- transitions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "after"), list(itertools.product(STATUSES, STATUSES)))
def test_exactly_the_listed_transitions_are_allowed(before: PhaseStatus, after: PhaseStatus) -> None:
    state = new_state("r", "h")
    state.phases["score"] = PhaseState(before, "t0", "t0", "old")
    if (before, after) in ALLOWED:
        transition(state, "score", after, "t1")
        assert state.phases["score"].status == after
    else:
        with pytest.raises(IllegalTransitionError, match=f"run r: phase score cannot go from {before} to {after}"):
            transition(state, "score", after, "t1")
        assert state.phases["score"] == PhaseState(before, "t0", "t0", "old")


def test_a_transition_keeps_the_start_time_and_removes_a_past_error() -> None:
    state = new_state("r", "h")
    transition(state, "score", "in_progress", "t1")
    transition(state, "score", "failed", "t2", "it broke")
    assert state.phases["score"] == PhaseState("failed", "t1", "t2", "it broke")
    transition(state, "score", "in_progress", "t3")
    assert state.phases["score"] == PhaseState("in_progress", "t3", "t3", None)
    assert state.phases["parse"] == PhaseState()


def test_a_new_state_has_the_nine_phases_and_none_is_started() -> None:
    state = new_state("r", "h")
    assert list(state.phases) == list(registry.PHASES)
    assert all(phase == PhaseState("not_started", None, None, None) for phase in state.phases.values())
    assert not state.stop_requested


# --- writing and reading back ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_reads_back_unchanged(tmp_path: Path, name: str) -> None:
    record = RECORDS[name]()
    save(tmp_path / "record.json", record)
    assert load(tmp_path / "record.json", type(record)) == record


def test_a_new_state_on_disk_is_the_documented_one(tmp_path: Path) -> None:
    save(tmp_path / "s", new_state("r", "h"))
    document = json.loads((tmp_path / "s").read_bytes())
    phase = {"status": "not_started", "started_at": None, "updated_at": None, "last_error": None}
    assert document == {
        "schema_version": 1,
        "run_id": "r",
        "config_hash": "h",
        "phases": dict.fromkeys(registry.PHASES, phase),
        "last_checkpoint": None,
        "stop_requested": False,
    }
    assert (tmp_path / "s").read_bytes().endswith(b"}\n")


def test_the_views_of_a_manifest_are_made_from_its_parts_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    manifest = full_manifest()
    numbers = [2, 1000, 999, 1, 10]
    manifest.parts = {
        f"t0_control_p{number:03d}": PartRecord(
            status="submitted", resume_key="t0_control", job=f"j{number}", dataset=f"d{number}"
        )
        for number in numbers
    }
    save(tmp_path / "m", manifest)
    document = json.loads((tmp_path / "m").read_bytes())
    assert document["jobs"] == {"t0_control": ["j1", "j2", "j10", "j999", "j1000"]}
    assert document["datasets"] == {"t0_control": ["d1", "d2", "d10", "d999", "d1000"]}
    assert document["job_status"]["t0_control_p1000"] == "submitted"
    assert document["schema_version"] == 2


def test_a_manifest_shows_a_part_without_a_job_as_null(tmp_path: Path) -> None:
    save(tmp_path / "m", full_manifest())
    document = json.loads((tmp_path / "m").read_bytes())
    assert document["jobs"] == {"t0_control": ["j1"], "t0_treatment": [None]}
    assert document["job_status"] == {"t0_control_p001": "downloaded", "t0_treatment_p001": "pending"}


def test_a_record_that_would_not_read_back_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "s"
    save(path, full_state())
    before = path.read_bytes()
    state = full_state()
    state.phases["score"] = PhaseState("done")  # type: ignore[arg-type]
    with pytest.raises(CorruptRecordError, match="done"):
        save(path, state)
    state = full_state()
    state.phases["score"] = None  # type: ignore[assignment]
    with pytest.raises(CorruptRecordError, match="null"):
        save(path, state)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["s"]


def test_a_crash_while_saving_leaves_the_state_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s"
    save(path, new_state("r", "before"))

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic, "_replace", die)
    with pytest.raises(KeyboardInterrupt):
        save(path, new_state("r", "after"))
    assert load(path, RunState).config_hash == "before"


# --- reading what is damaged ----------------------------------------------------------------------------------------


def test_a_missing_record_is_not_taken_for_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "s", RunState)


@pytest.mark.parametrize("name", RECORDS)
def test_a_truncated_record_is_damaged_and_never_read_in_part(tmp_path: Path, name: str) -> None:
    record = RECORDS[name]()
    path = tmp_path / "r"
    save(path, record)
    data = path.read_bytes()
    assert data.endswith(b"}\n")
    corrupt(path, data[: len(data) // 2], type(record))
    for size in range(len(data) - 1):  # through the decoder alone: a file a byte would take seconds
        with pytest.raises(CorruptRecordError):
            records._decode(path, data[:size], type(record))
    path.write_bytes(data[:-1])  # less the newline alone: nothing is missing
    assert load(path, type(record)) == record


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 512, b"null", b"[]", b"3", b'"x"', b"{}", b"garbage", b"\xff\xfe\x00", b"{} {}",
     b'{"schema_version": 1}', b'{"schema_version": "1"}', b'{"schema_version": null}',
     b'{"run_id": "\xff"}', b'{"schema_version": 1, "run_id": "\xff"}', b"[" * 100_000,
     b'{"schema_version": 1, "overrides": ' + b"[" * 100_000],
)  # fmt: skip
def test_garbage_counts_as_a_damaged_record(tmp_path: Path, data: bytes) -> None:
    for kind in (RunState, TrialManifest, Manifest):
        corrupt(tmp_path / "r", data, kind)


@pytest.mark.parametrize(
    "changes",
    [
        {"run_id": 3},
        {"run_id": None},
        {"phases": []},
        {"phases": {name: {"status": "finished"} for name in registry.PHASES}},
        {"phases": dict.fromkeys(registry.PHASES, None)},
        {"stop_requested": 1},
        {"stop_requested": "no"},
        {"last_checkpoint": {"phase": "parse"}},
        {"overrides": []},
        {"drift": {}},
        {"drift": [{"x": 1}]},
        {"drift": [{"at": "t", "keys": [1]}]},
        {"rescored": [{"at": "t", "keys": []}]},
        {"rescored": [{"at": "t", "from": "h", "keys": [1, 2]}]},
        {"seal": {"sha256": "a", "at": "t", "changes": {"drift": -1}}},
    ],
)
def test_a_wrong_type_or_value_is_damaged(tmp_path: Path, changes: dict[str, Any]) -> None:
    corrupt(tmp_path / "s", encoded(tmp_path, changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"estimated_usd": 1e308},
        {"reserved_usd": 1e308},
        {"reserved_usd": -1},
        {"estimated_usd": "1"},
        {"rows": -4},
        {"rows": 10**30},
        {"in_flight": -1},
        {"billed": {"rows": 0, "unknown": 5}},
        {"billed": {"rows": 4, "prompt": -1_000_000}},
        {"billed": {"rows": 4, "cached": 10**16}},
        {"results": {"sha256": "a", "size": 1, "rows": -1}},
        {"reused": {"at": "t", "sources": [{"run_id": "r", "trial": "t", "part": "p", "rows": -1,
                                            "requests_sha256": "", "results_sha256": ""}]}},
    ],
)  # fmt: skip
def test_an_impossible_amount_or_count_of_an_attempt_is_damage(tmp_path: Path, changes: dict[str, Any]) -> None:
    manifest = full_manifest()
    manifest.parts["t0_control_p001"] = PartRecord(
        resume_key="t0_control", intents=(Intent(key="k", attempt=1, status="submitted"),)
    )
    tree = json.loads(records.encoded(tmp_path, manifest))
    tree["parts"]["t0_control_p001"]["intents"][0] |= changes
    corrupt(tmp_path / "trial_manifest.json", json.dumps(tree).encode(), TrialManifest)


@pytest.mark.parametrize("trial", [{"conditions": 5}, {"conditions": [5]}, {"provider": 5}, {"model_alias": ["a"]}])
def test_a_malformed_trial_is_damage(tmp_path: Path, trial: dict[str, Any]) -> None:
    manifest = full_manifest()
    manifest.trial = trial
    corrupt(tmp_path / "trial_manifest.json", msgspec.json.encode(manifest), TrialManifest)


@pytest.mark.parametrize(
    "changes",
    [
        {"caps": {"max_usd": -1}},
        {"caps": {"month_max_usd": -1}},
        {"caps": {"part_usd": 1e308}},
        {"pilot": {"items": 0}},
        {"pilot": {"items": -3}},
        {"consents": [{"at": "t", "how": "flag", "usd": -1}]},
        {"consents": [{"at": "t", "how": "flag", "unpriced": -1}]},
    ],
)
def test_an_impossible_recorded_limit_is_damage(tmp_path: Path, changes: dict[str, Any]) -> None:
    corrupt(tmp_path / "s", encoded(tmp_path, changes))


@pytest.mark.parametrize(
    "facts",
    [
        {"parts": [{"x": 1}]},
        {"parts": {}},
        {"parts": [PART | {"rows": -1}]},
        {"parts": [PART | {"temp": "x"}]},
        {"parts": [PART | {"part": 3}]},
        {"items": "3"},
        {"requests": -1},
        {"sources": []},
        {"sources": {"d": 3}},
        {"sources": {"d": {}}},
        {"growth": [3]},
        {"examples": {"open": -1}},
        {"unrecorded": {"p": 3}},
        {"cut": []},
        {"cut_usd": "x"},
        {"prepared_from": {}},
    ],
)
def test_malformed_facts_are_damage(tmp_path: Path, facts: dict[str, Any]) -> None:
    record = Manifest(receipt=Receipt({}, {}), facts=facts)
    corrupt(tmp_path / "m", msgspec.json.encode(record), Manifest)


@pytest.mark.parametrize("folder", ["batch_inputs", "prepared"])
def test_a_manifest_without_the_facts_of_its_phase_is_damaged(tmp_path: Path, folder: str) -> None:
    facts = {"items": 3, "requests": 3, "parts": [PART], "sources": {"d": {"items": 3}}}
    receipt = Receipt({"batch_inputs/t/t0_control_p001.jsonl": FILE}, {})
    path = tmp_path / folder / "manifest.json"
    path.parent.mkdir()
    save(path, Manifest(receipt=receipt, facts=facts))
    for name in {"batch_inputs": ("items", "requests", "parts"), "prepared": ("items", "sources")}[folder]:
        left = {key: fact for key, fact in facts.items() if key != name}
        said = corrupt(path, msgspec.json.encode(Manifest(receipt=receipt, facts=left)), Manifest)
        assert f"its facts have no {name!r}" in said


def cut(*changes: tuple[int, dict[str, Any]], **facts: Any) -> Manifest:
    """Return what *build* leaves of five items in two arms, two parts and a step of growth, with rows changed."""
    spans = [(1, 0, 2, 0), (2, 2, 4, 0), (3, 0, 1, 1)]
    rows: list[dict[str, Any]] = [
        PART | {"part": f"t0_{arm}_p{index:03d}", "condition": arm, "index": index, "start": start, "stop": stop}
        | {"rows": stop - start, "step": step}
        for index, start, stop, step in spans
        for arm in ("control", "terse")
    ]  # fmt: skip
    files = {f"batch_inputs/t/{row['part']}.jsonl": FileRecord("a" * 64, 12, row["rows"]) for row in rows}
    for at, change in changes:
        rows[at] |= change
    return Manifest(receipt=Receipt(files, {}), facts={"parts": rows, "items": 5, "requests": 10} | facts)


def built_folder(folder: Path) -> Path:
    (folder / "batch_inputs").mkdir()
    return folder / "batch_inputs/manifest.json"


def test_parts_that_cover_all_items_in_each_step_are_valid_with_and_without_a_digest(tmp_path: Path) -> None:
    path = built_folder(tmp_path)
    path.write_bytes(msgspec.json.encode(cut()))
    assert load(path, Manifest).facts_sha256 is msgspec.UNSET
    save(path, cut())
    assert load(path, Manifest).facts == cut().facts


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (cut((0, {"part": "t0_terse_p001", "condition": "terse"})), "not those that it has request files of"),
        (cut((0, {"trial_slug": "u"})), "not those that it has request files of"),
        (cut((0, {"index": 2})), "part 't0_control_p001' is not named by what it holds"),
        (cut((0, {"temp": 0.5})), "part 't0_control_p001' is not named by what it holds"),
        (cut((0, {"rows": 3})), "part 't0_control_p001' does not have as many rows as its request file"),
        (cut((0, {"rows": 1})), "part 't0_control_p001' does not have as many rows as its request file"),
        (cut(requests=11), "do not have as many requests as the run"),
        (cut(requests=9), "do not have as many requests as the run"),
        (cut((0, {"stop": 1})), "do not hold the same items in each arm"),
        (cut((4, {"step": 2})), "do not hold the same items in each arm"),
        (cut((0, {"stop": 3}), (1, {"stop": 3})), "leave out items, or hold some twice"),
        (cut((2, {"start": 3}), (3, {"start": 3})), "leave out items, or hold some twice"),
        (cut((2, {"stop": 5}), (3, {"stop": 5})), "do not hold as many items as the run"),
        (cut(items=6), "do not hold as many items as the run"),
        (cut(items=4), "do not hold as many items as the run"),
    ],
)
def test_parts_that_contradict_each_other_or_the_receipt_are_damage(
    tmp_path: Path, manifest: Manifest, said: str
) -> None:
    assert said in corrupt(built_folder(tmp_path), msgspec.json.encode(manifest), Manifest)


def test_facts_that_do_not_match_their_digest_are_damage(tmp_path: Path) -> None:
    save(tmp_path / "m", Manifest(receipt=Receipt({}, {}), facts={"places": {"t": "a"}}))
    changed = (tmp_path / "m").read_bytes().replace(b'"t": "a"', b'"t": "b"')
    assert "its facts are not those whose digest it holds" in corrupt(tmp_path / "m", changed, Manifest)


def test_a_phase_that_another_version_did_not_have_has_not_started(tmp_path: Path) -> None:
    phases = {name: {"status": "completed"} for name in registry.PHASES if name != "costs"}
    (tmp_path / "s").write_bytes(encoded(tmp_path, {"phases": phases}))
    state = load(tmp_path / "s", RunState)
    assert list(state.phases) == list(registry.PHASES)
    assert state.phases["costs"].status == "not_started"
    transition(state, "costs", "in_progress", "t")
    save(tmp_path / "s", state)
    assert load(tmp_path / "s", RunState).phases["costs"].status == "in_progress"


def test_a_phase_known_only_to_another_version_is_kept_after_ours(tmp_path: Path) -> None:
    phases = {name: {"status": "completed"} for name in ["judge", *registry.PHASES]}
    (tmp_path / "s").write_bytes(encoded(tmp_path, {"phases": phases}))
    state = load(tmp_path / "s", RunState)
    assert list(state.phases) == [*registry.PHASES, "judge"]
    assert list(state.known_phases) == list(registry.PHASES)
    save(tmp_path / "s", state)
    assert load(tmp_path / "s", RunState).phases["judge"].status == "completed"


@pytest.mark.parametrize("version", [2, 99])
def test_a_newer_version_is_refused_and_named_whatever_else_is_in_the_record(tmp_path: Path, version: int) -> None:
    changes = {"schema_version": version, "phases": "a newer format", "run_id": 3}
    (tmp_path / "s").write_bytes(encoded(tmp_path, changes))
    with pytest.raises(NewerVersionError) as caught:
        load(tmp_path / "s", RunState)
    assert caught.value.exit_code == 3
    assert caught.value.message == (
        f"{tmp_path / 's'}: made by a newer version of promptrial (schema_version {version}; this one reads 1)"
    )


@pytest.mark.parametrize("version", [0, -1])
def test_an_unknown_version_is_damage_and_named_whatever_else_is_in_the_record(tmp_path: Path, version: int) -> None:
    changes = {"schema_version": version, "phases": "another format", "run_id": 3}
    message = corrupt(tmp_path / "s", encoded(tmp_path, changes))
    assert message.endswith(f"schema_version is {version}; this program knows 1")


def test_a_record_without_a_version_is_refused(tmp_path: Path) -> None:
    document = json.loads(encoded(tmp_path, {}))
    del document["schema_version"]
    assert "schema_version" in corrupt(tmp_path / "s", json.dumps(document).encode())


def test_each_kind_of_record_has_a_version_of_its_own(tmp_path: Path) -> None:
    save(tmp_path / "m", full_manifest())
    data = (tmp_path / "m").read_bytes().replace(b'"schema_version": 2', b'"schema_version": 1')
    assert corrupt(tmp_path / "m", data, TrialManifest).endswith("schema_version is 1; this program knows 2")


def test_keys_that_a_newer_program_added_survive_a_load_and_a_save(tmp_path: Path) -> None:
    phases = {name: {"status": "completed", "retries": 3} for name in [*registry.PHASES, "archive"]}
    drift = [{"at": "t", "keys": [], "who": "me"}]
    added = {"new_key": {"a": [1]}, "phases": phases, "drift": drift}
    (tmp_path / "s").write_bytes(encoded(tmp_path, added))
    state = load(tmp_path / "s", RunState)
    assert state.run_id == "r"
    assert state.phases["score"].status == "completed"
    transition(state, "score", "in_progress", "t")
    save(tmp_path / "s", state)
    written = json.loads((tmp_path / "s").read_text())
    assert (written["new_key"], written["drift"]) == ({"a": [1]}, drift)
    assert {phase["retries"] for phase in written["phases"].values()} == {3}
    assert written["phases"]["score"]["status"] == "in_progress"
    assert load(tmp_path / "s", RunState) == state


def test_unknown_keys_inside_parts_and_intents_survive_and_are_removed_with_them(tmp_path: Path) -> None:
    save(tmp_path / "m", full_manifest())
    document = json.loads((tmp_path / "m").read_text())
    name = next(iter(document["parts"]))
    document["parts"][name]["new"] = 1
    document["parts"][name]["intents"] = [
        {"key": f"k-a{n}", "attempt": n, "status": "expired", "new": n} for n in (1, 2)
    ]
    document["parts"]["t9_control_p001"] = {"resume_key": "t9_control", "new": 2}
    document["stage_status"]["later"] = {"status": "completed", "updated_at": "t", "new": 3}
    (tmp_path / "m").write_text(json.dumps(document))
    manifest = load(tmp_path / "m", TrialManifest)
    del manifest.parts["t9_control_p001"]
    manifest.parts[name] = msgspec.structs.replace(manifest.parts[name], status="failed")
    save(tmp_path / "m", manifest)
    written = json.loads((tmp_path / "m").read_text())
    assert (written["parts"][name]["new"], written["parts"][name]["status"]) == (1, "failed")
    assert [intent["new"] for intent in written["parts"][name]["intents"]] == [1, 2]
    assert "t9_control_p001" not in written["parts"]
    assert written["stage_status"]["later"]["new"] == 3
    load(tmp_path / "m", TrialManifest)


def test_a_record_written_by_this_program_has_no_unknown_keys(tmp_path: Path) -> None:
    for record in (full_state(), full_manifest(), Manifest(receipt=Receipt({"a": FILE}, {}), facts={"x": {"y": 1}})):
        save(tmp_path / "r", record)
        assert "unknown" not in load(tmp_path / "r", type(record)).__dict__


def test_what_is_not_known_of_answers_is_not_written(tmp_path: Path) -> None:
    taken = {"run_id": "other", "trial": "t", "part": "p", "rows": 3, "requests_sha256": "a", "results_sha256": "b"}
    intent = {"key": "k-a1", "attempt": 1, "status": "completed", "billed": {"rows": 3}}
    manifest = full_manifest()
    manifest.parts = {
        "t0_control_p001": msgspec.convert(
            {"resume_key": "t0", "intents": [intent | {"reused": {"at": "t1", "sources": [taken]}}]}, PartRecord
        )
    }
    save(tmp_path / "m", manifest)
    [written] = json.loads((tmp_path / "m").read_text())["parts"]["t0_control_p001"]["intents"]
    assert (written["billed"], written["reused"]) == ({"rows": 3}, {"at": "t1", "sources": [taken]})
    assert {*written} & {"asked_at", "refused", "reserved_usd", "began", "in_flight"} == set()


@pytest.mark.parametrize(
    "caps", [{}, {"max_usd": 5.0}, {"month_max_usd": 5.0, "part_usd": 0.5}, {"configured_usd": 0.0}]
)
def test_of_caps_that_were_not_given_the_state_says_nothing(tmp_path: Path, caps: dict[str, float]) -> None:
    state = full_state()
    state.caps = SpendingCaps(**caps)
    save(tmp_path / "s", state)
    assert json.loads((tmp_path / "s").read_text())["caps"] == caps
    assert load(tmp_path / "s", RunState).caps == state.caps


@pytest.mark.parametrize("said", [{}, {"attempt": 3}])
def test_a_file_of_an_older_tool_that_names_a_job_and_no_attempt_is_of_the_first(
    tmp_path: Path, said: dict[str, int]
) -> None:
    path = tmp_path / "p_job.json"
    path.write_text(json.dumps({"name": "job-1", **said}))
    found = breadcrumbs.read(path)
    assert found is not None
    assert (found.name, found.attempt, found.request_sha256) == ("job-1", said.get("attempt", 1), None)
    path.write_text("{")
    assert breadcrumbs.read(path) is None
    assert breadcrumbs.read(tmp_path / "q_job.json") is None


def test_every_part_status_reads_back(tmp_path: Path) -> None:
    manifest = full_manifest()
    statuses = get_args(PartStatus)
    assert len(statuses) == 10
    manifest.parts = {f"p_p{n:03d}": PartRecord(status=status, resume_key="p") for n, status in enumerate(statuses)}
    save(tmp_path / "m", manifest)
    assert list(load(tmp_path / "m", TrialManifest).job_status.values()) == list(statuses)


# --- paths ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/x", "a//x", "./x", "", "a\\..\\x", "C:/x", "a\0x"])
def test_a_record_with_a_path_that_leads_out_of_the_run_is_damaged(tmp_path: Path, path: str) -> None:
    stage = StageRecord("completed", "t", {path: FILE}, {})
    manifest = full_manifest()
    manifest.stage_status["report"] = stage
    for record in (Manifest(receipt=Receipt({path: FILE}, {})), manifest):
        (tmp_path / "record.json").write_bytes(msgspec.json.encode(record))
        with pytest.raises(CorruptRecordError, match="a name"):
            load(tmp_path / "record.json", type(record))


@pytest.mark.parametrize("name", ["../x", "a/b", "/", "..", ".", "", "a\\b"])
def test_the_name_of_a_part_or_trial_is_a_single_path_component(tmp_path: Path, name: str) -> None:
    manifest = full_manifest()
    manifest.parts[name] = PartRecord(resume_key="t0_control")
    asked = full_manifest()
    asked.parts["t0_control_p001"] = PartRecord(resume_key="t0_control", request_sha256=name)
    built = [PART | {"part": name}, PART | {"trial_slug": name}]
    manifests = [Manifest(receipt=Receipt({}, {}), facts={"parts": [row]}) for row in built]
    for record in (manifest, asked, *manifests):
        (tmp_path / "record.json").write_bytes(msgspec.json.encode(record))
        with pytest.raises(CorruptRecordError, match="a name"):
            load(tmp_path / "record.json", type(record))


def test_an_arm_with_its_own_model_names_it_and_the_others_use_the_trials_model() -> None:
    own = ArmRecord(model_id="big", model_alias="m2", provider="hosted", hosted=True, engine={"model": "big"})
    manifest = TrialManifest(
        run_id="r", trial={"provider": "local"}, prompts={}, temps=[0.0], samples_per_item={"0.0": 1},
        engine={"model": "small"}, arms={"big": own},
    )  # fmt: skip
    assert [manifest.provider_of(arm) for arm in ("control", "big")] == ["local", "hosted"]
    assert [manifest.is_hosted(arm) for arm in ("control", "big")] == [False, True]
    assert [manifest.engine_of(arm) for arm in ("control", "big")] == [{"model": "small"}, {"model": "big"}]


def test_the_record_of_an_arm_has_its_adapter_if_it_differs_from_the_provider() -> None:
    own = ModelSpec("m", "v/m", "openai")
    assert ArmRecord.of(own).adapter is msgspec.UNSET
    assert ArmRecord.of(replace(own, provider="mine", adapter="openai")).adapter == "openai"


def test_a_phase_that_ends_keeps_the_time_at_which_it_began() -> None:
    for end in ("completed", "failed", "stopped"):
        state = new_state("r", "h")
        transition(state, "prepare", "in_progress", "at 1")
        transition(state, "prepare", end, "at 2")
        assert (state.phases["prepare"].status, state.phases["prepare"].started_at) == (end, "at 1")
