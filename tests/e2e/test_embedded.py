"""Real trials on the embedded model, through the command line, in processes of their own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SLUG = "smollm2-135m-operational_only-tp1-tk50-mx4-4"
CONFIG = ROOT / "tests" / "data" / "embedded" / "eval_config.yaml"
ITEMS = ("--limit_items", "4")
pytestmark = pytest.mark.engine


def command(folder: Path, run_id: str, *flags: str) -> list[str]:
    where = ["--config", str(CONFIG), "--experiments_dir", str(folder), "--run_id", run_id]
    return [sys.executable, "-m", "scripts.run_all", *where, *flags]


def run(folder: Path, run_id: str, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(folder, run_id, *flags), cwd=ROOT, capture_output=True, text=True, check=False)


def wait_for_rows(folder: Path, run_id: str, count: int) -> None:
    """Wait until the run has that many finished rows on disk."""
    end = time.monotonic() + 100
    while time.monotonic() < end:
        files = folder.glob(f"run_{run_id}/{SLUG}/results/*/results*.jsonl")
        if sum(path.read_bytes().count(b"\n") for path in files) >= count:
            return
        time.sleep(0.05)
    raise AssertionError("the run made no rows")


@contextmanager
def held(process: subprocess.Popen[str]) -> Iterator[None]:
    """Hold a process for as long as the block lasts, so that it cannot end before others have looked at it."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


@contextmanager
def asked_to_stop(folder: Path, *flags: str) -> Iterator[subprocess.Popen[str]]:
    """Ask the run ``cut`` to stop, by a process that waits for its end; within the block the request is on disk."""
    words = [sys.executable, "-m", "scripts.stop_run", "--experiments_dir", str(folder), "--run_id", "cut", "--wait"]
    pipe = subprocess.PIPE
    with subprocess.Popen([*words, *flags], cwd=ROOT, text=True, stdout=pipe, stderr=pipe) as process:
        end = time.monotonic() + 60
        while not (folder / "run_cut/STOP_REQUESTED").exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        yield process


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a run that nobody interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    outcome = run(folder, "xyz-1", *ITEMS)
    assert outcome.returncode == 0, outcome.stderr
    return folder / "run_xyz-1" / SLUG / "results"


def resume(folder: Path, whole: Path) -> None:
    """Resume an interrupted run to its end, and compare what it predicted with an uninterrupted one."""
    outcome = run(folder, "cut", "--resume", "--to_step", "parse")
    assert outcome.returncode == 0, outcome.stderr
    predictions = folder / "run_cut" / SLUG / "results/predictions.parquet"
    assert predictions.read_bytes() == (whole / "predictions.parquet").read_bytes()


def test_the_same_configuration_run_twice_gives_the_same_bytes_but_for_the_run_id(whole: Path, tmp_path: Path) -> None:
    outcome = run(tmp_path, "xyz-2", *ITEMS)
    assert outcome.returncode == 0, outcome.stderr
    again = tmp_path / "run_xyz-2" / SLUG / "results"
    for name in ("predictions.csv", "per_item_scores.csv", "significance.json", "costs.json", "../reports/report.md"):
        assert (again / name).read_text().replace("xyz-2", "xyz-1") == (whole / name).read_text(), name
    manifest = json.loads((whole / "trial_manifest.json").read_text())
    assert len(manifest["engine"]["weights_sha256"]) == 64
    assert manifest["prompts"]["treatment"]["tokens"] > manifest["prompts"]["control"]["tokens"]


def test_a_killed_run_resumes_to_the_same_bytes_as_an_uninterrupted_one(whole: Path, tmp_path: Path) -> None:
    with subprocess.Popen(command(tmp_path, "cut", *ITEMS), cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        wait_for_rows(tmp_path, "cut", 3)
        process.kill()
        process.wait(60)
    resume(tmp_path, whole)


@pytest.mark.slow
def test_stop_run_ends_a_run_within_its_current_request_and_a_resume_finishes_it(whole: Path, tmp_path: Path) -> None:
    with subprocess.Popen(command(tmp_path, "cut", *ITEMS), cwd=ROOT, stderr=subprocess.DEVNULL, text=True) as process:
        wait_for_rows(tmp_path, "cut", 2)
        with ExitStack() as asked:
            with held(process):
                stop = asked.enter_context(asked_to_stop(tmp_path))
            said, wrong = stop.communicate(timeout=60)
        assert (stop.returncode, "has stopped" in said) == (0, True), wrong
        assert process.wait(20) == 5
    state = json.loads((tmp_path / "run_cut/run_state.json").read_text())
    assert state["phases"]["poll"]["status"] == "stopped"
    again = [sys.executable, "-m", "scripts.stop_run", "--experiments_dir", str(tmp_path), "--run_id", "cut", "--wait"]
    assert subprocess.run(again, cwd=ROOT, capture_output=True, text=True, check=True).stdout.count("not running") == 1
    resume(tmp_path, whole)


def test_ctrl_c_twice_exits_immediately_with_130_and_the_run_can_be_resumed(whole: Path, tmp_path: Path) -> None:
    with subprocess.Popen(command(tmp_path, "cut", *ITEMS), cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        wait_for_rows(tmp_path, "cut", 2)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        said = iter(process.stderr.readline, "")
        assert any("the same signal again stops immediately" in line for line in said)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in {130, 5}, "5 if the soft stop was quicker than the second signal"
    state = json.loads((tmp_path / "run_cut/run_state.json").read_text())
    assert state["phases"]["poll"]["status"] == "stopped"
    resume(tmp_path, whole)


def test_stop_now_does_not_wait_for_the_current_request_and_a_watcher_sees_it(whole: Path, tmp_path: Path) -> None:
    where = ["--experiments_dir", str(tmp_path), "--run_id", "cut"]
    watch = [sys.executable, "-m", "promptrial", "status", "--watch", "--json", *where]
    with subprocess.Popen(command(tmp_path, "cut", *ITEMS), cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        wait_for_rows(tmp_path, "cut", 2)
        with ExitStack() as others:
            with held(process):
                watcher = others.enter_context(subprocess.Popen(watch, cwd=ROOT, stdout=subprocess.PIPE, text=True))
                assert watcher.stdout is not None
                assert json.loads(watcher.stdout.readline())["status"] == "running"
                stop = others.enter_context(asked_to_stop(tmp_path, "--now"))
            _, wrong = stop.communicate(timeout=60)
            assert stop.returncode == 0, wrong
            assert process.wait(20) == 5
            assert process.stderr is not None
            assert "asked to stop immediately" in process.stderr.read()
            assert json.loads(watcher.stdout.read().splitlines()[-1])["status"] == "stopped"
            assert watcher.wait(20) == 0
    state = json.loads((tmp_path / "run_cut/run_state.json").read_text())
    assert state["phases"]["poll"]["status"] == "stopped"
    resume(tmp_path, whole)
