"""Requests that Fireworks lost after the upload are uploaded again, by the process that uploaded them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from promptrial.model import ModelSpec
from promptrial.providers.base import PartPayload
from promptrial.providers.fireworks import FireworksProvider
from tests.support.emulator_client import EmulatorClient, chat_row
from tests.support.emulator_client import jsonl as lines_of
from tests.support.emulator_fixtures import emulator, shared
from tests.support.payloads import part_of

__all__ = ["emulator", "shared"]


@pytest.fixture
def provider(emulator: EmulatorClient) -> Iterator[FireworksProvider]:
    opened = FireworksProvider.open(
        {
            "FIREWORKS_API_BASE": emulator.url,
            "FIREWORKS_API_KEY": emulator.key,
            "FIREWORKS_ACCOUNT_ID": emulator.account,
        }
    )
    yield opened
    opened.close()


def payload(folder: Path, key: str) -> PartPayload:
    model = ModelSpec("small", "accounts/fireworks/models/small", "fireworks")
    return part_of(folder / f"{key}.jsonl", lines_of([chat_row("a"), chat_row("b")]).splitlines(), model, key)


@pytest.mark.parametrize("multipart_limit", [150_000_000, 10])
def test_a_deleted_dataset_is_created_and_uploaded_again(
    emulator: EmulatorClient, provider: FireworksProvider, tmp_path: Path, multipart_limit: int
) -> None:
    provider._datasets._multipart_limit = multipart_limit
    sent = payload(tmp_path, emulator.new("pt-lost"))
    while not provider.stage(sent).ready:
        pass
    assert emulator.http.delete(f"datasets/{sent.dataset_key}").status_code == 200
    looks = [provider.stage(sent).ready for _ in range(3)]
    assert looks[-1]
    filled = "upload" if multipart_limit > 10 else "validate_upload"
    assert [row["facts"]["rows"] for row in emulator.ledger(filled, sent.dataset_key)] == [2, 2]
