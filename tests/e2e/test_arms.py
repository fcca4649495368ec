"""Trials of several arms: what is asked, what a change of the arms asks again, and arms with models of their own."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
import yaml

from promptrial.care import smoke_checks
from promptrial.model import ids
from promptrial.model.arms import arm_code
from promptrial.providers.request_rows import RequestRow
from promptrial.store import records
from promptrial.store.records import TrialManifest
from promptrial.store.rundir import RunDir
from tests.support import fake_provider
from tests.support.project import Project

THREE = {"control": "control.txt", "treatments": {"treatment": "treatment.txt", "short": "other.txt"}}
TO_PARSE = ("--to_step", "parse")


def of_set(project: Project, prompt_set: dict[str, Any], **others: Any) -> None:
    project.write_config(others)
    config = yaml.safe_load(project.config.read_text()) | {"prompt_sets": {"main": prompt_set}}
    project.config.write_text(yaml.safe_dump(config, sort_keys=False))  # the order of arms is theirs


def pair(project: Project) -> None:
    of_set(project, {"control": "control.txt", "treatment": "treatment.txt"})


def asked_by_arm() -> Counter[str]:
    """Return how many requests were answered in this process, by the code of the arm."""
    return Counter({code: sum(n for wire, n in fake_provider.CALLS.items() if wire.split("-")[-4] == code)
                    for code in {wire.split("-")[-4] for wire in fake_provider.CALLS}})  # fmt: skip


def manifest(project: Project) -> TrialManifest:
    return records.load(project.trial_folder() / "results" / "trial_manifest.json", TrialManifest)


def test_every_arm_is_asked_each_item_once_under_its_own_code(project: Project) -> None:
    of_set(project, THREE)
    done = project.run(*TO_PARSE)
    assert done.code == 0, done.err
    assert asked_by_arm() == {"c": 14, "t": 14, "x7gya": 14}
    assert set(fake_provider.CALLS.values()) == {1}
    assert sorted(manifest(project).parts) == sorted(
        f"t0_{arm}_p00{number}" for number in (1, 2) for arm in ("control", "treatment", "short")
    )
    report = json.loads((project.trial_folder() / "results" / "parse_report.json").read_text())
    assert {arm: counts["answered"] for arm, counts in report["arms"].items()} == {
        "control": 14, "treatment": 14, "short": 14,
    }  # fmt: skip
    assert set(manifest(project).prompts) == {"control", "treatment", "short"}


def test_the_requests_of_an_arm_do_not_depend_on_the_other_arms(project: Project) -> None:
    pair(project)
    assert project.run("--to_step", "build").code == 0
    of_set(project, THREE)
    assert project.run("--to_step", "build", run_id="three").code == 0
    two, three = (
        {path.name: path.read_bytes() for path in project.run_root(run).glob("batch_inputs/*/*.jsonl")}
        for run in ("r", "three")
    )
    assert two == {name: three[name] for name in two}
    assert len(three) == 6


def test_an_inline_prompt_is_the_same_request_as_a_file_with_that_text(project: Project) -> None:
    pair(project)
    assert project.run(*TO_PARSE).code == 0
    text = (project.root / "config" / "treatment.txt").read_text()
    of_set(project, {"control": {"text": "You are a careful assistant."}, "treatments": {"treatment": {"text": text}}})
    assert project.run("--resume", *TO_PARSE).code == 3, "what names the prompts has changed"
    assert project.run("--resume", "--force", *TO_PARSE).code == 0
    assert set(fake_provider.CALLS.values()) == {1}
    assert sum(fake_provider.CALLS.values()) == 28


def test_an_added_arm_sends_only_its_own_requests(project: Project) -> None:
    pair(project)
    assert project.run(*TO_PARSE).code == 0
    of_set(project, THREE)
    assert project.run("--resume", *TO_PARSE).code == 3, "other arms are another experiment, until it is forced"
    assert asked_by_arm() == {"c": 14, "t": 14}
    resumed = project.run("--resume", "--force", *TO_PARSE)
    assert resumed.code == 0, resumed.err
    assert asked_by_arm() == {"c": 14, "t": 14, "x7gya": 14}
    assert set(fake_provider.CALLS.values()) == {1}


def test_an_arm_that_is_added_to_a_grown_run_is_cut_like_the_others(project: Project) -> None:
    pair(project)
    assert project.run("--limit_items", "2", *TO_PARSE).code == 0
    assert project.run("--resume", "--limit_items", "4", *TO_PARSE).code == 0
    before = dict(fake_provider.CALLS)
    of_set(project, THREE)
    resumed = project.run("--resume", "--force", *TO_PARSE)
    assert resumed.code == 0, resumed.err
    assert {wire: n for wire, n in fake_provider.CALLS.items() if wire in before} == before
    assert asked_by_arm() == {"c": 8, "t": 8, "x7gya": 8}
    names = {name.replace("short", "control") for name in manifest(project).parts if "short" in name}
    assert names == {name for name in manifest(project).parts if "control" in name}


@pytest.mark.parametrize(
    "treatments",
    [
        {"short": "other.txt", "treatment": "treatment.txt"},
        {"treatment": "treatment.txt"},
        {"short": "other.txt"},
    ],
)
def test_reordering_or_removing_arms_sends_no_request_again(project: Project, treatments: dict[str, str]) -> None:
    of_set(project, THREE)
    assert project.run(*TO_PARSE).code == 0
    of_set(project, {"control": "control.txt", "treatments": treatments})
    resumed = project.run("--resume", "--force", *TO_PARSE)
    assert resumed.code == 0, resumed.err
    assert sum(fake_provider.CALLS.values()) == 42
    of_set(project, THREE)
    assert project.run("--resume", "--force", *TO_PARSE).code == 0
    assert sum(fake_provider.CALLS.values()) == 42, "an arm that comes back has its answers still"


TWO = {"control": "control.txt", "treatments": {"terse": "treatment.txt"}}
RENAMED = {"control": "control.txt", "treatments": {"terse": "treatment.txt", "short": "other.txt"}}


@pytest.mark.parametrize("stage", ["build", "poll"])
@pytest.mark.parametrize(
    "changes",
    [
        {"prompt_sets": {"main": TWO}},
        {"prompt_sets": {"main": RENAMED}},
        {"prompt_sets": {"main": TWO}, "aa": True},
        {"temps": [0.0]},
        {"samples_per_item": 3},
    ],
    ids=["arm removed", "arm renamed", "A/A", "temperature removed", "replicates added"],
)
def test_a_plan_shows_what_a_forced_change_of_requests_would_do(
    project: Project, changes: dict[str, Any], stage: str
) -> None:
    arms = {"control": "control.txt", "treatments": {"terse": "treatment.txt", "brief": "other.txt"}}
    of_set(project, arms, temps=[0.0, 0.7], limit_items=2)
    project.given_run("--to_step", stage)
    before = project.snapshot()
    tree = yaml.safe_load(project.config.read_text())
    project.config.write_text(yaml.safe_dump(tree | changes))
    for command in (
        ("plan", "--run_id", "r"),
        ("run", "--run_id", "r", "--resume", "--plan_only"),
        ("resume", "r", "--plan_only"),
        ("resume", "r", "--plan_only", "--force"),
        ("explain", "r"),
    ):
        outcome = project.call(*command)
        assert outcome.code == 0, (command, outcome.err)
        if command[0] == "plan":
            told = "the configuration has changed; a resume would be refused without --force" in outcome.prose
            assert told == (stage == "poll"), "before anything is asked, a configuration may change"
    assert project.snapshot() == before
    assert project.run("--resume", "--force").code == 0
    assert project.call("doctor", "r").code == 0


def test_a_plan_does_not_count_parts_of_a_removed_arm_or_temperature(project: Project) -> None:
    of_set(project, RENAMED, temps=[0.0, 0.7])
    project.given_run("--to_step", "build")
    assert "(12 of 12 parts left)" in project.call("plan", "--run_id", "r").prose
    of_set(project, RENAMED, temps=[0.0])
    assert "(6 of 6 parts left)" in project.call("plan", "--run_id", "r").prose
    of_set(project, TWO, temps=[0.0, 0.7])
    assert "(8 of 8 parts left)" in project.call("plan", "--run_id", "r").prose


def test_another_order_of_arms_needs_no_force_and_is_not_damage(project: Project) -> None:
    of_set(project, THREE)
    assert project.run(*TO_PARSE).code == 0
    of_set(project, {"control": "control.txt", "treatments": {"short": "other.txt", "treatment": "treatment.txt"}})
    resumed = project.run("--resume", *TO_PARSE)
    assert resumed.code == 0, resumed.err
    assert "damaged" not in resumed.err
    assert not list(project.run_root().glob("*.corrupt.*"))
    own = yaml.safe_load((project.run_root() / "effective_config.yaml").read_text())
    assert list(own["prompt_sets"]["main"]["treatments"]) == ["short", "treatment"]
    assert sum(fake_provider.CALLS.values()) == 42
    assert "nothing was left to do" in project.run("--resume", *TO_PARSE).err


def test_predictions_distinguish_the_arms_of_a_trial(project: Project) -> None:
    of_set(project, THREE)
    assert project.run(*TO_PARSE).code == 0
    import pyarrow.parquet as pq

    rows = pq.read_table(project.trial_folder() / "results" / "predictions.parquet").to_pylist()
    assert Counter(row["condition"] for row in rows) == {"control": 14, "treatment": 14, "short": 14}
    assert {ids.parse_canonical(row["custom_id"]).condition for row in rows} == {"control", "treatment", "short"}


def test_only_named_arms_are_asked_and_the_others_follow_in_a_full_run(project: Project) -> None:
    of_set(project, THREE)
    assert project.run("--arms", "control,short", *TO_PARSE).code == 0
    assert asked_by_arm() == {"c": 14, "x7gya": 14}
    assert project.run("--resume", "--force", "--condition", "both", *TO_PARSE).code == 0
    assert asked_by_arm() == {"c": 14, "t": 14, "x7gya": 14}
    assert set(fake_provider.CALLS.values()) == {1}


def test_an_unknown_arm_name_is_refused_with_the_known_ones(project: Project) -> None:
    of_set(project, THREE)
    for flags in (("--arms", "control,shrt"), ("--condition", "shrt")):
        refused = project.run(*flags)
        assert refused.code == 2
        assert "unknown arm 'shrt'; did you mean 'short'?; known: control, treatment, short" in refused.err
    assert not project.run_root().exists()


def test_an_a_a_trial_is_run_and_labelled_as_such(project: Project) -> None:
    of_set(project, {"control": "control.txt", "treatment": {"text": "You are a careful assistant."}})
    done = project.run(*TO_PARSE)
    assert done.code == 0
    assert "the arms control and treatment send the same messages to the same model (an A/A trial)" in done.err
    assert asked_by_arm() == {"c": 14, "t": 14}
    again = project.run("--resume", *TO_PARSE)
    assert again.code == 0
    assert "an A/A trial" not in again.err


def test_arms_made_identical_by_a_forced_change_are_reported(project: Project) -> None:
    assert project.run(*TO_PARSE).code == 0
    of_set(project, {"control": "control.txt", "treatment": "control.txt"})
    done = project.run("--resume", "--force", *TO_PARSE)
    assert done.code == 0, done.err
    assert "an A/A trial" in done.err


# --- arms that differ in more than their prompts ---------------------------------------------------------------------

OWN = {"open_book": {"text": "{context}\n{question}"}, "closed_book": {"text": "In short: {question}"}}
MODELS = {"m1": {"id": "vendor/model-1"}, "m2": {"id": "vendor/model-2"}}
ONE_MODEL = {"models": ["m1"], "prompt_sets": ["main"]}


def of_models(project: Project, treatment: dict[str, Any], **others: Any) -> None:
    prices = {
        "m1": {"input_per_million": 1.0, "output_per_million": 2.0},
        "m2": {"input_per_million": 10.0, "output_per_million": 20.0},
    }
    settings = {"models": MODELS, "sweep": ONE_MODEL, "pricing": {"fake": {"models": prices}}}
    of_set(project, {"control": "control.txt", "treatments": {"big": treatment}}, **settings | others)


def test_an_arm_with_its_own_templates_uses_them(project: Project) -> None:
    asked: dict[str, set[str]] = {}

    def note(row: RequestRow) -> None:
        asked.setdefault(row.custom_id.split("-")[-4], set()).add(row.body.messages[-1].content)

    fake_provider.BEFORE_ROW.append(note)
    of_set(project, {"control": "control.txt",
                     "treatments": {"asked": {"prompt": "control.txt", "task_instructions": OWN}}})  # fmt: skip
    assert project.run(*TO_PARSE).code == 0
    assert "In short: Question 1?" in asked[arm_code("asked")]
    assert "Question: Question 1?\nAnswer:" in asked["c"]
    assert not asked["c"] & asked[arm_code("asked")]


def test_changing_the_template_of_one_arm_asks_only_that_arm_again(project: Project) -> None:
    arms = {"asked": {"prompt": "control.txt", "task_instructions": OWN}}
    of_set(project, {"control": "control.txt", "treatments": arms})
    assert project.run(*TO_PARSE).code == 0
    arms["asked"]["task_instructions"] = OWN | {"closed_book": {"text": "Briefly: {question}"}}
    of_set(project, {"control": "control.txt", "treatments": arms})
    assert project.run("--resume", "--force", *TO_PARSE).code == 0
    assert asked_by_arm()["c"] == 14
    assert asked_by_arm()[arm_code("asked")] > 14


def test_a_refusal_mandated_by_the_template_of_an_arm_is_tested_before_anything_is_asked(project: Project) -> None:
    own = OWN | {"closed_book": {"text": '{question} Else reply exactly "Declined by policy".'}}
    of_set(project, {"control": "control.txt",
                     "treatments": {"asked": {"prompt": "control.txt", "task_instructions": own}}})  # fmt: skip
    refused = project.run()
    assert refused.code != 0
    assert "Declined by policy" in refused.err
    assert not fake_provider.CALLS


def test_an_arm_is_answered_recorded_and_priced_by_its_own_model(project: Project) -> None:
    of_models(project, {"prompt": "control.txt", "model": "m2"})
    done = project.run("--to_step", "costs")
    assert done.code == 0, done.err
    found = manifest(project)
    assert found.trial["model_id"] == "vendor/model-1"
    assert found.engine_of("control") == {"engine": "fake", "model": "vendor/model-1"}
    assert found.engine_of("big") == {"engine": "fake", "model": "vendor/model-2"}
    costs = json.loads((project.trial_folder() / "results" / "costs.json").read_text())
    arms = costs["conditions"]
    assert arms["control"]["prompt_tokens"] == arms["big"]["prompt_tokens"]
    assert arms["big"]["usd"] == pytest.approx(10 * arms["control"]["usd"])
    assert costs["usd"] == pytest.approx(arms["control"]["usd"] + arms["big"]["usd"])
    assert costs["price"]["input_per_million"] == 1.0
    assert costs["arm_prices"]["big"]["input_per_million"] == 10.0
    assert project.run("--resume", "--to_step", "costs").code == 0
    assert set(fake_provider.CALLS.values()) == {1}


def test_changing_the_model_of_one_arm_asks_only_that_arm_again(project: Project) -> None:
    of_models(project, {"prompt": "control.txt"})
    assert project.run(*TO_PARSE).code == 0
    of_models(project, {"prompt": "control.txt", "model": "m2"})
    resumed = project.run("--resume", "--force", *TO_PARSE)
    assert resumed.code == 0, resumed.err
    assert asked_by_arm() == {"c": 14, arm_code("big"): 28}


@pytest.mark.parametrize("changed", ["m1", "m2"])
def test_a_model_changed_by_force_has_no_recorded_engine_before_it_is_asked(project: Project, changed: str) -> None:
    arms = {"m1": "control", "m2": "big"}
    of_models(project, {"prompt": "control.txt", "model": "m2"})
    assert project.run(*TO_PARSE).code == 0
    before = {alias: manifest(project).engine_of(arm) for alias, arm in arms.items()}
    of_models(project, {"prompt": "control.txt", "model": "m2"}, models=MODELS | {changed: {"id": "vendor/model-3"}})
    assert project.run("--resume", "--force", "--to_step", "build").code == 0
    assert {alias: manifest(project).engine_of(arm) for alias, arm in arms.items()} == before | {changed: {}}
    assert project.run("--resume", *TO_PARSE).code == 0
    assert manifest(project).engine_of(arms[changed])["model"] == "vendor/model-3"


def test_the_model_of_arms_that_do_not_run_is_not_opened(project: Project) -> None:
    of_models(
        project, {"prompt": "control.txt", "model": "m2"}, models=MODELS | {"m2": {"id": "x", "provider": "fireworks"}}
    )
    done = project.run("--arms", "control", *TO_PARSE)
    assert done.code == 0, done.err
    assert manifest(project).prompts["big"]["tokens"] is None
    assert manifest(project).engine_of("big") == {}
    assert "nothing was left to do" in project.run("--resume", "--arms", "control", *TO_PARSE).err


def test_a_hosted_arm_beside_a_local_one_is_answered_by_a_job_and_resumes(project: Project) -> None:
    of_models(
        project, {"prompt": "treatment.txt", "model": "m2"},
        models=MODELS | {"m2": {"id": "accounts/fireworks/models/x", "provider": "fireworks"}}, pricing={},
    )  # fmt: skip
    done = project.run("--dry_run", *TO_PARSE)
    assert done.code == 0, done.err
    found = manifest(project)
    assert (found.hosted, found.is_hosted("control"), found.is_hosted("big")) == (False, False, True)
    assert {name: bool(part.intents) for name, part in found.parts.items()} == {
        name: "big" in name for name in ("t0_control_p001", "t0_control_p002", "t0_big_p001", "t0_big_p002")
    }
    report = json.loads((project.trial_folder() / "results" / "parse_report.json").read_text())
    assert [report["arms"][arm]["answered"] for arm in ("control", "big")] == [14, 14]
    (project.trial_folder() / "results" / "trial_manifest.json").unlink()
    again = project.run("--resume", *TO_PARSE)
    assert again.code == 0, again.err
    assert set(fake_provider.CALLS.values()) == {1}, "the local arm is not asked again, though the manifest was lost"
    assert all(len(part.intents) == 1 for name, part in manifest(project).parts.items() if "big" in name)


# --- a whole run -----------------------------------------------------------------------------------------------------


def test_the_jobs_of_three_hosted_arms_are_each_paid_for_once_whatever_arm_is_added(project: Project) -> None:
    hosted = {"provider": "fireworks", "models": {"m1": {"id": "accounts/fireworks/models/small"}}, "pricing": {}}
    project.write_config(hosted)
    assert project.run("--dry_run").code == 0
    run = RunDir(project.root / "experiments", "r")
    assert len(smoke_checks.spending(run).jobs) == 4
    of_set(project, THREE, **hosted)
    assert project.run("--resume", "--force").code == 0
    spent = smoke_checks.spending(run)
    assert len(spent.jobs) == 6
    assert list(smoke_checks.spending_problems(spent, 6, 6)) == []
    assert project.run("--dry_run", run_id="whole").code == 0
    for name in ("predictions.csv", "per_item_scores.csv"):
        found = {
            path.read_bytes()
            for run_id in ("r", "whole")
            for path in project.run_root(run_id).glob(f"*/results/{name}")
        }
        assert len(found) == 1, f"{name}: a run that was given an arm later is a run that had it from the start"


def test_a_run_with_three_arms_ends_with_a_report_and_nothing_left_to_do(project: Project) -> None:
    of_set(project, THREE)
    done = project.run()
    assert done.code == 0, done.err
    results = project.trial_folder() / "results"
    import pyarrow.parquet as pq

    scores = pq.read_table(results / "per_item_scores.parquet").to_pylist()
    assert Counter(row["condition"] for row in scores) == {"control": 14, "treatment": 14, "short": 14}
    assert set(json.loads((results / "costs.json").read_text())["conditions"]) == {"control", "treatment", "short"}
    report = project.details()
    assert "short" in report
    before = project.snapshot()
    again = project.run("--resume")
    assert "nothing was left to do" in again.err
    assert {path for path, digest in project.snapshot().items() if before.get(path) != digest} <= {
        "run.log", "run_state.json",
    }  # fmt: skip
