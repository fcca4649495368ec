"""Fixtures of the emulator's tests, imported by each of their modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from promptrial_emulator.server import EmulatorServer
from promptrial_emulator.settings import EmulatorSettings
from tests.support.emulator_client import EmulatorClient

Start = Callable[..., EmulatorClient]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorClient]:
    """One emulator for a module."""
    with EmulatorServer(tmp_path_factory.mktemp("emulator")) as server:
        client = EmulatorClient(server.url)
        yield client
        client.close()


@pytest.fixture
def emulator(shared: EmulatorClient) -> Iterator[EmulatorClient]:
    """The module's emulator, without faults before and after."""
    yield shared
    shared.clear_faults()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start an emulator with settings of one's own; the folder may be that of an earlier one."""
    with ExitStack() as stack:

        def begin(folder: Path | None = None, **settings: object) -> EmulatorClient:
            server = EmulatorServer(folder or tmp_path / "state", EmulatorSettings(**settings))  # type: ignore[arg-type]
            stack.enter_context(server)
            client = EmulatorClient(server.url, key=str(settings.get("key", "emulator-key")))
            stack.callback(client.close)
            return client

        yield begin
