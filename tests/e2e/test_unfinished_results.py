"""Results of a run that has grown since: nothing shows them as those of the whole run."""

import html
import re

import pytest

import promptrial
from tests.support.project import Project
from tests.support.viewing import viewing

SAID = "8 of 24 answers; these results are from before the sample grew"


@pytest.fixture
def grown(project: Project) -> Project:
    """Results of four questions, and twelve that are prepared, of which eight have no answer yet."""
    assert project.run("--limit_items", "2").code == 0
    assert project.run("--resume", "--limit_items", "6", "--to_step", "submit").code == 0
    return project


def text_of(page: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", " ", re.sub(r"<(style|script)[^>]*>.*?</\1>", " ", page, flags=re.DOTALL)))


def test_the_page_says_it_before_any_number_and_counts_no_question_that_was_never_asked(grown: Project) -> None:
    outcome = grown.call("report", "r", "--out", "old.html")
    assert outcome.code == 0, outcome.err
    page = (grown.root / "old.html").read_text("utf-8")
    assert f"12 questions \u00b7 unfinished: {SAID}" in page
    assert "\u00b7 finished" not in page
    assert '<span class="lead">Unfinished: ' in page
    assert f"<b>Unfinished:</b> {SAID}." in page
    assert "8 missing" not in text_of(page)
    assert page.index("<b>Unfinished:</b>") < page.index("<b>Sample grew:</b>")


def test_python_says_it_in_the_verdict_and_has_the_items_that_were_scored(grown: Project) -> None:
    found = promptrial.load_run(grown.run_root())
    assert found.verdict.sentences[0].startswith("Unfinished: ")
    assert found.verdict.warnings[0].line == f"Warning (unfinished): {SAID}."
    assert f"Warning (unfinished): {SAID}." in repr(found)
    assert len(found.items) == 4


def test_show_says_it_and_lists_the_items_that_were_scored(grown: Project) -> None:
    outcome = grown.call("show", "r")
    assert f"Warning (unfinished): {SAID}." in outcome.err
    assert "4 items." in outcome.out
    assert "no items that are missing" in grown.call("show", "r", "--missing").out


def test_compare_refuses_results_of_an_earlier_size_even_with_force(grown: Project) -> None:
    assert grown.run("--limit_items", "2", run_id="other").code == 0
    outcome = grown.call("compare", "r", "other", "--force")
    assert outcome.code == 2
    assert "it has grown, and its results are of an earlier size" in outcome.err
    assert "--resume" in outcome.err


def test_view_offers_no_old_report_and_warns_above_the_items(project: Project) -> None:
    assert project.run("--limit_items", "2").code == 0
    with viewing(project.root) as seen:
        assert "4 items" in seen.get("/run/r/items").text
        assert seen.get("/run/r/report").status_code == 200
        assert project.run("--resume", "--limit_items", "6", "--to_step", "submit").code == 0
        items = seen.get("/run/r/items")
        assert items.status_code == 200
        assert SAID in items.text
        assert items.text.index(SAID) < items.text.index("4 items")
        assert SAID in seen.get("/run/r/items?item=2").text
        refused = seen.get("/run/r/report")
        assert refused.status_code == 404
        assert "run r is unfinished (8 of 24 answers)" in text_of(refused.text)
        assert 'href="/run/r/report"' not in seen.get("/run/r").text
        assert project.run("--resume").code == 0
        assert SAID not in seen.get("/run/r/items").text
        assert seen.get("/run/r/report").status_code == 200


def test_whatever_is_lacking_is_said_until_the_run_is_whole_again(project: Project) -> None:
    assert project.run("--limit_items", "2").code == 0
    assert not warned(project)
    for step, said in (("prepare", "8 of 8"), ("build", "8 of 24"), ("poll", "24 of 24"), ("score", "24 of 24")):
        flags = ("--limit_items", "6") if step == "prepare" else ()
        assert project.run("--resume", *flags, "--to_step", step).code == 0
        assert warned(project) == [f"Unfinished: {said} answers; these results are from before the sample grew."]
    assert project.run("--resume").code == 0
    assert not warned(project)


def warned(project: Project) -> list[str]:
    return [str(each) for each in promptrial.load_run(project.run_root()).verdict.warnings if each.kind == "unfinished"]
