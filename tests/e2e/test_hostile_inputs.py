"""Inputs made to hang, crash or mislead the program: each ends within its limit, in one sentence that names the file.

Every case has ``LIMIT_S`` seconds. A sentence is one ``error:`` line, with one ``next:`` line behind it at most.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from promptrial.archive.contents import Content, contents_of
from promptrial.archive.manifest import DIGEST, MANIFEST, ArchivedFile, Completeness, digest_line, encode
from promptrial.archive.places import LocalFolder
from promptrial.datasets import drawing
from promptrial.providers import access
from promptrial.providers.http_service import Timeouts
from promptrial.store.rundir import RunDir
from tests.support.archives import expanding_archive
from tests.support.hosted_fixtures import hosted, process
from tests.support.hosted_run import HostedProject
from tests.support.project import Outcome, Project

__all__ = ["hosted", "process"]

LIMIT_S = 20
pytestmark = pytest.mark.timeout(LIMIT_S)


def sentence(outcome: Outcome, code: int = 2) -> str:
    """Return the one error of a command that ended with this code."""
    assert outcome.code == code, (outcome.code, outcome.err)
    assert outcome.out == ""
    first, *rest = outcome.err.splitlines()
    assert first.startswith("error: "), outcome.err
    assert len(rest) <= 1, outcome.err
    assert all(line.startswith("  next: ") for line in rest), outcome.err
    assert len(outcome.err) < 1000
    return first.removeprefix("error: ")


# --- configurations -------------------------------------------------------------------------------------------------


def _aliases(levels: int, width: int) -> str:
    """Return a text of a few lines whose aliases stand for ``width ** levels`` values."""
    lines = [f"a0: &a0 [{', '.join(['lol'] * width)}]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


def _merges(levels: int) -> str:
    lines = [f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 9)}]}}" for n in range(1, levels)]
    return "\n".join(["m0: &m0 {a: 1, b: 2}", *lines]) + "\n"


BOMBS = {
    "a billion laughs": (_aliases(9, 9), ":6: not valid YAML: more than 200,000 values"),
    "merged keys": (_merges(9), "not valid YAML: more than 200,000 values"),
    "100,000 brackets": ("name: " + "[" * 100_000, ":1: not valid YAML: nested more than 64 levels deep"),
    "100,000 braces": ("name: " + "{a: " * 100_000, ":1: not valid YAML: nested more than 64 levels deep"),
    "100,000 dashes": ("- " * 100_000 + "x\n", ":1: not valid YAML: nested more than 64 levels deep"),
    "an alias of itself": ("name: &a [*a]\n", ":1: not valid YAML: the alias *a refers to a value that contains it"),
    "a number of 5,000 digits": ("name: x\nseed: " + "9" * 5000 + "\n", ":2: not valid YAML: '9999"),
    "a million keys": ("".join(f"k{n}: 1\n" for n in range(1_000_000)), "not valid YAML: more than 200,000 values"),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("command", ["plan", "run", "audit"])
def test_a_configuration_that_expands_exponentially_is_refused_with_its_line(
    project: Project, command: str, name: str
) -> None:
    text, said = BOMBS[name]
    project.config.write_text(text)
    error = sentence(project.call(command))
    assert error.startswith("config/eval_config.yaml:")
    assert said in error


def test_a_configuration_of_a_gigabyte_is_not_read(project: Project) -> None:
    with project.config.open("wb") as file:
        file.truncate(1 << 30)
    assert sentence(project.call("plan")) == (
        "config/eval_config.yaml: cannot read this configuration file: larger than 16,777,216 bytes"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "x" * 100_000}, "characters omitted"),
        ({"temps": [n / 1e6 for n in range(500)]}, "and 479 more problems"),
        ({"stats": {"bootstrap_samples": 10**12}}, "stats.bootstrap_samples: must be less than or equal to 10000000"),
        ({"stats": {"permutation_samples": 10**12}}, "stats.permutation_samples: must be less than or equal"),
        ({"paths": {"experiments_dir": "~nobody-has-this/x"}}, "paths.experiments_dir: '~nobody-has-this/x': the home"),
        ({"paths": {"experiments_dir": "config/closed.jsonl"}}, "config/closed.jsonl: not a folder"),
        ({"paths": {"experiments_dir": "/dev/null/runs"}}, "/dev/null: not a folder"),
    ],
)
@pytest.mark.parametrize("command", ["plan", "run"])
def test_an_absurd_value_is_refused_on_one_screen(
    project: Project, command: str, changes: dict[str, Any], said: str
) -> None:
    project.write_config(changes)
    outcome = project.call(command)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("error: ")
    assert said in outcome.err
    assert len(outcome.err) < 3000
    assert not (project.root / "experiments").exists()


@pytest.mark.parametrize(
    "command", [("list",), ("status", "--run_id", "r"), ("doctor", "r"), ("stop", "--run_id", "r")]
)
def test_a_file_where_runs_would_be_kept_is_refused_by_name(project: Project, command: tuple[str, ...]) -> None:
    assert sentence(project.call(*command, "--experiments_dir", "config/closed.jsonl")).startswith(
        "config/closed.jsonl: not a folder"
    )


def test_an_archive_below_an_unknown_home_is_refused(project: Project) -> None:
    project.given_run()
    error = sentence(project.call("archive", "r", "--to", "~nobody-has-this/r.tar.gz"))
    assert "the home folder is not known" in error


# --- FIFOs and devices ----------------------------------------------------------------------------------------------


def _fifo(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


NO_FILES = {"a FIFO": _fifo, "a device": _device}
READ_AT_START = {
    "config/eval_config.yaml": "cannot read this configuration file: {kind}, not a regular file",
    "config/control.txt": "cannot read this prompt file: {kind}, not a regular file",
    "config/open.txt": "cannot read this prompt file: {kind}, not a regular file",
    ".env": "cannot read this file: {kind}, not a regular file",
    "config/open.json": "config/open.json is not a file",
    "config/closed.jsonl": "config/closed.jsonl is not a file",
}


@pytest.mark.parametrize("kind", NO_FILES)
@pytest.mark.parametrize("path", READ_AT_START)
def test_a_run_refuses_anything_that_is_not_a_regular_file(project: Project, path: str, kind: str) -> None:
    NO_FILES[kind](project.root / path)
    outcome = project.run()
    # Each place that names the file is a line of its own; the sentence is that of the first.
    again = "config/eval_config.yaml:24: prompt_sets.other.control: "
    said = [
        line for line in outcome.err.splitlines()
        if line != "prepare: running" and not line.startswith(again)
    ]  # fmt: skip
    assert READ_AT_START[path].format(kind=kind) in sentence(Outcome(outcome.code, outcome.out, "\n".join(said)))


COMMANDS = {
    "status": ("status", "--run_id", "r"),
    "list": ("list",),
    "plan": ("plan", "--run_id", "r"),
    "doctor": ("doctor", "r"),
    "compare": ("compare", "r", "whole"),
    "archive": ("archive", "r", "--to", "archive"),
    "resume": ("run", "--run_id", "r", "--resume"),
}


@pytest.fixture
def finished(project: Project) -> Project:
    """A project with two finished runs, ``r`` and ``whole``."""
    for name in ("r", "whole"):
        assert project.run(run_id=name).code == 0
    return project


def _survives(project: Project, path: Path, command: tuple[str, ...]) -> None:
    outcome = project.call(*command)
    assert outcome.code in {0, 1, 2, 3, 100}, (path, outcome)
    assert "unexpected error" not in outcome.err, (path, outcome.err)


@pytest.mark.timeout(300)
@pytest.mark.slow
def test_no_command_waits_for_a_fifo_in_a_run(finished: Project) -> None:
    root = finished.run_root()
    for path in sorted(path for path in root.rglob("*") if path.is_file() and path.name != ".state.lock"):
        kept = path.read_bytes()
        _fifo(path)
        for command in COMMANDS.values():
            _survives(finished, path, command)
        path.unlink(missing_ok=True)  # a FIFO, or what the resume has made in its place
        path.write_bytes(kept)


@pytest.mark.parametrize("command", ["resume", "status"])
@pytest.mark.parametrize("name", ["prepared/manifest.json", "multi_trial_manifest.json", "run_state.json"])
def test_a_folder_in_place_of_a_record_is_named_with_what_to_do(project: Project, name: str, command: str) -> None:
    project.given_run()
    path = project.run_root() / name
    path.unlink()
    path.mkdir()
    outcome = project.call(*COMMANDS[command])
    if outcome.code:
        assert "Is a directory" in outcome.err or "a folder" in outcome.err
        assert "\n  next: " in outcome.err
    path.rmdir()
    assert project.call("resume", "r").code == 0, "what the sentence says is enough"


# --- JSON -----------------------------------------------------------------------------------------------------------

DEEP, LONG = "[" * 100_000, "9" * 100_000
QUESTIONS = {
    "deep": ("closed.jsonl", f'{{"id":"a","question":"q","answers":["x"],"z":{DEEP}}}\n', "JSON nested too deeply"),
    "deep and closed": ("open.json", f'{{"version":"v2.0","data":{DEEP}{"]" * 100_000}}}', "JSON nested too deeply"),
    "long number": ("closed.jsonl", f'{{"id":{LONG},"question":"q","answers":["x"]}}\n', "out of range"),
    "half a letter": ("closed.jsonl", '{"id":"a","question":"q\\ud800","answers":["x"]}\n', "not valid JSON"),
    "NUL": ("closed.jsonl", '{"id":"a\\u0000","question":"q","answers":["x"]}\n', "an invisible character"),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_file_of_hostile_json_is_refused_with_its_line(project: Project, name: str) -> None:
    file, text, said = QUESTIONS[name]
    (project.root / "config" / file).write_text(text)
    outcome = project.run()
    lines = [line for line in outcome.err.splitlines() if line != "prepare: running"]
    error = sentence(Outcome(outcome.code, outcome.out, "\n".join(lines)))
    assert error.startswith(f"config/{file}:1: ")
    assert said in error


@pytest.mark.timeout(300)
@pytest.mark.slow
@pytest.mark.parametrize("content", [DEEP, f'{{"schema_version": {LONG}, "pid": {LONG}}}'], ids=["deep", "long"])
def test_no_command_breaks_on_hostile_json_in_the_records_of_a_run(finished: Project, content: str) -> None:
    root = finished.run_root()
    whole = {path: path.read_bytes() for path in root.rglob("*") if path.suffix in {".json", ".jsonl", ".yaml"}}
    for path, kept in sorted(whole.items()):
        for name in ("status", "plan", "doctor", "compare", "resume"):
            path.write_text(content)
            _survives(finished, path, COMMANDS[name])
        path.write_bytes(kept)


# --- archives -------------------------------------------------------------------------------------------------------


def test_an_archive_that_unpacks_to_petabytes_is_refused_early(project: Project) -> None:
    (project.root / "x.tar.zst").write_bytes(expanding_archive())
    assert sentence(project.call("unarchive", "x.tar.zst"), 1) == (
        "x.tar.zst: does not match its manifest: differs zeros (damaged: it unpacks to more than 1,000 times its size)"
    )
    outcome = project.call("verify", "x.tar.zst")
    assert outcome.code == 1
    assert "it unpacks to more than 1,000 times its size" in outcome.out


@pytest.mark.parametrize("kind", NO_FILES)
def test_an_archive_must_be_a_regular_file(project: Project, kind: str) -> None:
    NO_FILES[kind](project.root / "x.tar.zst")
    for command in ("verify", "unarchive"):
        assert sentence(project.call(command, "x.tar.zst"), 1) == f"x.tar.zst: {kind}, not a regular file"


# --- records, links and archives ------------------------------------------------------------------------------------


def _change(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def _outside(project: Project) -> Path:
    """Return a file beside the runs, which no run may read, move or change."""
    path = project.root / "experiments" / "mine.txt"
    path.write_text("mine")
    return path


def _others(project: Project) -> dict[str, bytes]:
    """Return every file that is no run's."""
    run = project.run_root()
    paths = (path for path in project.root.rglob("*") if path.is_file() and run not in path.parents)
    return {path.relative_to(project.root).as_posix(): path.read_bytes() for path in sorted(paths)}


FORGED = ["../mine.txt", "reports/../../mine.txt", "{absolute}"]


@pytest.mark.parametrize("forged", FORGED)
@pytest.mark.parametrize("sound", [True, False])
@pytest.mark.parametrize("record", ["prepared/manifest.json", "TRIAL/results/trial_manifest.json"])
def test_a_forged_receipt_cannot_move_or_read_anything_outside_the_run(
    project: Project, record: str, sound: bool, forged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.given_run()
    mine = _outside(project)
    path = project.trial_folder() / record.removeprefix("TRIAL/") if "TRIAL" in record else project.run_root() / record
    file = {"sha256": hashlib.sha256(b"mine").hexdigest() if sound else "0" * 64, "size": 4, "rows": None}

    def forge(manifest: dict[str, Any]) -> None:
        receipt = manifest["stage_status"]["report"] if "stage_status" in manifest else manifest["receipt"]
        receipt["artifacts"][forged.format(absolute=mine)] = file

    _change(path, forge)
    before, opened = _others(project), os.open

    def watched(name: Any, *arguments: Any, **options: Any) -> int:
        assert Path(str(name)).name != "mine.txt", "it was read"
        return opened(name, *arguments, **options)

    monkeypatch.setattr(os, "open", watched)
    for command in (("status", "--run_id", "r"), ("doctor", "r"), ("run", "--run_id", "r", "--resume")):
        outcome = project.call(*command)
        assert outcome.code in {0, 100}, outcome.err
    monkeypatch.undo()
    assert "damaged" in outcome.err
    assert _others(project) == before
    assert list(path.parent.glob(f"{path.name}.corrupt.1"))


def test_a_forged_digest_of_requests_is_not_used_as_a_folder_name(project: Project) -> None:
    project.given_run()
    path = project.trial_folder() / "results/trial_manifest.json"

    def forge(manifest: dict[str, Any]) -> None:
        for part in manifest["parts"].values():
            part["request_sha256"] = "/../../../x"

    _change(path, forge)
    before = _others(project)
    outcome = project.run("--resume")
    assert (outcome.code, "trial_manifest.json: damaged" in outcome.err) == (0, True)
    assert _others(project) == before
    assert not list(project.run_root().rglob("x"))


@pytest.mark.parametrize("key", ["part", "request_sha256"])
def test_a_forged_line_of_a_journal_is_left_out(project: Project, key: str) -> None:
    project.given_run("--to_step", "poll")
    event = {"part": "t0_control_p001", "status": "pending", "at": "now", key: "../../../../x"}
    journal = project.trial_folder() / "results/jobs.journal.jsonl"
    journal.write_text(json.dumps(event) + "\n")
    before = _others(project)
    outcome = project.run("--resume")
    assert outcome.code == 0
    assert "jobs.journal.jsonl:1: damaged journal line" in outcome.err
    assert _others(project) == before


@pytest.mark.parametrize("key", ["trial_slug", "part"])
def test_forged_names_of_trials_and_parts_are_not_used_as_paths(project: Project, key: str) -> None:
    project.given_run()
    _change(project.run_root() / "batch_inputs/manifest.json", lambda m: m["facts"]["parts"][0].update({key: "../.."}))
    before = _others(project)
    assert project.call("status", "--run_id", "r").code == 0
    assert project.run("--resume").code == 0
    assert _others(project) == before


@pytest.mark.parametrize("folder", ["prepared", "batch_inputs", "TRIAL", "TRIAL/results", "TRIAL/reports"])
def test_a_run_with_a_linked_folder_is_refused_and_nothing_is_written_there(project: Project, folder: str) -> None:
    project.given_run()
    path = project.run_root() / folder.replace("TRIAL", project.trial_folder().name)
    elsewhere = project.root / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    for changed in elsewhere.rglob("*.json*"):
        changed.write_bytes(changed.read_bytes() + b" ")
    before = _others(project)
    error = sentence(project.run("--resume"), code=1)
    assert (
        error
        == f"experiments/run_r/{path.relative_to(project.run_root())}: a link; a run may contain only real folders"
    )
    assert project.call("doctor", "r").code == 100
    assert _others(project) == before


@pytest.mark.parametrize("name", [".state.lock", "run.log"])
@pytest.mark.parametrize("command", [("run", "--run_id", "r", "--resume"), ("archive", "r", "--to", "kept")])
def test_a_linked_lock_or_log_is_refused(project: Project, name: str, command: tuple[str, ...]) -> None:
    project.given_run()
    mine, path = _outside(project), project.run_root() / name
    path.unlink(missing_ok=True)
    path.symlink_to(mine)
    error = sentence(project.call(*command), code=1)
    assert error.startswith(f"experiments/run_r/{name}: a link")
    assert mine.read_text() == "mine"


def test_a_linked_artifact_is_renamed_and_made_again(project: Project) -> None:
    project.given_run()
    whole = project.snapshot()
    path = project.trial_folder() / "results/significance.json"
    elsewhere = project.root / "elsewhere.json"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    before = _others(project)
    outcome = project.run("--resume")
    assert (outcome.code, "significance.json.corrupt.1" in outcome.err) == (0, True)
    assert not path.is_symlink()
    name = path.relative_to(project.run_root()).as_posix()
    assert project.snapshot()[name] == whole[name]
    assert _others(project) == before


def test_a_link_with_a_temporary_name_is_not_followed_when_writing(project: Project) -> None:
    project.given_run("--to_step", "score")
    mine = _outside(project)
    for folder in (project.run_root(), project.trial_folder() / "results", project.trial_folder() / "reports"):
        folder.mkdir(exist_ok=True)
        for name in ("run_state.json", "significance.json", "report.md", "trial_manifest.json"):
            (folder / f".{name}.{os.getpid()}.tmp").symlink_to(mine)
    assert project.run("--resume").code == 0
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("name", [".run_new.tmp", ".run_new.0123456789abcdef.tmp"])
def test_a_link_where_a_run_would_be_unpacked_is_refused(project: Project, name: str) -> None:
    project.given_run()
    assert project.call("archive", "r", "--to", "kept").code == 0
    victim = project.root / "victim"
    victim.mkdir()
    (victim / "file").write_text("mine")
    (project.root / "experiments" / name).symlink_to(victim)
    error = sentence(project.call("unarchive", "kept", "--run_id", "new"), code=1)
    assert error.startswith(f"experiments/{name}: a link")
    assert [path.name for path in victim.iterdir()] == ["file"]
    assert (victim / "file").read_text() == "mine"


def test_a_link_where_an_archive_would_be_written_is_not_followed(project: Project) -> None:
    project.given_run()
    victim = project.root / "victim"
    victim.mkdir()
    (victim / "file").write_text("mine")
    (project.root / f".kept.{os.getpid()}.tmp").symlink_to(victim)
    assert project.call("archive", "r", "--to", "kept").code == 0
    assert [path.name for path in victim.iterdir()] == ["file"]


def test_locks_and_other_process_files_are_not_restored_from_an_archive(project: Project) -> None:
    """The author of the archive may have written a lock into it that names a process of this machine."""
    project.given_run()
    run = RunDir(project.root / "experiments", "r")
    manifest, contents = contents_of(run, None, Completeness(complete=True, phases={}, left=()))
    lock = json.dumps({"pid": os.getpid(), "host": os.uname().nodename, "since": "now"}).encode()
    planted = {".state.lock": lock, "STOP_REQUESTED": b"now\n", ".emulator/x": b"x"}
    listed = [ArchivedFile(path, len(data), hashlib.sha256(data).hexdigest()) for path, data in planted.items()]
    files = tuple(sorted([*manifest.files, *listed], key=lambda file: file.path))
    head = encode(msgspec.structs.replace(manifest, files=files))
    heads = [Content(MANIFEST, len(head), head), Content(DIGEST, len(digest_line(head)), digest_line(head))]
    rest = [*contents[2:], *(Content(path, len(data), data) for path, data in planted.items())]
    LocalFolder(project.root / "kept").write("run_r", [*heads, *sorted(rest, key=lambda content: content.path)])
    assert project.call("verify", "kept").code == 0
    assert project.call("unarchive", "kept", "--run_id", "new").code == 0
    root = project.run_root("new")
    assert (root / ".state.lock").read_bytes() == b""
    assert not (root / "STOP_REQUESTED").exists()
    assert not (root / ".emulator").exists()
    assert "not running" in project.call("stop", "--run_id", "new").out


# --- downloads ------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    ("options", "file_s", "said"),
    [
        ({"variant": "nested_gzip"}, 2.0, "compressed more than once"),
        ({"variant": "gzip_bomb"}, 2.0, "decompress to more than"),
        ({"variant": "dripped", "every_s": 0.2}, 0.8, "it took more than"),
    ],
    ids=["nested", "bomb", "dripped"],
)
def test_an_endless_or_slow_download_ends_with_one_sentence(
    hosted: HostedProject, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], file_s: float, said: str
) -> None:
    monkeypatch.setattr(access, "Timeouts", partial(Timeouts, file_s=file_s))
    hosted.emulator.fault("F13", "download", count=-1, **options)
    outcome = hosted.run()
    assert outcome.code == 1
    errors = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, outcome.err
    assert said in outcome.err
    assert len(hosted.jobs()) == 4


# --- question files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["grows", "is replaced by one of the same size"])
def test_a_question_file_that_changes_while_it_is_read_is_refused_and_a_resume_reads_it_again(
    project: Project, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = project.config.parent / "closed.jsonl"
    text = path.read_text()

    def draw_beside_a_writer(*arguments: Any) -> drawing.Drawn:
        drawn = drawing.draw(*arguments)
        if arguments[1][0].name == path.name:
            path.unlink()
            path.write_text(text + "\n" if change == "grows" else text.replace("Paris", "Paros"))
        return drawn

    with monkeypatch.context() as patch:
        patch.setattr("promptrial.phases.prepare.draw", draw_beside_a_writer)
        outcome = project.run("--to_step", "prepare")
    assert (outcome.code, outcome.out) == (2, "")
    assert "error: datasets.closed_set.path: " in outcome.err
    assert f"{path.name} changed while it was read" in outcome.err
    resumed = project.run("--resume", "--to_step", "prepare")
    assert resumed.code == 0, resumed.err
    facts = json.loads((project.run_root() / "prepared/manifest.json").read_bytes())["facts"]
    assert facts["sources"]["closed_set"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
