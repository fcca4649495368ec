"""Which runs ``--reuse`` names, and which of them can lend nothing."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from promptrial.engine.reusing import lenders, record_lenders
from promptrial.errors import CorruptRecordError, UsageError
from promptrial.phases.lending import _changes, check_lender, lent_parts
from promptrial.store import records
from promptrial.store.records import Manifest, Origin, Receipt, RunState
from promptrial.store.rundir import RunDir


def run_of(root: Path, run_id: str, *, built: bool = True, **said: object) -> RunDir:
    """Write a run that has requests, and asked for nothing yet."""
    run = RunDir(root, run_id)
    run.batch_inputs.mkdir(parents=True)
    state = records.new_state(run_id, "a" * 64)
    for name, value in said.items():
        setattr(state, name, value)
    records.save(run.state_path, state)
    if built:
        records.save(
            run.batch_inputs / "manifest.json",
            Manifest(receipt=Receipt({}, {}), facts={"parts": [], "items": 0, "requests": 0}),
        )
    return run


def refusal(named: str, run: RunDir) -> str:
    with pytest.raises(UsageError) as found:
        lenders([named], run, None, None)
    return f"{found.value.message} | {found.value.hint}"


def test_a_run_is_named_by_its_id_by_the_name_of_its_folder_or_by_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    old, new = run_of(Path("experiments"), "old"), RunDir(Path("experiments"), "new")
    run_of(Path("elsewhere"), "far")
    assert lenders(["old", "experiments/run_old"], new, None, None) == (old,)
    assert [str(found.root) for found in lenders(["elsewhere/run_far"], new, None, None)] == ["elsewhere/run_far"]
    monkeypatch.chdir("elsewhere/run_far")
    assert [found.run_id for found in lenders(["."], RunDir(tmp_path / "experiments", "new"), None, None)] == ["far"]


def test_a_misspelt_run_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    new = RunDir(tmp_path, "new")
    run_of(tmp_path, "baseline")
    (tmp_path / "folder").mkdir()
    assert "no run of this name" in refusal("basline", new)
    assert "did you mean baseline?" in refusal("basline", new)
    assert "the folder of a run must be named run_ID" in refusal(str(tmp_path / "folder"), new)


def test_two_runs_with_the_same_name_are_refused(tmp_path: Path) -> None:
    run_of(tmp_path / "here", "old")
    far = run_of(tmp_path / "there", "old")
    with pytest.raises(UsageError, match="two runs are named old"):
        lenders(["old", str(far.root)], RunDir(tmp_path / "here", "new"), None, None)


@pytest.mark.parametrize("packed", ["archives/run_old.tar.zst", "archives/run_old"])
def test_an_archive_must_be_unpacked_first(tmp_path: Path, packed: str) -> None:
    path = tmp_path / packed
    path.parent.mkdir()
    if packed.endswith(".zst"):
        path.write_bytes(b"packed")
    else:
        path.mkdir()
        (path / "archive_manifest.json").write_text("{}")
    for named in ("old", str(path)):
        assert f"unpack it first: promptrial unarchive {path}" in refusal(named, RunDir(tmp_path, "new"))


def test_the_reused_run_is_recorded_by_name_and_place_until_reuse_ends(tmp_path: Path) -> None:
    new, old = RunDir(tmp_path / "here", "new"), run_of(tmp_path / "here", "old")
    far = run_of(tmp_path / "there", "far")
    state = records.new_state("new", "a" * 64)
    assert record_lenders((far, old), new, state)
    assert not record_lenders((far, old), new, state)
    assert (state.reuse, state.reuse_places) == (["far", "old"], {"far": "../there"})
    assert lenders([], new, state, Origin.of(state)) == (far, old)
    assert lenders(["none"], new, state, Origin.of(state)) == ()
    assert [each.root for each in lenders([], new, None, Origin.of(state))] == [new.root.parent / "run_far", old.root]
    state.forget_place()
    assert state.reuse_places is msgspec.UNSET


@pytest.mark.parametrize(
    ("said", "dry_run", "why"),
    [
        ({"dry_run": True}, False, "is a dry run: its answers are an emulator's"),
        ({}, True, "is not a dry run, but this one is"),
        ({"migrated": True}, False, "promptrial's predecessor, which kept no requests"),
        ({"built": False}, False, "it has no requests"),
    ],
)
def test_a_run_that_can_lend_nothing_is_refused(tmp_path: Path, said: dict[str, bool], dry_run: bool, why: str) -> None:
    old = run_of(tmp_path, "old", **said)
    with pytest.raises(UsageError, match=why):
        check_lender(old, RunDir(tmp_path, "new"), dry_run=dry_run)


def test_a_run_lends_nothing_to_itself_and_an_emulator_leaves_its_mark(tmp_path: Path) -> None:
    old = run_of(tmp_path, "old")
    with pytest.raises(UsageError, match="is this run itself"):
        check_lender(old, old, dry_run=False)
    old.emulator.mkdir()
    with pytest.raises(UsageError, match="is a dry run"):
        check_lender(old, RunDir(tmp_path, "new"), dry_run=False)


def test_a_folder_without_a_state_is_not_a_run_and_damaged_records_are_named(tmp_path: Path) -> None:
    old, new = run_of(tmp_path, "old"), RunDir(tmp_path, "new")
    manifest = old.batch_inputs / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"parts": []', '"parts": [{"part": "t0_control_p001"}]'))
    with pytest.raises(CorruptRecordError, match=r"batch_inputs/manifest\.json: damaged"):
        lent_parts(old)
    manifest.write_text("{")
    with pytest.raises(CorruptRecordError, match=r"batch_inputs/manifest\.json"):
        check_lender(old, new, dry_run=False)
    old.state_path.unlink()
    with pytest.raises(UsageError, match=r"run_state\.json does not exist"):
        check_lender(old, new, dry_run=False)


def test_a_state_without_reuse_has_no_key_for_it() -> None:
    assert b"reuse" not in msgspec.json.encode(RunState(run_id="r", config_hash="", phases={}))


def test_a_recorded_engine_is_shown_on_one_short_line() -> None:
    (line,) = _changes({"x": "a\x1b[2J\nerror: forged " + "y" * 3000}, {})
    assert line.isprintable()
    assert len(line) < 120
