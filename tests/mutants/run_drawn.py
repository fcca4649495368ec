"""Put bugs drawn at random into a copy of the sources, and see that tests which execute them fail: ``make mutants``.

``python -m tests.mutants.run_drawn [--number N] [--seed N] [--keep] [WORDS]`` runs those whose name holds the words.
Exit 1 if fewer than 95% are caught, or if one survives that is not argued in ``argued.py``.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final, Literal, NoReturn

import pytest

from tests.mutants.argued import ARGUED
from tests.mutants.copied import copied_sources
from tests.mutants.drawing import PACKAGES, SEED, DrawnBug, draw
from tests.mutants.executed import NEAREST, Executed

ROOT: Final = Path(__file__).parents[2]
_NUMBER: Final = 200
_CAUGHT_SHARE: Final = 0.95
_LONGEST_S: Final = 600.0
_POLL_S: Final = 0.02
_LIBRARIES: Final = (
    "httpx",
    "numpy",
    "pyarrow.parquet",
    "pydantic",
    "rich.console",
    "scipy.special",
    "scipy.stats",
    "yaml",
)
"""What most tests import, imported once for all."""

_Fate = Literal["caught", "equivalent", "survived"]


def main() -> int:
    """Draw bugs and run their tests; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="?", default="")
    parser.add_argument("--number", type=int, default=_NUMBER)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--keep", action="store_true", help="take the record of an older state of sources and tests")
    asked = parser.parse_args()
    executed = Executed.of_present(keep=asked.keep)
    for library in _LIBRARIES:
        importlib.import_module(library)
    fates = Counter[tuple[str, _Fate]]()
    with tempfile.TemporaryDirectory() as folder:
        copied_sources(Path(folder))
        for bug in draw(ROOT / "src/promptrial", asked.number, asked.seed):
            if asked.words in bug.name:
                fate = _fate(Path(folder), bug, executed)
                fates[bug.module.partition("/")[0], fate] += 1
        if wrong := _fail_anyway(Path(folder), executed):
            print("\n".join(["these tests fail without a bug as well:", *wrong]))
            return 1
    return _told(fates, asked.seed)


def _told(fates: Counter[tuple[str, _Fate]], seed: int) -> int:
    """Print what became of the bugs; return the exit code."""
    kinds: tuple[_Fate, ...] = ("caught", "equivalent", "survived")
    print(f"{'drawn with seed ' + str(seed):24}{'drawn':>8}" + "".join(f"{kind:>12}" for kind in kinds))
    for name, packages in [*((each, (each,)) for each in PACKAGES), ("all", PACKAGES)]:
        counts = [sum(fates[each, kind] for each in packages) for kind in kinds]
        print(f"{name:24}{sum(counts):8}" + "".join(f"{count:12}" for count in counts))
    drawn, survived = sum(fates.values()), sum(fates[each, "survived"] for each in PACKAGES)
    caught = sum(fates[each, "caught"] for each in PACKAGES) / max(drawn, 1)
    print(
        f"{caught:.1%} of the drawn bugs are caught; the rest is argued" if not survived else f"{caught:.1%} are caught"
    )
    return 1 if survived or caught < _CAUGHT_SHARE else 0


def _fate(folder: Path, bug: DrawnBug, executed: Executed) -> _Fate:
    """Return what becomes of a bug, and print it."""
    tests = executed.tests_of(bug)
    argued = [each for each in ARGUED if (each.module, each.old, each.new) == (bug.module, bug.old, bug.new)]
    path = folder / "src/promptrial" / bug.module
    whole = path.read_text(encoding="utf-8")
    path.write_text(bug.source, encoding="utf-8")
    try:
        caught = any(_fail(folder, some, executed) for some in _in_turn(tests))
    finally:
        path.write_text(whole, encoding="utf-8")
    fate: _Fate = "caught" if caught else "equivalent" if argued else "survived"
    print(f"{fate:10} {len(tests):4} tests  {bug.name}", flush=True)
    return fate


def _in_turn(tests: list[str]) -> list[list[str]]:
    """Return tests in two parts: those of the nearest files, which mostly notice a bug, and the others."""
    files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
    near = [test for test in tests if test.partition("::")[0] in files[:NEAREST]]
    return [part for part in (near, [test for test in tests if test not in set(near)]) if part]


def _fail(folder: Path, tests: list[str], executed: Executed) -> bool:
    """Return whether one of the tests fails on the sources in ``folder``, or does not end."""
    (folder / "chosen.json").write_text(json.dumps({"chosen": tests, "known": list(executed.seconds)}))
    child = os.fork()  # which has the libraries, and nothing of the program yet
    if not child:
        _run_tests(folder, list(dict.fromkeys(test.partition("::")[0] for test in tests)))
    for _ in range(int(_LONGEST_S / _POLL_S)):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            if code == pytest.ExitCode.NO_TESTS_COLLECTED:
                raise SystemExit(f"none of these tests was found: {tests}")
            return code != 0
        time.sleep(_POLL_S)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def _fail_anyway(folder: Path, executed: Executed) -> list[str]:
    """Return the tests that noticed a bug, and fail without one as well."""
    path = folder / "failed.txt"
    noticed = sorted(set(path.read_text(encoding="utf-8").splitlines())) if path.exists() else []
    path.write_text("", encoding="utf-8")
    if not noticed or not _fail(folder, noticed, executed):
        return []
    return path.read_text(encoding="utf-8").splitlines()


def _run_tests(folder: Path, files: list[str]) -> NoReturn:
    """Run the tests in this process, on the sources in ``folder``, and end it with the code that pytest gives."""
    code = 1
    try:
        os.setsid()
        quiet = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(quiet, stream)
        sys.path.insert(0, str(folder / "src"))
        sys.dont_write_bytecode = True
        os.environ |= {
            "PYTHONPATH": str(folder / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "CHOSEN": str(folder),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis"),
        }
        options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:randomly", "--timeout", "60"]
        code = int(pytest.main([*options, "--hypothesis-seed", "0", "-p", "tests.mutants.chosen", *files]))
    finally:
        os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
