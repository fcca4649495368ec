"""Scoring rules that a user chooses are recorded and reported; a user who chooses none sees no change."""

from __future__ import annotations

import csv
import json
import re
from typing import Any

import pytest

from tests.support.project import Project

DATASETS: dict[str, dict[str, str]] = {
    "open_set": {"format": "squad_v2", "path": "open.json"},
    "closed_set": {"format": "custom", "path": "closed.jsonl"},
}


def with_rules(project: Project, **chosen: str) -> None:
    project.write_config({"datasets": {**DATASETS, "closed_set": DATASETS["closed_set"] | chosen}})


def with_squad_v1(project: Project) -> None:
    """Make a version 1.1 file of the project's questions."""
    path = project.root / "config" / "open.json"
    document = json.loads(path.read_text())
    for paragraph in document["data"][0]["paragraphs"]:
        paragraph["qas"] = [
            {key: value for key, value in question.items() if key != "is_impossible"}
            for question in paragraph["qas"]
            if question["answers"]
        ]
    path.write_text(json.dumps(document | {"version": "1.1"}))


def sources(project: Project, run_id: str) -> dict[str, Any]:
    manifest = json.loads((project.root / f"experiments/run_{run_id}/prepared/manifest.json").read_text())
    found: dict[str, Any] = manifest["facts"]["sources"]
    return found


def report(project: Project, run_id: str) -> str:
    (path,) = (project.root / f"experiments/run_{run_id}").glob("*/reports/details.md")
    return re.sub(r" +", " ", path.read_text().replace("\\_", "_"))


def test_without_configured_rules_nothing_is_recorded_and_the_report_names_the_rules_of_the_format(
    project: Project,
) -> None:
    outcome = project.call("run", "--run_id", "r")
    assert outcome.code == 0, outcome.err
    assert not any("rules" in source for source in sources(project, "r").values())
    effective = (project.root / "experiments/run_r/effective_config.yaml").read_text()
    assert "rules:" not in effective
    assert "tokens:" not in effective.replace("max_new_tokens:", "")
    assert "| open_set | squad_v2 | squad_v2 |" in report(project, "r")
    assert "| closed_set | custom | squad_v2 |" in report(project, "r")
    assert "the scoring rules of closed_set compare text character by character." in report(project, "r")


def test_the_version_of_an_official_squad_file_is_read_in_the_encoding_of_the_configuration(project: Project) -> None:
    with_squad_v1(project)
    path = project.root / "config" / "open.json"
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-16-le")
    project.write_config({"datasets": {**DATASETS, "open_set": DATASETS["open_set"] | {"encoding": "utf-16-le"}}})
    outcome = project.call("run", "--run_id", "r", "--to_step", "prepare")
    assert outcome.code == 0, outcome.err
    assert sources(project, "r")["open_set"]["rules"] == "squad_v1"


def exact_matches(project: Project, dataset: str) -> float:
    with (project.trial_folder() / "results/per_item_scores.csv").open(newline="") as file:
        return sum(float(row["em"]) for row in csv.DictReader(file) if row["dataset"] == dataset)


def test_chosen_rules_are_reported_and_score_again_without_asking(project: Project) -> None:
    rows = [{"id": f"c{n}", "question": f"Question {n}?", "answers": ["PARIS", "Year 1912"]} for n in range(8)]
    (project.root / "config" / "closed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert project.call("run", "--run_id", "r").code == 0
    assert exact_matches(project, "closed_set") > 0
    in_order, answers = exact_matches(project, "open_set"), project.snapshot()
    prepared = (project.root / "experiments/run_r/prepared/manifest.json").read_bytes()
    with_rules(project, rules="exact")
    refused = project.call("run", "--run_id", "r", "--resume")
    assert refused.code == 3
    assert 'datasets.closed_set.rules: missing -> "exact"' in refused.err
    forced = project.call("run", "--run_id", "r", "--resume", "--force")
    assert forced.code == 0, forced.err
    assert (project.root / "experiments/run_r/prepared/manifest.json").read_bytes() == prepared
    assert "| closed_set | custom | exact |" in report(project, "r")
    assert exact_matches(project, "closed_set") == 0
    assert exact_matches(project, "open_set") == in_order
    kept = [path for path in answers if path.endswith(("predictions.csv", ".jsonl")) and "log" not in path]
    assert {path: project.snapshot()[path] for path in kept} == {path: answers[path] for path in kept}


def test_a_squad_1_1_file_is_scored_by_its_own_rules(project: Project) -> None:
    with_squad_v1(project)
    outcome = project.call("run", "--run_id", "r")
    assert outcome.code == 0, outcome.err
    assert sources(project, "r")["open_set"]["rules"] == "squad_v1"
    assert "| open_set | squad_v2 | squad_v1 |" in report(project, "r")
    again = project.call("run", "--run_id", "r", "--resume")
    assert again.code == 0
    assert "nothing" in again.err + again.out


def test_unknown_rules_are_refused_with_file_and_line(project: Project) -> None:
    with_rules(project, rules="squad")
    outcome = project.call("plan")
    assert outcome.code == 2
    assert "datasets.closed_set.rules" in outcome.err


@pytest.mark.parametrize("command", [("run", "--run_id", "r", "--to_step", "prepare"), ("audit",)])
def test_a_gold_that_reads_as_a_refusal_is_reported_with_file_and_line(
    project: Project, command: tuple[str, ...]
) -> None:
    rows = [{"id": "c1", "question": "Who?", "answers": ["I don't know."]}]
    (project.root / "config" / "closed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    outcome = project.call(*command)
    assert outcome.code == 0
    said = outcome.out + outcome.err
    assert "closed.jsonl:1" in said
    assert "is_unanswerable" in said


def test_an_unreadable_question_file_does_not_fail_an_audit(project: Project) -> None:
    (project.root / "config" / "closed.jsonl").write_text("{")
    outcome = project.call("audit")
    assert outcome.code == 0
    assert "gold answers of closed_set were not checked" in outcome.err
