"""A configuration of models, prompts and questions: from there to a finished run, and every resume of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from promptrial.engine import question_files
from tests.support.project import Outcome, Project

LONG = "Iron rusts where it meets water and oxygen, and paint keeps both of them away."
MINIMAL = """\
provider: fake
models: {m1: vendor/model-1}
prompt_sets:
  main: {control: control.txt, treatment: treatment.txt}
datasets: {mine: questions.csv}
stats: {bootstrap_samples: 1000, permutation_samples: 999}
"""


@pytest.fixture
def minimal(project: Project) -> Project:
    """Return a project whose configuration says no more than it must."""
    project.config.write_text(MINIMAL)
    rows = "".join(f'Why {number}?,"{LONG}",topic {number % 2}\n' for number in range(8))
    questions(project).write_text(f"Question,answer,Topic\n{rows}")
    return project


def questions(project: Project) -> Path:
    return project.config.with_name("questions.csv")


def no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every look into a question file fail."""

    def refuse(*_: object) -> None:
        raise AssertionError("a question file was read")

    monkeypatch.setattr("promptrial.datasets.recognising.recognise", refuse)
    monkeypatch.setattr(question_files, "read_items", refuse)


def is_finished(outcome: Outcome) -> bool:
    return outcome.code == 0 and "nothing was left to do" in outcome.err


def test_a_minimal_configuration_runs_to_its_report_and_states_the_decisions(minimal: Project) -> None:
    outcome = minimal.run()
    assert outcome.code == 0, outcome.err
    assert (
        "datasets.mine: columns: question from 'Question', answers from 'answer', category from 'Topic'" in outcome.err
    )
    assert "scorers: f1 (8 of 8 questions have a long answer)" in outcome.err
    assert "primary endpoint: f1" in outcome.err
    recorded = yaml.safe_load((minimal.run_root() / "effective_config.yaml").read_text())
    assert recorded["datasets"]["mine"] == {
        "format": "custom",
        "path": "questions.csv",
        "hub": None,
        "columns": {"question": "Question", "answers": "answer", "category": "Topic"},
        "size": None,
    }
    assert recorded["scorers"] == {"f1": {"type": "f1"}}
    assert "Cost: 0 USD" in outcome.out
    assert is_finished(minimal.run("--resume"))


@pytest.mark.parametrize("what", ["gone", "changed", "no question file"])
def test_a_finished_run_resumes_with_nothing_to_do_even_if_its_questions_changed(minimal: Project, what: str) -> None:
    assert minimal.run().code == 0
    before = minimal.snapshot()
    if what == "gone":
        questions(minimal).unlink()
    else:
        questions(minimal).write_text("prompt\nWrite a poem.\n" if what == "changed" else "\x00")
    outcome = minimal.run("--resume")
    assert is_finished(outcome), outcome.err
    assert ("has changed since this run was prepared" in outcome.err) is (what != "gone")
    after = minimal.snapshot()
    assert {path for path in before if before[path] != after.get(path)} == {"run.log"}


def test_an_interrupted_run_can_be_finished_without_its_question_file(minimal: Project) -> None:
    assert minimal.run("--to_step", "build").code == 0
    questions(minimal).unlink()
    outcome = minimal.run("--resume")
    assert outcome.code == 0, outcome.err
    assert (minimal.trial_folder() / "results" / "significance.json").exists()


def test_a_run_whose_state_is_lost_is_rebuilt_without_its_questions(minimal: Project) -> None:
    assert minimal.run().code == 0
    questions(minimal).unlink()
    decided = json.loads((minimal.run_root() / "run_state.json").read_text())["decided"]
    (minimal.run_root() / "run_state.json").unlink()
    outcome = minimal.call("resume", "r")
    assert outcome.code == 0, outcome.err
    assert json.loads((minimal.run_root() / "run_state.json").read_text())["decided"] == decided


def test_stating_the_format_afterwards_is_not_a_change(minimal: Project) -> None:
    assert minimal.run().code == 0
    minimal.config.write_text(MINIMAL.replace("questions.csv}", "{path: questions.csv, format: custom}}"))
    assert is_finished(minimal.run("--resume"))


def test_scorers_given_later_score_again_without_asking(minimal: Project) -> None:
    assert minimal.run().code == 0
    minimal.config.write_text(MINIMAL + "scorers: {f1: , em: }\n")
    outcome = minimal.run("--resume")
    assert outcome.code == 0, outcome.err
    assert "the scoring has changed; nothing is asked again" in outcome.err
    assert "submit: running" not in outcome.err
    assert is_finished(minimal.run("--resume"))


def test_a_larger_sample_does_not_choose_scorers_again(minimal: Project) -> None:
    assert minimal.run("--limit_items", "4").code == 0
    recorded = yaml.safe_load((minimal.run_root() / "effective_config.yaml").read_text())
    outcome = minimal.run("--resume", "--limit_items", "8")
    assert outcome.code == 0, outcome.err
    grown = yaml.safe_load((minimal.run_root() / "effective_config.yaml").read_text())
    assert grown == recorded | {"limit_items": 8}


def test_status_list_and_doctor_read_no_question_file(minimal: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert minimal.run("--to_step", "prepare").code == 0
    assert minimal.run(run_id="done").code == 0
    (minimal.run_root() / "prepared" / "manifest.json").unlink()  # so that nothing says that its questions were drawn
    no_reading(monkeypatch)
    assert minimal.call("status", "r").code == 0
    assert minimal.call("list").code == 0
    assert minimal.call("doctor", "done").code == 0
    outcome = minimal.call("doctor", "r")
    assert "a question file was read" not in outcome.out + outcome.err


def test_a_wrong_question_file_is_refused_before_a_folder_is_made(minimal: Project) -> None:
    questions(minimal).write_text("Frage,Antwort\nWarum?,Darum.\n")
    outcome = minimal.run()
    assert outcome.code == 2, outcome.err
    assert "questions.csv:1" in outcome.err
    assert not minimal.run_root().exists()


def test_plan_says_what_was_decided_and_writes_nothing(minimal: Project) -> None:
    outcome = minimal.call("plan", "--run_id", "r")
    assert outcome.code == 0, outcome.err
    assert "primary endpoint: f1" in outcome.out
    assert not (minimal.root / "experiments").exists()
    checks = json.loads(minimal.call("plan", "--run_id", "r", "--json").out)["checks"]
    assert checks["problems"] == []
    assert "primary endpoint: f1" in checks["decided"]


def test_plan_names_the_reasons_to_refuse_a_run_without_failing(minimal: Project) -> None:
    minimal.config.write_text(MINIMAL.replace("provider: fake", "provider: embedded"))
    outcome = minimal.call("plan", "--run_id", "r")
    assert outcome.code == 0
    assert "this run would be refused: models.m1.id: the embedded engine has no model 'vendor/model-1'" in outcome.prose


def test_audit_reads_the_accepted_answers_of_a_file_without_a_stated_format(minimal: Project) -> None:
    questions(minimal).write_text("question,answer\nWho owned the mill?,I don't know.\n")
    outcome = minimal.call("audit", "--config", "config/eval_config.yaml")
    assert outcome.code in {0, 100}, outcome.err
    assert "I don't know." in outcome.out


# --- config show -----------------------------------------------------------------------------------------------------


def test_config_show_says_where_each_value_comes_from(minimal: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTRIAL_LIMIT_ITEMS", "5")
    outcome = minimal.call("config", "show", "--temps", "0.5")
    assert outcome.code == 0, outcome.err
    lines = {line.partition("#")[0].strip(): line.rpartition("# ")[2] for line in outcome.out.splitlines()}
    assert lines["temps: [0.5]"] == "flag --temps"
    assert lines["limit_items: 5"] == "environment variable PROMPTRIAL_LIMIT_ITEMS"
    assert lines["format: custom"] == "recognised in questions.csv"
    assert lines["primary: [f1]"] == "chosen for the questions"
    assert lines["id: vendor/model-1"] == "config/eval_config.yaml:2"
    assert lines["alpha: 0.05"] == "default"
    assert yaml.safe_load(outcome.out)["stats"]["alpha"] == 0.05
    assert not (minimal.root / "experiments").exists()


def test_config_show_of_a_run_reads_only_its_own_copy(minimal: Project) -> None:
    assert minimal.run("--temps", "0.5").code == 0
    minimal.config.unlink()
    questions(minimal).unlink()
    outcome = minimal.call("config", "show", "--run_id", "r")
    assert outcome.code == 0, outcome.err
    lines = {line.partition("#")[0].strip(): line.rpartition("# ")[2] for line in outcome.out.splitlines()}
    assert lines["temps: [0.5]"] == "flag when the run was started"
    assert lines["format: custom"] == "recognised in questions.csv"
    assert lines["seed: 20260101"].startswith("experiments/run_r/effective_config.yaml:")


def test_config_show_as_json_has_a_source_for_every_value(minimal: Project) -> None:
    shown = json.loads(minimal.call("config", "show", "--json").out)
    assert shown["config"]["datasets"]["mine"]["format"] == "custom"
    assert shown["sources"]["/datasets/mine/format"] == "recognised in questions.csv"
    assert shown["sources"]["/models/m1/id"] == "config/eval_config.yaml:2"


def test_config_show_of_a_missing_run_is_a_usage_error(minimal: Project) -> None:
    assert minimal.call("config", "show", "--run_id", "nobody").code == 2


# --- config check ----------------------------------------------------------------------------------------------------


def test_config_check_shows_the_first_question_as_it_is_sent(minimal: Project) -> None:
    outcome = minimal.call("config", "check")
    assert outcome.code == 0, outcome.out
    assert "config/eval_config.yaml: no problem found" in outcome.out
    assert "  system: You are a careful assistant.\n  user: Why 0?" in outcome.out
    assert "8 questions read" in outcome.out
    assert not (minimal.root / "experiments").exists()


def test_config_check_lists_every_problem_at_once_and_ends_with_2(minimal: Project) -> None:
    minimal.config.write_text(
        MINIMAL.replace("provider: fake", "provider: fireworks")
        .replace("{m1: vendor/model-1}", "{m1: accounts/a/models/b, here: {id: other, provider: embedded}}")
        .replace("{mine: questions.csv}", "{mine: nowhere.csv, two: bad.jsonl}")
    )
    minimal.config.with_name("bad.jsonl").write_text('{"question": "Why?"\n')
    outcome = minimal.call("config", "check")
    assert outcome.code == 2
    for problem in (
        "datasets.mine.path: config/nowhere.csv is not a file",
        "config/bad.jsonl:1",
        "FIREWORKS_API_KEY is not set",
        "models.here.id: the embedded engine has no model 'other'",
        "4 problems found",
    ):
        assert problem in outcome.out
    found = json.loads(minimal.call("config", "check", "--json").out)
    assert len(found["problems"]) == 4


@pytest.mark.parametrize("key", [{}, {"FIREWORKS_API_KEY": "k", "FIREWORKS_ACCOUNT_ID": "acc"}])
def test_config_check_names_a_model_impossible_at_its_provider_with_and_without_a_key(
    minimal: Project, monkeypatch: pytest.MonkeyPatch, key: dict[str, str]
) -> None:
    for name, value in key.items():
        monkeypatch.setenv(name, value)
    minimal.config.write_text(MINIMAL.replace("provider: fake", "provider: fireworks").replace("vendor/model-1", "a/b"))
    outcome = minimal.call("config", "check")
    assert outcome.code == 2
    assert "models.m1: model 'a/b': not a valid name of a Fireworks model" in outcome.out
    assert "write accounts/NAME/models/MODEL" in outcome.out
    assert ("FIREWORKS_API_KEY is not set" in outcome.out) is not bool(key)


def test_init_writes_no_model_that_is_impossible_at_its_provider(minimal: Project) -> None:
    outcome = minimal.call("init", "new", "--model", "fireworks/acc/m")
    assert outcome.code == 2
    assert "not a valid name of a Fireworks model" in outcome.err
    assert not (minimal.root / "new").exists()


def test_config_check_does_not_ask_the_hub_and_says_so(minimal: Project) -> None:
    hub = "{mine: {hub: {repo: rajpurkar/squad_v2}, size: 5}}"
    minimal.config.write_text(MINIMAL.replace("{mine: questions.csv}", hub))
    outcome = minimal.call("config", "check")
    assert outcome.code == 0, outcome.out
    assert "note: datasets.mine: on the hub, which a check does not ask" in outcome.out


def test_config_check_of_a_wrong_configuration_lists_its_keys_and_prompts(minimal: Project) -> None:
    minimal.config.write_text(MINIMAL.replace("control.txt", "none.txt").replace("treatment.txt", "none2.txt"))
    outcome = minimal.call("config", "check")
    assert outcome.code == 2
    assert "config/eval_config.yaml:4: prompt_sets.main.control: config/none.txt" in outcome.out
    assert "config/eval_config.yaml:4: prompt_sets.main.treatment: config/none2.txt" in outcome.out


def test_config_check_lists_missing_prompts_questions_scorers_and_subgroups_together(minimal: Project) -> None:
    minimal.config.write_text(
        MINIMAL.replace("control.txt", "none.txt").replace("{mine: questions.csv}", "{mine: nowhere.csv}")
        + "scorers:\n  em:\n  own: {type: python, file: 'own.py:rate'}\n"
        "  said: {type: command, command: [./no-such]}\n"
    )
    minimal.config.with_name("own.py").write_text("def other(answer):\n    return 1.0\n")
    outcome = minimal.call("config", "check")
    assert outcome.code == 2
    for problem in ("config/none.txt", "config/nowhere.csv is not a file", "scorers.own.", "scorers.said.command"):
        assert problem in outcome.out
    assert "4 problems found" in outcome.out
    assert "next:" in outcome.out
    assert "- next:" not in outcome.out
    minimal.config.write_text(MINIMAL.replace("control.txt", "none.txt") + "subgroups: [Topik]\n")
    outcome = minimal.call("config", "check")
    assert "2 problems found" in outcome.out
    assert "A/A trial" not in outcome.out


def test_config_check_counts_what_to_do_next_with_its_problem(minimal: Project) -> None:
    outcome = minimal.call("config", "check", "--config", "config/other.yaml")
    assert outcome.code == 2
    assert "1 problem found" in outcome.out
    assert "\n    next: " in outcome.out


def test_config_check_names_questions_that_lack_what_a_scorer_needs(minimal: Project) -> None:
    minimal.config.write_text(MINIMAL + "scorers: {em: }\n")
    questions(minimal).write_text("question\nWrite a poem.\n")
    outcome = minimal.call("config", "check")
    assert outcome.code == 2
    assert "1 of 1 questions has no gold answer, and em needs one" in outcome.out


def test_config_check_notes_a_model_without_a_price_and_identical_arms(minimal: Project) -> None:
    minimal.config.write_text(MINIMAL.replace("treatment.txt", "control.txt").replace("{mine: questions.csv}",
        "{mine: {path: questions.csv, format: custom}}"))  # fmt: skip
    outcome = minimal.call("config", "check")
    assert outcome.code == 0, outcome.out
    assert "note: models.m1: unpriced (no price list covers its server); its cost in USD is unknown" in outcome.out
    assert (
        "next: add `pricing: {fake: {models: {m1: {input_per_million: USD, output_per_million: USD}}}}`" in outcome.out
    )
    assert "the arms control and treatment send the same messages to the same model" in outcome.out


def test_a_restored_run_resumes_without_configuration_and_question_files(
    minimal: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert minimal.run().code == 0
    archive = minimal.root / "kept.tar.zst"
    assert minimal.call("archive", "r", "--to", str(archive)).code == 0
    elsewhere = minimal.root / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert minimal.call("unarchive", str(archive)).code == 0
    outcome = minimal.run("--resume")
    assert is_finished(outcome), outcome.err
    shown = minimal.call("config", "show", "--run_id", "r").out
    assert "# recognised in questions.csv" in shown
