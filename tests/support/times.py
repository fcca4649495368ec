"""The processor time that each file of tests used, shown after the tests: ``pytest -p tests.support.times``.

Time of programs that a test started and waited for counts; what a module's fixtures use counts at the test that needed
them first. The wall time beside it depends on what else the machine does.
"""

from __future__ import annotations

import resource
from collections import defaultdict
from typing import Any, Final

import pytest

_MOST_FILES: Final = 30
_BEGAN: Final = pytest.StashKey[float]()
_USED: Final = "processor_seconds"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note when a test begins."""
    item.stash[_BEGAN] = _used()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Any:
    """Note what a test has used, in its last report."""
    result = yield
    item.user_properties.append((_USED, _used() - item.stash[_BEGAN]))
    return result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the files that used most."""
    used, took = defaultdict[str, float](float), defaultdict[str, float](float)
    for report in (each for found in terminalreporter.stats.values() for each in found):
        if isinstance(report, pytest.TestReport):
            file = report.nodeid.partition("::")[0]
            took[file] += report.duration
            used[file] += dict[str, Any](report.user_properties).get(_USED, 0.0)
    whole = f"{sum(used.values()):.0f} and {sum(took.values()):.0f} in all"
    terminalreporter.section(f"processor and wall seconds: {whole}")
    for file in sorted(used, key=used.__getitem__, reverse=True)[:_MOST_FILES]:
        terminalreporter.line(f"{used[file]:8.1f} {took[file]:8.1f}  {file}")


def _used() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
