"""The examples of docs/extending.md work when they are put where the page says, with the lines that it prints."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docs.examples import clerk, short, superiority
from promptrial.providers.base import BatchProvider
from promptrial.scoring.contract import Scorer
from promptrial.stats.statistic import Statistic
from tests.support.project import Project

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/extending.md").read_text()
PLACES = re.findall(r"^`src/(promptrial/\S+\.py)`:\n\n<!-- generated: example (\S+) -->", PAGE, re.MULTILINE)
LINES = re.findall(
    r'^# src/promptrial/registry\.py, (?:at the end of|in) (\w+)(?: behind ("\w+"))?\n(    .*)$', PAGE, re.MULTILINE
)


def extended(registry: str) -> str:
    """Return the registry with every line that the page prints, each at the place that it names."""
    for table, behind, line in LINES:
        start = registry.index(f"{table}: Final")
        place = registry.index("\n}", start) if not behind else registry.index("\n", registry.index(behind, start))
        registry = f"{registry[:place]}\n{line}{registry[place:]}"
    return registry


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a copy of the package with all examples added."""
    shutil.copytree(ROOT / "src/promptrial", tmp_path / "promptrial", ignore=shutil.ignore_patterns("__pycache__"))
    for place, name in PLACES:
        assert not (tmp_path / place).exists()
        shutil.copy(ROOT / "docs/examples" / name, tmp_path / place)
    path = tmp_path / "promptrial/registry.py"
    path.write_text(extended(path.read_text()))
    return tmp_path


def test_the_page_adds_one_of_each_kind() -> None:
    assert len(PLACES) == 5
    tables = [table for table, _, _ in LINES]
    assert sorted(tables) == ["DATASETS", "PHASES", "PROVIDERS", "SCORERS", "STATISTICS"]


def test_the_examples_keep_the_protocols_that_they_are_examples_of() -> None:
    provider: type[BatchProvider] = clerk.ClerkProvider  # the types are checked by mypy
    scorer: Scorer = short.Short()
    statistic: Statistic = superiority.STATISTIC
    assert (provider.name, scorer.declared.label, statistic.name) == ("clerk", "Short answers", "superiority")
    wanted = {name for name in dir(BatchProvider) if not name.startswith("_")}
    assert wanted <= set(dir(provider))


def test_a_trial_of_all_examples_shows_what_each_of_them_does(source: Path, tmp_path: Path) -> None:
    command = re.findall(r"^promptrial (run .*)$", PAGE, re.MULTILINE)[-1].split()
    words = [sys.executable, "-m", "promptrial", *command, "--experiments_dir", str(tmp_path / "runs")]
    env = {**os.environ, "PYTHONPATH": str(source)}
    outcome = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr

    results = next((tmp_path / "runs/run_examples").glob("*/results"))
    state = json.loads((results.parents[1] / "run_state.json").read_text())
    assert state["phases"]["changed"]["status"] == "completed"
    with (results / "predictions.csv").open() as file:
        answers = {(row["item_id"], row["condition"]): row["response_text"] for row in csv.DictReader(file)}
    assert answers["m1", "control"] == "Au"
    assert answers["q3", "control"] == "Hg"
    assert answers["q3", "treatment"] == "I don't know."
    with (results / "changed.csv").open() as file:
        assert [(row["control"], row["treatment"]) for row in csv.DictReader(file)] == [("0", "1")]

    document = json.loads((results / "significance.json").read_text())
    overall = {row["metric"]: row for row in document["endpoints"] if row["scope"] == "overall"}
    assert overall["short_rate"]["n_pairs"] == 5
    described = [row for row in document["estimates"] if row["method"] == "superiority"]
    share = {row["metric"]: row["estimate"] for row in described if row["scope"] == "overall"}
    assert share["em"] == pytest.approx(7 / 12)


def phases_of_last_call(project: Project) -> list[str]:
    """Return the phases that the last invocation executed."""
    log = [json.loads(line) for line in (project.run_root() / "run.log").read_text().splitlines()]
    last = max(place for place, event in enumerate(log) if event["event"] == "begin")
    return [event["phase"] for event in log[last:] if event["event"] == "phase"]


def test_a_scorer_of_ones_own_is_one_file_and_one_line(project: Project) -> None:
    """A run, a resume with nothing to do, an edit, and a resume that scores again and asks nothing."""
    (scorers,) = re.findall(r"^```yaml\n(scorers:\n(?:  .*\n)*)```", PAGE, re.MULTILINE)
    (place,) = re.findall(r"^`(\S+)`, beside the configuration:", PAGE, re.MULTILINE)
    file = project.config.parent / place
    file.parent.mkdir()
    shutil.copy(ROOT / "docs/examples/polite.py", file)
    project.config.write_text(project.config.read_text() + scorers)
    assert project.run().code == 0
    with (project.trial_folder() / "results/per_item_scores.csv").open() as table:
        assert {"em", "f1", "polite"} <= set(csv.DictReader(table).fieldnames or ())
    assert project.run("--resume").code == 0
    assert phases_of_last_call(project) == []

    file.write_text(file.read_text().replace("text.count(word)", "3.0 * text.count(word)"))
    assert project.run("--resume").code == 0
    assert phases_of_last_call(project) == ["score", "stats", "costs", "report"]
    assert project.run("--resume").code == 0
    assert phases_of_last_call(project) == []
