"""The function and the program of docs/own_scorers.md score answers as the page configures them."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

from promptrial.model import Item
from promptrial.scoring.contract import Response
from promptrial.scoring.types.command import _line
from tests.support.project import Project

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/own_scorers.md").read_text()


def run_example(project: Project, heading: str) -> list[dict[str, str]]:
    """Run the example of a section as it is configured there; return the scores."""
    section = PAGE[PAGE.index(f"## {heading}\n") :]
    scorers = re.findall(r"^```yaml\n(scorers:\n(?:  .*\n)*)```", section, re.MULTILINE)[0]
    name = re.findall(r"^`(\S+)`, beside the configuration:", section, re.MULTILINE)[0]
    shutil.copy(ROOT / "docs/examples" / name, project.config.parent / name)
    project.config.write_text(project.config.read_text() + scorers)
    outcome = project.run()
    assert outcome.code == 0, outcome.err
    with (project.trial_folder() / "results/per_item_scores.csv").open(newline="") as table:
        return list(csv.DictReader(table))


def test_the_example_of_a_function_runs_as_the_page_configures_it(project: Project) -> None:
    rows = run_example(project, "A function of your own")
    assert {row["short"] for row in rows if row["dataset"] == "closed_set"} <= {"0", "1"}
    assert {row["short"] for row in rows if row["dataset"] == "open_set"} == {""}
    assert {row["recall"] for row in rows if row["dataset"] == "closed_set"} >= {"0", "1"}
    assert "Short years" in project.details()


def test_the_example_of_a_program_runs_as_the_page_configures_it(project: Project) -> None:
    rows = run_example(project, "A program of your own")
    assert all(0 <= float(row["echo"]) <= 1 for row in rows)
    assert "Echo of the question" in project.details()
    record = json.loads((project.trial_folder() / "results/scorers.json").read_text())["scorers"][1]
    assert record["declared"]["direction"] == "lower"
    assert len(record["sha256"]) == 64


def test_the_line_that_the_page_shows_is_what_a_program_reads() -> None:
    (shown,) = re.findall(r"^```json\n(\{.*?\})\n```$", PAGE, re.MULTILINE | re.DOTALL)
    page = json.loads(shown)
    item = Item(id="q7", dataset="own", question="...", answers=("mercury", "quicksilver"))
    assert json.loads(_line(1, item, Response("It is mercury."), whole=False)) == page
