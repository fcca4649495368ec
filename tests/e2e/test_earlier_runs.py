"""Runs that version 0.1.0 made: they resume with nothing to do, and a phase that is run again gives the same answers.

``tests/data/runs_of_0.1.0.tar.gz`` holds a run on the embedded model, a dry run of hosted jobs with replicates and a
control arm that two prompt sets share, and a migrated run of an older tool, each finished, with their configurations.
``runs_before_open_core.tar.gz`` holds the same three, made later, before arms, scorers and units of work became data:
their statistics and costs are made again to the same bytes too, and their reports to the same figures.
``run_to_grow.tar.gz`` holds a finished dry run of two of five items in two trials, made before runs could grow.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.project import Outcome, Project

DATA: Final = Path(__file__).parents[1] / "data"
ARCHIVES: Final = ("runs_of_0.1.0", "runs_before_open_core")
RESUME: Final = {
    "embedded": ("run", "--config", "config/embedded.yaml", "--run_id", "embedded", "--resume"),
    "hosted": ("run", "--config", "config/hosted.yaml", "--run_id", "hosted", "--resume", "--dry_run"),
    "older": ("resume", "older"),
}
LIVE: Final = {"run.log", ".state.lock"}


@pytest.fixture(params=ARCHIVES)
def earlier(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    return unpacked(request.param, tmp_path, monkeypatch)


@pytest.fixture
def before_open_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    return unpacked("runs_before_open_core", tmp_path, monkeypatch)


def unpacked(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    with tarfile.open(DATA / f"{name}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    monkeypatch.chdir(folder)
    return Project(folder)


def resume(project: Project, name: str, *flags: str) -> Outcome:
    outcome = project.call(*RESUME[name], *flags)
    assert outcome.code == 0, outcome.err
    return outcome


def digests(root: Path) -> dict[str, str]:
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and path.name not in LIVE]
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def made_by_phases(root: Path) -> dict[str, str]:
    """Return what phases made, but for pages and for the records that say when."""
    records = ("manifest.json", "run_state.json")
    found = digests(root)
    return {path: found[path] for path in found if not path.endswith(("report.md", *records))}


@pytest.mark.parametrize("name", ["embedded", "hosted", "older"])
def test_a_run_of_an_earlier_version_resumes_with_nothing_to_do_but_its_report(earlier: Project, name: str) -> None:
    """Its pages have another layout now; nothing that they are made from changes."""
    before = made_by_phases(earlier.run_root(name))
    executed = re.findall(r"^(\w+): running", resume(earlier, name).err, re.MULTILINE)
    assert executed == ["report"]
    after = made_by_phases(earlier.run_root(name))
    new = {path for path in {*after} - {*before} if "results" not in Path(path).parts}
    assert {Path(path).name for path in new} <= {"report.html", "details.md", "forest.svg", "changed.svg", "power.svg"}
    assert "report.html" in new
    assert {path: after[path] for path in before} == before
    assert "nothing was left to do" in resume(earlier, name).err


@pytest.mark.parametrize("name", ["embedded", "hosted", "older"])
def test_answers_of_an_earlier_version_are_read_and_scored_again_to_the_same_bytes(earlier: Project, name: str) -> None:
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
def test_the_report_of_an_earlier_version_can_be_written_again_from_its_own_statistics(
    earlier: Project, name: str
) -> None:
    root = earlier.run_root(name)
    statistics = {path: digest for path, digest in digests(root).items() if path.endswith("significance.json")}
    for page in root.glob("*/reports/report.md"):
        page.unlink()
    resume(earlier, name)
    assert all(page.stat().st_size for page in root.glob("*/reports/report.md"))
    after = digests(root)
    assert {path: after[path] for path in statistics} == statistics, "only the report was written again"


@pytest.mark.parametrize("name", ["embedded", "hosted", "older"])
def test_everything_derived_from_answers_of_an_earlier_version_is_made_again_to_the_same_bytes(
    before_open_core: Project, name: str
) -> None:
    root = before_open_core.run_root(name)
    made = [
        path
        for pattern in ("predictions.*", "per_item_scores.*", "significance.json", "costs.json")
        for path in root.rglob(pattern)
        if "older" not in path.relative_to(root).parts
    ]
    before = digests(root)
    texts = {path: path.read_text() for path in made if path.suffix == ".json"}
    reports = [path for path in root.glob("*/reports/report.md") if "older" not in path.relative_to(root).parts]
    figures = {path: _figures(path) for path in reports}
    for path in [*made, *reports]:
        path.unlink()
    resume(before_open_core, name)
    assert {"dry_run" in json.loads(path.read_text()) for path in made if path.suffix == ".json"} == {name == "hosted"}
    for path, text in texts.items():
        path.write_text(path.read_text().replace(',\n "dry_run": true', ""))  # what a dry run says of itself now
        assert path.read_text().splitlines() == text.splitlines(), path
    after = digests(root)
    names = [path.relative_to(root).as_posix() for path in made]
    assert {each: after[each] for each in names} == {each: before[each] for each in names}
    now = {path: _figures(path.with_name("details.md")) for path in reports}
    assert now == figures, "the tables of details.md hold the figures that those of report.md held, in their order"


def _figures(page: Path) -> list[str]:
    """Return the figures of the tables of a page, but for counts of clusters, which once were left out of some rows.

    Amounts of money have fewer digits than they once had.
    """
    _, _, text = page.read_text().partition("\n## Effects\n")  # above it stand the names of prompts
    text = re.sub(r"^## Costs?\n.*?(?=^## )", "", text, flags=re.MULTILINE | re.DOTALL)
    tables = "\n".join(_without_clusters(text.splitlines()))
    found = [figure.rstrip(".,") for figure in re.findall(r"\d[\d.,]*", tables)]
    assert len(found) > 600
    return found


def _without_clusters(lines: list[str]) -> Iterator[str]:
    """Yield the rows of tables without the column of clusters."""
    column = None
    for line, before in zip(lines, ["", *lines], strict=False):
        cells = line.split("|")
        if line.startswith("|") and not before.startswith("|"):
            column = next((at for at, cell in enumerate(cells) if cell.strip() == "Clusters"), None)
        if line.startswith("|"):
            yield "|".join(cell for at, cell in enumerate(cells) if at != column)


def test_a_run_of_an_earlier_version_grows_and_keeps_its_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = unpacked("run_to_grow", tmp_path, monkeypatch)
    flags = ("--config", "config/hosted.yaml", "--dry_run", "--prompt_sets", "main,other")
    root = project.run_root("small")
    parts = ("batch_inputs/*/*.jsonl", "*/results/t0*/results.jsonl")
    before = {path: path.read_bytes() for pattern in parts for path in root.glob(pattern)}
    outcome = project.run("--resume", *flags, "--limit_items", "4", run_id="small")
    assert outcome.code == 0, outcome.err
    assert {path: path.read_bytes() for path in before} == before
    assert sum(1 for pattern in parts for _ in root.glob(pattern)) == 2 * len(before)
    outcome = project.run(*flags, "--limit_items", "4", "--experiments_dir", "fresh", run_id="small")
    assert outcome.code == 0, outcome.err
    made = ("predictions.csv", "per_item_scores.csv", "costs.json")
    for path in (path for name in made for path in root.glob(f"*/results/{name}")):
        fresh = tmp_path / "fresh/run_small" / path.relative_to(root)
        assert path.read_bytes() == fresh.read_bytes(), path
    assert "nothing was left to do" in project.run("--resume", run_id="small").err
