"""The folder of a run: names that are allowed, where files are, and whether a phase is done."""

import hashlib
import os
from pathlib import Path

import pytest

from promptrial.errors import PromptrialError, UsageError
from promptrial.store import jsonl
from promptrial.store.part_records import FileRecord
from promptrial.store.records import Receipt
from promptrial.store.rundir import RunDir, check_run_id, digest_of, run_folders


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    run = RunDir(tmp_path / "experiments", "r1")
    run.root.mkdir(parents=True)
    return run


def put(run: RunDir, name: str, data: bytes) -> FileRecord:
    path = run.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return run.record(path)


@pytest.mark.parametrize("run_id", ["a", "9", "20260131T093000Z", "A.b_c-d", "x" * 64, "a..b"])
def test_a_run_id_of_letters_digits_dots_underscores_and_hyphens_is_allowed(run_id: str) -> None:
    assert check_run_id(run_id) == run_id


@pytest.mark.parametrize(
    "run_id",
    ["", ".", "..", "../x", "a/b", "a\\b", "/etc", "-rf", "_a", ".hidden", "a b", "a\n", "é", "x" * 65, "a\0", "a%2f",
     "a:b"],
)  # fmt: skip
def test_any_other_run_id_is_refused_before_it_becomes_a_path(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(UsageError, match="--run_id") as caught:
        RunDir(tmp_path, run_id)
    assert caught.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_every_file_is_where_the_documentation_says(tmp_path: Path) -> None:
    run = RunDir(tmp_path, "abc")
    trial = run.trial("m1-main")
    found = {
        run.relative(path)
        for path in (
            run.state_path, run.lock_path, run.sentinel_path, run.config_path, run.log_path, run.prepared,
            run.batch_inputs, run.aggregate_report, trial.results, trial.reports,
            trial.manifest_path, trial.requests("t0_control_p001"), trial.part_results("t0_control_p001"),
        )
    }  # fmt: skip
    assert run.root == tmp_path / "run_abc"
    assert found == {
        "run_state.json", ".state.lock", "STOP_REQUESTED", "effective_config.yaml", "run.log", "prepared",
        "batch_inputs", "aggregate_report.md", "m1-main/results", "m1-main/reports",
        "m1-main/results/trial_manifest.json", "batch_inputs/m1-main/t0_control_p001.jsonl",
        "m1-main/results/t0_control_p001/results.jsonl",
    }  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_a_command_for_a_run_names_its_place_unless_that_is_the_default() -> None:
    assert RunDir(Path("experiments"), "a").command("stop") == "promptrial stop --run_id a"
    elsewhere = RunDir(Path("my runs"), "a")
    assert elsewhere.resume_command == "promptrial run --run_id a --experiments_dir 'my runs' --resume"


def test_a_file_record_has_digest_size_and_rows(run: RunDir) -> None:
    put(run, "a", b"one\n")
    assert run.record(run.root / "a", 1) == FileRecord(hashlib.sha256(b"one\n").hexdigest(), 4, 1)


# --- done or not ----------------------------------------------------------------------------------------------------


def test_a_phase_is_done_when_its_receipt_matches_the_disk_and_the_plan(run: RunDir) -> None:
    receipt = Receipt({"x/a.csv": put(run, "x/a.csv", b"1"), "b": put(run, "b", b"")}, {"plan": "p", "parse": "q"})
    assert run.problem(receipt, {"plan": "p", "parse": "q"}) == ""


def test_without_a_receipt_no_phase_is_done_whatever_files_exist(run: RunDir) -> None:
    put(run, "a.csv", b"1")
    assert run.problem(None, {}) == "not done yet"


def test_a_lost_file_is_missing_and_a_changed_one_damaged(run: RunDir) -> None:
    receipt = Receipt({"x/a.csv": put(run, "x/a.csv", b"123"), "b.json": put(run, "b.json", b"1")}, {})
    (run.root / "x/a.csv").write_bytes(b"12")
    assert run.problem(receipt, {}) == "a.csv damaged"
    (run.root / "x/a.csv").write_bytes(b"12345")
    assert run.problem(receipt, {}) == "a.csv damaged"
    (run.root / "x/a.csv").unlink()
    assert run.problem(receipt, {}) == "a.csv missing"
    (run.root / "x/a.csv").write_bytes(b"123")
    assert run.problem(receipt, {}) == ""
    (run.root / "b.json").unlink()
    (run.root / "b.json").mkdir()
    assert run.problem(receipt, {}) == "b.json damaged"


@pytest.mark.parametrize(
    ("now", "text"),
    [
        ({"plan": "other", "parse": "q"}, "plan changed"),
        ({"plan": "p", "parse": "other"}, "parse changed"),
        ({"plan": "x", "parse": "y"}, "parse, plan changed"),
        ({"plan": "p"}, "parse changed"),
        ({"plan": "p", "parse": "q", "build": "z"}, "build changed"),
    ],
)
def test_a_phase_made_from_other_inputs_is_not_done(run: RunDir, now: dict[str, str], text: str) -> None:
    receipt = Receipt({"a": put(run, "a", b"1")}, {"plan": "p", "parse": "q"})
    assert run.problem(receipt, now) == text


def test_a_changed_plan_is_found_before_any_file_is_read(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    receipt = Receipt({"a": put(run, "a", b"1")}, {"plan": "p"})
    monkeypatch.setattr(run, "_digests", None)
    assert run.problem(receipt, {"plan": "other"}) == "plan changed"


# --- digests are computed once, and never of a file that changed ------------------------------------------------------


def test_an_unchanged_file_is_read_once(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    record = put(run, "a", b"one")
    monkeypatch.setattr(jsonl, "digest", None)
    assert run.file_problem("a", record) == ""


def test_a_read_only_command_checks_results_once(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, lost = put(run, "t/results/p/results.jsonl", b"12"), FileRecord("0" * 64, 2)
    run.look_once()
    looked: list[str] = []
    real = os.lstat

    def noted(path: str) -> os.stat_result:
        looked.append(path.removeprefix(f"{run.root}/"))
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "lstat", noted)
        found = [
            [run.file_problem(f"t/results/{part}/results.jsonl", file) for part, file in (("p", whole), ("q", lost))]
            for _ in range(3)
        ]
    assert found == [["", "results.jsonl missing"]] * 3
    assert sorted(looked) == sorted({*looked})
    assert "t/results" in looked
    assert run.file_problem("t/results/p/results.jsonl", lost) == "results.jsonl damaged"  # is another question


def test_a_file_replaced_by_one_of_the_same_size_and_time_is_noticed(run: RunDir) -> None:
    record = put(run, "a", b"one")
    times = (run.root / "a").stat()
    (run.root / "b").write_bytes(b"two")
    os.utime(run.root / "b", ns=(times.st_atime_ns, times.st_mtime_ns))
    (run.root / "b").rename(run.root / "a")
    assert run.file_problem("a", record) == "a damaged"


def test_a_file_changed_in_place_is_noticed_even_if_its_time_is_restored(run: RunDir) -> None:
    record = put(run, "a", b"one")
    times = (run.root / "a").stat()
    (run.root / "a").write_bytes(b"two")
    while (run.root / "a").stat().st_ctime_ns == times.st_ctime_ns:  # until the file system's clock has ticked
        os.utime(run.root / "a", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert run.file_problem("a", record) == "a damaged"


def test_the_digest_of_a_value_does_not_depend_on_the_order_of_its_keys() -> None:
    assert digest_of({"a": 1, "b": [None, "é"]}) == digest_of({"b": [None, "é"], "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 1.0}) != digest_of({"a": "1"})


# --- links ---------------------------------------------------------------------------------------------------------


def test_a_linked_or_special_file_does_not_match_its_record_even_with_the_same_content(
    run: RunDir, tmp_path: Path
) -> None:
    expected = put(run, "a/file", b"data")
    (run.root / "a/file").rename(tmp_path / "elsewhere")
    (run.root / "a/file").symlink_to(tmp_path / "elsewhere")
    assert run.file_problem("a/file", expected) == "file is a link, not a regular file"
    (run.root / "a/file").unlink()
    os.mkfifo(run.root / "a/file")
    assert run.file_problem("a/file", FileRecord(expected.sha256, 0)) == "file is a FIFO, not a regular file"


@pytest.mark.parametrize("link", ["a", "a/b"])
def test_nothing_is_read_below_a_linked_folder(run: RunDir, tmp_path: Path, link: str) -> None:
    expected = put(run, "a/b/file", b"data")
    run.check_links()
    (run.root / link).rename(tmp_path / "elsewhere")
    (run.root / link).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PromptrialError, match=f"run_r1/{link}: a link"):
        run.file_problem("a/b/file", expected)
    with pytest.raises(PromptrialError, match=f"run_r1/{link}: a link"):
        run.check_links()


def test_a_run_folder_can_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk/run_r1").mkdir(parents=True)
    (tmp_path / "experiments").symlink_to(tmp_path / "disk")
    run = RunDir(tmp_path / "experiments", "r1")
    expected = put(run, "a/file", b"data")
    run.check_links()
    assert run.file_problem("a/file", expected) == ""


def test_run_folders_are_sorted_and_there_are_none_if_their_folder_is_missing(tmp_path: Path) -> None:
    for name in ("run_b", "run_a", "archives"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").write_text("")
    assert run_folders(tmp_path) == [tmp_path / "run_a", tmp_path / "run_b"]
    assert run_folders(tmp_path / "missing") == run_folders(tmp_path / "file") == []


def test_an_unreadable_folder_is_not_taken_for_one_without_runs(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for folder in (tmp_path / "loop", tmp_path / ("a" * 300)):
        with pytest.raises(OSError, match=r"Too many levels|too long"):
            run_folders(folder)
