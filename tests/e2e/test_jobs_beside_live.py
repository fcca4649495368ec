"""One run with jobs at one vendor beside live requests to another: killed, resumed, and each job paid for once."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import anthropic_run, hosted_run
from tests.support.emulator_client import EmulatorClient
from tests.support.hosted_fixtures import process
from tests.support.hosted_run import HostedProject, command, configuration, experiment

__all__ = ["process"]

MODELS = {
    "jobs": {"id": hosted_run.MODEL, "provider": "fireworks"},
    "live": {"id": anthropic_run.MODEL, "provider": "anthropic"},
}
FLAGS = ("--to_step", "parse")
KILLED_AFTER = (2, 9, 17)
"""Live requests that had been asked by then."""
IN_FLIGHT = 3


@pytest.fixture
def both(process: EmulatorClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HostedProject]:
    monkeypatch.setenv("ANTHROPIC_API_KEY", process.key)
    keys = {
        "models": MODELS,
        "sweep": {"models": list(MODELS), "prompt_sets": ["main"]},
        "providers": {
            "anthropic": {"type": "anthropic", "mode": "live", "base_url": process.url, "max_in_flight": IN_FLIGHT},
        },
        "pricing": None,
    }
    yield experiment(tmp_path, process, monkeypatch, configuration(keys))
    process.clear_faults()


def answers(both: HostedProject, run_id: str) -> dict[str, bytes]:
    """Return the predictions of each trial of a run, but for its name."""
    found = both.project.run_root(run_id).glob("*/results/predictions.csv")
    return {path.parts[-3]: path.read_bytes() for path in found}


def test_a_run_with_jobs_and_live_requests_killed_repeatedly_ends_with_the_same_answers_paid_once(
    both: HostedProject,
) -> None:
    assert both.run(run_id="undisturbed").code == 0
    expected = answers(both, "undisturbed")
    assert len(expected) == 2
    both.emulator.plain.delete(f"{both.emulator.url}/__emu/state").raise_for_status()
    codes = list[int]()
    for asked in KILLED_AFTER:
        run = subprocess.Popen(
            [*command(*FLAGS), *(("--resume",) if codes else ())], cwd=both.project.root, stderr=subprocess.DEVNULL
        )
        while run.poll() is None and len(both.emulator.ledger("message")) < asked:
            pass
        run.kill()
        codes.append(run.wait(60))
    assert codes[0] == -signal.SIGKILL
    done = both.run("--resume")
    assert done.code == 0, done.err
    assert answers(both, "r") == expected
    of_jobs, _ = both.manifests()
    assert sorted(job["id"] for job in both.jobs()) == sorted(
        intent.key for part in of_jobs.parts.values() for intent in part.intents
    )
    assert all(len(part.intents) == 1 for part in of_jobs.parts.values())
    lost_at_most = len(KILLED_AFTER) * IN_FLIGHT
    assert 28 <= len(both.emulator.ledger("message")) <= 28 + lost_at_most
