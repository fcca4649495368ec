"""Other processes beside one that works on a run: a second writer is refused, and readers are never in its way."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from promptrial.store import records
from promptrial.store.records import Manifest, RunState, TrialManifest
from promptrial_emulator.server import EmulatorServer
from promptrial_emulator.settings import RESPONDERS, EmulatorSettings
from tests.support import emulator_responders
from tests.support.project import Project

ROOT = Path(__file__).parents[2]
REQUESTS = 8
"""Two arms of two open and two closed questions."""
READERS = 12
READERS_AT_A_TIME = 6
KEY = "sk-" + "keyofoneserver"


def program(module: str, folder: Path, *flags: str) -> list[str]:
    return [sys.executable, "-m", *module.split(), "--experiments_dir", str(folder), "--run_id", "r", *flags]


def finished(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


@dataclass
class Seen:
    """What other processes saw of one run, and how that run ended."""

    folder: Path
    pid: int
    second: subprocess.CompletedProcess[str]
    first_worked_on: bool
    readings: list[tuple[subprocess.CompletedProcess[str], bool]]
    code: int
    said: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that answers the first request immediately, and the others when the gate is open."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(RESPONDERS, "hesitant", "tests.support.emulator_responders:HesitantResponder")
        patch.setenv("SERVER_KEY", KEY)
        emulator_responders.GATE.clear()
        settings = EmulatorSettings(key=KEY, responder="hesitant")
        with EmulatorServer(tmp_path_factory.mktemp("emulator"), settings) as running:
            yield f"{running.url}/v1"


@pytest.fixture(scope="module")
def seen(server: str, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Run an experiment on a few items; meanwhile try to write to it too, then read its status many times."""
    folder, said = tmp_path_factory.mktemp("two"), tmp_path_factory.mktemp("said") / "said"
    project = Project.make(folder)
    here = {"type": "openai_compatible", "base_url": server, "key": "SERVER_KEY"}
    project.write_config({"provider": "here", "providers": {"here": here}, "pricing": None, "limit_items": 2})
    config = ("--config", str(project.config))
    with said.open("wb") as out:
        command = program("scripts.run_all", folder, *config)
        with subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out) as first:
            try:
                wait_for_rows(folder, first)
                second = finished(program("scripts.run_all", folder, "--resume"))
                worked_on = first.poll() is None
                readings = read_many(folder, first)
                code = first.wait(100)
            finally:
                first.kill()
    return Seen(folder, first.pid, second, worked_on, readings, code, said.read_text())


def read_many(folder: Path, first: subprocess.Popen[bytes]) -> list[tuple[subprocess.CompletedProcess[str], bool]]:
    """Return the readings, and whether the run was still at work after each. It goes on as the last one begins."""

    def read(number: int) -> tuple[subprocess.CompletedProcess[str], bool]:
        if number == READERS - 1:
            emulator_responders.GATE.set()
        return finished(program("promptrial status", folder, "--json")), first.poll() is None

    with ThreadPoolExecutor(READERS_AT_A_TIME) as pool:
        return list(pool.map(read, range(READERS)))


def wait_for_rows(folder: Path, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        if any(path.stat().st_size for path in folder.glob("run_r/*/results/*/results*.jsonl")):
            return
        time.sleep(0.02)
    raise AssertionError("the run made no rows")


def test_a_second_process_is_refused_quickly_and_names_the_holder(seen: Seen) -> None:
    assert seen.first_worked_on, "the second waited until the first had ended"
    assert seen.second.returncode == 4, seen.second.stderr
    assert f"pid {seen.pid} " in seen.second.stderr
    assert "promptrial stop --run_id r" in seen.second.stderr
    assert seen.second.stdout == ""
    assert (seen.folder / "run_r/run.log").read_text().count('"event": "begin"') == 1


def test_every_status_read_during_a_run_is_consistent(seen: Seen) -> None:
    words = []
    for reading, still_running in seen.readings:
        assert reading.returncode == 0, reading.stderr
        status = json.loads(reading.stdout)
        assert 0 <= status["rows"] <= status["expected_rows"] == REQUESTS
        if still_running:
            assert (status["status"], status["holder"]["pid"]) == ("running", seen.pid)
        words.append(status["status"])
    assert len(words) == READERS
    assert words.count("running") >= READERS_AT_A_TIME, words
    assert set(words) <= {"running", "finished"}


def test_a_run_read_by_others_succeeds_and_all_its_files_are_complete(seen: Seen) -> None:
    assert seen.code == 0, seen.said
    run = seen.folder / "run_r"
    state = records.load(run / "run_state.json", RunState)
    assert {phase.status for phase in state.phases.values()} == {"completed"}
    assert len([records.load(path, TrialManifest) for path in run.rglob("trial_manifest.json")]) == 1
    assert len([records.load(path, Manifest) for path in run.rglob("manifest.json")]) == 2
    lines = {path: path.read_bytes().splitlines() for path in [*run.rglob("*.jsonl"), run / "run.log"]}
    rows = {path: [json.loads(line) for line in found] for path, found in lines.items()}
    answers = [row["custom_id"] for path in rows if path.name == "results.jsonl" for row in rows[path]]
    assert len(answers) == len(set(answers)) == REQUESTS
    assert not list(run.rglob("*.tmp"))
