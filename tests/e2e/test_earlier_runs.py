"""Runs that version 0.1.0 made: they resume with nothing to do, and a phase that is run again gives the same answers.

``tests/data/runs_of_0.1.0.tar.gz`` holds a run on the embedded model, a dry run of hosted jobs with replicates and a
control arm that two prompt sets share, and a migrated run of an older tool, each finished, with their configurations.
"""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path
from typing import Final

import pytest

from tests.support.project import Outcome, Project

ARCHIVE: Final = Path(__file__).parents[1] / "data/runs_of_0.1.0.tar.gz"
RESUME: Final = {
    "embedded": ("run", "--config", "config/embedded.yaml", "--run_id", "embedded", "--resume"),
    "hosted": ("run", "--config", "config/hosted.yaml", "--run_id", "hosted", "--resume", "--dry_run"),
    "older": ("resume", "older"),
}
LIVE: Final = {"run.log", ".state.lock"}


@pytest.fixture
def earlier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


def resume(project: Project, name: str, *flags: str) -> Outcome:
    outcome = project.call(*RESUME[name], *flags)
    assert outcome.code == 0, outcome.err
    return outcome


def digests(root: Path) -> dict[str, str]:
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and path.name not in LIVE]
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("name", ["embedded", "hosted", "older"])
def test_a_run_of_an_earlier_version_resumes_with_nothing_to_do(earlier: Project, name: str) -> None:
    before = digests(earlier.run_root(name))
    assert "nothing was left to do" in resume(earlier, name).err
    assert digests(earlier.run_root(name)) == before


@pytest.mark.parametrize("name", ["embedded", "hosted", "older"])
def test_its_answers_are_read_and_scored_again_to_the_same_bytes(earlier: Project, name: str) -> None:
    root = earlier.run_root(name)
    kept = ("/results/predictions.csv", "/results/per_item_scores.csv")
    before = {path: digest for path, digest in digests(root).items() if path.endswith(kept)}
    for path in list(before):
        (root / path).unlink()
    resume(earlier, name)
    after = digests(root)
    assert {path: after[path] for path in before} == before
    assert "nothing was left to do" in resume(earlier, name).err


@pytest.mark.parametrize("name", ["embedded", "hosted", "older"])
def test_its_report_can_be_written_again_from_its_own_statistics(earlier: Project, name: str) -> None:
    root = earlier.run_root(name)
    statistics = {path: digest for path, digest in digests(root).items() if path.endswith("significance.json")}
    for page in root.glob("*/reports/report.md"):
        page.unlink()
    resume(earlier, name)
    assert all(page.stat().st_size for page in root.glob("*/reports/report.md"))
    after = digests(root)
    assert {path: after[path] for path in statistics} == statistics, "only the report was written again"
