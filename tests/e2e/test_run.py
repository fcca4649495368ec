"""A whole run through the command line, on a provider that answers at once."""

from __future__ import annotations

import csv
import json
import re
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

from promptrial.engine.loop import Engine
from promptrial.registry import PHASES
from tests.support import fake_provider
from tests.support.project import Project

SLUG = "m1-main-tp1-tk50-mx64-64"
RESULTS = f"{SLUG}/results"
# What each artifact's loss makes run again: the phase that made it, and every phase that reads from that one.
AFTER = {
    "prepare": {"prepare", "build", "parse", "score", "stats", "costs", "report"},
    "build": {"build", "parse", "score", "stats", "costs", "report"},
    "poll": {"poll", "parse", "score", "stats", "costs", "report"},
    "parse": {"parse", "score", "stats", "costs", "report"},
    "score": {"score", "stats", "costs", "report"},
    "stats": {"stats", "report"},
    "costs": {"costs", "report"},
    "report": {"report"},
}
ARTIFACTS = {
    "prepared/open_book.jsonl": "prepare",
    "prepared/closed_book.jsonl": "prepare",
    f"batch_inputs/{SLUG}/t0_control_p001.jsonl": "build",
    f"{RESULTS}/t0_treatment_p002/results.jsonl": "poll",
    f"{RESULTS}/results_combined.jsonl": "parse",
    f"{RESULTS}/predictions.csv": "parse",
    f"{RESULTS}/predictions.parquet": "parse",
    f"{RESULTS}/parse_report.json": "parse",
    f"{RESULTS}/per_item_scores.csv": "score",
    f"{RESULTS}/per_item_scores.parquet": "score",
    f"{RESULTS}/significance.json": "stats",
    f"{RESULTS}/costs.json": "costs",
    f"{SLUG}/reports/report.md": "report",
    f"{SLUG}/reports/details.md": "report",
    f"{SLUG}/reports/forest.svg": "report",
    f"{SLUG}/reports/changed.svg": "report",
    "aggregate_report.md": "report",
}


def planned(project: Project, run_id: str = "r") -> dict[str, str]:
    """Return what the plan says of each phase: execute, skip or blocked."""
    outcome = project.call("plan", "--run_id", run_id, "--json")
    assert outcome.code == 0, outcome.err
    return {row["phase"]: row["action"] for row in json.loads(outcome.out)["phases"]}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_goes_from_questions_to_a_report(project: Project) -> None:
    outcome = project.run()
    assert outcome.code == 0, outcome.err
    root = project.run_root()
    predictions = rows(root / RESULTS / "predictions.csv")
    assert len(predictions) == 2 * (6 + 8)
    assert len({row["custom_id"] for row in predictions}) == len(predictions)
    scores = rows(root / RESULTS / "per_item_scores.csv")
    assert len(scores) == len(predictions)
    assert {row["condition"] for row in scores} == {"control", "treatment"}
    answerable = [row for row in scores if row["item_key"] == "open_set|rust-1"]
    assert all(row["false_answer_rate"] == "" for row in answerable), "not applicable is empty, never 0"
    significance = json.loads((root / RESULTS / "significance.json").read_text())
    assert significance["schema_version"] == 2
    costs = json.loads((root / RESULTS / "costs.json").read_text())
    assert costs["total_tokens"] == costs["prompt_tokens"] + costs["completion_tokens"]
    report = (root / SLUG / "reports/report.md").read_text()
    assert "small" in report
    assert "### Broken: 2\n" in report
    assert re.search(r"^\| Question 5\? +\| Paris / 1912 +\| Paris +\| Unknown Pleasures +\|$", report, re.MULTILINE)
    assert "### Fixed" not in report, "no answer became right"
    state = json.loads((root / "run_state.json").read_text())
    assert {phase["status"] for phase in state["phases"].values()} == {"completed"}
    assert "Exact match" in outcome.out
    assert str(Path("experiments") / "run_r") in outcome.out


def test_resuming_a_finished_run_changes_no_byte_of_data_and_exits_0(project: Project) -> None:
    project.given_run()
    before = project.snapshot()
    outcome = project.run("--resume")
    after = project.snapshot()
    assert outcome.code == 0
    assert {path for path in before if before[path] != after.get(path)} <= {"run.log"}
    assert set(before) == set(after)


def test_the_same_configuration_gives_the_same_bytes_but_for_the_run_id(project: Project) -> None:
    project.given_run(run_id="id-1")
    assert project.run(run_id="id-2").code == 0
    for name in ("results/predictions.csv", "results/per_item_scores.csv", "results/significance.json",
                 "results/costs.json", "reports/report.md"):  # fmt: skip
        first, second = ((project.run_root(run) / SLUG / name).read_text() for run in ("id-1", "id-2"))
        assert first.replace("id-1", "RUN") == second.replace("id-2", "RUN"), name


@pytest.mark.parametrize("damage", ["delete", "flip", "truncate"])
@pytest.mark.parametrize(("artifact", "phase"), ARTIFACTS.items())
def test_a_lost_artifact_reruns_exactly_the_phases_that_depend_on_it(
    project: Project, artifact: str, phase: str, damage: str
) -> None:
    project.given_run()
    before = project.snapshot()
    path = project.run_root() / artifact
    data = path.read_bytes()
    if damage == "delete":
        path.unlink()
    else:
        path.write_bytes(data[:-1] if damage == "truncate" else bytes([data[0] ^ 1]) + data[1:])
    assert {name for name, action in planned(project).items() if action == "execute"} == AFTER[phase]
    log = project.run_root() / "run.log"
    said = len(log.read_text().splitlines())
    outcome = project.run("--resume")
    assert outcome.code == 0, outcome.err
    events = [json.loads(line) for line in log.read_text().splitlines()[said:]]
    executed = {event["phase"] for event in events if event["event"] == "gate" and event["action"] == "execute"}
    assert executed == AFTER[phase]
    after = project.snapshot()
    data_files = {path for path in before if not path.endswith(("run.log", "_manifest.json", "run_state.json"))}
    assert {path for path in data_files if before[path] != after.get(path)} == set()


def test_only_the_damaged_part_is_requested_again(project: Project) -> None:
    project.given_run()
    fake_provider.CALLS.clear()
    (project.run_root() / RESULTS / "t0_control_p002" / "results.jsonl").write_text("garbled\n")
    assert project.run("--resume").code == 0
    assert len(fake_provider.CALLS) == 7
    assert (project.run_root() / RESULTS / "t0_control_p002" / "results.jsonl.corrupt.1").read_text() == "garbled\n"


def test_a_plan_changes_nothing_and_works_before_the_run_exists(project: Project) -> None:
    outcome = project.run("--plan_only", run_id="not-yet")
    assert outcome.code == 0
    assert not (project.root / "experiments").exists()
    assert [line.split()[0] for line in outcome.out.splitlines() if " to do" in line] == list(PHASES)
    assert "prepare  to do\n" in outcome.out


def test_steps_are_selected_by_flags(project: Project) -> None:
    project.given_run("--to_step", "poll")
    assert not (project.run_root() / RESULTS / "predictions.csv").exists()
    assert project.run("--only_step", "parse").code == 0
    assert (project.run_root() / RESULTS / "predictions.csv").exists()
    assert not (project.run_root() / RESULTS / "per_item_scores.csv").exists()
    blocked = project.run("--from_step", "stats", "--to-step", "report")
    assert blocked.code == 1
    assert "needs score" in blocked.err
    assert project.run("--only-step", "score", "--resume").code == 0
    assert project.run("--from_step", "stats", "--to_step", "report").code == 0
    assert set(planned(project).values()) == {"skip"}


def test_an_unknown_step_lists_the_nine_names_and_exits_2(project: Project) -> None:
    outcome = project.run("--only_step", "prase")
    assert outcome.code == 2
    assert all(name in outcome.err for name in PHASES)
    assert "did you mean 'parse'" in outcome.err
    assert project.run("--from_step", "stats", "--to_step", "parse").code == 2
    assert project.run("--only_step", "parse", "--to_step", "score").code == 2


def test_resuming_a_run_without_state_exits_3_and_says_what_to_do(project: Project) -> None:
    outcome = project.run("--resume", run_id="nowhere")
    assert outcome.code == 3
    assert "--plan_only" in outcome.err
    (project.root / "experiments/run_old/trial/results").mkdir(parents=True)
    outcome = project.run("--resume", run_id="old")
    assert outcome.code == 3
    assert "resume_run --run_id old" in outcome.err


def test_starting_a_run_that_exists_is_refused(project: Project) -> None:
    project.given_run()
    outcome = project.run()
    assert outcome.code == 2
    assert "--resume" in outcome.err


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"stats": {"alpha": 0.01, "bootstrap_samples": 1000, "permutation_samples": 999}}, "stats.alpha"),
        ({"scoring": {"unsupported": {"strategy": "exact"}}}, "scoring.unsupported.strategy"),
        ({"temps": [0.0, 0.7]}, "temps"),
        ("prompt", "prompt_sets.main.treatment.text"),
        ("instruction", "task_instructions.open_book.text"),
    ],
)
def test_a_changed_configuration_is_refused_as_drift_that_names_the_key(
    project: Project, change: dict[str, object] | str, key: str
) -> None:
    project.given_run()
    before = project.snapshot()
    if change == "prompt":
        (project.root / "config/treatment.txt").write_text("Something else.\n")
    elif change == "instruction":
        (project.root / "config/open.txt").write_text("{context} {question}\n")
    else:
        assert isinstance(change, dict)
        project.write_config(change)
    outcome = project.run("--resume")
    assert outcome.code == 3
    assert key in outcome.err
    assert project.snapshot() == before
    forced = project.run("--resume", "--force")
    assert forced.code == 0, forced.err
    state = json.loads((project.run_root() / "run_state.json").read_text())
    assert any(line.startswith(key) for line in state["drift"][0]["keys"])
    assert project.run("--resume").code == 0


def test_a_prompt_that_no_trial_uses_may_change(project: Project) -> None:
    project.given_run()
    (project.root / "config/other.txt").write_text("Changed.\n")
    assert project.run("--resume").code == 0


def test_flags_given_at_the_start_are_remembered(project: Project) -> None:
    project.given_run("--limit_items", "2", "--to_step", "build")
    assert project.run("--resume").code == 0
    assert len(rows(project.run_root() / RESULTS / "predictions.csv")) == 2 * (2 + 2)
    drifted = project.run("--resume", "--limit_items", "1")
    assert drifted.code == 3
    assert "limit_items: 2 -> 1" in drifted.err


def test_a_smaller_sample_is_part_of_a_larger_one(project: Project) -> None:
    project.given_run("--limit_items", "2", "--to_step", "prepare", run_id="two")
    project.run("--limit_items", "4", "--to_step", "prepare", run_id="four")
    for name in ("open_book.jsonl", "closed_book.jsonl"):
        two, four = ((project.run_root(run) / "prepared" / name).read_text().splitlines() for run in ("two", "four"))
        assert four[:2] == two


def test_a_request_that_fails_is_counted_and_never_scored_as_0(project: Project) -> None:
    fake_provider.FAILING.add("closed__set-c3-c-0-0-c")
    assert project.run().code == 0
    scores = rows(project.run_root() / RESULTS / "per_item_scores.csv")
    failed = next(row for row in scores if row["item_key"] == "closed_set|c3" and row["condition"] == "control")
    assert (failed["n_samples"], failed["em"]) == ("0", "")
    report = json.loads((project.run_root() / RESULTS / "parse_report.json").read_text())
    assert report["arms"]["control"] == {
        "expected": 14, "answered": 13, "errors": {"context_length": 1}, "missing": 0,
        "empty": 0, "empty_usage_unknown": 0, "truncated": 0, "with_reasoning": 0,
    }  # fmt: skip
    prediction = next(row for row in rows(project.run_root() / RESULTS / "predictions.csv") if row["error"])
    assert prediction["custom_id"] == "closed_set|c3|control|0.0|0|closed"


def test_replicates_and_temperatures_multiply_the_requests(project: Project) -> None:
    project.write_config({"temps": [0.0, 0.7], "samples_per_item": {"0.7": 3}})
    project.given_run()
    predictions = rows(project.run_root() / RESULTS / "predictions.csv")
    assert len(predictions) == 2 * 14 * (1 + 3)
    scores = rows(project.run_root() / RESULTS / "per_item_scores.csv")
    assert {(row["temp"], row["n_samples"]) for row in scores} == {("0.0", "1"), ("0.7", "3")}
    seeds = [
        json.loads(line)["body"]["seed"]
        for path in sorted((project.run_root() / "batch_inputs").rglob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]
    assert len(set(seeds)) == len(seeds)


def test_a_sweep_makes_several_trials_and_one_aggregate(project: Project) -> None:
    outcome = project.run("--prompt_sets", "main,other")
    assert outcome.code == 0, outcome.err
    aggregate = (project.run_root() / "aggregate_report.md").read_text()
    assert "m1-main" in aggregate
    assert "m1-other" in aggregate
    manifest = json.loads((project.run_root() / "multi_trial_manifest.json").read_text())
    assert len(manifest["facts"]["trials"]) == 2
    assert {path.name for path in project.run_root().glob("*/reports/report.md")} == {"report.md"}


def test_the_effective_configuration_reads_back_to_the_same_hash(project: Project) -> None:
    project.given_run()
    project.config.unlink()
    outcome = project.run("--resume")
    assert outcome.code == 0, outcome.err
    tree = yaml.safe_load((project.run_root() / "effective_config.yaml").read_text())
    assert list(tree["prompt_sets"]) == ["main"]


def test_the_self_test_stops_a_run_whose_refusal_would_count_as_an_answer(project: Project) -> None:
    (project.root / "config/treatment.txt").write_text('If unsure, reply exactly "The owl is silent."\n')
    outcome = project.run()
    assert outcome.code == 1
    assert "The owl is silent." in outcome.err
    assert not fake_provider.CALLS
    project.write_config({"scoring": {"extra_refusals": ["The owl is silent."]}})
    assert project.run("--resume", "--force").code == 0


def test_a_stop_keeps_every_finished_row_and_a_resume_asks_only_for_the_rest(project: Project) -> None:
    sentinel = project.run_root() / "STOP_REQUESTED"
    fake_provider.BEFORE_ROW.append(lambda _: sentinel.touch() if fake_provider.CALLS.total() == 9 else None)
    stopped = project.run()
    assert stopped.code == 5
    assert "promptrial run --run_id r --resume" in stopped.err
    state = json.loads((project.run_root() / "run_state.json").read_text())
    assert state["phases"]["poll"]["status"] == "stopped"
    assert state["stop_requested"] is True
    assert fake_provider.CALLS.total() == 10
    fake_provider.BEFORE_ROW.clear()
    resumed = project.run("--resume")
    assert resumed.code == 0, resumed.err
    assert set(fake_provider.CALLS.values()) == {1}, "no request was answered twice"
    project.run(run_id="whole")
    for name in ("results/predictions.parquet", "results/significance.json"):
        assert (project.run_root() / SLUG / name).read_bytes() == (project.run_root("whole") / SLUG / name).read_bytes()


def test_status_says_where_a_run_is(project: Project) -> None:
    project.given_run("--to_step", "parse")
    outcome = project.call("status", "--run_id", "r", "--json")
    phases = json.loads(outcome.out)["phases"]
    assert (phases["parse"]["status"], phases["score"]["status"]) == ("completed", "not_started")
    assert project.call("status", "--run_id", "none").code == 2


def test_a_bad_run_id_is_refused_before_a_path_is_made_from_it(project: Project) -> None:
    assert project.run(run_id="../up").code == 2
    assert not (project.root / "experiments").exists()


def test_flags_can_come_from_the_environment(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTRIAL_LIMIT_ITEMS", "3")
    project.run("--to_step", "prepare")
    assert len((project.run_root() / "prepared/open_book.jsonl").read_text().splitlines()) == 3
    monkeypatch.setenv("PROMPTRIAL_LIMIT_ITEMS", "three")
    outcome = project.run(run_id="other")
    assert outcome.code == 2
    assert "PROMPTRIAL_LIMIT_ITEMS" in outcome.err


@pytest.mark.parametrize("damage", ["delete", "garble"])
def test_a_lost_manifest_is_rebuilt_from_the_results_without_asking_again(project: Project, damage: str) -> None:
    project.given_run()
    before = project.snapshot()
    fake_provider.CALLS.clear()
    path = project.run_root() / RESULTS / "trial_manifest.json"
    path.unlink() if damage == "delete" else path.write_text("{")
    outcome = project.run("--resume")
    assert outcome.code == 0, outcome.err
    assert not fake_provider.CALLS
    after = project.snapshot()
    data_files = {path for path in before if not path.endswith(("run.log", "_manifest.json", "run_state.json"))}
    assert {path for path in data_files if before[path] != after.get(path)} == set()
    assert set(planned(project).values()) == {"skip"}


def test_a_value_from_the_environment_is_used_and_never_written_down(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIDDEN_MODEL", "vendor/secret-model-42")
    monkeypatch.setenv("HIDDEN_FILE", "closed.jsonl")
    project.write_config(
        {
            "question": "Is ${HIDDEN_MODEL} good?",
            "models": {"m1": {"id": "${HIDDEN_MODEL}"}},
            "datasets": {"closed_set": {"format": "custom", "path": "${HIDDEN_FILE}"}},
        }
    )
    outcome = project.run()
    assert outcome.code == 0, outcome.err
    holders = [
        path for path in project.run_root().rglob("*") if path.is_file() and b"secret-model-42" in path.read_bytes()
    ]
    assert holders == []
    assert "${HIDDEN_MODEL}" in (project.run_root() / SLUG / "reports/details.md").read_text().replace("\\", "")


def test_a_damaged_part_of_one_trial_leaves_the_other_trial_alone(project: Project) -> None:
    project.given_run("--prompt_sets", "main,other")
    other = project.run_root() / "m1-other-tp1-tk50-mx64-64/results"
    before = {path.name: path.stat().st_mtime_ns for path in other.iterdir() if path.is_file()}
    (project.run_root() / RESULTS / "t0_control_p001/results.jsonl").unlink()
    assert project.run("--resume").code == 0
    after = {path.name: path.stat().st_mtime_ns for path in other.iterdir() if path.is_file()}
    assert {name for name in before if before[name] != after[name]} <= {"trial_manifest.json"}


def test_a_trial_filter_works_on_the_trials_that_it_matches(project: Project) -> None:
    outcome = project.run("--prompt_sets", "main,other", "--trial_filter", "m1-main")
    assert outcome.code == 0, outcome.err
    assert [path.parts[-3] for path in project.run_root().glob("*/reports/report.md")] == [SLUG]
    assert not (project.run_root() / "aggregate_report.md").exists()
    assert len(fake_provider.CALLS) == 28
    (left_out,) = (path for path in project.run_root().glob("*/results/trial_manifest.json") if SLUG not in str(path))
    assert json.loads(left_out.read_bytes())["stage_status"] == {}, "nothing is claimed of a trial that was left out"
    assert project.run("--resume").code == 0
    assert (project.run_root() / "aggregate_report.md").exists()
    assert project.run("--resume", "--trial_filter", "nothing").code == 2


def test_one_arm_alone_runs_to_a_report_without_effects(project: Project) -> None:
    outcome = project.run("--condition", "control")
    assert outcome.code == 0, outcome.err
    predictions = rows(project.run_root() / RESULTS / "predictions.csv")
    assert {row["condition"] for row in predictions} == {"control"}
    significance = json.loads((project.run_root() / RESULTS / "significance.json").read_text())
    assert {endpoint["difference"] for endpoint in significance["endpoints"]} == {None}
    page = project.details()
    assert "Only the control prompt" in page
    assert {path.name for path in project.run_root().glob("*/reports/*")} == {"report.md", "details.md"}
    assert "**Nothing is compared: only control.txt was asked.**" in project.report()
    assert "Worst-case bounds" not in page
    assert "| both " not in page


def test_answers_of_one_model_are_never_used_for_another(project: Project) -> None:
    project.given_run()
    project.write_config({"models": {"m1": {"id": "vendor/model-2"}}})
    assert project.run("--resume").code == 3
    assert project.run("--resume", "--force").code == 0
    assert set(fake_provider.CALLS.values()) == {2}, "every request was put to the new model too"
    manifest = json.loads((project.run_root() / RESULTS / "trial_manifest.json").read_text())
    assert manifest["trial"]["model_id"] == "vendor/model-2"


def test_a_changed_value_of_the_environment_is_drift(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHICH", "vendor/model-1")
    project.write_config({"models": {"m1": {"id": "${WHICH}"}}})
    assert project.run().code == 0
    assert project.run("--resume").code == 0
    monkeypatch.setenv("WHICH", "vendor/model-2")
    outcome = project.run("--resume")
    assert outcome.code == 3
    assert "models.m1.id (${WHICH})" in outcome.err
    assert "model-2" not in outcome.err


def test_a_forced_prompt_change_is_planned_and_asks_only_the_changed_arm_again(project: Project) -> None:
    project.given_run()
    (project.root / "config/treatment.txt").write_text("Something else.\n")
    assert planned(project)["poll"] == "execute"
    fake_provider.CALLS.clear()
    assert project.run("--resume", "--force").code == 0
    assert len(fake_provider.CALLS) == 14, "the treatment arm alone"


def test_a_resume_with_a_trial_filter_does_not_mark_phases_of_other_trials_completed(project: Project) -> None:
    flags = ("--trial_filter", "m1-main")
    assert project.run("--prompt_sets", "main,other", *flags).code == 0
    assert project.run("--resume", *flags).code == 0
    state = json.loads((project.run_root() / "run_state.json").read_text())
    assert state["phases"]["parse"]["status"] != "completed"


@pytest.mark.parametrize("damage", ["garble", "delete"])
def test_a_lost_state_is_rebuilt_from_the_receipts(project: Project, damage: str) -> None:
    project.given_run()
    fake_provider.CALLS.clear()
    path = project.run_root() / "run_state.json"
    if damage == "garble":
        path.write_text("{")
        assert project.run().code == 2
        outcome = project.run("--resume")
    else:
        path.unlink()
        outcome = project.run()
    assert outcome.code == 0, outcome.err
    assert not fake_provider.CALLS
    state = json.loads(path.read_text())
    assert {phase["status"] for phase in state["phases"].values()} == {"completed"}


def test_without_its_state_a_run_still_refuses_another_configuration(project: Project) -> None:
    project.given_run()
    (project.run_root() / "run_state.json").unlink()
    (project.root / "config/treatment.txt").write_text("Something else.\n")
    outcome = project.run()
    assert outcome.code == 3
    assert "prompt_sets.main.treatment.text" in outcome.err


OWN_COPY = "effective_config.yaml"
MANIFEST = f"{RESULTS}/trial_manifest.json"


def lose(project: Project, *names: str) -> None:
    for name in names:
        (project.run_root() / name).unlink()


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def state_of(project: Project) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project.run_root() / "run_state.json").read_text())
    return found


@pytest.mark.parametrize("lost", [("run_state.json",), ("run_state.json", OWN_COPY)])
def test_a_run_that_lost_its_state_continues_with_its_starting_configuration(
    project: Project, lost: tuple[str, ...]
) -> None:
    project.write_config({"sweep": {"prompt_sets": ["main", "other"]}})
    flags = ("--prompt_sets", "main", "--limit_items", "2", "--max_concurrent_jobs", "3")
    assert project.run(*flags, "--to_step", "submit").code == 0
    before = state_of(project)
    lose(project, *lost)
    outcome = project.call("resume", "r")
    assert outcome.code == 0, outcome.err
    assert fake_provider.CALLS.total() == 8
    after = state_of(project)
    assert [after[name] for name in ("config_file", "config_hash", "overrides")] == [
        before[name] for name in ("config_file", "config_hash", "overrides")
    ]


def test_a_plan_sees_a_run_that_lost_its_state_as_a_resume_does(project: Project) -> None:
    project.write_config({"sweep": {"prompt_sets": ["main", "other"]}})
    project.given_run("--prompt_sets", "main", "--limit_items", "2")
    lose(project, "run_state.json")
    commands = (("run", "--run_id", "r", "--plan_only"), ("plan", "--run_id", "r"), ("resume", "r", "--plan_only"))
    outcomes = [project.call(*words) for words in commands]
    assert {outcome.code for outcome in outcomes} == {0}
    assert len({outcome.out for outcome in outcomes}) == 1
    assert outcomes[0].out.startswith("run r (its state file is missing), 1 trial:")
    assert set(planned(project).values()) == {"skip"}
    assert "drifted" not in outcomes[0].out


def test_starting_a_run_without_its_state_under_another_configuration_names_the_command_to_resume(
    project: Project,
) -> None:
    project.given_run("--limit_items", "2")
    lose(project, "run_state.json")
    outcome = project.run()
    assert outcome.code == 3
    assert "limit_items: 2 -> null" in outcome.err
    assert "run_state.json is missing" in outcome.err
    assert "promptrial resume r" in outcome.err
    assert "--force" not in outcome.err
    assert "promptrial resume r" in project.call("status", "--run_id", "r").err
    assert project.run("--limit_items", "2").code == 0


@pytest.mark.parametrize("damage", ["garble", "delete"])
def test_a_run_without_any_record_of_its_configuration_is_refused_and_unchanged(project: Project, damage: str) -> None:
    project.write_config({"sweep": {"prompt_sets": ["main", "other"]}})
    project.given_run("--prompt_sets", "main", "--to_step", "submit")
    lose(project, OWN_COPY, MANIFEST)
    path = project.run_root() / "run_state.json"
    path.write_text("{") if damage == "garble" else path.unlink()
    before = project.snapshot()
    for outcome in (project.call("resume", "r"), project.run("--resume" if damage == "garble" else "--json")):
        assert outcome.code == 3
        assert "effective_config.yaml is missing or damaged, so the changed keys cannot be listed" in outcome.err
    assert project.snapshot() == before
    assert not fake_provider.CALLS


def test_files_named_by_the_configuration_are_found_even_if_state_and_configuration_are_lost(project: Project) -> None:
    shutil.copytree(project.root / "config", project.root / "mine")
    assert project.run("--config", "mine/eval_config.yaml", "--limit_items", "2", "--to_step", "build").code == 0
    lose(project, "run_state.json", "prepared/manifest.json")
    (project.root / "mine/eval_config.yaml").unlink()
    shutil.rmtree(project.root / "config")
    outcome = project.call("resume", "r")
    assert outcome.code == 0, outcome.err
    assert "was started with, mine/eval_config.yaml, does not exist; it resumes from its own copy" in outcome.err


def test_a_run_without_a_recorded_configuration_path_resumes_from_its_own_copy(
    project: Project,
) -> None:
    project.given_run("--limit_items", "2", "--to_step", "build")
    lose(project, "run_state.json", "prepared/manifest.json", MANIFEST)
    for _ in range(2):
        outcome = project.call("resume", "r")
        assert outcome.code == 0, outcome.err
        assert "was started with is not recorded; it resumes from its own copy" in outcome.err
    assert "config_file" not in state_of(project)


@pytest.mark.parametrize("until", ["submit", "report"])
def test_a_state_that_was_only_rebuilt_still_refuses_a_changed_prompt(
    project: Project, monkeypatch: pytest.MonkeyPatch, until: str
) -> None:
    project.given_run("--to_step", until)
    lose(project, "run_state.json")
    with monkeypatch.context() as patch:
        patch.setattr(Engine, "run", interrupt)
        assert project.call("resume", "r").code == 130
    (project.root / "config/treatment.txt").write_text("Something else.\n")
    outcome = project.run("--resume")
    assert outcome.code == 3
    assert "prompt_sets.main.treatment.text" in outcome.err


@pytest.mark.parametrize("lost", [("run_state.json",), ("run_state.json", MANIFEST)])
def test_a_forced_change_is_recorded_even_if_the_state_was_lost(project: Project, lost: tuple[str, ...]) -> None:
    project.given_run()
    before = state_of(project)["config_hash"]
    lose(project, *lost)
    (project.root / "config/treatment.txt").write_text("Something else.\n")
    outcome = project.call("resume", "r", "--force", "--config", "config/eval_config.yaml")
    assert outcome.code == 0, outcome.err
    assert "resuming with a changed configuration (--force)" in outcome.err
    state = state_of(project)
    (entry,) = state["drift"]
    assert entry["from"] == before
    assert entry["keys"][0].startswith("prompt_sets.main.treatment.text")
    assert json.loads((project.run_root() / MANIFEST).read_text())["origin"]["drift"] == [entry]
    lose(project, "run_state.json")
    assert project.call("resume", "r").code == 0
    assert state_of(project)["drift"] == [entry]


def test_a_run_interrupted_at_its_start_without_state_and_manifest_can_be_started_again(project: Project) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "run", interrupt)
        assert project.run().code == 130
    lose(project, "run_state.json")
    (project.run_root() / MANIFEST).write_text("{")
    assert project.run().code == 0
    assert "drift" not in state_of(project)


def test_a_change_of_the_configuration_is_noticed_after_the_state_was_rebuilt(project: Project) -> None:
    shutil.copytree(project.root / "config", project.root / "mine")
    assert project.run("--config", "mine/eval_config.yaml", "--to_step", "submit").code == 0
    lose(project, "run_state.json")
    assert project.call("resume", "r").code == 0
    (project.root / "mine/treatment.txt").write_text("Something else.\n")
    outcome = project.call("resume", "r")
    assert outcome.code == 3
    assert "prompt_sets.main.treatment.text" in outcome.err


def test_a_later_step_does_not_start_a_new_run(project: Project) -> None:
    outcome = project.run("--only_step", "parse", run_id="typo")
    assert outcome.code == 3
    assert not (project.root / "experiments").exists()


@pytest.mark.parametrize("lost", ["significance.json", "costs.json", "parse_report.json"])
def test_a_single_step_on_a_damaged_run_causes_no_traceback(project: Project, lost: str) -> None:
    project.given_run()
    (project.run_root() / RESULTS / lost).unlink()
    outcome = project.run("--only_step", "prepare")
    assert outcome.code == 0, outcome.err


def test_an_engine_that_changed_during_the_run_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.given_run("--to_step", "submit")
    monkeypatch.setattr(
        fake_provider.FakeProvider, "fingerprint", lambda _self, model: {"engine": "newer", "model": model.shown_id}
    )
    outcome = project.run("--resume")
    assert outcome.code == 1
    assert "engine: fake -> newer" in outcome.err
    assert not fake_provider.CALLS


def test_a_failed_part_writes_no_secret_into_the_state(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENDOR_API_KEY", "sk-very-secret-value")

    def refuse(_: object) -> None:
        raise ConnectionResetError("peer said: key sk-very-secret-value is wrong")

    fake_provider.BEFORE_ROW.append(refuse)
    outcome = project.run()
    assert outcome.code == 1
    assert "sk-very" not in outcome.err
    assert not [path for path in project.run_root().rglob("*") if path.is_file() and b"sk-very" in path.read_bytes()]


def test_a_stale_sentinel_never_stops_a_first_run(project: Project) -> None:
    project.run_root().mkdir(parents=True)
    (project.run_root() / "STOP_REQUESTED").touch()
    assert project.run().code == 0


def test_stopping_an_idle_or_missing_run_says_so(project: Project) -> None:
    project.given_run("--to_step", "build")
    outcome = project.call("stop", "--run_id", "r")
    assert (outcome.code, "not running" in outcome.out) == (0, True)
    assert not (project.run_root() / "STOP_REQUESTED").exists()
    outcome = project.call("stop", "--run_id", "nowhere")
    assert outcome.code == 2
    assert "known runs: r" in outcome.err


def test_status_distinguishes_crashed_running_and_finished_runs(project: Project) -> None:
    def word() -> str:
        answer: str = json.loads(project.call("status", "--run_id", "r", "--json").out)["status"]
        return answer

    seen: list[str] = []
    fake_provider.BEFORE_ROW.append(lambda _: seen.append(word()))
    project.run("--to_step", "poll")
    assert set(seen) == {"running"}
    assert word() == "incomplete"
    path = project.run_root() / "run_state.json"
    state = json.loads(path.read_text())
    state["phases"]["poll"]["status"] = "in_progress"
    path.write_text(json.dumps(state))
    dead = {"pid": 2**22 + 1, "host": socket.gethostname(), "since": "2026-01-01T00:00:00Z"}
    (project.run_root() / ".state.lock").write_text(json.dumps(dead))
    assert word() == "crashed"
    fake_provider.BEFORE_ROW.clear()
    project.run("--resume")
    assert word() == "finished"


def test_a_run_without_any_artifact_accepts_a_corrected_configuration(project: Project) -> None:
    broken = {"closed_set": {"format": "custom", "path": "missing.jsonl"}}
    project.write_config({"datasets": broken})
    assert project.run().code == 2
    project.write_config({})
    outcome = project.run("--resume")
    assert outcome.code == 0, outcome.err
    assert project.run("--resume").code == 0


def test_a_resume_says_so_when_nothing_was_left_to_do_and_when_the_questions_have_changed(project: Project) -> None:
    project.given_run()
    assert "nothing was left to do" in project.run("--resume").err
    path = project.root / "config/closed.jsonl"
    with path.open("a") as file:
        file.write('{"id": "c99", "question": "One more?", "answers": ["x"]}\n')
    outcome = project.run("--resume")
    assert outcome.code == 0
    assert "datasets.closed_set.path" in outcome.err
    assert "keeps its questions" in outcome.err


def test_phases_after_poll_need_no_key(project: Project) -> None:
    project.given_run("--to_step", "poll")

    def no_key(*_: object) -> None:
        raise AssertionError("an adapter was opened")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fake_provider.FakeProvider, "open", classmethod(no_key))
        outcome = project.run("--from_step", "parse", "--to_step", "report")
    assert outcome.code == 0, outcome.err
