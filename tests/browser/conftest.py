"""Chromium and finished runs, once for all tests of pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import chromium
from tests.support.page_runs import hostile_run, ordinary_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, or a skip."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of an ordinary run."""
    return ordinary_run(tmp_path_factory.mktemp("ordinary"))


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run in which everything is hostile."""
    return hostile_run(tmp_path_factory.mktemp("hostile"))
