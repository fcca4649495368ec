"""Runs only chosen tests, in their order: ``pytest -p tests.mutants.chosen``, with a folder in ``CHOSEN``.

The folder's ``chosen.json`` holds the names of the chosen tests, and of all that were known when they were chosen: a
test that is newer runs first. ``failed.txt`` tells which tests failed. Hypothesis does not look for the smallest
example: one that fails is enough.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

__all__ = ["pytest_collection_modifyitems", "pytest_configure", "pytest_runtest_logreport"]


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Let properties fail at their first example."""
    phases = (Phase.explicit, Phase.generate)
    settings.register_profile("mutants", deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=phases)
    settings.load_profile("mutants")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Keep the chosen tests, in their order."""
    yield
    found = json.loads(_folder().joinpath("chosen.json").read_text(encoding="utf-8"))
    places = {name: place for place, name in enumerate(found["chosen"])}
    known = set(found["known"])
    items[:] = [item for item in items if item.nodeid in places or item.nodeid not in known]
    items.sort(key=lambda item: places.get(item.nodeid, -1))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note a test that fails."""
    if report.failed:
        with _folder().joinpath("failed.txt").open("a", encoding="utf-8") as file:
            file.write(f"{report.nodeid}\n")


def _folder() -> Path:
    return Path(os.environ["CHOSEN"])
