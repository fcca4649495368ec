"""Fixtures of the tests of the emulator's OpenAI API, imported by each of their modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from promptrial_emulator.server import EmulatorServer
from promptrial_emulator.settings import EmulatorSettings, OpenAiSettings
from tests.support.openai_client import OpenAiClient

Start = Callable[..., OpenAiClient]


@pytest.fixture(scope="module")
def shared_openai(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAiClient]:
    """One emulator for a module."""
    with EmulatorServer(tmp_path_factory.mktemp("emulator")) as server:
        client = OpenAiClient(server.url)
        yield client
        client.close()


@pytest.fixture
def openai(shared_openai: OpenAiClient) -> Iterator[OpenAiClient]:
    """The module's emulator, without faults before and after."""
    yield shared_openai
    shared_openai.clear_faults()


@pytest.fixture
def start_openai(tmp_path: Path) -> Iterator[Start]:
    """Start an emulator with settings of the OpenAI API; ``common`` are those of all APIs."""
    with ExitStack() as stack:

        def begin(common: dict[str, object] | None = None, **settings: object) -> OpenAiClient:
            own = OpenAiSettings(**settings)  # type: ignore[arg-type]
            server = EmulatorServer(tmp_path / "state", EmulatorSettings(openai=own, **common or {}))  # type: ignore[arg-type]
            stack.enter_context(server)
            client = OpenAiClient(server.url)
            stack.callback(client.close)
            return client

        yield begin
