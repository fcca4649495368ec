"""Parts are cut within what a provider takes in one job, alike in both arms, and no table changes by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptrial.store import jsonl
from tests.support.project import Project

TABLES = ("predictions.csv", "per_item_scores.csv", "significance.json")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    return Project.make(tmp_path)


def configure(project: Project, changes: dict[str, Any] | None = None, **limits: int) -> None:
    project.write_config(
        {
            "provider": "files",
            "providers": {"files": {"type": "batch_file", **limits}},
            "pricing": {},
            "parts_per_dataset": None,
            "execution": {"poll_interval_s": 0.005, "settle_s": 0.05},
            **(changes or {}),
        }
    )


def parts(project: Project, run_id: str = "r") -> list[dict[str, Any]]:
    manifest = json.loads((project.run_root(run_id) / "batch_inputs/manifest.json").read_text())
    found: list[dict[str, Any]] = manifest["facts"]["parts"]
    return found


def spans(project: Project, arm: str, run_id: str = "r") -> list[tuple[int, int]]:
    return [(part["start"], part["stop"]) for part in parts(project, run_id) if part["condition"] == arm]


def test_no_file_has_more_rows_than_a_job_may_have_and_both_arms_are_split_alike(project: Project) -> None:
    configure(project, max_rows=4)
    assert project.run("--to_step", "build").code == 0
    assert spans(project, "control") == spans(project, "treatment") == [(0, 4), (4, 8), (8, 12), (12, 14)]
    names = [part["part"] for part in parts(project)]
    assert names == [f"t0_{arm}_p00{n}" for n in range(1, 5) for arm in ("control", "treatment")]
    for path in project.run_root().glob("batch_inputs/*/*.jsonl"):
        assert jsonl.count(path) <= 4


def test_no_file_is_larger_than_a_job_may_be_as_the_provider_gets_it(project: Project) -> None:
    configure(project, max_bytes=2500)
    assert project.run("--to_step", "submit").code == 0
    files = sorted(project.run_root().glob("batch_files/*.requests.jsonl"))
    assert len(files) == len(parts(project)) > 4
    assert max(path.stat().st_size for path in files) <= 2500
    assert spans(project, "control") == spans(project, "treatment")


@pytest.mark.parametrize("limits", [{"max_rows": 3}, {"max_bytes": 2500}])
def test_a_run_split_into_parts_has_the_same_tables_as_an_unsplit_one(project: Project, limits: dict[str, int]) -> None:
    temps = {"temps": [0.0, 0.7], "samples_per_item": 3}
    configure(project, temps)
    assert project.run("--dry_run", "--to_step", "stats", run_id="whole").code == 0
    limits = {name: most * 3 for name, most in limits.items()}
    configure(project, temps, **limits)
    assert project.run("--dry_run", "--to_step", "stats", run_id="cut").code == 0
    assert len(parts(project, "cut")) > len(parts(project, "whole"))
    for name in TABLES:
        whole, cut = (project.trial_folder(run) / "results" / name for run in ("whole", "cut"))
        assert cut.read_bytes() == whole.read_bytes(), name


def test_all_replicates_of_an_item_stay_in_one_part(project: Project) -> None:
    configure(project, {"temps": [0.7], "samples_per_item": 3}, max_rows=4)
    assert project.run("--to_step", "build").code == 0
    assert {part["rows"] for part in parts(project)} == {3}


@pytest.mark.parametrize(
    ("limits", "said"), [({"max_bytes": 300}, "50,000 requests and 300 bytes"), ({"max_rows": 2}, "2 requests")]
)
def test_an_item_that_does_not_fit_by_itself_is_one_error_before_anything_is_sent(
    project: Project, limits: dict[str, int], said: str
) -> None:
    configure(project, {"temps": [0.7], "samples_per_item": 3}, **limits)
    outcome = project.run()
    assert outcome.code == 2
    assert "open_set: the 3 requests of item" in outcome.err
    assert f"a job at files takes at most {said}" in outcome.err
    assert "providers.files.max_bytes" in outcome.err
    assert not (project.run_root() / "batch_files").exists()


def test_growth_splits_only_the_parts_that_it_adds(project: Project) -> None:
    configure(project, {"limit_items": 3}, max_rows=2)
    assert project.run("--dry_run", "--to_step", "parse").code == 0
    before = project.snapshot()
    configure(project, {"limit_items": 6}, max_rows=2)
    assert project.run("--resume", "--to_step", "parse").code == 0
    after = project.snapshot()
    kept = {name for name in before if name.startswith("batch_inputs/") and name.endswith(".jsonl")}
    kept |= {name for name in before if "/results/" in name and "_p0" in name and name.endswith(".jsonl")}
    assert kept
    assert {name: after.get(name) for name in kept} == {name: before[name] for name in kept}
    assert max(part["rows"] for part in parts(project)) == 2
    configure(project, {"limit_items": 6}, max_rows=2)
    assert project.run("--dry_run", "--to_step", "parse", run_id="fresh").code == 0
    one, other = (project.trial_folder(run) / "results/predictions.csv" for run in ("r", "fresh"))
    assert one.read_bytes() == other.read_bytes()


def test_a_run_with_parts_larger_than_the_current_limit_keeps_them_when_it_grows(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(project, {"limit_items": 3})
    assert project.run("--dry_run", "--to_step", "parse").code == 0
    before = parts(project)
    from promptrial.model.instances import Limits
    from promptrial.providers.batch_file import BatchFileProvider

    monkeypatch.setattr(BatchFileProvider, "limits", Limits(rows=2))
    assert "nothing was left to do" in project.run("--resume", "--to_step", "parse").err
    configure(project, {"limit_items": 6})
    assert project.run("--resume", "--to_step", "parse").code == 0
    found = parts(project)
    assert [part for part in found if "step" not in part] == before
    assert max(part["rows"] for part in before) > 2
    assert {part["rows"] for part in found if "step" in part} == {2}


def test_the_plan_says_what_will_be_split_and_what_was(project: Project) -> None:
    configure(project, max_rows=4)
    said = "files takes at most 4 requests and 200,000,000 bytes per job"
    assert f"{said}; larger parts will be split" in project.call("plan", "--run_id", "r").prose
    outcome = project.run("--to_step", "build")
    assert f"{said}: 1 parts were split" in outcome.err
    assert f"parts are split: {said}" in project.call("plan", "--run_id", "r").prose
    document = json.loads(project.call("plan", "--run_id", "r", "--json").out)
    assert document["limits"] == [f"parts are split: {said}"]


def test_changed_limits_split_a_run_again_only_by_force(project: Project) -> None:
    configure(project)
    assert project.run("--dry_run", "--to_step", "parse").code == 0
    configure(project, max_rows=4)
    assert project.run("--resume", "--to_step", "build").code == 3
    assert project.run("--resume", "--force", "--to_step", "build").code == 0
    assert len(spans(project, "control")) == 4
