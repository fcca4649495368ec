"""Every command that the README tells a user to type works as it stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from promptrial.registry import PHASES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
COMMANDS = [line.partition("#")[0].strip() for block in BLOCKS for line in block.splitlines() if line.strip()]


def shell(command: str, experiments: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user would, with runs kept in a temporary folder."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PROMPTRIAL_EXPERIMENTS_DIR": str(experiments), **more}
    return subprocess.run(command, shell=True, cwd=ROOT, env=env, capture_output=True, text=True, check=False)  # noqa: S602


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_the_five_commands_work_in_the_order_in_which_they_stand(tmp_path: Path) -> None:
    assert len(COMMANDS) == 5
    for command in COMMANDS:
        outcome = shell(command, tmp_path)
        assert outcome.returncode == 0, f"{command}\n{outcome.stderr}"
    assert (tmp_path / "run_first/aggregate_report.md").exists()


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_make_demo_runs_a_trial_and_shows_its_result(tmp_path: Path) -> None:
    outcome = shell("make demo", tmp_path, PROMPTRIAL_LIMIT_ITEMS="2")
    assert outcome.returncode == 0, outcome.stderr
    assert "Token F1" in outcome.stdout
    assert "report.md" in outcome.stdout


def test_the_two_commands_that_it_opens_with_are_targets_of_make() -> None:
    opening = README.split("\n## ", 1)[0]
    assert re.findall(r"^    (make \w+)", opening, re.MULTILINE) == ["make demo", "make test"]
    for target in ("demo", "test", "check", "smoke", "plan", "bench", "setup", "clean"):
        if target in README or target in ("demo", "test"):
            outcome = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
            assert outcome.returncode == 0, outcome.stderr


def test_it_names_the_nine_phases_in_order() -> None:
    assert "  ".join(PHASES) in README


def test_its_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_rows_that_it_shows_are_rows_that_the_program_reads(tmp_path: Path) -> None:
    rows = [line for line in README.splitlines() if line.startswith('{"id"')]
    assert all(json.loads(row)["id"] for row in rows)
    from promptrial.datasets.custom import FORMAT

    path = tmp_path / "own.jsonl"
    path.write_text("\n".join(rows) + "\n")
    assert [item.type for item in FORMAT.read(path, "own")] == ["closed", "open"]
