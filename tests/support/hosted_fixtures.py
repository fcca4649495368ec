"""Fixtures of the tests of hosted runs, imported by each of their modules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.emulator_client import EmulatorClient
from tests.support.hosted_run import HostedProject, emulator_process, experiment


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorClient]:
    """One emulator for the module, in a process of its own."""
    with emulator_process(tmp_path_factory.mktemp("emulator")) as client:
        yield client


@pytest.fixture
def hosted(process: EmulatorClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HostedProject:
    """A project of two parts an arm on the module's emulator, which has forgotten everything."""
    return experiment(tmp_path, process, monkeypatch)
