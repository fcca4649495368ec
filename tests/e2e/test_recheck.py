"""A part of a reused control is asked again, and the report says whether the older answers still hold."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from promptrial.store.recheck_records import read_rechecked
from tests.support import fake_provider
from tests.support.finished import finish_run
from tests.support.project import Outcome, Project

ITEMS, AGAIN = 60, 20


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run ``old`` of 60 questions."""
    root = tmp_path_factory.mktemp("finished")
    finish_run(root, ITEMS, run_id="old")
    return root


@pytest.fixture
def lent(project: Project, finished: Path) -> Project:
    """A copy of that run."""
    shutil.copytree(finished, project.root, dirs_exist_ok=True)
    return project


def rechecked(project: Project, *flags: str, n: int = AGAIN) -> Outcome:
    outcome = project.run("--reuse", "old", "--recheck", str(n), *flags, run_id="new")
    assert outcome.code == 0, outcome.err
    return outcome


def drift(project: Project) -> list[dict[str, Any]]:
    significance = json.loads((project.trial_folder("new") / "results/significance.json").read_text())
    found: list[dict[str, Any]] = significance.get("drift", [])
    return found


def test_recheck_asks_exactly_the_given_number_of_control_items_again(lent: Project) -> None:
    asked: list[str] = []
    fake_provider.BEFORE_ROW.append(lambda row: asked.append(row.custom_id))
    try:
        outcome = rechecked(lent)
    finally:
        fake_provider.BEFORE_ROW.pop()
    assert "100 of 120 requests were answered by run old" in outcome.err
    assert "20 requests of reused answers are asked again" in outcome.err
    assert len(asked) == AGAIN
    assert all("-c-" in wire_id for wire_id in asked)
    files = sorted((lent.run_root("new") / "batch_inputs").glob("*/*_control_*.jsonl"))
    written = [json.loads(line)["custom_id"] for path in files for line in path.read_text().splitlines()]
    assert {*asked} < {*written}
    assert {*asked} != {*written[:AGAIN]}, "drawn at random"


def test_an_unchanged_model_shows_no_drift_and_the_drift_that_could_be_missed(lent: Project) -> None:
    outcome = rechecked(lent)
    (row,) = drift(lent)
    assert (row["arm"], row["metric"], row["n_asked"], row["n_pairs"]) == ("control", "em", AGAIN, AGAIN)
    assert row["runs"] == ["old"]
    assert row["difference"] == 0
    assert row["drifted"] is False
    assert row["not_excluded"] == pytest.approx(0.161, abs=0.001), "Tango's limit without a discordant pair"
    assert "20 questions of the control arm asked again differ from those of run old by 0.0 points" in outcome.prose
    assert "A change of up to 16.1 points cannot be ruled out." in outcome.prose


def test_a_changed_model_causes_a_warning_beside_the_verdict(lent: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake_provider, "_ANSWERS", ("Paris",))
    outcome = rechecked(lent, n=40)
    (row,) = drift(lent)
    assert row["drifted"] is True
    assert row["difference"] > 0.5
    assert row["p"] < 0.001
    assert "Warning (control drift): 40 questions of the control arm asked again differ from" in outcome.prose
    assert "no longer hold" in outcome.prose
    assert "Control drift" in lent.report("new")
    assert "Control drift" in (lent.run_root("new") / "report.html").read_text()


def test_a_plan_counts_the_rechecked_items(lent: Project) -> None:
    flags = ("--run_id", "new", "--reuse", "old", "--recheck", str(AGAIN))
    assert "asks 20 new requests; 100 are already answered by other runs" in lent.call("plan", *flags).prose


def test_older_scores_are_kept_so_that_the_other_run_can_be_deleted(lent: Project) -> None:
    assert lent.run("--reuse", "old", "--recheck", "20", "--to_step", "submit", run_id="new").code == 0
    record = read_rechecked(lent.trial_folder("new") / "results")
    assert record is not None
    assert len(record.sources[0].rows) == AGAIN
    shutil.rmtree(lent.run_root("old"))
    assert lent.run("--resume", "--reuse", "none", run_id="new").code == 0
    (row,) = drift(lent)
    assert row["n_pairs"] == AGAIN
    assert lent.run("--resume", run_id="new").err.endswith("nothing was left to do\n")


def test_each_resume_rechecks_the_same_items(lent: Project) -> None:
    rechecked(lent)
    first = read_rechecked(lent.trial_folder("new") / "results")
    shutil.rmtree(lent.run_root("new"))
    assert lent.run("--reuse", "old", "--recheck", "20", "--to_step", "build", run_id="new").code == 0
    assert lent.run("--resume", run_id="new").code == 0
    assert read_rechecked(lent.trial_folder("new") / "results") == first
    assert len(drift(lent)) == 1


def test_answers_to_different_requests_are_not_used_as_older_answers(lent: Project) -> None:
    (lent.config.parent / "control.txt").write_text("Another control.\n")
    rechecked(lent)
    assert drift(lent) == []


@pytest.mark.parametrize(("kind", "rows"), [("starts_with", 0), ("includes", 1)])
def test_scores_of_another_scorer_are_not_compared(lent: Project, kind: str, rows: int) -> None:
    for run_id, type_, flags in (("mid", "includes", ("--reuse", "old")), ("new", kind, ("--reuse", "mid"))):
        lent.write_config(
            {
                "datasets": {"closed_set": {"format": "custom", "path": "closed.jsonl"}},
                "scorers": {"hit": {"type": type_}},
            }
        )
        again = ("--recheck", "20") if run_id == "new" else ()
        assert lent.run(*flags, *again, run_id=run_id).code == 0
    assert len(drift(lent)) == rows


def test_a_run_without_scores_is_refused_before_anything_is_asked(lent: Project) -> None:
    assert lent.run("--to_step", "poll", run_id="raw").code == 0
    outcome = lent.run("--reuse", "raw", "--recheck", "5", run_id="new")
    assert outcome.code == 2
    assert "run raw has no scores" in outcome.err
    assert not list((lent.trial_folder("new") / "results").glob("*/results*.jsonl"))


def test_recheck_without_reuse_is_a_usage_error(project: Project) -> None:
    outcome = project.run("--recheck", "5")
    assert outcome.code == 2
    assert "--recheck goes with --reuse" in outcome.err
