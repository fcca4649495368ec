"""The disk refuses: it is full, or was made read-only, from some durable operation on. Nothing is lost by it.

A run must end with exit code 1 and an error that names a path of the run and what to do; what it leaves must load;
and once the cause is removed, the same run resumed must end in the same bytes, with nothing done twice, as after a
kill (see ``test_kill_points``). The last test does the same on a real file system without room.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.support.crash_survey import Findings, Survey, carry_out
from tests.support.skips import MOUNT

ROOT = Path(__file__).parents[2]
ALL: Final = os.environ.get("CRASH_POINTS") == "all"
pytestmark = pytest.mark.timeout(8 * 3600 if ALL else 3600)
SURVEYS: Final = {
    "a disk that fills up in a first run": Survey(crash="full", stride=1 if ALL else 79),
    "a disk that fills up in a repair": Survey(crash="full", scenario="repair", stride=1 if ALL else 61),
    "a disk made read-only in a first run": Survey(crash="read-only", stride=1 if ALL else 97),
}


@pytest.fixture(scope="module")
def findings() -> Mapping[str, Findings]:
    return dict(zip(SURVEYS, carry_out(list(SURVEYS.values())), strict=True))


@pytest.mark.parametrize("name", SURVEYS)
def test_a_run_that_met_a_full_disk_ends_with_the_same_bytes_once_the_disk_accepts_writes_again(
    name: str, findings: Mapping[str, Findings]
) -> None:
    found = findings[name]
    print(f"{name}: {found}")
    assert found.problems == []
    assert found.crashes > 5
    assert 0 < found.resumes <= found.crashes


# --- a real file system ---------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 6 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    made = (
        mount and subprocess.run([mount, "-t", "tmpfs", "-o", "size=6m", "none", folder], check=False).returncode == 0
    )
    if not made:
        pytest.skip(MOUNT)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


RUN = """
import sys
from pathlib import Path
from promptrial import registry
from promptrial.cli.main import entry_point
registry.PROVIDERS["fake"] = "tests.support.fake_provider:FakeProvider"
entry_point(["run", *sys.argv[1:]])
"""


def test_a_full_disk_is_reported_before_the_work_and_the_same_command_continues_later(
    small_disk: Path, tmp_path: Path
) -> None:
    from tests.support.project import Project, import_path

    (tmp_path / "project").mkdir()
    project = Project.make(tmp_path / "project")

    def run(*flags: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", RUN, "--run_id", "r", "--config", str(project.config), "--experiments_dir",
             str(small_disk), *flags],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": import_path()}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert run("--to_step", "poll").returncode == 0
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space left"):
        ballast.write_bytes(bytes(8 << 20))
    refused = run("--resume")
    assert refused.returncode == 1
    assert f"{small_disk}/run_r" in refused.stderr
    assert "next: free some space" in refused.stderr
    ballast.unlink()
    resumed = run("--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert (small_disk / "run_r/aggregate_report.md").exists()
