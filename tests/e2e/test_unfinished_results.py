"""Results of a run that has grown since: nothing shows them as those of the whole run."""

import html
import itertools
import json
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import promptrial
from promptrial.documents.verdict import WarningDocument
from promptrial.engine import starting
from promptrial.engine.earlier_reports import withdraw_reports
from promptrial.store import atomic
from tests.support.project import Project
from tests.support.viewing import viewing

SAID = "8 of 24 answers; these results are from before the sample grew"


@pytest.fixture
def grown(project: Project) -> Project:
    """Results of four questions, and twelve that are prepared, of which eight have no answer yet."""
    project.given_run("--limit_items", "2")
    assert project.run("--resume", "--limit_items", "6", "--to_step", "submit").code == 0
    return project


def text_of(page: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", " ", re.sub(r"<(style|script)[^>]*>.*?</\1>", " ", page, flags=re.DOTALL)))


def test_an_unfinished_page_says_so_before_any_number_and_counts_only_asked_questions(grown: Project) -> None:
    outcome = grown.call("report", "r", "--out", "old.html")
    assert outcome.code == 0, outcome.err
    page = (grown.root / "old.html").read_text("utf-8")
    assert f"12 questions \u00b7 unfinished: {SAID}" in page
    assert "\u00b7 finished" not in page
    assert '<span class="lead">Unfinished: ' in page
    assert f"<b>Unfinished:</b> {SAID}." in page
    assert "8 missing" not in text_of(page)
    assert page.index("<b>Unfinished:</b>") < page.index("<b>Sample grew:</b>")


def test_the_python_api_says_unfinished_in_the_verdict_and_has_the_scored_items(grown: Project) -> None:
    found = promptrial.load_run(grown.run_root())
    assert found.verdict.sentences[0].startswith("Unfinished: ")
    assert found.verdict.warnings[0].line == f"Warning (unfinished): {SAID}."
    assert f"Warning (unfinished): {SAID}." in repr(found)
    assert len(found.items) == 4


def test_show_says_unfinished_and_lists_the_scored_items(grown: Project) -> None:
    outcome = grown.call("show", "r")
    assert f"Warning (unfinished): {SAID}." in outcome.err
    assert "4 items." in outcome.out
    assert "no items that are missing" in grown.call("show", "r", "--missing").out


def test_an_a_a_check_says_unfinished_before_its_figures(project: Project) -> None:
    project.write_config({"samples_per_item": 2, "temps": [0.7]})
    project.given_run("--limit_items", "2")
    before = project.call("aa", "r", "--splits", "10", "--json")
    assert json.loads(before.out)["trials"][0]["warnings"] == []
    assert project.run("--resume", "--limit_items", "6", "--to_step", "submit").code == 0
    said = SAID.replace("8 of 24", "16 of 48")
    (trial,) = json.loads(project.call("aa", "r", "--splits", "10", "--json").out)["trials"]
    assert trial["warnings"] == [{"kind": "unfinished", "text": f"Unfinished: {said}."}]
    prose = project.call("aa", "r", "--splits", "10").prose
    assert prose.index(f"Unfinished: {said}.") < prose.index("false alarm")


def test_labels_are_drawn_and_read_with_the_same_warning(project: Project) -> None:
    project.given_run("--limit_items", "2")
    project.call("label", "r", "--out", "old.csv")
    before = project.call("label", "r", "--read", "old.csv", "--json")
    assert json.loads(before.out)["warnings"] == []
    assert project.run("--resume", "--limit_items", "6", "--to_step", "submit").code == 0
    assert f"Warning (unfinished): {SAID}." in project.call("label", "r", "--out", "new.csv").err
    found = json.loads(project.call("label", "r", "--read", "new.csv", "--json").out)
    assert found["warnings"] == [{"kind": "unfinished", "text": f"Unfinished: {SAID}."}]
    assert project.call("label", "r", "--read", "new.csv").prose.startswith(f"Unfinished: {SAID}.")
    assert promptrial.load_run(project.run_root()).labels("new.csv").warnings == (
        WarningDocument(kind="unfinished", text=f"Unfinished: {SAID}."),
    )


def test_compare_refuses_results_of_an_earlier_size_even_with_force(grown: Project) -> None:
    assert grown.run("--limit_items", "2", run_id="other").code == 0
    outcome = grown.call("compare", "r", "other", "--force")
    assert outcome.code == 2
    assert "it has grown, and its results are of an earlier size" in outcome.err
    assert "--resume" in outcome.err


def test_view_offers_no_old_report_and_warns_above_the_items(project: Project) -> None:
    project.given_run("--limit_items", "2")
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


def test_missing_answers_are_reported_until_the_run_is_complete_again(project: Project) -> None:
    project.given_run("--limit_items", "2")
    assert not warned(project)
    for step, said in (("prepare", "8 of 8"), ("build", "8 of 24"), ("poll", "24 of 24"), ("score", "24 of 24")):
        flags = ("--limit_items", "6") if step == "prepare" else ()
        assert project.run("--resume", *flags, "--to_step", step).code == 0
        assert warned(project) == [f"Unfinished: {said} answers; these results are from before the sample grew."]
    assert project.run("--resume").code == 0
    assert not warned(project)


def test_results_count_as_unfinished_as_soon_as_the_sample_grows(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise OSError("no more disk")

    project.given_run("--limit_items", "2")
    with monkeypatch.context() as patch:
        patch.setattr("promptrial.phases.prepare._write", fails)
        assert project.run("--resume", "--limit_items", "6").code == 1
    assert warned(project) == ["Unfinished: 8 of 8 answers; these results are from before the sample grew."]


def warned(project: Project) -> list[str]:
    return [str(each) for each in promptrial.load_run(project.run_root()).verdict.warnings if each.kind == "unfinished"]


# --- reports as files -------------------------------------------------------------------------------------------------

MARK = "**Unfinished:** these results are from before the sample grew. A resume replaces this report.\n\n"


def reports(project: Project) -> dict[str, str]:
    """Return the reports of the only trial, and those of the whole run."""
    paths = [*project.trial_folder().glob("reports/*.md"), *project.run_root().glob("aggregate_report.*")]
    return {path.name: path.read_text("utf-8") for path in (*paths, project.run_root() / "report.html")}


def files(project: Project) -> dict[str, bytes]:
    """Return all files but the log, with times left out of records."""
    time = re.compile(rb'"20\d\d-[^"]*"')
    found = {path.relative_to(project.run_root()).as_posix(): path for path in project.run_root().rglob("*")}
    return {
        name: time.sub(b"", path.read_bytes())
        for name, path in sorted(found.items())
        if path.is_file() and name not in {"run.log", ".state.lock"}
    }


def test_each_report_on_disk_begins_by_saying_so_until_it_is_written_again(project: Project) -> None:
    project.given_run("--limit_items", "2")
    before = reports(project)
    assert {*before} == {"report.md", "details.md", "aggregate_report.md", "report.html"}
    assert project.run("--resume", "--limit_items", "6", "--to_step", "submit").code == 0
    page = before.pop("report.html")
    said = MARK.replace("**Unfinished:**", "<main>\n<p><b>Unfinished:</b>").replace("\n\n", "</p>\n")
    marked = {name: MARK + text for name, text in before.items()}
    assert reports(project) == {**marked, "report.html": page.replace("<main>\n", said)}
    assert said not in page
    assert project.run("--resume", "--to_step", "stats").code == 0
    assert reports(project)["report.md"] == marked["report.md"], "it is said once"
    assert project.call("doctor", "r").code == 0
    assert project.run("--resume").code == 0
    assert not [text for text in reports(project).values() if "A resume replaces this report" in text]


def test_an_interrupted_growth_ends_with_the_bytes_of_an_uninterrupted_one(project: Project) -> None:
    project.given_run("--limit_items", "2")
    shutil.copytree(project.root / "experiments", project.root / "kept")
    assert project.run("--resume", "--limit_items", "6").code == 0
    undisturbed = files(project)
    shutil.rmtree(project.root / "experiments")
    (project.root / "kept").rename(project.root / "experiments")
    for step in ("prepare", "submit", "stats"):
        assert project.run("--resume", "--limit_items", "6", "--to_step", step).code == 0
    assert project.run("--resume").code == 0
    assert files(project) == undisturbed


class Killed(BaseException):
    """The process is gone."""


def grow_and_kill(project: Project, number: int) -> None:
    """Grow, and let the process die at the so many-th file that is replaced or removed once reports are marked."""
    left = itertools.count()

    def dying(operation: Callable[..., Any], *paths: Path) -> Any:
        if next(left) == number:
            raise Killed
        return operation(*paths)

    with pytest.MonkeyPatch.context() as patch:

        def armed(*arguments: Any) -> None:
            for name in ("_replace", "_unlink"):
                patch.setattr(atomic, name, partial(dying, getattr(atomic, name)))
            withdraw_reports(*arguments)

        patch.setattr(starting, "withdraw_reports", armed)
        with pytest.raises(Killed):
            project.run("--resume", "--limit_items", "6", "--to_step", "submit")


@pytest.mark.parametrize("number", range(7))
def test_a_kill_while_reports_are_marked_leaves_none_unmarked_and_marks_none_twice(
    project: Project, number: int
) -> None:
    """They are four, then there is the receipt of those of the whole run, and the manifest that knows of the growth."""
    project.given_run("--limit_items", "2")
    grow_and_kill(project, number)
    assert project.run("--resume", "--to_step", "submit").code == 0
    assert [text.count("A resume replaces this report") for text in reports(project).values()] == [1] * 4
    assert project.call("doctor", "r").code == 0
    outcome = project.run("--resume")
    assert outcome.code == 0
    assert "damaged" not in outcome.err
    assert not [text for text in reports(project).values() if "A resume replaces this report" in text]


def test_a_missing_or_irregular_report_does_not_prevent_growth(project: Project) -> None:
    project.given_run("--limit_items", "2")
    (project.run_root() / "report.html").unlink()
    page = project.run_root() / "aggregate_report.md"
    page.unlink()
    page.mkdir()
    shutil.rmtree(project.trial_folder() / "reports")
    assert project.run("--resume", "--limit_items", "6", "--to_step", "submit").code == 0
    page.rmdir()
    assert project.run("--resume").code == 0
    assert len(reports(project)) == 4


def test_a_growth_that_is_refused_marks_no_report(project: Project) -> None:
    project.given_run("--limit_items", "2")
    before = reports(project)
    path = project.root / "config/closed.jsonl"
    path.write_text(path.read_text().replace("Question 1?", "Question one?"))
    assert project.run("--resume", "--limit_items", "4").code == 3
    assert project.run("--resume", "--limit_items", "4", "--plan_only").code == 0
    assert reports(project) == before
