"""A program that scores answers: the lines it reads and writes, what is refused, and programs that misbehave."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from promptrial.config.code import allowed_as
from promptrial.config.commands import command_digest
from promptrial.config.extracts import typed_steps
from promptrial.config.loading import load_config
from promptrial.config.scorers import ScorerConfig
from promptrial.config.typed import typed
from promptrial.engine.code_consent import remember, trusted_code
from promptrial.errors import ConfigError, ScoreError
from promptrial.model import Item
from promptrial.phases import shards
from promptrial.phases.programs import program_scorer
from promptrial.scoring.base import ScoringSettings, prepare_gold
from promptrial.scoring.contract import BatchScorer, Response, Scorer
from promptrial.scoring.extracts import Extract
from promptrial.scoring.panel import Panel
from promptrial.scoring.types import command as commands
from promptrial.scoring.types.command import Command
from promptrial.scoring.types.fuzzy import Fuzzy
from promptrial.scoring.types.json_schema import JsonSchema
from tests.support import fake_provider
from tests.support.project import Project, import_path
from tests.support.scoring_runs import SCORING, done, phases_run, rows

HEAD = f"#!{sys.executable} -IS\nimport json, os, sys, time\n"
LENGTH = HEAD + (
    "for line in sys.stdin:\n"
    "    asked = json.loads(line)\n"
    "    print(json.dumps({'id': asked['id'], 'score': min(1, len(asked['response']['text']) / 100)}))\n"
)


def write(folder: Path, code: str, name: str = "score.py") -> None:
    path = folder / name
    path.write_text(code)
    path.chmod(0o755)


@pytest.fixture
def own(project: Project) -> Project:
    """Return a project with a program beside its configuration."""
    write(project.root / "config", LENGTH)
    return project


def configure(own: Project, *command: str, **settings: Any) -> None:
    words = list(command) or ["./score.py"]
    own.write_config({"scorers": {"em": None, "mine": {"type": "command", "command": words, **settings}}})


# --- in a run --------------------------------------------------------------------------------------------------------


def test_a_program_scores_and_editing_it_scores_again_without_asking(own: Project) -> None:
    configure(own, label="Length")
    done(own)
    lengths = {row["mine"] for row in rows(own)}
    assert "0.05" in lengths, "Paris has five letters"
    assert "Length" in own.details()
    asked = dict(fake_provider.CALLS)
    done(own, "--resume")
    assert phases_run(own) == []
    write(own.root / "config", LENGTH.replace("/ 100", "/ 200"))
    done(own, "--resume")
    assert phases_run(own) == SCORING
    assert "0.025" in {row["mine"] for row in rows(own)}
    assert asked == fake_provider.CALLS


def test_argument_files_and_listed_files_are_part_of_the_program(own: Project) -> None:
    for name in ("words.txt", "more.txt"):
        (own.root / "config" / name).write_text("a")
    configure(own, "./score.py", "words.txt", files=["more.txt"])
    done(own)
    for name in ("words.txt", "more.txt"):
        (own.root / "config" / name).write_text("b")
        done(own, "--resume")
        assert phases_run(own) == SCORING


def test_only_the_score_phase_runs_the_program(own: Project) -> None:
    mark = own.root / "ran"
    write(own.root / "config", LENGTH.replace("import json", f"open({str(mark)!r}, 'a').close(); import json"))
    configure(own)
    done(own, "--to_step", "parse")
    for command in (["plan"], ["status", "r"], ["doctor", "r"], ["run", "--run_id", "r", "--plan_only"]):
        assert own.call(*command).code == 0
    assert not mark.exists()
    done(own, "--resume")
    assert mark.exists()
    mark.unlink()
    assert own.call("compare", "r", "r").code == 0
    assert not mark.exists()


def test_a_program_of_a_foreign_run_runs_only_after_it_is_allowed(
    own: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(own)
    done(own)
    own.config.rename(own.root / "config/other.yaml")  # the run's own copy is read, and no configuration is named
    monkeypatch.setenv("XDG_STATE_HOME", str(own.root / "another-machine"))
    (own.trial_folder() / "results/per_item_scores.csv").unlink()
    outcome = own.call("resume", "r")
    assert outcome.code == 2
    assert "scorer mine: the code of the command ./score.py (SHA-256 " in outcome.err
    assert "--allow_code" in outcome.err
    outcome = own.call("resume", "r", "--allow_code")
    assert outcome.code == 0, outcome.err


def test_a_program_that_changed_since_it_was_allowed_does_not_run(own: Project) -> None:
    configure(own)
    done(own)
    own.config.rename(own.root / "config/other.yaml")
    mark = own.root / "ran"
    write(own.root / "config", LENGTH.replace("import json", f"open({str(mark)!r}, 'a').close(); import json"))
    (own.trial_folder() / "results/per_item_scores.csv").unlink()
    outcome = own.call("resume", "r", "--allow_code")
    assert outcome.code == 2
    assert "scorer mine: the files of the command ./score.py have changed since the run was started" in outcome.err
    assert not mark.exists()


def test_a_program_that_was_allowed_may_not_run_in_another_folder_beside_other_files(own: Project) -> None:
    """A program can load its neighbours, which its digest does not cover."""
    configure(own)
    loaded = load_config(own.config, {})
    allowed = trusted_code(loaded, named=True, allow=False)
    assert len(allowed) == 1
    remember(allowed)
    assert trusted_code(loaded, named=False, allow=False) == allowed
    shutil.copytree(own.root / "config", own.root / "evil")
    (own.root / "evil/json.py").write_text("raise SystemExit")
    elsewhere = load_config(own.root / "evil/eval_config.yaml", {})
    entries = [each.experiment.scorers_in_use["mine"].sha256 for each in (loaded, elsewhere)]
    assert entries[0] == entries[1]
    assert trusted_code(elsewhere, named=False, allow=False) == frozenset()
    assert allowed_as(elsewhere.experiment.scorers_in_use["mine"], own.root / "evil") not in allowed


def test_a_program_that_fails_is_one_error_and_leaves_nothing_half_written(own: Project) -> None:
    write(own.root / "config", HEAD + "print('no', file=sys.stderr); sys.exit(3)")
    configure(own)
    outcome = own.run()
    assert outcome.code == 1
    assert "scorer mine: the program ended with exit code 3" in outcome.err
    assert "it wrote to standard error:\n  no" in outcome.err
    assert "Traceback" not in outcome.err
    assert not [path for path in (own.trial_folder() / "results").iterdir() if "score" in path.name]
    write(own.root / "config", LENGTH)
    configure(own)
    done(own, "--resume")
    assert phases_run(own) == SCORING


def test_the_program_gets_no_key_in_its_environment(own: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREWORKS_API_KEY", "fw_" + "notforprograms")
    (own.root / ".env").write_text("OPENAI_API_KEY=sk-" + "notforprograms\n")
    write(own.root / "config", HEAD + "print(dict(os.environ), file=sys.stderr); sys.exit(1)")
    configure(own)
    outcome = own.run()
    assert outcome.code == 1
    assert "'PATH'" in outcome.err
    assert "notforprograms" not in outcome.err
    assert "notforprograms" not in (own.run_root() / "run.log").read_text()


def test_the_program_can_read_the_files_of_the_user_also_those_with_keys(own: Project) -> None:
    (own.root / "config/.env").write_text("OTHER=notinanyname\n")
    write(own.root / "config", HEAD + "print(open('.env').read(), file=sys.stderr); sys.exit(1)")
    configure(own)
    assert "notinanyname" in own.run().err


# --- what a configuration may name -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "settings", "at", "said"),
    [
        ([], {}, "mine", "`command` must name a program and its arguments, as a list"),
        (["score.py"], {}, "command", "not found on the PATH; for the file next to the configuration write ./score.py"),
        (["./none.py"], {}, "command", "./none.py: file not found in the folder of the configuration"),
        (["./plain.py"], {}, "command", "./plain.py cannot be executed: chmod +x"),
        (["/bin/sh", "-c", "true"], {}, "command", "/bin/sh is outside the folder of the configuration"),
        (["../out.py"], {}, "command", "../out.py is outside the folder of the configuration"),
        (["./link.py"], {}, "command", "./link.py is outside the folder of the configuration"),
        (["sh", "../out.py"], {}, "command", "../out.py is outside the folder of the configuration"),
        (["sh", "/etc/hostname"], {}, "command", "/etc/hostname is outside the folder of the configuration"),
        (["sh", "package"], {}, "command", "package is a folder: name each file of the program, under `files`"),
        (["sh", "scores.py"], {}, "command", "scores.py: file not found in the folder of the configuration"),
        (["./score.py"], {"files": ["none.txt"]}, "command", "none.txt: file not found"),
        (["./score.py"], {"time_limit_s": 0}, "mine", "`time_limit_s` must be above 0"),
        (["./score.py"], {"range": [1, 0]}, "mine", "the range must go from a lower to a higher number"),
        (["./score.py"], {"shell": True}, "shell", "unknown setting"),
        ("./score.py", {}, "command", "expected a list"),
    ],
)  # fmt: skip
def test_a_program_that_cannot_or_must_not_run_is_an_error_before_anything_is_asked(
    own: Project, command: Sequence[str], settings: dict[str, Any], at: str, said: str
) -> None:
    (own.root / "config/plain.py").write_text(LENGTH)
    (own.root / "config/package").mkdir()
    write(own.root, LENGTH, "out.py")
    (own.root / "config/link.py").symlink_to(own.root / "out.py")
    own.write_config({"scorers": {"mine": {"type": "command", "command": command, **settings}}})
    with pytest.raises(ConfigError) as error:
        load_config(own.config, {})
    lines = own.config.read_text().splitlines()
    line = 1 + next(n for n, text in enumerate(lines) if text.lstrip().startswith(f"{at}:"))
    assert str(error.value).startswith(f"{own.config}:{line}: scorers.mine")
    assert said in str(error.value)


def test_arguments_that_are_not_files_are_passed_to_the_program(own: Project) -> None:
    for words in (["-c", "cat"], ["."], ["--x=/etc/hostname"], ["x" * 5000], ["-x.py", "a b.py", "0.5"]):
        assert command_digest(own.root / "config", ["sh", *words], (), os.environ)


def test_only_the_program_itself_must_exist_and_not_the_files_it_writes(own: Project) -> None:
    folder = own.root / "config"
    write(folder, LENGTH)
    written = [["sh", "./score.py", "out.ts"], ["./score.py", "out.js"], ["python3", "-c", "pass", "out.py"]]
    written += [["python3", "-m", "json", "out.py"], ["env", "x.py"]]
    for words in written:
        assert command_digest(folder, words, (), os.environ)
    for words in (["python3", "-W", "ignore", "none.py"], ["sh", "-u", "none.sh", "score.py"]):
        with pytest.raises(ConfigError, match=r"none\.[a-z]+: file not found"):
            command_digest(folder, words, (), os.environ)


@pytest.mark.parametrize("words", [
    ["python3", "-m", "measure"], ["python3", "-Im", "measure.sub"], ["python3", "-W", "ignore", "-mmeasure"],
    ["env", "LANG=C", "python3", "-u", "-m", "measure"],
])  # fmt: skip
@pytest.mark.parametrize("file", ["measure.py", "measure/__init__.py", "measure/sub/part.py"])
def test_the_module_that_python_runs_is_part_of_the_program_if_it_is_beside_the_configuration(
    tmp_path: Path, words: Sequence[str], file: str
) -> None:
    without = command_digest(tmp_path, words, (), os.environ)
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x = 1")
    first = command_digest(tmp_path, words, (), os.environ)
    path.write_text("x = 2")
    assert len({without, first, command_digest(tmp_path, words, (), os.environ)}) == 3
    (path.parent / "data.csv").write_text("1")
    assert command_digest(tmp_path, ["python3", "-m", "json"], (), os.environ)


def test_a_package_outside_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/part.py").write_text("x = 1")
    folder = tmp_path / "config"
    (folder / "measure").mkdir(parents=True)
    (folder / "measure/sub").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="measure/sub is a link to a folder"):
        command_digest(folder, ["python3", "-m", "measure"], (), os.environ)
    (folder / "measure/sub").unlink()
    (folder / "measure/part.py").symlink_to(tmp_path / "elsewhere/part.py")
    with pytest.raises(ConfigError, match="is outside the folder"):
        command_digest(folder, ["python3", "-m", "measure"], (), os.environ)


def test_a_program_in_the_folder_of_a_run_is_refused(own: Project) -> None:
    run = own.root / "config/experiments/run_evil"
    run.mkdir(parents=True)
    (run / "run_state.json").write_text("{}")
    write(run, LENGTH)
    configure(own, "./experiments/run_evil/score.py")
    with pytest.raises(ConfigError, match="is in the folder of a run"):
        load_config(own.config, {})
    command = Command(command=("./score.py",))
    with pytest.raises(ConfigError, match="is in the folder of a run"):
        program_scorer("mine", ScorerConfig(type="command"), command, run, lambda: None)


# --- the lines -------------------------------------------------------------------------------------------------------


ITEMS = [
    Item(id=f"i{n}", dataset="d", question=f"q{n}", answers=("a", "b"), context="p" * n if n % 3 else None)
    for n in range(25)
]


def scorer_of(folder: Path, code: str, **settings: Any) -> Scorer:
    write(folder, code)
    command = typed(Command, {"command": ["./score.py"], "time_limit_s": 60, **settings})
    sha256 = command_digest(folder, command.command, command.files, os.environ)
    entry = ScorerConfig(type="command", sha256=sha256)
    return program_scorer("mine", entry, command, folder, lambda: None)


def scored(scorer: Scorer, items: Sequence[Item] = ITEMS) -> list[float]:
    pairs = [
        (prepare_gold(item, "squad_v2", ScoringSettings()), Response(f"answer {item.id}", "stop")) for item in items
    ]
    return [score for (score,) in Panel({"mine": scorer}).score_all(pairs)]


def test_each_input_line_has_the_item_the_accepted_answers_and_the_response(tmp_path: Path) -> None:
    code = HEAD + (
        "for line in sys.stdin:\n"
        "    open('seen', 'a').write(line)\n"
        "    print(json.dumps({'id': json.loads(line)['id'], 'score': True}))\n"
    )
    assert scored(scorer_of(tmp_path, code), ITEMS[:2]) == [1.0, 1.0]
    first, second = map(json.loads, (tmp_path / "seen").read_text().splitlines())
    assert first["golds"] == ["a", "b"]
    assert first["response"] == {"text": "answer i0"}
    assert (first["item"]["id"], first["item"]["context"], second["item"]["context"]) == ("i0", None, "p")
    assert [first["id"], second["id"]] == [1, 2]
    assert not {"arm", "condition"} & (first.keys() | first["item"].keys())
    (tmp_path / "seen").unlink()
    scored(scorer_of(tmp_path, code, needs=["response", "passage"]), ITEMS[:2])
    (only,) = map(json.loads, (tmp_path / "seen").read_text().splitlines())
    assert only["item"]["id"] == "i1", "it applies to items with a passage"
    assert only["response"]["finish_reason"] == "stop"


def test_scores_do_not_depend_on_how_answers_are_cut_into_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = scorer_of(tmp_path, LENGTH)
    whole = scored(scorer)
    assert len(set(whole)) == 2
    for size in (1, 300, 1000):
        monkeypatch.setattr(commands, "_MAX_BATCH_BYTES", size)
        assert scored(scorer) == whole
    assert [scored(scorer, [item])[0] for item in ITEMS] == whole


def test_a_run_scored_in_small_batches_has_the_same_files(own: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    scorers = {"mine": {"type": "command", "command": ["./score.py"]}, "f1": None}
    own.write_config({"scorers": scorers, "samples_per_item": 2, "temps": [0.7]})
    done(own)
    path = own.trial_folder() / "results/per_item_scores.csv"
    whole = path.read_bytes()
    monkeypatch.setattr(shards, "_SCORED_TOGETHER", 5)
    path.unlink()
    done(own, "--resume")
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("{'id': n, 'score': float('nan')}", "line 1 of the program, for item 'i0' of d, is not"),
        ("{'id': n, 'score': None}", "line 1 of the program, for item 'i0' of d, is not"),
        ("{'id': n, 'score': '1'}", "line 1 of the program, for item 'i0' of d, is not"),
        ("{'id': n, 'score': 1.5}", "the score of item 'i0' of d is 1.5; its range: from 0 to 1"),
        ("{'id': n, 'score': -1 if n == 7 else 0}", "the score of item 'i6' of d is -1.0; its range: from 0 to 1"),
        ("{'score': 1}", "line 1 of the program, for item 'i0' of d, is not"),
        ("[n, 1]", "line 1 of the program, for item 'i0' of d, is not"),
        ("{'id': n if n < 9 else 26 - n, 'score': 1}", "line 9 of the program, for item 'i8' of d, has the id 17"),
        ("{'id': n, 'score': 1} if n < 20 else None", "line 20 of the program, for item 'i19' of d, is not"),
    ],
)
def test_an_invalid_output_line_names_the_item(tmp_path: Path, reply: str, said: str) -> None:
    code = HEAD + f"for line in sys.stdin:\n    n = json.loads(line)['id']\n    print(json.dumps({reply}))\n"
    with pytest.raises(ScoreError) as error:
        scored(scorer_of(tmp_path, code))
    assert said in str(error.value)
    assert "mine" in str(error.value)


@pytest.mark.parametrize(
    ("write_more", "said"),
    [
        ("if n < 4: print(reply)", "the program wrote 3 of 25 lines; the first without one is item 'i3' of d"),
        (
            "print(reply)\n    if n == 25: print(reply)",
            "a line more than it was asked for, after that of item 'i24' of d",
        ),
    ],
)
def test_a_missing_or_extra_output_line_names_the_item(tmp_path: Path, write_more: str, said: str) -> None:
    code = HEAD + (
        "for line in sys.stdin:\n    n = json.loads(line)['id']\n    reply = json.dumps({'id': n, 'score': 1})\n"
        f"    {write_more}\n"
    )
    with pytest.raises(ScoreError) as error:
        scored(scorer_of(tmp_path, code))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (HEAD + "sys.exit(3)", "the program ended with exit code 3"),
        (HEAD + "print('no', file=sys.stderr); raise ValueError('spoilt')", "ValueError: spoilt"),
        (HEAD + "print('nothing of it')", 'is not {"id": 1, "score": NUMBER}: nothing of it'),
        (HEAD + "os.kill(os.getpid(), 11)", "the program was killed by signal 11"),
        (HEAD + "time.sleep(600)", "it took longer than 0.5 seconds (time_limit_s)"),
        (HEAD + "while True: print('x' * 100_000)", "its output exceeded "),
        (HEAD + "os.close(0)", "the program wrote 0 of "),
        ("#!/no/such/interpreter\n", "cannot be started: No such file or directory"),
    ],
)
def test_a_failed_program_is_reported_with_how_it_failed(tmp_path: Path, code: str, said: str) -> None:
    with pytest.raises(ScoreError) as error:
        scored(scorer_of(tmp_path, code, time_limit_s=0.5 if "sleep" in code else 60))
    assert str(error.value).startswith("scorer mine: ")
    assert said in str(error.value)


def test_a_program_gets_the_part_of_an_answer_that_is_extracted(tmp_path: Path) -> None:
    code = LENGTH.replace("len(asked['response']['text']) / 100", "asked['response']['text'] == '7'")
    panel = Panel(
        {"mine": scorer_of(tmp_path, code), "json": JsonSchema(schema={"type": "integer"}), "words": Fuzzy()},
        {name: Extract(typed_steps({"after": "Answer:"})) for name in ("mine", "json")},
    )
    gold = prepare_gold(ITEMS[0], "squad_v2", ScoringSettings())
    texts = ["Well. Answer: 7", "Answer: 8.5", "a", "7"]
    scores = panel.score_all([(gold, Response(text)) for text in texts])
    assert [row[:2] for row in scores] == [(1, 1), (0, 0), (0, 0), (0, 0)]
    assert scores[2][2] == 1, "a scorer without `extract` gets the whole answer"
    n, not_found = panel.take_counts()
    assert (n, not_found["mine"], not_found["json"]) == (4, 2, 2)


def test_without_a_label_tables_show_the_name_of_the_scorer(tmp_path: Path) -> None:
    assert scorer_of(tmp_path, LENGTH).declared.label == "Mine"
    assert scorer_of(tmp_path, LENGTH, label="Length").declared.label == "Length"


def test_settings_by_themselves_run_nothing() -> None:
    scorer: BatchScorer = Command(command=("./score.py",))
    with pytest.raises(ScoreError, match="is run by the phase"):
        scored(scorer)


# --- kills and stops -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 5), (signal.SIGTERM, 5)])
def test_a_run_killed_or_stopped_while_a_program_scores_continues_from_there(
    own: Project, number: signal.Signals, code: int
) -> None:
    note = own.root / "pid"
    waits = f"open('{note}.part', 'w').write(str(os.getpid())); os.rename('{note}.part', '{note}'); time.sleep(600)\n"
    write(own.root / "config", LENGTH.replace("for line", f"if os.path.exists('{note}.wanted'): {waits}for line"))
    configure(own)
    done(own, "--to_step", "parse")
    Path(f"{note}.wanted").write_text("")
    child = (
        "import sys; from promptrial import registry; from promptrial.cli.main import main\n"
        "registry.PROVIDERS['fake'] = 'tests.support.fake_provider:FakeProvider'\n"
        "sys.exit(main(['run', '--run_id', 'r', '--resume']))"
    )
    env = {**os.environ, "PYTHONPATH": import_path()}
    with subprocess.Popen([sys.executable, "-c", child], cwd=own.root, env=env, stderr=subprocess.PIPE) as process:
        while not note.exists():
            assert process.poll() is None, process.stderr and process.stderr.read()
            os.sched_yield()
        process.send_signal(number)
        process.communicate(timeout=60)
        assert process.returncode == code
    program = int(note.read_text())
    if number == signal.SIGKILL:
        os.kill(program, signal.SIGKILL)  # nobody is left to do it
    else:
        with pytest.raises(ProcessLookupError):
            os.kill(program, 0)
    assert not [path for path in (own.trial_folder() / "results").iterdir() if path.name.startswith("per_item_scores.")]
    Path(f"{note}.wanted").unlink()
    asked = dict(fake_provider.CALLS)
    done(own, "--resume")
    assert phases_run(own) == SCORING
    assert asked == fake_provider.CALLS
