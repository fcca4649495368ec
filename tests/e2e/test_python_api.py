"""Runs from Python: the same engine, the same files, and what a run shows as tables and sentences."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import promptrial
from promptrial.errors import PromptrialError, UsageError
from tests.e2e.test_without_gold import NEEDS_NONE, NO_GOLD, write
from tests.support.project import Project


@pytest.fixture
def finished(project: Project) -> promptrial.Run:
    return promptrial.run(project.config, run_id="r", quiet=True)


def test_a_run_from_python_makes_the_files_that_the_command_makes(project: Project) -> None:
    promptrial.run(project.config, run_id="r", quiet=True)
    made = {path: digest for path, digest in project.snapshot().items() if "/results/p" in path or "/reports/" in path}
    assert project.run("--experiments_dir", "other").code == 0
    other = Project(project.root / "other_root")
    del other
    for path in made:
        assert (project.root / "other/run_r" / path).read_bytes() == (project.run_root() / path).read_bytes(), path


def test_the_verdict_is_that_of_the_report(project: Project, finished: promptrial.Run) -> None:
    assert finished.verdict.sentences
    assert all(text in repr(finished) for text in finished.verdict.sentences)
    page = (project.run_root() / "report.html").read_text()
    assert all(finding.lead.strip()[:20] in page for finding in finished.verdict.findings)


def test_effects_are_those_of_the_statistics(project: Project, finished: promptrial.Run) -> None:
    document = json.loads(next(project.run_root().glob("*/results/significance.json")).read_text())
    wanted = {row["metric"]: row for row in document["endpoints"] if row["scope"] == "overall"}
    rows = finished.effects.arrow.to_pylist()
    assert {row["metric"] for row in rows} == {*wanted}
    for row in rows:
        for name in ("difference", "ci_low", "ci_high", "p", "n_pairs", "significant"):
            assert row[name] == wanted[row["metric"]][name]


def test_effects_are_in_the_units_of_the_scores_with_their_decision(project: Project) -> None:
    write(project, NO_GOLD, {"scorers": NEEDS_NONE, "stats": {"primary": ["words"], "permutation_samples": 999}})
    run = promptrial.run(project.config, run_id="r", quiet=True)
    (row,) = (each for each in run.effects.arrow.to_pylist() if each["metric"] == "words")
    scores: dict[str, list[float]] = {"control": [], "treatment": []}
    for each in run.scores.arrow.to_pylist():
        scores[each["condition"]].append(each["words"])
    means = {arm: sum(of) / len(of) for arm, of in scores.items()}
    assert means["control"] > 1, "words, and no share of 50 words"
    assert row["mean_control"] == pytest.approx(means["control"])
    assert row["mean_treatment"] == pytest.approx(means["treatment"])
    assert row["difference"] == pytest.approx(means["treatment"] - means["control"])
    assert row["ci_low"] <= row["difference"] <= row["ci_high"]
    table = next(line for line in project.details().splitlines() if line.startswith("|") and row["decision"] in line)
    assert [each.strip() for each in table.split("|")][1].lower() == "words"


def test_items_responses_and_scores_are_complete(project: Project, finished: promptrial.Run) -> None:
    results = next(project.run_root().glob("*/results"))
    assert len(finished.items) == 14
    assert len(finished.responses) == len(list(csv.DictReader((results / "predictions.csv").read_text().splitlines())))
    assert len(finished.scores) == 28
    assert {"question", "gold", "outcome treatment vs control"} <= {*finished.items.arrow.column_names}


def test_tables_convert_to_pandas_polars_and_arrow(finished: promptrial.Run) -> None:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    rows = finished.effects.arrow.to_pylist()
    assert pa.table(finished.effects).to_pylist() == rows
    as_pandas, as_polars = finished.effects.to_pandas(), finished.effects.to_polars()
    assert isinstance(as_pandas, pd.DataFrame)
    assert list(as_pandas["metric"]) == [row["metric"] for row in rows]
    assert isinstance(as_polars, pl.DataFrame)
    assert as_polars["metric"].to_list() == [row["metric"] for row in rows]


def test_a_notebook_shows_verdict_and_plot_and_escapes_tags_in_answers(finished: promptrial.Run) -> None:
    html = finished._repr_html_()
    assert "<svg" in html
    assert "<script" not in html


def test_a_mapping_is_accepted_as_a_configuration_and_written_where_its_paths_start(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root / "config")
    tree = yaml.safe_load(project.config.read_text())
    found = promptrial.run(tree, run_id="own", quiet=True)
    assert found.folder == Path("experiments/run_own")
    assert Path("promptrial_own.yaml").is_file()
    again = promptrial.run(tree, run_id="own", resume=True, quiet=True)
    assert again.verdict == found.verdict
    with pytest.raises(UsageError, match="has other contents"):
        promptrial.run({**tree, "seed": 7}, run_id="own", resume=True, quiet=True)


def test_a_run_of_this_name_is_refused_without_resume(project: Project, finished: promptrial.Run) -> None:
    assert finished.run_id == "r"
    with pytest.raises(PromptrialError, match="already exists"):
        promptrial.run(project.config, run_id="r", quiet=True)
    assert promptrial.run(project.config, run_id="r", resume=True, quiet=True).verdict == finished.verdict


def test_a_run_of_several_trials_asks_for_the_name_of_one(project: Project) -> None:
    project.write_config({"sweep": {"prompt_sets": ["main", "other"]}})
    found = promptrial.run(project.config, run_id="r", quiet=True)
    assert len(found.trials) == 2
    assert all(each.verdict.sentences for each in found.trials.values())
    with pytest.raises(UsageError, match="several trials"):
        _ = found.verdict


@pytest.mark.parametrize("path", ["nowhere", "config"])
def test_a_folder_that_is_not_a_run_is_refused_in_one_sentence(project: Project, path: str) -> None:
    assert project.root.is_dir()
    with pytest.raises(UsageError, match="not the folder of a run"):
        promptrial.load_run(path)


def test_an_unfinished_run_says_how_to_continue(project: Project) -> None:
    project.given_run("--to_step", "parse")
    with pytest.raises(UsageError, match="is not finished") as found:
        promptrial.load_run(project.run_root())
    assert "--resume" in str(found.value.hint)


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import promptrial, sys; print(*[name for name in sys.modules if name.startswith('promptrial.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_mapping_says_where_runs_are_kept_as_a_file_does(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.root / "config")
    monkeypatch.setenv("KEPT", "kept")
    tree = yaml.safe_load(project.config.read_text()) | {"paths": {"experiments_dir": "${KEPT}/here"}}
    assert promptrial.run(tree, run_id="own", quiet=True).folder == Path("kept/here/run_own")


@pytest.mark.parametrize("run_id", ["../x", "", "a/b", "r"])
def test_a_refused_mapping_leaves_no_file(project: Project, monkeypatch: pytest.MonkeyPatch, run_id: str) -> None:
    monkeypatch.chdir(project.root / "config")
    before = sorted(project.root.rglob("*"))
    tree = yaml.safe_load(project.config.read_text()) | {"no_such_key": 1}
    with pytest.raises(PromptrialError):
        promptrial.run(tree, run_id=run_id, quiet=True)
    assert sorted(project.root.rglob("*")) == before
