"""Whole runs over questions without a gold answer: refused where a scorer needs one, right in every phase elsewhere."""

from __future__ import annotations

import csv
import json
from typing import Any

import pytest

from tests.support.project import Project

LENGTH = '''
def words(answer):
    """How many words does the answer have?"""
    return len(answer.split())
'''
OWN = """
from dataclasses import dataclass
from promptrial.scoring.contract import Declaration, Scorer

@dataclass(frozen=True)
class Own(Scorer):
    declared = Declaration(label="Own", meaning="?", scale="binary", direction="higher", needs=("gold",))

    def score(self, gold, answer):
        return answer.text in gold.item.answers

SCORER = Own
"""
NEEDS_NONE = {
    "words": {"type": "python", "file": "words.py:words", "range": [0, 50], "direction": "lower"},
    "length": None,
    "abstain_rate": None,
}


def write(project: Project, rows: list[dict[str, Any]], changes: dict[str, Any]) -> None:
    (project.root / "config/words.py").write_text(LENGTH)
    lines = "".join(json.dumps({"question": f"Question {row['id']}?"} | row) + "\n" for row in rows)
    (project.root / "config/mine.jsonl").write_text(lines)
    project.write_config({"datasets": {"mine": {"format": "custom", "path": "mine.jsonl"}}, "temps": [0.0]} | changes)


NO_GOLD = [{"id": f"n{number}"} for number in range(8)]
GOLD = [{"id": f"g{number}", "answers": ["Paris"]} for number in range(8)]
MIXED = [row for pair in zip(GOLD, NO_GOLD, strict=True) for row in pair]


def significance(project: Project) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((project.trial_folder() / "results/significance.json").read_text())
    return document


def overall(project: Project) -> dict[str, dict[str, Any]]:
    return {row["metric"]: row for row in significance(project)["endpoints"] if row["scope"] == "overall"}


@pytest.mark.parametrize(("rows", "count", "line"), [(NO_GOLD, "8 of 8", 1), (MIXED, "8 of 16", 2)])
def test_scorers_that_need_a_gold_answer_are_refused_by_name_before_anything_is_asked(
    project: Project, rows: list[dict[str, Any]], count: str, line: int
) -> None:
    write(project, rows, {})
    outcome = project.run()
    assert outcome.code == 2
    assert (
        f"datasets.mine: {count} questions have no gold answer, and em, f1, false_answer_rate need one" in outcome.err
    )
    assert f"mine.jsonl:{line}: id 'n0'" in outcome.err
    assert "unscorable: skip" in outcome.err
    assert not list(project.run_root().rglob("*.jsonl")), "nothing was prepared, and nothing asked"


def test_a_run_whose_scorers_need_no_gold_answer_is_complete(project: Project) -> None:
    write(project, NO_GOLD, {"scorers": NEEDS_NONE, "stats": {"primary": ["words"], "bootstrap_samples": 1000,
                                                              "permutation_samples": 999}})  # fmt: skip
    outcome = project.run()
    assert outcome.code == 0, outcome.err
    found = overall(project)
    assert {name: (row["n_pairs"], row["n_not_applicable"]) for name, row in found.items()} == {
        "words": (8, 0), "length": (8, 0), "abstain_rate": (8, 0),
    }  # fmt: skip
    assert significance(project)["selective"] == [], "nothing says which answers are right"
    report = project.details()
    assert "Requires a correctness scorer, an abstention scorer" in report
    assert "no scorer says whether an answer is correct" in report
    assert "The cost per such answer" not in report
    costs = json.loads((project.trial_folder() / "results/costs.json").read_text())
    assert (costs["correct"], costs["usd_per_correct"], costs["criterion"]) == (None, None, None)
    assert costs["usd"] > 0
    assert project.run("--resume").code == 0


def test_items_without_a_gold_answer_are_left_out_of_scorers_that_need_one_if_configured(
    project: Project,
) -> None:
    pack = {"em": None, "f1": None, "abstain_rate": None, "false_answer_rate": None}
    write(project, MIXED, {"unscorable": "skip", "scorers": pack | {"words": NEEDS_NONE["words"]}})
    outcome = project.run()
    assert outcome.code == 0, outcome.err
    found = overall(project)
    assert {name: (row["n_pairs"], row["n_not_applicable"]) for name, row in found.items()} == {
        "em": (8, 8), "f1": (8, 8), "abstain_rate": (16, 0), "false_answer_rate": (0, 16), "words": (16, 0),
    }  # fmt: skip
    assert found["em"]["bounds"]["n_items"] == 8
    report = project.details()
    assert "mine: 8 of 16 questions have no gold answer." in report
    assert "The cost per answer includes all requests, even those for questions" in report
    with (project.trial_folder() / "results/per_item_scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["em"] == "" for row in rows if "n" in row["item_key"].partition("|")[2]} == {True}
    assert {row["em"] == "" for row in rows if "g" in row["item_key"].partition("|")[2]} == {False}


def test_a_function_that_asks_for_the_gold_answers_is_refused_before_anything_is_asked(project: Project) -> None:
    write(project, MIXED, {"scorers": {"words": {"type": "python", "file": "words.py:near"}}})
    (project.root / "config/words.py").write_text("def near(answer, golds) -> bool:\n    return answer in golds\n")
    outcome = project.run()
    assert outcome.code == 2
    assert "datasets.mine: 8 of 16 questions have no gold answer, and words needs one; the first: " in outcome.err
    assert not list(project.run_root().rglob("*.jsonl"))


def test_a_custom_class_that_needs_a_gold_answer_is_refused_before_anything_is_scored(project: Project) -> None:
    scorer = {"own": {"type": "python", "file": "own.py"}}
    write(project, MIXED, {"scorers": scorer})
    (project.root / "config/own.py").write_text(OWN)
    outcome = project.run()
    assert outcome.code == 2
    assert "datasets.mine: 8 of 16 questions have no gold answer, and own needs one" in outcome.err
    write(project, MIXED, {"scorers": scorer, "unscorable": "skip"})
    outcome = project.run("--resume")
    assert outcome.code == 0, outcome.err
    assert overall(project)["own"]["n_pairs"] == 8


def test_a_scorer_that_needs_a_gold_answer_is_refused_when_it_is_added_to_a_finished_run(project: Project) -> None:
    stats = {"primary": ["words"], "bootstrap_samples": 1000, "permutation_samples": 999}
    write(project, NO_GOLD, {"scorers": NEEDS_NONE, "stats": stats})
    assert project.run().code == 0
    write(project, NO_GOLD, {"scorers": NEEDS_NONE | {"em": None}, "stats": stats})
    outcome = project.run("--resume")
    assert outcome.code == 2
    assert "datasets.mine: 8 of 8 questions have no gold answer, and em needs one" in outcome.err
