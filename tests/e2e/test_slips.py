"""A hundred typos of a user: each ends with exit code 2, and at most two lines on stderr that name the fix."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, Final

import pytest

from promptrial.cli.main import COMMANDS, build_parser
from tests.support.project import Project

RUN: Final = ("run", "--run_id", "r")

WORDS: Final[dict[str, str]] = {
    # verbs and actions
    "rum": "there is no verb 'rum'; did you mean 'run'?",
    "Run": "there is no verb 'Run'; did you mean 'run'?",
    "statsu": "did you mean 'status'?",
    "resum r": "did you mean 'resume'?",
    "compair a b": "did you mean 'compare'?",
    "doctr": "did you mean 'doctor'?",
    "shwo r": "did you mean 'show'?",
    "unarchiv x": "did you mean 'unarchive'?",
    "remove r": "there is no verb 'remove'; did you mean 'rm'?",
    "ls": "there is no verb 'ls'; did you mean 'list'?",
    "continue r": "did you mean 'resume'?",
    "zzz": "there is no verb 'zzz'; known: demo, try, ",
    "help rum": "there is no verb 'rum'; did you mean 'run'?",
    "run status": "unrecognized arguments: status; status is a verb of its own: promptrial status",
    "run resume r": "; resume is a verb of its own: promptrial resume r",
    "explain poll r": "the run comes first, then the phase",
    # flags before the verb
    "--models m1 run": "--models comes before its verb",
    "--run_id r --json status": "--run_id comes before its verb",
    "--verson": "there is no flag --verson without a verb; did you mean --version?",
    "-V": "did you mean --version?",
    "--models m1": "there is no flag --models without a verb, and a verb comes first",
    "config chek": "there is no action 'chek'; did you mean 'check'?",
    # flags
    "run --bad": "unrecognized arguments: --bad",
    "run --resum": "did you mean --resume?",
    "run --limit-item=3": "did you mean --limit_items?",
    "run --limit_item 3": "did you mean --limit_items?",
    "run --runid r": "did you mean --run_id?",
    "run --dryrun": "did you mean --dry_run?",
    "run --model m1": "did you mean --models?",
    "run --max_cost 3": "did you mean --max_cost_usd?",
    "run --only-stp poll": "did you mean --only_step?",
    "run --no_share": "did you mean --no_sharing?",
    "run --disply plain": "did you mean --display?",
    "run --log 3": "unrecognized arguments: --log 3",
    "run -x": "unrecognized arguments: -x",
    "run extra": "unrecognized arguments: extra",
    "status --wach": "did you mean --watch?",
    "stop --nwo --run_id r": "did you mean --now?",
    "list --jsn": "did you mean --json?",
    "try --question q.csv": "did you mean --questions?",
    "run --watch": "unrecognized arguments: --watch; --watch is a flag of status",
    "show --resume": "; --resume is a flag of run",
    "status --models=m1": "; --models is a flag of run, plan",
    "plan --resume": "unrecognized arguments: --resume; --resume is a flag of run; did you mean --reuse?",
    "run -n 5": "did you mean --limit_items?",
    "run limit_items=3": "did you mean --limit_items 3?",
    "run --set model=m1": "did you mean --models m1?",
    "run --limit-itms=3": "did you mean --limit_items?",
    "run \u2014resume": "\u2014resume begins with a dash instead of two hyphens; did you mean --resume?",
    "status \u2013watch": "did you mean --watch?",
    "run --dry-run=true": "--dry_run: takes no value",
    "run config/eval_config.yaml": "did you mean promptrial run --config config/eval_config.yaml?",
    "status config/eval_config.yaml": "config/eval_config.yaml is a configuration, and the name of a run is expected",
    # values of flags
    "run --log_level warn": "--log_level: invalid choice: 'warn'; did you mean 'warning'?",
    "run --display fancy": "--display: invalid choice: 'fancy'; known: rich, plain, json, none",
    "run --display jsn": "did you mean 'json'?",
    "run --limit_items 0": "--limit_items: expected a whole number from 1, got '0'",
    "run --limit_items ten": "--limit_items: expected a whole number from 1, got 'ten'",
    "run --limit_items": "--limit_items: expected one argument",
    "run --temps hot": "--temps: expected numbers separated by commas, got 'hot'",
    "run --temps 0,hot": "--temps: expected numbers separated by commas, got '0,hot'",
    "run --temps=": "--temps: expected numbers separated by commas, got ''",
    "run --limit-items=-3": "--limit_items: expected a whole number from 1, got '-3'",
    "run --max_cost_usd $5": "--max_cost_usd: expected an amount above 0, such as 2.50, got '$5'",
    "view --port http": "--port: expected a port from 0 to 65535, got 'http'",
    "emulator --state s --port x": "--port: expected a port from 0 to 65535, got 'x'",
    "power --n ten": "--n: expected a whole number from 1 to a billion, got 'ten'",
    "power --detect x": "--detect: expected a number, got 'x'",
    "completion tcsh": "SHELL: invalid choice: 'tcsh'; known: bash, zsh, fish, runs",
    "run --condition control,treatment": "--condition takes a single arm",
    "run --models ,": "--models: expected names separated by commas",
    "run --max_cost_usd lots": "--max_cost_usd: expected an amount above 0, such as 2.50, got 'lots'",
    "run --max_cost_usd 0": "--max_cost_usd: expected an amount above 0, such as 2.50, got '0'",
    "run --parts_per_dataset 2 --lines_per_part 3": "--parts_per_dataset and --lines_per_part cannot be combined",
    "run --arms treatment --condition treatment": "--arms and --condition cannot be combined",
    "run --run_id a/b": "--run_id 'a/b': expected a letter or digit",
    "run --config missing.yaml": "missing.yaml",
    # phases
    "run --only_step pol": "--only_step: unknown step 'pol'; did you mean 'poll'?",
    "run --from_step scor": "did you mean 'score'?",
    "run --from_step=parsing": "--from_step: unknown step 'parsing'; did you mean 'parse'?",
    "run --only_step parse,score": "--only_step: unknown step 'parse,score'",
    "run --to_step statistics": "did you mean 'stats'?",
    "run --from_step score --to_step build": "--from_step score comes after --to_step build",
    "run --only_step poll --to_step parse": "--only_step cannot be combined with --from_step or --to_step",
    # names of the configuration
    "run --run_id r --models m1x": "error: --models: unknown model 'm1x'; did you mean 'm1'?; known: m1",
    "run --run_id r --prompt_sets mian": "error: --prompt_sets: unknown prompt set 'mian'; did you mean 'main'?",
    "run --run_id r --arms treatmnt": "error: --arms or --condition: unknown arm 'treatmnt'; did you mean 'treatment'?",
    "plan --models m1,m2": "error: --models: unknown model 'm2'; known: m1",
    "config show --models m1x": "error: --models: unknown model 'm1x'",
    "run --run_id r --condition contol": "did you mean 'control'?",
    "run --run_id r --trial_filter zzz": "--trial_filter 'zzz' matches no trial; trials: ",
    # runs
    "status --run_id nope": "no run nope in experiments",
    "resume nope": "no run nope in experiments",
    "resume": "name one run: promptrial resume ID",
    "stop": "the following arguments are required: --run_id",
    "costs nope": "no run nope in experiments",
    "rm": "the following arguments are required: --run_id",
    "explain nope poll": "no run nope in experiments",
    "explain nope scor": "unknown phase 'scor'; did you mean 'score'?",
}

CONFIG: Final[list[tuple[dict[str, Any], str]]] = [
    ({"modles": {"m1": {"id": "x"}}}, "did you mean 'models'?"),
    ({"provider": "fak"}, "did you mean 'fake'?"),
    ({"parts_per_dataset": "two"}, "parts_per_dataset"),
    ({"scorers": {"exact_mach": {}}}, "did you mean 'exact_match'?"),
    ({"datasets": {"d": {"format": "squad", "path": "open.json"}}}, "did you mean 'squad_v2'?"),
    ({"temps": ["warm"]}, "temps"),
]


def test_at_least_a_hundred_typos_are_tested() -> None:
    assert len(WORDS) + len(CONFIG) >= 100


def answer(project: Project, words: list[str]) -> str:
    outcome = project.call(*words)
    assert outcome.code == 2, outcome
    assert outcome.out == ""
    lines = outcome.err.splitlines()
    assert lines[0].startswith("error: "), lines
    assert len(lines) <= 2, lines
    assert all(line.startswith("  next: ") for line in lines[1:]), lines
    assert not (project.root / "experiments").exists(), "a slip leaves nothing behind"
    return lines[0]


@pytest.mark.parametrize("words", WORDS)
def test_a_typo_on_the_command_line_is_answered_in_one_line(project: Project, words: str) -> None:
    assert WORDS[words] in answer(project, words.split())


@pytest.mark.parametrize(("changes", "said"), CONFIG, ids=[str(next(iter(changes))) for changes, _ in CONFIG])
def test_a_typo_in_the_configuration_is_answered_in_one_line(
    project: Project, changes: dict[str, Any], said: str
) -> None:
    project.write_config(changes)
    assert said in answer(project, [*RUN])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("status baseline1", "no run baseline1 in experiments; did you mean 'baseline-1'?"),
        ("resume basline-1", "did you mean 'baseline-1'?"),
        ("compare baseline-1 pilott", "did you mean 'pilot'?"),
        ("view pliot", "did you mean 'pilot'?"),
        ("show run_baseline-1", "no run run_baseline-1 in experiments; did you mean 'baseline-1'?"),
        ("costs experiments/run_pilot", "did you mean 'pilot'?"),
        ("costs experiments/run_pilot/", "did you mean 'pilot'?"),
        ("plan pilot", "unrecognized arguments: pilot; did you mean --run_id pilot?"),
        ("rm a/b", "--run_id 'a/b': expected a letter or digit"),
    ],
)
def test_a_missing_run_is_answered_with_the_nearest(project: Project, words: str, said: str) -> None:
    for name in ("baseline-1", "pilot"):
        (project.run_root(name) / "prepared").mkdir(parents=True)
    outcome = project.call(*words.split())
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err.splitlines()[0]


@pytest.mark.parametrize(
    ("words", "said", "next_command"),
    [
        ("run --resume", "--resume needs the name of the run", "promptrial resume ID; see which there are"),
        ("run --run_id pliot --resume", "did you mean 'pilot'?", "promptrial run --run_id pilot --resume"),
    ],
)
def test_a_resume_of_a_misspelt_run_names_the_existing_one(
    project: Project, words: str, said: str, next_command: str
) -> None:
    (project.root / "experiments/run_pilot").mkdir(parents=True)
    outcome = project.call(*words.split())
    assert (outcome.code, outcome.out) == (3, "")
    assert said in outcome.err
    assert f"  next: {next_command}" in outcome.err


def test_an_error_names_the_variable_beside_its_flag(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTRIAL_MODELS", "m1x")
    assert answer(project, [*RUN]).startswith("error: --models or PROMPTRIAL_MODELS: unknown model 'm1x'")


def test_no_flag_answers_a_wrong_value_with_an_internal_name() -> None:
    for verb, action in _actions(build_parser(*COMMANDS)):
        for text in ("x?!", "", "1e999", "nan", "9" * 5000):
            if action.type is not None:
                try:
                    action.type(text)
                except argparse.ArgumentTypeError:
                    continue
                except (TypeError, ValueError) as error:
                    pytest.fail(f"{verb} {action.option_strings}: {error!r} of {text[:9]!r}")


def _actions(parser: argparse.ArgumentParser, verb: str = "") -> Iterator[tuple[str, Any]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                yield from _actions(sub, f"{verb} {name}")
        else:
            yield verb, action
