"""Effects by columns of the questions: from a question file to the report, and changed after a run."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest

from tests.e2e.test_own_scorers import SCORING, phases_run
from tests.support.project import Project


@pytest.fixture
def grouped(project: Project) -> Project:
    lines = ["question,answer,Topic,level"]
    lines += [f"Question {n}?,Paris,{'verse' if n % 2 else ''},{n % 3}" for n in range(24)]
    (project.root / "config/mine.csv").write_text("\n".join(lines) + "\n")
    return project


def configure(project: Project, **changes: Any) -> None:
    datasets = {"mine": {"format": "custom", "path": "mine.csv"}}
    project.write_config({"datasets": datasets} | changes)


def endpoints(project: Project) -> list[dict[str, Any]]:
    document = json.loads((project.trial_folder() / "results/significance.json").read_text())
    return [row for row in document["endpoints"] if row["metric"] == "em"]


def columns(project: Project) -> list[str]:
    with (project.trial_folder() / "results/per_item_scores.csv").open(newline="") as file:
        return next(csv.reader(file))


def test_effects_by_a_column_are_in_statistics_report_and_terminal(grouped: Project) -> None:
    configure(grouped, subgroups=["category", "level"])
    outcome = grouped.run()
    assert outcome.code == 0, outcome.err
    found = {(row["scope"], row["subset"]): row["n_pairs"] for row in endpoints(grouped)}
    assert found == {
        ("overall", "all"): 24,
        ("subgroup:category", "verse"): 12, ("subgroup:category", "(none)"): 12,
        ("subgroup:level", "0"): 8, ("subgroup:level", "1"): 8, ("subgroup:level", "2"): 8,
    }  # fmt: skip
    assert columns(grouped)[-2:] == ["subgroup:category", "subgroup:level"]
    report = grouped.details()
    assert "### By category" in report
    assert "### Differences in effect between values of level" in report
    assert "Effects by category, treatment.txt minus control.txt (exploratory" in outcome.out
    assert "nothing was left to do" in grouped.run("--resume").err


def test_changing_subgroups_after_a_run_scores_again_without_asking(grouped: Project) -> None:
    configure(grouped)
    assert grouped.run().code == 0
    before = {path: digest for path, digest in grouped.snapshot().items() if "results.jsonl" in path}
    scores = (grouped.trial_folder() / "results/per_item_scores.csv").read_bytes()
    configure(grouped, subgroups=["level"])
    outcome = grouped.run("--resume")
    assert outcome.code == 0, outcome.err
    assert phases_run(grouped, "score: running (subgroups changed)") == SCORING
    assert before.items() <= grouped.snapshot().items()
    assert columns(grouped)[-1] == "subgroup:level"
    configure(grouped)
    assert grouped.run("--resume").code == 0
    assert (grouped.trial_folder() / "results/per_item_scores.csv").read_bytes() == scores


def test_a_column_that_no_question_has_is_refused_before_anything_is_asked(grouped: Project) -> None:
    configure(grouped, subgroups=["Level"])
    outcome = grouped.run()
    assert outcome.code == 2
    assert "no question has a column 'Level'; did you mean 'level'? columns: category, level" in outcome.err
    assert not list(grouped.run_root().rglob("*.jsonl"))
    outcome = grouped.call("config", "check")
    assert outcome.code == 2
    assert "no question has a column 'Level'" in outcome.out + outcome.err
    configure(grouped, subgroups=["level"])
    outcome = grouped.call("config", "check")
    assert "no question has" not in outcome.out + outcome.err


@pytest.mark.parametrize("sample", [{"limit_items": 5}, {"size": 5}, {"many": 1100}])
def test_config_check_finds_a_wrong_column_of_a_sample_and_of_a_large_file(
    grouped: Project, sample: dict[str, int]
) -> None:
    if "many" in sample:
        lines = [f"Further {n}?,Paris,verse,1" for n in range(sample["many"])]
        with (grouped.root / "config/mine.csv").open("a") as file:
            file.write("\n".join(lines) + "\n")
    dataset = {"format": "custom", "path": "mine.csv"} | ({"size": 5} if "size" in sample else {})
    more = {"limit_items": 5} if "limit_items" in sample else {}
    configure(grouped, subgroups=["levle"], datasets={"mine": dataset}, **more)
    outcome = grouped.call("config", "check")
    assert outcome.code == 2
    assert "no question has a column 'levle'; did you mean 'level'?" in outcome.out
    configure(grouped, subgroups=["level"], datasets={"mine": dataset}, **more)
    assert grouped.call("config", "check").code == 0


def test_a_new_run_with_a_wrong_column_is_refused_before_it_is_recorded(grouped: Project) -> None:
    configure(grouped, subgroups=["levle"])
    outcome = grouped.run()
    assert outcome.code == 2
    assert "no question has a column 'levle'" in outcome.err
    assert not grouped.run_root().exists()


def test_a_column_that_the_prepared_questions_lack_is_refused_on_a_resume(project: Project) -> None:
    rows = [{"id": f"s{n}", "question": f"Q {n}?", "answers": ["Paris"], "source": "a"} for n in range(4)]
    (project.root / "config/mine.csv").write_text("")
    (project.root / "config/closed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    datasets = {"closed_set": {"format": "custom", "path": "closed.jsonl"}}
    project.write_config({"datasets": datasets})
    assert project.run().code == 0
    project.write_config({"datasets": datasets, "subgroups": ["source"]})
    outcome = project.run("--resume")
    assert outcome.code == 2
    assert "no question has a column 'source'; they have no other columns" in outcome.err
    assert "start a new run, whose prepared questions then have the column" in outcome.err
    assert project.run(run_id="new").code == 0


def test_a_gate_can_be_limited_to_the_questions_of_one_value(grouped: Project) -> None:
    for run_id in ("r", "s"):
        configure(grouped, subgroups="category")
        assert grouped.run(run_id=run_id).code == 0
    outcome = grouped.call("compare", "r", "s", "--gate", "em@verse >= -0.9")
    assert outcome.code == 0, outcome.err + outcome.out
    assert "verse" in outcome.out
    outcome = grouped.call("compare", "r", "s", "--gate", "em@prose >= -0.9")
    assert "there is no subset 'prose'; known: type=open, type=closed, dataset=mine, " in outcome.err
    assert "verse" in outcome.err


NEEDS_CHOICES = {"scorers": {"em": {"type": "exact_match"}, "chosen": {"type": "choice"}}}
FAILS = {"scorers": {"em": {"type": "exact_match"}, "own": {"type": "python", "file": "own.py"}}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"subgroups": ["levle"]}, "no question has a column 'levle'; did you mean 'level'?"),
        (NEEDS_CHOICES, "24 of 24 questions have no choices, and chosen needs them"),
        (FAILS, "own.py cannot be imported: ModuleNotFoundError"),
    ],
)
def test_an_invalid_change_of_scoring_leaves_a_finished_run_unchanged(
    grouped: Project, changes: dict[str, Any], said: str
) -> None:
    (grouped.root / "config/own.py").write_text("import nowhere\n")
    configure(grouped)
    assert grouped.run().code == 0
    before = records_of(grouped)
    configure(grouped, **changes)
    outcome = grouped.run("--resume")
    assert outcome.code != 0
    assert said in outcome.err, outcome.err
    assert records_of(grouped) == before
    configure(grouped)
    outcome = grouped.run("--resume")
    assert (outcome.code, "nothing was left to do" in outcome.err) == (0, True)


def records_of(project: Project) -> dict[str, str]:
    """Return the digests of every file of a run but its log."""
    return {path: digest for path, digest in project.snapshot().items() if path != "run.log"}
