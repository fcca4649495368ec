"""What an emulator has billed: the tokens of all that it has answered, as the vendor counts them, at a price."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import httpx

from promptrial.costs.prices import usd
from promptrial.documents.cost_report import Price
from promptrial_emulator.server import EmulatorServer
from promptrial_emulator.settings import EmulatorSettings

__all__ = ["billed_usd", "dry_run_billed_usd", "jobs_of_dry_run"]

_LIVE: Final = ("message", "chat_completion", "create_response")


def billed_usd(url: str, price: Price) -> float:
    """Return what jobs at Fireworks and live requests have cost, whatever became of their answers."""
    plain = httpx.Client(timeout=20)
    with plain:
        jobs = plain.get(f"{url}/__emu/state").json()["jobs"]
        entries = plain.get(f"{url}/__emu/ledger").json()["rows"]
    amounts = [_usd(job["jobProgress"], price) for job in jobs if job["jobProgress"]]
    facts = [entry["facts"] for entry in entries if entry["operation"] in _LIVE]
    return sum(amounts) + sum(usd(each["input_tokens"], each["output_tokens"], price) for each in facts)


def _usd(progress: dict[str, Any], price: Price) -> float:
    return usd(
        int(progress["inputTokens"]),
        int(progress["outputTokens"]),
        price,
        cached_tokens=int(progress["cachedInputTokenCount"]),
    )


def dry_run_billed_usd(run: Path, price: Price) -> float:
    """Return what the emulator of a dry run has billed."""
    server = EmulatorServer(run / ".emulator", EmulatorSettings())
    server.start()
    try:
        return billed_usd(server.url, price)
    finally:
        server.stop()


def jobs_of_dry_run(run: Path) -> list[dict[str, Any]]:
    """Return the accepted jobs of a dry run."""
    server = EmulatorServer(run / ".emulator", EmulatorSettings())
    server.start()
    try:
        entries = httpx.get(f"{server.url}/__emu/ledger", timeout=20).json()["rows"]
    finally:
        server.stop()
    return [entry for entry in entries if entry["operation"] == "create_job"]
