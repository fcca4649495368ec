"""A cap on live requests holds against the vendor's bill, though the process is killed with requests in flight."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from promptrial.documents.cost_report import Price
from promptrial_emulator.server import EmulatorServer
from promptrial_emulator.settings import AnthropicSettings, EmulatorSettings, OpenAiSettings
from tests.support.billed import billed_usd
from tests.support.hosted_run import QUICK
from tests.support.project import Project

pytestmark = pytest.mark.slow

KEY: Final = "sk-" + "cappedlivesecret"
PRICE: Final = Price(input_per_million=1.0, output_per_million=5.0, batch_discount=0.0)
ENDS: Final = ("--to_step", "parse")
KINDS: Final[dict[str, dict[str, Any]]] = {
    "anthropic": {"type": "anthropic", "mode": "live", "key": "ANTHROPIC_API_KEY", "max_in_flight": 4},
    "server": {"type": "openai_compatible", "key": "SERVER_KEY", "max_in_flight": 4},
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmulatorServer]:
    settings = EmulatorSettings(
        key=KEY, anthropic=AnthropicSettings(latency_s=0.1), openai=OpenAiSettings(latency_s=0.1)
    )
    with EmulatorServer(tmp_path / "emulator", settings) as running:
        yield running


@pytest.fixture(params=sorted(KINDS))
def project(
    request: pytest.FixtureRequest, server: EmulatorServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Project:
    monkeypatch.chdir(tmp_path)
    for name in ("ANTHROPIC_API_KEY", "SERVER_KEY"):
        monkeypatch.setenv(name, KEY)
    kind, made = request.param, Project.make(tmp_path)
    rates = {"input_per_million": PRICE.input_per_million, "output_per_million": PRICE.output_per_million}
    made.write_config(
        {
            "provider": kind,
            "providers": {kind: KINDS[kind] | {"base_url": server.url + ("/v1" if kind == "server" else "")}},
            "models": {"m1": {"id": "claude-haiku-4-5"}},
            "max_new_tokens": 16,
            "pricing": {kind: {"models": {"m1": rates}}},
            "execution": QUICK,
        }
    )
    return made


def answered(server: EmulatorServer) -> int:
    rows = httpx.get(f"{server.url}/__emu/ledger", timeout=20).json()["rows"]
    return sum(row["operation"] in {"message", "chat_completion"} for row in rows)


def killed_after(server: EmulatorServer, answers: int, *flags: str) -> None:
    """Start the run in a process of its own, and kill it once the server has given so many more answers."""
    before = answered(server)
    words = [sys.executable, "-m", "promptrial", "run", "--run_id", "r", *ENDS, *flags]
    with subprocess.Popen(words, env={**os.environ}, stdout=subprocess.DEVNULL) as run:
        while answered(server) < before + answers and run.poll() is None:
            time.sleep(0.02)
        run.kill()


def test_requests_in_flight_at_a_kill_count_towards_the_cap_and_the_bill_stays_below_it(
    server: EmulatorServer, project: Project
) -> None:
    cap = 0.0013  # less than the answers cost without a kill
    killed_after(server, 5, "--max_cost_usd", str(cap))
    assert 5 <= answered(server) < 28
    killed_after(server, 3, "--resume")
    assert billed_usd(server.url, PRICE) <= cap
    stopped = project.run(*ENDS, "--resume")
    assert stopped.code == 6, stopped.err
    assert billed_usd(server.url, PRICE) <= cap
    before = answered(server)
    ended = project.run(*ENDS, "--resume", "--max_cost_usd", "1")
    assert ended.code == 0, ended.err
    kept = 28 - (answered(server) - before)
    assert before - kept <= 2 * 4, "asked twice at most what was in flight at the two kills"
    assert cap < billed_usd(server.url, PRICE) * 28 / answered(server)
