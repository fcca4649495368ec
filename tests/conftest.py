"""Fixtures that every kind of test may use: a project in a temporary folder, and a provider that answers at once."""

from __future__ import annotations

import gc
import itertools
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from promptrial import registry
from tests.support import fake_provider
from tests.support.certificates import read_certificates_once
from tests.support.interruptible import take_interrupts
from tests.support.memory import keep_temporary_files_in_memory
from tests.support.project import Project
from tests.support.remembered import remember_pure_functions
from tests.support.skips import (
    pytest_runtest_logreport,
    pytest_runtest_setup,
    pytest_sessionfinish,
    pytest_sessionstart,
    pytest_terminal_summary,
)

__all__ = [
    "pytest_runtest_logreport",
    "pytest_runtest_setup",
    "pytest_sessionfinish",
    "pytest_sessionstart",
    "pytest_terminal_summary",
]

# How fast the machine is says nothing of the program: properties have no time limits of their own. Each run draws other
# examples; ``make properties`` draws more of them where a property does not say how many itself.
settings.register_profile(
    "promptrial",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=int(os.environ.get("PROPERTY_EXAMPLES", "60")),
)
settings.load_profile("promptrial")
take_interrupts()
read_certificates_once()
keep_temporary_files_in_memory()


_NUMBERS = itertools.count()
_LONGEST_FIRST = ("crash", "e2e", "browser", "docs", "contract", "reference", "property")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while 17,000 tests are collected, which takes a fifth of that time, nor among them."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the kinds whose files take longest, so that no worker ends with one; the rest is random."""
    ranks = {f"tests/{kind}": rank for rank, kind in enumerate(_LONGEST_FIRST)}
    items.sort(key=lambda item: ranks.get(item.nodeid.partition("::")[0].rpartition("/")[0], len(ranks)))


@pytest.fixture(autouse=True)
def _quiet_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No flag and no consent of the person who runs the tests reaches the program under test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / f"state-{next(_NUMBERS)}"))
    for name in list(os.environ):
        if name.startswith("PROMPTRIAL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PROMPTRIAL_YES", "1")  # emulated vendors bill nobody, and their models often have no price


@pytest.fixture
def asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the program ask before it spends, as it does where nobody has said yes."""
    monkeypatch.delenv("PROMPTRIAL_YES")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A small experiment on the fake provider, with the temporary folder as the current one."""
    monkeypatch.setitem(registry.PROVIDERS, "fake", "tests.support.fake_provider:FakeProvider")
    monkeypatch.chdir(tmp_path)
    remember_pure_functions(monkeypatch)
    fake_provider.CALLS.clear()
    fake_provider.FAILING.clear()
    fake_provider.BEFORE_ROW.clear()
    yield Project.make(tmp_path)
    fake_provider.BEFORE_ROW.clear()
    fake_provider.FAILING.clear()
