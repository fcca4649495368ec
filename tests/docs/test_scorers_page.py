"""docs/scorers*.md: every type has a section, every example scores as the page says, every block of YAML runs."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from docs.scorer_tables import EXAMPLES, configured
from promptrial import registry
from promptrial.config.extracts import typed_steps
from promptrial.config.typed import typed
from promptrial.model import Item
from promptrial.reporting.tables.meanings import asked
from promptrial.scoring.base import ScoringSettings, prepare_gold
from promptrial.scoring.contract import Response
from promptrial.scoring.extracts import Extract
from promptrial.scoring.panel import Panel
from tests.support.project import Project

PAGE: Final = "\n".join(page.read_text() for page in sorted((Path(__file__).parents[2] / "docs").glob("scorers*.md")))
BLOCKS: Final = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]
ROWS: Final = [(name, row) for name, each in EXAMPLES.items() for row in each.get("rows", ())]
ELSEWHERE: Final = {"command", "judge", "pairwise_judge"}
"""Types that docs/own_scorers.md and docs/judges.md explain."""


def item_of_row(example: dict[str, Any], row: dict[str, Any]) -> Item:
    answers = (str(row["gold"]),) if "gold" in row else ()
    choices = tuple(example.get("choices", ()))
    return Item(
        id="1", dataset="d", question="?", answers=answers, is_unanswerable=not answers, choices=choices,
        context=example.get("passage"),
    )  # fmt: skip


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_each_example_scores_as_the_page_says(name: str, row: dict[str, Any]) -> None:
    column, entry = configured(name)
    scorer = typed(registry.load("scorer", entry.kind), entry.settings)
    extracts = {column: Extract(typed_steps(entry.extract))} if entry.extract is not None else {}
    gold = prepare_gold(item_of_row(EXAMPLES[name], row), "custom", ScoringSettings())
    (score,) = Panel({column: scorer}, extracts).score(gold, Response(row["answer"]))
    assert score == pytest.approx(row["score"], abs=0.0005)


def test_every_scorer_type_has_a_section_with_settings_and_a_discriminating_example() -> None:
    for kind in registry.SCORERS:
        assert f"[`{kind}`](" in PAGE
        if kind not in ELSEWHERE:
            section = PAGE.partition(f"\n## {kind}\n")[2].partition("\n## ")[0]
            assert f"<!-- generated: scorer {kind} -->\n```yaml\n" in section, kind
            assert f"<!-- generated: settings {kind} -->\n" in section, kind
            assert {row["score"] for row in EXAMPLES[kind]["rows"]} != {0}
    assert {name for name in EXAMPLES if name not in registry.SCORERS} == {"extract"}


def test_every_setting_of_a_type_is_explained() -> None:
    for table in re.findall(r"<!-- generated: settings \w+ -->\n(.*?)<!-- end -->", PAGE, re.DOTALL):
        for row in re.findall(r"^\| `\w+` \|.*$", table, re.MULTILINE):
            assert len(row.split(" | ")[-1].strip(" |")) > 10, row


def test_every_step_of_extract_is_listed_and_its_settings_explained() -> None:
    table = PAGE.partition("<!-- generated: extract -->")[2].partition("<!-- end -->")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(registry.EXTRACTS)


def test_a_small_trial_with_every_scorer_of_the_page_ends_with_a_report_that_says_what_each_asks(
    project: Project,
) -> None:
    """All blocks of the page in one list of scorers, on questions that have a passage, choices and a number."""
    scorers: dict[str, Any] = {}
    for place, block in enumerate(each for each in BLOCKS if "scorers" in each):
        for name, entry in block["scorers"].items():
            scorers[f"s{place}_{name}"] = {"type": registry.scorer_type(name), **(entry or {})}
    questions = [
        {"id": f"q{n}", "question": "How many?", "choices": ["6", "8", "10"], "answers": ["8"], "context": "It has 8."}
        for n in range(4)
    ]
    path = project.config.parent / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in questions))
    project.write_config(
        {
            "datasets": {"own": {"path": "questions.jsonl"}},
            "scorers": scorers,
            "parts_per_dataset": 1,
        }
    )
    outcome = project.run()
    assert outcome.code == 0, outcome.err
    with (project.trial_folder() / "results/per_item_scores.csv").open(newline="") as file:
        assert set(scorers) < set(csv.DictReader(file).fieldnames or ())
    report = project.details()
    for each in json.loads((project.trial_folder() / "results/scorers.json").read_text())["scorers"]:
        said = asked(each["declared"]["meaning"]).replace("|", "\\|")
        assert re.sub(r"[^\w ]", "", said)[:60] in re.sub(r"[^\w ]", "", report), each["name"]
