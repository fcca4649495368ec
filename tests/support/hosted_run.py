"""Hosted runs for tests: the small project set up for Fireworks, and an emulator in its own process."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq
import pytest

from promptrial.store.part_records import Intent
from promptrial.store.records import TrialManifest
from promptrial.store.rundir import RunDir
from tests.support.emulator_client import EmulatorClient
from tests.support.project import Outcome, Project
from tests.support.remembered import remember_pure_functions

__all__ = [
    "ACCOUNT",
    "KEY",
    "MODEL",
    "PROJECT",
    "QUICK",
    "HostedProject",
    "command",
    "emulator_process",
    "experiment",
    "leaks",
]

KEY: Final = "fw_" + "hostedrunsecret"
ACCOUNT: Final = "hosted"
PROJECT: Final = Path(__file__).parents[2]
MODEL: Final = "accounts/fireworks/models/small"
QUICK: Final = {
    "poll_interval_s": 0.005,
    "longest_poll_interval_s": 0.02,
    "settle_s": 0.15,
    "quota_wait_s": 0.05,
    "first_retry_s": 0.005,
    "outage_s": 3.0,
}
"""The section ``execution`` of runs that do not wait for long."""


@contextmanager
def emulator_process(folder: Path, *flags: str) -> Iterator[EmulatorClient]:
    """Run ``promptrial emulator`` within the block."""
    words = [sys.executable, "-m", "promptrial", "emulator", "--state", str(folder), "--key", KEY, "--account", ACCOUNT]
    with subprocess.Popen([*words, *flags], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        client = EmulatorClient(process.stdout.readline().split()[-1], key=KEY, account=ACCOUNT)
        try:
            yield client
        finally:
            client.close()
            process.terminate()
            process.wait(20)


@dataclass(frozen=True)
class HostedProject:
    """A project on the emulator; runs end after ``parse`` by default."""

    project: Project
    emulator: EmulatorClient

    def run(self, *flags: str, run_id: str = "r") -> Outcome:
        ends = () if "--to_step" in flags else ("--to_step", "parse")
        return self.project.run(*flags, *ends, run_id=run_id)

    def jobs(self) -> list[dict[str, Any]]:
        """Return the ledger's entries of accepted jobs, in order."""
        return self.emulator.ledger("create_job")

    def rows_bought(self) -> int:
        """Return how many rows all accepted jobs had."""
        return sum(job["facts"]["rows"] for job in self.jobs())

    def manifests(self, run_id: str = "r") -> list[TrialManifest]:
        run = RunDir(self.project.root / "experiments", run_id)
        found = [run.trial(path.parent.name).load_manifest() for path in sorted(run.root.glob("*/results"))]
        return [manifest for manifest in found if manifest is not None]

    def intents(self, run_id: str = "r") -> list[Intent]:
        return [
            intent
            for manifest in self.manifests(run_id)
            for part in manifest.parts.values()
            for intent in part.intents
        ]  # fmt: skip

    def part_of(self, run_id: str = "r") -> dict[str, str]:
        """Return, for the key of each intent, the part that it belongs to."""
        return {
            intent.key: name
            for manifest in self.manifests(run_id)
            for name, part in manifest.parts.items()
            for intent in part.intents
        }

    def predictions(self, run_id: str = "r") -> bytes:
        return (self.results(run_id) / "predictions.parquet").read_bytes()

    def table(self, run_id: str = "r") -> Any:
        """Return the predictions in an order that does not depend on how the run was cut into parts."""
        return pq.read_table(self.results(run_id) / "predictions.parquet").sort_by("custom_id")

    def results(self, run_id: str = "r") -> Path:
        return self.project.trial_folder(run_id) / "results"

    def paid_once(self, run_id: str = "r") -> None:
        """Require one accepted job for each intent, and one intent for each part."""
        assert Counter(job["id"] for job in self.jobs()) == Counter(each.key for each in self.intents(run_id))
        parts = [part for manifest in self.manifests(run_id) for part in manifest.parts.values()]
        assert [len(part.intents) for part in parts] == [1] * len(parts)

    def in_flight(self) -> int:
        """Return the most jobs that the emulator had in work at one moment."""
        jobs = self.emulator.plain.get(f"{self.emulator.url}/__emu/state").json()["jobs"]
        begins = [(job["createTime"], 1) for job in jobs]
        ends = [(job["lifecycle"]["endTime"], -1) for job in jobs]
        return max(itertools.accumulate(step for _, step in sorted(begins + ends)))


def experiment(
    root: Path, emulator: EmulatorClient, monkeypatch: pytest.MonkeyPatch, changes: Mapping[str, Any] | None = None
) -> HostedProject:
    """Make a project in a folder, go there, and let the environment lead to an emulator that has forgotten all."""
    monkeypatch.chdir(root)
    remember_pure_functions(monkeypatch)
    for name, value in environment(emulator).items():
        monkeypatch.setenv(name, value)
    project = Project.make(root)
    project.write_config(configuration(changes))
    emulator.plain.delete(f"{emulator.url}/__emu/state").raise_for_status()
    return HostedProject(project, emulator)


def configuration(changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what the project's configuration has to say to be a hosted one."""
    price = {"models": {"m1": {"input_per_million": 1.0, "output_per_million": 2.0}}}
    return {
        "provider": "fireworks",
        "models": {"m1": {"id": MODEL}},
        "pricing": {"fireworks": price},
        "execution": QUICK,
    } | dict(changes or {})


def environment(emulator: EmulatorClient) -> dict[str, str]:
    return {
        "FIREWORKS_API_BASE": emulator.url,
        "FIREWORKS_API_KEY": emulator.key,
        "FIREWORKS_ACCOUNT_ID": emulator.account,
    }


def command(*flags: str, run_id: str = "r") -> list[str]:
    """Return the words that start a run in a process of its own."""
    return [sys.executable, "-m", "promptrial", "run", "--run_id", run_id, *flags]


def leaks(root: Path, *texts: str) -> list[str]:
    """Return where the key stands: files below a folder, and texts."""
    spellings = (KEY.encode(), json.dumps(KEY).encode()[1:-1])
    found = [str(path) for path in root.rglob("*") if path.is_file() and any(s in path.read_bytes() for s in spellings)]
    return found + [text for text in texts if KEY in text]
