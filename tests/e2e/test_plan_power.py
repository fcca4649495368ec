"""The section of a plan that says what the run can show, before it has asked and from what it has scored."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from promptrial import registry
from promptrial.cli.plan_text import WIDTH
from promptrial.phases import planned_power
from promptrial.store.tables import read_batches
from tests.support.project import Project


def section(project: Project, *words: str) -> list[str]:
    outcome = project.call("plan", *words)
    assert outcome.code == 0
    lines = outcome.out.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("power at "))
    return lines[start : start + 8]


def values(project: Project, *words: str) -> dict[str, Any]:
    outcome = project.call("plan", "--json", *words)
    assert outcome.code == 0
    found: dict[str, Any] = json.loads(outcome.out)["power"]
    return found


def test_the_plan_of_a_new_run_shows_the_detectable_difference_and_its_assumptions(project: Project) -> None:
    lines = section(project, "--run_id", "r")
    assert lines[0].startswith("power at level 0.05: smallest detectable difference,")
    rows = [line for line in lines if line.startswith("  em ")]
    assert [row.split()[1:4] for row in rows] == [["icc", "0.05", "14"], ["icc", "0.2", "14"]]
    assert "assumed: 0/1 scores differ on 20% of items" in " ".join(" ".join(lines).split())
    assert max(map(len, lines)) <= WIDTH


def test_the_json_plan_has_every_figure_with_its_assumptions(project: Project) -> None:
    project.write_config({"stats": {"primary": ["em", "f1"], "alpha": 0.04}, "samples_per_item": 3, "temps": [0.7]})
    rows = values(project, "--run_id", "r", "--icc", "0.1", "--sd", "0.3")["endpoints"]
    assert [(row["metric"], row["alpha"], row["tests_in_family"], row["replicates"]) for row in rows] == [
        ("em", 0.02, 2, 3),
        ("f1", 0.02, 2, 3),
    ]
    graded = rows[1]
    assert (graded["items"], graded["passages"], graded["from"]) == (14, 11, "assumptions")
    assert {"sd": 0.3, "icc": 0.1, "within": 0.5}.items() <= graded["assumed"].items()
    assert [each["power"] for each in graded["detectable"]] == [0.8, 0.9]
    assert [each["difference"] for each in graded["items_needed"]] == [0.01, 0.02, 0.03, 0.05]


def test_too_few_passages_are_reported_with_the_number_needed(project: Project) -> None:
    project.write_config({"limit_items": 2})
    lines = section(project, "--run_id", "r")
    assert lines[3].split("4  ")[1] == "no p reaches 0.05 with 3 passages: needs 6"


def test_the_plan_from_a_finished_runs_figures_gives_the_detectable_difference_of_its_report(project: Project) -> None:
    rows = [{"id": f"c{n}", "question": f"Question {n}?", "answers": ["Paris", "1912"]} for n in range(60)]
    path = project.root / "config" / "closed.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    project.write_config({"datasets": {"closed": {"format": "custom", "path": "closed.jsonl"}}})
    assert project.run().code == 0
    (document,) = project.root.glob("experiments/run_r/*/results/significance.json")
    found = next(
        row
        for row in json.loads(document.read_text())["estimates"]
        if (row["method"], row["metric"], row["scope"]) == ("paired_difference", "em", "overall")
    )
    figures, n = found["figures"], found["n_pairs"]
    detectable = figures["detectable_at_80_percent_power"]
    assert detectable is not None
    said = project.call("power", "--sd", repr(figures["se_naive"] * n**0.5), "--n", str(n), "--json")
    assert json.loads(said.out)["detectable"] == pytest.approx(detectable, rel=1e-9)
    (report,) = project.root.glob("experiments/run_r/*/reports/details.md")
    precision = report.read_text().partition("Precision")[2]
    row = next(line for line in precision.splitlines() if line.startswith("| Exact match"))
    printed = row.strip(" |").rpartition("|")[2].strip()
    assert f"{100 * json.loads(said.out)['detectable']:.3g}" == f"{float(printed):.3g}"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--discordance", "0"], "if no answers differ, there is nothing to detect"),
        (["--baseline", "1"], "if no answers differ, there is nothing to detect"),
        (["--baseline", "0.95", "--discordance", "0.2"], "at most 0.1"),
    ],
)
def test_impossible_assumptions_are_refused(project: Project, words: list[str], message: str) -> None:
    outcome = project.call("plan", *words)
    assert outcome.code == 2
    assert message in outcome.err


def test_a_margin_that_the_sample_cannot_show_is_noted_before_a_question_is_asked(project: Project) -> None:
    project.write_config({"stats": {"tost_margins": {"em": 0.05}}})
    said = project.call("plan", "--run_id", "r").prose
    assert "note: stats.tost_margins.em: 14 items cannot show a margin of 0.05, even if no answer changes" in said


def test_existing_scores_replace_assumptions_without_revealing_an_effect(project: Project) -> None:
    assert project.call("run", "--run_id", "r").code == 0
    found = values(project, "--run_id", "r")
    (scores_path,) = project.root.glob("experiments/run_r/*/results/per_item_scores.csv")
    scores: dict[str, dict[str, float]] = {}
    for row in csv.DictReader(scores_path.read_text().splitlines()):
        scores.setdefault(row["condition"], {})[row["item_key"]] = float(row["em"])
    differences = [scores["treatment"][key] - score for key, score in scores["control"].items()]
    rows = [row for row in found["endpoints"] if row["metric"] == "em"]
    assert {row["from"] for row in rows} == {"scores"}
    assert rows[0]["assumed"]["pairs"] == 14
    differing = sum(each != 0 for each in differences) / 14
    if differing:
        assert rows[0]["assumed"]["discordance"] == pytest.approx(differing)
    assert {*rows[0]["assumed"]} == {
        "at_most", "answered", "baseline", "design_effect", "discordance", "icc", "icc_is_assumed", "pairs", "sd",
        "within",
    }  # fmt: skip
    assert "from 14 items scored in this run" in project.call("plan", "--run_id", "r").prose


def test_scores_of_another_prompt_are_not_used_for_power(project: Project) -> None:
    assert project.call("run", "--run_id", "r").code == 0
    (project.root / "config" / "treatment.txt").write_text("Say something else.\n")
    rows = values(project, "--run_id", "r")["endpoints"]
    assert {row["from"] for row in rows} == {"assumptions"}


def test_a_gate_that_the_planned_items_can_never_pass_is_refused_with_the_number_that_can(project: Project) -> None:
    outcome = project.call("plan", "--run_id", "r", "--gate", "em@closed >= -0.01")
    assert outcome.code == 100
    assert "gate em@closed >= -0.01: 8 items cannot pass it, even if no answer changes: at least 299" in outcome.prose
    found = project.call("plan", "--run_id", "r", "--json", "--gate", "em@closed >= -0.01; em@closed >= -0.5")
    assert found.code == 100
    assert [gate["can_pass"] for gate in json.loads(found.out)["gates"]] == [False, True]
    assert "at least 299" in found.err
    assert project.call("plan", "--run_id", "r", "--gate", "em@closed >= -0.5").code == 0


def test_a_gate_of_a_plan_is_written_as_in_compare(project: Project) -> None:
    outcome = project.call("plan", "--run_id", "r", "--gate", "emm >= -0.01")
    assert outcome.code == 2
    assert "gate emm >= -0.01" in outcome.err


def test_a_gate_is_not_judged_without_the_questions(project: Project) -> None:
    (project.root / "config" / "closed.jsonl").unlink()
    outcome = project.call("plan", "--run_id", "r", "--gate", "em >= -0.01")
    assert outcome.code == 2
    assert "--gate: the number of items is not known" in outcome.err


def exchanged(path: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a table of scores, each arm with the scores of the other."""
    other = {"control": "treatment", "treatment": "control"}
    for batch in read_batches(path, columns):
        arms = pa.array([other[arm] for arm in batch.column("condition").to_pylist()])
        yield batch.set_column(batch.schema.get_field_index("condition"), "condition", arms)


@pytest.mark.usefixtures("asks")
def test_a_pilot_ends_with_the_power_of_the_whole_run_and_reveals_no_effect(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.PROVIDERS, "fake", "tests.support.fake_provider:PaidProvider")
    project.write_config({"stats": {"primary": ["em", "f1"]}})
    outcome = project.run("--pilot", "3")
    assert outcome.code == 5
    said = outcome.prose
    assert "em, from 6 items scored in this run: " in said
    assert re.search(r"\bf1\b.* 14 ", said)
    before = project.call("plan", "--run_id", "r").out, values(project, "--run_id", "r")
    monkeypatch.setattr(planned_power, "read_batches", exchanged)
    after = project.call("plan", "--run_id", "r").out, values(project, "--run_id", "r")
    assert power_of(before[0]) == power_of(after[0])
    assert without_baseline(before[1]) == without_baseline(after[1])
    assert before[1] != after[1]


def power_of(text: str) -> list[str]:
    """Return the lines of the section on power, of each plan that is printed."""
    lines = text.splitlines()
    starts = [place for place, line in enumerate(lines) if line.startswith("power at ")]
    return [line for start in starts for line in lines[start : start + 9]]


def without_baseline(found: dict[str, Any]) -> list[dict[str, Any]]:
    rows = found["endpoints"]
    return [{**row, "assumed": {**row["assumed"], "baseline": None}} for row in rows if "assumed" in row]
