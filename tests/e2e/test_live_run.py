"""Trials on a real llama.cpp HTTP server, through the command line: stopped, killed, resumed; and what goes wrong."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from promptrial.errors import StopRequested
from tests.support.llama_server import MODEL, llama_server
from tests.support.project import Project

pytestmark = pytest.mark.engine
FLAGS = ("--to_step", "parse")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with llama_server() as url:
        yield url


def trial(root: Path, url: str | None, **keys: object) -> Project:
    """Return an experiment of ten requests on the server, or on the embedded engine."""
    root.mkdir()
    project = Project.make(root)
    provider = {"provider": "embedded"} if url is None else {
        "provider": "here",
        "providers": {"here": {"type": "llamacpp", "base_url": url}},
    }  # fmt: skip
    project.write_config(
        {
            **provider,
            "models": {"m1": {"id": MODEL}},
            "datasets": {"closed_set": {"format": "custom", "path": "closed.jsonl"}},
            "task_instructions": {"closed_book": "closed.txt"},
            "limit_items": 5,
            "max_new_tokens": {"open_book": 6, "closed_book": 6},
            "parts_per_dataset": 1,
            "pricing": None,
            **keys,
        }
    )
    return project


def started(project: Project, *flags: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "promptrial", "run", "--run_id", "r", *FLAGS, *flags]
    return subprocess.Popen(command, cwd=project.root, stderr=subprocess.DEVNULL)


def rows(project: Project) -> int:
    found = project.run_root().glob("*/results/*/results*.jsonl")
    return sum(path.read_bytes().count(b"\n") for path in found)


def wait_for_rows(project: Project, run: subprocess.Popen[bytes], count: int) -> None:
    end = time.monotonic() + 200
    while rows(project) < count:
        assert run.poll() is None, "it ended before"
        assert time.monotonic() < end, "it made no rows"
        time.sleep(0.02)


def answers(project: Project) -> list[tuple[str, ...]]:
    """Return what was predicted, but for the ids that a server draws by chance."""
    with (project.trial_folder() / "results" / "predictions.csv").open(newline="") as file:
        return [(row["custom_id"], row["response_text"], row["prompt_tokens"]) for row in csv.DictReader(file)]


def test_a_trial_killed_and_stopped_ends_with_the_answers_of_the_embedded_engine(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = trial(tmp_path / "live", server)
    with started(project) as run:
        wait_for_rows(project, run, 2)
        run.kill()
    kept = rows(project)
    assert 2 <= kept < 10
    with started(project, "--resume") as run:
        wait_for_rows(project, run, kept + 2)
        run.send_signal(signal.SIGTERM)
        assert run.wait(200) == StopRequested.exit_code
    stopped = rows(project)
    assert kept + 2 <= stopped < 10
    with started(project, "--resume") as run:
        assert run.wait(200) == 0
    manifest = json.loads((project.trial_folder() / "results" / "trial_manifest.json").read_bytes())
    assert manifest["engine"]["server"] == "llama.cpp"
    assert manifest["engine"]["weights_file"].endswith(".gguf")
    embedded = trial(tmp_path / "embedded", None)
    monkeypatch.chdir(embedded.root)
    assert embedded.run(*FLAGS).code == 0
    assert answers(project) == answers(embedded)


def test_resuming_a_finished_trial_asks_nothing_and_changes_no_byte(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = trial(tmp_path / "live", server, limit_items=1)
    monkeypatch.chdir(project.root)
    assert project.run().code == 0
    before = project.snapshot()
    outcome = project.run("--resume")
    assert outcome.code == 0, outcome.err
    assert project.snapshot() | {"run.log": before["run.log"]} == before


def test_a_server_that_does_not_run_ends_the_run_with_how_to_start_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = trial(tmp_path / "live", "http://127.0.0.1:9/v1")
    monkeypatch.chdir(project.root)
    outcome = project.run()
    assert outcome.code == 1
    assert "no connection" in outcome.err
    assert "llama-server -m MODEL.gguf --port 8080" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_model_that_the_server_does_not_have_is_refused_before_anything_is_asked(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = trial(tmp_path / "live", server, models={"m1": {"id": "llama-70b"}})
    monkeypatch.chdir(project.root)
    outcome = project.run()
    assert outcome.code == 1
    assert f"does not serve 'llama-70b'; it serves: {MODEL}" in outcome.err
    assert rows(project) == 0


def test_a_prompt_that_is_too_long_is_a_missing_answer_with_its_tokens(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = trial(tmp_path / "live", server, limit_items=1)
    question = {"id": "long", "question": "word " * 5000, "answers": ["Paris"]}
    (project.root / "config" / "closed.jsonl").write_text(json.dumps(question) + "\n")
    monkeypatch.chdir(project.root)
    assert project.run(*FLAGS).code == 0
    (text, *_) = [path.read_text() for path in project.run_root().glob("*/results/*/results.jsonl")]
    assert "context_length_exceeded" in text
    assert "tokens) exceeds the available context size (4096 tokens)" in text
    assert "--ctx-size" in text
