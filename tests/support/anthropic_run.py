"""Whole trials on Anthropic's emulated batches: the small project set up for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.emulator_client import EmulatorClient
from tests.support.hosted_run import HostedProject, configuration, experiment

__all__ = ["MODEL", "PRICE", "batches", "bought_once", "trial_on_anthropic"]

MODEL: Final = "claude-haiku-4-5"
PRICE: Final = {"input_per_million": 1.0, "output_per_million": 2.0}


def trial_on_anthropic(
    root: Path, emulator: EmulatorClient, monkeypatch: pytest.MonkeyPatch, changes: Mapping[str, Any] | None = None
) -> HostedProject:
    """Make the project in a folder, with the emulator as its only provider."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", emulator.key)
    ours = {
        "provider": "anthropic",
        "providers": {"anthropic": {"type": "anthropic", "base_url": emulator.url}},
        "models": {"m1": {"id": MODEL}},
        "pricing": {"anthropic": {"batch_discount": 0.5, "models": {"m1": PRICE}}},
    }
    return experiment(root, emulator, monkeypatch, configuration(ours | dict(changes or {})))


def batches(hosted: HostedProject) -> list[dict[str, Any]]:
    """Return the ledger's entries of accepted batches, in order."""
    return hosted.emulator.ledger("create_batch")


def bought_once(hosted: HostedProject, run_id: str = "r") -> None:
    """Require one accepted batch for each intent, and that each intent holds the name of its own."""
    intents = hosted.intents(run_id)
    assert sorted(batch["id"] for batch in batches(hosted)) == sorted(str(intent.job) for intent in intents)
