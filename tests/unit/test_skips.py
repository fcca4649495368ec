"""A skip counts only with a reason from the list; any other fails the run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import skips

ROOT = Path(__file__).parents[2]
CONFTEST = "from tests.support.skips import *\n"


def run(folder: Path, test: str, *, ci: str = "") -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_it.py").write_text(f"import pytest\n\n{test}\n\ndef test_other():\n    pass\n")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = engine: the engine\n")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "CI": ci}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", str(folder)]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("how", ["pytest.skip('why not')", "pytest.importorskip('no_such_package')"])
def test_a_skip_with_another_reason_fails_the_run_and_is_named(tmp_path: Path, how: str) -> None:
    outcome = run(tmp_path, f"def test_one():\n    {how}\n")
    assert outcome.returncode == 1, outcome.stdout
    assert "test_it.py::test_one: Skipped: " in outcome.stdout


def test_a_skip_for_a_listed_reason_passes(tmp_path: Path) -> None:
    assert run(tmp_path, f"def test_one():\n    pytest.skip({skips.SHARED!r})\n").returncode == 0


def test_an_expected_failure_is_not_a_skip(tmp_path: Path) -> None:
    assert run(tmp_path, "@pytest.mark.xfail\ndef test_one():\n    assert False\n").returncode == 0


def test_packages_that_the_project_installs_may_be_missing_only_outside_ci(tmp_path: Path) -> None:
    missing = f"def test_one():\n    pytest.skip({skips.ENGINE!r})\n"
    assert run(tmp_path, missing).returncode == 0
    assert run(tmp_path, missing, ci="true").returncode == 1


def test_the_list_of_skips_is_short() -> None:
    assert sum(skips.allowed(str(value), ci=False) for name, value in vars(skips).items() if name.isupper()) <= 10
