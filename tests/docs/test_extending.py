"""The examples of docs/extending*.md work when they are put where the pages say, with the lines that they print."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from docs.examples import clerk, short, superiority, tabbed
from promptrial.datasets.base import Reading
from promptrial.errors import DataError
from promptrial.providers.base import BatchProvider
from promptrial.scoring.contract import Scorer
from promptrial.stats.statistic import Statistic
from tests.support.emulator_client import EmulatorClient
from tests.support.project import Project

ROOT = Path(__file__).parents[2]
PAGE = "\n".join(page.read_text() for page in sorted((ROOT / "docs").glob("extending*.md"), reverse=True))
PLACES = re.findall(r"^`src/(promptrial\w*/\S+\.py)`:\n\n<!-- generated: example (\S+) -->", PAGE, re.MULTILINE)
LINES = re.findall(
    r'^# src/(promptrial\S+\.py), (?:at the end of|in) (\w+)(?: behind ("\w+"))?\n(    .*)$', PAGE, re.MULTILINE
)
BASE = """
name: ext
provider: {provider}
models:
  anna: {{id: accounts/fireworks/models/small}}
prompt_sets:
  default:
    control: {root}/config/prompts/control.txt
    treatment: {root}/config/prompts/operational_only.txt
task_instructions:
  open_book: {root}/config/task_instructions/open_book.txt
  closed_book: {root}/config/task_instructions/closed_book.txt
datasets:
  own: {{format: {format}, path: {root}/docs/examples/{questions}}}
stats: {{bootstrap_samples: 1000, permutation_samples: 1000}}
execution: {{poll_interval_s: 0.01, longest_poll_interval_s: 0.02, settle_s: 0.1, first_retry_s: 0.01}}
"""


def copied(target: Path) -> Path:
    """Return a folder with a copy of both packages as they are, with what Python has compiled of them."""
    for package in ("promptrial", "promptrial_emulator"):
        shutil.copytree(ROOT / "src" / package, target / package)
    return target


def extend(source: Path, *names: str) -> None:
    """Add examples to a copy: of each the one file, at its place, and the one line that the page prints for it."""
    for place, name in PLACES:
        if name not in names:
            continue
        assert not (source / place).exists()
        shutil.copy(ROOT / "docs/examples" / name, source / place)
        module = place.removesuffix(".py").replace("/", ".")
        ((file, table, behind, line),) = (each for each in LINES if f"{module}:" in each[3])
        path = source / file
        text = path.read_text()
        start = text.index(f"{table}: Final")
        at = text.index("\n}", start) if not behind else text.index("\n", text.index(behind, start))
        path.write_text(f"{text[:at]}\n{line}{text[at:]}")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a copy of the packages with all examples added."""
    made = copied(tmp_path / "source")
    extend(made, *(name for _, name in PLACES))
    return made


def test_the_pages_show_one_extension_of_each_kind() -> None:
    assert len(PLACES) == 6
    tables = [table for _, table, _, _ in LINES]
    assert sorted(tables) == ["DATASETS", "FAULTS", "PHASES", "PROVIDERS", "SCORERS", "STATISTICS"]


def test_the_examples_implement_their_protocols() -> None:
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
    assert overall["short"]["n_pairs"] == 5
    described = [row for row in document["estimates"] if row["method"] == "superiority"]
    share = {row["metric"]: row["estimate"] for row in described if row["scope"] == "overall"}
    assert share["em"] == pytest.approx(7 / 12)


def phases_of_last_call(project: Project) -> list[str]:
    """Return the phases that the last invocation executed."""
    log = [json.loads(line) for line in (project.run_root() / "run.log").read_text().splitlines()]
    last = max(place for place, event in enumerate(log) if event["event"] == "begin")
    return [event["phase"] for event in log[last:] if event["event"] == "phase"]


def test_a_custom_scorer_is_one_file_and_one_line(project: Project) -> None:
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


# --- one new file and one line, a run, a resume and a second resume --------------------------------------------------


class Lab:
    """A run of a small trial by a copy of the program, which gets an example added before or after it began."""

    def __init__(
        self, folder: Path, provider: str = "clerk", file_format: str = "custom", questions: str = "questions.jsonl"
    ) -> None:
        self.folder = folder
        self.source = copied(folder / "source")
        config = BASE.format(root=ROOT, provider=provider, format=file_format, questions=questions)
        (folder / "trial.yaml").write_text(config)

    def run(self, *flags: str, env: Mapping[str, str] | None = None) -> list[str]:
        """Run, and return the phases that were executed."""
        words = [sys.executable, "-m", "promptrial", "run", "--config", "trial.yaml", "--run_id", "e", *flags]
        env = {**os.environ, "PYTHONPATH": str(self.source), **(env or {})}
        outcome = subprocess.run(words, cwd=self.folder, env=env, capture_output=True, text=True, check=False)
        assert outcome.returncode == 0, outcome.stderr
        executed = re.findall(r"^(\w+): running", outcome.stderr, re.MULTILINE)
        assert ("nothing was left to do" in outcome.stderr) == (not executed)
        return executed

    def results(self) -> Path:
        return next((self.folder / "experiments/run_e").glob("*/results"))


ALL = ["prepare", "build", "submit", "poll", "parse", "score", "stats", "costs", "report"]


def test_a_provider_is_one_file_and_one_line(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    extend(lab.source, "clerk.py")
    assert lab.run("--to_step", "build") == ALL[:2]
    assert lab.run("--resume") == ALL[2:]
    assert lab.run("--resume") == []


def test_a_format_of_question_files_is_one_file_and_one_line(tmp_path: Path) -> None:
    lab = Lab(tmp_path, file_format="tabbed", questions="metals.tsv")
    extend(lab.source, "clerk.py", "tabbed.py")
    assert lab.run("--to_step", "prepare") == ALL[:1]
    assert lab.run("--resume") == ALL[1:]
    assert lab.run("--resume") == []


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16-le", "shift_jis"])
def test_the_example_of_a_format_reads_its_files_in_the_encoding_that_the_configuration_names(
    encoding: str, tmp_path: Path
) -> None:
    path = tmp_path / "q.tsv"
    path.write_text("q1\t金の記号は何か\tAu\nq2\t鉄の記号は何か\tFe\n", encoding=encoding)
    items = [*tabbed.FORMAT.read(path, "own", reading=Reading(encoding))]
    assert [(item.id, item.question, item.answers) for item in items] == [
        ("q1", "金の記号は何か", ("Au",)),
        ("q2", "鉄の記号は何か", ("Fe",)),
    ]
    path.write_bytes(b"q1\tA?\tb\nq2\t\xff?\tc\n")
    with pytest.raises(DataError, match=r"q\.tsv:2: not UTF-8: invalid start byte at byte 4 of the line"):
        list(tabbed.FORMAT.read(path, "own"))


@pytest.mark.parametrize(
    ("example", "runs_again", "made"),
    [
        ("superiority.py", ["stats", "report"], "superiority"),
        ("changed.py", ["changed"], ""),
    ],
)
def test_adding_an_extension_to_a_finished_run_reruns_only_its_dependents(
    example: str, runs_again: list[str], made: str, tmp_path: Path
) -> None:
    lab = Lab(tmp_path)
    extend(lab.source, "clerk.py")
    assert lab.run() == ALL
    extend(lab.source, example)
    assert lab.run("--resume") == runs_again
    assert made in (lab.results() / "significance.json").read_text()
    assert lab.run("--resume") == []


def test_a_new_scorer_type_runs_where_it_is_named_without_asking_again(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    extend(lab.source, "clerk.py")
    assert lab.run() == ALL
    extend(lab.source, "short.py")
    assert lab.run("--resume") == []
    config = tmp_path / "trial.yaml"
    config.write_text(f"{config.read_text()}scorers: {{em: , short: {{most_words: 3}}}}\n")
    assert lab.run("--resume") == ["score", "stats", "costs", "report"]
    assert "short" in json.loads((lab.results() / "significance.json").read_text())["endpoints"][-1]["metric"]
    assert lab.run("--resume") == []


def test_a_fault_of_the_emulator_is_one_file_and_one_line(tmp_path: Path) -> None:
    lab = Lab(tmp_path, provider="fireworks")
    extend(lab.source, "login.py")
    words = [sys.executable, "-m", "promptrial", "emulator", "--state", str(tmp_path / "state")]
    env = {**os.environ, "PYTHONPATH": str(lab.source)}
    with subprocess.Popen(words, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        client = EmulatorClient(process.stdout.readline().split()[-1])
        try:
            where = {"FIREWORKS_API_BASE": client.url, "FIREWORKS_API_KEY": "emulator-key"}
            where["FIREWORKS_ACCOUNT_ID"] = "emulator"
            client.fault("F19", "get_download_endpoint")
            assert lab.run("--to_step", "submit", env=where) == ALL[:3]
            assert lab.run("--resume", env=where) == ALL[3:]
            assert client.fired() == [1]
            assert lab.run("--resume", env=where) == []
        finally:
            client.close()
            process.terminate()
