"""``promptrial report``: the page of a run for others, the same to the byte, or without a text of it."""

import json

import pytest

from tests.support.project import PASSAGES, Project


@pytest.fixture
def finished(project: Project) -> Project:
    project.given_run()
    return project


def test_the_page_has_the_same_bytes_as_that_of_the_run_and_the_run_is_unchanged(finished: Project) -> None:
    before = finished.snapshot()
    outcome = finished.call("report", "r", "--out", "mine.html")
    assert (outcome.code, outcome.out) == (0, "mine.html\n"), outcome.err
    assert (finished.root / "mine.html").read_bytes() == (finished.run_root() / "report.html").read_bytes()
    assert finished.snapshot() == before


def test_without_texts_no_question_passage_answer_or_prompt_is_in_the_page(finished: Project) -> None:
    outcome = finished.call("report", "--no_texts")
    assert outcome.code == 0, outcome.err
    page = (finished.root / "report_r_no_texts.html").read_text("utf-8")
    assert outcome.out == "report_r_no_texts.html\n"
    prompts = [(finished.root / "config" / name).read_text().strip() for name in ("control.txt", "treatment.txt")]
    closed = (finished.root / "config/closed.jsonl").read_text().splitlines()
    questions = [row["question"] for row in map(json.loads, closed)]
    for text in (*PASSAGES.values(), *prompts, *questions, "Unknown Pleasures", "What of tides?"):
        assert text not in page
    assert "data-packed>" not in page
    assert 'class="verdict' in page
    assert "Primary endpoints" in page


def test_an_existing_file_a_missing_folder_and_the_run_itself_are_refused_as_targets(finished: Project) -> None:
    (finished.root / "there.html").write_text("mine")
    for out, said in (
        ("there.html", "there.html already exists"),
        ("no/such.html", "there is no folder no"),
        (str(finished.run_root() / "other.html"), "is inside the run, which must not change"),
    ):
        outcome = finished.call("report", "r", "--out", out)
        assert outcome.code == 2
        assert said in outcome.err
    assert (finished.root / "there.html").read_text() == "mine"


def test_a_run_that_is_not_finished_says_how_to_resume_it(project: Project) -> None:
    project.given_run("--to_step", "score")
    outcome = project.call("report", "r")
    assert outcome.code == 2
    assert "run r is not finished" in outcome.err
    assert "--resume" in outcome.err
    assert not (project.root / "report_r.html").exists()
