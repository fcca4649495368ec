"""People check judges: of single answers by the rubric, and of pairs by comparing the answers to a question."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptrial import registry
from tests.e2e.test_judges import configure, judged_project
from tests.support.labelled import Rows, drawn, write
from tests.support.labelling import labelling, sides_in
from tests.support.project import Project


@pytest.fixture
def judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A finished run with a judge of answers, ``quality``, and one of pairs, ``better``."""
    monkeypatch.setitem(registry.PROVIDERS, "fake", "tests.support.fake_provider:FakeProvider")
    monkeypatch.chdir(tmp_path)
    project = judged_project(tmp_path, limit_items=None)
    project.given_run()
    return project


def agreement(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project.trial_folder() / "results/agreement.json").read_text())
    return found


def arm_of(project: Project, row: dict[str, str]) -> str:
    from promptrial.phases.labelled import answer_ids

    sides = sides_in(project.root)
    return sides.arms[answer_ids(sides)[row["id"]][1]]


def test_labels_check_judges_of_answers_and_of_pairs(judged: Project) -> None:
    report = judged.report()
    for name in ("quality", "better"):
        assert f"promptrial label r --measure {name}" in report
    assert report.count("Unvalidated judge") == 2

    single: Rows = [row | {"label": "1"} for row in drawn(judged, "--measure", "quality")]
    pairs = drawn(judged, "--measure", "better")
    # People prefer the treatment in every pair.
    pairs = [row | {"label": "1" if arm_of(judged, row) == "treatment" else "0"} for row in pairs]
    write(judged.root / "config/quality.csv", single)
    write(judged.root / "config/better.csv", pairs)
    configure(judged, limit_items=None, labels=["quality.csv", "better.csv"])
    before = len(list(judged.trial_folder().glob("judge/*")))
    assert judged.run("--resume").code == 0
    assert len(list(judged.trial_folder().glob("judge/*"))) == before, "no judge is asked again"
    quality, better = agreement(judged)["labels"]
    assert [arm["arm"] for arm in quality["arms"]] == ["control", "treatment"]
    (arm,) = better["arms"]
    assert (arm["arm"], arm["mean_people"], arm["n_labelled"]) == ("treatment", 1.0, len(pairs) // 2)
    sides = sides_in(judged.root)
    assert arm["mean_measure"] == pytest.approx(sides.scores["better"][:, sides.arms.index("treatment")].mean())
    assert "Unvalidated judge" not in judged.report()
    assert "agrees with people's labels on" in judged.report()


def test_the_page_shows_the_rubric_and_the_answers_to_compare(judged: Project) -> None:
    path = judged.root / "sheet.csv"
    drawn(judged, "--measure", "quality")
    with labelling(judged.root, path) as seen:
        page = seen.get("/answer/1").text
        assert "1 if the answer says the same as an accepted answer, otherwise 0." in page
        assert "score this answer by the rubric" in page
        assert "to compare" not in page
    rows = drawn(judged, "--measure", "better")
    with labelling(judged.root, path) as seen:
        page = seen.get("/answer/1").text
        assert "1 if this answer is the better one, 0 if it is worse, 0.5 for a tie" in page
        assert f"Answer {rows[1]['letter']}, to compare" in page
        assert "control" not in page.replace("cache-control", "")
