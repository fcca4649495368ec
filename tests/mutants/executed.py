"""Which tests execute which lines: recorded once for the present sources and tests, by Coverage.

``pytest -p tests.mutants.executed`` records what each test executes of the packages that bugs are drawn from, and the
processor time that it takes, below ``build``.
"""

from __future__ import annotations

import hashlib
import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.mutants.drawing import PACKAGES, DrawnBug

if TYPE_CHECKING:
    from coverage import Coverage, CoverageData

__all__ = ["Executed", "pytest_load_initial_conftests", "pytest_runtest_protocol", "pytest_sessionfinish"]

ROOT: Final = Path(__file__).parents[2]
_SOURCES: Final = ROOT / "src/promptrial"
_KEPT: Final = ROOT / "build/mutants"
_LINES: Final = "lines.sqlite"
_SECONDS: Final = "seconds.json"
KINDS: Final = (
    "tests/unit",
    "tests/property",
    "tests/contract",
    "tests/reference",
    "tests/e2e/test_function_scorers.py",
)
"""Where the tests are that must notice a bug; tests of whole runs would notice some more, and take minutes."""
_LONGEST_S: Final = 30.0
"""How long the tests of one bug may take."""
NEAREST: Final = 2
"""How many files of tests are taken for those of a module."""


class Executed:
    """What each test executes, as it was recorded."""

    @classmethod
    def of_present(cls, *, keep: bool) -> Executed:
        """Return the record of the present sources and tests, made now if need be; ``keep`` takes an older one."""
        mark = _KEPT / "sources"
        if not mark.exists() or (mark.read_text(encoding="utf-8") != _digest() and not keep):
            shutil.rmtree(_KEPT, ignore_errors=True)
            _KEPT.mkdir(parents=True)
            digest = _digest()
            _record()
            mark.write_text(digest, encoding="utf-8")
        return cls()

    @cached_property
    def seconds(self) -> dict[str, float]:
        """The processor time of each test."""
        return dict(json.loads((_KEPT / _SECONDS).read_text(encoding="utf-8")))

    @cached_property
    def _data(self) -> CoverageData:
        from coverage import CoverageData

        data = CoverageData(str(_KEPT / _LINES))
        data.read()
        return data

    def tests_of(self, bug: DrawnBug) -> list[str]:
        """Return the tests that execute the statement of a bug, the nearest first, as many as may run."""
        executed = self._data.contexts_by_lineno(str(_SOURCES / bug.module))
        lines = bug.lines if bug.is_in_function else executed  # other statements are executed as modules are imported
        return list(self._affordable(bug, {test for line in lines for test in executed.get(line, ()) if test}))

    def _affordable(self, bug: DrawnBug, tests: set[str]) -> Iterator[str]:
        """Yield tests, file by file: first where names share most words with the module, then where tests are quick.

        The first files are taken whole: what a module defines once, and what tests share, is on record for the first
        test alone that came to it.
        """
        files: dict[str, list[str]] = {}
        for test in sorted(tests, key=lambda each: (self.seconds[each], each)):
            files.setdefault(_file_of(test), []).append(test)
        words = set(bug.module.removesuffix(".py").replace("/", "_").split("_"))

        def nearness(file: str) -> tuple[int, float]:
            shared = words & set(Path(file).stem.split("_"))
            return -len(shared), sum(self.seconds[test] for test in files[file]) / len(files[file])

        ordered = sorted(files, key=nearness)
        for file in ordered[:NEAREST]:
            own = (test for test in self.seconds if _file_of(test) == file)
            files[file] = sorted(own, key=lambda each: (self.seconds[each], each))
        left = _LONGEST_S
        for test in (test for file in ordered for test in files[file]):
            left -= self.seconds[test]
            if left >= 0:
                yield test


def _file_of(test: str) -> str:
    return test.partition("::")[0]


def _digest() -> str:
    """Return the digest of all sources and tests."""
    digest = hashlib.sha256()
    for path in sorted([*(ROOT / "src").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _record() -> None:
    """Run all tests that may notice a bug, under Coverage."""
    print("recording which test executes which lines (once for these sources and tests) ...", flush=True)
    options = ["-q", "-m", "not slow", "-p", "no:randomly", "-p", "no:cacheprovider", "--timeout", "600"]
    command = [sys.executable, "-m", "pytest", "-p", "tests.mutants.executed", *options, "--hypothesis-seed", "0"]
    outcome = subprocess.run([*command, *KINDS], cwd=ROOT, capture_output=True, text=True, check=False)
    if outcome.returncode != 0:
        raise SystemExit(f"the tests fail without any bug; make them pass first\n{outcome.stdout}{outcome.stderr}")


_recorder: list[Coverage] = []
_took: dict[str, float] = {}


def pytest_load_initial_conftests() -> None:
    """Begin to record, before anything of the program is imported."""
    from coverage import Coverage

    watched = [str(_SOURCES / package / "*") for package in PACKAGES]
    _recorder.append(Coverage(data_file=str(_KEPT / _LINES), include=watched, config_file=False))
    _recorder[0].start()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Any:
    """Record what one test executes, and what it takes."""
    _recorder[0].switch_context(item.nodeid)
    began = _used()
    result = yield
    _took[item.nodeid] = _used() - began
    return result


def pytest_sessionfinish() -> None:
    """Keep what was recorded."""
    _recorder[0].stop()
    _recorder[0].save()
    (_KEPT / _SECONDS).write_text(json.dumps(_took, indent=0), encoding="utf-8")


def _used() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
