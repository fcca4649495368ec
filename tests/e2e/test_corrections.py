"""A question file that is corrected after a run: scored again where nothing that is sent differs, and never asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import fake_provider
from tests.support.project import Outcome, Project

KEEPS = "has changed since this run was prepared; the run keeps its questions"
ROWS = [{"id": f"q{n}", "question": f"Question {n}?", "answer": "Paris", "level": str(n % 2)} for n in range(6)]


@pytest.fixture
def asked(project: Project) -> Project:
    """A finished run of six questions, with its calls forgotten."""
    questions(project, ROWS)
    configure(project)
    project.given_run()
    fake_provider.CALLS.clear()
    return project


def configure(project: Project, **changes: Any) -> None:
    columns = {"question": "question", "answers": "answer"}
    datasets = {"mine": {"format": "custom", "path": "mine.jsonl", "columns": columns}}
    project.write_config({"datasets": datasets} | changes)


def questions(project: Project, rows: list[dict[str, str]]) -> Path:
    path = project.root / "config/mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def changed(at: int, **values: str) -> list[dict[str, str]]:
    return [row | values if n == at else row for n, row in enumerate(ROWS)]


def sent(project: Project) -> dict[str, str]:
    """Return the digests of all requests and raw answers."""
    return {path: digest for path, digest in project.snapshot().items() if "/t0" in path}


def scores(project: Project) -> bytes:
    return (project.trial_folder() / "results/per_item_scores.csv").read_bytes()


def finished(outcome: Outcome) -> bool:
    return outcome.code == 0 and "nothing was left to do" in outcome.err


def test_a_corrected_gold_scores_again_without_asking_and_is_reported(asked: Project) -> None:
    before, old = sent(asked), scores(asked)
    rows = [row | {"answer": "the year 1912"} for row in ROWS]
    questions(asked, rows)
    planned = asked.call("plan", "--run_id", "r")
    assert "questions changed" in planned.out + planned.err
    assert sent(asked) == before
    outcome = asked.run("--resume")
    assert outcome.code == 0, outcome.err
    assert "datasets.mine: the file has changed, 6 questions corrected, and nothing is asked again" in outcome.err
    assert KEEPS not in outcome.err
    assert not fake_provider.CALLS
    assert sent(asked) == before
    assert scores(asked) != old
    report = asked.details()
    assert "of 6 questions in mine. No question was asked again." in report
    state = json.loads((asked.run_root() / "run_state.json").read_text())
    assert [each["sources"]["mine"]["questions"] for each in state["corrections"]] == [6]
    assert finished(asked.run("--resume"))
    fresh = asked.run("--run_id", "fresh")
    assert fresh.code == 0, fresh.err
    (path,) = (asked.root / "experiments/run_fresh").glob("*/results/per_item_scores.csv")
    assert scores(asked) == path.read_bytes()


def test_doctor_and_a_refused_growth_name_the_resume_that_applies_a_correction(asked: Project) -> None:
    configure(asked, limit_items=3)
    assert asked.run(run_id="small").code == 0
    questions(asked, [row | {"answer": "the year 1912"} for row in ROWS])
    found = asked.call("doctor", "small")
    assert found.code == 0, "nothing is wrong with the run"
    assert "3 questions corrected); a resume takes it over, asks nothing and scores again" in found.prose
    assert "$ promptrial run --run_id small --resume" in found.prose
    assert KEEPS not in found.prose
    grow = ("--resume", "--limit_items", "5")
    refused = asked.run(*grow, run_id="small")
    assert refused.code == 3
    assert "extend it afterwards: promptrial run --run_id small --resume; otherwise restore" in refused.err
    fake_provider.CALLS.clear()
    assert asked.run("--resume", run_id="small").code == 0
    assert not fake_provider.CALLS
    assert "corrected" not in asked.call("doctor", "small").out
    assert asked.run(*grow, run_id="small").code == 0


def test_doctor_says_of_another_question_that_the_run_keeps_its_own(asked: Project) -> None:
    questions(asked, changed(3, question="Another question?"))
    found = asked.call("doctor", "r")
    assert found.code == 0
    assert KEEPS in found.prose
    assert "takes it over" not in found.prose


@pytest.mark.parametrize(
    "rows",
    [
        changed(3, question="Another question?"),
        changed(3, id="other"),
        changed(3, context="A passage."),
        ROWS[1:],
        [*ROWS, {"id": "q6", "question": "New?", "answer": "Paris"}],
        [{"name": "x"}],
    ],
)
def test_questions_whose_requests_would_change_are_kept_unchanged(asked: Project, rows: list[dict[str, str]]) -> None:
    before = asked.snapshot()
    questions(asked, rows)
    outcome = asked.run("--resume")
    assert finished(outcome), outcome.err
    assert KEEPS in outcome.err
    assert {path for path, digest in asked.snapshot().items() if before.get(path) != digest} == {"run.log"}


def test_an_added_column_can_be_a_subgroup_immediately(asked: Project) -> None:
    before = sent(asked)
    questions(asked, [row | {"colour": "ab"[n % 2]} for n, row in enumerate(ROWS)])
    configure(asked, subgroups=["colour"])
    outcome = asked.run("--resume")
    assert outcome.code == 0, outcome.err
    assert "6 questions corrected" in outcome.err
    assert b"subgroup:colour" in scores(asked).splitlines()[0]
    assert sent(asked) == before


def test_a_correction_that_removes_what_scorers_need_is_not_applied(asked: Project) -> None:
    before = asked.snapshot()
    questions(asked, changed(2, answer=""))
    outcome = asked.run("--resume")
    assert finished(outcome), outcome.err
    assert KEEPS in outcome.err
    assert "1 of 6 questions has no gold answer" in outcome.err
    assert {path for path, digest in asked.snapshot().items() if before.get(path) != digest} == {"run.log"}


def test_steps_after_prepare_do_not_apply_corrections(asked: Project) -> None:
    questions(asked, changed(2, answer="Roma"))
    outcome = asked.run("--resume", "--from_step", "score")
    assert finished(outcome), outcome.err
    assert KEEPS in outcome.err
    assert "1 question corrected" in asked.run("--resume").err


def test_an_official_file_can_be_corrected_and_its_sample_can_grow_afterwards(project: Project) -> None:
    path = project.root / "config/open.json"
    project.write_config({"limit_items": 2})
    assert project.run().code == 0
    before = sent(project)
    squad = json.loads(path.read_text())
    for paragraph in squad["data"][0]["paragraphs"]:
        for question in paragraph["qas"]:
            question["answers"] = [] if question["is_impossible"] else [{"text": "x", "answer_start": 0}]
    path.write_text(json.dumps(squad))
    fake_provider.CALLS.clear()
    outcome = project.run("--resume")
    assert outcome.code == 0, outcome.err
    assert "the file has changed, " in outcome.err
    assert (sent(project), dict(fake_provider.CALLS)) == (before, {})
    outcome = project.run("--resume", "--limit_items", "3")
    assert outcome.code == 0, outcome.err
    assert before.items() <= sent(project).items()
    assert finished(project.run("--resume", "--limit_items", "3"))
