"""One run with models of four servers: batches of three vendors and a real llama.cpp server, killed and resumed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from promptrial.store.part_records import Intent
from promptrial.store.records import TrialManifest
from promptrial.store.rundir import RunDir
from promptrial_emulator.server import EmulatorServer
from promptrial_emulator.settings import EmulatorSettings
from tests.support.emulator_client import EmulatorClient
from tests.support.llama_server import MODEL, llama_server
from tests.support.project import Project

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]
KEY = "sk-" + "keyofthreevendors"
VENDORS = {"gpt": "create_batch", "claude": "create_batch", "llama": "create_job"}
ITEMS, PARTS = 6, 2
QUICK = {
    "poll_interval_s": 0.01, "longest_poll_interval_s": 0.05, "settle_s": 0.3, "quota_wait_s": 0.05,
    "first_retry_s": 0.01, "outage_s": 20.0,
}  # fmt: skip


class World:
    """An emulator of three vendors, a llama.cpp server, and an experiment that asks all four."""

    def __init__(self, root: Path, emulator: EmulatorClient, local: str) -> None:
        self.emulator = emulator
        self.project = Project.make(root)
        self.project.write_config(
            {
                "provider": "embedded",
                "providers": {
                    "openai": {"base_url": f"{emulator.url}/v1"},
                    "anthropic": {"base_url": emulator.url},
                    "fireworks": {"base_url": emulator.url, "account": "me"},
                    "here": {"type": "llamacpp", "base_url": local},
                },
                "models": {
                    "gpt": "openai/gpt-4o-mini",
                    "claude": "anthropic/claude-haiku-4-5",
                    "llama": "fireworks/llama-v3p1-8b-instruct",
                    "local": f"here/{MODEL}",
                },
                "prompt_sets": {"main": {"control": "control.txt", "treatment": "treatment.txt"}},
                "datasets": {"closed_set": {"format": "custom", "path": "closed.jsonl"}},
                "task_instructions": {"closed_book": "closed.txt"},
                "limit_items": ITEMS,
                "parts_per_dataset": PARTS,
                "max_new_tokens": {"open_book": 2, "closed_book": 2},
                "pricing": None,
                "stats": {"bootstrap_samples": 1000, "permutation_samples": 999},
                "execution": QUICK,
                "sweep": {"prompt_sets": ["main"]},
            }
        )

    @property
    def run(self) -> RunDir:
        return RunDir(self.project.root / "experiments", "r")

    def start(self, *flags: str) -> subprocess.Popen[bytes]:
        keys = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "FIREWORKS_API_KEY"), KEY)
        words = [sys.executable, "-m", "promptrial", "run", "--run_id", "r", *flags]
        with (self.project.root / "stderr.txt").open("ab") as told:
            return subprocess.Popen(words, cwd=self.project.root, env=os.environ | keys, stdout=told, stderr=told)

    def said(self) -> str:
        return (self.project.root / "stderr.txt").read_text()

    def signs_of_life(self) -> int:
        """Return the size of the log and of the answers of the local server: it grows while the run works."""
        files = [self.run.log_path, *self.run.root.glob("*/results/*/*.jsonl")]
        return sum(path.read_bytes().count(b"\n") for path in files if path.exists())

    def manifests(self) -> dict[str, TrialManifest]:
        found = {}
        for path in sorted(self.run.root.glob("*/results")):
            manifest = self.run.trial(path.parent.name).load_manifest()
            assert manifest is not None
            found[path.parent.name.partition("-")[0]] = manifest
        return found

    def jobs(self, model: str) -> list[dict[str, Any]]:
        """Return the ledger's entries of the jobs that a vendor accepted."""
        rows = self.emulator.ledger(VENDORS[model])
        if model == "gpt":
            return [row for row in rows if "input_file_id" in row["facts"]]
        return rows if model == "llama" else [row for row in rows if "version" in row["facts"]]


@pytest.fixture(scope="module")
def local() -> Iterator[str]:
    with llama_server() as url:
        yield url


@pytest.fixture
def world(tmp_path: Path, local: str) -> Iterator[World]:
    with EmulatorServer(tmp_path / "emulator", EmulatorSettings(key=KEY, account="me", responder="echo")) as server:
        client = EmulatorClient(server.url, key=KEY, account="me")
        (tmp_path / "project").mkdir()
        yield World(tmp_path / "project", client, local)
        client.close()


def kill_at_random(world: World, run: subprocess.Popen[bytes], steps: int) -> bool:
    """Kill a run after some more signs of life; returns False if it has ended before."""
    before, end = world.signs_of_life(), time.monotonic() + 120
    while world.signs_of_life() < before + steps:
        if run.poll() is not None:
            return False
        assert time.monotonic() < end, world.said()
        time.sleep(0.002)
    run.send_signal(signal.SIGKILL)
    run.wait(30)
    return True


def require_one_job_for_each_intent(world: World) -> None:
    manifests = world.manifests()
    for model in VENDORS:
        intents: list[Intent] = [each for part in manifests[model].parts.values() for each in part.intents]
        recorded = Counter(intent.job for intent in intents if intent.job is not None)
        jobs = world.jobs(model)
        assert Counter(job["id"] for job in jobs) == recorded, f"{model}: {world.said()}"
        assert set(recorded.values()) == {1}, model
        assert sum(job["facts"]["rows"] for job in jobs) == 2 * ITEMS, f"{model}: a request was bought twice"
    assert all(len(part.intents) == 1 for name in VENDORS for part in manifests[name].parts.values())


def require_results(world: World) -> None:
    assert sorted(world.manifests()) == ["claude", "gpt", "llama", "local"]
    report = world.run.aggregate_report.read_text()
    for model in ("gpt", "claude", "llama", "local"):
        assert f"{model}-main" in report
        (folder,) = world.run.root.glob(f"{model}-*/results")
        significance = json.loads((folder / "significance.json").read_text())
        assert significance["attrition"], model
        assert len((folder / "predictions.csv").read_text().splitlines()) == 1 + 2 * ITEMS
    leaks = [path for path in world.project.root.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert leaks == []


@pytest.mark.parametrize(
    ("seed", "kills"),
    [(20261129, 2), pytest.param(7, 5, marks=pytest.mark.slow)],
)
def test_one_run_with_four_models_at_four_servers_survives_a_kill_at_any_time(
    world: World, seed: int, kills: int
) -> None:
    rng, killed = random.Random(seed), 0  # noqa: S311 - where it is killed
    run = world.start()
    while killed < kills and kill_at_random(world, run, rng.randint(1, 14)):
        killed += 1
        run = world.start("--resume") if world.run.state_path.exists() else world.start()
    assert run.wait(240) == 0, world.said()
    assert killed == kills, f"the run ended after {killed} kills"
    require_one_job_for_each_intent(world)
    require_results(world)
    jobs = [len(world.jobs(model)) for model in VENDORS]
    done = world.start("--resume")
    assert done.wait(120) == 0, world.said()
    assert [len(world.jobs(model)) for model in VENDORS] == jobs == [2 * PARTS] * 3
