"""Question files that other people publish, each with a minimal configuration: it is taken, or the refusal says why."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from promptrial.config.effective import effective
from promptrial.engine.resolving import load_resolved
from tests.support.project import Project

CASES = Path(__file__).parents[1] / "data" / "questions" / "cases"
MINIMAL = """\
models: {small: smollm2-135m-instruct}
provider: fake
prompt_sets: {main: {control: control.txt, treatment: treatment.txt}}
datasets: {mine: FILE}
"""
SHORT = ["includes", "em", "f1"]
SCORERS = {
    "answer_column.csv": [*SHORT, "numeric"],
    "array.json": [*SHORT, "numeric"],
    "capitalised.csv": [*SHORT, "numeric"],
    "choices.jsonl": ["choice"],
    "context_rows.jsonl": ["numeric", "em", "abstain_rate", "false_answer_rate", "unsupported_rate"],
    "empty_rows.csv": SHORT,
    "excel_utf16.csv": SHORT,
    "integer_ids.jsonl": SHORT,
    "integer_ids.squad.json": ["em", "f1", "numeric", "unsupported_rate"],
    "letters.csv": ["choice"],
    "no_gold.jsonl": ["length"],
    "no_spaces.jsonl": [*SHORT, "unsupported_rate"],
    "number_answers.jsonl": [*SHORT, "numeric", "starts_with"],
    "plain.tsv": SHORT,
    "refusal_as_gold.jsonl": SHORT,
    "semicolon.csv": [*SHORT, "numeric"],
    "worked_answers.jsonl": ["numeric"],
    "wrapped.json": ["numeric", "em"],
}
"""File -> the scorers that fit it."""
REFUSED = {"trailing_comma.jsonl", "twice_the_key.jsonl"}


def written(project: Project, name: str) -> Path:
    """Write a minimal configuration for a case."""
    project.config.write_text(MINIMAL.replace("FILE", name))
    project.config.with_name(name).write_bytes((CASES / name).read_bytes())
    return project.config


def test_every_question_case_has_an_expectation() -> None:
    assert {path.name for path in CASES.iterdir()} == SCORERS.keys() | REFUSED


@pytest.mark.parametrize("name", sorted(SCORERS))
def test_a_case_loads_with_the_scorers_that_fit_it(project: Project, name: str) -> None:
    loaded, resolution = load_resolved(written(project, name), {})
    assert list(loaded.experiment.scorers or {}) == SCORERS[name], resolution.sentences
    assert loaded.experiment.stats.primary == (SCORERS[name][0],)
    tree: dict[str, Any] = effective(loaded, {"small"}, {"main"})
    assert tree["datasets"]["mine"]["format"]


@pytest.mark.parametrize("name", ["choices.jsonl", "no_gold.jsonl", "context_rows.jsonl", "answer_column.csv"])
def test_a_case_of_each_kind_runs_to_its_report(project: Project, name: str) -> None:
    written(project, name)
    outcome = project.run()
    assert outcome.code == 0, outcome.err
    assert (project.trial_folder() / "reports" / "report.md").exists()
    said = outcome.err.splitlines()
    assert sum("read as " in line for line in said) == 1  # at the beginning, and not again when questions are read
    assert sum("columns: question from " in line for line in said) == 1


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_case_that_is_wrong_is_refused_with_its_line_and_what_to_write(project: Project, name: str) -> None:
    written(project, name)
    outcome = project.call("config", "check", "--json")
    (problem,) = json.loads(outcome.out)["problems"]
    assert outcome.code == 2
    assert f"{name}:1: " in problem
    assert re.search(r"docs/question(s|_files)\.md#", problem)


def test_a_gold_that_reads_as_a_refusal_is_noted_with_its_line(project: Project) -> None:
    written(project, "refusal_as_gold.jsonl")
    notes = json.loads(project.call("config", "check", "--json").out)["notes"]
    assert any("refusal_as_gold.jsonl:1" in note and "is_unanswerable" in note for note in notes)
